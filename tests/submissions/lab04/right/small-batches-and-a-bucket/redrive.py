"""Replay what a failure note is about: the whole shard is read, and one batch handed over."""

import json

import boto3
from botocore.exceptions import ClientError

client = boto3.client("dynamodbstreams")


def redrive(note, replay):
    info = note["DDBStreamBatchInfo"]
    if note.get("payload"):
        records = json.loads(note["payload"])["Records"]
    else:
        records = [lambda_record(record, info) for record in still_there(info)]
    failed = failures(records, replay)
    return {
        "replayed": len(records) - failed,
        "failed": failed,
        "trimmed": info["batchSize"] - len(records),
    }


def failures(records, replay):
    if not records:
        return 0
    try:
        reported = {item["itemIdentifier"] for item in replay(records)["batchItemFailures"]}
    except Exception:
        if len(records) == 1:
            return 1
        middle = len(records) // 2
        return failures(records[:middle], replay) + failures(records[middle:], replay)
    return len(reported)


def still_there(info):
    low, high = (int(info[name]) for name in ("startSequenceNumber", "endSequenceNumber"))
    try:
        iterator = client.get_shard_iterator(
            StreamArn=info["streamArn"], ShardId=info["shardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        limit = client.get_shard_iterator(
            StreamArn=info["streamArn"],
            ShardId=info["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=info["endSequenceNumber"],
        )
    except ClientError as error:
        gone = ("TrimmedDataAccessException", "ResourceNotFoundException")
        if error.response["Error"]["Code"] not in gone:
            raise
        return
    assert limit
    while iterator:
        page = client.get_records(ShardIterator=iterator, Limit=100)
        iterator = page.get("NextShardIterator")
        for record in page["Records"]:
            number = int(record["dynamodb"]["SequenceNumber"])
            if number > high:
                return
            if number >= low and record["dynamodb"]["Keys"]["id"]["S"].startswith("order#"):
                yield record
            if number == high:
                return


def lambda_record(record, info):
    record["eventSourceARN"] = info["streamArn"]
    change = record["dynamodb"]
    change["ApproximateCreationDateTime"] = int(change["ApproximateCreationDateTime"].timestamp())
    return record
