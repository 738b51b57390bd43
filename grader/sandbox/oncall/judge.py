"""What counts in a drill: criteria that read what survived, in the words of the labs.

What was not lost, not shipped twice, not harmed and not expensive counts for somebody who has
brought the shop back. Who does nothing has harmed nothing either, and wins nothing by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from grader.cloud.words import counted
from grader.course.grade import Criterion, Finding, Grade, Verdict
from grader.review import pricing
from grader.sandbox.oncall.drill import CAUSES, OBJECTIVE_MIN, REFUTED, Drill
from grader.sandbox.oncall.shift import (
    AFTER_MIN,
    FUNCTION,
    MINUTE_MS,
    ORDERS,
    QUEUE,
    Act,
    Placed,
    Shift,
)
from grader.sandbox.oncall.shift import Outcome as Survived

TASKS = {1: "What became of the orders", 2: "How it was brought back"}
DAY_MIN = 24 * 60
AFTER_MS = AFTER_MIN * MINUTE_MS

LOST, TWICE, TIME = "nothing-lost", "nothing-twice", "in-time"
CAUSE, HARM, COST, NOTES = "cause-named", "no-harm", "cost-bounded", "notes-redriven"

# The cause alone is worth 15 of 100 points.
_CRITERIA = (
    (LOST, 1, 25, "Every order that can be shipped has been shipped in the end."),
    (TWICE, 1, 10, "No order has been shipped twice."),
    (TIME, 1, 20, "The shop keeps its promise again within the drill's time, and goes on to."),
    (CAUSE, 2, 15, "The first cause that was named is the cause."),
    (HARM, 2, 15, "Nothing was done that loses orders, repeats them, or hides that they are lost."),
    (COST, 2, 5, "The cure costs little more than the shop did before."),
    (NOTES, 2, 10, "What lay in the failure queue was shipped, and then taken out of it."),
)


def criteria_of(drill: Drill) -> list[Criterion]:
    """The criteria of a drill; where no notes are expected, theirs are the first one's."""
    notes = drill.notes
    spare = sum(points for name, _, points, _ in _CRITERIA if name == NOTES)
    return [
        Criterion(name, task, goal, points + (0 if notes or name != LOST else spare))
        for name, task, points, goal in _CRITERIA
        if notes or name != NOTES
    ]


def grade(shift: Shift) -> Grade:
    """Let the drill end, and judge it."""
    survived = shift.finish()
    judge = _Judge(shift, survived)
    return Grade(
        lab=0,
        slug=shift.drill.slug,
        seed=shift.seed,
        verdicts=_folded([judge.verdict(one) for one in criteria_of(shift.drill)]),
        notes=tuple(_notes(shift)),
    )


def _folded(verdicts: list[Verdict]) -> list[Verdict]:
    """What was not reached has one reason: the first such verdict tells it for all of them."""
    closed = [one for one in verdicts if one.outcome == "unreached"]
    for one in closed[1:]:
        verdicts[verdicts.index(one)] = replace(one, finding=None)
    if closed and (finding := closed[0].finding) is not None:
        names = ", ".join(one.criterion.id for one in closed)
        told = replace(finding, rule=f"These count once the shop is back: {names}.")
        verdicts[verdicts.index(closed[0])] = replace(closed[0], finding=told)
    return verdicts


def _notes(shift: Shift) -> Iterator[str]:
    if shift.relaxed is None:
        yield "Played without a time limit."
    elif shift.relaxed != 1:
        yield f"Played with {shift.relaxed:g} times the time."


