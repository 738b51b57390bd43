"""A finding's place is the line whose change wins the criterion: compared with each wrong answer's edit.

Read from the golden files, which `test_submissions` compares with what a learner reads.
"""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from grader.course import answers, lab
from grader.course.answers import Answer

GOLDEN = Path(__file__).parents[1] / "golden" / "submissions"
# For each lab how many percent of its wrong answers' findings point into the edit, or at its resource.
# A figure may only rise; the aim is 85.
FLOORS = tomllib.loads((GOLDEN / "pointing.toml").read_text(encoding="utf-8"))


def _place(answer: Answer) -> str:
    """The finding's place, as it is shown, on one line."""
    golden = GOLDEN / f"lab{answer.lab.number:02}" / f"{answer.name}.txt"
    found = re.search(
        r"^  Where +(.*?)^  Next ", golden.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert found is not None, golden
    return " ".join(found[1].split())


def _resources(text: str) -> dict[str, range]:
    """The lines (from 1) of each resource of a template."""
    begins: list[tuple[str, int]] = []
    lines = text.splitlines()
    inside = False
    for number, line in enumerate(lines, start=1):
        if re.match(r"\S", line):
            if inside:
                begins.append(("", number))
            inside = line.startswith("Resources:")
        elif inside and (found := re.match(r"  (\w+):", line)):
            begins.append((found[1], number))
    begins.append(("", len(lines) + 1))
    return {name: range(start, end) for (name, start), (_, end) in pairwise(begins) if name}


def _touched(answer: Answer) -> set[str]:
    """The resources in which the edit stands, and those that it took out."""
    before = _resources(answer.base["template.yaml"].decode())
    after = _resources(answer.files["template.yaml"].decode())
    hunks = answer.hunks().get("template.yaml", [])
    inside = {name for name, lines in after.items() for hunk in hunks if set(hunk) & set(lines)}
    return inside | (set(before) - set(after))


def points(answer: Answer) -> bool:
    """Whether the finding's place lies in the edit, or in or at a resource that it touches."""
    place = _place(answer)
    found = re.match(r"([\w.-]+):(\d+)", place)
    if found is None:
        return any(re.search(rf"\b{name}\b", place) for name in _touched(answer))
    name, number = found[1], int(found[2])
    if any(number in hunk for hunk in answer.hunks().get(name, [])):
        return True
    resources = _resources(answer.files[name].decode()) if name == "template.yaml" else {}
    return any(number in lines for one, lines in resources.items() if one in _touched(answer))


@pytest.mark.parametrize("chosen", lab.labs(), ids=lambda chosen: chosen.name)
def test_findings_point_at_what_would_win_the_criterion(chosen: lab.Lab) -> None:
    misjudged = answers.misjudged()
    wrong = [one for one in answers.kept(chosen) if one.kind == "wrong" and one.id not in misjudged]
    astray = sorted(f"{one.name}: {_place(one)}" for one in wrong if not points(one))
    share = 100 * (len(wrong) - len(astray)) // len(wrong)

    floor = FLOORS[f"lab{chosen.number:02}"]
    assert share >= floor, "\n".join(astray)
    assert share == floor or floor >= 85, f"{share} % point into the edit: raise the figure"
