"""The published CloudFormation schemas → the committed table ``schemas.json``.

cfn-lint carries AWS's resource schemas as data. What the labs need of them is written down once, by
``labs dev sync``: the names of all types, and for the types that the labs act out every property
with its type, range, choices and what is required. Nothing of cfn-lint is imported, here neither.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from grader.cloud.template import RESOURCE_TYPES

SCHEMAS = "grader/cloud/template/kinds/schemas.json"
TYPES = "grader/cloud/template/kinds/types.txt"
# What is taken over of each part of a schema.
_TAKEN = (
    *("type", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
    *("uniqueItems", "required", "$ref"),
)
_REGION = "us-east-1"


def published() -> Path | None:
    """The folder with the published schemas; None when cfn-lint is not installed."""
    spec = find_spec("cfnlint")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "data" / "schemas"


def _index(folder: Path) -> dict[str, str]:
    text = (folder / "providers" / f"{_REGION}.json").read_text(encoding="utf-8")
    index: dict[str, str] = json.loads(text)
    return index


def types_table(folder: Path) -> str:
    """The names of all published types, a line each."""
    return "\n".join(sorted(_index(folder))) + "\n"


def schemas_table(folder: Path) -> str:
    """What the labs need of the schemas of the types that they act out."""
    index = _index(folder)
    table = {}
    for type in RESOURCE_TYPES:
        path = folder / "resources" / f"{index[type]}.json"
        table[type] = _resource(json.loads(path.read_text(encoding="utf-8")))
    return json.dumps(table, indent=1, sort_keys=True) + "\n"


def _resource(schema: dict[str, Any]) -> dict[str, Any]:
    read_only = [
        path.removeprefix("/properties/").replace("/", ".").replace(".*.", "[].")
        for path in schema.get("readOnlyProperties", [])
    ]
    kept = {**schema, "properties": dict(schema["properties"])}
    for name in read_only:
        kept["properties"].pop(name, None)
    resource = _part(kept)
    definitions: dict[str, Any] = {}
    waiting = _named(resource)
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            definitions[name] = _part(schema["definitions"][name])
            waiting += _named(definitions[name])
    return {**resource, "definitions": definitions, "attributes": sorted(read_only)}


def _part(schema: dict[str, Any]) -> dict[str, Any]:
    part = {key: schema[key] for key in _TAKEN if schema.get(key) not in (None, [], False)}
    if "enum" in part:
        part["enum"] = sorted(part["enum"], key=str)
    if "$ref" in part:
        part["$ref"] = part["$ref"].removeprefix("#/definitions/")
    if "items" in schema:
        part["items"] = _part(schema["items"])
    if "properties" in schema:
        part["properties"] = {name: _part(one) for name, one in schema["properties"].items()}
    return part


def _named(part: dict[str, Any]) -> list[str]:
    names = [part["$ref"]] if "$ref" in part else []
    for one in (part.get("items"), *part.get("properties", {}).values()):
        names += _named(one) if one else []
    return names
