"""Pictures of what the emulator really did: batches, lanes, a day, and iterator age."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from picture_draw import Picture

from grader.cloud.dynamodb.records import Record
from grader.cloud.mapping import journal as note
from grader.cloud.mapping.bench import Bench, Invocation
from grader.cloud.mapping.decide import Retry, Split

QUEUE = "arn:aws:sqs:us-east-1:123456789012:FailedRecords"
BAD = 5
RETRIES = 2


# -- a batch with a bad record ------------------------------------------------------------------


@dataclass
class Play:
    """Eight records, the fifth of them bad, through a mapping with these settings."""

    settings: dict[str, Any]
    reports: bool
    bench: Bench = field(default_factory=Bench)
    uuid: str = ""
    numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stream = self.bench.stream()
        self.bench.function("totals", self._answer)
        self.bench.destination(QUEUE)
        for at in range(1, 9):
            stream.write(None, {"id": {"S": f"o-{at}"}}, self.bench.now)
        self.uuid = self.bench.create(
            FunctionName="totals",
            EventSourceArn=stream.arn,
            StartingPosition="TRIM_HORIZON",
            MaximumRetryAttempts=RETRIES,
            DestinationConfig={"OnFailure": {"Destination": QUEUE}},
            **self.settings,
        )["UUID"]
        self.bench.drain()

    def _answer(self, event: dict[str, Any]) -> dict[str, Any]:
        for record in event["Records"]:
            if record["dynamodb"]["Keys"]["id"]["S"] == f"o-{BAD}":
                if not self.reports:
                    raise ValueError("the record cannot be counted")
                number = record["dynamodb"]["SequenceNumber"]
                return {"batchItemFailures": [{"itemIdentifier": number}]}
        return {}

    def discards(self) -> list[note.Discarded]:
        """What the mapping gave up."""
        return list(self.bench.journals[self.uuid].of(note.Discarded))


def _at(record: Record) -> int:
    """Which of the eight a record is, from 1."""
    return int(record.event["dynamodb"]["Keys"]["id"]["S"].removeprefix("o-"))


def _then(one: Invocation) -> tuple[str, str]:
    """What followed from an attempt, in two words, and its class."""
    if one.outcome == "success":
        return "all done", "good"
    if isinstance(one.decision, Split):
        return "failed: halve it", "wait"
    if isinstance(one.decision, Retry):
        return "failed: again", "bad"
    if one.outcome == "partial":
        return "in front: done", "wait"
    return "failed: give up", "bad"


def poison(name: str) -> str:
    """The attempts of one setting, one under the other."""
    title, settings, reports, words = POISONS[name]
    play = Play(settings, reports)
    attempts = play.bench.invocations(play.uuid)
    discards = play.discards()
    lost = sum(1 for one in discards for record in one.batch.records if _at(record) != BAD)
    repeated = dict.fromkeys(range(1, 9), 0)
    for one in attempts:
        for record in one.records:
            repeated[_at(record)] += 1
    good = sum(count for at, count in repeated.items() if at != BAD)
    picture = Picture(
        title,
        f"{words} Eight records are handed over, number {BAD} is bad, {RETRIES} retries are "
        f"allowed. There are {len(attempts)} attempts. Good records are delivered {good} times in "
        f"all, and {lost} of the 7 are given up together with the bad one.",
    )
    picture.text(14, 22, title, "strong")
    picture.text(14, 38, words, "small soft")
    start = attempts[0].start_ms
    y = 50.0
    for count, one in enumerate(attempts, 1):
        seconds = (one.start_ms - start) / 1000
        picture.text(14, y + 14, f"{count}.", "small strong")
        picture.text(66, y + 14, f"{seconds:.1f} s", "small soft", anchor="end")
        inside = {_at(record) for record in one.records}
        for at in range(1, 9):
            _record(picture, 74 + (at - 1) * 20, y, at, at in inside)
        answer, kind = _then(one)
        picture.text(240, y + 14, answer, f"small {kind}")
        y += 24
    y += 4
    for one in discards:
        seconds = (one.time_ms - start) / 1000
        inside = {_at(record) for record in one.batch.records}
        picture.text(66, y + 14, f"{seconds:.1f} s", "small soft", anchor="end")
        for at in range(1, 9):
            _record(picture, 74 + (at - 1) * 20, y, at, at in inside)
        picture.text(240, y + 14, f"note: {len(inside)} given up", "small bad strong")
        y += 24
    y += 16
    verdict = (
        "No good record is lost." if not lost else f"{lost} good records are lost with the bad one."
    )
    picture.text(
        14, y, f"{'✓' if not lost else '✗'} {verdict}", "good strong" if not lost else "bad strong"
    )
    picture.text(14, y + 16, f"Good records delivered {good} times; 7 would do.", "small soft")
    return picture.svg(y + 28)


def _record(picture: Picture, x: float, y: float, at: int, inside: bool) -> None:
    kind = "faint dash" if not inside else "boxbad" if at == BAD else "box"
    picture.box(x, y, 18, 19, kind, round_=2)
    if inside:
        mark = "✗" if at == BAD else str(at)
        picture.text(
            x + 9, y + 13.5, mark, "small strong bad" if at == BAD else "small", anchor="middle"
        )


POISONS: dict[str, tuple[str, dict[str, Any], bool, str]] = {
    "poison-whole-batch": (
        "The function raises; nothing else is set",
        {},
        False,
        "The whole batch comes again, then all of it is given up.",
    ),
    "poison-bisect": (
        "The function raises; bisect is on",
        {"BisectBatchOnFunctionError": True},
        False,
        "A failing batch is halved until the bad record is alone.",
    ),
    "poison-partial": (
        "The function reports the bad record",
        {"FunctionResponseTypes": ["ReportBatchItemFailures"]},
        True,
        "What is in front is done; it and all behind come again.",
    ),
    "poison-partial-bisect": (
        "It reports the bad record, and bisect is on",
        {"FunctionResponseTypes": ["ReportBatchItemFailures"], "BisectBatchOnFunctionError": True},
        True,
        "What is left is cut at the reported record, then halved.",
    ),
}


# -- shards and lanes ---------------------------------------------------------------------------


def lanes() -> str:
    """A parent, its children, and what a factor of 2 does with one shard."""
    bench = Bench()
    stream = bench.stream(keys=["id"])
    bench.function("totals", duration_ms=300)
    uuid = bench.create(
        FunctionName="totals", EventSourceArn=stream.arn, StartingPosition="TRIM_HORIZON",
        BatchSize=10, ParallelizationFactor=2,
    )["UUID"]  # fmt: skip
    bench.run_for(minutes=2)
    order = ["A", "B", "C", "A", "D", "B", "A", "E", "C", "D"]
    for key in order:
        stream.write(None, {"id": {"S": key}, "n": {"N": str(bench.now)}}, bench.now)
        bench.run_for(ms=1)
    bench.drain()
    placed: dict[str, int] = {}
    for one in bench.invocations(uuid):
        for record in one.records:
            placed[record.event["dynamodb"]["Keys"]["id"]["S"]] = one.lane
    picture = Picture(
        "Shards, their children, and lanes",
        "A shard that was split has two children; the mapping reads them only when the parent is "
        "read to its end. Below, one shard with a parallelization factor of 2: records in the "
        "order "
        f"{', '.join(order)} go to two lanes by their item. All records of one item are in one "
        "lane, in their order; different items may overtake each other.",
    )
    picture.text(14, 24, "A shard and its children", "strong")
    picture.node(14, 56, 120, ["Parent", "closed, read first"], "boxwait")
    picture.arrow((134, 68), (170, 68), (170, 56), (214, 56))
    picture.arrow((134, 84), (170, 84), (170, 110), (214, 110))
    picture.node(214, 36, 132, ["Child", "waits for its parent"])
    picture.node(214, 90, 132, ["Child", "waits for its parent"])
    picture.lines(14, 116, ["An item's changes stay in", "order across the split."], "small soft")
    y = 160.0
    picture.text(14, y, "One open shard, ParallelizationFactor 2", "strong")
    for at, key in enumerate(order):
        picture.box(14 + at * 33, y + 12, 29, 26, "box")
        picture.text(28.5 + at * 33, y + 29, key, "strong", anchor="middle")
    picture.text(14, y + 54, "oldest", "small soft")
    picture.text(346, y + 54, "newest", "small soft", anchor="end")
    for lane in (1, 2):
        top = y + 76 + (lane - 1) * 66
        if lane == 1:
            picture.arrow((100, y + 44), (100, top))
        else:
            picture.arrow((348, y + 60), (348, top + 22), (330, top + 22))
        mine = [key for key in order if placed[key] == lane]
        picture.box(14, top, 316, 44, "faint dash")
        picture.text(20, top + 18, f"lane {lane}", "small strong")
        picture.text(20, top + 32, "one batch", "small soft")
        for at, key in enumerate(mine):
            picture.box(82 + at * 33, top + 9, 29, 26, "boxgood")
            picture.text(96.5 + at * 33, top + 26, key, "strong", anchor="middle")
    y += 76 + 2 * 66
    picture.lines(
        14, y + 8,
        ["The item decides the lane. Each lane has one batch on its",
         "way, so up to two invocations run at once. A stuck lane holds",
         "back its own items, and in the end the shard's position."],
        "small soft",
    )  # fmt: skip
    return picture.svg(y + 48)


# -- a day with a bad record --------------------------------------------------------------------

HOUR_MS = 3_600_000


@dataclass
class Day:
    """How far behind a mapping was, every quarter of an hour (hours, hours), and what it did."""

    behind: list[tuple[float, float]]
    deliveries: int
    trimmed: int
    given_up: int


def poison_day(hours: int, **settings: Any) -> Day:
    """A bad record at the start, then one good record every ten minutes, for so many hours."""
    bench = Bench()
    stream = bench.stream()
    bad: list[str] = []

    def answer(event: dict[str, Any]) -> dict[str, Any]:
        for record in event["Records"]:
            if record["dynamodb"]["Keys"]["id"]["S"] == "bad":
                number = record["dynamodb"]["SequenceNumber"]
                bad.append(number)
                return {"batchItemFailures": [{"itemIdentifier": number}]}
        return {}

    bench.function("totals", answer)
    bench.destination(QUEUE)
    uuid = bench.create(
        FunctionName="totals", EventSourceArn=stream.arn, StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"], **settings,
    )["UUID"]  # fmt: skip
    bench.run_for(minutes=5)
    start = bench.now
    stream.write(None, {"id": {"S": "bad"}}, start)
    behind = [(0.0, 0.0)]
    for step in range(1, hours * 4 + 1):
        bench.run_for(minutes=15)
        stream.write(None, {"id": {"S": f"o-{step}"}}, bench.now)
        waiting = bench.mapping(uuid).pending()
        oldest = min((record.time_ms for record in waiting), default=bench.now)
        behind.append(((bench.now - start) / HOUR_MS, (bench.now - oldest) / HOUR_MS))
    journal = bench.journals[uuid]
    trimmed = sum(len(one.records) for one in journal.of(note.Trimmed))
    given_up = sum(len(one.batch.records) for one in journal.of(note.Discarded))
    return Day(behind, len(bad), trimmed, given_up)


def timeline() -> str:
    """The same bad record with the defaults, and with three retries."""
    hours = 30
    endless = poison_day(hours)
    bounded = poison_day(
        hours, MaximumRetryAttempts=3, BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )  # fmt: skip
    worst = max(age for _, age in bounded.behind)
    picture = Picture(
        "A bad record, with the defaults and with bounded retries",
        f"With the defaults one bad record is delivered {endless.deliveries:,} times, until it "
        "leaves the stream after 24 hours; meanwhile everything waits behind it, and the oldest "
        "waiting record gets 24 hours old. Then it is lost without a note. "
        f"With three retries it is delivered {bounded.deliveries} times within seconds, a note is "
        "written, and nothing waits.",
    )
    panels = [
        ("The defaults", endless,
         [f"delivered {endless.deliveries:,} times in 24 hours",
          f"then lost without a note: {endless.trimmed} of the records"], "bad"),
        ("Three retries, bisect, a destination", bounded,
         [f"delivered {bounded.deliveries} times, then a note: {bounded.given_up} given up",
          "nothing waits behind it" if worst < 0.25 else f"at most {worst:.1f} h behind"], "good"),
    ]  # fmt: skip
    y = 14.0
    for title, day, words, kind in panels:
        picture.text(14, y + 12, title, "strong")
        picture.lines(14, y + 28, words, f"small {kind}")
        left, right, top, bottom = 44.0, 346.0, y + 54, y + 154
        picture.text(14, top + 4, "24 h", "small soft")
        picture.text(14, bottom + 3, "0 h", "small soft")
        picture.line((left, top), (right, top), kind="faint dash")
        picture.line((left, bottom), (right, bottom), kind="line")
        points = [
            (left + (right - left) * at / hours, bottom - (bottom - top) * min(age, 24) / 24)
            for at, age in day.behind
        ]
        picture.shape((left, bottom), *points, (points[-1][0], bottom), kind="areaaccent")
        for hour in (0, 6, 12, 18, 24, 30):
            x = left + (right - left) * hour / hours
            picture.line((x, bottom), (x, bottom + 4))
            picture.text(
                x, bottom + 16, f"{hour} h", "small soft", anchor="middle" if hour < 30 else "end"
            )
        y = bottom + 26
    words = [
        "Upwards: the age of the oldest record that still waits.",
        "Along: the hours since the bad record was written.",
    ]
    picture.lines(14, y + 8, words, "small soft")
    return picture.svg(y + 34)
