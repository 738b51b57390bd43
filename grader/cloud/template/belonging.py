"""What of a team's own stack is played: the one place that decides what belongs to a consumer.

A consumer is a mapping of a DynamoDB stream with everything that it depends on (`Stack.playable`
follows the references). It is played. Whatever else stands in the template is kept: it gets names,
is told once, and is refused only where a consumer cannot do without it.

A property that the emulator does not act out goes alone where the rest behaves as it would have
anyway (`PARTS`); elsewhere its resource goes as a whole, so that no alarm watches half of what it
says. A function can lose even its code or its runtime: then it needs a stand-in to be invoked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from grader.cloud.template.model import Own
from grader.cloud.template.shapes import Use
from grader.cloud.template.unknown import Unknown, made_up, slug, unknown

# Types of which a part can be left out by itself.
PARTS = frozenset(
    {
        *("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable", "AWS::IAM::Role"),
        *("AWS::Lambda::Function", "AWS::Lambda::Version", "AWS::Lambda::Alias"),
        *("AWS::KMS::Key", "AWS::Logs::LogGroup", "AWS::S3::Bucket"),
        *("AWS::SQS::Queue", "AWS::SNS::Topic"),
    }
)
# What is not played by itself, and is read where code asks for it.
READ = frozenset(
    {"AWS::Lambda::LayerVersion", "AWS::SSM::Parameter", "AWS::SecretsManager::Secret"}
)
# What a table cannot lose: without it no item and no record is what it would be.
NEEDED = frozenset({"AttributeDefinitions", "KeySchema", "StreamSpecification"})


def settled(type: str, before: Any, after: Any, own: Own) -> tuple[dict[str, Any], list[Unknown]]:
    """A resource's properties with nothing unknown in them, and the reasons that stop it.

    References to parameters and secrets get the values that ``own`` holds. ``before`` are the
    properties as they came out of the template, ``after`` as their shape made them. What was
    unknown from the start, such as an import, becomes a made-up text; what only the shape could
    not take has been told, and goes.
    """
    left, gone = _without(before, _looked_up(after, own), ())
    stopping = [reason for path, reason in gone if type not in PARTS or path[0] in NEEDED]
    return left, stopping


def standing(type: str, property: str, use: Use) -> str:
    """What becomes of a property in a team's own stack: a word, and what it takes along."""
    if use != "refused":
        return "played" if use == "emulated" else "kept"
    if type in PARTS and property not in NEEDED:
        return "refused: left out and named"
    return "refused: its resource is left out and named"


_GONE = object()
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
_DYNAMIC = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^{}]+)\}\}")


def _looked_up(value: Any, own: Own) -> Any:
    if isinstance(value, Mapping):
        return {key: _looked_up(one, own) for key, one in value.items()}
    if isinstance(value, list):
        return [_looked_up(one, own) for one in value]
    if not isinstance(value, str) or "{{resolve:" not in value:
        return value
    return _DYNAMIC.sub(lambda found: _found(found[1], found[2], own), made_up(value))


def _found(service: str, path: str, own: Own) -> str:
    """What a dynamic reference stands for; a made-up name where the test has no value."""
    if service != "secretsmanager":
        name = path.partition(":")[0]
        return own.ssm.get(name, slug(name))
    name, _, rest = path.partition(":SecretString")
    key = rest.strip(":").partition(":")[0]
    text = own.secrets.get(name)
    if text is None:
        return slug(f"{name}-{key}")
    try:
        return str(json.loads(text)[key]) if key else text
    except (ValueError, KeyError, TypeError):
        return slug(f"{name}-{key}")


def _without(before: Any, after: Any, path: tuple[Any, ...]) -> tuple[Any, list[Any]]:
    if unknown(after):
        if unknown(before):
            return made_up(after), []
        return _GONE, [(path, after)]
    if isinstance(after, Mapping):
        pairs = [
            (key, *_without(_below(before, key), one, (*path, key))) for key, one in after.items()
        ]
        kept = {made_up(key): one for key, one, _ in pairs if one is not _GONE}
        return kept, [gone for *_, more in pairs for gone in more]
    if isinstance(after, list):
        ones = [
            _without(_below(before, number), one, (*path, number))
            for number, one in enumerate(after)
        ]
        return [one for one, _ in ones if one is not _GONE], [g for _, more in ones for g in more]
    return after, []


def _below(value: Any, step: Any) -> Any:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int):
        return value[step] if step < len(value) else None
    return value
