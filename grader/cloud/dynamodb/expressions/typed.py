"""Attribute values in DynamoDB's JSON: one form for each value, order, size and arithmetic.

``settled`` brings a value into the form in which DynamoDB stores it: numbers without needless
digits, sets in one order, binaries as base64 text. Two settled values are equal to DynamoDB exactly
when they are equal to Python; everything else in this package relies on that.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

import base64
import binascii
import decimal
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from grader.cloud.dynamodb.expressions.grammar import MOST_LEVELS, Invalid

Value = dict[str, Any]
Item = dict[str, Value]

TYPES = ("S", "N", "B", "SS", "NS", "BS", "M", "L", "BOOL", "NULL")
ORDERED = frozenset({"S", "N", "B"})
SETS = frozenset({"SS", "NS", "BS"})
# AWS's words for the types in the errors of ADD and DELETE.
LONG_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
    "M": "MAP",
    "L": "LIST",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
}

MOST_DIGITS = 38
MOST_NAME_BYTES = 65_535
# The range is 1E-130 to 9.99...E+125 on both sides of zero.
_LARGEST_EXPONENT = 125
_SMALLEST_EXPONENT = -130
# The sum of the largest and the smallest number has 256 digits.
_EXACT = decimal.Context(prec=300)

_OVERFLOW = (
    "Number overflow. Attempting to store a number with magnitude larger than supported range"
)
_INVALID = "One or more parameter values were invalid: "


class Unreadable(Exception):
    """A value that is not in DynamoDB's JSON at all (its SerializationException)."""


def kind_of(value: Mapping[str, Any]) -> str:
    """The type of a settled value: ``S``, ``N``, ..."""
    return next(iter(value))


# -- one form --------------------------------------------------------------------------------


def settled_item(item: Any) -> Item:
    """A copy of an item in which every value is settled. Raises `Invalid` and `Unreadable`."""
    if not isinstance(item, dict):
        raise Unreadable("Unexpected field type")
    return _settled_map(item, 1)


def settled(value: Any, level: int = 1) -> Value:
    """One value in the form in which DynamoDB stores it. Raises `Invalid` and `Unreadable`."""
    if not isinstance(value, dict):
        raise Unreadable("Unexpected value type in payload")
    # The attribute itself is level 1: a scalar in 31 lists is the deepest that AWS takes.
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
    if level > MOST_LEVELS:
        raise Invalid(
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested "
            "levels beyond supported limit"
        )
    if len(value) != 1:
        known = [kind for kind in value if kind in TYPES]
        raise Invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
            "the supported datatypes"
            if len(known) > 1
            else "Supplied AttributeValue is empty, must contain exactly one of the supported "
            "datatypes"
        )
    ((kind, content),) = value.items()
    if kind == "S":
        if isinstance(content, str):
            return value
    elif kind == "N":
        return {"N": number_text(content)}
    elif kind == "M" or kind == "L":
        if kind == "M" and isinstance(content, dict):
            return {"M": _settled_map(content, level + 1)}
        if kind == "L" and isinstance(content, list):
            return {"L": [settled(part, level + 1) for part in content]}
    elif kind == "BOOL":
        if isinstance(content, bool):
            return value
    elif kind == "NULL":
        if content is True:
            return value
        if content is False:
            raise Invalid(_INVALID + "Null attribute value types must have the value of true")
    elif kind == "B":
        return {"B": _binary(content)}
    elif kind in SETS:
        if isinstance(content, list):
            return {kind: _settled_set(kind, content)}
    else:
        raise Invalid(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
        )
    raise Unreadable(f"An attribute value of type {kind} has a content it cannot have.")


def _settled_map(content: dict[str, Any], level: int) -> Item:
    found = {}
    for name, value in content.items():
        check_name(name)
        found[name] = settled(value, level)
    return found


def check_name(name: str) -> None:
    """`Invalid` for a name that no attribute can have."""
    if not name:
        raise Invalid(_INVALID + "Empty attribute name")
    if len(name) * 4 > MOST_NAME_BYTES and len(name.encode()) > MOST_NAME_BYTES:
        raise Invalid(_INVALID + "Attribute name is too large, must be less than 65536 bytes")


_NUMBER = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?", re.ASCII)


