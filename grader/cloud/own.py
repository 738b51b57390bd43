"""A team's own stack: from a template and the files beside it to a `Stack` that plays.

What teams have is read as they wrote it: templates of the Serverless Application Model with local
folders, templates of ``cdk synth`` with the assets beside them, nested stacks by path. What belongs
to a consumer of a stream is played; ``grader.cloud.template.belonging`` decides what that is.
Everything else is kept and named once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader.cloud import iam
from grader.cloud.clock import START_MS
from grader.cloud.moto_world import published_policy
from grader.cloud.template import (
    NotTranslated,
    Own,
    Problem,
    Resource,
    Stack,
    TemplateProblems,
    resolve_own,
)

_FUNCTION = "AWS::Lambda::Function"
_LAYER = "AWS::Lambda::LayerVersion"
_ROLE = "AWS::IAM::Role"
# Where builds put the template that deploys: paths of nested stacks start there.
_BUILDS = (".", "build", ".aws-sam/build")


@dataclass(frozen=True)
class OwnStack:
    """A stack with its code: ``layers`` are folders by function, whatever ``missing`` names.

    ``missing`` says of each function without playable code what it lacks, as a sentence. ``ssm``
    and ``secrets`` are the test's values and those that the template itself sets.
    """

    stack: Stack
    layers: Mapping[str, tuple[Path, ...]]
    missing: Mapping[str, str]
    ssm: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True)
class _Files:
    """What a test says about its files; ``artifacts`` holds what the template looks for in S3."""

    given: Own
    artifacts: Path | None
    layers: Mapping[str, Path | None]
    folder: Path | None


def read(
    file: Path,
    *,
    parameters: Mapping[str, str] | None = None,
    ssm: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    artifacts: Path | None = None,
    layers: Mapping[str, Path | None] | None = None,
    folder: Path | None = None,
    tables: Mapping[str, Mapping[str, str]] | None = None,
    start_ms: int = START_MS,
) -> OwnStack:
    """Read a template as a team wrote it; see `grader.cloud.Pipeline.deploy` for the options.

    Raises TemplateProblems for what AWS would refuse of a consumer, or of the template as a whole.
    """
    no_nested: Callable[..., None] = lambda *_: None  # noqa: E731
    files = _Files(Own(ssm or {}, secrets or {}, no_nested), artifacts, layers or {}, folder)
    stack = _resolved(file, "labs", dict(parameters or {}), files, start_ms)
    stack, told = _roles_outside(stack)
    stack, outside = _tables_outside(stack, tables or {})
    stack, more = iam.understood(stack, published_policy)
    stack, refused = _roles_elsewhere(stack)
    missing: dict[str, str] = {}
    under: dict[str, tuple[Path, ...]] = {}
    resources = dict(stack.resources)
    for function in stack.of_type(_FUNCTION):
        name = function.logical_id
        code = _code(function, files)
        if code is not None:
            properties = {**function.properties, "Code": code}
            resources[name] = replace(function, properties=properties)
        if lack := _lack(function, code, stack):
            missing[name] = lack
        under[name] = tuple(_layers(function, stack, files, told))
    notes = (
        Problem(None, None, one, stack.path, "unplayed")
        for one in (*told, *outside, *more, *refused)
    )
    stack = replace(stack, resources=resources, unplayed=(*stack.unplayed, *notes))
    return OwnStack(
        stack,
        under,
        missing,
        _held(stack, "AWS::SSM::Parameter", "Value", ssm or {}),
        _held(stack, "AWS::SecretsManager::Secret", "SecretString", secrets or {}),
    )


def _held(stack: Stack, type: str, member: str, given: Mapping[str, str]) -> dict[str, str]:
    """Values by every name that code may ask with; the test may name a resource by logical id."""
    held = dict(given)
    for resource in stack.of_type(type):
        names = (str(resource.properties.get("Name", resource.physical_id)), resource.physical_id)
        value = resource.properties.get(member)
        for name in (*names, resource.logical_id):
            value = given.get(name, value)
        if isinstance(value, str):
            held |= dict.fromkeys(names, value)
    return held


def _resolved(
    file: Path, name: str, parameters: Mapping[str, str], files: _Files, start_ms: int
) -> Stack:
    """One template and the ones that it nests. Paths in it start at its own folder."""

    def nested(
        logical_id: str, properties: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> Stack | None:
        places = (metadata.get("aws:asset:path"), properties.get("TemplateURL"))
        inner = _beside(file.parent, places)
        if inner is None:
            return None
        values = {
            key: ",".join(map(str, one)) if isinstance(one, list) else str(one)
            for key, one in (properties.get("Parameters") or {}).items()
        }
        return _resolved(inner, f"{name}-{logical_id}", values, files, start_ms)

    text = file.read_text(encoding="utf-8")
    try:
        stack = resolve_own(
            text,
            replace(files.given, nested=nested),
            path=file.name,
            parameters=parameters,
            stack_name=name,
            created_ms=start_ms,
        )
    except NotTranslated as refused:
        raise TemplateProblems((Problem(refused.line, None, str(refused), file.name),)) from None
    resources = {
        one.logical_id: replace(one, path=str(file.parent / one.path))
        if one.path == file.name
        else one
        for one in stack.resources.values()
    }
    return replace(stack, resources=resources)


def _beside(folder: Path, places: tuple[object, ...]) -> Path | None:
    for place in places:
        for start in _BUILDS if isinstance(place, str) and "://" not in place else ():
            # A build's folder need not be there.
            found = Path(os.path.normpath(folder / start / str(place)))
            if found.is_file():
                return found
    return None


def _code(function: Resource, files: _Files) -> str | dict[str, Any] | None:
    """Where a function's code lies: a folder or archive, or the text that the template holds."""
    place = function.properties.get("Code")
    home = files.folder or Path(function.path).parent
    if isinstance(place, Mapping) and "ZipFile" in place:
        return dict(place)
    return _found(place, home, files)


