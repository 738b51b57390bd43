"""What the services of a sandbox answer from: the running account and what only clients look at."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from grader.cloud import Cloud
from grader.cloud.aws import ACCOUNT_ID, REGION, Reply, Request
from grader.sandbox.alarms import Alarms

MOST_REMARKS = 200
# What an account in use remembers of what is over, whoever may look back: of each function the last
# invocations with so many records and calls, of each mapping its last steps, of each log group its
# last lines, and of all tables who wrote last. A choice: AWS keeps lines and no such records.
MOST_REMEMBERED, MOST_LINES = 10_000, 100_000
# A range that ends so long before now leaves out what has just happened.
BEHIND_MS = 60_000


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence for who looks at the console: what an answer did not say. Virtual time."""

    time_ms: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: what was asked, when, and what became of it.

    ``virtual_ms`` is the sandbox's time before the request took effect, ``wall_s`` the machine's
    (seconds since the epoch). ``outcome`` is "answered" or the code of the error; ``params`` are
    those of the API, empty where they were too large to keep.
    """

    number: int
    virtual_ms: int
    wall_s: float
    service: str
    operation: str
    params: Mapping[str, Any]
    status: int
    outcome: str
    message: str = ""

    @property
    def action(self) -> str:
        """Service and operation, such as ``lambda:UpdateEventSourceMapping``."""
        return f"{self.service}:{self.operation}"


class World:
    """One account in use: the `Cloud` below, alarms with their history, change sets, remarks."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.alarms = Alarms(cloud)
        self.change_sets: dict[str, dict[str, Any]] = {}
        # By name: the budget and its notifications with their subscribers.
        self.budgets: dict[str, dict[str, Any]] = {}
        self.remarks: deque[Remark] = deque(maxlen=MOST_REMARKS)

    @property
    def now(self) -> int:
        """Virtual time in milliseconds."""
        return self.cloud.clock.now

    def forget(self) -> None:
        """Forget the oldest of what only looks back, so that an account in use stays small."""
        cloud = self.cloud
        for host in cloud.functions.values():
            host.invocations.forget(MOST_REMEMBERED)
        for journal in cloud.journals.values():
            journal.forget(MOST_REMEMBERED)
        for told in (cloud.account.tables.writes, cloud.deliveries, cloud.account.denied):
            del told[:-MOST_REMEMBERED]
        cloud.account.logs.forget(MOST_LINES)

    def remark(self, sentence: str) -> None:
        """Say something to who looks at the console, once in a row."""
        if not self.remarks or self.remarks[-1].sentence != sentence:
            self.remarks.append(Remark(self.now, sentence))

    def explain_empty(self, what: str, start_ms: int, end_ms: int) -> None:
        """Why a range of time may have been empty: it lies beside virtual time."""
        if start_ms > self.now:
            where = "begins after"
        elif end_ms < self.now - BEHIND_MS:
            where = "ends before"
        else:
            return
        now = datetime.fromtimestamp(self.now / 1000, UTC)
        self.remark(
            f"Nothing was found of {what}: the range asked for {where} the time in this sandbox, "
            f"which is {now:%Y-%m-%dT%H:%M:%SZ}. `labs sandbox time` tells it."
        )


Answer = Callable[[World, Request], Mapping[str, Any] | Reply]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation that is answered; ``note`` says what of it is special here."""

    service: str
    name: str
    answer: Answer
    note: str


# Everything that is answered, as service:Operation.
OPERATIONS: dict[str, Operation] = {}


def answers(service: str, *names: str, note: str = "") -> Callable[[Answer], Answer]:
    """Register a function as the answer to these operations of a service."""

    def register(answer: Answer) -> Answer:
        for name in names:
            OPERATIONS[f"{service}:{name}"] = Operation(service, name, answer, note)
        return answer

    return register


def arn(service: str, rest: str) -> str:
    """An ARN of this account in its Region."""
    return f"arn:aws:{service}:{REGION}:{ACCOUNT_ID}:{rest}"
