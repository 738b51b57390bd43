"""Who is in the class: a CSV file, as it is written by hand or exported by a platform.

A learner's *key* is the name of their folder in ``handed-in``. It comes from the column ``learner``
(or a login's), else from the e-mail address before its ``@``. Of the other columns, ``name``,
``email`` and ``section`` are known under the names that platforms give them, and every other one is
kept as an id of the learner, such as ``moodle_id`` or ``canvas_id``.

Read are comma, semicolon and tab, and UTF-8, UTF-16 (by its byte order mark) or else Windows-1252:
what spreadsheets write. Moodle's "Participant 17" and Canvas's column "ID" become ids as well. A
worksheet that Moodle wrote in another language is known by its structure.
https://docs.moodle.org/en/Assignment_settings#Offline_grading_worksheet
https://community.canvaslms.com/t5/Instructor-Guide/How-do-I-export-grades-in-the-Gradebook/ta-p/809
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.classroom import worksheet
from grader.classroom.private import close_to_others
from grader.course.files import UsageError, reason, shown

LARGEST = 10_000_000
MOST_LEARNERS = 20_000
LONGEST_KEY = 100

_COLUMNS = {
    "learner": ("learner", "login", "username", "user", "sis_login_id", "github_username"),
    "name": ("name", "full_name", "student", "student_name"),
    "first": ("first_name", "firstname", "given_name"),
    "last": ("last_name", "lastname", "surname", "family_name"),
    "email": ("email", "email_address", "e_mail", "mail"),
    "section": ("section", "sections", "group", "groups", "section_name"),
}
# What platforms call the id that their downloads carry.
_IDS = {
    "id": "canvas_id",
    "identifier": "moodle_id",
    "sis_user_id": "sis_id",
    "id_number": "sis_id",
    "sid": "sis_id",
    "student_id": "sis_id",
}
_KNOWN = {column for columns in _COLUMNS.values() for column in columns}
# The row of Canvas's gradebook that names nobody.
MAXIMUM = "Points Possible"
# Names that Windows keeps for devices, whatever their ending.
# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Learner:
    """One learner. What the roster does not say is an empty text."""

    key: str
    name: str = ""
    email: str = ""
    section: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)


def read(path: Path) -> dict[str, Learner]:
    """Everybody in the roster by key, in its order; nobody where there is no such file.

    The file becomes its owner's alone. UsageError, with the line, for a roster that cannot be read
    or names two learners alike.
    """
    try:
        with path.open("rb") as file:
            close_to_others(file)
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {reason(error)}.") from None
    if len(content) > LARGEST:
        raise UsageError(f"{shown(path)} is larger than {LARGEST:,} bytes.")
    found: dict[str, Learner] = {}
    lines: dict[str, int] = {}
    for line, row in table(path, content):
        if (learner := learner_of(row)).name == MAXIMUM:
            continue
        _require_key(f"{shown(path)}, line {line}", learner, row)
        same = folded(learner.key)
        if same in lines:
            raise UsageError(
                f"{shown(path)}, line {line}: {learner.key!r} is in line {lines[same]} already; two"
                f" learners need two names, and not ones that differ in case only."
            )
        lines[same] = line
        found[learner.key] = learner
        if len(found) > MOST_LEARNERS:
            raise UsageError(f"{shown(path)} names more than {MOST_LEARNERS:,} learners.")
    return found


def key_fault(key: str) -> str | None:
    """Why ``key`` cannot be the name of a learner's folder on every machine; None where it can."""
    if not key or key != key.strip() or key.endswith("."):
        return "it is empty or begins or ends with a space or a dot"
    if key.startswith("."):
        return "it begins with a dot"
    if len(key.encode("utf-8", "replace")) > LONGEST_KEY:
        return f"it is longer than {LONGEST_KEY} bytes"
    for character in key:
        if character in '<>:"/\\|?*' or not character.isprintable():
            return f"it holds {character!r}"
    return "Windows keeps that name for a device" if is_device(key) else None


def is_device(name: str) -> bool:
    """Whether Windows keeps a file's name for a device, such as ``con`` or ``nul.txt``."""
    return _DEVICES.fullmatch(name) is not None


def folded(text: str) -> str:
    """A text as a disk that is blind to case and to ways of writing an accent would compare it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", text).casefold())


def table(path: Path, content: bytes) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row of a CSV file, and in which line it ends; by columns in lower case with ``_``.

    Raises UsageError where it is no CSV file.
    """
    text = _decoded(path, content)
    delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        raise UsageError(f"{shown(path)}, line {reader.line_num}: {error}.") from None
    if not lines:
        raise UsageError(f"{shown(path)} is empty; its first line names the columns.")
    header = _columns(lines[0][1], [cells for _, cells in lines[1:]])
    if twice := {name for name in header if name and header.count(name) > 1}:
        raise UsageError(f"{shown(path)} has the column {min(twice)!r} twice.")
    for line, cells in lines[1:]:
        row = [unicodedata.normalize("NFC", cell).strip() for cell in cells]
        yield line, dict(zip(header, row, strict=False))


def _columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The columns as we call them; where none is a login's, a worksheet is told by structure."""
    columns = [_column(cell) for cell in header]
    if not set(columns) & set(_COLUMNS["learner"]):
        columns = [_column(name) for name in worksheet.names(columns, rows)]
    return columns


def _decoded(path: Path, content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        if encoding == "utf-16":
            raise UsageError(f"{shown(path)} is no complete UTF-16 text.") from None
        text = content.decode("cp1252", "replace")
    if "\0" in text:
        raise UsageError(f"{shown(path)} is no text: it holds a zero byte.")
    return text


def _delimiter(text: str) -> str:
    """The one of comma, semicolon and tab that the first line holds most, outside quotes."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", first)
    return max(",;\t", key=bare.count)


def _column(cell: str) -> str:
    return re.sub(r"\W+", "_", cell.strip().casefold()).strip("_")


def learner_of(row: Mapping[str, str]) -> Learner:
    """Whom a row means, as far as its columns say; the key may be empty."""
    name = _first(row, _COLUMNS["name"]) or " ".join(
        filter(None, [_first(row, _COLUMNS["first"]), _first(row, _COLUMNS["last"])])
    )
    email = _first(row, _COLUMNS["email"])
    key = _first(row, _COLUMNS["learner"]) or email.partition("@")[0]
    ids = {
        _IDS.get(column, column): worksheet.number_of(value) if column == "identifier" else value
        for column, value in row.items()
        if column and value and column not in _KNOWN
    }
    return Learner(key, name, email, _first(row, _COLUMNS["section"]), ids)


def _require_key(where: str, learner: Learner, columns: Iterable[str]) -> None:
    if not learner.key:
        there = ", ".join(column for column in columns if column)
        raise UsageError(
            f"{where}: nobody is named; a roster needs a column learner or email. There are:"
            f" {there}."
        )
    if fault := key_fault(learner.key):
        raise UsageError(f"{where}: {learner.key!r} cannot name a folder: {fault}.")


def _first(row: Mapping[str, str], columns: Iterable[str]) -> str:
    return next((row[column] for column in columns if row.get(column)), "")
