"""Ship every order: one parcel for each order that is placed.

Lambda calls `handler` with batches of changes from the stream of the orders table. A delivery that
comes again within the hour is recognised; what comes later than that is taken for a new order.
"""

import os
import time

import boto3

dynamodb = boto3.client("dynamodb")
sqs = boto3.client("sqs")

REMEMBERED_SECONDS = 60 * 60
# What one whole vCPU is, in MB of memory: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
VCPU_MB = 1769


def handler(event, context):
    """Open a session with the courier, which takes as long for one order as for many; ship."""
    time.sleep(float(os.environ["COURIER_SECONDS"]))
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage")
        if image is not None and image["kind"]["S"] == "order":
            ship(image)


def ship(order):
    """Ship one order, unless that was done within the hour."""
    price = int(order["price"]["N"])
    label = drawn()
    if order["carrier"]["S"] == "swift":
        sqs.send_message(QueueUrl=os.environ["SWIFT_QUEUE"], MessageBody=order["id"]["S"])
    now = int(time.time())
    try:
        dynamodb.update_item(
            TableName=os.environ["SHIPMENTS_TABLE"],
            Key={"id": order["id"]},
            UpdateExpression="SET shipped_at = :now, price = :price, label = :label "
            "ADD parcels :one",
            ConditionExpression="attribute_not_exists(shipped_at) OR shipped_at < :forgotten",
            ExpressionAttributeValues={
                ":now": {"N": str(now)},
                ":forgotten": {"N": str(now - REMEMBERED_SECONDS)},
                ":price": {"N": str(price)},
                ":label": {"S": label},
                ":one": {"N": "1"},
            },
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        print("Order", order["id"]["S"], "was shipped before")


def drawn():
    """The label of a parcel. Drawing it is computing, and less memory is less of a CPU."""
    memory = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
    time.sleep(float(os.environ["LABEL_SECONDS"]) * VCPU_MB / min(memory, VCPU_MB))
    return "#" * int(os.environ["LABEL_BYTES"])
