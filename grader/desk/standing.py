"""Where a learner stands: every lab's points, the next step, and what was proved in the end.

Pure functions of the labs and the progress, for `labs list`.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from grader.cloud.words import counted
from grader.course.lab import Lab
from grader.course.progress import Entry, Progress
from grader.desk.terminal import WIDTH, Paint, plain
from grader.sandbox.oncall.book import Entry as Drilled

SCHEMA = "labs/standing/v1"


def lines(labs: Sequence[Lab], progress: Progress, paint: Paint = plain) -> list[str]:
    """The table of `labs list`, the total and the next step; or the finish."""
    known = [(lab, progress.labs.get(lab.slug, Entry())) for lab in labs]
    if known and all(entry.passed for _, entry in known):
        return list(_finish(known, paint))
    rows = [("lab", "folder", "best", "hints", "state")]
    for lab, entry in known:
        best = "-" if entry.best is None else str(entry.best)
        hints = str(sum(entry.hints.values()))
        row = (str(lab.number), f"labs/{lab.name}", f"{best} of 100", hints, _state(entry))
        rows.append(row)
    passed = sum(entry.passed for _, entry in known)
    total = f"{_points(known)} of {100 * len(known)} points, {passed} of {len(known)} labs passed."
    return [*_table(rows), "", total, *_next_step(known)]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def drills(reached: Mapping[str, Drilled], under_way: str | None = None) -> list[str]:
    """The on-call drills: how often each was played, what was won, and which is under way.

    A drill has its number, and the name of what somebody on call sees.
    """
    head = ("drill", "what is seen", "best", "runs", "hints", "state")
    rows = [
        (
            str(number),
            slug,
            f"{one.best} of 100" if one.runs else "-",
            str(one.runs),
            str(one.hints),
            _drilled(one, slug == under_way),
        )
        for number, (slug, one) in enumerate(reached.items(), 1)
    ]
    passed = sum(one.passed for one in reached.values())
    return ["", *_table([head, *rows]), "", f"{passed} of {len(reached)} drills: labs oncall DRILL"]


def _drilled(one: Drilled, under_way: bool) -> str:
    state = "passed" if one.passed else "begun" if one.runs else "not begun"
    state = f"{state}, relaxed" if one.relaxed else state
    if not under_way:
        return state
    return f"{state}, under way" if one.runs else "under way"


def document(
    labs: Sequence[Lab],
    progress: Progress,
    reached: Mapping[str, Drilled] | None = None,
    under_way: str | None = None,
) -> str:
    """The same as a JSON document; with the drills where they are given, one of them under way."""
    known = [(lab, progress.labs.get(lab.slug, Entry())) for lab in labs]
    rows = [
        {
            "lab": lab.number,
            "slug": lab.slug,
            "best": entry.best,
            "last": entry.last,
            "passed": entry.passed,
            "runs": entry.runs,
            "hints": sum(entry.hints.values()),
            "solution": entry.solution or None,
        }
        for lab, entry in known
    ]
    complete = bool(known) and all(entry.passed for _, entry in known)
    whole = {
        "schema": SCHEMA,
        "score": _points(known),
        "max_score": 100 * len(known),
        "next": f"labs watch {number}" if (number := _next_lab(known)) else "",
    }
    told: dict[str, object] = {**whole, "complete": complete, "labs": rows}
    if reached is not None:
        told["drills"] = [
            {"drill": slug, "number": number, **asdict(one), "under_way": slug == under_way}
            for number, (slug, one) in enumerate(reached.items(), 1)
        ]
    return json.dumps(told, indent=2) + "\n"


def _points(known: Sequence[tuple[Lab, Entry]]) -> int:
    return sum(entry.best or 0 for _, entry in known)


def _state(entry: Entry) -> str:
    state = "passed" if entry.passed else "begun" if entry.runs else "not begun"
    return f"{state}, solution {entry.solution}" if entry.solution else state


def _next_lab(known: Sequence[tuple[Lab, Entry]]) -> int:
    """The first lab that is not passed; 0 when there is none."""
    return next((lab.number for lab, entry in known if not entry.passed), 0)


def _next_step(known: Sequence[tuple[Lab, Entry]]) -> Iterator[str]:
    """What to do now, and how to go back to the best files where the last run was worse."""
    if number := _next_lab(known):
        yield f"Next: labs watch {number} (or labs grade {number})"
    for lab, entry in known:
        if entry.best_files and entry.last is not None and entry.last < (entry.best or 0):
            yield (
                f"Lab {lab.number}: the last run won {entry.last}, your best {entry.best}."
                f" Its files: labs reset {lab.number} --best"
            )


def _finish(known: Sequence[tuple[Lab, Entry]], paint: Paint) -> Iterator[str]:
    """One screen that says what was proved, and how."""
    head = f"All {len(known)} labs are passed" if len(known) > 1 else "The lab is passed"
    score = f"{_points(known)} of {100 * len(known)} points"
    yield paint(head, "strong") + f"{score:>{WIDTH - len(head)}}"
    for lab, entry in known:
        how = [counted(entry.runs, "run"), counted(sum(entry.hints.values()), "hint")]
        if entry.solution == "given up":
            how.append("solution opened before")
        left, right = f"Lab {lab.number}: {lab.title}", ", ".join(how)
        yield paint(left, "good") + f"{right:>{max(len(right) + 2, WIDTH - len(left))}}"
        text = "; ".join(task.title for task in lab.tasks)
        yield from textwrap.wrap(
            text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
    yield ""
    unaided = sum(entry.solution != "given up" for _, entry in known)
    yield f"{unaided} of {len(known)} were passed without opening the solution first."
    yield "Once more with other data: labs grade all --seed 7"
    yield "The same files in your own account: labs docs deploy"
