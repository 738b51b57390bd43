"""A test bench for the engine alone: streams, scripted functions, mappings, destinations, a clock.

Everything that the engine needs, wired together; no account, no process, no template::

    bench = Bench()
    stream = bench.stream("Orders", keys=["id"])
    totals = bench.function("totals", lambda event: {"batchItemFailures": []})
    uuid = bench.create(
        FunctionName="totals", EventSourceArn=stream.arn, StartingPosition="TRIM_HORIZON",
        BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"],
    )["UUID"]
    stream.write(None, {"id": {"S": "o-1"}}, bench.now)
    bench.drain()
    assert [one.outcome for one in bench.invocations(uuid)] == ["success"]

Requests and answers are those of the Lambda API, `Refused` is AWS's refusal. Times are virtual
milliseconds since the epoch where a name ends in ``_ms``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from grader.cloud.clock import START_MS, Clock
from grader.cloud.dynamodb.records import Record
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.mapping import journal as note
from grader.cloud.mapping.choices import STATE_CHANGE_MS
from grader.cloud.mapping.concurrency import DEFAULT_ACCOUNT_LIMIT, Concurrency
from grader.cloud.mapping.decide import Advance, Decision, Partial
from grader.cloud.mapping.inprocess import Scripted
from grader.cloud.mapping.journal import Journal
from grader.cloud.mapping.mapping import EventSourceMapping
from grader.cloud.mapping.names import LATEST, Qualified
from grader.cloud.mapping.ports import Delivery, Function, Result
from grader.cloud.mapping.service import EventSourceMappings
from grader.cloud.metrics import Metrics, dimensions

Outcome = Literal["success", "partial", "failure", "throttled", "running"]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One attempt of a mapping to hand a batch to its function.

    - ``start_ms``, ``end_ms``: virtual times; ``end_ms`` is None while it runs;
    - ``shard_id`` and ``lane`` (from 1): which run of records it belongs to;
    - ``batch``: the batch by its role, such as "batch 2, first half";
    - ``attempt``: counts from 1 for exactly these records; a throttled attempt does not count up;
    - ``records`` and ``event``: what the function was to receive;
    - ``outcome``: "success", "partial" (some records come again), "failure" (all of them do, or
      are given up), "throttled" (the function never started) or "running";
    - ``result``: how the function ended, and ``decision``: what followed, with its rule and source.
    """

    mapping: str
    function: str
    shard_id: str
    lane: int
    batch: str
    attempt: int
    start_ms: int
    end_ms: int | None
    records: tuple[Record, ...]
    event: dict[str, Any]
    outcome: Outcome
    result: Result | None
    decision: Decision | None

    @property
    def sequences(self) -> list[str]:
        """The records' sequence numbers, in their order."""
        return [record.sequence_number for record in self.records]


# Inside the bench `list` is an API call.
Invocations = list[Invocation]
Lines = list[str]


class Inbox:
    """An on-failure destination: a queue, a topic or a bucket, and what arrived in it.

    With ``refuses`` set to a reason, nothing arrives; the mapping counts the failure.
    """

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self.refuses: str | None = None
        self.deliveries: list[Delivery] = []

    def send(self, delivery: Delivery) -> str | None:
        """Take a note; None, or why it did not arrive."""
        if self.refuses is None:
            self.deliveries.append(delivery)
        return self.refuses

    @property
    def documents(self) -> list[dict[str, Any]]:
        """The notes, decoded, oldest first."""
        return [json.loads(delivery.body) for delivery in self.deliveries]

    @property
    def keys(self) -> list[str]:
        """The keys of the objects in a bucket, oldest first."""
        return [delivery.key for delivery in self.deliveries if delivery.key is not None]


