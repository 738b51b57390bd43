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


floods = 0


def handler(event, context):
    """A gigabyte from a cold and a warm invocation: from each it is minutes of nothing else."""
    import sys

    global floods
    for _ in range(1024 if floods < 2 else 0):
        sys.stdout.write("x" * (1 << 20) + "\n")
    floods += 1
    for record in event["Records"]:
        count(record)
