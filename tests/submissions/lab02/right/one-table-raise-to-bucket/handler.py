"""Keep each merchant's total and number of orders.

Lambda calls `handler` with a batch of changes from the stream of the orders table. A record that
cannot be counted raises: Lambda halves the batch until the record is alone.
"""

import logging
import os
import time

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")

# A record lives for 24 hours in the stream, so nothing comes again after two days.
MARKER_LIFE_SECONDS = 2 * 24 * 60 * 60


def handler(event, context):
    """Count every record of the batch, or raise at the first that cannot be counted."""
    for record in event["Records"]:
        count(record)
    log.info("%d records counted", len(event["Records"]))


def count(record):
    """Change a merchant's total by what one record changes, once."""
    change = record["dynamodb"]
    amount = cents(change.get("NewImage")) - cents(change.get("OldImage"))
    orders = ("NewImage" in change) - ("OldImage" in change)
    if not amount and not orders:
        return
    try:
        dynamodb.transact_write_items(
            TransactItems=[
                {
                    "Put": {
                        "TableName": os.environ["TOTALS_TABLE"],
                        "Item": {
                            "merchant": {"S": "counted#" + record["eventID"]},
                            "expires": {"N": str(int(time.time()) + MARKER_LIFE_SECONDS)},
                        },
                        "ConditionExpression": "attribute_not_exists(merchant)",
                    }
                },
                {
                    "Update": {
                        "TableName": os.environ["TOTALS_TABLE"],
                        "Key": {"merchant": change["Keys"]["merchant"]},
                        "UpdateExpression": "ADD #total :amount, orders :orders",
                        "ExpressionAttributeNames": {"#total": "total"},  # a reserved word
                        "ExpressionAttributeValues": {
                            ":amount": {"N": str(amount)},
                            ":orders": {"N": str(orders)},
                        },
                    }
                },
            ]
        )
    except dynamodb.exceptions.TransactionCanceledException as error:
        if error.response["CancellationReasons"][0]["Code"] != "ConditionalCheckFailed":
            raise


def cents(image):
    """Return an order's amount in cents; 0 when there is no order. Raises for a bad amount."""
    return int(image["amount"]["N"]) if image else 0
