"""Keep each merchant's total and number of orders, and count every change once.

Lambda calls `handler` with a batch of changes from the stream of the orders table.
"""

import logging
import os

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")


def handler(event, context):
    """Count every record of the batch; report those that could not be counted."""
    failures = []
    for record in event["Records"]:
        sequence_number = record["dynamodb"]["SequenceNumber"]
        try:
            count(record)
        except Exception:
            log.exception("Record %s is not counted", sequence_number)
            failures.append({"itemIdentifier": sequence_number})
    return {"batchItemFailures": failures}


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
        dynamodb.update_item(**addition(change, amount, orders))
    except dynamodb.exceptions.ConditionalCheckFailedException:
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


def addition(change, amount, orders):
    """Return the write that changes the total, for records newer than the last one only."""
    return {
        "TableName": os.environ["TOTALS_TABLE"],
        "Key": {"merchant": change["Keys"]["merchant"]},
        "UpdateExpression": "ADD #total :amount, orders :orders SET newest = :number",
        "ConditionExpression": "attribute_not_exists(newest) OR newest < :number",
        "ExpressionAttributeNames": {"#total": "total"},
        "ExpressionAttributeValues": {
            ":amount": {"N": str(amount)},
            ":orders": {"N": str(orders)},
            ":number": {"N": change["SequenceNumber"]},
        },
    }
