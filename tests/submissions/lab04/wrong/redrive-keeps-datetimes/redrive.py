"""Bring back what Lambda gave up: fetch the records that a failure note is about, and replay them.

Run by a person, with the rights of the totals function and the right to read the stream.
"""

import json

import boto3

streams = boto3.client("dynamodbstreams")


def redrive(note, replay):
    """Replay the records of one failure note; return how many were replayed, failed and trimmed."""
    info = note["DDBStreamBatchInfo"]
    records = carried(note) if "payload" in note else fetched(info)
    replayed = sum(accepted(record, replay) for record in records)
    return {
        "replayed": replayed,
        "failed": len(records) - replayed,
        "trimmed": info["batchSize"] - len(records),
    }


def accepted(record, replay):
    """Hand over one record, so that one that still fails keeps back no other."""
    try:
        answer = replay([record]) or {}
    except Exception as error:
        print("Still failing:", record["dynamodb"]["SequenceNumber"], error)
        return False
    return not answer.get("batchItemFailures")


def carried(note):
    """The records inside a note from S3: a JSON text in the document, whatever the stream keeps."""
    payload = note["payload"]
    event = json.loads(payload) if isinstance(payload, str) else payload
    return event["Records"]


def fetched(info):
    """Read the note's orders from the stream, as far as they are still there."""
    # Sequence numbers are numbers in text: "1000" comes after "999".
    first, last = int(info["startSequenceNumber"]), int(info["endSequenceNumber"])
    iterator = iterator_before(info)
    found = []
    while iterator:
        page = streams.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            number = int(record["dynamodb"]["SequenceNumber"])
            if first <= number <= last and of_an_order(record):
                found.append(as_lambda_sends_it(record, info["streamArn"]))
            if number >= last:
                return found
        # An empty page is not the end; only a page without a next iterator is.
        iterator = page.get("NextShardIterator")
    return found


def iterator_before(info):
    """An iterator before the oldest record of the note that is left, None when none is."""
    shard = {"StreamArn": info["streamArn"], "ShardId": info["shardId"]}
    try:
        return at(shard, info["startSequenceNumber"])
    except streams.exceptions.TrimmedDataAccessException:
        pass  # the first record is gone; the last one may still be there
    except streams.exceptions.ResourceNotFoundException:
        return None  # the whole shard is gone
    try:
        at(shard, info["endSequenceNumber"])
    except streams.exceptions.TrimmedDataAccessException:
        return None
    answer = streams.get_shard_iterator(**shard, ShardIteratorType="TRIM_HORIZON")
    return answer["ShardIterator"]


def at(shard, number):
    """An iterator that begins with this very record."""
    answer = streams.get_shard_iterator(
        **shard, ShardIteratorType="AT_SEQUENCE_NUMBER", SequenceNumber=number
    )
    return answer["ShardIterator"]


def of_an_order(record):
    """Whether the mapping's filter would have let the record through: carts lie between orders."""
    return record["dynamodb"]["Keys"]["id"]["S"].startswith("order#")


def as_lambda_sends_it(record, stream_arn):
    """The record in the form in which a function gets it."""
    change = dict(record["dynamodb"])
    return {**record, "dynamodb": change, "eventSourceARN": stream_arn}
