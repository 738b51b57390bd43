"""Metric math: values, the operators that join them, and the functions.

A value is a number (or None: no number), a Line (one entry a period, None where nothing was
reported) or an Array of Lines. Functions take values; who writes them is `mathexpr`'s affair.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Protocol

from grader.cloud.aws import Refused

Line = list[float | None]


class Array(tuple[Line, ...]):
    """Several time series, in the order of the request."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Keyword:
    """REPEAT, LINEAR, AVG, DESC…: a word that a function takes as it stands."""

    word: str


Operand = float | Line | Array | None
Value = Operand | Keyword | str


class Computed(Protocol):
    """An expression that computes itself on a grid."""

    def evaluate(self, grid: Grid) -> Value:
        """Its value there."""


@dataclass
class Grid:
    """The periods over which an expression is computed, oldest first.

    ``starts_ms`` are the times at which the periods begin; ``lines`` holds each metric by its id,
    in the order of the request; ``expressions`` what is computed, by id. ``looked_around`` becomes
    true when a value depended on another period than its own.
    """

    starts_ms: Sequence[int]
    period_s: int
    lines: Mapping[str, Line]
    expressions: Mapping[str, Computed] = field(default_factory=dict)
    looked_around: bool = False
    under_way: list[str] = field(default_factory=list)
    known: dict[str, Value] = field(default_factory=dict)

    def value(self, name: str) -> Value:
        """The metric or expression with that id."""
        if name in self.lines:
            return self.lines[name]
        if name not in self.expressions:
            raise invalid(f"the expression names {name}, which is no id of this request")
        if name in self.under_way:
            raise invalid(f"the expression {name} depends on itself")
        if name not in self.known:
            self.under_way.append(name)
            self.known[name] = self.expressions[name].evaluate(self)
            self.under_way.pop()
        return self.known[name]


def invalid(message: str) -> Refused:
    """What CloudWatch refuses about an expression."""
    return Refused("ValidationError", f"Error in expression: {message}", "Expression")


# --- operators ---------------------------------------------------------------------------------


def number_or_series(value: Value) -> Operand:
    """The value as an operand of an operator. Refused for texts and keywords."""
    if isinstance(value, (str, Keyword)):
        word = value if isinstance(value, str) else value.word
        raise invalid(f"{word!r} is neither a number nor a time series")
    return value


def _power(base: float, exponent: float) -> float | None:
    result = base**exponent
    return result if isinstance(result, float) else None


OPERATORS: dict[str, Callable[[float, float], float | None]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": _power,
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b),
    "<=": lambda a, b: float(a <= b),
    ">=": lambda a, b: float(a >= b),
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
    "AND": lambda a, b: float(a != 0 and b != 0),
    "OR": lambda a, b: float(a != 0 or b != 0),
}


def _apply(work: Callable[..., float | None], *operands: float) -> float | None:
    """The result, or None where it is not a finite number: such a data point is dropped."""
    # "If the value of a data point causes a function to attempt to divide by zero, the data point
    # is dropped." https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    try:
        result = work(*operands)
    except (ArithmeticError, ValueError):
        return None
    return result if result is not None and math.isfinite(result) else None


def combine(sign: str, left: Operand, right: Operand) -> Operand:
    """The value of ``left sign right``, period by period where there are any."""
    if isinstance(left, Array) or isinstance(right, Array):
        return _combine_arrays(sign, left, right)
    work = OPERATORS[sign]
    if isinstance(left, list) and isinstance(right, list):
        # A value that only one side has meets 0 on the other; where neither has one there is none.
        # "Missing values in a time series are treated as 0."
        return [
            None if a is None and b is None else _apply(work, a or 0.0, b or 0.0)
            for a, b in zip(left, right, strict=True)
        ]
    if isinstance(left, list):
        return [
            None if a is None or not isinstance(right, float) else _apply(work, a, right)
            for a in left
        ]
    if isinstance(right, list):
        return [None if b is None or left is None else _apply(work, left, b) for b in right]
    if left is None or not isinstance(right, float):
        return None
    return _apply(work, left, right)


def _combine_arrays(sign: str, left: Operand, right: Operand) -> Array:
    if isinstance(left, Array) and isinstance(right, Array):
        if len(left) != len(right):
            raise invalid(f"{sign} joins arrays of {len(left)} and {len(right)} time series")
        pairs: list[tuple[Operand, Operand]] = list(zip(left, right, strict=True))
    elif isinstance(left, Array):
        assert not isinstance(right, Array)
        pairs = [(line, right) for line in left]
    else:
        assert isinstance(right, Array)
        pairs = [(left, line) for line in right]
    lines = []
    for a, b in pairs:
        line = combine(sign, a, b)
        assert isinstance(line, list)
        lines.append(line)
    return Array(lines)


# --- functions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Function:
    """``run(grid, name, arguments)``; it takes from ``fewest`` to ``most`` arguments."""

    run: Callable[[Grid, str, list[Value]], Value]
    fewest: int = 1
    most: int = 1


def _series(name: str, given: list[Value]) -> Line | Array:
    if not isinstance(given[0], (list, Array)):
        raise invalid(f"{name} takes a time series or an array of them")
    return given[0]


