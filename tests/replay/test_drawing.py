"""The drawing module: what it draws is true, escaped, well formed, and says the same as its table."""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.replay.drawing import (
    SCRIPT,
    STYLE,
    Axis,
    Bar,
    Cell,
    Drawing,
    Event,
    Lane,
    Limit,
    Line,
    Span,
    State,
    bars,
    lanes,
    matrix,
    series,
    ticks,
)

MET, UNMET = State("met", "✓", "good"), State("not met", "✕", "bad")
POINTS = Axis("points")
HOSTILE = "</title><script>alert(1)</script>\u202e\x1b[31m\"'&"


def pictures(text: str = "a") -> list[Drawing]:
    """One of each kind, with ``text`` wherever somebody's text may stand."""
    state = State(text, text, text)
    return [
        bars(text, Axis(text), [Bar(text, 3, text, before=1), Bar(text, 0)], names=text),
        series(text, Axis(text), Axis(text), [Line(text, [(0, 1), (1, None), (2, 3)])], [Event(1, text)], [Limit(text, 2)]),
        matrix(text, text, [text], [(text, [Cell(state, text, 0.5)])]),
        lanes(text, Axis(text), [Lane(text, [Span(0, 2, state, text)])], [Event(1, text)]),
    ]  # fmt: skip


def told(drawing: Drawing) -> list[str]:
    """What the marks say, in their order."""
    return [unescape(text) for text in re.findall(r"<title>(.*?)</title>", drawing.svg)]


@pytest.mark.parametrize("drawing", pictures(HOSTILE), ids=lambda one: one.headings[-1][:8])
def test_no_text_escapes_from_a_picture_or_its_table(drawing: Drawing) -> None:
    """Markup, quotes, bidirectional and terminal controls stand there as text."""
    page = drawing.figure()
    assert "<script" not in page and "\u202e" not in page and "\x1b" not in page
    assert "\\u202e" in page and "\\x1b" in page
    tree = ElementTree.fromstring(page)
    assert {one.tag for one in tree.iter()} <= {
        "figure", "h3", "ul", "li", "span", "div", "svg", "g", "title", "rect", "path", "text",
        "p", "details", "summary", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip


def test_pictures_carry_no_style_and_no_handler_of_their_own() -> None:
    """A page whose policy allows one hashed style and one hashed script can show them."""
    for drawing in pictures():
        assert not re.search(r"\s(style|on\w+|href|src)=", drawing.figure())
    assert "url(" not in STYLE and "@import" not in STYLE and "innerHTML" not in SCRIPT


def test_bars_are_as_long_as_their_values() -> None:
    drawing = bars("t", POINTS, [Bar("one", 10), Bar("two", 5), Bar("none", 0)])
    wide = [float(one) for one in re.findall(r'class="bar"[^>]* width="([\d.]+)"', drawing.svg)]
    assert wide[0] == pytest.approx(2 * wide[1], abs=0.2) and wide[2] == 0
    assert told(drawing) == ["one: 10", "two: 5", "none: 0"]
    assert list(map(list, drawing.rows)) == [["one", "10"], ["two", "5"], ["none", "0"]]


def test_what_is_said_of_the_longest_bar_ends_within_the_picture() -> None:
    said = "4 of 11 learners, seven fewer than before"
    picture = bars("b", Axis("learners"), [Bar("role-tight", 4, said), Bar("filter", 1, "1 of 11")])
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', picture.svg)[1])  # type: ignore[index]
    at = float(re.search(rf'<text x="([\d.]+)"[^>]*>{said}', picture.svg)[1])  # type: ignore[index]
    assert at + 6.5 * len(said) <= width


def test_a_bar_shows_what_was_before_in_the_picture_and_the_table() -> None:
    drawing = bars("t", POINTS, [Bar("one", 10, before=4), Bar("new", 2)])
    assert drawing.headings == ["name", "points", "before"]
    assert told(drawing) == ["one: 10, before 4", "new: 2"]
    assert drawing.svg.count('class="before"') == 1 and "dashed" in drawing.figure()


def test_a_gap_in_a_line_is_not_bridged() -> None:
    drawing = series("t", Axis("s"), POINTS, [Line("a", [(0, 1), (1, None), (2, 3), (3, 4)])])
    (path,) = re.findall(r'class="line line0"[^>]* d="([^"]+)"', drawing.svg)
    assert path.count("M") == 1
    assert ["1", ""] in list(map(list, drawing.rows))
    assert told(drawing) == ["a: 1 at 0", "a: 3 at 2", "a: 4 at 3"]


def test_a_limit_crosses_the_picture_unless_it_would_flatten_the_series() -> None:
    """Both are named below and in the table."""
    line, limits = Line("a", [(0, 1), (1, 4)]), [Limit("Late > 3", 3), Limit("Never > 900", 900)]
    drawing = series("t", Axis("s"), POINTS, [line], (), limits)
    assert told(drawing)[-2:] == ["Late > 3", "not drawn: Never > 900"]
    near, far = re.findall(r'class="limit"[^>]* d="([^"]+)"', drawing.svg)
    assert (near.count("H"), far.count("H")) == (1, 0)
    assert list(map(list, drawing.rows))[-2:] == [["Late > 3", "3"], ["Never > 900", "900"]]


def test_lines_differ_by_dash_and_by_shape_and_not_by_colour_alone() -> None:
    drawing = series("t", Axis("s"), POINTS, [Line(str(n), [(0, n), (1, n)]) for n in range(5)])
    assert len(set(re.findall(r'stroke-dasharray="([^"]+)"', drawing.svg))) == 5
    shapes = re.findall(r'class="dot line\d" d="M[\d. ]+([^"]+)"', drawing.svg)
    assert len(set(shapes)) == 5


def test_a_state_is_told_by_its_sign_its_outline_and_its_words() -> None:
    drawing = matrix("t", "who", ["c"], [("a", [Cell(MET)]), ("b", [Cell(UNMET, "it crashed")])])
    assert told(drawing) == ["a, c: met", "b, c: it crashed"]
    assert ">✓<" in drawing.svg and ">✕<" in drawing.svg
    assert drawing.legend == [MET, UNMET]
    outlines = re.findall(r"\.tone-\w+\{[^}]*?stroke:[^;]+;([^}]*?)border", STYLE)
    assert len(outlines) == 4 == len(set(outlines))


def test_a_lane_lies_where_its_times_are_and_a_moment_is_seen() -> None:
    drawing = lanes(
        "t", Axis("s"), [Lane("x", [Span(0, 5, MET), Span(5, 5, UNMET), Span(5, 10, MET)])]
    )
    boxes = re.findall(
        r'<rect class="tone-\w+" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawing.svg
    )
    (one, wide), (two, thin), (three, also) = [(float(x), float(w)) for x, w in boxes]
    assert two == three == pytest.approx(one + wide, abs=0.2) and wide == pytest.approx(
        also, abs=0.2
    )
    assert thin == 2
    assert told(drawing)[1] == "x, 5 to 5: not met"


@pytest.mark.parametrize(
    "drawing",
    [
        bars("t", POINTS, []),
        series("t", Axis("s"), POINTS, [Line("a", [(0, None)])]),
        matrix("t", "who", ["c"], []),
        lanes("t", Axis("s"), [Lane("x", [])]),
    ],
)
def test_nothing_to_show_is_said(drawing: Drawing) -> None:
    assert drawing.svg == "" and "nothing to show" in drawing.figure()


@settings(derandomize=True, deadline=None)
@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
def test_ticks_enclose_their_range_evenly(low: float, high: float) -> None:
    found = ticks(low, high)
    slack = 1e-6 * (found[-1] - found[0])
    assert len(set(found)) == len(found) >= 2 and found == sorted(found)
    assert found[0] <= min(low, high) + slack and found[-1] >= max(low, high) - slack


def test_ticks_are_round_and_few() -> None:
    assert ticks(0, 20) == [0, 5, 10, 15, 20]
    assert ticks(0, 0.3) == [0, 0.1, 0.2, 0.3]
    assert ticks(7, 7) == [0, 2, 4, 6, 8] and ticks(0, 0) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(0, 2, least=1) == [0, 1, 2] and ticks(0, 0, least=1) == [0, 1]
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="finite"):
            ticks(0, bad)


