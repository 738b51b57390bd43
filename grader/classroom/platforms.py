"""What learning platforms hand out, told apart by names, and cut into one delivery a learner.

Names that a platform makes are trusted as far as it makes them: the folder or the beginning of a
file's name says who, and everything behind that is the learner's. The rules, and who says so:

- Moodle, "Download all submissions": a folder ``Full Name_17_assignsubmission_file`` (older ones
  end in ``_``), or files whose names begin so where folders are switched off. Underscores in names
  become spaces. The number is the participant's *in this assignment*, so it tells apart equal names
  and never names anybody. No time is in it.
  https://github.com/moodle/moodle/blob/main/mod/assign/classes/downloader.php
- Canvas, "Download submissions": files ``lovelaceada_LATE_4711_8901_handler.py``: the sortable name
  in lower case with nothing but letters and digits, a mark, the user's id, the file's id, the
  file's name, which ends in ``-1`` where a name was handed in before. Anonymous assignments have
  ``anon_`` and an id of their own. Only the last attempt is in it, and no time.
  https://github.com/instructure/canvas-lms/blob/master/lib/content_zipper.rb
- Gradescope, "Export submissions": folders ``submission_123``, and ``submission_metadata.yml`` with
  each one's submitters, time and earlier attempts (of which it holds no files). Documented are the
  same fields of a JSON file alone; the YAML file is read as exports have it.
  https://gradescope-autograders.readthedocs.io/en/latest/submission_metadata/
- Folders: one for each learner, or an archive; clones of repositories, too. GitHub Classroom's are
  called ``assignment-login``. The time of a commit is the learner's clock, which is no evidence.
  https://docs.github.com/en/education/manage-coursework-with-github-classroom
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from grader.classroom.archives import ARCHIVES, is_archive
from grader.classroom.members import (
    LONGEST_NAME,
    Hostile,
    Member,
    is_litter,
    parts,
    path_fault,
    quoted,
)
from grader.classroom.roster import folded
from grader.classroom.times import NoMoment, moment
from grader.cloud.words import counted
from grader.course.files import UsageError
from grader.course.lab import Lab

PLATFORMS = ("moodle", "canvas", "gradescope", "folders")
METADATA = "submission_metadata.yml"
LARGEST_METADATA = 200_000_000
# What is read of a submission in the metadata, and how deep.
_LEVELS = {":submitters": 2, ":created_at": 1, ":history": 1}

_MOODLE = re.compile(r"([^_]+)(?:_(\d+))?_assignsubmission_([a-z]+)(?:_(.*))?")
_CANVAS = re.compile(
    r"(?:(?P<name>.+?)_)??(?:(?P<late>LATE)_)?(?:anon_(?P<anon>[A-Za-z0-9]+)|(?P<user>\d+))"
    r"_(?:(?P<file>\d+)_(?P<rest>.+)|(?P<typed>text|link)\.html)"
)
_GRADESCOPE = re.compile(r"submission_\d+")
# A name that was handed in before: handler-1.py.
_AGAIN = re.compile(r"(.+)-\d+(\.[A-Za-z.]+)")


@dataclass(frozen=True)
class Person:
    """Whom a platform names. ``ids`` name one learner; ``hints`` only tell apart equal names.

    ``login`` is a folder's name, ``squashed`` a name as Canvas writes it, and ``repositories`` what
    follows the name of an assignment in a repository's. ``packed``: it is the name of an archive.
    """

    label: str
    name: str = ""
    email: str = ""
    login: str = ""
    squashed: str = ""
    repositories: tuple[str, ...] = ()
    packed: bool = False
    ids: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Delivery:
    """What came of one learner, or of several together. ``lab`` is what a folder around it says."""

    people: tuple[Person, ...]
    members: list[Member] = field(default_factory=list)
    lab: str = ""
    at: datetime | None = None
    time_source: str = ""
    odd: list[str] = field(default_factory=list)


@dataclass
class Found:
    """A source taken apart: which platform wrote it, its deliveries, and what is nobody's."""

    platform: str
    deliveries: list[Delivery]
    left: list[str] = field(default_factory=list)


Path = list[str]


@dataclass
class _Tree:
    """The members of a source, below ``depth`` folders that lie around all of them."""

    members: list[tuple[Path, Member]]
    depth: int = 0

    def tops(self) -> dict[str, list[tuple[Path, Member]]]:
        """The members by the first part of their names, each with the parts that follow it."""
        tops: dict[str, list[tuple[Path, Member]]] = {}
        for names, member in self.members:
            if len(names) > self.depth:
                tops.setdefault(names[self.depth], []).append((names[self.depth + 1 :], member))
        return dict(sorted(tops.items()))


