"""Lab 6's exam: days of trouble on the learner's own stack, and what was left of them.

`one_by_one` is a day on which trouble comes after trouble, `all_at_once` an afternoon on which the
next one begins before the last one is over, `locked_out` a day on which the function cannot run at
all. The seed decides order, amounts and moments.
In the evening the operator replays what the notes name. Scenarios judge nothing; they only stop
when there is nothing to play.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from grader.cloud.cloudwatch import Transition
from grader.cloud.function import Kill
from grader.course.labs.lab06.bill import busy_hour
from grader.course.play.books import READS
from grader.course.play.paging import (
    FUNCTION,
    MAPPING,
    PAGED_WITHIN_MIN,
    open_shop,
    ordinary,
    watch,
)
from grader.course.play.traffic import ORDERS, TOTALS, Blip, Shop, Stored
from grader.replay.incidents import MINUTE_MS, Alert, Incident

if TYPE_CHECKING:
    from grader.cloud import Note
    from grader.cloud.aws import Call
    from grader.cloud.dynamodb import Record
    from grader.course.stage import Stage

HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

# How long trouble lasts, and ordinary business after it. Alarms may still be red, or ring, in the
# meantime; what rings later has no reason.
TROUBLE_MIN, QUIET_AFTER_MIN = 20, 30


@dataclass(frozen=True)
class Trouble:
    """Something that happened in a play; times are virtual milliseconds.

    ``kind`` is its name in the runbook, ``merchant`` whose orders were placed meanwhile. ``pages``
    says whether a person must be told; ``began_ms`` is when that became true.
    """

    kind: str
    title: str
    merchant: str
    began_ms: int
    over_ms: int
    pages: bool = True

    @property
    def page_by_ms(self) -> int:
        """The latest moment at which a person had to be paged."""
        return self.began_ms + PAGED_WITHIN_MIN * MINUTE_MS


@dataclass(frozen=True)
class Left:
    """What a merchant's item said in the evening, and what it should have said."""

    merchant: str
    story: str
    expected: Stored
    observed: Stored

    @property
    def lost(self) -> bool:
        """Whether something that exists is missing."""
        (total, orders), (seen, counted) = self.expected, self.observed
        return not _is_number(seen) or seen < total or counted < orders

    @property
    def twice(self) -> bool:
        """Whether something is in the total that does not exist, or exists once."""
        (total, orders), (seen, counted) = self.expected, self.observed
        return _is_number(seen) and (seen > total or counted > orders)


def _is_number(value: object) -> bool:
    return isinstance(value, int)


# After so many of an invocation's writes the environment dies, each time for an order of its own.
MOST_WRITES = 6


class AfterWrite:
    """A fault plan: one environment dies right after the ``nth`` writing call of an invocation."""

    def __init__(self, nth: int) -> None:
        self.nth = nth
        self.struck = False
        self._writes: dict[int, int] = {}

    def __call__(self, call: Call) -> Kill | None:
        """What happens to the environment at ``call``; None lets it live."""
        if self.struck or call.operation.startswith(READS):
            return None
        self._writes[call.invocation] = self._writes.get(call.invocation, 0) + 1
        self.struck = self._writes[call.invocation] == self.nth
        return Kill("after") if self.struck else None


