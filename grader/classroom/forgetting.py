"""Everything that is kept about a learner, removed for good; and where else something may lie.

Reports name many learners at once. A report that names this one is deleted whole: `labs class
report` writes it again from what is left.
"""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from grader.classroom import report
from grader.classroom.record import Record
from grader.classroom.roster import Learner
from grader.classroom.settings import NAME, Settings
from grader.classroom.shelf import Shelf
from grader.cloud.words import counted, nearest
from grader.course.files import UsageError, shown

LARGEST_REPORT = 50_000_000


@dataclass
class Forgotten:
    """What was removed, and what still lies elsewhere; each a sentence."""

    removed: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


def find(settings: Settings, roster: dict[str, Learner], record: Record, key: str) -> Learner:
    """The learner of that key, in the roster or in what was taken. UsageError for nobody."""
    known = {
        *(one.learner for one in record.hand_ins()),
        *(one.learner for one in record.refusals() if one.learner),
        *(one.learner for one in record.adjustments()),
        *(grade[0] for grade in record.keys()),  # noqa: SIM118 - a record is no dict
        *(folder.name for folder in _folders(settings.handed_in)),
        *(folder.name for folder in _folders(settings.attempts)),
        *(folder.name for folder in _folders(settings.reports / report.FEEDBACK)),
    }
    if key in roster:
        return roster[key]
    if key in known:
        return Learner(key)
    near = nearest(key, {*known, *roster})
    hint = f" Did you mean {near}?" if near else ""
    raise UsageError(f"There is nobody called {key} in this class.{hint}")


def forget(settings: Settings, record: Record, learner: Learner) -> Forgotten:
    """Remove what is kept about a learner. UsageError where something could not be removed."""
    told = Forgotten()
    with Shelf(settings, record).alone():
        for what, holder in (("hand-ins", settings.handed_in), ("attempts", settings.attempts)):
            folder = holder / learner.key
            if folder.is_symlink():
                folder.unlink()
                told.removed.append(f"{shown(folder)}, a link")
            elif folder.is_dir():
                number = sum(1 for one in folder.rglob("*") if not one.is_dir())
                shutil.rmtree(folder)
                told.removed.append(f"{shown(folder)}: {counted(number, 'file')} of {what}")
        report.forget(settings.reports, learner.key)
        reports = _forget_reports(settings.reports, learner)
        if reports:
            told.removed.append(
                f"{shown(settings.reports)}: {counted(reports, 'report')} that named them; once the"
                f" roster does so no longer, labs class report writes those of the others again"
            )
        # What nobody could be found for may have been theirs, under a name that nobody knows.
        for one in record.refusals():
            if one.learner is None:
                record.settle_refusals(None, one.lab, one.source)
        rows = record.forget(learner.key)
        told.removed.append(f"{shown(settings.record)}: {counted(rows, 'row')}, and their traces")
    told.elsewhere = list(_elsewhere(settings, learner))
    return told


def _elsewhere(settings: Settings, learner: Learner) -> Iterator[str]:
    for place in (settings.roster, settings.root / NAME):
        try:
            lines = place.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        named = [f"{number}" for number, line in enumerate(lines, 1) if _names(learner, line)]
        if named:
            word = "line" if len(named) == 1 else "lines"
            yield f"{shown(place)} still names them, in {word} {', '.join(named)}: yours to edit"
    yield "what the platform holds, and the downloads that were taken from it"
    yield "gradebooks, bundles and pages that you exported, sent or uploaded"
    yield "backups and snapshots of this disk, which may also keep what is deleted on it"
    yield "logs of a cluster that graded them; a worker keeps no hand-in once it is graded"


def _forget_reports(folder: Path, learner: Learner) -> int:
    """Delete the reports that name the learner in their path or text; how many they were."""
    gone = 0
    for place in sorted(folder.rglob("*"), reverse=True):
        if place.is_dir() and not place.is_symlink():
            # What lay in the learner's folder has gone before it.
            if not any(place.iterdir()):
                place.rmdir()
        elif _names(learner, place.relative_to(folder).as_posix()) or _names(learner, _text(place)):
            place.unlink()
            gone += 1
    return gone


def _text(place: Path) -> str:
    if not place.is_file() or place.stat().st_size > LARGEST_REPORT:
        return ""
    return place.read_bytes().decode("utf-8", "replace")


def _names(learner: Learner, text: str) -> bool:
    """Whether a text names the learner, as it is or as HTML, JSON and addresses write it."""
    folded = text.casefold()
    for name in filter(None, (learner.key, learner.name, learner.email)):
        for form in {name, html.escape(name), json.dumps(name)[1:-1], quote(name)}:
            form = form.casefold()
            if form in folded and re.search(rf"(?<!\w){re.escape(form)}(?!\w)", folded):
                return True
    return False


def _folders(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        return []
    return [one for one in folder.iterdir() if not one.name.startswith(".") and one.is_dir()]
