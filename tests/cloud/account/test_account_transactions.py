"""Transactions: all or nothing, once per token, and in the stream only when they happened."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from account_stand_in import deployed, function_client, table
from botocore.exceptions import ClientError

from grader.cloud.aws import ServiceError


@pytest.fixture(name="account")
def _account() -> Any:
    with deployed(table("Totals", "id", stream="NEW_AND_OLD_IMAGES"), table("Seen", "id")) as it:
        it.put("Totals", {"id": "acme", "n": 1})
        yield it


def mark(event: str, **more: Any) -> dict[str, Any]:
    put = {
        "TableName": "Seen",
        "Item": {"id": {"S": event}},
        "ConditionExpression": "attribute_not_exists(id)",
        **more,
    }
    return {"Put": put}


def add(amount: int, key: str = "acme") -> dict[str, Any]:
    return {
        "Update": {
            "TableName": "Totals",
            "Key": {"id": {"S": key}},
            "UpdateExpression": "ADD n :a",
            "ExpressionAttributeValues": {":a": {"N": str(amount)}},
        }
    }


def count(account: Any) -> int:
    return len(account.stream_of("Totals").shards[0].records)


def test_every_part_takes_effect_and_each_changed_item_gives_one_record(account: Any) -> None:
    account.call("dynamodb", "TransactWriteItems", TransactItems=[mark("e-1"), add(4)])
    assert account.items("Totals") == [{"id": "acme", "n": 5}]
    assert account.items("Seen") == [{"id": "e-1"}]
    assert count(account) == 2


def test_a_failed_condition_undoes_every_part_and_names_its_reason(account: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""
    account.put("Seen", {"id": "e-1", "at": 7})
    dynamodb = function_client(account, "dynamodb", takes_time=True)
    parts = [
        add(4),
        mark("e-1", ReturnValuesOnConditionCheckFailure="ALL_OLD"),
        add(1, "new"),
        {"Delete": {"TableName": "Seen", "Key": {"id": {"S": "e-0"}}}},
    ]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as failure:
        dynamodb.transact_write_items(TransactItems=parts)
    response = failure.value.response
    assert [reason["Code"] for reason in response["CancellationReasons"]] == [
        "None",
        "ConditionalCheckFailed",
        "None",
        "None",
    ]
    assert response["CancellationReasons"][1]["Item"] == {"id": {"S": "e-1"}, "at": {"N": "7"}}
    assert "[None, ConditionalCheckFailed, None, None]" in response["Error"]["Message"]
    assert account.items("Totals") == [{"id": "acme", "n": 1}]
    assert account.items("Seen") == [{"id": "e-1", "at": 7}]
    assert count(account) == 1


def test_a_part_that_cannot_be_applied_undoes_the_parts_before_it(account: Any) -> None:
    account.put("Totals", {"id": "text", "n": "many"})
    before = copy.deepcopy(account.raw_items("Totals"))
    parts = [mark("e-1"), add(4), add(1, "text"), add(1, "fresh")]
    with pytest.raises(ServiceError) as failure:
        account.call("dynamodb", "TransactWriteItems", TransactItems=parts)
    assert failure.value.code == "TransactionCanceledException"
    codes = [reason["Code"] for reason in failure.value.members["CancellationReasons"]]
    assert codes == ["None", "None", "ValidationError", "None"]
    assert account.raw_items("Totals") == before
    assert account.items("Seen") == []
    assert count(account) == 2


def test_after_a_failure_the_same_items_can_still_be_written(account: Any) -> None:
    """moto puts a copy of the table in its place; nothing here may hold on to the old one."""
    account.put("Seen", {"id": "e-1"})
    with pytest.raises(ServiceError):
        account.call("dynamodb", "TransactWriteItems", TransactItems=[add(4), mark("e-1")])
    account.call("dynamodb", "TransactWriteItems", TransactItems=[add(4), mark("e-2")])
    assert account.items("Totals") == [{"id": "acme", "n": 5}]
    assert count(account) == 2


def test_conditions_see_the_state_before_the_transaction(account: Any) -> None:
    check = {
        "ConditionCheck": {
            "TableName": "Totals",
            "Key": {"id": {"S": "acme"}},
            "ConditionExpression": "n = :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
    account.call("dynamodb", "TransactWriteItems", TransactItems=[check, mark("e-1")])
    with pytest.raises(ServiceError, match="multiple operations on one item"):
        account.call("dynamodb", "TransactWriteItems", TransactItems=[check, add(1)])


@pytest.mark.parametrize(
    "parts",
    [[], [add(1, f"k-{n}") for n in range(101)], [{**add(1), **mark("e")}]],
    ids=["none", "101", "two in one"],
)
def test_a_transaction_has_1_to_100_parts_of_one_kind_each(account: Any, parts: list[Any]) -> None:
    with pytest.raises(ServiceError) as refusal:
        account.call("dynamodb", "TransactWriteItems", TransactItems=parts)
    assert refusal.value.code == "ValidationException"


def test_a_hundred_parts_are_allowed_to_write_and_to_read(account: Any) -> None:
    """moto reads 25 at most, the limit of 2018."""
    parts = [add(1, f"k-{n}") for n in range(100)]
    account.call("dynamodb", "TransactWriteItems", TransactItems=parts)
    reads = [{"Get": {"TableName": "Totals", "Key": {"id": {"S": f"k-{n}"}}}} for n in range(100)]
    answer = account.call("dynamodb", "TransactGetItems", TransactItems=reads)
    assert len(answer["Responses"]) == 100
    assert answer["Responses"][99] == {"Item": {"id": {"S": "k-99"}, "n": {"N": "1"}}}


def test_a_token_makes_a_transaction_happen_once_for_ten_minutes(account: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""
    dynamodb = function_client(account, "dynamodb", takes_time=True)

    def transact(amount: int) -> None:
        dynamodb.transact_write_items(TransactItems=[add(amount)], ClientRequestToken="token-1")

    transact(4)
    account.clock.run_for(9 * 60_000)
    transact(4)
    assert account.items("Totals") == [{"id": "acme", "n": 5}]
    with pytest.raises(dynamodb.exceptions.IdempotentParameterMismatchException):
        transact(5)
    account.clock.run_for(60_000)
    transact(4)
    assert account.items("Totals") == [{"id": "acme", "n": 9}]
    transact(4)
    assert account.items("Totals") == [{"id": "acme", "n": 9}]


def test_a_cancelled_transaction_does_not_use_up_its_token(account: Any) -> None:
    account.put("Seen", {"id": "e-1"})
    params = {"TransactItems": [mark("e-1"), add(4)], "ClientRequestToken": "token-1"}
    dynamodb = function_client(account, "dynamodb", takes_time=True)
    with pytest.raises(ClientError):
        dynamodb.transact_write_items(**params)
    account.delete("Seen", {"id": "e-1"})
    dynamodb.transact_write_items(**params)
    assert account.items("Totals") == [{"id": "acme", "n": 5}]


def test_boto3s_own_tokens_differ_from_call_to_call(account: Any) -> None:
    dynamodb = function_client(account, "dynamodb", takes_time=True)
    dynamodb.transact_write_items(TransactItems=[add(4)])
    dynamodb.transact_write_items(TransactItems=[add(4)])
    assert account.items("Totals") == [{"id": "acme", "n": 9}]


def test_a_transaction_on_an_item_of_one_under_way_is_cancelled(account: Any) -> None:
    """Whose reason is TransactionConflict, a plain write fails with TransactionConflictException."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
    client = function_client(account, "dynamodb")
    key = {"id": {"S": "acme"}}
    update = {
        "TableName": "Totals",
        "Key": key,
        "UpdateExpression": "ADD orders :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    client.transact_write_items(TransactItems=[{"Update": update}])

    with pytest.raises(client.exceptions.TransactionCanceledException) as cancelled:
        client.transact_write_items(TransactItems=[{"Update": update}])
    with pytest.raises(client.exceptions.TransactionConflictException):
        client.update_item(**update)
    account.clock.run_for(1_000)
    client.update_item(**update)

    assert cancelled.value.response["CancellationReasons"][0]["Code"] == "TransactionConflict"
    assert account.item("Totals", {"id": "acme"})["orders"] == 2
