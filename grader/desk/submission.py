"""Files to be graded and what becomes of their grade: found, judged, recorded, told.

`labs grade` and `labs watch` share this, and nothing else loads the judge for a learner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.cloud.words import nearest
from grader.course.files import UsageError, require_folder, require_room, shown, written
from grader.course.grade import Grade
from grader.course.lab import Lab, labs
from grader.course.progress import Entry, Store
from grader.course.workspace import Workspace, workspace
from grader.desk.terminal import Status, interruptible, say, warn

if TYPE_CHECKING:
    from grader.course.evidence import Evidence
    from grader.desk.report import Change
    from grader.desk.terminal import Paint


class Submission:
    """Files to be graded: read once, so that what is graded is what is kept.

    ``store`` is where the run is recorded; None when it is no progress of the learner's (the files
    of ``--path``, stand-ins of ``--fill``). ``options`` are those that name the same files again.
    """

    def __init__(
        self, lab: Lab, files: Mapping[str, bytes], notes: Sequence[str], store: Store | None
    ) -> None:
        self.lab = lab
        self.files = files
        self.notes = notes
        self.store = store
        self.options = ""
        self.recorded = False
        # What the findings speak of, where somebody wants to see it.
        self.evidence: Evidence | None = None

    @classmethod
    def find(cls, lab: Lab, path: str | None, fill: str | None = None) -> Submission:
        """Read the files in ``path``, or the learner's own. UsageError when they are not there."""
        folder, space = place(lab, path)
        stand_in = {"starter": lab.starter, "solution": lab.solution}.get(fill or "")
        files = lab.read(folder, stand_in)
        notes = [
            f"{name} is absent; the {fill}'s stood in for it (--fill {fill})."
            for name in lab.absent(folder)
        ]
        notes += lab.left_behind(folder)
        submission = cls(lab, files, notes, Store(space.state) if space and not fill else None)
        quoted = f'"{path}"' if path and " " in path else path
        submission.options = (f" --path {quoted}" if path else "") + (
            f" --fill {fill}" if fill else ""
        )
        return submission

    def grade(
        self, *, seed: int, only: Sequence[str], seen: bool = False
    ) -> tuple[Grade, Change | None]:
        """Grade the files and record the run, unless it was partial or not the learner's own.

        With ``seen`` the evidence is kept, too.
        """
        from grader.course import judge

        _check_only(only, self.lab)
        require_room()
        with written(self.files) as folder, Status() as status, interruptible():
            status(f"Grading lab {self.lab.number} ({self.lab.slug})")
            options: dict[str, Any] = {
                "seed": seed,
                "only": only,
                "progress": status.of(self.lab),
            }
            if seen:
                grade, self.evidence = judge.grade_seen(self.lab, folder, **options)
            else:
                grade = judge.grade(self.lab, folder, **options)
        # A handler whose machine ran out of room was not judged: that run is nobody's.
        require_room()
        return self.judged(grade, complete=not only)

    def judged(self, grade: Grade, *, complete: bool = True) -> tuple[Grade, Change | None]:
        """The grade with our notes, recorded when it is ``complete``; and what it changed."""
        from grader.desk.report import compare

        grade = replace(grade, notes=[*grade.notes, *self.notes])
        if self.store is None or not complete:
            return grade, None
        try:
            before, _ = self.store.record(self.lab, grade, self.files)
            self.recorded = True
        except (OSError, UsageError) as error:
            warn(f"Your progress could not be saved: {str(error).rstrip('.')}.")
            return grade, None
        warn(*self.store.warnings)
        self.store.warnings.clear()
        return grade, compare(grade, before.outcomes, before.last)

    def again(self, seed: int, only: Sequence[str] = ()) -> str:
        """The command that grades the same files once more."""
        asked = "".join(f" --only {name}" for name in only) + (f" --seed {seed}" if seed else "")
        return f"labs grade {self.lab.number}{self.options}{asked}"

    def text(
        self,
        grade: Grade,
        change: Change | None,
        seed: int,
        only: Sequence[str],
        verbose: bool,
        paint: Paint,
        command: str = "grade",
    ) -> str:
        """The report for the terminal. ``command`` is the one to go on with: grade or watch."""
        from grader.desk import report

        number = self.lab.number
        again = self.again(seed, only)
        after = f"Compare with the solution: labs solution {number}. {self._after(command)}"
        if only:
            after = f"The whole lab: labs grade {number}{self.options}."
        return report.terminal(
            self.readdressed(grade),
            tasks={task.number: task.title for task in self.lab.tasks},
            change=change,
            verbose=verbose,
            paint=paint,
            again=again,
            after=after,
        )

    def _after(self, command: str) -> str:
        """What comes after this lab: the next that is not passed, or that none is left."""
        known = labs()
        passed = {}
        if self.store is not None:
            try:
                passed = {slug: entry.passed for slug, entry in self.store.load().labs.items()}
            except UsageError:
                passed = {}
            if known and all(passed.get(lab.slug) for lab in known):
                return "Every lab is passed: labs list shows what you have proved."
        # From here onwards, then what was skipped before.
        order = sorted(known, key=lambda lab: (lab.number <= self.lab.number, lab.number))
        waiting = [lab for lab in order if lab.slug != self.lab.slug and not passed.get(lab.slug)]
        return f"Next: labs {command} {waiting[0].number}." if waiting else ""

    def readdressed(self, grade: Grade) -> Grade:
        """The findings' commands for the files of ``--path``, which the judge knows nothing of."""
        if not self.options:
            return grade
        number = self.lab.number

        def here(text: str) -> str:
            options = self.options if "--path" in self.options else ""
            hint = options.partition(" --fill")[0]
            text = text.replace(f"labs grade {number} ", f"labs grade {number}{self.options} ")
            return text.replace(f"labs hint {number} ", f"labs hint {number}{hint} ")

        verdicts = [
            replace(
                verdict,
                finding=verdict.finding
                and replace(verdict.finding, next=here(verdict.finding.next)),
                further=tuple(replace(one, next=here(one.next)) for one in verdict.further),
            )
            for verdict in grade.verdicts
        ]
        return replace(grade, verdicts=verdicts)


