"""What watches a system: log groups, metric filters, alarms, dashboards and budgets."""

from __future__ import annotations

from typing import Any

from grader.cloud.template.kinds.base import Kind, Me, Names
from grader.cloud.template.kinds.common import (
    FLAG,
    KEY,
    LOG_GROUP_NAME,
    TAGS,
    TEXT,
    entries,
)
from grader.cloud.template.model import show
from grader.cloud.template.shapes import (
    At,
    Field,
    Json,
    JsonText,
    ListOf,
    Number,
    Shape,
    Struct,
    Text,
    Whole,
    harmless,
    refused,
    required,
)
from grader.cloud.template.unknown import has_unknown

# -- CloudWatch Logs -------------------------------------------------------------------------
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557),
    *(2922, 3288, 3653),
)


def _log_group_names(me: Me) -> Names:
    name = me.name("LogGroupName", limit=512)
    return name, {"Arn": me.arn("logs", f"log-group:{name}:*")}


LOG_GROUP = Kind(
    fields={
        "BearerTokenAuthenticationEnabled": harmless(FLAG),
        "DataProtectionPolicy": refused("masking of log data is not emulated."),
        "DeletionProtectionEnabled": harmless(FLAG),
        "FieldIndexPolicies": harmless(),
        "KmsKeyId": KEY,
        "LogGroupClass": Text(
            choices=("STANDARD", "INFREQUENT_ACCESS", "DELIVERY"),
            unplayed={
                "INFREQUENT_ACCESS": "it makes no metrics from logs; the labs play STANDARD.",
                "DELIVERY": "the labs play STANDARD.",
            },
        ),
        "LogGroupName": LOG_GROUP_NAME,
        "ResourcePolicyDocument": refused("access is judged by roles alone; grant it in the role."),
        "RetentionInDays": Whole(choices=RETENTION_DAYS),
        "Tags": TAGS,
    },
    names=_log_group_names,
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
    fields={
        "ApplyOnTransformedLogs": refused("log transformers are not emulated."),
        "EmitSystemFieldDimensions": refused("system fields as dimensions are not emulated."),
        "FieldSelectionCriteria": refused("selecting by system fields is not emulated."),
        "FilterName": Text(
            low=1, high=512, pattern=r"[^:*]+", says="AWS takes no colon and no star."
        ),
        "FilterPattern": required(Text(high=1_024)),
        "LogGroupName": required(LOG_GROUP_NAME),
        "MetricTransformations": required(
            ListOf(
                Struct(
                    {
                        "DefaultValue": Number(),
                        "Dimensions": ListOf(
                            Struct(
                                {
                                    "Key": required(Text(low=1, high=255)),
                                    "Value": required(Text(low=1, high=255)),
                                }
                            ),
                            low=1,
                            high=3,
                        ),
                        "MetricName": required(
                            Text(low=1, high=255, pattern=r"[^:*$]+", says="AWS takes no : * $")
                        ),
                        "MetricNamespace": required(
                            Text(
                                low=1,
                                high=256,
                                pattern=r"[0-9a-zA-Z._/#-]+",
                                says="AWS takes letters, digits, and the characters . - _ / #",
                            )
                        ),
                        "MetricValue": required(
                            Text(
                                low=1,
                                high=100,
                                pattern=r"[+-]?[0-9]*\.?[0-9]*|\$.*",
                                says="it must be a number, or a field that begins with $.",
                            )
                        ),
                        "Unit": Text(choices=UNITS),
                    }
                ),
                low=1,
                high=1,
            )
        ),
    },
    names=lambda me: (me.name("FilterName", limit=512), {}),
)

# -- CloudWatch alarms -----------------------------------------------------------------------
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
# What an alarm means is checked by grader.cloud.cloudwatch; here only what it is made of.

