"""Lab 2's scenarios: what happens to the learner's system, and what to remember of it.

Each scenario deploys the learner's stack into a fresh account and is played once, however many
criteria look at it. Scenarios judge nothing; they only stop when there is nothing to play.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from grader.cloud.mapping import timeline
from grader.course.play.traffic import ORDERS, SYSTEM, Shop, Stored

if TYPE_CHECKING:
    from grader.cloud.account import Denied
    from grader.cloud.dynamodb import Record
    from grader.cloud.function import Invocation
    from grader.course.play.stage import Stage

FUNCTION, MAPPING = "TotalsFunction", "OrdersToTotals"
WHEN: tuple[Literal["before", "after"], ...] = ("before", "after")


def _shop(stage: Stage, play: str, **options: Any) -> Shop:
    """A shop on a freshly deployed stack."""
    stage.require_interface(SYSTEM)
    options.setdefault("mappings", False)
    pipeline = stage.deploy(**options)
    stage.require_mapping(pipeline, MAPPING)
    return Shop.open(pipeline, play)


def settle(stage: Stage, shop: Shop, records: list[Record]) -> list[Invocation]:
    """Deliver a batch as often as a mapping would until the function has accepted all of it."""
    invocations = shop.pipeline.settle(FUNCTION, records)
    stage.require_start(invocations)
    return invocations


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
    shop = _shop(stage, "through the mapping", mappings=True)
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
    orders.append(shop.delete("acme", "o-4"))
    orders.append(shop.put("globex", "o-9"))
    shop.pipeline.run_for(minutes=10)
    invocations = shop.pipeline.invocations(FUNCTION)
    stage.require_start(invocations)
    arrived = {sequence for one in invocations for sequence in one.sequences}
    return Arrivals(shop, early, orders, carts, arrived)


@dataclass(frozen=True)
class Seen:
    """What a merchant's item said at the end of a story, and what it should have said.

    ``basis`` says what the expectation rests on: the truth about the orders, or what the same
    records left behind without any trouble.
    """

    story: str
    merchant: str
    expected: Stored
    observed: Stored
    basis: str
    last: Invocation
    denied: Sequence[Denied]

    @property
    def right(self) -> bool:
        """Whether the item says what it should."""
        return self.expected == self.observed


class Book:
    """Notes for each story of a scenario what was expected and what was stored."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.seen: list[Seen] = []

    def truth(self, story: str, merchant: str, last: Invocation) -> bool:
        """The merchant's item must be the sum and number of its orders; returns whether it is."""
        return self._note(story, merchant, self.shop.truth(merchant), "its orders", last)

    def like(
        self, story: str, merchant: str, expected: Stored, basis: str, last: Invocation
    ) -> bool:
        """The merchant's item must say ``expected``; returns whether it does."""
        return self._note(story, merchant, expected, basis, last)

    def _note(
        self, story: str, merchant: str, expected: Stored, basis: str, last: Invocation
    ) -> bool:
        observed = self.shop.stored(merchant)
        denied = self.shop.pipeline.denied
        self.seen.append(Seen(story, merchant, expected, observed, basis, last, denied))
        return self.seen[-1].right


