"""How batches are formed: size, window, 6 MB, filters, pages, shards.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

import json

from mapping_world import World, ids_of

from grader.cloud.mapping.choices import SHARD_DISCOVERY_MS, poll_phase_ms
from grader.cloud.mapping.filters import parse_filter_criteria
from grader.cloud.mapping.journal import Filtered, Formed, Polled

INSERTS = parse_filter_criteria({"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]})


def names(start, stop):
    return [f"o-{n}" for n in range(start, stop)]


def why(world):
    return [entry.why for entry in world.journal.of(Formed)]


def test_a_batch_goes_out_when_it_has_batch_size_records():
    """A batch goes out as soon as it has BatchSize records."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
    world = World(batch_size=3).write(*names(0, 7)).run(1)
    assert world.batches == [names(0, 3), names(3, 6), names(6, 7)]
    assert why(world) == ["size", "size", "available"]


def test_without_a_window_even_a_single_record_goes_out_at_the_next_poll():
    """Base rate: each shard is polled four times a second, and a single record goes out at the next
    poll.
    """
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html: 4 polls a second
    world = World().run(10)
    world.clock.run_for(60)
    world.write("a").run(1)
    assert world.times == [10.25]


def test_a_window_collects_until_it_elapses():
    """With a window set, a batch that is not full waits until the window is over."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
    world = World(window_ms=5_000)
    for one in names(0, 4):
        world.write(one).run(1)
    world.run(2)
    assert world.batches == [names(0, 4)]
    assert world.times == [5.0]
    assert why(world) == ["window"]


def test_a_full_batch_does_not_wait_for_its_window():
    """BatchSize 100 with window 300 is not "one call in five minutes"."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
    world = World(batch_size=100, window_ms=300_000).write(*names(0, 250)).run(1)
    assert [len(batch) for batch in world.batches] == [100, 100]
    world.run(299)
    assert [len(batch) for batch in world.batches] == [100, 100, 50]


def test_the_next_window_starts_when_the_previous_invocation_finishes():
    """The next window: it starts when the previous invocation finishes."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
    world = World(window_ms=5_000, duration_ms=3_000).write("a").run(5)
    world.write("b").run(20)
    # Invoked at 5, finished at 8: the window of "b" ends at 13, not at 10.
    assert world.times == [5.0, 13.0]


def test_an_empty_window_is_followed_by_the_next_one():
    """Not documented: a choice."""
    world = World(window_ms=5_000).run(7).write("a").run(10)
    assert world.times == [10.0]


def test_a_batch_stops_at_six_megabytes_of_payload():
    """A batch goes out when it reaches 6 MB, the limit of a synchronous invocation."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
    world = World(batch_size=10_000).write(*names(0, 40), size=300_000).run(2)
    sizes = [len(json.dumps(event, separators=(",", ":"))) for event in world.events]
    assert max(sizes) <= 6 * 1024 * 1024
    assert sum(len(batch) for batch in world.batches) == 40
    assert why(world)[0] == "bytes"
    first = world.events[0]
    one = len(json.dumps(first["Records"][0], separators=(",", ":")))
    assert sizes[0] + one > 6 * 1024 * 1024, "one more record would not have fitted"


def test_the_record_that_would_exceed_six_megabytes_starts_the_next_batch():
    world = World(batch_size=10_000).write(*names(0, 21), size=300_000).run(2)
    assert [len(batch) for batch in world.batches] == [20, 1]


def test_a_batch_that_reaches_six_megabytes_does_not_wait_for_its_window():
    world = World(batch_size=10_000, window_ms=300_000).write(*names(0, 30), size=300_000).run(2)
    assert len(world.batches) == 1
    assert len(world.batches[0]) < 30


def test_the_payload_limit_counts_json_not_stored_bytes():
    """Escapes make JSON larger than what DynamoDB stores."""
    world = World(batch_size=10_000)
    for n in range(12):
        item = {"id": {"S": f"o-{n}"}, "pad": {"S": "\x01" * 150_000}}
        world.stream.write(None, item, world.clock.now)
    world.run(2)
    assert sum(len(batch) for batch in world.batches) == 12
    assert len(world.batches) == 2


