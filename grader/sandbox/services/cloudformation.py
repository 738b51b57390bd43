"""CloudFormation: stacks and change sets, as `aws cloudformation deploy` and people use them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from grader.cloud import Deployed
from grader.cloud.aws import Refused, Request, ServiceError
from grader.cloud.template import Resource, Stack
from grader.sandbox.world import World, answers, arn

_DEPLOYED_HERE = (
    "The change is made at once; it takes 15 seconds of virtual time. A creation that fails is "
    "refused with its reason and leaves nothing; an update that fails is rolled back."
)
# The sentence that `aws cloudformation deploy` looks for.
_UNCHANGED = (
    "The submitted information didn't contain changes. Submit different information to create a "
    "change set."
)


# -- stacks ------------------------------------------------------------------------------------


def _stack(world: World, name: str) -> Deployed:
    """A stack by name; a deleted one by its id only."""
    for known in world.cloud.stacks.values():
        if name in (known.stack.name, _stack_id(known)):
            return known
    for gone in world.cloud.gone.values():
        if name == _stack_id(gone):
            return gone
    raise ServiceError("ValidationError", f"Stack with id {name} does not exist")


@answers("cloudformation", "DescribeStacks")
def _describe_stacks(world: World, request: Request) -> dict[str, Any]:
    name = request.params.get("StackName")
    found = [_stack(world, name)] if name else list(world.cloud.stacks.values())
    return {"Stacks": [_described(one) for one in found]}


@answers("cloudformation", "ListStacks")
def _list_stacks(world: World, request: Request) -> dict[str, Any]:
    every = [*world.cloud.stacks.values(), *world.cloud.gone.values()]
    wanted = request.params.get("StackStatusFilter")
    return {
        "StackSummaries": [
            {
                "StackId": _stack_id(one),
                "StackName": one.stack.name,
                **_standing(one),
                "TemplateDescription": one.stack.description,
            }
            for one in every
            if not wanted or one.status in wanted
        ]
    }


@answers("cloudformation", "CreateStack", "UpdateStack", note=_DEPLOYED_HERE)
def _create_stack(world: World, request: Request) -> dict[str, Any]:
    params, updates = request.params, request.operation == "UpdateStack"
    name = params["StackName"]
    if not updates and name in world.cloud.stacks:
        raise ServiceError("AlreadyExistsException", f"Stack [{name}] already exists")
    old = _stack(world, name) if updates else None
    body = old.body if old and params.get("UsePreviousTemplate") else _body(world, params)
    stack = _resolved(world, name, body, params, old)
    if old is not None and old.stack.resources == stack.resources:
        raise ServiceError("ValidationError", "No updates are to be performed.")
    _make(world, stack, body)
    return {"StackId": _stack_id(world.cloud.stacks[name])}


@answers("cloudformation", "DeleteStack", note=_DEPLOYED_HERE)
def _delete_stack(world: World, request: Request) -> dict[str, Any]:
    """Succeeds for a stack that is not there, and shows a failure in the stack's status."""
    name = request.params["StackName"]
    known = next(
        (one for one in world.cloud.stacks.values() if name in (one.stack.name, _stack_id(one))),
        None,
    )
    if known is not None:
        world.alarms.look()
        with contextlib.suppress(Refused):
            world.cloud.delete(known.stack.name)
    return {}


@answers("cloudformation", "GetTemplate")
def _get_template(world: World, request: Request) -> dict[str, Any]:
    known = _stack(world, request.params.get("StackName", ""))
    return {"TemplateBody": known.body, "StagesAvailable": ["Original", "Processed"]}


