"""Shards: who takes which key, splitting, rolling over, trimming, the end of a stream."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cloud.aws import Refused
from grader.cloud.dynamodb.shard import RETENTION_MS
from grader.cloud.dynamodb.stream import Stream

NOW = 1_793_610_000_000
HOUR = 3_600_000


def a_stream(**given):
    return Stream(**{"table": "T", "keys": ["id"], "created_ms": NOW, **given})


def item(key, **more):
    return {"id": {"S": key}, **more}


def put(stream, key, now=NOW):
    return stream.write(None, item(key), now)


def test_all_changes_of_one_item_go_to_one_line_of_shards_in_order():
    """Exactly once in the stream: each change is in the stream once, and per item in order."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    stream = a_stream(shards=2)
    for n in range(60):
        put(stream, f"k{n % 7}", NOW + n)
        if n == 20:
            stream.split(stream.open_shards[0].id, NOW + n)
        if n == 40:
            stream.close(stream.open_shards[1].id, NOW + n)
    for key in range(7):
        holders = [
            shard
            for shard in stream.shards
            if any(
                record.event["dynamodb"]["Keys"]["id"]["S"] == f"k{key}" for record in shard.records
            )
        ]
        for parent, child in pairwise(holders):
            assert child.parent_id == parent.id


def test_keys_spread_over_the_open_shards_by_partition_key_alone():
    stream = Stream(table="T", keys=["pk", "sk"], created_ms=NOW, shards=4)
    for n in range(200):
        stream.write(None, {"pk": {"S": f"p{n % 40}"}, "sk": {"N": str(n)}}, NOW)
    assert all(shard.records for shard in stream.open_shards)
    for shard in stream.open_shards:
        mine = {record.event["dynamodb"]["Keys"]["pk"]["S"] for record in shard.records}
        others = {
            record.event["dynamodb"]["Keys"]["pk"]["S"]
            for other in stream.open_shards
            if other is not shard
            for record in other.records
        }
        assert not mine & others


def test_a_split_closes_the_parent_and_opens_two_children():
    """Shards can split: the parent is closed and two children open."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    stream = a_stream()
    parent = stream.shards[0]
    put(stream, "a")
    first, second = stream.split(parent.id, NOW)
    assert parent.ending_sequence is not None
    assert first.parent_id == second.parent_id == parent.id
    assert stream.shards == (parent, first, second)
    assert stream.open_shards == (first, second)
    with pytest.raises(ValueError, match="closed already"):
        stream.split(parent.id, NOW)


def test_a_roll_over_opens_just_one_child():
    """A parent may have just one child."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    stream = a_stream()
    parent = stream.shards[0]
    child = stream.close(parent.id, NOW)
    assert stream.open_shards == (child,)
    record = put(stream, "a")
    assert child.records == [record]
    assert stream.shard_of(record) is child


def test_shard_listeners_hear_of_changes_until_they_stop():
    stream = a_stream()
    heard = []
    stop = stream.listen_shards(lambda: heard.append(len(stream.open_shards)))
    stream.split(stream.open_shards[0].id, NOW)
    stream.close(stream.open_shards[0].id, NOW)
    stop()
    stream.close(stream.open_shards[0].id, NOW)
    assert heard == [2, 2]


def test_reading_by_position_returns_what_follows_it():
    stream = a_stream()
    shard = stream.shards[0]
    assert shard.read(shard.starting_sequence) == []
    assert shard.latest_position() == shard.starting_sequence
    records = [put(stream, f"{n}") for n in range(5)]
    assert shard.read(records[2].sequence) == records[2:]
    assert shard.read(records[2].sequence + 1) == records[3:]
    assert shard.read(shard.latest_position()) == []
    assert shard.read(0, limit=2) == records[:2]
    assert shard.read(0, limit=0) == []


def test_a_page_stops_before_it_is_too_large_but_never_stays_empty():
    stream = a_stream(view="NEW_IMAGE")
    sizes = [put(stream, "x" * n).size for n in (100, 100, 1000, 100)]
    shard = stream.shards[0]
    assert len(shard.read(0, max_bytes=sizes[0] + sizes[1])) == 2
    assert len(shard.read(0, max_bytes=sizes[0] + sizes[1] - 1)) == 1
    third = shard.records[2].sequence
    assert len(shard.read(third, max_bytes=10)) == 1
    assert len(shard.read(third, max_bytes=sizes[2] + sizes[3])) == 2


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    count=st.integers(0, 40),
    limits=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    max_bytes=st.integers(1, 400),
)
def test_any_page_sizes_visit_each_record_once_in_order(count, limits, max_bytes):
    stream = a_stream(view="KEYS_ONLY")
    written = [put(stream, f"k{n}" * (n % 5 + 1)) for n in range(count)]
    shard = stream.shards[0]
    position, read, page = shard.starting_sequence, [], 0
    while found := shard.read(position, limits[page % len(limits)], max_bytes):
        read += found
        position = found[-1].sequence + 1
        page += 1
    assert read == written
    assert position == shard.latest_position()


