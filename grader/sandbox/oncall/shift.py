"""A drill while it is played: the shop, its customers, what happens, and what the learner does.

A `Shift` owns the account. Whoever is on duty acts by AWS's operations: over HTTP, where the
sandbox's server answers and says so here (`Shift.noted`), or in this process by `Shift.act`. Time
runs by the account's clock and by nothing else, so that the same acts at the same virtual times
leave the same shop.
"""

from __future__ import annotations

import copy
import io
import json
import random
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.cloud import START_MS, Cloud, HangBudget, Nursery, template
from grader.cloud.aws import Refused, Request, ServiceError
from grader.cloud.cloudwatch import Transition
from grader.sandbox.oncall import world
from grader.sandbox.oncall.drill import OBJECTIVE_MIN, Drill, Happening, Orders
from grader.sandbox.services import instead
from grader.sandbox.world import OPERATIONS, World

if TYPE_CHECKING:
    from grader.cloud.clock import Event
    from grader.cloud.dynamodb import Record
    from grader.cloud.template import Stack

MINUTE_MS = 60_000
STACK = "shop"
FOLDER = Path(__file__).parent / "templates"
SHOP = FOLDER / "shop"
ORDERS, SHIPMENTS = "Orders", "Shipments"
FUNCTION, MAPPING, QUEUE = "ShippingFunction", "OrdersToShipping", "FailedRecords"

# After the drill's time customers go on ordering for so long: what is cured stays cured.
AFTER_MIN = 15
# Then nobody orders any more, and what still waits may drain as long as two such steps bring less.
DRAIN_STEP_MIN = 10
# The orders that say whether the shop keeps its promise: those that were placed in so many minutes
# before the promise's own.
STRETCH_MIN = 12
# What a release changes in the handler: the line as it was, and as it is then.
RELEASE = ('int(order["price"]["N"])', 'int(order["price_snapshot"]["N"])')


@dataclass(frozen=True)
class Act:
    """One AWS call of the learner's; ``refused`` is the code of the error that it got."""

    time_ms: int
    service: str
    operation: str
    params: Mapping[str, Any]
    refused: str = ""

    @property
    def looks(self) -> bool:
        """Whether it only looks: reading a queue counts as looking, too."""
        verbs = ("Get", "List", "Describe", "Receive", "Filter", "Query", "Scan", "BatchGet")
        return self.operation.startswith(verbs)


@dataclass
class Placed:
    """An order that a customer placed; ``sequence`` is the number of its record in the stream."""

    id: str
    time_ms: int
    good: bool
    item: Mapping[str, Any]
    sequence: int = 0

    def within(self, spans: Iterable[tuple[int, int]]) -> bool:
        """Whether one of these spans of numbers holds the order's record."""
        return any(first <= self.sequence <= last for first, last in spans)


@dataclass
class Outcome:
    """How the shop stood when the drill's time was over, and in the end.

    ``late`` and ``later`` are orders of the last stretch before each that waited for longer than
    promised; ``unshipped`` never were, ``twice`` were more than once, with how often.
    """

    late: list[Placed] = field(default_factory=list)
    later: list[Placed] = field(default_factory=list)
    unshipped: list[Placed] = field(default_factory=list)
    twice: list[tuple[Placed, int]] = field(default_factory=list)


def archive(version: str = "") -> bytes:
    """The shop's code as the zip file of a deployment; "release" is the version that came later."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(SHOP.glob("*.py")):
            file.writestr(zipfile.ZipInfo(path.name), released(path, version))
    return packed.getvalue()


def released(path: Path, version: str) -> str:
    """The text of one file of the shop's code in a version."""
    text = path.read_text(encoding="utf-8")
    return text.replace(*RELEASE) if version == "release" else text


@cache
def _deployable(parameters: tuple[tuple[str, str], ...], created_ms: int) -> tuple[str, Stack]:
    """The shop's template and the stack that it makes. Kept: it is read slowly."""
    body = (SHOP / "template.yaml").read_text(encoding="utf-8")
    return body, template.resolve(
        body, parameters=dict(parameters), stack_name=STACK, created_ms=created_ms
    )


