"""What watches a system: log groups, metric filters, alarms, dashboards and budgets."""

from __future__ import annotations

from typing import Any

from grader.cloud.template.kinds.base import Kind, Me, Names
from grader.cloud.template.kinds.common import ENCRYPTION, LOG_GROUP_NAME, TAGS, entries
from grader.cloud.template.kinds.schema import ByHand
from grader.cloud.template.model import show
from grader.cloud.template.shapes import (
    At,
    Json,
    JsonText,
    Number,
    Shape,
    Text,
    Whole,
    required,
)
from grader.cloud.template.unknown import has_unknown

# -- CloudWatch Logs -------------------------------------------------------------------------
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html


def _log_group_names(me: Me) -> Names:
    name = me.name("LogGroupName", limit=512)
    return name, {"Arn": me.arn("logs", f"log-group:{name}:*")}


LOG_GROUP = Kind(
    "AWS::Logs::LogGroup",
    _log_group_names,
    ByHand(
        played="LogGroupClass LogGroupName RetentionInDays",
        kept={
            "BearerTokenAuthenticationEnabled": "",
            "DeletionProtectionEnabled": "",
            "FieldIndexPolicies": "",
            "KmsKeyId": ENCRYPTION,
            "Tags": TAGS,
        },
        refused={
            "DataProtectionPolicy": "masking of log data is not emulated.",
            "ResourcePolicyDocument": "access is judged by roles alone; grant it in the role.",
        },
        shapes={
            "LogGroupClass": Text(
                unplayed={
                    "INFREQUENT_ACCESS": "it makes no metrics from logs; the labs play STANDARD.",
                    "DELIVERY": "the labs play STANDARD.",
                },
            ),
            "LogGroupName": LOG_GROUP_NAME,
        },
    ),
    attributes=("Arn",),
    named_by="LogGroupName",
)

UNITS = (
    *("Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes"),
    *("Terabytes", "Bits", "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count"),
    *("Bytes/Second", "Kilobytes/Second", "Megabytes/Second", "Gigabytes/Second"),
    *("Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second"),
    *("Terabits/Second", "Count/Second", "None"),
)

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html
METRIC_FILTER = Kind(
    "AWS::Logs::MetricFilter",
    lambda me: (me.name("FilterName", limit=512), {}),
    ByHand(
        played="FilterName FilterPattern LogGroupName MetricTransformations",
        refused={
            "ApplyOnTransformedLogs": "log transformers are not emulated.",
            "EmitSystemFieldDimensions": "system fields as dimensions are not emulated.",
            "FieldSelectionCriteria": "selecting by system fields is not emulated.",
        },
        shapes={
            "FilterName": Text(pattern=r"[^:*]+", says="AWS takes no colon and no star."),
            "LogGroupName": LOG_GROUP_NAME,
            "MetricTransformations.MetricName": Text(
                low=1, high=255, pattern=r"[^:*$]+", says="AWS takes no : * $"
            ),
            "MetricTransformations.MetricNamespace": Text(
                low=1,
                high=256,
                pattern=r"[0-9a-zA-Z._/#-]+",
                says="AWS takes letters, digits, and the characters . - _ / #",
            ),
            "MetricTransformations.MetricValue": Text(
                low=1,
                high=100,
                pattern=r"[+-]?[0-9]*\.?[0-9]*|\$.*",
                says="it must be a number, or a field that begins with $.",
            ),
        },
    ),
)

# -- CloudWatch alarms -----------------------------------------------------------------------
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
# What an alarm means is checked by grader.cloud.cloudwatch; here only what it is made of.

_ACTION = Text(
    low=1,
    high=1_024,
    pattern=r"arn:[a-z-]+:\S+",
    says="an action is an ARN; Ref of a topic is its ARN.",
)
# AWS's shortest period is ten seconds.
_PERIOD = Whole(10, 604_800, "seconds")
_METRIC_NAMESPACE = Text(
    low=1, high=255, pattern=r"[^:].*", says="AWS takes no colon at its start."
)
_ANOMALY = "anomaly detection is not emulated; use a threshold."
_SINGLE = (
    "MetricName",
    "Namespace",
    "Dimensions",
    "Period",
    "Statistic",
    "ExtendedStatistic",
    "Unit",
)


def _period_rule(holder: dict[str, Any], at: At) -> None:
    period = holder.get("Period")
    if isinstance(period, int) and period not in (10, 20, 30) and period % 60:
        at.into("Period").wrong(f"is {period}; AWS takes 10, 20, 30 or a multiple of 60 seconds.")


