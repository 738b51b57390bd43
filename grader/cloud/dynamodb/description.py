"""What moto leaves out of definitions: their rules, and what DescribeTable tells beside them.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from grader.cloud.dynamodb.items import item_bytes
from grader.cloud.dynamodb.requests import Params, invalid
from grader.cloud.dynamodb.store import Store
from grader.cloud.dynamodb.stream import Stream


def check_definition(params: Params) -> None:
    """ServiceError for keys and indexes of CreateTable's parameters that do not go together.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
    """
    local = params.get("LocalSecondaryIndexes") or []
    indexes = [*(params.get("GlobalSecondaryIndexes") or []), *local]
    for keys in [params["KeySchema"], *(index["KeySchema"] for index in indexes)]:
        if keys[0]["KeyType"] != "HASH":
            raise invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    wrong = "One or more parameter values were invalid: "
    for index in local:
        keys, name = index["KeySchema"], index["IndexName"]
        if keys[0]["AttributeName"] != params["KeySchema"][0]["AttributeName"]:
            raise invalid(
                f"{wrong}Index KeySchema does not have the same leading hash key as table "
                f"KeySchema for index: {name}"
            )
        if [key["KeyType"] for key in keys] != ["HASH", "RANGE"]:
            raise invalid(f"{wrong}Index KeySchema does not have a range key for index: {name}")
    names = [index["IndexName"] for index in indexes]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"{wrong}Duplicate index name: {name}")


def with_definitions(params: dict[str, Any], table: Any) -> dict[str, Any]:
    """UpdateTable's parameters with the attributes that the table has defined already.

    moto would take those of the request for all that there are, and lose the table's own keys.
    """
    given = params.get("AttributeDefinitions")
    if not given or table is None:
        return params
    names = {one["AttributeName"] for one in given}
    kept = [one for one in table.attr if one["AttributeName"] not in names]
    return {**params, "AttributeDefinitions": [*kept, *given]}


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
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        for index in description.get(kind) or ():
            index["IndexArn"] = f"{description['TableArn']}/index/{index['IndexName']}"
    if stream is None:
        return
    description["LatestStreamArn"] = stream.arn
    description["LatestStreamLabel"] = stream.label
    if stream.disabled_ms is None:
        description["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream.view}
