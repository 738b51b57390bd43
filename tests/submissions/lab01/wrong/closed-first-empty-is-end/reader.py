"""Read the stream of a table by hand: every change once, in order, and say what it was."""

import boto3
from boto3.dynamodb.types import TypeDeserializer

streams = boto3.client("dynamodbstreams")
EMPTY_PAGES = 5


def list_shards(stream_arn):
    shards, start = [], None
    while True:
        args = {"StreamArn": stream_arn}
        if start:
            args["ExclusiveStartShardId"] = start
        page = streams.describe_stream(**args)["StreamDescription"]
        shards += page["Shards"]
        start = page.get("LastEvaluatedShardId")
        if not start:
            return shards


def parents_first(shards):
    by_id = {shard["ShardId"]: shard for shard in shards}
    ordered, seen = [], set()
    for shard in shards:
        chain = []
        while shard is not None and shard["ShardId"] not in seen:
            seen.add(shard["ShardId"])
            chain.append(shard)
            shard = by_id.get(shard.get("ParentShardId"))
        ordered += reversed(chain)
    return ordered


def iterator_for(stream_arn, shard_id, kind, sequence=None):
    args = {"StreamArn": stream_arn, "ShardId": shard_id, "ShardIteratorType": kind}
    if sequence is not None:
        args["SequenceNumber"] = sequence
    return streams.get_shard_iterator(**args)["ShardIterator"]


def read(stream_arn, handle, checkpoint=None):
    """Call `handle` with each record that was written since the checkpoint."""
    first = checkpoint is None
    known = dict(checkpoint or {})  # shard id -> {"after": sequence or None, "done": bool}
    shards = list_shards(stream_arn)
    listed = {shard["ShardId"] for shard in shards}
    lost = set()

    if not first:
        for shard_id, state in known.items():
            if shard_id not in listed and not state["done"]:
                lost.add(shard_id)
        for shard in shards:
            parent = shard.get("ParentShardId")
            if (
                parent
                and parent not in listed
                and parent not in known
                and shard["ShardId"] not in known
            ):
                lost.add(parent)

    result = {shard_id: state for shard_id, state in known.items() if shard_id in listed}
    for shard in parents_first(shards):
        shard_id = shard["ShardId"]
        state = known.get(shard_id)
        if state and state["done"]:
            continue
        after = state["after"] if state else None
        state = result[shard_id] = {"after": after, "done": False}
        read_shard(stream_arn, shard, handle, state, lost, first)
    return result, sorted(lost)


def open_at(stream_arn, shard, state, lost, first):
    """An iterator behind what was read; notes the shard as lost when something is missing."""
    shard_id = shard["ShardId"]
    oldest = shard.get("SequenceNumberRange", {}).get("StartingSequenceNumber")
    try:
        if state["after"] is not None:
            return iterator_for(stream_arn, shard_id, "AFTER_SEQUENCE_NUMBER", state["after"])
        if first or oldest is None:
            return iterator_for(stream_arn, shard_id, "TRIM_HORIZON")
        # The shard is newer than the checkpoint, or nothing was read of it: its beginning matters.
        return iterator_for(stream_arn, shard_id, "AT_SEQUENCE_NUMBER", oldest)
    except streams.exceptions.TrimmedDataAccessException:
        lost.add(shard_id)
        return iterator_for(stream_arn, shard_id, "TRIM_HORIZON")


def read_shard(stream_arn, shard, handle, state, lost, first):
    closed = bool(shard.get("SequenceNumberRange", {}).get("EndingSequenceNumber"))
    try:
        iterator = open_at(stream_arn, shard, state, lost, first)
    except streams.exceptions.ResourceNotFoundException:
        lost.add(shard["ShardId"])
        state["done"] = True
        return
    empty = 0
    while iterator:
        try:
            page = streams.get_records(ShardIterator=iterator)
        except streams.exceptions.ExpiredIteratorException:
            iterator = open_at(stream_arn, shard, state, lost, first)
            continue
        except streams.exceptions.TrimmedDataAccessException:
            lost.add(shard["ShardId"])
            iterator = iterator_for(stream_arn, shard["ShardId"], "TRIM_HORIZON")
            continue
        for record in page["Records"]:
            handle(record)
            state["after"] = record["dynamodb"]["SequenceNumber"]
        iterator = page.get("NextShardIterator")
        empty = 0 if page["Records"] else empty + 1
        if closed and empty:
            break
        if iterator and not closed and empty == EMPTY_PAGES:
            return
    state["done"] = True


deserializer = TypeDeserializer()


def plain(image):
    return {name: deserializer.deserialize(value) for name, value in image.items()}


def same(one, other):
    """Equal, and of the same type all the way down: True is not 1."""
    if set(one) != set(other):
        return False
    (kind,) = one
    a, b = one[kind], other[kind]
    if kind == "M":
        return set(a) == set(b) and all(same(a[name], b[name]) for name in a)
    if kind == "L":
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return deserializer.deserialize(one) == deserializer.deserialize(other)


def describe(record):
    change = record["dynamodb"]
    old, new = change.get("OldImage"), change.get("NewImage")
    event = record["eventName"]
    if event == "INSERT":
        what, old = "created", None
    elif event == "MODIFY":
        what = "changed"
    else:
        who = record.get("userIdentity") or {}
        ttl = who.get("Type") == "Service" and who.get("PrincipalId") == "dynamodb.amazonaws.com"
        what, new = ("expired" if ttl else "deleted"), None
    before = old or {}
    after = new or {}
    changed = [
        name
        for name in sorted(set(before) | set(after))
        if name not in before or name not in after or not same(before[name], after[name])
    ]
    return {
        "what": what,
        "key": plain(change["Keys"]),
        "before": None if old is None else plain(old),
        "after": None if new is None else plain(new),
        "changed": changed,
    }
