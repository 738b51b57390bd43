"""What a simulation is made of: counters, shards, lanes, and which lane takes which record."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from grader.cloud.mapping import next_poll_ms
from grader.review.tuning.load import Draws, ShardPlan, Timeline

MINUTE_MS = 60_000
# How long an idle execution environment stays. AWS does not say; minutes is what people observe.
ENVIRONMENT_IDLE_MS = 600_000
# A shard's records are spread over its lanes in blocks of at least so many for each lane, and of at
# most so many in all if they are to come round with the minutes.
BLOCK_PER_LANE = 2_000
LONGEST_BLOCK = 120_000

# Kinds of events: ends of invocations, polls, ends of windows and pauses.
END, POLL, TIMER = 0, 1, 2

# An event: when (ms), order in that millisecond, asked for when (ms), number, kind, shard, lane.
Event = tuple[int, int, int, int, int, int, int]


@dataclass(slots=True)
class Totals:
    """What was counted. ``billed_ms`` with cold starts; ``provisioned_ms`` is the part of it that
    ran on provisioned concurrency.
    """

    invocations: int = 0
    errors: int = 0
    timeouts: int = 0
    retries: int = 0
    throttles: int = 0
    cold_starts: int = 0
    billed_ms: int = 0
    provisioned_ms: int = 0
    full_batches: int = 0
    # Records.
    handed: int = 0
    processed: int = 0
    discarded: int = 0
    lost: int = 0

    def numbers(self) -> list[int]:
        """All of them in order."""
        return [getattr(self, name) for name in self.__slots__]

    def add(self, numbers: list[int], times: int = 1) -> None:
        """Add other totals, so many times."""
        for name, number in zip(self.__slots__, numbers, strict=True):
            setattr(self, name, getattr(self, name) + number * times)


class Spread:
    """Which lane takes which record of a shard: a shuffled block of lanes, again and again.

    AWS hashes keys. With many keys that is an even but irregular spread, which this repeats.
    """

    __slots__ = ("_order", "_places", "block", "lanes")

    def __init__(self, lanes: int, block: int) -> None:
        self.lanes = lanes
        self.block = block if lanes > 1 else 1
        order = [n % lanes for n in range(self.block)]
        draws = Draws(lanes)
        for n in range(self.block - 1, 0, -1):
            other = draws.next() % (n + 1)
            order[n], order[other] = order[other], order[n]
        self._order = order
        self._places: list[list[int]] = [[] for _ in range(lanes)]
        for place, lane in enumerate(order):
            self._places[lane].append(place)

    @classmethod
    def over(cls, plan: ShardPlan, lanes: int) -> Spread:
        """A spread over the lanes of a shard with these writes.

        The block is what the shard's longest piece writes in some whole minutes, if that can be,
        so that the pattern comes round with the minutes.
        """
        least = lanes * BLOCK_PER_LANE
        _, length, writes = max(plan.pieces, key=lambda piece: piece[1], default=(0, 1, 0))
        minute, rest = divmod(writes * MINUTE_MS, length)
        if rest or not 0 < minute <= LONGEST_BLOCK:
            return cls(lanes, least)
        return cls(lanes, -(-least // minute) * minute)

    def lane_of(self, record: int) -> int:
        """The lane, from 0, of a shard's record ``record``."""
        return self._order[record % self.block]

    def count(self, lane: int, records: int) -> int:
        """How many of the first ``records`` records are the lane's."""
        if self.lanes == 1:
            return records
        places = self._places[lane]
        blocks, rest = divmod(records, self.block)
        return blocks * len(places) + bisect_left(places, rest)

    def record(self, lane: int, number: int) -> int:
        """Which record of the shard is number ``number`` (from 0) of the lane."""
        if self.lanes == 1:
            return number
        places = self._places[lane]
        blocks, rest = divmod(number, len(places))
        return blocks * self.block + places[rest]


class Lane:
    """Numbers of a lane's own records: ``taken`` of them have been put into batches.

    The batch at work is ``size`` records from ``first`` on, ``size`` 0 for none.
    """

    __slots__ = (
        "attempts",
        "busy",
        "deadline_ms",
        "fails",
        "first",
        "free_since_ms",
        "number",
        "ready",
        "size",
        "taken",
        "throttles",
        "timer",
        "warm",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        # How many records have been read for this lane.
        self.ready = 0
        self.taken = 0
        self.first = 0
        self.size = 0
        self.busy = False
        self.fails = False
        # Whether the invocation runs on provisioned concurrency.
        self.warm = False
        self.attempts = 0
        self.throttles = 0
        self.free_since_ms = 0
        self.deadline_ms = -1
        # The number of the event that is awaited, 0 for none.
        self.timer = 0


class Shard:
    """One shard: what was written, what was read, its lanes, and its figures by the minute."""

    __slots__ = (
        "ages",
        "anchor_ms",
        "behind",
        "children",
        "close_ms",
        "delays",
        "done",
        "lanes",
        "lowest",
        "number",
        "open_ms",
        "parent",
        "phase_ms",
        "polling",
        "read",
        "spread",
        "tick",
        "timeline",
    )

    def __init__(self, plan: ShardPlan, lanes: int, minutes: int) -> None:
        self.number = plan.number
        self.parent = plan.parent
        self.open_ms = plan.open_ms
        self.close_ms = plan.close_ms
        self.timeline = Timeline(plan.pieces)
        self.spread = Spread.over(plan, lanes)
        self.lanes = [Lane(number) for number in range(lanes)]
        self.children: list[int] = []
        # The shard's polls: one every POLL_MS from here on, a phase behind the mapping's first.
        self.phase_ms = 0
        self.anchor_ms = 0
        self.read = 0
        self.behind = False
        self.tick = False
        self.polling = False
        self.done = False
        # By the minute; -1 for no data.
        self.ages = [-1] * minutes
        self.delays = [-1] * minutes
        # The smallest backlog behind a full page.
        self.lowest = [-1] * minutes

    def grid(self, time_ms: int) -> int:
        """The first point of the grid of polls that is not before ``time_ms``."""
        return next_poll_ms(self.anchor_ms, time_ms)

    def settled(self) -> bool:
        """Whether everything that was read is dealt with."""
        return all(not lane.size and lane.taken == lane.ready for lane in self.lanes)
