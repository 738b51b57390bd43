"""Lab 5, `cost`: what do the same totals cost, and would somebody hear of it?

Task 1 simulates four workloads at the learner's points. Task 2 counts writes at the door and lets
batches come again. Tasks 3 and 4 look at what invokes, what is logged and who is told; task 5 is
arithmetic with published prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from grader.course.criterion import Expect, criterion
from grader.course.grade import Finding, Unreached
from grader.course.labs.lab05 import spend, tuning_file
from grader.course.labs.lab05.scenarios import (
    BATCH,
    MERCHANTS,
    BigBatch,
    again_at_once,
    best_day,
    big_batch,
    busy_hour,
    folded_changes,
    killed_between_merchants,
    killed_in_a_full_batch,
    late_again,
    merchants_of,
    mixed_again,
)
from grader.course.labs.lab05.tuned import PLAYS, wrong_point
from grader.course.labs.lab05.workloads import WORKLOADS, prices
from grader.course.places import (
    UNREAD,
    counted_more,
    large_attribute,
    quoted,
    source,
    total_line,
    unread,
)
from grader.course.play.books import Book, Seen
from grader.course.play.counting import overtaken, quiet_day, regrouped_later, two_at_once
from grader.course.play.paging import FUNCTION, MAPPING
from grader.course.play.traffic import says
from grader.review.pricing import dollars, lambda_compute, provisioned_compute
from grader.review.tuning import break_even, provisioned_cost

if TYPE_CHECKING:
    from grader.course.play.traffic import Shop
    from grader.course.stage import Stage

PAGE = "modules/05-cost"

# -- task 1: tune four workloads -----------------------------------------------------------------


def _expect_right(stage: Stage, expect: Expect, name: str) -> None:
    point = stage.play(PLAYS[name])
    expect(point.right, lambda: wrong_point(stage, name, point))


@criterion(
    "tune-low",
    task=1,
    points=8,
    goal="The workload low stays free and within two minutes.",
)
def test_tune_low(stage: Stage, expect: Expect) -> None:
    """Free quotas are the budget: invocations decide, and memory that waits."""
    _expect_right(stage, expect, "low")


@criterion(
    "tune-medium",
    task=1,
    points=8,
    goal="The workload medium stays within a minute and its budget.",
)
def test_tune_medium(stage: Stage, expect: Expect) -> None:
    """Window, batch, lanes and memory against each other."""
    _expect_right(stage, expect, "medium")


@criterion(
    "tune-high",
    task=1,
    points=8,
    goal="The workload high stays within five minutes and its budget.",
)
def test_tune_high(stage: Stage, expect: Expect) -> None:
    """Throughput: batches and lanes, without asking for more than the concurrency left."""
    _expect_right(stage, expect, "high")


@criterion(
    "tune-real-time",
    task=1,
    points=8,
    goal="The workload real-time stays within two seconds and its budget.",
)
def test_tune_real_time(stage: Stage, expect: Expect) -> None:
    """No window; enough lanes; memory is what it costs."""
    _expect_right(stage, expect, "real-time")


# -- task 2: fold -------------------------------------------------------------------------------

# The README's two limits for a healthy batch of 100 orders of four merchants.
MOST_WRITES_OF_A_TOTAL = 4
MOST_UNITS = 260


def _needs_counting(stage: Stage, batch: BigBatch) -> None:
    """What a batch cost says nothing while its orders are not in the totals."""
    if not batch.counted:
        raise Unreached(
            _wrong_total(
                stage,
                [batch.book],
                rule="A large healthy batch is counted.",
                why="What does not count can be as cheap as it likes.",
                page=f"{PAGE}#micro-batching",
            )
        )


def _expect_totals(
    stage: Stage, expect: Expect, books: Sequence[Book], *, rule: str, why: str
) -> None:
    page = f"{PAGE}#micro-batching"
    right = all(book.right for book in books)
    expect(right, lambda: _wrong_total(stage, books, rule=rule, why=why, page=page))


def _number_line(stage: Stage, shop: Shop, merchant: str) -> str:
    """The line that made a merchant's total what it is after an hour."""
    return total_line(stage, shop, merchant, shop.truth(merchant), shop.stored(merchant))


def _wrong_total(stage: Stage, books: Sequence[Book], **told: str) -> Finding:
    """The first wrong total; where its last invocation failed, the line of the error."""

    def where(book: Book, seen: Seen) -> str:
        if seen.last.result is not None and seen.last.result.kind != "returned":
            return stage.effect_line(seen.last)
        return total_line(stage, book.shop, seen.merchant, seen.expected, seen.observed)

    return stage.wrong_total(books, where=where, **told)


