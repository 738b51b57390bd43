"""Answers that need no simulation: break-even, memory against cost, how often a shard is polled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from grader.cloud.mapping import POLL_MS
from grader.review.pricing import (
    MONTH_DAYS,
    Amount,
    Pricing,
    capacity_hours,
    gb_seconds,
    lambda_compute,
    provisioned_compute,
)
from grader.review.tuning.load import DAY_S, Handler


def break_even(pricing: Pricing, architecture: str = "x86_64") -> Decimal:
    """The share of time (0 to 1) a provisioned execution must be busy to cost what on-demand does.

    Without free quotas: kept ready all the time and cheaper at work, against dearer at work only.
    """
    ready, run = (pricing.rate(item) for item in provisioned_compute(architecture))
    return ready / (pricing.rate(lambda_compute(architecture)) - run)


@dataclass(frozen=True, slots=True)
class ProvisionedCost:
    """A month with and without provisioned concurrency (US dollars, free quotas left out).

    ``busy`` is the share of time each execution is at work; requests cost the same in both.
    """

    busy: Decimal
    on_demand: Decimal
    provisioned: Decimal


def provisioned_cost(
    pricing: Pricing,
    *,
    executions: int,
    busy: Amount,
    memory_mb: int,
    architecture: str = "x86_64",
    days: Amount = MONTH_DAYS,
) -> ProvisionedCost:
    """What ``executions`` cost that are at work for a share ``busy`` (0 to 1) of a month."""
    share = Decimal(str(busy))
    if not 0 <= share <= 1:
        raise ValueError("busy is a share from 0 to 1")
    ready, run = (pricing.rate(item) for item in provisioned_compute(architecture))
    month_ms = capacity_hours(executions, days) * 3_600_000
    whole = gb_seconds(month_ms, memory_mb)
    return ProvisionedCost(
        share,
        whole * share * pricing.rate(lambda_compute(architecture)),
        whole * ready + whole * share * run,
    )


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One memory size: duration of a call (ms), GB-seconds of it, dollars for a million calls."""

    memory_mb: int
    duration_ms: int
    gb_seconds: Decimal
    per_million: Decimal


def memory_table(
    pricing: Pricing,
    handler: Handler,
    records: int,
    memories: Sequence[int] = (128, 256, 512),
    architecture: str = "x86_64",
) -> tuple[MemoryRow, ...]:
    """Duration and compute cost of a call with ``records`` records at each memory size (MB)."""
    durations = {memory: handler.duration_ms(records, memory) for memory in memories}
    return measured_table(pricing, durations, architecture)


def measured_table(
    pricing: Pricing, durations: Mapping[int, int], architecture: str = "x86_64"
) -> tuple[MemoryRow, ...]:
    """The same for durations that somebody has measured (ms, by memory in MB)."""
    rate = pricing.rate(lambda_compute(architecture))
    rows = []
    for memory, duration in durations.items():
        amount = gb_seconds(duration, memory)
        rows.append(MemoryRow(memory, duration, amount, amount * rate * 1_000_000))
    return tuple(rows)


def poll_ceiling(shards: int = 1, seconds: int = DAY_S) -> int:
    """How often so many shards are polled: 4 times a second each.

    That is also the most invocations of a mapping with ParallelizationFactor 1, no window and
    batches that take all that a poll finds. Smaller batches can be more, one after the other.
    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    """
    return shards * seconds * 1000 // POLL_MS
