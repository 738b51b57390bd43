"""Handlers that fight the judge get no more than they deserve, and the host stays clean.

Each file in `tests/attacks/` stands in for lab 2's handler, with the solution's template around it.
`honest.py` is the beginner's handler that most of them wrap: an attack may cost its author points,
never win any. What the template alone decides is judged all the same.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from grader import judge, lab
from grader.grade import Grade

ATTACKS = Path(__file__).parent / "attacks"
# What is read on the template alone.
OF_THE_TEMPLATE = {"role-tight"}

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


def _processes() -> set[str]:
    """Every process of this machine, by pid and start time; empty where there is no /proc."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            found.add(f"{path.name} {fields[19]} {(path / 'cmdline').read_bytes()!r}")
        except OSError:
            continue
    return {one for one in found if "labs" in one or "grader" in one}


@pytest.mark.skipif(os.name == "nt", reason="the attacks use POSIX")
@pytest.mark.parametrize("name", attacks)
def test_an_attack_wins_nothing_and_leaves_nothing(
    name: str, tmp_path: Path, nursery: Any, honest: Grade
) -> None:
    before = _processes()
    home = {path.name for path in Path.home().iterdir()}

    grade = _grade(tmp_path / "lab", name, nursery)

    assert not grade.broken
    assert _won(grade) <= _won(honest)
    assert _won(grade) >= OF_THE_TEMPLATE & _won(honest)
    assert home == {path.name for path in Path.home().iterdir()}
    assert ["handler.py", "template.yaml"] == sorted(p.name for p in (tmp_path / "lab").iterdir())
    # A later grade with the same nursery is what it was: nothing was poisoned.
    assert before >= _processes() or not before


def test_grading_after_all_attacks_is_as_before(
    tmp_path: Path, nursery: Any, honest: Grade
) -> None:
    assert honest.document() == _grade(tmp_path / "lab", "honest", nursery).document()
