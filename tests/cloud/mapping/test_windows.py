"""Tumbling windows.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
"""

import json
from dataclasses import replace

import pytest
from mapping_world import World, ids_of

from grader.cloud.aws import Refused
from grader.cloud.mapping import Result
from grader.cloud.mapping.journal import WindowChanged

MINUTE = 60_000


def counting(event):
    """Count records over the window."""
    return {"state": {"count": event["state"].get("count", 0) + len(event["Records"])}}


def world_of(respond=counting, **settings):
    return World(respond, tumbling_window_ms=MINUTE, **settings)


def calls(world):
    return [
        (ids_of(event), event["state"], event["isFinalInvokeForWindow"]) for event in world.events
    ]


def test_the_state_goes_from_call_to_call_and_ends_with_a_final_call():
    """State: it goes from call to call within a shard's window."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    world = world_of().write("a", "b").run(10)
    world.write("c").run(60)
    assert calls(world) == [
        (["a", "b"], {}, False),
        (["c"], {"count": 2}, False),
        ([], {"count": 3}, True),
    ]


def test_the_event_has_the_documented_extra_keys():
    """Extra keys: window, state, shardId, eventSourceARN, isFinalInvokeForWindow,
    isWindowTerminatedEarly.
    """
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    world = world_of().write("a").run(1)
    event = world.events[0]
    assert {**event, "Records": 1} == {
        "Records": 1,
        "window": {"start": "2026-11-02T09:00:00Z", "end": "2026-11-02T09:01:00Z"},
        "state": {},
        "shardId": world.shard.id,
        "eventSourceARN": world.stream.arn,
        "isFinalInvokeForWindow": False,
        "isWindowTerminatedEarly": False,
    }


def test_borders_come_from_the_insertion_time_not_from_the_time_of_delivery():
    """Borders: they come from the insertion time."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    world = world_of(delay_ms=200_000).run(50)
    world.write("a").run(20)
    world.write("b").run(300)
    starts = [event["window"]["start"][14:19] for event in world.events]
    assert starts == ["00:00", "00:00", "01:00", "01:00"]
    assert [ids for ids, _, _ in calls(world)] == [["a"], [], ["b"], []]


def test_a_batch_stays_inside_one_window():
    """Order: the first delivery is in order; redeliveries need not be."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    world = world_of(delay_ms=130_000)
    for _ in range(4):
        world.write("a").run(30)
    world.run(120)
    assert [len(ids) for ids, _, _ in calls(world)] == [2, 0, 2, 0]


def test_after_the_final_call_the_state_is_dropped():
    """After the final call: the state is dropped."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    world = world_of().write("a").run(61)
    world.write("b").run(61)
    assert calls(world)[2] == (["b"], {}, False)


def test_the_final_call_comes_when_the_window_is_over_even_if_nothing_follows():
    world = world_of().write("a").run(61)
    assert world.times[-1] == 60.0


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": []}])
def test_a_response_without_state_is_a_failed_invocation(answer):
    """The response: without state the invocation has failed; batchItemFailures may stand beside it."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    answers = [answer]
    world = world_of(lambda event: answers.pop() if answers else counting(event))
    world.write("a").run(10)
    assert calls(world) == [(["a"], {}, False), (["a"], {}, False)]


def test_a_failed_call_does_not_change_the_state():
    attempts = []

    def fail_second(event):
        attempts.append(event)
        if len(attempts) == 2:
            raise ValueError
        return counting(event)

    world = world_of(fail_second).write("a").run(1)
    world.write("b").run(10)
    assert [state for _, state, _ in calls(world)] == [{}, {"count": 1}, {"count": 1}]


def test_a_partial_response_may_stand_beside_the_state():
    """The response: without state the invocation has failed; batchItemFailures may stand beside it."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    reported = []

    def report_once(event):
        answer = counting(event)
        if not reported:
            reported.append(event["Records"][1]["dynamodb"]["SequenceNumber"])
            answer["batchItemFailures"] = [{"itemIdentifier": reported[0]}]
            answer["state"] = {"count": 1}
        return answer

    world = world_of(report_once, report_failures=True).write("a", "b").run(30)
    assert calls(world) == [(["a", "b"], {}, False), (["b"], {"count": 1}, False)]