def test_wide_letters_get_the_room_they_need() -> None:
    """A name of East Asian letters is not drawn over the cells, and a long one is cut."""
    narrow, wide = (
        float(re.findall(r'<rect class="tone-good" x="([\d.]+)"', matrix("t", "w", ["c"], [(name, [Cell(MET)])]).svg)[0])
        for name in ("abc", "王小明")
    )  # fmt: skip
    assert wide == pytest.approx(narrow + 21)
    long = matrix("t", "w", ["c"], [("x" * 200, [Cell(MET)])])
    assert "x" * 40 not in re.sub(r"<title>.*?</title>", "", long.svg)
    assert "x" * 200 in long.figure()


def test_names_of_events_that_would_touch_are_told_from_the_first_to_the_last() -> None:
    """None lies on another, and the last one ends within the picture."""
    events = [
        Event(at, name)
        for name, at in (("1", 50), ("2", 50.5), ("3", 51), ("4", 80), ("the end", 100))
    ]
    drawing = lanes("t", Axis("s"), [Lane("x", [Span(0, 100, MET)])], events)
    names = re.findall(r'<text x="([\d.]+)" y="12"(.*?)>(.*?)</text>', drawing.svg)
    assert [(side, name) for _, side, name in names] == [
        ("", "1–3"),
        ("", "4"),
        (' text-anchor="end"', "the end"),
    ]


def test_a_picture_of_its_own_carries_no_rules_for_a_page() -> None:
    """Its file is what is drawn; no text of it lies on the frame of its paper."""
    svg = pictures()[1].picture("what is seen")
    assert "table{" not in svg and ".scroll" not in svg and ".tone-good{" in svg
    assert (
        min(float(x) for x in re.findall(r'<text x="([\d.]+)"(?! y="[\d.]+" text-anchor)', svg))
        >= 4
    )


def test_the_same_data_give_the_same_bytes() -> None:
    assert [one.figure() for one in pictures()] == [one.figure() for one in pictures()]
