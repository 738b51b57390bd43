"""What is due is graded once and written down at once; a worker's trouble is nobody's mark."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fake_workers import Fake, failed, lost, won
from stub_inside import document

from grader.classroom import grading
from grader.classroom.grading import Held, Run, Task
from grader.classroom.parcel import Answer, Parcel
from grader.classroom.record import Graded, Record
from grader.classroom.seeds import Seeds
from grader.course import lab
from grader.course.files import UsageError
from grader.course.lab import Lab

ONE = lab.find("1")
V1, V2 = "v1", "v2"


class Class:
    """A class in a folder: hand something in, grade it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "handed-in"
        self.folder.mkdir()
        self.record = Record(root / "class.sqlite")

    def hand_in(self, learner: str, code: str = "x = 1\n", chosen: Lab = ONE) -> Path:
        place = self.folder / learner / chosen.name
        place.mkdir(parents=True, exist_ok=True)
        for name in chosen.editable:
            (place / name).write_text(code)
        return place

    def held(self, *only: str) -> list[Held]:
        return grading.collect(self.folder, [ONE], only)[0]

    def due(self, course: str = V1, seeds: Seeds | None = None, **options: bool) -> list[Task]:
        return grading.due(self.record, self.held(), seeds or Seeds(), course, **options)

    def grade(self, workers: Fake | None = None, course: str = V1, **options: Any) -> Any:
        tasks = self.due(course, **options)
        return Run(self.record, workers or Fake(), course, tasks).go(lambda text: None)

    def rows(self) -> list[tuple[str, str, str]]:
        return [(row.learner, row.course, row.status) for row in self.record.grades()]


@pytest.fixture
def class_(tmp_path: Path) -> Iterator[Class]:
    made = Class(tmp_path)
    yield made
    made.record.close()


def test_equal_files_are_graded_once_and_each_learner_gets_the_row(class_: Class) -> None:
    for learner in ("ann", "ben"):
        class_.hand_in(learner)
    class_.hand_in("cid", "y = 2\n")
    workers = Fake()
    assert class_.grade(workers).graded == 3
    assert len(workers.asked) == 2
    assert class_.rows() == [(name, V1, "graded") for name in ("ann", "ben", "cid")]
    assert [one.learner for one in class_.record.published()] == ["ann", "ben", "cid"]
    assert class_.due() == []


def test_with_a_secret_each_learner_is_graded_with_a_seed_of_their_own(class_: Class) -> None:
    for learner in ("ann", "ben"):
        class_.hand_in(learner)
    workers = Fake()
    seeds = Seeds(secret=b"0123456789abcdef")
    class_.grade(workers, seeds=seeds)
    drawn = [seeds.of(name, 1) for name in ("ann", "ben")]
    assert sorted(parcel.seed for parcel, _ in workers.asked) == sorted(drawn)
    assert [(row.document or {})["seed"] for row in class_.record.grades()] == drawn


def test_only_what_has_changed_is_graded_again(class_: Class) -> None:
    """A changed file is a hand-in of its own, whose first grade is its mark."""
    class_.hand_in("ann")
    class_.hand_in("ben", "z = 1\n")
    class_.grade()
    class_.hand_in("ann", "x = 2\n")
    assert [one.learner for task in class_.due() for one in task.held] == ["ann"]
    class_.grade()
    assert len(class_.record.grades("ann")) == len(class_.record.published("ann")) == 2


def test_a_new_course_grades_new_hand_ins_only_and_changes_no_mark(class_: Class) -> None:
    """`--regrade` grades beside; the difference is listed, and publishing takes it."""
    class_.hand_in("ann")
    class_.grade()
    assert class_.due(V2) == []
    assert class_.grade(Fake(lost), V2, regrade=True).graded == 1
    assert [one.course for one in class_.record.published()] == [V1]
    now = grading.standing(class_.record, class_.held(), Seeds(), V2)
    (difference,) = grading.differences(class_.record, now)
    assert difference.scores == (100, 100 - difference_points())
    assert list(difference.outcomes.values()) == [("met", "unmet")]
    assert class_.due(V2, regrade=True) == []
    assert class_.record.publish(now) == 1
    assert [one.course for one in class_.record.published()] == [V2]
    assert grading.differences(class_.record, now) == []


