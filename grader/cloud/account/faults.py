"""Scripted faults: throttled tables and failing services, for function code only.

A fault is in force for a while of virtual time. It meets calls before they take effect, in the form
in which the service itself would answer: a throttled batch hands back what it did not write, a
throttled transaction is cancelled with its reasons.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.cloud import iam
from grader.cloud.account.beyond import tells
from grader.cloud.aws import Request, ServiceError
from grader.cloud.clock import Clock
from grader.cloud.metrics import Metrics, dimensions

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
_DATA = _WRITES | {"GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan"}
_BATCHES = {"BatchWriteItem": "UnprocessedItems", "BatchGetItem": "UnprocessedKeys"}


@dataclass(frozen=True, slots=True)
class Fault:
    """A scripted failure: matching calls from ``from_ms`` to before ``until_ms`` get this error.

    None matches anything. ``resource`` is the name of what a call is about; see `Faults.named`.
    """

    from_ms: int
    until_ms: int
    service: str
    operations: frozenset[str] | None
    resource: str | None
    code: str
    message: str
    status: int

    @property
    def throttles(self) -> bool:
        """Whether this is DynamoDB saying that there is too much traffic."""
        return self.service == "dynamodb" and self.status < 500


class Faults:
    """Every scripted fault of one account; throttled requests are counted in ``metrics``.

    ``needs`` says which permissions a call asks for. ``names`` finds by service a resource's name,
    by name, ARN or URL; KeyError when there is none.
    """

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        needs: Callable[[Request], list[iam.Need]],
        names: Mapping[str, Callable[[str], str]],
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._needs = needs
        self._names_of = names
        self._faults: list[Fault] = []
        # What else may refuse a call of function code, such as a table's own capacity: each raises
        # ServiceError, or lets the call through.
        self.gates: list[Callable[[Request], None]] = []

    def add(self, fault: Fault) -> None:
        """Let this fault happen."""
        self._faults.append(fault)

    def throttle(
        self,
        table: str,
        from_ms: int,
        until_ms: int,
        *,
        on_demand: bool,
        operations: Iterable[str] | None,
    ) -> None:
        """Throttle a table, with the error of its billing mode.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
        """
        if on_demand:
            code = "ThrottlingException"
            message = (
                "Throughput exceeds the current capacity of your table or index. DynamoDB is "
                "automatically scaling your table or index so please try again shortly."
            )
        else:
            code = "ProvisionedThroughputExceededException"
            message = (
                "The level of configured provisioned throughput for the table was exceeded. "
                "Consider increasing your provisioning level with the UpdateTable API."
            )
        wanted = frozenset(_DATA if operations is None else operations)
        self.add(Fault(from_ms, until_ms, "dynamodb", wanted, table, code, message, 400))

    def check(self, request: Request) -> None:
        """Raise the scripted error that meets the whole call, if there is one."""
        for gate in self.gates:
            gate(request)
        for fault, names in self._meeting(request):
            if request.operation in _BATCHES and set(self._names(request)) - names:
                continue
            if fault.throttles:
                self.throttled(request.operation, names)
            if request.operation == "TransactWriteItems" and fault.throttles:
                raise _cancelled(fault, request.params)
            raise ServiceError(fault.code, fault.message, fault.status)

    def named(self, service: str, operations: Iterable[str] | None, resource: str) -> str:
        """The name of what a fault is to be about, from its name, ARN or URL.

        ValueError, with a sentence, when there is no such thing, and where calls do not tell what
        they are about: in front of a fault that nothing would ever meet.
        """
        if service.startswith("http"):
            raise ValueError(f"{service} has no resource: name more of the address instead.")
        played = iam.allowed_operations().get(service, ())
        dark = [f"{service}:{one}" for one in operations or () if one not in played]
        dark = [action for action in dark if not tells(action)]
        if dark or not (service in self._names_of or tells(f"{service}:")):
            raise ValueError(
                f"Which resource a call of {dark[0] if dark else service} is about is not known "
                "here: leave resource out, and every such call fails."
            )
        try:
            return self._names_of.get(service, _name)(resource)
        except KeyError:
            raise ValueError(f"{service} has no {resource} in this account.") from None

    def meet(self, service: str, operation: str, arns: Sequence[str] | None) -> None:
        """Raise the scripted error that meets a call which a test answers, if there is one.

        ``service`` is as IAM calls it, or the address of a request elsewhere, whose beginning the
        fault names. ``arns`` is what the call is about, None when that is not known: then a fault
        of one resource is told in its place.
        """
        now = self._clock.now
        for fault in self._faults:
            named = fault.service == service or (
                fault.service.startswith("http") and service.startswith(fault.service)
            )
            wanted = fault.operations is None or operation in fault.operations
            if not (named and wanted and fault.from_ms <= now < fault.until_ms):
                continue
            if fault.resource is not None and arns is None:
                raise ServiceError(
                    "NotEmulated",
                    f"Whether {service}:{operation} is about {fault.resource}, whose calls fail "
                    "now, is not known here: let calls fail without a resource.",
                )
            if fault.resource is None or fault.resource in map(_name, arns or ()):
                raise ServiceError(fault.code, fault.message, fault.status)

    def hold_back(self, request: Request) -> dict[str, Any]:
        """Take the tables that are throttled out of a batch; the answer's member for them."""
        if request.operation not in _BATCHES:
            return {}
        held: dict[str, Any] = {}
        for fault, names in self._meeting(request):
            if fault.throttles:
                self.throttled(request.operation, names, whole=False)
            for table in list(request.params["RequestItems"]):
                if table.rpartition("/")[2] in names:
                    held[table] = request.params["RequestItems"].pop(table)
        return {_BATCHES[request.operation]: held} if held else {}

    def _meeting(self, request: Request) -> Iterator[tuple[Fault, set[str]]]:
        """Every fault in force for a call, with the names of the resources that it meets."""
        if not self._faults:
            return
        now = self._clock.now
        self._faults = [fault for fault in self._faults if fault.until_ms > now]
        for fault in self._faults:
            if fault.service != request.service or fault.from_ms > now:
                continue
            if fault.operations is not None and request.operation not in fault.operations:
                continue
            names = set(self._names(request))
            if fault.resource is None:
                yield fault, names
            elif fault.resource in names:
                yield fault, {fault.resource}

    def _names(self, request: Request) -> Iterator[str]:
        """The names of the tables, queues, topics and buckets that a call is about."""
        for need in self._needs(request):
            yield _name(need.resource_arn)

    def throttled(self, operation: str, tables: Iterable[str], *, whole: bool = True) -> None:
        """Count a request that was throttled on these tables; not ``whole``: in part, as a batch.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
        """
        events = "WriteThrottleEvents" if operation in _WRITES else "ReadThrottleEvents"
        now = self._clock.now
        for table in sorted(tables):
            where = dimensions(TableName=table, Operation=operation)
            if whole:
                self._metrics.put(
                    "AWS/DynamoDB", "ThrottledRequests", 1, now, unit="Count", dims=where
                )
            of_table = dimensions(TableName=table)
            self._metrics.put("AWS/DynamoDB", events, 1, now, unit="Count", dims=of_table)