class Shift:
    """One drill on an account of its own. ``relaxed`` multiplies its time; None: without an end.

    ``page_ms`` is the virtual moment at which the telephone rings, the beginning for the learner.
    """

    def __init__(
        self,
        drill: Drill,
        nursery: Nursery,
        *,
        seed: int = 0,
        page_ms: int = START_MS,
        relaxed: float | None = 1.0,
        live: bool = True,
    ) -> None:
        self.drill = drill
        self.seed = seed
        self.page_ms = page_ms
        self.relaxed = relaxed
        self.acts: list[Act] = []
        self.named: tuple[str, ...] = ()
        self.named_ms: int | None = None
        self.placed: dict[str, Placed] = {}
        self.until_ms = page_ms + round(drill.minutes * (relaxed or 1) * MINUTE_MS)
        # From when on the shop is only watched, and when customers stop: both are known at the end.
        self.watched_ms = self.until_ms
        self._customers_until_ms: int | None = None
        self._late_when_over: list[Placed] = []
        self._over: Event | None = None
        self._dice = random.Random(f"{seed}/{drill.key}")
        self.cloud = Cloud(
            nursery,
            seed=seed,
            start_ms=page_ms - drill.before_min * MINUTE_MS,
            live=live,
            # A learner's own code may hang; the drill goes on all the same.
            hangs=HangBudget(1_000, cpu_seconds=3_600.0, calls=10_000_000),
        )
        self.world = World(self.cloud)
        body, stack = _deployable(tuple(sorted(drill.parameters.items())), self.cloud.clock.now)
        self.cloud.create(stack, body, code=SHOP)
        # The alarms watch from here on, whenever somebody looks at them first.
        self.world.alarms.look()
        # The shop's alarms: physical names to logical ids.
        self.alarms = {
            one.physical_id: one.logical_id for one in stack.of_type("AWS::CloudWatch::Alarm")
        }
        self.memory_before = self.cloud.functions[self.physical(FUNCTION)].spec.memory_mb
        self.capacity_before = self.capacity()
        self.cloud.account.stream_of(self.physical(ORDERS)).listen(self._recorded)
        for orders in drill.orders:
            self._customers(orders)
        for happening in drill.happens:
            if not happening.after:
                self._expect(happening, page_ms)
        self._ends(self.until_ms)
        self.run_until(page_ms)
        self.left_at_page = self.waiting()

    def close(self) -> None:
        """Forget the account."""
        self.cloud.close()

    # -- the world ---------------------------------------------------------------------------

    def physical(self, logical_id: str) -> str:
        """The physical name of a resource of the shop."""
        return self.cloud.resource(STACK, logical_id).physical_id

    def arn(self, logical_id: str) -> str:
        """The ARN of a resource of the shop."""
        return str(self.cloud.resource(STACK, logical_id).attributes["Arn"])

    def _customers(self, orders: Orders) -> None:
        """Let customers place orders from one minute to another."""
        clock = self.cloud.clock
        first = self.page_ms + round(orders.from_min * MINUTE_MS)
        every = round(orders.every_s * 1000)
        end = None
        if orders.until_min is not None:
            end = self.page_ms + round(orders.until_min * MINUTE_MS)

        def place(number: int) -> None:
            planned = first + number * every
            last = self._customers_until_ms if end is None else end
            if last is not None and clock.now >= last:
                return
            self._place(orders, number)
            again = planned + every + self._dice.randrange(every // 2 + 1)
            clock.at(again, lambda: place(number + 1))

        clock.at(first + self._dice.randrange(every // 2 + 1), lambda: place(0))

    def _place(self, orders: Orders, number: int) -> None:
        name = f"{orders.name}-{number + 1:03}"
        price = self._dice.randrange(500, 20_000)
        item = {
            "id": name,
            "kind": "order",
            "channel": "web",
            "carrier": "post",
            "price": price,
            "price_snapshot": price,
            **orders.items[number % len(orders.items)],
        }
        item = {key: value for key, value in item.items() if value is not None}
        self.placed[name] = Placed(name, self.cloud.clock.now, orders.good, item)
        self.cloud.account.put(self.physical(ORDERS), item)

    def _recorded(self, record: Record, _shard: object) -> None:
        name = record.event["dynamodb"]["Keys"]["id"]["S"]
        if (placed := self.placed.get(name)) is not None and not placed.sequence:
            placed.sequence = record.sequence

    def _expect(self, happening: Happening, from_ms: int) -> None:
        moment = from_ms + round(happening.minute * MINUTE_MS)
        self.cloud.clock.at(moment, partial(self._happen, happening.call, happening.params))

    def _happen(self, call: str, params: Mapping[str, Any]) -> None:
        found = {name: self._meant(value) for name, value in params.items()}
        if call in world.HAPPENINGS:
            world.HAPPENINGS[call](self.cloud, **found)
            return
        service, _, operation = call.partition(":")
        self.operation(service, operation, found)

    def _meant(self, value: Any) -> Any:
        """A value of a happening with its ``$Name`` and ``@path`` filled in."""
        if isinstance(value, str) and value.startswith("$"):
            name, _, attribute = value[1:].partition(".")
            resource = self.cloud.resource(STACK, name)
            return resource.attributes[attribute] if attribute else resource.physical_id
        if isinstance(value, str) and value.startswith("@"):
            return archive(value[1:])
        if isinstance(value, Mapping):
            return {name: self._meant(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._meant(one) for one in value]
        return copy.copy(value)

    # -- time --------------------------------------------------------------------------------

    @property
    def now_min(self) -> float:
        """Minutes since the telephone rang."""
        return (self.cloud.clock.now - self.page_ms) / MINUTE_MS

    def run_until(self, time_ms: int) -> None:
        """Let time run up to this moment, and the mappings publish what they have to say."""
        self.cloud.clock.run_until(time_ms)
        self.cloud.mappings.flush()

    def run_to(self, minute: float) -> None:
        """Let time run up to a minute after the telephone has rung."""
        self.run_until(self.page_ms + round(minute * MINUTE_MS))

    # -- who is on duty ------------------------------------------------------------------------

    def act(self, call: str, **params: Any) -> Any:
        """One AWS call of the learner's in this process: ``act("lambda:GetFunction", …)``.

        Raises ServiceError or Refused as AWS refuses.
        """
        service, _, operation = call.partition(":")
        try:
            answer = self.operation(service, operation, params)
        except (ServiceError, Refused) as refusal:
            self.noted(service, operation, params, refusal.code)
            raise
        self.noted(service, operation, params)
        return answer

    def noted(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        refused: str = "",
        *,
        at_ms: int | None = None,
    ) -> None:
        """The learner has made this call, now or at a moment that has just passed."""
        moment = self.cloud.clock.now if at_ms is None else at_ms
        self.acts.append(Act(moment, service, operation, dict(params), refused))

    def done(self, *causes: str) -> None:
        """The learner says that it is over, and why it was; only the first time counts."""
        if self.named_ms is None:
            self.named, self.named_ms = causes, self.cloud.clock.now
            if self.relaxed is None:
                # Without a limit it is the learner who says when the time is over.
                self._ends(self.cloud.clock.now + OBJECTIVE_MIN * MINUTE_MS)

    def _ends(self, time_ms: int) -> None:
        """The drill's time is over then: what is late at that moment is late."""
        if self._over is not None:
            self._over.cancel()

        def over() -> None:
            self._late_when_over = self._late()

        self.until_ms = time_ms
        self._over = self.cloud.clock.at(time_ms, over)

    # -- looking -------------------------------------------------------------------------------

    def page(self) -> list[tuple[str, Transition]]:
        """The alarms that were red when the telephone rang, by logical id, in the drill's order.

        Each with the change that made it red, which is the one of its history.
        """
        self.world.alarms.look()
        last: dict[str, Transition] = {}
        for one in self.world.alarms.history:
            if one.alarm in self.alarms and one.time_ms <= self.page_ms:
                last[self.alarms[one.alarm]] = one
        red = {name: one for name, one in last.items() if one.new == "ALARM"}
        ranks = {name: number for number, name in enumerate(self.drill.rings)}
        return sorted(red.items(), key=lambda one: (ranks.get(one[0], len(ranks)), one[0]))

    def capacity(self) -> int:
        """The write capacity of the account's tables that is paid for by the hour."""
        account = self.cloud.account
        described = [
            account.call("dynamodb", "DescribeTable", TableName=name)["Table"]
            for name in account.tables.names()
        ]
        given = [one.get("ProvisionedThroughput", {}) for one in described]
        return sum(int(one.get("WriteCapacityUnits", 0)) for one in given)

    def parcels(self) -> dict[str, int]:
        """How many parcels each order has got so far."""
        items = self.cloud.account.items(self.physical(SHIPMENTS))
        return {str(one["id"]): int(one.get("parcels", 0)) for one in items}

    def waiting(self) -> list[Placed]:
        """Good orders without a parcel, oldest first.

        What the drill excuses after its time is the next shift's when it has left a note.
        """
        parcels = self.parcels()
        spans = [span for span, _ in self.notes()]
        return [
            one
            for one in self.placed.values()
            if one.good
            and not parcels.get(one.id)
            and not (self._is_excused(one) and one.within(spans))
        ]

    def _is_excused(self, one: Placed) -> bool:
        excused = self.drill.excused
        return bool(excused) and one.id.startswith(excused) and one.time_ms >= self.watched_ms

    def notes(self) -> Iterator[tuple[tuple[int, int], str]]:
        """The notes that arrived: the first and last number of their records, and their text."""
        for delivery in self.cloud.deliveries:
            batch = json.loads(delivery.body)["DDBStreamBatchInfo"]
            span = int(batch["startSequenceNumber"]), int(batch["endSequenceNumber"])
            yield span, delivery.body

    def _late(self) -> list[Placed]:
        """Of the last stretch of orders those that have waited for longer than promised."""
        promised = self.cloud.clock.now - OBJECTIVE_MIN * MINUTE_MS
        begin = promised - STRETCH_MIN * MINUTE_MS
        return [one for one in self.waiting() if begin <= one.time_ms <= promised]

    def finish(self) -> Outcome:
        """Let the drill's time run out, and the shop run on, and see what has survived."""
        outcome = Outcome()
        self.watched_ms = max(self.until_ms, self.cloud.clock.now)
        self._customers_until_ms = self.watched_ms + AFTER_MIN * MINUTE_MS
        for happening in self.drill.happens:
            if happening.after:
                self._expect(happening, self.watched_ms)
        self.run_until(self.watched_ms)
        outcome.late = self._late_when_over
        self.run_until(self._customers_until_ms)
        outcome.later = self._late()
        left = [len(self.waiting())]
        while left[-1] and (len(left) < 3 or left[-1] < left[-3]):
            self.run_until(self.cloud.clock.now + DRAIN_STEP_MIN * MINUTE_MS)
            left.append(len(self.waiting()))
        parcels = self.parcels()
        outcome.unshipped = self.waiting()
        outcome.twice = [
            (one, parcels[one.id]) for one in self.placed.values() if parcels.get(one.id, 0) > 1
        ]
        return outcome

    def operation(self, service: str, operation: str, params: dict[str, Any]) -> Any:
        """Carry out one AWS call, whoever makes it, as the sandbox answers it over HTTP.

        ServiceError or Refused as AWS refuses.
        """
        if (known := OPERATIONS.get(f"{service}:{operation}")) is None:
            raise ServiceError("NotImplemented", instead(service, operation), 501)
        request = Request(service, operation, params, None, "json", "POST", "", {}, b"")
        return known.answer(self.world, request)