@dataclass(frozen=True)
class Course:
    """What names mean here: the class's labs, and how the roster's learners may be called."""

    labs: Sequence[Lab]
    learners: frozenset[str]

    @cached_property
    def files(self) -> frozenset[str]:
        """The names of all files that a lab lets its learners edit."""
        return frozenset(name for lab in self.labs for name in lab.editable)

    def lab(self, folder: str) -> Lab | None:
        """The lab that a folder's name means: ``02-lambda-triggers``, ``lab2``, ``Lab 02``."""
        name = folder.casefold()
        number = re.fullmatch(r"lab[ _-]?0*(\d{1,3})", name)
        for lab in self.labs:
            if name == lab.name or (number and int(number[1]) == lab.number):
                return lab
        return None

    def knows(self, name: str) -> bool:
        """Whether a learner of the roster is called so."""
        return folded(name) in self.learners

    def is_hand_in(self, paths: Iterable[Path]) -> bool:
        """Whether these are the paths of one hand-in, and not of several learners'."""
        for path in paths:
            if len(path) == 1 and path[0] in self.files:
                return True
            if len(path) > 2 and path[0].casefold() == "labs" and self.lab(path[1]):
                return True
            if len(path) > 1 and self.lab(path[0]) and path[1] in self.files:
                return True
        return False


def take_apart(
    name: str, members: Iterable[Member], course: Course, platform: str | None = None
) -> Found:
    """Cut a source into deliveries.

    ``name`` is the source's own without its ending; ``platform`` is one of PLATFORMS where the
    instructor says which, instead of its being recognised. UsageError where it is not what it says.
    """
    tree = _Tree(
        [
            (parts(one.path), one)
            for one in members
            if path_fault(one.path) or not is_litter(one.path)
        ]
    )
    if not tree.members:
        raise UsageError(f"{quoted(name)} holds no files.")
    found = _cut(name, tree, course, platform)
    found.deliveries.sort(key=lambda one: (one.lab, one.people[0].label))
    return found


def _cut(name: str, tree: _Tree, course: Course, platform: str | None) -> Found:
    """Cut what is below the folders around all of it, by the names of its platform."""
    while _lies_around(tree, course):
        tree.depth += 1
    recognised = platform or _recognised(tree)
    cut = {"gradescope": _gradescope, "moodle": _moodle, "canvas": _canvas}.get(recognised)
    return cut(tree, course) if cut else _folders(name, tree, course, platform)


def _lies_around(tree: _Tree, course: Course) -> bool:
    """Whether the only folder is one that an archiver put around everything."""
    tops = tree.tops()
    if len(tops) != 1:
        return False
    top, inside = next(iter(tops.items()))
    paths = [path for path, _ in inside]
    return not (
        [] in paths
        or (len(paths) == 1 and is_archive(paths[0][-1]))  # a learner's folder with a hand-in
        or course.knows(top)
        or course.lab(top)
        or _MOODLE.fullmatch(top)
        or _GRADESCOPE.fullmatch(top)
        or course.is_hand_in(paths)
    )


def _recognised(tree: _Tree) -> str:
    """Which platform's names most of the source has."""
    tops = tree.tops()
    others = [top for top in tops if top != METADATA]
    if METADATA in tops and all(_GRADESCOPE.fullmatch(top) for top in others):
        return "gradescope"
    moodle = [top for top in tops if _MOODLE.fullmatch(top)]
    if 2 * len(moodle) >= len(tops):
        return "moodle"
    canvas = [top for top, inside in tops.items() if inside[0][0] == [] and _canvas_name(top)]
    return "canvas" if 2 * len(canvas) >= len(tops) else "folders"


def is_handed_out(paths: Iterable[str]) -> bool:
    """Whether the files of one hand-in are a platform's download of several ones."""
    return any(_MOODLE.fullmatch(name) for path in paths for name in parts(path))


def _placed(member: Member, path: Path) -> Member:
    """A member below its delivery. A name that is a fault stays, so that it is told."""
    return member if path_fault(member.path) else replace(member, path="/".join(path))


# --- Moodle -----------------------------------------------------------------------------------


