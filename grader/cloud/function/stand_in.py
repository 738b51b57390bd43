"""A function whose code is a callable of the test: for code that is not Python, or not there.

Its mapping, alarms, destinations and costs are those of the template; only what happens inside is
the test's. It runs in the test's own process, makes no AWS calls through the door and takes no
virtual time unless it says so with a `Result`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from grader.cloud.aws import Refused
from grader.cloud.clock import Clock
from grader.cloud.function.spec import FaultPlan, FunctionSpec, Invocation, Invocations
from grader.cloud.mapping.inprocess import Scripted
from grader.cloud.mapping.ports import Result

Handler = Callable[..., Any]


class StandIn:
    """A deployed function that calls ``handler(event)`` or ``handler(event, context)``.

    What it returns, raises or says with a `Result` counts as for a
    `grader.cloud.mapping.inprocess.Scripted`. Without a handler an invocation raises Refused with
    ``missing``, the sentence that says what the function lacks.
    """

    def __init__(
        self, spec: FunctionSpec, clock: Clock, handler: Handler | None, missing: str
    ) -> None:
        self.spec = spec
        self.faults: FaultPlan | None = None
        self.invocations = Invocations()
        self._clock = clock
        self._missing = missing
        self._called = None if handler is None else _with_context(handler, spec)
        self._scripted = Scripted(spec.name, clock, self._called, timeout_ms=spec.timeout_ms)

    @property
    def name(self) -> str:
        """The function's name."""
        return self.spec.name

    @property
    def arn(self) -> str:
        """The function's unqualified ARN."""
        return self.spec.arn

    def invoke(self, event: dict[str, Any], done: Callable[[Result], None]) -> None:
        """Call the handler now; ``done`` is called at the virtual time of the invocation's end."""
        if self._called is None:
            raise Refused("NotPlayed", self._missing, resource=self.spec.name)
        number = self.invocations.made + 1
        invocation = Invocation(
            number=number,
            environment=1,
            request_id=f"{number:08x}-0000-4000-8000-000000000000",
            cold=number == 1,
            start_ms=self._clock.now,
            event=event,
        )
        self.invocations.append(invocation)

        def ended(result: Result) -> None:
            invocation.end_ms, invocation.result = self._clock.now, result
            done(result)

        self._scripted.invoke(event, ended)

    def recycle(self) -> None:
        """A stand-in keeps no environments."""

    def close(self) -> None:
        """A stand-in holds nothing."""


def _with_context(handler: Handler, spec: FunctionSpec) -> Callable[[dict[str, Any]], Any]:
    """The handler with Lambda's context, where it takes one."""
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return handler
    context = SimpleNamespace(
        function_name=spec.name,
        function_version="$LATEST",
        invoked_function_arn=spec.arn,
        memory_limit_in_mb=str(spec.memory_mb),
        aws_request_id="00000000-0000-4000-8000-000000000000",
        log_group_name=spec.log_group,
        log_stream_name="stand-in",
        get_remaining_time_in_millis=lambda: spec.timeout_ms,
    )
    return lambda event: handler(event, context)
