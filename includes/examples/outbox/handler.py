import json
import os

import boto3

events = boto3.client("events")


def sent(message):
    # The receiver drops an id that it has seen: a message may come twice, but never under two ids.
    detail = {"id": message["id"]["S"], "order": message["order"]["S"]}
    entry = {
        "EventBusName": os.environ["BUS"],
        "Source": "shop",
        "DetailType": message["type"]["S"],
        "Detail": json.dumps(detail),
    }
    # A bus that is too busy answers without an error, and says so here.
    return events.put_events(Entries=[entry])["FailedEntryCount"] == 0


def handler(event, context):
    for record in event["Records"]:
        if not sent(record["dynamodb"]["NewImage"]):
            # From here on again, so that the messages keep their order.
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}
