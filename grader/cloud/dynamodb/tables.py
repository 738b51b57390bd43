"""DynamoDB's data plane: moto's expressions and tables, with AWS's manners around them.

One idea carries this module: every write knows beforehand which items it touches. Their images are
taken before and after, and everything follows from the two: what the stream gets, that a failed
write leaves nothing behind, that a transaction is all or nothing.

What is done about moto 5.2.5:

- its streams stay off; our own get one record for each item that really changed;
- its response class is asked directly, without the way through HTTP (0.1 ms instead of 0.9 ms for
  a put);
- TransactWriteItems would copy every touched table and put the copy in the table's place after a
  failure: here the conditions are evaluated first, then the parts are applied, and only the touched
  items are restored when one fails;
- ``ClientRequestToken`` counts, for ten minutes of virtual time;
- numbers are normalised and have at most 38 digits, sets have one order, an item up to 400 KB;
- keys are checked against the table's schema, batches against their limits;
- legacy parameters (``Expected``, ``AttributeUpdates``, ...) are refused by name, and so is
  ``ReturnConsumedCapacity``, for which moto has a constant;
- a query reads its own partition instead of sorting the whole table.
"""

from __future__ import annotations

import copy
import decimal
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import moto.dynamodb.models.dynamo_type as dynamo_type
import moto.dynamodb.responses as responses
from moto.core.exceptions import _RESTError
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import ConditionalCheckFailed, MockValidationException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.utilities import dynamo_to_dict
from moto.dynamodb.parsing.expressions import UpdateExpressionParser

from grader.cloud import moto_speed
from grader.cloud.aws import ServiceError
from grader.cloud.clock import Clock
from grader.cloud.dynamodb.consumption import ItemWrite
from grader.cloud.dynamodb.items import binary_text
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.dynamodb.values import Attributes, image, invalid, settled, values_in
from grader.cloud.moto_world import moto_method

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_BATCH_WRITES = 25
MOST_TRANSACTION_PARTS = 100
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
TOKEN_LIFE_MS = 10 * 60 * 1000
# "older than five years" is never deleted:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
OLDEST_TTL_S = 5 * 365 * 86_400

moto_speed.install()
# moto measures an item again for every attribute it adds, and refuses from 405,000 bytes on. The
# size is checked here, once, by AWS's rule.
dynamo_type.LimitedSizeDict = dict
# moto's limit is that of 2018.
responses.TRANSACTION_MAX_ITEMS = MOST_TRANSACTION_PARTS

# moto adds numbers in the context of the moment, which rounds to 28 digits.
_EXACT = decimal.Context(prec=400)

# A write that fails in one of these ways has been looked at, and is billed.
_CONSUMES = ("ConditionalCheckFailedException", "TransactionCanceledException")

_LEGACY = (
    "Expected",
    "AttributeUpdates",
    "AttributesToGet",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
    "ConditionalOperator",
)


class _Table(Table):  # type: ignore[misc]
    """moto's table, reading one partition where a query asks for one."""

    _partition: DynamoType | None = None

    def query(self, hash_key: Any, *args: Any, **options: Any) -> Any:
        """As moto's, without sorting every item of the table first."""
        if (args[6:7] and args[6]) or options.get("index_name"):
            return super().query(hash_key, *args, **options)
        self._partition = hash_key
        try:
            return super().query(hash_key, *args, **options)
        finally:
            self._partition = None

    def all_items(self) -> list[Item]:
        """Every item, or every item of the partition that is being queried."""
        if self._partition is None:
            return super().all_items()
        if self._partition not in self.items:
            return []
        found = self.items[self._partition]
        return list(found.values()) if self.range_key_attr else [found]


