"""The stage on which a lab's scenarios are played.

One Stage is one grading of one folder: the learner's template resolved once, a fresh account for
every scenario, each scenario played once however many criteria look at it, and findings that say
where in the learner's files to look.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Protocol, TypeVar

from grader.cloud import Pipeline, may, template
from grader.cloud.aws import Refused
from grader.cloud.function import FunctionHost, HangBudget, Invocation, Nursery
from grader.cloud.template import Problem, Stack
from grader.course.grade import Criterion, Finding, Unmet, Unreached, Verdict
from grader.course.lab import Lab
from grader.review import lint

Played = TypeVar("Played")


class Closable(Protocol):
    """What has to be closed in the end."""

    def close(self) -> None:
        """Let go of everything."""


Held = TypeVar("Held", bound=Closable)

# What the judge's real-time limits saw, in words.
LIMITS = {
    "cpu": "it computed without end",
    "blocked": "every thread waited for something that never came",
    "memory": "it took more and more memory",
    "output": "it printed without end",
    "processes": "it started processes without end",
    "wall clock": "it did not come to an end",
}

TEMPLATE = "template.yaml"
HANDLER = "handler.py"
# The code of a refusal that is the emulator's alone.
NOT_EMULATED = "NotEmulated"

# A lint that has not answered by then is left out, and the grade says so. Real seconds, far above
# the second that it takes.
LINT_LIMIT_S = 30.0


class Stage:
    """What a check works with; see the module's docstring.

    ``notes`` are sentences about this run (a real-time limit that was met, a lint that did not
    run); ``advice`` are sentences that cost no points. ``linted`` is whether cfn-lint reads the
    template beside the plays.
    """

    def __init__(
        self, folder: Path, *, lab: Lab, seed: int, nursery: Nursery, linted: bool = True
    ) -> None:
        self.folder = folder
        self.lab = lab
        self.seed = seed
        self.nursery = nursery
        self.notes: list[str] = []
        self.advice: list[str] = []
        self.criterion: Criterion | None = None
        self._text = _read(folder / TEMPLATE)
        # A pristine stack that is only played needs no reading by cfn-lint.
        self._lint = lint.start(folder / TEMPLATE) if linted else lint.Lint(None, TEMPLATE)
        self._stack: Stack | None = None
        self._problems: list[Problem] | None = None
        self._told: dict[str, Criterion | None] = {}
        self._played: dict[str, Any] = {}
        self._open: list[Pipeline] = []
        self._closing: list[Closable] = []
        self.hangs = HangBudget()

    def __enter__(self) -> Stage:
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
        self._lint.close()

    def closing(self, thing: Held) -> Held:
        """Close ``thing`` when the grading ends, the newest first; returns it."""
        self._closing.append(thing)
        return thing

    def begin(self, criterion: Criterion) -> None:
        """The next findings are about ``criterion``."""
        self.criterion = criterion

    # -- the template ------------------------------------------------------------------------

    @property
    def stack(self) -> Stack:
        """The learner's template, resolved.

        Raises Unmet for the first criterion that asks when the template cannot be deployed, and
        Unreached for the others, so that one mistake is told once.
        """
        if self._problems is None:
            self._resolve()
        if self._problems:
            self._refuse(self._problems)
        assert self._stack is not None
        if self._stack.hidden:
            raise Unreached(self._beyond(self._stack.hidden[0]))
        return self._stack

    def _resolve(self) -> None:
        self._problems = []
        try:
            stack = template.resolve(self._text, path=TEMPLATE)
        except template.TemplateProblems as problems:
            invalid = [one for one in problems.problems if one.kind == "invalid"]
            self._problems = invalid
            return
        guarded = {
            name: replace(one, properties=_Beyond(self, one.unplayed[0])) if one.unplayed else one
            for name, one in stack.resources.items()
        }
        self._stack = replace(stack, resources=guarded)

    def reviewed(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """The verdicts after cfn-lint's reading, which went on beside the plays.

        Its warnings become advice. An error that the resolver does not know is a template that
        AWS would refuse: then nothing that was played counts.
        """
        if self._problems:
            return list(verdicts)
        report = self._lint.report(LINT_LIMIT_S)
        if report.note:
            self.notes.append(report.note)
        self.advice += [f"{TEMPLATE}:{one.line} {one.sentence}" for one in report.warnings]
        if not report.errors:
            return list(verdicts)
        refused: list[Verdict] = []
        for verdict in verdicts:
            if verdict.outcome == "skipped":
                refused.append(verdict)
                continue
            self.begin(verdict.criterion)
            try:
                self._refuse(list(report.errors))
            except Unmet as unmet:
                refused.append(Verdict(verdict.criterion, "unmet", unmet.finding, unmet.further))
            except Unreached as unreached:
                refused.append(Verdict(verdict.criterion, "unreached", unreached.finding))
        return refused

    def _refuse(self, problems: list[Problem]) -> NoReturn:
        first, *others = [
            self._undeployable(problem.sentence, problem.line) for problem in problems
        ]
        if others:
            more = f"{first.observed} ({len(others)} more problems after it)"
            first = replace(first, observed=more)
        self.stop("template", first, others)

    def _undeployable(self, sentence: str, line: int | None) -> Finding:
        return self.finding(
            rule="The template can be deployed.",
            input=f"{TEMPLATE} as it stands",
            expected="a template that CloudFormation and AWS accept",
            observed=sentence,
            why="A stack that cannot be created processes nothing; CloudFormation rolls it back.",
            where=self.line(TEMPLATE, line),
            page="reference/templates",
        )

    def _beyond(self, problem: Problem) -> Finding:
        """The finding on what AWS takes and the labs cannot play."""
        return self.finding(
            rule="What this criterion looks at can be played here.",
            input=f"{TEMPLATE} as it stands",
            expected="a template whose every part here has its effect in the labs",
            observed=problem.sentence,
            why="AWS takes this; the labs cannot play it. Nothing is decided that depends on it.",
            where=self.line(TEMPLATE, problem.line),
            page="reference/templates",
        )

    def _line_of(self, refused: Refused) -> int | None:
        resource = self.stack.resources.get(refused.resource or "")
        if resource is None:
            return None
        return resource.line_of(refused.parameter) if refused.parameter else resource.line

    def stop(self, cause: str, finding: Finding, further: Sequence[Finding] = ()) -> NoReturn:
        """Nothing can be decided because of ``cause``.

        Raises Unmet for the criterion that meets the cause first and Unreached for the others, so
        that one mistake is told once.
        """
        if self._told.setdefault(cause, self.criterion) == self.criterion:
            raise Unmet(finding, further)
        raise Unreached(finding)

    # -- scenarios ---------------------------------------------------------------------------

    def deploy(self, **options: Any) -> Pipeline:
        """A fresh account with the learner's stack in it; options as ``Pipeline.deploy``.

        Stops when AWS would refuse something of the stack.
        """
        options.setdefault("seed", self.seed)
        stack = self.stack
        try:
            pipeline = Pipeline.deploy(
                stack, code=self.folder, nursery=self.nursery, hangs=self.hangs, **options
            )
        except template.TemplateProblems as problems:
            raise Unreached(self._beyond(problems.problems[0])) from None
        except Refused as refused:
            self._refused(refused)
        self._open.append(pipeline)
        return pipeline

    def not_played(self, sentence: str, line: int | None) -> NoReturn:
        """Stop: AWS takes what ``sentence`` names, and the labs cannot play it."""
        raise Unreached(self._beyond(Problem(line, None, sentence, TEMPLATE, "unplayed")))

    def _refused(self, refused: Refused) -> NoReturn:
        """Stop: AWS would refuse something of the stack, or only the labs cannot play it."""
        line = self._line_of(refused)
        if refused.code == NOT_EMULATED:
            self.not_played(refused.message, line)
        self.stop("deploy", self._undeployable(refused.message, line))

    def may(self, role: str, action: str, resource: str) -> bool:
        """Whether the role with this logical id allows ``action`` on an ARN; stops as `deploy`."""
        try:
            return may(self.stack, role, action, resource)
        except Refused as refused:
            self._refused(refused)

    def play(self, scenario: Callable[[Stage], Played]) -> Played:
        """Play ``scenario`` once and remember what came of it, also when it was stopped."""
        name = scenario.__name__
        if name not in self._played:
            try:
                self._played[name] = scenario(self)
            except (Unmet, Unreached) as stopped:
                self._played[name] = Unreached(stopped.finding)
                raise
            if self.hangs.exhausted:
                self._played[name] = Unreached(self._hung(scenario.__doc__))
                self.stop("hang", self._played[name].finding)
        outcome = self._played[name]
        if isinstance(outcome, Unreached):
            raise Unreached(outcome.finding)
        return outcome

    def _hung(self, story: str | None) -> Finding:
        """The finding on a function that met the judge's limits so often that plays were cut."""
        hosts = [host for pipeline in self._open for host in pipeline.functions.values()]
        hosts += [thing for thing in self._closing if isinstance(thing, FunctionHost)]
        limits = [
            invocation.real_limit
            for host in hosts
            for invocation in host.invocations
            if invocation.real_limit in LIMITS
        ]
        how = LIMITS[str(limits[-1])] if limits else "it hung"
        note = "The function met a limit of the judge's again and again: the plays were cut short."
        if note not in self.notes:
            self.notes.append(note)
        return self.finding(
            rule="An invocation ends: it returns, or it raises an exception.",
            input=(story or "").splitlines()[0],
            expected="every invocation ends by itself",
            observed=f"{len(limits)} invocations did not: in the last one {how}",
            why="Lambda ends it at its time-out or its memory limit, retries the batch, and the "
            "shard stands still for as long as that goes on.",
            where=self.handler_line(r"def handler|def lambda_handler"),
            page="reference/limits",
        )

    # -- what every scenario needs ---------------------------------------------------------------

    def require_interface(self, expected: Mapping[str, str]) -> None:
        """Stop when a logical id of the README's interface is missing or of another type.

        ``expected`` maps logical ids to resource types.
        """
        for logical_id, kind in expected.items():
            resource = self.stack.resources.get(logical_id)
            if resource is not None and resource.type == kind:
                continue
            self.stop(
                "interface",
                self.finding(
                    rule="The template has the resources that the README's interface names.",
                    input=f"{TEMPLATE} as it stands",
                    expected=f"{logical_id} of type {kind}",
                    observed=f"{logical_id} of type {resource.type}"
                    if resource
                    else f"no {logical_id}; there are {', '.join(self.stack.resources)}",
                    why="The scenarios write to these tables and look at this mapping by name.",
                    where=self.line(TEMPLATE, resource.line if resource else None),
                    page=f"{self.lab.page}#system",
                ),
            )

    def require_mapping(self, pipeline: Pipeline, mapping: str) -> None:
        """Stop when AWS would have refused to create the learner's mapping."""
        refusal = pipeline.refusals.get(mapping)
        if refusal is not None and refusal.code == NOT_EMULATED:
            self._refused(refusal)
        if refusal is not None:
            self.stop(
                "mapping",
                self.finding(
                    rule="AWS accepts the event source mapping when the stack is created.",
                    input=f"{mapping} in {TEMPLATE}",
                    expected="the mapping is created and starts to poll",
                    observed=refusal.message,
                    why="CloudFormation rolls the whole stack back when the mapping is refused.",
                    where=self.property_line(mapping, refusal.parameter or "EventSourceArn"),
                    page=f"{self.lab.page}#troubleshooting",
                ),
            )

    def require_start(self, invocations: Sequence[Invocation]) -> None:
        """Stop when the function could not even be started for its first invocation."""
        for invocation in invocations[:1]:
            result = invocation.result
            if result is not None and result.kind == "error" and invocation.init_failed:
                self.stop(
                    "start",
                    self.finding(
                        rule="The function starts: its module imports and its handler is found.",
                        input="the first invocation of a new environment",
                        expected=f"{HANDLER} loads and has the function that Handler names",
                        observed=f"{result.error_type}: {result.error_message}",
                        why="Lambda reports this for every batch, so that nothing is ever "
                        "processed.",
                        where=self.handler_line(invocation=invocation),
                        page=f"{self.lab.page}#troubleshooting",
                    ),
                )

    # -- findings ----------------------------------------------------------------------------

    def finding(
        self,
        *,
        rule: str,
        input: str,
        expected: str,
        observed: str,
        why: str,
        where: str,
        page: str,
    ) -> Finding:
        """A finding on the criterion at hand, with its next move filled in."""
        assert self.criterion is not None
        number, task = self.lab.number, self.criterion.task
        return Finding(
            rule=rule,
            input=input,
            expected=expected,
            observed=observed,
            why=why,
            where=where,
            next=f"labs grade {number} --only {self.criterion.id}   |   labs hint {number} {task}",
            page=page,
        )

    def line(self, name: str, number: int | None) -> str:
        """``name:number`` with the line quoted, or the sentence that it cannot be located."""
        lines = _read(self.folder / name).splitlines()
        if number is None or not 1 <= number <= len(lines):
            return f"{name} (the line cannot be located)"
        return f"{name}:{number}  {lines[number - 1].strip()}"

    def property_line(self, logical_id: str, *path: str | int) -> str:
        """Where a property of a resource stands, or the resource itself when it is absent."""
        resource = self.stack.resources.get(logical_id)
        if resource is None:
            return f"{TEMPLATE} (there is no {logical_id})"
        return self.line(TEMPLATE, resource.line_of(*path))

    def handler_line(self, pattern: str | None = None, invocation: Invocation | None = None) -> str:
        """Where in the handler to look: the innermost frame of an error, or a line by pattern."""
        if invocation is not None and invocation.result is not None:
            payload = invocation.result.payload
            trace = payload.get("stackTrace", []) if isinstance(payload, dict) else []
            for frame in reversed(trace):
                found = re.search(r'([\w.-]+\.py)", line (\d+)', str(frame))
                if found and (self.folder / found[1]).exists():
                    return self.line(found[1], int(found[2]))
        return self.line_like(self._code, pattern)

    @property
    def _code(self) -> str:
        """The file with the learner's code: the handler, or the first file of Python."""
        python = [name for name in self.lab.editable if name.endswith(".py")]
        return python[0] if python and HANDLER not in python else HANDLER

    def line_like(self, name: str, pattern: str | None) -> str:
        """The first line of a file that matches ``pattern``, or that no line can be named."""
        if pattern is not None and name in self.lab.editable:
            for number, text in enumerate(_read(self.folder / name).splitlines(), start=1):
                if re.search(pattern, text):
                    return self.line(name, number)
        return f"{name} (no single line can be named)"


class _Beyond(dict[str, Any]):
    """The properties of a resource that cannot be played: whoever looks at them stops there."""

    def __init__(self, stage: Stage, problem: Problem) -> None:
        super().__init__()
        self._stage, self._problem = stage, problem

    def _stop(self, *_: Any, **__: Any) -> Any:
        raise Unreached(self._stage._beyond(self._problem))

    get = __getitem__ = __contains__ = __iter__ = __len__ = keys = values = items = _stop


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def error_text(invocation: Invocation) -> str:
    """How an invocation ended, in words: its error, or that it returned."""
    result = invocation.result
    if result is None:
        return "it never ended"
    if result.kind == "returned":
        return "it returned"
    text = f"{result.error_type}: {result.error_message}" if result.error_message else ""
    return text or str(result.error_type) or result.kind
