"""Short hands for alarm tests: one alarm, one series, one minute at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from grader.cloud.clock import START_MS
from grader.cloud.cloudwatch import MetricAlarm
from grader.cloud.metrics import Metrics, dimensions

MINUTE = 60_000
DIMS = dimensions(FunctionName="totals")

PROPERTIES: dict[str, Any] = {
    "Namespace": "AWS/Lambda",
    "MetricName": "IteratorAge",
    "Dimensions": [{"Name": "FunctionName", "Value": "totals"}],
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 30000,
    "ComparisonOperator": "GreaterThanThreshold",
}


def make_alarm(name: str = "lag", /, **changes: Any) -> MetricAlarm:
    """An alarm like PROPERTIES; a change to None takes the member away."""
    merged = {**PROPERTIES, **changes}
    return MetricAlarm.parse(
        {key: value for key, value in merged.items() if value is not None}, name=name
    )


def make_metrics(
    values: Sequence[float | None],
    *,
    namespace: str = "AWS/Lambda",
    name: str = "IteratorAge",
    unit: str = "Milliseconds",
    start_ms: int = START_MS,
    step_ms: int = MINUTE,
) -> Metrics:
    """One value a minute (None: nothing), recorded a second after the minute began."""
    metrics = Metrics()
    for number, value in enumerate(values):
        if value is not None:
            time_ms = start_ms + number * step_ms + 1000
            metrics.put(namespace, name, value, time_ms, unit=unit, dims=DIMS)
    return metrics


@pytest.fixture
def alarm():
    return make_alarm


@pytest.fixture
def series():
    return make_metrics
