"""Lab 6's findings: what a learner reads of a criterion that is not met, and where to look.

A function for each kind of finding; the criteria decide, these only tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grader.course.grade import Finding
from grader.course.labs.lab06.bill import BUDGET_DOLLARS
from grader.course.labs.lab06.runbook import RUNBOOK, read
from grader.course.labs.lab06.scenarios import Day, Left, Paged, Trouble
from grader.course.places import accepted, sequences_of, total_line
from grader.course.play.paging import FUNCTION, MAPPING, PAGED_WITHIN_MIN, watch
from grader.course.play.traffic import says
from grader.course.unheard import alarm_line
from grader.replay.incidents import MINUTE_MS, Alert
from grader.review.checklist import Result
from grader.review.pricing import Bill

if TYPE_CHECKING:
    from grader.course.stage import Stage

TEMPLATE = "template.yaml"

NAMES = {"monday": "Monday", "friday": "Friday"}

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


def moment(day: Day, time_ms: int) -> str:
    """A moment of a day in hours and minutes since the stack was deployed."""
    minutes = (time_ms - day.from_ms) // MINUTE_MS
    return f"{NAMES[day.name]} +{minutes // 60}:{minutes % 60:02}"


def lost(stage: Stage, day: Day, left: Left) -> Finding:
    """An order that is not in its total and that nobody replayed."""
    return _total(
        stage,
        day,
        left,
        rule="Whatever happens in a day, an order is counted, or a note names it and it is counted "
        "in the evening.",
        expected="no less than its orders",
        why="A merchant who is paid too little calls; one order in a thousand nobody ever finds.",
        anchor="nothing-lost",
    )


def twice(stage: Stage, day: Day, left: Left) -> Finding:
    """An order that is in its total more often than once."""
    return _total(
        stage,
        day,
        left,
        rule="Whatever is delivered again, and whenever, an order is counted once.",
        expected="no more than its orders",
        why="Delivery is at least once, a replay after an incident is on purpose, and money that "
        "was paid twice is seldom paid back.",
        anchor="nothing-twice",
    )


def _total(
    stage: Stage,
    day: Day,
    left: Left,
    *,
    rule: str,
    expected: str,
    why: str,
    anchor: str,
) -> Finding:
    return stage.finding(
        rule=rule,
        input=f"{NAMES[day.name]}: {left.story}{_when(day, left)}",
        expected=f"{left.merchant}: {says(left.expected)} ({expected})",
        observed=f"{left.merchant}: {says(left.observed)}{fate(day, left)}",
        why=why,
        where=_where(stage, day, left),
        page=f"{stage.lab.page}#{anchor}",
    )


def _when(day: Day, left: Left) -> str:
    for trouble in day.troubles:
        if trouble.merchant == left.merchant:
            return f" ({moment(day, trouble.began_ms)})"
    return ""


def fate(day: Day, left: Left) -> str:
    """What became of the merchant's records: replayed in the evening, or without a trace."""
    mine = [record for record in day.shop.written if day.shop.name(record).find(left.merchant) >= 0]
    noted = sum(any(note.covers(one.sequence) for note in day.notes) for one in mine)
    return f"; notes name {noted} of its {len(mine)} records"


def _where(stage: Stage, day: Day, left: Left) -> str:
    if left.merchant.endswith("deployment-minute"):
        return stage.property_line(MAPPING, "StartingPosition")
    given_up = left.lost and not any(
        accepted(one, sequence)
        for one in day.shop.pipeline.invocations(FUNCTION)
        for sequence in sequences_of(one, left.merchant)
    )
    if left.lost and held_back(day):
        return stage.property_line(MAPPING, "MaximumRetryAttempts")
    if given_up and "DestinationConfig" not in stage.stack.resources[MAPPING].properties:
        return stage.property_line(MAPPING, "DestinationConfig")
    return total_line(stage, day.shop, left.merchant, left.expected, left.observed)


