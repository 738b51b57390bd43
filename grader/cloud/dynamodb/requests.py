"""Parameters of DynamoDB's data plane: what DynamoDB refuses before it looks at a table.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from grader.cloud.aws import ServiceError
from grader.cloud.dynamodb.expressions import (
    Condition,
    Invalid,
    KeyCondition,
    Placeholders,
    Projection,
    Update,
    UpdateFailed,
    legacy,
)
from grader.cloud.dynamodb.expressions.typed import Item, Unreadable, Value, kind_of, settled_item
from grader.cloud.dynamodb.items import item_bytes
from grader.cloud.dynamodb.store import (
    MOST_HASH_BYTES,
    MOST_RANGE_BYTES,
    Index,
    Keys,
    Schema,
    value_bytes,
)

Params = Mapping[str, Any]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_ITEM_BYTES = 409_600

_ENUMS = {
    "ReturnConsumedCapacity": ("INDEXES", "TOTAL", "NONE"),
    "ReturnItemCollectionMetrics": ("SIZE", "NONE"),
    "ReturnValues": ("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"),
    "ReturnValuesOnConditionCheckFailure": ("ALL_OLD", "NONE"),
    "Select": ("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"),
    "ConditionalOperator": ("OR", "AND"),
}

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MOST_BATCH_READS = 100


def invalid(message: str) -> ServiceError:
    """DynamoDB's ValidationException."""
    return ServiceError("ValidationException", message)


def constraint(value: Any, member: str, rule: str) -> ServiceError:
    """The ValidationException of a member that breaks a rule of the API's model."""
    told = "null" if value is None else f"'{value}'"
    return invalid(
        f"1 validation error detected: Value {told} at '{member}' failed to satisfy "
        f"constraint: {rule}"
    )


@contextmanager
def refusing(prefix: str = "") -> Iterator[None]:
    """What expressions and values refuse, as DynamoDB's error."""
    try:
        yield
    except Invalid as fault:
        raise invalid(f"{prefix}{fault}") from None
    except UpdateFailed as fault:
        raise invalid(str(fault)) from None
    except Unreadable as fault:
        raise ServiceError("SerializationException", str(fault)) from None


def member(params: Params, name: str, kind: type, default: Any = None) -> Any:
    """A parameter of the right type. ServiceError for any other type."""
    value = params.get(name)
    if value is None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ServiceError("SerializationException", f"{name} has a type that it cannot have.")
    return value


def required(params: Params, name: str, kind: type) -> Any:
    """A parameter that must be there."""
    value = member(params, name, kind)
    if value is None:
        raise constraint(None, name[0].lower() + name[1:], "Member must not be null")
    return value


_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]+", re.ASCII)


def table_name(params: Params) -> str:
    """The table that a request is about, by name or ARN."""
    name: str = required(params, "TableName", str)
    if name.startswith("arn:"):
        return name
    if not name or len(name) > 255:
        edge = "less than or equal to 255" if name else "greater than or equal to 1"
        raise constraint(name, "tableName", f"Member must have length {edge}")
    if not _TABLE_NAME.fullmatch(name):
        raise constraint(
            name,
            "tableName",
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        )
    if len(name) < 3:
        raise invalid(
            "TableName must be at least 3 characters long and at most 255 characters long"
        )
    return name


def index_name(params: Params) -> str | None:
    """The index that a request is about; None for the table itself."""
    name: str | None = member(params, "IndexName", str)
    if name is None:
        return None
    if not 3 <= len(name) <= 255:
        edge = "greater than or equal to 3" if len(name) < 3 else "less than or equal to 255"
        raise constraint(name, "indexName", f"Member must have length {edge}")
    if not _TABLE_NAME.fullmatch(name):
        rule = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        raise constraint(name, "indexName", rule)
    return name


def check_enums(params: Params) -> None:
    """ServiceError for parameters that have one of a few values each, and have none of them."""
    wrong = []
    for name, allowed in _ENUMS.items():
        value = member(params, name, str)
        if value is not None and value not in allowed:
            wrong.append(
                f"Value '{value}' at '{name[0].lower()}{name[1:]}' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{', '.join(allowed)}]"
            )
    if wrong:
        errors = "error" if len(wrong) == 1 else "errors"
        raise invalid(f"{len(wrong)} validation {errors} detected: {'; '.join(wrong)}")


def requested(params: Params, operation: str) -> Mapping[str, Any]:
    """The RequestItems of a batch, by names of tables; there is one at least."""
    batches: Mapping[str, Any] | None = member(params, "RequestItems", dict)
    if not batches:
        raise invalid(f"The requestItems parameter is required for {operation}")
    for name in batches:
        table_name({"TableName": name})
    return batches


