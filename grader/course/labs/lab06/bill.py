"""Lab 6's bill: what a month of the deployed stack costs, from what it did in an ordinary minute.

`ordinary_minutes` plays the README's workload for a little while, of which `busy_hour` makes what
alarms see in an hour; `monthly_bill` takes what the
function, its calls and its log came to in that time, adds what the template has standing, and bills
it for 30 days without any free quota: quotas belong to the account, and other stacks may use them.
Left out, and the README says so: what the shop itself writes, the storage of tables and of notes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from grader.cloud.cloudwatch import MetricAlarm
from grader.cloud.dynamodb import read_units
from grader.cloud.metrics import Metrics
from grader.course.play.paging import FUNCTION, open_shop, watch
from grader.course.play.traffic import ORDERS, Shop
from grader.replay.incidents import MINUTE_MS, Incident
from grader.review import pricing
from grader.review.pricing import Bill, dollars

if TYPE_CHECKING:
    from grader.cloud.aws import Call
    from grader.cloud.function import Invocation
    from grader.course.stage import Stage

MONTH_S = pricing.MONTH_DAYS * 24 * 3600
# The README's workload: orders placed or changed, and changes of carts, a second.
ORDERS_A_SECOND, CARTS_A_SECOND = 1, 1
# How long it is played: long enough for the longest batching window that the README allows.
WARM_UP_S, MEASURED_S = 10, 60
# What follows for the alarms: two whole minutes are among these.
STEADY_MIN = 2
BUDGET_DOLLARS = 16

# A log that never expires is billed for what a year has gathered.
FOR_EVER_MONTHS = 12
GB = 1_000_000_000


@dataclass(frozen=True)
class Minutes:
    """What the function did in the measured time, from ``from_ms`` to ``to_ms``.

    ``orders`` are the sequence numbers of all orders that were played. What CloudWatch got of the
    whole minutes from ``steady_from_ms`` to ``steady_to_ms`` is that of any ordinary ones.
    """

    shop: Shop
    orders: set[int]
    from_ms: int
    to_ms: int
    invocations: list[Invocation]
    steady_from_ms: int
    steady_to_ms: int

    @property
    def idle(self) -> bool:
        """Whether nothing of all the orders was counted."""
        merchants = {merchant for merchant, _ in self.shop.orders}
        return all(self.shop.stored(merchant) == (0, 0) for merchant in merchants)

    @property
    def times(self) -> Decimal:
        """How often a month holds what was measured, by the orders that the function was handed.

        Not by the seconds: a batching window carries orders over both ends of the measured time.
        """
        handed = self.orders & {number for one in self.invocations for number in one.sequences}
        return Decimal(MONTH_S * ORDERS_A_SECOND) / (len(handed) or MEASURED_S * ORDERS_A_SECOND)


def ordinary_minutes(stage: Stage) -> Minutes:
    """The README's workload: an order and a change of a cart a second."""
    shop = open_shop(stage, "ordinary minutes")
    pipeline = shop.pipeline
    pipeline.run_for(minutes=3)
    orders: set[int] = set()
    merchants = random.Random(f"{stage.seed}/merchants")

    def play(seconds: int) -> None:
        for _ in range(seconds):
            merchant = f"merchant-{merchants.randrange(12)}"
            orders.add(shop.put(merchant, f"o-{pipeline.clock.now}").sequence)
            for cart in range(CARTS_A_SECOND):
                shop.put_cart(merchant, f"c-{cart}", items=pipeline.clock.now // 100)
            pipeline.run_for(seconds=1 / ORDERS_A_SECOND)

    play(WARM_UP_S)
    first, from_ms = len(pipeline.invocations(FUNCTION)), pipeline.clock.now
    play(MEASURED_S)
    last, to_ms, measured = len(pipeline.invocations(FUNCTION)), pipeline.clock.now, set(orders)
    stage.require_start(pipeline.invocations(FUNCTION))
    steady_from_ms = pipeline.clock.now - pipeline.clock.now % MINUTE_MS + MINUTE_MS
    # The first of the whole minutes has a batching window behind it, the last one arrives.
    play(60 * (STEADY_MIN + 1))
    pipeline.flush()
    invocations = pipeline.invocations(FUNCTION)[first:last]
    steady_to_ms = steady_from_ms + STEADY_MIN * MINUTE_MS
    return Minutes(shop, measured, from_ms, to_ms, invocations, steady_from_ms, steady_to_ms)


def busy_hour(stage: Stage) -> Incident:
    """An hour of the README's workload, with nothing wrong: its minutes, again and again.

    Any hour of the month: queues into which the minutes brought nothing have long fallen silent.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html
    """
    minutes = stage.play(ordinary_minutes)
    length = minutes.steady_to_ms - minutes.steady_from_ms
    turns = 60 * MINUTE_MS // length
    metrics, seen = Metrics(), minutes.shop.pipeline.metrics
    used = {key.dimensions for key in seen if key.name == "NumberOfMessagesSent"}
    for key in seen:
        if key.namespace == "AWS/SQS" and key.dimensions not in used:
            continue
        data = seen.data(key)
        steady = [one for one in data if 0 <= one.time_ms - minutes.steady_from_ms < length]
        for turn in range(turns):
            for one in steady:
                metrics.put(
                    key.namespace,
                    key.name,
                    one.value,
                    one.time_ms + turn * length,
                    unit=key.unit,
                    dims=key.dimensions,
                    count=one.count,
                    arrived_ms=one.arrived_ms + turn * length,
                )
    return Incident(
        name="busy hour",
        title="an hour of the README's workload",
        story="",
        metrics=metrics,
        start_ms=minutes.steady_from_ms,
        from_ms=minutes.steady_from_ms + 15 * MINUTE_MS,
        to_ms=minutes.steady_from_ms + turns * length,
    )


def monthly_bill(stage: Stage) -> Bill:
    """The month's bill of the learner's stack under the README's workload, without free quotas."""
    usage = {item: amount for item, amount in _usage(stage).items() if amount}
    return pricing.bill(usage, pricing.load(), free=False)


def _usage(stage: Stage) -> dict[str, Decimal]:
    """A month's amounts by item of the price list."""
    minutes = stage.play(ordinary_minutes)
    times = minutes.times
    function = stage.stack.resources[FUNCTION].properties
    memory = int(function.get("MemorySize", 128))
    architecture = next(iter(function.get("Architectures", [])), "x86_64")
    calls = [call for one in minutes.invocations for call in one.calls]
    billed_ms = sum(
        max(1, (one.end_ms or one.start_ms) - one.start_ms) for one in minutes.invocations
    )
    written = sum(len(line.text.encode()) + 1 for one in minutes.invocations for line in one.logs)
    ingested = Decimal(written) * times / GB
    usage = {
        "lambda_requests": len(minutes.invocations) * times,
        pricing.lambda_compute(architecture): pricing.gb_seconds(billed_ms, memory) * times,
        "logs_ingested_gb": ingested,
        "logs_stored_gb": ingested * _kept_months(stage),
        "put_metric_data": sum(call.operation == "PutMetricData" for call in calls) * times,
        **_of_tables(stage, minutes, times),
        **_standing(stage, minutes),
    }
    provisioned = _provisioned(stage)
    if provisioned:
        ready, _ = pricing.provisioned_compute(architecture)
        usage[ready] = pricing.gb_seconds(provisioned * MONTH_S * 1000, memory)
    return {item: Decimal(amount) for item, amount in usage.items()}


def _provisioned(stage: Stage) -> int:
    """How many environments the stack keeps ready."""
    found = 0
    for kind in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
        for one in stage.stack.of_type(kind):
            config = one.properties.get("ProvisionedConcurrencyConfig", {})
            found += int(config.get("ProvisionedConcurrentExecutions", 0))
    return found


def _kept_months(stage: Stage) -> Decimal:
    """How many months of log lines lie there at the same time."""
    function = stage.stack.resources[FUNCTION]
    name = function.properties.get("LoggingConfig", {}).get(
        "LogGroup", f"/aws/lambda/{function.physical_id}"
    )
    group = stage.stack.by_physical(name, "AWS::Logs::LogGroup")
    days = None if group is None else group.properties.get("RetentionInDays")
    return Decimal(FOR_EVER_MONTHS) if days is None else Decimal(days) / pricing.MONTH_DAYS


_READS = {"GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan"}


def _of_tables(stage: Stage, minutes: Minutes, times: Decimal) -> dict[str, Decimal]:
    """Reads and writes of the function, by the billing mode of each table.

    What the shop writes is not the function's. A read counts as one block of 4 KB.
    """
    pipeline = minutes.shop.pipeline
    usage = {"dynamodb_write_requests": Decimal(0), "dynamodb_read_requests": Decimal(0)}
    on_demand = set()
    for table in stage.stack.of_type("AWS::DynamoDB::Table"):
        throughput = table.properties.get("ProvisionedThroughput")
        if not throughput or table.properties.get("BillingMode") == "PAY_PER_REQUEST":
            on_demand.add(table.physical_id)
            continue
        for item, member in (("wcu", "WriteCapacityUnits"), ("rcu", "ReadCapacityUnits")):
            name = f"dynamodb_{item}_hours"
            hours = pricing.capacity_hours(int(throughput[member]))
            usage[name] = usage.get(name, Decimal(0)) + hours
    on_demand.discard(pipeline.table(ORDERS))
    for write in pipeline.account.tables.writes:
        if minutes.from_ms <= write.time_ms <= minutes.to_ms and write.table in on_demand:
            usage["dynamodb_write_requests"] += write.units * times
    for call in (call for one in minutes.invocations for call in one.calls):
        if call.operation in _READS:
            transactional = call.operation.startswith("Transact")
            for consistent in _items_read(call):
                units = read_units(4096, consistent=consistent, transactional=transactional)
                usage["dynamodb_read_requests"] += units * times
    return usage


def _items_read(call: Call) -> list[bool]:
    """Whether consistently, for each item that a reading call asks for; a query is one item."""
    try:
        body: dict[str, Any] = json.loads(call.body)
    except ValueError:
        return []
    if "TransactItems" in body:
        return [True] * len(body["TransactItems"])
    if "RequestItems" in body:
        asked = body["RequestItems"].values()
        return [bool(one.get("ConsistentRead")) for one in asked for _ in one["Keys"]]
    return [bool(body.get("ConsistentRead"))]


def _standing(stage: Stage, minutes: Minutes) -> dict[str, Decimal]:
    """What costs money without any traffic: alarms, metrics of one's own, dashboards."""
    alarms = stage.play(watch).alarms
    plain = [alarm for alarm in alarms if isinstance(alarm, MetricAlarm)]
    quick = sum(len(alarm.metrics) for alarm in plain if alarm.period_s < 60)
    custom = {key for key in minutes.shop.pipeline.metrics if not key.namespace.startswith("AWS/")}
    return {
        "alarms": Decimal(sum(len(alarm.metrics) for alarm in plain) - quick),
        "alarms_high_resolution": Decimal(quick),
        "alarms_composite": Decimal(len(alarms) - len(plain)),
        "custom_metrics": Decimal(len(custom)),
        "dashboards": Decimal(len(stage.stack.of_type("AWS::CloudWatch::Dashboard"))),
    }


# -- labs run 6 bill -------------------------------------------------------------------------------


def told(stage: Stage) -> Iterator[str]:
    """A month's bill, line by line; the sum is for the learner to make and to write down."""
    bill = monthly_bill(stage)
    prices = pricing.load()
    yield "A month of 30 days under the README's workload, without free quotas:"
    yield ""
    for line in bill.lines:
        price = prices.price(line.item)
        rate = f"${price.tiers[0].price} for {price.per:,f}"
        amount = f"{line.amount:,.0f}" if line.amount >= 100 else f"{line.amount:,.2f}"
        yield f"{line.name}: {amount} {line.unit}s at {rate}: {dollars(line.cost)}"
    yield ""
    yield f"In all {dollars(bill.total)}; the budget is ${BUDGET_DOLLARS}."