class _Judge:
    """The verdicts on one shift that is over."""

    def __init__(self, shift: Shift, survived: Survived) -> None:
        self.shift = shift
        self.survived = survived
        self.recovered = not survived.later

    def verdict(self, criterion: Criterion) -> Verdict:
        """The verdict on one criterion."""
        found = list(self._findings(criterion))
        if not self.recovered and criterion.id == COST:
            found = []
        if found:
            return Verdict(criterion, "unmet", found[0], found[1:])
        if not self.recovered and criterion.id not in (CAUSE, TIME):
            return Verdict(criterion, "unreached", self._not_back(criterion))
        return Verdict(criterion, "met")

    def _findings(self, criterion: Criterion) -> Iterator[Finding]:
        looks = {
            LOST: self._lost,
            TWICE: self._twice,
            TIME: self._late,
            CAUSE: self._cause,
            HARM: self._harm,
            COST: self._cost,
            NOTES: self._left_notes,
        }
        return looks[criterion.id]()

    def _finding(
        self, rule: str, expected: str, observed: str, why: str, *, page: str = ""
    ) -> Finding:
        drill = self.shift.drill
        return Finding(
            rule=rule,
            input=f"{drill.title}, seed {self.shift.seed}",
            expected=expected,
            observed=observed,
            why=why,
            where=self._where(),
            next=f"labs oncall {drill.slug}",
            page=page or drill.page,
        )

    def _where(self) -> str:
        """The last thing that was done, where a finding is about a shop and no line."""
        done = [one for one in self.shift.acts if not one.looks and not one.refused]
        if not done:
            return "nothing was changed in the account"
        return f"the last change, {told(self.shift, done[-1])}"

    # -- what became of the orders -------------------------------------------------------------

    def _lost(self) -> Iterator[Finding]:
        gone = self.survived.unshipped
        if gone:
            yield self._finding(
                "Every order that was placed, and that can be shipped, gets its parcel.",
                f"{counted(len(self.shift.placed), 'order')} placed, none without a parcel",
                f"{counted(len(gone), 'order')} without a parcel: {_named(gone)}",
                "A customer has paid for it. What the stream still has can be fetched for 24 hours "
                "after it was written; afterwards only the table knows of it.",
                page="operations/procedures#redrive",
            )
        untraced = self._untraced()
        if untraced:
            yield self._finding(
                "An order that nobody can ship leaves a note.",
                "a note for each order that was given up",
                f"no note that arrived for {_named(untraced)}",
                "Without a note nobody knows that somebody has to write to this customer.",
                page="modules/02-lambda-triggers#failure-destination",
            )

    def _untraced(self) -> list[Placed]:
        """Orders that nobody can ship, and of which no note has arrived."""
        spans = [span for span, _ in self.shift.notes()]
        bad = [one for one in self.shift.placed.values() if not one.good]
        return [one for one in bad if one.sequence and not one.within(spans)]

    def _twice(self) -> Iterator[Finding]:
        twice = self.survived.twice
        if twice:
            one, parcels = twice[0]
            yield self._finding(
                "An order is shipped once.",
                f"{one.id}: 1 parcel",
                f"{one.id}: {parcels} parcels; {counted(len(twice), 'order')} in all",
                "The handler recognises what comes again within an hour. A mapping that begins at "
                "the stream's oldest record, or a replay of everything, brings back what is older.",
                page="modules/02-lambda-triggers#overtaken-records",
            )

    def _late(self) -> Iterator[Finding]:
        survived, minutes = self.survived, self._minutes()
        late = survived.late or survived.later
        if late:
            when = f"after {minutes:g} minutes" if survived.late else "some minutes later again"
            yield self._finding(
                f"Orders are shipped within {OBJECTIVE_MIN} minutes again, {minutes:g} minutes "
                "after the page.",
                f"none of the newest orders waits for longer than {OBJECTIVE_MIN} minutes",
                f"{when} {counted(len(late), 'order')} did: {_named(late)}",
                "A cure counts when the backlog is gone, not when the cause is.",
            )

    def _minutes(self) -> float:
        return (self.shift.until_ms - self.shift.page_ms) / MINUTE_MS

    def _not_back(self, criterion: Criterion) -> Finding:
        return self._finding(
            criterion.goal,
            "a shop that keeps its promise again",
            "it does not, so there is no cure to look at",
            "Doing nothing harms nothing and costs nothing, and is not what anybody is paged for.",
        )

    # -- how it was brought back -----------------------------------------------------------------

    def _cause(self) -> Iterator[Finding]:
        named, causes = self.shift.named, self.shift.drill.causes
        if sorted(set(named)) != sorted(causes):
            yield self._finding(
                "Who mends something knows what was broken.",
                f"{counted(len(causes), 'cause')}, and the right one: labs oncall done --cause",
                f"named: {', '.join(named) or 'nothing'}",
                " ".join(
                    [
                        *(f"Not {one}: {REFUTED[one]}" for one in named if one not in causes),
                        *(CAUSES[one] for one in causes),
                    ]
                ),
            )

    def _harm(self) -> Iterator[Finding]:
        for act in self.shift.acts:
            if not act.refused and (why := harm_of(self.shift, act)):
                yield self._finding(
                    "Nothing is done that loses or repeats orders, or that hides a loss.",
                    "changes that keep the stream, the mapping's position and the notes",
                    told(self.shift, act),
                    why,
                    page="operations/index#first-minutes",
                )

    def _cost(self) -> Iterator[Finding]:
        before, after = spent(self.shift)
        extra = after - before
        limit = self.shift.drill.extra_dollars
        if extra > limit:
            yield self._finding(
                "The cure is not the most expensive one there is.",
                f"at most ${limit:.2f} a day more than before (${before:.2f})",
                f"${extra:.2f} a day more",
                "What is raised in the night is forgotten by the morning, and paid every day.",
                page="modules/05-cost",
            )

    def _left_notes(self) -> Iterator[Finding]:
        """Notes that lie in the queue, though what they are about can be shipped."""
        shift = self.shift
        waiting = {one.id for one in self.survived.unshipped}
        mine = [one for one in shift.placed.values() if one.good and one.time_ms < shift.watched_ms]
        bodies = {one.body for one in shift.cloud.account.messages(shift.physical(QUEUE))}
        left, dropped = 0, 0
        for span, body in shift.notes():
            about = {one.id for one in mine if one.within([span])}
            left += bool(about) and body in bodies
            dropped += bool(waiting & about) and body not in bodies
        if left or dropped:
            yield self._finding(
                "A note is taken out of the queue when what it is about has been shipped.",
                "an empty queue, and every order in it shipped",
                f"{counted(left, 'note')} left, {counted(dropped, 'note')} taken out though orders "
                "of it were not shipped",
                "A note in the queue rings again tomorrow; a note that is gone rings never.",
                page="operations/procedures#redrive",
            )


