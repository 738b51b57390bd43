"""What a metric alarm reads: one metric, or the Metrics array with its expressions.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.cloud import typed
from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import choices, mathexpr
from grader.cloud.cloudwatch.emf import read_dimensions
from grader.cloud.cloudwatch.series import (
    SIMPLE,
    UNITS,
    MetricStat,
    Statistic,
    parse_statistic,
    refuse_statistic,
)
from grader.cloud.metrics import Dimensions

SINGLE_METRIC = (
    *("MetricName", "Namespace", "Dimensions", "Period"),
    *("Unit", "Statistic", "ExtendedStatistic"),
)
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Query:
    """One entry of the Metrics array: a metric, or an expression over other entries."""

    id: str
    metric: MetricStat | None = None
    expression: mathexpr.Expression | None = None


# --- reading values ------------------------------------------------------------------------------


def invalid(message: str, parameter: str) -> Refused:
    """AWS's refusal of a value."""
    return Refused("ValidationError", message, parameter)


def not_emulated(feature: str, parameter: str) -> Refused:
    """A feature that AWS has and this emulator has not."""
    return Refused(choices.NOT_EMULATED, f"The lab does not emulate {feature}.", parameter)


def flag(properties: Mapping[str, Any], member: str, *, default: bool) -> bool:
    """A boolean member; templates may write it as text."""
    truth = typed.flag(properties.get(member, default))
    if truth is None:
        raise invalid(f"{member} must be true or false", member)
    return truth


def whole(properties: Mapping[str, Any], member: str, *, lowest: int) -> int | None:
    """A whole-number member, or None when it is absent."""
    if properties.get(member) is None:
        return None
    value = typed.whole(properties[member])
    if value is None:
        raise invalid(f"{member} must be a whole number", member)
    if value < lowest:
        raise invalid(
            f"Value '{value}' at '{member}' failed to satisfy constraint: "
            f"Member must have value greater than or equal to {lowest}",
            member,
        )
    return value


def _check_period(properties: Mapping[str, Any]) -> int:
    period = whole(properties, "Period", lowest=1)
    if period is None:
        raise invalid("PutMetricAlarm request should have a valid Period parameter", "Period")
    if period not in (10, 20, 30) and period % 60:
        raise invalid("Period must be 10, 20, 30 or a multiple of 60", "Period")
    return period


# --- one metric ----------------------------------------------------------------------------------


def single(properties: Mapping[str, Any]) -> MetricStat:
    """The one metric of an alarm without maths."""
    if "Statistic" in properties and "ExtendedStatistic" in properties:
        raise invalid(
            "PutMetricAlarm request can not be made with both Statistic and ExtendedStatistic "
            "parameters. Only one of them should be present",
            "ExtendedStatistic",
        )
    if "MetricName" not in properties:
        raise invalid(
            "PutMetricAlarm request must include MetricName or a Metrics array", "MetricName"
        )
    namespace, name, dims = _identity(properties)
    if "ExtendedStatistic" in properties:
        text = properties["ExtendedStatistic"]
        statistic = _statistic(text, "ExtendedStatistic")
        if text in SIMPLE:
            raise refuse_statistic(text, "ExtendedStatistic")
    else:
        text = properties.get("Statistic")
        if text not in SIMPLE:
            if text is None:
                raise invalid(
                    "PutMetricAlarm request should have a Statistic or an ExtendedStatistic "
                    "parameter",
                    "Statistic",
                )
            raise refuse_statistic(str(text), "Statistic")
        statistic = _statistic(text, "Statistic")
    period = _check_period(properties)
    return MetricStat(namespace, name, dims, statistic, period, _unit(properties))


def _statistic(text: object, parameter: str) -> Statistic:
    statistic = parse_statistic(text) if isinstance(text, str) else None
    if statistic is None:
        raise refuse_statistic(str(text), parameter)
    return statistic


def _unit(properties: Mapping[str, Any]) -> str | None:
    unit = properties.get("Unit")
    if unit is None:
        return None
    if not isinstance(unit, str) or unit not in UNITS:
        raise Refused(
            "InvalidParameterValue",
            f"The value {unit} for parameter Unit is not supported.",
            "Unit",
        )
    return unit


def _identity(properties: Mapping[str, Any]) -> tuple[str, str, Dimensions]:
    """Namespace, metric name and dimensions, refused as the API's constraints refuse them."""
    texts: list[str] = []
    for member in ("Namespace", "MetricName"):
        text = properties.get(member)
        if not isinstance(text, str) or not 1 <= len(text) <= 255:
            raise invalid(f"{member} must have 1 to 255 characters", member)
        if not text.isascii():
            raise invalid(f"{member} must not contain Non-ASCII characters.", member)
        texts.append(text)
    if texts[0].startswith(":"):
        raise invalid("Namespace must not start with a colon", "Namespace")
    return texts[0], texts[1], parse_dimensions(properties.get("Dimensions"))


def parse_dimensions(given: object) -> Dimensions:
    """An alarm's Dimensions; a template may write a value as a number."""
    if isinstance(given, Sequence) and not isinstance(given, str):
        given = [
            {**item, "Value": str(item["Value"])}
            if isinstance(item, Mapping) and type(item.get("Value")) in (int, float)
            else item
            for item in given
        ]
    return read_dimensions(given, lambda fault: invalid(f"Dimensions {fault}", "Dimensions"))


