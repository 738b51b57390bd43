"""Totals for merchants: each item knows its orders, and a batch writes an item once."""

import json
import logging
import os

import boto3

logger = logging.getLogger(__name__)
dynamodb = boto3.client("dynamodb")
TABLE = os.environ["TOTALS_TABLE"]


def handler(event, context):
    changes, failures = {}, []
    for record in event["Records"]:
        change = record["dynamodb"]
        merchant, order = change["Keys"]["merchant"]["S"], change["Keys"]["id"]["S"]
        if not order.startswith("order#"):
            continue
        try:
            amount = int(change["NewImage"]["amount"]["N"]) if "NewImage" in change else None
        except (KeyError, ValueError):
            logger.error("bad order in %s", record["eventID"])
            failures.append(change["SequenceNumber"])
            continue
        changes.setdefault(merchant, []).append((order, amount, int(change["SequenceNumber"])))
    for merchant, of_merchant in changes.items():
        try:
            remember(merchant, of_merchant)
        except Exception:
            logger.exception("cannot write %s", merchant)
            failures += [str(number) for _, _, number in of_merchant]
    return {"batchItemFailures": [{"itemIdentifier": failure} for failure in failures]}


def remember(merchant, changes):
    """Put each order's newest contribution into the merchant's item, unless all are there."""
    key = {"merchant": {"S": merchant}}
    while True:
        found = dynamodb.get_item(TableName=TABLE, Key=key, ConsistentRead=True).get("Item", {})
        version = int(found.get("version", {"N": "0"})["N"])
        known = json.loads(found.get("contributions", {"S": "{}"})["S"])
        before = dict(known)
        for order, amount, number in changes:
            if order not in known or known[order][1] < number:
                known[order] = [amount, number]
        if known == before:
            return
        amounts = [amount for amount, _ in known.values() if amount is not None]
        item = {
            **key,
            "total": {"N": str(sum(amounts))},
            "orders": {"N": str(len(amounts))},
            "version": {"N": str(version + 1)},
            "contributions": {"S": json.dumps(known)},
        }
        try:
            dynamodb.put_item(
                TableName=TABLE,
                Item=item,
                ConditionExpression="attribute_not_exists(merchant) OR version = :version",
                ExpressionAttributeValues={":version": {"N": str(version)}},
            )
            return
        except dynamodb.exceptions.ConditionalCheckFailedException:
            logger.info("%s was changed meanwhile", merchant)
