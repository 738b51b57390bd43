"""An account with three tables and two indexes, as the tests of this folder want it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "account"))

from account_stand_in import deployed, function_client, table

__all__ = ["account_with", "function_client", "index", "items_of", "key"]


def index(name: str, hash_key: str, range_key: str | None = None, how: str = "KEYS_ONLY") -> Any:
    keys = [{"AttributeName": hash_key, "KeyType": "HASH"}]
    if range_key:
        keys.append({"AttributeName": range_key, "KeyType": "RANGE"})
    return {"IndexName": name, "KeySchema": keys, "Projection": {"ProjectionType": how}}


def key(merchant: str, order: str) -> dict[str, Any]:
    return {"merchant": {"S": merchant}, "id": {"S": order}}


def account_with(**options: Any) -> Any:
    """Orders (merchant, id; by-status, by-time), Seen (id) and Numbers (n: N), an account's."""
    orders = table(
        "Orders",
        "merchant",
        "id",
        stream="NEW_AND_OLD_IMAGES",
        GlobalSecondaryIndexes=[index("by-status", "status")],
        LocalSecondaryIndexes=[index("by-time", "merchant", "at", "ALL")],
    )
    orders.properties["AttributeDefinitions"] += [
        {"AttributeName": "status", "AttributeType": "S"},
        {"AttributeName": "at", "AttributeType": "N"},
    ]
    return deployed(orders, table("Seen", "id"), table("Numbers", "n", kinds={"n": "N"}), **options)


def items_of(account: Any, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = account.raw_items(name)
    return found
