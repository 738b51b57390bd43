"""What PutMetricAlarm and PutCompositeAlarm refuse, and what this emulator names as not emulated."""

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import CompositeAlarm, MetricAlarm, parse_rule

# The same examples in every run, however slow the machine is.
STEADY = settings(derandomize=True, deadline=None)

TOPIC = "arn:aws:sns:us-east-1:123456789012:pages"


def metric(name, stat="Sum", period=60, **more):
    return {
        "Id": name,
        "ReturnData": False,
        "MetricStat": {
            "Metric": {"Namespace": "AWS/Lambda", "MetricName": name.title()},
            "Stat": stat,
            "Period": period,
        },
        **more,
    }


def maths(*entries, **more):
    return {
        "Metrics": list(entries),
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        **more,
    }


def refusal(properties: dict[str, Any], **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        MetricAlarm.parse(properties, name="a", **more)
    return caught.value


@pytest.mark.parametrize("period", [10, 20, 30, 60, 120, 3600, 86400, "300"])
def test_good_periods(alarm, period):
    """10, 20, 30 and every multiple of 60 seconds; a template may write it as text."""
    assert alarm(Period=period).period_s == int(period)


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"Period": 45}, "Period"),
        ({"Period": 5}, "Period"),
        ({"Period": 0}, "Period"),
        ({"Period": None}, "Period"),
        ({"Period": 61}, "Period"),
        ({"Period": "1 minute"}, "Period"),
        ({"EvaluationPeriods": 0}, "EvaluationPeriods"),
        ({"EvaluationPeriods": None}, "EvaluationPeriods"),
        ({"EvaluationPeriods": 1.5}, "EvaluationPeriods"),
        ({"EvaluationPeriods": 1441}, "EvaluationPeriods"),
        ({"Period": 3600, "EvaluationPeriods": 169}, "EvaluationPeriods"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"DatapointsToAlarm": 0}, "DatapointsToAlarm"),
        ({"Threshold": None}, "Threshold"),
        ({"Threshold": "high"}, "Threshold"),
        ({"Threshold": float("nan")}, "Threshold"),
        ({"ComparisonOperator": None}, "ComparisonOperator"),
        ({"ComparisonOperator": ">"}, "ComparisonOperator"),
        ({"Statistic": None}, "Statistic"),
        ({"Statistic": "p99"}, "Statistic"),
        ({"Statistic": "Max"}, "Statistic"),
        ({"ExtendedStatistic": "p99"}, "ExtendedStatistic"),
        ({"Statistic": None, "ExtendedStatistic": "p101"}, "ExtendedStatistic"),
        ({"Statistic": None, "ExtendedStatistic": "Average"}, "ExtendedStatistic"),
        ({"TreatMissingData": "ok"}, "TreatMissingData"),
        ({"TreatMissingData": "NotBreaching"}, "TreatMissingData"),
        ({"Unit": "ms"}, "Unit"),
        ({"MetricName": None}, "MetricName"),
        ({"Namespace": None}, "Namespace"),
        ({"Namespace": ":mine"}, "Namespace"),
        ({"Namespace": "Größe"}, "Namespace"),
        ({"MetricName": "x" * 256}, "MetricName"),
        ({"Dimensions": [{"Name": "FunctionName"}]}, "Dimensions"),
        ({"Dimensions": {"FunctionName": "totals"}}, "Dimensions"),
        ({"Dimensions": [{"Name": f"d{n}", "Value": "x"} for n in range(31)]}, "Dimensions"),
        ({"AlarmName": ""}, "AlarmName"),
        ({"AlarmName": "bell\x07"}, "AlarmName"),
        ({"AlarmDescription": "x" * 1025}, "AlarmDescription"),
        ({"AlarmActions": [TOPIC] * 6}, "AlarmActions"),
        ({"OKActions": ["pages"]}, "OKActions"),
        ({"AlarmActions": TOPIC}, "AlarmActions"),
        ({"InsufficientDataActions": ["arn:aws:sqs:us-east-1:123456789012:q"]}, "InsufficientDataActions"),
        ({"ActionsEnabled": "yes"}, "ActionsEnabled"),
        ({"EvaluateLowSampleCountPercentile": "ignore"}, "EvaluateLowSampleCountPercentile"),
        ({"TreatMissing": "ignore"}, "TreatMissing"),
    ],
)  # fmt: skip
def test_refused_values(alarm, changes, parameter):
    """Each value that PutMetricAlarm refuses is refused and names its member."""
    with pytest.raises(Refused) as caught:
        alarm(**changes)
    assert caught.value.parameter == parameter
    assert caught.value.code in ("ValidationError", "InvalidParameterValue")


