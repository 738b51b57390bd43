"""Dashboard bodies: what PutDashboard refuses, which metrics are shown, the drawing."""

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.cloud.cloudwatch.dashboards import parse
from grader.cloud.cloudwatch.drawing import draw
from grader.cloud.metrics import dimensions

# The same examples in every run, however slow the machine is.
STEADY = settings(derandomize=True, deadline=None)

LAG = ["AWS/Lambda", "IteratorAge", "FunctionName", "totals", {"stat": "Maximum"}]


def widget(*rows, place=(0, 0, 12, 6), **properties):
    x, y, width, height = place
    return {
        "type": "metric", "x": x, "y": y, "width": width, "height": height,
        "properties": {"region": "us-east-1", "metrics": list(rows), **properties},
    }  # fmt: skip


def body(*widgets, **more):
    return json.dumps({"widgets": list(widgets), **more})


def problems(text):
    return {(problem.path, problem.refused) for problem in parse(text).problems}


def test_a_good_dashboard():
    """A metric widget and a text widget, with everything documented around them."""
    text = {
        "type": "text",
        "x": 12,
        "y": 0,
        "width": 12,
        "height": 6,
        "properties": {"markdown": "# Totals"},
    }
    lag = widget(
        LAG, title="Lag", view="timeSeries", annotations={"horizontal": [{"value": 30000}]}
    )
    dashboard = parse(body(lag, text, start="-PT6H", periodOverride="inherit"))
    assert (dashboard.problems, dashboard.accepted) == ((), True)
    (signal,) = dashboard.signals
    assert (signal.namespace, signal.name, signal.stat) == ("AWS/Lambda", "IteratorAge", "Maximum")
    assert (signal.dimensions, signal.region, signal.widget) == (
        dimensions(FunctionName="totals"),
        "us-east-1",
        0,
    )
    assert signal.period_s == 300


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([".", "Errors", ".", "."], ("AWS/Lambda", "Errors", {"FunctionName": "totals"})),
        ([".", ".", ".", "other"], ("AWS/Lambda", "IteratorAge", {"FunctionName": "other"})),
        (["...", "other"], ("AWS/Lambda", "IteratorAge", {"FunctionName": "other"})),
        (["...", {"stat": "p99"}], ("AWS/Lambda", "IteratorAge", {"FunctionName": "totals"})),
        ([".", "Errors"], ("AWS/Lambda", "Errors", {})),
        (["Shop", "Orders"], ("Shop", "Orders", {})),
    ],
)
def test_repetition(row, expected):
    """ "." repeats the text above, "..." everything above that is not written out."""
    second = parse(body(widget(LAG, row))).signals[1]
    namespace, name, dims = expected
    assert (second.namespace, second.name, second.dimensions) == (namespace, name, dimensions(dims))


def test_repetition_skips_maths_rows():
    """A maths row has no texts: the next row repeats the metric above it."""
    text = body(widget(LAG, [{"expression": "m1 * 2", "id": "e1"}], [".", "Errors", ".", "."]))
    assert [signal.name for signal in parse(text).signals] == ["IteratorAge", "Errors"]
    assert parse(text).widgets[0].maths[0].expression == "m1 * 2"


