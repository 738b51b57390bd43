"""Keep each merchant's total and number of orders, and count every change once.

The records of a batch are folded: one transaction for each merchant carries the markers of its
records and their sum, so that the merchant's item is written once, not once for each order.
"""

import os
import time

import boto3

dynamodb = boto3.client("dynamodb")

# The stream keeps a record for a day, a note about a failure may wait for days before somebody
# sends its records again: a marker outlives both.
MARKER_LIFE_SECONDS = 14 * 24 * 60 * 60
# A transaction takes 100 writes, and one of them is the sum.
MOST_MARKERS = 99


def handler(event, context):
    """Count the records of the batch, or raise: then Lambda halves the batch until one is left."""
    changes = {}
    for record in event["Records"]:
        change = changed(record)
        if change != (0, 0):
            merchant = record["dynamodb"]["Keys"]["merchant"]["S"]
            changes.setdefault(merchant, []).append((record, change))
    for merchant, counted_together in changes.items():
        for start in range(0, len(counted_together), MOST_MARKERS):
            count(merchant, counted_together[start : start + MOST_MARKERS])


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
