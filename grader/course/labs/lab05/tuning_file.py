"""Lab 5's ``tuning.toml``: what the learner chose, or why it cannot be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from grader.cloud.words import nearest
from grader.course import toml
from grader.course.grade import Unmet
from grader.course.labs.lab05.workloads import TIMEOUT_S, WORKLOADS
from grader.review.tuning import Choice

if TYPE_CHECKING:
    from grader.course.stage import Stage

FILE = "tuning.toml"

# What stands in a workload's table, and the name of the same in a `Choice`.
SETTINGS = {
    "BatchSize": "batch_size",
    "MaximumBatchingWindowInSeconds": "window_s",
    "ParallelizationFactor": "parallelization",
    "MemorySize": "memory_mb",
    "ReservedConcurrentExecutions": "concurrency",
}
NEEDED = tuple(SETTINGS)[:-1]


@dataclass(frozen=True)
class TuningFile:
    """The parsed file: ``tables`` by name, and its lines."""

    tables: Mapping[str, Any]
    lines: tuple[str, ...]

    def line_of(self, table: str, key: str | None = None) -> int | None:
        """Where a key stands, or its table when it is absent; counts from 1."""
        found = None
        for number, line in enumerate(self.lines, start=1):
            header = re.match(r"\s*\[\s*(.+?)\s*\]", line)
            if header:
                if found is not None:
                    break
                if header[1].strip("\"'") == table:
                    found = number
            elif found is not None and key and re.match(rf"\s*[\"']?{key}[\"']?\s*=", line):
                return number
        return found


def read(stage: Stage) -> TuningFile:
    """The learner's file; stops when it is no TOML."""
    text = (stage.folder / FILE).read_text(encoding="utf-8", errors="replace")
    try:
        tables = toml.read(text)
    except toml.NoToml as error:
        found = re.search(r"at line (\d+)", str(error))
        stage.stop(
            "tuning",
            stage.finding(
                rule=f"{FILE} is a TOML document.",
                input=FILE,
                expected="tables such as [low], each with lines such as BatchSize = 100",
                observed=str(error),
                why="A file of settings that cannot be read sets nothing.",
                where=stage.line(FILE, int(found[1]) if found else None),
                page=f"{stage.lab.page}#troubleshooting",
            ),
        )
    return TuningFile(tables, tuple(text.splitlines()))


def choice(stage: Stage, name: str) -> Choice:
    """The settings for one workload. Raises Unmet when AWS would not take them."""
    file = stage.play(read)
    table = file.tables.get(name)
    if not isinstance(table, dict):
        _refuse(stage, name, None, f"a table [{name}]", f"there is no table [{name}]")
    for key in table:
        if key not in SETTINGS:
            near = nearest(key, SETTINGS)
            hint = f"; did you mean {near}?" if near else ""
            _refuse(stage, name, key, f"one of {', '.join(SETTINGS)}", f"{key}{hint}")
    for key in NEEDED:
        if key not in table:
            _refuse(stage, name, key, f"{key} in [{name}]", f"[{name}] has no {key}")
    for key, value in table.items():
        # In TOML true is no number, but in Python it is.
        if isinstance(value, bool) or not isinstance(value, int):
            _refuse(stage, name, key, "a whole number", f"{key} = {value!r}")
    chosen = {SETTINGS[key]: value for key, value in table.items()}
    try:
        made = Choice(**chosen, timeout_s=TIMEOUT_S)
    except ValueError as error:
        names = {field: key for key, field in SETTINGS.items()}
        field = str(error).split()[0]
        told = str(error).replace(field, names.get(field, field), 1)
        expected, _, got = told.partition(", not ")
        observed = f"{names.get(field, field)} = {got}" if got else told
        _refuse(stage, name, names.get(field), expected, observed)
    left = WORKLOADS[name].concurrency
    if made.concurrency is not None and made.concurrency > left:
        _refuse(
            stage,
            name,
            "ReservedConcurrentExecutions",
            f"at most the {left} executions that the account has left",
            f"ReservedConcurrentExecutions = {made.concurrency}",
        )
    return made


def _refuse(stage: Stage, name: str, key: str | None, expected: str, observed: str) -> NoReturn:
    file = stage.play(read)
    raise Unmet(
        stage.finding(
            rule=f"[{name}] in {FILE} holds settings that AWS accepts.",
            input=f"[{name}] in {FILE}",
            expected=expected,
            observed=observed,
            why="A mapping or a function with a value outside its range is not created.",
            where=stage.line(FILE, file.line_of(name, key)),
            page=f"{stage.lab.page}#troubleshooting",
        )
    )


def number(stage: Stage, key: str) -> float | None:
    """A number of the table ``[provisioned]``, None when it is not there or no number."""
    table = stage.play(read).tables.get("provisioned")
    value = table.get(key) if isinstance(table, dict) else None
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
