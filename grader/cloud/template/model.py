"""What resolving a template yields: problems with their lines, resources, and the stack.

Plain data. A consumer needs nothing else from this package than these types and ``resolve``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from grader.cloud.template.unknown import Unknown, readable
from grader.cloud.words import nearest

Path = tuple[str | int, ...]
Mark = tuple[int, int]  # line and column, both counted from 1


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a template, or that is beyond the labs, as a sentence.

    ``line`` and ``column`` count from 1 and are None when no place can be named. ``path`` is the
    file's name as it was given to ``resolve``. ``kind`` is "invalid" for what AWS refuses, too, and
    "unplayed" for what AWS takes and the labs cannot play.
    """

    line: int | None
    column: int | None
    sentence: str
    path: str
    kind: Literal["invalid", "unplayed"] = "invalid"

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.sentence}"


class TemplateProblems(Exception):
    """The template cannot be resolved; ``problems`` holds every problem found, in line order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems

    def __reduce__(self) -> tuple[type[TemplateProblems], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


@dataclass(frozen=True)
class Resource:
    """One resource of a resolved template.

    ``properties`` holds plain JSON values of the types that AWS declares (``"5"`` in a number's
    place has become 5). ``physical_id`` is what ``Ref`` yields, ``attributes`` what ``Fn::GetAtt``
    yields. ``depends_on`` is only what the template says explicitly, ``refers`` every logical id
    that the resource names. ``unplayed`` is what AWS takes and the labs cannot play of it: what
    depends on the resource cannot be judged.
    """

    logical_id: str
    type: str
    properties: dict[str, Any]
    line: int
    physical_id: str
    attributes: dict[str, str]
    depends_on: tuple[str, ...] = ()
    refers: tuple[str, ...] = ()
    unplayed: tuple[Problem, ...] = ()
    deletion_policy: str = "Delete"
    update_replace_policy: str = "Delete"
    condition: str | None = None
    path: str = "template.yaml"
    marks: dict[Path, Mark] = field(default_factory=dict, repr=False, compare=False)
    source: tuple[str, ...] = field(default=(), repr=False, compare=False)

    def line_of(self, *path: str | int) -> int:
        """Return the line of a property, such as ``line_of("DestinationConfig", "OnFailure")``.

        Counts from 1. A property that is absent yields the line of the nearest thing around it
        that is there; no path at all yields the line of the logical id. The resource's own
        attributes (``"DeletionPolicy"``, ``"DependsOn"`` …) are found by their names too.
        """
        for length in range(len(path), 0, -1):
            if (mark := self.marks.get(path[:length])) is not None:
                return mark[0]
        return self.line

    def source_of(self, *path: str | int) -> str:
        """Return the template's line at ``line_of(*path)``, without surrounding blanks."""
        line = self.line_of(*path)
        return self.source[line - 1].strip() if line <= len(self.source) else ""


