"""Bills against figures worked out by hand, each with its inputs; and what a bill always obeys."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cloud.dynamodb.units import read_units, write_units
from grader.review.pricing import (
    Pricing,
    bill,
    capacity_hours,
    dollars,
    gb_seconds,
    load,
    parse,
)

PRICES = load()

# What, the month's amounts, and the dollars, worked out by hand with the prices of pricing.toml.
BY_HAND = [
    ("nothing", {}, "0"),
    ("1 M requests are free", {"lambda_requests": 1_000_000}, "0"),
    ("(3 M - 1 M) x 0.20 / M", {"lambda_requests": 3_000_000}, "0.40"),
    # 3 M calls of 120 ms at 1,536 MB: 360,000 s x 1.5 GB = 540,000; less 400,000 free; x 0.0000166667
    ("140,000 GB-s", {"lambda_gb_seconds_x86": 540_000}, "2.333338"),
    (
        "requests and compute of that",
        {"lambda_requests": 3_000_000, "lambda_gb_seconds_x86": 540_000},
        "2.733338",
    ),
    ("the same on arm: 140,000 x 0.0000133334", {"lambda_gb_seconds_arm": 540_000}, "1.866676"),
    # One quota for both: 400,000 of the x86 amount, then 100,000 x86 and 500,000 arm are charged.
    (
        "x86 and arm share a quota",
        {"lambda_gb_seconds_x86": 500_000, "lambda_gb_seconds_arm": 500_000},
        "8.33337",  # 1.66667 + 6.6667
    ),
    # 6 G - 400,000 at the first price, 1 G at the second.
    (
        "second tier: 5,999,600,000 x 0.0000166667 + 1 G x 0.000015",
        {"lambda_gb_seconds_x86": 7_000_000_000},
        "114993.53332",
    ),
    # 5,000 a minute in batches of 100: 72,000 a day, 2.16 M a month; 1.16 M charged.
    ("batches of 100 at 5,000 a minute", {"lambda_requests": 72_000 * 30}, "0.232"),
    ("one record a call: 216 M - 1 M", {"lambda_requests": 7_200_000 * 30}, "43"),
    # 10 executions of 512 MB kept ready for 30 days: 10 x 0.5 x 2,592,000 x 0.0000041667
    (
        "provisioned concurrency, never used",
        {"lambda_provisioned_gb_seconds_x86": 12_960_000},
        "54.000432",
    ),
    ("216 M on-demand writes x 0.625 / M", {"dynamodb_write_requests": 216_000_000}, "135"),
    ("10 M on-demand reads x 0.125 / M", {"dynamodb_read_requests": 10_000_000}, "1.25"),
    ("25 WCU for 30 days are free", {"dynamodb_wcu_hours": capacity_hours(25)}, "0"),
    ("75 WCU x 720 h x 0.00065 after 25", {"dynamodb_wcu_hours": capacity_hours(100)}, "35.1"),
    ("75 RCU x 720 h x 0.00013 after 25", {"dynamodb_rcu_hours": capacity_hours(100)}, "7.02"),
    ("100 GB stored, 25 free: 75 x 0.25", {"dynamodb_storage_gb": 100}, "18.75"),
    ("stream reads by Lambda", {"stream_reads_by_lambda": 345_600 * 30}, "0"),
    # 4 a second for 30 days: 10,368,000; less 2.5 M; x 0.02 / 100,000
    ("stream reads by a reader of one's own", {"stream_reads_by_others": 10_368_000}, "1.5736"),
    ("12 alarms, 10 free", {"alarms": 12}, "0.20"),
    ("2 composite alarms", {"alarms_composite": 2}, "1.00"),
    ("an anomaly alarm is three", {"alarms_anomaly": 1}, "0.30"),
    ("60 custom metrics, 10 free", {"custom_metrics": 60}, "15"),
    ("4 dashboards, 3 free", {"dashboards": 4}, "3"),
    # One PutMetricData a record, 5,000 a minute, 30 days: 216 M, less 1 M, x 0.01 / 1,000
    ("a metric call for each record", {"put_metric_data": 216_000_000}, "2150"),
    ("20 GB of logs, 5 free: 15 x 0.50", {"logs_ingested_gb": 20}, "7.5"),
    # Writing uses up the quota; keeping 10 GB is 0.30, searching 100 GB is 0.50.
    (
        "logs written, kept and searched",
        {"logs_ingested_gb": 20, "logs_stored_gb": 10, "logs_scanned_gb": 100},
        "8.3",
    ),
    ("3 M SQS requests", {"sqs_requests": 3_000_000}, "0.8"),
    # The million is used by the standard queue; then 1 M x 0.50.
    (
        "standard and FIFO share a quota",
        {"sqs_requests": 1_000_000, "sqs_fifo_requests": 1_000_000},
        "0.5",
    ),
    ("2 M SNS publishes", {"sns_publishes": 2_000_000}, "0.5"),
    ("101,000 e-mails, 1,000 free", {"sns_emails": 101_000}, "2"),
]


@pytest.mark.parametrize(("what", "usage", "expected"), BY_HAND, ids=[one[0] for one in BY_HAND])
def test_a_bill_is_what_the_hand_calculation_says(
    what: str, usage: dict[str, int], expected: str
) -> None:
    assert bill(usage, PRICES).total == Decimal(expected)


def test_without_free_quotas_everything_is_charged() -> None:
    """540,000 x 0.0000166667 + 3 x 0.20 = 9.000018 + 0.60"""
    usage = {"lambda_requests": 3_000_000, "lambda_gb_seconds_x86": 540_000}
    assert bill(usage, PRICES, free=False).total == Decimal("9.600018")


def test_the_free_share_stands_on_each_line() -> None:
    made = bill({"lambda_requests": 4_000_000, "alarms": 5, "alarms_composite": 1}, PRICES)
    requests = made.line("lambda_requests")
    assert (requests.free_share, requests.quota_share) == (Decimal("0.25"), 1)
    assert made.line("alarms").quota_share == Decimal("0.5")
    assert made.line("alarms_composite").free_share == 0
    assert made.line("alarms_composite").quota_share is None
    assert [line.item for line in made.charged] == ["lambda_requests", "alarms_composite"]


def test_gb_seconds_come_from_the_memory_configured() -> None:
    """850 ms at 128 MB, 425 ms at 256 MB, 215 ms at 512 MB: the workshop's three rows."""
    assert gb_seconds(850, 128) == Decimal("0.10625")
    assert gb_seconds(425, 256) == Decimal("0.10625")
    assert gb_seconds(215, 512) == Decimal("0.1075")


