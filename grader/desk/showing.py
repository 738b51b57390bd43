"""Pages that the command line writes and shows: of a run, and of a grade."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader.course.files import shown, write_whole
from grader.course.workspace import workspace
from grader.desk.terminal import emit, say, warn, writing

if TYPE_CHECKING:
    from grader.course.grade import Grade
    from grader.desk.submission import Submission

Tell = Callable[[str], None]


def write(place: Path, text: str, tell: Tell = say) -> None:
    """Write a file whole and say so."""
    with writing(place):
        write_whole(place, text.encode())
    tell(f"{shown(place)} written.")


def write_run(
    run: dict[str, Any],
    beside: dict[str, Any] | None,
    *,
    as_json: bool,
    opened: bool,
    html: str | None,
    trace: str | None,
) -> None:
    """Write a run's document as what was asked for; whatever is a file is told in a line."""
    from grader.replay import run as replay

    # With --json nothing but the document may be on stdout.
    tell = warn if as_json else say
    if as_json:
        emit(replay.text(run))
    if trace:
        from grader.replay import trace as tracing

        write(Path(trace), tracing.text(run), tell)
    if html or opened:
        from grader.replay.page import page

        name = f"{run['lab']}-{run['scenario']}"
        _write_page(page(run, beside=beside), name, opened, html, tell)


def write_grade(
    submission: Submission,
    grade: Grade,
    *,
    opened: bool,
    html: str | None,
    again: str,
    tell: Tell = say,
) -> None:
    """Write the page of one lab's grade; ``again`` is the command that grades the same files."""
    from grader.desk.report_page import page

    assert submission.evidence is not None
    tasks = {task.number: task.title for task in submission.lab.tasks}
    grade = submission.readdressed(grade)
    name = f"{grade.lab}-grade"
    _write_page(
        page(grade, submission.evidence, tasks=tasks, files=submission.files, again=again),
        name,
        opened,
        html,
        tell,
    )


def _write_page(text: str, name: str, opened: bool, html: str | None, tell: Tell) -> None:
    place = Path(html) if html else _place_of_pages() / f"{name}.html"
    write(place, text, tell)
    if opened and sys.stdout.isatty():
        click.launch(place.resolve().as_uri())


def _place_of_pages() -> Path:
    """Where pages lie that are only looked at: beside the progress, or a temporary folder."""
    space = workspace()
    return space.state / "runs" if space else Path(tempfile.mkdtemp(prefix="labs-run-"))
