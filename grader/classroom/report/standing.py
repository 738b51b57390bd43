"""How a class stands, as data: who met what, what changed since the last report, who is stuck.

A report leaves its standing in ``standing.json`` beside its pages (``labs/class-standing/v1``), so
that the next one can say what has changed; a report on an unchanged record changes nothing in it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.classroom.marks import Mark
from grader.classroom.private import write_private

SCHEMA = "labs/class-standing/v1"
FILE = "standing.json"
# Learners with less than this share of a lab's points are told among those who are stuck.
STUCK_BELOW = 0.5
_NUMBER = re.compile(r"\d[\d.,:]*")


@dataclass(frozen=True)
class Before:
    """What the last report said of a learner and a lab: points, and each criterion's outcome."""

    points: float | None
    outcomes: Mapping[str, str]


@dataclass(frozen=True)
class Earlier:
    """The last report that said something else than now; ``at`` is None when there is none."""

    at: str | None
    marks: Mapping[tuple[str, int], Before]


@dataclass(frozen=True)
class Kind:
    """Findings of one kind: they tell one rule and, but for numbers, one reason."""

    rule: str
    why: str
    learners: int


@dataclass(frozen=True)
class Criterion:
    """One criterion over a class, and what was found most often about it."""

    id: str
    task: int
    goal: str
    points: int
    asked: int
    open: int
    before: int | None
    found: Sequence[Kind]


@dataclass(frozen=True)
class Stuck:
    """A learner who does not get on: the first task that is open, and what in it."""

    learner: str
    points: float | None
    task: int
    open: Sequence[str]
    why: str


@dataclass(frozen=True)
class Change:
    """What a learner won and lost in a lab since the last report."""

    learner: str
    before: float | None
    now: float | None
    won: Sequence[str]
    lost: Sequence[str]


def outcomes(mark: Mark) -> dict[str, str]:
    """Each asked criterion's outcome by its id; empty without a grade."""
    criteria = (mark.document or {}).get("criteria", [])
    return {one["id"]: one["outcome"] for one in criteria if one["outcome"] != "skipped"}


def criteria(marks: Sequence[Mark], earlier: Earlier) -> list[Criterion]:
    """The criteria of one lab's marks, from the one that most have met to the hardest."""
    asked: Counter[str] = Counter()
    open_: Counter[str] = Counter()
    before: Counter[str] = Counter()
    told: dict[str, Mapping[str, Any]] = {}
    found: dict[str, list[set[tuple[str, str]]]] = {}
    for mark in marks:
        for one in (mark.document or {}).get("criteria", []):
            if one["outcome"] in ("skipped", "broken"):
                continue
            told[one["id"]] = one
            asked[one["id"]] += 1
            if one["outcome"] == "met":
                continue
            open_[one["id"]] += 1
            told_here = [entry for entry in [one["finding"], *one["further"]] if entry]
            kinds = {(entry["rule"], entry["why"]) for entry in told_here}
            found.setdefault(one["id"], []).append(kinds)
    for mark in marks:
        was = earlier.marks.get((mark.learner, mark.lab))
        for name, outcome in (was.outcomes if was else {}).items():
            before[name] += outcome not in ("met", "broken")
    known = any((mark.learner, mark.lab) in earlier.marks for mark in marks)
    every = [
        Criterion(
            id=name,
            task=one["task"],
            goal=one["goal"],
            points=one["points"],
            asked=asked[name],
            open=open_[name],
            before=before[name] if known else None,
            found=_commonest(found.get(name, [])),
        )
        for name, one in told.items()
    ]
    return sorted(every, key=lambda one: (one.open / one.asked, one.task))


def hardest(criteria: Sequence[Criterion], most: int) -> tuple[list[Criterion], int]:
    """The hardest of `criteria`, the hardest first, and how many more are as hard as the last.

    At most ``most`` of them, or twice as many where equally hard ones would be cut apart.
    """
    open_ = [one for one in reversed(criteria) if one.open]
    shares = [one.open / one.asked for one in open_]
    tied = sum(share >= shares[most - 1] for share in shares) if len(open_) > most else len(open_)
    shown = min(tied, 2 * most)
    return open_[:shown], tied - shown


def equal(marks: Sequence[Mark]) -> list[list[str]]:
    """The learners of one lab whose files are equal, in groups of two and more."""
    groups: dict[str, list[str]] = {}
    for mark in marks:
        if mark.content:
            groups.setdefault(mark.content, []).append(mark.learner)
    return [group for group in groups.values() if len(group) > 1]


