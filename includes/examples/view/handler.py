import os

import boto3

dynamodb = boto3.client("dynamodb")


def show(record):
    change = record["dynamodb"]
    gone = record["eventName"] == "REMOVE"
    source = change["OldImage" if gone else "NewImage"]
    row = {"id": source["id"], "version": source["version"]}
    # A deleted product leaves its version behind, so that an older record cannot bring it back.
    row |= {"gone": {"BOOL": True}} if gone else {"price": source["price"]}
    newer = "version <= :version" if gone else "version < :version"
    try:
        dynamodb.put_item(
            TableName=os.environ["PRICES"],
            Item=row,
            ConditionExpression=f"attribute_not_exists(id) OR {newer}",
            ExpressionAttributeValues={":version": source["version"]},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        print("the view is as new or newer:", change["Keys"])


def handler(event, context):
    for record in event["Records"]:
        show(record)
