"""Bring back what Lambda gave up: fetch the records that a failure note is about, and replay them.

Run by a person, with the rights of the totals function and the right to read the stream.
"""

import boto3

streams = boto3.client("dynamodbstreams")


# TODO task 5: this gives every record up for lost without having looked.
def redrive(note, replay):
    """Replay the records of one failure note; return how many were replayed, failed and trimmed."""
    info = note["DDBStreamBatchInfo"]
    return {"replayed": 0, "failed": 0, "trimmed": info["batchSize"]}
