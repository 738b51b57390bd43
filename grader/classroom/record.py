"""The record of a class: one SQLite file with its hand-ins, grades, published marks, adjustments.

Everything goes in and comes out as the frozen classes below; nobody else writes SQL. The file is
a contract of its own (docs/instructor/record.md): write-ahead logging, ``PRAGMA user_version`` is
the version of the tables, and an older file is migrated when it is opened. Each change is one
transaction that is on the disk when the call returns, so a kill loses nothing that was told. Times
are ISO 8601 in UTC, documents are the JSON of ``labs/grade/v1``. Every call may raise UsageError,
with the sentence for what the disk or the file refuses.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from grader.course.files import UsageError, shown

# What makes a grade one of its kind: learner, lab, content, seed, course.
Key = tuple[str, int, str, int, str]

# Real seconds that a call waits for another process that writes.
PATIENCE_S = 30.0

# One step for each version of the tables, from nothing onwards: a published step never changes.
STEPS = (
    """
    CREATE TABLE hand_ins (
        learner TEXT NOT NULL, lab INTEGER NOT NULL, attempt INTEGER NOT NULL,
        content TEXT NOT NULL, handed_in_at TEXT, time_source TEXT NOT NULL, source TEXT NOT NULL,
        odd TEXT NOT NULL, counts INTEGER NOT NULL, taken_at TEXT NOT NULL,
        PRIMARY KEY (learner, lab, attempt)) STRICT;
    CREATE TABLE refusals (
        learner TEXT, lab INTEGER, source TEXT NOT NULL, sentence TEXT NOT NULL,
        at TEXT NOT NULL) STRICT;
    CREATE TABLE grades (
        learner TEXT NOT NULL, lab INTEGER NOT NULL, content TEXT NOT NULL, seed INTEGER NOT NULL,
        course TEXT NOT NULL, status TEXT NOT NULL CHECK (status IN ('graded', 'fault')),
        document TEXT, fault TEXT, tier TEXT NOT NULL, worker TEXT NOT NULL,
        began_at TEXT NOT NULL, seconds REAL NOT NULL, tries INTEGER NOT NULL,
        CHECK (status = 'fault' OR document IS NOT NULL),
        CHECK ((status = 'fault') = (fault IS NOT NULL)),
        PRIMARY KEY (learner, lab, content, seed, course)) STRICT;
    CREATE TABLE published (
        learner TEXT NOT NULL, lab INTEGER NOT NULL, content TEXT NOT NULL, seed INTEGER NOT NULL,
        course TEXT NOT NULL, at TEXT NOT NULL,
        PRIMARY KEY (learner, lab, content)) STRICT;
    CREATE TABLE adjustments (
        id INTEGER PRIMARY KEY AUTOINCREMENT, learner TEXT NOT NULL, lab INTEGER NOT NULL,
        points REAL NOT NULL, reason TEXT NOT NULL, at TEXT NOT NULL, undone_at TEXT) STRICT;
    """,
)
# Every table that knows a learner.
TABLES = ("hand_ins", "refusals", "grades", "published", "adjustments")


@dataclass(frozen=True, slots=True)
class HandIn:
    """One attempt at one lab. ``attempt`` counts from 1; of a learner's attempts one ``counts``.

    ``content`` is `grader.course.files.content_hash`. ``handed_in_at`` is None where nobody knows;
    ``time_source`` says who does. ``odd`` are sentences about what was remarkable in taking it.
    """

    learner: str
    lab: int
    attempt: int
    content: str
    handed_in_at: str | None = None
    time_source: str = ""
    source: str = ""
    odd: tuple[str, ...] = ()
    counts: bool = True
    taken_at: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What could not be taken or graded, in a sentence; learner and lab where they are known.

    ``source`` is the file that it came from, or the folder of the hand-in.
    """

    learner: str | None
    lab: int | None
    source: str
    sentence: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Graded:
    """The grade of files (``content``) for a seed under a version of the course.

    ``document`` is the ``labs/grade/v1`` document. Where ``status`` is ``fault``, ``fault`` says
    what happened in the grader, and a document, if there is one, is no mark: it has criteria that
    nobody decided. ``tier`` is the isolation that the worker proved, ``worker`` its name,
    ``seconds`` real time, ``tries`` how many workers tried.
    """

    learner: str
    lab: int
    content: str
    seed: int
    course: str
    status: Literal["graded", "fault"]
    document: dict[str, Any] | None
    fault: str | None = None
    tier: str = ""
    worker: str = ""
    began_at: str = ""
    seconds: float = 0.0
    tries: int = 1

    @property
    def key(self) -> Key:
        """What makes it one of its kind: learner, lab, content, seed, course."""
        return self.learner, self.lab, self.content, self.seed, self.course


