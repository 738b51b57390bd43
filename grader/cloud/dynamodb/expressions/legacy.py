"""The parameters before expressions, as conditions and updates of the same kinds.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grader.cloud.dynamodb.expressions.condition import (
    AtPath,
    Condition,
    KeyCondition,
    Literal,
    Test,
)
from grader.cloud.dynamodb.expressions.grammar import Invalid
from grader.cloud.dynamodb.expressions.paths import Projection
from grader.cloud.dynamodb.expressions.typed import (
    SETS,
    Unreadable,
    Value,
    check_name,
    kind_of,
    settled,
    sort_key,
)
from grader.cloud.dynamodb.expressions.update import Action, Update

_WRONG = "One or more parameter values were invalid: "

_TESTS = {
    "EQ": "=",
    "NE": "<>",
    "LE": "<=",
    "LT": "<",
    "GE": ">=",
    "GT": ">",
    "IN": "IN",
    "BETWEEN": "BETWEEN",
    "BEGINS_WITH": "begins_with",
    "CONTAINS": "contains",
    "NOT_CONTAINS": "not_contains",
    "NOT_NULL": "attribute_exists",
    "NULL": "attribute_not_exists",
}
_COUNTS = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}
_SCALARS = frozenset({"S", "N", "B"})
_KINDS = {"BEGINS_WITH": frozenset({"S", "B"})} | dict.fromkeys(
    ("LE", "LT", "GE", "GT", "IN", "BETWEEN", "CONTAINS", "NOT_CONTAINS"), _SCALARS
)


def _map(given: Any) -> Mapping[str, Any]:
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        raise Unreadable("Unexpected field type")
    for name in given:
        check_name(name)
    return given


def _values(given: Any) -> list[Value]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise Unreadable("Unexpected field type")
    return [settled(one) for one in given]


def _checked(name: str, values: Sequence[Value]) -> str:
    """The test that a ComparisonOperator stands for, its arguments checked."""
    test = _TESTS.get(name)
    if test is None:
        raise Invalid(
            f"1 validation error detected: Value '{name}' at 'comparisonOperator' failed to "
            "satisfy constraint: Member must satisfy enum value set: "
            f"[{', '.join(_TESTS)}]"
        )
    wanted = _COUNTS.get(name, 1)
    if (len(values) < 1) if name == "IN" else (len(values) != wanted):
        raise Invalid(_WRONG + f"Invalid number of argument(s) for the {name} ComparisonOperator")
    kinds = {kind_of(value) for value in values}
    for kind in sorted(kinds - _KINDS.get(name, kinds)):
        raise Invalid(
            _WRONG + f"ComparisonOperator {name} is not valid for {kind} AttributeValue type"
        )
    if len(kinds) > 1:
        raise Invalid(_WRONG + "AttributeValues inside AttributeValueList must be of same type")
    if name == "BETWEEN" and sort_key(values[0]) > sort_key(values[1]):
        raise Invalid(
            "The BETWEEN condition was provided a range where the lower bound is greater than the "
            "upper bound"
        )
    return test


def _test(name: str, test: str, values: Sequence[Value]) -> Test:
    return Test(test, (AtPath((name,)), *(Literal(value) for value in values)))


def expected(given: Any, operator: str | None) -> Condition | None:
    """``Expected`` with its ``ConditionalOperator``; None where nothing is expected."""
    tests = []
    for name, asked in _map(given).items():
        comparison = asked.get("ComparisonOperator")
        values, value, exists = (
            asked.get("AttributeValueList"),
            asked.get("Value"),
            asked.get("Exists"),
        )
        if values is not None and value is not None:
            raise Invalid(
                _WRONG
                + f"Value and AttributeValueList cannot be used together for Attribute: {name}"
            )
        if comparison is None:
            tests.append(_existing(name, value, exists, values))
            continue
        if exists is not None:
            raise Invalid(
                _WRONG
                + f"Exists and ComparisonOperator cannot be used together for Attribute: {name}"
            )
        if values is None and value is None and comparison not in ("NULL", "NOT_NULL"):
            raise Invalid(
                _WRONG + "Value or AttributeValueList must be used with ComparisonOperator: "
                f"{comparison} for Attribute: {name}"
            )
        found = _values(values) if value is None else [settled(value)]
        tests.append(_test(name, _checked(comparison, found), found))
    return _joined(tests, operator)


def _existing(name: str, value: Any, exists: Any, values: Any) -> Test:
    if values is not None:
        raise Invalid(
            _WRONG
            + f"AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}"
        )
    if exists is None or exists is True:
        if value is None:
            said = "null" if exists is None else "true"
            raise Invalid(
                _WRONG + f"Value must be provided when Exists is {said} for Attribute: {name}"
            )
        return _test(name, "=", [settled(value)])
    if value is not None:
        raise Invalid(_WRONG + f"Value cannot be used when Exists is false for Attribute: {name}")
    return _test(name, "attribute_not_exists", [])


def filtered(given: Any, operator: str | None) -> Condition | None:
    """``QueryFilter`` or ``ScanFilter`` with its ``ConditionalOperator``."""
    tests = []
    for name, asked in _map(given).items():
        values = _values(asked.get("AttributeValueList"))
        tests.append(_test(name, _checked(str(asked.get("ComparisonOperator")), values), values))
    return _joined(tests, operator)


def _joined(tests: Sequence[Test], operator: str | None) -> Condition | None:
    if operator is not None and len(tests) < 2:
        raise Invalid(
            _WRONG + "ConditionalOperator can only be used when Filter or Expected has two or more "
            "elements"
        )
    return Condition.joined(tests, operator or "AND") if tests else None


def key_conditions(given: Any) -> KeyCondition:
    """``KeyConditions``."""
    tests: dict[str, tuple[str, Sequence[Value]]] = {}
    for name, asked in _map(given).items():
        values = _values(asked.get("AttributeValueList"))
        comparison = str(asked.get("ComparisonOperator"))
        test = _checked(comparison, values)
        if comparison in ("NE", "IN", "CONTAINS", "NOT_CONTAINS", "NULL", "NOT_NULL"):
            raise Invalid("Attempted conditional constraint is not an indexable operation")
        tests[name] = (test, values)
    return KeyCondition(tests)


def attribute_updates(given: Any) -> Update:
    """``AttributeUpdates``."""
    actions = []
    for name, asked in _map(given).items():
        action = asked.get("Action", "PUT")
        value = settled(asked["Value"]) if asked.get("Value") is not None else None
        if action not in ("PUT", "ADD", "DELETE"):
            raise Invalid(
                f"1 validation error detected: Value '{action}' at 'attributeUpdates.{name}."
                "member.action' failed to satisfy constraint: Member must satisfy enum value set: "
                "[ADD, DELETE, PUT]"
            )
        if value is None and action != "DELETE":
            raise Invalid(
                _WRONG + "Only DELETE action is allowed when no attribute value is specified"
            )
        if value is not None and action != "PUT":
            _check_addition(action, kind_of(value))
        section = {"PUT": "SET", "DELETE": "REMOVE" if value is None else "DELETE"}.get(
            action, action
        )
        actions.append(Action(section, (name,), value, "Type mismatch for attribute to update"))
    return Update(actions)


def _check_addition(action: str, kind: str) -> None:
    if action == "DELETE" and kind not in SETS:
        raise Invalid(_WRONG + f"DELETE action with value is not supported for the type {kind}")
    if action == "ADD" and kind not in SETS and kind not in ("N", "L"):
        raise Invalid(_WRONG + f"ADD action is not supported for the type {kind}")


def attributes_to_get(given: Any) -> Projection:
    """``AttributesToGet``."""
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise Unreadable("Unexpected field type")
    if not given:
        raise Invalid(
            "1 validation error detected: Value '[]' at 'attributesToGet' failed to satisfy "
            "constraint: Member must have length greater than or equal to 1"
        )
    for number, name in enumerate(given):
        check_name(name)
        if name in given[:number]:
            raise Invalid(_WRONG + f"Duplicate value in attribute name: {name}")
    return Projection([(name,) for name in given])
