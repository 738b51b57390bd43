"""Lab 1's `labs run`: what the reader prints is shown, and what describe makes of each change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from grader.course import lab
from grader.course.criterion import criteria
from grader.course.labs.lab01 import told as timelines
from grader.course.labs.lab01.changes import changes
from grader.course.stage import Stage

LAB = lab.find("1")


def test_descriptions_and_printed_lines_are_told_without_lambdas_own(
    tmp_path: Path, nursery: Any
) -> None:
    folder = tmp_path / "lab"
    shutil.copytree(LAB.solution, folder)
    reader = folder / "reader.py"
    text = reader.read_text(encoding="utf-8")
    body = '    change = record["dynamodb"]\n'
    assert text.count(body) == 1
    reader.write_text(text.replace(body, f'{body}    print(record["eventName"])\n'), "utf-8")

    with Stage(folder, lab=LAB, seed=0, nursery=nursery, linted=False) as stage:
        stage.begin(criteria(LAB.number, LAB.slug)[0])
        told = list(timelines.TIMELINES["describe"](stage))

    assert [line for line in told if not line.startswith(" ")] == [one.name for one in changes()]
    assert [line for line in told if line.startswith("  what: ")] == [
        f"  what: {one.what}" for one in changes()
    ]
    events = {"created": "INSERT", "changed": "MODIFY", "deleted": "REMOVE", "expired": "REMOVE"}
    assert [line for line in told if "printed" in line] == [
        f"  printed: {events[one.what]}" for one in changes()
    ]
