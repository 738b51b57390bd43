"""What a write stores, what the stream gets from it, and what DynamoDB refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from account_stand_in import deployed, function_client, table
from botocore.exceptions import ClientError

from grader.cloud.aws import ServiceError


@pytest.fixture(name="account")
def _account() -> Any:
    with deployed(
        table("Orders", "merchant", "id", stream="NEW_AND_OLD_IMAGES"), table("Totals", "merchant")
    ) as account:
        yield account


def records(account: Any, name: str = "Orders") -> list[tuple[str, Any, Any]]:
    """The stream so far: (event name, old image, new image)."""
    found = []
    for shard in account.stream_of(name).shards:
        for record in shard.records:
            change = record.event["dynamodb"]
            found.append(
                (record.event["eventName"], change.get("OldImage"), change.get("NewImage"))
            )
    return found


KEY = {"merchant": {"S": "acme"}, "id": {"S": "o-1"}}


def item(**values: Any) -> dict[str, Any]:
    return {**KEY, **values}


def test_a_put_of_a_new_item_gives_one_insert(account: Any) -> None:
    account.call("dynamodb", "PutItem", TableName="Orders", Item=item(amount={"N": "5"}))
    assert records(account) == [("INSERT", None, item(amount={"N": "5"}))]


def test_a_put_that_changes_nothing_gives_no_record(account: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html"""
    for text in ("5", "5", "5.0", "+5e0"):
        account.call("dynamodb", "PutItem", TableName="Orders", Item=item(amount={"N": text}))
    assert [name for name, _, _ in records(account)] == ["INSERT"]


def test_an_update_that_changes_nothing_gives_no_record(account: Any) -> None:
    account.put("Orders", {"merchant": "acme", "id": "o-1", "amount": 5})
    account.call(
        "dynamodb",
        "UpdateItem",
        TableName="Orders",
        Key=KEY,
        UpdateExpression="SET amount = :a ADD pieces :zero",
        ExpressionAttributeValues={":a": {"N": "5"}, ":zero": {"N": "0"}},
    )
    account.call(
        "dynamodb",
        "UpdateItem",
        TableName="Orders",
        Key=KEY,
        UpdateExpression="SET amount = :a ADD pieces :zero",
        ExpressionAttributeValues={":a": {"N": "5"}, ":zero": {"N": "0"}},
    )
    assert [name for name, _, _ in records(account)] == ["INSERT", "MODIFY"]


def test_an_update_of_a_missing_item_gives_one_insert_with_the_whole_item(account: Any) -> None:
    """moto would put the bare key first and give two INSERTs."""
    account.call(
        "dynamodb",
        "UpdateItem",
        TableName="Orders",
        Key=KEY,
        UpdateExpression="SET amount = :a",
        ExpressionAttributeValues={":a": {"N": "5"}},
    )
    assert records(account) == [("INSERT", None, item(amount={"N": "5"}))]


def test_an_update_gives_old_and_new_image(account: Any) -> None:
    account.put("Orders", {"merchant": "acme", "id": "o-1", "amount": 5})
    account.call(
        "dynamodb",
        "UpdateItem",
        TableName="Orders",
        Key=KEY,
        UpdateExpression="ADD amount :a",
        ExpressionAttributeValues={":a": {"N": "2"}},
    )
    assert records(account)[1] == ("MODIFY", item(amount={"N": "5"}), item(amount={"N": "7"}))


def test_an_update_without_an_expression_creates_the_item(account: Any) -> None:
    account.call("dynamodb", "UpdateItem", TableName="Orders", Key=KEY)
    assert records(account) == [("INSERT", None, KEY)]


def test_deleting_gives_a_remove_and_deleting_what_is_not_there_gives_nothing(account: Any) -> None:
    account.put("Orders", {"merchant": "acme", "id": "o-1", "amount": 5})
    account.delete("Orders", {"merchant": "acme", "id": "o-1"})
    account.delete("Orders", {"merchant": "acme", "id": "o-1"})
    assert records(account)[1:] == [("REMOVE", item(amount={"N": "5"}), None)]