def held_back(day: Day) -> bool:
    """Whether the day's bad order was tried for so long that all behind it waited in vain."""
    bad = {record.sequence for record in day.bad}
    tried = [
        one.start_ms
        for one in day.shop.pipeline.invocations(FUNCTION)
        if bad & set(one.sequences) and one.start_ms < day.to_ms
    ]
    return bool(tried) and tried[-1] - tried[0] > PAGED_WITHIN_MIN * MINUTE_MS


def unpaged(stage: Stage, seen: Paged, trouble: Trouble, *, people: bool) -> Finding:
    """Nobody was told of a trouble; without ``people`` nothing even rang."""
    day, watching = seen.day, stage.play(watch)
    where = alarm_line(stage, watching, SHOWN_BY[trouble.kind])
    rung = seen.rung(trouble)
    if rung is not None:
        observed = (
            f"{watching.label(rung.alarm)} rings {moment(day, rung.time_ms)} and reaches nobody"
        )
        where = stage.property_line(watching.label(rung.alarm), "AlarmActions")
        if (deaf := watching.deaf_to(rung.alarm)) is not None:
            observed += f": {deaf.reason}"
            where = stage.property_line(deaf.logical_id, *deaf.path)
    elif (wolf := seen.cried(trouble)) is not None:
        observed = (
            f"{watching.label(wolf.alarm)} rings {moment(day, wolf.time_ms)} and does not count: "
            f"it also rings {for_nothing(seen, wolf.alarm)}, for nothing"
        )
        where = _false_ring(stage, day, watching.label(wolf.alarm), seen.groundless(wolf.alarm))
    elif (late := seen.late(trouble)) is not None:
        observed = f"{watching.label(late.alarm)} rings {moment(day, late.time_ms)}, too late"
    else:
        observed = "no alarm rings"
        if (red := seen.red_since(trouble.began_ms)) is not None:
            label = watching.label(red.alarm)
            observed += f"; {label} has been in ALARM since {moment(day, red.time_ms)}"
            where = stage.property_line(label, "AlarmRule")
    if rung is None and held_back(day):
        where = stage.property_line(MAPPING, "MaximumRetryAttempts")
    others = "" if people else ", while the note of a bad order still lies unread"
    finding = stage.finding(
        rule=f"A person is told of each trouble within {PAGED_WITHIN_MIN} minutes."
        if people
        else "Trouble that begins while another one is not over rings within "
        f"{PAGED_WITHIN_MIN} minutes, too.",
        input=f"{moment(day, trouble.began_ms)}: {trouble.title}{others}",
        expected=f"{'a person is told' if people else 'an alarm rings'} by "
        f"{moment(day, trouble.page_by_ms)}",
        observed=observed,
        why="What is not paged is found by merchants, days later."
        if people
        else "An alarm's actions run when its state changes. One that is red already, because of "
        "something else, tells nobody of the second trouble.",
        where=where,
        page=f"{stage.lab.page}#{'who-is-told' if people else 'two-at-once'}",
    )
    return stage.at(trouble.page_by_ms, finding)


def for_nothing(seen: Paged, alarm: str) -> str:
    """When an alarm rings for nothing."""
    if false := seen.groundless(alarm):
        return moment(seen.day, false[0].time_ms)
    return "under the README's own workload"


def _false_ring(stage: Stage, day: Day, logical_id: str, false: Sequence[Alert]) -> str:
    """Where a ring for nothing comes from: the alarm's threshold, or what the function reports.

    The deployment's order was counted before its environment ended. A function that reports the
    repetition as a failure lets Lambda give up, with a note, what is in the totals.
    """
    if held_back(day):
        return stage.property_line(MAPPING, "MaximumRetryAttempts")
    merchant = f"{day.name}-deployment"
    for one in day.shop.pipeline.invocations(FUNCTION) if false else ():
        if one.killed or harmless(day, false[0].time_ms) != deployed(day):
            continue
        for sequence in sequences_of(one, merchant):
            noted = any(note.covers(sequence) for note in day.notes)
            if noted and not accepted(one, sequence):
                return stage.handler_line(r"ConditionalCheckFailed|TransactionCancel", one)
    return stage.property_line(logical_id, "Threshold")


