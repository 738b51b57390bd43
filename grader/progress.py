"""What a learner has reached, kept in ``<workspace>/.labs``.

One readable JSON file holds scores, outcomes and hints; the best-scoring files lie beside it. A
file is replaced only by renaming a finished one over it, and the best files are written before the
progress names them, so a kill at any moment leaves the state of before or of after. What cannot be
understood is moved aside and never overwritten.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from grader.grade import Grade
from grader.lab import Lab, UsageError, digests, files_in, write_files, write_whole

SCHEMA = "labs/progress/v1"
FILE = "progress.json"


@dataclass
class Entry:
    """What is known about one lab.

    ``outcomes`` maps each criterion of the last complete run to its outcome. ``hints`` maps a
    task's number to how many of its hints were shown. ``best_files`` names the folder, below
    ``.labs/best``, of the files that reached ``best``. ``solution`` is "" until the solution was
    opened, then "earned" or "given up".
    """

    runs: int = 0
    best: int | None = None
    best_of: int = 100
    passed: bool = False
    last: int | None = None
    outcomes: dict[str, str] = field(default_factory=dict)
    hints: dict[str, int] = field(default_factory=dict)
    best_files: str = ""
    solution: str = ""


@dataclass
class Progress:
    """The content of the progress file: entries by the lab's slug."""

    labs: dict[str, Entry] = field(default_factory=dict)

    def of(self, lab: Lab) -> Entry:
        """The entry of a lab; a new one when nothing is known."""
        return self.labs.setdefault(lab.slug, Entry())


class Store:
    """The progress of one workspace. ``folder`` is its ``.labs``; it is made when it is needed.

    ``warnings`` collects sentences for the learner.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / FILE
        self.warnings: list[str] = []

    def load(self) -> Progress:
        """Read the progress; an empty one when there is none. UsageError when it is not ours."""
        try:
            text = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Progress()
        except (OSError, UnicodeDecodeError) as error:
            raise Damaged(f"{self.file} cannot be read: {error}") from error
        return parse(text, self.file)

    @contextmanager
    def edit(self) -> Iterator[Progress]:
        """Change the progress: read, let the block change it, write. One process at a time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / "lock"):
            try:
                progress = self.load()
            except Damaged:
                aside = self.set_aside()
                self.warnings.append(
                    f"{self.file} could not be understood. It is kept as {aside.name}, and a new"
                    f" one was begun."
                )
                progress = Progress()
            yield progress
            write_whole(self.file, render(progress).encode())

    def set_aside(self) -> Path:
        """Keep a progress file that cannot be understood under another name."""
        number = 1
        while (aside := self.folder / f"progress.damaged-{number}.json").exists():
            number += 1
        self.file.replace(aside)
        return aside

    def record(self, lab: Lab, grade: Grade, files: Mapping[str, bytes]) -> tuple[Entry, Entry]:
        """Record a complete run of ``files``. Returns the entry as it was and as it is now.

        The best files are replaced when the score is at least as good, so that the newest of the
        equally good ones is kept. A grade in which the grader failed is not recorded.
        """
        with self.edit() as progress:
            entry = progress.of(lab)
            before = Entry(**vars(entry))
            if grade.broken:
                return before, entry
            outdated = ""
            if entry.best is None or grade.score >= entry.best:
                outdated, entry.best_files = entry.best_files, self._keep(lab, files)
                entry.best, entry.best_of = grade.score, grade.max_score
            entry.passed = entry.passed or grade.passed
            entry.last = grade.score
            entry.runs += 1
            entry.outcomes = {v.criterion.id: v.outcome for v in grade.verdicts}
            after = entry
        if outdated and outdated != after.best_files:
            shutil.rmtree(self.folder / "best" / outdated, ignore_errors=True)
        return before, after

    def best_files(self, entry: Entry) -> dict[str, bytes]:
        """The files that reached the best score, by relative path; empty when none are kept."""
        folder = self.folder / "best" / entry.best_files
        if not entry.best_files or not folder.is_dir():
            return {}
        return {name: (folder / name).read_bytes() for name in files_in(folder)}

    def _keep(self, lab: Lab, files: Mapping[str, bytes]) -> str:
        """Write the files into a folder named by their content; returns its name."""
        name = f"{lab.name}-{_fingerprint(files)}"
        write_files(self.folder / "best" / name, files)
        return name


class Damaged(UsageError):
    """The progress file is there but is not what ``labs`` writes."""


def parse(text: str, file: Path) -> Progress:
    """Progress from its JSON text. Damaged when it is none; UsageError when it is newer."""
    try:
        document = json.loads(text)
        schema = document["schema"]
        if isinstance(schema, str) and schema.startswith("labs/progress/") and schema != SCHEMA:
            raise UsageError(f"{file} was written by another version of labs ({schema}).")
        if schema != SCHEMA:
            raise ValueError(f"schema {schema!r}")
        return Progress({str(slug): _entry(value) for slug, value in document["labs"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(
            f"{file} is damaged ({error}). Grading keeps it under another name."
        ) from error


def render(progress: Progress) -> str:
    """Progress as readable JSON text with a stable order."""
    labs: dict[str, Any] = {slug: vars(entry) for slug, entry in sorted(progress.labs.items())}
    return json.dumps({"schema": SCHEMA, "labs": labs}, indent=2, sort_keys=True) + "\n"


def _entry(value: dict[str, Any]) -> Entry:
    """An entry from JSON; every field has to have the type that a new one has."""
    numbers = {name: value[name] for name in ("runs", "best_of")}
    scores = {name: value[name] for name in ("best", "last")}
    texts = {name: value[name] for name in ("best_files", "solution")}
    outcomes, hints = value["outcomes"], value["hints"]
    sound = (
        all(type(number) is int for number in [*numbers.values(), *hints.values()])
        and all(score is None or type(score) is int for score in scores.values())
        and all(isinstance(text, str) for text in [*texts.values(), *outcomes.values()])
        and isinstance(value["passed"], bool)
        # The name of a folder of ours, never a way out of it.
        and not set(texts["best_files"]) & set("/\\:")
        and not texts["best_files"].startswith(".")
    )
    if not sound:
        raise ValueError("a value of an unexpected type")
    return Entry(
        **numbers, **scores, **texts, passed=value["passed"], outcomes=outcomes, hints=hints
    )


def _fingerprint(files: Mapping[str, bytes]) -> str:
    listing = "\n".join(f"{name} {digest}" for name, digest in digests(files).items())
    return digests({"": listing.encode()})[""][:12]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on ``path``. The operating system drops it when the process dies."""
    with path.open("a+b") as file:
        _lock(file)
        try:
            yield
        finally:
            _unlock(file)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
