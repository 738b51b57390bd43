"""The rules of tables' definitions that neither AWS's model nor moto holds.

They are asked before anything is created or changed. What AWS documents as a rule without its
sentence is refused in a sentence of ours.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from grader.cloud.aws import ServiceError
from grader.cloud.dynamodb.requests import Params, constraint, invalid, required

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_GLOBAL = 20
MOST_LOCAL = 5
# "up to four attributes" for each part of a global index's key:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html
MOST_PARTS = 4
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html
MOST_TAGS = 50
_TAG_CHARACTERS = "+-=._:/"

_WRONG = "One or more parameter values were invalid: "

Elements = Sequence[Mapping[str, str]]


def check_creation(params: Params) -> None:
    """ServiceError for CreateTable's parameters that do not go together."""
    if len(params["TableName"]) < 3:
        rule = "Member must have length greater than or equal to 3"
        raise constraint(params["TableName"], "tableName", rule)
    for member in ("AttributeDefinitions", "KeySchema"):
        required(params, member, list)
    _check_distinct(params["AttributeDefinitions"])
    keys = params["KeySchema"]
    _check_schema(keys, 1)
    local = params.get("LocalSecondaryIndexes") or []
    indexes = params.get("GlobalSecondaryIndexes") or []
    for index in local:
        _check_local(keys, index)
    if len(local) > MOST_LOCAL:
        raise invalid(
            f"{_WRONG}Number of LocalSecondaryIndexes exceeds per-table limit of {MOST_LOCAL}"
        )
    for index in indexes:
        _check_global(index)
        if params.get("BillingMode") == "PAY_PER_REQUEST" and index.get("ProvisionedThroughput"):
            raise invalid(
                f"{_WRONG}ProvisionedThroughput should not be specified for index: "
                f"{index['IndexName']} when BillingMode is PAY_PER_REQUEST"
            )
    if len(indexes) > MOST_GLOBAL:
        raise _too_many_indexes()
    names = [index["IndexName"] for index in (*indexes, *local)]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"{_WRONG}Duplicate index name: {name}")
    if params.get("Tags"):
        check_tags(params["Tags"], [])


def _check_distinct(definitions: Elements) -> None:
    names = [one["AttributeName"] for one in definitions]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"{_WRONG}Duplicate AttributeName in AttributeDefinitions: {name}")


def _check_schema(keys: Elements, parts: int) -> None:
    """HASH elements first, RANGE elements after them, at most ``parts`` of each."""
    kinds = [key["KeyType"] for key in keys]
    names = [key["AttributeName"] for key in keys]
    if kinds[0] != "HASH":
        raise invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if kinds != sorted(kinds):
        raise invalid("Invalid KeySchema: Elements of the type HASH must precede those of RANGE")
    if parts == 1 and len(kinds) == 2 and kinds[1] != "RANGE":
        raise invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    if parts == 1 and len(kinds) > 2:
        told = ", ".join(
            f"KeySchemaElement(attributeName={name}, keyType={kind})"
            for name, kind in zip(names, kinds, strict=True)
        )
        rule = "Member must have length less than or equal to 2"
        raise constraint(f"[{told}]", "keySchema", rule)
    if max(kinds.count("HASH"), kinds.count("RANGE")) > parts:
        raise invalid(
            f"{_WRONG}The KeySchema of an index has at most {parts} elements of the type HASH and "
            f"{parts} of the type RANGE"
        )
    if parts == 1 and names[0] == names[-1] and len(names) > 1:
        raise invalid(
            "Both the Hash Key and the Range Key element in the KeySchema have the same name"
        )
    if len({*names}) != len(names):
        raise invalid(f"{_WRONG}Two elements of the KeySchema of an index have the same name")


def _check_local(table: Elements, index: Params) -> None:
    keys, name = index["KeySchema"], index["IndexName"]
    _check_schema(keys, 1)
    if len(table) < 2:
        raise invalid(
            f"{_WRONG}Table KeySchema does not have a range key, which is required when specifying "
            "a LocalSecondaryIndex"
        )
    if keys[0]["AttributeName"] != table[0]["AttributeName"]:
        raise invalid(
            f"{_WRONG}Index KeySchema does not have the same leading hash key as table KeySchema "
            f"for index: {name}"
        )
    if len(keys) < 2:
        raise invalid(f"{_WRONG}Index KeySchema does not have a range key for index: {name}")
    _check_projection(index["Projection"])


