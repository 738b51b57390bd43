"""One shard of one mapping: read pages, filter, form batches, hand them over, do what is decided.

A shard has one lane for each unit of ParallelizationFactor. A lane hands over one batch at a time
and is the place where a failing batch waits; the others go on. What follows from an invocation is
not decided here but in ``decide.py``.

Time is virtual. The shard is polled on a grid of 250 ms, but an idle shard has no event in the
clock: it sleeps until a write wakes it, then goes on at the next point of the grid.
"""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from grader.cloud.clock import Clock, Event
from grader.cloud.dynamodb.records import Record
from grader.cloud.dynamodb.stream import RETENTION_MS, Shard, Stream
from grader.cloud.mapping import journal as note
from grader.cloud.mapping.choices import UNREADABLE_PAUSE_MS, poll_phase_ms, throttle_pause_ms
from grader.cloud.mapping.concurrency import Concurrency
from grader.cloud.mapping.decide import (
    AGE_EXCEEDED,
    ERRORS,
    Advance,
    Batch,
    Discard,
    Partial,
    Retry,
    Split,
    decide,
    is_over_age,
    over_age_prefix,
)
from grader.cloud.mapping.destinations import failure_note, why_impossible
from grader.cloud.mapping.filters import matches_any
from grader.cloud.mapping.grid import POLL_MS, POLL_ORDER, TIMER_ORDER, next_poll_ms
from grader.cloud.mapping.journal import Entry, Journal
from grader.cloud.mapping.meter import Meter, Minute
from grader.cloud.mapping.names import executed_version
from grader.cloud.mapping.ports import Destinations, Function, Result
from grader.cloud.mapping.settings import Settings
from grader.cloud.mapping.windows import STATE_LIMIT, TumblingWindow, window_at

# The synchronous invocation payload: https://docs.aws.amazon.com/lambda/latest/dg/
# invocation-eventsourcemapping.html
PAYLOAD_BYTES = 6 * 1024 * 1024
# No record's JSON is larger than this many times its size plus this many bytes: the costliest
# attribute is a boolean with a name of one letter (2 bytes become 19).
_JSON_TIMES = 10
_JSON_PLUS = 1024

_THROTTLED = Result("throttled")

# What LastProcessingResult says. https://docs.aws.amazon.com/lambda/latest/api/
# API_EventSourceMappingConfiguration.html; the texts are recorded.
OK = "OK"
CALL_FAILED = "PROBLEM: Function call failed"


@dataclass(slots=True)
class Host:
    """What the pollers of one mapping share. The mapping changes it, the pollers read it.

    ``last_result`` is written by them: the mapping's LastProcessingResult.
    """

    uuid: str
    settings: Settings
    stream: Stream
    function: Function
    clock: Clock
    meter: Meter
    destinations: Destinations
    journal: Journal | None
    readable: Callable[[], str | None] | None
    concurrency: Concurrency | None
    # When the mapping began to poll; each shard's grid of polls lies a phase of its own behind it.
    began_ms: int = 0
    seed: int = 0
    last_result: str = "No records processed"
    batches: int = 0
    in_flight: int = 0

    def problem(self) -> str | None:
        """Why the stream cannot be read now, None when it can."""
        found = self.readable() if self.readable is not None else None
        if found is not None:
            self.last_result = f"PROBLEM: {found}"
        return found


