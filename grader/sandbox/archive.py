"""A sandbox's account in one file: kept when it ends, handed out, taken up again.

The file is a zip: ``account.json`` (``labs/account/v1``), the functions' code below ``code/``, the
objects of buckets below ``objects/``. It is data only. What comes from somebody else is read as
a hand-in is: members are judged by name and size, the document is bounded and may be wrong in any
way, and code is never run here: functions run it, in their isolation.

Virtual time goes on where it stood. What ran when the account was kept is lost, as in a crash: its
batches are delivered again.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from grader.classroom.archives import source
from grader.classroom.members import (
    Budget,
    Hostile,
    Member,
    parts,
    path_fault,
    require_distinct,
)
from grader.classroom.private import write_private
from grader.cloud import Cloud, Refused
from grader.cloud.account import delete_table
from grader.cloud.aws import ServiceError
from grader.cloud.cloudwatch import Transition
from grader.cloud.dynamodb import Stream
from grader.cloud.function import FunctionHost
from grader.cloud.metrics import dimensions
from grader.cloud.scratch import Scratch
from grader.course.files import UsageError, shown
from grader.sandbox.world import World

SCHEMA = "labs/account/v1"
DOCUMENT = "account.json"
MOST_DOCUMENT = 64 * 1024 * 1024
MOST_UNPACKED, MOST_ENTRIES = 256 * 1024 * 1024, 5_000
MOST_LOG_LINES = 1_000
# No moment of a kept account lies behind the year 2100 (milliseconds since 1970).
LATEST_MS = 4_102_444_800_000
_MEMBERS = ("memory_mb", "timeout_ms", "handler", "runtime", "role", "environment")
_QUEUE = ("VisibilityTimeout", "MessageRetentionPeriod", "DelaySeconds", "RedrivePolicy")
_TABLE = ("TableName", "KeySchema", "AttributeDefinitions")
_INDEX = ("IndexName", "KeySchema", "Projection")
# What a document that says something else than ours raises while it is taken up.
_NONSENSE = (
    KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError,
    AssertionError, LookupError,
)  # fmt: skip


# -- keeping -------------------------------------------------------------------------------------


def save(world: World, file: Path) -> None:
    """Write the account into ``file``, which only its owner can read."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        document, objects = _document(world)
        archive.writestr(DOCUMENT, json.dumps(document))
        for number, body in enumerate(objects):
            archive.writestr(f"objects/{number}", body)
        for name, host in world.cloud.functions.items():
            if not isinstance(host, FunctionHost):
                continue  # a stand-in has no code
            for path in sorted(host.spec.code.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    inside = path.relative_to(host.spec.code).as_posix()
                    archive.write(path, f"code/{name}/{inside}")
    write_private(file.absolute(), packed.getvalue())


def _document(world: World) -> tuple[dict[str, Any], list[bytes]]:
    """What is kept, and the objects of buckets that it counts."""
    cloud, account = world.cloud, world.cloud.account
    cloud.mappings.flush()
    world.alarms.look()
    objects: list[bytes] = []
    buckets: dict[str, dict[str, int]] = {}
    for name in account.buckets.names:
        found = account.objects(name)
        buckets[name] = {key: len(objects) + number for number, key in enumerate(found)}
        objects += found.values()
    return {
        "schema": SCHEMA,
        "now_ms": cloud.clock.now,
        "stacks": [
            {
                "name": one.stack.name,
                "body": one.body,
                "parameters": {
                    name: ",".join(text) if isinstance(text, list) else str(text)
                    for name, text in one.stack.parameters.items()
                },
                "created_ms": one.created_ms,
                "changed_ms": one.changed_ms,
                "status": one.status,
            }
            for one in cloud.stacks.values()
        ],
        "tables": [_kept_table(world, name) for name in account.tables.names()],
        "streams": [one.document() for one in account.streams.values()],
        "queues": [_kept_queue(world, name) for name in account.queues.arns],
        "buckets": buckets,
        "functions": {
            name: {member: getattr(host.spec, member) for member in _MEMBERS}
            for name, host in cloud.functions.items()
        },
        "reserved": {
            name: count
            for name in cloud.functions
            if (count := cloud.concurrency.reserved(name)) is not None
        },
        "account_limit": cloud.concurrency.account_limit,
        "mappings": [_kept_mapping(world, uuid) for uuid in cloud.mappings.uuids()],
        "alarms": cloud.alarms,
        "alarm_states": world.alarms.states,
        "alarm_changes": [
            [one.time_ms, one.alarm, one.old, one.new, one.reason] for one in world.alarms.history
        ],
        "budgets": world.budgets,
        "metrics": [
            {
                "metric": [key.namespace, key.name, dict(key.dimensions), key.unit],
                "data": [
                    [one.time_ms, one.value, one.count, one.arrived_ms]
                    for one in cloud.metrics.data(key)
                ],
            }
            for key in cloud.metrics
        ],
        "logs": {
            group: account.logs.lines(group)[-MOST_LOG_LINES:] for group in account.logs.groups
        },
    }, objects


def _kept_table(world: World, name: str) -> dict[str, Any]:
    account = world.cloud.account
    told = account.call("dynamodb", "DescribeTable", TableName=name)["Table"]
    definition: dict[str, Any] = {member: told[member] for member in _TABLE}
    definition["BillingMode"] = "PAY_PER_REQUEST"
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        if told.get(kind):
            definition[kind] = [{part: one[part] for part in _INDEX} for one in told[kind]]
    return {"definition": definition, "items": account.raw_items(name)}


def _kept_queue(world: World, name: str) -> dict[str, Any]:
    account = world.cloud.account
    told = account.call("sqs", "GetQueueAttributes", QueueUrl=name, AttributeNames=["All"])
    attributes = told["Attributes"]
    return {
        "name": name,
        "attributes": {one: attributes[one] for one in _QUEUE if one in attributes},
        "messages": [one.body for one in account.messages(name)],
    }


def _kept_mapping(world: World, uuid: str) -> dict[str, Any]:
    mapping = world.cloud.mappings.mapping(uuid)
    request = {
        **mapping.settings.describe(),
        "Enabled": mapping.settings.enabled,
        "EventSourceArn": mapping.stream.arn,
        "FunctionName": mapping.function.arn,
    }
    return {"uuid": uuid, "request": request, "positions": mapping.positions()}


# -- taking up -----------------------------------------------------------------------------------


class Kept:
    """A kept account, read and judged; close it, or use it in a `with`. UsageError."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stack = ExitStack()
        self._code: dict[str, Path] = {}
        self._objects: dict[str, bytes] = {}
        try:
            with source(file) as members:
                self.document = self._read(members)
            self.now_ms = int(self.document["now_ms"])
            if not 0 < self.now_ms < LATEST_MS:
                raise ValueError(self.now_ms)
        except Hostile as why:
            self.close()
            raise self._unusable(str(why)) from None
        except _NONSENSE as error:
            self.close()
            raise self._unusable(f"is no kept account ({type(error).__name__})") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Kept:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget the code of functions; what has been taken up stays."""
        self._stack.close()

    def _unusable(self, why: str) -> UsageError:
        return UsageError(f"{shown(self._file)} {why}, so it was not loaded.")

    def _read(self, members: list[Member]) -> dict[str, Any]:
        budget = Budget(MOST_ENTRIES, MOST_UNPACKED)
        document: Any = None
        folder = self._stack.enter_context(Scratch())
        require_distinct(one.path for one in members)
        for one in members:
            budget.spend(entries=1, unpacked=one.size)
            fault = one.fault or path_fault(one.path)
            if fault is not None:
                raise Hostile(fault)
            names = parts(one.path)
            if names == [DOCUMENT]:
                if one.size > MOST_DOCUMENT:
                    raise Hostile(f"holds a document of more than {MOST_DOCUMENT >> 20} MB")
                document = json.loads(one.read().decode("utf-8"))
            elif names[0] == "objects" and len(names) == 2:
                self._objects[names[1]] = one.read()
            elif names[0] == "code" and len(names) > 2:
                place = folder.joinpath(*names[1:])
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(one.read())
                self._code[names[1]] = folder / names[1]
            else:
                raise Hostile(f"holds {names[0]!r}, which is no part of a kept account")
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise Hostile(f"is no kept account: {DOCUMENT} must say {SCHEMA}")
        return document

    def take_up(self, cloud: Cloud) -> World:
        """Bring everything back into a fresh account whose time is ``now_ms``. UsageError."""
        try:
            return self._taken_up(cloud)
        except (Refused, ServiceError) as refused:
            raise self._unusable(f"cannot be brought back: {refused}") from None
        except _NONSENSE as error:
            raise self._unusable(f"is no kept account ({type(error).__name__})") from None

    def _taken_up(self, cloud: Cloud) -> World:
        told = self.document
        self._data(cloud)
        for one in told["mappings"]:
            cloud.mappings.bring_back(
                one["request"],
                uuid=str(one["uuid"]),
                resume_at={str(shard): int(at) for shard, at in one["positions"].items()},
            )
        for series in told["metrics"]:
            namespace, name, dims, unit = series["metric"]
            where = dimensions({str(one): str(text) for one, text in dims.items()})
            for time_ms, value, count, arrived_ms in series["data"]:
                cloud.metrics.put(
                    str(namespace),
                    str(name),
                    float(value),
                    int(time_ms),
                    unit=str(unit),
                    dims=where,
                    count=float(count),
                    arrived_ms=int(arrived_ms),
                )
        for name, members in told["alarms"].items():
            cloud.alarms[str(name)] = dict(members)
        world = World(cloud)
        world.budgets.update(told["budgets"])
        world.alarms.go_on(
            {str(name): state for name, state in told["alarm_states"].items()},
            [Transition(int(at), str(name), old, new, str(why))
             for at, name, old, new, why in told["alarm_changes"]],
        )  # fmt: skip
        return world

    def _data(self, cloud: Cloud) -> None:
        """Stacks, tables with items, streams, queues, buckets, functions as they were."""
        told, account = self.document, cloud.account
        for stack in told["stacks"]:
            cloud.bring_back(str(stack["body"]), stack, self._code)
        for name in set(account.tables.names()) - set(_names(told["tables"])):
            delete_table(account, name)
        for one in told["tables"]:
            name = str(one["definition"]["TableName"])
            if name not in account.tables.names():
                account.tables.create(one["definition"], None, False)
            account.tables.fill(name, one["items"])
        account.take_streams(
            Stream.restored(
                one, region=account.region, account_id=account.account_id, seed=account.seed
            )
            for one in told["streams"]
        )
        for one in told["queues"]:
            if one["name"] not in account.queues.arns:
                account.queues.create(str(one["name"]), dict(one["attributes"]))
            for body in one["messages"]:
                account.queues.send(one["name"], str(body))
        for bucket, keys in told["buckets"].items():
            if bucket not in account.buckets.names:
                account.buckets.create(bucket)
            for key, number in keys.items():
                account.buckets.put(bucket, str(key), self._objects[str(number)])
        for name, spec in told["functions"].items():
            cloud.configure_function(name, _as_members(spec))
        for name in cloud.functions:
            cloud.concurrency.release_reservation(name)
        for name, count in told["reserved"].items():
            cloud.concurrency.reserve(name, int(count))
        cloud.concurrency.account_limit = int(told["account_limit"])
        self._lines(cloud)

    def _lines(self, cloud: Cloud) -> None:
        """The last lines of logs, stream by stream."""
        logs = cloud.account.logs
        for group, lines in self.document["logs"].items():
            if group not in logs.groups:
                logs.create(group, None)
            streams: dict[str, list[dict[str, Any]]] = {}
            for time_ms, stream, message in lines[-MOST_LOG_LINES:]:
                event = {"timestamp": int(time_ms), "message": str(message)}
                streams.setdefault(str(stream), []).append(event)
            for stream, events in streams.items():
                place = {"logGroupName": group, "logStreamName": stream}
                logs.answer("CreateLogStream", place)
                logs.answer("PutLogEvents", {**place, "logEvents": events})


def _names(tables: Any) -> Iterator[str]:
    for one in tables:
        yield str(one["definition"]["TableName"])


def _as_members(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What was kept of a function, by Lambda's names."""
    return {
        "MemorySize": int(spec["memory_mb"]),
        "Timeout": int(spec["timeout_ms"]) // 1000,
        "Handler": str(spec["handler"]),
        "Runtime": str(spec["runtime"]),
        "Role": str(spec["role"]),
        "Environment": {"Variables": dict(spec["environment"])},
    }
