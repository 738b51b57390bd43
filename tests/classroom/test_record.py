"""The record keeps what it was told, once, and forgets for good what it is told to forget."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from grader.classroom import record
from grader.classroom.record import Graded, HandIn, Record, Refusal
from grader.course.files import UsageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "class.sqlite"


def graded(**other: Any) -> Graded:
    known = {"learner": "mia", "lab": 1, "content": "c", "seed": 0, "course": "v1"}
    return Graded(**{**known, "status": "graded", "document": {"b": 1, "a": "é"}, **other})


def fault(**other: Any) -> Graded:
    return graded(status="fault", document=None, fault="It hung.", **other)


def test_every_kind_of_row_comes_back_as_it_was_given(path: Path) -> None:
    """Also after the file was closed and opened again."""
    hand_in = HandIn("mia", 1, 1, "c", None, "moodle", "a.zip", ("odd",), True, "2026-01-01")
    refusal = Refusal(None, 2, "b.zip", "No.", "2026-01-02")
    grade = graded(tier="landlock", worker="w", began_at="t", seconds=1.5, tries=2)
    with Record(path) as kept:
        kept.add_hand_in(hand_in)
        kept.add_refusal(refusal)
        assert kept.add_grade(grade, publish=True)
        adjusted = kept.adjust("mia", 1, 55.5, "an appeal")
    with Record(path) as kept:
        assert kept.hand_ins() == [hand_in]
        assert kept.refusals() == [refusal]
        assert kept.grades("mia", 1) == [grade]
        assert list(kept.grades()[0].document or {}) == ["b", "a"], "the order of a document stays"
        assert [one.key for one in kept.published()] == [grade.key]
        assert kept.adjustments() == [adjusted]
        assert kept.grades("ben") == kept.hand_ins(lab=2) == []
        assert kept.keys() == {grade.key: "graded"}


def test_a_key_has_one_grade_and_only_a_fault_gives_way(path: Path) -> None:
    with Record(path) as kept:
        assert kept.add_grade(fault())
        assert kept.add_grade(graded())
        assert not kept.add_grade(graded(document={"other": 1}))
        assert not kept.add_grade(fault())
        assert [one.document for one in kept.grades()] == [graded().document]


def test_a_mark_changes_by_publish_only(path: Path) -> None:
    """The first grade of a content is published by itself; another version's stands beside it."""
    new = graded(course="v2")
    with Record(path) as kept:
        kept.add_grade(fault(lab=3), publish=True)
        kept.add_grade(graded(), publish=True)
        kept.add_grade(new, publish=True)
        assert [one.course for one in kept.published()] == ["v1"]
        unknown = graded(course="v3")
        assert kept.publish([new.key, fault(lab=3).key, unknown.key]) == 1
        assert kept.publish([new.key]) == 0
        assert [one.course for one in kept.published()] == ["v2"]


def test_of_a_learners_attempts_one_counts(path: Path) -> None:
    with Record(path) as kept:
        for attempt in (1, 2):
            kept.add_hand_in(HandIn("mia", 1, attempt, f"c{attempt}"))
        assert [one.counts for one in kept.hand_ins()] == [False, True]
        kept.add_hand_in(HandIn("mia", 1, 1, "c1"))
        assert [one.counts for one in kept.hand_ins("mia")] == [True, False]


def test_a_refusal_is_kept_once_and_settled(path: Path) -> None:
    with Record(path) as kept:
        for sentence in ("First.", "Second."):
            kept.add_refusal(Refusal("mia", 1, "here", sentence))
        assert [one.sentence for one in kept.refusals()] == ["Second."]
        kept.settle_refusals("mia", 1, "here")
        assert kept.refusals() == []


def test_an_adjustment_is_undone_once_and_stays_in_the_list(path: Path) -> None:
    with Record(path) as kept:
        first = kept.adjust("mia", 1, 10, "late bus")
        assert kept.undo(first.id).undone_at
        with pytest.raises(UsageError, match="no adjustment 1 that could be undone"):
            kept.undo(first.id)
        assert kept.adjust("mia", 1, 20, "again").id == first.id + 1
        assert len(kept.adjustments("mia", 1)) == 2


def test_forgetting_leaves_nothing_in_the_file_or_its_log(path: Path) -> None:
    """Not even overwritten pages: the learner's name and words are nowhere in the bytes."""
    secret, name = "zebra-crossing", "mia-mustermann"
    with Record(path) as kept:
        kept.add_hand_in(HandIn(name, 1, 1, "c", odd=(secret,)))
        kept.add_refusal(Refusal(name, 1, secret, "No."))
        kept.add_grade(graded(learner=name, document={"text": secret * 500}), publish=True)
        kept.adjust(name, 1, 10, secret)
        kept.add_grade(graded(learner="ben"))
        assert kept.forget(name) == 5
        for file in path.parent.iterdir():
            content = file.read_bytes()
            assert secret.encode() not in content and name.encode() not in content, file.name
        assert [one.learner for one in kept.grades()] == ["ben"]


def test_forgetting_promises_nothing_while_another_reads(path: Path) -> None:
    with Record(path) as kept:
        kept.add_grade(graded())
        reader = sqlite3.connect(path)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM grades").fetchall()
        try:
            kept._sql.execute("PRAGMA busy_timeout = 50")
            with pytest.raises(UsageError, match="another program has"):
                kept.forget("mia")
        finally:
            reader.close()
        assert kept.forget("mia") == 0


def test_two_writers_wait_for_each_other(path: Path) -> None:
    with Record(path) as one, Record(path) as two:
        assert one.add_grade(graded())
        assert not two.add_grade(graded(document={"other": 2}))
        assert two.add_grade(graded(learner="ben"))
        assert len(one.grades()) == 2


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_only_the_owner_reads_it(path: Path) -> None:
    with Record(path) as kept:
        kept.add_grade(graded())
        rights = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert rights == {0o600}


def test_a_change_that_cannot_be_finished_leaves_the_old_state(path: Path) -> None:
    """A disk that is full in the middle: a sentence, and everything as it was."""
    with Record(path) as kept:
        kept.add_grade(graded())
        pages = kept._sql.execute("PRAGMA page_count").fetchone()[0]
        kept._sql.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(UsageError, match=r"is full\. What was recorded is not lost"):
            kept.add_grade(graded(learner="ben", document={"text": "x" * 100_000}))
        kept._sql.execute("PRAGMA max_page_count = 100000")
        assert [one.learner for one in kept.grades()] == ["mia"]
        assert kept.add_grade(graded(learner="ben"))


def test_what_is_no_record_or_is_newer_is_refused_in_a_sentence(path: Path) -> None:
    path.write_bytes(b"no database, but a letter to my grandmother" * 100)
    with pytest.raises(UsageError, match="is no record of a class"):
        Record(path)
    path.unlink()
    Record(path).close()
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {len(record.STEPS) + 1}")
    other.close()
    with pytest.raises(UsageError, match="written by a newer version of labs"):
        Record(path)
    with pytest.raises(UsageError, match="cannot be opened: is a directory"):
        Record(path.parent)
