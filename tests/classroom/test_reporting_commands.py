"""`labs class report` and `labs class adjust`, as an instructor types them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made_class import grade, hand_in

from grader.classroom.record import Record
from grader.desk import cli

Run = Callable[..., tuple[int, str, str]]
CLASS = (
    'labs = [2]\ntimezone = "Europe/Berlin"\n[deadlines]\n2 = "2027-03-05 23:59 Europe/Berlin"\n'
)


@pytest.fixture
def class_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A class of two, of whom mia handed in lab 2; the current folder is the class's."""
    (tmp_path / "class.toml").write_text(CLASS)
    (tmp_path / "roster.csv").write_text(
        "learner,name,email\nmia,Mia Brück,mia@example.org\ntom,Tom,\n"
    )
    with Record(tmp_path / "class.sqlite") as record:
        hand_in(record, "mia", grade({"role-tight": "unmet"}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def labs(class_: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["class", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_report_writes_everything_and_says_where(labs: Run, class_: Path) -> None:
    code, said, _ = labs("report")
    assert code == 0 and "2 learners; marks: 1 graded and 1 missing." in said
    for name in (
        "overview.html",
        "gradebook.csv",
        "feedback/mia/feedback.html",
        "feedback/tom/feedback.md",
    ):
        assert (class_ / "reports" / name).is_file()
    assert "reports/overview.html" in said and "canvas.csv" not in said


def test_report_fills_an_export_and_leaves_it_as_it_is(labs: Run, class_: Path) -> None:
    export = class_ / "export.csv"
    export.write_text("Student,ID,SIS Login ID,Homework\nMia,1,mia,\nAda,2,ada,\n")
    before = export.read_bytes()
    code, said, _ = labs("report", "--into", "export.csv", "--column", "2=Homework")
    assert code == 0 and export.read_bytes() == before
    assert "Mia,1,mia,60\nAda,2,ada,\n" in (class_ / "reports" / "canvas.csv").read_text()
    assert "Not in export.csv: tom." in said and "Nobody's here: 1 row" in said


def test_a_report_says_which_of_its_files_are_old(labs: Run, class_: Path) -> None:
    """A platform's file is filled with its export only; a page of somebody who has gone goes."""
    gone = class_ / "reports" / "feedback" / "zoe"
    gone.mkdir(parents=True)
    (gone / "feedback.md").write_text("Zoe")
    (class_ / "reports" / "moodle.csv").write_text("old")
    _, said, _ = labs("report")
    assert "moodle.csv is of an earlier report" in said and "canvas.csv" not in said
    assert (class_ / "reports" / "moodle.csv").read_text() == "old"
    assert not gone.exists() and (class_ / "reports" / "feedback" / "mia").is_dir()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--into", "gone.csv"], "gone.csv cannot be read"),
        (["--column", "Homework"], "--column is a lab and a header"),
        (["--column", "9=x"], "There is no lab"),
        (["--anonymous", "--into", "x.csv"], "the overview alone"),
        (["--into", "roster.csv"], "roster.csv is no gradebook"),
    ],
)
def test_a_report_that_cannot_be_is_refused_before_anything_is_written(
    labs: Run, class_: Path, arguments: list[str], sentence: str
) -> None:
    code, _, said = labs("report", *arguments)
    assert code == 2 and sentence in said
    assert not (class_ / "reports").exists()


def test_the_projectors_page_comes_alone(labs: Run, class_: Path) -> None:
    code, said, _ = labs("report", "--anonymous")
    assert code == 0 and "names nobody" in said
    assert {path.name for path in (class_ / "reports").iterdir()} == {
        "overview-anonymous.html", ".pseudonyms",
    }  # fmt: skip


def test_an_empty_class_is_told_what_to_do(labs: Run, class_: Path) -> None:
    (class_ / "roster.csv").unlink()
    (class_ / "class.sqlite").unlink()
    code, _, said = labs("report")
    assert code == 2 and "labs class take" in said


def test_an_adjustment_is_kept_shown_and_taken_back(labs: Run, class_: Path) -> None:
    code, said, _ = labs("adjust", "mia", "2", "--points", "85.5", "--reason", "It was ambiguous.")
    assert code == 0 and "mia, lab 2: 85.5 of 100 points" in said and "It was ambiguous." in said
    labs("adjust", "mia", "2", "--points", "90", "--reason", "Once more.")
    assert "90 of 100" in labs("adjust", "mia", "2")[1]
    code, said, _ = labs("adjust", "mia", "2", "--undo")
    assert code == 0 and "85.5 of 100" in said and "(undone " in said and "Once more." in said
    assert "mia, lab 2: 60 of 100 points" in labs("adjust", "mia", "2", "--undo")[1]
    code, _, said = labs("adjust", "mia", "2", "--undo")
    assert code == 2 and "to take back" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["mai", "2", "--points", "1", "--reason", "x"], "Did you mean mia?"),
        (["mia", "1", "--points", "1", "--reason", "x"], "none of this class's labs"),
        (["mia", "2", "--points", "1"], "both --points and --reason"),
        (["mia", "2", "--reason", "x"], "both --points and --reason"),
        (["mia", "2", "--points", "1", "--reason", "  "], "may not be empty"),
        (["mia", "2", "--points", "-1", "--reason", "x"], "from 0 upwards"),
        (["mia", "2", "--points", "nan", "--reason", "x"], "from 0 upwards"),
        (["mia", "2", "--undo", "--points", "1"], "--undo takes back"),
    ],
)
def test_an_adjustment_that_says_too_little_is_refused(
    labs: Run, class_: Path, arguments: list[str], sentence: str
) -> None:
    code, _, said = labs("adjust", *arguments)
    assert code == 2 and sentence in said
    with Record(class_ / "class.sqlite") as record:
        assert record.adjustments() == []


def test_who_is_in_the_roster_and_handed_nothing_in_can_be_given_points(labs: Run) -> None:
    code, said, _ = labs("adjust", "tom", "2", "--points", "50", "--reason", "Shown in person.")
    assert code == 0 and "tom, lab 2: 50 of 100 points" in said
