"""Lab 5's scenarios: batches with counted writes, an hour under the mapping, the four workloads.

Each is played once, however many criteria look at it. What repetition, crashes, overlap and late
records do is lab 2's business and is played by lab 2's scenarios; here come those that only a
folding handler can get wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from grader.course.grade import Unmet, Unreached
from grader.course.labs.lab05 import spend
from grader.course.labs.lab05.tuned import PLAYS, figures, lag_line, settings_told
from grader.course.labs.lab05.workloads import WORKLOADS
from grader.course.play.books import Book, deaths, settle
from grader.course.play.paging import FUNCTION, MAPPING, open_shop
from grader.course.play.traffic import ORDERS, TOTALS, Shop
from grader.review.estimate import amount_text
from grader.review.pricing import dollars

if TYPE_CHECKING:
    from grader.cloud.account import ItemWrite
    from grader.cloud.dynamodb import Record
    from grader.cloud.function import Invocation
    from grader.course.stage import Stage

# -- one large batch ------------------------------------------------------------------------------

BATCH, MERCHANTS = 100, 4
# Orders carry more than an amount: about what one has in real life.
ADDRESS = "17 Example Street, 4th floor, left, ring twice; " * 12


@dataclass
class BigBatch:
    """A healthy batch: 100 new orders of four merchants, in one invocation.

    ``writes`` is what the function wrote; ``log_bytes`` what it logged by itself, without the lines
    that Lambda writes about every invocation.
    """

    book: Book
    invocation: Invocation
    writes: list[ItemWrite]
    log_lines: int
    log_bytes: int
    longest_line: int

    @property
    def counted(self) -> bool:
        """Whether all the orders are in the totals: otherwise its cost says nothing."""
        return self.book.right

    @property
    def taken(self) -> bool:
        """Whether Lambda takes the whole batch for done: otherwise it comes, and costs, again."""
        result = self.invocation.result
        payload = (
            result.payload if result and result.kind == "returned" else {"batchItemFailures": 1}
        )
        return not (isinstance(payload, dict) and payload.get("batchItemFailures"))

    @property
    def units(self) -> int:
        """Write units of the whole batch, in every table."""
        return sum(write.units for write in self.writes)

    def writes_of_totals(self, merchants: list[str]) -> dict[str, int]:
        """How often each merchant's item in MerchantTotals was written."""
        table = self.book.shop.pipeline.table(TOTALS)
        return {
            name: sum(
                write.table == table and write.key == {"merchant": {"S": name}}
                for write in self.writes
            )
            for name in merchants
        }


# What Lambda itself writes into the log.
PLATFORM = ("INIT_START", "START ", "END ", "REPORT ", '{"time":')


def _own_lines(invocation: Invocation) -> list[str]:
    return [
        line.text
        for line in invocation.logs
        if not (line.text.startswith(PLATFORM) and _is_platform(line.text))
    ]


def _is_platform(text: str) -> bool:
    return not text.startswith("{") or '"type":"platform.' in text.replace(" ", "")


def merchants_of(number: int) -> list[str]:
    """Names of the merchants of a batch."""
    return [f"merchant-{n}" for n in range(1, number + 1)]


def big_batch(stage: Stage) -> BigBatch:
    """100 new orders of four merchants in one batch."""
    shop = open_shop(stage, "big batch", mappings=False)
    names = merchants_of(MERCHANTS)
    records = [shop.put(names[n % MERCHANTS], f"o-{n + 1}", address=ADDRESS) for n in range(BATCH)]
    tables = shop.pipeline.account.tables
    before = len(tables.writes)
    invocation = shop.pipeline.deliver(FUNCTION, records)
    stage.require_start([invocation])
    writes = tables.writes[before:]
    lines = [len(text.encode()) + 1 for text in _own_lines(invocation)]
    book = Book(shop)
    for name in names:
        book.truth(f"{BATCH} new orders of {MERCHANTS} merchants in one batch", name, invocation)
    return BigBatch(
        book,
        invocation,
        writes,
        len(lines),
        sum(lines),
        max(lines, default=0),
    )


# -- folding and repetition -----------------------------------------------------------------------


# By how many cents an order of these merchants changes.
CENTS = {"dearer": 1, "cheaper": -1}


