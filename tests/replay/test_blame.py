"""Which setting of an alarm is named: the one whose change alone is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from grader.cloud.clock import START_MS
from grader.cloud.cloudwatch import MetricAlarm
from grader.cloud.metrics import Metrics, dimensions
from grader.replay import blame
from grader.replay.incidents import MINUTE_MS, Incident

DIMS = dimensions(FunctionName="totals")


def alarm(**changes: Any) -> MetricAlarm:
    properties = {
        "Namespace": "AWS/Lambda",
        "MetricName": "IteratorAge",
        "Dimensions": [{"Name": "FunctionName", "Value": "totals"}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 3,
        "Threshold": 180_000,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        **changes,
    }
    return MetricAlarm.parse(properties, name="late")


def incident(*, gone: bool = False, peak: float = 600_000.0) -> Incident:
    """Twenty quiet minutes, then twenty of trouble: one observation of many is high, or none."""
    metrics = Metrics()
    for minute in range(40):
        stamp = START_MS + minute * MINUTE_MS
        if minute < 20 or not gone:
            values = {500.0: 9, (500.0 if minute < 20 else peak): 1}
            metrics.put_all(
                *("AWS/Lambda", "IteratorAge", values, stamp), unit="Milliseconds", dims=DIMS
            )
    began = START_MS + 20 * MINUTE_MS
    end = START_MS + 40 * MINUTE_MS
    by = began + 15 * MINUTE_MS
    looked = START_MS + 10 * MINUTE_MS
    return Incident("late", "Late", "It is late.", metrics, START_MS, looked, end, began, by)


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"Unit": "Seconds"}, "Unit"),
        ({"Dimensions": []}, "Dimensions"),
        ({"Namespace": "AWS/DynamoDB"}, "Namespace"),
        ({"MetricName": "Age"}, "MetricName"),
        ({"Statistic": "Average"}, "Statistic"),
        ({"EvaluationPeriods": 30, "DatapointsToAlarm": 30}, "EvaluationPeriods"),
        ({"Threshold": 10_000_000}, "Threshold"),
        ({"Threshold": 100}, "Threshold"),
    ],
)
def test_what_kept_an_alarm_silent(changes: dict[str, Any], member: str) -> None:
    assert blame.sooner(alarm(**changes), incident()) == member


def test_silence_that_is_not_taken_for_a_breach() -> None:
    silent = alarm(Statistic="SampleCount", Threshold=1, ComparisonOperator="LessThanThreshold")
    assert blame.sooner(silent, incident(gone=True)) == "TreatMissingData"


def test_no_single_change_is_enough_where_nothing_shows_the_incident() -> None:
    """The metric is the same before and after: another one is needed."""
    assert blame.sooner(alarm(Unit="Milliseconds"), incident(peak=500.0)) is None


def test_an_alarm_is_blind_when_its_metric_looks_as_before() -> None:
    assert blame.blind(alarm(), incident(peak=500.0))
    assert not blame.blind(alarm(), incident())


def test_zeros_that_add_up_to_nothing_are_to_be_counted() -> None:
    """An idle mapping publishes PolledEventCount with the value 0: a sum below 1 rings for ever."""
    zeros = Metrics()
    for minute in range(40):
        stamp = START_MS + minute * MINUTE_MS
        zeros.put_all("AWS/Lambda", "IteratorAge", {0.0: 9}, stamp, dims=DIMS)
    calm = replace(incident(), metrics=zeros, began_ms=None, page_by_ms=None)
    low = alarm(Statistic="Sum", Threshold=1, ComparisonOperator="LessThanThreshold")
    assert blame.calmer(low, calm) == "Statistic"


@pytest.mark.parametrize(
    ("changes", "gone", "member"),
    [
        ({"TreatMissingData": "breaching"}, True, "TreatMissingData"),
        ({"Threshold": 100}, False, "Threshold"),
        (
            {"EvaluationPeriods": 1, "DatapointsToAlarm": 1, "Threshold": 500_000},
            False,
            "Statistic",
        ),
    ],
)
def test_what_made_an_alarm_ring_for_nothing(
    changes: dict[str, Any], gone: bool, member: str
) -> None:
    calm = replace(incident(gone=gone), began_ms=None, page_by_ms=None)
    assert blame.calmer(alarm(**changes), calm) == member
