"""IAM roles and policies.

What a policy says is read by grader.cloud.iam; here it only has to be an object.
"""

from __future__ import annotations

from dataclasses import replace

from grader.cloud.template.kinds.base import Kind, Me, Names
from grader.cloud.template.kinds.common import TAGS, arn_of
from grader.cloud.template.kinds.schema import ByHand
from grader.cloud.template.shapes import Json, ListOf, Text, required

# What a policy says is read by grader.cloud.iam; here it only has to be an object.
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html

_NAME = Text(low=1, pattern=r"[\w+=,.@-]+", says="AWS takes letters, digits, and _ + = , . @ -")
_ROLE_NAME = Text(
    low=1,
    high=64,
    pattern=r"[\w+=,.@-]+",
    says="it must be a role's name, which is what Ref yields.",
)
_PATH = Text(pattern=r"/|/[!-~]+/", says="it must begin and end with a slash.", high=512)
_NO_USERS = "the labs have roles, no users and groups; attach the policy to Roles."
_USERS = {"Groups": _NO_USERS, "Users": _NO_USERS}


def _role_names(me: Me) -> Names:
    name = me.name("RoleName", limit=64)
    path = me.given("Path") or "/"
    return name, {
        "Arn": me.arn("iam", f"role{path}{name}", region=False),
        "RoleId": "AROA" + me.digest(17),
    }


ROLE = Kind(
    "AWS::IAM::Role",
    _role_names,
    ByHand(
        played="AssumeRolePolicyDocument ManagedPolicyArns Policies RoleName",
        kept={
            "Description": "",
            "MaxSessionDuration": "",
            "Path": "",
            "PermissionsBoundary": "a boundary outside the template is not evaluated",
            "Tags": TAGS,
        },
        shapes={
            "AssumeRolePolicyDocument": Json(),
            "ManagedPolicyArns": ListOf(
                arn_of(
                    "it must be a policy's ARN, such as arn:aws:iam::aws:policy/service-role/….",
                    "iam",
                ),
                high=20,
                unique=True,
            ),
            "Path": _PATH,
            "Policies.PolicyDocument": Json(),
            "Policies.PolicyName": replace(_NAME, high=128),
            "RoleName": _NAME,
        },
    ),
    attributes=("Arn", "RoleId"),
    named_by="RoleName",
)

IAM_POLICY = Kind(
    "AWS::IAM::Policy",
    lambda me: (made := me.name(limit=128), {"Id": made}),
    ByHand(
        played="PolicyDocument PolicyName Roles",
        refused=_USERS,
        shapes={
            "PolicyDocument": Json(),
            "PolicyName": _NAME,
            "Roles": required(ListOf(_ROLE_NAME, low=1)),
        },
    ),
    attributes=("Id",),
)

ROLE_POLICY = Kind(
    "AWS::IAM::RolePolicy",
    lambda me: (f"{me.given('PolicyName')}|{me.given('RoleName')}", {}),
    ByHand(
        played="PolicyDocument PolicyName RoleName",
        shapes={"PolicyDocument": Json(), "PolicyName": _NAME, "RoleName": _ROLE_NAME},
    ),
)


def _managed_policy_names(me: Me) -> Names:
    name = me.name("ManagedPolicyName", limit=128)
    arn = me.arn("iam", f"policy{me.given('Path') or '/'}{name}", region=False)
    return arn, {"PolicyArn": arn, "PolicyId": "ANPA" + me.digest(17), "DefaultVersionId": "v1"}


MANAGED_POLICY = Kind(
    "AWS::IAM::ManagedPolicy",
    _managed_policy_names,
    ByHand(
        played="ManagedPolicyName PolicyDocument Roles",
        kept={"Description": "", "Path": ""},
        refused=_USERS,
        shapes={
            "ManagedPolicyName": replace(_NAME, high=128),
            "Path": _PATH,
            "PolicyDocument": Json(),
        },
    ),
    attributes=("PolicyArn", "PolicyId", "DefaultVersionId"),
    named_by="ManagedPolicyName",
)
