"""The items of one table: where each stands, what it was a moment ago, and pages of them in order.

Items are plain DynamoDB JSON in settled form (`grader.cloud.dynamodb.expressions.typed`) and are
never changed in place: a write puts another item in the place of the one before. That makes an
image of an item cost nothing, and a table's past cheap to keep.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from grader.cloud.dynamodb.expressions.typed import Item, Value, sort_key
from grader.cloud.dynamodb.items import item_bytes

# An item's place: what its partition key and its sort key hold ("" where the table has no sort
# key). Settled values are the same exactly when their contents are.
Place = tuple[str, str]


# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_HASH_BYTES = 2048
MOST_RANGE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Keys:
    """A key schema: the attributes of the partition key and those of the sort key.

    Only a global index has more than one of a kind, up to four.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html
    """

    hashes: tuple[str, ...]
    ranges: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """The partition key's first attribute, the only one of a table."""
        return self.hashes[0]

    @property
    def range(self) -> str | None:
        """The sort key's first attribute; None without a sort key."""
        return self.ranges[0] if self.ranges else None

    @property
    def names(self) -> list[str]:
        """The key attributes, those of the partition key first."""
        return [*self.hashes, *self.ranges]


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index and what it holds of an item."""

    name: str
    keys: Keys
    local: bool
    projection: Literal["ALL", "KEYS_ONLY", "INCLUDE"]
    # The attributes that it holds, keys included; None for all of them.
    attributes: frozenset[str] | None
    # Its key attributes: name, type and most bytes.
    parts: tuple[tuple[str, str, int], ...]

    def entry(self, item: Item | None) -> Item | None:
        """What the index holds of an item: None when the item is not in it.

        An item that is older than the index may have a value there that cannot be a key.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.html
        """
        if item is None or not all(_is_key(item.get(part[0]), *part[1:]) for part in self.parts):
            return None
        if self.attributes is None:
            return item
        return {name: value for name, value in item.items() if name in self.attributes}


@dataclass(frozen=True, slots=True)
class Schema:
    """What of a table's definition reads and writes depend on. ``types`` are those of its keys."""

    name: str
    keys: Keys
    types: Mapping[str, str]
    indexes: Mapping[str, Index]

    @classmethod
    def described(cls, table: Mapping[str, Any]) -> Schema:
        """From what DescribeTable says of a table."""
        types = {
            one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]
        }
        keys = _keys(table["KeySchema"])
        indexes = {}
        for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
            for one in table.get(kind) or ():
                index_keys = _keys(one["KeySchema"])
                parts = tuple(
                    (name, types[name], MOST_HASH_BYTES if hashed else MOST_RANGE_BYTES)
                    for hashed, names in ((True, index_keys.hashes), (False, index_keys.ranges))
                    for name in names
                )
                projection = one.get("Projection") or {}
                how = projection.get("ProjectionType", "ALL")
                held = {*keys.names, *index_keys.names, *(projection.get("NonKeyAttributes") or ())}
                indexes[one["IndexName"]] = Index(
                    one["IndexName"],
                    index_keys,
                    kind.startswith("Local"),
                    how,
                    None if how == "ALL" else frozenset(held),
                    parts,
                )
        return cls(table["TableName"], keys, types, indexes)


def _keys(schema: Sequence[Mapping[str, str]]) -> Keys:
    hashes, ranges = (
        tuple(one["AttributeName"] for one in schema if one["KeyType"] == kind)
        for kind in ("HASH", "RANGE")
    )
    return Keys(hashes, ranges)


def value_bytes(value: Value) -> int:
    """The bytes of a key's value: those of an attribute without its name."""
    return item_bytes({"": value})


def _is_key(value: Value | None, kind: str, most: int) -> bool:
    """Whether a value can be a key of this type and so many bytes."""
    if value is None or kind not in value:
        return False
    return kind == "N" or (bool(value[kind]) and value_bytes(value) <= most)


def _content(value: Value) -> str:
    (content,) = value.values()
    return str(content)


