"""Lab 5's four workloads, and what a learner's settings in ``tuning.toml`` make of each.

A workload is a day of writes, a handler and three limits; the README's table says the same and a
test compares the two. `judged` simulates the day with ``grader.review.tuning`` and says which
limits a point meets: every point that meets all three is right, whatever it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache

from grader.review import pricing
from grader.review.pricing import MONTH_DAYS, Bill, Pricing
from grader.review.tuning import Choice, Handler, Load, Outcome, Stretch, simulate

HOUR_S = 3600
# Steady hours repeat themselves: so much of one is simulated and stands for all of them.
SAMPLE_S = 600
# The burst comes so long after the beginning of its hour.
BURST_AT_S = 600
BURST_HOURS = 1
# The function's time-out in every workload (seconds).
TIMEOUT_S = 60


@dataclass(frozen=True)
class Workload:
    """One workload; rates are writes a second, ``lag_s`` and ``budget`` what may not be exceeded.

    A day is ``quiet_hours`` at ``quiet``, the rest at ``busy``, and once in it ``burst`` writes a
    second for ``burst_minutes``. ``throttles`` is how many throttled attempts a day may have;
    ``concurrency`` how many executions the account has left for the function; ``log_bytes`` what
    one invocation writes to its log. ``free``: whether the account's free quotas are left for it.
    """

    name: str
    quiet_hours: int
    quiet: int
    busy: int
    burst: int
    burst_minutes: int
    shards: int
    handler: Handler
    concurrency: int
    lag_s: int
    throttles: int
    budget: Decimal
    free: bool
    log_bytes: int = 600

    @property
    def busy_hours(self) -> int:
        """The hours at ``busy``, without those that hold the burst and its aftermath."""
        return 24 - BURST_HOURS - self.quiet_hours

    def loads(self) -> tuple[tuple[int, Load], ...]:
        """What is simulated, each with the seconds of a day that it stands for."""
        steady = [(self.quiet_hours, self.quiet), (self.busy_hours, self.busy)]
        day = [
            (hours * HOUR_S, Load((Stretch(SAMPLE_S, rate * SAMPLE_S),), shards=self.shards))
            for hours, rate in steady
        ]
        burst_s, whole = self.burst_minutes * 60, BURST_HOURS * HOUR_S
        rest = whole - BURST_AT_S - burst_s
        stretches = (
            Stretch(BURST_AT_S, self.busy * BURST_AT_S),
            Stretch(burst_s, self.burst * burst_s),
            Stretch(rest, self.busy * rest),
        )
        return (*day, (whole, Load(stretches, shards=self.shards)))


WORKLOADS: Mapping[str, Workload] = {
    one.name: one
    for one in (
        Workload(
            "low",
            quiet_hours=10,
            quiet=1,
            busy=3,
            burst=40,
            burst_minutes=10,
            shards=1,
            handler=Handler(call_ms=4, record_ms=1, call_wait_ms=10, record_wait_ms=40),
            concurrency=5,
            lag_s=120,
            throttles=0,
            budget=Decimal(0),
            free=True,
        ),
        Workload(
            "medium",
            quiet_hours=8,
            quiet=20,
            busy=100,
            burst=400,
            burst_minutes=15,
            shards=2,
            handler=Handler(call_ms=6, record_ms=2, call_wait_ms=10, record_wait_ms=2),
            concurrency=10,
            lag_s=60,
            throttles=0,
            budget=Decimal(25),
            free=False,
        ),
        Workload(
            "high",
            quiet_hours=6,
            quiet=300,
            busy=1000,
            burst=2500,
            burst_minutes=10,
            shards=4,
            handler=Handler(call_ms=8, record_ms=0.6, call_wait_ms=12, record_wait_ms=1),
            concurrency=20,
            lag_s=300,
            throttles=100,
            budget=Decimal(90),
            free=False,
        ),
        Workload(
            "real-time",
            quiet_hours=8,
            quiet=20,
            busy=60,
            burst=240,
            burst_minutes=5,
            shards=4,
            handler=Handler(call_ms=3, record_ms=1, call_wait_ms=8, record_wait_ms=25),
            concurrency=24,
            lag_s=2,
            throttles=0,
            budget=Decimal(120),
            free=False,
        ),
    )
}


@dataclass(frozen=True)
class Judged:
    """What became of one point in one workload: ``parts`` are the simulated parts of the day."""

    workload: Workload
    choice: Choice
    parts: tuple[Outcome, ...]
    bill: Bill

    @property
    def lag_ms(self) -> int:
        """The longest time from a write to the end of its processing."""
        return max(part.max_delay_ms for part in self.parts)

    @property
    def throttles(self) -> int:
        """Throttled attempts of a day."""
        return round(self._a_day("throttles"))

    @property
    def invocations(self) -> int:
        """Invocations of a day."""
        return round(self._a_day("invocations"))

    def _a_day(self, name: str) -> Decimal:
        return sum(
            (
                Decimal(getattr(part, name)) * seconds * 1000 / part.duration_ms
                for (seconds, _), part in zip(self.workload.loads(), self.parts, strict=True)
            ),
            Decimal(0),
        )

    @property
    def late(self) -> bool:
        """Whether the lag is above the objective, or a backlog is left that nobody works off."""
        return self.lag_ms > self.workload.lag_s * 1000

    @property
    def throttled(self) -> bool:
        """Whether there are more throttles than the limit allows."""
        return self.throttles > self.workload.throttles

    @property
    def dear(self) -> bool:
        """Whether the month costs more than the budget."""
        return self.bill.total > self.workload.budget

    @property
    def right(self) -> bool:
        """Whether all three limits are met."""
        return not (self.late or self.throttled or self.dear)


@cache
def prices() -> Pricing:
    """The price list, read once."""
    return pricing.load()


# Pure, and asked again with the same settings by whoever grades several answers in one process.
@lru_cache(maxsize=128)
def judged(workload: Workload, choice: Choice) -> Judged:
    """Simulate a day of the workload with these settings and bill a month of such days."""
    parts, usage = [], {"logs_ingested_gb": Decimal(0)}
    for seconds, load in workload.loads():
        part = simulate(load, workload.handler, choice, account_concurrency=workload.concurrency)
        parts.append(part)
        share = Decimal(seconds) / (24 * HOUR_S)
        for item, amount in part.usage().items():
            usage[item] = usage.get(item, Decimal(0)) + amount * share
        calls = Decimal(part.invocations) * MONTH_DAYS * seconds * 1000 / part.duration_ms
        usage["logs_ingested_gb"] += calls * workload.log_bytes / 2**30
    return Judged(workload, choice, tuple(parts), pricing.bill(usage, prices(), free=workload.free))
