"""The fidelity page and the emulator's tests are in step.

Every row says how near a feature comes to AWS, on what evidence, with a link and with tests that
exist; every behaviour of the last part has a test that states it and links its source, or a reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from grader.cloud.mapping.settings import PARAMETERS
from grader.cloud.template.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/emulator-fidelity.md").read_text(encoding="utf-8")
FEATURES, ROW_BY_ROW = PAGE.split("\n## Row by row\n")
LINKS = dict(re.findall(r"^\[([a-z0-9-]+)\]: (https://\S+)$", PAGE, re.M))
EVIDENCE = {"API", "DOC", "REC", "none"}
HOW = ("exact", "choice", "simplified", "refused", "taken over")
# How many behaviours each part of the specification has. A row that goes missing is noticed here.
BEHAVIOURS = {
    "1.1": 11, "1.2": 29, "1.3": 7, "1.4": 5, "1.5": 16, "1.6": 9, "1.7": 6, "1.8": 5, "1.9": 13,
    "1.10": 13, "1.11": 10, "1.12": 7, "2.1": 15, "2.2": 6, "2.3": 12, "3.1": 9, "3.2": 7, "3.3": 5,
}  # fmt: skip


class Row(NamedTuple):
    section: str
    cells: list[str]

    def __str__(self) -> str:
        return f"{self.section} {self.cells[0]}"


def rows(text: str) -> Iterator[Row]:
    """The rows of the tables in a part of the page, each with the heading above it."""
    section = ""
    for line in text.splitlines():
        if line.startswith("#"):
            section = line.strip("# ").split(" ")[0]
        elif line.startswith("| ") and not line.startswith(("| Feature", "| Behaviour")):
            yield Row(section, [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])


def named_tests(cell: str) -> list[tuple[str, str]]:
    """The tests that a cell names, as (file, function); the file is said once for several."""
    found, file = [], ""
    for name in re.findall(r"`((?:[\w/]+\.py::)?test_\w+)`", cell):
        if "::" in name:
            file, name = name.split("::")
        found.append((file, name))
    return found


@cache
def functions(file: str) -> dict[str, tuple[str | None, str]]:
    """The tests of a file: docstring and source of each."""
    path = ROOT / "tests" / (file if "/" in file else f"cloud/mapping/{file}")
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    return {
        node.name: (ast.get_docstring(node), "\n".join(lines[node.lineno - 1 : node.end_lineno]))
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
    }


FEATURE_ROWS, BEHAVIOUR_ROWS = list(rows(FEATURES)), list(rows(ROW_BY_ROW))


def test_every_feature_says_how_on_what_evidence_where_and_which_test() -> None:
    for row in FEATURE_ROWS:
        _, how, evidence, link, tests = row.cells
        assert how.startswith(HOW), f"{row}: {how}"
        assert set(evidence.split(", ")) <= EVIDENCE, f"{row}: {evidence}"
        assert re.findall(r"\]\[([a-z0-9-]+)\]", link), f"{row} links nothing"
        assert named_tests(tests), f"{row} names no test"


@pytest.mark.parametrize("row", [*FEATURE_ROWS, *BEHAVIOUR_ROWS], ids=str)
def test_links_and_tests_of_a_row_exist(row: Row) -> None:
    for name in re.findall(r"\]\[([a-z0-9-]+)\]", " ".join(row.cells)):
        assert name in LINKS, f"{name} is no link of the page"
    for file, name in named_tests(row.cells[-1]):
        assert name in functions(file), f"{file} has no {name}"


@pytest.mark.parametrize("row", BEHAVIOUR_ROWS, ids=str)
def test_a_behaviour_is_stated_by_a_test_that_links_its_source_or_has_a_reason(row: Row) -> None:
    _, rule, link, where = row.cells
    assert rule.endswith(".")
    (name,) = re.findall(r"\]\[([a-z0-9-]+)\]", link)
    tests = named_tests(where)
    assert tests or len(where.split()) > 3, f"{row} has neither a test nor a reason"
    for file, test in tests:
        if "/" in file:
            continue
        docstring, source = functions(file)[test]
        assert docstring, f"{file}::{test} does not state its rule"
        # A link may be broken over two lines of a comment.
        flat = re.sub(r"\n\s*# ", "", source)
        assert LINKS[name] in flat, f"{file}::{test} does not link {LINKS[name]}"


def test_no_behaviour_is_missing() -> None:
    counted = dict.fromkeys(BEHAVIOURS, 0)
    for row in BEHAVIOUR_ROWS:
        counted[row.section] += 1
    assert counted == BEHAVIOURS


def test_every_test_file_of_the_emulator_stands_on_the_page() -> None:
    files = {path.name for path in (ROOT / "tests/cloud/mapping").glob("test_*.py")}
    assert files == {file for file in files if file in PAGE}


def parameters_without_a_row(parameters: set[str]) -> set[str]:
    """Which of a mapping's parameters no row of the page is about: none begins by naming it."""
    subjects = " ".join(row.cells[0] for row in (*FEATURE_ROWS, *BEHAVIOUR_ROWS))
    return parameters - set(re.findall(r"\w+", subjects))


def test_every_parameter_of_a_mapping_stands_on_the_page() -> None:
    """One that is added to the table of resource types without a row here is named."""
    table = set(KINDS["AWS::Lambda::EventSourceMapping"].fields)
    assert len(table) > 20
    assert parameters_without_a_row(table) == set()
    assert parameters_without_a_row({*table, "PollsPerSecond"}) == {"PollsPerSecond"}


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_of_a_mapping_has_its_row(name: str) -> None:
    """A parameter that the emulator learns is told on the page, in the first table."""
    table = FEATURES.partition("\n## Mapping parameters\n")[2].partition("\n## ")[0]
    assert any(f"`{name}`" in row.cells[0] for row in rows(table)), (
        f"docs/reference/emulator-fidelity.md, Mapping parameters: add a row for {name}"
    )


def test_every_link_of_the_page_is_used() -> None:
    used = set(re.findall(r"\]\[([a-z0-9-]+)\]", PAGE))
    assert used == set(LINKS)


def test_every_choice_of_the_engine_is_told_on_the_page() -> None:
    """What `choices.py` decides stands on the page as a choice."""
    for words in (
        "one minute, a choice",
        "250 ms, doubled",
        "fresh budget, a choice",
        "odd halves",
    ):
        assert words in PAGE