def _alarm_rules(properties: dict[str, Any], at: At) -> None:
    _period_rule(properties, at)
    if "Metrics" in properties:
        for name in _SINGLE:
            if name in properties:
                at.into(name).wrong("does not go with Metrics; write it inside Metrics.")
        _metrics_rule(properties["Metrics"], at.into("Metrics"))
    else:
        if "MetricName" not in properties:
            at.wrong("lacks MetricName (or Metrics): what should the alarm watch?")
        for name in ("Namespace", "Period"):
            if "MetricName" in properties and name not in properties:
                at.wrong(f"lacks {name}, which an alarm on one metric needs.")
        both = [name for name in ("Statistic", "ExtendedStatistic") if name in properties]
        if "MetricName" in properties and len(both) != 1:
            what = "has both Statistic and ExtendedStatistic" if both else "has no Statistic"
            at.wrong(
                f"{what}; an alarm on one metric needs one of Statistic and ExtendedStatistic."
            )
    if "Threshold" not in properties and "ThresholdMetricId" not in properties:
        at.wrong("lacks Threshold: which value is too high or too low?")
    needed, of = properties.get("DatapointsToAlarm"), properties.get("EvaluationPeriods")
    if isinstance(needed, int) and isinstance(of, int) and needed > of:
        at.into("DatapointsToAlarm").wrong(
            f"is {needed}, more than the {of} of EvaluationPeriods; it can never be reached."
        )


def _metrics_rule(metrics: Any, at: At) -> None:
    if not isinstance(metrics, list) or has_unknown(metrics):
        return
    ids: list[str] = []
    returned = 0
    for number, query in entries(metrics):
        if ("MetricStat" in query) == ("Expression" in query):
            at.into(number).wrong("needs either MetricStat or Expression.")
        key = query.get("Id")
        if key in ids:
            at.into(number, "Id").wrong(f"is {show(key)}, which an earlier entry already has.")
        ids.append(str(key))
        returned += query.get("ReturnData", True)
    if returned != 1:
        at.wrong(
            f"returns the data of {returned} entries; exactly one must, so set ReturnData: false "
            "on the others (it is true unless said otherwise)."
        )


_ALARM_PLAYED = "ActionsEnabled AlarmActions AlarmName InsufficientDataActions OKActions"
_ALARM_KEPT = {"ActionConfiguration": "", "AlarmDescription": "", "Tags": TAGS}
_ALARM_SHAPES: dict[str, Shape] = {
    "ActionConfiguration": Json(),
    "AlarmActions": _ACTION,
    "AlarmName": Text(low=1),
    "InsufficientDataActions": _ACTION,
    "OKActions": _ACTION,
}


def _alarm_names(me: Me) -> Names:
    name = me.name("AlarmName")
    return name, {"Arn": me.arn("cloudwatch", f"alarm:{name}")}


ALARM = Kind(
    "AWS::CloudWatch::Alarm",
    _alarm_names,
    ByHand(
        played=f"{_ALARM_PLAYED} ComparisonOperator DatapointsToAlarm Dimensions "
        "EvaluateLowSampleCountPercentile EvaluationPeriods ExtendedStatistic MetricName Metrics "
        "Namespace Period Statistic Threshold TreatMissingData Unit",
        kept=_ALARM_KEPT,
        refused={
            "EvaluationCriteria": "PromQL alarms are not emulated.",
            "EvaluationInterval": "PromQL alarms are not emulated.",
            "EvaluationWindow": "evaluation windows are not emulated.",
            "Metrics.AccountId": "metrics of other accounts are not emulated.",
            "ThresholdMetricId": _ANOMALY,
            "WarmUpConfiguration": "warm-up periods are not emulated.",
        },
        shapes={
            **_ALARM_SHAPES,
            "ComparisonOperator": Text(
                choices=(
                    "GreaterThanThreshold",
                    "GreaterThanOrEqualToThreshold",
                    "LessThanThreshold",
                    "LessThanOrEqualToThreshold",
                ),
                unplayed={
                    "GreaterThanUpperThreshold": _ANOMALY,
                    "LessThanLowerThreshold": _ANOMALY,
                    "LessThanLowerOrGreaterThanUpperThreshold": _ANOMALY,
                },
            ),
            "EvaluateLowSampleCountPercentile": Text(choices=("evaluate", "ignore")),
            "EvaluationPeriods": required(Whole(1)),
            "ExtendedStatistic": Text(low=1),
            "Metrics.Id": Text(
                low=1,
                high=255,
                pattern=r"[a-z][A-Za-z0-9_]*",
                says="it must begin with a lower-case letter; then letters, digits "
                "and underscores.",
            ),
            "Metrics.MetricStat.Metric.MetricName": required(Text(low=1, high=255)),
            "Metrics.MetricStat.Metric.Namespace": required(_METRIC_NAMESPACE),
            "Metrics.MetricStat.Period": _PERIOD,
            "Metrics.Period": _PERIOD,
            "Namespace": _METRIC_NAMESPACE,
            "Period": _PERIOD,
            "Unit": Text(choices=UNITS),
        },
        rules={"": _alarm_rules, "Metrics": _period_rule, "Metrics.MetricStat": _period_rule},
    ),
    attributes=("Arn",),
    named_by="AlarmName",
)

