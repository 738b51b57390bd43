"""Grade again on every save, from a warm process: what ``labs watch`` does.

The folder is polled by content, so that it works wherever files can be read (WSL, containers,
network mounts) and a save without a change starts nothing. A reading counts when the next one is
equal, and a file that is missing, empty or unreadable counts as a problem only when it stays so:
editors write by rename, or empty a file before they fill it.

Each grade happens in a process of its own. Where processes are forked safely it is forked from
this one, which has imported everything and keeps the function nursery running: nothing of a grade
stays behind, and it can be ended at any moment. Elsewhere (macOS, Windows) one process is kept
warm beside this one, and replaced when it had to be ended. Only this process writes the progress,
so ending a grade loses nothing.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from grader.cloud.words import counted
from grader.course.files import UsageError, shown
from grader.course.grade import Grade
from grader.course.lab import Lab
from grader.course.warm import Files, GraderFailed, Said, Warm
from grader.desk.keys import Keys, TerminalKeys
from grader.desk.submission import Ladder, Submission, place, say_hint
from grader.desk.terminal import MET, Status, apology, emit, ended_by_signals, say, warn

if TYPE_CHECKING:
    from grader.course.evidence import Evidence
    from grader.desk.terminal import Paint

# Real seconds. Ten readings of small files a second cost next to nothing, also over a network.
POLL_S = 0.1
# So long a problem with the files has to last until it is told.
PATIENCE_S = 2.0


# --- what is in the folder --------------------------------------------------------------------


class Folder:
    """The files of a folder once they have settled. ``read`` gives them or raises UsageError."""

    def __init__(self, read: Callable[[], Files]) -> None:
        self._read = read
        self._last: Files | str | None = None
        self._since = 0.0
        self._told: Files | str | None = None

    def look(self, now: float) -> Files | str | None:
        """What has changed at ``now`` (seconds): files, the sentence of a problem, or None."""
        seen: Files | str
        try:
            seen = self._read()
        except UsageError as problem:
            seen = str(problem)
        if seen != self._last:
            self._last, self._since = seen, now
            return None
        if seen == self._told or (isinstance(seen, str) and now - self._since < PATIENCE_S):
            return None
        self._told = seen
        return seen


# --- the session ------------------------------------------------------------------------------


class Session:
    """One ``labs watch``: it polls, grades, prints and answers keys until it is ended."""

    def __init__(
        self, lab: Lab, path: str | None, seed: int, paint: Paint, warm: Warm, keys: Keys
    ) -> None:
        self.lab = lab
        self.path = path
        self.seed = seed
        self.paint = paint
        self.warm = warm
        self.keys = keys
        self.folder, space = place(lab, path)
        self.own = space is not None
        self._watched = Folder(lambda: lab.read(self.folder))
        self._status = Status()
        self._ladder: Ladder | None = None
        self._submission: Submission | None = None
        self._graded: Files | None = None
        self._grade: Grade | None = None
        self._scores: list[int] = []
        self._started = 0

    def run(self) -> None:
        """Until q is pressed. Ctrl-C is KeyboardInterrupt."""
        self._status(f"Warming up for lab {self.lab.number} ({self.lab.slug})")
        self.warm.warm_up()
        while True:
            found = self._watched.look(time.monotonic())
            if isinstance(found, str):
                self._trouble(found)
            elif found is not None:
                self._changed(found)
            said = self.warm.listen(POLL_S)
            while said is not None:
                self._hear(said)
                said = self.warm.listen(0) if self.warm.busy else None
            while key := self.keys.pressed():
                if key in "q\x03\x04":
                    return
                self._press(key)

    def summary(self) -> str:
        """What this session came to, in a sentence or two."""
        number = self.lab.number
        if not self._scores:
            return f"Lab {number} was not graded."
        first, last = self._scores[0], self._scores[-1]
        way = f"{first} -> {last}" if len(self._scores) > 1 else str(last)
        text = f"Lab {number}: {counted(len(self._scores), 'run')}, {way} points."
        best = max(self._scores)
        if self.own and last < best:
            text += f" The files that won {best}: labs reset {number} --best"
        return text

    # -- what happens ----------------------------------------------------------------------------

    def _changed(self, files: Files) -> None:
        """The folder holds other files than when it was last looked at."""
        if files == self._graded:
            return  # somebody pressed r before the files had settled
        try:
            submission = Submission.find(self.lab, self.path)
        except UsageError:
            return  # changed again already; the next look tells
        if self.warm.busy:
            self._status.clear()
            say("Saved again: what was being graded is left.")
        self._begin(submission)

    def _begin(self, submission: Submission) -> None:
        before = self._graded
        self._submission, self._graded = submission, submission.files
        self._started += 1
        if before is None:
            what = shown(self.folder)
        else:
            names = [name for name, text in submission.files.items() if before.get(name) != text]
            what = ", ".join(names) or "the same files again"
        self._status.clear()
        say("")
        say(self.paint(f"--- run {self._started}: {what} ---", "dim"))
        self._status(f"Grading lab {self.lab.number} ({self.lab.slug})")
        self.warm.start(submission.files)

    def _trouble(self, problem: str) -> None:
        self.warm.stop()
        self._graded = None
        self._status.clear()
        say("")
        say(problem)
        say("As soon as that has changed, the lab is graded again.")

    def _hear(self, said: Said) -> None:
        what, value = said
        if what == "status":
            self._status(f"Lab {self.lab.number}: {value}")
            return
        self._status.clear()
        submission = self._submission
        assert submission is not None
        if isinstance(value, str):
            warn(apology(GraderFailed(value)))
            self.warm.renew()
            self._keys_line()
            return
        if isinstance(value, tuple):
            self._show(submission, *value)
            return
        grade, change = submission.judged(value)
        self._grade = grade
        self._scores.append(grade.score)
        if grade.broken:
            self.warm.renew()
        emit(submission.text(grade, change, self.seed, (), False, self.paint, "watch"))
        if change is None and len(self._scores) > 1:
            say(f"Since the last run: {self._scores[-2]} -> {self._scores[-1]}.")
        self._keys_line()

    def _show(self, submission: Submission, grade: Grade, evidence: Evidence) -> None:
        """The page of the same files, graded once more: what was recorded of them stays."""
        from grader.desk import showing

        submission.evidence = evidence
        try:
            showing.write_grade(
                submission, grade, opened=True, html=None, again=submission.again(self.seed)
            )
        except UsageError as problem:
            warn(str(problem))
        self._keys_line()

    # -- keys ------------------------------------------------------------------------------------

    def _press(self, key: str) -> None:
        if key == "r" and not self.warm.busy:
            with contextlib.suppress(UsageError):
                self._begin(Submission.find(self.lab, self.path))
        elif key == "a" and self._grade is not None and self._submission is not None:
            self._status.clear()
            emit(self._submission.text(self._grade, None, self.seed, (), True, self.paint, "watch"))
            self._keys_line()
        elif key == "o" and self._grade is not None and self._submission is not None:
            # Scenes cost time and memory: the plays are kept only when somebody wants to see them.
            if not self.warm.busy:
                self._status.clear()
                self._status(f"Playing lab {self.lab.number} again for its scenes")
                self.warm.start(self._submission.files, seen=True)
        elif key == "h" and self._open_task() is not None:
            self._status.clear()
            self._hint()
            self._keys_line()

    def _hint(self) -> None:
        task = self._open_task()
        assert task is not None and self._submission is not None
        say("")
        try:
            step = self._hints().climb(task)
        except (OSError, UsageError) as error:
            warn(f"Your progress could not be saved: {str(error).rstrip('.')}.")
            step = 1
        say_hint(self.lab, task, step, "press h again")

    def _hints(self) -> Ladder:
        assert self._submission is not None
        if self._ladder is None:
            self._ladder = Ladder(self.lab, self._submission.store)
        return self._ladder

    def _open_task(self) -> int | None:
        """The first task that is not met and has hints: what the report tells about first."""
        open_ = [v for v in self._grade.asked if v.outcome != "met"] if self._grade else []
        open_.sort(key=lambda verdict: verdict.outcome != "unmet")
        return next((v.criterion.task for v in open_ if self.lab.hints.get(v.criterion.task)), None)

    def _keys_line(self) -> None:
        """The keys that apply now and the next hint; without keys, what to type for it."""
        task, hint = self._open_task(), ""
        if task is not None:
            known = 0
            with contextlib.suppress(UsageError):
                known = self._hints().shown(task)
            last = len(self.lab.hints[task])
            hint = f"hint {min(known + 1, last)} of {last} for task {task}"
        if self.keys.there:
            keys = [f"h {hint}"] if hint else []
            keys += ["o open as a page", "a everything", "r again", "q quit"]
            say(self.paint(f"Keys: {' | '.join(keys)}", "dim"))
        elif hint:
            where = f' --path "{self.path}"' if self.path else ""
            say(f"Next hint: labs hint {self.lab.number} {task}{where} ({hint})")
        sys.stdout.flush()


def watch(lab: Lab, path: str | None, seed: int, paint: Paint) -> int:
    """Watch a lab until it is ended with q or Ctrl-C (or SIGTERM); always exit code 0 then."""
    with ended_by_signals():
        warm = Warm(lab, seed)
        try:
            with TerminalKeys() as keys:
                session = Session(lab, path, seed, paint, warm, keys)
                say(f"Watching {shown(session.folder)}. {'q' if keys.there else 'Ctrl-C'} ends it.")
                sys.stdout.flush()
                with contextlib.suppress(KeyboardInterrupt):
                    session.run()
                session._status.clear()
            say("")
            say(session.summary())
        finally:
            warm.close()
    return MET
