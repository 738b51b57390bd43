"""Plays that every handler which counts is put through: a quiet day, repetition, overlap, lateness.

All but the first judge repetition and order, not arithmetic: new orders must add up (or there would
be nothing to repeat), and changes must leave what they leave without trouble.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grader.course.play.books import Book, held_up, settle
from grader.course.play.paging import FUNCTION, MAPPING, open_shop
from grader.course.play.traffic import ORDERS

if TYPE_CHECKING:
    from grader.cloud.dynamodb import Record
    from grader.course.play.player import Player


def quiet_day(player: Player) -> tuple[Book, Book]:
    """Orders are placed; then some change, some are deleted, one comes back.

    Returns what was seen of the new orders and what was seen of the changes.
    """
    shop = open_shop(player, "quiet day", mappings=False)
    new, changes = Book(shop), Book(shop)
    names = ("acme", "globex", "initech")
    placed = [shop.put(name, f"o-{n}") for n in range(1, 5) for name in names]
    placed.append(shop.put("gratis", "o-1", amount=0))
    states = ("paid", "shipped", "cancelled")
    placed += [shop.put("states", f"o-{n}", status=s) for n, s in enumerate(states, start=1)]
    placed += [shop.put("gone", "o-1", amount=0), shop.put("dear", "o-1", amount=0)]
    placed.append(shop.put("swing", "o-1", amount=4_200))
    settle(player, shop, placed[:7])
    last = settle(player, shop, placed[7:])[-1]
    told = "19 new orders of eight merchants, three of them free, in a batch of 7 and one of 12"
    for name in (*names, "gratis", "states"):
        new.truth(told, name, last)
    free = shop.stored("dear")
    stories = {
        "acme": "o-1 changes its amount, o-2 only its status",
        "globex": "o-1 is deleted, o-2 becomes free",
        "initech": "o-3 is deleted and placed again, then changed",
        "states": "o-1, which was paid, changes its amount; o-3, which was cancelled, is deleted",
        "gone": "o-1, a free order, is deleted",
        "swing": "o-1 changes its amount, changes it back, and changes it as before",
    }
    changed = [
        shop.put("acme", "o-1"),
        shop.put("acme", "o-2", status="paid", amount=shop.orders["acme", "o-2"]),
        shop.delete("globex", "o-1"),
        shop.put("globex", "o-2", amount=0),
        shop.delete("initech", "o-3"),
        shop.put("initech", "o-3"),
        shop.put("initech", "o-3"),
        shop.put("states", "o-1", status="paid"),
        shop.delete("states", "o-3"),
        shop.delete("gone", "o-1"),
        shop.put("dear", "o-1"),
    ]
    changed += [shop.put("swing", "o-1", amount=amount) for amount in (4_900, 4_200, 4_900)]
    last = settle(player, shop, changed)[-1]
    for name, story in stories.items():
        changes.truth(story, name, last)
    # What the new order left is another story's business: a changed one is no further order.
    dearer = (shop.truth("dear")[0], free[1])
    changes.like("o-1, a free order, gets an amount", "dear", dearer, "its new amount", last)
    _full_batch(player, new)
    return new, changes


# More than a transaction takes (100 items), and what a short time limit still allows.
FULL = 120


def _full_batch(player: Player, book: Book) -> None:
    """A batch as large as the mapping may hand over: what is done for all of it at once shows."""
    size = min(FULL, int(player.stack.resources[MAPPING].properties.get("BatchSize", 100)))
    names = [f"busy-{n}" for n in range(8)]
    placed = [book.shop.put(names[n % 8], f"o-{n}") for n in range(size)]
    last = settle(player, book.shop, placed)[-1]
    for name in names:
        book.truth(f"a full batch: {size} new orders of eight merchants at once", name, last)


def regrouped_later(player: Player) -> Book:
    """Some of the records come again in other company, elsewhere, minutes and hours later."""
    shop = open_shop(player, "regrouped later", mappings=False)
    book = Book(shop)
    placed = [shop.put("acme", f"o-{n}") for n in range(1, 5)]
    placed += [shop.put("globex", "o-1"), shop.put("globex", "o-2")]
    settle(player, shop, placed)
    changed = [shop.put("globex", "o-1"), shop.delete("globex", "o-2")]
    settle(player, shop, changed)
    once = shop.stored("globex")

    shop.pipeline.run_for(minutes=11)
    shop.pipeline.recycle(FUNCTION)
    last = settle(player, shop, [*placed[2:4], *changed, shop.put("initech", "o-1")])[-1]
    story = "eleven minutes later some records come again with a new one, in a new environment"
    book.truth(story, "acme", last)
    book.like(story, "globex", once, "the first delivery", last)
    book.truth(story, "initech", last)

    shop.pipeline.run_for(hours=20)
    shop.pipeline.expire()
    shop.pipeline.recycle(FUNCTION)
    for record in (placed[3], changed[1]):
        last = settle(player, shop, [record])[-1]
    story = "twenty hours later two of the records come again, each alone"
    book.truth(story, "acme", last)
    book.like(story, "globex", once, "the first delivery", last)

    # The stream keeps a record for 24 hours: until then somebody may send again what a note names.
    shop.pipeline.run_for(hours=3, minutes=30)
    shop.pipeline.expire()
    shop.pipeline.recycle(FUNCTION)
    last = settle(player, shop, [*placed[:2], *changed])[-1]
    story = "almost 24 hours later the notes are redriven, and four of the records come again"
    book.truth(story, "acme", last)
    book.like(story, "globex", once, "the first delivery", last)
    return book


# How far apart two invocations start: together, and so that a read falls before, and a write
# behind, the other one's write.
APART_MS = (0, 4, 8, 16)


def two_at_once(player: Player) -> Book:
    """Two environments work on orders of the same merchant at the same time, more or less."""
    shop = open_shop(player, "two at once", mappings=False)
    book = Book(shop)
    warm = [shop.put("warm-1", "o-1"), shop.put("warm-2", "o-1")]
    invocations = shop.pipeline.settle_together(FUNCTION, [[warm[0]], [warm[1]]])
    player.require_start(invocations)
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
    _one_held_up(player, book)
    return book


def _one_held_up(player: Player, book: Book) -> None:
    """One of the two is held up at each of its calls in turn, so that the other overtakes it.

    They bring two batches of one merchant, or both the same batch; the latter only when a batch
    that comes twice in a row, to one environment or to two, is counted once: else nothing is shown
    here that is not shown there.
    """
    shop = book.shop
    placed = [shop.put("in-a-row", f"o-{n}") for n in (1, 2)]
    rehearsal = settle(player, shop, placed)[-1]
    settle(player, shop, placed)
    shop.pipeline.recycle(FUNCTION)
    settle(player, shop, placed)
    once = shop.stored("in-a-row") == shop.truth("in-a-row")
    for held in held_up(player, rehearsal):
        merchant = f"slow-{held.call}"
        left = [shop.put(merchant, f"o-{n}") for n in (1, 2)]
        right = [shop.put(merchant, f"o-{n}") for n in (3, 4)]
        last = held.together(shop, [left, right])
        story = f"two batches of two new orders of one merchant, in two environments; {held}"
        book.truth(story, merchant, last)
        if once:
            merchant = f"twice-{held.call}"
            batch = [shop.put(merchant, f"o-{n}") for n in (1, 2)]
            last = held.together(shop, [batch, batch])
            story = f"a batch of two new orders comes to two environments at once; {held}"
            book.truth(story, merchant, last)
    if once:
        _one_held_up_at_changes(player, book)


def _one_held_up_at_changes(player: Player, book: Book) -> None:
    """As with new orders, with changes of orders of which a function may have stored something.

    Both bring the same changes of two orders, or the first one brings the newer and the other the
    older change of one order. Only what is right one after the other is played at once.
    """
    shop = book.shop
    first, second, third = (shop.amount() for _ in range(3))

    def placed(merchant: str) -> None:
        settle(player, shop, [shop.put(merchant, f"o-{n}", first) for n in (1, 2)])

    def changed(merchant: str) -> list[Record]:
        return [shop.put(merchant, "o-1", second), shop.delete(merchant, "o-2")]

    def newer_first(merchant: str) -> list[list[Record]]:
        older, newer = (shop.put(merchant, "o-1", amount) for amount in (second, third))
        return [[newer], [older]]

    placed("changed-in-a-row")
    batch = changed("changed-in-a-row")
    both = settle(player, shop, batch)[-1]
    peace = shop.stored("changed-in-a-row")
    shop.pipeline.recycle(FUNCTION)
    settle(player, shop, batch)
    if shop.stored("changed-in-a-row") == peace:
        for held in held_up(player, both):
            merchant = f"changed-twice-{held.call}"
            placed(merchant)
            batch = changed(merchant)
            last = held.together(shop, [batch, batch])
            story = f"a changed and a deleted order come to two environments at once; {held}"
            book.like(story, merchant, peace, "the same changes, delivered once", last)

    for merchant, turn in (("newer-in-a-row", 1), ("older-in-a-row", -1)):
        placed(merchant)
        for batch in newer_first(merchant)[::turn]:
            one = settle(player, shop, batch)[-1]
    peace = shop.stored("older-in-a-row")
    if shop.stored("newer-in-a-row") != peace:
        return
    for held in held_up(player, one):
        merchant = f"newer-{held.call}"
        placed(merchant)
        last = held.together(shop, newer_first(merchant))
        story = f"the newer change of an order to one environment, the older to another; {held}"
        book.like(story, merchant, peace, "the older and then the newer one, in turn", last)


def overtaken(player: Player) -> Book:
    """A discarded record is replayed after newer records of the same order were processed.

    Three stories, each played in order first ("peace-…") to see what it leaves. In between the
    sequence numbers cross a power of ten, as they do sooner or later in every stream.
    """
    shop = open_shop(player, "overtaken", mappings=False)
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
    last = settle(player, shop, [place(f"peace-{name}") for name in stories])[-1]
    if not book.truth("a new order, before anything is overtaken", "peace-changed", last):
        return book
    settle(player, shop, [change(f"peace-{name}") for name in stories])
    settle(player, shop, [finish(f"peace-{name}") for name in stories])
    peace = {name: shop.stored(f"peace-{name}") for name in stories}

    placed = {name: place(name) for name in stories}
    changed = {name: change(name) for name in stories}
    shop.pipeline.cross(ORDERS)
    finished = {name: finish(name) for name in stories}
    settle(player, shop, list(placed.values()))
    settle(player, shop, [changed["repeated"]])
    settle(player, shop, list(finished.values()))
    shop.pipeline.recycle(FUNCTION)
    shop.pipeline.run_for(hours=1)
    late = [changed["changed"], changed["deleted"], placed["repeated"]]
    last = settle(player, shop, late)[-1]
    for name, story in stories.items():
        book.like(story, name, peace[name], "the same records in their order", last)
    return book
