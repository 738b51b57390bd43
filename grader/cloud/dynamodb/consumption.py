"""What reads and writes consume: units, counted by DynamoDB's own rules, and how it tells of them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from grader.cloud.dynamodb.items import item_bytes
from grader.cloud.dynamodb.store import Index, Schema
from grader.cloud.dynamodb.units import write_units

Image = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ItemWrite:
    """One item that one call wrote or tried to write; times are virtual milliseconds.

    ``key`` holds the key attributes in DynamoDB's JSON; ``before`` and ``after`` are the item's
    images, None where there is no item. ``stored`` is False when the condition was not met: the
    units are consumed all the same, those of the item as it is.
    """

    time_ms: int
    table: str
    key: Image
    before: Image | None
    after: Image | None
    transactional: bool
    stored: bool

    @property
    def units(self) -> int:
        """Write units: one for each started KB of the larger image, twice that in a transaction.

        A write whose condition fails consumes units too. That each part of a cancelled transaction
        consumes those of its item, a mere condition check among them, is this emulator's choice.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
        """
        largest = max(item_bytes(image) if image else 0 for image in (self.before, self.after))
        return write_units(largest, transactional=self.transactional)

    def index_units(self, index: Index) -> int:
        """Write units that the write costs an index: none where its entry stays as it is.

        An entry whose index key changes is deleted and put again.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
        """
        old, new = index.entry(self.before), index.entry(self.after)
        if not self.stored or old == new:
            return 0
        sizes = [item_bytes(entry) for entry in (old, new) if entry is not None]
        if old and new and all(old[name] == new[name] for name in index.keys.names):
            sizes = [max(sizes)]
        return sum(write_units(size, transactional=self.transactional) for size in sizes)


@dataclass(slots=True)
class Consumed:
    """The units that one call consumed of one table; of each index beside them.

    ``kind`` is what a transaction also says them as: ``Read`` or ``Write``.
    """

    schema: Schema
    kind: str = ""
    units: float = 0.0
    of_index: dict[str, float] = field(default_factory=dict)

    def add(self, units: float, index: str | None = None) -> None:
        """Count units of the table itself, or of one of its indexes."""
        if index is None:
            self.units += units
        else:
            self.of_index[index] = self.of_index.get(index, 0.0) + units

    def add_write(self, write: ItemWrite) -> None:
        """Count one write, on the table and on each index that it changes."""
        self.add(write.units)
        for index in self.schema.indexes.values():
            if units := write.index_units(index):
                self.add(units, index.name)

    def told(self, how: str) -> dict[str, Any]:
        """DynamoDB's ConsumedCapacity, for ``TOTAL`` or ``INDEXES``.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ConsumedCapacity.html
        """
        total = float(self.units + sum(self.of_index.values()))
        found: dict[str, Any] = {"TableName": self.schema.name, **self._units(total)}
        if how == "INDEXES":
            found["Table"] = self._units(float(self.units))
            for name, units in self.of_index.items():
                scope = "Local" if self.schema.indexes[name].local else "Global"
                found.setdefault(f"{scope}SecondaryIndexes", {})[name] = self._units(float(units))
        return found

    def _units(self, units: float) -> dict[str, float]:
        if not self.kind:
            return {"CapacityUnits": units}
        return {"CapacityUnits": units, f"{self.kind}CapacityUnits": units}


def collection_metrics(schema: Schema, key: Image) -> dict[str, Any] | None:
    """ItemCollectionMetrics of a written item; only tables with local indexes have collections.

    Every collection here is far below a GB.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ItemCollectionMetrics.html
    """
    if not any(index.local for index in schema.indexes.values()):
        return None
    name = schema.keys.hash
    return {"ItemCollectionKey": {name: key[name]}, "SizeEstimateRangeGB": [0.0, 1.0]}
