"""Lab 6, `production-checklist`: is this stack ready for a bad week?

Tasks 1 and 2 read the exam's days as an incident review does: what was lost, what was counted
twice, who was told when. Task 3 asks the production checklist of what was deployed, task 4 what a
month costs, task 5 whether the runbook's answers are true of this stack.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from grader.course.criterion import Expect, criterion
from grader.course.grade import Finding, Unreached
from grader.course.labs.lab06.bill import BUDGET_DOLLARS, monthly_bill
from grader.course.labs.lab06.runbook import RUNBOOK, read, switches
from grader.course.labs.lab06.scenarios import (
    HOUR_MS,
    Day,
    Left,
    Paged,
    Trouble,
    all_at_once,
    locked_out,
    one_by_one,
    paged,
)
from grader.course.play.paging import FUNCTION, MAPPING, PAGED_WITHIN_MIN, watch
from grader.course.play.traffic import ORDERS, SYSTEM, TOTALS, listed, says
from grader.course.unheard import alarm_line
from grader.replay.incidents import MINUTE_MS, PEOPLE
from grader.review.checklist import Report, Result, review
from grader.review.pricing import dollars

if TYPE_CHECKING:
    from grader.course.stage import Stage

DAYS: tuple[Callable[[Stage], Day], ...] = (one_by_one, all_at_once)
TEMPLATE = "template.yaml"
NAMES = {"monday": "Monday", "friday": "Friday"}


def _at(day: Day, time_ms: int) -> str:
    """A moment of a day in hours and minutes since the stack was deployed."""
    minutes = (time_ms - day.from_ms) // MINUTE_MS
    return f"{NAMES[day.name]} +{minutes // 60}:{minutes % 60:02}"


# -- task 1: lose nothing, count nothing twice -----------------------------------------------------


@criterion(
    "nothing-lost",
    task=1,
    points=12,
    goal="After two bad days every order is in its total.",
)
def test_nothing_lost(stage: Stage, expect: Expect) -> None:
    """Counted at once, or replayed in the evening because a note names it."""
    _expect_totals(
        stage,
        expect,
        lambda left: left.lost,
        rule="Whatever happens in a day, an order is counted, or a note names it and it is counted "
        "in the evening.",
        expected="no less than its orders",
        why="A merchant who is paid too little calls; one order in a thousand nobody ever finds.",
        anchor="nothing-lost",
        pattern=r"except|def handler",
    )


@criterion(
    "nothing-twice",
    task=1,
    points=12,
    goal="After two bad days no order is counted twice.",
)
def test_nothing_twice(stage: Stage, expect: Expect) -> None:
    """Retries, replays of notes, and the morning's records once more in the evening."""
    _expect_totals(
        stage,
        expect,
        lambda left: left.twice,
        rule="Whatever is delivered again, and whenever, an order is counted once.",
        expected="no more than its orders",
        why="Delivery is at least once, a replay after an incident is on purpose, and money that "
        "was paid twice is seldom paid back.",
        anchor="nothing-twice",
        pattern=r"transact_write_items|update_item|put_item|MARKER",
    )


def _expect_totals(
    stage: Stage,
    expect: Expect,
    wrong: Callable[[Left], bool],
    *,
    rule: str,
    expected: str,
    why: str,
    anchor: str,
    pattern: str,
) -> None:
    """No merchant's total is wrong in this direction on either day."""
    for scenario in DAYS:
        day = stage.play(scenario)
        found = [left for left in day.left if wrong(left)]
        for left in found:
            expect(
                False,
                partial(
                    stage.finding,
                    rule=rule,
                    input=f"{NAMES[day.name]}: {left.story}{_when(day, left)}",
                    expected=f"{left.merchant}: {says(left.expected)} ({expected})",
                    observed=f"{left.merchant}: {says(left.observed)}{_fate(day, left)}",
                    why=why,
                    where=_where(stage, left, pattern),
                    page=f"{stage.lab.page}#{anchor}",
                ),
            )


