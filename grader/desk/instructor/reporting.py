"""``labs class report``, ``adjust`` and ``alike``: what is told about a class that is graded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cloud.words import counted, nearest
from grader.desk.terminal import Status, interruptible, say, wrapped, writing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grader.classroom.record import Adjustment, Record
    from grader.classroom.roster import Learner
    from grader.classroom.settings import Settings


# So many pairs are listed in the terminal; the page has all of them.
LISTED = 30


@contextmanager
def _class() -> Iterator[tuple[Settings, Mapping[str, Learner], Record]]:
    """The class that the current folder lies in: its settings, its roster, its open record."""
    from grader.classroom import roster, settings
    from grader.classroom.record import Record

    course = settings.load(Path.cwd())
    with Record(course.record) as record:
        yield course, roster.read(course.roster), record


def _say(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        say("\n".join(wrapped(sentence)))


@click.command()
@click.option(
    "--into",
    multiple=True,
    metavar="FILE",
    help="An export of Canvas's or Moodle's gradebook to fill in; once for each.",
)
@click.option(
    "--column",
    multiple=True,
    metavar="N=HEADER",
    help="Lab N's column in FILE, where its header does not name the lab; repeatable.",
)
@click.option(
    "--anonymous", is_flag=True, help="Only the overview, with made-up names for the projector."
)
def report(into: tuple[str, ...], column: tuple[str, ...], anonymous: bool) -> None:
    """Write gradebooks, feedback pages and the overview.

    They come into reports/: overview.html for you, feedback/LEARNER/ for each learner,
    gradebook.csv, and canvas.csv or moodle.csv: the export FILE with the marks filled in. FILE
    itself stays as it is. Learners are found in it by the roster's ids, logins and addresses;
    whoever is not found is told.

    \b
    labs class report
    labs class report --into canvas-export.csv
    labs class report --into worksheet.csv --column 2=Grade
    labs class report --anonymous
    """
    from grader.classroom.report import write, write_anonymous
    from grader.course.files import UsageError, shown

    if anonymous and (into or column):
        raise UsageError("--anonymous writes the overview alone: leave out --into and --column.")
    columns = dict(_column(one) for one in column)
    with _class() as (course, roster, record), writing(course.reports):
        if anonymous:
            say(f"{shown(write_anonymous(course, roster, record))}: names nobody")
            return
        done = write(course, roster, record, [Path(one) for one in into], columns)
    say(f"{counted(done.learners, 'learner')}; marks: {done.counts}.")
    for path in done.paths:
        say(shown(path))
    _say(done.told)


def _column(text: str) -> tuple[int, str]:
    from grader.course.files import UsageError
    from grader.course.lab import find

    lab, sign, header = text.partition("=")
    if not sign or not header.strip():
        raise UsageError(f'--column is a lab and a header, such as "2=Homework 2", not {text!r}.')
    return find(lab).number, header


@click.command()
@click.argument("learner", metavar="LEARNER")
@click.argument("which", metavar="N")
@click.option("--points", type=float, metavar="P", help="The points that hold from now on.")
@click.option("--reason", metavar="TEXT", help="Why; the learner reads it.")
@click.option("--undo", is_flag=True, help="Take the newest adjustment back.")
def adjust(learner: str, which: str, points: float | None, reason: str | None, undo: bool) -> None:
    """Change a learner's points for lab N, with a reason.

    The points stand in place of the grade's, also of later grades and whatever being late would
    cost. Every adjustment is kept and shown with its reason; --undo takes the newest one back.
    Without --points, those of the learner are listed.

    \b
    labs class adjust mia 2 --points 85 --reason "The task was ambiguous."
    labs class adjust mia 2 --undo
    labs class adjust mia 2
    """
    from grader.course.files import UsageError
    from grader.course.lab import find

    if undo and (points is not None or reason is not None):
        raise UsageError("--undo takes back; leave out --points and --reason.")
    if not undo and (points is None) != (reason is None):
        raise UsageError("An adjustment needs both --points and --reason.")
    if points is not None and not (math.isfinite(points) and points >= 0):
        raise UsageError("--points is a number from 0 upwards.")
    if reason is not None and not reason.strip():
        raise UsageError("--reason says why; it may not be empty.")
    with _class() as (course, roster, record):
        lab = find(which)
        if lab.number not in course.labs:
            raise UsageError(f"Lab {lab.number} is none of this class's labs.")
        _require_known(learner, roster, record)
        if points is not None and reason is not None:
            record.adjust(learner, lab.number, points, reason.strip())
        elif undo:
            record.undo(_newest(record, learner, lab.number).id)
        _tell(course, roster, record, learner, lab.number)
    if points is not None or undo:
        say("Pages and gradebooks follow with labs class report; a platform's file with --into.")


def _require_known(learner: str, roster: Mapping[str, Learner], record: Record) -> None:
    from grader.course.files import UsageError

    known = {*roster, *(one.learner for one in record.hand_ins())}
    if learner not in known:
        near = nearest(learner, known)
        hint = f" Did you mean {near}?" if near else ""
        raise UsageError(f"There is no learner {learner!r} in this class.{hint}")


def _newest(record: Record, learner: str, lab: int) -> Adjustment:
    from grader.course.files import UsageError

    for one in reversed(record.adjustments(learner, lab)):
        if one.undone_at is None:
            return one
    raise UsageError(f"There is no adjustment of {learner} in lab {lab} to take back.")


def _tell(
    course: Settings, roster: Mapping[str, Learner], record: Record, learner: str, lab: int
) -> None:
    """The points as they are now, and every adjustment that led to them."""
    from grader.classroom.marks import marks
    from grader.classroom.report.feedback import headline, moment
    from grader.classroom.report.gradebooks import number

    mark = next(one for one in marks(course, roster, record, [lab]) if one.learner == learner)
    _say([f"{learner}, lab {lab}: {headline(mark)}"])
    for one in record.adjustments(learner, lab):
        undone = f" (undone {moment(one.undone_at, course.zone)})" if one.undone_at else ""
        at = moment(one.at, course.zone)
        _say([f"  {at}: {number(one.points)} points{undone}. {one.reason}"])
    if not record.adjustments(learner, lab):
        say("No adjustment was ever made.")


@click.command()
@click.argument("which", metavar="[N]...", nargs=-1)
def alike(which: tuple[str, ...]) -> None:
    """List pairs of hand-ins that share more than they should.

    N are labs; all of the class unless given. It compares what stands in no starter, in no solution
    and not in half of the hand-ins; names, strings, comments and order count for nothing. A hand-in
    that equals the published solution is named apart. Likeness is a reason to talk, not a verdict.

    \b
    labs class alike
    labs class alike 2
    """
    from grader.classroom import alike
    from grader.course.files import shown
    from grader.course.lab import find

    with _class() as (course, roster, _):
        labs = [find(one) for one in which or map(str, course.labs)]
        found = []
        with interruptible(), Status() as status:
            for lab in labs:
                status(f"Lab {lab.number}: comparing hand-ins")
                found.append(alike.compare(lab, alike.hand_ins(course, lab)))
        with writing(course.reports):
            paths = alike.write(course, roster, found)
    # A class file names every lab from the first day.
    for one in [one for one in found if one.compared or which] or found:
        pairs = counted(len(one.pairs), "pair")
        of = counted(one.compared, "hand-in")
        little = f" ({one.little} with too little of their own)" if one.little else ""
        _say([f"Lab {one.lab.number}: {pairs} above the line, of {of}{little}."])
        _say(f"  {p.one.learner} and {p.two.learner}: {alike.share(p)}" for p in one.pairs[:LISTED])
        if len(one.pairs) > LISTED:
            say(f"  and {len(one.pairs) - LISTED} more")
        solved = one.solved.items()
        _say(f"  {who} equals the published solution ({part:.0%})" for who, part in solved)
    _say([alike.VERDICT, f"Side by side: {shown(paths[0])}"])
