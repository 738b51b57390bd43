"""The commands of ``labs``: what each one does with its arguments.

Loaded by ``grader.cli`` when a command is asked for. Each command imports what it needs when it
runs, so that a hint does not wait for what a grade needs. A command returns its exit code, or None
for 0; wrong use is a UsageError, which ``grader.cli`` turns into one sentence.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from grader.cli import FAULT, MET, UNMET, Commands, apology, emit, nearest, say, warn

if TYPE_CHECKING:
    from grader.grade import Grade
    from grader.lab import Lab, Workspace
    from grader.progress import Store
    from grader.report import Change, Paint


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
    from grader.lab import STATE, UsageError, Workspace, copy_missing, labs, shown

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
def list_() -> None:
    """Show the labs, your best scores and how far you are.

    \b
    labs list
    """
    from grader.lab import labs, workspace
    from grader.progress import Entry, Store

    space = workspace()
    progress = Store(space.state).load() if space else None
    rows = [("lab", "folder", "best", "hints", "state")]
    for lab in labs():
        entry = progress.labs.get(lab.slug, Entry()) if progress else Entry()
        state = "passed" if entry.passed else "begun" if entry.runs else "not begun"
        if entry.solution:
            state += f", solution {entry.solution}"
        best = "-" if entry.best is None else str(entry.best)
        hints = str(sum(entry.hints.values()))
        rows.append((str(lab.number), f"labs/{lab.name}", f"{best} of 100", hints, state))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())
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
    from grader.lab import UsageError, find, labs

    if junit:
        _check_target(Path(junit))
    if which == "all":
        if only:
            raise UsageError("--only goes with one lab: criteria belong to a lab.")
        wanted = [
            _Submission.find(lab, path and str(Path(path) / lab.name), fill) for lab in labs()
        ]
    else:
        next_lab = find(which) if which is not None else _next_lab(path)
        if next_lab is None:
            say("Every lab is passed. labs grade all grades them again.")
            return MET
        wanted = [_Submission.find(next_lab, path, fill)]
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

    from grader import report

    if junit:
        from grader.lab import write_whole

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
@click.argument("which", metavar="N")
@click.argument("task")
@click.option("--step", type=int, metavar="K", help="Show hint K again instead of the next one.")
def hint(which: str, task: str, step: int | None) -> None:
    """Show the next hint for a task of lab N.

    Each task has three: a question, where to read, the shape of the answer.
    TASK is a number or a criterion. What was shown is remembered; reading hints costs no points.

    \b
    labs hint 2 3
    labs hint 2 once-crash
    labs hint 2 3 --step 1
    """
    from grader.lab import UsageError, find, workspace
    from grader.progress import Store

    lab = find(which)
    number = _task_number(lab, task)
    hints = lab.hints.get(number, ())
    if not hints:
        raise UsageError(f"Lab {lab.number} has no hints for task {number}.")
    if step is not None and not 1 <= step <= len(hints):
        raise UsageError(f"Task {number} has {len(hints)} hints; --step goes from 1 to that.")
    space = workspace()
    if space is None:
        show = step or 1
    else:
        store = Store(space.state)
        with _writing(space.state), store.edit() as progress:
            shown = progress.of(lab).hints
            show = step or min(shown.get(str(number), 0) + 1, len(hints))
            shown[str(number)] = max(show, shown.get(str(number), 0))
        warn(*store.warnings)
    title = next((t.title for t in lab.tasks if t.number == number), "")
    say(f"Lab {lab.number}, task {number}: {title}".rstrip(": "))
    say(f"Hint {show} of {len(hints)}")
    say("")
    say(hints[show - 1])
    say("")
    again = f"labs hint {lab.number} {number}"
    if show < len(hints):
        say(f"Next hint: {again}{f' --step {show + 1}' if step or space is None else ''}")
    else:
        say(f"That was the last hint. Go back: {again} --step 1")


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
    from grader.lab import UsageError, find, pristine, restore, shown
    from grader.progress import Store

    lab, space = find(which), _workspace()
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
    from grader.lab import UsageError, files_in, find, shown, workspace, write_files
    from grader.progress import Entry, Store

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
    labs run 2 poison
    """
    from grader.lab import UsageError, find, written

    submission = _Submission.find(find(which), path, fill)
    warn(*submission.notes)
    with written(submission.files) as folder, _interruptible():
        from grader import judge

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
def doctor() -> int:
    """Check this machine: Python, packages, isolation.

    Each line is "ok", "note" (a limit to know about) or "attention" (and what to do).

    \b
    labs doctor
    """
    from grader.doctor import examine
    from grader.lab import workspace

    attention = 0
    for line in examine(workspace()):
        attention += line.state == "attention"
        say(line.text())
    return UNMET if attention else MET


