"""What the simulation must obey whatever it is given, and figures that can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.review import pricing
from grader.review.tuning import (
    Choice,
    Draws,
    Handler,
    Load,
    Split,
    Stretch,
    break_even,
    measured_table,
    memory_table,
    poll_ceiling,
    provisioned_cost,
    simulate,
)
from grader.review.tuning.load import Timeline
from grader.review.tuning.parts import Spread

PRICES = pricing.load()
HANDLER = Handler(call_ms=5, record_ms=0.2)
DAY = Load((Stretch(86_400, 7_200_000),))

loads = st.builds(
    lambda steps, shards, seed, random: Load(
        tuple(Stretch(seconds, seconds * rate // 4) for seconds, rate in steps),
        shards=shards,
        random=random,
        seed=seed,
    ),
    st.lists(
        st.tuples(st.integers(20, 300), st.sampled_from([0, 1, 4, 40, 333, 800])),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 4),
    st.integers(0, 5),
    st.booleans(),
)
handlers = st.builds(
    Handler,
    call_ms=st.sampled_from([1.0, 10.0, 80.0]),
    record_ms=st.sampled_from([0.05, 1.0]),
    cold_start_ms=st.sampled_from([0, 300]),
    error_rate=st.sampled_from([0.0, 0.0, 0.05]),
)
choices = st.builds(
    Choice,
    batch_size=st.sampled_from([1, 10, 100, 2000]),
    window_s=st.sampled_from([0, 0, 2]),
    parallelization=st.sampled_from([1, 1, 3]),
    concurrency=st.sampled_from([None, None, 1, 2]),
    memory_mb=st.sampled_from([128, 1024]),
    max_retries=st.sampled_from([-1, 0, 2]),
    timeout_s=st.just(30),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(loads, handlers, choices)
def test_every_record_is_somewhere(load: Load, handler: Handler, choice: Choice) -> None:
    outcome = simulate(load, handler, choice)
    written = sum(writes for plan in load.plan() for _, _, writes in plan.pieces)
    known = outcome.processed + outcome.discarded + outcome.lost + outcome.backlog
    # A random step's last write may lie behind the end.
    assert 0 <= written - known <= load.shards * 250 * load.random
    assert outcome.invocations == sum(outcome.invocations_by_minute)
    assert outcome.throttles == sum(outcome.throttles_by_minute)
    assert outcome.errors == sum(outcome.errors_by_minute)
    assert outcome.retries <= outcome.errors <= outcome.invocations
    assert len(outcome.delay_ms) == len(outcome.iterator_age_ms) == -(-load.seconds // 60)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(loads, handlers, choices)
def test_executions_for_every_lane_never_make_a_record_wait_longer(
    load: Load, handler: Handler, choice: Choice
) -> None:
    # Windows begin anew after each invocation: which of two runs meets a late write is chance.
    choice = replace(choice, window_s=0)
    handler = replace(handler, error_rate=0.0, cold_start_ms=0)
    plenty = simulate(load, handler, replace(choice, concurrency=None))
    short = simulate(load, handler, choice)
    assert plenty.throttles == 0
    assert plenty.max_delay_ms <= short.max_delay_ms
    if choice.parallelization == 1:
        # With several lanes a throttled one may hold its records so long that others seem young.
        assert plenty.max_iterator_age_ms <= short.max_iterator_age_ms
    assert plenty.backlog <= short.backlog


@settings(max_examples=25, deadline=None, derandomize=True)
@given(loads, handlers, choices, st.sampled_from([1, 7, 30]))
def test_a_bills_lines_are_the_outcomes_figures(
    load: Load, handler: Handler, choice: Choice, days: int
) -> None:
    outcome = simulate(load, handler, choice)
    bill = outcome.bill(PRICES, days=days)
    times = Decimal(days * 86_400) / load.seconds
    assert bill.line("lambda_requests").amount == outcome.invocations * times
    compute = bill.line("lambda_gb_seconds_x86").amount
    assert compute == outcome.gb_seconds * times
    assert bill.total == sum(line.cost for line in bill.lines) <= bill.full_total


def test_the_same_seed_gives_the_same_outcome_and_another_seed_another() -> None:
    flaky = replace(HANDLER, error_rate=0.1)
    load = Load.steady(20, 300)
    one, again, other = (simulate(load, flaky, Choice(), seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one.errors_by_minute != other.errors_by_minute


# -- a day of 5,000 events a minute ------------------------------------------------------------


def test_a_day_of_full_batches_is_the_events_divided_by_the_size() -> None:
    """7.2 M events: 144,000 batches of 50, 72,000 of 100, 14,400 of 500."""
    for size, expected in ((50, 144_000), (100, 72_000), (500, 14_400)):
        outcome = simulate(DAY, HANDLER, Choice(batch_size=size, window_s=60))
        assert outcome.invocations == expected
        assert outcome.full_batches == expected


def test_without_a_window_a_shard_is_invoked_once_a_poll() -> None:
    """4 x 86,400 polls, and the one at the last millisecond."""
    outcome = simulate(DAY, HANDLER, Choice(batch_size=500))
    assert outcome.invocations == poll_ceiling() + 1 == 345_601


def test_polls_are_four_a_second_and_shard() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html"""
    assert poll_ceiling() == 345_600
    assert poll_ceiling(3, 60) == 720