class _Backend(DynamoDBBackend):  # type: ignore[misc]
    """moto's backend with our tables, and transactions that need no copy of them."""

    def create_table(self, name: str, **options: Any) -> _Table:
        """As moto's, but the table is ours and its stream stays off."""
        options["streams"] = None
        table = _Table(
            name,
            account_id=self.account_id,
            region=self.region_name,
            schema=options.pop("schema"),
            **options,
        )
        self.tables[name] = table
        return table

    def transact_write_items(self, transact_items: list[dict[str, Any]]) -> None:
        """Evaluate every condition, then apply every part; the caller restores after a failure."""
        reasons = [self._condition(kind, part) for kind, part in _parts(transact_items)]
        if not any(reasons):
            for number, (kind, part) in enumerate(_parts(transact_items)):
                try:
                    self._apply(kind, part)
                except MockValidationException as error:
                    if type(error).__name__ not in _FAILURES_OF_A_PART:
                        raise
                    reasons[number] = {"Code": "ValidationError", "Message": error.message}
                    break
        if any(reasons):
            raise _cancelled(reasons)

    def _condition(self, kind: str, part: Mapping[str, Any]) -> dict[str, Any] | None:
        expression = part.get("ConditionExpression")
        if expression is None:
            return None
        table = self.get_table(part["TableName"])
        current = self.get_item(table.name, part["Item"] if kind == "Put" else part["Key"])
        met = get_filter_expression(
            expression, part.get("ExpressionAttributeNames"), part.get("ExpressionAttributeValues")
        ).expr(current)
        if met:
            return None
        reason: dict[str, Any] = {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
        }
        if part.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and current:
            reason["Item"] = image(current)
        return reason

    def _apply(self, kind: str, part: Mapping[str, Any]) -> None:
        names = part.get("ExpressionAttributeNames")
        values = part.get("ExpressionAttributeValues")
        if kind == "Put":
            self.put_item(part["TableName"], part["Item"], overwrite=True)
        elif kind == "Delete":
            self.delete_item(part["TableName"], part["Key"])
        elif kind == "Update":
            self.update_item(
                part["TableName"],
                part["Key"],
                update_expression=part["UpdateExpression"],
                expression_attribute_names=names or {},
                expression_attribute_values=values or {},
            )


# What is wrong with one item's data cancels the transaction; what is wrong with the request itself
# is a ValidationException of the whole.
_FAILURES_OF_A_PART = {
    "AttributeDoesNotExist",
    "IncorrectDataType",
    "InvalidUpdateExpressionInvalidDocumentPath",
    "ItemSizeToUpdateTooLarge",
}


class _Handler(responses.DynamoHandler):  # type: ignore[misc]
    """moto's response class on our backend, fed with parameters instead of a request."""

    def __init__(self, backend: _Backend, params: dict[str, Any]) -> None:
        super().__init__()
        self.body = self.params = params
        self._backend = backend

    @property
    def dynamodb_backend(self) -> DynamoDBBackend:
        return self._backend


@dataclass(slots=True)
class _Touched:
    """One item that a write is about to touch, as it was before."""

    table: _Table
    hash_key: DynamoType
    range_key: DynamoType | None
    before: Item | None
    image: Attributes | None

    def item(self) -> Item | None:
        partition = self.table.items.get(self.hash_key)
        if self.range_key is None or partition is None:
            return partition
        return partition.get(self.range_key)

    def key(self) -> list[Attributes]:
        values = [self.hash_key] if self.range_key is None else [self.hash_key, self.range_key]
        return [{value.type: value.value} for value in values]

    def restore(self) -> None:
        items = self.table.items
        if self.range_key is None:
            if self.before is None:
                items.pop(self.hash_key, None)
            else:
                items[self.hash_key] = self.before
        elif self.before is None:
            items[self.hash_key].pop(self.range_key, None)
        else:
            items[self.hash_key][self.range_key] = self.before