@dataclass
class Day:
    """A play: its troubles in their order, its metrics, and what was left in the evening."""

    name: str
    shop: Shop
    from_ms: int
    troubles: list[Trouble] = field(default_factory=list)
    stories: dict[str, str] = field(default_factory=dict)
    bad: list[Record] = field(default_factory=list)
    to_ms: int = 0
    notes: Sequence[Note] = ()
    redriven: list[Record] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    # -- trouble -----------------------------------------------------------------------------

    def business(self, minutes: int, merchant: str = "acme", *, every: int = 5) -> None:
        """Minutes with an order every now and then."""
        ordinary(self.shop, minutes, every=every, merchant=merchant)

    def idle(self, minutes: int) -> None:
        """Minutes in which nobody orders anything."""
        self.shop.pipeline.run_for(minutes=minutes)

    def begin(
        self, kind: str, title: str, *, delay_ms: int = 0, pages: bool = True, minutes: int = 0
    ) -> str:
        """Note a trouble that begins now and lasts for some minutes; returns whose orders suffer.

        A person can know of it ``delay_ms`` from now.
        """
        merchant = f"{self.name}-{kind}"
        now = self.shop.pipeline.clock.now
        over = now + minutes * MINUTE_MS
        self.troubles.append(Trouble(kind, title, merchant, now + delay_ms, over, pages))
        moments = self.shop.pipeline.story.moments
        moments.append((now, title))
        if minutes:
            moments.append((over, f"over: {kind}"))
        self.stories[merchant] = f"orders placed while this went on: {title}"
        return merchant

    def bad_order(self) -> None:
        """An order that nobody can count comes among others."""
        merchant = self.begin("bad-order", "an order with the amount '12,50'")
        self.shop.put(merchant, "before")
        self.bad.append(self.shop.put_bad("globex", f"bad-{self.name}", "12,50"))
        self.shop.put(merchant, "after")

    def throttled_table(self, minutes: int = TROUBLE_MIN) -> str:
        """The totals table refuses every call of the function."""
        title = f"{TOTALS} is throttled for {minutes} minutes"
        merchant = self.begin("throttled-table", title, minutes=minutes)
        self.shop.pipeline.throttle(TOTALS, minutes=minutes)
        return merchant

    def hanging_calls(self, minutes: int = 10) -> str:
        """Every call takes effect, but its answer comes after five minutes."""
        title = f"for {minutes} minutes DynamoDB answers five minutes late"
        merchant = self.begin("hanging-calls", title, minutes=minutes)
        self.shop.pipeline.stall(minutes=minutes)
        return merchant

    def late_refusals(self, minutes: int) -> str:
        """While the totals table refuses calls DynamoDB answers late, too; that was told before."""
        title = f"{TOTALS} is throttled, and for {minutes} minutes DynamoDB answers late, too"
        merchant = self.begin("late-refusals", title, pages=False, minutes=minutes)
        self.shop.pipeline.stall(minutes=minutes)
        return merchant

    def throttled_function(self, minutes: int = TROUBLE_MIN) -> str:
        """Other functions use up the account's concurrency; who has reserved some still runs."""
        title = f"the account's concurrency is used up for {minutes} minutes"
        pipeline = self.shop.pipeline
        reserved = pipeline.concurrency.reserved(pipeline.functions[FUNCTION].name)
        merchant = self.begin("throttled-function", title, pages=not reserved, minutes=minutes)
        pipeline.crowd(minutes=minutes)
        return merchant

    def disabled_mapping(self, minutes: int = TROUBLE_MIN) -> str:
        """Somebody disables the mapping; `enable` ends it."""
        title = f"somebody disables {MAPPING} for {minutes} minutes"
        # A mapping polls until it is Disabled, a minute after it was told.
        merchant = self.begin("silence", title, delay_ms=MINUTE_MS, minutes=minutes)
        self.shop.pipeline.mapping(MAPPING).disable()
        return merchant

    def enable(self) -> None:
        """The mapping polls again."""
        self.shop.pipeline.mapping(MAPPING).enable()

    def deployment(self) -> None:
        """New code: two environments die right after their first call, their retries succeed."""
        merchant = self.begin("deployment", "a deployment ends two invocations", pages=False)
        pipeline = self.shop.pipeline
        pipeline.functions[FUNCTION].faults = Blip("after")
        for order in ("o-1", "o-2"):
            self.shop.put(merchant, order)
            pipeline.run_for(seconds=25)
        pipeline.run_for(seconds=10)
        pipeline.functions[FUNCTION].faults = None

    def burst(self, orders: int = 40) -> None:
        """Many orders within seconds; the function keeps up."""
        merchant = self.begin("burst", f"{orders} orders within seconds", pages=False)
        for number in range(orders):
            self.shop.put(merchant, f"o-{number}")
        self.idle(1)

    def ended_after_each_write(self) -> None:
        """The environment dies right after the first write of an invocation, the second, and so on.

        What the function reads meanwhile is as old as DynamoDB lets it be.
        """
        pipeline = self.shop.pipeline
        minutes = 3
        for nth in range(1, MOST_WRITES + 1):
            merchant = f"{self.name}-ended-{nth}"
            self.stories[merchant] = (
                f"the environment dies right after write {nth} of the invocation, which is repeated"
            )
            plan = AfterWrite(nth)
            pipeline.functions[FUNCTION].faults = plan
            now = pipeline.clock.now
            pipeline.account.stale_reads(now, now + minutes * MINUTE_MS)
            self.shop.put(merchant, "o-1")
            pipeline.run_for(minutes=minutes)
            pipeline.functions[FUNCTION].faults = None
            if not plan.struck:
                return

    # -- the operator ------------------------------------------------------------------------

    def empty_queues(self) -> None:
        """The operator has read the notes and takes them out of the queues."""
        account = self.shop.pipeline.account
        for queue in self.shop.pipeline.stack.of_type("AWS::SQS::Queue"):
            url = queue.physical_id
            while found := account.call(
                "sqs", "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10
            ).get("Messages"):
                for message in found:
                    handle = message["ReceiptHandle"]
                    account.call("sqs", "DeleteMessage", QueueUrl=url, ReceiptHandle=handle)

    def read_notes(self) -> None:
        """Remember what the destination holds now; what is deleted later was read."""
        self.notes = [*self.notes, *self.shop.pipeline.notes(MAPPING)]

    def redrive(self) -> None:
        """Send the good records that the notes name to the function once more, oldest first."""
        self.read_notes()
        pipeline = self.shop.pipeline
        bad = {record.sequence for record in self.bad}
        self.redriven = [
            record
            for record in self.shop.written
            if record.sequence not in bad and any(n.covers(record.sequence) for n in self.notes)
        ]
        if self.redriven:
            pipeline.settle(FUNCTION, self.redriven)

    def close(self, merchants: Sequence[str] = ()) -> Day:
        """The evening: look at every merchant's total."""
        for merchant in [*self.stories, *merchants]:
            story = self.stories.get(merchant, "orders of an ordinary hour")
            seen = Left(merchant, story, self.shop.truth(merchant), self.shop.stored(merchant))
            self.left.append(seen)
        return self


