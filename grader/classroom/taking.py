"""What a platform hands out, turned into ``handed-in/LEARNER/NN-slug/``.

Each delivery stands for itself: what is hostile or unclear is refused in a sentence, is kept in the
record as a refusal, and costs no other one anything. Only a lab's editable files are kept, and what
travels with them. The same source again changes nothing, because attempts are compared by content.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from grader.classroom.archives import opened, source
from grader.classroom.identity import People, Unknown
from grader.classroom.members import Hostile, Member, parts, printable, quoted
from grader.classroom.platforms import Course, Delivery, is_handed_out, stem, take_apart
from grader.classroom.record import HandIn, Record, Refusal
from grader.classroom.roster import Learner, folded
from grader.classroom.settings import Settings
from grader.classroom.shelf import UNKNOWN, UNTOUCHED, Shelf, Taken
from grader.classroom.times import Row
from grader.course.files import (
    LARGEST_FILE,
    UsageError,
    content_hash,
    listed,
    shown,
    text_fault,
)
from grader.course.lab import Lab, fitting, labs


@dataclass
class Outcome:
    """What became of a source. ``left`` are names that are nobody's hand-in."""

    platform: str = ""
    taken: list[Taken] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wish:
    """What the instructor said of all sources: the lab, the attempt that counts, the platform."""

    lab: Lab | None = None
    attempt: int | None = None
    platform: str | None = None


@dataclass(frozen=True)
class _Source:
    """A source under way: its name, what the record calls it, and whose deliveries are in it."""

    name: str
    origin: str
    outcome: Outcome
    claims: Counter[tuple[str, str]]


