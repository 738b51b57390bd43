"""The warm process judges as a cold one does, and leaves nothing behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grader.course import lab
from grader.course.evidence import Evidence
from grader.course.files import written
from grader.course.grade import Grade
from grader.course.warm import FORKS, Files, Warm


def graded(process: Warm, files: Files) -> Grade:
    """What a warm process says about files in the end."""
    process.start(files)
    while True:
        said = process.listen(60)
        assert said is not None and said[0] != "failed", said
        if isinstance(said[1], Grade):
            return said[1]


def seen(process: Warm, files: Files, criterion: str) -> tuple[Grade, Evidence]:
    """What it says about one criterion, together with what its findings speak of."""
    process.start(files, (criterion,), seen=True)
    while True:
        said = process.listen(60)
        assert said is not None and said[0] != "failed", said
        if isinstance(said[1], tuple):
            return said[1]


def broken(files: Files) -> Files:
    """The same files with a syntax error, which are graded fast."""
    return {**files, "handler.py": b"def handler(:\n"}


@pytest.mark.skipif(not FORKS, reason="no safe fork on this platform")
def test_a_warm_grade_is_the_cold_grade_byte_for_byte(nursery: Any) -> None:
    """After a grade of other files, too; with what a finding speaks of; nothing is left on disk."""
    from grader.course import judge

    chosen = lab.find("1")
    files = chosen.read(chosen.starter)
    warm = Warm(chosen, 3)
    try:
        graded(warm, broken(files))
        document = graded(warm, files).document()
        grade, evidence = seen(warm, files, "every-page")
        assert [one.criterion.id for one in grade.asked] == ["every-page"]
        assert evidence.documents[0]["scenario"] == "whole stream"
        home = warm._home
        assert warm._nursery is not None
        assert list((warm._nursery.work / "code").iterdir()) == []
    finally:
        warm.close()
    assert not home.exists()
    with written(files) as folder:
        cold = judge.grade(chosen, folder, seed=3, nursery=nursery).document()
    assert json.dumps(document) == json.dumps(cold)


@pytest.mark.played
def test_where_nothing_is_forked_one_process_is_kept_and_replaced_when_it_is_ended() -> None:
    """Started afresh, as on macOS and Windows: the same process grades again and again."""
    chosen = lab.find("1")
    files = broken(chosen.read(chosen.starter))
    warm = Warm(chosen, forks=False)
    try:
        first = graded(warm, files)
        process = warm._process.pid
        again = graded(warm, files)
        assert warm._process.pid == process
        assert first.document() == again.document()
        warm.start(files)
        warm.stop()
        assert not warm.busy and warm._process is None
    finally:
        warm.close()
