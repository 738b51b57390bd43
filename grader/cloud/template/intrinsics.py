"""CloudFormation's intrinsic functions.

A Scope knows what names stand for; an Evaluator turns nodes into plain JSON values with it. What
cannot be worked out becomes Unknown, after the reason was reported once, and flows on: text put
together with an Unknown is an Unknown that still holds the rest.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grader.cloud.template.kinds import KINDS
from grader.cloud.template.kinds.base import PARTITION, URL_SUFFIX, Place
from grader.cloud.template.model import Mark, Path, Reporter, did_you_mean, one_of, show
from grader.cloud.template.references import PLACEHOLDER, sub_parts, written
from grader.cloud.template.shapes import plain_text
from grader.cloud.template.unknown import Partly, Unknown, mark, unknowns, whole_text
from grader.cloud.template.yaml_lines import Call, Fields, Items, Node, Scalar


class _NoValue:
    """What ``AWS::NoValue`` yields: the property or list entry is left out."""

    def __repr__(self) -> str:
        return "AWS::NoValue"


NO_VALUE = _NoValue()

PSEUDO_PARAMETERS = (
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
)

# Functions that AWS has and the labs refuse, and why.
REFUSED_FUNCTIONS = {
    "Fn::Cidr": "the labs play no networks.",
    "Fn::ImportValue": "the labs play one stack, so that nothing is exported by another; "
    "use a parameter.",
    "Fn::Transform": "the labs run no macros.",
    "Fn::Length": "it needs the transform AWS::LanguageExtensions, which the labs do not run.",
    "Fn::ToJsonString": "it needs the transform AWS::LanguageExtensions, which the labs do not "
    "run.",
    "Fn::GetStackOutput": "the labs play one stack.",
    "Fn::ValueOf": "it belongs to the section Rules, which the labs do not evaluate.",
    "Fn::ValueOfAll": "it belongs to the section Rules, which the labs do not evaluate.",
    "Fn::RefAll": "it belongs to the section Rules, which the labs do not evaluate.",
    "Fn::Contains": "it belongs to the section Rules, which the labs do not evaluate.",
    "Fn::EachMemberIn": "it belongs to the section Rules, which the labs do not evaluate.",
    "Fn::EachMemberEquals": "it belongs to the section Rules, which the labs do not evaluate.",
}

# A choice of this project: functions may not make more than this many characters and list entries
# in one template, so that no template can fill the memory.
MAX_PRODUCED = 4_000_000

# A choice of this project: every Region has three zones here.
ZONES = "abc"

_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_.:]+")


@dataclass
class Scope:
    """What the names of a template stand for while it is evaluated.

    ``declared`` maps every logical id of Resources to its type; ``refs`` and ``attributes`` hold
    what is already known of those that came first. ``absent`` are resources whose condition is
    false. ``section`` is "Resources", "Conditions" or "Outputs".
    """

    place: Place
    stack_id: str
    parameters: dict[str, Any] = field(default_factory=dict)
    mappings: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    conditions: dict[str, bool | Unknown] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    refs: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    section: str = "Resources"

    def pseudo(self, name: str) -> Any:
        """Return the value of a pseudo parameter."""
        return {
            "AWS::AccountId": self.place.account_id,
            "AWS::NoValue": NO_VALUE,
            "AWS::NotificationARNs": [],
            "AWS::Partition": PARTITION,
            "AWS::Region": self.place.region,
            "AWS::StackId": self.stack_id,
            "AWS::StackName": self.place.stack_name,
            "AWS::URLSuffix": URL_SUFFIX,
        }[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that Ref may name."""
        return (*self.parameters, *self.declared, *PSEUDO_PARAMETERS)


Marks = dict[Path, Mark]


