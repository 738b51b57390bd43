"""Keep each merchant's total and number of orders.

Lambda calls `handler` with a batch of changes from the stream of the orders table. For each order
a state says how far its changes have been counted and what it adds now.
"""

import logging
import os
import time

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")

ATTEMPTS = 5  # another invocation may change the same merchant at the same moment
NOTHING = {"seq": {"N": "0"}, "amount": {"N": "0"}, "orders": {"N": "0"}}


def handler(event, context):
    """Bring every order of the batch up to date; report the first record that does not succeed."""
    for record in event["Records"]:
        change = record["dynamodb"]
        try:
            bring_up_to_date(change)
        except Exception:
            log.exception("Not counted: %s", change["SequenceNumber"])
            return {"batchItemFailures": [{"itemIdentifier": change["SequenceNumber"]}]}
    return {"batchItemFailures": []}


def bring_up_to_date(change):
    """Write what the order adds now and move its merchant's total by the difference, in one write.

    Raises ValueError when the order has no amount in whole cents, and what DynamoDB raises.
    """
    if not change["Keys"]["id"]["S"].startswith("order#"):
        return
    amount, orders = contribution(change.get("NewImage"))
    for attempt in range(ATTEMPTS):
        state = dynamodb.get_item(
            TableName=os.environ["STATES_TABLE"], Key=change["Keys"], ConsistentRead=True
        ).get("Item")
        known = state or NOTHING
        if int(known["seq"]["N"]) >= int(change["SequenceNumber"]):
            return  # this change, or a newer one of the order, is in the total
        try:
            dynamodb.transact_write_items(
                TransactItems=[
                    new_state(change, amount, orders, state),
                    addition(
                        change["Keys"]["merchant"],
                        amount - int(known["amount"]["N"]),
                        orders - int(known["orders"]["N"]),
                    ),
                ]
            )
            return
        except dynamodb.exceptions.TransactionCanceledException:
            if attempt + 1 == ATTEMPTS:
                raise
            time.sleep(0.05 * 2**attempt)


def contribution(image):
    """Return (cents, orders) that an order adds to its merchant; nothing when it is not there."""
    if image is None:
        return 0, 0
    return int(image.get("amount", {}).get("N", "")), 1


def new_state(change, amount, orders, state):
    """Return the write of the order's state; it fails when the state is another one than was read."""
    write = {
        "TableName": os.environ["STATES_TABLE"],
        "Item": {
            **change["Keys"],
            # As a number: sequence numbers differ in length, and DynamoDB keeps 38 digits.
            "seq": {"N": change["SequenceNumber"]},
            "amount": {"N": str(amount)},
            "orders": {"N": str(orders)},
        },
        "ConditionExpression": "attribute_not_exists(seq)",
    }
    if state:
        write["ConditionExpression"] = "seq = :seq"
        write["ExpressionAttributeValues"] = {":seq": state["seq"]}
    return {"Put": write}


def addition(merchant, amount, orders):
    """Return the write that changes the merchant's total and number of orders."""
    return {
        "Update": {
            "TableName": os.environ["TOTALS_TABLE"],
            "Key": {"merchant": merchant},
            "UpdateExpression": "ADD #total :amount, orders :orders",
            "ExpressionAttributeNames": {"#total": "total"},  # "total" is a reserved word
            "ExpressionAttributeValues": {
                ":amount": {"N": str(amount)},
                ":orders": {"N": str(orders)},
            },
        }
    }
