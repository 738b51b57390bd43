"""Template text in, a tree of nodes out; every node knows its line and column.

Reads YAML and JSON (JSON is a subset of YAML). Scalars follow YAML 1.1 as CloudFormation does:
``yes`` and ``off`` are booleans, dates stay text. PyYAML's pure Python parser is used on every
platform, so that the same file gets the same sentence everywhere; 250 lines take some 30 ms.

Anchors and aliases are unfolded, because ``aws cloudformation package``, which the labs' templates
go through, unfolds them before CloudFormation sees the template.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from grader.cloud.template.model import Mark, Reporter, did_you_mean, show
from grader.cloud.template.unknown import clean

# CloudFormation reads at most 1 MB, and that only from S3.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAX_BYTES = 1_048_576

# Choices of this project: far above any template that a person writes.
MAX_DEPTH = 60
MAX_NODES = 200_000

SHORT_FORMS = {
    "Ref": "Ref",
    "Condition": "Condition",
    **{
        name: f"Fn::{name}"
        for name in [
            "And",
            "Base64",
            "Cidr",
            "Equals",
            "FindInMap",
            "GetAtt",
            "GetAZs",
            "If",
            "ImportValue",
            "Join",
            "Length",
            "Not",
            "Or",
            "Select",
            "Split",
            "Sub",
            "ToJsonString",
            "Transform",
        ]
    },
}

_STANDARD_TAG = "tag:yaml.org,2002:"
_STANDARD_TAGS = ("str", "int", "float", "bool", "null", "map", "seq")
_BOOLEANS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_NULLS = {"", "~", "null", "Null", "NULL"}
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_OCTAL = re.compile(r"[-+]?0[0-7_]+")
_RADIX = re.compile(r"[-+]?0(?:x[0-9a-fA-F_]+|b[01_]+)")
_SIXTIES = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9_]+(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*[eE][-+]?[0-9]+)"
)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class Unreadable(Exception):
    """The text cannot be read any further; the reporter already knows why."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the template; ``size`` counts the nodes in it with every alias unfolded."""

    mark: Mark
    size: int
    depth: int


@dataclass(frozen=True, slots=True)
class Scalar(Node):
    """A single value. ``text`` is how it is written, without quotes."""

    value: str | int | float | bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Items(Node):
    """A list."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Fields(Node):
    """A mapping; ``fields`` maps each key to the key's own mark and the value."""

    fields: dict[str, tuple[Mark, Node]]

    def __iter__(self) -> Iterator[tuple[str, Mark, Node]]:
        for key, (mark, node) in self.fields.items():
            yield key, mark, node

    def node(self, key: str) -> Node | None:
        """Return the value of a key, or None."""
        entry = self.fields.get(key)
        return entry[1] if entry else None


@dataclass(frozen=True, slots=True)
class Call(Node):
    """An intrinsic function: ``Ref``, ``Condition`` or ``Fn::…`` and its argument.

    An unknown short form keeps its exclamation mark as its name and has been reported.
    """

    function: str
    argument: Node


def parse(text: str, reporter: Reporter) -> Fields:
    """Return the template's top level. Raises Unreadable when there is none to return."""
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        _stop(
            reporter,
            (line, 1),
            "This is not a text file: it contains NUL characters. Save the template as UTF-8 text.",
        )
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        _stop(
            reporter,
            None,
            f"The template has {size:,} bytes; CloudFormation takes at most {MAX_BYTES:,}.",
        )
    text = clean(text.removeprefix("\ufeff"))
    if "\t" in text and _is_json(text):
        text = text.replace("\t", " ")  # blanks to JSON, refused by YAML
    try:
        return _Composer(text, reporter).document()
    except yaml.YAMLError as error:
        mark, sentence = _wording(error, text)
    _stop(reporter, mark, sentence)
    raise AssertionError("unreachable")


