"""CloudWatch alarms over recorded metrics, on virtual time. Pure: data in, data out.

::

    alarm = MetricAlarm.parse(properties, name="Lag")        # or Refused, as PutMetricAlarm does
    changes = evaluate([alarm], metrics, from_ms, to_ms)     # every change of state
    pages = notifications(changes, [alarm], subscriptions)   # who heard of it

``choices`` holds what AWS leaves open; ``series`` statistics, periods and arrivals; ``mathexpr``
metric math and ``mathfunctions`` what it computes with; ``queries`` what a metric alarm reads;
``metric`` and ``composite`` the two kinds of alarm; ``evaluation`` the rules; ``notify`` topics and
subscriptions. ``emf`` takes metrics in; ``dashboards`` reads bodies, ``selection`` the queries in
them, ``drawing`` paints them; ``readback`` is what a reader of metrics gets.
"""

from grader.cloud.cloudwatch.choices import NOT_EMULATED
from grader.cloud.cloudwatch.composite import CompositeAlarm, parse_rule
from grader.cloud.cloudwatch.evaluation import (
    Alarm,
    DataPoint,
    SetState,
    Transition,
    datapoints,
    evaluate,
    judge,
)
from grader.cloud.cloudwatch.metric import ACTION_MEMBERS, MetricAlarm, State
from grader.cloud.cloudwatch.notify import Notification, Subscription, notifications, silence
from grader.cloud.cloudwatch.readback import (
    MOST_POINTS,
    Window,
    listed,
    metric_data,
    periods,
    read_statistics,
)
from grader.cloud.cloudwatch.series import MetricStat, Statistic, parse_statistic

__all__ = [
    "ACTION_MEMBERS",
    "MOST_POINTS",
    "NOT_EMULATED",
    "Alarm",
    "CompositeAlarm",
    "DataPoint",
    "MetricAlarm",
    "MetricStat",
    "Notification",
    "SetState",
    "State",
    "Statistic",
    "Subscription",
    "Transition",
    "Window",
    "datapoints",
    "evaluate",
    "judge",
    "listed",
    "metric_data",
    "notifications",
    "parse_rule",
    "parse_statistic",
    "periods",
    "read_statistics",
    "silence",
]
