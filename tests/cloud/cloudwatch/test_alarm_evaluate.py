"""The evaluation of alarms on virtual time: windows, cadence, changes of state, reasons."""

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html

from __future__ import annotations

import pytest

from grader.cloud.aws import Refused
from grader.cloud.clock import START_MS
from grader.cloud.cloudwatch import CompositeAlarm, datapoints, evaluate
from grader.cloud.metrics import Metrics, dimensions

MINUTE = 60_000
HOUR = 60 * MINUTE
DIMS = dimensions(FunctionName="totals")
HIGH, LOW = 40_000.0, 10.0


def states(changes, start_ms=START_MS):
    """(minute, new state) of each change."""
    return [((change.time_ms - start_ms) / MINUTE, change.new) for change in changes]


def run(alarm, metrics, minutes, **more):
    return evaluate([alarm], metrics, START_MS, START_MS + minutes * MINUTE, **more)


def test_the_figure_of_the_guide(alarm, series):
    """3 of 3 over a threshold of 3: ALARM in the third to fifth period, OK in the sixth, no alarm for
    the single breach of the ninth."""
    values = [4, 5, 6, 5, 4, 2, 1, 2, 5, 2]
    changes = run(alarm(Threshold=3, EvaluationPeriods=3), series(values), 10)
    assert states(changes) == [(3, "ALARM"), (6, "OK")]


def test_a_new_alarm_starts_in_insufficient_data(alarm, series):
    """The first change of a new alarm leaves INSUFFICIENT_DATA."""
    (first,) = run(alarm(), series([LOW]), 1)
    assert (first.old, first.new, first.time_ms) == ("INSUFFICIENT_DATA", "OK", START_MS + MINUTE)


def test_without_any_data_nothing_changes(alarm):
    """An alarm on a metric that does not exist stays in INSUFFICIENT_DATA."""
    assert run(alarm(), Metrics(), 60) == []


def test_the_window_slides_each_minute(alarm, series):
    """A period of 5 minutes is evaluated every minute over the last 5, not at every fifth minute."""
    # "At the end of minute 6, the alarm is evaluated based on the data from minutes 2 to 6."
    metrics = series([LOW] * 6 + [HIGH] + [LOW] * 9)
    changes = run(alarm(Period=300), metrics, 16)
    assert states(changes) == [(1, "OK"), (7, "ALARM"), (12, "OK")]


def test_sub_minute_alarms_are_evaluated_every_ten_seconds(alarm):
    """A period of 10, 20 or 30 seconds means an evaluation every 10 seconds."""
    metrics = Metrics()
    for second in range(0, 60):
        metrics.put("Shop", "Lag", HIGH if 20 <= second < 30 else LOW, START_MS + second * 1000)
    high = alarm(Namespace="Shop", MetricName="Lag", Dimensions=None, Period=10)
    assert [
        (c.time_ms - START_MS, c.new)
        for c in evaluate([high], metrics, START_MS, START_MS + MINUTE)
    ] == [
        (10_000, "OK"),
        (30_000, "ALARM"),
        (40_000, "OK"),
    ]


def test_a_ten_second_alarm_never_finds_a_metric_that_comes_once_a_minute(alarm, series):
    """The minute's value stands under its beginning and arrives when it is over."""
    # API_PutMetricAlarm: "it does not receive data for the attempts that do not correspond to a
    # one-minute data resolution, and the alarm might often lapse into INSUFFICENT_DATA"
    points = datapoints(alarm(Period=10), series([LOW, LOW]), START_MS, START_MS + 2 * MINUTE)
    assert [point.value for point in points] == [None] * 12
    changes = evaluate([alarm(Period=10)], series([HIGH] * 3), START_MS, START_MS + 3 * MINUTE)
    assert changes == []


@pytest.mark.parametrize(("period", "rings_s"), [(10, 60), (20, 60), (30, 60), (60, 60)])
def test_a_range_beyond_a_minute_finds_it_when_it_has_arrived(alarm, series, period, rings_s):
    """An error at second 35 cannot be known at second 10, whatever the period."""
    watching = alarm(Period=period, EvaluationPeriods=5, DatapointsToAlarm=1)
    (first, *_) = evaluate([watching], series([HIGH]), START_MS, START_MS + 2 * MINUTE)
    assert (first.new, first.time_ms - START_MS) == ("ALARM", rings_s * 1000)


