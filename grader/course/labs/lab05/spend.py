"""Months of spending, replayed against the stack's budgets: who is told, and when.

What AWS documents is emulated: a budget compares the charges of its period with each notification's
threshold, with or without credits. What it leaves open is chosen here:

- a budget is looked at at the end of each day and knows the charges up to the end of the day
  before (AWS updates budgets some times a day, and charges arrive late:
  https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-managing-costs.html);
- the account is new: AWS has no history to forecast from, so no FORECASTED notification comes;
- credits pay every charge, and EstimatedCharges is not judged: AWS does not say whether credits are
  taken off it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from grader.cloud import iam
from grader.cloud.aws import Refused
from grader.course.play.stops import ResourceRefused

if TYPE_CHECKING:
    from grader.cloud.template import Resource
    from grader.course.stage import Stage

DAYS = 30
# Cents of a day: an ordinary one, and one of a loop that somebody deployed.
ORDINARY, LOOP = 30, 400
LOOP_FROM_DAY = 12
# Somebody must know before the month has cost this much (cents).
TOLD_BELOW = 3_000
# How a day's charges divide among the services, in percent.
SHARES = {"Amazon DynamoDB": 60, "AWS Lambda": 30, "AmazonCloudWatch": 10}

# How many months belong to one period of a budget.
PERIOD_MONTHS = {"DAILY": 0, "MONTHLY": 1, "QUARTERLY": 3, "ANNUALLY": 12}

ORDINARY_YEAR: tuple[int, ...] = (ORDINARY,) * (DAYS * 12)
LOOP_MONTH: tuple[int, ...] = tuple(
    LOOP if day >= LOOP_FROM_DAY else ORDINARY for day in range(1, DAYS + 1)
)


@dataclass(frozen=True)
class Told:
    """A notification that went out: by which budget, at the end of which day (from 1)."""

    budget: Resource
    index: int
    day: int


@dataclass(frozen=True)
class Notice:
    """One notification of one budget, and whom it reaches; ``deaf`` says why nobody."""

    budget: Resource
    index: int
    kind: str
    operator: str
    threshold_cents: Decimal
    shares: Mapping[str, int]
    before_credits: bool
    period: str
    deaf: str

    def fires(self, charges: Sequence[int]) -> int | None:
        """The day at whose end this notification goes out for these daily charges, or None."""
        if self.kind != "ACTUAL" or self.deaf:
            return None
        share = Decimal(sum(self.shares.values())) / 100
        months = PERIOD_MONTHS[self.period]
        for day in range(2, len(charges) + 1):
            # Known at the end of a day: the charges up to the end of the day before.
            known = day - 1
            first = known - 1 if not months else (known - 1) // (DAYS * months) * DAYS * months
            cents = Decimal(sum(charges[first:known])) * share if self.before_credits else Decimal()
            if _compares(self.operator)(cents, self.threshold_cents):
                return day
        return None


def _compares(operator: str) -> Callable[[Decimal, Decimal], bool]:
    return {
        "GREATER_THAN": lambda spent, limit: spent > limit,
        "LESS_THAN": lambda spent, limit: spent < limit,
        "EQUAL_TO": lambda spent, limit: spent == limit,
    }[operator]


def notices(stage: Stage) -> list[Notice]:
    """Every notification of every cost budget of the stack; stops at what is not played."""
    found = []
    for budget in stage.stack.of_type("AWS::Budgets::Budget"):
        given = budget.properties["Budget"]
        if given["BudgetType"] != "COST":
            continue
        limit = Decimal(str(given["BudgetLimit"]["Amount"])) * 100
        shares = _shares(stage, budget, given.get("CostFilters") or {})
        before = given.get("CostTypes", {}).get("IncludeCredit", True) is False
        for index, entry in enumerate(budget.properties.get("NotificationsWithSubscribers", [])):
            one = entry["Notification"]
            threshold = Decimal(str(one["Threshold"]))
            absolute = one.get("ThresholdType", "PERCENTAGE") == "ABSOLUTE_VALUE"
            found.append(
                Notice(
                    budget=budget,
                    index=index,
                    kind=one["NotificationType"],
                    operator=one["ComparisonOperator"],
                    threshold_cents=threshold * 100 if absolute else limit * threshold / 100,
                    shares=shares,
                    before_credits=before,
                    period=given["TimeUnit"],
                    deaf=_deaf(stage, entry["Subscribers"]),
                )
            )
    return found


def first_told(found: Sequence[Notice], charges: Sequence[int]) -> Told | None:
    """The first notification that reaches somebody when each day costs ``charges`` cents."""
    told = [Told(one.budget, one.index, day) for one in found if (day := one.fires(charges))]
    return min(told, key=lambda one: one.day, default=None)


def _shares(stage: Stage, budget: Resource, filters: Mapping[str, Any]) -> Mapping[str, int]:
    """The services whose charges the budget counts. Stops at a filter that is not played."""
    shares: Mapping[str, int] = SHARES
    for name, values in filters.items():
        if name == "Region":
            shares = shares if stage.stack.region in values else {}
        elif name == "Service":
            shares = {service: share for service, share in shares.items() if service in values}
        else:
            stage.stop(
                "budget",
                stage.finding(
                    rule="A budget's filter is one that the replay knows.",
                    input=f"{budget.logical_id} in template.yaml",
                    expected="CostFilters by Service or Region, or none",
                    observed=f"a filter by {name}, which is not emulated",
                    why="The replayed charges are known by service and Region. Tags, for one, count"
                    " only after they were activated for billing.",
                    where=stage.property_line(budget.logical_id, "Budget", "CostFilters", name),
                    page=f"{stage.lab.page}#budget",
                ),
            )
    return shares


def _deaf(stage: Stage, subscribers: Sequence[Mapping[str, str]]) -> str:
    """Why none of the subscribers is a person who hears; empty when one is."""
    reasons = []
    for one in subscribers:
        if one["SubscriptionType"] == "EMAIL":
            return ""
        reason = _why_topic_is_silent(stage, one["Address"])
        if not reason:
            return ""
        reasons.append(reason)
    return "; ".join(reasons) or "it has no subscriber"


def _why_topic_is_silent(stage: Stage, arn: str) -> str:
    topic = stage.stack.by_physical(arn, "AWS::SNS::Topic")
    if topic is None:
        return f"{arn} is no topic of this stack"
    # https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
    if not any(
        _lets_budgets_in(stage, policy, arn)
        for policy in stage.stack.of_type("AWS::SNS::TopicPolicy")
        if arn in policy.properties["Topics"]
    ):
        return f"no policy lets budgets.amazonaws.com publish to {topic.logical_id}"
    given = [
        *topic.properties.get("Subscription", []),
        *(
            one.properties
            for one in stage.stack.of_type("AWS::SNS::Subscription")
            if one.properties["TopicArn"] == arn
        ),
    ]
    if not any(str(one["Protocol"]) in ("email", "email-json", "sms") for one in given):
        return f"nobody is subscribed to {topic.logical_id} by e-mail or telephone"
    return ""


def _lets_budgets_in(stage: Stage, policy: Resource, arn: str) -> bool:
    context = {
        "aws:SourceAccount": stage.stack.account_id,
        "aws:SourceArn": f"arn:aws:budgets::{stage.stack.account_id}:*",
    }
    try:
        document = iam.policy(
            policy.logical_id, policy.properties["PolicyDocument"], resource_policy=True
        )
        return iam.evaluate_request(
            [], [document], "budgets.amazonaws.com", "sns:Publish", arn, context
        ).allowed
    except iam.PolicyRefused as refusal:
        raise ResourceRefused(
            "alarm",
            policy.logical_id,
            Refused(refusal.code, refusal.message, "PolicyDocument"),
        ) from refusal
