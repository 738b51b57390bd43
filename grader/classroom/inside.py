"""The process inside a room: it has imported everything, and forks a grade for each parcel.

``python -m grader.classroom.inside`` reads parcels from its standard input and writes answers to
its standard output, each as four bytes of length and JSON. It begins with a greeting: the isolation
that it proved and the version of its course. It has one thread, and nothing of Dask: neither a
socket, nor a descriptor, nor a variable. Whoever started it watches it (``grader.classroom.room``);
it ends when that end closes, and when nothing has come for a while.
"""

from __future__ import annotations

import json
import os
import select
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

from grader.classroom.parcel import MOST_PARCEL_BYTES, Parcel
from grader.course.files import UsageError, require_room

# Real seconds: so long a room that nobody needs keeps its memory, and so often a grade under way
# looks whether anybody still waits for it.
IDLE_S = 900.0
LOOK_S = 0.25

Said = dict[str, Any]


class Grading(Protocol):
    """What grades the parcels of one room."""

    def greeting(self) -> Said:
        """Warm up; ``tier``, ``weak`` (sentences, empty where isolation is strong), ``course``."""

    def start(self, parcel: Parcel) -> None:
        """Begin to grade."""

    def listen(self, seconds: float) -> Said | None:
        """``kind`` and ``document`` or ``sentence``, or None when there is no answer yet."""

    def close(self) -> None:
        """End everything."""


class Forking:
    """The real one: a fork for each grade, with the function nursery beside it."""

    def __init__(self) -> None:
        from grader.course.lab import labs
        from grader.course.warm import Warm

        self._labs = {lab.number: lab for lab in labs()}
        self._warm = Warm(next(iter(self._labs.values())))

    def greeting(self) -> Said:
        """See Grading."""
        from grader.classroom.version import course_version
        from grader.course import judge

        self._warm.warm_up()
        for lab in self._labs.values():
            judge.criteria(lab)
        isolation = self._warm.isolation
        weak = isolation.tier not in ("namespaces", "landlock")
        return {
            "tier": isolation.tier,
            "weak": isolation.weak if weak else [],
            "course": course_version(),
        }

    def start(self, parcel: Parcel) -> None:
        """See Grading. UsageError where this machine has no room for a grade."""
        require_room()
        self._warm.lab, self._warm.seed = self._labs[parcel.lab], parcel.seed
        self._warm.start(parcel.files)

    def listen(self, seconds: float) -> Said | None:
        """See Grading. UsageError where the machine ran out of room: nothing was judged then."""
        said = self._warm.listen(seconds)
        if said is None or said[0] == "status":
            return None
        require_room()
        if said[0] == "graded":
            return {"kind": "graded", "document": said[1].document()}
        return {"kind": "failed", "sentence": said[1]}

    def close(self) -> None:
        """See Grading."""
        self._warm.close()


def serve(make: Callable[[], Grading]) -> None:
    """Answer the parcels that come in with what ``make`` makes."""
    with suppress(OSError):
        # Where memory runs out all the same the kernel takes us, not the worker.
        Path("/proc/self/oom_score_adj").write_text("500")
    incoming, outgoing = _take_streams()
    grading = make()
    try:
        _send(outgoing, {"kind": "greeting", **grading.greeting()})
        while _comes(incoming, IDLE_S) and (data := receive(incoming)) is not None:
            try:
                grading.start(Parcel.unpack(data))
                while (said := grading.listen(LOOK_S)) is None:
                    if _comes(incoming, 0):
                        return  # nobody waits any more: nothing comes before we have answered
            except UsageError as problem:
                said = {"kind": "refused", "sentence": str(problem)}
            _send(outgoing, said)
    finally:
        grading.close()


def receive(stream: IO[bytes], most: int = MOST_PARCEL_BYTES) -> bytes | None:
    """The next frame of a stream, or None at its end or where it has more than ``most`` bytes."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack(">I", head)
    if length > most:
        return None
    data = stream.read(length)
    return data if len(data) == length else None


def frame(data: bytes) -> bytes:
    """Bytes as a frame: their number, then they themselves."""
    return struct.pack(">I", len(data)) + data


def _send(stream: IO[bytes], said: Said) -> None:
    stream.write(frame(json.dumps(said).encode()))
    stream.flush()


def _take_streams() -> tuple[IO[bytes], IO[bytes]]:
    """The standard streams for ourselves alone: nothing else reads or prints into a frame."""
    sys.stdout.flush()
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)

    def let_go() -> None:
        for stream in (incoming, outgoing):
            os.dup2(nowhere, stream.fileno(), inheritable=False)

    if hasattr(os, "register_at_fork"):
        # A grade outlives a killed room for a moment; it must not keep these ends open.
        os.register_at_fork(after_in_child=let_go)
    return incoming, outgoing


def _comes(stream: IO[bytes], seconds: float) -> bool:
    """Is there something to read, or the end, within ``seconds``? Windows cannot tell: yes."""
    if not hasattr(select, "poll"):
        return seconds > 0
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    return bool(poll.poll(int(seconds * 1000)))


if __name__ == "__main__":
    serve(Forking)
