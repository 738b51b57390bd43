"""A process that has everything imported grades one set of files after the other.

Where processes are forked safely each grade is a fork of this one, which keeps the function nursery
running: nothing of a grade stays behind, and it can be ended at any moment. Elsewhere (macOS,
Windows) one process is kept warm beside this one, and replaced when it had to be ended. Whoever
forks must be single-threaded. Nothing here records a grade, so ending one loses nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from grader.cloud.scratch import Scratch
from grader.course.files import write_files
from grader.course.grade import Grade
from grader.course.lab import Lab

if TYPE_CHECKING:
    from grader.cloud.function import Isolation, Nursery
    from grader.course.evidence import Evidence

# Forking a process that has imported Apple's frameworks is not safe, says Python's own
# documentation of multiprocessing; Windows has no fork.
FORKS = hasattr(os, "fork") and sys.platform != "darwin"

# What ends a session, in an orderly way: Ctrl-C, a termination, a terminal that was closed.
ENDING = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

Files = Mapping[str, bytes]


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class GraderFailed(Exception):
    """The process that grades ended without a grade; the message is what is known about it."""


Said = (
    tuple[Literal["status", "failed"], str]
    | tuple[Literal["graded"], Grade]
    | tuple[Literal["seen"], "tuple[Grade, Evidence]"]
)


class Warm:
    """Grades one set of files at a time in a process that finds everything imported.

    ``forks`` chooses between a fork of this process for each grade and one process that is kept.
    ``lab`` and ``seed`` may change between two grades. ``first_loss`` is the judge's. Call
    ``close`` at the end.
    """

    def __init__(
        self, lab: Lab, seed: int = 0, *, forks: bool = FORKS, first_loss: bool = False
    ) -> None:
        self.lab = lab
        self.seed = seed
        self.first_loss = first_loss
        self.forks = forks
        self._nursery: Nursery | None = None
        self._process: Any = None
        self._connection: Connection | None = None
        self._scratch = Scratch()
        self._home = self._scratch.path
        self._place: Path | None = None

    def warm_up(self) -> None:
        """Import what a grade needs, start the nursery, wait until it is ready."""
        if self.forks and self._nursery is None:
            self._nursery = _warm_up(self.lab)
        elif not self.forks and self._process is None:
            self._begin()

    @property
    def isolation(self) -> Isolation:
        """What keeps learner code away from this machine here. NurseryFailed where none starts."""
        from grader.cloud.function import Nursery

        if self._nursery is not None:
            return self._nursery.enforced
        nursery = Nursery.start()
        try:
            return nursery.enforced
        finally:
            nursery.close()

    @property
    def busy(self) -> bool:
        """Is something being graded?"""
        return self._place is not None

    def start(self, files: Files, only: Sequence[str] = (), *, seen: bool = False) -> None:
        """Begin to grade ``files``, or ``only`` these criteria; what is being graded is ended.

        With ``seen`` the grade comes together with what its findings speak of.
        """
        self.stop()
        self.warm_up()
        self._place = Path(tempfile.mkdtemp(dir=self._home))
        write_files(self._place / "files", files)
        if self.forks:
            self._begin()
        assert self._connection is not None
        with contextlib.suppress(OSError):  # its end is told by listen()
            self._connection.send((self.lab, self.seed, self._place, self.first_loss, only, seen))

    def listen(self, seconds: float) -> Said | None:
        """What the grade says next, or None when it says nothing for ``seconds``."""
        if self._connection is None or not self.busy:
            time.sleep(seconds)
            return None
        if not wait([self._connection], seconds):
            return None
        try:
            what, value, read = self._connection.recv()
        except (EOFError, OSError):
            code = self._end()
            return ("failed", f"the grading process ended with exit code {code}")
        if what != "status":
            self._finish(read)
        said: Said = (what, value)
        return said

    def stop(self) -> None:
        """End what is being graded, at once."""
        if self.busy:
            self._end()

    def renew(self) -> None:
        """Begin with a fresh nursery: the one there may be the reason why a grade failed."""
        self._end()
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None

    def close(self) -> None:
        """End everything and remove what it wrote."""
        self.renew()
        self._scratch.close()

    def _begin(self) -> None:
        """Start a process that grades what it is sent."""
        context: Any = multiprocessing.get_context("fork" if self.forks else "spawn")
        ours, theirs = context.Pipe()
        home = Path(tempfile.mkdtemp(dir=self._home))
        # Daemonic: should this process end in an orderly way, that one ends with it.
        self._process = context.Process(
            target=_serve, args=(theirs, self.lab, home, self._nursery), daemon=True
        )
        with _held_back():
            self._process.start()
        theirs.close()
        self._connection = ours

    def _finish(self, read: Mapping[bytes, Any]) -> None:
        """A grade is over: keep what cfn-lint said; a forked process has done its work."""
        from grader.review import lint

        if self.forks:
            lint.remember(dict(read))
            self._end(patience_s=2.0)
        else:
            self._clear()

    def _end(self, patience_s: float = 0.0) -> int | None:
        """End the process, if any; its exit code."""
        code = None
        if self._process is not None:
            self._process.join(patience_s)
            if self._process.is_alive():
                self._process.kill()
            self._process.join()
            code = self._process.exitcode
            if self._nursery is not None and self._process.pid:
                self._nursery.forget(self._process.pid)
            self._process.close()
            self._process = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._clear()
        return code

    def _clear(self) -> None:
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)
            self._place = None


def _warm_up(lab: Lab) -> Nursery:
    """Import what a grade needs beside a nursery that warms up; the nursery, ready."""
    from grader.course import judge
    from grader.review import lint

    lint.warm_up()
    with judge.clean_environment():
        from grader.cloud.function import Nursery

        nursery = Nursery.start()
        try:
            for name in ("grader.course.stage", "pytest", "pytest_check.plugin"):
                importlib.import_module(name)
            judge.criteria(lab)  # imports the lab's checks
            _ = nursery.enforced
        except BaseException:
            nursery.close()
            raise
    return nursery


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Let Ctrl-C wait, so that a process that is just being forked is not surprised by it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ending())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ending() -> list[signal.Signals]:
    return [signal.Signals[name] for name in ENDING]


def _serve(connection: Connection, lab: Lab, home: Path, nursery: Nursery | None) -> None:
    """The process that grades: answers what it is sent, with a ``nursery`` only once.

    Ctrl-C is for the process that watches; it ends this one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ENDING[1:]:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ending())
    # What is left when this process is killed is removed with its folder.
    tempfile.tempdir = str(home)
    from grader.course import judge
    from grader.review import lint

    def status(text: str) -> None:
        try:
            connection.send(("status", text, None))
        except OSError:
            os._exit(1)  # nobody listens any more

    running = nursery or _warm_up(lab)
    while True:
        try:
            lab, seed, place, first_loss, only, seen = connection.recv()
        except (EOFError, OSError):
            break
        try:
            decide = judge.grade_seen if seen else judge.grade
            decided = decide(
                lab,
                place / "files",
                seed=seed,
                progress=status,
                nursery=running,
                first_loss=first_loss,
                only=only,
            )
            answer: tuple[str, Any, Any] = ("seen" if seen else "graded", decided, lint.known())
        except Exception:
            answer = ("failed", traceback.format_exc(), {})
        with contextlib.suppress(OSError):
            connection.send(answer)
        if nursery is not None:
            return
    running.close()
