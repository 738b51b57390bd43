"""Lab 6's runbook: the answers of its fenced TOML block, and what the deployed stack makes of them.

A runbook is prose for people; one block in it holds the answers that can be checked. Nobody's
answers are those of the solution: each is compared with the stack that this learner deployed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from grader.course import toml

if TYPE_CHECKING:
    from grader.course.stage import Stage

RUNBOOK = "runbook.md"

# The answers of the README, by table of the block: each with what it must be.
WANTED: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "failures": {
        "destination": str,
        "attempts": int,
        "hours_left": (int, float),
    },
    "operations": {"mapping": str, "pause": str, "resume": str},
    "paged": {
        "bad-order": str,
        "throttled-table": str,
        "hanging-calls": str,
        "throttled-function": str,
        "silence": str,
        "endpoint": str,
    },
    "bill": {"dollars_a_month": (int, float)},
}

_FENCE = re.compile(r"^```toml\s*$")


@dataclass(frozen=True)
class Runbook:
    """The answers, by table and name, and the lines of `runbook.md` on which they stand."""

    answers: Mapping[str, Mapping[str, Any]]
    lines: Mapping[tuple[str, str], int]
    first: int

    def answer(self, table: str, name: str) -> Any:
        """One answer; KeyError when it is not there."""
        return self.answers[table][name]

    def line_of(self, table: str, name: str) -> int:
        """The line of an answer, of its table, or of the block, counted from 1."""
        return self.lines.get((table, name)) or self.lines.get((table, "")) or self.first


def read(stage: Stage) -> Runbook:
    """The runbook's answers; stops with the line when they cannot be read."""
    path = stage.folder / RUNBOOK
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    starts = [number for number, line in enumerate(lines, start=1) if _FENCE.match(line)]
    if len(starts) != 1:
        observed = "no block that begins with ```toml" if not starts else f"{len(starts)} of them"
        _stop(stage, starts[1] if starts else None, observed)
    first = starts[0]
    length = next((n for n, line in enumerate(lines[first:]) if line.rstrip() == "```"), None)
    if length is None:
        _stop(stage, first, "a block that does not end: the closing ``` is missing")
    body = lines[first : first + length]
    try:
        answers = toml.read("\n".join(body) + "\n")
    except toml.NoToml as error:
        found = re.search(r"line (\d+)", str(error))
        # A problem at the end of the document has no line of its own.
        inside = min(int(found[1]), len(body)) if found else len(body)
        _stop(stage, first + inside, f"no TOML: {error}")
    book = Runbook(answers, _lines(body, first), first)
    for table, wanted in WANTED.items():
        if not isinstance(answers.get(table), dict):
            _stop(stage, first, f"the block has no table [{table}]")
        for name, kind in wanted.items():
            value = answers[table].get(name)
            if value is None:
                _stop(stage, book.line_of(table, ""), f"the table [{table}] has no {name}")
            if isinstance(value, bool) or not isinstance(value, kind):
                what = "a text in quotes" if kind is str else "a number"
                _stop(stage, book.line_of(table, name), f"{name} is {value!r}, and not {what}")
    return book


def _lines(body: list[str], first: int) -> dict[tuple[str, str], int]:
    """On which line of the file each table and each answer begins."""
    found: dict[tuple[str, str], int] = {}
    table = ""
    for number, line in enumerate(body, start=first + 1):
        if heading := re.match(r"\s*\[([\w-]+)\]", line):
            table = heading[1]
            found.setdefault((table, ""), number)
        elif key := re.match(r"\s*\"?([\w-]+)\"?\s*=", line):
            found.setdefault((table, key[1]), number)
    return found


def _stop(stage: Stage, line: int | None, observed: str) -> NoReturn:
    stage.stop(
        "runbook",
        stage.finding(
            rule="The runbook has one fenced block of TOML with the README's answers.",
            input=f"{RUNBOOK} as it stands",
            expected="one block ```toml … ``` with the tables "
            + ", ".join(f"[{table}]" for table in WANTED),
            observed=observed,
            why="In an incident a runbook is read by somebody who did not write it, and by tools.",
            where=stage.line(RUNBOOK, line),
            page=f"{stage.lab.page}#runbook",
        ),
    )


def commands(text: str) -> tuple[list[str], str | None]:
    """A command's words, and why it is none (None when it is one)."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        return [], f"no shell takes it: {error}"
    return words, None


def switches(text: str, *, on: bool) -> str | None:
    """Why a command does not enable (``on``) or disable a mapping; None when it does.

    https://docs.aws.amazon.com/cli/latest/reference/lambda/update-event-source-mapping.html
    """
    words, problem = commands(text)
    if problem is not None:
        return problem
    if words[:3] != ["aws", "lambda", "update-event-source-mapping"]:
        return "it is not aws lambda update-event-source-mapping"
    if not any(word == "--uuid" or word.startswith("--uuid=") for word in words):
        return "it names no mapping: --uuid is missing"
    wanted, other = ("--enabled", "--no-enabled") if on else ("--no-enabled", "--enabled")
    if other in words or wanted not in words:
        return f"it has no {wanted}" if other not in words else f"it says {other}"
    return None
