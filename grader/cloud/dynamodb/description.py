"""What moto leaves out of a table's description.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from grader.cloud.dynamodb.items import item_bytes
from grader.cloud.dynamodb.store import Store
from grader.cloud.dynamodb.stream import Stream


def complete(
    description: dict[str, Any], store: Store, stream: Stream | None, on_demand_ms: int | None
) -> None:
    """Add a table's items, its stream, its id and when it last became an on-demand table.

    The id belongs to this table alone: one of the same name that is made later has another.
    """
    items = store.items()
    description["ItemCount"] = len(items)
    description["TableSizeBytes"] = sum(map(item_bytes, items))
    made = f"{description['TableArn']} {description['CreationDateTime']}"
    description["TableId"] = str(uuid.uuid5(uuid.NAMESPACE_URL, made))
    if on_demand_ms is not None:
        since = datetime.fromtimestamp(on_demand_ms / 1000, UTC)
        description["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] = since
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        for index in description.get(kind) or ():
            index["IndexArn"] = f"{description['TableArn']}/index/{index['IndexName']}"
            of_index = store.schema.indexes[index["IndexName"]]
            entries = [entry for item in items if (entry := of_index.entry(item)) is not None]
            index["ItemCount"] = len(entries)
            index["IndexSizeBytes"] = sum(map(item_bytes, entries))
    if stream is None:
        return
    description["LatestStreamArn"] = stream.arn
    description["LatestStreamLabel"] = stream.label
    if stream.disabled_ms is None:
        description["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream.view}


# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html, its example,
# and what is recorded beside it.
_OF_DELETED = (
    *("TableName", "TableArn", "TableId", "ItemCount", "TableSizeBytes", "BillingModeSummary"),
    *("ProvisionedThroughput", "DeletionProtectionEnabled"),
)


def deleted(description: dict[str, Any]) -> dict[str, Any]:
    """DeleteTable's answer: less than DescribeTable told of the table, no keys and no indexes."""
    kept = {name: description[name] for name in _OF_DELETED if name in description}
    return {"TableDescription": {**kept, "TableStatus": "DELETING"}}
