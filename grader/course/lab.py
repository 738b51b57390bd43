"""A lab: its number, its tasks and its files.

There is no registry. A lab is a folder ``NN-slug`` of pristine files under
``grader/course/starters``, and everything else about it follows from that name.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from grader.cloud.words import nearest
from grader.course.files import (
    LARGEST_FILE,
    PACKAGE,
    UsageError,
    exists_exactly,
    files_in,
    is_clone,
    listed,
    read_text_file,
    require_folder,
    shown,
    write_files,
)

STARTERS = PACKAGE / "course" / "starters"

# What a learner reads and never edits.
READING = ("README.md", "hints.md")
# What steers tools on a learner's machine; no part of a function.
TOOLS = ("conftest.py", "pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml")
# What a learner's own modules and data beside a lab's files may take; the rest is not graded.
MOST_FILES_BESIDE = 100
MOST_BYTES_BESIDE = 5_000_000

_FOLDER_NAME = re.compile(r"(\d\d)-([a-z0-9]+(?:-[a-z0-9]+)*)")
_TASK = re.compile(r"## Task (\d+): (.+?)\s*")
_HINT = re.compile(r"### Hint (\d+)\b.*")


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
        absent = [name for name in self.editable if not exists_exactly(folder, name)]
        if absent and fill is None:
            raise UsageError(
                f"{shown(folder)} holds no {listed(absent)}; lab {self.number} needs"
                f" {listed(self.editable)}."
            )
        content = {}
        for name in self.editable:
            source = fill if name in absent and fill is not None else folder
            content[name] = read_text_file(source, name)
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
        return [name for name in self.editable if not exists_exactly(folder, name)]

    def beside(self, folder: Path) -> tuple[list[str], list[str]]:
        """The learner's other files: those that travel with the code, and those that do not fit."""
        sizes = {}
        for name in filter(self.travels, files_in(folder, foreign=False)):
            with suppress(OSError):
                kind = (folder / name).lstat()
                if stat.S_ISREG(kind.st_mode):
                    sizes[name] = kind.st_size
        return fitting(sizes)

    def travels(self, name: str) -> bool:
        """Whether a file beside the lab's own goes with the code, by its relative path.

        A second module or a table of data is code like the handler. What is hidden, prose, a lab's
        own file or what steers tools is neither.
        """
        return not (
            name in self.files
            or name.endswith(".md")
            or "/." in f"/{name}"
            or name.rpartition("/")[2] in TOOLS
        )

    def left_behind(self, folder: Path) -> list[str]:
        """The note, if any, that not all of the learner's files travel; one sentence at most."""
        left = self.beside(folder)[1]
        if not left:
            return []
        return [
            f"{len(left):,} files beside the lab's, such as {left[0]}, are too many or too "
            "large to travel with the code: they were neither run nor graded."
        ]

    def _text(self, name: str) -> str:
        try:
            return (self.starter / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""


def fitting(sizes: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Of files that would travel, by their sizes in bytes: those that fit, and the others."""
    taken: list[str] = []
    left: list[str] = []
    room = MOST_BYTES_BESIDE
    for name, size in sizes.items():
        fits = size <= min(LARGEST_FILE, room) and len(taken) < MOST_FILES_BESIDE
        (taken if fits else left).append(name)
        room -= size if fits else 0
    return taken, left


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
    site = PACKAGE.parent / "site" if is_clone(PACKAGE.parent) else PACKAGE / "desk" / "_site"
    for folder, suffix in ((site, ".html"), (prose(), ".md")):
        if (folder / f"index{suffix}").is_file():
            return {
                name.removesuffix(suffix): folder / name
                for name in files_in(folder)
                if name.endswith(suffix)
            }
    return {}


def prose() -> Path:
    """The folder of the pages' Markdown text: the clone's, or the one that the wheel carries."""
    return PACKAGE.parent / "docs" if is_clone(PACKAGE.parent) else PACKAGE / "desk" / "_docs"


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