@click.command()
@click.argument("page", required=False)
@click.option("--print", "only_print", is_flag=True, help="Print the place instead of opening it.")
def docs(page: str | None, only_print: bool) -> None:
    """Open PAGE of the course, or its start page.

    Without a built site the place of the page's Markdown text is printed.

    \b
    labs docs
    labs docs modules/02-lambda-triggers
    labs docs reference/cli#exit-codes
    """
    from grader.lab import UsageError, pages

    name, _, anchor = (page or "index").partition("#")
    name = name.removesuffix(".md").removesuffix(".html").strip("/")
    known = pages()
    place = known.get(name) or known.get(f"{name}/index")
    if place is None:
        near = nearest(name, known)
        hint = f" Did you mean {near!r}?" if near else " labs docs shows the start page."
        raise UsageError(f"There is no page {page!r}.{hint}")
    if place.suffix != ".html":
        say(str(place))
        return
    address = place.as_uri() + (f"#{anchor}" if anchor else "")
    say(address)
    if not only_print and sys.stdout.isatty():
        click.launch(address)


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
    from grader import course
    from grader.lab import find

    with _Status() as status, _interruptible():
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
    from grader import course

    for line in course.new(_clone(), name):
        say(line)


@dev.command("sync")
def dev_sync() -> None:
    """Copy labs/ to the pristine mirror in the package, and write the command reference anew.

    \b
    labs dev sync
    """
    from grader import course

    for line in course.sync(_clone()) or ["Everything was in step."]:
        say(line)


# --- what the commands share ------------------------------------------------------------------


class _Submission:
    """Files to be graded: read once, so that what is graded is what is kept."""

    def __init__(
        self, lab: Lab, files: Mapping[str, bytes], notes: Sequence[str], store: Store | None
    ) -> None:
        self.lab = lab
        self.files = files
        self.notes = notes
        self.store = store
        self.options = ""

    @classmethod
    def find(cls, lab: Lab, path: str | None, fill: str | None) -> _Submission:
        """Read the files in ``path``, or the learner's own. UsageError when they are not there."""
        from grader.lab import UsageError, shown

        # A grade of other people's files, or of stand-ins, is no progress of the learner's.
        space = None if path is not None else _workspace()
        folder = space.folder(lab) if space else Path(path or ".")
        if space and not folder.is_dir():
            raise UsageError(f"There is no {shown(folder)}: labs init brings it back.")
        stand_in = {"starter": lab.starter, "solution": lab.solution}.get(fill or "")
        files = lab.read(folder, stand_in)
        notes = [
            f"{name} is absent; the {fill}'s stood in for it (--fill {fill})."
            for name in lab.absent(folder)
        ]
        notes += [
            f"{name} lies in the folder but is no part of the lab: it was neither run nor graded."
            for name in lab.ungraded_code(folder)
        ]
        store = None
        if space and not fill:
            from grader.progress import Store

            store = Store(space.state)
        submission = cls(lab, files, notes, store)
        quoted = f'"{path}"' if path and " " in path else path
        submission.options = (f" --path {quoted}" if path else "") + (
            f" --fill {fill}" if fill else ""
        )
        return submission

    def grade(self, *, seed: int, only: Sequence[str]) -> tuple[Grade, Change | None]:
        """Grade the files and record the run, unless it was partial or not the learner's own."""
        from dataclasses import replace

        from grader import judge
        from grader.lab import UsageError, written
        from grader.report import compare

        _check_only(only, self.lab)
        with written(self.files) as folder, _Status() as status, _interruptible():
            status(f"Grading lab {self.lab.number} ({self.lab.slug})")
            grade = judge.grade(self.lab, folder, seed=seed, only=only, progress=status)
        grade = replace(grade, notes=[*grade.notes, *self.notes])
        if self.store is None or only:
            return grade, None
        try:
            before, _ = self.store.record(self.lab, grade, self.files)
        except (OSError, UsageError) as error:
            warn(f"Your progress could not be saved: {str(error).rstrip('.')}.")
            return grade, None
        warn(*self.store.warnings)
        return grade, compare(grade, before.outcomes, before.last)

    def text(
        self,
        grade: Grade,
        change: Change | None,
        seed: int,
        only: Sequence[str],
        verbose: bool,
        paint: Paint,
    ) -> str:
        """The report for the terminal."""
        from grader import report
        from grader.lab import labs

        again = f"labs grade {self.lab.number}{self.options}"
        again += "".join(f" --only {name}" for name in only) + (f" --seed {seed}" if seed else "")
        after = f"Compare with the solution: labs solution {self.lab.number}."
        later = [lab.number for lab in labs() if lab.number > self.lab.number]
        after += f" Next: labs grade {later[0]}." if later else ""
        if only:
            after = f"The whole lab: labs grade {self.lab.number}{self.options}."
        return report.terminal(
            grade,
            tasks={task.number: task.title for task in self.lab.tasks},
            change=change,
            verbose=verbose,
            paint=paint,
            again=again,
            after=after,
        )