def test_an_alarm_sees_what_has_arrived_and_misses_what_comes_too_late(alarm):
    """A datum of 09:01 that comes at 09:06: one of five finds it, one of one has looked away."""
    metrics = Metrics()
    began, ended = START_MS + MINUTE, START_MS + 6 * MINUTE
    metrics.put("AWS/Lambda", "IteratorAge", HIGH, began, dims=DIMS, arrived_ms=ended)
    patient = alarm("patient", EvaluationPeriods=5, DatapointsToAlarm=1)
    changes = evaluate([alarm("hasty"), patient], metrics, START_MS, START_MS + 10 * MINUTE)
    assert [(c.alarm, c.new) for c in changes] == [("patient", "ALARM")] * 1 + [
        ("patient", "INSUFFICIENT_DATA")
    ]
    assert changes[0].time_ms == ended


def test_late_data_changes_the_data_point_that_it_belongs_to(alarm):
    """Nine observations in time, one behind them: the statistic is that of all ten."""
    metrics = Metrics()
    metrics.put("AWS/Lambda", "IteratorAge", 0, START_MS, dims=DIMS, count=9)
    metrics.put(
        "AWS/Lambda", "IteratorAge", 100, START_MS, dims=DIMS, arrived_ms=START_MS + 2 * MINUTE
    )
    watching = alarm(Statistic="Average", Threshold=5, EvaluationPeriods=3, DatapointsToAlarm=1)
    changes = evaluate([watching], metrics, START_MS, START_MS + 3 * MINUTE)
    assert [(c.new, c.time_ms - START_MS) for c in changes] == [
        ("OK", MINUTE),
        ("ALARM", 2 * MINUTE),
    ]


def test_multi_day_alarms_are_evaluated_hourly_on_full_hours(alarm):
    """AWS's example: a failure at 10:02 is seen at 11:03, its repair at 11:43 is seen at 12:03."""
    ten = START_MS // HOUR * HOUR + HOUR
    metrics = Metrics()
    metrics.put("Shop", "Failures", 0.0, ten - HOUR)
    metrics.put("Shop", "Failures", 1.0, ten + 2 * MINUTE)
    metrics.put("Shop", "Failures", 0.0, ten + HOUR + 43 * MINUTE)
    job = alarm(
        Namespace="Shop", MetricName="Failures", Dimensions=None, Statistic="Minimum",
        Period=3600, EvaluationPeriods=72, DatapointsToAlarm=1, Threshold=0,
    )  # fmt: skip
    changes = evaluate([job], metrics, ten - 30 * MINUTE, ten + 3 * HOUR)
    seen = [((c.time_ms - ten) / MINUTE, c.new) for c in changes]
    assert seen[:2] == [(3, "OK"), (63, "ALARM")]


def test_a_shorter_alarm_is_not_hourly(alarm, series):
    """Exactly one day is still evaluated each minute."""
    day = alarm(Period=3600, EvaluationPeriods=24, DatapointsToAlarm=1)
    assert states(run(day, series([HIGH]), 3)) == [(1, "ALARM")]


def test_data_from_before_the_alarm_is_seen(alarm, series):
    """CloudWatch retrieves the data points from before the alarm was created."""
    metrics = series([HIGH] * 3, start_ms=START_MS - 3 * MINUTE)
    assert states(run(alarm(EvaluationPeriods=3), metrics, 1)) == [(1, "ALARM")]


def test_an_alarm_reports_a_change_once(alarm, series):
    """An alarm that stays in ALARM for an hour changed its state once."""
    assert states(run(alarm(), series([HIGH] * 60), 60)) == [(1, "ALARM")]


def test_states_of_before_continue(alarm, series):
    """With a state from before, staying in it is no change."""
    assert run(alarm(), series([HIGH] * 5), 5, states={"lag": "ALARM"}) == []


@pytest.mark.parametrize(
    ("operator", "value", "state"),
    [
        ("GreaterThanThreshold", 30000, "OK"),
        ("GreaterThanOrEqualToThreshold", 30000, "ALARM"),
        ("LessThanThreshold", 30000, "OK"),
        ("LessThanOrEqualToThreshold", 30000, "ALARM"),
        ("LessThanThreshold", 29999, "ALARM"),
        ("GreaterThanThreshold", 30001, "ALARM"),
    ],
)
def test_operators(alarm, series, operator, value, state):
    """The statistic's value is the first operand; the threshold itself counts for the OrEqual ones."""
    (change,) = run(alarm(ComparisonOperator=operator), series([value]), 1)
    assert change.new == state


def test_milliseconds_are_not_seconds(alarm, series):
    """An alarm at 30 instead of 30000 is red as soon as records are older than 30 ms."""
    assert states(run(alarm(Threshold=30), series([200.0] * 3), 3)) == [(1, "ALARM")]


