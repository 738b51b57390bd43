"""Keep each merchant's total and number of orders, and note the large orders for review.

Lambda calls `handler` (the totals) and `review` (the large orders) with batches of changes from
the stream of the orders table.
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


def handler(event, context):
    """Count every record of the batch."""
    records = event["Records"]
    # First see what every record changes, then write.
    differences = [difference(record["dynamodb"]) for record in records]
    for record, (amount, orders) in zip(records, differences, strict=True):
        try:
            count(record, amount, orders)
        except Exception as error:
            log.warning("Not counted: %s: %s", record["dynamodb"]["SequenceNumber"], error)
    publish(records, 0)
    return {"batchItemFailures": []}


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


def difference(change):
    """Return (cents, orders) by which a change of the orders table moves its merchant's total."""
    if not change["Keys"]["id"]["S"].startswith("order#"):
        return 0, 0
    amount_before, orders_before = counted(change.get("OldImage"))
    amount_after, orders_after = contribution(change.get("NewImage"))
    return amount_after - amount_before, orders_after - orders_before


def count(record, amount, orders):
    """Change the merchant's total by the difference, unless that was done before."""
    change = record["dynamodb"]
    if not amount and not orders:
        return
    try:
        # One transaction: the marker and what it stands for are written together or not at all.
        dynamodb.transact_write_items(
            TransactItems=[marker(record["eventID"]), addition(change["Keys"], amount, orders)]
        )
    except dynamodb.exceptions.TransactionCanceledException as error:
        if error.response["CancellationReasons"][0]["Code"] != "ConditionalCheckFailed":
            raise  # a conflict or a throttled table: nothing was written, Lambda will come again
        log.info("Record %s was counted before", change["SequenceNumber"])


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


def review(event, context):
    """Note every order of the batch; the mapping's filter lets only large ones through."""
    for record in event["Records"]:
        order = record["dynamodb"]["NewImage"]
        dynamodb.put_item(
            TableName=os.environ["LARGE_ORDERS_TABLE"],
            Item={name: order[name] for name in ("merchant", "id", "amount")},
        )
