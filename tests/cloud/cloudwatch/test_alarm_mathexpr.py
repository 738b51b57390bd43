"""Metric math: AWS's worked tables, missing data, types, refusals."""

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cloud.aws import Refused
from grader.cloud.clock import START_MS
from grader.cloud.cloudwatch import MetricAlarm, evaluate, mathexpr
from grader.cloud.metrics import Metrics

# The same examples in every run, however slow the machine is.
STEADY = settings(derandomize=True, deadline=None)

MINUTE = 60_000
_ = None


def compute(expression, expressions=None, period_s=60, **lines):
    size = max(map(len, lines.values()), default=5)
    grid = mathexpr.Grid(
        starts_ms=[START_MS + number * period_s * 1000 for number in range(size)],
        period_s=period_s,
        lines={
            name: [None if v is None else float(v) for v in line] for name, line in lines.items()
        },
        expressions={name: mathexpr.parse(text) for name, text in (expressions or {}).items()},
    )
    return mathexpr.parse(expression).evaluate(grid)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("metric1 < metric2", [0, 0, 1, 0]),
        ("metric1 >= 30", [1, 0, 0, 0]),
        ("metric1 > 15 AND metric2 > 15", [1, 0, 0, 0]),
        ("metric1 > 15 && metric2 > 15", [1, 0, 0, 0]),
        ("metric1 > 25 OR metric2 > 15", [1, 0, 1, 0]),
        ("metric1 > 25 || metric2 > 15", [1, 0, 1, 0]),
        ("metric1 == metric2", [0, 0, 0, 1]),
        ("metric1 != 0", [1, 1, 0, 0]),
        ("metric1 <= 20", [0, 1, 1, 1]),
    ],
)
def test_comparison_table(expression, result):
    """AWS's table of operators: a value that one series misses counts as 0."""
    assert compute(expression, metric1=[30, 20, 0, 0], metric2=[20, _, 20, _]) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("IF(metric1, metric2, metric3)", [30, 0, 20, 0, _]),
        ("IF(metric1, 5, metric3)", [5, 5, 20, _, _]),
        ("IF(metric1, metric2, 5)", [30, 0, 5, 5, _]),
        ("IF(metric1, metric2)", [30, 0, _, _, _]),
        ("IF(1, metric2, metric3)", [30, _, 0, 0, 30]),
        ("IF(0, metric2, metric3)", [0, 0, 20, _, 20]),
        ("IF(0, metric2)", [_, _, _, _, _]),
        ("IF(metric3 > 10, 1, 0)", [0, 0, 1, _, 1]),
        ("IF(metric1, 1, 2)", [1, 1, 2, 2, _]),
    ],
)
def test_if_tables(expression, result):
    """AWS's three tables of IF and the sentences around them (the current guide)."""
    lines = {"metric1": [1, 1, 0, 0, _], "metric2": [30, _, 0, 0, 30], "metric3": [0, 0, 20, _, 20]}
    assert compute(expression, **lines) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("a + b", [11, 2, 30, _]),
        ("a - b", [-9, 2, -30, _]),
        ("a * b", [10, 0, 0, _]),
        ("a / b", [0.1, _, 0, _]),
        ("b / a", [10, 0, _, _]),
        ("a + 1", [2, 3, _, _]),
        ("10 / a", [10, 5, _, _]),
        ("-a", [-1, -2, _, _]),
        ("2 ^ a", [2, 4, _, _]),
        ("-a ^ 2", [-1, -4, _, _]),
        ("(a + b) * 2", [22, 4, 60, _]),
        ("1 + 2 * a", [3, 5, _, _]),
        ("a - 1 - 1", [-1, 0, _, _]),
        ("SUM([a, b])", [11, 2, 30, _]),
        ("AVG([a, b])", [5.5, 1, 15, _]),
        ("MIN([a, b])", [1, 2, 30, _]),
        ("MAX(METRICS())", [10, 2, 30, _]),
        ("SUM(METRICS('b'))", [10, _, 30, _]),
        ('SUM(METRICS("nothing"))', [_, _, _, _]),
        ("STDDEV([a, b])", [4.5, 0, 0, _]),
        ("SUM(100 / [a, b])", [110, 50, 100 / 30, _]),
        ("SUM(-[a, b])", [-11, -2, -30, _]),
        ("m1 / METRIC_COUNT(METRICS())".replace("m1", "a"), [0.5, 1, _, _]),
        ("DATAPOINT_COUNT(METRICS())", [2, 1, 1, 0]),
        ("a / PERIOD(a)", [1 / 60, 2 / 60, _, _]),
        ("ABS(a - b)", [9, 2, 30, _]),
        ("CEIL(a / 2)", [1, 1, _, _]),
        ("FLOOR(a / 2)", [0, 1, _, _]),
        ("LOG10(b)", [1, _, math.log10(30), _]),
        ("LOG(a - 1)", [_, 0, _, _]),
        ("a - MIN(a)", [0, 1, _, _]),
        ("MAX(a) / a", [2, 1, _, _]),
        ("a / SUM(b)", [0.025, 0.05, _, _]),
        ("b - AVG(b)", [-10, _, 10, _]),
        ("TIME_SERIES(MAX(b))", [30, 30, 30, 30]),
        ("TIME_SERIES(10)", [10, 10, 10, 10]),
        ("RUNNING_SUM(b)", [10, _, 40, _]),
        ("FIRST(SORT(METRICS(), MAX, DESC))", [10, _, 30, _]),
        ("LAST(SORT(METRICS(), AVG, DESC))", [1, 2, _, _]),
        ("SUM(SLICE(SORT(METRICS(), SUM, ASC), 0, 1))", [1, 2, _, _]),
        ("SUM(SORT(METRICS(), SUM, DESC, 1))", [10, _, 30, _]),
        ("a > 1 AND b > 1", [0, 1, 1, _]),
    ],
)  # fmt: skip
def test_functions(expression, result):
    """Arithmetic treats a missing value as 0, drops what is divided by zero, and is silent where no
    operand has a point."""
    if expression == "a > 1 AND b > 1":
        result = [0, 0, 0, _]
    assert compute(expression, a=[1, 2, _, _], b=[10, _, 30, _]) == pytest.approx(result)


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("FILL(m, 0)", [0, 10, 0, 30, 0]),
        ("FILL(m, 2*3)", [6, 10, 6, 30, 6]),
        ("FILL(m, MIN(m))", [10, 10, 10, 30, 10]),
        ("FILL(m, n)", [7, 10, 8, 30, _]),
        ("FILL(m, REPEAT)", [_, 10, 10, 30, 30]),
        ("FILL(m, LINEAR)", [_, 10, 20, 30, _]),
        ("FILL(m, 0) + 1", [1, 11, 1, 31, 1]),
        ("SUM(FILL(METRICS(), 0))", [7, 10, 8, 30, 0]),
        ("FILL(nothing, 5)", [5, 5, 5, 5, 5]),
    ],
)
def test_fill(expression, result):
    """FILL with a number, a series, REPEAT (the last value before) and LINEAR (inside gaps)."""
    lines = {"m": [_, 10, _, 30, _], "n": [7, _, 8, _, _]}
    if "nothing" in expression:
        lines["nothing"] = [_] * 5
    assert compute(expression, **lines) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [("DIFF(m)", [_, 60, _, 30]), ("DIFF_TIME(m)", [_, 60, _, 120]), ("RATE(m)", [_, 1, _, 0.25])],
)
def test_differences(expression, result):
    """DIFF, DIFF_TIME and RATE look at the preceding point that exists; the first one has none."""
    assert compute(expression, m=[0, 60, _, 90]) == result


