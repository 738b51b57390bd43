"""Lab 4, `debugging`: was each fault found, is it mended, and does what was given up come back?

A ticket is found when its cause and the evidence that proves it are named. It is mended when the
same trouble, played with the learner's stack, leaves behind what it should: how is never asked.
The redrive tool is judged by the totals that it leaves and by the numbers that it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grader.course.criterion import Expect, criterion
from grader.course.grade import Finding
from grader.course.labs.lab04 import diagnosis
from grader.course.labs.lab04.redriven import expect_redriven
from grader.course.labs.lab04.reviewed import expect_robust, keys_told
from grader.course.labs.lab04.scenarios import (
    IMPORTED,
    LATE_MIN,
    PAGE,
    Sums,
    an_import,
    bad_order,
    falling_behind,
    held_back_line,
    large_orders,
    ordinary_day,
    outage,
)
from grader.course.places import UNREAD, comparison_line, quoted, source, total_line, unread
from grader.course.play.paging import FUNCTION, MAPPING, lets_in, rang, watch, why_unheard
from grader.course.play.traffic import listed, says
from grader.replay.source import Source

if TYPE_CHECKING:
    from grader.course.stage import Stage

DIAGNOSIS = "diagnosis.toml"


# -- found ---------------------------------------------------------------------------------------


def _expect_found(stage: Stage, expect: Expect, ticket: str) -> None:
    """The cause of a ticket, and evidence that proves it."""
    text = (stage.folder / DIAGNOSIS).read_text(encoding="utf-8")
    common = {
        "rule": "The diagnosis names the cause of each ticket and the evidence that proves it.",
        "why": "Whoever mends what was not found mends something else: the trouble comes back, "
        "and now there are two changes to understand.",
        "page": f"{PAGE}#on-call",
    }
    try:
        wrong = diagnosis.judge(ticket, diagnosis.read(text, ticket))
    except diagnosis.Unreadable as unreadable:
        observed = str(unreadable)
        if unreadable.member is None:
            stage.stop(
                "diagnosis",
                stage.finding(
                    input=DIAGNOSIS,
                    expected="a TOML file with a table for each ticket",
                    observed=observed,
                    where=f"{DIAGNOSIS} (no single line can be named)",
                    **common,
                ),
            )
        wrong = diagnosis.Wrong(
            unreadable.member, "a table with a cause and a list of evidence", observed
        )
    if wrong is not None:
        expect(
            False,
            lambda: stage.finding(
                input=f"ticket {ticket}, [{ticket}] in {DIAGNOSIS}",
                expected=wrong.expected,
                observed=wrong.observed,
                where=_line(stage, text, ticket, wrong.member),
                **common,
            ),
        )


def _line(stage: Stage, text: str, ticket: str, key: str) -> str:
    """Where a ticket's answer stands in the diagnosis."""
    found = None
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip().startswith("["):
            inside = line.strip().startswith(f"[{ticket}]")
            found = number if inside else found
        elif inside and line.strip().startswith(key):
            return stage.line(DIAGNOSIS, number)
    return stage.line(DIAGNOSIS, found)


# -- task 1: nothing is invoked ------------------------------------------------------------------


@criterion(
    "found-not-invoked",
    task=1,
    points=5,
    goal="Ticket large-orders: the cause is named and proved.",
)
def test_found_not_invoked(stage: Stage, expect: Expect) -> None:
    """Polled, filtered out, never invoked."""
    _expect_found(stage, expect, "large-orders")


@criterion(
    "large-orders-noted",
    task=1,
    points=7,
    goal="Large orders are noted for review, and only they.",
)
def test_large_orders_noted(stage: Stage, expect: Expect) -> None:
    """What is in the table in the end; one order has just the limit, one lacks a cent."""
    seen = stage.play(large_orders)
    missing = [key for key in seen.expected if key not in seen.noted]
    extra = [key for key in seen.noted if key not in seen.expected]
    unseen = [key for key in missing if key not in seen.handed]
    told = []
    if missing:
        told.append(f"missing: {keys_told(missing)}")
    if extra:
        told.append(f"not large: {keys_told(extra)}")
    expect(
        not told,
        lambda: stage.finding(
            rule="LargeOrders holds every order of 50,000 cents and more, and no other.",
            input="eight orders and two carts; one order becomes large when it is changed",
            expected=f"{len(seen.expected)} notes: {keys_told(seen.expected)}",
            observed=f"{len(seen.noted)} notes; {'; '.join(told)}",
            why="A filter sees an attribute as DynamoDB writes it: numbers are texts in there. "
            "What a filter cannot say, the function has to."
            if unseen or not missing
            else "The function was handed these orders and has not noted them. An amount is a "
            "text in the record, too: as text, 100000 comes before 50000. And the limit itself "
            "is large.",
            where=stage.property_line("LargeOrdersToReview", "FilterCriteria")
            if unseen
            else comparison_line(stage, r"amount\b.*(?<!-)[<>]")
            if missing
            else stage.handler_line(r"put_item"),
            page=f"{PAGE}#nothing-is-invoked",
        ),
    )
    if not told:
        expect_robust(stage, expect)


