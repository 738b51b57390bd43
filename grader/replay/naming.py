"""Roles for what a run names by generated ids (shards, records, requests), and its times."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from grader.cloud.mapping import Journal, Polled, ShardStarted, Trimmed
from grader.cloud.words import clean

if TYPE_CHECKING:
    from grader.cloud.dynamodb import Record, Shard
    from grader.replay.scene import Scene

# Long enough for every id that is generated, and for few words that somebody writes.
_ID = re.compile(r"[A-Za-z0-9_-]{8,}")


class Names:
    """The names of one scene, and its records in the order in which they were written.

    ``records`` are (table, record) pairs; a record's number counts from 1 in that order.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        shards = [(table, one) for table, stream in scene.streams.items() for one in stream.shards]
        self.shard_numbers = {one.id: number for number, (_, one) in enumerate(shards, start=1)}
        self._shard_names = {
            one.id: f"shard {number}"
            for table in scene.streams
            for number, one in enumerate((s for t, s in shards if t == table), start=1)
        } | dict(scene.shards)
        self.shard_of: dict[tuple[str, int], Shard] = {
            (table, record.sequence): shard for table, shard in shards for record in shard.records
        }
        self.records = self._in_order(shards)
        self._numbers = {
            record.sequence: number for number, (_, record) in enumerate(self.records, start=1)
        }
        self._ids = self._known_ids()

    def _in_order(self, shards: list[tuple[str, Shard]]) -> list[tuple[str, Record]]:
        """What shards still hold, what mappings read before it was trimmed, what was written."""
        found = {
            (table, record.sequence): record for table, shard in shards for record in shard.records
        }
        for table, records in self._scene.written.items():
            for record in records:
                found.setdefault((table, record.sequence), record)
        by_id = {shard.id: (table, shard) for table, shard in shards}
        for reader in self._scene.readers:
            ids = shard_ids(reader.journal)
            for entry in reader.journal:
                if isinstance(entry, Polled | Trimmed):
                    table, shard = by_id[ids[entry.shard]]
                    for record in entry.records:
                        found.setdefault((table, record.sequence), record)
                        # Where it was is known, too, when it has left its shard since.
                        self.shard_of.setdefault((table, record.sequence), shard)
        for table, sequence in found.keys() - self.shard_of.keys():
            # Nobody read it before it left the stream; where one shard took numbers, it was there.
            fits = [one for its, one in shards if its == table and _took(one, sequence)]
            if len(fits) == 1:
                self.shard_of[table, sequence] = fits[0]
        ordered = sorted(found.items(), key=lambda one: (one[1].time_ms, one[0]))
        return [(table, record) for (table, _), record in ordered]

    def _known_ids(self) -> dict[str, str]:
        ids = {**self._shard_names, **self._scene.ids}
        for function, invocations in self._scene.functions.items():
            for one in invocations:
                ids[one.request_id] = f"request {one.number} of {function}"
        for table, record in self.records:
            ids[str(record.sequence)] = f"‹{self.record(table, record)}›"
        return ids

    def shard(self, shard_id: str) -> str:
        """A shard by its role."""
        return self._shard_names.get(shard_id, shard_id)

    def number(self, record: Record) -> int:
        """A record's number in `records`."""
        return self._numbers[record.sequence]

    def record(self, table: str, record: Record) -> str:
        """A record by its role: the name that the play gave it, or its item."""
        given = self._scene.roles.get(table, {}).get(record.sequence)
        return clean(given or f"{self.item(record)} ({record.event.get('eventName', '')})")

    def item(self, record: Record) -> str:
        """The primary key of a record's item, as its values."""
        keys = record.event.get("dynamodb", {}).get("Keys", {})
        return clean(" / ".join(str(next(iter(value.values()), "")) for value in keys.values()))

    def told(self, text: str) -> str:
        """Text of somebody in which generated ids became roles."""
        return _ID.sub(lambda found: self._ids.get(found[0], found[0]), text)

    def plain(self, value: Any) -> Any:
        """A value of JSON in whose texts generated ids became roles."""
        if isinstance(value, dict):
            return {clean(self.told(str(key))): self.plain(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(one) for one in value]
        return clean(self.told(value)) if isinstance(value, str) else value


def clock(moment: float) -> str:
    """A moment of a play: hours, minutes, seconds, and milliseconds where there are any."""
    whole = round(moment)
    seconds, rest = divmod(abs(whole), 1000)
    sign = "-" if whole < 0 else ""
    told = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{told}.{rest:03}" if rest else told


def duration(milliseconds: float) -> str:
    """How long something took, in the unit that suits it."""
    for unit, size in (("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if milliseconds >= size:
            return f"{milliseconds / size:.3g} {unit}"
    return f"{milliseconds:.0f} ms"


def _took(shard: Shard, sequence: int) -> bool:
    ended = shard.ending_sequence
    return shard.starting_sequence <= sequence and (ended is None or sequence <= ended)


def shard_ids(journal: Journal) -> dict[int, str]:
    """The shards of a mapping's journal by the numbers under which it tells of them."""
    return {one.shard: one.shard_id for one in journal.of(ShardStarted)}


def ranges(numbers: list[int]) -> list[list[int]]:
    """Numbers as first and last of each run, in the order given: 3, 4, 5, 9 is [3, 5], [9, 9]."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found