def _moodle(tree: _Tree, course: Course) -> Found:
    found = Found("moodle", [])
    by_person: dict[tuple[str, str], Delivery] = {}
    for top, inside in tree.tops().items():
        named = _MOODLE.fullmatch(top)
        if not named:
            found.left.append(top)
            continue
        name, number, kind, file = named[1], named[2] or "", named[3], named[4] or ""
        person = _participant(name, number)
        delivery = by_person.setdefault((name, number), Delivery((person,)))
        if kind != "file":
            delivery.odd.append(f"a text typed into Moodle ({kind}) is left: only files are read")
            continue
        for path, member in inside:
            delivery.members.append(_placed(member, path or [file]))
    found.deliveries = list(by_person.values())
    return found


def _participant(name: str, number: str) -> Person:
    label = f"{name} (participant {number})" if number else name
    return Person(label, name, hints={"moodle_id": number} if number else {})


# --- Canvas -----------------------------------------------------------------------------------


def _canvas(tree: _Tree, course: Course) -> Found:
    found = Found("canvas", [])
    by_person: dict[str, Delivery] = {}
    for top, inside in tree.tops().items():
        named = _canvas_name(top)
        if not named or inside[0][0]:
            found.left.append(top)
            continue
        kind, number = ("canvas_id", named["user"]) if named["user"] else ("anon", named["anon"])
        person = Person(
            f"{named['name'] or 'anonymous'} ({number})",
            squashed=named["name"] or "",
            ids={kind: number},
        )
        delivery = by_person.setdefault(f"{kind} {number}", Delivery((person,)))
        if named["late"] and (late := "Canvas marks it as late") not in delivery.odd:
            delivery.odd.append(late)
        if named["typed"]:
            delivery.odd.append(f"a {named['typed']} given to Canvas is left: only files are read")
        else:
            delivery.members += [_placed(one, [named["rest"]]) for _, one in inside]
    for delivery in by_person.values():
        delivery.members = _renamed(delivery.members, course)
    found.deliveries = list(by_person.values())
    return found


def _canvas_name(top: str) -> re.Match[str] | None:
    """The parts of a file's name as Canvas writes it; no longer name than a disk takes is tried."""
    return _CANVAS.fullmatch(top) if len(top) <= LONGEST_NAME else None


def _renamed(members: list[Member], course: Course) -> list[Member]:
    """Files under the names they had before Canvas counted them, where that is free.

    A module whose name holds a hyphen could not be imported, so no learner means one.
    """
    taken = {one.path for one in members}
    renamed = []
    for one in members:
        again = _AGAIN.fullmatch(one.path)
        name = again[1] + again[2] if again else one.path
        ours = name in course.files or name.endswith((".py", *ARCHIVES))
        if again and ours and name not in taken:
            taken.add(name)
            one = replace(one, path=name)
        renamed.append(one)
    return renamed


# --- Gradescope -------------------------------------------------------------------------------


def _gradescope(tree: _Tree, course: Course) -> Found:
    tops = tree.tops()
    if METADATA not in tops:
        raise UsageError(f"It is no export of Gradescope: there is no {METADATA} in it.")
    told = _metadata(tops.pop(METADATA)[0][1])
    found = Found("gradescope", [])
    for top, inside in tops.items():
        entry = told.get(top, {})
        people = tuple(filter(None, map(_submitter, entry.get(":submitters") or ())))
        if not people:
            found.left.append(top)
            continue
        at, odd = _created(entry.get(":created_at")), []
        if at is None:
            odd.append(f"{METADATA} says no time that can be read")
        if earlier := len(entry.get(":history") or ()):
            odd.append(f"{counted(earlier, 'earlier attempt')} on Gradescope, not in its export")
        members = [_placed(member, path) for path, member in inside]
        said_by = "Gradescope" if at else ""
        found.deliveries.append(Delivery(people, members, "", at, said_by, odd))
    return found


