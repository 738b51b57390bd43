"""What of a request does not fit the service's own model of its API.

Asked only when a service could not carry a request out: then either the request is not one that
AWS could have read, and is answered as AWS answers that, or the emulator is at fault. botocore
carries AWS's models: https://github.com/boto/botocore/tree/develop/botocore/data
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from grader.cloud.aws import Request, ServiceError

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
    model = _model(request.service)
    operation = model["operations"].get(request.operation, {}) if model else {}
    if "input" not in operation:
        return None
    text_only = request.protocol == "query"
    problem = _problem(
        model["shapes"], operation["input"]["shape"], request.params, request.operation, text_only
    )
    if problem is None:
        return None
    code, sentence = problem
    return ServiceError(code, sentence)


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
        return "SerializationException", f"{where} is no {kind}."
    parts: list[tuple[str, Any, str]] = []
    if kind == "structure":
        members = shape.get("members", {})
        for member in shape.get("required", ()):
            if value.get(member) is None:
                return "ValidationException", f"{where} lacks the required member {member}."
        parts = [
            (members[key]["shape"], part, key)
            for key, part in value.items()
            if key in members and part is not None
        ]
    elif kind == "list":
        member = shape["member"]["shape"]
        parts = [(member, part, f"{where} item {at}") for at, part in enumerate(value, 1)]
    elif kind == "map":
        inner = shape["value"]["shape"]
        parts = [(inner, part, f"{where} entry {key}") for key, part in value.items()]
    elif isinstance(value, (int, float)):
        low, high = shape.get("min", -(2**63)), shape.get("max", 2**63 - 1)
        if not low <= value <= high:
            return "ValidationException", f"{where} must be between {low} and {high}."
    for inner, part, path in parts:
        if (problem := _problem(shapes, inner, part, path, text_only)) is not None:
            return problem
    return None
