"""Lab 2, `lambda-triggers`: does the trigger survive what production does to it?

Tasks 2 and 3 hand batches straight to the function, so that a wrong mapping does not cost them.
Tasks 1, 4 and 5 play the learner's own mapping. Each criterion reads the narrowest thing that
shows it: which records arrived, which notes were written, one merchant's total.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from grader.course.criterion import Expect, criterion
from grader.course.grade import Finding
from grader.course.labs.lab02 import places
from grader.course.labs.lab02.reports import misread
from grader.course.labs.lab02.rights import excused, never_needed, role_of, seldom_needed
from grader.course.labs.lab02.scenarios import (
    BadDay,
    bad_records,
    killed_at_every_call,
    same_batch_again,
    through_the_mapping,
)
from grader.course.play.books import Book
from grader.course.play.counting import overtaken, quiet_day, regrouped_later, two_at_once
from grader.course.play.paging import FUNCTION, MAPPING, log_writes
from grader.course.play.traffic import Shop, listed

if TYPE_CHECKING:
    from grader.cloud.dynamodb import Record
    from grader.course.stage import Stage

MINUTE = 60_000

# The README's promise about what is written behind a bad record.
MOVES_ON_MS = 15 * MINUTE


def _expect_right(
    stage: Stage,
    expect: Expect,
    book: Book,
    *,
    rule: str,
    why: str,
    anchor: str,
    where: Callable[[Stage], str],
) -> None:
    """Every story of the book ended well; the first that did not is told, the others counted."""
    page = f"modules/02-lambda-triggers#{anchor}"

    def wrong() -> Finding:
        finding = stage.wrong_total([book], rule=rule, why=why, page=page)
        failed = next(seen for seen in book.seen if not seen.right).last
        if failed.result is not None and failed.result.kind != "returned":
            return finding
        return replace(finding, where=where(stage))

    expect(book.right, wrong)


# -- task 1: start without losing a write --------------------------------------------------------


# --8<-- [start:start-position]
@criterion(
    "start-position",
    task=1,
    points=6,
    goal="Writes made while the mapping is still being created reach the function.",
)
def test_start_position(stage: Stage, expect: Expect) -> None:
    """LATEST begins where polling begins, minutes after the stack was created."""
    seen = stage.play(through_the_mapping)
    missed = [record for record in seen.early if record.sequence not in seen.arrived]
    expect(
        not missed,
        lambda: stage.finding(
            rule="A mapping starts early enough to see every write since the stack was created.",
            input=f"{len(seen.early)} orders placed right after the stack was created, "
            "while the mapping was still being enabled",
            expected=f"{len(seen.early)} of them reach the function",
            observed=f"{len(seen.early) - len(missed)} reach it; missing: "
            + seen.shop.names_of(missed),
            why="Creating a mapping takes up to minutes. With LATEST those writes are skipped, "
            "and no error tells anybody.",
            where=stage.property_line(MAPPING, "StartingPosition"),
            page="modules/02-lambda-triggers#starting-position",
        ),
        firm=True,
    )


# --8<-- [end:start-position]


# -- task 2: count every change ------------------------------------------------------------------


@criterion(
    "counts-new-orders",
    task=2,
    points=6,
    goal="Every new order that reaches the function is in its merchant's total, once.",
)
def test_counts_new_orders(stage: Stage, expect: Expect) -> None:
    """Inserts alone, delivered once each."""
    new, _ = stage.play(quiet_day)
    _expect_right(
        stage,
        expect,
        new,
        rule="After new orders, a merchant's item holds their sum and their number.",
        why="A total that misses new orders pays the merchant too little.",
        anchor="images-and-deltas",
        where=places.new_orders,
    )


@criterion(
    "counts-changes",
    task=2,
    points=8,
    goal="Changed and deleted orders that reach the function change the totals by the difference.",
)
def test_counts_changes(stage: Stage, expect: Expect) -> None:
    """MODIFY with and without a new amount, REMOVE, and an order that comes back."""
    _, changes = stage.play(quiet_day)
    _expect_right(
        stage,
        expect,
        changes,
        rule="A change moves the total by new amount minus old amount; a deletion takes the order "
        "out.",
        why="MODIFY carries both images and REMOVE only the old one: who adds the new amount, or "
        "ignores REMOVE, pays for orders that are gone.",
        anchor="images-and-deltas",
        where=places.changes,
    )


# -- task 3: count it once -----------------------------------------------------------------------


@criterion(
    "once-redelivered",
    task=3,
    points=7,
    goal="The same batch delivered again changes nothing.",
)
def test_once_redelivered(stage: Stage, expect: Expect) -> None:
    """At-least-once delivery in its plainest form."""
    _expect_right(
        stage,
        expect,
        stage.play(same_batch_again),
        rule="A batch that is delivered again changes nothing.",
        why="Lambda delivers at least once: one lost answer is enough for a whole batch to come "
        "again, and a bare ADD then pays it twice.",
        anchor="idempotency",
        where=places.counting,
    )


@criterion(
    "once-regrouped",
    task=3,
    points=9,
    goal="Records that come again in other batches, elsewhere and later, change nothing.",
)
def test_once_regrouped(stage: Stage, expect: Expect) -> None:
    """What memory, a batch's hash or a ten-minute token cannot remember."""
    _expect_right(
        stage,
        expect,
        stage.play(regrouped_later),
        rule="A record counts once, in whatever batch, environment and hour it comes again.",
        why="A retry may regroup records, and it comes up to 24 hours later. Memory is gone by "
        "then, a hash of the batch is another one, ClientRequestToken forgets after ten minutes.",
        anchor="idempotency",
        where=places.remembering,
    )


