"""One shard of a stream: a run of records, read by position, forgotten after 24 hours.

A *position* is a sequence number from which to read on: the record with that number, or the first
one after it. Times are integer milliseconds since the epoch.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import attrgetter

from grader.cloud.dynamodb.records import Record

# "Records live 24 h": https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
RETENTION_MS = 86_400_000
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
PAGE_RECORDS = 1_000
PAGE_BYTES = 1_048_576


class Shard:
    """A run of records; open until it gets an ``ending_sequence``.

    ``hashes`` is the half-open range of partition-key hashes that it takes.
    """

    __slots__ = (
        "_bytes_before",
        "_in_time_order",
        "_latest",
        "_running_bytes",
        "_sequences",
        "_trimmed_to",
        "closed_ms",
        "ending_sequence",
        "hashes",
        "id",
        "parent_id",
        "records",
        "starting_sequence",
    )

    def __init__(
        self, id: str, parent_id: str | None, starting_sequence: int, hashes: tuple[int, int]
    ) -> None:
        self.id = id
        self.parent_id = parent_id
        self.starting_sequence = starting_sequence
        self.ending_sequence: int | None = None
        self.closed_ms: int | None = None
        self.hashes = hashes
        self.records: list[Record] = []
        # Beside each record: its number, and the bytes of the shard up to and including it.
        self._sequences: list[int] = []
        self._running_bytes: list[int] = []
        self._bytes_before = 0
        self._latest = starting_sequence
        self._trimmed_to = starting_sequence
        # A record time that somebody chose may go back; then positions by time are looked up
        # one by one.
        self._in_time_order = True

    def __repr__(self) -> str:
        return f"Shard({self.id!r}, {len(self.records)} records)"

    def append(self, record: Record) -> None:
        """Take the next record. Its number is above every number before it."""
        sequence = record.sequence
        running = self._running_bytes
        before = running[-1] if running else self._bytes_before
        if self.records and record.time_ms < self.records[-1].time_ms:
            self._in_time_order = False
        self.records.append(record)
        self._sequences.append(sequence)
        running.append(before + record.size)
        self._latest = sequence + 1

    def read(
        self, position: int, limit: int = PAGE_RECORDS, max_bytes: int = PAGE_BYTES
    ) -> list[Record]:
        """The untrimmed records from ``position`` on, at most ``limit`` and ``max_bytes``.

        At least one when there is any: a record larger than ``max_bytes`` is not stuck for ever.
        Trimmed means: as of the last ``horizon`` call.
        """
        first = bisect_left(self._sequences, max(position, self._trimmed_to))
        running = self._running_bytes
        end = min(first + limit, len(running))
        if end <= first:
            return []
        before = running[first - 1] if first else self._bytes_before
        if running[end - 1] - before > max_bytes:
            end = max(bisect_right(running, before + max_bytes, first, end), first + 1)
        return self.records[first:end]

    def latest_position(self) -> int:
        """The position after the newest record."""
        return self._latest

    def go_to(self, position: int) -> None:
        """Take up a shard where another one stood: what lay before ``position`` is known."""
        self._latest = max(self._latest, position)
        if self.records:
            self._trimmed_to = self.records[0].sequence

    def bytes_between(self, position: int, end: int) -> int:
        """The size in bytes of the records from ``position`` up to, not including, ``end``."""
        first = bisect_left(self._sequences, position)
        last = bisect_left(self._sequences, end)
        return self._bytes_up_to(last) - self._bytes_up_to(first)

    def _bytes_up_to(self, index: int) -> int:
        return self._running_bytes[index - 1] if index else self._bytes_before

    def horizon(self, now_ms: int) -> int:
        """The first position that is not trimmed: records older than 24 h are gone."""
        records = self.records
        kept_since = now_ms - RETENTION_MS
        if not records or records[0].time_ms >= kept_since:
            return self._trimmed_to
        gone = self.first_since(kept_since)
        self._trimmed_to = self._sequences[gone - 1] + 1
        # Emptying a list from the left moves all the rest: do it in large steps only.
        if gone * 4 >= len(records) or gone >= 65_536:
            self._bytes_before = self._running_bytes[gone - 1]
            del records[:gone]
            del self._sequences[:gone]
            del self._running_bytes[:gone]
        return self._trimmed_to

    def first_since(self, time_ms: int) -> int:
        """The index in ``records`` of the first one created at ``time_ms`` or later."""
        if self._in_time_order:
            return bisect_left(self.records, time_ms, key=attrgetter("time_ms"))
        later = (at for at, record in enumerate(self.records) if record.time_ms >= time_ms)
        return next(later, len(self.records))

    def is_drained(self, position: int) -> bool:
        """Whether the shard is closed and holds nothing from ``position`` on."""
        return self.ending_sequence is not None and position >= self._latest
