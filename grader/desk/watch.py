"""Grade again on every save, from a warm process: what ``labs watch`` does.

The folder is polled by content, so that it works wherever files can be read (WSL, containers,
network mounts) and a save without a change starts nothing. A reading counts when the next one is
equal, and a file that is missing, empty or unreadable counts as a problem only when it stays so:
editors write by rename, or empty a file before they fill it.

Each grade happens in a process of its own. Where processes are forked safely it is forked from
this one, which has imported everything and keeps the function nursery running: nothing of a grade
stays behind, and it can be ended at any moment. Elsewhere (macOS, Windows) one process is kept
warm beside this one, and replaced when it had to be ended. Only this process writes the progress,
so ending a grade loses nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

from grader.course.grade import Grade
from grader.course.lab import Lab, UsageError, shown, write_files
from grader.desk.cli import MET, apology, emit, say, warn
from grader.desk.submission import Ladder, Status, Submission, place, say_hint

if TYPE_CHECKING:
    from grader.cloud.function import Nursery
    from grader.desk.report import Paint

# Real seconds. Ten readings of small files a second cost next to nothing, also over a network.
POLL_S = 0.1
# So long a problem with the files has to last until it is told.
PATIENCE_S = 2.0

# Forking a process that has imported Apple's frameworks is not safe, says Python's own
# documentation of multiprocessing; Windows has no fork.
FORKS = hasattr(os, "fork") and sys.platform != "darwin"

# What ends a session, in an orderly way: Ctrl-C, a termination, a terminal that was closed.
ENDING = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

Files = Mapping[str, bytes]


class GraderFailed(Exception):
    """The process that grades ended without a grade; the message is what is known about it."""


# --- what is in the folder --------------------------------------------------------------------


class Folder:
    """The files of a folder once they have settled. ``read`` gives them or raises UsageError."""

    def __init__(self, read: Callable[[], Files]) -> None:
        self._read = read
        self._last: Files | str | None = None
        self._since = 0.0
        self._told: Files | str | None = None

    def look(self, now: float) -> Files | str | None:
        """What has changed at ``now`` (seconds): files, the sentence of a problem, or None."""
        seen: Files | str
        try:
            seen = self._read()
        except UsageError as problem:
            seen = str(problem)
        if seen != self._last:
            self._last, self._since = seen, now
            return None
        if seen == self._told or (isinstance(seen, str) and now - self._since < PATIENCE_S):
            return None
        self._told = seen
        return seen


# --- the process that grades ------------------------------------------------------------------

Said = tuple[Literal["status", "failed"], str] | tuple[Literal["graded"], Grade]


class Warm:
    """Grades one set of files at a time in a process that finds everything imported.

    ``forks`` chooses between a fork of this process for each grade and one process that is kept.
    Call ``close`` at the end.
    """

    def __init__(self, lab: Lab, seed: int = 0, *, forks: bool = FORKS) -> None:
        self.lab = lab
        self.seed = seed
        self.forks = forks
        self._nursery: Nursery | None = None
        self._process: Any = None
        self._connection: Connection | None = None
        self._home = Path(tempfile.mkdtemp(prefix="labs-watch-"))
        self._place: Path | None = None

    def warm_up(self) -> None:
        """Import what a grade needs, start the nursery, wait until it is ready."""
        if self.forks and self._nursery is None:
            self._nursery = _warm_up(self.lab)
        elif not self.forks and self._process is None:
            self._begin()

    @property
    def busy(self) -> bool:
        """Is something being graded?"""
        return self._place is not None

    def start(self, files: Files) -> None:
        """Begin to grade ``files``; what is being graded is ended."""
        self.stop()
        self.warm_up()
        self._place = Path(tempfile.mkdtemp(dir=self._home))
        write_files(self._place / "files", files)
        if self.forks:
            self._begin()
        assert self._connection is not None
        with contextlib.suppress(OSError):  # its end is told by listen()
            self._connection.send((self.lab, self.seed, self._place))

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
        shutil.rmtree(self._home, ignore_errors=True)

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
            for name in ("grader.course.play.stage", "pytest", "pytest_check.plugin"):
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
            lab, seed, place = connection.recv()
        except (EOFError, OSError):
            break
        try:
            grade = judge.grade(lab, place / "files", seed=seed, progress=status, nursery=running)
            answer: tuple[str, Any, Any] = ("graded", grade, lint.known())
        except Exception:
            answer = ("failed", traceback.format_exc(), {})
        with contextlib.suppress(OSError):
            connection.send(answer)
        if nursery is not None:
            return
    running.close()


# --- keys -------------------------------------------------------------------------------------


class Keys:
    """Keys as they are pressed, where stdin is a terminal; none elsewhere."""

    def __init__(self) -> None:
        self.there = bool(sys.stdin and sys.stdin.isatty())

    def pressed(self) -> str:
        """A key that waits to be read, in lower case; "" when there is none."""
        return ""

    def __enter__(self) -> Keys:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the terminal as it was."""


