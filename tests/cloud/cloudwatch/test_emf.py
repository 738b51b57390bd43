"""Embedded Metric Format and PutMetricData, as CloudWatch takes them."""

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cloud.aws import Refused
from grader.cloud.clock import START_MS
from grader.cloud.cloudwatch.emf import Extraction, extract, record, validate_put_metric_data
from grader.cloud.metrics import Metrics, dimensions

# The same examples in every run, however slow the machine is.
STEADY = settings(derandomize=True, deadline=None)

PREFIX = "[INFO]\t2026-11-02T09:00:00.123Z\t989ffbf8-9ace-4817-a57c-e4dd734019ee\t"
DAY = 86_400_000


def document(**changes):
    """A good document; ``aws``, ``directive`` and ``metric`` change its inner objects."""
    aws, directive, metric = (changes.pop(key, {}) for key in ("aws", "directive", "metric"))
    return {
        "_aws": {
            "Timestamp": START_MS,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Shop",
                    "Dimensions": [["Service"]],
                    "Metrics": [{"Name": "Lag", "Unit": "Milliseconds", **metric}],
                    **directive,
                }
            ],
            **aws,
        },
        "Service": "totals",
        "Lag": 1200,
        **changes,
    }


def read(value, **more) -> Extraction:
    line = value if isinstance(value, str) else json.dumps(value)
    return extract(line, time_ms=START_MS, **more)


def test_a_printed_document_is_extracted():
    """print(json.dumps(document)) is all that Lambda needs."""
    found = read(document())
    assert found.problems == []
    (point,) = found.points
    assert (point.namespace, point.name, point.unit, point.value) == (
        "Shop",
        "Lag",
        "Milliseconds",
        1200,
    )
    assert (point.dimensions, point.time_ms) == (dimensions(Service="totals"), START_MS)


@pytest.mark.parametrize("level", ["INFO", "WARNING", "ERROR"])
def test_behind_lambdas_own_prefix(level):
    """A document behind Lambda's text prefix (level, time, request id) is extracted."""
    assert read(PREFIX.replace("INFO", level) + json.dumps(document())).points


@pytest.mark.parametrize(
    "prefix", ["EMF: ", "[METRIC] ", "2026-11-02 09:00:00 ", "metrics=", PREFIX + "EMF "]
)
def test_behind_another_prefix(prefix):
    """A document behind a prefix of the handler's own is not extracted, and the reason says so."""
    found = read(prefix + json.dumps(document()))
    assert found.points == []
    assert "does not begin the log line" in found.problems[0]


def test_nested_in_a_json_log_record():
    """logger.info(document) under LogFormat JSON nests it in `message`: not extracted."""
    line = {"timestamp": "2026-11-02T09:00:00Z", "level": "INFO", "message": json.dumps(document())}
    for value in (line, {**line, "message": document()}):
        found = read(value, log_format="JSON")
        assert found.points == []
        assert "`message`" in found.problems[0]


def test_printed_under_log_format_json():
    """print() is not wrapped, whatever the LogFormat."""
    assert read(document(), log_format="JSON").points


@pytest.mark.parametrize(
    "line",
    [json.dumps(document()) + " done", json.dumps(document()) * 2, str(document()), json.dumps(document())[:-1],
     json.dumps(document(Lag=math.nan))],
)  # fmt: skip
def test_what_is_not_one_json_document(line):
    """Trailing text, two documents, a printed dict, a cut document, NaN: nothing is extracted."""
    found = read(line)
    assert (found.points, len(found.problems)) == ([], 1)


