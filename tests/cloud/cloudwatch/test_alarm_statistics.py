"""Statistics over the samples of a period, as CloudWatch defines them."""

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html

from __future__ import annotations

import pytest

from grader.cloud.cloudwatch import parse_statistic

TEN = [(float(value), 1.0) for value in range(1, 11)]
BUCKETS = [(100.0, 1.0), (150.0, 2.0), (400.0, 1.0), (1000.0, 1.0), (1500.0, 5.0)]


@pytest.mark.parametrize(
    ("statistic", "value"),
    [
        ("SampleCount", 10), ("Sum", 55), ("Average", 5.5), ("Minimum", 1), ("Maximum", 10),
        ("p50", 5), ("p90", 9), ("p91", 10), ("p100", 10), ("p0", 1), ("p99.9", 10), ("p100.5", 10),
        ("tm90", 5), ("TM(:90%)", 5), ("TM(10%:90%)", 5.5), ("TM(20%:)", 6.5), ("IQM", 5.5),
        ("tc90", 9), ("ts90", 45), ("TS(80%:)", 19), ("TC(3:7)", 4), ("TM(3:7)", 5.5), ("TM(:3)", 2),
        ("PR(:3)", 30), ("PR(3:7)", 40), ("PR(7:)", 30), ("wm90", 5.4), ("WM(10%:90%)", 5.5),
        ("WM(3:7)", 5.2),
    ],
)  # fmt: skip
def test_statistics(statistic, value):
    """Boundaries: the low one excluded, the high one included; percentiles by nearest rank."""
    parsed = parse_statistic(statistic)
    assert parsed is not None
    assert parsed.of(TEN) == pytest.approx(value)


def test_samples_count_with_their_counts():
    """One datum may stand for many observations (Values and Counts)."""
    for statistic, value in (
        ("SampleCount", 10),
        ("Average", 930),
        ("p50", 1000),
        ("TC(100:400)", 3),
        ("PR(:150)", 30),
    ):
        parsed = parse_statistic(statistic)
        assert parsed is not None
        assert parsed.of(BUCKETS) == pytest.approx(value)


def test_p99_is_the_highest_sample_that_tm99_averages():
    """AWS: p99 is the maximum of the remaining 99 %, tm99 their average."""
    samples = [(float(value), 1.0) for value in range(1, 1001)]
    p99, tm99 = parse_statistic("p99"), parse_statistic("tm99")
    assert p99 is not None and tm99 is not None
    assert p99.of(samples) == 990
    assert tm99.of(samples) == pytest.approx(sum(range(1, 991)) / 990)


@pytest.mark.parametrize("statistic", ["p99", "tm90", "PR(:5)", "IQM"])
def test_negative_values_have_no_percentiles(statistic):
    """These statistics are not available when any value is negative."""
    parsed = parse_statistic(statistic)
    assert parsed is not None
    assert parsed.of([(-1.0, 1.0), (5.0, 1.0)]) is None


@pytest.mark.parametrize(
    "statistic",
    ["", "P99", "p", "p101", "p-1", "average", "Max", "tm101", "TM90", "TM()", "TM(:)", "TM(10%:90)",
     "TM(90%:10%)", "PR(10%:90%)", "tm90%", "p99%", "TM(0%:101%)"],
)  # fmt: skip
def test_what_is_no_statistic(statistic):
    """Everything else is refused by the callers."""
    assert parse_statistic(statistic) is None
