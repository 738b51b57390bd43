"""A dashboard's grid, painted with characters."""

from __future__ import annotations

from collections.abc import Sequence

from grader.cloud.cloudwatch.dashboards import COLUMNS, Widget, parse

TALLEST_DRAWING = 60


def draw(body: str, width: int = 78) -> list[str]:
    """The dashboard's grid as lines of at most ``width`` characters, plain ASCII.

    Every widget is a box in its place with its title and what it shows. A tall dashboard is
    squeezed; what does not fit into a box is cut with "...".
    """
    dashboard = parse(body)
    width = max(width, 26)
    drawn = [widget for widget in dashboard.widgets if widget.x + widget.width <= COLUMNS]
    if not drawn:
        return ["(no widget to draw)"]
    lines_of_rows = _squeeze(drawn)
    height = max(lines_of_rows[widget.y + widget.height] for widget in drawn) + 1
    canvas = [[" "] * width for _ in range(height)]
    for widget in drawn:
        left = widget.x * (width - 1) // COLUMNS
        right = (widget.x + widget.width) * (width - 1) // COLUMNS
        top = lines_of_rows[widget.y]
        bottom = lines_of_rows[widget.y + widget.height]
        _box(canvas, left, right, top, bottom, _words(widget))
    return ["".join(line).rstrip() for line in canvas]


def _squeeze(widgets: Sequence[Widget]) -> dict[int, int]:
    """From grid rows to lines: only rows where a widget begins or ends matter.

    A band between two such rows gets at most as many lines as the drawing can afford, and at least
    three, so that every box keeps a line inside.
    """
    edges = sorted({edge for one in widgets for edge in (one.y, one.y + one.height)})
    most = max(3, TALLEST_DRAWING // max(1, len(edges) - 1))
    lines: dict[int, int] = {}
    line = 0
    for number, edge in enumerate(edges):
        lines[edge] = line
        if number + 1 < len(edges):
            line += min(most, max(3, edges[number + 1] - edge))
    return lines


def _words(widget: Widget) -> list[str]:
    title = widget.title or f"({widget.type} {widget.number})"
    words = [title]
    words += [f"{signal.name} {signal.stat}" for signal in widget.signals if signal.visible]
    words += [f"= {maths.label or maths.expression}" for maths in widget.maths]
    words += widget.text.splitlines()
    return ["".join(letter if " " <= letter <= "~" else "?" for letter in word) for word in words]


def _box(
    canvas: list[list[str]], left: int, right: int, top: int, bottom: int, words: Sequence[str]
) -> None:
    for column in range(left, right + 1):
        for line in (top, bottom):
            canvas[line][column] = "+" if column in (left, right) else "-"
    inside, room = bottom - top - 1, right - left - 2
    for line in range(top + 1, bottom):
        canvas[line][left] = canvas[line][right] = "|"
    shown = list(words[:inside])
    if len(words) > inside and inside > 0:
        left_out = len(words) - inside + 1
        shown[-1] = f"... {left_out} more" if inside > 1 else shown[-1]
    for number, word in enumerate(shown):
        text = word if len(word) <= room else word[: max(0, room - 3)] + "..."[: max(0, room)]
        for offset, letter in enumerate(text[: max(0, room)]):
            canvas[top + 1 + number][left + 2 + offset] = letter
