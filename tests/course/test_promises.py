"""What a lab's README promises is played, or it is known to promise nothing.

`tests/submissions/labNN/promises.toml` has a row for each sentence and each row of a table in the
sections on interface, tasks and "how do you know". A row names the criteria that hold the sentence
(`play`) and the kept wrong answers that break it (`broken_by`), or says what the sentence is when it
promises nothing (`tells`). Of a row that is `open` nobody has said it yet; `OPEN` counts them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.course import answers, judge, lab

SUBMISSIONS = Path(__file__).parents[1] / "submissions"
TABLES = sorted(SUBMISSIONS.glob("lab*/promises.toml"))
# Of so many sentences nobody has said yet how they are held. A figure may only fall.
OPEN: dict[int, int] = {}
SECTIONS = re.compile(r"## (The system|Task \d+: .*|How do you know it works\?)")


def sentences(readme: str) -> Iterator[str]:
    """Every sentence and table row of the promising sections, in their order."""
    text = re.sub(r"```.*?```", "", readme, flags=re.S)
    for section in re.split(r"\n(?=## )", text):
        title, _, body = section.partition("\n")
        if not SECTIONS.fullmatch(title):
            continue
        for block in re.split(r"\n\s*\n", body.strip()):
            if block.startswith("|"):
                rows = block.splitlines()[2:]
                yield from (" | ".join(re.split(r"\s*\|\s*", row.strip("| "))) for row in rows)
            elif block:
                flat = " ".join(block.split())
                yield from re.split(r"(?<=[.:?!])\s+(?=[A-Z`*(])", flat)


def _lab(table: Path) -> lab.Lab:
    return lab.find(table.parent.name.removeprefix("lab"))


def _rows(table: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tomllib.loads(table.read_text(encoding="utf-8"))["promise"]
    return rows


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.parent.name)
def test_every_sentence_has_its_play_or_is_known_to_promise_nothing(table: Path) -> None:
    """A new or changed sentence fails here until somebody has said how it is held."""
    readme = (_lab(table).starter / "README.md").read_text(encoding="utf-8")

    assert [row["sentence"] for row in _rows(table)] == list(sentences(readme))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.parent.name)
def test_every_promise_is_held_by_a_criterion_that_a_kept_answer_loses(table: Path) -> None:
    """The named answers exist, and each loses a criterion that holds the sentence."""
    chosen = _lab(table)
    criteria = {criterion.id for criterion in judge.criteria(chosen)}
    kept = {one.name: one for one in answers.kept(chosen) if one.kind == "wrong"}
    for row in _rows(table):
        assert sum(kind in row for kind in ("tells", "play", "open")) == 1, row["sentence"]
        if "play" not in row:
            continue
        play = set(row["play"])
        assert play <= criteria, row["sentence"]
        for name in row["broken_by"]:
            assert kept[name].loses & play, f"{name} does not break: {row['sentence']}"
        alone = [name for name in row["broken_by"] if kept[name].loses <= play]
        assert alone, f"no answer breaks it alone: {row['sentence']}"


def test_every_lab_has_its_table_and_fewer_and_fewer_open_rows() -> None:
    """A figure that is too high fails as well, so that it is written down when it falls."""
    waiting = {_lab(table).number: sum("open" in row for row in _rows(table)) for table in TABLES}

    assert set(waiting) == {chosen.number for chosen in lab.labs()}
    assert {number: rows for number, rows in waiting.items() if rows} == OPEN
