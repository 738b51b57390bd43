"""Which permissions an AWS call asks for, and which calls function code can make at all.

``needs`` turns one API call into actions on resources, as AWS's service authorization reference
lists them: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from grader.cloud.aws import ACCOUNT_ID, REGION

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """One permission that a call asks for."""

    action: str
    resource_arn: str


@dataclass(frozen=True, slots=True)
class _Here:
    """The account and Region in which names become ARNs."""

    account_id: str
    region: str

    def table(self, name: str) -> str:
        if name.startswith("arn:"):
            return name
        return f"arn:aws:dynamodb:{self.region}:{self.account_id}:table/{name}"

    def queue(self, url: str) -> str:
        """A queue's ARN; a queue's URL ends in account id and name."""
        path = urlsplit(url).path.strip("/").split("/")
        account = path[-2] if len(path) > 1 else self.account_id
        return f"arn:aws:sqs:{self.region}:{account}:{path[-1]}"

    def logs(self, group: str, stream: str = "") -> str:
        if group.startswith("arn:"):
            return f"{group.removesuffix(':*')}:log-stream:{stream}"
        return f"arn:aws:logs:{self.region}:{self.account_id}:log-group:{group}:log-stream:{stream}"


_Rule = Callable[[Params, _Here], list[Need]]


def needs(
    service: str,
    operation: str,
    params: Params,
    *,
    account_id: str = ACCOUNT_ID,
    region: str = REGION,
) -> list[Need]:
    """The permissions that one API call asks for; boto3's service name, AWS's operation name.

    A transaction is authorised through its parts
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html).
    KeyError for an operation that ``allowed_operations`` does not list.
    """
    return _OPERATIONS[service][operation](params, _Here(account_id, region))


def delivery_needs(destination: str, key: str | None = None) -> list[Need]:
    """What a mapping's role needs to leave a failure note at an ARN; ``key`` is S3's object key.

    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    service = destination.split(":")[2]
    if service == "sqs":
        return [Need("sqs:SendMessage", destination)]
    if service == "sns":
        return [Need("sns:Publish", destination)]
    return [Need("s3:ListBucket", destination), Need("s3:PutObject", f"{destination}/{key}")]


def allowed_operations() -> Mapping[str, frozenset[str]]:
    """What function code can call in the emulated account: service to operations."""
    return {service: frozenset(rules) for service, rules in _OPERATIONS.items()}


