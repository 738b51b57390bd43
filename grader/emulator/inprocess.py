"""The simplest outside world: a handler called in this process, and no destinations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grader.emulator.ports import Delivery, Result

_NOTHING = Result("returned")


class InProcess:
    """A handler ``handler(event, context)`` as a function that takes no virtual time.

    ``context`` is None. An exception is a function error, as on Lambda. The event is the
    stream's own data: the handler must not change it.
    """

    def __init__(self, name: str, handler: Callable[[dict[str, Any], Any], Any]) -> None:
        self.name = name
        self.arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
        self._handler = handler

    def invoke(self, event: dict[str, Any], done: Callable[[Result], None]) -> None:
        """Call the handler now."""
        try:
            answer = self._handler(event, None)
        except Exception as error:
            done(Result("error", None, type(error).__name__, str(error)))
        else:
            done(_NOTHING if answer is None else Result("returned", answer))


class NoDestinations:
    """No queue, topic or bucket exists: every note fails to arrive."""

    def send(self, delivery: Delivery) -> str | None:
        """Why the note did not arrive."""
        return f"{delivery.destination} does not exist"
