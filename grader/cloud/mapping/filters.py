"""Event filters: which stream records a mapping passes on to its function.

A pattern is JSON in the shape of a record, with an array of accepted values at each leaf::

    {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"status": {"S": ["paid", "sent"]}}}}

Keys of one pattern are AND-ed, values of one array OR-ed, filters OR-ed.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html

Where Lambda's guide is silent this module follows EventBridge, which has the same language:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
and the library in which AWS has published it: https://github.com/aws/event-ruler
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from grader.cloud.aws import Refused

# https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html (10 on request)
MAX_FILTERS = 5
# https://docs.aws.amazon.com/lambda/latest/api/API_Filter.html
MAX_PATTERN = 4_096
# Items nest 32 levels deep, of a name and a type letter each; nothing in a record lies deeper.
MAX_DEPTH = 100
# The limits of numeric matching in AWS's own matching library: https://github.com/aws/event-ruler
MAX_NUMERIC = Decimal("5.0e9")

# The guide says that only `dynamodb` can be filtered on; `eventName` is recorded to work and
# `userIdentity` is AWS's own advice for TTL deletes:
# https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
KNOWN_KEYS = ("dynamodb", "eventName", "userIdentity")

OPERATORS = ("anything-but", "equals-ignore-case", "exists", "numeric", "prefix", "suffix")
# EventBridge has these. Lambda's guide gives "a summary of all the comparison operators available
# for Lambda event filtering", and they are not in it:
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
_ELSEWHERE = ("cidr", "exactly", "wildcard")
# No name of a field within $or: an array with one of them is the array of a field named "$or".
# The library keeps some for later: https://github.com/aws/event-ruler
_RESERVED = {
    *OPERATORS,
    *_ELSEWHERE,
    *("=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"),
    *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
    *("ip-address-in-range", "ip-address-not-in-range"),
}

_PARAMETER = "FilterCriteria"
_TOO_DEEP = "The pattern is nested deeper than any record."
_ABSENT: Any = object()
_NO_FIELDS: dict[str, Any] = {}

Test = Callable[[Any], bool]


class BadPattern(Refused):
    """A filter that AWS would not accept. ``message`` is AWS's; ``reason`` says what is wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "InvalidParameterValueException", "Invalid filter pattern definition.", _PARAMETER
        )
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.message} {self.reason}"


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: its ``pattern`` as it was given, and what it matches."""

    pattern: str
    root: _Object = field(compare=False, repr=False)

    @property
    def keys(self) -> tuple[str, ...]:
        """The pattern's top-level keys, those inside ``$or`` included."""
        return tuple(dict.fromkeys(self.root.keys()))

    def matches(self, event_record: Mapping[str, Any]) -> bool:
        """Whether the record (one element of an event's ``Records``) passes this filter."""
        return self.root.matches(event_record, event_record)


def parse_filter_criteria(criteria: Mapping[str, Any] | None) -> tuple[Filter, ...]:
    """The filters of a ``FilterCriteria`` object; none for None, ``{}`` and an empty list.

    Refused when there are more than five filters, when a pattern is longer than 4,096 characters,
    and (as ``BadPattern``) when one is not a valid pattern.
    """
    if criteria is None:
        return ()
    if not isinstance(criteria, Mapping):
        raise BadPattern("FilterCriteria is an object with a list named Filters.")
    unknown = [name for name in criteria if name != "Filters"]
    if unknown:
        raise BadPattern(f"FilterCriteria has no member {unknown[0]!r}.")
    filters = criteria.get("Filters") or []
    if not isinstance(filters, list | tuple):
        raise BadPattern("Filters is a list.")
    if len(filters) > MAX_FILTERS:
        raise Refused(
            "InvalidParameterValueException",
            f"A mapping takes at most {MAX_FILTERS} filters, not {len(filters)}.",
            _PARAMETER,
        )
    return tuple(_parse_filter(number, one) for number, one in enumerate(filters, 1))


def matches_any(filters: Iterable[Filter], event_record: Mapping[str, Any]) -> bool:
    """Whether the record passes: no filters at all, or one that matches."""
    empty = True
    for one in filters:
        if one.root.matches(event_record, event_record):
            return True
        empty = False
    return empty


