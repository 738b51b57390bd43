"""Takes all the memory there is."""

import os

import boto3

dynamodb = boto3.client("dynamodb")


def count(record):
    """What an honest beginner would do: new orders only, with a bare ADD."""
    if record["eventName"] != "INSERT":
        return
    order = record["dynamodb"]["NewImage"]
    dynamodb.update_item(
        TableName=os.environ["TOTALS_TABLE"],
        Key={"merchant": order["merchant"]},
        UpdateExpression="ADD #total :amount, orders :one",
        ExpressionAttributeNames={"#total": "total"},
        ExpressionAttributeValues={":amount": {"N": order["amount"]["N"]}, ":one": {"N": "1"}},
    )


def handler(event, context):
    hoard = []
    while True:
        hoard.append(bytearray(64 << 20))
