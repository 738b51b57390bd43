"""From the template's sections to a Stack.

The order of work: sections, parameters, mappings, conditions, names that do not exist, the order
of resources, each resource with everything it refers to already known, outputs. Every step reports
what it finds and goes on, so that one run tells all the problems.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from grader.cloud.template.intrinsics import (
    NO_VALUE,
    PSEUDO_PARAMETERS,
    Evaluator,
    Marks,
    Reference,
    Scope,
    condition_names,
    references,
)
from grader.cloud.template.kinds import KINDS, why_not
from grader.cloud.template.kinds.base import PARTITION, Kind, Me, NotKnown, Place
from grader.cloud.template.kinds.common import unknowns
from grader.cloud.template.model import (
    Mark,
    Reporter,
    Resource,
    Stack,
    TemplateProblems,
    Unknown,
    did_you_mean,
    one_of,
    show,
)
from grader.cloud.template.parameters import parameter_value
from grader.cloud.template.shapes import At
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
REFUSED_SECTIONS = {
    "Globals": "it belongs to the Serverless Application Model, whose transform the labs do not "
    "run",
    "Hooks": "the labs play no blue/green deployments",
    "Rules": "the labs do not evaluate rules; use AllowedValues and AllowedPattern",
    "Transform": "the labs run no macros, AWS::Serverless included; write plain CloudFormation",
}

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAX_ENTRIES = {"Parameters": 200, "Mappings": 200, "Resources": 500, "Outputs": 200}

RESOURCE_ATTRIBUTES = (
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
)
REFUSED_ATTRIBUTES = {
    "CreationPolicy": "the labs wait for no signals",
    "UpdatePolicy": "the labs create stacks and update none",
}
DELETION_POLICIES = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")

_NAMESPACE = uuid.UUID("0b0e8d5a-59a5-5c0e-8a2b-7f3c4f1d9e61")
_LOGICAL_ID = re.compile(r"[A-Za-z0-9]{1,255}")


def resolve_text(
    text: str,
    path: str,
    given: Mapping[str, str],
    place: Place,
    strict: bool,
) -> Stack:
    """Resolve a template; see ``grader.cloud.template.resolve``."""
    reporter = Reporter(path, strict)
    stack: Stack | None = None
    try:
        root = parse(text, reporter)
    except Unreadable:
        pass
    else:
        stack = _Resolver(root, tuple(text.splitlines()), given, place, reporter).stack()
        if strict and not reporter.problems:
            _nothing_unknown(stack, reporter)
    if reporter.problems or stack is None:
        raise TemplateProblems(reporter.problems)
    return stack


def _nothing_unknown(stack: Stack, reporter: Reporter) -> None:
    """Report what strict mode must never hand out, should a reason have gone untold."""
    for resource in stack.resources.values():
        for found in unknowns(resource.properties):
            reporter.problem((resource.line, 1), f"{resource.logical_id}: {found.reason}")
    for found in unknowns([*stack.outputs.values(), *stack.conditions.values()]):
        reporter.problem(None, found.reason)


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
        bodies = self._resource_bodies()
        self.scope.declared = {
            name: _text(body.node("Type")) or "" for name, body in bodies.items()
        }
        outputs = self._entries("Outputs")
        self._names(bodies, outputs)
        self._conditions()
        resources, order = self._resources(bodies)
        values, exports = self._outputs(outputs)
        return Stack(
            name=self.place.stack_name,
            account_id=self.place.account_id,
            region=self.place.region,
            resources={name: resources[name] for name in bodies if name in resources},
            outputs=values,
            parameters=dict(self.scope.parameters),
            description=_text(self.root.node("Description")) or "",
            exports=exports,
            conditions=dict(self.scope.conditions),
            creation_order=tuple(order),
            unsupported=self.reporter.remarks,
            path=self.reporter.path,
            source=self.source,
        )

    # -- sections ----------------------------------------------------------------------------

    def _sections(self) -> None:
        for name, mark, node in self.root:
            if name in REFUSED_SECTIONS:
                self.reporter.unsupported(
                    mark, f"The labs do not play the section {name}: {REFUSED_SECTIONS[name]}."
                )
            elif name not in SECTIONS:
                self.reporter.problem(
                    mark,
                    f"A template has no section {show(name)}."
                    + did_you_mean(name, (*SECTIONS, *REFUSED_SECTIONS)),
                )
            elif name == "AWSTemplateFormatVersion" and _text(node) != "2010-09-09":
                self.reporter.problem(
                    node.mark, 'AWSTemplateFormatVersion must be "2010-09-09", the only one.'
                )
            elif name == "Description":
                self._description(node)
        if "Resources" not in self.root.fields:
            self.reporter.problem(
                None, "The template has no section Resources, the only one it must have."
            )

    def _description(self, node: Node) -> None:
        text = _text(node)
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
            return {}
        if not node.fields and section == "Resources":
            self.reporter.problem(mark, "Resources is empty; a template needs at least one.")
        found: dict[str, Fields] = {}
        for name, key_mark, body in node:
            if name.startswith("Fn::ForEach"):
                self.reporter.unsupported(
                    key_mark, "The labs do not play Fn::ForEach: it needs a transform."
                )
            elif section != "Mappings" and not _LOGICAL_ID.fullmatch(name):
                self.reporter.problem(
                    key_mark,
                    f"{show(name)} is no logical id: it may have only letters and digits, at "
                    "most 255.",
                )
            elif isinstance(body, Fields):
                found[name] = body
            else:
                self.reporter.problem(
                    key_mark,
                    f"{section}.{name} must be a mapping, such as one with Type below it."
                    if section in ("Resources", "Parameters")
                    else f"{section}.{name} must be a mapping.",
                )
        return found

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
                f"These conditions wait for each other: {_chain(cycle)}.",
            )
        self.scope.section = "Conditions"
        for name in order:
            self.scope.conditions[name] = self.evaluator.truth(nodes[name])
        for name in nodes:
            self.scope.conditions.setdefault(name, Unknown("conditions wait for each other"))

    # -- resources ---------------------------------------------------------------------------

    def _resource_bodies(self) -> dict[str, Fields]:
        bodies = self._entries("Resources")
        for name, body in bodies.items():
            mark = self._mark("Resources", name)
            for key, key_mark, _ in body:
                if key in REFUSED_ATTRIBUTES:
                    self.reporter.unsupported(
                        key_mark, f"The labs do not play {key}: {REFUSED_ATTRIBUTES[key]}."
                    )
                elif key not in RESOURCE_ATTRIBUTES:
                    hint = did_you_mean(key, RESOURCE_ATTRIBUTES)
                    known = KINDS.get(_text(body.node("Type")) or "")
                    if not hint and known is not None and key in known.fields:
                        hint = " Write it below Properties."
                    self.reporter.problem(
                        key_mark, f"{name}: a resource has no attribute {show(key)}.{hint}"
                    )
            type_node = body.node("Type")
            type = _text(type_node)
            if type_node is None:
                self.reporter.problem(mark, f"{name} has no Type, such as AWS::SQS::Queue.")
            elif type is None:
                self.reporter.problem(type_node.mark, f"{name}: Type must be plain text.")
            elif type not in KINDS:
                self.reporter.unsupported(type_node.mark, why_not(type))
        return bodies

    def _resources(self, bodies: dict[str, Fields]) -> tuple[dict[str, Resource], list[str]]:
        self.scope.section = "Resources"
        created: dict[str, Fields] = {}
        for name, body in bodies.items():
            condition = _text(body.node("Condition"))
            if condition is not None and self.scope.conditions.get(condition) is False:
                self.scope.absent[name] = condition
            else:
                created[name] = body
        depends = {name: self._depends_on(name, body) for name, body in created.items()}
        needs = {
            name: list(dict.fromkeys([*depends[name], *self._needed(body)]))
            for name, body in created.items()
        }
        needs = {name: [one for one in more if one in created] for name, more in needs.items()}
        order, cycles = in_order(needs)
        for cycle in cycles:
            self.reporter.problem(
                self._mark("Resources", cycle[0]),
                f"These resources wait for each other: {_chain(cycle)}. "
                "Take one reference (Ref, GetAtt, Sub or DependsOn) away.",
            )
        resources = {name: self._resource(name, created[name], depends[name]) for name in order}
        self._shared_names(resources)
        return resources, order

    def _needed(self, body: Fields) -> list[str]:
        properties = body.node("Properties")
        if properties is None:
            return []
        return [one.name for one in references(properties, self.scope.conditions)]

    def _depends_on(self, name: str, body: Fields) -> tuple[str, ...]:
        node = body.node("DependsOn")
        if node is None:
            return ()
        nodes = node.items if isinstance(node, Items) else (node,)
        found = []
        for one in nodes:
            target = _text(one)
            if target is None:
                self.reporter.problem(
                    one.mark, f"{name}: DependsOn takes logical ids as plain text, no functions."
                )
            elif target not in self.scope.declared:
                self.reporter.problem(
                    one.mark,
                    f"{name}: DependsOn names {show(target)}, which is no resource of this "
                    "template." + did_you_mean(target, tuple(self.scope.declared)),
                )
            elif target == name:
                self.reporter.problem(one.mark, f"{name}: DependsOn names the resource itself.")
            else:
                found.append(target)
        return tuple(found)

    def _resource(self, name: str, body: Fields, depends_on: tuple[str, ...]) -> Resource:
        mark = self._mark("Resources", name)
        type = self.scope.declared[name]
        marks: Marks = {(): mark}
        for key, key_mark, _ in body:
            marks[(key,)] = key_mark
        properties: Any = {}
        node = body.node("Properties")
        if node is not None:
            properties = self.evaluator.value(node, marks)
        if not isinstance(properties, dict):
            if not isinstance(properties, Unknown):
                self.reporter.problem(
                    marks[("Properties",)], f"{name}: Properties must be a mapping."
                )
            properties = {}
        kind = KINDS.get(type)
        if kind is not None:
            at = At(name, marks, self.reporter)
            properties = kind.shape.check(properties, at)
        physical_id, attributes = self._identity(name, type, kind, properties, mark)
        return Resource(
            logical_id=name,
            type=type,
            properties=properties,
            line=mark[0],
            physical_id=physical_id,
            attributes=attributes,
            depends_on=depends_on,
            deletion_policy=self._policy(name, body, "DeletionPolicy"),
            update_replace_policy=self._policy(name, body, "UpdateReplacePolicy"),
            condition=_text(body.node("Condition")),
            path=self.reporter.path,
            marks=marks,
            source=self.source,
        )

    def _identity(
        self, name: str, type: str, kind: Kind | None, properties: dict[str, Any], mark: Mark
    ) -> tuple[str, dict[str, str]]:
        """Work out what Ref and GetAtt yield and enter it into the scope."""
        me = Me(name, properties, self.place)
        try:
            if kind is None:
                raise NotKnown(f"{type} is not played in the labs")
            physical_id, attributes = kind.names(me)
        except NotKnown as unknown:
            self.scope.refs[name] = Unknown(unknown.reason, mark[0])
            return f"{self.place.stack_name}-{name}-{me.digest(12)}", {}
        self.scope.refs[name] = physical_id
        self.scope.attributes[name] = attributes
        return physical_id, attributes

    def _policy(self, name: str, body: Fields, key: str) -> str:
        node = body.node(key)
        if node is None:
            return "Delete"
        text = _text(node)
        if text == "Snapshot":
            self.reporter.problem(
                node.mark, f"{name}: {key} Snapshot goes with volumes and databases only."
            )
        elif text not in DELETION_POLICIES or (
            key == "UpdateReplacePolicy" and text == "RetainExceptOnCreate"
        ):
            allowed = [one for one in DELETION_POLICIES if one != "Snapshot"]
            if key == "UpdateReplacePolicy":
                allowed.remove("RetainExceptOnCreate")
            written = show(text) if text is not None else "not plain text"
            self.reporter.problem(
                node.mark, f"{name}: {key} is {written}; AWS takes {one_of(allowed)}."
            )
        return text or "Delete"

    def _shared_names(self, resources: dict[str, Resource]) -> None:
        """Report resources of one type that would have the same name."""
        first: dict[tuple[str, str], str] = {}
        for name in self.scope.declared:
            resource = resources.get(name)
            kind = KINDS.get(resource.type) if resource else None
            if resource is None or kind is None or (not resource.attributes and not kind.named_by):
                continue
            if kind.named_by is None and resource.type != "AWS::Lambda::Version":
                continue
            if isinstance(self.scope.refs.get(name), Unknown):
                continue
            family = "alarm" if "Alarm" in resource.type else resource.type
            other = first.setdefault((family, resource.physical_id), name)
            if other == name:
                continue
            mark = (
                At(name, resource.marks, self.reporter).into(kind.named_by or "FunctionName").mark
            )
            if resource.type == "AWS::Lambda::Version":
                # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html
                sentence = (
                    f"{name} publishes the code that {other} publishes already; a version of "
                    "unchanged code is not created twice."
                )
            else:
                sentence = (
                    f"{name} has the name {show(resource.properties.get(kind.named_by or ''))}, "
                    f"which {other} has already; names are unique."
                )
            self.reporter.problem(mark, sentence)

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
            condition = _text(body.node("Condition"))
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
        node = self.root.node(section)
        assert isinstance(node, Fields)
        return node.fields[name][0]


def in_order(needs: Mapping[str, Iterable[str]]) -> tuple[list[str], list[list[str]]]:
    """Order names so that each comes after what it needs, else in the order given.

    Returns the order of what can be ordered, and the cycles: each a chain of names, every one of
    which needs the next and the last of which needs the first. What waits for a cycle is ordered
    after the rest. Works without recursion, however long the chains are.
    """
    order: list[str] = []
    cycles: list[list[str]] = []
    state: dict[str, str] = {}
    in_cycle: set[str] = set()
    for start in needs:
        if start in state:
            continue
        state[start] = "open"
        chain = [start]
        waiting = [iter(needs[start])]
        while chain:
            step = next(waiting[-1], None)
            if step is None:
                waiting.pop()
                done = chain.pop()
                state[done] = "done"
                if done not in in_cycle:
                    order.append(done)
            elif state.get(step) == "open":
                cycle = chain[chain.index(step) :]
                if not in_cycle.intersection(cycle):
                    cycles.append(cycle)
                in_cycle.update(cycle)
            elif step not in state:
                state[step] = "open"
                chain.append(step)
                waiting.append(iter(needs[step]))
    return order, cycles


def _chain(cycle: list[str]) -> str:
    """Return a cycle as ``A → B → A``; the middle of a long one is counted."""
    names = [*cycle, cycle[0]]
    if len(names) > 13:
        names = [*names[:6], f"({len(names) - 12} more)", *names[-6:]]
    return " → ".join(names)


def _text(node: Node | None) -> str | None:
    """Return a scalar's text as written; None for anything else."""
    return node.text if isinstance(node, Scalar) and node.value is not None else None


def _kind_of(value: Any) -> str:
    return "AWS::NoValue" if value is NO_VALUE else show(value)
