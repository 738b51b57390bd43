"""What a class's marks become: gradebooks, a page for each learner, an overview.

Everything is written below the class's folder of reports, which only its owner can read::

    overview.html                   the instructor's; overview-anonymous.html is the projector's
    gradebook.csv                   a row for each learner and lab
    canvas.csv, moodle.csv          a platform's own export, filled in
    feedback/LEARNER/feedback.html  what this learner reads; feedback.md beside it
    feedback-moodle.zip             every such page, for one upload to Moodle's assignment
    standing.json                   what the next overview compares with
    alike/                          pairs of hand-ins, by `grader.classroom.alike`
"""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from grader.classroom import marks as marks_
from grader.classroom.marks import Mark
from grader.classroom.private import FOLDER, make_private_folder, write_private
from grader.classroom.record import Record, now
from grader.classroom.report import gradebooks, standing
from grader.classroom.report.feedback import feedback
from grader.classroom.report.overview import Names, Pseudonyms, counts, overview
from grader.classroom.roster import Learner
from grader.classroom.settings import Settings
from grader.course.files import UsageError
from grader.course.lab import Lab, find

__all__ = ["Written", "forget", "write", "write_anonymous"]

FEEDBACK, ALIKE, ANONYMOUS = "feedback", "alike", "overview-anonymous.html"
MOODLE_ZIP = "feedback-moodle.zip"
# The same pages give the same bytes, whenever they are packed.
_WHEN = (1980, 1, 1, 0, 0, 0)


@dataclass
class Written:
    """What a report wrote, and the sentences that its reader needs."""

    paths: list[Path] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    counts: str = ""
    learners: int = 0

    def add(self, path: Path, content: str | bytes) -> None:
        """Write a file that only its owner can read."""
        write_private(path, content, durable=False)
        self.paths.append(path)


def write(
    settings: Settings,
    roster: Mapping[str, Learner],
    record: Record,
    into: Sequence[Path] = (),
    columns: Mapping[int, str] | None = None,
) -> Written:
    """Write every report of the class; ``into`` are exports of platforms to fill in.

    ``columns`` is that of `gradebooks.fill`. UsageError, before anything is written, where nobody
    is in the class, or where an export is none.
    """
    marks, labs = _marks(settings, roster, record)
    done = Written(counts=counts(marks), learners=len({mark.learner for mark in marks}))
    filled = {}
    for path in into:
        name = gradebooks.platform(path)
        if name in filled:
            raise UsageError(f"Two of these files are exports of {name.capitalize()}: give one.")
        filled[name] = gradebooks.fill(path, marks, roster, list(labs.values()), columns or {})
    folder = _folder(settings)
    at, earlier = now(), standing.earlier(settings.reports, marks)
    names = Names(_learners(marks, roster))
    page = overview(settings, marks, earlier, names, list(labs.values()), at)
    done.add(folder / "overview.html", page)
    done.add(folder / "gradebook.csv", gradebooks.own(marks, roster))
    for name, book in filled.items():
        done.add(folder / f"{name}.csv", book.content)
        done.told += [f"{name}.csv: {sentence}" for sentence in book.told]
    done.told += _stale(folder, filled)
    known = {mark.learner for mark in marks}
    for left in sorted((folder / FEEDBACK).glob("*")):
        if left.is_dir() and left.name not in known:
            shutil.rmtree(left)  # of somebody who is in this class no longer
    read: dict[str, str] = {}
    for key, mine in groupby(marks, key=lambda mark: mark.learner):
        texts = feedback(settings, names.of(key), list(mine), labs)
        read[key] = texts["feedback.html"]
        for name, text in texts.items():
            write_private(folder / FEEDBACK / key / name, text, durable=False)
    done.paths.append(folder / FEEDBACK)
    (folder / MOODLE_ZIP).unlink(missing_ok=True)
    if gradebooks.MOODLE in filled and (numbers := filled[gradebooks.MOODLE].participants):
        done.add(folder / MOODLE_ZIP, _for_moodle(read, numbers, roster))
    standing.keep(folder, marks, at)
    return done


def _for_moodle(
    pages: Mapping[str, str], numbers: Mapping[str, str], roster: Mapping[str, Learner]
) -> bytes:
    """The pages in folders as Moodle's own download names them, which its upload reads.

    The number decides who gets a page; a name in front is for readers, and has no underscore.
    https://github.com/moodle/moodle/blob/main/mod/assign/feedback/file/importziplib.php
    """
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for key in sorted(numbers.keys() & pages.keys()):
            known = roster.get(key) or Learner(key)
            who = re.sub(r"[\W_]+", " ", known.name or key).strip() or "Learner"
            path = f"{who}_{numbers[key]}_assignsubmission_file/feedback.html"
            entry = zipfile.ZipInfo(path, _WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, pages[key])
    return held.getvalue()


def _stale(folder: Path, filled: Collection[str]) -> Iterator[str]:
    """Which of a platform's files are of an earlier report, and say what marks were then."""
    for name in gradebooks.PLATFORMS:
        if name not in filled and (folder / f"{name}.csv").exists():
            yield (
                f"{name}.csv is of an earlier report and was left as it is: labs class report"
                " --into with the platform's export writes it anew."
            )


def write_anonymous(settings: Settings, roster: Mapping[str, Learner], record: Record) -> Path:
    """Write the overview for the projector, which names nobody, and nothing else."""
    marks, labs = _marks(settings, roster, record)
    folder = _folder(settings)
    names = Pseudonyms(_learners(marks, roster), folder)
    earlier = standing.earlier(settings.reports, marks)
    page = overview(settings, marks, earlier, names, list(labs.values()), now())
    write_private(folder / ANONYMOUS, page, durable=False)
    return folder / ANONYMOUS


def forget(folder: Path, learner: str) -> None:
    """Take a learner out of what names nobody, or is compared with later, in ``folder``.

    What names them is found by its text (`grader.classroom.forgetting`).
    """
    for name in (ANONYMOUS, MOODLE_ZIP):
        (folder / name).unlink(missing_ok=True)
    standing.forget(folder, learner)


def _marks(
    settings: Settings, roster: Mapping[str, Learner], record: Record
) -> tuple[list[Mark], dict[int, Lab]]:
    marks = marks_.marks(settings, roster, record)
    if not marks:
        raise UsageError(
            "Nobody is in the class yet: fill the roster, or take what was handed in with"
            " labs class take."
        )
    labs = _begun(settings, marks)
    return [mark for mark in marks if mark.lab in labs], labs


def _begun(settings: Settings, marks: Sequence[Mark]) -> dict[int, Lab]:
    """The labs that there is something to say about: handed in by somebody, or due by now.

    A class file names every lab from the first day, and who has not been asked yet lacks nothing.
    """
    there = {mark.lab for mark in marks if mark.points is not None or not mark.missing}
    today = datetime.now(UTC)
    there |= {number for number, deadline in settings.deadlines.items() if deadline < today}
    numbers = [number for number in settings.labs if number in there] or settings.labs
    return {number: find(str(number)) for number in numbers}


def _learners(marks: Sequence[Mark], roster: Mapping[str, Learner]) -> list[Learner]:
    return [roster.get(key) or Learner(key) for key in dict.fromkeys(m.learner for m in marks)]


def _folder(settings: Settings) -> Path:
    """The folder of reports; it holds names and marks, whatever rights it had before."""
    make_private_folder(settings.reports)
    settings.reports.chmod(FOLDER)
    return settings.reports
