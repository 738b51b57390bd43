"""Where messages and objects go: SQS queues, SNS topics, S3 buckets, and KMS keys for them."""

from __future__ import annotations

import re
from typing import Any

from grader.cloud.template.kinds.base import URL_SUFFIX, Kind, Me, Names
from grader.cloud.template.kinds.common import ENCRYPTION, QUEUE_ARN, TAGS, TOPIC_ARN, text
from grader.cloud.template.kinds.schema import ByHand
from grader.cloud.template.model import show
from grader.cloud.template.shapes import At, Field, Json, ListOf, Shape, Text, Whole, required
from grader.cloud.template.unknown import unknown

# -- SQS -------------------------------------------------------------------------------------
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html

_FIFO_ONLY = ("ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")


def _queue_rules(properties: dict[str, Any], at: At) -> None:
    fifo = properties.get("FifoQueue", False)
    name = text(properties, "QueueName")
    if fifo is True and name is not None and not name.endswith(".fifo"):
        at.into("QueueName").wrong(f"is {show(name)}; a FIFO queue's name ends in .fifo.")
    if fifo is False:
        if name is not None and name.endswith(".fifo"):
            at.into("QueueName").wrong(
                f"is {show(name)}; only a FIFO queue's name ends in .fifo (FifoQueue: true)."
            )
        for only in _FIFO_ONLY:
            if only in properties:
                at.into(only).wrong("goes only with FifoQueue: true.")
    if properties.get("SqsManagedSseEnabled") is True and properties.get("KmsMasterKeyId"):
        at.into("KmsMasterKeyId").wrong("and SqsManagedSseEnabled exclude each other; choose one.")


def _queue_names(me: Me) -> Names:
    name = me.name("QueueName", limit=80, suffix=".fifo" if me.given("FifoQueue") else "")
    url = f"https://sqs.{me.place.region}.{URL_SUFFIX}/{me.place.account_id}/{name}"
    return url, {"Arn": me.arn("sqs", name), "QueueName": name, "QueueUrl": url}


QUEUE = Kind(
    "AWS::SQS::Queue",
    _queue_names,
    ByHand(
        played="ContentBasedDeduplication DeduplicationScope DelaySeconds FifoQueue "
        "FifoThroughputLimit MaximumMessageSize MessageRetentionPeriod QueueName "
        "ReceiveMessageWaitTimeSeconds RedrivePolicy VisibilityTimeout",
        kept={
            "KmsDataKeyReusePeriodSeconds": "",
            "KmsMasterKeyId": ENCRYPTION,
            "RedriveAllowPolicy": "",
            "SqsManagedSseEnabled": "encryption is recorded and has no effect",
            "Tags": TAGS,
        },
        shapes={
            "DeduplicationScope": Text(choices=("messageGroup", "queue")),
            "DelaySeconds": Whole(unit="seconds"),
            "FifoThroughputLimit": Text(choices=("perQueue", "perMessageGroupId")),
            "MaximumMessageSize": Whole(unit="bytes"),
            "MessageRetentionPeriod": Whole(unit="seconds"),
            "QueueName": Text(
                low=1,
                high=80,
                pattern=r"[a-zA-Z0-9_-]+(\.fifo)?",
                says="AWS takes letters, digits, and the characters _ -",
            ),
            "ReceiveMessageWaitTimeSeconds": Whole(unit="seconds"),
            "RedrivePolicy.deadLetterTargetArn": required(QUEUE_ARN),
            "RedrivePolicy.maxReceiveCount": required(Whole(1, 1_000)),
            "VisibilityTimeout": Whole(unit="seconds"),
        },
        rules={"": _queue_rules},
    ),
    attributes=("Arn", "QueueName", "QueueUrl"),
    named_by="QueueName",
)

_QUEUE_URL = Text(
    pattern=r"https?://\S+", says="it must be a queue's URL, which is what Ref yields."
)
QUEUE_POLICY = Kind(
    "AWS::SQS::QueuePolicy",
    lambda me: (made := me.name(), {"Id": made}),
    ByHand(
        played="PolicyDocument Queues",
        shapes={"PolicyDocument": Json(), "Queues": ListOf(_QUEUE_URL, low=1)},
    ),
    attributes=("Id",),
)