@pytest.mark.parametrize(
    ("changes", "feature"),
    [
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "GreaterThanUpperThreshold"),
        ({"ComparisonOperator": "LessThanLowerThreshold"}, "LessThanLowerThreshold"),
        ({"ComparisonOperator": "LessThanLowerOrGreaterThanUpperThreshold"}, "LessThanLowerOr"),
        ({"ThresholdMetricId": "ad1"}, "ThresholdMetricId"),
        ({"EvaluationCriteria": {}}, "PromQL"),
        ({"WarmUpConfiguration": {}}, "warm-up"),
        ({"EvaluationWindow": {"WallClockWindow": {}}}, "wall clock"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "automate"),
        ({"AlarmActions": ["arn:aws:ssm:us-east-1:123456789012:opsitem:1"]}, "ssm"),
        ({"AlarmActions": ["arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:x"]}, "autoscaling"),
    ],
)  # fmt: skip
def test_not_emulated_by_name(alarm, changes, feature):
    """A feature that AWS has and this emulator has not is refused by its name."""
    with pytest.raises(Refused, match=feature) as caught:
        alarm(**changes)
    assert caught.value.code == "NotEmulated"


def test_longest_windows(alarm):
    """Period times N: a day for periods under an hour, seven days from an hour on."""
    assert not alarm(EvaluationPeriods=1440).multi_day
    assert alarm(Period=3600, EvaluationPeriods=168).multi_day


def test_actions_live_in_the_alarms_region(alarm):
    """A topic of another Region is refused, when the Region is known."""
    message = refusal(
        {
            "Namespace": "N", "MetricName": "M", "Statistic": "Sum", "Period": 60, "Threshold": 1,
            "EvaluationPeriods": 1, "ComparisonOperator": "LessThanThreshold", "AlarmActions": [TOPIC],
        },
        region="eu-west-1",
    ).message  # fmt: skip
    assert message == "Invalid region us-east-1 specified. Only eu-west-1 is supported."


def test_defaults(alarm):
    """M is N, missing data is missing, actions are enabled, the logical id is the name."""
    one = alarm("lag", EvaluationPeriods=3)
    assert (one.datapoints_to_alarm, one.treat_missing_data, one.actions_enabled) == (
        3,
        "missing",
        True,
    )
    assert one.name == "lag"
    assert alarm("lag", AlarmName="real").name == "real"


# --- the Metrics array ---

RATE = {"Id": "rate", "Expression": "errors / invocations * 100"}


