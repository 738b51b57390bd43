"""`labs class grade`: what it says, how it exits, what it refuses."""

from __future__ import annotations

import builtins
import json
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_workers import Fake, failed, lost, won

from grader.classroom import grading, settings, version
from grader.classroom.parcel import Answer, Parcel
from grader.classroom.record import Record
from grader.course import lab
from grader.course.warm import cores
from grader.desk import cli

ONE = lab.find("1")
Run = Callable[..., tuple[int, str, str]]


class Class:
    """A class of Ann and Ben, whose workers are ``workers``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workers = Fake()
        self.wanted: list[Any] = []
        settings.write_new(root)
        for learner in ("ann", "ben"):
            self.hand_in(learner, f"# {learner}\n")

    def hand_in(self, learner: str, code: str) -> Path:
        place = self.root / "handed-in" / learner / ONE.name
        place.mkdir(parents=True, exist_ok=True)
        for name in ONE.editable:
            (place / name).write_text(code)
        return place

    def hire(self, wanted: Any, terms: Any) -> Fake:
        self.terms = terms
        self.wanted.append(wanted)
        return self.workers

    def grades(self) -> list[Any]:
        with Record(self.root / "class.sqlite") as record:
            return record.grades()


@pytest.fixture
def class_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Class:
    made = Class(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(grading, "hire", made.hire)
    return made


@pytest.fixture
def run(class_: Class, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["class", "grade", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_everything_is_graded_and_then_there_is_nothing_to_grade(class_: Class, run: Run) -> None:
    """Plain lines where there is no terminal: what is to be done first, on stderr."""
    code, out, err = run()
    assert (code, out) == (0, "2 hand-ins graded. Isolation: namespaces.\n")
    assert err.startswith("2 hand-ins to grade ...\n")
    assert class_.wanted == [min(2, cores())], "never more workers than grades"
    assert run() == (0, "Nothing to grade.\n", "")
    assert len(class_.wanted) == 1, "nobody is hired for nothing"


def test_weak_isolation_is_permitted_by_its_option_only(class_: Class, run: Run) -> None:
    run("--only", "ann")
    assert not class_.terms.weak
    run("--weak-isolation")
    assert class_.terms.weak


def test_one_lab_of_one_learner_can_be_graded(class_: Class, run: Run) -> None:
    code, _out, _ = run("1", "--only", "ben", "--workers", "0")
    assert (code, [one.learner for one in class_.grades()]) == (0, ["ben"])
    assert class_.wanted == [0]
    assert run("2", "--only", "ben")[1] == "Nothing is handed in yet: labs class take.\n"
    assert "nothing of bem. Did you mean ben?" in run("--only", "bem")[2]


def test_what_cannot_be_read_is_told_each_time_and_exits_with_one(class_: Class, run: Run) -> None:
    (class_.hand_in("ann", "x") / ONE.editable[0]).unlink()
    for _ in range(2):
        code, out, _ = run()
        assert code == 1
        assert f"ann, lab 1: not graded. handed-in/ann/{ONE.name} holds no" in out
    assert [one.learner for one in class_.grades()] == ["ben"]


def test_the_graders_fault_is_told_each_time_exits_with_three_and_can_be_tried_again(
    class_: Class, run: Run
) -> None:
    class_.workers.say = failed("it hung.")
    for _ in range(2):
        code, out, _ = run()
        assert code == 3
        assert "ann, lab 1: the grader's fault, on a: it hung. on b: it hung." in out
        assert out.endswith("--retry tries it again.\n")
    class_.workers.say = won
    assert run("--retry")[0] == 0
    assert {one.status for one in class_.grades()} == {"graded"}


def test_a_new_course_changes_no_mark_until_it_is_published(
    class_: Class, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run()
    monkeypatch.setattr(version, "course_version", lambda: "9.9.9+new")
    class_.workers.say = lost
    assert run()[1] == "Nothing to grade.\n"
    code, out, _ = run("--regrade")
    assert code == 0
    points = 100 - lost(Parcel(1, 0, "x", {}), "a").document["criteria"][0]["points"]
    assert f"ann, lab 1: 100 -> {points} points (" in out and "met -> unmet" in out
    assert out.endswith("2 published marks would change; --publish takes what is new.\n")
    with Record(class_.root / "class.sqlite") as record:
        assert {one.course for one in record.published()} != {"9.9.9+new"}
        assert run("--publish")[1].endswith("2 marks changed.\n")
        assert {one.course for one in record.published()} == {"9.9.9+new"}
    assert run("--publish")[1] == "Nothing to grade.\n0 marks changed.\n"


def test_seeds_come_from_the_command_or_the_settings(class_: Class, run: Run) -> None:
    text = (class_.root / "class.toml").read_text()
    (class_.root / "class.toml").write_text(f"seed = 4\n{text}")
    run("--only", "ann")
    (class_.root / "secret").write_text("0123456789abcdef")
    run("--only", "ben", "--secret", "secret")
    seeds = [one.document["seed"] for one in class_.grades()]
    assert seeds[0] == 4 and seeds[1] > 100
    assert "not both" in run("--seed", "1", "--secret", "secret")[2]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--scheduler", "grader:8786"], "is no address of a scheduler; it looks like tls://HOST"),
        (["--scheduler", "http://grader:8786"], "is no address of a scheduler"),
        (["--scheduler", "tls://grader"], "is no address of a scheduler"),
        (["--scheduler", "tcp://grader:8786"], "whoever reaches a port of Dask runs code there"),
        (["--scheduler", "tcp://0.0.0.0:8786"], "whoever reaches a port of Dask runs code there"),
        (["--scheduler", "tls://grader:8786"], "needs --cert FILE"),
        (["--scheduler", "tls://g:1", "--cert", "a", "--key", "a"], "There is no file a (--cert)"),
        (["--scheduler", "tcp://127.0.0.1:1", "--ca", "a"], "Certificates go with tls://"),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "not both"),
        (["--insecure"], "go with --scheduler"),
        (["--workers", "-1"], "is not in the range"),
        (["7"], "There is no lab '7'"),
        (["--secret", "nowhere"], "The secret nowhere cannot be read"),
    ],
)
def test_what_does_not_fit_together_is_one_sentence(
    class_: Class, run: Run, arguments: list[str], sentence: str
) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and sentence in err and err.count("\n") == 1
    assert class_.wanted == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_a_scheduler_of_this_machine_needs_no_certificates(
    class_: Class, run: Run, host: str
) -> None:
    """And `--insecure` permits any other, and says what that means."""
    assert run("--scheduler", f"tcp://{host}:8786")[0] == 0
    class_.hand_in("ann", "new")
    code, _, err = run("--scheduler", "tcp://grader:8786", "--insecure")
    assert code == 0 and "whoever reaches that port runs code there" in err
    assert [one.url for one in class_.wanted][1] == "tcp://grader:8786"


def test_without_dask_a_sentence_says_how_to_get_it(
    tmp_path: Path, class_: Class, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--workers 0` needs none: nothing of Dask is imported."""
    import sys

    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] in ("distributed", "dask"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **more)

    monkeypatch.undo()
    monkeypatch.chdir(class_.root)
    monkeypatch.delitem(sys.modules, "grader.classroom.cluster", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    code, out, err = run("--workers", "2")
    assert (code, out) == (2, "")
    assert "pip install 'streamlabs[class]'" in err and "--workers 0" in err
    assert grading.hire(0, command_terms()).size == 1


def command_terms() -> Any:
    from grader.classroom.work import Terms

    return Terms()


def test_ctrl_c_ends_with_a_sentence_and_keeps_what_is_done(class_: Class, run: Run) -> None:
    def say(parcel: Parcel, worker: str) -> Answer:
        if class_.grades():
            os.kill(os.getpid(), signal.SIGINT)
        return won(parcel, worker)

    class_.workers.say = say
    code, out, err = run()
    assert (code, out) == (130, "")
    assert err.endswith(
        "labs: Interrupted. 1 hand-in graded and kept; labs class grade goes on with the rest.\n"
    )
    class_.workers = Fake()
    assert run()[1].startswith("1 hand-in graded.")


def test_a_full_disk_is_a_sentence_and_loses_nothing(
    class_: Class, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file may grow no more after the first grade; with room again the rest is graded."""
    execute = Record.add_grade

    def add(self: Record, *rest: Any, **more: Any) -> bool:
        if self.keys():
            pages = self._sql.execute("PRAGMA page_count").fetchone()[0]
            self._sql.execute(f"PRAGMA max_page_count = {pages}")
        return execute(self, *rest, **more)

    monkeypatch.setattr(Record, "add_grade", add)
    big = json.dumps(["x" * 100_000])
    class_.workers.say = lambda parcel, worker: _with_note(won(parcel, worker), big)
    code, out, err = run()
    assert (code, out) == (2, "")
    assert "class.sqlite cannot be used: database or disk is full." in err
    monkeypatch.setattr(Record, "add_grade", execute)
    assert run()[1].startswith("1 hand-in graded.")
    assert len(class_.grades()) == 2


def _with_note(answer: Answer, text: str) -> Answer:
    assert answer.document is not None
    answer.document["notes"] = [text]
    return answer


def test_a_locked_record_is_waited_for(class_: Class, run: Run) -> None:
    """Another program that writes for a moment costs no grade."""
    import threading

    with Record(class_.root / "class.sqlite"):
        pass
    other = sqlite3.connect(
        class_.root / "class.sqlite", isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.5, other.rollback)
    timer.start()
    assert run()[0] == 0
    timer.join()
    other.close()
