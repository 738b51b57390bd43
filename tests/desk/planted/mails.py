"""Wrong: an e-mail goes out each time that a record comes."""

import boto3

ses = boto3.client("ses")


def handler(event, context):
    for record in event["Records"]:
        ses.send_email(
            Source="shop@example.com",
            Destination={"ToAddresses": ["desk@example.com"]},
            Message={
                "Subject": {"Data": record["dynamodb"]["Keys"]["id"]["S"]},
                "Body": {"Text": {"Data": "An order was changed."}},
            },
        )
