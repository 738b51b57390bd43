"""A mapping's states, starting positions, and what pauses and updates keep.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
"""

from dataclasses import replace

import pytest
from mapping_world import World, ids_of

from grader.cloud.aws import Refused
from grader.cloud.mapping import EventSourceMapping, Scripted, Settings
from grader.cloud.mapping.filters import parse_filter_criteria
from grader.cloud.mapping.journal import StateChanged, Unreadable

MINUTE = 60_000


def states(world):
    return [entry.state for entry in world.journal.of(StateChanged)]


def test_a_new_mapping_is_creating_and_then_enabled():
    world = World(delay_ms=MINUTE)
    assert (world.mapping.state, world.mapping.state_transition_reason) == (
        "Creating",
        "User action",
    )
    world.run(59)
    assert world.mapping.state == "Creating"
    world.run(1)
    assert world.mapping.state == "Enabled"


def test_a_mapping_created_disabled_never_polls():
    """Enabled: a boolean, true unless given; created with false, a mapping never polls."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    world = World(enabled=False).write("a").run(600)
    assert world.mapping.state == "Disabled"
    assert world.batches == []


def test_trim_horizon_reads_what_was_written_before_and_during_creation():
    world = World(create=False, delay_ms=MINUTE).write("before")
    world.mapping.create()
    world.run(30)
    world.write("during").run(31)
    assert world.batches == [["before", "during"]]


def test_latest_misses_what_is_written_before_polling_really_starts():
    """AWS advises TRIM_HORIZON when nothing may be lost."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    world = World(create=False, delay_ms=MINUTE, starting_position="LATEST").write("before")
    world.mapping.create()
    world.run(30)
    world.write("during").run(31)
    world.write("after").run(1)
    assert world.batches == [["after"]]
    assert world.mapping.pending() == []


def test_latest_reads_shards_that_open_later_from_their_start():
    world = World(starting_position="LATEST").run(1)
    world.stream.split(world.shard.id, world.clock.now)
    world.write("a", "b", "c").run(1)
    assert sorted(one for batch in world.batches for one in batch) == ["a", "b", "c"]


def test_latest_skips_shards_that_were_closed_before():
    world = World(create=False, starting_position="LATEST").write("a")
    world.stream.close(world.shard.id, world.clock.now)
    world.mapping.create()
    world.run(1)
    world.write("b").run(1)
    assert world.batches == [["b"]]


def test_disabling_pauses_and_enabling_resumes_after_the_last_processed_record():
    """Pause and resume: disabling pauses; enabling resumes after the last processed record."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    # https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
    world = World(delay_ms=MINUTE).run(61)
    world.write("a").run(1)
    world.mapping.disable()
    assert world.mapping.state == "Disabling"
    world.run(61)
    assert world.mapping.state == "Disabled"
    world.write("b").run(600)
    assert world.batches == [["a"]]
    world.mapping.enable()
    assert world.mapping.state == "Enabling"
    world.run(61)
    assert world.batches == [["a"], ["b"]]
    assert states(world) == [
        "Creating",
        "Enabled",
        "Disabling",
        "Disabled",
        "Enabling",
        "Enabled",
    ]


def test_latest_keeps_its_position_over_a_pause():
    world = World(starting_position="LATEST").run(1)
    world.mapping.disable()
    world.run(1)
    world.write("a").run(1)
    world.mapping.enable()
    world.run(1)
    assert world.batches == [["a"]]


def test_polling_goes_on_until_the_mapping_is_disabled():
    """Stopping "may take several minutes"."""
    world = World(delay_ms=MINUTE).run(61)
    world.mapping.disable()
    world.write("a").run(1)
    assert world.batches == [["a"]]


def test_a_running_invocation_finishes_and_counts_when_the_mapping_is_disabled():
    world = World(duration_ms=5_000).write("a").run(1)
    world.mapping.disable()
    world.run(10)
    world.mapping.enable()
    world.run(10)
    assert world.batches == [["a"]]
    assert world.checkpoint == world.sequence(0)


def test_a_mapping_enabled_again_during_an_invocation_goes_on_after_it():
    world = World(duration_ms=5_000, batch_size=1).write("a", "b").run(1)
    world.mapping.disable()
    world.run(1)
    world.mapping.enable()
    world.run(20)
    assert world.batches == [["a"], ["b"]]
    assert world.times == [0.0, 5.0]


def test_a_failing_batch_survives_a_pause_with_a_fresh_budget():
    """Not documented: a choice."""
    broken = True

    def fail(event):
        if broken:
            raise ValueError

    world = World(fail, max_retries=20).write("a").run(3)
    world.mapping.disable()
    world.run(60)
    assert [record.sequence for record in world.mapping.pending()] == [world.sequence(0)]
    broken = False
    world.mapping.enable()
    world.run(1)
    assert world.batches[-1] == ["a"]
    assert world.mapping.pending() == []


def test_an_update_takes_effect_after_updating_and_keeps_the_position():
    """A mapping is Updating until its change takes effect; the position is kept."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
    world = World(delay_ms=MINUTE, batch_size=1).run(61)
    world.write("a").run(1)
    world.mapping.update(replace(world.mapping.settings, batch_size=10))
    assert world.mapping.state == "Updating"
    world.write("b", "c").run(1)
    assert world.batches == [["a"], ["b"], ["c"]]
    world.run(60)
    assert world.mapping.state == "Enabled"
    world.write("d", "e").run(1)
    assert world.batches[3:] == [["d", "e"]]


