"""CloudWatch dashboards: the body parsed and checked, and the metrics that it shows.

``parse`` reads a DashboardBody, lists its problems and says which metrics it shows. Nothing here
raises on a bad body.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html

A Flaw is ``refused`` when PutDashboard fails on it (observed: an absent `type`, x above 23,
width above 24, height above 1,000, a period that is no multiple of 60, a metric widget without a
region or without metrics…). Otherwise the service stores the dashboard and shows less than its
author meant: an unknown widget type, a widget that leaves the 24 columns, two on one place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import mathexpr
from grader.cloud.cloudwatch.selection import Selection, selections
from grader.cloud.cloudwatch.series import parse_statistic
from grader.cloud.metrics import Dimensions, dimensions

COLUMNS = 24
MOST_WIDGETS = 500
MOST_METRICS = 500
MOST_METRICS_OF_ALL = 2500
MOST_VARIABLES = 25
TALLEST = 1000
TYPES = ("metric", "text", "log", "alarm", "explorer", "custom", "chart")
VIEWS = ("timeSeries", "singleValue", "gauge", "bar", "pie", "table")
DEFAULT_STATISTIC = "Average"
DEFAULT_PERIOD_S = 300
DEFAULT_SIZE = 6

_ROW_OPTIONS = frozenset(
    [
        *("accountId", "color", "expression", "id", "label", "period", "region", "stat"),
        *("visible", "yAxis"),
    ]
)
_START = re.compile(r"-P(?=[\dT])(?:\d+M)?(?:\d+W)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?)?")
_ABSOLUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong. ``path`` is where, as in ``widgets[2].properties.region``."""

    path: str
    sentence: str
    refused: bool

    def __str__(self) -> str:
        return f"{self.path}: {self.sentence}" if self.path else self.sentence


@dataclass(frozen=True, slots=True)
class Signal:
    """A metric that a widget shows. ``period_s`` is in seconds, ``row`` counts metric rows from 0.

    ``visible`` is false for a metric that only feeds an expression.
    """

    namespace: str
    name: str
    dimensions: Dimensions
    stat: str
    period_s: int
    region: str
    widget: int
    row: int
    visible: bool = True
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Maths:
    """A row of a widget that computes or looks for what it shows; ``finds`` are its queries."""

    expression: str
    id: str | None
    label: str
    widget: int
    row: int
    region: str = ""
    visible: bool = True
    finds: tuple[Selection, ...] = ()

    def reads(self, row_id: str | None) -> bool:
        """Whether the expression is made of the row with this id, if it has one."""
        if row_id is None:
            return False
        named = re.search(rf"\b{re.escape(row_id)}\b", self.expression)
        return named is not None or "METRICS(" in self.expression


@dataclass(frozen=True, slots=True)
class Widget:
    """One widget in grid units: columns 0-23 from the left, rows from the top."""

    number: int
    type: str
    x: int
    y: int
    width: int
    height: int
    title: str
    signals: tuple[Signal, ...] = ()
    maths: tuple[Maths, ...] = ()
    text: str = ""

    def shows(self, row: Signal | Maths) -> bool:
        """Whether a reader sees this row, by itself or in a visible row that is made of it."""
        seen = [maths for maths in self.maths if maths.visible]
        for maths in seen:  # it grows under the loop
            seen += [one for one in self.maths if one not in seen and maths.reads(one.id)]
        return row.visible or row in seen or any(maths.reads(row.id) for maths in seen)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard body as far as it could be read, and everything that is wrong with it."""

    widgets: tuple[Widget, ...] = ()
    problems: tuple[Flaw, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether PutDashboard takes the body."""
        return not any(problem.refused for problem in self.problems)

    @property
    def signals(self) -> list[Signal]:
        """Every metric that the dashboard reads, widget by widget."""
        return [signal for widget in self.widgets for signal in widget.signals]

    @property
    def shown(self) -> list[Signal]:
        """Those of them that a reader sees."""
        return [one for widget in self.widgets for one in widget.signals if widget.shows(one)]

    @property
    def searches(self) -> list[tuple[Maths, Selection]]:
        """Every query for metrics whose finds a reader sees, with its row."""
        return [
            (maths, selection)
            for widget in self.widgets
            for maths in widget.maths
            if widget.shows(maths)
            for selection in maths.finds
        ]


