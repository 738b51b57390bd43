"""A kill at any moment loses no learner file and no progress.

Each command runs in forked processes that die without any cleaning up, the first before its first
change of the workspace, the next before its second, and so on until one comes through. What is
left is then looked at, and the command run again. The moments come from Python's audit events, so
they are all there and the same in every run.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from standin import BETTER, RIGHT, STARTER, Run

from grader.course import warm
from grader.course.files import is_part
from grader.course.progress import Entry, Progress, Store

# Imported here once and not in every process that is killed.
from grader.desk import cli, doctor, report, watch  # noqa: F401

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform"),
]

KILLED = 77
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate")


def die_before(moment: int, root: Path) -> None:
    """Let this process die before its change number ``moment`` below ``root``."""
    left = [moment]

    def count() -> None:
        left[0] -= 1
        if not left[0]:
            os._exit(KILLED)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            flags = arguments[2]
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        else:
            writes = event in CHANGES
        if writes and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 - as it is
            if path.startswith(f"{root}{os.sep}"):
                count()

    fsync = os.fsync

    def counted(handle: int) -> None:
        count()
        fsync(handle)

    os.fsync = counted
    sys.addaudithook(hook)


def run_killed(arguments: list[str], root: Path, moment: int) -> int:
    """Run a command in a process that dies before its change ``moment``; its exit code."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 99
    try:
        os.chdir(root)
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        tempfile.tempdir = str(root.parent)
        die_before(moment, root)
        code = cli.main(arguments)
    finally:
        os._exit(code)


class QuitAfterRun(watch.Keys):
    """Presses q as soon as the progress knows of the session's run."""

    def pressed(self) -> str:
        return "q" if Store(Path(".labs")).load().labs["fan-out"].last == 100 else ""


class NoNursery:
    """The stand-in judge asks nothing of a nursery."""

    def forget(self, pid: int) -> None:
        pass

    def close(self) -> None:
        pass


def content(root: Path) -> str:
    return (root / "labs" / "07-fan-out" / "handler.py").read_text()


def progress(root: Path) -> Progress:
    return Store(root / ".labs").load()


def whole(root: Path) -> Entry:
    """The entry of lab 7, after a look at the best files that it names."""
    store = Store(root / ".labs")
    entry = store.load().labs["fan-out"]
    assert entry.best_files and store.is_kept(entry)
    return entry


@pytest.fixture
def worked(space: Path, handler: Path, labs: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace in which lab 7 was graded with 0, then with 40 points."""
    monkeypatch.setattr(warm, "_warm_up", lambda lab: NoNursery())
    monkeypatch.setattr(watch, "POLL_S", 0.005)
    monkeypatch.setattr(watch, "TerminalKeys", QuitAfterRun)
    monkeypatch.setattr(doctor, "isolation", lambda: ())
    for text in (STARTER, BETTER):
        handler.write_text(text)
        labs("grade", "7")
    return space


def every_moment(
    worked: Path, tmp_path: Path, arguments: list[str], look: Callable[[Path], None]
) -> int:
    """Kill a command at each of its changes and ``look`` at what is left; how many there are."""
    before = progress(worked)
    rehearsal = tmp_path / "whole"
    shutil.copytree(worked, rehearsal)
    assert run_killed(arguments, rehearsal, 10_000) in (0, 1)
    after = progress(rehearsal)
    moment = 0
    while True:
        moment += 1
        root = tmp_path / f"killed-{moment}"
        shutil.copytree(worked, root)
        code = run_killed(arguments, root, moment)
        assert progress(root) in (before, after), f"killed at {moment}"
        whole(root)
        look(root)
        if code != KILLED:
            assert progress(root) == after
            return moment - 1
        # What a killed command left behind does not disturb the next one.
        assert run_killed(arguments, root, 10_000) in (0, 1)
        whole(root)
        shutil.rmtree(root)


@pytest.mark.parametrize("command", ["grade", "watch"])
def test_a_killed_run_that_is_the_best_loses_nothing(
    worked: Path, tmp_path: Path, handler: Path, command: str
) -> None:
    handler.write_text(RIGHT)

    def look(root: Path) -> None:
        assert content(root) == RIGHT
        best = Store(root / ".labs").best_files(whole(root))
        assert best == {"handler.py": {40: BETTER, 100: RIGHT}[whole(root).best or 0].encode()}

    assert every_moment(worked, tmp_path, [command, "7"], look) >= 10


def test_a_killed_run_that_is_worse_loses_nothing(
    worked: Path, tmp_path: Path, handler: Path
) -> None:
    handler.write_text(STARTER)

    def look(root: Path) -> None:
        assert content(root) == STARTER
        assert Store(root / ".labs").best_files(whole(root)) == {"handler.py": BETTER.encode()}

    assert every_moment(worked, tmp_path, ["grade", "7"], look) >= 5


def test_a_killed_hint_loses_nothing(worked: Path, tmp_path: Path) -> None:
    def look(root: Path) -> None:
        assert content(root) == BETTER

    assert every_moment(worked, tmp_path, ["hint", "7", "2"], look) >= 5


@pytest.mark.parametrize(("options", "restored"), [([], STARTER), (["--best"], BETTER)])
def test_a_killed_reset_has_the_work_in_the_folder_or_in_the_backup(
    worked: Path, tmp_path: Path, handler: Path, options: list[str], restored: str
) -> None:
    handler.write_text("my work\n")

    def look(root: Path) -> None:
        backups = [path.read_text() for path in (root / ".labs" / "backups").rglob("handler.py")]
        assert content(root) in ("my work\n", restored)
        assert "my work\n" in [content(root), *backups]

    assert every_moment(worked, tmp_path, ["reset", "7", *options], look) >= 5


def test_a_killed_repair_keeps_the_damaged_file_and_can_be_repeated(
    worked: Path, tmp_path: Path
) -> None:
    """Until it is mended, the damaged file stays in its place; afterwards its copy is there."""
    moment, code = 0, KILLED
    while code == KILLED:
        moment += 1
        root = tmp_path / f"killed-{moment}"
        shutil.copytree(worked, root)
        file = root / ".labs" / "progress.json"
        text = file.read_text()[:-20]
        file.write_text(text)
        code = run_killed(["doctor", "--repair"], root, moment)
        copies = [path.read_text() for path in file.parent.glob("progress.*.json")]
        assert text in [file.read_text(), *copies]
        Store(root / ".labs").repair()
        assert whole(root).best == 40
        assert not [path for path in root.rglob("*") if is_part(path.name)]
    assert moment > 5


def test_a_killed_init_is_completed_by_the_next(worked: Path, tmp_path: Path) -> None:
    moment, code = 0, KILLED
    while code == KILLED:
        moment += 1
        root = tmp_path / f"killed-{moment}"
        root.mkdir()
        code = run_killed(["init"], root, moment)
        assert run_killed(["init"], root, 10_000) == 0
        assert content(root) == STARTER
    assert moment > 5
