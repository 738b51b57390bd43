"""A drill that somebody is on duty for: the shift behind the sandbox's server, kept on disk.

What is kept is what was asked, at its virtual time, and nothing else: a shift that goes on after a
break plays the same again, which takes seconds, and asks the same again. Keys are not kept.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from grader.classroom.private import make_private_folder, write_private
from grader.cloud import Nursery
from grader.cloud.aws import Reply
from grader.course.files import UsageError
from grader.course.grade import Grade
from grader.sandbox.oncall import book, handout, judge
from grader.sandbox.oncall.drill import CAUSES
from grader.sandbox.oncall.drills import called, drill
from grader.sandbox.oncall.shift import MINUTE_MS, Shift
from grader.sandbox.pace import Pace
from grader.sandbox.sandbox import Sandbox
from grader.sandbox.world import Asked

SCHEMA = "labs/oncall/v1"
STANDS, ASKED = book.SHIFT.name, "asked.jsonl"
# Of a request's head only what says what is asked is kept; whose key it was is not.
_KEPT = re.compile(r"(?:content-|x-amz-(?!security-token)|accept)")
_SCOPE = re.compile(r"Credential=[^/]+/(?P<scope>[^,\s]+)")


@dataclass
class Stands:
    """How a shift stands, beside what was asked: enough to begin it again.

    ``breaks_s`` are the pauses so far, in seconds of the wall; ``relaxed`` as a `Shift` has it.
    """

    drill: str
    seed: int
    page_ms: int
    speed: float
    relaxed: float | None
    now_ms: int
    breaks_s: list[float] = field(default_factory=list)
    left_s: float | None = None
    hints: int = 0
    over: bool = False


class Duty(Sandbox):
    """The sandbox of one drill. ``folder`` is where it is kept; ``debrief`` makes its last page.

    Everything of it is under the sandbox's lock. A drill is judged by all that has happened.
    """

    remembers = True

    def __init__(
        self,
        stands: Stands,
        nursery: Nursery,
        folder: Path,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.stands = stands
        self.folder = folder
        self.shift = Shift(
            drill(stands.drill, stands.seed),
            nursery,
            seed=stands.seed,
            page_ms=stands.page_ms,
            relaxed=stands.relaxed,
        )
        super().__init__(
            self.shift.cloud, pace=Pace(self.shift.cloud.clock, speed=stands.speed, wall=wall)
        )
        self.world = self.shift.world
        self.grade: Grade | None = None
        # Where the debrief will lie, and the folder of what is handed out; paths as text.
        self.debrief = self.place = ""
        self.finished: Callable[[Duty], None] = lambda _duty: None
        self._wall = wall
        self._heard: Asked | None = None
        self._again = False
        self.listeners.append(self._noted)

    @classmethod
    def begin(
        cls,
        slug: str,
        nursery: Nursery,
        folder: Path,
        *,
        seed: int = 0,
        speed: float = 1.0,
        relaxed: float | None = 1.0,
        wall: Callable[[], float] = time.time,
    ) -> Duty:
        """A new shift, in the place of whatever ``folder`` holds; the telephone rings now."""
        page_ms = round(wall() * 1000)
        page_ms -= page_ms % MINUTE_MS
        duty = cls(Stands(slug, seed, page_ms, speed, relaxed, page_ms), nursery, folder, wall=wall)
        make_private_folder(folder)
        (folder / ASKED).unlink(missing_ok=True)
        duty.keep()
        return duty

    @classmethod
    def resume(
        cls, nursery: Nursery, folder: Path, *, wall: Callable[[], float] = time.time
    ) -> Duty:
        """The shift that ``folder`` holds, as it was left. UsageError when there is none."""
        duty = cls(_stands(folder), nursery, folder, wall=wall)
        stands = duty.stands
        duty.pace.pause()
        duty._again = True
        for moment, method, path, headers, body in _asked(folder):
            duty.shift.run_until(moment)
            duty.answer(method, path, headers, body)
        duty._again = False
        duty.shift.run_until(stands.now_ms)
        if stands.left_s is not None:
            stands.breaks_s.append(round(max(0.0, wall() - stands.left_s), 1))
            stands.left_s = None
        duty.pace.resume()
        duty.pace.paused_s = 0.0
        duty.keep()
        return duty

    # -- what is asked -----------------------------------------------------------------------

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """As `Sandbox.answer`; what was understood is kept on disk before the answer leaves."""
        with self.lock:
            self._heard = None
            reply = super().answer(method, path, headers, body)
            if self._heard is not None and not self._again and not self.stands.over:
                self._write(self._heard.virtual_ms, method, path, headers, body)
            return reply

    def _noted(self, asked: Asked) -> None:
        self._heard = asked
        if not self.stands.over:
            refused = "" if asked.outcome == "answered" else asked.outcome
            self.shift.noted(
                asked.service, asked.operation, asked.params, refused, at_ms=asked.virtual_ms
            )

    def _write(
        self, moment: int, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        head = {name: text for name, text in headers.items() if _KEPT.match(name)}
        scope = _SCOPE.search(headers.get("authorization", ""))
        head["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential=testing/{scope['scope']}" if scope else ""
        )
        line = [moment, method, path, head, base64.b64encode(body).decode()]
        with (self.folder / ASKED).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    # -- the owner's words ---------------------------------------------------------------------

    def control(self, what: str, params: Mapping[str, str]) -> dict[str, Any]:
        """As `Sandbox.control`, and ``oncall`` with ``hint`` or ``done`` (causes with commas)."""
        if what != "oncall":
            return super().control(what, params)
        with self.lock:
            self.pace.advance()
            if "done" in params:
                return self._done([one for one in params["done"].split(",") if one])
            if "hint" in params:
                return self._hint()
            return self._tell()

    def _tell(self) -> dict[str, Any]:
        shift = self.shift
        left = (shift.until_ms - self.cloud.clock.now) / MINUTE_MS
        return {
            "drill": shift.drill.slug,
            "minute": round(shift.now_min, 1),
            "minutes_left": None if shift.relaxed is None else round(left, 1),
            "over": self.stands.over,
            "names": handout.names(shift, self.url),
            "folder": self.place,
        }

    def _hint(self) -> dict[str, Any]:
        hints = self.shift.drill.hints
        self.stands.hints = min(self.stands.hints + 1, len(hints))
        self.keep()
        return {"number": self.stands.hints, "of": len(hints), "hint": hints[self.stands.hints - 1]}

    def _done(self, causes: list[str]) -> dict[str, Any]:
        unknown = [one for one in causes if one not in CAUSES]
        if unknown or not causes:
            told = f"{unknown[0]!r} is no cause" if unknown else "a cause has to be named"
            raise ValueError(f"{told}; there are {', '.join(CAUSES)}")
        if self.grade is None:
            self.pace.pause()
            self.shift.done(*causes)
            self.grade = judge.grade(self.shift)
            self.stands.over = True
            self.keep()
            self.finished(self)
        return {"grade": self.grade.document(), "debrief": self.debrief}

    # -- what is kept ----------------------------------------------------------------------------

    def leave(self) -> None:
        """Somebody leaves for a break: time stands still from now on."""
        with self.lock:
            self.pace.pause()
            if self.pace.paused_s:
                self.stands.breaks_s.append(round(self.pace.paused_s, 1))
            self.stands.left_s = self._wall()
            self.keep()

    def keep(self) -> None:
        """Write down how the shift stands."""
        if not self.stands.over:
            self.stands.now_ms = self.cloud.clock.now
        told = json.dumps({"schema": SCHEMA, **asdict(self.stands)}, indent=2)
        write_private(self.folder / STANDS, told + "\n", durable=False)


def waiting(folder: Path) -> str | None:
    """The drill that is not over in a folder, or None."""
    try:
        return _stands(folder).drill
    except UsageError:
        return None


def _stands(folder: Path) -> Stands:
    """How the shift in a folder stands; UsageError when there is none to go on with."""
    try:
        told = json.loads((folder / STANDS).read_text(encoding="utf-8"))
        told["drill"] = called(told["drill"])
        if told.pop("schema") != SCHEMA or told["drill"] is None:
            raise ValueError("another version")
        stands = Stands(**told)
    except FileNotFoundError:
        raise UsageError("There is no drill to go on with. labs list shows them.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UsageError(f"What was kept of the drill cannot be read: {problem}.") from None
    if stands.over:
        raise UsageError(f"The drill {stands.drill} is over; labs oncall {stands.drill} again.")
    return stands


def _asked(folder: Path) -> Iterator[tuple[int, str, str, dict[str, str], bytes]]:
    """What was asked, in its order; a line that a kill has cut ends it."""
    try:
        lines = (folder / ASKED).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            moment, method, path, headers, body = json.loads(line)
            entry = (int(moment), str(method), str(path), dict(headers), base64.b64decode(body))
        except (ValueError, TypeError):
            return
        yield entry