# -- what a pattern is made of -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Leaf:
    """The accepted values of one field: any one of them will do."""

    path: tuple[str, ...]
    strings: frozenset[str]
    # JSON numbers by their text, and the literals null, true and false.
    literals: frozenset[str]
    tests: tuple[Test, ...]
    may_be_absent: bool

    def matches(self, value: Any, record: Any) -> bool:
        if isinstance(value, str):
            # What nearly every leaf is; the rest of this method would come to the same.
            return value in self.strings or any(test(value) for test in self.tests)
        for scalar in _scalars(value):
            if isinstance(scalar, str):
                if scalar in self.strings:
                    return True
            elif self.literals and _literal(scalar) in self.literals:
                return True
            for test in self.tests:
                if test(scalar):
                    return True
        # Absent means: nowhere in the record, not only not in this element of an array.
        return self.may_be_absent and not any(_at(record, self.path))


@dataclass(frozen=True, slots=True)
class _Object:
    """Fields that all have to match, and ``$or`` groups of which one member each has to."""

    fields: tuple[tuple[str, _Leaf | _Object], ...]
    groups: tuple[tuple[_Object, ...], ...]

    def keys(self) -> Iterator[str]:
        for name, _ in self.fields:
            yield name
        for group in self.groups:
            for choice in group:
                yield from choice.keys()

    def matches(self, value: Any, record: Any) -> bool:
        if isinstance(value, dict):
            known = value = _undotted(value)
        else:
            if isinstance(value, list):
                # The fields of one pattern object have to match inside one element of an array.
                return any(self.matches(part, record) for part in value or (_ABSENT,))
            known = _NO_FIELDS
        for name, wanted in self.fields:
            if not wanted.matches(known.get(name, _ABSENT), record):
                return False
        return all(any(choice.matches(value, record) for choice in group) for group in self.groups)


def _scalars(value: Any) -> Iterator[Any]:
    """The leaf values of a field: itself, or the scalars of an array. An object is no leaf."""
    if isinstance(value, list):
        for part in value:
            yield from _scalars(part)
    elif value is not _ABSENT and not isinstance(value, dict):
        yield value


def _at(value: Any, path: tuple[str, ...]) -> Iterator[bool]:
    """One True for each leaf value that stands at ``path``."""
    if isinstance(value, list):
        for part in value:
            yield from _at(part, path)
    elif not path:
        if not isinstance(value, dict):
            yield True
    elif isinstance(value, dict) and path[0] in (fields := _undotted(value)):
        yield from _at(fields[path[0]], path[1:])


def _undotted(fields: dict[str, Any]) -> dict[str, Any]:
    """An object whose names hold dots, taken apart at the first dot of each.

    The library joins the names on the way to a value by dots, in pattern and event alike: for it
    ``{"a.b": 1}`` and ``{"a": {"b": 1}}`` are the same. https://github.com/aws/event-ruler
    """
    if not any("." in name for name in fields):
        return fields
    found: dict[str, Any] = {}
    for name, value in fields.items():
        first, dot, rest = name.partition(".")
        part = {rest: value} if dot else value
        if first not in found:
            found[first] = part
        elif isinstance(found[first], dict) and isinstance(part, dict):
            found[first] = found[first] | part
        else:
            # A value and values below it stand beside each other, as in an array.
            found[first] = [found[first], part]
    return found


def _literal(scalar: Any) -> str:
    """The JSON text of a number, true, false or null."""
    if scalar is None:
        return "null"
    if isinstance(scalar, bool):
        return "true" if scalar else "false"
    return repr(scalar)


# -- parsing -------------------------------------------------------------------------------------


class _Number(str):
    """A number of a pattern, kept as the text that stood there."""

    __slots__ = ()


def _parse_filter(number: int, given: Any) -> Filter:
    if not isinstance(given, Mapping) or not isinstance(given.get("Pattern"), str):
        raise BadPattern(f"Filter {number} is an object with a text named Pattern.")
    unknown = [name for name in given if name != "Pattern"]
    if unknown:
        raise BadPattern(f"Filter {number} has no member {unknown[0]!r}.")
    text: str = given["Pattern"]
    if len(text) > MAX_PATTERN:
        raise Refused(
            "ValidationException",
            f"1 validation error detected: Value at 'filterCriteria.filters.{number}.member."
            f"pattern' failed to satisfy constraint: Member must have length less than or equal "
            f"to {MAX_PATTERN}",
            _PARAMETER,
        )
    try:
        # Of a key that is given twice json keeps the last one, as Lambda does.
        pattern = json.loads(
            text, parse_int=_Number, parse_float=_Number, parse_constant=_not_a_number
        )
    except json.JSONDecodeError as fault:
        raise BadPattern(f"The pattern is not JSON: {fault}.") from None
    except RecursionError:
        raise BadPattern(_TOO_DEEP) from None
    if not isinstance(pattern, dict):
        raise BadPattern("The pattern is not a JSON object.")
    root = _Fields()
    _parse_object(root, pattern, ())
    return Filter(text, root.built())


