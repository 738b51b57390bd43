"""Requests through the account: what DynamoDB refuses, with which code, and what it answers.

Every row of a list of differences that were measured against real DynamoDB, and the kind around it.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from table_stand_in import account_with, index, items_of, key

from grader.cloud.aws import ServiceError

NOW = {":now": {"N": "1"}}


@pytest.fixture(name="account", scope="module")
def _account() -> Iterator[Any]:
    """Orders (merchant, id) with a global and a local index; Seen (id); Numbers (n: N)."""
    with account_with() as account:
        yield account


def refusal(account: Any, operation: str, **params: Any) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        account.call("dynamodb", operation, **params)
    return refused.value


ITEM = {**key("acme", "o-1"), "amount": {"N": "5"}}


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("PutItem", {"Item": ITEM, "ConditionExpression": "attribute_exists(id)"}),
        ("DeleteItem", {"Key": key("acme", "o-9"), "ConditionExpression": "attribute_exists(id)"}),
        (
            "UpdateItem",
            {
                "Key": key("acme", "o-9"),
                "UpdateExpression": "REMOVE q",
                "ConditionExpression": "attribute_exists(id)",
            },
        ),
        ("Query", {"KeyConditionExpression": "merchant = :m", "more": {":m": {"S": "acme"}}}),
        ("Scan", {"FilterExpression": "attribute_exists(q)"}),
    ],
)
def test_a_value_that_nothing_uses_is_refused_before_the_condition_is_looked_at(
    account: Any, operation: str, params: dict[str, Any]
) -> None:
    """A1, A2: a failed condition must not hide it, or an idempotent handler swallows its bug."""
    values = {**NOW, **params.get("more", {})}
    given = {name: value for name, value in params.items() if name != "more"}
    error = refusal(
        account, operation, TableName="Orders", ExpressionAttributeValues=values, **given
    )
    assert error.code == "ValidationException"
    assert error.message == (
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:now}"
    )


PARTS = {
    "Put": {"Item": {"id": {"S": "e-1"}}},
    "Update": {"Key": {"id": {"S": "e-1"}}, "UpdateExpression": "REMOVE q"},
    "Delete": {"Key": {"id": {"S": "e-1"}}},
    "ConditionCheck": {"Key": {"id": {"S": "e-1"}}},
}


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            {"ConditionExpression": "attribute_not_exists(id)", "ExpressionAttributeValues": NOW},
            "unused in expressions: keys: {:now}",
        ),
        ({"ConditionExpression": "attribute_not_exists(event-id)"}, 'token: "-", near: "event-id"'),
        ({"ConditionExpression": ""}, "The expression can not be empty"),
        ({"ConditionExpression": "(" * 15_000}, "expression size: 15000"),
        ({"ConditionExpression": "id = :q"}, "is not defined; attribute value: :q"),
        (
            {"ConditionExpression": "attribute_exists(id)", "ExpressionAttributeNames": {}},
            "ExpressionAttributeNames must not be empty",
        ),
    ],
)
def test_a_part_of_a_transaction_is_read_like_a_request_of_its_own(
    account: Any, kind: str, more: dict[str, Any], sentence: str
) -> None:
    part = {kind: {"TableName": "Seen", **PARTS[kind], **more}}
    error = refusal(account, "TransactWriteItems", TransactItems=[part])
    assert error.code == "ValidationException"
    assert sentence in error.message
    assert items_of(account, "Seen") == []


@pytest.mark.parametrize(
    ("operation", "params", "sentence"),
    [
        (
            "UpdateItem",
            {"UpdateExpression": "SET n = if_not_exists(n, :a) + :a + :a"},
            'Invalid UpdateExpression: Syntax error; token: "+", near: ":a + :a"',
        ),
        (
            "UpdateItem",
            {"UpdateExpression": "SET merchant = :a"},
            "Cannot update attribute merchant. This attribute is part of the key",
        ),
        (
            "UpdateItem",
            {"UpdateExpression": "REMOVE id.x, q", "ExpressionAttributeValues": None},
            "Key attributes must be scalars",
        ),
        (
            "UpdateItem",
            {"AttributeUpdates": {"q": {"Value": {"N": "1"}}}, "ConditionExpression": "q = :a"},
            "Can not use both expression and non-expression parameters in the same request: "
            "Non-expression parameters: {AttributeUpdates} Expression parameters: "
            "{ConditionExpression}",
        ),
        (
            "GetItem",
            {"ProjectionExpression": "#undefined", "ExpressionAttributeValues": None},
            "Invalid ProjectionExpression: An expression attribute name used in the document path is "
            "not defined; attribute name: #undefined",
        ),
        (
            "GetItem",
            {"ExpressionAttributeNames": {"#a": "b"}, "ExpressionAttributeValues": None},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            "DeleteItem",
            {},
            "ExpressionAttributeValues can only be specified when using expressions: "
            "ConditionExpression is null",
        ),
        (
            "UpdateItem",
            {},
            "ExpressionAttributeValues can only be specified when using expressions: "
            "UpdateExpression and ConditionExpression are null",
        ),
        (
            "DeleteItem",
            {"ConditionExpression": "amount < :a", "ReturnValues": "ALL_NEW"},
            "ReturnValues can only be ALL_OLD or NONE",
        ),
        (
            "DeleteItem",
            {"ConditionExpression": "amount < :a", "ReturnConsumedCapacity": "ALL"},
            "1 validation error detected: Value 'ALL' at 'returnConsumedCapacity' failed to satisfy "
            "constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]",
        ),
        ("DeleteItem", {"ConditionExpression": "amount = n5"}, "unused in expressions: keys: {:a}"),
    ],
)
def test_a_request_on_one_item_is_refused_in_awss_words(
    account: Any, operation: str, params: dict[str, Any], sentence: str
) -> None:
    given = {"ExpressionAttributeValues": {":a": {"N": "1"}}, **params}
    given = {name: value for name, value in given.items() if value is not None}
    error = refusal(account, operation, TableName="Orders", Key=key("acme", "o-1"), **given)
    assert error.code == "ValidationException"
    assert sentence in error.message


LONG = "x" * 2049


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ({"merchant": {"S": "a"}}, "Missing the key id in the item"),
        (
            {**key("a", "b"), "merchant": {"N": "1"}},
            "Type mismatch for key merchant expected: S actual: N",
        ),
        (key("", "b"), "cannot contain an empty string value. Key: merchant"),
        (key(LONG, "b"), "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
        (key("a", LONG[:1025]), "exceeded the size limit of 1024 bytes"),
        (
            {**ITEM, "status": {"N": "1"}},
            "Type mismatch for Index Key status Expected: S Actual: N IndexName: by-status",
        ),
        (
            {**ITEM, "at": {"S": "soon"}},
            "Type mismatch for Index Key at Expected: N Actual: S IndexName: by-time",
        ),
        ({**ITEM, "status": {"S": ""}}, "IndexName: by-status, IndexKey: status"),
        ({**ITEM, "": {"S": "x"}}, "Empty attribute name"),
        ({**ITEM, "x": {"NULL": False}}, "Null attribute value types must have the value of true"),
        ({**ITEM, "x": {"S": "a", "N": "1"}}, "more than one datatypes set"),
        ({**ITEM, "x": {"N": "1e1000000"}}, "Number overflow"),
        ({**ITEM, "x": {"N": "-1E-1000000"}}, "Number underflow"),
        ({**ITEM, "x": {"N": " 1"}}, "cannot be converted to a numeric value"),
        ({**ITEM, "x": {"BS": []}}, "Binary sets should not be empty"),
        ({**ITEM, "x": {"S": "y" * 409_600}}, "Item size has exceeded the maximum allowed size"),
    ],
)
def test_an_item_that_the_table_cannot_hold_is_refused_by_every_kind_of_write(
    account: Any, item: dict[str, Any], sentence: str
) -> None:
    """A8, A14, D: also an index key of another type; in a transaction the reason says it."""
    put = refusal(account, "PutItem", TableName="Orders", Item=item)
    batch = refusal(
        account, "BatchWriteItem", RequestItems={"Orders": [{"PutRequest": {"Item": item}}]}
    )
    for error in (put, batch):
        assert error.code == "ValidationException"
        assert sentence in error.message
    part = {"Put": {"TableName": "Orders", "Item": item}}
    error = refusal(account, "TransactWriteItems", TransactItems=[part])
    if error.code == "TransactionCanceledException":
        (reason,) = error.members["CancellationReasons"]
        assert reason["Code"] == "ValidationError"
        assert sentence in reason["Message"]
    else:
        assert error.code == "ValidationException"
        assert sentence in error.message


@pytest.mark.parametrize("lists", [30, 31])
def test_an_attribute_is_nested_32_levels_deep_and_no_deeper(account: Any, lists: int) -> None:
    """The attribute is level 1, so its deepest value stands in 31 lists; an update counts too."""
    value: dict[str, Any] = {"S": "deep"}
    for _ in range(lists):
        value = {"L": [value]}
    params = {"TableName": "Seen", "Item": {"id": {"S": "deep"}, "x": value}}
    account.call("dynamodb", "PutItem", **params)
    params["Item"]["x"] = {"M": {"y": {"L": [value]}}}
    assert "Nesting Levels" in refusal(account, "PutItem", **params).message
    params["Item"]["x"] = {"M": {"y": {"M": {}}}}
    account.call("dynamodb", "PutItem", **params)
    update = {
        "TableName": "Seen",
        "Key": {"id": {"S": "deep"}},
        "UpdateExpression": "SET x.y.z = :v",
        "ExpressionAttributeValues": {":v": value},
    }
    assert "Nesting Levels" in refusal(account, "UpdateItem", **update).message
    account.call("dynamodb", "DeleteItem", TableName="Seen", Key={"id": {"S": "deep"}})


@pytest.mark.parametrize("bad", [{"id": {"N": "1"}}, {"id": {"S": ""}}, {}, {"other": {"S": "x"}}])
@pytest.mark.parametrize("kind", ["Update", "Delete", "ConditionCheck"])
def test_a_key_that_does_not_fit_cancels_the_transaction_with_a_reason(
    account: Any, kind: str, bad: dict[str, Any]
) -> None:
    """D: and the parts behind the first fault have none."""
    parts = [
        {
            kind: {
                "TableName": "Seen",
                "Key": bad,
                **({"UpdateExpression": "REMOVE q"} if kind == "Update" else {}),
                **({"ConditionExpression": "attribute_exists(id)"} if kind != "Update" else {}),
            }
        },
        {"Put": {"TableName": "Seen", "Item": {"id": {"N": "2"}}}},
        {
            "Put": {
                "TableName": "Seen",
                "Item": {"id": {"S": "x"}},
                "ConditionExpression": "attribute_exists(id)",
            }
        },
    ]
    error = refusal(account, "TransactWriteItems", TransactItems=parts)
    assert error.code == "TransactionCanceledException"
    reasons = [reason["Code"] for reason in error.members["CancellationReasons"]]
    assert reasons == ["ValidationError", "None", "None"]


@pytest.mark.parametrize(
    ("operation", "params", "sentence"),
    [
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"ConditionCheck": {"TableName": "Seen", "Key": {"id": {"S": "a"}}}}
                ]
            },
            "'transactItems.1.member.conditionCheck.conditionExpression' failed to satisfy",
        ),
        (
            "TransactWriteItems",
            {"TransactItems": [{"Update": {"TableName": "Seen", "Key": {"id": {"S": "a"}}}}]},
            "'transactItems.1.member.update.updateExpression' failed to satisfy",
        ),
        (
            "TransactWriteItems",
            {
                "TransactItems": [
                    {
                        "Put": {
                            "TableName": "Seen",
                            "Item": {"id": {"S": f"big-{n}"}, "x": {"S": "y" * 400_000}},
                        }
                    }
                    for n in range(11)
                ]
            },
            "size cannot exceed",
        ),
        ("TransactWriteItems", {"TransactItems": []}, "greater than or equal to 1"),
        ("TransactWriteItems", {"TransactItems": [{}]}, "can only contain one of"),
        (
            "TransactGetItems",
            {"TransactItems": [{"Get": {"TableName": "Seen", "Key": {"id": {"S": "a"}}}}] * 2},
            "cannot include multiple operations on one item",
        ),
        ("BatchGetItem", {"RequestItems": {"Seen": {"Keys": []}}}, "greater than or equal to 1"),
        (
            "BatchGetItem",
            {"RequestItems": {"Seen": {"Keys": [{"id": {"S": "a"}}] * 2}}},
            "contains duplicates",
        ),
        ("BatchGetItem", {"RequestItems": {}}, "requestItems"),
        (
            "BatchGetItem",
            {"RequestItems": {"Seen": {"Keys": [{"id": {"N": "1"}}]}}},
            "does not match the schema",
        ),
        (
            "BatchGetItem",
            {
                "RequestItems": {
                    "Seen": {"Keys": [{"id": {"S": "a"}}], "ProjectionExpression": "a, a.b"}
                }
            },
            "overlap",
        ),
        ("BatchWriteItem", {"RequestItems": {}}, "requestItems"),
        ("GetItem", {"TableName": "no", "Key": {"id": {"S": "a"}}}, "at least 3 characters long"),
        (
            "GetItem",
            {"TableName": "no!table", "Key": {"id": {"S": "a"}}},
            "regular expression pattern",
        ),
    ],
)
def test_batches_and_transactions_are_refused_by_their_form(
    account: Any, operation: str, params: dict[str, Any], sentence: str
) -> None:
    """A12, A13."""
    error = refusal(account, operation, **params)
    assert error.code == "ValidationException"
    assert sentence in error.message


def test_a_table_that_is_not_there_is_told_only_when_the_request_could_be_read(
    account: Any,
) -> None:
    params = {"TableName": "Nowhere", "Key": {"id": {"S": "a"}}}
    assert refusal(account, "GetItem", **params).code == "ResourceNotFoundException"
    error = refusal(account, "GetItem", **params, ProjectionExpression="a,")
    assert error.code == "ValidationException"


QUERY: dict[str, Any] = {
    "TableName": "Orders",
    "KeyConditionExpression": "merchant = :m",
    "ExpressionAttributeValues": {":m": {"S": "acme"}},
}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"ExpressionAttributeValues": {":m": {"N": "1"}}}, "type does not match schema type"),
        (
            {"KeyConditionExpression": "id = :m"},
            "Query condition missed key schema element: merchant",
        ),
        ({"KeyConditionExpression": "merchant > :m"}, "Query key condition not supported"),
        (
            {"KeyConditionExpression": "merchant = :m AND amount = :m"},
            "missed key schema element: id",
        ),
        (
            {"KeyConditionExpression": "merchant = :m AND id > :m AND id < :m"},
            "only contain one condition per key",
        ),
        (
            {"KeyConditionExpression": "merchant = :m OR id = :m"},
            "Invalid operator used in KeyConditionExpression: OR",
        ),
        ({"KeyConditionExpression": ""}, "The expression can not be empty"),
        (
            {"KeyConditionExpression": None, "ExpressionAttributeValues": None},
            "must be specified in the request",
        ),
        (
            {"FilterExpression": "id = :m"},
            "only contain non-primary key attributes: Primary key attribute: id",
        ),
        ({"FilterExpression": "amount = merchant"}, "Primary key attribute: merchant"),
        (
            {"FilterExpression": "event-id = :m"},
            'Invalid FilterExpression: Syntax error; token: "-"',
        ),
        (
            {
                "FilterExpression": "amount BETWEEN :m AND :a",
                "ExpressionAttributeValues": {":m": {"S": "acme"}, ":a": {"S": "a"}},
            },
            "requires upper bound to be greater",
        ),
        ({"ExclusiveStartKey": key("other", "o-1")}, "outside query boundaries"),
        (
            {"ExclusiveStartKey": {"merchant": {"S": "acme"}}},
            "The provided starting key is invalid",
        ),
        (
            {"ExclusiveStartKey": {**key("acme", "o-1"), "x": {"S": "y"}}},
            "The provided starting key is invalid",
        ),
        (
            {"ExclusiveStartKey": {**key("acme", "o-1"), "id": {"N": "1"}}},
            "does not match the schema",
        ),
        (
            {
                "KeyConditionExpression": "merchant = :m AND id > :m",
                "ExclusiveStartKey": key("acme", "aaa"),
            },
            "does not match the range key predicate",
        ),
        ({"Limit": 0}, "Value at 'Limit' failed to satisfy"),
        (
            {"Select": "SPECIFIC_ATTRIBUTES"},
            "Must specify the AttributesToGet or ProjectionExpression",
        ),
        ({"Select": "COUNT", "ProjectionExpression": "id"}, "when choosing to get only the Count"),
        (
            {"Select": "ALL_PROJECTED_ATTRIBUTES"},
            "can be used only when Querying using an IndexName",
        ),
        ({"Select": "MOST"}, "enum value set"),
        ({"IndexName": "by-nothing"}, "does not have the specified index: by-nothing"),
        (
            {"IndexName": "by-status", "ConsistentRead": True},
            "not supported on global secondary indexes",
        ),
        ({"IndexName": "by-status"}, "missed key schema element: status"),
        (
            {
                "IndexName": "by-status",
                "KeyConditionExpression": "#s = :m",
                "ExpressionAttributeNames": {"#s": "status"},
                "ProjectionExpression": "amount",
            },
            "does not project [amount]",
        ),
        (
            {
                "IndexName": "by-status",
                "KeyConditionExpression": "#s = :m",
                "ExpressionAttributeNames": {"#s": "status"},
                "Select": "ALL_ATTRIBUTES",
            },
            "its projection type is not ALL",
        ),
        (
            {
                "QueryFilter": {
                    "amount": {"ComparisonOperator": "EQ", "AttributeValueList": [{"N": "1"}]}
                }
            },
            "Can not use both expression and non-expression",
        ),
    ],
)
def test_a_query_that_dynamodb_refuses_is_refused(
    account: Any, more: dict[str, Any], sentence: str
) -> None:
    """A5, A9, D."""
    params = {name: value for name, value in {**QUERY, **more}.items() if value is not None}
    error = refusal(account, "Query", **params)
    assert error.code == "ValidationException"
    assert sentence in error.message


def test_no_text_of_a_request_holds_the_judge() -> None:
    """Every call whose expression is 30 KB ends with AWS's sentence about its size."""
    with account_with() as account:
        for text in ("(" * 30_000, " AND ".join(["a = b"] * 3000), "NOT " * 7500 + "a = b"):
            error = refusal(account, "Scan", TableName="Orders", FilterExpression=text)
            assert "Expression size has exceeded the maximum allowed size" in error.message


