"""The players of modules 4 and 6: four incidents and their repair, and a redrive in time."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

from player_bench import FUNCTION, QUEUE, REPORTS, Event, Staged, failing, items
from player_model import Figures, Play, Player, Question, Switch

from grader.cloud import Invocation, Refused
from grader.cloud.mapping.ports import Result
from grader.replay.naming import duration
from grader.replay.scene import BY_HAND, Figure, Handed, Scene

# -- module 4: four incidents ---------------------------------------------------------------------

COUNTERS = (
    "PolledEventCount",
    "FilteredOutEventCount",
    "InvokedEventCount",
    "FailedInvokeEventCount",
)
Answer = Callable[[Event], Any]
BEFORE = "before the repair"
NUMERIC = {"dynamodb": {"NewImage": {"amount": {"N": [{"numeric": [">=", 50000]}]}}}}
BY_KEY = {"dynamodb": {"Keys": {"id": {"S": [{"prefix": "o-"}]}}}}
BOUNDED = {
    "FunctionResponseTypes": REPORTS,
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": 3,
    "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
}


class Counting:
    """A function's work: what it counts, and what it cannot count now.

    ``each_ms`` is the time of one record; a batch that takes longer than ``timeout_ms`` is cut
    off. ``refuses(item, seconds)`` is asked for each record. What fails is told as ``tells`` says:
    "raises", "reports", or "swallows".
    """

    def __init__(
        self, refuses: Callable[[str, float], bool], tells: str, *, each_ms: int, timeout_ms: int
    ) -> None:
        self.refuses, self.tells = refuses, tells
        self.each_ms, self.timeout_ms = each_ms, timeout_ms
        self.counted: set[str] = set()
        self.staged: Staged

    def answer(self, event: Event) -> Result:
        """What it answers."""
        takes = self.each_ms * len(items(event))
        seconds = (self.staged.bench.now - self.staged.start_ms) / 1000
        able = items(event)[: self.timeout_ms // self.each_ms]
        bad = [name for name in able if self.refuses(name, seconds)]
        self.counted.update(name for name in able if name not in bad)
        if takes > self.timeout_ms:
            # It would go on; what cuts it off is the function's time limit.
            return Result("returned", {}, duration_ms=takes)
        try:
            failed = failing(event, bad.__contains__, self.tells == "reports")
        except ValueError as error:
            if self.tells == "raises":
                return Result("error", None, "ValueError", str(error), takes)
            failed = {}
        return Result("returned", failed, duration_ms=takes)


def incident(which: str, mended: bool) -> Scene:
    """Ten minutes of one of module 4's incidents."""
    large, poison, throttled = "large orders", "a bad amount", "a throttled table"
    refuses = {
        poison: lambda name, _: name == "o-7",
        throttled: lambda name, seconds: 100 <= seconds < 190,
    }.get(which, lambda name, seconds: False)
    tells = "raises"
    if which == throttled:
        tells = "reports" if mended else "swallows"
    elif mended:
        tells = "reports"
    work = Counting(
        refuses, tells, each_ms=25, timeout_ms=10_000 if mended or which != "an import" else 1_000
    )
    settings: dict[str, Any] = {}
    if which == large:
        pattern = json.dumps(BY_KEY if mended else NUMERIC)
        settings["FilterCriteria"] = {"Filters": [{"Pattern": pattern}]}
    elif mended and which != "an import":
        settings = {**BOUNDED, **({"MaximumRetryAttempts": 10} if which == throttled else {})}
    staged = Staged(MetricsConfig={"Metrics": ["EventCount"]}, **settings)
    work.staged = staged
    staged.function.answer, staged.function.timeout_ms = work.answer, work.timeout_ms
    if which == "an import":
        staged.later(60, lambda: staged.put(*(f"o-{number}" for number in range(1, 121))))
    else:
        for number in range(1, 21):
            order = partial(staged.put, f"o-{number}", amount=72000 if number % 2 else 1250)
            staged.later(15 * number, order)
    staged.bench.run_for(minutes=10)
    written = len(staged.written)
    doors = [(name, staged.bench.metric(name)) for name in COUNTERS]
    figures = [
        Figure("orders that the function counted", f"{len(work.counted)} of {written}"),
        *(Figure(name, "no data" if one is None else f"{one:g}") for name, one in doors),
    ]
    return staged.scene(which, figures=figures)


def settled(play: Play) -> Figures:
    """What Lambda is done with, whatever the function did with it."""
    fates = [fate["how"] for one in play["records"] for fate in one["fates"]]
    return [("records that Lambda counts as done", f"{fates.count('done')} of {len(fates)}")]


INCIDENTS = Player(
    id="incidents",
    page="modules/04-debugging",
    title="Four incidents, before and after the repair",
    about="Up to ten minutes of each. What a function has counted when it is cut off still waits "
    "for Lambda, which got no answer. The counters are those of the table of doors above, summed "
    "up over that time; an attempt counts all of its records again.",
    switches=[
        Switch(
            "Incident",
            [
                (one, one)
                for one in ("large orders", "an import", "a bad amount", "a throttled table")
            ],
        ),
        Switch("The stack", [(BEFORE, False), ("after the repair", True)]),
    ],
    first=["a bad amount", BEFORE],
    play=incident,
    figures=settled,
    picture="Six orders are done one by one. From the seventh on nothing is: one attempt after the "
    "other fails, at longer and longer distances, and iterator age climbs.",
    question=Question(
        "The import has 120 orders. How many records did the function get in ten minutes before "
        "the repair, and how many of the orders were counted?",
        "1600, and 40: sixteen attempts with the same hundred records, each cut off at the same "
        "place. The other twenty orders never came to the function.",
        ["an import", BEFORE],
        "1600",
    ),
)


