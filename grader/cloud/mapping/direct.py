"""Invocations that no mapping makes: a client's, another team's. Lambda counts them all the same.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
"""

from __future__ import annotations

from grader.cloud.clock import Clock
from grader.cloud.mapping.concurrency import Concurrency
from grader.cloud.metrics import Dimensions, Metrics, arrival_ms, dimensions


class Direct:
    """One function's invocations beside its mappings, with what they take and what is told."""

    def __init__(
        self, clock: Clock, metrics: Metrics, concurrency: Concurrency, function_name: str
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._concurrency = concurrency
        self._name = function_name
        self._of = dimensions(FunctionName=function_name)

    def begins(self) -> bool:
        """Begin an invocation now. False when it is throttled, which is told, too."""
        if not self._concurrency.acquire(self._name):
            self.throttled(1)
            return False
        self.stands()
        return True

    def throttled(self, times: int) -> None:
        """So many invocations were not let begin: neither invocations nor errors."""
        self._put("Throttles", 1, self._clock.now, times)

    def stands(self) -> None:
        """How many run now: of this function, and of all functions of the account together."""
        now, of_account = self._clock.now, self._concurrency
        self._put("ConcurrentExecutions", of_account.running(self._name), now)
        for name, figure in of_account.figures().items():
            self._put(name, figure, now, dims=())

    def ended(self, start_ms: int, duration_ms: float, *, failed: bool, times: int = 1) -> None:
        """So many invocations that began at one moment have ended now."""
        for _ in range(times):
            self._concurrency.release(self._name)
        self._put("Invocations", 1, start_ms, times)
        self._put("Errors", int(failed), start_ms, times)
        self._put("Throttles", 0, start_ms, times)
        self._put("Duration", duration_ms, start_ms, times, unit="Milliseconds")

    def _put(
        self,
        name: str,
        value: float,
        time_ms: int,
        times: int = 1,
        *,
        unit: str = "Count",
        dims: Dimensions | None = None,
    ) -> None:
        """Stamped with the invocation's begin, and there when the minute of its end is over."""
        if times:
            self._metrics.add(
                "AWS/Lambda",
                name,
                value,
                time_ms,
                unit=unit,
                dims=self._of if dims is None else dims,
                count=times,
                arrived_ms=arrival_ms("AWS/Lambda", self._clock.now),
            )
