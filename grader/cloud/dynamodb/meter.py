"""What DynamoDB tells CloudWatch of its tables: the units that were consumed, and met conditions.

Nothing is told of what did not happen: DynamoDB sends what is not zero, by the minute.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
"""

from __future__ import annotations

from collections.abc import Iterable

from grader.cloud.clock import Clock
from grader.cloud.dynamodb.consumption import Consumed
from grader.cloud.metrics import Metrics, dimensions


class Meter:
    """Metrics of one account's tables, written to ``metrics`` as of the clock's now."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics

    def read(self, consumed: Iterable[Consumed]) -> None:
        """A call has read; ``consumed`` is what it cost each table."""
        self._consumed("ConsumedReadCapacityUnits", consumed)

    def wrote(self, consumed: Iterable[Consumed]) -> None:
        """A call has written, or was refused by a condition, which costs as much."""
        self._consumed("ConsumedWriteCapacityUnits", consumed)

    def refused(self, table: str) -> None:
        """A condition of PutItem, UpdateItem or DeleteItem was not met."""
        self._put("ConditionalCheckFailedRequests", 1, TableName=table)

    def _consumed(self, name: str, consumed: Iterable[Consumed]) -> None:
        """A table's figure is without its global indexes, which have figures of their own."""
        for one in consumed:
            table, indexes = one.schema.name, one.schema.indexes
            units = one.units
            for index, cost in one.of_index.items():
                if indexes[index].local:
                    units += cost
                else:
                    self._put(name, cost, TableName=table, GlobalSecondaryIndexName=index)
            self._put(name, units, TableName=table)

    def _put(self, name: str, value: float, **dims: str) -> None:
        if value:
            self._metrics.add(
                "AWS/DynamoDB", name, value, self._clock.now, unit="Count", dims=dimensions(dims)
            )
