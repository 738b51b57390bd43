"""Charts as SVG: bars, series over an axis, a matrix, and what lanes did over time.

Every page that shows a run, a class or a sandbox draws with these. Data goes in, a `Drawing` comes
out; its `figure()` is HTML with the picture, its legend and the same facts as a table. A page puts
`STYLE` into its style sheet once and, where it may run scripts, `SCRIPT`: arrow keys then walk over
the marks. Nothing asks for a network, no text is trusted, nothing is said by colour alone (every
state has a sign and an outline of its own, every line a dash and a shape), and paper gets the light
colours. Lengths are CSS pixels; a picture keeps its size, and scrolls where the page is narrower.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from pathlib import Path

from grader.cloud.words import clean

WIDTH = 620
ROW, CELL, LETTER = 24, 22, 7.0
MOST_LABEL = 230.0
# What a page carries once. In the script the nearest mark in an arrow's direction gets the focus.
_MARKS, _AROUND, SCRIPT = (
    Path(__file__).with_name(name).read_text(encoding="utf-8")
    for name in ("marks.css", "drawing.css", "drawing.js")
)
STYLE = _MARKS + _AROUND
# A limit that is further off than so many times the height of a series is not drawn.
FLATTENS = 4
TONES = ("good", "bad", "warn", "quiet")
DASHES = ("none", "7 4", "2 3", "9 3 2 3", "1 5")


@dataclass(frozen=True)
class State:
    """What a cell or a span of a lane is: a name, a sign of one letter, and one of `TONES`."""

    name: str
    sign: str
    tone: str


@dataclass(frozen=True)
class Bar:
    """A length with its name; ``before`` is an earlier one, marked by a stroke across the row."""

    name: str
    value: float
    said: str = ""
    before: float | None = None


@dataclass(frozen=True)
class Line:
    """A series: points from left to right; None as the height is a gap."""

    name: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class Cell:
    """A field of a matrix. ``share`` from 0 to 1 is how strongly it is filled.

    ``sign`` stands in it instead of the state's, such as a number.
    """

    state: State
    said: str = ""
    share: float = 1.0
    sign: str = ""


@dataclass(frozen=True)
class Span:
    """What a lane did from ``start`` to ``end``, in the axis's units."""

    start: float
    end: float
    state: State
    said: str = ""


@dataclass(frozen=True)
class Lane:
    """One row over time: a shard, an alarm, a function's environment."""

    name: str
    spans: Sequence[Span]


@dataclass(frozen=True)
class Event:
    """A moment that concerns every lane or line."""

    at: float
    name: str


@dataclass(frozen=True)
class Limit:
    """A height with which a series is compared, such as an alarm's threshold."""

    name: str
    value: float


@dataclass(frozen=True)
class Axis:
    """What is measured, and how a value of it is written; ``least`` is its smallest step.

    With ``places`` its values stand there, the first and the last one at its ends; without, at
    round values that enclose what is drawn.
    """

    name: str
    write: Callable[[float], str] = field(default=lambda value: f"{value:,.10g}")
    least: float = 0.0
    places: Sequence[float] = ()


@dataclass(frozen=True)
class Drawing:
    """A picture and its twin: ``svg`` is "" when there was nothing to draw."""

    title: str
    svg: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    legend: Sequence[State] = ()
    note: str = ""

    def figure(self, *, level: int = 3, twin: bool = True) -> str:
        """The picture under a heading of ``level``, with its legend and its table.

        Without ``twin`` the page has a table of the same facts elsewhere.
        """
        title = _text(self.title)
        if not self.svg:
            return f"<figure><h{level}>{title}</h{level}><p>There is nothing to show.</p></figure>"
        keys = "".join(
            f'<li><span class="key {_tone(one)}" aria-hidden="true">{_text(one.sign)}</span>'
            f" {_text(one.name)}</li>"
            for one in self.legend
        )
        return (
            f"<figure><h{level}>{title}</h{level}>"
            + (f'<ul class="legend">{keys}</ul>' if keys else "")
            + (f"<p>{_text(self.note)}</p>" if self.note else "")
            + scrolled(title, self.svg)
            + '<p class="said" aria-hidden="true"></p>'
            + (self._twin(title) if twin else "")
            + "</figure>"
        )

    def picture(self, description: str, words: Sequence[str] = ()) -> str:
        """The picture as a file of its own, on its own paper, light or dark as the reader's system.

        ``description`` says in words what it shows; ``words`` stand below its title.
        """
        head, _, inside = self.svg.removesuffix("</svg>").partition(">")
        _, _, wide, high = (float(one) for one in head.split('viewBox="')[1].rstrip('"').split())
        above = 30 + 16 * len(words)
        parts = [f'<text x="12" y="22" class="strong">{_text(self.title)}</text>']
        parts += [
            f'<text x="12" y="{40 + 16 * number}">{_text(one)}</text>'
            for number, one in enumerate(words)
        ]
        parts.append(f'<g transform="translate(0 {above:g})">{inside}</g>')
        keys, below = _keys(self.legend, wide, above + high + 4)
        size = f'width="{wide:g}" height="{below:g}" viewBox="0 0 {wide:g} {below:g}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" {size} role="img" '
            f'aria-labelledby="t d"><title id="t">{_text(self.title)}</title>'
            f'<desc id="d">{_text(description)}</desc><style>{_MARKS}{_ALONE}</style>'
            f'<rect class="paper" x=".5" y=".5" width="{wide - 1:g}" height="{below - 1:g}" '
            f'rx="6"/>{"".join(parts)}{keys}</svg>\n'
        )

    def _twin(self, title: str) -> str:
        drawn = scrolled(f"{title}, as a table", table(self.headings, self.rows))
        return f"<details><summary>{title}: the same as a table</summary>{drawn}</details>"


