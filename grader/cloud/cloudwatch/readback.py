"""Metrics read back: what GetMetricStatistics, GetMetricData and ListMetrics see.

A reader sees what has arrived by ``now_ms``. Periods are aligned to themselves.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import mathexpr
from grader.cloud.cloudwatch.queries import Query, read_query
from grader.cloud.cloudwatch.series import Samples, Statistic, parse_statistic, refuse_statistic
from grader.cloud.metrics import Dimensions, Metrics, SeriesKey

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html
MOST_POINTS = 1_440
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
MOST_QUERIES = 500


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time in periods: ``start_ms`` is aligned and belongs to it, ``end_ms`` not."""

    start_ms: int
    end_ms: int
    period_ms: int

    @classmethod
    def of(cls, start_ms: int, end_ms: int, period_s: int) -> Window:
        """The window of a request. Refused for one that ends before it begins."""
        if (
            period_s < 1
            or (period_s < 60 and period_s not in (1, 5, 10, 20, 30))
            or (period_s > 60 and period_s % 60)
        ):
            raise _invalid("Period must be 1, 5, 10, 20, 30 or a multiple of 60 seconds", "Period")
        if start_ms >= end_ms:
            raise Refused(
                "InvalidParameterValue",
                "The parameter StartTime must be less than the parameter EndTime.",
                "StartTime",
            )
        period_ms = period_s * 1000
        return cls(start_ms - start_ms % period_ms, end_ms, period_ms)

    @property
    def starts_ms(self) -> list[int]:
        """When each period begins, oldest first."""
        return list(range(self.start_ms, self.end_ms, self.period_ms))


def _invalid(sentence: str, parameter: str) -> Refused:
    return Refused("InvalidParameterValue", sentence, parameter)


def read_statistics(names: Sequence[str]) -> list[Statistic]:
    """Statistics by their names. Refused for one that does not exist."""
    found = []
    for name in names:
        statistic = parse_statistic(name)
        if statistic is None:
            raise refuse_statistic(name, "Statistics")
        found.append(statistic)
    return found


def periods(
    metrics: Metrics,
    metric: tuple[str, str, Dimensions],
    window: Window,
    now_ms: int,
    unit: str | None = None,
) -> tuple[dict[int, Samples], str]:
    """The samples of each period that has any, by its start; and the unit they have."""
    namespace, name, dims = metric
    found: dict[int, Samples] = {}
    units = []
    for key in metrics:
        if (key.namespace, key.name, key.dimensions) != (namespace, name, dims):
            continue
        if unit is not None and key.unit != unit:
            continue
        units.append(key.unit)
        for datum in metrics.data(key):
            if window.start_ms <= datum.time_ms < window.end_ms and datum.arrived_ms <= now_ms:
                start = datum.time_ms - datum.time_ms % window.period_ms
                found.setdefault(start, []).append((datum.value, datum.count))
    return dict(sorted(found.items())), units[0] if units else "None"


def metric_data(
    entries: Sequence[Mapping[str, Any]],
    metrics: Metrics,
    start_ms: int,
    end_ms: int,
    now_ms: int,
) -> list[dict[str, Any]]:
    """GetMetricData's results, each with its points oldest first. Refused as CloudWatch refuses."""
    if not 1 <= len(entries) <= MOST_QUERIES:
        raise _invalid(f"A request has 1 to {MOST_QUERIES} queries", "MetricDataQueries")
    read: list[tuple[Query, bool, str]] = []
    own: list[int] = []
    for entry in entries:
        query, returns = read_query(entry, own)
        read.append((query, returns, str(entry.get("Label") or "")))
    if len({query.id for query, _, _ in read}) != len(read):
        raise _invalid("Each id is used once", "MetricDataQueries")
    found = [query.metric for query, _, _ in read if query.metric is not None]
    period_s = max([*(stat.period_s for stat in found), *own], default=60)
    window = Window.of(start_ms, end_ms, period_s)
    lines = {}
    for query, _, _ in read:
        if (stat := query.metric) is not None:
            metric = (stat.namespace, stat.name, stat.dimensions)
            samples, _ = periods(metrics, metric, window, now_ms, stat.unit)
            lines[query.id] = [
                stat.statistic.of(samples.get(start, [])) for start in window.starts_ms
            ]
    grid = mathexpr.Grid(
        starts_ms=window.starts_ms,
        period_s=period_s,
        lines=lines,
        expressions={
            query.id: query.expression for query, _, _ in read if query.expression is not None
        },
    )
    return [
        {"Id": query.id, "Label": label, "StatusCode": "Complete", **_points(window, line)}
        for query, returns, asked in read
        if returns
        for label, line in _lines(query, asked, grid)
    ]


def _lines(query: Query, asked: str, grid: mathexpr.Grid) -> Iterator[tuple[str, Any]]:
    value = grid.value(query.id)
    label = asked or (query.metric.name if query.metric is not None else query.id)
    if isinstance(value, mathexpr.Array):
        for number, line in enumerate(value, 1):
            yield f"{label} {number}", line
    else:
        yield label, value


def _points(window: Window, line: Any) -> dict[str, Any]:
    if not isinstance(line, list):  # one number for every period
        line = [line] * len(window.starts_ms)
    known = [(at, value) for at, value in zip(window.starts_ms, line, strict=True)
             if value is not None]  # fmt: skip
    return {"Timestamps": [at / 1000 for at, _ in known], "Values": [value for _, value in known]}


def listed(
    metrics: Metrics,
    namespace: str | None,
    name: str | None,
    dims: Sequence[tuple[str, str | None]],
) -> list[SeriesKey]:
    """The metrics that ListMetrics finds; a dimension without a value matches any.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
    """
    found: dict[tuple[str, str, Dimensions], SeriesKey] = {}
    for key in metrics:
        have = dict(key.dimensions)
        if namespace not in (None, key.namespace) or name not in (None, key.name):
            continue
        if all(one in have and value in (None, have[one]) for one, value in dims):
            found.setdefault((key.namespace, key.name, key.dimensions), key)
    return list(found.values())
