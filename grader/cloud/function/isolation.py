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
    interface, 0 where Landlock is not in use; ``filtered`` is whether system calls are filtered;
    ``other_user`` is whether function code runs as another user than the judge.
    """

    tier: Tier
    platform: str
    landlock: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    filtered: bool = False
    other_user: bool = False

    def sentences(self) -> list[str]:
        """What is enforced and what is not, for ``labs doctor``: one sentence a line."""
        return [*self._enforced(), *self.weak]

    def _enforced(self) -> list[str]:
        said = [
            "Function code runs in a process of its own with a clean environment; the judge's "
            "state and expected values are not in it.",
        ]
        if self.other_user:
            said.append(
                "It runs as another user than the judge, to whom none of the judge's files and "
                "processes belong."
            )
        if self.tier == "namespaces":
            said += [
                "Each environment has process, mount, network and IPC namespaces of its own, in a "
                "user namespace without rights: it sees no other process, has no network, and "
                "sees of the disk only Python, libraries, its own code and a private /tmp.",
                "Everything but /tmp is read-only, /proc included.",
            ]
        if self.tier == "landlock":
            said.append(
                "Landlock lets it read only Python, the libraries that it may import and its own "
                "code, and write only to a folder of its own."
            )
            if self.landlock >= 4:
                said.append("Landlock lets it open no TCP connection.")
            if self.landlock >= 6:
                said.append("Landlock lets it signal no process outside.")
        if self.filtered:
            closed = "keyrings, file locks, leases and watches" + (
                "" if self.tier == "namespaces" else ", System V memory and every socket"
            )
            said.append(f"A filter of system calls closes {closed} between environments.")
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
            if self.landlock < 4 and not self.filtered:
                said.append("Function code can reach the network.")
            elif not self.filtered:
                said.append("Function code can send UDP packets to the network.")
            if self.landlock < 6 and not self.other_user:
                said.append("Function code can signal this user's other processes.")
            said.append("Function code finds its writable folder in TMPDIR; /tmp is closed to it.")
        if self.tier in ("limits", "spawn"):
            said.append(
                "Function code can read what everybody on this machine can read."
                if self.other_user
                else "Function code can read and write this user's files and look into this user's "
                "other processes."
            )
            if not self.filtered:
                said.append("Function code can reach the network.")
            if not self.other_user:
                said.append("Function code can signal this user's other processes.")
        if not self.filtered:
            shared = "keyrings and file locks" + (
                "" if self.tier == "namespaces" else ", System V memory and Unix sockets"
            )
            said.append(
                f"Environments can reach each other through {shared}, and so can other processes."
            )
        if self.platform == "win32":
            said.append("CPU time, memory and processes of function code are not limited.")
        elif self.platform != "linux":
            said.append(
                "Memory and hangs are watched less closely than on Linux: a hang is ended after "
                "ten seconds, and a process that leaves its group is not found."
            )
        return said
