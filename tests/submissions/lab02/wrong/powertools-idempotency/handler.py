"""Keep each merchant's total and number of orders, each record once with Powertools Idempotency."""

import logging
import os

import boto3
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)

log = logging.getLogger()
log.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")
persistence = DynamoDBPersistenceLayer(
    table_name=os.environ["MARKERS_TABLE"], expiry_attr="expires"
)
config = IdempotencyConfig(event_key_jmespath="eventID", expires_after_seconds=14 * 24 * 60 * 60)


def handler(event, context):
    """Count every record of the batch; report those that could not be counted."""
    config.register_lambda_context(context)
    failures = []
    for record in event["Records"]:
        sequence_number = record["dynamodb"]["SequenceNumber"]
        try:
            count(record=record)
        except Exception:
            log.exception("Record %s is not counted", sequence_number)
            failures.append({"itemIdentifier": sequence_number})
    return {"batchItemFailures": failures}


@idempotent_function(data_keyword_argument="record", persistence_store=persistence, config=config)
def count(record):
    """Change the merchant's total by what this record changed."""
    change = record["dynamodb"]
    if not change["Keys"]["id"]["S"].startswith("order#"):
        return
    amount_before, orders_before = contribution(change.get("OldImage"))
    amount_after, orders_after = contribution(change.get("NewImage"))
    dynamodb.update_item(
        TableName=os.environ["TOTALS_TABLE"],
        Key={"merchant": change["Keys"]["merchant"]},
        UpdateExpression="ADD #total :amount, orders :orders",
        ExpressionAttributeNames={"#total": "total"},
        ExpressionAttributeValues={
            ":amount": {"N": str(amount_after - amount_before)},
            ":orders": {"N": str(orders_after - orders_before)},
        },
    )


def contribution(image):
    """Return (cents, orders) that an order adds to its merchant; nothing when it is not there."""
    return (int(image["amount"]["N"]), 1) if image else (0, 0)
