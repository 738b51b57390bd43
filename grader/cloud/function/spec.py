"""What the function process needs to know about a function, and what it reports back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from grader.cloud.mapping.ports import Result


@dataclass(frozen=True)
class FunctionSpec:
    """One Lambda function as deployed."""

    name: str
    arn: str
    role: str
    handler: str
    code: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 128
    timeout_ms: int = 3000
    runtime: str = "python3.13"
    log_group: str = ""
    log_format: Literal["Text", "JSON"] = "Text"
    application_log_level: str | None = None
    system_log_level: str | None = None
    region: str = "us-east-1"
    account_id: str = "123456789012"


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS call that the function's code made: an HTTP request, held at the door.

    ``number`` counts the calls of its invocation from 1; ``invocation`` counts the invocations of
    the function from 1; ``environment`` counts cold starts from 1. ``time_ms`` is virtual.
    """

    environment: int
    invocation: int
    number: int
    time_ms: int
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """The operation's name where the request carries it, otherwise method and path."""
        for name, value in self.headers.items():
            if name.lower() == "x-amz-target":
                return value.rpartition(".")[2]
        return f"{self.method} {urlsplit(self.url).path}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the door answers: an HTTP response and how long it took in virtual milliseconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    latency_ms: int = 5


@dataclass(frozen=True, slots=True)
class Kill:
    """A fault: the environment dies right before, or right after, this call takes effect."""

    when: Literal["before", "after"]


Answer = Callable[[Call], Reply]
FaultPlan = Callable[[Call], Kill | None]


@dataclass(slots=True)
class LogLine:
    """One line of a function's log, as CloudWatch Logs would have received it."""

    time_ms: int
    environment: int
    request_id: str
    text: str


@dataclass(slots=True)
class Invocation:
    """The record of one invocation; ``end_ms`` and ``result`` are None while it runs.

    ``real_limit`` names the judge's own limit that ended it ("cpu", "blocked", "memory", "output",
    "processes", "wall clock", or "hang budget" when it was never started because the play had hung
    too often), None in the ordinary case. ``killed`` is the fault's ``when`` ("before", "after").
    ``init_failed`` is True when the function's module never became ready, so that its handler was
    not called.
    """

    number: int
    environment: int
    request_id: str
    cold: bool
    start_ms: int
    event: dict[str, object]
    end_ms: int | None = None
    result: Result | None = None
    calls: list[Call] = field(default_factory=list)
    logs: list[LogLine] = field(default_factory=list)
    killed: str | None = None
    real_limit: str | None = None
    init_failed: bool = False

    @property
    def sequences(self) -> list[int]:
        """The sequence numbers of the stream records in the event, in their order."""
        records: Any = self.event.get("Records", [])
        return [int(record["dynamodb"]["SequenceNumber"]) for record in records]