def scrolled(title: str, content: str) -> str:
    """HTML that may be wider than the page; ``title`` is escaped already."""
    return f'<div class="scroll" role="region" aria-label="{title}" tabindex="0">{content}</div>'


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Text as an HTML table whose first column names its rows."""
    head = "".join(f'<th scope="col">{_text(one)}</th>' for one in headings)
    body = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>'
        + "".join(f"<td>{_text(one)}</td>" for one in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def bars(title: str, axis: Axis, data: Sequence[Bar], *, names: str = "") -> Drawing:
    """Lengths, none below zero, one under the other; ``names`` heads the column of their names."""
    rows = [[one.name, one.said or axis.write(one.value)] for one in data]
    headings = [names or "name", axis.name]
    if earlier := any(one.before is not None for one in data):
        headings.append("before")
        for row, one in zip(rows, data, strict=True):
            row.append("" if one.before is None else axis.write(one.before))
    if not data:
        return Drawing(title, "", headings, rows)
    left = _label_room(one.name for one in data)
    most = max(max(one.value, one.before or 0) for one in data)
    marks = ticks(0, most, least=axis.least)
    right = max(40, 10 + max(_breadth(row[1]) for row in rows))
    scale = _scale(marks[0], marks[-1], left, WIDTH - right)
    bottom = ROW * len(data) + 4
    parts = _across(marks, axis, scale, bottom)
    for number, (one, row) in enumerate(zip(data, rows, strict=True)):
        y = number * ROW + 4
        long = scale(one.value) - left
        drawn = (
            f'<rect class="bar" x="{left:g}" y="{y}" width="{long:.1f}" height="{ROW - 7}"/>'
            f'<text x="{left + long + 5:.1f}" y="{y + 13}">{_text(row[1])}</text>'
            f"{_right(one.name, left, y + 13)}"
        )
        if one.before is not None:
            at = scale(one.before)
            drawn += f'<path class="before" d="M{at:.1f} {y - 3}v{ROW - 1}"/>'
        before = f", before {row[2]}" if earlier and row[2] else ""
        parts.append(_mark(f"{one.name}: {row[1]}{before}", drawn))
    note = "A dashed stroke shows how it was before." if earlier else ""
    return Drawing(title, _svg(title, WIDTH, bottom + 40, parts), headings, rows, (), note)


def series(
    title: str,
    across: Axis,
    up: Axis,
    lines: Sequence[Line],
    events: Sequence[Event] = (),
    limits: Sequence[Limit] = (),
    *,
    width: float = WIDTH,
) -> Drawing:
    """Heights over one axis. Each line has a dash and a shape of its own, its name at its end.

    A limit is a line across, with its name below the axis; one that would flatten the series is
    named and not drawn.
    """
    known = [(x, y) for line in lines for x, y in line.points if y is not None]
    places = sorted({x for line in lines for x, _ in line.points})
    heights = [dict(line.points) for line in lines]
    rows = [
        [across.write(x), *("" if (y := at.get(x)) is None else up.write(y) for at in heights)]
        for x in places
    ]
    rows += [[one.name, up.write(one.value), *[""] * (len(lines) - 1)] for one in limits]
    headings = [
        across.name,
        *(f"{line.name} ({up.name})" if line.name else up.name for line in lines),
    ]
    if not known:
        return Drawing(title, "", headings, rows)
    span = [0.0, *(y for _, y in known)]
    near = FLATTENS * (max(span) - min(span))
    shown = [one for one in limits if min(span) - near <= one.value <= max(span) + near]
    levels = _steps(up, (), [*span, *(one.value for one in shown)])
    steps = _steps(across, events, places)
    first = 6 + _breadth(across.write(steps[0])) / 2
    left = max(first, 12 + max(_breadth(up.write(level)) for level in levels))
    right = max(30, 18 + min(MOST_LABEL, max(_breadth(line.name) for line in lines)))
    x_of = _scale(steps[0], steps[-1], left, width - right)
    bottom = 210.0
    top = 36 if events else 22
    y_of = _scale(levels[0], levels[-1], bottom, top)
    parts = [f'<text x="12" y="12">{_text(up.name)}</text>']
    parts += _across(steps, across, x_of, bottom, top)
    for level in levels:
        y = y_of(level)
        parts.append(f'<path class="grid" d="M{left:g} {y:.1f}H{width - right:g}"/>')
        parts.append(_right(up.write(level), left, y + 4))
    parts += _events(events, x_of, 26, bottom, width)
    for number, line in enumerate(lines):
        parts += _line(number, line, x_of, y_of, across, up)
    for number, one in enumerate(limits):
        at = y_of(one.value) if one in shown else None
        parts.append(_limit(one.name, number, at, left, width - right, bottom + 52 + 16 * number))
    high = bottom + 40 + 16 * len(limits)
    return Drawing(title, _svg(title, width, high, parts), headings, rows)


def matrix(
    title: str, corner: str, columns: Sequence[str], data: Sequence[tuple[str, Sequence[Cell]]]
) -> Drawing:
    """Cells in rows and columns; ``corner`` heads the column of the rows' names."""
    rows = [[name, *(cell.said or cell.state.name for cell in cells)] for name, cells in data]
    if not data or not columns:
        return Drawing(title, "", [corner, *columns], rows)
    left = _label_room(name for name, _ in data)
    top = 12 + 0.87 * min(MOST_LABEL, max(_breadth(name) for name in columns))
    parts = []
    for number, name in enumerate(columns):
        x = left + number * CELL + CELL / 2 + 4
        turned = f'transform="rotate(-60 {x:g} {top - 6:g})"'
        parts.append(f'<text x="{x:g}" y="{top - 6:g}" {turned}>{_text(_short(name))}</text>')
    for down, (name, cells) in enumerate(data):
        y = top + down * CELL
        parts.append(_right(name, left, y + 15))
        for number, (column, cell) in enumerate(zip(columns, cells, strict=True)):
            sign = cell.sign or cell.state.sign
            box = _box(left + number * CELL, y, CELL - 2, CELL - 2, cell.state, sign, cell.share)
            parts.append(_mark(f"{name}, {column}: {cell.said or cell.state.name}", box))
    width = left + CELL * len(columns) + 0.5 * top + 12
    svg = _svg(title, width, top + CELL * len(data) + 6, parts)
    used = dict.fromkeys(cell.state for _, cells in data for cell in cells)
    return Drawing(title, svg, [corner, *columns], rows, list(used))


