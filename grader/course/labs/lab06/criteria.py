"""Lab 6, `production-checklist`: is this stack ready for a bad week?

Tasks 1 and 2 read the exam's days as an incident review does: what was lost, what was counted
twice, who was told when. Task 3 asks the production checklist of what was deployed, task 4 what a
month costs, task 5 whether the runbook's answers are true of this stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from grader.course.criterion import Expect, criterion
from grader.course.grade import Finding, Unreached
from grader.course.labs.lab06.bill import BUDGET_DOLLARS, monthly_bill, ordinary_minutes
from grader.course.labs.lab06.findings import (
    harmless,
    item_open,
    lost,
    moment,
    too_dear,
    too_little,
    too_much,
    twice,
    unpaged,
    untrue,
    woken,
)
from grader.course.labs.lab06.runbook import read, switches
from grader.course.labs.lab06.scenarios import (
    HOUR_MS,
    Day,
    Left,
    all_at_once,
    locked_out,
    one_by_one,
    paged,
)
from grader.course.play.paging import FUNCTION, MAPPING, log_writes, watch
from grader.course.play.traffic import SYSTEM, listed
from grader.replay.incidents import PEOPLE
from grader.review.checklist import Report, review
from grader.review.pricing import dollars

if TYPE_CHECKING:
    from grader.cloud.template import Resource
    from grader.course.stage import Stage

DAYS: tuple[Callable[[Stage], Day], ...] = (one_by_one, all_at_once)


# -- task 1: lose nothing, count nothing twice -----------------------------------------------------


@criterion(
    "nothing-lost",
    task=1,
    points=12,
    goal="After two bad days every order is in its total.",
)
def test_nothing_lost(stage: Stage, expect: Expect) -> None:
    """Counted at once, or replayed in the evening because a note names it."""
    _expect_totals(stage, expect, lambda left: left.lost, lost)


@criterion(
    "nothing-twice",
    task=1,
    points=12,
    goal="After two bad days no order is counted twice.",
)
def test_nothing_twice(stage: Stage, expect: Expect) -> None:
    """Retries, replays of notes, and the morning's records once more in the evening."""
    for scenario in DAYS:
        day = stage.play(scenario)
        if all(left.observed == (0, 0) for left in day.left):
            raise Unreached(lost(stage, day, day.left[0]))
    _expect_totals(stage, expect, lambda left: left.twice, twice)


