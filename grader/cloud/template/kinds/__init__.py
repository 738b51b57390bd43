"""The table of resource types that the labs know.

One entry a type: its properties (emulated unless marked harmless or refused), the rules that AWS
applies to them together, what ``Ref`` and ``Fn::GetAtt`` yield. ``standing_of`` tells what
becomes of any other type.

Property names, types and ranges: the CloudFormation resource schemas, which are published at
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from grader.cloud.template.kinds.dynamodb import GLOBAL_TABLE, TABLE
from grader.cloud.template.kinds.functions import (
    ALIAS,
    EVENT_INVOKE_CONFIG,
    FUNCTION,
    MAPPING,
    PERMISSION,
    VERSION,
)
from grader.cloud.template.kinds.iam import IAM_POLICY, MANAGED_POLICY, ROLE, ROLE_POLICY
from grader.cloud.template.kinds.messaging import (
    BUCKET,
    BUCKET_POLICY,
    KMS_ALIAS,
    KMS_KEY,
    QUEUE,
    QUEUE_INLINE_POLICY,
    QUEUE_POLICY,
    SUBSCRIPTION,
    TOPIC,
    TOPIC_INLINE_POLICY,
    TOPIC_POLICY,
)
from grader.cloud.template.kinds.watching import (
    ALARM,
    BUDGET,
    COMPOSITE_ALARM,
    DASHBOARD,
    LOG_GROUP,
    METRIC_FILTER,
)
from grader.cloud.template.model import did_you_mean
from grader.cloud.template.shapes import Use, as_field

KINDS = {
    kind.type: kind
    for kind in (
        BUDGET,
        ALARM,
        COMPOSITE_ALARM,
        DASHBOARD,
        GLOBAL_TABLE,
        TABLE,
        MANAGED_POLICY,
        IAM_POLICY,
        ROLE,
        ROLE_POLICY,
        KMS_ALIAS,
        KMS_KEY,
        ALIAS,
        EVENT_INVOKE_CONFIG,
        MAPPING,
        FUNCTION,
        PERMISSION,
        VERSION,
        LOG_GROUP,
        METRIC_FILTER,
        BUCKET,
        BUCKET_POLICY,
        SUBSCRIPTION,
        TOPIC,
        TOPIC_POLICY,
        TOPIC_INLINE_POLICY,
        QUEUE,
        QUEUE_POLICY,
        QUEUE_INLINE_POLICY,
    )
}

# What changes a stack in ways that only AWS knows: other templates, and code of one's own.
_UNPLAYED = {
    "AWS::Serverless::": "it needs the transform of the Serverless Application Model; write the "
    "plain CloudFormation type, such as AWS::Lambda::Function",
    "AWS::CloudFormation::": "the labs play one stack without nesting, waiting or macros",
    "Custom::": "custom resources run code of their own during deployment",
}

# What is kept and would have done something that a test may count on.
_SILENT = {
    "AWS::Pipes::Pipe": "it is kept, and reads nothing. Its filter, batches, retries, failure "
    "notes and target are not proved by a test; labs check reads what it is set to",
}

Standing = Literal["played", "kept", "unplayed", "invalid"]


@cache
def _published() -> frozenset[str]:
    text = Path(__file__).with_name("types.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def standing_of(type: str) -> Standing:
    """What becomes of a resource of a type.

    *kept*: it is accepted, nothing happens, and what refers to it gets a made-up name. *unplayed*:
    AWS takes it and the labs cannot play it. *invalid*: there is no such type.
    """
    if type in KINDS:
        return "played"
    if type.startswith(tuple(_UNPLAYED)) or type.endswith("::MODULE"):
        return "unplayed"
    # Types of other publishers are known to their registry alone.
    if type in _published() or (type.count("::") == 2 and not type.startswith("AWS::")):
        return "kept"
    return "invalid"


def why_not(type: str) -> str:
    """Return the sentence for a type that the labs do not act out."""
    if type.endswith("::MODULE"):
        return f"The labs do not play {type}: a module is a template of its own."
    for prefix, reason in _UNPLAYED.items():
        if type.startswith(prefix):
            return f"The labs do not play {type}: {reason}."
    if standing_of(type) == "kept":
        reason = _SILENT.get(type, "it is kept, and nothing happens")
        return f"The labs do not play {type}: {reason}."
    return f"CloudFormation has no resource type {type}." + did_you_mean(type, tuple(KINDS))


class Support(NamedTuple):
    """What the labs make of one top-level property of a resource type."""

    type: str
    property: str
    use: Use
    note: str


def support() -> Iterator[Support]:
    """Yield every top-level property of every type, in alphabetical order."""
    for type, kind in sorted(KINDS.items()):
        for name, known in sorted(kind.fields.items()):
            field = as_field(known)
            yield Support(type, name, field.use, field.note)
