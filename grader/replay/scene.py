"""What one account left of a play: all that a picture of it is made from.

Whoever plays hands over a `Scene`; `Scene.of` reads one off a pipeline. The rest of this wing reads
scenes, never the pipeline, so that a play without a mapping (a reader of one's own) or without an
account (recorded metrics, a simulation) is shown by the same means. Times are virtual milliseconds
since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grader.cloud.cloudwatch import Alarm, Notification, Subscription, Transition
from grader.cloud.cloudwatch import evaluate as alarm_changes
from grader.cloud.cloudwatch import notifications as told_of
from grader.cloud.mapping import Batch, Invoked, read_response
from grader.cloud.metrics import Metrics

if TYPE_CHECKING:
    from grader.cloud import Pipeline
    from grader.cloud.dynamodb import Record, Stream
    from grader.cloud.function import Invocation
    from grader.cloud.mapping import Journal
    from grader.cloud.template import Resource

BY_HAND = "by hand"


@dataclass(frozen=True)
class Setting:
    """A property of a mapping, with its line of the template.

    Without a line ``text`` says where it comes from; without both, AWS's default holds.
    """

    name: str
    value: Any
    line: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Reader:
    """A mapping of the play by its logical id, with the function that it invokes."""

    name: str
    journal: Journal
    function: str
    settings: Sequence[Setting] = ()


@dataclass(frozen=True)
class Handed:
    """Records that a function got without a mapping, in one invocation.

    ``done`` are those that are dealt with afterwards, ``by`` who handed them over, ``name`` the
    batch's role.
    """

    by: str
    name: str
    attempt: int
    invocation: Invocation
    function: str
    records: Sequence[Record]
    done: Sequence[Record]


@dataclass(frozen=True)
class Watched:
    """Alarms with what they did; ``labels`` are their logical ids by their names.

    ``told`` is everything that was delivered because of them.
    """

    alarms: Sequence[Alarm]
    labels: Mapping[str, str]
    transitions: Sequence[Transition]
    told: Sequence[Notification]

    @classmethod
    def over(
        cls,
        alarms: Sequence[Alarm],
        labels: Mapping[str, str],
        subscriptions: Sequence[Subscription],
        metrics: Metrics,
        from_ms: int,
        to_ms: int,
    ) -> Watched:
        """What these alarms make of metrics. Refused as `evaluate` refuses."""
        changes = alarm_changes(alarms, metrics, from_ms, to_ms)
        return cls(alarms, labels, changes, told_of(changes, alarms, subscriptions))


@dataclass(frozen=True)
class Figure:
    """A number of the play beside its limit, both in words; ``met`` is None without a limit."""

    name: str
    value: str
    limit: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Scene:
    """One play. ``kind`` is "account", "reader", "incident" or "simulation".

    ``streams`` are by the table's logical id, ``functions`` the invocations of each function by its
    logical id. ``shards`` names shards, ``roles`` records (both by what only the emulator knows:
    a shard's id; a table with a sequence number), ``ids`` says what generated names stand for.
    ``written`` are records that the streams may have forgotten since, by the table's logical id.
    ``words`` say more of a call than how it ended, by the numbers of its invocation and itself.
    """

    title: str
    kind: str
    start_ms: int
    end_ms: int
    story: str = ""
    streams: Mapping[str, Stream] = field(default_factory=dict)
    readers: Sequence[Reader] = ()
    handed: Sequence[Handed] = ()
    functions: Mapping[str, Sequence[Invocation]] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    watched: Watched | None = None
    moments: Sequence[tuple[int, str]] = ()
    figures: Sequence[Figure] = ()
    shards: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    ids: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, Sequence[Record]] = field(default_factory=dict)
    words: Mapping[tuple[int, int], str] = field(default_factory=dict)

    @classmethod
    def of(cls, pipeline: Pipeline, *, watched: Watched | None = None) -> Scene:
        """What has happened on a stack so far."""
        resources = pipeline.stack.resources
        physical = {one.physical_id: name for name, one in resources.items()}
        streams: dict[str, Stream] = {}
        for stream in pipeline.account.streams.values():
            name = physical.get(stream.table, stream.table)
            # A table whose stream was disabled and enabled again has had several.
            streams[name if name not in streams else f"{name} {len(streams) + 1}"] = stream
        readers = [
            _reader(resources[name], journal, physical)
            for name, journal in pipeline.journals.items()
        ]
        functions = {name: host.invocations for name, host in pipeline.functions.items()}
        return cls(
            title=pipeline.story.title,
            kind="account",
            start_ms=pipeline.start_ms,
            end_ms=pipeline.clock.now,
            streams=streams,
            readers=readers,
            handed=by_hand(functions, readers, streams.values(), pipeline.story.written),
            functions=functions,
            metrics=pipeline.metrics,
            watched=watched,
            moments=pipeline.story.moments,
            roles=pipeline.story.roles,
            written=pipeline.story.written,
            ids=generated(resources.values()),
        )


# The settings that decide what becomes of a batch.
DECIDING = (
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "ParallelizationFactor",
    "FunctionResponseTypes",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "TumblingWindowInSeconds",
    "StartingPosition",
    "FilterCriteria",
    "DestinationConfig",
    "Enabled",
)


def _reader(resource: Resource, journal: Journal, physical: Mapping[str, str]) -> Reader:
    settings = []
    for name in DECIDING:
        value = resource.properties.get(name)
        if value is None:
            settings.append(Setting(name, None))
        else:
            settings.append(Setting(name, value, resource.line_of(name), resource.source_of(name)))
    called = str(resource.properties.get("FunctionName", "")).rpartition("function:")[2]
    plain = called.partition(":")[0]
    return Reader(resource.logical_id, journal, physical.get(plain, plain), settings)


def generated(resources: Iterable[Resource]) -> dict[str, str]:
    """Names that CloudFormation made up, and the logical ids that they stand for."""
    found = {}
    for one in resources:
        for text in (one.physical_id, *map(str, one.attributes.values())):
            name = text.rpartition(":")[2].rpartition("/")[2]
            if one.logical_id in name and name != one.logical_id:
                found[name] = one.logical_id
        if one.type == "AWS::Lambda::EventSourceMapping":
            found[one.physical_id] = one.logical_id
    return found


def by_hand(
    functions: Mapping[str, Sequence[Invocation]],
    readers: Sequence[Reader],
    streams: Iterable[Stream],
    written: Mapping[str, Sequence[Record]],
) -> list[Handed]:
    """The invocations that no mapping made: batches are counted as they first come."""
    of_mappings = {id(one.event) for reader in readers for one in reader.journal.of(Invoked)}
    known = {
        record.sequence: record
        for stream in streams
        for shard in stream.shards
        for record in shard.records
    } | {record.sequence: record for records in written.values() for record in records}
    found, tries = [], dict[tuple[str, tuple[int, ...]], tuple[int, int]]()
    for function, invocations in functions.items():
        for one in invocations:
            if id(one.event) in of_mappings:
                continue
            records = [known[number] for number in one.sequences if number in known]
            which = (function, tuple(one.sequences))
            number, attempt = tries.get(which, (len(tries) + 1, 0))
            tries[which] = (number, attempt + 1)
            found.append(
                Handed(
                    BY_HAND,
                    f"delivery {number}",
                    attempt + 1,
                    one,
                    function,
                    records,
                    _accepted(one, records),
                )
            )
    return found


def _accepted(invocation: Invocation, records: Sequence[Record]) -> Sequence[Record]:
    """The records before the first one that the answer reports as failed."""
    if invocation.result is None or invocation.result.kind != "returned":
        return ()
    reading = read_response(invocation.result, Batch(records), True)
    if reading.kind == "success":
        return records
    return records[: reading.index]