def test_a_batch_above_1000_records_takes_more_than_one_page():
    """Above 1,000 records: such a batch takes more than one GetRecords page."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    world = World(batch_size=2_500).write(*names(0, 2_600)).run(1)
    assert [len(batch) for batch in world.batches] == [2_500, 100]
    assert [len(entry.records) for entry in world.journal.of(Polled)] == [1_000, 1_000, 600]


def test_filtered_records_do_not_count_towards_the_batch_size():
    """Filters first: filtered records do not count towards BatchSize."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    world = World(batch_size=3, filters=INSERTS)
    world.write("a", "a", "b", "b", "c", "d").run(1)
    assert world.batches == [["a", "b", "c"], ["d"]]
    assert [len(entry.records) for entry in world.journal.of(Filtered)] == [2]


def test_a_record_that_no_filter_lets_through_moves_the_position_without_an_invocation():
    """A record that does not match: the position moves past it, without an invocation."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    world = World(filters=INSERTS).write("a").run(1)
    world.write("a", "a").run(1)
    assert world.batches == [["a"]]
    assert world.checkpoint == world.sequence(-1)
    assert world.mapping.pending() == []


def test_a_batch_never_mixes_shards():
    """One shard: a batch never mixes shards."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    world = World(batch_size=1_000, shards=3).write(*names(0, 60)).run(1)
    owner = {
        record.event["dynamodb"]["Keys"]["id"]["S"]: shard.id
        for shard in world.stream.shards
        for record in shard.records
    }
    assert len(world.batches) == 3
    for batch in world.batches:
        assert len({owner[one] for one in batch}) == 1


def test_children_wait_until_their_parent_is_processed_to_its_end():
    """A parent shard is processed before its children."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    attempts = []

    def fail_twice(event):
        attempts.append(ids_of(event))
        if len(attempts) <= 2:
            raise ValueError

    world = World(fail_twice, batch_size=100)
    world.write(*names(0, 10))
    world.stream.split(world.shard.id, world.clock.now)
    world.write(*names(10, 20)).run(5)
    assert attempts[:3] == [names(0, 10)] * 3
    assert sorted(one for batch in attempts[3:] for one in batch) == sorted(names(10, 20))


def test_a_child_of_a_drained_parent_is_polled_as_soon_as_it_is_found():
    world = World().write("a").run(5)
    world.stream.close(world.shard.id, world.clock.now)
    world.write("b").run(SHARD_DISCOVERY_MS / 1000 - 0.001)
    assert world.batches == [["a"]]
    world.run(0.251)
    assert world.batches == [["a"], ["b"]]


def test_a_child_that_was_found_while_its_parent_is_read_comes_without_a_pause():
    world = World(duration_ms=2_000).write("a").run(1)
    world.stream.close(world.shard.id, world.clock.now)
    world.write("b").run(3)
    assert world.times[0] == 0
    assert 2 <= world.times[1] < 2.25


def test_shards_are_polled_out_of_step_each_on_a_grid_of_its_own():
    world = World(shards=4, seed=2)
    for _ in range(40):
        world.write(*names(0, 40)).run(1)
    phases = {round(time * 1000) % 250 for time in world.times}
    assert phases == {poll_phase_ms(shard, 2) for shard in range(4)}
    assert len(phases) == 4


def test_another_seed_is_another_order_of_the_polls_and_the_first_shard_comes_first():
    orders = [[poll_phase_ms(shard, seed) for shard in range(16)] for seed in range(4)]
    assert len(set(map(tuple, orders))) == 4
    assert {order[0] for order in orders} == {0}
    assert all(len(set(order)) == 16 for order in orders)


def test_an_idle_day_costs_no_events():
    world = World().run(1)
    assert world.clock.next_time() is None or world.clock.next_time() <= world.start + 60_000
    world.run(120)
    assert world.clock.next_time() is None
    world.run(86_400 - 121)
    world.write("a").run(1)
    assert world.batches == [["a"]]


def test_records_that_arrive_during_an_invocation_wait_for_its_end():
    """Synchronous: the invocation is synchronous: its shard waits for the answer."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    world = World(duration_ms=2_000).write("a").run(1)
    world.write("b", "c").run(5)
    assert world.batches == [["a"], ["b", "c"]]
    assert world.times == [0.0, 2.0]


def test_a_backlog_is_read_without_waiting_between_full_pages():
    """Not documented: a choice."""
    world = World(batch_size=1_000, duration_ms=10, create=False).write(*names(0, 5_000))
    world.mapping.create()
    world.run(1)
    assert world.times == [0.0, 0.01, 0.02, 0.03, 0.04]