@criterion(
    "fold-counts",
    task=2,
    points=5,
    goal="The totals are right after folded batches, large ones too.",
)
def test_fold_counts(stage: Stage, expect: Expect) -> None:
    """Each batch delivered once: several changes of one order; 100 orders of four or one."""
    _expect_totals(
        stage,
        expect,
        [
            *stage.play(quiet_day),
            stage.play(folded_changes),
            stage.play(big_batch).book,
            stage.play(best_day),
        ],
        rule="After a batch, a merchant's item holds the sum and the number of its orders.",
        why="A batch may hold several changes of one order, and more records than the 100 writes "
        "that a transaction takes.",
    )


@criterion(
    "folds",
    task=2,
    points=7,
    goal="A batch writes a merchant's item a few times, not once for each order.",
)
def test_folds(stage: Stage, expect: Expect) -> None:
    """Counted at the door, by key, in the table of the totals."""
    batch = stage.play(big_batch)
    _needs_counting(stage, batch)
    names = merchants_of(MERCHANTS)
    most = max(batch.writes_of_totals(names).values())
    expect(
        most <= MOST_WRITES_OF_A_TOTAL,
        lambda: stage.finding(
            rule="A batch of 100 orders of four merchants writes each merchant's item at most "
            f"{MOST_WRITES_OF_A_TOTAL} times.",
            input=f"{BATCH} new orders of {MERCHANTS} merchants in one batch",
            expected=f"at most {MOST_WRITES_OF_A_TOTAL} writes of one merchant's item",
            observed=f"{most} writes of one merchant's item",
            why="A merchant's item lies in one partition, which takes 1,000 write units a second "
            "and no more. Whoever writes it for each order is throttled by a merchant's best day.",
            where=stage.effect_line(),
            page=f"{PAGE}#micro-batching",
        ),
    )


def _comes_again(stage: Stage, batch: BigBatch) -> Finding:
    """A healthy batch that was counted and failed, or was reported, all the same."""
    from grader.course.play.stops import error_text

    ended = error_text(batch.invocation)
    return stage.finding(
        rule="A healthy batch comes once, so that it costs its write units once.",
        input=f"{BATCH} new orders of {MERCHANTS} merchants in one batch",
        expected="an answer without failures",
        observed=ended if ended != "it returned" else "an answer that names failures",
        why="All of it is in the totals. What the function fails then comes again, with each of "
        "its writes.",
        where=stage.handler_line(r"batchItemFailures", batch.invocation),
        page=f"{PAGE}#micro-batching",
    )


@criterion(
    "write-units",
    task=2,
    points=7,
    goal="A batch of 100 orders consumes at most 260 write units.",
)
def test_write_units(stage: Stage, expect: Expect) -> None:
    """In every table: markers, totals and whatever else is written."""
    batch = stage.play(big_batch)
    _needs_counting(stage, batch)
    by_table: dict[str, int] = {}
    names = {
        resource.physical_id: resource.logical_id
        for resource in stage.stack.of_type("AWS::DynamoDB::Table")
    }
    for write in batch.writes:
        table = names.get(write.table, write.table)
        by_table[table] = by_table.get(table, 0) + write.units
    expect(batch.taken, lambda: _comes_again(stage, batch))
    code = source(stage)
    split = ", ".join(f"{units} in {table}" for table, units in sorted(by_table.items()))
    expect(
        batch.units <= MOST_UNITS,
        lambda: stage.finding(
            rule=f"A batch of 100 orders of four merchants consumes at most {MOST_UNITS} write "
            "units.",
            input=f"{BATCH} new orders of {MERCHANTS} merchants in one batch",
            expected=f"at most {MOST_UNITS} write units",
            observed=f"{batch.units:,} write units: {split}",
            why="Every started KB of an item is a unit, and two in a transaction. At 100 orders a "
            "second each unit for an order is 162 dollars a month.",
            where=quoted(stage, code.naming(large_attribute(batch.invocation.calls) or ""))
            or stage.effect_line(),
            page=f"{PAGE}#micro-batching",
        ),
    )


# Why a fold counts what comes again twice, or does not count what comes beside it.
_REPEATED = (
    "After a partial failure a batch comes again cut differently, next to new records. What is "
    "remembered must be each record of the sum, in the same transaction as the sum."
)
_LOST = (
    "Each record is remembered by itself, and what was counted is left out alone: a transaction "
    "that one marker refuses writes none of its new records. A sum of nothing is remembered, too: "
    "its deletion may come alone."
)