# --- metric math ---------------------------------------------------------------------------------


def metric_math(properties: Mapping[str, Any]) -> tuple[tuple[Query, ...], str, bool]:
    """The entries of Metrics, the id of the watched one, and whether its points stand alone."""
    for member in SINGLE_METRIC:
        if member in properties:
            raise invalid(f"{member} should not be set if list of Metrics is set.", member)
    entries = properties["Metrics"]
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        raise invalid("Metrics must be a list of at least one metric", "Metrics")
    queries: list[Query] = []
    watched: list[str] = []
    periods: list[int] = []
    for entry in entries:
        query, returns = read_query(entry, periods)
        if any(query.id == other.id for other in queries):
            raise invalid(f"The id {query.id} is used twice in Metrics", "Metrics")
        queries.append(query)
        if returns:
            watched.append(query.id)
    metrics = [query.metric for query in queries if query.metric is not None]
    if len(metrics) > 10:
        raise invalid("Too many metrics in alarm, maximum is 10", "Metrics")
    if len(queries) - len(metrics) > 10:
        raise invalid("Too many expressions in alarm, maximum is 10", "Metrics")
    if len(watched) != 1:
        raise invalid("Exactly one element of the metrics list should return data.", "Metrics")
    if not metrics:
        raise invalid("Metrics must contain at least one metric", "Metrics")
    if len({*periods, *(stat.period_s for stat in metrics)}) > 1:
        # "Each metric must be using the same period."
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-data-queries.html
        raise invalid("All metrics of an alarm must have the same period", "Metrics")
    return tuple(queries), watched[0], _check_math(queries, watched[0], metrics[0].period_s)


def read_query(entry: object, periods: list[int]) -> tuple[Query, bool]:
    """One entry of Metrics, and whether it returns data; its own period joins ``periods``."""
    if not isinstance(entry, Mapping):
        raise invalid("Each element of Metrics is a MetricDataQuery", "Metrics")
    for member in entry:
        if member not in (
            *("Id", "MetricStat", "Expression", "Label", "ReturnData"),
            *("Period", "AccountId"),
        ):
            raise invalid(f"Encountered unsupported property {member}", f"Metrics.{member}")
    if "AccountId" in entry:
        raise not_emulated("cross-account alarms (AccountId)", "Metrics")
    name = entry.get("Id")
    if not isinstance(name, str) or not _ID.fullmatch(name) or len(name) > 255:
        raise invalid(
            f"Invalid metrics list: the id {name!r} must begin with a lowercase letter and hold "
            "letters, digits and underscores only",
            "Metrics",
        )
    if "Expression" in entry and "MetricStat" in entry:
        raise invalid(
            "The parameters MetricDataQuery Expression and MetricStat are mutually exclusive and "
            "you have specified both.",
            "Metrics",
        )
    if "Period" in entry:
        periods.append(_check_period(entry))
    returns = flag(entry, "ReturnData", default=True)
    if "Expression" in entry:
        text = entry["Expression"]
        if not isinstance(text, str):
            raise invalid("Expression must be a text", "Metrics")
        if re.match(r"\s*SELECT\b", text, re.IGNORECASE):
            raise not_emulated("Metrics Insights queries (SELECT)", "Metrics")
        return Query(name, expression=mathexpr.parse(text)), returns
    stat = entry.get("MetricStat")
    if not isinstance(stat, Mapping) or not isinstance(stat.get("Metric"), Mapping):
        raise invalid("A metric of Metrics needs Expression or MetricStat with a Metric", "Metrics")
    for member in stat:
        if member not in ("Metric", "Period", "Stat", "Unit"):
            raise invalid(f"Encountered unsupported property {member}", f"Metrics.{member}")
    for member in stat["Metric"]:
        if member not in ("Namespace", "MetricName", "Dimensions"):
            raise invalid(f"Encountered unsupported property {member}", f"Metrics.{member}")
    namespace, metric, dims = _identity(stat["Metric"])
    statistic = _statistic(stat.get("Stat"), "Stat")
    return (
        Query(
            name, MetricStat(namespace, metric, dims, statistic, _check_period(stat), _unit(stat))
        ),
        returns,
    )


def _check_math(queries: Sequence[Query], watched: str, period_s: int) -> bool:
    """Compute the watched expression once over nothing: its types must fit.

    Every other expression is computed too, because CloudWatch checks them all. True when a point of
    the watched expression depends on its own period only.
    """
    pointwise = True
    for query in queries:
        if query.expression is None:
            continue
        grid = mathexpr.Grid(
            starts_ms=[0],
            period_s=period_s,
            lines={one.id: [None] for one in queries if one.metric is not None},
            expressions={one.id: one.expression for one in queries if one.expression is not None},
        )
        try:
            value = grid.value(query.id)
        except RecursionError:
            raise invalid("The expressions are nested too deeply", "Metrics") from None
        if query.id != watched:
            continue
        if isinstance(value, mathexpr.Array):
            raise invalid(
                f"The expression {query.expression.text!r} gives several time series; an alarm "
                "watches one",
                "Metrics",
            )
        if not isinstance(value, list):
            raise invalid(
                f"The expression {query.expression.text!r} gives a single number; an alarm watches "
                "a time series",
                "Metrics",
            )
        pointwise = not grid.looked_around
    return pointwise
