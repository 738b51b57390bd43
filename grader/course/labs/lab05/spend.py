"""Months of spending, replayed against the stack's budgets: who is told, and when.

What AWS documents is emulated: a budget compares the charges of its period with each notification's
threshold, with or without credits. What it leaves open is chosen here:

- a budget is looked at at the end of each day and knows the charges up to the end of the day
  before (AWS updates budgets some times a day, and charges arrive late:
  https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-managing-costs.html);
- the account is new: AWS has no history to forecast from, so no FORECASTED notification comes;
- credits pay every charge, and EstimatedCharges is not judged: AWS does not say whether credits are
  taken off it;
- a notification goes out once in a budget's period. One that went out before the day on which the
  loop begins has told nobody of the loop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from grader.cloud.clock import START_MS
from grader.cloud.template import Problem
from grader.course.play.paging import lets_in
from grader.course.play.stops import NotPlayed
from grader.replay.incidents import PEOPLE
from grader.replay.watching import SNS_OWN_KEY
from grader.review.pricing import dollars

if TYPE_CHECKING:
    from grader.cloud.template import Resource
    from grader.course.stage import Stage

DAYS = 30
# Cents of a day: an ordinary one, and one of a loop that somebody deployed.
ORDINARY, LOOP = 30, 400
LOOP_FROM_DAY = 12
# Somebody must know before the month has cost this much (cents).
TOLD_BELOW = 3_000
DAY_MS = 86_400_000


class Charge(NamedTuple):
    """A line of each day's bill: whose it is, of which record type, in percent of the charges."""

    service: str
    record: str
    percent: int


SHARES = {"Amazon DynamoDB": 60, "AWS Lambda": 30, "AmazonCloudWatch": 10}
# What was used, and the credits that pay for it.
CHARGES = tuple(
    Charge(service, record, sign * share)
    for record, sign in (("Usage", 1), ("Credit", -1))
    for service, share in SHARES.items()
)

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
    """One notification of one budget, and whom it reaches; ``deaf`` says why nobody.

    ``percent`` is how much of each day's charges the budget counts, ``credits`` whether it counts
    credits, too. It speaks only from day ``first`` to day ``last`` of the replay, both included.
    """

    budget: Resource
    index: int
    kind: str
    operator: str
    threshold_cents: Decimal
    percent: int
    credits: bool
    period: str
    deaf: str
    first: int = 1
    last: int = DAYS * 12

    def fires(self, charges: Sequence[int], since: int = 1) -> int | None:
        """The first day from ``since`` on at whose end this goes out for these daily charges."""
        if self.kind != "ACTUAL" or self.deaf:
            return None
        length = DAYS * PERIOD_MONTHS[self.period] or 1
        told_in = None
        for day in range(max(2, self.first), min(len(charges), self.last) + 1):
            # Known at the end of a day: the charges up to the end of the day before.
            period = (day - 2) // length
            cents = Decimal(sum(charges[period * length : day - 1])) * self.percent / 100
            if period == told_in or not _compares(self.operator)(cents, self.threshold_cents):
                continue
            if day >= since:
                return day
            told_in = period
        return None


def _compares(operator: str) -> Callable[[Decimal, Decimal], bool]:
    return {
        "GREATER_THAN": lambda spent, limit: spent > limit,
        "LESS_THAN": lambda spent, limit: spent < limit,
        "EQUAL_TO": lambda spent, limit: spent == limit,
    }[operator]


def notices(stage: Stage) -> list[Notice]:
    """Every notification of every cost budget of the stack. Raises NotPlayed, as `_counted`."""
    found = []
    for budget in stage.stack.of_type("AWS::Budgets::Budget"):
        given = budget.properties["Budget"]
        if given["BudgetType"] != "COST":
            continue
        limit = Decimal(str(given["BudgetLimit"]["Amount"])) * 100
        counted = _counted(stage, budget, given)
        period = given.get("TimePeriod", {})
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
                    percent=sum(charge.percent for charge in counted),
                    credits=any(charge.record == "Credit" for charge in counted),
                    period=given["TimeUnit"],
                    deaf=_deaf(stage, entry["Subscribers"]),
                    first=_day(budget, period.get("Start", "0"), "Start"),
                    last=_day(budget, period.get("End", NO_END), "End") - 1,
                )
            )
    return found


# When a budget ends whose template does not say: "06/15/87 00:00 UTC", which is 2087.
# https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_TimePeriod.html
NO_END = "3706473600"


