"""SQS, SNS and S3."""

from __future__ import annotations

import re
from typing import Any

from grader.cloud.account import delete_queue
from grader.cloud.aws import Reply, Request, ServiceError
from grader.sandbox.world import World, answers


def _passed(world: World, request: Request) -> dict[str, Any]:
    return world.cloud.account.call(request.service, request.operation, **request.params)


# -- SQS ---------------------------------------------------------------------------------------

answers(
    "sqs",
    *("SendMessage", "SendMessageBatch", "DeleteMessage", "DeleteMessageBatch"),
    *("ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "GetQueueUrl", "ListQueues"),
    *("GetQueueAttributes", "SetQueueAttributes", "ListDeadLetterSourceQueues", "PurgeQueue"),
    *("TagQueue", "UntagQueue", "ListQueueTags"),
)(_passed)
answers(
    "sqs", "ReceiveMessage", note="A long poll returns at once; the waiting is not waited for."
)(_passed)


@answers("sqs", "CreateQueue")
def _create_queue(world: World, request: Request) -> dict[str, Any]:
    queues = world.cloud.account.queues
    name = str(request.params.get("QueueName", ""))
    if name not in queues.arns:
        queues.create(name, dict(request.params.get("Attributes") or {}))
    found = world.cloud.account.call("sqs", "GetQueueUrl", QueueName=name)
    if request.params.get("tags"):
        world.cloud.account.call("sqs", "TagQueue", Tags=request.params["tags"], **found)
    return found


@answers("sqs", "DeleteQueue")
def _delete_queue(world: World, request: Request) -> dict[str, Any]:
    url = str(request.params.get("QueueUrl", ""))
    try:
        world.cloud.account.queues.name_of(url)
    except KeyError:
        raise ServiceError(
            "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."
        ) from None
    delete_queue(world.cloud.account, url)
    return {}


# -- SNS ---------------------------------------------------------------------------------------

answers("sns", "Publish", "PublishBatch", "GetTopicAttributes", "ListTopics")(_passed)


@answers("sns", "ListSubscriptionsByTopic", note="An address of e-mail stays PendingConfirmation.")
def _subscriptions(world: World, request: Request) -> dict[str, Any]:
    """An e-mail address that nobody has confirmed shows no ARN.

    https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
    """
    listed = _passed(world, request)
    for one in listed["Subscriptions"]:
        if one["Protocol"].startswith("email"):
            one["SubscriptionArn"] = "PendingConfirmation"
    return listed


# -- S3 ----------------------------------------------------------------------------------------


def _kept(world: World, request: Request) -> Reply:
    bucket = str(request.params.get("Bucket", ""))
    if bucket and bucket not in world.cloud.account.buckets.names:
        raise ServiceError("NoSuchBucket", "The specified bucket does not exist", 404)
    return world.cloud.account.buckets.answer(request)


answers(
    "s3",
    *("ListBuckets", "HeadBucket", "GetBucketLocation", "ListObjects", "ListObjectsV2"),
    *("PutObject", "GetObject", "HeadObject", "DeleteObject", "DeleteObjects", "CopyObject"),
    *("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"),
    *("ListParts", "ListMultipartUploads"),
)(_kept)
answers(
    "s3",
    *("GetBucketVersioning", "PutBucketVersioning", "ListObjectVersions"),
    *("GetPublicAccessBlock", "PutPublicAccessBlock", "GetBucketTagging", "PutBucketTagging"),
    *("GetBucketEncryption", "PutBucketEncryption"),
    note="Kept and shown; nothing else comes of it.",
)(_kept)


@answers("s3", "CreateBucket")
def _create_bucket(world: World, request: Request) -> Reply:
    bucket = str(request.params.get("Bucket", ""))
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
        raise ServiceError("InvalidBucketName", "The specified bucket is not valid.")
    # In us-east-1 the owner's second creation succeeds:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    if bucket not in world.cloud.account.buckets.names:
        world.cloud.account.buckets.create(bucket)
    return Reply(200, {"Location": f"/{bucket}"}, b"")


@answers("s3", "DeleteBucket")
def _delete_bucket(world: World, request: Request) -> Reply:
    bucket = str(request.params.get("Bucket", ""))
    buckets = world.cloud.account.buckets
    if bucket not in buckets.names:
        raise ServiceError("NoSuchBucket", "The specified bucket does not exist", 404)
    if world.cloud.account.objects(bucket):
        raise ServiceError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
    buckets.delete(bucket)
    return Reply(204, {}, b"")
