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
    labs = settings.labs if labs is None else labs
    hand_ins = {(one.learner, one.lab): one for one in record.hand_ins() if one.counts}
    grades = _by_place(record.grades())
    refusals = {(one.learner, one.lab): one for one in record.refusals()}
    adjustments = {
        (one.learner, one.lab): one for one in record.adjustments() if one.undone_at is None
    }
    published = {one.key for one in record.published()}
    known = dict.fromkeys(
        [*roster, *sorted({place[0] for place in (*hand_ins, *grades, *adjustments)})]
    )
    worth = _worth(grades)
    return [
        _mark(
            settings,
            roster.get(learner) or Learner(learner),
            lab,
            worth.get(lab, 0),
            hand_ins.get((learner, lab)),
            grades.get((learner, lab), []),
            published,
            refusals.get((learner, lab)),
            adjustments.get((learner, lab)),
        )
        for learner in known
        for lab in labs
    ]


def penalty_for(late: Late, score: float, late_by: timedelta | None) -> float:
    """What being late takes off ``score``; by percent for each day begun, never more than all."""
    if late_by is None or late.policy == "none":
        return 0.0
    if late.policy == "zero":
        return float(score)
    days = math.ceil(late_by / timedelta(days=1))
    return round(score * min(1.0, days * late.percent_a_day / 100), 2)


def _mark(
    settings: Settings,
    learner: Learner,
    lab: int,
    worth: int,
    hand_in: HandIn | None,
    grades: Sequence[Graded],
    published: set[tuple[str, int, str, int, str]],
    refusal: Refusal | None,
    adjusted: Adjustment | None,
) -> Mark:
    # Without `take`, files lie there that no hand-in tells of: then the newest grade's count.
    content = hand_in.content if hand_in else grades[-1].content if grades else None
    mine = [grade for grade in grades if grade.content == content]
    graded = next((grade for grade in reversed(mine) if grade.key in published), None)
    graded = graded or (mine[-1] if mine else None)
    state: State = "missing"
    if graded is not None:
        state = "fault" if _is_fault(graded) else "graded"
    elif refusal is not None:
        state = "refused"
    elif content is not None:
        state = "ungraded"
    late_by = _late_by(hand_in, settings.due(learner.key, learner.section or None, lab))
    score = penalty = None
    if state == "graded" and graded is not None and graded.document is not None:
        score = int(graded.document["score"])
        penalty = penalty_for(settings.late, score, late_by)
    points = None if score is None else score - (penalty or 0.0)
    return Mark(
        learner=learner.key,
        lab=lab,
        state=state,
        points=adjusted.points if adjusted else points,
        out_of=worth,
        score=score,
        late_by=late_by,
        penalty=penalty or 0.0,
        adjusted=adjusted,
        graded=graded,
        hand_in=hand_in,
        refusal=refusal,
        differs=_differing(graded, mine),
    )


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
