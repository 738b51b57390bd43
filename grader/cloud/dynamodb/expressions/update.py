"""Updates: bound to a request's placeholders, and the item that one makes of another.

Everything that an update reads is read from the item before it; places in lists are places of the
list before it, and elements set beyond its end are appended in the order of their places.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grader.cloud.dynamodb.expressions import grammar
from grader.cloud.dynamodb.expressions.grammar import (
    ActionNode,
    Invalid,
    Node,
    PathNode,
    ValueNode,
)
from grader.cloud.dynamodb.expressions.paths import End, Projection, Tree, tree, value_at
from grader.cloud.dynamodb.expressions.placeholders import Path, Placeholders
from grader.cloud.dynamodb.expressions.typed import (
    LONG_NAMES,
    SETS,
    Item,
    Value,
    added,
    kind_of,
    set_order,
)


class UpdateFailed(Exception):
    """What an update cannot do to this item; the message is AWS's."""


_WRONG_TYPE = "An operand in the update expression has an incorrect data type"
_NO_ATTRIBUTE = "The provided expression refers to an attribute that does not exist in the item"
_WRONG_PATH = "The document path provided in the update expression is invalid for update"

# -- values ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    operands: tuple[_Operand, ...]


# A path is a tuple, a value of the request a dict.
_Operand = _Call | Path | Value


def _bound(node: Node, placeholders: Placeholders) -> _Operand:
    if isinstance(node, PathNode):
        return placeholders.path(node.path)
    if isinstance(node, ValueNode):
        return placeholders.value(node.name)
    operands = tuple(_bound(one, placeholders) for one in node.operands)
    _check_call(node.name, operands)
    return _Call(node.name, operands)


def _literal_kind(operand: _Operand) -> str | None:
    """The type of an operand that is known before an item is."""
    if isinstance(operand, dict):
        return kind_of(operand)
    return "L" if isinstance(operand, _Call) and operand.name == "list_append" else None


def _check_call(name: str, operands: Sequence[_Operand]) -> None:
    if name == "if_not_exists":
        if not isinstance(operands[0], tuple):
            raise Invalid(
                f"Operator or function requires a document path; operator or function: {name}"
            )
        return
    wanted = "L" if name == "list_append" else "N"
    for operand in operands:
        kind = _literal_kind(operand)
        if kind not in (None, wanted):
            raise Invalid(
                "Incorrect operand type for operator or function; "
                f"operator or function: {name}, operand type: {kind}"
            )


def _value(operand: _Operand, item: Item) -> Value:
    """What an operand is worth for an item. `UpdateFailed` when it is worth nothing."""
    if isinstance(operand, dict):
        return operand
    if isinstance(operand, tuple):
        found = value_at(item, operand)
        if found is None:
            raise UpdateFailed(_NO_ATTRIBUTE)
        return found
    first, second = operand.operands
    if operand.name == "if_not_exists":
        assert isinstance(first, tuple)
        found = value_at(item, first)
        return _value(second, item) if found is None else found
    left, right = _value(first, item), _value(second, item)
    if operand.name == "list_append":
        if "L" not in left or "L" not in right:
            raise UpdateFailed(_WRONG_TYPE)
        return {"L": [*left["L"], *right["L"]]}
    if "N" not in left or "N" not in right:
        raise UpdateFailed(_WRONG_TYPE)
    return _sum(left, right, minus=operand.name == "-")


def _sum(left: Value, right: Value, *, minus: bool = False) -> Value:
    try:
        return added(left, right, minus=minus)
    except Invalid as fault:
        raise UpdateFailed(str(fault)) from None


# -- actions ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Action:
    """One action of an update; ``operand`` is None where something is removed."""

    section: str
    path: Path
    operand: _Operand | None
    # What AWS says of an operand that does not fit what stands at the path.
    misfit: str = _WRONG_TYPE


_FITS = {"ADD": frozenset({"N", *SETS}), "DELETE": SETS}


def _action(node: ActionNode, placeholders: Placeholders) -> Action:
    path = placeholders.path(node.path)
    if node.value is None:
        return Action(node.section, path, None)
    return Action(node.section, path, _bound(node.value, placeholders))


