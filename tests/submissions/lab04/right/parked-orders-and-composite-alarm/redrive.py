"""Bring back what Lambda gave up: fetch the records that a failure note is about, and replay them.

Run by a person, with the rights of the totals function and the right to read the stream.
"""

import json

import boto3

streams = boto3.client("dynamodbstreams")
GONE = (
    streams.exceptions.TrimmedDataAccessException,
    streams.exceptions.ResourceNotFoundException,
)


def redrive(note, replay):
    """Replay the records of one failure note; return how many were replayed, failed and trimmed."""
    info = note["DDBStreamBatchInfo"]
    if "payload" in note:
        records = json.loads(note["payload"])["Records"]
    else:
        records = fetched(info)
    replayed, failed = replay_all(records, replay)
    return {
        "replayed": replayed,
        "failed": failed,
        "trimmed": info["batchSize"] - replayed - failed,
    }


def replay_all(records, replay):
    """Return (accepted, refused), in halves until every record that is refused stands alone."""
    if not records:
        return 0, 0
    try:
        good = not (replay(records) or {}).get("batchItemFailures")
    except Exception:
        good = False
    if good:
        return len(records), 0
    if len(records) == 1:
        return 0, 1
    half = len(records) // 2
    before, after = replay_all(records[:half], replay), replay_all(records[half:], replay)
    return before[0] + after[0], before[1] + after[1]


def fetched(info):
    """Return the orders' records of the note that are left in the stream, in Lambda's form."""
    last = int(info["endSequenceNumber"])
    try:
        pages = oldest_pages(info)
    except GONE:
        return []
    found = []
    for records in pages:
        for record in records:
            number = int(record["dynamodb"]["SequenceNumber"])
            kind = record["dynamodb"]["Keys"]["id"]["S"].split("#")[0]
            if int(info["startSequenceNumber"]) <= number <= last and kind == "order":
                found.append(as_event(record, info["streamArn"]))
        if records and int(records[-1]["dynamodb"]["SequenceNumber"]) >= last:
            break
    return found


def oldest_pages(info):
    """Return the pages of the shard from the note's first record on, or from what is left."""
    try:
        return pages_from(
            info,
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=info["startSequenceNumber"],
        )
    except streams.exceptions.TrimmedDataAccessException:
        return pages_from(info, ShardIteratorType="TRIM_HORIZON")


def pages_from(info, **where):
    """Return a generator of pages; the first is fetched now, so that what is gone says so here."""
    answer = streams.get_shard_iterator(
        StreamArn=info["streamArn"], ShardId=info["shardId"], **where
    )
    first = streams.get_records(ShardIterator=answer["ShardIterator"])

    def pages():
        page = first
        yield page["Records"]
        empty = 0
        # A page may be empty in between; a shard that stays open never says that it has ended.
        while page.get("NextShardIterator") and empty < 50:
            page = streams.get_records(ShardIterator=page["NextShardIterator"])
            empty = 0 if page["Records"] else empty + 1
            yield page["Records"]

    return pages()


def as_event(record, arn):
    """Return a record of GetRecords in the form in which Lambda hands it over."""
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    return {**record, "dynamodb": change, "eventSourceARN": arn}
