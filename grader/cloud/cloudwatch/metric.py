"""A metric alarm: what CloudFormation's AWS::CloudWatch::Alarm and PutMetricAlarm accept.

``MetricAlarm.parse`` refuses what PutMetricAlarm refuses (with AWS's sentence where it is known)
and names what this emulator does not have. Nothing is ignored.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from grader.cloud import typed
from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import choices, mathexpr
from grader.cloud.cloudwatch.series import (
    UNITS,
    MetricStat,
    Statistic,
    parse_statistic,
    refuse_statistic,
)
from grader.cloud.metrics import Dimensions, dimensions

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
STATES: tuple[State, ...] = ("OK", "ALARM", "INSUFFICIENT_DATA")

OPERATORS = {
    "GreaterThanThreshold": "greater than",
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_BAND_OPERATORS = (
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
)
_MISSING = ("breaching", "notBreaching", "ignore", "missing")
ACTION_MEMBERS: dict[State, str] = {
    "OK": "OKActions",
    "ALARM": "AlarmActions",
    "INSUFFICIENT_DATA": "InsufficientDataActions",
}
_SINGLE_METRIC = (
    *("MetricName", "Namespace", "Dimensions", "Period"),
    *("Unit", "Statistic", "ExtendedStatistic"),
)
_NOT_EMULATED = {
    "EvaluationCriteria": "PromQL alarms (EvaluationCriteria)",
    "EvaluationInterval": "PromQL alarms (EvaluationInterval)",
    "WarmUpConfiguration": "warm-up periods of alarms (WarmUpConfiguration)",
    "ActionConfiguration": "ActionConfiguration of alarms",
    "ThresholdMetricId": "anomaly detection alarms (ThresholdMetricId)",
}
_MEMBERS = frozenset(
    [
        *("AlarmName", "AlarmDescription", "ActionsEnabled", "ComparisonOperator"),
        *("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "TreatMissingData"),
        *("EvaluateLowSampleCountPercentile", "Metrics", "Tags", "EvaluationWindow"),
        *ACTION_MEMBERS.values(),
        *_SINGLE_METRIC,
    ]
)
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_ARN = re.compile(r"arn:(aws[a-z-]*):([a-z0-9-]+):([a-z0-9-]*):(\d*|ec2):(\S+)")
DAY_S = 86_400
WEEK_S = 7 * DAY_S


@dataclass(frozen=True, slots=True)
class Query:
    """One entry of the Metrics array: a metric, or an expression over other entries."""

    id: str
    metric: MetricStat | None = None
    expression: mathexpr.Expression | None = None


@dataclass(frozen=True, slots=True)
class MetricAlarm:
    """A metric alarm as CloudWatch stores it. Periods are in seconds.

    ``treat_missing_data`` is the setting in force (the AWS/DynamoDB rule applied). ``pointwise``
    tells that a data point of the expression depends on its own period only.
    """

    name: str
    queries: tuple[Query, ...]
    watched: str
    comparison: str
    threshold: float
    period_s: int
    evaluation_periods: int
    datapoints_to_alarm: int
    treat_missing_data: Literal["breaching", "notBreaching", "ignore", "missing"]
    actions: Mapping[State, tuple[str, ...]]
    actions_enabled: bool = True
    ignores_low_samples: bool = False
    m_of_n: bool = False
    pointwise: bool = True
    description: str = ""

    @property
    def metric(self) -> MetricStat | None:
        """The one metric that is watched without any expression, or None."""
        watched = next(query for query in self.queries if query.id == self.watched)
        return watched.metric

    @property
    def metrics(self) -> tuple[MetricStat, ...]:
        """Every metric that the alarm reads."""
        return tuple(query.metric for query in self.queries if query.metric is not None)

    @property
    def multi_day(self) -> bool:
        """Whether the alarm looks back over more than a day (it is then evaluated hourly)."""
        return self.period_s * self.evaluation_periods > DAY_S

    def breaches(self, value: float) -> bool:
        """Whether a data point of this value violates the threshold."""
        match self.comparison:
            case "GreaterThanThreshold":
                return value > self.threshold
            case "GreaterThanOrEqualToThreshold":
                return value >= self.threshold
            case "LessThanThreshold":
                return value < self.threshold
            case _:
                return value <= self.threshold

    @classmethod
    def parse(
        cls, properties: Mapping[str, Any], *, name: str, region: str | None = None
    ) -> MetricAlarm:
        """Read CloudFormation properties or PutMetricAlarm members.

        ``name`` is the alarm's name when ``AlarmName`` is absent; ``region`` (if given) is where it
        lives, and its actions must live there too. Numbers and booleans may be texts, as in a
        template. Refused carries AWS's code, sentence and the member at fault.
        """
        _check_members(properties)
        name = parse_name(properties, name)
        comparison = _comparison(properties)
        threshold = _number(properties, "Threshold")
        periods = whole(properties, "EvaluationPeriods", lowest=1)
        if periods is None:
            raise invalid(
                "PutMetricAlarm request should have valid EvaluationPeriods parameter",
                "EvaluationPeriods",
            )
        to_alarm = whole(properties, "DatapointsToAlarm", lowest=1)
        if to_alarm is not None and to_alarm > periods:
            raise invalid(
                "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
                "DatapointsToAlarm",
            )
        if "Metrics" in properties:
            queries, watched, pointwise = _metric_math(properties)
        else:
            queries, watched, pointwise = (Query("metric", _single(properties)),), "metric", True
        stats = [query.metric for query in queries if query.metric is not None]
        period_s = stats[0].period_s
        _check_window(period_s, periods, "EvaluationPeriods")
        return cls(
            name=name,
            queries=queries,
            watched=watched,
            comparison=comparison,
            threshold=threshold,
            period_s=period_s,
            evaluation_periods=periods,
            datapoints_to_alarm=to_alarm or periods,
            treat_missing_data=_missing_data(properties, stats),
            actions=parse_actions(properties, region=region, math="Metrics" in properties),
            actions_enabled=flag(properties, "ActionsEnabled", default=True),
            ignores_low_samples=_low_samples(properties, stats),
            m_of_n=to_alarm is not None,
            pointwise=pointwise,
            description=str(properties.get("AlarmDescription") or ""),
        )


# --- what both kinds of alarm share --------------------------------------------------------------


def invalid(message: str, parameter: str) -> Refused:
    """AWS's refusal of a value."""
    return Refused("ValidationError", message, parameter)