@criterion(
    "fold-once",
    task=2,
    points=10,
    goal="Whatever comes again, in whatever company, is counted once.",
)
def test_fold_once(stage: Stage, expect: Expect) -> None:
    """Lab 2's repetitions, and those that only a fold can get wrong."""
    books = [
        stage.play(mixed_again),
        stage.play(killed_between_merchants),
        stage.play(regrouped_later),
        stage.play(two_at_once),
        stage.play(overtaken),
        stage.play(again_at_once),
        stage.play(late_again),
        stage.play(killed_in_a_full_batch),
    ]
    wrong = next((seen for book in books for seen in book.seen if not seen.right), None)
    less = wrong is not None and counted_more(wrong.expected, wrong.observed) is False
    _expect_totals(
        stage,
        expect,
        books,
        rule="A record counts once, in whatever batch, company and order it comes again.",
        why=_LOST if less else _REPEATED,
    )


@criterion(
    "fold-bad-order",
    task=2,
    points=6,
    goal="A bad order in a batch costs no other order, and leaves a note.",
)
def test_fold_bad_order(stage: Stage, expect: Expect) -> None:
    """One bad order among good ones of the same merchant."""
    hour = stage.play(busy_hour)
    shop = hour.shop
    notes = shop.pipeline.notes(MAPPING)
    lost = [r for r in hour.bad if not any(note.covers(r.sequence) for note in notes)]
    wrong = [name for name in hour.merchants if shop.stored(name) != shop.truth(name)]
    more = bool(wrong) and counted_more(shop.truth(wrong[0]), shop.stored(wrong[0]))
    common = {
        "input": f"{len(hour.orders)} good changes of orders and {len(hour.bad)} bad orders: "
        + shop.names_of(hour.bad),
        "where": (unread(stage, shop) if lost else None)
        or quoted(stage, source(stage).swallowing() if lost else None)
        or stage.handler_line(r"batchItemFailures|itemIdentifier"),
        "page": f"{PAGE}#partial-failures",
    }
    expect(
        not wrong,
        lambda: stage.finding(
            rule="Good orders are counted although a bad one of their merchant shares the batch.",
            expected=f"{wrong[0]}: {says(shop.truth(wrong[0]))} (by its orders)",
            observed=f"{wrong[0]}: {says(shop.stored(wrong[0]))} half an hour later",
            why=_REPEATED
            if more
            else "Folding ties records together: one that cannot be read must be taken out before "
            "the sum, not take the sum with it.",
            **common | ({"where": _number_line(stage, shop, wrong[0])} if more else {}),
        ),
    )
    expect(
        not lost,
        lambda: stage.finding(
            rule="A bad order leaves a note in the on-failure destination.",
            expected=f"{len(hour.bad)} bad orders named by notes",
            observed=f"{len(hour.bad) - len(lost)} named by {len(notes)} notes; not named: "
            + shop.names_of(lost),
            why="What the fold leaves out and does not report is gone without a trace."
            if unread(stage, shop) is None
            else UNREAD,
            **common,
        ),
    )


# -- task 3: invoke and log less ------------------------------------------------------------------


@criterion(
    "filter",
    task=3,
    points=6,
    goal="Carts invoke nothing, and no change of an order is missed.",
)
def test_filter(stage: Stage, expect: Expect) -> None:
    """Read from what reached the function."""
    hour = stage.play(busy_hour)
    shop = hour.shop
    carts = [record for record in hour.carts if record.sequence in hour.arrived]
    missed = [r for r in (*hour.orders, *hour.bad) if r.sequence not in hour.arrived]
    common = {
        "input": f"{len(hour.orders) + len(hour.bad)} changes of orders and {len(hour.carts)} "
        "changes of carts",
        "where": stage.property_line(
            MAPPING, "StartingPosition" if missed == hour.orders[:1] else "FilterCriteria"
        ),
        "page": f"{PAGE}#filters",
    }
    expect(
        not carts,
        lambda: stage.finding(
            rule="A change of a cart does not invoke the function.",
            expected="0 changes of carts reach the function",
            observed=f"{len(carts)} reach it, in {hour.calls} invocations; {hour.cart_only_calls} "
            f"of these hold nothing else. The first: {shop.name(carts[0])}",
            why="The handler returns at once, but the invocation, its time and its log lines are "
            "on the bill. What a filter drops costs nothing.",
            **common,
        ),
        firm=True,
    )
    expect(
        not missed,
        lambda: stage.finding(
            rule="Every change of an order reaches the function.",
            expected=f"{len(hour.orders) + len(hour.bad)} changes of orders",
            observed=f"{len(hour.orders) + len(hour.bad) - len(missed)}; missing: "
            + shop.names_of(missed),
            why="A filter leaves no trace of what it drops: no error, no retry, no note."
            if missed != hour.orders[:1]
            else "What was written before the mapping polled is never read from LATEST.",
            **common,
        ),
        firm=not missed,
    )


