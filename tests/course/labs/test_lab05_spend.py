"""Lab 5's replay of months: when a budget's notification goes out, and when it never does."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from grader.cloud import template
from grader.course.labs.lab05.spend import (
    LOOP_MONTH,
    ORDINARY_YEAR,
    TOLD_BELOW,
    Notice,
    first_told,
)

STACK = template.resolve("""
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Spend:
    Type: AWS::Budgets::Budget
    Properties:
      Budget:
        BudgetType: COST
        TimeUnit: MONTHLY
        BudgetLimit: {Amount: 20, Unit: USD}
""")
GOOD = Notice(
    budget=STACK.resources["Spend"],
    index=0,
    kind="ACTUAL",
    operator="GREATER_THAN",
    threshold_cents=Decimal(1500),
    percent=100,
    credits=False,
    period="MONTHLY",
    deaf="",
)


def test_the_months_are_what_the_readme_says() -> None:
    """Nine dollars in an ordinary month; from day 12 on 4 dollars a day."""
    assert sum(ORDINARY_YEAR[:30]) == 900
    assert (LOOP_MONTH[10], LOOP_MONTH[11]) == (30, 400)


def test_a_budget_knows_the_charges_up_to_the_day_before() -> None:
    """15.30 dollars on day 14: the limit of 15 is passed, and told at the end of day 15."""
    assert sum(LOOP_MONTH[:14]) == 1530
    assert GOOD.fires(LOOP_MONTH) == 15
    assert sum(LOOP_MONTH[:15]) < TOLD_BELOW
    assert GOOD.fires(ORDINARY_YEAR) is None


@pytest.mark.parametrize("dollars", [10, 12, 15, 16, 20, 23])
def test_every_threshold_between_ordinary_and_too_late_is_right(dollars: int) -> None:
    one = replace(GOOD, threshold_cents=Decimal(dollars * 100))
    day = one.fires(LOOP_MONTH)
    assert day is not None and sum(LOOP_MONTH[:day]) < TOLD_BELOW
    assert one.fires(ORDINARY_YEAR) is None


def test_after_credits_nothing_is_ever_told() -> None:
    assert replace(GOOD, percent=0, credits=True).fires(LOOP_MONTH) is None


def test_a_forecast_and_a_deaf_notification_are_never_told() -> None:
    assert replace(GOOD, kind="FORECASTED").fires(LOOP_MONTH) is None
    assert replace(GOOD, deaf="nobody is subscribed").fires(LOOP_MONTH) is None


def test_a_daily_budget_sees_one_day_and_an_annual_one_adds_up() -> None:
    daily = replace(GOOD, period="DAILY", threshold_cents=Decimal(100))
    assert daily.fires(LOOP_MONTH) == 13
    assert daily.fires(ORDINARY_YEAR) is None
    # 15 dollars are reached on day 51 of ordinary days, and told a day later.
    assert replace(GOOD, period="ANNUALLY").fires(ORDINARY_YEAR) == 52


def test_a_filter_by_service_counts_its_share() -> None:
    """30 percent of the loop's dollars are Lambda's: 15 of them only with 50 in all."""
    one = replace(GOOD, percent=30)
    day = one.fires(LOOP_MONTH)
    assert day is not None and sum(LOOP_MONTH[: day - 1]) * 30 > 150_000


def test_less_than_is_told_at_once() -> None:
    assert replace(GOOD, operator="LESS_THAN").fires(ORDINARY_YEAR) == 2


def test_the_first_of_several_is_found() -> None:
    late = replace(GOOD, threshold_cents=Decimal(2000), index=1)
    told = first_told([late, GOOD], LOOP_MONTH)
    assert told is not None and (told.index, told.day) == (0, 15)
    assert first_told([], LOOP_MONTH) is None
