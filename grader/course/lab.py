"""A lab: its number, its tasks, its files, and where a learner's copy of them lives.

There is no registry. A lab is a folder ``NN-slug`` of pristine files under
``grader/course/starters``, and everything else about it follows from that name. A learner works in
a *workspace*: a folder that holds ``labs/NN-slug`` and ``.labs`` (progress and backups). A clone of
the repository is one; so is what ``labs init`` makes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from grader.cloud.words import nearest

PACKAGE = Path(__file__).resolve().parents[1]
STARTERS = PACKAGE / "course" / "starters"
STATE = ".labs"

# What a learner reads and never edits.
READING = ("README.md", "hints.md")
# What machines leave in folders; no part of any lab.
LITTER = ("__pycache__", ".DS_Store", "Thumbs.db", "desktop.ini")
# Far above any sensible answer; a larger file is a mistake, and reading it would only cost memory.
LARGEST_FILE = 1_000_000
# What steers tools on a learner's machine; no part of a function.
TOOLS = ("conftest.py", "pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml")
# What a learner's own modules and data beside a lab's files may take; the rest is not graded.
MOST_FILES_BESIDE = 100
MOST_BYTES_BESIDE = 5_000_000

_FOLDER_NAME = re.compile(r"(\d\d)-([a-z0-9]+(?:-[a-z0-9]+)*)")
_TASK = re.compile(r"## Task (\d+): (.+?)\s*")
_HINT = re.compile(r"### Hint (\d+)\b.*")


class UsageError(Exception):
    """The command was used wrongly. The message is one clear sentence for the learner; exit 2."""


@dataclass(frozen=True)
class Task:
    """One task of a lab, as its README counts it."""

    number: int
    title: str


@dataclass(frozen=True)
class Lab:
    """A lab as the course ships it. ``starter`` is the folder of its pristine files."""

    number: int
    slug: str
    starter: Path

    @property
    def name(self) -> str:
        """The folder's name, such as ``02-lambda-triggers``."""
        return f"{self.number:02}-{self.slug}"

    @property
    def module(self) -> str:
        """The module that holds the lab's criteria."""
        return f"grader.course.labs.lab{self.number:02}.criteria"

    @property
    def page(self) -> str:
        """The lab's page, as an argument of ``labs docs``."""
        return f"modules/{self.name}"

    @property
    def solution(self) -> Path:
        """The folder of the lab's solution."""
        return solutions() / self.name

    @cached_property
    def title(self) -> str:
        """The first heading of the README without its ``Lab N:``; the slug when there is none."""
        for line in self._text("README.md").splitlines():
            if line.startswith("# "):
                return re.sub(r"^# (Lab \d+\s*[:.-]\s*)?", "", line).strip() or self.slug
        return self.slug

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks in the README's order: its headings ``## Task N: title``."""
        return tuple(
            Task(int(found[1]), found[2])
            for line, in_code in markdown_lines(self._text("README.md"))
            if not in_code and (found := _TASK.fullmatch(line))
        )

    @cached_property
    def hints(self) -> dict[int, tuple[str, ...]]:
        """For each task the texts of its hints, in the order of ``hints.md``."""
        return parse_hints(self._text("hints.md"))

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Every pristine file, as a path with forward slashes relative to the lab's folder."""
        return tuple(files_in(self.starter))

    @cached_property
    def editable(self) -> tuple[str, ...]:
        """The files that a learner edits and that are graded."""
        return tuple(name for name in self.files if name not in READING)

    def read(self, folder: Path, fill: Path | None = None) -> dict[str, bytes]:
        """The content of every editable file in ``folder``, keyed by its relative path.

        A file that is absent is taken from the folder ``fill`` when there is one. The learner's
        other files travel with them (see ``beside``): the function's code is the folder. Raises
        UsageError for anything that is not a readable, non-empty text file of that very name.
        """
        require_folder(folder)
        absent = [name for name in self.editable if not _exists_exactly(folder, name)]
        if absent and fill is None:
            raise UsageError(
                f"{shown(folder)} holds no {_listed(absent)}; lab {self.number} needs"
                f" {_listed(self.editable)}."
            )
        content = {}
        for name in self.editable:
            source = fill if name in absent and fill is not None else folder
            content[name] = _read_text_file(source, name)
        for name in self.beside(folder)[0]:
            with suppress(OSError):
                content[name] = (folder / name).read_bytes()
        return content

    def copy_editable(self, folder: Path, target: Path) -> list[str]:
        """Copy the editable files of ``folder`` into ``target``; returns their names.

        Raises UsageError as ``read`` does.
        """
        content = self.read(folder)
        write_files(target, content)
        return list(content)

    def absent(self, folder: Path) -> list[str]:
        """The editable files that ``folder`` does not hold."""
        return [name for name in self.editable if not _exists_exactly(folder, name)]

    def beside(self, folder: Path) -> tuple[list[str], list[str]]:
        """The learner's other files: those that travel with the code, and those too many or large.

        A second module or a table of data is code like the handler. What is hidden, a link, prose,
        a lab's own file or what tools leave behind is neither.
        """
        taken: list[str] = []
        left: list[str] = []
        room = MOST_BYTES_BESIDE
        for name in files_in(folder, foreign=False):
            path = folder / name
            if name in self.files or name.endswith(".md") or "/." in f"/{name}":
                continue
            if path.name in TOOLS:
                continue
            try:
                kind = path.lstat()
            except OSError:
                continue
            if not stat.S_ISREG(kind.st_mode):
                continue
            fits = kind.st_size <= min(LARGEST_FILE, room) and len(taken) < MOST_FILES_BESIDE
            (taken if fits else left).append(name)
            room -= kind.st_size if fits else 0
        return taken, left

    def _text(self, name: str) -> str:
        try:
            return (self.starter / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""


def labs(root: Path | None = None) -> list[Lab]:
    """Every lab that has a folder ``NN-slug`` under ``root`` (the pristine ones), by number."""
    root = root or STARTERS
    if not root.is_dir():
        return []
    found = (_FOLDER_NAME.fullmatch(path.name) for path in sorted(root.iterdir()) if path.is_dir())
    return [Lab(int(name[1]), name[2], root / name[0]) for name in found if name]


def find(which: str, root: Path | None = None) -> Lab:
    """The lab that ``which`` names: a number, a slug or a folder name; else UsageError."""
    every = labs(root)
    wanted = which.strip().strip("/\\").lower().removeprefix("labs/").removeprefix("lab").lstrip()
    for lab in every:
        same_number = (
            wanted.isascii() and wanted.isdigit() and wanted.lstrip("0") == f"{lab.number}"
        )
        if same_number or wanted in (lab.slug, lab.name):
            return lab
    names = {name: lab for lab in every for name in (lab.slug, lab.name)}
    if near := nearest(wanted, names):
        lab = names[near]
        raise UsageError(f"There is no lab {which!r}. Did you mean {lab.number} ({lab.slug})?")
    known = ", ".join(f"{lab.number} ({lab.slug})" for lab in every) or "none"
    raise UsageError(f"There is no lab {which!r}. The labs are: {known}.")


def solutions() -> Path:
    """The folder of all solutions: the clone's, or the one that the wheel carries."""
    beside = PACKAGE.parent / "solutions"
    return beside if is_clone(PACKAGE.parent) else PACKAGE / "course" / "_solutions"


def pages() -> dict[str, Path]:
    """Every page of the course by its name (``modules/02-lambda-triggers``), and its file.

    The built site where there is one, else the pages' Markdown text: the clone's, or the wheel's.
    """
    if is_clone(PACKAGE.parent):
        places = [(PACKAGE.parent / "site", ".html"), (PACKAGE.parent / "docs", ".md")]
    else:
        places = [(PACKAGE / "desk" / "_site", ".html"), (PACKAGE / "desk" / "_docs", ".md")]
    for folder, suffix in places:
        if (folder / f"index{suffix}").is_file():
            return {
                name.removesuffix(suffix): folder / name
                for name in files_in(folder)
                if name.endswith(suffix)
            }
    return {}


def parse_hints(text: str) -> dict[int, tuple[str, ...]]:
    """Hints by task from a ``hints.md``: ``## Task N: …`` headings, ``### Hint K`` below them."""
    hints: dict[int, list[list[str]]] = {}
    steps: list[list[str]] | None = None
    for line, in_code in markdown_lines(text):
        if not in_code and (task := _TASK.fullmatch(line)):
            steps = hints.setdefault(int(task[1]), [])
        elif not in_code and steps is not None and _HINT.fullmatch(line):
            steps.append([])
        elif not in_code and re.match(r"##? ", line):
            steps = None
        elif steps:
            steps[-1].append(line)
    return {
        task: tuple("\n".join(lines).strip() for lines in steps) for task, steps in hints.items()
    }


def markdown_lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line of a Markdown text, and whether it belongs to fenced code."""
    fence = ""
    for line in text.splitlines():
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and not fence:
            fence = mark[1]
            yield line, True
        elif mark and mark[1].startswith(fence):
            fence = ""
            yield line, True
        else:
            yield line, bool(fence)


# --- files -----------------------------------------------------------------------------------


def files_in(folder: Path, *, foreign: bool = True) -> list[str]:
    """Relative paths (forward slashes, sorted) of the files in ``folder`` that are not litter.

    Without ``foreign``, virtual environments and hidden folders are not entered.
    """
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in LITTER)
        if not foreign:
            folders[:] = [name for name in folders if not _is_foreign(Path(where) / name)]
        here = Path(where).relative_to(folder)
        found += [
            (here / name).as_posix()
            for name in names
            if name not in LITTER and not name.endswith((".pyc", "~", ".swp")) and not is_part(name)
        ]
    return sorted(found)


def _is_foreign(folder: Path) -> bool:
    return folder.name.startswith(".") or os.path.exists(folder / "pyvenv.cfg")  # noqa: PTH110 - a path too long is none


def is_part(name: str) -> bool:
    """True for the unfinished file that a killed ``write_whole`` leaves behind."""
    return name.startswith(".") and name.endswith(".part")


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of every file's content, in hexadecimal, by relative path."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


@contextmanager
def written(files: Mapping[str, bytes]) -> Iterator[Path]:
    """A temporary folder that holds just these files."""
    with tempfile.TemporaryDirectory(prefix="labs-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_files(folder, files)
        yield folder


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below ``folder``; each one is either the old one or the new one, never half."""
    for name, content in files.items():
        write_whole(folder / name, content)


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file by renaming a finished one over it, so that a kill leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner can read; a lab's files are ordinary ones.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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


def require_folder(folder: Path) -> None:
    """UsageError unless ``folder`` is a folder that can be listed."""
    try:
        os.listdir(folder)  # noqa: PTH208 - the plainest call that fails for every bad folder
    except FileNotFoundError:
        raise UsageError(f"There is no folder {shown(folder)}.") from None
    except NotADirectoryError:
        raise UsageError(f"{shown(folder)} is a file; give the folder that holds it.") from None
    except OSError as error:
        raise UsageError(f"The folder {shown(folder)} cannot be read: {reason(error)}.") from None


def shown(path: Path) -> str:
    """A path as the learner would type it: relative to the current folder where it is below it."""
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except (ValueError, OSError, RuntimeError):  # RuntimeError: a link to itself, Python < 3.13
        return str(path)


def _exists_exactly(folder: Path, name: str) -> bool:
    """True when ``folder`` holds ``name`` spelt just so, on any file system.

    Lambda runs on Linux, where ``Handler.py`` is not ``handler.py``: what a case-insensitive disk
    would accept must be told here. Raises UsageError when only the case is wrong.
    """
    here = folder
    for part in name.split("/"):
        try:
            present = os.listdir(here)  # noqa: PTH208 - names as the disk spells them
        except FileNotFoundError:
            return False
        except NotADirectoryError:
            raise UsageError(f"{shown(here)} is a file where a folder is needed.") from None
        except OSError as error:
            raise UsageError(f"{shown(here)} cannot be read: {reason(error)}.") from None
        if part not in present:
            for other in present:
                if other.lower() == part.lower():
                    raise UsageError(
                        f"{shown(here)} holds {other}, and the lab needs {part}: Lambda tells upper"
                        f" from lower case, so rename the file."
                    )
            return False
        here = here / part
    return True


def _read_text_file(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind):
            raise UsageError(f"{shown(path)} is a symbolic link; put the file itself there.")
        if stat.S_ISDIR(kind):
            raise UsageError(f"{shown(path)} is a folder; the lab needs a file of that name.")
        if not stat.S_ISREG(kind):
            raise UsageError(f"{shown(path)} is not an ordinary file.")
        if path.stat().st_size > LARGEST_FILE:
            raise UsageError(f"{shown(path)} is larger than {LARGEST_FILE:,} bytes.")
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {reason(error)}.") from None
    if not content.strip():
        raise UsageError(f"{shown(path)} is empty.")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UsageError(f"{shown(path)} is saved as UTF-16; save it as UTF-8.")
    if (zero := content.find(b"\0")) >= 0:
        raise UsageError(f"{shown(path)} is not a text file: byte {zero} is zero.")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{shown(path)} is not UTF-8 text: line {line} holds the byte"
            f" 0x{content[error.start]:02x}."
        ) from None
    return content


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


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def reason(error: OSError) -> str:
    """Why the machine refused, in a few words without a capital."""
    return {errno.EACCES: "permission denied", errno.ENOENT: "it is not there"}.get(
        error.errno or 0, (error.strerror or str(error)).lower()
    )


# --- workspaces ------------------------------------------------------------------------------


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


def is_clone(folder: Path) -> bool:
    """True for a checkout of this repository: the labs beside the package and its pristine copy."""
    return (
        (folder / "pyproject.toml").is_file()
        and (folder / "labs").is_dir()
        and (folder / "grader" / "course" / "starters").is_dir()
    )


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
