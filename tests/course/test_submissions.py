"""Every known answer to every lab is judged as it deserves.

`tests/submissions/labNN/right/<name>/` holds right answers built in different ways: each scores
100. `wrong/<name>/` holds wrong ones with an `expect.toml` that says which criteria each loses; it
keeps all the others. Both are overlaid on the lab's solution. The first finding of each wrong
answer, as a learner reads it, is kept in `tests/golden/submissions/`.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from grader.course import judge, lab
from grader.course.grade import Grade
from grader.desk import report

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
GOLDEN = Path(__file__).parents[1] / "golden" / "submissions"
# Set to any value to write the golden files anew; read the difference before committing it.
RENEW = "UPDATE_GOLDEN" in os.environ
NOT_FILES = {"expect.toml", "NOTE.md"}

right = sorted(SUBMISSIONS.glob("lab*/right/*"))
wrong = sorted(SUBMISSIONS.glob("lab*/wrong/*"))


def _grade(place: Path, submission: Path, nursery: Any, seed: int = 0) -> Grade:
    chosen = lab.find(submission.parts[-3].removeprefix("lab"))
    shutil.copytree(chosen.solution, place, ignore=shutil.ignore_patterns("NOTES.md"))
    for file in submission.iterdir():
        if file.name not in NOT_FILES:
            shutil.copy(file, place / file.name)
    return judge.grade(chosen, place, seed=seed, nursery=nursery)


def _name(path: Path) -> str:
    return "/".join(path.parts[-3:])


@pytest.mark.parametrize("submission", right, ids=_name)
def test_a_right_answer_of_any_design_scores_full_marks(
    submission: Path, tmp_path: Path, nursery: Any
) -> None:
    grade = _grade(tmp_path / "lab", submission, nursery)

    lost = {v.criterion.id: v.finding for v in grade.verdicts if v.outcome != "met"}
    assert lost == {}
    assert grade.score == 100


@pytest.mark.parametrize("submission", wrong, ids=_name)
def test_a_wrong_answer_loses_its_criteria_and_keeps_the_others(
    submission: Path, tmp_path: Path, nursery: Any
) -> None:
    expected = tomllib.loads((submission / "expect.toml").read_text(encoding="utf-8"))

    grade = _grade(tmp_path / "lab", submission, nursery)

    lost = [v.criterion.id for v in grade.verdicts if v.outcome != "met"]
    assert sorted(expected["loses"]) == sorted(lost), expected["why"]
    assert not grade.broken
    first = next(v for v in grade.verdicts if v.outcome == "unmet")
    assert first.finding is not None
    shown = "\n".join(report.finding_lines(first.finding)) + "\n"
    golden = GOLDEN / submission.parts[-3] / f"{submission.name}.txt"
    if RENEW:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(shown, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == shown


@pytest.mark.parametrize("chosen", lab.labs(), ids=lambda chosen: chosen.name)
def test_every_criterion_is_lost_by_an_answer_that_loses_nothing_else(chosen: lab.Lab) -> None:
    """One mistake costs one criterion; a criterion that no wrong answer isolates is not proved."""
    alone = set()
    for submission in wrong:
        if submission.parts[-3] == f"lab{chosen.number:02}":
            loses = tomllib.loads((submission / "expect.toml").read_text("utf-8"))["loses"]
            if len(loses) == 1:
                alone.add(loses[0])

    assert {criterion.id for criterion in judge.criteria(chosen)} == alone


def test_every_wrong_answer_says_why_it_is_wrong() -> None:
    for submission in wrong:
        expected = tomllib.loads((submission / "expect.toml").read_text(encoding="utf-8"))
        assert expected["why"].strip().endswith("."), submission.name
        assert expected["loses"], submission.name


def test_there_are_enough_answers_of_each_kind() -> None:
    """At least ten wrong and three right answers a lab."""
    for chosen in lab.labs():
        of_lab = f"lab{chosen.number:02}"
        assert sum(path.parts[-3] == of_lab for path in wrong) >= 10
        assert sum(path.parts[-3] == of_lab for path in right) >= 3
