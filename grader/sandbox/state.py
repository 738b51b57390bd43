"""How an account stands, as data for who looks at it: ``labs/sandbox/v1``.

Times are virtual milliseconds. Names are those of clients: physical names, and logical ids beside
them where a stack made the resource.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from grader.cloud.metrics import dimensions
from grader.sandbox.world import Asked, World

LAST_REQUESTS, LAST_LINES, LAST_CHANGES = 50, 40, 50
RECENT_MS = 15 * 60_000


def state(world: World, asked: Sequence[Asked]) -> dict[str, Any]:
    """Everything but the time; whoever calls has looked at the alarms."""
    cloud = world.cloud
    cloud.mappings.flush()
    return {
        "stacks": [
            {"name": one.stack.name, "status": one.status, "changed_ms": one.changed_ms}
            for one in cloud.stacks.values()
        ],
        "tables": [_table(world, name) for name in cloud.account.tables.names()],
        "functions": [_function(world, name) for name in cloud.functions],
        "mappings": [_mapping(world, uuid) for uuid in cloud.mappings.uuids()],
        "queues": [
            {"name": name, "logical_id": _logical(world, name), "messages": _waiting(world, name)}
            for name in cloud.account.queues.arns
        ],
        "topics": [
            {"name": one.name, "published": len(one.published)}
            for one in cloud.account.topics.by_arn.values()
        ],
        "alarms": [
            {
                "name": name,
                "logical_id": _logical(world, name),
                "kind": kind,
                "state": world.alarms.states[name],
                "since_ms": round(world.alarms.described(name)["StateUpdatedTimestamp"] * 1000),
                "reason": world.alarms.described(name)["StateReason"],
            }
            for name, (kind, _) in world.alarms.members().items()
        ],
        "alarm_changes": [
            {"time_ms": one.time_ms, "name": one.alarm, "old": one.old, "new": one.new}
            for one in world.alarms.history[-LAST_CHANGES:]
        ],
        "log": _log(world),
        "remarks": [{"time_ms": one.time_ms, "sentence": one.sentence} for one in world.remarks],
        "requests": [
            {
                "number": one.number,
                "time_ms": one.virtual_ms,
                "action": one.action,
                "outcome": one.outcome,
            }
            for one in reversed(list(islice(reversed(asked), LAST_REQUESTS)))
        ],
    }


def _logical(world: World, physical: str) -> str | None:
    for known in world.cloud.stacks.values():
        for one in known.stack.resources.values():
            if one.physical_id == physical or one.physical_id.endswith("/" + physical):
                return one.logical_id
    return None


def _table(world: World, name: str) -> dict[str, Any]:
    tables = world.cloud.account.tables
    stream = tables.streams.get(name)
    return {
        "name": name,
        "logical_id": _logical(world, name),
        "items": tables.count(name),
        "stream": None if stream is None or stream.disabled_ms is not None else stream.arn,
        "shards": 0 if stream is None else len(stream.open_shards),
    }


def _function(world: World, name: str) -> dict[str, Any]:
    host, concurrency = world.cloud.functions[name], world.cloud.concurrency
    recent = [one for one in host.invocations[-1000:] if one.start_ms > world.now - RECENT_MS]
    return {
        "name": name,
        "logical_id": _logical(world, name),
        "memory_mb": host.spec.memory_mb,
        "timeout_ms": host.spec.timeout_ms,
        "reserved": concurrency.reserved(name),
        "running": concurrency.running(name),
        "invocations": host.invocations.made,
        "recent": len(recent),
        "recent_errors": sum(one.result is not None and one.result.kind != "returned"
                             for one in recent),
    }  # fmt: skip


def _mapping(world: World, uuid: str) -> dict[str, Any]:
    described = world.cloud.mappings.get(uuid)
    name = described["FunctionArn"].split(":")[6]
    ages = world.cloud.metrics.find("AWS/Lambda", "IteratorAge", dimensions(FunctionName=name))
    return {
        "uuid": uuid,
        "logical_id": _logical(world, uuid),
        "function": name,
        "stream": described["EventSourceArn"],
        "state": described["State"],
        "reason": described.get("StateTransitionReason"),
        "last_result": described.get("LastProcessingResult"),
        "iterator_age_ms": ages[-1].value if ages else None,
        "iterator_age_at_ms": ages[-1].time_ms if ages else None,
    }


def _waiting(world: World, name: str) -> int:
    return len(world.cloud.account.queues.messages(name))


def _log(world: World) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = [
        {"time_ms": line.time_ms, "function": name, "text": line.text[:400]}
        for name, host in world.cloud.functions.items()
        for one in host.invocations[-10:]
        for line in one.logs
    ]
    return sorted(lines, key=lambda line: line["time_ms"])[-LAST_LINES:]
