"""The folder in which a learner works: found, filled, restored, and what is overwritten kept.

A *workspace* holds ``labs/NN-slug`` and ``.labs`` (progress and backups). A clone of the repository
is one; so is what ``labs init`` makes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.course.files import (
    PACKAGE,
    UsageError,
    is_clone,
    reason,
    shown,
    write_files,
    write_whole,
)
from grader.course.lab import Lab

STATE = ".labs"


@dataclass(frozen=True)
class Workspace:
    """The folder a learner works in: ``root/labs/NN-slug`` and ``root/.labs``."""

    root: Path

    @property
    def state(self) -> Path:
        """Where progress and backups are kept."""
        return self.root / STATE

    def folder(self, lab: Lab) -> Path:
        """The learner's copy of a lab."""
        return self.root / "labs" / lab.name


def workspace(start: Path | None = None) -> Workspace | None:
    """The nearest workspace from ``start`` (the current folder) upwards.

    When there is none, the clone that this package runs from; None when it does not run from one.
    UsageError where the current folder is gone or too deep.
    """
    try:
        here = (start or Path.cwd()).resolve()
    except OSError as error:
        raise UsageError(f"The current folder cannot be used: {reason(error)}.") from None
    for folder in (here, *here.parents):
        if (folder / STATE).is_dir() or is_clone(folder):
            return Workspace(folder)
    return Workspace(PACKAGE.parent) if is_clone(PACKAGE.parent) else None


def copy_missing(lab: Lab, folder: Path) -> tuple[list[str], list[str]]:
    """Copy the pristine files that ``folder`` lacks. Returns (copied, left as they are)."""
    copied, kept = [], []
    for name in lab.files:
        target = folder / name
        if target.exists() or target.is_symlink():
            kept.append(name)
        else:
            write_whole(target, (lab.starter / name).read_bytes())
            copied.append(name)
    return copied, kept


def restore(
    lab: Lab, folder: Path, content: Mapping[str, bytes], backups: Path
) -> tuple[list[str], Path | None]:
    """Make ``folder`` hold ``content``; what is overwritten goes to a new folder in ``backups``.

    Returns (files that changed, the backup's folder or None when nothing was overwritten).
    """
    changed, overwritten = [], {}
    for name, wanted in content.items():
        target = folder / name
        if target.is_symlink() or (target.exists() and not target.is_file()):
            raise UsageError(f"{shown(target)} is not an ordinary file; move it away first.")
        present = target.read_bytes() if target.exists() else None
        if present != wanted:
            changed.append(name)
            if present is not None:
                overwritten[name] = present
    backup = None
    if overwritten:
        backup = _next_folder(backups, lab.name)
        write_files(backup, overwritten)
    write_files(folder, {name: content[name] for name in changed})
    return changed, backup


def pristine(lab: Lab) -> dict[str, bytes]:
    """Every file of the starter, by relative path."""
    return {name: (lab.starter / name).read_bytes() for name in lab.files}


def _next_folder(parent: Path, name: str) -> Path:
    """A new folder ``name-001``, ``name-002``, …: numbered, because no clock is needed for it."""
    parent.mkdir(parents=True, exist_ok=True)
    taken = [
        int(found[1])
        for path in parent.iterdir()
        if (found := re.fullmatch(re.escape(name) + r"-(\d+)", path.name))
    ]
    folder = parent / f"{name}-{max(taken, default=0) + 1:03}"
    folder.mkdir()
    return folder
