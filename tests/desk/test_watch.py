"""`labs watch`: what starts a grade, what ends one, what is shown, and that it is the same grade.

The judge is a stand-in; ``tests/course/test_warm.py`` plays real labs in the warm process.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from standin import BETTER, RIGHT, STARTER, Judge, Run

from grader.course import lab, warm
from grader.course.files import UsageError, written
from grader.course.progress import Store
from grader.course.warm import FORKS, Files, Said, Warm
from grader.desk import cli, watch
from grader.desk.keys import Keys
from grader.desk.terminal import plain
from grader.desk.watch import PATIENCE_S, POLL_S, Folder, Session

forks = pytest.mark.skipif(not FORKS, reason="no safe fork on this platform")


# --- what is in the folder --------------------------------------------------------------------


class Disk:
    """Files to be read, or the sentence that reading them raises."""

    def __init__(self) -> None:
        self.content: dict[str, bytes] | str = {"handler.py": b"one"}

    def read(self) -> dict[str, bytes]:
        if isinstance(self.content, str):
            raise UsageError(self.content)
        return dict(self.content)


def looks(folder: Folder, clock: list[float], seconds: float) -> list[object]:
    """What a folder tells while it is polled for so long."""
    told = []
    for _ in range(round(seconds / POLL_S)):
        clock[0] += POLL_S
        told.append(folder.look(clock[0]))
    return [one for one in told if one is not None]


@pytest.fixture
def polled() -> tuple[Disk, Callable[[float], list[object]]]:
    """A disk, and how to poll it for some seconds."""
    disk, clock = Disk(), [0.0]
    folder = Folder(disk.read)
    return disk, lambda seconds: looks(folder, clock, seconds)


Polled = tuple[Disk, Callable[[float], list[object]]]


def test_files_are_told_once_when_two_readings_agree(polled: Polled) -> None:
    disk, poll = polled
    assert poll(POLL_S) == []
    assert poll(1) == [{"handler.py": b"one"}]
    disk.content = {"handler.py": b"half"}
    assert poll(POLL_S) == []
    disk.content = {"handler.py": b"whole"}
    assert poll(1) == [{"handler.py": b"whole"}]


def test_a_save_that_changes_nothing_tells_nothing(polled: Polled) -> None:
    disk, poll = polled
    poll(1)
    disk.content = {"handler.py": b"one"}
    assert poll(10) == []


@pytest.mark.parametrize("problem", ["There is no handler.py.", "handler.py is empty."])
def test_a_file_that_is_gone_for_a_moment_is_no_problem(polled: Polled, problem: str) -> None:
    """Editors write by rename, or empty a file before they fill it."""
    disk, poll = polled
    poll(1)
    disk.content = problem
    assert poll(PATIENCE_S - POLL_S) == []
    disk.content = {"handler.py": b"two"}
    assert poll(1) == [{"handler.py": b"two"}]


def test_a_problem_that_stays_is_told_once_and_then_the_files_again(polled: Polled) -> None:
    disk, poll = polled
    poll(1)
    disk.content = "There is no handler.py."
    assert poll(10 * PATIENCE_S) == ["There is no handler.py."]
    disk.content = {"handler.py": b"one"}
    assert poll(1) == [{"handler.py": b"one"}]


# --- the session ------------------------------------------------------------------------------


class Bench(Warm):
    """Grades in this process with the stand-in judge, at once, unless it is told to hang."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.forks = False
        self.hangs = False
        self.waiting: list[Said] = []
        self.did: list[str] = []
        self.graded = False

    def warm_up(self) -> None:
        self.did.append("warm")

    @property
    def busy(self) -> bool:
        return self.graded

    def start(self, files: Files, *, seen: bool = False) -> None:
        self.did.append("stop, start" if self.busy else "start")
        self.graded = True
        self.files = files
        self.seen = seen

    def listen(self, seconds: float) -> Said | None:
        if not self.graded or self.hangs:
            return None
        self.graded = False
        if self.files["handler.py"] == b"die\n":
            return ("failed", "the grading process ended with exit code -9")
        with written(self.files) as folder:
            if self.seen:
                return ("seen", self.judge.grade_seen(lab.find("7"), folder))
            return ("graded", self.judge.grade(lab.find("7"), folder))

    def stop(self) -> None:
        self.did.append("stop")
        self.graded = False

    def renew(self) -> None:
        self.did.append("renew")


class Scripted(Keys):
    """Does the next step of a script when the session asks for keys, and q after the last."""

    def __init__(self, there: bool) -> None:
        self.there = there
        self.steps: Iterator[str | Callable[[], object] | None] = iter(())
        self.clock = 0.0

    def pressed(self) -> str:
        step = next(self.steps, "q")
        if callable(step):
            step()
        return step if isinstance(step, str) else ""


