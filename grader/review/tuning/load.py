"""What the simulation is given: the writes, the handler and the settings.

Everything is whole numbers of milliseconds, microseconds, bytes and records, and the only source of
chance is ``Draws``, so that another language gets the same figures from the same input.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge

# Lambda gives one whole vCPU at this memory and shares in proportion.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
VCPU_MB = 1769
# Random arrivals are drawn for each of these steps (milliseconds): one poll.
STEP_MS = 250
DAY_S = 86_400


class Draws:
    """Repeatable random numbers: the "minimal standard" generator of Park and Miller.

    Every product stays below 2**53, so any language can repeat it. ``stream`` tells the uses of
    one seed apart.
    """

    MODULUS = 2_147_483_647

    def __init__(self, seed: int, stream: int = 0) -> None:
        self._state = seed % (self.MODULUS - 1) + 1
        # Seeds that are near each other begin with numbers that are near each other.
        for _ in range(8):
            self.next()
        self._state = (self._state + stream) % (self.MODULUS - 1) + 1
        for _ in range(8):
            self.next()

    def next(self) -> int:
        """A whole number from 1 to 2,147,483,646."""
        self._state = self._state * 48_271 % self.MODULUS
        return self._state

    def chance(self, probability: float) -> bool:
        """True with this probability (0 to 1)."""
        return self.next() < probability * self.MODULUS


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many writes, spread over so many whole seconds."""

    seconds: int
    writes: int

    def __post_init__(self) -> None:
        if self.seconds < 1 or self.writes < 0:
            raise ValueError("a stretch has 1 second or more and 0 writes or more")


@dataclass(frozen=True, slots=True)
class Split:
    """At ``second``, the shard of this number (from 0, in order of opening) splits into two."""

    second: int
    shard: int


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """The life of one shard: from whom it comes, when it takes writes (ms), and which.

    ``close_ms`` is None for a shard that stays open. ``pieces`` are (start in ms, length in ms,
    writes): the writes of a piece are spread evenly, the first one at its start.
    """

    number: int
    parent: int | None
    open_ms: int
    close_ms: int | None
    pieces: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Load:
    """Writes over time, and how they fall on shards.

    - ``stretches`` follow each other from time 0; write n of a stretch of w writes in m
      milliseconds comes n * m // w milliseconds after the stretch begins;
    - ``shards`` at the start; ``weights`` is how the writes divide (whole numbers; None: evenly);
      AWS opens and splits shards as it likes, so both are assumptions about a table;
    - ``splits``: a shard becomes two, each with half of its writes; the children are read when the
      parent is done;
    - ``random``: instead of evenly, the writes of every quarter of a second are drawn (Poisson)
      with ``seed``; the totals are then right on average only;
    - ``record_bytes`` is a record's size in the stream (1 MB is a page), ``event_bytes`` its JSON
      text in the event (6 MB is an invocation).
    """

    stretches: tuple[Stretch, ...]
    shards: int = 1
    weights: tuple[int, ...] | None = None
    splits: tuple[Split, ...] = ()
    random: bool = False
    seed: int = 0
    record_bytes: int = 300
    event_bytes: int = 900

    def __post_init__(self) -> None:
        if not self.stretches or self.shards < 1:
            raise ValueError("a load has at least one stretch and at least one shard")
        if self.weights is not None and (
            len(self.weights) != self.shards or min(self.weights) < 0 or sum(self.weights) < 1
        ):
            raise ValueError("weights are whole numbers from 0, one for each shard, not all 0")
        if self.record_bytes < 1 or self.event_bytes < 1:
            raise ValueError("a record has at least one byte")

    @classmethod
    def steady(cls, per_second: float, seconds: int = DAY_S, *, shards: int = 1) -> Load:
        """The same rate all the time (writes a second; 5,000 a minute is ``5000 / 60``)."""
        return cls((Stretch(seconds, round(per_second * seconds)),), shards=shards)

    @classmethod
    def rates(cls, steps: Sequence[tuple[int, float]], *, shards: int = 1) -> Load:
        """One rate after the other: (seconds, writes a second)."""
        stretches = tuple(Stretch(seconds, round(rate * seconds)) for seconds, rate in steps)
        return cls(stretches, shards=shards)

    @property
    def seconds(self) -> int:
        """How long writes come."""
        return sum(stretch.seconds for stretch in self.stretches)

    @property
    def writes(self) -> int:
        """How many writes there are; with ``random`` how many are expected."""
        return sum(stretch.writes for stretch in self.stretches)

    def burst(self, second: int, seconds: int, per_second: float) -> Load:
        """The same load with ``per_second`` more writes a second for ``seconds`` from ``second``.

        ValueError when the burst does not lie within the load.
        """
        if second < 0 or seconds < 1 or second + seconds > self.seconds:
            raise ValueError("a burst lies within the load")
        cut = _cut(self.stretches, (second, second + seconds))
        stretches, at = [], 0
        for stretch in cut:
            inside = second <= at < second + seconds
            extra = round(per_second * stretch.seconds) if inside else 0
            stretches.append(Stretch(stretch.seconds, stretch.writes + extra))
            at += stretch.seconds
        return replace(self, stretches=tuple(stretches))

    def plan(self) -> tuple[ShardPlan, ...]:
        """Every shard with its own writes. ValueError for a split of a shard that is not open."""
        splits = sorted(self.splits, key=lambda split: split.second)
        if any(not 0 < split.second < self.seconds for split in splits):
            raise ValueError("a shard splits within the load, not at its ends")
        weights = dict(enumerate(self.weights or (1,) * self.shards))
        parents: dict[int, int | None] = dict.fromkeys(weights)
        opened = dict.fromkeys(weights, 0)
        closed: dict[int, int] = {}
        pieces: dict[int, list[tuple[int, int, int]]] = {n: [] for n in weights}
        draws = {n: Draws(self.seed, n) for n in weights}
        at = 0
        for stretch in _cut(self.stretches, [split.second for split in splits]):
            while splits and splits[0].second == at:
                parent = splits.pop(0).shard
                if parent not in weights:
                    raise ValueError(f"shard {parent} is not open at second {at}")
                closed[parent] = at
                half = weights.pop(parent)
                weights = {n: 2 * w for n, w in weights.items()}
                for child in (len(parents), len(parents) + 1):
                    weights[child], parents[child], opened[child] = half, parent, at
                    pieces[child], draws[child] = [], Draws(self.seed, child)
            # Rounded so that the shards' writes add up to the stretch's.
            total, before = sum(weights.values()), 0
            for number, weight in weights.items():
                share = (before + weight) * stretch.writes // total
                share -= before * stretch.writes // total
                before += weight
                start, length = at * 1000, stretch.seconds * 1000
                if self.random:
                    pieces[number] += _random_pieces(start, length, share, draws[number])
                elif share:
                    pieces[number].append((start, length, share))
            at += stretch.seconds
        return tuple(
            ShardPlan(
                number,
                parents[number],
                opened[number] * 1000,
                closed[number] * 1000 if number in closed else None,
                tuple(pieces[number]),
            )
            for number in parents
        )

    def times(self) -> Iterator[tuple[int, int]]:
        """Every write as (ms, shard number), in order of time: the load as something to replay."""

        def of(plan: ShardPlan) -> Iterator[tuple[int, int]]:
            for start, length, writes in plan.pieces:
                for n in range(writes):
                    yield start + n * length // writes, plan.number

        return merge(*[of(plan) for plan in self.plan()])


