"""Every kept answer to every lab is judged as it deserves, and is written as answers are.

A right answer scores 100. A wrong one loses the criteria that its `expect.toml` names and keeps all
the others. The first finding of each wrong answer, as a learner reads it, is kept in
`tests/golden/submissions/`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from grader.course import answers, judge, lab
from grader.course.answers import Answer, Unfit
from grader.course.files import write_files
from grader.course.grade import Grade
from grader.desk import report

GOLDEN = Path(__file__).parents[1] / "golden" / "submissions"
# Set to any value to write the golden files anew; read the difference before committing it.
RENEW = "UPDATE_GOLDEN" in os.environ

every = [answer for chosen in lab.labs() for answer in answers.kept(chosen)]
right = [answer for answer in every if answer.kind == "right"]
wrong = [answer for answer in every if answer.kind == "wrong"]
MISJUDGED = answers.misjudged()
# Answers of different make, of labs that are quickly graded.
SAMPLE = (
    "lab01/wrong/drops-the-last-page",
    "lab02/right/powertools-batch",
    "lab02/wrong/marker-by-batch",
)


def _grade(place: Path, answer: Answer, nursery: Any) -> Grade:
    """The grade of an answer. One that is known to be misjudged ends its test here."""
    write_files(place, answer.files)
    grade = judge.grade(answer.lab, place, nursery=nursery)
    wrong = answer.misjudgement([v.criterion.id for v in grade.verdicts if v.outcome != "met"])
    if answer.id in MISJUDGED:
        assert wrong or grade.broken, f"{answer.id} is judged rightly: take it off the list."
        pytest.xfail(wrong or "the grader failed")
    assert not wrong, answer.why
    assert not grade.broken
    return grade


@pytest.mark.parametrize("answer", right, ids=lambda answer: answer.id)
def test_a_right_answer_of_any_design_scores_full_marks(
    answer: Answer, tmp_path: Path, nursery: Any
) -> None:
    assert _grade(tmp_path / "lab", answer, nursery).score == 100


@pytest.mark.parametrize("answer", wrong, ids=lambda answer: answer.id)
def test_a_wrong_answer_loses_its_criteria_and_keeps_the_others(
    answer: Answer, tmp_path: Path, nursery: Any
) -> None:
    grade = _grade(tmp_path / "lab", answer, nursery)

    first = next(v for v in grade.verdicts if v.outcome == "unmet")
    assert first.finding is not None
    shown = "\n".join(report.finding_lines(first.finding)) + "\n"
    golden = GOLDEN / f"lab{answer.lab.number:02}" / f"{answer.name}.txt"
    if RENEW:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(shown, encoding="utf-8")
    assert golden.is_file(), "UPDATE_GOLDEN=1 writes what a learner reads; look at it."
    assert golden.read_text(encoding="utf-8") == shown


@pytest.mark.parametrize("name", SAMPLE)
def test_an_answer_is_graded_here_as_in_a_fresh_process(
    name: str, tmp_path: Path, nursery: Any
) -> None:
    """The tests grade in a process that has graded before, on a warm nursery: byte for byte alike."""
    answer = next(one for one in every if one.id == name)
    write_files(tmp_path / "lab", answer.files)
    for _ in range(2):
        grade = judge.grade(answer.lab, tmp_path / "lab", nursery=nursery)

    number, folder = str(answer.lab.number), str(tmp_path / "lab")
    command = [sys.executable, "-m", "grader", "grade", number, "--path", folder, "--json"]
    fresh = subprocess.run(command, capture_output=True, text=True)

    assert json.loads(fresh.stdout) == grade.document()


def test_the_list_of_misjudged_answers_names_answers() -> None:
    """Each is a fault of ours that waits; `_grade` fails for one that is mended and still named."""
    assert {answer.id for answer in every} >= MISJUDGED


@pytest.mark.parametrize("chosen", lab.labs(), ids=lambda chosen: chosen.name)
def test_every_criterion_is_lost_by_an_answer_that_loses_nothing_else(chosen: lab.Lab) -> None:
    """One mistake costs one criterion; a criterion that no wrong answer isolates is not proved."""
    alone = {min(one.loses) for one in wrong if one.lab == chosen and len(one.loses) == 1}

    assert {criterion.id for criterion in judge.criteria(chosen)} == alone


@pytest.mark.parametrize("answer", every, ids=lambda answer: answer.id)
def test_every_answer_can_be_made_and_says_why(answer: Answer) -> None:
    """Its edits apply, it differs from what it stands on, and it names criteria of its lab."""
    known = {criterion.id for criterion in judge.criteria(answer.lab)}

    assert answer.hunks()
    assert set(answer.files) >= set(answer.lab.editable)
    assert answer.why.endswith(".")
    assert answer.loses | answer.may_lose <= known
    assert bool(answer.loses) == (answer.kind == "wrong")


def test_there_are_enough_answers_of_each_kind() -> None:
    """At least ten wrong and three right answers a lab."""
    for chosen in lab.labs():
        assert sum(answer.lab == chosen for answer in wrong) >= 10
        assert sum(answer.lab == chosen for answer in right) >= 3


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (
            'why = "Y."\n[[edit]]\nfile = "handler.py"\nthere = "e"\ninstead = ""\n',
            "times in handler",
        ),
        (
            'why = "Y."\n[[edit]]\nfile = "other.py"\nthere = "e"\ninstead = ""\n',
            "no other.py to edit",
        ),
        ('why = "Y."\n[[edit]]\nfile = "handler.py"\nthere = "e"\n', "has file, there and instead"),
        ('why = "Y."\non = "nobody"\n', "no right answer nobody"),
        ('why = "Y."\nkeeps = "rest"\n', "nothing reads keeps"),
        ("", "lacks why"),
        ("why =", "cannot be read"),
    ],
)
def test_an_answer_that_cannot_be_made_says_what_is_wrong_with_it(
    tmp_path: Path, written: str, sentence: str
) -> None:
    folder = tmp_path / "tests/submissions/lab02/right/odd"
    folder.mkdir(parents=True)
    (folder / answers.EXPECT).write_text(written, encoding="utf-8")
    (odd,) = answers.kept(lab.find("2"), tmp_path)

    with pytest.raises(Unfit, match=sentence):
        odd.files  # noqa: B018 - reading is what fails


def test_an_edit_stands_on_what_the_edits_before_it_have_left(tmp_path: Path) -> None:
    """A whole file is edited, too; the hunk of lines that went are the lines around them."""
    folder = tmp_path / "tests/submissions/lab02/right/odd"
    folder.mkdir(parents=True)
    (folder / "handler.py").write_text("a\nb\nc\n", encoding="utf-8")
    rows = [("b", "d"), ("a\nd\n", "a\n")]
    text = "".join(
        f'[[edit]]\nfile = "handler.py"\nthere = {there!r}\ninstead = {instead!r}\n'.replace(
            "'", '"'
        )
        for there, instead in rows
    )
    (folder / answers.EXPECT).write_text(f'why = "Y."\n{text}', encoding="utf-8")
    (odd,) = answers.kept(lab.find("2"), tmp_path)

    assert odd.files["handler.py"] == b"a\nc\n"
    assert set(odd.hunks()) == {"handler.py"}