@dataclass(frozen=True)
class Stack:
    """A resolved template: everything that would be created, with no function left in it.

    ``resources`` holds, in the template's order, the resources whose condition is true;
    ``creation_order`` names them so that each comes after what it refers to. ``outputs`` maps an
    output's name to its value, ``exports`` an export's name to its value. ``parameters`` holds
    what ``Ref`` of each parameter yields: text, or a list of texts.

    ``unplayed`` is everything that AWS takes and the labs cannot play. ``hidden`` tells what may
    hold resources out of sight: macros, loops, nested stacks. ``problems`` is what AWS would
    refuse, which only a template that was read leniently may still hold. ``own`` marks the stack of
    a team (see `Own`): whatever no consumer of a stream depends on may be left out of it.
    """

    name: str
    account_id: str
    region: str
    resources: dict[str, Resource]
    outputs: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    exports: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, bool | Unknown] = field(default_factory=dict)
    creation_order: tuple[str, ...] = ()
    unplayed: tuple[Problem, ...] = ()
    hidden: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()
    path: str = "template.yaml"
    source: tuple[str, ...] = field(default=(), repr=False, compare=False)
    own: bool = False

    def of_type(self, type: str) -> list[Resource]:
        """Return the resources of one type, such as ``AWS::SQS::Queue``, in template order."""
        return [resource for resource in self.resources.values() if resource.type == type]

    def get(self, logical_id: str) -> Resource | None:
        """Return the resource of that logical id, or None when the stack has none."""
        return self.resources.get(logical_id)

    @property
    def beyond(self) -> tuple[Problem, ...]:
        """What AWS takes and the labs cannot play, of all that would be created."""
        told = [one for resource in self.resources.values() for one in resource.unplayed]
        return in_line_order(dict.fromkeys([*self.hidden, *told]))

    def playable(self) -> Stack:
        """The same stack without the resources that cannot be played.

        Raises TemplateProblems when one of them is a table or a mapping that reads one, or
        something that these depend on: then what is left would behave unlike AWS. Of a team's own
        stack a table that no mapping reads may be left out, and what is out of sight stays there.
        """
        roots = [
            one.logical_id
            for one in self.resources.values()
            if (one.type in _TABLES and not self.own)
            or (one.type == _MAPPING and (not one.unplayed or self._reads_table(one)))
        ]
        blocking = self.unplayed_behind(roots)
        if self.own:
            blocking = tuple(one for one in blocking if one not in self.hidden)
        if blocking:
            raise TemplateProblems(blocking)
        left = {name: one for name, one in self.resources.items() if not one.unplayed}
        return replace(self, resources=left)

    def _reads_table(self, mapping: Resource) -> bool:
        named = (self.resources.get(name) for name in mapping.refers)
        return any(one is not None and one.type in _TABLES for one in named)

    def unplayed_behind(self, logical_ids: Iterable[str]) -> tuple[Problem, ...]:
        """What AWS takes and the labs cannot play, in these resources and what they depend on."""
        problems = [*self.hidden]
        for name in self.behind(logical_ids):
            problems += self.resources[name].unplayed
        return in_line_order(dict.fromkeys(problems))

    def behind(self, logical_ids: Iterable[str]) -> tuple[str, ...]:
        """These resources and everything that they depend on.

        A resource depends on what it names, and on what names it to add to it: a role on the
        policies that are attached to it, a topic on its subscriptions.
        """
        found: dict[str, None] = {}
        waiting = [name for name in logical_ids if name in self.resources]
        adding = [one for one in self.resources.values() if one.type in _ADDING]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = None
                waiting += [one for one in self.resources[name].refers if one in self.resources]
                waiting += [one.logical_id for one in adding if name in one.refers]
        return tuple(found)

    def by_physical(self, value: str, type: str | None = None) -> Resource | None:
        """Return the resource whose ``Ref`` is ``value``, or None.

        Names are unique only within a type. Without ``type`` the first in template order wins.
        """
        for resource in self.resources.values():
            if resource.physical_id == value and type in (None, resource.type):
                return resource
        return None

    def by_arn(self, value: str) -> Resource | None:
        """Return the resource that an ARN or a physical id belongs to, or None.

        A longer ARN belongs to the resource it starts with: a log stream to its log group, an
        object to its bucket, a table's index to the table, a qualified function to the function.
        """
        best: tuple[int, Resource | None] = (0, None)
        for resource in self.resources.values():
            for known in _arns(resource):
                exact = value == known
                if (exact or value.startswith((known + ":", known + "/"))) and len(known) > best[0]:
                    best = (len(known), resource)
        return best[1] or self.by_physical(value)

    def function(self, reference: str) -> tuple[Resource, str | None] | None:
        """Return the function that ``reference`` names and the version or alias it asks for.

        Takes every form that Lambda takes: a name, an ARN, ``account:function:name``, each with or
        without ``:qualifier``. None when the stack has no such function.
        """
        rest = reference.split(":function:")[-1].removeprefix("function:")
        name, _, qualifier = rest.partition(":")
        for resource in self.of_type("AWS::Lambda::Function"):
            prefix = reference[: len(reference) - len(rest)]
            arn_prefix = resource.attributes.get("Arn", "")[: -len(name)]
            if resource.physical_id == name and (not prefix or arn_prefix.endswith(prefix)):
                return resource, qualifier or None
        return None