class Store:
    """The items of one table, and for a while what they were before."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._partitions: dict[str, dict[str, Item]] = {}
        # Each place's latest writes: when, and the item before. Oldest first.
        self._past: dict[Place, list[tuple[int, Item | None]]] = {}
        # Beyond so many places, those are forgotten whose writes are too old to matter.
        self._most_past = 512

    def __len__(self) -> int:
        return sum(map(len, self._partitions.values()))

    # -- one item ----------------------------------------------------------------------------

    def place(self, item: Mapping[str, Value]) -> Place:
        """Where an item with these key attributes stands."""
        keys = self.schema.keys
        last = "" if keys.range is None else _content(item[keys.range])
        return _content(item[keys.hash]), last

    def key(self, item: Mapping[str, Value]) -> Item:
        """The key attributes of an item."""
        return {name: item[name] for name in self.schema.keys.names}

    def at(self, place: Place) -> Item | None:
        """The item as it is."""
        partition = self._partitions.get(place[0])
        return None if partition is None else partition.get(place[1])

    def as_of(self, place: Place, time_ms: int) -> Item | None:
        """The item as it was after everything that was written up to ``time_ms``."""
        for written_ms, before in self._past.get(place, ()):
            if written_ms > time_ms:
                return before
        return self.at(place)

    def put(self, place: Place, item: Item | None, now_ms: int, kept_ms: int) -> None:
        """Write an item, or delete it with None. What it was stays known for ``kept_ms``."""
        since = now_ms - kept_ms
        past = [one for one in self._past.get(place, ()) if one[0] > since]
        self._past[place] = [*past, (now_ms, self.at(place))]
        if len(self._past) > self._most_past:
            self._past = {
                where: times for where, times in self._past.items() if times[-1][0] > since
            }
            self._most_past = max(512, 2 * len(self._past))
        if item is not None:
            self._partitions.setdefault(place[0], {})[place[1]] = item
            return
        partition = self._partitions.get(place[0])
        if partition is not None:
            partition.pop(place[1], None)
            if not partition:
                del self._partitions[place[0]]

    # -- many items --------------------------------------------------------------------------

    def items(self) -> list[Item]:
        """Every item, ordered by its key."""
        found = [item for partition in self._partitions.values() for item in partition.values()]
        return sorted(found, key=self._order)

    def _order(self, item: Item) -> tuple[Any, ...]:
        return tuple(sort_key(item[name]) for name in self.schema.keys.names)

    def partition(self, value: Value, time_ms: int | None) -> list[Item]:
        """The items of one partition; as of ``time_ms``, or as they are with None."""
        content = _content(value)
        found = self._partitions.get(content, {})
        if time_ms is None:
            return list(found.values())
        now = dict(found)
        for place in [place for place in self._past if place[0] == content]:
            self._set_back(now, place[1], place, time_ms)
        return list(now.values())

    def all(self, time_ms: int | None) -> list[Item]:
        """Every item in no order; as of ``time_ms``, or as they are with None."""
        now = {
            (first, last): item
            for first, partition in self._partitions.items()
            for last, item in partition.items()
        }
        if time_ms is not None:
            for place in list(self._past):
                self._set_back(now, place, place, time_ms)
        return list(now.values())

    def _set_back(self, items: dict[Any, Item], where: Any, place: Place, time_ms: int) -> None:
        item = self.as_of(place, time_ms)
        if item is None:
            items.pop(where, None)
        else:
            items[where] = item

    def ordered(self, items: Iterable[Item], index: Index | None, *, scan: bool) -> Ordered:
        """Items in the order in which a Query or Scan of the table or an index passes them."""
        return Ordered(self, items, index, scan)


class Ordered:
    """Items of a table or an index in reading order.

    A Query's order is that of the sort key. A Scan passes partition keys in an order that looks
    like none, here that of a checksum: AWS promises no order, and code must not find one.
    """

    def __init__(
        self, store: Store, items: Iterable[Item], index: Index | None, scan: bool
    ) -> None:
        keys = store.schema.keys if index is None else index.keys
        names = list(keys.ranges)
        if index is not None:
            names += [name for name in store.schema.keys.names if name not in names]
        self._names = names
        self._hashes = keys.hashes if scan else ()
        if index is not None:
            items = [item for item in items if index.entry(item) is not None]
        found = [(self.rank(item), item) for item in items]
        self._items = sorted(found, key=lambda one: one[0])

    def rank(self, item: Mapping[str, Value]) -> tuple[Any, ...]:
        """Where an item, or one with these keys, stands among the others."""
        rank = tuple(sort_key(item[name]) for name in self._names if name in item)
        if not self._hashes:
            return rank
        contents = [_content(item[name]) for name in self._hashes]
        return (*((checksum(content), content) for content in contents), *rank)

    def after(
        self, start: Mapping[str, Value] | None, *, backwards: bool = False
    ) -> Iterator[Item]:
        """The items behind a start key, or all of them."""
        items = reversed(self._items) if backwards else iter(self._items)
        if start is None:
            yield from (item for _, item in items)
            return
        from_rank = self.rank(start)
        for rank, item in items:
            if (rank < from_rank) if backwards else (rank > from_rank):
                yield item


def checksum(content: str) -> int:
    """What a Scan orders partition keys by, from 0 to 2**32 - 1."""
    return zlib.crc32(content.encode("utf-8", "surrogatepass"))