# -- expressions -----------------------------------------------------------------------------


@dataclass(slots=True)
class Asked:
    """The expressions of one request, or of one part of a transaction, bound and checked."""

    condition: Condition | None = None
    update: Update | None = None
    projection: Projection | None = None
    keys: KeyCondition | None = None
    values: Item = field(default_factory=dict)
    # What the condition and the projection came from, as AWS's errors name it.
    condition_name: str = "Filter Expression"
    projection_name: str = "ProjectionExpression"


_PARSE: dict[str, tuple[str, Callable[[str, Placeholders], Any]]] = {
    "UpdateExpression": ("update", Update.parse),
    "ConditionExpression": ("condition", Condition.parse),
    "KeyConditionExpression": ("keys", KeyCondition.parse),
    "FilterExpression": ("condition", Condition.parse),
    "ProjectionExpression": ("projection", Projection.parse),
}
_LEGACY: dict[str, tuple[str, Callable[..., Any]]] = {
    "Expected": ("condition", legacy.expected),
    "QueryFilter": ("condition", legacy.filtered),
    "ScanFilter": ("condition", legacy.filtered),
    "KeyConditions": ("keys", legacy.key_conditions),
    "AttributeUpdates": ("update", legacy.attribute_updates),
    "AttributesToGet": ("projection", legacy.attributes_to_get),
}


def asked(params: Params, expressions: Sequence[str], before: Sequence[str] = ()) -> Asked:
    """Read a request's expressions, or the legacy parameters in their place.

    ``expressions`` and ``before`` name those that the operation has. ServiceError as AWS's.
    """
    given = [name for name in expressions if params.get(name) is not None]
    old = [name for name in (*before, "ConditionalOperator") if params.get(name) is not None]
    _check_mixture(params, expressions, given, old)
    found = Asked()
    with refusing():
        placeholders = Placeholders(
            params.get("ExpressionAttributeNames"), params.get("ExpressionAttributeValues")
        )
    found.values = placeholders.values
    for name in given:
        what, parse = _PARSE[name]
        with refusing(f"Invalid {name}: "):
            setattr(found, what, parse(member(params, name, str), placeholders))
    with refusing():
        placeholders.all_used()
        operator = params.get("ConditionalOperator")
        filters = [name for name in old if _LEGACY.get(name, ("",))[0] == "condition"]
        if operator is not None and not filters:
            raise Invalid("ConditionalOperator cannot be used without Filter or Expected")
        for name in old:
            if name in filters:
                found.condition = _LEGACY[name][1](params[name], operator)
                found.condition_name = name
            elif name in _LEGACY:
                setattr(found, _LEGACY[name][0], _LEGACY[name][1](params[name]))
        if "AttributesToGet" in old:
            found.projection_name = "AttributesToGet"
    return found


def _check_mixture(
    params: Params, expressions: Sequence[str], given: Sequence[str], old: Sequence[str]
) -> None:
    # KeyConditions may stand beside a FilterExpression.
    mixed = [name for name in old if name != "KeyConditions" or "KeyConditionExpression" in given]
    if given and mixed:
        raise invalid(
            "Can not use both expression and non-expression parameters in the same request: "
            f"Non-expression parameters: {{{', '.join(mixed)}}} "
            f"Expression parameters: {{{', '.join(given)}}}"
        )
    if params.get("ExpressionAttributeNames") is not None and not given:
        raise invalid("ExpressionAttributeNames can only be specified when using expressions")
    with_values = [name for name in expressions if name != "ProjectionExpression"]
    if params.get("ExpressionAttributeValues") is not None and not set(with_values) & set(given):
        are = "are" if len(with_values) > 1 else "is"
        raise invalid(
            "ExpressionAttributeValues can only be specified when using expressions: "
            f"{' and '.join(with_values)} {are} null"
        )


# -- keys and items --------------------------------------------------------------------------


def item_in(given: Any) -> Item:
    """An item of a request, settled. ServiceError for what DynamoDB refuses."""
    with refusing():
        return settled_item(given)


def _empty(kind: str, name: str) -> ServiceError:
    what = "string" if kind == "S" else "binary"
    return invalid(
        "One or more parameter values are not valid. The AttributeValue for a key attribute "
        f"cannot contain an empty {what} value. Key: {name}"
    )


