"""The `labs` command: what it prints, what it exits with, what it leaves alone.

The judge is a stand-in here, so that these tests are about the command and nothing else.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from standin import BETTER, RIGHT, STARTER, Judge, Run

from grader.course.files import UsageError
from grader.desk import cli
from grader.desk.terminal import paint_for


def misused(result: tuple[int, str, str]) -> str:
    """The one sentence of a command that was used wrongly; nothing stands on stdout."""
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.startswith("labs: ") and err.count("\n") == 1
    assert "Traceback" not in err
    return err.removeprefix("labs: ").rstrip("\n")


# --- start-up and help ------------------------------------------------------------------------


def test_help_imports_nothing_heavy() -> None:
    """`labs --help` in a fresh process leaves boto3, moto, pytest, yaml and the judge unloaded."""
    program = (
        "import sys\nfrom grader.desk.cli import main\ncode = main(['--help'])\n"
        "heavy = {'grader.desk.learner', 'grader.course.lab', 'boto3', 'botocore', 'moto', 'pytest', 'yaml', 'cfnlint', 'grader.course.judge'}\n"
        "print(sorted(heavy & set(sys.modules)), code, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.strip() == "[] 0"
    assert "labs grade 2" in done.stdout


def test_without_a_command_the_help_is_shown(labs: Run) -> None:
    code, out, _ = labs()
    assert code == 0 and "Commands:" in out


def test_every_command_teaches_by_example() -> None:
    """Each command's help holds a line that begins with the command itself."""
    for path, command in _leaves(cli.cli, "labs"):
        assert f"\n{path}" in (command.help or "").replace("\n    ", "\n"), path