def _open(stage: Stage, name: str) -> Day:
    """A system that was deployed a moment ago; orders are placed while it is being created."""
    shop = open_shop(stage, name)
    day = Day(name, shop, from_ms=shop.pipeline.clock.now)
    early = f"{name}-deployment-minute"
    day.stories[early] = "orders placed in the minute in which the stack is created"
    for number in range(3):
        shop.put(early, f"o-{number}")
    shop.pipeline.run_for(minutes=5)
    day.business(20)
    stage.require_start(shop.pipeline.invocations(FUNCTION))
    return day


def one_by_one(stage: Stage) -> Day:
    """A day: trouble, the operator cleans up, half an hour of business, the next trouble."""
    day = _open(stage, "monday")
    shop, pipeline = day.shop, day.shop.pipeline
    morning = _morning(day)

    def bad_order() -> None:
        day.bad_order()
        day.business(TROUBLE_MIN)

    def during(begin: Callable[[], str], end: Callable[[], None] | None = None) -> None:
        day.business(TROUBLE_MIN, begin(), every=2)
        if end is not None:
            end()

    parts: list[Callable[[], None]] = [
        bad_order,
        lambda: during(day.throttled_table),
        lambda: during(day.hanging_calls),
        lambda: during(day.throttled_function),
        lambda: during(day.disabled_mapping, day.enable),
        day.deployment,
        day.burst,
        lambda: day.business(90, every=100),
    ]
    shop.random.shuffle(parts)
    for number, part in enumerate(parts):
        part()
        if number == 3:
            # As text, this number comes before that of the order's first record.
            pipeline.cross(ORDERS)
            shop.put("monday-changed", "o-1", shop.orders["monday-changed", "o-1"] + 100)
        day.idle(2)
        day.read_notes()
        day.empty_queues()
        day.business(QUIET_AFTER_MIN)
    pipeline.flush()
    day.to_ms = pipeline.clock.now

    # The evening. Markers whose life is over are gone by now; what the morning's records said
    # arrives once more, the older ones behind the newer ones.
    pipeline.run_for(minutes=10)
    pipeline.expire()
    pipeline.recycle(FUNCTION)
    day.ended_after_each_write()
    day.redrive()
    pipeline.settle(FUNCTION, morning)
    for record in reversed(morning):
        pipeline.settle(FUNCTION, [record])
    return day.close(["acme"])


