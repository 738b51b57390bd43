"""A room: one process that grades, held at arm's length by limits of ours.

Whoever has a room (a Dask worker, or the command itself with ``--workers 0``) hands parcels in and
gets answers out. The process inside is a program of its own, started afresh with a handful of
variables; what it does beyond the limits costs that process, and the next parcel gets a new one.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from grader.classroom.inside import frame, receive
from grader.classroom.parcel import MOST_ANSWER_BYTES, Answer
from grader.classroom.version import course_version
from grader.cloud.function import look
from grader.cloud.scratch import Scratch

PROGRAM = ("-m", "grader.classroom.inside")
# All that the process gets of our environment: where programs are, and who runs functions.
FUNCTION_USER = "LABS_FUNCTION_USER"
ENVIRONMENT = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "VIRTUAL_ENV", FUNCTION_USER)
BY = " by signal"
# So often a process is started that a signal ends before it greets; otherwise twice.
STARTS = 5
# How often we look at it, in real seconds.
TICK_S = 0.25
# So long it may take to end by itself once nothing comes any more.
END_S = 3.0
# Of what it writes on standard error so much is kept.
LAST_WORDS = 4_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one grade may take: a net far above what any answer takes that the labs play.

    ``wall_seconds`` are real ones; after ``still_seconds`` without any computing by any process
    below the room it hangs; ``memory_bytes`` is what all of them have resident, and what they
    share counts for each (the solutions of the labs reach 1.2 GB by this count). The last two are
    seen on Linux only. A process grades ``grades`` times and is then replaced.
    ``warm_seconds`` are for its start.
    """

    wall_seconds: float = 600.0
    still_seconds: float = 45.0
    memory_bytes: int = 4 << 30
    grades: int = 200
    warm_seconds: float = 180.0


class Broke(Exception):
    """The process ended, or we ended it; the message is a sentence on what happened.

    ``by_signal``: it ended by a signal that we did not send.
    """

    def __init__(self, sentence: str, by_signal: bool = False) -> None:
        super().__init__(sentence)
        self.by_signal = by_signal