@criterion(
    "once-crash",
    task=3,
    points=12,
    goal="An environment that dies at any moment neither loses nor repeats a record.",
)
def test_once_crash(stage: Stage, expect: Expect) -> None:
    """Marker before effect loses work, marker after effect repeats it."""
    _expect_right(
        stage,
        expect,
        stage.play(killed_at_every_call),
        rule="Marker and effect commit together: a crash before or after any call changes nothing "
        "about the totals.",
        why="Environments die of time-outs, deployments and memory. A marker written first loses "
        "the work behind it, a marker written last lets it happen twice.",
        anchor="crash-between-two-writes",
        where=places.counting,
    )


@criterion(
    "once-overlap",
    task=3,
    points=8,
    goal="Two invocations that touch one merchant at the same time lose no order.",
)
def test_once_overlap(stage: Stage, expect: Expect) -> None:
    """A read, an addition and a write back, twice at once, keep one of the two."""
    _expect_right(
        stage,
        expect,
        stage.play(two_at_once),
        rule="Invocations that overlap on one merchant both count.",
        why="Order is kept per item, not per merchant: with several shards, or a "
        "ParallelizationFactor above 1, two batches of one merchant run side by side. A "
        "transaction that meets another one is cancelled, has written nothing and must come again.",
        anchor="overlap",
        where=places.meeting,
    )


@criterion(
    "once-overtaken",
    task=3,
    points=8,
    goal="An older record that arrives after newer ones of its order does no harm.",
)
def test_once_overtaken(stage: Stage, expect: Expect) -> None:
    """Deltas with a high-water mark skip it, stored state without one goes back to it."""
    _expect_right(
        stage,
        expect,
        stage.play(overtaken),
        rule="The totals are the same whichever of an order's records arrives last.",
        why="A record that was discarded and is replayed comes after newer ones. Differences need "
        "the set of seen records; a stored state needs the highest sequence number, compared as a "
        "number.",
        anchor="overtaken-records",
        where=places.ordering,
    )


# -- task 4: survive a bad record ----------------------------------------------------------------


@criterion(
    "failure-understood",
    task=4,
    points=6,
    goal="What the function reports about failures is something Lambda acts on.",
)
def test_failure_understood(stage: Stage, expect: Expect) -> None:
    """Identifiers of the batch, under ReportBatchItemFailures, as JSON; or an exception."""
    day = stage.play(bad_records)
    found = next(misread(stage, day), None)
    if found is not None:
        expect(False, lambda: found)


@criterion(
    "bad-record-kept",
    task=4,
    points=8,
    goal="Every bad record ends as a note in the on-failure destination.",
)
def test_bad_record_kept(stage: Stage, expect: Expect) -> None:
    """Swallowed, overlooked or undeliverable: in each case the record is lost."""
    day = stage.play(bad_records)
    notes = day.shop.pipeline.notes(MAPPING)
    lost = [r for r in day.bad if not any(note.covers(r.sequence) for note in notes)]
    expect(
        not lost,
        lambda: stage.finding(
            rule="A record that cannot be processed leaves a note in the on-failure destination "
            "within an hour.",
            input=f"{len(day.good)} good orders and {len(day.bad)} bad ones: "
            + day.shop.names_of(day.bad),
            expected=f"{len(day.bad)} records named by notes",
            observed=f"{len(day.bad) - len(lost)} named by {len(notes)} notes; not named: "
            + day.shop.names_of(lost)
            + _undelivered(day),
            why="A note is all that is left once retries end: without it nobody learns that money "
            "is missing, and after 24 hours the record cannot be fetched any more.",
            where=places.note_lost(stage, day),
            page="modules/02-lambda-triggers#failure-destination",
        ),
    )
    if (queue := places.forgetful(stage)) is not None:
        expect(False, lambda: _forgotten(stage, *queue))