@pytest.mark.parametrize("line", ["", "hello", "START RequestId: 1", '{"level": "INFO"}', "[1, 2]"])
def test_other_lines_are_no_problem(line):
    """A line without EMF is not complained about."""
    assert read(line) == Extraction()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (document(Lag=None, other=1), "must be a number"),
        (document(Lag="1200"), "must be a number or an array of numbers, not a text"),
        (document(Lag=True), "not a boolean"),
        (document(Lag=[1, "2"]), "not a text"),
        (document(Lag=[]), "no value"),
        (document(Lag=list(range(101))), "at most 100"),
        (document(Lag=2.0**361), "2^360"),
        (document(metric={"Name": "Delay"}), "names 'Delay', which is not a member"),
        (document(metric={"Name": ""}), "Name must be a text"),
        (document(metric={"Unit": "ms"}), "'ms' is no unit"),
        (document(metric={"StorageResolution": 10}), "StorageResolution must be 1 or 60"),
        (document(Service=7), "must be a text"),
        (document(Service=""), "1 to 1,024 characters"),
        (document(Service="x" * 1025), "1 to 1,024 characters"),
        (document(Service="größe"), "ASCII"),
        (document(directive={"Dimensions": [["Function"]]}), "'Function' is not a member"),
        (document(directive={"Dimensions": ["Service"]}), "array of arrays"),
        (document(directive={"Dimensions": []}), "at least one dimension set"),
        (document(directive={"Dimensions": [[f"d{n}" for n in range(31)]]}), "at most 30"),
        (document(directive={"Namespace": "AWS/Lambda"}), "belong to AWS"),
        (document(directive={"Namespace": ""}), "namespace"),
        (document(directive={"Metrics": [{"Name": "Lag"}] * 101}), "at most 100"),
        (document(directive={"Metrics": "Lag"}), "must be an array"),
        (document(aws={"Timestamp": None}), "number of milliseconds"),
        (document(aws={"Timestamp": "2026-11-02"}), "number of milliseconds"),
        (document(aws={"Timestamp": START_MS // 1000}), "looks like seconds"),
        (document(aws={"Timestamp": START_MS - 15 * DAY}), "two weeks old"),
        (document(aws={"Timestamp": START_MS + 3 * 3_600_000}), "two hours in the future"),
        (document(aws={"CloudWatchMetrics": {}}), "array of directives"),
        (document(aws={"CloudWatchMetrics": []}), "empty"),
        (document(aws={"CloudWatchMetrics": ["Lag"]}), "must be an object"),
        ({"_aws": 1}, "not an object"),
        ({"outer": document()}, "document's root"),
    ],
)  # fmt: skip
def test_what_is_not_extracted_has_a_reason(value, reason):
    """Every limit and type of the specification; each reason names what is wrong."""
    found = read(value)
    assert found.points == []
    assert reason in " ".join(found.problems)


def test_a_missing_directive_member():
    """Namespace, Dimensions and Metrics must be there."""
    for member in ("Namespace", "Dimensions", "Metrics"):
        value = document()
        del value["_aws"]["CloudWatchMetrics"][0][member]
        assert f"the member {member} is missing" in read(value).problems[0]


def test_one_bad_metric_does_not_drop_its_neighbours():
    """The choice of this emulator: what is broken is dropped, the rest is extracted."""
    found = read(document(directive={"Metrics": [{"Name": "Gone"}, {"Name": "Lag"}]}))
    assert [point.name for point in found.points] == ["Lag"]
    assert len(found.problems) == 1


def test_each_dimension_set_is_a_metric_of_its_own():
    """Every DimensionSet creates a metric; the empty one has no dimensions."""
    found = read(
        document(directive={"Dimensions": [[], ["Service"], ["Service", "Stage"]]}, Stage="prod")
    )
    assert [point.dimensions for point in found.points] == [
        (), dimensions(Service="totals"), dimensions(Service="totals", Stage="prod"),
    ]  # fmt: skip


def test_arrays_and_resolution():
    """An array gives one observation a value; high resolution keeps the second."""
    found = read(
        document(
            Lag=[1, 2, 2.5], metric={"StorageResolution": 1}, aws={"Timestamp": START_MS + 1999}
        )
    )
    assert [point.value for point in found.points] == [1, 2, 2.5]
    assert {point.stored_ms - START_MS for point in found.points} == {1000}
    metrics = Metrics()
    record(read(document(aws={"Timestamp": START_MS + 61_999})).points, metrics, START_MS + 62_000)
    (datum,) = metrics.find("Shop", "Lag", dimensions(Service="totals"), "Milliseconds")
    assert datum.time_ms == START_MS + 60_000


def test_an_event_over_one_megabyte():
    """The limit of a log event."""
    assert "1 MB" in read(document(filler="x" * 1_100_000)).problems[0]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@STEADY
@given(
    st.sampled_from(["aws", "directive", "metric"]),
    st.sampled_from(["Timestamp", "CloudWatchMetrics", "Namespace", "Dimensions", "Metrics", "Name", "Unit",
                     "StorageResolution"]),
    JSON_VALUES,
    JSON_VALUES,
)  # fmt: skip
def test_whatever_the_document_nothing_is_raised(part, member, value, lag):
    """Nonsense in any member gives points or reasons."""
    found = read(document(**{part: {member: value}}, Lag=lag))
    assert found.points or found.problems


# --- PutMetricData ---


def put(*data, now_ms=START_MS, size_bytes=None, **more):
    return validate_put_metric_data(
        {"Namespace": "Shop", "MetricData": list(data), **more},
        now_ms=now_ms,
        size_bytes=size_bytes,
    )


def datum(**changes):
    merged = {"MetricName": "Orders", "Value": 1.0, **changes}
    return {key: value for key, value in merged.items() if value is not None}


def test_a_plain_datum():
    """Unit None, standard resolution and the time of the call are the defaults."""
    (point,) = put(datum(Dimensions=[{"Name": "Service", "Value": "totals"}]))
    assert (point.unit, point.storage_resolution, point.time_ms, point.count) == (
        "None",
        60,
        START_MS,
        1,
    )
    assert point.dimensions == dimensions(Service="totals")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([], "MetricData is required"),
        ([datum()] * 1001, "must not have a size greater than 1000"),
        ([datum(MetricName=None)], "MetricName is required"),
        ([datum(MetricName="x" * 256)], "MetricName"),
        ([datum(Value=None)], "At least one of"),
        ([datum(Value=math.nan)], "The value nan for parameter MetricData.member.1.Value is invalid."),
        ([datum(Value=math.inf)], "invalid"),
        ([datum(Value=2.0**361)], "invalid"),
        ([datum(Value="1")], "not a number"),
        ([datum(Values=[1])], "mutually exclusive and you have specified both"),
        ([datum(Value=None, Values=[1, 2], Counts=[1])], "must be of the same size"),
        ([datum(Value=None, Values=list(range(151)))], "greater than 150"),
        ([datum(Counts=[1])], "only valid together"),
        ([datum(), datum(Unit="ms")], "The value ms for parameter MetricData.member.2.Unit is invalid."),
        ([datum(StorageResolution=30)], "must be 1 or 60"),
        ([datum(Dimensions=[{"Name": f"d{n}", "Value": "x"} for n in range(31)])], "greater than 30"),
        ([datum(Dimensions=[{"Name": "a", "Value": ""}])], "1 to 1,024"),
        ([datum(Dimensions=[{"Name": ":a", "Value": "x"}])], "colon"),
        ([datum(Timestamp=(START_MS - 15 * DAY) / 1000)], "two weeks in the past"),
        ([datum(Timestamp=START_MS / 1000 + 3 * 3600)], "two hours in the future"),
        ([datum(Timestamp=START_MS)], "two hours in the future"),
        ([datum(Timestamp="soon")], "must be a timestamp"),
        ([datum(Value=None, StatisticValues={"Sum": 1})], "SampleCount is required"),
        ([datum(Value=None, StatisticValues={"SampleCount": 2, "Sum": 90, "Minimum": 1, "Maximum": 2})], "does not fit"),
        (["Orders"], "must be a structure"),
    ],
)  # fmt: skip
def test_refused_data(data, sentence):
    """One bad datum refuses the whole call."""
    with pytest.raises(Refused) as caught:
        put(*data)
    assert sentence in caught.value.message


