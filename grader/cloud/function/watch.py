"""How the judge sees, from outside, what an environment's processes use (Linux: /proc)."""

from __future__ import annotations

import os
from dataclasses import dataclass

_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

# The states in which a thread does nothing: proc(5).
_ASLEEP = b"STtZX"
# More processes than this are not looked at one by one.
MANY = 256


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: CPU time so far (seconds), resident memory (bytes), processes, all asleep?"""

    cpu_seconds: float
    memory_bytes: int
    processes: int
    asleep: bool


def cpu_seconds(pid: int) -> float:
    """CPU time so far of one process and of those it has waited for; 0 where nothing shows it."""
    try:
        return _cpu(_fields(f"/proc/{pid}")) * _TICK_SECONDS
    except (OSError, ValueError, IndexError):
        return 0.0


def look(pid: int) -> Sample | None:
    """The process ``pid`` and everything below it; None where /proc does not show it."""
    cpu = memory = count = 0
    asleep = True
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        folder = f"/proc/{process}"
        try:
            cpu += _cpu(_fields(folder))
            memory += int(_read(f"{folder}/statm").split()[1]) * _PAGE_BYTES
            for task in os.listdir(f"{folder}/task"):  # noqa: PTH208 - this is asked often
                asleep = asleep and _fields(f"{folder}/task/{task}")[0] in _ASLEEP
                waiting += map(int, _read(f"{folder}/task/{task}/children").split())
        except (OSError, ValueError, IndexError):
            if process == pid:
                return None
            continue
        count += 1
        if count > MANY:
            break
    return Sample(cpu * _TICK_SECONDS, memory, count, asleep)


def _cpu(fields: list[bytes]) -> int:
    # utime, stime and those of children that have been waited for
    return sum(int(fields[place]) for place in (11, 12, 13, 14))


def _fields(folder: str) -> list[bytes]:
    """The fields of a ``stat`` file from the state on; the name before it may hold anything."""
    return _read(f"{folder}/stat").rpartition(b")")[2].split()


def _read(path: str) -> bytes:
    """The whole of a small file, without the layers that cost more than the kernel's answer."""
    fd = os.open(path, os.O_RDONLY)
    try:
        text = b""
        while piece := os.read(fd, 1 << 16):
            text += piece
        return text
    finally:
        os.close(fd)
