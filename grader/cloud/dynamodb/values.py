"""Attribute values: checked on the way in, plain JSON on the way out, plain Python for the judge.

moto keeps every value as a `DynamoType` around what it was given. Here values are first brought
into the form in which DynamoDB stores them, so that what comes out is what DynamoDB would answer.
"""

from __future__ import annotations

import base64
import binascii
import decimal
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item

from grader.cloud.aws import ServiceError
from grader.cloud.dynamodb.items import binary_text, item_bytes, number_text

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_ITEM_BYTES = 409_600
MOST_DIGITS = 38

Attributes = dict[str, dict[str, Any]]


def invalid(message: str) -> ServiceError:
    """DynamoDB's ValidationException."""
    return ServiceError("ValidationException", message)


# -- values on their way in ------------------------------------------------------------------


def values_in(params: dict[str, Any]) -> None:
    """Check and normalise, in place, every attribute value of a call's parameters.

    Numbers become what DynamoDB stores, base64 becomes bytes (which is what moto works on).
    ServiceError for what DynamoDB refuses. Doing it twice does no harm.
    """
    for holder in _holders(params):
        for name in ("Item", "Key", "ExclusiveStartKey", "ExpressionAttributeValues"):
            values = holder.get(name)
            if isinstance(values, dict):
                holder[name] = {key: _value_in(value) for key, value in values.items()}


def _holders(params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every mapping of a call's parameters that may hold items, keys or expression values."""
    yield params
    for part in params.get("TransactItems") or ():
        yield from (body for body in part.values() if isinstance(body, dict))
    for requests in (params.get("RequestItems") or {}).values():
        if isinstance(requests, dict):
            requests["Keys"] = [
                {name: _value_in(value) for name, value in key.items()}
                for key in requests.get("Keys") or ()
            ]
            continue
        for request in requests:
            yield from (body for body in request.values() if isinstance(body, dict))


def _value_in(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) != 1:
        raise invalid(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
        )
    ((kind, content),) = value.items()
    if kind == "S":
        if isinstance(content, str):
            return value
    elif kind == "N":
        return {"N": _number_in(content)}
    elif kind == "M":
        if isinstance(content, dict):
            return {"M": {name: _value_in(part) for name, part in content.items()}}
    elif kind == "L":
        if isinstance(content, list):
            return {"L": [_value_in(part) for part in content]}
    elif kind == "BOOL":
        if isinstance(content, bool):
            return value
    elif kind == "NULL":
        if content is True:
            return value
    elif kind == "B":
        return {"B": _binary_in(content)}
    elif kind in ("SS", "NS", "BS") and isinstance(content, list):
        return {kind: _set_in(kind, content)}
    raise ServiceError(
        "SerializationException", f"An attribute value of type {kind} has a content it cannot have."
    )


_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SMALLEST = decimal.Decimal("1E-130")
_LARGEST = decimal.Decimal("9.9999999999999999999999999999999999999E+125")


def _number_in(text: Any) -> str:
    """A number as DynamoDB stores it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
    """
    if not isinstance(text, str):
        raise ServiceError("SerializationException", "NUMBER_VALUE cannot be converted to String")
    if len(text) < 30 and text.isdigit() and text.isascii() and (text[0] != "0" or text == "0"):
        return text
    if not _NUMBER.fullmatch(text):
        raise invalid(
            f"The parameter cannot be converted to a numeric value: {text}"
            if text
            else "The parameter cannot be converted to a numeric value"
        )
    return number_text(str(_checked_number(decimal.Decimal(text))))


def _checked_number(value: decimal.Decimal) -> decimal.Decimal:
    if value:
        size = abs(value)
        if size > _LARGEST:
            raise invalid(
                "Number overflow. Attempting to store a number with magnitude larger than "
                "supported range"
            )
        if size < _SMALLEST:
            raise invalid(
                "Number underflow. Attempting to store a number with magnitude smaller than "
                "supported range"
            )
        digits = "".join(map(str, value.as_tuple().digits)).strip("0")
        if len(digits) > MOST_DIGITS:
            raise invalid("Attempting to store more than 38 significant digits in a Number")
    return value


def _binary_in(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    try:
        return base64.b64decode(content, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise ServiceError("SerializationException", "A binary value is not base64.") from None


def _set_in(kind: str, content: list[Any]) -> list[Any]:
    if not content:
        name = {"SS": "string", "NS": "number", "BS": "binary"}[kind]
        raise invalid(f"One or more parameter values were invalid: An {name} set  may not be empty")
    if kind == "NS":
        parts: list[Any] = [_number_in(part) for part in content]
    elif kind == "BS":
        parts = [_binary_in(part) for part in content]
    else:
        parts = content
    ordered = _set_order(kind, parts)
    if len(ordered) != len(parts):
        raise invalid(
            "One or more parameter values were invalid: Input collection contains duplicates."
        )
    return ordered


def _set_order(kind: str, content: Sequence[Any]) -> list[Any]:
    """A set's members in one order: numbers by value, texts and binaries by their bytes.

    AWS promises none; this one makes runs repeatable.
    """
    if kind == "NS":
        return sorted(set(content), key=decimal.Decimal)
    if kind == "SS":
        return sorted(set(content), key=lambda text: text.encode("utf-8", "surrogatepass"))
    return sorted(set(content))


# -- items on their way out ------------------------------------------------------------------


def image(item: Item) -> Attributes:
    """An item as plain DynamoDB JSON, binaries as base64 text."""
    return {name: _value_out(value) for name, value in item.attrs.items()}


def _value_out(value: DynamoType) -> dict[str, Any]:
    kind, content = value.type, value.value
    if kind == "M":
        return {"M": {name: _value_out(part) for name, part in content.items()}}
    if kind == "L":
        return {"L": [_value_out(part) for part in content]}
    if kind == "B":
        return {"B": binary_text(content)}
    if kind == "BS":
        return {"BS": [binary_text(part) for part in content]}
    if kind in ("SS", "NS"):
        return {kind: list(content)}
    return {kind: content}


def settled(item: Item | None) -> Attributes | None:
    """An item's image after a write, with what moto left unlike DynamoDB put right in the item.

    ServiceError when the item is one that DynamoDB would not store.
    """
    if item is None:
        return None
    for value in item.attrs.values():
        _settle(value)
    settled_image = image(item)
    if item_bytes(settled_image) > MOST_ITEM_BYTES:
        raise invalid("Item size has exceeded the maximum allowed size")
    return settled_image


def _settle(value: DynamoType) -> None:
    kind = value.type
    if kind == "N":
        value.value = _number_in(value.value)
    elif kind == "M":
        for part in value.value.values():
            _settle(part)
    elif kind == "L":
        for part in value.value:
            _settle(part)
    elif kind == "NS":
        value.value = _set_order(kind, [_number_in(part) for part in value.value])
    elif kind in ("SS", "BS"):
        value.value = _set_order(kind, value.value)


# -- plain Python values ---------------------------------------------------------------------


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
