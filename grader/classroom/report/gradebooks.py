"""Gradebooks: a learning platform's own export with the marks filled in, and one of our own.

An export is filled cell by cell: of its bytes only the cells of marks change, so that identifiers,
header rows, unknown columns, quoting, delimiter, line ends, encoding and byte order mark are those
that the platform wrote. Rows are matched by ids, e-mail addresses and logins of the roster, never
by names. Canvas: https://community.canvaslms.com/t5/Instructor-Guide/ta-p/741 ("Points Possible" is
a row of its own). Moodle: https://docs.moodle.org/en/Grade_import and
https://docs.moodle.org/en/Assignment_settings#Offline_grading_worksheet ("Maximum Grade" is a
column).

A spreadsheet runs a cell that begins like a formula. A row of an export in which a learner could
have put one is left out, because the cell may not be changed and both platforms take files without
some rows; our own gradebook defuses it. https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import functools
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.classroom import worksheet
from grader.classroom.marks import Mark
from grader.classroom.roster import Learner, folded
from grader.cloud.words import clean, counted
from grader.course.files import UsageError, content_within, listed, shown
from grader.course.lab import Lab

PLATFORMS = CANVAS, MOODLE = "canvas", "moodle"
LARGEST = 20_000_000
# Columns that say who a row is about, by the kind of identity in them.
_IDENTITIES = {
    "id": "id",
    "sis user id": "id",
    "identifier": "id",
    "id number": "id",
    "student id": "id",
    "sis login id": "login",
    "username": "login",
    "login": "login",
    "email address": "email",
    "email": "email",
}
# Which ids of the roster a platform's column holds.
_ROSTER_IDS = {
    "id": ("canvas_id",),
    "sis user id": ("sis_id", "sis_user_id"),
    "identifier": ("moodle_id",),
    "id number": ("sis_id", "id_number", "idnumber"),
    "student id": ("sis_id", "student_id"),
}
# A mark that says that no points are wanted. https://community.canvaslms.com/t5/Instructor-Guide/ta-p/1036
_EXCUSED = ("ex", "excused")
_NUMBER = re.compile(r"[+-]?\d[\d.,\s]*%?")
# What may stand between cells in some reader's eyes, although not in the writer's.
_BETWEEN = re.compile(r"[,;\t\r\n|]")


@dataclass
class Filled:
    """A filled export: its bytes, how many marks were put in, and what there is to tell.

    ``participants`` are the numbers that Moodle gives learners in the assignment, by key.
    """

    content: bytes
    marks: int = 0
    told: list[str] = field(default_factory=list)
    participants: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """A cell of a CSV text: its value, and from where to where it stands there with its quotes."""

    value: str
    start: int
    end: int


# --- formulas -----------------------------------------------------------------------------------


def is_formula(value: str) -> bool:
    """Whether some spreadsheet may run the cell: it, or a part behind a delimiter, begins like one.

    Leading blanks and invisible characters count for nothing, full-width signs as their plain
    ones. A number with its sign and a lone dash are none.
    """
    return any(_runs(part) for part in [value, *_BETWEEN.split(value)])


def _runs(part: str) -> bool:
    if part[:1] in ("\t", "\r"):
        return True
    bare = unicodedata.normalize("NFKC", part).lstrip(
        "".join(letter for letter in set(part) if not letter.isprintable()) + " \u00a0\u3000"
    )
    text = bare.strip()
    return text[:1] in ("=", "+", "-", "@") and text != "-" and not _NUMBER.fullmatch(text)


def defused(value: str) -> str:
    """The same text as a cell that no spreadsheet runs: an apostrophe stands before what it would.

    Control characters are written out, and line breaks become blanks.
    """
    value = clean(value).replace("\n", " ")
    parts = re.split(r"([,;|])", value)
    return "".join(f"'{part}" if _runs(part) else part for part in parts)


# --- our own ------------------------------------------------------------------------------------

_COLUMNS = (
    "learner", "name", "email", "section", "lab", "points", "out_of", "state", "score",
    "late_hours", "late_penalty", "adjusted", "reason", "seed", "isolation", "course",
    "handed_in_at", "content",
)  # fmt: skip


def own(marks: Sequence[Mark], roster: Mapping[str, Learner]) -> bytes:
    """``gradebook.csv``: a row for each learner and lab, UTF-8 with a byte order mark."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for mark in marks:
        writer.writerow([defused(str(value)) for value in _row(mark, roster)])
    # Without the mark, Excel takes UTF-8 for the machine's old encoding.
    return text.getvalue().encode("utf-8-sig")