def test_units_of_a_write_are_started_kilobytes_and_double_in_a_transaction() -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html"""
    assert [write_units(size) for size in (1, 1024, 1025, 3000)] == [1, 1, 2, 3]
    assert write_units(3000, transactional=True) == 6


def test_units_of_a_read_are_started_four_kilobytes_and_half_if_eventually_consistent() -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html"""
    assert [read_units(size) for size in (1, 4096, 4097)] == [Decimal("0.5"), Decimal("0.5"), 1]
    assert read_units(4097, consistent=True) == 2
    assert read_units(4097, transactional=True) == 4


def test_money_is_rounded_for_display_only() -> None:
    assert dollars(Decimal("12.345")) == "$12.35"
    assert dollars(Decimal("2160")) == "$2,160.00"
    assert dollars(Decimal("0.004")) == "under $0.01"
    assert dollars(Decimal(0)) == "$0.00"


def test_every_figure_has_a_source_and_a_date() -> None:
    for entry in (*PRICES.prices.values(), *PRICES.quotas.values(), PRICES.account):
        assert all(source.startswith("https://") for source in entry.sources)
        year, month = entry.dated.split("-")
        assert 2023 <= int(year) <= 2026 and 1 <= int(month) <= 12
    with pytest.raises(ValueError, match="sources"):
        parse(_small().replace('sources = ["https://example.com"]', "sources = []", 1))


def test_new_accounts_get_credits_since_july_2025() -> None:
    account = PRICES.account
    assert account.credits_since == "2025-07-15"
    assert (account.credits_at_sign_up, account.credits_for_tasks) == (100, 100)
    assert [plan.name for plan in account.plans] == ["Free plan", "Paid plan"]


def test_beyond_what_the_sources_say_the_line_says_so() -> None:
    assert bill({"custom_metrics": 10_000}, PRICES).line("custom_metrics").note == ""
    assert "highest" in bill({"custom_metrics": 10_001}, PRICES).line("custom_metrics").note


@pytest.mark.parametrize("usage", [{"teapots": 1}, {"alarms": -1}])
def test_what_has_no_price_and_what_is_negative_is_refused(usage: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        bill(usage, PRICES)


def test_a_price_cannot_name_a_quota_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no quota"):
        parse(_small().replace('quota = "q"', 'quota = "other"'))


amounts = st.dictionaries(
    st.sampled_from(sorted(PRICES.prices)), st.integers(0, 10**11), max_size=8
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(amounts)
def test_lines_sum_to_the_total_and_quotas_are_given_once(usage: dict[str, int]) -> None:
    made = bill(usage, PRICES)
    assert made.total == sum(line.cost for line in made.lines)
    assert made.total <= made.full_total == bill(usage, PRICES, free=False).total
    given_away: dict[str, Decimal] = {}
    for line in made.lines:
        assert line.amount == line.free_amount + line.charged_amount
        assert 0 <= line.cost <= line.full_cost
        quota = PRICES.prices[line.item].quota
        if quota is None:
            assert line.free_amount == 0
        else:
            given_away[quota] = given_away.get(quota, Decimal(0)) + line.free_amount
    for quota, amount in given_away.items():
        assert amount <= PRICES.quotas[quota].in_days(30)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(PRICES.prices)), st.integers(0, 10**11), st.integers(0, 10**9))
def test_more_never_costs_less(item: str, amount: int, more: int) -> None:
    assert bill({item: amount}, PRICES).total <= bill({item: amount + more}, PRICES).total


def _small() -> str:
    evidence = 'dated = "2026-01"\nsources = ["https://example.com"]\n'
    return (
        'region = "us-east-1"\ncurrency = "USD"\n'
        '[[price]]\nid = "p"\nname = "P"\nunit = "u"\nper = 1\ntiers = [{ price = "1" }]\n'
        f'quota = "q"\n{evidence}'
        f'[[quota]]\nid = "q"\nname = "Q"\nunit = "u"\namount = 1\n{evidence}'
        '[account]\ncredits_since = "2025-07-15"\ncredits_at_sign_up = "1"\n'
        f'credits_for_tasks = "1"\nfree_plan_months = 6\n{evidence}'
        '[[account.plan]]\nname = "N"\nrule = "R"\n'
    )


def test_a_small_file_parses() -> None:
    small: Pricing = parse(_small())
    assert bill({"p": 3}, small).total == 2
