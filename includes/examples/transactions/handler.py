import os

import boto3

dynamodb = boto3.client("dynamodb")
# Longer than a stream keeps its records, which is 24 hours.
KEPT_S = 2 * 86_400


def book(record):
    payment = record["dynamodb"]["NewImage"]
    expires = int(record["dynamodb"]["ApproximateCreationDateTime"]) + KEPT_S
    marker = {
        "TableName": os.environ["DONE"],
        "Item": {"id": {"S": record["eventID"]}, "expires": {"N": str(expires)}},
        "ConditionExpression": "attribute_not_exists(id)",
    }
    effect = {
        "TableName": os.environ["BALANCES"],
        "Key": {"id": payment["account"]},
        "UpdateExpression": "ADD amount :amount",
        "ExpressionAttributeValues": {":amount": payment["amount"]},
    }
    try:
        dynamodb.transact_write_items(TransactItems=[{"Put": marker}, {"Update": effect}])
    except dynamodb.exceptions.TransactionCanceledException as cancelled:
        # Only a marker that is there means "done"; a conflict or a throttle is tried again.
        if cancelled.response["CancellationReasons"][0]["Code"] != "ConditionalCheckFailed":
            raise


def handler(event, context):
    for record in event["Records"]:
        book(record)
