"""Any CloudFormation template's text → a Stack, as far as the text alone can tell.

The labs refuse what they do not know. Here everything is taken: an unknown type, function, macro or
parameter only leaves *marks*. A mark is a piece of text between two private characters that stands
for a value nobody can know from the template, and names it: the parameter ``Env`` without a default
becomes the mark of ``Env``, and ``!Sub "${Env}-orders"`` becomes that mark followed by ``-orders``.
Equal marks are equal values, so that two places that say ``${Env}-orders`` are known to be the same
thing, although neither is known. ``known`` tells whether a value holds a mark; ``shown`` writes one
for people.

Parameters stand for their defaults. What CloudFormation would refuse is not looked for here: that
is a linter's work.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from grader.cloud import clock
from grader.cloud.aws import ACCOUNT_ID, REGION
from grader.cloud.template.intrinsics import PSEUDO_PARAMETERS, references
from grader.cloud.template.kinds import KINDS
from grader.cloud.template.kinds.base import PARTITION, URL_SUFFIX, Me, NotKnown, Place
from grader.cloud.template.model import Path, Problem, Reporter, Resource, Stack, Unknown
from grader.cloud.template.resolver import in_order
from grader.cloud.template.yaml_lines import Call, Fields, Items, Node, Scalar, Unreadable, parse

_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")
_PRIVATE = re.compile(f"[{_OPEN}{_CLOSE}]")

# Choices of this project. A text that functions make longer becomes a mark of its own, so that no
# template can fill the memory; so does a name, which AWS limits to 255 characters and less.
MAX_TEXT = 200_000
MAX_NAME = 600
MAX_ALL = 8_000_000

_LOGIC = ("Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or", "Condition")
_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}")


class NoTemplate(Exception):
    """The text is no CloudFormation template; the message is a sentence, ``line`` may be None."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True)
class Reading:
    """A template as far as it can be known.

    ``hidden`` tells what may hold resources out of sight: macros, loops, includes. ``remarks``
    tells what is odd about the text itself, such as a key that stands there twice.
    """

    stack: Stack
    hidden: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()


def mark(name: str) -> str:
    """The mark of an unknown value called ``name``."""
    name = _PRIVATE.sub("", name)
    if len(name) > 120:
        name = f"{name[:60]}… {hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:12]}"
    return f"{_OPEN}{name}{_CLOSE}"


def known(value: Any) -> bool:
    """Whether a value, and everything in it, is known: it holds neither mark nor Unknown."""
    if isinstance(value, str):
        return _OPEN not in value
    if isinstance(value, Mapping):
        return all(known(key) and known(one) for key, one in value.items())
    if isinstance(value, list | tuple):
        return all(known(one) for one in value)
    return not isinstance(value, Unknown)


def unknown(value: Any) -> bool:
    """Whether a value as a whole is unknown: an Unknown, or a text with a mark in it."""
    return isinstance(value, Unknown) or (isinstance(value, str) and _OPEN in value)


def shown(value: Any) -> str:
    """A value as short text for people; marks as ``${name}``."""
    if isinstance(value, Unknown):
        return "a value that cannot be known"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = readable(str(value))
    return text if len(text) <= 90 else text[:87] + "…"


def readable(text: str) -> str:
    """Text for people: its marks as ``${name}``."""
    return _MARK.sub(lambda found: "${" + found[1] + "}", text)


def root_of(text: str, path: str) -> tuple[Fields, tuple[Problem, ...]]:
    """The template's top level and the remarks about its text.

    Raises NoTemplate with a sentence for what is neither YAML nor JSON, and for what is, but no
    CloudFormation template.
    """
    reporter = Reporter(path, strict=False)
    try:
        root = parse(_PRIVATE.sub("\ufffd", text), reporter)
    except Unreadable:
        first = reporter.problems[0]
        raise NoTemplate(first.sentence, first.line) from None
    if "Resources" not in root.fields:
        raise NoTemplate(_instead(root))
    if not isinstance(root.node("Resources"), Fields | Call):
        raise NoTemplate("Its section Resources is no mapping from names to resources.")
    return root, (*reporter.problems, *reporter.remarks)


