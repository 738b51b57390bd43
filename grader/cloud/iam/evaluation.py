"""IAM's decision on an action and a resource, with a reason in words.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from grader.cloud.iam.conditions import Context, any_matches, full_context, holds
from grader.cloud.iam.policies import (
    PolicyDocument,
    PolicyRefused,
    Statement,
    _Resource,
    as_list,
    policy,
)


@dataclass(frozen=True, slots=True)
class Permission:
    """IAM's decision. ``statement`` is the one that decided, None for an implicit denial."""

    allowed: bool
    reason: str
    statement: Statement | None = None


def evaluate(
    documents: Iterable[PolicyDocument],
    action: str,
    resource: str,
    context: Context | None = None,
) -> Permission:
    """IAM's decision on ``action`` (``service:Action``) and ``resource`` (an ARN, or ``*``).

    An explicit Deny wins over every Allow; without an Allow the answer is no. ``context`` holds
    condition keys beside ``DEFAULT_CONTEXT``.
    """
    statements = [statement for document in documents for statement in document.statements]
    return _decide(statements, action, resource, full_context(context))


def evaluate_request(
    identity: Iterable[PolicyDocument],
    resource_policies: Iterable[PolicyDocument],
    principal: str,
    action: str,
    resource: str,
    context: Context | None = None,
) -> Permission:
    """IAM's decision when the resource has a policy of its own, within one account.

    ``principal`` is a role's ARN, or a service such as ``sns.amazonaws.com``. A Deny in either
    wins; an Allow in either suffices. An Allow to the whole account leaves the decision to the
    identity policies.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
    """
    statements = [statement for document in identity for statement in document.statements]
    for document in resource_policies:
        for statement in document.statements:
            if _names(statement, principal, delegate=statement.effect == "Deny"):
                statements.append(statement)
    return _decide(statements, action, resource, full_context(context))


def stream_denial(documents: Iterable[PolicyDocument], stream_arn: str) -> str | None:
    """Why a mapping's role may not read the stream, as a sentence; None when it may.

    Lambda asks for these four actions when a mapping is created. IAM lists no resource type for
    ListStreams, and Lambda still accepts it on the stream: AWS's own example policy names the
    stream's ARN. (A ListStreams call by function code needs ``*``; see ``calls``.)
    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-example.html
    """
    known = list(documents)
    for action in ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams"):
        verdict = evaluate(known, f"dynamodb:{action}", stream_arn)
        if not verdict.allowed:
            return verdict.reason
    return None


def _names(statement: Statement, principal: str, *, delegate: bool) -> bool:
    """Whether the statement is about ``principal``; ``delegate`` counts its account as well."""
    account = principal.split(":")[4] if principal.startswith("arn:") else None
    for kind, value in statement.principals:
        if kind == "Service":
            if value == principal:
                return True
            continue
        own_account = (account, f"arn:aws:iam::{account}:root")
        if value in ("*", principal) or (delegate and account and value in own_account):
            return True
    return False


def _decide(
    statements: Iterable[Statement], action: str, resource: str, context: Mapping[str, Any]
) -> Permission:
    allowed: Statement | None = None
    for statement in statements:
        if not _covers(statement, action, resource, context):
            continue
        if statement.effect == "Deny":
            return Permission(False, f"{statement} denies {action} on {resource}", statement)
        allowed = allowed or statement
    if allowed is not None:
        return Permission(True, f"{allowed} allows {action} on {resource}", allowed)
    return Permission(False, f"no policy allows {action} on {resource}")


def _covers(statement: Statement, action: str, resource: str, context: Mapping[str, Any]) -> bool:
    named = statement.actions or statement.not_actions
    if any_matches(named, action, fold=True) != bool(statement.actions):
        return False
    named = statement.resources or statement.not_resources
    if any_matches(named, resource) != bool(statement.resources):
        return False
    return all(holds(condition, context) for condition in statement.conditions)


def trust_problem(role: _Resource, service: str = "lambda.amazonaws.com") -> str | None:
    """Why ``service`` cannot assume the role, as a sentence; None when it can.

    Lambda refuses to create a function or a mapping with a role it cannot assume:
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    """
    name = f"{role.logical_id} AssumeRolePolicyDocument"
    raw = role.properties.get("AssumeRolePolicyDocument")
    if not isinstance(raw, Mapping):
        return f"{name} is missing."
    # A trust policy names no Resource: the role itself is the resource.
    statements = [
        {**one, "Resource": "*"} if isinstance(one, Mapping) else one
        for one in as_list(raw.get("Statement"))
    ]
    try:
        trust = policy(name, {**raw, "Statement": statements}, resource_policy=True)
    except PolicyRefused as refused:
        return refused.message
    verdict = _decide(
        [
            statement
            for statement in trust.statements
            if ("Service", service) in statement.principals or ("AWS", "*") in statement.principals
        ],
        "sts:AssumeRole",
        "*",
        full_context(None),
    )
    if verdict.allowed:
        return None
    return f"{name} does not let {service} perform sts:AssumeRole."