def number_text(text: Any) -> str:
    """A number as DynamoDB returns it: no sign of plus, no exponent, no needless zeros."""
    if not isinstance(text, str):
        raise Unreadable("NUMBER_VALUE cannot be converted to String")
    if len(text) < 30 and text.isdigit() and text.isascii() and (text[0] != "0" or text == "0"):
        return text
    found = _NUMBER.fullmatch(text)
    if not found:
        raise Invalid(
            f"The parameter cannot be converted to a numeric value: {text}"
            if text
            else "The parameter cannot be converted to a numeric value"
        )
    sign, digits, exponent = found.groups()
    whole, _, fraction = digits.partition(".")
    significant = (whole + fraction).strip("0")
    if not significant:
        return "0"
    if len(significant) > MOST_DIGITS:
        raise Invalid("Attempting to store more than 38 significant digits in a Number")
    leading = (whole + fraction).index(significant[0])
    # More than ten digits of exponent are out of range whatever stands before them.
    power = int(exponent[:11]) if exponent else 0
    power += len(whole) - leading - 1
    if power > _LARGEST_EXPONENT:
        raise Invalid(_OVERFLOW)
    if power < _SMALLEST_EXPONENT:
        raise Invalid(
            "Number underflow. Attempting to store a number with magnitude smaller than supported "
            "range"
        )
    return _placed("-" if sign == "-" else "", significant, power)


def _placed(sign: str, digits: str, power: int) -> str:
    """Significant digits with the point set: the first of them stands for 10 ** power."""
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    if len(digits) <= power + 1:
        return sign + digits + "0" * (power + 1 - len(digits))
    return f"{sign}{digits[: power + 1]}.{digits[power + 1 :]}"


def _binary(content: Any) -> str:
    if isinstance(content, (bytes, bytearray)):
        return base64.b64encode(content).decode("ascii")
    try:
        return base64.b64encode(base64.b64decode(content, validate=True)).decode("ascii")
    except (TypeError, ValueError, binascii.Error):
        raise Unreadable("A binary value is not base64.") from None


@lru_cache(maxsize=16)
def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _settled_set(kind: str, content: list[Any]) -> list[str]:
    if not content:
        raise Invalid(
            _INVALID
            + {
                "SS": "An string set  may not be empty",
                "NS": "An number set  may not be empty",
                "BS": "Binary sets should not be empty",
            }[kind]
        )
    if kind == "NS":
        parts = [number_text(part) for part in content]
    elif kind == "BS":
        parts = [_binary(part) for part in content]
    elif all(isinstance(part, str) for part in content):
        parts = content
    else:
        raise Unreadable("A string set has a member that is no string.")
    ordered = set_order(kind, parts)
    if len(ordered) != len(parts):
        if kind == "NS":
            raise Invalid("Input collection contains duplicates")
        shown = f"Input collection [{', '.join(parts)}]"
        end = "of type BS contains duplicates." if kind == "BS" else " contains duplicates."
        raise Invalid(_INVALID + shown + end)
    return ordered


def set_order(kind: str, parts: list[str] | set[str]) -> list[str]:
    """A set's members in one order: numbers by value, texts and binaries by their bytes.

    AWS promises none; this one makes runs repeatable.
    """
    if kind == "NS":
        return sorted(set(parts), key=Decimal)
    if kind == "BS":
        return sorted(set(parts), key=_bytes)
    return sorted(set(parts))


# -- order, content, size --------------------------------------------------------------------


def sort_key(value: Value) -> Any:
    """What orders values of one ordered type: texts by their UTF-8 bytes, which is by code point.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
    """
    ((kind, content),) = value.items()
    if kind == "N":
        return Decimal(content)
    return _bytes(content) if kind == "B" else content


def comparable(left: Value, right: Value) -> bool:
    """Whether one of two values can be the greater: types first, then order."""
    kind = kind_of(left)
    return kind in ORDERED and kind == kind_of(right)


def contains(whole: Value, part: Value) -> bool:
    """A substring, a member of a set or an element of a list."""
    ((kind, content),) = whole.items()
    ((part_kind, wanted),) = part.items()
    if kind == "L":
        return part in content
    if kind in SETS:
        return kind[0] == part_kind and wanted in content
    if kind == "S" and part_kind == "S":
        return wanted in content
    return kind == "B" and part_kind == "B" and _bytes(wanted) in _bytes(content)


def begins_with(whole: Value, start: Value) -> bool:
    """Whether a text or binary starts with another of its type."""
    kind = kind_of(whole)
    if kind != kind_of(start) or kind not in ("S", "B"):
        return False
    return bool(sort_key(whole).startswith(sort_key(start)))


def size(value: Value) -> Value | None:
    """The size as a number; None for a type that has none. Texts count characters.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
    """
    ((kind, content),) = value.items()
    if kind in ("N", "BOOL", "NULL"):
        return None
    return {"N": str(len(_bytes(content) if kind == "B" else content))}


# -- arithmetic ------------------------------------------------------------------------------


def added(left: Value, right: Value, *, minus: bool = False) -> Value:
    """The exact sum or difference of two numbers. `Invalid` when it is no DynamoDB number.

    A result of more than 38 digits is told as an overflow, too (recorded; not documented).
    """
    one, other = Decimal(left["N"]), Decimal(right["N"])
    result = _EXACT.subtract(one, other) if minus else _EXACT.add(one, other)
    try:
        return {"N": number_text(str(result))}
    except Invalid:
        raise Invalid(_OVERFLOW) from None
