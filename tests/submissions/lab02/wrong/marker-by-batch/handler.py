"""Keep each merchant's total and number of orders, and count every batch once."""

import logging
import os
import time
from collections import defaultdict

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")


def handler(event, context):
    """Count the whole batch in one transaction; raise when one of its records is bad."""
    totals = defaultdict(lambda: [0, 0])
    for record in event["Records"]:
        change = record["dynamodb"]
        if not change["Keys"]["id"]["S"].startswith("order#"):
            continue
        amount_before, orders_before = contribution(change.get("OldImage"))
        amount_after, orders_after = contribution(change.get("NewImage"))
        merchant = totals[change["Keys"]["merchant"]["S"]]
        merchant[0] += amount_after - amount_before
        merchant[1] += orders_after - orders_before
    first, last = event["Records"][0], event["Records"][-1]
    batch = f"{first['dynamodb']['SequenceNumber']}-{last['dynamodb']['SequenceNumber']}"
    try:
        dynamodb.transact_write_items(
            TransactItems=[marker(batch), *(addition(m, *sums) for m, sums in totals.items())]
        )
    except dynamodb.exceptions.TransactionCanceledException as error:
        if error.response["CancellationReasons"][0]["Code"] != "ConditionalCheckFailed":
            raise
        log.info("Batch %s was counted before", batch)


def contribution(image):
    """Return (cents, orders) that an order adds to its merchant; nothing when it is not there."""
    return (int(image["amount"]["N"]), 1) if image else (0, 0)


def marker(batch):
    """Return the write that succeeds only once for each batch."""
    return {
        "Put": {
            "TableName": os.environ["MARKERS_TABLE"],
            "Item": {"id": {"S": batch}, "expires": {"N": str(int(time.time()) + 14 * 86400)}},
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
            "ExpressionAttributeNames": {"#total": "total"},
            "ExpressionAttributeValues": {
                ":amount": {"N": str(amount)},
                ":orders": {"N": str(orders)},
            },
        }
    }
