"""Read the stream of a table by hand: every change once, in order, and say what it was."""

import boto3
from boto3.dynamodb.types import TypeDeserializer

# So many empty pages in a row, and an open shard counts as read.
CAUGHT_UP = 5

streams = boto3.client("dynamodbstreams")
deserializer = TypeDeserializer()


def read(stream_arn, handle, checkpoint=None):
    """Call `handle` with each record that was written since the checkpoint.

    Returns a checkpoint for the next call, and the ids of the shards in which records left the
    stream before they were read. The checkpoint has a place for every shard: `after`, the number
    of the last record handled (None when there was none), and `done`. `begin` is the number with
    which a shard begins, when all of it was written since the last read.
    """
    before = checkpoint or {}
    shards = list_shards(stream_arn)
    # A shard that is not listed any more took along what was not read.
    lost = [name for name, place in before.items() if name not in shards and not place["done"]]
    if checkpoint is not None:
        lost += came_and_went(shards, before)
    places = {}
    for name in parents_first(shards):
        place = dict(before.get(name, {"after": None, "done": False}))
        place["begin"] = None if checkpoint is None else beginning(shards[name])
        if not place["done"] and read_shard(stream_arn, name, place, handle):
            lost.append(name)
        places[name] = place
    return places, lost


def list_shards(stream_arn):
    """Every listed shard as DescribeStream tells of it, by shard id."""
    shards, start = {}, {}
    while True:
        page = streams.describe_stream(StreamArn=stream_arn, **start)["StreamDescription"]
        for shard in page["Shards"]:
            shards[shard["ShardId"]] = shard
        if not page.get("LastEvaluatedShardId"):
            return shards
        start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}


def came_and_went(shards, before):
    """The shards that began and left the list since the checkpoint: only their children tell."""
    new = [shard for name, shard in shards.items() if name not in before]
    parents = {shard.get("ParentShardId") for shard in new} - {None}
    return sorted(parents - shards.keys() - before.keys())


def beginning(shard):
    """The sequence number with which a shard begins."""
    return shard["SequenceNumberRange"]["StartingSequenceNumber"]


def parents_first(shards):
    """The shard ids, each behind its parent. A parent that is not listed is gone."""
    ordered = []

    def visit(name):
        if name in shards and name not in ordered:
            visit(shards[name].get("ParentShardId"))
            ordered.append(name)

    for name in shards:
        visit(name)
    return ordered


def read_shard(stream_arn, name, place, handle):
    """Read a shard from its place to its end or to the present, and move the place.

    Returns whether records had been trimmed that nobody had read.
    """
    lost = False
    iterator, empty = None, 0
    while empty < CAUGHT_UP:
        try:
            if iterator is None:
                iterator = iterator_after(stream_arn, name, place)
            page = streams.get_records(ShardIterator=iterator)
        except streams.exceptions.ExpiredIteratorException:
            iterator = None
            continue
        except streams.exceptions.TrimmedDataAccessException:
            # What followed our place is gone: the oldest record that is left is the next.
            lost, iterator, place["after"], place["begin"] = True, None, None, None
            continue
        for record in page["Records"]:
            handle(record)
            place["after"] = record["dynamodb"]["SequenceNumber"]
        empty = 0 if page["Records"] else empty + 1
        iterator = page.get("NextShardIterator")
        if iterator is None:
            place["done"] = True
            break
    return lost


def iterator_after(stream_arn, name, place):
    """An iterator behind the last record, or at the shard's first one when none was read."""
    if place["after"] is not None:
        start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": place["after"]}
    elif place["begin"] is not None:
        # Refused when the beginning is gone; TRIM_HORIZON would pass over the gap in silence.
        start = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": place["begin"]}
    else:
        start = {"ShardIteratorType": "TRIM_HORIZON"}
    return streams.get_shard_iterator(StreamArn=stream_arn, ShardId=name, **start)["ShardIterator"]


def describe(record):
    """Say what a record reports: what happened, to which key, from what, to what."""
    change = record["dynamodb"]
    before, after = plain(change.get("OldImage")), plain(change.get("NewImage"))
    old, new = before or {}, after or {}
    return {
        "what": what_happened(record),
        "key": plain(change["Keys"]),
        "before": before,
        "after": after,
        "changed": sorted(
            name
            for name in old.keys() | new.keys()
            if name not in old or name not in new or old[name] != new[name]
        ),
    }


def what_happened(record):
    """One word for it; DynamoDB's Time to Live is known by who deleted the item."""
    if record["eventName"] != "REMOVE":
        return {"INSERT": "created", "MODIFY": "changed"}[record["eventName"]]
    who = record.get("userIdentity") or {}
    expired = who.get("Type") == "Service" and who.get("PrincipalId") == "dynamodb.amazonaws.com"
    return "expired" if expired else "deleted"


def plain(image):
    """An image as a dictionary of Python values; None when there is none."""
    if image is None:
        return None
    return {name: deserializer.deserialize(value) for name, value in image.items()}