# -- task 2: too slow, and stuck -----------------------------------------------------------------


@criterion(
    "found-timeouts",
    task=2,
    points=5,
    goal="Ticket import: the cause is named and proved.",
)
def test_found_timeouts(stage: Stage, expect: Expect) -> None:
    """Large batches run out of time, small ones do not."""
    _expect_found(stage, expect, "import")


@criterion(
    "import-in-time",
    task=2,
    points=6,
    goal="An import is counted, and no invocation runs out of time.",
)
def test_import_in_time(stage: Stage, expect: Expect) -> None:
    """Whatever batches the learner's mapping makes of 120 orders."""
    seen = stage.play(an_import)
    timeouts = seen.timeouts
    expect(
        not timeouts,
        lambda: stage.finding(
            rule="The function's Timeout is longer than the largest batch of its mapping takes.",
            input=f"{IMPORTED} orders are written at one moment",
            expected="no invocation runs out of time",
            observed=f"{_many(len(timeouts))} of {len(timeouts[0].sequences)} "
            f"records: Task timed out after {seen.limit_s:.2f} seconds",
            why="A batch that runs out of time comes again from its beginning, and does again "
            "what it has done. The time limit is a cap, it costs nothing: time that is used does.",
            where=stage.property_line(FUNCTION, "Timeout"),
            page=f"{PAGE}#timeouts",
        ),
    )
    if not timeouts:
        expect(
            not seen.uncounted,
            lambda: stage.finding(
                rule="An import is in the totals five minutes later.",
                input=f"{IMPORTED} orders of eight merchants are written at one moment",
                expected="eight merchants with the right totals",
                observed=f"{8 - len(seen.uncounted)}; wrong: {listed(seen.uncounted)}",
                why="Nothing was slow, and yet it is not counted.",
                where=stage.property_line(MAPPING, "BatchSize"),
                page=f"{PAGE}#timeouts",
            ),
        )


def _many(invocations: int) -> str:
    return "1 invocation" if invocations == 1 else f"{invocations} invocations, the first"


@criterion(
    "found-stuck",
    task=2,
    points=5,
    goal="Ticket stuck: the cause is named and proved.",
)
def test_found_stuck(stage: Stage, expect: Expect) -> None:
    """The same record again and again, and nothing that bounds it."""
    _expect_found(stage, expect, "stuck")


@criterion(
    "bad-order-passes",
    task=2,
    points=8,
    goal="One bad order holds back no other, and somebody can find it.",
)
def test_bad_order_passes(stage: Stage, expect: Expect) -> None:
    """Its neighbours are counted in time; of itself there is a note, or any message."""
    seen = stage.play(bad_order)
    shop = seen.shop
    story = "an order with the amount '12,50' between three good ones, and good ones after it"
    expect(
        not seen.late,
        lambda: stage.finding(
            rule=f"Good orders are counted within {LATE_MIN} minutes, whatever is beside them.",
            input=story,
            expected=f"{len(seen.good)} good orders are counted",
            observed=f"{len(seen.good) - len(seen.late)} are; not: {shop.names_of(seen.late)}",
            why="A record is tried for as long as the mapping's limits say, without one for 24 "
            "hours, and everything behind it waits. With a limit alone the whole batch is given "
            "up.",
            where=held_back_line(stage, seen),
            page=f"{PAGE}#iterator-age-grows",
        ),
    )
    expect(
        seen.trace,
        lambda: stage.finding(
            rule="Of an order that cannot be counted something is left that a person can find.",
            input=story,
            expected=f"within {LATE_MIN} minutes a failure note, or another message, about it",
            observed="nothing in any queue or bucket of the stack tells of it: copies of what went "
            "well, too, do not",
            why="A record that is given up without a note cannot be redriven: nobody knows of it.",
            where=unread(stage, shop)
            or (
                stage.handler_line(r"except")
                if stage.stack.resources[MAPPING].properties.get("DestinationConfig")
                else stage.property_line(MAPPING, "DestinationConfig")
            ),
            page=f"{PAGE}#iterator-age-grows",
        ),
    )


# -- task 3: failures that vanish ----------------------------------------------------------------


@criterion(
    "found-lost",
    task=3,
    points=5,
    goal="Ticket lost: the cause is named and proved.",
)
def test_found_lost(stage: Stage, expect: Expect) -> None:
    """The log knows, Lambda does not."""
    _expect_found(stage, expect, "lost")