class Bench:
    """The engine on virtual time; see the module's docstring.

    - ``seed``: another seed, other UUIDs and stream numbers;
    - ``start_ms``: when virtual time begins;
    - ``start_delay_ms``: how long each change of a mapping's state takes (AWS: up to minutes);
    - ``account_limit``: the account's concurrency, in invocations at once;
    - ``journal``: False keeps memory flat in long runs; then there is nothing in `invocations`.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        start_ms: int = START_MS,
        start_delay_ms: int = STATE_CHANGE_MS,
        account_limit: int = DEFAULT_ACCOUNT_LIMIT,
        journal: bool = True,
    ) -> None:
        self.clock = Clock(start_ms)
        self.metrics = Metrics()
        self.concurrency = Concurrency(account_limit)
        self.streams: dict[str, Stream] = {}
        self.functions: dict[str, Function] = {}
        self.inboxes: dict[str, Inbox] = {}
        self.journals: dict[str, Journal] = {}
        # Stream ARN to the reason why nobody's role may read it.
        self.unreadable: dict[str, str] = {}
        self._seed = seed
        self._keep = journal
        self.mappings = EventSourceMappings(
            clock=self.clock,
            metrics=self.metrics,
            destinations=self,
            find_function=self.functions.get,
            find_stream=self.streams.get,
            can_read=lambda _function, arn: self.unreadable.get(arn),
            concurrency=self.concurrency,
            start_delay_ms=start_delay_ms,
            seed=seed,
        )

    # -- what there is -----------------------------------------------------------------------

    def stream(
        self, table: str = "Orders", keys: Sequence[str] = ("id",), **options: Any
    ) -> Stream:
        """A table's stream; ``options`` as of `Stream`: ``view``, ``shards``, ``region``…

        ``shards=0`` gives one without shards: build them with ``add_shard`` and write into them
        with ``write(…, shard=…, sequence=…)``. Called again for the same table it is another
        stream with another ARN, as after enabling a table's stream anew.
        """
        options = {"created_ms": self.clock.now, "seed": self._seed, **options}
        stream = Stream(table=table, keys=keys, **options)
        while stream.arn in self.streams:
            # A stream is labelled by its millisecond, and AWS makes no two in one.
            options["created_ms"] += 1
            stream = Stream(table=table, keys=keys, **options)
        self.streams[stream.arn] = stream
        return stream

    def function(
        self, name: str, answer: Callable[[dict[str, Any]], Any] | None = None, **options: Any
    ) -> Scripted:
        """A function that answers as ``answer(event)`` says; ``options`` as of `Scripted`."""
        function = Scripted(name, self.clock, answer, **options)
        self.functions[name] = function
        return function

    def add(self, function: Function) -> None:
        """Take up a function of your own; see `grader.cloud.mapping.ports.Function`."""
        self.functions[function.name] = function

    def publish(self, name: str) -> str:
        """Publish the function as it is now; the version's number. A later one has the next."""
        version = str(
            1
            + sum(
                one.startswith(f"{name}:") and one.rpartition(":")[2].isdigit()
                for one in self.functions
            )
        )
        self.functions[f"{name}:{version}"] = Qualified(self.functions[name], version, version)
        return version

    def alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias stand for a version that was published, or for ``$LATEST``."""
        target = self.functions[name if version == LATEST else f"{name}:{version}"]
        function = target.function if isinstance(target, Qualified) else target
        self.functions[f"{name}:{alias}"] = Qualified(function, alias, version)

    def destination(self, arn: str) -> Inbox:
        """The queue, topic or bucket with this ARN. Notes to any other ARN do not arrive."""
        return self.inboxes.setdefault(arn, Inbox(arn))

    def send(self, delivery: Delivery) -> str | None:
        """Deliver a failure note; None, or why it did not arrive. Called by the mappings."""
        inbox = self.inboxes.get(delivery.destination)
        if inbox is None:
            return f"{delivery.destination} does not exist"
        return inbox.send(delivery)

    # -- mappings ----------------------------------------------------------------------------

    def create(self, **request: Any) -> dict[str, Any]:
        """CreateEventSourceMapping, and its answer. `Refused` as AWS refuses."""
        journal = Journal() if self._keep else None
        answer = self.mappings.create(request, journal=journal)
        if journal is not None:
            self.journals[answer["UUID"]] = journal
        return answer

    def get(self, uuid: str) -> dict[str, Any]:
        """GetEventSourceMapping."""
        return self.mappings.get(uuid)

    def list(self, **by: Any) -> list[dict[str, Any]]:
        """ListEventSourceMappings, first page; ``by`` as of `EventSourceMappings.list`."""
        found: list[dict[str, Any]] = self.mappings.list(**by)["EventSourceMappings"]
        return found

    def update(self, uuid: str, **request: Any) -> dict[str, Any]:
        """UpdateEventSourceMapping; ``Enabled=False`` disables, ``Enabled=True`` resumes."""
        return self.mappings.update(uuid, request)

    def delete(self, uuid: str) -> dict[str, Any]:
        """DeleteEventSourceMapping."""
        return self.mappings.delete(uuid)

    def mapping(self, uuid: str) -> EventSourceMapping:
        """The mapping itself: ``state``, ``checkpoint(shard_id)``, ``pending()``."""
        return self.mappings.mapping(uuid)

    # -- time --------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """Virtual time, milliseconds since the epoch."""
        return self.clock.now

    def at(self, time_ms: int, action: Callable[[], Any]) -> None:
        """Do something at a virtual time: write, disable a mapping, split a shard…"""
        self.clock.at(time_ms, lambda: _ignore(action()))

    def run_for(
        self, *, hours: float = 0, minutes: float = 0, seconds: float = 0, ms: int = 0
    ) -> None:
        """Let virtual time pass, and everything happen that is due in it."""
        self.clock.run_for(round((hours * 3600 + minutes * 60 + seconds) * 1000) + ms)

    def step(self) -> bool:
        """Let the next thing happen. False when nothing is due."""
        return self.clock.step()

    def drain(self, *, at_most_hours: float = 48) -> None:
        """Run until nothing is due any more: everything delivered, given up or trimmed.

        Stops after ``at_most_hours`` of virtual time; by then every record has left the stream.
        """
        until = self.clock.now + round(at_most_hours * 3_600_000)
        while (due := self.clock.next_time()) is not None and due <= until:
            self.clock.step()

    # -- what happened -----------------------------------------------------------------------

    def invocations(self, uuid: str | None = None) -> Invocations:
        """Every attempt of one mapping, or of all of them, in the order in which they began."""
        journals = self.journals if uuid is None else {uuid: self.journals[uuid]}
        found = [one for which, journal in journals.items() for one in _attempts(which, journal)]
        return sorted(found, key=lambda one: one.start_ms)

    def timeline(self, uuid: str) -> Lines:
        """Everything that a mapping did, as sentences, each with its second since the start."""
        journal = self.journals[uuid]
        start = journal.entries[0].time_ms if len(journal) else 0
        return [f"{(entry.time_ms - start) / 1000:9.3f} s  {entry}" for entry in journal]

    def checkpoint(self, uuid: str, shard_id: str) -> int | None:
        """The sequence number up to which a mapping has dealt with a shard, None before any."""
        return self.mapping(uuid).checkpoint(shard_id)

    def metric(self, name: str, namespace: str = "AWS/Lambda", **dims: str) -> float | None:
        """The sum over a metric's data points up to now, None when there are none.

        ``dims`` are its dimensions, all of them; without any, every series of that name counts.
        For single data points, maxima and units read ``metrics``.
        """
        self.mappings.flush()
        data = self.metrics.find(namespace, name, dimensions(dims) if dims else None)
        return sum(datum.value * datum.count for datum in data) if data else None


def _attempts(uuid: str, journal: Journal) -> list[Invocation]:
    """A mapping's journal as attempts: what was begun, beside how it ended."""
    shards = {entry.shard: entry.shard_id for entry in journal.of(note.ShardStarted)}
    found: list[Invocation] = []
    # A lane tries one batch at a time: what ends there is what began there last.
    open_: dict[tuple[int, int], int] = {}
    ended: dict[tuple[int, int], Result] = {}
    for entry in journal:
        if isinstance(entry, note.Invoked):
            lane = (entry.shard, entry.lane)
            open_[lane] = len(found)
            found.append(
                Invocation(
                    mapping=uuid,
                    function=entry.function,
                    shard_id=shards[entry.shard],
                    lane=entry.lane,
                    batch=entry.batch.name,
                    attempt=entry.attempt,
                    start_ms=entry.time_ms,
                    end_ms=None,
                    records=tuple(entry.batch.records),
                    event=dict(entry.event),
                    outcome="running",
                    result=None,
                    decision=None,
                )
            )
        elif isinstance(entry, note.Ended):
            ended[entry.shard, entry.lane] = entry.result
        elif isinstance(entry, note.Decided):
            lane = (entry.shard, entry.lane)
            at = open_.pop(lane)
            found[at] = _ended(found[at], entry, ended.pop(lane, None))
    return found


def _ended(begun: Invocation, entry: note.Decided, result: Result | None) -> Invocation:
    outcome: Outcome
    if result is None:
        outcome = "throttled"
    elif isinstance(entry.decision, Advance):
        outcome = "success"
    elif isinstance(entry.decision, Partial):
        outcome = "partial"
    else:
        outcome = "failure"
    return replace(
        begun,
        end_ms=entry.time_ms,
        outcome=outcome,
        result=result or Result("throttled"),
        decision=entry.decision,
    )


def _ignore(_value: object) -> None:
    return None
