"""Points in time that name their zone, and when hand-ins came according to a CSV file.

A time without a zone means another moment to everybody who reads it. It is refused, with the text
to write instead; in a CSV file that a platform wrote, the instructor may say its zone once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from grader.classroom.roster import Learner, learner_of, table
from grader.cloud.words import nearest
from grader.course.files import UsageError, content_within, shown
from grader.course.lab import find

LARGEST = 50_000_000

# "2027-03-05 23:59 Europe/Berlin", "2027-03-05T23:59:00+01:00"
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)"
    r"(?: ?(Z|UTC|[+-]\d\d:?\d\d)| (\S+))?"
)
# How Moodle's grading worksheet writes "Last modified (submission)" in English:
# "Friday, 5 March 2027, 11:58 PM". https://docs.moodle.org/en/Assignment_settings
_MOODLE = ("%A, %d %B %Y, %I:%M %p", "%A, %d %B %Y, %H:%M", "%A, %B %d, %Y, %I:%M %p")
_COLUMNS = (
    "handed_in_at",
    "time",
    "submitted_at",
    "submitted",
    "submission_time",
    "last_modified_submission",
)
# What platforms write for a learner who handed nothing in.
_NONE = ("", "-", "–", "never")


class NoMoment(Exception):
    """The text is no point in time, or no zone; the message is a clause without a full stop."""


def zone_called(name: str) -> ZoneInfo:
    """The time zone of that name in the IANA database. Raises NoMoment with the nearest name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = available_timezones()
    if not known:
        raise NoMoment("this machine knows no time zones; pip install tzdata")
    # Somebody who writes "Berlin" or "CET/Berlin" means the zone that ends so.
    city = name.rpartition("/")[2].replace(" ", "_").lower()
    near = next((one for one in sorted(known) if one.lower().endswith(f"/{city}")), None)
    near = near or nearest(name, known)
    hint = f"; did you mean {near!r}?" if near else ""
    raise NoMoment(f"there is no time zone {name!r}{hint}")


def moment(value: object, usual: str, implied: ZoneInfo | None = None) -> datetime:
    """The point in time that a text or a TOML value means, always with a zone.

    ``usual`` is the zone's name that a refusal proposes; ``implied`` is the zone of a time that
    names none, where somebody has said so. Raises NoMoment.
    """
    if isinstance(value, datetime):
        return value if value.tzinfo else _in_zone(value, implied, usual)
    if type(value) is date:
        _refuse_naive(datetime(value.year, value.month, value.day, 23, 59), usual)
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not (found := _TIME.fullmatch(text)):
        for form in _MOODLE:
            try:
                return _in_zone(datetime.strptime(text, form), implied, usual)
            except ValueError:
                continue
        raise NoMoment(f'a time is written as "2027-03-05 23:59 {usual}"')
    offset = "+00:00" if found[3] in ("Z", "UTC") else found[3] or ""
    try:
        time = datetime.fromisoformat(f"{found[1]} {found[2]}{offset}")
    except ValueError:
        raise NoMoment(f"there is no such time as {value!r}") from None
    if time.tzinfo:
        return time
    return _in_zone(time, zone_called(found[4]) if found[4] else implied, usual)


def _in_zone(time: datetime, zone: ZoneInfo | None, usual: str) -> datetime:
    """A wall clock's time in a zone; refused where the clock skips it or shows it twice."""
    if zone is None:
        _refuse_naive(time, usual)
    first, second = (time.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != time:
        raise NoMoment(f"the clocks of {zone.key} skip {time:%H:%M} then")
    both = f"{first.isoformat()} or {second.isoformat()}"
    raise NoMoment(f"the clocks of {zone.key} show {time:%H:%M} twice then; write {both}")


def _refuse_naive(time: datetime, usual: str) -> NoReturn:
    raise NoMoment(f'the time names no zone; write "{time:%Y-%m-%d %H:%M} {usual}"')


# --- a CSV file -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """When somebody handed in, and what the file says of who it is. ``lab`` is None for any."""

    who: Learner
    lab: int | None
    at: datetime | None


def read(path: Path, usual: str, implied: ZoneInfo | None) -> list[Row]:
    """The rows of a CSV file with a column of times: ``handed_in_at``, or as platforms call it.

    Learners are told by the columns that a roster has; a column ``lab`` limits a row to a lab. So
    Moodle's grading worksheet can be given as it is, where its zone is ``implied``. UsageError.
    """
    rows = []
    for line, row in table(path, content_within(path, LARGEST)):
        column = next((name for name in _COLUMNS if name in row), None)
        if column is None:
            raise UsageError(f"{shown(path)} has no column of times, such as {_COLUMNS[0]}.")
        rows.append(_row(f"{shown(path)}, line {line}", row, column, usual, implied))
    return rows


def _row(
    where: str, row: Mapping[str, str], column: str, usual: str, implied: ZoneInfo | None
) -> Row:
    at = None
    if row[column].lower() not in _NONE:
        try:
            at = moment(row[column], usual, implied)
        except NoMoment as error:
            hint = "" if implied else f"; or say the zone of all of them, --zone {usual}"
            raise UsageError(f"{where}: {error}{hint}.".replace("?.", "?")) from None
    lab = None
    if row.get("lab"):
        try:
            lab = find(row["lab"]).number
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None
    return Row(learner_of(row), lab, at)