def _day(budget: Resource, seconds: str, name: str) -> int:
    """The day of the replay, from 1, on which a moment lies; the replay begins with the account."""
    if not re.fullmatch(r"[0-9]+", seconds):
        _beyond(budget, f"a {name} that is no number of seconds", "Budget", "TimePeriod", name)
    return (int(seconds) * 1000 - START_MS) // DAY_MS + 1


def first_told(found: Sequence[Notice], charges: Sequence[int], since: int = 1) -> Told | None:
    """The first notification, from day ``since`` on, that reaches somebody.

    Each day costs ``charges`` cents.
    """
    told = [Told(one.budget, one.index, day) for one in found if (day := one.fires(charges, since))]
    return min(told, key=lambda one: one.day, default=None)


# -- what a budget counts -------------------------------------------------------------------------


def _counted(stage: Stage, budget: Resource, given: Mapping[str, Any]) -> list[Charge]:
    """The charges that the budget adds up. Raises NotPlayed at a filter that is not replayed.

    AWS says what each member is: ``Metrics`` how the data is aggregated, ``FilterExpression`` and
    ``CostFilters`` which of it, ``CostTypes`` which types of cost.
    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Budget.html
    A documented choice, for AWS does not say it: with one of the first two the others count for
    nothing, and credits are in unless the expression leaves their record type out.
    """
    for metric in given.get("Metrics", []):
        # All of them are dollars, and in one account without reservations they are the same ones.
        if not metric.endswith("Cost"):
            _beyond(budget, f"the metric {metric}", "Budget", "Metrics")
    whole = given.get("FilterExpression")
    if whole is not None or "Metrics" in given:
        return [one for one in CHARGES if whole is None or _matches(stage, budget, whole, one)]
    kept = list(CHARGES)
    if given.get("CostTypes", {}).get("IncludeCredit", True) is False:
        kept = [one for one in kept if one.record != "Credit"]
    for name, values in (given.get("CostFilters") or {}).items():
        kept = [one for one in kept if _is_one_of(stage, budget, name, values, one, "CostFilters")]
    return kept


def _matches(stage: Stage, budget: Resource, told: Mapping[str, Any], charge: Charge) -> bool:
    """Whether an expression takes a charge in: And takes what all match, Or what any does.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Expression.html
    A documented choice, for AWS does not say it: members beside each other all have to match.
    """
    for name, part in told.items():
        if name == "Dimensions":
            odd = set(part.get("MatchOptions", [])) - {"EQUALS", "CASE_SENSITIVE"}
            if odd:
                _beyond(budget, f"the match option {min(odd)}", "Budget", "FilterExpression")
            values = part.get("Values", [])
            takes = _is_one_of(stage, budget, part.get("Key"), values, charge, "FilterExpression")
        elif name == "Not":
            takes = not _matches(stage, budget, part, charge)
        elif name == "And":
            takes = all(_matches(stage, budget, one, charge) for one in part)
        elif name == "Or":
            takes = any(_matches(stage, budget, one, charge) for one in part)
        else:
            _beyond(budget, f"a filter by {name}", "Budget", "FilterExpression")
        if not takes:
            return False
    return True


def _is_one_of(
    stage: Stage, budget: Resource, name: str | None, values: Any, charge: Charge, of: str
) -> bool:
    """Whether a dimension of a charge has one of the values."""
    has = {
        "SERVICE": charge.service,
        "REGION": stage.stack.region,
        "RECORDTYPE": charge.record,
        "LINKEDACCOUNT": stage.stack.account_id,
    }.get(re.sub("[^A-Z]", "", str(name).upper()))
    if has is None:
        # Tags, for one, count only after they were activated for billing.
        _beyond(budget, f"a filter by {name}", "Budget", of)
    return has in ([values] if isinstance(values, str) else values)


def _beyond(budget: Resource, what: str, *path: str) -> NoReturn:
    sentence = f"{budget.logical_id}: AWS takes {what}; the labs cannot replay months with it."
    raise NotPlayed(Problem(budget.line_of(*path), None, sentence, "template.yaml", "unplayed"))


