"""What the function's role must not be able to do, each request with a reviewer's reason.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html and the
pages beside it list the actions and the resources that each of them is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from grader.course.grade import Unreached
from grader.course.play.paging import FUNCTION
from grader.course.play.traffic import ORDERS

if TYPE_CHECKING:
    from grader.cloud.template import Resource
    from grader.course.stage import Stage

# An action on the ARN of a resource, and why the function has no business with it.
Request = tuple[str, str, str]

_READS = ("GetItem", "BatchGetItem", "Query", "Scan", "PartiQLSelect", "ConditionCheckItem")
_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
_STATEMENTS = ("PartiQLInsert", "PartiQLUpdate", "PartiQLDelete")
_OWNER = ("DeleteTable", "UpdateTable", "UpdateTimeToLive", "UpdateContinuousBackups")

# Whole tables, many items at once, items that go for ever: allowed on a table of its own only to
# a function that does it.
_RARE = ("Scan", "DeleteItem", "BatchGetItem", "BatchWriteItem", "PartiQLSelect", *_STATEMENTS)

# What nobody needs who only sends failure notes, or writes a log, by the type of the resource.
_BESIDES = {
    "AWS::SQS::Queue": ("sqs", ("ReceiveMessage", "DeleteMessage", "PurgeQueue")),
    "AWS::SNS::Topic": ("sns", ("Subscribe",)),
    "AWS::S3::Bucket": ("s3", ("GetObject", "DeleteObject")),
}
_OWNS = {
    "AWS::SQS::Queue": ("sqs", ("DeleteQueue", "SetQueueAttributes", "AddPermission")),
    "AWS::SNS::Topic": ("sns", ("DeleteTopic", "SetTopicAttributes", "AddPermission")),
    "AWS::S3::Bucket": ("s3", ("DeleteBucket", "PutBucketPolicy", "PutLifecycleConfiguration")),
    "AWS::Logs::LogGroup": ("logs", ("DeleteLogGroup", "DeleteLogStream", "PutRetentionPolicy")),
}


def role_of(stage: Stage) -> str:
    """The logical id of the function's role, wherever the template put it."""
    function = stage.stack.resources.get(FUNCTION)
    role = stage.stack.by_arn(function.properties.get("Role", "")) if function else None
    if role is None:
        raise Unreached(
            stage.finding(
                rule="The function's role is part of the template.",
                input="template.yaml as it stands",
                expected=f"{FUNCTION} with a Role that this template defines",
                observed="a role from elsewhere",
                why="What is not in the template can be neither reviewed nor judged.",
                where=stage.property_line(FUNCTION, "Role"),
                page="modules/02-lambda-triggers#least-privilege",
            )
        )
    return role.logical_id


def never_needed(stage: Stage) -> Iterator[Request]:
    """Requests that no system of this lab makes, whatever its design."""
    account, region = stage.stack.account_id, stage.stack.region

    def arn(service: str, rest: str) -> str:
        return f"arn:aws:{service}:{region}:{account}:{rest}"

    orders = stage.stack.resources[ORDERS].attributes["Arn"]
    for action in (*_WRITES, *_STATEMENTS):
        yield f"dynamodb:{action}", orders, "it only reads the orders' stream"
    for action in _READS:
        yield f"dynamodb:{action}", orders, "the records hold all it needs"
    for table in stage.stack.of_type("AWS::DynamoDB::Table"):
        for action in _OWNER:
            yield (
                f"dynamodb:{action}",
                table.attributes["Arn"],
                "it writes items and owns no table",
            )
    for action in (*_READS, *_WRITES, *_STATEMENTS, *_OWNER):
        payroll = arn("dynamodb", "table/Payroll")
        yield f"dynamodb:{action}", payroll, "this table is not its business"
    for kind, (service, actions) in _OWNS.items():
        for resource in stage.stack.of_type(kind):
            for action in actions:
                yield f"{service}:{action}", _arn(resource), "it owns none of these"
    yield "sqs:SendMessage", arn("sqs", "Payments"), "this queue is not its destination"
    for action in ("ReceiveMessage", "DeleteMessage", "PurgeQueue", "DeleteQueue"):
        yield f"sqs:{action}", arn("sqs", "Payments"), "this queue is not its business"
    yield "sns:Publish", arn("sns", "Announcements"), "this topic is not its destination"
    yield "sns:Subscribe", arn("sns", "Announcements"), "this topic is not its business"
    for action in ("GetObject", "PutObject", "DeleteObject"):
        yield f"s3:{action}", "arn:aws:s3:::payroll/2026/11.csv", "this bucket is not its business"
    yield "lambda:UpdateFunctionCode", arn("lambda", "function:Payroll"), "it deploys nothing"
    yield "lambda:InvokeFunction", arn("lambda", "function:Payroll"), "it calls no function"
    yield "iam:PassRole", f"arn:aws:iam::{account}:role/Admin", "it hands out no role"
    yield "iam:CreateUser", f"arn:aws:iam::{account}:user/eve", "it administers nobody"
    yield "sts:AssumeRole", f"arn:aws:iam::{account}:role/Admin", "it takes no other role"
    group = arn("logs", "log-group:/aws/lambda/Payroll")
    yield "logs:DeleteLogGroup", group, "it only writes logs"


def never_used(stage: Stage, used: set[tuple[str, str]]) -> Iterator[Request]:
    """Requests on the stack's own resources that are as good as never needed: nobody made them."""
    for table in stage.stack.of_type("AWS::DynamoDB::Table"):
        for action in _RARE:
            request = f"dynamodb:{action}", table.attributes["Arn"]
            if table.logical_id != ORDERS and request not in used:
                yield *request, "it never does that"
    for kind, (service, actions) in _BESIDES.items():
        for resource in stage.stack.of_type(kind):
            done = {action for action, arn in used if arn.startswith(_arn(resource))}
            place = _arn(resource) + ("/2026/11/note.json" if service == "s3" else "")
            for action in actions:
                if f"{service}:{action}" not in done:
                    yield f"{service}:{action}", place, "it only sends there"


def _arn(resource: Resource) -> str:
    return str(resource.attributes.get("TopicArn") or resource.attributes["Arn"])
