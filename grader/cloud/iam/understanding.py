"""Policies of a team's own stack, with what the evaluator does not know taken out and named.

A condition that it cannot decide is taken to hold where it allows; a denial under one goes. AWS's
managed policies that are not known here are looked up by the caller; those that nobody finds allow
nothing. What IAM itself would refuse stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from grader.cloud.iam.managed import MANAGED_POLICIES
from grader.cloud.iam.policies import PolicyRefused, as_list, policy

_ON_RESOURCES = ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy")
_OF_ROLES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")


def understood(stack: Any, published: Callable[[str], Any]) -> tuple[Any, list[str]]:
    """The stack with policies that can be evaluated, and a sentence for each part left out.

    ``published`` finds the document of one of AWS's managed policies by its name, or None.
    """
    told: list[str] = []
    resources = {}
    for name, resource in stack.resources.items():
        properties = resource.properties
        if resource.type == "AWS::IAM::Role":
            properties = _role(name, stack, properties, published, told)
        elif resource.type in (*_OF_ROLES, *_ON_RESOURCES):
            document = properties.get("PolicyDocument")
            on_resource = resource.type in _ON_RESOURCES
            properties = {**properties, "PolicyDocument": _known(name, document, told, on_resource)}
        resources[name] = replace(resource, properties=properties)
    return replace(stack, resources=resources), list(dict.fromkeys(told))


def _role(
    name: str,
    stack: Any,
    properties: Mapping[str, Any],
    published: Callable[[str], Any],
    told: list[str],
) -> dict[str, Any]:
    inline = [
        {**one, "PolicyDocument": _known(name, one.get("PolicyDocument"), told, False)}
        if isinstance(one, Mapping)
        else one
        for one in as_list(properties.get("Policies"))
    ]
    arns = []
    for arn in map(str, as_list(properties.get("ManagedPolicyArns"))):
        path = arn.partition(":policy/")[2] or arn
        if path in MANAGED_POLICIES or (":iam::aws:" not in arn and ":" in arn):
            arns.append(arn)
        elif (document := published(path.rpartition("/")[2])) is not None:
            what = f"{name}, with AWS's policy {path.rpartition('/')[2]}"
            known = _known(what, document, told, False)
            inline.append({"PolicyName": path.rpartition("/")[2], "PolicyDocument": known})
        else:
            told.append(f"{name}: the managed policy {arn} is not known; it allows nothing.")
    own = {
        value
        for one in stack.resources.values()
        if one.type == "AWS::IAM::ManagedPolicy"
        for value in (one.physical_id, *one.attributes.values())
    }
    outside = [arn for arn in arns if ":iam::aws:" not in arn and arn not in own]
    for arn in outside:
        told.append(f"{name}: the managed policy {arn} stands outside; it allows nothing.")
    left = {
        key: value
        for key, value in properties.items()
        if key not in ("Policies", "ManagedPolicyArns", "PermissionsBoundary")
    }
    if "PermissionsBoundary" in properties:
        told.append(f"{name}: its permissions boundary is not evaluated.")
    if inline:
        left["Policies"] = inline
    if kept := [arn for arn in arns if arn not in outside]:
        left["ManagedPolicyArns"] = kept
    return left


def _known(name: str, document: Any, told: list[str], on_resource: bool) -> Any:
    """The document with statements that the evaluator knows."""
    if not isinstance(document, Mapping):
        return document
    statements = []
    for statement in as_list(document.get("Statement")):
        try:
            policy(name, {**document, "Statement": [statement]}, resource_policy=on_resource)
        except PolicyRefused as refused:
            if refused.code != "NotEmulated":
                return document
            told.append(refused.message)
            bare = {key: one for key, one in statement.items() if key != "Condition"}
            if statement.get("Effect") == "Deny" or not _sound(name, document, bare, on_resource):
                continue
            statement = bare
        statements.append(statement)
    # IAM takes no document without a statement; this one says nothing about anything.
    nothing = {"Effect": "Allow", "Action": "none:None", "Resource": "*"}
    if on_resource:
        nothing["Principal"] = "*"
    return {**document, "Statement": statements or [nothing]}


def _sound(name: str, document: Mapping[str, Any], statement: Any, on_resource: bool) -> bool:
    try:
        policy(name, {**document, "Statement": [statement]}, resource_policy=on_resource)
    except PolicyRefused:
        return False
    return True