def _stop(reporter: Reporter, mark: Mark | None, sentence: str) -> None:
    reporter.problem(mark, sentence)
    raise Unreadable(sentence)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class _Composer:
    """Builds nodes from PyYAML's events; depth and unfolded size are checked on the way."""

    def __init__(self, text: str, reporter: Reporter) -> None:
        self._events: Iterator[Any] = _events(text)
        self._reporter = reporter
        self._anchors: dict[str, Node | None] = {}

    def document(self) -> Fields:
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), yaml.StreamEndEvent):
            _stop(
                self._reporter,
                None,
                "The template is empty. It needs at least a Resources section.",
            )
        root = self._node(next(self._events), 1)
        next(self._events)  # the end of the document
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            _stop(
                self._reporter,
                _mark(after),
                "A second YAML document begins here (a line of ---); "
                "a template is a single document.",
            )
        if isinstance(root, Scalar) and root.value is None:
            _stop(
                self._reporter,
                None,
                "The template is empty. It needs at least a Resources section.",
            )
        if not isinstance(root, Fields):
            kind = {Items: "a list", Scalar: "a single value"}.get(type(root), "a function")
            _stop(
                self._reporter,
                root.mark,
                f"The template is {kind}; its top level must be a mapping with sections such as "
                "Parameters and Resources.",
            )
        assert isinstance(root, Fields)
        return root

    def _node(self, event: Any, depth: int) -> Node:
        mark = _mark(event)
        if depth > MAX_DEPTH:
            _stop(
                self._reporter,
                mark,
                f"This is nested more than {MAX_DEPTH} levels deep, which the labs do not read.",
            )
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, mark, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = None  # known, but not complete yet
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event, mark)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._items(mark, depth)
        else:
            node = self._fields(mark, depth)
        node = self._tagged(event, node)
        if node.size > MAX_NODES:
            _stop(
                self._reporter,
                mark,
                f"Unfolded, this holds more than {MAX_NODES:,} values, which the labs do not read.",
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, mark: Mark, depth: int) -> Node:
        if event.anchor not in self._anchors:
            _stop(self._reporter, mark, f"No anchor &{event.anchor} stands above this alias.")
        node = self._anchors[event.anchor]
        if node is None:
            _stop(self._reporter, mark, f"The alias *{event.anchor} stands inside its own anchor.")
        assert node is not None
        if depth + node.depth > MAX_DEPTH:
            _stop(
                self._reporter,
                mark,
                f"With its aliases unfolded, this is nested more than {MAX_DEPTH} levels deep, "
                "which the labs do not read.",
            )
        return node

    def _items(self, mark: Mark, depth: int) -> Items:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Items(mark, _size(items), _depth(items), tuple(items))

    def _fields(self, mark: Mark, depth: int) -> Node:
        fields: dict[str, tuple[Mark, Node]] = {}
        values = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            values.append(value)
            name = self._key(key, event)
            if name is None:
                continue
            if name in fields:
                told = (
                    f"The key {show(name)} already stands in line {fields[name][0][0]} of the same "
                    "mapping; each key may occur once."
                )
                if self._reporter.own is None:
                    self._reporter.problem(key.mark, told)
                    continue
                # Tools that write a template anew before it is deployed keep the last one.
                self._reporter.unsupported(key.mark, told)
            fields[name] = (key.mark, value)
        size, height = _size(values), _depth(values)
        if len(fields) == 1:
            (name, (_, value)) = next(iter(fields.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return Call(mark, size, height, name, value)
        return Fields(mark, size, height, fields)

    def _key(self, key: Node, event: Any) -> str | None:
        if not isinstance(key, Scalar):
            self._reporter.problem(key.mark, "A key must be plain text.")
            return None
        plain = isinstance(event, yaml.ScalarEvent) and event.style is None
        if key.text == "<<" and plain:
            self._reporter.problem(
                key.mark,
                "CloudFormation does not take YAML's merge key (<<); write the keys out.",
            )
            return None
        if key.text == "":
            self._reporter.problem(key.mark, "A key is empty here.")
            return None
        return key.text

    def _scalar(self, event: Any, mark: Mark) -> Scalar:
        text = _join_surrogates(event.value)
        value: str | int | float | bool | None = text
        tag = event.tag or ""
        if tag.startswith(_STANDARD_TAG):
            if tag.removeprefix(_STANDARD_TAG) in ("int", "float", "bool", "null"):
                value = self._resolve(text, mark)
        elif not tag and event.style is None:
            value = self._resolve(text, mark)
        return Scalar(mark, 1, 1, value, text)

    def _resolve(self, text: str, mark: Mark) -> str | int | float | bool | None:
        """Return a plain scalar's value by the rules of YAML 1.1, dates excepted."""
        if text in _NULLS:
            return None
        if text.lower() in _BOOLEANS and text in (text.lower(), text.upper(), text.capitalize()):
            return _BOOLEANS[text.lower()]
        if not (text[0] in "+-." or text[0].isdigit()):
            return text
        if len(text) > 40 and re.fullmatch(r"[-+0-9._eE:]+", text):
            self._reporter.problem(
                mark, f"This number has {len(text)} characters; write it in quotes."
            )
            return text
        if _DECIMAL.fullmatch(text):
            return int(text.replace("_", ""))
        if _RADIX.fullmatch(text) and text.strip("_")[-1] not in "xb":
            return int(text.replace("_", ""), 0)
        if _OCTAL.fullmatch(text) and text.strip("+-0_"):
            # Not documented what CloudFormation makes of it, so the labs ask for a clear spelling.
            self._reporter.problem(
                mark,
                f"YAML reads {text} as an octal number because of its leading zero; "
                f'write "{text}" in quotes.',
            )
            return text
        if _OCTAL.fullmatch(text):
            self._reporter.problem(
                mark, f'YAML reads {text} as the number 0; write "{text}" in quotes.'
            )
            return text
        if _SIXTIES.fullmatch(text):
            self._reporter.problem(
                mark,
                f"YAML reads {text} as a number to the base of sixty; write it in quotes.",
            )
            return text
        if _NOT_FINITE.fullmatch(text):
            self._reporter.problem(mark, f"{text} is not a number that CloudFormation takes.")
            return text
        if _FLOAT.fullmatch(text) and any(map(str.isdigit, text)):
            number = float(text.replace("_", ""))
            if math.isfinite(number):
                return number
            self._reporter.problem(mark, f"The number {text} is too large.")
        return text

    def _tagged(self, event: Any, node: Node) -> Node:
        """Turn a short form such as ``!Ref`` into a call."""
        tag = event.tag
        if tag is None or tag == "!":
            return node
        if tag.startswith(_STANDARD_TAG):
            if tag.removeprefix(_STANDARD_TAG) not in _STANDARD_TAGS:
                self._reporter.problem(
                    node.mark, f"CloudFormation does not take YAML's tag !!{tag.split(':')[-1]}."
                )
            return node
        name = tag.removeprefix("!")
        function = SHORT_FORMS.get(name)
        if function is None:
            self._reporter.problem(
                node.mark,
                f"There is no function {show('!' + name)}."
                + did_you_mean("!" + name, ["!" + known for known in SHORT_FORMS]),
            )
            function = tag
        return Call(node.mark, node.size + 1, node.depth + 1, function, node)


def _events(text: str) -> Iterator[Any]:
    """Yield PyYAML's events. All that it raises is a YAMLError."""
    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except (ValueError, OverflowError) as error:
        # An escape beyond the last character, or a version number with thousands of digits.
        raise yaml.YAMLError("an escape or a number in it stands for nothing") from error


def _mark(event: Any) -> Mark:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _size(nodes: list[Node]) -> int:
    return 1 + sum(node.size for node in nodes)


def _depth(nodes: list[Node]) -> int:
    return 1 + max((node.depth for node in nodes), default=0)


def _join_surrogates(text: str) -> str:
    """JSON writes a character outside the basic plane as two escapes; make it one character."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


_WORDS = (
    (
        "but found '<tag>'",
        "Two short forms cannot follow each other directly; write the outer one in its long form, "
        "such as Fn::Base64: on a line of its own.",
    ),
    (
        "mapping values are not allowed",
        "A colon stands where YAML does not expect one: check the indentation of this line and the "
        "one above, and put text that contains a colon and a blank in quotes.",
    ),
    (
        "could not find expected ':'",
        "A key without a colon, or text that is not indented as the text above it.",
    ),
    (
        "expected <block end>",
        "This line's indentation does not fit the lines above: entries of one mapping or list "
        "begin in the same column.",
    ),
    (
        "found unexpected end of stream",
        "A quotation mark is opened and not closed before the end of the file.",
    ),
    (
        "expected ',' or ']'",
        "A list in square brackets is not closed, or a comma is missing before this.",
    ),
    (
        "expected ',' or '}'",
        "A mapping in braces is not closed, or a comma is missing before this.",
    ),
    (
        "sequence entries are not allowed here",
        "A list entry (a dash) stands where YAML does not expect one: begin the list on its own "
        "line, indented under its key.",
    ),
    (
        "found duplicate anchor",
        "This anchor's name is already taken.",
    ),
)


def _wording(error: yaml.YAMLError, text: str) -> tuple[Mark | None, str]:
    """Return the place and a sentence for an error of PyYAML's parser."""
    if isinstance(error, yaml.reader.ReaderError):
        position = error.position if isinstance(error.position, int) else 0
        line = text.count("\n", 0, position) + 1
        column = position - (text.rfind("\n", 0, position) + 1) + 1
        code = error.character if isinstance(error.character, int) else ord(error.character[:1])
        return (line, column), (
            f"The character U+{code:04X} may not stand in a template. "
            "Save the file as UTF-8 text, or write the character as an escape in double quotes."
        )
    problem = str(getattr(error, "problem", None) or error)
    at = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if at is None:
        return None, f"This is not YAML: {problem}."
    mark = (at.line + 1, at.column + 1)
    lines = text.splitlines()
    written = lines[at.line] if at.line < len(lines) else ""
    indent = written[: len(written) - len(written.lstrip())]
    if "'\\t'" in problem or "\t" in indent:
        return mark, (
            "A tab stands here. YAML takes only blanks for indentation; replace the tab by blanks."
        )
    for words, sentence in _WORDS:
        if words in problem:
            return mark, sentence
    return mark, f"This is not YAML: {problem}."
