"""The shapes that AWS gives to properties, and how a value is held against them.

Every shape returns the value as its type (``"5"`` becomes 5 where AWS wants a number, as
CloudFormation converts it) or reports what is wrong with it. A value that is Unknown passes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from grader.cloud import typed
from grader.cloud.template.model import Mark, Path, Reporter, did_you_mean, one_of, show
from grader.cloud.template.unknown import Partly, Unknown, unknown

Use = Literal["emulated", "harmless", "refused"]


@dataclass(frozen=True)
class At:
    """A place in a resource's properties: where a sentence belongs and how it is called."""

    subject: str
    marks: Mapping[Path, Mark]
    reporter: Reporter
    path: Path = ()

    def into(self, *steps: str | int) -> At:
        """Return the place of a property or list entry below this one."""
        return At(self.subject, self.marks, self.reporter, self.path + steps)

    @property
    def name(self) -> str:
        """The place as people read it, such as ``Orders.KeySchema[0].KeyType``."""
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return self.subject + "".join(steps)

    @property
    def mark(self) -> Mark | None:
        """The line and column of this place, or of the nearest place around it."""
        for length in range(len(self.path), -1, -1):
            if (mark := self.marks.get(self.path[:length])) is not None:
                return mark
        return None

    def wrong(self, sentence: str) -> Unknown:
        """Report ``<name> <sentence>`` as a problem."""
        return self.reporter.problem(self.mark, f"{self.name} {sentence}")

    def unsupported(self, sentence: str) -> Unknown:
        """Report ``<name> <sentence>`` as something that the labs do not act out."""
        return self.reporter.unsupported(self.mark, f"{self.name} {sentence}")


@dataclass(frozen=True)
class Shape:
    """Any value."""

    def check(self, value: Any, at: At) -> Any:
        """Return the value as this shape's type, or report at ``at`` and return Unknown.

        A lenient reader keeps a wrong value as it stands.
        """
        if unknown(value):
            return value
        checked = self._check(value, at)
        return value if isinstance(checked, Unknown) and not at.reporter.strict else checked

    def _check(self, value: Any, at: At) -> Any:
        return value


@dataclass(frozen=True)
class Text(Shape):
    """Text: one of ``choices``, or ``low`` to ``high`` characters that match ``pattern``.

    ``unplayed`` maps choices that AWS knows and the labs do not act out to the reason. ``says``
    describes the pattern. ``instead`` says what to do when the value is an object or a list.
    """

    choices: tuple[str, ...] = ()
    low: int = 0
    high: int | None = None
    pattern: str | None = None
    says: str = ""
    unplayed: Mapping[str, str] = field(default_factory=dict)
    instead: str = ""

    def _check(self, value: Any, at: At) -> Any:
        if isinstance(value, dict | list):
            return at.wrong(f"must be text, not {show(value)}.{self.instead}")
        text = plain_text(value)
        if text in self.unplayed:
            return at.unsupported(f"is {text}: {self.unplayed[text]}")
        if self.choices and text not in self.choices:
            return at.wrong(
                f"is {show(text)}; AWS takes {one_of(self.choices)}."
                + did_you_mean(text, self.choices)
            )
        if len(text) < self.low or (self.high is not None and len(text) > self.high):
            bounds = f"{self.low} to {self.high}" if self.high else f"at least {self.low}"
            return at.wrong(f"has {len(text)} characters; AWS takes {bounds}.")
        if self.pattern and not re.fullmatch(self.pattern, text, re.ASCII):
            return at.wrong(f"is {show(text)}; {self.says}")
        return text


@dataclass(frozen=True)
class Whole(Shape):
    """A whole number from ``low`` to ``high``, in ``unit``; or one of ``choices``."""

    low: int | None = None
    high: int | None = None
    unit: str = ""
    choices: tuple[int, ...] = ()

    def _check(self, value: Any, at: At) -> Any:
        number = typed.whole(value)
        if number is None:
            return at.wrong(f"is {show(value)}; it must be a whole number.")
        if self.choices and number not in self.choices:
            return at.wrong(f"is {number}; AWS takes only {', '.join(map(str, self.choices))}.")
        return _ranged(number, self.low, self.high, self.unit, at)


@dataclass(frozen=True)
class Number(Shape):
    """A number from ``low`` to ``high``."""

    low: float | None = None
    high: float | None = None

    def _check(self, value: Any, at: At) -> Any:
        number = typed.number(value)
        if number is None:
            return at.wrong(f"is {show(value)}; it must be a number.")
        return _ranged(number, self.low, self.high, "", at)


def _ranged(number: Any, low: float | None, high: float | None, unit: str, at: At) -> Any:
    unit = f" {unit}" if unit else ""
    if low is not None and high is not None and not low <= number <= high:
        return at.wrong(f"is {number:,}{unit}; AWS takes {low:,} to {high:,}.")
    if low is not None and number < low:
        return at.wrong(f"is {number:,}{unit}; AWS takes {low:,} or more.")
    if high is not None and number > high:
        return at.wrong(f"is {number:,}{unit}; AWS takes at most {high:,}.")
    return number


@dataclass(frozen=True)
class Flag(Shape):
    """A boolean."""

    def _check(self, value: Any, at: At) -> Any:
        truth = typed.flag(value)
        if truth is None:
            return at.wrong(f"is {show(value)}; it must be true or false.")
        return truth


