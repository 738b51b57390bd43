"""Lab 4's scenarios: the five tickets, played.

Each ticket is a play that any stack can be put through. The learner's own stack goes through them
for the criteria; the stack as it was shipped goes through them for the evidence. Scenarios judge
nothing; they only stop when there is nothing to play.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grader.course.places import total_line
from grader.course.play.paging import (
    FUNCTION,
    MAPPING,
    incident,
    ordinary,
    recorded,
)
from grader.course.play.traffic import SYSTEM, TOTALS, Blip, Shop
from grader.replay.incidents import Incident

if TYPE_CHECKING:
    from grader.cloud.dynamodb import Record
    from grader.cloud.function import Invocation
    from grader.course.stage import Stage

REVIEW, REVIEW_MAPPING, LARGE_ORDERS = "ReviewFunction", "LargeOrdersToReview", "LargeOrders"
INTERFACE = {
    **SYSTEM,
    REVIEW: "AWS::Lambda::Function",
    REVIEW_MAPPING: "AWS::Lambda::EventSourceMapping",
    LARGE_ORDERS: "AWS::DynamoDB::Table",
}
PAGE = "modules/04-debugging"

# The README's limits: what is a large order, and how late good orders may be.
LARGE_CENTS = 50_000
LATE_MIN = 15
# So long reads that need not be consistent lag behind a batch that comes again at once.
STALE_MS = 3_000
# The import is a full batch of the shipped mapping and some more.
IMPORTED = 120


def open_shop(stage: Stage, play: str, **options: Any) -> Shop:
    """A shop on a freshly deployed stack; stops when AWS would refuse one of its mappings."""
    stage.require_interface(INTERFACE)
    pipeline = stage.deploy(**options)
    for mapping in (MAPPING, REVIEW_MAPPING):
        stage.require_mapping(pipeline, mapping)
    return Shop.open(pipeline, play)


# -- an ordinary day ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sums:
    """What merchants' items said in the end, beside the truth."""

    shop: Shop

    @property
    def wrong(self) -> list[str]:
        """The merchants whose item does not say what their orders say."""
        merchants = sorted({merchant for merchant, _ in self.shop.orders})
        return [name for name in merchants if self.shop.stored(name) != self.shop.truth(name)]


def ordinary_day(stage: Stage) -> Sums:
    """Orders are placed, changed and deleted; every batch comes twice, the second time cold, when
    DynamoDB has looked for items that have expired.

    The last one comes again at once, while reads without ConsistentRead do not see it yet.
    """
    shop = open_shop(stage, "ordinary day", mappings=False)
    placed = [shop.put(name, f"o-{n}") for n in (1, 2, 3) for name in ("acme", "globex")]
    stage.require_start(shop.pipeline.settle(FUNCTION, placed))
    changed = [shop.put("acme", "o-1"), shop.delete("globex", "o-2"), shop.put("acme", "o-1")]
    shop.pipeline.settle(FUNCTION, changed)
    shop.pipeline.recycle(FUNCTION)
    shop.pipeline.run_for(minutes=11)
    shop.pipeline.expire()
    shop.pipeline.settle(FUNCTION, placed[2:] + changed[:2])
    shop.pipeline.settle(FUNCTION, changed)
    hurried = [shop.put("hurried", f"o-{n}") for n in (1, 2)]
    shop.pipeline.settle(FUNCTION, hurried)
    now = shop.pipeline.clock.now
    shop.pipeline.account.stale_reads(now, now + STALE_MS)
    shop.pipeline.settle(FUNCTION, hurried)
    return Sums(shop)


# -- ticket: large-orders -------------------------------------------------------------------------

Key = tuple[str, str]


@dataclass(frozen=True)
class LargeOrders:
    """Which orders were to be noted, and which were; keys are (merchant, id of the item).

    ``handed`` are those of which every record has reached the function.
    """

    shop: Shop
    expected: list[Key]
    small: list[Key]
    noted: list[Key]
    handed: set[Key]


