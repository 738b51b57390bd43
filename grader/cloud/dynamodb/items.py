"""Items in DynamoDB's own JSON: ``{"id": {"S": "o-1"}, "total": {"N": "12.5"}}``.

What the stream needs to know of an item: whether two of them are the same to DynamoDB, how many
bytes they count, the text of their primary key, and the form in which DynamoDB stores and returns
them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

Item = dict[str, dict[str, Any]]

# A number as DynamoDB returns it: no plus sign, no exponent, no needless zeros.
_PLAIN_NUMBER = re.compile(r"0|-?(?:[1-9][0-9]*|(?:0|[1-9][0-9]*)\.[0-9]*[1-9])", re.ASCII)


def number(text: str) -> Decimal:
    """The value of a DynamoDB number, exactly. ValueError when the text is no finite number."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not value.is_finite():
        raise ValueError(f"{text!r} is not a number")
    return value


def number_text(text: str) -> str:
    """A number the way DynamoDB returns it: leading and trailing zeros trimmed, no exponent.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
    says that zeros are trimmed. That an exponent is written out is this emulator's choice.
    """
    if text.isdigit() and text.isascii() and text[0] != "0":
        return text
    if _PLAIN_NUMBER.fullmatch(text):
        return text
    value = number(text)
    if not value:
        return "0"
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def binary_text(value: str | bytes) -> str:
    """A binary value as base64 text; text is taken to be base64 already."""
    if isinstance(value, str):
        return value
    return base64.b64encode(value).decode("ascii")


def _stored_value(value: Mapping[str, Any]) -> dict[str, Any]:
    ((kind, content),) = value.items()
    if kind == "N":
        return {"N": number_text(content)}
    if kind == "B":
        return {"B": binary_text(content)}
    if kind == "NS":
        return {"NS": [number_text(text) for text in content]}
    if kind == "BS":
        return {"BS": [binary_text(data) for data in content]}
    if kind == "M":
        return {"M": stored(content)}
    if kind == "L":
        return {"L": [_stored_value(part) for part in content]}
    return {kind: content}


def stored(item: Mapping[str, Mapping[str, Any]]) -> Item:
    """A copy of ``item`` as it comes back out of DynamoDB: plain numbers, base64 text."""
    return {name: _stored_value(value) for name, value in item.items()}


def plain_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """``item_bytes`` of a plain item, and -1 of any other.

    Plain means: only texts, booleans, nulls and numbers written as DynamoDB writes them. Nothing
    changes when such an item is stored, and two of them are the same exactly when they are equal;
    most items are plain, and a stream looks at every one it records.
    """
    total = 0
    for name, value in item.items():
        for kind, content in value.items():
            if kind == "S":
                total += len(content) if content.isascii() else _text_bytes(content)
            elif kind == "N":
                if not _PLAIN_NUMBER.fullmatch(content):
                    return -1
                total += _plain_number_bytes(content)
            elif kind == "BOOL" or kind == "NULL":
                total += 1
            else:
                return -1
        total += len(name) if name.isascii() else _text_bytes(name)
    return total


def same_value(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two attribute values are the same to DynamoDB: numbers by value, sets unordered."""
    if one == other:
        return True
    ((kind, left),) = one.items()
    ((other_kind, right),) = other.items()
    if kind != other_kind:
        return False
    if kind == "N":
        return number(left) == number(right)
    if kind == "B":
        return binary_text(left) == binary_text(right)
    if kind == "SS":
        return frozenset(left) == frozenset(right)
    if kind == "NS":
        return frozenset(map(number, left)) == frozenset(map(number, right))
    if kind == "BS":
        return frozenset(map(binary_text, left)) == frozenset(map(binary_text, right))
    if kind == "L":
        return len(left) == len(right) and all(map(same_value, left, right))
    if kind == "M":
        return same_item(left, right)
    return False


def same_item(one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether two items are the same to DynamoDB, whatever the order of attributes and sets."""
    if one == other:
        return True
    if one.keys() != other.keys():
        return False
    return all(same_value(value, other[name]) for name, value in one.items())


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _plain_number_bytes(text: str) -> int:
    # One byte for two significant digits, and one more. Recordings with numbers long enough to
    # prove this were not found; AWS's printed samples (101 counting 3) agree.
    return (len(text.strip("-0.").replace(".", "")) + 1) // 2 + 1


def _number_bytes(text: str) -> int:
    return _plain_number_bytes(number_text(text))


def _binary_bytes(value: str | bytes) -> int:
    if isinstance(value, str):
        return len(value) * 3 // 4 - value[-2:].count("=")
    return len(value)


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return _text_bytes(content)
    if kind == "N":
        return _number_bytes(content)
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "B":
        return _binary_bytes(content)
    if kind == "SS":
        return sum(map(_text_bytes, content))
    if kind == "NS":
        return sum(map(_number_bytes, content))
    if kind == "BS":
        return sum(map(_binary_bytes, content))
    if kind == "L":
        return 3 + sum(1 + _value_bytes(part) for part in content)
    if kind == "M":
        return 3 + len(content) + item_bytes(content)
    raise ValueError(f"{kind!r} is not an attribute type")


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """The bytes an item counts: UTF-8 bytes of names and values.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    if (plain := plain_bytes(item)) >= 0:
        return plain
    return sum(_text_bytes(name) + _value_bytes(value) for name, value in item.items())


def _key_part(value: Mapping[str, Any]) -> str:
    text = value.get("S")
    if text is not None:
        return f'{{"S":{quoted(text)}}}'
    ((kind, content),) = value.items()
    if kind == "N":
        content = number_text(content)
    elif kind == "B":
        content = binary_text(content)
    return f'{{"{kind}":{quoted(content)}}}'


def key_text(item: Mapping[str, Mapping[str, Any]], keys: Sequence[str]) -> str:
    """The primary key as canonical JSON text, in key-schema order, numbers normalised.

    Two items have the same text exactly when DynamoDB takes them for the same item. KeyError when
    a key attribute is missing.
    """
    if len(keys) == 1:
        return f"{{{quoted(keys[0])}:{_key_part(item[keys[0]])}}}"
    return "{" + ",".join(f"{quoted(name)}:{_key_part(item[name])}" for name in keys) + "}"