def test_a_wrong_unit_finds_no_data(alarm, series):
    """CloudWatch does not convert units: an alarm in Seconds on Milliseconds data never evaluates."""
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    assert run(alarm(Unit="Seconds", Threshold=30), series([HIGH] * 5), 5) == []
    assert states(run(alarm(Unit="Milliseconds"), series([HIGH] * 5), 5)) == [(1, "ALARM")]


@pytest.mark.parametrize(
    "dims",
    [None, [{"Name": "FunctionName", "Value": "other"}],
     [{"Name": "FunctionName", "Value": "totals"}, {"Name": "Resource", "Value": "totals"}]],
)  # fmt: skip
def test_dimensions_are_matched_exactly(alarm, series, dims):
    """Fewer, other or more dimensions are another metric, and a metric that has no data."""
    assert run(alarm(Dimensions=dims), series([HIGH] * 5), 5) == []


def test_iterator_age_is_not_a_dynamodb_metric(alarm, series):
    """The same name in another namespace is another metric."""
    assert run(alarm(Namespace="AWS/DynamoDB"), series([HIGH] * 5), 5) == []


def test_a_dead_mapping_is_silence_unless_missing_is_breaching(alarm, series):
    """When the metric stops, `breaching` alarms, `notBreaching` stays OK, `missing` lapses."""
    values = [LOW] * 5 + [None] * 10

    def last(setting):
        return run(alarm(TreatMissingData=setting), series(values), 15)[-1].new

    assert [last(one) for one in ("breaching", "notBreaching", "missing", "ignore")] == [
        "ALARM", "OK", "INSUFFICIENT_DATA", "OK",
    ]  # fmt: skip


def test_dynamodb_alarms_ignore_missing_data_by_default(alarm, series):
    """Without TreatMissingData an AWS/DynamoDB alarm keeps its state; a setting overrides that."""
    metrics = series(
        [1.0] + [None] * 10, namespace="AWS/DynamoDB", name="ThrottledRequests", unit="Count"
    )
    change = {"Namespace": "AWS/DynamoDB", "MetricName": "ThrottledRequests", "Threshold": 0}
    assert states(run(alarm(**change), metrics, 11)) == [(1, "ALARM")]
    assert states(run(alarm(**change, TreatMissingData="notBreaching"), metrics, 11)) == [
        (1, "ALARM"),
        (4, "OK"),
    ]


# --- percentiles with few samples ---


def put_samples(metrics, minute, count, value):
    metrics.put(
        "AWS/Lambda",
        "Duration",
        value,
        START_MS + minute * MINUTE,
        unit="Milliseconds",
        dims=DIMS,
        count=count,
    )


@pytest.mark.parametrize(
    ("percentile", "needed"),
    [("p99", 1000), ("p90", 100), ("p50", 20), ("p10", 100), ("p99.9", 10_000)],
)
def test_low_sample_rule(alarm, percentile, needed):
    """With `ignore`, fewer than 10/(1-p) samples (10/p below the median) change no state."""
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
    change = {
        "MetricName": "Duration",
        "Statistic": None,
        "ExtendedStatistic": percentile,
        "Threshold": 5000,
    }
    for count, expected in ((needed - 1, []), (needed, ["ALARM"])):
        metrics = Metrics()
        put_samples(metrics, 0, count, 9000.0)
        ignoring = alarm(**change, EvaluateLowSampleCountPercentile="ignore")
        assert [one.new for one in run(ignoring, metrics, 1)] == expected
        evaluating = alarm(**change, EvaluateLowSampleCountPercentile="evaluate")
        assert [one.new for one in run(evaluating, metrics, 1)] == ["ALARM"]


# --- reasons, in the words of recorded alarms ---


def test_reason_of_an_alarm(alarm, series):
    """Recorded: "Threshold Crossed: 3 datapoints [2.0 (…), 3.0 (…), 1.0 (…)] were greater than the
    threshold (0.0).", newest first."""
    changes = run(alarm(Threshold=0, EvaluationPeriods=3), series([1.0, 3.0, 2.0]), 3)
    assert changes[-1].reason == (
        "Threshold Crossed: 3 datapoints [2.0 (02/11/26 13:02:00), 3.0 (02/11/26 13:01:00), "
        "1.0 (02/11/26 13:00:00)] were greater than the threshold (0.0)."
    ).replace("13:", hour())


def hour():
    from datetime import UTC, datetime

    return datetime.fromtimestamp(START_MS / 1000, UTC).strftime("%H:")