class _Status:
    """Progress on stderr: one line that is rewritten on a terminal, a plain line elsewhere."""

    def __init__(self, seconds_between: float = 5.0) -> None:
        self.stream = sys.stderr
        self.live = self.stream.isatty()
        self.seconds_between = seconds_between
        self.last: float | None = None
        self.width = 0

    def __enter__(self) -> _Status:
        return self

    def __exit__(self, *error: object) -> None:
        self._rewrite("")

    def __call__(self, text: str) -> None:
        """Say what is being done now."""
        from time import monotonic

        from grader.report import clean, encodable

        text = encodable(clean(text).replace("\n", " "), self.stream.encoding)
        if self.live:
            self._rewrite(text if len(text) < 79 else text[:75] + "...")
        elif self.last is None or monotonic() - self.last >= self.seconds_between:
            self.last = monotonic()
            print(f"{text} ...", file=self.stream, flush=True)

    def _rewrite(self, text: str) -> None:
        if self.live:
            print(f"\r{text:<{self.width}}\r{text}", end="", file=self.stream, flush=True)
            self.width = len(text)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Make Ctrl-C end the command even where something in the block swallows it, as pytest does."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = []
    before = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, frame: object) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Exception:
        if not pressed:
            raise
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _workspace() -> Workspace:
    from grader.lab import UsageError, workspace

    space = workspace()
    if space is None:
        raise UsageError(
            "There is no workspace here or above: labs init makes one, or --path names a folder."
        )
    return space


def _clone() -> Path:
    from grader.lab import PACKAGE, UsageError, is_clone

    if not is_clone(PACKAGE.parent):
        raise UsageError("labs dev works in a clone of the repository, installed with pip -e.")
    return PACKAGE.parent


def _next_lab(path: str | None) -> Lab | None:
    """The lab to grade when none is named; None when every lab is passed."""
    from grader.lab import UsageError, labs
    from grader.progress import Entry, Store

    if path is not None:
        named = [lab for lab in labs() if lab.name == Path(path).resolve().name]
        if not named:
            raise UsageError("Say which lab the folder is for, such as: labs grade 2 --path DIR.")
        return named[0]
    known = Store(_workspace().state).load().labs
    return next((lab for lab in labs() if not known.get(lab.slug, Entry()).passed), None)


def _check_only(only: Sequence[str], lab: Lab) -> None:
    if not only:
        return
    from grader import judge
    from grader.lab import UsageError

    known = [criterion.id for criterion in judge.criteria(lab)]
    for name in only:
        if name not in known:
            near = nearest(name, known)
            hint = f"Did you mean {near!r}?" if near else f"It has: {', '.join(known)}."
            raise UsageError(f"Lab {lab.number} has no criterion {name!r}. {hint}")


def _task_number(lab: Lab, task: str) -> int:
    from grader.lab import UsageError

    numbers = [known.number for known in lab.tasks] or list(lab.hints)
    if task.isascii() and task.isdigit():
        if int(task) in numbers:
            return int(task)
        last = max(numbers, default=0)
        raise UsageError(f"Lab {lab.number} has no task {task}; its tasks are 1 to {last}.")
    from grader import judge

    tasks = {criterion.id: criterion.task for criterion in judge.criteria(lab)}
    if task in tasks:
        return tasks[task]
    near = nearest(task, tasks)
    hint = f"Did you mean {near!r}?" if near else "Give its number, such as: labs hint 2 1."
    raise UsageError(f"Lab {lab.number} has no task {task!r}. {hint}")


def _check_target(file: Path) -> None:
    from grader.lab import UsageError, shown

    if file.is_dir():
        raise UsageError(f"{shown(file)} is a folder; --junit needs a file.")
    if not file.parent.is_dir():
        raise UsageError(f"There is no folder {shown(file.parent)} to write {file.name} into.")


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Turn what the disk refuses into one sentence."""
    from grader.lab import UsageError, shown

    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{shown(place)} cannot be written: {reason}.") from None


def _broken_document(lab: Lab, seed: int, error: Exception) -> str:
    """The JSON document of a run that our own fault ended, so that a program can still read it."""
    import json

    from grader.grade import Grade

    warn(apology(error))
    note = f"The grader failed before it could judge: {type(error).__name__}."
    empty = Grade(lab=lab.number, slug=lab.slug, seed=seed, verdicts=(), notes=[note])
    return json.dumps({**empty.document(), "status": "broken"}, indent=2) + "\n"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _paint(stream: Any) -> Paint:
    """Colour only for a terminal that wants it. https://no-color.org"""
    from grader.report import coloured, plain

    wanted = stream.isatty() and not os.environ.get("NO_COLOR")
    return coloured if wanted and os.environ.get("TERM") != "dumb" else plain


COMMANDS: dict[str, click.Command] = {
    str(command.name): command
    for command in (init, list_, grade, hint, reset, solution, run, doctor, docs, dev)
}
