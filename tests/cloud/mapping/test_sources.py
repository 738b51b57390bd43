"""Streams as event sources: switched off and on again, gone, in other places, with many readers."""

from __future__ import annotations

import pytest

from grader.cloud.aws import Refused
from grader.cloud.mapping import Bench

DAY_H = 24


@pytest.fixture(name="bench")
def _bench():
    return Bench()


def item(name):
    return {"id": {"S": name}}


def request(stream, function="totals", **more):
    return {
        "EventSourceArn": stream.arn,
        "FunctionName": function,
        "StartingPosition": "TRIM_HORIZON",
        **more,
    }


def ids(bench, uuid):
    return [
        record.event["dynamodb"]["Keys"]["id"]["S"]
        for one in bench.invocations(uuid)
        for record in one.records
    ]


def test_a_stream_enabled_again_has_a_new_arn_and_the_mapping_stays_on_the_old_one(bench):
    """Disabling and enabling makes a new stream: its mapping has to be made anew."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    bench.function("totals")
    old = bench.stream()
    uuid = bench.create(**request(old))["UUID"]
    old.write(None, item("before"), bench.now)
    bench.run_for(minutes=2)
    old.disable(bench.now)
    bench.run_for(minutes=2)
    new = bench.stream()
    assert new.arn != old.arn
    new.write(None, item("after"), bench.now)
    bench.run_for(hours=1)
    assert ids(bench, uuid) == ["before"]
    again = bench.create(**request(new))["UUID"]
    bench.run_for(minutes=2)
    assert ids(bench, again) == ["after"]
    assert bench.get(uuid)["EventSourceArn"] == old.arn


def test_what_a_disabled_stream_still_holds_is_delivered(bench):
    """A disabled stream stays readable for 24 hours."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    bench.function("totals")
    stream = bench.stream()
    stream.write(None, item("a"), bench.now)
    stream.disable(bench.now)
    uuid = bench.create(**request(stream))["UUID"]
    bench.run_for(hours=1)
    assert ids(bench, uuid) == ["a"]
    assert bench.get(uuid)["LastProcessingResult"] == "OK"


def test_a_stream_that_is_gone_is_a_problem_and_takes_no_new_mapping(bench):
    """After 24 hours a disabled stream is gone. That LastProcessingResult says so is a choice."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    bench.function("totals")
    bench.function("mail")
    stream = bench.stream()
    uuid = bench.create(**request(stream))["UUID"]
    stream.write(None, item("a"), bench.now)
    bench.run_for(minutes=2)
    stream.disable(bench.now)
    bench.run_for(hours=DAY_H)
    assert bench.get(uuid)["LastProcessingResult"] == "OK"
    bench.run_for(seconds=1)
    assert bench.get(uuid)["LastProcessingResult"] == f"PROBLEM: Stream not found: {stream.arn}"
    assert bench.get(uuid)["State"] == "Enabled"
    with pytest.raises(Refused) as refused:
        bench.create(**request(stream, "mail"))
    assert refused.value.message == f"Stream not found: {stream.arn}"


def test_another_accounts_stream_is_a_source(bench):
    """A resource policy on the stream can let another account's function read it."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    bench.function("totals")
    stream = bench.stream(account_id="999999999999")
    uuid = bench.create(**request(stream))["UUID"]
    stream.write(None, item("a"), bench.now)
    bench.drain()
    assert ids(bench, uuid) == ["a"]
    assert ":123456789012:event-source-mapping:" in bench.get(uuid)["EventSourceMappingArn"]


def test_another_regions_stream_is_not(bench):
    """Stream and function have to be in one Region; the sentence is a choice."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    bench.function("totals")
    stream = bench.stream(region="eu-west-1")
    with pytest.raises(Refused, match="not in one Region") as refused:
        bench.create(**request(stream))
    assert refused.value.code == "InvalidParameterValueException"


def test_more_than_two_readers_of_a_shard_are_served_all_the_same(bench):
    """AWS: more than two readers of a shard may be throttled. Here they never are: a choice."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    stream = bench.stream()
    uuids = []
    for name in ("one", "two", "three"):
        bench.function(name)
        uuids.append(bench.create(**request(stream, name))["UUID"])
    for number in range(10):
        stream.write(None, item(str(number)), bench.now)
    bench.drain()
    assert all(ids(bench, uuid) == [str(number) for number in range(10)] for uuid in uuids)


def test_mappings_of_one_stream_fail_and_pause_without_each_other(bench):
    """Each mapping has its own position: what blocks one does not hold up the other."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    stream = bench.stream()
    bench.function("stuck", lambda event: 1 / 0)
    bench.function("fine")
    stuck = bench.create(**request(stream, "stuck"))["UUID"]
    fine = bench.create(**request(stream, "fine"))["UUID"]
    for name in ("a", "b"):
        stream.write(None, item(name), bench.now)
        bench.run_for(minutes=2)
    shard = stream.shards[0]
    assert bench.checkpoint(stuck, shard.id) is None
    assert bench.checkpoint(fine, shard.id) == shard.records[-1].sequence


def test_a_mapping_in_change_is_in_use(bench):
    """Update and delete are refused while the mapping changes; the sentences are from error logs."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
    # https://docs.aws.amazon.com/lambda/latest/api/API_DeleteEventSourceMapping.html
    bench.function("totals")
    uuid = bench.create(**request(bench.stream()))["UUID"]
    for verb, change in (
        ("update", lambda: bench.update(uuid, BatchSize=5)),
        ("delete", lambda: bench.delete(uuid)),
    ):
        with pytest.raises(Refused) as refused:
            change()
        assert (refused.value.code, refused.value.message) == (
            "ResourceInUseException",
            f"Cannot {verb} the event source mapping because it is in use.",
        )


def test_a_list_has_at_most_100_mappings_a_page(bench):
    """ListEventSourceMappings returns 100 items at most, whatever MaxItems says."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html
    stream = bench.stream()
    made = []
    for number in range(101):
        bench.function(f"f{number}")
        made.append(bench.create(**request(stream, f"f{number}"))["UUID"])
    page = bench.mappings.list(max_items=10_000)
    assert [one["UUID"] for one in page["EventSourceMappings"]] == made[:100]
    rest = bench.mappings.list(marker=page["NextMarker"], max_items=1)
    assert [one["UUID"] for one in rest["EventSourceMappings"]] == made[100:]
    assert "NextMarker" not in rest
    for wrong in (0, 10_001):
        with pytest.raises(Refused) as refused:
            bench.mappings.list(max_items=wrong)
        assert refused.value.code == "ValidationException"


def test_records_trimmed_before_the_mapping_existed_are_no_loss(bench):
    """TRIM_HORIZON is the oldest record that the stream still has."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
    bench.function("totals")
    stream = bench.stream()
    stream.write(None, item("old"), bench.now)
    bench.run_for(hours=25)
    stream.write(None, item("new"), bench.now)
    uuid = bench.create(**request(stream))["UUID"]
    bench.drain()
    assert ids(bench, uuid) == ["new"]
    assert not any("trimmed" in line for line in bench.timeline(uuid))
