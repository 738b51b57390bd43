"""What one request defines as #names and :values, and which of it its expressions used."""

from __future__ import annotations

import re
from typing import Any

from grader.cloud.dynamodb.expressions.grammar import Invalid, RawPath
from grader.cloud.dynamodb.expressions.typed import (
    Unreadable,
    Value,
    check_name,
    settled,
)

_KEY = {"#": re.compile(r"#[A-Za-z0-9_]+", re.ASCII), ":": re.compile(r":[A-Za-z0-9_]+", re.ASCII)}

# Names of attributes and places in lists, the attribute of the item first.
Path = tuple[str | int, ...]


class Placeholders:
    """ExpressionAttributeNames and ExpressionAttributeValues of one request, or of one part of it.

    Its `Invalid` messages are whole sentences of AWS's.
    """

    def __init__(self, names: Any = None, values: Any = None) -> None:
        self.names: dict[str, str] = _map("ExpressionAttributeNames", "#", names)
        given = _map("ExpressionAttributeValues", ":", values)
        for key, name in self.names.items():
            if not isinstance(name, str):
                raise Unreadable("An attribute name is no text.")
            try:
                check_name(name)
            except Invalid as fault:
                raise Invalid(
                    f"ExpressionAttributeNames contains invalid value: {fault} for key {key}"
                ) from None
        self.values: dict[str, Value] = {}
        for key, value in given.items():
            try:
                self.values[key] = settled(value)
            except Invalid as fault:
                raise Invalid(
                    f"ExpressionAttributeValues contains invalid value: {fault} for key {key}"
                ) from None
        self._unused_names = dict.fromkeys(self.names)
        self._unused_values = dict.fromkeys(self.values)

    def path(self, raw: RawPath) -> Path:
        """A path as written, with its #names replaced."""
        if not any(isinstance(part, str) and part[0] == "#" for part in raw):
            return raw
        return tuple(
            self._name(part) if isinstance(part, str) and part[0] == "#" else part for part in raw
        )

    def _name(self, key: str) -> str:
        name = self.names.get(key)
        if name is None:
            raise Invalid(
                "An expression attribute name used in the document path is not defined; "
                f"attribute name: {key}"
            )
        self._unused_names.pop(key, None)
        return name

    def value(self, key: str) -> Value:
        """The value that a ``:key`` stands for, settled."""
        value = self.values.get(key)
        if value is None:
            raise Invalid(
                "An expression attribute value used in expression is not defined; "
                f"attribute value: {key}"
            )
        self._unused_values.pop(key, None)
        return value

    def all_used(self) -> None:
        """`Invalid` when something is defined that no expression of the request used."""
        for kind, unused in (("Names", self._unused_names), ("Values", self._unused_values)):
            if unused:
                raise Invalid(
                    f"Value provided in ExpressionAttribute{kind} unused in expressions: "
                    f"keys: {{{', '.join(unused)}}}"
                )


def _map(parameter: str, mark: str, given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Unreadable(f"{parameter} is no map.")
    if not given:
        raise Invalid(f"{parameter} must not be empty")
    for key in given:
        if not _KEY[mark].fullmatch(key):
            raise Invalid(f'{parameter} contains invalid key: Syntax error; key: "{key}"')
    return given
