"""Each operation answers or refuses what no SDK would send; none of it is a breakdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from grader.cloud import Cloud, Nursery
from grader.cloud.aws import Reply
from grader.sandbox import Pace, Sandbox
from grader.sandbox.query import model
from grader.sandbox.world import OPERATIONS

SIGNED = "AWS4-HMAC-SHA256 Credential=testing/20261102/us-east-1/{}/aws4_request, Signature=0"
# The service's name in a signature where it is another one.
SCOPES = {"cloudwatch": "monitoring", "dynamodbstreams": "dynamodb"}
FORMS = ("cloudformation", "sns", "sts")
NOTHING: tuple[Any, ...] = (None, {}, "nothing", 7, [], [{}], "x" * 300)


@pytest.fixture(name="box", scope="module")
def _box(nursery: Nursery) -> Iterator[Sandbox]:
    cloud = Cloud(nursery, live=True)
    yield Sandbox(cloud, pace=Pace(cloud.clock, step_ms=10))
    cloud.close()


def sent(box: Sandbox, service: str, operation: str, params: Mapping[str, Any]) -> Reply:
    """A request in the service's protocol, with members of any type."""
    headers = {"authorization": SIGNED.format(SCOPES.get(service, service))}
    if service in FORMS:
        headers["content-type"] = "application/x-www-form-urlencoded"
        form = {"Action": operation, **{name: str(value) for name, value in params.items()}}
        return box.answer("POST", "/", headers, urlencode(form).encode())
    body = json.dumps(params).encode()
    if service == "lambda":
        http = model("lambda").operation_model(operation).http
        path = re.sub(r"\{\w+\}", "nothing", http["requestUri"].partition("?")[0])
        return box.answer(http["method"], path, headers, body)
    headers["x-amz-target"] = f"{model(service).metadata['targetPrefix']}.{operation}"
    return box.answer("POST", "/", headers, body)


@pytest.mark.parametrize("key", [key for key, one in OPERATIONS.items() if one.service != "s3"])
def test_nonsense_is_refused_and_nothing_breaks_down(key: str, box: Sandbox) -> None:
    """Members left out, null, and of every other type, in the operation's own protocol."""
    service, operation = OPERATIONS[key].service, OPERATIONS[key].name
    shape = model(service).operation_model(operation).input_shape
    members = list(shape.members) if shape is not None else []
    for params in ({}, *(dict.fromkeys(members, value) for value in NOTHING)):
        reply = sent(box, service, operation, params)
        assert reply.status < 500 or box.asked[-1].outcome == "NotImplemented"
    assert box.asked[-1].action == key
    assert not box.cloud.account.breakdowns


def test_an_operation_that_aws_does_not_have_is_unknown_and_tagging_answers_nothing(
    box: Sandbox,
) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html"""
    unknown = sent(box, "dynamodb", "Bogus", {})
    assert unknown.status == 400 and b"#UnknownOperationException" in unknown.body
    definition = {
        "TableName": "Tagged",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    made = json.loads(sent(box, "dynamodb", "CreateTable", definition).body)
    tags = {
        "ResourceArn": made["TableDescription"]["TableArn"],
        "Tags": [{"Key": "team", "Value": "shop"}],
    }
    tagged = sent(box, "dynamodb", "TagResource", tags)
    assert (tagged.status, tagged.body, tagged.headers["x-amz-crc32"]) == (200, b"", "0")
    deep: Any = {"S": "x"}
    for _ in range(60):
        deep = {"L": [deep]}
    nested = sent(box, "dynamodb", "PutItem", {"TableName": "Tagged", "Item": {"id": deep}})
    assert b"ValidationException" in nested.body and b"Nesting Levels" in nested.body