def _check_operand(action: Action) -> None:
    allowed = _FITS.get(action.section)
    if allowed is None:
        return
    assert isinstance(action.operand, dict)
    kind = kind_of(action.operand)
    if kind not in allowed:
        raise Invalid(
            "Incorrect operand type for operator or function; "
            f"operator: {action.section}, operand type: {LONG_NAMES[kind]}, "
            f"typeSet: ALLOWED_FOR_{action.section}_OPERAND"
        )


def _changed(current: Value | None, action: Action, value: Value | None) -> Value | None:
    """The value at a path after an action; None when nothing is left there."""
    section = action.section
    if section == "SET":
        return value
    if section == "REMOVE" or value is None:
        return None
    if current is None:
        return value if section == "ADD" else None
    kind = kind_of(value)
    if kind_of(current) != kind:
        raise UpdateFailed(action.misfit)
    if kind == "N":
        return _sum(current, value)
    if kind == "L":
        # Only the legacy AttributeUpdates add to a list.
        return {"L": [*current["L"], *value["L"]]}
    if section == "ADD":
        return {kind: set_order(kind, [*current[kind], *value[kind]])}
    gone = set(value[kind])
    left = [one for one in current[kind] if one not in gone]
    return {kind: left} if left else None


# -- updates ---------------------------------------------------------------------------------


class Update:
    """What an update does to an item."""

    def __init__(self, actions: Sequence[Action]) -> None:
        self.actions = list(actions)
        self._tree = tree([(action.path, action) for action in self.actions])

    @classmethod
    def parse(cls, expression: str, placeholders: Placeholders) -> Update:
        """An UpdateExpression. `Invalid` as AWS would say it."""
        update = cls([_action(node, placeholders) for node in grammar.update(expression)])
        for action in update.actions:
            _check_operand(action)
        return update

    def of(self, item: Item | None, key: Item) -> Item | None:
        """The item after the update; None when there is none before and nothing makes one.

        ``key`` holds the key attributes of an item that does not exist yet. `UpdateFailed` when the
        update does not fit the item.
        """
        if item is None:
            # Taking away from an item that is not there does nothing, and makes none.
            if self.actions and all(one.section in ("REMOVE", "DELETE") for one in self.actions):
                return None
            item = dict(key)
        values = {
            id(action): _value(action.operand, item)
            for action in self.actions
            if action.operand is not None
        }
        return _applied(item, self._tree, values)

    def touched(self, item: Item | None) -> Item:
        """What of an item the update's paths name."""
        return Projection([action.path for action in self.actions]).of(item or {})

    def reads_and_writes(self) -> list[Path]:
        """Every path of the update, those that are only read among them."""
        found = []
        waiting: list[Any] = [action.operand for action in self.actions]
        while waiting:
            one = waiting.pop()
            if isinstance(one, tuple):
                found.append(one)
            elif isinstance(one, _Call):
                waiting += one.operands
        return [action.path for action in self.actions] + found


_Worth = dict[int, Value]


def _applied(content: Item, edits: Tree, values: _Worth) -> Item:
    """A map with what its attributes become."""
    new = dict(content)
    for name, edit in edits.items():
        value = _edited(content.get(str(name)), edit, values)
        if value is None:
            new.pop(str(name), None)
        else:
            new[str(name)] = value
    return new


def _edited(current: Value | None, edit: Tree | End, values: _Worth) -> Value | None:
    if isinstance(edit, End):
        action: Action = edit.entry
        return _changed(current, action, values.get(id(action)))
    if current is None:
        raise UpdateFailed(_WRONG_PATH)
    if isinstance(next(iter(edit)), str):
        if "M" not in current:
            raise UpdateFailed(_WRONG_PATH)
        return {"M": _applied(current["M"], edit, values)}
    if "L" not in current:
        raise UpdateFailed(_WRONG_PATH)
    return {"L": _elements(current["L"], edit, values)}


def _elements(elements: list[Value], edits: Tree, values: _Worth) -> list[Value]:
    """A list with what its elements become; what is set beyond its end follows in order."""
    changed: list[Value | None] = list(elements)
    for place in sorted(edits):
        at = int(place)
        if at < len(elements):
            changed[at] = _edited(elements[at], edits[place], values)
        else:
            changed.append(_edited(None, edits[place], values))
    return [one for one in changed if one is not None]