def folded_changes(stage: Stage) -> Book:
    """Several changes of one order in one batch, and merchants side by side."""
    shop = open_shop(stage, "folded changes", mappings=False)
    book = Book(shop)
    placed = [shop.put("acme", f"o-{n}") for n in (1, 2, 3)]
    placed.append(shop.put("globex", "o-1"))
    placed += [shop.put("gratis", f"o-{n}", amount=0) for n in (1, 2, 3)]
    placed += [shop.put(name, "o-1") for name in CENTS]
    settle(stage, shop, placed)
    batch = [
        shop.put("acme", "o-4"),
        shop.put("acme", "o-4"),
        shop.put("globex", "o-1"),
        shop.put("acme", "o-4"),
        shop.delete("acme", "o-1"),
        shop.put("initech", "o-1"),
        shop.delete("initech", "o-1"),
        shop.put("acme", "o-2", status="paid", amount=shop.orders["acme", "o-2"]),
        shop.put("initech", "o-2"),
        shop.put("acme", "o-3", status="cancelled", amount=shop.orders["acme", "o-3"]),
        shop.delete("gratis", "o-1"),
        shop.put("gratis", "o-2"),
        shop.put("hooli", "o-1", amount=0),
        shop.put("hooli", "o-1"),
        *(shop.put(name, "o-1", shop.orders[name, "o-1"] + more) for name, more in CENTS.items()),
    ]
    last = settle(stage, shop, batch)[-1]
    told = "one batch: o-4 of acme placed and changed twice, o-1 deleted, o-2 paid, o-3 cancelled, "
    told += "which is still an order; o-1 of initech placed and deleted, o-2 placed; o-1 of globex "
    told += (
        "changed; of gratis's three free orders one deleted, one no longer free; hooli's placed "
    )
    told += "free and made dear; o-1 of dearer costs a cent more, that of cheaper a cent less"
    for name in ("acme", "globex", "initech", "gratis", "hooli", *CENTS):
        book.truth(told, name, last)
    return book


def _full(stage: Stage) -> int:
    """How many records a full batch of the mapping has, 100 at most.

    100 is the default: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
    """
    mapping = stage.stack.resources.get(MAPPING)
    return min(int(mapping.properties.get("BatchSize", BATCH) if mapping else BATCH), BATCH)


def best_day(stage: Stage) -> Book:
    """A full batch of one merchant: with its markers, 100 orders are one write too many for one
    transaction. A mapping with smaller batches never brings so many, so its size is asked for.
    """
    shop = open_shop(stage, "best day", mappings=False)
    number = _full(stage)
    last = settle(stage, shop, [shop.put("acme", f"o-{n + 1}") for n in range(number)])[-1]
    book = Book(shop)
    book.truth(f"{number} new orders of one merchant in one batch", "acme", last)
    return book


def mixed_again(stage: Stage) -> Book:
    """Records that were counted come again in one batch with new ones of the same merchant."""
    shop = open_shop(stage, "mixed again", mappings=False)
    book = Book(shop)
    first = [shop.put("acme", f"o-{n}") for n in (1, 2, 3, 4)]
    settle(stage, shop, first)
    shop.pipeline.cross(ORDERS)
    fresh = [shop.put("acme", "o-5"), shop.put("acme", "o-6"), shop.put("globex", "o-1")]
    shop.pipeline.recycle(FUNCTION)
    last = settle(stage, shop, [*first[2:], *fresh])[-1]
    story = "two records that were counted come again, in one batch with new ones of the merchant"
    book.truth(story, "acme", last)

    both = [shop.put("soylent", "o-1"), shop.delete("soylent", "o-1")]
    settle(stage, shop, both)
    total, orders = shop.stored("soylent")
    shop.pipeline.run_for(minutes=11)
    last = settle(stage, shop, [both[1], shop.put("soylent", "o-2")])[-1]
    story = "an order is placed and deleted in one batch; the deletion alone comes again, with a "
    story += "new order"
    # Whether the first batch was counted right is another question.
    after = (plus(total, shop.orders["soylent", "o-2"]), plus(orders, 1))
    book.like(story, "soylent", after, "the first batch and the new order", last)
    return book


# More than a list of the newest records in the merchant's own item is usually let grow to.
MANY = 1_100


def late_again(stage: Stage) -> Book:
    """The first records of a merchant's best day come again, hours and many orders later."""
    shop = open_shop(stage, "late again", mappings=False)
    orders = [shop.put("acme", f"o-{n + 1}") for n in range(MANY)]
    half = BATCH // 2
    for start in range(0, MANY, half):
        settle(stage, shop, orders[start : start + half])
    before = shop.stored("acme")
    shop.pipeline.run_for(minutes=20 * 60)
    last = settle(stage, shop, [*orders[:2], shop.put("globex", "o-1")])[-1]
    book = Book(shop)
    story = f"{MANY:,} orders of one merchant; 20 hours later the first two come again"
    # Whether they were counted right the first time is another question.
    book.like(story, "acme", before, "the total before", last)
    return book