def test_a_failed_condition_changes_nothing_and_gives_no_record(account: Any) -> None:
    account.put("Orders", {"merchant": "acme", "id": "o-1", "amount": 5})
    dynamodb = function_client(account, "dynamodb")
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as failure:
        dynamodb.put_item(
            TableName="Orders",
            Item=item(amount={"N": "9"}),
            ConditionExpression="attribute_not_exists(id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert failure.value.response["Item"] == item(amount={"N": "5"})
    with pytest.raises(ClientError):
        dynamodb.delete_item(
            TableName="Orders",
            Key=KEY,
            ConditionExpression="amount > :n",
            ExpressionAttributeValues={":n": {"N": "5"}},
        )
    with pytest.raises(ClientError):
        dynamodb.update_item(
            TableName="Orders",
            Key={**KEY, "id": {"S": "other"}},
            UpdateExpression="SET amount = :n",
            ConditionExpression="attribute_exists(id)",
            ExpressionAttributeValues={":n": {"N": "5"}},
        )
    assert account.items("Orders") == [{"merchant": "acme", "id": "o-1", "amount": 5}]
    assert len(records(account)) == 1


def test_an_update_that_fails_midway_leaves_the_item_as_it_was(account: Any) -> None:
    account.put("Orders", {"merchant": "acme", "id": "o-1", "amount": "text"})
    with pytest.raises(ServiceError):
        account.call(
            "dynamodb",
            "UpdateItem",
            TableName="Orders",
            Key=KEY,
            UpdateExpression="SET x = :a ADD amount :a",
            ExpressionAttributeValues={":a": {"N": "2"}},
        )
    with pytest.raises(ServiceError):
        account.call(
            "dynamodb",
            "UpdateItem",
            TableName="Orders",
            Key={**KEY, "id": {"S": "new"}},
            UpdateExpression="SET x = y",
        )
    assert account.items("Orders") == [{"merchant": "acme", "id": "o-1", "amount": "text"}]
    assert len(records(account)) == 1


def test_a_batch_gives_one_record_for_each_changed_item(account: Any) -> None:
    account.put("Orders", {"merchant": "acme", "id": "o-1", "amount": 5})
    puts = [
        {"PutRequest": {"Item": {**KEY, "id": {"S": f"o-{n}"}, "amount": {"N": "5"}}}}
        for n in range(1, 5)
    ]
    gone = {"DeleteRequest": {"Key": {**KEY, "id": {"S": "absent"}}}}
    account.call("dynamodb", "BatchWriteItem", RequestItems={"Orders": [*puts, gone]})
    assert [name for name, _, _ in records(account)] == ["INSERT"] * 4


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        (
            [{"DeleteRequest": {"Key": {**KEY, "id": {"S": str(n)}}}} for n in range(26)],
            "less than or equal to 25",
        ),
        (
            [{"DeleteRequest": {"Key": KEY}}, {"PutRequest": {"Item": item(amount={"N": "1"})}}],
            "duplicates",
        ),
        ([], "requestItems"),
    ],
)
def test_a_batch_that_dynamodb_refuses_does_nothing(
    account: Any, requests: list[Any], words: str
) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"""
    account.put("Orders", {"merchant": "acme", "id": "o-1", "amount": 5})
    with pytest.raises(ServiceError, match=words):
        account.call("dynamodb", "BatchWriteItem", RequestItems={"Orders": requests})
    assert len(records(account)) == 1


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ({"N": "1" * 39}, "38 significant digits"),
        ({"N": "1e126"}, "overflow"),
        ({"N": "1e-131"}, "underflow"),
        ({"N": "12,50"}, "numeric value"),
        ({"N": ""}, "numeric value"),
        ({"N": "NaN"}, "numeric value"),
        ({"NS": []}, "may not be empty"),
        ({"SS": ["a", "a"]}, "duplicates"),
        ({"NS": ["1", "1.0"]}, "duplicates"),
        ({"S": "x" * 410_000}, "Item size"),
        ({}, "exactly one"),
        ({"L": [{"N": "x"}]}, "numeric value"),
    ],
)
def test_a_value_that_dynamodb_refuses_is_not_stored(
    account: Any, attribute: dict[str, Any], words: str
) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""
    for operation, params in (
        ("PutItem", {"Item": item(value=attribute)}),
        (
            "UpdateItem",
            {
                "Key": KEY,
                "UpdateExpression": "SET #v = :v",
                "ExpressionAttributeNames": {"#v": "value"},
                "ExpressionAttributeValues": {":v": attribute},
            },
        ),
    ):
        with pytest.raises(ServiceError, match=words) as refusal:
            account.call("dynamodb", operation, TableName="Orders", **params)
        assert refusal.value.code == "ValidationException"
    assert account.items("Orders") == []
    assert records(account) == []


def test_an_item_of_exactly_400_kb_is_stored(account: Any) -> None:
    fill = 409_600 - len("merchantacmeido-1") - len("fill")
    account.call("dynamodb", "PutItem", TableName="Orders", Item=item(fill={"S": "x" * fill}))
    with pytest.raises(ServiceError, match="Item size"):
        account.call(
            "dynamodb", "PutItem", TableName="Orders", Item=item(fill={"S": "x" * (fill + 1)})
        )


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("007", "7"),
        ("12.50", "12.5"),
        ("1e3", "1000"),
        ("-0", "0"),
        (".5", "0.5"),
        ("1" * 38, "1" * 38),
        ("1" * 20 + "0" * 30, "1" * 20 + "0" * 30),
    ],
)
def test_numbers_come_back_as_dynamodb_writes_them(account: Any, given: str, stored: str) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html"""
    account.call("dynamodb", "PutItem", TableName="Orders", Item=item(amount={"N": given}))
    assert account.raw_items("Orders")[0]["amount"] == {"N": stored}


