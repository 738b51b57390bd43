"""Every hand-in that has no grade yet is graded, and written down the moment that it is.

What lies in ``handed-in/LEARNER/NN-slug/`` counts. Equal files with the same seed are graded once,
and each learner gets the row. A failure of a worker is no learner's: the parcel goes to another
one, once, and is then recorded as the grader's fault with what happened.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from grader.classroom.parcel import Answer, Parcel, Unreadable
from grader.classroom.private import make_private_file
from grader.classroom.record import Graded, HandIn, Key, Record, Refusal, now
from grader.classroom.seeds import Seeds
from grader.classroom.work import Address, Alone, Done, Terms, Workers
from grader.cloud.words import nearest
from grader.course.files import UsageError, content_hash, reason, shown
from grader.course.lab import Lab
from grader.course.progress import locked

# Beside the record; held by the command that grades, and let go of however it ends.
LOCK = ".grading.lock"
# A parcel is tried by so many workers.
TRIES = 2


@dataclass(frozen=True)
class Held:
    """A hand-in as it lies in its folder; ``notes`` is what ``labs grade`` says beside a grade."""

    learner: str
    lab: Lab
    folder: Path
    content: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A grade to be made, and the hand-ins that get it: equal files and one seed."""

    lab: Lab
    seed: int
    held: tuple[Held, ...]


# --- what there is, and what is due -----------------------------------------------------------


def collect(
    handed_in: Path, labs: Sequence[Lab], only: Sequence[str] = ()
) -> tuple[list[Held], list[Refusal]]:
    """The hand-ins in a folder, by learner and lab, and those that cannot be read as one.

    ``only`` names learners; UsageError for one who has no folder. Links are not followed.
    """
    learners = _learners(handed_in)
    for name in only:
        if name not in learners:
            near = nearest(name, learners)
            hint = f" Did you mean {near}?" if near else ""
            raise UsageError(f"{shown(handed_in)} holds nothing of {name}.{hint}")
    found, refused = [], []
    for learner in only or learners:
        for lab in labs:
            folder = handed_in / learner / lab.name
            try:
                if _is_there(folder):
                    found.append(_held(learner, lab, folder))
            except UsageError as problem:
                source = folder.relative_to(handed_in).as_posix()
                refused.append(Refusal(learner, lab.number, source, str(problem)))
    return found, refused


def _learners(handed_in: Path) -> list[str]:
    try:
        names = sorted(one.name for one in handed_in.iterdir() if one.is_dir())
    except OSError as error:
        raise UsageError(
            f"The folder {shown(handed_in)} cannot be read: {reason(error)}. labs class take fills"
            " it."
        ) from None
    return [name for name in names if not name.startswith(".")]


def _is_there(folder: Path) -> bool:
    """Whether there is something of that name; UsageError for what must not be read."""
    if not folder.name.isprintable() or not folder.parent.name.isprintable():
        raise UsageError("The name of the folder has characters that cannot be printed.")
    for place in (folder.parent, folder):
        if place.is_symlink():
            raise UsageError(f"{shown(place)} is a symbolic link; put the files themselves there.")
    return folder.exists()


def _held(learner: str, lab: Lab, folder: Path) -> Held:
    return Held(
        learner, lab, folder, content_hash(lab.read(folder)), tuple(lab.left_behind(folder))
    )


def note(record: Record, held: Iterable[Held], refused: Iterable[Refusal]) -> None:
    """Tell the record what lies in the folders, as far as it does not know.

    Files that were put there by hand become an attempt whose time nobody knows.
    """
    known: dict[tuple[str, int], list[HandIn]] = {}
    for attempt in record.hand_ins():
        known.setdefault((attempt.learner, attempt.lab), []).append(attempt)
    settled = {(one.learner, one.lab, one.source) for one in record.refusals()}
    for one in held:
        attempts = known.get((one.learner, one.lab.number), [])
        counting = [attempt for attempt in attempts if attempt.content == one.content]
        source = f"{one.learner}/{one.lab.name}"
        if not counting:
            number = max((attempt.attempt for attempt in attempts), default=0) + 1
            record.add_hand_in(
                HandIn(one.learner, one.lab.number, number, one.content, source=source,
                       time_source="unknown")
            )  # fmt: skip
        elif not any(attempt.counts for attempt in counting):
            record.add_hand_in(replace(counting[-1], counts=True))
        if (one.learner, one.lab.number, source) in settled:
            record.settle_refusals(one.learner, one.lab.number, source)
    for refusal in refused:
        record.add_refusal(refusal)