@dataclass(frozen=True)
class Json(Shape):
    """A JSON object, or the text of one."""

    def _check(self, value: Any, at: At) -> Any:
        if isinstance(value, str):
            return json_object(value, at)
        if not isinstance(value, dict):
            return at.wrong(f"is {show(value)}; it must be an object (a mapping).")
        return value


@dataclass(frozen=True)
class JsonOf(Shape):
    """A value of ``shape``, or the JSON text of one, which becomes the value."""

    shape: Shape

    def _check(self, value: Any, at: At) -> Any:
        return self.shape.check(json_object(value, at) if isinstance(value, str) else value, at)


@dataclass(frozen=True)
class JsonText(Shape):
    """Text that holds a JSON object; it stays text."""

    high: int | None = None

    def _check(self, value: Any, at: At) -> Any:
        if not isinstance(value, str):
            return at.wrong(
                f"must be JSON as text, not {show(value)}. Put the JSON in quotes or in a block "
                "that begins with a vertical bar."
            )
        if self.high is not None and len(value) > self.high:
            return at.wrong(f"has {len(value):,} characters; AWS takes at most {self.high:,}.")
        return value if isinstance(json_object(value, at), dict) else Unknown("not JSON")


@dataclass(frozen=True)
class ListOf(Shape):
    """A list of ``low`` to ``high`` items of one shape."""

    item: Shape
    low: int = 0
    high: int | None = None
    unique: bool = False

    def _check(self, value: Any, at: At) -> Any:
        if not isinstance(value, list):
            return at.wrong(f"is {show(value)}; it must be a list.")
        if len(value) < self.low:
            return at.wrong(f"has {len(value)} entries; AWS takes at least {self.low}.")
        if self.high is not None and len(value) > self.high:
            return at.wrong(f"has {len(value)} entries; AWS takes at most {self.high}.")
        if self.unique:
            for number, one in enumerate(value):
                if one in value[:number]:
                    at.into(number).wrong("repeats an earlier entry of the list.")
                    break
        return [self.item.check(one, at.into(number)) for number, one in enumerate(value)]


@dataclass(frozen=True)
class MapOf(Shape):
    """An object with any keys that match ``pattern``, all of one shape."""

    item: Shape
    pattern: str = ".*"
    says: str = ""

    def _check(self, value: Any, at: At) -> Any:
        if not isinstance(value, dict):
            return at.wrong(f"is {show(value)}; it must be an object (a mapping).")
        for key in value:
            if not re.fullmatch(self.pattern, key, re.DOTALL):
                at.into(key).wrong(self.says)
        return {key: self.item.check(one, at.into(key)) for key, one in value.items()}


@dataclass(frozen=True)
class Field:
    """A property: its shape, whether it must be there, and what the labs make of it.

    *emulated*: it has its effect. *harmless*: accepted, and readable in the resolved stack, but
    without effect in the labs. *refused*: AWS knows it, the labs do not act it out; ``note`` says
    why. ``note`` of a harmless property says what is left out.
    """

    shape: Shape = field(default_factory=Shape)
    required: bool = False
    use: Use = "emulated"
    note: str = ""


Fields = Mapping[str, Shape | Field]
Rule = Callable[[dict[str, Any], At], None]


def required(shape: Shape) -> Field:
    """Return a property that must be there."""
    return Field(shape, required=True)


def harmless(shape: Shape | None = None, note: str = "") -> Field:
    """Return a property that is accepted and has no effect in the labs."""
    return Field(shape or Shape(), use="harmless", note=note)


def refused(note: str) -> Field:
    """Return a property that AWS knows and the labs refuse; ``note`` is a sentence."""
    return Field(use="refused", note=note)


@dataclass(frozen=True)
class Struct(Shape):
    """An object with these properties and no others; ``rule`` looks at all of them together."""

    fields: Fields
    rule: Rule | None = None

    def _check(self, value: Any, at: At) -> Any:
        if not isinstance(value, dict):
            return at.wrong(f"is {show(value)}; it must be an object (a mapping).")
        result: dict[str, Any] = {}
        for name, one in value.items():
            known = self.fields.get(name)
            if known is None and not unknown(name):
                hint = did_you_mean(name, list(self.fields))
                at.into(name).wrong("is not a property that AWS knows here." + hint)
            if known is None:
                result[name] = one
                continue
            entry = as_field(known)
            if entry.use == "refused" and not isinstance(one, Unknown):
                told = at.into(name).unsupported(f"is not played in the labs: {entry.note}")
                result[name] = told if at.reporter.strict else one
                continue
            result[name] = entry.shape.check(one, at.into(name))
        for name, known in self.fields.items():
            if as_field(known).required and name not in value:
                at.wrong(f"lacks {name}, which AWS requires.")
        if not at.reporter.strict:
            return Partly(result, value.maker) if isinstance(value, Partly) else result
        if self.rule is not None:
            self.rule(result, at)
        return result


def as_field(known: Shape | Field) -> Field:
    """Return a table entry as a Field; a bare shape is an emulated, optional property."""
    return known if isinstance(known, Field) else Field(known)


def plain_text(value: Any) -> str:
    """Return a scalar as CloudFormation writes it where text is expected."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def json_object(text: str, at: At) -> Any:
    """Return the object that JSON text holds, or report what is wrong with it."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        line = (
            f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        )
        return at.wrong(f"is not JSON{f' ({line})' if line else ''}.")
    if not isinstance(value, dict):
        return at.wrong("is JSON, but not an object in braces.")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
