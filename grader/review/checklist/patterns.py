"""Whether a filter can match any record of a stream: the emulator's own engine is asked.

For each pattern records are made up that a table with these keys and this view can have, one for
each kind of change, with whatever the pattern asks for in the places where a record may hold it.
When the engine passes none of them, the first condition that no record meets is told.

How records look: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html and
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, NamedTuple

from grader.cloud.mapping import Filter, parse_filter_criteria

IMAGES = {
    "KEYS_ONLY": (),
    "NEW_IMAGE": ("NewImage",),
    "OLD_IMAGE": ("OldImage",),
    "NEW_AND_OLD_IMAGES": ("NewImage", "OldImage"),
}
# A pattern is at most 4,096 characters long; this many ways through its `$or`s are looked at.
MOST_WAYS = 500

_SETS = {"SS": "S", "NS": "N", "BS": "B"}
_LETTERS = ("S", "N", "B", *_SETS, "M", "L", "NULL", "BOOL")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]", re.ASCII)
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)
# What expires is deleted by the service itself.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
_EXPIRED = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "S": ("text", "0"),
    "N": ("7", "-3.5"),
    "B": ("dGV4dA==",),
    "BOOL": (True, False),
    "NULL": (True,),
}
_ABSENT: Any = object()


@dataclass(frozen=True)
class Source:
    """What is known of a stream. ``keys`` are the key attributes and their type letters."""

    keys: Mapping[str, str] | None = None
    view: str | None = None

    @property
    def images(self) -> tuple[str, ...]:
        """The images that its records can carry; both when the view is not known."""
        return IMAGES.get(self.view or "", IMAGES["NEW_AND_OLD_IMAGES"])


class _Leaf(NamedTuple):
    path: tuple[str, ...]
    values: Sequence[Any]
    filter: Filter


class _Change(NamedTuple):
    name: str
    images: tuple[str, ...]
    expired: bool = False


CHANGES = (
    _Change("INSERT", ("NewImage",)),
    _Change("MODIFY", ("NewImage", "OldImage")),
    _Change("REMOVE", ("OldImage",)),
    _Change("REMOVE", ("OldImage",), expired=True),
)


def impossible(one: Filter, source: Source) -> str:
    """Why no record of the stream can pass ``one``, as a sentence; empty when one can."""
    told = ""
    for way in islice(_ways(json.loads(one.pattern), ()), MOST_WAYS):
        leaves = [_Leaf(path, values, _alone(path, values)) for path, values in way]
        if any(one.matches(_record(change, leaves, source)) for change in CHANGES):
            return ""
        told = told or _reason(leaves, source)
    return told


def _reason(leaves: Sequence[_Leaf], source: Source) -> str:
    for leaf in leaves:
        if not any(leaf.filter.matches(_record(one, [leaf], source)) for one in CHANGES):
            return _why(leaf, source)
    names = [leaf for leaf in leaves if leaf.path == ("eventName",)]
    for leaf in leaves:
        pair = [*names, leaf]
        if names and not any(
            all(each.filter.matches(_record(one, pair, source)) for each in pair) for one in CHANGES
        ):
            kinds = " or ".join(str(value) for value in names[0].values)
            return f"{kinds} and {'.'.join(leaf.path)} never stand in one record."
    return "its conditions exclude each other: no one record meets them all."


# -- what a pattern asks for ---------------------------------------------------------------------


def _ways(
    pattern: Any, path: tuple[str, ...]
) -> Iterator[list[tuple[tuple[str, ...], Sequence[Any]]]]:
    """Each way to meet a pattern: the leaves that have to match together."""
    if isinstance(pattern, list):
        yield [(path, pattern)]
        return
    if not isinstance(pattern, Mapping):
        return
    parts = []
    for key, below in pattern.items():
        choices = key == "$or" and isinstance(below, list)
        if choices and all(isinstance(one, Mapping) for one in below):
            parts.append([way for one in below for way in islice(_ways(one, path), MOST_WAYS)])
        else:
            parts.append(list(islice(_ways(below, (*path, *key.split("."))), MOST_WAYS)))
    for chosen in product(*parts):
        yield [leaf for way in chosen for leaf in way]


def _alone(path: tuple[str, ...], values: Sequence[Any]) -> Filter:
    """One condition as a filter of its own."""
    pattern: Any = list(values)
    for key in reversed(path):
        pattern = {key: pattern}
    (made,) = parse_filter_criteria({"Filters": [{"Pattern": json.dumps(pattern)}]})
    return made


def _asked(values: Sequence[Any], absent: bool = True) -> Iterator[Any]:
    """Values that may satisfy a leaf, whatever their type."""
    for value in values:
        if not isinstance(value, Mapping):
            yield value
            continue
        for operator, operand in value.items():
            if operator == "exists" and operand is False:
                if absent:
                    yield _ABSENT
            elif operator == "numeric" and isinstance(operand, list):
                for limit in operand[1::2]:
                    if isinstance(limit, int | float) and not isinstance(limit, bool):
                        yield from (limit, limit + 1, limit - 1, limit + 0.5, limit - 0.5)
            elif operator == "wildcard":
                yield str(operand).replace("*", "")
            elif isinstance(operand, Mapping):
                yield from _asked([operand])
            elif operator != "anything-but":
                yield operand


# -- what a record can hold ----------------------------------------------------------------------


def _record(change: _Change, leaves: Sequence[_Leaf], source: Source) -> dict[str, Any]:
    """A record of that kind, with what the leaves ask for wherever it may stand."""
    keys = {name: _scalar(letter) for name, letter in (source.keys or {}).items()}
    images = [name for name in change.images if name in source.images]
    record: dict[str, Any] = {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": change.name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2026",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_790_000_000,
            "Keys": dict(keys),
            "SequenceNumber": "100000000003498069978",
            "SizeBytes": 26,
            "StreamViewType": source.view or "NEW_AND_OLD_IMAGES",
            **{name: dict(keys) for name in images},
        },
    }
    if change.expired:
        record["userIdentity"] = dict(_EXPIRED)
    for leaf in leaves:
        _fit(record, leaf, source)
    return record


def _scalar(letter: str) -> dict[str, Any]:
    return {letter: _DEFAULTS[letter][0]} if letter in _DEFAULTS else {}


def _fit(record: dict[str, Any], leaf: _Leaf, source: Source) -> None:
    """Write into the record what the leaf asks for, if a record can hold it there."""
    path = leaf.path
    if len(path) > 2 and path[0] == "dynamodb" and path[1] in ("Keys", "NewImage", "OldImage"):
        item = record["dynamodb"].get(path[1])
        if item is not None:
            _fit_attribute(item, leaf, source)
        return
    free: dict[tuple[str, ...], Callable[[Any], Any]] = {
        ("eventID",): lambda value: isinstance(value, str) and value,
        ("awsRegion",): lambda value: isinstance(value, str) and _REGION.fullmatch(value),
        ("eventSourceARN",): lambda value: str(value).startswith("arn:"),
        ("dynamodb", "SequenceNumber"): lambda value: str(value).isdigit(),
        ("dynamodb", "SizeBytes"): _is_number,
        ("dynamodb", "ApproximateCreationDateTime"): _is_number,
    }
    allowed = free.get(path)
    place = record if len(path) == 1 else record["dynamodb"]
    for value in _asked(leaf.values, absent=False) if allowed else ():
        before = place[path[-1]]
        if allowed and allowed(value):
            place[path[-1]] = value
            if leaf.filter.matches(record):
                return
            place[path[-1]] = before


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fit_attribute(item: dict[str, Any], leaf: _Leaf, source: Source) -> None:
    part, name, *rest = leaf.path[1:]
    key = (source.keys or {}).get(name)
    if part == "Keys" and source.keys is not None and key is None:
        return
    letters = [rest[0]] if rest else []
    if not letters or letters[0] not in _LETTERS or (key is not None and letters[0] != key):
        return
    for wanted in (*_asked(leaf.values), *_DEFAULTS.get(_innermost(rest), ())):
        if wanted is _ABSENT:
            if key is None:
                item.pop(name, None)
                return
            continue
        value = _attribute(rest, wanted)
        if value is not None:
            # Several conditions may look into one attribute.
            item[name] = _joined(item.get(name), value)
            if _holds(leaf, item):
                return


def _holds(leaf: _Leaf, item: Mapping[str, Any]) -> bool:
    return leaf.filter.matches({"dynamodb": {leaf.path[1]: item}})


def _innermost(rest: Sequence[str]) -> str:
    last = rest[-1] if rest else ""
    return _SETS.get(last, last)


def _attribute(rest: Sequence[str], wanted: Any) -> Any:
    """A value in DynamoDB's JSON with ``wanted`` at its end; None when it cannot stand there."""
    letter, *below = rest
    if letter in ("M", "L"):
        if not below:
            return None
        if letter == "L":
            inner = _attribute(below, wanted)
            return None if inner is None else {"L": [inner]}
        name, *further = below
        inner = _attribute(further, wanted) if further else None
        return None if inner is None else {"M": {name: inner}}
    kind = _SETS.get(letter, letter)
    fits: dict[str, Callable[[Any], Any]] = {
        "S": lambda value: isinstance(value, str),
        "N": lambda value: isinstance(value, str) and _NUMBER.fullmatch(value),
        "B": lambda value: isinstance(value, str) and _BASE64.fullmatch(value),
        "BOOL": lambda value: isinstance(value, bool),
        "NULL": lambda value: value is True,
    }
    if below or kind not in fits or not fits[kind](wanted):
        return None
    return {letter: [wanted] if letter in _SETS else wanted}