def _check_global(index: Params) -> None:
    keys = index["KeySchema"]
    # A key of one attribute for each part is refused in the words of a table's key.
    _check_schema(keys, 1 if len(keys) == 1 or _is_plain(keys) else MOST_PARTS)
    _check_projection(index["Projection"])


def _is_plain(keys: Elements) -> bool:
    return [key["KeyType"] for key in keys] == ["HASH", "RANGE"]


def _check_projection(projection: Params) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Projection.html"""
    kind, beside = projection.get("ProjectionType"), projection.get("NonKeyAttributes")
    if kind is None:
        raise invalid(f"{_WRONG}Unknown ProjectionType: null")
    if kind == "INCLUDE" and beside is None:
        raise invalid(f"{_WRONG}ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    if kind != "INCLUDE" and beside is not None:
        raise invalid(f"{_WRONG}ProjectionType is {kind}, but NonKeyAttributes is specified")
    if beside is not None and len({*beside}) != len(beside):
        raise invalid(f"{_WRONG}Duplicate attribute name in NonKeyAttributes")


def _too_many_indexes() -> ServiceError:
    return invalid(
        f"{_WRONG}GlobalSecondaryIndex count exceeds the per-table limit of {MOST_GLOBAL}"
    )


# -- changes ---------------------------------------------------------------------------------

_CHANGES = ("Create", "Update", "Delete")


def check_change(params: Params, table: Params) -> None:
    """ServiceError for UpdateTable's parameters that do not fit the table, as it is described."""
    if not any(value for name, value in params.items() if name != "TableName") and (
        params.get("DeletionProtectionEnabled") is None
    ):
        raise invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
            "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required"
        )
    _check_billing(params, table)
    updates = params.get("GlobalSecondaryIndexUpdates") or []
    for update in updates:
        if len([kind for kind in _CHANGES if update.get(kind)]) != 1:
            raise invalid(
                f"{_WRONG}A GlobalSecondaryIndexUpdate has exactly one of Create, Update and Delete"
            )
    if sum(1 for update in updates if not update.get("Update")) > 1:
        raise ServiceError(
            "LimitExceededException",
            "Subscriber limit exceeded: Only 1 online index can be created or deleted "
            "simultaneously per table",
        )
    definitions = params.get("AttributeDefinitions") or []
    _check_distinct(definitions)
    for update in updates:
        _check_index_change(update, definitions, table)


def _check_billing(params: Params, table: Params) -> None:
    mode, asked = params.get("BillingMode"), params.get("ProvisionedThroughput")
    now = table["BillingModeSummary"]["BillingMode"]
    if mode == "PROVISIONED" and not asked and now != "PROVISIONED":
        raise invalid(
            f"{_WRONG}ProvisionedThroughput must be specified when BillingMode is PROVISIONED"
        )
    if asked and (mode or now) == "PAY_PER_REQUEST":
        raise invalid(
            f"{_WRONG}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when "
            "BillingMode is PAY_PER_REQUEST"
        )
    held = table["ProvisionedThroughput"]
    units = ("ReadCapacityUnits", "WriteCapacityUnits")
    if asked and now == "PROVISIONED" and all(asked[unit] == held[unit] for unit in units):
        told = " ".join(
            f"Current {unit} provisioned for the table: {held[unit]}. Requested {unit}: "
            f"{asked[unit]}."
            for unit in units
        )
        raise invalid(
            "The provisioned throughput for the table will not change. The requested value equals "
            f"the current value. {told} Refer to the Amazon DynamoDB Developer Guide for current "
            "limits and how to request higher limits."
        )