def test_reason_of_m_out_of_n(alarm, series):
    """Recorded: "1 out of the last 20 datapoints [613.0 (…)] was greater than or equal to the
    threshold (1.0) and 19 missing datapoints were treated as [NonBreaching] (minimum 1 datapoint for
    OK -> ALARM transition)."."""
    waf = alarm(
        Threshold=1, EvaluationPeriods=20, DatapointsToAlarm=1, TreatMissingData="notBreaching",
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )  # fmt: skip
    (change,) = run(waf, series([613.0]), 1, states={"lag": "OK"})
    assert change.reason == (
        f"Threshold Crossed: 1 out of the last 20 datapoints [613.0 (02/11/26 {hour()}00:00)] was "
        "greater than or equal to the threshold (1.0) and 19 missing datapoints were treated as "
        "[NonBreaching] (minimum 1 datapoint for OK -> ALARM transition)."
    )


def test_reason_of_missing_data(alarm, series):
    """Recorded: "no datapoints were received for 1 period and 1 missing datapoint was treated as
    [Breaching].\""""
    changes = run(alarm(TreatMissingData="breaching"), series([LOW]), 5)
    assert changes[-1].reason == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was "
        "treated as [Breaching]."
    )


def test_reason_of_filled_alarm(alarm, series):
    """Recorded: "1 datapoint [0.0 (…)] was less than the threshold (1.0) and 1 missing datapoint was
    treated as [Breaching].\""""
    dead = alarm(
        Threshold=1,
        EvaluationPeriods=2,
        TreatMissingData="breaching",
        ComparisonOperator="LessThanThreshold",
    )
    (change,) = run(dead, series([0.0]), 1, states={"lag": "OK"})
    assert change.reason == (
        f"Threshold Crossed: 1 datapoint [0.0 (02/11/26 {hour()}00:00)] was less than the threshold "
        "(1.0) and 1 missing datapoint was treated as [Breaching]."
    )


def test_evaluation_is_deterministic_and_chains(alarm, series):
    """Evaluating in two halves, with the states in between, gives the same changes."""
    values = [LOW, HIGH, HIGH, None, None, None, None, LOW, HIGH, HIGH] * 6
    one = alarm(EvaluationPeriods=3, DatapointsToAlarm=2)
    whole = run(one, series(values), 60)
    first = run(one, series(values), 30)
    middle = START_MS + 30 * MINUTE
    second = evaluate(
        [one], series(values), middle, START_MS + 60 * MINUTE, states={"lag": first[-1].new}
    )
    assert first + second == whole


# --- composite alarms on the same clock ---


def composite(rule, name="page", **more):
    return CompositeAlarm.parse({"AlarmRule": rule, **more}, name=name)


def test_composite_follows_its_children_at_once(alarm, series):
    """A composite alarm changes at the moment a child does, and never to INSUFFICIENT_DATA."""
    both = [alarm("a"), alarm("b", Threshold=50_000), composite("ALARM(a) AND NOT ALARM(b)")]
    metrics = series([LOW, HIGH, 60_000.0, LOW])
    changes = evaluate(both, metrics, START_MS, START_MS + 4 * MINUTE)
    assert [(c.time_ms, c.new) for c in changes if c.alarm == "page"] == [
        (START_MS + MINUTE, "OK"),
        (START_MS + 2 * MINUTE, "ALARM"),
        (START_MS + 3 * MINUTE, "OK"),
    ]
    assert changes[-1].alarm == "b" or changes[-1].alarm == "a"


def test_composite_of_a_composite(alarm, series):
    """A rule may name another composite alarm, declared later."""
    alarms = [composite("ALARM(inner)", "outer"), composite("ALARM(lag)", "inner"), alarm()]
    changes = evaluate(alarms, series([HIGH]), START_MS, START_MS + MINUTE)
    assert [(c.alarm, c.new) for c in changes] == [
        ("lag", "ALARM"),
        ("inner", "ALARM"),
        ("outer", "ALARM"),
    ]


def test_a_cycle_is_refused(alarm):
    """Two composite alarms that watch each other are refused by name."""
    with pytest.raises(Refused, match="one, two watch each other in a cycle"):
        evaluate([composite("ALARM(two)", "one"), composite("ALARM(one)", "two")], Metrics(), 0, 1)


def test_a_child_that_does_not_exist_is_refused(alarm):
    """AWS's sentence: Could not save the composite alarm as alarms […] in the alarm rule do not exist."""
    with pytest.raises(Refused, match=r"alarms \[gone\] in the alarm rule do not exist"):
        evaluate([composite("ALARM(gone)")], Metrics(), 0, 1)


def test_two_alarms_of_one_name_are_refused(alarm):
    """Names are unique in an account and Region."""
    with pytest.raises(Refused, match="already exists"):
        evaluate([alarm(), alarm()], Metrics(), 0, 1)
