"""Who reads which table, with which role: the template seen from a consumer.

A consumer is one event source mapping that reads a DynamoDB stream. Everything here answers from a
resolved Stack and says so when a thing stands outside the template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from grader.cloud.template import known, shown, unknown
from grader.cloud.template.model import Problem, Resource, Stack
from grader.review.checklist.answers import Answer, Evidence, unmet, unsure
from grader.review.checklist.grants import Grants, grants_of

MAPPING = "AWS::Lambda::EventSourceMapping"
PIPE = "AWS::Pipes::Pipe"
# Where a pipe keeps what a mapping calls by these names.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-pipes-pipe-pipesourcedynamodbstreamparameters.html
_IN_A_PIPE: dict[str, tuple[str, ...]] = {
    "EventSourceArn": ("Source",),
    "FunctionName": ("Target",),
    "Enabled": ("DesiredState",),
    "FilterCriteria": ("SourceParameters", "FilterCriteria"),
    "DestinationConfig": ("SourceParameters", "DynamoDBStreamParameters", "DeadLetterConfig"),
}
_PIPE_SETTINGS = ("SourceParameters", "DynamoDBStreamParameters")
TABLES = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
# What hands out values of resources that stand elsewhere.
_ELSEWHERE = ("AWS::CloudFormation::", "Custom::")


# -- small readers of property values ---------------------------------------------------------


def inside(value: Any, *path: str) -> Any:
    """The value at a path of keys; None when it is absent, an unknown value when that is "
    "unknown."""
    for step in path:
        if unknown(value):
            return value
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def objects(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of a list with their positions; a single object counts as a list of one."""
    if isinstance(value, Mapping):
        value = [value]
    if isinstance(value, list):
        for position, one in enumerate(value):
            if isinstance(one, Mapping):
                yield position, one


def words(value: Any) -> list[str]:
    """The texts of a list; a single text counts as a list of one."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str)]


# -- whose is a value -------------------------------------------------------------------------


def owner(stack: Stack, value: Any) -> Resource | None:
    """The resource that a name, an ARN or a mark belongs to, None when it is not in the "
    "template."""
    if not isinstance(value, str) or not value:
        return None
    best: tuple[int, Resource | None] = (0, None)
    for resource in stack.resources.values():
        for one in (resource.physical_id, *resource.attributes.values()):
            if not isinstance(one, str) or not one:
                continue
            one = one.removesuffix(":*")
            same = value == one
            below = one.startswith("arn:") and value.startswith((one + ":", one + "/"))
            if (same or below) and len(one) > best[0]:
                best = (len(one), resource)
    return best[1]


def function_of(stack: Stack, value: Any) -> Resource | None:
    """The function that a name, an ARN, a version or an alias belongs to."""
    for _ in range(3):  # an alias of a version of a function
        found = owner(stack, value)
        if found is None or found.type == "AWS::Lambda::Function":
            break
        if found.type not in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
            return None
        value = found.properties.get("FunctionName")
    if found is None and isinstance(value, str) and ":" in value and known(value):
        # A partial ARN (account:function:name) or a name with a qualifier (name:alias).
        name = value.split(":function:")[-1].removeprefix("function:").split(":")[0]
        found = owner(stack, name)
    return found if found is not None and found.type == "AWS::Lambda::Function" else None


# -- the consumer -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Consumer:
    """One event source mapping or pipe on a DynamoDB stream, and what belongs to it.

    Both are asked by the mapping's names; ``path`` tells where a pipe keeps them.
    ``function``, ``table`` and ``role`` are None when they stand outside the template.
    ``certain`` is False when the source could be something else than a DynamoDB stream.
    """

    stack: Stack = field(repr=False)
    mapping: Resource
    hidden: tuple[Problem, ...] = field(default=(), repr=False)
    certain: bool = True

    @property
    def name(self) -> str:
        """The mapping's logical id."""
        return self.mapping.logical_id

    @property
    def pipe(self) -> bool:
        """Whether the consumer is a pipe of EventBridge."""
        return self.mapping.type == PIPE

    def path(self, *path: str | int) -> tuple[str | int, ...]:
        """Where a property of a mapping stands in this consumer's own properties."""
        if not self.pipe or not path:
            return path
        first, *rest = path
        if first == "DestinationConfig":
            return (*_IN_A_PIPE[str(first)], *(["Arn"] if rest else []))
        return (*_IN_A_PIPE.get(str(first), (*_PIPE_SETTINGS, str(first))), *rest)

    @cached_property
    def function(self) -> Resource | None:
        """The function that is invoked, a pipe's target too."""
        return function_of(self.stack, self.value("FunctionName"))

    @cached_property
    def table(self) -> Resource | None:
        """The table whose stream is read."""
        found = owner(self.stack, self.value("EventSourceArn"))
        return found if found is not None and found.type in TABLES else None

    @cached_property
    def role(self) -> Resource | None:
        """The function's role."""
        if self.pipe:
            found = owner(self.stack, self.mapping.properties.get("RoleArn"))
        elif self.function is None:
            return None
        else:
            found = owner(self.stack, self.function.properties.get("Role"))
        return found if found is not None and found.type == "AWS::IAM::Role" else None

    @cached_property
    def grants(self) -> Grants | None:
        """What the role allows; None when the role stands outside the template."""
        return grants_of(self.stack, self.role) if self.role is not None else None

    @property
    def destination(self) -> Any:
        """The on-failure destination's ARN as the mapping has it; None when there is none."""
        value = self.value("DestinationConfig", "OnFailure", "Destination")
        return value or None

    @cached_property
    def destination_resource(self) -> Resource | None:
        """The on-failure destination as a resource of the template."""
        return owner(self.stack, self.destination)

    @property
    def siblings(self) -> list[Resource]:
        """The mappings and pipes of the template that read the same stream, this one included."""
        arn = self.value("EventSourceArn")
        return [
            one
            for kind, name in ((MAPPING, "EventSourceArn"), (PIPE, "Source"))
            for one in self.stack.of_type(kind)
            if one.properties.get(name) == arn
        ]

    def value(self, *path: str) -> Any:
        """A property of the mapping."""
        return inside(self.mapping.properties, *map(str, self.path(*path)))

    def hiding(self) -> str:
        """What may hold more resources than can be seen, as a clause; empty when nothing does."""
        if not self.hidden:
            return ""
        more = f" and {len(self.hidden) - 1} more" if len(self.hidden) > 1 else ""
        return f"{self.hidden[0].sentence} (line {self.hidden[0].line}){more}"

    def absent(self, detail: str, *evidence: Evidence) -> Answer:
        """The answer when something is not in the template: *not met*, unless parts are hidden."""
        if self.hidden:
            return unsure(f"{detail} It may be out of sight: {self.hiding()}.", *evidence)
        return unmet(detail, *evidence)


def consumers(stack: Stack, hidden: tuple[Problem, ...] = ()) -> tuple[Consumer, ...]:
    """Every mapping and every pipe that reads a DynamoDB stream, in template order."""
    found = []
    for mapping in stack.resources.values():
        if mapping.type not in (MAPPING, PIPE):
            continue
        reads = _reads_dynamodb(stack, mapping)
        if reads is not False:
            found.append(Consumer(stack, mapping, hidden, certain=bool(reads)))
    return tuple(found)


def _reads_dynamodb(stack: Stack, mapping: Resource) -> bool | None:
    """Whether the mapping reads a DynamoDB stream; None when it may."""
    arn = mapping.properties.get("Source" if mapping.type == PIPE else "EventSourceArn")
    if arn is None or not isinstance(arn, str):
        # A strictly resolved stack hands out Unknown for what is no DynamoDB stream.
        return None if arn is not None and unknown(arn) and _has_position(mapping) else False
    service = re.match(r"arn:[^:]*:([a-z0-9-]+):", arn)
    if service is not None:
        return service[1] == "dynamodb"
    found = owner(stack, arn)
    if found is not None and not found.type.startswith(_ELSEWHERE):
        return found.type in TABLES
    if known(arn) or not _has_position(mapping):
        return False
    # The source is given from outside. Its name is all there is to go by.
    hint = shown(arn).lower() + " " + mapping.logical_id.lower()
    if any(word in hint for word in ("dynamo", "ddb", "table")):
        return True
    if any(word in hint for word in ("kinesis", "kafka", "msk", "sqs", "queue", "docdb")):
        return False
    return None


def _has_position(mapping: Resource) -> bool:
    if mapping.type == PIPE:
        return "DynamoDBStreamParameters" in (mapping.properties.get("SourceParameters") or {})
    # Queues take no starting position; the other sources below have members of their own.
    own = ("AmazonManagedKafkaEventSourceConfig", "SelfManagedEventSource", "Topics", "Queues")
    return "StartingPosition" in mapping.properties and not any(
        name in mapping.properties for name in own
    )