# What people give by mistake: keys of the top level, and what it then is.
_OTHERS: tuple[tuple[frozenset[str], str], ...] = (
    (
        frozenset({"terraform_version"}),
        "It is a Terraform document. Only CloudFormation templates can be read",
    ),
    (
        frozenset({"service", "provider"}),
        "It is a configuration of the Serverless Framework. Run serverless package and give the "
        "compiled template in the folder .serverless",
    ),
    (
        frozenset({"apiVersion", "kind"}),
        "It is a Kubernetes manifest. Only CloudFormation templates can be read",
    ),
    (
        frozenset({"app"}),
        "It looks like a cdk.json. Run cdk synth and give the template in the folder cdk.out",
    ),
    (frozenset({"artifacts", "version"}), "It is a manifest of cdk.out; give a *.template.json"),
)


def _instead(root: Fields) -> str:
    for keys, sentence in _OTHERS:
        if keys <= set(root.fields):
            return sentence + "."
    return "It has no section Resources, so it is no CloudFormation template."


def read(
    text: str,
    *,
    path: str = "template.yaml",
    parameters: Mapping[str, str] | None = None,
    stack_name: str = "stack",
    account_id: str = ACCOUNT_ID,
    region: str = REGION,
) -> Reading:
    """Read a template's text (YAML or JSON). ``parameters`` are values that replace defaults.

    Raises NoTemplate when there is nothing to read.
    """
    root, remarks = root_of(text, path)
    return read_root(
        root,
        tuple(text.splitlines()),
        path=path,
        parameters=parameters,
        remarks=remarks,
        place=Place(stack_name, account_id, region, clock.START_MS),
    )


def read_root(
    root: Fields,
    source: tuple[str, ...],
    *,
    path: str,
    parameters: Mapping[str, str] | None = None,
    remarks: Iterable[Problem] = (),
    place: Place | None = None,
) -> Reading:
    """Read a template that is parsed already; see ``read``. ``source`` are the text's lines."""
    place = place or Place("stack", ACCOUNT_ID, REGION, clock.START_MS)
    reader = _Reader(root, source, path, dict(parameters or {}), place)
    return Reading(reader.stack(), tuple(reader.hidden), tuple(remarks))


