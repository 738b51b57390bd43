"""What settings do to a stream consumer: lag, throttles, retries and dollars, computed.

The map of this package:

    load      writes over time and over shards; what the handler costs; the settings
    engine    the simulation itself, event by event
    cycles    skipping what repeats
    parts     counters, shards, lanes, the state of a simulation
    outcome   ``simulate`` and what comes out of it
    tables    provisioned concurrency's break-even, memory against cost, the poll ceiling
    claims    what tuning guides say, computed, with a verdict

Pure: no file, no clock, no library. Prices are read by ``grader.review.pricing`` and passed in.

    load = Load.steady(1000).burst(3600, 300, 2000)
    outcome = simulate(load, Handler(record_ms=0.2), Choice(batch_size=500, memory_mb=512))
    outcome.max_delay_ms, outcome.invocations, outcome.bill(pricing.load()).total
"""

from grader.review.tuning.load import Choice, Draws, Handler, Load, ShardPlan, Split, Stretch
from grader.review.tuning.outcome import Outcome, simulate
from grader.review.tuning.tables import (
    MemoryRow,
    ProvisionedCost,
    break_even,
    measured_table,
    memory_table,
    poll_ceiling,
    provisioned_cost,
)

__all__ = [
    "Choice",
    "Draws",
    "Handler",
    "Load",
    "MemoryRow",
    "Outcome",
    "ProvisionedCost",
    "ShardPlan",
    "Split",
    "Stretch",
    "break_even",
    "measured_table",
    "memory_table",
    "poll_ceiling",
    "provisioned_cost",
    "simulate",
]
