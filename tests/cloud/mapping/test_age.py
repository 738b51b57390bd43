"""MaximumRecordAgeInSeconds, and what happens at 24 hours.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

# "Recorded" below: seen on real AWS (Kinesis, the same machinery), published in
# https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_kinesis.snapshot.json

from mapping_world import QUEUE, World

from grader.cloud.mapping.journal import Discarded, Trimmed

HOUR = 3_600


def fail(event):
    raise ValueError


def test_an_always_failing_function_with_one_minute_is_invoked_eight_times():
    """Recorded: 8 invocations, and the note says 8."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_kinesis.snapshot.json
    world = World(fail, max_age_ms=60_000, destination=QUEUE).write("a").run(600)
    assert len(world.batches) == 8
    (note,) = world.queue.documents
    assert note["requestContext"]["condition"] == "RecordAgeExceeded"
    assert note["requestContext"]["approximateInvokeCount"] == 8


def test_a_note_about_age_has_no_response_context():
    """Recorded."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_kinesis.snapshot.json
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    world = World(fail, max_age_ms=60_000, destination=QUEUE).write("a").run(600)
    assert "responseContext" not in world.queue.documents[0]


def test_records_are_dropped_before_the_first_attempt_too():
    """Recorded: approximateInvokeCount 1 although the function was never called."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    world = World(max_age_ms=60_000, destination=QUEUE, delay_ms=120_000)
    world.write("a").run(200)
    assert world.batches == []
    assert world.queue.documents[0]["requestContext"]["approximateInvokeCount"] == 1
    assert world.checkpoint == world.sequence(0)


def test_only_the_over_age_prefix_is_dropped():
    """Recorded: of six records the first was too old; one discarded, five delivered."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    world = World(max_age_ms=60_000, destination=QUEUE, delay_ms=100_000)
    world.write("old").run(70)
    world.write(*"abcde").run(60)
    assert world.batches == [list("abcde")]
    info = world.queue.documents[0]["DDBStreamBatchInfo"]
    assert info["batchSize"] == 1
    assert info["endSequenceNumber"] == str(world.sequence(0))


def test_during_retries_the_batch_loses_its_old_front_and_goes_on_with_the_rest():
    from mapping_world import ids_of

    def poison(event):
        if "old" in ids_of(event):
            raise ValueError

    world = World(poison, max_age_ms=60_000, delay_ms=30_000).write("old").run(29)
    world.write("young").run(120)
    assert world.batches[0] == ["old", "young"]
    assert world.batches[-1] == ["young"]
    assert [entry.condition for entry in world.journal.of(Discarded)] == ["RecordAgeExceeded"]


def test_without_a_limit_a_record_is_delivered_however_old_it_is():
    world = World(delay_ms=23 * HOUR * 1000).write("a").run(24 * HOUR)
    assert world.batches == [["a"]]


def test_records_trimmed_before_they_are_read_are_lost_and_not_counted_as_dropped():
    """Trimmed by the stream: such records do not count in DroppedEventCount."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = World(delay_ms=25 * HOUR * 1000, event_count_metrics=True, destination=QUEUE)
    world.write("lost").run(2 * HOUR)
    world.write("kept").run(24 * HOUR)
    assert world.batches == [["kept"]]
    assert world.metric("DroppedEventCount") is None
    assert world.queue.documents == []
    assert len(world.journal.of(Trimmed)) == 1


def test_records_trimmed_while_their_batch_is_retried_are_lost_without_a_note():
    """Not documented: a choice."""
    world = World(fail, destination=QUEUE, event_count_metrics=True).write("a").run(25 * HOUR)
    assert world.mapping.pending() == []
    assert world.queue.documents == []
    assert world.metric("DroppedEventCount") is None
    assert [len(entry.records) for entry in world.journal.of(Trimmed)] == [1]


def test_a_stuck_mapping_retries_until_the_record_expires():
    """Until when: a function error is retried until success, expiry, record age or the number of
    retries.
    """
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    world = World(fail).write("a").run(25 * HOUR)
    assert 23.9 * HOUR < world.times[-1] <= 24 * HOUR
