"""A template's text as it is written, and insertions into it that leave every other byte alone.

YAML is read for its positions only (PyYAML's events know where each begins and ends), never
written anew: comments, order, quotes, short forms and indentation stay as they stand. What is
inserted follows the file: its steps, its dashes, its quotes, short or long functions, its line
ends. In a block it comes after the last entry; in a flow (all of JSON) before the last, so that
no comma of the file has to change either.

::

    text = Written(source)
    text = text.with_entry(("Resources", "Mapping", "Properties"), "BatchSize", 100)
    text = text.with_item(("Resources", "Role", "Properties", "Policies"), {...})
    text.source
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml


class Unwritable(Exception):
    """Nothing can be inserted there; the message says why, as a clause without a full stop."""


@dataclass(frozen=True)
class Call:
    """A function of CloudFormation, by its long name, such as ``Call("Fn::GetAtt", "Queue.Arn")``.

    The argument is a text: a name, name and attribute, or the text of ``Fn::Sub``.
    """

    function: str
    argument: str

    def long(self) -> dict[str, Any]:
        """As JSON writes it."""
        if self.function == "Fn::GetAtt":
            return {self.function: self.argument.split(".", 1)}
        return {self.function: self.argument}


def ref(name: str) -> Call:
    """``Ref``."""
    return Call("Ref", name)


def attribute(name: str, of: str) -> Call:
    """``Fn::GetAtt``."""
    return Call("Fn::GetAtt", f"{name}.{of}")


@dataclass
class _Part:
    """A node's place in the text: offsets in characters, ``end`` behind its last character."""

    start: int
    column: int
    end: int
    kind: str  # "map", "list", "scalar" or "alias"
    flow: bool = False
    empty: bool = False
    shared: bool = False
    tag: str | None = None
    entries: dict[str, tuple[int, _Part]] = field(default_factory=dict)
    items: list[_Part] = field(default_factory=list)

    def function(self) -> bool:
        """Whether CloudFormation works the value out."""
        return bool(self.tag and self.tag.startswith("!")) or any(
            key == "Ref" or key.startswith("Fn::") for key in self.entries
        )


@dataclass(frozen=True)
class _Style:
    """How a file is written."""

    json: bool
    newline: str
    unit: str  # one step of JSON
    step: int  # columns from a mapping to the mapping in it
    dash: int  # columns from a key to the dashes below it
    quote: str
    short: bool
    spaced: bool  # blank lines between resources


_PLAIN = re.compile(r"[A-Za-z/][\w./:${}-]*(?: [\w.,$(){}-]+)*")
_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}


