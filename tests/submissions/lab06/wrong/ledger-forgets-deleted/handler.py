"""Remember for every order what it adds to its merchant, and which change said so.

A total is changed by the difference between what an order was worth by the book and what it is worth
now. A change that is not newer than the book's is old news, however often and however late it comes.
"""

import json
import os
import time

import boto3
from botocore.config import Config

db = boto3.client(
    "dynamodb", config=Config(read_timeout=8, retries={"mode": "standard", "max_attempts": 2})
)
BOOK = os.environ["BOOK"]
TOTALS = os.environ["TOTALS"]
DELETED_LIFE = 30 * 24 * 60 * 60
NOBODY = {"cents": 0, "orders": 0, "version": None}


def handler(event, context):
    failed, latest = set(), {}
    for record in event["Records"]:
        number = record["dynamodb"]["SequenceNumber"]
        keys = record["dynamodb"]["Keys"]
        if not keys["id"]["S"].startswith("order#"):
            continue
        try:
            state = parse(record["dynamodb"])
        except (KeyError, ValueError, TypeError):
            failed.add(number)
            continue
        key = keys["merchant"]["S"], keys["id"]["S"]
        entry = latest.setdefault(key, {"numbers": [], "version": ""})
        entry["numbers"].append(number)
        if state["version"] > entry["version"]:
            entry.update(state)
    merchants = {}
    for key, entry in latest.items():
        merchants.setdefault(key[0], []).append((key, entry))
    for merchant, entries in merchants.items():
        for start in range(0, len(entries), 90):
            some = entries[start : start + 90]
            try:
                settle(merchant, some)
            except Exception as error:
                print("ERROR", merchant, type(error).__name__, str(error)[:200])
                for _, entry in some:
                    failed.update(entry["numbers"])
    if failed:
        print(json.dumps({"failed": len(failed), "first": min(failed, key=int)}))
    return {"batchItemFailures": [{"itemIdentifier": n} for n in sorted(failed, key=int)]}


def parse(change):
    # Sequence numbers differ in length; filled up with zeros they compare as numbers do.
    version = change["SequenceNumber"].zfill(48)
    image = change.get("NewImage")
    if image is None:
        return {"cents": 0, "orders": 0, "version": version}
    return {"cents": int(image["amount"]["N"]), "orders": 1, "version": version}


def settle(merchant, entries):
    for attempt in range(5):
        book = look_up([key for key, _ in entries])
        writes, cents, orders = [], 0, 0
        for key, entry in entries:
            was = book.get(key, NOBODY)
            if was["version"] is not None and was["version"] >= entry["version"]:
                continue
            cents += entry["cents"] - was["cents"]
            orders += entry["orders"] - was["orders"]
            writes.append(put(key, entry, was["version"]))
        if not writes:
            return
        if cents or orders:
            writes.append(add(merchant, cents, orders))
        try:
            db.transact_write_items(TransactItems=writes)
            return
        except db.exceptions.TransactionCanceledException as error:
            codes = [reason.get("Code", "None") for reason in error.response["CancellationReasons"]]
            if not {"ConditionalCheckFailed", "TransactionConflict"} & set(codes):
                raise
            time.sleep(0.05 * 2**attempt)  # somebody else was faster: look again
    raise RuntimeError("somebody else is always faster")


def look_up(keys):
    found, wanted = {}, [{"merchant": {"S": m}, "id": {"S": i}} for m, i in keys]
    while wanted:
        answer = db.batch_get_item(RequestItems={BOOK: {"Keys": wanted, "ConsistentRead": True}})
        for item in answer["Responses"].get(BOOK, []):
            found[item["merchant"]["S"], item["id"]["S"]] = {
                "cents": int(item["cents"]["N"]),
                "orders": int(item["n"]["N"]),
                "version": item["version"]["S"],
            }
        wanted = answer.get("UnprocessedKeys", {}).get(BOOK, {}).get("Keys", [])
    return found


def put(key, entry, version):
    item = {
        "merchant": {"S": key[0]},
        "id": {"S": key[1]},
        "cents": {"N": str(entry["cents"])},
        "n": {"N": str(entry["orders"])},
        "version": {"S": entry["version"]},
    }
    if not entry["orders"] and version is not None:
        return {
            "Delete": {
                "TableName": BOOK,
                "Key": {"merchant": {"S": key[0]}, "id": {"S": key[1]}},
                "ConditionExpression": "version = :was",
                "ExpressionAttributeValues": {":was": {"S": version}},
            }
        }
    write = {
        "TableName": BOOK,
        "Item": item,
        "ConditionExpression": "attribute_not_exists(version)",
    }
    if version is not None:
        write["ConditionExpression"] = "version = :was"
        write["ExpressionAttributeValues"] = {":was": {"S": version}}
    return {"Put": write}


def add(merchant, cents, orders):
    return {
        "Update": {
            "TableName": TOTALS,
            "Key": {"merchant": {"S": merchant}},
            "UpdateExpression": "SET #t = if_not_exists(#t, :zero) + :c, #o = if_not_exists(#o, :zero) + :o",
            "ExpressionAttributeNames": {"#t": "total", "#o": "orders"},
            "ExpressionAttributeValues": {
                ":c": {"N": str(cents)},
                ":o": {"N": str(orders)},
                ":zero": {"N": "0"},
            },
        }
    }
