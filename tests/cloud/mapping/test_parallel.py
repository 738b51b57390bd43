"""ParallelizationFactor: lanes, order per item, checkpoints; and limits on concurrency.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from dataclasses import replace

import pytest
from mapping_world import World, ids_of

from grader.cloud.aws import Refused
from grader.cloud.mapping import Concurrency, Result
from grader.cloud.mapping.choices import poll_phase_ms
from grader.cloud.mapping.filters import parse_filter_criteria
from grader.cloud.mapping.inprocess import ScriptedCall
from grader.cloud.mapping.lane import lane_of

NAMES = [f"o-{n}" for n in range(40)]


def lane(one, lanes):
    return lane_of(f'{{"id":{{"S":"{one}"}}}}', lanes)


def test_up_to_the_factor_invocations_run_at_once_in_each_shard():
    """Ceiling: shards times ParallelizationFactor invocations at once."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    world = World(parallelization=4, duration_ms=1_000, batch_size=5, shards=2)
    world.write(*NAMES).run(0.5)
    assert len(world.batches) == 8
    assert {world.times.count(poll_phase_ms(shard) / 1000) for shard in (0, 1)} == {4}


def test_an_item_stays_in_its_lane_and_in_order():
    """Order per item: with several lanes the order holds per item, that is, per full primary key."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    world = World(parallelization=3, batch_size=2, duration_ms=300)
    for _ in range(5):
        world.write(*NAMES)
    world.run(600)
    seen = {}
    for event in world.events:
        assert len({lane(one, 3) for one in ids_of(event)}) == 1
        for record in event["Records"]:
            one = record["dynamodb"]["Keys"]["id"]["S"]
            seen.setdefault(one, []).append(record["dynamodb"]["NewImage"]["version"]["N"])
    assert seen == {one: ["1", "2", "3", "4", "5"] for one in NAMES}


def test_a_lane_hands_over_one_batch_at_a_time():
    """One lane: with a factor of 1 one batch at a time, in the shard's order."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    world = World(parallelization=3, batch_size=2, duration_ms=1_000)
    world.write(*NAMES).run(600)
    running = {}
    for time, event in [(call.start_ms, call.event) for call in world.function.calls]:
        number = lane(ids_of(event)[0], 3)
        assert time >= running.get(number, 0)
        running[number] = time + 1_000


def test_a_stuck_lane_blocks_only_itself():
    """A stuck lane: it blocks only itself: a choice."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    stuck = lane("o-0", 4)

    def poison(event):
        if "o-0" in ids_of(event):
            raise ValueError

    world = World(poison, parallelization=4, batch_size=1).write(*NAMES).run(3_600)
    delivered = {one for batch in world.batches for one in batch} - {"o-0"}
    assert delivered == {one for one in NAMES if lane(one, 4) != stuck}


def test_with_several_lanes_the_checkpoint_stands_before_the_oldest_unfinished_record():
    """Not documented: a choice."""

    def poison(event):
        if "o-3" in ids_of(event):
            raise ValueError

    world = World(poison, parallelization=4, batch_size=1).write(*NAMES).run(60)
    assert world.checkpoint == world.sequence(2)


def test_records_finished_ahead_of_the_checkpoint_are_not_delivered_again_after_a_pause():
    """Not documented: a choice."""
    bad = True

    def poison(event):
        if bad and "o-3" in ids_of(event):
            raise ValueError

    world = World(poison, parallelization=4, batch_size=1).write(*NAMES).run(60)
    before = len(world.batches)
    world.mapping.disable()
    world.run(1)
    bad = False
    world.mapping.enable()
    world.run(60)
    again = [one for batch in world.batches[before:] for one in batch]
    assert sorted(again) == sorted(one for one in NAMES[3:] if lane(one, 4) == lane("o-3", 4))
    assert world.mapping.pending() == []
    assert world.checkpoint == world.sequence(-1)


def test_an_invocation_may_end_while_another_one_is_being_started():
    """A simulated function may finish one lane's call inside the start of another's."""
    world = World(parallelization=2, batch_size=5)
    waiting = []

    def finish():
        if waiting:
            waiting.pop()(Result("returned"))

    def invoke(event, done):
        world.function.calls.append(ScriptedCall(world.clock.now, event))
        finish()
        waiting.append(done)
        if len(world.batches) % 2 == 0:
            world.clock.after(1_000, finish)

    world.function.invoke = invoke
    world.write(*NAMES).run(60)
    assert world.mapping.pending() == []
    assert sorted(one for batch in world.batches for one in batch) == sorted(NAMES)


def test_the_factor_can_change_without_losing_or_repeating_anything():
    world = World(parallelization=4, batch_size=1, duration_ms=1_000).write(*NAMES).run(2.5)
    world.mapping.update(replace(world.mapping.settings, parallelization=1))
    world.run(600)
    delivered = [one for batch in world.batches for one in batch]
    assert sorted(delivered) == sorted(NAMES)


def test_filters_and_lanes_together_move_the_checkpoint_past_filtered_records():
    only = parse_filter_criteria({"Filters": [{"Pattern": '{"eventName": ["MODIFY"]}'}]})
    world = World(parallelization=4, filters=only).write(*NAMES).run(1)
    assert world.batches == []
    assert world.checkpoint == world.sequence(-1)


def test_the_same_day_is_played_the_same_way_twice():
    def play():
        world = World(parallelization=5, batch_size=3, duration_ms=70).write(*NAMES).run(60)
        return world.batches, world.times

    assert play() == play()


def test_concurrency_above_the_reservation_is_throttled_and_comes_later():
    limits = Concurrency()
    limits.reserve("totals", 2)
    world = World(parallelization=8, duration_ms=1_000, concurrency=limits, batch_size=50)
    world.write(*NAMES).run(120)
    assert sorted(one for batch in world.batches for one in batch) == sorted(NAMES)
    assert world.metric("Throttles") >= 1
    world.mapping.flush()
    peak = max(d.value for d in world.metrics.find("AWS/Lambda", "ConcurrentExecutions"))
    assert peak == 2


def test_the_account_limit_is_shared_by_functions_without_a_reservation():
    limits = Concurrency(account_limit=3)
    assert limits.acquire("a") and limits.acquire("b") and limits.acquire("a")
    assert not limits.acquire("b")
    limits.release("a")
    assert limits.acquire("b")
    assert (limits.running("a"), limits.running("b")) == (1, 2)


def test_a_reservation_is_a_floor_and_a_ceiling():
    # https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
    limits = Concurrency(account_limit=103)
    limits.reserve("mine", 2)
    for _ in range(101):
        assert limits.acquire("other")
    assert not limits.acquire("other"), "two of 103 are reserved"
    assert limits.acquire("mine") and limits.acquire("mine")
    assert not limits.acquire("mine"), "and two is also the most"
    assert limits.shared() == 101, "an account's settings say the same whatever runs"


@pytest.mark.parametrize(("limit", "reserve"), [(1_000, 901), (10, 1), (100, 1)])
def test_a_hundred_must_stay_unreserved(limit, reserve):
    """So a new account with a low limit cannot reserve at all."""
    with pytest.raises(Refused) as refused:
        Concurrency(limit).reserve("f", reserve)
    assert refused.value.parameter == "ReservedConcurrentExecutions"


def test_zero_is_the_off_switch_even_on_a_small_account():
    limits = Concurrency(10)
    limits.reserve("f", 0)
    assert limits.reserved("f") == 0
    assert not limits.acquire("f")