def _when(day: Day, left: Left) -> str:
    for trouble in day.troubles:
        if trouble.merchant == left.merchant:
            return f" ({_at(day, trouble.began_ms)})"
    return ""


def _fate(day: Day, left: Left) -> str:
    """What became of the merchant's records: replayed in the evening, or without a trace."""
    mine = [record for record in day.shop.written if day.shop.name(record).find(left.merchant) >= 0]
    noted = sum(any(note.covers(one.sequence) for note in day.notes) for one in mine)
    return f"; notes name {noted} of its {len(mine)} records"


def _where(stage: Stage, left: Left, pattern: str) -> str:
    if left.merchant.endswith("deployment-minute"):
        return stage.property_line(MAPPING, "StartingPosition")
    return stage.handler_line(pattern)


# What is left of a record's 24 hours when its note arrives: time to come, look and act.
LEFT_HOURS = 2


@criterion(
    "given-up-in-time",
    task=1,
    points=7,
    goal="A record that cannot be processed all day leaves a note while it can be fetched.",
)
def test_given_up_in_time(stage: Stage, expect: Expect) -> None:
    """A throttled function uses no retries: only the record's age ends the waiting."""
    seen = stage.play(locked_out)
    for record in seen.records:
        left = seen.left_ms[record.sequence]
        if left is None:
            observed = "no note"
        else:
            observed = f"a note {max(left, 0) / HOUR_MS:.1f} hours before the record is trimmed"
        if not expect(
            left is not None and left >= LEFT_HOURS * HOUR_MS,
            partial(
                stage.finding,
                rule="A record that the function never gets leaves a note, at least "
                f"{LEFT_HOURS} hours before the stream forgets it.",
                input=f"{seen.title}; {seen.shop.name(record)} waits",
                expected=f"a note at least {LEFT_HOURS} hours before the record is trimmed",
                observed=observed,
                why="A throttled attempt uses no retry, so that no number of attempts ends it. "
                "After 24 hours the stream drops the record, and nobody is told.",
                where=stage.property_line(MAPPING, "MaximumRecordAgeInSeconds"),
                page=f"{stage.lab.page}#given-up-in-time",
            ),
        ):
            return


# -- task 2: tell a person -------------------------------------------------------------------------

# Where to look in the template, by trouble: names of metrics that show it.
SHOWN_BY = {
    "bad-order": (
        "ApproximateNumberOfMessagesVisible",
        "OnFailureDestinationDeliveredEventCount",
    ),
    "throttled-table": ("FailedInvokeEventCount", "RecordsFailed", "WriteThrottleEvents"),
    "hanging-calls": ("FailedInvokeEventCount", "RecordsFailed", "Errors", "Duration"),
    "throttled-function": ("Throttles", "FailedInvokeEventCount"),
    "silence": ("PolledEventCount", "SuccessfulRequestLatency"),
}


@criterion(
    "incidents-paged",
    task=2,
    points=10,
    goal="Each trouble is told to a person in time.",
)
def test_incidents_paged(stage: Stage, expect: Expect) -> None:
    """One after the other, with everything cleaned up in between."""
    seen = paged(stage, one_by_one)
    for trouble in seen.day.troubles:
        if not trouble.pages:
            continue
        expect(
            seen.told(trouble) is not None,
            partial(_unpaged, stage, seen, trouble, people=True),
        )


@criterion(
    "paged-while-red",
    task=2,
    points=9,
    goal="Trouble that begins while another one is not over is paged, too.",
)
def test_paged_while_red(stage: Stage, expect: Expect) -> None:
    """The note of a bad order lies in the queue all afternoon; three troubles follow."""
    seen = paged(stage, all_at_once)
    if not seen.alerts:
        raise Unreached(_unpaged(stage, seen, seen.day.troubles[0], people=False))
    for trouble in seen.day.troubles[1:]:
        if not trouble.pages:
            continue
        expect(
            seen.rung(trouble) is not None,
            partial(_unpaged, stage, seen, trouble, people=False),
        )


