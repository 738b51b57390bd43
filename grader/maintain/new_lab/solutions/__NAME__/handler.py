"""Copy every order to another table.

Lambda calls `handler` with a batch of changes from the stream of the orders table.
"""

import os

import boto3

dynamodb = boto3.client("dynamodb")


def handler(event, context):
    for record in event["Records"]:
        order = record["dynamodb"]["NewImage"]
        dynamodb.put_item(TableName=os.environ["COPIES_TABLE"], Item=order)