def large_orders(stage: Stage) -> LargeOrders:
    """Nine orders and two carts in ten minutes; four of the orders are or become large."""
    shop = open_shop(stage, "large orders")
    shop.pipeline.run_for(minutes=5)
    amounts = {
        ("acme", "o-1"): 72_000,
        ("acme", "o-2"): 1_250,
        ("acme", "o-3"): LARGE_CENTS,
        ("acme", "o-4"): LARGE_CENTS - 1,
        ("globex", "o-1"): 9_800,
        ("globex", "o-2"): 100_000,
        ("globex", "o-3"): 6,
        ("initech", "o-1"): 700,
    }
    records = []
    for number, ((merchant, order), amount) in enumerate(amounts.items()):
        records.append(shop.put(merchant, order, amount))
        if number % 4 == 1:
            shop.put_cart(merchant, f"c-{number}", items=60_000)
        shop.pipeline.run_for(seconds=37.1)
    amounts["globex", "o-1"] = 61_000
    records.append(shop.put("globex", "o-1", 61_000))
    shop.pipeline.run_for(minutes=5)
    shop.pipeline.flush()
    reached = {number for one in shop.pipeline.invocations(REVIEW) for number in one.sequences}
    keys = {(merchant, f"order#{order}"): amount for (merchant, order), amount in amounts.items()}
    return LargeOrders(
        shop,
        sorted(key for key, amount in keys.items() if amount >= LARGE_CENTS),
        sorted(key for key, amount in keys.items() if amount < LARGE_CENTS),
        _noted(shop),
        set(keys) - {_key(one) for one in records if one.sequence not in reached},
    )


def _noted(shop: Shop) -> list[Key]:
    items = shop.pipeline.account.items(shop.pipeline.table(LARGE_ORDERS))
    return sorted((str(item.get("merchant")), str(item.get("id"))) for item in items)


def _key(record: Record) -> Key:
    keys = record.event["dynamodb"]["Keys"]
    return keys["merchant"]["S"], keys["id"]["S"]


@dataclass(frozen=True)
class Reviewed:
    """What the review made of something: its failed invocations, and which notes are not there."""

    failed: list[Invocation]
    gone: list[Key]


def _failed_since(shop: Shop, before: int) -> list[Invocation]:
    """The review's invocations from the one with that index on that did not return."""
    return [
        one
        for one in shop.pipeline.invocations(REVIEW)[before:]
        if one.result is not None and one.result.kind != "returned"
    ]


def deletions(stage: Stage) -> Reviewed:
    """After the ten minutes of large orders, a small and a large one are deleted."""
    seen = stage.play(large_orders)
    pipeline = seen.shop.pipeline
    before = len(pipeline.invocations(REVIEW))
    seen.shop.delete("acme", "o-2")
    seen.shop.delete("globex", "o-2")
    pipeline.run_for(minutes=2)
    pipeline.flush()
    still = _noted(seen.shop)
    gone = [key for key in seen.noted if key not in still]
    return Reviewed(_failed_since(seen.shop, before), gone)


def review_repeated(stage: Stage) -> list[Key]:
    """The large order that is missing, if it is: the review's environment ended at its write, once.

    Lambda comes again with the order when the mapping lets it; then nothing is in the way.
    """
    stage.play(deletions)
    shop = stage.play(large_orders).shop
    review = shop.pipeline.functions[REVIEW]
    review.faults = Blip("before")
    key = _key(shop.put("initech", "o-2", 2 * LARGE_CENTS))
    shop.pipeline.run_for(minutes=2)
    review.faults = None
    shop.pipeline.flush()
    return [] if key in _noted(shop) else [key]


def beside_a_bad_order(stage: Stage) -> Reviewed:
    """A large order right behind an order that nobody can count."""
    stage.play(review_repeated)
    shop = stage.play(large_orders).shop
    before = len(shop.pipeline.invocations(REVIEW))
    shop.put_bad("initech", "bad-1", "12,50")
    key = _key(shop.put("initech", "o-3", 3 * LARGE_CENTS))
    shop.pipeline.run_for(minutes=LATE_MIN)
    shop.pipeline.flush()
    gone = [] if key in _noted(shop) else [key]
    return Reviewed(_failed_since(shop, before), gone)


