"""Read the stream of a table by hand: every change once, in order, and say what it was."""

import boto3

streams = boto3.client("dynamodbstreams")


# TODO task 4: this reads a little of each shard, and remembers nothing.
def read(stream_arn, handle, checkpoint=None):
    """Call `handle` with each record that was written since the checkpoint.

    Returns a checkpoint for the next call, and the ids of the shards in which records left the
    stream before they were read.
    """
    stream = streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]
    for shard in stream["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for record in streams.get_records(ShardIterator=iterator)["Records"]:
            handle(record)
    return None, []


# TODO task 5: more can happen to an item, and more can be in it.
def describe(record):
    """Say what a record reports: what happened, to which key, from what, to what."""
    change = record["dynamodb"]
    after = plain(change["NewImage"])
    return {
        "what": "created",
        "key": plain(change["Keys"]),
        "before": None,
        "after": after,
        "changed": sorted(after),
    }


def plain(image):
    """An image as a dictionary of Python values."""
    values = {}
    for name, value in image.items():
        if "N" in value:
            values[name] = float(value["N"])
        else:
            values[name] = value.get("S")
    return values
