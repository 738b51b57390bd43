"""The account behind the mock endpoint: stacks that come, change and go on one virtual clock.

A `grader.cloud.pipeline.Pipeline` is one stack for the length of one scenario. The pages about deploying
need more: a bucket before there is a stack, a stack that is updated from lab to lab, and a stack
that is deleted. The parts are the same: `grader.cloud.template` resolves, `grader.cloud.account` holds the
data, `grader.cloud.function` runs the code, `grader.cloud.mapping` polls.

What an update of a stack cannot do here is refused by name, never left out.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader.cloud import template
from grader.cloud.account import Account
from grader.cloud.aws import Call, Refused, Reply, ServiceError
from grader.cloud.clock import START_MS, Clock
from grader.cloud.cloudwatch import emf
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.function import FunctionHost, LogLine, Nursery
from grader.cloud.iam import policies as permissions
from grader.cloud.mapping import Concurrency, EventSourceMappings
from grader.cloud.mapping.ports import Delivery, Function
from grader.cloud.metrics import Metrics
from grader.cloud.pipeline import function_spec
from grader.cloud.template import Resource, Stack

MINUTE_MS = 60_000
# How long a stack's creation, update or deletion takes here; afterwards its mappings are Enabled.
CHANGE_MS = 2 * MINUTE_MS

DATA = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::SQS::Queue",
        "AWS::SNS::Topic",
        "AWS::SNS::Subscription",
        "AWS::S3::Bucket",
        "AWS::Logs::LogGroup",
    }
)
# What holds no state here: it is read from the stack whenever somebody asks.
READ_FROM_STACK = frozenset(
    {
        "AWS::IAM::Role",
        "AWS::IAM::Policy",
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
# Properties of a table that change nothing of what a command of the course can see.
_UNSEEN_OF_TABLES = frozenset(
    {"Tags", "SSESpecification", "PointInTimeRecoverySpecification", "DeletionProtectionEnabled"}
)


class StackFailed(Exception):
    """A stack could not be created, changed or deleted; the message is the reason."""


@dataclass
class Deployed:
    """A stack as it stands. ``created_ms`` stays through all updates."""

    stack: Stack
    body: str
    created_ms: int
    changed_ms: int
    status: str


class Cloud:
    """One account in one Region. ``folder`` is where the code of functions is unpacked."""

    def __init__(self, nursery: Nursery, folder: Path) -> None:
        self.clock = Clock(START_MS)
        self.metrics = Metrics()
        self.account = Account(self.clock, self.metrics)
        self.stacks: dict[str, Deployed] = {}
        self.gone: dict[str, Deployed] = {}
        self.functions: dict[str, FunctionHost] = {}
        self.concurrency = Concurrency()
        # Alarms that were made by hand, beside those of stacks: name to PutMetricAlarm's members.
        self.alarms: dict[str, dict[str, Any]] = {}
        self.mappings = EventSourceMappings(
            clock=self.clock,
            metrics=self.metrics,
            destinations=self,
            find_function=self.functions.get,
            find_stream=self.account.streams.get,
            can_read=self._why_unreadable,
            concurrency=self.concurrency,
        )
        self._nursery = nursery
        self._folder = folder
        self._roles: dict[str, tuple[str, list[permissions.PolicyDocument]]] = {}
        # When each stack's first template was resolved: streams are labelled by it.
        self._created: dict[str, int] = {}
        self._unpacked = 0
        self._log_streams: set[tuple[str, str]] = set()
        self._observe()

    def close(self) -> None:
        """End every function process and forget the account."""
        for host in self.functions.values():
            host.close()
        self.account.close()

    def run_for(self, milliseconds: int) -> None:
        """Let virtual time pass, and publish what the services have to say about it."""
        self.clock.run_for(milliseconds)
        self.mappings.flush()

    def _observe(self) -> None:
        self.account.observe()
        self.clock.after(MINUTE_MS, self._observe)

    # -- stacks ------------------------------------------------------------------------------

    def resolve(self, name: str, body: str, parameters: Mapping[str, str]) -> Stack:
        """The stack that a template would make. StackFailed with the first problem."""
        created_ms = self._created.setdefault(name, self.clock.now)
        try:
            return template.resolve(
                body, parameters=parameters, stack_name=name, created_ms=created_ms
            )
        except template.TemplateProblems as problems:
            raise StackFailed(str(problems.problems[0])) from None

    def create(self, stack: Stack, body: str) -> None:
        """Create a stack, or bring the one of that name to this state."""
        old = self.stacks.get(stack.name)
        before = dict(old.stack.resources) if old else {}
        try:
            self._to(stack, before)
        except (Refused, ServiceError) as problem:
            raise StackFailed(str(problem)) from None
        self.run_for(CHANGE_MS)
        status = "UPDATE_COMPLETE" if old else "CREATE_COMPLETE"
        self.stacks[stack.name] = Deployed(
            stack, body, self._created[stack.name], self.clock.now, status
        )

    def delete(self, name: str) -> None:
        """Delete a stack; what has another DeletionPolicy stays. StackFailed when S3 refuses."""
        known = self.stacks[name]
        going = [one for one in known.stack.resources.values() if one.deletion_policy == "Delete"]
        for table in going:
            if table.type == "AWS::DynamoDB::Table" and self.is_protected(table.physical_id):
                known.status = "DELETE_FAILED"
                raise StackFailed(f"The table {table.logical_id} has deletion protection.")
        for bucket in going:
            if bucket.type == "AWS::S3::Bucket" and self.account.objects(bucket.physical_id):
                known.status = "DELETE_FAILED"
                raise StackFailed(f"The bucket {bucket.logical_id} is not empty.")
        for kind in ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::Function"):
            for resource in going:
                if resource.type == kind:
                    self._remove(resource)
        self.run_for(CHANGE_MS)
        for resource in going:
            if resource.type in DATA:
                self._remove(resource)
        known.status = "DELETE_COMPLETE"
        self.gone[name] = self.stacks.pop(name)
        del self._created[name]

    def _to(self, stack: Stack, before: Mapping[str, Resource]) -> None:
        new = [one for name, one in stack.resources.items() if name not in before]
        self.account.deploy(_with_data_of(stack, {one.logical_id for one in new}))
        for resource in stack.resources.values():
            old = before.get(resource.logical_id)
            if old is not None and old.physical_id != resource.physical_id:
                raise StackFailed(f"{resource.logical_id}: a replacement is not acted out here.")
            if resource.type == "AWS::Lambda::Function":
                self._function(resource, stack)
            elif resource.type == "AWS::Lambda::EventSourceMapping":
                self._mapping(resource, old)
            elif old is not None and old.properties != resource.properties:
                self._change(resource, old)
        for name, old in before.items():
            if name not in stack.resources and old.deletion_policy == "Delete":
                self._remove(old)

    def _function(self, resource: Resource, stack: Stack) -> None:
        folder = self._code(resource)
        spec = function_spec(
            replace(resource, properties={**resource.properties, "Code": "."}), folder, stack
        )
        role = stack.by_arn(spec.role)
        documents = permissions.documents(stack, role) if role else []
        self._roles[spec.arn] = (spec.role, documents)

        def answer(call: Call) -> Reply:
            return self.account.answer(call, documents, role_arn=spec.role, function=spec.name)

        def log(line: LogLine) -> None:
            points = emf.extract(line.text, log_format=spec.log_format, time_ms=line.time_ms).points
            emf.record(points, self.metrics)
            self._log(spec.log_group, line)

        if spec.name in self.functions:
            self.functions[spec.name].close()
        self.functions[spec.name] = FunctionHost(spec, self.clock, self._nursery, answer, log=log)
        reserved = resource.properties.get("ReservedConcurrentExecutions")
        if reserved is not None:
            self.concurrency.reserve(spec.name, int(reserved))

    def _log(self, group: str, line: LogLine) -> None:
        """Lambda makes the group when it is missing, without a retention."""
        if group not in self.account.logs.groups:
            self.account.logs.create(group, None)
        stream = f"2026/11/02/[$LATEST]{line.environment:032x}"
        place = {"logGroupName": group, "logStreamName": stream}
        answer = self.account.logs.answer
        if (group, stream) not in self._log_streams:
            self._log_streams.add((group, stream))
            answer("CreateLogStream", place)
        event = {"timestamp": line.time_ms, "message": line.text}
        answer("PutLogEvents", {**place, "logEvents": [event]})

    def _code(self, resource: Resource) -> Path:
        """The function's archive from the bucket that it was packaged into, unpacked."""
        place = resource.properties["Code"]
        if not isinstance(place, Mapping) or "S3Bucket" not in place:
            raise StackFailed(
                f"{resource.logical_id}: Code must be an archive in S3; package the template first."
            )
        try:
            archive = self.account.objects(str(place["S3Bucket"]))[str(place["S3Key"])]
        except KeyError:
            raise StackFailed("Error occurred while GetObject. S3 Error Code: NoSuchKey.") from None
        self._unpacked += 1
        folder = self._folder / f"code-{self._unpacked}"
        zipfile.ZipFile(io.BytesIO(archive)).extractall(folder)
        return folder

    def _mapping(self, resource: Resource, old: Resource | None) -> None:
        if old is None:
            self.mappings.create(resource.properties, uuid=resource.physical_id)
            return
        fixed = ("EventSourceArn", "StartingPosition")
        for name in fixed:
            if old.properties.get(name) != resource.properties.get(name):
                raise StackFailed(f"{resource.logical_id}: a replacement is not acted out here.")
        wanted = {**resource.properties, **_defaults(old, resource)}
        self.mappings.update(
            resource.physical_id,
            {name: value for name, value in wanted.items() if name not in fixed},
        )

    def _change(self, resource: Resource, old: Resource) -> None:
        changed = {
            name
            for name in {*old.properties, *resource.properties}
            if old.properties.get(name) != resource.properties.get(name)
        }
        if resource.type in READ_FROM_STACK:
            return
        if resource.type == "AWS::DynamoDB::Table":
            if "DeletionProtectionEnabled" in changed:
                on = bool(resource.properties.get("DeletionProtectionEnabled"))
                self.protect(resource.physical_id, on)
            changed -= _UNSEEN_OF_TABLES
            if "StreamSpecification" in changed:
                self._change_stream(resource)
                changed.discard("StreamSpecification")
        elif resource.type == "AWS::Logs::LogGroup":
            days = resource.properties.get("RetentionInDays")
            group = {"logGroupName": resource.physical_id}
            if days is not None:
                self.account.logs.answer("PutRetentionPolicy", {**group, "retentionInDays": days})
            changed.discard("RetentionInDays")
            changed.discard("Tags")
        elif resource.type in ("AWS::SQS::Queue", "AWS::SNS::Topic"):
            changed -= {"Tags", "SqsManagedSseEnabled", "KmsMasterKeyId"}
        if changed:
            raise StackFailed(
                f"{resource.logical_id}: a change of {', '.join(sorted(changed))} is not acted out."
            )

    def _change_stream(self, resource: Resource) -> None:
        name = resource.physical_id
        stream = self.account.tables.streams.get(name)
        if stream is not None and stream.disabled_ms is None:
            self.account.disable_stream(name)
        wanted = resource.properties.get("StreamSpecification")
        if wanted:
            new = Stream(
                table=name,
                keys=self.account.tables.keys_of(name),
                view=str(wanted["StreamViewType"]),
                created_ms=self.clock.now,
            )
            arn = resource.attributes.get("StreamArn")
            if arn is not None and arn != new.arn:
                raise StackFailed(f"{resource.logical_id}: a second stream is not acted out here.")
            self.account.add_stream(new)

    def _remove(self, resource: Resource) -> None:
        name = resource.physical_id
        remove: Callable[[], Any] | None = {
            "AWS::Lambda::EventSourceMapping": lambda: self.mappings.delete(name),
            "AWS::Lambda::Function": lambda: self.functions.pop(name).close(),
            "AWS::DynamoDB::Table": lambda: self.delete_table(name),
            "AWS::SQS::Queue": lambda: self.delete_queue(name),
            "AWS::SNS::Topic": lambda: self.account.topics.by_arn.pop(name),
            "AWS::SNS::Subscription": lambda: self._unsubscribe(resource),
            "AWS::S3::Bucket": lambda: self.delete_bucket(name),
            "AWS::Logs::LogGroup": lambda: self.delete_log_group(name),
        }.get(resource.type)
        if remove is not None:
            remove()
        elif resource.type not in READ_FROM_STACK:
            raise StackFailed(f"{resource.logical_id}: {resource.type} cannot be removed here.")

    # -- single resources --------------------------------------------------------------------

    def protect(self, table: str, on: bool) -> dict[str, Any]:
        """Switch a table's deletion protection on or off."""
        params = {"TableName": table, "DeletionProtectionEnabled": on}
        return self.account.tables.answer("UpdateTable", params)

    def is_protected(self, table: str) -> bool:
        """Whether a table has deletion protection."""
        described = self.account.tables.answer("DescribeTable", {"TableName": table})
        return bool(described["Table"]["DeletionProtectionEnabled"])

    def delete_table(self, name: str) -> dict[str, Any]:
        """DeleteTable; its stream stays readable for 24 hours."""
        stream = self.account.tables.streams.get(name)
        if stream is not None and stream.disabled_ms is None:
            self.account.disable_stream(name)
        answer = self.account.tables.answer("DeleteTable", {"TableName": name})
        self.account.tables.streams.pop(name, None)
        return answer

    def delete_queue(self, url: str) -> None:
        """DeleteQueue."""
        name = self.account.queues.name_of(url)
        self.account.queues.answer("DeleteQueue", {"QueueUrl": url})
        del self.account.queues.arns[name]

    def delete_bucket(self, name: str) -> None:
        """DeleteBucket, of an empty one. moto's own, past the door that functions use."""
        with self.account._world.entered():
            self.account._world.backend("s3").delete_bucket(name)
        self.account.buckets.names.remove(name)

    def delete_log_group(self, name: str) -> None:
        """DeleteLogGroup."""
        self.account.logs.answer("DeleteLogGroup", {"logGroupName": name})
        self.account.logs.groups.remove(name)
        self._log_streams = {one for one in self._log_streams if one[0] != name}

    def _unsubscribe(self, resource: Resource) -> None:
        topic = self.account.topics.by_arn.get(str(resource.properties["TopicArn"]))
        if topic is not None:
            topic.subscriptions = [
                one
                for one in topic.subscriptions
                if one.endpoint != str(resource.properties["Endpoint"])
            ]

    # -- what mappings ask for ---------------------------------------------------------------

    def _why_unreadable(self, function: Function, stream_arn: str) -> str | None:
        _, documents = self._roles[function.arn]
        for action in ("GetRecords", "GetShardIterator", "DescribeStream"):
            verdict = permissions.evaluate(documents, f"dynamodb:{action}", stream_arn)
            if not verdict.allowed:
                return verdict.reason
        verdict = permissions.evaluate(documents, "dynamodb:ListStreams", "*")
        return None if verdict.allowed else verdict.reason

    def send(self, delivery: Delivery) -> str | None:
        """Deliver a failure note with the rights of the function that it is about."""
        role_arn, documents = self._roles[
            json.loads(delivery.body)["requestContext"]["functionArn"]
        ]
        return self.account.send(delivery, documents, role_arn=role_arn)

    # -- for assertions ----------------------------------------------------------------------

    def resource(self, stack: str, logical_id: str) -> Resource:
        """A resource of a stack that exists."""
        return self.stacks[stack].stack.resources[logical_id]

    def items(self, stack: str, table: str) -> list[dict[str, Any]]:
        """What lies in a table of a stack."""
        return self.account.items(self.resource(stack, table).physical_id)


def _with_data_of(stack: Stack, new: set[str]) -> Stack:
    """The stack without the data that exists already, so that it is not created again."""
    kept = {
        name: one for name, one in stack.resources.items() if one.type not in DATA or name in new
    }
    return replace(stack, resources=kept)


def _defaults(old: Resource, new: Resource) -> dict[str, Any]:
    """What a mapping's update must say about properties that the template no longer has."""
    standard: dict[str, Any] = {
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {"Destination": ""}},
        "FilterCriteria": {},
        "FunctionResponseTypes": [],
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "MetricsConfig": {"Metrics": []},
        "ParallelizationFactor": 1,
        "TumblingWindowInSeconds": 0,
    }
    return {name: standard[name] for name in old.properties if name not in new.properties}
