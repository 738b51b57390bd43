"""Lab 2's scenarios: what happens to the learner's system, and what to remember of it.

Each scenario deploys the learner's stack into a fresh account and is played once, however many
criteria look at it. Scenarios judge nothing; they only stop when there is nothing to play.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from grader.cloud.mapping import timeline
from grader.course.play.books import Book, deaths, settle
from grader.course.play.paging import FUNCTION, MAPPING, open_shop
from grader.course.play.traffic import ORDERS, Shop

if TYPE_CHECKING:
    from grader.cloud.dynamodb import Record
    from grader.cloud.function import Invocation
    from grader.course.stage import Stage


# How long the mapping is being created: minutes, and no whole number of them, so that no limit on
# the age of a record meets it by accident.
READY_MS = 170_000


@dataclass
class Arrivals:
    """Which records the learner's own mapping let through to the function."""

    shop: Shop
    early: list[Record]
    orders: list[Record]
    carts: list[Record]
    arrived: set[int]


def through_the_mapping(stage: Stage) -> Arrivals:
    """Orders and carts before and after the mapping has started; nothing is wrong with any."""
    shop = open_shop(stage, "through the mapping", mapping_takes_ms=READY_MS)
    early = [shop.put(f"early-{n}", f"o-{n}") for n in range(1, 5)]
    shop.pipeline.run_for(minutes=10)
    orders, carts = [], []
    for n in range(1, 7):
        orders.append(shop.put("acme", f"o-{n}"))
        carts.append(shop.put_cart("acme", f"c-{n}", items=n))
    shop.pipeline.run_for(minutes=2)
    orders.append(shop.put("acme", "o-2"))
    orders.append(shop.put("acme", "o-3", status="paid", amount=shop.orders["acme", "o-3"]))
    carts.append(shop.put_cart("acme", "c-2", items=9))
    carts.append(shop.delete_cart("acme", "c-3"))
    orders.append(shop.delete("acme", "o-4"))
    orders.append(shop.put("globex", "o-9"))
    orders += [shop.put("globex", "o-free", amount=0), shop.put("globex", "o-free")]
    orders += [shop.put("globex", "o-free", amount=0), shop.delete("globex", "o-free")]
    # Whatever its status says, an order is placed, changed and deleted.
    for state in ("paid", "shipped", "cancelled", "held"):
        name = f"o-{state}"
        orders += [shop.put("globex", name, status=state) for _ in range(2)]
        orders.append(shop.delete("globex", name))
    shop.pipeline.run_for(minutes=10)
    invocations = shop.pipeline.invocations(FUNCTION)
    stage.require_start(invocations)
    arrived = {sequence for one in invocations for sequence in one.sequences}
    return Arrivals(shop, early, orders, carts, arrived)


# The scenarios of task 3 judge repetition, crash and order, not arithmetic: new orders must add up
# (or there would be nothing to repeat), and changes must leave what they leave without trouble.


def same_batch_again(stage: Stage) -> Book:
    """A batch comes twice in a row to the same warm environment."""
    shop = open_shop(stage, "same batch again", mappings=False)
    book = Book(shop)
    placed = [shop.put("acme", f"o-{n}") for n in range(1, 5)]
    settle(stage, shop, placed)
    last = settle(stage, shop, placed)[-1]
    book.truth("a batch of four new orders, delivered twice in a row", "acme", last)
    settle(stage, shop, [shop.put("globex", "o-1"), shop.put("globex", "o-2")])
    changed = [shop.put("globex", "o-1"), shop.delete("globex", "o-2")]
    settle(stage, shop, changed)
    once = shop.stored("globex")
    last = settle(stage, shop, changed)[-1]
    story = "a batch of a changed and a deleted order, delivered twice in a row"
    book.like(story, "globex", once, "the first delivery", last)
    _read_too_early(stage, book)
    return book


def _read_too_early(stage: Stage, book: Book) -> None:
    """The same, while no eventually consistent read sees what the last second has written."""
    shop, account = book.shop, book.shop.pipeline.account
    placed = [shop.put("lag", "o-1"), shop.put("lag", "o-2")]
    settle(stage, shop, placed)
    changed = [shop.put("lag", "o-1"), shop.delete("lag", "o-2")]
    shop.pipeline.run_for(minutes=1)
    settle(stage, shop, changed)
    once = shop.stored("lag")
    account.stale_reads(shop.pipeline.clock.now, shop.pipeline.clock.now + 1_000)
    last = settle(stage, shop, changed)[-1]
    story = (
        "a batch of a changed and a deleted order, delivered twice in a row; reads that are not "
        "consistent do not see the first delivery yet"
    )
    book.like(story, "lag", once, "the first delivery", last)


