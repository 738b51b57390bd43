"""Evidence in a play: what an answer accepts, what made an item large, what was left out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from grader.cloud.aws import Call
from grader.cloud.function import Invocation
from grader.cloud.mapping import Result
from grader.course import places


def _invocation(payload: object, *calls: Call, kind: str = "returned") -> Invocation:
    keys = {"merchant": {"S": "acme"}, "id": {"S": "order#o-1"}}
    event: dict[str, Any] = {"Records": [{"dynamodb": {"Keys": keys, "SequenceNumber": "100"}}]}
    one = Invocation(1, 1, "r", cold=False, start_ms=0, event=event)
    one.result = Result(kind, payload)  # type: ignore[arg-type]
    one.calls = list(calls)
    return one


def _call(operation: str, body: object) -> Call:
    target = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
    return Call(1, 1, 1, 0, "POST", "https://dynamodb/", target, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("payload", "taken"),
    [
        (None, True),
        ({"batchItemFailures": []}, True),
        ({"batchItemFailures": None}, True),
        ({"batchItemFailures": [{"itemIdentifier": "101"}]}, True),
        ({"batchItemFailures": [{"itemIdentifier": "100"}]}, False),
        ({"batchItemFailures": [{"itemIdentifier": "99"}]}, False),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, False),
        ({"batchItemFailures": ["100"]}, False),
    ],
)
def test_lambda_goes_on_behind_what_an_answer_does_not_name(payload: object, taken: bool) -> None:
    """Neither it nor a record before it; an identifier that is none means the whole batch.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    assert places.accepted(_invocation(payload), 100) is taken


def test_what_failed_is_not_taken_for_done() -> None:
    assert not places.accepted(_invocation(None, kind="error"), 100)


def test_the_largest_attribute_is_named_only_when_it_is_large() -> None:
    def written(**sizes: int) -> list[Call]:
        item = {name: {"S": "x" * size} for name, size in sizes.items()}
        return [_call("TransactWriteItems", {"TransactItems": [{"Put": {"Item": item}}]})]

    assert places.large_attribute(written(id=40, event=900)) == "event"
    assert places.large_attribute(written(id=40, event=90)) is None
    assert places.large_attribute([_call("PutItem", ["odd"])]) is None


@pytest.mark.parametrize(
    ("calls", "left_out"),
    [
        ([], True),
        ([_call("GetItem", {"Key": {"merchant": {"S": "acme"}}})], True),
        ([_call("UpdateItem", {"Key": {"merchant": {"S": "globex"}}})], True),
        ([_call("UpdateItem", {"Key": {"merchant": {"S": "acme"}}})], False),
    ],
)
def test_a_record_without_a_write_for_its_merchant_was_left_out(
    calls: list[Call], left_out: bool
) -> None:
    assert places._left_out([_invocation(None, *calls)], "acme") is left_out
    failed = _invocation({"batchItemFailures": [{"itemIdentifier": "100"}]}, *calls)
    assert not places._left_out([failed], "acme")
