"""What a file, an environment or a machine makes impossible: exit 2, a sentence, nothing recorded."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from standin import BETTER, RIGHT, Judge, Run

from grader.course.grade import Finding, Unmet
from grader.desk import cli

needs_posix = pytest.mark.skipif(os.name == "nt", reason="descriptors and signals of POSIX")
NOWHERE = Path("/dev/full")


def misused(result: tuple[int, str, str], part: str) -> None:
    code, _, err = result
    assert code == 2 and part in err and "our fault" not in err, result


def runs(labs: Run) -> str:
    """What `labs list` says of the best score: unchanged where nothing was recorded."""
    return labs("list")[1].splitlines()[1]


# --- the terminal -----------------------------------------------------------------------------


def real(space: Path, command: str) -> subprocess.CompletedProcess[str]:
    """A real process in the workspace, by way of a shell."""
    line = f'exec "{sys.executable}" -m grader {command}'
    return subprocess.run(["sh", "-c", line], cwd=space, capture_output=True, text=True)


@needs_posix
@pytest.mark.parametrize(
    ("where", "part"),
    [
        (">&-", "Standard output is closed"),
        pytest.param(
            ">/dev/full",
            "Standard output cannot be written",
            marks=pytest.mark.skipif(not NOWHERE.exists(), reason="no /dev/full here"),
        ),
    ],
)
def test_a_stdout_that_takes_nothing_is_told_before_anything_is_done(
    space: Path, where: str, part: str
) -> None:
    (space / "labs" / "07-fan-out" / "hints.md").unlink()
    done = real(space, f"init . {where}")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and part in done.stderr
    assert not (space / "labs" / "07-fan-out" / "hints.md").exists()


@needs_posix
def test_a_closed_stderr_hides_sentences_and_nothing_else(space: Path) -> None:
    done = real(space, "list 2>&-")
    assert done.returncode == 0 and "labs watch" in done.stdout
    assert real(space, "grade 99 2>&-").returncode == 2


# --- the machine ------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 1], ids=["before the grade", "during the grade"])
def test_a_full_temporary_folder_records_no_run(
    labs: Run, handler: Path, judge: Judge, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    handler.write_text(RIGHT)
    labs("grade", "7")
    handler.write_text(BETTER)
    passed, room = runs(labs), tempfile.TemporaryFile
    asked: list[int] = []

    def full(*args: Any, **more: Any) -> Any:
        asked.append(1)
        if len(asked) > before:
            raise OSError(errno.ENOSPC, "No space left on device")
        return room(*args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "TemporaryFile", full)
        misused(labs("grade", "7"), "no space left on device")
    assert runs(labs) == passed


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE, errno.EROFS, errno.ENAMETOOLONG])
def test_what_the_machine_refuses_in_the_middle_is_no_fault_of_ours(
    labs: Run, judge: Judge, number: int
) -> None:
    def refuse() -> None:
        raise OSError(number, os.strerror(number))

    judge.instead = refuse
    for command in (("grade", "7"), ("grade", "7", "--json")):
        misused(labs(*command), "This machine refuses to go on")


def test_a_clock_that_no_python_reads_is_told(labs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def beyond() -> float:
        raise OverflowError("timestamp too large to convert to C _PyTime_t")

    monkeypatch.setattr(time, "time", beyond)
    misused(labs("grade", "7"), "clock")


@needs_posix
def test_a_current_folder_that_is_gone_is_told(space: Path) -> None:
    gone = space / "gone"
    gone.mkdir()
    line = f'cd gone; rmdir "{gone}"; exec "{sys.executable}" -m grader list'
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])}
    done = subprocess.run(
        ["sh", "-c", line], cwd=space, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 2 and "current folder cannot be used" in done.stderr


# --- files ------------------------------------------------------------------------------------


@needs_posix
def test_a_handler_linked_to_itself_is_told(labs: Run, handler: Path) -> None:
    handler.unlink()
    handler.symlink_to(handler.name)
    misused(labs("grade", "7"), "is a symbolic link")


def test_a_virtual_environment_in_the_lab_is_not_looked_into(labs: Run, handler: Path) -> None:
    library = handler.parent / "venv" / "lib"
    library.mkdir(parents=True)
    (handler.parent / "venv" / "pyvenv.cfg").touch()
    for number in range(50):
        (library / f"m{number}.py").touch()
    assert "no part of the lab" not in labs("grade", "7")[1]


def test_many_strange_files_are_one_note(labs: Run, handler: Path) -> None:
    for number in range(3_000):
        (handler.parent / f"m{number}.py").touch()
    out = labs("grade", "7")[1]
    assert "2,900 files beside the lab's" in " ".join(out.split()) and len(out.splitlines()) < 40


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '{"schema": ' + "9" * 5_000 + "}"]
)
def test_progress_that_nobody_wrote_is_damaged_and_can_be_mended(
    labs: Run, space: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grader.desk.doctor.isolation", lambda: ())
    (space / ".labs" / "progress.json").write_text(text)
    misused(labs("list"), "labs doctor --repair")
    assert "progress.damaged-1.json" in labs("doctor", "--repair")[1]
    assert labs("list")[0] == 0


@pytest.mark.parametrize("name", ["progress.json", "progress.previous.json", "lock"])
def test_a_folder_in_the_place_of_a_file_is_moved_aside(
    labs: Run, space: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grader.desk.doctor.isolation", lambda: ())
    labs("hint", "7", "1")
    (space / ".labs" / name).unlink(missing_ok=True)
    (space / ".labs" / name).mkdir()
    (space / ".labs" / name / "mine").touch()
    assert labs("doctor", "--repair")[0] in (0, 1)
    assert labs("hint", "7", "1")[0] == 0
    kept = list((space / ".labs").rglob("mine"))
    assert len(kept) == 1, "nothing of a learner's is deleted"


def test_a_fault_is_never_written_into_a_clone_that_nobody_works_in(
    labs: Run, judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside a workspace `labs` serves the clone it runs from; what failed goes elsewhere."""
    clone, elsewhere = tmp_path / "clone", tmp_path / "elsewhere"
    for folder in (clone / ".labs", elsewhere, tmp_path / "temporary"):
        folder.mkdir(parents=True)
    monkeypatch.setattr("grader.course.workspace.workspace", lambda: cli_workspace(clone))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(elsewhere)

    def fail() -> None:
        raise KeyError("ours")

    judge.instead = fail
    handed_in = tmp_path / "mine" / "labs" / "07-fan-out"
    assert labs("grade", "7", "--path", str(handed_in))[0] == 3
    assert list((clone / ".labs").iterdir()) == []
    assert len(list((tmp_path / "temporary").glob("fault-*.txt"))) == 1