def killed_at_every_call(stage: Stage) -> Book:
    """The environment dies right before or right after each of the handler's calls in turn.

    Every kill has a merchant of its own, so that each total tells of one kill only. The batch
    then comes again, as it would: Lambda saw the environment exit and retries.
    """
    shop = open_shop(stage, "killed at every call", mappings=False)
    book = Book(shop)
    one, two, three, other = (shop.amount() for _ in range(4))

    def batch(merchant: str) -> list[Record]:
        settle(stage, shop, [shop.put(merchant, "o-1", one), shop.put(merchant, "o-2", two)])
        return [
            shop.put(merchant, "o-3", three),
            shop.put(merchant, "o-1", other),
            shop.delete(merchant, "o-2"),
        ]

    placed = [shop.put("peace", "o-1"), shop.put("peace", "o-2")]
    last = settle(stage, shop, placed)[-1]
    if not book.truth("two new orders, before any crash", "peace", last):
        return book
    rehearsal = settle(stage, shop, batch("rehearsal"))[0]
    undisturbed = shop.stored("rehearsal")
    for death in deaths(stage, rehearsal):
        merchant = f"crash-{death.number}"
        records = batch(merchant)
        death.strike(shop, records)
        last = shop.pipeline.settle(FUNCTION, records)[-1]
        story = f"a new, a changed and a deleted order; {death}; then the batch comes again"
        book.like(story, merchant, undisturbed, "the same batch without a crash", last)
    return book


@dataclass
class BadDay:
    """A play with bad records under the learner's own mapping."""

    shop: Shop
    bad: list[Record]
    good: list[Record]
    late: list[Record]
    late_written_ms: int
    merchant_of: dict[int, str]
    arrived: set[int]

    def told_in(self, invocation: Invocation) -> Record | None:
        """The first bad record of a batch that the function's answer names, wherever in it."""
        answer = str(invocation.result and invocation.result.payload)
        here = [record for record in self.bad if record.sequence in invocation.sequences]
        return next((record for record in here if str(record.sequence) in answer), None)


def bad_records(stage: Stage) -> BadDay:
    """Good orders, three bad ones among them, and more good ones a minute later."""
    shop = open_shop(stage, "bad records")
    shop.pipeline.run_for(minutes=10)
    bad: list[Record] = []
    good: list[Record] = []
    merchant_of: dict[int, str] = {}

    def place(merchant: str) -> Record:
        record = shop.put(merchant, "o-1")
        merchant_of[record.sequence] = merchant
        return record

    # Each good order has a merchant of its own, so that its total tells about it alone.
    for n in range(1, 13):
        if n == 4:
            bad.append(shop.put_bad("acme", "bad-1", "12,50"))
        if n == 7:
            bad.append(shop.put_bad("initech", "bad-2", Decimal("12.5")))
        if n == 9:
            bad.append(shop.put_bad("globex", "bad-3", None))
        if n == 8:
            # Sooner or later in every stream: as text, later numbers come before earlier ones.
            shop.pipeline.cross(ORDERS)
        good.append(place(f"good-{n:02}"))
    shop.pipeline.run_for(minutes=1)
    late_written = shop.pipeline.clock.now
    late = [place(f"late-{n}") for n in range(1, 4)]
    shop.pipeline.run_for(hours=1)
    invocations = shop.pipeline.invocations(FUNCTION)
    stage.require_start(invocations)
    arrived = {sequence for one in invocations for sequence in one.sequences}
    return BadDay(shop, bad, good, late, late_written, merchant_of, arrived)


# -- labs run ------------------------------------------------------------------------------------


def _told(stage: Stage, shop: Shop, story: str) -> Iterator[str]:
    """A scenario's story, then the journal of the learner's mapping."""
    pipeline = shop.pipeline
    yield story
    yield ""
    yield from timeline.lines(
        pipeline.journals[MAPPING], pipeline.start_ms, shop.name, whole=stage.whole
    )
    yield ""


def bad_records_told(stage: Stage) -> Iterator[str]:
    """The bad records, with what was left of them at the end."""
    day = stage.play(bad_records)
    yield from _told(
        stage,
        day.shop,
        "Ten minutes after deployment 12 good orders are placed, each of a merchant of\n"
        "its own, with three bad ones between them; a minute later three more good ones.",
    )
    notes = day.shop.pipeline.notes(MAPPING)
    for record in day.bad:
        fate = "a note names it" if any(n.covers(record.sequence) for n in notes) else "no note"
        yield f"{day.shop.name(record)}: {fate}"
    arrived = sum(record.sequence in day.arrived for record in day.late)
    yield f"placed a minute later: {arrived} of {len(day.late)} reached the function in an hour"


def through_the_mapping_told(stage: Stage) -> Iterator[str]:
    """Orders and carts on a day without trouble."""
    seen = stage.play(through_the_mapping)
    yield from _told(
        stage,
        seen.shop,
        "Four orders are placed while the mapping is being created; ten minutes later\n"
        "orders and carts, changed and deleted.",
    )
    for what, records in (
        ("orders placed before the mapping was ready", seen.early),
        ("changes of orders afterwards", seen.orders),
        ("changes of carts", seen.carts),
    ):
        arrived = sum(record.sequence in seen.arrived for record in records)
        yield f"{what}: {arrived} of {len(records)} reached the function"


TIMELINES = {"bad-records": bad_records_told, "arrivals": through_the_mapping_told}