def difference_points() -> int:
    from grader.course.judge import criteria

    return criteria(ONE)[0].points


def test_what_fails_is_tried_once_more_by_another_worker(class_: Class) -> None:
    class_.hand_in("ann")
    class_.hand_in("ben", "y = 2\n")
    workers = Fake(
        lambda parcel, worker: won(parcel, worker) if worker == "b" else "the worker died"
    )
    assert class_.grade(workers).graded == 2
    assert {(row.worker, row.tries) for row in class_.record.grades()} == {("b", 2)}


def test_what_fails_twice_is_the_graders_fault_and_costs_nobody_else_a_grade(
    class_: Class,
) -> None:
    """It is no mark, is not tried by the next run, and is with `--retry` or under a new course."""
    place = class_.hand_in("ann", "bad\n")
    class_.hand_in("ben")
    bad = dict.fromkeys(ONE.editable, b"bad\n")
    workers = Fake(
        lambda parcel, worker: (
            failed("it hung.")(parcel, worker) if parcel.files == bad else won(parcel, worker)
        )
    )
    tally = class_.grade(workers)
    assert (tally.graded, len(tally.faults)) == (1, 1)
    (fault,) = class_.record.grades("ann")
    assert fault.status == "fault" and fault.tries == 2
    assert fault.fault == "on a: it hung.\non b: it hung."
    assert class_.record.published("ann") == []
    assert class_.due() == []
    assert len(class_.due(V2)) == len(class_.due(retry=True)) == 1
    assert class_.grade(retry=True).graded == 1
    assert [row.status for row in class_.record.grades("ann")] == ["graded"]
    assert place.exists()


def test_a_grade_with_a_criterion_that_nobody_decided_is_a_fault(class_: Class) -> None:
    def broken(parcel: Parcel, worker: str) -> Answer:
        answer = lost(parcel, worker)
        said = answer.document or {}
        row = said["criteria"][0]
        row["outcome"] = "broken"
        said.update(status="broken", max_score=100 - row["points"])
        return answer

    class_.hand_in("ann")
    assert len(class_.grade(Fake(broken)).faults) == 1
    (row,) = class_.record.grades()
    assert row.status == "fault" and "the grader failed at" in str(row.fault) and row.document


@pytest.mark.parametrize("lie", ["seed", "files", "shape"])
def test_an_answer_that_does_not_fit_is_never_a_grade(class_: Class, lie: str) -> None:
    def say(parcel: Parcel, worker: str) -> Answer:
        said = document(replace(parcel, seed=9) if lie == "seed" else parcel)
        if lie == "files":
            said["files"] = {}
        if lie == "shape":
            del said["criteria"]
        return Answer("graded", said, "", "namespaces", 0.5, worker)

    class_.hand_in("ann")
    assert len(class_.grade(Fake(say)).faults) == 1
    assert "does not fit" in str(class_.record.grades()[0].fault)


def test_a_worker_that_refuses_ends_the_run_and_what_is_done_stays(class_: Class) -> None:
    class_.hand_in("ann")
    class_.hand_in("ben", "y = 2\n")

    def say(parcel: Parcel, worker: str) -> Answer:
        if len(class_.record.grades()):
            return Answer("refused", None, "learners' code would be free there", "", 0.1, "tls://w")
        return won(parcel, worker)

    with pytest.raises(UsageError, match="The worker tls://w grades nothing: learners' code"):
        class_.grade(Fake(say))
    assert len(class_.rows()) == 1
    assert class_.grade().graded == 1