def _not_a_number(text: str) -> NoReturn:
    raise BadPattern(f"{text} is not a JSON number.")


class _Fields:
    """A pattern object while it is read: a name with dots reaches into the objects below it."""

    def __init__(self) -> None:
        self.leaves: dict[str, _Leaf] = {}
        self.below: dict[str, _Fields] = {}
        self.groups: list[tuple[_Object, ...]] = []

    def built(self) -> _Object:
        below = [(name, fields.built()) for name, fields in self.below.items()]
        return _Object((*self.leaves.items(), *below), tuple(self.groups))


def _parse_object(into: _Fields, pattern: Mapping[str, Any], path: tuple[str, ...]) -> None:
    if len(path) > MAX_DEPTH:
        raise BadPattern(_TOO_DEEP)
    if not pattern:
        where = f" at {'.'.join(path)}" if path else ""
        raise BadPattern(f"The pattern has an empty object{where}.")
    for name, wanted in pattern.items():
        if name == "$or" and _is_choice(wanted):
            into.groups.append(tuple(_parse_choice(choice, path) for choice in wanted))
            continue
        fields, steps = into, name.split(".")
        for step in steps[:-1]:
            fields = fields.below.setdefault(step, _Fields())
        whole, last = (*path, *steps), steps[-1]
        if isinstance(wanted, dict):
            _parse_object(fields.below.setdefault(last, _Fields()), wanted, whole)
        elif isinstance(wanted, list):
            fields.leaves[last] = (
                _parse_or(wanted, whole) if name == "$or" else _parse_leaf(wanted, whole)
            )
        else:
            raise BadPattern(f"{name!r} has to be an object or an array of values.")


def _parse_or(values: list[Any], path: tuple[str, ...]) -> _Leaf:
    """An array of ``$or`` that is no choice: that of a field with this name."""
    try:
        return _parse_leaf(values, path)
    except BadPattern as bad:
        raise BadPattern(
            "$or takes an array of at least two objects whose fields have no operator's name. "
            f"As the name of a field: {bad.reason}"
        ) from None


def _parse_choice(pattern: Mapping[str, Any], path: tuple[str, ...]) -> _Object:
    choice = _Fields()
    _parse_object(choice, pattern, path)
    return choice.built()


def _is_choice(wanted: Any) -> bool:
    """Whether ``$or`` stands for a choice: before two objects or more without a reserved name.

    Otherwise it is the name of a field, as any other: https://github.com/aws/event-ruler
    """
    return (
        isinstance(wanted, list)
        and len(wanted) > 1
        and all(isinstance(one, dict) and _RESERVED.isdisjoint(one) for one in wanted)
    )


def _parse_leaf(values: list[Any], path: tuple[str, ...]) -> _Leaf:
    name = path[-1]
    if not values:
        raise BadPattern(f"The array of {name!r} is empty.")
    strings: set[str] = set()
    literals: set[str] = set()
    tests: list[Test] = []
    may_be_absent = False
    for value in values:
        if isinstance(value, _Number):
            literals.add(str(value))
        elif isinstance(value, str):
            strings.add(value)
        elif value is None or isinstance(value, bool):
            literals.add(_literal(value))
        elif isinstance(value, list):
            raise BadPattern(f"The array of {name!r} holds another array.")
        elif value == {"exists": False}:
            may_be_absent = True
        else:
            tests.append(_parse_operator(value, name))
    return _Leaf(path, frozenset(strings), frozenset(literals), tuple(tests), may_be_absent)


