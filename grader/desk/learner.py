"""The commands of ``labs``: what each one does with its arguments.

Loaded by ``grader.desk.cli`` when a command is asked for. Each command imports what it needs when
it runs, so that a hint does not wait for what a grade needs. A command returns its exit code, or
None for 0; wrong use is a UsageError, which ``grader.desk.cli`` turns into one sentence.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader.desk.cli import (
    FAULT,
    MET,
    MISUSED,
    UNMET,
    Commands,
    apology,
    emit,
    nearest,
    say,
    warn,
)

if TYPE_CHECKING:
    from grader.course.lab import Lab
    from grader.desk.report import Paint


# --- commands for learners --------------------------------------------------------------------


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
    from grader.course.lab import STATE, UsageError, Workspace, copy_missing, labs, shown

    root = Path(folder)
    if root.exists() and not root.is_dir():
        raise UsageError(f"{shown(root)} is a file; give a folder to copy the labs into.")
    space = Workspace(root)
    with _writing(root):
        (root / STATE).mkdir(parents=True, exist_ok=True)
        for lab in labs():
            copied, kept = copy_missing(lab, space.folder(lab))
            place = shown(space.folder(lab))
            if not kept:
                say(f"{place}: {_count(len(copied), 'file')} copied")
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

    It ends with the next step, and after the last lab with what you have proved.

    \b
    labs list
    labs list --json
    """
    from grader.course.lab import labs, workspace
    from grader.course.progress import Progress, Store
    from grader.desk import standing

    space = workspace()
    progress = Store(space.state).load() if space else Progress()
    if as_json:
        emit(standing.document(labs(), progress))
        return
    for line in standing.lines(labs(), progress, _paint(sys.stdout)):
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
@click.option("--junit", metavar="FILE", help="Also write JUnit XML to FILE.")
@click.option("-v", "--verbose", is_flag=True, help="Every criterion and every finding, uncut.")
def grade(
    which: str | None,
    path: str | None,
    fill: str | None,
    seed: int,
    only: tuple[str, ...],
    as_json: bool,
    junit: str | None,
    verbose: bool,
) -> int:
    """Judge lab N by what it does.

    N is a number, a slug or a folder name. Without it, the next lab that is not passed is graded.
    "all" grades every lab; DIR then holds one folder a lab.

    \b
    labs grade 2
    labs grade 2 --only once-crash -v
    labs grade 2 --path handed-in/mia --fill starter
    labs grade all --json
    """
    from grader.course.lab import UsageError, find, labs
    from grader.desk.submission import Submission, next_lab

    if junit:
        _check_target(Path(junit))
    if which == "all":
        if only:
            raise UsageError("--only goes with one lab: criteria belong to a lab.")
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
            outcomes.append(submission.grade(seed=seed, only=only))
        except UsageError:
            raise
        except Exception as error:
            if not as_json or not single:
                raise
            emit(_broken_document(submission.lab, seed, error))
            return FAULT
    grades = [outcome[0] for outcome in outcomes]

    from grader.desk import report

    if junit:
        from grader.course.lab import write_whole

        with _writing(Path(junit)):
            write_whole(Path(junit), report.junit(grades).encode())
    if as_json:
        emit(report.json_text(grades[0]) if single else report.json_all(grades))
    elif single:
        (graded, change), submission = outcomes[0], wanted[0]
        emit(submission.text(graded, change, seed, only, verbose, _paint(sys.stdout)))
    else:
        for (graded, change), submission in zip(outcomes, wanted, strict=True):
            if verbose:
                emit(submission.text(graded, change, seed, (), True, _paint(sys.stdout)) + "\n")
            else:
                emit(report.summary(graded, paint=_paint(sys.stdout)))
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
    a everything that was found, r grades again, q quits. Ctrl-C quits too. The exit code is 0.

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
    return watching.watch(chosen, path, seed, _paint(sys.stdout))


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
    from grader.course.lab import UsageError, find, workspace
    from grader.course.progress import Store
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
    with _writing(space.state if space else Path()):
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
    from grader.course.lab import UsageError, find, pristine, restore, shown
    from grader.course.progress import Store
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
    with _writing(folder):
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
    from grader.course.lab import UsageError, files_in, find, shown, workspace, write_files
    from grader.course.progress import Entry, Store

    lab, space = find(which), workspace()
    if not lab.solution.is_dir():
        raise UsageError(f"This installation has no solution of lab {lab.number}.")
    entry = Entry()
    if space:
        store = Store(space.state)
        entry = store.load().of(lab)
        opened = entry.solution or ("earned" if entry.passed else "given up" if give_up else "")
        if opened and opened != entry.solution:
            with _writing(space.state), store.edit() as progress:
                progress.of(lab).solution = opened
    if not (entry.passed or entry.solution or give_up):
        best = "not graded yet" if entry.best is None else f"best so far: {entry.best} of 100"
        say(f"The solution of lab {lab.number} opens with full marks ({best}).")
        say(f"To open it now: labs solution {lab.number} --give-up")
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
    with _writing(target):
        write_files(target, files)
    say(f"{', '.join(files)} copied to {shown(target)}.")
    return MET


