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

# An item's place: what its partition key and its sort key hold ("" where the table has no sort
# key). Settled values are the same exactly when their contents are.
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Keys:
    """A key schema: the partition key's attribute, and the sort key's or None."""

    hash: str
    range: str | None

    @property
    def names(self) -> list[str]:
        """The key attributes, partition key first."""
        return [self.hash] if self.range is None else [self.hash, self.range]


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index and what it holds of an item."""

    name: str
    keys: Keys
    local: bool
    projection: Literal["ALL", "KEYS_ONLY", "INCLUDE"]
    # The attributes that it holds, keys included; None for all of them.
    attributes: frozenset[str] | None

    def entry(self, item: Item | None) -> Item | None:
        """What the index holds of an item: None when the item is not in it."""
        if item is None or any(name not in item for name in self.keys.names):
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
                projection = one.get("Projection") or {}
                how = projection.get("ProjectionType", "ALL")
                held = {*keys.names, *index_keys.names, *(projection.get("NonKeyAttributes") or ())}
                indexes[one["IndexName"]] = Index(
                    one["IndexName"],
                    index_keys,
                    kind.startswith("Local"),
                    how,
                    None if how == "ALL" else frozenset(held),
                )
        return cls(table["TableName"], keys, types, indexes)


def _keys(schema: Sequence[Mapping[str, str]]) -> Keys:
    names = {one["KeyType"]: one["AttributeName"] for one in schema}
    return Keys(names["HASH"], names.get("RANGE"))


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
        names = [keys.range] if keys.range is not None else []
        if index is not None:
            names += [name for name in store.schema.keys.names if name not in names]
        self._names = names
        self._hash = keys.hash if scan else None
        found = [(self.rank(item), item) for item in items if keys.hash in item]
        if index is not None:
            found = [one for one in found if index.entry(one[1]) is not None]
        self._items = sorted(found, key=lambda one: one[0])

    def rank(self, item: Mapping[str, Value]) -> tuple[Any, ...]:
        """Where an item, or one with these keys, stands among the others."""
        rank = tuple(sort_key(item[name]) for name in self._names if name in item)
        if self._hash is None:
            return rank
        content = _content(item[self._hash])
        return (checksum(content), content, *rank)

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