def not_emulated(feature: str, parameter: str) -> Refused:
    """A feature that AWS has and this emulator has not."""
    return Refused(choices.NOT_EMULATED, f"The lab does not emulate {feature}.", parameter)


def parse_name(properties: Mapping[str, Any], fallback: str) -> str:
    """The alarm's name: 1 to 255 characters, none of them an ASCII control character."""
    name = properties.get("AlarmName", fallback)
    if not isinstance(name, str) or not 1 <= len(name) <= 255:
        raise invalid("AlarmName must have 1 to 255 characters", "AlarmName")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        raise invalid("AlarmName must not contain ASCII control characters", "AlarmName")
    description = properties.get("AlarmDescription")
    if description is not None and (not isinstance(description, str) or len(description) > 1024):
        raise invalid("AlarmDescription must have at most 1,024 characters", "AlarmDescription")
    return name


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


def parse_actions(
    properties: Mapping[str, Any],
    *,
    region: str | None,
    math: bool = False,
    composite: bool = False,
) -> dict[State, tuple[str, ...]]:
    """The actions of each state: ARNs of SNS topics and Lambda functions, at most five a state."""
    actions: dict[State, tuple[str, ...]] = {}
    for state, member in ACTION_MEMBERS.items():
        given = properties.get(member)
        listed = [] if given is None else given
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            raise invalid(f"{member} must be a list of ARNs", member)
        if len(listed) > 5:
            raise invalid(
                f"Value at '{member}' failed to satisfy constraint: "
                "Member must have length less than or equal to 5",
                member,
            )
        for arn in listed:
            _check_action(arn, member, region, math, composite)
        actions[state] = tuple(listed)
    return actions


def _check_action(
    arn: object, member: str, region: str | None, math: bool, composite: bool
) -> None:
    found = _ARN.fullmatch(arn) if isinstance(arn, str) else None
    if found is None:
        raise invalid(f"Invalid arn syntax: {arn}", member)
    vendor, place = found[2], found[3]
    if vendor not in (
        "sns",
        "lambda",
        "automate",
        "swf",
        "autoscaling",
        "ssm",
        "ssm-incidents",
        "aiops",
    ):
        raise invalid(f"Unsupported AWS vendor {vendor}", member)
    if vendor in ("automate", "swf") and (math or composite):
        kind = "composite alarms" if composite else "alarms based on metric math"
        raise invalid(f"EC2 actions are not supported on {kind}: {arn}", member)
    if vendor == "autoscaling" and composite:
        raise invalid(f"Auto Scaling actions are not supported on composite alarms: {arn}", member)
    if vendor not in ("sns", "lambda"):
        raise not_emulated(f"alarm actions of {vendor} ({arn})", member)
    if region is not None and place != region:
        raise invalid(f"Invalid region {place} specified. Only {region} is supported.", member)


# --- the members of a metric alarm ---------------------------------------------------------------


def _check_members(properties: Mapping[str, Any]) -> None:
    for member, feature in _NOT_EMULATED.items():
        if member in properties:
            raise not_emulated(feature, member)
    for member in properties:
        if member not in _MEMBERS:
            raise invalid(f"Encountered unsupported property {member}", member)
    window = properties.get("EvaluationWindow")
    if window is not None and (not isinstance(window, Mapping) or set(window) != {"SlidingWindow"}):
        raise not_emulated("wall clock evaluation windows (EvaluationWindow)", "EvaluationWindow")


