"""Writes: what a request asks of an item, whether its condition lets it, what the item becomes.

A single call, a part of a transaction and an element of a batch are the same `Write`; they differ
in how their failures are told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from grader.cloud.aws import ServiceError
from grader.cloud.dynamodb.expressions import Update, UpdateFailed
from grader.cloud.dynamodb.expressions.typed import Item
from grader.cloud.dynamodb.items import item_bytes
from grader.cloud.dynamodb.requests import (
    MOST_ITEM_BYTES,
    Asked,
    Params,
    asked,
    check_enums,
    check_index_keys,
    check_item,
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
from grader.cloud.dynamodb.store import Place, Schema, Store

# What each kind of write calls its item, and which expressions and legacy parameters it has.
_ITEM = {"Put": "Item", "Update": "Key", "Delete": "Key", "ConditionCheck": "Key"}
_EXPRESSIONS = {
    "Put": ("ConditionExpression",),
    "Update": ("UpdateExpression", "ConditionExpression"),
    "Delete": ("ConditionExpression",),
    "ConditionCheck": ("ConditionExpression",),
}
_BEFORE = {
    "Put": ("Expected",),
    "Update": ("AttributeUpdates", "Expected"),
    "Delete": ("Expected",),
}
_RETURNS = {"Put": ("NONE", "ALL_OLD"), "Delete": ("NONE", "ALL_OLD")}

FAILED = "The conditional request failed"


@dataclass(slots=True)
class Write:
    """One write, read and checked as far as that needs no item."""

    kind: str
    table: str
    asked: Asked
    # The item of a Put, the key of anything else.
    given: Item
    shows_old: bool
    store: Store | None = None

    @property
    def schema(self) -> Schema:
        """The table's schema."""
        assert self.store is not None
        return self.store.schema

    @property
    def place(self) -> Place:
        """Where the item stands."""
        assert self.store is not None
        return self.store.place(self.given)

    def payload(self) -> int:
        """The bytes that the write itself brings: its item or key, and its values."""
        return item_bytes(self.given) + item_bytes(self.asked.values)

    def before(self) -> Item | None:
        """The item as it is."""
        assert self.store is not None
        return self.store.at(self.place)

    def check(self) -> None:
        """ServiceError for what does not fit the table, whatever the item is."""
        schema = self.schema
        if self.kind == "Put":
            check_item(schema, self.given)
        else:
            check_key(schema, self.given)
        if self.asked.condition is not None:
            check_paths(schema, self.asked.condition.paths())
        if self.asked.update is not None:
            _check_update(schema, self.asked.update)

    def refused(self, before: Item | None) -> dict[str, Any] | None:
        """None when the condition is met; else what the failure shows of the item."""
        if self.asked.condition is None or self.asked.condition.holds(before):
            return None
        return {"Item": before} if self.shows_old and before is not None else {}

    def after(self, before: Item | None) -> Item | None:
        """The item after the write. ServiceError when it cannot be made."""
        if self.kind == "Put":
            return self.given
        if self.kind == "Delete":
            return None
        if self.kind == "ConditionCheck":
            return before
        update = self.asked.update or Update([])
        try:
            item = update.of(before, self.given)
        except UpdateFailed as failure:
            raise invalid(str(failure)) from None
        if item is not None:
            if any(len(action.path) > 1 for action in update.actions):
                # What is not too deep by itself may be it where it was put.
                item_in(item)
            _check_updated(self.schema, item, update)
        return item


def read_write(kind: str, params: Params) -> Write:
    """A write as a request asks for it. ServiceError for what no table would take."""
    table = table_name(params)
    check_enums(params)
    returns = params.get("ReturnValues") or "NONE"
    if returns not in _RETURNS.get(kind, (returns,)):
        raise invalid("ReturnValues can only be ALL_OLD or NONE")
    given = item_in(required(params, _ITEM[kind], dict))
    found = asked(params, _EXPRESSIONS[kind], _BEFORE.get(kind, ()))
    shows = params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    return Write(kind, table, found, given, shows)


def _check_update(schema: Schema, update: Update) -> None:
    check_paths(schema, update.reads_and_writes())
    for action in update.actions:
        name = str(action.path[0])
        if name in schema.keys.names:
            raise invalid(
                f"One or more parameter values were invalid: Cannot update attribute {name}. This "
                "attribute is part of the key"
            )
        if action.section == "SET" and isinstance(action.operand, dict) and len(action.path) == 1:
            check_index_keys(schema, {name: action.operand})


def _check_updated(schema: Schema, item: Item, update: Update) -> None:
    written = {str(action.path[0]) for action in update.actions}
    try:
        check_index_keys(schema, {name: item[name] for name in written if name in item})
    except ServiceError as error:
        if "Type mismatch" not in error.message:
            raise
        raise invalid(
            "The update expression attempted to update the secondary index key to unsupported type"
        ) from None
    if item_bytes(item) > MOST_ITEM_BYTES:
        raise invalid("Item size to update has exceeded the maximum allowed size")


