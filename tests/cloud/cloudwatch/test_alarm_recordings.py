"""Changes of state that AWS published in its guide, played again."""

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html

from __future__ import annotations

from datetime import datetime

from grader.cloud.cloudwatch import MetricAlarm, evaluate
from grader.cloud.metrics import Metrics, dimensions

MINUTE = 60_000
INSTANCE = dimensions(InstanceId="i-12345678901234567")
DIMENSIONS = [{"Name": "InstanceId", "Value": "i-12345678901234567"}]


def at(text: str) -> int:
    return int(datetime.fromisoformat(text + "+00:00").timestamp() * 1000)


def test_single_metric_ok_by_the_last_point_in_the_range():
    """At 13:56 the newest point of a 5-minute metric is that of 13:46: it lies two periods back and
    still decides, because the evaluation range is longer than one period."""
    alarm = MetricAlarm.parse(
        {
            "Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Dimensions": DIMENSIONS,
            "Statistic": "Average", "Period": 300, "EvaluationPeriods": 1, "DatapointsToAlarm": 1,
            "Threshold": 50, "ComparisonOperator": "GreaterThanThreshold",
        },
        name="ServerCpuTooHigh",
    )  # fmt: skip
    metrics = Metrics()
    metrics.put(
        "AWS/EC2",
        "CPUUtilization",
        0.0666851903306472,
        at("2019-10-01T13:46:00"),
        unit="Percent",
        dims=INSTANCE,
    )
    now = at("2019-10-01T13:56:00")
    (change,) = evaluate([alarm], metrics, now - MINUTE, now, states={"ServerCpuTooHigh": "ALARM"})
    assert change.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [0.0666851903306472 (01/10/19 13:46:00)] was "
        "not greater than the threshold (50.0) (minimum 1 datapoint for ALARM -> OK transition)."
    )


def test_metric_math():
    """SUM(METRICS()) over two 5-minute metrics: a new alarm goes to ALARM at 17:20 by the point of
    17:10."""

    def stat(name, metric):
        return {
            "Id": name, "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "AWS/EC2", "MetricName": metric, "Dimensions": DIMENSIONS},
                "Period": 300, "Stat": "Maximum",
            },
        }  # fmt: skip

    alarm = MetricAlarm.parse(
        {
            "Metrics": [
                {"Id": "e1", "Expression": "SUM(METRICS())", "Label": "Total Network Traffic"},
                stat("m1", "NetworkIn"),
                stat("m2", "NetworkOut"),
            ],
            "EvaluationPeriods": 1, "DatapointsToAlarm": 1, "Threshold": 10000,
            "ComparisonOperator": "GreaterThanThreshold",
        },
        name="TotalNetworkTrafficTooHigh",
    )  # fmt: skip
    metrics = Metrics()
    for name, value in (("NetworkIn", 40000.0), ("NetworkOut", 5628.0)):
        metrics.put("AWS/EC2", name, value, at("2019-10-02T17:10:00"), unit="Bytes", dims=INSTANCE)
    now = at("2019-10-02T17:20:00")
    (change,) = evaluate([alarm], metrics, now - MINUTE, now)
    assert (change.old, change.new) == ("INSUFFICIENT_DATA", "ALARM")
    assert change.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [45628.0 (02/10/19 17:10:00)] was greater "
        "than the threshold (10000.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )


def test_three_of_the_last_three():
    """A 1-of-3 alarm lists the breaching data points newest first."""
    alarm = MetricAlarm.parse(
        {
            "Namespace": "partial_data_test", "MetricName": "PartialDataTestMetric", "Statistic": "Sum",
            "Period": 60, "EvaluationPeriods": 3, "DatapointsToAlarm": 1, "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
        },
        name="my-alarm-name",
    )  # fmt: skip
    metrics = Metrics()
    for minute in (23, 24, 25):
        metrics.put(
            "partial_data_test", "PartialDataTestMetric", 20000.0, at(f"2022-11-08T11:{minute}:00")
        )
    now = at("2022-11-08T11:26:00")
    (change,) = evaluate([alarm], metrics, now - MINUTE, now)
    assert change.reason == (
        "Threshold Crossed: 3 out of the last 3 datapoints [20000.0 (08/11/22 11:25:00), 20000.0 "
        "(08/11/22 11:24:00), 20000.0 (08/11/22 11:23:00)] were greater than the threshold (0.0) "
        "(minimum 1 datapoint for OK -> ALARM transition)."
    )


def test_one_real_point_and_seven_missing():
    """A recorded recovery: 8 periods of 15 minutes, one real point of 09:36 and seven missing ones
    treated as breaching, are OK for an 8-of-8 alarm at 09:51."""
    alarm = MetricAlarm.parse(
        {
            "Namespace": "Catalog", "MetricName": "Watermark", "Statistic": "Sum", "Period": 900,
            "EvaluationPeriods": 8, "Threshold": 0, "TreatMissingData": "breaching",
            "ComparisonOperator": "LessThanOrEqualToThreshold",
        },
        name="stale",
    )  # fmt: skip
    metrics = Metrics()
    metrics.put("Catalog", "Watermark", 2.0, at("2026-08-19T09:50:30"))
    now = at("2026-08-19T09:51:00")
    (change,) = evaluate([alarm], metrics, now - MINUTE, now, states={"stale": "ALARM"})
    assert change.reason == (
        "Threshold Crossed: 1 datapoint [2.0 (19/08/26 09:36:00)] was not less than or equal to the "
        "threshold (0.0) and 7 missing datapoints were treated as [Breaching]."
    )
