"""One execution environment on the judge's side: its process, its frames, the limits it meets."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from grader.cloud.function.child import frames
from grader.cloud.function.limits import Limits, RealLimit
from grader.cloud.function.process import NurseryFailed, Process
from grader.cloud.function.watch import cpu_seconds, look

# A process that leaves our bytes unread for so long (real seconds) reads no more.
_SEND_SECONDS = 1.5
# What one phase may send through the door in all: log lines, calls, the result.
_MAX_DOOR_BYTES = 96 << 20

# All threads asleep for so long (real seconds) may be one that waits in the kernel for another
# which has no turn (child/turns): it is told so before this counts as a hang.
_NUDGE_SECONDS = 0.1

# A machine that cannot bring a process up in so long (real seconds) cannot grade.
_START_SECONDS = 120.0

# What Python, boto3 and the runtime take themselves, generously.
_RUNTIME_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Said:
    """A frame from the function's process."""

    header: dict[str, Any]
    body: bytes


@dataclass(frozen=True, slots=True)
class Printed:
    """Bytes that were written past the runtime, straight to standard output or error."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Exited:
    """The process is gone: exit code, negative for a signal, None for nobody knows."""

    code: int | None


@dataclass(frozen=True, slots=True)
class Met:
    """A limit of the judge's was met; the environment must be killed."""

    limit: RealLimit


@dataclass(frozen=True, slots=True)
class Broken:
    """What came through the door is not in its language; the environment must be killed."""

    why: str


Step = Said | Printed | Exited | Met | Broken


class Environment:
    """A process from the nursery with everything that is needed to wait for it safely.

    ``places`` are folders of this machine with their names on Lambda; ``memory_mb`` is the
    function's MemorySize.
    """

    def __init__(
        self,
        number: int,
        process: Process,
        task: str,
        tmp: str,
        places: list[tuple[str, str]],
        limits: Limits,
        memory_mb: int,
    ) -> None:
        self.number = number
        self.task = task
        self.tmp = tmp
        self.places = places
        self._process = process
        self._limits = limits
        self._more_than_allowed = (memory_mb << 20) + _RUNTIME_BYTES
        self._parser = frames.Parser()
        self._door_bytes = 0
        self._printed_bytes = 0
        self._cpu_at_start: float | None = None
        self._looked_at = self._quiet_since = self._waits_since = 0.0
        self._cpu_when_quiet = -1.0
        self._nudges = 0
        self._cpu_seen = self._cpu_told = 0.0
        self._frozen = False
        # Calls without an answer that has been handed over, and the answers (due in ns, number of
        # the call, header, body), soonest first; a thread may leave some to the next invocation.
        self.in_flight = 0
        self.answers: list[tuple[int, int, dict[str, Any], bytes]] = []
        self.alive = True
        # Whether its function has had other code or another configuration since.
        self.outdated = False

    def on_lambda(self, text: str) -> str:
        """Paths of this machine as Lambda would show them."""
        for here, there in self.places:
            text = text.replace(here, there)
        return text

    def begin(self) -> None:
        """A phase begins: budgets start anew."""
        self._door_bytes = self._printed_bytes = 0
        self._cpu_at_start = None

    def send(self, header: dict[str, Any], body: bytes = b"") -> bool:
        """Send a frame; False when the process does not take it."""
        return self._process.send(frames.pack(header, body), _SEND_SECONDS)

    def next(self) -> Step:
        """Wait for what the process does next. Always returns, whatever the process does.

        A process that shows neither work nor words within the limits is reported as Met.
        """
        self._waits_since = self._quiet_since = time.monotonic()
        self._cpu_when_quiet, self._nudges = -1.0, 0
        try:
            frame = self._parser.take()
            while frame is None:
                happened = self._process.receive(self._limits.tick_seconds)
                met = self._look(quiet=happened is None)
                if met is not None:
                    return Met(met)
                if happened is None:
                    continue
                if happened.what == "exit":
                    return Exited(happened.code)
                if happened.what == "output":
                    self._printed_bytes += len(happened.data)
                    if self._printed_bytes > self._limits.output_bytes:
                        return Met("output")
                    return Printed(happened.data)
                self._door_bytes += len(happened.data)
                if self._door_bytes > _MAX_DOOR_BYTES:
                    return Met("output")
                self._parser.feed(happened.data)
                frame = self._parser.take()
            return Said(*frame)
        except frames.BadFrame as problem:
            return Broken(str(problem))

    def _look(self, *, quiet: bool) -> RealLimit | None:
        """The limit that is met, if any; looks when nothing is said, and at least once a tick.

        Whatever is measured is the processes' own: CPU time, memory, sleep. A busy machine makes a
        process wait for a core, which is none of these.
        """
        now = time.monotonic()
        if not quiet and now - self._looked_at < self._limits.tick_seconds:
            return None
        self._looked_at, waited = now, now - self._waits_since
        if self._process.pid is None:
            if waited > _START_SECONDS:
                raise NurseryFailed("an environment did not come up; the machine is too busy")
            return None
        sample = look(self._process.pid)
        if sample is None:
            # No /proc to look at: only the clock on the wall is left.
            return "wall clock" if waited > self._limits.wall_seconds else None
        self._cpu_seen = sample.cpu_seconds
        if self._cpu_at_start is None:
            self._cpu_at_start = sample.cpu_seconds
        if sample.memory_bytes > self._limits.memory_bytes:
            return "memory"
        if sample.processes > self._limits.processes:
            return "processes"
        if sample.cpu_seconds - self._cpu_at_start > self._limits.cpu_seconds:
            # Allocating without end meets this limit first on a slow machine and the other on a
            # fast one. On Lambda it always meets MemorySize.
            return "memory" if sample.memory_bytes > self._more_than_allowed else "cpu"
        # A process stands still until our word to go on has arrived; that is no sleep of its own.
        asleep = quiet and sample.asleep and not self._process.thawing
        if not asleep or sample.cpu_seconds != self._cpu_when_quiet:
            self._quiet_since, self._cpu_when_quiet = now, sample.cpu_seconds
        elif now - self._quiet_since >= self._limits.blocked_seconds:
            return "blocked"
        elif now - self._quiet_since >= _NUDGE_SECONDS * (1 + self._nudges):
            self._nudges += 1
            self._process.nudge()
        return None

    def spent(self) -> float:
        """CPU seconds that the environment has used since this was last asked."""
        before = self._cpu_told
        if self._process.pid is not None:
            self._cpu_told = max(before, cpu_seconds(self._process.pid), self._cpu_seen)
        return self._cpu_told - before

    def freeze(self) -> None:
        """Between invocations nothing runs."""
        self._frozen = True
        self._process.freeze()

    def thaw(self) -> None:
        """An invocation begins."""
        if self._frozen:
            self._frozen = False
            self._process.thaw()

    def kill(self) -> None:
        """End the environment and everything it has started."""
        if self.alive:
            self.alive = False
            self._process.kill()