@answers("cloudformation", "GetTemplateSummary", "ValidateTemplate")
def _template_summary(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    if "StackName" in params:
        body = _stack(world, params["StackName"]).body
    else:
        body = _body(world, params)
    declared = _loose(body).get("Parameters") or {}
    return {
        "Description": str(_loose(body).get("Description", "")),
        "Parameters": [
            {
                "ParameterKey": name,
                "ParameterType": str(one.get("Type", "String")),
                **({"DefaultValue": str(one["Default"])} if "Default" in one else {}),
                "Description": str(one.get("Description", "")),
                "NoEcho": bool(one.get("NoEcho")),
            }
            for name, one in declared.items()
        ],
        "Capabilities": _capabilities_of(body),
    }


def _capabilities_of(body: str) -> list[str]:
    kinds = [str(one.get("Type")) for one in (_loose(body).get("Resources") or {}).values()]
    return ["CAPABILITY_IAM"] if any(one.startswith("AWS::IAM::") for one in kinds) else []


# -- change sets -------------------------------------------------------------------------------


@answers("cloudformation", "CreateChangeSet")
def _create_change_set(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    name = params["StackName"]
    old = world.cloud.stacks.get(name)
    if (old is not None) != (params.get("ChangeSetType") == "UPDATE"):
        if old is None:
            raise ServiceError("ValidationError", f"Stack [{name}] does not exist")
        raise ServiceError("ValidationError", f"Stack [{name}] already exists")
    body = old.body if old and params.get("UsePreviousTemplate") else _body(world, params)
    stack = _resolved(world, name, body, params, old)
    place = f"changeSet/{params['ChangeSetName']}/{len(world.change_sets):08x}"
    identity = arn("cloudformation", place)
    stack_id = _arn_of(name, old.created_ms if old else world.now)
    world.change_sets[identity] = {
        "name": params["ChangeSetName"],
        "stack": stack,
        "stack_id": stack_id,
        "body": body,
        "before": old.stack if old else None,
        "created": world.now,
        "done": False,
    }
    return {"Id": identity, "StackId": stack_id}


def _change_set(world: World, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A change set by its ARN, or by its name and its stack's."""
    wanted = params["ChangeSetName"]
    for identity, change in reversed(world.change_sets.items()):
        named = change["name"] == wanted and change["stack"].name == params.get("StackName")
        if identity == wanted or named:
            return identity, change
    raise ServiceError("ChangeSetNotFound", f"ChangeSet [{wanted}] does not exist", 404)


def _changes(change: Mapping[str, Any]) -> list[dict[str, Any]]:
    before = change["before"].resources if change["before"] else {}
    after = change["stack"].resources
    found = []
    for name in dict.fromkeys([*after, *before]):
        one = after.get(name) or before[name]
        action = "Modify" if name in before and name in after else "Add"
        if name not in after:
            action = "Remove"
        elif before.get(name) == after[name]:
            continue
        found.append(
            {
                "Type": "Resource",
                "ResourceChange": {
                    "Action": action,
                    "LogicalResourceId": name,
                    "ResourceType": one.type,
                    **({"Replacement": "False"} if action == "Modify" else {}),
                },
            }
        )
    return found


@answers("cloudformation", "DescribeChangeSet")
def _describe_change_set(world: World, request: Request) -> dict[str, Any]:
    identity, change = _change_set(world, request.params)
    changes = _changes(change)
    answer: dict[str, Any] = {
        "ChangeSetId": identity,
        "ChangeSetName": change["name"],
        "StackName": change["stack"].name,
        "StackId": change["stack_id"],
        "CreationTime": change["created"] / 1000,
        "Changes": changes,
        "Status": "CREATE_COMPLETE",
        "ExecutionStatus": "EXECUTE_COMPLETE" if change["done"] else "AVAILABLE",
    }
    if not changes:
        answer.update(Status="FAILED", ExecutionStatus="UNAVAILABLE", StatusReason=_UNCHANGED)
    return answer


@answers("cloudformation", "ListChangeSets")
def _list_change_sets(world: World, request: Request) -> dict[str, Any]:
    name = _stack(world, request.params["StackName"]).stack.name
    return {
        "Summaries": [
            {"ChangeSetId": identity, "ChangeSetName": one["name"], "StackName": name}
            for identity, one in world.change_sets.items()
            if one["stack"].name == name and not one["done"]
        ]
    }


@answers("cloudformation", "DeleteChangeSet")
def _delete_change_set(world: World, request: Request) -> dict[str, Any]:
    with contextlib.suppress(ServiceError):
        del world.change_sets[_change_set(world, request.params)[0]]
    return {}


@answers("cloudformation", "ExecuteChangeSet", note=_DEPLOYED_HERE)
def _execute_change_set(world: World, request: Request) -> dict[str, Any]:
    _, change = _change_set(world, request.params)
    if change["done"] or not _changes(change):
        raise ServiceError(
            "InvalidChangeSetStatus",
            f"ChangeSet [{change['name']}] cannot be executed in its current status",
        )
    _make(world, change["stack"], change["body"])
    change["done"] = True
    return {}


# -- resources ---------------------------------------------------------------------------------


@answers("cloudformation", "DescribeStackResources")
def _stack_resources(world: World, request: Request) -> dict[str, Any]:
    params = request.params
    if "PhysicalResourceId" in params:
        known = next(
            (
                one
                for one in world.cloud.stacks.values()
                if one.stack.by_physical(params["PhysicalResourceId"])
            ),
            None,
        )
        if known is None:
            raise ServiceError(
                "ValidationError", f"Stack for {params['PhysicalResourceId']} does not exist"
            )
    else:
        known = _stack(world, params.get("StackName", ""))
    return {"StackResources": _resources(known, params.get("LogicalResourceId"))}


@answers("cloudformation", "DescribeStackResource")
def _stack_resource(world: World, request: Request) -> dict[str, Any]:
    known = _stack(world, request.params["StackName"])
    found = _resources(known, request.params["LogicalResourceId"])
    return {"StackResourceDetail": found[0]}


@answers("cloudformation", "ListStackResources")
def _list_stack_resources(world: World, request: Request) -> dict[str, Any]:
    return {"StackResourceSummaries": _resources(_stack(world, request.params["StackName"]), None)}


@answers(
    "cloudformation",
    "DescribeStackEvents",
    note="The stack's last change only: one event for each resource and one for the stack.",
)
def _stack_events(world: World, request: Request) -> dict[str, Any]:
    known = _stack(world, request.params["StackName"])
    rows = [*reversed(_resources(known, None))]
    whole = {
        "LogicalResourceId": known.stack.name,
        "PhysicalResourceId": _stack_id(known),
        "ResourceType": "AWS::CloudFormation::Stack",
        "ResourceStatus": known.status,
    }
    if known.failure is not None:
        name, reason = known.failure
        failed = {"ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": reason}
        begun = {**whole, "ResourceStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}
        begun["ResourceStatusReason"] = f"The following resource(s) failed to update: [{name}]. "
        rows = [begun, *({**one, **failed} for one in rows if one["LogicalResourceId"] == name)]
    told = (*whole, "ResourceStatusReason")
    return {
        "StackEvents": [
            {
                "StackId": _stack_id(known),
                "StackName": known.stack.name,
                "EventId": f"{known.changed_ms:x}-{number}",
                "Timestamp": known.changed_ms / 1000,
                **{name: one[name] for name in told if name in one},
            }
            for number, one in enumerate([whole, *rows])
        ]
    }


def _resources(known: Deployed, wanted: str | None) -> list[dict[str, Any]]:
    found = [
        _resource(known, one)
        for one in known.stack.resources.values()
        if wanted in (None, one.logical_id)
    ]
    if wanted and not found:
        raise ServiceError(
            "ValidationError",
            f"Resource {wanted} does not exist for stack {known.stack.name}",
        )
    return found


@answers("cloudformation", "ListExports")
def _list_exports(world: World, request: Request) -> dict[str, Any]:
    return {
        "Exports": [
            {"ExportingStackId": _stack_id(known), "Name": name, "Value": str(value)}
            for known in world.cloud.stacks.values()
            for name, value in known.stack.exports.items()
        ]
    }


# -- details -----------------------------------------------------------------------------------


def _body(world: World, params: Mapping[str, Any]) -> str:
    if params.get("TemplateBody"):
        return str(params["TemplateBody"])
    if not params.get("TemplateURL"):
        raise ServiceError("ValidationError", "Either Template URL or Template Body is needed.")
    bucket, _, key = urlsplit(params["TemplateURL"]).path.lstrip("/").partition("/")
    try:
        return world.cloud.account.objects(bucket)[unquote(key)].decode("utf-8", "replace")
    except KeyError:
        raise ServiceError("ValidationError", "S3 error: The specified key does not exist.") from (
            None
        )


def _resolved(
    world: World, name: str, body: str, params: Mapping[str, Any], old: Deployed | None
) -> Stack:
    given: dict[str, str] = {}
    for one in params.get("Parameters") or ():
        key = one["ParameterKey"]
        if one.get("UsePreviousValue"):
            if old is not None and key in old.stack.parameters:
                value = old.stack.parameters[key]
                given[key] = ",".join(value) if isinstance(value, list) else str(value)
        else:
            given[key] = one.get("ParameterValue", "")
    try:
        stack = world.cloud.resolve(name, body, given)
    except Refused as problem:
        raise ServiceError("ValidationError", f"Template error: {problem}") from None
    needed = _capability(stack)
    if needed is not None and not needed & set(params.get("Capabilities") or ()):
        raise ServiceError(
            "InsufficientCapabilitiesException",
            f"Requires capabilities : [{sorted(needed)[0]}]",
        )
    return stack


def _make(world: World, stack: Stack, body: str) -> None:
    """Change the account. What becomes of an update is the stack's status, as with AWS."""
    world.alarms.look()
    try:
        world.cloud.create(stack, body)
    except Refused as problem:
        if problem.code == "NotEmulated" or stack.name not in world.cloud.stacks:
            raise ServiceError("ValidationError", str(problem)) from None
    world.alarms.look()


def _capability(stack: Stack) -> set[str] | None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html"""
    roles = [one for one in stack.resources.values() if one.type.startswith("AWS::IAM::")]
    if not roles:
        return None
    named = any(
        "RoleName" in one.properties or "ManagedPolicyName" in one.properties for one in roles
    )
    return {"CAPABILITY_NAMED_IAM"} if named else {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}


def _arn_of(name: str, created_ms: int) -> str:
    return arn("cloudformation", f"stack/{name}/{created_ms:x}")


def _stack_id(known: Deployed) -> str:
    return _arn_of(known.stack.name, known.created_ms)


def _standing(known: Deployed) -> dict[str, Any]:
    """A stack's status and times: that of an update only where there was one.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackSummary.html
    """
    told = {"CreationTime": known.created_ms / 1000, "StackStatus": known.status}
    changed = {"UPDATE": "LastUpdatedTime", "DELETE": "DeletionTime"}
    if name := changed.get(known.status.partition("_")[0]):
        told[name] = known.changed_ms / 1000
    return told


def _described(known: Deployed) -> dict[str, Any]:
    texts = _loose(known.body).get("Outputs") or {}
    return {
        "StackId": _stack_id(known),
        "StackName": known.stack.name,
        "Description": known.stack.description,
        **_standing(known),
        "DisableRollback": False,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        "Parameters": [
            {
                "ParameterKey": name,
                "ParameterValue": ",".join(value) if isinstance(value, list) else value,
            }
            for name, value in known.stack.parameters.items()
        ],
        "Outputs": [
            {
                "OutputKey": name,
                "OutputValue": value,
                "Description": (texts.get(name) or {}).get("Description", ""),
            }
            for name, value in known.stack.outputs.items()
        ],
        "Tags": [],
    }


class _Loose(yaml.SafeLoader):
    """Reads a template for its texts only: a short function is nothing."""


_Loose.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def _loose(body: str) -> dict[str, Any]:
    try:
        found = json.loads(body) if body.lstrip().startswith("{") else yaml.load(body, _Loose)
    except (ValueError, yaml.YAMLError) as problem:
        raise ServiceError(
            "ValidationError", f"Template format error: {str(problem).splitlines()[0]}"
        ) from None
    if not isinstance(found, dict):
        raise ServiceError("ValidationError", "Template format error: unsupported structure.")
    return found


def _resource(known: Deployed, one: Resource) -> dict[str, Any]:
    kept = known.status == "DELETE_COMPLETE" and one.deletion_policy != "Delete"
    status = "DELETE_SKIPPED" if kept else known.status.replace("UPDATE", "CREATE")
    status = status.replace("_ROLLBACK", "")
    return {
        "StackName": known.stack.name,
        "StackId": _stack_id(known),
        "LogicalResourceId": one.logical_id,
        "PhysicalResourceId": one.physical_id,
        "ResourceType": one.type,
        "ResourceStatus": status,
        "Timestamp": known.changed_ms / 1000,
        "LastUpdatedTimestamp": known.changed_ms / 1000,
    }
