import os
import time

import boto3
from botocore.exceptions import ClientError

TABLE = os.environ["TOTALS_TABLE"]
resource = boto3.resource("dynamodb")
client = resource.meta.client  # the resource's client takes plain Python values


def cents(image):
    text = image["amount"].get("N")
    if text is None or not text.lstrip("-").isdigit():
        raise ValueError(f"bad amount in {image['id']['S']}: {image['amount']}")
    return int(text)


def change_of(record):
    images = record["dynamodb"]
    match record["eventName"]:
        case "INSERT":
            return cents(images["NewImage"]), 1
        case "MODIFY":
            return cents(images["NewImage"]) - cents(images["OldImage"]), 0
        case "REMOVE":
            return -cents(images["OldImage"]), -1


def handler(event, context):
    answer = {"batchItemFailures": []}
    for record in event["Records"]:
        merchant = record["dynamodb"]["Keys"]["merchant"]["S"]
        if record["dynamodb"]["Keys"]["id"]["S"].startswith("cart#"):
            continue
        try:
            amount, orders = change_of(record)
            client.transact_write_items(
                TransactItems=[
                    {
                        "Put": {
                            "TableName": TABLE,
                            "Item": {
                                "merchant": f"seen#{record['eventID']}",
                                "expires": int(time.time()) + 172800,
                            },
                            "ConditionExpression": "attribute_not_exists(merchant)",
                        }
                    },
                    {
                        "Update": {
                            "TableName": TABLE,
                            "Key": {"merchant": merchant},
                            "UpdateExpression": "ADD #t :a, #o :o",
                            "ExpressionAttributeNames": {"#t": "total", "#o": "orders"},
                            "ExpressionAttributeValues": {":a": amount, ":o": orders},
                        }
                    },
                ]
            )
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [{}])
            if reasons[0].get("Code") == "ConditionalCheckFailed":
                continue
            print("not written:", error)
            answer["batchItemFailures"].append(
                {"itemIdentifier": record["dynamodb"]["SequenceNumber"]}
            )
        except (KeyError, ValueError) as error:
            print("cannot be processed:", repr(error))
            answer["batchItemFailures"].append(
                {"itemIdentifier": record["dynamodb"]["SequenceNumber"]}
            )
    return answer