@click.command()
@click.argument("which", metavar="N")
@click.argument("scenario", required=False)
@click.option("--path", metavar="DIR", help="Play the files in DIR instead of your workspace.")
@click.option("--fill", type=click.Choice(["starter", "solution"]), help="See labs grade.")
@click.option("--seed", type=int, default=0, metavar="S", help="Other ids and amounts. Default: 0.")
def run(which: str, scenario: str | None, path: str | None, fill: str | None, seed: int) -> None:
    """Play a scenario of lab N and show its timeline.

    It says when which batch went to the function, what came back, and what Lambda did about it.

    \b
    labs run 2
    labs run 2 bad-records
    """
    from grader.course.lab import UsageError, find, written
    from grader.desk.submission import Submission, interruptible

    submission = Submission.find(find(which), path, fill)
    warn(*submission.notes)
    with written(submission.files) as folder, interruptible():
        from grader.course import judge

        try:
            for line in judge.timeline(submission.lab, folder, seed, scenario):
                say(line)
        except KeyError as error:
            # The judge names the scenarios it knows; any other KeyError is its own fault.
            if scenario is None or not str(error.args[0]).startswith(f"{scenario}: "):
                raise
            known = str(error.args[0]).partition(": ")[2]
            raise UsageError(f"There is no scenario {scenario!r}: {known.rstrip('.')}.") from None


@click.command()
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--sarif", metavar="FILE", help="Write SARIF 2.1.0 into FILE (- for stdout).")
@click.option(
    "--parameter",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    help="A value for a parameter of the template. May be repeated.",
)
@click.option("--skip", metavar="ITEM", multiple=True, help="Leave an item out. May be repeated.")
@click.option("--allow-unknown", is_flag=True, help="Let what cannot be told pass.")
@click.option("-v", "--verbose", is_flag=True, help="Show the evidence for what is met too.")
def check(
    path: str,
    as_json: bool,
    sarif: str | None,
    parameters: tuple[str, ...],
    skip: tuple[str, ...],
    allow_unknown: bool,
    verbose: bool,
) -> int:
    """Check any template with a stream consumer for production.

    PATH is a CloudFormation or SAM template, or a folder that holds one. Every consumer of a
    DynamoDB stream in it is asked every item of the production checklist. What stands outside the
    template is "cannot tell", which counts as not met unless --allow-unknown is given; advice
    never counts. Exit codes: 0 everything that counts is met, 1 not everything is, 2 there is
    nothing to check.

    \b
    labs check template.yaml
    labs check cdk.out --json
    labs check template.yaml --sarif checklist.sarif --allow-unknown
    """
    from grader.course.lab import UsageError
    from grader.desk import check as checking
    from grader.review.checklist import ITEMS, output

    if as_json and sarif == "-":
        raise UsageError("Two documents do not fit on stdout: give --sarif a file.")
    values = {}
    for one in parameters:
        name, equals, value = one.partition("=")
        if not equals:
            raise UsageError(f"--parameter takes NAME=VALUE, not {one!r}.")
        values[name] = value
    checked = checking.check(checking.find(Path(path)), parameters=values, skip=skip)
    report = checked.report
    if sarif is not None:
        text = output.sarif(report, items=ITEMS, uri=report.path)
        if sarif == "-":
            emit(text)
        else:
            with _writing(Path(sarif)):
                Path(sarif).write_text(text, encoding="utf-8")
    if as_json:
        emit(output.json_text(report, unknown_is_fine=allow_unknown, remarks=checked.remarks))
    elif sarif != "-":
        paint = _paint(sys.stdout)
        emit(checking.text(checked, verbose=verbose, paint=paint, unknown_is_fine=allow_unknown))
    if not report.consumers:
        return MISUSED
    return MET if report.decides(unknown_is_fine=allow_unknown) else UNMET


