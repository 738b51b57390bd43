"""The instructor's guide: its half hour leads to marks, and its mistakes are those that tests keep."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "classroom"))
import exports

from grader.classroom import settings
from grader.course import answers
from grader.course import lab as labs
from grader.course.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/instructor/index.md"
MODULES = ROOT / "docs/instructor/modules.md"


@pytest.mark.played
@pytest.mark.skipif(sys.platform != "linux", reason="a class is graded on Linux")
def test_the_half_hour_leads_from_a_download_to_a_filled_worksheet(tmp_path: Path) -> None:
    """Run as it stands on the page, for two of the class; the third has handed in nothing.

    `labs` grades one after the other here, without a cluster of Dask.
    """
    ada, grace, eve = exports.CLASS[0], exports.CLASS[1], exports.CLASS[-1]
    hand_ins = [(ada, 17, exports.answer("2", "solution")), (grace, 18, exports.answer("2"))]
    friday = "Friday, 5 March 2027, 11:41 PM"
    rows = [(ada, 17, friday), (grace, 18, friday), (eve, 19, "-")]
    (tmp_path / "lab-2.zip").write_bytes(exports.packed(exports.moodle(hand_ins)))
    (tmp_path / "worksheet.csv").write_text(exports.worksheet(rows), encoding="utf-8")
    (tmp_path / "roster.csv").write_text(exports.roster([ada, grace, eve]), encoding="utf-8")
    commands = tmp_path / "bin"
    commands.mkdir()
    wrapper = commands / "labs"
    wrapper.write_text(
        f'#!/bin/sh\n[ "$2" != grade ] || set -- "$@" --workers 0 --weak-isolation\n'
        f'exec "{sys.executable}" -m grader "$@"\n'
    )
    wrapper.chmod(0o755)

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", _half_hour()],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    reports = tmp_path / "streams-class" / "reports"
    with (reports / "moodle.csv").open(encoding="utf-8-sig", newline="") as file:
        marks = {row["Full name"]: row["Grade"] for row in csv.DictReader(file)}
    assert marks[ada.name] == "100" and 0 < int(marks[grace.name]) < 60
    assert marks[eve.name] == "", "nothing was handed in: that is no zero of ours"
    assert (reports / "overview.html").is_file()
    assert (reports / "feedback" / "grace" / "feedback.html").is_file()


def _half_hour() -> str:
    blocks = re.findall(r"^```console\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    (steps,) = [block for block in blocks if "labs class init" in block]
    return steps


def test_the_deadlines_on_the_page_are_a_class_file(tmp_path: Path) -> None:
    """They are read as they stand there, and mean what the page says."""
    (block,) = re.findall(r"^```toml\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    head = 'labs = [1, 2]\ntimezone = "Europe/Berlin"\n'
    (tmp_path / "class.toml").write_text(head + block, encoding="utf-8")
    course = settings.load(tmp_path)
    assert course.late.policy == "percent" and course.late.percent_a_day == 10
    due, more, most = (
        course.due(*who, 2) for who in (("mia", ""), ("ada", ""), ("mia", "evening"))
    )
    assert due is not None and more is not None and most is not None
    assert (more - due).days == 3 and (most - due).days == 7
    assert course.due("mia", "", 1) is None


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