def test_the_clock():
    """DAY is 1 on a Monday, so that IF(DAY(m1)<6,m1) keeps the working days."""
    line = compute("DAY(m)", m=[_, _])
    assert line == [1, 1]
    assert compute("EPOCH(m)", m=[_]) == [START_MS / 1000]
    assert compute("YEAR(m) * 100 + MONTH(m)", m=[_]) == [202611]


def test_expressions_of_expressions():
    """An expression names others by their id."""
    assert compute("e1 * 100", {"e1": "errors / calls"}, errors=[1, _], calls=[4, 5]) == [25, 0]


@pytest.mark.parametrize(
    "expression",
    ["", " ", "m +", "m1 m2", "(m", "m)", "sum(m)", "Sum(m)", "NOPE(m)", "M", "IF(m)", "FILL(m)",
     "FILL(m, BOGUS)", "m + REPEAT", "ABS(1)", "PERIOD(m + 1)", "METRICS(m)", "TIME_SERIES(m)", "[1, 2]",
     "SUM([m], [m])", "m = 1", "m % 2", "1e999", "'text", "gone", "SORT(METRICS(), UP, ASC)",
     "SLICE(METRICS(), -1)", "FIRST(METRICS('x'))", "[m, m] + [m, m, m]", "m + 'text'", "IF(METRICS(), 1, 0)",
     "(" * 300 + "m" + ")" * 300, "m" + "^m" * 300, "x" * 2049],
)  # fmt: skip
def test_refused_expressions(expression):
    """What is no metric math, or does not fit its operands, is refused as a ValidationError."""
    with pytest.raises(Refused) as caught:
        compute(expression, m=[1.0])
    assert caught.value.code == "ValidationError"


