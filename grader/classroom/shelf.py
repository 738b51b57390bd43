"""``handed-in``: every attempt of everybody, and a copy of the one that counts.

Attempts are compared by content, so that taking a source again changes nothing, and are written
before the record says that they are there, so that a kill in between loses and doubles nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from grader.classroom.private import (
    FOLDER,
    make_private_file,
    make_private_folder,
    write_private,
)
from grader.classroom.record import HandIn, Record
from grader.classroom.settings import Settings
from grader.course.files import LARGEST_FILE, UsageError, content_hash, files_in, shown
from grader.course.lab import Lab
from grader.course.progress import locked

BY_HAND = "by hand"
UNKNOWN = "unknown"
UNTOUCHED = "it is the starter, untouched"


@dataclass(frozen=True)
class Taken:
    """One hand-in of a source: where it went, whether it is new, and what was odd about it."""

    learner: str
    lab: int
    attempt: int
    new: bool
    counts: bool
    odd: tuple[str, ...] = ()


class Shelf:
    """``handed-in``: the attempts of everybody, and a copy of the one that counts."""

    def __init__(self, settings: Settings, record: Record) -> None:
        self.settings = settings
        self.record = record

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other commands from changing the folder in the meantime."""
        make_private_folder(self.settings.attempts)
        for folder in (self.settings.handed_in, self.settings.attempts):
            folder.chmod(FOLDER)
        with locked(make_private_file(self.settings.attempts / ".lock")):
            yield

    def put(
        self, lab: Lab, hand_in: HandIn, files: Mapping[str, bytes], wanted: int | None = None
    ) -> Taken:
        """Keep a hand-in as an attempt, unless it is one already; then see which one counts.

        ``hand_in`` has no number yet. ``wanted`` is the attempt that counts where there is one of
        that number. Files that somebody changed by hand are kept as an attempt before new ones
        take their place.
        """
        learner = hand_in.learner
        attempts = self.record.hand_ins(learner, lab.number)
        odd = list(hand_in.odd)
        present = self._present(learner, lab)
        same = _same(attempts, hand_in)
        replacing = (same is None or wanted is not None) and (
            content_hash(present) != hand_in.content
        )
        if replacing and self._secure(lab, learner, present, attempts):
            odd.append("what lay there by hand is kept as an attempt")
            attempts = self.record.hand_ins(learner, lab.number)
        if same:
            number, new = same.attempt, False
            if not self._attempt(learner, lab, number).is_dir():
                self._write(self._attempt(learner, lab, number), files)
            if hand_in.handed_in_at not in (None, same.handed_in_at):
                same = replace(
                    same, handed_in_at=hand_in.handed_in_at, time_source=hand_in.time_source
                )
                self.record.add_hand_in(same)
        else:
            added = self._add(lab, replace(hand_in, odd=tuple(odd)), files, attempts)
            number, new = added.attempt, True
        attempts = self.record.hand_ins(learner, lab.number)
        counting = self._counting(attempts, wanted, new)
        if not counting.counts:
            self.record.add_hand_in(replace(counting, counts=True))
        if wanted and counting.attempt != wanted:
            odd.append(f"there is no attempt {wanted}")
        elif new and counting.attempt != number:
            odd.append(f"attempt {counting.attempt} counts and not this one")
        self._show(lab, counting, attempts, present)
        return Taken(learner, lab.number, number, new, counting.attempt == number, tuple(odd))

    def choose(self, learner: str, lab: Lab, wanted: int) -> bool:
        """Let attempt ``wanted`` count; whether there is one of that number."""
        attempts = self.record.hand_ins(learner, lab.number)
        counting = next((one for one in attempts if one.attempt == wanted), None)
        if counting is None:
            return False
        present = self._present(learner, lab)
        if self._secure(lab, learner, present, attempts):
            attempts = self.record.hand_ins(learner, lab.number)
        self.record.add_hand_in(replace(counting, counts=True))
        self._show(lab, counting, attempts, present)
        return True

    def _secure(
        self, lab: Lab, learner: str, present: Mapping[str, bytes], attempts: Sequence[HandIn]
    ) -> bool:
        """Keep files that an instructor put there as an attempt; whether they had to be kept."""
        if not present:
            return False
        hashed = content_hash(present)
        same = [one for one in attempts if one.content == hashed]
        if any(self._attempt(learner, lab, one.attempt).is_dir() for one in same):
            return False
        if same:
            # `labs class grade` has seen them, and numbered them.
            self._write(self._attempt(learner, lab, same[-1].attempt), present)
        else:
            by_hand = HandIn(learner, lab.number, 0, hashed, time_source=UNKNOWN, source=BY_HAND)
            self._add(lab, by_hand, present, attempts)
        return True

    def _counting(self, attempts: Sequence[HandIn], wanted: int | None, new: bool) -> HandIn:
        """The attempt that counts: the wanted one, the one that did, or with a new one the newest.

        The newest is the last one by the times that are known, else the last one taken. An
        untouched starter, which whole workspaces bring along, never takes the place of work.
        """
        for one in attempts:
            if one.attempt == wanted or (wanted is None and not new and one.counts):
                return one
        newest = attempts[0]
        for one in attempts[1:]:
            if UNTOUCHED in one.odd and UNTOUCHED not in newest.odd:
                continue
            earlier = bool(
                one.handed_in_at and newest.handed_in_at and one.handed_in_at < newest.handed_in_at
            )
            if UNTOUCHED in newest.odd or not earlier:
                newest = one
        return newest

    def _add(
        self, lab: Lab, hand_in: HandIn, files: Mapping[str, bytes], attempts: Sequence[HandIn]
    ) -> HandIn:
        number = max((one.attempt for one in attempts), default=0) + 1
        hand_in = replace(hand_in, attempt=number, counts=not attempts)
        self._write(self._attempt(hand_in.learner, lab, number), files)
        self.record.add_hand_in(hand_in)
        return hand_in

    def _show(
        self,
        lab: Lab,
        counting: HandIn,
        attempts: Sequence[HandIn],
        present: Mapping[str, bytes],
    ) -> None:
        """Let the folder that is graded hold the attempt that counts."""
        hashed = content_hash(present) if present else None
        if hashed == counting.content:
            return
        if hashed and hashed not in {one.content for one in attempts}:
            return  # changed by hand, and nothing newer was taken
        kept = self._attempt(counting.learner, lab, counting.attempt)
        if not kept.is_dir():
            raise UsageError(f"{shown(kept)} is gone; take what was handed in again.")
        # Whatever becomes of the copy, the attempt is on the disk.
        self._write(self._folder(counting.learner, lab), _read(kept), durable=False)

    def _write(self, folder: Path, files: Mapping[str, bytes], *, durable: bool = True) -> None:
        """Replace a folder by one that is complete; a kill leaves the old one, or none."""
        fresh, aside = self.settings.attempts / ".new", self.settings.attempts / ".old"
        for one in (fresh, aside):  # of a command that was killed
            shutil.rmtree(one, ignore_errors=True)
        make_private_folder(fresh)
        for name, content in files.items():
            write_private(fresh / name, content, durable=durable)
        make_private_folder(folder.parent)
        if folder.exists():
            folder.rename(aside)
        fresh.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)

    def _present(self, learner: str, lab: Lab) -> dict[str, bytes]:
        folder = self._folder(learner, lab)
        return _read(folder) if folder.is_dir() else {}

    def _folder(self, learner: str, lab: Lab) -> Path:
        return self.settings.handed_in / learner / lab.name

    def _attempt(self, learner: str, lab: Lab, number: int) -> Path:
        return self.settings.attempts / learner / lab.name / str(number)


def _read(folder: Path) -> dict[str, bytes]:
    """The files in a folder of ours, as far as they are files."""
    found = {}
    for name in files_in(folder, foreign=False):
        place = folder / name
        if place.is_file() and not place.is_symlink() and place.stat().st_size <= LARGEST_FILE:
            found[name] = place.read_bytes()
    return found


def _same(attempts: Sequence[HandIn], hand_in: HandIn) -> HandIn | None:
    """The attempt that this is, taken before; None for a new one.

    A learner may go back to an earlier answer. That is a new attempt, unless it comes from the very
    archive that the earlier one came from.
    """
    for one in reversed(attempts):
        if one.content != hand_in.content:
            continue
        again = one.source == hand_in.source
        if one.handed_in_at and hand_in.handed_in_at:
            if again or one.handed_in_at == hand_in.handed_in_at:
                return one
        elif one is attempts[-1] or (again and " sha256:" in one.source):
            return one
    return None