@criterion(
    "nothing-vanishes",
    task=3,
    points=9,
    goal="What cannot be counted for a while is counted later, or noted.",
)
def test_nothing_vanishes(stage: Stage, expect: Expect) -> None:
    """A table that is throttled for a minute and a half."""
    seen = stage.play(outage)
    expect(
        not seen.vanished,
        lambda: stage.finding(
            rule="A record that could not be counted is retried or noted; it never just ends.",
            input=f"{len(seen.placed)} orders while the totals table is throttled for 90 seconds",
            expected=f"{len(seen.placed)} orders counted, or in a failure note",
            observed=f"{len(seen.placed) - len(seen.vanished)}; without a trace: "
            + seen.shop.names_of(seen.vanished),
            why="A function that returns has succeeded, whatever it has logged: the checkpoint "
            "moves on, no metric counts it, no note is written. Copies of all records do not tell "
            "which of them is missing."
            if (setting := unread(stage, seen.shop)) is None
            else UNREAD,
            where=setting
            or quoted(stage, source(stage).swallowing())
            or stage.handler_line(r"except"),
            page=f"{PAGE}#failures-vanish",
        ),
    )


@criterion(
    "keeps-counting",
    task=3,
    points=6,
    goal="What was right stays right: every change is counted, and counted once.",
)
def test_keeps_counting(stage: Stage, expect: Expect) -> None:
    """Placed, changed, deleted; all of it comes twice."""
    day = stage.play(ordinary_day)
    expect(not day.wrong, lambda: _miscounted(stage, day))


def _miscounted(stage: Stage, day: Sums) -> Finding:
    name = day.wrong[0]
    truth, stored = day.shop.truth(name), day.shop.stored(name)
    return stage.finding(
        rule="A merchant's item holds the sum and the number of its orders, however often a "
        "batch comes.",
        input="six new orders, then a deletion and two changes, then two orders of hurried; every "
        "batch comes twice, the second time eleven minutes later to a new environment, and the "
        "last one at once, while reads without ConsistentRead lag",
        expected=f"{name}: {says(truth)}",
        observed=f"{name}: {says(stored)}",
        why="A repair that breaks what worked is the next ticket.",
        where=total_line(stage, day.shop, name, truth, stored),
        page=f"{PAGE}#after-a-repair",
    )


# -- task 4: the alarm that nobody hears ---------------------------------------------------------


@criterion(
    "found-unheard",
    task=4,
    points=5,
    goal="Ticket pager: the cause is named and proved.",
)
def test_found_unheard(stage: Stage, expect: Expect) -> None:
    """It rang; nobody heard it."""
    _expect_found(stage, expect, "pager")


@criterion(
    "somebody-hears",
    task=4,
    points=6,
    goal="When the totals fall behind, an alarm rings in time and reaches a person.",
)
def test_somebody_hears(stage: Stage, expect: Expect) -> None:
    """A recorded incident, the learner's alarms, topics, policies and subscriptions."""
    watching = stage.play(watch)
    seen = watching.replay(stage.play(falling_behind))
    common = {
        "rule": "When the totals fall behind, a person is told within the time that was promised.",
        "input": f"{seen.incident.title}: {seen.incident.story}",
        "why": "An alarm is a promise to wake somebody. Between its state and a person there are "
        "four more links, and each can be broken without any sign but the alarm's history.",
        "page": f"{PAGE}#the-alarm-that-nobody-hears",
    }
    if not seen.in_time:
        expect(
            False,
            lambda: stage.finding(
                expected="an alarm rings in time",
                observed=rang(seen, watching),
                where="template.yaml (no alarm rings in this incident)",
                **common,
            ),
        )
        return
    if not seen.heard_in_time:
        logical_id, reason, place = why_unheard(watching, seen)
        expect(
            False,
            lambda: stage.finding(
                expected="a person is told in time",
                observed=f"{logical_id} rings in time. {reason}",
                where=stage.property_line(*place),
                **common,
            ),
        )
        return
    expect(
        _budgets_heard(stage),
        lambda: stage.finding(
            rule="What was allowed before stays allowed: Budgets writes to a topic of the stack.",
            input="the policies of the stack's topics",
            expected="one of them lets budgets.amazonaws.com publish",
            observed="none does",
            why="A policy takes the place of the one before it, all of it. Whoever lets alarms in "
            "by shutting Budgets out hears of the next bill too late.",
            where=_policy_line(stage),
            page=f"{PAGE}#the-alarm-that-nobody-hears",
        ),
    )