def _leaves(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _leaves(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def test_the_summaries_are_the_first_lines_of_the_commands() -> None:
    """The help of `labs` lists commands that it has not loaded, and still says what they say."""
    for name, (_, summary) in cli.COMMANDS.items():
        command = cli.cli.get_command(click.Context(cli.cli), name)
        assert command is not None and command.name == name
        assert summary == (command.help or "").strip().splitlines()[0]


def test_a_mistyped_command_gets_the_nearest_one(labs: Run) -> None:
    assert misused(labs("grad", "7")) == "There is no command 'grad'. Did you mean 'grade'?"
    assert "labs --help" in misused(labs("zzz"))


def test_a_mistyped_option_is_one_sentence(labs: Run) -> None:
    assert "--sed" in misused(labs("grade", "7", "--sed", "3"))


# --- init and list ----------------------------------------------------------------------------


def test_init_copies_and_says_what_is_next(
    space: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert cli.main(["init", "../other"]) == 0
    out = capsys.readouterr().out
    assert "3 files copied" in out and "labs grade 7" in out
    assert (tmp_path / "other" / "labs" / "07-fan-out" / "handler.py").read_text() == STARTER


def test_init_never_overwrites_and_brings_back_what_is_gone(labs: Run, handler: Path) -> None:
    handler.write_text(BETTER)
    (handler.parent / "hints.md").unlink()
    code, out, _ = labs("init")
    assert code == 0 and "hints.md copied, the rest kept" in out
    assert handler.read_text() == BETTER
    assert "kept as it was" in labs("init")[1]


def test_init_into_a_file_is_refused(labs: Run, space: Path) -> None:
    (space / "file").touch()
    assert "file is a file" in misused(labs("init", "file"))


def test_list_shows_progress(labs: Run, handler: Path) -> None:
    assert labs("list")[1].splitlines()[1].split() == [
        "7",
        "labs/07-fan-out",
        "-",
        "of",
        "100",
        "0",
        "not",
        "begun",
    ]
    handler.write_text(BETTER)
    labs("grade", "7")
    labs("hint", "7", "1")
    assert "40 of 100" in labs("list")[1] and "begun" in labs("list")[1]
    handler.write_text(RIGHT)
    labs("grade", "7")
    assert "passed" in labs("list")[1]


# --- grade ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), [(STARTER, 1), (RIGHT, 0), ("broken\n", 3)])
def test_the_exit_code_says_how_it_went(labs: Run, handler: Path, text: str, expected: int) -> None:
    handler.write_text(text)
    assert labs("grade", "7")[0] == expected
    assert labs("grade", "7", "--json")[0] == expected


def test_the_report_goes_to_stdout_and_progress_only_to_a_terminal(
    labs: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, err = labs("grade", "7")
    assert out.startswith("Lab 7 fan-out") and err == ""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    labs("grade", "7")
    text = terminal.getvalue()
    assert "Grading lab 7 (fan-out)" in text and "Lab 7: Both readers get" in text
    assert text.endswith("\r")


def test_json_is_the_only_thing_on_stdout(labs: Run) -> None:
    code, out, _ = labs("grade", "7", "--json", "--seed", "5")
    document = json.loads(out)
    assert code == 1
    assert (document["schema"], document["seed"], document["max_score"]) == (
        "labs/grade/v1",
        5,
        100,
    )


def test_the_same_grade_is_the_same_bytes(labs: Run) -> None:
    assert labs("grade", "7", "--json")[1] == labs("grade", "7", "--json")[1]


def test_without_a_number_the_next_unfinished_lab_is_graded(labs: Run, handler: Path) -> None:
    assert labs("grade")[1].startswith("Lab 7")
    handler.write_text(RIGHT)
    assert labs("grade")[0] == 0
    assert labs("grade") == (0, "Every lab is passed. labs grade all grades them again.\n", "")


def test_what_changed_since_the_last_run_is_shown(labs: Run, handler: Path) -> None:
    assert "Since the last run" not in labs("grade", "7")[1]
    handler.write_text(BETTER)
    assert "Since the last run: won: sends-twice; 0 -> 40." in labs("grade", "7")[1]
    handler.write_text(STARTER)
    assert "lost: sends-twice; 40 -> 0." in labs("grade", "7")[1]


def test_only_asks_for_some_criteria_and_records_nothing(labs: Run, handler: Path) -> None:
    handler.write_text(BETTER)
    code, out, _ = labs("grade", "7", "--only", "sends-twice")
    assert code == 0 and "40 of 40 points (1 criterion not asked)" in out
    assert "not begun" in labs("list")[1]


def test_an_unknown_criterion_gets_the_nearest_one(labs: Run, judge: Judge) -> None:
    assert misused(labs("grade", "7", "--only", "send-once")) == (
        "Lab 7 has no criterion 'send-once'. Did you mean 'sends-once'?"
    )
    assert "sends-twice, sends-once" in misused(labs("grade", "7", "--only", "???"))
    assert judge.calls == []


def test_a_path_is_graded_without_touching_the_progress(labs: Run, tmp_path: Path) -> None:
    theirs = tmp_path / "their work"
    theirs.mkdir()
    (theirs / "handler.py").write_text(RIGHT)
    assert labs("grade", "7", "--path", str(theirs))[0] == 0
    assert "not begun" in labs("list")[1]
    (theirs / "handler.py").write_text(STARTER)
    (theirs / "x.py").write_bytes(b"#" * 1_000_001)
    out = labs("grade", "7", "--path", str(theirs))[1]
    assert "1 files beside the lab's, such as x.py, are too many or too large" in out


def test_absent_files_are_told_unless_something_stands_in(labs: Run, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no handler.py; lab 7 needs handler.py" in misused(
        labs("grade", "7", "--path", str(empty))
    )
    code, out, _ = labs("grade", "7", "--path", str(empty), "--fill", "solution", "--json")
    assert code == 0
    assert json.loads(out)["notes"] == [
        "handler.py is absent; the solution's stood in for it (--fill solution)."
    ]
    assert labs("grade", "7", "--path", str(empty), "--fill", "starter")[0] == 1


def test_what_is_graded_is_a_copy_that_is_gone_afterwards(
    labs: Run, judge: Judge, handler: Path
) -> None:
    labs("grade", "7")
    folder = judge.calls[0]["folder"]
    assert isinstance(folder, Path)
    assert folder != handler.parent and not folder.exists()


def test_a_save_during_the_run_does_not_reach_the_files_that_are_kept(
    labs: Run, judge: Judge, handler: Path, space: Path
) -> None:
    handler.write_text(BETTER)
    judge.instead = lambda: handler.write_text("half a li") and None
    labs("grade", "7")
    labs("reset", "7", "--best")
    assert handler.read_text() == BETTER


def test_all_labs_are_graded_and_summed(labs: Run, tmp_path: Path) -> None:
    code, out, _ = labs("grade", "all")
    assert code == 1 and "not met: sends-twice, sends-once" in out
    assert out.endswith("All labs: 0 of 100 points\n")
    document = json.loads(labs("grade", "all", "--json")[1])
    assert document["schema"] == "labs/grades/v1" and len(document["labs"]) == 1
    assert "--only goes with one lab" in misused(labs("grade", "all", "--only", "sends-once"))
    theirs = tmp_path / "theirs" / "07-fan-out"
    theirs.mkdir(parents=True)
    (theirs / "handler.py").write_text(RIGHT)
    assert labs("grade", "all", "--path", str(theirs.parent))[0] == 0
    assert labs("grade", "--path", str(theirs))[0] == 0


def test_junit_is_written_beside_the_report(labs: Run, space: Path) -> None:
    code, out, _ = labs("grade", "7", "--junit", "report.xml")
    assert code == 1 and out.startswith("Lab 7")
    root = ElementTree.fromstring((space / "report.xml").read_text())
    assert [case.get("name") for case in root.iter("testcase")] == ["sends-twice", "sends-once"]


def test_a_bad_place_for_junit_is_told_before_grading(labs: Run, judge: Judge, space: Path) -> None:
    assert "There is no folder" in misused(labs("grade", "7", "--junit", "nowhere/x.xml"))
    assert "is a folder" in misused(labs("grade", "7", "--junit", "labs"))
    assert judge.calls == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["grade", "9"], "There is no lab '9'. The labs are: 7 (fan-out)."),
        (["grade", "fanout"], "Did you mean 7 (fan-out)?"),
        (["grade", "7", "--seed", "x"], "'x' is not a valid integer"),
        (["grade", "7", "--fill", "nothing"], "--fill"),
        (["grade", "7", "--path", "labs/07-fan-out/handler.py"], "is a file; give the folder"),
        (["grade", "7", "--path", "nowhere"], "There is no folder nowhere."),
        (["grade", "--path", "labs"], "Say which lab the folder is for"),
        (["hint", "7", "5"], "Lab 7 has no task 5; its tasks are 1 to 2."),
        (["hint", "7", "send-once"], "Did you mean 'sends-once'?"),
        (["hint", "7", "1", "--step", "4"], "Task 1 has 3 hints"),
        (["hint", "7"], "TASK"),
        (
            ["run", "7", "nosuch"],
            "There is no scenario 'nosuch': this lab has the scenarios poison.",
        ),
        (["docs", "modules/07-fanout"], "Did you mean 'modules/07-fan-out'?"),
        (["solution", "8"], "There is no lab '8'"),
        (["reset", "7", "--best"], "it has not been graded yet"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_2(labs: Run, arguments: list[str], part: str) -> None:
    assert part in misused(labs(*arguments))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is empty"),
        (b"\x00\x01", "is not a text file"),
        (None, "Lambda tells upper from lower case"),
    ],
)
def test_files_that_cannot_be_graded_are_told(
    labs: Run, handler: Path, content: bytes | None, part: str
) -> None:
    if content is None:
        handler.rename(handler.parent / "Handler.py")
    else:
        handler.write_bytes(content)
    assert part in misused(labs("grade", "7"))


def test_outside_of_a_workspace_init_is_named(
    labs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "labs init makes one" in misused(labs("grade", "7"))
    assert labs("list")[0] == 0
    assert "Task 1, step 1." in labs("hint", "7", "1")[1]


def test_progress_that_cannot_be_saved_does_not_spoil_the_grade(
    labs: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*anything: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("grader.course.progress.write_whole", refuse)
    code, out, err = labs("grade", "7")
    assert code == 1 and out.startswith("Lab 7")
    assert "Your progress could not be saved" in err


def test_progress_of_a_newer_version_is_left_alone_and_the_grade_still_shown(
    labs: Run, space: Path
) -> None:
    (space / ".labs" / "progress.json").write_text('{"schema": "labs/progress/v2", "labs": {}}')
    code, out, err = labs("grade", "7")
    assert code == 1 and out.startswith("Lab 7")
    assert "another version of labs (labs/progress/v2)" in err
    assert "labs/progress/v2" in (space / ".labs" / "progress.json").read_text()


# --- faults and interrupts --------------------------------------------------------------------


def test_our_own_fault_is_exit_3_with_the_traceback_in_a_file(labs: Run, judge: Judge) -> None:
    def fail() -> None:
        raise RuntimeError("the moon is full")

    judge.instead = fail
    code, out, err = labs("grade", "7")
    assert (code, out) == (3, "")
    message = err.splitlines()[-1]
    assert "our fault, not yours" in message and "Traceback" not in err
    text = Path(message.rpartition(" is in ")[2].rstrip(".") + "").read_text()
    assert "RuntimeError: the moon is full" in text


def test_our_own_fault_still_prints_one_json_document(labs: Run, judge: Judge) -> None:
    def fail() -> None:
        raise RuntimeError("the moon is full")

    judge.instead = fail
    code, out, _ = labs("grade", "7", "--json")
    document = json.loads(out)
    assert code == 3
    assert (document["status"], document["passed"]) == ("broken", False)


def test_misuse_found_by_the_judge_is_exit_2(labs: Run, judge: Judge) -> None:
    def complain() -> None:
        raise UsageError("The folder moved away.")

    judge.instead = complain
    code, out, err = labs("grade", "7", "--json")
    assert (code, out) == (2, "")
    assert err.endswith("labs: The folder moved away.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is no signal that a test can send here")
@pytest.mark.parametrize("swallow", [False, True])
def test_ctrl_c_ends_the_command_even_if_the_judge_swallows_it(
    labs: Run, judge: Judge, swallow: bool
) -> None:
    def press() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            signal.pause()
        except KeyboardInterrupt:
            if not swallow:
                raise

    judge.instead = press
    before = signal.getsignal(signal.SIGINT)
    code, out, err = labs("grade", "7")
    assert (code, out) == (130, "")
    assert err.endswith("labs: Interrupted. Nothing was recorded.\n")
    assert signal.getsignal(signal.SIGINT) is before
    judge.instead = lambda: None
    assert "not begun" in labs("list")[1]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break in another way there")
def test_a_reader_that_has_gone_is_no_fault(space: Path) -> None:
    """`labs list | true` ends quietly with its own exit code."""
    program = (
        "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1)\n"
        "from grader.desk.cli import main; sys.exit(main(['list']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_grade_is_written_as_a_page(labs: Run, handler: Path) -> None:
    """Beside whatever else is asked for; it is one run, and the exit code is the grade's."""
    handler.write_text(BETTER)
    code, out, err = labs("grade", "7", "--json", "--html", "a.html")
    assert code == 1 and json.loads(out)["score"] == 40 and "a.html written." in err
    html = Path("a.html").read_text(encoding="utf-8")
    assert "Lab 7, fan-out: 40 of 100 points" in html and "sends-once: not met" in html
    assert json.loads(labs("list", "--json")[1])["labs"][0]["runs"] == 1
    code, out, _ = labs("grade", "7", "--open")
    assert code == 1 and "runs/7-grade.html written." in out and "40 of 100 points" in out
    assert "show one lab" in misused(labs("grade", "all", "--open"))


# --- hint, reset, solution, run, docs ---------------------------------------------------------


def test_hints_come_one_after_the_other(labs: Run) -> None:
    shown = [labs("hint", "7", "2")[1] for _ in range(4)]
    assert ["step 1" in shown[0], "step 2" in shown[1], "step 3" in shown[2]] == [True] * 3
    assert "step 3" in shown[3] and "That was the last hint" in shown[3]
    assert "Next hint: labs hint 7 2\n" in shown[0]
    assert "step 1" in labs("hint", "7", "2", "--step", "1")[1]
    assert "step 1" in labs("hint", "7", "1")[1]


def test_hints_for_another_folder_are_not_counted(labs: Run, space: Path) -> None:
    """The ladder is the learner's: --path starts at its foot and leaves the learner's place."""
    labs("hint", "7", "2")
    out = labs("hint", "7", "2", "--path", "their work")[1]
    assert "step 1" in out
    assert 'Next hint: labs hint 7 2 --path "their work" --step 2\n' in out
    assert "step 2" in labs("hint", "7", "2")[1]


def test_the_commands_of_a_finding_name_the_folder_that_was_graded(
    labs: Run, judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("standin.NEXT", "labs grade 7 --only sends-once   |   labs hint 7 2")
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "handler.py").write_text(BETTER)
    out = labs("grade", "7", "--path", "../theirs", "--fill", "starter")[1]
    text = " ".join(out.split())
    assert "labs grade 7 --path ../theirs --fill starter --only sends-once" in text
    assert "labs hint 7 --path ../theirs 2" in text
    assert "labs hint 7 2" in labs("grade", "7")[1]


def test_progress_is_mended_by_doctor(
    labs: Run, handler: Path, space: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grader.desk.doctor.isolation", lambda: ())
    labs("grade", "7")
    (space / ".labs" / "progress.json").write_text("{")
    assert "labs doctor --repair" in misused(labs("list"))
    code, out, _ = labs("doctor")
    assert code == 1 and "is damaged" in out
    code, out, _ = labs("doctor", "--repair")
    assert "is kept as progress.damaged-1.json" in " ".join(out.split()) and "damaged (" not in out
    assert labs("list")[0] == 0
    assert "Nothing had to be mended." in labs("doctor", "--repair")[1]


def test_a_hint_may_be_asked_for_by_criterion(labs: Run) -> None:
    assert "Lab 7, task 2: Send it once" in labs("hint", "7", "sends-once")[1]


def test_reset_keeps_a_backup_and_says_where(labs: Run, handler: Path, space: Path) -> None:
    handler.write_text("my work\n")
    code, out, _ = labs("reset", "7")
    assert code == 0 and handler.read_text() == STARTER
    backup = space / ".labs" / "backups" / "07-fan-out-001"
    assert (backup / "handler.py").read_text() == "my work\n"
    assert ".labs/backups/07-fan-out-001" in out
    assert "Nothing was changed" in labs("reset", "7")[1]


def test_the_best_files_can_be_brought_back(labs: Run, handler: Path) -> None:
    handler.write_text(BETTER)
    labs("grade", "7")
    handler.write_text(STARTER)
    labs("grade", "7")
    assert "your best files (40 points)" in labs("reset", "7", "--best")[1]
    assert handler.read_text() == BETTER


def test_the_solution_opens_with_full_marks_or_by_giving_up(
    labs: Run, handler: Path, space: Path
) -> None:
    code, out, _ = labs("solution", "7")
    assert code == 1 and RIGHT not in out and "--give-up" in out
    code, out, _ = labs("solution", "7", "--give-up")
    assert code == 0 and out.index("Why this is right.") < out.index(RIGHT)
    assert "solution given up" in labs("list")[1]
    assert labs("solution", "7")[0] == 0


def test_the_solution_is_earned_by_full_marks(labs: Run, handler: Path) -> None:
    handler.write_text(RIGHT)
    labs("grade", "7")
    assert labs("solution", "7")[0] == 0
    (row,) = json.loads(labs("list", "--json")[1])["labs"]
    assert row["solution"] == "earned"


def test_the_solution_can_be_copied_and_never_overwrites(labs: Run, space: Path) -> None:
    assert labs("solution", "7", "--give-up", "--to", "compare")[0] == 0
    assert (space / "compare" / "handler.py").read_text() == RIGHT
    assert "already holds" in misused(labs("solution", "7", "--to", "compare"))


def test_run_prints_the_timeline_of_the_learners_files(labs: Run, handler: Path) -> None:
    handler.write_text(BETTER)
    assert labs("run", "7") == (0, "09:00:00 first answer = 1\n", "")
    assert labs("run", "7", "poison")[1] == "09:00:00 poison answer = 1\n"


def test_a_run_is_written_as_data_as_a_page_and_as_a_trace(labs: Run, handler: Path) -> None:
    """With --json only the document is on stdout; files are named beside it."""
    handler.write_text(BETTER)
    code, out, err = labs("run", "7", "poison", "--json", "--html", "a.html", "--trace", "a.json")
    document = json.loads(out)
    assert code == 0 and document["schema"] == "labs/run/v1" and document["scenario"] == "poison"
    assert document["told"] == ["09:00:00 poison answer = 1"]
    assert "a.html written" in err and "a.json written" in err
    assert Path("a.html").read_text().startswith("<!doctype html>")
    assert json.loads(Path("a.json").read_text())["traceEvents"] == []
    Path("other").mkdir()
    (Path("other") / "handler.py").write_text(RIGHT)
    code, out, _ = labs("run", "7", "--html", "two.html", "--beside", "other")
    assert code == 0 and "The other run" in Path("two.html").read_text()
    assert "for a page" in misused(labs("run", "7", "--beside", "other"))
    code, out, _ = labs("run", "7", "--open")
    assert code == 0 and "runs/7-first.html written" in out


def test_a_run_is_shown_beside_the_solution_after_full_marks_only(labs: Run, handler: Path) -> None:
    """As `labs solution` opens: earned, or given up, which is remembered."""
    code, out, _ = labs("run", "7", "--html", "a.html", "--beside", "solution")
    assert code == 1 and "labs solution 7 --give-up" in out and not Path("a.html").exists()
    handler.write_text(RIGHT)
    assert labs("grade", "7")[0] == 0
    assert labs("run", "7", "--html", "a.html", "--beside", "solution")[0] == 0
    assert "The other run" in Path("a.html").read_text()
    (row,) = json.loads(labs("list", "--json")[1])["labs"]
    assert row["solution"] == "earned"


def test_docs_names_the_page_on_disk_when_no_site_is_built(labs: Run) -> None:
    code, out, _ = labs("docs", "modules/07-fan-out#twice")
    assert code == 0 and out.strip().endswith("07-fan-out.md")
    assert labs("docs")[1].strip().endswith("index.md")


def test_docs_names_the_built_page_with_its_anchor(labs: Run, tmp_path: Path) -> None:
    site = tmp_path / "package" / "grader" / "desk" / "_site" / "modules"
    site.mkdir(parents=True)
    (site / "07-fan-out.html").touch()
    (site.parent / "index.html").touch()
    _, out, _ = labs("docs", "modules/07-fan-out#twice")
    assert out.startswith("file://") and out.strip().endswith("modules/07-fan-out.html#twice")


def test_docs_prints_a_built_page_as_text_from_an_anchor_on(labs: Run, tmp_path: Path) -> None:
    """Headings, paragraphs, lists, tables in columns and code; nothing of the page's frame."""
    site = tmp_path / "package" / "grader" / "desk" / "_site"
    site.mkdir(parents=True)
    (site / "index.html").write_text(
        '<nav>Frame</nav><article class="md-content__inner md-typeset"><h1 id="top">Top</h1>'
        '<h2 id="one">One<a class="headerlink" href="#one">¶</a></h2><p>Some <b>words</b>.</p>'
        "<ul><li>first</li><li><p>second</p></li></ul>"
        "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
        "<pre><code>x = 1\ny = 2</code></pre>"
        '<h2 id="two">Two</h2><p>Else.</p></article><footer>Frame</footer>'
    )
    code, out, _ = labs("docs", "index#one", "--print")
    assert code == 0
    assert out == (
        "\nOne\n---\n\nSome words.\n- first\n- second\n\na  b\n-  -\n1  2\n\n    x = 1\n    y = 2\n"
    )
    assert "Top\n===" in labs("docs", "--print")[1] and "Frame" not in labs("docs", "--print")[1]
    assert "no place 'three'" in misused(labs("docs", "index#three", "--print"))


def test_docs_prints_markdown_where_no_site_is_built(labs: Run) -> None:
    assert labs("docs", "modules/07-fan-out", "--print")[1] == "# Fan out\n"


def test_docs_serves_a_built_site_only(labs: Run) -> None:
    assert "no built site" in misused(labs("docs", "--serve"))


def test_maintainers_commands_want_a_clone(labs: Run) -> None:
    assert "a clone of the repository" in misused(labs("dev", "check"))


# --- what it looks like -----------------------------------------------------------------------


def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from grader.desk.terminal import coloured, plain

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert paint_for(Terminal()) is coloured
    monkeypatch.setenv("TERM", "dumb")
    assert paint_for(Terminal()) is plain
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint_for(Terminal()) is plain


def test_an_ascii_terminal_gets_ascii(space: Path, handler: Path) -> None:
    """The same command under PYTHONIOENCODING=ascii neither fails nor prints anything else."""
    program = "import sys; from grader.desk.terminal import say; say('62 → 78 – “Größe”')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stdout.strip()) == (0, b'62 -> 78 - "Gr\\xf6\\xdfe"')
