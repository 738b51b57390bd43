"""The mock endpoint itself: where it listens, and that it answers nothing by accident."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest
from endpoint_http import Endpoint

from grader.cloud.aws import Refused
from grader.cloud.function import Nursery
from grader.cloud.running import Cloud

SIGNED = "AWS4-HMAC-SHA256 Credential=testing/20261102/us-east-1/{}/aws4_request, Signature=0"


@pytest.fixture(name="endpoint")
def _endpoint(nursery: Nursery) -> Iterator[Endpoint]:
    cloud = Cloud(nursery, live=True)
    with Endpoint(cloud) as endpoint:
        yield endpoint
    cloud.close()


def ask(endpoint: Endpoint, service: str, target: str, body: str = "{}") -> tuple[int, str]:
    line = http.client.HTTPConnection("127.0.0.1", endpoint.port)
    headers = {"Authorization": SIGNED.format(service), "X-Amz-Target": target}
    line.request("POST", "/", body, headers)
    reply = line.getresponse()
    text = reply.read().decode()
    line.close()
    return reply.status, text


def test_it_listens_on_loopback_only(endpoint: Endpoint) -> None:
    assert endpoint._server.server_address[0] == "127.0.0.1"


def test_a_call_that_nothing_answers_is_an_error_with_its_name(endpoint: Endpoint) -> None:
    status, text = ask(endpoint, "dynamodb", "DynamoDB_20120810.ListGlobalTables")
    assert status >= 400 and "dynamodb:ListGlobalTables" in text
    assert endpoint.unanswered == ["dynamodb:ListGlobalTables"]


def test_an_unsigned_request_is_refused(endpoint: Endpoint) -> None:
    line = http.client.HTTPConnection("127.0.0.1", endpoint.port)
    line.request("POST", "/", "{}")
    assert line.getresponse().status == 403
    line.close()


def test_every_request_takes_a_moment_of_virtual_time(endpoint: Endpoint) -> None:
    before = endpoint.cloud.clock.now
    ask(endpoint, "dynamodb", "DynamoDB_20120810.ListTables")
    assert endpoint.cloud.clock.now == before + 2_000


TABLE = """
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: KEY, AttributeType: S}]
      KeySchema: [{AttributeName: KEY, KeyType: HASH}]
"""


def test_an_update_that_is_not_acted_out_is_refused_by_name(endpoint: Endpoint) -> None:
    """Another key would be another table."""
    cloud = endpoint.cloud
    for key in ("id", "day"):
        body = TABLE.replace("KEY", key)
        stack = cloud.resolve("shop", body, {})
        if key == "id":
            cloud.create(stack, body)
        else:
            with pytest.raises(Refused, match="Orders: a change of AttributeDefinitions, KeyS"):
                cloud.create(stack, body)
