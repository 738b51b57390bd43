"""Totals for merchants, each in one item that knows all its orders."""

import logging
import os

import boto3
from boto3.dynamodb.conditions import Attr

logger = logging.getLogger(__name__)
table = boto3.resource("dynamodb").Table(os.environ["TOTALS_TABLE"])
conflict = table.meta.client.exceptions.ConditionalCheckFailedException


def handler(event, context):
    failures = []
    for record in event["Records"]:
        try:
            remember(record["dynamodb"])
        except Exception:
            logger.exception("cannot count %s", record["eventID"])
            failures.append(record["dynamodb"]["SequenceNumber"])
    return {"batchItemFailures": [{"itemIdentifier": failure} for failure in failures]}


def remember(change):
    merchant, order = change["Keys"]["merchant"]["S"], change["Keys"]["id"]["S"]
    if not order.startswith("order#"):
        return
    amount = int(change["NewImage"]["amount"]["N"]) if "NewImage" in change else None
    number = int(change["SequenceNumber"])
    while True:
        found = table.get_item(Key={"merchant": merchant}, ConsistentRead=True).get("Item")
        item = found or {"merchant": merchant, "version": 0, "contributions": {}}
        known = item["contributions"].get(order)
        if known and int(known["number"]) >= number:
            return
        item["contributions"][order] = {"amount": amount, "number": str(number)}
        amounts = [c["amount"] for c in item["contributions"].values() if c["amount"] is not None]
        unchanged = Attr("version").eq(item["version"]) if found else Attr("merchant").not_exists()
        item.update(total=sum(amounts), orders=len(amounts), version=item["version"] + 1)
        try:
            table.put_item(Item=item, ConditionExpression=unchanged)
            return
        except conflict:
            logger.info("%s was changed meanwhile", merchant)
