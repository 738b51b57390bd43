"""The performance claims of the tuning guides, computed instead of believed.

Each claim is simulated or calculated, and its verdict follows from the numbers: it *holds*, *holds
only if* something is added, or is *refuted*. ``render`` makes the page
``docs/reference/tuning-claims.md`` of them; ``tests/review/tuning/test_claims.py`` writes that page
and compares it with what this module says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from grader.review import pricing as prices
from grader.review.pricing import Pricing, dollars
from grader.review.tuning.load import Choice, Handler, Load, Stretch
from grader.review.tuning.outcome import Outcome, simulate
from grader.review.tuning.tables import (
    break_even,
    measured_table,
    memory_table,
    poll_ceiling,
    provisioned_cost,
)

HOLDS, ONLY_IF, REFUTED = "holds", "holds only if", "refuted"

OPERATIONS = "operations guide"
ARCHITECTURE = "architecture post"
WORKSHOP = "workshop, part 4.4"
ARTICLE = "article of 2020"

# The example behind every number below unless it says otherwise.
HANDLER = Handler(call_ms=2, record_ms=0.1, call_wait_ms=10)
COLD = replace(HANDLER, cold_start_ms=500)
MEMORY_MB = 512
EVENTS_A_DAY = 5_000 * 60 * 24
DAY = Load((Stretch(86_400, EVENTS_A_DAY),))
WINDOWS = (0, 5, 60)


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim: what is said and where, the verdict, why, and the numbers behind it.

    ``condition`` completes "holds only if"; ``header`` and ``rows`` are a table of texts.
    """

    id: str
    said: str
    source: str
    verdict: str
    condition: str
    why: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def ruling(self) -> str:
        """The verdict in full."""
        return f"{self.verdict} {self.condition}" if self.verdict == ONLY_IF else self.verdict


def _verdict(as_said: bool, with_more: bool) -> str:
    """What the numbers say: true as it is said, true with a condition, or not true."""
    if as_said:
        return HOLDS
    return ONLY_IF if with_more else REFUTED


def claims(pricing: Pricing) -> tuple[Claim, ...]:
    """Every claim with its verdict, computed now."""
    return tuple(claim(pricing) for claim in _CLAIMS)


# -- numbers as texts ------------------------------------------------------------------------------


def _count(number: float | Decimal) -> str:
    return f"{number:,.0f}"


def _seconds(ms: int) -> str:
    return f"{ms / 1000:,.1f} s" if ms < 120_000 else f"{ms / 60_000:,.1f} min"