class Tables:
    """Every table of one account. Times come from ``clock``; streams get what really changed."""

    def __init__(
        self, clock: Clock, account_id: str, region: str, breakdowns: list[str] | None = None
    ) -> None:
        self._clock = clock
        self._backend = _Backend(region, account_id)
        # By table name.
        self.streams: dict[str, Stream] = {}
        # Every item that a call wrote or tried to write, oldest first.
        self.writes: list[ItemWrite] = []
        self._breakdowns = breakdowns if breakdowns is not None else []
        self._tokens: dict[str, tuple[bytes, int]] = {}

    # -- deployment --------------------------------------------------------------------------

    def create(self, params: dict[str, Any], ttl_attribute: str | None, pitr: bool) -> None:
        """Create a table from CreateTable's parameters. ServiceError when moto refuses them."""
        self._ask("CreateTable", copy.deepcopy(params))
        table = self._backend.tables[params["TableName"]]
        table.created_at = datetime.fromtimestamp(self._clock.now / 1000, UTC)
        if ttl_attribute is not None:
            table.ttl = {"TimeToLiveStatus": "ENABLED", "AttributeName": ttl_attribute}
        if pitr:
            since = table.created_at
            table.continuous_backups["PointInTimeRecoveryDescription"] = {
                "PointInTimeRecoveryStatus": "ENABLED",
                "EarliestRestorableDateTime": since,
                "LatestRestorableDateTime": since,
                "RecoveryPeriodInDays": 35,
            }

    def names(self) -> list[str]:
        """The names of all tables, in the order of their creation."""
        return list(self._backend.tables)

    def name_of(self, table: str) -> str:
        """A table's name, from its name or ARN. KeyError when there is no such table."""
        name = table.rpartition("/")[2] if table.startswith("arn:") else table
        if name not in self._backend.tables:
            raise KeyError(table)
        return name

    def keys_of(self, table: str) -> list[str]:
        """The names of a table's key attributes, partition key first."""
        return list(self._backend.tables[table].table_key_attrs)

    def on_demand(self, table: str) -> bool:
        """Whether the table is billed (and throttled) on demand."""
        return self._backend.tables[table].billing_mode == "PAY_PER_REQUEST"

    # -- the API -----------------------------------------------------------------------------

    def answer(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Carry out one API call; DynamoDB's own JSON in and out. ServiceError as AWS's."""
        for name in ("ReturnConsumedCapacity", "ReturnItemCollectionMetrics"):
            if params.get(name, "NONE") != "NONE":
                raise invalid(f"{name} is not emulated here; leave it out.")
        for name in _LEGACY:
            if name in params:
                raise invalid(
                    f"The legacy parameter {name} is not emulated here; use an expression."
                )
        with decimal.localcontext(_EXACT):
            known = _OPERATIONS.get(operation)
            if known is not None:
                return known(self, params)
            return self._ask(operation, params)

    def items(self, table: str) -> list[Attributes]:
        """Every item of a table as DynamoDB JSON, ordered by key."""
        found = self._backend.tables[self.name_of(table)]
        return [image(item) for item in sorted(_unsorted(found), key=_place)]

    def expire(self) -> int:
        """Delete every item whose Time to Live has passed. Returns how many.

        AWS deletes them within a few days, at a time of its own; here it is when this is called.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
        """
        now = self._clock.now // 1000
        gone = 0
        for table in self._backend.tables.values():
            attribute = table.ttl.get("AttributeName")
            if table.ttl["TimeToLiveStatus"] != "ENABLED" or attribute is None:
                continue
            for item in sorted(_unsorted(table), key=_place):
                value = item.attrs.get(attribute)
                if value is None or value.type != "N":
                    continue
                if not now - OLDEST_TTL_S < decimal.Decimal(value.value) <= now:
                    continue
                gone_image = image(item)
                table.delete_item(item.hash_key, item.range_key)
                gone += 1
                if stream := self.streams.get(table.name):
                    stream.write(gone_image, None, self._clock.now, ttl_delete=True)
        return gone

    # -- writes ------------------------------------------------------------------------------

    def _put(self, params: dict[str, Any]) -> dict[str, Any]:
        table = self._table(params)
        values_in(params)
        touched = self._touched([(table, params.get("Item") or {})])
        return self._write(touched, lambda: self._ask("PutItem", params))

    def _delete(self, params: dict[str, Any]) -> dict[str, Any]:
        touched = self._touched([self._keyed(params)])
        return self._write(touched, lambda: self._ask("DeleteItem", params))

    def _update(self, params: dict[str, Any]) -> dict[str, Any]:
        touched = self._touched([self._keyed(params)])
        if params.get("UpdateExpression") is None:
            # An update without an expression creates an empty item, or does nothing.
            params = {**params, "AttributeUpdates": {}}
        answer = self._write(touched, lambda: self._ask("UpdateItem", params))
        wanted = params.get("ReturnValues")
        if wanted in ("UPDATED_NEW", "UPDATED_OLD", "ALL_NEW"):
            self._updated_attributes(params, touched[0], answer)
        return answer

    def _updated_attributes(
        self, params: Mapping[str, Any], touched: _Touched, answer: dict[str, Any]
    ) -> None:
        """What the expression names, also where it changed nothing.

        moto leaves out attributes that were set to the value they had.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html
        """
        item = touched.item()
        new = image(item) if item else {}
        if params["ReturnValues"] == "ALL_NEW":
            answer["Attributes"] = new
            return
        source = new if params["ReturnValues"] == "UPDATED_NEW" else touched.image or {}
        names = params.get("ExpressionAttributeNames") or {}
        attributes = dict(answer.get("Attributes") or {})
        for path in _paths(params.get("UpdateExpression") or ""):
            name = names.get(path, path)
            if name in source:
                attributes[name] = source[name]
        attributes = {name: value for name, value in attributes.items() if name in source}
        answer.pop("Attributes", None)
        if attributes:
            answer["Attributes"] = attributes

    def _batch_write(self, params: dict[str, Any]) -> dict[str, Any]:
        # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
        batches = params.get("RequestItems") or {}
        count = sum(len(requests) for requests in batches.values())
        if count > MOST_BATCH_WRITES:
            raise invalid("Too many items requested for the BatchWriteItem call")
        if not count or not all(batches.values()):
            raise invalid(
                "1 validation error detected: Value at 'requestItems' failed to satisfy "
                "constraint: Map value must satisfy constraint: [Member must have length less "
                "than or equal to 25, Member must have length greater than or equal to 1]"
            )
        values_in(params)
        places = []
        for name, requests in batches.items():
            table = self._table({"TableName": name})
            for request in requests:
                if len(request) != 1:
                    raise invalid("Supplied request must be a PutRequest or a DeleteRequest")
                if "DeleteRequest" in request:
                    key = request["DeleteRequest"]["Key"]
                    _check_key(table, key)
                else:
                    key = request["PutRequest"]["Item"]
                places.append((table, key))
        touched = self._touched(places)
        if _repeats(touched):
            raise invalid("Provided list of item keys contains duplicates")
        return self._write(touched, lambda: self._ask("BatchWriteItem", params))

    def _transact_write(self, params: dict[str, Any]) -> dict[str, Any]:
        parts = _checked_parts(params)
        token = params.get("ClientRequestToken")
        if token is not None and self._repeated(token, params):
            return {}
        digest = _digest(params)
        values_in(params)
        places = []
        for kind, part in parts:
            table = self._table(part)
            key = part.get("Item" if kind == "Put" else "Key") or {}
            if kind != "Put":
                _check_key(table, key)
            places.append((table, key))
        touched = self._touched(places)
        if _repeats(touched):
            raise invalid("Transaction request cannot include multiple operations on one item")
        answer = self._write(
            touched, lambda: self._ask("TransactWriteItems", params), transactional=True
        )
        if token is not None:
            self._tokens[token] = (digest, self._clock.now)
        return answer

    def _repeated(self, token: str, params: Mapping[str, Any]) -> bool:
        """Whether the transaction with this token is done already and still remembered."""
        if not 1 <= len(token) <= 36:
            raise invalid(
                f"1 validation error detected: Value '{token}' at 'clientRequestToken' failed to "
                "satisfy constraint: Member must have length less than or equal to 36"
            )
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

    def _write(
        self,
        touched: Sequence[_Touched],
        act: Callable[[], dict[str, Any]],
        *,
        transactional: bool = False,
    ) -> dict[str, Any]:
        """Let ``act`` change the touched items; then all of it counts, or nothing of it."""
        try:
            answer = act()
            after = [settled(one.item()) for one in touched]
        except BaseException as error:
            for one in touched:
                one.restore()
            if isinstance(error, ServiceError) and error.code in _CONSUMES:
                self._consumed(touched, [one.image for one in touched], transactional, stored=False)
            raise
        self._consumed(touched, after, transactional, stored=True)
        for one, new in zip(touched, after, strict=True):
            stream = self.streams.get(one.table.name)
            if stream is not None:
                stream.write(one.image, new, self._clock.now)
        return answer

    def _consumed(
        self,
        touched: Sequence[_Touched],
        after: Sequence[Attributes | None],
        transactional: bool,
        stored: bool,
    ) -> None:
        for one, new in zip(touched, after, strict=True):
            table, image = one.table, one.image
            key = dict(zip(table.table_key_attrs, one.key(), strict=True))
            self.writes.append(
                ItemWrite(self._clock.now, table.name, key, image, new, transactional, stored)
            )

    def _touched(self, places: Sequence[tuple[_Table, Attributes]]) -> list[_Touched]:
        found = []
        for table, key in places:
            try:
                hash_key = DynamoType(key[table.hash_key_attr])
                range_key = DynamoType(key[table.range_key_attr]) if table.range_key_attr else None
            except KeyError as missing:
                raise invalid(
                    "One or more parameter values were invalid: Missing the key "
                    f"{missing.args[0]} in the item"
                ) from None
            one = _Touched(table, hash_key, range_key, None, None)
            item = one.item()
            if item is not None:
                one.before = copy.deepcopy(item)
                one.image = image(item)
            found.append(one)
        return found

    # -- reads -------------------------------------------------------------------------------

    def _get(self, params: dict[str, Any]) -> dict[str, Any]:
        self._keyed(params)
        return self._ask("GetItem", params)

    def _batch_get(self, params: dict[str, Any]) -> dict[str, Any]:
        values_in(params)
        for name, request in (params.get("RequestItems") or {}).items():
            table = self._table({"TableName": name})
            for key in request.get("Keys") or ():
                _check_key(table, key)
        return self._ask("BatchGetItem", params)

    def _transact_get(self, params: dict[str, Any]) -> dict[str, Any]:
        parts = _checked_parts(params)
        answers = []
        for kind, part in parts:
            if kind != "Get":
                raise invalid("TransactGetItems takes Get only")
            answers.append(self._get(dict(part)))
        return {"Responses": answers}

    def _read_many(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        self._table(params)
        values_in(params)
        return self._ask(operation, params)

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        table = self._table(params)
        answer = self._ask("DescribeTable", params)
        stream = self.streams.get(table.name)
        if stream is not None:
            description = answer["Table"]
            description["LatestStreamArn"] = stream.arn
            description["LatestStreamLabel"] = stream.label
            if stream.disabled_ms is None:
                description["StreamSpecification"] = {
                    "StreamEnabled": True,
                    "StreamViewType": stream.view,
                }
        return answer

    # -- moto --------------------------------------------------------------------------------

    def _ask(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """moto's answer to one call."""
        handler = _Handler(self._backend, params)
        method = getattr(handler, moto_method(operation))
        try:
            result = dynamo_to_dict(method().result)
        except ServiceError:
            raise
        except ConditionalCheckFailed as error:
            members = json.loads(error.description)
            item = {"Item": members["Item"]} if "Item" in members else {}
            raise ServiceError(
                "ConditionalCheckFailedException", "The conditional request failed", **item
            ) from None
        except _RESTError as error:
            code = str(error.error_type).rpartition("#")[2]
            raise ServiceError(code, str(error.message), int(error.code or 400)) from None
        except Exception as error:
            # moto answers some malformed expressions with a Python exception of its own.
            self._breakdowns.append(f"{operation}: {type(error).__name__}: {error}")
            raise invalid(f"The request could not be carried out: {error}") from error
        answer = result or {}
        # moto adds these to some answers, unasked and always the same.
        for name in ("ConsumedCapacity", "ConsumedCapacityUnits", "ItemCollectionMetrics"):
            answer.pop(name, None)
        return answer

    def _table(self, params: Mapping[str, Any]) -> _Table:
        try:
            name = self.name_of(str(params.get("TableName", "")))
        except KeyError:
            raise ServiceError(
                "ResourceNotFoundException", "Requested resource not found"
            ) from None
        return self._backend.tables[name]

    def _keyed(self, params: dict[str, Any]) -> tuple[_Table, Attributes]:
        table = self._table(params)
        values_in(params)
        key = params.get("Key") or {}
        _check_key(table, key)
        return table, key


_OPERATIONS: dict[str, Callable[[Tables, dict[str, Any]], dict[str, Any]]] = {
    "PutItem": Tables._put,
    "DeleteItem": Tables._delete,
    "UpdateItem": Tables._update,
    "BatchWriteItem": Tables._batch_write,
    "TransactWriteItems": Tables._transact_write,
    "GetItem": Tables._get,
    "BatchGetItem": Tables._batch_get,
    "TransactGetItems": Tables._transact_get,
    "Query": lambda self, params: self._read_many("Query", params),
    "Scan": lambda self, params: self._read_many("Scan", params),
    "DescribeTable": Tables._describe,
}


# -- keys and order ---------------------------------------------------------------------------


def _check_key(table: _Table, key: Mapping[str, Any]) -> None:
    kinds = {table.hash_key_attr: table.hash_key_type}
    if table.range_key_attr is not None:
        kinds[table.range_key_attr] = str(table.range_key_type)
    if key.keys() != kinds.keys() or any(kinds[name] not in key[name] for name in kinds):
        raise invalid("The provided key element does not match the schema")
    for name in kinds:
        if next(iter(key[name].values())) in ("", b""):
            raise invalid(
                "One or more parameter values are not valid. The AttributeValue for a key "
                f"attribute cannot contain an empty string value. Key: {name}"
            )


def _unsorted(table: _Table) -> list[Item]:
    if table.range_key_attr is None:
        return list(table.items.values())
    return [item for partition in table.items.values() for item in partition.values()]


def _place(item: Item) -> tuple[Any, ...]:
    """Where an item stands among the others: by partition key, then by sort key."""
    keys = [item.hash_key] if item.range_key is None else [item.hash_key, item.range_key]
    return tuple(decimal.Decimal(key.value) if key.type == "N" else key.value for key in keys)


# -- transactions ----------------------------------------------------------------------------


def _parts(transact_items: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    for item in transact_items:
        yield next(iter(item.items()))


def _checked_parts(params: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    items = params.get("TransactItems") or []
    if not 1 <= len(items) <= MOST_TRANSACTION_PARTS:
        raise invalid(
            "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MOST_TRANSACTION_PARTS} and greater "
            "than or equal to 1"
        )
    if any(len(item) != 1 for item in items):
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    return list(_parts(items))


def _repeats(touched: Sequence[_Touched]) -> bool:
    places = {(one.table.name, one.hash_key, one.range_key) for one in touched}
    return len(places) != len(touched)


def _cancelled(reasons: Sequence[dict[str, Any] | None]) -> ServiceError:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""
    listed = [reason or {"Code": "None"} for reason in reasons]
    codes = ", ".join(reason["Code"] for reason in listed)
    message = (
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    )
    # boto3 reads the message of this error under the name Message.
    return ServiceError(
        "TransactionCanceledException", message, CancellationReasons=listed, Message=message
    )


def _digest(params: Mapping[str, Any]) -> bytes:
    """What must be the same for a transaction to count as the same."""
    text = json.dumps(params.get("TransactItems"), sort_keys=True, default=binary_text)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


# -- small things ----------------------------------------------------------------------------


def _paths(expression: str) -> list[str]:
    """The attributes, as written, that an update expression acts on at the top level."""
    try:
        tree = UpdateExpressionParser.make(expression)
    except Exception:
        return []
    found = []
    for node in _walk(tree):
        if type(node).__name__ == "UpdateExpressionPath" and len(node.children) == 1:
            found.append(str(node.children[0].children[0]))
    return found


def _walk(node: Any) -> Iterator[Any]:
    yield node
    for child in getattr(node, "children", None) or ():
        # The value of a clause may name attributes too; those are read, not written.
        if (
            type(node).__name__.startswith("UpdateExpressionSetAction")
            and child is not (node.children[0])
        ):
            continue
        yield from _walk(child)
