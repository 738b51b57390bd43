"""The instructor's guide: its loop grades a class, and its mistakes are those that the tests keep."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader.course import answers
from grader.course import lab as labs
from grader.course.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/instructor/index.md"
MODULES = ROOT / "docs/instructor/modules.md"


@pytest.mark.played
@pytest.mark.skipif(os.name == "nt", reason="the loop is for a POSIX shell")
def test_the_loop_prints_a_line_for_each_submission(tmp_path: Path) -> None:
    """Run as it stands on the page. `labs` is asked for one criterion only, which saves its seconds."""
    lab = labs.find("1")
    handed_in = tmp_path / "handed-in"
    shutil.copytree(lab.solution, handed_in / "mia")
    shutil.copytree(lab.starter, handed_in / "noor")
    shutil.copytree(lab.starter, handed_in / "olu")
    (handed_in / "olu" / "reader.py").unlink()
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "python3").symlink_to(sys.executable)
    wrapper = commands / "labs"
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m grader "$@" --only stream-images\n')
    wrapper.chmod(0o755)

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _loop()],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "mia: 8",
        "noor: 0",
        "olu: not graded: labs: handed-in/olu holds no reader.py; "
        "lab 1 needs reader.py and template.yaml.",
    ]
    assert done.stdout.splitlines()[2] in GUIDE.read_text(encoding="utf-8")


def _loop() -> str:
    blocks = re.findall(r"^```console\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    (loop,) = [block for block in blocks if "for folder in handed-in" in block]
    return loop


@pytest.mark.parametrize("lab", labs.labs(), ids=lambda lab: lab.name)
def test_the_guide_knows_each_criterion_that_a_wrong_answer_loses(lab: Lab) -> None:
    """Every wrong answer that the tests keep loses a criterion of which the lab's table speaks."""
    told = _criteria_in_the_table(lab)
    for answer in answers.kept(lab):
        known = any(re.fullmatch(told, criterion) for criterion in answer.loses)
        assert known or answer.kind == "right", answer.id


@pytest.mark.parametrize("lab", labs.labs(), ids=lambda lab: lab.name)
def test_the_guide_names_only_criteria_of_the_lab(lab: Lab) -> None:
    readme = (lab.starter / "README.md").read_text(encoding="utf-8")
    criteria = re.findall(r"^\| \d \| `([a-z0-9-]+)` \|", readme, re.M)
    for told in _criteria_in_the_table(lab).split("|"):
        assert any(re.fullmatch(told, criterion) for criterion in criteria), told


def _criteria_in_the_table(lab: Lab) -> str:
    """A pattern of all criteria in the middle column of the mistakes; "…" stands for any end."""
    section = MODULES.read_text(encoding="utf-8").split(f"{{ #mistakes-{lab.number} }}", 1)[1]
    lines = section.split("\n### ", 1)[0].splitlines()
    middle = " ".join(line.split(" | ")[1] for line in lines if line.count(" | ") == 2)
    found = re.findall(r"`([a-z0-9]+(?:-(?:[a-z0-9]+|…))*)`", middle)
    return "|".join(name.replace("…", ".+") for name in found)
