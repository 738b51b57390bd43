import os

import boto3

dynamodb = boto3.client("dynamodb")


def handler(event, context):
    for record in event["Records"]:
        session = record["dynamodb"]["OldImage"]
        # An id can be used again later. Its end keeps the two apart, and a repeat is the same row.
        name = f"{session['id']['S']}@{session['expires']['N']}"
        dynamodb.put_item(
            TableName=os.environ["ARCHIVE"],
            Item={"id": {"S": name}, "session": {"M": session}},
        )
