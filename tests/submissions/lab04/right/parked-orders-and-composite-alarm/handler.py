"""Keep each merchant's total and number of orders, and note the large orders for review.

Lambda calls `handler` (the totals) and `review` (the large orders) with batches of changes from
the stream of the orders table.
"""

import json
import logging
import os
import time
from decimal import Decimal

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")
sqs = boto3.client("sqs")

# The stream keeps a record for a day, a note about a failure may wait for days before somebody
# sends its records again: a marker outlives both.
MARKER_LIFE_SECONDS = 14 * 24 * 60 * 60


def handler(event, context):
    """Count every record of the batch."""
    records = event["Records"]
    parked, failures = 0, []
    for record in records:
        try:
            amount, orders = difference(record["dynamodb"])
        except ValueError as error:
            park(record, error)
            parked += 1
            continue
        try:
            count(record, amount, orders)
        except Exception as error:
            log.warning("Not counted: %s: %s", record["dynamodb"]["SequenceNumber"], error)
            failures.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    publish(records, parked + len(failures))
    return {"batchItemFailures": failures}


def park(record, error):
    """Lay a record that no repetition can mend aside, whole, for a person."""
    log.error("Parked: %s: %s", record["dynamodb"]["SequenceNumber"], error)
    sqs.send_message(
        QueueUrl=os.environ["PARKED_QUEUE"],
        MessageBody=json.dumps({"reason": str(error), "record": record}),
    )


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
    """Note every large order of the batch; the filter lets orders with a numeric amount through."""
    for record in event["Records"]:
        order = record["dynamodb"]["NewImage"]
        if Decimal(order["amount"]["N"]) < 50_000:
            continue
        dynamodb.update_item(
            TableName=os.environ["LARGE_ORDERS_TABLE"],
            Key={"merchant": order["merchant"], "id": order["id"]},
            UpdateExpression="SET amount = :amount",
            ExpressionAttributeValues={":amount": order["amount"]},
        )
