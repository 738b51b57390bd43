"""A class made up for tests: settings, a roster and a record with grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from grader.classroom.record import Graded, HandIn, Record
from grader.classroom.settings import Late, Settings
from grader.course.grade import Criterion, Finding, Grade, Outcome, Verdict
from grader.course.lab import find

DUE = datetime(2027, 3, 5, 22, 59, tzinfo=UTC)
IN_TIME = "2027-03-05T20:00:00+00:00"
CRITERIA = (
    Criterion("counts-changes", 1, "A changed order is counted with what it changed.", 20),
    Criterion("once-crash", 2, "A record counts once, whenever the environment dies.", 30),
    Criterion("filter-quiet", 3, "Carts do not wake the function.", 10),
    Criterion("role-tight", 4, "The role may do what is needed and no more.", 40),
)
FINDING = {
    "rule": "A record counts once.",
    "input": "INSERT of order o-17\n  amount 10",
    "expected": "total 10",
    "observed": "total 20",
    "why": "The environment died behind update_item.",
    "where": "handler.py:12  table.update_item(",
    "next": "Let one write do both.",
    "page": "modules/02-lambda-triggers#once",
}


def settings(root: Path, labs: Sequence[int] = (2,), **more: Any) -> Settings:
    """A class in ``root`` whose labs are due at `DUE`."""
    told: dict[str, Any] = {
        "name": "Streams",
        "zone": ZoneInfo("Europe/Berlin"),
        "deadlines": dict.fromkeys(labs, DUE),
        "extensions": (),
        "late": Late(),
        "seed": None,
        "secret": None,
        "places": {
            "handed_in": root / "handed-in",
            "roster": root / "roster.csv",
            "record": root / "class.sqlite",
            "reports": root / "reports",
        },
    }
    return Settings(root=root, labs=tuple(labs), **{**told, **more})


def finding(**other: str) -> Finding:
    """A finding with every field filled."""
    return Finding(**{**FINDING, **other})


def grade(
    outcomes: Mapping[str, Outcome] | None = None,
    *,
    lab: int = 2,
    seed: int = 7,
    told: Finding | None = None,
    **more: Any,
) -> Grade:
    """A grade in which everything is met but what ``outcomes`` says."""
    verdicts = []
    for one in CRITERIA:
        outcome = (outcomes or {}).get(one.id, "met")
        found = (told or finding()) if outcome in ("unmet", "broken") else None
        further = (finding(rule="A second thing is not so."),) if outcome == "unmet" else ()
        verdicts.append(Verdict(one, outcome, found, further))
    return Grade(lab, find(str(lab)).slug, seed, verdicts, **more)


def graded(learner: str, grade: Grade | None, **more: Any) -> Graded:
    """The record's row of a grade; without one, of a fault of the grader's on lab 2."""
    told: dict[str, Any] = {
        "learner": learner,
        "lab": grade.lab if grade else 2,
        "content": "c1",
        "seed": grade.seed if grade else 7,
        "course": "v1",
        "status": "graded" if grade else "fault",
        "document": grade.document() if grade else None,
        "fault": None if grade else "Its process was killed twice.",
        "tier": "namespaces",
        "began_at": "2027-03-06T10:00:00+00:00",
    }
    return Graded(**{**told, **more})


def hand_in(
    record: Record,
    learner: str,
    grade: Grade | None,
    *,
    at: str | None = IN_TIME,
    content: str = "c1",
    attempt: int = 1,
    **more: Any,
) -> Graded:
    """Record a hand-in with its grade, published as a first grade is."""
    row = graded(learner, grade, content=content, **more)
    record.add_hand_in(HandIn(learner, row.lab, attempt, content, at, "Moodle", "a.zip"))
    record.add_grade(row, publish=True)
    return row
