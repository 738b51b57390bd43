"""May this role do this to that resource: policies, their evaluation, and what a call needs.

Three questions, all pure:

- ``documents(stack, role)``: what a role is allowed to do, from every place a template can say so;
- ``evaluate(documents, action, resource)``: IAM's decision, with a reason in words;
- ``needs(service, operation, params)``: which actions on which resources an AWS call asks for. The
  same table says which calls function code can make at all in the emulated account.

The rules are IAM's: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
A condition, a policy variable or a managed policy that is not known here is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import urlsplit

from grader.cloud.aws import ACCOUNT_ID, REGION

Context = Mapping[str, "str | Sequence[str]"]


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """IAM's decision. ``statement`` is the one that decided, None for an implicit denial."""

    allowed: bool
    reason: str
    statement: Statement | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """One permission that a call asks for."""

    action: str
    resource_arn: str


# -- reading policies ------------------------------------------------------------------------


def documents(stack: _Stack, role: _Resource) -> list[PolicyDocument]:
    """Everything that grants or denies something to ``role``, in template order.

    Read are the role's own ``Policies`` and ``ManagedPolicyArns``, and every ``AWS::IAM::Policy``,
    ``AWS::IAM::RolePolicy`` and ``AWS::IAM::ManagedPolicy`` of the stack that is attached to it.
    Raises PolicyRefused for a document that IAM refuses or this evaluator does not know.
    """
    properties = role.properties
    if properties.get("PermissionsBoundary"):
        raise PolicyRefused(
            "NotEmulated",
            "A role's PermissionsBoundary is not emulated here; remove it.",
            "PermissionsBoundary",
            role.logical_id,
        )
    found: list[PolicyDocument] = []
    for number, inline in enumerate(_as_list(properties.get("Policies"))):
        name = f"{role.logical_id} policy {inline.get('PolicyName', number + 1)!r}"
        found.append(_located(name, inline, f"Policies.{number}.PolicyDocument", role.logical_id))
    for number, arn in enumerate(_as_list(properties.get("ManagedPolicyArns"))):
        own = _managed_in(stack, str(arn))
        if own is not None:
            found.append(_of_resource(own))
        else:
            found.append(managed(str(arn), f"ManagedPolicyArns.{number}", role.logical_id))
    names = {role.physical_id, str(properties.get("RoleName", role.physical_id))}
    for resource in stack.resources.values():
        if resource.type in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
            attached = {str(name) for name in _as_list(resource.properties.get("Roles"))}
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
    statements = _as_list(document.get("Statement"))
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
        values = tuple(str(value) for value in _as_list(raw.get(element)))
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
        if _operator(operator) is None:
            raise PolicyRefused(
                "NotEmulated",
                f"{name}: the condition operator {operator} is not known here. Known are "
                f"{', '.join(_OPERATORS)}, each also with IfExists, and Null.",
            )
        for key, values in keys.items():
            if str(key).lower() not in _KNOWN_KEYS:
                raise PolicyRefused(
                    "NotEmulated", f"{name}: the condition key {key} is not known here."
                )
            texts = tuple(_condition_text(value) for value in _as_list(values))
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
        found += [(str(kind), str(value)) for value in _as_list(values)]
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


def _as_list(value: Any) -> list[Any]:
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
        for one in _as_list(raw.get("Statement"))
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
        _full_context(None),
    )
    if verdict.allowed:
        return None
    return f"{name} does not let {service} perform sts:AssumeRole."


# -- evaluation ------------------------------------------------------------------------------

# What every request of the emulated account carries, unless the caller says otherwise.
DEFAULT_CONTEXT: Context = MappingProxyType(
    {
        "aws:SecureTransport": "true",
        "aws:RequestedRegion": REGION,
        "aws:ResourceAccount": ACCOUNT_ID,
        "aws:PrincipalAccount": ACCOUNT_ID,
        "s3:ResourceAccount": ACCOUNT_ID,
    }
)