# -- who hears ------------------------------------------------------------------------------------


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
    if _locked(topic):
        return f"{topic.logical_id} is encrypted with {SNS_OWN_KEY}, which lets no budget publish"
    budgets = f"arn:aws:budgets::{stage.stack.account_id}:*"
    if not any(
        lets_in(stage, policy, arn, "budgets.amazonaws.com", [budgets])
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
    if not any(
        str(one["Protocol"]) in PEOPLE
        # A filter reads message attributes, of which a budget's message has none.
        and not one.get("FilterPolicy")
        for one in given
    ):
        return f"nobody is subscribed to {topic.logical_id}"
    return ""


def _locked(topic: Resource) -> bool:
    return str(topic.properties.get("KmsMasterKeyId", "")).endswith(SNS_OWN_KEY)


# -- in words -------------------------------------------------------------------------------------


def why_nobody(stage: Stage, found: Sequence[Notice]) -> str:
    """What keeps each notification from telling of the loop, as a clause."""
    if not found:
        budgets = stage.stack.of_type("AWS::Budgets::Budget")
        if not budgets:
            billing = _billing(stage)
            note = (
                f" ({billing[0]} watches EstimatedCharges, of which AWS does not say whether "
                "credits are taken off)"
                if billing
                else ""
            )
            return f": the template has no AWS::Budgets::Budget{note}"
        first = budgets[0]
        if first.properties["Budget"]["BudgetType"] != "COST":
            return f": {first.logical_id} counts usage, not dollars"
        return f": {first.logical_id} has no notification"
    one = found[0]
    if one.deaf:
        return f": {one.deaf}"
    if one.kind != "ACTUAL":
        return ": a new account has no history, so nothing is FORECASTED"
    if one.credits:
        said = "FilterExpression" if _has_metrics(one) else "IncludeCredit"
        return (
            f": {one.budget.logical_id} counts after credits ({said} takes them in unless told "
            "otherwise), and that is $0.00 all month"
        )
    if early := one.fires(LOOP_MONTH):
        return (
            f": {one.budget.logical_id} speaks on day {early}, before the loop begins, and not "
            "again in its period"
        )
    if one.first > 1 or one.last < DAYS:
        return f": {one.budget.logical_id} lies outside of its TimePeriod"
    if one.operator != "GREATER_THAN":
        return f": what {one.budget.logical_id} counts is never {one.operator} its threshold"
    limit = dollars(one.threshold_cents / 100)
    return f": {one.budget.logical_id} waits for {limit} in its period and services"


def _billing(stage: Stage) -> list[str]:
    alarms = stage.stack.of_type("AWS::CloudWatch::Alarm")
    return [one.logical_id for one in alarms if one.properties.get("Namespace") == "AWS/Billing"]


def _has_metrics(one: Notice) -> bool:
    given = one.budget.properties["Budget"]
    return "Metrics" in given or "FilterExpression" in given


def line_of_budget(stage: Stage, found: Sequence[Notice]) -> str:
    """The line whose change would let somebody be told."""
    budgets = stage.stack.of_type("AWS::Budgets::Budget")
    if not budgets and (billing := _billing(stage)):
        return stage.property_line(billing[0])
    if not budgets:
        return "template.yaml (there is no AWS::Budgets::Budget)"
    if not found:
        return stage.property_line(budgets[0].logical_id, "Budget", "BudgetType")
    one = found[0]
    notice: tuple[str | int, ...] = ("NotificationsWithSubscribers", one.index)
    path: tuple[str | int, ...] = (*notice, "Notification", "Threshold")
    if one.deaf:
        for subscriber in _subscribers(one):
            topic = stage.stack.by_physical(subscriber["Address"], "AWS::SNS::Topic")
            if topic is not None and _locked(topic):
                return stage.property_line(topic.logical_id, "KmsMasterKeyId")
        path = (*notice, "Subscribers")
    elif one.kind != "ACTUAL":
        path = (*notice, "Notification", "NotificationType")
    elif one.credits:
        own = "FilterExpression" if _has_metrics(one) else "CostTypes"
        path = ("Budget", own, "IncludeCredit") if own == "CostTypes" else ("Budget", own)
    elif one.first > 1 or one.last < DAYS:
        path = ("Budget", "TimePeriod")
    elif one.operator != "GREATER_THAN":
        path = (*notice, "Notification", "ComparisonOperator")
    elif PERIOD_MONTHS[one.period] > 1:
        path = ("Budget", "TimeUnit")
    elif one.percent < 100:
        path = ("Budget", "FilterExpression" if _has_metrics(one) else "CostFilters")
    return stage.property_line(one.budget.logical_id, *path)


def line_of_noise(stage: Stage, told: Told) -> str:
    """The line whose change would keep a budget quiet: its period, or what it waits for."""
    budget = told.budget.properties["Budget"]
    path: tuple[str | int, ...] = ("Budget", "TimeUnit")
    if PERIOD_MONTHS[budget["TimeUnit"]] <= 1:
        path = ("NotificationsWithSubscribers", told.index, "Notification", "Threshold")
    return stage.property_line(told.budget.logical_id, *path)


def _subscribers(one: Notice) -> list[dict[str, str]]:
    entries: list[dict[str, Any]] = one.budget.properties["NotificationsWithSubscribers"]
    return list(entries[one.index]["Subscribers"])