def due(
    record: Record,
    held: Iterable[Held],
    seeds: Seeds,
    course: str,
    *,
    regrade: bool = False,
    retry: bool = False,
) -> list[Task]:
    """The grades that are missing.

    A grade under another version of the course counts, unless ``regrade``; a fault under this one
    counts, unless ``retry``.
    """
    known: dict[tuple[str, int, str, int], dict[str, str]] = {}
    for key, status in record.keys().items():
        known.setdefault(key[:4], {})[key[4]] = status
    groups: dict[tuple[int, str, int], list[Held]] = {}
    for one in held:
        seed = seeds.of(one.learner, one.lab.number)
        rows = known.get((one.learner, one.lab.number, one.content, seed), {})
        here = rows.get(course)
        if here == "graded" or (here == "fault" and not retry):
            continue
        if not here and "graded" in rows.values() and not regrade:
            continue
        groups.setdefault((one.lab.number, one.content, seed), []).append(one)
    return [Task(group[0].lab, key[2], tuple(group)) for key, group in groups.items()]


def standing(
    record: Record, held: Iterable[Held], seeds: Seeds, course: str
) -> dict[Key, str | None]:
    """For each hand-in the key of the grade under this course, and its status, None without one.

    Where there is none under this course, a grade under another one stands in.
    """
    known = record.keys()
    under: dict[tuple[Any, ...], Key] = {
        key[:4]: key for key, status in known.items() if status == "graded"
    }
    found: dict[Key, str | None] = {}
    for one in held:
        number = one.lab.number
        key = (one.learner, number, one.content, seeds.of(one.learner, number), course)
        if key not in known:
            key = under.get(key[:4], key)
        found[key] = known.get(key)
    return found


# --- grading ----------------------------------------------------------------------------------


@dataclass
class Tally:
    """How far a run is, counted in hand-ins. ``faults`` are the hand-ins that got one."""

    total: int
    graded: int = 0
    passed_over: list[Refusal] = field(default_factory=list)
    faults: list[Graded] = field(default_factory=list)
    tiers: set[str] = field(default_factory=set)
    began: float = field(default_factory=time.monotonic)

    @property
    def done(self) -> int:
        """Hand-ins that need nothing more."""
        return self.graded + len(self.faults) + len(self.passed_over)

    def text(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone()) -> str:
        """One line: done, left, rate, expected end."""
        left = self.total - self.done
        line = f"{self.done:,} of {self.total:,} graded, {left:,} left"
        seconds = time.monotonic() - self.began
        if not self.done or not left or seconds <= 0:
            return line
        rate = self.done / seconds
        end = clock() + timedelta(seconds=left / rate)
        return f"{line}, {rate * 60:.3g} a minute, done at about {end:%H:%M}"


@dataclass
class _Under:
    """A parcel under way, and what its workers said who failed."""

    task: Task
    parcel: Parcel
    tries: int = 1
    problems: list[str] = field(default_factory=list)


class Run:
    """One run of grades. ``go`` returns when nothing is left; what is done is in the record."""

    def __init__(
        self, record: Record, workers: Workers, course: str, tasks: Sequence[Task]
    ) -> None:
        self.record = record
        self.workers = workers
        self.course = course
        self.tally = Tally(sum(len(task.held) for task in tasks))
        # Later labs take longer, by and large: a long grade at the end leaves a worker alone.
        self._waiting = deque(enumerate(sorted(tasks, key=lambda task: -task.lab.number)))
        self._under: dict[int, _Under] = {}

    def go(self, tell: Callable[[str], None]) -> Tally:
        """Grade everything; ``tell`` gets the progress line about once a second. UsageError."""
        while self._waiting or self._under:
            while self._waiting and self.workers.room_for > 0:
                self._submit(*self._waiting.popleft())
            tell(self.tally.text())
            if self._under and (done := self.workers.wait(1.0)) is not None:
                self._take(done)
        return self.tally

    def _submit(self, number: int, task: Task) -> None:
        one = task.held[0]
        try:
            files = task.lab.read(one.folder)
            if content_hash(files) != one.content:
                raise UsageError(f"{shown(one.folder)} was changed meanwhile; grade it again.")
        except UsageError as problem:
            # Each of the equal ones is looked at by itself, at the next run if need be.
            rest = replace(task, held=task.held[1:])
            refusal = Refusal(one.learner, one.lab.number, one.folder.name, str(problem), now())
            self.tally.passed_over.append(refusal)
            if rest.held:
                self._waiting.appendleft((number, rest))
            return
        parcel = Parcel(task.lab.number, task.seed, self.course, files)
        self._under[number] = _Under(task, parcel)
        self.workers.submit(number, parcel.pack(), self.course)

    def _take(self, done: Done) -> None:
        under = self._under[done.number]
        answer = self._answer(done, under.parcel)
        if answer.kind == "refused":
            who = "This machine" if answer.worker == "here" else f"The worker {answer.worker}"
            raise UsageError(f"{who} grades nothing: {answer.sentence.rstrip('.')}.")
        broken = _broken(answer.document) if answer.document else ""
        if answer.kind == "graded" and not broken:
            self._keep(done.number, answer, "")
            return
        where = "here" if answer.worker == "here" else f"on {answer.worker or 'a worker'}"
        problem = f"{where}: {broken or answer.sentence}"
        under.problems.append(problem)
        if under.tries < TRIES:
            under.tries += 1
            self.workers.submit(done.number, under.parcel.pack(), self.course, answer.worker)
        else:
            self._keep(done.number, answer, "\n".join(under.problems))

    def _answer(self, done: Done, parcel: Parcel) -> Answer:
        if done.answer is None:
            return Answer("failed", sentence=done.problem, worker=done.worker)
        try:
            return Answer.unpack(done.answer, parcel)
        except Unreadable as problem:
            return Answer("failed", sentence=str(problem), worker=done.worker)

    def _keep(self, number: int, answer: Answer, fault: str) -> None:
        """Write down a grade, or a fault, for each hand-in that it counts for."""
        under = self._under[number]
        began = datetime.now(UTC) - timedelta(seconds=answer.seconds)
        for one in under.task.held:
            row = Graded(
                one.learner,
                one.lab.number,
                one.content,
                under.parcel.seed,
                self.course,
                "fault" if fault else "graded",
                _with_notes(answer.document, one.notes),
                fault or None,
                answer.tier,
                answer.worker,
                began.isoformat(timespec="seconds"),
                round(answer.seconds, 3),
                under.tries,
            )
            self.record.add_grade(row, publish=True)
            if fault:
                self.tally.faults.append(row)
            else:
                self.tally.graded += 1
        self.tally.tiers.add(answer.tier)
        del self._under[number]