def _found(place: object, home: Path, files: _Files) -> str | None:
    """The absolute path of code in a folder, or of what the template looks for in S3."""
    if isinstance(place, str):
        candidates = [Path(os.path.normpath(home / start / place)) for start in _BUILDS]
    elif isinstance(place, Mapping) and "S3Key" in place:
        key = Path(str(place["S3Key"]))
        # cdk synth leaves the asset with the key HASH.zip in the folder asset.HASH.
        names = (str(key).lstrip("/"), key.name, key.stem, f"asset.{key.stem}", f"asset.{key.name}")
        folders = [home] if files.artifacts is None else [files.artifacts, home]
        candidates = [folder / name for folder in folders for name in names if name]
    else:
        candidates = []
    return next((str(one.resolve()) for one in candidates if one.exists()), None)


def _lack(function: Resource, code: object, stack: Stack) -> str | None:
    """Why a function cannot be invoked without a stand-in, as a sentence; None when it can."""
    name = function.logical_id
    if "Runtime" not in function.properties:
        about = (f"{name}.Runtime is ", f"{name}.PackageType is ")
        told = [one.sentence for one in stack.unplayed if one.sentence.startswith(about)]
        why = told[0].split(";")[0].split(": ")[0] if told else f"{name} has no runtime"
    elif code is None:
        place = function.properties.get("Code")
        where = place.get("S3Key") if isinstance(place, Mapping) else place
        why = f"the code of {name} is not there ({where})"
    else:
        return None
    return (
        f'{why}; give it a stand-in, Pipeline.deploy(…, functions={{"{name}": callable}}), which '
        "is called with each event."
    )


def _layers(function: Resource, stack: Stack, files: _Files, told: list[str]) -> Iterator[Path]:
    """The folders of a function's layers that are there, each as Lambda lays it below /opt."""
    given = {**files.layers}
    for name in function.refers:
        layer = stack.resources.get(name)
        if layer is None or layer.type != _LAYER:
            continue
        # SAM adds a hash to a layer's name.
        named = next((one for one in given if name.startswith(one)), None)
        found = _found(layer.properties.get("Content"), Path(layer.path).parent, files)
        place = Path(found) if found is not None else None
        if named is not None:
            place = given[named]
        if place is not None:
            yield place
        elif named is None:
            told.append(f"{name}: the layer's folder is not there; the layer is left out.")
    own = given.get(function.logical_id)
    if own is not None:
        yield own


