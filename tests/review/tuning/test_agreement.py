"""Simulation and emulator say the same about the same workload.

The stated bounds: with records on the shards and lanes that the simulation assumes, every figure
is the same, failures included, and so is the iterator age of every minute. With arbitrary keys and
several lanes invocations differ by at most 2 %, and without failures the highest iterator age by
at most one second.
"""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from emulated import Played, play

from grader.review.tuning import Choice, Handler, Load, Outcome, Split, Stretch, simulate
from grader.review.tuning.cycles import Cycles
from grader.review.tuning.engine import Engine

HANDLER = Handler(call_ms=5, record_ms=0.2)


def _figures(one: Played | Outcome) -> tuple[int, ...]:
    return (one.invocations, one.errors, one.throttles, one.billed_ms, one.handed)


def _agree(
    load: Load,
    handler: Handler,
    choice: Choice,
    *,
    duration_s: int | None = None,
    polling_from_s: int = 0,
    seed: int = 0,
) -> Outcome:
    played = play(
        load, handler, choice, duration_s=duration_s, polling_from_s=polling_from_s, seed=seed
    )
    outcome = simulate(
        load, handler, choice, duration_s=duration_s, polling_from_s=polling_from_s, seed=seed
    )
    assert _figures(outcome) == _figures(played)
    assert list(outcome.iterator_age_ms) == played.ages
    return outcome


EVEN = {
    "no-window": (Load.steady(60, 180), HANDLER, Choice()),
    "five-thousand-a-minute": (
        Load((Stretch(120, 10_000),)),
        HANDLER,
        Choice(memory_mb=1769),
    ),
    "several-batches-a-poll": (Load.steady(40, 180), HANDLER, Choice(batch_size=3)),
    "one-record-a-call": (Load.steady(20, 180), HANDLER, Choice(batch_size=1)),
    "less-than-one-a-second": (Load.steady(0.3, 600), HANDLER, Choice()),
    "window": (Load.steady(30, 200), HANDLER, Choice(window_s=5)),
    "window-not-reached": (Load.steady(30, 200), HANDLER, Choice(window_s=20, batch_size=50)),
    "empty-windows": (Load.steady(0.1, 600), HANDLER, Choice(window_s=3)),
    "burst": (Load.steady(10, 180).burst(60, 20, 200), HANDLER, Choice(window_s=2)),
    "rates-that-change": (
        Load.rates([(70, 3), (20, 0), (45, 41.5), (30, 7)]),
        HANDLER,
        Choice(batch_size=10),
    ),
    "four-shards": (Load.steady(40, 120, shards=4), HANDLER, Choice(batch_size=20)),
    "uneven-shards": (
        Load((Stretch(120, 6_000),), shards=3, weights=(5, 2, 1)),
        HANDLER,
        Choice(batch_size=20),
    ),
    "slow-enough-to-lag": (Load.steady(40, 90), HANDLER, Choice(batch_size=1)),
}


@pytest.mark.parametrize("name", EVEN)
def test_even_arrivals_agree_exactly(name: str) -> None:
    load, handler, choice = EVEN[name]
    outcome = _agree(load, handler, choice, duration_s=load.seconds + 60)
    assert outcome.invocations > 0


def test_pages_of_a_thousand_records_and_the_backlog_behind_them() -> None:
    """A pause of 100 seconds, then 1,000 records a page.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    """
    outcome = _agree(
        Load.steady(50, 150), HANDLER, Choice(batch_size=300), polling_from_s=100, duration_s=180
    )
    assert outcome.max_iterator_age_ms > 90_000
    assert outcome.backlog == 0


def test_random_arrivals_are_the_same_writes_in_both() -> None:
    load = Load((Stretch(150, 6_000),), random=True, seed=3)
    assert simulate(load, HANDLER, Choice()).handed != load.writes
    _agree(load, HANDLER, Choice(batch_size=15))


def test_failures_and_retries_agree_draw_by_draw() -> None:
    flaky = replace(HANDLER, error_rate=0.15)
    outcome = _agree(Load.steady(40, 150), flaky, Choice(batch_size=10), seed=4, duration_s=200)
    assert outcome.errors > 20 and outcome.retries >= outcome.errors


def test_used_up_retries_agree() -> None:
    bad = replace(HANDLER, error_rate=0.5)
    outcome = _agree(
        Load.steady(40, 150), bad, Choice(batch_size=20, max_retries=1), seed=5, duration_s=250
    )
    assert outcome.discarded > 0


