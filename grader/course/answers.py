"""The kept answers: right ones of other designs and wrong ones, each a few edits of another answer.

``tests/submissions/labNN/{right,wrong}/NAME/expect.toml`` says of one answer::

    on = "NAME"             # the right answer that it changes; without it, the solution
    loses = ["criterion"]   # a wrong answer: what it must lose
    may_lose = ["…"]        # and what it loses or keeps, as the design has it
    why = "One sentence."

    [[edit]]                # in this order, each on what the one before it has left
    file = "handler.py"
    there = "text that stands in the file exactly once"
    instead = "what stands there in this answer"

Files beside it are whole files, for designs that share little with any other answer.
``tests/submissions/misjudged.toml`` lists the ids of answers that the judge is known to get wrong:
faults of ours, each with its truth in its ``expect.toml``.

The tests, ``labs dev check --answers``, the mutants and the measurements read answers by `kept`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from pathlib import Path
from typing import Any

from grader.course.files import PACKAGE, files_in
from grader.course.lab import Lab

EXPECT = "expect.toml"
FIELDS = {
    "right": ({"why"}, {"on", "edit"}),
    "wrong": ({"why", "loses"}, {"on", "may_lose", "edit"}),
}


class Unfit(Exception):
    """An answer is not written as the module's docstring says; the message says what is not so."""


@dataclass(frozen=True)
class Answer:
    """One kept answer: what it is told to lose, and how it is made. ``kind`` is right or wrong."""

    lab: Lab
    kind: str
    folder: Path

    @property
    def name(self) -> str:
        """The folder's name: what is special about this answer."""
        return self.folder.name

    @property
    def id(self) -> str:
        """The whole address, such as ``lab02/wrong/swallows-errors``."""
        return "/".join(self.folder.parts[-3:])

    @cached_property
    def told(self) -> Mapping[str, Any]:
        """What ``expect.toml`` says. Unfit when a field is missing or nobody reads it."""
        try:
            told = tomllib.loads((self.folder / EXPECT).read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise Unfit(f"{self.id}: {EXPECT} cannot be read: {error}") from error
        needed, allowed = FIELDS[self.kind]
        if missing := sorted(needed - set(told)):
            raise Unfit(f"{self.id}: {EXPECT} lacks {', '.join(missing)}.")
        if unread := sorted(set(told) - needed - allowed):
            raise Unfit(f"{self.id}: nothing reads {', '.join(unread)} in {EXPECT}.")
        return told

    @property
    def why(self) -> str:
        """What is special about a right answer; why a wrong one is wrong."""
        return str(self.told["why"]).strip()

    @property
    def loses(self) -> frozenset[str]:
        """The criteria that the answer must lose; none for a right one."""
        return frozenset(self.told.get("loses", ()))

    @property
    def may_lose(self) -> frozenset[str]:
        """The criteria about which nothing is said: they hang on those that are lost."""
        return frozenset(self.told.get("may_lose", ()))

    @cached_property
    def base(self) -> Mapping[str, bytes]:
        """The files that this answer changes: the solution's, or those of the answer ``on``."""
        on = self.told.get("on")
        if on is None:
            folder = self.lab.solution
            return {name: (folder / name).read_bytes() for name in self.lab.editable}
        other = Answer(self.lab, "right", self.folder.parents[1] / "right" / on)
        if not other.folder.is_dir():
            raise Unfit(f"{self.id}: there is no right answer {on} to stand on.")
        if "on" in other.told:
            raise Unfit(f"{self.id}: {on} stands on {other.told['on']}; stand on that one.")
        return other.files

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """Every file of the answer by its relative path. Unfit when an edit does not apply."""
        files = dict(self.base)
        for name in files_in(self.folder):
            if name != EXPECT:
                files[name] = (self.folder / name).read_bytes()
        for edit in self.told.get("edit", ()):
            self._apply(edit, files)
        return files

    def _apply(self, edit: Mapping[str, str], files: dict[str, bytes]) -> None:
        if set(edit) != {"file", "there", "instead"}:
            raise Unfit(f"{self.id}: an edit has file, there and instead, not {sorted(edit)}.")
        name, there = edit["file"], edit["there"]
        if name not in files:
            raise Unfit(f"{self.id}: there is no {name} to edit.")
        text = files[name].decode()
        if (times := text.count(there)) != 1:
            raise Unfit(f"{self.id}: this stands {times} times in {name}, not once:\n{there}")
        files[name] = text.replace(there, edit["instead"]).encode()

    def misjudgement(self, lost: Collection[str]) -> str:
        """What is wrong with a grade in which these criteria were not met; "" when it is right."""
        kept = sorted(self.loses - set(lost))
        taken = sorted(set(lost) - self.loses - self.may_lose)
        said = [f"it has to lose {', '.join(kept)}"] if kept else []
        said += [f"it loses {', '.join(taken)}"] if taken else []
        return " and ".join(said)

    def hunks(self) -> dict[str, list[range]]:
        """The lines (from 1) of each file that differ from ``base``.

        Where lines were only taken out, the hunk is the line before and the line behind.
        """
        found = {}
        for name, content in self.files.items():
            before = self.base.get(name, b"").decode().splitlines()
            after = content.decode().splitlines()
            found[name] = [
                range(start + 1, end + 1) if end > start else range(max(start, 1), start + 2)
                for what, _, _, start, end in SequenceMatcher(
                    None, before, after, autojunk=False
                ).get_opcodes()
                if what != "equal"
            ]
        return {name: ranges for name, ranges in found.items() if ranges}


def kept(lab: Lab, root: Path = PACKAGE.parent) -> list[Answer]:
    """Every kept answer of a lab in the clone at ``root``: the right ones, then the wrong ones."""
    place = root / "tests" / "submissions" / f"lab{lab.number:02}"
    return [
        Answer(lab, kind, folder)
        for kind in ("right", "wrong")
        for folder in sorted((place / kind).glob("*"))
        if folder.is_dir()
    ]


def misjudged(root: Path = PACKAGE.parent) -> frozenset[str]:
    """The ids of the answers that the judge is known to get wrong, in the clone at ``root``."""
    path = root / "tests" / "submissions" / "misjudged.toml"
    if not path.is_file():
        return frozenset()
    return frozenset(tomllib.loads(path.read_text(encoding="utf-8"))["misjudged"])