def _roles_outside(stack: Stack) -> tuple[Stack, list[str]]:
    """Put a role that allows everything in the place of each that stands outside the template."""
    resources, told = dict(stack.resources), []
    for function in stack.of_type(_FUNCTION):
        arn = str(function.properties.get("Role", ""))
        if stack.by_arn(arn) is not None:
            continue
        if not arn.startswith("arn:"):
            arn = f"arn:aws:iam::{stack.account_id}:role/{arn or 'unknown'}"
        name = f"{function.logical_id}.Role"
        resources[function.logical_id] = replace(
            function, properties={**function.properties, "Role": arn}
        )
        resources[name] = Resource(
            logical_id=name,
            type=_ROLE,
            properties={"AssumeRolePolicyDocument": _TRUST, "Policies": [_EVERYTHING]},
            line=function.line,
            physical_id=arn.rpartition("/")[2],
            attributes={"Arn": arn},
            path=function.path,
        )
        told.append(
            f"The role {arn} of {function.logical_id} stands outside the template: it is taken to "
            "allow everything."
        )
    return replace(stack, resources=resources), told


def _roles_elsewhere(stack: Stack) -> tuple[Stack, list[str]]:
    """Take the policies off roles that IAM would refuse and no consumer has."""
    sources = stack.of_type("AWS::Lambda::EventSourceMapping")
    mappings = [one.logical_id for one in sources if not one.unplayed]
    needed, resources, told = set(stack.behind(mappings)), dict(stack.resources), []
    for role in stack.of_type(_ROLE):
        try:
            iam.documents(stack, role)
        except iam.PolicyRefused as refused:
            if role.logical_id in needed:
                continue
            told.append(f"{role.logical_id}: {refused.message}")
            for name in stack.behind([role.logical_id]):
                if stack.resources[name].type.startswith("AWS::IAM::") and name not in needed:
                    resources.pop(name, None)
    return replace(stack, resources=resources), told


def _tables_outside(stack: Stack, keys: Mapping[str, Mapping[str, str]]) -> tuple[Stack, list[str]]:
    """Put a table in the place of each that stands outside and whose stream a mapping reads.

    ``keys`` are the types of its key attributes (``S``, ``N``, ``B``) by the table's name, the hash
    key first; without them it is taken to have one key, ``id``.
    """
    resources, told = dict(stack.resources), []
    for mapping in stack.of_type("AWS::Lambda::EventSourceMapping"):
        found = _STREAM.fullmatch(str(mapping.properties.get("EventSourceArn", "")))
        if found is None or stack.by_arn(found[1]) is not None or found[2] in resources:
            continue
        arn, name = found[1], found[2]
        types = keys.get(name, {"id": "S"})
        pairs = zip(types, ("HASH", "RANGE"), strict=False)
        resources[name] = Resource(
            logical_id=name,
            type="AWS::DynamoDB::Table",
            properties={
                "TableName": name,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": key, "AttributeType": type} for key, type in types.items()
                ],
                "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in pairs],
                "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
            },
            line=mapping.line,
            physical_id=name,
            attributes={"Arn": arn, "StreamArn": found[0]},
            path=mapping.path,
        )
        told.append(
            f"{mapping.logical_id} reads the stream of a table outside the template: {name}, with "
            f"the key {', '.join(types)}; another one is Pipeline.deploy(…, tables={{…}})."
        )
    return replace(stack, resources=resources), told


_STREAM = re.compile(r"(arn:[a-z-]+:dynamodb:[^:]*:[^:]*:table/([^/]+))/stream/[^/]+")
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
_EVERYTHING = {
    "PolicyName": "everything",
    "PolicyDocument": {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    },
}