class Evaluator:
    """Turns nodes into plain values. One evaluator serves one template."""

    def __init__(self, scope: Scope, reporter: Reporter) -> None:
        self._scope = scope
        self._reporter = reporter
        self._produced = 0
        self._functions: dict[str, Callable[[Call], Any]] = {
            "Ref": self._ref,
            "Condition": self._condition,
            "Fn::And": self._and,
            "Fn::Base64": self._base64,
            "Fn::Equals": self._equals,
            "Fn::FindInMap": self._find_in_map,
            "Fn::GetAtt": self._get_att,
            "Fn::GetAZs": self._get_azs,
            "Fn::Join": self._join,
            "Fn::Not": self._not,
            "Fn::Or": self._or,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
        }

    def value(self, node: Node, marks: Marks | None = None, path: Path = ()) -> Any:
        """Return the node's value: JSON values, Unknown, or NO_VALUE at the top.

        ``marks`` collects the line and column of everything found below ``path``.
        """
        if isinstance(node, Scalar):
            if node.value is None:
                problem = self._reporter.problem(
                    node.mark,
                    "Nothing stands here (null), which CloudFormation does not take; write a value "
                    "or remove the key.",
                )
                return problem if self._reporter.strict else NO_VALUE
            return node.value
        if isinstance(node, Items):
            return self._list(node, marks, path)
        if isinstance(node, Fields):
            return self._object(node, marks, path)
        assert isinstance(node, Call)
        value = self._call(node, marks, path)
        if isinstance(value, Unknown):
            return value.called(written(node))
        return value

    def _call(self, node: Call, marks: Marks | None, path: Path) -> Any:
        if node.function == "Fn::If":
            return self._if(node, marks, path)
        function = self._functions.get(node.function)
        if function is None:
            return self._no_function(node)
        if node.function in _LOGIC and self._scope.section != "Conditions":
            problem = self._wrong(
                node, f"{node.function} decides a condition; write it in the section Conditions."
            )
            return problem if self._reporter.strict else function(node)
        return function(node)

    def truth(self, node: Node) -> bool | Unknown:
        """Return what a condition comes to."""
        if isinstance(node, Fields):
            inner = node.node("Condition")
            if inner is not None and len(node.fields) == 1:
                node = Call(node.mark, node.size, node.depth, "Condition", inner)
        if isinstance(node, Call) and node.function in _LOGIC:
            result = self.value(node)
            return result if isinstance(result, bool | Unknown) else bool(result)
        if isinstance(node, Call) and node.function.startswith("!"):
            return Unknown("an unknown function", node.mark[0])
        return self._reporter.problem(
            node.mark,
            "A condition must be Fn::Equals, Fn::And, Fn::Or, Fn::Not or the name of another "
            "condition (Condition: Name).",
        )

    # -- plain nodes -------------------------------------------------------------------------

    def _list(self, node: Items, marks: Marks | None, path: Path) -> list[Any]:
        result: list[Any] = []
        for item in node.items:
            here = (*path, len(result))
            if marks is not None:
                marks[here] = item.mark
            value = self.value(item, marks, here)
            if value is not NO_VALUE:
                result.append(value)
            elif marks is not None:
                marks.pop(here, None)
        return result

    def _object(self, node: Fields, marks: Marks | None, path: Path) -> Any:
        result: dict[str, Any] = {}
        maker: Unknown | None = None
        for key, place, child in node:
            if key == "Ref" or key.startswith("Fn::"):
                problem = self._reporter.problem(
                    place,
                    f"{key} stands beside other keys; a function must be the only key of its "
                    "mapping. Check the indentation.",
                )
                maker = problem.called(f"{key.removeprefix('Fn::')} {written(child)}")
                result[mark(key)] = maker
                continue
            here = (*path, key)
            if marks is not None:
                marks[here] = place
            value = self.value(child, marks, here)
            if value is not NO_VALUE:
                result[key] = value
            elif marks is not None:
                marks.pop(here, None)
        return Partly(result, maker) if maker is not None else result

    def _if(self, node: Call, marks: Marks | None, path: Path) -> Any:
        arguments = self._arguments(node, 3, "a condition's name and two values")
        if arguments is None:
            return Unknown("a malformed Fn::If", node.mark[0])
        name = arguments[0]
        if not isinstance(name, Scalar):
            return self._wrong(node, "Fn::If begins with the name of a condition, as plain text.")
        decision = self._condition_named(name)
        if not isinstance(decision, Unknown):
            return self.value(arguments[1 if decision else 2], marks, path)
        one, other = (self.value(argument) for argument in arguments[1:])
        if one == other:
            return one
        return Unknown(decision.reason, decision.line)

    # -- references --------------------------------------------------------------------------

    def _ref(self, node: Call) -> Any:
        if not isinstance(node.argument, Scalar):
            return self._wrong(node, "Ref takes one name, as plain text.")
        return self._named(node.argument.text, node.argument.mark)

    def _named(self, name: str, mark: Mark) -> Any:
        """Return what Ref of a name yields. Names that do not exist have been told already."""
        scope = self._scope
        if name in scope.parameters:
            value = scope.parameters[name]
            return self._made(mark, list(value)) if isinstance(value, list) else value
        if name in PSEUDO_PARAMETERS:
            return scope.pseudo(name)
        if name in scope.declared and (problem := self._unreachable(name, mark)) is not None:
            return problem.called(name)
        missing = "is not known" if name in scope.declared else "stands nowhere"
        return scope.refs.get(name, Unknown(f"{name} {missing}", mark[0]).called(name))

    def _get_att(self, node: Call) -> Any:
        argument = node.argument
        if isinstance(argument, Items) and len(argument.items) >= 2:
            first = argument.items[0]
            parts = [self.value(item) for item in argument.items[1:]]
            if any(isinstance(part, Unknown) for part in parts):
                return Unknown("an attribute's name is not known", node.mark[0])
            if not isinstance(first, Scalar) or not all(isinstance(p, str) for p in parts):
                return self._wrong(
                    node, "Fn::GetAtt takes a logical id and the name of an attribute."
                )
            return self._attribute(first.text, ".".join(parts), argument.mark)
        if isinstance(argument, Scalar) and "." in argument.text:
            name, _, attribute = argument.text.partition(".")
            return self._attribute(name, attribute, argument.mark)
        return self._wrong(
            node, "Fn::GetAtt takes a logical id, a dot and an attribute, such as Orders.Arn."
        )

    def _attribute(self, name: str, attribute: str, mark: Mark) -> Any:
        value = self._attribute_of(name, attribute, mark)
        return value.called(f"{name}.{attribute}") if isinstance(value, Unknown) else value

    def _attribute_of(self, name: str, attribute: str, mark: Mark) -> Any:
        scope = self._scope
        if name not in scope.declared:
            return Unknown(f"there is no resource {name}", mark[0])
        if (problem := self._unreachable(name, mark)) is not None:
            return problem
        known = scope.attributes.get(name, {})
        if attribute in known:
            return known[attribute]
        kind = KINDS.get(scope.declared[name])
        if kind is None:
            ref = scope.refs.get(name)
            reason = ref.reason if isinstance(ref, Unknown) else f"{name} is not known"
            return Unknown(reason, mark[0])
        if attribute in kind.unplayed:
            return self._reporter.unsupported(
                mark, f"The labs do not play the attribute {name}.{attribute}."
            )
        if attribute not in kind.attributes:
            listed = (
                f"it has {one_of(kind.attributes)}" if kind.attributes else "it has no attributes"
            )
            return self._reporter.problem(
                mark,
                f"{name} ({scope.declared[name]}) has no attribute {show(attribute)}; {listed}."
                + did_you_mean(attribute, kind.attributes),
            )
        if attribute == "StreamArn" and known:
            return self._reporter.problem(
                mark,
                f"{name} has no stream, so that it has no StreamArn; add StreamSpecification with "
                f"a StreamViewType to {name}.",
            )
        ref = scope.refs.get(name)
        reason = ref.reason if isinstance(ref, Unknown) else f"{name} is not known"
        return Unknown(reason, mark[0])

    def _unreachable(self, name: str, mark: Mark) -> Unknown | None:
        """Report a reference to a resource that cannot be referred to from here."""
        scope = self._scope
        if scope.section == "Conditions":
            return self._reporter.problem(
                mark,
                f"A condition names the resource {name}; conditions are decided before any "
                "resource exists, from parameters and mappings alone.",
            )
        if name in scope.absent:
            return self._reporter.problem(
                mark,
                f"{name} is named here, but it is not created: its condition "
                f"{scope.absent[name]} is false. Put this under the same condition (Fn::If).",
            )
        return None

    # -- conditions --------------------------------------------------------------------------

    def _condition_named(self, name: Scalar) -> bool | Unknown:
        """Return a condition's truth. Names that do not exist have been told already."""
        return self._scope.conditions.get(
            name.text, Unknown(f"there is no condition {name.text}", name.mark[0])
        )

    def _condition(self, node: Call) -> Any:
        if not isinstance(node.argument, Scalar):
            return self._wrong(node, "Condition takes the name of a condition, as plain text.")
        return self._condition_named(node.argument)

    def _equals(self, node: Call) -> Any:
        arguments = self._arguments(node, 2, "two values")
        if arguments is None:
            return Unknown("a malformed Fn::Equals", node.mark[0])
        left, right = (self.value(argument) for argument in arguments)
        for value in unknowns([left, right]):
            return left == right or Unknown(value.reason, value.line)
        if isinstance(left, dict | list) or isinstance(right, dict | list):
            return left == right
        return plain_text(left) == plain_text(right)

    def _all_of(self, node: Call) -> list[bool | Unknown] | None:
        if not isinstance(node.argument, Items) or not 2 <= len(node.argument.items) <= 10:
            self._wrong(node, f"{node.function} takes a list of two to ten conditions.")
            return None
        return [self.truth(item) for item in node.argument.items]

    def _and(self, node: Call) -> Any:
        return _decide(self._all_of(node), False)

    def _or(self, node: Call) -> Any:
        return _decide(self._all_of(node), True)

    def _not(self, node: Call) -> Any:
        arguments = self._arguments(node, 1, "a list with one condition")
        if arguments is None:
            return Unknown("a malformed Fn::Not", node.mark[0])
        truth = self.truth(arguments[0])
        return truth if isinstance(truth, Unknown) else not truth

    # -- text and lists ----------------------------------------------------------------------

    def _sub(self, node: Call) -> Any:
        text, variables = sub_parts(node.argument)
        whole = isinstance(node.argument, Scalar) or (
            isinstance(node.argument, Items) and len(node.argument.items) == 2 and variables
        )
        if text is None or not whole:
            return self._wrong(
                node,
                "Fn::Sub takes text, or a list of text and a mapping of the variables used in it.",
            )
        own = {key: self.value(child) for key, _, child in variables} if variables else {}
        parts: list[Any] = []
        position = 0
        for match in PLACEHOLDER.finditer(text.text):
            parts.append(text.text[position : match.start()])
            position = match.end()
            name = match[1]
            if name.startswith("!"):
                parts.append("${" + name[1:] + "}")
            elif not _VARIABLE_NAME.fullmatch(name):
                return self._reporter.problem(
                    text.mark,
                    f"${{{name}}} is no variable of Fn::Sub: a name has only letters, digits, "
                    "dots, colons and underscores. Write ${!Literal} for text that should stay.",
                )
            elif name in own:
                parts.append(own[name])
            else:
                logical_id, dot, attribute = name.partition(".")
                parts.append(
                    self._attribute(logical_id, attribute, text.mark)
                    if dot
                    else self._named(name, text.mark)
                )
        parts.append(text.text[position:])
        return self._glued("", parts, text.mark, "Fn::Sub")

    def _join(self, node: Call) -> Any:
        arguments = self._arguments(node, 2, "a delimiter and a list")
        if arguments is None:
            return Unknown("a malformed Fn::Join", node.mark[0])
        delimiter, values = (self.value(argument) for argument in arguments)
        if isinstance(delimiter, Unknown) or isinstance(values, Unknown):
            return Unknown("a part of Fn::Join is not known", node.mark[0])
        if not isinstance(delimiter, str) or not isinstance(values, list):
            return self._wrong(node, "Fn::Join takes a delimiter (text) and a list.")
        return self._glued(delimiter, values, node.mark, "Fn::Join")

    def _glued(self, delimiter: str, parts: list[Any], mark: Mark, function: str) -> Any:
        texts: list[str] = []
        for part in parts:
            if part is NO_VALUE or isinstance(part, dict | list):
                what = "AWS::NoValue" if part is NO_VALUE else show(part)
                return self._reporter.problem(
                    mark, f"{function} puts text together; one of its parts is {what}."
                )
            texts.append(plain_text(part))
        size = sum(map(len, texts)) + len(delimiter) * len(texts)
        if (limit := self._spend(size, mark)) is not None:
            return limit
        return whole_text(delimiter.join(texts), parts)

    def _select(self, node: Call) -> Any:
        arguments = self._arguments(node, 2, "an index and a list")
        if arguments is None:
            return Unknown("a malformed Fn::Select", node.mark[0])
        index, values = (self.value(argument) for argument in arguments)
        if isinstance(index, Unknown) or isinstance(values, Unknown):
            return Unknown("a part of Fn::Select is not known", node.mark[0])
        if not re.fullmatch(r"[0-9]{1,9}", plain_text(index)) or not isinstance(values, list):
            return self._wrong(node, "Fn::Select takes an index (0 is the first) and a list.")
        if int(index) >= len(values):
            return self._wrong(
                node,
                f"Fn::Select asks for the entry with index {index}; the list has {len(values)} "
                "entries, counted from 0.",
            )
        return values[int(index)]

    def _split(self, node: Call) -> Any:
        arguments = self._arguments(node, 2, "a delimiter and text")
        if arguments is None:
            return Unknown("a malformed Fn::Split", node.mark[0])
        delimiter, text = (self.value(argument) for argument in arguments)
        if isinstance(delimiter, Unknown) or isinstance(text, Unknown):
            return Unknown("a part of Fn::Split is not known", node.mark[0])
        if not isinstance(delimiter, str) or not delimiter or isinstance(text, dict | list):
            return self._wrong(node, "Fn::Split takes a delimiter, which is not empty, and text.")
        return self._made(node.mark, plain_text(text).split(delimiter))

    def _base64(self, node: Call) -> Any:
        text = self.value(node.argument)
        if isinstance(text, Unknown):
            return text
        if isinstance(text, dict | list) or text is NO_VALUE:
            return self._wrong(node, "Fn::Base64 takes text.")
        raw = plain_text(text).encode("utf-8", "replace")
        if (limit := self._spend(2 * len(raw), node.mark)) is not None:
            return limit
        return base64.b64encode(raw).decode()

    def _find_in_map(self, node: Call) -> Any:
        if isinstance(node.argument, Items) and len(node.argument.items) == 4:
            return self._with_default(node, node.argument)
        arguments = self._arguments(node, 3, "a map's name and two keys")
        if arguments is None:
            return Unknown("a malformed Fn::FindInMap", node.mark[0])
        keys = [self.value(argument) for argument in arguments]
        for key in keys:
            if isinstance(key, Unknown):
                return key
            if isinstance(key, dict | list) or key is NO_VALUE:
                return self._wrong(node, "Fn::FindInMap takes three names, as text.")
        level: Any = self._scope.mappings
        for key, where in zip(map(plain_text, keys), ("Mappings", *keys), strict=False):
            if key not in level:
                known = tuple(level)
                return self._wrong(
                    node,
                    f"Fn::FindInMap: {where} has no key {show(key)}."
                    + (did_you_mean(key, known) or (f" It has {one_of(known)}." if known else "")),
                )
            level = level[key]
        return self._made(node.mark, list(level)) if isinstance(level, list) else level

    def _with_default(self, node: Call, argument: Items) -> Any:
        """FindInMap with a fourth argument, which only a transform of AWS's understands."""
        problem = self._reporter.unsupported(
            node.mark,
            "Fn::FindInMap with a default value needs the transform AWS::LanguageExtensions, "
            "which the labs do not run.",
        )
        if self._reporter.strict:
            return problem
        three = Items(argument.mark, argument.size, argument.depth, argument.items[:3])
        found = self._find_in_map(Call(node.mark, node.size, node.depth, node.function, three))
        return problem if isinstance(found, Unknown) else found

    def _get_azs(self, node: Call) -> Any:
        region = self.value(node.argument)
        if isinstance(region, Unknown):
            return region
        if not isinstance(region, str):
            return self._wrong(node, "Fn::GetAZs takes a Region's name, or empty text.")
        return [f"{region or self._scope.place.region}{zone}" for zone in ZONES]

    # -- helpers -----------------------------------------------------------------------------

    def _arguments(self, node: Call, count: int, what: str) -> tuple[Node, ...] | None:
        if isinstance(node.argument, Items) and len(node.argument.items) == count:
            return node.argument.items
        self._wrong(node, f"{node.function} takes {what}.")
        return None

    def _wrong(self, node: Call, sentence: str) -> Unknown:
        return self._reporter.problem(node.mark, sentence)

    def _no_function(self, node: Call) -> Unknown:
        name = node.function
        if name.startswith("!"):  # an unknown short form, which the parser has told
            return Unknown(f"{name} is no function", node.mark[0])
        if name in REFUSED_FUNCTIONS or name.startswith("Fn::ForEach"):
            reason = REFUSED_FUNCTIONS.get(
                name, "it needs the transform AWS::LanguageExtensions, which the labs do not run."
            )
            return self._reporter.unsupported(node.mark, f"The labs do not play {name}: {reason}")
        known = (*self._functions, "Fn::If")
        return self._reporter.problem(
            node.mark, f"There is no function {show(name)}." + did_you_mean(name, known)
        )

    def _spend(self, size: int, mark: Mark) -> Unknown | None:
        """Count what functions make; report when it is more than any template needs."""
        self._produced += size
        if self._produced <= MAX_PRODUCED:
            return None
        return self._reporter.problem(
            mark,
            f"The functions of this template make more than {MAX_PRODUCED:,} characters, which the "
            "labs do not read.",
        )

    def _made(self, mark: Mark, values: list[Any]) -> Any:
        limit = self._spend(sum(len(str(value)) + 1 for value in values), mark)
        return values if limit is None else limit


_LOGIC = ("Condition", "Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or")


def _decide(parts: list[bool | Unknown] | None, decisive: bool) -> bool | Unknown:
    """Return ``decisive`` when one part is, else the other; Unknown when that cannot be told."""
    if parts is None:
        return Unknown("malformed conditions")
    if decisive in parts:
        return decisive
    for part in parts:
        if isinstance(part, Unknown):
            return part
    return not decisive
