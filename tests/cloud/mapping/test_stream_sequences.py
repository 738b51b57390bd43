"""Sequence numbers: the emulator's own, strictly increasing, never compared as text."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cloud.dynamodb.stream import Stream

NOW = 1_793_610_000_000


def item(key):
    return {"id": {"S": key}}


def test_numbers_have_21_to_38_digits_and_uneven_gaps():
    """Lengths: sequence numbers have 21 to 40 digits, shard ids 28 to 65 characters."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
    for first in (None, 10**20, 10**37):
        stream = Stream(table="T", keys=["id"], created_ms=NOW, first_sequence=first)
        numbers = [stream.write(None, item(f"{n}"), NOW).sequence for n in range(200)]
        assert all(21 <= len(str(number)) <= 38 for number in numbers)
        assert len({b - a for a, b in pairwise(numbers)}) > 50


def test_a_scenario_can_cross_a_power_of_ten_where_text_order_goes_wrong():
    stream = Stream(table="T", keys=["id"], created_ms=NOW, first_sequence=10**24 - 3000)
    numbers = [stream.write(None, item(f"{n}"), NOW).sequence for n in range(40)]
    texts = [str(number) for number in numbers]
    assert numbers == sorted(numbers)
    assert texts != sorted(texts)
    assert {len(text) for text in texts} == {24, 25}


@pytest.mark.parametrize("first", [10**20 - 1, 10**37 + 1, 0])
def test_a_first_number_outside_the_range_is_refused(first):
    with pytest.raises(ValueError, match="21 digits"):
        Stream(table="T", keys=["id"], created_ms=NOW, first_sequence=first)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    steps=st.lists(st.sampled_from(["write", "write", "write", "split", "close"]), max_size=60),
    first=st.sampled_from([None, 10**21 - 2000, 10**30 - 500]),
    seed=st.integers(0, 5),
    shards=st.integers(1, 3),
)
def test_numbers_increase_over_writes_splits_and_roll_overs(steps, first, seed, shards):
    """Over the whole stream, and from parent to child; each record lies inside its shard."""
    stream = Stream(
        table="T", keys=["id"], created_ms=NOW, first_sequence=first, seed=seed, shards=shards
    )
    numbers = []
    for step, what in enumerate(steps):
        if what == "write":
            numbers.append(stream.write(None, item(f"k{step}"), NOW + step).sequence)
        else:
            shard = stream.open_shards[step % len(stream.open_shards)]
            getattr(stream, what)(shard.id, NOW + step)
    assert all(a < b for a, b in pairwise(numbers))
    by_id = {shard.id: shard for shard in stream.shards}
    assert len(by_id) == len(stream.shards)
    seen = set()
    for shard in stream.shards:
        inside = [record.sequence for record in shard.records]
        assert all(number >= shard.starting_sequence for number in inside)
        if shard.ending_sequence is not None:
            assert all(number <= shard.ending_sequence for number in inside)
        if shard.parent_id is not None:
            assert shard.parent_id in seen, "parents are listed before children"
            assert by_id[shard.parent_id].ending_sequence < shard.starting_sequence
        seen.add(shard.id)
        assert 28 <= len(shard.id) <= 65 and shard.id.startswith("shardId-")