def test_an_update_that_leaves_an_index_key_of_another_type_is_refused(account: Any) -> None:
    account.call("dynamodb", "PutItem", TableName="Orders", Item=ITEM)
    params = {
        "TableName": "Orders",
        "Key": key("acme", "o-1"),
        "UpdateExpression": "SET #s = amount",
        "ExpressionAttributeNames": {"#s": "status"},
    }
    assert "unsupported type" in refusal(account, "UpdateItem", **params).message
    literal = {
        **params,
        "UpdateExpression": "SET #s = :n",
        "ExpressionAttributeValues": {":n": {"N": "1"}},
    }
    assert "Type mismatch for Index Key status" in refusal(account, "UpdateItem", **literal).message


# -- answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        ("NONE", None),
        ("ALL_OLD", None),
        ("ALL_NEW", {"merchant": {"S": "new"}, "id": {"S": "n"}, "m": {"M": {}}, "k": {"N": "1"}}),
        ("UPDATED_OLD", None),
        ("UPDATED_NEW", {"m": {"M": {}}, "k": {"N": "1"}}),
    ],
)
def test_return_values_of_a_new_item_show_no_key_unless_all_of_it(how: str, shown: Any) -> None:
    """B1."""
    with account_with() as account:
        answer = account.call(
            "dynamodb",
            "UpdateItem",
            TableName="Orders",
            Key=key("new", "n"),
            UpdateExpression="SET m = :m ADD k :one",
            ExpressionAttributeValues={":m": {"M": {}}, ":one": {"N": "1"}},
            ReturnValues=how,
        )
        assert answer.get("Attributes") == shown


