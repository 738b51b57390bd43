"""What this machine can and cannot do for a grade, one line a fact.

``ok`` needs nothing. ``note`` is a limit that the learner should know and cannot always mend.
``attention`` says what to do about it.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from grader.course.files import UsageError, shown
from grader.course.lab import labs
from grader.course.progress import Store
from grader.course.workspace import Workspace
from grader.desk.terminal import wrapped

if TYPE_CHECKING:
    from grader.cloud.function import Isolation

DISTRIBUTION = "streamlabs"
OLDEST, NEWEST = (3, 11), (3, 14)


@dataclass(frozen=True)
class Line:
    """One fact; ``advice`` says what to do and is empty when nothing is to be done."""

    state: Literal["ok", "note", "attention"]
    fact: str
    advice: str = ""

    def text(self) -> str:
        """The line as printed, wrapped below its own first word."""
        first, *rest = wrapped(f"{self.fact} {self.advice}".strip(), 68)
        return "\n".join([f"{self.state:<11}{first}", *(f"{'':11}{line}" for line in rest)])


def examine(space: Workspace | None) -> Iterator[Line]:
    """Every check in the order in which a problem should be mended."""
    yield python()
    yield from dependencies()
    yield from isolation()
    yield Line("ok", "Grading needs no network and no AWS account.")
    yield temporary_folder()
    yield from workspace(space)


def python(version: tuple[int, int] | None = None) -> Line:
    """Is this a Python that the course is tested on?"""
    major, minor = version or sys.version_info[:2]
    fact = f"Python {platform.python_version() if version is None else f'{major}.{minor}'}"
    if OLDEST <= (major, minor) <= NEWEST:
        return Line("ok", f"{fact} on {platform.system()}.")
    span = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
    return Line("attention", f"{fact} is untested.", f"Make the environment with Python {span}.")


def dependencies(required: list[str] | None = None) -> Iterator[Line]:
    """Are the packages there, in the versions that the course is tested with?"""
    if required is None:
        try:
            required = importlib.metadata.requires(DISTRIBUTION) or []
        except importlib.metadata.PackageNotFoundError:
            yield Line(
                "attention",
                f"The package {DISTRIBUTION} is not installed, only its files are here.",
                "In the clone: .venv/bin/python -m pip install -c requirements.lock -e .",
            )
            return
    wrong, right = [], []
    for requirement in required:
        name, _, marker = requirement.partition(";")
        if "extra" in marker:
            continue
        found = re.fullmatch(r"\s*([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*(.*?)\s*", name)
        assert found is not None, requirement
        try:
            present = importlib.metadata.version(found[1])
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{found[1]} is missing (needed: {found[2] or 'any version'})")
            continue
        if _satisfies(present, found[2]):
            right.append(f"{found[1]} {present}")
        else:
            wrong.append(f"{found[1]} is {present} (needed: {found[2]})")
    if right:
        yield Line("ok", f"{', '.join(right)}.")
    for sentence in wrong:
        yield Line("attention", f"{sentence}.", "Install the course again as its README says.")


def isolation(found: Isolation | None = None) -> Iterator[Line]:
    """What keeps a learner's code from this machine, as far as this platform enforces it."""
    if found is None:
        from grader.cloud.function import Nursery, NurseryFailed

        try:
            nursery = Nursery.start()
            try:
                found = nursery.enforced
            finally:
                nursery.close()
        except (OSError, NurseryFailed) as error:
            yield Line(
                "attention",
                f"A function process cannot be started: {error}.",
                "Without one nothing can be graded: close other programs and try again.",
            )
            return
    weak = found.weak
    for sentence in found.sentences():
        yield Line("note" if sentence in weak else "ok", sentence)


def temporary_folder() -> Line:
    """Can a grade make its working copies?"""
    try:
        with tempfile.TemporaryDirectory(prefix="labs-") as name:
            (Path(name) / "file").write_text("x")
    except OSError as error:
        return Line(
            "attention",
            f"The temporary folder cannot be written: {error.strerror}.",
            "Set TMPDIR to a folder that can.",
        )
    return Line("ok", "Temporary files can be written.")


def workspace(space: Workspace | None) -> Iterator[Line]:
    """Is there a workspace, can it be written, and is its progress readable?"""
    if space is None:
        yield Line("note", "There is no workspace here.", "labs init makes one.")
        return
    missing = [lab.name for lab in labs() if not space.folder(lab).is_dir()]
    if missing:
        yield Line(
            "attention",
            f"The workspace {space.root} lacks {', '.join(missing)}.",
            f"labs init {shown(space.root)} brings it back.",
        )
    try:
        with tempfile.TemporaryFile(dir=space.state if space.state.is_dir() else space.root):
            pass
    except OSError as error:
        yield Line(
            "attention",
            f"The workspace {space.root} cannot be written: {error.strerror}.",
            "Without that, no progress is kept.",
        )
    else:
        yield Line("ok", f"The workspace {space.root} can be written.")
    yield from progress(Store(space.state))


REPAIR = "labs doctor --repair"


def progress(store: Store) -> Iterator[Line]:
    """Is the progress readable, are the best files whole, is anything left of a killed write?"""
    try:
        entries = store.load().labs
    except UsageError as error:
        yield Line("attention", str(error), "Your files are not touched by this.")
        return
    if not store.file.exists() and store.previous.exists():
        yield Line("attention", f"{store.file} is gone.", f"{REPAIR} brings back what is known.")
    begun = [slug for slug, entry in entries.items() if entry.runs]
    yield Line("ok", f"Progress is readable: {len(begun)} of {len(labs())} labs begun.")
    for slug, entry in sorted(entries.items()):
        if not store.is_kept(entry):
            yield Line("attention", f"The best files of {slug} are not whole any more.", REPAIR)
    strangers = sorted(set(begun) - {lab.slug for lab in labs()})
    if strangers:
        yield Line("note", f"Progress also knows {', '.join(strangers)}, which is kept as it is.")
    if parts := store.parts():
        yield Line("note", f"{len(parts)} unfinished files of killed writes.", f"{REPAIR}: remove.")


def repair(space: Workspace | None) -> list[str]:
    """Mend the progress of a workspace; what was done, in sentences."""
    return Store(space.state).repair() if space and space.state.is_dir() else []


def _satisfies(version: str, specifier: str) -> bool:
    """True when ``version`` meets every clause of ``specifier`` (``>=8.1,<9``).

    Numbers only, which is all that our own requirements use; packaging is no dependency of ours.
    """
    have = _numbers(version)
    for clause in filter(None, (part.strip() for part in specifier.split(","))):
        found = re.fullmatch(r"(==|>=|<=|!=|<|>)\s*([0-9.]+)", clause)
        if found is None:
            raise ValueError(f"cannot read the requirement {clause!r}")
        want = _numbers(found[2])
        verdict = {
            "==": have == want,
            "!=": have != want,
            ">=": have >= want,
            "<=": have <= want,
            ">": have > want,
            "<": have < want,
        }
        if not verdict[found[1]]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    """``1.44.5`` as (1, 44, 5); zeros at the end do not count, as in ``9`` and ``9.0``."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
