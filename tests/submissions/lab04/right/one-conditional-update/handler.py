"""Totals for merchants: effect and mark in one conditional update of one item."""

import datetime
import logging
import os

import boto3

log = logging.getLogger()
log.setLevel("INFO")
client = boto3.client("dynamodb")


def handler(event, context):
    failures = []
    for record in event["Records"]:
        try:
            count(record)
        except Exception as problem:
            log.error("%s: %r", record["dynamodb"]["SequenceNumber"], problem)
            failures.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failures}


def count(record):
    change = record["dynamodb"]
    if not change["Keys"]["id"]["S"].startswith("order#"):
        return
    amount, orders = 0, 0
    if "NewImage" in change:
        amount, orders = amount + int(change["NewImage"]["amount"]["N"]), orders + 1
    if "OldImage" in change:
        amount, orders = amount - int(change["OldImage"]["amount"]["N"]), orders - 1
    seen, forgotten = day_set(change["ApproximateCreationDateTime"]), day_set(now() - 3 * 86400)
    names = {"#total": "total", "#seen": seen}
    expression = "ADD #total :amount, orders :orders, #seen :ids"
    if seen != forgotten:
        names["#forgotten"] = forgotten
        expression += " REMOVE #forgotten"
    try:
        client.update_item(
            TableName=os.environ["TOTALS_TABLE"],
            Key={"merchant": change["Keys"]["merchant"]},
            UpdateExpression=expression,
            ConditionExpression="attribute_not_exists(#seen) OR NOT contains(#seen, :id)",
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={
                ":amount": {"N": str(amount)},
                ":orders": {"N": str(orders)},
                ":ids": {"SS": [record["eventID"]]},
                ":id": {"S": record["eventID"]},
            },
        )
    except client.exceptions.ConditionalCheckFailedException:
        log.info("%s was counted before", record["eventID"])


def now():
    return datetime.datetime.now(datetime.timezone.utc).timestamp()


def day_set(seconds):
    """Name the set that holds the ids of one day."""
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc):seen_%Y_%m_%d}"


def review(event, context):
    for record in event["Records"]:
        change = record["dynamodb"]
        if record["eventName"] == "REMOVE" or not change["Keys"]["id"]["S"].startswith("order#"):
            continue
        try:
            amount = int(change["NewImage"]["amount"]["N"])
        except (KeyError, ValueError):
            continue
        if amount >= 50000:
            client.put_item(
                TableName=os.environ["LARGE_ORDERS_TABLE"],
                Item=change["Keys"] | {"noted_at": {"N": str(int(now()))}},
            )
