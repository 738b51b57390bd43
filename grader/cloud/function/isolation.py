"""What keeps a function's process away from the rest of the machine, said plainly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Tier = Literal["namespaces", "landlock", "limits", "spawn"]
TIERS: tuple[Tier, ...] = ("namespaces", "landlock", "limits", "spawn")


@dataclass(frozen=True, slots=True)
class Isolation:
    """What is enforced here.

    ``tier`` is the strongest that this machine permits (or the one that was asked for);
    ``refused`` says why a stronger one was not used; ``landlock`` is the version of the kernel's
    interface, 0 where Landlock is not in use.
    """

    tier: Tier
    platform: str
    landlock: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """What is enforced and what is not, for ``labs doctor``: one sentence a line."""
        return [*self._enforced(), *self.weak]

    def _enforced(self) -> list[str]:
        said = [
            "Function code runs in a process of its own with a clean environment; the judge's "
            "state and expected values are not in it.",
        ]
        if self.tier == "namespaces":
            said += [
                "It has its own user, process, mount, network, IPC and host-name namespaces: it "
                "sees no other process, has no network, and sees of the disk only Python, "
                "libraries, its own code and a private /tmp.",
                "Everything but /tmp is read-only.",
            ]
        if self.tier == "landlock":
            said.append(
                "Landlock lets it read only Python, libraries and its own code, and write only to "
                "a folder of its own."
            )
            if self.landlock >= 4:
                said.append("Landlock lets it open no TCP connection.")
            if self.landlock >= 6:
                said.append("Landlock lets it signal no process outside.")
        if self.platform == "win32":
            said.append("An invocation that hangs is ended after ten seconds.")
        else:
            said.append("CPU time, memory, open files, file size and processes are limited.")
        return said

    @property
    def weak(self) -> list[str]:
        """What this platform does not enforce: one sentence each."""
        said: list[str] = []
        if self.tier == "landlock":
            if self.landlock < 4:
                said.append("Function code can reach the network.")
            else:
                said.append("Function code can send UDP packets to the network.")
            if self.landlock < 6:
                said.append("Function code can signal this user's other processes.")
            said += [
                "Function code can read every installed package, the grader among them where it "
                "is installed.",
                "Function code finds its writable folder in TMPDIR; /tmp is closed to it.",
            ]
        if self.tier in ("limits", "spawn"):
            said += [
                "Function code can read and write this user's files and look into this user's "
                "other processes.",
                "Function code can reach the network.",
                "Function code can signal this user's other processes.",
            ]
        if self.platform == "win32":
            said.append("CPU time, memory and processes of function code are not limited.")
        elif self.platform != "linux":
            said.append(
                "Memory and hangs are watched less closely than on Linux: a hang is ended after "
                "ten seconds, and a process that leaves its group is not found."
            )
        return said