COMPOSITE_ALARM = Kind(
    "AWS::CloudWatch::CompositeAlarm",
    _alarm_names,
    ByHand(
        played=f"{_ALARM_PLAYED} ActionsSuppressor ActionsSuppressorExtensionPeriod "
        "ActionsSuppressorWaitPeriod AlarmRule",
        kept=_ALARM_KEPT,
        shapes={
            **_ALARM_SHAPES,
            "ActionsSuppressorExtensionPeriod": Whole(0),
            "ActionsSuppressorWaitPeriod": Whole(0),
        },
    ),
    attributes=("Arn",),
    named_by="AlarmName",
)

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
DASHBOARD = Kind(
    "AWS::CloudWatch::Dashboard",
    lambda me: (me.name("DashboardName"), {}),
    ByHand(
        played="DashboardBody DashboardName",
        kept={"Tags": TAGS},
        shapes={
            "DashboardBody": JsonText(),
            "DashboardName": Text(
                low=1,
                high=255,
                pattern=r"[A-Za-z0-9_-]+",
                says="AWS takes letters, digits, and the characters - _",
            ),
        },
    ),
    named_by="DashboardName",
)

# -- Budgets ---------------------------------------------------------------------------------
# https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_CreateBudget.html

_BUDGET_OTHER = "only budgets of cost and usage are emulated."


def _budget_rules(properties: dict[str, Any], at: At) -> None:
    if properties.get("BudgetType") in ("COST", "USAGE") and "BudgetLimit" not in properties:
        at.wrong("lacks BudgetLimit: how much may be spent?")


_NOTIFICATION = "NotificationsWithSubscribers.Notification"
BUDGET = Kind(
    "AWS::Budgets::Budget",
    lambda me: (me.name("Budget", "BudgetName", limit=100), {}),
    ByHand(
        played="Budget NotificationsWithSubscribers",
        kept={"ResourceTags": TAGS},
        refused={
            "Budget.AutoAdjustData": "budgets that adjust themselves are not emulated.",
            "Budget.BillingViewArn": "billing views are not emulated.",
            "Budget.PlannedBudgetLimits": "the labs read BudgetLimit.",
        },
        shapes={
            "Budget.BudgetLimit.Amount": Number(0),
            "Budget.BudgetLimit.Unit": Text(low=1),
            "Budget.BudgetName": Text(
                low=1,
                high=100,
                pattern=r"[^:\\]+",
                says="AWS takes no colon and no backslash.",
            ),
            "Budget.BudgetType": Text(
                choices=("COST", "USAGE"),
                unplayed={
                    "RI_UTILIZATION": _BUDGET_OTHER,
                    "RI_COVERAGE": _BUDGET_OTHER,
                    "SAVINGS_PLANS_UTILIZATION": _BUDGET_OTHER,
                    "SAVINGS_PLANS_COVERAGE": _BUDGET_OTHER,
                },
            ),
            "Budget.TimeUnit": Text(
                choices=("DAILY", "MONTHLY", "QUARTERLY", "ANNUALLY"),
                unplayed={"CUSTOM": "budgets of a period of your own are not emulated."},
            ),
            f"{_NOTIFICATION}.ComparisonOperator": Text(
                choices=("GREATER_THAN", "LESS_THAN", "EQUAL_TO")
            ),
            f"{_NOTIFICATION}.NotificationType": Text(choices=("ACTUAL", "FORECASTED")),
            f"{_NOTIFICATION}.Threshold": Number(0.1, 1_000_000_000),
            f"{_NOTIFICATION}.ThresholdType": Text(choices=("PERCENTAGE", "ABSOLUTE_VALUE")),
            "NotificationsWithSubscribers.Subscribers.Address": Text(low=1),
            "NotificationsWithSubscribers.Subscribers.SubscriptionType": Text(
                choices=("EMAIL", "SNS")
            ),
        },
        rules={"Budget": _budget_rules},
    ),
)
