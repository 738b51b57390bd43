"""Read the stream of a table by hand: each shard to its end, and its parent before it."""

import json
from decimal import Decimal

import boto3

streams = boto3.client("dynamodbstreams")


class Reader:
    """One run over a stream. `places` holds, for each shard, "done" or the arguments of an iterator."""

    def __init__(self, stream_arn, handle, places, first):
        self.stream_arn = stream_arn
        self.handle = handle
        self.places = places
        self.shards = {shard["ShardId"]: shard for shard in self.listed()}
        self.visited = set()
        self.first = first
        self.lost = {s for s in places if places[s] != "done" and s not in self.shards}
        for shard_id, shard in self.shards.items():
            parent = shard.get("ParentShardId")
            if parent and shard_id not in places and not first:
                self.lost |= {parent} - self.shards.keys() - places.keys()

    def listed(self):
        """All shards of the stream, page by page."""
        answer = streams.describe_stream(StreamArn=self.stream_arn)["StreamDescription"]
        yield from answer["Shards"]
        while last := answer.get("LastEvaluatedShardId"):
            answer = streams.describe_stream(StreamArn=self.stream_arn, ExclusiveStartShardId=last)[
                "StreamDescription"
            ]
            yield from answer["Shards"]

    def visit(self, shard_id):
        """Read a shard, and before it its parent."""
        if shard_id in self.visited or shard_id not in self.shards:
            return
        self.visited.add(shard_id)
        self.visit(self.shards[shard_id].get("ParentShardId"))
        if self.places.get(shard_id) != "done":
            self.read_shard(shard_id)

    def read_shard(self, shard_id):
        """Read a shard until it ends, or until five pages in a row are empty."""
        self.places.setdefault(shard_id, self.beginning(shard_id))
        iterator = self.iterator(shard_id)
        closed = "EndingSequenceNumber" in self.shards[shard_id]["SequenceNumberRange"]
        empty = 0
        while closed or empty < 5:
            try:
                page = streams.get_records(ShardIterator=iterator)
            except streams.exceptions.ExpiredIteratorException:
                iterator = self.iterator(shard_id)
                continue
            for record in page["Records"]:
                self.handle(record)
                self.places[shard_id] = {
                    "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                    "SequenceNumber": record["dynamodb"]["SequenceNumber"],
                }
            empty = 0 if page["Records"] else empty + 1
            if "NextShardIterator" not in page:
                self.places[shard_id] = "done"
                return
            iterator = page["NextShardIterator"]

    def beginning(self, shard_id):
        """Where a shard is begun: at its first record, or on the first run at the oldest one."""
        if self.first:
            return {"ShardIteratorType": "TRIM_HORIZON"}
        number = self.shards[shard_id]["SequenceNumberRange"]["StartingSequenceNumber"]
        return {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": number}

    def iterator(self, shard_id):
        """An iterator at the shard's place, or at the oldest record when the place has been trimmed."""
        where = {"StreamArn": self.stream_arn, "ShardId": shard_id}
        try:
            answer = streams.get_shard_iterator(**where, **self.places[shard_id])
        except streams.exceptions.TrimmedDataAccessException:
            self.lost.add(shard_id)
            answer = streams.get_shard_iterator(**where, ShardIteratorType="TRIM_HORIZON")
        return answer["ShardIterator"]


def read(stream_arn, handle, checkpoint=None):
    """Call `handle` with each record that was written since the checkpoint."""
    places = json.loads(checkpoint or "{}")
    run = Reader(stream_arn, handle, places, checkpoint is None)
    for shard_id, place in places.items():
        # What had no record then begins with its first one.
        if place != "done" and "SequenceNumber" not in place and shard_id in run.shards:
            places[shard_id] = run.beginning(shard_id)
    for shard_id in run.shards:
        run.visit(shard_id)
    return json.dumps({s: place for s, place in run.places.items() if s in run.shards}), list(
        run.lost
    )


def describe(record):
    """Say what a record reports."""
    change = record["dynamodb"]
    before = plain(change["OldImage"]) if "OldImage" in change else None
    after = plain(change["NewImage"]) if "NewImage" in change else None
    if before is None:
        what = "created"
    elif after is not None:
        what = "changed"
    elif record.get("userIdentity", {}).get("PrincipalId") == "dynamodb.amazonaws.com":
        what = "expired"
    else:
        what = "deleted"
    absent = object()
    return {
        "what": what,
        "key": plain(change["Keys"]),
        "before": before,
        "after": after,
        "changed": {
            name
            for name in set(before or ()) | set(after or ())
            if (before or {}).get(name, absent) != (after or {}).get(name, absent)
        },
    }


def plain(image):
    """An image as a dictionary of Python values."""
    return {name: value_of(value) for name, value in image.items()}


def number(text):
    """An int when the text is one, else a Decimal."""
    try:
        return int(text)
    except ValueError:
        return Decimal(text)


def value_of(typed):
    """The Python value of `{type: value}`."""
    [(kind, value)] = typed.items()
    readers = {
        "N": number,
        "NULL": lambda _: None,
        "SS": set,
        "BS": set,
        "NS": lambda texts: {number(text) for text in texts},
        "L": lambda values: [value_of(each) for each in values],
        "M": plain,
    }
    return readers.get(kind, lambda same: same)(value)