def _joined(old: Any, new: Any) -> Any:
    """Two values of one attribute in one: maps become one map, anything else is replaced."""
    if isinstance(old, dict) and isinstance(new, dict) and "M" in old and "M" in new:
        both = dict(old["M"])
        for name, value in new["M"].items():
            both[name] = _joined(both.get(name), value)
        return {"M": both}
    return new


# -- why it can never match ----------------------------------------------------------------------


def _why(leaf: _Leaf, source: Source) -> str:
    path, where = leaf.path, ".".join(leaf.path)
    sample = _record(CHANGES[1], (), Source(source.keys))
    if path == ("eventName",):
        return "eventName is INSERT, MODIFY or REMOVE, in capitals."
    if path[0] == "userIdentity":
        return (
            "userIdentity stands only in the records of expired items: type Service, principalId "
            "dynamodb.amazonaws.com."
        )
    if path[0] not in sample:
        return f"a stream record has no {path[0]}; it has {', '.join(sample)}."
    if path[0] != "dynamodb":
        return f"no record holds what is asked for at {where}."
    if len(path) < 2 or path[1] not in sample["dynamodb"]:
        asked = path[1] if len(path) > 1 else "value"
        return f"dynamodb has no {asked}; it has {', '.join(sample['dynamodb'])}."
    if path[1] in ("NewImage", "OldImage") and path[1] not in source.images:
        return f"the stream's view {source.view} carries no {path[1]}."
    if path[1] not in ("Keys", "NewImage", "OldImage"):
        return f"no record holds what is asked for at {where}."
    return _why_attribute(leaf, source)


