"""Queries in a dashboard's rows: the metrics that SEARCH and Metrics Insights (SELECT) find.

``selections`` reads them out of a row's expression. What AWS leaves open, decided here: an unquoted
search term finds every value that contains it, in any case (AWS compares tokens).

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html
     https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from grader.cloud.metrics import Dimensions

# Whether a metric (its properties: MetricName, Namespace and dimensions by name) is meant.
Condition = Callable[[dict[str, str]], bool]


@dataclass(frozen=True, slots=True)
class Selection:
    """What one query asks for; ``schema`` is the namespace and the exact names of dimensions."""

    text: str
    stat: str
    schema: tuple[str, ...]
    wanted: Condition

    def finds(self, namespace: str, name: str, dims: Dimensions) -> bool:
        """Whether this metric is one that the query finds."""
        names = sorted(key for key, _ in dims)
        if self.schema and (namespace != self.schema[0] or names != sorted(self.schema[1:])):
            return False
        return self.wanted({**dict(dims), "Namespace": namespace, "MetricName": name})


def selections(expression: str) -> Iterator[Selection]:
    """Every query in an expression; what does not read as one gives none."""
    for found in _SEARCH.finditer(expression):
        yield _search(found[0], found["terms"], found["stat"])
    if query := _SELECT.match(expression):
        yield _select(expression.strip(), query)


def _names(text: str) -> tuple[str, ...]:
    """``AWS/Lambda, FunctionName``, each perhaps in quotes."""
    return tuple(part.strip().strip("\"'") for part in text.split(",") if part.strip())


# -- SEARCH('{Namespace,Dimension} Property="value" word', 'Statistic', period) --------------------

_SEARCH = re.compile(
    r"""\bSEARCH\(\s*(['"])(?P<terms>.*?)\1\s*,\s*(['"])(?P<stat>[^'"]+)\3\s*(?:,[^)]*)?\)""",
    re.DOTALL,
)
_SCHEMA = re.compile(r"\s*\{([^}]*)\}")
_TERM = re.compile(r'\s*(?:([()])|(AND|OR|NOT)\b|([\w:.-]+)\s*=|"([^"]*)"|([^\s()"]+))')


def _search(text: str, terms: str, stat: str) -> Selection:
    schema = _SCHEMA.match(terms)
    rest = terms[schema.end() :] if schema else terms
    wanted = _Terms([found.groups() for found in _TERM.finditer(rest)]).either("")
    return Selection(text, stat, _names(schema[1]) if schema else (), wanted)


class _Terms:
    """Recursive descent over search terms: OR, AND (also unwritten), NOT, parentheses."""

    def __init__(self, tokens: Sequence[tuple[str | None, ...]]) -> None:
        self._tokens = list(tokens)

    def either(self, of: str) -> Condition:
        """Terms joined by OR; ``of`` is the property that they are about, if one was named."""
        parts = [self._all(of)]
        while self._tokens and self._tokens[0][1] == "OR":
            self._tokens.pop(0)
            parts.append(self._all(of))
        return lambda metric: any(part(metric) for part in parts)

    def _all(self, of: str) -> Condition:
        parts: list[Condition] = []
        while self._tokens and self._tokens[0][1] != "OR" and self._tokens[0][0] != ")":
            if self._tokens[0][1] == "AND":
                self._tokens.pop(0)
            elif self._tokens[0][1] == "NOT":
                self._tokens.pop(0)
                parts.append(_negated(self._one(of)))
            else:
                parts.append(self._one(of))
        return lambda metric: all(part(metric) for part in parts)

    def _one(self, of: str) -> Condition:
        sign, _, named, quoted, word = self._tokens.pop(0) if self._tokens else (None,) * 5
        if sign == "(":
            inner = self.either(of)
            if self._tokens:
                self._tokens.pop(0)
            return inner
        if named is not None:
            return self._one(named)
        text = quoted if quoted is not None else word or ""
        return _term(of, text, exact=quoted is not None)


def _negated(condition: Condition) -> Condition:
    return lambda metric: not condition(metric)


def _term(of: str, text: str, *, exact: bool) -> Condition:
    def holds(metric: dict[str, str]) -> bool:
        values = [metric.get(of, "")] if of else [*metric, *metric.values()]
        if exact:
            return text in values
        return any(text.lower() in value.lower() for value in values)

    return holds


# -- SELECT MAX(Metric) FROM SCHEMA("Namespace", Dimension) WHERE Dimension = 'value' --------------

_SELECT = re.compile(
    r"""\s*SELECT\s+(?P<stat>AVG|COUNT|MAX|MIN|SUM)\s*\(\s*(?P<name>"[^"]+"|\w+)\s*\)
    \s+FROM\s+(?P<source>SCHEMA\s*\([^)]*\)|"[^"]+"|[\w/]+)
    (?:\s+WHERE\s+(?P<where>.*?))?(?:\s+(?:GROUP|ORDER|LIMIT)\b.*)?\s*$""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_COMPARED = re.compile(r"""("[^"]+"|\w+)\s*(!?=)\s*'([^']*)'""")
_STATISTICS = {
    "AVG": "Average",
    "COUNT": "SampleCount",
    "MAX": "Maximum",
    "MIN": "Minimum",
    "SUM": "Sum",
}


def _select(text: str, found: re.Match[str]) -> Selection:
    source = found["source"]
    of_schema = source[:6].upper() == "SCHEMA"
    names = _names(source[source.index("(") + 1 : -1] if of_schema else source)
    compared = [
        (key.strip('"'), sign == "=", value)
        for key, sign, value in _COMPARED.findall(found["where"] or "")
    ]

    def wanted(metric: dict[str, str]) -> bool:
        return (
            metric["MetricName"] == found["name"].strip('"')
            and metric["Namespace"] == names[0]
            and all((metric.get(key) == value) == same for key, same, value in compared)
        )

    return Selection(text, _STATISTICS[found["stat"].upper()], names if of_schema else (), wanted)