def _array(name: str, given: list[Value]) -> Array:
    if not isinstance(given[0], Array):
        raise invalid(f"{name} takes an array of time series")
    return given[0]


def _each_point(work: Callable[[float], float]) -> Function:
    def run(grid: Grid, name: str, given: list[Value]) -> Value:
        def line(points: Line) -> Line:
            return [None if point is None else _apply(work, point) for point in points]

        value = _series(name, given)
        return Array([line(one) for one in value]) if isinstance(value, Array) else line(value)

    return Function(run)


def _each_line(work: Callable[[Grid, Line], Line]) -> Function:
    def run(grid: Grid, name: str, given: list[Value]) -> Value:
        grid.looked_around = True
        value = _series(name, given)
        if isinstance(value, Array):
            return Array([work(grid, one) for one in value])
        return work(grid, value)

    return Function(run)


def _summary(
    work: Callable[[list[float]], float],
    *,
    missing_is_zero: bool = False,
    empty: float | None = None,
) -> Function:
    """A function that makes one number of a time series, and one time series of an array."""

    def over(points: list[float], size: int) -> float | None:
        if not points:
            return empty
        return _apply(work, points + [0.0] * (size - len(points)))  # type: ignore[arg-type]

    def run(grid: Grid, name: str, given: list[Value]) -> Value:
        value = _series(name, given)
        if isinstance(value, list):
            grid.looked_around = True
            existing = [point for point in value if point is not None]
            return over(existing, len(existing))
        result: Line = []
        for column in _columns(grid, value):
            existing = [point for point in column if point is not None]
            size = len(column) if missing_is_zero else len(existing)
            result.append(over(existing, size) if existing else None)
        return result

    return Function(run)


def _columns(grid: Grid, array: Array) -> list[tuple[float | None, ...]]:
    """The points of all series, period by period."""
    return list(zip(*array, strict=True)) if array else [()] * len(grid.starts_ms)


def _deviation(points: list[float]) -> float:
    mean = math.fsum(points) / len(points)
    return math.sqrt(math.fsum((point - mean) ** 2 for point in points) / len(points))


def _difference(points: Callable[[float, float, float], float | None]) -> Function:
    """``points(value, previous value, seconds between them)`` for each point but the first."""

    def work(grid: Grid, line: Line) -> Line:
        result: Line = []
        previous: tuple[int, float] | None = None
        for start_ms, value in zip(grid.starts_ms, line, strict=True):
            if value is None:
                result.append(None)
                continue
            result.append(
                None
                if previous is None
                else _apply(points, value, previous[1], (start_ms - previous[0]) / 1000)
            )
            previous = (start_ms, value)
        return result

    return _each_line(work)


def _running_sum(grid: Grid, line: Line) -> Line:
    total = 0.0
    result: Line = []
    for value in line:
        total += value or 0.0
        result.append(None if value is None else total)
    return result


def _count(grid: Grid, name: str, given: list[Value]) -> Value:
    value = _series(name, given)
    if isinstance(value, Array):
        return [float(sum(point is not None for point in each)) for each in _columns(grid, value)]
    grid.looked_around = True
    return float(sum(point is not None for point in value))


def _metrics(grid: Grid, name: str, given: list[Value]) -> Value:
    if given and not isinstance(given[0], str):
        raise invalid("METRICS takes a text")
    text = str(given[0]) if given else ""
    return Array([line for metric, line in grid.lines.items() if text in metric])


def _time_series(grid: Grid, name: str, given: list[Value]) -> Value:
    (value,) = given
    if value is not None and not isinstance(value, float):
        raise invalid("TIME_SERIES takes a number")
    return [value] * len(grid.starts_ms)


def _fill(grid: Grid, name: str, given: list[Value]) -> Value:
    value, filler = _series(name, given), given[1]
    if isinstance(filler, Keyword) and filler.word in ("REPEAT", "LINEAR"):
        grid.looked_around = True
        work = _fill_repeat if filler.word == "REPEAT" else _fill_linear
        return Array([work(one) for one in value]) if isinstance(value, Array) else work(value)
    if isinstance(filler, (str, Keyword, Array)):
        raise invalid("FILL fills with a number, a time series, REPEAT or LINEAR")
    fillers: Line = filler if isinstance(filler, list) else [filler] * len(grid.starts_ms)

    def line(points: Line) -> Line:
        return [
            other if point is None else point for point, other in zip(points, fillers, strict=True)
        ]

    return Array([line(one) for one in value]) if isinstance(value, Array) else line(value)


def _fill_repeat(line: Line) -> Line:
    result: Line = []
    last: float | None = None
    for point in line:
        last = last if point is None else point
        result.append(last)
    return result


def _fill_linear(line: Line) -> Line:
    result = list(line)
    known = [index for index, point in enumerate(line) if point is not None]
    for before, after in pairwise(known):
        low, high = line[before], line[after]
        assert low is not None and high is not None
        for index in range(before + 1, after):
            result[index] = low + (high - low) * (index - before) / (after - before)
    return result