_ACTIONS = ListOf(
    Text(
        low=1,
        high=1_024,
        pattern=r"arn:[a-z-]+:\S+",
        says="an action is an ARN; Ref of a topic is its ARN.",
    ),
    high=5,
)
_PERIOD = Whole(10, 604_800, "seconds")
_METRIC_DIMENSIONS = ListOf(
    Struct({"Name": required(Text(low=1, high=255)), "Value": required(Text(low=1, high=1_024))}),
    high=30,
)
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


ALARM_FIELDS: dict[str, Shape | Field] = {
    "ActionConfiguration": harmless(),
    "ActionsEnabled": FLAG,
    "AlarmActions": _ACTIONS,
    "AlarmDescription": harmless(Text(high=1_024)),
    "AlarmName": Text(low=1, high=255),
    "InsufficientDataActions": _ACTIONS,
    "OKActions": _ACTIONS,
    "Tags": TAGS,
}


def _alarm_names(me: Me) -> Names:
    name = me.name("AlarmName")
    return name, {"Arn": me.arn("cloudwatch", f"alarm:{name}")}


ALARM = Kind(
    fields={
        **ALARM_FIELDS,
        "ComparisonOperator": required(
            Text(
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
            )
        ),
        "DatapointsToAlarm": Whole(1),
        "Dimensions": _METRIC_DIMENSIONS,
        "EvaluateLowSampleCountPercentile": Text(choices=("evaluate", "ignore")),
        "EvaluationCriteria": refused("PromQL alarms are not emulated."),
        "EvaluationInterval": refused("PromQL alarms are not emulated."),
        "EvaluationPeriods": required(Whole(1)),
        "EvaluationWindow": refused("evaluation windows are not emulated."),
        "ExtendedStatistic": Text(low=1),
        "MetricName": Text(low=1, high=255),
        "Metrics": ListOf(
            Struct(
                {
                    "AccountId": refused("metrics of other accounts are not emulated."),
                    "Expression": Text(low=1, high=2_048),
                    "Id": required(
                        Text(
                            low=1,
                            high=255,
                            pattern=r"[a-z][A-Za-z0-9_]*",
                            says="it must begin with a lower-case letter; then letters, digits "
                            "and underscores.",
                        )
                    ),
                    "Label": harmless(TEXT),
                    "MetricStat": Struct(
                        {
                            "Metric": required(
                                Struct(
                                    {
                                        "Dimensions": _METRIC_DIMENSIONS,
                                        "MetricName": required(Text(low=1, high=255)),
                                        "Namespace": required(_METRIC_NAMESPACE),
                                    }
                                )
                            ),
                            "Period": required(_PERIOD),
                            "Stat": required(Text(low=1)),
                            "Unit": Text(choices=UNITS),
                        },
                        _period_rule,
                    ),
                    "Period": _PERIOD,
                    "ReturnData": FLAG,
                },
                _period_rule,
            ),
            low=1,
            high=10,
        ),
        "Namespace": _METRIC_NAMESPACE,
        "Period": _PERIOD,
        "Statistic": Text(choices=("SampleCount", "Average", "Sum", "Minimum", "Maximum")),
        "Threshold": Number(),
        "ThresholdMetricId": refused(_ANOMALY),
        "TreatMissingData": Text(choices=("breaching", "notBreaching", "ignore", "missing")),
        "Unit": Text(choices=UNITS),
        "WarmUpConfiguration": refused("warm-up periods are not emulated."),
    },
    names=_alarm_names,
    attributes=("Arn",),
    named_by="AlarmName",
    rule=_alarm_rules,
)

COMPOSITE_ALARM = Kind(
    fields={
        **ALARM_FIELDS,
        "ActionsSuppressor": Text(low=1, high=1_600),
        "ActionsSuppressorExtensionPeriod": Whole(0),
        "ActionsSuppressorWaitPeriod": Whole(0),
        "AlarmRule": required(Text(low=1, high=10_240)),
    },
    names=_alarm_names,
    attributes=("Arn",),
    named_by="AlarmName",
)

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
DASHBOARD = Kind(
    fields={
        "DashboardBody": required(JsonText()),
        "DashboardName": Text(
            low=1,
            high=255,
            pattern=r"[A-Za-z0-9_-]+",
            says="AWS takes letters, digits, and the characters - _",
        ),
        "Tags": TAGS,
    },
    names=lambda me: (me.name("DashboardName"), {}),
    named_by="DashboardName",
)

