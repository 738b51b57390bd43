"""A DynamoDB stream: shards of records, written by a table, read by position or by the API.

Time is given, never taken: every method that depends on it gets ``now_ms``, integer milliseconds
since the epoch, which must not run backwards. A *position* is a sequence number from which to read
on: the record with that number, or the first one after it.

Rules without a source beside them are this emulator's choices; they stand in
docs/reference/emulator-fidelity.md.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from grader.cloud.aws import ACCOUNT_ID, REGION
from grader.cloud.dynamodb.items import Item, item_bytes, key_text, plain_bytes, same_item, stored
from grader.cloud.dynamodb.reading import Readable, digest
from grader.cloud.dynamodb.records import Record
from grader.cloud.dynamodb.shard import Shard

# The space of partition-key hashes that a stream's open shards divide among themselves.
HASHES = 1 << 32
# Multiplying by an odd number is a bijection on 128 bits: different numbers, different event ids.
_SCATTER = 0x9E3779B97F4A7C15F39CC0605CEDC835
_ALL_BITS = (1 << 128) - 1

Listener = Callable[[Record, "Shard"], None]


class Stream(Readable):
    """A table's stream.

    ``keys`` are the names of the partition key and, if there is one, the sort key.
    ``first_sequence`` (at least 21 digits) is where the numbering starts. ``seed`` changes
    sequence numbers, event ids and shard ids. ``shards`` is the number of shards at the start;
    with 0 of them, ``add_shard`` and the options of ``write`` build a stream by hand: shard ids,
    parents, sequence numbers and record times as you choose them.
    With ``empty_every=n`` each n-th page of a run of ``get_records`` calls is empty although
    records follow, as AWS's pages may be. More of what AWS's pages may be can be set later:
    ``empty_before`` so many empty pages come before each page with records, ``most_records`` and
    ``most_shards`` are the most that a page holds, whatever was asked for.
    """

    def __init__(
        self,
        *,
        table: str,
        keys: Sequence[str],
        view: str = "NEW_AND_OLD_IMAGES",
        region: str = REGION,
        account_id: str = ACCOUNT_ID,
        created_ms: int,
        first_sequence: int | None = None,
        seed: int = 0,
        shards: int = 1,
        empty_every: int = 0,
    ) -> None:
        super().__init__(
            table=table,
            keys=keys,
            view=view,
            region=region,
            account_id=account_id,
            created_ms=created_ms,
            seed=seed,
            empty_every=empty_every,
        )
        self._partition_key = self.keys[:1]
        self._with_new = view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
        self._with_old = view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES")
        if first_sequence is None:
            # 21 digits, as on young AWS tables, with room below the next power of ten.
            first_sequence = (1 + self._salt % 8) * 10**20 + self._salt % 10**11
        if not 10**20 <= first_sequence <= 10**37:
            raise ValueError("a sequence number has 21 digits or more, and room for later ones")
        self._next_sequence = first_sequence
        self._gap = self._salt & 0x7FFFFFFF
        self._made_shards = 0
        self._open: list[Shard] = []
        self._lowest_hashes: list[int] = []
        # Whether each key belongs to just one open shard; shards added by hand may overlap.
        self._keys_divided = True
        self._listeners: tuple[Listener, ...] = ()
        self._shard_listeners: tuple[Callable[[], None], ...] = ()
        for number in range(shards):
            hashes = (HASHES * number // shards, HASHES * (number + 1) // shards)
            self._open_shard(None, hashes, created_ms)
        self._sort_open()

    # -- keeping ---------------------------------------------------------------------------

    def document(self) -> dict[str, Any]:
        """The whole stream as JSON, to be `restored` elsewhere."""
        return {
            "table": self.table,
            "keys": list(self.keys),
            "view": self.view,
            "created_ms": self.created_ms,
            "disabled_ms": self.disabled_ms,
            "next_sequence": self._next_sequence,
            "shards": [
                {
                    "id": one.id,
                    "parent": one.parent_id,
                    "starting": one.starting_sequence,
                    "ending": one.ending_sequence,
                    "closed_ms": one.closed_ms,
                    "hashes": list(one.hashes),
                    "latest": one.latest_position(),
                    "records": [
                        [record.sequence, record.time_ms, record.key, record.size, record.event]
                        for record in one.records
                    ],
                }
                for one in self._shards
            ],
        }

    @classmethod
    def restored(
        cls, told: Mapping[str, Any], *, region: str, account_id: str, seed: int
    ) -> Stream:
        """The stream of a `document`. KeyError, TypeError or ValueError for what is none."""
        stream = cls(
            table=str(told["table"]),
            keys=[str(key) for key in told["keys"]],
            view=str(told["view"]),
            region=region,
            account_id=account_id,
            created_ms=int(told["created_ms"]),
            first_sequence=int(told["next_sequence"]),
            seed=seed,
            shards=0,
        )
        for one in told["shards"]:
            low, high = (int(edge) for edge in one["hashes"])
            stream._made_shards += 1
            shard = Shard(str(one["id"]), one["parent"], int(one["starting"]), (low, high))
            for sequence, time_ms, key, size, event in one["records"]:
                shard.append(Record(int(sequence), int(time_ms), str(key), int(size), dict(event)))
            shard.go_to(int(one["latest"]))
            stream._shards.append(shard)
            stream._by_id[shard.id] = shard
            if one["ending"] is None:
                stream._open.append(shard)
            else:
                shard.ending_sequence, shard.closed_ms = int(one["ending"]), int(one["closed_ms"])
        if told["disabled_ms"] is not None:
            stream.status, stream.disabled_ms = "DISABLED", int(told["disabled_ms"])
        stream._sort_open()
        return stream

    # -- writing ---------------------------------------------------------------------------

    @property
    def next_sequence(self) -> int:
        """The sequence number that the next record will get."""
        return self._next_sequence

    def number_from(self, sequence: int) -> None:
        """Let the next record have this number or a later one; ValueError for an earlier one.

        Streams cross powers of ten sooner or later: a scenario that needs it now jumps there.
        """
        if sequence < self._next_sequence or sequence > 10**37:
            raise ValueError("sequence numbers only grow, and have at most 38 digits")
        self._next_sequence = sequence

    def write(
        self,
        old: Item | None,
        new: Item | None,
        now_ms: int,
        *,
        ttl_delete: bool = False,
        shard: str | None = None,
        sequence: int | str | None = None,
    ) -> Record | None:
        """Record that an item changed from ``old`` to ``new``; None is "no item".

        ``now_ms`` is the record's creation time. ``shard`` (an id) and ``sequence`` (digits, above
        the shard's numbers so far; AWS's have 21 to 40 of them) override what the stream would
        choose; a time in the past is taken as it is.

        Returns None, and writes nothing, when nothing changed: AWS writes no record then
        (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html). A disabled
        stream takes nothing either. ``ttl_delete`` marks a deletion by Time to Live. The stream
        keeps the two dicts: do not change them afterwards. ValueError when the key attributes are
        missing or differ, and when the shard is closed or the sequence number is not above the
        shard's last; `Refused` when there is no such shard.
        """
        if self.disabled_ms is not None:
            return None
        plain = True
        new_size = old_size = 0
        if new is not None and (new_size := plain_bytes(new)) < 0:
            plain = False
            new = stored(new)
            new_size = item_bytes(new)
        if old is not None and (old_size := plain_bytes(old)) < 0:
            plain = False
            old = stored(old)
            old_size = item_bytes(old)
        if new is None:
            if old is None:
                return None
            name, item = "REMOVE", old
        elif old is None:
            name, item = "INSERT", new
        elif old == new or (not plain and same_item(old, new)):
            return None
        else:
            name, item = "MODIFY", new
        if ttl_delete and name != "REMOVE":
            raise ValueError("Time to Live only deletes")
        try:
            keys = {key: item[key] for key in self.keys}
        except KeyError as missing:
            raise ValueError(f"the item has no key attribute {missing}") from None
        if name == "MODIFY":
            assert old is not None
            for key in keys:
                if old.get(key) != keys[key]:
                    raise ValueError("an update cannot change the primary key")

        if shard is not None:
            target = self.shard(shard)
            if target.ending_sequence is not None:
                raise ValueError(f"{shard} is closed")
        else:
            target = self._open[0] if len(self._open) == 1 else self._shard_for(keys)
        gap = self._gap = (self._gap * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        if sequence is None:
            number = self._next_sequence
            digits = str(number)
            # Realistic gaps: AWS numbers neither consecutively nor evenly.
            self._next_sequence = number + 1 + (gap >> 16) % 997
        else:
            digits = str(sequence)
            number = _chosen_number(digits, target)
            self._next_sequence = max(self._next_sequence, number + 1)
        size = plain_bytes(keys)
        if size < 0:
            size = item_bytes(keys)
        change: dict[str, Any] = {
            "ApproximateCreationDateTime": float(now_ms // 1000),
            "Keys": keys,
        }
        if self._with_new and new is not None:
            change["NewImage"] = new
            size += new_size
        if self._with_old and old is not None:
            change["OldImage"] = old
            size += old_size
        change["SequenceNumber"] = digits
        change["SizeBytes"] = size
        change["StreamViewType"] = self.view
        event: dict[str, Any] = {
            "eventID": "%032x" % ((number * _SCATTER + self._salt) & _ALL_BITS),
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self.region,
            "dynamodb": change,
        }
        if ttl_delete:
            # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
            event["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
        event["eventSourceARN"] = self.arn

        record = Record(number, now_ms, key_text(keys, self.keys), size, event)
        if target.starting_sequence == 0:
            target.starting_sequence = number
        target.append(record)
        for listener in self._listeners:
            listener(record, target)
        return record

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call ``callback(record, shard)`` after each write. Returns what ends that."""
        self._listeners = (*self._listeners, callback)

        def stop() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not callback)

        return stop

    def listen_shards(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback()`` after shards opened or closed. Returns what ends that."""
        self._shard_listeners = (*self._shard_listeners, callback)

        def stop() -> None:
            self._shard_listeners = tuple(
                one for one in self._shard_listeners if one is not callback
            )

        return stop

    # -- shards ----------------------------------------------------------------------------

    @property
    def shards(self) -> tuple[Shard, ...]:
        """Every listed shard, parents before children unless `relist` says otherwise."""
        return tuple(self._shards)

    @property
    def open_shards(self) -> tuple[Shard, ...]:
        """The shards that take records now."""
        return tuple(self._open)

    def shard_of(self, record: Record) -> Shard:
        """The listed shard that holds ``record``. LookupError when it has been trimmed."""
        for shard in self._shards:
            found = shard.read(record.sequence, 1)
            if found and found[0] is record:
                return shard
        raise LookupError(f"no shard holds record {record.sequence}")

    def split(self, shard_id: str, now_ms: int) -> tuple[Shard, Shard]:
        """Close an open shard; two children share its keys. ValueError when it is closed."""
        low, high = self.shard(shard_id).hashes
        middle = (low + high) // 2
        if not low < middle < high:
            raise ValueError(f"{shard_id} is too narrow to split")
        shard = self._close(shard_id, now_ms)
        first = self._open_shard(shard, (low, middle), now_ms)
        second = self._open_shard(shard, (middle, high), now_ms)
        self._shards_changed()
        return first, second

    def close(self, shard_id: str, now_ms: int) -> Shard:
        """Roll an open shard over: close it and open one child with the same keys."""
        shard = self._close(shard_id, now_ms)
        child = self._open_shard(shard, shard.hashes, now_ms)
        self._shards_changed()
        return child

    def add_shard(
        self,
        shard_id: str | None = None,
        *,
        parent: str | None = None,
        starting_sequence: int = 0,
        now_ms: int | None = None,
    ) -> Shard:
        """Open a shard by hand, with an id and a parent as you like; the parent may be unknown.

        AWS's ids have 28 to 65 characters. ``starting_sequence`` is the lowest number that it will
        hold; 0 means that of its first record. With several such shards, ``write`` has to name the
        one it means. ValueError when the id is taken or the stream is disabled.
        """
        if self.disabled_ms is not None or shard_id in self._by_id:
            raise ValueError(f"{shard_id} cannot be added")
        now = self.created_ms if now_ms is None else now_ms
        shard = self._open_shard(None, (0, HASHES), now, shard_id, starting_sequence)
        shard.parent_id = parent
        self._shards_changed()
        return shard

    def relist(self, shard_ids: Sequence[str]) -> None:
        """List these shards first and in this order from now on: AWS promises no order.

        `Refused` for an id that is not listed.
        """
        first = [self.shard(shard_id) for shard_id in shard_ids]
        self._shards = first + [shard for shard in self._shards if shard not in first]

    def end_shard(self, shard_id: str, now_ms: int) -> Shard:
        """Close an open shard without a child. ValueError when it is closed already."""
        shard = self._close(shard_id, now_ms)
        self._shards_changed()
        return shard

    def disable(self, now_ms: int) -> None:
        """Turn the stream off. It takes no more records and stays readable for 24 hours.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
        """
        if self.disabled_ms is not None:
            return
        for shard in self.open_shards:
            self._close(shard.id, now_ms)
        self.status = "DISABLED"
        self.disabled_ms = now_ms
        self._shards_changed()

    def _open_shard(
        self,
        parent: Shard | None,
        hashes: tuple[int, int],
        now_ms: int,
        shard_id: str | None = None,
        starting_sequence: int | None = None,
    ) -> Shard:
        suffix = digest(f"{self._salt} {self._made_shards}", 4).hex()
        shard = Shard(
            shard_id or f"shardId-{now_ms:020d}-{suffix}",
            parent.id if parent else None,
            self._next_sequence if starting_sequence is None else starting_sequence,
            hashes,
        )
        self._made_shards += 1
        self._shards.append(shard)
        self._by_id[shard.id] = shard
        self._open.append(shard)
        return shard

    def _close(self, shard_id: str, now_ms: int) -> Shard:
        shard = self.shard(shard_id)
        if shard.ending_sequence is not None:
            raise ValueError(f"{shard_id} is closed already")
        # A number of its own, above the last record and below every number of the children.
        shard.ending_sequence = self._next_sequence
        shard.closed_ms = now_ms
        self._next_sequence += 1
        self._open.remove(shard)
        return shard

    def _sort_open(self) -> None:
        self._open.sort(key=lambda shard: shard.hashes)
        self._lowest_hashes = [shard.hashes[0] for shard in self._open]
        self._keys_divided = len(set(self._lowest_hashes)) == len(self._open) > 0

    def _shards_changed(self) -> None:
        self._sort_open()
        for listener in self._shard_listeners:
            listener()

    def _shard_for(self, keys: Item) -> Shard:
        if not self._keys_divided:
            raise ValueError("name the shard: the open shards do not divide the keys among them")
        hashed = zlib.crc32(key_text(keys, self._partition_key).encode("ascii"))
        return self._open[bisect_right(self._lowest_hashes, hashed) - 1]


def _chosen_number(digits: str, shard: Shard) -> int:
    """The number of a record that somebody chose. ValueError when it cannot be the next one."""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 40):
        raise ValueError(f"a sequence number is a text of at most 40 digits, not {digits!r}")
    number = int(digits)
    if number < max(shard.latest_position(), 1):
        raise ValueError(f"{digits} is not above the numbers of {shard.id} so far")
    return number