def _inline(kind: Kind, member: str, shape: Text, many: str) -> Kind:
    """The kind that says the same for one resource, without an identifier of its own.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topicinlinepolicy.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queueinlinepolicy.html
    """
    document = kind.hand.shapes["PolicyDocument"]
    return Kind(
        kind.type.replace("Policy", "InlinePolicy"),
        lambda me: (str(me.given(member)), {}),
        ByHand(f"PolicyDocument {member}", shapes={"PolicyDocument": document, member: shape}),
        plays_as=lambda own: (
            kind.type,
            {"PolicyDocument": own["PolicyDocument"], many: [own[member]]},
        ),
    )


QUEUE_INLINE_POLICY = _inline(QUEUE_POLICY, "Queue", _QUEUE_URL, "Queues")

# -- SNS -------------------------------------------------------------------------------------
# https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
# https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html

_PROTOCOL = Text(
    choices=("email", "email-json", "sqs", "lambda", "http", "https", "sms"),
    unplayed={
        "application": "push messages to phones are not played.",
        "firehose": "Firehose is not played.",
    },
)


def _subscription_rules(properties: dict[str, Any], at: At) -> None:
    protocol, endpoint = text(properties, "Protocol"), text(properties, "Endpoint")
    if "Endpoint" not in properties:
        at.wrong("lacks Endpoint: where the messages go.")
    if protocol is None or endpoint is None:
        return
    wanted = {
        "sqs": (
            r"arn:[a-z-]+:sqs:.+",
            "a queue's ARN; Ref of a queue is its URL, use GetAtt Queue.Arn",
        ),
        "lambda": (r"arn:[a-z-]+:lambda:.+", "a function's ARN; use GetAtt Function.Arn"),
        "email": (r"[^@\s]+@[^@\s]+", "an e-mail address"),
        "email-json": (r"[^@\s]+@[^@\s]+", "an e-mail address"),
        "http": (r"http://\S+", "a URL that begins with http://"),
        "https": (r"https://\S+", "a URL that begins with https://"),
        "sms": (r"\+?[0-9][0-9 -]{3,20}", "a telephone number"),
    }.get(protocol)
    if wanted and not re.fullmatch(wanted[0], endpoint):
        at.into("Endpoint").wrong(
            f"is {show(endpoint)}; with Protocol {protocol} it must be {wanted[1]}."
        )


def _topic_rules(properties: dict[str, Any], at: At) -> None:
    fifo, name = properties.get("FifoTopic", False), text(properties, "TopicName")
    if fifo is True and name is not None and not name.endswith(".fifo"):
        at.into("TopicName").wrong(f"is {show(name)}; a FIFO topic's name ends in .fifo.")
    if fifo is False and name is not None and name.endswith(".fifo"):
        at.into("TopicName").wrong(
            f"is {show(name)}; only a FIFO topic's name ends in .fifo (FifoTopic: true)."
        )


def _topic_names(me: Me) -> Names:
    name = me.name("TopicName", limit=256, suffix=".fifo" if me.given("FifoTopic") else "")
    arn = me.arn("sns", name)
    return arn, {"TopicArn": arn, "TopicName": name}


TOPIC = Kind(
    "AWS::SNS::Topic",
    _topic_names,
    ByHand(
        played="ContentBasedDeduplication FifoTopic Subscription TopicName",
        kept={
            "DeliveryStatusLogging": "",
            "DisplayName": "",
            "FifoThroughputScope": "",
            "KmsMasterKeyId": ENCRYPTION,
            "SignatureVersion": "",
            "Tags": TAGS,
            "TracingConfig": "",
        },
        refused={
            "ArchivePolicy": "message archives are not emulated.",
            "DataProtectionPolicy": "message data protection is not emulated.",
            "MaximumMessageSize": "a topic's own size limit is not emulated.",
        },
        shapes={
            "DisplayName": Text(high=100),
            "FifoThroughputScope": Text(choices=("Topic", "MessageGroup")),
            "SignatureVersion": Text(choices=("1", "2")),
            "Subscription.Protocol": _PROTOCOL,
            "TopicName": Text(
                low=1,
                pattern=r"[a-zA-Z0-9_-]+(\.fifo)?",
                says="AWS takes letters, digits, and the characters _ -",
            ),
            "TracingConfig": Text(choices=("Active", "PassThrough")),
        },
        rules={"": _topic_rules, "Subscription": _subscription_rules},
    ),
    attributes=("TopicArn", "TopicName"),
    named_by="TopicName",
)


