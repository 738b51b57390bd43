"""labs class init, take and forget: what they say, and their exit codes."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import exports
import pytest
from exports import CLASS, answer, below, packed, unpacked

from grader.classroom import grading, taking
from grader.classroom.record import Record
from grader.desk import cli

Labs = Callable[..., tuple[int, str, str]]
MINE = answer("2", "solution", "mine")


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Labs:
    """`labs class` in the folder of a class."""
    monkeypatch.chdir(tmp_path)

    def labs(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["class", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return labs


def class_of(run: Labs, labs: str = "[2]") -> None:
    run("init")
    place = Path("class.toml")
    text = place.read_text(encoding="utf-8").replace("labs = [1, 2, 3, 4, 5, 6]", f"labs = {labs}")
    place.write_text(text, encoding="utf-8")


def test_from_an_export_of_twelve_to_hand_ins(run: Labs) -> None:
    """The first ten minutes of an instructor: init, the roster, take."""
    code, out, _ = run("init", "streams")
    assert code == 0
    assert (
        out.splitlines()[0] == "streams/class.toml: written; its comments say what may stand in it"
    )
    class_of(run)
    unpacked(Path(), exports.class_of_twelve())
    code, out, err = run(
        "take",
        "STREAMS-Lab 2-3456.zip",
        "--times",
        "Grades-STREAMS-Lab 2-3456.csv",
        "--zone",
        "Europe/Berlin",
    )
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "STREAMS-Lab 2-3456.zip (Moodle)",
        "  lab 2: 11 hand-ins taken",
        "Lab 2 is missing from 1 learner: eve",
    ]
    with Record(Path("class.sqlite")) as record:
        assert all(one.handed_in_at for one in record.hand_ins())
    code, out, _ = run(
        "take",
        "STREAMS-Lab 2-3456.zip",
        "--times",
        "Grades-STREAMS-Lab 2-3456.csv",
        "--zone",
        "Europe/Berlin",
    )
    assert out.splitlines()[1] == "  lab 2: 0 hand-ins taken, 11 as before"


def test_what_is_odd_refused_left_and_missing_is_told(run: Labs) -> None:
    class_of(run, "[2, 4]")
    Path("roster.csv").write_text(exports.roster(CLASS[:4]), encoding="utf-8")
    unpacked(Path("class"), {
        **below("ada", MINE | {"notes.docx": b"PK"}),
        **below("grace", answer("4", "solution")),
        **below("mallory", MINE),
        "liwei1/work.zip": packed({"../../x": b"x"}),
        "readme.txt": b"x",
    })  # fmt: skip
    Path("class/ada/notes.md").write_bytes(b"x")
    code, out, _ = run("take", "class")
    assert code == 1
    assert out.splitlines() == [
        "class (folders)",
        "  lab 2: 1 hand-in taken (ada)",
        "  lab 4: 1 hand-in taken (grace)",
        "  ada, lab 2: left: 'notes.md'",
        "  refused: liwei1: it holds the name '../../x', which leads out of its folder.",
        "  refused: mallory is not in the roster.",
        "  left: readme.txt, which is nobody's hand-in",
        "Lab 2 is missing from 3 learners: grace, liwei1, liwei2",
        "Lab 4 is missing from 3 learners: ada, liwei1, liwei2",
    ]


def test_one_source_that_cannot_be_read_costs_the_others_nothing(run: Labs) -> None:
    class_of(run)
    Path("broken.zip").write_bytes(b"PK")
    Path("ada.zip").write_bytes(packed(MINE))
    code, out, err = run("take", "broken.zip", "ada.zip", "--lab", "2")
    assert code == 1
    assert "broken.zip is damaged or not whole; download it again." in err
    assert "1 hand-in taken (ada)" in out
    code, _, err = run("take", "broken.zip")
    assert (code, err) == (2, "labs: broken.zip is damaged or not whole; download it again.\n")


def test_names_of_others_steer_no_terminal_and_make_no_lines(run: Labs) -> None:
    class_of(run)
    evil = "eve\x1b[2J\nada, lab 2: full marks"
    unpacked(Path("class"), {**below("ada", MINE), **below(evil, MINE)})
    code, out, _ = run("take", "class", "--lab", "2")
    assert code == 1
    assert "\x1b" not in out
    assert not any(line.startswith("ada") for line in out.splitlines())


def test_an_attempt_is_chosen_without_a_source(run: Labs) -> None:
    class_of(run)
    for note in ("first", "second"):
        Path(f"{note}.zip").write_bytes(packed(below("ada", answer("2", "solution", note))))
        code, out, _ = run("take", f"{note}.zip", "--lab", "2")
    assert "  ada, lab 2: attempt 2" in out
    assert run("take", "--learner", "ada", "--lab", "2", "--attempt", "1")[1] == (
        "ada, lab 2: attempt 1 counts\n"
    )
    graded = Path("handed-in/ada/02-lambda-triggers/template.yaml")
    assert graded.read_bytes().endswith(b"# first\n")
    code, _, err = run("take", "--learner", "ada", "--lab", "2", "--attempt", "9")
    assert (code, err) == (2, "labs: There is no attempt 9 of ada at lab 2.\n")
    assert run("take", "--learner", "ada")[0] == 2
    assert run("take")[2].startswith(
        "labs: Give a SOURCE to take, or --learner, --lab and --attempt"
    )


def test_wrong_use_is_one_sentence(run: Labs) -> None:
    Path("x.zip").write_bytes(packed(below("ada", MINE)))
    assert "no class.toml" in run("take", "x.zip")[2]
    class_of(run)
    for arguments, sentence in (
        (["x.zip", "--lab", "11"], "There is no lab '11'."),
        (["x.zip", "--times", "none.csv"], "none.csv cannot be read: it is not there."),
        (["x.zip", "--zone", "Berlin"], "did you mean 'Europe/Berlin'?"),
        (
            ["x.zip", "--learner", "ada"],
            "--learner goes with --attempt and --lab, without a SOURCE.",
        ),
        (["none.zip"], "none.zip cannot be read: it is not there."),
    ):
        code, _, err = run("take", *arguments)
        assert code == 2
        assert sentence in err
        assert err.count("\n") == 1


def test_extensions_for_nobody_are_told(run: Labs) -> None:
    class_of(run)
    Path("roster.csv").write_text(exports.roster(CLASS[:1]), encoding="utf-8")
    with Path("class.toml").open("a", encoding="utf-8") as file:
        file.write(
            '[[extensions]]\nlearner = "adda"\ndays = 1\n[[extensions]]\nsection = "x"\ndays = 1\n'
        )
    Path("x.zip").write_bytes(packed(below("ada", MINE)))
    _, _, err = run("take", "x.zip", "--lab", "2")
    assert err.splitlines() == [
        "labs: class.toml gives adda more time, who is not in the roster.",
        "labs: class.toml gives section x more time, which nobody is in.",
    ]


def test_a_full_disk_is_one_sentence(run: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    class_of(run)
    Path("x.zip").write_bytes(packed(below("ada", MINE)))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(taking.Shelf, "put", full)
    code, _, err = run("take", "x.zip", "--lab", "2")
    assert (code, err) == (2, "labs: handed-in cannot be written: no space left on device.\n")


def test_an_interrupted_take_says_what_is_kept(run: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    class_of(run)
    Path("x.zip").write_bytes(packed({**below("ada", MINE), **below("bob", MINE)}))
    put = taking.Shelf.put

    def interrupted(*arguments: Any, **more: Any) -> Any:
        if arguments[2].learner == "bob":
            raise KeyboardInterrupt
        return put(*arguments, **more)

    monkeypatch.setattr(taking.Shelf, "put", interrupted)
    code, _, err = run("take", "x.zip", "--lab", "2")
    told = "labs: Interrupted. What was taken so far is kept; take the same again to go on.\n"
    assert (code, err.lstrip()) == (130, told)
    assert Path("handed-in/ada").is_dir()


def test_forget_asks_and_tells(run: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
    class_of(run)
    Path("x.zip").write_bytes(packed({**below("ada", MINE), **below("bob", MINE)}))
    run("take", "x.zip", "--lab", "2")
    code, _, err = run("forget", "ada")
    assert (code, err) == (2, "labs: There is no way back, and nobody to ask here; add --yes.\n")
    assert Path("handed-in/ada").is_dir()
    code, _, err = run("forget", "adda", "--yes")
    assert (code, err) == (
        2,
        "labs: There is nobody called adda in this class. Did you mean ada?\n",
    )
    code, out, _ = run("forget", "ada", "--yes")
    assert code == 0
    assert out.splitlines()[0] == "ada is forgotten:"
    assert "Not removed, because it lies elsewhere:" in out
    assert not Path("handed-in/ada").exists()
    assert Path("handed-in/bob").is_dir()


@pytest.mark.parametrize(("answer_", "code"), [("n", 1), ("", 1), ("y", 0)])
def test_forget_asks_on_a_terminal(
    run: Labs, monkeypatch: pytest.MonkeyPatch, answer_: str, code: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    class_of(run)
    Path("x.zip").write_bytes(packed(below("ada", MINE)))
    run("take", "x.zip", "--lab", "2")
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer_}\n"))
    got, out, _ = run("forget", "ada")
    assert got == code
    assert "Remove all that is kept about ada, for good? [y/N]" in out
    assert ("Nothing was removed." in out) == Path("handed-in/ada").exists() == bool(code)


def test_forget_waits_for_a_grade_under_way(run: Labs) -> None:
    """It would come back after its learner is forgotten."""
    import threading

    class_of(run)
    Path("x.zip").write_bytes(packed(below("ada", MINE)))
    run("take", "x.zip", "--lab", "2")
    ended = threading.Event()

    def grade() -> None:
        with grading.alone(Path.cwd(), lambda: None):
            began.set()
            ended.wait(0.5)
            there.append(Path("handed-in/ada").is_dir())

    began, there = threading.Event(), list[bool]()
    other = threading.Thread(target=grade)
    other.start()
    began.wait()
    code, _, err = run("forget", "ada", "--yes")
    other.join()
    assert (code, err) == (0, "labs: labs class grade is under way; this waits for it.\n")
    assert there == [True]
    assert not Path("handed-in/ada").exists()