def test_the_window_is_in_the_delay_and_not_in_the_iterator_age() -> None:
    outcome = simulate(Load.steady(10, 600), HANDLER, Choice(window_s=20))
    assert outcome.max_iterator_age_ms < 1_000
    assert outcome.max_delay_ms > 9_000


def test_six_megabytes_end_a_batch() -> None:
    """100 records of 100,000 bytes are 10 MB; 62 fit one invocation.

    https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
    """
    load = replace(Load.steady(400, 60), record_bytes=2_000, event_bytes=100_000)
    outcome = simulate(load, HANDLER, Choice(memory_mb=1769))
    assert outcome.full_batches == 0
    assert simulate(load, HANDLER, Choice(batch_size=62, memory_mb=1769)).full_batches > 0


def test_records_older_than_a_day_are_lost() -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html"""
    load = Load.rates([(3600, 1), (90_000, 0.01)])
    outcome = simulate(load, HANDLER, Choice(), polling_from_s=90_000)
    # What was written before second 3,600 is older than 86,400 s at second 90,000.
    assert outcome.lost == 3_600
    assert outcome.backlog <= 1 and outcome.discarded == 0


# -- handler and settings ------------------------------------------------------------------------


def test_half_the_memory_is_twice_the_time_up_to_one_vcpu() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""
    handler = Handler(call_ms=100, record_ms=0)
    assert handler.duration_ms(10, 1769) == 100
    assert handler.duration_ms(10, 884) == 201  # 100 x 1,769 / 884 = 200.1
    assert handler.duration_ms(10, 128) == 1_383  # 1,382.03
    assert handler.duration_ms(10, 10_240) == 100
    waiting = Handler(call_ms=0, record_ms=0, call_wait_ms=40, record_wait_ms=0.5)
    assert waiting.duration_ms(10, 128) == waiting.duration_ms(10, 1769) == 45


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 0},
        {"batch_size": 10_001},
        {"window_s": 301},
        {"parallelization": 11},
        {"memory_mb": 127},
        {"timeout_s": 901},
        {"max_age_s": 59},
        {"max_retries": -2},
        {"concurrency": -1},
        {"provisioned": 5, "concurrency": 4},
        {"architecture": "mips"},
    ],
)
def test_what_aws_would_not_accept_is_refused(changes: dict[str, object]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html"""
    with pytest.raises(ValueError):
        replace(Choice(), **changes)  # type: ignore[arg-type]


# -- provisioned concurrency and memory ----------------------------------------------------------


def test_break_even_is_at_sixty_percent() -> None:
    """0.0000041667 / (0.0000166667 - 0.0000097222) = 0.6000; arm 0.0000033333 / 0.0000055556."""
    assert round(break_even(PRICES), 4) == Decimal("0.6000")
    assert round(break_even(PRICES, "arm64"), 4) == Decimal("0.6000")


def test_at_the_break_even_both_cost_the_same() -> None:
    even = break_even(PRICES)
    cost = provisioned_cost(PRICES, executions=7, busy=even, memory_mb=512)
    assert abs(cost.provisioned - cost.on_demand) < Decimal("1e-15")
    idle = provisioned_cost(PRICES, executions=10, busy=0, memory_mb=512)
    # 10 x 0.5 GB x 2,592,000 s x 0.0000041667
    assert (idle.on_demand, idle.provisioned) == (0, Decimal("54.000432"))


def test_provisioned_concurrency_is_billed_while_idle_and_has_no_free_tier() -> None:
    load = Load.steady(1, 600)
    outcome = simulate(load, HANDLER, Choice(memory_mb=512, provisioned=2))
    assert outcome.cold_starts == 0
    assert outcome.provisioned_ms == outcome.billed_ms > 0
    bill = outcome.bill(PRICES)
    # 2 x 0.5 GB x 2,592,000 s x 0.0000041667
    assert bill.line("lambda_provisioned_gb_seconds_x86").cost == Decimal("10.8000864")
    assert bill.line("lambda_provisioned_requests").free_amount == 0


def test_provisioned_concurrency_takes_the_cold_starts_away_and_not_the_lag() -> None:
    load = Load.steady(10, 900).burst(300, 120, 900)
    slow = Handler(call_ms=5, record_ms=0.3, cold_start_ms=500)
    base = simulate(load, slow, Choice())
    warm = simulate(load, slow, Choice(provisioned=10))
    assert (base.cold_starts, warm.cold_starts) == (1, 0)
    assert warm.max_delay_ms > 0.9 * base.max_delay_ms > 30_000