def _subscription_names(me: Me) -> Names:
    arn = f"{me.given('TopicArn')}:{me.uuid()}"
    return arn, {"Arn": arn}


SUBSCRIPTION = Kind(
    "AWS::SNS::Subscription",
    _subscription_names,
    ByHand(
        played="Endpoint FilterPolicy FilterPolicyScope Protocol RawMessageDelivery TopicArn",
        kept={
            "DeliveryPolicy": "deliveries are not retried",
            "RedrivePolicy": "no delivery fails for good",
            "Region": "",
            "SubscriptionRoleArn": "",
        },
        refused={"ReplayPolicy": "message archives are not emulated."},
        shapes={
            "FilterPolicyScope": Text(choices=("MessageAttributes", "MessageBody")),
            "Protocol": _PROTOCOL,
            "TopicArn": TOPIC_ARN,
        },
        rules={"": _subscription_rules},
    ),
    attributes=("Arn",),
)

# Receive is none of SNS's operations; it stands in the policy that SNS itself gives every topic.
_TOPIC_ACTIONS = frozenset(
    f"sns:{name}".lower()
    for name in (
        *("AddPermission", "DeleteTopic", "GetDataProtectionPolicy", "GetTopicAttributes"),
        *("ListSubscriptionsByTopic", "ListTagsForResource", "Publish", "PutDataProtectionPolicy"),
        *("Receive", "RemovePermission", "SetTopicAttributes", "Subscribe"),
    )
)


class _TopicPolicy(Json):
    """A topic's policy: of actions SNS takes those that it lists, by name, and no wildcard.

    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html
    https://github.com/cdklabs/cdk-nag/issues/676
    """

    def _check(self, value: Any, at: At) -> Any:
        document = super()._check(value, at)
        found = document.get("Statement") if isinstance(document, dict) else None
        at = at.into("Statement")
        for number, one in enumerate(found) if isinstance(found, list) else [(None, found)]:
            actions = one.get("Action") if isinstance(one, dict) else None
            place = at if number is None else at.into(number)
            for action in actions if isinstance(actions, list) else [actions]:
                known = action if isinstance(action, str) and not unknown(action) else "sns:Publish"
                if known.lower() not in _TOPIC_ACTIONS:
                    place.into("Action").wrong(
                        f'is {show(action)}, which SNS refuses: "Policy statement action out of '
                        "service scope!\" Write the topic's own actions by their names, such as "
                        "sns:Publish; a wildcard is none."
                    )
        return document


TOPIC_POLICY = Kind(
    "AWS::SNS::TopicPolicy",
    lambda me: (made := me.name(), {"Id": made}),
    ByHand(
        played="PolicyDocument Topics",
        shapes={
            "PolicyDocument": Field(_TopicPolicy(), note="SNS takes actions by their names only"),
            "Topics": ListOf(TOPIC_ARN, low=1),
        },
    ),
    attributes=("Id",),
)

TOPIC_INLINE_POLICY = _inline(TOPIC_POLICY, "TopicArn", TOPIC_ARN, "Topics")

# -- S3 --------------------------------------------------------------------------------------
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html


def _bucket_rules(properties: dict[str, Any], at: At) -> None:
    name = text(properties, "BucketName")
    if name is not None and (".." in name or re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name)):
        at.into("BucketName").wrong(f"is {show(name)}; no two dots in a row, and no IP address.")


def _bucket_names(me: Me) -> Names:
    name = me.name("BucketName", limit=63, lower=True)
    return name, {
        "Arn": me.arn("s3", name, region=False, account=False),
        "DomainName": f"{name}.s3.{URL_SUFFIX}",
        "DualStackDomainName": f"{name}.s3.dualstack.{me.place.region}.{URL_SUFFIX}",
        "RegionalDomainName": f"{name}.s3.{me.place.region}.{URL_SUFFIX}",
    }


