"""What the function's role must not be able to do, each request with a reviewer's reason.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html and the
pages beside it list the actions and the resources that each of them is about.
"""

from __future__ import annotations

import ast
import re
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
# a function that does it (`excused`).
_RARE = ("Scan", "DeleteItem", "BatchGetItem", "BatchWriteItem", "PartiQLSelect", *_STATEMENTS)

# What nobody needs who only sends failure notes, or writes a log, by the type of the resource.
_BESIDES = {
    "AWS::SQS::Queue": ("sqs", ("ReceiveMessage", "DeleteMessage", "PurgeQueue")),
    "AWS::SNS::Topic": ("sns", ("Subscribe",)),
    "AWS::S3::Bucket": ("s3", ("GetObject", "DeleteObject")),
}
# By what else code says that it takes an action: in a transaction; Powertools deletes the record of
# a handler that raises, https://docs.aws.amazon.com/powertools/python/latest/utilities/idempotency/
_ALSO = {
    "DeleteItem": ("Delete", "DynamoDBPersistenceLayer"),
    "BatchWriteItem": ("batch_writer",),
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
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/rbac-attach-resource-policy-streams.html
    if stream := stage.stack.resources[ORDERS].attributes.get("StreamArn"):
        for action in ("PutResourcePolicy", "DeleteResourcePolicy"):
            yield f"dynamodb:{action}", stream, "it reads the stream and lets nobody else in"
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


def seldom_needed(stage: Stage) -> Iterator[Request]:
    """Requests on the stack's own resources: a function may be allowed them that makes them."""
    for table in stage.stack.of_type("AWS::DynamoDB::Table"):
        if table.logical_id != ORDERS:
            for action in _RARE:
                yield f"dynamodb:{action}", table.attributes["Arn"], "it never does that"
    for kind, (service, actions) in _BESIDES.items():
        for resource in stage.stack.of_type(kind):
            place = _arn(resource) + ("/2026/11/note.json" if service == "s3" else "")
            for action in actions:
                yield f"{service}:{action}", place, "it only sends there"


def excused(stage: Stage, request: Request, used: set[tuple[str, str]]) -> bool:
    """Whether the function makes such a request: a play has seen it, or its code says so.

    A documented choice: code that names the call needs the right for it, also in a branch that no
    play reaches. Who allows what nothing in the code can do is refused.
    """
    action, resource, _ = request
    bucket = resource.partition("/")[0] if action.startswith("s3:") else resource
    if any(done == action and arn.startswith(bucket) for done, arn in used):
        return True
    return _says(action.partition(":")[2], _words(stage))


def _says(action: str, words: set[str]) -> bool:
    """Whether the names and texts of some code call an action."""
    if action.startswith("PartiQL"):
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-iam.html
        verb = action.removeprefix("PartiQL").lower()
        return any("execute_" in one for one in words) and any(
            one.lstrip().lower().startswith(verb) for one in words
        )
    names = {re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower(), *_ALSO.get(action, ())}
    return bool(names & words)


def _words(stage: Stage) -> set[str]:
    """Every name, attribute and text in the function's code; comments say nothing."""
    found: set[str] = set()
    for path in sorted(stage.folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue  # what Python cannot read, it cannot do
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def _arn(resource: Resource) -> str:
    return str(resource.attributes.get("TopicArn") or resource.attributes["Arn"])
