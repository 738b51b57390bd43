"""What a statement's patterns and conditions compare, and how.

Wildcards are matched without backtracking, so that no pattern of a template can hold anybody up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from grader.cloud.aws import ACCOUNT_ID, REGION

Context = Mapping[str, "str | Sequence[str]"]

# What every request of the emulated account carries, unless the caller says otherwise.
DEFAULT_CONTEXT: Context = MappingProxyType(
    {
        "aws:SecureTransport": "true",
        "aws:RequestedRegion": REGION,
        "aws:ResourceAccount": ACCOUNT_ID,
        "aws:PrincipalAccount": ACCOUNT_ID,
        "s3:ResourceAccount": ACCOUNT_ID,
        # SNS still takes it, and writes it into the policy that it gives every topic.
        # https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
        "aws:SourceOwner": ACCOUNT_ID,
    }
)

KNOWN_KEYS = frozenset(
    key.lower()
    for key in (
        *DEFAULT_CONTEXT,
        "aws:SourceArn",
        "aws:SourceAccount",
        "aws:PrincipalArn",
        "aws:PrincipalType",
        "aws:ViaAWSService",
        "cloudwatch:namespace",
        "lambda:SourceFunctionArn",
    )
)


@lru_cache(maxsize=4096)
def any_matches(patterns: tuple[str, ...], text: str, *, fold: bool = False) -> bool:
    """Whether one of the patterns matches, with ``fold`` without regard to case.

    Kept, because the same few questions come again with every call.
    """
    if fold:
        text, patterns = text.lower(), tuple(pattern.lower() for pattern in patterns)
    return any(matches(pattern, text) for pattern in patterns)


def matches(pattern: str, text: str) -> bool:
    """IAM's wildcards: ``*`` is any run of characters, ``?`` exactly one.

    Only the last ``*`` is ever extended: whatever an earlier one could take as well, the last one
    can. So the time is at most the product of the two lengths.
    """
    if len(pattern) - pattern.count("*") > len(text):
        return False
    at = 0
    star: int | None = None
    begun = 0
    position = 0
    while position < len(text):
        character = pattern[at] if at < len(pattern) else ""
        if character == "*":
            star, begun = at, position
            at += 1
        elif character and character in ("?", text[position]):
            at += 1
            position += 1
        elif star is not None:
            begun += 1
            at, position = star + 1, begun
        else:
            return False
    return not pattern[at:].strip("*")


def _arn_matches(pattern: str, text: str) -> bool:
    """Each of an ARN's six parts by itself, so that a wildcard does not cross a colon."""
    patterns, texts = pattern.split(":", 5), text.split(":", 5)
    return len(patterns) == len(texts) and all(map(matches, patterns, texts))


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (lambda wanted, value: wanted == value, False),
    "StringNotEquals": (lambda wanted, value: wanted == value, True),
    "StringEqualsIgnoreCase": (lambda wanted, value: wanted.lower() == value.lower(), False),
    "StringNotEqualsIgnoreCase": (lambda wanted, value: wanted.lower() == value.lower(), True),
    "StringLike": (matches, False),
    "StringNotLike": (matches, True),
    "ArnEquals": (_arn_matches, False),
    "ArnLike": (_arn_matches, False),
    "ArnNotEquals": (_arn_matches, True),
    "ArnNotLike": (_arn_matches, True),
    "Bool": (lambda wanted, value: wanted.lower() == value.lower(), False),
}


def operator_of(name: str) -> tuple[Callable[[str, str], bool], bool] | None:
    """How an operator compares, and whether it is negated; None for one that is not known."""
    if name == "Null":
        return (lambda wanted, value: wanted == value, False)
    return OPERATORS.get(name.removesuffix("IfExists"))


def holds(condition: tuple[str, str, tuple[str, ...]], context: Mapping[str, Any]) -> bool:
    """Whether a condition (operator, key, values) is met by a request with this context."""
    operator, key, wanted = condition
    value = context.get(key.lower())
    if operator == "Null":
        return ("true" if value is None else "false") in wanted
    known = operator_of(operator)
    assert known is not None
    compare, negated = known
    if value is None:
        # A missing key meets a negated operator and every ...IfExists, and no other.
        return negated or operator.endswith("IfExists")
    values = [value] if isinstance(value, str) else list(value)
    met = any(compare(one, text) for one in wanted for text in values)
    return met != negated


def full_context(context: Context | None) -> dict[str, Any]:
    """What a request carries, its keys in lower case, the caller's over the account's own."""
    merged = {key.lower(): value for key, value in DEFAULT_CONTEXT.items()}
    for key, value in (context or {}).items():
        merged[key.lower()] = value
    return merged