def test_a_math_alarm():
    """One expression over two metrics, watched because its ReturnData is true by default."""
    alarm = MetricAlarm.parse(maths(RATE, metric("errors"), metric("invocations")), name="a")
    assert (alarm.watched, alarm.period_s, alarm.pointwise) == ("rate", 60, True)
    assert [stat.name for stat in alarm.metrics] == ["Errors", "Invocations"]


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        (maths(metric("errors")), "Exactly one element of the metrics list should return data."),
        (maths(metric("a", ReturnData=True), metric("b", ReturnData=True)), "Exactly one element"),
        (maths(*[metric(f"m{n}") for n in range(11)], {"Id": "e", "Expression": "m1"}),
         "Too many metrics in alarm, maximum is 10"),
        (maths(metric("m"), *[{"Id": f"e{n}", "Expression": "m", "ReturnData": n == 0} for n in range(11)]),
         "Too many expressions in alarm, maximum is 10"),
        (maths(metric("m"), {"Id": "e", "Expression": "m"}, Period=60), "Period should not be set"),
        (maths(metric("m"), {"Id": "e", "Expression": "m"}, Statistic="Sum"), "Statistic should not be set"),
        (maths(metric("m"), {"Id": "e", "Expression": "m + gone"}), "gone"),
        (maths(metric("m"), {"Id": "e", "Expression": "e + m"}), "depends on itself"),
        (maths(metric("m"), metric("n", period=300), {"Id": "e", "Expression": "m/n"}), "same period"),
        (maths(metric("m"), {"Id": "E", "Expression": "m"}), "lowercase letter"),
        (maths(metric("m"), {"Id": "m", "Expression": "m"}), "used twice"),
        (maths(metric("m"), {"Id": "e", "Expression": "SUM(m)"}), "single number"),
        (maths(metric("m"), {"Id": "e", "Expression": "METRICS()"}), "several time series"),
        (maths(metric("m"), {"Id": "e", "Expression": "SEARCH('{AWS/Lambda}', 'Sum')"}),
         "SEARCH is not supported on Metric Alarms."),
        (maths(metric("m", stat="Mean", ReturnData=True)), "The value Mean"),
        (maths(metric("m", period=45, ReturnData=True)), "Period must be 10, 20, 30 or a multiple of 60"),
        (maths({"Id": "m", "ReturnData": True}), "Expression or MetricStat"),
        (maths({**metric("m"), "Expression": "1"}), "mutually exclusive"),
        (maths({"Id": "e", "Expression": "TIME_SERIES(1)"}), "at least one metric"),
        (maths(), "at least one metric"),
        (maths(metric("m"), RATE | {"Expression": "m"}, AlarmActions=["arn:aws:automate:us-east-1:ec2:stop"]),
         "EC2 actions are not supported"),
    ],
)  # fmt: skip
def test_refused_metrics_arrays(properties, sentence):
    """What AWS refuses of a Metrics array, with AWS's sentence where it was recorded."""
    assert sentence in refusal(properties).message


@pytest.mark.parametrize(
    "expression",
    ["ANOMALY_DETECTION_BAND(m)", "SELECT AVG(CPU) FROM SCHEMA", "INSIGHT_RULE_METRIC(m)",
     "SERVICE_QUOTA(m)", "DB_PERF_INSIGHTS('x')", "LAMBDA('x')", "REMOVE_EMPTY(METRICS())"],
)  # fmt: skip
def test_maths_that_is_not_emulated(expression):
    """Functions that are not emulated are refused by name."""
    refused = refusal(maths(metric("m"), {"Id": "e", "Expression": expression}))
    assert refused.code == "NotEmulated"


# --- composite alarms ---


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("ALARM(a)", True),
        ('ALARM("a")', True),
        ("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:a)", True),
        ("OK(a)", False),
        ("OK(b) AND INSUFFICIENT_DATA(c)", True),
        ("NOT ALARM(b)", True),
        ("NOT (ALARM(a) AND OK(b))", False),
        ("ALARM(b) OR ALARM(a) AND OK(b)", True),
        ("ALARM(a) OR ALARM(b) AND ALARM(c)", True),
        ("(ALARM(a) OR ALARM(b)) AND ALARM(c)", False),
        ("NOT NOT ALARM(a)", True),
        ("TRUE", True),
        ("FALSE OR False", False),
        ('ALARM("with space (and \\"quotes\\")")', True),
        ("AT_LEAST(1, ALARM, (a, b, c))", True),
        ("AT_LEAST(2, ALARM, (a, b, c))", False),
        ("AT_LEAST(2, NOT ALARM, (a, b, c))", True),
        ("AT_LEAST(50%, OK, (a, b))", True),
        ('AT_LEAST(60%, NOT OK, ("a", "b"))', False),
        ("AT_LEAST(2, ALARM, (a, b, c)) OR OK(b)", True),
    ],
)
def test_rules(rule, holds):
    """The rule language of composite alarms."""
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html
    states = {
        "a": "ALARM",
        "b": "OK",
        "c": "INSUFFICIENT_DATA",
        'with space (and "quotes")': "ALARM",
    }
    assert parse_rule(rule).holds(states) is holds