def _check_index_change(update: Params, definitions: Elements, table: Params) -> None:
    ((kind, change),) = ((kind, update[kind]) for kind in _CHANGES if update.get(kind))
    name = change["IndexName"]
    indexes = [index["IndexName"] for index in table.get("GlobalSecondaryIndexes") or ()]
    if kind != "Create":
        if name not in indexes:
            raise ServiceError(
                "ResourceNotFoundException", f"Requested resource not found: Index: {name}"
            )
        return
    if name in indexes or name in (
        index["IndexName"] for index in table.get("LocalSecondaryIndexes") or ()
    ):
        raise invalid(f"Attempting to create an index which already exists: {name}")
    if len(indexes) >= MOST_GLOBAL:
        raise _too_many_indexes()
    _check_global(change)
    given = {one["AttributeName"]: one["AttributeType"] for one in definitions}
    held = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    for key in change["KeySchema"]:
        attribute, part = key["AttributeName"], key["KeyType"]
        if attribute not in given:
            raise invalid(
                f"{_WRONG}Some index key attributes are not defined in AttributeDefinitions. Keys: "
                f"[{attribute}], AttributeDefinitions: [{', '.join(given)}]"
            )
        if held.get(attribute, given[attribute]) != given[attribute]:
            before, after = (
                f"schema: Schema:[SchemaElement: key{{{attribute}:{types[attribute]}:{part}}}]"
                for types in (held, given)
            )
            raise invalid(
                f"{_WRONG}Attributes cannot be redefined. Please check that your attribute has the "
                f"same type as previously defined. Existing {before} New {after}"
            )


def definitions_of(table: Params, given: Elements | None) -> list[Mapping[str, str]]:
    """The attributes that a table's keys and those of its indexes are defined by.

    ``given`` are UpdateTable's. What no key names is not kept, which for UpdateTable is recorded
    and not documented.
    """
    schemas = [table["KeySchema"]]
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        schemas += [index["KeySchema"] for index in table.get(kind) or ()]
    used = {key["AttributeName"] for keys in schemas for key in keys}
    known = {one["AttributeName"]: one for one in (*table["AttributeDefinitions"], *(given or ()))}
    return [one for name, one in known.items() if name in used]


# -- time to live and tags -------------------------------------------------------------------


def check_ttl(specification: Params, now: Params, *, too_soon: bool) -> None:
    """ServiceError for an UpdateTimeToLive that changes nothing, or comes too soon.

    ``now`` is the table's TimeToLiveDescription. That another attribute is told before the state
    is recorded, not documented.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
    """
    on, enabled = now["TimeToLiveStatus"] == "ENABLED", specification["Enabled"]
    if on and specification["AttributeName"] != now["AttributeName"]:
        raise invalid(
            "TimeToLive is active on a different AttributeName: current AttributeName is "
            f"{now['AttributeName']}"
        )
    if on == enabled:
        raise invalid(f"TimeToLive is already {'enabled' if on else 'disabled'}")
    if too_soon:
        raise invalid("Time to live has been modified multiple times within a fixed interval")


def check_tags(tags: Elements, held: Elements) -> None:
    """ServiceError for tags that a table with the tags ``held`` cannot take.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Tagging.html
    """
    if not tags:
        raise invalid(f"{_WRONG}At least one tag has to be given")
    for tag in tags:
        for text in (tag["Key"], tag["Value"]):
            if not all(_fits_tag(character) for character in text):
                raise invalid(
                    f"{_WRONG}A tag holds letters, white space, numbers and {_TAG_CHARACTERS} "
                    f"only: {text}"
                )
        if tag["Key"].lower().startswith("aws:"):
            raise invalid(f"{_WRONG}The prefix aws: is reserved for AWS: {tag['Key']}")
    if len({tag["Key"] for tag in (*held, *tags)}) > MOST_TAGS:
        raise invalid(f"{_WRONG}A table has at most {MOST_TAGS} tags")


def _fits_tag(character: str) -> bool:
    kind = unicodedata.category(character)[0]
    return kind in "LMNZ" or character.isspace() or character in _TAG_CHARACTERS


_TABLE_ARN = re.compile(r"arn:aws[a-z-]*:dynamodb:[a-z0-9-]+:\d{12}:table/([a-zA-Z0-9_.-]+)(/.*)?")


def tagged_table(arn: str) -> str:
    """The name of the table that a tag is about. ServiceError for what is no table's ARN."""
    if not arn.startswith("arn:"):
        raise invalid(f"Invalid TableArn: ARNs must start with 'arn:': {arn}")
    found = _TABLE_ARN.fullmatch(arn)
    if found is None:
        raise invalid(f"Invalid TableArn: Invalid ResourceArn provided as input {arn}")
    if found[2] is not None:
        raise invalid(
            f"{_WRONG}Invalid resource arn provided, only table or stream is accepted. Provided "
            f"resource arn: {arn}"
        )
    return found[1]
