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
from grader.cloud.cloudwatch.queries import (
    SINGLE_METRIC,
    Query,
    flag,
    invalid,
    metric_math,
    not_emulated,
    single,
    whole,
)
from grader.cloud.cloudwatch.series import MetricStat

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
        *SINGLE_METRIC,
    ]
)
_ARN = re.compile(r"arn:(aws[a-z-]*):([a-z0-9-]+):([a-z0-9-]*):(\d*|ec2):(\S+)")
DAY_S = 86_400
WEEK_S = 7 * DAY_S


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
            queries, watched, pointwise = metric_math(properties)
        else:
            queries, watched, pointwise = (Query("metric", single(properties)),), "metric", True
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
    # The API reference says that it is always ignored, the guide of 2026 that it is by default.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    if given is None and any(stat.namespace == "AWS/DynamoDB" for stat in stats):
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