def lanes(
    title: str,
    axis: Axis,
    data: Sequence[Lane],
    events: Sequence[Event] = (),
    *,
    width: float = WIDTH,
) -> Drawing:
    """What each lane did over one axis. A span without a length is drawn, too."""
    spans = [span for lane in data for span in lane.spans]
    rows = [
        [lane.name, span.state.name, axis.write(span.start), axis.write(span.end), span.said]
        for lane in data
        for span in lane.spans
    ]
    headings = ["lane", "state", f"from ({axis.name})", "to", "what"]
    if not spans:
        return Drawing(title, "", headings, rows)
    left = _label_room(lane.name for lane in data)
    steps = _steps(axis, events, [moment for span in spans for moment in (span.start, span.end)])
    x_of = _scale(steps[0], steps[-1], left, width - 30)
    top, bottom = 18.0, 18.0 + ROW * len(data)
    parts = _across(steps, axis, x_of, bottom)
    for number, lane in enumerate(data):
        y = top + number * ROW
        parts.append(_right(lane.name, left, y + 15))
        for span in lane.spans:
            x = x_of(span.start)
            box = _box(x, y + 2, max(2.0, x_of(span.end) - x), ROW - 5, span.state, span.state.sign)
            when = f"{axis.write(span.start)} to {axis.write(span.end)}"
            said = f"{lane.name}, {when}: {span.state.name}"
            parts.append(_mark(f"{said}, {span.said}" if span.said else said, box))
    parts += _events(events, x_of, 12, bottom, width)
    used = list(dict.fromkeys(span.state for span in spans))
    return Drawing(title, _svg(title, width, bottom + 40, parts), headings, rows, used)