def test_options_of_a_row_win_over_the_widget():
    """stat, period and region of a row win over those of its widget."""
    row = [
        *LAG[:-1],
        {"stat": "p99", "period": 60, "region": "eu-west-1", "visible": False, "id": "m1"},
    ]
    (signal,) = parse(body(widget(row, stat="Sum", period=900))).signals
    assert (signal.stat, signal.period_s, signal.region, signal.visible) == (
        "p99",
        60,
        "eu-west-1",
        False,
    )
    (signal,) = parse(body(widget(LAG[:-1], stat="Sum", period=900))).signals
    assert (signal.stat, signal.period_s) == ("Sum", 900)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{'widgets': []}", ""),
        ("[]", ""),
        ("{}", ""),
        ('{"widgets": {}}', "widgets"),
        (body("lag"), "widgets[0]"),
        (body({"type": "text"}), "widgets[0]"),
        (body({"properties": {}}), "widgets[0]"),
        (body({"type": "text", "properties": {}}), "widgets[0].properties"),
        (body({"type": "log", "properties": {"region": "us-east-1"}}), "widgets[0].properties"),
        (body({"type": "alarm", "properties": {}}), "widgets[0].properties"),
        (body({"type": "metric", "properties": {"metrics": [LAG]}}), "widgets[0].properties"),
        (body({"type": "metric", "properties": {"region": "us-east-1"}}), "widgets[0].properties"),
        (body(widget(LAG, place=(24, 0, 6, 6))), "widgets[0].x"),
        (body(widget(LAG, place=(-1, 0, 6, 6))), "widgets[0].x"),
        (body(widget(LAG, place=(0, -1, 6, 6))), "widgets[0].y"),
        (body(widget(LAG, place=(0, 0, 25, 6))), "widgets[0].width"),
        (body(widget(LAG, place=(0, 0, 0, 6))), "widgets[0].width"),
        (body(widget(LAG, place=(0, 0, 6, 1001))), "widgets[0].height"),
        (body(widget(LAG, place=("0", 0, 6, 6))), "widgets[0].x"),
        (body(widget(LAG, stat="Median")), "widgets[0].properties.stat"),
        (body(widget(LAG, period=45)), "widgets[0].properties.period"),
        (body(widget(LAG, view="line")), "widgets[0].properties.view"),
        (body(widget(LAG, yAxis={"left": {"min": 5, "max": 1}})), "widgets[0].properties.yAxis.left"),
        (body(widget("AWS/Lambda")), "widgets[0].properties.metrics[0]"),
        (body(widget(["AWS/Lambda", "Errors", "FunctionName"])), "widgets[0].properties.metrics[0]"),
        (body(widget(["."])), "widgets[0].properties.metrics[0]"),
        (body(widget(["...", "x"])), "widgets[0].properties.metrics[0]"),
        (body(widget([".", "Errors"])), "widgets[0].properties.metrics[0]"),
        (body(widget([*LAG[:-1], {"id": "M1"}])), "widgets[0].properties.metrics[0].id"),
        (body(widget([*LAG[:-1], {"period": 7}])), "widgets[0].properties.metrics[0].period"),
        (body(widget(*[LAG] * 501)), "widgets[0].properties.metrics"),
        (body(start="yesterday"), "start"),
        (body(end="2026-11-02T09:00:00Z"), "end"),
        (body(periodOverride="on"), "periodOverride"),
        (body(*[{"type": "text", "properties": {"markdown": ""}}] * 501), "widgets"),
    ],
)  # fmt: skip
def test_refused_bodies(text, path):
    """What PutDashboard refuses, each with the path of the fault."""
    assert (path, True) in problems(text)
    assert not parse(text).accepted


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (body({"type": "metricc", "properties": {}}), "widgets[0].type"),
        (body(widget(LAG, place=(20, 0, 12, 6))), "widgets[0]"),
        (body(widget(LAG), widget(LAG, place=(6, 3, 12, 6))), "widgets[1]"),
        (
            body(widget(LAG, [{"expression": "m1 +"}])),
            "widgets[0].properties.metrics[1].expression",
        ),
    ],
)
def test_accepted_but_wrong(text, path):
    """AWS stores these (observed for unknown types); nothing or something else is shown."""
    assert problems(text) == {(path, False)}
    assert parse(text).accepted


def test_a_body_that_is_a_structure():
    """CloudFormation takes a text: a YAML mapping is not one."""
    assert not parse({"widgets": []}).accepted


HIDDEN = [*LAG[:-1], {"id": "m1", "visible": False}]


@pytest.mark.parametrize(
    ("maths", "shown"),
    [
        ([], False),
        ([{"expression": "m1 * 2"}], True),
        ([{"expression": "m10 * 2"}], False),
        ([{"expression": "MAX(METRICS())"}], True),
        ([{"expression": "m1 * 2", "id": "e1", "visible": False}], False),
        ([{"expression": "m1 * 2", "id": "e1", "visible": False}, {"expression": "e1 / 3"}], True),
        (
            [
                {"expression": "m1 + e2", "id": "e1", "visible": False},
                {"expression": "e1", "id": "e2", "visible": False},
            ],
            False,
        ),
    ],
)
def test_a_hidden_row_is_seen_in_a_visible_one_that_is_made_of_it(maths, shown):
    """`visible: false` takes a metric out of the graph, not out of the maths."""
    board = parse(body(widget(HIDDEN, *([one] for one in maths))))
    assert len(board.signals) == 1
    assert bool(board.shown) is shown