class Played:
    """A session over lab 7 whose clock moves at each poll; call it with the steps of a script."""

    def __init__(self, judge: Judge, capsys: pytest.CaptureFixture[str]) -> None:
        self.bench = Bench(judge)
        self.capsys = capsys
        self.now = 0.0

    def __call__(self, *steps: object, path: str | None = None, keys: bool = True) -> str:
        self.capsys.readouterr()
        scripted = Scripted(keys)
        session = Session(lab.find("7"), path, 0, plain, self.bench, scripted)

        def spread() -> Iterator[Any]:
            # Three polls let the files settle before the next step.
            yield from [None] * 3
            for step in steps:
                yield step
                yield from [None] * 3

        scripted.steps = spread()
        session.run()
        print(session.summary())
        return self.capsys.readouterr().out


@pytest.fixture
def play(
    space: Path,
    judge: Judge,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Played:
    played = Played(judge, capsys)

    def tick() -> float:
        played.now += PATIENCE_S / 2
        return played.now

    monkeypatch.setattr(watch.time, "monotonic", tick)
    return played


def test_each_save_is_graded_recorded_and_compared(play: Played, handler: Path) -> None:
    out = play(lambda: handler.write_text(BETTER), lambda: handler.write_text(RIGHT))
    assert play.bench.did == ["warm", "start", "start", "start"]
    assert "--- run 1: labs/07-fan-out ---" in out and "--- run 2: handler.py ---" in out
    assert "Since the last run: won: sends-twice; 0 -> 40." in out
    assert "Since the last run: won: sends-once; 40 -> 100." in out
    assert out.endswith("Lab 7: 3 runs, 0 -> 100 points.\n")
    entry = Store(Path(".labs")).load().labs["fan-out"]
    assert (entry.runs, entry.best, entry.passed) == (3, 100, True)


def test_full_marks_point_to_the_solution_and_to_what_is_next(play: Played, handler: Path) -> None:
    handler.write_text(RIGHT)
    out = " ".join(play().split())
    assert "Every criterion is met. Compare with the solution: labs solution 7." in out
    assert "Every lab is passed: labs list shows what you have proved." in out
    assert "Keys: o open as a page | a everything | r again | q quit" in out


def test_the_keys_that_apply_and_the_next_hint_are_named(play: Played, handler: Path) -> None:
    """h climbs the ladder of the first task that is not met, and the progress remembers it."""
    handler.write_text(BETTER)
    out = play("h", "h", "h", "h")
    for step in (1, 2, 3):
        assert f"Keys: h hint {step} of 3 for task 2 |" in out
        assert f"Task 2, step {step}." in out
    assert out.count("That was the last hint. Go back: labs hint 7 2 --step 1") == 2
    assert Store(Path(".labs")).load().labs["fan-out"].hints == {"2": 3}


def test_everything_is_shown_and_graded_again_on_demand(play: Played) -> None:
    out = play("a", "r", "?")
    assert out.count("A rule.") == 1 + 2 + 1
    assert "--- run 2: the same files again ---" in out
    assert "nothing changed" in out


def test_the_grade_is_opened_as_a_page_on_demand(play: Played) -> None:
    """The same files are played once more for it, and that is no run of the learner's."""
    out = play("o", "a")
    assert "7-grade.html written." in out and play.bench.did == ["warm", "start", "start"]
    html = Path(".labs/runs/7-grade.html").read_text(encoding="utf-8")
    assert "Lab 7, fan-out: 0 of 100 points" in html and "A rule." in html
    assert out.count("| o open as a page |") == 3
    assert Store(Path(".labs")).load().labs["fan-out"].runs == 1
    assert out.endswith("Lab 7: 1 run, 0 points.\n")


def test_without_a_terminal_no_keys_are_named(play: Played) -> None:
    out = play(keys=False)
    assert "Keys:" not in out
    assert "Next hint: labs hint 7 1 (hint 1 of 3 for task 1)\n" in out


def test_a_save_during_a_grade_begins_anew_with_the_new_files(play: Played, handler: Path) -> None:
    """A handler that hangs needs no patience: mending it is enough."""
    bench = play.bench
    bench.hangs = True

    def mend() -> None:
        handler.write_text(BETTER)

    def answer() -> None:
        bench.hangs = False

    out = play(mend, answer)
    assert bench.did == ["warm", "start", "stop, start"]
    assert "Saved again: what was being graded is left." in out
    assert out.endswith("Lab 7: 1 run, 40 points.\n")
    assert Store(Path(".labs")).load().labs["fan-out"].runs == 1


def test_a_file_that_is_gone_is_told_once_and_graded_when_it_is_back(
    play: Played, handler: Path
) -> None:
    out = play(handler.unlink, lambda: None, lambda: None, lambda: handler.write_text(BETTER))
    assert out.count("holds no handler.py; lab 7 needs handler.py.") == 1
    assert "won: sends-twice; 0 -> 40." in out


def test_a_process_that_dies_costs_one_run_and_no_more(
    play: Played, handler: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The grader's own fault is told, and the next save is graded by a fresh process."""
    handler.write_text("die\n")
    out = play(lambda: handler.write_text(BETTER))
    assert play.bench.did == ["warm", "start", "renew", "start"]
    assert out.endswith("Lab 7: 1 run, 40 points.\n")


def test_a_worse_end_names_the_way_back_to_the_best_files(play: Played, handler: Path) -> None:
    handler.write_text(RIGHT)
    out = play(lambda: handler.write_text(STARTER))
    assert out.endswith("100 -> 0 points. The files that won 100: labs reset 7 --best\n")


def test_another_folder_leaves_the_learners_progress_and_hints_alone(
    play: Played, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "handler.py").write_text(BETTER)
    path = str(theirs)
    out = play("h", lambda: (theirs / "handler.py").write_text(RIGHT), path=path)
    assert "Task 2, step 1." in out and "Keys: h hint 2 of 3 for task 2" in out
    assert "Since the last run: 40 -> 100." in out
    assert not (Path(".labs") / "progress.json").exists()


# --- the command ------------------------------------------------------------------------------


def test_wrong_use_is_told_before_anything_is_started(labs: Run) -> None:
    assert labs("watch", "9")[0] == 2
    assert labs("watch", "7", "--path", "nowhere")[0] == 2


def test_without_a_number_the_next_unfinished_lab_is_watched(labs: Run, handler: Path) -> None:
    handler.write_text(RIGHT)
    labs("grade", "7")
    assert labs("watch")[1].startswith("Every lab is passed.")


class NoNursery:
    """Stands in for a nursery: the stand-in judge asks nothing of it."""

    def forget(self, pid: int) -> None:
        pass

    def close(self) -> None:
        pass


class Driven:
    """`labs watch 7` in a forked process, over a pseudo-terminal or with pipes."""

    def __init__(self, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        import pty

        monkeypatch.setattr(warm, "_warm_up", lambda lab: NoNursery())
        monkeypatch.setattr(watch, "POLL_S", 0.02)
        self.said = ""
        ours, theirs = pty.openpty() if terminal else os.pipe()
        self.ours = ours
        self.ended = False
        self.pid = os.fork()
        if not self.pid:
            code = 99
            try:
                os.setsid()
                if terminal:
                    import fcntl
                    import termios

                    fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
                    os.dup2(theirs, 0)
                else:
                    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                sys.stdin = open(0, closefd=False)  # noqa: SIM115
                sys.stdout = open(theirs, "w", closefd=False, buffering=1)  # noqa: SIM115
                sys.stderr = open(theirs, "w", closefd=False, buffering=1)  # noqa: SIM115
                code = cli.main(["watch", "7"])
                sys.stdout.flush()
            finally:
                os._exit(code)
        os.close(theirs)

    def until(self, text: str) -> str:
        """Read until ``text`` is said; what was said up to it."""
        while text not in self.said:
            ready, _, _ = select.select([self.ours], [], [], 20)
            assert ready, f"{text!r} was not said, but {self.said!r}"
            try:
                data = os.read(self.ours, 65536)
            except OSError:
                data = b""
            assert data, f"{text!r} was not said, but {self.said!r}"
            self.said += data.decode()
        before, _, self.said = self.said.partition(text)
        return before

    def end(self) -> int:
        """The exit code."""
        _, status = os.waitpid(self.pid, 0)
        self.ended = True
        os.close(self.ours)
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """End it, however the test went."""
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
            self.end()


@pytest.fixture
def drive(space: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], Driven]]:
    """Start a watch, in a terminal or without."""
    begun: list[Driven] = []

    def begin(terminal: bool) -> Driven:
        begun.append(Driven(terminal, monkeypatch))
        return begun[-1]

    yield begin
    for driven in begun:
        driven.close()


Drive = Callable[[bool], Driven]


@forks
def test_keys_and_saves_reach_a_watch_in_a_terminal(handler: Path, drive: Drive) -> None:
    """Saved by rename, as editors do; h and q need no Enter; the exit code is 0."""
    driven = drive(True)
    assert "0 of 100 points" in driven.until("q quit")
    (handler.parent / "new").write_text(BETTER)
    (handler.parent / "new").replace(handler)
    assert "0 -> 40" in driven.until("q quit")
    os.write(driven.ours, b"\x1b[A")
    os.write(driven.ours, b"h")
    assert "Task 2, step 1." in driven.until("q quit")
    os.write(driven.ours, b"q")
    driven.until("Lab 7: 2 runs, 0 -> 40 points.")
    assert driven.end() == 0


@forks
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_grade_at_once_and_the_watch_in_order(
    space: Path, judge: Judge, drive: Drive, number: int
) -> None:
    """Not even a judge that never ends holds it back, and it leaves no process behind."""
    place = space / "pid"

    def hang() -> None:
        place.write_text(str(os.getpid()))
        place.rename(space / "grading")
        time.sleep(600)

    judge.instead = hang
    driven = drive(False)
    driven.until("--- run 1")
    for _ in range(2_000):
        if (space / "grading").exists():
            break
        time.sleep(0.01)
    os.kill(driven.pid, number)
    driven.until("Lab 7 was not graded.")
    assert driven.end() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int((space / "grading").read_text()), 0)