def test_records_above_the_maximum_age_agree() -> None:
    outcome = _agree(
        Load.steady(30, 150), HANDLER, Choice(max_age_s=60), polling_from_s=120, duration_s=180
    )
    # 120 seconds of pause, 60 of age: everything written in the first minute is given up.
    assert outcome.discarded == 60 * 30


def test_a_batch_that_cannot_finish_in_time_agrees() -> None:
    """A timeout is a function error: the same batch comes again and again."""
    slow = Handler(record_ms=5)
    outcome = _agree(Load.steady(200, 20), slow, Choice(batch_size=500), duration_s=180)
    assert outcome.timeouts > 5
    assert outcome.backlog > 3_500


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_throttles_agree(limit: int) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html"""
    load = Load((Stretch(100, 3_000),), shards=4, weights=(4, 3, 2, 1))
    slow = replace(HANDLER, call_wait_ms=100)
    outcome = _agree(load, slow, Choice(batch_size=20, concurrency=limit))
    assert outcome.throttles > 0


def test_the_accounts_limit_agrees() -> None:
    load = Load.steady(30, 60, shards=4)
    slow = replace(HANDLER, call_wait_ms=100)
    played = play(load, slow, Choice(), account_concurrency=2)
    outcome = simulate(load, slow, Choice(), account_concurrency=2)
    assert _figures(outcome) == _figures(played)
    assert outcome.throttles > 0


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_the_shards_polls_agrees_whatever_the_seed(seed: int) -> None:
    """Throttles tell the orders apart: which lane finds the function taken depends on them."""
    load = Load((Stretch(100, 3_000),), shards=5, weights=(5, 4, 3, 2, 1))
    slow = replace(HANDLER, call_wait_ms=80)
    _agree(load, slow, Choice(batch_size=20, concurrency=2), seed=seed)


def test_three_shards_share_two_executions_without_lag() -> None:
    """Three short invocations a quarter of a second need no third execution."""
    outcome = _agree(Load.steady(30, 300, shards=3), HANDLER, Choice(concurrency=2))
    assert outcome.throttles == 0
    assert outcome.max_delay_ms < 300


@pytest.mark.parametrize("wait_ms", [40, 50, 60])
def test_no_shard_starves_beside_an_idle_function(wait_ms: int) -> None:
    """A throttled lane does not come back at the other lanes' moments again and again."""
    slow = Handler(call_ms=0, record_ms=0.2, call_wait_ms=wait_ms)
    outcome = _agree(Load.steady(40, 300, shards=4), slow, Choice(concurrency=1, memory_mb=1769))
    assert outcome.mean_concurrency < 0.7
    assert outcome.max_delay_ms < 10_000


def test_sixteen_shards_with_one_execution_are_not_slowed_down_by_their_pauses() -> None:
    """A hundred seconds of work, one batch a shard: no more than 2.5 times as long."""
    slow = Handler(call_ms=0, record_ms=0, call_wait_ms=0, record_wait_ms=62.5)
    choice = Choice(concurrency=1, timeout_s=60)
    outcome = _agree(Load((Stretch(1, 1_600),), shards=16), slow, choice, duration_s=900)
    assert outcome.billed_ms >= 100_000
    assert outcome.backlog == 0
    assert outcome.max_delay_ms <= 250_000


def test_cold_starts_agree_after_a_silence() -> None:
    load = Load.rates([(60, 10), (900, 0), (60, 10)])
    outcome = _agree(load, replace(HANDLER, cold_start_ms=400), Choice(batch_size=50))
    assert outcome.cold_starts == 2


def test_lanes_agree_when_records_are_placed_alike() -> None:
    for choice in (
        Choice(batch_size=20, parallelization=3),
        Choice(batch_size=10, parallelization=10),
        Choice(batch_size=20, parallelization=4, window_s=3),
    ):
        _agree(Load.steady(50, 90), HANDLER, choice, duration_s=120)