def test_work_costs_the_same_at_any_memory_and_waiting_does_not() -> None:
    work = memory_table(PRICES, Handler(call_ms=1_000, record_ms=0), 1, (128, 512, 1769))
    assert max(row.gb_seconds for row in work) / min(row.gb_seconds for row in work) < 1.001
    waiting = Handler(call_ms=0, record_ms=0, call_wait_ms=100)
    small, large = memory_table(PRICES, waiting, 1, (128, 512))
    assert large.gb_seconds == 4 * small.gb_seconds


def test_measured_durations_are_priced_as_they_are() -> None:
    """0.10625 GB-s x 0.0000166667 x 1 M = 1.770836875"""
    rows = measured_table(PRICES, {128: 850, 512: 215})
    assert rows[0].per_million == Decimal("1.770836875")
    assert rows[1].gb_seconds == Decimal("0.1075")


def test_arm_is_billed_at_its_own_price() -> None:
    outcome = simulate(DAY, HANDLER, Choice(architecture="arm64", memory_mb=1024))
    line = outcome.bill(PRICES, free=False).line("lambda_gb_seconds_arm")
    assert line.cost == outcome.gb_seconds * 30 * Decimal("0.0000133334")


def test_extra_amounts_are_lines_of_the_same_bill() -> None:
    outcome = simulate(Load.steady(1, 600), HANDLER, Choice())
    bill = outcome.bill(PRICES, extra={"alarms": 12, "lambda_requests": 10})
    assert bill.line("alarms").cost == Decimal("0.20")
    assert bill.line("lambda_requests").amount == outcome.invocations * 144 * 30 + 10


# -- loads -----------------------------------------------------------------------------------------


def test_writes_of_a_stretch_stand_evenly_and_the_first_one_at_its_start() -> None:
    load = Load((Stretch(1, 3), Stretch(1, 2)))
    assert list(load.times()) == [(0, 0), (333, 0), (666, 0), (1000, 0), (1500, 0)]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(loads, st.integers(0, 900_000))
def test_counting_and_timing_writes_are_inverse(load: Load, time_ms: int) -> None:
    times = sorted(time for time, shard in load.times() if shard == 0)
    timeline = Timeline(load.plan()[0].pieces)
    assert timeline.count(time_ms) == sum(1 for time in times if time <= time_ms)
    for number in {0, len(times) // 2, len(times) - 1} if times else set():
        assert timeline.time(number) == times[number]


def test_a_burst_adds_its_writes_and_nothing_else() -> None:
    load = Load.steady(10, 100).burst(30, 20, 50)
    assert load.writes == 1_000 + 1_000 and load.seconds == 100
    with pytest.raises(ValueError):
        load.burst(90, 20, 1)


def test_a_split_gives_each_child_half_of_the_writes() -> None:
    plan = Load((Stretch(100, 1_000),), shards=2, splits=(Split(50, 1),)).plan()
    assert [(shard.parent, shard.open_ms, shard.close_ms) for shard in plan] == [
        (None, 0, None),
        (None, 0, 50_000),
        (1, 50_000, None),
        (1, 50_000, None),
    ]
    assert [sum(w for _, _, w in shard.pieces) for shard in plan] == [500, 250, 125, 125]


def test_a_closed_shard_cannot_split_again() -> None:
    with pytest.raises(ValueError, match="not open"):
        Load((Stretch(9, 9),), splits=(Split(2, 0), Split(4, 0))).plan()


def test_random_counts_have_the_mean_and_the_variance_of_poisson() -> None:
    pieces = Load((Stretch(5_000, 50_000),), random=True, seed=1).plan()[0].pieces
    counts = [writes for _, _, writes in pieces] + [0] * (20_000 - len(pieces))
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)
    assert abs(mean - 2.5) < 0.05 and abs(variance - 2.5) < 0.1


def test_draws_repeat_and_their_streams_differ() -> None:
    assert [Draws(1).next() for _ in range(2)] == [Draws(1).next() for _ in range(2)]
    firsts = {Draws(seed, stream).next() for seed in range(30) for stream in range(30)}
    assert len(firsts) == 900
    # Pinned, so that another language can be held against it.
    draws = Draws(0)
    assert [draws.next() for _ in range(3)] == [299_660_013, 1_586_124_978, 1_751_830_194]


def test_a_spread_gives_every_lane_its_share() -> None:
    spread = Spread(3, 6_000)
    lanes = [spread.lane_of(n) for n in range(9_000)]
    for lane in range(3):
        assert spread.count(lane, 6_000) == 2_000
        assert spread.count(lane, 9_000) == lanes.count(lane)
        own = [n for n in range(9_000) if lanes[n] == lane]
        assert [spread.record(lane, k) for k in range(len(own))] == own
