"""All iterators first, then shard by shard; places are a list, pages are small."""

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

client = boto3.client("dynamodbstreams")
python = TypeDeserializer().deserialize


def read(stream_arn, handle, checkpoint=None):
    known = {shard: (after, done) for shard, after, done in checkpoint or []}
    listed, lost = [], []
    last = None
    while True:
        more = {} if last is None else {"ExclusiveStartShardId": last}
        stream = client.describe_stream(StreamArn=stream_arn, Limit=1, **more)["StreamDescription"]
        listed.extend(stream["Shards"])
        last = stream.get("LastEvaluatedShardId")
        if last is None:
            break
    ids = {shard["ShardId"] for shard in listed}
    lost += [shard for shard, (_, done) in known.items() if shard not in ids and not done]
    if checkpoint is not None:
        parents = {one.get("ParentShardId") for one in listed if one["ShardId"] not in known}
        lost += sorted(parents - {None} - ids - known.keys())
    firsts = {
        one["ShardId"]: checkpoint is not None
        and one["SequenceNumberRange"]["StartingSequenceNumber"]
        for one in listed
    }
    listed = sorted(listed, key=lambda shard: generation(shard, listed))

    def begin(shard, after):
        how = {"ShardIteratorType": "TRIM_HORIZON"}
        if after:
            how = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after}
        elif firsts[shard]:
            how = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": firsts[shard]}
        try:
            return client.get_shard_iterator(StreamArn=stream_arn, ShardId=shard, **how)
        except ClientError as error:
            if error.response["Error"]["Code"] != "TrimmedDataAccessException":
                raise
            lost.append(shard)
            firsts[shard] = None
            return begin(shard, None)

    open_shards = {
        shard: begin(shard, known.get(shard, (None, False))[0])["ShardIterator"]
        for shard in (one["ShardId"] for one in listed)
        if not known.get(shard, (None, False))[1]
    }
    for shard, iterator in open_shards.items():
        after, quiet = known.get(shard, (None, False))[0], 0
        while iterator and quiet < 8:
            try:
                page = client.get_records(ShardIterator=iterator, Limit=2)
            except client.exceptions.ExpiredIteratorException:
                iterator = begin(shard, after)["ShardIterator"]
                continue
            quiet = 0 if page["Records"] else quiet + 1
            for record in page["Records"]:
                handle(record)
                after = record["dynamodb"]["SequenceNumber"]
            iterator = page.get("NextShardIterator")
        known[shard] = (after, not iterator)
    return [[shard, *known[shard]] for shard in sorted(ids)], lost


def generation(shard, listed):
    """How many of its ancestors are listed."""
    for other in listed:
        if other["ShardId"] == shard.get("ParentShardId"):
            return 1 + generation(other, listed)
    return 0


def describe(record):
    images = record["dynamodb"]
    old, new = images.get("OldImage"), images.get("NewImage")
    if old is None:
        what, names = "created", set(new)
    elif new is None:
        who = record.get("userIdentity", {}).get("PrincipalId")
        what, names = "expired" if who == "dynamodb.amazonaws.com" else "deleted", set(old)
    else:
        what = "changed"
        names = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    return {
        "what": what,
        "key": {name: python(value) for name, value in images["Keys"].items()},
        "before": old and {name: python(value) for name, value in old.items()},
        "after": new and {name: python(value) for name, value in new.items()},
        "changed": names,
    }