def _percent(share: float | Decimal, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _monthly(outcome: Outcome, pricing: Pricing) -> Decimal:
    """A month of such days without free quotas, so that points can be compared."""
    return outcome.bill(pricing, free=False).total


@cache
def _day(batch_size: int = 100, window_s: int = 0, timeout_s: int = 3) -> Outcome:
    choice = Choice(
        batch_size=batch_size, window_s=window_s, timeout_s=timeout_s, memory_mb=MEMORY_MB
    )
    return simulate(DAY, HANDLER, choice)


# -- batches and invocations -----------------------------------------------------------------------


def _tenfold(pricing: Pricing) -> Claim:
    rows, ratios = [], {}
    for window in WINDOWS:
        small, large = _day(batch_size=50, window_s=window), _day(batch_size=500, window_s=window)
        ratios[window] = small.invocations / large.invocations
        rows.append(
            (
                f"{window} s",
                _count(small.invocations),
                _count(large.invocations),
                f"{ratios[window]:.1f}",
                _seconds(large.max_delay_ms),
            )
        )
    return Claim(
        "tenfold",
        "Batches of 500 records mean ten times fewer invocations than batches of 50.",
        f"{ARCHITECTURE}, cost optimisation",
        _verdict(min(ratios.values()) >= 9.5, max(ratios.values()) >= 9.5),
        "the batches fill: with a window that is long enough, or with a backlog",
        "5,000 events a minute are 21 a poll. Without a window a batch holds what one poll finds, "
        "whatever BatchSize says. 500 records need six seconds to come.",
        ("window", "calls a day at 50", "calls a day at 500", "ratio", "longest delay at 500"),
        tuple(rows),
    )


def _five_thousand(pricing: Pricing) -> Claim:
    rows, counts = [], {}
    for size in (1, 10, 50, 100, 500, 1000):
        cells = [_count(size)]
        for window in WINDOWS:
            # A window's length does not matter to a batch that is full before.
            outcome = _day(batch_size=size, window_s=window)
            counts[size, window] = outcome.invocations
            cells.append(_count(outcome.invocations))
            if window == 0:
                cells.append(_seconds(outcome.max_delay_ms))
                cells.append(dollars(_monthly(outcome, pricing)))
        rows.append(tuple(cells))
    millions = [size for (size, _), count in counts.items() if count >= 1_000_000]
    return Claim(
        "five-thousand",
        "At 5,000 events a minute Lambda is invoked millions of times a day.",
        f"{ARCHITECTURE}, cost optimisation",
        _verdict(len(millions) == len(counts), bool(millions)),
        "BatchSize is 1 or hardly more",
        f"There are {_count(EVENTS_A_DAY)} events a day. One shard is polled "
        f"{_count(poll_ceiling())} times a day; with batches that take all that a poll finds, "
        "there are no more invocations than polls. At BatchSize 1 one lane cannot keep up at all.",
        (
            "BatchSize",
            "calls a day, no window",
            "longest delay",
            "a month",
            *(f"calls a day, window {window} s" for window in WINDOWS[1:]),
        ),
        tuple(rows),
    )


def _every_five_minutes(pricing: Pricing) -> Claim:
    rows, often = [], []
    for events in (6, 5_000):
        load = Load((Stretch(86_400, events * 60 * 24),))
        choice = Choice(batch_size=100, window_s=300, memory_mb=MEMORY_MB)
        outcome = simulate(load, HANDLER, choice)
        often.append(86_400 / outcome.invocations)
        rows.append((f"{events:,}", _count(outcome.invocations), f"{often[-1]:,.1f} s"))
    return Claim(
        "five-minutes",
        "BatchSize 100 with a window of 300 seconds: the function runs at most every five minutes.",
        f"{ARTICLE}, configuration tuning",
        _verdict(min(often) >= 300, max(often) >= 299),
        "fewer than 100 records come in five minutes",
        "A batch goes out when it is full, when the window is over, or at 6 MB, whatever is first.",
        ("events a minute", "calls a day", "one every"),
        tuple(rows),
    )


def _smaller_is_cheaper(pricing: Pricing) -> Claim:
    rows, costs = [], []
    for size in (1, 10, 100):
        outcome = _day(batch_size=size, window_s=5)
        costs.append(_monthly(outcome, pricing))
        rows.append(
            (
                _count(size),
                _count(outcome.invocations * 30),
                _count(outcome.gb_seconds * 30),
                dollars(costs[-1]),
            )
        )
    return Claim(
        "smaller-batches",
        "When the Free Tier is exceeded, reduce the batch size.",
        f"{WORKSHOP}, troubleshooting",
        _verdict(costs[0] < costs[-1], min(costs) < costs[-1]),
        "",
        "Smaller batches are more requests, and each call's fixed work and waiting is paid again. "
        "5,000 events a minute, window 5 s.",
        ("BatchSize", "calls a month", "GB-seconds a month", "a month"),
        tuple(rows),
    )


def _fold(pricing: Pricing) -> Claim:
    rows, shares = [], {}
    for label, outcome in (
        ("no window", _day(batch_size=1000)),
        ("window 5 s", _day(batch_size=1000, window_s=5)),
        ("window 60 s", _day(batch_size=1000, window_s=60)),
    ):
        size = round(outcome.mean_batch)
        for keys in (1, 10, 100, 1000):
            # Expected number of different keys among so many events of equally likely keys.
            different = keys * (1 - (1 - 1 / keys) ** size)
            shares[label, keys] = 1 - different / size
            month = EVENTS_A_DAY * 30 * (different / size)
            cost = prices.bill({"dynamodb_write_requests": month}, pricing, free=False).total
            saved = _percent(shares[label, keys], 1)
            rows.append((label, _count(size), _count(keys), saved, dollars(cost)))
    every = prices.bill({"dynamodb_write_requests": EVENTS_A_DAY * 30}, pricing, free=False).total
    return Claim(
        "fold",
        "Folding 1,000 events in memory reduces the writes by 99 %.",
        f"{ARCHITECTURE}, real-time analytics pattern",
        _verdict(min(shares.values()) >= 0.99, max(shares.values()) >= 0.9895),
        "1,000 events are in one batch and fall on at most ten keys",
        "What can be saved is the share of events that hit a key a second time within one batch. "
        "Sums kept from one invocation to the next are lost with the environment. 5,000 events a "
        f"minute; one write unit for each event would be {dollars(every)} a month.",
        ("batching", "events a batch", "keys", "writes saved", "writes a month"),
        tuple(rows),
    )


def _healthy(pricing: Pricing) -> Claim:
    rows, delays = [], []
    for window in (0, 2, 5):
        outcome = _day(batch_size=1000, window_s=window)
        delays.append(outcome.max_delay_ms)
        age = _seconds(outcome.max_iterator_age_ms)
        rows.append((f"{window} s", age, _seconds(delays[-1]), _percent(delays[-1] / 1000)))
    return Claim(
        "healthy",
        "Healthy is below one second, and a batching window of 5 seconds is a good adjustment.",
        f"{OPERATIONS}, understanding IteratorAge; adjust batch size",
        _verdict(max(delays) < 1000, min(delays) < 1000),
        "there is no window",
        "A record waits for its window. IteratorAge does not show it: the metric is the age of the "
        "last record of the batch, and the first one has waited longest.",
        ("window", "highest IteratorAge", "longest delay", "of one second"),
        tuple(rows),
    )


# -- concurrency and lag ---------------------------------------------------------------------------


def _five_for_ten(pricing: Pricing) -> Claim:
    rows, lags = [], []
    slow = replace(HANDLER, call_wait_ms=200)
    for rate in (10, 40, 100, 2000):
        load = Load((Stretch(300, 300 * rate),), shards=10, random=True)
        ten, five = (Choice(memory_mb=MEMORY_MB, concurrency=limit) for limit in (10, 5))
        needed = simulate(load, slow, ten)
        short = simulate(load, slow, five)
        lags.append(short.max_delay_ms > 60_000)
        rows.append(
            (
                _count(rate),
                f"{needed.mean_concurrency:.1f}",
                _seconds(needed.max_delay_ms),
                _seconds(short.max_delay_ms),
                _count(short.throttles),
                _count(short.backlog),
            )
        )
    return Claim(
        "five-for-ten",
        "Ten shards with only five concurrent executions: processing will lag.",
        f"{OPERATIONS}, shard scaling",
        _verdict(all(lags), any(lags)),
        "more than five executions are needed at once",
        "What counts is how many executions are busy, not how many shards there are. A throttled "
        "batch comes again and uses no retry. Five minutes, random arrivals, 200 ms of waiting in "
        "each call.",
        (
            "writes a second",
            "executions busy (limit 10)",
            "longest delay, limit 10",
            "longest delay, limit 5",
            "throttles, limit 5",
            "backlog, limit 5",
        ),
        tuple(rows),
    )


_BURST = Load((Stretch(3600, 5_000 * 60),)).burst(600, 300, 800)
_BURST_CHOICES: tuple[tuple[str, Choice], ...] = (
    ("as it is: 128 MB, BatchSize 100, one lane", Choice()),
    ("provisioned concurrency 1", Choice(provisioned=1)),
    ("provisioned concurrency 10", Choice(provisioned=10)),
    ("reserved concurrency 100", Choice(concurrency=100)),
    ("reserved concurrency 10", Choice(concurrency=10)),
    ("BatchSize 20", Choice(batch_size=20)),
    ("BatchSize 500", Choice(batch_size=500)),
    ("BatchSize 1,000", Choice(batch_size=1000)),
    ("256 MB", Choice(memory_mb=256)),
    ("512 MB", Choice(memory_mb=512)),
    ("ParallelizationFactor 2", Choice(parallelization=2)),
)


@cache
def _burst_delays() -> dict[str, Outcome]:
    return {label: simulate(_BURST, COLD, choice) for label, choice in _BURST_CHOICES}


def _burst_rows(outcomes: dict[str, Outcome], pricing: Pricing) -> tuple[tuple[str, ...], ...]:
    rows = []
    for label, outcome in outcomes.items():
        late = sum(1 for delay in outcome.delay_ms if delay is not None and delay > 10_000)
        rows.append(
            (
                label,
                _seconds(outcome.max_delay_ms),
                f"{late} min",
                _count(outcome.throttles),
                f"{outcome.peak_concurrency}",
            )
        )
    return tuple(rows)


_BURST_HEADER = ("settings", "longest delay", "time above 10 s", "throttles", "most executions")
_BURST_WHY = (
    "One hour of 5,000 events a minute, and 800 more a second for five minutes from minute 10, on "
    "one shard. One lane runs one invocation at a time: the burst brings more records than it can "
    "handle, and no limit is near. A cold start takes 500 ms. "
)


def _burst_cause(pricing: Pricing) -> Claim:
    outcomes = _burst_delays()
    base = outcomes[_BURST_CHOICES[0][0]]
    warm = outcomes["provisioned concurrency 10"]
    cured = warm.max_delay_ms < base.max_delay_ms / 2
    return Claim(
        "burst",
        "Delays of two to three minutes in a burst come from throttling or cold starts; "
        "provisioned concurrency cures them.",
        f"{ARCHITECTURE}, handling high-volume bursts",
        _verdict(cured, base.throttles > 0),
        "",
        _BURST_WHY + "More memory or more lanes cure it; larger batches help, smaller ones harm.",
        _BURST_HEADER,
        _burst_rows(outcomes, pricing),
    )


def _more_concurrency(pricing: Pricing) -> Claim:
    outcomes = _burst_delays()
    base = outcomes[_BURST_CHOICES[0][0]].max_delay_ms
    chosen = {label: outcomes[label] for label in outcomes if "concurrency" in label}
    better = [outcome.max_delay_ms < base / 2 for outcome in chosen.values()]
    wide = Load((Stretch(300, 300 * 3000),), shards=4)
    limited = Choice(parallelization=10, concurrency=10)
    starved = simulate(wide, HANDLER, limited)
    plenty = simulate(wide, HANDLER, replace(limited, concurrency=None))
    rows = (
        *_burst_rows(chosen, pricing),
        *_burst_rows(
            {
                "3,000 a second, 4 shards, factor 10, reserved 10": starved,
                "3,000 a second, 4 shards, factor 10, no reservation": plenty,
            },
            pricing,
        ),
    )
    return Claim(
        "more-concurrency",
        "High iterator age or throttling: increase the reserved concurrency, for instance to 10.",
        f"{OPERATIONS}, high iterator age; increase Lambda concurrency",
        _verdict(all(better), starved.throttles > 0 and plenty.throttles == 0),
        "it is throttled and the new number covers the lanes: shards × ParallelizationFactor",
        "A mapping never runs more than shards × ParallelizationFactor invocations. A reservation "
        "is also a ceiling: 10 throttles a mapping that could use 40.",
        _BURST_HEADER,
        rows,
    )


def _large_batches_lag(pricing: Pricing) -> Claim:
    rows, delays = [], {}
    for size in (20, 50, 100, 500, 1000):
        outcome = simulate(_BURST, HANDLER, Choice(batch_size=size))
        delays[size] = outcome.max_delay_ms
        duration = HANDLER.duration_ms(size, 128)
        rows.append(
            (
                _count(size),
                f"{duration:,} ms",
                _count(size * 1000 / duration),
                _seconds(delays[size]),
            )
        )
    slow = replace(HANDLER, record_ms=0.5)
    timed_out = simulate(_BURST, slow, Choice(batch_size=500))
    rows.append(
        (
            "500, five times the work a record, timeout 3 s",
            f"{slow.duration_ms(500, 128):,} ms",
            "0",
            _seconds(timed_out.max_delay_ms),
        )
    )
    return Claim(
        "large-batches",
        "Large batches cause a high iterator age: reduce the batch size.",
        f"{OPERATIONS}, high iterator age",
        _verdict(delays[20] < delays[100], timed_out.timeouts > 0),
        "a full batch takes longer than the timeout",
        "A larger batch pays the fixed cost of a call less often, so a lane gets more done. Same "
        "hour and burst as above, 128 MB.",
        ("BatchSize", "a full batch takes", "records a second and lane", "longest delay"),
        tuple(rows),
    )


# -- memory, time and money ------------------------------------------------------------------------


def _memory(pricing: Pricing) -> Claim:
    measured = measured_table(pricing, {128: 850, 256: 425, 512: 215})
    rows = [
        (
            "measured by the workshop",
            str(row.memory_mb),
            f"{row.duration_ms:,} ms",
            f"{row.gb_seconds:.5f}",
            dollars(row.per_million),
        )
        for row in measured
    ]
    for label, handler in (
        ("100 records, only work", replace(HANDLER, call_wait_ms=0)),
        ("100 records, mostly waiting", replace(HANDLER, call_wait_ms=500)),
    ):
        for row in memory_table(pricing, handler, 100, (128, 256, 512, 1769, 3538)):
            rows.append(
                (
                    label,
                    str(row.memory_mb),
                    f"{row.duration_ms:,} ms",
                    f"{row.gb_seconds:.5f}",
                    dollars(row.per_million),
                )
            )
    spread = measured[-1].gb_seconds / measured[0].gb_seconds
    waiting = memory_table(pricing, replace(HANDLER, call_wait_ms=500), 100, (128, 512))
    return Claim(
        "memory",
        "128 MB is the lowest cost, 256 MB medium, 512 MB higher.",
        f"{WORKSHOP}, right-sizing",
        _verdict(spread > Decimal("1.1"), waiting[1].gb_seconds > waiting[0].gb_seconds),
        "the function mostly waits; not by the workshop's own durations",
        f"By the workshop's own durations 512 MB costs {_percent(spread - 1, 1)} more than 128 MB "
        "and is four times as fast. CPU comes in proportion to memory up to one vCPU at 1,769 MB, "
        "so work costs the same and takes less time; waiting costs more. Compute only, dollars for "
        "a million calls.",
        ("handler", "MB", "duration", "GB-seconds a call", "a million calls"),
        tuple(rows),
    )


def _timeout(pricing: Pricing) -> Claim:
    rows, costs = [], []
    for timeout in (60, 30, 3):
        outcome = _day(timeout_s=timeout)
        costs.append(_monthly(outcome, pricing))
        rows.append((f"{timeout} s", _count(outcome.gb_seconds * 30), dollars(costs[-1])))
    return Claim(
        "timeout",
        "A timeout of 30 instead of 60 seconds reduces the cost.",
        f"{WORKSHOP}, cost optimisation strategies",
        _verdict(costs[1] < costs[0], False),
        "",
        "The timeout is a cap. What runs is billed.",
        ("timeout", "GB-seconds a month", "a month"),
        tuple(rows),
    )


def _provisioned(pricing: Pricing) -> Claim:
    rows, dearer = [], []
    even = break_even(pricing)
    daily = simulate(DAY, HANDLER, Choice(memory_mb=MEMORY_MB))
    for label, executions, busy in (
        ("5,000 events a minute, 1 execution", 1, daily.mean_concurrency),
        ("5,000 events a minute, 5 executions", 5, daily.mean_concurrency / 5),
        ("5,000 events a minute, 10 executions", 10, daily.mean_concurrency / 10),
        ("break-even", 1, even),
        ("always busy", 1, 1),
    ):
        cost = provisioned_cost(pricing, executions=executions, busy=busy, memory_mb=MEMORY_MB)
        dearer.append(cost.provisioned > cost.on_demand)
        rows.append(
            (
                label,
                _percent(cost.busy, 1),
                dollars(cost.on_demand),
                dollars(cost.provisioned),
            )
        )
    arm = break_even(pricing, "arm64")
    return Claim(
        "provisioned",
        "Provisioned concurrency costs more than on-demand, but there is a break-even.",
        f"{ARCHITECTURE}, cost optimisation",
        _verdict(all(dearer), any(dearer)),
        f"each execution is busy for less than {_percent(even, 1)} of the time",
        f"On x86_64 the break-even is at {_percent(even, 1)} of the time, on arm64 at "
        f"{_percent(arm, 1)}, at any memory. 512 MB, compute for 30 days, free quotas left out; "
        "they are not for functions with provisioned concurrency.",
        ("case", "busy", "on-demand", "provisioned"),
        tuple(rows),
    )


def _metric_calls(pricing: Pricing) -> Claim:
    rows, costs = [], []
    batches = _day(batch_size=100, window_s=5).invocations
    for label, calls in (
        ("one call a record", EVENTS_A_DAY),
        ("one call a batch of 100", batches),
        ("EMF: a log line", 0),
    ):
        costs.append(prices.bill({"put_metric_data": calls}, pricing, free=False).total)
        rows.append((label, _count(calls), dollars(costs[-1]), dollars(costs[-1] * 30)))
    return Claim(
        "metric-calls",
        "A custom metric is sent with PutMetricData for each record.",
        f"{WORKSHOP}, custom business metrics",
        _verdict(costs[0] <= 2 * costs[1], False),
        "",
        "It works, and at 5,000 events a minute the requests alone cost more than everything else "
        "here together.",
        ("how", "requests a day", "a day", "a month"),
        tuple(rows),
    )


def _free_concurrency(pricing: Pricing) -> Claim:
    rows, same = [], set()
    for concurrency in (1, 10, None):
        outcome = simulate(
            DAY, HANDLER, Choice(memory_mb=MEMORY_MB, batch_size=10, concurrency=concurrency)
        )
        bill = outcome.bill(pricing)
        same.add(bill.total)
        label = "none" if concurrency is None else str(concurrency)
        requests = bill.line("lambda_requests")
        rows.append(
            (label, _count(requests.amount), _percent(requests.free_share), dollars(bill.total))
        )
    return Claim(
        "free-concurrency",
        "A concurrency of 10 keeps a function inside the Free Tier.",
        f"{WORKSHOP}, right-sizing",
        _verdict(len(same) > 1, False),
        "",
        "The free quota is of requests and GB-seconds. One shard with one lane runs one invocation "
        "at a time, reserved or not. 5,000 events a minute, BatchSize 10.",
        ("reserved concurrency", "calls a month", "of them free", "a month"),
        tuple(rows),
    )


# -- the four rows of the tuning guideline ---------------------------------------------------------


def _guideline(
    id: str,
    said: str,
    rates: Sequence[tuple[int, int]],
    choices: Sequence[Choice],
    objective_ms: int,
    why: str,
    condition: str,
) -> Callable[[Pricing], Claim]:
    """A row of the guideline at some (writes a second, shards): does a record wait too long?"""

    def claim(pricing: Pricing) -> Claim:
        rows, met = [], []
        for work, handler in (
            ("0.1", HANDLER),
            ("2", replace(HANDLER, record_ms=2)),
        ):
            for rate, shards in rates:
                for choice in choices:
                    load = Load((Stretch(300, 300 * rate),), shards=shards)
                    outcome = simulate(load, handler, choice)
                    met.append(outcome.max_delay_ms <= objective_ms and not outcome.backlog_grows)
                    rows.append(
                        (
                            _count(rate),
                            str(shards),
                            work,
                            f"{choice.batch_size} / {choice.concurrency} / "
                            f"{choice.parallelization}",
                            _seconds(outcome.max_delay_ms),
                            f"{outcome.mean_concurrency:.1f} of {shards * choice.parallelization}",
                            _count(outcome.throttles),
                            dollars(_monthly(outcome, pricing)),
                        )
                    )
        return Claim(
            id,
            said,
            f"{OPERATIONS}, tuning guidelines",
            _verdict(all(met), any(met)),
            condition,
            f"{why} Five minutes at {MEMORY_MB} MB; it is met when no record waits longer than "
            f"{_seconds(objective_ms)}.",
            (
                "writes a second",
                "shards",
                "ms a record",
                "batch / concurrency / factor",
                "longest delay",
                "busy of possible lanes",
                "throttles",
                "a month",
            ),
            tuple(rows),
        )

    return claim


def _choice(batch_size: int, concurrency: int, parallelization: int) -> Choice:
    return Choice(
        batch_size=batch_size,
        concurrency=concurrency,
        parallelization=parallelization,
        memory_mb=MEMORY_MB,
    )


_GUIDELINES = (
    _guideline(
        "guideline-low",
        "Low volume (under 100 a second): batch size 100, concurrency 2, factor 1.",
        ((10, 1), (99, 1)),
        (_choice(100, 2, 1),),
        5_000,
        "One shard with factor 1 never uses more than one execution, so the 2 does nothing.",
        "a record takes little work: the lane must keep up with the rate",
    ),
    _guideline(
        "guideline-medium",
        "Medium volume (100 to 1,000 a second): batch size 100, concurrency 5 to 10, factor 1.",
        ((500, 1), (1000, 2)),
        (_choice(100, 5, 1), _choice(100, 10, 1)),
        5_000,
        "With factor 1 the shards set the limit: concurrency 5 and 10 come to the same.",
        "a record takes little work; otherwise the factor must rise, not the concurrency",
    ),
    _guideline(
        "guideline-high",
        "High volume (above 1,000 a second): batch size 50 to 100, concurrency 10 or more, "
        "factor 2.",
        ((2000, 4), (4000, 8)),
        (_choice(50, 10, 2), _choice(100, 10, 2), _choice(100, 16, 2)),
        5_000,
        "Eight shards with factor 2 are 16 lanes; 10 executions then cap what they can do.",
        "a record takes little work; otherwise both the lanes and the executions must be more",
    ),
    _guideline(
        "guideline-real-time",
        "Real-time: batch size 10 to 50, concurrency 10 or more, factor 2 to 5.",
        ((100, 1), (1000, 2)),
        (_choice(10, 10, 2), _choice(50, 10, 5), _choice(100, 10, 5)),
        1_000,
        "Without a window a small batch makes nothing faster: a batch of 100 is sent as early as "
        "one of 10. What helps is more lanes.",
        "there are enough lanes for the work; the small batch is not what does it",
    ),
)

_CLAIMS: tuple[Callable[[Pricing], Claim], ...] = (
    _tenfold,
    _five_thousand,
    _every_five_minutes,
    _smaller_is_cheaper,
    _fold,
    _healthy,
    _five_for_ten,
    _burst_cause,
    _more_concurrency,
    _large_batches_lag,
    *_GUIDELINES,
    _memory,
    _timeout,
    _provisioned,
    _metric_calls,
    _free_concurrency,
)


# -- the page --------------------------------------------------------------------------------------

_INTRODUCTION = """\
---
description: What guides say about speed and cost of stream consumers, computed and judged.
search: {{exclude: true}}
---

# Tuning claims, computed

What guides say about the performance and the cost of stream consumers, simulated with
`grader.review.tuning` and priced with `grader/review/pricing.toml`. A verdict follows from the
numbers below it.

Unless a table says otherwise: one shard, even arrivals, {memory} MB, x86_64, {wait:g} ms of waiting
and {call:g} ms of work a call, {record:g} ms of work a record (at one vCPU), no cold starts.
Dollars are a month of 30 such days without free quotas, requests and compute only. "Longest delay"
is the time from a write to the end of the invocation that processed it.

This page is generated: `python tests/review/tuning/test_claims.py` writes it, and the same file
tests it.
"""


def render(found: Sequence[Claim]) -> str:
    """The page as Markdown."""
    parts = [
        _INTRODUCTION.format(
            memory=MEMORY_MB,
            wait=HANDLER.call_wait_ms,
            call=HANDLER.call_ms,
            record=HANDLER.record_ms,
        ),
        "## Verdicts\n",
        _table(
            ("claim", "said by", "verdict"),
            [
                (
                    f"[{c.said}](#{c.id})",
                    c.source,
                    f"**{c.verdict}** {c.condition}"
                    if c.verdict == ONLY_IF
                    else f"**{c.verdict}**",
                )
                for c in found
            ],
        ),
        "## The numbers\n",
    ]
    for claim in found:
        parts.append(f"### {claim.said} {{#{claim.id}}}\n")
        parts.append(
            f"*{claim.source[0].upper()}{claim.source[1:]}.* **{claim.ruling}.** {claim.why}\n"
        )
        parts.append(_table(claim.header, claim.rows))
    return "\n".join(parts).rstrip() + "\n"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
