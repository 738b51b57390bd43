"""DynamoDB tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from grader.cloud.template.kinds.base import Kind, Me, Names
from grader.cloud.template.kinds.common import ENCRYPTION, TAGS, entries
from grader.cloud.template.kinds.schema import ByHand
from grader.cloud.template.model import one_of, show
from grader.cloud.template.shapes import At, Shape, Text, Whole, required
from grader.cloud.template.unknown import Unknown, has_unknown

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html


def _projection(properties: dict[str, Any], at: At) -> None:
    kind, names = properties.get("ProjectionType"), properties.get("NonKeyAttributes")
    if kind == "INCLUDE" and not names:
        at.wrong("has ProjectionType INCLUDE, which needs NonKeyAttributes.")
    if kind in ("ALL", "KEYS_ONLY") and names:
        at.into("NonKeyAttributes").wrong(f"goes only with ProjectionType INCLUDE, not {kind}.")


def _table_rules(properties: dict[str, Any], at: At) -> None:
    _shared_rules(properties, at)
    _billing_rules(properties, at)


def _shared_rules(properties: dict[str, Any], at: At) -> None:
    _key_rules(properties.get("KeySchema"), at.into("KeySchema"))
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        for number, index in entries(properties.get(kind)):
            _key_rules(index.get("KeySchema"), at.into(kind, number, "KeySchema"))
    _definition_rules(properties, at)
    _local_index_rules(properties, at)
    ttl = properties.get("TimeToLiveSpecification")
    if isinstance(ttl, dict) and ttl.get("Enabled") is True and "AttributeName" not in ttl:
        at.into("TimeToLiveSpecification").wrong(
            "is enabled and lacks AttributeName: which attribute holds the time?"
        )


def _key_rules(schema: Any, at: At) -> None:
    if not isinstance(schema, list) or not schema or has_unknown(schema):
        return
    kinds = [key.get("KeyType") for _, key in entries(schema)]
    if kinds not in (["HASH"], ["HASH", "RANGE"]):
        at.wrong(
            f"has the key types {one_of([str(kind) for kind in kinds])}; "
            "AWS takes one HASH first, then at most one RANGE."
        )
    names = [key.get("AttributeName") for _, key in entries(schema)]
    if len(set(names)) < len(names):
        at.wrong(f"uses the attribute {show(names[0])} twice.")


def _definition_rules(properties: dict[str, Any], at: At) -> None:
    """Every key attribute is defined, and nothing else is."""
    schemas = [(("KeySchema",), properties.get("KeySchema"))]
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        if isinstance(properties.get(kind), Unknown):
            return
        for number, index in entries(properties.get(kind)):
            schemas.append(((kind, number, "KeySchema"), index.get("KeySchema")))  # type: ignore[arg-type]
    definitions = properties.get("AttributeDefinitions", [])
    if has_unknown(definitions) or any(has_unknown(schema) for _, schema in schemas):
        return
    defined = [one.get("AttributeName") for _, one in entries(definitions)]
    used: dict[str, None] = {}
    for path, schema in schemas:
        for number, key in entries(schema):
            name = key.get("AttributeName")
            if not isinstance(name, str):
                continue
            used[name] = None
            if name not in defined:
                at.into(*path, number).wrong(
                    f"names the attribute {show(name)}, which AttributeDefinitions does not define."
                )
    for number, name in enumerate(defined):
        place = at.into("AttributeDefinitions", number)
        if name in defined[:number]:
            place.wrong(f"defines {show(name)} a second time.")
        elif isinstance(name, str) and name not in used:
            place.wrong(
                f"defines {show(name)}, which is no key of the table or an index; define only "
                "key attributes."
            )


def _billing_rules(properties: dict[str, Any], at: At) -> None:
    mode = properties.get("BillingMode", "PROVISIONED")
    if isinstance(mode, Unknown):
        return
    places = [(at, properties)]
    places += [
        (at.into("GlobalSecondaryIndexes", number), index)
        for number, index in entries(properties.get("GlobalSecondaryIndexes"))
    ]
    for place, holder in places:
        given = "ProvisionedThroughput" in holder
        if mode == "PROVISIONED" and not given:
            place.wrong(
                "lacks ProvisionedThroughput, which BillingMode PROVISIONED needs (the default); "
                "add it, or set BillingMode to PAY_PER_REQUEST."
            )
        if mode == "PAY_PER_REQUEST" and given:
            place.into("ProvisionedThroughput").wrong(
                "does not go with BillingMode PAY_PER_REQUEST; remove one of the two."
            )


def _local_index_rules(properties: dict[str, Any], at: At) -> None:
    table = entries(properties.get("KeySchema"))
    if not table or has_unknown(properties.get("KeySchema")):
        return
    for number, index in entries(properties.get("LocalSecondaryIndexes")):
        place = at.into("LocalSecondaryIndexes", number)
        if len(table) < 2:
            place.wrong("is a local index, which only a table with a RANGE key can have.")
            continue
        keys = entries(index.get("KeySchema"))
        if keys and keys[0][1].get("AttributeName") != table[0][1].get("AttributeName"):
            place.into("KeySchema").wrong("must begin with the table's own HASH key.")
        if len(keys) == 1:
            place.into("KeySchema").wrong("lacks the RANGE key that a local index is for.")


def _table_names(me: Me) -> Names:
    name = me.name("TableName")
    attributes = {"Arn": me.arn("dynamodb", f"table/{name}")}
    if me.given("StreamSpecification", "StreamViewType"):
        attributes["StreamArn"] = f"{attributes['Arn']}/stream/{stream_label(me.place.created_ms)}"
    return name, attributes


def stream_label(time_ms: int) -> str:
    """Return the label of a stream enabled at ``time_ms`` (ms since 1970): ISO time, no zone."""
    seconds, milliseconds = divmod(time_ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}"


_NAME = Text(
    low=3,
    high=255,
    pattern=r"[a-zA-Z0-9_.-]+",
    says="AWS takes letters, digits, and the characters _ . -",
)
_LOCAL, _GLOBAL = "LocalSecondaryIndexes", "GlobalSecondaryIndexes"
_ROLES_ALONE = "access is judged by roles alone; grant it in the role."
_NO_KINESIS = "the labs read DynamoDB Streams, not Kinesis."
_NO_REPORT = "no report of the most used keys is made"
_NO_CAP = "capacity throttles nobody in the labs, but where a criterion asks for it"
_WARM = "recorded; it changes the price and a table's first minutes"

TABLE = Kind(
    "AWS::DynamoDB::Table",
    _table_names,
    ByHand(
        played=f"AttributeDefinitions BillingMode {_GLOBAL} KeySchema {_LOCAL} "
        "ProvisionedThroughput StreamSpecification TableName TimeToLiveSpecification",
        kept={
            "ContributorInsightsSpecification": _NO_REPORT,
            "DeletionProtectionEnabled": "no lab deletes a table",
            f"{_GLOBAL}.ContributorInsightsSpecification": _NO_REPORT,
            f"{_GLOBAL}.OnDemandThroughput": _NO_CAP,
            f"{_GLOBAL}.WarmThroughput": _WARM,
            "OnDemandThroughput": _NO_CAP,
            "PointInTimeRecoverySpecification": "recorded; no lab restores a table",
            "SSESpecification": ENCRYPTION,
            "TableClass": "changes only the price",
            "Tags": TAGS,
            "WarmThroughput": _WARM,
        },
        refused={
            "ImportSourceSpecification": "tables start empty; importing from S3 is not emulated.",
            "KinesisStreamSpecification": _NO_KINESIS,
            "ResourcePolicy": _ROLES_ALONE,
            "StreamSpecification.ResourcePolicy": _ROLES_ALONE,
            "VectorIndexes": "vector indexes are not emulated.",
        },
        shapes={
            "AttributeDefinitions": required(Shape()),
            f"{_GLOBAL}.IndexName": _NAME,
            f"{_LOCAL}.IndexName": _NAME,
            "KeySchema": required(Shape()),
            # Zero units stand for "on demand" in descriptions and cannot be asked for.
            **dict.fromkeys(
                [
                    f"{place}ProvisionedThroughput.{what}CapacityUnits"
                    for place in ("", f"{_GLOBAL}.")
                    for what in ("Read", "Write")
                ],
                Whole(1, 9_223_372_036_854_775_807),
            ),
            "TableName": _NAME,
        },
        rules={
            "": _table_rules,
            f"{_GLOBAL}.Projection": _projection,
            f"{_LOCAL}.Projection": _projection,
        },
    ),
    attributes=("Arn", "StreamArn"),
    named_by="TableName",
)

# -- global tables ---------------------------------------------------------------------------
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-globaltable.html

_OF_BOTH = (
    *("AttributeDefinitions", "BillingMode", "KeySchema", _LOCAL, "StreamSpecification"),
    *("TableName", "TimeToLiveSpecification"),
)
_OF_REPLICA = (
    *("ContributorInsightsSpecification", "DeletionProtectionEnabled", "TableClass", "Tags"),
    "PointInTimeRecoverySpecification",
)
_SCALES = "capacity that scales by itself is not emulated; use PAY_PER_REQUEST."


def _global_rules(properties: dict[str, Any], at: At) -> None:
    _shared_rules(properties, at)
    replicas = properties.get("Replicas")
    if isinstance(replicas, list) and len(replicas) > 1:
        properties["Replicas"] = at.into("Replicas").unsupported(
            f"are {len(replicas)}; the labs play one Region."
        )


def _as_table(properties: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A global table with one replica as the table that it is."""
    replica = properties["Replicas"][0]
    table = {name: properties[name] for name in _OF_BOTH if name in properties}
    table |= {name: replica[name] for name in _OF_REPLICA if name in replica}
    if _GLOBAL in properties:
        parts = ("IndexName", "KeySchema", "Projection")
        table[_GLOBAL] = [{p: one[p] for p in parts if p in one} for one in properties[_GLOBAL]]
    if "SSESpecification" in properties:
        table["SSESpecification"] = {
            **properties["SSESpecification"],
            **replica.get("SSESpecification", {}),
        }
    return "AWS::DynamoDB::Table", table