def _check_key_value(value: Value, name: str, *, is_hash: bool) -> None:
    kind = kind_of(value)
    if kind == "N":
        return
    if not value[kind]:
        raise _empty(kind, name)
    size = value_bytes(value)
    if is_hash and size > MOST_HASH_BYTES:
        raise invalid(
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum "
            "size limit of2048 bytes"
        )
    if not is_hash and size > MOST_RANGE_BYTES:
        raise invalid(
            "One or more parameter values were invalid: Aggregated size of all range keys has "
            "exceeded the size limit of 1024 bytes"
        )


def check_key(schema: Schema, key: Mapping[str, Value], keys: Keys | None = None) -> None:
    """ServiceError unless this is a key of the table (or of ``keys``), and nothing more."""
    names, hashes = (keys or schema.keys).names, (keys or schema.keys).hashes
    if len(key) != len(names):
        raise invalid("The provided key element does not match the schema")
    for name in names:
        if name not in key or kind_of(key[name]) != schema.types[name]:
            raise invalid("The provided key element does not match the schema")
        _check_key_value(key[name], name, is_hash=name in hashes)


def check_item(schema: Schema, item: Item) -> None:
    """ServiceError unless the table can hold this item."""
    for name in schema.keys.names:
        if name not in item:
            raise invalid(
                f"One or more parameter values were invalid: Missing the key {name} in the item"
            )
        kind = kind_of(item[name])
        if kind != schema.types[name]:
            raise invalid(
                f"One or more parameter values were invalid: Type mismatch for key {name} "
                f"expected: {schema.types[name]} actual: {kind}"
            )
        _check_key_value(item[name], name, is_hash=name == schema.keys.hash)
    check_index_keys(schema, item)
    if item_bytes(item) > MOST_ITEM_BYTES:
        raise invalid("Item size has exceeded the maximum allowed size")


def check_index_keys(schema: Schema, item: Mapping[str, Value]) -> None:
    """ServiceError for an attribute that is an index's key and cannot be it."""
    for index in schema.indexes.values():
        for name in index.keys.names:
            if name in item and name not in schema.keys.names:
                _check_index_key(schema, index, name, item[name])


def _check_index_key(schema: Schema, index: Index, name: str, value: Value) -> None:
    kind = kind_of(value)
    if kind != schema.types[name]:
        raise invalid(
            f"One or more parameter values were invalid: Type mismatch for Index Key {name} "
            f"Expected: {schema.types[name]} Actual: {kind} IndexName: {index.name}"
        )
    if kind == "N":
        return
    if not value[kind]:
        what = "string" if kind == "S" else "binary"
        raise invalid(
            "One or more parameter values are not valid. A value specified for a secondary index "
            f"key is not supported. The AttributeValue for a key attribute cannot contain an empty "
            f"{what} value. IndexName: {index.name}, IndexKey: {name}"
        )
    size, is_hash = value_bytes(value), name in index.keys.hashes
    if size > (MOST_HASH_BYTES if is_hash else MOST_RANGE_BYTES):
        most, which = (MOST_HASH_BYTES, "hashkey") if is_hash else (MOST_RANGE_BYTES, "rangekey")
        raise invalid(
            f"One or more parameter values were invalid: Size of {which} has exceeded the maximum "
            f"size limit of {most} bytes. IndexName: {index.name}, IndexKey: {name}"
        )


def check_paths(schema: Schema, paths: Sequence[tuple[str | int, ...]]) -> None:
    """ServiceError for a path into a key attribute, which is a scalar."""
    for path in paths:
        if len(path) == 1:
            continue
        name = path[0]
        if name in schema.keys.names:
            where = "Key"
        elif any(name in index.keys.names for index in schema.indexes.values()):
            where = "IndexKey"
        else:
            continue
        raise invalid(
            "Key attributes must be scalars; list random access '[]' and map lookup '.' are not "
            f"allowed: {where}: {name}"
        )


def batched_keys(name: str, batch: Any) -> tuple[dict[str, Any], list[Item]]:
    """One table's part of a BatchGetItem, and its keys."""
    if not isinstance(batch, dict):
        raise ServiceError("SerializationException", "RequestItems has a type that it cannot have.")
    keys = required(batch, "Keys", list)
    if not 1 <= len(keys) <= MOST_BATCH_READS:
        edge = "greater than or equal to 1" if not keys else "less than or equal to 100"
        raise invalid(
            f"1 validation error detected: Value at 'RequestItems.{name}.member.Keys' failed to "
            f"satisfy constraint: Member must have length {edge}"
        )
    return batch, [item_in(key) for key in keys]
