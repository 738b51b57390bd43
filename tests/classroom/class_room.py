"""A class in a folder of its own, and what is taken into it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import exports
import made_class

from grader.classroom import roster
from grader.classroom.record import Record
from grader.classroom.taking import Outcome, Taker, Wish
from grader.classroom.times import Row
from grader.course.lab import find

Content = bytes | str


class Room:
    """A class, and what was taken into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = made_class.settings(root, labs=(2, 3, 4))
        self.record = Record(self.settings.record)

    def enrol(self, text: str) -> None:
        """Write a roster."""
        self.settings.roster.write_text(text, encoding="utf-8")

    def source(self, name: str, content: Content | Mapping[str, Content]) -> Path:
        """A file, or a folder of files, beside the class."""
        place = self.root / "downloads" / name
        place.parent.mkdir(exist_ok=True)
        if isinstance(content, Mapping):
            return exports.unpacked(place, content)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        return place

    def take(
        self,
        name: str,
        content: Content | Mapping[str, Content],
        lab: str | None = "2",
        rows: tuple[Row, ...] | list[Row] = (),
        **wish: Any,
    ) -> Outcome:
        """Take such a source."""
        return self.again(self.source(name, content), lab, rows, **wish)

    def again(
        self,
        path: Path,
        lab: str | None = "2",
        rows: tuple[Row, ...] | list[Row] = (),
        **wish: Any,
    ) -> Outcome:
        """Take a source that is there."""
        people = roster.read(self.settings.roster)
        wished = Wish(find(lab) if lab else None, **wish)
        return Taker(self.settings, people, self.record, rows, wished).take(path)

    def files(self, learner: str, lab: str = "2") -> dict[str, bytes]:
        """What lies in the folder that is graded."""
        folder = self.settings.handed_in / learner / find(lab).name
        return {
            one.relative_to(folder).as_posix(): one.read_bytes()
            for one in sorted(folder.rglob("*"))
            if one.is_file()
        }
