"""What the instructor reads: a class at a glance, lab by lab, with or without names.

Everybody is called by `Names`: by name and key for the instructor, by a stable pseudonym for the
projector. Nothing of a learner's files stands in it but through the grader's own rules.
"""

from __future__ import annotations

import hmac
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

from markupsafe import Markup

from grader.classroom.marks import Mark
from grader.classroom.private import write_private
from grader.classroom.report import pages, standing
from grader.classroom.report.feedback import STATES, duration, moment, replaced
from grader.classroom.report.gradebooks import WHY_NOT, number, some
from grader.classroom.report.guide import questions
from grader.classroom.report.standing import Criterion, Earlier
from grader.classroom.roster import Learner, folded
from grader.classroom.settings import Settings
from grader.cloud.words import counted
from grader.course.files import content_hash
from grader.course.lab import Lab
from grader.replay.drawing import SCRIPT, Axis, Bar, Cell, State, bars, matrix

KEY_FILE = ".pseudonyms"
# Letters and digits that nobody takes for each other, and that make no words.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"
# More rows than these are folded: learners with the same outcomes share one.
MOST_ROWS = 150
HARDEST = 5
NOTHING = State("nothing to show", "", "quiet")


class Names:
    """How learners are called on a page: one learner, one text, and no two alike."""

    def __init__(self, learners: Sequence[Learner]) -> None:
        shared = Counter(_alike(one.name) for one in learners)
        self._names = {
            one.key: one.name if shared[_alike(one.name)] == 1 else f"{one.name} ({one.key})"
            for one in learners
            if one.name
        }

    def of(self, key: str) -> str:
        """The name of the learner with this key."""
        return self._names.get(key, key)


def _alike(name: str) -> str:
    """A name as it reads: case, blanks and ways of writing an accent tell nobody apart."""
    return " ".join(folded(name).split())


class Pseudonyms(Names):
    """Names that say nothing and stay the same: from a secret that lies beside the reports."""

    def __init__(self, learners: Sequence[Learner], folder: Path) -> None:
        super().__init__([])
        secret = _secret(folder / KEY_FILE)
        for one in sorted(learners, key=lambda one: one.key):
            digest = hmac.digest(secret, one.key.encode("utf-8", "surrogateescape"), "sha256")
            letters = "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest)
            taken = set(self._names.values())
            sizes = range(3, len(letters))
            self._names[one.key] = next(
                name for size in sizes if (name := f"Learner {letters[:size]}") not in taken
            )


def overview(
    settings: Settings,
    marks: Sequence[Mark],
    earlier: Earlier,
    names: Names,
    labs: Sequence[Lab],
    at: str,
) -> str:
    """The page about these marks, as HTML. ``at`` is the time that it is written."""
    told = [
        _lab(settings, lab, [mark for mark in marks if mark.lab == lab.number], earlier, names)
        for lab in labs
    ]
    return pages.page(
        "overview.html",
        script=SCRIPT,
        class_name=settings.name,
        at=moment(at, settings.zone),
        before=moment(earlier.at, settings.zone) if earlier.at else "",
        anonymous=isinstance(names, Pseudonyms),
        labs=told,
    )


def counts(marks: Sequence[Mark]) -> str:
    """``55 graded, 3 missing and 2 late``: how many marks there are of each kind."""
    states = Counter(mark.state for mark in marks)
    words = {"ungraded": "not graded yet", "fault": "the grader's fault"}
    parts = [f"{n} {words.get(state, state)}" for state, n in sorted(states.items())]
    if late := sum(mark.late_by is not None for mark in marks):
        parts.append(f"{late} late")
    if adjusted := sum(mark.adjusted is not None for mark in marks):
        parts.append(f"{adjusted} adjusted")
    return some(parts)


def _lab(
    settings: Settings, lab: Lab, marks: Sequence[Mark], earlier: Earlier, names: Names
) -> Mapping[str, Any]:
    criteria = standing.criteria(marks, earlier)
    known = [mark.points for mark in marks if mark.points is not None]
    hardest, as_hard = standing.hardest(criteria, HARDEST)
    untouched = content_hash(lab.read(lab.starter))
    own = [mark for mark in marks if mark.content != untouched]
    of = next((mark.out_of for mark in marks if mark.out_of), 0)
    return {
        "number": lab.number,
        "title": lab.title,
        "counts": counts(marks),
        "median": f"{number(median(known))} of {of}" if known else "",
        "drawings": [
            Markup(drawing.figure())  # it escapes and cleans its texts itself
            for drawing in (
                _distribution(lab, marks, earlier, of),
                _matrix(lab, marks, criteria, names),
                _hardest(lab, hardest),
            )
        ],
        "hardest": [_told(lab, one, names) for one in hardest],
        "as_hard": as_hard,
        "untouched": [names.of(mark.learner) for mark in marks if mark.content == untouched],
        "equal": [[names.of(who) for who in group] for group in standing.equal(own)],
        "stuck": [
            (names.of(one.learner), _points(one.points), one.task, ", ".join(one.open), one.why)
            for one in standing.stuck(own, earlier)
        ],
        "changes": [
            (names.of(one.learner), _points(one.before), _points(one.now), ", ".join(one.won),
             ", ".join(one.lost))
            for one in standing.changes(marks, earlier)
        ],
        # Reasons and refusals are free text, which may name somebody.
        "special": [] if isinstance(names, Pseudonyms) else list(_special(settings, marks, names)),
        "differing": list(_differing(marks, names)),
    }  # fmt: skip