class Lane:
    """Records that wait for their turn, and the batch that is being tried."""

    __slots__ = (
        "batch",
        "busy",
        "deadline_ms",
        "done",
        "free_since_ms",
        "function_name",
        "head",
        "heavy",
        "inside",
        "later",
        "number",
        "queue",
        "result",
        "started_ms",
        "timer",
    )

    def __init__(self, number: int, now_ms: int) -> None:
        self.number = number
        # Records from `head` on wait; those before it have been taken.
        self.queue: list[Record] = []
        self.head = 0
        # Whether the queue may hold more JSON than fits one invocation.
        self.heavy = False
        # The batch that is handed over or waits for a retry, and the parts that follow it.
        self.batch: Batch | None = None
        self.later: list[Batch] = []
        # The function has the batch.
        self.busy = False
        # `inside` while the call to the function has not come back; an answer that arrives
        # meanwhile waits in `result`.
        self.inside = False
        self.result: Result | None = None
        self.done: Callable[[Result], None]
        self.started_ms = now_ms
        # Whose concurrency the running invocation takes.
        self.function_name = ""
        # When the last invocation finished, and when the batching window closes.
        self.free_since_ms = now_ms
        self.deadline_ms: int | None = None
        self.timer: Event | None = None

    def waiting(self) -> int:
        """How many records are in the queue."""
        return len(self.queue) - self.head

    def is_settled(self) -> bool:
        """Whether the lane has nothing left to do."""
        return self.batch is None and not self.later and len(self.queue) == self.head

    def add(self, records: list[Record]) -> None:
        """Queue records behind those that wait."""
        if len(self.queue) == self.head:
            self.queue, self.head = records, 0
        else:
            self.queue = self.queue[self.head :] + records
            self.head = 0

    def unsettled(self) -> list[Record]:
        """Every record of the lane that has not been dealt with."""
        batches = [] if self.batch is None else [self.batch]
        found = [record for batch in (*batches, *self.later) for record in batch.records]
        return found + self.queue[self.head :]

    def cancel_timer(self) -> None:
        """Forget the pending retry or window end."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class ShardPoller:
    """The polling of one shard from ``position``, a sequence number to read from.

    ``number`` counts the mapping's shards from 1. ``finished`` is called once, when the shard is
    closed and everything in it has been dealt with.
    """

    def __init__(
        self, host: Host, shard: Shard, number: int, position: int, finished: Callable[[], None]
    ) -> None:
        self.host = host
        self.settings = host.settings
        self.shard = shard
        self.number = number
        self.position = position
        # Everything up to here is dealt with; None before anything is.
        self.checkpoint: int | None = None
        self.is_finished = False
        self._finished = finished
        self._last_read: int | None = None
        # Whether the last page ended because it was full.
        self._behind = False
        self._lanes: list[Lane] = []
        # What a stopped poller had read and not finished; the next start begins with it.
        self._leftover: list[Record] = []
        # With several lanes: everything read and not behind the checkpoint, and which of it is
        # done already. With one lane the queue itself is that order.
        self._order: deque[Record] = deque()
        self._done_ahead: set[int] = set()
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
            self._queue(leftover, _size(leftover))
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
        return sorted(found, key=_sequence)

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
        room = PAYLOAD_BYTES
        if self.settings.tumbling_window_ms:
            room -= STATE_LIMIT + _JSON_PLUS
        heavy = size * _JSON_TIMES + len(records) * _JSON_PLUS > room

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
            fitting = _fitting(lane.queue, lane.head, count, self._room())
            if fitting < count:
                return self._form(lane, fitting, "bytes")
        if why == "available":
            if ending:
                why = "tumbling window"
            elif self.settings.window_ms:
                if not self._window_elapsed(lane):
                    return None
                why = "window"
        return self._form(lane, count, why)

    def _room(self) -> int:
        """How many bytes of an invocation's payload are left for records and their commas.

        All of the event counts, the state of a tumbling window and its members, too.
        https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
        """
        if self._window is None:
            return PAYLOAD_BYTES - len('{"Records":[]}')
        arn = self.host.stream.arn
        return PAYLOAD_BYTES - self._window.envelope_bytes(shard_id=self.shard.id, stream_arn=arn)

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
            minute.unreserved.append(host.concurrency.unreserved())
            minute.claimed.append(host.concurrency.claimed())
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

    # -- what is dealt with ----------------------------------------------------------------

    def _drop_trimmed(self, lane: Lane, batch: Batch) -> Batch:
        """Records that leave the stream after 24 hours are lost without a note."""
        kept_since = self.host.clock.now - RETENTION_MS
        count = 0
        while count < len(batch.records) and batch.records[count].time_ms < kept_since:
            count += 1
        gone, rest = batch.records[:count], batch.but(records=batch.records[count:])
        self._log(note.Trimmed, gone)
        lane.batch = rest if rest.records else None
        self._done(lane, gone)
        return rest

    def _drop_over_age(self, lane: Lane, batch: Batch) -> Batch:
        """Discard the records at the front that are above MaximumRecordAgeInSeconds."""
        count = over_age_prefix(batch, self.settings, self.host.clock.now)
        if not count:
            return batch
        rest = batch.but(records=batch.records[count:])
        lane.batch = rest if rest.records else None
        gone = batch.but(records=batch.records[:count])
        rule = "Records above MaximumRecordAgeInSeconds are dropped before the invocation."
        self._discard(lane, Discard(rule, ERRORS, gone, AGE_EXCEEDED))
        return rest

    def _discard(self, lane: Lane, discard: Discard) -> None:
        """Send a note about records that are given up, and move on."""
        host = self.host
        records = discard.batch.records
        destination = self.settings.destination
        minute = host.meter.minute(host.clock.now)
        delivery = failure = None
        if destination is not None:
            delivery = failure_note(
                discard,
                destination=destination,
                function_arn=host.function.arn,
                version=executed_version(host.function),
                stream_arn=host.stream.arn,
                shard_id=self.shard.id,
                mapping_uuid=host.uuid,
                now_ms=host.clock.now,
            )
            failure = why_impossible(destination) or host.destinations.send(delivery)
        # When the note cannot be written the records count as dropped.
        # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        if delivery is not None and failure is None:
            minute.delivered += len(records)
        else:
            minute.dropped += len(records)
            minute.destination_failures += delivery is not None
        self._log(note.Discarded, lane.number, discard.batch, discard.condition, delivery, failure)
        self._done(lane, records)

    def _done(self, lane: Lane, records: Sequence[Record]) -> None:
        """These records are dealt with, in whatever way."""
        if not records:
            return
        if len(self._lanes) == 1:
            last = records[-1].sequence
            if lane.head == len(lane.queue) and lane.is_settled() and self._last_read is not None:
                # What was read after them and does not wait was filtered out.
                last = self._last_read
            self.checkpoint = last
            if self.host.journal is not None:
                self._log(note.Checkpointed, last)
        else:
            self._done_ahead.update([record.sequence for record in records])
            self._settle_order()

    def _settle_order(self) -> None:
        """With several lanes the checkpoint stands before the oldest unfinished record."""
        order, done = self._order, self._done_ahead
        last = None
        while order and order[0].sequence in done:
            last = order.popleft().sequence
            done.remove(last)
        if last is not None:
            # With nothing unfinished, all that was read is done: also what was finished ahead
            # before a pause, which is not in the order any more.
            done_to = last if order or self._last_read is None else self._last_read
            self._move_checkpoint(done_to)

    def _move_checkpoint(self, sequence: int) -> None:
        self.checkpoint = sequence
        if self.host.journal is not None:
            self._log(note.Checkpointed, sequence)

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

    def _log(self, entry: Callable[..., Entry], *facts: object) -> None:
        """Write a journal entry about this shard."""
        if self.host.journal is not None:
            self.host.journal.add(entry(self.host.clock.now, self.number, *facts))


def lane_of(key: str, lanes: int) -> int:
    """The lane, from 0, that a shard's records of one item go to.

    Similar keys have checksums that differ in a few bits only, and a stream may divide its keys
    among shards by the same checksum: the multiplication scatters them.
    """
    checksum = zlib.crc32(key.encode("utf-8", "surrogatepass"))
    return (checksum * 0x9E3779B1 >> 13 & 0x7FFFF) % lanes


def _fitting(records: Sequence[Record], start: int, count: int, room: int) -> int:
    """How many of ``count`` records from ``start`` on fit into ``room`` bytes; at least 1."""
    chosen = records[start : start + count]
    if _size(chosen) * _JSON_TIMES + count * _JSON_PLUS <= room:
        return count
    total = -1  # one comma less than records
    for number, record in enumerate(chosen):
        text = json.dumps(record.event, separators=(",", ":"), ensure_ascii=False)
        total += len(text.encode("utf-8", "surrogatepass")) + 1
        if total > room:
            return max(number, 1)
    return count


def _size(records: Sequence[Record]) -> int:
    return sum([record.size for record in records])


def _sequence(record: Record) -> int:
    return record.sequence
