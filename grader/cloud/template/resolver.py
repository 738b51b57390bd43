"""From the template's sections to a Stack.

The order of work: sections, parameters, mappings, conditions, names that do not exist, the order
of resources, each resource with everything it refers to already known, outputs. Every step reports
what it finds and goes on, so that one run tells all the problems.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from grader.cloud.template.intrinsics import NO_VALUE, PSEUDO_PARAMETERS, Evaluator, Scope
from grader.cloud.template.kinds.base import PARTITION, Place
from grader.cloud.template.model import (
    Mark,
    Own,
    Problem,
    Reporter,
    Resource,
    Stack,
    TemplateProblems,
    did_you_mean,
    in_line_order,
    show,
)
from grader.cloud.template.parameters import parameter_value
from grader.cloud.template.references import (
    Reference,
    chain,
    condition_names,
    in_order,
    references,
)
from grader.cloud.template.resources import Resources, mark_in, text_of
from grader.cloud.template.sam import expand, is_sam, with_left_out
from grader.cloud.template.unknown import Unknown
from grader.cloud.template.yaml_lines import Call, Fields, Items, Node, Scalar, Unreadable, parse

SECTIONS = (
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
)
# Sections that AWS knows. Rules and hooks change nothing of what is created.
UNPLAYED_SECTIONS = {
    "Globals": "it belongs to the Serverless Application Model, whose transform the labs do not "
    "run",
    "Hooks": "the labs play no blue/green deployments",
    "Rules": "the labs do not evaluate rules; use AllowedValues and AllowedPattern",
    "Transform": "the labs run no macros, AWS::Serverless included; write plain CloudFormation",
}
# Transforms of AWS that add no resources by themselves; what they change is told where it stands.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/transform-reference.html
ADDING_NOTHING = (
    "AWS::LanguageExtensions",
    "AWS::SecretsManager-2020-07-23",
    "AWS::SecretsManager-2024-09-16",
    "AWS::Serverless-2016-10-31",
)

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAX_ENTRIES = {"Parameters": 200, "Mappings": 200, "Resources": 500, "Outputs": 200}

_NAMESPACE = uuid.UUID("0b0e8d5a-59a5-5c0e-8a2b-7f3c4f1d9e61")
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]{1,255}")


def resolve_text(text: str, path: str, given: Mapping[str, str], place: Place) -> Stack:
    """Resolve a template; see ``grader.cloud.template.resolve``."""
    reporter = Reporter(path, strict=True)
    try:
        root = parse(text, reporter)
    except Unreadable:
        raise TemplateProblems(reporter.problems) from None
    stack = resolve_root(root, tuple(text.splitlines()), given, place, reporter)
    if stack.problems:
        raise TemplateProblems(in_line_order((*stack.problems, *stack.unplayed)))
    return stack


def resolve_own_text(
    text: str, path: str, given: Mapping[str, str], place: Place, own: Own
) -> Stack:
    """Resolve a team's own template; see ``grader.cloud.template.resolve_own``."""
    reporter = Reporter(path, strict=True, own=own)
    try:
        root = parse(text, reporter)
    except Unreadable:
        raise TemplateProblems(reporter.problems) from None
    told: tuple[Problem, ...] = ()
    if is_sam(root):
        expanded = expand(root, path, nested=True)
        root, told = with_left_out(expanded.root, root), (*expanded.hidden, *expanded.remarks)
    stack = resolve_root(root, tuple(text.splitlines()), given, place, reporter)
    if stack.problems:
        raise TemplateProblems(stack.problems)
    return replace(stack, unplayed=(*told, *stack.unplayed))


def resolve_root(
    root: Fields,
    source: tuple[str, ...],
    given: Mapping[str, str],
    place: Place,
    reporter: Reporter,
) -> Stack:
    """Resolve a parsed template, strictly or not as ``reporter`` is; ``source`` is its lines."""
    return _Resolver(root, source, given, place, reporter).stack()


