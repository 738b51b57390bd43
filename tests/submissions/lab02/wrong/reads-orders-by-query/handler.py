"""Never mind the records: ask Orders what a merchant has now, whenever anything comes."""

import os

import boto3
from boto3.dynamodb.conditions import Key

resource = boto3.resource("dynamodb")
orders = resource.Table(os.environ["ORDERS_TABLE"])
totals = resource.Table(os.environ["TOTALS_TABLE"])


def handler(event, context):
    bad = []
    for record in event["Records"]:
        change = record["dynamodb"]
        if (
            "NewImage" in change
            and not change["NewImage"].get("amount", {}).get("N", "x").lstrip("-").isdigit()
        ):
            bad.append({"itemIdentifier": change["SequenceNumber"]})
            continue
    for merchant in {r["dynamodb"]["Keys"]["merchant"]["S"] for r in event["Records"]}:
        total = number = 0
        for order in orders.query(
            KeyConditionExpression=Key("merchant").eq(merchant), ConsistentRead=True
        )["Items"]:
            amount = order.get("amount")
            if (
                order["kind"] == "order"
                and amount is not None
                and not isinstance(amount, str)
                and amount == int(amount)
            ):
                total, number = total + int(amount), number + 1
        totals.put_item(Item={"merchant": merchant, "total": total, "orders": number})
    return {"batchItemFailures": bad}
