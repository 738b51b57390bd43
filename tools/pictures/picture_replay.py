"""Lab 2's bad records as a replay shows them: every attempt, from two runs of the lab itself."""

from __future__ import annotations

from typing import Any

from grader.course import judge
from grader.course.lab import find
from grader.replay.drawing import Axis, Lane, Span, State, lanes
from grader.replay.viewing import ATTEMPTS, RECORDS, key_of

# What a record of an attempt is whose batch was not its last.
AGAIN = State("comes again", "↻", "warn")
WIDTH = 430


def replay() -> str:
    """A lane for each record of the batch, a step for each attempt of the solved lab."""
    lab = find("2")
    solved, handed_out = (
        judge.run(lab, folder, scenario="bad-records")[0]["plays"][0]
        for folder in (lab.solution, lab.starter)
    )
    attempts = _of_first_batch(solved)
    records = solved["records"][: attempts[0]["records"][0][1]]
    start = attempts[0]["start"]
    seconds = (attempts[-1]["end"] - start) / 1000
    rows = [Lane(_short(one["name"]), [*_spans(one, attempts)]) for one in records]
    axis = Axis("attempt", lambda value: f"{value:.0f}", least=1)
    drawn = lanes("Three bad records in one batch", axis, rows, width=WIDTH)
    bad = sum(one["name"].startswith("bad") for one in records)
    stuck = len(_of_first_batch(handed_out))
    words = [
        f"Solved: {len(attempts)} attempts in {seconds:.0f} seconds. {bad} notes, and all",
        f"{len(records) - bad} good orders are counted. As handed out: {stuck} attempts",
        "in an hour, and none is.",
    ]
    return drawn.picture(
        f"A batch of {len(records)} orders, {bad} of them bad, in lab 2. {' '.join(words)} "
        "In the picture each order is a lane and each attempt a step: failing batches are halved "
        "until a bad order is alone, is tried again, and is given up with a note.",
        words,
    )


def _of_first_batch(play: dict[str, Any]) -> list[dict[str, Any]]:
    """The attempts whose records came in the play's first batch."""
    last = play["batches"][0]["records"][0][1]
    return [one for one in play["batches"] if one["records"][-1][1] <= last and one["attempt"]]


def _spans(record: dict[str, Any], attempts: list[dict[str, Any]]) -> list[Span]:
    found = []
    for number, one in enumerate(attempts, start=1):
        if not any(first <= record["id"] <= last for first, last in one["records"]):
            continue
        key = key_of(one)
        state = AGAIN if key in ("partial", "split") else ATTEMPTS[key]
        for fate in record["fates"]:
            if fate["batch"] == one["id"]:
                state = RECORDS[fate["how"]]
        found.append(Span(number - 1, number, state))
    return found


def _short(name: str) -> str:
    """The order's number where it has one of its own, else its merchant."""
    order, _, merchant = name.partition(",")[0].partition(" of ")
    return order if order.startswith("bad") else merchant