# -- ticket: import -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Import:
    """An import: the invocations since it began and the merchants that are not counted."""

    shop: Shop
    began_ms: int
    uncounted: list[str]

    @property
    def timeouts(self) -> list[Invocation]:
        """The invocations that Lambda ended because of the function's time limit."""
        return [one for one in self.shop.pipeline.invocations(FUNCTION) if timed_out(one)]

    @property
    def limit_s(self) -> float:
        """The function's time limit in seconds."""
        return self.shop.pipeline.functions[FUNCTION].spec.timeout_ms / 1000


def timed_out(invocation: Invocation) -> bool:
    """Whether Lambda ended the invocation because of the function's time limit."""
    result = invocation.result
    return result is not None and "timed out" in str(result.error_message)


def an_import(stage: Stage) -> Import:
    """Some ordinary orders, then 120 orders at one moment."""
    shop = open_shop(stage, "import")
    shop.pipeline.run_for(minutes=5)
    for number in range(3):
        for order in range(2 * number + 1):
            shop.put("acme", f"o-{number}-{order}")
        shop.pipeline.run_for(seconds=40.3)
    began = shop.pipeline.clock.now
    merchants = [f"partner-{n}" for n in range(1, 9)]
    for number in range(IMPORTED):
        shop.put(merchants[number % len(merchants)], f"i-{number}")
    shop.pipeline.run_for(minutes=5)
    shop.pipeline.flush()
    stage.require_start(shop.pipeline.invocations(FUNCTION))
    late = [name for name in merchants if _lacks(shop, name)]
    return Import(shop, began, late)


def _lacks(shop: Shop, merchant: str) -> bool:
    """Whether something of a merchant is not counted: what is counted twice is not missing."""
    (total, orders), (stored, seen) = shop.truth(merchant), shop.stored(merchant)
    numbers = isinstance(stored, int) and isinstance(seen, int)
    return not numbers or stored < total or seen < orders


# -- ticket: stuck --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stuck:
    """One bad order among good ones. ``late`` are the good ones that were not counted in time."""

    shop: Shop
    bad: Record
    bad_ms: int
    good: list[Record]
    late: list[Record]
    trace: bool


def bad_order(stage: Stage) -> Stuck:
    """A healthy while; then a bad order between two good ones, and good ones after it."""
    shop = open_shop(stage, "bad order")
    pipeline = shop.pipeline
    pipeline.run_for(minutes=5)
    ordinary(shop, 24)
    stage.require_start(pipeline.invocations(FUNCTION))
    well = list(shop.written)
    began = pipeline.clock.now
    good = [shop.put("near-1", "o-1")]
    bad = shop.put_bad("globex", "bad-1", "12,50")
    good += [shop.put("near-2", "o-1"), shop.put("globex", "o-2")]
    pipeline.run_for(minutes=2)
    good += [shop.put(f"later-{n}", "o-1") for n in (1, 2)]
    ordinary(shop, LATE_MIN)
    late = [record for record in good if not counted(shop, record)]
    trace = is_traced(shop, bad, "bad-1", well)
    pipeline.flush()
    return Stuck(shop, bad, began, good, late, trace)


def held_back_line(stage: Stage, seen: Stuck) -> str:
    """The mapping's setting that lets a bad order hold back others; or where it was counted."""
    merchant, _ = _key(seen.bad)
    truth, stored = seen.shop.truth(merchant), seen.shop.stored(merchant)
    if isinstance(stored[1], int) and stored[1] > truth[1]:
        return total_line(stage, seen.shop, merchant, truth, stored)
    given = stage.stack.resources[MAPPING].properties
    attempts, age = "MaximumRetryAttempts", "MaximumRecordAgeInSeconds"
    bounds = [name for name in (attempts, age) if given.get(name, -1) != -1]
    if bounds and not given.get("BisectBatchOnFunctionError"):
        return stage.property_line(MAPPING, "BisectBatchOnFunctionError")
    return stage.property_line(MAPPING, age if bounds == [age] else attempts)


def bad_order_for_an_hour(stage: Stage) -> Stuck:
    """The bad order, and an hour more of ordinary business."""
    seen = stage.play(bad_order)
    ordinary(seen.shop, 60, every=10)
    seen.shop.pipeline.flush()
    return seen


def counted(shop: Shop, record: Record) -> bool:
    """Whether the one order of the record's merchant that can be counted is, once or more often.

    What is counted more than once is not held back; another play looks for it.
    """
    merchant, _ = _key(record)
    (total, orders), (stored, seen) = shop.truth(merchant), shop.stored(merchant)
    numbers = isinstance(stored, int) and isinstance(seen, int)
    return numbers and seen >= orders and stored * orders == total * seen


