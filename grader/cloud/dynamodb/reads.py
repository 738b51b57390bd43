"""Reads of many items: which of a table's or an index's items a Query or Scan passes, page by page.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Scan.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from grader.cloud.aws import ServiceError
from grader.cloud.dynamodb.consumption import Consumed
from grader.cloud.dynamodb.expressions import KeyCondition, Projection
from grader.cloud.dynamodb.expressions.typed import Item, Value, kind_of
from grader.cloud.dynamodb.items import item_bytes
from grader.cloud.dynamodb.requests import (
    Asked,
    Params,
    asked,
    check_enums,
    check_key,
    check_paths,
    constraint,
    index_name,
    invalid,
    item_in,
    member,
    table_name,
)
from grader.cloud.dynamodb.store import Index, Keys, Schema, Store, checksum
from grader.cloud.dynamodb.units import read_units

# "1 MB of data", and the item that crosses it still belongs to the page.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
PAGE_BYTES = 1024 * 1024
MOST_SEGMENTS = 1_000_000

_EXPRESSIONS = {
    "Query": ("ProjectionExpression", "FilterExpression", "KeyConditionExpression"),
    "Scan": ("ProjectionExpression", "FilterExpression"),
}
_BEFORE = {
    "Query": ("AttributesToGet", "QueryFilter", "KeyConditions"),
    "Scan": ("AttributesToGet", "ScanFilter"),
}


@dataclass(slots=True)
class Read:
    """A Query or Scan, read and checked as far as that needs no table."""

    operation: str
    table: str
    index_name: str | None
    asked: Asked
    limit: int | None
    select: str | None
    forward: bool
    consistent: bool
    start: Item | None
    # Which part of a parallel Scan, and of how many.
    segment: tuple[int, int] | None
    capacity: str


def read_many(operation: str, params: Params) -> Read:
    """A Query or Scan as a request asks for it. ServiceError for what no table would answer."""
    table = table_name(params)
    check_enums(params)
    limit = member(params, "Limit", int)
    if limit is not None and limit < 1:
        # Recorded: a Query and a Scan tell it differently.
        where = "at 'Limit'" if operation == "Query" else f"'{limit}' at 'limit'"
        raise invalid(
            f"1 validation error detected: Value {where} failed to satisfy constraint: Member must "
            "have value greater than or equal to 1"
        )
    found = asked(params, _EXPRESSIONS[operation], _BEFORE[operation])
    index = index_name(params)
    select = params.get("Select")
    _check_select(select, found, index)
    if operation == "Query" and found.keys is None:
        raise invalid(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the "
            "request."
        )
    start = params.get("ExclusiveStartKey")
    return Read(
        operation,
        table,
        index,
        found,
        limit,
        select,
        member(params, "ScanIndexForward", bool, True),
        member(params, "ConsistentRead", bool, False),
        None if start is None else item_in(start),
        _segment(params) if operation == "Scan" else None,
        params.get("ReturnConsumedCapacity") or "NONE",
    )


def _check_select(select: str | None, found: Asked, index: str | None) -> None:
    if select == "ALL_PROJECTED_ATTRIBUTES" and index is None:
        raise invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    if select == "SPECIFIC_ATTRIBUTES" and found.projection is None:
        raise invalid(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
            "SPECIFIC_ATTRIBUTES"
        )
    if found.projection is not None and select not in (None, "SPECIFIC_ATTRIBUTES"):
        what = "only the Count" if select == "COUNT" else select
        raise invalid(f"Cannot specify the {found.projection_name} when choosing to get {what}")


def _segment(params: Params) -> tuple[int, int] | None:
    segment, total = member(params, "Segment", int), member(params, "TotalSegments", int)
    if segment is None and total is None:
        return None
    if segment is None:
        raise invalid(
            "The Segment parameter is required but was not present in the request when parameter "
            "TotalSegments is present"
        )
    if total is None:
        raise invalid(
            "The TotalSegments parameter is required but was not present in the request when "
            "Segment parameter is present"
        )
    if segment < 0:
        raise constraint(segment, "segment", "Member must have value greater than or equal to 0")
    if not 1 <= total <= MOST_SEGMENTS:
        edge = (
            "greater than or equal to 1" if total < 1 else f"less than or equal to {MOST_SEGMENTS}"
        )
        raise constraint(total, "totalSegments", f"Member must have value {edge}")
    if segment >= total:
        raise invalid(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )
    return segment, total


# -- against a table -------------------------------------------------------------------------


class Reading:
    """A Query or Scan on its table, checked against it."""

    def __init__(self, read: Read, store: Store) -> None:
        self.read = read
        self.store = store
        self.schema = store.schema
        self.index = self._index()
        self.keys: Keys = self.schema.keys if self.index is None else self.index.keys
        self._check_paths()
        if read.asked.keys is not None:
            _check_conditions(self.schema, self.keys, read.asked.keys)
            self._check_filter()
        if read.start is not None:
            self._check_start(read.start)

    def _index(self) -> Index | None:
        name = self.read.index_name
        if name is None:
            return None
        index = self.schema.indexes.get(name)
        if index is None:
            raise invalid(f"The table does not have the specified index: {name}")
        if self.read.consistent and not index.local:
            raise invalid("Consistent reads are not supported on global secondary indexes")
        if (
            self.read.select == "ALL_ATTRIBUTES"
            and index.attributes is not None
            and not index.local
        ):
            raise invalid(
                "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not "
                f"supported for global secondary index {name} because its projection type is not "
                "ALL"
            )
        return index

    def _check_paths(self) -> None:
        found = self.read.asked
        if found.condition is not None:
            check_paths(self.schema, found.condition.paths())
        if found.projection is not None:
            check_paths(self.schema, found.projection.paths)
            index = self.index
            if index is not None and not index.local and index.attributes is not None:
                names = [str(path[0]) for path in found.projection.paths]
                missing = [name for name in names if name not in index.attributes]
                if missing:
                    raise invalid(
                        "One or more parameter values were invalid: Global secondary index "
                        f"{index.name} does not project [{', '.join(missing)}]"
                    )

    def _check_filter(self) -> None:
        condition = self.read.asked.condition
        if condition is None:
            return
        heads = {path[0] for path in condition.paths()}
        for name in self.keys.names:
            if name in heads:
                raise invalid(
                    f"{self.read.asked.condition_name} can only contain non-primary key "
                    f"attributes: Primary key attribute: {name}"
                )

    def _check_start(self, start: Item) -> None:
        """The start key of another page must be one that this read could have answered."""
        names = dict.fromkeys([*self.keys.names, *self.schema.keys.names])
        if self.read.asked.keys is not None and len(names) == 1:
            # Behind the only item of a partition there is nothing.
            shown = ", ".join(
                f"{name}=AttributeValue: {{{kind_of(value)}:{value[kind_of(value)]}}}"
                for name, value in start.items()
            )
            raise invalid(
                f"The provided exclusive start key is invalid: ExclusiveStartKey: {{{shown}}}"
            )
        wrong = "The provided starting key is invalid"
        if set(start) != set(names):
            raise invalid(
                wrong
                if self.index is not None or self.read.operation == "Query"
                else f"{wrong}: The provided key element does not match the schema"
            )
        try:
            check_key(self.schema, self.store.key(start))
            check_key(self.schema, {name: start[name] for name in self.keys.names}, self.keys)
        except ServiceError as error:
            raise invalid(f"{wrong}: {error.message}") from None
        keys = self.read.asked.keys
        if keys is not None and not keys.hold(start, self.keys.hashes):
            raise invalid(
                "The provided starting key is outside query boundaries based on provided conditions"
            )
        if keys is not None and not keys.hold(start, self.keys.ranges):
            raise invalid("The provided starting key does not match the range key predicate")
        segment = self.read.segment
        if segment is not None and not _in_segment(start[self.keys.hash], segment):
            raise invalid(
                f"{wrong}: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct "
                f"Segment. TotalSegments: {segment[1]} Segment: {segment[0]}"
            )

    def page(self, time_ms: int | None) -> tuple[dict[str, Any], Consumed]:
        """DynamoDB's answer; of the items as of ``time_ms``, or as they are with None.

        Beside it what the read consumed.
        """
        read, index = self.read, self.index
        items, count, scanned, size, last = [], 0, 0, 0, None
        fetched = 0.0
        condition = read.asked.condition
        show = self._shown()
        for item in self._passed(time_ms):
            entry = item if index is None else index.entry(item)
            assert entry is not None
            size += item_bytes(entry)
            scanned += 1
            whole = item if index is not None and self._fetches(index) else entry
            if whole is not entry:
                fetched += float(read_units(item_bytes(item), consistent=read.consistent))
            if condition is None or condition.holds(whole):
                count += 1
                if read.select != "COUNT":
                    items.append(whole if show is None else show.of(whole))
            if scanned == read.limit or size > PAGE_BYTES:
                last = item
                break
        answer: dict[str, Any] = {"Count": count, "ScannedCount": scanned}
        if read.select != "COUNT":
            answer["Items"] = items
        if last is not None:
            names = dict.fromkeys([*self.schema.keys.names, *self.keys.names])
            answer["LastEvaluatedKey"] = {name: last[name] for name in names}
        consumed = self._consumed(size, fetched)
        if read.capacity != "NONE":
            answer["ConsumedCapacity"] = consumed.told(read.capacity)
        return answer, consumed

    def _consumed(self, size: int, fetched: float) -> Consumed:
        consumed = Consumed(self.schema)
        units = float(read_units(size, consistent=self.read.consistent))
        consumed.add(units, None if self.index is None else self.index.name)
        consumed.add(fetched)
        return consumed

    def _fetches(self, index: Index) -> bool:
        """Whether the read goes on to the table for what a local index does not hold."""
        if not index.local or index.attributes is None:
            return False
        if self.read.select == "ALL_ATTRIBUTES":
            return True
        shown = self.read.asked.projection
        return shown is not None and any(path[0] not in index.attributes for path in shown.paths)

    def _shown(self) -> Projection | None:
        return self.read.asked.projection

    def _passed(self, time_ms: int | None) -> Iterable[Item]:
        """Every item that the read comes by, in its order, from its start key on."""
        read, keys = self.read, self.read.asked.keys
        if keys is None:
            found = self.store.all(time_ms)
            if read.segment is not None:
                name, segment = self.keys.hash, read.segment
                found = [
                    item for item in found if name in item and _in_segment(item[name], segment)
                ]
            return self.store.ordered(found, self.index, scan=True).after(read.start)
        if self.keys.hashes == self.schema.keys.hashes:
            found = self.store.partition(keys.tests[self.keys.hash][1][0], time_ms)
        else:
            found = [item for item in self.store.all(time_ms) if keys.hold(item, self.keys.hashes)]
        if self.keys.ranges:
            found = [item for item in found if keys.hold(item, self.keys.ranges)]
        ordered = self.store.ordered(found, self.index, scan=False)
        return ordered.after(read.start, backwards=not read.forward)


def _in_segment(value: Value, segment: tuple[int, int]) -> bool:
    number, total = segment
    return checksum(str(value[kind_of(value)])) * total >> 32 == number


def _check_conditions(schema: Schema, keys: Keys, asked_keys: KeyCondition) -> None:
    """A Query asks for one partition, and for a stretch of its sort keys at most.

    Of a sort key of several attributes it asks from the first one on, and only the last that it
    asks for may be asked for by anything but equality.
    """
    tests = asked_keys.tests
    if len(keys.names) > 2 or len(keys.hashes) > 1:
        _check_many(keys, tests)
    elif len(tests) > 2:
        raise invalid("Conditions can be of length 1 or 2 only")
    if not keys.ranges and len(tests) > len(keys.hashes):
        raise invalid("Query key condition not supported")
    for name in keys.names[: len(tests)]:
        if name not in tests:
            raise invalid(f"Query condition missed key schema element: {name}")
    for name in keys.names[: len(tests)]:
        operator, values = tests[name]
        if any(kind_of(value) != schema.types[name] for value in values):
            raise invalid(
                "One or more parameter values were invalid: Condition parameter type does not "
                "match schema type"
            )
        if operator != "=" and name == keys.hash:
            raise invalid("Query key condition not supported")
        for value in values:
            _check_asked(name, value)


def _check_many(keys: Keys, tests: Mapping[str, tuple[str, Any]]) -> None:
    """The rules for a key of several attributes; the sentences are ours.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html
    """
    wrong = "Query key condition not supported: "
    for name in keys.hashes:
        if name not in tests or tests[name][0] != "=":
            raise invalid(f"{wrong}each HASH attribute of the index needs an equality: {name}")
    asked_of = [name for name in keys.ranges if name in tests]
    last = keys.ranges.index(asked_of[-1]) if asked_of else 0
    for name in keys.ranges[:last]:
        if name not in tests or tests[name][0] != "=":
            raise invalid(
                f"{wrong}there has to be an equality for each RANGE attribute before the last: "
                f"{name}"
            )


def _check_asked(name: str, value: Mapping[str, Any]) -> None:
    if next(iter(value.values())) == "":
        what = "string" if "S" in value else "binary"
        raise invalid(
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            f"cannot contain an empty {what} value. Key: {name}"
        )