def _points(points: float | None) -> str:
    return "none" if points is None else number(points)


def _distribution(lab: Lab, marks: Sequence[Mark], earlier: Earlier, of: int) -> Any:
    """How many learners have how many points, in steps of a tenth; the full points stand alone."""
    title = f"Lab {lab.number}: how many points they have"
    now = Counter(_tenth(mark.points, of) for mark in marks if mark.points is not None)
    was = Counter(
        _tenth(before.points, of)
        for (_, number_), before in earlier.marks.items()
        if number_ == lab.number and before.points is not None
    )
    steps = [(f"{of * n // 10} to {of * (n + 1) // 10 - 1}", n) for n in range(10)]
    data = [
        Bar(name, now[tenth], before=was[tenth] if was else None)
        for name, tenth in [*steps, (f"{of} and more", 10)]
    ]
    return bars(title, Axis("learners", least=1), data if now and of else [], names="points")


def _tenth(points: float | None, of: int) -> int:
    return max(0, min(10, int((points or 0) * 10 / of))) if of else 0


def _matrix(lab: Lab, marks: Sequence[Mark], criteria: Sequence[Criterion], names: Names) -> Any:
    """Learners down, criteria across: easy ones left, hard ones right, equal rows together."""
    rows = standing.in_patterns(marks, criteria)
    title = f"Lab {lab.number}: who has met what"
    columns = [f"{one.id} ({one.task})" for one in criteria]

    def cells(mark: Mark) -> list[Cell]:
        mine = standing.outcomes(mark)
        return [Cell(STATES[mine[one.id]]) if one.id in mine else Cell(NOTHING) for one in criteria]

    if len(rows) <= MOST_ROWS:
        return matrix(title, "learner", columns, [(names.of(m.learner), cells(m)) for m in rows])
    folded = []
    for _, group in groupby(rows, key=standing.outcomes):
        some_ = list(group)
        who = some([names.of(mark.learner) for mark in some_], 3)
        folded.append((f"{len(some_)}: {who}" if len(some_) > 1 else who, cells(some_[0])))
    return matrix(title, "learners with the same outcomes", columns, folded)


def _hardest(lab: Lab, hardest: Sequence[Criterion]) -> Any:
    data = [
        Bar(f"{one.id} ({one.task})", one.open, f"{one.open} of {one.asked}", one.before)
        for one in hardest
    ]
    title = f"Lab {lab.number}: the hardest criteria"
    return bars(
        title, Axis("learners who have not met it", least=1), data, names="criterion (task)"
    )


def _told(lab: Lab, one: Criterion, names: Names) -> Mapping[str, Any]:
    nameless = isinstance(names, Pseudonyms)  # a reason may quote what somebody called a thing
    return {
        "id": one.id,
        "task": one.task,
        "goal": one.goal,
        "open": one.open,
        "asked": one.asked,
        "found": [
            {
                "rule": kind.rule,
                "why": "" if nameless else kind.why,
                "learners": counted(kind.learners, "learner"),
            }
            for kind in one.found[:3]
        ],
        "questions": questions(lab.number, one.id),
    }


def _special(settings: Settings, marks: Sequence[Mark], names: Names) -> Iterator[tuple[str, str]]:
    """Whoever has no mark, or one that is not simply the grade's, and why."""
    for mark in marks:
        said = []
        if mark.state != "graded":
            said.append(WHY_NOT[mark.state])
        if mark.graded and mark.graded.fault:
            said.append(mark.graded.fault)
        if mark.refusal:
            said.append(f"refused: {mark.refusal.sentence}")
        if mark.late_by:
            cost = f", which costs {number(mark.penalty)} points" if mark.penalty else ""
            cost = cost if mark.adjusted is None else ""  # what was set says what it replaces
            said.append(f"late by {duration(mark.late_by)}{cost}")
        if mark.adjusted:
            at = moment(mark.adjusted.at, settings.zone)
            said.append(
                f"set to {number(mark.adjusted.points)} points on {at}{replaced(mark)}:"
                f" {mark.adjusted.reason}"
            )
        if said:
            yield names.of(mark.learner), "; ".join(said)


def _differing(marks: Sequence[Mark], names: Names) -> Iterator[tuple[str, str, str, str]]:
    """Marks whose files a later grade judges otherwise, criterion by criterion."""
    for mark in marks:
        if mark.differs is None or mark.graded is None or mark.differs.document is None:
            continue
        before = standing.outcomes(mark)
        after = {one["id"]: one["outcome"] for one in mark.differs.document["criteria"]}
        changed = [
            f"{name}: {STATES[before[name]].name} -> {STATES[after[name]].name}"
            for name in before
            if name in after and after[name] != before[name]
        ]
        yield (
            names.of(mark.learner),
            f"{mark.score} (seed {mark.graded.seed}, {mark.graded.course})",
            f"{mark.differs.document['score']} (seed {mark.differs.seed}, {mark.differs.course})",
            ", ".join(changed),
        )


def _secret(path: Path) -> bytes:
    """The secret of a class's pseudonyms, made when it is first needed."""
    if not path.is_file():
        write_private(path, secrets.token_hex(32))
    return path.read_bytes()