def quiet_day(stage: Stage) -> tuple[Book, Book]:
    """Orders are placed; then some change, some are deleted, one comes back.

    Returns what was seen of the new orders and what was seen of the changes.
    """
    shop = _shop(stage, "quiet day")
    new, changes = Book(shop), Book(shop)
    names = ("acme", "globex", "initech")
    placed = [shop.put(name, f"o-{n}") for n in range(1, 5) for name in names]
    placed.append(shop.put("gratis", "o-1", amount=0))
    settle(stage, shop, placed[:7])
    last = settle(stage, shop, placed[7:])[-1]
    told = "13 new orders of four merchants, one of them free, in a batch of 7 and one of 6"
    for name in (*names, "gratis"):
        new.truth(told, name, last)
    stories = {
        "acme": "o-1 changes its amount, o-2 only its status",
        "globex": "o-1 is deleted, o-2 becomes free",
        "initech": "o-3 is deleted and placed again, then changed",
    }
    changed = [
        shop.put("acme", "o-1"),
        shop.put("acme", "o-2", status="paid", amount=shop.orders["acme", "o-2"]),
        shop.delete("globex", "o-1"),
        shop.put("globex", "o-2", amount=0),
        shop.delete("initech", "o-3"),
        shop.put("initech", "o-3"),
        shop.put("initech", "o-3"),
    ]
    last = settle(stage, shop, changed)[-1]
    for name, story in stories.items():
        changes.truth(story, name, last)
    return new, changes


# The scenarios of task 3 judge repetition, crash and order, not arithmetic: new orders must add up
# (or there would be nothing to repeat), and changes must leave what they leave without trouble.


def same_batch_again(stage: Stage) -> Book:
    """A batch comes twice in a row to the same warm environment."""
    shop = _shop(stage, "same batch again")
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
    return book


def regrouped_later(stage: Stage) -> Book:
    """Some of the records come again in other company, elsewhere, minutes and hours later."""
    shop = _shop(stage, "regrouped later")
    book = Book(shop)
    placed = [shop.put("acme", f"o-{n}") for n in range(1, 5)]
    placed += [shop.put("globex", "o-1"), shop.put("globex", "o-2")]
    settle(stage, shop, placed)
    changed = [shop.put("globex", "o-1"), shop.delete("globex", "o-2")]
    settle(stage, shop, changed)
    once = shop.stored("globex")

    shop.pipeline.run_for(minutes=11)
    shop.pipeline.recycle(FUNCTION)
    last = settle(stage, shop, [*placed[2:4], *changed, shop.put("initech", "o-1")])[-1]
    story = "eleven minutes later some records come again with a new one, in a new environment"
    book.truth(story, "acme", last)
    book.like(story, "globex", once, "the first delivery", last)

    shop.pipeline.run_for(hours=20)
    shop.pipeline.expire()
    shop.pipeline.recycle(FUNCTION)
    for record in (placed[3], changed[1]):
        last = settle(stage, shop, [record])[-1]
    story = "twenty hours later two of the records come again, each alone"
    book.truth(story, "acme", last)
    book.like(story, "globex", once, "the first delivery", last)
    return book


# A handler that makes more calls than this for three records is swept at evenly spread calls.
MOST_KILLS = 24


def killed_at_every_call(stage: Stage) -> Book:
    """The environment dies right before or right after each of the handler's calls in turn.

    Every kill has a merchant of its own, so that each total tells of one kill only. The batch
    then comes again, as it would: Lambda saw the environment exit and retries.
    """
    shop = _shop(stage, "killed at every call")
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
    calls = [call.operation for call in rehearsal.calls]
    points = [(k, when) for k in range(1, len(calls) + 1) for when in WHEN]
    if len(points) > MOST_KILLS:
        step = len(points) / MOST_KILLS
        points = [points[int(n * step)] for n in range(MOST_KILLS)]
    for number, (k, when) in enumerate(points, start=1):
        if stage.hangs.exhausted:
            break
        merchant = f"crash-{number}"
        records = batch(merchant)
        shop.pipeline.kill_at(FUNCTION, call=k, when=when)
        shop.pipeline.deliver(FUNCTION, records)
        shop.pipeline.kill_at(FUNCTION, None)
        shop.pipeline.run_for(seconds=2)
        last = shop.pipeline.settle(FUNCTION, records)[-1]
        story = (
            "a new, a changed and a deleted order; the environment dies right "
            f"{when} AWS call {k} of {len(calls)} ({calls[k - 1]}); then the batch comes again"
        )
        book.like(story, merchant, undisturbed, "the same batch without a crash", last)
    return book