def test_shards_that_split_agree() -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html"""
    load = Load((Stretch(150, 6_000),), shards=2, splits=(Split(50, 0), Split(100, 2)))
    outcome = _agree(load, replace(HANDLER, call_wait_ms=200), Choice(batch_size=20))
    assert outcome.peak_concurrency >= 4


def test_children_wait_until_their_parent_is_read_to_its_end() -> None:
    load = Load((Stretch(100, 5_000),), splits=(Split(50, 0),))
    outcome = _agree(load, Handler(20, 1), Choice(batch_size=20), duration_s=200)
    assert outcome.max_iterator_age_ms > 20_000


def _random_case(seed: int) -> tuple[Load, Handler, Choice]:
    chosen = random.Random(seed)
    rate = chosen.choice([10, 20, 40, 80])
    seconds = 3_000 // rate
    load = Load((Stretch(seconds, rate * seconds),), random=chosen.random() < 0.5, seed=seed)
    if chosen.random() < 0.3:
        load = load.burst(seconds // 3, 5, 200)
    handler = Handler(
        call_ms=chosen.choice([5, 20, 100]),
        record_ms=chosen.choice([0.2, 1]),
        call_wait_ms=chosen.choice([0, 20]),
        error_rate=chosen.choice([0, 0, 0.01, 0.05]),
    )
    choice = Choice(
        batch_size=chosen.choice([5, 10, 25, 100]),
        window_s=chosen.choice([0, 0, 1, 3]),
        parallelization=chosen.choice([1, 2, 3, 4, 5, 8, 10]),
        memory_mb=chosen.choice([256, 1024]),
    )
    return load, handler, choice


@pytest.mark.slow
def test_fifty_random_workloads_with_arbitrary_keys_agree_within_two_percent() -> None:
    for seed in range(50):
        load, handler, choice = _random_case(seed)
        until = load.seconds + 60
        played = play(load, handler, choice, duration_s=until, seed=seed, any_keys=seed)
        outcome = simulate(load, handler, choice, duration_s=until, seed=seed)
        difference = abs(outcome.invocations - played.invocations)
        assert difference <= 0.02 * played.invocations, seed
        if choice.parallelization == 1:
            assert _figures(outcome) == _figures(played), seed
            assert list(outcome.iterator_age_ms) == played.ages, seed
        elif not handler.error_rate:
            assert abs(outcome.max_iterator_age_ms - played.max_age_ms) <= 1_000, seed


def test_skipping_what_repeats_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every figure of every minute, with and without the skipping; ages to the millisecond."""
    cases = [
        (Load.rates([(1500, 100), (900, 20)]), HANDLER, Choice(batch_size=20)),
        (Load.rates([(900, 83.25), (900, 5)]), HANDLER, Choice(batch_size=1)),
        (Load.steady(30, 1800), HANDLER, Choice(window_s=5)),
        (Load.steady(90, 1200), HANDLER, Choice(batch_size=10, parallelization=2)),
        (Load.steady(400, 900), Handler(20, 1), Choice(memory_mb=512)),
        (Load.steady(40, 1800, shards=3), HANDLER, Choice(concurrency=1)),
        (Load.steady(20, 1800), HANDLER, Choice(concurrency=0)),
        (Load.steady(300, 900), Handler(record_ms=5), Choice(batch_size=500)),
        (Load.rates([(600, 9)]), replace(HANDLER, error_rate=0.0005), Choice(batch_size=2)),
    ]
    quick = [simulate(*case, duration_s=case[0].seconds + 600) for case in cases]
    monkeypatch.setattr(Cycles, "skip", lambda *_: 0)
    monkeypatch.setattr(Engine, "_poll_plainly", lambda _self, _shard, _lane, now: now)
    monkeypatch.setattr(Engine, "_hand_over_more", lambda *_: 0)
    monkeypatch.setattr(Engine, "_needed_poll", lambda *_: 0)
    for case, fast in zip(cases, quick, strict=True):
        slow = simulate(*case, duration_s=case[0].seconds + 600)
        for name in ("iterator_age_ms", "delay_ms"):
            for one, other in zip(getattr(fast, name), getattr(slow, name), strict=True):
                assert (one is None) == (other is None)
                assert one is None or other is None or abs(one - other) <= 2
        same = {
            name: getattr(fast, name)
            for name in (
                "invocations_by_minute",
                "throttles_by_minute",
                "errors_by_minute",
                "billed_ms_by_minute",
                "backlog_by_minute",
            )
        }
        assert same == {name: getattr(slow, name) for name in same}
        assert _totals(fast) == _totals(slow)
        # What waits and what is billed by the minute add up to the totals.
        assert fast.backlog_by_minute[-1] == fast.backlog
        assert sum(fast.billed_ms_by_minute) == fast.billed_ms


def _totals(one: Outcome) -> tuple[int, ...]:
    return (
        *_figures(one),
        one.retries,
        one.timeouts,
        one.full_batches,
        one.processed,
        one.discarded,
        one.backlog,
        one.peak_concurrency,
    )
