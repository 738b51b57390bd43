"""Whatever a function sends is answered as a service would, in a bounded time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from account_stand_in import allow, bucket, deployed, documents, queue, table, topic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.cloud.account import Account
from grader.cloud.aws import Call, Reply

HOSTS = {
    "dynamodb": "https://dynamodb.us-east-1.amazonaws.com/",
    "dynamodbstreams": "https://streams.dynamodb.us-east-1.amazonaws.com/",
    "sqs": "https://sqs.us-east-1.amazonaws.com/",
    "sns": "https://sns.us-east-1.amazonaws.com/",
    "s3": "https://s3.us-east-1.amazonaws.com/",
    "cloudwatch": "https://monitoring.us-east-1.amazonaws.com/",
    "logs": "https://logs.us-east-1.amazonaws.com/",
    "sts": "https://sts.us-east-1.amazonaws.com/",
}
TARGETS = {
    "dynamodb": ("DynamoDB_20120810", ("PutItem", "UpdateItem", "TransactWriteItems", "Query")),
    "dynamodbstreams": ("DynamoDBStreams_20120810", ("GetRecords", "GetShardIterator")),
    "sqs": ("AmazonSQS", ("SendMessage", "ReceiveMessage", "SendMessageBatch", "DeleteMessage")),
    "cloudwatch": ("GraniteServiceVersion20100801", ("PutMetricData",)),
    "logs": ("Logs_20140328", ("PutLogEvents", "CreateLogStream", "DescribeLogGroups")),
}
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
MEMBERS = (
    *("TableName", "Item", "Key", "TransactItems", "Put", "StreamArn", "ShardIterator", "id", "S"),
    *("QueueUrl", "MessageBody", "Entries", "Id", "TopicArn", "Message", "Subject", "Namespace"),
    *("MetricData", "MetricName", "Value", "logGroupName", "logEvents", "N", "M", "L", "BOOL"),
)
VALUES = (
    *("Totals", "jobs", "https://sqs.us-east-1.amazonaws.com/123456789012/jobs", "\ud800", ""),
    *("arn:aws:sns:us-east-1:123456789012:alerts", "1e400", "²", "\x00", "NaN", "a" * 3_000),
)


@pytest.fixture(name="account", scope="module")
def _account() -> Iterator[Account]:
    things = (table("Totals", "id"), queue("jobs"), topic("alerts"), bucket("notes"))
    with deployed(*things) as account:
        yield account


def ask(
    account: Account, url: str, method: str = "POST", body: bytes = b"", **headers: str
) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    call = Call(1, 1, 1, 0, method, url, named, body)
    assert isinstance(call.operation, str)
    began = time.process_time()
    reply = account.answer(call, documents(allow("*")))
    assert time.process_time() - began < 2
    assert 200 <= reply.status < 600
    for name, value in reply.headers.items():
        f"{name}: {value}".encode("latin-1")
    return reply


def dynamodb(account: Account, body: bytes) -> Reply:
    target = "DynamoDB_20120810.PutItem"
    return ask(account, HOSTS["dynamodb"], body=body, x_amz_target=target)


def s3(account: Account, body: bytes, *, streaming: bool = False) -> Reply:
    headers = {"x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"} if streaming else {}
    return ask(account, HOSTS["s3"] + "notes?delete", body=body, **headers)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"a":' * 100_000, 400),
        (b'{"a":' * 500 + b"1" + b"}" * 500, 400),
        (b"[1]", 400),
        (b'{"TableName": NaN}', 400),
        (b'{"TableName": 1e999}', 400),
        (b'{"TableName": "\\ud800"}', 400),
        (b'{"TableName": "\xff"}', 400),
        (b'{"TableName": ' + b"9" * 10_000 + b"}", 400),
        (b'{"TableName": ["Totals"], "Item": {"id": {"S": "1"}}}', 400),
        (b'{"TableName": "Totals", "Item": "id"}', 400),
        (b"{" + b" " * (16 * 1024 * 1024) + b"}", 413),
    ],
    ids=[
        *("unclosed", "deep", "no object", "not a number", "infinite", "half a character"),
        *("not UTF-8", "10,000 digits", "list for a name", "text for an item", "17 MB"),
    ],
)
def test_bad_json_is_answered_as_dynamodb_answers_it(
    account: Account, body: bytes, status: int
) -> None:
    before = len(account.breakdowns)
    assert dynamodb(account, body).status == status
    assert len(account.breakdowns) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"-5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (b"0x5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (b"1_0\r\n" + b"a" * 16 + b"\r\n0\r\n\r\n", "IncompleteBody"),
        (b"ffffffff\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (b"5\r\nhello", "IncompleteBody"),
        (b"", "IncompleteBody"),
    ],
    ids=["negative", "prefixed", "underscore", "longer than sent", "no end", "nothing"],
)
def test_a_chunked_payload_that_is_none_is_incomplete(
    account: Account, body: bytes, code: str
) -> None:
    assert code.encode() in s3(account, body, streaming=True).body


@pytest.mark.parametrize(
    "key",
    ["&#x110000;", "&#xD800;", "&#0;", "&#99999999;"],
)
def test_a_reference_to_no_character_is_malformed_xml(account: Account, key: str) -> None:
    reply = s3(account, f"<Delete><Object><Key>{key}</Key></Object></Delete>".encode())
    assert b"<Code>MalformedXML</Code>" in reply.body


def test_a_list_of_keys_without_end_is_read_once(account: Account) -> None:
    """A million opened elements that nothing closes take no longer than their bytes do."""
    assert s3(account, b"<Key>" * 1_000_000).status == 400


@pytest.mark.parametrize(
    "body",
    [
        "Action=Publish&A.member.²=1",
        "Action=Publish&A.member.1=1&A.member.99999999999999=2",
        "Action=Publish&" + "a" + "." * 100_000 + "=1",
        "member.1=1",
        "Action.x=1",
        "A=1&A.b=2&Action=Publish",
        "&".join(f"a{number}=1" for number in range(20_000)),
        "Action=Publish&TopicArn.x=1&Message.y=2",
    ],
)
def test_bad_forms_are_answered_as_sns_answers_them(account: Account, body: str) -> None:
    before = len(account.breakdowns)
    reply = ask(account, HOSTS["sns"], body=body.encode(), **FORM)
    assert 400 <= reply.status < 500
    assert reply.body.startswith(b"<ErrorResponse")
    assert len(account.breakdowns) == before


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "https://[::1"),
        ("GET", "https://[nonsense]/"),
        ("GET", "https://dynamodb.us-east-1.amazonaws.com:99999999/"),
        ("GET", "https://notes.s3.us-east-1.amazonaws.com/\ud800"),
        ("\ud800", "https://notes.s3.us-east-1.amazonaws.com/key"),
        ("GET", "https://s3.us-east-1.amazonaws.com/notes/" + "a" * 100_000),
        ("GET", "\x00"),
        ("", ""),
    ],
)
def test_an_address_that_is_none_is_refused(account: Account, method: str, url: str) -> None:
    assert 400 <= ask(account, url, method).status < 500


@pytest.mark.parametrize("name", ["x-amz-meta-a", "x-amz-target", "content-type"])
def test_a_header_that_no_header_can_be_is_refused(account: Account, name: str) -> None:
    for url in HOSTS.values():
        assert 400 <= ask(account, url, **{name: "\ud800"}).status < 500


def test_a_subject_is_short_and_has_no_line_break(account: Account) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
    topic_arn = "arn:aws:sns:us-east-1:123456789012:alerts"
    for subject, status in (("a" * 100, 200), ("a" * 101, 400), ("a%0Ab", 400), ("", 400)):
        body = f"Action=Publish&TopicArn={topic_arn}&Message=m&Subject={subject}"
        assert ask(account, HOSTS["sns"], body=body.encode(), **FORM).status == status


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MessageBody": ""}, "MissingParameter"),
        ({}, "MissingParameter"),
        ({"MessageBody": "a\u0001b"}, "InvalidMessageContents"),
    ],
)
def test_a_message_has_a_body_that_xml_can_hold(
    account: Account, params: dict[str, Any], code: str
) -> None:
    body = {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/jobs", **params}
    reply = ask(
        account, HOSTS["sqs"], body=json.dumps(body).encode(), x_amz_target="AmazonSQS.SendMessage"
    )
    assert reply.status == 400
    assert json.loads(reply.body)["__type"].endswith(code)


@pytest.mark.parametrize(
    "header", ["range=0", "range=bytes=9-1,2", "if-modified-since=yesterday", "expires=\xff"]
)
def test_a_header_that_s3_cannot_read_counts_as_absent(account: Account, header: str) -> None:
    account.buckets.put("notes", "a", b"text")
    name, _, value = header.partition("=")
    reply = ask(account, HOSTS["s3"] + "notes/a", "GET", **{name: value})
    assert (reply.status, reply.body) == (200, b"text")


ANY = st.recursive(
    st.sampled_from(VALUES) | st.integers() | st.floats() | st.booleans() | st.none() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(MEMBERS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)
PARAMS = st.dictionaries(st.sampled_from(MEMBERS), ANY, max_size=5)
WHEN = ("if-modified-since", "if-match", "expires", "content-md5", "x-amz-tagging", "x-amz-acl")
HEADERS = st.dictionaries(
    st.sampled_from(
        ["x-amz-copy-source", "range", "content-encoding", "x-amz-content-sha256", *WHEN]
    ),
    st.text(max_size=20) | st.sampled_from(["gzip", "STREAMING-X", "notes/a", "bytes=0-"]),
    max_size=2,
)


@settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_no_request_is_an_exception(account: Account, data: st.DataObject) -> None:
    """Raw requests: a plausible beginning, and anything in each of its places."""
    service = data.draw(st.sampled_from(sorted(HOSTS)))
    url = HOSTS[service] + data.draw(st.text(max_size=8) | st.just("notes/a?delete"))
    headers = data.draw(HEADERS)
    body = data.draw(st.binary(max_size=60))
    if service in TARGETS:
        prefix, operations = TARGETS[service]
        headers["x-amz-target"] = f"{prefix}.{data.draw(st.sampled_from(operations))}"
        body = data.draw(st.just(body) | PARAMS.map(lambda one: json.dumps(one).encode()))
    elif service in ("sns", "sts"):
        headers |= FORM
        action = data.draw(st.sampled_from(["Publish", "PublishBatch", "GetCallerIdentity"]))
        body = b"Action=" + action.encode() + b"&" + body
    method = data.draw(st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]) | st.text())
    reply = ask(account, url, method, body, **headers)
    assert reply.status < 500, account.breakdowns[-1]
