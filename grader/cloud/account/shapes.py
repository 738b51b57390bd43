"""What of a request does not fit the service's own model of its API.

`misfit` is asked when a service could not carry a request out: then either the request is not one
that AWS could have read, and is answered as AWS answers that, or the emulator is at fault.
`outside` is asked before a table is defined or changed, because moto leaves most limits unchecked.
botocore carries AWS's models: https://github.com/boto/botocore/tree/develop/botocore/data
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from grader.cloud.aws import Request, ServiceError

# How many breaches one answer tells; AWS documents no number.
MOST_TOLD = 10

_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "blob": (str, bytes),
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
}


def misfit(request: Request) -> ServiceError | None:
    """AWS's answer to parameters that do not fit the operation's input; None when they fit."""
    return _refusal(request, (int, float))


def outside(request: Request) -> ServiceError | None:
    """As `misfit`, and for every length, pattern and set of values that the model states."""
    return _refusal(request, (int, float, str, list, dict))


def _refusal(request: Request, bounded: tuple[type, ...]) -> ServiceError | None:
    """What does not fit; else the values of ``bounded`` types that break a constraint."""
    model = _model(request.service)
    operation = model["operations"].get(request.operation, {}) if model else {}
    if "input" not in operation:
        return None
    shapes, name = model["shapes"], operation["input"]["shape"]
    text_only = request.protocol == "query"
    problem = _problem(shapes, name, request.params, "", text_only)
    if problem is not None:
        return ServiceError(*problem)
    found = [
        f"Value '{'[...]' if isinstance(value, (list, dict)) and value else value}' at '{where}' "
        f"failed to satisfy constraint: Member must {rule}"
        for where, value, rule in islice(
            _breaches(shapes, name, request.params, "", bounded), MOST_TOLD
        )
    ]
    if not found:
        return None
    errors = "error" if len(found) == 1 else "errors"
    sentence = f"{len(found)} validation {errors} detected: {'; '.join(found)}"
    return ServiceError("ValidationException", sentence)


def _breaches(
    shapes: dict[str, Any], name: str, value: Any, where: str, bounded: tuple[type, ...]
) -> Iterator[tuple[str, Any, str]]:
    """(place, value, rule) for each constraint that a part of a fitting value breaks."""
    shape = shapes[name]
    for rule in _broken(shape, value) if isinstance(value, bounded) else ():
        yield where, value, rule
    for inner, part, path in _parts(shape, value, where):
        yield from _breaches(shapes, inner, part, path, bounded)


def _parts(shape: dict[str, Any], value: Any, where: str) -> list[tuple[str, Any, str]]:
    """(shape, value, place) of each part of a value; none of a scalar."""
    if shape["type"] == "structure":
        members = shape.get("members", {})
        return [
            (members[key]["shape"], part, _place(where, key))
            for key, part in value.items()
            if key in members and part is not None
        ]
    if shape["type"] == "list":
        inner = shape["member"]["shape"]
        return [(inner, part, f"{where}.{at}.member") for at, part in enumerate(value, 1)]
    if shape["type"] == "map":
        inner = shape["value"]["shape"]
        return [(inner, part, f"{where}.{key}.member") for key, part in value.items()]
    return []


def _place(where: str, member: str) -> str:
    """A member's place as AWS writes it: ``keySchema.1.member.attributeName``."""
    return f"{where}{'.' if where else ''}{member[0].lower()}{member[1:]}"


def _broken(shape: dict[str, Any], value: Any) -> Iterator[str]:
    if isinstance(value, (int, float)):
        what, measure = "value", value
    elif shape["type"] in ("integer", "long", "float", "double", "boolean", "timestamp"):
        return  # A number that a form brought as text.
    else:
        what, measure = "length", len(value)
    if measure < shape.get("min", measure):
        yield f"have {what} greater than or equal to {shape['min']}"
    if measure > shape.get("max", measure):
        yield f"have {what} less than or equal to {shape['max']}"
        return  # Nothing is matched that may be endless.
    pattern = shape.get("pattern")
    # Some patterns are written for Java alone.
    if pattern is not None and "\\p" not in pattern and not re.fullmatch(pattern, value):
        yield f"satisfy regular expression pattern: {pattern}"
    if value not in shape.get("enum", (value,)):
        yield f"satisfy enum value set: [{', '.join(shape['enum'])}]"


@lru_cache
def _model(service: str) -> dict[str, Any]:
    from botocore.exceptions import UnknownServiceError
    from botocore.loaders import Loader

    try:
        found: dict[str, Any] = Loader().load_service_model(service, "service-2")
    except UnknownServiceError:
        return {}
    return found


def _problem(
    shapes: dict[str, Any], name: str, value: Any, where: str, text_only: bool
) -> tuple[str, str] | None:
    """(code, sentence) of the first part that does not fit; the depth is bounded by the door."""
    shape = shapes[name]
    kind = str(shape["type"])
    scalar = kind not in ("structure", "map", "list")
    wanted: Any = str if text_only and scalar else _JSON_TYPES[kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "boolean"):
        return "SerializationException", f"{where or 'The request'} is no {kind}."
    for member in shape.get("required", ()) if kind == "structure" else ():
        if value.get(member) is None:
            return "ValidationException", (
                f"1 validation error detected: Value null at '{_place(where, member)}' failed to "
                "satisfy constraint: Member must not be null"
            )
    if isinstance(value, (int, float)):
        low, high = -(2**63), 2**63 - 1
        if not low <= value <= high:
            return "ValidationException", f"{where} must be between {low} and {high}."
    for inner, part, path in _parts(shape, value, where):
        if (problem := _problem(shapes, inner, part, path, text_only)) is not None:
            return problem
    return None
