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
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from grader.cloud import template
from grader.cloud.account import Account, Denied
from grader.cloud.aws import Call, Refused, Reply
from grader.cloud.clock import START_MS, Clock
from grader.cloud.cloudwatch import emf
from grader.cloud.dynamodb.records import Record
from grader.cloud.function import (
    FunctionHost,
    FunctionSpec,
    HangBudget,
    Invocation,
    Kill,
    LogLine,
    Nursery,
)
from grader.cloud.iam import policies as permissions
from grader.cloud.iam.policies import PolicyDocument
from grader.cloud.mapping import (
    Batch,
    Concurrency,
    EventSourceMapping,
    EventSourceMappings,
    Journal,
    Stream,
    read_response,
)
from grader.cloud.mapping.concurrency import DEFAULT_ACCOUNT_LIMIT
from grader.cloud.mapping.ports import Delivery, Function
from grader.cloud.metrics import Metrics
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

    def covers(self, sequence: int) -> bool:
        """True when the record with this sequence number was given up with this note."""
        batch = self.document["DDBStreamBatchInfo"]
        first, last = int(batch["startSequenceNumber"]), int(batch["endSequenceNumber"])
        return first <= sequence <= last


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
    ) -> None:
        self.stack = stack
        self.seed = seed
        self.start_ms = start_ms
        self.clock = Clock(start_ms)
        self.metrics = Metrics()
        self.hangs = hangs or HangBudget()
        self.account = Account(
            self.clock,
            self.metrics,
            account_id=stack.account_id,
            region=stack.region,
            seed=seed,
        )
        self.account.deploy(stack)
        self.functions: dict[str, FunctionHost] = {}
        self.journals: dict[str, Journal] = {}
        self.refusals: dict[str, Refused] = {}
        self.deliveries: list[Delivery] = []
        self.undelivered: list[str] = []
        # Log lines that look like metrics and are none, each with the reason.
        self.unextracted: list[str] = []
        self._roles: dict[str, tuple[str, list[PolicyDocument]]] = {}
        self._uuids: dict[str, str] = {}
        self._stalled_until_ms = start_ms
        self._stall_ms = 0
        self._crowded_until_ms = start_ms
        self.concurrency = concurrency = Concurrency()
        for resource in stack.of_type("AWS::Lambda::Function"):
            self._add_function(resource, code, nursery, concurrency)
        self._service = EventSourceMappings(
            clock=self.clock,
            metrics=self.metrics,
            destinations=self,
            find_function=self._function_named,
            find_stream=self.account.streams.get,
            can_read=self._why_unreadable,
            concurrency=concurrency,
            seed=seed,
        )
        if mappings:
            for resource in stack.of_type("AWS::Lambda::EventSourceMapping"):
                self._add_mapping(resource)

    @classmethod
    def deploy(
        cls,
        source: Stack | Path,
        *,
        code: Path | None = None,
        nursery: Nursery | None = None,
        **options: Any,
    ) -> Pipeline:
        """Deploy a template (or a resolved stack) whose local ``Code`` lies in ``code``.

        Raises `grader.cloud.template.TemplateProblems` when the template cannot be deployed.
        """
        if isinstance(source, Path):
            code = code or source.parent
            source = template.resolve(source.read_text(encoding="utf-8"), path=source.name)
        assert code is not None, "a resolved stack needs the folder of its code"
        return cls(source, code=code, nursery=nursery or Nursery.start(), **options)

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
        for host in self.functions.values():
            host.close()
        self.account.close()

    # -- deployment --------------------------------------------------------------------------

    def _add_function(
        self, resource: Resource, code: Path, nursery: Nursery, concurrency: Concurrency
    ) -> None:
        spec = function_spec(resource, code, self.stack)
        role = self.stack.by_arn(spec.role)
        documents = permissions.documents(self.stack, role) if role else []
        self._roles[spec.arn] = (spec.role, documents)
        reserved = resource.properties.get("ReservedConcurrentExecutions")
        if reserved is not None:
            concurrency.reserve(spec.name, int(reserved))

        def answer(call: Call) -> Reply:
            reply = self.account.answer(call, documents, role_arn=spec.role, function=spec.name)
            if self.clock.now >= self._stalled_until_ms:
                return reply
            return replace(reply, latency_ms=reply.latency_ms + self._stall_ms)

        def log(line: LogLine) -> None:
            extraction = emf.extract(line.text, log_format=spec.log_format, time_ms=line.time_ms)
            emf.record(extraction.points, self.metrics)
            self.unextracted.extend(extraction.problems)

        try:
            self.functions[resource.logical_id] = FunctionHost(
                spec, self.clock, nursery, answer, seed=self.seed, log=log, hangs=self.hangs
            )
        except (FileNotFoundError, ValueError) as error:
            raise Refused(
                "InvalidParameterValueException",
                f"The code of {resource.logical_id} cannot be packaged: {error}.",
                "Code",
                resource.logical_id,
            ) from None

    def _add_mapping(self, resource: Resource) -> None:
        """Create the mapping as CloudFormation would; keep AWS's refusal when it refuses."""
        journal = self.journals[resource.logical_id] = Journal()
        self._uuids[resource.logical_id] = resource.physical_id
        try:
            self._service.create(resource.properties, uuid=resource.physical_id, journal=journal)
        except Refused as refusal:
            self.refusals[resource.logical_id] = refusal

    def _function_named(self, name: str) -> Function | None:
        return next((host for host in self.functions.values() if host.name == name), None)

    def _why_unreadable(self, function: Function, stream_arn: str) -> str | None:
        """Why the function's role may not read the stream, None when it may.

        The four actions that AWS names when it refuses to create a mapping.
        https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
        """
        _, documents = self._roles[function.arn]
        for action in ("GetRecords", "GetShardIterator", "DescribeStream"):
            verdict = permissions.evaluate(documents, f"dynamodb:{action}", stream_arn)
            if not verdict.allowed:
                return verdict.reason
        verdict = permissions.evaluate(documents, "dynamodb:ListStreams", "*")
        return None if verdict.allowed else verdict.reason

    def send(self, delivery: Delivery) -> str | None:
        """Deliver a failure note with the rights of the function that it is about."""
        arn = json.loads(delivery.body)["requestContext"]["functionArn"]
        role_arn, documents = self._roles[arn]
        problem = self.account.send(delivery, documents, role_arn=role_arn)
        if problem is None:
            self.deliveries.append(delivery)
        else:
            self.undelivered.append(problem)
        return problem

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
        """Publish what the mappings and queues have to say as metrics, up to now."""
        self._service.flush()
        self.account.observe()

    def throttle(self, table: str, *, minutes: float) -> None:
        """Let the function's calls on this table be throttled from now on for a while."""
        now = self.clock.now
        self.account.throttle(self.table(table), now, now + round(minutes * 60_000))

    def stall(self, *, minutes: float, seconds: float = 300) -> None:
        """For a while every AWS call of function code takes effect, but is answered late."""
        self._stalled_until_ms = self.clock.now + round(minutes * 60_000)
        self._stall_ms = round(seconds * 1000)

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
        self, function: str, batches: Sequence[Sequence[Record]], *, apart_ms: int = 0
    ) -> list[Invocation]:
        """Hand several batches to the function, each to its own environment.

        Each one starts ``apart_ms`` virtual milliseconds after the one before it.
        """
        host = self.functions[function]
        first = len(host.invocations)
        running = len(batches)

        def done(_result: object) -> None:
            nonlocal running
            running -= 1

        for number, records in enumerate(batches):
            event = {"Records": [record.event for record in records]}
            self.clock.after(number * apart_ms, partial(host.invoke, event, done))
        while running:
            self.clock.step()
        return host.invocations[first:]

    def settle(self, function: str, records: Sequence[Record]) -> list[Invocation]:
        """Deliver a batch as often as a mapping would until all of it is accepted.

        A mapping with ReportBatchItemFailures: what an answer reports as failed, and everything
        behind it, is handed over again. Gives up after `SETTLE_DELAYS_MS` attempts.
        """
        return self.settle_together(function, [records])

    def settle_together(
        self, function: str, batches: Sequence[Sequence[Record]], *, apart_ms: int = 0
    ) -> list[Invocation]:
        """Like `settle`, for several batches whose first deliveries overlap."""
        invocations = self.deliver_together(function, batches, apart_ms=apart_ms)
        left = [_unaccepted(one, list(two)) for one, two in zip(invocations, batches, strict=True)]
        for delay in SETTLE_DELAYS_MS:
            left = [records for records in left if records]
            if not left or self.hangs.exhausted:
                break
            self.clock.run_for(delay)
            again = []
            for records in left:
                invocations.append(self.deliver(function, records))
                again.append(_unaccepted(invocations[-1], records))
            left = again
        return invocations

    def recycle(self, function: str) -> None:
        """Drop the function's idle environments: the next invocation is a cold start."""
        self.functions[function].recycle()

    def kill_at(
        self, function: str, call: int | None, when: Literal["before", "after"] = "before"
    ) -> None:
        """Let environments die right before or after the ``call``-th AWS call of an invocation.

        None ends that.
        """
        host = self.functions[function]
        if call is None:
            host.faults = None
        else:
            host.faults = lambda made: Kill(when) if made.number == call else None

    # -- mappings ----------------------------------------------------------------------------

    def mapping(self, logical_id: str) -> EventSourceMapping:
        """The mapping with this logical id. Refused when AWS would not have created it."""
        return self._service.mapping(self._uuids[logical_id])

    def update_mapping(self, logical_id: str, **changes: Any) -> dict[str, Any]:
        """UpdateEventSourceMapping, by AWS's member names: ``Enabled=False``, ``BatchSize=10``.

        Returns AWS's answer. Refused as AWS refuses, also while another change is under way.
        """
        return self._service.update(self.mapping(logical_id).uuid, changes)

    def delete_mapping(self, logical_id: str) -> dict[str, Any]:
        """DeleteEventSourceMapping; returns AWS's answer, in which the mapping is Deleting."""
        return self._service.delete(self.mapping(logical_id).uuid)

    def notes(self, mapping: str) -> list[Note]:
        """The failure notes of a mapping that somebody can read now, oldest first.

        A topic keeps nothing: a note that was published there counts when a queue of the stack
        received it.
        """
        mine = f":function:{self.mapping(mapping).function.name}"
        kept = set(self._kept_texts())
        return [
            Note(document)
            for delivery in self.deliveries
            if ":sns:" not in delivery.destination or delivery.body in kept
            if (document := json.loads(delivery.body))["requestContext"]["functionArn"].endswith(
                mine
            )
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


def _unaccepted(invocation: Invocation, records: list[Record]) -> list[Record]:
    """What of a batch would come again after this invocation."""
    assert invocation.result is not None
    if invocation.result.kind == "throttled":
        return records
    verdict = read_response(invocation.result, Batch(records), report_failures=True)
    return [] if verdict.kind == "success" else records[verdict.index :]


def function_spec(resource: Resource, code: Path, stack: Stack) -> FunctionSpec:
    """What the function process needs to know of an ``AWS::Lambda::Function``.

    Refused when its code is not a folder beside the template.
    """
    given = resource.properties
    logging = given.get("LoggingConfig", {})
    place = given.get("Code")
    if not isinstance(place, str) or "://" in place:
        raise Refused(
            "NotEmulated",
            f"{resource.logical_id}: Code is a folder beside the template here, such as `.`; "
            "`aws cloudformation package` puts it into a bucket for you.",
            "Code",
            resource.logical_id,
        )
    return FunctionSpec(
        name=resource.physical_id,
        arn=resource.attributes["Arn"],
        role=str(given["Role"]),
        handler=str(given["Handler"]),
        code=code / place,
        environment={
            name: str(value)
            for name, value in given.get("Environment", {}).get("Variables", {}).items()
        },
        memory_mb=int(given.get("MemorySize", 128)),
        timeout_ms=int(given.get("Timeout", 3)) * 1000,
        runtime=str(given.get("Runtime", "python3.13")),
        log_group=str(logging.get("LogGroup", f"/aws/lambda/{resource.physical_id}")),
        log_format=logging.get("LogFormat", "Text"),
        application_log_level=logging.get("ApplicationLogLevel"),
        system_log_level=logging.get("SystemLogLevel"),
        region=stack.region,
        account_id=stack.account_id,
    )


def may(stack: Stack, role: str, action: str, resource: str) -> bool:
    """Whether the role with this logical id allows ``action`` on the ARN ``resource``.

    Refused when IAM would not take one of its policies.
    """
    try:
        documents = permissions.documents(stack, stack.resources[role])
    except permissions.PolicyRefused as refused:
        raise Refused(
            refused.code, refused.message, refused.parameter, refused.logical_id or role
        ) from None
    return permissions.evaluate(documents, action, resource).allowed