if sys.platform == "win32":
    import msvcrt

    class TerminalKeys(Keys):
        """Keys of a Windows console."""

        def pressed(self) -> str:
            """See Keys."""
            if not self.there or not msvcrt.kbhit():
                return ""
            key = msvcrt.getwch()
            if key in "\x00\xe0":  # the first half of a function key
                msvcrt.getwch()
                return ""
            return key.lower()
else:
    import select
    import termios
    import tty

    # An arrow or a function key sends several bytes that begin with an escape.
    _ESCAPES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|O.)?")

    class TerminalKeys(Keys):
        """Keys of a POSIX terminal, read without waiting for a line."""

        def __init__(self) -> None:
            super().__init__()
            self._before: list[Any] | None = None
            self._read = b""

        def __enter__(self) -> TerminalKeys:
            if self.there:
                self._before = termios.tcgetattr(sys.stdin)
            return self

        def __exit__(self, *error: object) -> None:
            if self._before is not None and self._foreground():
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

        def pressed(self) -> str:
            """See Keys."""
            if self._read:
                key, self._read = self._read[:1], self._read[1:]
                return key.decode("ascii", "ignore").lower()
            if not self.there or not self._foreground():
                return ""
            try:
                # Again after Ctrl-Z and fg, when the shell has set the terminal back.
                if termios.tcgetattr(sys.stdin)[3] & termios.ICANON:
                    tty.setcbreak(sys.stdin, termios.TCSANOW)
                if not select.select([sys.stdin], [], [], 0)[0]:
                    return ""
                data = os.read(sys.stdin.fileno(), 64)
            except (OSError, termios.error):
                data = b""
            if not data:  # the terminal is gone
                self.there = False
                return ""
            self._read = _ESCAPES.sub(b"", data)
            return self.pressed() if self._read else ""

        @staticmethod
        def _foreground() -> bool:
            """False in the background, where touching the terminal would stop us."""
            try:
                return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
            except OSError:
                return False


# --- the session ------------------------------------------------------------------------------