# -- Budgets ---------------------------------------------------------------------------------
# https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_CreateBudget.html

_COST_TYPES = [
    "IncludeCredit",
    "IncludeDiscount",
    "IncludeOtherSubscription",
    "IncludeRecurring",
    "IncludeRefund",
    "IncludeSubscription",
    "IncludeSupport",
    "IncludeTax",
    "IncludeUpfront",
    "UseAmortized",
    "UseBlended",
]
_BUDGET_OTHER = "only budgets of cost and usage are emulated."


def _budget_rules(properties: dict[str, Any], at: At) -> None:
    if properties.get("BudgetType") in ("COST", "USAGE") and "BudgetLimit" not in properties:
        at.wrong("lacks BudgetLimit: how much may be spent?")


BUDGET = Kind(
    fields={
        "Budget": required(
            Struct(
                {
                    "AutoAdjustData": refused("budgets that adjust themselves are not emulated."),
                    "BillingViewArn": refused("billing views are not emulated."),
                    "BudgetLimit": Struct(
                        {"Amount": required(Number(0)), "Unit": required(Text(low=1))}
                    ),
                    "BudgetName": Text(
                        low=1,
                        high=100,
                        pattern=r"[^:\\]+",
                        says="AWS takes no colon and no backslash.",
                    ),
                    "BudgetType": required(
                        Text(
                            choices=("COST", "USAGE"),
                            unplayed={
                                "RI_UTILIZATION": _BUDGET_OTHER,
                                "RI_COVERAGE": _BUDGET_OTHER,
                                "SAVINGS_PLANS_UTILIZATION": _BUDGET_OTHER,
                                "SAVINGS_PLANS_COVERAGE": _BUDGET_OTHER,
                            },
                        )
                    ),
                    "CostFilters": Json(),
                    "CostTypes": Struct(dict.fromkeys(_COST_TYPES, FLAG)),
                    "FilterExpression": refused("use CostFilters."),
                    "Metrics": refused("use CostTypes."),
                    "PlannedBudgetLimits": refused("use BudgetLimit."),
                    "TimePeriod": harmless(Struct({"Start": TEXT, "End": TEXT})),
                    "TimeUnit": required(
                        Text(
                            choices=("DAILY", "MONTHLY", "QUARTERLY", "ANNUALLY"),
                            unplayed={
                                "CUSTOM": "budgets of a period of your own are not emulated."
                            },
                        )
                    ),
                },
                _budget_rules,
            )
        ),
        "NotificationsWithSubscribers": ListOf(
            Struct(
                {
                    "Notification": required(
                        Struct(
                            {
                                "ComparisonOperator": required(
                                    Text(choices=("GREATER_THAN", "LESS_THAN", "EQUAL_TO"))
                                ),
                                "NotificationType": required(
                                    Text(choices=("ACTUAL", "FORECASTED"))
                                ),
                                "Threshold": required(Number(0.1, 1_000_000_000)),
                                "ThresholdType": Text(choices=("PERCENTAGE", "ABSOLUTE_VALUE")),
                            }
                        )
                    ),
                    "Subscribers": required(
                        ListOf(
                            Struct(
                                {
                                    "Address": required(Text(low=1)),
                                    "SubscriptionType": required(Text(choices=("EMAIL", "SNS"))),
                                }
                            ),
                            low=1,
                            high=11,
                        )
                    ),
                }
            )
        ),
        "ResourceTags": TAGS,
    },
    names=lambda me: (me.name("Budget", "BudgetName", limit=100), {}),
    unplayed=("Id",),
)