class Written:
    """A template's text; each insertion yields another one. ValueError for what is no YAML."""

    def __init__(self, source: str) -> None:
        self.source = source

    @cached_property
    def _json(self) -> bool:
        try:
            json.loads(self.source)
        except (ValueError, RecursionError):
            return False
        return True

    @cached_property
    def _events(self) -> list[Any]:
        text = self.source.replace("\t", " ") if self._json else self.source
        try:
            return list(yaml.parse(text, Loader=yaml.SafeLoader))
        except yaml.YAMLError as error:
            raise ValueError("the text is no YAML") from error

    @cached_property
    def _root(self) -> _Part:
        events = iter(self._events)
        next(events), next(events)
        return self._part(next(events), events)

    def _part(self, event: Any, events: Iterator[Any]) -> _Part:
        start, column = event.start_mark.index, event.start_mark.column
        end = event.end_mark.index
        if isinstance(event, yaml.AliasEvent):
            return _Part(start, column, end, "alias", shared=True)
        part = _Part(start, column, end, "scalar", shared=event.anchor is not None, tag=event.tag)
        if isinstance(event, yaml.ScalarEvent):
            part.empty = event.value == "" and event.style is None
            if event.style in ("|", ">"):
                part.end = self._end_of_block(start, end)
            return part
        part.flow = bool(event.flow_style)
        part.kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
        last = start
        while not isinstance(one := next(events), yaml.CollectionEndEvent):
            if part.kind == "list":
                part.items.append(self._part(one, events))
                last = part.items[-1].end
                continue
            key, value = self._part(one, events), self._part(next(events), events)
            part.entries[getattr(one, "value", "")] = (key.start, value)
            last = max(key.end, value.end)
        part.end = _offset(one) if part.flow else last
        return part

    def _end_of_block(self, start: int, end: int) -> int:
        """Where a literal or folded text ends: its blank lines count only where it keeps them."""
        header = self.source[start:].partition("\n")[0].split("#")[0]
        text = self.source[start:end]
        if "+" in header:
            return start + len(text.rpartition("\n")[0])
        return start + len(text.rstrip())

    @cached_property
    def _style(self) -> _Style:
        steps: Counter[int] = Counter()
        dashes: Counter[int] = Counter()
        _count(self._root, steps, dashes)
        step = _most(steps, 2)
        quotes = Counter(
            one.style for one in self._events if isinstance(one, yaml.ScalarEvent) and one.style
        )
        tags = any((getattr(one, "tag", None) or "!!").startswith("!") for one in self._short())
        unit = "  "
        if self._json and self._root.entries:
            at = next(iter(self._root.entries.values()))[0]
            unit = self._before(at) if not self._before(at).strip() else "  "
        first = self._resources_apart()
        return _Style(
            self._json,
            "\r\n" if self.source.count("\r\n") * 2 > self.source.count("\n") else "\n",
            unit or "  ",
            step,
            _most(dashes, step),
            "'" if quotes["'"] > quotes['"'] else '"',
            tags or ('"Fn::' not in self.source and "Fn::" not in self.source),
            first,
        )

    def _short(self) -> Iterator[Any]:
        for one in self._events:
            tag = getattr(one, "tag", None)
            if tag and tag.startswith("!") and tag != "!":
                yield one

    def _resources_apart(self) -> bool:
        """Whether resources stand apart by blank lines; with one alone they do."""
        entry = self._root.entries.get("Resources")
        places = [key for key, _ in entry[1].entries.values()] if entry else []
        if len(places) < 2:
            return True
        gaps = [
            re.search(r"\n[ \t]*\r?\n", self.source[one.end : after]) is not None
            for (_, one), after in zip(entry[1].entries.values(), places[1:], strict=False)  # type: ignore[index]
        ]
        return sum(gaps) * 2 >= len(gaps)

    def _before(self, offset: int) -> str:
        return self.source[self.source.rfind("\n", 0, offset) + 1 : offset]

    # -- what can be asked ---------------------------------------------------------------------

    def has(self, *path: str) -> bool:
        """Whether something is written at a path of keys."""
        part = self._root
        for step in path:
            if part.kind != "map" or step not in part.entries:
                return False
            part = part.entries[step][1]
        return True

    # -- insertions ----------------------------------------------------------------------------

    def with_entry(self, path: tuple[str, ...], key: str, value: Any) -> Written:
        """With a key in the mapping at ``path``, which is made where it is missing.

        Raises Unwritable where something else than a mapping of its own is written there.
        """
        part, walked = self._root, 0
        for walked, step in enumerate((*path, key)):
            _open(part, path[:walked])
            if part.kind != "map":
                break
            if step not in part.entries:
                inner = _nested((*path, key)[walked + 1 :], value)
                return self._into(part, {step: inner})
            outer, part = part, part.entries[step][1]
        else:
            raise Unwritable(f"{key} is written there already")
        if not part.empty or outer.flow:
            raise Unwritable(f"{'.'.join(path[:walked])} is no mapping")
        inner = _nested((*path, key)[walked:], value)
        return self._lines(part.end, self._block(inner, outer.column + self._style.step))

    def with_item(self, path: tuple[str, ...], item: Any) -> Written:
        """With one more item in the list at ``path``, which is made where it is missing."""
        part = self._root
        for walked, step in enumerate(path):
            _open(part, path[:walked])
            if part.kind != "map" or step not in part.entries:
                return self.with_entry(path[:-1], path[-1], [item])
            outer, part = part, part.entries[step][1]
        if part.empty and not outer.flow:
            return self._lines(part.end, self._block([item], outer.column + self._style.dash))
        _open(part, path)
        if part.kind != "list":
            raise Unwritable(f"{'.'.join(path)} is no list")
        if not part.flow:
            return self._lines(part.end, self._block([item], part.column))
        if not part.items:
            return self._at(part.end - 1, self._flow(item))
        return self._before_flow(part.items[-1].start, "", item)

    def with_resource(self, beside: str, name: str, body: Mapping[str, Any]) -> Written:
        """With a resource behind that named ``beside``; in JSON before it."""
        part = self._root.entries["Resources"][1]
        _open(part, ("Resources",))
        if part.flow:
            return self._before_flow(part.entries[beside][0], name, body)
        lines = self._block({name: body}, part.column)
        return self._lines(
            part.entries[beside][1].end, ["", *lines] if self._style.spaced else lines
        )

    def _into(self, part: _Part, entry: dict[str, Any]) -> Written:
        if not part.flow:
            return self._lines(part.end, self._block(entry, part.column))
        ((key, value),) = entry.items()
        if not part.entries:
            return self._at(part.end - 1, f"{self._flow(key)}: {self._flow(value)}")
        return self._before_flow(list(part.entries.values())[-1][0], key, value)

    def _before_flow(self, offset: int, key: str, value: Any) -> Written:
        indent = self._before(offset)
        label = f"{self._flow(key)}: " if key else ""
        if indent.strip():
            return self._at(offset, f"{label}{self._flow(value)}, ")
        text = self._flow(value)
        if self._style.json:
            pretty = json.dumps(_long(value), indent=self._style.unit)
            text = pretty.replace("\n", self._style.newline + indent)
        return self._at(offset, f"{label}{text},{self._style.newline}{indent}")

    def _lines(self, end: int, lines: list[str]) -> Written:
        """With lines behind that in which ``end`` lies."""
        stop = self.source.find("\n", end)
        stop = len(self.source) if stop < 0 else stop
        if self.source[stop - 1 : stop] == "\r" and stop > end:
            stop -= 1
        new = self._style.newline
        return self._at(stop, new + new.join(lines))

    def _at(self, offset: int, text: str) -> Written:
        return Written(self.source[:offset] + text + self.source[offset:])

    # -- rendering -----------------------------------------------------------------------------

    def _block(self, value: Any, column: int) -> list[str]:
        """The lines of a mapping or list in block style, its entries at ``column``."""
        lines: list[str] = []
        blank = " " * column
        if isinstance(value, list):
            for item in value:
                first, *rest = self._inner(item, column + 2)
                lines += [f"{blank}- {first.strip()}", *rest]
            return lines
        for key, one in value.items():
            if isinstance(one, Call) and not self._style.short:
                one = one.long()
            if isinstance(one, dict | list) and one:
                depth = self._style.dash if isinstance(one, list) else self._style.step
                lines += [f"{blank}{key}:", *self._block(one, column + depth)]
            else:
                lines.append(f"{blank}{key}: {self._flow(one, inside=False)}")
        return lines

    def _inner(self, value: Any, column: int) -> list[str]:
        if isinstance(value, Call) and not self._style.short:
            value = value.long()
        if isinstance(value, dict | list) and value:
            return self._block(value, column)
        return [self._flow(value, inside=False)]

    def _flow(self, value: Any, *, inside: bool = True) -> str:
        """A value on one line."""
        if self._style.json:
            return json.dumps(_long(value))
        if isinstance(value, Call):
            if not self._style.short:
                return self._flow(value.long())
            short = value.function.removeprefix("Fn::")
            return f"!{short} {self._flow(value.argument, inside=inside)}"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k}: {self._flow(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self._flow, value)) + "]"
        if isinstance(value, bool):
            return "true" if value else "false"
        text = str(value)
        plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
        if not isinstance(value, str) or (plain and not (inside and re.search("[{},]", text))):
            return text
        return f"{self._style.quote}{text}{self._style.quote}"


