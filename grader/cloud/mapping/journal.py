"""What a mapping did, step by step: one small typed entry for everything that happened.

The journal is for people: a timeline prints it, a finding quotes it. Things are named by their
role ("batch 2, first half", "attempt 3"), never by a generated id; shards and lanes are counted
from 1 in the order in which the mapping took them up. ``str(entry)`` is a sentence.

A mapping without a journal remembers nothing of this, so that a long simulation stays small.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from grader.cloud.dynamodb.records import Record
from grader.cloud.mapping.decide import Batch, Decision
from grader.cloud.mapping.ports import Delivery, Result


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened at ``time_ms`` (virtual milliseconds since the epoch)."""

    time_ms: int


@dataclass(frozen=True, slots=True)
class StateChanged(Entry):
    """The mapping is now in ``state``, because of ``reason``."""

    state: str
    reason: str

    def __str__(self) -> str:
        return f"the mapping is {self.state} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Unreadable(Entry):
    """A poll failed: the stream cannot be read, for ``reason``."""

    shard: int
    reason: str

    def __str__(self) -> str:
        return f"shard {self.shard}: the stream cannot be read: {self.reason}"


@dataclass(frozen=True, slots=True)
class ShardStarted(Entry):
    """Polling of a shard began at sequence number ``position``."""

    shard: int
    shard_id: str
    position: int

    def __str__(self) -> str:
        return f"shard {self.shard}: polling begins"


@dataclass(frozen=True, slots=True)
class ShardFinished(Entry):
    """A closed shard has been read and processed to its end; its children may begin."""

    shard: int

    def __str__(self) -> str:
        return f"shard {self.shard}: closed and processed to its end"


@dataclass(frozen=True, slots=True)
class Polled(Entry):
    """One GetRecords page that held records. Empty polls are not kept."""

    shard: int
    records: Sequence[Record]

    def __str__(self) -> str:
        return f"shard {self.shard}: polled {_count(self.records)}"


@dataclass(frozen=True, slots=True)
class Filtered(Entry):
    """Records that no filter let through; they are never delivered."""

    shard: int
    records: Sequence[Record]

    def __str__(self) -> str:
        return f"shard {self.shard}: {_count(self.records)} filtered out"


@dataclass(frozen=True, slots=True)
class Trimmed(Entry):
    """Records that left the stream at 24 hours before they were processed.

    ``records`` holds those that had been read; what was trimmed before that is only known as
    the positions from ``from_position`` up to ``to_position``, None when there are none.
    """

    shard: int
    records: Sequence[Record] = ()
    from_position: int | None = None
    to_position: int | None = None

    def __str__(self) -> str:
        what = _count(self.records) if self.records else "unread records"
        return f"shard {self.shard}: {what} trimmed from the stream after 24 hours, and lost"


@dataclass(frozen=True, slots=True)
class Formed(Entry):
    """A batch was put together.

    ``why`` is what closed it: "size" (BatchSize), "window" (the batching window elapsed),
    "bytes" (6 MB), "available" (no window: whatever is there) or "tumbling window" (its end).
    """

    shard: int
    lane: int
    batch: Batch
    why: str

    def __str__(self) -> str:
        return f"{self.batch.name} formed: {_count(self.batch.records)}, closed by {self.why}"


@dataclass(frozen=True, slots=True)
class Invoked(Entry):
    """The batch was handed to the function; ``attempt`` counts from 1 for these records.

    ``function`` is its name and ``event`` what it was to receive. A throttled attempt is an entry
    too.
    """

    shard: int
    lane: int
    batch: Batch
    attempt: int
    function: str
    event: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.batch.name}, attempt {self.attempt}: {_count(self.batch.records)}"


@dataclass(frozen=True, slots=True)
class Ended(Entry):
    """The invocation ended with ``result``."""

    shard: int
    lane: int
    batch: Batch
    attempt: int
    result: Result

    def __str__(self) -> str:
        how: str = self.result.kind
        if how == "error" and self.result.error_type:
            how = f"error {self.result.error_type}"
        return f"{self.batch.name}, attempt {self.attempt}: {how}"


@dataclass(frozen=True, slots=True)
class Throttled(Entry):
    """The function did not start; the batch goes out again after ``delay_ms``."""

    shard: int
    lane: int
    batch: Batch
    delay_ms: int

    def __str__(self) -> str:
        return f"{self.batch.name}: throttled, next attempt in {self.delay_ms / 1000:g} s"


@dataclass(frozen=True, slots=True)
class Decided(Entry):
    """What follows from the invocation that ended, with the rule and its source."""

    shard: int
    lane: int
    batch: Batch
    decision: Decision

    def __str__(self) -> str:
        return f"{self.batch.name}: {type(self.decision).__name__.lower()}. {self.decision.rule}"


@dataclass(frozen=True, slots=True)
class Discarded(Entry):
    """The batch was given up for ``condition``.

    ``delivery`` is the failure note, None when the mapping has no destination; ``failure`` says
    why the note did not arrive, None when it did or when there was none. ``rule`` and ``source``
    are those of the decision, which for records that are too old is no answer to an invocation.
    """

    shard: int
    lane: int
    batch: Batch
    condition: str
    delivery: Delivery | None = None
    failure: str | None = None
    rule: str = ""
    source: str = ""

    def __str__(self) -> str:
        if self.delivery is None:
            fate = "no destination, so nothing is left of them"
        elif self.failure is None:
            fate = "note delivered"
        else:
            fate = f"the note did not arrive: {self.failure}"
        count = _count(self.batch.records)
        return f"{self.batch.name}: {count} discarded, {self.condition}; {fate}"

    @property
    def noted(self) -> bool:
        """Whether a note about these records reached the destination."""
        return self.delivery is not None and self.failure is None


@dataclass(frozen=True, slots=True)
class Checkpointed(Entry):
    """Everything in the shard up to the sequence number ``checkpoint`` is settled."""

    shard: int
    checkpoint: int

    def __str__(self) -> str:
        return f"shard {self.shard}: checkpoint moved"


@dataclass(frozen=True, slots=True)
class WindowChanged(Entry):
    """A tumbling window of the shard: ``what`` is "opened", "closed", "cut short" or "given up"."""

    shard: int
    start_ms: int
    end_ms: int
    what: str

    def __str__(self) -> str:
        return f"shard {self.shard}: tumbling window {self.what}"


E = TypeVar("E", bound=Entry)


@dataclass(slots=True)
class Journal:
    """The entries of one mapping, oldest first."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Append an entry."""
        self.entries.append(entry)

    def forget(self, most: int) -> None:
        """Keep the last ``most`` entries, and of those before where each shard began."""
        if len(self.entries) > most:
            gone = self.entries[:-most]
            self.entries[:-most] = [one for one in gone if isinstance(one, ShardStarted)]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def of(self, kind: type[E]) -> list[E]:
        """All entries of one type, in order."""
        return [entry for entry in self.entries if isinstance(entry, kind)]


def _count(records: Sequence[Record]) -> str:
    return "1 record" if len(records) == 1 else f"{len(records)} records"