@dataclass(frozen=True, slots=True)
class Published:
    """Which of the grades of a hand-in's content is the learner's mark; `publish` changes it."""

    learner: str
    lab: int
    content: str
    seed: int
    course: str
    at: str = ""

    @property
    def key(self) -> Key:
        """The key of the grade that is meant."""
        return self.learner, self.lab, self.content, self.seed, self.course


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Points that an instructor gave by hand (in place of the grade's), with the reason."""

    id: int
    learner: str
    lab: int
    points: float
    reason: str
    at: str
    undone_at: str | None = None


def now() -> str:
    """This moment as the record writes it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Record:
    """An open record. Use it as a context manager, or ``close`` it.

    Several processes may have it open; SQLite lets one write at a time and the others wait.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path``, made (readable by its owner only) when it is not there."""
        self.path = path
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            # SQLite gives its log files the rights of the database, so they are set beforehand.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._sql = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._sql.close()
                raise

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it; the last one to do so folds the log into the file."""
        self._sql.close()

    def _prepare(self) -> None:
        self._sql.execute("PRAGMA journal_mode = WAL")
        # On the disk, not only with the system, when a call returns.
        self._sql.execute("PRAGMA synchronous = FULL")
        self._sql.execute("PRAGMA secure_delete = ON")
        if self._version() == len(STEPS):
            return
        with self._changing():
            # Another process may have been faster.
            for number in range(self._version(), len(STEPS)):
                for statement in filter(str.strip, STEPS[number].split(";")):
                    self._sql.execute(statement)
            self._sql.execute(f"PRAGMA user_version = {len(STEPS)}")

    def _version(self) -> int:
        version = int(self._sql.execute("PRAGMA user_version").fetchone()[0])
        if version > len(STEPS):
            raise UsageError(
                f"{shown(self.path)} was written by a newer version of labs (tables of version"
                f" {version}; this one knows {len(STEPS)}): update labs here."
            )
        return version

    # -- hand-ins --------------------------------------------------------------------------------

    def add_hand_in(self, hand_in: HandIn) -> None:
        """Keep an attempt, in place of what was known of it; where it counts, the others do not."""
        hand_in = replace(hand_in, taken_at=hand_in.taken_at or now())
        with self._told(), self._changing():
            if hand_in.counts:
                self._sql.execute(
                    "UPDATE hand_ins SET counts = 0 WHERE learner = ? AND lab = ?",
                    (hand_in.learner, hand_in.lab),
                )
            self._insert("hand_ins", hand_in, replacing=True)

    def hand_ins(self, learner: str | None = None, lab: int | None = None) -> list[HandIn]:
        """Attempts by learner, lab and attempt; every learner's and lab's unless one is named."""
        return [
            replace(hand_in, odd=tuple(json.loads(row[7])), counts=bool(row[8]))
            for row in self._rows("hand_ins", HandIn, learner, lab, "learner, lab, attempt")
            for hand_in in (HandIn(*row),)
        ]

    def add_refusal(self, refusal: Refusal) -> None:
        """Keep what was refused, in place of an earlier sentence on the same thing."""
        refusal = replace(refusal, at=refusal.at or now())
        with self._told(), self._changing():
            self._drop_refusals(refusal.learner, refusal.lab, refusal.source)
            self._insert("refusals", refusal)

    def settle_refusals(self, learner: str | None, lab: int | None, source: str) -> None:
        """Forget what was refused of it: this time it was fine."""
        with self._told(), self._changing():
            self._drop_refusals(learner, lab, source)

    def refusals(self, learner: str | None = None, lab: int | None = None) -> list[Refusal]:
        """What was refused, in the order of time."""
        return [Refusal(*row) for row in self._rows("refusals", Refusal, learner, lab, "at, rowid")]

    def _drop_refusals(self, learner: str | None, lab: int | None, source: str) -> None:
        self._sql.execute(
            "DELETE FROM refusals WHERE learner IS ? AND lab IS ? AND source = ?",
            (learner, lab, source),
        )

    # -- grades ----------------------------------------------------------------------------------

    def add_grade(self, grade: Graded, *, publish: bool = False) -> bool:
        """Keep a grade unless its key has one already; whether it was kept.

        A grade takes the place of a ``fault`` with the same key, never of another grade. With
        ``publish`` it becomes the learner's mark in the same transaction where it is a mark and
        the same content has none yet.
        """
        with self._told(), self._changing():
            self._sql.execute(
                "DELETE FROM grades WHERE learner = ? AND lab = ? AND content = ? AND seed = ?"
                " AND course = ? AND status = 'fault'",
                grade.key,
            )
            kept = self._insert("grades", grade) == 1
            if publish and grade.status == "graded":
                self._insert("published", Published(*grade.key, at=now()))
        return kept

    def grades(self, learner: str | None = None, lab: int | None = None) -> list[Graded]:
        """Every grade, by learner, lab and time."""
        return [
            replace(grade, document=json.loads(row[6]) if row[6] else None)
            for row in self._rows("grades", Graded, learner, lab, "learner, lab, began_at, rowid")
            for grade in (Graded(*row),)
        ]

    def keys(self) -> dict[Key, str]:
        """The key of each grade and its status, without reading the documents."""
        with self._told():
            rows = self._sql.execute(
                "SELECT learner, lab, content, seed, course, status FROM grades"
            ).fetchall()
        return {row[:5]: row[5] for row in rows}

    def publish(self, keys: Iterable[Key]) -> int:
        """Make the grades of these keys the marks of their contents; how many marks that changed.

        A ``fault``, and a key without a grade, is no mark and is passed over.
        """
        with self._told(), self._changing():
            before = self._sql.total_changes
            self._sql.executemany(
                "INSERT INTO published (learner, lab, content, seed, course, at)"
                " SELECT learner, lab, content, seed, course, ?6 FROM grades WHERE learner = ?1"
                " AND lab = ?2 AND content = ?3 AND seed = ?4 AND course = ?5"
                " AND status = 'graded'"
                " ON CONFLICT DO UPDATE SET seed = excluded.seed, course = excluded.course,"
                " at = excluded.at"
                " WHERE seed != excluded.seed OR course != excluded.course",
                [(*key, now()) for key in keys],
            )
            return self._sql.total_changes - before

    def published(self, learner: str | None = None, lab: int | None = None) -> list[Published]:
        """Which grade of each content is the mark, by learner, lab and time."""
        return [
            Published(*row)
            for row in self._rows("published", Published, learner, lab, "learner, lab, at, rowid")
        ]

    # -- adjustments -----------------------------------------------------------------------------

    def adjust(self, learner: str, lab: int, points: float, reason: str) -> Adjustment:
        """Give points by hand. The newest that is not undone holds, whatever is graded later."""
        made = (learner, lab, float(points), reason, now())
        with self._told(), self._changing():
            number = self._sql.execute(
                "INSERT INTO adjustments (learner, lab, points, reason, at) VALUES (?, ?, ?, ?, ?)",
                made,
            ).lastrowid
        assert number is not None
        return Adjustment(number, *made)

    def undo(self, id: int) -> Adjustment:
        """Take an adjustment back; it stays in the list. UsageError when there is none to undo."""
        with self._told(), self._changing():
            self._sql.execute(
                "UPDATE adjustments SET undone_at = ? WHERE id = ? AND undone_at IS NULL",
                (now(), id),
            )
            if not self._sql.execute("SELECT changes()").fetchone()[0]:
                raise UsageError(f"There is no adjustment {id} that could be undone.")
        return next(one for one in self.adjustments() if one.id == id)

    def adjustments(self, learner: str | None = None, lab: int | None = None) -> list[Adjustment]:
        """Every adjustment, also those undone, in the order they were made."""
        return [
            Adjustment(*row) for row in self._rows("adjustments", Adjustment, learner, lab, "id")
        ]

    # -- forgetting ------------------------------------------------------------------------------

    def forget(self, learner: str) -> int:
        """Delete every row of a learner for good; how many they were.

        What they held is overwritten in the file, and the log is emptied. UsageError when another
        process has the record open and keeps the log: nothing can be promised then.
        """
        with self._told():
            with self._changing():
                gone = sum(
                    self._sql.execute(f"DELETE FROM {table} WHERE learner = ?", (learner,)).rowcount
                    for table in TABLES
                )
            self._sql.execute("VACUUM")
            busy = self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise UsageError(
                f"The rows of {learner} are deleted, but another program has {shown(self.path)}"
                " open, so its log still holds them: end it, and forget them again."
            )
        return gone

    # -- SQL -------------------------------------------------------------------------------------

    def _insert(self, table: str, row: Any, *, replacing: bool = False) -> int:
        """Add a row; the number of rows that came, 0 where its key is taken and stays."""
        names = [field.name for field in fields(row)]
        values = [getattr(row, name) for name in names]
        values = [json.dumps(one) if isinstance(one, tuple | dict) else one for one in values]
        done = self._sql.execute(
            f"INSERT {'OR REPLACE ' if replacing else ''}INTO {table} ({', '.join(names)})"
            f" VALUES ({', '.join('?' * len(names))})"
            f"{'' if replacing else ' ON CONFLICT DO NOTHING'}",
            values,
        )
        return done.rowcount

    def _rows(
        self, table: str, kind: Any, learner: str | None, lab: int | None, order: str
    ) -> list[tuple[Any, ...]]:
        names = ", ".join(field.name for field in fields(kind))
        with self._told():
            return self._sql.execute(
                f"SELECT {names} FROM {table} WHERE (?1 IS NULL OR learner = ?1)"
                f" AND (?2 IS NULL OR lab = ?2) ORDER BY {order}",
                (learner, lab),
            ).fetchall()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction: all of it, or nothing."""
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._sql.execute("COMMIT")
        except BaseException:
            # A full disk may have ended the transaction by itself.
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite and the disk refuse into one sentence."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise  # a fault of ours: no file or disk makes it
        except sqlite3.OperationalError as error:
            raise UsageError(
                f"{shown(self.path)} cannot be used: {error}. What was recorded is not lost."
            ) from None
        except sqlite3.DatabaseError as error:
            raise UsageError(f"{shown(self.path)} is no record of a class: {error}.") from None
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise UsageError(f"{shown(self.path)} cannot be opened: {why}.") from None
