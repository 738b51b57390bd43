"""The simulation: shards that are polled, lanes that hand over batches, one function behind them.

It follows the emulator (``grader/cloud/mapping/poller.py``) step by step, with two differences that
make a day a matter of moments. A batch is a number of records, never the records themselves: which
write was the n-th, and when, is arithmetic (``load.Timeline``). And what repeats is not repeated
(``cycles``).

Times are integer milliseconds from the start of the load. The rules and their sources stand in the
emulator; here are only what the two do not share.
"""

from __future__ import annotations

import heapq

from grader.cloud.dynamodb import RETENTION_MS
from grader.cloud.mapping import (
    POLL_MS,
    SHARD_DISCOVERY_MS,
    retry_delay_ms,
    throttle_pause_ms,
)
from grader.review.tuning.cycles import Cycles
from grader.review.tuning.parts import (
    END,
    ENVIRONMENT_IDLE_MS,
    MINUTE_MS,
    POLL,
    TIMER,
    Lane,
    Run,
    Shard,
    Simulated,
)


class Engine(Simulated):
    """What happens from event to event."""

    # -- the loop --------------------------------------------------------------------------

    def run(self) -> Run:
        """Everything up to the end."""
        for at, shard in enumerate(self.shards):
            if shard.parent is None:
                self._start(at, self.poll_from_ms)
        heap, check_ms, cycles = self.heap, MINUTE_MS, Cycles(self)
        while heap and heap[0][0] <= self.end_ms:
            if heap[0][0] >= check_ms and not self.random:
                now = heap[0][0] - heap[0][0] % MINUTE_MS
                check_ms = now + MINUTE_MS
                skipped = cycles.skip(now) if now < self.end_ms else 0
                if skipped:
                    heap = self.heap
                    check_ms += skipped
                    continue
            time, _, _, number, kind, at, lane = heapq.heappop(heap)
            self.steps += 1
            if kind == POLL:
                self._poll(at, time)
            elif kind == END:
                self._ended(at, self.shards[at].lanes[lane], time)
            elif self.shards[at].lanes[lane].timer == number:
                self.shards[at].lanes[lane].timer = 0
                self._work(at, time)
        return self._result()

    def _result(self) -> Run:
        backlog, oldest = 0, 0
        ages, delays = [-1] * self.minutes, [-1] * self.minutes
        for shard in self.shards:
            written = shard.timeline.count(self.end_ms)
            left = written - shard.read
            first = shard.read
            for lane in shard.lanes:
                waiting = lane.ready - lane.taken + lane.size
                if waiting:
                    left += waiting
                    at = lane.first if lane.size else lane.taken
                    first = min(first, shard.spread.record(lane.number, at))
            if left:
                backlog += left
                oldest = max(oldest, self.end_ms - shard.timeline.time(first))
            ages = [max(pair) for pair in zip(ages, shard.ages, strict=True)]
            delays = [max(pair) for pair in zip(delays, shard.delays, strict=True)]
        left_over, settled = [], 0
        for minute, records in enumerate(self.settled):
            settled += records
            until = self.end_ms if minute == self.minutes - 1 else (minute + 1) * MINUTE_MS - 1
            left_over.append(sum(one.timeline.count(until) for one in self.shards) - settled)
        return Run(
            self.totals,
            self.invocations,
            self.throttles,
            self.errors,
            self.billed,
            left_over,
            ages,
            delays,
            self.peak,
            backlog,
            oldest,
            self.steps,
            self.skipped,
        )

    # -- one shard -------------------------------------------------------------------------

    def _start(self, at: int, now: int) -> None:
        """Begin to poll a shard; its parent has been read to its end."""
        shard = self.shards[at]
        shard.polling = True
        for lane in shard.lanes:
            lane.free_since_ms = now
        shard.tick = True
        self._add(shard.grid(max(now, shard.open_ms)), POLL, at, 0, now)

    def _poll(self, at: int, now: int) -> None:
        shard = self.shards[at]
        shard.tick = False
        if self.simple and not self.heap:
            now = self._poll_plainly(shard, shard.lanes[0], now)
            if now < 0:
                return
        if self._wants_more(shard):
            self._read(shard, now)
        self._work(at, now)

    def _poll_plainly(self, shard: Shard, lane: Lane, now: int) -> int:
        """Polls of one lone lane at which nothing special happens, one after the other.

        Each takes what is there, hands it over in batches, and is done before the minute is.
        Returns the time of the first poll that is not like that, which is still to be made; -1
        when there is none in this minute, and the next one has been planned.
        """
        timeline, totals, size = shard.timeline, self.totals, self.size
        memory = self.choice.memory_mb
        minute = now // MINUTE_MS
        stop = min((minute + 1) * MINUTE_MS - 1, self.end_ms)
        full_ms = self.handler.duration_ms(size, memory)
        if (
            lane.size
            or lane.ready > lane.taken
            or not self.environments
            or full_ms > self.timeout_ms
            or size > self.fits
            or minute >= self.minutes
            or now - self.last_end_ms > ENVIRONMENT_IDLE_MS
        ):
            return now
        provisioned = self.provisioned > 0
        highest_age, longest = shard.ages[minute], shard.delays[minute]
        calls_before, read = totals.invocations, shard.read
        calls, billed, handed, fulls = calls_before, 0, 0, 0
        upcoming = now
        while upcoming <= stop:
            now = upcoming
            waiting = timeline.count(now) - read
            if waiting > self.page or not waiting:
                break
            full, rest = divmod(waiting, size)
            batches = full + (rest > 0)
            if 0 <= self.next_failure < calls + batches:
                break
            end = now + full * full_ms
            if rest:
                rest_ms = self._durations.get(rest)
                if rest_ms is None:
                    rest_ms = self._durations[rest] = self.handler.duration_ms(rest, memory)
                end += rest_ms
            oldest = timeline.time(read)
            if end > stop or end - oldest > self.keep_ms:
                break
            began, first = now, read
            for _ in range(full):
                age = began - timeline.time(first + size - 1)
                if age > highest_age:
                    highest_age = age
                began += full_ms
                delay = began - timeline.time(first)
                if delay > longest:
                    longest = delay
                first += size
            read += waiting
            if rest:
                age = began - timeline.time(read - 1)
                if age > highest_age:
                    highest_age = age
                delay = end - timeline.time(first)
                if delay > longest:
                    longest = delay
            calls += batches
            fulls += full
            handed += waiting
            billed += end - now
            lane.free_since_ms = end
            if read >= timeline.total:
                upcoming = -1
                break
            written = timeline.time(read)
            upcoming = shard.grid(end if end > written else written)
        shard.ages[minute], shard.delays[minute] = highest_age, longest
        done = calls - calls_before
        if done:
            totals.invocations = calls
            totals.full_batches += fulls
            totals.handed += handed
            totals.processed += handed
            totals.billed_ms += billed
            totals.provisioned_ms += billed * provisioned
            self.invocations[minute] += done
            self.settled[minute] += handed
            self.billed[minute] += billed
            self.last_end_ms = lane.free_since_ms
            self.peak = max(self.peak, 1)
            shard.read = lane.ready = lane.taken = read
            shard.behind = False
        if upcoming < 0:
            return -1
        if upcoming > stop:
            shard.tick = True
            self._add(upcoming, POLL, 0, 0, upcoming)
            return -1
        return upcoming

    def _wants_more(self, shard: Shard) -> bool:
        for lane in shard.lanes:  # noqa: SIM110 (a generator costs more than the rest of this)
            if not lane.size and lane.ready - lane.taken < self.size:
                return True
        return False

    def _read(self, shard: Shard, now: int) -> None:
        """One page."""
        if now > RETENTION_MS:
            trimmed = shard.timeline.count(now - RETENTION_MS - 1) - shard.read
            if trimmed > 0:
                # Gone before anybody read them: every lane passes over its share.
                self._lose(now, trimmed)
                shard.read += trimmed
                for lane in shard.lanes:
                    passed = shard.spread.count(lane.number, shard.read) - lane.ready
                    if lane.ready == lane.taken:
                        lane.taken += passed
                        lane.ready += passed
                    else:
                        self._pass_over(lane, passed, now)
        waiting = shard.timeline.count(now) - shard.read
        if waiting > self.page:
            shard.read += self.page
            shard.behind = True
            minute = min(now // MINUTE_MS, self.minutes - 1)
            left = waiting - self.page
            if shard.lowest[minute] < 0 or left < shard.lowest[minute]:
                shard.lowest[minute] = left
        else:
            shard.read += waiting
            shard.behind = False
        lanes, spread = shard.lanes, shard.spread
        if len(lanes) == 1:
            lanes[0].ready = shard.read
        elif waiting < len(lanes):
            for record in range(shard.read - waiting, shard.read):
                lanes[spread.lane_of(record)].ready += 1
        else:
            for lane in lanes:
                lane.ready = spread.count(lane.number, shard.read)

    def _pass_over(self, lane: Lane, passed: int, now: int) -> None:
        """Records that are gone follow records that wait in the lane."""
        # The waiting ones are older still: they are gone, too.
        self._lose(now, lane.ready - lane.taken)
        lane.ready += passed
        lane.taken = lane.ready

    def _work(self, at: int, now: int) -> None:
        """Let every lane do what it can now; then see when to look again."""
        shard = self.shards[at]
        while True:
            for lane in shard.lanes:
                # Without a batch and without records there is nothing to advance.
                if not lane.busy and (lane.size or lane.ready > lane.taken):
                    self._advance(at, shard, lane, now)
            if shard.behind and self._wants_more(shard):
                self._read(shard, now)
            else:
                break
        if shard.tick:
            return
        timeline, closed = shard.timeline, shard.close_ms
        if (
            closed is not None
            and now >= closed
            and shard.read >= timeline.total
            and shard.settled()
        ):
            if not shard.done:
                shard.done = True
                for child in shard.children:
                    found_ms = self.shards[child].open_ms + SHARD_DISCOVERY_MS
                    self._start(child, max(now, found_ms))
        elif self._wants_more(shard):
            if shard.read < timeline.total:
                # Asleep until the next write, then awake at the next point of the grid.
                written = timeline.time(shard.read)
            elif closed is not None:
                written = closed
            else:
                return
            shard.tick = True
            woken = max(now, written)
            polled = shard.grid(woken)
            if self.alone and shard.lanes[0].deadline_ms >= 0:
                polled = max(polled, self._needed_poll(shard, shard.lanes[0]))
            self._add(polled, POLL, at, 0, woken)

    def _needed_poll(self, shard: Shard, lane: Lane) -> int:
        """The first poll in a batching window that matters: it completes the batch, or is the last.

        Those before it only read what it would read as well.
        """
        last = lane.deadline_ms - (lane.deadline_ms - shard.anchor_ms) % POLL_MS
        completing = lane.taken + min(self.size, self.fits + 1) - 1
        if completing < shard.timeline.total:
            last = min(last, shard.grid(shard.timeline.time(completing)))
        if shard.close_ms is not None:
            last = min(last, shard.grid(shard.close_ms))
        return last

    # -- one lane --------------------------------------------------------------------------

    def _advance(self, at: int, shard: Shard, lane: Lane, now: int) -> None:
        """Hand over batch after batch, until the lane has to wait for something."""
        while not lane.busy:
            if lane.size:
                if lane.timer:  # the pause before a retry
                    return
            elif not self._form(at, shard, lane, now):
                return
            self._hand_over(at, shard, lane, now)

    def _form(self, at: int, shard: Shard, lane: Lane, now: int) -> bool:
        """Make the next batch; False while it is not complete."""
        count, size = lane.ready - lane.taken, self.size
        if count >= size:
            count = min(size, self.fits)
        elif not count or shard.behind:
            return False
        elif count > self.fits:
            count = self.fits
        elif self.window_ms:
            if lane.deadline_ms < 0:
                # One window after the other since the last invocation finished.
                windows = max(1, -(-(now - lane.free_since_ms) // self.window_ms))
                lane.deadline_ms = lane.free_since_ms + windows * self.window_ms
            if now < lane.deadline_ms:
                if not lane.timer:
                    lane.timer = self._add(lane.deadline_ms, TIMER, at, lane.number, now)
                return False
        lane.deadline_ms = -1
        lane.timer = 0
        lane.first, lane.size = lane.taken, count
        lane.taken += count
        lane.attempts = lane.throttles = 0
        return True

    def _hand_over(self, at: int, shard: Shard, lane: Lane, now: int) -> None:
        """Drop what is too old, then invoke the function with the rest."""
        if now > self.keep_ms and not self._drop_old(shard, lane, now):
            return
        totals, minute = self.totals, min(now // MINUTE_MS, self.minutes - 1)
        last = shard.spread.record(lane.number, lane.first + lane.size - 1)
        age = now - shard.timeline.time(last)
        if age > shard.ages[minute]:
            shard.ages[minute] = age
        if self.running >= self.limit:
            # A throttled attempt uses no retry.
            totals.throttles += 1
            self.throttles[minute] += 1
            lane.throttles += 1
            lane.free_since_ms = now
            delay = retry_delay_ms(lane.attempts + lane.throttles)
            pause = throttle_pause_ms(delay, shard.phase_ms, lane.number, lane.throttles)
            lane.timer = self._add(now + pause, TIMER, at, lane.number, now)
            return
        number = totals.invocations
        self.running += 1
        if self.running > self.peak:
            self.peak = self.running
        duration = self._durations.get(lane.size)
        if duration is None:
            duration = self.handler.duration_ms(lane.size, self.choice.memory_mb)
            self._durations[lane.size] = duration
        cold = 0
        if self.running == 1 and now - self.last_end_ms > ENVIRONMENT_IDLE_MS:
            self.environments = self.provisioned
        if self.running > self.environments:
            self.environments += 1
            cold = self.handler.cold_start_ms
            totals.cold_starts += 1
        lane.fails = False
        if number == self.next_failure:
            lane.fails = True
            self._find_next_failure()
        if duration > self.timeout_ms:
            # A timeout is a function error, and takes the environment with it.
            lane.fails = True
            duration = self.timeout_ms
            totals.timeouts += 1
            if self.environments > self.provisioned:
                self.environments -= 1
        if lane.fails:
            totals.errors += 1
            self.errors[minute] += 1
        elif self.alone and not cold and lane.size == self.size and not lane.attempts:
            more = self._hand_over_more(shard, lane, now, duration)
            if more:
                # Several full batches after each other: the lane is busy until the last is done.
                lane.busy = True
                self._add(now + more * duration, END, at, lane.number, now + (more - 1) * duration)
                return
        totals.invocations += 1
        totals.retries += lane.attempts > 0
        totals.full_batches += lane.size >= self.size
        totals.handed += lane.size
        self._bill(cold + duration)
        self.billed[minute] += cold + duration
        self.invocations[minute] += 1
        lane.busy = True
        self._add(now + cold + duration, END, at, lane.number, now)

    def _hand_over_more(self, shard: Shard, lane: Lane, now: int, duration: int) -> int:
        """Account for the full batches that will follow each other; how many, 0 if just one.

        With one lane and no throttling nothing comes between them: the next page is read when
        the queue holds less than a batch.
        """
        size, totals = self.size, self.totals
        more = 1 + (lane.ready - lane.taken) // size
        more = min(more, (self.end_ms - now) // duration + 1)
        if self.next_failure >= 0:
            more = min(more, self.next_failure - totals.invocations)
        first = lane.first
        time = shard.timeline.time
        written = time(first)
        if now + more * duration - written > self.keep_ms or more < 2:
            return 0
        totals.invocations += more
        totals.full_batches += more
        totals.handed += more * size
        self._bill(duration, more)
        # Between two writes of one piece ages only grow or only shrink: look at the first and the
        # last batch of each minute. Otherwise look at all of them.
        steady = shard.timeline.piece_of(first) == shard.timeline.piece_of(first + more * size - 1)
        done = 0
        while done < more:
            minute = min((now + done * duration) // MINUTE_MS, self.minutes - 1)
            until = more - 1
            if minute < self.minutes - 1:
                until = min(until, ((minute + 1) * MINUTE_MS - 1 - now) // duration)
            self.invocations[minute] += until - done + 1
            self.billed[minute] += (until - done + 1) * duration
            looked_at = range(done, until + 1)
            for n in {done, *looked_at[-2:]} if steady else looked_at:
                began = now + n * duration
                age = began - time(first + (n + 1) * size - 1)
                minute = min(began // MINUTE_MS, self.minutes - 1)
                if age > shard.ages[minute]:
                    shard.ages[minute] = age
                # The last one is settled when it ends.
                ended = began + duration
                delay = ended - time(first + n * size)
                minute = min(ended // MINUTE_MS, self.minutes - 1)
                if delay > shard.delays[minute] and n < more - 1:
                    shard.delays[minute] = delay
            done = until + 1
        totals.processed += (more - 1) * size
        done = 0
        while done < more - 1:
            # Settled when they end, the last of this minute with it.
            minute = (now + (done + 1) * duration) // MINUTE_MS
            until = min(more - 1, ((minute + 1) * MINUTE_MS - 1 - now) // duration)
            self.settled[min(minute, self.minutes - 1)] += (until - done) * size
            done = until
        # What is left to settle is the last of them.
        lane.first = first + (more - 1) * size
        lane.taken = lane.first + size
        return more

    def _drop_old(self, shard: Shard, lane: Lane, now: int) -> bool:
        """Drop the batch's records that are too old; False when nothing is left of it."""
        for limit_ms in (RETENTION_MS, self.max_age_ms):
            if now <= limit_ms or not lane.size:
                continue
            kept = shard.timeline.count(now - limit_ms - 1)
            gone = min(lane.size, shard.spread.count(lane.number, kept) - lane.first)
            if gone > 0:
                if limit_ms == RETENTION_MS:
                    self._lose(now, gone)
                else:
                    self._give_up(now, gone)
                lane.first += gone
                lane.size -= gone
        return lane.size > 0

    def _ended(self, at: int, lane: Lane, now: int) -> None:
        """The function has answered."""
        shard, totals = self.shards[at], self.totals
        self.running -= 1
        self.last_end_ms = now
        lane.busy = False
        lane.free_since_ms = now
        if not lane.fails:
            totals.processed += lane.size
            self._settle(now, lane.size)
            delay = now - shard.timeline.time(shard.spread.record(lane.number, lane.first))
            minute = min(now // MINUTE_MS, self.minutes - 1)
            if delay > shard.delays[minute]:
                shard.delays[minute] = delay
            lane.size = 0
        else:
            lane.attempts += 1
            lane.throttles = 0
            if 0 <= self.choice.max_retries < lane.attempts:
                self._give_up(now, lane.size)
                lane.size = 0
            else:
                pause = retry_delay_ms(lane.attempts)
                lane.timer = self._add(now + pause, TIMER, at, lane.number, now)
        self._work(at, now)