def _name(arn: str) -> str:
    """The name of what an ARN stands for: of a table, whatever is meant of it; a name as it is."""
    if arn.count(":") < 5:
        return arn.lstrip("/")
    service, rest = arn.split(":", 5)[2], arn.split(":", 5)[5]
    if service == "s3":
        return rest.partition("/")[0]
    name = rest if service in ("sns", "sqs") else re.split("[:/]", rest, maxsplit=1)[-1]
    if service == "secretsmanager":
        return re.sub(r"-[A-Za-z0-9?]{6}$", "", name)
    return name.partition("/" if service == "dynamodb" else ":")[0]


def _cancelled(fault: Fault, params: Mapping[str, Any]) -> ServiceError:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""
    on_demand = fault.code == "ThrottlingException"
    code = "ThrottlingError" if on_demand else "ProvisionedThroughputExceeded"
    reasons = []
    for item in params.get("TransactItems") or ():
        part: Mapping[str, Any] = next(iter(item.values()), {})
        name = str(part.get("TableName", "")).rpartition("/")[2]
        met = fault.resource in (None, name)
        reasons.append({"Code": code, "Message": fault.message} if met else {"Code": "None"})
    codes = ", ".join(reason["Code"] for reason in reasons)
    message = (
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    )
    return ServiceError(
        "TransactionCanceledException", message, CancellationReasons=reasons, Message=message
    )
