"""What the emulator hands out and what it needs from outside.

Everything else in this package works on these few types; nothing here knows about moto, processes
or files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Result:
    """How one synchronous invocation ended.

    - ``returned``: ``payload`` is the decoded JSON value that came back;
    - ``error``: a function error (exception, timeout, exit, out of memory, bad result);
    - ``throttled``: the function never started (no concurrency left, or Lambda itself failed).
    """

    kind: Literal["returned", "error", "throttled"]
    payload: Any = None
    error_type: str | None = None
    error_message: str | None = None
    duration_ms: int = 0


class Function(Protocol):
    """A function that a mapping can invoke."""

    @property
    def name(self) -> str:
        """The function's name."""

    @property
    def arn(self) -> str:
        """The function's unqualified ARN."""

    def invoke(self, event: dict[str, Any], done: Callable[[Result], None]) -> None:
        """Start an invocation now; call ``done`` exactly once, at the virtual time of its end.

        ``done`` may be called before ``invoke`` returns (a throttle, an instant function).
        """


@dataclass(frozen=True, slots=True)
class Delivery:
    """A failure note on its way to an on-failure destination.

    ``body`` is the JSON text that SQS and SNS receive and that S3 stores; ``key`` is the S3 object
    key (None for queues and topics).
    """

    destination: str
    body: str
    key: str | None = None


class Destinations(Protocol):
    """Where failure notes go."""

    def send(self, delivery: Delivery) -> str | None:
        """Deliver the note now. None when it arrived, otherwise the reason why it did not."""