def _named(orders: Sequence[Placed], most: int = 3) -> str:
    told = ", ".join(one.id for one in orders[:most])
    return told + (f" and {len(orders) - most} more" if len(orders) > most else "")


# -- acts ------------------------------------------------------------------------------------------


def told(shift: Shift, act: Act) -> str:
    """One call of the learner's in a line, with its minute after the page."""
    minute = (act.time_ms - shift.page_ms) / MINUTE_MS
    params = json.dumps(dict(act.params), default=_size, separators=(", ", ": "))
    short = params if len(params) <= 160 else params[:157] + "..."
    refused = f" ({act.refused})" if act.refused else ""
    return f"minute {minute:.0f}: {act.service} {act.operation} {short}{refused}"


def _size(value: object) -> str:
    """What is no JSON, for a reader: of bytes, such as a function's code, how many there are."""
    return f"{len(value)} bytes" if isinstance(value, bytes | bytearray) else str(value)


def harm_of(shift: Shift, act: Act) -> str:
    """Why a call harms whatever comes of it; "" where it does not."""
    params = act.params
    match f"{act.service}:{act.operation}":
        case "lambda:DeleteEventSourceMapping":
            return "A mapping that is deleted has forgotten where it was."
        case "lambda:CreateEventSourceMapping":
            if params.get("StartingPosition") == "LATEST":
                return "A mapping that begins at LATEST never sees what waited before it."
        case "lambda:DeleteFunction":
            return "Without the function nothing is shipped at all."
        case "lambda:UpdateEventSourceMapping":
            return _skipping(shift, params)
        case "sqs:PurgeQueue" | "sqs:DeleteQueue":
            return "A purged queue has forgotten which orders were given up."
        case "sqs:SetQueueAttributes":
            kept = (params.get("Attributes") or {}).get("MessageRetentionPeriod")
            if kept is not None and int(kept) < _KEEPS_S:
                return "A queue that forgets its notes within hours is a purged queue."
        case "dynamodb:DeleteItem":
            if params.get("TableName") == shift.physical(ORDERS):
                return "An order that is deleted is one that nobody can ship any more."
        case "dynamodb:DeleteTable":
            return "The table and its stream are gone, with every order in them."
        case "dynamodb:UpdateTable":
            stream = params.get("StreamSpecification") or {}
            if stream.get("StreamEnabled") is False:
                return "A stream that is switched off gets no more changes; a new one begins empty."
        case "cloudformation:DeleteStack":
            return "The shop is gone."
    return ""


