"""Pages of a Query or Scan, legacy parameters, and reads that lag behind a write.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html
"""

from __future__ import annotations

from typing import Any

import pytest
from table_stand_in import account_with, function_client, key

from grader.cloud.aws import ServiceError
from grader.cloud.dynamodb.staleness import LAG_MS

MINE: dict[str, Any] = {
    "TableName": "Orders",
    "KeyConditionExpression": "merchant = :m",
    "ExpressionAttributeValues": {":m": {"S": "acme"}},
}


def filled(account: Any, count: int, size: int = 1) -> None:
    for number in range(count):
        item = {**key("acme", f"o-{number:04}"), "n": {"N": str(number)}, "x": {"S": "y" * size}}
        account.call("dynamodb", "PutItem", TableName="Orders", Item=item)


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["id"]["S"] for item in answer["Items"]]


# -- pages -----------------------------------------------------------------------------------


def test_a_limit_that_is_met_exactly_has_a_key_to_go_on_from() -> None:
    """B3: even when nothing follows; the next page is empty and the last."""
    with account_with() as account:
        filled(account, 3)
        page = account.call("dynamodb", "Query", **MINE, Limit=3)
        assert page["LastEvaluatedKey"] == key("acme", "o-0002")
        page = account.call("dynamodb", "Query", **MINE, ExclusiveStartKey=page["LastEvaluatedKey"])
        assert page == {"Count": 0, "ScannedCount": 0, "Items": []}
        assert "LastEvaluatedKey" not in account.call("dynamodb", "Query", **MINE, Limit=4)


def test_the_item_that_crosses_a_megabyte_belongs_to_its_page() -> None:
    """B3."""
    with account_with() as account:
        filled(account, 5, size=400_000)
        page = account.call("dynamodb", "Query", **MINE)
        assert ids(page) == ["o-0000", "o-0001", "o-0002"]
        rest = account.call("dynamodb", "Query", **MINE, ExclusiveStartKey=page["LastEvaluatedKey"])
        assert ids(rest) == ["o-0003", "o-0004"]
        assert "LastEvaluatedKey" not in rest


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("forward", [True, False])
def test_pages_of_a_query_join_to_all_of_it_in_order(limit: int, forward: bool) -> None:
    with account_with() as account:
        filled(account, 7)
        found: list[str] = []
        start: dict[str, Any] = {}
        while True:
            page = account.call(
                "dynamodb",
                "Query",
                **{**MINE, "ExpressionAttributeValues": {":m": {"S": "acme"}, ":t": {"N": "3"}}},
                FilterExpression="n <> :t",
                Limit=limit,
                ScanIndexForward=forward,
                **start,
            )
            found += ids(page)
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        expected = [f"o-{number:04}" for number in range(7) if number != 3]
        assert found == (expected if forward else expected[::-1])


@pytest.mark.parametrize("segments", [1, 2, 3, 8])
def test_the_segments_of_a_scan_are_its_items_each_once(segments: int) -> None:
    with account_with() as account:
        for number in range(40):
            account.put("Seen", {"id": f"e-{number}"})
        found = []
        for segment in range(segments):
            start: dict[str, Any] = {}
            while True:
                page = account.call(
                    "dynamodb",
                    "Scan",
                    TableName="Seen",
                    Segment=segment,
                    TotalSegments=segments,
                    Limit=3,
                    **start,
                )
                found += ids(page)
                if "LastEvaluatedKey" not in page:
                    break
                start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        assert sorted(found) == sorted(f"e-{number}" for number in range(40))


def test_one_odd_item_does_not_end_a_scan() -> None:
    """C1: a text where numbers stand compares to nothing."""
    with account_with() as account:
        for number, value in enumerate([{"N": "1"}, {"S": "one"}, {"L": []}, {"NULL": True}]):
            account.call(
                "dynamodb",
                "PutItem",
                TableName="Numbers",
                Item={"n": {"N": str(number)}, "x": value},
            )
        answer = account.call(
            "dynamodb",
            "Scan",
            TableName="Numbers",
            FilterExpression="x < :two",
            ExpressionAttributeValues={":two": {"N": "2"}},
        )
        assert answer["ScannedCount"] == 4
        assert answer["Items"] == [{"n": {"N": "0"}, "x": {"N": "1"}}]