def parse(body: object) -> Dashboard:
    """Read a DashboardBody: a JSON text, as CloudFormation and PutDashboard take it."""
    if not isinstance(body, str):
        return _unreadable("The dashboard body is a text that holds JSON, not a structure.")
    try:
        document = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        where = ""
        if isinstance(error, json.JSONDecodeError):
            where = f" (line {error.lineno}, column {error.colno}: {error.msg})"
        return _unreadable(f"The field DashboardBody must be a valid JSON object{where}.")
    if not isinstance(document, dict):
        return _unreadable("The field DashboardBody must be a valid JSON object.")
    return _Reader(document).read()


def _unreadable(sentence: str) -> Dashboard:
    return Dashboard((), (Flaw("", sentence, True),))


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


@dataclass
class _Reader:
    document: Mapping[str, Any]
    problems: list[Flaw] = field(default_factory=list)

    def read(self) -> Dashboard:
        self._frame()
        given = self.document.get("widgets")
        widgets: list[Widget] = []
        if "widgets" not in self.document:
            self._refuse("", "Should have required property 'widgets'.")
        elif not isinstance(given, list):
            self._refuse("widgets", "Should be array.")
        else:
            if len(given) > MOST_WIDGETS:
                self._refuse("widgets", f"Has {len(given)} widgets, at most {MOST_WIDGETS}.")
            for number, widget in enumerate(given[:MOST_WIDGETS]):
                read = self._widget(number, widget, widgets)
                if read is not None:
                    widgets.append(read)
        total = sum(len(widget.signals) + len(widget.maths) for widget in widgets)
        if total > MOST_METRICS_OF_ALL:
            self._refuse("widgets", f"Show {total} metrics, at most {MOST_METRICS_OF_ALL:,}.")
        self._overlaps(widgets)
        return Dashboard(tuple(widgets), tuple(self.problems))

    def _refuse(self, path: str, sentence: str) -> None:
        self.problems.append(Flaw(path, sentence, True))

    def _advise(self, path: str, sentence: str) -> None:
        self.problems.append(Flaw(path, sentence, False))

    def _frame(self) -> None:
        start, end = self.document.get("start"), self.document.get("end")
        relative = isinstance(start, str) and _START.fullmatch(start)
        absolute = isinstance(start, str) and _ABSOLUTE.fullmatch(start)
        if start is not None and not relative and not absolute:
            self._refuse("start", "Should be like -PT8H or like 2026-11-02T09:00:00Z.")
        if end is not None and not (isinstance(end, str) and _ABSOLUTE.fullmatch(end)):
            self._refuse("end", "Should be like 2026-11-02T09:00:00Z.")
        if end is not None and start is None:
            self._refuse("end", "Needs a start.")
        if self.document.get("periodOverride", "auto") not in ("auto", "inherit"):
            self._refuse("periodOverride", "Should be auto or inherit.")
        variables = self.document.get("variables", [])
        if not isinstance(variables, list):
            self._refuse("variables", "Should be array.")
        elif len(variables) > MOST_VARIABLES:
            self._refuse("variables", f"Has {len(variables)} members, at most {MOST_VARIABLES}.")

    # --- one widget ------------------------------------------------------------------------------

    def _widget(self, number: int, widget: object, before: Sequence[Widget]) -> Widget | None:
        path = f"widgets[{number}]"
        if not isinstance(widget, dict):
            self._refuse(path, "Should be object.")
            return None
        for member in ("type", "properties"):
            if member not in widget:
                self._refuse(path, f"Should have required property '{member}'.")
        kind, properties = widget.get("type"), widget.get("properties")
        if "type" in widget and not isinstance(kind, str):
            self._refuse(f"{path}.type", "Should be string.")
        elif "type" in widget and kind not in TYPES:
            self._advise(
                f"{path}.type", f"{kind!r} is no widget type, nothing is shown: {', '.join(TYPES)}."
            )
        if "properties" in widget and not isinstance(properties, dict):
            self._refuse(f"{path}.properties", "Should be object.")
        if not isinstance(properties, dict):
            properties = {}
        x, y, width, height = self._place(path, widget, before)
        title = properties.get("title")
        read = Widget(
            number,
            kind if isinstance(kind, str) else "?",
            x,
            y,
            width,
            height,
            title if isinstance(title, str) else "",
        )
        return self._contents(read, properties, f"{path}.properties")

    def _place(
        self, path: str, widget: Mapping[str, Any], before: Sequence[Widget]
    ) -> tuple[int, int, int, int]:
        width = self._measure(path, widget, "width", 1, COLUMNS, DEFAULT_SIZE)
        height = self._measure(path, widget, "height", 1, TALLEST, DEFAULT_SIZE)
        if ("x" in widget) != ("y" in widget):
            self._refuse(path, "x and y are given together or not at all.")
        if "x" not in widget or "y" not in widget:
            # Without a place CloudWatch puts widgets side by side, then below.
            x = before[-1].x + before[-1].width if before else 0
            y = before[-1].y if before else 0
            if x + width > COLUMNS:
                x, y = 0, max((one.y + one.height for one in before), default=0)
            return x, y, width, height
        x = self._measure(path, widget, "x", 0, COLUMNS - 1, 0)
        y = self._measure(path, widget, "y", 0, None, 0)
        if x + width > COLUMNS:
            self._advise(
                path, f"x {x} + width {width} leaves the grid: it has {COLUMNS} columns (0 to 23)."
            )
        return x, y, width, height

    def _measure(
        self,
        path: str,
        widget: Mapping[str, Any],
        member: str,
        lowest: int,
        highest: int | None,
        default: int,
    ) -> int:
        value = widget.get(member, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            self._refuse(f"{path}.{member}", "Should be integer.")
            return default
        if value < lowest:
            self._refuse(f"{path}.{member}", f"Should be >= {lowest}, is {value}.")
            return default
        if highest is not None and value > highest:
            self._refuse(f"{path}.{member}", f"Should be <= {highest}, is {value}.")
            return default
        return value

    def _contents(self, read: Widget, properties: Mapping[str, Any], path: str) -> Widget:
        found: tuple[Signal, ...] = ()
        maths: tuple[Maths, ...] = ()
        text = ""
        match read.type:
            case "metric":
                found, maths = self._metric_widget(read.number, properties, path)
            case "text":
                text = self._text(properties, path, "markdown")
            case "log":
                text = self._text(properties, path, "query")
                self._text(properties, path, "region")
            case "alarm":
                text = self._alarms(properties, path)
            case "custom":
                text = self._text(properties, path, "endpoint")
        return Widget(
            read.number,
            read.type,
            read.x,
            read.y,
            read.width,
            read.height,
            read.title,
            found,
            maths,
            text,
        )

    def _text(self, properties: Mapping[str, Any], path: str, member: str) -> str:
        value = properties.get(member)
        if member not in properties:
            self._refuse(path, f"Should have required property '{member}'.")
        elif not isinstance(value, str):
            self._refuse(f"{path}.{member}", "Should be string.")
        return value if isinstance(value, str) else ""

    def _alarms(self, properties: Mapping[str, Any], path: str) -> str:
        alarms = properties.get("alarms")
        if "alarms" not in properties:
            self._refuse(path, "Should have required property 'alarms'.")
            return ""
        if not isinstance(alarms, list) or not all(isinstance(arn, str) for arn in alarms):
            self._refuse(f"{path}.alarms", "Should be an array of alarm ARNs.")
            return ""
        if len(alarms) > 100:
            self._refuse(f"{path}.alarms", f"Has {len(alarms)} alarms, at most 100.")
        return " ".join(arn.rsplit(":", 1)[-1] for arn in alarms)

    # --- metric widgets --------------------------------------------------------------------------

    def _metric_widget(
        self, number: int, properties: Mapping[str, Any], path: str
    ) -> tuple[tuple[Signal, ...], tuple[Maths, ...]]:
        annotations = properties.get("annotations")
        if annotations is not None and not isinstance(annotations, dict):
            self._refuse(f"{path}.annotations", "Should be object.")
        shows_alarm = isinstance(annotations, dict) and bool(annotations.get("alarms"))
        region = properties.get("region")
        rows = properties.get("metrics")
        if not isinstance(region, str) or (not isinstance(rows, list) and not shows_alarm):
            self._refuse(
                path,
                "The metric widget should have specified a region and a data source or an alarm "
                "annotation.",
            )
        self._options(properties, path)
        view = properties.get("view", "timeSeries")
        if view not in VIEWS:
            self._refuse(f"{path}.view", f"Should be one of {', '.join(VIEWS)}.")
        if not isinstance(rows, list):
            return (), ()
        if len(rows) > MOST_METRICS:
            self._refuse(f"{path}.metrics", f"Has {len(rows)} rows, at most {MOST_METRICS}.")
        return self._rows(number, rows[:MOST_METRICS], properties, f"{path}.metrics")

    def _options(self, options: Mapping[str, Any], path: str) -> None:
        """The options that a widget and a metric row share: stat, period, yAxis."""
        stat, period = options.get("stat"), options.get("period")
        if stat is not None and not (isinstance(stat, str) and parse_statistic(stat)):
            self._refuse(f"{path}.stat", f"Should match pattern: {stat!r} is no statistic.")
        if period is not None:
            whole = isinstance(period, int) and not isinstance(period, bool) and period > 0
            if not whole or (period not in (1, 5, 10, 20, 30) and period % 60):
                self._refuse(f"{path}.period", f"Should be multiple of 60, is {period!r}.")
        axes = options.get("yAxis")
        for side, axis in axes.items() if isinstance(axes, dict) else ():
            low = axis.get("min") if isinstance(axis, dict) else None
            high = axis.get("max") if isinstance(axis, dict) else None
            if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low >= high:
                self._refuse(f"{path}.yAxis.{side}", "The minimum should be below the maximum.")

    def _rows(
        self, number: int, rows: Sequence[object], properties: Mapping[str, Any], path: str
    ) -> tuple[tuple[Signal, ...], tuple[Maths, ...]]:
        found: list[Signal] = []
        maths: list[Maths] = []
        above: list[str] = []
        ids: set[str] = set()
        for index, row in enumerate(rows):
            where = f"{path}[{index}]"
            if not isinstance(row, list) or not row:
                self._refuse(where, "Should be an array: namespace, metric name, dimensions.")
                continue
            options = row[-1] if isinstance(row[-1], dict) else {}
            words = row[:-1] if isinstance(row[-1], dict) else row
            self._row_options(options, where, ids)
            if "expression" in options:
                self._expression(options, words, where)
                maths.append(
                    Maths(
                        str(options["expression"]),
                        _text_or_none(options.get("id")),
                        str(options.get("label", "")),
                        number,
                        index,
                        str(options.get("region", properties.get("region", ""))),
                        options.get("visible", True) is not False,
                        tuple(selections(str(options["expression"]))),
                    )
                )
                continue
            spelled = self._spelled(words, above, where)
            if spelled is None:
                continue
            above = spelled
            found.append(_signal(spelled, options, properties, number, index))
        return tuple(found), tuple(maths)

    def _row_options(self, options: Mapping[str, Any], where: str, ids: set[str]) -> None:
        for option in options:
            if option not in _ROW_OPTIONS:
                self._advise(where, f"{option!r} is no option of a metric row.")
        self._options({**options, "yAxis": None}, where)
        if options.get("yAxis", "left") not in ("left", "right"):
            self._refuse(f"{where}.yAxis", "Should be left or right.")
        name = options.get("id")
        if name is None:
            return
        if not isinstance(name, str) or not _ID.fullmatch(name):
            self._refuse(f"{where}.id", f"{name!r} should begin with a lowercase letter.")
        elif name in ids:
            self._refuse(f"{where}.id", f"{name!r} is used twice in this widget.")
        else:
            ids.add(name)

    def _expression(self, options: Mapping[str, Any], words: Sequence[object], where: str) -> None:
        if words:
            self._refuse(where, "A maths row holds its options only.")
        text = options["expression"]
        if not isinstance(text, str) or not text.strip():
            self._refuse(f"{where}.expression", "Should be string.")
            return
        if re.match(r"\s*(SELECT|SEARCH)\b", text, re.IGNORECASE):
            return
        try:
            mathexpr.parse(text)
        except Refused as refused:
            self._advise(f"{where}.expression", refused.message)

    def _spelled(
        self, words: Sequence[object], above: Sequence[str], where: str
    ) -> list[str] | None:
        """The row with "." and "..." replaced by what stands above; None when it is wrong."""
        if not all(isinstance(word, (str, int, float)) for word in words):
            self._refuse(where, "Namespace, metric name and dimensions should be strings.")
            return None
        spelled = [str(word) for word in words]
        if "..." in spelled:
            # "..." stands for everything of the row above that is not written out behind it.
            position = spelled.index("...")
            behind = spelled[position + 1 :]
            kept = list(above[position : len(above) - len(behind)])
            if not above:
                self._refuse(where, '"..." repeats the row above, and there is none.')
                return None
            spelled = [*spelled[:position], *kept, *behind]
        for place, word in enumerate(spelled):
            if word == ".":
                if place >= len(above):
                    self._refuse(
                        where, f'"." at place {place} repeats nothing: the row above ends.'
                    )
                    return None
                spelled[place] = above[place]
        if len(spelled) < 2 or len(spelled) % 2:
            self._refuse(
                where,
                "Should be namespace, metric name, then pairs of dimension name and value; it has "
                f"{len(spelled)} texts.",
            )
            return None
        names = spelled[2::2]
        if len(set(names)) != len(names):
            self._refuse(where, "Names a dimension twice.")
            return None
        return spelled

    def _overlaps(self, widgets: Sequence[Widget]) -> None:
        for number, one in enumerate(widgets):
            for other in widgets[number + 1 :]:
                if (
                    one.x < other.x + other.width
                    and other.x < one.x + one.width
                    and one.y < other.y + other.height
                    and other.y < one.y + one.height
                ):
                    self._advise(
                        f"widgets[{other.number}]",
                        f"Lies over widgets[{one.number}]; CloudWatch moves one of them.",
                    )


def _signal(
    spelled: Sequence[str],
    options: Mapping[str, Any],
    properties: Mapping[str, Any],
    number: int,
    row: int,
) -> Signal:
    period = options.get("period", properties.get("period", DEFAULT_PERIOD_S))
    return Signal(
        spelled[0],
        spelled[1],
        dimensions(dict(zip(spelled[2::2], spelled[3::2], strict=True))),
        str(options.get("stat", properties.get("stat", DEFAULT_STATISTIC))),
        period if isinstance(period, int) else DEFAULT_PERIOD_S,
        str(options.get("region", properties.get("region", ""))),
        number,
        row,
        options.get("visible", True) is not False,
        _text_or_none(options.get("id")),
    )


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