def _if(grid: Grid, name: str, given: list[Value]) -> Value:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html#using-IF-expressions
    condition, yes, *rest = given
    no = rest[0] if rest else None
    for value in (condition, yes, no):
        if isinstance(value, (str, Keyword, Array)):
            raise invalid("IF takes numbers and single time series")
    if not isinstance(condition, list):
        chosen = yes if condition else no
        lines = isinstance(yes, list) or isinstance(no, list)
        if lines and not isinstance(chosen, list):
            return [chosen] * len(grid.starts_ms)  # type: ignore[list-item]
        return chosen
    result: Line = []
    for index, point in enumerate(condition):
        if point is None:
            result.append(None)
        elif point != 0:
            # "Has the value of 0, if … TRUE and the data point does not exist in metric2."
            result.append((yes[index] or 0.0) if isinstance(yes, list) else yes)  # type: ignore[arg-type]
        elif isinstance(no, list):
            # The current guide's table gives 0 for IF(metric, metric, metric) where the third has
            # no point (in 2023 it was dropped), and still drops it for IF(metric, number, metric).
            missing = 0.0 if isinstance(yes, list) else None
            other = no[index]
            result.append(missing if other is None else other)
        else:
            result.append(no)  # type: ignore[arg-type]
    return result


def _sort(grid: Grid, name: str, given: list[Value]) -> Value:
    array, *words = _array(name, given), *given[1:]
    by, order = words[0], words[1]
    if not isinstance(by, Keyword) or by.word not in ("AVG", "MIN", "MAX", "SUM"):
        raise invalid("SORT sorts by AVG, MIN, MAX or SUM")
    if not isinstance(order, Keyword) or order.word not in ("ASC", "DESC"):
        raise invalid("SORT sorts ASC or DESC")
    grid.looked_around = True

    def weight(line: Line) -> float:
        points = [point for point in line if point is not None]
        if not points:
            return 0.0
        total = math.fsum(points)
        return {
            "AVG": total / len(points),
            "MIN": min(points),
            "MAX": max(points),
            "SUM": total,
        }[by.word]

    lines = sorted(array, key=weight, reverse=order.word == "DESC")
    if len(words) == 3:
        lines = lines[: _whole(words[2], "SORT")]
    return Array(lines)


def _slice(grid: Grid, name: str, given: list[Value]) -> Value:
    array, *bounds = _array(name, given), *given[1:]
    first = _whole(bounds[0], "SLICE")
    return Array(array[first : _whole(bounds[1], "SLICE") if len(bounds) == 2 else None])


def _whole(value: Value, function: str) -> int:
    if not isinstance(value, float) or value < 0 or value != int(value):
        raise invalid(f"{function} takes whole numbers from 0")
    return int(value)


def _end_of(index: int) -> Function:
    def run(grid: Grid, name: str, given: list[Value]) -> Value:
        array = _array(name, given)
        if not array:
            raise invalid(f"{name} of an empty array")
        return array[index]

    return Function(run)


def _clock(part: Callable[[datetime], float]) -> Function:
    def run(grid: Grid, name: str, given: list[Value]) -> Value:
        if isinstance(_series(name, given), Array):
            raise invalid(f"{name} takes one time series")
        return [
            float(part(datetime.fromtimestamp(start_ms / 1000, UTC))) for start_ms in grid.starts_ms
        ]

    return Function(run)


FUNCTIONS: dict[str, Function] = {
    "ABS": _each_point(abs),
    "CEIL": _each_point(math.ceil),
    "FLOOR": _each_point(math.floor),
    "LOG": _each_point(math.log),
    "LOG10": _each_point(math.log10),
    "SUM": _summary(math.fsum, empty=0.0),
    # "Missing values are treated as 0."
    "AVG": _summary(lambda points: math.fsum(points) / len(points), missing_is_zero=True),
    "MIN": _summary(min),
    "MAX": _summary(max),
    "STDDEV": _summary(_deviation),
    "DATAPOINT_COUNT": Function(_count),
    "DIFF": _difference(lambda value, before, seconds: value - before),
    "DIFF_TIME": _difference(lambda value, before, seconds: seconds),
    "RATE": _difference(lambda value, before, seconds: (value - before) / seconds),
    "RUNNING_SUM": _each_line(_running_sum),
    "FILL": Function(_fill, 2, 2),
    "IF": Function(_if, 2, 3),
    "METRICS": Function(_metrics, 0, 1),
    "METRIC_COUNT": Function(lambda grid, name, given: float(len(_array(name, given)))),
    "TIME_SERIES": Function(_time_series),
    "SORT": Function(_sort, 3, 4),
    "SLICE": Function(_slice, 2, 3),
    "FIRST": _end_of(0),
    "LAST": _end_of(-1),
    "MINUTE": _clock(lambda time: time.minute),
    "HOUR": _clock(lambda time: time.hour),
    "DAY": _clock(lambda time: time.isoweekday()),
    "DATE": _clock(lambda time: time.day),
    "MONTH": _clock(lambda time: time.month),
    "YEAR": _clock(lambda time: time.year),
    "EPOCH": _clock(lambda time: int(time.timestamp())),
}
