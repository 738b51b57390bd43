"""The published schemas of resource types as shapes: types, ranges, choices, what is required.

``schemas.json`` beside this file is written from AWS's published schemas by ``labs dev sync``, a
type a line; what the schemas do not say is added by hand, in the modules of the kinds.
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from grader.cloud.template.shapes import (
    Field,
    Flag,
    Json,
    JsonOf,
    ListOf,
    Number,
    Rule,
    Shape,
    Struct,
    Text,
    Use,
    Whole,
    as_field,
)


@cache
def _lines() -> dict[str, str]:
    text = Path(__file__).with_name("schemas.json").read_text(encoding="utf-8")
    entries = (line.rstrip(",").split(": ", 1) for line in text.splitlines() if "::" in line)
    return {name.strip('"'): body for name, body in entries}


@cache
def schema_of(type: str) -> Mapping[str, Any]:
    """The schema of a type, as far as the labs need it; KeyError for a type not in the table."""
    schema: dict[str, Any] = json.loads(_lines()[type])
    return schema


@dataclass(frozen=True)
class ByHand:
    """What the schema of a type does not say, by path (``"Code.ZipFile"``; lists add no step).

    ``played`` are the properties that are acted out, ``kept`` those that are accepted without
    effect, ``refused`` those that AWS takes and the labs cannot play, the last two with a note.
    Below the top level everything is acted out that is not ``refused``. ``shapes`` hold sentences,
    patterns and ranges that the schema leaves open or states for others; ``rules`` look at an
    object as a whole.
    """

    played: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, Shape | Field] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)


def shape_of(type: str, hand: ByHand) -> Struct:
    """The shape of a type's properties: every property that is published, and no other."""
    schema = schema_of(type)
    return _Builder(schema, hand).struct(schema, "", ())


class _Builder:
    """Makes shapes out of a schema's parts and of what is said by hand."""

    def __init__(self, schema: Mapping[str, Any], hand: ByHand) -> None:
        self.definitions = schema.get("definitions", {})
        self.hand = hand
        self.played = frozenset(hand.played.split())

    def struct(self, part: Mapping[str, Any], path: str, inside: tuple[str, ...]) -> Struct:
        needed = part.get("required", ())
        fields: dict[str, Shape | Field] = {}
        for name, one in part["properties"].items():
            fields[name] = self.field(one, f"{path}.{name}".lstrip("."), name in needed, inside)
        return Struct(fields, self.hand.rules.get(path))

    def field(
        self, part: Mapping[str, Any], path: str, needed: bool, inside: tuple[str, ...]
    ) -> Field:
        hand = self.hand
        if path in hand.refused:
            return Field(use="refused", note=hand.refused[path])
        if "." not in path and path not in self.played and path not in hand.kept:
            return Field(use="refused", note="it is not emulated.")
        own = as_field(hand.shapes.get(path, Shape()))
        shape = self.shape(part, path, inside)
        use: Use = "harmless" if path in hand.kept else own.use
        return Field(shape, needed or own.required, use, hand.kept.get(path, own.note))

    def shape(self, part: Mapping[str, Any], path: str, inside: tuple[str, ...]) -> Shape:
        """A part's shape; a part that holds itself is any object in there."""
        name = part.get("$ref")
        if name is not None:
            if name in inside:
                return Json()
            beside = {key: value for key, value in part.items() if key != "$ref"}
            return self.shape({**self.definitions[name], **beside}, path, (*inside, name))
        kinds = part.get("type", ())
        kinds = (kinds,) if isinstance(kinds, str) else kinds
        own = as_field(self.hand.shapes.get(path, Shape())).shape
        if isinstance(own, ListOf) and "array" in kinds:
            return own
        if "array" in kinds:
            item = self.shape(part.get("items", {}), path, inside)
            unique = bool(part.get("uniqueItems", False))
            return ListOf(item, part.get("minItems", 0), part.get("maxItems"), unique)
        if type(own) is not Shape:
            return _merged(own, part)
        if "properties" in part:
            struct = self.struct(part, path, inside)
            return JsonOf(struct) if "string" in kinds else struct
        return _plain(part, kinds)


def _plain(part: Mapping[str, Any], kinds: Sequence[str]) -> Shape:
    if "object" in kinds:
        return Json()
    if "integer" in kinds:
        return _merged(Whole(choices=tuple(part.get("enum", ()))), part)
    if "number" in kinds:
        return _merged(Number(), part)
    if "boolean" in kinds:
        return Flag()
    return _merged(Text(), part) if "string" in kinds else Shape()


def _merged(own: Shape, part: Mapping[str, Any]) -> Shape:
    """A shape by hand with the range and the choices that only the schema says."""
    if isinstance(own, Text):
        kept = tuple(one for one in part.get("enum", ()) if one not in own.unplayed)
        choices = own.choices or kept
        # A sentence by hand says more than a length.
        by_hand = bool(choices) or type(own) is not Text
        low = own.low or (0 if by_hand or own.pattern else part.get("minLength", 0))
        high = own.high if own.high is not None or by_hand else part.get("maxLength")
        return replace(own, choices=choices, low=low, high=high)
    if isinstance(own, Whole | Number):
        bounds: dict[str, Any] = {
            "low": part.get("minimum") if own.low is None else own.low,
            "high": part.get("maximum") if own.high is None else own.high,
        }
        return replace(own, **bounds)
    return own
