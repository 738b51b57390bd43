"""How the judge sees, from outside, what an environment's processes use (Linux: /proc)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

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
        return _cpu(_fields(Path(f"/proc/{pid}/stat"))) * _TICK_SECONDS
    except (OSError, ValueError, IndexError):
        return 0.0


def look(pid: int) -> Sample | None:
    """The process ``pid`` and everything below it; None where /proc does not show it."""
    cpu = memory = count = 0
    asleep = True
    waiting = [pid]
    while waiting:
        process = waiting.pop()
        folder = Path(f"/proc/{process}")
        try:
            own = _fields(folder / "stat")
            cpu += _cpu(own)
            memory += int((folder / "statm").read_text().split()[1]) * _PAGE_BYTES
            for task in (folder / "task").iterdir():
                asleep = asleep and _fields(task / "stat")[0] in "STtZX"
                waiting += map(int, (task / "children").read_text().split())
        except (OSError, ValueError, IndexError):
            if process == pid:
                return None
            continue
        count += 1
        if count > MANY:
            break
    return Sample(cpu * _TICK_SECONDS, memory, count, asleep)


def _cpu(fields: list[str]) -> int:
    # utime, stime and those of children that have been waited for
    return sum(int(fields[place]) for place in (11, 12, 13, 14))


def _fields(path: Path) -> list[str]:
    """The fields of a ``stat`` file from the state on; the name before it may hold anything."""
    return path.read_text().rpartition(")")[2].split()
