"""What the function's own code spends is the learner's, what the machine spends is ours.

A limit that was met costs the criterion that it decided, everything behind it is not reached, and
the finding names the limit with its figure. What a starved machine spends is given back.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.cloud.function import HangBudget, Nursery, NurseryFailed
from grader.course import judge, lab
from grader.course.grade import Grade
from grader.course.lab import Lab
from grader.course.play import player

LAB2 = lab.find("2")
TOLD = "it computed 0.25 s without a call; the labs stop there"


def _answer(place: Path, chosen: Lab, head: str = "", tail: str = "", **more: str) -> Path:
    """The solution with text before and after its code, and with further files."""
    place.mkdir(parents=True, exist_ok=True)
    for name in chosen.editable:
        (place / name).write_bytes((chosen.solution / name).read_bytes())
    name = next(name for name in chosen.editable if name in ("handler.py", "reader.py"))
    code = (place / name).read_text(encoding="utf-8")
    (place / name).write_text(f"{head}{code}{tail}", encoding="utf-8")
    for name, text in more.items():
        (place / f"{name}.py").write_text(text, encoding="utf-8")
    return place


def _told(grade: Grade) -> list[str]:
    """What was seen, of each criterion that was lost or not reached."""
    return [one.finding.observed for one in grade.verdicts if one.finding is not None]


@pytest.mark.parametrize("chosen", lab.labs(), ids=lambda chosen: chosen.name)
def test_an_endless_loop_on_the_first_line_is_the_learners(
    chosen: Lab, tmp_path: Path, impatient: Nursery
) -> None:
    """Exit 1 and the full number of points in every lab, and limit and figure are told."""
    grade = judge.grade(
        chosen, _answer(tmp_path, chosen, head="while True: pass\n"), nursery=impatient
    )

    assert grade.exit_code == 1 and not grade.broken
    assert grade.max_score == 100
    lost = [one for one in grade.verdicts if one.outcome == "unmet"]
    assert lost and all(one.finding and TOLD in one.finding.observed for one in lost)
    for seen in _told(grade):
        # What happened comes first; the words in which AWS would tell of it stand behind.
        assert "Task timed out" not in seen.partition(TOLD)[0]


@pytest.mark.parametrize(
    ("spent", "sentence"),
    [
        ({"cpu_seconds": 0.01}, "the function computed 0.01 s in all invocations together"),
        ({"calls": 3}, "the function made 3 AWS calls in all invocations together"),
    ],
)
def test_a_grade_that_costs_too_much_is_judged_by_what_was_played(
    spent: dict[str, Any],
    sentence: str,
    tmp_path: Path,
    nursery: Nursery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What needs no play keeps its points; the rest is told which limit of the grade is spent."""
    monkeypatch.setattr(player, "HangBudget", lambda: HangBudget(**spent))

    grade = judge.grade(LAB2, LAB2.solution, nursery=nursery)

    assert grade.exit_code == 1 and grade.max_score == 100 and grade.score < 100
    assert {one.outcome for one in grade.verdicts} <= {"met", "unmet", "unreached"}
    assert next(one for one in grade.verdicts if one.criterion.id == "role-tight").outcome == "met"
    assert _told(grade) and all(f"{sentence}; the labs stop there" in one for one in _told(grade))


def _failing(monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
    """Let the machine refuse an environment so often; how many it was asked for."""
    asked: list[int] = []
    environment = Nursery.environment

    def refuse(self: Nursery, code: str) -> Any:
        asked.append(len(asked) + 1)
        if len(asked) <= times:
            raise NurseryFailed("an environment did not come up; the machine is too busy")
        return environment(self, code)

    monkeypatch.setattr(Nursery, "environment", refuse)
    return asked


ONE = ["counts-new-orders"]


def test_a_play_that_the_machine_broke_off_is_repeated_once(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And then gives the grade that it would have given."""
    undisturbed = judge.grade(LAB2, LAB2.solution, only=ONE, nursery=nursery)
    asked = _failing(monkeypatch, times=1)

    grade = judge.grade(LAB2, LAB2.solution, only=ONE, nursery=nursery)

    assert len(asked) > 1
    assert grade.document() == undisturbed.document()


def test_a_machine_that_cannot_start_a_process_twice_costs_no_points(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, times=1_000)

    grade = judge.grade(LAB2, LAB2.solution, only=ONE, nursery=nursery)

    assert grade.broken and grade.exit_code == 3
    assert "the machine is too busy" in _told(grade)[0]


def test_what_a_broken_off_play_has_cost_is_given_back(nursery: Nursery, tmp_path: Path) -> None:
    costs: list[tuple[int, float, int]] = []

    def a_play(playing: player.Player) -> str:
        """Spends everything, and is broken off once."""
        costs.append(playing.hangs.spent)
        if len(costs) == 1:
            playing.hangs.spent = 2, 1e6, 10**6
            raise NurseryFailed("the machine is too busy")
        return "played"

    with player.Player(tmp_path, seed=0, nursery=nursery) as playing:
        assert playing.play(a_play) == "played"
    assert costs == [(0, 0.0, 0)] * 2


@pytest.mark.parametrize("number", ["1", "2"])
def test_a_module_of_the_learners_own_is_part_of_the_answer(
    number: str, tmp_path: Path, nursery: Nursery
) -> None:
    """A second file beside the code travels: to a function, and to lab 1's reader."""
    chosen = lab.find(number)
    place = _answer(tmp_path, chosen, tail="\nimport mine\n\nmine.MINE\n", mine="MINE = 1\n")

    assert judge.grade(chosen, place, nursery=nursery).score == 100


WAITING = {
    "threads": "from concurrent.futures import ThreadPoolExecutor\nimport time\n"
    "def around(function):\n    def handler(event, context):\n"
    "        with ThreadPoolExecutor(4) as pool:\n"
    "            list(pool.map(lambda n: time.sleep(0.01), range(8)))\n"
    "            return pool.submit(function, event, context).result()\n    return handler\n",
    "sleeps": "import time\ndef around(function):\n    def handler(event, context):\n"
    "        time.sleep(0.2)\n        return function(event, context)\n    return handler\n",
    "time-outs": "import time\ndef around(function):\n    def handler(event, context):\n"
    "        if len(event['Records']) > 3:\n            time.sleep(600)\n"
    "        return function(event, context)\n    return handler\n",
}


@contextlib.contextmanager
def _busy(loops: int) -> Iterator[None]:
    """So many processes that compute for as long as the block runs."""
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for one in started:
            one.kill()
            one.wait()


@pytest.mark.parametrize("name", WAITING)
def test_a_busy_machine_changes_no_byte_of_a_grade(
    name: str, tmp_path: Path, nursery: Nursery
) -> None:
    """`benchmarks/load.py` does this at length."""
    tail = f"\n{WAITING[name]}\nhandler = around(handler)\n"
    place = _answer(tmp_path, LAB2, tail=tail)
    seen = []
    for loops in (0, 2):
        with _busy(loops):
            grade = judge.grade(LAB2, place, only=[*ONE, "shard-moves-on"], nursery=nursery)
        assert not grade.broken
        seen.append(json.dumps(grade.document()))

    assert seen[0] == seen[1]
