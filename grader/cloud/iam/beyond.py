"""Permissions of calls that a team's own stack makes of services beyond the account.

Which resources an action is asked for stands in AWS's service authorization reference, a page for
each service: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
Where a call leaves open which of several resources AWS asks for, any of them will do. Conditions
are not judged here, and so an Allow counts without its conditions, and a Deny with some does not.

A resource of a policy that is no ARN of the action's own kind is not judged either: that is how
names come out that a template takes from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from grader.cloud.iam.conditions import any_matches, matches
from grader.cloud.iam.policies import PolicyDocument, Statement

Params = Mapping[str, Any]
# How the end of a secret's ARN stands here, and where it does in a policy.
_SIX = "-??????"
_SECRET = re.compile(r"-[A-Za-z0-9]{6}$")
# What one call asks for: for each thing that it touches the ARNs of which one must be allowed.
Asked = list[tuple[str, ...]]
_Rule = Callable[[Params, str], Asked]


def denied(
    documents: Sequence[PolicyDocument], action: str, params: Params, account_id: str, region: str
) -> str | None:
    """What no policy allows, like ``events:PutEvents on arn:…``; None when all is allowed.

    For an action without resources of its own the action alone counts.
    """
    statements = [
        replace(one, conditions=())
        for document in documents
        for one in document.statements
        if _acts(one, action) and (one.effect == "Allow" or not one.conditions)
    ]
    if not any(one.effect == "Allow" for one in statements):
        return action
    service = action.partition(":")[0]
    rule = _ASKED.get(action)
    for arns in rule(params, f"{region}:{account_id}") if rule is not None else ():
        if not any(_allowed(statements, f"arn:aws:{service}:{arn}") for arn in arns):
            return f"{action} on arn:aws:{service}:{arns[0]}"
    return None


def touched(action: str, params: Params, account_id: str, region: str) -> list[str] | None:
    """The ARNs of what a call is about; None when that is not known here."""
    rule = _ASKED.get(action)
    if rule is None:
        return None
    start = f"arn:aws:{action.partition(':')[0]}:"
    return [start + arn for arns in rule(params, f"{region}:{account_id}") for arn in arns]


def _acts(statement: Statement, action: str) -> bool:
    if statement.actions:
        return any_matches(statement.actions, action, fold=True)
    return not any_matches(statement.not_actions, action, fold=True)


def _allowed(statements: Iterable[Statement], arn: str) -> bool:
    found = {one.effect for one in statements if _covers(one, arn)}
    return found == {"Allow"}


def _covers(statement: Statement, arn: str) -> bool:
    if statement.not_resources:
        return not any(matches(one, arn) for one in statement.not_resources)
    kind = re.match(r"arn:[^:]*:[^:]*:[^:]*:[^:]*:[^:/]*[:/]", arn)
    for one in statement.resources:
        foreign = kind is not None and "*" not in one and not one.startswith(kind[0])
        known = arn.endswith(_SIX) and _SECRET.sub(_SIX, one) == arn
        if known or matches(one, arn) or (foreign and statement.effect == "Allow"):
            return True
    return False


def _own(value: Any, where: str, kind: str) -> str:
    """A name as the end of an ARN of this kind; an ARN as it stands."""
    text = str(value)
    if text.startswith("arn:"):
        return text.split(":", 3)[-1] if text.count(":") >= 5 else text
    return f"{where}:{kind}{text}"


def _named(kind: str, *members: str) -> _Rule:
    """The rule of calls that name what they touch in one of these members."""

    def rule(params: Params, where: str) -> Asked:
        given = [params[one] for one in members if params.get(one)]
        return [(_own(given[0], where, kind),)] if given else []

    return rule


def _events(params: Params, where: str) -> Asked:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html"""
    entries = [one for one in params.get("Entries") or () if isinstance(one, Mapping)]
    buses = dict.fromkeys(str(one.get("EventBusName") or "default") for one in entries)
    return [(_own(bus, where, "event-bus/"),) for bus in buses]


def _function(params: Params, where: str) -> Asked:
    """A function, with the version or alias that is called, if one is.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
    """
    text = str(params.get("FunctionName", ""))
    name = text.split(":function:")[-1].removeprefix("function:")
    start = where
    if text.startswith("arn:") and text.count(":") >= 6:
        start = ":".join(text.split(":")[3:5])
    qualifier = params.get("Qualifier")
    return [(f"{start}:function:{name}{f':{qualifier}' if qualifier else ''}",)]


def _secret(params: Params, where: str) -> Asked:
    """A secret's ARN ends in six characters that nobody chooses; a policy may know them.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html
    """
    asked = str(params.get("SecretId", ""))
    if not asked.startswith("arn:"):
        return [(f"{where}:secret:{asked}{_SIX}",)]
    name = _SECRET.sub("", asked.split(":secret:")[-1])
    whole = _own(asked, where, "secret:")
    return [(f"{where}:secret:{name}{_SIX}", whole)]


def _parameters(params: Params, where: str) -> Asked:
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html"""
    names = params.get("Names") or [params.get("Name", "")]
    return [(_own(str(one).lstrip("/"), where, "parameter/"),) for one in names]


def _path(params: Params, where: str) -> Asked:
    """Both spellings of the path: which one AWS asks for is not documented."""
    path = str(params.get("Path", "/")).strip("/")
    return [(f"{where}:parameter/{path}", f"{where}:parameter/{path}/")]


def _sender(params: Params, where: str) -> Asked:
    """The identity that sends: the address or its domain, whichever is verified.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonses.html
    """
    text = str(params.get("Source") or params.get("FromEmailAddress") or "")
    found = re.search(r"[^\s<>@]+@([^\s<>]+)", text)
    if found is None:
        return []
    return [(f"{where}:identity/{found[0]}", f"{where}:identity/{found[1]}")]


_ASKED: Mapping[str, _Rule] = {
    "events:PutEvents": _events,
    "firehose:PutRecord": _named("deliverystream/", "DeliveryStreamName"),
    "firehose:PutRecordBatch": _named("deliverystream/", "DeliveryStreamName"),
    "kinesis:PutRecord": _named("stream/", "StreamARN", "StreamName"),
    "kinesis:PutRecords": _named("stream/", "StreamARN", "StreamName"),
    "lambda:InvokeFunction": _function,
    "secretsmanager:GetSecretValue": _secret,
    "ses:SendEmail": _sender,
    "ses:SendRawEmail": _sender,
    "ses:SendTemplatedEmail": _sender,
    "ssm:GetParameter": _parameters,
    "ssm:GetParameters": _parameters,
    "ssm:GetParametersByPath": _path,
    "states:StartExecution": _named("stateMachine:", "stateMachineArn"),
}

# The actions whose calls say what they are about.
TELLING = frozenset(_ASKED)