def _row(mark: Mark, roster: Mapping[str, Learner]) -> list[object]:
    learner = roster.get(mark.learner) or Learner(mark.learner)
    hours = mark.late_by.total_seconds() / 3600 if mark.late_by else None
    return [
        mark.learner, learner.name, learner.email, learner.section, mark.lab,
        "" if mark.points is None else number(mark.points), mark.out_of, mark.state,
        "" if mark.score is None else mark.score,
        "" if hours is None else f"{hours:.1f}", number(mark.penalty) if mark.penalty else "",
        number(mark.adjusted.points) if mark.adjusted else "",
        mark.adjusted.reason if mark.adjusted else "",
        *((mark.graded.seed, mark.graded.tier, mark.graded.course) if mark.graded else ("",) * 3),
        (mark.hand_in.handed_in_at or "unknown") if mark.hand_in else "",
        mark.hand_in.content if mark.hand_in else "",
    ]  # fmt: skip


def some(names: Sequence[str], most: int = 12) -> str:
    """Names in a sentence, the first ones only where they are many."""
    left = len(names) - most
    return listed(names) if left < 2 else listed([*names[:most], f"{left} more"])


def number(value: float) -> str:
    """Points with at most two decimals and no needless zero."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


# --- a platform's -------------------------------------------------------------------------------


def fill(
    path: Path,
    marks: Sequence[Mark],
    roster: Mapping[str, Learner],
    labs: Sequence[Lab],
    columns: Mapping[int, str],
) -> Filled:
    """The export at ``path`` with the marks of ``labs`` filled in.

    ``columns`` names the column of a lab where its header does not say which it is. UsageError
    for a file that is no gradebook, or in which no column is any lab's, or several are one's. Labs
    that nobody has a mark for yet need no column, and one without a column is told.
    """
    return _Export(path).filled(marks, roster, labs, columns)


def platform(path: Path) -> str:
    """``canvas`` or ``moodle``: whose export this is. UsageError when it is neither's."""
    names = set(_Export(path).names)
    if {"student", "id"} <= names:
        return CANVAS
    if {worksheet.EMAIL, worksheet.IDENTIFIER} & names:
        return MOODLE
    raise UsageError(
        f"{shown(path)} is no gradebook: Canvas's has columns Student and ID, Moodle's has Email"
        " address or Identifier, or its worksheet begins, in any language, with a column of"
        " participants and their numbers."
    )