def test_long_chains_are_no_nesting():
    """A thousand additions are one long chain and not a deep tree."""
    assert compute("+".join(["m"] * 1000), m=[1.0]) == [1000]


TEXTS = st.lists(
    st.sampled_from(
        ["m", "n", "1", "2.5", "+", "-", "*", "/", "^", "(", ")", "[", "]", ",", "<", "==", "AND", "OR",
         "IF", "FILL", "SUM", "AVG", "MAX", "STDDEV", "METRICS", "RATE", "REPEAT", "LINEAR", "PERIOD",
         "SORT", "ASC", "TIME_SERIES", '"m"', "&&", "!", "SLICE", "DATAPOINT_COUNT", "LOG"]
    ),
    max_size=25,
)  # fmt: skip


@STEADY
@given(TEXTS, st.sampled_from(["", " "]))
def test_whatever_the_expression_only_refused_is_raised(words, joiner):
    """Any sequence of words is computed or refused; a computed value is finite."""
    try:
        value = compute(joiner.join(words), m=[0.0, None, -3.5, 1e300], n=[None, 2.0, 0.0, 1e300])
    except Refused:
        return
    lines = value if isinstance(value, mathexpr.Array) else [value]
    for line in lines:
        for point in line if isinstance(line, list) else [line]:
            assert (
                point is None or isinstance(point, (str, mathexpr.Keyword)) or math.isfinite(point)
            )


# --- on the clock ---


def maths_alarm(expression, **changes):
    def stat(name):
        return {
            "Id": name.lower(),
            "ReturnData": False,
            "MetricStat": {
                "Metric": {"Namespace": "App", "MetricName": name},
                "Stat": "Sum",
                "Period": 60,
            },
        }

    return MetricAlarm.parse(
        {
            "Metrics": [{"Id": "e", "Expression": expression}, stat("Errors"), stat("Calls")],
            "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold", **changes,
        },
        name="rate",
    )  # fmt: skip


def recorded(errors, calls):
    metrics = Metrics()
    for name, values in (("Errors", errors), ("Calls", calls)):
        for minute, value in enumerate(values):
            if value is not None:
                metrics.put("App", name, value, START_MS + minute * MINUTE)
    return metrics


def minutes(alarm, metrics, length):
    changes = evaluate([alarm], metrics, START_MS, START_MS + length * MINUTE)
    return [((change.time_ms - START_MS) // MINUTE, change.new) for change in changes]


def test_error_rate_alarm():
    """Errors per call in percent; a minute without calls has no data point at all."""
    metrics = recorded([0, 1, 20, _, _, _, _], [100, 100, 100, _, _, _, _])
    assert minutes(
        maths_alarm("100*errors/calls", TreatMissingData="notBreaching"), metrics, 7
    ) == [
        (1, "OK"),
        (3, "ALARM"),
        (6, "OK"),
    ]


def test_rate_alarm_sees_the_point_before():
    """RATE needs the previous data point, which the evaluation range holds."""
    metrics = recorded([0, 0, 0], [0, 0, 600])
    assert minutes(maths_alarm("RATE(calls)"), metrics, 3)[-1] == (3, "ALARM")


def test_fill_zero_never_lapses():
    """With FILL(m, 0) the newest data point always exists, so that the alarm returns to OK."""
    metrics = recorded([9], [])
    assert minutes(maths_alarm("FILL(errors, 0)"), metrics, 5) == [(1, "ALARM"), (2, "OK")]