def test_adding_is_exact_to_38_digits(account: Any) -> None:
    """moto adds in Python's default context of 28 digits."""
    account.call("dynamodb", "PutItem", TableName="Orders", Item=item(amount={"N": "0.1"}))
    params: dict[str, Any] = {
        "TableName": "Orders",
        "Key": KEY,
        "UpdateExpression": "ADD amount :a",
        "ExpressionAttributeValues": {":a": {"N": "1234567890123456789012345678901234567"}},
    }
    account.call("dynamodb", "UpdateItem", **params)
    expected = Decimal("1234567890123456789012345678901234567.1")
    assert account.items("Orders")[0]["amount"] == expected
    params["ExpressionAttributeValues"] = {":a": {"N": "0.01"}}
    with pytest.raises(ServiceError, match="Number overflow"):
        account.call("dynamodb", "UpdateItem", **params)
    assert account.items("Orders")[0]["amount"] == expected


def test_sets_are_in_one_order_whatever_the_hash_seed(account: Any) -> None:
    for name in ("pear", "apple", "fig"):
        account.call(
            "dynamodb",
            "UpdateItem",
            TableName="Orders",
            Key=KEY,
            UpdateExpression="ADD fruit :f, sizes :s",
            ExpressionAttributeValues={
                ":f": {"SS": [name]},
                ":s": {"NS": [str(len(name)), "10"]},
            },
        )
    stored = account.raw_items("Orders")[0]
    assert stored["fruit"] == {"SS": ["apple", "fig", "pear"]}
    assert stored["sizes"] == {"NS": ["3", "4", "5", "10"]}


def test_binaries_survive_in_items_keys_and_stream(account: Any) -> None:
    dynamodb = function_client(account, "dynamodb")
    value = bytes(range(256))
    dynamodb.put_item(
        TableName="Orders", Item=item(blob={"B": value}, many={"L": [{"BS": [b"b", b"a"]}]})
    )
    found = dynamodb.get_item(TableName="Orders", Key=KEY, ConsistentRead=True)["Item"]
    assert found["blob"] == {"B": value}
    assert found["many"] == {"L": [{"BS": [b"a", b"b"]}]}
    _, _, image = records(account)[0]
    assert image["many"] == {"L": [{"BS": ["YQ==", "Yg=="]}]}
    assert account.items("Orders")[0]["many"] == [{b"a", b"b"}]


@pytest.mark.parametrize(
    "key",
    [
        {"merchant": {"S": "acme"}},
        {**KEY, "more": {"S": "x"}},
        {"merchant": {"N": "1"}, "id": {"S": "o-1"}},
        {"merchant": {"S": ""}, "id": {"S": "o-1"}},
    ],
)
def test_a_key_that_is_not_the_tables_is_refused(account: Any, key: dict[str, Any]) -> None:
    for operation in ("GetItem", "DeleteItem", "UpdateItem"):
        with pytest.raises(ServiceError) as refusal:
            account.call("dynamodb", operation, TableName="Orders", Key=key)
        assert refusal.value.code == "ValidationException"
    assert account.items("Orders") == []


