"""The player: deploys a folder's stack, plays scenarios on it, and knows no finding.

One Player is one folder: its template resolved once, a fresh account for every scenario, each
scenario played once however many look at it. When there is nothing to play it raises a `Stopped`
that says what happened in facts; what that means for whom is said elsewhere (``course.stage``).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from grader.cloud import Pipeline, may, template
from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import NOT_EMULATED
from grader.cloud.function import (
    FunctionHost,
    HangBudget,
    Invocation,
    Nursery,
    NurseryFailed,
    told,
)
from grader.cloud.template import Problem, Stack
from grader.course.play.stops import (
    Hung,
    NotPlayed,
    NotStarted,
    OtherInterface,
    ResourceRefused,
    Stopped,
    Undeployable,
)

if TYPE_CHECKING:
    from grader.replay.scene import Scene

Played = TypeVar("Played")


class Closable(Protocol):
    """What has to be closed in the end."""

    def close(self) -> None:
        """Let go of everything."""


Held = TypeVar("Held", bound=Closable)

TEMPLATE = "template.yaml"


@dataclass
class Left:
    """What a play left to look at: stacks, other scenes, and the plays within it."""

    opened: list[Pipeline] = field(default_factory=list)
    shown: list[Callable[[], Scene]] = field(default_factory=list)
    within: list[Hashable] = field(default_factory=list)


class Player:
    """Plays scenarios with the files of ``folder``; see the module's docstring.

    ``advice`` are sentences about the system that cost nobody anything.
    """

    def __init__(self, folder: Path, *, seed: int, nursery: Nursery) -> None:
        self.folder = folder
        self.seed = seed
        self.nursery = nursery
        self.advice: list[str] = []
        self.hangs = HangBudget()
        # For whoever looks at the plays afterwards (`course.play.recording`): all in their order,
        # and by who left them, which is a play's name or who asked for plays. The last one asks.
        self.opened: list[Pipeline] = []
        self.shown: list[Callable[[], Scene]] = []
        self.left: dict[Hashable, Left] = {None: Left()}
        self._asking: list[Hashable] = [None]
        self._stack: Stack | None = None
        self._problems: list[Problem] | None = None
        self._played: dict[str, Any] = {}
        self._open: list[Pipeline] = []
        self._closing: list[Closable] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pipeline in self._open:
            pipeline.close()
        for thing in reversed(self._closing):
            thing.close()

    def closing(self, thing: Held) -> Held:
        """Close ``thing`` when the playing ends, the newest first; returns it."""
        self._closing.append(thing)
        return thing

    @property
    def stack(self) -> Stack:
        """The template, resolved. Raises Undeployable, or NotPlayed when nothing of it can be."""
        if self._problems is None:
            self._resolve()
        if self._problems:
            raise Undeployable("template", self._problems)
        assert self._stack is not None
        if self._stack.hidden:
            raise NotPlayed(self._stack.hidden[0])
        return self._stack

    def _resolve(self) -> None:
        self._problems = []
        text = (self.folder / TEMPLATE).read_text(encoding="utf-8", errors="replace")
        try:
            stack = template.resolve(text, path=TEMPLATE)
        except template.TemplateProblems as problems:
            self._problems = [one for one in problems.problems if one.kind == "invalid"]
            return
        guarded = {
            name: replace(one, properties=_Beyond(one.unplayed[0])) if one.unplayed else one
            for name, one in stack.resources.items()
        }
        self._stack = replace(stack, resources=guarded)

    def deploy(self, **options: Any) -> Pipeline:
        """A fresh account with the stack in it; options as ``Pipeline.deploy``.

        Raises Undeployable when AWS would refuse something of the stack, NotPlayed when it would
        not and the labs cannot play it.
        """
        options.setdefault("seed", self.seed)
        stack = self.stack
        try:
            pipeline = Pipeline.deploy(
                stack, code=self.folder, nursery=self.nursery, hangs=self.hangs, **options
            )
        except template.TemplateProblems as problems:
            raise NotPlayed(problems.problems[0]) from problems
        except Refused as refused:
            raise self._undeployed(refused) from refused
        self._open.append(pipeline)
        self.opened.append(pipeline)
        self.left[self._asking[-1]].opened.append(pipeline)
        return pipeline

    def show(self, make: Callable[[], Scene]) -> None:
        """Something to see that is no stack; it is made when somebody looks."""
        self.shown.append(make)
        self.left[self._asking[-1]].shown.append(make)

    def may(self, role: str, action: str, resource: str) -> bool:
        """Whether the role with this logical id allows ``action`` on an ARN; raises as `deploy`."""
        try:
            return may(self.stack, role, action, resource)
        except Refused as refused:
            raise self._undeployed(refused) from refused

    def _undeployed(self, refused: Refused) -> Stopped:
        resource = self.stack.resources.get(refused.resource or "")
        line = None
        if resource is not None:
            line = resource.line_of(refused.parameter) if refused.parameter else resource.line
        if refused.code == NOT_EMULATED:
            return NotPlayed(Problem(line, None, refused.message, TEMPLATE, "unplayed"))
        return Undeployable("deploy", [Problem(line, None, refused.message, TEMPLATE)])

    def play(self, scenario: Callable[[Self], Played]) -> Played:
        """Play ``scenario`` once and remember what came of it, also when it was stopped."""
        name = scenario.__name__
        self.left[self._asking[-1]].within.append(name)
        if name not in self._played:
            self._asking.append(name)
            self.left[name] = Left()
            try:
                self._played[name] = self._to_its_end(scenario)
            except Exception as stopped:
                if (again := self.again(stopped)) is not None:
                    self._played[name] = again
                raise
            finally:
                self._asking.pop()
        outcome = self._played[name]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def outcome(self, name: Hashable) -> object:
        """What came of a play that was played, or what stopped it; None without one."""
        return self._played.get(str(name))

    def _to_its_end(self, scenario: Callable[[Self], Played]) -> Played:
        """Play; raise Hung when the function has spent the budget, whatever comes of the play.

        Virtual time stands still from then on, and mappings whose batch hangs cannot be changed:
        what a play that goes on meets there is nobody's fault.
        """
        try:
            played = self._on_this_machine(scenario)
        except Exception as met:
            if self.again(met) is None:
                self._require_end(scenario)
            raise
        self._require_end(scenario)
        return played

    def _on_this_machine(self, scenario: Callable[[Self], Played]) -> Played:
        """Play; once more, alone, where the machine could not bring a process up.

        What the first attempt has cost is given back, and what it has opened is closed; accounts
        of other plays stay, their idle environments end.
        """
        before, opened = self.hangs.spent, len(self._open)
        try:
            return scenario(self)
        except NurseryFailed:
            again = len(self._open) - opened
            for pipeline in self._open[opened:]:
                pipeline.close()
            del self._open[opened:]
            del self.opened[len(self.opened) - again :]
            self.left[self._asking[-1]].opened.clear()
            for host in [host for one in self._open for host in one.functions.values()]:
                host.recycle()
            self.hangs.spent = before
            return scenario(self)

    def _require_end(self, scenario: Callable[[Self], Any]) -> None:
        """Raise Hung when the function has spent what a grade may cost."""
        if self.hangs.exhausted:
            story = (scenario.__doc__ or "").splitlines()[0]
            raise Hung(story, self._limits_met(), self.hangs.overspent)

    def again(self, stopped: Exception) -> Exception | None:
        """What to raise when a play that ``stopped`` is asked for again; None for a fault."""
        return stopped if isinstance(stopped, Stopped) else None

    def _limits_met(self) -> list[str]:
        hosts = [host for pipeline in self._open for host in pipeline.functions.values()]
        hosts += [thing for thing in self._closing if isinstance(thing, FunctionHost)]
        return [
            told(str(invocation.real_limit), self.nursery.limits)
            for host in hosts
            for invocation in host.invocations
            if invocation.real_limit not in (None, "hang budget")
        ]

    # -- what every scenario needs ---------------------------------------------------------------

    def require_interface(self, expected: Mapping[str, str]) -> None:
        """Raise OtherInterface unless these logical ids are resources of these types."""
        for logical_id, kind in expected.items():
            resource = self.stack.resources.get(logical_id)
            if resource is None or resource.type != kind:
                raise OtherInterface(logical_id, kind, resource)

    def require_mapping(self, pipeline: Pipeline, mapping: str) -> None:
        """Raise ResourceRefused when AWS would have refused to create the mapping."""
        refusal = pipeline.refusals.get(mapping)
        if refusal is not None:
            raise ResourceRefused("mapping", mapping, refusal)

    def require_start(self, invocations: Sequence[Invocation]) -> None:
        """Raise NotStarted when the function could not be started for its first invocation."""
        for invocation in invocations[:1]:
            result = invocation.result
            if result is not None and result.kind == "error" and invocation.init_failed:
                raise NotStarted(invocation)


class _Beyond(dict[str, Any]):
    """The properties of a resource that cannot be played: whoever looks at them stops there."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self._problem = problem

    def _stop(self, *_: Any, **__: Any) -> Any:
        raise NotPlayed(self._problem)

    get = __getitem__ = __contains__ = __iter__ = __len__ = keys = values = items = _stop