def _expect_totals(
    stage: Stage,
    expect: Expect,
    wrong: Callable[[Left], bool],
    told: Callable[[Stage, Day, Left], Finding],
) -> None:
    """No merchant's total is wrong in this direction on either day."""
    for scenario in DAYS:
        day = stage.play(scenario)
        for left in filter(wrong, day.left):
            expect(False, partial(told, stage, day, left))


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
            hours, minutes = divmod(max(left, 0) // 60_000, 60)
            observed = f"a note {hours} h {minutes} min before the record is trimmed"
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
            partial(unpaged, stage, seen, trouble, people=True),
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
        raise Unreached(unpaged(stage, seen, seen.day.troubles[0], people=False))
    for trouble in seen.day.troubles[1:]:
        if not trouble.pages:
            continue
        expect(
            seen.rung(trouble) is not None,
            partial(unpaged, stage, seen, trouble, people=False),
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
        raise Unreached(unpaged(stage, seen, seen.day.troubles[0], people=False))
    if false := seen.groundless():
        time_ms = false[0].time_ms
        expect(
            False,
            lambda: woken(
                stage,
                seen.day,
                f"{moment(seen.day, time_ms)}: " + harmless(seen.day, time_ms),
                false,
            ),
        )
    if seen.ordinary:
        expect(
            False,
            lambda: woken(
                stage,
                seen.day,
                "an hour of the README's own workload: an order and a change of a cart a second",
                seen.ordinary,
            ),
        )


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
    for action, arn in log_writes(stage):
        allowed = stage.may(role.logical_id, action, arn)
        expect(allowed, partial(too_little, stage, role.logical_id, action))
    spare = [
        (action, name, arn)
        for action, name, arn in _reachable(stage, role)
        if stage.may(role.logical_id, action, arn)
    ]
    if not spare:
        return
    # Only now is it worth knowing what the function does.
    plays = [stage.play(scenario).shop.pipeline for scenario in DAYS]
    plays.append(stage.play(ordinary_minutes).shop.pipeline)
    used = {(did, where) for one in plays for did, where in one.account.used}
    for action, name, arn in spare:
        bucket = arn.removesuffix(NOTE)
        if (action, arn) not in used and not any(
            bucket != arn and did == action and where.startswith(bucket) for did, where in used
        ):
            expect(False, partial(too_much, stage, role.logical_id, action, name))


# What a bug could do to what stands in the stack, by the type of the resource: the role allows it
# when the function does it, and not otherwise.
REACHABLE = {
    "AWS::DynamoDB::Table": "dynamodb:GetItem dynamodb:BatchGetItem dynamodb:Query dynamodb:Scan "
    "dynamodb:PutItem dynamodb:UpdateItem dynamodb:DeleteItem dynamodb:BatchWriteItem "
    "dynamodb:PartiQLSelect dynamodb:PartiQLInsert dynamodb:PartiQLUpdate dynamodb:PartiQLDelete "
    "dynamodb:ConditionCheckItem dynamodb:DescribeTable dynamodb:UpdateTable dynamodb:DeleteTable "
    "dynamodb:UpdateTimeToLive dynamodb:UpdateContinuousBackups dynamodb:CreateBackup",
    "AWS::SQS::Queue": "sqs:ReceiveMessage sqs:DeleteMessage sqs:ChangeMessageVisibility "
    "sqs:SetQueueAttributes sqs:PurgeQueue sqs:DeleteQueue",
    "AWS::SNS::Topic": "sns:Subscribe sns:SetTopicAttributes sns:DeleteTopic",
    "AWS::S3::Bucket": "s3:GetObject s3:DeleteObject s3:PutBucketPolicy s3:DeleteBucket",
    "AWS::Logs::LogGroup": "logs:FilterLogEvents logs:PutRetentionPolicy logs:DeleteLogGroup",
}
# Where Lambda's notes lie in a bucket.
NOTE = "/aws/lambda/note"


def _reachable(stage: Stage, role: Resource) -> Iterator[tuple[str, str, str]]:
    """Each action of `REACHABLE`, and one on another log, with the name and ARN of what it hits."""
    for resource in stage.stack.resources.values():
        for action in REACHABLE.get(resource.type, "").split():
            arn = resource.attributes.get("Arn") or resource.attributes.get("TopicArn")
            inside = NOTE if action.endswith("Object") else ""
            yield action, resource.logical_id, (arn or resource.physical_id) + inside
    # The function's own log has a name. AWS's execution roles write to any, and are taken.
    taken = role.properties.get("ManagedPolicyArns", ())
    if not any(re.search(":aws:policy/service-role/.*ExecutionRole$", str(one)) for one in taken):
        log = f"log-group:/aws/lambda/{role.logical_id}-other:log-stream:x"
        arn = f"arn:aws:logs:{stage.stack.region}:{stage.stack.account_id}:{log}"
        yield "logs:PutLogEvents", "the log of another function", arn


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
                partial(item_open, stage, result),
            )


def reviewed(stage: Stage) -> Report:
    """The production checklist, asked of the deployed stack: the same as `labs check`."""
    return review(stage.stack)


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
    if stage.play(ordinary_minutes).idle:
        raise Unreached(too_dear(stage, bill, "nothing, for it counted none of the orders"))
    said = f"{dollars(bill.total)}; dearest are " + listed(
        [f"{line.name} {dollars(line.cost)}" for line in bill.charged]
    )
    expect(bill.total <= BUDGET_DOLLARS, lambda: too_dear(stage, bill, said))


# -- task 5: the runbook ---------------------------------------------------------------------------


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
    named = book.answer(stage, "failures", "destination")
    expect(
        target is not None and named == target.logical_id,
        lambda: untrue(
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
    said = book.answer(stage, "failures", "attempts")
    expect(
        said == attempts,
        lambda: untrue(
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
    told = float(book.answer(stage, "failures", "hours_left"))
    expect(
        abs(told - hours) <= HOURS_TOLERANCE,
        lambda: untrue(
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
        rang = sorted({watching.label(alert.alarm) for alert in seen.named(trouble)})
        # What pages nobody is another criterion's.
        if not trouble.pages or not rang:
            continue
        named = str(book.answer(stage, "paged", trouble.kind))
        expect(
            named in rang,
            partial(
                untrue,
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
    endpoint = str(book.answer(stage, "paged", "endpoint"))
    if people:
        expect(
            endpoint in people,
            lambda: untrue(
                stage,
                "paged",
                "endpoint",
                question="who is told?",
                expected=" or ".join(people),
                observed=endpoint,
                why="When nobody answers, the next person has to know whose telephone rang.",
            ),
        )
    mapping = str(book.answer(stage, "operations", "mapping"))
    expect(
        mapping == MAPPING,
        lambda: untrue(
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
        command = str(book.answer(stage, "operations", name))
        problem = switches(command, on=on)
        expect(
            problem is None,
            partial(
                untrue,
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
    said = float(book.answer(stage, "bill", "dollars_a_month"))
    expect(
        abs(said - total) <= BILL_TOLERANCE * total,
        lambda: untrue(
            stage,
            "bill",
            "dollars_a_month",
            question="what does a month of the README's workload cost, without free quotas?",
            expected=f"{total * (1 - BILL_TOLERANCE):.2f} to {total * (1 + BILL_TOLERANCE):.2f}",
            observed=f"{said:g}",
            why="Nobody notices a bill that is twice as high when nobody knows how high it is.",
        ),
    )