def is_traced(shop: Shop, record: Record, order: str, well: Sequence[Record]) -> bool:
    """Whether somebody could find out about a record that was not counted.

    By a failure note that covers it, or by any message or object of the stack that names it. A
    queue or bucket that names the records that went ``well``, too, has copies and no traces: it
    does not say which record is missing.
    """
    pipeline = shop.pipeline
    if any(note.covers(record.sequence) for note in pipeline.notes(MAPPING)):
        return True

    def named(texts: Sequence[str]) -> bool:
        return any(order in text or str(record.sequence) in text for text in texts)

    return any(named(texts) and not _copies(texts, well) for texts in _kept(pipeline))


def _copies(texts: Sequence[str], well: Sequence[Record]) -> bool:
    """Whether every record that went well is named by its number, its event or its keys."""

    def marks(record: Record) -> tuple[str, str, tuple[str, str]]:
        return str(record.sequence), record.event["eventID"], _key(record)

    return bool(well) and all(
        any(
            number in text or event in text or (merchant in text and _says(text, item))
            for text in texts
        )
        for number, event, (merchant, item) in map(marks, well)
    )


def _says(text: str, item: str) -> bool:
    """Whether a text names an item by its id, or without the kind before it."""
    return bool(re.search(rf"(?<![\w-]){re.escape(item.partition('#')[2])}(?![\w-])", text))


def _kept(pipeline: Any) -> Iterator[list[str]]:
    """What lies in each queue and each bucket of the stack."""
    for queue in pipeline.stack.of_type("AWS::SQS::Queue"):
        yield [one.body for one in pipeline.account.messages(queue.attributes["Arn"])]
    for bucket in pipeline.stack.of_type("AWS::S3::Bucket"):
        objects = pipeline.account.objects(bucket.physical_id)
        yield [f"{name} {content.decode('utf-8', 'replace')}" for name, content in objects.items()]


# -- ticket: lost ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outage:
    """Orders placed while the totals table is throttled, and those of which nothing is left."""

    shop: Shop
    began_ms: int
    over_ms: int
    placed: list[Record]
    vanished: list[Record]


def outage(stage: Stage) -> Outage:
    """The totals table is throttled for a minute and a half, and orders go on coming."""
    shop = open_shop(stage, "outage")
    pipeline = shop.pipeline
    pipeline.run_for(minutes=5)
    for number in range(1, 4):
        shop.put("acme", f"o-{number}")
        pipeline.run_for(seconds=30.2)
    # From one full minute to another, so that the metrics of its minutes are its own.
    pipeline.run_for(seconds=120 - 3 * 30.2)
    well = list(shop.written)
    began = pipeline.clock.now
    pipeline.throttle(TOTALS, minutes=1.5)
    placed = []
    for number in range(1, 8):
        placed.append(shop.put(f"during-{number}", f"lost-{number}"))
        pipeline.run_for(seconds=12.1)
    pipeline.run_for(seconds=120 - 7 * 12.1)
    over = pipeline.clock.now
    shop.put("acme", "o-4")
    pipeline.run_for(minutes=LATE_MIN)
    pipeline.flush()
    stage.require_start(pipeline.invocations(FUNCTION))
    vanished = [
        record
        for number, record in enumerate(placed, start=1)
        if not counted(shop, record) and not is_traced(shop, record, f"lost-{number}", well)
    ]
    return Outage(shop, began, over, placed, vanished)


# -- ticket: pager --------------------------------------------------------------------------------


def falling_behind(stage: Stage) -> Incident:
    """Recorded: a quarter of the totals gets later and later. Whatever the stack, this rings."""
    stage.require_interface(INTERFACE)
    return recorded(stage, "one-slow-shard")


def stuck_incident(stage: Stage) -> Incident:
    """What the alarms see of the bad order."""
    seen = stage.play(bad_order_for_an_hour)
    return incident(
        seen.shop,
        "stuck",
        "The totals stand still",
        "One order cannot be counted, and nothing behind it is.",
        changed_ms=seen.bad_ms,
    )
