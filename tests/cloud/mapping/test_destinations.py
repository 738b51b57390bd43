"""On-failure notes: the documents, the S3 layout, and what happens when they do not arrive.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

# "Recorded" below: seen on real AWS, published in
# https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json

import json
import re
from datetime import datetime

import pytest
from mapping_world import QUEUE, World, failed, sequences_of

TOPIC = "arn:aws:sns:us-east-1:123456789012:failed"
BUCKET = "arn:aws:s3:::failed-records"


def fail(event):
    raise ValueError


def discarded(destination=QUEUE, respond=fail, **settings):
    world = World(
        respond, max_retries=0, destination=destination, event_count_metrics=True, **settings
    )
    world.run(0.123).write("a", "b").run(60)
    return world


@pytest.mark.parametrize("destination", [QUEUE, TOPIC])
def test_queues_and_topics_get_this_document_key_for_key(destination):
    """Recorded, in this order of keys."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    world = discarded(destination)
    (note,) = world.queue.documents
    first, last = world.shard.records
    assert note.pop("requestContext").pop("requestId")
    assert note == {
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": note["timestamp"],
        "DDBStreamBatchInfo": {
            "shardId": world.shard.id,
            "startSequenceNumber": str(first.sequence),
            "endSequenceNumber": str(last.sequence),
            "approximateArrivalOfFirstRecord": "2026-11-02T09:00:00Z",
            "approximateArrivalOfLastRecord": "2026-11-02T09:00:00Z",
            "batchSize": 2,
            "streamArn": world.stream.arn,
        },
    }


def test_the_keys_stand_in_the_recorded_order():
    """The document: queues and topics get it key for key."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    (delivery,) = discarded().queue.deliveries
    note = json.loads(delivery.body)
    assert list(note) == [
        "requestContext",
        "responseContext",
        "version",
        "timestamp",
        "DDBStreamBatchInfo",
    ]
    assert list(note["requestContext"]) == [
        "requestId",
        "functionArn",
        "condition",
        "approximateInvokeCount",
    ]


def test_the_request_names_function_and_condition():
    """Conditions: RetryAttemptsExhausted and RecordAgeExceeded."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    (note,) = discarded().queue.documents
    request = note["requestContext"]
    assert request["functionArn"] == "arn:aws:lambda:us-east-1:123456789012:function:totals"
    assert request["condition"] == "RetryAttemptsExhausted"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", request["requestId"])


def test_the_timestamp_has_milliseconds_and_the_arrival_times_whole_seconds():
    """Recorded; Kinesis has milliseconds in both."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    (note,) = discarded().queue.documents
    assert note["timestamp"] == "2026-11-02T09:00:00.250Z"
    assert note["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"].endswith(":00Z")


def test_a_reported_failure_has_a_function_error_of_null():
    """Recorded: the key is present."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json

    def report(event):
        return failed(next(iter(sequences_of(event).values())))

    (note,) = discarded(respond=report, report_failures=True).queue.documents
    assert note["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": None,
    }


def test_queues_get_metadata_only_never_the_records():
    """Metadata only: queues and topics never get the records."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    (delivery,) = discarded().queue.deliveries
    assert delivery.key is None
    assert "payload" not in json.loads(delivery.body)
    assert "NewImage" not in delivery.body


def test_buckets_get_the_same_fields_and_the_whole_event_as_text():
    """Objects: the same fields, and payload with the whole event as a text."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    world = discarded(BUCKET)
    (note,) = world.queue.documents
    assert list(note)[-2:] == ["DDBStreamBatchInfo", "payload"]
    assert isinstance(note["payload"], str)
    assert json.loads(note["payload"]) == {
        "Records": [record.event for record in world.shard.records]
    }


def test_the_object_key_holds_mapping_shard_and_time():
    """The object's key: aws/lambda/<mapping>/<shard>/YYYY/MM/DD/<time>-<UUID>."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    # aws/lambda/<ESM-UUID>/<shardID>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<Random UUID>
    world = discarded(BUCKET)
    (delivery,) = world.queue.deliveries
    *folders, name = delivery.key.split("/")
    assert folders == ["aws", "lambda", world.mapping.uuid, world.shard.id, "2026", "11", "02"]
    assert datetime.strptime(name[:19], "%Y-%m-%dT%H.%M.%S").hour == 9
    assert re.fullmatch(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name[19:])


@pytest.mark.parametrize("destination", [QUEUE + ".fifo", TOPIC + ".fifo"])
def test_fifo_queues_and_topics_never_get_a_note(destination):
    """FIFO: delivery to a FIFO queue or topic fails and counts in DestinationDeliveryFailures."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
    world = discarded(destination)
    assert world.queue.deliveries == []
    assert world.metric("DestinationDeliveryFailures") == 1


def test_a_delivered_note_counts_as_delivered_and_not_as_dropped():
    """OnFailureDestinationDeliveredEventCount: records whose note arrived."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = discarded()
    assert world.metric("OnFailureDestinationDeliveredEventCount") == 2
    assert world.metric("DroppedEventCount") is None
    assert world.metric("DestinationDeliveryFailures") is None


def test_a_note_that_cannot_be_written_makes_its_records_dropped():
    """A note that cannot be written: DestinationDeliveryFailures is 1, its records count as
    dropped.
    """
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = World(fail, max_retries=0, destination=QUEUE, event_count_metrics=True)
    world.queue.refuses = "AccessDenied"
    world.write("a", "b").run(60)
    assert world.metric("OnFailureDestinationDeliveredEventCount") is None
    assert world.metric("DroppedEventCount") == 2
    assert world.metric("DestinationDeliveryFailures") == 1
    assert world.mapping.pending() == [], "the shard goes on all the same"


def test_without_a_destination_discarded_records_are_dropped():
    """DroppedEventCount counts what is given up without a delivered note."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = discarded(destination=None)
    assert world.metric("DroppedEventCount") == 2
    assert world.metric("DestinationDeliveryFailures") is None


def test_two_runs_of_the_same_day_write_the_same_notes():
    first, second = discarded(BUCKET), discarded(BUCKET)
    assert first.queue.deliveries == second.queue.deliveries
