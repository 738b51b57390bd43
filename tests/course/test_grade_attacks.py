"""Handlers that fight the judge get no more than they deserve, and the host stays clean.

Each file in `tests/course/attacks/` stands in for lab 2's handler, with the solution's template around it.
`honest.py` is the beginner's handler that most of them wrap: an attack may cost its author points,
never win any. What the template alone decides is judged all the same.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from grader.course import judge, lab
from grader.course.grade import Grade

ATTACKS = Path(__file__).parent / "attacks"
# What is read on the template alone and judged whatever the handler does.
OF_THE_TEMPLATE = {"role-tight"}

# What computes until it is ended, whenever that is: `tests/classroom/test_class.py` grades one of
# them in the time that everybody has.
ENDLESS = {"loops_and_catches_everything", "loops_for_ever"}

attacks = sorted(path.stem for path in ATTACKS.glob("*.py") if path.stem != "honest")


def _grade(place: Path, name: str, nursery: Any) -> Grade:
    lab2 = lab.find("2")
    shutil.copytree(lab2.solution, place, ignore=shutil.ignore_patterns("NOTES.md"))
    shutil.copy(ATTACKS / f"{name}.py", place / "handler.py")
    return judge.grade(lab2, place, nursery=nursery)


def _won(grade: Grade) -> set[str]:
    return {verdict.criterion.id for verdict in grade.verdicts if verdict.outcome == "met"}


@pytest.fixture(scope="module", name="honest")
def _honest(tmp_path_factory: pytest.TempPathFactory, nursery: Any) -> Grade:
    """The grade of the handler that the attacks wrap."""
    return _grade(tmp_path_factory.mktemp("honest") / "lab", "honest", nursery)


def _offspring() -> set[int]:
    """Every process that this one has started, directly or not; empty where there is no /proc."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (path / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            parents[int(path.name)] = int(parent)
    found = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return found


def _left_over(before: set[int]) -> set[int]:
    """What is still there after a while: a process that was told to end needs a moment."""
    for _ in range(100):
        if not (left := _offspring() - before):
            break
        time.sleep(0.05)
    return left


@pytest.mark.skipif(os.name == "nt", reason="the attacks use POSIX")
@pytest.mark.parametrize("name", attacks)
def test_an_attack_wins_nothing_and_leaves_nothing(
    name: str, tmp_path: Path, nursery: Any, impatient: Any, honest: Grade
) -> None:
    before = _offspring()
    home = {path.name for path in Path.home().iterdir()}

    grade = _grade(tmp_path / "lab", name, impatient if name in ENDLESS else nursery)

    assert not grade.broken
    assert grade.score <= honest.score
    assert _won(grade) >= OF_THE_TEMPLATE
    assert grade.document()["max_score"] == 100
    assert {one.outcome for one in grade.verdicts} <= {"met", "unmet", "unreached"}
    assert home == {path.name for path in Path.home().iterdir()}
    assert sorted(p.name for p in (tmp_path / "lab").iterdir()) == ["handler.py", "template.yaml"]
    assert not _left_over(before)


def test_grading_after_all_attacks_is_as_before(
    tmp_path: Path, nursery: Any, honest: Grade
) -> None:
    assert honest.document() == _grade(tmp_path / "lab", "honest", nursery).document()
