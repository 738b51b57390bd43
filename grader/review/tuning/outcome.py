"""Run a simulation, and what comes out of it: figures over time, totals, a monthly bill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from grader.cloud.mapping import DEFAULT_ACCOUNT_LIMIT, poll_phase_ms
from grader.review.pricing import (
    MONTH_DAYS,
    Amount,
    Bill,
    Pricing,
    bill,
    gb_seconds,
    lambda_compute,
    provisioned_compute,
)
from grader.review.tuning.engine import Engine
from grader.review.tuning.load import Choice, Handler, Load, ShardPlan
from grader.review.tuning.parts import Run, Totals

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load, a handler and a choice of settings come to.

    Lists have one entry a minute; an age or delay is None when nothing was handed over. An
    invocation belongs to the minute in which it starts, a delay to the one in which it ends;
    ``backlog_by_minute`` is what waits when a minute is over.

    - ``iterator_age_ms``: the highest age of a batch's last record when it was handed over, the
      metric ``IteratorAge`` (https://docs.aws.amazon.com/lambda/latest/dg/
      monitoring-metrics-types.html);
    - ``delay_ms``: the longest time from a write to the end of the invocation that processed it.
      It contains what the metric does not see: the batching window, retries, the work itself;
    - ``retries``: invocations with a batch that had failed before;
    - ``discarded``: records given up after MaximumRetryAttempts or MaximumRecordAgeInSeconds;
      ``lost``: records that left the stream after 24 hours; ``backlog``: records still to be dealt
      with at the end, the oldest of which is ``oldest_ms`` old;
    - ``handed``: records in invocations, repetitions included;
    - ``peak_concurrency``: the most executions at once; shards that cannot disturb each other are
      simulated apart, and their peaks add up.
    """

    load: Load
    handler: Handler
    choice: Choice
    duration_ms: int
    iterator_age_ms: tuple[int | None, ...]
    delay_ms: tuple[int | None, ...]
    invocations_by_minute: tuple[int, ...]
    throttles_by_minute: tuple[int, ...]
    errors_by_minute: tuple[int, ...]
    billed_ms_by_minute: tuple[int, ...]
    backlog_by_minute: tuple[int, ...]
    invocations: int
    errors: int
    timeouts: int
    retries: int
    throttles: int
    cold_starts: int
    full_batches: int
    handed: int
    processed: int
    discarded: int
    lost: int
    backlog: int
    oldest_ms: int
    billed_ms: int
    provisioned_ms: int
    peak_concurrency: int

    @property
    def max_iterator_age_ms(self) -> int:
        """The highest iterator age; 0 when nothing was handed over."""
        return max((age for age in self.iterator_age_ms if age is not None), default=0)

    @property
    def max_delay_ms(self) -> int:
        """The longest delay of a record, those still waiting at the end included."""
        finished = max((delay for delay in self.delay_ms if delay is not None), default=0)
        return max(finished, self.oldest_ms)

    @property
    def backlog_grows(self) -> bool:
        """Whether more than a minute's worth of writes waits at the end."""
        return self.backlog * self.load.seconds > self.load.writes * 60

    @property
    def gb_seconds(self) -> Decimal:
        """Billed duration times configured memory."""
        return gb_seconds(self.billed_ms, self.choice.memory_mb)

    @property
    def mean_batch(self) -> float:
        """Records in an invocation, on average; 0 without invocations."""
        return self.handed / self.invocations if self.invocations else 0.0

    @property
    def mean_concurrency(self) -> float:
        """Executions running at once, on average over the whole time."""
        return self.billed_ms / self.duration_ms

    def usage(self, *, days: Amount = MONTH_DAYS) -> dict[str, Decimal]:
        """A month's amounts by item of the price list, if every day is like the simulated time.

        Only what the mapping and the function cause by themselves: requests, compute, provisioned
        concurrency. What the handler writes, logs and measures is added by whoever knows it.
        """
        times = Decimal(days) * DAY_MS / self.duration_ms
        ready, run = provisioned_compute(self.choice.architecture)
        if not self.choice.provisioned:
            return {
                "lambda_requests": self.invocations * times,
                lambda_compute(self.choice.architecture): self.gb_seconds * times,
            }
        # The free tier is not for functions with provisioned concurrency, nor is what spills over
        # to on-demand cheaper. https://aws.amazon.com/lambda/pricing/
        memory = self.choice.memory_mb
        return {
            "lambda_provisioned_requests": self.invocations * times,
            lambda_compute(self.choice.architecture): times
            * gb_seconds(self.billed_ms - self.provisioned_ms, memory),
            ready: gb_seconds(Decimal(days) * DAY_MS * self.choice.provisioned, memory),
            run: times * gb_seconds(self.provisioned_ms, memory),
        }

    def bill(
        self,
        pricing: Pricing,
        *,
        days: Amount = MONTH_DAYS,
        extra: Mapping[str, Amount] | None = None,
        free: bool = True,
    ) -> Bill:
        """The bill of a month of such days; ``extra`` adds amounts by item (a month's)."""
        amounts: dict[str, Amount] = {**self.usage(days=days)}
        for item, amount in (extra or {}).items():
            amounts[item] = Decimal(str(amounts.get(item, 0))) + Decimal(str(amount))
        return bill(amounts, pricing, days=days, free=free)