class _Export:
    """A platform's file as text, and its cells with their places."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text, self.encoding = _decoded(path, content_within(path, LARGEST))
        first = self.text.lstrip("\ufeff").split("\n", 1)[0]
        self.delimiter = max(",;\t", key=re.sub(r'"[^"]*"', "", first).count)
        self.rows = [row for row in _rows(self.text, self.delimiter) if any(c.value for c in row)]
        if not self.rows:
            raise UsageError(f"{shown(path)} is empty; its first line names the columns.")
        self.header = self.rows[0]
        self.names = worksheet.names(
            [_plain(cell.value) for cell in self.header],
            [[cell.value for cell in row] for row in self.rows[1:]],
        )

    @functools.cached_property
    def with_commas(self) -> set[int]:
        """The columns in which numbers have a decimal comma."""
        return {
            place
            for row in self.rows[1:]
            for place, cell in enumerate(row)
            if self.delimiter != "," and re.fullmatch(r"\d+,\d+", cell.value.strip())
        }

    def filled(
        self,
        marks: Sequence[Mark],
        roster: Mapping[str, Learner],
        labs: Sequence[Lab],
        columns: Mapping[int, str],
    ) -> Filled:
        marked = {mark.lab for mark in marks if mark.points is not None} | set(columns)
        wanted = [lab for lab in labs if lab.number in marked] or labs
        found = {lab.number: self._column(lab, columns.get(lab.number), wanted) for lab in wanted}
        places = {number: place for number, place in found.items() if place is not None}
        if not places:
            raise self._no_column(wanted[0])
        people = list(dict.fromkeys(mark.learner for mark in marks))
        rows, told = self._matched(people, roster)
        told += [
            f"lab {lab}: filled is the column {clean(self.header[place].value)!r}."
            for lab, place in places.items()
        ]
        if not {_plain(cell.value) for cell in self.header} >= set(self.names):
            told.append(self._by_structure())
        told += [
            f"lab {lab}: it has no column here." for lab, place in found.items() if place is None
        ]
        changes, unchanged = self._changes(marks, rows, places)
        told += self._scales([lab for lab in wanted if lab.number in places], places, marks)
        told += unchanged
        left_out = [row for row in self._people() if self._formula(row)]
        for row in left_out:
            name = clean(self._formula(row)).replace("\n", " ")
            told.append(
                f"A row is left out because a spreadsheet could run {name!r} in it: enter that"
                " learner's mark by hand."
            )
        gone = {cell for row in left_out for cell in row}
        changes = [change for change in changes if change[0] not in gone]
        text = self._with(changes, left_out)
        place = self._special(worksheet.IDENTIFIER)
        numbers = {
            key: worksheet.number_of(row[place].value)
            for key, row in rows.items()
            if place is not None and place < len(row)
        }
        return Filled(text.encode(self.encoding), len(changes), told, numbers)

    def _changes(
        self,
        marks: Sequence[Mark],
        rows: Mapping[str, Sequence[Cell]],
        places: Mapping[int, int],
    ) -> tuple[list[tuple[Cell, str]], list[str]]:
        """The cells that get a mark and what it is, and why others get none."""
        changes: list[tuple[Cell, str]] = []
        told = []
        for mark in marks:
            row, place = rows.get(mark.learner), places.get(mark.lab)
            if row is None or place is None:
                continue
            who = f"{mark.learner}, lab {mark.lab}"
            if mark.points is None:
                told.append(f"{who}: {WHY_NOT[mark.state]}; the cell stays as it is.")
            elif place >= len(row):
                told.append(f"{who}: the row is too short for a mark.")
            elif row[place].value.strip().casefold() in _EXCUSED:
                told.append(f"{who}: is excused there and stays so.")
            elif not self._may_change(row):
                told.append(
                    f"{who}: the platform says that this grade cannot be changed; it stays as it is"
                    f" (the mark is {number(mark.points)})."
                )
            else:
                changes.append((row[place], self._written(mark, row, place)))
        return changes, told

    def _may_change(self, row: Sequence[Cell]) -> bool:
        place = self._special(worksheet.CHANGEABLE)
        return place is None or place >= len(row) or worksheet.may_change(row[place].value)

    # -- columns ---------------------------------------------------------------------------------

    def _column(self, lab: Lab, named: str | None, labs: Sequence[Lab]) -> int | None:
        """Which column is a lab's: the one that is ``named``, else the only one that names it.

        None where none is; UsageError where several could be, or where none has the name.
        """
        headers = [cell.value for cell in self.header]
        if named is not None:
            found = [n for n, header in enumerate(headers) if _plain(header) == _plain(named)]
        else:
            found = [n for n, header in enumerate(headers) if _names(header, lab)]
            grade = [n for n, name in enumerate(self.names) if name == worksheet.GRADE]
            # Moodle's worksheet is about one assignment and does not say which.
            found = grade if not found and len(labs) == 1 else found
        if len(found) > 1 or (named is not None and not found):
            raise self._no_column(lab, named, len(found))
        return found[0] if found else None

    def _by_structure(self) -> str:
        """Which columns were told by what stands in them, because their headers are no English."""
        pairs = zip(self.header, self.names, strict=True)
        taken = [
            f"{clean(cell.value)!r} as {name}" for cell, name in pairs if _plain(cell.value) != name
        ]
        known = worksheet.CHANGEABLE in self.names
        locks = "" if known else " No column says which grades can be changed."
        return f"By what stands in them are taken {listed(taken)}.{locks}"

    def _no_column(self, lab: Lab, named: str | None = None, found: int = 0) -> UsageError:
        what = named or f"lab {lab.number} ({lab.slug})"
        many = f"{found} columns of" if found else "No column of"
        headers = [clean(cell.value) for cell in self.header]
        return UsageError(
            f"{many} {shown(self.path)} could be {what}: say which with --column"
            f' "{lab.number}=HEADER". There are {listed(headers)}.'
        )

    def _special(self, name: str) -> int | None:
        return next((n for n, known in enumerate(self.names) if known == name), None)

    def _most(self, row: Sequence[Cell], place: int) -> float | None:
        """How many points the platform gives at most for a cell; None where it does not say."""
        if (column := self._special(worksheet.MOST)) is not None and column < len(row):
            return _value(row[column].value)
        possible = next((one for one in self.rows[1:4] if _is_possible(one)), None)
        return _value(possible[place].value) if possible and place < len(possible) else None

    def _written(self, mark: Mark, row: Sequence[Cell], place: int) -> str:
        points, most = mark.points or 0.0, self._most(row, place)
        if most and mark.out_of and most != mark.out_of:
            points = points * most / mark.out_of
        text = number(points)
        return text.replace(".", ",") if place in self.with_commas else text

    def _scales(
        self,
        labs: Sequence[Lab],
        places: Mapping[int, int],
        marks: Sequence[Mark],
    ) -> Iterator[str]:
        for lab in labs:
            of = next((m.out_of for m in marks if m.lab == lab.number and m.out_of), 0)
            row = next(iter(self._people()), [])
            most = self._most(row, places[lab.number]) if row else None
            if of and most and most != of:
                yield (
                    f"Lab {lab.number} is out of {number(most)} there and out of {of} here: the"
                    " marks are scaled."
                )

    # -- rows ------------------------------------------------------------------------------------

    def _people(self) -> list[list[Cell]]:
        """The rows that are about somebody: Canvas has rows about columns first."""
        identities = [n for n, name in enumerate(self.names) if name in _IDENTITIES]
        if not identities:
            raise UsageError(
                f"{shown(self.path)} has no column that says who a row is about: an id, a login or"
                " an e-mail address."
            )
        return [
            row
            for row in self.rows[1:]
            if not _is_possible(row) and any(n < len(row) and row[n].value for n in identities)
        ]

    def _matched(
        self, people: Sequence[str], roster: Mapping[str, Learner]
    ) -> tuple[dict[str, list[Cell]], list[str]]:
        """The row of each learner that is surely theirs, and what to tell about the others."""
        known = _Identities([roster.get(key) or Learner(key) for key in people])
        claims: dict[str, list[list[Cell]]] = {}
        told, strangers = [], 0
        for row in self._people():
            found = known.of(self._identity(row))
            if len(found) == 1:
                claims.setdefault(found.pop(), []).append(row)
            elif found:
                told.append(
                    f"A row could mean {listed(sorted(found))}: it stays as it is. Mend the ids in"
                    " the roster."
                )
            else:
                strangers += 1
        for learner, rows in claims.items():
            if len(rows) > 1:
                told.append(f"{learner}: {len(rows)} rows could be theirs; all stay as they are.")
        rows_of = {learner: rows[0] for learner, rows in claims.items() if len(rows) == 1}
        absent = [key for key in people if key not in claims]
        if absent:
            told.append(f"Not in {self.path.name}: {some(absent)}.")
        if strangers:
            told.append(f"Nobody's here: {counted(strangers, 'row')} of {self.path.name}.")
        return rows_of, told

    def _identity(self, row: Sequence[Cell]) -> Iterator[tuple[str, str]]:
        for cell, name in zip(row, self.names, strict=False):
            if name in _IDENTITIES and cell.value.strip():
                yield name, cell.value.strip()

    def _formula(self, row: Sequence[Cell]) -> str:
        return next((cell.value for cell in row if is_formula(cell.value)), "")

    def _with(self, changes: Sequence[tuple[Cell, str]], left_out: Sequence[list[Cell]]) -> str:
        """The text with other cells and without some rows."""
        edits = []
        for cell, text in changes:
            quoted = self.text[cell.start : cell.end].startswith('"')
            edits.append((cell.start, cell.end, f'"{text}"' if quoted else text))
        gone = []
        for row in left_out:
            rest = re.match(r"\r\n|\n|\r|", self.text[row[-1].end : row[-1].end + 2])
            gone.append((row[0].start, row[-1].end + (rest.end() if rest else 0), ""))
        parts, at = [], 0
        for start, end, new in sorted([*edits, *gone]):
            parts += [self.text[at:start], new]
            at = end
        return "".join([*parts, self.text[at:]])


class _Identities:
    """Whom an id, a login or an e-mail address means."""

    def __init__(self, people: Sequence[Learner]) -> None:
        self.keys: dict[tuple[str, str], set[str]] = {}
        for one in people:
            self._add("login", one.key, one.key)
            self._add("email", one.email, one.key)
            for name, value in one.ids.items():
                self._add(name, value, one.key)

    def _add(self, kind: str, value: str, key: str) -> None:
        if value:
            self.keys.setdefault((kind, folded(value.strip())), set()).add(key)

    def of(self, identity: Iterator[tuple[str, str]]) -> set[str]:
        """Everybody whom one of these identities means."""
        found: set[str] = set()
        for column, value in identity:
            kind = _IDENTITIES[column]
            if kind == "id":
                value = worksheet.number_of(value) if column == worksheet.IDENTIFIER else value
                for name in _ROSTER_IDS[column]:
                    found |= self.keys.get((name, folded(value)), set())
                continue
            # Schools use addresses as logins, and logins as the first part of addresses.
            for name in ("login", "email"):
                found |= self.keys.get((name, folded(value)), set())
        return found


WHY_NOT: Mapping[str, str] = {
    "missing": "nothing was handed in",
    "refused": "the hand-in was refused",
    "fault": "the grader failed, and that costs no points",
    "ungraded": "not graded yet",
    "graded": "there are no points",
}


def _decoded(path: Path, content: bytes) -> tuple[str, str]:
    """The text and the encoding that gives exactly these bytes again."""
    wide = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(content[:2])
    for encoding in (wide,) if wide else ("utf-8", "cp1252", "latin-1"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text and text.encode(encoding) == content:
            return text, encoding
    raise UsageError(f"{shown(path)} is no CSV text.")


def _rows(text: str, delimiter: str) -> Iterator[list[Cell]]:
    """The cells of a CSV text. A quote inside quotes is doubled; outside it is a letter."""
    cell = re.compile(rf'"(?P<quoted>(?:[^"]|"")*)"[^{delimiter}\r\n]*|[^{delimiter}\r\n]*')
    at = 1 if text.startswith("\ufeff") else 0
    row: list[Cell] = []
    while at <= len(text):
        found = cell.match(text, at)
        assert found is not None  # it matches nothing, too
        quoted = found["quoted"]
        value = found[0] if quoted is None else quoted.replace('""', '"')
        row.append(Cell(value, found.start(), found.end()))
        at = found.end()
        if text[at : at + 1] == delimiter:
            at += 1
            continue
        yield row
        row = []
        at += 2 if text[at : at + 2] == "\r\n" else 1
        if at >= len(text):
            return


def _plain(header: str) -> str:
    return " ".join(header.replace("\ufeff", "").split()).casefold()


def _names(header: str, lab: Lab) -> bool:
    """Whether a header names the lab: it begins with ``lab 2``, or is its slug or its title.

    Moodle puts ``Assignment:`` before a name and ``(Real)`` behind it, Canvas its id in brackets.
    A word of the title within another name is no name: that column may be a quiz.
    """
    bare = re.sub(r"^\s*assignment:|\([^()]*\)\s*$", "", header.strip(), flags=re.IGNORECASE)
    plain = re.sub(r"[\W_]+", " ", bare.casefold()).strip()
    whole = (lab.slug, lab.name, lab.title)
    return bool(re.match(rf"lab ?0*{lab.number}(?!\w)", plain)) or plain in {
        re.sub(r"[\W_]+", " ", one.casefold()).strip() for one in whole
    }


def _is_possible(row: Sequence[Cell]) -> bool:
    """Whether a row is Canvas's about the columns, which stands before everybody's."""
    return row[0].value.strip().casefold() in ("points possible", "manual posting", "muted")


def _value(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None
