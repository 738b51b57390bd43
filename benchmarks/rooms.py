"""What an environment of its own costs: milliseconds from the order to its first word.

    python benchmarks/rooms.py [ROUNDS]

Forks environments of every tier in turn and prints the median for each, and for `namespaces` what
it costs in the kernel to make the namespaces that are each environment's own.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from grader.cloud.function import Nursery

TIERS = ("namespaces", "landlock", "limits")
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWNET = 0x20000, 0x8000000, 0x40000000


def born(nursery: Nursery, code: str) -> float:
    """Milliseconds until a new environment is ready for its first frame."""
    started = time.perf_counter()
    process, _, _ = nursery.environment(code)
    while process.pid is None:
        process.receive(0.001)
    taken = time.perf_counter() - started
    process.kill()
    return taken * 1000


def unshared(flags: int) -> float:
    """Milliseconds that unshare(2) takes with these flags, in a child in a user namespace."""
    import ctypes

    libc = ctypes.CDLL(None)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        libc.unshare(0x10000000)
        started = time.perf_counter()
        libc.unshare(flags)
        os.write(writer, str((time.perf_counter() - started) * 1000).encode())
        os._exit(0)
    os.waitpid(child, 0)
    taken = float(os.read(reader, 64))
    os.close(reader)
    os.close(writer)
    return taken


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with TemporaryDirectory() as place:
        (Path(place) / "handler.py").write_text("def handler(event, context): pass\n")
        nurseries = {tier: Nursery.start(isolation=tier) for tier in TIERS}
        codes = {tier: nursery.keep(Path(place)) for tier, nursery in nurseries.items()}
        taken: dict[str, list[float]] = {tier: [] for tier in TIERS}
        for _ in range(rounds):
            for tier, nursery in nurseries.items():
                taken[tier].append(born(nursery, codes[tier]))
        for nursery in nurseries.values():
            nursery.close()
    for tier in TIERS:
        print(f"{tier:>12}: {statistics.median(taken[tier]):6.2f} ms an environment")
    for name, flags in (
        ("mount", CLONE_NEWNS),
        ("mount, IPC", CLONE_NEWNS | CLONE_NEWIPC),
        ("mount, IPC, network", CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET),
    ):
        median = statistics.median(unshared(flags) for _ in range(rounds))
        print(f"unshare {name}: {median:.3f} ms")


if __name__ == "__main__":
    main()
