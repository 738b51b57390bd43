"""Definitions of tables: what the API's model bounds, and what DescribeTable tells.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from table_stand_in import account_with

from grader.cloud.account import outside
from grader.cloud.aws import Request, ServiceError

LONG = "a" * 256
INDEX = {
    "IndexName": "by-x",
    "KeySchema": [{"AttributeName": "x", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


def _creation(**changes: Any) -> dict[str, Any]:
    return {
        "TableName": "New",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        **changes,
    }


def _refusal(operation: str, params: dict[str, Any]) -> str | None:
    refusal = outside(Request("dynamodb", operation, params, None, "json", "POST", "", {}, b""))
    assert refusal is None or refusal.code == "ValidationException"
    return None if refusal is None else refusal.message


def test_a_key_attribute_of_255_characters_is_taken() -> None:
    key = [{"AttributeName": LONG[1:], "KeyType": "HASH"}]
    assert _refusal("CreateTable", _creation(KeySchema=key)) is None


@pytest.mark.parametrize(
    ("changes", "place", "rule"),
    [
        (
            {"KeySchema": [{"AttributeName": LONG, "KeyType": "HASH"}]},
            "keySchema.1.member.attributeName",
            "have length less than or equal to 255",
        ),
        (
            {"AttributeDefinitions": [{"AttributeName": "", "AttributeType": "S"}]},
            "attributeDefinitions.1.member.attributeName",
            "have length greater than or equal to 1",
        ),
        (
            {
                "LocalSecondaryIndexes": [
                    {**INDEX, "KeySchema": [{"AttributeName": LONG, "KeyType": "HASH"}]}
                ]
            },
            "localSecondaryIndexes.1.member.keySchema.1.member.attributeName",
            "have length less than or equal to 255",
        ),
        (
            {"GlobalSecondaryIndexes": [{**INDEX, "IndexName": "xy"}]},
            "globalSecondaryIndexes.1.member.indexName",
            "have length greater than or equal to 3",
        ),
        (
            {"GlobalSecondaryIndexes": [{**INDEX, "IndexName": "by x"}]},
            "globalSecondaryIndexes.1.member.indexName",
            "satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
        (
            {"ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 1}},
            "provisionedThroughput.readCapacityUnits",
            "have value greater than or equal to 1",
        ),
        ({"KeySchema": []}, "keySchema", "have length greater than or equal to 1"),
        ({"BillingMode": "FREE"}, "billingMode", "satisfy enum value set"),
        (
            {"Tags": [{"Key": "k" * 129, "Value": ""}]},
            "tags.1.member.key",
            "have length less than or equal to 128",
        ),
    ],
)
def test_a_value_outside_the_model_is_named_by_its_place(
    changes: dict[str, Any], place: str, rule: str
) -> None:
    message = _refusal("CreateTable", _creation(**changes))
    assert message is not None and message.startswith("1 validation error detected: Value '")
    assert f"at '{place}' failed to satisfy constraint: Member must {rule}" in message


@pytest.fixture(name="account", scope="module")
def _account() -> Iterator[Any]:
    """Orders (merchant, id) with a global and a local index; Seen (id); Numbers (n: N)."""
    with account_with() as account:
        yield account


def _keys(*names: str) -> list[dict[str, str]]:
    """A key schema: names with ``+`` are of the sort key."""
    return [
        {"AttributeName": name.lstrip("+"), "KeyType": "RANGE" if name[0] == "+" else "HASH"}
        for name in names
    ]


def _defined(*names: str, kind: str = "S") -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": kind} for name in names]


def _index(*names: str, name: str = "by-x", **projection: Any) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": _keys(*names),
        "Projection": projection or {"ProjectionType": "ALL"},
    }


def _with_global(*indexes: dict[str, Any], define: str = "x") -> dict[str, Any]:
    return {
        "GlobalSecondaryIndexes": list(indexes),
        "AttributeDefinitions": _defined("id", *define.split()),
    }


def _with_local(*names: str, table: tuple[str, ...] = ("id", "+at")) -> dict[str, Any]:
    return {
        "KeySchema": _keys(*table),
        "AttributeDefinitions": _defined("id", "at", "x"),
        "LocalSecondaryIndexes": [_index(*names)],
    }


INCLUDE = {"ProjectionType": "INCLUDE"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"KeySchema": _keys("+id")}, "is not a HASH key type"),
        ({"KeySchema": _keys("id", "at")}, "The second KeySchemaElement is not a RANGE key type"),
        (
            {"KeySchema": _keys("id", "+at", "+x")},
            "Member must have length less than or equal to 2",
        ),
        ({"KeySchema": _keys("id", "+id")}, "have the same name"),
        ({"AttributeDefinitions": None}, "Value null at 'attributeDefinitions'"),
        ({"KeySchema": None}, "Value null at 'keySchema'"),
        ({"AttributeDefinitions": _defined("id", "id")}, "Duplicate AttributeName .*: id"),
        # The table is there already, and that is not what is told.
        (
            {"TableName": "Seen", "AttributeDefinitions": _defined("id", "id")},
            "Duplicate AttributeName",
        ),
        (_with_local("x", "+at"), "the same leading hash key as table KeySchema"),
        (_with_local("id"), "does not have a range key for index: by-x"),
        (_with_local("id", "+id"), "have the same name"),
        (_with_local("id", "+at", "+x"), "Member must have length less than or equal to 2"),
        (_with_local("id", "+x", table=("id",)), "Table KeySchema does not have a range key"),
        (_with_global(_index("x"), _index("x")), "Duplicate index name: by-x"),
        (_with_global(_index("+x")), "is not a HASH key type"),
        (_with_global(_index("x", "+x")), "have the same name"),
        (_with_global(_index("x", "+y", "z"), define="x y z"), "must precede those of RANGE"),
        (_with_global(_index("x", "y", "+x"), define="x y"), "have the same name"),
        (_with_global(_index(*"abcde"), define="a b c d e"), "at most 4 elements"),
        (_with_global(_index("x", NonKeyAttributes=["a"])), "Unknown ProjectionType: null"),
        (_with_global(_index("x", **INCLUDE)), "INCLUDE, but NonKeyAttributes is not specified"),
        (
            _with_global(_index("x", ProjectionType="ALL", NonKeyAttributes=["a"])),
            "ProjectionType is ALL, but NonKeyAttributes is specified",
        ),
        (_with_global(_index("x", **INCLUDE, NonKeyAttributes=["a", "a"])), "Duplicate attribute"),
        (
            _with_global(*(_index("x", name=f"by-{number}") for number in range(21))),
            "exceeds the per-table limit of 20",
        ),
        (
            {"Tags": [{"Key": str(number), "Value": ""} for number in range(51)]},
            "at most 50 tags",
        ),
    ],
)
def test_keys_and_indexes_that_do_not_go_together_are_refused(
    account: Any, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ServiceError, match=sentence) as refused:
        account.tables.create(_creation(**changes), None, False)
    assert refused.value.code == "ValidationException"


UNITS = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}


def _changes(*updates: dict[str, Any], define: str = "x", kind: str = "S") -> dict[str, Any]:
    return {
        "GlobalSecondaryIndexUpdates": list(updates),
        "AttributeDefinitions": _defined(*define.split(), kind=kind),
    }


@pytest.mark.parametrize(
    ("params", "code", "sentence"),
    [
        ({}, "ValidationException", "At least one of"),
        ({"GlobalSecondaryIndexUpdates": []}, "ValidationException", "At least one of"),
        (_changes({}), "ValidationException", "exactly one of Create, Update and Delete"),
        (
            _changes({"Create": _index("x"), "Delete": {"IndexName": "by-status"}}),
            "ValidationException",
            "exactly one of",
        ),
        (
            _changes({"Create": _index("x")}, {"Delete": {"IndexName": "by-status"}}),
            "LimitExceededException",
            "Only 1 online index",
        ),
        (
            _changes({"Create": _index("x", name="by-time")}),
            "ValidationException",
            "already exists: by-time",
        ),
        (
            _changes({"Create": _index("x")}, define="y"),
            "ValidationException",
            r"not defined in AttributeDefinitions. Keys: \[x\]",
        ),
        (
            _changes({"Create": _index("status")}, define="status", kind="N"),
            "ValidationException",
            "Attributes cannot be redefined.*key{status:S:HASH}.*key{status:N:HASH}",
        ),
        (_changes({"Create": _index("x", "+x")}), "ValidationException", "have the same name"),
        (
            {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-none"}}]},
            "ResourceNotFoundException",
            "by-none",
        ),
        (
            {"ProvisionedThroughput": UNITS},
            "ValidationException",
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified",
        ),
        (
            {"BillingMode": "PROVISIONED"},
            "ValidationException",
            "must be specified when BillingMode is PROVISIONED",
        ),
    ],
)
def test_a_change_that_does_not_fit_the_table_is_refused(
    account: Any, params: dict[str, Any], code: str, sentence: str
) -> None:
    with pytest.raises(ServiceError, match=sentence) as refused:
        account.call("dynamodb", "UpdateTable", TableName="Orders", **params)
    assert refused.value.code == code


def _ttl(account: Any, enabled: bool, attribute: str = "until") -> None:
    specification = {"Enabled": enabled, "AttributeName": attribute}
    account.call(
        "dynamodb", "UpdateTimeToLive", TableName="Numbers", TimeToLiveSpecification=specification
    )


def test_time_to_live_is_switched_to_another_state_and_once_an_hour(account: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html"""
    with pytest.raises(ServiceError, match="already disabled"):
        _ttl(account, False)
    _ttl(account, True)
    with pytest.raises(ServiceError, match="already enabled"):
        _ttl(account, True)
    with pytest.raises(ServiceError, match=r"active on a different AttributeName.* until"):
        _ttl(account, False, "other")
    with pytest.raises(ServiceError, match="multiple times within a fixed interval"):
        _ttl(account, False)
    account.clock.run_for(3_600_000)
    _ttl(account, False)
    told = account.call("dynamodb", "DescribeTimeToLive", TableName="Numbers")
    assert told["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}


@pytest.mark.parametrize(
    ("arn", "tags", "code", "sentence"),
    [
        ("Seen", {"a": "b"}, "ValidationException", "ARNs must start with 'arn:'"),
        ("arn:not/a/good/format", {"a": "b"}, "ValidationException", "Invalid ResourceArn"),
        ("{}/index/by-x", {"a": "b"}, "ValidationException", "only table or stream is accepted"),
        ("{}x", {"a": "b"}, "ResourceNotFoundException", "not found"),
        (
            "arn:aws:dynamodb:us-east-1:000000000000:table/Seen",
            {"a": "b"},
            "AccessDeniedException",
            "not authorized",
        ),
        ("{}", {}, "ValidationException", "At least one tag"),
        ("{}", {"hi!": "b"}, "ValidationException", "letters, white space, numbers"),
        ("{}", {"a": "50%"}, "ValidationException", "letters, white space, numbers"),
        ("{}", {"aws:a": "b"}, "ValidationException", "is reserved"),
        (
            "{}",
            {str(number): "" for number in range(51)},
            "ValidationException",
            "at most 50 tags",
        ),
    ],
)
def test_tags_and_what_they_are_about_are_checked(
    account: Any, arn: str, tags: dict[str, str], code: str, sentence: str
) -> None:
    seen = account.call("dynamodb", "DescribeTable", TableName="Seen")["Table"]["TableArn"]
    given = [{"Key": key, "Value": value} for key, value in tags.items()]
    with pytest.raises(ServiceError, match=sentence) as refused:
        account.call("dynamodb", "TagResource", ResourceArn=arn.format(seen), Tags=given)
    assert refused.value.code == code


def test_all_tags_are_listed_and_one_given_again_has_the_new_value(account: Any) -> None:
    arn = account.call("dynamodb", "DescribeTable", TableName="Seen")["Table"]["TableArn"]
    many = [{"Key": str(number), "Value": ""} for number in range(40)]
    account.call("dynamodb", "TagResource", ResourceArn=arn, Tags=many)
    assert account.call("dynamodb", "ListTagsOfResource", ResourceArn=arn)["Tags"] == many
    names = [tag["Key"] for tag in many]
    account.call("dynamodb", "UntagResource", ResourceArn=arn, TagKeys=names)
    for value in ("first", "the Zürich office: 2.0"):
        tags = [{"Key": "team", "Value": value}]
        account.call("dynamodb", "TagResource", ResourceArn=arn, Tags=tags)
    told = account.call("dynamodb", "ListTagsOfResource", ResourceArn=arn)["Tags"]
    assert told == [{"Key": "team", "Value": "the Zürich office: 2.0"}]


def test_a_deleted_table_is_told_without_its_keys_and_indexes(account: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html"""
    account.tables.create(_creation(**_with_global(_index("x"))), None, False)
    table_id = account.call("dynamodb", "DescribeTable", TableName="New")["Table"]["TableId"]
    told = account.tables.answer("DeleteTable", {"TableName": "New"})["TableDescription"]
    assert (told["TableId"], told["TableStatus"]) == (table_id, "DELETING")
    assert set(told) == {
        *("TableName", "TableStatus", "TableArn", "TableId", "ItemCount", "TableSizeBytes"),
        *("BillingModeSummary", "ProvisionedThroughput", "DeletionProtectionEnabled"),
    }


def _added(account: Any, table: str, index: dict[str, Any], define: str) -> None:
    """Give the table an index; its key attributes are texts."""
    params = _changes({"Create": index}, define=define)
    account.call("dynamodb", "UpdateTable", TableName=table, **params)


def test_a_later_index_leaves_out_what_cannot_be_its_key_and_the_item_stays(account: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.html"""
    account.tables.create(_creation(), None, False)
    values: list[dict[str, Any]] = [
        *({"S": "good"}, {"S": "a" * 2048}, {"S": ""}, {"N": "1"}, {"S": "a" * 2049}),
        {"B": "YQ=="},
    ]
    for number, value in enumerate(values):
        item = {"id": {"S": str(number)}, "x": value, "y": {"S": "same"}}
        account.call("dynamodb", "PutItem", TableName="New", Item=item)
    _added(account, "New", _index("x"), "x")
    _added(account, "New", _index("y", "+x", name="by-y"), "x y")

    def seen(index: str) -> list[str]:
        found = account.call("dynamodb", "Scan", TableName="New", IndexName=index)["Items"]
        return sorted(item["id"]["S"] for item in found)

    assert (seen("by-x"), seen("by-y")) == (["0", "1"], ["0"])
    described = account.call("dynamodb", "DescribeTable", TableName="New")["Table"]
    assert [index["ItemCount"] for index in described["GlobalSecondaryIndexes"]] == [2, 1]
    # Only what an update itself writes is held to the index.
    change = {"UpdateExpression": "SET q = :q", "ExpressionAttributeValues": {":q": {"S": "q"}}}
    account.call("dynamodb", "UpdateItem", TableName="New", Key={"id": {"S": "3"}}, **change)
    account.call("dynamodb", "UpdateTable", TableName="New", GlobalSecondaryIndexUpdates=[
        {"Delete": {"IndexName": "by-x"}}
    ])  # fmt: skip
    account.tables.answer("DeleteTable", {"TableName": "New"})


def test_a_global_index_may_have_four_attributes_in_each_part_of_its_key(account: Any) -> None:
    """A query names all of the partition key, and the sort key's from the first one on."""
    keys = ("a", "b", "+c", "+d")
    changes = _with_global(_index(*keys), define="a b c d")
    account.tables.create(_creation(**changes), None, False)
    for number, (c, d) in enumerate([("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")]):
        item = {"id": str(number), "a": "A", "b": "B", "c": c, "d": d}
        settled = {name: {"S": value} for name, value in item.items()}
        account.call("dynamodb", "PutItem", TableName="New", Item=settled)

    def asked(condition: str, **more: Any) -> list[str]:
        values = {name: {"S": name[1:].upper()} for name in (":a", ":b") if name in condition}
        values |= {":1": {"S": "1"}} if ":1" in condition else {}
        found = account.call(
            "dynamodb",
            "Query",
            TableName="New",
            IndexName="by-x",
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            **more,
        )
        return [item["id"]["S"] for item in found["Items"]]

    whole = "a = :a AND b = :b"
    assert asked(whole, ScanIndexForward=False) == ["3", "2", "1", "0"]
    assert asked(f"{whole} AND c = :1 AND d > :1") == ["1"]
    assert asked(f"d = :1 AND c = :1 AND {whole}") == ["0"]
    start = {name: {"S": value} for name, value in zip("abcd", "AB12", strict=True)}
    assert asked(whole, ExclusiveStartKey={**start, "id": {"S": "1"}}) == ["2", "3"]
    for wrong, sentence in (
        ("a = :a", "each HASH attribute of the index needs an equality: b"),
        ("a = :a AND b > :b", "each HASH attribute of the index needs an equality: b"),
        (f"{whole} AND d = :1", "equality for each RANGE attribute before the last: c"),
        (f"{whole} AND c > :1 AND d = :1", "each RANGE attribute before the last: c"),
    ):
        with pytest.raises(ServiceError, match=sentence):
            asked(wrong)
    account.tables.answer("DeleteTable", {"TableName": "New"})


def test_all_breaches_are_told_at_once_and_a_misfit_before_them() -> None:
    message = _refusal("CreateTable", _creation(BillingMode="FREE", TableClass="GOLD"))
    assert message is not None and message.startswith("2 validation errors detected: ")
    lacking = _refusal("CreateTable", {"KeySchema": []})
    assert lacking is not None and lacking.startswith(
        "1 validation error detected: Value null at 'tableName' failed to satisfy constraint"
    )


def test_an_account_refuses_such_a_definition_and_describes_the_others() -> None:
    """The id is the table's own, and the date of an on-demand table is that of its change."""
    ttl = {"Enabled": True, "AttributeName": LONG}
    throughput = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    with account_with() as account:
        with pytest.raises(ServiceError, match=r"timeToLiveSpecification\.attributeName"):
            account.call(
                "dynamodb", "UpdateTimeToLive", TableName="Seen", TimeToLiveSpecification=ttl
            )

        def told(name: str) -> dict[str, Any]:
            described: dict[str, Any] = account.call("dynamodb", "DescribeTable", TableName=name)
            return described["Table"]  # type: ignore[no-any-return]

        def change(**changes: Any) -> None:
            account.call("dynamodb", "UpdateTable", TableName="Seen", **changes)

        seen = told("Seen")
        assert seen["TableId"] == told("Seen")["TableId"] != told("Orders")["TableId"]
        (by_status,) = told("Orders")["GlobalSecondaryIndexes"]
        assert by_status["IndexArn"] == f"{told('Orders')['TableArn']}/index/by-status"
        since = seen["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"]
        assert since == seen["CreationDateTime"]
        change(BillingMode="PROVISIONED", ProvisionedThroughput=throughput)
        account.clock.run_for(5_000)
        change(BillingMode="PAY_PER_REQUEST")
        summary = told("Seen")["BillingModeSummary"]
        assert summary["LastUpdateToPayPerRequestDateTime"] == since + timedelta(seconds=5)


def test_a_new_index_leaves_the_keys_of_the_table_defined() -> None:
    with account_with() as account:
        account.call(
            "dynamodb",
            "UpdateTable",
            TableName="Seen",
            AttributeDefinitions=[{"AttributeName": "x", "AttributeType": "S"}],
            GlobalSecondaryIndexUpdates=[{"Create": INDEX}],
        )
        item = {"id": {"S": "1"}, "x": {"S": "a"}}
        account.call("dynamodb", "PutItem", TableName="Seen", Item=item)
        asked = {
            "IndexName": "by-x",
            "KeyConditionExpression": "x = :a",
            "ExpressionAttributeValues": {":a": {"S": "a"}},
        }
        assert account.call("dynamodb", "Query", TableName="Seen", **asked)["Items"] == [item]
        ttl = {"Enabled": True, "AttributeName": "until"}
        with pytest.raises(ServiceError) as refused:
            account.call(
                "dynamodb", "UpdateTimeToLive", TableName="None", TimeToLiveSpecification=ttl
            )
        assert refused.value.code == "ResourceNotFoundException"
