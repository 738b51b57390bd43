"""Read the stream of a table by hand: a page of each shard in turn, children once their parent is done."""

from collections import deque

import boto3
from boto3.dynamodb.types import TypeDeserializer

PRESENT = 5

streams = boto3.client("dynamodbstreams")
deserialize = TypeDeserializer().deserialize


def read(stream_arn, handle, checkpoint=None):
    """Call `handle` with each record that was written since the checkpoint.

    The checkpoint is a list of `[shard id, last sequence number or None, finished]`.
    """
    places = {shard: [last, finished] for shard, last, finished in checkpoint or []}
    parents, starts = list_shards(stream_arn)
    lost = [s for s, (_, finished) in places.items() if not finished and s not in parents]
    if checkpoint is None:
        starts = {}
    for shard, parent in parents.items():
        if checkpoint is not None and parent and shard not in places:
            lost += [] if parent in parents or parent in places else [parent]
    places = {shard: places.get(shard, [None, False]) for shard in parents}

    turns = deque()
    waiting = [shard for shard in parents if not places[shard][1]]

    def admit():
        """Let the shards begin whose parent is finished or unknown."""
        for shard in list(waiting):
            parent = parents[shard]
            if parent not in places or places[parent][1]:
                waiting.remove(shard)
                turns.append([shard, None, 0])

    admit()
    while turns:
        shard, iterator, empty = turns.popleft()
        place = places[shard]
        try:
            if iterator is None:
                iterator = iterator_at(stream_arn, shard, place[0], starts.get(shard))
            page = streams.get_records(ShardIterator=iterator)
        except streams.exceptions.ExpiredIteratorException:
            turns.append([shard, None, empty])
            continue
        except streams.exceptions.TrimmedDataAccessException:
            lost.append(shard)
            place[0] = None
            starts.pop(shard, None)
            turns.append([shard, None, empty])
            continue
        for record in page["Records"]:
            handle(record)
            place[0] = record["dynamodb"]["SequenceNumber"]
        empty = 0 if page["Records"] else empty + 1
        iterator = page.get("NextShardIterator")
        if iterator is None:
            place[1] = True
            admit()
        elif empty < PRESENT:
            turns.append([shard, iterator, empty])
    return [[s, last, done] for s, (last, done) in places.items()], sorted(set(lost))


def list_shards(stream_arn):
    """The parents of all listed shards, and their first sequence numbers, by shard."""
    parents, starts, start = {}, {}, {}
    while True:
        page = streams.describe_stream(StreamArn=stream_arn, **start)["StreamDescription"]
        for shard in page["Shards"]:
            parents[shard["ShardId"]] = shard.get("ParentShardId")
            starts[shard["ShardId"]] = shard["SequenceNumberRange"]["StartingSequenceNumber"]
        if "LastEvaluatedShardId" not in page:
            return parents, starts
        start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}


def iterator_at(stream_arn, shard, last, first):
    """An iterator behind the last record that was handled, or at the first one."""
    where = (
        {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": last}
        if last
        else {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": first}
        if first
        else {"ShardIteratorType": "TRIM_HORIZON"}
    )
    return streams.get_shard_iterator(StreamArn=stream_arn, ShardId=shard, **where)["ShardIterator"]


def describe(record):
    """Say what a record reports."""
    change = record["dynamodb"]
    before, after = (image(change.get(name)) for name in ("OldImage", "NewImage"))
    old, new = before or {}, after or {}
    return {
        "what": what_happened(record),
        "key": image(change["Keys"]),
        "before": before,
        "after": after,
        "changed": [n for n in {**old, **new} if n not in old or n not in new or old[n] != new[n]],
    }


def what_happened(record):
    """One of the four words."""
    if record["eventName"] == "REMOVE":
        who = record.get("userIdentity") or {}
        by_itself = (
            who.get("Type") == "Service" and who.get("PrincipalId") == "dynamodb.amazonaws.com"
        )
        return "expired" if by_itself else "deleted"
    return {"INSERT": "created", "MODIFY": "changed"}[record["eventName"]]


def image(attributes):
    """An image as a dictionary of Python values; no image as None."""
    return None if attributes is None else {n: deserialize(v) for n, v in attributes.items()}