def _unpaged(stage: Stage, seen: Paged, trouble: Trouble, *, people: bool) -> Finding:
    """Nobody was told of a trouble; without ``people`` nothing even rang."""
    day, watching = seen.day, stage.play(watch)
    where = alarm_line(stage, watching, SHOWN_BY[trouble.kind])
    rung = seen.rung(trouble)
    if rung is not None:
        observed = f"{watching.label(rung.alarm)} rings {_at(day, rung.time_ms)} and reaches nobody"
        if watching.deaf:
            observed += f": {watching.deaf[0]}"
        where = stage.property_line(watching.label(rung.alarm), "AlarmActions")
    elif (wolf := seen.cried(trouble)) is not None:
        observed = (
            f"{watching.label(wolf.alarm)} rings {_at(day, wolf.time_ms)} and does not count: "
            f"it also rings {_at(day, seen.groundless(wolf.alarm)[0].time_ms)}, for nothing"
        )
        where = stage.property_line(watching.label(wolf.alarm), "Threshold")
    elif (late := seen.late(trouble)) is not None:
        observed = f"{watching.label(late.alarm)} rings {_at(day, late.time_ms)}, too late"
    else:
        observed = "no alarm rings"
        if (red := seen.red_since(trouble.began_ms)) is not None:
            label = watching.label(red.alarm)
            observed += f"; {label} has been in ALARM since {_at(day, red.time_ms)}"
            where = stage.property_line(label, "AlarmRule")
    others = "" if people else ", while the note of a bad order still lies unread"
    return stage.finding(
        rule=f"A person is told of each trouble within {PAGED_WITHIN_MIN} minutes."
        if people
        else "Trouble that begins while another one is not over rings within "
        f"{PAGED_WITHIN_MIN} minutes, too.",
        input=f"{_at(day, trouble.began_ms)}: {trouble.title}{others}",
        expected=f"{'a person is told' if people else 'an alarm rings'} by "
        f"{_at(day, trouble.page_by_ms)}",
        observed=observed,
        why="What is not paged is found by merchants, days later."
        if people
        else "An alarm's actions run when its state changes. One that is red already, because of "
        "something else, tells nobody of the second trouble.",
        where=where,
        page=f"{stage.lab.page}#{'who-is-told' if people else 'two-at-once'}",
    )


@criterion(
    "nobody-woken-for-nothing",
    task=2,
    points=6,
    goal="A deployment, a burst and quiet hours wake nobody.",
)
def test_nobody_woken(stage: Stage, expect: Expect) -> None:
    """Alerts outside of every trouble and of the half hour behind it."""
    seen = paged(stage, one_by_one)
    watching = stage.play(watch)
    if not watching.alarms:
        raise Unreached(_unpaged(stage, seen, seen.day.troubles[0], people=False))
    false = seen.groundless()
    expect(
        not false,
        lambda: stage.finding(
            rule="No alarm rings while nothing is wrong that needs a person.",
            input=f"{_at(seen.day, false[0].time_ms)}: {_harmless(seen.day, false[0].time_ms)}",
            expected="no alarm rings",
            observed=f"{watching.label(false[0].alarm)} rings"
            + (f", the first of {len(false)} such alerts" if len(false) > 1 else "")
            + f". CloudWatch's reason: {false[0].reason}",
            why="Whoever is woken for nothing looks away, also in the night that matters.",
            where=stage.line(
                "template.yaml",
                stage.stack.resources[watching.logical_ids[false[0].alarm]].line_of("Threshold"),
            ),
            page=f"{stage.lab.page}#who-is-told",
        ),
    )


def _harmless(day: Day, time_ms: int) -> str:
    """What went on at a moment at which nothing was wrong."""
    for trouble in day.troubles:
        if not trouble.pages and 0 <= time_ms - trouble.began_ms <= 20 * MINUTE_MS:
            return trouble.title
    return "ordinary business, an order every few minutes"