def test_a_kill_between_two_rows_of_one_grade_loses_neither(
    class_: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    for learner in ("ann", "ben"):
        class_.hand_in(learner)
    keep = Record.add_grade
    kept: list[Graded] = []

    def killed(self: Record, grade: Graded, *, publish: bool = False) -> bool:
        if kept:
            raise KeyboardInterrupt
        kept.append(grade)
        return keep(self, grade, publish=publish)

    monkeypatch.setattr(Record, "add_grade", killed)
    with pytest.raises(KeyboardInterrupt):
        class_.grade()
    monkeypatch.undo()
    assert class_.grade().graded == 1
    assert class_.rows() == [("ann", V1, "graded"), ("ben", V1, "graded")]


def test_what_cannot_be_read_is_told_and_stops_nobody(class_: Class) -> None:
    """A missing file, an empty one, a file in place of a folder, links: each in a sentence."""
    class_.hand_in("ann")
    (class_.hand_in("ben") / ONE.editable[0]).unlink()
    (class_.hand_in("cid") / ONE.editable[0]).write_text("")
    (class_.folder / "dan").mkdir()
    (class_.folder / "dan" / ONE.name).write_text("a file")
    (class_.folder / "eve").mkdir()
    (class_.folder / ".attempts" / "fay" / ONE.name).mkdir(parents=True)
    refused = 3
    if hasattr(os, "symlink") and os.name != "nt":
        (class_.folder / "gus").symlink_to(class_.folder / "ann", target_is_directory=True)
        (class_.folder / "hal").mkdir()
        (class_.folder / "hal" / ONE.name).symlink_to(class_.folder / "ann" / ONE.name)
        place = class_.hand_in("ida") / ONE.editable[0]
        place.unlink()
        place.symlink_to(class_.folder / "ann" / ONE.name / ONE.editable[0])
        refused += 3
    held, told = grading.collect(class_.folder, [ONE])
    assert [one.learner for one in held] == ["ann"]
    assert len(told) == refused
    assert {one.source.partition("/")[0] for one in told} <= {
        "ben",
        "cid",
        "dan",
        "gus",
        "hal",
        "ida",
    }
    grading.note(class_.record, held, told)
    grading.note(class_.record, held, told)
    assert len(class_.record.refusals()) == refused
    class_.hand_in("ben")
    grading.note(class_.record, *grading.collect(class_.folder, [ONE]))
    assert "ben" not in {one.learner for one in class_.record.refusals()}


def test_files_that_were_put_there_by_hand_are_an_attempt_of_unknown_time(class_: Class) -> None:
    """Once; files that came before count again when they are put back."""
    class_.hand_in("ann")
    for code in ("x = 1\n", "x = 1\n", "x = 2\n", "x = 1\n"):
        class_.hand_in("ann", code)
        grading.note(class_.record, class_.held(), [])
    attempts = class_.record.hand_ins()
    assert [(one.attempt, one.counts, one.handed_in_at) for one in attempts] == [
        (1, True, None),
        (2, False, None),
    ]


def test_a_learner_who_is_not_there_is_told_with_the_nearest(class_: Class) -> None:
    class_.hand_in("mia.mueller")
    with pytest.raises(UsageError, match=r"nothing of mia\.muller\. Did you mean mia\.mueller\?"):
        class_.held("mia.muller")
    assert len(class_.held("mia.mueller")) == 1


def test_files_that_change_while_others_are_graded_are_left_for_the_next_run(
    class_: Class,
) -> None:
    class_.hand_in("ann")
    tasks = class_.due()
    class_.hand_in("ann", "x = 2\n")
    tally = Run(class_.record, Fake(), V1, tasks).go(lambda text: None)
    assert (tally.graded, len(tally.passed_over)) == (0, 1)
    assert "was changed meanwhile" in tally.passed_over[0].sentence
    assert class_.grade().graded == 1


def test_notes_on_files_that_do_not_travel_are_those_of_labs_grade(class_: Class) -> None:
    place = class_.hand_in("ann")
    (place / "large.bin").write_bytes(bytes(2_000_000))
    class_.grade()
    (row,) = class_.record.grades()
    assert (row.document or {})["notes"] == ONE.left_behind(place) != []


def test_the_progress_line_says_done_left_rate_and_end() -> None:
    tally = grading.Tally(120, began=time.monotonic() - 60)
    assert tally.text() == "0 of 120 graded, 120 left"
    tally.graded = 30
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert tally.text(lambda: noon) == (
        "30 of 120 graded, 90 left, 30 a minute, done at about 12:03"
    )
    tally.graded = 120
    assert tally.text() == "120 of 120 graded, 0 left"


def test_two_runs_of_a_class_take_turns(tmp_path: Path) -> None:
    """The second says that it waits, and goes on when the first has ended, however it ended."""
    told, order = threading.Event(), []

    def second() -> None:
        with grading.alone(tmp_path, told.set):
            order.append("second")

    with grading.alone(tmp_path, lambda: order.append("waited in vain")):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert {one.stat().st_mode & 0o777 for one in tmp_path.iterdir()} == {0o600}