@pytest.mark.parametrize(
    "rule",
    ["", "  ", "a", "ALARM(a", "ALARM()", "ALARM(a) ALARM(b)", "ALARM(a) and ALARM(b)", "(ALARM(a)",
     "ALARM(a) AND", "NOT", "BROKEN(a)", 'ALARM("a)', "AT_LEAST(0, ALARM, (a))", "AT_LEAST(3, ALARM, (a, b))",
     "AT_LEAST(101%, ALARM, (a))", "AT_LEAST(x, ALARM, (a))", "AT_LEAST(1, RED, (a))", "(" * 500,
     " OR ".join(f"ALARM(a{n})" for n in range(101)), " OR ".join(["TRUE"] * 501)],
)  # fmt: skip
def test_refused_rules(rule):
    """Broken rules, and rules beyond 100 alarms or 500 elements."""
    with pytest.raises(Refused) as caught:
        parse_rule(rule)
    assert caught.value.parameter == "AlarmRule"


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        ({"AlarmRule": "ALARM(self)"}, "cannot have a child relation with itself"),
        ({}, "AlarmRule"),
        ({"AlarmRule": "TRUE", "ActionsSuppressorWaitPeriod": 60}, "requires an ActionSuppressor"),
        ({"AlarmRule": "TRUE", "ActionsSuppressor": "a"}, "must not be null"),
        ({"AlarmRule": "TRUE", "ActionsSuppressor": "", "ActionsSuppressorWaitPeriod": 1,
          "ActionsSuppressorExtensionPeriod": 1}, "must have 1 to 1600 characters"),
        ({"AlarmRule": "TRUE", "Threshold": 1}, "unsupported property Threshold"),
        ({"AlarmRule": "TRUE", "AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "EC2 actions"),
    ],
)  # fmt: skip
def test_refused_composites(properties, sentence):
    """What PutCompositeAlarm refuses."""
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
    with pytest.raises(Refused) as caught:
        CompositeAlarm.parse(properties, name="self")
    assert sentence in caught.value.message


# --- no other exception than Refused ---

SCRAPS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
MEMBERS = st.sampled_from(
    ["Namespace", "MetricName", "Dimensions", "Statistic", "ExtendedStatistic", "Period", "Threshold",
     "EvaluationPeriods", "DatapointsToAlarm", "ComparisonOperator", "TreatMissingData", "Metrics",
     "AlarmActions", "ActionsEnabled", "Unit", "AlarmName", "EvaluateLowSampleCountPercentile", "AlarmRule"]
)  # fmt: skip


@STEADY
@given(st.dictionaries(MEMBERS, SCRAPS, max_size=4))
def test_whatever_the_properties_only_refused_is_raised(changes):
    """Nonsense in any member is refused, never a traceback."""
    base = {
        "Namespace": "N", "MetricName": "M", "Statistic": "Sum", "Period": 60, "Threshold": 1,
        "EvaluationPeriods": 1, "ComparisonOperator": "LessThanThreshold",
    }  # fmt: skip
    for parse in (MetricAlarm.parse, CompositeAlarm.parse):
        try:
            parse({**base, **changes} if parse is MetricAlarm.parse else changes, name="a")
        except Refused as refused:
            assert refused.message and refused.parameter


RULE_WORDS = st.sampled_from(
    [
        "ALARM",
        "OK",
        "(",
        ")",
        "a",
        '"b c"',
        "AND",
        "OR",
        "NOT",
        "TRUE",
        "AT_LEAST",
        ",",
        "2",
        "50%",
        '"',
        "\\",
    ]
)


@STEADY
@given(st.lists(RULE_WORDS, max_size=30))
def test_whatever_the_rule_only_refused_is_raised(words):
    """Any sequence of words is a rule or refused."""
    try:
        parse_rule(" ".join(words))
    except Refused as refused:
        assert refused.code == "ValidationError"