# -- task 3: the checklist -------------------------------------------------------------------------


@criterion(
    "data-survives",
    task=3,
    points=6,
    goal="Orders and totals can be restored, and the orders outlive a mistake with the stack.",
)
def test_data_survives(stage: Stage, expect: Expect) -> None:
    """Recovery of what cannot be made again, protection of the truth."""
    _expect_items(stage, expect, "table-recovery", "table-kept")


@criterion(
    "traces-kept",
    task=3,
    points=5,
    goal="Log lines and notes are kept long enough, and not for ever.",
)
def test_traces_kept(stage: Stage, expect: Expect) -> None:
    """What a review needs, and what nobody looks at any more."""
    _expect_items(stage, expect, "log-retention", "note-retention")


@criterion(
    "encrypted",
    task=3,
    points=3,
    goal="What failed is stored encrypted, without a key that costs money.",
)
def test_encrypted(stage: Stage, expect: Expect) -> None:
    """Defaults are enough; switching them off is not."""
    _expect_items(stage, expect, "queue-encryption")


@criterion(
    "role-tight",
    task=3,
    points=5,
    goal="The role may do what the function does, and no more.",
)
def test_role_tight(stage: Stage, expect: Expect) -> None:
    """By the policies of the role, and by what they would let it do to the shop's own tables."""
    _expect_items(stage, expect, "stream-permission", "destination-permission", "least-privilege")
    arn = str(stage.stack.resources[FUNCTION].properties["Role"])
    role = stage.stack.by_arn(arn)
    if role is None:
        return
    for table, actions in NEVER_NEEDED.items():
        for action in actions:
            target = stage.stack.resources[table].attributes["Arn"]
            expect(
                not stage.may(role.logical_id, action, target),
                partial(_too_much, stage, role.logical_id, action, table),
            )


# What no consumer of the orders' stream has to do.
NEVER_NEEDED = {
    ORDERS: ("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:DeleteTable"),
    TOTALS: ("dynamodb:DeleteTable", "dynamodb:UpdateTable"),
}


def _too_much(stage: Stage, role: str, action: str, table: str) -> Finding:
    return stage.finding(
        rule="The role may do what the function does, and no more.",
        input=f"{role} calls {action} on {table}",
        expected="denied",
        observed="allowed",
        why="A bug, or code that came in with a dependency, does what the role may.",
        where=stage.property_line(role, "Policies"),
        page=f"{stage.lab.page}#role",
    )


@criterion(
    "tagged",
    task=3,
    points=3,
    goal="Function and orders say whose they are.",
)
def test_tagged(stage: Stage, expect: Expect) -> None:
    """At least one tag each."""
    _expect_items(stage, expect, "tags")


def _expect_items(stage: Stage, expect: Expect, *items: str) -> None:
    """The production checklist's items are met for the lab's consumer, or do not apply to it."""
    stage.require_interface(SYSTEM)
    report = stage.play(reviewed)
    for item in items:
        for result in report.of(item):
            if result.consumer != MAPPING:
                continue
            expect(
                result.verdict in ("met", "not applicable"),
                partial(_item_open, stage, result),
            )


def reviewed(stage: Stage) -> Report:
    """The production checklist, asked of the deployed stack: the same as `labs check`."""
    return review(stage.stack)


def _item_open(stage: Stage, result: Result) -> Finding:
    where = result.evidence[0].line if result.evidence else None
    return stage.finding(
        rule=result.item.title,
        input=f"the checklist's item {result.item.id}, asked of {result.consumer}",
        expected=result.item.fix,
        observed=result.detail,
        why=result.item.why,
        where=stage.line(TEMPLATE, where),
        page=f"{stage.lab.page}#{ANCHORS[result.item.id]}",
    )


# Where this lab's page speaks of an item.
ANCHORS = {
    "table-recovery": "data-that-survives",
    "table-kept": "data-that-survives",
    "log-retention": "traces",
    "note-retention": "traces",
    "queue-encryption": "encryption",
    "stream-permission": "role",
    "destination-permission": "role",
    "least-privilege": "role",
    "tags": "tags",
}