# So long reads that need not be consistent lag behind a batch that comes again at once.
STALE_MS = 3_000


def again_at_once(stage: Stage) -> Book:
    """A batch was counted, and comes again before eventually consistent reads have seen it."""
    shop = open_shop(stage, "again at once", mappings=False)
    book = Book(shop)
    batch = [shop.put("hurried", "o-1"), shop.put("hurried", "o-2")]
    settle(stage, shop, batch)
    now = shop.pipeline.clock.now
    shop.pipeline.account.stale_reads(now, now + STALE_MS)
    last = settle(stage, shop, batch)[-1]
    story = "two orders come again at once, while reads without ConsistentRead lag for a second"
    book.truth(story, "hurried", last)
    return book


def plus(stored: Any, more: int) -> Any:
    """A stored number and some more; what is no number stays what it is."""
    return stored + more if isinstance(stored, int | Decimal) else stored


# So many times a batch is killed.
MOST_KILLS = 12


def killed_between_merchants(stage: Stage) -> Book:
    """The environment dies at each call in turn, in a batch of two merchants; then it comes again.

    What comes again is not the same batch: its tail, in one batch with a new order.
    """
    shop = open_shop(stage, "killed between merchants", mappings=False)
    book = Book(shop)

    def batch(name: str) -> list[Record]:
        return [
            shop.put(f"{name}-a", "o-1"),
            shop.put(f"{name}-b", "o-1"),
            shop.put(f"{name}-a", "o-2"),
            shop.put(f"{name}-b", "o-2"),
        ]

    rehearsal = settle(stage, shop, batch("peace"))[0]
    for end in ("-a", "-b"):
        if not book.truth("four orders of two merchants in one batch", f"peace{end}", rehearsal):
            return book
    for death in deaths(stage, rehearsal, MOST_KILLS):
        name = f"crash-{death.number}"
        records = batch(name)
        death.strike(shop, records)
        settle(stage, shop, records[:1])
        last = settle(stage, shop, [*records[1:], shop.put(f"{name}-a", "o-3")])[-1]
        story = (
            f"four orders of two merchants; {death}; then the first record comes again alone, the "
            "others with a new order"
        )
        for end in ("-a", "-b"):
            book.truth(story, name + end, last)
    return book


# So many times a full batch is killed: around the calls of its first transactions.
FULL_KILLS = 4