def _cut(stretches: Sequence[Stretch], seconds: Sequence[int]) -> list[Stretch]:
    """The stretches, cut in two wherever one of ``seconds`` lies inside one."""
    found, at = [], 0
    for stretch in stretches:
        inside = sorted({s - at for s in seconds if at < s < at + stretch.seconds})
        ends = [*inside, stretch.seconds]
        before = 0
        for end in ends:
            writes = end * stretch.writes // stretch.seconds
            writes -= before * stretch.writes // stretch.seconds
            found.append(Stretch(end - before, writes))
            before = end
        at += stretch.seconds
    return found


def _random_pieces(
    start: int, length: int, writes: int, draws: Draws
) -> list[tuple[int, int, int]]:
    """Poisson counts for each step of a stretch; the writes of one step stand evenly in it."""
    if not writes:
        return []
    steps = length // STEP_MS
    likeliest, thresholds = _poisson(writes / steps)
    pieces = []
    for step in range(steps):
        count = likeliest + bisect_left(thresholds, draws.next())
        if count:
            # Half a distance after the step begins: on average the middle of the step.
            pieces.append((start + step * STEP_MS + STEP_MS // 2 // count, STEP_MS, count))
    return pieces


def _poisson(mean: float) -> tuple[int, list[int]]:
    """The lowest count worth looking at, and for each count from there on the highest draw for it.

    Only sums, products and quotients, from the likeliest count outwards: no library's exponential
    function, which may differ in the last digit.
    """
    middle = int(mean)
    up, down = [1.0], []
    while up[-1] > 1e-12:
        up.append(up[-1] * mean / (middle + len(up)))
    weight, count = 1.0, middle
    while count > 0 and weight > 1e-12:
        weight = weight * count / mean
        count -= 1
        down.append(weight)
    weights = [*reversed(down), *up]
    total, running, thresholds = sum(weights), 0.0, []
    for weight in weights:
        running += weight
        thresholds.append(int(running / total * Draws.MODULUS))
    return middle - len(down), thresholds


class Timeline:
    """The writes of one shard as two functions: how many by a time, and when the n-th was.

    Both remember where they looked last, because the simulation moves forward.
    """

    __slots__ = ("_counting", "_timing", "before", "lengths", "starts", "total", "writes")

    def __init__(self, pieces: Sequence[tuple[int, int, int]]) -> None:
        self.starts = [start for start, _, _ in pieces]
        self.lengths = [length for _, length, _ in pieces]
        self.writes = [writes for _, _, writes in pieces]
        self.before = [0]
        for writes in self.writes:
            self.before.append(self.before[-1] + writes)
        self.total = self.before.pop()
        self._counting = 0
        self._timing = 0

    def count(self, time_ms: int) -> int:
        """How many writes came at or before ``time_ms``."""
        starts, at = self.starts, self._counting
        if not starts or time_ms < starts[0]:
            return 0
        if starts[at] > time_ms or (at + 1 < len(starts) and starts[at + 1] <= time_ms):
            at = self._counting = bisect_right(starts, time_ms) - 1
        writes = self.writes[at]
        # n * length // writes <= t  is  n < ((t + 1) * writes) / length.
        found = ((time_ms - starts[at] + 1) * writes - 1) // self.lengths[at] + 1
        return self.before[at] + (found if found < writes else writes)

    def time(self, number: int) -> int:
        """When write ``number`` (from 0) came (ms)."""
        at = self._timing
        number -= self.before[at]
        if not 0 <= number < self.writes[at]:
            number += self.before[at]
            at = self._timing = bisect_right(self.before, number) - 1
            number -= self.before[at]
        return self.starts[at] + number * self.lengths[at] // self.writes[at]

    def piece_at(self, time_ms: int) -> int:
        """The piece whose time it is: the last one that has begun; -1 before the first."""
        return bisect_right(self.starts, time_ms) - 1

    def piece_of(self, number: int) -> int:
        """The piece that holds write ``number``."""
        return bisect_right(self.before, number) - 1


@dataclass(frozen=True, slots=True)
class Handler:
    """What an invocation costs in time, and how often it fails.

    - ``call_ms``, ``record_ms``: work at one whole vCPU, for each invocation and each record;
    - ``call_wait_ms``, ``record_wait_ms``: waiting for others, which memory does not shorten;
    - ``cold_start_ms``: what a new execution environment adds;
    - ``error_rate``: the share of invocations that fail (0 to 1), whatever their batch. A poison
      record, which fails for ever, is not a rate.

    Milliseconds may have fractions down to a microsecond.
    """

    call_ms: float = 5.0
    record_ms: float = 0.2
    call_wait_ms: float = 0.0
    record_wait_ms: float = 0.0
    cold_start_ms: int = 0
    error_rate: float = 0.0

    def __post_init__(self) -> None:
        times = (self.call_ms, self.record_ms, self.call_wait_ms, self.record_wait_ms)
        if min(times) < 0 or self.cold_start_ms < 0 or not 0 <= self.error_rate <= 1:
            raise ValueError("times are 0 or more, and an error rate lies between 0 and 1")

    def duration_ms(self, records: int, memory_mb: int) -> int:
        """How long a warm invocation takes, rounded up to the next millisecond; at least 1.

        CPU comes in proportion to memory; one thread gains nothing above one vCPU.
        https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
        """
        share = min(memory_mb, VCPU_MB)
        work_us = round(self.call_ms * 1000) + records * round(self.record_ms * 1000)
        wait_us = round(self.call_wait_ms * 1000) + records * round(self.record_wait_ms * 1000)
        return max(1, -(-(work_us * VCPU_MB + wait_us * share) // (1000 * share)))


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings of mapping and function that are being chosen.

    ``concurrency`` is the function's reserved concurrency, None for the account's limit.
    ``max_retries`` and ``max_age_s`` are -1 for "until the record leaves the stream".
    ``provisioned`` is provisioned concurrency. ``window_s``, ``timeout_s`` in seconds.
    ValueError for what AWS would not accept.
    """

    batch_size: int = 100
    window_s: int = 0
    parallelization: int = 1
    concurrency: int | None = None
    memory_mb: int = 128
    timeout_s: int = 3
    architecture: str = "x86_64"
    max_retries: int = -1
    max_age_s: int = -1
    provisioned: int = 0

    def __post_init__(self) -> None:
        # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
        # https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
        for name, value, lowest, highest in (
            ("batch_size", self.batch_size, 1, 10_000),
            ("window_s", self.window_s, 0, 300),
            ("parallelization", self.parallelization, 1, 10),
            ("memory_mb", self.memory_mb, 128, 10_240),
            ("timeout_s", self.timeout_s, 1, 900),
            ("max_retries", self.max_retries, -1, 10_000),
        ):
            if not lowest <= value <= highest:
                raise ValueError(f"{name} is from {lowest} to {highest}, not {value}")
        if self.max_age_s != -1 and not 60 <= self.max_age_s <= 604_800:
            raise ValueError(f"max_age_s is -1 or from 60 to 604800, not {self.max_age_s}")
        if self.concurrency is not None and self.concurrency < 0:
            raise ValueError("concurrency is 0 or more, or None")
        if self.provisioned < 0 or (
            self.concurrency is not None and self.provisioned > self.concurrency
        ):
            raise ValueError("provisioned is 0 or more, and not above the reserved concurrency")
        if self.architecture not in ("x86_64", "arm64"):
            raise ValueError(f"architecture is x86_64 or arm64, not {self.architecture!r}")