AGE = ("AWS/Lambda", "IteratorAge", dimensions(FunctionName="totals"))
OTHERS = [
    ("AWS/Lambda", "IteratorAge", dimensions(FunctionName="other")),
    ("AWS/Lambda", "Errors", dimensions(FunctionName="totals")),
    ("AWS/Lambda", "IteratorAge", dimensions(FunctionName="totals", Resource="totals")),
    ("AWS/DynamoDB", "IteratorAge", dimensions(FunctionName="totals")),
]
SCHEMA = "{AWS/Lambda,FunctionName}"


@pytest.mark.parametrize(
    "expression",
    [
        f"""SEARCH('{SCHEMA} MetricName="IteratorAge" FunctionName="totals"', 'Maximum', 60)""",
        f"SEARCH('{SCHEMA} MetricName=iterator AND FunctionName=(\"totals\" OR \"x\")', 'Maximum')",
        f"MAX(SEARCH('{SCHEMA} IteratorAge NOT other', 'Maximum', 60))",
        f"""SEARCH('{SCHEMA} (MetricName="IteratorAge" OR Lag) totals', 'Maximum', 60)""",
        """SELECT MAX(IteratorAge) FROM SCHEMA("AWS/Lambda", FunctionName) WHERE FunctionName = 'totals'""",
        """select max("IteratorAge") from schema("AWS/Lambda",FunctionName) where FunctionName != 'other'
           group by FunctionName limit 3""",
    ],
)
def test_a_query_finds_its_metrics_and_no_others(expression):
    ((_, query),) = parse(body(widget([{"expression": expression}]))).searches
    assert query.stat == "Maximum"
    assert query.finds(*AGE)
    assert [one for one in OTHERS if query.finds(*one)] == []


@pytest.mark.parametrize(
    "text", ["SEARCH(", "SEARCH('a')", "SELECT nothing", "SEARCH('(((', 'Sum')"]
)
def test_a_query_that_does_not_read_as_one_finds_nothing(text):
    board = parse(body(widget([{"expression": text}])))
    assert not any(query.finds(*AGE) for _, query in board.searches if "(((" not in text)


def test_the_drawing():
    """The grid is drawn to scale with titles and signals, plain ASCII, at most 78 wide."""
    text = body(
        widget(LAG, title="Lag"),
        widget([*LAG[:-1], {"stat": "p99"}], place=(12, 0, 12, 6), title="Dauer \x1b[31m größe"),
        {
            "type": "text",
            "x": 0,
            "y": 6,
            "width": 24,
            "height": 3,
            "properties": {"markdown": "# Runbook"},
        },
    )
    lines = draw(text)
    assert max(map(len, lines)) <= 78
    assert all(" " <= letter <= "~" for line in lines for letter in line)
    assert lines[0] == "+" + "-" * 37 + "+" + "-" * 38 + "+"
    assert lines[1].startswith("| Lag") and lines[2].startswith("| IteratorAge Maximum")
    assert "| IteratorAge p99" in lines[2]
    assert any("# Runbook" in line for line in lines[6:])


def test_a_full_box_counts_what_it_leaves_out():
    """A small box says how many rows it does not show."""
    rows = [["Shop", f"Metric{number}"] for number in range(9)]
    lines = draw(body(widget(*rows, place=(0, 0, 8, 4))))
    assert any("... 8 more" in line for line in lines)


def test_widgets_without_a_place_flow():
    """Without x and y widgets stand side by side, then below."""
    text = {"type": "text", "width": 12, "height": 2, "properties": {"markdown": "x"}}
    placed = parse(body(text, text, text)).widgets
    assert [(one.x, one.y) for one in placed] == [(0, 0), (12, 0), (0, 2)]


def test_a_tall_dashboard_is_squeezed():
    """A widget of height 1,000 does not make a drawing of a thousand lines."""
    assert len(draw(body(widget(LAG, place=(0, 0, 24, 1000))))) < 80


SCRAPS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@STEADY
@given(
    st.sampled_from(["x", "width", "type", "properties"]),
    SCRAPS,
    SCRAPS,
    st.sampled_from(["metrics", "stat", "period", "yAxis", "annotations"]),
)
def test_whatever_the_body_nothing_is_raised(member, value, inner, prop):
    """Nonsense gives problems, and a drawing of what is left."""
    text = body({**widget(LAG, **{prop: inner}), member: value})
    parse(text)
    draw(text)


@STEADY
@given(st.text(max_size=60))
def test_whatever_the_text_nothing_is_raised(text):
    """A body that is no JSON is a problem, not an exception."""
    parse(text)
    draw(text)
