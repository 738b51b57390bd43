"""Totals for merchants with the batch processor of AWS Lambda Powertools."""

import os
import time

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

logger = Logger(service="totals")
processor = BatchProcessor(event_type=EventType.DynamoDBStreams)
client = boto3.client("dynamodb")


def handler(event, context):
    return process_partial_response(
        event=event, record_handler=count, processor=processor, context=context
    )


def worth(image):
    return (int(image["amount"]), 1) if image else (0, 0)


def count(record: DynamoDBRecord):
    keys = record.dynamodb.keys
    if not keys["id"].startswith("order#"):
        return
    if record.dynamodb.new_image and not is_whole(record.dynamodb.new_image.get("amount")):
        raise ValueError(f"amount of {keys['id']} is no whole number")
    if counted(record.event_id):
        return
    before, after = worth(record.dynamodb.old_image), worth(record.dynamodb.new_image)
    # Should another environment be faster, the condition fails and the record comes again.
    client.transact_write_items(
        TransactItems=[
            {
                "Update": {
                    "TableName": os.environ["TOTALS_TABLE"],
                    "Key": {"merchant": {"S": keys["merchant"]}},
                    "UpdateExpression": "ADD #t :a, orders :o",
                    "ExpressionAttributeNames": {"#t": "total"},
                    "ExpressionAttributeValues": {
                        ":a": {"N": str(after[0] - before[0])},
                        ":o": {"N": str(after[1] - before[1])},
                    },
                }
            },
            {
                "Put": {
                    "TableName": os.environ["MARKERS_TABLE"],
                    "Item": {
                        "id": {"S": record.event_id},
                        "expires": {"N": str(int(time.time()) + 3 * 86400)},
                    },
                    "ConditionExpression": "attribute_not_exists(id)",
                }
            },
        ]
    )


def is_whole(amount):
    return amount is not None and not isinstance(amount, str) and amount == int(amount)


def counted(event_id):
    reply = client.get_item(
        TableName=os.environ["MARKERS_TABLE"], Key={"id": {"S": event_id}}, ConsistentRead=True
    )
    return "Item" in reply
