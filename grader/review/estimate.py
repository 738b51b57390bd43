"""What a stack costs in a month at a given traffic: amounts out of a template, priced line by line.

    traffic = Traffic(writes_per_second=20)
    found = estimate(template.resolve(text), traffic, pricing.load())
    found.bill.total, found.notes

What the mapping and the function cause is simulated with ``grader.review.tuning``; what stands
still (capacity, alarms, dashboards) is counted in the template; what only the traffic's owner can
know (sizes, times, log lines) is in `Traffic`. Nothing that costs money is left out silently: a
kind of resource without a price is named in the notes. A template that was read leniently may hold
values that nobody can know: AWS's default stands for each, and its reason is a note.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

from grader.cloud.cloudwatch import dashboards
from grader.cloud.dynamodb import write_units
from grader.cloud.template import Problem, Resource, Stack, Unknown, unknowns
from grader.review import pricing
from grader.review.pricing import Bill, Pricing, dollars
from grader.review.tuning import Choice, Handler, Load, simulate

GB = 2**30
# What DynamoDB adds to each item it stores.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
ITEM_OVERHEAD_BYTES = 100
# So long a steady stream is simulated; it stands for the month.
SAMPLE_S = 600
# A dashboard with more metrics is never one of the free ones.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html
FREE_DASHBOARD_METRICS = 50
# SQS and SNS count a message once for each started 64 KB.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MESSAGE_PART_BYTES = 65_536

# Deliveries of a topic that cost nothing beside the publish, and e-mails, which have a price here.
# https://aws.amazon.com/sns/pricing/
FREE_DELIVERIES = ("email", "sqs", "lambda")

# Kinds of resources that cost nothing by themselves, and those whose use is counted here.
FREE = {
    "AWS::IAM::Role",
    "AWS::IAM::Policy",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::RolePolicy",
    "AWS::KMS::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Version",
    "AWS::Lambda::Permission",
    "AWS::Logs::MetricFilter",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicInlinePolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueueInlinePolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::S3::BucketPolicy",
}
COUNTED = {
    "AWS::DynamoDB::Table",
    "AWS::Lambda::Function",
    "AWS::Lambda::Alias",
    "AWS::Logs::LogGroup",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::SQS::Queue",
    "AWS::SNS::Topic",
    "AWS::Budgets::Budget",
}


# What an amount is made of, by the names of the properties.
_PRICED = {
    *("BillingMode", "TableClass", "ProvisionedThroughput", "GlobalSecondaryIndexes"),
    *("ReadCapacityUnits", "WriteCapacityUnits", "StreamSpecification"),
    *("PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"),
    *("BatchSize", "MaximumBatchingWindowInSeconds", "ParallelizationFactor", "Enabled"),
    *("MemorySize", "Timeout", "Architectures", "RetentionInDays", "Period", "Metrics"),
    *("FifoQueue", "Subscription", "Protocol"),
}

# No traffic is near this; beyond it sums of prices lose their cents.
MOST = 10**12


@dataclass(frozen=True, slots=True)
class Traffic:
    """What happens to every table that has a stream, on average over the month.

    - ``writes_per_second``, each of an item of ``item_bytes`` bytes;
    - ``passing``: the share (0 to 1) of the records that the mapping's filter lets through;
    - ``call_ms``, ``record_ms``: how long an invocation takes, for itself and for each record; all
      of it waiting, which memory does not shorten;
    - ``units_per_record``: write units that the function consumes for each record;
    - ``log_bytes``: what one invocation writes to the log, Lambda's own lines included;
    - ``custom_metrics``: metrics of the function's own;
    - ``messages``: messages a month to each queue and each topic (failure notes, notifications),
      each of ``message_bytes`` bytes;
    - ``reads_per_second``: GetRecords calls of readers other than Lambda.

    ValueError for what cannot be.
    """

    writes_per_second: float = 1.0
    item_bytes: int = 300
    passing: float = 1.0
    call_ms: float = 20.0
    record_ms: float = 10.0
    units_per_record: float = 4.0
    log_bytes: int = 600
    custom_metrics: int = 0
    messages: int = 100
    message_bytes: int = 1_000
    reads_per_second: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            # Said this way round because nothing holds of "not a number".
            if not value >= 0 or value == math.inf:
                raise ValueError(f"{field.name} is a number of 0 or more, not {value}")
            if value > MOST:
                raise ValueError(f"{field.name} is at most {MOST:,}")
        if self.passing > 1:
            raise ValueError("passing is a share from 0 to 1 (at most 100 percent)")
        if self.item_bytes < 1:
            raise ValueError("an item has at least one byte")

    def document(self) -> dict[str, Any]:
        """The same as plain data, by the names of the fields."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A month's bill and what to know about it, as sentences."""

    bill: Bill
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The bill as plain data: amounts and dollars as numbers, rounded to six digits."""
        return {
            "days": float(self.bill.days),
            "lines": [
                {
                    "item": line.item,
                    "name": line.name,
                    "unit": line.unit,
                    "amount": _rounded(line.amount),
                    "free_amount": _rounded(line.free_amount),
                    "charged_amount": _rounded(line.charged_amount),
                    "cost": _rounded(line.cost),
                    "without_free_quotas": _rounded(line.full_cost),
                    "note": line.note,
                    "sources": list(line.sources),
                    "dated": line.dated,
                }
                for line in self.bill.lines
            ],
            "total": _rounded(self.bill.total),
            "without_free_quotas": _rounded(self.bill.full_total),
            "charged": [line.item for line in self.bill.charged],
            "notes": list(self.notes),
        }

    def text(self) -> Iterator[str]:
        """The bill for a terminal, line by line, and what would be charged."""
        yield f"{'':<30}{'amount':>14}  {'unit':<19}{'free':>4}{'dollars':>11}"
        for line in self.bill.lines:
            name = line.name if len(line.name) <= 30 else f"{line.name[:27]}..."
            yield (
                f"{name:<30}{amount_text(line.amount):>14}  {line.unit:<19}{line.free_share:>4.0%}"
                f"{dollars(line.cost):>11}"
            )
            if line.note:
                yield f"  {line.note}"
        yield f"{'a month of 30 days':<69}{dollars(self.bill.total):>11}"
        yield f"{'the same without free quotas':<69}{dollars(self.bill.full_total):>11}"
        yield ""
        if self.bill.charged:
            told = ", ".join(f"{one.name} {dollars(one.cost)}" for one in self.bill.charged)
            yield from textwrap.wrap(f"This would be charged: {told}.", 78)
        else:
            yield "Nothing would be charged: all of it lies within the free quotas."
        for note in self.notes:
            yield from textwrap.wrap(f"Note: {note}", 78, subsequent_indent="  ")


def _rounded(number: Decimal) -> float:
    return float(round(number, 6))


def amount_text(number: Decimal) -> str:
    """An amount with as many digits as say something."""
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:,.2f}"


def estimate(stack: Stack, traffic: Traffic, prices: Pricing, *, free: bool = True) -> Estimate:
    """The month of a stack; without ``free`` other stacks have used up the free quotas."""
    made = _Usage(stack, traffic)
    made.tables()
    for mapping in stack.of_type("AWS::Lambda::EventSourceMapping"):
        made.mapping(mapping)
    made.watching()
    made.messaging()
    made.unpriced()
    made.notes.append(
        f"The month has {pricing.MONTH_DAYS} days. A stack that stands for a part of it pays that "
        "part of what stands still (capacity, alarms, dashboards, storage)."
    )
    return Estimate(pricing.bill(made.amounts, prices, free=free), tuple(made.notes))


class _Usage:
    """Amounts by item of the price list, gathered from a stack."""

    def __init__(self, stack: Stack, traffic: Traffic) -> None:
        self.notes: list[str] = []
        unsure = {
            (one.line, one.reason)
            for one in unknowns([*(made.properties for made in stack.resources.values())])
        } | {(one.line, one.reason) for one in unknowns(dict(stack.conditions))}

        def priced(told: Problem) -> bool:
            return (told.line, told.sentence) in unsure

        self.left_out = [told for told in stack.beyond if not priced(told)]
        left = {
            name: self._settled(stack, one)
            for name, one in stack.resources.items()
            if all(priced(told) for told in one.unplayed)
        }
        self.stack = replace(stack, resources=left)
        self.traffic = traffic
        self.amounts: dict[str, Decimal] = {}
        self.month_s = Decimal(pricing.MONTH_DAYS * 86_400)

    def _settled(self, stack: Stack, resource: Resource) -> Resource:
        """The resource without values that cannot be known; what they stood for is noted."""
        name = resource.logical_id
        exists = stack.conditions.get(resource.condition or "")
        if isinstance(exists, Unknown):
            self.notes.append(
                f"line {resource.line}: whether {name} exists depends on {resource.condition}, "
                f"which is not known here: {exists.reason} It is counted."
            )

        def settled(value: Any, path: tuple[str | int, ...]) -> Any:
            if isinstance(value, list):
                return [settled(one, (*path, index)) for index, one in enumerate(value)]
            if not isinstance(value, Mapping):
                return value
            kept = {}
            for key, one in value.items():
                reason = next(unknowns(one), None) if not isinstance(one, Mapping) else None
                if key in _PRICED and reason is not None and not _parts_known(one):
                    self.notes.append(
                        f"line {resource.line_of(*path, key)}: {key} of {name} is not known "
                        f"here: {reason.reason} What AWS takes without it is counted."
                    )
                else:
                    kept[key] = settled(one, (*path, key))
            return kept

        return replace(resource, properties=settled(resource.properties, ()))

    def add(self, item: str, amount: Decimal | int | float) -> None:
        number = Decimal(str(amount))
        if number:
            self.amounts[item] = self.amounts.get(item, Decimal(0)) + number

    @property
    def writes(self) -> Decimal:
        """Writes of a month to one table with a stream."""
        return Decimal(str(self.traffic.writes_per_second)) * self.month_s

    @property
    def messages(self) -> int:
        """What a month's messages to one queue or topic count as."""
        return self.traffic.messages * max(1, -(-self.traffic.message_bytes // MESSAGE_PART_BYTES))

    def tables(self) -> None:
        for table in self.stack.of_type("AWS::DynamoDB::Table"):
            given = table.properties
            written = "StreamSpecification" in given
            indexes = given.get("GlobalSecondaryIndexes", [])
            kind = _price_of(table)
            if _provisioned(table):
                for one in (given, *indexes):
                    capacity = one.get("ProvisionedThroughput", {})
                    for item, name in (("wcu", "Write"), ("rcu", "Read")):
                        stands = Decimal(str(capacity.get(f"{name}CapacityUnits", 0)))
                        self.add(f"{kind}_{item}_hours", pricing.capacity_hours(stands))
            elif written:
                units = write_units(self.traffic.item_bytes) * (1 + len(indexes))
                self.add(f"{kind}_write_requests", self.writes * units)
            if written:
                size = self.traffic.item_bytes + ITEM_OVERHEAD_BYTES
                self.add(f"{kind}_storage_gb", self.writes * size / GB)
                self.add(
                    "stream_reads_by_others",
                    Decimal(str(self.traffic.reads_per_second)) * self.month_s,
                )
            if given.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
                self.notes.append(
                    f"{table.logical_id}: point-in-time recovery is billed by the GB stored; it is "
                    "not in this estimate."
                )
        if any(item.endswith("storage_gb") for item in self.amounts):
            self.notes.append("Storage is that of a month's new items; it grows every month.")

    def mapping(self, mapping: Resource) -> None:
        found = self.stack.function(str(mapping.properties.get("FunctionName")))
        if found is None:
            self.notes.append(
                f"{mapping.logical_id}: its function is not in this template, so that what it "
                "causes is not in this estimate."
            )
        if found is None or not mapping.properties.get("Enabled", True):
            return
        function = found[0]
        rate = self.traffic.writes_per_second * self.traffic.passing
        choice = _choice(mapping, function)
        self.add("stream_reads_by_lambda", self.month_s * 4)
        if not rate:
            return
        handler = Handler(
            call_ms=0,
            record_ms=0,
            call_wait_ms=self.traffic.call_ms,
            record_wait_ms=self.traffic.record_ms,
        )
        # A trickle needs a longer look than a stream: at least some hundred records.
        sample_s = max(SAMPLE_S, min(86_400, round(300 / rate)))
        outcome = simulate(Load.steady(rate, sample_s), handler, choice)
        for item, amount in outcome.usage().items():
            self.add(item, amount)
        calls = Decimal(outcome.invocations) * self.month_s / sample_s
        self._logs(function, calls * self.traffic.log_bytes / GB)
        self._function_writes(self.writes * Decimal(str(self.traffic.passing)))
        if outcome.backlog_grows:
            self.notes.append(
                f"{function.logical_id} does not keep up with {rate:g} records a second on one "
                "shard: the lag grows, and only what is processed is billed here."
            )

    def _logs(self, function: Resource, written_gb: Decimal) -> None:
        self.add("logs_ingested_gb", written_gb)
        logging = function.properties.get("LoggingConfig", {})
        name = logging.get("LogGroup", f"/aws/lambda/{function.physical_id}")
        group = self.stack.by_physical(name, "AWS::Logs::LogGroup")
        days = group.properties.get("RetentionInDays") if group else None
        kept = min(int(days), pricing.MONTH_DAYS) if days else pricing.MONTH_DAYS
        self.add("logs_stored_gb", written_gb * kept / pricing.MONTH_DAYS)
        if days is None:
            self.notes.append(
                f"The log of {function.logical_id} is kept for ever: each month adds "
                f"{written_gb:,.2f} GB to what is stored."
            )

    def _function_writes(self, records: Decimal) -> None:
        """What the function writes, where a table is billed by the request."""
        others = [
            table
            for table in self.stack.of_type("AWS::DynamoDB::Table")
            if "StreamSpecification" not in table.properties
        ]
        # Which of them it writes to, nobody says: the dearest that is billed by the request counts.
        kinds = {_price_of(table) for table in others if not _provisioned(table)}
        if kinds:
            units = records * Decimal(str(self.traffic.units_per_record))
            self.add(f"{max(kinds, key=len)}_write_requests", units)

    def watching(self) -> None:
        for alarm in self.stack.of_type("AWS::CloudWatch::Alarm"):
            given = alarm.properties
            metrics = [one for one in given.get("Metrics", []) if "MetricStat" in one]
            periods = [one["MetricStat"]["Period"] for one in metrics] or [given.get("Period", 60)]
            quick = min(periods) < 60
            # An expression counts each metric that it reads.
            self.add("alarms_high_resolution" if quick else "alarms", max(1, len(metrics)))
        self.add("alarms_composite", len(self.stack.of_type("AWS::CloudWatch::CompositeAlarm")))
        for dashboard in self.stack.of_type("AWS::CloudWatch::Dashboard"):
            self.add(self._dashboard(dashboard), 1)
        self.add("custom_metrics", self.traffic.custom_metrics)

    def _dashboard(self, dashboard: Resource) -> str:
        """The item of a dashboard: one of more than 50 metrics is never free."""
        read = dashboards.parse(str(dashboard.properties.get("DashboardBody", "{}")))
        signals = {(one.namespace, one.name, one.dimensions) for one in read.signals}
        if any("SEARCH(" in one.expression for widget in read.widgets for one in widget.maths):
            self.notes.append(
                f"{dashboard.logical_id}: how many metrics its searches find is not known here; "
                f"with more than {FREE_DASHBOARD_METRICS} it is not one of the free dashboards."
            )
        return "dashboards_large" if len(signals) > FREE_DASHBOARD_METRICS else "dashboards"

    def messaging(self) -> None:
        for queue in self.stack.of_type("AWS::SQS::Queue"):
            kind = "sqs_fifo_requests" if queue.properties.get("FifoQueue") else "sqs_requests"
            # Sent, received, deleted.
            self.add(kind, self.messages * 3)
        for topic in self.stack.of_type("AWS::SNS::Topic"):
            self.add("sns_publishes", self.messages)
            inside = topic.properties.get("Subscription", [])
            apart = [
                one.properties
                for one in self.stack.of_type("AWS::SNS::Subscription")
                if one.properties.get("TopicArn") == topic.physical_id
            ]
            protocols = [str(one["Protocol"]) for one in (*inside, *apart) if "Protocol" in one]
            mails = sum(protocol.startswith("email") for protocol in protocols)
            self.add("sns_emails", self.messages * mails)
            charged = sorted({one for one in protocols if not one.startswith(FREE_DELIVERIES)})
            if charged:
                self.notes.append(
                    f"{topic.logical_id}: deliveries by {', '.join(charged)} are charged apart; "
                    "they are not in this estimate."
                )

    def unpriced(self) -> None:
        for told in self.left_out:
            self.notes.append(f"line {told.line}: {told.sentence} It is not in this estimate.")
        for resource in self.stack.resources.values():
            if resource.type not in FREE | COUNTED:
                self.notes.append(
                    f"{resource.logical_id} ({resource.type}) has no price here: it is not in "
                    "this estimate."
                )


def _parts_known(value: Any) -> bool:
    """Whether a list has objects in it: what is unknown in those is told by its own name."""
    return isinstance(value, list) and all(isinstance(one, Mapping) for one in value)


def _provisioned(table: Resource) -> bool:
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
    return bool(table.properties.get("BillingMode", "PROVISIONED") == "PROVISIONED")


def _price_of(table: Resource) -> str:
    """What the items of the price list begin with for a table of this class."""
    infrequent = table.properties.get("TableClass") == "STANDARD_INFREQUENT_ACCESS"
    return "dynamodb_ia" if infrequent else "dynamodb"


def _choice(mapping: Resource, function: Resource) -> Choice:
    """Settings of a mapping and its function, with AWS's defaults for what is absent."""
    on: Mapping[str, Any] = mapping.properties
    of: Mapping[str, Any] = function.properties
    return Choice(
        batch_size=int(on.get("BatchSize", 100)),
        window_s=int(on.get("MaximumBatchingWindowInSeconds", 0)),
        parallelization=int(on.get("ParallelizationFactor", 1)),
        memory_mb=int(of.get("MemorySize", 128)),
        timeout_s=int(of.get("Timeout", 3)),
        architecture=str(of.get("Architectures", ["x86_64"])[0]),
    )