class Session:
    """One ``labs watch``: it polls, grades, prints and answers keys until it is ended."""

    def __init__(
        self, lab: Lab, path: str | None, seed: int, paint: Paint, warm: Warm, keys: Keys
    ) -> None:
        self.lab = lab
        self.path = path
        self.seed = seed
        self.paint = paint
        self.warm = warm
        self.keys = keys
        self.folder, space = place(lab, path)
        self.own = space is not None
        self._watched = Folder(lambda: lab.read(self.folder))
        self._status = Status()
        self._ladder: Ladder | None = None
        self._submission: Submission | None = None
        self._graded: Files | None = None
        self._grade: Grade | None = None
        self._scores: list[int] = []
        self._started = 0

    def run(self) -> None:
        """Until q is pressed. Ctrl-C is KeyboardInterrupt."""
        self._status(f"Warming up for lab {self.lab.number} ({self.lab.slug})")
        self.warm.warm_up()
        while True:
            found = self._watched.look(time.monotonic())
            if isinstance(found, str):
                self._trouble(found)
            elif found is not None:
                self._changed(found)
            said = self.warm.listen(POLL_S)
            while said is not None:
                self._hear(said)
                said = self.warm.listen(0) if self.warm.busy else None
            while key := self.keys.pressed():
                if key in "q\x03\x04":
                    return
                self._press(key)

    def summary(self) -> str:
        """What this session came to, in a sentence or two."""
        number = self.lab.number
        if not self._scores:
            return f"Lab {number} was not graded."
        first, last = self._scores[0], self._scores[-1]
        way = f"{first} -> {last}" if len(self._scores) > 1 else str(last)
        runs = f"{len(self._scores)} run{'' if len(self._scores) == 1 else 's'}"
        text = f"Lab {number}: {runs}, {way} points."
        best = max(self._scores)
        if self.own and last < best:
            text += f" The files that won {best}: labs reset {number} --best"
        return text

    # -- what happens ----------------------------------------------------------------------------

    def _changed(self, files: Files) -> None:
        """The folder holds other files than when it was last looked at."""
        if files == self._graded:
            return  # somebody pressed r before the files had settled
        try:
            submission = Submission.find(self.lab, self.path)
        except UsageError:
            return  # changed again already; the next look tells
        if self.warm.busy:
            self._status.clear()
            say("Saved again: what was being graded is left.")
        self._begin(submission)

    def _begin(self, submission: Submission) -> None:
        before = self._graded
        self._submission, self._graded = submission, submission.files
        self._started += 1
        if before is None:
            what = shown(self.folder)
        else:
            names = [name for name, text in submission.files.items() if before.get(name) != text]
            what = ", ".join(names) or "the same files again"
        self._status.clear()
        say("")
        say(self.paint(f"--- run {self._started}: {what} ---", "dim"))
        self._status(f"Grading lab {self.lab.number} ({self.lab.slug})")
        self.warm.start(submission.files)

    def _trouble(self, problem: str) -> None:
        self.warm.stop()
        self._graded = None
        self._status.clear()
        say("")
        say(problem)
        say("As soon as that has changed, the lab is graded again.")

    def _hear(self, said: Said) -> None:
        what, value = said
        if what == "status":
            self._status(f"Lab {self.lab.number}: {value}")
            return
        self._status.clear()
        submission = self._submission
        assert submission is not None
        if not isinstance(value, Grade):
            warn(apology(GraderFailed(value)))
            self.warm.renew()
            self._keys_line()
            return
        grade, change = submission.judged(value)
        self._grade = grade
        self._scores.append(grade.score)
        if grade.broken:
            self.warm.renew()
        emit(submission.text(grade, change, self.seed, (), False, self.paint, "watch"))
        if change is None and len(self._scores) > 1:
            say(f"Since the last run: {self._scores[-2]} -> {self._scores[-1]}.")
        self._keys_line()

    # -- keys ------------------------------------------------------------------------------------

    def _press(self, key: str) -> None:
        if key == "r" and not self.warm.busy:
            with contextlib.suppress(UsageError):
                self._begin(Submission.find(self.lab, self.path))
        elif key == "a" and self._grade is not None and self._submission is not None:
            self._status.clear()
            emit(self._submission.text(self._grade, None, self.seed, (), True, self.paint, "watch"))
            self._keys_line()
        elif key == "h" and self._open_task() is not None:
            self._status.clear()
            self._hint()
            self._keys_line()

    def _hint(self) -> None:
        task = self._open_task()
        assert task is not None and self._submission is not None
        say("")
        try:
            step = self._hints().climb(task)
        except (OSError, UsageError) as error:
            warn(f"Your progress could not be saved: {str(error).rstrip('.')}.")
            step = 1
        say_hint(self.lab, task, step, "press h again")

    def _hints(self) -> Ladder:
        assert self._submission is not None
        if self._ladder is None:
            self._ladder = Ladder(self.lab, self._submission.store)
        return self._ladder

    def _open_task(self) -> int | None:
        """The first task that is not met and has hints: what the report tells about first."""
        open_ = [v for v in self._grade.asked if v.outcome != "met"] if self._grade else []
        open_.sort(key=lambda verdict: verdict.outcome != "unmet")
        return next((v.criterion.task for v in open_ if self.lab.hints.get(v.criterion.task)), None)

    def _keys_line(self) -> None:
        """The keys that apply now and the next hint; without keys, what to type for it."""
        task, hint = self._open_task(), ""
        if task is not None:
            known = 0
            with contextlib.suppress(UsageError):
                known = self._hints().shown(task)
            last = len(self.lab.hints[task])
            hint = f"hint {min(known + 1, last)} of {last} for task {task}"
        if self.keys.there:
            keys = [f"h {hint}"] if hint else []
            keys += ["a everything", "r again", "q quit"]
            say(self.paint(f"Keys: {' | '.join(keys)}", "dim"))
        elif hint:
            where = f' --path "{self.path}"' if self.path else ""
            say(f"Next hint: labs hint {self.lab.number} {task}{where} ({hint})")
        sys.stdout.flush()


def watch(lab: Lab, path: str | None, seed: int, paint: Paint) -> int:
    """Watch a lab until it is ended with q or Ctrl-C (or SIGTERM); always exit code 0 then."""
    with _signals():
        warm = Warm(lab, seed)
        try:
            with TerminalKeys() as keys:
                session = Session(lab, path, seed, paint, warm, keys)
                say(f"Watching {shown(session.folder)}. {'q' if keys.there else 'Ctrl-C'} ends it.")
                sys.stdout.flush()
                with contextlib.suppress(KeyboardInterrupt):
                    session.run()
                session._status.clear()
            say("")
            say(session.summary())
        finally:
            warm.close()
    return MET


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Let a termination or a closed terminal end the session as Ctrl-C does."""

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {name: signal.signal(getattr(signal, name), end) for name in ENDING}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