MOST_LOG_BYTES = 5_000

# A line that a healthy batch may write: one about an error is not among them.
LOG_LINE = r"(log(ger|ging)?\.(?!exception|error|critical)\w+|print)\(.*(record|event)"


@criterion(
    "log-volume",
    task=3,
    points=5,
    goal="A healthy batch of 100 orders logs at most 5,000 bytes.",
)
def test_log_volume(stage: Stage, expect: Expect) -> None:
    """What the function prints by itself; Lambda's own lines are not counted."""
    batch = stage.play(big_batch)
    _needs_counting(stage, batch)
    expect(
        batch.log_bytes <= MOST_LOG_BYTES,
        lambda: stage.finding(
            rule=f"A healthy batch of 100 orders logs at most {MOST_LOG_BYTES:,} bytes.",
            input=f"{BATCH} new orders of {MERCHANTS} merchants in one batch",
            expected=f"at most {MOST_LOG_BYTES:,} bytes of the function's own log lines",
            observed=f"{batch.log_bytes:,} bytes in {batch.log_lines} lines, the longest of "
            f"{batch.longest_line:,} bytes",
            why="Writing a GB of log costs 0.50 dollars, as much as 800,000 write units. A log of "
            "every event is often the dearest part of a cheap function.",
            where=stage.handler_line(LOG_LINE),
            page=f"{PAGE}#logs",
        ),
    )


@criterion(
    "log-retention",
    task=3,
    points=4,
    goal="The function's log is kept for 3 to 30 days.",
)
def test_log_retention(stage: Stage, expect: Expect) -> None:
    """The group that the function writes to is in the template, with a number of days."""
    function = stage.stack.resources.get(FUNCTION)
    logging = function.properties.get("LoggingConfig", {}) if function else {}
    name = logging.get("LogGroup", f"/aws/lambda/{function.physical_id}" if function else "")
    group = stage.stack.by_physical(name, "AWS::Logs::LogGroup")
    days = group.properties.get("RetentionInDays") if group else None
    if group is None:
        observed = "the function's log group is not in the template: Lambda makes one, without end"
    else:
        observed = f"RetentionInDays: {days}" if days else "no RetentionInDays: kept for ever"
    expect(
        days is not None and 3 <= days <= 30,
        lambda: stage.finding(
            rule="The function's log group has a retention of 3 to 30 days.",
            input=f"{group.logical_id if group else FUNCTION} in template.yaml",
            expected="RetentionInDays: 3 to 30",
            observed=observed,
            why="What is kept is paid for each month anew. Less than a weekend leaves nothing to "
            "look at on Monday.",
            where=stage.property_line(group.logical_id, "RetentionInDays")
            if group
            else stage.property_line(FUNCTION, "LoggingConfig"),
            page=f"{PAGE}#logs",
        ),
    )


# -- task 4: be told ----------------------------------------------------------------------------


@criterion(
    "budget-fires",
    task=4,
    points=8,
    goal="Somebody is told of a loop before it has cost 30 dollars, credits or not.",
)
def test_budget_fires(stage: Stage, expect: Expect) -> None:
    """The replayed month: credits pay, so only a budget before credits sees anything."""
    found = spend.notices(stage)
    told = spend.first_told(found, spend.LOOP_MONTH, spend.LOOP_FROM_DAY)
    spent = sum(spend.LOOP_MONTH[: told.day]) if told else sum(spend.LOOP_MONTH)
    expect(
        told is not None and spent < spend.TOLD_BELOW,
        lambda: stage.finding(
            rule="A budget tells somebody before a month has cost 30 dollars, before credits.",
            input="a new account whose credits pay everything; from day 12 on a loop costs 4 "
            "dollars a day",
            expected="somebody is told while the month has cost less than $30.00",
            observed=f"{told.budget.logical_id} tells somebody on day {told.day}, at "
            f"{dollars(Decimal(spent) / 100)}"
            if told
            else f"nobody is told; the month costs {dollars(Decimal(spent) / 100)}"
            + spend.why_nobody(stage, found),
            why="Credits hide a loop until they are used up; then the whole rate is on the invoice."
            if not found or found[0].credits
            else "A budget that nobody hears, or that speaks up too late, is an invoice.",
            where=spend.line_of_budget(stage, found),
            page=f"{PAGE}#budget",
        ),
    )


