"""The section Resources: each entry with everything it refers to already known.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grader.cloud.template.belonging import READ, settled
from grader.cloud.template.intrinsics import Evaluator, Marks, Scope
from grader.cloud.template.kinds import KINDS, standing_of, why_not
from grader.cloud.template.kinds.base import Kind, Me
from grader.cloud.template.model import (
    Mark,
    Own,
    Problem,
    Reporter,
    Resource,
    Stack,
    did_you_mean,
    one_of,
    show,
)
from grader.cloud.template.references import chain, in_order, references
from grader.cloud.template.shapes import At, Field, Text, as_field
from grader.cloud.template.unknown import (
    Partly,
    Unknown,
    made_up,
    mark,
    readable,
    slug,
    unknown,
    unknowns,
    whole_text,
)
from grader.cloud.template.yaml_lines import Fields, Items, Node, Scalar

# A choice of this project: AWS limits names to 255 characters and less; a longer one is not known.
MAX_NAME = 600

RESOURCE_ATTRIBUTES = (
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
)
UNPLAYED_ATTRIBUTES = {
    "CreationPolicy": "the labs wait for no signals",
    "UpdatePolicy": "the labs create stacks and update none",
}
_NESTED = "AWS::CloudFormation::Stack"
# How ARNs begin, after account and Region, of types that nobody plays where it is not the type's
# own name: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
_ARNS = {
    "AWS::AppSync::GraphQLApi": "appsync apis/",
    "AWS::Events::EventBus": "events event-bus/",
    "AWS::KinesisFirehose::DeliveryStream": "firehose deliverystream/",
    "AWS::Lambda::LayerVersion": "lambda layer:",
    "AWS::SecretsManager::Secret": "secretsmanager secret:",
    "AWS::StepFunctions::StateMachine": "states stateMachine:",
}
# Those among them, and others, whose Ref is the ARN.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
_ARN_REFS = frozenset(
    {
        *("AWS::AppSync::GraphQLApi", "AWS::CertificateManager::Certificate"),
        *("AWS::ECS::Service", "AWS::ECS::TaskDefinition", "AWS::Lambda::LayerVersion"),
        *("AWS::SecretsManager::Secret", "AWS::StepFunctions::StateMachine"),
    }
)
DELETION_POLICIES = ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot")


class Resources:
    """The resources of one template; ``hidden`` tells what may hold more of them out of sight."""

    def __init__(
        self,
        root: Fields,
        source: tuple[str, ...],
        bodies: dict[str, Fields],
        scope: Scope,
        evaluator: Evaluator,
        reporter: Reporter,
    ) -> None:
        self.root = root
        self.source = source
        self.bodies = bodies
        self.scope = scope
        self.evaluator = evaluator
        self.reporter = reporter
        self.hidden: list[Problem] = []
        self.nested: dict[str, Stack] = {}
        self._wanted: dict[str, dict[str, None]] = {}

    def declare(self) -> None:
        """Enter the types into the scope; report what is wrong with the entries themselves."""
        for name, body in self.bodies.items():
            self.scope.declared[name] = text_of(body.node("Type")) or ""
            for one in references(body, None):
                if one.attribute:
                    self._wanted.setdefault(one.name, {})[one.attribute] = None
            mark = self._mark(name)
            for key, key_mark, _ in body:
                if key in UNPLAYED_ATTRIBUTES:
                    self.reporter.unsupported(
                        key_mark, f"The labs do not play {key}: {UNPLAYED_ATTRIBUTES[key]}."
                    )
                elif key not in RESOURCE_ATTRIBUTES and self.reporter.own:
                    # Public stacks that do deploy have a Description or the like here.
                    self.reporter.unsupported(key_mark, f"{name}: {show(key)} is left out.")
                elif key not in RESOURCE_ATTRIBUTES:
                    hint = did_you_mean(key, RESOURCE_ATTRIBUTES)
                    known = KINDS.get(text_of(body.node("Type")) or "")
                    if not hint and known is not None and key in known.fields:
                        hint = " Write it below Properties."
                    self.reporter.problem(
                        key_mark, f"{name}: a resource has no attribute {show(key)}.{hint}"
                    )
            type_node = body.node("Type")
            type = text_of(type_node)
            if type_node is None:
                self.reporter.problem(mark, f"{name} has no Type, such as AWS::SQS::Queue.")
            elif type is None:
                self.reporter.problem(type_node.mark, f"{name}: Type must be plain text.")
            elif type not in KINDS:
                self._stranger(name, type, type_node.mark)

    def _stranger(self, name: str, type: str, mark: Mark) -> None:
        """A resource of a type that the labs do not act out."""
        standing = standing_of(type)
        if self.reporter.own:
            if type != _NESTED and type not in READ:
                self.reporter.unsupported(mark, f"{name}: {why_not(type)}")
            return
        if standing == "invalid" or (
            type.startswith("AWS::Serverless::") and "Transform" not in self.root.fields
        ):
            self.reporter.problem(mark, why_not(type))
        elif standing == "unplayed":
            self.reporter.unsupported(mark, why_not(type))
        if type == "AWS::CloudFormation::Stack":
            self._hide(mark, f"the nested stack {name} is another template")
        elif type.endswith("::MODULE"):
            self._hide(mark, f"the module {name} holds resources of its own")

    def make(self) -> tuple[dict[str, Resource], list[str]]:
        """Every resource that would be created, and the order in which they can be."""
        self.scope.section = "Resources"
        created: dict[str, Fields] = {}
        for name, body in self.bodies.items():
            condition = text_of(body.node("Condition"))
            if condition is not None and self.scope.conditions.get(condition) is False:
                self.scope.absent[name] = condition
            else:
                created[name] = body
        depends = {name: self._depends_on(name, body) for name, body in created.items()}
        named = {name: [*depends[name], *self._needed(body)] for name, body in created.items()}
        needs = {
            name: [one for one in dict.fromkeys(more) if one in created]
            for name, more in named.items()
        }
        order, cycles = in_order(needs)
        for cycle in cycles:
            self.reporter.problem(
                self._mark(cycle[0]),
                f"These resources wait for each other: {chain(cycle)}. "
                "Take one reference (Ref, GetAtt, Sub or DependsOn) away.",
            )
        if not self.reporter.strict:
            order += [name for name in created if name not in set(order)]
        resources = {
            name: self._resource(name, created[name], depends[name], needs[name]) for name in order
        }
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
            target = text_of(one)
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

    def _resource(
        self, name: str, body: Fields, depends_on: tuple[str, ...], refers: list[str]
    ) -> Resource:
        mark = self._mark(name)
        type = self.scope.declared[name]
        own, before = self.reporter.own, len(self.reporter.problems)
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
            properties = Partly({}, properties) if isinstance(properties, Unknown) else {}
        kind = KINDS.get(type)
        written = properties
        if kind is not None:
            at = At(name, marks, self.reporter)
            properties = kind.shape.check(properties, at)
        physical_id, attributes = self._identity(name, type, kind, properties)
        if own is None:
            unplayed = self._unplayed(name, body, type, properties)
        else:
            properties, stopping = settled(type, written, properties, own)
            unplayed = (*self._told(name, stopping), *self.reporter.taken(before))
            physical_id = made_up(physical_id)
            attributes = {key: made_up(value) for key, value in attributes.items()}
            if type == _NESTED:
                self._nest(name, body, properties, own)
        sound = self.reporter.strict and not unplayed and not self.reporter.problems
        if kind is not None and kind.plays_as is not None and sound:
            type, properties = kind.plays_as(properties)
        return Resource(
            logical_id=name,
            type=type,
            properties=properties,
            line=mark[0],
            physical_id=physical_id,
            attributes=attributes,
            depends_on=depends_on,
            refers=tuple(refers),
            unplayed=unplayed,
            deletion_policy=self._policy(name, body, "DeletionPolicy"),
            update_replace_policy=self._policy(name, body, "UpdateReplacePolicy"),
            condition=text_of(body.node("Condition")),
            path=self.reporter.path,
            marks=marks,
            source=self.source,
        )

    def _identity(
        self, name: str, type: str, kind: Kind | None, properties: dict[str, Any]
    ) -> tuple[str, dict[str, str]]:
        """Work out what Ref and GetAtt yield and enter it into the scope."""
        me = Me(name, properties, self.scope.place)
        attributes: dict[str, str]
        physical_id: str
        reasons: list[Unknown] = []
        if kind is not None:
            too_long = len(str(properties.get(kind.named_by or "", ""))) > MAX_NAME
            physical_id, attributes = kind.names(me) if not too_long else (mark(name), {})
            reasons = [*unknowns(properties), Unknown(f"{name} is not known")]
        elif self.reporter.own or (self.reporter.strict and standing_of(type) == "kept"):
            # What nobody plays gets a name made up as CloudFormation makes one up.
            own_words = f"{(type.split('::') * 2)[1]} {type.split('::')[-1]}/".lower()
            service, _, rest = _ARNS.get(type, own_words).partition(" ")
            physical_id = self._given_name(me, type) or me.name()
            arn = me.arn(service, f"{rest}{physical_id}")
            attributes = {"Arn": arn}
            if self.reporter.own:
                attributes["Name"] = physical_id
                physical_id = arn if type in _ARN_REFS else physical_id
                attributes |= {
                    one: slug(f"{name}.{one}")
                    for one in self._wanted.get(name, ())
                    if one.endswith("Arn") and one != "Arn"
                }
        else:
            physical_id, attributes = mark(name), {}
            reasons = [Unknown(why_not(type))]
        if kind is None or not self.reporter.strict:
            for attribute in self._wanted.get(name, ()):
                made_up = mark(f"{name}.{attribute}") if reasons else f"{physical_id}-{attribute}"
                attributes.setdefault(attribute, made_up)
        physical_id = whole_text(physical_id, reasons)
        attributes = {key: whole_text(one, reasons) for key, one in attributes.items()}
        self.scope.refs[name] = physical_id
        self.scope.attributes[name] = attributes
        return physical_id, attributes

    def _given_name(self, me: Me, type: str) -> str | None:
        """The name that a team gives to what is only kept, so that its policies mean it."""
        for key in ("Name", f"{type.split('::')[-1]}Name") if self.reporter.own else ():
            given = me.given(key)
            if isinstance(given, str) and given and not unknown(given):
                # Secrets Manager adds six characters to a secret's name in its ARN.
                return f"{given}-AbCdEf" if type == "AWS::SecretsManager::Secret" else given
        return None

    def _unplayed(
        self, name: str, body: Fields, type: str, properties: dict[str, Any]
    ) -> tuple[Problem, ...]:
        """What AWS takes and the labs cannot play of a resource."""
        reasons = []
        kind = KINDS.get(type)
        if kind is not None:
            for key, value in properties.items():
                field = kind.fields.get(key)
                entry = as_field(field) if field is not None else None
                if entry is None or entry.use != "harmless" or _stands_for_more(value, entry):
                    reasons += list(unknowns(value))
        elif standing_of(type) == "unplayed":
            reasons.append(Unknown(why_not(type)))
        condition = self.scope.conditions.get(text_of(body.node("Condition")) or "")
        if isinstance(condition, Unknown):
            reasons.append(condition)
        return self._told(name, reasons)

    def _told(self, name: str, reasons: list[Unknown]) -> tuple[Problem, ...]:
        line, path = self._mark(name)[0], self.reporter.path
        told = (
            Problem(one.line or line, None, readable(one.reason), path, "unplayed")
            for one in reasons
        )
        return tuple(dict.fromkeys(told))

    def _nest(self, name: str, body: Fields, properties: Mapping[str, Any], own: Own) -> None:
        """Resolve another template of this team, whose outputs are known from here on."""
        metadata = body.node("Metadata")
        known = self.evaluator.value(metadata) if metadata is not None else {}
        inner = own.nested(name, properties, known if isinstance(known, dict) else {})
        if inner is None:
            self.reporter.unsupported(self._mark(name), f"{name}: {why_not(_NESTED)}")
            return
        self.nested[name] = inner
        outputs = {f"Outputs.{key}": value for key, value in inner.outputs.items()}
        self.scope.attributes[name] = {**self.scope.attributes[name], **outputs}

    def _policy(self, name: str, body: Fields, key: str) -> str:
        node = body.node(key)
        if node is None:
            return "Delete"
        text = text_of(node)
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
            if unknown(resource.physical_id):
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

    def _hide(self, mark: Mark, clause: str) -> None:
        self.hidden.append(Problem(mark[0], None, clause, self.reporter.path, "unplayed"))

    def _mark(self, name: str) -> Mark:
        return mark_in(self.root, "Resources", name)


def _stands_for_more(value: Any, entry: Field) -> bool:
    """Whether an unknown value stands for more than a text, which nobody could read then."""
    return isinstance(value, Unknown) and not isinstance(entry.shape, Text)


def mark_in(root: Fields, section: str, name: str) -> Mark:
    """Where an entry of a section stands."""
    node = root.node(section)
    assert isinstance(node, Fields)
    return node.fields[name][0]


def text_of(node: Node | None) -> str | None:
    """A scalar's text as written; None for anything else."""
    return node.text if isinstance(node, Scalar) and node.value is not None else None
