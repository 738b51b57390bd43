"""Marks and sums in few transactions: up to 60 records of one merchant go in one.

A chunk with a record that was counted before is taken apart; the marks are order + position.
"""

import json
import os
import time
from collections import defaultdict
from itertools import islice

import boto3
from botocore.exceptions import ClientError

dynamodb = boto3.client("dynamodb")
SEEN, TOTALS = os.environ["SEEN_TABLE"], os.environ["TOTALS_TABLE"]
CHUNK = 60


def handler(event, context):
    failed, work = set(), defaultdict(list)
    for record in event["Records"]:
        change = record["dynamodb"]
        try:
            difference = difference_of(change)
        except (KeyError, ValueError) as problem:
            print(json.dumps({"bad": change["Keys"], "problem": repr(problem)}))
            failed.add(change["SequenceNumber"])
            continue
        if difference:
            work[change["Keys"]["merchant"]["S"]].append((change, *difference))
    for merchant, changes in work.items():
        todo = iter(changes)
        while chunk := list(islice(todo, CHUNK)):
            try:
                write(merchant, chunk)
            except ClientError as error:
                print(json.dumps({"merchant": merchant, "error": str(error)}))
                failed |= {change["SequenceNumber"] for change, *_ in chunk}
    # Lambda goes back to the first of them.
    first = sorted(failed)[:1]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in first]}


def difference_of(change):
    if not change["Keys"]["id"]["S"].startswith("order#"):
        return None
    amount = number = 0
    if "NewImage" in change:
        amount += int(change["NewImage"]["amount"]["N"])
        number += 1
    if "OldImage" in change:
        amount -= int(change["OldImage"]["amount"]["N"])
        number -= 1
    return (amount, number) if amount or number else None


def write(merchant, chunk, tries=8):
    marks = [
        {
            "Put": {
                "TableName": SEEN,
                "Item": {
                    "order": {"S": merchant + "/" + change["Keys"]["id"]["S"]},
                    "position": {"S": change["SequenceNumber"]},
                    "expires": {"N": str(int(time.time() + 30 * 86400))},
                },
                "ConditionExpression": "attribute_not_exists(#p)",
                "ExpressionAttributeNames": {"#p": "position"},
            }
        }
        for change, *_ in chunk
    ]
    add = {
        "Update": {
            "TableName": TOTALS,
            "Key": {"merchant": {"S": merchant}},
            "UpdateExpression": "ADD #t :t, orders :o",
            "ExpressionAttributeNames": {"#t": "total"},
            "ExpressionAttributeValues": {
                ":t": {"N": str(sum(amount for _, amount, _ in chunk))},
                ":o": {"N": str(sum(number for *_, number in chunk))},
            },
        }
    }
    try:
        dynamodb.transact_write_items(TransactItems=[*marks, add])
    except dynamodb.exceptions.TransactionCanceledException as error:
        reasons = error.response["CancellationReasons"]
        again = [
            entry
            for entry, reason in zip(chunk, reasons)
            if reason.get("Code") != "ConditionalCheckFailed"
        ]
        if not again:
            return
        if len(again) == len(chunk):
            if tries == 0:
                raise
            time.sleep(0.03)
        write(merchant, again, tries - 1)