def _offset(event: Any) -> int:
    """Where an event ends."""
    return int(event.end_mark.index)


def _open(part: _Part, path: tuple[str, ...]) -> None:
    """Raises Unwritable where a value is shared by an anchor or made by a function."""
    where = ".".join(path) or "the template"
    if part.shared:
        raise Unwritable(f"{where} is shared by an anchor")
    if part.kind != "scalar" and part.function():
        raise Unwritable(f"{where} is made by a function")


def _nested(path: tuple[str, ...], value: Any) -> Any:
    for step in reversed(path):
        value = {step: value}
    return value


def _long(value: Any) -> Any:
    if isinstance(value, Call):
        return value.long()
    if isinstance(value, dict):
        return {key: _long(one) for key, one in value.items()}
    return [_long(one) for one in value] if isinstance(value, list) else value


def _count(part: _Part, steps: Counter[int], dashes: Counter[int]) -> None:
    for _, one in part.entries.values():
        if not part.flow and not one.flow and one.kind in ("map", "list"):
            (steps if one.kind == "map" else dashes)[one.column - part.column] += 1
        _count(one, steps, dashes)
    for one in part.items:
        _count(one, steps, dashes)


def _most(counted: Counter[int], default: int) -> int:
    found = [(count, -width) for width, count in counted.items() if width >= 0]
    return -max(found)[1] if found else default
