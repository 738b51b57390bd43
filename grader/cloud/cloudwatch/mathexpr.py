"""Metric math: the expressions that CloudWatch computes over the metrics of one request.

``parse(text)`` gives an Expression or raises Refused; ``evaluate`` works on a Grid, the periods of
an evaluation range. What operators and functions do is in `mathfunctions`.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import choices
from grader.cloud.cloudwatch.mathfunctions import (
    FUNCTIONS,
    OPERATORS,
    Array,
    Grid,
    Keyword,
    Line,
    Value,
    combine,
    invalid,
    number_or_series,
)

__all__ = ["Array", "Expression", "Grid", "Keyword", "parse"]

LONGEST_EXPRESSION = 2048

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
        raise invalid("the expression is empty")
    if len(text) > LONGEST_EXPRESSION:
        raise invalid(f"the expression is longer than {LONGEST_EXPRESSION} characters")
    return Expression(text, _Parser(text).whole())


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
            raise invalid(f"unexpected {self._tokens[self._next][1]!r}")
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
            raise invalid(f"{wanted!r} expected before {self._peek() or 'the end'!r}")

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
                raise invalid("it is nested too deeply")
        node = chain.pop()
        while chain:
            node = Node("^", (chain.pop(), node))
        return node

    def _primary(self) -> Node:
        if self._next >= len(self._tokens):
            raise invalid("it ends too early")
        kind, text = self._tokens[self._next]
        self._next += 1
        if kind == "number":
            number = float(text)
            if math.isinf(number):
                raise invalid(f"{text} is too large")
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
        raise invalid(f"unexpected {text!r}")

    def _name(self, name: str) -> Node:
        if name[0].islower():
            return Node("id", word=name)
        if name in _REFUSED_FUNCTIONS:
            code = "ValidationError" if name == "SEARCH" else choices.NOT_EMULATED
            raise Refused(code, _REFUSED_FUNCTIONS[name], "Expression")
        if self._take("("):
            function = FUNCTIONS.get(name)
            if function is None and name != "PERIOD":
                raise invalid(f"{name} is no function of metric math")
            operands = self._list(")")
            fewest, most = (function.fewest, function.most) if function else (1, 1)
            if not fewest <= len(operands) <= most:
                raise invalid(f"{name} does not take {len(operands)} arguments")
            return Node("call", operands, word=name)
        if name in _KEYWORDS:
            return Node("keyword", word=name)
        raise invalid(f"{name} is no id: ids begin with a lowercase letter")

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
            raise invalid("it is nested too deeply")
        node = rule()
        self._depth -= 1
        return node


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    text = text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise invalid(f"unexpected {text[position:].strip()[:1]!r}")
        kind = found.lastgroup or ""
        yield kind, found[kind]
        position = found.end()


# --- evaluating ----------------------------------------------------------------------------------


def _evaluate(node: Node, grid: Grid) -> Value:
    # A chain such as 1+1+1… leans to the left and may be a thousand operators long: it is walked
    # down in a loop, not by recursion.
    pending: list[Node] = []
    while node.kind in OPERATORS:
        pending.append(node)
        node = node.operands[0]
    value: Value = _operand(node, grid)
    while pending:
        operator = pending.pop()
        right = number_or_series(_evaluate(operator.operands[1], grid))
        value = combine(operator.kind, number_or_series(value), right)
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
        return combine("*", -1.0, number_or_series(_evaluate(node.operands[0], grid)))
    if node.kind == "array":
        lines: list[Line] = []
        for operand in node.operands:
            value = _evaluate(operand, grid)
            if isinstance(value, Array):
                lines += value
            elif isinstance(value, list):
                lines.append(value)
            else:
                raise invalid("an array holds time series only")
        return Array(lines)
    if node.word == "PERIOD":
        # "Valid input is metrics, not the results of other expressions."
        (operand,) = node.operands
        if operand.kind != "id" or operand.word not in grid.lines:
            raise invalid("PERIOD takes the id of a metric")
        return float(grid.period_s)
    return FUNCTIONS[node.word].run(
        grid, node.word, [_evaluate(operand, grid) for operand in node.operands]
    )
