"""Where messages and objects go: SQS queues, SNS topics, S3 buckets, and KMS keys for them."""

from __future__ import annotations

import re
from typing import Any

from grader.cloud.template.kinds.base import URL_SUFFIX, Kind, Me, Names
from grader.cloud.template.kinds.common import (
    FLAG,
    KEY,
    POLICY,
    QUEUE_ARN,
    TAGS,
    TEXT,
    TOPIC_ARN,
    text,
)
from grader.cloud.template.model import show
from grader.cloud.template.shapes import (
    At,
    Json,
    JsonOf,
    ListOf,
    Shape,
    Struct,
    Text,
    Whole,
    harmless,
    refused,
    required,
)

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
    fields={
        "ContentBasedDeduplication": FLAG,
        "DeduplicationScope": Text(choices=("messageGroup", "queue")),
        "DelaySeconds": Whole(0, 900, "seconds"),
        "FifoQueue": FLAG,
        "FifoThroughputLimit": Text(choices=("perQueue", "perMessageGroupId")),
        "KmsDataKeyReusePeriodSeconds": harmless(Whole(60, 86_400, "seconds")),
        "KmsMasterKeyId": KEY,
        "MaximumMessageSize": Whole(1_024, 1_048_576, "bytes"),
        "MessageRetentionPeriod": Whole(60, 1_209_600, "seconds"),
        "QueueName": Text(
            low=1,
            high=80,
            pattern=r"[a-zA-Z0-9_-]+(\.fifo)?",
            says="AWS takes letters, digits, and the characters _ -",
        ),
        "ReceiveMessageWaitTimeSeconds": Whole(0, 20, "seconds"),
        "RedriveAllowPolicy": harmless(Json()),
        "RedrivePolicy": JsonOf(
            Struct(
                {
                    "deadLetterTargetArn": required(QUEUE_ARN),
                    "maxReceiveCount": required(Whole(1, 1_000)),
                }
            )
        ),
        "SqsManagedSseEnabled": harmless(FLAG, "encryption is recorded and has no effect"),
        "Tags": TAGS,
        "VisibilityTimeout": Whole(0, 43_200, "seconds"),
    },
    names=_queue_names,
    attributes=("Arn", "QueueName", "QueueUrl"),
    named_by="QueueName",
    rule=_queue_rules,
)

QUEUE_POLICY = Kind(
    fields={
        "PolicyDocument": POLICY,
        "Queues": required(
            ListOf(
                Text(
                    pattern=r"https?://\S+",
                    says="it must be a queue's URL, which is what Ref yields.",
                ),
                low=1,
            )
        ),
    },
    names=lambda me: (made := me.name(), {"Id": made}),
    attributes=("Id",),
)

# -- SNS -------------------------------------------------------------------------------------
# https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
# https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html

_PROTOCOL = required(
    Text(
        choices=(
            "email",
            "email-json",
            "sqs",
            "lambda",
            "http",
            "https",
            "sms",
            "application",
            "firehose",
        ),
        unplayed={
            "application": "push messages to phones are not played.",
            "firehose": "Firehose is not played.",
        },
    )
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
    fields={
        "ArchivePolicy": refused("message archives are not emulated."),
        "ContentBasedDeduplication": FLAG,
        "DataProtectionPolicy": refused("message data protection is not emulated."),
        "DeliveryStatusLogging": harmless(),
        "DisplayName": harmless(Text(high=100)),
        "FifoThroughputScope": harmless(Text(choices=("Topic", "MessageGroup"))),
        "FifoTopic": FLAG,
        "KmsMasterKeyId": KEY,
        "MaximumMessageSize": refused("a topic's own size limit is not emulated."),
        "SignatureVersion": harmless(Text(choices=("1", "2"))),
        "Subscription": ListOf(
            Struct({"Endpoint": required(TEXT), "Protocol": _PROTOCOL}, _subscription_rules)
        ),
        "Tags": TAGS,
        "TopicName": Text(
            low=1,
            high=256,
            pattern=r"[a-zA-Z0-9_-]+(\.fifo)?",
            says="AWS takes letters, digits, and the characters _ -",
        ),
        "TracingConfig": harmless(Text(choices=("Active", "PassThrough"))),
    },
    names=_topic_names,
    attributes=("TopicArn", "TopicName"),
    named_by="TopicName",
    rule=_topic_rules,
)


def _subscription_names(me: Me) -> Names:
    arn = f"{me.given('TopicArn')}:{me.uuid()}"
    return arn, {"Arn": arn}


SUBSCRIPTION = Kind(
    fields={
        "DeliveryPolicy": harmless(Json(), "deliveries are not retried"),
        "Endpoint": TEXT,
        "FilterPolicy": Json(),
        "FilterPolicyScope": Text(choices=("MessageAttributes", "MessageBody")),
        "Protocol": _PROTOCOL,
        "RawMessageDelivery": FLAG,
        "RedrivePolicy": harmless(
            JsonOf(Struct({"deadLetterTargetArn": required(QUEUE_ARN)})),
            "no delivery fails for good",
        ),
        "Region": harmless(TEXT),
        "ReplayPolicy": refused("message archives are not emulated."),
        "SubscriptionRoleArn": harmless(TEXT),
        "TopicArn": required(TOPIC_ARN),
    },
    names=_subscription_names,
    attributes=("Arn",),
    rule=_subscription_rules,
)

