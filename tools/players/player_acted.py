"""A function whose AWS calls are carried out by the emulated account, one by one on virtual time.

A handler is a generator: it yields what it asks for and is sent the answer, or has a `ServiceError`
thrown in. So two invocations overlap as they do on AWS, and an environment can die at any call.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal

from grader.cloud.account import Account
from grader.cloud.aws import Call, ServiceError
from grader.cloud.function import Invocation
from grader.cloud.mapping import Bench
from grader.cloud.mapping.ports import Result

TOTALS, MARKERS = "MerchantTotals", "CountedRecords"
KEYS = {TOTALS: "merchant", MARKERS: "id"}
Ask = tuple[str, dict[str, Any]]
Handler = Callable[[dict[str, Any]], Generator[Ask, Any, dict[str, Any] | None]]
When = Literal["before", "after"]
# Whose call it is: the scope with which a request is signed.
SCOPE = "key/20261120/us-east-1/dynamodb/aws4_request"
# The emulator's own names for how a call ended, and for a process that is gone.
ANSWERED = "answered"
GONE = Result("error", None, "Runtime.ExitError", "the environment died")


def account(bench: Bench) -> Account:
    """An account on the bench's clock, with the two tables of totals."""
    made = Account(bench.clock, bench.metrics)
    for table, key in KEYS.items():
        made.call(
            "dynamodb",
            "CreateTable",
            TableName=table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    return made


@dataclass
class Acted:
    """The function. ``takes`` are the milliseconds of one call.

    ``kill`` is (number of the write, when) and meets the first invocation only. ``words`` say of
    each call what it was about, by the numbers of its invocation and itself.
    """

    name: str
    arn: str
    bench: Bench
    account: Account
    handler: Handler
    takes: int = 20
    kill: tuple[int, When] | None = None
    invocations: list[Invocation] = field(default_factory=list)
    words: dict[tuple[int, int], str] = field(default_factory=dict)

    def invoke(self, event: dict[str, Any], done: Callable[[Result], None]) -> None:
        """Start an invocation now; see `grader.cloud.mapping.ports.Function`."""
        made = Invocation(
            number=len(self.invocations) + 1,
            environment=1 + sum(1 for one in self.invocations if one.end_ms is None or one.killed),
            request_id=f"request-{len(self.invocations) + 1}",
            cold=not self.invocations,
            start_ms=self.bench.now,
            event=event,
        )
        self.invocations.append(made)
        _Running(self, made, self.handler(event), done).go_on(None)


@dataclass
class _Running:
    """One invocation under way."""

    of: Acted
    made: Invocation
    steps: Generator[Ask, Any, dict[str, Any] | None]
    done: Callable[[Result], None]
    writes: int = 0

    def go_on(self, answer: Any, error: ServiceError | None = None) -> None:
        try:
            ask = self.steps.send(answer) if error is None else self.steps.throw(error)
        except StopIteration as end:
            self._end(Result("returned", end.value))
        except ServiceError as raised:
            self._end(Result("error", None, raised.code, raised.message))
        else:
            self._ask(*ask)

    def _ask(self, operation: str, params: dict[str, Any]) -> None:
        number = len(self.made.calls) + 1
        headers = {
            "x-amz-target": f"DynamoDB_20120810.{operation}",
            "authorization": f"AWS4-HMAC-SHA256 Credential={SCOPE},",
        }
        now, environment = self.of.bench.now, self.made.environment
        self.made.calls.append(
            Call(environment, self.made.number, number, now, "POST", "https://", headers, b"")
        )
        self.writes += operation != "GetItem"
        dies = self._dies(operation)
        if dies == "before":
            self._die(dies)
            return
        self.of.bench.clock.after(
            self.of.takes, lambda: self._answer(number, operation, params, dies)
        )

    def _dies(self, operation: str) -> When | None:
        """Whether the environment dies at this call."""
        if self.of.kill is None or self.made.number > 1 or operation == "GetItem":
            return None
        write, when = self.of.kill
        return when if write == self.writes else None

    def _answer(
        self, number: int, operation: str, params: dict[str, Any], dies: When | None
    ) -> None:
        answer: Any = None
        error: ServiceError | None = None
        try:
            answer = self.of.account.call("dynamodb", operation, **params)
        except ServiceError as raised:
            error = raised
        if dies == "after":
            self._die(dies)
            return
        ended = ANSWERED if error is None else error.code
        self.made.ends[number] = ended
        self.of.words[self.made.number, number] = said(operation, params, answer, ended)
        self.go_on(answer, error)

    def _die(self, when: When) -> None:
        self.made.killed = when
        self.steps.close()
        self._end(GONE)

    def _end(self, result: Result) -> None:
        self.made.end_ms, self.made.result = self.of.bench.now, result
        self.done(result)


def said(operation: str, params: dict[str, Any], answer: Any, ended: str) -> str:
    """How a call ended, with the table it was about and the number that it read or wrote."""
    about = params.get("TableName") or "both tables"
    number = (answer or {}).get("Item", {}).get("total", {}).get("N")
    if operation == "PutItem" and "total" in params["Item"]:
        number = params["Item"]["total"]["N"]
    total = "" if number is None else f", total {int(number) / 100:.2f}"
    return f"{ended} ({about}{total})"
