"""The emulated account: everything a stack's functions and mappings can touch.

One `Account` is one deployed stack's data, on virtual time. Accounts are independent of each other
and cheap, one for each scenario. All ways in lead through the same place: function code through
`answer` (an HTTP request, with the function's permissions), the judge through `call` or a boto3
`client`, the emulator through `send`.
"""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar

from grader.cloud import iam
from grader.cloud.account.beyond import CLOSED, Beyond, action_of, how
from grader.cloud.account.callers import Caller, Denied
from grader.cloud.account.contention import Contention
from grader.cloud.account.faults import Fault, Faults
from grader.cloud.account.observability import Logs, MetricDoor
from grader.cloud.account.shapes import misfit, outside
from grader.cloud.aws import ACCOUNT_ID, REGION, Call, Reply, Request, ServiceError
from grader.cloud.clock import Clock
from grader.cloud.door import REFUSAL_LATENCY_MS, NotAnAwsCall, answered, denial, failed, read
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.dynamodb.streams_api import Streams
from grader.cloud.dynamodb.tables import Tables
from grader.cloud.dynamodb.values import plain, wire
from grader.cloud.iam import PolicyDocument
from grader.cloud.mapping.ports import Delivery
from grader.cloud.messaging.buckets import Buckets
from grader.cloud.messaging.meter import Meter
from grader.cloud.messaging.queues import Message, Queues
from grader.cloud.messaging.topics import Published, Topics
from grader.cloud.metrics import Metrics
from grader.cloud.moto_world import World


