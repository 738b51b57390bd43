"""What a simulation is made of: counters, shards, lanes and who takes which record, its state."""

from __future__ import annotations

import heapq
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

from grader.cloud.dynamodb import PAGE_BYTES, PAGE_RECORDS, RETENTION_MS
from grader.cloud.mapping import (
    PAYLOAD_BYTES,
    POLL_ORDER,
    TIMER_ORDER,
    next_poll_ms,
    poll_phase_ms,
)
from grader.review.tuning.load import Choice, Draws, Handler, Load, ShardPlan, Timeline

MINUTE_MS = 60_000
# How long an idle execution environment stays. AWS does not say; minutes is what people observe.
ENVIRONMENT_IDLE_MS = 600_000
# A shard's records are spread over its lanes in blocks of at least so many for each lane, and of at
# most so many in all if they are to come round with the minutes.
BLOCK_PER_LANE = 2_000
LONGEST_BLOCK = 120_000

# Kinds of events: ends of invocations, polls, ends of windows and pauses.
END, POLL, TIMER = 0, 1, 2
_ORDERS = (0, POLL_ORDER, TIMER_ORDER)

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
            return _spread(lanes, least)
        return _spread(lanes, -(-least // minute) * minute)

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


@lru_cache(maxsize=16)
def _spread(lanes: int, block: int) -> Spread:
    """A spread never changes, and the shards of a load mostly have the same one."""
    return Spread(lanes, block)


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


@dataclass(slots=True)
class Run:
    """What came out of one simulation. Lists are by the minute; times in milliseconds."""

    totals: Totals
    invocations: list[int]
    throttles: list[int]
    errors: list[int]
    billed: list[int]
    waiting: list[int]
    ages: list[int]
    delays: list[int]
    peak: int
    backlog: int
    oldest_ms: int
    steps: int = 0
    skipped_minutes: int = 0


class Simulated:
    """The state of one simulation of ``plans``: shards that share a function with ``limit``
    executions at once.

    ``end_ms`` is included. ``poll_from_ms``: the mapping starts polling then, each shard a phase
    of its own later. ``stream`` gives this simulation its own draws of the seed.
    """

    def __init__(
        self,
        load: Load,
        handler: Handler,
        choice: Choice,
        plans: tuple[ShardPlan, ...],
        *,
        limit: int,
        provisioned: int,
        end_ms: int,
        poll_from_ms: int,
        seed: int,
        stream: int,
    ) -> None:
        self.handler = handler
        self.choice = choice
        self.limit = limit
        self.provisioned = provisioned
        self.end_ms = end_ms
        self.size = choice.batch_size
        self.window_ms = choice.window_s * 1000
        self.timeout_ms = choice.timeout_s * 1000
        # A page is 1,000 records or 1 MB, an invocation 6 MB; one record always fits.
        self.page = max(1, min(PAGE_RECORDS, PAGE_BYTES // load.record_bytes))
        self.fits = max(1, (PAYLOAD_BYTES - len('{"Records":[]}')) // (load.event_bytes + 1))
        self.max_age_ms = choice.max_age_s * 1000 if choice.max_age_s >= 0 else RETENTION_MS
        self.keep_ms = min(self.max_age_ms, RETENTION_MS)
        self.minutes = max(1, -(-end_ms // MINUTE_MS))
        lanes = choice.parallelization
        self.shards = [Shard(plan, lanes, self.minutes) for plan in plans]
        self.poll_from_ms = poll_from_ms
        for shard in self.shards:
            shard.phase_ms = poll_phase_ms(shard.number, seed)
            shard.anchor_ms = poll_from_ms + shard.phase_ms
        self._place = {shard.number: at for at, shard in enumerate(self.shards)}
        for at, shard in enumerate(self.shards):
            if shard.parent is not None:
                self.shards[self._place[shard.parent]].children.append(at)
        # With executions for every lane nothing is throttled, and shards do not meet.
        self.alone = lanes == 1 and len(plans) <= limit
        # Just one lane, which never waits for more, and no change of shards.
        self.simple = self.alone and len(plans) == 1 and not self.window_ms
        self.simple = self.simple and plans[0].close_ms is None
        self.random = load.random

        self.totals = Totals()
        self.invocations = [0] * self.minutes
        self.throttles = [0] * self.minutes
        self.errors = [0] * self.minutes
        # Milliseconds billed, by the invocation's start; records dealt with in whatever way.
        self.billed = [0] * self.minutes
        self.settled = [0] * self.minutes
        self.running = 0
        self.peak = 0
        self.environments = provisioned
        self.last_end_ms = 0
        self.draws = Draws(seed, stream + 1)
        self.next_failure = -1
        self._find_next_failure()
        self._durations: dict[int, int] = {}
        self.heap: list[Event] = []
        self._number = 0
        self.steps = 0
        self.skipped = 0

    def _add(self, time_ms: int, kind: int, at: int, lane: int, now: int) -> int:
        """Let something happen at ``time_ms``; the event's number."""
        self._number += 1
        event = (time_ms, _ORDERS[kind], now, self._number, kind, at, lane)
        heapq.heappush(self.heap, event)
        return self._number

    def _bill(self, billed_ms: int, times: int = 1) -> None:
        self.totals.billed_ms += billed_ms * times
        if self.running <= self.provisioned:
            self.totals.provisioned_ms += billed_ms * times

    def _settle(self, now: int, records: int) -> None:
        self.settled[min(now // MINUTE_MS, self.minutes - 1)] += records

    def _lose(self, now: int, records: int) -> None:
        self.totals.lost += records
        self._settle(now, records)

    def _give_up(self, now: int, records: int) -> None:
        self.totals.discarded += records
        self._settle(now, records)

    def _find_next_failure(self) -> None:
        """The number of the next invocation that fails; -1 when none ever does."""
        rate = self.handler.error_rate
        if rate <= 0:
            return
        self.next_failure += 1
        while not self.draws.chance(rate):
            self.next_failure += 1