TOPIC_POLICY = Kind(
    fields={"PolicyDocument": POLICY, "Topics": required(ListOf(TOPIC_ARN, low=1))},
    names=lambda me: (made := me.name(), {"Id": made}),
    attributes=("Id",),
)

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


BUCKET = Kind(
    fields={
        "AbacStatus": refused("access by tags is not evaluated."),
        "AccelerateConfiguration": harmless(),
        "AccessControl": harmless(
            Text(
                choices=(
                    "Private",
                    "PublicRead",
                    "PublicReadWrite",
                    "AuthenticatedRead",
                    "LogDeliveryWrite",
                    "BucketOwnerRead",
                    "BucketOwnerFullControl",
                    "AwsExecRead",
                )
            )
        ),
        "AnalyticsConfigurations": harmless(),
        "BucketEncryption": harmless(
            Struct({"ServerSideEncryptionConfiguration": required(ListOf(Shape(), low=1))}),
            "encryption is recorded; neither its effect nor the key's permissions are",
        ),
        "BucketName": Text(
            low=3,
            high=63,
            pattern=r"[a-z0-9][a-z0-9.-]*[a-z0-9]",
            says="AWS takes lower-case letters, digits, dots and dashes, a letter or digit at both "
            "ends.",
        ),
        "BucketNamePrefix": refused("write BucketName or leave the name to CloudFormation."),
        "BucketNamespace": refused("write BucketName or leave the name to CloudFormation."),
        "CorsConfiguration": harmless(),
        "IntelligentTieringConfigurations": harmless(),
        "InventoryConfigurations": harmless(),
        "LifecycleConfiguration": harmless(
            Struct(
                {
                    "Rules": required(ListOf(Shape(), low=1)),
                    "TransitionDefaultMinimumObjectSize": Text(
                        choices=("all_storage_classes_128K", "varies_by_storage_class")
                    ),
                }
            ),
            "recorded; no object is moved or deleted",
        ),
        "LoggingConfiguration": harmless(),
        "MetadataConfiguration": harmless(),
        "MetadataTableConfiguration": harmless(),
        "MetricsConfigurations": harmless(),
        "NotificationConfiguration": refused("a bucket's events are not played."),
        "ObjectLockConfiguration": harmless(),
        "ObjectLockEnabled": harmless(FLAG),
        "OwnershipControls": harmless(),
        "PublicAccessBlockConfiguration": harmless(
            Struct(
                {
                    "BlockPublicAcls": FLAG,
                    "BlockPublicPolicy": FLAG,
                    "IgnorePublicAcls": FLAG,
                    "RestrictPublicBuckets": FLAG,
                }
            )
        ),
        "ReplicationConfiguration": refused("replication is not emulated."),
        "Tags": TAGS,
        "VersioningConfiguration": Struct(
            {"Status": required(Text(choices=("Enabled", "Suspended")))}
        ),
        "WebsiteConfiguration": refused("websites are not emulated."),
    },
    names=_bucket_names,
    attributes=("Arn", "DomainName", "DualStackDomainName", "RegionalDomainName"),
    unplayed=(
        "WebsiteURL",
        "MetadataConfiguration.AnnotationTableConfiguration.TableArn",
        "MetadataConfiguration.AnnotationTableConfiguration.TableName",
        "MetadataConfiguration.Destination",
        "MetadataConfiguration.InventoryTableConfiguration.TableArn",
        "MetadataConfiguration.InventoryTableConfiguration.TableName",
        "MetadataConfiguration.JournalTableConfiguration.TableArn",
        "MetadataConfiguration.JournalTableConfiguration.TableName",
        "MetadataTableConfiguration.S3TablesDestination.TableArn",
        "MetadataTableConfiguration.S3TablesDestination.TableNamespace",
    ),
    named_by="BucketName",
    rule=_bucket_rules,
)

BUCKET_POLICY = Kind(
    fields={"Bucket": required(TEXT), "PolicyDocument": POLICY},
    names=lambda me: (str(me.given("Bucket")), {}),
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
    fields={
        "BypassPolicyLockoutSafetyCheck": harmless(FLAG),
        "Description": harmless(Text(high=8_192)),
        "EnableKeyRotation": harmless(FLAG),
        "Enabled": harmless(FLAG),
        "KeyPolicy": harmless(Json(), "recorded; a key's permissions are not judged"),
        "KeySpec": harmless(
            Text(choices=("SYMMETRIC_DEFAULT",), unplayed=dict.fromkeys(_OTHER_KEYS, _SYMMETRIC))
        ),
        "KeyUsage": harmless(
            Text(choices=("ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"))
        ),
        "MultiRegion": harmless(FLAG),
        "Origin": harmless(Text(choices=("AWS_KMS", "EXTERNAL"))),
        "PendingWindowInDays": harmless(Whole(7, 30, "days")),
        "RotationPeriodInDays": harmless(Whole(90, 2_560, "days")),
        "Tags": TAGS,
    },
    names=_key_names,
    attributes=("Arn", "KeyId"),
)

KMS_ALIAS = Kind(
    fields={
        "AliasName": required(
            Text(
                high=256,
                pattern=r"alias/[a-zA-Z0-9:/_-]+",
                says="it must begin with alias/, then letters, digits, and the characters : / _ -",
            )
        ),
        "TargetKeyId": required(Text(low=1, high=256)),
    },
    names=lambda me: (str(me.given("AliasName")), {}),
    named_by="AliasName",
)
