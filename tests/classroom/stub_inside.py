"""Stands in for what grades inside a room: full marks at once, or the mischief that a file asks for.

A program of its own, as the real one is: ``Room(program=STUB)`` starts it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from grader.classroom.inside import serve
from grader.classroom.parcel import Parcel
from grader.classroom.version import course_version
from grader.course import lab
from grader.course.files import UsageError, digests
from grader.course.grade import Grade, Verdict
from grader.course.judge import criteria

STUB = (str(Path(__file__).resolve()),)
WEAK = (*STUB, "weak")
DEAD = (*STUB, "dead")


def document(parcel: Parcel) -> dict[str, Any]:
    """Full marks for a parcel."""
    chosen = lab.find(str(parcel.lab))
    verdicts = [Verdict(one, "met") for one in criteria(chosen)]
    grade = Grade(chosen.number, chosen.slug, parcel.seed, verdicts, digests(parcel.files))
    return grade.document()


class Stub:
    def greeting(self) -> dict[str, Any]:
        if "dead" in sys.argv:
            raise SystemExit("no process can be forked")
        weak = ["Function code can reach the network."] if "weak" in sys.argv else []
        tier = "limits" if weak else "namespaces"
        return {"tier": tier, "weak": weak, "course": course_version()}

    def start(self, parcel: Parcel) -> None:
        self.parcel = parcel
        self.wish, _, self.place = parcel.files.get("wish", b"").decode().partition(" ")
        if self.wish == "full":
            raise UsageError("Nothing can be graded, for /tmp cannot be written: no space left.")

    def listen(self, seconds: float) -> dict[str, Any] | None:
        if self.wish == "once" and not Path(self.place).exists():
            Path(self.place).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.wish == "slow" and not Path(self.place).exists():
            Path(self.place).touch()
            return None
        if self.wish == "die":
            print("a last word", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        if self.wish == "hang":
            time.sleep(60)
        if self.wish == "spin":
            time.sleep(seconds)
            self.counted = sum(range(10**5))
            return None
        if self.wish == "eat":
            self.eaten = b"x" * (600 << 20)
            time.sleep(60)
        if self.wish == "fail":
            return {"kind": "failed", "sentence": "Traceback: something of ours."}
        said = document(self.parcel)
        if self.wish == "lie":
            said["seed"] += 1
        if self.wish == "flood":
            said["notes"] = ["x" * 5_000_000]
        if self.wish == "environment":
            said["notes"] = [*os.environ, *(str(one.readlink()) for one in _descriptors())]
        return {"kind": "graded", "document": said}

    def close(self) -> None:
        """Nothing is kept."""


def _descriptors() -> list[Path]:
    folder = Path("/proc/self/fd")
    return [one for one in folder.iterdir() if one.is_symlink() and one.exists()]


if __name__ == "__main__":
    serve(Stub)
