"""Write units as DynamoDB counts them, for every kind of write that function code can make.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

from typing import Any

import pytest
from account_stand_in import deployed, table
from botocore.exceptions import ClientError


@pytest.fixture(name="account")
def _account() -> Any:
    with deployed(table("Totals", "id")) as account:
        yield account


def _units(account: Any) -> list[tuple[str, int, bool]]:
    return [(one.key["id"]["S"], one.units, one.stored) for one in account.tables.writes]


def _item(key: str, size: int) -> dict[str, Any]:
    """An item of exactly ``size`` bytes: 2 + key, 1 + text."""
    return {"id": {"S": key}, "x": {"S": "y" * (size - 3 - len(key))}}


def test_a_put_is_a_unit_for_each_started_kilobyte(account: Any) -> None:
    client = account.client("dynamodb")
    for key, size in (("a", 1024), ("b", 1025), ("c", 3000)):
        client.put_item(TableName="Totals", Item=_item(key, size))
    assert _units(account) == [("a", 1, True), ("b", 2, True), ("c", 3, True)]


def test_an_update_and_a_deletion_count_the_larger_of_before_and_after(account: Any) -> None:
    client = account.client("dynamodb")
    client.put_item(TableName="Totals", Item=_item("a", 2500))
    client.update_item(
        TableName="Totals",
        Key={"id": {"S": "a"}},
        UpdateExpression="SET x = :x",
        ExpressionAttributeValues={":x": {"S": "short"}},
    )
    client.delete_item(TableName="Totals", Key={"id": {"S": "a"}})
    assert _units(account) == [("a", 3, True), ("a", 3, True), ("a", 1, True)]


def test_a_transaction_counts_twice_and_a_cancelled_one_too(account: Any) -> None:
    client = account.client("dynamodb")
    put = {
        "TableName": "Totals",
        "Item": _item("a", 1500),
        "ConditionExpression": "attribute_not_exists(id)",
    }
    add = {
        "TableName": "Totals",
        "Key": {"id": {"S": "sum"}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    parts = [{"Put": put}, {"Update": add}]
    client.transact_write_items(TransactItems=parts)
    with pytest.raises(ClientError):
        client.transact_write_items(TransactItems=parts)
    assert _units(account) == [
        *[("a", 4, True), ("sum", 2, True)],
        *[("a", 4, False), ("sum", 2, False)],
    ]


def test_a_write_whose_condition_fails_consumes_and_a_refused_one_does_not(account: Any) -> None:
    client = account.client("dynamodb")
    client.put_item(TableName="Totals", Item=_item("a", 2000))
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        client.put_item(
            TableName="Totals",
            Item=_item("a", 100),
            ConditionExpression="attribute_not_exists(id)",
        )
    with pytest.raises(ClientError, match="ValidationException"):
        client.put_item(TableName="Totals", Item={"other": {"S": "a"}})
    assert _units(account) == [("a", 2, True), ("a", 2, False)]


def test_a_batch_counts_each_of_its_items(account: Any) -> None:
    account.client("dynamodb").batch_write_item(
        RequestItems={
            "Totals": [{"PutRequest": {"Item": _item(key, 1100)}} for key in ("a", "b", "c")]
        }
    )
    assert _units(account) == [("a", 2, True), ("b", 2, True), ("c", 2, True)]
