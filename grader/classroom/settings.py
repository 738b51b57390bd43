"""``class.toml``: which labs, until when, for whom longer, what late costs, where things lie.

Every time in it names its zone, because a deadline without one is an hour that learners and the
instructor read differently. What the file may hold is said in ``class.toml`` beside this module,
which ``labs class init`` writes; what it may not is refused with the line and the nearest name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NoReturn, cast
from zoneinfo import ZoneInfo

from grader.classroom.private import make_private_folder, write_private
from grader.classroom.times import NoMoment, moment, zone_called
from grader.cloud.words import nearest
from grader.course import toml
from grader.course.files import UsageError, content_within, listed, shown
from grader.course.lab import find, labs

NAME = "class.toml"
TEMPLATE = Path(__file__).with_name("new_class.toml")
LARGEST = 1_000_000

Policy = Literal["none", "zero", "percent"]

_KEYS = ("name", "labs", "timezone", "seed", "secret", "deadlines", "extensions", "late", "places")
_EXTENSION = ("learner", "section", "labs", "until", "days")
_LATE = ("policy", "percent_a_day")
_PLACES = {
    "handed_in": "handed-in",
    "roster": "roster.csv",
    "record": "class.sqlite",
    "reports": "reports",
}


@dataclass(frozen=True)
class Extension:
    """More time for one learner or one section: a new deadline, or days after the old one.

    ``labs`` is None for every lab. Just one of ``learner`` and ``section`` is given, and just one
    of ``until`` and ``days``.
    """

    learner: str | None
    section: str | None
    labs: frozenset[int] | None
    until: datetime | None
    days: float | None


@dataclass(frozen=True)
class Late:
    """What a late hand-in costs. ``percent_a_day`` counts for the policy ``percent`` alone."""

    policy: Policy = "none"
    percent_a_day: float = 0.0


@dataclass(frozen=True)
class Settings:
    """A class's settings. ``root`` is the folder of ``class.toml``."""

    root: Path
    name: str
    labs: tuple[int, ...]
    zone: ZoneInfo
    deadlines: Mapping[int, datetime]
    extensions: tuple[Extension, ...]
    late: Late
    seed: int | None
    secret: Path | None
    places: Mapping[str, Path]

    @property
    def handed_in(self) -> Path:
        """The folder of the attempts that count: ``LEARNER/NN-slug/FILES``."""
        return self.places["handed_in"]

    @property
    def attempts(self) -> Path:
        """The folder of every attempt: ``LEARNER/NN-slug/K/FILES``."""
        return self.handed_in / ".attempts"

    @property
    def roster(self) -> Path:
        """The CSV file of who is in the class; it may be absent."""
        return self.places["roster"]

    @property
    def record(self) -> Path:
        """The SQLite file of hand-ins and grades."""
        return self.places["record"]

    @property
    def reports(self) -> Path:
        """The folder that reports are written to."""
        return self.places["reports"]

    def due(self, learner: str, section: str | None, lab: int) -> datetime | None:
        """Until when this learner may hand in; None where the lab has no deadline.

        Of several extensions the latest counts, and none makes a deadline earlier. A day more ends
        at the same hour by the class's clock, also over a change to summer time.
        """
        if (deadline := self.deadlines.get(lab)) is None:
            return None
        times = [deadline]
        for one in self.extensions:
            meant = one.learner == learner if one.learner else one.section == section
            if meant and (one.labs is None or lab in one.labs):
                times.append(one.until or self._later(deadline, one.days or 0.0))
        # Two times of one zone would be compared by its clock, which may go back in between.
        return max(times, key=datetime.timestamp)

    def _later(self, deadline: datetime, days: float) -> datetime:
        local = deadline.astimezone(self.zone) + timedelta(days=days)
        return local.astimezone(UTC).astimezone(self.zone)


def load(start: Path) -> Settings:
    """The settings of the nearest ``class.toml`` from the folder ``start`` upwards.

    UsageError where there is none, or where it holds what it may not.
    """
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / NAME).is_file():
            return _Reader(folder / NAME).settings()
    raise UsageError(
        f"There is no {NAME} in {shown(start)} or above it; labs class init writes one."
    )


