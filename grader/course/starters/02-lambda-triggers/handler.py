"""Keep each merchant's total and number of orders.

Lambda calls `handler` with a batch of changes from the stream of the orders table.
"""

import logging
import os

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")


def handler(event, context):
    for record in event["Records"]:
        count(record)
    log.info("%d records counted", len(event["Records"]))


# TODO task 2: orders are also changed and deleted.
# TODO task 3: this record may come again, on any day, in any company.
def count(record):
    """Add one new order to its merchant's total."""
    if record["eventName"] != "INSERT":
        return
    order = record["dynamodb"]["NewImage"]
    if order["kind"]["S"] != "order":
        return
    dynamodb.update_item(
        TableName=os.environ["TOTALS_TABLE"],
        Key={"merchant": order["merchant"]},
        UpdateExpression="ADD #total :amount, orders :one",
        ExpressionAttributeNames={"#total": "total"},  # "total" is a reserved word
        ExpressionAttributeValues={":amount": {"N": order["amount"]["N"]}, ":one": {"N": "1"}},
    )
