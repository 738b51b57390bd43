"""What has happened in a running account, as the replay shows it: `document`.

A run's document may hold an afternoon, not a week: of a long one the last records and attempts are
shown, with every older record that they are about, and the story says what is left out. Requests
that changed something are the moments of the play. Whoever calls holds the sandbox's lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from grader.cloud.cloudwatch import Subscription, Transition
from grader.cloud.cloudwatch import notifications as told_of
from grader.cloud.function import FunctionHost
from grader.cloud.mapping import (
    Decided,
    Discarded,
    Ended,
    Filtered,
    Invoked,
    Journal,
    Polled,
    Settings,
    ShardStarted,
    Throttled,
    Trimmed,
)
from grader.cloud.words import counted
from grader.replay import run
from grader.replay.scene import DECIDING, Reader, Scene, Setting, Watched, by_hand, generated

if TYPE_CHECKING:
    from grader.cloud.dynamodb import Record, Stream
    from grader.cloud.function import Invocation
    from grader.cloud.template import Resource
    from grader.sandbox.world import Asked, World

MOST_RECORDS, MOST_ATTEMPTS, MOST_MOMENTS = 3_000, 1_500, 200
# What only looks, by the beginning of an operation's name, and what writes the data itself.
LOOKS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet", "Filter", "Head", "Receive")
ADDRESS = ("EventSourceArn", "StartingPosition")
DATA = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")


def document(world: World, asked: Iterable[Asked], *, title: str = "") -> dict[str, Any]:
    """The ``labs/run/v1`` document of what has happened so far."""
    return run.document([scene(world, asked, title=title)], scenario=title or "the sandbox")


def scene(world: World, asked: Iterable[Asked] = (), *, title: str = "") -> Scene:
    """What has happened in an account so far, or the last of it."""
    cloud = world.cloud
    cloud.mappings.flush()
    world.alarms.look()
    resources = _resources(world)
    physical = {one.physical_id: name for name, one in resources.items()}
    streams: dict[str, Stream] = {}
    for stream in cloud.account.streams.values():
        name = physical.get(stream.table, stream.table)
        # A table whose stream was disabled and enabled again has had several.
        streams[name if name not in streams else f"{name} {len(streams) + 1}"] = stream
    readers = [
        _reader(world, uuid, journal, resources, physical)
        for uuid, journal in cloud.journals.items()
    ]
    functions = {
        physical.get(name, name): host.invocations
        for name, host in cloud.functions.items()
        if isinstance(host, FunctionHost)
    }
    window = _Window.of(streams.values(), readers, functions, cloud.clock.now)
    readers = [replace(one, journal=window.journal(one.journal)) for one in readers]
    needed = window.needed(readers)
    first = min((one.time_ms for one in needed.values()), default=window.since_ms)
    start_ms = min(window.since_ms, first)
    handed = by_hand(functions, readers, streams.values(), {})
    return Scene(
        title=title,
        kind="account",
        story=window.left_out,
        start_ms=start_ms,
        end_ms=cloud.clock.now,
        streams={name: window.stream(one, needed) for name, one in streams.items()},
        readers=readers,
        handed=[one for one in handed if one.invocation.start_ms >= window.since_ms],
        functions={name: window.invocations(made) for name, made in functions.items()},
        metrics=cloud.metrics,
        watched=_watched(world, physical, start_ms),
        moments=_moments(asked, start_ms),
        written=window.trimmed(readers, streams, needed),
        ids=generated(resources.values()),
    )


def _resources(world: World) -> dict[str, Resource]:
    """Every resource of every stack, by its logical id where only one stack has such a one."""
    found: dict[str, Resource] = {}
    cloud = world.cloud
    for known in (*cloud.stacks.values(), *cloud.gone.values()):
        for name, resource in known.stack.resources.items():
            found[name if name not in found else f"{known.stack.name}/{name}"] = resource
    return found


def _reader(
    world: World,
    uuid: str,
    journal: Journal,
    resources: Mapping[str, Resource],
    physical: Mapping[str, str],
) -> Reader:
    """A mapping with the settings that it has now, wherever they come from."""
    resource = resources.get(physical.get(uuid, ""))
    mappings = world.cloud.mappings
    described = mappings.get(uuid) if uuid in mappings.uuids() else {}
    properties = resource.properties if resource is not None else {}
    # What the template says, or nothing but defaults where there is none.
    address = {name: described[name] for name in ADDRESS if name in described}
    written = Settings.parse({**address, **properties}).describe() if described else {}
    settings = []
    for name in DECIDING:
        value = described.get(name)
        if described and value != written.get(name):
            settings.append(Setting(name, value, None, f"{name} is {value}, set by a request."))
        elif resource is not None and properties.get(name) is not None:
            line, text = resource.line_of(name), resource.source_of(name)
            settings.append(Setting(name, properties[name], line, text))
        else:
            settings.append(Setting(name, None))
    called = str(described.get("FunctionArn", "")).split(":")
    function = called[6] if len(called) > 6 else ""
    return Reader(physical.get(uuid, uuid), journal, physical.get(function, function), settings)


def _watched(world: World, physical: Mapping[str, str], start_ms: int) -> Watched | None:
    alarms = world.alarms.every
    names = {one.name for one in alarms}
    history = [one for one in world.alarms.history if one.alarm in names]
    before = {one.alarm: one for one in history if one.time_ms < start_ms}
    # How each alarm stood when the picture begins.
    changes = [replace(one, time_ms=start_ms, held_ms=None) for one in before.values()]
    since = [one for one in history if one.time_ms >= start_ms]
    subscriptions = [
        Subscription(one.topic_arn, one.protocol, one.endpoint)
        for topic in world.cloud.account.topics.by_arn.values()
        for one in topic.subscriptions
    ]
    labels = {one.name: physical.get(one.name, one.name) for one in alarms}
    told = told_of(since, alarms, subscriptions)
    transitions: list[Transition] = [*changes, *since]
    return Watched(alarms, labels, transitions, told)


def _moments(asked: Iterable[Asked], start_ms: int) -> list[tuple[int, str]]:
    """The requests that changed something, and how they ended."""
    found = []
    for one in asked:
        if one.operation.startswith(LOOKS) or one.operation in DATA or one.virtual_ms < start_ms:
            continue
        ended = "" if one.outcome == "answered" else f", refused: {one.outcome}"
        found.append((one.virtual_ms, f"{one.action}{ended}"))
    return found[-MOST_MOMENTS:]


@dataclass(frozen=True)
class _Shard:
    id: str
    parent_id: str | None
    closed_ms: int | None
    records: Sequence[Record]


@dataclass(frozen=True)
class _Stream:
    table: str
    created_ms: int
    shards: Sequence[_Shard]


@dataclass(frozen=True)
class _Window:
    """From when on things are shown, and what is left out because of it."""

    since_ms: int
    left_out: str

    @classmethod
    def of(
        cls,
        streams: Iterable[Stream],
        readers: Iterable[Reader],
        functions: Mapping[str, Sequence[Invocation]],
        now_ms: int,
    ) -> _Window:
        streams = list(streams)
        written = sorted(
            record.time_ms
            for stream in streams
            for shard in stream.shards
            for record in shard.records
        )
        tried = sorted(one.time_ms for reader in readers for one in reader.journal.of(Invoked))
        called = [one.start_ms for made in functions.values() for one in made[:1]]
        begin = min(
            [*(one.created_ms for one in streams), *written[:1], *tried[:1], *called, 2**53]
        )
        since = begin
        for times, most in ((written, MOST_RECORDS), (tried, MOST_ATTEMPTS)):
            if len(times) > most:
                since = max(since, times[-most])
        records = sum(one < since for one in written)
        attempts = sum(one < since for one in tried)
        if not records and not attempts:
            return cls(since, "")
        told = f"Of a long time the last is shown: {counted(records, 'older record')} and "
        return cls(since, f"{told}{counted(attempts, 'older attempt')} are left out.")

    def journal(self, whole: Journal) -> Journal:
        """What happened since; what ends without having begun in it is left out."""
        kept, open_ = Journal(), set[tuple[int, int]]()
        for entry in whole:
            if isinstance(entry, ShardStarted):
                kept.add(entry)
            elif entry.time_ms < self.since_ms:
                continue
            elif isinstance(entry, Invoked):
                open_.add((entry.shard, entry.lane))
                kept.add(entry)
            elif not isinstance(entry, Ended | Throttled | Decided) or (
                (entry.shard, entry.lane) in open_
            ):
                kept.add(entry)
        return kept

    def needed(self, readers: Iterable[Reader]) -> dict[int, Record]:
        """The records that the kept entries are about, by sequence number."""
        found: dict[int, Record] = {}
        for reader in readers:
            for entry in reader.journal:
                if isinstance(entry, Invoked | Discarded):
                    found |= {one.sequence: one for one in entry.batch.records}
                elif isinstance(entry, Polled | Filtered | Trimmed):
                    found |= {one.sequence: one for one in entry.records}
        return found

    def stream(self, whole: Stream, needed: Mapping[int, Record]) -> Stream:
        """A stream with what was written since, and what is needed of before."""
        shards = [
            _Shard(
                one.id,
                one.parent_id,
                None if one.closed_ms is None else max(one.closed_ms, self.since_ms),
                [r for r in one.records if r.time_ms >= self.since_ms or r.sequence in needed],
            )
            for one in whole.shards
        ]
        return cast("Stream", _Stream(whole.table, whole.created_ms, shards))

    def trimmed(
        self, readers: Iterable[Reader], streams: Mapping[str, Stream], needed: Mapping[int, Record]
    ) -> dict[str, list[Record]]:
        """What is needed and no stream holds any more, by the name of its table."""
        table_of = {shard.id: name for name, one in streams.items() for shard in one.shards}
        held = {
            record.sequence
            for one in streams.values()
            for shard in one.shards
            for record in shard.records
        }
        found: dict[str, list[Record]] = {}
        for reader in readers:
            shards = {one.shard: one.shard_id for one in reader.journal.of(ShardStarted)}
            for entry in reader.journal.of(Invoked):
                table = table_of.get(shards.get(entry.shard, ""))
                for record in entry.batch.records if table is not None else ():
                    if record.sequence not in held and record.sequence in needed:
                        held.add(record.sequence)
                        found.setdefault(str(table), []).append(record)
        return found

    def invocations(self, every: Sequence[Invocation]) -> list[Invocation]:
        """The invocations since."""
        return [one for one in every if one.start_ms >= self.since_ms]
