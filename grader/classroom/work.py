"""What a run of grades asks of its workers, whoever they are."""

from __future__ import annotations

import ipaddress
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from grader.classroom.room import PROGRAM, Bounds, Room
from grader.course.files import UsageError


@dataclass(frozen=True, slots=True)
class Terms:
    """How workers grade: with ``weak`` isolation if need be, within ``bounds``, by ``program``."""

    weak: bool = False
    bounds: Bounds = field(default_factory=Bounds)
    program: tuple[str, ...] = PROGRAM


@dataclass(frozen=True, slots=True)
class Address:
    """A Dask scheduler, and the files for ``tls://``: our certificate, its key, who signs."""

    url: str
    cert: str | None = None
    key: str | None = None
    ca: str | None = None

    def check(self, insecure: bool) -> None:
        """UsageError for what is no address, for certificates that lack, and for open doors."""
        protocol, _, place = self.url.partition("://")
        host = place.rpartition(":")[0]
        if protocol not in ("tls", "tcp") or not host or not place.rpartition(":")[2].isdigit():
            raise UsageError(
                f"{self.url!r} is no address of a scheduler; it looks like tls://HOST:8786."
            )
        files = {"--cert": self.cert, "--key": self.key, "--ca": self.ca}
        if protocol == "tls":
            for option, name in files.items():
                if name is None:
                    raise UsageError(f"{self.url} needs {option} FILE, so that both sides know"
                                     " whom they speak to.")  # fmt: skip
                if not Path(name).is_file():
                    raise UsageError(f"There is no file {name} ({option}).")
        elif any(files.values()):
            raise UsageError(f"Certificates go with tls://, not with {self.url}.")
        elif not (_is_loopback(host) or insecure):
            raise UsageError(
                f"{self.url} is not encrypted, and whoever reaches a port of Dask runs code there:"
                " use tls:// with certificates, or --insecure in a network that you trust wholly."
            )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Done:
    """A parcel, by its number, and the packed answer, or the problem of a worker that gave none."""

    number: int
    answer: bytes | None = None
    problem: str = ""
    worker: str = ""


class Workers(Protocol):
    """Who grades parcels. Every call may raise UsageError: then nothing more is graded there."""

    place: str

    @property
    def size(self) -> int:
        """How many parcels are graded at a time."""

    @property
    def room_for(self) -> int:
        """How many more parcels it is worth to submit now."""

    def submit(self, number: int, parcel: bytes, course: str, avoid: str = "") -> None:
        """Have a parcel graded; ``avoid`` is a worker that should not, if there is another."""

    def wait(self, seconds: float) -> Done | None:
        """The next parcel that is done, or None after about ``seconds``."""

    def close(self) -> None:
        """End what is under way."""


class Alone:
    """No workers: this process has a room and grades one parcel after the other."""

    place = "this machine"
    size = 1

    def __init__(self, terms: Terms) -> None:
        self._room = Room(weak=terms.weak, bounds=terms.bounds, program=terms.program)
        self._waiting: deque[tuple[int, bytes, str]] = deque()

    @property
    def room_for(self) -> int:
        """See Workers."""
        return 1 - len(self._waiting)

    def submit(self, number: int, parcel: bytes, course: str, avoid: str = "") -> None:
        """See Workers. There is no other worker, but what failed gets a new process."""
        self._waiting.append((number, parcel, course))

    def wait(self, seconds: float) -> Done | None:
        """See Workers; it takes as long as the grade."""
        if not self._waiting:
            return None
        number, parcel, course = self._waiting.popleft()
        answer = replace(self._room.grade(parcel, course), worker="here")
        return Done(number, answer=answer.pack())

    def close(self) -> None:
        """See Workers."""
        self._room.close()
