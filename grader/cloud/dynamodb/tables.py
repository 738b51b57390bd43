"""DynamoDB's data plane: requests in DynamoDB's own JSON, answered as DynamoDB answers them.

What a request says is read and checked by `requests` and `expressions`, what it asks of items by
`writes` and `reads`; `store` holds the items, `catalog` the definitions of the tables.

One idea carries writing: every write knows beforehand which items it touches, and items are never
changed in place. So the states before and after are at hand, and everything follows from the two:
what the stream gets, what is consumed, that a transaction is all or nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from grader.cloud.aws import ServiceError
from grader.cloud.clock import Clock
from grader.cloud.dynamodb.catalog import Catalog
from grader.cloud.dynamodb.consumption import Consumed, ItemWrite, collection_metrics
from grader.cloud.dynamodb.expressions.typed import Item
from grader.cloud.dynamodb.items import binary_text, item_bytes
from grader.cloud.dynamodb.meter import Meter
from grader.cloud.dynamodb.reads import Reading, read_many
from grader.cloud.dynamodb.requests import (
    MOST_BATCH_READS,
    Params,
    asked,
    batched_keys,
    check_enums,
    check_key,
    check_paths,
    constraint,
    invalid,
    item_in,
    member,
    requested,
    required,
    table_name,
)
from grader.cloud.dynamodb.staleness import LAG_MS, Staleness
from grader.cloud.dynamodb.store import Schema, Store
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.dynamodb.units import read_units
from grader.cloud.dynamodb.writes import (
    FAILED,
    MOST_BATCH_BYTES,
    MOST_TRANSACTION_BYTES,
    Write,
    cancelled,
    read_batch,
    read_parts,
    read_transaction,
    read_write,
    reasons_against,
)
from grader.cloud.metrics import Metrics

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
TOKEN_LIFE_MS = 10 * 60 * 1000
# "older than five years" is never deleted:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
OLDEST_TTL_S = 5 * 365 * 86_400

# A write that fails in one of these ways has been looked at, and is billed.
_CONSUMES = ("ConditionalCheckFailedException", "TransactionCanceledException")


@dataclass(frozen=True, slots=True)
class _Change:
    """One item of a call, before and after it."""

    write: Write
    before: Item | None
    after: Item | None


class Tables:
    """Every table of one account. Times come from ``clock``; streams get what really changed.

    What is consumed goes to ``metrics``.

    ``seed`` decides how old a state eventually consistent reads see.
    """

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        account_id: str,
        region: str,
        breakdowns: list[str] | None = None,
        seed: int = 0,
    ) -> None:
        self._clock = clock
        self._catalog = Catalog(
            clock, account_id, region, breakdowns if breakdowns is not None else []
        )
        self._stores: dict[str, Store] = {}
        # By table name.
        self.streams: dict[str, Stream] = {}
        # Every item that a call wrote or tried to write, oldest first.
        self.writes: list[ItemWrite] = []
        self.staleness = Staleness(clock, seed)
        self._meter = Meter(clock, metrics)
        self._lagging = False
        self._tokens: dict[str, tuple[bytes, int]] = {}

    # -- deployment --------------------------------------------------------------------------

    def create(self, params: dict[str, Any], ttl_attribute: str | None, pitr: bool) -> None:
        """Create a table from CreateTable's parameters. ServiceError when they are refused."""
        self._catalog.create(params, ttl_attribute, pitr)

    def recover(self, name: str, on: bool) -> None:
        """Switch a table's point-in-time recovery on or off."""
        self._catalog.recover(name, on)

    def names(self) -> list[str]:
        """The names of all tables, in the order of their creation."""
        return list(self._catalog.tables)

    def count(self, table: str) -> int:
        """How many items a table has. KeyError when there is no such table."""
        return len(self._store(self.name_of(table)))

    def name_of(self, table: str) -> str:
        """A table's name, from its name or ARN. KeyError when there is no such table."""
        return self._catalog.name_of(table)

    def keys_of(self, table: str) -> list[str]:
        """The names of a table's key attributes, partition key first."""
        return list(self._catalog.tables[table].table_key_attrs)

    def on_demand(self, table: str) -> bool:
        """Whether the table is billed (and throttled) on demand."""
        return self._catalog.on_demand(table)

    # -- the API -----------------------------------------------------------------------------

    def defines(self, operation: str) -> bool:
        """Whether an operation is about a table's definition, which moto keeps."""
        return operation not in _OPERATIONS

    def answer(
        self, operation: str, params: dict[str, Any], *, lagging: bool = False
    ) -> dict[str, Any]:
        """Carry out one API call; DynamoDB's own JSON in and out. ServiceError as AWS's.

        ``lagging`` lets eventually consistent reads see an older state, as function code does.
        """
        known = _OPERATIONS.get(operation) or _DEFINITIONS.get(operation)
        if known is None:
            return self._defined(operation, params)
        self._lagging = lagging
        return known(self, params)

    def items(self, table: str) -> list[Item]:
        """Every item of a table as DynamoDB JSON, ordered by key."""
        return [dict(item) for item in self._store(self.name_of(table)).items()]

    def fill(self, table: str, items: Iterable[Item]) -> None:
        """Put items of DynamoDB JSON into a table; its stream hears nothing of it."""
        store = self._store(self.name_of(table))
        for item in items:
            check_key(store.schema, {name: item[name] for name in store.schema.keys.names})
            store.put(store.place(item), item, self._clock.now, 0)

    def expire(self) -> int:
        """Delete every item whose Time to Live has passed. Returns how many.

        AWS deletes them within a few days, at a time of its own; here it is when this is called.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
        """
        now = self._clock.now // 1000
        gone = 0
        for name, table in self._catalog.tables.items():
            attribute = table.ttl.get("AttributeName")
            if table.ttl["TimeToLiveStatus"] != "ENABLED" or attribute is None:
                continue
            store = self._store(name)
            for item in store.items():
                until = item.get(attribute, {}).get("N")
                if until is None or not now - OLDEST_TTL_S < Decimal(until) <= now:
                    continue
                store.put(store.place(item), None, self._clock.now, LAG_MS)
                gone += 1
                if stream := self.streams.get(name):
                    stream.write(item, None, self._clock.now, ttl_delete=True)
        return gone

    # -- writes ------------------------------------------------------------------------------

    def _one(self, kind: str, params: dict[str, Any]) -> dict[str, Any]:
        """PutItem, UpdateItem or DeleteItem."""
        write = read_write(kind, params)
        write.store = self._find(write.table)
        write.check()
        before = write.before()
        if (shown := write.refused(before)) is not None:
            self._consume([_Change(write, before, before)], stored=False)
            self._meter.refused(write.schema.name)
            raise ServiceError("ConditionalCheckFailedException", FAILED, **shown)
        change = _Change(write, before, write.after(before))
        consumed = self._commit([change])
        answer = self._told(params, consumed, [change])
        if attributes := _returned(params.get("ReturnValues") or "NONE", change):
            answer["Attributes"] = attributes
        return answer

    def _batch_write(self, params: dict[str, Any]) -> dict[str, Any]:
        changes = [
            _Change(write, write.before(), write.after(None))
            for write in read_batch(params, self._find)
        ]
        consumed = self._commit(changes)
        return {"UnprocessedItems": {}, **self._told(params, consumed, changes, many=True)}

    def _transact_write(self, params: dict[str, Any]) -> dict[str, Any]:
        writes = read_transaction(params, self._find)
        token = member(params, "ClientRequestToken", str)
        if token is not None and self._repeated(token, params):
            return {}
        reasons = reasons_against(writes)
        changes = []
        if not any(reasons):
            for number, write in enumerate(writes):
                before = write.before()
                after, reasons[number] = _outcome(write, before)
                changes.append(_Change(write, before, after))
        if any(reasons):
            if changes:
                self._consume(
                    [_Change(one.write, one.before, one.before) for one in changes],
                    stored=False,
                    transactional=True,
                )
            raise cancelled(reasons)
        consumed = self._commit(changes, transactional=True)
        if token is not None:
            # Two that are over go for one that comes; the oldest stand first.
            for known, (_, done_ms) in list(islice(self._tokens.items(), 2)):
                if self._clock.now - done_ms >= TOKEN_LIFE_MS:
                    del self._tokens[known]
            self._tokens[token] = (_digest(params), self._clock.now)
        return self._told(params, consumed, changes, many=True)

    def _repeated(self, token: str, params: Params) -> bool:
        """Whether the transaction with this token is done already and still remembered."""
        if not 1 <= len(token) <= 36:
            edge = "less than or equal to 36" if token else "greater than or equal to 1"
            raise constraint(token, "clientRequestToken", f"Member must have length {edge}")
        done = self._tokens.get(token)
        if done is None:
            return False
        digest, time_ms = done
        if self._clock.now - time_ms >= TOKEN_LIFE_MS:
            del self._tokens[token]
            return False
        if digest != _digest(params):
            raise ServiceError(
                "IdempotentParameterMismatchException",
                "The request uses the same client token as a previous, but non-identical request. "
                "Do not reuse a client token with different requests, unless the requests are "
                "identical",
            )
        return True

    def _commit(
        self, changes: Sequence[_Change], *, transactional: bool = False
    ) -> dict[str, Consumed]:
        """Write every change; the streams get one record for each item that really changed."""
        now = self._clock.now
        for change in changes:
            store = change.write.store
            assert store is not None
            if change.write.kind != "ConditionCheck":
                store.put(change.write.place, change.after, now, LAG_MS)
        consumed = self._consume(changes, stored=True, transactional=transactional)
        for change in changes:
            stream = self.streams.get(change.write.schema.name)
            if stream is not None:
                stream.write(change.before, change.after, now)
        return consumed

    def _consume(
        self, changes: Sequence[_Change], *, stored: bool, transactional: bool = False
    ) -> dict[str, Consumed]:
        """Count what writes consumed: table name to units."""
        found: dict[str, Consumed] = {}
        for change in changes:
            schema = change.write.schema
            key = {name: change.write.given[name] for name in schema.keys.names}
            write = ItemWrite(
                self._clock.now,
                schema.name,
                key,
                change.before,
                change.after,
                transactional,
                stored,
            )
            self.writes.append(write)
            kind = "Write" if transactional else ""
            found.setdefault(schema.name, Consumed(schema, kind)).add_write(write)
        self._meter.wrote(found.values())
        return found

    def _told(
        self,
        params: Params,
        consumed: Mapping[str, Consumed],
        changes: Sequence[_Change],
        *,
        many: bool = False,
    ) -> dict[str, Any]:
        """What an answer tells of units and collections, if it was asked to."""
        answer: dict[str, Any] = {}
        how = params.get("ReturnConsumedCapacity") or "NONE"
        if how != "NONE":
            told = [one.told(how) for one in consumed.values()]
            answer["ConsumedCapacity"] = told if many else told[0]
        if (params.get("ReturnItemCollectionMetrics") or "NONE") != "NONE":
            of_tables: dict[str, list[dict[str, Any]]] = {}
            for change in changes:
                metrics = collection_metrics(change.write.schema, change.write.given)
                if metrics is not None:
                    of_tables.setdefault(change.write.schema.name, []).append(metrics)
            if of_tables:
                (first, *_) = of_tables.values()
                answer["ItemCollectionMetrics"] = of_tables if many else first[0]
        return answer

    # -- reads -------------------------------------------------------------------------------

    def _time_seen(self, table: str, *, consistent: bool) -> int | None:
        return None if consistent or not self._lagging else self.staleness.time_seen(table)

    def _read(self, store: Store, key: Item, *, consistent: bool) -> Item | None:
        time_ms = self._time_seen(store.schema.name, consistent=consistent)
        place = store.place(key)
        return store.at(place) if time_ms is None else store.as_of(place, time_ms)

    def _get(self, params: dict[str, Any]) -> dict[str, Any]:
        table = table_name(params)
        check_enums(params)
        key = item_in(required(params, "Key", dict))
        shown = asked(params, ("ProjectionExpression",), ("AttributesToGet",)).projection
        consistent = member(params, "ConsistentRead", bool, False)
        store = self._find(table)
        check_key(store.schema, key)
        if shown is not None:
            check_paths(store.schema, shown.paths)
        item = self._read(store, key, consistent=consistent)
        answer: dict[str, Any] = {}
        if item is not None:
            answer["Item"] = item if shown is None else shown.of(item)
        consumed = Consumed(store.schema)
        consumed.add(float(read_units(item_bytes(item or {}), consistent=consistent)))
        self._meter.read([consumed])
        if (how := params.get("ReturnConsumedCapacity") or "NONE") != "NONE":
            answer["ConsumedCapacity"] = consumed.told(how)
        return answer

    def _batch_get(self, params: dict[str, Any]) -> dict[str, Any]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""
        check_enums(params)
        batches = requested(params, "BatchGetItem")
        read = [(name, *batched_keys(name, batch)) for name, batch in batches.items()]
        if sum(len(keys) for _, _, keys in read) > MOST_BATCH_READS:
            raise invalid("Too many items requested for the BatchGetItem call")
        how = params.get("ReturnConsumedCapacity") or "NONE"
        answer: dict[str, Any] = {"Responses": {}, "UnprocessedKeys": {}}
        told, size = [], 0
        for name, batch, keys in read:
            store = self._find(name)
            places = set()
            for key in keys:
                check_key(store.schema, key)
                places.add(store.place(key))
            if len(places) != len(keys):
                raise invalid("Provided list of item keys contains duplicates")
            shown = asked(batch, ("ProjectionExpression",), ("AttributesToGet",)).projection
            consistent = member(batch, "ConsistentRead", bool, False)
            consumed, found = Consumed(store.schema), answer["Responses"].setdefault(name, [])
            for number, key in enumerate(keys):
                if size > MOST_BATCH_BYTES:
                    rest = {**batch, "Keys": keys[number:]}
                    answer["UnprocessedKeys"][name] = rest
                    break
                item = self._read(store, key, consistent=consistent)
                size += item_bytes(item or {})
                consumed.add(float(read_units(item_bytes(item or {}), consistent=consistent)))
                if item is not None:
                    found.append(item if shown is None else shown.of(item))
            self._meter.read([consumed])
            told.append(consumed.told(how))
        if how != "NONE":
            answer["ConsumedCapacity"] = told
        return answer

    def _transact_get(self, params: dict[str, Any]) -> dict[str, Any]:
        """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactGetItems.html"""
        check_enums(params)
        parts = []
        for kind, part in read_parts(params):
            if kind != "Get":
                raise invalid("TransactItems can only contain one of Get")
            table, key = table_name(part), item_in(required(part, "Key", dict))
            parts.append((table, key, asked(part, ("ProjectionExpression",)).projection))
        found: list[tuple[Store, Item, Any]] = []
        reasons: list[dict[str, Any] | None] = []
        for table, key, shown in parts:
            store = self._find(table)
            reasons.append(_wrong_key(store.schema, key))
            found.append((store, key, shown))
        if any(reasons):
            raise cancelled(reasons)
        if len({(store.schema.name, store.place(key)) for store, key, _ in found}) != len(found):
            raise invalid("Transaction request cannot include multiple operations on one item")
        items = [store.at(store.place(key)) for store, key, _ in found]
        if sum(item_bytes(item or {}) for item in items) > MOST_TRANSACTION_BYTES:
            raise invalid("Aggregate size of the items in the transaction cannot exceed 4 MB")
        answer: dict[str, Any] = {
            "Responses": [
                {} if item is None else {"Item": item if shown is None else shown.of(item)}
                for item, (_, _, shown) in zip(items, found, strict=True)
            ]
        }
        consumed: dict[str, Consumed] = {}
        for item, (store, _, _) in zip(items, found, strict=True):
            of_table = consumed.setdefault(store.schema.name, Consumed(store.schema, "Read"))
            of_table.add(float(read_units(item_bytes(item or {}), transactional=True)))
        self._meter.read(consumed.values())
        if (how := params.get("ReturnConsumedCapacity") or "NONE") != "NONE":
            answer["ConsumedCapacity"] = [one.told(how) for one in consumed.values()]
        return answer

    def _many(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        read = read_many(operation, params)
        reading = Reading(read, self._find(read.table))
        name = reading.schema.name
        answer, consumed = reading.page(self._time_seen(name, consistent=read.consistent))
        self._meter.read([consumed])
        return answer

    # -- definitions -------------------------------------------------------------------------

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        store = self._store(self._catalog.found(table_name(params), named=True))
        return self._catalog.described(store, self.streams.get(store.schema.name))

    def _delete(self, params: dict[str, Any]) -> dict[str, Any]:
        store = self._store(self._catalog.found(table_name(params), named=True))
        answer = self._catalog.delete(params, store)
        del self._stores[store.schema.name]
        return answer

    def _defined(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """A call about a table's definition, which may be another afterwards."""
        answer = self._catalog.change(operation, params)
        name = str(params.get("TableName", "")).rpartition("/")[2]
        if name in self._stores:
            self._stores[name].schema = self._catalog.schema(name)
        return answer

    def _store(self, name: str) -> Store:
        if name not in self._stores:
            self._stores[name] = Store(self._catalog.schema(name))
        return self._stores[name]

    def _find(self, table: str) -> Store:
        """The items of a table by its name or ARN. ServiceError when there is none."""
        return self._store(self._catalog.found(table))


_OPERATIONS: dict[str, Callable[[Tables, dict[str, Any]], dict[str, Any]]] = {
    "PutItem": lambda self, params: self._one("Put", params),
    "DeleteItem": lambda self, params: self._one("Delete", params),
    "UpdateItem": lambda self, params: self._one("Update", params),
    "BatchWriteItem": Tables._batch_write,
    "TransactWriteItems": Tables._transact_write,
    "GetItem": Tables._get,
    "BatchGetItem": Tables._batch_get,
    "TransactGetItems": Tables._transact_get,
    "Query": lambda self, params: self._many("Query", params),
    "Scan": lambda self, params: self._many("Scan", params),
    "ListBackups": lambda self, params: self._catalog.backups.listed(params, self._clock.now),
}

# These are about definitions, too, and need the items beside.
_DEFINITIONS: dict[str, Callable[[Tables, dict[str, Any]], dict[str, Any]]] = {
    "DescribeTable": Tables._describe,
    "DeleteTable": Tables._delete,
}


# -- parts of calls --------------------------------------------------------------------------


def _returned(how: str, change: _Change) -> Item | None:
    """What ReturnValues shows of a change.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
    """
    if how == "ALL_OLD":
        return change.before
    if how == "ALL_NEW":
        return change.after
    update = change.write.asked.update
    if how == "NONE" or update is None or not update.actions:
        return None
    return update.touched(change.after if how == "UPDATED_NEW" else change.before)


def _outcome(write: Write, before: Item | None) -> tuple[Item | None, dict[str, Any] | None]:
    """What a part of a transaction makes of its item, and the reason why it does not."""
    if (shown := write.refused(before)) is not None:
        return before, {"Code": "ConditionalCheckFailed", "Message": FAILED, **shown}
    try:
        return write.after(before), None
    except ServiceError as error:
        return before, {"Code": "ValidationError", "Message": error.message}


def _wrong_key(schema: Schema, key: Item) -> dict[str, Any] | None:
    try:
        check_key(schema, key)
    except ServiceError as error:
        return {"Code": "ValidationError", "Message": error.message}
    return None


def _digest(params: Params) -> bytes:
    """What must be the same for a transaction to count as the same."""
    text = json.dumps(params.get("TransactItems"), sort_keys=True, default=binary_text)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
