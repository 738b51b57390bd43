"""Keep each merchant's total and number of orders. Each record is added once: its mark and its
difference are written in one transaction."""

import logging
import os
import random
import time
from decimal import Decimal

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")
KEEP = 14 * 24 * 3600


class BadOrder(Exception):
    pass


def handler(event, context):
    failures = []
    for record in event["Records"]:
        try:
            count(record)
        except Exception:
            log.exception("record %s failed", record["eventID"])
            failures.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failures}


def amount_of(image):
    """Whole cents, or None when the order is bad."""
    text = image.get("amount", {}).get("N")
    if text is None:
        return None
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else None


def count(record):
    change = record["dynamodb"]
    if not change["Keys"]["id"]["S"].startswith("order#"):
        return
    total, orders = 0, 0
    if "OldImage" in change:
        old = amount_of(change["OldImage"])
        if old is not None:
            total, orders = -old, -1
    if "NewImage" in change:
        new = amount_of(change["NewImage"])
        if new is None:
            raise BadOrder(f"the amount of {change['Keys']} is not a whole number")
        total, orders = total + new, orders + 1
    if total == 0 and orders == 0:
        return
    add_once(record["eventID"], change["Keys"]["merchant"], total, orders)


def add_once(event_id, merchant, total, orders):
    for attempt in range(6):
        try:
            dynamodb.transact_write_items(
                ReturnConsumedCapacity="TOTAL",
                TransactItems=[
                    {
                        "Put": {
                            "TableName": os.environ["SEEN_TABLE"],
                            "Item": {
                                "event": {"S": event_id},
                                "expires": {"N": str(int(time.time()) + KEEP)},
                            },
                            "ConditionExpression": "attribute_not_exists(event)",
                        }
                    },
                    {
                        "Update": {
                            "TableName": os.environ["TOTALS_TABLE"],
                            "Key": {"merchant": merchant},
                            "UpdateExpression": "ADD #total :total, orders :orders",
                            "ExpressionAttributeNames": {"#total": "total"},
                            "ExpressionAttributeValues": {
                                ":total": {"N": str(total)},
                                ":orders": {"N": str(orders)},
                            },
                        }
                    },
                ],
            )
            return
        except dynamodb.exceptions.TransactionCanceledException as error:
            codes = [reason["Code"] for reason in error.response["CancellationReasons"]]
            if codes[0] == "ConditionalCheckFailed":
                log.info("%s was counted before", event_id)
                return
            if "TransactionConflict" not in codes or attempt == 5:
                raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