def _comparison(properties: Mapping[str, Any]) -> str:
    comparison = properties.get("ComparisonOperator")
    if comparison in _BAND_OPERATORS:
        raise not_emulated(f"the anomaly detection operator {comparison}", "ComparisonOperator")
    if not isinstance(comparison, str) or comparison not in OPERATORS:
        raise invalid(
            "PutMetricAlarm request should have a valid ComparisonOperator parameter",
            "ComparisonOperator",
        )
    return comparison


def _number(properties: Mapping[str, Any], member: str) -> float:
    number = typed.number(properties.get(member))
    if number is None:
        raise invalid(f"PutMetricAlarm request should have valid {member} parameter", member)
    return float(number)


def _missing_data(
    properties: Mapping[str, Any], stats: Sequence[MetricStat]
) -> Literal["breaching", "notBreaching", "ignore", "missing"]:
    given = properties.get("TreatMissingData")
    if given is not None and given not in _MISSING:
        raise invalid(
            "Supported values for TreatMissingData are breaching, notBreaching, ignore, and "
            "missing.",
            "TreatMissingData",
        )
    if any(stat.namespace == "AWS/DynamoDB" for stat in stats) and (
        given is None or choices.DYNAMODB_ALWAYS_IGNORES_MISSING_DATA
    ):
        return "ignore"
    return given or "missing"


def _low_samples(properties: Mapping[str, Any], stats: Sequence[MetricStat]) -> bool:
    member = "EvaluateLowSampleCountPercentile"
    given = properties.get(member)
    if given is None:
        return False
    if given not in ("evaluate", "ignore"):
        raise invalid(f"Supported options for {member} are evaluate and ignore.", member)
    if "Metrics" in properties:
        raise not_emulated(f"{member} together with Metrics", member)
    if not stats[0].statistic.is_percentile:
        raise invalid(
            "Option evaluateLowSampleCountPercentile can not be applied with statistic "
            f"{stats[0].statistic.text}. This option is enabled only for percentile statistics.",
            member,
        )
    return bool(given == "ignore")


def _check_period(properties: Mapping[str, Any]) -> int:
    period = whole(properties, "Period", lowest=1)
    if period is None:
        raise invalid("PutMetricAlarm request should have a valid Period parameter", "Period")
    if period not in (10, 20, 30) and period % 60:
        raise invalid("Period must be 10, 20, 30 or a multiple of 60", "Period")
    return period


def _check_window(period_s: int, periods: int, parameter: str) -> None:
    total = period_s * periods
    if period_s < 3600 and total > DAY_S:
        raise invalid(
            "Metrics cannot be checked across more than a day "
            f"(EvaluationPeriods * Period must be <= {DAY_S}) for alarms using period < 3600",
            parameter,
        )
    if total > WEEK_S:
        raise invalid(
            "Metrics cannot be checked across more than a week "
            f"(EvaluationPeriods * Period must be <= {WEEK_S}) for alarms using period >= 3600",
            parameter,
        )


def _single(properties: Mapping[str, Any]) -> MetricStat:
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
        if text in ("SampleCount", "Average", "Sum", "Minimum", "Maximum"):
            raise refuse_statistic(text, "ExtendedStatistic")
    else:
        text = properties.get("Statistic")
        if text not in ("SampleCount", "Average", "Sum", "Minimum", "Maximum"):
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
    """A Dimensions list of {Name, Value}: at most 30, ASCII, each name once."""
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
    if given is None:
        return ()
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise invalid("Dimensions must be a list of Name and Value", "Dimensions")
    if len(given) > 30:
        raise invalid("Dimensions must have at most 30 members", "Dimensions")
    found: dict[str, str] = {}
    for item in given:
        if not isinstance(item, Mapping) or set(item) != {"Name", "Value"}:
            raise invalid("A dimension has exactly a Name and a Value", "Dimensions")
        name, value = item["Name"], item["Value"]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = str(value)
        for member, text, longest in (("Name", name, 255), ("Value", value, 1024)):
            if not isinstance(text, str) or not 1 <= len(text) <= longest or not text.strip():
                raise invalid(
                    f"The {member} of a dimension must have 1 to {longest} characters", "Dimensions"
                )
            if not text.isascii() or any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
                raise invalid(
                    f"The {member} of a dimension must be ASCII without control characters",
                    "Dimensions",
                )
        if name.startswith(":"):
            raise invalid("A dimension's name must not start with a colon", "Dimensions")
        if name in found:
            raise invalid(f"Dimension {name} appears twice", "Dimensions")
        found[name] = value
    return dimensions(found)


# --- metric math ---------------------------------------------------------------------------------


def _metric_math(properties: Mapping[str, Any]) -> tuple[tuple[Query, ...], str, bool]:
    for member in _SINGLE_METRIC:
        if member in properties:
            raise invalid(f"{member} should not be set if list of Metrics is set.", member)
    entries = properties["Metrics"]
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        raise invalid("Metrics must be a list of at least one metric", "Metrics")
    queries: list[Query] = []
    watched: list[str] = []
    periods: list[int] = []
    for entry in entries:
        query, returns = _query(entry, periods)
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


def _query(entry: object, periods: list[int]) -> tuple[Query, bool]:
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