_KNOWN_KEYS = frozenset(
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


def evaluate(
    documents: Iterable[PolicyDocument],
    action: str,
    resource: str,
    context: Context | None = None,
) -> Verdict:
    """IAM's decision on ``action`` (``service:Action``) and ``resource`` (an ARN, or ``*``).

    An explicit Deny wins over every Allow; without an Allow the answer is no. ``context`` holds
    condition keys beside ``DEFAULT_CONTEXT``.
    """
    statements = [statement for document in documents for statement in document.statements]
    return _decide(statements, action, resource, _full_context(context))


def evaluate_request(
    identity: Iterable[PolicyDocument],
    resource_policies: Iterable[PolicyDocument],
    principal: str,
    action: str,
    resource: str,
    context: Context | None = None,
) -> Verdict:
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
    return _decide(statements, action, resource, _full_context(context))


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
) -> Verdict:
    allowed: Statement | None = None
    for statement in statements:
        if not _covers(statement, action, resource, context):
            continue
        if statement.effect == "Deny":
            return Verdict(False, f"{statement} denies {action} on {resource}", statement)
        allowed = allowed or statement
    if allowed is not None:
        return Verdict(True, f"{allowed} allows {action} on {resource}", allowed)
    return Verdict(False, f"no policy allows {action} on {resource}")


def _covers(statement: Statement, action: str, resource: str, context: Mapping[str, Any]) -> bool:
    lowered = action.lower()
    if statement.actions:
        if not any(_matches(pattern.lower(), lowered) for pattern in statement.actions):
            return False
    elif any(_matches(pattern.lower(), lowered) for pattern in statement.not_actions):
        return False
    if statement.resources:
        if not any(_matches(pattern, resource) for pattern in statement.resources):
            return False
    elif any(_matches(pattern, resource) for pattern in statement.not_resources):
        return False
    return all(_holds(condition, context) for condition in statement.conditions)


def _matches(pattern: str, text: str) -> bool:
    """IAM's wildcards: ``*`` is any run of characters, ``?`` exactly one."""
    if pattern == "*" or pattern == text:
        return True
    if "*" not in pattern and "?" not in pattern:
        return False
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _arn_matches(pattern: str, text: str) -> bool:
    """Each of an ARN's six parts by itself, so that a wildcard does not cross a colon."""
    patterns, texts = pattern.split(":", 5), text.split(":", 5)
    return len(patterns) == len(texts) and all(map(_matches, patterns, texts))


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (lambda wanted, value: wanted == value, False),
    "StringNotEquals": (lambda wanted, value: wanted == value, True),
    "StringEqualsIgnoreCase": (lambda wanted, value: wanted.lower() == value.lower(), False),
    "StringNotEqualsIgnoreCase": (lambda wanted, value: wanted.lower() == value.lower(), True),
    "StringLike": (_matches, False),
    "StringNotLike": (_matches, True),
    "ArnEquals": (_arn_matches, False),
    "ArnLike": (_arn_matches, False),
    "ArnNotEquals": (_arn_matches, True),
    "ArnNotLike": (_arn_matches, True),
    "Bool": (lambda wanted, value: wanted.lower() == value.lower(), False),
}


def _operator(name: str) -> tuple[Callable[[str, str], bool], bool] | None:
    if name == "Null":
        return (lambda wanted, value: wanted == value, False)
    return _OPERATORS.get(name.removesuffix("IfExists"))


def _holds(condition: tuple[str, str, tuple[str, ...]], context: Mapping[str, Any]) -> bool:
    operator, key, wanted = condition
    value = context.get(key.lower())
    if operator == "Null":
        return ("true" if value is None else "false") in wanted
    known = _operator(operator)
    assert known is not None
    compare, negated = known
    if value is None:
        # A missing key meets a negated operator and every ...IfExists, and no other.
        return negated or operator.endswith("IfExists")
    values = [value] if isinstance(value, str) else list(value)
    met = any(compare(one, text) for one in wanted for text in values)
    return met != negated


def _full_context(context: Context | None) -> dict[str, Any]:
    merged = {key.lower(): value for key, value in DEFAULT_CONTEXT.items()}
    for key, value in (context or {}).items():
        merged[key.lower()] = value
    return merged


# -- what a call needs -----------------------------------------------------------------------

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Here:
    """The account and Region in which names become ARNs."""

    account_id: str
    region: str

    def table(self, name: str) -> str:
        if name.startswith("arn:"):
            return name
        return f"arn:aws:dynamodb:{self.region}:{self.account_id}:table/{name}"

    def queue(self, url: str) -> str:
        """A queue's ARN; a queue's URL ends in account id and name."""
        path = urlsplit(url).path.strip("/").split("/")
        account = path[-2] if len(path) > 1 else self.account_id
        return f"arn:aws:sqs:{self.region}:{account}:{path[-1]}"

    def logs(self, group: str, stream: str = "") -> str:
        if group.startswith("arn:"):
            return f"{group.removesuffix(':*')}:log-stream:{stream}"
        return f"arn:aws:logs:{self.region}:{self.account_id}:log-group:{group}:log-stream:{stream}"


_Rule = Callable[[Params, _Here], list[Need]]