# -- task 4: inside the budget ---------------------------------------------------------------------


@criterion(
    "inside-budget",
    task=4,
    points=7,
    goal="A month of the README's workload stays inside the budget.",
)
def test_inside_budget(stage: Stage, expect: Expect) -> None:
    """An ordinary minute, thirty days long, and what the template has standing."""
    bill = monthly_bill(stage)
    expect(
        bill.total <= BUDGET_DOLLARS,
        lambda: stage.finding(
            rule=f"A month of the README's workload costs at most {BUDGET_DOLLARS} dollars, "
            "without free quotas.",
            input="an order and a change of a cart a second, for 30 days",
            expected=f"at most ${BUDGET_DOLLARS}.00",
            observed=f"{dollars(bill.total)}; dearest are "
            + listed([f"{line.name} {dollars(line.cost)}" for line in bill.charged]),
            why="What is paid for each record is paid millions of times a month.",
            where=_dear_line(stage, bill.charged[0].item),
            page=f"{stage.lab.page}#the-bill",
        ),
    )


def _dear_line(stage: Stage, item: str) -> str:
    if item == "put_metric_data":
        return stage.handler_line("put_metric_data")
    if item.startswith("logs"):
        return stage.handler_line(r"log\.|print\(")
    if item.startswith("lambda"):
        return stage.property_line("TotalsFunction", "MemorySize")
    if item.startswith("dynamodb"):
        return stage.handler_line(r"transact_write_items|update_item|put_item|batch_write")
    return "template.yaml (what stands there by itself, see labs run 6 bill)"


# -- task 5: the runbook ---------------------------------------------------------------------------


def _untrue(
    stage: Stage, table: str, name: str, *, question: str, expected: str, observed: str, why: str
) -> Finding:
    return stage.finding(
        rule="The runbook's answers are true of the stack that was deployed.",
        input=f"{name} in [{table}]: {question}",
        expected=expected,
        observed=observed,
        why=why,
        where=stage.line(RUNBOOK, read(stage).line_of(table, name)),
        page=f"{stage.lab.page}#runbook",
    )


# How far the hours may be from the truth.
HOURS_TOLERANCE = 0.5
STREAM_HOURS = 24


@criterion(
    "runbook-failures",
    task=5,
    points=6,
    goal="The runbook says where failures lie, after how many attempts, and how long one has.",
)
def test_runbook_failures(stage: Stage, expect: Expect) -> None:
    """The mapping's own settings, in words that a tired person needs."""
    book = stage.play(read)
    mapping = stage.stack.resources[MAPPING].properties
    given = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    target = stage.stack.by_arn(str(given)) if given else None
    named = book.answer("failures", "destination")
    expect(
        target is not None and named == target.logical_id,
        lambda: _untrue(
            stage,
            "failures",
            "destination",
            question="where does a note about a record that was given up arrive?",
            expected=target.logical_id if target else "nothing: the mapping has no destination",
            observed=str(named),
            why="Somebody looks into an empty queue at night and goes to bed again.",
        ),
    )
    retries = int(mapping.get("MaximumRetryAttempts", -1))
    attempts = -1 if retries < 0 else retries + 1
    said = book.answer("failures", "attempts")
    expect(
        said == attempts,
        lambda: _untrue(
            stage,
            "failures",
            "attempts",
            question="how often is a record that fails alone handed over before it is given up?",
            expected=f"{attempts}: MaximumRetryAttempts is {retries}"
            + (", and the first attempt is no retry" if retries >= 0 else ", which is no limit"),
            observed=f"{said}",
            why="Whoever counts attempts in a log has to know which one was the last.",
        ),
    )
    age = int(mapping.get("MaximumRecordAgeInSeconds", -1))
    hours = 0.0 if age < 0 else max(0.0, STREAM_HOURS - age / 3600)
    told = float(book.answer("failures", "hours_left"))
    expect(
        abs(told - hours) <= HOURS_TOLERANCE,
        lambda: _untrue(
            stage,
            "failures",
            "hours_left",
            question="a record is given up for its age; how many hours can it still be fetched?",
            expected=f"{hours:g}: the stream keeps it for {STREAM_HOURS}, and "
            + (
                "no age is set, so it is trimmed without a note"
                if age < 0
                else f"its age is {age / 3600:g} hours by then"
            ),
            observed=f"{told:g}",
            why="This number decides whether somebody has to get up now or can sleep until eight.",
        ),
    )


