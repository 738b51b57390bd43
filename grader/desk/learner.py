"""What a learner asks of ``labs``: their labs, grades, hints, solutions and timelines.

``grader.desk.cli`` names these commands by import strings, so this is loaded when one of them is
asked for, and each imports what it needs when it runs: a hint does not wait for what a grade needs.
A command returns its exit code, or None for 0; wrong use is a UsageError, which
``grader.desk.cli`` turns into one sentence.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.classroom.outward.formats import ALONE, NAMES, rendered, unnamed
from grader.cloud.words import counted, nearest
from grader.desk.terminal import (
    FAULT,
    MET,
    UNMET,
    apology,
    emit,
    interruptible,
    is_refusal,
    paint_for,
    say,
    shows_blocks,
    warn,
    writing,
)

if TYPE_CHECKING:
    from grader.course.grade import Finding, Grade
    from grader.course.lab import Lab
    from grader.desk.submission import Submission


@click.command()
@click.argument("folder", metavar="[DIR]", default=".")
def init(folder: str) -> None:
    """Copy the labs into DIR (the current folder unless given).

    Files that are already there stay as they are, so this also brings back what was deleted.

    \b
    labs init my-course
    cd my-course
    labs grade 2
    """
    from grader.course.files import UsageError, shown
    from grader.course.lab import labs
    from grader.course.workspace import STATE, Workspace, copy_missing

    root = Path(folder)
    if root.exists() and not root.is_dir():
        raise UsageError(f"{shown(root)} is a file; give a folder to copy the labs into.")
    space = Workspace(root)
    with writing(root):
        (root / STATE).mkdir(parents=True, exist_ok=True)
        for lab in labs():
            copied, kept = copy_missing(lab, space.folder(lab))
            place = shown(space.folder(lab))
            if not kept:
                say(f"{place}: {counted(len(copied), 'file')} copied")
            elif copied:
                say(f"{place}: {', '.join(copied)} copied, the rest kept as it was")
            else:
                say(f"{place}: kept as it was")
    go = "" if root.resolve() == Path.cwd().resolve() else f"cd {shown(root)}, then "
    first = labs()[0].number if labs() else 1
    say(f"Next: {go}labs grade {first}")


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def list_(as_json: bool) -> None:
    """Show the labs, your best scores and how far you are.

    It ends with the next step, and after the last lab with what you have proved. The drills of
    `labs oncall` stand below.

    \b
    labs list
    labs list --json
    """
    from grader.course.lab import labs
    from grader.course.progress import Progress, Store
    from grader.course.workspace import workspace
    from grader.desk import standing
    from grader.sandbox.oncall import book

    space = workspace()
    progress = Store(space.state).load() if space else Progress()
    reached = book.read(space.state if space else None)
    under_way = book.under_way(space.state if space else None)
    if as_json:
        emit(standing.document(labs(), progress, reached, under_way))
        return
    for line in standing.lines(labs(), progress, paint_for(sys.stdout)):
        say(line)
    for line in standing.drills(reached, under_way):
        say(line)
    if space is None:
        say("There is no workspace here: labs init makes one.")


@click.command()
@click.argument("which", metavar="[N|all]", required=False)
@click.option("--path", metavar="DIR", help="Grade the files in DIR instead of your workspace.")
@click.option(
    "--fill",
    type=click.Choice(["starter", "solution"]),
    help="What stands in for files that are absent. The report says where it did.",
)
@click.option("--seed", type=int, default=0, metavar="S", help="Other ids and amounts. Default: 0.")
@click.option("--only", multiple=True, metavar="CRITERION", help="Only this criterion; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
@click.option(
    "--format",
    "form",
    type=click.Choice(NAMES),
    help="One document in another platform's format on stdout, nothing else.",
)
@click.option("--junit", metavar="FILE", help="Also write JUnit XML to FILE.")
@click.option("--open", "shown", is_flag=True, help="Show findings and scenes in the browser.")
@click.option("--html", metavar="FILE", help="Write that page to FILE.")
@click.option("-v", "--verbose", is_flag=True, help="Every criterion and every finding, uncut.")
def grade(
    which: str | None,
    path: str | None,
    fill: str | None,
    seed: int,
    only: tuple[str, ...],
    as_json: bool,
    form: str | None,
    junit: str | None,
    shown: bool,
    html: str | None,
    verbose: bool,
) -> int:
    """Judge lab N by what it does.

    N is a number, a slug or a folder name. Without it, the next lab that is not passed is graded.
    "all" grades every lab; DIR then holds one folder a lab.

    As a page, each finding has the scene that lost it: the play, at the moment that the finding
    speaks of, to be walked through from there.

    \b
    labs grade 2
    labs grade 2 --open
    labs grade 2 --only once-crash -v
    labs grade 2 --path handed-in/mia --fill starter
    labs grade 2 --format gradescope
    labs grade all --json
    """
    from grader.course.files import UsageError
    from grader.course.lab import find, labs
    from grader.desk.submission import Submission, next_lab

    if junit:
        _check_target(Path(junit))
    if as_json and form not in (None, "json"):
        raise UsageError(f"--json and --format {form} both want stdout; give one of them.")
    form = "json" if as_json else form
    if form in ALONE and which == "all":
        raise UsageError(f"--format {form} holds one lab; give its number instead of all.")
    if which == "all":
        if only:
            raise UsageError("--only goes with one lab: criteria belong to a lab.")
        if shown or html:
            raise UsageError("--open and --html show one lab; give its number instead of all.")
        wanted = [Submission.find(lab, path and str(Path(path) / lab.name), fill) for lab in labs()]
    else:
        chosen = find(which) if which is not None else next_lab(path)
        if chosen is None:
            say("Every lab is passed. labs grade all grades them again.")
            return MET
        wanted = [Submission.find(chosen, path, fill)]
    single = which != "all"

    outcomes = []
    for submission in wanted:
        try:
            outcomes.append(submission.grade(seed=seed, only=only, seen=bool(shown or html)))
        except UsageError:
            raise
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_recorded(wanted)) from None
        except Exception as error:
            if not form or not single or is_refusal(error):
                raise
            emit(_broken_document(submission.lab, seed, error, form))
            return FAULT
    grades = [outcome[0] for outcome in outcomes]

    from grader.desk import report

    if shown or html:
        from grader.desk import showing

        again = wanted[0].again(seed)
        showing.write_grade(
            wanted[0],
            grades[0],
            opened=shown,
            html=html,
            again=again,
            tell=warn if form else say,
        )
    if junit:
        from grader.course.files import write_whole

        with writing(Path(junit)):
            write_whole(Path(junit), rendered("junit", grades).encode())
    if form:
        emit(_rendered(form, grades, single))
    elif single:
        (graded, change), submission = outcomes[0], wanted[0]
        emit(submission.text(graded, change, seed, only, verbose, paint_for(sys.stdout)))
    else:
        for (graded, change), submission in zip(outcomes, wanted, strict=True):
            if verbose:
                emit(submission.text(graded, change, seed, (), True, paint_for(sys.stdout)) + "\n")
            else:
                emit(report.summary(graded, paint=paint_for(sys.stdout)))
        score, most = sum(g.score for g in grades), sum(g.max_score for g in grades)
        say(f"All labs: {score} of {most} points")
    codes = {graded.exit_code for graded in grades}
    return next((code for code in (FAULT, UNMET) if code in codes), MET)


@click.command()
@click.argument("which", metavar="[N]", required=False)
@click.option("--path", metavar="DIR", help="Watch the files in DIR instead of your workspace.")
@click.option("--seed", type=int, default=0, metavar="S", help="Other ids and amounts. Default: 0.")
def watch(which: str | None, path: str | None, seed: int) -> int:
    """Judge lab N again on every save.

    Without N, the next lab that is not passed. Each complete run counts as one of labs grade, and
    says what it changed. In a terminal: h shows the next hint for the first task that is not met,
    o opens findings and their scenes in the browser, a shows everything that was found, r grades
    again, q quits. Ctrl-C quits too. The exit code is 0.

    \b
    labs watch 2
    labs watch 2 --path handed-in/mia
    """
    from grader.course.lab import find
    from grader.desk import watch as watching
    from grader.desk.submission import next_lab

    chosen = find(which) if which is not None else next_lab(path, "watch")
    if chosen is None:
        say("Every lab is passed. Name one to watch it again, such as: labs watch 2")
        return MET
    return watching.watch(chosen, path, seed, paint_for(sys.stdout))


@click.command()
@click.argument("which", metavar="N")
@click.argument("task")
@click.option("--step", type=int, metavar="K", help="Show hint K again instead of the next one.")
@click.option("--path", metavar="DIR", help="For the files in DIR: your own hints stay uncounted.")
def hint(which: str, task: str, step: int | None, path: str | None) -> None:
    """Show the next hint for a task of lab N.

    Each task has three: a question, where to read, the shape of the answer.
    TASK is a number or a criterion. What was shown is remembered; reading hints costs no points.

    \b
    labs hint 2 3
    labs hint 2 once-crash
    labs hint 2 3 --step 1
    """
    from grader.course.files import UsageError
    from grader.course.lab import find
    from grader.course.progress import Store
    from grader.course.workspace import workspace
    from grader.desk.submission import Ladder, say_hint

    lab = find(which)
    number = _task_number(lab, task)
    hints = lab.hints.get(number, ())
    if not hints:
        raise UsageError(f"Lab {lab.number} has no hints for task {number}.")
    if step is not None and not 1 <= step <= len(hints):
        raise UsageError(f"Task {number} has {len(hints)} hints; --step goes from 1 to that.")
    # How far the hints were climbed is the learner's; a folder that is not theirs counts nothing.
    space = workspace() if path is None else None
    ladder = Ladder(lab, Store(space.state) if space else None)
    with writing(space.state if space else Path()):
        show = ladder.climb(number, step)
    again = f"labs hint {lab.number} {number}"
    if path is not None:
        again += f' --path "{path}"' if " " in path else f" --path {path}"
    say_hint(lab, number, show, f"{again} --step {show + 1}" if step or space is None else again)


@click.command()
@click.argument("which", metavar="N")
@click.option("--best", is_flag=True, help="Bring back your best-scoring files instead.")
def reset(which: str, best: bool) -> None:
    """Put lab N back to its starter and keep a backup.

    The backup's place is printed. Nothing else in the folder is touched.

    \b
    labs reset 2
    labs reset 2 --best
    """
    from grader.course.files import UsageError, shown
    from grader.course.lab import find
    from grader.course.progress import Store
    from grader.course.workspace import pristine, restore
    from grader.desk.submission import own_workspace

    lab, space = find(which), own_workspace()
    content, what = pristine(lab), "the starter"
    if best:
        store = Store(space.state)
        entry = store.load().of(lab)
        content, what = store.best_files(entry), f"your best files ({entry.best} points)"
        if not content:
            raise UsageError(f"No files are kept for lab {lab.number}: it has not been graded yet.")
    folder = space.folder(lab)
    with writing(folder):
        changed, backup = restore(lab, folder, content, space.state / "backups")
    if not changed:
        say(f"{shown(folder)} already holds {what}. Nothing was changed.")
        return
    say(f"{shown(folder)} holds {what} again: {', '.join(changed)}.")
    if backup:
        say(f"What was there before is in {shown(backup)}.")


@click.command()
@click.argument("which", metavar="N")
@click.option("--give-up", is_flag=True, help="Open it before full marks; progress remembers that.")
@click.option("--to", metavar="DIR", help="Copy it into DIR instead of printing it.")
def solution(which: str, give_up: bool, to: str | None) -> int:
    """Show the solution of lab N. It opens with full marks.

    Its NOTES.md says why it is right and which other answers are.

    \b
    labs solution 2
    labs solution 2 --give-up --to compare
    """
    from grader.course.files import UsageError, files_in, shown, write_files
    from grader.course.lab import find

    lab = find(which)
    if not _is_open(lab, give_up):
        return UNMET
    # What explains comes before what is explained.
    names = sorted(files_in(lab.solution), key=lambda name: (name != "NOTES.md", name))
    files = {name: (lab.solution / name).read_bytes() for name in names}
    if to is None:
        for name, content in files.items():
            say(f"==> {name} <==")
            say(content.decode("utf-8").rstrip("\n") + "\n")
        return MET
    target = Path(to)
    taken = [name for name in files if (target / name).exists()]
    if taken:
        raise UsageError(f"{shown(target)} already holds {', '.join(taken)}; give another folder.")
    with writing(target):
        write_files(target, files)
    say(f"{', '.join(files)} copied to {shown(target)}.")
    return MET


def _is_open(lab: Lab, give_up: bool = False) -> bool:
    """Whether the solution may be looked at, and how it would be; it is remembered who gave up."""
    from grader.course.files import UsageError
    from grader.course.progress import Entry, Store
    from grader.course.workspace import workspace

    if not lab.solution.is_dir():
        raise UsageError(f"This installation has no solution of lab {lab.number}.")
    entry, space = Entry(), workspace()
    if space:
        store = Store(space.state)
        entry = store.load().of(lab)
        opened = entry.solution or ("earned" if entry.passed else "given up" if give_up else "")
        if opened and opened != entry.solution:
            with writing(space.state), store.edit() as progress:
                progress.of(lab).solution = opened
    if entry.passed or entry.solution or give_up:
        return True
    best = "not graded yet" if entry.best is None else f"best so far: {entry.best} of 100"
    say(f"The solution of lab {lab.number} opens with full marks ({best}).")
    say(f"To open it now: labs solution {lab.number} --give-up")
    return False


@click.command()
@click.argument("which", metavar="N")
@click.argument("scenario", required=False)
@click.option("--path", metavar="DIR", help="Play the files in DIR instead of your workspace.")
@click.option("--fill", type=click.Choice(["starter", "solution"]), help="See labs grade.")
@click.option("--seed", type=int, default=0, metavar="S", help="Other ids and amounts. Default: 0.")
@click.option("-v", "--verbose", is_flag=True, help="Also attempts like the one before, each.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
@click.option("--open", "shown", is_flag=True, help="Show it as a page in the browser.")
@click.option("--html", metavar="FILE", help="Write that page to FILE.")
@click.option(
    "--beside",
    metavar="DIR|solution",
    help="On the page, play the files in DIR beside yours; the solution after full marks.",
)
@click.option("--trace", metavar="FILE", help="Write a trace for Perfetto or Chrome to FILE.")
def run(
    which: str,
    scenario: str | None,
    path: str | None,
    fill: str | None,
    seed: int,
    verbose: bool,
    as_json: bool,
    shown: bool,
    html: str | None,
    beside: str | None,
    trace: str | None,
) -> int:
    """Play a scenario of lab N and show its timeline.

    It says when which batch went to the function, what came back, and what Lambda did about it.
    Attempts that only repeat the one before are counted; -v shows each. Where the files cannot be
    played, it says why as labs grade does, and exits with 1.

    As a page it can be walked through step by step: which record waits where, each attempt with the
    handler's answer, its calls and its log, and why Lambda did what it then did.

    \b
    labs run 2
    labs run 2 bad-records
    labs run 2 --open
    """
    from grader.course.files import UsageError, written
    from grader.course.lab import find
    from grader.desk.submission import Submission

    if beside and not (shown or html):
        raise UsageError("--beside is for a page: give --open or --html FILE with it.")
    submission = Submission.find(find(which), path, fill)
    if beside == "solution":
        if not _is_open(submission.lab):
            return UNMET
        beside = str(submission.lab.solution)
    other = Submission.find(submission.lab, beside, fill) if beside else None
    warn(*submission.notes, *(other.notes if other else ()))
    with written(submission.files) as folder, interruptible(), _known_scenario(scenario):
        from grader.course import judge
        from grader.course.grade import Unmet, Unreached
        from grader.desk import showing

        if as_json or shown or html or trace:
            document, stopped = judge.run(submission.lab, folder, seed, scenario)
            second = None
            if other:
                with written(other.files) as place:
                    second, _ = judge.run(other.lab, place, seed, scenario)
            showing.write_run(
                document, second, as_json=as_json, opened=shown, html=html, trace=trace
            )
            if stopped is None:
                return MET
            return UNMET if as_json else _say_stopped(submission.lab, stopped)
        look = {"whole": verbose, "plain": not shows_blocks()}
        try:
            for line in judge.timeline(submission.lab, folder, seed, scenario, **look):
                say(line)
        except (Unmet, Unreached) as met:
            return _say_stopped(submission.lab, met.finding)
    return MET


def _say_stopped(lab: Lab, finding: Finding) -> int:
    from grader.desk import report

    say(f"Lab {lab.number} cannot be played to its end with these files:")
    for line in report.finding_lines(finding):
        say(line)
    return UNMET


@contextmanager
def _known_scenario(scenario: str | None) -> Iterator[None]:
    from grader.course.files import UsageError

    try:
        yield
    except KeyError as error:
        # The judge names the scenarios it knows; any other KeyError is its own fault.
        if scenario is None or not str(error.args[0]).startswith(f"{scenario}: "):
            raise
        known = str(error.args[0]).partition(": ")[2]
        raise UsageError(f"There is no scenario {scenario!r}: {known.rstrip('.')}.") from None


def _task_number(lab: Lab, task: str) -> int:
    from grader.course.files import UsageError

    numbers = [known.number for known in lab.tasks] or list(lab.hints)
    if task.isascii() and task.isdigit():
        same = [number for number in numbers if f"{number}" == task.lstrip("0")]
        if same:
            return same[0]
        last = max(numbers, default=0)
        raise UsageError(f"Lab {lab.number} has no task {task}; its tasks are 1 to {last}.")
    from grader.course import judge

    tasks = {criterion.id: criterion.task for criterion in judge.criteria(lab)}
    if task in tasks:
        return tasks[task]
    near = nearest(task, tasks)
    hint = f"Did you mean {near!r}?" if near else "Give its number, such as: labs hint 2 1."
    raise UsageError(f"Lab {lab.number} has no task {task!r}. {hint}")


def _recorded(submissions: Sequence[Submission]) -> str:
    """What an interrupted run of several labs has recorded; "" for nothing."""
    numbers = [str(one.lab.number) for one in submissions if one.recorded]
    if not numbers:
        return ""
    return f"Recorded: lab{'s' * (len(numbers) > 1)} {', '.join(numbers)}. Nothing else was."


def _check_target(file: Path) -> None:
    from grader.course.files import UsageError, shown

    if file.is_dir():
        raise UsageError(f"{shown(file)} is a folder; --junit needs a file.")
    if not file.parent.is_dir():
        raise UsageError(f"There is no folder {shown(file.parent)} to write {file.name} into.")


def _rendered(form: str, grades: Sequence[Grade], single: bool) -> str:
    """The grades in another platform's format, and a word where it will not take them."""
    if form == "classroom50" and (missing := unnamed(os.environ)):
        warn(
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set, so the result"
            " names no submission. Classroom 50's runner sets them."
        )
    return rendered(form, grades, single=single, environment=os.environ)


def _broken_document(lab: Lab, seed: int, error: Exception, form: str) -> str:
    """The document of a run that our own fault ended, so that a program can still read it."""
    from grader.course.grade import Grade

    warn(apology(error))
    note = f"The grader failed before it could judge: {type(error).__name__}."
    return _rendered(form, [Grade(lab.number, lab.slug, seed, verdicts=(), notes=[note])], True)
