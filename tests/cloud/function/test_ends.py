"""How a call of function code ended, as the record of its invocation says it."""

from __future__ import annotations

import pytest

from grader.cloud.aws import Reply
from grader.cloud.function.spec import ended


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b'{"Item": {"__type": {"S": "x#NotAnError"}}}', "answered"),
        (
            400,
            b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}',
            "ConditionalCheckFailedException",
        ),
        (400, b'{"__type": "ThrottlingException", "message": "x"}', "ThrottlingException"),
        (403, b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>", "AccessDenied"),
        (502, b"<html>", "HTTP status 502"),
    ],
)  # fmt: skip
def test_an_error_is_named_by_its_code(status: int, body: bytes, told: str) -> None:
    """In JSON and in XML; an answer is an answer, whatever is in it."""
    assert ended(Reply(status, {}, body)) == told
