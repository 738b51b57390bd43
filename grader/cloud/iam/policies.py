"""Policies: what a role, or a resource, says about who may do what.

``documents`` reads everything that grants or denies something to a role of a template, ``policy``
one document. A condition, a policy variable or a managed policy that is not known here is refused
by name: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from grader.cloud.iam.conditions import KNOWN_KEYS, OPERATORS, operator_of
from grader.cloud.iam.managed import MANAGED_POLICIES


class PolicyRefused(Exception):
    """IAM would refuse this policy, or this evaluator does not know something in it.

    ``code`` is AWS's where AWS refuses (``MalformedPolicyDocument``), ``NotEmulated`` where only
    this evaluator does. ``parameter`` is the template property at fault, ``logical_id`` its
    resource.
    """

    def __init__(
        self, code: str, message: str, parameter: str | None = None, logical_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.parameter = parameter
        self.logical_id = logical_id


class _Resource(Protocol):
    """What is read of a resolved template resource."""

    @property
    def logical_id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def properties(self) -> Mapping[str, Any]: ...
    @property
    def physical_id(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, Any]: ...


class _Stack(Protocol):
    """What is read of a resolved template."""

    @property
    def resources(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy. Exactly one of each pair of action and resource lists is filled.

    ``conditions`` holds (operator, key, values). ``principals`` holds (kind, value) and is empty
    in identity policies. ``policy`` names the document the statement stands in.
    """

    policy: str
    sid: str
    effect: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    principals: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        name = f" statement {self.sid!r}" if self.sid else ""
        return f"{self.policy}{name}"


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy: where it comes from (for people) and its statements."""

    name: str
    statements: tuple[Statement, ...]


# -- reading policies ------------------------------------------------------------------------


def documents(stack: _Stack, role: _Resource) -> list[PolicyDocument]:
    """Everything that grants or denies something to ``role``, in template order.

    Read are the role's own ``Policies`` and ``ManagedPolicyArns``, and every ``AWS::IAM::Policy``,
    ``AWS::IAM::RolePolicy`` and ``AWS::IAM::ManagedPolicy`` of the stack that is attached to it.
    Raises PolicyRefused for a document that IAM refuses or this evaluator does not know.
    """
    properties = role.properties
    boundary = str(properties.get("PermissionsBoundary") or "")
    # What a boundary outside the template allows cannot be known: it is taken to allow all.
    if boundary.startswith("arn:aws:iam::aws:") or _managed_in(stack, boundary) is not None:
        raise PolicyRefused(
            "NotEmulated",
            "A PermissionsBoundary whose policy is known is not evaluated here.",
            "PermissionsBoundary",
            role.logical_id,
        )
    found: list[PolicyDocument] = []
    for number, inline in enumerate(as_list(properties.get("Policies"))):
        name = f"{role.logical_id} policy {inline.get('PolicyName', number + 1)!r}"
        found.append(_located(name, inline, f"Policies.{number}.PolicyDocument", role.logical_id))
    for number, arn in enumerate(as_list(properties.get("ManagedPolicyArns"))):
        own = _managed_in(stack, str(arn))
        if own is not None:
            found.append(_of_resource(own))
        else:
            found.append(managed(str(arn), f"ManagedPolicyArns.{number}", role.logical_id))
    names = {role.physical_id, str(properties.get("RoleName", role.physical_id))}
    for resource in stack.resources.values():
        if resource.type in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            attached = {str(name) for name in as_list(resource.properties.get("Roles"))}
        elif resource.type == "AWS::IAM::RolePolicy":
            attached = {str(resource.properties.get("RoleName"))}
        else:
            continue
        document = _of_resource(resource) if attached & names else None
        if document is not None and document not in found:
            found.append(document)
    return found


def managed(
    arn: str, parameter: str | None = None, logical_id: str | None = None
) -> PolicyDocument:
    """AWS's own managed policy of that ARN. PolicyRefused when it is not known here."""
    prefix, _, path = arn.partition(":policy/")
    statements = MANAGED_POLICIES.get(path) if prefix.endswith(":iam::aws") else None
    if statements is None:
        raise PolicyRefused(
            "NotEmulated",
            f"The managed policy {arn} is not known here. Known are the policies whose paths are "
            f"{', '.join(sorted(MANAGED_POLICIES))}; write any other as an inline policy.",
            parameter,
            logical_id,
        )
    return policy(f"AWS managed policy {path.rpartition('/')[2]}", {"Statement": statements})


