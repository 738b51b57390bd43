"""The handlers of docs/what-streams-are-for.md, with records of all kinds, repeated and late."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from account_stand_in import EVERYTHING, deployed, function_client, table

DOCS = Path(__file__).resolve().parents[3] / "docs"
ORDER = json.dumps({"id": {"S": "order#1"}, "merchant": {"S": "acme"}}, sort_keys=True)
CART = json.dumps({"id": {"S": "cart#1"}, "merchant": {"S": "acme"}}, sort_keys=True)


@pytest.fixture(scope="module", name="handlers")
def _handlers() -> dict[str, Any]:
    """Every Python block of the page, in one namespace."""
    text = (DOCS / "what-streams-are-for.md").read_text("utf-8")
    found: dict[str, Any] = {"json": json}
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
        exec(compile(block, "what-streams-are-for.md", "exec"), found)
    return found


@pytest.fixture(scope="module", name="records")
def _records() -> list[dict[str, Any]]:
    """INSERT, MODIFY, REMOVE, and the REMOVE of Time to Live, from the page with samples."""
    text = (DOCS / "reference" / "sample-events.md").read_text("utf-8")
    found = [json.loads(one) for one in re.findall(r"^```json\n(.*?)^```$", text, re.M | re.S)]
    assert [one["eventName"] for one in found] == ["INSERT", "MODIFY", "REMOVE", "REMOVE"]
    assert found[3]["userIdentity"]["principalId"] == "dynamodb.amazonaws.com"
    return found


@pytest.fixture(name="client")
def _client() -> Iterator[Any]:
    tables = (table("Orders", "merchant", "id"), table("OrdersCopy", "merchant", "id"))
    with deployed(*tables) as account:
        yield function_client(account, "dynamodb", EVERYTHING)


def test_a_copy_keeps_what_is_newer(handlers: Any, records: Any, client: Any) -> None:
    """A late record neither puts an old state back nor brings a removed item back."""
    key = records[0]["dynamodb"]["Keys"]
    handlers["replicate"]([records[0], records[1], records[1], records[0]], client)
    copied = client.get_item(TableName="OrdersCopy", Key=key, ConsistentRead=True)["Item"]
    assert copied["status"] == {"S": "shipped"}
    handlers["replicate"]([*records, *records, records[0]], client)
    copied = client.get_item(TableName="OrdersCopy", Key=key, ConsistentRead=True)["Item"]
    assert copied["removed"] == {"BOOL": True} and "status" not in copied


def test_an_index_says_what_the_table_says(handlers: Any, records: Any, client: Any) -> None:
    class Index(dict[str, Any]):
        put = dict.__setitem__

        def delete(self, key: str) -> None:
            self.pop(key, None)

    index = Index({CART: "old"})
    item = records[1]["dynamodb"]["NewImage"]
    client.put_item(TableName="Orders", Item=item)
    for batch in (records, records, records[:1]):
        handlers["refresh"](batch, client, index)
    assert index == {ORDER: item}


def test_one_change_is_one_message_by_name(handlers: Any, records: Any) -> None:
    sent = list(handlers["messages"]([*records, *records, records[0]]))
    assert sent == [{"name": records[1]["eventID"], "order": "order#1"}] * 2