def _table(*actions: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        arn = here.table(str(params.get("TableName", "")))
        if index := params.get("IndexName"):
            arn = f"{arn}/index/{index}"
        return [Need(f"dynamodb:{action}", arn) for action in actions]

    return rule


def _tables_of_batch(action: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        tables = params.get("RequestItems") or {}
        return [Need(f"dynamodb:{action}", here.table(name)) for name in tables]

    return rule


_PARTS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def _transaction(params: Params, here: _Here) -> list[Need]:
    found: dict[Need, None] = {}
    for part in params.get("TransactItems") or ():
        for kind, body in part.items():
            # A part that is nothing is refused by the service.
            if kind in _PARTS and body is not None:
                arn = here.table(str(body.get("TableName", "")))
                found[Need(f"dynamodb:{_PARTS[kind]}", arn)] = None
    return list(found)


def _anywhere(*actions: str) -> _Rule:
    return lambda params, here: [Need(action, "*") for action in actions]


def _stream(action: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        # A shard iterator starts with the ARN of its stream.
        iterator = str(params.get("ShardIterator", ""))
        arn = str(params.get("StreamArn") or iterator.partition("|")[0] or "*")
        return [Need(f"dynamodb:{action}", arn)]

    return rule


def _queue(action: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        return [Need(f"sqs:{action}", here.queue(str(params.get("QueueUrl", ""))))]

    return rule


def _queue_by_name(params: Params, here: _Here) -> list[Need]:
    account = params.get("QueueOwnerAWSAccountId") or here.account_id
    arn = f"arn:aws:sqs:{here.region}:{account}:{params.get('QueueName', '')}"
    return [Need("sqs:GetQueueUrl", arn)]


def _topic(action: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        arn = params.get("TopicArn") or params.get("TargetArn") or "*"
        return [Need(f"sns:{action}", str(arn))]

    return rule


def _bucket(action: str) -> _Rule:
    return lambda params, here: [Need(f"s3:{action}", f"arn:aws:s3:::{params.get('Bucket', '')}")]


def _object_arn(params: Params) -> str:
    return f"arn:aws:s3:::{params.get('Bucket', '')}/{params.get('Key', '')}"


def _object(action: str) -> _Rule:
    return lambda params, here: [Need(f"s3:{action}", _object_arn(params))]


def _copy(params: Params, here: _Here) -> list[Need]:
    source = str(params.get("CopySource", "")).lstrip("/").partition("?")[0]
    return [
        Need("s3:GetObject", f"arn:aws:s3:::{source}"),
        Need("s3:PutObject", _object_arn(params)),
    ]


def _objects(params: Params, here: _Here) -> list[Need]:
    keys = (params.get("Delete") or {}).get("Objects") or ()
    bucket = f"arn:aws:s3:::{params.get('Bucket', '')}"
    return [Need("s3:DeleteObject", f"{bucket}/{one.get('Key', '')}") for one in keys]


def _log_group(action: str) -> _Rule:
    # CloudWatch Logs names a log group in its own denials with an empty log stream, and the ARN
    # that policies must cover ends in ":*":
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    def rule(params: Params, here: _Here) -> list[Need]:
        group = str(params.get("logGroupName") or params.get("logGroupIdentifier") or "")
        return [Need(f"logs:{action}", here.logs(group))]

    return rule


def _log_stream(action: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        group = str(params.get("logGroupName") or params.get("logGroupIdentifier") or "")
        return [Need(f"logs:{action}", here.logs(group, str(params.get("logStreamName", ""))))]

    return rule


def _nothing(params: Params, here: _Here) -> list[Need]:
    return []


_OPERATIONS: dict[str, dict[str, _Rule]] = {
    "dynamodb": {
        **{
            name: _table(name)
            for name in (
                "PutItem",
                "GetItem",
                "UpdateItem",
                "DeleteItem",
                "Query",
                "Scan",
                "DescribeTable",
                "DescribeTimeToLive",
                "DescribeContinuousBackups",
            )
        },
        "BatchWriteItem": _tables_of_batch("BatchWriteItem"),
        "BatchGetItem": _tables_of_batch("BatchGetItem"),
        "TransactWriteItems": _transaction,
        "TransactGetItems": _transaction,
        "ListTables": _anywhere("dynamodb:ListTables"),
        "DescribeEndpoints": _anywhere("dynamodb:DescribeEndpoints"),
    },
    "dynamodbstreams": {
        "DescribeStream": _stream("DescribeStream"),
        "GetShardIterator": _stream("GetShardIterator"),
        "GetRecords": _stream("GetRecords"),
        "ListStreams": _anywhere("dynamodb:ListStreams"),
    },
    "sqs": {
        "SendMessage": _queue("SendMessage"),
        "SendMessageBatch": _queue("SendMessage"),
        "ReceiveMessage": _queue("ReceiveMessage"),
        "DeleteMessage": _queue("DeleteMessage"),
        "DeleteMessageBatch": _queue("DeleteMessage"),
        "ChangeMessageVisibility": _queue("ChangeMessageVisibility"),
        "ChangeMessageVisibilityBatch": _queue("ChangeMessageVisibility"),
        "GetQueueAttributes": _queue("GetQueueAttributes"),
        "PurgeQueue": _queue("PurgeQueue"),
        "GetQueueUrl": _queue_by_name,
        "ListQueues": _anywhere("sqs:ListQueues"),
    },
    "sns": {
        "Publish": _topic("Publish"),
        "PublishBatch": _topic("Publish"),
        "GetTopicAttributes": _topic("GetTopicAttributes"),
        "ListSubscriptionsByTopic": _topic("ListSubscriptionsByTopic"),
        "ListTopics": _anywhere("sns:ListTopics"),
    },
    "s3": {
        "PutObject": _object("PutObject"),
        "GetObject": _object("GetObject"),
        "HeadObject": _object("GetObject"),
        "DeleteObject": _object("DeleteObject"),
        "DeleteObjects": _objects,
        "CopyObject": _copy,
        "CreateMultipartUpload": _object("PutObject"),
        "UploadPart": _object("PutObject"),
        "CompleteMultipartUpload": _object("PutObject"),
        "AbortMultipartUpload": _object("AbortMultipartUpload"),
        "ListParts": _object("ListMultipartUploadParts"),
        "ListMultipartUploads": _bucket("ListBucketMultipartUploads"),
        "ListObjects": _bucket("ListBucket"),
        "ListObjectsV2": _bucket("ListBucket"),
        "HeadBucket": _bucket("ListBucket"),
        "GetBucketLocation": _bucket("GetBucketLocation"),
        "ListBuckets": _anywhere("s3:ListAllMyBuckets"),
    },
    "cloudwatch": {"PutMetricData": _anywhere("cloudwatch:PutMetricData")},
    "logs": {
        "CreateLogGroup": _log_group("CreateLogGroup"),
        "CreateLogStream": _log_stream("CreateLogStream"),
        "PutLogEvents": _log_stream("PutLogEvents"),
        "DescribeLogStreams": _log_group("DescribeLogStreams"),
        "DescribeLogGroups": _log_group("DescribeLogGroups"),
    },
    # "No permissions are required to perform this operation":
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    "sts": {"GetCallerIdentity": _nothing},
}
