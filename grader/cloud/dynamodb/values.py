"""Plain Python values for DynamoDB's JSON, and back."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def wire(item: Mapping[str, Any]) -> dict[str, Any]:
    """Plain Python values as DynamoDB JSON. Numbers are int or Decimal; TypeError for floats."""
    return {name: _wire_value(value) for name, value in item.items()}


def _wire_value(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, Decimal)):
        return {"N": str(value)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, (bytes, bytearray)):
        return {"B": base64.b64encode(value).decode("ascii")}
    if isinstance(value, Mapping):
        return {"M": wire(value)}
    if isinstance(value, (list, tuple)):
        return {"L": [_wire_value(part) for part in value]}
    if isinstance(value, (set, frozenset)):
        parts = [_wire_value(part) for part in value]
        kinds = {kind for part in parts for kind in part}
        if len(kinds) == 1 and kinds <= {"S", "N", "B"}:
            (kind,) = kinds
            return {f"{kind}S": sorted(part[kind] for part in parts)}
    raise TypeError(f"{value!r} has no place in an item")


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """DynamoDB JSON as plain Python values; whole numbers are int, others Decimal."""
    return {name: _plain_value(value) for name, value in item.items()}


def _plain_value(value: Mapping[str, Any]) -> Any:

    ((kind, content),) = value.items()
    if kind == "N":
        return _plain_number(content)
    if kind == "M":
        return plain(content)
    if kind == "L":
        return [_plain_value(part) for part in content]
    if kind == "B":
        return base64.b64decode(content) if isinstance(content, str) else bytes(content)
    if kind in ("SS", "NS", "BS"):
        return {_plain_value({kind[0]: part}) for part in content}
    return None if kind == "NULL" else content


def _plain_number(text: str) -> int | Decimal:
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else value