def test_consumed_capacity_counts_the_table_and_each_index_that_changes() -> None:
    """C3. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html"""
    with account_with() as account:

        def consumed(operation: str, **params: Any) -> Any:
            answer = account.call(
                "dynamodb",
                operation,
                TableName="Orders",
                ReturnConsumedCapacity="INDEXES",
                **params,
            )
            return answer["ConsumedCapacity"]

        item = {
            **key("acme", "o-1"),
            "x": {"S": "y" * 1500},
            "status": {"S": "new"},
            "at": {"N": "1"},
        }
        first = consumed("PutItem", Item=item)
        assert first == {
            "TableName": "Orders",
            "CapacityUnits": 5.0,
            "Table": {"CapacityUnits": 2.0},
            "GlobalSecondaryIndexes": {"by-status": {"CapacityUnits": 1.0}},
            "LocalSecondaryIndexes": {"by-time": {"CapacityUnits": 2.0}},
        }
        assert consumed("PutItem", Item=item)["CapacityUnits"] == 2.0
        moved = consumed("PutItem", Item={**item, "status": {"S": "old"}})
        assert moved["GlobalSecondaryIndexes"] == {"by-status": {"CapacityUnits": 2.0}}
        assert consumed("GetItem", Key=key("acme", "o-1"))["CapacityUnits"] == 0.5
        assert (
            consumed("GetItem", Key=key("acme", "o-1"), ConsistentRead=True)["CapacityUnits"] == 1
        )
        assert consumed("GetItem", Key=key("no", "no"))["CapacityUnits"] == 0.5
        query = {
            "KeyConditionExpression": "merchant = :m",
            "ExpressionAttributeValues": {":m": {"S": "acme"}},
        }
        assert consumed("Query", **query)["CapacityUnits"] == 0.5
        assert consumed("Query", IndexName="by-time", **query)["LocalSecondaryIndexes"] == {
            "by-time": {"CapacityUnits": 0.5}
        }


