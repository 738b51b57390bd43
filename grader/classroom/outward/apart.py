"""Grade one hand-in whose code must not reach its results: another user's, dead before they stand.

This is what a bundle runs on somebody else's machine, as root. The order is the point: whatever
results lie there are removed, learner code runs as a user who owns nothing, every process of that
user is ended, and only then is anything written.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grader.classroom.outward import close
from grader.course.files import UsageError, exists_exactly, listed, shown
from grader.course.grade import Finding, Grade, Verdict
from grader.course.lab import Lab

# Numbers that systemd's list keeps free of users. https://systemd.io/UIDS-GIDS/
UNUSED = range(60578, 60706)
# So long may the last processes of a killed user take to go (real seconds).
LAST_SECONDS = 20.0


class NotApart(Exception):
    """Learner code could not be kept apart from the results here, so nothing was graded."""


def graded(lab: Lab, folder: Path, seed: int) -> Grade:
    """Grade the hand-in below ``folder``; every process of its code is dead when this returns.

    What cannot be graded because of the learner's files has no points, with the reason. A grade
    that the grader failed in is tried once more, and is the caller's to keep or to drop. NotApart
    where neither another user nor namespaces keep learner code away.
    """
    try:
        found = folder_of(folder, lab)
        lab.read(found)
    except UsageError as problem:
        return refused(lab, seed, str(problem))
    with another_user():
        grade = _once(lab, found, seed)
        return _once(lab, found, seed) if grade.broken else grade


def _once(lab: Lab, folder: Path, seed: int) -> Grade:
    # A nursery imports what functions need while the judge imports what it needs.
    from grader.cloud.function import Nursery

    nursery = Nursery.start()
    try:
        from grader.course import judge

        enforced = nursery.enforced
        if enforced.tier != "namespaces" and not enforced.other_user:
            raise NotApart(
                "Learner code would run as the user who writes the results: grade as root with a"
                " Python that everybody may read, or where namespaces are permitted."
            )
        return judge.grade(lab, folder, seed=seed, nursery=nursery)
    finally:
        nursery.close()


def refused(lab: Lab, seed: int, sentence: str) -> Grade:
    """The grade of a hand-in that could not be read: no points, and why."""
    from grader.course import judge

    finding = Finding(
        rule=f"A hand-in holds the files of lab {lab.number}.",
        input="the hand-in",
        expected=listed(lab.editable),
        observed=sentence,
        why="Without its files nothing of the lab can be played.",
        where="the hand-in as a whole",
        next=f"hand in {listed(lab.editable)}, or the whole folder {lab.name}",
        page=lab.page,
    )
    verdicts = [Verdict(criterion, "unreached", finding) for criterion in judge.criteria(lab)]
    return Grade(lab.number, lab.slug, seed, verdicts)


def folder_of(folder: Path, lab: Lab) -> Path:
    """Where the lab's files are: here, in the lab's own folder, or in the only folder that is here.

    Links are not followed. UsageError where no folder is there to look in.
    """
    only = [path for path in _folders(folder) if not path.name.startswith((".", "__"))]
    nested = only if len(only) == 1 else []
    for start in (folder, *nested):
        for place in (start, start / lab.name, start / "labs" / lab.name):
            plain = place.is_dir() and not any(
                part.is_symlink()
                for part in (place, place.parent)
                if part not in (folder, folder.parent)
            )
            if plain and any(exists_exactly(place, name) for name in lab.editable):
                return place
    if not folder.is_dir():
        raise UsageError(f"There is no folder {shown(folder)}.")
    return folder


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.is_symlink()]


# --- another user -----------------------------------------------------------------------------


@contextmanager
def another_user() -> Iterator[int | None]:
    """Let functions run as a user that nobody is, and end all its processes afterwards.

    Only root can, and only where everybody may read Python. Elsewhere this gives None, and
    namespaces have to do.
    """
    from grader.cloud.function import USER_VARIABLE

    python = Path(sys.executable)
    open_to_all = all(map(_everybody_reads, (python, python.resolve(), close.OPEN)))
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not open_to_all:
        yield None
        return
    user = unused_user()
    before = os.environ.get(USER_VARIABLE)
    os.environ[USER_VARIABLE] = str(user)
    try:
        yield user
    finally:
        os.environ.pop(USER_VARIABLE)
        if before is not None:
            os.environ[USER_VARIABLE] = before
        end_all(user)


def _everybody_reads(path: Path) -> bool:
    return all(one.stat().st_mode & 0o001 for one in (path, *path.parents))


def unused_user() -> int:
    """The number of a user that has neither an account nor a process here. NotApart."""
    import pwd

    taken = {entry.pw_uid for entry in pwd.getpwall()}
    for user in UNUSED:
        if user not in taken and not processes_of(user):
            return user
    raise NotApart("Every user number that learner code could run as is taken here.")


def processes_of(user: int) -> list[int]:
    """The processes that run as ``user``, dead ones that nobody has waited for not counted."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            status = (entry / "status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        facts = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        if str(user) in facts.get("Uid", "").split() and facts["State"].split()[0] not in "ZX":
            found.append(int(entry.name))
    return found


def end_all(user: int) -> None:
    """Kill every process of ``user`` until none is left. NotApart when one will not go.

    A process of that user kills all it may signal in one call, which a fork in a loop does not
    outrun: https://man7.org/linux/man-pages/man2/kill.2.html
    """
    deadline = time.monotonic() + LAST_SECONDS
    while processes_of(user):
        if time.monotonic() > deadline:
            raise NotApart("Learner code is still running, so no results were written.")
        child = os.fork()
        if not child:
            try:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
                os.kill(-1, signal.SIGKILL)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        time.sleep(0.01)


def removed(path: Path) -> None:
    """Remove what stands at ``path``: a file, a link or a folder that a hand-in has brought."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