def _parse_operator(expression: Mapping[str, Any], name: str) -> Test:
    if len(expression) != 1:
        raise BadPattern(f"A match expression of {name!r} has to have exactly one operator.")
    ((operator, operand),) = expression.items()
    if operator == "exists":
        if operand is not True:
            raise BadPattern("exists takes true or false.")
        return lambda scalar: True
    if operator == "anything-but":
        return _anything_but(operand)
    if operator == "numeric":
        return _numeric(operand)
    if operator in ("prefix", "suffix", "equals-ignore-case"):
        return _text_test(operator, operand)
    if operator in _ELSEWHERE:
        raise BadPattern(f"The operator {operator!r} is EventBridge's; Lambda does not list it.")
    raise BadPattern(
        f"{operator!r} is no operator; Lambda has {', '.join(OPERATORS)} and, across fields, $or."
    )


def _text_test(operator: str, operand: Any) -> Test:
    """``{"prefix": "a"}``, or ``{"prefix": {"equals-ignore-case": "a"}}``; suffix alike.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html lists
    the nested form for pipes, which filter as mappings do.
    """
    fold = operator == "equals-ignore-case"
    if not fold and isinstance(operand, Mapping) and list(operand) == ["equals-ignore-case"]:
        fold, operand = True, operand["equals-ignore-case"]
    if not isinstance(operand, str) or isinstance(operand, _Number):
        raise BadPattern(f"{operator} takes a text.")
    holds = {"prefix": str.startswith, "suffix": str.endswith}.get(operator, str.__eq__)
    if not fold:
        return lambda scalar: isinstance(scalar, str) and holds(scalar, operand)
    folded = operand.lower()
    return lambda scalar: isinstance(scalar, str) and holds(scalar.lower(), folded)


def _anything_but(operand: Any) -> Test:
    """Matches each value that is not listed; an absent field has no value and does not match."""
    if isinstance(operand, Mapping):
        raise BadPattern(
            "anything-but takes values; anything-but with another operator inside is "
            "EventBridge's, Lambda does not list it."
        )
    values = operand if isinstance(operand, list) else [operand]
    numbers = frozenset(str(value) for value in values if isinstance(value, _Number))
    strings = frozenset(
        value for value in values if isinstance(value, str) and not isinstance(value, _Number)
    )
    if not values or len(values) not in (
        sum(isinstance(value, _Number) for value in values),
        sum(isinstance(value, str) and not isinstance(value, _Number) for value in values),
    ):
        raise BadPattern("anything-but takes one text or number, or a list of only one kind.")

    def test(scalar: Any) -> bool:
        if isinstance(scalar, str):
            return scalar not in strings
        return _literal(scalar) not in numbers

    return test


def _numeric(operand: Any) -> Test:
    """``["=", 5]``, ``["<", 5]`` or a range such as ``[">", 0, "<=", 5]``.

    Only JSON numbers are compared. A DynamoDB number is a text, ``{"N": "101"}``, and never
    matches: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
    """
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise BadPattern("numeric takes a list such as ['=', 5] or ['>', 0, '<=', 5].")
    bounds: list[tuple[str, Decimal]] = []
    for sign, limit in zip(operand[::2], operand[1::2], strict=True):
        if sign not in ("=", "<", "<=", ">", ">=") or isinstance(sign, _Number):
            raise BadPattern(f"{sign!r} is no numeric comparison.")
        if not isinstance(limit, _Number):
            raise BadPattern(f"numeric compares with a number, not with {limit!r}.")
        bounds.append((sign, _limit(limit)))
    if len(bounds) == 2:
        (low_sign, low), (high_sign, high) = bounds
        if low_sign not in (">", ">=") or high_sign not in ("<", "<=") or low >= high:
            raise BadPattern("A numeric range has a lower bound first, then a higher upper bound.")

    def test(scalar: Any) -> bool:
        if isinstance(scalar, bool) or not isinstance(scalar, int | float) or scalar != scalar:
            return False
        # By its shortest decimal text: the float 301.8 is a little less than 301.8.
        value = Decimal(repr(scalar))
        return all(_compare(value, sign, limit) for sign, limit in bounds)

    return test


def _limit(text: str) -> Decimal:
    try:
        limit = Decimal(text)
    except InvalidOperation:
        limit = Decimal("Infinity")
    if not -MAX_NUMERIC <= limit <= MAX_NUMERIC:
        raise BadPattern(f"numeric compares with numbers from -5.0e9 to 5.0e9, not with {text}.")
    return limit


def _compare(value: Decimal, sign: str, limit: Decimal) -> bool:
    if sign == "=":
        return value == limit
    if sign == "<":
        return value < limit
    if sign == "<=":
        return value <= limit
    if sign == ">":
        return value > limit
    return value >= limit
