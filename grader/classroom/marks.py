"""Marks: of all that is recorded, what a learner has for a lab, and why.

The mark is the published grade of the hand-in that counts. Lateness is always said and costs what
the class's policy says; an adjustment stands in place of the points, whatever is graded later. What
is missing, was refused or is the grader's fault has no points at all, so that nobody gets a zero
that is not theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from grader.classroom.record import Adjustment, Graded, HandIn, Record, Refusal
from grader.classroom.roster import Learner
from grader.classroom.settings import Late, Settings

# graded: there is a mark. ungraded: handed in, and `labs class grade` has not come to it.
State = Literal["graded", "ungraded", "missing", "refused", "fault"]


@dataclass(frozen=True)
class Mark:
    """What a learner has for a lab. ``points`` is None where nothing decides them.

    ``score`` is what the grade says, ``penalty`` what the policy takes off it for being late.
    ``late_by`` is None in time, without a deadline, and where nobody knows the time. ``adjusted``
    is the adjustment that holds. ``differs`` is a later grade of the same files, by another version
    of the course or with another seed, that is not published and says something else.
    """

    learner: str
    lab: int
    state: State
    points: float | None
    out_of: int
    score: int | None = None
    late_by: timedelta | None = None
    penalty: float = 0.0
    adjusted: Adjustment | None = None
    graded: Graded | None = None
    hand_in: HandIn | None = None
    refusal: Refusal | None = None
    differs: Graded | None = None

    @property
    def missing(self) -> bool:
        """Whether nothing was handed in."""
        return self.state == "missing"

    @property
    def content(self) -> str:
        """The hash of the files that were handed in; empty without any."""
        return self.hand_in.content if self.hand_in else self.graded.content if self.graded else ""

    @property
    def document(self) -> Mapping[str, Any] | None:
        """The ``labs/grade/v1`` document of the grade; None without one."""
        return self.graded.document if self.graded else None

    @property
    def passed(self) -> bool:
        """Whether everything that was asked is met."""
        return bool(self.document and self.document["passed"])


def marks(
    settings: Settings,
    roster: Mapping[str, Learner],
    record: Record,
    labs: Sequence[int] | None = None,
) -> list[Mark]:
    """Every learner's mark for each lab of the class, or for ``labs``; by learner, then by lab.

    Learners are those of the roster, in its order, and then those who handed something in.
    """
    book = _Book(settings, record)
    known = dict.fromkeys([*roster, *sorted(book.learners())])
    return [
        book.mark(roster.get(learner) or Learner(learner), lab)
        for learner in known
        for lab in (settings.labs if labs is None else labs)
    ]


def penalty_for(late: Late, score: float, late_by: timedelta | None) -> float:
    """What being late takes off ``score``; by percent for each day begun, never more than all."""
    if late_by is None or late.policy == "none":
        return 0.0
    if late.policy == "zero":
        return float(score)
    days = math.ceil(late_by / timedelta(days=1))
    return round(score * min(1.0, days * late.percent_a_day / 100), 2)


class _Book:
    """What is recorded, by learner and lab."""

    def __init__(self, settings: Settings, record: Record) -> None:
        self.settings = settings
        self.hand_ins = {(one.learner, one.lab): one for one in record.hand_ins() if one.counts}
        self.grades = _by_place(record.grades())
        self.refusals = {(one.learner, one.lab): one for one in record.refusals()}
        self.adjustments = {
            (one.learner, one.lab): one for one in record.adjustments() if one.undone_at is None
        }
        self.published = {one.key for one in record.published()}
        self.worth = _worth(self.grades)

    def learners(self) -> set[str]:
        """Everybody of whom something is recorded."""
        return {place[0] for place in (*self.hand_ins, *self.grades, *self.adjustments)}

    def mark(self, learner: Learner, lab: int) -> Mark:
        """What the learner has for the lab."""
        place = (learner.key, lab)
        hand_in, adjusted = self.hand_ins.get(place), self.adjustments.get(place)
        graded, differs = self._graded(place, hand_in)
        state = self._state(place, hand_in, graded)
        late_by = _late_by(hand_in, self.settings.due(learner.key, learner.section or None, lab))
        score, points, penalty = None, None, 0.0
        if state == "graded" and graded is not None and graded.document is not None:
            score = int(graded.document["score"])
            penalty = penalty_for(self.settings.late, score, late_by)
            points = score - penalty
        return Mark(
            learner=learner.key,
            lab=lab,
            state=state,
            points=adjusted.points if adjusted else points,
            out_of=self.worth.get(lab, 0),
            score=score,
            late_by=late_by,
            penalty=penalty,
            adjusted=adjusted,
            graded=graded,
            hand_in=hand_in,
            refusal=self.refusals.get(place),
            differs=differs,
        )

    def _graded(
        self, place: tuple[str, int], hand_in: HandIn | None
    ) -> tuple[Graded | None, Graded | None]:
        """The grade that counts, and a later one of the same files that decides otherwise."""
        grades = self.grades.get(place, [])
        # A record that tells of no hand-in has grades of files that lie there: the newest count.
        content = hand_in.content if hand_in else grades[-1].content if grades else None
        mine = [grade for grade in grades if grade.content == content]
        published = (grade for grade in reversed(mine) if grade.key in self.published)
        graded = next(published, mine[-1] if mine else None)
        return graded, _differing(graded, mine)

    def _state(
        self, place: tuple[str, int], hand_in: HandIn | None, graded: Graded | None
    ) -> State:
        if graded is not None:
            return "fault" if _is_fault(graded) else "graded"
        if place in self.refusals:
            return "refused"
        return "missing" if hand_in is None else "ungraded"


def _is_fault(graded: Graded) -> bool:
    """Also where the grader failed on one criterion alone: fewer points would then be a guess."""
    return graded.document is None or graded.document["status"] == "broken"


def _differing(graded: Graded | None, grades: Sequence[Graded]) -> Graded | None:
    """The newest later grade of the same files that decides otherwise."""
    if graded is None or graded.document is None:
        return None
    later = grades[grades.index(graded) + 1 :]
    told = _outcomes(graded)
    return next((one for one in reversed(later) if one.document and _outcomes(one) != told), None)


def _outcomes(graded: Graded) -> list[tuple[str, str]]:
    criteria = graded.document["criteria"] if graded.document else []
    return [(one["id"], one["outcome"]) for one in criteria]


def _late_by(hand_in: HandIn | None, due: datetime | None) -> timedelta | None:
    if hand_in is None or hand_in.handed_in_at is None or due is None:
        return None
    at = datetime.fromisoformat(hand_in.handed_in_at)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return at - due if at > due else None


def _by_place(grades: Iterable[Graded]) -> dict[tuple[str, int], list[Graded]]:
    found: dict[tuple[str, int], list[Graded]] = {}
    for grade in grades:
        found.setdefault((grade.learner, grade.lab), []).append(grade)
    return found


def _worth(grades: Mapping[tuple[str, int], Sequence[Graded]]) -> dict[int, int]:
    """The points of each lab, as the newest grade of it counts them; also those of broken ones."""
    newest: dict[int, Graded] = {}
    for (_, lab), some in grades.items():
        for grade in some:
            if grade.document and (lab not in newest or grade.began_at >= newest[lab].began_at):
                newest[lab] = grade
    return {
        lab: sum(one["points"] for one in grade.document["criteria"])
        for lab, grade in newest.items()
        if grade.document
    }
