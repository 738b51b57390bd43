"""The learner's running system under virtual time.

A `Pipeline` is one stack deployed into one mock account: tables, streams, queues, the function in
processes of its own, and every event source mapping polled by the emulator. Nothing happens until
time is run, and nothing takes longer than its computation.

    with Pipeline.deploy(Path("template.yaml")) as pipeline:
        pipeline.run_for(minutes=5)
        pipeline.put("Orders", {"merchant": "acme", "id": "order#1", "amount": 1250})
        pipeline.run_for(minutes=1)
        print(pipeline.item("MerchantTotals", {"merchant": "acme"}))
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from grader.cloud import iam, own
from grader.cloud.account import Beyond, Denied, Hook, ServiceCall
from grader.cloud.aws import Refused
from grader.cloud.clock import START_MS
from grader.cloud.dynamodb.records import Record
from grader.cloud.function import (
    FunctionHost,
    Handler,
    HangBudget,
    Invocation,
    Kill,
    Nursery,
    StandIn,
)
from grader.cloud.mapping import (
    Batch,
    EventSourceMapping,
    Journal,
    Stream,
    read_response,
)
from grader.cloud.mapping.choices import STATE_CHANGE_MS
from grader.cloud.mapping.concurrency import DEFAULT_ACCOUNT_LIMIT
from grader.cloud.mapping.names import unqualified
from grader.cloud.running import Cloud
from grader.cloud.template import Resource, Stack

# How long a delivery that failed waits before `settle` hands it over again: growing, and at the end
# longer than any in-progress marker lives (Lambda's longest time-out is 15 minutes).
SETTLE_DELAYS_MS = (1_000, 2_000, 4_000, 8_000, 60_000, 960_000)


@dataclass(frozen=True)
class Note:
    """A failure note as it arrived in a destination."""

    document: Mapping[str, Any]

    @property
    def condition(self) -> str:
        """Why Lambda gave up, such as ``RetryAttemptsExhausted``."""
        return str(self.document["requestContext"]["condition"])

    @property
    def time_ms(self) -> int:
        """When Lambda wrote it, in milliseconds since 1970."""
        return round(datetime.fromisoformat(self.document["timestamp"]).timestamp() * 1000)

    def covers(self, sequence: int) -> bool:
        """True when the record with this sequence number was given up with this note."""
        batch = self.document["DDBStreamBatchInfo"]
        first, last = int(batch["startSequenceNumber"]), int(batch["endSequenceNumber"])
        return first <= sequence <= last


@dataclass
class Story:
    """What whoever plays on a stack says about it, for people who look at the run afterwards.

    ``written`` are records by the logical id of their table, also those that the stream has
    forgotten since; ``roles`` names them by their sequence numbers. ``moments`` are things that
    happened, each at its virtual time in milliseconds.
    """

    title: str = ""
    written: dict[str, list[Record]] = field(default_factory=dict)
    roles: dict[str, dict[int, str]] = field(default_factory=dict)
    moments: list[tuple[int, str]] = field(default_factory=list)


class Pipeline:
    """A deployed stack; see the module's docstring. Times are virtual milliseconds."""

    def __init__(
        self,
        stack: Stack,
        *,
        code: Path,
        nursery: Nursery,
        seed: int = 0,
        mappings: bool = True,
        hangs: HangBudget | None = None,
        start_ms: int = START_MS,
        mapping_takes_ms: int = STATE_CHANGE_MS,
        functions: Mapping[str, Handler | Path] | None = None,
        layers: Mapping[str, Sequence[Path]] | None = None,
        missing: Mapping[str, str] | None = None,
        ssm: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        # The same once more, without reading the template again.
        self.afresh: Callable[[], Pipeline] = partial(
            type(self),
            stack,
            code=code,
            nursery=nursery,
            seed=seed,
            mappings=mappings,
            start_ms=start_ms,
            mapping_takes_ms=mapping_takes_ms,
            functions=functions,
            layers=layers,
            missing=missing,
            ssm=ssm,
            secrets=secrets,
        )
        beyond = (*stack.unplayed, *stack.hidden, *stack.beyond)
        # Each sentence once, with the first place where it is true.
        self.unplayed = list({one.sentence: one for one in reversed(beyond)}.values())[::-1]
        self.stack = stack = stack.playable()
        self.seed = seed
        self.start_ms = start_ms
        self.story = Story()
        self.cloud = cloud = Cloud(
            nursery,
            account_id=stack.account_id,
            region=stack.region,
            seed=seed,
            hangs=hangs,
            start_ms=start_ms,
            mapping_takes_ms=mapping_takes_ms,
        )
        self.clock, self.metrics, self.hangs = cloud.clock, cloud.metrics, cloud.hangs
        self.account, self.concurrency = cloud.account, cloud.concurrency
        self.deliveries, self.undelivered = cloud.deliveries, cloud.undelivered
        self.unextracted = cloud.unextracted
        if stack.own:
            self.account.beyond = Beyond(
                self.clock,
                stack.account_id,
                stack.region,
                self.account.faults.meet,
                ssm or {},
                secrets or {},
                [one.physical_id for one in stack.of_type("AWS::Lambda::Function")],
            )
        self.journals: dict[str, Journal] = {}
        self.refusals: dict[str, Refused] = {}
        self._uuids: dict[str, str] = {}
        self._crowded_until_ms = start_ms
        cloud.add_data(stack)
        self.functions: dict[str, FunctionHost | StandIn] = {}
        stand_ins = dict(functions or {})
        if strangers := sorted(set(stand_ins) - set(stack.resources)):
            raise KeyError(f"the stack has no function {', '.join(strangers)}")
        for resource in stack.of_type("AWS::Lambda::Function"):
            name = resource.logical_id
            given, lack = stand_ins.get(name), (missing or {}).get(name)
            if callable(given) or (given is None and lack is not None):
                self.functions[name] = cloud.add_stand_in(resource, stack, given, lack or "")
                continue
            if given is not None:
                resource = replace(resource, properties={**resource.properties, "Code": str(given)})
            under = (layers or {}).get(name, ())
            self.functions[name] = cloud.add_function(resource, stack, code, layers=under)
        cloud.publish(stack)
        if mappings:
            for resource in stack.of_type("AWS::Lambda::EventSourceMapping"):
                self._add_mapping(resource)

    @classmethod
    def deploy(
        cls,
        source: Stack | Path | str,
        *,
        code: Path | None = None,
        nursery: Nursery | None = None,
        parameters: Mapping[str, str] | None = None,
        ssm: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        layers: Mapping[str, Path | None] | None = None,
        artifacts: Path | None = None,
        functions: Mapping[str, Handler | Path] | None = None,
        tables: Mapping[str, Mapping[str, str]] | None = None,
        **options: Any,
    ) -> Pipeline:
        """Deploy a team's own template as it is written, SAM's included, or a resolved stack.

        Everything that belongs to the consumer of a stream is played; all else is kept, and named
        in `unplayed`. Paths in the template start at its folder, or at ``code``.

        - ``parameters`` are values for the template's parameters.
        - ``ssm`` and ``secrets`` are what Systems Manager and Secrets Manager hold, by name.
        - ``functions`` are stand-ins by logical id: a callable that gets each event, or the folder
          whose code runs in the place of the template's.
        - ``layers`` are folders by the logical id of a layer, or of a function that gets one more;
          None leaves a layer out.
        - ``artifacts`` is the folder where lies what the template looks for in S3; what ``cdk
          synth`` leaves beside its template is found without.
        - ``tables`` are keys of tables outside the template whose streams it reads, by name:
          ``{"Orders": {"merchant": "S", "id": "S"}}``, the hash key first.
        - ``mapping_takes_ms`` is how long each mapping is being created, enabled or disabled.

        Functions may import what is installed here; ``nursery`` (see `Nursery.start`) may name
        less. Raises `grader.cloud.template.TemplateProblems` for what AWS would refuse of a
        consumer, or when one depends on what cannot be played.
        """
        nursery = nursery or Nursery.start(packages=None)
        if not isinstance(source, Stack):
            path = Path(source)
            found = own.read(
                path,
                parameters=parameters,
                ssm=ssm,
                secrets=secrets,
                layers=layers,
                artifacts=artifacts,
                folder=code,
                tables=tables,
                start_ms=options.get("start_ms", START_MS),
            )
            source, code = found.stack, path.parent
            options |= {"layers": found.layers, "missing": found.missing, "functions": functions}
            options |= {"ssm": found.ssm, "secrets": found.secrets}
        assert code is not None, "a resolved stack needs the folder of its code"
        return cls(source, code=code, nursery=nursery, **options)

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every function process and forget the account."""
        self.cloud.close()

    # -- deployment --------------------------------------------------------------------------

    def _add_mapping(self, resource: Resource) -> None:
        """Create the mapping as CloudFormation would; keep AWS's refusal when it refuses."""
        journal = self.journals[resource.logical_id] = Journal()
        self._uuids[resource.logical_id] = resource.physical_id
        try:
            self.cloud.add_mapping(resource, journal)
        except Refused as refusal:
            self.refusals[resource.logical_id] = refusal

    # -- time --------------------------------------------------------------------------------

    def run_for(self, *, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Let virtual time pass, and everything happen that is due in it.

        Stops where it is once the function has hung too often.
        """
        until = self.clock.now + round((hours * 3600 + minutes * 60 + seconds) * 1000)
        while (due := self.clock.next_time()) is not None and due <= until:
            if self.hangs.exhausted:
                return
            self.clock.step()
        self.clock.run_until(until)

    def flush(self) -> None:
        """Publish what the mappings have to say as metrics, up to now."""
        self.cloud.mappings.flush()

    def throttle(self, table: str, *, minutes: float) -> None:
        """Let the function's calls on this table be throttled from now on for a while."""
        now = self.clock.now
        self.account.throttle(self.table(table), now, now + round(minutes * 60_000))

    def stall(self, *, minutes: float, seconds: float = 300) -> None:
        """For a while every AWS call of function code takes effect, but is answered late."""
        self.cloud.stall(for_ms=round(minutes * 60_000), by_ms=round(seconds * 1000))

    def crowd(self, *, minutes: float) -> None:
        """For a while other functions use up the account's concurrency.

        A function that has reserved some of it still runs.
        """
        self._crowded_until_ms = self.clock.now + round(minutes * 60_000)
        self.concurrency.account_limit = 0

        def leave() -> None:
            if self.clock.now >= self._crowded_until_ms:
                self.concurrency.account_limit = DEFAULT_ACCOUNT_LIMIT

        self.clock.after(round(minutes * 60_000), leave)

    def expire(self) -> None:
        """Delete the items whose Time to Live has passed, as DynamoDB does sooner or later."""
        self.account.expire()

    def expire_every(self, *, minutes: float) -> None:
        """From now on let DynamoDB look for expired items so often; it never does by itself here.

        AWS deletes them within a few days, at a time of its own.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
        """

        def sweep() -> None:
            self.account.expire()
            self.clock.after(max(1, round(minutes * 60_000)), sweep)

        self.clock.after(max(1, round(minutes * 60_000)), sweep)

    # -- other services ----------------------------------------------------------------------

    def answer(self, action: str, hook: Hook) -> None:
        """Let ``hook`` answer the functions' calls of an operation, from now on.

        ``action`` is like ``states:StartExecution`` (service and operation, ``*`` for any), or the
        beginning of an address, ``https://api.example.com/``. The hook gets the members of the
        call, blobs as bytes, and returns those of the answer; `Refused` raised in it is the
        service's error of that code. Elsewhere it gets ``method``, ``url``, ``headers`` and
        ``body``, and returns a body or ``(status, body)``. It comes before what is played, and
        whatever the role says: the test speaks for the service.
        """
        self._beyond.hooks[action] = hook

    def calls(self, action: str = "") -> list[ServiceCall]:
        """Every call of an operation that the account does not play, oldest first; see `answer`."""
        return [one for one in self._beyond.calls if action in ("", one.action)]

    @property
    def _beyond(self) -> Beyond:
        if self.account.beyond is None:
            raise LookupError("only the pipeline of a team's own template has other services")
        return self.account.beyond

    # -- tables ------------------------------------------------------------------------------

    def table(self, logical_id: str) -> str:
        """The physical name of a table of the stack."""
        return self.stack.resources[logical_id].physical_id

    def put(self, table: str, item: Mapping[str, Any]) -> None:
        """Put an item of plain Python values into the table with this logical id."""
        self.account.put(self.table(table), item)

    def delete(self, table: str, key: Mapping[str, Any]) -> None:
        """Delete the item with this key."""
        self.account.delete(self.table(table), key)

    def item(self, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """The item with this key as plain Python values, or None."""
        return self.account.item(self.table(table), key)

    def stream(self, table: str) -> Stream:
        """The stream of the table with this logical id. KeyError when it has none."""
        return self.account.stream_of(self.table(table))

    def watch(self, table: str, callback: Callable[[Record], Any]) -> None:
        """Call ``callback`` with every record that the table's stream gets from now on."""
        self.stream(table).listen(lambda record, _shard: callback(record))

    def cross(self, table: str) -> None:
        """Let the next sequence number of the table's stream have one digit more."""
        stream = self.stream(table)
        stream.number_from(10 ** len(str(stream.next_sequence)))

    # -- the function ------------------------------------------------------------------------

    def invocations(self, function: str) -> list[Invocation]:
        """Every invocation of a function so far, oldest first."""
        return self.functions[function].invocations

    def deliver(self, function: str, records: Sequence[Record]) -> Invocation:
        """Hand one batch straight to the function and run time until the invocation has ended."""
        return self.deliver_together(function, [records])[0]

    def deliver_together(
        self,
        function: str,
        batches: Sequence[Sequence[Record]],
        *,
        apart_ms: int = 0,
        around: Mapping[str, Any] | None = None,
    ) -> list[Invocation]:
        """Hand several batches to the function, each to its own environment.

        Each one starts ``apart_ms`` virtual milliseconds after the one before it. ``around`` is
        what each event holds beside its records: a tumbling window and its state.
        """
        host = self.functions[function]
        mine: list[Invocation] = []
        running = len(batches)

        def invoke(event: dict[str, Any]) -> None:
            # A mapping may invoke the function meanwhile: its invocations are not these.
            number = len(host.invocations)
            host.invoke(event, done)
            mine.append(host.invocations[number])

        def done(_result: object) -> None:
            nonlocal running
            running -= 1

        for number, records in enumerate(batches):
            event = {**(around or {}), "Records": [record.event for record in records]}
            self.clock.after(number * apart_ms, partial(invoke, event))
        while running:
            self.clock.step()
        return mine

    def settle(self, function: str, records: Sequence[Record]) -> list[Invocation]:
        """Deliver a batch as often as a mapping would until all of it is accepted.

        A mapping with ReportBatchItemFailures: what an answer reports as failed, and everything
        behind it, is handed over again. Gives up after `SETTLE_DELAYS_MS` attempts.
        """
        return self.settle_together(function, [records])

    def settle_together(
        self,
        function: str,
        batches: Sequence[Sequence[Record]],
        *,
        apart_ms: int = 0,
        around: Mapping[str, Any] | None = None,
        reports: bool = True,
    ) -> list[Invocation]:
        """Like `settle`, for several batches whose first deliveries overlap.

        ``around`` as for `deliver_together`. Without ``reports`` the mapping has no
        ReportBatchItemFailures: all that returns is a success.
        """
        invocations = self.deliver_together(function, batches, apart_ms=apart_ms, around=around)
        left = [
            _left(one, records, around or {}, reports)
            for one, records in zip(invocations, batches, strict=True)
        ]
        for delay in SETTLE_DELAYS_MS:
            left = [one for one in left if one[0]]
            if not left or self.hangs.exhausted:
                break
            self.clock.run_for(delay)
            again = []
            for records, beside in left:
                invocations += self.deliver_together(function, [records], around=beside)
                again.append(_left(invocations[-1], records, beside, reports))
            left = again
        return invocations

    def recycle(self, function: str) -> None:
        """Drop the function's idle environments: the next invocation is a cold start."""
        self.functions[function].recycle()

    def kill_at(
        self,
        function: str,
        call: int | None,
        when: Literal["before", "after"] = "before",
        *,
        times: int | None = None,
    ) -> None:
        """Let environments die right before or after the ``call``-th AWS call of an invocation.

        ``times`` is how many die, all of them unless given. A ``call`` of None ends that.
        """
        left = repeat(Kill(when)) if times is None else repeat(Kill(when), times)
        self.functions[function].faults = (
            None if call is None else lambda made: next(left, None) if made.number == call else None
        )

    # -- mappings ----------------------------------------------------------------------------

    def mapping(self, logical_id: str) -> EventSourceMapping:
        """The mapping with this logical id. Refused when AWS would not have created it."""
        return self.cloud.mappings.mapping(self._uuids[logical_id])

    def update_mapping(self, logical_id: str, **changes: Any) -> dict[str, Any]:
        """UpdateEventSourceMapping, by AWS's member names: ``Enabled=False``, ``BatchSize=10``.

        Returns AWS's answer. Refused as AWS refuses, also while another change is under way.
        """
        return self.cloud.mappings.update(self.mapping(logical_id).uuid, changes)

    def delete_mapping(self, logical_id: str) -> dict[str, Any]:
        """DeleteEventSourceMapping; returns AWS's answer, in which the mapping is Deleting."""
        return self.cloud.mappings.delete(self.mapping(logical_id).uuid)

    def notes(self, mapping: str) -> list[Note]:
        """The failure notes of a mapping that somebody can read now, oldest first.

        A topic keeps nothing: a note that was published there counts when a queue of the stack
        received it.
        """
        mine = unqualified(self.mapping(mapping).function.arn)
        kept = set(self._kept_texts())
        return [
            Note(document)
            for delivery in self.deliveries
            if ":sns:" not in delivery.destination or delivery.body in kept
            if (document := json.loads(delivery.body))
            and unqualified(document["requestContext"]["functionArn"]) == mine
        ]

    def _kept_texts(self) -> Iterator[str]:
        """What lies in the stack's queues, with SNS's envelope taken off."""
        for queue in self.stack.of_type("AWS::SQS::Queue"):
            for message in self.account.messages(queue.attributes["Arn"]):
                yield message.body
                try:
                    envelope = json.loads(message.body)
                except ValueError:
                    continue
                if isinstance(envelope, dict) and isinstance(envelope.get("Message"), str):
                    yield envelope["Message"]

    @property
    def denied(self) -> list[Denied]:
        """Everything that was denied to the stack's roles, oldest first."""
        return self.account.denied


def _left(
    invocation: Invocation, records: Sequence[Record], around: Mapping[str, Any], reports: bool
) -> tuple[Sequence[Record], Mapping[str, Any]]:
    """What of a batch would come again after this invocation, and what its event then holds."""
    result = invocation.result
    assert result is not None
    if result.kind == "throttled":
        return records, around
    windowed = "window" in around
    verdict = read_response(result, Batch(list(records)), reports, windowed=windowed)
    if windowed and verdict.kind == "partial":
        around = {**around, "state": result.payload["state"]}
    return [] if verdict.kind == "success" else records[verdict.index :], around


def may(stack: Stack, role: str, action: str, resource: str) -> bool:
    """Whether the role with this logical id allows ``action`` on the ARN ``resource``.

    Refused when IAM would not take one of its policies.
    """
    try:
        documents = iam.documents(stack, stack.resources[role])
    except iam.PolicyRefused as refused:
        raise Refused(
            refused.code, refused.message, refused.parameter, refused.logical_id or role
        ) from None
    return iam.evaluate(documents, action, resource).allowed
