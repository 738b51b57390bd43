"""A DynamoDB stream: shards of records, written by a table, read by position or by the API.

Time is given, never taken: every method that depends on it gets ``now_ms``, integer milliseconds
since the epoch, which must not run backwards. A *position* is a sequence number from which to read
on: the record with that number, or the first one after it.

Rules without a source beside them are this emulator's choices; they stand in
docs/reference/emulator-fidelity.md.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from grader.cloud.aws import ACCOUNT_ID, REGION, Refused
from grader.cloud.dynamodb.items import Item, item_bytes, key_text, plain_bytes, same_item, stored
from grader.cloud.dynamodb.records import Record

# "Records live 24 h": https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
RETENTION_MS = 86_400_000
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
ITERATOR_LIFE_MS = 15 * 60 * 1000
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
PAGE_RECORDS = 1_000
PAGE_BYTES = 1_048_576
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
PAGE_SHARDS = 100

VIEWS = ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES")
ITERATOR_TYPES = (
    "TRIM_HORIZON",
    "LATEST",
    "AT_SEQUENCE_NUMBER",
    "AFTER_SEQUENCE_NUMBER",
    "AT_TIMESTAMP",
)

# The space of partition-key hashes that a stream's open shards divide among themselves.
HASHES = 1 << 32
# Multiplying by an odd number is a bijection on 128 bits: different numbers, different event ids.
_SCATTER = 0x9E3779B97F4A7C15F39CC0605CEDC835
_ALL_BITS = (1 << 128) - 1

Listener = Callable[[Record, "Shard"], None]


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
            return bisect_left(self.records, time_ms, key=_time)
        later = (at for at, record in enumerate(self.records) if record.time_ms >= time_ms)
        return next(later, len(self.records))

    def is_drained(self, position: int) -> bool:
        """Whether the shard is closed and holds nothing from ``position`` on."""
        return self.ending_sequence is not None and position >= self._latest


def _time(record: Record) -> int:
    return record.time_ms


class Stream:
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
        if view not in VIEWS:
            raise Refused(
                "ValidationException",
                f"1 validation error detected: Value '{view}' at 'streamSpecification."
                "streamViewType' failed to satisfy constraint: Member must satisfy enum value "
                "set: [NEW_IMAGE, OLD_IMAGE, NEW_AND_OLD_IMAGES, KEYS_ONLY]",
                "StreamViewType",
            )
        if not 1 <= len(keys) <= 2:
            raise ValueError("a table has a partition key and at most one sort key")
        self.table = table
        self.keys = tuple(keys)
        self.view = view
        self.region = region
        self.account_id = account_id
        self.created_ms = created_ms
        self.status = "ENABLED"
        self.disabled_ms: int | None = None
        self.label = _label(created_ms)
        self.arn = f"arn:aws:dynamodb:{region}:{account_id}:table/{table}/stream/{self.label}"
        self._partition_key = self.keys[:1]
        self._with_new = view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
        self._with_old = view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES")
        self.empty_every = empty_every
        self.empty_before = 0
        self.most_records = PAGE_RECORDS
        self.most_shards = PAGE_SHARDS
        self._salt = int.from_bytes(_digest(f"{self.arn} {seed}", 16))
        if first_sequence is None:
            # 21 digits, as on young AWS tables, with room below the next power of ten.
            first_sequence = (1 + self._salt % 8) * 10**20 + self._salt % 10**11
        if not 10**20 <= first_sequence <= 10**37:
            raise ValueError("a sequence number has 21 digits or more, and room for later ones")
        self._next_sequence = first_sequence
        self._gap = self._salt & 0x7FFFFFFF
        self._shards: list[Shard] = []
        self._by_id: dict[str, Shard] = {}
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

    def shard(self, shard_id: str) -> Shard:
        """The listed shard of that id; ResourceNotFoundException when there is none."""
        try:
            return self._by_id[shard_id]
        except KeyError:
            raise Refused(
                "ResourceNotFoundException",
                f"Requested resource not found: Shard: {shard_id} in Stream: {self.arn} not found",
                "ShardId",
            ) from None

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

    def is_gone(self, now_ms: int) -> bool:
        """Whether the stream was disabled more than 24 hours ago: it cannot be read any more."""
        return self.disabled_ms is not None and now_ms - self.disabled_ms > RETENTION_MS

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
        suffix = _digest(f"{self._salt} {self._made_shards}", 4).hex()
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

    def _tidy(self, now_ms: int) -> None:
        """Forget what is older than 24 hours; refuse when the stream itself is.

        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
        """
        if self.is_gone(now_ms):
            raise Refused(
                "ResourceNotFoundException",
                f"Requested resource not found: Stream: {self.arn} not found",
                "StreamArn",
            )
        for shard in self._shards:
            shard.horizon(now_ms)
        if any(_is_past(shard, now_ms) for shard in self._shards):
            self._shards = [shard for shard in self._shards if not _is_past(shard, now_ms)]
            self._by_id = {shard.id: shard for shard in self._shards}

    # -- the Streams API -------------------------------------------------------------------

    def describe(
        self,
        *,
        limit: int = PAGE_SHARDS,
        exclusive_start_shard_id: str | None = None,
        shard_filter: Mapping[str, str] | None = None,
        now_ms: int,
    ) -> dict[str, Any]:
        """The ``StreamDescription`` of a DescribeStream answer: at most 100 shards a page.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
        """
        self._tidy(now_ms)
        _check_range("limit", limit, 1, PAGE_SHARDS, "Limit")
        limit = min(limit, self.most_shards)
        shards = self._shards
        if shard_filter is not None:
            kind, parent = shard_filter.get("Type"), shard_filter.get("ShardId")
            if kind != "CHILD_SHARDS":
                raise _invalid(
                    f"1 validation error detected: Value '{kind}' at 'shardFilter.type' failed to "
                    "satisfy constraint: Member must satisfy enum value set: [CHILD_SHARDS]",
                    "ShardFilter",
                )
            if parent is None:
                raise _invalid("ShardFilter of type CHILD_SHARDS needs a ShardId", "ShardFilter")
            self.shard(parent)
            shards = [shard for shard in shards if shard.parent_id == parent]
        start = 0
        if exclusive_start_shard_id is not None:
            before = self.shard(exclusive_start_shard_id)
            start = next((n for n, shard in enumerate(shards, 1) if shard is before), len(shards))
        page = shards[start : start + limit]
        description: dict[str, Any] = {
            "StreamArn": self.arn,
            "StreamLabel": self.label,
            "StreamStatus": self.status,
            "StreamViewType": self.view,
            "CreationRequestDateTime": self.created_ms / 1000,
            "TableName": self.table,
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind}
                for name, kind in zip(self.keys, ("HASH", "RANGE"), strict=False)
            ],
            "Shards": [_described(shard) for shard in page],
        }
        if start + limit < len(shards):
            description["LastEvaluatedShardId"] = page[-1].id
        return description

    def shard_iterator(
        self,
        shard_id: str,
        type: str,
        sequence_number: str | None = None,
        timestamp: float | None = None,
        *,
        now_ms: int,
    ) -> str:
        """A shard iterator, good for 15 minutes. ``timestamp`` is in seconds since the epoch.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
        """
        self._tidy(now_ms)
        shard = self.shard(shard_id)
        if type not in ITERATOR_TYPES:
            raise _invalid(
                f"1 validation error detected: Value '{type}' at 'shardIteratorType' failed to "
                f"satisfy constraint: Member must satisfy enum value set: "
                f"[{', '.join(ITERATOR_TYPES)}]",
                "ShardIteratorType",
            )
        by_number = type in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
        if by_number != (sequence_number is not None):
            verb = "needs" if by_number else "takes no"
            raise _invalid(f"ShardIteratorType {type} {verb} SequenceNumber", "SequenceNumber")
        if (type == "AT_TIMESTAMP") != (timestamp is not None):
            verb = "needs" if timestamp is None else "takes no"
            raise _invalid(f"ShardIteratorType {type} {verb} Timestamp", "Timestamp")

        if type == "LATEST":
            position = shard.latest_position()
        elif sequence_number is not None:
            position = self._numbered_position(shard, sequence_number, now_ms)
            position += type == "AFTER_SEQUENCE_NUMBER"
        elif timestamp is not None:
            position = self._timed_position(shard, timestamp, now_ms)
        else:
            position = shard.horizon(now_ms)
        return self._iterator(shard, position, now_ms, 0)

    def _numbered_position(self, shard: Shard, sequence_number: str, now_ms: int) -> int:
        if not (
            sequence_number.isascii()
            and sequence_number.isdigit()
            and 21 <= len(sequence_number) <= 40
        ):
            raise _invalid(
                "SequenceNumber is not a text of 21 to 40 decimal digits", "SequenceNumber"
            )
        position = int(sequence_number)
        last = shard.ending_sequence
        if last is None:
            last = max(shard.latest_position() - 1, shard.starting_sequence)
        if not shard.starting_sequence <= position <= last:
            raise _invalid(
                f"SequenceNumber {sequence_number} is not in shard {shard.id}", "SequenceNumber"
            )
        if position < shard.horizon(now_ms):
            raise _trimmed("SequenceNumber")
        return position

    def _timed_position(self, shard: Shard, timestamp: float, now_ms: int) -> int:
        time_ms = round(timestamp * 1000)
        if time_ms > now_ms:
            raise _invalid("Timestamp must not be in the future", "Timestamp")
        # "At or after" is measured on ApproximateCreationDateTime, which has whole seconds.
        whole_ms = -(-time_ms // 1000) * 1000
        first = shard.first_since(whole_ms)
        if first == len(shard.records):
            return shard.latest_position()
        return max(shard.records[first].sequence, shard.horizon(now_ms))

    def get_records(
        self, iterator: str, limit: int = PAGE_RECORDS, *, now_ms: int
    ) -> dict[str, Any]:
        """A GetRecords answer: up to 1,000 records or 1 MB, and where to read on.

        ``NextShardIterator`` is absent once the shard is closed and the page reaches its end; that
        page may still hold records. The records are for reading only.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
        """
        self._tidy(now_ms)
        if limit > PAGE_RECORDS:
            # "GetRecords was called with a value of more than 1000 for the limit request
            # parameter": the Streams API's description of LimitExceededException.
            raise Refused(
                "LimitExceededException",
                "GetRecords was called with a value of more than 1000 for the limit request "
                "parameter.",
                "Limit",
            )
        _check_range("limit", limit, 1, PAGE_RECORDS, "Limit")
        shard_id, position, issued_ms, page = self._opened(iterator)
        if now_ms - issued_ms > ITERATOR_LIFE_MS:
            raise Refused(
                "ExpiredIteratorException",
                "The provided iterator exceeds the maximum age allowed.",
                "ShardIterator",
            )
        shard = self._by_id.get(shard_id)
        if shard is None or position < shard.horizon(now_ms):
            raise _trimmed("ShardIterator")
        most = min(limit, self.most_records)
        found = [] if self._is_empty(page) else shard.read(position, most)
        if found:
            position = found[-1].sequence + 1
        answer: dict[str, Any] = {"Records": [_wire_record(record) for record in found]}
        if not shard.is_drained(position):
            answer["NextShardIterator"] = self._iterator(shard, position, now_ms, page + 1)
        return answer

    def _is_empty(self, page: int) -> bool:
        """Whether the page with this number of a run is empty although records may follow."""
        if page % (self.empty_before + 1) != self.empty_before:
            return True
        return bool(self.empty_every) and page % self.empty_every == self.empty_every - 1

    def _iterator(self, shard: Shard, position: int, now_ms: int, page: int) -> str:
        body = json.dumps([shard.id, position, now_ms, page], separators=(",", ":")).encode()
        text = base64.urlsafe_b64encode(self._seal(body) + body).decode("ascii")
        return f"{self.arn}|1|{text}"

    def _opened(self, iterator: str) -> tuple[str, int, int, int]:
        arn, _, text = iterator.rpartition("|1|")
        try:
            sealed = base64.urlsafe_b64decode(text.encode("ascii"))
        except (ValueError, binascii.Error):
            sealed = b""
        seal, body = sealed[:8], sealed[8:]
        if arn != self.arn or seal != self._seal(body):
            raise _invalid("Invalid ShardIterator.", "ShardIterator")
        shard_id, position, issued_ms, page = json.loads(body)
        return shard_id, position, issued_ms, page

    def _seal(self, body: bytes) -> bytes:
        return blake2b(body, digest_size=8, key=self._salt.to_bytes(16)).digest()


def _chosen_number(digits: str, shard: Shard) -> int:
    """The number of a record that somebody chose. ValueError when it cannot be the next one."""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 40):
        raise ValueError(f"a sequence number is a text of at most 40 digits, not {digits!r}")
    number = int(digits)
    if number < max(shard.latest_position(), 1):
        raise ValueError(f"{digits} is not above the numbers of {shard.id} so far")
    return number


def _label(time_ms: int) -> str:
    """A stream label: an ISO time with milliseconds, without a zone."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds")