def _morning(day: Day) -> list[Record]:
    """Orders are placed, changed and deleted; the records that arrive once more in the evening."""
    shop = day.shop
    merchants = {
        "monday-replayed": "the morning's records arrive once more in the evening",
        "monday-cheaper": "o-1 became cheaper at noon; in the evening its older record arrives",
        "monday-free": "o-1 became free at noon; in the evening its older record arrives",
        "monday-gone": "o-1 was deleted at noon; in the evening its older record arrives",
        "monday-changed": "o-1 was placed in the morning and changed hours later",
    }
    day.stories |= merchants
    first, second = sorted((shop.amount(), shop.amount()))
    records = [
        shop.put("monday-replayed", "o-1"),
        shop.put("monday-replayed", "o-2"),
        shop.put("monday-cheaper", "o-1", second),
        shop.put("monday-free", "o-1"),
        shop.put("monday-gone", "o-1"),
    ]
    shop.put("monday-changed", "o-1", first)
    shop.pipeline.run_for(minutes=2)
    records += [shop.put("monday-replayed", "o-1"), shop.delete("monday-replayed", "o-2")]
    shop.pipeline.run_for(minutes=2)
    shop.put("monday-cheaper", "o-1", first)
    shop.put("monday-free", "o-1", 0)
    shop.delete("monday-gone", "o-1")
    shop.pipeline.run_for(minutes=2)
    return records


def all_at_once(stage: Stage) -> Day:
    """An afternoon: nobody has looked at the bad order's note when the table is throttled.

    For some minutes of that DynamoDB answers late, too.
    Then somebody disables the mapping to relieve the table, and when it is enabled again the
    account's concurrency is used up, or calls hang: the seed says which, the other one follows when
    all but the note is over. The notes stay in the queue until the evening. Neither of those two
    goes on while the mapping is disabled: a mapping that waits for its function looks silent before
    it is, and one alarm for that would be enough.
    """
    day = _open(stage, "friday")
    shop, pipeline = day.shop, day.shop.pipeline
    day.bad_order()
    day.business(25 + shop.random.randrange(5))
    apart = 22 + shop.random.randrange(4)
    table = day.throttled_table(apart + 25)
    # A person has been told of the throttled table by then, or will not be; and the mapping has
    # long ceased to wait for its function when somebody disables it.
    day.business(PAGED_WITHIN_MIN + 1, table, every=2)
    day.business(5, day.late_refusals(5), every=2)
    day.business(apart - 6, table, every=2)
    day.business(TROUBLE_MIN + 5, day.disabled_mapping(TROUBLE_MIN + 5), every=3)
    day.enable()
    day.business(10)
    for begin in shop.random.sample([day.throttled_function, day.hanging_calls], 2):
        day.business(TROUBLE_MIN, begin(), every=2)
        day.business(QUIET_AFTER_MIN)
    pipeline.flush()
    day.to_ms = pipeline.clock.now
    pipeline.recycle(FUNCTION)
    day.redrive()
    return day.close(["acme"])


@dataclass
class LockedOut:
    """A day on which the function may not run, and why (``title``).

    ``left_ms`` says for each record how long it could still be fetched from the stream when its
    note was written or the function got it; None when neither happened.
    """

    shop: Shop
    title: str
    records: list[Record]
    left_ms: dict[int, int | None]


def locked_out(stage: Stage) -> LockedOut:
    """Other functions use up the account's concurrency for 25 hours.

    A reservation keeps that away, but not every lack of concurrency: it is set to 0 then, as last
    year's runbook does for a pause.
    """
    shop = open_shop(stage, "locked out")
    pipeline = shop.pipeline
    pipeline.run_for(minutes=5)
    function = pipeline.functions[FUNCTION].name
    if pipeline.concurrency.reserved(function):
        title = "somebody sets the function's reserved concurrency to 0 for 25 hours"
        pipeline.concurrency.reserve(function, 0)
    else:
        title = "the account's concurrency is used up for 25 hours"
        pipeline.crowd(minutes=25 * 60)
    records = []
    for number in range(3):
        records.append(shop.put("acme", f"o-{number}"))
        pipeline.run_for(minutes=10)
    left: dict[int, int | None] = {record.sequence: None for record in records}
    # Every quarter of an hour somebody looks for notes.
    for _ in range(25 * 4):
        if all(value is not None for value in left.values()):
            break
        pipeline.run_for(minutes=15)
        notes, calls = pipeline.notes(MAPPING), pipeline.invocations(FUNCTION)
        for record in records:
            known = [one.time_ms for one in notes if one.covers(record.sequence)]
            known += [one.start_ms for one in calls if record.sequence in one.sequences]
            if known:
                left[record.sequence] = record.time_ms + DAY_MS - min(known)
    return LockedOut(shop, title, records, left)