def killed_in_a_full_batch(stage: Stage) -> Book:
    """The environment dies at a full batch of one merchant; its end comes again before its begin.

    What one transaction cannot hold is written in several, and the death may be between them.
    """
    shop = open_shop(stage, "killed in a full batch", mappings=False)
    book = Book(shop)
    size = _full(stage)

    def batch(name: str) -> list[Record]:
        return [shop.put(name, f"o-{n + 1}") for n in range(size)]

    rehearsal = settle(stage, shop, batch("peace"))[0]
    # Whether a full batch is counted at all is another criterion's business.
    if shop.stored("peace") != shop.truth("peace"):
        return book
    for death in islice(deaths(stage, rehearsal), FULL_KILLS):
        name = f"crash-{death.number}"
        records = batch(name)
        death.strike(shop, records)
        settle(stage, shop, [*records[size // 2 :], shop.put(name, "o-0")])
        last = settle(stage, shop, records[: size // 2])[-1]
        story = f"{size} orders of one merchant; {death}; then their second half comes again, "
        book.truth(story + "with a new order, and then their first half", name, last)
    return book


# -- an hour under the mapping -------------------------------------------------------------------


@dataclass
class BusyHour:
    """A play of the learner's own mapping: orders, carts, and two bad orders among them.

    The first of the ``orders`` is placed before the mapping polls.
    """

    shop: Shop
    orders: list[Record]
    carts: list[Record]
    bad: list[Record]
    arrived: set[int]
    calls: int
    cart_only_calls: int
    merchants: tuple[str, ...] = ("acme", "globex", "initech")


def busy_hour(stage: Stage) -> BusyHour:
    """Orders and carts of three merchants; two of the orders are bad and share a batch."""
    shop = open_shop(stage, "busy hour")
    # The mapping is being created, for a minute.
    orders = [shop.put("hooli", "o-0")]
    shop.pipeline.run_for(minutes=10)
    names = BusyHour.merchants
    carts: list[Record] = []
    bad: list[Record] = []
    for n in range(1, 13):
        if n == 5:
            bad.append(shop.put_bad("acme", "bad-1", "12,50"))
            # As text, the number of the second bad order comes before that of the first one.
            shop.pipeline.cross(ORDERS)
        if n == 8:
            bad.append(shop.put_bad("globex", "bad-2", None))
        orders.append(shop.put(names[n % 3], f"o-{n}"))
        carts.append(shop.put_cart(names[n % 3], f"c-{n}", items=n))
    shop.pipeline.run_for(minutes=2)
    # Of merchants whose totals nobody looks at here: whether they arrive is what counts.
    orders += [shop.put("soylent", "o-1"), shop.put("soylent", "o-2"), shop.put("hooli", "o-1")]
    shop.pipeline.run_for(minutes=1)
    orders.append(shop.put("hooli", "o-1", status="paid", amount=shop.orders["hooli", "o-1"]))
    orders += [shop.put("soylent", "o-2", status="shipped"), shop.delete("hooli", "o-1")]
    orders += [shop.delete("soylent", name) for name in ("o-1", "o-2")]
    for n in range(1, 6):
        carts.append(shop.put_cart("acme", f"c-{n}", items=n + 20))
        carts.append(shop.delete_cart(names[n % 3], f"c-{n + 6}"))
        shop.pipeline.run_for(seconds=20)
    shop.pipeline.run_for(minutes=30)
    invocations = shop.pipeline.invocations(FUNCTION)
    stage.require_start(invocations)
    of_carts = {record.sequence for record in carts}
    return BusyHour(
        shop,
        orders,
        carts,
        bad,
        {sequence for one in invocations for sequence in one.sequences},
        len(invocations),
        sum(of_carts.issuperset(one.sequences) for one in invocations),
    )


# -- timelines for `labs run 5` -------------------------------------------------------------------


def workloads_told(stage: Stage) -> Iterator[str]:
    """The four workloads at the learner's points."""
    yield "Each line of blocks is the lag over the hour that holds the burst: from a write"
    yield "to the end of the invocation that processed it. Costs are those of a month."
    for name, play in PLAYS.items():
        workload = WORKLOADS[name]
        yield ""
        try:
            point = stage.play(play)
        except (Unmet, Unreached) as stopped:
            yield f"== {name}: {stopped.finding.observed}"
            continue
        yield f"== {name}: {settings_told(point)}"
        yield f"  {lag_line(point, 60, plain=stage.plain)}"
        for one in figures(point):
            verdict = "met" if one.met else "above the limit"
            yield f"  {one.name:<16} {one.value:>12}   limit {one.limit:>9}   {verdict}"
        yield f"  {point.invocations:,} invocations a day. The month:"
        for line in point.bill.lines:
            free = f"   {line.free_share:.0%} of it free" if workload.free else ""
            unit = line.unit if line.unit == "GB" else f"{line.unit}s"
            amount = f"{amount_text(line.amount):>14} {unit:<11}"
            yield f"    {line.name:<24}{amount}{dollars(line.cost):>10}{free}"


def spend_told(stage: Stage) -> Iterator[str]:
    """The month with the loop, and who is told of it."""
    found = spend.notices(stage)
    yield "A new account; credits pay everything. From day 12 on a loop costs 4 dollars a day."
    total = 0
    told = spend.first_told(found, spend.LOOP_MONTH, spend.LOOP_FROM_DAY)
    for day, cents in enumerate(spend.LOOP_MONTH, start=1):
        total += cents
        mark = f"  <- {told.budget.logical_id} tells somebody" if told and told.day == day else ""
        if day >= spend.LOOP_FROM_DAY - 1 or mark:
            yield f"  day {day:>2}: ${total / 100:>6.2f} so far, ${0:.2f} after credits{mark}"
    if told is None:
        yield "  nobody is told"
        for one in found:
            if one.deaf:
                yield f"  {one.budget.logical_id}: {one.deaf}"
    early = spend.first_told(found, spend.ORDINARY_YEAR)
    yield "In a year of ordinary months: " + (
        f"{early.budget.logical_id} tells somebody on day {early.day}"
        if early
        else "nobody is told"
    )


TIMELINES = {"workloads": workloads_told, "spend": spend_told}
