"""What is dealt with: the records of a shard that were processed, dropped or given up.

How far a shard has been dealt with is its checkpoint. Three things move it: a batch was processed,
records were discarded with a note, or they left the stream unprocessed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from grader.cloud.dynamodb.records import Record
from grader.cloud.dynamodb.shard import RETENTION_MS, Shard
from grader.cloud.mapping import journal as note
from grader.cloud.mapping.decide import AGE_EXCEEDED, ERRORS, Batch, Discard, over_age_prefix
from grader.cloud.mapping.destinations import failure_note, why_impossible
from grader.cloud.mapping.host import Host
from grader.cloud.mapping.journal import Entry
from grader.cloud.mapping.lane import Lane
from grader.cloud.mapping.names import executed_version


class Dealt:
    """One shard of one mapping: its lanes, and what has been dealt with in them.

    ``number`` counts the mapping's shards from 1.
    """

    def __init__(self, host: Host, shard: Shard, number: int) -> None:
        self.host = host
        self.settings = host.settings
        self.shard = shard
        self.number = number
        # Everything up to here is dealt with; None before anything is.
        self.checkpoint: int | None = None
        self._last_read: int | None = None
        self._lanes: list[Lane] = []
        # With several lanes: everything read and not behind the checkpoint, and which of it is
        # done already. With one lane the queue itself is that order.
        self._order: deque[Record] = deque()
        self._done_ahead: set[int] = set()

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
        facts = (discard.condition, delivery, failure, discard.rule, discard.source)
        self._log(note.Discarded, lane.number, discard.batch, *facts)
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
            self._move_checkpoint(last)
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

    def _log(self, entry: Callable[..., Entry], *facts: object) -> None:
        """Write a journal entry about this shard."""
        if self.host.journal is not None:
            self.host.journal.add(entry(self.host.clock.now, self.number, *facts))