GLOBAL_TABLE = Kind(
    "AWS::DynamoDB::GlobalTable",
    _table_names,
    ByHand(
        played=f"{_GLOBAL} Replicas {' '.join(_OF_BOTH)}",
        kept={
            "MultiRegionConsistency": "there is one Region",
            "ReadOnDemandThroughputSettings": _NO_CAP,
            "SSESpecification": ENCRYPTION,
            "WarmThroughput": _WARM,
            "WriteOnDemandThroughputSettings": _NO_CAP,
        },
        refused={
            f"{_GLOBAL}.WriteProvisionedThroughputSettings": _SCALES,
            "ReadProvisionedThroughputSettings": _SCALES,
            "Replicas.KinesisStreamSpecification": _NO_KINESIS,
            "Replicas.ReadProvisionedThroughputSettings": _SCALES,
            "Replicas.ReplicaStreamSpecification": _ROLES_ALONE,
            "Replicas.ResourcePolicy": _ROLES_ALONE,
            "WriteProvisionedThroughputSettings": _SCALES,
        },
        shapes={
            "AttributeDefinitions": required(Shape()),
            f"{_GLOBAL}.IndexName": _NAME,
            f"{_LOCAL}.IndexName": _NAME,
            "KeySchema": required(Shape()),
            "TableName": _NAME,
        },
        rules={
            "": _global_rules,
            f"{_GLOBAL}.Projection": _projection,
            f"{_LOCAL}.Projection": _projection,
        },
    ),
    attributes=("Arn", "StreamArn"),
    named_by="TableName",
    plays_as=_as_table,
)
