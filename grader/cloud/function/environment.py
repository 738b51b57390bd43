"""One execution environment on the judge's side: its process, its frames, the limits it meets."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

from grader.cloud.function.child import frames
from grader.cloud.function.limits import Limits
from grader.cloud.function.process import Process
from grader.cloud.function.watch import look

# A process that leaves our bytes unread for so long (real seconds) reads no more.
_SEND_SECONDS = 1.5
# What one phase may send through the door in all: log lines, calls, the result.
_MAX_DOOR_BYTES = 256 << 20

# What Python, boto3 and the runtime take themselves, generously.
_RUNTIME_BYTES = 128 << 20

RealLimit = Literal["cpu", "blocked", "memory", "output", "processes", "wall clock"]


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
        self._frozen = False
        self.alive = True

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
        try:
            frame = self._parser.take()
            if frame is not None:
                return Said(*frame)
            started = time.monotonic()
            quiet_since, cpu_when_quiet = started, -1.0
            while True:
                happened = self._process.receive(self._limits.tick_seconds)
                if happened is None:
                    now = time.monotonic()
                    met, cpu, asleep = self._look(now - started)
                    if met is not None:
                        return Met(met)
                    if not asleep or cpu != cpu_when_quiet:
                        quiet_since, cpu_when_quiet = now, cpu
                    elif now - quiet_since >= self._limits.blocked_seconds:
                        return Met("blocked")
                elif happened.what == "door":
                    self._door_bytes += len(happened.data)
                    if self._door_bytes > _MAX_DOOR_BYTES:
                        return Met("output")
                    self._parser.feed(happened.data)
                    frame = self._parser.take()
                    if frame is not None:
                        return Said(*frame)
                elif happened.what == "output":
                    self._printed_bytes += len(happened.data)
                    if self._printed_bytes > self._limits.output_bytes:
                        return Met("output")
                    return Printed(happened.data)
                else:
                    return Exited(happened.code)
        except frames.BadFrame as problem:
            return Broken(str(problem))

    def _look(self, waited: float) -> tuple[RealLimit | None, float, bool]:
        """A met limit, CPU seconds so far, whether every thread is asleep."""
        sample = look(self._process.pid) if self._process.pid is not None else None
        if sample is None:
            # No /proc to look at: only the clock on the wall is left.
            return ("wall clock" if waited > self._limits.wall_seconds else None), 0.0, False
        if self._cpu_at_start is None:
            self._cpu_at_start = sample.cpu_seconds
        if sample.memory_bytes > self._limits.memory_bytes:
            return "memory", sample.cpu_seconds, False
        if sample.processes > self._limits.processes:
            return "processes", sample.cpu_seconds, False
        if sample.cpu_seconds - self._cpu_at_start > self._limits.cpu_seconds:
            # Allocating without end meets this limit first on a slow machine and the other on a
            # fast one. On Lambda it always meets MemorySize.
            heavy = sample.memory_bytes > self._more_than_allowed
            return "memory" if heavy else "cpu", sample.cpu_seconds, False
        return None, sample.cpu_seconds, sample.asleep

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
