"""A mapping's journal as rows: each attempt of a batch, and what became of each record.

Every statement about a batch is an entry of the journal; this module only joins entries that belong
together. A lane tries one batch at a time, so that what ends there is what began there last.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from grader.cloud.mapping import (
    Advance,
    Decided,
    Decision,
    Discarded,
    Ended,
    Filtered,
    Formed,
    Invoked,
    Partial,
    Polled,
    Retry,
    ShardStarted,
    Split,
    StateChanged,
    Throttled,
    Trimmed,
    Unreadable,
    WindowChanged,
)
from grader.cloud.words import clean
from grader.replay.naming import Names, ranges, shard_ids

if TYPE_CHECKING:
    from grader.cloud.dynamodb import Record
    from grader.cloud.mapping import Result
    from grader.replay.scene import Handed, Reader, Scene

MOST_ANSWER = 600
# The setting that gives up records before they are handed over.
AGE_SETTING = "MaximumRecordAgeInSeconds"
Row = dict[str, Any]


class Attempts:
    """The rows of one scene; times are milliseconds since its start.

    ``fates`` are by a record's number; ``batch_of`` the number of a row by the ``id`` of its
    invocation.
    """

    def __init__(self, scene: Scene, names: Names) -> None:
        self.names, self._scene = names, scene
        self.rows: list[Row] = []
        self.rules: list[Row] = []
        self.notes: list[Row] = []
        self.throttles: list[Row] = []
        self.states: list[Row] = []
        self.fates: dict[int, list[Row]] = {}
        self.batch_of: dict[int, int] = {}
        self._invocations = {
            id(one.event): one for made in scene.functions.values() for one in made
        }
        for reader in scene.readers:
            _Journal(self, reader).read()
        for handed in scene.handed:
            self._handed(handed)
        for number, (table, record) in enumerate(names.records, start=1):
            self._rest(number, table, record)

    def at(self, time_ms: int) -> int:
        """A moment since the play's start."""
        return time_ms - self._scene.start_ms

    def add(self, row: Row) -> Row:
        """Number a row, and keep it."""
        self.rows.append({"id": len(self.rows) + 1, **row})
        return self.rows[-1]

    def numbers(self, records: Sequence[Record]) -> list[int]:
        """Records by their numbers."""
        return [self.names.number(one) for one in records]

    def shard(self, shard_id: str) -> int:
        """A shard by its number."""
        return self.names.shard_numbers[shard_id]

    def fate(
        self, records: Sequence[Record], by: str, how: str, at: int, batch: int | None, why: str
    ) -> None:
        """Say what became of records; each is dealt with once by each reader."""
        for number in self.numbers(records):
            known = self.fates.setdefault(number, [])
            if not any(one["by"] == by and one["how"] != "waiting" for one in known):
                known.append(_fate(by, how, at, batch, why))

    def rule(self, decision: Decision) -> int:
        """The number of a rule, with its source."""
        row = {"rule": decision.rule, "source": decision.source}
        if row not in self.rules:
            self.rules.append(row)
        return self.rules.index(row) + 1

    def invocation(self, event: object, row: int) -> None:
        """Note that the invocation with this event is the one of a row."""
        made = self._invocations.get(id(event))
        if made is not None:
            self.batch_of[id(made)] = row

    def answered(self, result: Result | None) -> Row:
        """How an invocation ended, in words without generated ids."""
        if result is None:
            return {"outcome": "running", "answer": None, "error": None}
        if result.kind == "returned":
            text = json.dumps(self.names.plain(result.payload), ensure_ascii=False)
            more = len(text) - MOST_ANSWER
            answer = f"{text[:MOST_ANSWER]}… ({more} more characters)" if more > 0 else text
            return {"outcome": "returned", "answer": answer, "error": None}
        message = clean(self.names.told(result.error_message or ""))[:MOST_ANSWER]
        kind = clean(result.error_type or "")
        return {"outcome": result.kind, "answer": None, "error": f"{kind}: {message}".strip(": ")}

    def _handed(self, handed: Handed) -> None:
        made = handed.invocation
        row = self.add(
            {
                "by": handed.by,
                "shard": None,
                "lane": made.environment,
                "batch": clean(handed.name),
                "attempt": handed.attempt,
                "formed": None,
                "closed_by": None,
                "start": self.at(made.start_ms),
                "end": None if made.end_ms is None else self.at(made.end_ms),
                "records": ranges(self.numbers(handed.records)),
                **self.answered(made.result),
                "decision": None,
                "rule": None,
                "setting": None,
                "next": None,
            }
        )
        self.batch_of[id(made)] = row["id"]
        if row["end"] is not None:
            self.fate(handed.done, handed.by, "done", row["end"], row["id"], "")

    def _rest(self, number: int, table: str, record: Record) -> None:
        """A record that some mapping of its stream has not dealt with waits, or was passed over."""
        shard = self.names.shard_of.get((table, record.sequence))
        for reader in self._scene.readers:
            known = self.fates.setdefault(number, [])
            if any(one["by"] == reader.name for one in known) or shard is None:
                continue
            starts = [one for one in reader.journal.of(ShardStarted) if one.shard_id == shard.id]
            # A mapping that reads this stream at all has taken up a shard of it.
            if not starts and not self._reads(reader, table):
                continue
            if starts and record.sequence < starts[0].position:
                why = "written before the position at which the mapping began"
                at = max(self.at(starts[0].time_ms), self.at(record.time_ms))
                known.append(
                    {"by": reader.name, "how": "lost", "at": at, "batch": None, "why": why}
                )
            else:
                known.append(
                    {"by": reader.name, "how": "waiting", "at": None, "batch": None, "why": ""}
                )

    def _reads(self, reader: Reader, table: str) -> bool:
        ids = set(shard_ids(reader.journal).values())
        return any(shard.id in ids for shard in self._scene.streams[table].shards)


