"""What a learner has reached in drills, kept beside the progress of the labs.

One readable JSON file, replaced only by renaming a finished one over it. What cannot be understood
counts as nothing reached.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from grader.course.files import write_whole
from grader.course.grade import Grade
from grader.sandbox.oncall.drills import SLUGS, called

SCHEMA = "labs/oncall-progress/v1"
FILE = "oncall.json"
# Below the same folder: where the shift that is not over keeps how it stands.
SHIFT = Path("oncall") / "shift.json"


@dataclass
class Entry:
    """What is known of one drill. ``relaxed``: the best was won with more time, or without end."""

    runs: int = 0
    best: int = 0
    last: int = 0
    passed: bool = False
    relaxed: bool = False
    hints: int = 0


def read(folder: Path | None) -> dict[str, Entry]:
    """Entries by drill, in the order of the drills; those that were never played are empty."""
    if folder is None:
        return {slug: Entry() for slug in SLUGS}
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
        drills = told["drills"] if told["schema"] == SCHEMA else {}
        kept = {called(name): one for name, one in drills.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        kept = {}
    found = {}
    for slug in SLUGS:
        try:
            found[slug] = Entry(**kept[slug])
        except (KeyError, TypeError):
            found[slug] = Entry()
    return found


def under_way(folder: Path | None) -> str | None:
    """The drill that runs or waits for its learner, by what its shift keeps; None for none."""
    try:
        told = json.loads(((folder or Path()) / SHIFT).read_text(encoding="utf-8"))
        return called(told["drill"]) if folder and told["over"] is False else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def record(folder: Path, grade: Grade, *, relaxed: bool, hints: int) -> Entry:
    """Write down a drill that is over; how it stands now."""
    book = read(folder)
    entry = book[grade.slug]
    if not entry.runs or grade.score > entry.best:
        entry.best, entry.relaxed = grade.score, relaxed
    entry.runs += 1
    entry.last = grade.score
    entry.passed = entry.passed or grade.passed
    entry.hints = max(entry.hints, hints)
    drills = {slug: asdict(one) for slug, one in book.items() if one.runs}
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"schema": SCHEMA, "drills": drills}, indent=2) + "\n"
    write_whole(folder / FILE, text.encode())
    return entry