# How far apart two invocations start: together, and so that a read falls before, and a write
# behind, the other one's write.
APART_MS = (0, 4, 8, 16)


def two_at_once(stage: Stage) -> Book:
    """Two environments work on orders of the same merchant at the same time, more or less."""
    shop = _shop(stage, "two at once")
    book = Book(shop)
    warm = [shop.put("warm-1", "o-1"), shop.put("warm-2", "o-1")]
    invocations = shop.pipeline.settle_together(FUNCTION, [[warm[0]], [warm[1]]])
    stage.require_start(invocations)
    for apart in APART_MS:
        merchant = f"apart-{apart}"
        left = [shop.put(merchant, f"o-{n}") for n in (1, 2)]
        right = [shop.put(merchant, f"o-{n}") for n in (3, 4)]
        last = shop.pipeline.settle_together(FUNCTION, [left, right], apart_ms=apart)[-1]
        story = (
            "two batches of two new orders of one merchant, in two environments, "
            f"{apart} ms apart; what was not accepted comes again"
        )
        book.truth(story, merchant, last)
    return book


def overtaken(stage: Stage) -> Book:
    """A discarded record is replayed after newer records of the same order were processed.

    Three stories, each played in order first ("peace-…") to see what it leaves. In between the
    sequence numbers cross a power of ten, as they do sooner or later in every stream.
    """
    shop = _shop(stage, "overtaken")
    book = Book(shop)
    first, second, third = (shop.amount() for _ in range(3))

    def place(name: str) -> Record:
        return shop.put(name, "o-1", first)

    def change(name: str) -> Record:
        return shop.put(name, "o-1", second)

    def finish(name: str) -> Record:
        if name.endswith("deleted"):
            return shop.delete(name, "o-1")
        return shop.put(name, "o-1", third)

    stories = {
        "changed": "o-1 is placed (1), changed (2), changed again (3); they arrive as 1, 3, 2",
        "deleted": "o-1 is placed (1), changed (2), deleted (3); they arrive as 1, 3, 2",
        "repeated": "o-1 is placed (1), changed (2), changed again (3); they arrive as 1, 2, 3, 1",
    }
    last = settle(stage, shop, [place(f"peace-{name}") for name in stories])[-1]
    if not book.truth("a new order, before anything is overtaken", "peace-changed", last):
        return book
    settle(stage, shop, [change(f"peace-{name}") for name in stories])
    settle(stage, shop, [finish(f"peace-{name}") for name in stories])
    peace = {name: shop.stored(f"peace-{name}") for name in stories}

    placed = {name: place(name) for name in stories}
    changed = {name: change(name) for name in stories}
    shop.pipeline.cross(ORDERS)
    finished = {name: finish(name) for name in stories}
    settle(stage, shop, list(placed.values()))
    settle(stage, shop, [changed["repeated"]])
    settle(stage, shop, list(finished.values()))
    shop.pipeline.recycle(FUNCTION)
    shop.pipeline.run_for(hours=1)
    late = [changed["changed"], changed["deleted"], placed["repeated"]]
    last = settle(stage, shop, late)[-1]
    for name, story in stories.items():
        book.like(story, name, peace[name], "the same records in their order", last)
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


def bad_records(stage: Stage) -> BadDay:
    """Good orders, three bad ones among them, and more good ones a minute later."""
    shop = _shop(stage, "bad records", mappings=True)
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


def _told(shop: Shop, story: str) -> Iterator[str]:
    """A scenario's story, then the journal of the learner's mapping."""
    pipeline = shop.pipeline
    yield story
    yield ""
    yield from timeline.lines(pipeline.journals[MAPPING], pipeline.start_ms, shop.name)
    yield ""


def bad_records_told(stage: Stage) -> Iterator[str]:
    """The bad records, with what was left of them at the end."""
    day = stage.play(bad_records)
    yield from _told(
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