def test_an_update_of_the_retries_frees_a_blocked_shard():
    def poison(event):
        if "bad" in ids_of(event):
            raise ValueError

    world = World(poison, batch_size=1).write("bad", "good").run(600)
    assert ["good"] not in world.batches
    world.mapping.update(replace(world.mapping.settings, max_retries=1))
    world.run(10)
    assert world.batches[-1] == ["good"]


def test_new_filters_apply_to_what_is_not_processed_yet():
    def poison(event):
        raise ValueError

    world = World(poison).write("a").run(10)
    filters = parse_filter_criteria({"Filters": [{"Pattern": '{"eventName": ["REMOVE"]}'}]})
    world.mapping.update(replace(world.mapping.settings, filters=filters))
    world.run(10)
    assert world.mapping.pending() == []
    assert world.checkpoint == world.sequence(0)


def test_a_change_of_function_keeps_the_position():
    world = World().write("a").run(1)
    other = Scripted("other", world.clock)
    world.mapping.update(world.mapping.settings, other)
    world.run(1)
    world.write("b").run(1)
    assert world.batches == [["a"]]
    assert [ids_of(event) for event in [call.event for call in other.calls]] == [["b"]]
    assert world.mapping.describe()["FunctionArn"] == other.arn


@pytest.mark.parametrize("change", ["enable", "disable", "delete"])
def test_a_change_is_refused_while_another_one_is_under_way(change):
    # https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
    world = World(delay_ms=MINUTE)
    with pytest.raises(Refused) as refused:
        getattr(world.mapping, change)()
    assert refused.value.code == "ResourceInUseException"


def test_a_deleted_mapping_delivers_nothing_more():
    """A mapping is Deleting until it is gone; then it delivers nothing."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
    world = World().run(1)
    world.mapping.delete()
    assert world.mapping.state == "Deleting"
    world.run(1)
    assert world.mapping.is_deleted
    world.write("a").run(60)
    assert world.batches == []


def test_last_processing_result():
    """Recorded: "No records processed", then "OK"; "PROBLEM: Function call failed" is documented."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    broken = False

    def respond(event):
        if broken:
            raise ValueError

    world = World(respond).run(1)
    assert world.mapping.last_processing_result == "No records processed"
    world.write("a").run(1)
    assert world.mapping.last_processing_result == "OK"
    broken = True
    world.write("b").run(1)
    assert world.mapping.last_processing_result == "PROBLEM: Function call failed"


def test_a_stream_that_cannot_be_read_is_a_problem_and_nothing_is_invoked_or_lost():
    problem = "the role may not call dynamodb:GetRecords"
    world = World(readable=lambda: problem).write("a").run(300)
    assert world.batches == []
    assert world.mapping.last_processing_result == f"PROBLEM: {problem}"
    assert world.mapping.state == "Enabled"
    assert problem in str(world.journal.of(Unreadable)[0])
    problem = None
    world.run(120)
    assert world.batches == [["a"]]


def test_the_mapping_describes_itself_as_recorded():
    """Recorded: these keys; after the creation the state is Enabled."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    world = World(delay_ms=MINUTE)
    described = world.mapping.describe()
    assert list(described) == sorted(described)
    assert described == {
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
        "EventSourceArn": world.stream.arn,
        "EventSourceMappingArn": "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:"
        "00000000-0000-4000-8000-000000000001",
        "FunctionArn": world.function.arn,
        "FunctionResponseTypes": [],
        "LastModified": world.start / 1000,
        "LastProcessingResult": "No records processed",
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
        "StartingPosition": "TRIM_HORIZON",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "TumblingWindowInSeconds": 0,
        "UUID": "00000000-0000-4000-8000-000000000001",
    }


def test_two_mappings_on_one_stream_each_read_everything():
    world = World().write("a")
    other = Scripted("other", world.clock)
    EventSourceMapping(
        uuid="u",
        settings=Settings(),
        stream=world.stream,
        function=other,
        clock=world.clock,
        metrics=world.metrics,
        destinations=world.queue,
        start_delay_ms=0,
    ).create()
    world.run(1)
    assert world.batches == [["a"]]
    assert [ids_of(event) for event in [call.event for call in other.calls]] == [["a"]]
