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

SCHEMAS = "grader/cloud/template/kinds/schemas.json"
TYPES = "grader/cloud/template/kinds/types.txt"
# What is taken over of each part of a schema.
_TAKEN = (
    *("type", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"),
    *("uniqueItems", "required", "$ref"),
)
_REGION = "us-east-1"


def _published() -> Path:
    """The folder with the published schemas."""
    spec = find_spec("cfnlint")
    assert spec is not None and spec.submodule_search_locations, "cfn-lint is not installed"
    return Path(spec.submodule_search_locations[0]) / "data" / "schemas"


def _index() -> dict[str, str]:
    text = (_published() / "providers" / f"{_REGION}.json").read_text(encoding="utf-8")
    index: dict[str, str] = json.loads(text)
    return index


def types_table() -> str:
    """The names of all published types, a line each."""
    return "\n".join(sorted(_index())) + "\n"


def schemas_table() -> str:
    """What the labs need of the schemas of the types that they act out."""
    from grader.cloud.template import RESOURCE_TYPES

    index, folder = _index(), _published()
    table = {}
    for type in RESOURCE_TYPES:
        path = folder / "resources" / f"{index[type]}.json"
        table[type] = _resource(json.loads(path.read_text(encoding="utf-8")))
    rows = (
        f"{json.dumps(type)}: {json.dumps(one, sort_keys=True, separators=(',', ':'))}"
        for type, one in sorted(table.items())
    )
    return "{\n" + ",\n".join(rows) + "\n}\n"


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
    part = {key: schema[key] for key in _TAKEN if schema.get(key, False) is not False}
    if "enum" in part:
        part["enum"] = sorted(part["enum"], key=lambda one: (str(type(one)), one))
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
