"""Which setting of an alarm to look at: the one whose change alone would have been enough.

`sooner` asks it of an alarm that kept silent in an incident, `calmer` of one that rang for nothing.
Both try changes in a fixed order and replay the incident with each; the answer is a member of
PutMetricAlarm, or None when no single change is enough. Pure: data in, data out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from grader.cloud.cloudwatch import MetricAlarm, MetricStat, datapoints, parse_statistic
from grader.replay.incidents import Incident, replay

Change = tuple[str, MetricAlarm]

# M of N that are tried: at once, and most of the last minutes.
_SOON = ((1, 1), (3, 5), (2, 3))
_CALM = ((3, 5), (5, 5), (5, 10), (10, 10), (15, 15))


def without_data(alarm: MetricAlarm, incident: Incident) -> str | None:
    """The member for which an alarm of one metric finds no data at all in an incident, if it does.

    The nearest of what is published decides: another unit, other dimensions, another namespace.
    """
    if len(alarm.metrics) != 1:
        return None
    (stat,) = alarm.metrics
    keys = [key for key in incident.metrics if key.name == stat.name]
    same = [key for key in keys if key.namespace == stat.namespace]
    alike = [key for key in same if key.dimensions == stat.dimensions]
    if any(stat.unit in (None, key.unit) for key in alike):
        return None
    if alike:
        return "Unit"
    if same:
        return "Dimensions"
    return "Namespace" if keys else "MetricName"


def sooner(alarm: MetricAlarm, incident: Incident) -> str | None:
    """What to change for this alarm to ring in time, and not before anything is wrong."""
    if missing := without_data(alarm, incident):
        return missing
    for member, changed in _sooner(alarm, incident):
        if replay(incident, [changed]).in_time:
            return member
    return None


def blind(alarm: MetricAlarm, incident: Incident) -> bool:
    """Whether the alarm's metric looks in an incident as it did before."""
    began = incident.began_ms or incident.to_ms
    before = _values(alarm, incident, incident.from_ms, began)
    return before == _values(alarm, incident, began, incident.to_ms)


def calmer(alarm: MetricAlarm, incident: Incident) -> str | None:
    """What to change for this alarm to keep silent."""
    for member, changed in _calmer(alarm, incident):
        if not replay(incident, [changed]).alerts:
            return member
    return None


def _sooner(alarm: MetricAlarm, incident: Incident) -> Iterator[Change]:
    # What rings for too little counts data points: another statistic of them rings at night, too.
    low = alarm.comparison.startswith("Less")
    yield from _statistics(alarm, *(("SampleCount",) if low else ("Maximum", "Sum")))
    yield from _missing(alarm, "breaching", "notBreaching")
    for to_alarm, periods in _SOON:
        yield "EvaluationPeriods", _over(alarm, to_alarm, periods)
    if low and alarm.period_s != 60:
        yield "Period", _every_minute(alarm)
    began = incident.began_ms or incident.to_ms
    before = _values(alarm, incident, incident.from_ms, began)
    after = _values(alarm, incident, began, incident.to_ms)
    for threshold in sorted({*before[:1], *before[-1:], *(value / 2 for value in after[:1])}):
        yield "Threshold", replace(alarm, threshold=threshold)
    for comparison in ("GreaterThanThreshold", "LessThanThreshold"):
        yield "ComparisonOperator", replace(alarm, comparison=comparison)
    if alarm.period_s != 60:
        yield "Period", _every_minute(alarm)


def _calmer(alarm: MetricAlarm, incident: Incident) -> Iterator[Change]:
    yield from _missing(alarm, "notBreaching", "missing")
    for to_alarm, periods in _CALM:
        if periods >= alarm.evaluation_periods and to_alarm > alarm.datapoints_to_alarm:
            yield "EvaluationPeriods", _over(alarm, to_alarm, periods)
    yield from _statistics(alarm, "Average")
    if alarm.comparison.startswith("Less"):
        yield from _statistics(alarm, "SampleCount")
    values = _values(alarm, incident, incident.from_ms, incident.to_ms)
    for threshold in (max(values, default=0.0), min(values, default=0.0)):
        yield "Threshold", replace(alarm, threshold=threshold)
    for comparison in ("GreaterThanThreshold", "LessThanThreshold"):
        yield "ComparisonOperator", replace(alarm, comparison=comparison)


def _missing(alarm: MetricAlarm, *settings: str) -> Iterator[Change]:
    for setting in settings:
        if setting != alarm.treat_missing_data:
            yield "TreatMissingData", replace(alarm, treat_missing_data=setting)  # type: ignore[arg-type]


def _over(alarm: MetricAlarm, to_alarm: int, periods: int) -> MetricAlarm:
    return replace(alarm, evaluation_periods=periods, datapoints_to_alarm=to_alarm)


def _statistics(alarm: MetricAlarm, *names: str) -> Iterator[Change]:
    for name in names:
        statistic = parse_statistic(name)
        assert statistic is not None
        for stat in alarm.metrics:
            if stat.statistic != statistic:
                yield "Statistic", _with(alarm, stat, replace(stat, statistic=statistic))


def _every_minute(alarm: MetricAlarm) -> MetricAlarm:
    for stat in alarm.metrics:
        alarm = _with(alarm, stat, replace(stat, period_s=60))
    return replace(alarm, period_s=60)


def _with(alarm: MetricAlarm, old: MetricStat, new: MetricStat) -> MetricAlarm:
    queries = tuple(
        replace(query, metric=new) if query.metric is old else query for query in alarm.queries
    )
    return replace(alarm, queries=queries)


def _values(alarm: MetricAlarm, incident: Incident, from_ms: int, to_ms: int) -> list[float]:
    """The different values that the alarm sees, highest first."""
    points = datapoints(alarm, incident.metrics, from_ms, to_ms)
    return sorted({point.value for point in points if point.value is not None}, reverse=True)