_ANY = Shape()
BUCKET = Kind(
    "AWS::S3::Bucket",
    _bucket_names,
    ByHand(
        played="BucketName VersioningConfiguration",
        kept={
            "AccelerateConfiguration": "",
            "AccessControl": "",
            "AnalyticsConfigurations": "",
            "BucketEncryption": ENCRYPTION,
            "CorsConfiguration": "",
            "IntelligentTieringConfigurations": "",
            "InventoryConfigurations": "",
            "LifecycleConfiguration": "recorded; no object is moved or deleted",
            "LoggingConfiguration": "",
            "MetadataConfiguration": "",
            "MetadataTableConfiguration": "",
            "MetricsConfigurations": "",
            "ObjectLockConfiguration": "",
            "ObjectLockEnabled": "",
            "OwnershipControls": "",
            "PublicAccessBlockConfiguration": "",
            "Tags": TAGS,
        },
        refused={
            "AbacStatus": "access by tags is not evaluated.",
            "BucketNamePrefix": "write BucketName or leave the name to CloudFormation.",
            "BucketNamespace": "write BucketName or leave the name to CloudFormation.",
            "NotificationConfiguration": "a bucket's events are not played.",
            "ReplicationConfiguration": "replication is not emulated.",
            "WebsiteConfiguration": "websites are not emulated.",
        },
        shapes={
            "BucketEncryption.ServerSideEncryptionConfiguration": ListOf(_ANY, low=1),
            "BucketName": Text(
                low=3,
                pattern=r"[a-z0-9][a-z0-9.-]*[a-z0-9]",
                says="AWS takes lower-case letters, digits, dots and dashes, a letter or digit at "
                "both ends.",
            ),
            "LifecycleConfiguration.Rules": ListOf(_ANY, low=1),
        },
        rules={"": _bucket_rules},
    ),
    attributes=("Arn", "DomainName", "DualStackDomainName", "RegionalDomainName"),
    named_by="BucketName",
)

BUCKET_POLICY = Kind(
    "AWS::S3::BucketPolicy",
    lambda me: (str(me.given("Bucket")), {}),
    ByHand(played="Bucket PolicyDocument", shapes={"PolicyDocument": Json()}),
)

# -- KMS -------------------------------------------------------------------------------------


def _key_names(me: Me) -> Names:
    key = me.uuid()
    return key, {"Arn": me.arn("kms", f"key/{key}"), "KeyId": key}


_OTHER_KEYS = (
    *("RSA_2048", "RSA_3072", "RSA_4096", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "SM2"),
    *("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1"),
    *("ECC_NIST_EDWARDS25519", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87"),
)
_SYMMETRIC = "the labs know symmetric keys only."
KMS_KEY = Kind(
    "AWS::KMS::Key",
    _key_names,
    ByHand(
        kept={
            "BypassPolicyLockoutSafetyCheck": "",
            "Description": "",
            "EnableKeyRotation": "",
            "Enabled": "",
            "KeyPolicy": "recorded; a key's permissions are not judged",
            "KeySpec": "",
            "KeyUsage": "",
            "MultiRegion": "",
            "Origin": "",
            "PendingWindowInDays": "",
            "RotationPeriodInDays": "",
            "Tags": TAGS,
        },
        shapes={
            "KeyPolicy": Json(),
            "KeySpec": Text(unplayed=dict.fromkeys(_OTHER_KEYS, _SYMMETRIC)),
            "PendingWindowInDays": Whole(unit="days"),
            "RotationPeriodInDays": Whole(unit="days"),
        },
    ),
    attributes=("Arn", "KeyId"),
)

KMS_ALIAS = Kind(
    "AWS::KMS::Alias",
    lambda me: (str(me.given("AliasName")), {}),
    ByHand(
        played="AliasName TargetKeyId",
        shapes={
            "AliasName": Text(
                pattern=r"alias/[a-zA-Z0-9:/_-]+",
                says="it must begin with alias/, then letters, digits, and the characters : / _ -",
            ),
        },
    ),
    named_by="AliasName",
)
