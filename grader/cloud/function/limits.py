"""The judge's own limits, in real time and real memory: a safety net far above normal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RealLimit = Literal["cpu", "blocked", "memory", "output", "processes", "wall clock"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one environment may use.

    ``cpu_seconds`` is per phase (initialisation, invocation), ``blocked_seconds`` how long every
    thread may be asleep without a call, ``wall_seconds`` the net where a platform shows neither.
    ``memory_bytes`` is what all its processes together may have resident (Python and boto3 take
    about 60 MB of it, whatever MemorySize says); ``data_bytes`` is the kernel's backstop for one
    process, above what it starts with. ``output_bytes`` counts what is written past the log.
    ``tick_seconds`` is how long the judge waits before it looks.
    """

    cpu_seconds: float = 2.0
    blocked_seconds: float = 0.4
    wall_seconds: float = 10.0
    memory_bytes: int = 768 << 20
    data_bytes: int = 1536 << 20
    processes: int = 64
    files: int = 1024
    file_bytes: int = 64 << 20
    tmp_bytes: int = 64 << 20
    output_bytes: int = 16 << 20
    log_bytes: int = 1 << 20
    log_lines: int = 5_000
    calls: int = 20_000
    tick_seconds: float = 0.02


class HangBudget:
    """What all plays of a grade may cost; afterwards every invocation times out at once.

    A hang is an invocation that was ended by one of the judge's own limits, memory included.
    ``cpu_seconds`` are those of the function's processes and ``calls`` their AWS calls, so that the
    budget does not depend on what else the machine does. Shared by the functions of one play.
    ``exhausted`` tells the pipeline to stop: what has not been decided by then stays unreached.
    """

    def __init__(self, hangs: int = 2, *, cpu_seconds: float = 60.0, calls: int = 100_000) -> None:
        self.allowed = hangs
        self.hangs = 0
        self.cpu_allowed, self.calls_allowed = cpu_seconds, calls
        self.cpu_seconds = 0.0
        self.calls = 0

    @property
    def exhausted(self) -> bool:
        """Whether one of the three is spent."""
        return self.hangs >= self.allowed or self.overspent is not None

    @property
    def overspent(self) -> str | None:
        """Which limit of the whole grade is spent, in words with its figure."""
        if self.cpu_seconds >= self.cpu_allowed:
            return (
                f"the function computed {self.cpu_allowed:g} s in all invocations together; "
                "the labs stop there"
            )
        if self.calls >= self.calls_allowed:
            return (
                f"the function made {self.calls_allowed:,} AWS calls in all invocations "
                "together; the labs stop there"
            )
        return None

    def spend(self) -> None:
        """Count one hang."""
        self.hangs += 1

    @property
    def spent(self) -> tuple[int, float, int]:
        """Hangs, CPU seconds and calls so far; set it to what it was to give the rest back."""
        return self.hangs, self.cpu_seconds, self.calls

    @spent.setter
    def spent(self, before: tuple[int, float, int]) -> None:
        self.hangs, self.cpu_seconds, self.calls = before


def told(limit: str, limits: Limits) -> str:
    """What the function did when it met a limit, with the limit's figure."""
    return {
        "cpu": f"it computed {limits.cpu_seconds:g} s without a call",
        "blocked": "every thread slept, and nothing was left that could wake one",
        "memory": f"it took more than {limits.memory_bytes >> 20} MB of memory",
        "output": f"it wrote more than {limits.output_bytes >> 20} MB past its log",
        "processes": f"it started more than {limits.processes} processes",
        "calls": f"it made more than {limits.calls:,} AWS calls in one invocation",
        "wall clock": f"it did not end within {limits.wall_seconds:g} s",
        "hang budget": "it was not started any more, because too many invocations hung",
    }[limit] + "; the labs stop there"