def test_if_the_final_call_fails_the_shard_waits():
    """A final call that fails: the shard waits."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    failing = True

    def fail_final(event):
        if failing and event["isFinalInvokeForWindow"]:
            raise ValueError
        return counting(event)

    world = world_of(fail_final).write("a").run(70)
    world.write("b").run(300)
    assert ["b"] not in world.batches
    failing = False
    world.run(120)
    assert world.batches[-2:] == [["b"], []]


def test_a_final_call_that_has_used_up_its_retries_gives_the_state_up():
    """Not documented: a choice."""

    def fail_final(event):
        if event["isFinalInvokeForWindow"]:
            raise ValueError
        return counting(event)

    world = world_of(fail_final, max_retries=1).write("a").run(70)
    world.write("b").run(1)
    assert calls(world)[-1] == (["b"], {}, False)
    assert [entry.what for entry in world.journal.of(WindowChanged)] == [
        "opened",
        "given up",
        "opened",
    ]


def test_a_state_above_one_megabyte_ends_the_window_early():
    """1 MB: a larger state ends the window early."""

    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    def grow(event):
        if event["isFinalInvokeForWindow"]:
            return {"state": {}}
        return {"state": {"text": event["state"].get("text", "") + "x" * 600_000}}

    world = world_of(grow).write("a").run(1)
    world.write("b").run(1)
    world.write("c").run(1)
    finals = [
        (event["isFinalInvokeForWindow"], event["isWindowTerminatedEarly"])
        for event in world.events
    ]
    assert finals == [(False, False), (False, False), (True, True), (False, False)]
    assert world.batches == [["a"], ["b"], [], ["c"]]
    assert calls(world)[-1][1] == {}


def test_the_end_of_a_shard_closes_its_window_and_its_child_starts_empty():
    """A shard's end: it closes the window; children start empty."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    world = world_of().write("a").run(1)
    world.stream.close(world.shard.id, world.clock.now)
    world.write("b").run(1)
    assert calls(world) == [(["a"], {}, False), ([], {"count": 1}, True), (["b"], {}, False)]
    shards = [event["shardId"] for event in world.events]
    assert shards == [world.stream.shards[0].id] * 2 + [world.stream.shards[1].id]


def test_retries_and_record_age_apply_inside_a_window():
    """Retries and record age: they apply inside a window."""

    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    def poison(event):
        if "bad" in ids_of(event):
            raise ValueError
        return counting(event)

    world = world_of(poison, max_retries=2, batch_size=1).write("bad", "a").run(30)
    assert world.batches == [["bad"], ["bad"], ["bad"], ["a"]]


def test_a_pause_of_the_mapping_keeps_the_state():
    world = world_of().write("a").run(5)
    world.mapping.disable()
    world.run(5)
    world.mapping.enable()
    world.write("b").run(5)
    assert calls(world)[-1] == (["b"], {"count": 1}, False)


def test_lanes_and_windows_together_are_refused_by_name():
    with pytest.raises(Refused, match="ParallelizationFactor"):
        world_of(parallelization=2)


def failing_at_the_end(event):
    if event["isFinalInvokeForWindow"]:
        raise ValueError
    return counting(event)


@pytest.mark.parametrize(("age_ms", "hours"), [(60_000, 60 / 3600), (3_600_000, 1), (-1, 24)])
def test_a_failing_final_call_is_given_up_at_the_records_age_and_after_a_day(age_ms, hours):
    """Retry policies hold for windows, and a failure blocks a shard for up to a day."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    world = world_of(failing_at_the_end, max_age_ms=age_ms).write("a").run(70)
    world.write("b").run(hours * 3600 + 120)
    limit = world.start + MINUTE + hours * 3_600_000
    finals = [
        call.start_ms
        for call in world.function.calls
        if call.event["isFinalInvokeForWindow"]
        and call.event["window"]["start"].endswith("09:00:00Z")
    ]
    assert len(finals) > 5
    assert limit - max(60_000, hours * 1_800_000) <= finals[-1] <= limit
    assert any(isinstance(one, WindowChanged) and one.what == "given up" for one in world.journal)


def test_throttled_final_calls_are_given_up_too():
    throttle = Result("throttled")
    world = world_of(
        lambda event: throttle if event["isFinalInvokeForWindow"] else counting(event),
        max_age_ms=60_000,
    )
    world.write("a").run(600)
    assert world.function.calls[-1].start_ms - world.start <= 2 * MINUTE


def test_the_payload_of_a_window_counts_its_state_and_members():
    """6 MB hold all of the event: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
    big = "x" * 900_000
    world = world_of(lambda event: {"state": {"big": big}}, batch_size=10_000)
    world.write("a").run(1)
    world.write(*[f"b{n}" for n in range(40)], size=350_000).run(30)
    sizes = [
        len(json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode())
        for event in world.events
    ]
    assert max(sizes) <= 6 * 1024 * 1024
    assert max(sizes) > 5_500_000


def test_a_window_that_an_update_takes_away_ends_without_a_final_call():
    world = world_of().write("a").run(1)
    world.mapping.update(replace(world.mapping.settings, tumbling_window_ms=0))
    world.run(1).write("b").run(120)
    assert not any(event.get("isFinalInvokeForWindow") for event in world.events)
    assert "state" not in world.events[-1]
