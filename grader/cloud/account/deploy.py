"""A resolved stack becomes tables, streams, queues, topics, buckets and log groups, and they go.

Created is what function code and mappings can touch. Alarms, dashboards, budgets, functions and
mappings are read from the stack by whoever emulates them. What would be created and then behave
unlike AWS is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from grader.cloud.aws import Refused, ServiceError
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.iam import (
    PolicyDocument,
    PolicyRefused,
    documents,
    evaluate_request,
    policy,
    trust_problem,
)
from grader.cloud.messaging.queues import redrive_target

if TYPE_CHECKING:
    from grader.cloud.account.account import Account
    from grader.cloud.template import Resource, Stack

_TABLE_PARAMETERS = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "DeletionProtectionEnabled",
    "Tags",
)
_INDEX_PARAMETERS = ("IndexName", "KeySchema", "Projection", "ProvisionedThroughput")
_QUEUE_ATTRIBUTES = (
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)


# What holds no state here: it is read from the stack whenever somebody asks.
_READ_FROM_STACK = frozenset(
    {
        "AWS::IAM::Role",
        "AWS::IAM::Policy",
        "AWS::IAM::RolePolicy",
        "AWS::IAM::ManagedPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::SNS::TopicPolicy",
        "AWS::S3::BucketPolicy",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::CompositeAlarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::Budgets::Budget",
    }
)
# Properties whose change makes no difference to anything that can be seen here.
_UNSEEN: Mapping[str, frozenset[str]] = {
    "AWS::DynamoDB::Table": frozenset(
        {
            "Tags",
            "SSESpecification",
            "PointInTimeRecoverySpecification",
            "DeletionProtectionEnabled",
            "StreamSpecification",
        }
    ),
    "AWS::Logs::LogGroup": frozenset({"RetentionInDays", "Tags"}),
    "AWS::SQS::Queue": frozenset({"Tags", "SqsManagedSseEnabled", "KmsMasterKeyId"}),
    "AWS::SNS::Topic": frozenset({"Tags", "KmsMasterKeyId"}),
}


def deploy(account: Account, stack: Stack, new: Collection[str] | None = None) -> None:
    """Create everything of ``stack`` that has data; ``new`` names it when some exists already.

    Raises `Refused` with the resource and property in words when AWS would not create something,
    or this account would not behave as AWS does.
    """
    _roles(stack)
    account.resource_policies.update(_resource_policies(stack))
    for kind, create in (
        ("AWS::DynamoDB::Table", _table),
        ("AWS::SQS::Queue", _queue),
        ("AWS::SNS::Topic", _topic),
        ("AWS::SNS::Subscription", _subscription),
        ("AWS::S3::Bucket", _bucket),
        ("AWS::Logs::LogGroup", _log_group),
    ):
        wanted = _queues_in_order(stack) if create is _queue else stack.of_type(kind)
        for resource in wanted:
            if new is None or resource.logical_id in new:
                _guarded(create, account, resource)


def change(account: Account, resource: Resource, old: Resource) -> None:
    """Bring what exists to the properties of ``resource``; Refused for what cannot be done here."""
    changed = {
        name
        for name in {*old.properties, *resource.properties}
        if old.properties.get(name) != resource.properties.get(name)
    }
    if resource.type in _READ_FROM_STACK or resource.type == "AWS::Lambda::Function":
        return
    if left := changed - _UNSEEN.get(resource.type, frozenset()):
        raise _refused(resource, f"a change of {', '.join(sorted(left))} is not acted out.")
    if "DeletionProtectionEnabled" in changed:
        protect(
            account,
            resource.physical_id,
            bool(resource.properties.get("DeletionProtectionEnabled")),
        )
    if "PointInTimeRecoverySpecification" in changed:
        recovery = resource.properties.get("PointInTimeRecoverySpecification") or {}
        on = bool(recovery.get("PointInTimeRecoveryEnabled"))
        account.tables.recover(resource.physical_id, on)
    if "StreamSpecification" in changed:
        _change_stream(account, resource)
    days = resource.properties.get("RetentionInDays")
    if "RetentionInDays" in changed and days is not None:
        group = {"logGroupName": resource.physical_id, "retentionInDays": days}
        account.logs.answer("PutRetentionPolicy", group)


def _change_stream(account: Account, resource: Resource) -> None:
    name = resource.physical_id
    stream = account.tables.streams.get(name)
    if stream is not None and stream.disabled_ms is None:
        account.disable_stream(name)
    wanted = resource.properties.get("StreamSpecification")
    if wanted:
        new = account.enable_stream(name, str(wanted["StreamViewType"]))
        if resource.attributes.get("StreamArn") not in (None, new.arn):
            raise _refused(resource, "a second stream is not acted out here.")


def data(account: Account) -> set[tuple[str, str]]:
    """Everything with data that the account has: the type of a resource, and its name or ARN."""
    found: dict[str, Iterable[str]] = {
        "AWS::DynamoDB::Table": account.tables.names(),
        "AWS::SQS::Queue": account.queues.arns,
        "AWS::SNS::Topic": account.topics.by_arn,
        "AWS::S3::Bucket": account.buckets.names,
        "AWS::Logs::LogGroup": account.logs.groups,
    }
    return {(kind, name) for kind, names in found.items() for name in names}


def removal_problem(account: Account, resource: Resource) -> str | None:
    """Why the deletion of a stack would fail at this resource; None when it would not."""
    if resource.type == "AWS::DynamoDB::Table" and is_protected(account, resource.physical_id):
        return f"The table {resource.logical_id} has deletion protection."
    if resource.type == "AWS::S3::Bucket" and account.objects(resource.physical_id):
        return f"The bucket {resource.logical_id} is not empty."
    return None


def remove(account: Account, resource: Resource) -> None:
    """Delete what a resource stands for; Refused for a type that cannot be deleted here."""
    name = resource.physical_id
    if resource.type == "AWS::DynamoDB::Table":
        delete_table(account, name)
    elif resource.type == "AWS::SQS::Queue":
        delete_queue(account, name)
    elif resource.type == "AWS::SNS::Topic":
        account.topics.by_arn.pop(name)
    elif resource.type == "AWS::SNS::Subscription":
        _unsubscribe(account, resource)
    elif resource.type == "AWS::S3::Bucket":
        account.buckets.delete(name)
    elif resource.type == "AWS::Logs::LogGroup":
        delete_log_group(account, name)
    elif resource.type not in _READ_FROM_STACK:
        raise _refused(resource, f"{resource.type} cannot be removed here.")


def protect(account: Account, table: str, on: bool) -> dict[str, Any]:
    """Switch a table's deletion protection on or off."""
    params = {"TableName": table, "DeletionProtectionEnabled": on}
    return account.tables.answer("UpdateTable", params)


