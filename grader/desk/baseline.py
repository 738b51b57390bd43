"""Findings of ``labs check`` that a team has accepted, in a file beside its templates.

::

    {"schema": "labs/baseline/v1",
     "accepted": [{"path": "template.yaml", "consumer": "OrdersToTotals", "item": "source-bounds"}]}

``path`` is the template's place from the baseline's own folder. What is accepted is left out of a
report and counted; what is new still decides.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from grader.course.files import UsageError
from grader.course.files import shown as path_shown
from grader.review.checklist import Report, Result

SCHEMA = "labs/baseline/v1"
Accepted = frozenset[tuple[str, str, str]]


def read(file: Path) -> Accepted:
    """What a baseline accepts, as (path, consumer, item). UsageError when it is none."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["schema"] != SCHEMA:
            raise ValueError
        return frozenset(
            (str(one["path"]), str(one["consumer"]), str(one["item"])) for one in found["accepted"]
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path_shown(file)} cannot be read: {reason}.") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path_shown(file)} is no baseline of labs check.") from None


def without(report: Report, template: Path, file: Path) -> tuple[Report, int]:
    """The report without what the baseline in ``file`` accepts, and how much that is."""
    accepted = read(file)
    place = _place(template, file)
    left = tuple(
        one
        for one in report.results
        if not _open(one) or (place, one.consumer, one.item.id) not in accepted
    )
    return replace(report, results=left), len(report.results) - len(left)


def written(reports: Iterable[tuple[Path, Report]], file: Path) -> str:
    """A baseline that accepts everything that stands open in these reports."""
    found = [
        {"path": _place(template, file), "consumer": one.consumer, "item": one.item.id}
        for template, report in reports
        for one in report.results
        if _open(one)
    ]
    return json.dumps({"schema": SCHEMA, "accepted": found}, indent=2) + "\n"


def _open(result: Result) -> bool:
    return result.verdict in ("not met", "cannot tell")


def _place(template: Path, file: Path) -> str:
    return Path(os.path.relpath(template.resolve(), file.resolve().parent)).as_posix()