# -- who was told --------------------------------------------------------------------------------


@dataclass
class Paged:
    """What the alarms made of a day. ``alerts`` rang, ``heard`` reached a person.

    ``ordinary`` rang under the README's own workload, with nothing wrong.
    """

    day: Day
    alerts: Sequence[Alert]
    heard: Sequence[Alert]
    transitions: Sequence[Transition]
    ordinary: Sequence[Alert] = ()

    def red_since(self, time_ms: int) -> Alert | None:
        """The alert of an alarm that had rung before that moment and was in ALARM all along."""
        for alert in reversed(self.alerts):
            changes = [one for one in self.transitions if one.alarm == alert.alarm]
            left = any(alert.time_ms < one.time_ms <= time_ms for one in changes)
            if alert.time_ms < time_ms and not left:
                return alert
        return None

    def rung(self, trouble: Trouble) -> Alert | None:
        """The first alert in time for a trouble."""
        return self._first(trouble, self.alerts)

    def told(self, trouble: Trouble) -> Alert | None:
        """The first alert in time that reached a person."""
        return self._first(trouble, self.heard)

    def cried(self, trouble: Trouble) -> Alert | None:
        """The first alert in time, of an alarm that also rings while nothing is wrong."""
        return next((a for a in self.all_rung(trouble) if a.alarm in self.wolves), None)

    @property
    def wolves(self) -> set[str]:
        """The alarms that also ring while nothing is wrong."""
        return {alert.alarm for alert in [*self.groundless(), *self.ordinary]}

    def all_rung(self, trouble: Trouble) -> list[Alert]:
        """Every alert in time."""
        return [one for one in self.alerts if self._within(trouble, one)]

    def named(self, trouble: Trouble) -> list[Alert]:
        """The alerts in time that a runbook may name: those that a person hears, if there are."""
        heard = [one for one in self.heard if self._within(trouble, one)]
        return heard or self.all_rung(trouble)

    def late(self, trouble: Trouble) -> Alert | None:
        """The first alert after the latest moment, while the trouble was still felt."""
        end = trouble.over_ms + QUIET_AFTER_MIN * MINUTE_MS
        return next((a for a in self.alerts if trouble.page_by_ms < a.time_ms <= end), None)

    def groundless(self, alarm: str | None = None) -> list[Alert]:
        """Alerts, of one alarm or all, while nothing that needs a person was on or just over."""
        spans = [
            (one.began_ms, max(one.over_ms, one.began_ms) + QUIET_AFTER_MIN * MINUTE_MS)
            for one in self.day.troubles
            if one.pages
        ]
        return [
            alert
            for alert in self.alerts
            if alarm in (None, alert.alarm)
            and not any(began <= alert.time_ms <= end for began, end in spans)
        ]

    def _first(self, trouble: Trouble, alerts: Sequence[Alert]) -> Alert | None:
        wolves = self.wolves
        return next((a for a in alerts if self._within(trouble, a) and a.alarm not in wolves), None)

    def _within(self, trouble: Trouble, alert: Alert) -> bool:
        return trouble.began_ms <= alert.time_ms <= trouble.page_by_ms


def paged(stage: Stage, scenario: Callable[[Stage], Day]) -> Paged:
    """Let the learner's alarms watch a whole day, from the healthy start on."""
    day = stage.play(scenario)
    watching = stage.play(watch)
    seen = watching.replay(
        Incident(
            name=day.name,
            title=day.name,
            story="",
            metrics=day.shop.pipeline.metrics,
            start_ms=day.from_ms + 5 * MINUTE_MS,
            from_ms=day.from_ms + 15 * MINUTE_MS,
            to_ms=day.to_ms,
        )
    )
    ordinary = watching.replay(stage.play(busy_hour))
    return Paged(day, seen.alerts, seen.heard, seen.transitions, ordinary.alerts)