def is_protected(account: Account, table: str) -> bool:
    """Whether a table has deletion protection."""
    described = account.tables.answer("DescribeTable", {"TableName": table})
    return bool(described["Table"]["DeletionProtectionEnabled"])


def delete_table(account: Account, name: str) -> dict[str, Any]:
    """DeleteTable; its stream stays readable for 24 hours."""
    answer = account.tables.answer("DeleteTable", {"TableName": name})
    stream = account.tables.streams.pop(name.rpartition("/")[2], None)
    if stream is not None and stream.disabled_ms is None:
        stream.disable(account.clock.now)
    return answer


def delete_queue(account: Account, url: str) -> None:
    """DeleteQueue."""
    name = account.queues.name_of(url)
    account.queues.answer("DeleteQueue", {"QueueUrl": url})
    del account.queues.arns[name]


def delete_log_group(account: Account, name: str) -> None:
    """DeleteLogGroup."""
    account.logs.answer("DeleteLogGroup", {"logGroupName": name})
    account.logs.groups.remove(name)


def _unsubscribe(account: Account, resource: Resource) -> None:
    topic = account.topics.by_arn.get(str(resource.properties["TopicArn"]))
    if topic is not None:
        gone = str(resource.properties["Endpoint"])
        topic.subscriptions = [one for one in topic.subscriptions if one.endpoint != gone]