def test_a_transaction_consumes_twice_and_says_so() -> None:
    """C3. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html"""
    with account_with() as account:
        put = {"Put": {"TableName": "Seen", "Item": {"id": {"S": "e-1"}, "x": {"S": "y" * 1500}}}}
        answer = account.call(
            "dynamodb", "TransactWriteItems", TransactItems=[put], ReturnConsumedCapacity="TOTAL"
        )
        assert answer["ConsumedCapacity"] == [
            {"TableName": "Seen", "CapacityUnits": 4.0, "WriteCapacityUnits": 4.0}
        ]
        get = {"Get": {"TableName": "Seen", "Key": {"id": {"S": "e-1"}}}}
        answer = account.call(
            "dynamodb", "TransactGetItems", TransactItems=[get], ReturnConsumedCapacity="TOTAL"
        )
        assert answer["ConsumedCapacity"] == [
            {"TableName": "Seen", "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0}
        ]


def test_collections_are_told_of_tables_with_a_local_index_only() -> None:
    """C3. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html"""
    with account_with() as account:
        how = {"ReturnItemCollectionMetrics": "SIZE"}
        answer = account.call("dynamodb", "PutItem", TableName="Orders", Item=ITEM, **how)
        assert answer["ItemCollectionMetrics"] == {
            "ItemCollectionKey": {"merchant": {"S": "acme"}},
            "SizeEstimateRangeGB": [0.0, 1.0],
        }
        item = {"id": {"S": "e-1"}}
        assert account.call("dynamodb", "PutItem", TableName="Seen", Item=item, **how) == {}


def test_a_query_of_an_index_shows_what_it_projects() -> None:
    with account_with() as account:
        item = {**ITEM, "status": {"S": "new"}, "at": {"N": "7"}}
        account.call("dynamodb", "PutItem", TableName="Orders", Item=item)
        query = {
            "TableName": "Orders",
            "IndexName": "by-status",
            "KeyConditionExpression": "#s = :s",
            "ExpressionAttributeNames": {"#s": "status"},
            "ExpressionAttributeValues": {":s": {"S": "new"}},
        }
        (shown,) = account.call("dynamodb", "Query", **query)["Items"]
        assert shown == {**key("acme", "o-1"), "status": {"S": "new"}}
        assert index("by-status", "status")["Projection"] == {"ProjectionType": "KEYS_ONLY"}
