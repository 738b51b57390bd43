"""One shard of one mapping: read pages, filter, form batches, hand them over, do what is decided.

A shard has one lane for each unit of ParallelizationFactor. A lane hands over one batch at a time
and is the place where a failing batch waits; the others go on. What follows from an invocation is
not decided here but in ``decide.py``.

Time is virtual. The shard is polled on a grid of 250 ms, but an idle shard has no event in the
clock: it sleeps until a write wakes it, then goes on at the next point of the grid.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any

from grader.cloud.clock import Event
from grader.cloud.dynamodb.records import Record
from grader.cloud.dynamodb.shard import RETENTION_MS, Shard
from grader.cloud.mapping import journal as note
from grader.cloud.mapping.choices import UNREADABLE_PAUSE_MS, poll_phase_ms, throttle_pause_ms
from grader.cloud.mapping.dealt import Dealt
from grader.cloud.mapping.decide import (
    Advance,
    Batch,
    Discard,
    Partial,
    Retry,
    Split,
    decide,
    is_over_age,
)
from grader.cloud.mapping.filters import matches_any
from grader.cloud.mapping.grid import POLL_MS, POLL_ORDER, TIMER_ORDER, next_poll_ms
from grader.cloud.mapping.host import CALL_FAILED, OK, Host
from grader.cloud.mapping.lane import Lane, lane_of
from grader.cloud.mapping.meter import Minute
from grader.cloud.mapping.payload import fitting, may_exceed, room, size_of
from grader.cloud.mapping.ports import Result
from grader.cloud.mapping.windows import TumblingWindow, window_at

_THROTTLED = Result("throttled")


class ShardPoller(Dealt):
    """The polling of one shard from ``position``, a sequence number to read from.

    ``number`` counts the mapping's shards from 1. ``finished`` is called once, when the shard is
    closed and everything in it has been dealt with.
    """

    def __init__(
        self, host: Host, shard: Shard, number: int, position: int, finished: Callable[[], None]
    ) -> None:
        super().__init__(host, shard, number)
        self.position = position
        self.is_finished = False
        self._finished = finished
        # Whether the last page ended because it was full.
        self._behind = False
        # What a stopped poller had read and not finished; the next start begins with it.
        self._leftover: list[Record] = []
        self._window: TumblingWindow | None = None
        self._window_timer: Event | None = None
        self._running = False
        self._stopping = False
        self._start_again = False
        self._working = False
        self._work_again = False
        # Asleep: nothing to read, somebody would take it, no event in the clock.
        self._asleep = False
        self._idle_since: int | None = None
        self._tick: Event | None = None
        # The shard is polled every POLL_MS, so much behind the mapping's beginning.
        self._phase_ms = poll_phase_ms(number - 1, host.seed)

    # -- start and stop --------------------------------------------------------------------

    def start(self) -> None:
        """Poll, with the mapping's settings as they are now."""
        if self._stopping:
            self._start_again = True
            return
        if self._running or self.is_finished:
            return
        self._running = True
        now = self.host.clock.now
        before, self.settings = self.settings, self.host.settings
        if before.tumbling_window_ms != self.settings.tumbling_window_ms:
            self._window = None
        self._lanes = [Lane(number, now) for number in range(1, self.settings.parallelization + 1)]
        for lane in self._lanes:
            lane.done = partial(self._answered, lane)
        self._log(note.ShardStarted, self.shard.id, self.position)
        if self._leftover:
            leftover, self._leftover = self._leftover, []
            self._queue(leftover, size_of(leftover))
        if self._window is not None:
            self._await_window_end(self._window)
        self._behind = False
        self._schedule_poll()

    def stop(self) -> None:
        """Stop polling. Running invocations finish and count; waiting batches go back."""
        self._start_again = False
        if not self._running or self._stopping:
            return
        self._stopping = True
        self._end_idle(self.host.clock.now)
        self._asleep = False
        for event in (self._tick, self._window_timer, *(lane.timer for lane in self._lanes)):
            if event is not None:
                event.cancel()
        self._tick = self._window_timer = None
        self._halt_when_quiet()

    def _halt_when_quiet(self) -> None:
        if any(lane.busy for lane in self._lanes):
            return
        self._leftover = self._unsettled()
        self._lanes = []
        self._order.clear()
        self._done_ahead.clear()
        self._running = self._stopping = False
        if self._start_again:
            self._start_again = False
            self.start()

    def pending(self) -> list[Record]:
        """The records that are neither dealt with nor trimmed, in order; unread ones too."""
        now = self.host.clock.now
        found = [r for r in self._unsettled() if r.time_ms >= now - RETENTION_MS]
        position = max(self.position, self.shard.horizon(now))
        while page := self.shard.read(position):
            found += page
            position = page[-1].sequence + 1
        return found

    def _unsettled(self) -> list[Record]:
        """Everything read and not dealt with, in order."""
        found = list(self._leftover)
        for lane in self._lanes:
            found += lane.unsettled()
        return sorted(found, key=attrgetter("sequence"))

    # -- reading ---------------------------------------------------------------------------

    def wake(self) -> None:
        """Something was written to the shard, or the shard was closed."""
        if self._asleep:
            self._asleep = False
            self._schedule_poll()

    def flush(self) -> None:
        """Count the empty polls up to now."""
        if self._idle_since is not None:
            since, self._idle_since = self._idle_since, self.host.clock.now
            self._count_empty_polls(since, self._idle_since)

    def _schedule_poll(self) -> None:
        if self._tick is None:
            clock = self.host.clock
            at = next_poll_ms(self.host.began_ms + self._phase_ms, clock.now)
            self._tick = clock.at(at, self._poll, order=POLL_ORDER)

    def _poll(self) -> None:
        """A point of the grid has come: look at the shard."""
        self._tick = None
        # This poll counts itself, if it reads; the empty ones before it are counted here.
        self._end_idle(self.host.clock.now - 1)
        if self._wants_more():
            self._read()
        self._work()

    def _read(self) -> None:
        """One GetRecords call: up to 1,000 records or 1 MB.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
        """
        shard = self.shard
        now = self.host.clock.now
        if self.host.readable is not None and (problem := self.host.problem()) is not None:
            self._log(note.Unreadable, problem)
            self._behind = False
            self._tick = self.host.clock.after(UNREADABLE_PAUSE_MS, self._poll, order=POLL_ORDER)
            return
        minute = self.host.meter.minute(now)
        horizon = shard.horizon(now)
        if horizon > self.position:
            self._log(note.Trimmed, (), self.position, horizon)
            self.position = horizon
        page = shard.read(self.position)
        if not page:
            self._behind = False
            minute.empty_polls += 1
            return
        size = shard.bytes_between(self.position, page[-1].sequence + 1)
        minute.pages.append(len(page))
        minute.page_bytes.append(size)
        self._last_read = page[-1].sequence
        self.position = self._last_read + 1
        self._behind = self.position < shard.latest_position()
        if self.host.journal is not None:
            self._log(note.Polled, page)
        self._queue(page, size)

    def _queue(self, records: list[Record], size: int) -> None:
        """Filter records of ``size`` bytes and put them into their lanes."""
        passed, out = records, list[Record]()
        if self.settings.filters:
            # Before batching, so that filtered records do not count towards the batch size.
            # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
            filters = self.settings.filters
            passed = []
            for record in records:
                (passed if matches_any(filters, record.event) else out).append(record)
            if out:
                self.host.meter.minute(self.host.clock.now).filtered += len(out)
                self._log(note.Filtered, out)
        with_state = bool(self.settings.tumbling_window_ms)
        heavy = may_exceed(size, len(records), with_state=with_state)
        lanes = self._lanes
        if len(lanes) == 1:
            lane = lanes[0]
            # Two light pages can make a heavy queue: it is known to be light while it is one page.
            lane.heavy = heavy or lane.waiting() > 0
            lane.add(passed)
            if lane.is_settled() and self._last_read is not None:
                # Nothing passed: the iterator moves on all the same.
                self._move_checkpoint(self._last_read)
            return
        self._order.extend(records)
        if len(passed) < len(records):
            self._done_ahead.update(record.sequence for record in out)
            self._settle_order()
        shares: list[list[Record]] = [[] for _ in lanes]
        for record in passed:
            # One item, one lane: order is promised per item.
            # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
            shares[lane_of(record.key, len(lanes))].append(record)
        for lane, share in zip(lanes, shares, strict=True):
            if share:
                lane.heavy = heavy or lane.waiting() > 0
                lane.add(share)

    # -- working ---------------------------------------------------------------------------

    def _work(self) -> None:
        """Let every lane do what it can at this moment; then see when to look again."""
        if self._working:
            self._work_again = True
            return
        self._working = True
        while True:
            self._work_again = False
            for lane in self._lanes:
                self._run(lane)
            if self._stopping:
                break
            # The page ended because it was full: fill the lanes that could take more.
            if self._behind and self._wants_more():
                self._read()
            elif not self._work_again:
                break
        self._working = False
        if self._stopping:
            self._halt_when_quiet()
        else:
            self._rest()

    def _wants_more(self) -> bool:
        """Whether a lane could use more records than it has."""
        size = self.settings.batch_size
        for lane in self._lanes:
            if lane.batch is None and not lane.later and len(lane.queue) - lane.head < size:
                return True
        return False

    def _rest(self) -> None:
        """Nothing more can be done at this moment: sleep, wait for a lane, or end."""
        if self._tick is not None or not self._running:
            return
        if (
            self._window is None
            and self.shard.is_drained(self.position)
            and all(lane.is_settled() for lane in self._lanes)
        ):
            self._running = self._asleep = False
            self.is_finished = True
            self._end_idle(self.host.clock.now)
            self._log(note.ShardFinished)
            self._finished()
        elif not self._wants_more():
            self._asleep = False
            self._end_idle(self.host.clock.now)
        else:
            if self._idle_since is None:
                self._idle_since = self.host.clock.now
            if self.position < self.shard.latest_position():
                self._schedule_poll()
            else:
                self._asleep = True

    def _run(self, lane: Lane) -> None:
        """Hand over batch after batch, until the lane has to wait for something."""
        while not (lane.busy or self._stopping):
            batch = lane.batch
            if batch is not None:
                if lane.timer is not None:  # the pause before a retry
                    return
            elif lane.later:
                batch = lane.later.pop()
            else:
                batch = self._next_batch(lane)
                if batch is None:
                    return
            lane.batch = batch
            self._hand_over(lane, batch)

    def _next_batch(self, lane: Lane) -> Batch | None:
        """The next batch from the lane's queue, None while it is not complete.

        A batch is complete when its window has elapsed, when it has BatchSize records, or when it
        reaches 6 MB; without a window, whatever is there is complete.
        https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
        """
        count = len(lane.queue) - lane.head
        size = self.settings.batch_size
        ending = False
        if self.settings.tumbling_window_ms:
            # A batch stays inside one tumbling window, and a closing call follows the last one.
            count, ending = self._count_in_window(lane, count)
            if ending and not count:
                return self._form(lane, 0, "tumbling window", ends_window=True)
        if count >= size:
            count, why = size, "size"
        elif not count or (self._behind and not ending):
            return None
        else:
            why = "available"
        if lane.heavy:
            arn = self.host.stream.arn
            left = room(self._window, shard_id=self.shard.id, stream_arn=arn)
            fits = fitting(lane.queue, lane.head, count, left)
            if fits < count:
                return self._form(lane, fits, "bytes")
        if why == "available":
            if ending:
                why = "tumbling window"
            elif self.settings.window_ms:
                if not self._window_elapsed(lane):
                    return None
                why = "window"
        return self._form(lane, count, why)

    def _form(self, lane: Lane, count: int, why: str, ends_window: bool = False) -> Batch:
        host = self.host
        lane.deadline_ms = None
        if lane.timer is not None:
            lane.cancel_timer()
        head = lane.head
        lane.head = end = head + count
        host.batches = number = host.batches + 1
        batch = Batch(lane.queue[head:end], number)
        if ends_window:
            batch.ends_window = True
            batch.formed_ms = host.clock.now
        if host.journal is not None:
            self._log(note.Formed, lane.number, batch, why)
        return batch

    def _window_elapsed(self, lane: Lane) -> bool:
        """Whether the batching window is over; if not, the lane's timer is set to its end.

        "The next window begins when the invocation finishes": windows follow each other from
        there on. https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
        """
        clock = self.host.clock
        if lane.deadline_ms is None:
            length = self.settings.window_ms
            windows = max(1, -(-(clock.now - lane.free_since_ms) // length))
            lane.deadline_ms = lane.free_since_ms + windows * length
        if clock.now >= lane.deadline_ms:
            return True
        if lane.timer is None:
            lane.timer = clock.at(
                lane.deadline_ms, partial(self._pause_over, lane), order=TIMER_ORDER
            )
        return False

    def _pause_over(self, lane: Lane) -> None:
        lane.timer = None
        self._work()

    # -- tumbling windows ------------------------------------------------------------------

    def _count_in_window(self, lane: Lane, waiting: int) -> tuple[int, bool]:
        """How many waiting records belong to the open window, and whether it is ending.

        Opens a window for the first record. https://docs.aws.amazon.com/lambda/latest/dg/
        services-ddb-windows.html
        """
        window = self._window
        if window is None:
            if not waiting:
                return 0, False
            first = lane.queue[lane.head]
            window = window_at(first.time_ms, self.settings.tumbling_window_ms)
            self._window = window
            self._log(note.WindowChanged, window.start_ms, window.end_ms, "opened")
            self._await_window_end(window)
        if window.too_large:
            return 0, True
        # A batch holds at most BatchSize records: what is behind them need not be looked at.
        seen = min(waiting, self.settings.batch_size)
        for at in range(seen):
            if lane.queue[lane.head + at].time_ms >= window.end_ms:
                return at, True
        end = waiting
        if seen < waiting:
            return end, False
        everything_read = self.position >= self.shard.latest_position()
        over = self.host.clock.now >= window.end_ms or self.shard.ending_sequence is not None
        return end, everything_read and over

    def _await_window_end(self, window: TumblingWindow) -> None:
        if self._window_timer is not None:
            self._window_timer.cancel()
        self._window_timer = self.host.clock.at(
            window.end_ms, self._window_is_over, order=TIMER_ORDER
        )

    def _window_is_over(self) -> None:
        self._window_timer = None
        self._work()

    def _leave_window(self, what: str) -> None:
        window, self._window = self._window, None
        if self._window_timer is not None:
            self._window_timer.cancel()
            self._window_timer = None
        if window is not None:
            self._log(note.WindowChanged, window.start_ms, window.end_ms, what)

    # -- handing over ----------------------------------------------------------------------

    def _hand_over(self, lane: Lane, batch: Batch) -> None:
        """Drop what is too old, then invoke the function with the rest."""
        host = self.host
        now = host.clock.now
        if batch.records:
            if batch.records[0].time_ms < now - RETENTION_MS:
                batch = self._drop_trimmed(lane, batch)
            if self.settings.max_age_ms >= 0:
                batch = self._drop_over_age(lane, batch)
            if not batch.records:
                return
        elif is_over_age(batch, self.settings, now):
            lane.batch = None
            self._leave_window("given up")
            return
        records = batch.records
        minute = host.meter.minute(now)
        minute.handed += len(records)
        if records:
            minute.ages.append(now - records[-1].time_ms)
        event: dict[str, Any] = {"Records": [record.event for record in records]}
        if self._window is not None:
            event = self._window.event(
                event["Records"],
                final=batch.ends_window,
                shard_id=self.shard.id,
                stream_arn=host.stream.arn,
            )
        if host.journal is not None:
            attempt = batch.invocations + 1
            self._log(note.Invoked, lane.number, batch, attempt, host.function.name, event)
        if host.concurrency is None:
            host.in_flight = running = host.in_flight + 1
        elif host.concurrency.acquire(host.function.name):
            lane.function_name = host.function.name
            running = host.concurrency.running(lane.function_name)
            minute.stands(host.concurrency)
        else:
            self._settle(lane, batch, _THROTTLED, minute)
            return
        minute.running.append(running)
        lane.started_ms = now
        lane.busy = lane.inside = True
        host.function.invoke(event, lane.done)
        lane.inside = False
        result = lane.result
        if result is not None:
            lane.result = None
            self._settle(lane, batch, result, minute)

    def _answered(self, lane: Lane, result: Result) -> None:
        """The function's answer."""
        if lane.inside:
            lane.result = result
            return
        assert lane.batch is not None
        # A metric is stamped with the invocation's start, however long it takes.
        # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        self._settle(lane, lane.batch, result, self.host.meter.minute(lane.started_ms))
        self._work()

    def _settle(self, lane: Lane, batch: Batch, result: Result, started: Minute) -> None:
        """Count how the invocation ended, decide what follows, and do it.

        ``started`` is the minute of the invocation's start.
        """
        host = self.host
        lane.free_since_ms = host.clock.now
        if lane.busy:
            lane.busy = False
            if host.concurrency is None:
                host.in_flight -= 1
            else:
                host.concurrency.release(lane.function_name)
        if result.kind == "throttled":
            started.throttles += 1
        else:
            started.durations.append(result.duration_ms)
            if result.kind == "error":
                started.errors += 1

        decision = decide(batch, result, self.settings)

        if host.journal is not None:
            if result.kind != "throttled":
                self._log(note.Ended, lane.number, batch, batch.invocations + 1, result)
            self._log(note.Decided, lane.number, batch, decision)
        if isinstance(decision, Advance):
            host.last_result = OK
            lane.batch = None
            if self._window is not None:
                self._keep_state(self._window, batch, result)
            self._done(lane, batch.records)
            return
        # FailedInvokeEventCount is stamped with the end of the call.
        minute = host.meter.minute(host.clock.now)
        if isinstance(decision, Partial):
            host.last_result = OK
            minute.failed += len(decision.rest.records)
            if self._window is not None:
                self._keep_state(self._window, batch, result)
            lane.batch = decision.rest
            self._pause(lane, decision.delay_ms)
            self._done(lane, batch.records[: len(batch.records) - len(decision.rest.records)])
            return
        host.last_result = CALL_FAILED
        minute.failed += len(batch.records)
        if isinstance(decision, Retry):
            lane.batch = again = decision.batch
            pause_ms = decision.delay_ms
            if result.kind == "throttled":
                pause_ms = throttle_pause_ms(
                    pause_ms, self._phase_ms, lane.number - 1, again.throttles
                )
                self._log(note.Throttled, lane.number, batch, pause_ms)
            self._pause(lane, pause_ms)
        elif isinstance(decision, Split):
            lane.batch = decision.first
            lane.later.append(decision.second)
            self._pause(lane, decision.delay_ms)
        elif isinstance(decision, Discard):
            lane.batch = None
            if batch.ends_window:
                self._leave_window("given up")
            else:
                self._discard(lane, decision)

    def _pause(self, lane: Lane, delay_ms: int) -> None:
        if delay_ms and not self._stopping:
            lane.timer = self.host.clock.after(
                delay_ms, partial(self._pause_over, lane), order=TIMER_ORDER
            )

    def _keep_state(self, window: TumblingWindow, batch: Batch, result: Result) -> None:
        if batch.ends_window:
            self._leave_window("cut short" if window.too_large else "closed")
        else:
            window.keep(result.payload["state"])

    # -- small things ----------------------------------------------------------------------

    def _end_idle(self, until_ms: int) -> None:
        if self._idle_since is not None:
            since, self._idle_since = self._idle_since, None
            self._count_empty_polls(since, until_ms)

    def _count_empty_polls(self, after_ms: int, until_ms: int) -> None:
        """Count the points of the grid in (after_ms, until_ms] as polls that found nothing."""
        if until_ms > after_ms:
            anchor_ms = self.host.began_ms + self._phase_ms
            self.host.meter.empty_polls(after_ms, until_ms, anchor_ms, POLL_MS)