class Account:
    """One emulated account in one Region, on ``clock``; metric data goes to ``metrics``.

    ``seed`` decides every generated id; ``first_sequence`` where the streams' numbers start.
    """

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        *,
        account_id: str = ACCOUNT_ID,
        region: str = REGION,
        seed: int = 0,
        first_sequence: int | None = None,
    ) -> None:
        self.clock = clock
        self.metrics = metrics
        self.account_id = account_id
        self.region = region
        self.seed = seed
        self.denied: list[Denied] = []
        # What function code was allowed and did: (action, ARN) pairs, as IAM's access advisor has.
        self.used: set[tuple[str, str]] = set()
        self.resource_policies: dict[str, list[PolicyDocument]] = {}
        self.first_sequence = first_sequence
        self._world = World(clock, account_id, region, seed)
        # Requests on which moto broke down, as sentences: this package's fault, not the learner's.
        self.breakdowns: list[str] = []
        self.tables = Tables(clock, metrics, account_id, region, self.breakdowns, seed)
        self.contention = Contention(clock, self.tables.keys_of)
        self._streams = Streams(clock)
        self.queues = Queues(self._world)
        self._meter = Meter(clock, metrics)
        self.topics = Topics(clock, self._deliver, self._world.uuid, self._meter.published)
        self.buckets = Buckets(self._world)
        self.logs = Logs(self._world)
        self.metric_door = MetricDoor(clock, metrics)
        names = {
            **dict.fromkeys(("dynamodb", "dynamodbstreams"), self.tables.name_of),
            "s3": self.buckets.name_of,
            "sns": lambda topic: self.topics.find(topic).name,
            "sqs": self.queues.name_of,
        }
        self.faults = Faults(clock, metrics, self._needs, names)
        self._clients: dict[str, Any] = {}
        self._requests = 0
        # Who answers for other services; a lab's account has none.
        self.beyond: Beyond | None = None

    def __enter__(self) -> Account:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget everything. The account cannot be used afterwards."""
        self._clients.clear()
        self._world.close()

    # -- streams ---------------------------------------------------------------------------

    @property
    def streams(self) -> dict[str, Stream]:
        """Every stream by its ARN, disabled ones included."""
        return self._streams.by_arn

    def take_streams(self, streams: Iterable[Stream]) -> None:
        """Put these streams, oldest first, in the place of all that there are."""
        self._streams.by_arn.clear()
        self.tables.streams.clear()
        for stream in streams:
            self._streams.add(stream)
            if stream.table in self.tables.names():
                self.tables.streams[stream.table] = stream

    def stream_of(self, table: str) -> Stream:
        """The newest stream of a table (by name or ARN). KeyError when it has none."""
        return self.tables.streams[self.tables.name_of(table)]

    def add_stream(self, stream: Stream) -> None:
        """Let a table's changes go to this stream from now on."""
        self.tables.streams[stream.table] = stream
        self._streams.add(stream)

    def disable_stream(self, table: str) -> None:
        """Turn a table's stream off; it stays readable for 24 hours."""
        self.stream_of(table).disable(self.clock.now)

    def enable_stream(self, table: str, view: str) -> Stream:
        """Give a table a new stream, which has a new ARN. ValueError when one is on already."""
        name = self.tables.name_of(table)
        old = self.tables.streams.get(name)
        if old is not None and old.disabled_ms is None:
            raise ValueError(f"{name} has a stream already")
        stream = Stream(
            table=name,
            keys=self.tables.keys_of(name),
            view=view,
            region=self.region,
            account_id=self.account_id,
            # Its ARN ends with this time. On AWS no two can be made within a millisecond; here
            # virtual time may stand still between two calls.
            created_ms=self.clock.now if old is None else max(self.clock.now, old.created_ms + 1),
            first_sequence=self.first_sequence,
            seed=self.seed,
        )
        self.add_stream(stream)
        return stream

    def expire(self) -> int:
        """Delete every item whose Time to Live has passed; returns how many were deleted."""
        return self.tables.expire()

    # -- the judge's own way -----------------------------------------------------------------

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """One API call by the judge, without HTTP: DynamoDB's own JSON (base64 text for binaries).

        For ``dynamodb``, ``dynamodbstreams``, ``sqs``, ``sns``, ``cloudwatch`` and ``logs``. Raises
        `ServiceError`. Scripted faults do not meet the judge.
        """
        return self._asked(service, operation, copy.deepcopy(params))

    def _asked(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        request = Request(service, operation, params, None, "json", "POST", "", {}, b"")
        return self._carried_out(request)

    def put(self, table: str, item: Mapping[str, Any]) -> None:
        """Put an item of plain Python values (numbers as int or Decimal) into a table."""
        self._asked("dynamodb", "PutItem", {"TableName": table, "Item": wire(item)})

    def delete(self, table: str, key: Mapping[str, Any]) -> None:
        """Delete the item with this key of plain Python values."""
        self.call("dynamodb", "DeleteItem", TableName=table, Key=wire(key))

    def item(self, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """The item with this key as plain Python values (see `items`), or None."""
        found = self.call("dynamodb", "GetItem", TableName=table, Key=wire(key)).get("Item")
        return None if found is None else plain(found)

    def items(self, table: str) -> list[dict[str, Any]]:
        """Every item of a table, ordered by key, as plain Python values.

        Whole numbers are int, others Decimal; sets are sets, binaries bytes.
        """
        return [plain(item) for item in self.tables.items(table)]

    def raw_items(self, table: str) -> list[dict[str, Any]]:
        """Every item of a table, ordered by key, as DynamoDB JSON."""
        return self.tables.items(table)

    def messages(self, queue: str) -> list[Message]:
        """What is in a queue (by name, URL or ARN), oldest first; looking changes nothing."""
        return self.queues.messages(queue)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Every object of a bucket (by name or ARN): key to content."""
        return self.buckets.objects(bucket)

    def published(self, topic: str) -> list[Published]:
        """Everything published to a topic (by name or ARN), oldest first."""
        return list(self.topics.find(topic).published)

    def client(self, service: str) -> Any:
        """A boto3 client for the judge: it may do everything that function code could be allowed.

        Slower than `call`: it goes through boto3 and the door.
        """
        if service not in self._clients:
            self._clients[service] = self._new_client(service)
        return self._clients[service]

    _session: ClassVar[Any] = None

    def _new_client(self, service: str) -> Any:
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        if Account._session is None:
            # No file and no variable of the machine has a say in this session.
            Account._session = boto3.session.Session(
                aws_access_key_id="judge", aws_secret_access_key="judge", region_name=self.region
            )
        client = Account._session.client(
            service,
            region_name=self.region,
            config=Config(
                signature_version=UNSIGNED,
                account_id_endpoint_mode="disabled",
                ignore_configured_endpoint_urls=True,
                retries={"total_max_attempts": 1, "mode": "standard"},
                parameter_validation=True,
            ),
        )
        client.meta.events.register("before-send", self._before_send)
        return client

    def _before_send(self, request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse

        body = request.body.read() if hasattr(request.body, "read") else request.body
        if isinstance(body, str):
            body = body.encode()
        headers = dict(request.headers.items())
        call = Call(0, 0, 0, self.clock.now, request.method, request.url, headers, body or b"")
        judge = Caller(None, f"arn:aws:iam::{self.account_id}:user/judge", "judge")
        reply = self._answer(call, judge)
        return AWSResponse(request.url, reply.status, dict(reply.headers), _Raw(reply.body))

    # -- function code -----------------------------------------------------------------------

    def answer(
        self,
        call: Call,
        role_documents: Sequence[PolicyDocument],
        *,
        role_arn: str = "",
        function: str = "function",
    ) -> Reply:
        """Answer one HTTP request of function code that runs with these permissions.

        ``role_arn`` and ``function`` name the caller in denials and in resource policies. Never
        raises for anything that the request contains.
        """
        arn = role_arn or f"arn:aws:iam::{self.account_id}:role/{function}"
        return self._answer(call, Caller(role_documents, arn, function))

    def _answer(self, call: Call, caller: Caller) -> Reply:
        self._requests += 1
        request_id = f"{self._requests:08x}-0000-4000-8000-{self.seed & 0xFFFFFFFFFFFF:012x}"
        try:
            request = read(call)
        except NotAnAwsCall as error:
            return self._no_place(str(error), call, caller)
        try:
            if request.problem is not None:
                raise request.problem
            if self.beyond is not None and caller.documents is not None:
                operations = iam.allowed_operations().get(request.service, ())
                played = request.operation in operations
                beyond = self.beyond.reply(request, caller.session, caller.documents, played)
                if beyond is not None:
                    return beyond
            self._check_place(request, caller)
            if caller.documents is not None:
                self._check_permission(request, caller)
                self.faults.check(request)
            if request.service == "s3":
                return self.buckets.answer(request)
            if request.service == "sts":
                result = self._identity(caller)
            else:
                of_function = caller.documents is not None
                if of_function:
                    self.contention.check(request)
                held = self.faults.hold_back(request) if of_function else {}
                result = {**self._carried_out(request, lagging=of_function), **held}
                if of_function:
                    self.contention.hold(request)
        except ServiceError as error:
            return failed(request, error, request_id)
        except Exception as error:
            # Either AWS could not have read this, or the emulated service is at fault.
            refusal = misfit(request)
            if refusal is None:
                self.breakdowns.append(
                    f"{request.service} {request.operation}: {type(error).__name__}: {error}"
                )
                sentence = "The emulated service broke down on this request."
                refusal = ServiceError("InternalFailure", sentence, 500)
            return failed(request, refusal, request_id)
        reply = answered(request, result, request_id)
        if request.operation == "ReceiveMessage" and not result.get("Messages"):
            # A long poll lasts as long as it may when nothing comes.
            waited = self.queues.wait_ms(request.params)
            return Reply(reply.status, reply.headers, reply.body, reply.latency_ms + waited)
        return reply

    def _carried_out(self, request: Request, *, lagging: bool = False) -> dict[str, Any]:
        service, operation, params = request.service, request.operation, request.params
        if service == "dynamodb":
            if operation == "ListTables":
                return {"TableNames": self.tables.names()}
            if self.tables.defines(operation) and (refusal := outside(request)) is not None:
                raise refusal
            return self.tables.answer(operation, params, lagging=lagging)
        if service == "dynamodbstreams":
            return self._streams.answer(operation, params)
        if service == "sqs":
            result = self.queues.answer(operation, params)
            if "QueueUrl" in params:
                queue = self.queues.name_of(str(params["QueueUrl"]))
                self._meter.accessed(queue)
                if operation.startswith("SendMessage"):
                    sent = len(result.get("Successful") or ()) if "Entries" in params else 1
                    self._meter.sent(queue, sent)
            return result
        if service == "sns":
            return self.topics.answer(operation, params)
        if service == "cloudwatch":
            return self.metric_door.answer(operation, params)
        if service == "logs":
            return self.logs.answer(operation, params)
        raise ServiceError("UnknownOperationException", f"{service} is not emulated here.")

    def _identity(self, caller: Caller) -> dict[str, Any]:
        return {
            "Arn": caller.user_arn,
            "UserId": f"AROAEXAMPLEID:{caller.session}",
            "Account": self.account_id,
        }

    # -- what is let in ----------------------------------------------------------------------

    def _no_place(self, what: str, call: Call, caller: Caller) -> Reply:
        sentence = f"A lab's function can reach AWS only: {what} was refused."
        if self.beyond is not None:
            reply = self.beyond.elsewhere(call, caller.session)
            if reply is not None:
                return reply
            sentence = f"Functions reach AWS only: {what} was refused. {how(call.url)}"
        self._note(what, "*", caller, sentence)
        if self.beyond is not None:
            return Reply(403, {CLOSED: "1"}, sentence.encode(), REFUSAL_LATENCY_MS)
        body = json.dumps({"__type": "AccessDeniedException", "message": sentence}).encode()
        return Reply(403, {"Content-Type": "application/json"}, body, REFUSAL_LATENCY_MS)

    def _check_place(self, request: Request, caller: Caller) -> None:
        operations = iam.allowed_operations().get(request.service)
        action = f"{request.service}:{request.operation}"
        sentence, played = None, False
        if operations is None:
            sentence = (
                f"The lab's account has no {request.service}: {request.operation} was refused. "
                f"There are {', '.join(iam.allowed_operations())}."
            )
        elif request.operation not in operations:
            sentence = (
                f"The lab's account is what the template makes of it: function code cannot call "
                f"{action} there."
            )
        elif request.region not in (None, self.region):
            played = True
            sentence = (
                f"The lab's account is in {self.region}; {action} was sent to {request.region}."
            )
        if sentence is not None:
            if self.beyond is not None:
                action = action_of(request)
                sentence = f"{action} is not played here. {how(action)}"
            self._note(action, "*", caller, sentence, played=played)
            raise denial(request.service, sentence)

    def _check_permission(self, request: Request, caller: Caller) -> None:
        assert caller.documents is not None
        context = self._context(request, caller)
        for need in self._needs(request):
            parts = need.resource_arn.split(":")
            if len(parts) >= 6 and (
                parts[3] not in ("", self.region) or parts[4] not in ("", self.account_id)
            ):
                sentence = (
                    f"{need.resource_arn} is not in the lab's account {self.account_id} and "
                    f"Region {self.region}."
                )
                self._note(need.action, need.resource_arn, caller, sentence)
                raise denial(request.service, sentence)
            verdict = iam.evaluate_request(
                caller.documents,
                self._policies_on(need.resource_arn),
                caller.role_arn,
                need.action,
                need.resource_arn,
                context,
            )
            if verdict.allowed:
                self.used.add((need.action, need.resource_arn))
                continue
            self._note(need.action, need.resource_arn, caller, verdict.reason)
            because = (
                "with an explicit deny in a policy"
                if verdict.statement is not None
                else f"because no identity-based policy allows the {need.action} action"
            )
            raise denial(
                request.service,
                f"User: {caller.user_arn} is not authorized to perform: {need.action} on "
                f"resource: {need.resource_arn} {because}",
            )

    def _needs(self, request: Request) -> list[iam.Need]:
        return iam.needs(
            request.service,
            request.operation,
            request.params,
            account_id=self.account_id,
            region=self.region,
        )

    def _context(self, request: Request, caller: Caller) -> dict[str, str]:
        context = {
            "aws:RequestedRegion": self.region,
            "aws:ResourceAccount": self.account_id,
            "s3:ResourceAccount": self.account_id,
            "aws:PrincipalAccount": self.account_id,
            "aws:PrincipalArn": caller.role_arn,
            "aws:PrincipalType": "AssumedRole",
        }
        if request.service == "cloudwatch":
            context["cloudwatch:namespace"] = str(request.params.get("Namespace", ""))
        return context

    def _policies_on(self, arn: str) -> Iterable[PolicyDocument]:
        if arn.startswith("arn:aws:s3:::"):
            arn = arn.partition("/")[0]
        return self.resource_policies.get(arn, ())

    def _note(
        self, action: str, resource: str, caller: Caller, reason: str, played: bool = True
    ) -> None:
        if caller.documents is not None:
            now, who = self.clock.now, caller.session
            self.denied.append(Denied(now, action, resource, who, reason, played))

    # -- scripted faults ---------------------------------------------------------------------

    def throttle(
        self, table: str, from_ms: int, until_ms: int, *, operations: Iterable[str] | None = None
    ) -> None:
        """Let function code's calls on a table be throttled for a while of virtual time.

        ``operations`` are DynamoDB's names; without them reads and writes alike.
        """
        name = self.tables.name_of(table)
        self.faults.throttle(
            name, from_ms, until_ms, on_demand=self.tables.on_demand(name), operations=operations
        )

    def stale_reads(self, from_ms: int, until_ms: int, *, table: str | None = None) -> None:
        """Let every eventually consistent read of function code lag for a while of virtual time.

        It then sees the state of `grader.cloud.dynamodb.staleness.LAG_MS` before. Reads with
        ConsistentRead, transactions and conditions see the newest state, as always.
        """
        name = None if table is None else self.tables.name_of(table)
        self.tables.staleness.certain(from_ms, until_ms, name)

    def fail(
        self,
        service: str,
        from_ms: int,
        until_ms: int,
        *,
        operations: Iterable[str] | None = None,
        resource: str | None = None,
        code: str = "InternalServerError",
        message: str = "Internal server error",
        status: int = 500,
    ) -> None:
        """Let function code's calls of a service fail for a while of virtual time; see `Fault`.

        Those, too, that a test's hook answers; ``service`` may be the beginning of an address.
        ``resource`` is a name, ARN or URL: ValueError where calls do not tell what they are about.
        """
        wanted = None if operations is None else frozenset(operations)
        if resource is not None:
            resource = self.faults.named(service, wanted, resource)
        self.faults.add(Fault(from_ms, until_ms, service, wanted, resource, code, message, status))

    def observe(self) -> None:
        """Record what SQS reports of its queues each minute, as of now."""
        self._meter.observe(self.queues)

    # -- on-failure destinations -------------------------------------------------------------

    def send(
        self,
        delivery: Delivery,
        role_documents: Sequence[PolicyDocument],
        *,
        role_arn: str = "",
        who: str = "mapping",
    ) -> str | None:
        """Deliver a failure note with a role's permissions; None, or why it did not arrive.

        Standard queues and topics, and buckets:
        https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
        """
        arn = delivery.destination
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        try:
            problem = self._destination_problem(service, arn)
            if problem is not None:
                return problem
            caller = Caller(
                role_documents, role_arn or f"arn:aws:iam::{self.account_id}:role/unknown", who
            )
            for need in iam.delivery_needs(delivery.destination, delivery.key):
                verdict = iam.evaluate_request(
                    role_documents,
                    self._policies_on(need.resource_arn),
                    caller.role_arn,
                    need.action,
                    need.resource_arn,
                    {"s3:ResourceAccount": self.account_id, "aws:ResourceAccount": self.account_id},
                )
                if not verdict.allowed:
                    self._note(need.action, need.resource_arn, caller, verdict.reason)
                    return f"the function's role may not: {verdict.reason}"
            if service == "sqs":
                self._deliver(arn, delivery.body)
            elif service == "sns":
                self.topics.publish(arn, delivery.body)
            else:
                assert delivery.key is not None
                self.buckets.put(arn, delivery.key, delivery.body.encode())
        except ServiceError as error:
            return f"{error.code}: {error.message}"
        return None

    def _destination_problem(self, service: str, arn: str) -> str | None:
        try:
            if service == "sqs":
                if self.queues.arns[self.queues.name_of(arn)] != arn:
                    return f"there is no {arn}"
                if self.queues.is_fifo(arn):
                    return f"{arn} is a FIFO queue; Lambda delivers to standard queues only"
            elif service == "sns":
                if self.topics.by_arn[arn].is_fifo:
                    return f"{arn} is a FIFO topic; Lambda delivers to standard topics only"
            elif service == "s3":
                self.buckets.name_of(arn)
            else:
                return f"{arn} is no queue, topic or bucket"
        except KeyError:
            return f"there is no {arn}"
        return None

    def _deliver(self, queue_arn: str, body: str) -> None:
        self.queues.send(queue_arn, body)
        self._meter.sent(self.queues.name_of(queue_arn))


class _Raw(io.BytesIO):
    """A response body as botocore reads it."""

    def stream(self, amount: int = 65_536, decode_content: bool | None = None) -> Iterator[bytes]:
        while chunk := self.read(amount):
            yield chunk
