"""A consumer that calls what consumers call."""

import json
import os

import boto3
from botocore.exceptions import ClientError
from shared import SOURCE


def ask(service, operation, **params):
    """What a call answers, or the code and the message of its error."""
    try:
        answer = getattr(boto3.client(service), operation)(**params)
    except ClientError as error:
        return [error.response["Error"]["Code"], error.response["Error"]["Message"]]
    answer.pop("ResponseMetadata")
    return answer


def handler(event, context):
    """Write down what every service answers about the first record."""
    key = event["Records"][0]["dynamodb"]["Keys"]["id"]["S"]
    if key == "bad":
        raise ValueError(key)
    if key == "elsewhere":
        import urllib.request

        with urllib.request.urlopen("https://rates.example.com/eur?x=1", timeout=3) as answer:
            print(json.dumps([answer.status, json.load(answer)]))
        return
    if key == "pooled":
        import urllib3

        answer = urllib3.PoolManager().request("POST", "https://rates.example.com/usd", json=[1])
        print(json.dumps([answer.status, answer.json()]))
        return
    arn = os.environ["PATH_ARN"]
    entry = {
        "Source": SOURCE,
        "DetailType": "placed",
        "Detail": "{}",
        "EventBusName": os.environ["BUS"],
    }
    mail = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}
    told = {
        "limit": ask("ssm", "get_parameter", Name="/shop/limit"),
        "lost": ask("ssm", "get_parameter", Name="/shop/lost"),
        "token": ask("secretsmanager", "get_secret_value", SecretId=os.environ["TOKEN"]),
        "events": ask("events", "put_events", Entries=[entry]),
        "mail": ask(
            "ses", "send_email", Source="a@b", Destination={"ToAddresses": ["c@d"]}, Message=mail
        ),
        "mail2": ask(
            "sesv2",
            "send_email",
            FromEmailAddress="a@b",
            Content={"Simple": mail},
            Destination={"ToAddresses": ["c@d"]},
        ),
        "clicks": ask(
            "kinesis", "put_record", StreamName="clicks", Data=b"\x00\xff", PartitionKey="1"
        ),
        "path": ask("stepfunctions", "start_execution", stateMachineArn=arn, input="{}"),
        "other": ask(
            "lambda",
            "invoke",
            FunctionName=os.environ["OTHER"],
            InvocationType="Event",
            Payload=b"{}",
        ),
        "hooked": ask(
            "scheduler",
            "create_schedule",
            Name="s",
            ScheduleExpression="at(2030-01-01T00:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": arn, "RoleArn": arn},
        ),
        "refused": ask("bedrock-runtime", "invoke_model", modelId="m", body=b"{}"),
        "failing": ask("kms", "decrypt", CiphertextBlob=b"x"),
        "denied": ask("firehose", "put_record", DeliveryStreamName="s", Record={"Data": b"x"}),
        "settings": [
            os.environ["STAGE"],
            os.environ["VPC"],
            os.environ["BUS"],
            os.environ["LIMIT"],
        ],
    }
    told["other"].pop("Payload", None)
    print(json.dumps(told, default=str))
    boto3.resource("dynamodb").Table(os.environ["TOTALS"]).put_item(Item={"id": key})
