"""The stage: a player whose plays are judged.

One Stage is one grading of one folder. It plays as `Player` does; what stopped a play becomes a
finding, told to the first criterion that meets it; and findings say where in the learner's files to
look.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from grader.cloud.cloudwatch import NOT_EMULATED
from grader.cloud.function import Invocation, Nursery, needs_python, python_of
from grader.cloud.template import Problem, Resource
from grader.course.grade import EFFECT, HANDLER, Criterion, Finding, Unmet, Unreached, Verdict
from grader.course.lab import Lab
from grader.course.play.player import TEMPLATE, Left, Played, Player
from grader.course.play.stops import (
    Hung,
    NotPlayed,
    NotStarted,
    OtherInterface,
    ResourceRefused,
    Stopped,
    Undeployable,
    error_text,
)
from grader.course.play.traffic import says
from grader.review import lint

if TYPE_CHECKING:
    from grader.cloud import Pipeline
    from grader.cloud.account import Denied
    from grader.course.play.books import Book, Seen

# A lint that has not answered by then is left out, and the grade says so. Real seconds, far above
# the second that it takes.
LINT_LIMIT_S = 30.0

# The rules of what has to be so before anything can be played.
DEPLOYS = "The template can be deployed."
NAMED = "The template has the resources that the README's interface names."
MAPPED = "AWS accepts the event source mapping when the stack is created."
WATCHED = "AWS accepts the alarms of the template and what they stand on."
STARTS = "The function starts: its module imports and its handler is found."
BEGINS = frozenset({DEPLOYS, NAMED, MAPPED, WATCHED, STARTS})


class Stage(Player):
    """What a check works with; see the module's docstring.

    ``notes`` are sentences about this run (a real-time limit that was met, a lint that did not
    run); ``advice`` are sentences that cost no points. ``linted`` is whether cfn-lint reads the
    template beside the plays.
    """

    def __init__(
        self, folder: Path, *, lab: Lab, seed: int, nursery: Nursery, linted: bool = True
    ) -> None:
        super().__init__(folder, seed=seed, nursery=nursery)
        self.lab = lab
        self.notes: list[str] = []
        self.criterion: Criterion | None = None
        # Whether a timeline tells every attempt, also those that are like the one before.
        self.whole = False
        # Whether what it is told on cannot show block characters.
        self.plain = False
        # A pristine stack that is only played needs no reading by cfn-lint.
        self._lint = lint.start(folder / TEMPLATE) if linted else lint.Lint(None, TEMPLATE)
        # What a finding speaks of, by its criterion, rule and input: an invocation, or a moment.
        self.pointed: dict[tuple[str, str, str], Invocation | int] = {}
        self._told: dict[str, Criterion | None] = {}
        self._judged: dict[Stopped, Finding] = {}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._lint.close()

    def as_shipped(self) -> Stage:
        """A stage with the pristine stack of this lab on it, whatever the learner's files say."""
        shipped = Stage(
            self.lab.starter, lab=self.lab, seed=self.seed, nursery=self.nursery, linted=False
        )
        shipped.criterion = self.criterion
        shipped.opened, shipped.shown = self.opened, self.shown
        return shipped

    def begin(self, criterion: Criterion) -> None:
        """The next findings are about ``criterion``, and so are the plays that are asked for."""
        self.criterion = criterion
        self.left.setdefault(criterion, Left())
        self._asking = [criterion]

    # -- what is judged of a play ---------------------------------------------------------------

    def play(self, scenario: Callable[[Self], Played]) -> Played:
        """As `Player.play`. Raises Unmet or Unreached when it was stopped."""
        try:
            return super().play(scenario)
        except Stopped as stopped:
            self.judge(stopped)

    def again(self, stopped: Exception) -> Exception | None:
        """What is told once is *unreached* for whoever asks again."""
        if isinstance(stopped, Unmet | Unreached):
            return Unreached(stopped.finding)
        return super().again(stopped)

    def judge(self, stopped: Stopped) -> NoReturn:
        """Tell what stopped a play: raises as `stop`; Unreached for what the labs cannot play."""
        if stopped in self._judged:
            raise Unreached(self._judged[stopped])
        if (problem := self._unplayed(stopped)) is not None:
            self._judged[stopped] = self._beyond(problem)
            raise Unreached(self._judged[stopped])
        if isinstance(stopped, NotStarted):
            self.require_readable(str(stopped))
        first, others = self._finding_of(stopped)
        self._judged[stopped] = first
        self.stop(stopped.cause, first, others)

    def stop(self, cause: str, finding: Finding, further: Sequence[Finding] = ()) -> NoReturn:
        """Nothing can be decided because of ``cause``.

        Raises Unmet for the criterion that meets the cause first and Unreached for the others, so
        that one mistake is told once.
        """
        if self._told.setdefault(cause, self.criterion) == self.criterion:
            raise Unmet(finding, further)
        raise Unreached(finding)

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
                self.judge(Undeployable("template", report.errors))
            except Unmet as unmet:
                refused.append(Verdict(verdict.criterion, "unmet", unmet.finding, unmet.further))
            except Unreached as unreached:
                refused.append(Verdict(verdict.criterion, "unreached", unreached.finding))
        return refused

    def _unplayed(self, stopped: Stopped) -> Problem | None:
        """What AWS takes and the labs cannot play, when that is what stopped the play."""
        if isinstance(stopped, NotPlayed):
            return stopped.problem
        if isinstance(stopped, ResourceRefused) and stopped.refusal.code == NOT_EMULATED:
            refusal = stopped.refusal
            path = [refusal.parameter] if refusal.parameter else []
            line = self.stack.resources[stopped.logical_id].line_of(*path)
            return Problem(line, None, refusal.message, TEMPLATE, "unplayed")
        return None

    def _beyond(self, problem: Problem) -> Finding:
        """The finding on what AWS takes and the labs cannot play."""
        return self._not_here(
            f"{TEMPLATE} as it stands",
            "a template whose every part here has its effect in the labs",
            problem.sentence,
            self.line(TEMPLATE, problem.line),
            "reference/templates",
        )

    def _not_here(
        self, input: str, expected: str, observed: str, where: str, page: str, what: str = "this"
    ) -> Finding:
        return self.finding(
            rule="What this criterion looks at can be played here.",
            input=input,
            expected=expected,
            observed=observed,
            why=f"AWS takes {what}; the labs cannot play it. "
            "Nothing is decided that depends on it.",
            where=where,
            page=page,
        )

    def _finding_of(self, stopped: Stopped) -> tuple[Finding, list[Finding]]:
        """What a stop means for the learner: the finding, and further ones beside it."""
        match stopped:
            case Undeployable(problems=problems):
                return self._undeployable(problems)
            case OtherInterface():
                return self._other_interface(stopped), []
            case ResourceRefused():
                return self._refused(stopped), []
            case NotStarted(invocation=invocation):
                return self._not_started(invocation), []
            case Hung():
                return self._hung(stopped), []
        raise stopped

    def _undeployable(self, problems: Sequence[Problem]) -> tuple[Finding, list[Finding]]:
        first, *others = [
            self.finding(
                rule=DEPLOYS,
                input=f"{TEMPLATE} as it stands",
                expected="a template that CloudFormation and AWS accept",
                observed=problem.sentence,
                why="A stack that cannot be created processes nothing; CloudFormation rolls it "
                "back.",
                where=self.line(TEMPLATE, problem.line),
                page="reference/templates",
            )
            for problem in problems
        ]
        if others:
            more = f"{first.observed} ({len(others)} more problems after it)"
            first = replace(first, observed=more)
        return first, others

    def _other_interface(self, stopped: OtherInterface) -> Finding:
        found, logical_id = stopped.found, stopped.logical_id
        return self.finding(
            rule=NAMED,
            input=f"{TEMPLATE} as it stands",
            expected=f"{logical_id} of type {stopped.kind}",
            observed=f"{logical_id} of type {found.type}"
            if found
            else f"no {logical_id}; there are {', '.join(self.stack.resources)}",
            why="The scenarios write to these tables and look at this mapping by name.",
            where=self.line(TEMPLATE, found.line if found else None),
            page=f"{self.lab.page}#system",
        )

    def _refused(self, stopped: ResourceRefused) -> Finding:
        refusal, logical_id = stopped.refusal, stopped.logical_id
        if stopped.cause == "mapping":
            return self.finding(
                rule=MAPPED,
                input=f"{logical_id} in {TEMPLATE}",
                expected="the mapping is created and starts to poll",
                observed=refusal.message,
                why="CloudFormation rolls the whole stack back when the mapping is refused.",
                where=self.property_line(logical_id, refusal.parameter or "EventSourceArn"),
                page=f"{self.lab.page}#troubleshooting",
            )
        member = [refusal.parameter] if refusal.parameter else []
        return self.finding(
            rule=WATCHED,
            input=f"{logical_id} in {TEMPLATE}",
            expected="it is created",
            observed=refusal.message,
            why="CloudFormation rolls the whole stack back when one resource is refused.",
            where=self.property_line(logical_id, *member),
            page=f"{self.lab.page}#troubleshooting",
        )

    def _not_started(self, invocation: Invocation) -> Finding:
        result = invocation.result
        assert result is not None
        finding = self.finding(
            rule=STARTS,
            input="the first invocation of a new environment",
            expected=f"{HANDLER} loads and has the function that Handler names",
            observed=error_text(invocation),
            why="Lambda reports this for every batch, so that nothing is ever processed.",
            where=self.handler_line(invocation=invocation),
            page=f"{self.lab.page}#troubleshooting",
        )
        return self.at(invocation, finding)

    def _hung(self, stopped: Hung) -> Finding:
        note = "The function met a limit of the judge's again and again: the plays were cut short."
        if stopped.overspent:
            note = f"The plays were cut short: {stopped.overspent}."
        if note not in self.notes:
            self.notes.append(note)
        return self.finding(
            rule="An invocation ends: it returns, or it raises an exception.",
            input=stopped.story,
            expected="every invocation ends by itself, and all of them within the limits",
            observed=stopped.overspent
            or f"{len(stopped.limits)} invocations did not: in the last one {stopped.limits[-1]}",
            why="Lambda ends it at its time-out or its memory limit, retries the batch, and the "
            "shard stands still for as long as that goes on.",
            where=self.handler_line(r"def handler|def lambda_handler"),
            page="reference/limits",
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

    def at(self, seen: Invocation | int, finding: Finding) -> Finding:
        """The finding; ``seen`` is what it speaks of: an invocation or a moment (virtual ms)."""
        assert self.criterion is not None
        self.pointed[self.criterion.id, finding.rule, finding.input] = seen
        return finding

    def wrong_total(
        self,
        books: Sequence[Book],
        *,
        rule: str,
        why: str,
        page: str,
        where: Callable[[Book, Seen], str] | None = None,
    ) -> Finding:
        """The finding on the first wrong total in ``books``; there is one.

        ``where`` finds the line to look at; without it that is the write. Raises Unreached when it
        is wrong behind a call that the labs do not play.
        """
        every = [(book, seen) for book in books for seen in book.seen]
        wrong = [one for one in every if not one[1].right]
        book, seen = wrong[0]
        observed = f"{seen.merchant}: {says(seen.observed)}"
        if seen.last.result is not None and seen.last.result.kind != "returned":
            observed += f"; the last invocation ended with {error_text(seen.last)}"
        if seen.denied:
            self.require_played(seen.denied[:1], seen.story)
            observed += f"; denied: {seen.denied[0].action} on {seen.denied[0].resource}"
        if len(wrong) > 1:
            observed += f"; {len(wrong)} of the {len(every)} stories played here end wrong"
        finding = self.finding(
            rule=rule,
            input=seen.story,
            expected=f"{seen.merchant}: {says(seen.expected)} (by {seen.basis})",
            observed=observed,
            why=why,
            where=where(book, seen) if where else self.effect_line(seen.last),
            page=page,
        )
        return self.at(seen.last, finding)

    def require_played(self, denied: Sequence[Denied], story: str) -> None:
        """Raise Unreached at a call that AWS answers and the labs do not play."""
        for one in denied:
            if not one.played:
                name = re.sub(r"(?<!^)(?=[A-Z])", "_", one.action.partition(":")[2]).lower()
                raise Unreached(
                    self._not_here(
                        story,
                        "calls that the labs' account answers",
                        one.reason,
                        self.handler_line(rf"\b{name}\("),
                        "reference/own-stacks#calls",
                        "this call",
                    )
                )

    def beyond(self, *, ended: bool) -> Finding | None:
        """The first call in the plays of the criterion at hand that the labs do not play.

        With ``ended`` only one behind which a batch failed: whoever goes on without an answer does
        what was asked of it.
        """
        assert self.criterion is not None
        for pipeline in self._pipelines(self.criterion):
            reasons = {one.reason for one in pipeline.denied if not one.played}
            hosts = pipeline.functions.values() if reasons and ended else ()
            batches = [one for host in hosts for one in host.invocations]
            if ended and not any(_failed_by(one, reasons) for one in batches):
                continue
            try:
                self.require_played(pipeline.denied, f"the play: {pipeline.story.title}")
            except Unreached as unplayed:
                return unplayed.finding
        return None

    def _pipelines(self, asked: Hashable) -> Iterator[Pipeline]:
        left = self.left[asked]
        yield from left.opened
        for play in left.within:
            yield from self._pipelines(play)

    def require_readable(self, error: str) -> None:
        """Raise Unreached when ``error`` tells of a module that only a newer Python reads.

        The Runtime has to read it: that of the functions whose handler it is, or of any.
        """
        told = re.search(r"yntax.*\(([\w.-]+\.py), line (\d+)\)", error, re.DOTALL)
        if told is None:
            return
        for path in sorted(self.folder.rglob(told[1])):
            version = needs_python(_read(path))
            if version is None:
                continue
            functions = self._stack.of_type("AWS::Lambda::Function") if self._stack else []
            own = [one for one in functions if _module(one) == path.stem] or functions
            runtimes = [str(one.properties.get("Runtime")) for one in own]
            if runtimes and version > max(map(python_of, runtimes)):
                return
            reads = f", which {max(runtimes, key=python_of)} reads" if runtimes else ""
            raise Unreached(
                self._not_here(
                    f"{told[1]} as it stands",
                    "a module that this machine's Python reads, too",
                    f"it is written for Python {_dotted(version)}{reads}. This machine plays "
                    f"it on Python {_dotted(sys.version_info[:2])}, which cannot read it.",
                    self.line(told[1], int(told[2])),
                    "reference/templates",
                )
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

    def effect_line(self, invocation: Invocation | None = None) -> str:
        """Where an invocation's error or the handler's write is: the line that makes a total."""
        return self.handler_line(EFFECT, invocation)

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


def _failed_by(batch: Invocation, reasons: Collection[str]) -> bool:
    """Whether all of a batch failed with one of these errors, by what it raised or logged."""
    result = batch.result
    if result is None:
        return False
    text = str(result.payload)
    if result.kind == "returned":
        answer = result.payload if isinstance(result.payload, dict) else {}
        failures = answer.get("batchItemFailures")
        # A record alone may have failed by itself.
        if not isinstance(failures, list) or not 1 < len(batch.sequences) <= len(failures):
            return False
        text = "\n".join(line.text for line in batch.logs)
    return any(one in text for one in reasons)


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def _module(function: Resource) -> str:
    """The module in which a function's handler stands."""
    return str(function.properties.get("Handler")).rpartition(".")[0].rpartition("/")[2]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