@criterion(
    "runbook-people",
    task=5,
    points=5,
    goal="The runbook says which alarm tells of what, to whom, and how to pause the mapping.",
)
def test_runbook_people(stage: Stage, expect: Expect) -> None:
    """Compared with the alarms that rang on Monday and with who was told."""
    book = stage.play(read)
    watching = stage.play(watch)
    seen = paged(stage, one_by_one)
    for trouble in seen.day.troubles:
        rang = sorted({watching.label(alert.alarm) for alert in seen.all_rung(trouble)})
        # What pages nobody is another criterion's.
        if not trouble.pages or not rang:
            continue
        named = str(book.answer("paged", trouble.kind))
        expect(
            named in rang,
            partial(
                _untrue,
                stage,
                "paged",
                trouble.kind,
                question=f"which alarm rings? ({trouble.title})",
                expected=" or ".join(rang),
                observed=named,
                why="A page is a name on a telephone. Who wakes up looks for that name here.",
            ),
        )
    people = sorted({s.endpoint for s in watching.subscriptions if s.protocol in PEOPLE})
    endpoint = str(book.answer("paged", "endpoint"))
    if people:
        expect(
            endpoint in people,
            lambda: _untrue(
                stage,
                "paged",
                "endpoint",
                question="who is told?",
                expected=" or ".join(people),
                observed=endpoint,
                why="When nobody answers, the next person has to know whose telephone rang.",
            ),
        )
    mapping = str(book.answer("operations", "mapping"))
    expect(
        mapping == MAPPING,
        lambda: _untrue(
            stage,
            "operations",
            "mapping",
            question="what is paused so that nothing is processed, and nothing is lost?",
            expected=MAPPING,
            observed=mapping,
            why="Pausing the mapping keeps its position; switching off anything else loses it.",
        ),
    )
    for name, on in (("pause", False), ("resume", True)):
        command = str(book.answer("operations", name))
        problem = switches(command, on=on)
        expect(
            problem is None,
            partial(
                _untrue,
                stage,
                "operations",
                name,
                question="which command does it?",
                expected="aws lambda update-event-source-mapping --uuid … "
                + ("--enabled" if on else "--no-enabled"),
                observed=f"{command} ({problem})",
                why="A command that has to be looked up costs the minutes that the page won.",
            ),
        )


# The runbook's figure is an estimate; it must be near enough to notice when something is wrong.
BILL_TOLERANCE = 0.25


@criterion(
    "runbook-bill",
    task=5,
    points=4,
    goal="The runbook says what a month of this stack costs.",
)
def test_runbook_bill(stage: Stage, expect: Expect) -> None:
    """Within a quarter of what the deployed stack comes to."""
    book = stage.play(read)
    total = float(monthly_bill(stage).total)
    said = float(book.answer("bill", "dollars_a_month"))
    expect(
        abs(said - total) <= BILL_TOLERANCE * total,
        lambda: _untrue(
            stage,
            "bill",
            "dollars_a_month",
            question="what does a month of the README's workload cost, without free quotas?",
            expected=f"{total * (1 - BILL_TOLERANCE):.2f} to {total * (1 + BILL_TOLERANCE):.2f}",
            observed=f"{said:g}",
            why="Nobody notices a bill that is twice as high when nobody knows how high it is.",
        ),
    )