def _commonest(found: Sequence[set[tuple[str, str]]]) -> list[Kind]:
    """The kinds of what was found, for each learner a set of rules and reasons."""
    counted: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], str] = {}
    for findings in found:
        # One learner with ten findings of a kind is one learner.
        kinds = {(rule, _NUMBER.sub("#", why)): why for rule, why in sorted(findings)}
        counted.update(kinds.keys())
        example = {**kinds, **example}
    ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return [Kind(kind[0], example[kind], times) for kind, times in ordered]


def in_patterns(marks: Sequence[Mark], order: Sequence[Criterion]) -> list[Mark]:
    """Graded marks from who has met most to who has met least, equal outcomes side by side."""
    rank = {"met": 0, "unmet": 1, "unreached": 2, "broken": 3}

    def pattern(mark: Mark) -> tuple[int, list[int], str]:
        mine = outcomes(mark)
        row = [rank.get(mine.get(one.id, ""), 4) for one in order]
        return sum(1 for one in row if one), row, mark.learner

    return sorted((mark for mark in marks if outcomes(mark)), key=pattern)


def stuck(marks: Sequence[Mark], earlier: Earlier) -> list[Stuck]:
    """Who handed in anew and won nothing, or has less than half; the fewest points first."""
    found = []
    for mark in marks:
        mine = outcomes(mark)
        tasks = {one["id"]: one["task"] for one in (mark.document or {}).get("criteria", [])}
        open_ = [name for name, outcome in mine.items() if outcome in ("unmet", "unreached")]
        if not open_:
            continue
        was = earlier.marks.get((mark.learner, mark.lab))
        reasons = []
        if was and was.outcomes and was.outcomes != mine and not _won(was, mine):
            reasons.append("changed something and won nothing")
        if mark.score is not None and mark.score < STUCK_BELOW * mark.out_of:
            reasons.append("less than half of the points")
        if reasons:
            first = min(tasks[name] for name in open_)
            names = [name for name in open_ if tasks[name] == first]
            found.append(Stuck(mark.learner, mark.points, first, names, ", ".join(reasons)))
    return sorted(found, key=lambda one: (one.points or 0, one.learner))


def changes(marks: Sequence[Mark], earlier: Earlier) -> list[Change]:
    """What every learner won and lost since the last report; who is as before is left out."""
    found = []
    for mark in marks:
        was = earlier.marks.get((mark.learner, mark.lab))
        if was is None:
            continue
        mine = outcomes(mark)
        lost = [
            name
            for name, outcome in was.outcomes.items()
            if outcome == "met" and mine.get(name, "met") not in ("met", "broken")
        ]
        change = Change(mark.learner, was.points, mark.points, _won(was, mine), lost)
        if change.won or lost or was.points != mark.points:
            found.append(change)
    return found


def _won(was: Before, mine: Mapping[str, str]) -> list[str]:
    return [
        name
        for name, outcome in mine.items()
        if outcome == "met" and was.outcomes.get(name) not in ("met", "broken")
    ]


# --- kept between reports -----------------------------------------------------------------------


def earlier(folder: Path, marks: Sequence[Mark]) -> Earlier:
    """The last report in ``folder`` that stood otherwise than these marks do."""
    for report in _kept(folder):
        if report["marks"] != _document(marks):
            known = {
                (one["learner"], one["lab"]): Before(one["points"], one["outcomes"])
                for one in report["marks"]
            }
            return Earlier(report["at"], known)
    return Earlier(None, {})


def keep(folder: Path, marks: Sequence[Mark], at: str) -> Path:
    """Leave the standing of these marks in ``folder`` for the next report, and the one before."""
    reports = _kept(folder)
    now = {"at": at, "marks": _document(marks)}
    if reports and reports[0]["marks"] == now["marks"]:
        now = reports.pop(0)
    _write(folder, [now, *reports[:1]])
    return folder / FILE


def forget(folder: Path, learner: str) -> None:
    """Take a learner out of what reports in ``folder`` have left."""
    if reports := _kept(folder):
        for report in reports:
            report["marks"] = [one for one in report["marks"] if one["learner"] != learner]
        _write(folder, reports)


def _write(folder: Path, reports: Sequence[Mapping[str, Any]]) -> None:
    document = {"schema": SCHEMA, "reports": reports}
    write_private(folder / FILE, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _document(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    return [
        {"learner": m.learner, "lab": m.lab, "points": m.points, "outcomes": outcomes(m)}
        for m in marks
    ]


def _kept(folder: Path) -> list[dict[str, Any]]:
    """The newest standing and the one before; none where there is no file of this shape."""
    try:
        document = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        return []
    reports = document.get("reports")
    return reports if isinstance(reports, list) else []
