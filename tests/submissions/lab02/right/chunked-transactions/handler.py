"""Totals for merchants: many records in one transaction."""

import logging
import os
import time

import boto3

log = logging.getLogger()
log.setLevel("INFO")
client = boto3.client("dynamodb")

CHUNK = 40  # a transaction takes 100 writes: at most 40 markers and 40 merchants
DAY = 86400


def handler(event, context):
    failed = []
    pending = {}
    for record in event["Records"]:
        try:
            change = difference(record)
        except (KeyError, ValueError) as problem:
            log.error("record %s: %r", sequence(record), problem)
            failed.append(sequence(record))
            continue
        if change != (0, 0):
            pending[record["eventID"]] = (record, change)
        if len(pending) == CHUNK:
            failed += commit(pending)
            pending = {}
    failed += commit(pending)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def sequence(record):
    return record["dynamodb"]["SequenceNumber"]


def difference(record):
    if record["dynamodb"]["Keys"]["id"]["S"].startswith("cart#"):
        return 0, 0
    old = record["dynamodb"].get("OldImage")
    new = record["dynamodb"].get("NewImage")
    amount = (int(new["amount"]["N"]) if new else 0) - (int(old["amount"]["N"]) if old else 0)
    return amount, bool(new) - bool(old)


def commit(pending):
    """Write the changes that are not written yet; return the sequence numbers that failed."""
    pending = dict(pending)
    while pending:
        ids = list(pending)
        try:
            client.transact_write_items(TransactItems=markers(ids) + sums(pending.values()))
            return []
        except client.exceptions.TransactionCanceledException as cancelled:
            reasons = cancelled.response["CancellationReasons"][: len(ids)]
            known = [
                event_id
                for event_id, reason in zip(ids, reasons, strict=True)
                if reason["Code"] == "ConditionalCheckFailed"
            ]
            if not known:
                log.warning("nothing written: %s", cancelled)
                return [sequence(record) for record, _ in pending.values()]
            for event_id in known:
                del pending[event_id]
    return []


def markers(ids):
    expires = str(int(time.time()) + 8 * DAY)
    return [
        {
            "Put": {
                "TableName": os.environ["MARKERS_TABLE"],
                "Item": {"id": {"S": event_id}, "expires": {"N": expires}},
                "ConditionExpression": "attribute_not_exists(id)",
            }
        }
        for event_id in ids
    ]


def sums(changes):
    folded = {}
    for record, (amount, orders) in changes:
        merchant = record["dynamodb"]["Keys"]["merchant"]["S"]
        amounts, counts = folded.get(merchant, (0, 0))
        folded[merchant] = (amounts + amount, counts + orders)
    return [
        {
            "Update": {
                "TableName": os.environ["TOTALS_TABLE"],
                "Key": {"merchant": {"S": merchant}},
                "UpdateExpression": "ADD #t :a, #o :o",
                "ExpressionAttributeNames": {"#t": "total", "#o": "orders"},
                "ExpressionAttributeValues": {":a": {"N": str(amount)}, ":o": {"N": str(orders)}},
            }
        }
        for merchant, (amount, orders) in folded.items()
    ]
