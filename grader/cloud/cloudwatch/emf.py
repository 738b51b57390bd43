"""Custom metrics as CloudWatch takes them: Embedded Metric Format in log lines, and PutMetricData.

``extract`` reads one line of a function's log and returns the points that CloudWatch Logs would
have extracted, with a reason for everything that looks like EMF and is not extracted.
``validate_put_metric_data`` takes the members of one PutMetricData call and returns its points, or
raises Refused. Both return Points; ``record`` writes them into Metrics.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
     https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html

What AWS leaves open, decided here: a broken member drops what it belongs to and nothing else (a
directive without Metrics drops the directive, a metric that is not in the body drops the metric, a
dimension that is not in the body drops its dimension set); a unit that CloudWatch does not know
drops the metric; a namespace that begins with AWS/ is refused in both formats; a statistic set is
stored as its lowest value, its highest value and the mean of the rest, so that SampleCount, Sum,
Minimum and Maximum are exact (CloudWatch offers no percentiles of it).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch.series import UNITS
from grader.cloud.metrics import Dimensions, Metrics, dimensions

MOST_METRICS = 100
MOST_DIMENSIONS = 30
MOST_VALUES = 100
LONGEST_NAME = 255
LONGEST_VALUE = 1024
LARGEST_EVENT = 1_048_576
LARGEST_REQUEST = 1_048_576
MOST_DATA = 1000
MOST_UNIQUE_VALUES = 150
OLDEST_MS = 14 * 86_400_000
NEWEST_MS = 2 * 3_600_000
LARGEST_NUMBER = 2.0**360


@dataclass(frozen=True, slots=True)
class Point:
    """``count`` observations of ``value``, as CloudWatch would store them.

    ``time_ms`` is the time stamp that was sent (milliseconds since the epoch);
    ``storage_resolution`` is 1 or 60 (seconds).
    """

    namespace: str
    name: str
    dimensions: Dimensions
    unit: str
    value: float
    time_ms: int
    count: float = 1.0
    storage_resolution: int = 60

    @property
    def stored_ms(self) -> int:
        """The time under which CloudWatch keeps the point: its minute, or its second."""
        return self.time_ms - self.time_ms % (self.storage_resolution * 1000)


@dataclass(frozen=True, slots=True)
class Extraction:
    """What one log line gave: points, and why other things in it gave none."""

    points: list[Point] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def record(points: Iterable[Point], metrics: Metrics, now_ms: int) -> None:
    """Write points that arrive now into the metrics, at the resolution of their storage."""
    for point in points:
        metrics.put(
            point.namespace,
            point.name,
            point.value,
            point.stored_ms,
            unit=point.unit,
            dims=point.dimensions,
            count=point.count,
            arrived_ms=now_ms,
        )


# --- Embedded Metric Format ----------------------------------------------------------------------

# What Lambda's Python runtime puts before a text line of the logging module: level, time, request
# id, each followed by a tab. A document behind this prefix is extracted.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Generation.html
_LAMBDA_PREFIX = re.compile(
    r"\[[A-Z]+\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,3}Z\t[0-9a-f-]{36}\t", re.IGNORECASE
)


# A document at the root, one quoted inside another, and a dict printed without json.dumps.
_SIGNS = ('"_aws"', '\\"_aws\\"', "'_aws'")


def extract(line: str, *, log_format: Literal["Text", "JSON"] = "Text", time_ms: int) -> Extraction:
    """The metrics that CloudWatch Logs extracts from one log line.

    ``time_ms`` is when the line arrived; ``log_format`` is the function's. A line without EMF gives
    an empty Extraction. Nothing is raised, whatever the line.
    """
    if not any(sign in line for sign in _SIGNS):
        return Extraction()
    if len(line.encode("utf-8", "replace")) > LARGEST_EVENT:
        return _nothing("the log event is larger than 1 MB")
    text = line.strip()
    prefix = _LAMBDA_PREFIX.match(text)
    if prefix and log_format == "Text":
        text = text[prefix.end() :]
    if not text.startswith("{"):
        return _nothing(
            "the document does not begin the log line: CloudWatch extracts it when it is printed "
            "alone or behind Lambda's own prefix (level, time, request id)"
        )
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return _nothing("the log line is not one valid JSON document")
    if not isinstance(document, dict) or "_aws" not in document:
        return _nothing(_where_it_is(document))
    return _document(document, time_ms)


def _nothing(reason: str) -> Extraction:
    return Extraction([], [f"No metric is extracted: {reason}."])


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def _where_it_is(document: object) -> str:
    if isinstance(document, dict) and "message" in document:
        return (
            "the document is nested in the member `message` of a JSON log record, and only "
            "`_aws` at the root counts. Print it instead of passing it to the logger"
        )
    return "`_aws` is not a member of the document's root"


def _document(document: Mapping[str, Any], now_ms: int) -> Extraction:
    metadata = document["_aws"]
    if not isinstance(metadata, dict):
        return _nothing("`_aws` is not an object")
    time = metadata.get("Timestamp")
    if isinstance(time, float) and math.isfinite(time):
        time = int(time)
    if not isinstance(time, int) or isinstance(time, bool):
        return _nothing("`_aws.Timestamp` must be a number of milliseconds")
    if complaint := _time_complaint(time, now_ms):
        return _nothing(f"`_aws.Timestamp` {complaint}")
    directives = metadata.get("CloudWatchMetrics")
    if not isinstance(directives, list):
        return _nothing("`_aws.CloudWatchMetrics` must be an array of directives")
    found = Extraction()
    if not directives:
        found.problems.append("No metric is extracted: `_aws.CloudWatchMetrics` is empty.")
    for number, directive in enumerate(directives):
        _directive(document, directive, f"CloudWatchMetrics[{number}]", time, found)
    return found


def _time_complaint(time_ms: int, now_ms: int) -> str | None:
    if now_ms - OLDEST_MS <= time_ms <= now_ms + NEWEST_MS:
        return None
    if now_ms - OLDEST_MS <= time_ms * 1000 <= now_ms + NEWEST_MS:
        return f"({time_ms}) looks like seconds; it must be milliseconds since 1970"
    if time_ms < now_ms:
        return "is more than two weeks old"
    return "is more than two hours in the future"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _directive(
    document: Mapping[str, Any], directive: object, where: str, time_ms: int, found: Extraction
) -> None:
    complaint = _directive_complaint(directive)
    if complaint:
        found.problems.append(f"{where} gives no metric: {complaint}.")
        return
    assert isinstance(directive, dict)
    sets: list[Dimensions] = []
    for number, keys in enumerate(directive["Dimensions"]):
        dims, complaint = _dimension_set(document, keys)
        if complaint:
            found.problems.append(f"{where}.Dimensions[{number}] is dropped: {complaint}.")
        else:
            sets.append(dims)
    for number, definition in enumerate(directive["Metrics"]):
        complaint = _metric_complaint(document, definition)
        if complaint:
            found.problems.append(f"{where}.Metrics[{number}] is dropped: {complaint}.")
            continue
        name = definition["Name"]
        value = document[name]
        for dims in sets:
            found.points.extend(
                Point(
                    directive["Namespace"],
                    name,
                    dims,
                    definition.get("Unit", "None"),
                    float(one),
                    time_ms,
                    storage_resolution=definition.get("StorageResolution", 60),
                )
                for one in (value if isinstance(value, list) else [value])
            )


def _directive_complaint(directive: object) -> str | None:
    if not isinstance(directive, dict):
        return "a directive must be an object"
    for member in ("Namespace", "Dimensions", "Metrics"):
        if member not in directive:
            return f"the member {member} is missing"
    if complaint := _namespace_complaint(directive["Namespace"]):
        return complaint
    if not isinstance(directive["Dimensions"], list) or not directive["Dimensions"]:
        return "Dimensions must be an array with at least one dimension set (it may be empty: [[]])"
    if not isinstance(directive["Metrics"], list):
        return "Metrics must be an array"
    if not directive["Metrics"]:
        return "Metrics is empty"
    if len(directive["Metrics"]) > MOST_METRICS:
        return (
            f"Metrics has {len(directive['Metrics'])} members, at most {MOST_METRICS} are allowed"
        )
    return None


def _namespace_complaint(namespace: object) -> str | None:
    if not isinstance(namespace, str) or not 1 <= len(namespace) <= LONGEST_NAME:
        return f"the namespace must be a text of 1 to {LONGEST_NAME} characters"
    if not namespace.isascii() or not namespace.isprintable() or not namespace.strip():
        return "the namespace must be printable ASCII"
    if namespace.startswith(":"):
        return "the namespace must not begin with a colon"
    if namespace.startswith("AWS/"):
        return "namespaces that begin with AWS/ belong to AWS"
    return None


def _dimension_set(document: Mapping[str, Any], keys: object) -> tuple[Dimensions, str | None]:
    if not isinstance(keys, list):
        return (), "a dimension set must be an array of names (Dimensions is an array of arrays)"
    if len(keys) > MOST_DIMENSIONS:
        return (), f"it has {len(keys)} dimensions, at most {MOST_DIMENSIONS} are allowed"
    found: dict[str, str] = {}
    for key in keys:
        if not isinstance(key, str):
            return (), "the name of a dimension must be a text"
        if key not in document:
            return (), f"the dimension {key!r} is not a member of the document's root"
        value = document[key]
        if not isinstance(value, str):
            return (), f"the value of the dimension {key!r} must be a text"
        if complaint := _dimension_complaint(key, value):
            return (), complaint
        found[key] = value
    return dimensions(found), None


def _dimension_complaint(name: object, value: object) -> str | None:
    for what, text, longest in (("name", name, LONGEST_NAME), ("value", value, LONGEST_VALUE)):
        if not isinstance(text, str) or not 1 <= len(text) <= longest or not text.strip():
            return f"a dimension's {what} must have 1 to {longest:,} characters"
        if not text.isascii() or not text.isprintable():
            return f"a dimension's {what} must be printable ASCII"
    if isinstance(name, str) and name.startswith(":"):
        return "a dimension's name must not begin with a colon"
    return None


def _metric_complaint(document: Mapping[str, Any], definition: object) -> str | None:
    if not isinstance(definition, dict):
        return "a metric must be an object with a Name"
    name = definition.get("Name")
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME:
        return f"its Name must be a text of 1 to {LONGEST_NAME} characters"
    if name not in document:
        return f"the directive names {name!r}, which is not a member of the document's root"
    value = document[name]
    values = value if isinstance(value, list) else [value]
    if len(values) > MOST_VALUES:
        return f"{name!r} has {len(values)} values, at most {MOST_VALUES} are allowed"
    if not values:
        return f"{name!r} has no value"
    for one in values:
        if not _is_number(one):
            return f"{name!r} must be a number or an array of numbers, not {_kind(one)}"
        if abs(one) > LARGEST_NUMBER:
            return f"{name!r} lies outside of -2^360 to 2^360"
    unit = definition.get("Unit", "None")
    if not isinstance(unit, str) or unit not in UNITS:
        return f"{unit!r} is no unit of CloudWatch"
    resolution = definition.get("StorageResolution", 60)
    if resolution not in (1, 60) or not _is_number(resolution):
        return "StorageResolution must be 1 or 60"
    return None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "a text", dict: "an object", list: "an array"}
    return names.get(type(value), "something else")


# --- PutMetricData -------------------------------------------------------------------------------


def validate_put_metric_data(
    params: Mapping[str, Any], *, now_ms: int, size_bytes: int | None = None
) -> list[Point]:
    """The points of one PutMetricData call, or Refused: one bad datum refuses the whole call.

    ``params`` are the API's members (Namespace, MetricData); a Timestamp may be a datetime, a
    number of seconds since the epoch or ISO 8601 text. ``now_ms`` is the time of the call,
    ``size_bytes`` the size of the request body before compression, if known.
    """
    if size_bytes is not None and size_bytes > LARGEST_REQUEST:
        raise Refused("RequestEntityTooLarge", "The request is larger than 1 MB.", "MetricData")
    for member in ("EntityMetricData", "StrictEntityValidation"):
        if member in params:
            raise Refused("NotEmulated", f"The lab does not emulate {member}.", member)
    if "Namespace" not in params:
        raise Refused("MissingParameter", "The parameter Namespace is required.", "Namespace")
    namespace = params["Namespace"]
    if complaint := _namespace_complaint(namespace):
        raise _bad(
            f"The value {namespace} for parameter Namespace is invalid: {complaint}.", "Namespace"
        )
    data = params.get("MetricData")
    if not isinstance(data, Sequence) or isinstance(data, str) or not data:
        raise Refused("MissingParameter", "The parameter MetricData is required.", "MetricData")
    if len(data) > MOST_DATA:
        raise _bad(
            f"The collection MetricData must not have a size greater than {MOST_DATA}.",
            "MetricData",
        )
    points: list[Point] = []
    for number, datum in enumerate(data, start=1):
        points += _datum(str(namespace), datum, f"MetricData.member.{number}", now_ms)
    return points


def _bad(message: str, parameter: str) -> Refused:
    return Refused("InvalidParameterValue", message, parameter)


def _datum(namespace: str, datum: object, where: str, now_ms: int) -> list[Point]:
    if not isinstance(datum, Mapping):
        raise _bad(f"The parameter {where} must be a structure.", where)
    name = datum.get("MetricName")
    if name is None:
        raise Refused("MissingParameter", f"The parameter {where}.MetricName is required.", where)
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME or not name.isascii():
        raise _bad(
            f"The parameter {where}.MetricName must be ASCII of 1 to {LONGEST_NAME} characters.",
            f"{where}.MetricName",
        )
    there = f"{where}.Dimensions"
    dims = read_dimensions(
        datum.get("Dimensions"), lambda fault: _bad(f"The parameter {there} {fault}.", there)
    )
    unit = datum.get("Unit", "None")
    if not isinstance(unit, str) or unit not in UNITS:
        raise _bad(f"The value {unit} for parameter {where}.Unit is invalid.", f"{where}.Unit")
    resolution = datum.get("StorageResolution", 60)
    if not _is_number(resolution) or resolution not in (1, 60):
        raise _bad(
            f"The parameter {where}.StorageResolution must be 1 or 60.",
            f"{where}.StorageResolution",
        )
    time_ms = _timestamp(datum.get("Timestamp"), f"{where}.Timestamp", now_ms)
    return [
        Point(namespace, name, dims, unit, value, time_ms, count, int(resolution))
        for value, count in _values(datum, where)
        if count > 0
    ]


def read_dimensions(given: object, refuse: Callable[[str], Refused]) -> Dimensions:
    """A list of {Name, Value}; ``refuse`` makes the refusal of what is wrong with it.

    AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
    """
    if given is None:
        return ()
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise refuse("must be a list")
    if len(given) > MOST_DIMENSIONS:
        raise refuse(f"must not have a size greater than {MOST_DIMENSIONS}")
    found: dict[str, str] = {}
    for item in given:
        if not isinstance(item, Mapping) or set(item) != {"Name", "Value"}:
            raise refuse("is invalid: a dimension has exactly a Name and a Value")
        name, value = item["Name"], item["Value"]
        if complaint := _dimension_complaint(name, value):
            raise refuse(f"is invalid: {complaint}")
        if name in found:
            raise refuse(f"names {name} twice")
        found[name] = value
    return dimensions(found)


def _timestamp(given: object, where: str, now_ms: int) -> int:
    if given is None:
        return now_ms
    try:
        if isinstance(given, str):
            given = datetime.fromisoformat(given)
        if isinstance(given, datetime):
            aware = given if given.tzinfo else given.replace(tzinfo=UTC)
            time_ms = int(aware.timestamp() * 1000)
        elif _is_number(given):
            time_ms = int(float(given) * 1000)  # type: ignore[arg-type]
        else:
            raise ValueError("no time")
    except (ValueError, OverflowError):
        raise _bad(f"The parameter {where} must be a timestamp.", where) from None
    if not now_ms - OLDEST_MS <= time_ms <= now_ms + NEWEST_MS:
        raise _bad(
            f"The parameter {where} must specify a time no more than two weeks in the past and no "
            "more than two hours in the future.",
            where,
        )
    return time_ms


def _values(datum: Mapping[str, Any], where: str) -> list[tuple[float, float]]:
    given = [member for member in ("Value", "Values", "StatisticValues") if member in datum]
    if len(given) > 1:
        raise Refused(
            "InvalidParameterCombination",
            f"The parameters {where}.{given[0]} and {where}.{given[1]} are mutually exclusive and "
            "you have specified both.",
            where,
        )
    if not given:
        raise Refused(
            "MissingParameter",
            f"At least one of the parameters {where}.Value, Values or StatisticValues must be "
            "specified.",
            where,
        )
    if "Counts" in datum and given != ["Values"]:
        raise Refused(
            "InvalidParameterCombination",
            f"The parameter {where}.Counts is only valid together with {where}.Values.",
            where,
        )
    if given == ["Value"]:
        return [(_finite(datum["Value"], f"{where}.Value"), 1.0)]
    if given == ["StatisticValues"]:
        return _statistic_set(datum["StatisticValues"], f"{where}.StatisticValues")
    values = datum["Values"]
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise _bad(f"The parameter {where}.Values must be a list of numbers.", where)
    if len(values) > MOST_UNIQUE_VALUES:
        raise _bad(
            f"The collection {where}.Values must not have a size greater than "
            f"{MOST_UNIQUE_VALUES}.",
            where,
        )
    counts = datum.get("Counts", [1.0] * len(values))
    if not isinstance(counts, Sequence) or isinstance(counts, str) or len(counts) != len(values):
        raise _bad(
            f"The parameters {where}.Values and {where}.Counts must be of the same size.", where
        )
    pairs = [
        (_finite(value, f"{where}.Values"), _finite(count, f"{where}.Counts"))
        for value, count in zip(values, counts, strict=True)
    ]
    if any(count < 0 for _, count in pairs):
        raise _bad(f"The parameter {where}.Counts must not be negative.", where)
    return pairs


def _finite(value: object, where: str) -> float:
    if not _is_number(value):
        raise _bad(f"The value {value} for parameter {where} is not a number.", where)
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or abs(number) > LARGEST_NUMBER:
        raise _bad(f"The value {value} for parameter {where} is invalid.", where)
    return number


def _statistic_set(given: object, where: str) -> list[tuple[float, float]]:
    if not isinstance(given, Mapping):
        raise _bad(f"The parameter {where} must be a structure.", where)
    members: dict[str, float] = {}
    for member in ("SampleCount", "Sum", "Minimum", "Maximum"):
        if member not in given:
            raise Refused("MissingParameter", f"The parameter {where}.{member} is required.", where)
        members[member] = _finite(given[member], f"{where}.{member}")
    count, total = members["SampleCount"], members["Sum"]
    low, high = members["Minimum"], members["Maximum"]
    if count <= 0 or low > high:
        raise _bad(f"The parameter {where} is not a set of samples.", where)
    if low == high and math.isclose(total, low * count, rel_tol=1e-9, abs_tol=1e-9):
        return [(low, count)]
    rest = count - 2
    if rest < 0 or (rest == 0 and not math.isclose(total, low + high, rel_tol=1e-9, abs_tol=1e-9)):
        raise _bad(f"The Sum of {where} does not fit its Minimum and Maximum.", where)
    if rest == 0:
        return [(low, 1.0), (high, 1.0)]
    mean = (total - low - high) / rest
    if not low - 1e-9 * abs(low) <= mean <= high + 1e-9 * abs(high):
        raise _bad(f"The Sum of {where} does not fit its Minimum and Maximum.", where)
    return [(low, 1.0), (mean, rest), (high, 1.0)]
