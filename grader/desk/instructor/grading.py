"""``labs class grade``: what has changed is graded, on every core or a cluster."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cloud.words import counted
from grader.desk.terminal import (
    FAULT,
    MET,
    UNMET,
    Status,
    ended_by_signals,
    say,
    warn,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grader.classroom.grading import Difference, Tally, Task
    from grader.classroom.record import Key, Record, Refusal
    from grader.classroom.work import Address

# How often a line is printed where there is no terminal, in seconds.
LINE_S = 15.0
# So many differences and faults are listed one by one.
LISTED = 50


@click.command()
@click.argument("which", metavar="[N]...", nargs=-1)
@click.option("--only", multiple=True, metavar="LEARNER", help="Only this learner; repeatable.")
@click.option("--workers", type=click.IntRange(0, 256), metavar="W", help="Processes; the cores.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler: tls://HOST:8786.")
@click.option("--cert", metavar="FILE", help="Our certificate, for tls://.")
@click.option("--key", metavar="FILE", help="Its key.")
@click.option("--ca", metavar="FILE", help="Who signed the scheduler's certificate.")
@click.option("--insecure", is_flag=True, help="Permit tcp:// to another machine.")
@click.option("--weak-isolation", is_flag=True, help="Grade where learner code is not shut in.")
@click.option("--seed", type=int, metavar="S", help="One seed for all. Default: the class's, or 0.")
@click.option("--secret", metavar="FILE", help="A seed for each learner and lab, from a secret.")
@click.option("--regrade", is_flag=True, help="Grade again beside, under the course as it is now.")
@click.option("--retry", is_flag=True, help="Try again what was the grader's fault.")
@click.option("--publish", is_flag=True, help="Make the grades of this course and seed the marks.")
def grade(
    which: tuple[str, ...],
    only: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    cert: str | None,
    key: str | None,
    ca: str | None,
    insecure: bool,
    weak_isolation: bool,
    seed: int | None,
    secret: str | None,
    regrade: bool,
    retry: bool,
    publish: bool,
) -> int:
    """Grade every hand-in that has changed, on every core or a cluster.

    N are labs; all of the class unless given. What is graded is kept at once, so this can be ended
    and started again at any time. The first grade of files is their mark; --regrade changes none
    and lists the differences, --publish takes them.

    \b
    labs class grade
    labs class grade 2 --only mia --workers 0
    labs class grade --scheduler tls://grader.example.org:8786 \\
        --cert me.pem --key me.key --ca ca.pem
    labs class grade --regrade, and when you agree: --publish

    Exit codes: 0 every hand-in has a grade, 1 some cannot be read, 2 used wrongly or impossible
    here, 3 some is the grader's fault.
    """
    from grader.classroom import grading, settings
    from grader.classroom.record import Record
    from grader.classroom.seeds import seeds
    from grader.classroom.version import course_version
    from grader.course.lab import find

    course_of = settings.load(Path.cwd())
    chosen = seeds(
        seed if seed is not None or secret else course_of.seed,
        Path(secret) if secret else course_of.secret if seed is None else None,
    )
    labs = [find(one) for one in which or map(str, course_of.labs)]
    wanted = _wanted(workers, scheduler, cert, key, ca, insecure)
    course = course_version()
    with grading.alone(course_of.root, _say_waiting), Record(course_of.record) as record:
        held, refused = grading.collect(course_of.handed_in, labs, only)
        grading.note(record, held, refused)
        tasks = grading.due(record, held, chosen, course, regrade=regrade, retry=retry)
        tally = None
        if tasks:
            tally = _run(record, course, tasks, wanted, weak_isolation)
        now = grading.standing(record, held, chosen, course)
        _tell(record, now, refused, tally)
        graded = [one for one, status in now.items() if status == "graded"]
        changed = grading.differences(record, graded)
        _tell_differences(changed, publish)
        if publish:
            say(f"{counted(record.publish(graded), 'mark')} changed.")
    if "fault" in now.values():
        return FAULT
    return UNMET if refused or None in now.values() else MET


def _wanted(
    workers: int | None,
    scheduler: str | None,
    cert: str | None,
    key: str | None,
    ca: str | None,
    insecure: bool,
) -> int | Address:
    """How many workers here, or the scheduler that has some. UsageError for what does not fit."""
    from grader.classroom.work import Address
    from grader.course.files import UsageError
    from grader.course.warm import cores

    if scheduler is None:
        if cert or key or ca or insecure:
            raise UsageError("--cert, --key, --ca and --insecure go with --scheduler.")
        return cores() if workers is None else workers
    if workers is not None:
        raise UsageError("Give --workers for this machine or --scheduler for another, not both.")
    address = Address(scheduler, cert, key, ca)
    address.check(insecure)
    if insecure and scheduler.startswith("tcp://"):
        warn(f"{scheduler} is not encrypted: whoever reaches that port runs code there.")
    return address


def _say_waiting() -> None:
    warn("Another labs class grade is at work on this class; this one goes on after it.")


def _run(
    record: Record, course: str, tasks: Sequence[Task], wanted: int | Address, weak: bool
) -> Tally:
    """Grade what is due; Ctrl-C ends it with a sentence on what was done."""
    from grader.classroom.grading import Run, hire
    from grader.classroom.work import Terms

    if isinstance(wanted, int):
        wanted = min(wanted, len(tasks))
    run = None
    try:
        with ended_by_signals(), Status(lines=True, seconds_between=LINE_S) as status:
            status(f"{counted(sum(len(task.held) for task in tasks), 'hand-in')} to grade")
            with closing(hire(wanted, Terms(weak=weak))) as workers:
                run = Run(record, workers, course, tasks)
                return run.go(status)
    except KeyboardInterrupt:
        done = run.tally.done if run else 0
        raise KeyboardInterrupt(
            f"{counted(done, 'hand-in')} graded and kept; labs class grade goes on with the rest."
        ) from None


def _tell(
    record: Record,
    now: Mapping[Key, str | None],
    refused: Sequence[Refusal],
    tally: Tally | None,
) -> None:
    """What was done, and what stands in the way of the rest."""
    if tally is None:
        say("Nothing to grade." if now or refused else "Nothing is handed in yet: labs class take.")
    else:
        tiers = " and ".join(sorted(filter(None, tally.tiers)))
        say(f"{counted(tally.graded, 'hand-in')} graded. Isolation: {tiers or 'none'}.")
    for refusal in [*refused, *(tally.passed_over if tally else ())]:
        _line(f"{refusal.learner}, lab {refusal.lab}: not graded. {refusal.sentence}")
    for key, status in now.items():
        if status == "fault":
            fault = next(row.fault for row in record.grades(*key[:2]) if row.key == key)
            _line(f"{key[0]}, lab {key[1]}: the grader's fault, {' '.join(str(fault).split())}")
    if "fault" in now.values():
        say("What was the grader's fault is no mark; --retry tries it again.")


def _tell_differences(changed: Sequence[Difference], published: bool) -> None:
    for one in changed[:LISTED]:
        outcomes = ", ".join(
            f"{name} {before} -> {after}" for name, (before, after) in one.outcomes.items()
        )
        before, after = one.scores
        _line(
            f"{one.before.learner}, lab {one.before.lab}: {before} -> {after} points ({outcomes})"
        )
    if len(changed) > LISTED:
        say(f"... and {len(changed) - LISTED:,} more.")
    if changed and not published:
        marks = counted(len(changed), "published mark")
        say(f"{marks} would change; --publish takes what is new.")


def _line(text: str) -> None:
    say("\n".join(wrapped(text)))
