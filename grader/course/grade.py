"""What grading says: criteria, findings, verdicts and the grade as a JSON document.

Plain data. Nothing here knows how a verdict came about or how it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Outcome = Literal["met", "unmet", "unreached", "skipped", "broken"]

# The word for each outcome, as the learner reads it.
WORDS: Mapping[Outcome, str] = {
    "met": "met",
    "unmet": "not met",
    "unreached": "not reached",
    "skipped": "not asked",
    "broken": "grader fault",
}

GRADE_SCHEMA = "labs/grade/v1"
GRADES_SCHEMA = "labs/grades/v1"

# The file that most findings speak of, and where a handler's effect is written in it: the line to
# look at when a total is wrong.
HANDLER = "handler.py"
EFFECT = r"\.(update_item|put_item|transact_write_items|batch_write_item|execute_statement)\("


@dataclass(frozen=True)
class Criterion:
    """One sentence about the learner's system that is true or not, and what it is worth."""

    id: str
    task: int
    goal: str
    points: int


@dataclass(frozen=True)
class Finding:
    """Why a criterion is not met, told so that the reader knows what to do next.

    ``rule`` is true of every right answer. ``expected`` and ``observed`` have the same shape and
    units, and show the first difference whole. ``where`` quotes the learner's line or says that
    it cannot be located. ``page`` is the argument of ``labs docs``.
    """

    rule: str
    input: str
    expected: str
    observed: str
    why: str
    where: str
    next: str
    page: str


class Unmet(Exception):
    """Raised by a check whose criterion is not met; ``further`` findings may stand beside it."""

    def __init__(self, finding: Finding, further: Sequence[Finding] = ()) -> None:
        super().__init__(finding.rule)
        self.finding = finding
        self.further = tuple(further)


class Unreached(Exception):
    """Raised by a check that could not be decided because something earlier stopped it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.rule)
        self.finding = finding


@dataclass(frozen=True)
class Verdict:
    """A criterion and what was found. ``more`` counts further findings of the same criterion."""

    criterion: Criterion
    outcome: Outcome
    finding: Finding | None = None
    further: Sequence[Finding] = ()

    @property
    def score(self) -> int:
        """The points that were won."""
        return self.criterion.points if self.outcome == "met" else 0


@dataclass(frozen=True)
class Grade:
    """All verdicts on one lab.

    ``files`` maps each graded file to the SHA-256 of its content. ``notes`` are sentences about
    the run itself (a real-time limit that was met, an isolation that this platform lacks).
    """

    lab: int
    slug: str
    seed: int
    verdicts: Sequence[Verdict]
    files: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    advice: Sequence[str] = ()

    @property
    def asked(self) -> list[Verdict]:
        """The verdicts that were asked for."""
        return [verdict for verdict in self.verdicts if verdict.outcome != "skipped"]

    @property
    def score(self) -> int:
        """Points won."""
        return sum(verdict.score for verdict in self.asked)

    @property
    def max_score(self) -> int:
        """Points that could be won: what is broken is our fault and does not count."""
        return sum(v.criterion.points for v in self.asked if v.outcome != "broken")

    @property
    def broken(self) -> bool:
        """True when the grader itself failed somewhere, or before it decided anything."""
        return not self.verdicts or any(verdict.outcome == "broken" for verdict in self.verdicts)

    @property
    def passed(self) -> bool:
        """True when every criterion that was asked for is met."""
        return bool(self.asked) and all(verdict.outcome == "met" for verdict in self.asked)

    @property
    def exit_code(self) -> int:
        """0 everything met, 1 not everything met, 3 the grader is at fault."""
        if self.broken:
            return 3
        return 0 if self.passed else 1

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Grade:
        """The grade that `document` has made this of."""
        return cls(
            lab=document["lab"],
            slug=document["slug"],
            seed=document["seed"],
            files=document["files"],
            notes=document["notes"],
            advice=document["advice"],
            verdicts=[
                Verdict(
                    Criterion(one["id"], one["task"], one["goal"], one["points"]),
                    one["outcome"],
                    Finding(**one["finding"]) if one["finding"] else None,
                    [Finding(**further) for further in one["further"]],
                )
                for one in document["criteria"]
            ],
        )

    def document(self) -> dict[str, Any]:
        """The grade as the ``labs/grade/v1`` document: plain JSON types, no times, no paths."""
        return {
            "schema": GRADE_SCHEMA,
            "lab": self.lab,
            "slug": self.slug,
            "seed": self.seed,
            "score": self.score,
            "max_score": self.max_score,
            "passed": self.passed,
            "status": "broken" if self.broken else "graded",
            "files": dict(sorted(self.files.items())),
            "notes": list(self.notes),
            "advice": list(self.advice),
            "criteria": [
                {
                    "id": verdict.criterion.id,
                    "task": verdict.criterion.task,
                    "goal": verdict.criterion.goal,
                    "points": verdict.criterion.points,
                    "score": verdict.score,
                    "outcome": verdict.outcome,
                    "finding": asdict(verdict.finding) if verdict.finding else None,
                    "further": [asdict(finding) for finding in verdict.further],
                }
                for verdict in self.verdicts
            ],
        }
