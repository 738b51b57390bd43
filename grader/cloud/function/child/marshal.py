"""A handler's result as JSON, the way AWS's Python runtime client encodes it.

The client encodes with simplejson, not with the standard library, which shows: a ``Decimal``
becomes a bare number, a named tuple an object, bytes are decoded as UTF-8, and NaN and the
infinities stand as such. Everything else that JSON does not know is refused.
Source: https://github.com/aws/aws-lambda-python-runtime-interface-client (4.2.2).
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

# Earlier runtimes write non-ASCII characters as escapes.
UNICODE_RUNTIMES = frozenset({"python3.12", "python3.13", "python3.14", "python3.15"})


def to_json(value: Any, *, ensure_ascii: bool) -> str:
    """``value`` as JSON text.

    TypeError for what JSON does not know, ValueError for a value that contains itself,
    RecursionError for one that is nested too deeply.
    """
    string = json.JSONEncoder(ensure_ascii=ensure_ascii).encode
    parts: list[str] = []
    inside: set[int] = set()

    def number(real: float) -> str:
        if math.isnan(real):
            return "NaN"
        if math.isinf(real):
            return "Infinity" if real > 0 else "-Infinity"
        return float.__repr__(real)

    def key_text(key: Any) -> str | None:
        if isinstance(key, str):
            return key
        if isinstance(key, bytes):
            return key.decode("utf-8")
        if key is True or key is False or key is None:
            return {True: "true", False: "false", None: "null"}[key]
        if isinstance(key, int):
            return int.__repr__(key)
        if isinstance(key, float):
            return number(key)
        raise TypeError(f"keys must be str, int, float, bool or None, not {key.__class__.__name__}")

    def write(item: Any) -> None:
        if isinstance(item, str):
            parts.append(string(item))
        elif isinstance(item, bytes):
            parts.append(string(item.decode("utf-8")))
        elif item is None or item is True or item is False:
            parts.append({None: "null", True: "true", False: "false"}[item])
        elif isinstance(item, int):
            parts.append(int.__repr__(item))
        elif isinstance(item, float):
            parts.append(number(item))
        elif isinstance(item, Decimal):
            parts.append("NaN" if item.is_nan() else str(item))
        elif isinstance(item, (list, tuple, dict)):
            if id(item) in inside:
                raise ValueError("Circular reference detected")
            inside.add(id(item))
            if isinstance(item, tuple) and hasattr(item, "_asdict"):
                write_object(item._asdict())
            elif isinstance(item, dict):
                write_object(item)
            else:
                parts.append("[")
                for index, member in enumerate(item):
                    if index:
                        parts.append(", ")
                    write(member)
                parts.append("]")
            inside.discard(id(item))
        else:
            raise TypeError(f"Object of type {item.__class__.__name__} is not JSON serializable")

    def write_object(members: dict[Any, Any]) -> None:
        parts.append("{")
        first = True
        for key, member in members.items():
            if not first:
                parts.append(", ")
            first = False
            parts.append(string(key_text(key)))
            parts.append(": ")
            write(member)
        parts.append("}")

    write(value)
    return "".join(parts)