@pytest.mark.parametrize("namespace", ["AWS/Lambda", ":mine", "", "x" * 256, 7])
def test_refused_namespaces(namespace):
    """A namespace of 1 to 255 characters that is not AWS's own."""
    with pytest.raises(Refused, match="Namespace"):
        put(datum(), Namespace=namespace)


def test_a_request_over_one_megabyte():
    """PutMetricData takes 1 MB."""
    with pytest.raises(Refused, match="1 MB"):
        put(datum(), size_bytes=1_048_577)


def test_values_and_counts():
    """Each value stands for as many observations as its count."""
    points = put(datum(Value=None, Values=[10, 20], Counts=[3, 0.5]))
    assert [(point.value, point.count) for point in points] == [(10, 3), (20, 0.5)]


@pytest.mark.parametrize(
    "time",
    [START_MS / 1000 - 60, datetime.fromtimestamp(START_MS / 1000, UTC) - timedelta(minutes=1)],
)
def test_timestamps(time):
    """Seconds since the epoch, or a datetime as boto3 takes it."""
    (point,) = put(datum(Timestamp=time))
    assert point.time_ms == START_MS - 60_000


@pytest.mark.parametrize(
    "members",
    [
        {"SampleCount": 5, "Sum": 30, "Minimum": 2, "Maximum": 12},
        {"SampleCount": 1, "Sum": 7, "Minimum": 7, "Maximum": 7},
        {"SampleCount": 2, "Sum": 9, "Minimum": 2, "Maximum": 7},
    ],
)
def test_a_statistic_set_keeps_its_four_numbers(members):
    """SampleCount, Sum, Minimum and Maximum come out as they went in."""
    points = put(datum(Value=None, StatisticValues=members))
    assert sum(point.count for point in points) == members["SampleCount"]
    assert sum(point.count * point.value for point in points) == pytest.approx(members["Sum"])
    assert min(point.value for point in points) == members["Minimum"]
    assert max(point.value for point in points) == members["Maximum"]


@STEADY
@given(st.dictionaries(st.sampled_from(["MetricName", "Value", "Values", "Counts", "Unit", "Dimensions", "Timestamp",
                                        "StatisticValues", "StorageResolution"]), JSON_VALUES))  # fmt: skip
def test_whatever_the_datum_only_refused_is_raised(members):
    """Nonsense is refused, never a traceback."""
    try:
        put(members)
    except Refused as refused:
        assert refused.message