# -- legacy parameters -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "met"),
    [
        ({"n": {"Value": {"N": "1"}}}, True),
        ({"n": {"Value": {"N": "2"}}}, False),
        ({"n": {"Exists": False}}, False),
        ({"q": {"Exists": False}}, True),
        ({"n": {"ComparisonOperator": "GE", "AttributeValueList": [{"N": "1"}]}}, True),
        (
            {"n": {"ComparisonOperator": "IN", "AttributeValueList": [{"N": "2"}, {"N": "3"}]}},
            False,
        ),
        (
            {
                "n": {
                    "ComparisonOperator": "BETWEEN",
                    "AttributeValueList": [{"N": "0"}, {"N": "3"}],
                }
            },
            True,
        ),
        ({"q": {"ComparisonOperator": "NE", "AttributeValueList": [{"N": "2"}]}}, True),
        ({"q": {"ComparisonOperator": "NOT_NULL"}}, False),
        ({"q": {"ComparisonOperator": "NULL"}}, True),
        ({"x": {"ComparisonOperator": "BEGINS_WITH", "AttributeValueList": [{"S": "y"}]}}, True),
        ({"x": {"ComparisonOperator": "NOT_CONTAINS", "AttributeValueList": [{"S": "z"}]}}, True),
        ({"n": {"Value": {"N": "2"}}, "x": {"Value": {"S": "y"}}}, False),
    ],
)
def test_expected_is_a_condition(expected: dict[str, Any], met: bool) -> None:
    """C4. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html"""
    with account_with() as account:
        filled(account, 2)
        params = {"TableName": "Orders", "Key": key("acme", "o-0001"), "Expected": expected}
        if met:
            assert account.call("dynamodb", "DeleteItem", **params) == {}
            return
        with pytest.raises(ServiceError) as failure:
            account.call("dynamodb", "DeleteItem", **params)
        assert failure.value.code == "ConditionalCheckFailedException"


def test_attribute_updates_are_an_update_and_key_conditions_a_query() -> None:
    """C4."""
    with account_with() as account:
        filled(account, 3)
        account.call(
            "dynamodb",
            "UpdateItem",
            TableName="Orders",
            Key=key("acme", "o-0001"),
            AttributeUpdates={
                "n": {"Action": "ADD", "Value": {"N": "9"}},
                "x": {"Action": "DELETE"},
                "y": {"Value": {"S": "new"}},
            },
        )
        page = account.call(
            "dynamodb",
            "Query",
            TableName="Orders",
            KeyConditions={
                "merchant": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "acme"}]},
                "id": {"ComparisonOperator": "GT", "AttributeValueList": [{"S": "o-0000"}]},
            },
            QueryFilter={"n": {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "5"}]}},
        )
        assert page["Items"] == [{**key("acme", "o-0001"), "n": {"N": "10"}, "y": {"S": "new"}}]


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"Expected": {"n": {}}}, "Value must be provided when Exists is null"),
        ({"Expected": {"n": {"Exists": False, "Value": {"N": "1"}}}}, "Value cannot be used when"),
        ({"Expected": {"n": {"ComparisonOperator": "EQ"}}}, "Value or AttributeValueList must be"),
        (
            {"Expected": {"n": {"ComparisonOperator": "LT", "AttributeValueList": [{"L": []}]}}},
            "is not valid for L",
        ),
        ({"ConditionalOperator": "AND"}, "cannot be used without Filter or Expected"),
        (
            {"ConditionalOperator": "OR", "Expected": {"n": {"Exists": False}}},
            "two or more elements",
        ),
    ],
)
def test_legacy_parameters_are_refused_in_awss_words(params: Any, sentence: str) -> None:
    with account_with() as account, pytest.raises(ServiceError) as refusal:
        account.call("dynamodb", "DeleteItem", TableName="Orders", Key=key("a", "b"), **params)
    assert refusal.value.code == "ValidationException"
    assert sentence in refusal.value.message


# -- eventually consistent reads -------------------------------------------------------------


