"""From recorded samples to an alarm's data points: statistics, periods, units, dimensions.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from dataclasses import dataclass
from itertools import chain

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import choices
from grader.cloud.metrics import ONE_MINUTE_NAMESPACES, Dimensions, Metrics

Samples = list[tuple[float, float]]  # (value, how often)
Late = tuple[int, int, tuple[float, float]]  # (arrival in ms, start of its bucket, sample)

_UNITS = (
    "Seconds Microseconds Milliseconds Percent Count Count/Second None "
    "Bytes Kilobytes Megabytes Gigabytes Terabytes Bits Kilobits Megabits Gigabits Terabits "
    "Bytes/Second Kilobytes/Second Megabytes/Second Gigabytes/Second Terabytes/Second "
    "Bits/Second Kilobits/Second Megabits/Second Gigabits/Second Terabits/Second"
)
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
UNITS = frozenset(_UNITS.split())
"""CloudWatch's units."""

SIMPLE = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")

_PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d{1,10})?)")
_SINGLE = re.compile(r"(tm|tc|ts|wm)(\d{1,3}(?:\.\d{1,10})?)")
_RANGE = re.compile(
    r"(TM|TC|TS|WM|PR)\((-?\d+(?:\.\d{1,10})?%?)?:(-?\d+(?:\.\d{1,10})?%?)?\)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic. ``kind`` is Sum, Average…, or p, TM, TC, TS, WM, PR.

    ``low`` and ``high`` are the boundaries (None: open): fractions of the samples when ``percent``,
    otherwise values of the metric, the low one excluded and the high one included.
    """

    text: str
    kind: str
    low: float | None = None
    high: float | None = None
    percent: bool = True

    @property
    def is_percentile(self) -> bool:
        """Whether this is pNN, the only kind that the low-sample rule applies to."""
        return self.kind == "p"

    def enough(self, samples: float) -> bool:
        """Whether ``samples`` observations support this percentile statistically.

        The rule: fewer than 10/(1-p) samples are too few from the median upwards, fewer than 10/p
        below it.
        """
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
        if not self.is_percentile or self.high is None:
            return True
        tail = 1 - self.high if self.high >= 0.5 else self.high
        if tail <= 0:
            return True
        # The tolerance undoes binary fractions: p99 needs 1,000 samples, not 1,000.0000000000009.
        return samples >= 10 / tail - 1e-6

    def of(self, samples: Samples) -> float | None:
        """The statistic over ``samples`` (value, count), or None when it has no value."""
        if not samples:
            return None
        if self.kind == "Sum":
            return math.fsum(value * count for value, count in samples)
        if self.kind == "SampleCount":
            return math.fsum(count for _, count in samples)
        if self.kind == "Average":
            return _average(samples)
        if self.kind == "Minimum":
            return min(samples)[0]
        if self.kind == "Maximum":
            return max(samples)[0]
        return self._extended(samples)

    def _extended(self, samples: Samples) -> float | None:
        ordered = sorted(samples)
        # "Not available for metrics when any of the metric values are negative numbers."
        if ordered[0][0] < 0:
            return None
        total = math.fsum(count for _, count in ordered)
        if self.kind == "p":
            assert self.high is not None
            return _at_rank(ordered, max(1.0, math.ceil(self.high * total - 1e-9)))
        if self.percent:
            first = 0.0 if self.low is None else math.floor(self.low * total + 1e-9)
            last = total if self.high is None else math.ceil(self.high * total - 1e-9)
            kept = _ranks(ordered, first, last)
        else:
            kept = [
                (value, count)
                for value, count in ordered
                if (self.low is None or value > self.low)
                and (self.high is None or value <= self.high)
            ]
        count = math.fsum(count for _, count in kept)
        if self.kind == "TC":
            return count
        if self.kind == "PR":
            return 100 * count / total
        if self.kind == "TS":
            return math.fsum(value * many for value, many in kept)
        if self.kind == "WM":
            kept = self._winsorized(ordered, kept)
        return _average(kept) if kept else None

    def _winsorized(self, ordered: Samples, kept: Samples) -> Samples:
        if self.percent:
            low, high = (kept[0][0], kept[-1][0]) if kept else (0.0, 0.0)
            if not kept:
                return []
        else:
            low = ordered[0][0] if self.low is None else self.low
            high = ordered[-1][0] if self.high is None else self.high
        return [(min(max(value, low), high), count) for value, count in ordered]


def parse_statistic(text: str) -> Statistic | None:
    """The statistic that CloudWatch understands by ``text``, or None when it does not."""
    if text in SIMPLE:
        return Statistic(text, text)
    if text.upper() == "IQM":
        return Statistic(text, "TM", 0.25, 0.75)
    if found := _PERCENTILE.fullmatch(text):
        percentile = float(found[1])
        # Observed: p100.5 is accepted, p101 is not.
        if percentile >= 101:
            return None
        return Statistic(text, "p", None, min(percentile, choices.HIGHEST_PERCENTILE) / 100)
    if found := _SINGLE.fullmatch(text):
        percentile = float(found[2])
        return (
            Statistic(text, found[1].upper(), None, percentile / 100) if percentile <= 100 else None
        )
    if found := _RANGE.fullmatch(text):
        return _parse_range(text, found[1].upper(), found[2], found[3])
    return None


def _parse_range(text: str, kind: str, low: str | None, high: str | None) -> Statistic | None:
    given = [bound for bound in (low, high) if bound]
    percent = bool(given) and given[0].endswith("%")
    if not given or any(bound.endswith("%") != percent for bound in given):
        return None
    if percent and kind == "PR":
        return None
    scale = 100 if percent else 1
    bounds = [float(bound.rstrip("%")) / scale if bound else None for bound in (low, high)]
    if percent and any(bound is not None and not 0 <= bound <= 1 for bound in bounds):
        return None
    if bounds[0] is not None and bounds[1] is not None and bounds[0] >= bounds[1]:
        return None
    return Statistic(text, kind, bounds[0], bounds[1], percent)


def _average(samples: Samples) -> float:
    total = math.fsum(value * count for value, count in samples)
    return total / math.fsum(count for _, count in samples)


def _at_rank(ordered: Samples, rank: float) -> float:
    seen = 0.0
    for value, count in ordered:
        seen += count
        if seen >= rank - 1e-9:
            return value
    return ordered[-1][0]


def _ranks(ordered: Samples, first: float, last: float) -> Samples:
    """The samples with rank above ``first`` up to ``last``, counted in observations."""
    kept: Samples = []
    seen = 0.0
    for value, count in ordered:
        inside = min(seen + count, last) - max(seen, first)
        if inside > 0:
            kept.append((value, inside))
        seen += count
    return kept


@dataclass(frozen=True, slots=True)
class MetricStat:
    """A metric, a statistic and a period (seconds): what an alarm or a widget asks for."""

    namespace: str
    name: str
    dimensions: Dimensions
    statistic: Statistic
    period_s: int
    unit: str | None = None


class Samplings:
    """The recorded samples of one account, sorted into short buckets once for all alarms.

    ``grain_ms`` is the length of a bucket: a minute, or ten seconds for high-resolution alarms.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._raw: dict[tuple[str, str, Dimensions, str | None, int], Buckets] = {}

    def buckets(self, stat: MetricStat, grain_ms: int) -> Buckets:
        """The buckets of exactly this metric: same dimensions, and the unit if one is asked for."""
        # A unit that was not published finds nothing, and dimensions are matched exactly.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        key = (stat.namespace, stat.name, stat.dimensions, stat.unit, grain_ms)
        if key not in self._raw:
            self._raw[key] = self._collect(stat, grain_ms)
        return self._raw[key]

    def _collect(self, stat: MetricStat, grain_ms: int) -> Buckets:
        coarse = stat.namespace.startswith(ONE_MINUTE_NAMESPACES)
        found: dict[int, Samples] = {}
        late: list[Late] = []
        for key in self._metrics:
            if (
                key.namespace != stat.namespace
                or key.name != stat.name
                or key.dimensions != stat.dimensions
                or (stat.unit is not None and key.unit != stat.unit)
            ):
                continue
            for datum in self._metrics.data(key):
                if datum.count > 0:
                    time_ms = datum.time_ms - datum.time_ms % 60_000 if coarse else datum.time_ms
                    start = time_ms - time_ms % grain_ms
                    if datum.arrived_ms <= start + grain_ms:
                        found.setdefault(start, []).append((datum.value, datum.count))
                    else:
                        late.append((datum.arrived_ms, start, (datum.value, datum.count)))
        return Buckets(found, late)


class Buckets:
    """Samples by bucket, oldest first, with the cheap statistics of each bucket worked out.

    ``late`` are those that arrived after their bucket was over, in the order of their arrival.
    """

    def __init__(self, found: dict[int, Samples], late: list[Late]) -> None:
        self.late = sorted(late)
        self.starts = sorted(found)
        self.samples = [found[start] for start in self.starts]
        self.count = [math.fsum(count for _, count in bucket) for bucket in self.samples]
        self.sum = [math.fsum(value * count for value, count in bucket) for bucket in self.samples]
        self.low = [min(bucket)[0] for bucket in self.samples]
        self.high = [max(bucket)[0] for bucket in self.samples]


class Series:
    """Data points of one metric over windows that end wherever the caller asks.

    They are made of what had arrived at the moment of the last `see`.
    """

    def __init__(self, stat: MetricStat, samplings: Samplings) -> None:
        self.stat = stat
        self.period_ms = stat.period_s * 1000
        self._buckets = samplings.buckets(stat, 60_000 if stat.period_s >= 60 else 10_000)
        self._known: dict[int, float | None] = {}
        self._seen = 0
        self._belated: dict[int, Samples] = {}

    def see(self, now_ms: int) -> bool:
        """Go on to ``now_ms`` (milliseconds); whether something has arrived late since."""
        late, before = self._buckets.late, self._seen
        while self._seen < len(late) and late[self._seen][0] <= now_ms:
            _, start, sample = late[self._seen]
            self._belated.setdefault(start, []).append(sample)
            self._seen += 1
        if self._seen == before:
            return False
        self._known.clear()
        return True

    def at(self, end_ms: int) -> float | None:
        """The data point of the period that ends before ``end_ms`` (milliseconds)."""
        if end_ms not in self._known:
            self._known[end_ms] = self._value(end_ms)
        return self._known[end_ms]

    def samples(self, end_ms: int) -> float:
        """How many observations that data point rests on."""
        first, last = self._slice(end_ms)
        belated = math.fsum(count for _, count in self._belated_before(end_ms))
        return math.fsum(self._buckets.count[first:last]) + belated

    def _slice(self, end_ms: int) -> tuple[int, int]:
        starts = self._buckets.starts
        return bisect_left(starts, end_ms - self.period_ms), bisect_left(starts, end_ms)

    def _belated_before(self, end_ms: int) -> Samples:
        first_ms = end_ms - self.period_ms
        belated = (kept for at, kept in self._belated.items() if first_ms <= at < end_ms)
        return list(chain.from_iterable(belated))

    def _value(self, end_ms: int) -> float | None:
        first, last = self._slice(end_ms)
        buckets = self._buckets
        if self._belated and (belated := self._belated_before(end_ms)):
            on_time = chain.from_iterable(buckets.samples[first:last])
            return self.stat.statistic.of([*on_time, *belated])
        if first == last:
            return None
        kind = self.stat.statistic.kind
        if kind == "Sum":
            return math.fsum(buckets.sum[first:last])
        if kind == "SampleCount":
            return math.fsum(buckets.count[first:last])
        if kind == "Average":
            return math.fsum(buckets.sum[first:last]) / math.fsum(buckets.count[first:last])
        if kind == "Minimum":
            return min(buckets.low[first:last])
        if kind == "Maximum":
            return max(buckets.high[first:last])
        return self.stat.statistic.of(list(chain.from_iterable(buckets.samples[first:last])))


def refuse_statistic(text: str, parameter: str) -> Refused:
    """What PutMetricAlarm answers to a statistic that does not exist."""
    return Refused(
        "InvalidParameterValue",
        f"The value {text} for parameter {parameter} is not supported.",
        parameter,
    )