# -- module 6: the discard, its note and the redrive ----------------------------------------------

HOUR_MS = 3_600_000


def redrive(bounds: tuple[int | None, int | None], read_h: int) -> Scene:
    """Three orders, the second one bad; a person reads the notes and redrives what they name."""
    # Without a bound there is no note, and nobody who could read it sooner or later.
    return _redriven(bounds, 0 if bounds == (None, None) else read_h)


@cache
def _redriven(bounds: tuple[int | None, int | None], read_h: int) -> Scene:
    retries, age_h = bounds
    mended = False
    counted: set[str] = set()

    def answer(event: Event) -> Event:
        counted.update(name for name in items(event) if name != "o-2" or mended)
        return failing(event, lambda name: name == "o-2" and not mended, True)

    staged = Staged(
        answer,
        FunctionResponseTypes=REPORTS,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=retries,
        MaximumRecordAgeInSeconds=None if age_h is None else age_h * 3600,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    staged.put("o-1", "o-2", "o-3")
    staged.bench.drain()
    notes = staged.bench.destination(QUEUE).documents
    by_hand: list[Handed] = []
    made: list[Invocation] = []
    if notes:
        mended = True
        read_ms = staged.end_ms() + read_h * HOUR_MS
        staged.bench.clock.run_until(max(read_ms, staged.bench.now))
        staged.say(f"a person mends the cause and reads {len(notes)} note{'s' * (len(notes) > 1)}")
        for number, one in enumerate(notes, start=1):
            for records in _fetched(staged, one["DDBStreamBatchInfo"]):
                made.append(_handed_over(staged, records, number))
                done = (f"redrive of note {number}", 1, made[-1], FUNCTION, records, records)
                by_hand.append(Handed(BY_HAND, *done))
        staged.bench.run_for(seconds=1)
    redriven = _named(staged, [record for one in by_hand for record in one.records])
    noted = _named(staged, [record for one in notes for record in _told(staged, one)])
    figures = [
        Figure("notes", str(len(notes))),
        Figure("records in them", noted),
        Figure("redriven", redriven, "", redriven == noted if notes else None),
        Figure("age when a note is read", _since(staged) if notes else "nobody is told"),
        Figure("orders that are counted", f"{len(counted)} of 3", "", len(counted) == 3),
    ]
    return staged.scene("redrive", figures=figures, handed=by_hand, functions={FUNCTION: made})


def _told(staged: Staged, note: dict[str, Any]) -> list[Any]:
    """The records that a note names."""
    place = note["DDBStreamBatchInfo"]
    first, last = int(place["startSequenceNumber"]), int(place["endSequenceNumber"])
    return [one for one in staged.written if first <= one.sequence <= last]


def _named(staged: Staged, records: Sequence[Any]) -> str:
    """Records by their names."""
    return ", ".join(staged.roles[one.sequence] for one in records) or "none"


def _since(staged: Staged) -> str:
    return duration(staged.moments[0][0] - staged.start_ms)


def _fetched(staged: Staged, place: dict[str, Any]) -> Sequence[list[Any]]:
    """The records of a note out of the stream; none when they have left it."""
    first, last = place["startSequenceNumber"], place["endSequenceNumber"]
    try:
        iterator = staged.stream.shard_iterator(
            place["shardId"], "AT_SEQUENCE_NUMBER", first, now_ms=staged.bench.now
        )
        page = staged.stream.get_records(iterator, now_ms=staged.bench.now)["Records"]
    except Refused as refusal:
        staged.say(f"GetShardIterator: {refusal.code}, the record has left the stream")
        return []
    wanted = [one["dynamodb"]["SequenceNumber"] for one in page]
    wanted = [one for one in wanted if int(one) <= int(last)]
    return [[one for one in staged.written if one.sequence_number in wanted]]


def _handed_over(staged: Staged, records: Sequence[Any], number: int) -> Invocation:
    """Records that a person hands to the function, in the form in which Lambda does."""
    event: Event = {"Records": [one.event for one in records]}
    made = Invocation(number, 1, f"redrive-{number}", False, staged.bench.now, event)

    def done(result: Result) -> None:
        made.end_ms, made.result = staged.bench.now, result

    staged.function.invoke(event, done)
    return made


REDRIVE = Player(
    id="redrive",
    page="modules/06-production-checklist",
    title="A record is given up, and redriven in time or not",
    about="Three orders; o-2 cannot be counted. When somebody reads the notes, the cause is "
    "mended, and the records that the notes name are fetched from the stream and handed to the "
    "function.",
    switches=[
        Switch(
            "Given up after",
            [
                ("2 retries", (2, None)),
                ("an age of 6 h", (None, 6)),
                ("no limit is set", (None, None)),
            ],
        ),
        Switch("The note is read after", [("1 h", 1), ("5 h", 5), ("20 h", 20)]),
    ],
    first=["an age of 6 h", "5 h"],
    play=redrive,
    picture="o-1 is done at once. o-2 is tried for six hours and given up with a note, and o-3, "
    "which waited behind it, with it. Five hours later both are redriven.",
    question=Question(
        "Only o-2 is bad. Which good record do the notes name when the age is the only limit, "
        "and why not with two retries?",
        "o-3. It waited behind o-2 until both were six hours old. With two retries o-2 was out "
        "of the way within two seconds.",
        ["an age of 6 h", "5 h"],
        "given up before the next attempt: o-3",
    ),
)