def write_new(folder: Path) -> Path:
    """Write a documented ``class.toml`` into ``folder`` and return its path.

    UsageError where there is one already, which is never written over.
    """
    place = folder / NAME
    if place.exists() or place.is_symlink():
        raise UsageError(f"{shown(place)} is there already; it stays as it is.")
    make_private_folder(folder)
    today = datetime.now(UTC).date()
    text = TEMPLATE.read_text(encoding="utf-8")
    text = text.replace("@LABS@", ", ".join(str(lab.number) for lab in labs()))
    dates = [
        f'# {lab.number} = "{_in_weeks(today, weeks)} 23:59 UTC"'
        for weeks, lab in enumerate(labs(), 1)
    ]
    write_private(place, text.replace("@DEADLINES@", "\n".join(dates)))
    return place


def _in_weeks(today: date, weeks: int) -> date:
    """The Sunday that lies ``weeks`` after the next one."""
    return today + timedelta(days=6 - today.weekday(), weeks=weeks)


# --- reading ----------------------------------------------------------------------------------


class _Reader:
    """Reads one file, and knows in which line each of its keys stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        content = content_within(path, LARGEST)
        try:
            self.text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UsageError(f"{shown(path)} is not UTF-8 text; save it as UTF-8.") from None
        try:
            self.document = toml.read(self.text)
        except toml.NoToml as error:
            raise UsageError(f"{shown(path)} is no TOML that can be read: {error}.") from None
        self.zone: ZoneInfo

    def settings(self) -> Settings:
        self._known(self.document, _KEYS, ())
        self.zone = self._zone()
        numbers = self._labs(self._required("labs"), ("labs",))
        places = self._places()
        secret = self._text("secret", ("secret",))
        seed = self.document.get("seed")
        if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
            self._refuse(("seed",), "a seed is a whole number")
        if seed is not None and secret is not None:
            self._refuse(("secret",), "seed is one for all and secret one for each; give only one")
        return Settings(
            root=self.path.parent,
            name=self._text("name", ("name",)) or self.path.parent.name,
            labs=numbers,
            zone=self.zone,
            deadlines=self._deadlines(numbers),
            extensions=tuple(self._extensions(numbers)),
            late=self._late(),
            seed=seed,
            secret=self.path.parent / secret if secret else None,
            places=places,
        )

    def _required(self, key: str) -> Any:
        if key not in self.document:
            raise UsageError(f"{shown(self.path)} says no {key}; labs class init shows how.")
        return self.document[key]

    def _zone(self) -> ZoneInfo:
        name = self._required("timezone")
        if not isinstance(name, str):
            self._refuse(("timezone",), 'a time zone is a name such as "Europe/Berlin"')
        try:
            return zone_called(name)
        except NoMoment as error:
            self._refuse(("timezone",), str(error))

    def _labs(self, value: Any, at: tuple[str, ...]) -> tuple[int, ...]:
        if not isinstance(value, list) or not value:
            self._refuse(at, "labs is a list of numbers, such as [1, 2]")
        numbers = [self._lab(one, at) for one in value]
        if len(set(numbers)) < len(numbers):
            self._refuse(at, "a lab is named twice")
        return tuple(sorted(numbers))

    def _lab(self, value: Any, at: tuple[str, ...]) -> int:
        if not isinstance(value, int | str) or isinstance(value, bool):
            self._refuse(at, "a lab is a number, such as 2")
        try:
            return find(str(value)).number
        except UsageError as error:
            self._refuse(at, str(error)[0].lower() + str(error)[1:].rstrip("."))

    def _deadlines(self, numbers: tuple[int, ...]) -> dict[int, datetime]:
        deadlines: dict[int, datetime] = {}
        for key, value in self._table("deadlines", self.document).items():
            at = ("deadlines", key)
            number = self._lab(key, at)
            if number not in numbers:
                self._refuse(at, f"lab {number} has a deadline and is none of the class's labs")
            if number in deadlines:
                self._refuse(at, f"lab {number} has two deadlines")
            deadlines[number] = self._time(value, at)
        return deadlines

    def _extensions(self, numbers: tuple[int, ...]) -> Iterable[Extension]:
        tables = self.document.get("extensions", [])
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            self._refuse(("extensions",), "an extension begins with [[extensions]]")
        for number, table in enumerate(tables):
            at = ("extensions", f"{number}")
            self._known(table, _EXTENSION, at)
            for pair in (("learner", "section"), ("until", "days")):
                if len([key for key in pair if key in table]) != 1:
                    self._refuse(at, f"an extension needs {pair[0]} or {pair[1]}, and not both")
            learner, section = (
                self._word(table, key, (*at, key)) for key in ("learner", "section")
            )
            covered = self._labs(table["labs"], (*at, "labs")) if "labs" in table else None
            if covered and (other := set(covered) - set(numbers)):
                self._refuse((*at, "labs"), f"lab {min(other)} is none of the class's labs")
            until = self._time(table["until"], (*at, "until")) if "until" in table else None
            days = self._number(table, "days", (*at, "days"), above=0, most=3_650)
            yield Extension(learner, section, frozenset(covered) if covered else None, until, days)

    def _late(self) -> Late:
        table = self._table("late", self.document)
        self._known(table, _LATE, ("late",))
        policy = table.get("policy", "none")
        if policy not in ("none", "zero", "percent"):
            self._refuse(("late", "policy"), 'a late policy is "none", "zero" or "percent"')
        percent = self._number(table, "percent_a_day", ("late", "percent_a_day"), above=0, most=100)
        if policy == "percent" and percent is None:
            self._refuse(("late", "policy"), "the policy percent needs percent_a_day")
        return Late(cast(Policy, policy), percent or 0.0)

    def _places(self) -> dict[str, Path]:
        table = self._table("places", self.document)
        self._known(table, _PLACES, ("places",))
        root = self.path.parent
        places = {}
        for key, usual in _PLACES.items():
            given = self._word(table, key, ("places", key)) or usual
            places[key] = root / given
        for key, place in places.items():
            if root.resolve().is_relative_to(place.resolve()):
                self._refuse(("places", key), f"{key} may not hold the class's own folder")
        for key, place in places.items():
            for other, holder in places.items():
                if key != other and place.resolve().is_relative_to(holder.resolve()):
                    self._refuse(("places", key), f"{key} may not lie in the place of {other}")
        return places

    # --- values -------------------------------------------------------------------------------

    def _table(self, key: str, holder: Mapping[str, Any]) -> Mapping[str, Any]:
        value = holder.get(key, {})
        if not isinstance(value, dict):
            self._refuse((key,), f"{key} is a table, [{key}]")
        return cast(Mapping[str, Any], value)

    def _text(self, key: str, at: tuple[str, ...]) -> str | None:
        return self._word(self.document, key, at)

    def _word(self, holder: Mapping[str, Any], key: str, at: tuple[str, ...]) -> str | None:
        value = holder.get(key)
        if value is not None and (not isinstance(value, str) or not value.strip() or "\0" in value):
            self._refuse(at, f"{key} is a text in quotation marks")
        return value.strip() if value is not None else None

    def _number(
        self, holder: Mapping[str, Any], key: str, at: tuple[str, ...], *, above: float, most: float
    ) -> float | None:
        value = holder.get(key)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            self._refuse(at, f"{key} is a number")
        if not above < value <= most:
            self._refuse(at, f"{key} lies above {above:g} and is at most {most:,g}")
        return float(value)

    def _time(self, value: Any, at: tuple[str, ...]) -> datetime:
        try:
            return moment(value, self.zone.key)
        except NoMoment as error:
            self._refuse(at, str(error))

    def _known(self, table: Mapping[str, Any], known: Iterable[str], at: tuple[str, ...]) -> None:
        known = list(known)
        for key in table:
            if key in known:
                continue
            near = nearest(key, known)
            hint = f"did you mean {near}?" if near else f"known are {listed(known)}."
            where = self._line((*at, key))
            raise UsageError(f"{where}: there is no setting {key!r}; {hint}")

    def _refuse(self, at: tuple[str, ...], sentence: str) -> NoReturn:
        stop = "" if sentence.endswith("?") else "."
        raise UsageError(f"{self._line(at)}: {sentence}{stop}")

    def _line(self, at: tuple[str, ...]) -> str:
        """``class.toml, line 7`` for the key ``at``; the line of its table where it has none."""
        table, tables, best = "", 0, 0
        for number, line in enumerate(self.text.splitlines(), 1):
            if header := re.match(r"\s*\[\[?\s*([\w.-]+)\s*\]", line):
                repeated = line.lstrip().startswith("[[")
                tables += repeated and header[1] == at[0]
                table = f"{header[1]}.{tables - 1}" if repeated else header[1]
                key = ""
            elif pair := re.match(r"\s*[\"']?([^\s\"'=]+)[\"']?\s*=", line):
                key = f".{pair[1]}"
            else:
                continue
            here = f"{table}{key}".lstrip(".")
            if here == ".".join(at):
                return f"{shown(self.path)}, line {number}"
            if not best and here in (at[0], ".".join(at[:2])):
                best = number
        return f"{shown(self.path)}, line {best}" if best else shown(self.path)
