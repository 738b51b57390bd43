"""Definitions of tables: what the API's model bounds, and what DescribeTable tells.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"KeySchema": [{"AttributeName": "id", "KeyType": "RANGE"}]}, "is not a HASH key type"),
        ({"LocalSecondaryIndexes": [INDEX]}, "the same leading hash key as table KeySchema"),
        ({"GlobalSecondaryIndexes": [INDEX, INDEX]}, "Duplicate index name: by-x"),
        (
            {
                "LocalSecondaryIndexes": [
                    {**INDEX, "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
                ]
            },
            "does not have a range key for index: by-x",
        ),
    ],
)
def test_keys_and_indexes_that_do_not_go_together_are_refused(
    changes: dict[str, Any], sentence: str
) -> None:
    with account_with() as account, pytest.raises(ServiceError, match=sentence):
        account.tables.create(_creation(**changes), None, False)


def test_all_breaches_are_told_at_once_and_a_misfit_before_them() -> None:
    message = _refusal("CreateTable", _creation(BillingMode="FREE", TableClass="GOLD"))
    assert message is not None and message.startswith("2 validation errors detected: ")
    lacking = _refusal("CreateTable", {"KeySchema": []})
    assert lacking is not None and "lacks the required member" in lacking


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
