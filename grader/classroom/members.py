"""Files of strangers by their names: which may be looked at, and what a hand-in may cost.

A path from an archive is never used as a path here. It is judged, so that what is kept under a part
of it can be written on every disk and leads nowhere else.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from grader.classroom.roster import folded, is_device
from grader.course.files import LITTER

# One hand-in, all archives in it together. A lab has a handful of files of some kilobytes; this
# leaves room for pictures and for a virtual environment that was packed by mistake.
MOST_ENTRIES = 5_000
MOST_UNPACKED = 200_000_000
MOST_LEVELS = 20
LONGEST_NAME, LONGEST_PATH = 255, 1_000
LONGEST_S = 20.0

# What tools leave in folders that are no part of anybody's answer.
_LITTER = frozenset({*LITTER, "__MACOSX", "node_modules", "venv", "env", "site-packages"})


class Hostile(Exception):
    """Why a hand-in is not taken: a clause that goes on after "it", without a full stop."""


class Budget:
    """What one hand-in may still cost: entries, bytes once unpacked, and real seconds."""

    def __init__(
        self,
        entries: int = MOST_ENTRIES,
        unpacked: int = MOST_UNPACKED,
        seconds: float = LONGEST_S,
    ) -> None:
        self.entries, self.unpacked = entries, unpacked
        self.most = f"more than {entries:,} entries", f"more than {unpacked // 1_000_000} MB"
        self.seconds = seconds
        self.until = time.monotonic() + seconds

    def check(self, *, entries: int = 0, unpacked: int = 0) -> None:
        """Raises Hostile where so much more would be too much, or the time is over."""
        if entries > self.entries:
            raise Hostile(f"holds {self.most[0]}; a lab has a handful")
        if unpacked > self.unpacked:
            raise Hostile(f"holds {self.most[1]} once unpacked")
        if time.monotonic() > self.until:
            raise Hostile(f"takes longer than {self.seconds:.0f} s to read")

    def spend(self, *, entries: int = 0, unpacked: int = 0) -> None:
        """Take from it, as far as ``check`` lets."""
        self.check(entries=entries, unpacked=unpacked)
        self.entries -= entries
        self.unpacked -= unpacked


@dataclass(frozen=True)
class Member:
    """A file in a source or an archive. ``path`` is as it is spelled there, with forward slashes.

    ``packed`` is its size in the archive. ``read`` gives its content, which is as long as ``size``
    says, or raises Hostile. With a ``fault`` (a clause as in Hostile) it is not to be read.
    """

    path: str
    size: int
    packed: int
    read: Callable[[], bytes]
    fault: str | None = None


# --- names ------------------------------------------------------------------------------------


def parts(path: str) -> list[str]:
    """The folders and the name in a path, without what says nothing (``.``, a doubled slash)."""
    return [part for part in path.split("/") if part not in ("", ".")]


def path_fault(path: str) -> str | None:
    """Why no file may have this path, as a clause after "it"; None where it may."""
    told = quoted(path)
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return f"holds the absolute name {told}"
    names = parts(path)
    if ".." in names:
        return f"holds the name {told}, which leads out of its folder"
    if not names:
        return "holds a file without a name"
    if len(names) > MOST_LEVELS:
        return f"holds a name that is more than {MOST_LEVELS} folders deep"
    if len(path.encode("utf-8", "replace")) > LONGEST_PATH:
        return f"holds a name longer than {LONGEST_PATH:,} bytes"
    for name in names:
        if len(name.encode("utf-8", "replace")) > LONGEST_NAME:
            return f"holds a name longer than {LONGEST_NAME} bytes"
        if any(unicodedata.category(one) == "Cs" for one in name):
            return f"holds the name {told}, which is not written in UTF-8"
        if any(unicodedata.category(one) == "Cc" for one in name):
            return f"holds the name {told}, with a control character in it"
        if is_device(name):
            return f"holds the name {told}, which Windows keeps for a device"
    return None


def is_litter(path: str) -> bool:
    """True for what tools leave: hidden files and folders, caches, environments."""
    return any(part.startswith(".") or part in _LITTER for part in parts(path)) or path.endswith(
        (".pyc", "~", ".swp")
    )


def require_distinct(paths: Iterable[str]) -> None:
    """Raises Hostile where two of the paths are one on a disk that is blind to case.

    A folder counts as well as a file, and so does a file whose name is also a folder's.
    """
    spelled: dict[str, str] = {}
    files: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        names = parts(path)
        for number in range(1, len(names) + 1):
            here = "/".join(names[:number])
            other = spelled.setdefault(folded(here), here)
            if other != here:
                raise Hostile(
                    f"holds {quoted(other)} and {quoted(here)}, which are one on some disks"
                )
            if number < len(names):
                folders.add(here)
            elif here in files:
                raise Hostile(f"holds {quoted(here)} twice")
            else:
                files.add(here)
    if both := files & folders:
        raise Hostile(f"holds {quoted(min(both))} as a file and as a folder")


def printable(text: str) -> str:
    """A name for a line of text: what cannot be printed is written out, a very long one is cut."""
    text = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return text if len(text) <= 150 else text[:147] + "..."


def quoted(path: str) -> str:
    """A name as a sentence shows it: in quotes, without control characters, and not too long."""
    return repr(path if len(path) <= 60 else path[:57] + "...")
