"""Keep each merchant's total and number of orders, count every change once, and say how it goes.

Lambda calls `handler` with a batch of changes from the stream of the orders table.
"""

import json
import logging
import os
import time

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)

dynamodb = boto3.client("dynamodb")

# What was counted of a deleted order is remembered until none of its records can come again: the
# stream keeps a record for a day, a note about a failure may wait for days.
TOMBSTONE_LIFE_SECONDS = 14 * 24 * 60 * 60

# A transaction takes 100 writes: one for the merchant's item, the others for its orders.
ORDERS_IN_A_TRANSACTION = 99

# Somebody else may count the same orders at the same time; then what was read is read again.
ATTEMPTS = 3


def handler(event, context):
    """Bring the totals to the newest state of each order; report records that could not be read."""
    records = event["Records"]
    failures = []
    newest = {}  # merchant -> order -> its newest state in this batch
    for record in records:
        number = record["dynamodb"]["SequenceNumber"]
        try:
            state = state_after(record)
        except Exception:
            log.exception("Record %s cannot be read", number)
            failures.append(number)
            continue
        if state is not None:
            orders = newest.setdefault(state["merchant"], {})
            known = orders.get(state["id"])
            if known is None or state["sequence"] > known["sequence"]:
                orders[state["id"]] = state
    for merchant, orders in newest.items():
        states = list(orders.values())
        for first in range(0, len(states), ORDERS_IN_A_TRANSACTION):
            part = states[first : first + ORDERS_IN_A_TRANSACTION]
            try:
                settle(merchant, part)
            except Exception:
                log.exception("%d orders of %s are not counted", len(part), merchant)
                ids = {state["id"] for state in part}
                failures += [
                    record["dynamodb"]["SequenceNumber"]
                    for record in records
                    if record["dynamodb"]["Keys"]["merchant"]["S"] == merchant
                    and record["dynamodb"]["Keys"]["id"]["S"] in ids
                ]
    failures = list(dict.fromkeys(failures))
    publish(records, len(failures))
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failures]}


def state_after(record):
    """Return what an order is worth after this record, or None when the record is no order's.

    Raises ValueError when the amount is missing or no whole number of cents.
    """
    change = record["dynamodb"]
    if not change["Keys"]["id"]["S"].startswith("order#"):
        return None
    image = change.get("NewImage")
    amount = 0 if image is None else int(image.get("amount", {}).get("N", ""))
    return {
        "merchant": change["Keys"]["merchant"]["S"],
        "id": change["Keys"]["id"]["S"],
        "sequence": int(change["SequenceNumber"]),
        "amount": amount,
        "orders": 0 if image is None else 1,
    }


def publish(records, failed):
    """Print the metrics of one batch as one log line, from which CloudWatch Logs extracts them.

    `print`, not the logger: a document has to begin the line, whatever the log's format and level.
    """
    now = time.time()
    oldest = min(record["dynamodb"]["ApproximateCreationDateTime"] for record in records)
    document = {
        "_aws": {
            "Timestamp": round(now * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": "Shop/Totals",
                    "Dimensions": [["Service"]],
                    "Metrics": [
                        {"Name": "RecordsProcessed", "Unit": "Count"},
                        {"Name": "RecordsFailed", "Unit": "Count"},
                        {"Name": "Lag", "Unit": "Milliseconds"},
                    ],
                }
            ],
        },
        "Service": "totals",
        "RecordsProcessed": len(records) - failed,
        "RecordsFailed": failed,
        "Lag": round((now - oldest) * 1000),  # the creation time is in seconds
    }
    print(json.dumps(document))


def settle(merchant, states):
    """Move the merchant's total from what was counted of these orders to their newest states.

    Each order's counted state is written in the transaction of the sum, and only over the state
    that the difference was worked out from.
    """
    for attempt in range(ATTEMPTS):
        before = read(states)
        news = [state for state in states if state["sequence"] > before[state["id"]]["sequence"]]
        if not news:
            return
        amount = sum(state["amount"] - before[state["id"]]["amount"] for state in news)
        orders = sum(state["orders"] - before[state["id"]]["orders"] for state in news)
        writes = [remember(state, before[state["id"]]["sequence"]) for state in news]
        try:
            dynamodb.transact_write_items(
                TransactItems=[*writes, addition(merchant, amount, orders)]
            )
            return
        except dynamodb.exceptions.TransactionCanceledException:
            if attempt == ATTEMPTS - 1:
                raise


def read(states):
    """Return what was counted of each order so far: order -> sequence, amount, orders."""
    before = {state["id"]: {"sequence": 0, "amount": 0, "orders": 0} for state in states}
    table = os.environ["STATES_TABLE"]
    asked = {table: {"Keys": [key(state) for state in states], "ConsistentRead": True}}
    while asked:
        answer = dynamodb.batch_get_item(RequestItems=asked)
        for item in answer["Responses"].get(table, []):
            before[item["id"]["S"]] = {
                "sequence": int(item["sequence"]["S"]),
                "amount": int(item["amount"]["N"]),
                "orders": int(item["orders"]["N"]),
            }
        asked = answer.get("UnprocessedKeys")
    return before


def key(state):
    """Return the key of an order's counted state."""
    return {"merchant": {"S": state["merchant"]}, "id": {"S": state["id"]}}


def remember(state, sequence_before):
    """Return the write that replaces an order's counted state, if it still is the one read."""
    item = {
        **key(state),
        # Text: a sequence number has up to 40 digits, a number in DynamoDB holds 38.
        "sequence": {"S": str(state["sequence"])},
        "amount": {"N": str(state["amount"])},
        "orders": {"N": str(state["orders"])},
    }
    if not state["orders"]:
        item["expires"] = {"N": str(int(time.time()) + TOMBSTONE_LIFE_SECONDS)}
    write = {"TableName": os.environ["STATES_TABLE"], "Item": item}
    if sequence_before:
        write["ConditionExpression"] = "#sequence = :before"
        write["ExpressionAttributeNames"] = {"#sequence": "sequence"}
        write["ExpressionAttributeValues"] = {":before": {"S": str(sequence_before)}}
    else:
        write["ConditionExpression"] = "attribute_not_exists(id)"
    return {"Put": write}


def addition(merchant, amount, orders):
    """Return the write that changes the merchant's total and number of orders."""
    return {
        "Update": {
            "TableName": os.environ["TOTALS_TABLE"],
            "Key": {"merchant": {"S": merchant}},
            "UpdateExpression": "ADD #total :amount, orders :orders",
            "ExpressionAttributeNames": {"#total": "total"},  # "total" is a reserved word
            "ExpressionAttributeValues": {
                ":amount": {"N": str(amount)},
                ":orders": {"N": str(orders)},
            },
        }
    }