def _budgets_heard(stage: Stage) -> bool:
    """Whether Budgets may publish to some topic; it needs a statement of its own for that.

    https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
    """
    source = f"arn:aws:budgets::{stage.stack.account_id}:budget/monthly"
    return any(
        lets_in(stage, policy, arn, "budgets.amazonaws.com", [source])
        for policy in stage.stack.of_type("AWS::SNS::TopicPolicy")
        for arn in policy.properties["Topics"]
    )


def _policy_line(stage: Stage) -> str:
    policies = stage.stack.of_type("AWS::SNS::TopicPolicy")
    if not policies:
        return "template.yaml (there is no AWS::SNS::TopicPolicy)"
    return stage.property_line(policies[0].logical_id, "PolicyDocument")


# -- task 5: bring it back -----------------------------------------------------------------------


@criterion(
    "redrive-replays",
    task=5,
    points=9,
    goal="A note's record is fetched from the stream and counted, once.",
)
def test_redrive_replays(stage: Stage, expect: Expect) -> None:
    """A record that newer ones have overtaken; then the same note again."""
    expect_redriven(
        stage,
        expect,
        "replays",
        rule="A redriven record is counted as if it had come in time, and once however often it "
        "is redriven.",
        why="The function knows a record by its eventID. Whoever hands it over under another one, "
        "or adds to the totals beside it, counts twice when the note is redriven twice.",
        why_numbers="A record is in the stream for 24 hours: an iterator AT its number begins with "
        "it. The function accepts it in the form in which Lambda hands it over, in plain JSON.",
        anchor="redrive",
        pattern=r"replay\(",
    )


@criterion(
    "redrive-range",
    task=5,
    points=5,
    goal="Exactly the note's records are replayed: not the carts between, not what follows.",
)
def test_redrive_range(stage: Stage, expect: Expect) -> None:
    """From the first number to the last, compared as numbers."""
    expect_redriven(
        stage,
        expect,
        "range",
        rule="The tool replays the records from the first to the last number of the note that the "
        "mapping's filter lets through, and its numbers add up to batchSize.",
        why="Sequence numbers are numbers written as text: compared as text, 1000 comes before "
        "999. And the stream does not know the filter: carts lie between the orders, and a Limit "
        "counts them, too.",
        anchor="redrive-range",
        place=Source.comparing,
        pattern=r"<=|>=",
    )


@criterion(
    "redrive-pages",
    task=5,
    points=5,
    goal="Notes about more than a page of the stream are replayed whole.",
)
def test_redrive_pages(stage: Stage, expect: Expect) -> None:
    """One megabyte a page, and pages without records."""
    expect_redriven(
        stage,
        expect,
        "pages",
        rule="The tool reads page after page until it has seen the last record of the note.",
        why="A page ends at 1,000 records or one megabyte, and it may be empty though records "
        "follow. Only a page without NextShardIterator is the last one.",
        anchor="redrive-pages",
        place=lambda tool: tool.looping("get_records", endless=False),
        pattern=r"get_records",
    )


@criterion(
    "redrive-failures",
    task=5,
    points=5,
    goal="A record that still fails is told, and keeps back no other.",
)
def test_redrive_failures(stage: Stage, expect: Expect) -> None:
    """One record is as bad as ever, or ends the function with an error."""
    expect_redriven(
        stage,
        expect,
        "failures",
        rule="What the function does not accept is told as failed, and everything else is counted.",
        why="A note that is deleted although a record of it failed again is the last that anybody "
        "hears of that record.",
        anchor="redrive-failures",
        pattern=r"batchItemFailures|replay\(",
    )


@criterion(
    "redrive-trimmed",
    task=5,
    points=6,
    goal="What has left the stream is told exactly, and the rest is saved.",
)
def test_redrive_trimmed(stage: Stage, expect: Expect) -> None:
    """Some records gone, all gone, the whole shard gone."""
    expect_redriven(
        stage,
        expect,
        "trimmed",
        rule="The tool says how many records of the note have left the stream, and replays the "
        "others.",
        why="After 24 hours a record is gone for good. Somebody then has to find the order in the "
        "table and correct the total by hand, and has to know that.",
        anchor="redrive-trimmed",
        pattern=r"Trimmed|get_shard_iterator",
    )


@criterion(
    "redrive-payload",
    task=5,
    points=3,
    goal="A note from S3 is replayed from the records that it carries.",
)
def test_redrive_payload(stage: Stage, expect: Expect) -> None:
    """Older than the stream remembers."""
    expect_redriven(
        stage,
        expect,
        "payload",
        rule="A note that carries its records is replayed from them, whatever the stream still "
        "holds.",
        why="An object in S3 is there long after the stream has dropped its records.",
        anchor="redrive-payload",
        pattern=r"\brecords *=",
    )