def needs(
    service: str,
    operation: str,
    params: Params,
    *,
    account_id: str = ACCOUNT_ID,
    region: str = REGION,
) -> list[Need]:
    """The permissions that one API call asks for; boto3's service name, AWS's operation name.

    A transaction is authorised through its parts
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html).
    KeyError for an operation that ``allowed_operations`` does not list.
    """
    return _OPERATIONS[service][operation](params, _Here(account_id, region))


def allowed_operations() -> Mapping[str, frozenset[str]]:
    """What function code can call in the emulated account: service to operations."""
    return {service: frozenset(rules) for service, rules in _OPERATIONS.items()}


def _table(*actions: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        arn = here.table(str(params.get("TableName", "")))
        if index := params.get("IndexName"):
            arn = f"{arn}/index/{index}"
        return [Need(f"dynamodb:{action}", arn) for action in actions]

    return rule


def _tables_of_batch(action: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        tables = params.get("RequestItems") or {}
        return [Need(f"dynamodb:{action}", here.table(name)) for name in tables]

    return rule


_PARTS = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "Get": "GetItem",
}


def _transaction(params: Params, here: _Here) -> list[Need]:
    found: dict[Need, None] = {}
    for part in params.get("TransactItems") or ():
        for kind, body in part.items():
            if kind in _PARTS:
                arn = here.table(str(body.get("TableName", "")))
                found[Need(f"dynamodb:{_PARTS[kind]}", arn)] = None
    return list(found)


def _anywhere(*actions: str) -> _Rule:
    return lambda params, here: [Need(action, "*") for action in actions]


def _stream(action: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        # A shard iterator starts with the ARN of its stream.
        iterator = str(params.get("ShardIterator", ""))
        arn = str(params.get("StreamArn") or iterator.partition("|")[0] or "*")
        return [Need(f"dynamodb:{action}", arn)]

    return rule


def _queue(action: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        return [Need(f"sqs:{action}", here.queue(str(params.get("QueueUrl", ""))))]

    return rule


def _queue_by_name(params: Params, here: _Here) -> list[Need]:
    account = params.get("QueueOwnerAWSAccountId") or here.account_id
    arn = f"arn:aws:sqs:{here.region}:{account}:{params.get('QueueName', '')}"
    return [Need("sqs:GetQueueUrl", arn)]


def _topic(action: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        arn = params.get("TopicArn") or params.get("TargetArn") or "*"
        return [Need(f"sns:{action}", str(arn))]

    return rule


def _bucket(action: str) -> _Rule:
    return lambda params, here: [Need(f"s3:{action}", f"arn:aws:s3:::{params.get('Bucket', '')}")]


def _object_arn(params: Params) -> str:
    return f"arn:aws:s3:::{params.get('Bucket', '')}/{params.get('Key', '')}"


def _object(action: str) -> _Rule:
    return lambda params, here: [Need(f"s3:{action}", _object_arn(params))]


def _copy(params: Params, here: _Here) -> list[Need]:
    source = str(params.get("CopySource", "")).lstrip("/").partition("?")[0]
    return [
        Need("s3:GetObject", f"arn:aws:s3:::{source}"),
        Need("s3:PutObject", _object_arn(params)),
    ]


def _objects(params: Params, here: _Here) -> list[Need]:
    keys = (params.get("Delete") or {}).get("Objects") or ()
    bucket = f"arn:aws:s3:::{params.get('Bucket', '')}"
    return [Need("s3:DeleteObject", f"{bucket}/{one.get('Key', '')}") for one in keys]


def _log_group(action: str) -> _Rule:
    # CloudWatch Logs names a log group in its own denials with an empty log stream, and the ARN
    # that policies must cover ends in ":*":
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    def rule(params: Params, here: _Here) -> list[Need]:
        group = str(params.get("logGroupName") or params.get("logGroupIdentifier") or "")
        return [Need(f"logs:{action}", here.logs(group))]

    return rule


def _log_stream(action: str) -> _Rule:
    def rule(params: Params, here: _Here) -> list[Need]:
        group = str(params.get("logGroupName") or params.get("logGroupIdentifier") or "")
        return [Need(f"logs:{action}", here.logs(group, str(params.get("logStreamName", ""))))]

    return rule


def _nothing(params: Params, here: _Here) -> list[Need]:
    return []


_OPERATIONS: dict[str, dict[str, _Rule]] = {
    "dynamodb": {
        **{
            name: _table(name)
            for name in (
                "PutItem",
                "GetItem",
                "UpdateItem",
                "DeleteItem",
                "Query",
                "Scan",
                "DescribeTable",
                "DescribeTimeToLive",
                "DescribeContinuousBackups",
            )
        },
        "BatchWriteItem": _tables_of_batch("BatchWriteItem"),
        "BatchGetItem": _tables_of_batch("BatchGetItem"),
        "TransactWriteItems": _transaction,
        "TransactGetItems": _transaction,
        "ListTables": _anywhere("dynamodb:ListTables"),
        "DescribeEndpoints": _anywhere("dynamodb:DescribeEndpoints"),
    },
    "dynamodbstreams": {
        "DescribeStream": _stream("DescribeStream"),
        "GetShardIterator": _stream("GetShardIterator"),
        "GetRecords": _stream("GetRecords"),
        "ListStreams": _anywhere("dynamodb:ListStreams"),
    },
    "sqs": {
        "SendMessage": _queue("SendMessage"),
        "SendMessageBatch": _queue("SendMessage"),
        "ReceiveMessage": _queue("ReceiveMessage"),
        "DeleteMessage": _queue("DeleteMessage"),
        "DeleteMessageBatch": _queue("DeleteMessage"),
        "ChangeMessageVisibility": _queue("ChangeMessageVisibility"),
        "ChangeMessageVisibilityBatch": _queue("ChangeMessageVisibility"),
        "GetQueueAttributes": _queue("GetQueueAttributes"),
        "PurgeQueue": _queue("PurgeQueue"),
        "GetQueueUrl": _queue_by_name,
        "ListQueues": _anywhere("sqs:ListQueues"),
    },
    "sns": {
        "Publish": _topic("Publish"),
        "PublishBatch": _topic("Publish"),
        "GetTopicAttributes": _topic("GetTopicAttributes"),
        "ListSubscriptionsByTopic": _topic("ListSubscriptionsByTopic"),
        "ListTopics": _anywhere("sns:ListTopics"),
    },
    "s3": {
        "PutObject": _object("PutObject"),
        "GetObject": _object("GetObject"),
        "HeadObject": _object("GetObject"),
        "DeleteObject": _object("DeleteObject"),
        "DeleteObjects": _objects,
        "CopyObject": _copy,
        "CreateMultipartUpload": _object("PutObject"),
        "UploadPart": _object("PutObject"),
        "CompleteMultipartUpload": _object("PutObject"),
        "AbortMultipartUpload": _object("AbortMultipartUpload"),
        "ListParts": _object("ListMultipartUploadParts"),
        "ListMultipartUploads": _bucket("ListBucketMultipartUploads"),
        "ListObjects": _bucket("ListBucket"),
        "ListObjectsV2": _bucket("ListBucket"),
        "HeadBucket": _bucket("ListBucket"),
        "GetBucketLocation": _bucket("GetBucketLocation"),
        "ListBuckets": _anywhere("s3:ListAllMyBuckets"),
    },
    "cloudwatch": {"PutMetricData": _anywhere("cloudwatch:PutMetricData")},
    "logs": {
        "CreateLogGroup": _log_group("CreateLogGroup"),
        "CreateLogStream": _log_stream("CreateLogStream"),
        "PutLogEvents": _log_stream("PutLogEvents"),
        "DescribeLogStreams": _log_group("DescribeLogStreams"),
        "DescribeLogGroups": _log_group("DescribeLogGroups"),
    },
    # "No permissions are required to perform this operation":
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    "sts": {"GetCallerIdentity": _nothing},
}


# -- AWS's managed policies ------------------------------------------------------------------

_LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
_READ_STREAM = [
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
]


def _allow(*actions: str, resource: str = "*") -> list[dict[str, Any]]:
    return [{"Effect": "Allow", "Action": list(actions), "Resource": resource}]


# By the path after ":policy/". Statements about services that the emulated account does not have
# and that carry conditions on them (passing roles to autoscaling, service-linked roles, text
# messages) are left out: they can neither allow nor deny anything that is asked here.
# https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
MANAGED_POLICIES: Mapping[str, list[dict[str, Any]]] = MappingProxyType(
    {
        "service-role/AWSLambdaBasicExecutionRole": _allow(*_LOGS),
        "service-role/AWSLambdaDynamoDBExecutionRole": _allow(*_READ_STREAM, *_LOGS),
        "service-role/AWSLambdaSQSQueueExecutionRole": _allow(
            "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", *_LOGS
        ),
        "service-role/AWSLambdaKinesisExecutionRole": _allow(
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
            "kinesis:ListStreams",
            "kinesis:SubscribeToShard",
            *_LOGS,
        ),
        "service-role/AWSLambdaVPCAccessExecutionRole": _allow(
            *_LOGS,
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ),
        "AWSLambdaInvocation-DynamoDB": _allow("lambda:InvokeFunction", *_READ_STREAM),
        "AWSLambdaExecute": [
            *_allow("logs:*", resource="arn:aws:logs:*:*:*"),
            *_allow("s3:GetObject", "s3:PutObject", resource="arn:aws:s3:::*"),
        ],
        "AmazonDynamoDBFullAccess": _allow(
            "dynamodb:*",
            "dax:*",
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarmHistory",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:DescribeAlarmsForMetric",
            "cloudwatch:GetMetricStatistics",
            "cloudwatch:ListMetrics",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:GetMetricData",
            "kms:DescribeKey",
            "kms:ListAliases",
            "sns:CreateTopic",
            "sns:DeleteTopic",
            "sns:ListSubscriptions",
            "sns:ListSubscriptionsByTopic",
            "sns:ListTopics",
            "sns:Subscribe",
            "sns:Unsubscribe",
            "sns:SetTopicAttributes",
            "lambda:CreateFunction",
            "lambda:ListFunctions",
            "lambda:ListEventSourceMappings",
            "lambda:CreateEventSourceMapping",
            "lambda:DeleteEventSourceMapping",
            "lambda:GetFunctionConfiguration",
            "lambda:DeleteFunction",
        ),
        "AmazonDynamoDBFullAccess_v2": _allow(
            "dynamodb:*",
            "dax:*",
            "kms:DescribeKey",
            "kms:ListAliases",
            "lambda:ListEventSourceMappings",
            "lambda:ListFunctions",
            "sns:ListTopics",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:GetMetricStatistics",
            "cloudwatch:GetMetricData",
        ),
        "AmazonDynamoDBReadOnlyAccess": _allow(
            "dynamodb:BatchGetItem",
            "dynamodb:Describe*",
            "dynamodb:List*",
            "dynamodb:GetAbacStatus",
            "dynamodb:GetItem",
            "dynamodb:GetResourcePolicy",
            "dynamodb:Query",
            "dynamodb:Scan",
            "dynamodb:PartiQLSelect",
            "dax:Describe*",
            "dax:List*",
            "dax:GetItem",
            "dax:BatchGetItem",
            "dax:Query",
            "dax:Scan",
            "cloudwatch:DescribeAlarmHistory",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:DescribeAlarmsForMetric",
            "cloudwatch:GetMetricStatistics",
            "cloudwatch:ListMetrics",
            "cloudwatch:GetMetricData",
            "sns:ListSubscriptionsByTopic",
            "sns:ListTopics",
            "lambda:ListFunctions",
            "lambda:ListEventSourceMappings",
            "lambda:GetFunctionConfiguration",
        ),
        "AmazonSQSFullAccess": _allow("sqs:*"),
        "AmazonSNSFullAccess": _allow("sns:*"),
        "AmazonS3FullAccess": _allow("s3:*", "s3-object-lambda:*"),
        "CloudWatchLogsFullAccess": _allow(
            "logs:*", "cloudwatch:GenerateQuery", "cloudwatch:GenerateQueryResultsSummary"
        ),
        "CloudWatchFullAccess": _allow(
            "autoscaling:Describe*",
            "cloudwatch:*",
            "logs:*",
            "sns:*",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:GetRole",
            "oam:ListSinks",
        ),
        "AWSXRayDaemonWriteAccess": _allow(
            "xray:PutTraceSegments",
            "xray:PutTelemetryRecords",
            "xray:GetSamplingRules",
            "xray:GetSamplingTargets",
            "xray:GetSamplingStatisticSummaries",
        ),
        "CloudWatchLambdaInsightsExecutionRolePolicy": [
            *_allow("logs:CreateLogGroup"),
            *_allow(
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                resource="arn:aws:logs:*:*:log-group:/aws/lambda-insights:*",
            ),
        ],
        "AdministratorAccess": _allow("*"),
        "PowerUserAccess": [
            {
                "Effect": "Allow",
                "NotAction": ["iam:*", "organizations:*", "account:*"],
                "Resource": "*",
            },
            *_allow(
                "account:GetAccountInformation",
                "account:ListRegions",
                "iam:CreateServiceLinkedRole",
                "iam:DeleteServiceLinkedRole",
                "iam:ListRoles",
                "organizations:DescribeEffectivePolicy",
                "organizations:DescribeOrganization",
            ),
        ],
    }
)
