"""Bring back what Lambda gave up: fetch the records that a failure note is about, and replay them."""

import base64
import json

import boto3
from botocore.exceptions import ClientError

streams = boto3.client("dynamodbstreams")
EMPTY_PAGES = 100  # so many in a row, and there is nothing more in the shard


def redrive(note, replay):
    """Replay the records of one failure note; return how many were replayed, failed and trimmed."""
    info = note["DDBStreamBatchInfo"]
    if note.get("payload"):
        records = json.loads(note["payload"])["Records"]
    else:
        records = list(noted(info))
    replayed = sum(accepted(record, replay) for record in records)
    return {
        "replayed": replayed,
        "failed": len(records) - replayed,
        "trimmed": info["batchSize"] - len(records),
    }


def accepted(record, replay):
    try:
        answer = replay([record])
    except Exception:
        return False
    return not (answer or {}).get("batchItemFailures")


def noted(info):
    """Yield the records of the note that the stream still has."""
    first, last = int(info["startSequenceNumber"]), int(info["endSequenceNumber"])
    try:
        iterator = begin(info)
        empty = 0
        left = info["batchSize"]
        while iterator and left and empty < EMPTY_PAGES:
            try:
                page = streams.get_records(ShardIterator=iterator)
            except streams.exceptions.TrimmedDataAccessException:
                iterator = begin(info, "TRIM_HORIZON")
                continue
            empty = 0 if page["Records"] else empty + 1
            for record in page["Records"]:
                number = int(record["dynamodb"]["SequenceNumber"])
                if number > last:
                    return
                if number >= first and record["dynamodb"]["Keys"]["id"]["S"].startswith("order#"):
                    left -= 1
                    yield as_lambda(record, info["streamArn"])
            iterator = page.get("NextShardIterator")
    except streams.exceptions.ResourceNotFoundException:
        return


def begin(info, kind="AT_SEQUENCE_NUMBER"):
    position = (
        {"SequenceNumber": info["startSequenceNumber"]} if kind == "AT_SEQUENCE_NUMBER" else {}
    )
    try:
        return streams.get_shard_iterator(
            StreamArn=info["streamArn"], ShardId=info["shardId"], ShardIteratorType=kind, **position
        )["ShardIterator"]
    except streams.exceptions.TrimmedDataAccessException:
        return begin(info, "TRIM_HORIZON")


def as_lambda(record, arn):
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    record = {**record, "dynamodb": change, "eventSourceARN": arn}
    return json.loads(json.dumps(record, default=lambda b: base64.b64encode(bytes(b)).decode()))
