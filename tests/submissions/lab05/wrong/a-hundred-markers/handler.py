"""Keep each merchant's total and number of orders, count every change once, and say how it goes.

The records of a batch are folded: one transaction for each merchant carries the markers of its
records and their sum, so that the merchant's item is written once, not once for each order.
"""

import json
import logging
import os
import time

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")

# The stream keeps a record for a day, a note about a failure may wait for days before somebody
# sends its records again: a marker outlives both.
MARKER_LIFE_SECONDS = 14 * 24 * 60 * 60
# A transaction takes 100 writes, and one of them is the sum.
MOST_MARKERS = 100


def handler(event, context):
    """Count every record of the batch; report those that could not be counted."""
    changes, failed = {}, []
    for record in event["Records"]:
        try:
            change = changed(record)
        except ValueError:
            log.exception("Record %s is not counted", sequence_number(record))
            failed.append(record)
            continue
        if change != (0, 0):
            merchant = record["dynamodb"]["Keys"]["merchant"]["S"]
            changes.setdefault(merchant, []).append((record, change))
    for merchant, counted_together in changes.items():
        for start in range(0, len(counted_together), MOST_MARKERS):
            part = counted_together[start : start + MOST_MARKERS]
            try:
                count(merchant, part)
            except Exception:
                log.exception("%d records of a merchant are not counted", len(part))
                failed += [record for record, _ in part]
    publish(event["Records"], len(failed))
    return {"batchItemFailures": [{"itemIdentifier": sequence_number(one)} for one in failed]}


def sequence_number(record):
    """Return the position of a record in the stream, by which Lambda knows it."""
    return record["dynamodb"]["SequenceNumber"]


def changed(record):
    """Return (cents, orders) by which a record changes its merchant's total.

    Raises ValueError when the new amount is missing or no whole number of cents.
    """
    change = record["dynamodb"]
    if not change["Keys"]["id"]["S"].startswith("order#"):
        return 0, 0
    amount_before, orders_before = counted(change.get("OldImage"))
    amount_after, orders_after = contribution(change.get("NewImage"))
    return amount_after - amount_before, orders_after - orders_before


def count(merchant, part):
    """Add the sum of some of a merchant's changes, without those that were counted before."""
    while part:
        amount = sum(change[0] for _, change in part)
        orders = sum(change[1] for _, change in part)
        try:
            # The markers and the sum that they stand for are written together or not at all. A sum
            # of nothing is written too: each of its records may come again without the others.
            dynamodb.transact_write_items(
                TransactItems=[
                    *(marker(record["eventID"]) for record, _ in part),
                    addition(merchant, amount, orders),
                ]
            )
            return
        except dynamodb.exceptions.TransactionCanceledException as error:
            reasons = error.response["CancellationReasons"]
            fresh = [
                one
                for one, reason in zip(part, reasons, strict=False)  # the last one is the sum's
                if reason["Code"] != "ConditionalCheckFailed"
            ]
            if len(fresh) == len(part):
                raise  # a conflict or a throttled table: nothing was written, Lambda comes again
            part = fresh


def contribution(image):
    """Return (cents, orders) that an order adds to its merchant; nothing when it is not there.

    Raises ValueError when the amount is missing or no whole number of cents.
    """
    if image is None:
        return 0, 0
    return int(image.get("amount", {}).get("N", "")), 1


def counted(image):
    """Return what an older image of an order has added: a bad one was never counted."""
    try:
        return contribution(image)
    except ValueError:
        return 0, 0


def marker(event_id):
    """Return the write that succeeds only once for each record of the stream."""
    return {
        "Put": {
            "TableName": os.environ["MARKERS_TABLE"],
            "Item": {
                "id": {"S": event_id},
                "expires": {"N": str(int(time.time()) + MARKER_LIFE_SECONDS)},
            },
            "ConditionExpression": "attribute_not_exists(id)",
        }
    }


def addition(merchant, amount, orders):
    """Return the write that changes the merchant's total and number of orders."""
    return {
        "Update": {
            "TableName": os.environ["TOTALS_TABLE"],
            "Key": {"merchant": {"S": merchant}},
            "UpdateExpression": "ADD #total :amount, orders :orders",
            "ExpressionAttributeNames": {"#total": "total"},  # "total" is a reserved word
            "ExpressionAttributeValues": {
                ":amount": {"N": str(amount)},
                ":orders": {"N": str(orders)},
            },
        }
    }


def publish(records, failed):
    """Print the metrics of one batch as one log line, from which CloudWatch Logs extracts them.

    `print`, not the logger: a document has to begin the line, whatever the log's format and level.
    """
    now = time.time()
    oldest = min(record["dynamodb"]["ApproximateCreationDateTime"] for record in records)
    document = {
        "_aws": {
            "Timestamp": round(now * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": "Shop/Totals",
                    "Dimensions": [["Service"]],
                    "Metrics": [
                        {"Name": "RecordsProcessed", "Unit": "Count"},
                        {"Name": "RecordsFailed", "Unit": "Count"},
                        {"Name": "Lag", "Unit": "Milliseconds"},
                    ],
                }
            ],
        },
        "Service": "totals",
        "RecordsProcessed": len(records) - failed,
        "RecordsFailed": failed,
        "Lag": round((now - oldest) * 1000),  # the creation time is in seconds
    }
    print(json.dumps(document))
