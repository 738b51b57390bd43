"""Shapes that several resource types share, and small helpers for their rules."""

from __future__ import annotations

from typing import Any

from grader.cloud.template.shapes import Text
from grader.cloud.template.unknown import unknown

TAGS = "tags are kept with the resource and change nothing"
ENCRYPTION = "encryption is recorded; neither its effect nor the key's permissions are"


def arn_of(says: str, service: str = r"[a-z0-9-]+") -> Text:
    """Return the shape of an ARN of ``service`` (a pattern); ``says`` is the sentence."""
    return Text(pattern=rf"arn:[a-z-]+:{service}:[^:\s]*:[^:\s]*:\S+", says=says)


ROLE_ARN = arn_of(
    "it must be a role's ARN; Ref of a role is only its name, use GetAtt Role.Arn.", "iam"
)
ANY_ARN = arn_of("it must be an ARN; use GetAtt with the attribute Arn.")
QUEUE_ARN = arn_of(
    "it must be a queue's ARN; Ref of a queue is its URL, use GetAtt Queue.Arn.", "sqs"
)
TOPIC_ARN = arn_of("it must be a topic's ARN, which is what Ref of a topic yields.", "sns")


LOG_GROUP_NAME = Text(
    low=1,
    high=512,
    pattern=r"[.\-_/#A-Za-z0-9]+",
    says="AWS takes letters, digits, and the characters . - _ / # "
    "(a log group's name is what Ref yields, not its ARN).",
)


def text(properties: dict[str, Any], name: str) -> str | None:
    """Return a property as text; None when it is absent or Unknown."""
    value = properties.get(name)
    return value if isinstance(value, str) and not unknown(value) else None


def entries(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """Return the objects of a list with their positions; nothing when there is no list."""
    if not isinstance(value, list):
        return []
    return [(number, one) for number, one in enumerate(value) if isinstance(one, dict)]
