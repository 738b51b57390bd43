"""A resolved stack as this package reads it, built by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ACCOUNT, REGION = "123456789012", "us-east-1"


@dataclass
class Resource:
    logical_id: str
    type: str
    properties: dict[str, Any]
    physical_id: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class Stack:
    resources: dict[str, Resource]
    account_id: str = ACCOUNT
    region: str = REGION

    def of_type(self, type: str) -> list[Resource]:
        return [resource for resource in self.resources.values() if resource.type == type]

    def by_arn(self, value: str) -> Resource | None:
        for resource in self.resources.values():
            if value in (resource.physical_id, *resource.attributes.values()):
                return resource
        return None


def stack(*resources: Resource) -> Stack:
    return Stack({resource.logical_id: resource for resource in resources})


def table(name: str, hash_key: str, range_key: str | None = None, **properties: Any) -> Resource:
    view = properties.pop("stream", None)
    keys = [key for key in (hash_key, range_key) if key]
    kinds = properties.pop("kinds", {})
    properties = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": key, "AttributeType": kinds.get(key, "S")} for key in keys
        ],
        "KeySchema": [
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        **properties,
    }
    if view:
        properties["StreamSpecification"] = {"StreamViewType": view}
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
    return Resource(name, "AWS::DynamoDB::Table", properties, name, {"Arn": arn})


def queue(name: str, **properties: Any) -> Resource:
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
    attributes = {"Arn": arn, "QueueName": name, "QueueUrl": url}
    return Resource(name, "AWS::SQS::Queue", properties, url, attributes)


def topic(name: str, **properties: Any) -> Resource:
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
    return Resource(name, "AWS::SNS::Topic", properties, arn, {"TopicArn": arn, "TopicName": name})


def bucket(name: str, **properties: Any) -> Resource:
    return Resource(name, "AWS::S3::Bucket", properties, name, {"Arn": f"arn:aws:s3:::{name}"})


def role(name: str, *statements: dict[str, Any], **properties: Any) -> Resource:
    if statements:
        properties["Policies"] = [
            {
                "PolicyName": "inline",
                "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)},
            }
        ]
    properties.setdefault(
        "AssumeRolePolicyDocument",
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        },
    )
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    return Resource(name, "AWS::IAM::Role", properties, name, {"Arn": arn, "RoleId": "AROAEXAMPLE"})


def allow(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), "Resource": resource, **more}


def documents(*statements: dict[str, Any]) -> list[Any]:
    """A role's documents, from statements."""
    from grader.cloud import iam

    return [iam.policy("test", {"Version": "2012-10-17", "Statement": list(statements)})]


EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def deployed(*resources: Resource, **options: Any) -> Any:
    """An account with a stack of these resources in it."""
    from grader.cloud.account import Account
    from grader.cloud.account.deploy import deploy
    from grader.cloud.clock import Clock
    from grader.cloud.metrics import Metrics

    account = Account(Clock(), Metrics(), **options)
    deploy(account, stack(*resources))
    return account


_SESSION: list[Any] = []


def function_client(account: Any, service: str, *statements: dict[str, Any], **config: Any) -> Any:
    """A boto3 client whose requests arrive at the account as a function's would.

    A call takes no virtual time, or with ``takes_time=True`` its latency.
    """
    import boto3
    from botocore.awsrequest import AWSResponse
    from botocore.config import Config

    from grader.cloud.account.account import _Raw
    from grader.cloud.aws import Call

    if not _SESSION:
        _SESSION.append(
            boto3.session.Session(
                aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="secret"
            )
        )
    config.setdefault("retries", {"total_max_attempts": 1, "mode": "standard"})
    region = config.pop("region", REGION)
    takes_time = config.pop("takes_time", False)
    client = _SESSION[0].client(service, region_name=region, config=Config(**config))
    granted = documents(*(statements or (EVERYTHING,)))
    account.replies = []

    def send(request: Any, **_: Any) -> Any:
        body = request.body.read() if hasattr(request.body, "read") else request.body
        body = body.encode() if isinstance(body, str) else body or b""
        headers = dict(request.headers.items())
        call = Call(1, 1, 1, account.clock.now, request.method, request.url, headers, body)
        role_arn = f"arn:aws:iam::{ACCOUNT}:role/TotalsRole"
        reply = account.answer(call, granted, role_arn=role_arn, function="totals")
        account.replies.append(reply)
        if takes_time:
            account.clock.run_for(reply.latency_ms)
        return AWSResponse(request.url, reply.status, dict(reply.headers), _Raw(reply.body))

    client.meta.events.register("before-send", send)
    return client