def _forgotten(stage: Stage, queue: str, seconds: int) -> Finding:
    return stage.finding(
        rule="A note can be read for as long as its record can be fetched: for a day.",
        input=f"{queue} in template.yaml, which gets the notes",
        expected=f"a note stays there for {places.NOTE_KEPT_S:,} seconds or longer",
        observed=f"it is gone after {seconds:,} seconds",
        why="Nobody looks at a queue of failures each minute. A note that has gone by the time "
        "somebody does is none.",
        where=stage.property_line(queue, "MessageRetentionPeriod"),
        page="modules/02-lambda-triggers#failure-destination",
    )


def _undelivered(day: BadDay) -> str:
    failed = day.shop.pipeline.undelivered
    return f"; a note could not be delivered: {failed[0]}" if failed else ""


@criterion(
    "neighbours-counted",
    task=4,
    points=6,
    goal="The good records around a bad one are counted, and none of them is given up.",
)
def test_neighbours_counted(stage: Stage, expect: Expect) -> None:
    """Read per merchant, one order each: a double count is another criterion's business."""
    day = stage.play(bad_records)
    shop = day.shop
    notes = shop.pipeline.notes(MAPPING)

    def counted(record: Record) -> bool:
        total, orders = shop.stored(day.merchant_of[record.sequence])
        want_total, want_orders = shop.truth(day.merchant_of[record.sequence])
        return _at_least(total, want_total) and _at_least(orders, want_orders)

    missing = [record for record in day.good if not counted(record)]
    given_up = [r for r in day.good if any(note.covers(r.sequence) for note in notes)]
    story = f"{len(day.good)} good orders with {len(day.bad)} bad ones between them"
    if missing or given_up:
        stage.require_played(shop.pipeline.denied, story)
    expect(
        not missing,
        lambda: stage.finding(
            rule="Good records that share a batch with a bad one are counted.",
            input=story,
            expected=f"{len(day.good)} of them counted an hour later",
            observed=f"{len(day.good) - len(missing)} counted; missing: " + shop.names_of(missing),
            why="One producer's bug must not cost the other merchants their orders.",
            where=places.neighbours(stage),
            page="modules/02-lambda-triggers#bad-records",
        ),
    )
    expect(
        not given_up,
        lambda: stage.finding(
            rule="Only the bad records are given up.",
            input=story,
            expected=f"notes that name {len(day.bad)} records, the bad ones",
            observed=f"notes that also name {len(given_up)} good ones: " + shop.names_of(given_up),
            why="Whoever replays the notes replays good records too; and a good record that is "
            "given up before it was processed is lost.",
            where=places.neighbours(stage),
            page="modules/02-lambda-triggers#bad-records",
        ),
    )


def _at_least(value: Any, least: int) -> bool:
    try:
        return bool(value >= least)
    except TypeError:
        return False


@criterion(
    "shard-moves-on",
    task=4,
    points=4,
    goal="What is written behind a bad record is processed within 15 minutes.",
)
def test_shard_moves_on(stage: Stage, expect: Expect) -> None:
    """Unlimited retries hold everything behind the bad record until it expires."""
    day = stage.play(bad_records)
    shop = day.shop
    first_seen = {
        sequence: invocation.start_ms
        for invocation in reversed(shop.pipeline.invocations(FUNCTION))
        for sequence in invocation.sequences
    }
    waits = [first_seen.get(r.sequence, 10**15) - day.late_written_ms for r in day.late]
    late = [r for r, wait in zip(day.late, waits, strict=True) if wait > MOVES_ON_MS]
    expect(
        not late,
        lambda: stage.finding(
            rule="Records behind a bad one reach the function within 15 minutes.",
            input=f"{len(day.late)} orders placed one minute after the bad ones",
            expected="all of them delivered within 15 minutes",
            observed=f"{len(day.late) - len(late)} delivered in time; waiting: "
            + shop.names_of(late)
            + (
                f" (delivered after {max(waits) // MINUTE} minutes)"
                if max(waits) < 10**12
                else " (not delivered within the hour)"
            ),
            why="A shard is processed in order. While a batch is retried nothing behind it moves, "
            "with default settings for up to a day.",
            where=stage.property_line(MAPPING, "MaximumRetryAttempts"),
            page="modules/02-lambda-triggers#retries-and-age",
        ),
        firm=not late,
    )


# -- task 5: let in what matters, and no more ----------------------------------------------------


@criterion(
    "filter-quiet",
    task=5,
    points=3,
    goal="Changes of carts never reach the function.",
)
def test_filter_quiet(stage: Stage, expect: Expect) -> None:
    """Which records arrived, whatever the function made of them."""
    seen = stage.play(through_the_mapping)
    came = [record for record in seen.carts if record.sequence in seen.arrived]
    expect(
        not came,
        lambda: stage.finding(
            rule="The mapping's filter keeps carts away from the function.",
            input=f"{len(seen.carts)} changes of carts among the orders",
            expected="0 of them reach the function",
            observed=f"{len(came)} reach it: " + seen.shop.names_of(came),
            why="Carts change far more often than orders: every one of them is an invocation or a "
            "place in a batch that you pay for.",
            where=stage.property_line(MAPPING, "FilterCriteria"),
            page="modules/02-lambda-triggers#filters",
        ),
        firm=True,
    )