class _Resolver:
    """One template on its way to a Stack."""

    def __init__(
        self,
        root: Fields,
        source: tuple[str, ...],
        given: Mapping[str, str],
        place: Place,
        reporter: Reporter,
    ) -> None:
        self.root = root
        self.source = source
        self.given = given
        self.place = place
        self.reporter = reporter
        self.hidden: list[Problem] = []
        unique = uuid.uuid5(_NAMESPACE, f"{place.account_id}/{place.region}/{place.stack_name}")
        where = f"{place.region}:{place.account_id}"
        self.scope = Scope(
            place,
            f"arn:{PARTITION}:cloudformation:{where}:stack/{place.stack_name}/{unique}",
        )
        self.evaluator = Evaluator(self.scope, reporter)

    def stack(self) -> Stack:
        """Do all the work in order; problems are in the reporter."""
        self._sections()
        self._parameters()
        self._mappings()
        bodies = self._entries("Resources")
        resources = Resources(
            self.root, self.source, bodies, self.scope, self.evaluator, self.reporter
        )
        resources.declare()
        outputs = self._entries("Outputs")
        self._names(bodies, outputs)
        self._conditions()
        made, order = resources.make()
        for name, inner in resources.nested.items():
            made |= _inside(name, inner)
        before = len(self.reporter.problems)
        values, exports = self._outputs(outputs)
        told: tuple[Problem, ...] = ()
        if self.reporter.own is not None:
            # No consumer needs an output.
            told = self.reporter.taken(before)
        below = [problem for inner in resources.nested.values() for problem in inner.unplayed]
        return Stack(
            name=self.place.stack_name,
            account_id=self.place.account_id,
            region=self.place.region,
            resources={
                name: made[name] for name in dict.fromkeys((*bodies, *made)) if name in made
            },
            outputs=values,
            parameters=dict(self.scope.parameters),
            description=text_of(self.root.node("Description")) or "",
            exports=exports,
            conditions=dict(self.scope.conditions),
            creation_order=tuple(order),
            unplayed=(*self.reporter.unplayed, *told, *below),
            hidden=(*self.hidden, *resources.hidden),
            problems=self.reporter.problems,
            path=self.reporter.path,
            source=self.source,
            own=self.reporter.own is not None,
        )

    # -- sections ----------------------------------------------------------------------------

    def _sections(self) -> None:
        for name, mark, node in self.root:
            if name in UNPLAYED_SECTIONS:
                self.reporter.unsupported(
                    mark, f"The labs do not play the section {name}: {UNPLAYED_SECTIONS[name]}."
                )
            elif name not in SECTIONS:
                self.reporter.problem(
                    mark,
                    f"A template has no section {show(name)}."
                    + did_you_mean(name, (*SECTIONS, *UNPLAYED_SECTIONS)),
                )
            elif name == "AWSTemplateFormatVersion" and text_of(node) != "2010-09-09":
                self.reporter.problem(
                    node.mark, 'AWSTemplateFormatVersion must be "2010-09-09", the only one.'
                )
            elif name == "Description":
                self._description(node)
        if "Resources" not in self.root.fields:
            self.reporter.problem(
                None, "The template has no section Resources, the only one it must have."
            )
        self._transforms()

    def _transforms(self) -> None:
        """Note macros: they may add anything."""
        node = self.root.node("Transform")
        if node is None:
            return
        for entry in node.items if isinstance(node, Items) else (node,):
            name = text_of(entry.node("Name") if isinstance(entry, Fields) else entry)
            if name not in ADDING_NOTHING:
                what = name or "that stands here"
                self._hide(entry.mark, f"the transform {what} may add to it")

    def _hide(self, mark: Mark, clause: str) -> None:
        """Note what may hold resources out of sight; ``clause`` is what it may do."""
        path = self.reporter.path
        self.hidden.append(Problem(mark[0], None, clause, path, "unplayed"))

    def _description(self, node: Node) -> None:
        text = text_of(node)
        if text is None:
            self.reporter.problem(node.mark, "Description must be text, without functions.")
        elif len(text.encode("utf-8", "replace")) > 1024:
            self.reporter.problem(node.mark, "Description has more than 1,024 bytes.")

    def _entries(self, section: str) -> dict[str, Fields]:
        """Return a section's entries that are mappings, logical id → body; report the others."""
        node = self.root.node(section)
        if node is None:
            return {}
        mark = self.root.fields[section][0]
        if not isinstance(node, Fields):
            if isinstance(node, Call) and section == "Resources":
                self._hide(node.mark, f"{node.function} makes the resources")
            if isinstance(node, Call) and node.function.startswith("Fn::ForEach"):
                self.reporter.unsupported(
                    node.mark, "The labs do not play Fn::ForEach: it needs a transform."
                )
            else:
                self.reporter.problem(mark, f"{section} must be a mapping from names to entries.")
            return {}
        if len(node.fields) > MAX_ENTRIES.get(section, 10_000):
            self.reporter.problem(
                mark,
                f"{section} has {len(node.fields)} entries; CloudFormation takes at most "
                f"{MAX_ENTRIES[section]}.",
            )
            if self.reporter.strict:
                return {}
        if not node.fields and section == "Resources":
            self.reporter.problem(mark, "Resources is empty; a template needs at least one.")
        found: dict[str, Fields] = {}
        for name, key_mark, body in node:
            if name.startswith("Fn::"):
                self._loop(section, name, key_mark)
                continue
            if section != "Mappings" and not _LOGICAL_ID.fullmatch(name):
                self.reporter.problem(
                    key_mark,
                    f"{show(name)} is no logical id: it may have only letters and digits, at "
                    "most 255.",
                )
                if self.reporter.strict:
                    continue
            if isinstance(body, Fields):
                found[name] = body
            else:
                if isinstance(body, Call) and section == "Resources":
                    self._hide(body.mark, f"{body.function} makes the resource {name}")
                self.reporter.problem(
                    key_mark,
                    f"{section}.{name} must be a mapping, such as one with Type below it."
                    if section in ("Resources", "Parameters")
                    else f"{section}.{name} must be a mapping.",
                )
        return found

    def _loop(self, section: str, name: str, mark: Mark) -> None:
        """A function in the place of an entry: only a transform can make something of it."""
        if name.startswith("Fn::ForEach"):
            self.reporter.unsupported(
                mark, "The labs do not play Fn::ForEach: it needs a transform."
            )
        else:
            self.reporter.problem(mark, f"No function goes in the place of a name: {show(name)}.")
        if section == "Resources":
            self._hide(mark, f"{name.removesuffix('::')} may make more resources")

    # -- parameters and mappings -------------------------------------------------------------

    def _parameters(self) -> None:
        declared = self._entries("Parameters")
        for name, body in declared.items():
            self.scope.parameters[name] = parameter_value(
                name, self._mark("Parameters", name), body, self.given.get(name), self.reporter
            )
        for name in self.given:
            if name not in declared:
                self.reporter.problem(
                    None,
                    f"A value is given for the parameter {name}, which the template does not have."
                    + did_you_mean(name, tuple(declared)),
                )

    def _mappings(self) -> None:
        for name, body in self._entries("Mappings").items():
            levels: dict[str, dict[str, Any]] = {}
            for key, mark, inner in body:
                if not isinstance(inner, Fields):
                    self.reporter.problem(
                        mark, f"Mappings.{name}.{key} must be a mapping from keys to values."
                    )
                    continue
                levels[key] = {
                    last: self._mapped(f"Mappings.{name}.{key}.{last}", value)
                    for last, _, value in inner
                }
            self.scope.mappings[name] = levels

    def _mapped(self, where: str, node: Node) -> Any:
        if isinstance(node, Scalar) and node.value is not None:
            return node.value
        if isinstance(node, Items):
            values = [
                item.value
                for item in node.items
                if isinstance(item, Scalar) and item.value is not None
            ]
            if len(values) == len(node.items):
                return values
        return self.reporter.problem(
            node.mark, f"{where} must be text, a number or a list of them, without functions."
        )

    # -- names -------------------------------------------------------------------------------

    def _names(self, bodies: dict[str, Fields], outputs: dict[str, Fields]) -> None:
        """Report every name that does not exist, also in branches that are not taken."""
        for name in bodies:
            if name in self.scope.parameters:
                self.reporter.problem(
                    self._mark("Resources", name),
                    f"{name} is the name of a parameter too; a logical id may occur only once.",
                )
        conditions = self._section_nodes("Conditions")
        for node in [*bodies.values(), *outputs.values(), *conditions.values()]:
            parts = [node]
            if isinstance(node, Fields):
                parts = [part for key, _, part in node if key != "Metadata"]
            for part in parts:
                for reference in references(part, None):
                    self._check_reference(reference)
        for where, nodes in (
            (False, [*bodies.values(), *outputs.values()]),
            (True, list(conditions.values())),
        ):
            for node in nodes:
                for name, mark in condition_names(node, of_conditions=where):
                    self._check_condition(name, mark, conditions)
        for body in [*bodies.values(), *outputs.values()]:
            own = body.node("Condition")
            if isinstance(own, Scalar):
                self._check_condition(own.text, own.mark, conditions)
            elif own is not None:
                self.reporter.problem(own.mark, "Condition must be the name of a condition.")

    def _section_nodes(self, section: str) -> dict[str, Node]:
        node = self.root.node(section)
        if not isinstance(node, Fields):
            return {}
        return {name: inner for name, _, inner in node}

    def _check_reference(self, reference: Reference) -> None:
        name, scope = reference.name, self.scope
        if reference.attribute is not None:
            if name in scope.parameters:
                self.reporter.problem(
                    reference.mark, f"{name} is a parameter, and a parameter has no attributes."
                )
            elif name not in scope.declared:
                self.reporter.problem(
                    reference.mark,
                    f"There is no resource {show(name)} in this template."
                    + did_you_mean(name, tuple(scope.declared)),
                )
        elif name not in scope.parameters and name not in scope.declared:
            if name in PSEUDO_PARAMETERS:
                return
            if not name.startswith("AWS::"):
                what = "There is no parameter or resource"
            else:
                what = "There is no pseudo parameter"
            self.reporter.problem(
                reference.mark, f"{what} {show(name)}." + did_you_mean(name, scope.names)
            )

    def _check_condition(self, name: str, mark: Mark, known: Mapping[str, Node]) -> None:
        if name not in known:
            self.reporter.problem(
                mark, f"There is no condition {show(name)}." + did_you_mean(name, tuple(known))
            )

    # -- conditions --------------------------------------------------------------------------

    def _conditions(self) -> None:
        node = self.root.node("Conditions")
        if node is not None and not isinstance(node, Fields):
            self.reporter.problem(
                self.root.fields["Conditions"][0],
                "Conditions must be a mapping from names to conditions.",
            )
        nodes = self._section_nodes("Conditions")
        needs = {
            name: [one for one, _ in condition_names(body, of_conditions=True) if one in nodes]
            for name, body in nodes.items()
        }
        order, cycles = in_order(needs)
        for cycle in cycles:
            self.reporter.problem(
                self._mark("Conditions", cycle[0]),
                f"These conditions wait for each other: {chain(cycle)}.",
            )
        self.scope.section = "Conditions"
        for name in order:
            self.scope.conditions[name] = self.evaluator.truth(nodes[name])
        for name in nodes:
            self.scope.conditions.setdefault(name, Unknown("conditions wait for each other"))

    # -- outputs -----------------------------------------------------------------------------

    def _outputs(self, bodies: dict[str, Fields]) -> tuple[dict[str, Any], dict[str, Any]]:
        self.scope.section = "Outputs"
        values: dict[str, Any] = {}
        exports: dict[str, Any] = {}
        for name, body in bodies.items():
            known = ("Value", "Description", "Export", "Condition")
            for key, mark, _ in body:
                if key not in known:
                    self.reporter.problem(
                        mark,
                        f"Outputs.{name}: an output has no {show(key)}." + did_you_mean(key, known),
                    )
            condition = text_of(body.node("Condition"))
            if condition is not None and self.scope.conditions.get(condition) is False:
                continue
            node = body.node("Value")
            if node is None:
                self.reporter.problem(self._mark("Outputs", name), f"Outputs.{name} has no Value.")
                continue
            value = self.evaluator.value(node)
            if isinstance(value, dict | list) or value is NO_VALUE:
                value = self.reporter.problem(
                    node.mark, f"Outputs.{name}: Value must be text, not {_kind_of(value)}."
                )
            values[name] = value
            self._export(name, body, value, exports)
        return values, exports

    def _export(self, name: str, body: Fields, value: Any, exports: dict[str, Any]) -> None:
        node = body.node("Export")
        if node is None:
            return
        inner = node.node("Name") if isinstance(node, Fields) else None
        exported = self.evaluator.value(inner) if inner is not None else None
        if isinstance(exported, Unknown):
            return
        if not isinstance(exported, str):
            self.reporter.problem(
                node.mark, f"Outputs.{name}: Export must be a mapping with a Name, which is text."
            )
        elif exported in exports:
            self.reporter.problem(
                node.mark, f"Outputs.{name}: the name {show(exported)} is exported twice."
            )
        else:
            exports[exported] = value

    def _mark(self, section: str, name: str) -> Mark:
        return mark_in(self.root, section, name)


def _inside(name: str, inner: Stack) -> dict[str, Resource]:
    """A nested stack's resources, as ``Nested.LogicalId``."""
    return {
        f"{name}.{one.logical_id}": replace(
            one,
            logical_id=f"{name}.{one.logical_id}",
            refers=tuple(f"{name}.{other}" for other in one.refers),
        )
        for one in inner.resources.values()
    }


def _kind_of(value: Any) -> str:
    return "AWS::NoValue" if value is NO_VALUE else show(value)