def _why_attribute(leaf: _Leaf, source: Source) -> str:
    part, *below = leaf.path[1:]
    if len(below) < 2:
        named = f"{part}.{below[0]}" if below else part
        return f"{named} lacks the type letter, such as {{'S': [...]}}."
    name, letter = below[0], below[1]
    key = (source.keys or {}).get(name)
    if part == "Keys" and source.keys is not None and key is None:
        return f"Keys holds the table's key only: {', '.join(source.keys)}, not {name}."
    if letter not in _LETTERS:
        return f"{part}.{name} has {letter!r} where a type letter stands."
    if key is not None and letter != key:
        return f"{name} is a key of type {key}, not {letter}."
    where, last = f"{part}.{'.'.join(below)}", below[-1]
    if any(isinstance(value, Mapping) and "numeric" in value for value in leaf.values):
        return f"{where} uses numeric; attributes arrive as text, even numbers."
    if last in ("M", "L"):
        kind = "map" if last == "M" else "list"
        return f"{where} is a {kind}; a condition looks at single values inside it."
    if key is not None and leaf.values == [{"exists": False}]:
        return f"{name} is a key, which every record has."
    if _innermost([last]) == "N":
        return f'{where} holds a number as text: write it in quotes, such as "301.8".'
    if last in ("BOOL", "NULL"):
        return f"{where} holds true{' or false' if last == 'BOOL' else ''}, without quotes."
    return f"no record holds what is asked for at {where}."
