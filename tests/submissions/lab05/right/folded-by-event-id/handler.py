"""Keep each merchant's total and number of orders, count every change once, and say how it goes.

Lambda calls `handler` with a batch of changes from the stream of the orders table.
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


# A transaction takes 100 writes: one for the merchant's item, the others for markers.
MARKERS_IN_A_TRANSACTION = 99


def handler(event, context):
    """Count every record of the batch; report those that could not be counted."""
    records = event["Records"]
    failures = []
    changes = {}  # merchant -> event ID -> what the record changes
    for record in records:
        try:
            change = difference(record)
        except Exception:
            log.exception("Record %s cannot be read", record["dynamodb"]["SequenceNumber"])
            failures.append(record["dynamodb"]["SequenceNumber"])
            continue
        if change is not None:
            changes.setdefault(change["merchant"], {})[record["eventID"]] = change
    for merchant, by_event in changes.items():
        entries = list(by_event.items())
        for first in range(0, len(entries), MARKERS_IN_A_TRANSACTION):
            part = dict(entries[first : first + MARKERS_IN_A_TRANSACTION])
            try:
                count(merchant, part)
            except Exception:
                log.exception("%d records of %s are not counted", len(part), merchant)
                failures += [change["sequence_number"] for change in part.values()]
    publish(records, len(failures))
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failures]}


def difference(record):
    """Return what a record changes for its merchant, or None when it changes nothing."""
    change = record["dynamodb"]
    if not change["Keys"]["id"]["S"].startswith("order#"):
        return None
    amount_before, orders_before = counted(change.get("OldImage"))
    amount_after, orders_after = contribution(change.get("NewImage"))
    amount, orders = amount_after - amount_before, orders_after - orders_before
    if not amount and not orders:
        return None
    return {
        "merchant": change["Keys"]["merchant"]["S"],
        "sequence_number": change["SequenceNumber"],
        "amount": amount,
        "orders": orders,
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


def count(merchant, changes):
    """Add one merchant's changes in one transaction; leave out those that were counted before."""
    while changes:
        amount = sum(change["amount"] for change in changes.values())
        orders = sum(change["orders"] for change in changes.values())
        markers = [marker(event_id) for event_id in changes]
        try:
            dynamodb.transact_write_items(
                TransactItems=[*markers, addition({"merchant": {"S": merchant}}, amount, orders)]
            )
            return
        except dynamodb.exceptions.TransactionCanceledException as error:
            reasons = error.response["CancellationReasons"]
            left = {
                event_id: change
                for (event_id, change), reason in zip(changes.items(), reasons)
                if reason["Code"] != "ConditionalCheckFailed"
            }
            if len(left) == len(changes):
                raise  # a conflict or a throttled table: nothing was written
            changes = left


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


def addition(keys, amount, orders):
    """Return the write that changes the merchant's total and number of orders."""
    return {
        "Update": {
            "TableName": os.environ["TOTALS_TABLE"],
            "Key": {"merchant": keys["merchant"]},
            "UpdateExpression": "ADD #total :amount, orders :orders",
            "ExpressionAttributeNames": {"#total": "total"},  # "total" is a reserved word
            "ExpressionAttributeValues": {
                ":amount": {"N": str(amount)},
                ":orders": {"N": str(orders)},
            },
        }
    }
