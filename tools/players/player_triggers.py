"""The players of module 2: what a mapping and a handler make of trouble."""

from __future__ import annotations

from functools import partial

from player_bench import QUEUE, REPORTS, Staged, failing
from player_model import Figures, Play, Player, Question, Switch

from grader.replay.naming import duration
from grader.replay.scene import Scene

PAGE = "modules/02-lambda-triggers"
BAD = "o-5"
# How long an attempt takes: short enough for as many in a day as in the module's story.
POISON_MS = 30


def poison(reports: bool, bisects: bool, retries: int | None, age: int | None) -> Scene:
    """Eight records at once and four behind them; one of them can never be counted."""
    staged = Staged(
        partial(failing, bad=BAD.__eq__, reports=reports),
        FunctionResponseTypes=REPORTS if reports else None,
        BisectBatchOnFunctionError=bisects or None,
        MaximumRetryAttempts=retries,
        MaximumRecordAgeInSeconds=age,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
        duration_ms=POISON_MS,
    )
    staged.put(*(f"o-{number}" for number in range(1, 9)))
    for number in range(9, 13):
        staged.later(0.3 * (number - 8), partial(staged.put, f"o-{number}"))
    staged.bench.drain()
    return staged.scene("poison")


def good_and_bad(play: Play) -> Figures:
    """What became of the good records, and how much work it was."""
    attempts = [one for one in play["batches"] if one["attempt"]]
    good = [one for one in play["records"] if one["name"] != BAD]
    ids = {one["id"] for one in good}
    delivered = sum(
        number in ids
        for one in attempts
        for first, last in one["records"]
        for number in range(first, last + 1)
    )
    fates = [fate for one in good for fate in one["fates"]]
    ends = [fate["at"] - one["written"] for one in good for fate in one["fates"]]
    return [
        ("attempts", f"{len(attempts):,}"),
        ("deliveries of good records", f"{delivered:,}"),
        ("good records given up or lost", str(sum(fate["how"] != "done" for fate in fates))),
        ("longest wait of a good record", duration(max(ends))),
    ]


POISON = Player(
    id="poison",
    page=PAGE,
    title="One bad record, sixteen settings",
    about="Eight orders at once, four more behind them. One, o-5, can never be counted; the other "
    "eleven are good.",
    switches=[
        Switch("The function", [("raises", False), ("reports it", True)]),
        Switch("Bisect", [("off", False), ("on", True)]),
        Switch("Retries", [("no limit", None), ("2", 2)]),
        Switch("Largest age", [("no limit", None), ("60 s", 60)]),
    ],
    first=["reports it", "on", "2", "no limit"],
    play=poison,
    figures=good_and_bad,
    picture="What is in front of the bad record is done at the first attempt. The rest is halved "
    "until the bad record is alone; it is tried three times and given up with a note, and "
    "everything behind it is done.",
    question=Question(
        "The function reports, bisect is on, and the only limit is an age of 60 s. How many good "
        "records are given up?",
        "Seven: the bad one is tried until it is 60 s old, and by then all that waited behind it "
        "is as old, also the four that came later.",
        ["reports it", "on", "no limit", "60 s"],
        "given up before the next attempt: o-9; o-10; o-11; o-12",
    ),
)