# A record that waits for less than this may still be shipped by anybody.
_SKIPS_S = 6 * 60 * 60
# Nobody redrives a note that is gone by the morning.
_KEEPS_S = 24 * 60 * 60


def _skipping(shift: Shift, params: Mapping[str, Any]) -> str:
    """Why an update of the mapping skips orders that can be shipped, or hides that it does."""
    age = params.get("MaximumRecordAgeInSeconds")
    if age is not None and 0 <= age < _SKIPS_S:
        return f"Orders that are older than {age} seconds are given up, though they can be shipped."
    filters = (params.get("FilterCriteria") or {}).get("Filters") or ()
    if filters and all(_drops(shift, str(one.get("Pattern"))) for one in filters):
        return "A filter that drops orders skips them without a note."
    config = params.get("DestinationConfig")
    if config is not None and not (config.get("OnFailure") or {}).get("Destination"):
        return "Without a destination nobody hears of an order that is given up."
    return ""


def _drops(shift: Shift, pattern: str) -> bool:
    """Whether a pattern asks for more than some good order has, by the literals that it lists."""
    try:
        asked = json.loads(pattern)["dynamodb"]["NewImage"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    for name, rule in asked:
        listed = rule.get("S") if isinstance(rule, dict) else None
        has = {str(one.item.get(name)) for one in shift.placed.values() if one.good}
        if not isinstance(listed, list) or not has <= {str(one) for one in listed}:
            return True
    return False


# -- money -----------------------------------------------------------------------------------------


def spent(shift: Shift) -> tuple[float, float]:
    """Dollars a day of the shop as it was before anything happened, and as it is in the end.

    What its function computes for an order, at the orders of the end, and the capacity of tables.
    """
    first = min((one.minute for one in shift.drill.happens), default=0)
    changed_ms = shift.page_ms + round(first * MINUTE_MS)
    now = shift.cloud.clock.now
    host = shift.cloud.functions.get(shift.physical(FUNCTION))
    memory = host.spec.memory_mb if host else 0
    begin = shift.page_ms - shift.drill.before_min * MINUTE_MS
    before = _computed(shift, begin, changed_ms, shift.memory_before)
    after = _computed(shift, shift.watched_ms, now, memory)
    orders = [one for one in shift.placed.values() if one.time_ms >= shift.watched_ms]
    a_day = len(orders) * DAY_MIN * MINUTE_MS / AFTER_MS
    return (
        before * a_day + _standing(shift.capacity_before),
        after * a_day + _standing(shift.capacity()),
    )


def _computed(shift: Shift, from_ms: int, to_ms: int, memory_mb: int) -> float:
    """Dollars for the function's time for an order, in a stretch of the drill."""
    host = shift.cloud.functions.get(shift.physical(FUNCTION))
    ended = [
        one
        for one in (host.invocations if host else ())
        if from_ms <= one.start_ms < to_ms and one.result is not None
    ]
    handed = {number for one in ended for number in one.sequences}
    milliseconds = sum(one.result.duration_ms or 0 for one in ended if one.result)
    price = pricing.load().rate("lambda_gb_seconds_x86")
    seconds = float(pricing.gb_seconds(milliseconds, memory_mb))
    return seconds * float(price) / max(1, len(handed))


def _standing(units: float) -> float:
    return units * 24 * float(pricing.load().rate("dynamodb_wcu_hours"))
