"""What DescribeTable tells beside the definition that moto keeps.

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
    description["ItemCount"] = len(store)
    description["TableSizeBytes"] = sum(map(item_bytes, store.items()))
    made = f"{description['TableArn']} {description['CreationDateTime']}"
    description["TableId"] = str(uuid.uuid5(uuid.NAMESPACE_URL, made))
    if on_demand_ms is not None:
        since = datetime.fromtimestamp(on_demand_ms / 1000, UTC)
        description["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] = since
    if stream is None:
        return
    description["LatestStreamArn"] = stream.arn
    description["LatestStreamLabel"] = stream.label
    if stream.disabled_ms is None:
        description["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream.view}