_TABLES = ("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable")
_MAPPING = "AWS::Lambda::EventSourceMapping"
# Resources that add to another one, which they name.
_ADDING = frozenset(
    [
        *("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"),
        *("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy"),
        *("AWS::SNS::Subscription", "AWS::Lambda::Permission"),
    ]
)


def _arns(resource: Resource) -> Iterator[str]:
    """Yield the ARNs of a resource, log groups' without their trailing ``:*``."""
    for value in (resource.physical_id, *resource.attributes.values()):
        if isinstance(value, str) and value.startswith("arn:"):
            yield value.removesuffix(":*")


@dataclass(frozen=True)
class Own:
    """A team's own stack: what a test says about the account that its template does not.

    ``ssm`` and ``secrets`` are values by the names of parameters and secrets. ``nested`` resolves
    another template beside this one: the logical id, the properties of the nested stack and its
    metadata in, None when the template is not there.
    """

    ssm: Mapping[str, str]
    secrets: Mapping[str, str]
    nested: Callable[[str, Mapping[str, Any], Mapping[str, Any]], Stack | None]


class Reporter:
    """Collects problems while a template is read.

    A *problem* is wrong on AWS too. Something *unsupported* is right on AWS, but the labs do not
    act it out. ``strict`` readers stop at problems; the others go on with values as they stand.
    ``own`` is set for a team's own stack: what cannot be known gets a made-up name, and what cannot
    be played is named and left out (see ``belonging``).
    """

    def __init__(self, path: str, strict: bool, own: Own | None = None) -> None:
        self.path = path
        self.strict = strict
        self.own = own
        self._problems: dict[Problem, None] = {}
        self._unplayed: dict[Problem, None] = {}

    def problem(self, mark: Mark | None, sentence: str) -> Unknown:
        """Note a problem; the value returned stands for what could not be worked out."""
        line, column = mark or (None, None)
        self._problems[Problem(line, column, readable(sentence), self.path)] = None
        return Unknown(sentence, line)

    def unsupported(self, mark: Mark | None, sentence: str) -> Unknown:
        """Note something that the labs do not act out."""
        line, column = mark or (None, None)
        told = Problem(line, column, readable(sentence), self.path, "unplayed")
        self._unplayed[told] = None
        return Unknown(sentence, line)

    def taken(self, before: int) -> tuple[Problem, ...]:
        """Take back the problems that came after the first ``before``: they are one resource's."""
        found = tuple(self._problems)[before:]
        for one in found:
            del self._problems[one]
        return found

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Every problem so far, in line order."""
        return in_line_order(self._problems)

    @property
    def unplayed(self) -> tuple[Problem, ...]:
        """Everything unsupported so far, in line order."""
        return in_line_order(self._unplayed)


def in_line_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by line and column, those without a line first."""
    return tuple(sorted(problems, key=lambda p: (p.line or 0, p.column or 0)))


def show(value: object) -> str:
    """Return a value as short text for a sentence: strings in quotes, long ones cut."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    text = text if len(text) <= 60 else text[:57] + "…"
    return f'"{text}"' if isinstance(value, str) else text


def one_of(words: list[str] | tuple[str, ...]) -> str:
    """Return words as ``A, B or C``; more than twelve are cut and counted."""
    if len(words) > 12:
        return ", ".join(words[:12]) + f" and {len(words) - 12} more"
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" or {words[-1]}"


def did_you_mean(word: str, known: list[str] | tuple[str, ...]) -> str:
    """Return `` Did you mean X?`` for the nearest known word, or an empty text.

    A word that differs only in upper and lower case always counts as near.
    """
    if len(word) > 100:
        return ""
    lowered = {name.lower(): name for name in reversed(known)}
    if word.lower() in lowered:
        return f" Did you mean {lowered[word.lower()]}?"
    near = nearest(word.lower(), lowered, likeness=0.7)
    return f" Did you mean {lowered[near]}?" if near else ""