@criterion(
    "filter-complete",
    task=5,
    points=3,
    goal="Every change of an order reaches the function: new, changed and deleted.",
)
def test_filter_complete(stage: Stage, expect: Expect) -> None:
    """Read on what was written after the mapping had started, so that LATEST does not cost it."""
    seen = stage.play(through_the_mapping)
    day = stage.play(bad_records)
    lost = [seen.shop.name(r) for r in seen.orders if r.sequence not in seen.arrived]
    lost += [day.shop.name(r) for r in day.bad if r.sequence not in day.arrived]
    written = len(seen.orders) + len(day.bad)
    expect(
        not lost,
        lambda: stage.finding(
            rule="Every INSERT, MODIFY and REMOVE of an order passes the filter.",
            input=f"{written} changes of orders once the mapping runs, {len(day.bad)} of them bad",
            expected=f"{written} of them reach the function",
            observed=f"{written - len(lost)} reach it; missing: " + listed(lost),
            why="What a filter drops is gone: no invocation, no note, no error. A REMOVE has no "
            "NewImage, and numeric never matches an attribute.",
            where=stage.property_line(MAPPING, "FilterCriteria"),
            page="modules/02-lambda-triggers#filters",
        ),
        firm=not lost,
    )


@criterion(
    "role-sufficient",
    task=5,
    points=3,
    goal="The role may do everything that the system does.",
)
def test_role_sufficient(stage: Stage, expect: Expect) -> None:
    """Nothing was denied while orders were counted, changed, failed and noted."""
    role = role_of(stage)
    new, _ = stage.play(quiet_day)
    shops = (stage.play(through_the_mapping).shop, stage.play(bad_records).shop, new.shop)
    refused = [one for shop in shops for one in shop.pipeline.denied]
    denied = [f"{one.action} on {one.resource}" for one in refused if one.played]
    denied += [
        f"{action} on {resource}"
        for action, resource in log_writes(stage)
        if not stage.may(role, action, resource)
    ]
    expect(
        not denied,
        lambda: stage.finding(
            rule="The function's role allows what the function, the mapping and the destination "
            "need.",
            input="orders placed, changed, deleted, and three bad ones",
            expected="nothing is denied",
            observed=f"{denied[0]} was denied ({len(denied)} denials in all)",
            why="A role that lacks a right fails at the first real use: an AccessDenied in the "
            "handler fails the batch, one at the destination loses the note.",
            where=stage.property_line(role, "Policies"),
            page="modules/02-lambda-triggers#least-privilege",
        ),
    )
    stage.require_played(refused, "orders placed, changed, deleted, and three bad ones")


@criterion(
    "role-tight",
    task=5,
    points=3,
    goal="The role may do nothing that the function does not need.",
)
def test_role_tight(stage: Stage, expect: Expect) -> None:
    """Probes on the role itself; what is right only when it is used is read from the plays."""
    role = role_of(stage)
    requests = list(never_needed(stage))
    open_doors = [one for one in requests if stage.may(role, *one[:2])]
    doubtful = [one for one in seldom_needed(stage) if stage.may(role, *one[:2])]
    if not open_doors and doubtful:
        # Only these ask what was done: a role without them is judged before anything is played.
        requests += doubtful
        used: set[tuple[str, str]] = set().union(*(s.pipeline.account.used for s in _shops(stage)))
        open_doors = [one for one in doubtful if not excused(stage, one, used)]
    expect(
        not open_doors,
        lambda: stage.finding(
            rule="The role allows the function's own actions on its own resources, nothing else.",
            input=f"{len(requests)} requests that this function never makes",
            expected="all of them denied",
            observed=f"{len(open_doors)} allowed, first {open_doors[0][0]} on {open_doors[0][1]} "
            f"({open_doors[0][2]})",
            why="A bug or a stolen dependency can do what the role can: with a wide role it can "
            "empty the table that feeds it.",
            where=stage.property_line(role, "Policies"),
            page="modules/02-lambda-triggers#least-privilege",
        ),
    )


def _shops(stage: Stage) -> list[Shop]:
    """The shop of every play of this lab."""
    books = [stage.play(quiet_day)[0]]
    books += [stage.play(same_batch_again), stage.play(regrouped_later)]
    books += [stage.play(killed_at_every_call), stage.play(two_at_once), stage.play(overtaken)]
    days = [stage.play(through_the_mapping).shop, stage.play(bad_records).shop]
    return [book.shop for book in books] + days
