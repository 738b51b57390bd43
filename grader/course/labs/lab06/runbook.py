"""Lab 6's runbook: the answers of its fenced TOML block, and what the deployed stack makes of them.

A runbook is prose for people; one block in it holds the answers that can be checked. Nobody's
answers are those of the solution: each is compared with the stack that this learner deployed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
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

    answers: Mapping[str, Any]
    lines: Mapping[tuple[str, str], int]
    first: int

    def answer(self, stage: Stage, table: str, name: str) -> Any:
        """One answer; stops whoever asks when it is not there or of another type."""
        answers, kind = self.answers.get(table), WANTED[table][name]
        if not isinstance(answers, dict):
            _stop(stage, self.first, f"the block has no table [{table}]", table)
        value = answers.get(name)
        if value is None:
            _stop(stage, self.line_of(table, ""), f"the table [{table}] has no {name}", table)
        if isinstance(value, bool) or not isinstance(value, kind):
            what = "a text in quotes" if kind is str else "a number"
            line = self.line_of(table, name)
            _stop(stage, line, f"{name} is {value!r}, and not {what}", table)
        return value

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
    return Runbook(answers, _lines(body, first), first)


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


def _stop(stage: Stage, line: int | None, observed: str, table: str = "") -> NoReturn:
    """Nothing can be read of the block, or of one ``table`` of it."""
    stage.stop(
        f"runbook {table}",
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


# What the command takes, by whether a value follows; the AWS CLI accepts its global options, too.
# https://docs.aws.amazon.com/cli/latest/reference/lambda/update-event-source-mapping.html
# https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-options.html
VALUED = frozenset(
    f"--{name}"
    for name in """
    uuid function-name batch-size filter-criteria maximum-batching-window-in-seconds
    destination-config maximum-record-age-in-seconds maximum-retry-attempts metrics-config
    parallelization-factor function-response-types tumbling-window-in-seconds
    source-access-configurations scaling-config document-db-event-source-config kms-key-arn
    provisioned-poller-config cli-input-json cli-input-yaml output query region profile
    endpoint-url color ca-bundle cli-read-timeout cli-connect-timeout cli-binary-format
    """.split()  # noqa: SIM905 - a list of them would be a page long
)
PLAIN = frozenset(
    f"--{name}"
    for name in """
    enabled no-enabled bisect-batch-on-function-error no-bisect-batch-on-function-error debug
    no-verify-ssl no-paginate no-sign-request no-cli-pager cli-auto-prompt no-cli-auto-prompt
    """.split()  # noqa: SIM905
)
_LISTS = ("--function-response-types", "--source-access-configurations")
# What ends a command in a shell; behind it stands another one.
_ENDS = frozenset((";", "&&", "||", "|", "&", ">", ">>"))
_UUID = re.compile(r"\$\{?UUID\}?|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def switches(text: str, *, on: bool) -> str | None:
    """Why a command does not enable (``on``) or disable a mapping; None when it does."""
    try:
        # Punctuation of the shell is a word of its own; a comment ends the command.
        reader = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=True)
        reader.whitespace_split = True
        words = list(takewhile(lambda word: word not in _ENDS, reader))
    except ValueError as error:
        return f"no shell takes it: {error}"
    if words[:1] != ["aws"]:
        return "it is not aws lambda update-event-source-mapping"
    given, rest = _options(words[1:])
    if rest[:2] != ["lambda", "update-event-source-mapping"]:
        return "it is not aws lambda update-event-source-mapping"
    if len(rest) > 2:
        return f"aws does not know what {rest[2]} means there"
    for name, value in given.items():
        if name not in VALUED | PLAIN:
            return f"the command has no option {name}"
        if name in VALUED and value is None:
            return f"{name} lacks its value"
    if "--uuid" not in given:
        return "it names no mapping: --uuid is missing"
    if not _UUID.fullmatch(given["--uuid"] or ""):
        return f"{given['--uuid']} is no identifier of a mapping: $UUID stands for it"
    wanted, other = ("--enabled", "--no-enabled") if on else ("--no-enabled", "--enabled")
    if other in given:
        return f"it says {other}"
    return None if wanted in given else f"it has no {wanted}"


def _options(words: list[str]) -> tuple[dict[str, str | None], list[str]]:
    """The options of a command with their values, and the words that belong to none."""
    given: dict[str, str | None] = {}
    rest: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("--"):
            rest.append(word)
            continue
        name, sign, value = word.partition("=")
        if sign:
            given[name if name in VALUED else word] = value
        elif name in VALUED and waiting and not waiting[0].startswith("--"):
            given[name] = waiting.pop(0)
            # Some take a list.
            while name.startswith(_LISTS) and waiting and not waiting[0].startswith("--"):
                waiting.pop(0)
        else:
            given[name] = None
    return given, rest
