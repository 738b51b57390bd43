"""A template's own regular expressions, matched without backtracking and with a bound on work.

CloudFormation matches them with Java's rules. Here the expression is read by Python's parser and
every part maps the set of places where it may begin to the set of places where it may end, so that
no expression takes longer than its size times the text's. What sets of places cannot decide (back
references, possessive parts) is not decided. A choice of this project: `MAX_STEPS` in all.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-specific-parameter-types.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MAX_STEPS = 500_000

# ASCII only, as in Java.
_CATEGORIES = {
    "CATEGORY_DIGIT": "0123456789",
    "CATEGORY_SPACE": " \t\n\r\f\v",
    "CATEGORY_WORD": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
}

Places = frozenset[int]


class _Undecided(Exception):
    """The expression holds what this matcher does not know, or takes too many steps."""


def matches(pattern: str, text: str) -> bool | None:
    """Whether a pattern matches a whole text; None when that is not decided here.

    Raises ``re.error`` for what is no regular expression.
    """
    try:
        parsed = parser.parse(pattern)
        if parsed.state.flags & ~re.UNICODE.value:
            return None
        return len(text) in _Walk(text).through(parsed, frozenset([0]))
    except (_Undecided, RecursionError, OverflowError):
        return None


class _Walk:
    """One text while an expression is led through it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.steps = 0

    def through(self, parts: Iterable[tuple[Any, Any]], places: Places) -> Places:
        """Where a row of parts may end that begins at one of ``places``."""
        self.steps += 1
        for operation, argument in parts:
            if not places:
                break
            self.steps += len(places)
            if self.steps > MAX_STEPS:
                raise _Undecided
            places = self._part(str(operation), argument, places)
        return places

    def _part(self, operation: str, argument: Any, places: Places) -> Places:
        match operation:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                fits = _single(operation, argument)
                text, last = self.text, len(self.text)
                return frozenset(p + 1 for p in places if p < last and fits(text[p]))
            case "BRANCH":
                return frozenset().union(*(self.through(one, places) for one in argument[1]))
            case "SUBPATTERN" if not argument[1] and not argument[2]:
                return self.through(argument[3], places)
            case "MAX_REPEAT" | "MIN_REPEAT":
                low, high, inner = argument
                return self._repeat(low, high, inner, places)
            case "ASSERT" | "ASSERT_NOT" if argument[0] == 1:
                wanted = operation == "ASSERT"
                return frozenset(
                    p for p in places if bool(self.through(argument[1], frozenset([p]))) == wanted
                )
            case "AT" if str(argument) in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
                return places & {0}
            case "AT" if str(argument) in ("AT_END", "AT_END_STRING"):
                return places & {len(self.text)}
        raise _Undecided

    def _repeat(self, low: int, high: int, parts: Any, places: Places) -> Places:
        for _ in range(int(low)):
            places = self.through(parts, places)
            if not places:
                return places
        found, count = places, int(low)
        while places and (high is sre.MAXREPEAT or count < high):
            places = self.through(parts, places) - found
            found |= places
            count += 1
        return found


def _single(operation: str, argument: Any) -> Callable[[str], bool]:
    """The test for one character."""
    if operation == "ANY":
        return lambda char: char != "\n"
    if operation != "IN":
        return lambda char: (char == chr(argument)) == (operation == "LITERAL")
    rows = [(str(kind), value) for kind, value in argument]
    negated = rows[0][0] == "NEGATE"
    return lambda char: any(_holds(kind, value, char) for kind, value in rows) != negated


def _holds(kind: str, value: Any, char: str) -> bool:
    match kind:
        case "LITERAL":
            return char == chr(value)
        case "RANGE":
            return bool(value[0] <= ord(char) <= value[1])
        case "CATEGORY":
            name = str(value)
            plain = name.replace("_NOT_", "_")
            return (char in _CATEGORIES[plain]) == (plain == name)
    return False