@criterion(
    "budget-quiet",
    task=4,
    points=3,
    goal="An ordinary month of nine dollars tells nobody.",
)
def test_budget_quiet(stage: Stage, expect: Expect) -> None:
    """A budget that speaks up every month is one that nobody reads."""
    found = spend.notices(stage)
    if not any(one.kind == "ACTUAL" and not one.deaf for one in found):
        raise Unreached(
            stage.finding(
                rule="There is a budget that could tell somebody.",
                input="template.yaml as it stands",
                expected="a notification of an AWS::Budgets::Budget that reaches somebody",
                observed="none",
                why="No budget is quiet in every month.",
                where=spend.line_of_budget(stage, found),
                page=f"{PAGE}#budget",
            )
        )
    told = spend.first_told(found, spend.ORDINARY_YEAR)
    expect(
        told is None,
        lambda: stage.finding(
            rule="A year of ordinary months, nine dollars each, tells nobody.",
            input="every day costs 0.30 dollars, for twelve months",
            expected="nobody is told",
            observed=f"{told.budget.logical_id} tells somebody on day {told.day}" if told else "",
            why="Mail that comes every month is filed unread, also in the month that counts.",
            where=spend.line_of_noise(stage, told) if told else "",
            page=f"{PAGE}#budget",
        ),
    )


# -- task 5: provisioned concurrency -------------------------------------------------------------

# The README's question: so many executions of so much memory, busy for this share, on arm64.
EXECUTIONS, MEMORY_MB, BUSY, ARCHITECTURE = 5, 512, Decimal("0.15"), "arm64"
PERCENT_TOLERANCE, DOLLAR_TOLERANCE = Decimal(1), Decimal("0.50")


@criterion(
    "break-even",
    task=5,
    points=7,
    goal="The break-even of provisioned concurrency, and what it costs below it.",
)
def test_break_even(stage: Stage, expect: Expect) -> None:
    """Two numbers from three prices."""
    file = stage.play(tuning_file.read)
    rates = prices()
    ready, run = (rates.rate(item) for item in provisioned_compute(ARCHITECTURE))
    on_demand = rates.rate(lambda_compute(ARCHITECTURE))
    cost = provisioned_cost(
        rates, executions=EXECUTIONS, busy=BUSY, memory_mb=MEMORY_MB, architecture=ARCHITECTURE
    )
    asked = (
        (
            "break_even_percent",
            break_even(rates, ARCHITECTURE) * 100,
            PERCENT_TOLERANCE,
            "from this share of time on, in percent (0 to 100), keeping an arm64 execution "
            f"ready ({ready} a GB-second) and running it ({run}) is not dearer than on demand "
            f"({on_demand})",
            "Below the break-even, capacity that is kept ready is paid for and not used. A stream "
            "whose lag objective is seconds does not need it.",
        ),
        (
            "extra_dollars_a_month",
            cost.provisioned - cost.on_demand,
            DOLLAR_TOLERANCE,
            f"how many dollars {EXECUTIONS} provisioned arm64 executions of {MEMORY_MB} MB, busy "
            f"for {BUSY:.0%} of 30 days, cost more than on demand, without free quotas",
            "Provisioned concurrency is billed for every second, also at night, and its free "
            "quota is none.",
        ),
    )
    for key, right, tolerance, question, why in asked:
        value = tuning_file.number(stage, key)
        expect(
            value is not None and abs(Decimal(str(value)) - right) <= tolerance,
            lambda key=key, tolerance=tolerance, question=question, value=value, why=why: (  # type: ignore[misc]
                stage.finding(
                    rule=f"{key} follows from the README's prices.",
                    input=question,
                    expected=f"a number within {tolerance.normalize():f} of what the prices give",
                    observed=f"{key} = {value:g}" if value is not None else f"no number {key}",
                    why=why,
                    where=stage.line(tuning_file.FILE, file.line_of("provisioned", key)),
                    page=f"{PAGE}#provisioned-concurrency",
                )
            ),
        )


assert set(WORKLOADS) == set(PLAYS)
