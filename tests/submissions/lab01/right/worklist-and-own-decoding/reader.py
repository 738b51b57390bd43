"""A worklist of shards whose parent is done with, and values decoded by hand."""

import base64
import json
from collections import deque
from decimal import Context, Decimal

import boto3

EXACT = Context(prec=40)


class Shard:
    """One shard and how far it has been read."""

    def __init__(self, listed, place):
        self.id = listed["ShardId"]
        self.parent = listed.get("ParentShardId")
        self.first = listed["SequenceNumberRange"]["StartingSequenceNumber"]
        self.after = place.get("after")
        self.done = place.get("done", False)


def read(stream_arn, handle, checkpoint=None):
    streams = boto3.client("dynamodbstreams")
    places = json.loads(checkpoint) if checkpoint else {}
    shards = {
        one["ShardId"]: Shard(one, places.get(one["ShardId"], {}))
        for one in every(streams, stream_arn)
    }
    lost = {name for name in places if name not in shards and not places[name]["done"]}
    for shard in shards.values():
        if not checkpoint:
            shard.first = None
        elif shard.id not in places and shard.parent:
            lost |= {shard.parent} - shards.keys() - places.keys()
    waiting, read_up = deque(shards.values()), set()
    while waiting:
        shard = waiting.popleft()
        if shard.parent in shards and shard.parent not in read_up:
            waiting.append(shard)
            continue
        for record in [] if shard.done else records(streams, stream_arn, shard, lost):
            handle(record)
            shard.after = record["dynamodb"]["SequenceNumber"]
        read_up.add(shard.id)
    kept = {name: {"after": one.after, "done": one.done} for name, one in shards.items()}
    return json.dumps(kept), sorted(lost)


def every(streams, stream_arn):
    page = streams.describe_stream(StreamArn=stream_arn)["StreamDescription"]
    while True:
        yield from page["Shards"]
        if "LastEvaluatedShardId" not in page:
            return
        page = streams.describe_stream(
            StreamArn=stream_arn, ExclusiveStartShardId=page["LastEvaluatedShardId"]
        )["StreamDescription"]


def records(streams, stream_arn, shard, lost):
    empty, iterator = 0, None
    while empty < 6:
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        if shard.first:
            start = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": shard.first}
        if shard.after:
            start = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": shard.after}
        try:
            iterator = (
                iterator
                or streams.get_shard_iterator(StreamArn=stream_arn, ShardId=shard.id, **start)[
                    "ShardIterator"
                ]
            )
            page = streams.get_records(ShardIterator=iterator)
        except streams.exceptions.ExpiredIteratorException:
            iterator = None
        except streams.exceptions.TrimmedDataAccessException:
            lost.add(shard.id)
            shard.after = shard.first = iterator = None
        else:
            yield from page["Records"]
            empty = 0 if page["Records"] else empty + 1
            iterator = page.get("NextShardIterator")
            if not iterator:
                shard.done = True
                return


def describe(record):
    images = record["dynamodb"]
    old = decoded({"M": images["OldImage"]}) if "OldImage" in images else None
    new = decoded({"M": images["NewImage"]}) if "NewImage" in images else None
    names = []
    for name in sorted({**(old or {}), **(new or {})}):
        if images.get("OldImage", {}).get(name) != images.get("NewImage", {}).get(name):
            names.append(name)
    what = {"INSERT": "created", "MODIFY": "changed", "REMOVE": "deleted"}[record["eventName"]]
    if what == "deleted" and record.get("userIdentity", {}).get("Type") == "Service":
        what = "expired"
    key = decoded({"M": images["Keys"]})
    return {"what": what, "key": key, "before": old, "after": new, "changed": tuple(names)}


def decoded(value):
    ((kind, held),) = value.items()
    if kind == "N":
        return EXACT.create_decimal(held) if "." in held else int(held)
    if kind == "NULL":
        return None
    if kind == "B":
        return held if isinstance(held, bytes) else base64.b64decode(held)
    if kind == "M":
        return {name: decoded(part) for name, part in held.items()}
    if kind == "L":
        return [decoded(part) for part in held]
    if kind == "NS":
        return {Decimal(part) for part in held}
    if kind in ("SS", "BS"):
        return frozenset(held)
    return held