def _digest(text: str, size: int) -> bytes:
    return blake2b(text.encode(), digest_size=size).digest()


def _is_past(shard: Shard, now_ms: int) -> bool:
    return shard.closed_ms is not None and now_ms - shard.closed_ms > RETENTION_MS


def _described(shard: Shard) -> dict[str, Any]:
    numbers = {"StartingSequenceNumber": str(shard.starting_sequence)}
    if shard.ending_sequence is not None:
        numbers["EndingSequenceNumber"] = str(shard.ending_sequence)
    described: dict[str, Any] = {"ShardId": shard.id, "SequenceNumberRange": numbers}
    if shard.parent_id is not None:
        described["ParentShardId"] = shard.parent_id
    return described


def _wire_record(record: Record) -> dict[str, Any]:
    """A record as GetRecords sends it: Lambda's form without the ARN, and Identity capitalised.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
    """
    wire = record.event.copy()
    del wire["eventSourceARN"]
    identity = wire.get("userIdentity")
    if identity is not None:
        wire["userIdentity"] = {
            "PrincipalId": identity["principalId"],
            "Type": identity["type"],
        }
    return wire


def _invalid(message: str, parameter: str) -> Refused:
    return Refused("ValidationException", message, parameter)


def _trimmed(parameter: str) -> Refused:
    return Refused(
        "TrimmedDataAccessException",
        "The data you are trying to access has been trimmed.",
        parameter,
    )


def _check_range(name: str, value: int, lowest: int, highest: int, parameter: str) -> None:
    if value < lowest:
        bound = f"greater than or equal to {lowest}"
    elif value > highest:
        bound = f"less than or equal to {highest}"
    else:
        return
    raise _invalid(
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
        f"Member must have value {bound}",
        parameter,
    )
