"""Metric math: the expressions that CloudWatch computes over the metrics of one request.

``parse(text)`` gives an Expression or raises Refused; ``evaluate`` works on a Grid, the periods of
an evaluation range. A value is a number (or None: no number), a Line (one entry a period, None
where nothing was reported) or an Array of Lines.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import choices

LONGEST_EXPRESSION = 2048

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

_KEYWORDS = frozenset(["REPEAT", "LINEAR", "AVG", "MIN", "MAX", "SUM", "ASC", "DESC"])

_REFUSED_FUNCTIONS = {
    "ANOMALY_DETECTION_BAND": "anomaly detection is not emulated",
    "SEARCH": "SEARCH is not supported on Metric Alarms.",
    "SELECT": "Metrics Insights queries are not emulated",
    "INSIGHT_RULE_METRIC": "Contributor Insights rules are not emulated",
    "SERVICE_QUOTA": "service quotas are not emulated",
    "DB_PERF_INSIGHTS": "Performance Insights counters are not emulated",
    "LAMBDA": "Lambda data sources are not emulated",
    "REMOVE_EMPTY": "REMOVE_EMPTY is not emulated",
}


@dataclass(frozen=True, slots=True)
class Node:
    """One step of an expression: what it does, its operands, and the word or number it carries."""

    kind: str
    operands: tuple[Node, ...] = ()
    word: str = ""
    number: float = 0.0


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
    expressions: Mapping[str, Expression] = field(default_factory=dict)
    looked_around: bool = False
    under_way: list[str] = field(default_factory=list)
    known: dict[str, Value] = field(default_factory=dict)

    def value(self, name: str) -> Value:
        """The metric or expression with that id."""
        if name in self.lines:
            return self.lines[name]
        if name not in self.expressions:
            raise _invalid(f"the expression names {name}, which is no id of this request")
        if name in self.under_way:
            raise _invalid(f"the expression {name} depends on itself")
        if name not in self.known:
            self.under_way.append(name)
            self.known[name] = self.expressions[name].evaluate(self)
            self.under_way.pop()
        return self.known[name]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression."""

    text: str
    node: Node

    def evaluate(self, grid: Grid) -> Value:
        """The expression's value. Refused when its functions do not fit its operands."""
        return _evaluate(self.node, grid)


def parse(text: str) -> Expression:
    """Parse one expression. Refused (ValidationError) says what is wrong with it."""
    if not text.strip():
        raise _invalid("the expression is empty")
    if len(text) > LONGEST_EXPRESSION:
        raise _invalid(f"the expression is longer than {LONGEST_EXPRESSION} characters")
    return Expression(text, _Parser(text).whole())


def _invalid(message: str) -> Refused:
    return Refused("ValidationError", f"Error in expression: {message}", "Expression")


# --- parsing -------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<string>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]]))"
)
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")