def simulate(
    load: Load,
    handler: Handler,
    choice: Choice,
    *,
    duration_s: int | None = None,
    polling_from_s: int = 0,
    account_concurrency: int = DEFAULT_ACCOUNT_LIMIT,
    seed: int = 0,
) -> Outcome:
    """Simulate ``duration_s`` seconds, the last millisecond included; None: as long as the load.

    A longer time lets a backlog drain. ``polling_from_s`` is when the mapping begins to poll:
    later than 0 is a pause with a backlog. ``seed`` decides which invocations fail and in which
    order the shards poll, each at a point of its own within the quarter of a second
    (``grader.cloud.mapping.choices``).
    """
    end_ms = 1000 * (load.seconds if duration_s is None else duration_s)
    if end_ms < 1000:
        raise ValueError("a simulation takes at least one second")
    plans = load.plan()
    lanes = choice.parallelization
    limit = account_concurrency if choice.concurrency is None else choice.concurrency
    leaves = len(plans) - len({plan.parent for plan in plans if plan.parent is not None})

    # Shards meet only where executions run short. Where they do not, each family of shards is
    # simulated for itself, and just once those that are alike.
    needed = leaves * lanes
    apart = needed <= limit and (choice.provisioned == 0 or choice.provisioned >= needed)
    groups = _families(plans) if apart else [plans]
    alike: dict[object, int] = {}
    runs: list[tuple[Run, int]] = []
    for number, group in enumerate(groups):
        shape: object = number
        if not load.random and not handler.error_rate:
            shape = tuple(
                (p.open_ms, p.close_ms, p.pieces, poll_phase_ms(p.number, seed)) for p in group
            )
        if shape in alike:
            run, times = runs[alike[shape]]
            runs[alike[shape]] = (run, times + 1)
            continue
        alike[shape] = len(runs)
        # Families that are apart have provisioned concurrency for every lane, or none.
        provisioned = choice.provisioned
        if apart and provisioned:
            provisioned = len(group) * lanes
        engine = Engine(
            load,
            handler,
            choice,
            group,
            limit=limit,
            provisioned=provisioned,
            end_ms=end_ms,
            poll_from_ms=polling_from_s * 1000,
            seed=seed,
            stream=number,
        )
        runs.append((engine.run(), 1))
    return _outcome(load, handler, choice, end_ms, runs)


def _families(plans: tuple[ShardPlan, ...]) -> list[tuple[ShardPlan, ...]]:
    """The shards by the first of their ancestors, in order of their numbers."""
    roots: dict[int, int] = {}
    families: dict[int, list[ShardPlan]] = {}
    for plan in plans:
        root = plan.number if plan.parent is None else roots[plan.parent]
        roots[plan.number] = root
        families.setdefault(root, []).append(plan)
    return [tuple(family) for family in families.values()]


def _outcome(
    load: Load, handler: Handler, choice: Choice, end_ms: int, runs: list[tuple[Run, int]]
) -> Outcome:
    totals = Totals()
    for run, times in runs:
        totals.add(run.totals.numbers(), times)

    def summed(name: str) -> tuple[int, ...]:
        lists = [(getattr(run, name), times) for run, times in runs]
        return tuple(
            sum(figures[minute] * times for figures, times in lists)
            for minute in range(len(lists[0][0]))
        )

    def highest(name: str) -> tuple[int | None, ...]:
        columns = zip(*[getattr(run, name) for run, _ in runs], strict=True)
        return tuple(None if max(column) < 0 else max(column) for column in columns)

    return Outcome(
        load=load,
        handler=handler,
        choice=choice,
        duration_ms=end_ms,
        iterator_age_ms=highest("ages"),
        delay_ms=highest("delays"),
        invocations_by_minute=summed("invocations"),
        throttles_by_minute=summed("throttles"),
        errors_by_minute=summed("errors"),
        billed_ms_by_minute=summed("billed"),
        backlog_by_minute=summed("waiting"),
        invocations=totals.invocations,
        errors=totals.errors,
        timeouts=totals.timeouts,
        retries=totals.retries,
        throttles=totals.throttles,
        cold_starts=totals.cold_starts,
        full_batches=totals.full_batches,
        handed=totals.handed,
        processed=totals.processed,
        discarded=totals.discarded,
        lost=totals.lost,
        backlog=sum(run.backlog * times for run, times in runs),
        oldest_ms=max(run.oldest_ms for run, _ in runs),
        billed_ms=totals.billed_ms,
        provisioned_ms=totals.provisioned_ms,
        peak_concurrency=sum(run.peak * times for run, times in runs),
    )
