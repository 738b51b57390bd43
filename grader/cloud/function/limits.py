"""The judge's own limits, in real time and real memory: a safety net far above normal."""

from __future__ import annotations

from dataclasses import dataclass


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
    """How many hangs a play puts up with; afterwards every invocation times out at once.

    A hang is an invocation that was ended by one of the judge's own limits, memory included.
    Shared by the functions of one play. ``exhausted`` tells the pipeline to stop: what the play
    has not decided by then stays unreached.
    """

    def __init__(self, hangs: int = 2) -> None:
        self.allowed = hangs
        self.hangs = 0

    @property
    def exhausted(self) -> bool:
        """Whether there have been too many."""
        return self.hangs >= self.allowed

    def spend(self) -> None:
        """Count one hang."""
        self.hangs += 1
