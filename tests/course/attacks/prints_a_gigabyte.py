"""Floods the log."""

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


printed = False


def handler(event, context):
    """A gigabyte from each environment: from each invocation it is minutes of nothing else."""
    import sys

    global printed
    for _ in range(0 if printed else 1024):
        sys.stdout.write("x" * (1 << 20) + "\n")
    printed = True
    for record in event["Records"]:
        count(record)
