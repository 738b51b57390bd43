"""What a role of the template allows, as far as the template can tell.

``grader.cloud.iam`` refuses a policy as soon as something in it is unknown. Here each
statement is read by itself, so that one odd statement leaves only those questions open that it
could decide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grader.cloud import iam
from grader.cloud.iam import PolicyDocument, PolicyRefused, Statement
from grader.cloud.template import known, shown, unknown
from grader.cloud.template.model import Path, Resource, Stack

Says = Literal["yes", "no", "unknown"]


@dataclass(frozen=True)
class Granted:
    """One readable statement, and the resource and property it stands in.

    ``managed`` is the ARN of AWS's managed policy it comes from, None for a policy of the template.
    ``doubtful`` marks a statement whose conditions cannot be judged here.
    """

    statement: Statement
    resource: Resource
    path: Path
    managed: str | None = None
    doubtful: bool = False


@dataclass
class Grants:
    """The statements of one role. ``unclear`` tells, as clauses, what could not be read."""

    role: Resource
    statements: list[Granted] = field(default_factory=list)
    managed: list[tuple[str, Path]] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    may_deny: bool = False

    def allows(self, action: str, arn: str) -> Says:
        """Whether the role may do ``action`` on ``arn``, which may hold marks."""
        arn = _as_arn(arn)
        certain = tuple(one.statement for one in self.statements if not one.doubtful)
        every = tuple(one.statement for one in self.statements)
        try:
            verdict = iam.evaluate([PolicyDocument("", certain)], action, arn)
            doubted = iam.evaluate([PolicyDocument("", every)], action, arn)
        except PolicyRefused:
            return "unknown"
        if verdict.allowed:
            return "unknown" if self.may_deny or not doubted.allowed else "yes"
        if verdict.statement is not None:
            return "no"
        if doubted.allowed:
            return "unknown"
        return "unknown" if self.unclear or self._could(action) else "no"

    def _could(self, action: str) -> bool:
        """Whether a statement with an unknown resource allows the action."""
        for one in self.statements:
            marked = [resource for resource in one.statement.resources if not known(resource)]
            if one.statement.effect != "Allow" or not marked:
                continue
            document = PolicyDocument("", (one.statement,))
            if any(iam.evaluate([document], action, name).allowed for name in marked):
                return True
        return False


def grants_of(stack: Stack, role: Resource) -> Grants:
    """Read every policy of the template that is attached to ``role``."""
    found = Grants(role)
    if role.properties.get("PermissionsBoundary") is not None:
        found.may_deny = True
        found.unclear.append("the role's PermissionsBoundary may forbid it")
    inline = role.properties.get("Policies")
    if unknown(inline):
        found.unclear.append("the role's Policies are not known")
    for number, one in _objects(inline):
        _read(found, role, ("Policies", number, "PolicyDocument"), one.get("PolicyDocument"))
    arns = role.properties.get("ManagedPolicyArns")
    if unknown(arns):
        found.unclear.append("the role's ManagedPolicyArns are not known")
    for number, arn in enumerate(arns if isinstance(arns, list) else []):
        _managed(found, stack, arn, ("ManagedPolicyArns", number))
    names = (role.physical_id, *role.attributes.values())
    for resource in stack.resources.values():
        if resource.type in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            attached = resource.properties.get("Roles")
        elif resource.type == "AWS::IAM::RolePolicy":
            attached = [resource.properties.get("RoleName")]
        else:
            continue
        if unknown(attached):
            found.unclear.append(f"{resource.logical_id} may be attached to the role")
        elif isinstance(attached, list) and any(
            isinstance(one, str) and one in names for one in attached
        ):
            _read(found, resource, ("PolicyDocument",), resource.properties.get("PolicyDocument"))
    return found


def _managed(found: Grants, stack: Stack, arn: Any, path: Path) -> None:
    if not isinstance(arn, str):
        found.unclear.append("a managed policy is not known")
        return
    for resource in stack.of_type("AWS::IAM::ManagedPolicy"):
        if arn in (resource.physical_id, *resource.attributes.values()):
            _read(found, resource, ("PolicyDocument",), resource.properties.get("PolicyDocument"))
            return
    found.managed.append((arn, path))
    try:
        document = iam.managed(arn)
    except PolicyRefused:
        found.unclear.append(f"the managed policy {shown(arn)} is not known here")
        return
    for statement in document.statements:
        found.statements.append(Granted(statement, found.role, path, arn))


def _read(found: Grants, resource: Resource, path: Path, document: Any) -> None:
    if isinstance(document, str) and known(document):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            document = None
    statements = document.get("Statement") if isinstance(document, Mapping) else None
    if not isinstance(statements, list | Mapping):
        found.unclear.append(f"a policy of {resource.logical_id} cannot be read")
        return
    for number, raw in _objects(statements):
        here = (*path, "Statement", number)
        statement = _statement(resource.logical_id, raw)
        if statement is not None:
            found.statements.append(Granted(statement, resource, here))
            continue
        bare = {key: one for key, one in raw.items() if key != "Condition"}
        statement = _statement(resource.logical_id, bare) if "Condition" in raw else None
        if statement is not None:
            found.statements.append(Granted(statement, resource, here, doubtful=True))
            continue
        found.unclear.append(f"a statement of {resource.logical_id} cannot be read")
        found.may_deny |= raw.get("Effect") != "Allow"
    if isinstance(statements, list) and any(unknown(one) for one in statements):
        found.unclear.append(f"a statement of {resource.logical_id} is not known")


def _statement(name: str, raw: Mapping[str, Any]) -> Statement | None:
    """A statement as it can be judged; None when it cannot."""
    try:
        return iam.policy(name, {"Statement": [_plain(raw)]}).statements[0]
    except (PolicyRefused, ValueError, TypeError, RecursionError):
        return None


def _plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A statement whose wholly unknown resources have the outer shape of an ARN."""
    result = dict(raw)
    for element in ("Resource", "NotResource"):
        if element in result:
            values = result[element] if isinstance(result[element], list) else [result[element]]
            result[element] = [_as_arn(str(one)) if unknown(one) else one for one in values]
    return result


def _as_arn(text: str) -> str:
    return text if text.startswith("arn:") or known(text) else f"arn:aws:unknown:::{text}"


def _objects(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        value = [value]
    for number, one in enumerate(value if isinstance(value, list) else []):
        if isinstance(one, Mapping):
            yield number, one