def cli_workspace(root: Path) -> object:
    from grader.course.workspace import Workspace

    return Workspace(root)


# --- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["1e400", "inf", "-inf", "nan", "-1", "1e300"])
def test_a_traffic_that_cannot_be_is_told(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--writes-per-second", "--call-ms", "--reads-per-second", "--passing"):
        code = cli.main(["cost", "5", "--path", "solutions/05-cost", option, value])
        assert code == 2
        assert "our fault" not in capsys.readouterr().err


@pytest.mark.parametrize("words", [("grade", "9" * 5_000), ("hint", "7", "9" * 5_000)])
def test_numbers_of_five_thousand_digits_are_no_labs_and_no_tasks(
    labs: Run, words: tuple[str, ...]
) -> None:
    misused(labs(*words), "There is no lab" if words[0] == "grade" else "has no task")


# --- what was played, and what was recorded ---------------------------------------------------


def test_a_run_that_cannot_be_played_tells_the_finding(
    labs: Run, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `labs grade` would: exit 1, and no word of a fault of ours."""

    def timeline(*args: object, **options: object) -> Any:
        raise Unmet(Finding("The function starts.", "in", "1", "2", "why", "here", "next", "index"))

    monkeypatch.setattr(judge, "timeline", timeline)
    code, out, err = labs("run", "7")
    assert (code, err) == (1, "")
    assert "cannot be played" in out and "Rule      The function starts." in out


def second_lab(space: Path) -> None:
    starters = space.parent / "package" / "grader" / "course" / "starters"
    for root in (starters, space / "labs"):
        (root / "08-again").mkdir()
        for path in (starters / "07-fan-out").iterdir():
            (root / "08-again" / path.name).write_bytes(path.read_bytes())


@pytest.mark.parametrize(
    ("calls", "sentence"),
    [(1, "Nothing was recorded."), (2, "Recorded: lab 7. Nothing else was.")],
)
def test_ctrl_c_says_truly_what_was_recorded(
    labs: Run, space: Path, judge: Judge, calls: int, sentence: str
) -> None:
    second_lab(space)

    def interrupt() -> None:
        if len(judge.calls) == calls:
            raise KeyboardInterrupt

    judge.instead = interrupt
    code, _, err = labs("grade", "all")
    assert (code, err) == (130, f"\nlabs: Interrupted. {sentence}\n")
    judge.instead = lambda: None
    assert ("begun" in labs("list")[1].splitlines()[1].replace("not begun", "")) == (calls == 2)


@needs_posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_termination_ends_a_grade_as_ctrl_c_does(labs: Run, judge: Judge, name: str) -> None:
    """So that no temporary folder and no process is left."""
    judge.instead = lambda: os.kill(os.getpid(), getattr(signal, name))
    code, _, err = labs("grade", "7")
    assert (code, err) == (130, "\nlabs: Interrupted. Nothing was recorded.\n")