def _broken(document: dict[str, Any]) -> str:
    """Which criterion the grader could not decide, and why; empty where there is none."""
    for row in document["criteria"]:
        if row["outcome"] == "broken":
            return f"the grader failed at {row['id']}: {row['finding']['observed']}"
    return ""


def _with_notes(document: dict[str, Any] | None, notes: Sequence[str]) -> dict[str, Any] | None:
    """The document as ``labs grade`` writes it of this folder."""
    return document and {**document, "notes": [*document["notes"], *notes]}


def hire(wanted: int | Address, terms: Terms) -> Workers:
    """Workers: as many processes of this machine (0: this one alone), or those of a scheduler.

    UsageError where Dask is needed and is not there.
    """
    if wanted == 0:
        return Alone(terms)
    try:
        from grader.classroom.cluster import Crew
    except ModuleNotFoundError as missing:
        if missing.name not in ("distributed", "dask"):
            raise
        raise UsageError(
            "Several workers and schedulers need Dask: pip install 'streamlabs[class]'. Without"
            " it, --workers 0 grades one after the other."
        ) from None
    return Crew(wanted, terms)


@contextmanager
def alone(folder: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Let no two runs grade a class at once; ``waiting`` is called where one has to wait."""
    with locked(make_private_file(folder / LOCK), waiting):
        yield


# --- another version of the course ------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """A published grade, and one of the same files beside it that says something else."""

    before: Graded
    after: Graded

    @property
    def outcomes(self) -> dict[str, tuple[str, str]]:
        """The criteria that changed, before and after; one that is not there is ``none``."""
        sides = [_outcomes(self.before), _outcomes(self.after)]
        names = list(dict.fromkeys([*sides[0], *sides[1]]))
        pairs = {name: tuple(side.get(name, "none") for side in sides) for name in names}
        return {name: (one, two) for name, (one, two) in pairs.items() if one != two}

    @property
    def scores(self) -> tuple[int, int]:
        """Points before and after."""
        return _score(self.before), _score(self.after)


def differences(record: Record, keys: Iterable[Key]) -> list[Difference]:
    """Where the grades of ``keys`` say something else than the published ones of the same files."""
    published = {one.key[:3]: one.key for one in record.published()}
    found = []
    for key in keys:
        before = published.get(key[:3])
        if before is None or before == key:
            continue
        rows = {row.key: row for row in record.grades(*key[:2]) if row.status == "graded"}
        if before in rows and key in rows:
            difference = Difference(rows[before], rows[key])
            if difference.outcomes or len(set(difference.scores)) > 1:
                found.append(difference)
    return found


def _outcomes(grade: Graded) -> dict[str, str]:
    assert grade.document is not None
    return {row["id"]: row["outcome"] for row in grade.document["criteria"]}


def _score(grade: Graded) -> int:
    assert grade.document is not None
    return int(grade.document["score"])
