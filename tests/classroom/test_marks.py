"""A mark is the published grade of what counts; late is said, and costs what the policy says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from made_class import DUE, grade, graded, hand_in, settings

from grader.classroom.marks import Mark, marks, penalty_for
from grader.classroom.record import HandIn, Record, Refusal
from grader.classroom.roster import Learner
from grader.classroom.settings import Extension, Late

ROSTER = {"mia": Learner("mia", section="evening")}


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    with Record(tmp_path / "class.sqlite") as record:
        yield record


def only(record: Record, **more: object) -> Mark:
    (mark,) = marks(settings(record.path.parent, **more), ROSTER, record)
    return mark


def after(**late: float) -> str:
    return (DUE + timedelta(**late)).isoformat()


def test_what_is_handed_in_and_met_is_worth_its_points(record: Record) -> None:
    hand_in(record, "mia", grade({"once-crash": "unmet"}))
    mark = only(record)
    assert (mark.state, mark.points, mark.score, mark.out_of) == ("graded", 70, 70, 100)
    assert mark.late_by is None and mark.penalty == 0 and not mark.passed


def test_who_handed_nothing_in_has_no_points_and_no_zero(record: Record) -> None:
    hand_in(record, "tom", grade())
    mia, tom = marks(settings(record.path.parent), ROSTER, record)
    assert (mia.learner, mia.state, mia.points, mia.out_of) == ("mia", "missing", None, 100)
    assert mia.missing and (tom.learner, tom.points, tom.passed) == ("tom", 100, True)


def test_a_refused_hand_in_is_told_apart_from_a_missing_one(record: Record) -> None:
    record.add_refusal(Refusal("mia", 2, "a.zip", "The archive holds a link."))
    mark = only(record)
    assert mark.state == "refused" and mark.points is None
    assert mark.refusal is not None and "link" in mark.refusal.sentence


def test_a_refusal_takes_nothing_from_what_was_handed_in_before(record: Record) -> None:
    hand_in(record, "mia", grade())
    record.add_refusal(Refusal("mia", 2, "b.zip", "The archive holds a link."))
    assert only(record).points == 100 and only(record).refusal is not None


def test_what_was_taken_and_not_graded_yet_is_said_so(record: Record) -> None:
    record.add_hand_in(HandIn("mia", 2, 1, "c1"))
    assert only(record).state == "ungraded" and only(record).points is None
    record.add_refusal(Refusal("mia", 2, "mia/02-lambda-triggers", "handler.py is no text."))
    assert only(record).state == "refused"


@pytest.mark.parametrize("broken", [None, grade({"role-tight": "broken"})])
def test_a_fault_of_the_graders_costs_no_points(record: Record, broken: object) -> None:
    """Neither where nothing could be graded nor where one criterion could not be."""
    hand_in(record, "mia", broken)  # type: ignore[arg-type]
    assert only(record).state == "fault" and only(record).points is None


def test_the_attempt_that_counts_decides(record: Record) -> None:
    """Also when an earlier one was better and is graded and published, too."""
    hand_in(record, "mia", grade(), content="c1", attempt=1)
    hand_in(record, "mia", grade({"role-tight": "unmet"}), content="c2", attempt=2)
    assert only(record).points == 60


def test_a_later_grade_of_the_same_files_changes_nothing_until_it_is_published(
    record: Record,
) -> None:
    hand_in(record, "mia", grade({"role-tight": "unmet"}))
    later = graded("mia", grade(), course="v2", began_at="2027-04-01T10:00:00+00:00")
    record.add_grade(later, publish=True)
    mark = only(record)
    assert mark.points == 60 and mark.differs is not None and mark.differs.course == "v2"
    record.publish([later.key])
    assert only(record).points == 100 and only(record).differs is None


def test_a_later_grade_that_says_the_same_is_no_difference(record: Record) -> None:
    hand_in(record, "mia", grade())
    record.add_grade(graded("mia", grade(), course="v2", began_at="2027-04-01T10:00:00+00:00"))
    assert only(record).differs is None


# --- late ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "late"),
    [(after(), None), (after(seconds=1), timedelta(seconds=1)), (after(days=2), timedelta(days=2))],
)
def test_late_is_what_comes_after_the_deadline(
    record: Record, at: str, late: timedelta | None
) -> None:
    hand_in(record, "mia", grade(), at=at)
    assert only(record).late_by == late


def test_a_time_in_another_zone_is_compared_as_the_moment_it_is(record: Record) -> None:
    """23:30 in Berlin is before a deadline of 22:59 UTC, and after it in New York."""
    hand_in(record, "mia", grade(), at="2027-03-05T23:30:00+01:00")
    assert only(record).late_by is None
    hand_in(record, "mia", grade(), at="2027-03-05T23:30:00-05:00")
    assert only(record).late_by == timedelta(hours=5, minutes=31)


def test_an_unknown_time_is_never_late(record: Record) -> None:
    hand_in(record, "mia", grade(), at=None)
    mark = only(record, late=Late("zero"))
    assert mark.late_by is None and mark.points == 100


def test_an_extension_of_the_section_counts(record: Record) -> None:
    hand_in(record, "mia", grade(), at=after(days=1))
    longer = Extension(None, "evening", None, None, 2)
    assert only(record, extensions=(longer,)).late_by is None
    assert only(record).late_by is not None


def test_late_is_marked_and_costs_nothing_without_a_policy(record: Record) -> None:
    hand_in(record, "mia", grade(), at=after(days=9))
    mark = only(record)
    assert mark.late_by == timedelta(days=9) and mark.points == 100 and mark.penalty == 0


@pytest.mark.parametrize(
    ("late", "by", "costs"),
    [
        (Late("zero"), timedelta(seconds=1), 85),
        (Late("percent", 10), timedelta(seconds=1), 8.5),
        (Late("percent", 10), timedelta(days=1), 8.5),
        (Late("percent", 10), timedelta(days=1, seconds=1), 17),
        (Late("percent", 10), timedelta(days=40), 85),
        (Late("percent", 33.3), timedelta(hours=30), 56.61),
        (Late("percent", 10), None, 0),
        (Late("none"), timedelta(days=3), 0),
    ],
)
def test_the_policy_takes_off_for_each_day_begun(
    late: Late, by: timedelta | None, costs: float
) -> None:
    assert penalty_for(late, 85, by) == pytest.approx(costs)


# --- adjustments --------------------------------------------------------------------------------


def test_an_adjustment_stands_over_grade_and_policy_and_outlives_a_regrade(record: Record) -> None:
    hand_in(record, "mia", grade({"role-tight": "unmet"}), at=after(days=1))
    made = record.adjust("mia", 2, 75.5, "The queue was named in class.")
    late = Late("zero")
    mark = only(record, late=late)
    assert (mark.points, mark.score, mark.penalty) == (75.5, 60, 60) and mark.adjusted == made
    later = graded("mia", grade(), course="v2", began_at=datetime.now(UTC).isoformat())
    record.add_grade(later)
    record.publish([later.key])
    assert only(record, late=late).points == 75.5
    record.undo(made.id)
    assert only(record, late=late).points == 0 and only(record).adjusted is None


def test_of_several_adjustments_the_newest_holds_until_it_is_undone(record: Record) -> None:
    hand_in(record, "mia", grade())
    record.adjust("mia", 2, 10, "first")
    second = record.adjust("mia", 2, 20, "second")
    assert only(record).points == 20
    record.undo(second.id)
    assert only(record).points == 10


def test_an_adjustment_gives_points_where_nothing_was_graded(record: Record) -> None:
    record.adjust("mia", 2, 50, "Shown in person.")
    mark = only(record)
    assert mark.missing and mark.points == 50
