"""`labs doctor`: each line is a fact, and what is wrong comes with what to do."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from grader.cloud.function import Isolation
from grader.course.grade import Criterion, Grade, Verdict
from grader.course.lab import labs
from grader.course.progress import Entry, Store
from grader.course.workspace import Workspace
from grader.desk import doctor


def test_a_tested_python_is_ok_and_an_untested_one_is_not() -> None:
    assert doctor.python((3, 11)).state == "ok"
    assert doctor.python((3, 14)).state == "ok"
    line = doctor.python((3, 10))
    assert line.state == "attention" and "Python 3.11 to 3.14" in line.advice


def test_this_environment_has_the_packages_it_needs() -> None:
    assert {line.state for line in doctor.dependencies()} == {"ok"}


def test_a_wrong_and_a_missing_package_are_named() -> None:
    lines = list(
        doctor.dependencies(["click<8", "no-such-package>=1", 'also-not-there; extra == "test"'])
    )
    assert [line.state for line in lines] == ["attention", "attention"]
    assert lines[0].fact.startswith("click is ") and "needed: <8" in lines[0].fact
    assert lines[1].fact == "no-such-package is missing (needed: >=1)."


@pytest.mark.parametrize(
    ("version", "specifier", "verdict"),
    [
        ("1.44.5", "==1.44.5", True),
        ("1.44.10", "==1.44.5", False),
        ("8.10", ">=8.9,<9", True),
        ("9.0.0", "<9", False),
        ("9.0", "<=9", True),
        ("3.0rc1", ">=3", True),
        ("1", "", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, specifier: str, verdict: bool) -> None:
    assert doctor._satisfies(version, specifier) is verdict


def test_a_requirement_that_cannot_be_read_is_an_error_and_no_guess() -> None:
    with pytest.raises(ValueError, match="~="):
        doctor._satisfies("1", "~=1.0")


def test_what_is_not_enforced_is_a_note() -> None:
    """A machine with limits only: the sentences about what code can still do are notes."""
    lines = list(doctor.isolation(Isolation("limits", "darwin")))
    assert {line.state for line in lines} == {"ok", "note"}
    assert any("network" in line.fact for line in lines if line.state == "note")


def test_a_workspace_is_examined(tmp_path: Path) -> None:
    lines = list(doctor.workspace(Workspace(tmp_path)))
    assert lines[0].state == "attention" and "labs init" in lines[0].advice
    (tmp_path / ".labs").mkdir()
    (tmp_path / ".labs" / "progress.json").write_text("{")
    assert any("is damaged" in line.fact for line in doctor.workspace(Workspace(tmp_path)))
    (only,) = doctor.workspace(None)
    assert only.state == "note"


def test_a_temporary_folder_that_cannot_be_written_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**anything: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    line = doctor.temporary_folder()
    assert line.state == "attention" and "TMPDIR" in line.advice


def test_long_lines_wrap_below_their_first_word() -> None:
    text = doctor.Line("note", "word " * 40, "Do this.").text()
    first, *rest = text.splitlines()
    assert first.startswith("note       word") and rest
    assert all(line.startswith(" " * 11) and len(line) <= 80 for line in rest)


def test_the_progress_is_examined_and_repair_is_named(tmp_path: Path) -> None:
    """Damage, a loss, incomplete best files and leftovers each come with what mends them."""
    store = Store(tmp_path / ".labs")
    chosen = labs()[0]
    verdicts = [Verdict(Criterion("c", 1, "Goal.", 100), "met")]
    for text in (b"one\n", b"two\n"):
        store.record(chosen, Grade(chosen.number, chosen.slug, 0, verdicts), {"handler.py": text})
    with store.edit() as progress:
        progress.labs["gone-lab"] = Entry(runs=2)
    assert [line.state for line in doctor.progress(store)] == ["ok", "note"]

    kept = store.folder / "best" / store.load().of(chosen).best_files
    (kept / ".handler.py.1.part").touch()
    (kept / "handler.py").unlink()
    facts = {line.fact: line for line in doctor.progress(store)}
    assert f"The best files of {chosen.slug} are not whole any more." in facts
    assert facts["1 unfinished files of killed writes."].state == "note"
    store.file.write_text("{")
    (line,) = doctor.progress(store)
    assert line.state == "attention" and "labs doctor --repair" in line.fact
    assert len(doctor.repair(Workspace(tmp_path))) == 3
    assert {line.state for line in doctor.progress(store)} == {"ok"}
    store.file.unlink()
    assert "is gone" in next(doctor.progress(store)).fact
    assert doctor.repair(Workspace(tmp_path)) and store.load().of(chosen).best == 100
    assert doctor.repair(None) == []
