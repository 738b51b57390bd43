"""Conditions, filters and key conditions, bound to a request's placeholders and carried out.

Types are compared first: values of different types are unequal and neither is the smaller, and what
is missing equals nothing, not even what else is missing. No test fails on what an item holds.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.cloud.dynamodb.expressions import grammar
from grader.cloud.dynamodb.expressions.grammar import (
    CallNode,
    Invalid,
    Node,
    PathNode,
    TestNode,
)
from grader.cloud.dynamodb.expressions.paths import text, value_at
from grader.cloud.dynamodb.expressions.placeholders import Path, Placeholders
from grader.cloud.dynamodb.expressions.typed import (
    ORDERED,
    TYPES,
    Item,
    Value,
    begins_with,
    comparable,
    contains,
    kind_of,
    size,
    sort_key,
)

# -- operands --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AtPath:
    """The item's value at a path."""

    path: Path

    def of(self, item: Item | None) -> Value | None:
        """None where nothing stands there."""
        return value_at(item, self.path)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value of the request."""

    value: Value

    def of(self, item: Item | None) -> Value | None:
        """The value, whatever the item."""
        return self.value


@dataclass(frozen=True, slots=True)
class SizeOf:
    """The size of an operand; nothing where it has none."""

    operand: Operand

    def of(self, item: Item | None) -> Value | None:
        """None for what is missing or has no size."""
        value = self.operand.of(item)
        return None if value is None else size(value)


Operand = AtPath | Literal | SizeOf


def _literal_kind(operand: Operand) -> str | None:
    """The type of an operand that is known before an item is; None for a path."""
    if isinstance(operand, Literal):
        return kind_of(operand.value)
    return "N" if isinstance(operand, SizeOf) else None


# -- tests -----------------------------------------------------------------------------------

Values = Sequence[Value | None]
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _equal(left: Value | None, right: Value | None) -> bool:
    return left is not None and left == right


def _ordered(name: str, left: Value | None, right: Value | None) -> bool:
    if left is None or right is None or not comparable(left, right):
        return False
    return _ORDERS[name](sort_key(left), sort_key(right))


def _holds(name: str, values: Values) -> bool:
    first = values[0]
    if name == "=":
        return _equal(first, values[1])
    if name == "<>":
        return not _equal(first, values[1])
    if name in _ORDERS:
        return _ordered(name, first, values[1])
    if name == "BETWEEN":
        return _ordered(">=", first, values[1]) and _ordered("<=", first, values[2])
    if name == "IN":
        return any(_equal(first, other) for other in values[1:])
    if name == "attribute_exists":
        return first is not None
    if name == "attribute_not_exists":
        return first is None
    second = values[1]
    if first is None or second is None:
        return False
    if name == "attribute_type":
        return kind_of(first) == second["S"]
    if name == "not_contains":
        return not contains(first, second)
    return begins_with(first, second) if name == "begins_with" else contains(first, second)


class Test:
    """One test with its operands bound. ``not_contains`` is of the legacy parameters only.

    ``holds`` says whether an item (None: no item) passes.
    """

    __test__ = False
    __slots__ = ("holds", "name", "operands")

    def __init__(self, name: str, operands: tuple[Operand, ...]) -> None:
        self.name = name
        self.operands = operands
        self.holds = _short(name, operands) or self._holds

    def _holds(self, item: Item | None) -> bool:
        return _holds(self.name, [operand.of(item) for operand in self.operands])


def _short(name: str, operands: Sequence[Operand]) -> Callable[[Item | None], bool] | None:
    """A shorter way for what filters mostly are: an attribute compared with a value."""
    if len(operands) != 2:
        return None
    path, literal = operands
    if not isinstance(path, AtPath) or len(path.path) > 1 or not isinstance(literal, Literal):
        return None
    attribute, value = str(path.path[0]), literal.value
    if name == "=":
        return lambda item: item is not None and item.get(attribute) == value
    if name == "<>":
        return lambda item: item is None or item.get(attribute) != value
    if name not in _ORDERS:
        return None
    compare, kind, bound = _ORDERS[name], kind_of(value), sort_key(value)

    def ordered(item: Item | None) -> bool:
        found = None if item is None else item.get(attribute)
        return found is not None and kind in found and compare(sort_key(found), bound)

    return ordered


def _bound(node: Node, placeholders: Placeholders) -> Operand:
    if isinstance(node, PathNode):
        return AtPath(placeholders.path(node.path))
    if isinstance(node, CallNode):
        operand = _bound(node.operands[0], placeholders)
        _check_size(operand)
        return SizeOf(operand)
    return Literal(placeholders.value(node.name))


def _test(node: TestNode, placeholders: Placeholders) -> Test:
    operands = tuple(_bound(one, placeholders) for one in node.operands)
    _check_distinct(node.operator, operands)
    if node.operator in _CHECKS:
        _CHECKS[node.operator](node.operator, operands)
    return Test(node.operator, operands)


# -- what is wrong whatever the item ---------------------------------------------------------


def _check_distinct(name: str, operands: Sequence[Operand]) -> None:
    first = operands[0]
    if isinstance(first, AtPath) and first in operands[1:]:
        raise Invalid(
            "The first operand must be distinct from the remaining operands for this operator or "
            f"function; operator: {name}, first operand: {text(first.path)}"
        )


def _wrong_type(name: str, kind: str) -> Invalid:
    return Invalid(
        "Incorrect operand type for operator or function; "
        f"operator or function: {name}, operand type: {kind}"
    )


def _check_size(operand: Operand) -> None:
    kind = _literal_kind(operand)
    if kind in ("N", "BOOL", "NULL"):
        raise _wrong_type("size", kind)


def _check_kinds(kinds: frozenset[str]) -> Callable[[str, Sequence[Operand]], None]:
    def check(name: str, operands: Sequence[Operand]) -> None:
        for operand in operands:
            kind = _literal_kind(operand)
            if kind is not None and kind not in kinds:
                raise _wrong_type(name, kind)

    return check


def _check_path(name: str, operands: Sequence[Operand]) -> None:
    if not isinstance(operands[0], AtPath):
        raise Invalid(
            f"Operator or function requires a document path; operator or function: {name}"
        )


def _check_type_name(name: str, operands: Sequence[Operand]) -> None:
    kind = operands[1]
    if not isinstance(kind, Literal):
        raise _wrong_type(name, "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
    if "S" not in kind.value:
        raise _wrong_type(name, kind_of(kind.value))
    if kind.value["S"] not in TYPES:
        raise Invalid(
            f"Invalid attribute type name found; type: {kind.value['S']}, "
            "valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
        )


_check_ordered = _check_kinds(ORDERED)


def _check_between(name: str, operands: Sequence[Operand]) -> None:
    _check_ordered(name, operands)
    low, high = operands[1:]
    if not isinstance(low, Literal) or not isinstance(high, Literal):
        return
    bounds = ", ".join(
        f"{which} bound operand: AttributeValue: {{{kind_of(one.value)}:"
        f"{one.value[kind_of(one.value)]}}}"
        for which, one in (("lower", low), ("upper", high))
    )
    if kind_of(low.value) != kind_of(high.value):
        raise Invalid(
            f"The BETWEEN operator requires same data type for lower and upper bounds; {bounds}"
        )
    if sort_key(low.value) > sort_key(high.value):
        raise Invalid(
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
            f"{bounds}"
        )


_CHECKS: Mapping[str, Callable[[str, Sequence[Operand]], None]] = {
    **dict.fromkeys(_ORDERS, _check_ordered),
    "BETWEEN": _check_between,
    "begins_with": _check_kinds(frozenset({"S", "B"})),
    "attribute_type": _check_type_name,
    "attribute_exists": _check_path,
    "attribute_not_exists": _check_path,
}


# -- conditions ------------------------------------------------------------------------------


class Condition:
    """A condition or filter: tests, and the words AND, OR and NOT, in postfix order."""

    def __init__(self, program: Sequence[Test | str]) -> None:
        self._program = program

    @classmethod
    def parse(cls, expression: str, placeholders: Placeholders) -> Condition:
        """A ConditionExpression or FilterExpression. `Invalid` as AWS would say it."""
        return cls(
            [
                one if isinstance(one, str) else _test(one, placeholders)
                for one in grammar.condition(expression)
            ]
        )

    @classmethod
    def joined(cls, tests: Sequence[Test], word: str) -> Condition:
        """Tests that must all hold (AND), or one of which must (OR)."""
        program: list[Test | str] = list(tests[:1])
        for test in tests[1:]:
            program += [test, word]
        return cls(program)

    def holds(self, item: Item | None) -> bool:
        """Whether an item passes; None stands for an item that does not exist."""
        values: list[bool] = []
        for one in self._program:
            if not isinstance(one, str):
                values.append(one.holds(item))
            elif one == "NOT":
                values[-1] = not values[-1]
            else:
                last = values.pop()
                values[-1] = (values[-1] and last) if one == "AND" else (values[-1] or last)
        return values[0]

    def paths(self) -> list[Path]:
        """Every path that the condition reads."""
        found = []
        for test in self._program:
            if not isinstance(test, str):
                for operand in test.operands:
                    while isinstance(operand, SizeOf):
                        operand = operand.operand
                    if isinstance(operand, AtPath):
                        found.append(operand.path)
        return found


# -- key conditions --------------------------------------------------------------------------

_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OF_KEYS = frozenset({*_TURNED, "BETWEEN", "begins_with"})


class KeyCondition:
    """What a Query asks of keys: attribute name to operator and values.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
    """

    def __init__(self, tests: Mapping[str, tuple[str, Sequence[Value]]]) -> None:
        self.tests = dict(tests)

    @classmethod
    def parse(cls, expression: str, placeholders: Placeholders) -> KeyCondition:
        """A KeyConditionExpression. `Invalid` as AWS would say it."""
        tests: dict[str, tuple[str, Sequence[Value]]] = {}
        for one in grammar.condition(expression):
            if one == "AND":
                continue
            if isinstance(one, str) or one.operator not in _OF_KEYS:
                name = one if isinstance(one, str) else one.operator
                raise Invalid(f"Invalid operator used in KeyConditionExpression: {name}")
            name, operator_name, values = _key_test(_test(one, placeholders))
            if name in tests:
                raise Invalid("KeyConditionExpressions must only contain one condition per key")
            tests[name] = (operator_name, values)
        return cls(tests)

    def hold(self, item: Item, names: Sequence[str]) -> bool:
        """Whether an item's key attributes pass what is asked of them; True when nothing is."""
        return all(
            _holds(self.tests[name][0], [item.get(name), *self.tests[name][1]])
            for name in names
            if name in self.tests
        )


def _key_test(test: Test) -> tuple[str, str, list[Value]]:
    """The attribute, the operator and the values of one test of a key."""
    name, operands = test.name, test.operands
    if any(isinstance(one, SizeOf) for one in operands):
        raise Invalid("KeyConditionExpressions cannot contain nested operations")
    if name in ("BETWEEN", "begins_with") and not isinstance(operands[0], AtPath):
        raise Invalid(
            f"Invalid condition in KeyConditionExpression: {name} operator must have the key "
            "attribute as its first operand"
        )
    paths = [one.path for one in operands if isinstance(one, AtPath)]
    if not paths:
        raise Invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
    if len(paths) > 1:
        raise Invalid(
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one "
            "condition"
        )
    if len(paths[0]) > 1:
        raise Invalid("KeyConditionExpressions cannot have conditions on nested attributes")
    if not isinstance(operands[0], AtPath):
        name = _TURNED[name]
    values = [one.value for one in operands if isinstance(one, Literal)]
    return str(paths[0][0]), name, values