def _metadata(member: Member) -> dict[str, dict[str, Any]]:
    """What the metadata says of each submission: submitters, time and earlier attempts, as texts.

    The rest is passed over piece by piece, and no value is made of a text. Results stand there too,
    which are learners': what looks like an impossible date, lies a hundred levels deep or is very
    long must not cost the class its times.
    """
    import yaml

    if member.size > LARGEST_METADATA:
        raise UsageError(f"{METADATA} is larger than {LARGEST_METADATA:,} bytes.")
    try:
        content = member.read()
        events = yaml.parse(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        told = {
            name: {
                key: _value(events, event, _LEVELS.get(key, 0))
                for key, event in _pairs(events, entry)
            }
            for start in itertools.islice(events, 2, 3)
            for name, entry in _pairs(events, start)
        }
    except (yaml.YAMLError, ValueError, Hostile):
        raise UsageError(f"{METADATA} cannot be read; export it again.") from None
    if not told:
        raise UsageError(f"{METADATA} holds nothing about submissions; export it again.")
    return told


def _pairs(events: Iterator[Any], start: Any) -> Iterator[tuple[str, Any]]:
    """The keys of a mapping, each with the event that its value begins with; it has to be read.

    Another value than a mapping has none, and is passed over.
    """
    if type(start).__name__ != "MappingStartEvent":
        _value(events, start, 0)
        return
    for event in events:
        if type(event).__name__ == "MappingEndEvent":
            return
        yield str(_value(events, event, 0)), next(events)


def _value(events: Iterator[Any], start: Any, levels: int) -> Any:
    """A text, a list or a dict as far as ``levels`` goes, and None for what lies deeper."""
    kind = type(start).__name__
    if kind == "ScalarEvent":
        return start.value
    if levels and kind == "MappingStartEvent":
        return {key: _value(events, one, levels - 1) for key, one in _pairs(events, start)}
    if levels and kind == "SequenceStartEvent":
        ends = "SequenceEndEvent"
        ours = itertools.takewhile(lambda one: type(one).__name__ != ends, events)
        return [_value(events, one, levels - 1) for one in ours]
    depth = int(kind.endswith("StartEvent"))
    while depth:
        kind = type(next(events)).__name__
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
    return None


def _submitter(told: Any) -> Person | None:
    if not isinstance(told, dict):
        return None
    name, email, number = (_text(told.get(key)) for key in (":name", ":email", ":sid"))
    label = name or email or number
    ids = {"sis_id": number} if number else {}
    return Person(label, name, email, ids=ids) if label else None


def _text(told: Any) -> str:
    return told.strip() if isinstance(told, str) else ""


def _created(told: Any) -> datetime | None:
    """The time of a submission; None where it names no zone, or is no time.

    Ruby may write a time with its zone as an object, in which it stands as ``utc``.
    """
    in_utc = _text(told.get("utc")) if isinstance(told, dict) else ""
    try:
        return moment(in_utc or _text(told), "UTC", ZoneInfo("UTC") if in_utc else None)
    except NoMoment:
        return None


# --- folders ----------------------------------------------------------------------------------


def _folders(name: str, tree: _Tree, course: Course, platform: str | None) -> Found:
    tops = tree.tops()
    paths = [path[tree.depth :] for path, _ in tree.members]
    several = any(
        not course.lab(top) and course.is_hand_in([path for path, _ in inside if path])
        for top, inside in tops.items()
        if top.casefold() != "labs"
    )
    alone = course.is_hand_in(paths) and not several
    if alone or (course.knows(name) and not any(map(course.knows, tops))):
        members = [_placed(member, path[tree.depth :]) for path, member in tree.members]
        named = _MOODLE.fullmatch(name)  # one file of Moodle's, given by itself
        person = _participant(named[1], named[2] or "") if named else Person(name, name, login=name)
        return Found("folders", [Delivery((person,), members)])
    if all(course.lab(top) and inside[0][0] for top, inside in tops.items()):
        # A folder for each lab, and in it what there may be for one.
        found = Found("folders", [])
        for top, inside in tops.items():
            inner = _cut(top, _Tree(inside), course, platform)
            found.platform = inner.platform
            found.deliveries += [replace(delivery, lab=top) for delivery in inner.deliveries]
            found.left += [f"{top}/{name}" for name in inner.left]
        return found
    found = Found("folders", [])
    begin = _beginnings(tops)
    for top, inside in tops.items():
        if inside[0][0]:
            login = top
            members = [_placed(member, path) for path, member in inside]
        elif is_archive(top):
            login = stem(top)
            members = [_placed(inside[0][1], [top])]
        else:
            found.left.append(top)
            continue
        ends = tuple(login.removeprefix(one) for one in begin if login.startswith(one))
        person = Person(login, login, "", login, repositories=ends, packed=not inside[0][0])
        found.deliveries.append(Delivery((person,), members))
    return found


def _beginnings(tops: Iterable[str]) -> list[str]:
    """With what repositories begin: ``lab2-`` where most folders do, as ``lab2-ada``.

    That most do is asked for, so that a login that ends in somebody else's does not pass for it.
    """
    names = [top for top in tops if len(top) <= LONGEST_NAME]
    shared = Counter(
        top[: mark.end()] for top in names for mark in re.finditer("[-_]", top) if mark.start()
    )
    most = max(shared.values(), default=0)
    if most < max(2, len(names) / 2):
        return []
    return [begin for begin, count in shared.items() if count == most]


def stem(name: str) -> str:
    """A file's name without the ending of an archive."""
    for ending in ARCHIVES:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name.rpartition(".")[0] or name
