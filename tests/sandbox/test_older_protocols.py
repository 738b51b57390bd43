"""Older clients, such as the AWS CLI that Debian brings, send SQS and CloudWatch as forms."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from grader.cloud import Cloud, Nursery
from grader.sandbox import Pace, Sandbox

SIGNED = "AWS4-HMAC-SHA256 Credential=testing/20261102/us-east-1/{}/aws4_request, Signature=0"


@pytest.fixture(name="box", scope="module")
def _box(nursery: Nursery) -> Sandbox:
    cloud = Cloud(nursery, live=True)
    return Sandbox(cloud, pace=Pace(cloud.clock, step_ms=1_000))


def sent(box: Sandbox, service: str, fields: Mapping[str, str]) -> tuple[int, ElementTree.Element]:
    """A form sent to a service; the status and the answer without its namespace."""
    headers = {
        "authorization": SIGNED.format(service),
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    }
    reply = box.answer("POST", "/", headers, urlencode(fields).encode())
    root = ElementTree.fromstring(reply.body)
    for one in root.iter():
        one.tag = one.tag.partition("}")[2] or one.tag
    return reply.status, root


def test_queues_by_forms(box: Sandbox) -> None:
    """Flat lists and maps with SQS's own names, in both directions."""
    status, made = sent(
        box,
        "sqs",
        {"Action": "CreateQueue", "QueueName": "q", "Attribute.1.Name": "VisibilityTimeout",
         "Attribute.1.Value": "33", "Tag.1.Key": "team", "Tag.1.Value": "totals"},
    )  # fmt: skip
    url = made.findtext("CreateQueueResult/QueueUrl")
    assert status == 200 and url is not None
    _, tags = sent(box, "sqs", {"Action": "ListQueueTags", "QueueUrl": url})
    assert [(one.findtext("Key"), one.findtext("Value")) for one in tags.iter("Tag")] == [
        ("team", "totals")
    ]
    _, batch = sent(
        box,
        "sqs",
        {
            "Action": "SendMessageBatch",
            "QueueUrl": url,
            "SendMessageBatchRequestEntry.1.Id": "a",
            "SendMessageBatchRequestEntry.1.MessageBody": "<one & two>",
            "SendMessageBatchRequestEntry.2.Id": "b",
            "SendMessageBatchRequestEntry.2.MessageBody": "three",
        },
    )
    assert [one.findtext("Id") for one in batch.iter("SendMessageBatchResultEntry")] == ["a", "b"]
    _, attributes = sent(
        box,
        "sqs",
        {"Action": "GetQueueAttributes", "QueueUrl": url, "AttributeName.1": "All"},
    )
    found = {one.findtext("Name"): one.findtext("Value") for one in attributes.iter("Attribute")}
    assert found["VisibilityTimeout"] == "33" and found["ApproximateNumberOfMessages"] == "2"
    _, received = sent(
        box, "sqs", {"Action": "ReceiveMessage", "QueueUrl": url, "MaxNumberOfMessages": "10"}
    )
    assert [one.findtext("Body") for one in received.iter("Message")] == ["<one & two>", "three"]


def test_metrics_and_alarms_by_forms(box: Sandbox) -> None:
    """Lists of structures with typed members, and moments as text."""
    at = "2026-11-02T09:00:00Z"
    where = {"Dimensions.member.1.Name": "shop", "Dimensions.member.1.Value": "acme"}
    metric = {"Namespace": "Shop", "MetricName": "Waiting"}
    status, _ = sent(
        box,
        "monitoring",
        {
            "Action": "PutMetricData",
            "Namespace": "Shop",
            "MetricData.member.1.MetricName": "Waiting",
            "MetricData.member.1.Value": "3.5",
            "MetricData.member.1.Timestamp": at,
            **{f"MetricData.member.1.{name}": text for name, text in where.items()},
        },
    )
    assert status == 200
    _, points = sent(
        box,
        "monitoring",
        {
            **{"Action": "GetMetricStatistics", "Period": "60", "Statistics.member.1": "Sum"},
            **{"StartTime": "2026-11-02T08:00:00Z", "EndTime": "2026-11-02T10:00:00Z"},
            **metric,
            **where,
        },
    )
    (point,) = points.iter("Datapoints").__next__()
    assert (point.findtext("Sum"), point.findtext("Timestamp")) == (
        "3.5",
        "2026-11-02T09:00:00.000Z",
    )
    alarm = {"AlarmName": "Many", "Statistic": "Sum", "Period": "60", "EvaluationPeriods": "1"}
    rule = {"Threshold": "1", "ComparisonOperator": "GreaterThanThreshold"}
    sent(
        box,
        "monitoring",
        {"Action": "PutMetricAlarm", "ActionsEnabled": "false", **metric, **alarm, **rule},
    )
    _, told = sent(box, "monitoring", {"Action": "DescribeAlarms", "AlarmNames.member.1": "Many"})
    (one,) = told.iter("MetricAlarms").__next__()
    assert (one.findtext("ActionsEnabled"), one.findtext("Threshold")) == ("false", "1.0")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"Action": "GetQueueUrl", "QueueName": "none"}, 400, "NonExistentQueue"),
        ({"Action": "StartMessageMoveTask"}, 501, "NotImplemented"),
        ({"Action": "ReceiveMessage", "QueueUrl": "q", "MaxNumberOfMessages": "many"}, 400,
         "ValidationError"),
        ({"Action": "X", "A": "1", "A.B": "2"}, 400, "MalformedQueryString"),
    ],
)  # fmt: skip
def test_errors_by_forms(fields: dict[str, str], status: int, code: str, box: Sandbox) -> None:
    found, root = sent(box, "sqs", fields)
    assert (found, code in (root.findtext("Error/Code") or "")) == (status, True)
