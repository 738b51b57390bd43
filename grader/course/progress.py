"""What a learner has reached, kept in ``<workspace>/.labs``.

One readable JSON file holds scores, outcomes and hints; the best-scoring files lie beside it. A
file is replaced only by renaming a finished one over it, and the best files are written before the
progress names them, so a kill at any moment leaves the state of before or of after. The state
before the last change is kept as well. What cannot be understood is kept under another name, and
the progress goes on from what is left, lab by lab. A file of a newer version is not touched.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from grader.course.files import UsageError, digests, files_in, is_part, write_files, write_whole
from grader.course.grade import Grade
from grader.course.lab import Lab

SCHEMA = "labs/progress/v1"
FILE = "progress.json"
PREVIOUS = "progress.previous.json"
LOCK = "lock"


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
        self.previous = folder / PREVIOUS
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
        with locked(self.folder / LOCK):
            recovered = False
            try:
                progress = self.load()
            except Damaged:
                progress, sentence = self._recover()
                recovered = True
                self.warnings.append(sentence)
            before = render(progress)
            yield progress
            after = render(progress)
            if after == before and self.file.exists() and not recovered:
                return
            # Only a state that could be read becomes the previous one.
            write_whole(self.previous, before.encode())
            write_whole(self.file, after.encode())

    def repair(self) -> list[str]:
        """Mend what can be mended and say in sentences what was done; empty when all is well.

        A damaged progress file is kept under another name and what it still says is taken over; a
        lost one is brought back from the state before the last change. Nothing of a learner's is
        deleted. UsageError when the progress was written by another version: it stays as it is.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        done = [*self._folders_aside()]
        with locked(self.folder / LOCK):
            try:
                progress = self.load()
                changed = False
                if not self.file.exists() and self.previous.exists():
                    progress = self._before()
                    changed = bool(progress.labs)
                    if changed:
                        done.append(f"{FILE} was gone; it is back as {PREVIOUS} knew it.")
            except Damaged:
                progress, sentence = self._recover()
                changed = True
                done.append(sentence)
            for slug, entry in progress.labs.items():
                if not self.is_kept(entry):
                    done.append(
                        f"The best files of {slug} ({entry.best} points) are not whole any more."
                        " The next run that is as good is kept; the points stay."
                    )
                    entry.best_files, changed = "", True
            if changed:
                write_whole(self.file, render(progress).encode())
            for part in self.parts():
                part.unlink(missing_ok=True)
                done.append(f"{part.name}, the rest of a write that was killed, is gone.")
        return done

    def _folders_aside(self) -> Iterator[str]:
        """Rename folders that stand where a file of ours belongs; a sentence for each."""
        for path in (self.folder / LOCK, self.previous):
            if path.is_dir():
                aside = path.with_name(f"{path.name}.folder")
                path.rename(aside)
                yield f"{path.name} was a folder; it is {aside.name} now."

    def parts(self) -> list[Path]:
        """Unfinished files that killed writes left below our folder."""
        return sorted(path for path in self.folder.rglob(".*.part") if is_part(path.name))

    def is_kept(self, entry: Entry) -> bool:
        """False when the best files of an entry should be there and are not, or not as written."""
        files = self.best_files(entry)
        return not entry.best_files or entry.best_files.endswith(f"-{_fingerprint(files)}")

    def _recover(self) -> tuple[Progress, str]:
        """Set a damaged file aside; what it and the state before it still say, and a sentence."""
        try:
            rest = salvage(self.file.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            rest = Progress()
        known = self._before()
        labs = {**known.labs, **rest.labs}
        number = 1
        while (aside := self.folder / f"progress.damaged-{number}.json").exists():
            number += 1
        if self.file.is_file():
            # Copied before it is replaced, so that a kill in between leaves the damaged file.
            write_whole(aside, self.file.read_bytes())
        else:
            self.file.rename(aside)
        begun = sum(1 for entry in labs.values() if entry.runs)
        what = f"what could be read of {begun} begun labs goes on" if labs else "a new one is begun"
        return (
            Progress(labs),
            f"{self.file} could not be understood. It is kept as {aside.name}; {what}.",
        )

    def _before(self) -> Progress:
        """The state before the last change; an empty one when it is not there or not readable."""
        try:
            return parse(self.previous.read_text(encoding="utf-8"), self.previous)
        except (OSError, UnicodeDecodeError, UsageError):
            return Progress()

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
            self._forget(lab, progress)
            if entry.best is None or grade.score >= entry.best:
                entry.best_files = self._keep(lab, files)
                entry.best, entry.best_of = grade.score, grade.max_score
            entry.passed = entry.passed or grade.passed
            entry.last = grade.score
            entry.runs += 1
            entry.outcomes = {v.criterion.id: v.outcome for v in grade.verdicts}
        return before, entry

    def best_files(self, entry: Entry) -> dict[str, bytes]:
        """The files that reached the best score, by relative path; empty when none are kept."""
        folder = self.folder / "best" / entry.best_files
        if not entry.best_files or not folder.is_dir():
            return {}
        return {name: (folder / name).read_bytes() for name in files_in(folder)}

    def _forget(self, lab: Lab, progress: Progress) -> None:
        """Remove files of a lab that neither the progress nor the one before it calls the best.

        So the files stay for as long as the previous progress may be needed.
        """
        named = {known.of(lab).best_files for known in (progress, self._before())}
        for folder in (self.folder / "best").glob(f"{lab.name}-*"):
            if folder.name not in named:
                shutil.rmtree(folder, ignore_errors=True)

    def _keep(self, lab: Lab, files: Mapping[str, bytes]) -> str:
        """Write the files into a folder named by their content; returns its name."""
        name = f"{lab.name}-{_fingerprint(files)}"
        write_files(self.folder / "best" / name, files)
        return name


# What reading somebody else's JSON raises; too many nested brackets are a RecursionError.
_NOT_OURS = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
# An entry in a file: objects lie one deep in it, and no text in it has a brace. Nothing is read
# twice, so that a file of nothing but braces is dealt with at once.
_WRITTEN_ENTRY = re.compile(r'"([a-z0-9-]+)":\s*(?=(\{[^{}]*+(?:\{[^{}]*+\}[^{}]*+)*+\}))')
# The name of a folder of ours, never a way out of it.
_BEST_FILES = re.compile(r"(?:[a-z0-9][a-z0-9-]{0,99})?")
# No number of ours is near this; a longer one could not be written again.
_LARGEST = 10**9


class Damaged(UsageError):
    """The progress file is there but is not what ``labs`` writes."""


def parse(text: str, file: Path) -> Progress:
    """Progress from its JSON text. Damaged when it is none; UsageError when it is newer."""
    try:
        document = json.loads(text)
        schema = document["schema"]
        if isinstance(schema, str) and schema.startswith("labs/progress/") and schema != SCHEMA:
            raise UsageError(
                f"{file} was written by another version of labs ({schema}). It stays as it is;"
                f" update the package to go on with it."
            )
        if schema != SCHEMA:
            raise ValueError(f"schema {schema!r}")
        return Progress({str(slug): _entry(value) for slug, value in document["labs"].items()})
    except _NOT_OURS as error:
        raise Damaged(
            f"{file} is damaged ({error}). labs doctor --repair keeps it and mends what it can."
        ) from error


def salvage(text: str) -> Progress:
    """The entries of a damaged progress text that are still whole; it may be none."""
    found: dict[str, Entry] = {}
    # Each entry is looked for by itself, so that a file which breaks off keeps those before it.
    for match in _WRITTEN_ENTRY.finditer(text):
        try:
            found[match[1]] = _entry(json.loads(match[2]))
        except _NOT_OURS:
            continue
    return Progress(found)


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
        all(_is_number(number) for number in [*numbers.values(), *hints.values()])
        and all(score is None or _is_number(score) for score in scores.values())
        and all(isinstance(text, str) for text in [*texts.values(), *outcomes.values()])
        and isinstance(value["passed"], bool)
        and _BEST_FILES.fullmatch(texts["best_files"])
    )
    if not sound:
        raise ValueError("a value of an unexpected type")
    return Entry(
        **numbers, **scores, **texts, passed=value["passed"], outcomes=outcomes, hints=hints
    )


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _fingerprint(files: Mapping[str, bytes]) -> str:
    listing = "\n".join(f"{name} {digest}" for name, digest in digests(files).items())
    return digests({"": listing.encode()})[""][:12]


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold an exclusive lock on ``path``. The operating system drops it when the process dies.

    ``waiting`` is called once where another process has it.
    """
    try:
        file = path.open("a+b")
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; labs doctor --repair moves it aside.") from None
    with file:
        if waiting is None or not _lock(file, at_once=True):
            if waiting is not None:
                waiting()
            while not _lock(file):
                pass
        try:
            yield
        finally:
            _unlock(file)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes], at_once: bool = False) -> bool:
        """Whether it was free; waits for that (Windows: ten seconds) unless ``at_once``."""
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK if at_once else msvcrt.LK_LOCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes], at_once: bool = False) -> bool:
        """Whether it was free; waits for that unless ``at_once``."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if at_once else 0))
        except BlockingIOError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