class Taker:
    """Takes sources into a class, one after the other."""

    def __init__(
        self,
        settings: Settings,
        roster: Mapping[str, Learner],
        record: Record,
        rows: Sequence[Row] = (),
        wish: Wish | None = None,
    ) -> None:
        self.settings = settings
        self.people = People(roster, rows)
        self.record = record
        self.wish = wish or Wish()
        self.every = labs()
        self.course = Course(self.every, self.people.names)
        self.shelf = Shelf(settings, record)
        self.refused = {(one.learner, one.lab, one.source) for one in record.refusals()}

    def take(self, path: Path, status: Callable[[str], None] = lambda text: None) -> Outcome:
        """Take a source; ``status`` is told how far it is.

        UsageError where the source itself cannot be read.
        """
        if self.settings.handed_in.resolve().is_relative_to(path.resolve()):
            raise UsageError(
                f"{shown(path)} holds the class itself; give the downloads, or a folder of them."
            )
        status(f"reading {path.name}")
        with source(path) as members, self.shelf.alone():
            whole = path.resolve().name
            name = printable(whole)
            origin = name if path.is_dir() else f"{name} sha256:{_digest(path)[:12]}"
            called = whole if path.is_dir() else stem(whole)
            found = take_apart(called, members, self.course, self.wish.platform)
            outcome = Outcome(found.platform, left=[printable(one) for one in found.left])
            wanted = [one for one in found.deliveries if self._is_wanted(one)]
            under = _Source(name, origin, outcome, self._claims(wanted))
            for number, delivery in enumerate(wanted, 1):
                status(f"{name}: {number} of {len(wanted)}")
                self._deliver(delivery, under)
        return outcome

    def _is_wanted(self, delivery: Delivery) -> bool:
        """Whether it is of the lab that the instructor wants, as far as a folder says."""
        lab = self._lab(delivery)
        return lab is None or self.wish.lab in (None, lab)

    def _lab(self, delivery: Delivery) -> Lab | None:
        """The lab that a folder around the delivery says."""
        return self.course.lab(delivery.lab)

    def _claims(self, deliveries: Iterable[Delivery]) -> Counter[tuple[str, str]]:
        """How many deliveries are said to be each learner's."""
        claims: Counter[tuple[str, str]] = Counter()
        for delivery in deliveries:
            for person in delivery.people:
                try:
                    claims[folded(self.people.who(person).key), delivery.lab] += 1
                except Unknown:
                    continue
        return claims

    def _deliver(self, delivery: Delivery, under: _Source) -> None:
        """Take what one learner, or several together, handed in."""
        lab = self.wish.lab or self._lab(delivery)
        learners = self._learners(delivery, lab, under)
        if not learners:
            return
        try:
            members = opened(delivery.members, self.course.files)
            if not self.people.roster and is_handed_out(one.path for one in members):
                raise Hostile("holds what a platform hands out; give it as a SOURCE of its own")
            roots = self._by_lab(members, lab)
        except Hostile as error:
            for learner in learners:
                self._refuse(under.outcome, learner.key, lab, under.name, f"it {error}")
            return
        for one, root in roots.items():
            try:
                files, odd = _content(self.course, one, root, members)
            except Hostile as error:
                for learner in learners:
                    self._refuse(under.outcome, learner.key, one, under.name, f"it {error}")
                continue
            for learner in learners:
                together = [other.key for other in learners if other is not learner]
                told = [f"handed in together with {listed(together)}"] if together else []
                self._keep(learner, one, files, [*delivery.odd, *odd, *told], delivery, under)

    def _learners(self, delivery: Delivery, lab: Lab | None, under: _Source) -> list[Learner]:
        """Whose it is; who that is not clear of is refused."""
        learners = []
        for person in delivery.people:
            label = printable(person.label)
            place = f"{under.name}: {label}"
            try:
                learner = self.people.who(person)
            except Unknown as error:
                self._refuse(under.outcome, None, lab, place, f"{label} {error}")
                continue
            for number in (None, *self.settings.labs):
                self._settle(None, number, place)
            if under.claims[folded(learner.key), delivery.lab] > 1:
                sentence = "more than one hand-in is said to be theirs; none of them was taken"
                self._refuse(under.outcome, learner.key, lab, place, sentence)
            else:
                learners.append(learner)
        return learners

    def _keep(
        self,
        learner: Learner,
        lab: Lab,
        files: Mapping[str, bytes],
        odd: Sequence[str],
        delivery: Delivery,
        under: _Source,
    ) -> None:
        """Keep a learner's files of one lab."""
        if lab.number not in self.settings.labs:
            odd = [*odd, f"lab {lab.number} is none of the class's labs"]
        at, said_by = delivery.at, delivery.time_source
        if at is None:
            at = self.people.time(learner, lab.number)
            said_by = "--times" if at else UNKNOWN
        hand_in = HandIn(
            learner=learner.key,
            lab=lab.number,
            attempt=0,
            content=content_hash(files),
            handed_in_at=at.astimezone(UTC).isoformat(timespec="seconds") if at else None,
            time_source=said_by,
            source=under.origin,
            odd=tuple(odd),
        )
        taken = self.shelf.put(lab, hand_in, files, self.wish.attempt)
        if taken.new:
            self._settle(learner.key, lab.number)
            self._settle(learner.key, None)
        under.outcome.taken.append(taken)

    def _settle(self, learner: str | None, lab: int | None, place: str | None = None) -> None:
        """Forget what was refused of it, at that place or at any: this time it was fine."""
        for key in [key for key in self.refused if key[:2] == (learner, lab)]:
            if place in (None, key[2]):
                self.record.settle_refusals(*key)
                self.refused.discard(key)

    def _refuse(
        self, outcome: Outcome, learner: str | None, lab: Lab | None, place: str, sentence: str
    ) -> None:
        stop = "" if sentence.endswith("?") else "."
        number = lab.number if lab else None
        if number is None and len(self.settings.labs) == 1:
            number = self.settings.labs[0]
        refusal = Refusal(learner, number, place, f"{sentence}{stop}")
        self.record.add_refusal(refusal)
        self.refused.add((learner, number, place))
        outcome.refused.append(refusal)

    # --- which lab ----------------------------------------------------------------------------

    def _by_lab(self, members: Sequence[Member], told: Lab | None) -> dict[Lab, str]:
        """The labs in a hand-in, and in which folder of it each one's files lie.

        ``told`` is the lab that the instructor or a folder around the hand-in says. Raises Hostile
        where it holds no lab, or where it is not clear which.
        """
        named: dict[Lab, list[list[str]]] = {}
        unnamed: dict[str, set[str]] = {}
        for one in members:
            *folder, file = parts(one.path)
            if file not in self.course.files:
                continue
            labs_around = [lab for name in reversed(folder) if (lab := self.course.lab(name))]
            if not labs_around:
                unnamed.setdefault("/".join(folder), set()).add(file)
            elif file in labs_around[0].editable:
                named.setdefault(labs_around[0], []).append(folder)
        if told and told in named:
            return {told: _one_folder(told, named[told])}
        if told and unnamed:
            return {told: _one_folder(told, [parts(folder) for folder in unnamed])}
        if told:
            raise Hostile(f"holds none of the files of lab {told.number}: {listed(told.editable)}")
        if named:
            wanted = {lab: named[lab] for lab in named if lab.number in self.settings.labs} or named
            return {lab: _one_folder(lab, wanted[lab]) for lab in sorted(wanted, key=_number)}
        if not unnamed:
            raise Hostile("holds none of the files of a lab")
        outermost = _outermost([parts(folder) for folder in unnamed])
        if outermost is None:
            raise Hostile(f"holds files of a lab in several folders: {_some(unnamed)}")
        root = "/".join(outermost)
        return {self._by_files(unnamed[root]): root}

    def _by_files(self, names: set[str]) -> Lab:
        """The only lab of the class that these files can be of. Raises Hostile."""
        ours = [lab for lab in self.every if lab.number in self.settings.labs]
        possible = [lab for lab in ours if names <= set(lab.editable)]
        whole = [lab for lab in possible if names == set(lab.editable)]
        if len(whole or possible) == 1:
            return (whole or possible)[0]
        held = listed(sorted(names))
        if not possible:
            raise Hostile(f"holds {held}, which are of no lab of the class; say which with --lab")
        numbers = listed([str(lab.number) for lab in whole or possible])
        raise Hostile(f"holds {held}, as labs {numbers} do; say which with --lab")


