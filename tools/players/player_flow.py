"""The players about records on their way: a split, windows, lanes, a burst and its drain."""

from __future__ import annotations

from functools import partial

from player_bench import FUNCTION, QUEUE, REPORTS, Event, Staged, failing, items
from player_files import between
from player_model import Figures, Play, Player, Question, Switch

from grader.cloud.mapping.ports import Result
from grader.replay.naming import clock, duration
from grader.replay.scene import Scene


def waits(play: Play) -> list[int]:
    """How long each record that was done took, from its write to its end (ms)."""
    return [
        fate["at"] - one["written"]
        for one in play["records"]
        for fate in one["fates"]
        if fate["how"] == "done"
    ]


# -- module 1: a shard is split -------------------------------------------------------------------

BEFORE, AFTER = 6, 6
SPLIT_S = 4


def split(bad: bool, factor: int) -> Scene:
    """Six orders, a split, six orders more; the third one may be impossible to count."""
    staged = Staged(
        partial(failing, bad=lambda name: bad and name == "o-3", reports=True),
        duration_ms=400,
        BatchSize=2,
        FunctionResponseTypes=REPORTS,
        MaximumRetryAttempts=4,
        ParallelizationFactor=factor,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )

    def divide() -> None:
        staged.say("the shard is split: it takes no more records, two children do")
        staged.stream.split(staged.stream.shards[0].id, staged.bench.now)

    for number in range(1, BEFORE + AFTER + 1):
        at = 3 + number * 0.1 if number <= BEFORE else SPLIT_S + (number - BEFORE) * 0.2
        staged.later(at, partial(staged.put, f"o-{number}"))
    staged.later(SPLIT_S, divide)
    staged.bench.drain()
    return staged.scene("split")


def children(play: Play) -> Figures:
    """When the parent was over, and when the earlier of its two children was begun with."""
    ends: dict[int, int] = {}
    begins: dict[int, int] = {}
    for one in play["batches"]:
        ends[one["shard"]] = max(ends.get(one["shard"], 0), one["end"] or one["start"])
        begins[one["shard"]] = min(begins.get(one["shard"], one["start"]), one["start"])
    parents = {one["id"] for one in play["shards"] if one["parent"] is None}
    first = min(at for one, at in begins.items() if one not in parents)
    return [
        ("the parent is over at", clock(max(ends[one] for one in parents))),
        ("the earlier of its two children begins at", clock(first)),
        ("longest wait of a record that is done", duration(max(waits(play)))),
    ]


SPLIT = Player(
    id="split",
    page="modules/01-stream-setup",
    title="A shard is split while it is read",
    about="Six orders go to shard 1. It is split into two children, shards 2 and 3, which take six "
    "more. Lambda is the reader, two records a batch.",
    switches=[
        Switch("In the parent", [("only good records", False), ("a bad one, four retries", True)]),
        Switch("Lanes for each shard", [("1", 1), ("2", 2)]),
    ],
    first=["only good records", "1"],
    play=split,
    figures=children,
    picture="Twelve records, one under the other. The six of the children wait until the last one "
    "of the parent is done, although they lie there before.",
    question=Question(
        "One lane, and a bad record in the parent with four retries, which is five attempts. How "
        "long is the longest wait of a record that is done, and when does the earlier of the two "
        "children begin, though nothing is wrong in it?",
        "6.4 s, for a record right behind the bad one in the parent. The earlier child begins at "
        "9.903 s, 3 ms after its parent is over at 9.900 s: a child waits for its parent.",
        ["a bad one, four retries", "1"],
        "6.4 s",
    ),
)


# -- module 5: the window, and lanes --------------------------------------------------------------


def window(size: int, seconds: int, gap_ms: int) -> Scene:
    """Sixty orders at an even pace."""
    staged = Staged(duration_ms=100, BatchSize=size, MaximumBatchingWindowInSeconds=seconds or None)
    for number in range(60):
        staged.bench.at(
            staged.start_ms + 1000 + number * gap_ms, partial(staged.put, f"o-{number + 1}")
        )
    staged.bench.drain()
    return staged.scene("window")


def batches(play: Play) -> Figures:
    """How many batches there were, of what size, and how late records were done."""
    sizes = [sum(high - low + 1 for low, high in one["records"]) for one in play["batches"]]
    closed = [one["closed_by"] for one in play["batches"]]
    return [
        ("invocations", str(len(sizes))),
        ("records in one", between(sizes)),
        ("closed by", ", ".join(f"{why}: {closed.count(why)}" for why in dict.fromkeys(closed))),
        ("longest wait", duration(max(waits(play)))),
    ]


WINDOW = Player(
    id="window",
    page="modules/05-cost",
    title="What a window makes of batches",
    about="Sixty orders at an even pace; each invocation takes 100 ms.",
    switches=[
        Switch("Batch size", [("10", 10), ("100", 100)]),
        Switch("Window", [("none", 0), ("2 s", 2), ("10 s", 10)]),
        Switch("An order every", [("20 ms", 20), ("500 ms", 500)]),
    ],
    first=["10", "2 s", "500 ms"],
    play=window,
    figures=batches,
    picture="With a window of two seconds an order every half second goes out in batches of a few, "
    "one batch every two seconds.",
    question=Question(
        "Two orders a second, a batch of 10, a window of 10 seconds: is a batch ever closed by the "
        "window?",
        "Never: ten orders come within five seconds, so each batch leaves full, and no order "
        "waits for "
        "more than 4.6 s.",
        ["10", "10 s", "500 ms"],
        "size: 6",
    ),
)

