"""Pictures of what the emulator really did: batches, lanes, a day, and iterator age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from picture_draw import Picture

from grader.cloud.mapping import journal as note
from grader.cloud.mapping.bench import Bench

QUEUE = "arn:aws:sqs:us-east-1:123456789012:FailedRecords"


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
    """A bad record at the start, then one good record a quarter of an hour, for so many hours."""
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
        "written, and nothing waits. One order is written every 15 minutes.",
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
        "An order every 15 minutes; in a busier shard more are lost.",
    ]
    picture.lines(14, y + 8, words, "small soft")
    return picture.svg(y + 48)