# -- batches and transactions ----------------------------------------------------------------

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_BATCH_WRITES = 25
MOST_BATCH_BYTES = 16 * 1024 * 1024
MOST_PARTS = 100
MOST_TRANSACTION_BYTES = 4 * 1024 * 1024

Find = Callable[[str], Store]


def read_batch(params: Params, find: Find) -> list[Write]:
    """The writes of a BatchWriteItem, checked. ServiceError as AWS's for the whole batch.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
    """
    check_enums(params)
    batches = requested(params, "BatchWriteItem")
    if not all(isinstance(requests, list) for requests in batches.values()):
        raise ServiceError("SerializationException", "RequestItems has a type that it cannot have.")
    if not all(1 <= len(one) <= MOST_BATCH_WRITES for one in batches.values()):
        raise constraint(
            "{" + ", ".join(f"{name}=[...]" for name in batches) + "}",
            "requestItems",
            "Map value must satisfy constraint: [Member must have length less than or equal "
            "to 25, Member must have length greater than or equal to 1]",
        )
    count = sum(map(len, batches.values()))
    if count > MOST_BATCH_WRITES:
        raise invalid("Too many items requested for the BatchWriteItem call")
    writes = [_batched(name, request) for name, requests in batches.items() for request in requests]
    for write in writes:
        write.store = find(write.table)
        write.check()
    if _repeats(writes):
        raise invalid("Provided list of item keys contains duplicates")
    return writes


def _batched(table: str, request: Any) -> Write:
    if not isinstance(request, dict):
        raise ServiceError("SerializationException", "A write request has to be a map.")
    kinds = [kind for kind in ("PutRequest", "DeleteRequest") if request.get(kind) is not None]
    if len(kinds) != 1:
        raise invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
            "the supported datatypes"
            if kinds
            else "Supplied request must be a PutRequest or a DeleteRequest"
        )
    kind = kinds[0].removesuffix("Request")
    body = member(request, kinds[0], dict)
    given = item_in(required(body, _ITEM[kind], dict))
    return Write(kind, table, Asked(), given, False)


def _repeats(writes: Sequence[Write]) -> bool:
    return len({(write.schema.name, write.place) for write in writes}) != len(writes)


def read_parts(params: Params) -> list[tuple[str, Params]]:
    """The parts of a transaction: kind and parameters. ServiceError as AWS's."""
    items = required(params, "TransactItems", list)
    if not 1 <= len(items) <= MOST_PARTS:
        rule = (
            "Member must have length greater than or equal to 1"
            if not items
            else f"Member must have length less than or equal to {MOST_PARTS}"
        )
        raise constraint("[]" if not items else "[...]", "transactItems", rule)
    found: list[tuple[str, Params]] = []
    for item in items:
        if not isinstance(item, dict) or not all(isinstance(one, dict) for one in item.values()):
            raise ServiceError("SerializationException", "A part of a transaction is no map.")
        if len(item) != 1:
            raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
        found += item.items()
    return found


def read_transaction(params: Params, find: Find) -> list[Write]:
    """The writes of a TransactWriteItems. ServiceError for what fails it as a whole.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    check_enums(params)
    writes = []
    needed = {"Update": "UpdateExpression", "ConditionCheck": "ConditionExpression"}
    for number, (kind, part) in enumerate(read_parts(params), 1):
        if kind not in _ITEM:
            raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
        if kind in needed and part.get(needed[kind]) is None:
            where = f"{kind[0].lower()}{kind[1:]}.{needed[kind][0].lower()}{needed[kind][1:]}"
            raise constraint(
                None, f"transactItems.{number}.member.{where}", "Member must not be null"
            )
        writes.append(read_write(kind, part))
    if sum(write.payload() for write in writes) > MOST_TRANSACTION_BYTES:
        raise invalid(f"Transaction payload size cannot exceed {MOST_TRANSACTION_BYTES} bytes")
    for write in writes:
        write.store = find(write.table)
    return writes


def reasons_against(writes: Sequence[Write]) -> list[dict[str, Any] | None]:
    """Why each part of a transaction does not fit its table; None where it does.

    ServiceError when two parts are about one item.
    """
    reasons: list[dict[str, Any] | None] = [None] * len(writes)
    for number, write in enumerate(writes):
        reasons[number] = _reason(write)
        if reasons[number] is not None:
            # Nothing behind the first fault is looked at (recorded; not documented).
            return reasons
    if _repeats(writes):
        raise invalid("Transaction request cannot include multiple operations on one item")
    return reasons


def _reason(write: Write) -> dict[str, Any] | None:
    try:
        write.check()
    except ServiceError as error:
        return {"Code": "ValidationError", "Message": error.message}
    return None


def cancelled(reasons: Sequence[dict[str, Any] | None]) -> ServiceError:
    """The error of a transaction that was not carried out, with the reason of each part."""
    listed = [reason or {"Code": "None"} for reason in reasons]
    codes = ", ".join(reason["Code"] for reason in listed)
    message = (
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    )
    # boto3 reads the message of this error under the name Message.
    return ServiceError(
        "TransactionCanceledException", message, CancellationReasons=listed, Message=message
    )
