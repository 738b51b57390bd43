"""The simplest outside world: functions that are called in this process, and no destinations."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grader.cloud.clock import Clock
from grader.cloud.mapping.ports import Delivery, Result

_NOTHING = Result("returned")
_MISTAKES = (NameError, AttributeError, TypeError, ImportError, AssertionError)


def function_arn(name: str) -> str:
    """The ARN of a function of that name in the account and Region that the engine pretends."""
    return f"arn:aws:lambda:us-east-1:123456789012:function:{name}"


class InProcess:
    """A handler ``handler(event, context)`` as a function that takes no virtual time.

    ``context`` is None. An exception is a function error, as on Lambda, and so is an answer that
    is not JSON. The event is the stream's own data: the handler must not change it. This is the
    fast one; see `Scripted` for slow, throttled or timed-out answers.
    """

    def __init__(self, name: str, handler: Callable[[dict[str, Any], Any], Any]) -> None:
        self.name = name
        self.arn = function_arn(name)
        self._handler = handler

    def invoke(self, event: dict[str, Any], done: Callable[[Result], None]) -> None:
        """Call the handler now."""
        try:
            answer = self._handler(event, None)
        except Exception as error:
            done(Result("error", None, type(error).__name__, str(error)))
        else:
            done(_NOTHING if answer is None else _returned(answer))


@dataclass(slots=True)
class ScriptedCall:
    """One call of a `Scripted` function: when it began (ms), its event, how it ended."""

    start_ms: int
    event: dict[str, Any]
    result: Result | None = None


class Scripted:
    """A function whose answers a callable gives: ``answer(event)``, for each invocation.

    - What it returns is the function's answer; it has to be JSON, else the invocation fails as
      ``Runtime.MarshalError``. An exception is a function error, but for one that only a mistake
      in the script raises (a name or attribute that is not there, a wrong call, an assertion): that
      is the test's, and goes through.
    - It may return a `Result` instead: ``Result("throttled")`` for a function that never started,
      ``Result("error", error_type="Runtime.ExitError")``, or one with a duration of its own.
    - ``duration_ms``: how long an invocation takes in virtual milliseconds.
    - ``timeout_ms``: an invocation that would take longer ends there, as a function error
      (https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html).

    Without ``answer`` every invocation succeeds. The event is a copy, so ``answer`` may change it.
    ``answer`` and both times may be set anew at any time. ``calls`` keeps every call; a throttled
    answer is one, but an invocation that the account's concurrency stops never gets here.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        answer: Callable[[dict[str, Any]], Any] | None = None,
        *,
        duration_ms: int = 0,
        timeout_ms: int | None = None,
    ) -> None:
        self.name = name
        self.arn = function_arn(name)
        self.answer = answer
        self.duration_ms = duration_ms
        self.timeout_ms = timeout_ms
        self.calls: list[ScriptedCall] = []
        self._clock = clock

    def invoke(self, event: dict[str, Any], done: Callable[[Result], None]) -> None:
        """Ask for the answer now, and give it when the duration is over."""
        event = json.loads(json.dumps(event))
        call = ScriptedCall(self._clock.now, event)
        self.calls.append(call)
        result = self._result(event)
        if self.timeout_ms is not None and result.duration_ms > self.timeout_ms:
            result = Result(
                "error",
                None,
                "Sandbox.Timedout",
                f"Task timed out after {self.timeout_ms / 1000:.2f} seconds",
                self.timeout_ms,
            )

        def end() -> None:
            call.result = result
            done(result)

        if result.duration_ms:
            self._clock.after(result.duration_ms, end)
        else:
            end()

    def _result(self, event: dict[str, Any]) -> Result:
        duration_ms = self.duration_ms
        try:
            answer = None if self.answer is None else self.answer(event)
        except _MISTAKES:
            raise
        except Exception as error:
            return Result("error", None, type(error).__name__, str(error), duration_ms)
        return answer if isinstance(answer, Result) else _returned(answer, duration_ms)


class NoDestinations:
    """No queue, topic or bucket exists: every note fails to arrive."""

    def send(self, delivery: Delivery) -> str | None:
        """Why the note did not arrive."""
        return f"{delivery.destination} does not exist"


def _returned(answer: Any, duration_ms: int = 0) -> Result:
    """What a handler returned, as the runtime sends it: JSON, or a function error."""
    try:
        payload = json.loads(json.dumps(answer))
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return Result("error", None, "Runtime.MarshalError", message, duration_ms)
    return Result("returned", payload, duration_ms=duration_ms)