def _number(lab: Lab) -> int:
    return lab.number


def _one_folder(lab: Lab, folders: Iterable[list[str]]) -> str:
    """The folder of a lab's files, of all that hold some. Raises Hostile where it is not clear."""
    every = [list(one) for one in dict.fromkeys(map(tuple, folders))]
    # A clone of the course holds each lab several times, and the learner's is in `labs`.
    ours = [one for one in every if len(one) > 1 and one[-2].casefold() == "labs"]
    folder = _outermost(every)
    if folder is None:
        folder = _outermost(ours)
    if folder is None:
        places = _some("/".join(one) for one in every)
        raise Hostile(f"holds lab {lab.number} in several folders: {places}")
    return "/".join(folder)


def _some(names: Iterable[str]) -> str:
    """Names in a sentence, and of many the first ones."""
    every = sorted(quoted(name or ".") for name in names)
    return listed(every[:3] + ([f"{len(every) - 3} more"] if len(every) > 3 else []))


def _outermost(folders: Sequence[list[str]]) -> list[str] | None:
    """The one that all others lie in; None where there is none."""
    if not folders:
        return None
    first = min(folders, key=len)
    return first if all(one[: len(first)] == first for one in folders) else None


# --- what is kept -----------------------------------------------------------------------------


def _content(
    course: Course, lab: Lab, root: str, members: Sequence[Member]
) -> tuple[dict[str, bytes], list[str]]:
    """The files of a lab by their names below ``root``, and what is odd about them.

    Raises Hostile for a file that cannot be read or is larger than any answer.
    """
    inside, outside = {}, []
    for one in members:
        path = "/".join(parts(one.path))
        if path.startswith(f"{root}/") or not root:
            inside[path.removeprefix(f"{root}/")] = one
        elif not any(map(course.lab, parts(path)[:-1])):
            outside.append(path)
    files, odd = {}, []
    for name in lab.editable:
        if name not in inside:
            odd.append(_absent(name, inside))
            continue
        if inside[name].size > LARGEST_FILE:
            raise Hostile(f"holds {quoted(name)}, larger than {LARGEST_FILE:,} bytes")
        files[name] = inside[name].read()
        if fault := text_fault(files[name]):
            odd.append(f"{name} {fault}")
    fit, left = fitting({name: inside[name].size for name in sorted(inside) if lab.travels(name)})
    files |= {name: inside[name].read() for name in fit}
    left += [name for name in inside if not lab.travels(name) and name not in lab.files]
    if left := [*left, *outside]:
        odd.append(f"left: {_some(left)}")
    if all(files.get(name) == (lab.starter / name).read_bytes() for name in lab.editable):
        odd.append(UNTOUCHED)
    return files, odd


def _absent(name: str, present: Iterable[str]) -> str:
    alike = next((one for one in present if folded(one) == folded(name)), None)
    return f"{alike} is not {name}: upper and lower case count" if alike else f"{name} is not in it"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing(
    settings: Settings, roster: Mapping[str, Learner], record: Record, numbers: Iterable[int]
) -> dict[int, list[str]]:
    """For each lab the learners of the roster of whom nothing is there."""
    there = {(one.learner, one.lab) for one in record.hand_ins()}
    return {
        lab.number: [
            key
            for key in roster
            if (key, lab.number) not in there and not (settings.handed_in / key / lab.name).is_dir()
        ]
        for lab in labs()
        if lab.number in set(numbers)
    }
