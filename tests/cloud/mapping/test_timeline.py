"""A journal as lines: what repeats is counted, and nothing else is left out."""

import pytest
from mapping_world import QUEUE, World, failed, ids_of, sequences_of

from grader.cloud.mapping import timeline


def lines(world, **options):
    return list(
        timeline.lines(
            world.journal,
            world.start,
            lambda one: one.event["dynamodb"]["Keys"]["id"]["S"],
            **options,
        )
    )


def raise_value_error(event):
    raise ValueError("x")


def test_attempts_that_repeat_the_one_before_are_counted_with_the_last_ones_time():
    world = World(raise_value_error, max_retries=5, destination=QUEUE).write("a").run(600)
    told = lines(world)
    shown = [line.split("attempt ")[1][0] for line in told if "batch 1, attempt" in line]
    assert shown == ["1", "6"]  # the last one ended the batch
    (count,) = [line.strip() for line in told if "more attempts" in line]
    stamp = f"+{int(world.times[4] // 60)}:{world.times[4] % 60:06.3f}"
    assert count == f"batch 1: 4 more attempts like this one, number 5 at {stamp}"
    assert any(
        "batch 1: 1 record discarded" in line
        for line in told[told.index(f"{count:>{len(count) + 14}}") :]
    )


def test_every_attempt_is_told_where_the_whole_is_asked_for():
    world = World(raise_value_error, max_retries=5, destination=QUEUE).write("a").run(600)
    told = lines(world, whole=True)
    assert sum("batch 1, attempt" in line for line in told) == 6
    assert not any("more attempt" in line for line in told)


def test_an_attempt_that_ended_otherwise_is_told_by_itself():
    answers = iter([ValueError("x"), ValueError("x"), ValueError("y"), None])

    def respond(event):
        if (error := next(answers)) is not None:
            raise error

    told = lines(World(respond).write("a").run(600))
    shown = [line.split("attempt ")[1][0] for line in told if "batch 1, attempt" in line]
    assert shown == ["1", "3", "4"]
    assert sum("1 more attempt like this one" in line for line in told) == 1


@pytest.mark.parametrize("lanes", [2, 4])
def test_lanes_that_take_turns_are_each_followed_by_themselves(lanes):
    world = World(
        raise_value_error, max_retries=4, parallelization=lanes, batch_size=1, duration_ms=30
    )
    told = lines(world.write(*[f"o-{n}" for n in range(12)]).run(600))
    batches = {ids_of(event)[0] for event in world.events}
    assert sum("3 more attempts like this one" in line for line in told) == len(batches) == 12


def test_a_part_of_a_batch_is_another_batch():
    """What comes again after a partial success is not a repetition."""

    def respond(event):
        return failed(*[sequence for one, sequence in sequences_of(event).items() if one == "b"])

    world = World(respond, batch_size=2, report_failures=True, max_retries=3)
    told = lines(world.write("a", "b").run(600))
    assert [line for line in told if "2 records" in line and "attempt 1" in line]
    assert [line for line in told if "1 record" in line and "rest" in line]
