"""Bring orders back that were given up or dropped: read them from the stream, and ship them.

    python replay.py --notes        what the notes in the failure queue are about
    python replay.py --since 45     every order of the last 45 minutes without a parcel

A note is taken out of the queue when all of its orders have a parcel. Mend the cause first.
"""

import argparse
import json
import os
import sys

import boto3
from botocore.exceptions import ClientError

database = boto3.client("dynamodb")
streams = boto3.client("dynamodbstreams")
functions = boto3.client("lambda")
queue = boto3.client("sqs")


def main():
    """Read what is asked, and do it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--notes", action="store_true", help="what the failure queue's notes name")
    parser.add_argument("--since", type=float, help="orders of so many minutes without a parcel")
    asked = parser.parse_args()
    try:
        if asked.notes:
            redrive()
        elif asked.since is not None:
            newest = max(written(record) for record in everything())
            records = [one for one in everything() if written(one) >= newest - asked.since * 60]
            tell(ship(records), records)
        else:
            parser.print_help()
    except ClientError as refused:
        sys.exit(f"{refused}. Is the cause mended?")


def redrive():
    """Replay what each note is about; keep the note of what still has no parcel."""
    url, kept = os.environ["QUEUE"], []
    while messages := queue.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=300
    ).get("Messages"):
        for message in messages:
            batch = json.loads(message["Body"])["DDBStreamBatchInfo"]
            first, last = int(batch["startSequenceNumber"]), int(batch["endSequenceNumber"])
            records = [one for one in everything() if first <= number(one) <= last]
            if tell(ship(records), records):
                kept.append(message["ReceiptHandle"])
                continue
            queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            print("their note is gone")
    for receipt in kept:  # at once there for the next try
        queue.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)


def tell(replayed, records):
    """Say what was replayed, and return the orders that still have no parcel."""
    print(replayed, "orders without a parcel were replayed")
    if left := [order(one) for one in records if not shipped(one)]:
        print("still without a parcel:", ", ".join(left))
    return left


def everything():
    """Every order that the stream still has, shard by shard."""
    arn = os.environ["STREAM"]
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        empty = 0
        while iterator and empty < 3:
            page = streams.get_records(ShardIterator=iterator)
            yield from page["Records"]
            iterator = page.get("NextShardIterator")
            empty = 0 if page["Records"] else empty + 1


def ship(records):
    """Invoke the function with the orders that have no parcel, ten at a time."""
    left = [one for one in records if not shipped(one)]
    for start in range(0, len(left), 10):
        event = {"Records": [as_lambda_sends_it(one) for one in left[start : start + 10]]}
        functions.invoke(FunctionName=os.environ["FUNCTION"], Payload=json.dumps(event).encode())
    return len(left)


def shipped(record):
    """Whether the order has a parcel."""
    key = {"id": {"S": order(record)}}
    return "Item" in database.get_item(TableName=os.environ["SHIPMENTS"], Key=key)


def as_lambda_sends_it(record):
    """The record with its time as the number that Lambda sends."""
    change = {**record["dynamodb"], "ApproximateCreationDateTime": written(record)}
    return {**record, "dynamodb": change}


def order(record):
    """The order's id."""
    return record["dynamodb"]["Keys"]["id"]["S"]


def number(record):
    """The record's place in its shard."""
    return int(record["dynamodb"]["SequenceNumber"])


def written(record):
    """When it was written, in seconds since the epoch."""
    return record["dynamodb"]["ApproximateCreationDateTime"].timestamp()


if __name__ == "__main__":
    main()
