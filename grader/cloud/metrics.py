"""Metric data points as CloudWatch would have received them.

The emulator, the account's door and the log reader all write here; alarms, dashboards and criteria
read. Units and dimensions are kept apart, because CloudWatch never converts or merges them. A datum
is stamped with the moment it is about and arrives later: an alarm sees what has arrived.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

Dimensions = tuple[tuple[str, str], ...]

MINUTE_MS = 60_000
# AWS services send their metrics once a minute, so that a minute's data comes when it is over;
# PutMetricData and Embedded Metric Format arrive when they are sent.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
ONE_MINUTE_NAMESPACES = ("AWS/",)


def dimensions(values: Mapping[str, str] | None = None, /, **more: str) -> Dimensions:
    """Dimensions in the one order in which they are compared: by name."""
    return tuple(sorted({**(values or {}), **more}.items()))


class SeriesKey(NamedTuple):
    """What makes a metric a metric of its own: namespace, name, dimensions and unit."""

    namespace: str
    name: str
    dimensions: Dimensions
    unit: str


@dataclass(frozen=True, slots=True)
class Datum:
    """``count`` observations of ``value`` at ``time_ms`` (milliseconds since the epoch).

    ``arrived_ms`` is when CloudWatch had it; 0 for data that was always there.
    """

    time_ms: int
    value: float
    count: float = 1.0
    arrived_ms: int = field(default=0, compare=False)


def arrival_ms(namespace: str, time_ms: int) -> int:
    """When data of this stamp arrives that is sent as soon as it can be (milliseconds)."""
    if namespace.startswith(ONE_MINUTE_NAMESPACES):
        return time_ms - time_ms % MINUTE_MS + MINUTE_MS
    return time_ms


class Metrics:
    """All series of one account, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._series: dict[SeriesKey, list[Datum]] = {}

    def put(
        self,
        namespace: str,
        name: str,
        value: float,
        time_ms: int,
        *,
        unit: str = "None",
        dims: Dimensions = (),
        count: float = 1.0,
        arrived_ms: int | None = None,
    ) -> None:
        """Record one data point. ``unit`` is CloudWatch's name for it, or "None".

        ``arrived_ms`` None: as soon as it can be, see `arrival_ms`.
        """
        arrived = arrival_ms(namespace, time_ms) if arrived_ms is None else arrived_ms
        series = self._series.setdefault(SeriesKey(namespace, name, dims, unit), [])
        series.append(Datum(time_ms, value, count, arrived))

    def add(
        self,
        namespace: str,
        name: str,
        value: float,
        time_ms: int,
        *,
        unit: str,
        dims: Dimensions,
        count: float = 1.0,
        arrived_ms: int | None = None,
    ) -> None:
        """As `put`, for what comes often: one data point holds what is alike in a minute."""
        arrived = arrival_ms(namespace, time_ms) if arrived_ms is None else arrived_ms
        minute = time_ms - time_ms % MINUTE_MS
        series = self._series.setdefault(SeriesKey(namespace, name, dims, unit), [])
        for place in range(len(series) - 1, -1, -1):
            known = series[place]
            if known.time_ms != minute or known.arrived_ms != arrived:
                break
            if known.value == value:
                series[place] = replace(known, count=known.count + count)
                return
        series.append(Datum(minute, value, count, arrived))

    def put_all(
        self,
        namespace: str,
        name: str,
        values: Mapping[float, float],
        time_ms: int,
        *,
        unit: str = "None",
        dims: Dimensions = (),
        arrived_ms: int | None = None,
    ) -> None:
        """Record several values of one moment; ``values`` says how often each was observed."""
        if not values:
            return
        arrived = arrival_ms(namespace, time_ms) if arrived_ms is None else arrived_ms
        series = self._series.setdefault(SeriesKey(namespace, name, dims, unit), [])
        series += [Datum(time_ms, value, count, arrived) for value, count in values.items()]

    def __iter__(self) -> Iterator[SeriesKey]:
        return iter(self._series)

    def data(self, key: SeriesKey) -> list[Datum]:
        """The data points of one series, in the order of their arrival."""
        return self._series.get(key, [])

    def find(
        self, namespace: str, name: str, dims: Dimensions | None = None, unit: str | None = None
    ) -> list[Datum]:
        """Data points of every series that matches; None matches anything."""
        found: list[Datum] = []
        for key, data in self._series.items():
            if (
                key.namespace == namespace
                and key.name == name
                and (dims is None or key.dimensions == dims)
                and (unit is None or key.unit == unit)
            ):
                found += data
        return sorted(found, key=lambda datum: datum.time_ms)

    def total(self, namespace: str, name: str, dims: Dimensions | None = None) -> float:
        """Sum over all matching data points."""
        return sum(datum.value * datum.count for datum in self.find(namespace, name, dims))