class _Journal:
    """One mapping's journal while it is read."""

    def __init__(self, attempts: Attempts, reader: Reader) -> None:
        self.to, self.reader = attempts, reader
        self.by = reader.name
        self.ids = shard_ids(reader.journal)
        self.open: dict[tuple[int, int], Row] = {}
        self.formed: dict[tuple[int, int], tuple[int, str]] = {}

    def read(self) -> None:
        for entry in self.reader.journal:
            at = self.to.at(entry.time_ms)
            match entry:
                case StateChanged():
                    self._state(at, f"{entry.state} ({entry.reason})")
                case Unreadable() | WindowChanged():
                    self._state(at, str(entry))
                case Filtered():
                    self.to.fate(entry.records, self.by, "filtered", at, None, "")
                case Trimmed():
                    why = "it left the stream after 24 hours"
                    gone = entry.records or self._unread(entry)
                    self.to.fate(gone, self.by, "lost", at, None, why)
                    if not gone:
                        self._state(at, str(entry))
                case Formed():
                    self.formed[entry.shard, entry.batch.number] = (at, entry.why)
                case Invoked():
                    self._invoked(entry, at)
                case Ended():
                    self.open[entry.shard, entry.lane].update(
                        end=at, **self.to.answered(entry.result)
                    )
                case Throttled():
                    self._throttled(entry, at)
                case Decided():
                    self._decided(entry, at)
                case Discarded():
                    self._discarded(entry, at)
                case Polled() | _:
                    pass

    def _unread(self, entry: Trimmed) -> list[Record]:
        """What had left the stream before it was read, as far as it is known."""
        first, end = entry.from_position, entry.to_position
        if first is None or end is None:
            return []
        records = (record for _, record in self.to.names.records)
        return [one for one in records if first <= one.sequence < end]

    def _state(self, at: int, what: str) -> None:
        self.to.states.append({"at": at, "by": self.by, "what": clean(what)})

    def _row(self, entry: Invoked | Discarded, at: int, attempt: int) -> Row:
        formed = self.formed.get((entry.shard, entry.batch.number), (None, None))
        return self.to.add(
            {
                "by": self.by,
                "shard": self.to.shard(self.ids[entry.shard]),
                "lane": entry.lane,
                "batch": entry.batch.name,
                "attempt": attempt,
                "formed": formed[0],
                "closed_by": formed[1],
                "start": at,
                "end": None,
                "records": ranges(self.to.numbers(entry.batch.records)),
                "outcome": "running",
                "answer": None,
                "error": None,
                "decision": None,
                "rule": None,
                "setting": None,
                "next": None,
            }
        )

    def _invoked(self, entry: Invoked, at: int) -> None:
        row = self._row(entry, at, entry.attempt)
        self.open[entry.shard, entry.lane] = row
        self.to.invocation(entry.event, row["id"])

    def _throttled(self, entry: Throttled, at: int) -> None:
        row = self.open[entry.shard, entry.lane]
        row.update(next=at + entry.delay_ms)
        self.to.throttles.append({"at": at, "by": self.by, "batch": row["id"]})

    def _decided(self, entry: Decided, at: int) -> None:
        row = self.open[entry.shard, entry.lane]
        decision, records = entry.decision, entry.batch.records
        if row["end"] is None:
            row.update(end=at, outcome="throttled")
        row.update(
            decision=type(decision).__name__.lower(),
            rule=self.to.rule(decision),
            setting=self._setting(decision),
        )
        if isinstance(decision, Retry | Split | Partial):
            row["next"] = at + decision.delay_ms
        if isinstance(decision, Partial):
            records = records[: len(records) - len(decision.rest.records)]
        if isinstance(decision, Advance | Partial):
            self.to.fate(records, self.by, "done", at, row["id"], "")

    def _setting(self, decision: Decision) -> str | None:
        """The mapping's setting that decides in such a case, whether it is given or not."""
        if isinstance(decision, Advance | Partial):
            return "FunctionResponseTypes"
        if isinstance(decision, Split):
            return "BisectBatchOnFunctionError"
        return "MaximumRetryAttempts"

    def _discarded(self, entry: Discarded, at: int) -> None:
        row = self.open.get((entry.shard, entry.lane))
        numbers = ranges(self.to.numbers(entry.batch.records))
        if row is None or row["decision"] != "discard" or row["records"] != numbers:
            row = self._row(entry, at, 0)
            row.update(end=at, outcome="not invoked", decision="discard")
            row.update(rule=self.to.rule(Decision(entry.rule, entry.source)), setting=AGE_SETTING)
        how = "noted" if entry.noted else "lost"
        self.to.fate(entry.batch.records, self.by, how, at, row["id"], entry.condition)
        self.to.notes.append(
            {
                "at": at,
                "by": self.by,
                "batch": row["id"],
                "condition": entry.condition,
                "records": numbers,
                "arrived": entry.noted,
                "why": clean(entry.failure or "")
                if entry.delivery is not None
                else "the mapping has no destination",
            }
        )


def _fate(by: str, how: str, at: int | None, batch: int | None, why: str) -> Row:
    return {"by": by, "how": how, "at": at, "batch": batch, "why": why}