def _refused(resource: Resource, sentence: str) -> Refused:
    return Refused(
        "NotEmulated", f"{resource.logical_id}: {sentence}", resource=resource.logical_id
    )


def _guarded(create: Callable[[Account, Any], None], account: Account, resource: Any) -> None:
    try:
        create(account, resource)
    except ServiceError as error:
        raise Refused(
            error.code,
            f"{resource.logical_id}: {error.message}",
            resource=resource.logical_id,
        ) from None


def _roles(stack: Any) -> None:
    """What IAM and Lambda check of roles when a stack is created."""
    for role in stack.of_type("AWS::IAM::Role"):
        try:
            documents(stack, role)
        except PolicyRefused as refused:
            raise Refused(
                refused.code,
                refused.message,
                refused.parameter,
                refused.logical_id or role.logical_id,
            ) from None
    for function in stack.of_type("AWS::Lambda::Function"):
        role = stack.by_arn(str(function.properties.get("Role", "")))
        problem = trust_problem(role) if role is not None else None
        if problem is not None:
            raise Refused(
                "InvalidParameterValueException",
                "The role defined for the function cannot be assumed by Lambda. " + problem,
                "Role",
                function.logical_id,
            )


def _resource_policies(stack: Any) -> dict[str, list[PolicyDocument]]:
    """Every policy that stands on a resource, by the resource's ARN."""
    found: dict[str, list[PolicyDocument]] = {}
    for kind, member in (
        ("AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::SNS::TopicPolicy", "Topics"),
        ("AWS::S3::BucketPolicy", "Bucket"),
    ):
        for resource in stack.of_type(kind):
            targets = resource.properties.get(member)
            try:
                document = policy(
                    resource.logical_id,
                    resource.properties.get("PolicyDocument"),
                    resource_policy=True,
                )
            except PolicyRefused as refused:
                raise Refused(
                    refused.code, refused.message, "PolicyDocument", resource.logical_id
                ) from None
            for target in targets if isinstance(targets, list) else [targets]:
                found.setdefault(_target_arn(stack, kind, str(target)), []).append(document)
    return found


def _target_arn(stack: Any, kind: str, target: str) -> str:
    if kind == "AWS::S3::BucketPolicy":
        return f"arn:aws:s3:::{target}"
    if kind == "AWS::SQS::QueuePolicy" and not target.startswith("arn:"):
        name = target.rstrip("/").rpartition("/")[2]
        return f"arn:aws:sqs:{stack.region}:{stack.account_id}:{name}"
    return target


def _table(account: Account, resource: Any) -> None:
    properties = resource.properties
    name = resource.physical_id
    params = {key: properties[key] for key in _TABLE_PARAMETERS if key in properties}
    params["TableName"] = name
    for key in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        if key in params:
            params[key] = [
                {part: index[part] for part in _INDEX_PARAMETERS if part in index}
                for index in params[key]
            ]
            if not params[key]:
                del params[key]
    if properties.get("ResourcePolicy"):
        raise ServiceError("NotEmulated", "a table's ResourcePolicy is not emulated here.")
    if properties.get("KinesisStreamSpecification"):
        raise ServiceError("NotEmulated", "KinesisStreamSpecification is not emulated here.")
    ttl = properties.get("TimeToLiveSpecification") or {}
    recovery = properties.get("PointInTimeRecoverySpecification") or {}
    account.tables.create(
        params,
        str(ttl["AttributeName"]) if ttl.get("Enabled") else None,
        bool(recovery.get("PointInTimeRecoveryEnabled")),
    )
    specification = properties.get("StreamSpecification")
    if specification:
        arn = resource.attributes.get("StreamArn")
        stream = Stream(
            table=name,
            keys=account.tables.keys_of(name),
            view=str(specification.get("StreamViewType")),
            region=account.region,
            account_id=account.account_id,
            created_ms=_created_ms(arn, account.clock.now),
            first_sequence=account.first_sequence,
            seed=account.seed,
        )
        if arn is not None and arn != stream.arn:
            raise ValueError(f"the stack calls the stream {arn}, the emulator {stream.arn}")
        account.add_stream(stream)


