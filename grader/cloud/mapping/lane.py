"""One lane of a shard: the records that wait in it, and the batch that is being tried."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from grader.cloud.clock import Event
from grader.cloud.dynamodb.records import Record
from grader.cloud.mapping.decide import Batch
from grader.cloud.mapping.ports import Result


class Lane:
    """Records that wait for their turn; those that are at work, and what is known of the call."""

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


def lane_of(key: str, lanes: int) -> int:
    """The lane, from 0, that a shard's records of one item go to.

    Similar keys have checksums that differ in a few bits only, and a stream may divide its keys
    among shards by the same checksum: the multiplication scatters them.
    """
    checksum = zlib.crc32(key.encode("utf-8", "surrogatepass"))
    return (checksum * 0x9E3779B1 >> 13 & 0x7FFFF) % lanes
