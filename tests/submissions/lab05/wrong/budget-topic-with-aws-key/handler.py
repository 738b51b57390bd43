"""Powertools read the batch; what is counted already is asked for before anything is written."""

import os
import time
from collections import defaultdict
from decimal import Decimal

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord

logger = Logger(service="totals", level="WARNING")
metrics = Metrics(namespace="Shop/Totals", service="totals")
dynamodb = boto3.client("dynamodb")

TOTALS_TABLE = os.environ["TOTALS_TABLE"]
MARKERS_TABLE = os.environ["MARKERS_TABLE"]
LIFE = 15 * 24 * 3600
PER_TRANSACTION = 50


class Bad(ValueError):
    pass


@metrics.log_metrics
def handler(event, context):
    parts = []
    processor = BatchProcessor(
        event_type=EventType.DynamoDBStreams, raise_on_entire_batch_failure=False
    )
    with processor(records=event["Records"], handler=lambda record: parts.append(read(record))):
        processor.process()
    failures = list(processor.response()["batchItemFailures"])

    parts = [part for part in parts if part["cents"] or part["orders"]]
    try:
        known = counted_before([part["event_id"] for part in parts])
    except Exception:
        logger.exception("The marks cannot be read")
        failures += [{"itemIdentifier": part["number"]} for part in parts]
        return {"batchItemFailures": failures}

    by_merchant = defaultdict(list)
    for part in parts:
        if part["event_id"] not in known:
            by_merchant[part["merchant"]].append(part)
    for merchant, news in by_merchant.items():
        for start in range(0, len(news), PER_TRANSACTION):
            some = news[start : start + PER_TRANSACTION]
            try:
                write(merchant, some)
            except Exception as error:
                logger.warning(
                    "not counted", merchant=merchant, records=len(some), error=str(error)
                )
                failures += [{"itemIdentifier": part["number"]} for part in some]

    metrics.add_metric("RecordsProcessed", MetricUnit.Count, len(event["Records"]) - len(failures))
    metrics.add_metric("RecordsFailed", MetricUnit.Count, len(failures))
    return {"batchItemFailures": failures}


def read(record: DynamoDBRecord):
    raw = record.raw_event["dynamodb"]
    keys = raw["Keys"]
    part = {
        "number": raw["SequenceNumber"],
        "event_id": record.event_id,
        "merchant": keys["merchant"]["S"],
        "cents": 0,
        "orders": 0,
    }
    if keys["id"]["S"].startswith("order#"):
        if raw.get("NewImage"):
            part["cents"] += cents(raw["NewImage"])
            part["orders"] += 1
        if raw.get("OldImage"):
            try:
                part["cents"] -= cents(raw["OldImage"])
                part["orders"] -= 1
            except Bad:
                pass
    return part


def cents(image):
    try:
        number = Decimal(image["amount"]["N"])
    except (KeyError, ArithmeticError) as error:
        raise Bad("no amount") from error
    if not number.is_finite() or number % 1:
        raise Bad(f"not a whole number: {number}")
    return int(number)


def counted_before(ids):
    known = set()
    for start in range(0, len(ids), 100):
        wanted = {
            MARKERS_TABLE: {
                "Keys": [{"id": {"S": i}} for i in ids[start : start + 100]],
                "ProjectionExpression": "id",
                "ConsistentRead": True,
            }
        }
        while wanted:
            answer = dynamodb.batch_get_item(RequestItems=wanted)
            known |= {item["id"]["S"] for item in answer["Responses"].get(MARKERS_TABLE, [])}
            wanted = answer.get("UnprocessedKeys")
    return known


def write(merchant, parts):
    expires = str(int(time.time()) + LIFE)
    dynamodb.transact_write_items(
        TransactItems=[
            {
                "Update": {
                    "TableName": TOTALS_TABLE,
                    "Key": {"merchant": {"S": merchant}},
                    "UpdateExpression": "ADD #t :c, #o :o",
                    "ExpressionAttributeNames": {"#t": "total", "#o": "orders"},
                    "ExpressionAttributeValues": {
                        ":c": {"N": str(sum(part["cents"] for part in parts))},
                        ":o": {"N": str(sum(part["orders"] for part in parts))},
                    },
                }
            },
            *(
                {
                    "Put": {
                        "TableName": MARKERS_TABLE,
                        "Item": {"id": {"S": part["event_id"]}, "expires": {"N": expires}},
                        "ConditionExpression": "attribute_not_exists(#id)",
                        "ExpressionAttributeNames": {"#id": "id"},
                    }
                }
                for part in parts
            ),
        ]
    )
