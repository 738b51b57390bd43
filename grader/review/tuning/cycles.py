"""Skipping what repeats: when a simulation comes round to a state, whole cycles are multiplied.

A shard under an even load, polled on a grid, comes back to the same state after some minutes: the
same records wait, the same invocations run, at the same distance from the full minute. From there
on everything happens again. So does it in a shard that lags far behind: every page it reads is
full, and how much waits behind it makes no difference. Only the ages then grow from cycle to cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

from grader.cloud.mapping.grid import POLL_MS
from grader.review.tuning.parts import (
    ENVIRONMENT_IDLE_MS,
    MINUTE_MS,
    TIMER,
    Shard,
    Simulated,
    Totals,
)


@dataclass(slots=True)
class _Snapshot:
    """A minute to come back to: when it was, and every number that grows."""

    minute: int
    totals: list[int]
    reads: list[int]
    written: list[int]


class Cycles:
    """The memory of one simulation: its states at full minutes while the rates stay the same."""

    def __init__(self, engine: Simulated) -> None:
        self.engine = engine
        self._era: object = None
        self._seen: dict[object, _Snapshot] = {}

    def skip(self, now: int) -> int:
        """Skip whole cycles if the state of this minute has been there before; how many ms.

        ``now`` is a full minute (ms) up to which everything has happened.
        """
        # What is periodic is so only while the same stretch goes on.
        era = self._current_era(now)
        if era != self._era:
            self._era, self._seen = era, {}
        skipped = self._skip(now)
        if skipped:
            self._seen = {}
        return skipped

    def _current_era(self, now: int) -> list[tuple[int, bool, bool]]:
        """Where the shards are in their pieces: the same as long as the rates are."""
        era = []
        for shard in self.engine.shards:
            timeline = shard.timeline
            piece = timeline.piece_at(now - 1)
            over = piece >= 0 and now >= timeline.starts[piece] + timeline.lengths[piece]
            era.append((piece, over, shard.polling))
        return era

    def _state(self, now: int) -> tuple[list[object], list[bool]] | None:
        """Everything that decides what happens from ``now`` on, with times relative to it.

        A shard is *deep* when so much waits that every page is full for a while: how much it is
        does not matter then. The second list says which shards are.
        """
        state: list[object] = [self.engine.running, self.engine.environments]
        state.append(min(now - self.engine.last_end_ms, ENVIRONMENT_IDLE_MS + 1))
        deep = []
        for shard in self.engine.shards:
            timeline = shard.timeline
            written = timeline.count(now - 1)
            waiting = written - shard.read
            is_deep = waiting > 3 * self.engine.page + self.engine.size
            deep.append(is_deep)
            piece = timeline.piece_at(now - 1)
            oldest = shard.read
            for lane in shard.lanes:
                if lane.size or lane.ready > lane.taken:
                    first = lane.first if lane.size else lane.taken
                    oldest = min(oldest, shard.spread.record(lane.number, first))
            source = timeline.piece_of(oldest) if oldest < timeline.total else piece
            if is_deep:
                if oldest < shard.read and timeline.piece_of(shard.read) != source:
                    return None
                state.append(("deep", source))
            else:
                offset = now - timeline.starts[piece] if piece >= 0 else 0
                writing = piece >= 0 and offset < timeline.lengths[piece]
                if oldest < written and not (writing and source == piece):
                    # What waits grows older and nothing younger comes behind it.
                    return None
                phase = 0
                if writing:
                    phase = offset * timeline.writes[piece] % timeline.lengths[piece]
                state.append((waiting, phase, piece))
            state.append((shard.behind, shard.tick, shard.done, shard.read % shard.spread.block))
            for lane in shard.lanes:
                idle = now - lane.free_since_ms
                if not self.engine.window_ms:
                    idle = 0
                elif idle > self.engine.window_ms:
                    idle = idle % self.engine.window_ms + self.engine.window_ms
                state.append(
                    (
                        lane.ready - lane.taken,
                        lane.size,
                        lane.ready - lane.first if lane.size else 0,
                        lane.busy,
                        lane.fails,
                        # Beyond a dozen the pause does not grow any more.
                        min(lane.attempts, 12)
                        if self.engine.choice.max_retries < 0
                        else lane.attempts,
                        _again(lane.throttles),
                        lane.timer > 0,
                        lane.deadline_ms - now if lane.deadline_ms >= 0 else None,
                        idle,
                    )
                )
        for time, order, made, number, kind, at, lane_number in sorted(self.engine.heap):
            if kind == TIMER and self.engine.shards[at].lanes[lane_number].timer != number:
                continue
            state.append((time - now, order, made - now, kind, at, lane_number))
        return state, deep

    def _skip(self, now: int) -> int:
        found = self._state(now)
        if found is None:
            return 0
        state, deep = found
        key = tuple(state)
        minute = now // MINUTE_MS
        snapshot = _Snapshot(
            minute,
            self.engine.totals.numbers(),
            [shard.read for shard in self.engine.shards],
            [shard.timeline.count(now - 1) for shard in self.engine.shards],
        )
        before = self._seen.get(key)
        if before is None:
            self._seen[key] = snapshot
            return 0
        cycle_ms = (minute - before.minute) * MINUTE_MS
        grown = [n - m for n, m in zip(snapshot.totals, before.totals, strict=True)]
        counted = dict(zip(Totals.__slots__, grown, strict=True))
        # The last cycle is played: the next poll may be for the first write of what follows.
        cycles = (self._steady_until(now) - now) // cycle_ms - 1
        if self.engine.next_failure >= 0:
            if counted["errors"]:
                return 0
            if counted["invocations"]:
                quiet = self.engine.next_failure - self.engine.totals.invocations
                cycles = min(cycles, quiet // counted["invocations"])
        for place, shard in enumerate(self.engine.shards):
            if deep[place]:
                cycles = min(cycles, self._deep_cycles(shard, place, now, before, snapshot))
                if counted["lost"] or counted["discarded"]:
                    return 0
        if cycles < 1:
            # Later snapshots of the same state are as good, and nearer.
            self._seen[key] = snapshot
            return 0
        self._jump(now, cycles, cycle_ms, grown, before, snapshot, deep)
        return cycles * cycle_ms

    def _steady_until(self, now: int) -> int:
        """Until when the rates and the shards stay as they are (ms)."""
        until = self.engine.end_ms
        for shard in self.engine.shards:
            timeline = shard.timeline
            piece = timeline.piece_at(now - 1)
            if piece >= 0:
                end = timeline.starts[piece] + timeline.lengths[piece]
                if now < end:
                    until = min(until, end)
            if piece + 1 < len(timeline.starts):
                until = min(until, timeline.starts[piece + 1])
            for change in (shard.open_ms, shard.close_ms):
                if change is not None and change > now:
                    until = min(until, change)
        return until

    def _deep_cycles(
        self, shard: Shard, place: int, now: int, before: _Snapshot, after: _Snapshot
    ) -> int:
        """For how many more cycles a deep shard stays as deep as it has to be."""
        timeline = shard.timeline
        read = after.reads[place] - before.reads[place]
        start = before.written[place] - before.reads[place]
        grown = after.written[place] - after.reads[place] - start
        lows = [low for low in shard.lowest[before.minute : after.minute] if low >= 0]
        dip = max(0, start - min(lows)) if lows else 0
        cycles = self.engine.end_ms
        if grown < 0:
            cycles = (start + grown - dip - 2 * self.engine.page) // -grown
        if read:
            # All the records of these cycles come from one piece.
            piece = timeline.piece_of(after.reads[place])
            last = timeline.before[piece] + timeline.writes[piece]
            cycles = min(cycles, (last - after.reads[place] - 2 * self.engine.page) // read - 1)
        oldest = min(
            shard.spread.record(lane.number, lane.first if lane.size else lane.taken)
            for lane in shard.lanes
        )
        if oldest < timeline.total:
            # Nothing becomes too old meanwhile.
            cycle_ms = (after.minute - before.minute) * MINUTE_MS
            age = now - timeline.time(oldest)
            room = self.engine.keep_ms - age - 2 * cycle_ms
            if room < 0:
                return 0
            cycles = min(cycles, room // cycle_ms)
        return cycles

    def _jump(
        self,
        now: int,
        cycles: int,
        cycle_ms: int,
        grown: list[int],
        before: _Snapshot,
        after: _Snapshot,
        deep: list[bool],
    ) -> None:
        """Be ``cycles`` cycles later, with everything counted as often."""
        shift_ms = cycles * cycle_ms
        self.engine.totals.add(grown, cycles)
        self.engine.last_end_ms += shift_ms
        self.engine.skipped += shift_ms // MINUTE_MS
        engine = self.engine
        for counts in (
            engine.invocations,
            engine.throttles,
            engine.errors,
            engine.billed,
            engine.settled,
        ):
            _repeat(counts, before.minute, after.minute, cycles)
        for place, shard in enumerate(self.engine.shards):
            read = after.reads[place] - before.reads[place]
            shifts = [0] * (cycles + 1)
            if deep[place] and read:
                # Ages grow by what the clock gains on the writes of the records.
                reference = before.reads[place]
                origin = shard.timeline.time(reference)
                shifts = [
                    n * cycle_ms - (shard.timeline.time(reference + n * read) - origin)
                    for n in range(cycles + 1)
                ]
            elif deep[place]:
                shifts = [n * cycle_ms for n in range(cycles + 1)]
            for ages in (shard.ages, shard.delays):
                _repeat(ages, before.minute, after.minute, cycles, shifts)
            _repeat(shard.lowest, before.minute, after.minute, cycles)
            shard.read += cycles * read
            for lane in shard.lanes:
                moved = shard.spread.count(lane.number, after.reads[place])
                moved -= shard.spread.count(lane.number, before.reads[place])
                lane.ready += cycles * moved
                lane.taken += cycles * moved
                lane.first += cycles * moved
                lane.free_since_ms += shift_ms
                if lane.deadline_ms >= 0:
                    lane.deadline_ms += shift_ms
        self.engine.heap = [
            (time + shift_ms, order, made + shift_ms, number, kind, at, lane_number)
            for time, order, made, number, kind, at, lane_number in sorted(self.engine.heap)
        ]


def _again(throttles: int) -> int:
    """Throttles in a row, as far as they decide anything: beyond a dozen the pauses come round."""
    return throttles if throttles <= 12 else 12 + (throttles - 12) % POLL_MS


def _repeat(
    figures: list[int], start: int, end: int, cycles: int, shifts: list[int] | None = None
) -> None:
    """Copy the minutes from ``start`` to ``end`` so many times behind ``end``.

    What already stands behind ``end`` belongs to a run of batches that began before it, and moves
    to where the copies end. ``shifts[n]`` is added to the n-th copy's figures, if there are any.
    """
    length, ahead = end - start, figures[end:]
    cycle = figures[start:end]
    for n in range(1, cycles + 1):
        shift = shifts[n] if shifts is not None else 0
        place = start + n * length
        figures[place : place + length] = [v + shift if v >= 0 else v for v in cycle]
    place = end + cycles * length
    shift = shifts[cycles] if shifts is not None else 0
    for n, value in enumerate(ahead[: len(figures) - place]):
        figures[place + n] = value + shift if value >= 0 and shift else value