@click.command()
@click.argument("which", metavar="N")
@click.option("--path", metavar="DIR", help="Take the template in DIR instead of your workspace's.")
@click.option("--fill", type=click.Choice(["starter", "solution"]), help="See labs grade.")
@click.option(
    "--writes-per-second",
    type=float,
    default=1.0,
    show_default=True,
    metavar="W",
    help="Writes to each table with a stream.",
)
@click.option(
    "--item-bytes", type=int, default=300, show_default=True, metavar="B", help="Size of an item."
)
@click.option(
    "--passing",
    type=float,
    default=100.0,
    show_default=True,
    metavar="PERCENT",
    help="Share of the records that the filter lets through.",
)
@click.option(
    "--call-ms",
    type=float,
    default=20.0,
    show_default=True,
    metavar="MS",
    help="Time of an invocation without its records.",
)
@click.option(
    "--record-ms",
    type=float,
    default=10.0,
    show_default=True,
    metavar="MS",
    help="Time of an invocation for each record.",
)
@click.option(
    "--units-per-record",
    type=float,
    default=4.0,
    show_default=True,
    metavar="U",
    help="Write units that the function consumes for a record.",
)
@click.option(
    "--log-bytes",
    type=int,
    default=600,
    show_default=True,
    metavar="B",
    help="Log of an invocation, Lambda's own lines included.",
)
@click.option(
    "--custom-metrics",
    type=int,
    default=0,
    show_default=True,
    metavar="K",
    help="Metrics of the function's own.",
)
@click.option(
    "--messages",
    type=int,
    default=100,
    show_default=True,
    metavar="K",
    help="Messages a month to each queue and topic.",
)
@click.option(
    "--reads-per-second",
    type=float,
    default=0.0,
    show_default=True,
    metavar="R",
    help="GetRecords calls of readers other than Lambda.",
)
@click.option("--no-free", is_flag=True, help="Other stacks have used up the free quotas.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def cost(
    which: str,
    path: str | None,
    fill: str | None,
    no_free: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Estimate a month's bill of lab N's stack, line by line.

    The stack is your template.yaml; the traffic is steady. It says what the always-free quotas
    cover and what would be charged. Prices are those of us-east-1, each with its source and date
    in the JSON. A new account's credits are not taken off.

    \b
    labs cost 5
    labs cost 5 --writes-per-second 20
    labs cost 5 --writes-per-second 20 --no-free --json
    """
    import json

    from grader.cloud import template
    from grader.course.lab import UsageError, find
    from grader.desk.submission import Submission
    from grader.review import estimate, pricing

    lab = find(which)
    submission = Submission.find(lab, path, fill)
    if "template.yaml" not in submission.files:
        raise UsageError(f"Lab {lab.number} has no template.yaml to estimate.")
    if not as_json:
        warn(*submission.notes)
    share = given.pop("passing") / 100
    try:
        traffic = estimate.Traffic(passing=share, **given)
    except ValueError as error:
        raise UsageError(f"This traffic cannot be: {error}.") from None
    try:
        stack = template.resolve(submission.files["template.yaml"].decode("utf-8"))
    except template.TemplateProblems as problems:
        first = problems.problems[0]
        line = f":{first.line}" if first.line else ""
        raise UsageError(
            f"template.yaml{line} cannot be deployed, so nothing is estimated: {first.sentence}"
        ) from None
    try:
        found = estimate.estimate(stack, traffic, pricing.load(), free=not no_free)
    except ValueError as error:
        raise UsageError(f"A setting of the template is none that AWS takes: {error}.") from None
    if as_json:
        document = {
            "schema": "labs/cost/v1",
            "lab": lab.number,
            "slug": lab.slug,
            "traffic": traffic.document(),
            "free_quotas": not no_free,
            **found.document(),
        }
        emit(json.dumps(document, indent=2) + "\n")
        return
    say(f"Lab {lab.number} {lab.slug}: a month at {traffic.writes_per_second:g} writes a second")
    say("")
    for text in found.text():
        say(text)


@click.command()
@click.option("--repair", "mend", is_flag=True, help="First mend your progress; keeps a backup.")
def doctor(mend: bool) -> int:
    """Check this machine: Python, packages, isolation.

    Each line is "ok", "note" (a limit to know about) or "attention" (and what to do).

    \b
    labs doctor
    labs doctor --repair
    """
    from grader.course.lab import workspace
    from grader.desk.doctor import examine, repair

    if mend:
        for sentence in repair(workspace()) or ["Nothing had to be mended."]:
            say(sentence)
        say("")
    attention = 0
    for line in examine(workspace()):
        attention += line.state == "attention"
        say(line.text())
    return UNMET if attention else MET


@click.command()
@click.argument("page", required=False)
@click.option("--print", "as_text", is_flag=True, help="Print the page as text.")
@click.option("--serve", is_flag=True, help="Serve the site to this machine until Ctrl-C.")
@click.option("--port", type=int, default=0, metavar="PORT", help="For --serve. Default: any.")
def docs(page: str | None, as_text: bool, serve: bool, port: int) -> None:
    """Open PAGE of the course, or its start page.

    It works without a network. A clone builds the site first if MkDocs is installed; without a
    built site the place of the page's Markdown text is printed.

    \b
    labs docs
    labs docs modules/02-lambda-triggers
    labs docs reference/cli#exit-codes --print
    labs docs --serve
    """
    from grader.course.lab import UsageError, pages
    from grader.desk import site

    _build_site()
    name, _, anchor = (page or "index").partition("#")
    name = name.removesuffix(".md").removesuffix(".html").strip("/")
    known = pages()
    place = known.get(name) or known.get(f"{name}/index")
    if place is None:
        near = nearest(name, known)
        hint = f" Did you mean {near!r}?" if near else " labs docs shows the start page."
        raise UsageError(f"There is no page {page!r}.{hint}")
    if as_text:
        emit(site.as_text(place, anchor))
        return
    if place.suffix != ".html":
        if serve:
            raise UsageError("There is no built site to serve: install the extra docs.")
        say(str(place))
        return
    fragment = f"#{anchor}" if anchor else ""
    if not serve:
        address = place.as_uri() + fragment
        say(address)
        if sys.stdout.isatty():
            click.launch(address)
        return
    root = known["index"].parent
    with site.server(root, port) as server:
        path = place.relative_to(root).as_posix()
        say(f"http://127.0.0.1:{server.server_address[1]}/{path}{fragment}")
        say("Ctrl-C ends it.")
        server.serve_forever()


def _build_site() -> None:
    """Build the clone's site anew if something in it has changed and MkDocs is installed."""
    from grader.course.lab import PACKAGE, is_clone
    from grader.desk import site

    root = PACKAGE.parent
    if is_clone(root) and site.can_build() and site.is_stale(root, root / "site"):
        warn("Building the site. It takes a few seconds.")
        site.build(root, root / "site")


# --- commands for maintainers -----------------------------------------------------------------


@click.group(cls=Commands)
def dev() -> None:
    """For maintainers: check the labs, scaffold one.

    \b
    labs dev check
    labs dev new 07-fan-out
    labs dev sync
    """


@dev.command("check")
@click.argument("which", metavar="[N]...", nargs=-1)
@click.option("--seeds", type=click.IntRange(1), default=20, show_default=True, metavar="S")
def dev_check(which: tuple[str, ...], seeds: int) -> int:
    """Refuse labs that are not in order: texts, points, hints, starter, solution on S seeds.

    \b
    labs dev check
    labs dev check 2 --seeds 3
    """
    from grader.course.lab import find
    from grader.desk.submission import Status, interruptible
    from grader.maintain import contract as course

    with Status(lines=True) as status, interruptible():
        found = course.check(_clone(), [find(name) for name in which], seeds, status)
    for problem in found:
        say(str(problem))
    say(f"{_count(len(found), 'problem')} found." if found else "Every lab is in order.")
    return UNMET if found else MET


@dev.command("new")
@click.argument("name", metavar="NN-slug")
def dev_new(name: str) -> None:
    """Scaffold a lab: its folders, its checks, its page. Prints what remains to be done.

    \b
    labs dev new 07-fan-out
    """
    from grader.maintain import contract as course

    for line in course.new(_clone(), name):
        say(line)


@dev.command("sync")
def dev_sync() -> None:
    """Copy labs/ to the pristine mirror in the package, and write the command reference anew.

    \b
    labs dev sync
    """
    from grader.maintain import contract as course

    for line in course.sync(_clone()) or ["Everything was in step."]:
        say(line)


# --- what the commands share ------------------------------------------------------------------


def _clone() -> Path:
    from grader.course.lab import PACKAGE, UsageError, is_clone

    if not is_clone(PACKAGE.parent):
        raise UsageError("labs dev works in a clone of the repository, installed with pip -e.")
    return PACKAGE.parent


def _task_number(lab: Lab, task: str) -> int:
    from grader.course.lab import UsageError

    numbers = [known.number for known in lab.tasks] or list(lab.hints)
    if task.isascii() and task.isdigit():
        if int(task) in numbers:
            return int(task)
        last = max(numbers, default=0)
        raise UsageError(f"Lab {lab.number} has no task {task}; its tasks are 1 to {last}.")
    from grader.course import judge

    tasks = {criterion.id: criterion.task for criterion in judge.criteria(lab)}
    if task in tasks:
        return tasks[task]
    near = nearest(task, tasks)
    hint = f"Did you mean {near!r}?" if near else "Give its number, such as: labs hint 2 1."
    raise UsageError(f"Lab {lab.number} has no task {task!r}. {hint}")


def _check_target(file: Path) -> None:
    from grader.course.lab import UsageError, shown

    if file.is_dir():
        raise UsageError(f"{shown(file)} is a folder; --junit needs a file.")
    if not file.parent.is_dir():
        raise UsageError(f"There is no folder {shown(file.parent)} to write {file.name} into.")


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Turn what the disk refuses into one sentence."""
    from grader.course.lab import UsageError, shown

    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{shown(place)} cannot be written: {reason}.") from None


def _broken_document(lab: Lab, seed: int, error: Exception) -> str:
    """The JSON document of a run that our own fault ended, so that a program can still read it."""
    import json

    from grader.course.grade import Grade

    warn(apology(error))
    note = f"The grader failed before it could judge: {type(error).__name__}."
    empty = Grade(lab=lab.number, slug=lab.slug, seed=seed, verdicts=(), notes=[note])
    return json.dumps({**empty.document(), "status": "broken"}, indent=2) + "\n"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _paint(stream: Any) -> Paint:
    """Colour only for a terminal that wants it. https://no-color.org"""
    from grader.desk.report import coloured, plain

    wanted = stream.isatty() and not os.environ.get("NO_COLOR")
    return coloured if wanted and os.environ.get("TERM") != "dumb" else plain


COMMANDS: dict[str, click.Command] = {
    str(command.name): command
    for command in (
        init,
        list_,
        grade,
        watch,
        hint,
        reset,
        solution,
        run,
        cost,
        check,
        doctor,
        docs,
        dev,
    )
}
