"""DynamoDB and its streams: items as functions see them, and the definitions of tables.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from grader.cloud.account import delete_table, outside
from grader.cloud.aws import Request, ServiceError
from grader.sandbox.world import World, answers

PAGE_TABLES = 100
_AT_ONCE = "The table is ACTIVE with the next request."


def _passed(world: World, request: Request) -> dict[str, Any]:
    return world.cloud.account.call(request.service, request.operation, **request.params)


def _fits(request: Request) -> None:
    """Refuse what does not fit the operation's input: definitions are read by nobody else."""
    if (refusal := outside(request)) is not None:
        raise refusal


def _defined(world: World, request: Request) -> dict[str, Any]:
    _fits(request)
    return _passed(world, request)


answers(
    "dynamodb",
    *("PutItem", "GetItem", "UpdateItem", "DeleteItem", "Query", "Scan"),
    *("BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems"),
)(_passed)
answers(
    "dynamodb",
    *("DescribeTable", "DescribeTimeToLive", "DescribeContinuousBackups"),
    *("TagResource", "UntagResource", "ListTagsOfResource", "DescribeLimits"),
)(_defined)
answers(
    "dynamodb",
    "UpdateTimeToLive",
    note="Expired items go within ten minutes of virtual time; AWS takes up to days.",
)(_defined)
answers(
    "dynamodb", "UpdateContinuousBackups", note="The flag is kept; there is nothing to restore."
)(_defined)
answers("dynamodb", "ListBackups", note="Only what recovery keeps of deleted tables.")(_passed)
answers("dynamodbstreams", "DescribeStream", "GetShardIterator", "GetRecords", "ListStreams")(
    _passed
)


@answers("dynamodb", "ListTables")
def _list(world: World, request: Request) -> dict[str, Any]:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ListTables.html"""
    limit = request.params.get("Limit", PAGE_TABLES)
    if not isinstance(limit, int) or not 1 <= limit <= PAGE_TABLES:
        raise _invalid(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy "
            f"constraint: Member must have value between 1 and {PAGE_TABLES}"
        )
    names = sorted(world.cloud.account.tables.names())
    start = request.params.get("ExclusiveStartTableName")
    left = [name for name in names if start is None or name > start]
    answer: dict[str, Any] = {"TableNames": left[:limit]}
    if len(left) > limit:
        answer["LastEvaluatedTableName"] = left[limit - 1]
    return answer


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)


def _view(specification: Mapping[str, Any]) -> str | None:
    """The view type that a StreamSpecification asks for; None for no stream.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_StreamSpecification.html
    """
    view = specification.get("StreamViewType")
    if not specification["StreamEnabled"]:
        if view is not None:
            raise _invalid(
                "One or more parameter values were invalid: StreamViewType should not be specified "
                "when StreamEnabled is false"
            )
        return None
    if view is None:
        raise _invalid(
            "One or more parameter values were invalid: StreamViewType must be specified when "
            "StreamEnabled is true"
        )
    return str(view)


def _described(world: World, table: str, status: str) -> dict[str, Any]:
    account = world.cloud.account
    described = account.call("dynamodb", "DescribeTable", TableName=table)["Table"]
    return {"TableDescription": {**described, "TableStatus": status}}


@answers("dynamodb", "CreateTable", note=_AT_ONCE)
def _create(world: World, request: Request) -> dict[str, Any]:
    _fits(request)
    params = copy.deepcopy(request.params)
    specification = params.pop("StreamSpecification", None)
    view = _view(specification) if specification else None
    account = world.cloud.account
    for unplayed in ("ResourcePolicy", "GlobalTableSettingsReplicationMode"):
        if unplayed in params:
            raise ServiceError("NotImplemented", f"{unplayed} is not played here.", 501)
    name = str(params.get("TableName", ""))
    account.tables.create(params, None, False)
    if view is not None:
        account.enable_stream(name, view)
    return _described(world, name, "CREATING")


@answers("dynamodb", "UpdateTable", note=_AT_ONCE + " Replicas are refused.")
def _update(world: World, request: Request) -> dict[str, Any]:
    _fits(request)
    params = dict(request.params)
    account = world.cloud.account
    if "ReplicaUpdates" in params:
        raise ServiceError("NotImplemented", "Global tables are not played here.", 501)
    try:
        name = account.tables.name_of(str(params.get("TableName", "")))
    except KeyError:
        raise ServiceError(
            "ResourceNotFoundException",
            f"Requested resource not found: Table: {params.get('TableName')} not found",
        ) from None
    specification = params.pop("StreamSpecification", None)
    if specification is not None:
        _change_stream(world, name, _view(specification))
    if specification is None or set(params) - {"TableName"}:
        account.call("dynamodb", "UpdateTable", **params)
    return _described(world, name, "UPDATING")


def _change_stream(world: World, name: str, view: str | None) -> None:
    account = world.cloud.account
    stream = account.tables.streams.get(name)
    on = stream is not None and stream.disabled_ms is None
    if view is None:
        if not on:
            raise _invalid("Table does not have a stream to disable")
        account.disable_stream(name)
        return
    if on:
        raise _invalid("Table already has an enabled stream")
    if stream is not None and stream.created_ms == world.now:
        # A stream's label is its moment: two in one millisecond would be one.
        world.cloud.run_for(1)
    account.enable_stream(name, view)


@answers("dynamodb", "DeleteTable")
def _delete(world: World, request: Request) -> dict[str, Any]:
    _fits(request)
    return delete_table(world.cloud.account, str(request.params.get("TableName", "")))
