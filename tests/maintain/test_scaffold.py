"""A lab that `labs dev new` makes holds from the first minute: run, graded, checked, tested.

Each is made in a copy of this clone, so that its criteria are found as every lab's are.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.course.files import PACKAGE

ROOT = PACKAGE.parent
PARTS = ("grader", "labs", "solutions", "tests", "docs", "includes", "mkdocs.yml", "pyproject.toml")

pytestmark = pytest.mark.played

Run = Callable[..., subprocess.CompletedProcess[str]]


# The first has the next number; the second leaves numbers out, and its tables grow with its name.
NEW = ["07-fan-out", "12-a-lab-whose-name-is-longer-than-others"]


@pytest.fixture(scope="module", name="clone")
def _clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this clone with the new labs in it."""
    root = tmp_path_factory.mktemp("clone") / "course"
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
            )
        else:
            shutil.copy(ROOT / part, root / part)
    for lab in NEW:
        made = python(root, "-m", "grader", "dev", "new", lab)
        assert made.returncode == 0, made.stderr
    return root


def python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in the copy, with the copy's package."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
    )


@pytest.mark.parametrize("lab", NEW)
def test_it_can_be_run_and_graded(clone: Path, lab: str) -> None:
    """The starter wins something and not too much; the solution wins everything."""
    number = str(int(lab[:2]))
    told = python(clone, "-m", "grader", "run", number)
    assert (told.returncode, told.stderr) == (0, "")
    assert "batch 1, attempt 1: 3 records" in told.stdout

    starter = json.loads(python(clone, "-m", "grader", "grade", number, "--json").stdout)
    assert starter["score"] == 40
    solution = ("grade", number, "--path", f"solutions/{lab}", "--json")
    solved = python(clone, "-m", "grader", *solution)
    assert json.loads(solved.stdout)["score"] == 100 and solved.returncode == 0


def test_they_are_refused_nothing_and_their_answers_are_judged_as_they_say(clone: Path) -> None:
    """What `labs dev check` says of them; and their own tests, with the golden texts they came with."""
    numbers = [str(int(lab[:2])) for lab in NEW]
    checked = python(clone, "-m", "grader", "dev", "check", *numbers, "--seeds", "2")
    assert checked.stdout == "Every lab is in order.\n"
    own = " or ".join(f"lab{lab[:2]} or {lab}" for lab in NEW)
    tested = python(clone, "-m", "pytest", "-q", "tests/course/test_submissions.py", "-k", own)
    assert tested.returncode == 0, tested.stdout


def test_what_is_not_played_of_the_suite_knows_them(clone: Path) -> None:
    """The tests of the contract, of the map and of the guide hold with more labs."""
    tested = python(
        clone,
        *("-m", "pytest", "-q", "-m", "not played"),
        *("tests/maintain/test_contract.py", "tests/maintain/test_layers.py"),
        *("tests/maintain/test_instructor_guide.py", "tests/desk/test_standing.py"),
    )
    assert tested.returncode == 0, tested.stdout


def test_the_finish_counts_them(clone: Path) -> None:
    """With every lab passed, the last screen speaks of all of them, the new ones included."""
    program = (
        "from grader.course.lab import labs\n"
        "from grader.course.progress import Entry, Progress\n"
        "from grader.desk import standing\n"
        "passed = {lab.slug: Entry(1, 100, passed=True, last=100) for lab in labs()}\n"
        "print(chr(10).join(standing.lines(labs(), Progress(passed))))\n"
    )
    shown = python(clone, "-c", program).stdout
    count = len(list((clone / "labs").iterdir()))
    assert f"All {count} labs are passed" in shown
