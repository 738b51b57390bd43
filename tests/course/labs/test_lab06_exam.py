"""Lab 6's exam and handlers that leave something running, or do nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.cloud.function import Nursery
from grader.course import judge, lab

pytestmark = pytest.mark.played

LAB6 = lab.find("6")
DAEMON = """
import threading


def linger():
    while True:
        time.sleep(1)


threading.Thread(target=linger, daemon=True).start()
"""
NOTHING = "def handler(event, context):\n    return None\n"


def _copy(place: Path, source: Path, handler: str) -> Path:
    place.mkdir()
    for name in LAB6.editable:
        (place / name).write_bytes((source / name).read_bytes())
    (place / "handler.py").write_text(handler, encoding="utf-8")
    return place


def test_a_thread_that_never_ends_costs_nothing(tmp_path: Path, nursery: Nursery) -> None:
    """Seed 1: the live mapping invokes, too, while the operator's batches are played."""
    solution = (LAB6.solution / "handler.py").read_text(encoding="utf-8")
    folder = _copy(tmp_path / "daemon", LAB6.solution, solution + DAEMON)

    grade = judge.grade(LAB6, folder, seed=1, nursery=nursery)

    assert not grade.broken
    assert grade.score == 100


def test_what_is_met_only_because_nothing_happens_wins_nothing(
    tmp_path: Path, nursery: Nursery
) -> None:
    """The starter with a handler that does nothing has no more points than the starter."""
    folder = _copy(tmp_path / "nothing", LAB6.starter, NOTHING)
    starter = (LAB6.starter / "handler.py").read_text(encoding="utf-8")
    shipped = _copy(tmp_path / "starter", LAB6.starter, starter)

    idle = judge.grade(LAB6, folder, nursery=nursery)

    assert idle.score <= judge.grade(LAB6, shipped, nursery=nursery).score