def place(lab: Lab, path: str | None) -> tuple[Path, Workspace | None]:
    """The folder to grade and, when it is the learner's own, its workspace. UsageError."""
    # A grade of other people's files is no progress of the learner's.
    if path is not None:
        require_folder(Path(path))
        return Path(path), None
    space = own_workspace()
    folder = space.folder(lab)
    if not folder.is_dir():
        raise UsageError(f"There is no {shown(folder)}: labs init brings it back.")
    return folder, space


def own_workspace() -> Workspace:
    """The workspace here or above; UsageError when there is none."""
    space = workspace()
    if space is None:
        raise UsageError(
            "There is no workspace here or above: labs init makes one, or --path names a folder."
        )
    return space


def next_lab(path: str | None, command: str = "grade") -> Lab | None:
    """The lab to work on when none is named; None when every lab is passed."""
    if path is not None:
        named = [lab for lab in labs() if lab.name == Path(path).resolve().name]
        if not named:
            raise UsageError(
                f"Say which lab the folder is for, such as: labs {command} 2 --path DIR."
            )
        return named[0]
    known = Store(own_workspace().state).load().labs
    return next((lab for lab in labs() if not known.get(lab.slug, Entry()).passed), None)


def _check_only(only: Sequence[str], lab: Lab) -> None:
    if not only:
        return
    from grader.course import judge

    known = [criterion.id for criterion in judge.criteria(lab)]
    for name in only:
        if name not in known:
            near = nearest(name, known)
            hint = f"Did you mean {near!r}?" if near else f"It has: {', '.join(known)}."
            raise UsageError(f"Lab {lab.number} has no criterion {name!r}. {hint}")


# --- hints ------------------------------------------------------------------------------------


class Ladder:
    """How far the hints of a lab were climbed, by task.

    With a ``store`` this is the learner's own ladder and is kept. Without one (the files of
    ``--path``, or no workspace) it lasts as long as this object and leaves the learner's alone.
    """

    def __init__(self, lab: Lab, store: Store | None) -> None:
        self.lab = lab
        self.store = store
        self._own: dict[str, int] = {}

    def shown(self, task: int) -> int:
        """How many hints of ``task`` were shown. UsageError when the progress is unreadable."""
        hints = self.store.load().of(self.lab).hints if self.store else self._own
        return hints.get(str(task), 0)

    def climb(self, task: int, step: int | None = None) -> int:
        """The hint to show now, from 1: ``step``, else the next one; the last one again."""
        last = len(self.lab.hints[task])
        if self.store is None:
            return self._take(self._own, task, step, last)
        with self.store.edit() as progress:
            step = self._take(progress.of(self.lab).hints, task, step, last)
        warn(*self.store.warnings)
        self.store.warnings.clear()
        return step

    @staticmethod
    def _take(hints: dict[str, int], task: int, step: int | None, last: int) -> int:
        known = hints.get(str(task), 0)
        step = step or min(known + 1, last)
        hints[str(task)] = max(step, known)
        return step


def say_hint(lab: Lab, task: int, step: int, following: str) -> None:
    """Print hint ``step`` of ``task``; ``following`` is how to get the one after it."""
    hints = lab.hints[task]
    title = next((known.title for known in lab.tasks if known.number == task), "")
    say(f"Lab {lab.number}, task {task}: {title}".rstrip(": "))
    say(f"Hint {step} of {len(hints)}")
    say("")
    say(hints[step - 1])
    say("")
    if step < len(hints):
        say(f"Next hint: {following}")
    else:
        say(f"That was the last hint. Go back: labs hint {lab.number} {task} --step 1")


# --- while it is being graded -----------------------------------------------------------------