@pytest.mark.parametrize(
    "broken",
    [
        {"merchant": {"S": "acme"}},
        {"merchant": {"N": "1"}, "id": {"S": "o-1"}},
        {"merchant": {"S": ""}, "id": {"S": "o-1"}},
    ],
)
def test_an_item_without_a_proper_key_is_refused(account: Any, broken: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as refusal:
        account.call("dynamodb", "PutItem", TableName="Orders", Item=broken)
    assert refusal.value.code == "ValidationException"
    assert records(account) == []


def test_updated_new_names_what_the_expression_names(account: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html"""
    dynamodb = function_client(account, "dynamodb")
    account.put("Totals", {"merchant": "acme", "n": 3, "rest": 1})
    answer = dynamodb.update_item(
        TableName="Totals",
        Key={"merchant": {"S": "acme"}},
        UpdateExpression="SET #n = #n + :zero, copied = rest",
        ExpressionAttributeNames={"#n": "n"},
        ExpressionAttributeValues={":zero": {"N": "0"}},
        ReturnValues="UPDATED_NEW",
    )
    assert answer["Attributes"] == {"n": {"N": "3"}, "copied": {"N": "1"}}
    answer = dynamodb.update_item(
        TableName="Totals",
        Key={"merchant": {"S": "acme"}},
        UpdateExpression="REMOVE rest SET m = :m",
        ExpressionAttributeValues={":m": {"N": "1.50"}},
        ReturnValues="UPDATED_OLD",
    )
    assert answer["Attributes"] == {"rest": {"N": "1"}}


def test_a_query_finds_its_partition_in_order_and_pages(account: Any) -> None:
    for number in range(7):
        account.put("Orders", {"merchant": "acme", "id": f"o-{number}", "n": number})
        account.put("Orders", {"merchant": "other", "id": f"o-{number}", "n": number})
    dynamodb = function_client(account, "dynamodb")
    pages = dynamodb.get_paginator("query").paginate(
        TableName="Orders",
        KeyConditionExpression="merchant = :m AND id > :o",
        ExpressionAttributeValues={":m": {"S": "acme"}, ":o": {"S": "o-1"}},
        ConsistentRead=True,
        PaginationConfig={"PageSize": 2},
    )
    found = [item["n"]["N"] for page in pages for item in page["Items"]]
    assert found == ["2", "3", "4", "5", "6"]
    assert (
        dynamodb.query(
            TableName="Orders",
            KeyConditionExpression="merchant = :m",
            ExpressionAttributeValues={":m": {"S": "nobody"}},
        )["Items"]
        == []
    )


def test_time_to_live_deletes_on_virtual_time_and_marks_the_record() -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html"""
    with deployed(
        table(
            "Seen",
            "id",
            stream="OLD_IMAGE",
            TimeToLiveSpecification={"AttributeName": "until", "Enabled": True},
        )
    ) as account:
        now = account.clock.now // 1000
        account.put("Seen", {"id": "soon", "until": now + 60})
        account.put("Seen", {"id": "late", "until": now + 7200})
        account.put("Seen", {"id": "text", "until": str(now)})
        account.put("Seen", {"id": "ancient", "until": now - 6 * 365 * 86_400})
        assert account.expire() == 0
        account.clock.run_for(60_000)
        assert account.expire() == 1
        assert [item["id"] for item in account.items("Seen")] == ["ancient", "late", "text"]
        last = account.stream_of("Seen").shards[0].records[-1].event
        assert last["eventName"] == "REMOVE"
        assert last["userIdentity"]["principalId"] == "dynamodb.amazonaws.com"


def test_a_disabled_stream_gets_nothing_and_the_table_still_works(account: Any) -> None:
    """After disabling, every write to a table raises KeyError in moto itself."""
    old = account.stream_of("Orders")
    account.put("Orders", {"merchant": "acme", "id": "o-1"})
    account.disable_stream("Orders")
    account.put("Orders", {"merchant": "acme", "id": "o-2"})
    new = account.enable_stream("Orders", "KEYS_ONLY")
    account.put("Orders", {"merchant": "acme", "id": "o-3"})
    assert len(old.shards[0].records) == 1
    assert new.arn != old.arn, "also within one millisecond"
    assert [record.key for record in new.shards[0].records] == [
        '{"merchant":{"S":"acme"},"id":{"S":"o-3"}}'
    ]
