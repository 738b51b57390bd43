"""Bring back what Lambda gave up: fetch the records that a failure note is about, and replay them.

Run by a person, with the rights of the totals function and the right to read the stream.
"""

import base64
import json
from datetime import datetime

import boto3

streams = boto3.client("dynamodbstreams")

BATCH = 100


def redrive(note, replay):
    """Replay the records of one failure note; return how many were replayed, failed and trimmed."""
    info = note["DDBStreamBatchInfo"]
    if "payload" in note:
        records = json.loads(note["payload"])["Records"]
    else:
        records = list(noted(info))
    failed = 0
    position = 0
    while position < len(records):
        batch = records[position : position + BATCH]
        accepted = send(batch, replay)
        position += accepted
        if accepted < len(batch):
            failed += 1
            position += 1
    return {
        "replayed": len(records) - failed,
        "failed": failed,
        "trimmed": info["batchSize"] - len(records),
    }


def send(batch, replay):
    """Hand the batch over until a record fails; return how many records before it are accepted."""
    try:
        answer = replay(batch) or {}
    except Exception:
        if len(batch) == 1:
            return 0
        half = len(batch) // 2
        accepted = send(batch[:half], replay)
        return accepted if accepted < half else half + send(batch[half:], replay)
    names = {failure["itemIdentifier"] for failure in answer.get("batchItemFailures") or []}
    for position, record in enumerate(batch):
        if record["dynamodb"]["SequenceNumber"] in names:
            return position
    return len(batch)


def noted(info):
    """Yield the records of orders from the note's first to its last that are still in the stream."""
    first, last = int(info["startSequenceNumber"]), int(info["endSequenceNumber"])
    iterator = start(info)
    while iterator:
        page = streams.get_records(ShardIterator=iterator)
        for record in page["Records"]:
            number = int(record["dynamodb"]["SequenceNumber"])
            if number > last:
                return
            if number >= first and record["dynamodb"]["Keys"]["id"]["S"].startswith("order#"):
                yield plain({**record, "eventSourceARN": info["streamArn"]})
            if number == last:
                return
        iterator = page.get("NextShardIterator")


def start(info):
    """Return an iterator at the note's first record, or at the oldest one that is left, or None."""
    shard = {"StreamArn": info["streamArn"], "ShardId": info["shardId"]}
    # Without the last record an open shard may have nothing at all, and no end.
    for kind, name in (("first", "startSequenceNumber"), ("last", "endSequenceNumber")):
        try:
            answer = streams.get_shard_iterator(
                **shard, ShardIteratorType="AT_SEQUENCE_NUMBER", SequenceNumber=info[name]
            )
        except streams.exceptions.TrimmedDataAccessException:
            continue
        except streams.exceptions.ResourceNotFoundException:
            return None
        if kind == "first":
            return answer["ShardIterator"]
        return streams.get_shard_iterator(**shard, ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
    return None


def plain(value):
    """Return the value as Lambda would hand it over."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