def policy(name: str, document: Any, *, resource_policy: bool = False) -> PolicyDocument:
    """A policy document as IAM reads it; ``name`` says to people where it comes from.

    Raises PolicyRefused with IAM's ``MalformedPolicyDocument`` for what IAM refuses:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    if not isinstance(document, Mapping):
        raise _malformed(name, "it must be a mapping with a Statement")
    unknown = sorted(set(document) - {"Version", "Id", "Statement"})
    if unknown:
        raise _malformed(name, f"it has no element named {unknown[0]}")
    version = str(document.get("Version", "2008-10-17"))
    if version not in ("2012-10-17", "2008-10-17"):
        raise _malformed(
            name, f"Version is {version!r}; the policy language's version is '2012-10-17'"
        )
    statements = as_list(document.get("Statement"))
    if not statements:
        raise _malformed(name, "it has no Statement")
    return PolicyDocument(name, tuple(_statement(name, one, resource_policy) for one in statements))


_STATEMENT_ELEMENTS = frozenset(
    {
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
        "Principal",
        "NotPrincipal",
    }
)
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+", re.ASCII)
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def _statement(name: str, raw: Any, resource_policy: bool) -> Statement:
    if not isinstance(raw, Mapping):
        raise _malformed(name, "every Statement must be a mapping")
    unknown = sorted(set(raw) - _STATEMENT_ELEMENTS)
    if unknown:
        raise _malformed(name, f"a statement has no element named {unknown[0]}")
    effect = raw.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise _malformed(name, f"Effect is {effect!r}; it must be Allow or Deny, spelled so")
    if ("Action" in raw) == ("NotAction" in raw):
        raise _malformed(name, "a statement needs either Action or NotAction")
    if ("Resource" in raw) == ("NotResource" in raw):
        raise _malformed(name, "a statement needs either Resource or NotResource")
    if "NotPrincipal" in raw:
        raise PolicyRefused("NotEmulated", f"{name}: NotPrincipal is not emulated here.")
    if ("Principal" in raw) != resource_policy:
        verb = "needs a" if resource_policy else "takes no"
        raise _malformed(name, f"this kind of policy {verb} Principal")
    lists: dict[str, tuple[str, ...]] = {}
    for element in ("Action", "NotAction", "Resource", "NotResource"):
        values = tuple(str(value) for value in as_list(raw.get(element)))
        if element in raw and not values:
            raise _malformed(name, f"{element} is empty")
        lists[element] = values
    for action in lists["Action"] + lists["NotAction"]:
        if not _ACTION.fullmatch(action):
            raise _malformed(
                name, f"{action!r} is no action; write service:Action, like dynamodb:PutItem"
            )
    for resource in lists["Resource"] + lists["NotResource"]:
        _refuse_variables(name, resource)
        if resource != "*" and not (resource.startswith("arn:") and resource.count(":") >= 5):
            raise _malformed(name, f"{resource!r} is no resource; write an ARN or *")
    return Statement(
        policy=name,
        sid=str(raw.get("Sid", "")),
        effect=str(effect),
        actions=lists["Action"],
        not_actions=lists["NotAction"],
        resources=lists["Resource"],
        not_resources=lists["NotResource"],
        conditions=_conditions(name, raw.get("Condition") or {}),
        principals=_principals(name, raw["Principal"]) if "Principal" in raw else (),
    )


def _conditions(name: str, raw: Any) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    if not isinstance(raw, Mapping):
        raise _malformed(name, "Condition must be a mapping")
    found = []
    for operator, keys in raw.items():
        if not isinstance(keys, Mapping):
            raise _malformed(name, f"the condition {operator} must map keys to values")
        if operator_of(operator) is None:
            raise PolicyRefused(
                "NotEmulated",
                f"{name}: the condition operator {operator} is not known here. Known are "
                f"{', '.join(OPERATORS)}, each also with IfExists, and Null.",
            )
        for key, values in keys.items():
            if str(key).lower() not in KNOWN_KEYS:
                raise PolicyRefused(
                    "NotEmulated", f"{name}: the condition key {key} is not known here."
                )
            texts = tuple(_condition_text(value) for value in as_list(values))
            for text in texts:
                _refuse_variables(name, text)
            found.append((str(operator), str(key), texts))
    return tuple(found)


def _principals(name: str, raw: Any) -> tuple[tuple[str, str], ...]:
    if raw == "*":
        return (("AWS", "*"),)
    if not isinstance(raw, Mapping) or not raw:
        raise _malformed(name, "Principal must be '*' or a mapping like {Service: ...}")
    found = []
    for kind, values in raw.items():
        if kind not in ("AWS", "Service"):
            raise PolicyRefused(
                "NotEmulated", f"{name}: a Principal of kind {kind} is not emulated here."
            )
        found += [(str(kind), str(value)) for value in as_list(values)]
    return tuple(found)


def _refuse_variables(name: str, text: str) -> None:
    if variable := _VARIABLE.search(text):
        raise PolicyRefused(
            "NotEmulated", f"{name}: the policy variable ${{{variable[1]}}} is not known here."
        )


def _condition_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _malformed(name: str, sentence: str) -> PolicyRefused:
    return PolicyRefused("MalformedPolicyDocument", f"{name}: {sentence}.")


def as_list(value: Any) -> list[Any]:
    """IAM takes a single value wherever it takes a list of them."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _located(name: str, holder: Any, parameter: str, logical_id: str) -> PolicyDocument:
    try:
        if not isinstance(holder, Mapping):
            raise _malformed(name, "it must have a PolicyName and a PolicyDocument")
        return policy(name, holder.get("PolicyDocument"))
    except PolicyRefused as refused:
        refused.parameter = parameter
        refused.logical_id = logical_id
        raise


def _of_resource(resource: _Resource) -> PolicyDocument:
    return _located(resource.logical_id, resource.properties, "PolicyDocument", resource.logical_id)


def _managed_in(stack: _Stack, arn: str) -> _Resource | None:
    for resource in stack.resources.values():
        if resource.type == "AWS::IAM::ManagedPolicy" and arn in (
            resource.physical_id,
            resource.attributes.get("PolicyArn"),
            resource.attributes.get("Arn"),
        ):
            return resource
    return None