def test_records_are_trimmed_after_24_hours_and_not_before():
    """24 hours: records live 24 hours; a disabled stream stays readable as long."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    stream = a_stream()
    shard = stream.shards[0]
    old, young = put(stream, "a", NOW), put(stream, "b", NOW + HOUR)
    assert shard.horizon(NOW + RETENTION_MS) == shard.starting_sequence
    assert shard.read(0) == [old, young]
    assert shard.horizon(NOW + RETENTION_MS + 1) == old.sequence + 1
    assert shard.read(0) == [young]
    assert shard.horizon(NOW + RETENTION_MS + HOUR + 1) == young.sequence + 1
    assert shard.read(0) == []
    assert shard.latest_position() == young.sequence + 1
    with pytest.raises(LookupError):
        stream.shard_of(old)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=80), st.integers(1, 30))
def test_trimming_little_by_little_leaves_exactly_the_young_records(gaps, step):
    stream = a_stream()
    shard = stream.shards[0]
    now, written = NOW, []
    for n, gap in enumerate(gaps):
        now += gap * HOUR
        written.append(put(stream, f"{n}", now))
    for later in range(0, now - NOW + RETENTION_MS + 2 * HOUR, step * HOUR):
        horizon = shard.horizon(NOW + later)
        young = [r for r in written if r.time_ms >= NOW + later - RETENTION_MS]
        assert shard.read(0, limit=1000) == young
        assert shard.read(horizon, limit=1) == young[:1]
        assert len(shard.read(0, 3, 50)) == min(3, len(young))


def test_a_closed_shard_stays_listed_for_24_hours():
    """Shards and partitions: a fair picture, never a documented equality; closed parents stay
    listed for a day.
    """
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    stream = a_stream()
    parent = stream.shards[0]
    child = stream.close(parent.id, NOW + HOUR)
    put(stream, "a", NOW + RETENTION_MS)

    def listed(now):
        return [s["ShardId"] for s in stream.describe(now_ms=now)["Shards"]]

    assert listed(NOW + HOUR + RETENTION_MS) == [parent.id, child.id]
    assert listed(NOW + HOUR + RETENTION_MS + 1) == [child.id]
    assert stream.shards == (child,)


def test_a_disabled_stream_takes_nothing_stays_readable_for_24_hours_and_is_then_gone():
    """24 hours: records live 24 hours; a disabled stream stays readable as long."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    stream = a_stream()
    record = put(stream, "a", NOW)
    stream.disable(NOW + HOUR)
    assert stream.status == "DISABLED"
    assert stream.open_shards == ()
    assert put(stream, "b", NOW + HOUR) is None
    shard_id = stream.shards[0].id
    iterator = stream.shard_iterator(shard_id, "TRIM_HORIZON", now_ms=NOW + 2 * HOUR)
    answer = stream.get_records(iterator, now_ms=NOW + 2 * HOUR)
    assert [r["eventID"] for r in answer["Records"]] == [record.event["eventID"]]
    assert "NextShardIterator" not in answer
    gone = NOW + HOUR + RETENTION_MS + 1
    for call in (
        lambda: stream.describe(now_ms=gone),
        lambda: stream.shard_iterator(shard_id, "LATEST", now_ms=gone),
        lambda: stream.get_records(iterator, now_ms=gone),
    ):
        with pytest.raises(Refused) as refused:
            call()
        assert refused.value.code == "ResourceNotFoundException"


def test_a_stream_enabled_again_is_another_stream_with_another_arn():
    """Enabling a stream again gives another stream with another ARN."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    first = a_stream()
    first.disable(NOW + 1)
    again = a_stream(created_ms=NOW + 2)
    assert again.arn != first.arn
    assert put(again, "a").event["eventID"] != put(a_stream(), "a").event["eventID"]


def test_the_list_of_shards_may_come_in_any_order():
    """DescribeStream promises no order; a list in another order leaves out nothing."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
    stream = a_stream()
    parent = stream.shards[0].id
    children = [shard.id for shard in stream.split(parent, NOW)]
    stream.relist(children[:1])
    listed = [shard["ShardId"] for shard in stream.describe(now_ms=NOW)["Shards"]]
    assert listed == [children[0], parent, children[1]]
    with pytest.raises(Refused, match="not found"):
        stream.relist(["shardId-unknown"])