HOT = "o-hot"


def lanes(factor: int, share: int) -> Scene:
    """Eighty records at once; some of them are changes of one item."""
    staged = Staged(duration_ms=0, BatchSize=5, ParallelizationFactor=factor)
    staged.function.answer = partial(_work, each_ms=40)
    for number in range(80):
        hot = number * share % 100 < share
        staged.put(HOT if hot else f"o-{number}", version=number)
    staged.bench.drain()
    return staged.scene("lanes")


def _work(event: Event, *, each_ms: int) -> Result:
    """An invocation that takes so long for each record."""
    return Result("returned", {"batchItemFailures": []}, duration_ms=each_ms * len(items(event)))


def drained(play: Play) -> Figures:
    """When everything was done, the hot item and the others by themselves."""
    ends: dict[bool, int] = {}
    for one in play["records"]:
        hot = one["item"] == HOT
        ends[hot] = max(ends.get(hot, 0), *(fate["at"] for fate in one["fates"]))
    used = {(one["shard"], one["lane"]) for one in play["batches"]}
    found = [("lanes that worked", str(len(used)))]
    if True in ends:
        found.append(("the hot item is done after", duration(ends[True])))
    if False in ends:
        found.append(("the others are done after", duration(ends[False])))
    return found


LANES = Player(
    id="lanes",
    page="modules/05-cost",
    title="Lanes against a hot item",
    about="Eighty changes at once in one shard, 40 ms of work for each, five in a batch. The hot "
    "item shares its lane with others.",
    switches=[
        Switch("Lanes", [("1", 1), ("2", 2), ("4", 4), ("10", 10)]),
        Switch("Changes of one item", [("none", 0), ("half of them", 50), ("all of them", 100)]),
    ],
    first=["4", "half of them"],
    play=lanes,
    figures=drained,
    picture="Four lanes of one shard. Three are through within a second; the one that holds the "
    "hot item works on alone for as long again.",
    question=Question(
        "Half of the changes are of one item. How much sooner is everything done with ten lanes "
        "than with four?",
        "0.28 s sooner: after 1.72 s instead of 2 s. The hot item's forty changes come one after "
        "the other whatever the number of lanes: 1.6 s of work. The rest is what other items of "
        "its lane need in between, 0.12 s with ten lanes and 0.4 s with four.",
        ["10", "half of them"],
        "1.72 s",
    ),
)


# -- operations: a burst and its drain ------------------------------------------------------------

CALM_MS, BURST_MS, BURST_S, LENGTH_S = 10_000, 1000, 120, 600
# Who is done so much later than written had to wait for others (ms).
BEHIND_MS = 30_000


def burst(factor: int, reserved: int | None) -> Scene:
    """An order every ten seconds; for two minutes one a second."""
    staged = Staged(duration_ms=0, shards=2, BatchSize=10, ParallelizationFactor=factor)
    staged.function.answer = partial(_work, each_ms=4000)
    if reserved is not None:
        staged.bench.concurrency.reserve(FUNCTION, reserved)
    number, at = 0, 0
    while at < LENGTH_S * 1000:
        number += 1
        staged.bench.at(staged.start_ms + at, partial(staged.put, f"o-{number}"))
        at += BURST_MS if 60_000 <= at < 60_000 + BURST_S * 1000 else CALM_MS
    staged.bench.drain()
    return staged.scene("burst")


def peak(play: Play) -> tuple[int, int]:
    """The most records that were written and not done, and since when (ms)."""
    steps = [(one["written"], 1) for one in play["records"]]
    steps += [(fate["at"], -1) for one in play["records"] for fate in one["fates"]]
    open_, found = 0, (0, 0)
    for at, step in sorted(steps):
        open_ += step
        found = max(found, (open_, at), key=lambda one: one[0])
    return found


def backlog(play: Play) -> Figures:
    """How far it was behind, and when it was through."""
    worst = max(waits(play))
    late = [
        fate["at"]
        for one in play["records"]
        for fate in one["fates"]
        if fate["at"] - one["written"] > BEHIND_MS
    ]
    most, when = peak(play)
    return [
        ("longest wait", duration(worst)),
        ("most records written and not done", f"{most}, at {clock(when)}"),
        ("it has caught up at", clock(max(late)) if late else "it was never behind"),
        ("throttled attempts", str(len(play["throttles"]))),
        ("invocations", str(sum(one["outcome"] == "returned" for one in play["batches"]))),
    ]


BURST = Player(
    id="burst",
    page="operations/index",
    title="A burst and its drain",
    about="Two shards, an order every ten seconds, four seconds of work for each; from minute "
    "1 to 3 there is one a second.",
    switches=[
        Switch("Lanes for each shard", [("1", 1), ("2", 2), ("4", 4)]),
        Switch("Reserved concurrency", [("none", None), ("2", 2)]),
    ],
    first=["1", "none"],
    play=burst,
    figures=backlog,
    picture="Iterator age is flat, grows while the burst lasts, and then falls, for about as long "
    "as the burst lasted, until it is flat again.",
    question=Question(
        "With a reservation of 2: which is through sooner, one lane for each shard or four, and "
        "how many attempts are throttled?",
        "One lane: it has caught up more than a minute earlier than four lanes, where 136 attempts "
        "are throttled. A throttled batch comes back later and later.",
        ["4", "2"],
        "136",
    ),
)