def stacked(title: str, drawings: Sequence[Drawing]) -> Drawing:
    """Drawings of one width, one under the other, as one; their tables stay with them."""
    parts, y, width = [], 0.0, 0.0
    for one in drawings:
        head, _, _ = one.svg.partition(">")
        _, _, wide, high = (float(size) for size in head.split('viewBox="')[1].rstrip('"').split())
        parts.append(one.svg.replace("<svg ", f'<svg y="{y:g}" ', 1))
        y, width = y + high + 6, max(width, wide)
    used = dict.fromkeys(state for one in drawings for state in one.legend)
    return Drawing(title, _svg(title, width, y, parts), (), (), list(used))


def ticks(low: float, high: float, most: int = 6, least: float = 0.0) -> list[float]:
    """At least two round values, evenly apart, that enclose ``low`` to ``high``.

    Their step is 1, 2 or 5 times a power of ten and not below ``least``. ValueError unless both
    ends are finite numbers.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"an axis needs finite ends, not {low} and {high}")
    low, high = min(low, high), max(low, high)
    if high - low <= 1e-9 * max(-low, high, 1e-9):  # one value: from zero to it, or to one
        low, high = min(0.0, low), max(0.0, high)
        high = high if high - low > 1e-12 else low + 1.0
    rough = max(least, (high - low) / (most - 1))
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = 9 - math.floor(math.log10(step))
    return [round(number * step, digits) for number in range(first, max(last, first + 1) + 1)]


# --- parts ------------------------------------------------------------------------------------


def _steps(axis: Axis, events: Sequence[Event], places: Sequence[float]) -> list[float]:
    if axis.places:
        return [*axis.places]
    moments = [*places, *(event.at for event in events)]
    return ticks(min(moments), max(moments), least=axis.least)


def _line(number: int, line: Line, x_of: _Scale, y_of: _Scale, across: Axis, up: Axis) -> list[str]:
    kind = f"line{number % len(DASHES)}"
    known = [(x, y) for x, y in line.points if y is not None]
    pieces = []
    for gap, run in groupby(line.points, key=lambda point: point[1] is None):
        places = [f"{x_of(x):.1f} {y_of(y):.1f}" for x, y in run if y is not None]
        if not gap and len(places) > 1:
            pieces.append(f"M{'L'.join(places)}")
    dash = f'stroke-dasharray="{DASHES[number % len(DASHES)]}"'
    parts = [f'<path class="line {kind}" {dash} d="{"".join(pieces)}"/>'] if pieces else []
    for x, y in known:
        shape = _shape(number, x_of(x), y_of(y))
        said = f"{line.name}: {up.write(y)} at {across.write(x)}"
        parts.append(_mark(said, f'<path class="dot {kind}" d="{shape}"/>'))
    for x, y in known[-1:] if line.name else []:
        place = f'x="{x_of(x) + 8:.1f}" y="{y_of(y) + 4:.1f}"'
        parts.append(f"<text {place}>{_text(_short(line.name))}</text>")
    return parts


def _limit(
    name: str, number: int, at: float | None, left: float, right: float, below: float
) -> str:
    """A height across the picture, none where it has no place, and its name ``below``."""
    style = f'class="limit" stroke-dasharray="{DASHES[1 + number % (len(DASHES) - 1)]}"'
    across = "" if at is None else f"M{left:g} {at:.1f}H{right:g}"
    text = name if at is not None else f"not drawn: {name}"
    drawn = f'<path {style} d="{across}M{left:g} {below - 4:g}h26"/>'
    return _mark(text, f'{drawn}<text x="{left + 32:g}" y="{below:g}">{_text(text)}</text>')


def _shape(number: int, x: float, y: float) -> str:
    """A circle, a square, a triangle, a rhombus or a cross around a point."""
    at = f"M{x:.1f} {y:.1f}"
    return (
        f"{at}m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
        f"{at}m-3-3h6v6h-6z",
        f"{at}m0-4l4 7h-8z",
        f"{at}m0-4l4 4l-4 4l-4-4z",
        f"{at}m-4-1h3v-3h2v3h3v2h-3v3h-2v-3h-3z",
    )[number % len(DASHES)]


def _box(
    x: float, y: float, wide: float, high: float, state: State, sign: str, share: float = 1.0
) -> str:
    middle = f'x="{x + wide / 2:.1f}" y="{y + high / 2 + 4:.1f}" text-anchor="middle"'
    inside = f"<text {middle}>{_text(sign)}</text>" if wide >= _breadth(sign) + 2 else ""
    fill = f' fill-opacity="{max(0.0, min(1.0, share)):.2f}"' if share < 1 else ""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:g}"'
    return f'<rect class="{_tone(state)}" {place} rx="2"{fill}/>{inside}'


def _across(
    marks: Sequence[float], axis: Axis, x_of: _Scale, bottom: float, top: float = 0
) -> list[str]:
    """The axis below, its values and its name; values that would touch are left out."""
    parts, free = [], -math.inf
    for value in marks:
        x, text = x_of(value), axis.write(value)
        parts.append(f'<path class="grid" d="M{x:.1f} {top:g}V{bottom + 4:g}"/>')
        if x - _breadth(text) / 2 > free:
            free = x + _breadth(text) / 2 + 4
            middle = f'x="{x:.1f}" y="{bottom + 17:g}" text-anchor="middle"'
            parts.append(f"<text {middle}>{_text(text)}</text>")
    middle = f'x="{(x_of(marks[0]) + x_of(marks[-1])) / 2:.1f}" y="{bottom + 34:g}"'
    return [*parts, f'<text {middle} text-anchor="middle">{_text(axis.name)}</text>']


def _events(
    events: Sequence[Event], x_of: _Scale, top: float, bottom: float, width: float
) -> list[str]:
    """A stroke for each event; of names at ``top`` that would touch, the first and the last."""
    groups: list[list[Event]] = []
    end, parts = -math.inf, []
    for one in sorted(events, key=lambda event: event.at):
        x = x_of(one.at)
        parts.append(f'<path class="before" d="M{x:.1f} {top - 12:g}V{bottom:g}"/>')
        if x < end:
            groups[-1].append(one)
        else:
            groups.append([one])
        end = x + 8 + _breadth(_called(groups[-1]))
    for group in groups:
        text, x, side = _called(group), x_of(group[-1].at) + 4, ""
        if x + _breadth(text) > width:
            x, side = x_of(group[0].at) - 4, ' text-anchor="end"'
        parts.append(f'<text x="{x:.1f}" y="{top:g}"{side}>{_text(text)}</text>')
    return parts


def _called(group: Sequence[Event]) -> str:
    names = dict.fromkeys([group[0].name, group[-1].name])
    return "–".join(names)


# What a picture needs that stands alone.
_ALONE = (
    ".paper{fill:var(--paper);stroke:var(--rule)}text{font-size:12px}"
    "svg.drawing .strong{font-weight:700}"
)


def _keys(states: Sequence[State], wide: float, y: float) -> tuple[str, float]:
    """A legend in SVG, and where it ends."""
    parts, x = [], 12.0
    for one in states:
        room = 34 + _breadth(one.name)
        if x + room > wide and x > 12:
            x, y = 12.0, y + 24
        parts.append(_box(x, y, 18, 18, one, one.sign))
        parts.append(f'<text x="{x + 24:.1f}" y="{y + 13:.1f}">{_text(one.name)}</text>')
        x += room
    return "".join(parts), y + 30


def _svg(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    name = f'class="drawing" role="group" aria-label="{_text(title)}"'
    return f"<svg {name} {size}>{''.join(parts)}</svg>"


def _mark(said: str, drawn: str) -> str:
    return f'<g class="mark" role="img" tabindex="-1"><title>{_text(said)}</title>{drawn}</g>'


def _right(text: str, edge: float, y: float) -> str:
    place = f'x="{edge - 7:.1f}" y="{y:.1f}" text-anchor="end"'
    return f"<text {place}>{_text(_short(text))}</text>"


_Scale = Callable[[float], float]


def _scale(low: float, high: float, start: float, end: float) -> _Scale:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _label_room(names: Iterable[str]) -> float:
    return 12 + min(MOST_LABEL, max(map(_breadth, names), default=0))


def _breadth(text: str) -> float:
    """About how wide a text is drawn: East Asian letters are twice as wide as others."""
    return sum(
        LETTER * (2 if unicodedata.east_asian_width(letter) in "WF" else 1)
        for letter in text
        if not unicodedata.combining(letter)
    )


def _short(text: str) -> str:
    """A name that fits its place; the whole of it stands in the table."""
    if _breadth(text) <= MOST_LABEL:
        return text
    while text and _breadth(text) > MOST_LABEL - LETTER:
        text = text[:-1]
    return f"{text}…"


def _tone(state: State) -> str:
    return f"tone-{state.tone if state.tone in TONES else 'quiet'}"


def _text(text: str) -> str:
    """Text that may stand in HTML and SVG, in elements and in attributes."""
    return escape(clean(text).replace("\n", " "))