def seen(account: Any, client: Any, reads: int, **how: Any) -> list[bool]:
    """For each of so many reads right after a write: whether it saw it."""
    found = []
    for number in range(reads):
        account.put("Seen", {"id": f"e-{number}"})
        account.clock.run_for(5)
        answer = client.get_item(TableName="Seen", Key={"id": {"S": f"e-{number}"}}, **how)
        found.append("Item" in answer)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_some_reads_of_a_function_miss_a_write_and_the_seed_says_which(seed: int) -> None:
    """Always the same ones; with ConsistentRead none does."""
    runs = []
    for _ in range(2):
        with account_with(seed=seed) as account:
            runs.append(seen(account, function_client(account, "dynamodb"), 60))
    assert runs[0] == runs[1]
    assert 5 <= runs[0].count(False) <= 30
    with account_with(seed=seed) as account:
        client = function_client(account, "dynamodb")
        assert all(seen(account, client, 60, ConsistentRead=True))


@pytest.mark.parametrize("seed", range(3))
def test_a_second_later_every_read_sees_the_write(seed: int) -> None:
    """The choice of this emulator: AWS says "a short time"."""
    with account_with(seed=seed) as account:
        client = function_client(account, "dynamodb")
        for number in range(40):
            account.put("Seen", {"id": f"e-{number}"})
            account.clock.run_for(LAG_MS)
            assert "Item" in client.get_item(TableName="Seen", Key={"id": {"S": f"e-{number}"}})


def test_the_judge_reads_the_newest_whatever_the_play() -> None:
    """Criteria, fixture and console are no function: neither calls nor clients of theirs lag."""
    with account_with() as account:
        now = account.clock.now
        account.stale_reads(now, now + 10_000)
        account.put("Seen", {"id": "e-1"})
        assert account.item("Seen", {"id": "e-1"}) == {"id": "e-1"}
        assert "Item" in account.client("dynamodb").get_item(
            TableName="Seen", Key={"id": {"S": "e-1"}}
        )
        assert account.items("Seen") == [{"id": "e-1"}]


def test_a_play_makes_the_stale_read_certain_and_nothing_else_lags() -> None:
    """Reads of every kind see the state of a second ago; conditions and transactions do not."""
    with account_with() as account:
        client = function_client(account, "dynamodb", takes_time=True)
        item = {**key("acme", "o-1"), "status": {"S": "old"}}
        account.call("dynamodb", "PutItem", TableName="Orders", Item=item)
        account.clock.run_for(10_000)
        now = account.clock.now
        account.stale_reads(now, now + 2_000, table="Orders")
        fresh = {**item, "status": {"S": "new"}}
        client.put_item(TableName="Orders", Item=fresh)
        client.put_item(TableName="Orders", Item={**fresh, **key("acme", "o-2")})

        where = {"TableName": "Orders", "Key": key("acme", "o-1")}
        assert client.get_item(**where)["Item"] == item
        assert client.query(**MINE)["Items"] == [item]
        assert client.scan(TableName="Orders")["Items"] == [item]
        batch = client.batch_get_item(RequestItems={"Orders": {"Keys": [key("acme", "o-1")]}})
        assert batch["Responses"]["Orders"] == [item]
        by_status = {
            "IndexName": "by-status",
            "KeyConditionExpression": "#s = :s",
            "ExpressionAttributeNames": {"#s": "status"},
            "ExpressionAttributeValues": {":s": {"S": "new"}},
        }
        assert client.query(**{**MINE, **by_status})["Items"] == []

        assert client.get_item(**where, ConsistentRead=True)["Item"] == fresh
        assert client.query(**MINE, ConsistentRead=True)["Count"] == 2
        got = client.transact_get_items(TransactItems=[{"Get": where}])
        assert got["Responses"][0]["Item"] == fresh
        client.update_item(
            **where,
            UpdateExpression="REMOVE q",
            ConditionExpression="#s = :s",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":s": {"S": "new"}},
        )
        account.clock.run_for(2_000)
        assert client.get_item(**where)["Item"] == fresh
        assert client.query(**{**MINE, **by_status})["Count"] == 2


def test_a_deletion_is_seen_late_too() -> None:
    with account_with() as account:
        client = function_client(account, "dynamodb")
        account.put("Seen", {"id": "e-1"})
        account.clock.run_for(10_000)
        account.stale_reads(account.clock.now, account.clock.now + 500)
        account.delete("Seen", {"id": "e-1"})
        assert "Item" in client.get_item(TableName="Seen", Key={"id": {"S": "e-1"}})
        assert client.scan(TableName="Seen")["Count"] == 1
        account.clock.run_for(LAG_MS)
        assert client.scan(TableName="Seen")["Count"] == 0
