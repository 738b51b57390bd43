"""Totals for merchants from what each order contributes now."""

import json
import logging
import os
import time

import boto3

log = logging.getLogger()
log.setLevel("INFO")
client = boto3.client("dynamodb")


def handler(event, context):
    failures = []
    for record in event["Records"]:
        number = record["dynamodb"]["SequenceNumber"]
        try:
            apply(record["dynamodb"])
        except Exception:
            log.exception("record %s failed", number)
            failures.append({"itemIdentifier": number})
    publish(event["Records"], len(failures))
    return {"batchItemFailures": failures}


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


def apply(change):
    """Make the stored contribution of the order that of this record, unless a newer one is there."""
    keys = change["Keys"]
    if not keys["id"]["S"].startswith("order#"):
        return
    new = change.get("NewImage")
    amount, orders = (int(new["amount"]["N"]), 1) if new else (0, 0)
    # Sequence numbers have 21 to 40 digits: only padded text sorts like the numbers.
    mark = change["SequenceNumber"].zfill(40)
    while True:
        stored = read(keys)
        if stored and stored["mark"]["S"] >= mark:
            return
        if write(keys, stored, amount, orders, mark):
            return


def read(keys):
    reply = client.get_item(
        TableName=os.environ["CONTRIBUTIONS_TABLE"], Key=keys, ConsistentRead=True
    )
    return reply.get("Item")


def write(keys, stored, amount, orders, mark):
    """Replace the contribution and move the total by the difference; False if it changed meanwhile."""
    before = (int(stored["amount"]["N"]), int(stored["orders"]["N"])) if stored else (0, 0)
    contribution = {
        "TableName": os.environ["CONTRIBUTIONS_TABLE"],
        # A removed order stays here with nothing, or an old record would bring it back.
        "Item": {
            **keys,
            "amount": {"N": str(amount)},
            "orders": {"N": str(orders)},
            "mark": {"S": mark},
        },
    }
    if stored:
        contribution["ConditionExpression"] = "mark = :seen"
        contribution["ExpressionAttributeValues"] = {":seen": stored["mark"]}
    else:
        contribution["ConditionExpression"] = "attribute_not_exists(id)"
    total = {
        "TableName": os.environ["TOTALS_TABLE"],
        "Key": {"merchant": keys["merchant"]},
        "UpdateExpression": "ADD #total :amount, orders :orders",
        "ExpressionAttributeNames": {"#total": "total"},
        "ExpressionAttributeValues": {
            ":amount": {"N": str(amount - before[0])},
            ":orders": {"N": str(orders - before[1])},
        },
    }
    try:
        client.transact_write_items(TransactItems=[{"Put": contribution}, {"Update": total}])
    except client.exceptions.TransactionCanceledException as cancelled:
        if cancelled.response["CancellationReasons"][0]["Code"] == "ConditionalCheckFailed":
            return False
        raise
    return True