class _Partly(dict[str, Any]):
    """An object into which a macro may put more: what is not there is unknown, not absent."""

    def __init__(self, values: Mapping[str, Any], maker: str) -> None:
        super().__init__(values)
        self._maker = maker

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the mark of what may make it."""
        return super().get(key, self._maker)


@dataclass
class _Reader:
    root: Fields
    source: tuple[str, ...]
    path: str
    given: dict[str, str]
    place: Place
    hidden: list[Problem] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, bool | None] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, dict[str, str]] = field(default_factory=dict)
    produced: int = 0

    def stack(self) -> Stack:
        self._parameters()
        self._conditions()
        self._transforms()
        bodies = self._bodies()
        wanted = self._wanted(bodies)
        needs = {
            name: [one.name for one in references(body, None) if one.name in bodies]
            for name, body in bodies.items()
        }
        order, _ = in_order(needs)
        order += [name for name in bodies if name not in set(order)]
        found = {name: self._resource(name, bodies[name], wanted.get(name, ())) for name in order}
        description = self.root.node("Description")
        return Stack(
            name=self.place.stack_name,
            account_id=self.place.account_id,
            region=self.place.region,
            resources={name: found[name] for name in bodies if name in found},
            parameters=dict(self.parameters),
            description=description.text if isinstance(description, Scalar) else "",
            conditions={
                name: Unknown(f"the condition {name} depends on what is not in the template")
                if truth is None
                else truth
                for name, truth in self.conditions.items()
            },
            creation_order=tuple(order),
            path=self.path,
            source=self.source,
        )

    # -- sections ----------------------------------------------------------------------------

    def _section(self, name: str) -> Iterator[tuple[str, int, Node]]:
        node = self.root.node(name)
        if isinstance(node, Fields):
            for key, key_mark, body in node:
                yield key, key_mark[0], body

    def _parameters(self) -> None:
        for name, _, body in self._section("Parameters"):
            type = _text(body.node("Type")) if isinstance(body, Fields) else None
            default = body.node("Default") if isinstance(body, Fields) else None
            value: Any = mark(name)
            if name in self.given:
                value = self.given[name]
            elif isinstance(default, Scalar) and not (type or "").startswith("AWS::SSM::"):
                # An SSM parameter's default is the name of the value, not the value.
                value = default.text if default.value is not None else ""
            elif isinstance(default, Items):
                value = ",".join(_text(one) or "" for one in default.items)
            if type is not None and known(value) and (type[:5] == "List<" or type[:5] == "Comma"):
                value = [part.strip() for part in str(value).split(",")]
            self.parameters[name] = value

    def _conditions(self) -> None:
        nodes = {name: body for name, _, body in self._section("Conditions")}
        needs = {name: [n for n in _condition_names(body) if n in nodes] for name, body in
                 nodes.items()}  # fmt: skip
        order, _ = in_order(needs)
        for name in order:
            self.conditions[name] = self._truth(nodes[name])
        for name in nodes:
            self.conditions.setdefault(name, None)

    def _transforms(self) -> None:
        """Note macros: they may add anything. The well-known ones of AWS that add nothing do not.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-reference.html
        """
        node = self.root.node("Transform")
        if node is None:
            return
        entries = node.items if isinstance(node, Items) else (node,)
        for entry in entries:
            name = _text(entry)
            if name is None and isinstance(entry, Fields):
                name = _text(entry.node("Name"))
            # ForEach, the one function of the language extensions that makes resources, is noted
            # where it stands.
            if name in ("AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"):
                continue
            if name == "AWS::SecretsManager-2020-07-23" or name == "AWS::SecretsManager-2024-09-16":
                continue
            self._hide(entry.mark[0], f"the transform {name or 'that stands here'} may add to it")

    def _hide(self, line: int, sentence: str) -> None:
        self.hidden.append(Problem(line, None, sentence, self.path))

    def _bodies(self) -> dict[str, Fields]:
        node = self.root.node("Resources")
        found: dict[str, Fields] = {}
        if isinstance(node, Call):
            self._hide(node.mark[0], f"{node.function} makes the resources")
            return found
        for name, line, body in self._section("Resources"):
            if name.startswith("Fn::"):
                self._hide(line, f"{name.removesuffix('::')} may make more resources")
            elif isinstance(body, Fields):
                condition = _text(body.node("Condition"))
                if condition is not None and self.conditions.get(condition) is False:
                    continue
                found[name] = body
                type = _text(body.node("Type")) or ""
                if type == "AWS::CloudFormation::Stack":
                    self._hide(line, f"the nested stack {name} is another template")
                elif type.endswith("::MODULE"):
                    self._hide(line, f"the module {name} holds resources of its own")
            elif isinstance(body, Call):
                self._hide(line, f"{body.function} makes the resource {name}")
        return found

    def _wanted(self, bodies: Mapping[str, Fields]) -> dict[str, list[str]]:
        """The attributes that the template asks of each resource."""
        wanted: dict[str, list[str]] = {}
        for body in bodies.values():
            for reference in references(body, None):
                if reference.attribute:
                    wanted.setdefault(reference.name, []).append(reference.attribute)
        return wanted

    # -- resources ---------------------------------------------------------------------------

    def _resource(self, name: str, body: Fields, wanted: Iterable[str]) -> Resource:
        line = self.root.fields["Resources"][0][0]
        resources = self.root.node("Resources")
        if isinstance(resources, Fields):
            line = resources.fields[name][0][0]
        marks: dict[Path, tuple[int, int]] = {(): (line, 1)}
        for key, key_mark, _ in body:
            marks[(key,)] = key_mark
        type = _text(body.node("Type")) or ""
        node = body.node("Properties")
        properties = self._value(node, marks, ()) if node is not None else {}
        if not isinstance(properties, dict):
            properties = _Partly({}, properties) if unknown(properties) else {}
        physical, attributes = self._names(name, type, properties)
        for attribute in wanted:
            attributes.setdefault(attribute, mark(f"{name}.{attribute}"))
        self.refs[name], self.attributes[name] = physical, attributes
        return Resource(
            logical_id=name,
            type=type,
            properties=properties,
            line=line,
            physical_id=physical,
            attributes=attributes,
            deletion_policy=_text(body.node("DeletionPolicy")) or "Delete",
            update_replace_policy=_text(body.node("UpdateReplacePolicy")) or "Delete",
            condition=_text(body.node("Condition")),
            path=self.path,
            marks=marks,
            source=self.source,
        )

    def _names(
        self, name: str, type: str, properties: dict[str, Any]
    ) -> tuple[str, dict[str, str]]:
        # A global table has the names of a table:
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html
        kind = KINDS.get("AWS::DynamoDB::Table" if type == "AWS::DynamoDB::GlobalTable" else type)
        if kind is None:
            return mark(name), {}
        if kind.named_by and len(str(properties.get(kind.named_by, ""))) > MAX_NAME:
            return mark(name), {}
        try:
            physical, attributes = kind.names(Me(name, properties, self.place))
        except (NotKnown, TypeError, ValueError, KeyError, IndexError, AttributeError):
            return mark(name), {}  # a property that is no text where a name needs one
        if not isinstance(physical, str):
            return mark(name), {}
        return physical, {key: one for key, one in attributes.items() if isinstance(one, str)}

    # -- values ------------------------------------------------------------------------------

    def _value(
        self, node: Node, marks: dict[Path, tuple[int, int]] | None = None, path: Path = ()
    ) -> Any:
        """A node's value. None stands for AWS::NoValue and for null: nothing is there."""
        if isinstance(node, Scalar):
            return node.value
        if isinstance(node, Items):
            items: list[Any] = []
            for item in node.items:
                here = (*path, len(items))
                if marks is not None:
                    marks[here] = item.mark
                value = self._value(item, marks, here)
                if value is not None:
                    items.append(value)
            return items
        if isinstance(node, Fields):
            fields: dict[str, Any] = {}
            maker = ""
            for key, key_mark, inner in node:
                if key.startswith("Fn::"):
                    maker = mark(f"{key.removeprefix('Fn::')} {self._written(inner)}")
                    fields[mark(key)] = maker
                    continue
                if marks is not None:
                    marks[(*path, key)] = key_mark
                value = self._value(inner, marks, (*path, key))
                if value is not None:
                    fields[key] = value
            return _Partly(fields, maker) if maker else fields
        assert isinstance(node, Call)
        if node.function == "Fn::If":
            return self._if(node, marks, path)
        value = self._call(node)
        if isinstance(value, str):
            self.produced += len(value)
            if len(value) > MAX_TEXT or self.produced > MAX_ALL:
                return mark(self._written(node))
        return value

    def _call(self, node: Call) -> Any:
        argument = node.argument
        if node.function == "Ref":
            return self._ref(_text(argument) or "", node)
        if node.function == "Fn::GetAtt":
            return self._get_att(node)
        if node.function == "Fn::Sub":
            return self._sub(node)
        if node.function == "Fn::Join":
            return self._join(node)
        if node.function == "Fn::Select":
            return self._select(node)
        if node.function == "Fn::Split":
            return self._split(node)
        if node.function == "Fn::FindInMap":
            return self._find_in_map(node)
        if node.function == "Fn::Base64":
            value = self._value(argument)
            if isinstance(value, str) and known(value):
                return base64.b64encode(value.encode("utf-8", "replace")).decode()
        if node.function in _LOGIC:
            truth = self._truth(node)
            return mark(self._written(node)) if truth is None else truth
        return mark(self._written(node))

    def _ref(self, name: str, node: Node) -> Any:
        if name == "AWS::NoValue":
            return None
        if name in self.parameters:
            return self.parameters[name]
        if name in self.refs:
            return self.refs[name]
        where = {
            "AWS::AccountId": self.place.account_id,
            "AWS::Partition": PARTITION,
            "AWS::Region": self.place.region,
            "AWS::StackName": self.place.stack_name,
            "AWS::URLSuffix": URL_SUFFIX,
        }
        assert all(key in PSEUDO_PARAMETERS for key in where)
        return where.get(name, mark(name or self._written(node)))

    def _attribute(self, name: str, attribute: str) -> str:
        return self.attributes.get(name, {}).get(attribute, mark(f"{name}.{attribute}"))

    def _get_att(self, node: Call) -> str:
        argument = node.argument
        if isinstance(argument, Scalar):
            name, _, attribute = argument.text.partition(".")
            return self._attribute(name, attribute)
        if isinstance(argument, Items) and len(argument.items) >= 2:
            parts = [self._value(item) for item in argument.items]
            if all(isinstance(part, str) for part in parts):
                return self._attribute(parts[0], ".".join(parts[1:]))
        return mark(self._written(node))

    def _sub(self, node: Call) -> Any:
        argument, variables = node.argument, {}
        if isinstance(argument, Items) and argument.items:
            if len(argument.items) > 1 and isinstance(argument.items[1], Fields):
                variables = {key: inner for key, _, inner in argument.items[1]}
            argument = argument.items[0]
        template = _text(argument)
        if template is None:
            return mark(self._written(node))

        def replacement(found: re.Match[str]) -> str:
            name = found[1].strip()
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in variables:
                value = self._value(variables[name])
            elif "." in name:
                value = self._attribute(*name.split(".", 1))
            else:
                value = self._ref(name, node)
            return _plain(value) if _is_scalar(value) else mark(name)

        return _PLACEHOLDER.sub(replacement, template)

    def _join(self, node: Call) -> Any:
        argument = node.argument
        if isinstance(argument, Items) and len(argument.items) == 2:
            separator = self._value(argument.items[0])
            parts = self._value(argument.items[1])
            if isinstance(parts, list) and isinstance(separator, str):
                texts = [_plain(part) for part in parts if _is_scalar(part)]
                if len(texts) == len(parts):
                    return separator.join(texts)
        return mark(self._written(node))

    def _select(self, node: Call) -> Any:
        argument = node.argument
        if isinstance(argument, Items) and len(argument.items) == 2:
            number, values = self._value(argument.items[0]), self._value(argument.items[1])
            written = _plain(number)
            position = int(written) if re.fullmatch("[0-9]{1,8}", written) else -1
            if isinstance(values, list) and 0 <= position < len(values):
                return values[position]
        return mark(self._written(node))

    def _split(self, node: Call) -> Any:
        argument = node.argument
        if isinstance(argument, Items) and len(argument.items) == 2:
            separator, text = self._value(argument.items[0]), self._value(argument.items[1])
            if isinstance(text, str) and isinstance(separator, str) and separator and known(text):
                return text.split(separator)
        return mark(self._written(node))

    def _find_in_map(self, node: Call) -> Any:
        argument = node.argument
        if isinstance(argument, Items) and len(argument.items) >= 3:
            keys = [self._value(item) for item in argument.items[:3]]
            place: Node | None = self.root.node("Mappings")
            for key in keys:
                inner = place.node(_plain(key)) if isinstance(place, Fields) else None
                place = inner if _is_scalar(key) else None
            if place is not None:
                return self._value(place)
        return mark(self._written(node))

    def _if(self, node: Call, marks: dict[Path, tuple[int, int]] | None, path: Path) -> Any:
        argument = node.argument
        if not isinstance(argument, Items) or len(argument.items) != 3:
            return mark(self._written(node))
        truth = self.conditions.get(_text(argument.items[0]) or "")
        if truth is not None:
            return self._value(argument.items[1 if truth else 2], marks, path)
        one, other = self._value(argument.items[1]), self._value(argument.items[2])
        return one if one == other and one is not None else mark(self._written(node))

    # -- conditions --------------------------------------------------------------------------

    def _truth(self, node: Node) -> bool | None:
        """What a condition comes to; None when the template alone cannot tell."""
        if isinstance(node, Fields):
            name = _text(node.node("Condition"))
            return self.conditions.get(name or "")
        if not isinstance(node, Call):
            return None
        if node.function == "Condition":
            return self.conditions.get(_text(node.argument) or "")
        operands = node.argument.items if isinstance(node.argument, Items) else (node.argument,)
        if node.function == "Fn::Equals" and len(operands) == 2:
            one, other = (self._value(operand) for operand in operands)
            if known(one) and known(other):
                return _plain(one) == _plain(other) if _is_scalar(one) else one == other
            return True if one == other else None
        if node.function not in ("Fn::And", "Fn::Or", "Fn::Not") or len(operands) > 20:
            return None
        truths = [self._truth(operand) for operand in operands]
        if node.function == "Fn::Not":
            return None if not truths or truths[0] is None else not truths[0]
        decisive = node.function == "Fn::Or"
        if decisive in truths:
            return decisive
        return None if None in truths else not decisive

    def _written(self, node: Node) -> str:
        """A function as short text that is the same for the same function and arguments."""
        if isinstance(node, Call):
            name = node.function.removeprefix("Fn::")
            if node.function == "Ref":
                return _text(node.argument) or "Ref"
            return f"{name} {self._written(node.argument)}"
        if isinstance(node, Scalar):
            return node.text
        if node.size > 500:
            return f"what stands in line {node.mark[0]}, column {node.mark[1]}"
        if isinstance(node, Items):
            return ", ".join(self._written(item) for item in node.items)
        if isinstance(node, Fields):
            return json.dumps({key: self._written(inner) for key, _, inner in node})
        return ""


def _condition_names(node: Node) -> Iterator[str]:
    if isinstance(node, Items):
        for item in node.items:
            yield from _condition_names(item)
    elif isinstance(node, Fields):
        name = _text(node.node("Condition"))
        if name is not None:
            yield name
    elif isinstance(node, Call):
        name = _text(node.argument) if node.function == "Condition" else None
        if name is not None:
            yield name
        else:
            yield from _condition_names(node.argument)


def _text(node: Node | None) -> str | None:
    return node.text if isinstance(node, Scalar) and node.value is not None else None


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