class Room:
    """Grades one parcel at a time. ``close`` at the end.

    ``weak`` permits to grade where learner code is not kept away from the machine. ``program`` are
    Python's arguments for the process inside.
    """

    def __init__(
        self, *, weak: bool = False, bounds: Bounds | None = None, program: Sequence[str] = PROGRAM
    ) -> None:
        self.weak = weak
        self.bounds = bounds or Bounds()
        self.program = tuple(program)
        self.greeting: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._scratch: Scratch | None = None
        self._said: queue.Queue[bytes | None] = queue.Queue()
        self._last_words = b""
        self._left = 0

    @property
    def pid(self) -> int | None:
        """The process inside, if there is one."""
        return self._process.pid if self._process else None

    def grade(self, parcel: bytes, course: str) -> Answer:
        """What becomes of a parcel that was packed under the version ``course``."""
        began = time.monotonic()
        try:
            refusal = self._refusal(course)
            said: dict[str, Any] = {"kind": "refused", "sentence": refusal}
            if not refusal:
                began = time.monotonic()  # making the room ready is no part of the grade
                said = self._ask(parcel)
        except Broke as broke:
            self._close()
            said = {"kind": "failed", "sentence": str(broke)}
        if said["kind"] == "failed":
            self._close()  # what failed may have harmed it
        return Answer(
            said["kind"],
            said.get("document"),
            said.get("sentence", ""),
            self.greeting.get("tier", ""),
            time.monotonic() - began,
        )

    def close(self) -> None:
        """Let the process end with everything below it, by force if need be; remove its files."""
        self._close(END_S)

    def _close(self, patience_s: float = 0.0) -> None:
        process, self._process = self._process, None
        if process is not None:
            _end(process, patience_s)
        if self._scratch is not None:
            self._scratch.close()
            self._scratch = None

    def _refusal(self, course: str) -> str:
        """Why nothing is graded here, in a sentence; empty where that is not so."""
        if course_version() != course:
            return (
                f"it has the course {course_version()}, and this command the course {course}:"
                " install the same version of streamlabs, and of the packages below it, on both"
            )
        for start in range(1, STARTS + 1):
            try:
                self._open()
                break
            except Broke as broke:
                self._close()
                # Who is ended by a signal may have been killed by chance, and more than once.
                if start == STARTS or (start > 1 and not broke.by_signal):
                    return f"its process for grades does not start: {broke}"
        if self.greeting["course"] != course_version():
            return "the course was changed there while it ran; start the worker anew"
        if self.greeting["weak"] and not self.weak:
            return " ".join(
                [
                    "learners' code would not be kept away from the machine"
                    f" (isolation: {self.greeting['tier']}).",
                    *self.greeting["weak"],
                    "Use Linux with user namespaces or Landlock (on Windows: WSL), or a cluster of"
                    " such machines; --weak-isolation grades all the same",
                ]
            )
        return ""

    def _open(self) -> None:
        """See that there is a process that has greeted."""
        if self._process is not None and (self._left == 0 or self._process.poll() is not None):
            self.close()
        if self._process is not None:
            return
        self._scratch = Scratch()
        place = str(self._scratch.path)
        if os.environ.get(FUNCTION_USER):
            self._scratch.path.chmod(0o711)  # that user passes through it to the functions' files
        given = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-P", *self.program],
            env={**given, "TMPDIR": place, "TEMP": place, "TMP": place},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=place,
            start_new_session=True,
        )
        self._said = queue.Queue()
        self._left = self.bounds.grades
        for read in (self._hear, self._overhear):
            threading.Thread(target=read, args=(self._process, self._said), daemon=True).start()
        self.greeting = self._wait(self.bounds.warm_seconds)

    def _ask(self, parcel: bytes) -> dict[str, Any]:
        assert self._process is not None and self._process.stdin is not None
        self._left -= 1
        with suppress(OSError):  # its end is told by what it says
            self._process.stdin.write(frame(parcel))
            self._process.stdin.flush()
        return self._wait(self.bounds.wall_seconds)

    def _wait(self, seconds: float) -> dict[str, Any]:
        """What the process says next; Broke when it passes a limit or ends."""
        process = self._process
        assert process is not None
        began = moved = time.monotonic()
        computed = -1.0
        while True:
            try:
                data = self._said.get(timeout=TICK_S)
                break
            except queue.Empty:
                pass
            if process.poll() is not None:
                data = None
                break
            now = time.monotonic()
            if now - began > seconds:
                raise Broke(f"the grade did not end within {seconds:g} s; it was ended.")
            if (seen := look(process.pid)) is None:
                continue
            if seen.memory_bytes > self.bounds.memory_bytes:
                raise Broke(
                    f"the grade's processes took more than {self.bounds.memory_bytes >> 20:,} MB"
                    " of memory; they were ended."
                )
            if seen.cpu_seconds != computed or not seen.asleep:
                computed, moved = seen.cpu_seconds, now
            elif now - moved > self.bounds.still_seconds:
                raise Broke(
                    f"the grade stood still for {self.bounds.still_seconds:g} s; it was ended."
                )
        if data is None:
            how = self._how(process)
            raise Broke(f"the process that grades ended{how}.", by_signal=how.startswith(BY))
        try:
            said: dict[str, Any] = json.loads(data)
        except ValueError:
            raise Broke("the process that grades said what is no JSON.") from None
        return said

    def _how(self, process: subprocess.Popen[bytes]) -> str:
        """How the process ended, in words that continue a sentence."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(TICK_S)
        code = process.poll()
        lines = self._last_words.decode("utf-8", "replace").strip().splitlines()
        last = f"; it said last: {lines[-1][:300]}" if lines else ""
        if code is None or code >= 0:
            return f" with exit code {code}{last}"
        return f"{BY} {-code}{last}"

    def _hear(self, process: subprocess.Popen[bytes], said: queue.Queue[bytes | None]) -> None:
        """Read frames, in a thread of its own because not every platform can wait on a pipe."""
        assert process.stdout is not None
        with suppress(OSError, ValueError):
            while (data := receive(process.stdout, MOST_ANSWER_BYTES)) is not None:
                said.put(data)
        said.put(None)

    def _overhear(self, process: subprocess.Popen[bytes], said: queue.Queue[bytes | None]) -> None:
        """Keep the end of what is written on standard error."""
        assert process.stderr is not None
        self._last_words = b""
        with suppress(OSError, ValueError):
            while data := os.read(process.stderr.fileno(), LAST_WORDS):
                self._last_words = (self._last_words + data)[-LAST_WORDS:]


def _end(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """End a process and its forks, and wait for it. Its nursery ends when the last of them does."""
    if patience_s and process.stdin is not None:
        with suppress(OSError, subprocess.TimeoutExpired):
            process.stdin.close()
            process.wait(patience_s)
    if hasattr(os, "killpg"):
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
