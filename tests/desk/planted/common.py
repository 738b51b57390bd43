"""What the consumers have in common: totals by order, and markers of what is done."""

import os

import boto3

dynamodb = boto3.client("dynamodb")


def amount(record, image):
    """The amount of an image of the order, 0 where there is none."""
    return int(record["dynamodb"].get(image, {}).get("amount", {"N": "0"})["N"])


def mark(record):
    """The write that says once and for all that a record is done."""
    return {
        "TableName": os.environ["DONE"],
        "Item": {"id": {"S": record["eventID"]}},
        "ConditionExpression": "attribute_not_exists(id)",
    }


def add(record):
    """The write that brings a total up to date by what the record changed."""
    change = amount(record, "NewImage") - amount(record, "OldImage")
    return {
        "TableName": os.environ["TOTALS"],
        "Key": {"id": record["dynamodb"]["Keys"]["id"]},
        "UpdateExpression": "ADD amount :change",
        "ExpressionAttributeValues": {":change": {"N": str(change)}},
    }


def row(record, **more):
    """The total as it is after the record, without a look at what was there before."""
    item = {
        "id": record["dynamodb"]["Keys"]["id"],
        "amount": {"N": str(amount(record, "NewImage"))},
        **more,
    }
    return {"TableName": os.environ["TOTALS"], "Item": item}


def put_if_newer(record, sequence):
    """Write the row unless one with a higher sequence number stands there."""
    try:
        dynamodb.put_item(
            **row(record, sequence=sequence),
            ConditionExpression="attribute_not_exists(id) OR #sequence < :sequence",
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues={":sequence": sequence},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        print("already there:", record["eventID"])


def book(record):
    """Marker and addition, both or none."""
    try:
        dynamodb.transact_write_items(
            TransactItems=[{"Put": mark(record)}, {"Update": add(record)}]
        )
    except dynamodb.exceptions.TransactionCanceledException as cancelled:
        if cancelled.response["CancellationReasons"][0]["Code"] != "ConditionalCheckFailed":
            raise