class _Parser:
    """Recursive descent; every nesting is counted, so that no text can exhaust the stack."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = list(_tokens(text))
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._or()
        if self._next < len(self._tokens):
            raise _invalid(f"unexpected {self._tokens[self._next][1]!r}")
        return node

    def _peek(self) -> str:
        return self._tokens[self._next][1] if self._next < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str | None:
        if self._next < len(self._tokens):
            kind, text = self._tokens[self._next]
            if kind in ("sign", "name") and text in wanted:
                self._next += 1
                return text
        return None

    def _need(self, wanted: str) -> None:
        if self._take(wanted) is None:
            raise _invalid(f"{wanted!r} expected before {self._peek() or 'the end'!r}")

    def _or(self) -> Node:
        left = self._and()
        while self._take("OR", "||"):
            left = Node("OR", (left, self._and()))
        return left

    def _and(self) -> Node:
        left = self._comparison()
        while self._take("AND", "&&"):
            left = Node("AND", (left, self._comparison()))
        return left

    def _comparison(self) -> Node:
        left = self._sum()
        while sign := self._take(*_COMPARISONS):
            left = Node(sign, (left, self._sum()))
        return left

    def _sum(self) -> Node:
        left = self._product()
        while sign := self._take("+", "-"):
            left = Node(sign, (left, self._product()))
        return left

    def _product(self) -> Node:
        left = self._signed()
        while sign := self._take("*", "/"):
            left = Node(sign, (left, self._signed()))
        return left

    def _signed(self) -> Node:
        negative = False
        while sign := self._take("-", "+"):
            negative ^= sign == "-"
        node = self._power()
        return Node("negative", (node,)) if negative else node

    def _power(self) -> Node:
        # a^b^c is a^(b^c); an exponent may carry a sign of its own.
        chain = [self._primary()]
        while self._take("^"):
            negative = self._take("-") is not None
            exponent = self._primary()
            chain.append(Node("negative", (exponent,)) if negative else exponent)
            if len(chain) > choices.DEEPEST_NESTING:
                raise _invalid("it is nested too deeply")
        node = chain.pop()
        while chain:
            node = Node("^", (chain.pop(), node))
        return node

    def _primary(self) -> Node:
        if self._next >= len(self._tokens):
            raise _invalid("it ends too early")
        kind, text = self._tokens[self._next]
        self._next += 1
        if kind == "number":
            number = float(text)
            if math.isinf(number):
                raise _invalid(f"{text} is too large")
            return Node("number", number=number)
        if kind == "string":
            return Node("string", word=text[1:-1])
        if kind == "name":
            return self._name(text)
        if text == "(":
            node = self._nested(self._or)
            self._need(")")
            return node
        if text == "[":
            return Node("array", self._list("]"))
        raise _invalid(f"unexpected {text!r}")

    def _name(self, name: str) -> Node:
        if name[0].islower():
            return Node("id", word=name)
        if name in _REFUSED_FUNCTIONS:
            code = "ValidationError" if name == "SEARCH" else choices.NOT_EMULATED
            raise Refused(code, _REFUSED_FUNCTIONS[name], "Expression")
        if self._take("("):
            function = _FUNCTIONS.get(name)
            if function is None:
                raise _invalid(f"{name} is no function of metric math")
            operands = self._list(")")
            if not function.fewest <= len(operands) <= function.most:
                raise _invalid(f"{name} does not take {len(operands)} arguments")
            return Node("call", operands, word=name)
        if name in _KEYWORDS:
            return Node("keyword", word=name)
        raise _invalid(f"{name} is no id: ids begin with a lowercase letter")

    def _list(self, closing: str) -> tuple[Node, ...]:
        if self._take(closing):
            return ()
        items = [self._nested(self._or)]
        while self._take(","):
            items.append(self._nested(self._or))
        self._need(closing)
        return tuple(items)

    def _nested(self, rule: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > choices.DEEPEST_NESTING:
            raise _invalid("it is nested too deeply")
        node = rule()
        self._depth -= 1
        return node


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise _invalid(f"unexpected {text[position:].strip()[:1]!r}")
        kind = found.lastgroup or ""
        yield kind, found[kind]
        position = found.end()


# --- evaluating ----------------------------------------------------------------------------------


def _evaluate(node: Node, grid: Grid) -> Value:
    # A chain such as 1+1+1… leans to the left and may be a thousand operators long: it is walked
    # down in a loop, not by recursion.
    pending: list[Node] = []
    while node.kind in _OPERATORS:
        pending.append(node)
        node = node.operands[0]
    value: Value = _operand(node, grid)
    while pending:
        operator = pending.pop()
        right = _number_or_series(_evaluate(operator.operands[1], grid))
        value = _combine(operator.kind, _number_or_series(value), right)
    return value


def _operand(node: Node, grid: Grid) -> Value:
    if node.kind == "number":
        return node.number
    if node.kind == "id":
        return grid.value(node.word)
    if node.kind == "string":
        return node.word
    if node.kind == "keyword":
        return Keyword(node.word)
    if node.kind == "negative":
        return _combine("*", -1.0, _number_or_series(_evaluate(node.operands[0], grid)))
    if node.kind == "array":
        lines: list[Line] = []
        for operand in node.operands:
            value = _evaluate(operand, grid)
            if isinstance(value, Array):
                lines += value
            elif isinstance(value, list):
                lines.append(value)
            else:
                raise _invalid("an array holds time series only")
        return Array(lines)
    return _FUNCTIONS[node.word].run(grid, node)


def _number_or_series(value: Value) -> Operand:
    if isinstance(value, (str, Keyword)):
        word = value if isinstance(value, str) else value.word
        raise _invalid(f"{word!r} is neither a number nor a time series")
    return value


def _power(base: float, exponent: float) -> float | None:
    result = base**exponent
    return result if isinstance(result, float) else None


_OPERATORS: dict[str, Callable[[float, float], float | None]] = {
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


def _combine(sign: str, left: Operand, right: Operand) -> Operand:
    if isinstance(left, Array) or isinstance(right, Array):
        return _combine_arrays(sign, left, right)
    work = _OPERATORS[sign]
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
            raise _invalid(f"{sign} joins arrays of {len(left)} and {len(right)} time series")
        pairs: list[tuple[Operand, Operand]] = list(zip(left, right, strict=True))
    elif isinstance(left, Array):
        assert not isinstance(right, Array)
        pairs = [(line, right) for line in left]
    else:
        assert isinstance(right, Array)
        pairs = [(left, line) for line in right]
    lines = []
    for a, b in pairs:
        line = _combine(sign, a, b)
        assert isinstance(line, list)
        lines.append(line)
    return Array(lines)


# --- functions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Function:
    run: Callable[[Grid, Node], Value]
    fewest: int = 1
    most: int = 1


def _arguments(grid: Grid, node: Node) -> list[Value]:
    return [_evaluate(operand, grid) for operand in node.operands]


def _series_argument(grid: Grid, node: Node) -> Line | Array:
    value = _evaluate(node.operands[0], grid)
    if not isinstance(value, (list, Array)):
        raise _invalid(f"{node.word} takes a time series or an array of them")
    return value


def _array_argument(grid: Grid, node: Node) -> Array:
    value = _evaluate(node.operands[0], grid)
    if not isinstance(value, Array):
        raise _invalid(f"{node.word} takes an array of time series")
    return value


def _each_point(work: Callable[[float], float]) -> _Function:
    def run(grid: Grid, node: Node) -> Value:
        def line(points: Line) -> Line:
            return [None if point is None else _apply(work, point) for point in points]

        value = _series_argument(grid, node)
        return Array([line(one) for one in value]) if isinstance(value, Array) else line(value)

    return _Function(run)


def _each_line(work: Callable[[Grid, Line], Line]) -> _Function:
    def run(grid: Grid, node: Node) -> Value:
        grid.looked_around = True
        value = _series_argument(grid, node)
        if isinstance(value, Array):
            return Array([work(grid, one) for one in value])
        return work(grid, value)

    return _Function(run)


def _summary(
    work: Callable[[list[float]], float],
    *,
    missing_is_zero: bool = False,
    empty: float | None = None,
) -> _Function:
    """A function that makes one number of a time series, and one time series of an array."""

    def over(points: list[float], size: int) -> float | None:
        if not points:
            return empty
        return _apply(work, points + [0.0] * (size - len(points)))  # type: ignore[arg-type]

    def run(grid: Grid, node: Node) -> Value:
        value = _series_argument(grid, node)
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

    return _Function(run)


def _columns(grid: Grid, array: Array) -> list[tuple[float | None, ...]]:
    """The points of all series, period by period."""
    return list(zip(*array, strict=True)) if array else [()] * len(grid.starts_ms)


def _deviation(points: list[float]) -> float:
    mean = math.fsum(points) / len(points)
    return math.sqrt(math.fsum((point - mean) ** 2 for point in points) / len(points))


def _difference(points: Callable[[float, float, float], float | None]) -> _Function:
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


def _count(grid: Grid, node: Node) -> Value:
    value = _series_argument(grid, node)
    if isinstance(value, Array):
        return [float(sum(point is not None for point in each)) for each in _columns(grid, value)]
    grid.looked_around = True
    return float(sum(point is not None for point in value))


def _metrics(grid: Grid, node: Node) -> Value:
    wanted = _arguments(grid, node)
    if wanted and not isinstance(wanted[0], str):
        raise _invalid("METRICS takes a text")
    text = str(wanted[0]) if wanted else ""
    return Array([line for name, line in grid.lines.items() if text in name])


def _period(grid: Grid, node: Node) -> Value:
    # "Valid input is metrics, not the results of other expressions."
    operand = node.operands[0]
    if operand.kind != "id" or operand.word not in grid.lines:
        raise _invalid("PERIOD takes the id of a metric")
    return float(grid.period_s)


def _time_series(grid: Grid, node: Node) -> Value:
    value = _evaluate(node.operands[0], grid)
    if value is not None and not isinstance(value, float):
        raise _invalid("TIME_SERIES takes a number")
    return [value] * len(grid.starts_ms)


def _fill(grid: Grid, node: Node) -> Value:
    value, filler = _series_argument(grid, node), _evaluate(node.operands[1], grid)
    if isinstance(filler, Keyword) and filler.word in ("REPEAT", "LINEAR"):
        grid.looked_around = True
        work = _fill_repeat if filler.word == "REPEAT" else _fill_linear
        return Array([work(one) for one in value]) if isinstance(value, Array) else work(value)
    if isinstance(filler, (str, Keyword, Array)):
        raise _invalid("FILL fills with a number, a time series, REPEAT or LINEAR")
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


def _if(grid: Grid, node: Node) -> Value:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html#using-IF-expressions
    condition, yes, *rest = _arguments(grid, node)
    no = rest[0] if rest else None
    for value in (condition, yes, no):
        if isinstance(value, (str, Keyword, Array)):
            raise _invalid("IF takes numbers and single time series")
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


def _sort(grid: Grid, node: Node) -> Value:
    array, *words = _array_argument(grid, node), *_arguments(grid, node)[1:]
    by, order = words[0], words[1]
    if not isinstance(by, Keyword) or by.word not in ("AVG", "MIN", "MAX", "SUM"):
        raise _invalid("SORT sorts by AVG, MIN, MAX or SUM")
    if not isinstance(order, Keyword) or order.word not in ("ASC", "DESC"):
        raise _invalid("SORT sorts ASC or DESC")
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


def _slice(grid: Grid, node: Node) -> Value:
    array, *bounds = _array_argument(grid, node), *_arguments(grid, node)[1:]
    first = _whole(bounds[0], "SLICE")
    return Array(array[first : _whole(bounds[1], "SLICE") if len(bounds) == 2 else None])


def _whole(value: Value, function: str) -> int:
    if not isinstance(value, float) or value < 0 or value != int(value):
        raise _invalid(f"{function} takes whole numbers from 0")
    return int(value)


def _end_of(index: int) -> _Function:
    def run(grid: Grid, node: Node) -> Value:
        array = _array_argument(grid, node)
        if not array:
            raise _invalid(f"{node.word} of an empty array")
        return array[index]

    return _Function(run)


def _clock(part: Callable[[datetime], float]) -> _Function:
    def run(grid: Grid, node: Node) -> Value:
        if isinstance(_series_argument(grid, node), Array):
            raise _invalid(f"{node.word} takes one time series")
        return [
            float(part(datetime.fromtimestamp(start_ms / 1000, UTC))) for start_ms in grid.starts_ms
        ]

    return _Function(run)


_FUNCTIONS: dict[str, _Function] = {
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
    "DATAPOINT_COUNT": _Function(_count),
    "DIFF": _difference(lambda value, before, seconds: value - before),
    "DIFF_TIME": _difference(lambda value, before, seconds: seconds),
    "RATE": _difference(lambda value, before, seconds: (value - before) / seconds),
    "RUNNING_SUM": _each_line(_running_sum),
    "FILL": _Function(_fill, 2, 2),
    "IF": _Function(_if, 2, 3),
    "METRICS": _Function(_metrics, 0, 1),
    "METRIC_COUNT": _Function(lambda grid, node: float(len(_array_argument(grid, node)))),
    "PERIOD": _Function(_period),
    "TIME_SERIES": _Function(_time_series),
    "SORT": _Function(_sort, 3, 4),
    "SLICE": _Function(_slice, 2, 3),
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
