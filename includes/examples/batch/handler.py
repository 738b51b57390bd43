import os

import boto3
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

invoices = boto3.resource("dynamodb").Table(os.environ["INVOICES"])
processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


def invoice(record):
    order = record.dynamodb.new_image
    if order["amount"] < 0:
        raise ValueError("a negative amount")
    # The same invoice again changes nothing: its key is the order's.
    invoices.put_item(Item={"id": order["id"], "amount": order["amount"]})


def handler(event, context):
    return process_partial_response(
        event=event, record_handler=invoice, processor=processor, context=context
    )
