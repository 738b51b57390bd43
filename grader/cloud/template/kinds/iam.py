"""IAM roles and policies.

What a policy says is read by grader.cloud.iam; here it only has to be an object.
"""

from __future__ import annotations

from grader.cloud.template.kinds.base import Kind, Me, Names
from grader.cloud.template.kinds.common import POLICY, TAGS, TEXT, arn_of
from grader.cloud.template.shapes import (
    Json,
    ListOf,
    Struct,
    Text,
    Whole,
    harmless,
    refused,
    required,
)

# What a policy says is read by grader.cloud.iam; here it only has to be an object.
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html

_POLICY_NAME = required(
    Text(
        low=1, high=128, pattern=r"[\w+=,.@-]+", says="AWS takes letters, digits, and _ + = , . @ -"
    )
)
_IAM_PATH = harmless(
    Text(pattern=r"/|/[!-~]+/", says="it must begin and end with a slash.", high=512)
)
_NO_USERS = refused("the labs have roles, no users and groups; attach the policy to Roles.")


def _role_names(me: Me) -> Names:
    name = me.name("RoleName", limit=64)
    path = me.given("Path") or "/"
    return name, {
        "Arn": me.arn("iam", f"role{path}{name}", region=False),
        "RoleId": "AROA" + me.digest(17),
    }


ROLE = Kind(
    fields={
        "AssumeRolePolicyDocument": POLICY,
        "Description": harmless(Text(high=1_000)),
        "ManagedPolicyArns": ListOf(
            arn_of(
                "it must be a policy's ARN, such as arn:aws:iam::aws:policy/service-role/….", "iam"
            ),
            high=20,
            unique=True,
        ),
        "MaxSessionDuration": harmless(Whole(3_600, 43_200, "seconds")),
        "Path": _IAM_PATH,
        "PermissionsBoundary": refused("permissions boundaries are not evaluated."),
        "Policies": ListOf(Struct({"PolicyDocument": POLICY, "PolicyName": _POLICY_NAME})),
        "RoleName": Text(
            low=1,
            high=64,
            pattern=r"[\w+=,.@-]+",
            says="AWS takes letters, digits, and _ + = , . @ -",
        ),
        "Tags": TAGS,
    },
    names=_role_names,
    attributes=("Arn", "RoleId"),
    named_by="RoleName",
)

_ROLES = required(
    ListOf(
        Text(
            low=1,
            high=64,
            pattern=r"[\w+=,.@-]+",
            says="it must be a role's name, which is what Ref yields.",
        ),
        low=1,
    )
)

IAM_POLICY = Kind(
    fields={
        "Groups": _NO_USERS,
        "PolicyDocument": POLICY,
        "PolicyName": _POLICY_NAME,
        "Roles": _ROLES,
        "Users": _NO_USERS,
    },
    names=lambda me: (made := me.name(limit=128), {"Id": made}),
    attributes=("Id",),
)

ROLE_POLICY = Kind(
    fields={
        "PolicyDocument": Json(),
        "PolicyName": _POLICY_NAME,
        "RoleName": required(
            Text(
                low=1,
                high=64,
                pattern=r"[\w+=,.@-]+",
                says="it must be a role's name, which is what Ref yields.",
            )
        ),
    },
    names=lambda me: (f"{me.given('PolicyName')}|{me.given('RoleName')}", {}),
)


def _managed_policy_names(me: Me) -> Names:
    name = me.name("ManagedPolicyName", limit=128)
    arn = me.arn("iam", f"policy{me.given('Path') or '/'}{name}", region=False)
    return arn, {"PolicyArn": arn, "PolicyId": "ANPA" + me.digest(17), "DefaultVersionId": "v1"}


MANAGED_POLICY = Kind(
    fields={
        "Description": harmless(Text(high=1_000)),
        "Groups": _NO_USERS,
        "ManagedPolicyName": Text(
            low=1,
            high=128,
            pattern=r"[\w+=,.@-]+",
            says="AWS takes letters, digits, and _ + = , . @ -",
        ),
        "Path": _IAM_PATH,
        "PolicyDocument": POLICY,
        "Roles": ListOf(TEXT),
        "Users": _NO_USERS,
    },
    names=_managed_policy_names,
    attributes=("PolicyArn", "PolicyId", "DefaultVersionId"),
    unplayed=(
        "AttachmentCount",
        "CreateDate",
        "IsAttachable",
        "PermissionsBoundaryUsageCount",
        "UpdateDate",
    ),
    named_by="ManagedPolicyName",
)
