"""Keep each merchant's total and number of orders, and count every change once.

Lambda calls `handler` with a batch of changes from the stream of the orders table.
"""

import logging
import os
import time

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")
cloudwatch = boto3.client("cloudwatch")

# The stream keeps a record for a day, a note about a failure may wait for days before somebody
# sends its records again: a marker outlives both.
MARKER_LIFE_SECONDS = 14 * 24 * 60 * 60


def handler(event, context):
    """Count every record of the batch; report those that could not be counted."""
    failures = []
    for record in event["Records"]:
        sequence_number = record["dynamodb"]["SequenceNumber"]
        try:
            count(record)
            publish(record)
        except Exception:
            log.exception("Record %s is not counted", sequence_number)
            failures.append({"itemIdentifier": sequence_number})
    return {"batchItemFailures": failures}


# TODO task 1: one call for each record, and nobody can tell what the numbers mean.
def publish(record):
    """Tell CloudWatch that a record was processed."""
    cloudwatch.put_metric_data(
        Namespace="Shop/Totals", MetricData=[{"MetricName": "RecordsProcessed", "Value": 1}]
    )


def count(record):
    """Change the merchant's total by what this record changed, unless that was done before."""
    change = record["dynamodb"]
    if not change["Keys"]["id"]["S"].startswith("order#"):
        return
    amount_before, orders_before = counted(change.get("OldImage"))
    amount_after, orders_after = contribution(change.get("NewImage"))
    amount, orders = amount_after - amount_before, orders_after - orders_before
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