def _created_ms(arn: str | None, now_ms: int) -> int:
    """When the stream was created: a resolved stack has said so already, in the ARN's label."""
    if arn is None:
        return now_ms
    moment = datetime.fromisoformat(arn.rpartition("/")[2]).replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _queues_in_order(stack: Any) -> list[Any]:
    """Queues, dead-letter queues before the queues that point to them."""
    waiting = list(stack.of_type("AWS::SQS::Queue"))
    own = {resource.attributes.get("Arn") for resource in waiting}
    ordered: list[Any] = []
    made: set[Any] = set()
    while waiting:
        ready = [
            resource
            for resource in waiting
            if (target := redrive_target(resource.properties)) is None
            or target in made
            or target not in own
        ]
        if not ready:
            names = ", ".join(resource.logical_id for resource in waiting)
            raise Refused(
                "NotEmulated", f"{names}: dead-letter queues that form a circle.", "RedrivePolicy"
            )
        for resource in ready:
            waiting.remove(resource)
            ordered.append(resource)
            made.add(resource.attributes.get("Arn"))
    return ordered


def _queue(account: Account, resource: Any) -> None:
    properties = resource.properties
    attributes = {
        key: _attribute(properties[key]) for key in _QUEUE_ATTRIBUTES if key in properties
    }
    if properties.get("RedrivePolicy"):
        attributes["RedrivePolicy"] = json.dumps(properties["RedrivePolicy"])
    name = resource.attributes.get("QueueName") or resource.physical_id.rpartition("/")[2]
    account.queues.create(name, attributes)


def _attribute(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _topic(account: Account, resource: Any) -> None:
    properties = resource.properties
    topic = account.topics.create(resource.physical_id, str(properties.get("DisplayName", "")))
    for one in properties.get("Subscription") or ():
        _subscribe(account, topic.arn, str(one.get("Protocol")), str(one.get("Endpoint")), False)


def _subscription(account: Account, resource: Any) -> None:
    properties = resource.properties
    policy = properties.get("FilterPolicy")
    if policy and (properties.get("FilterPolicyScope") == "MessageBody" or "$or" in policy):
        raise ServiceError("NotEmulated", "a FilterPolicy on bodies, or of $or, is not emulated.")
    _subscribe(
        account,
        str(properties.get("TopicArn")),
        str(properties.get("Protocol")),
        str(properties.get("Endpoint")),
        bool(properties.get("RawMessageDelivery", False)),
        policy or None,
    )


def _subscribe(
    account: Account,
    topic_arn: str,
    protocol: str,
    endpoint: str,
    raw: bool,
    policy: Mapping[str, Any] | None = None,
) -> None:
    refusal = None
    if protocol == "sqs":
        refusal = _delivery_problem(account, topic_arn, endpoint)
    account.topics.subscribe(topic_arn, protocol, endpoint, raw=raw, refusal=refusal, policy=policy)


def _delivery_problem(account: Account, topic_arn: str, queue_arn: str) -> str | None:
    """Why the topic may not send to the queue: only the queue's own policy can allow it.

    https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
    """
    try:
        account.queues.name_of(queue_arn)
    except KeyError:
        return f"there is no queue {queue_arn}"
    context: Mapping[str, str] = {
        "aws:SourceArn": topic_arn,
        "aws:SourceAccount": account.account_id,
    }
    verdict = evaluate_request(
        [],
        account.resource_policies.get(queue_arn, ()),
        "sns.amazonaws.com",
        "sqs:SendMessage",
        queue_arn,
        context,
    )
    if verdict.allowed:
        return None
    return f"the queue's policy does not let sns.amazonaws.com send to it ({verdict.reason})"


def _bucket(account: Account, resource: Any) -> None:
    properties = resource.properties
    if properties.get("NotificationConfiguration"):
        raise ServiceError("NotEmulated", "a bucket's NotificationConfiguration is not emulated.")
    versioning = properties.get("VersioningConfiguration") or {}
    account.buckets.create(resource.physical_id, versioning=versioning.get("Status") == "Enabled")


def _log_group(account: Account, resource: Any) -> None:
    days = resource.properties.get("RetentionInDays")
    account.logs.create(resource.physical_id, int(days) if days is not None else None)