def deployed(day: Day) -> str:
    """The title of the day's deployment, "" when there was none."""
    return next((one.title for one in day.troubles if one.kind == "deployment"), "")


def woken(stage: Stage, day: Day, what: str, false: Sequence[Alert]) -> Finding:
    """Alarms that ring while ``what`` goes on, and nothing is wrong."""
    logical_id = stage.play(watch).label(false[0].alarm)
    finding = stage.finding(
        rule="No alarm rings while nothing is wrong that needs a person.",
        input=what,
        expected="no alarm rings",
        observed=f"{logical_id} rings"
        + (f", the first of {len(false)} such alerts" if len(false) > 1 else "")
        + f". CloudWatch's reason: {false[0].reason}",
        why="Whoever is woken for nothing looks away, also in the night that matters.",
        where=_false_ring(stage, day, logical_id, false),
        page=f"{stage.lab.page}#who-is-told",
    )
    return stage.at(false[0].time_ms, finding)


def harmless(day: Day, time_ms: int) -> str:
    """What went on at a moment at which nothing was wrong."""
    for trouble in day.troubles:
        if not trouble.pages and 0 <= time_ms - trouble.began_ms <= 20 * MINUTE_MS:
            return trouble.title
    return "ordinary business, an order every few minutes"


def too_much(stage: Stage, role: str, action: str, name: str) -> Finding:
    """An action that the role allows and the function never needs."""
    return stage.finding(
        rule="The role may do what the function does, and no more.",
        input=f"{role} calls {action} on {name}, which the function never does",
        expected="denied",
        observed="allowed",
        why="A bug, or code that came in with a dependency, does what the role may.",
        where=statement(stage, role, action),
        page=f"{stage.lab.page}#role",
    )


def too_little(stage: Stage, role: str, action: str) -> Finding:
    """An action on the function's log that the role does not allow."""
    return stage.finding(
        rule="The role may do what the function does, and no more.",
        input=f"{role} calls {action} on the function's own log",
        expected="allowed",
        observed="denied",
        why="A line that may not be written is lost, and nothing tells: the invocation goes well.",
        where=statement(stage, role, "logs:"),
        page=f"{stage.lab.page}#role",
    )


def statement(stage: Stage, role: str, action: str) -> str:
    """The line that names an action, or the role's policies where only a pattern allows it."""
    text = (stage.folder / TEMPLATE).read_text(encoding="utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if action in line:
            return stage.line(TEMPLATE, number)
    return stage.property_line(role, "Policies")


def item_open(stage: Stage, result: Result) -> Finding:
    """An item of the production checklist that is not met."""
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


def too_dear(stage: Stage, bill: Bill, observed: str) -> Finding:
    """A bill above the budget, or one for nothing."""
    return stage.finding(
        rule=f"A month of the README's workload costs at most {BUDGET_DOLLARS} dollars, "
        "without free quotas.",
        input="an order and a change of a cart a second, for 30 days",
        expected=f"at most ${BUDGET_DOLLARS}.00, with every order counted",
        observed=observed,
        why="What is paid for each record is paid millions of times a month.",
        where=_dear_line(stage, bill.charged[0].item),
        page=f"{stage.lab.page}#the-bill",
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


def untrue(
    stage: Stage, table: str, name: str, *, question: str, expected: str, observed: str, why: str
) -> Finding:
    """An answer of the runbook that is not true of this stack."""
    return stage.finding(
        rule="The runbook's answers are true of the stack that was deployed.",
        input=f"{name} in [{table}]: {question}",
        expected=expected,
        observed=observed,
        why=why,
        where=stage.line(RUNBOOK, read(stage).line_of(table, name)),
        page=f"{stage.lab.page}#runbook",
    )
