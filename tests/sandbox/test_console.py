"""The console: what it shows is how the account stands, and no text of others becomes markup."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import jsonschema
import pytest

from grader.cloud import Cloud
from grader.cloud.function import Nursery
from grader.replay import run
from grader.sandbox import Asked, Sandbox, Server, console, replayed
from tests.replay.test_page import HOSTILE, Elements

TEMPLATE = """
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
  Failed: {Type: AWS::SQS::Queue}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
        - PolicyName: all
          PolicyDocument: {Statement: [{Effect: Allow, Action: ["dynamodb:*", "sqs:*"], Resource: "*"}]}
  Checker:
    Type: AWS::Lambda::Function
    Properties: {Runtime: python3.13, Handler: handler.handler, Code: ., Role: !GetAtt Role.Arn}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Orders.StreamArn
      FunctionName: !Ref Checker
      StartingPosition: TRIM_HORIZON
      MaximumRetryAttempts: 1
      DestinationConfig: {OnFailure: {Destination: !GetAtt Failed.Arn}}
  People:
    Type: AWS::SNS::Topic
    Properties: {Subscription: [{Protocol: email, Endpoint: on-call@example.com}]}
  Failing:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/Lambda
      MetricName: Errors
      Dimensions: [{Name: FunctionName, Value: !Ref Checker}]
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 0
      ComparisonOperator: GreaterThanThreshold
      AlarmActions: [!Ref People]
"""
HANDLER = """
def handler(event, context):
    for record in event["Records"]:
        print(record["dynamodb"]["Keys"]["id"]["S"])
        if "bad" in record["dynamodb"]["Keys"]["id"]["S"]:
            raise ValueError(record["dynamodb"]["Keys"]["id"]["S"])
"""


@pytest.fixture(scope="module", name="sandbox")
def _sandbox(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """An afternoon: good orders, a bad one with a hostile name, a setting changed by a request."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "handler.py").write_text(HANDLER)
    cloud = Cloud(nursery, live=True, mapping_takes_ms=1_000, change_takes_ms=1_000)
    cloud.create(cloud.resolve("shop", TEMPLATE, {}), TEMPLATE, code=folder)
    box = Sandbox(cloud)
    box.pace.pause()
    cloud.run_for(60_000)
    table = cloud.resource("shop", "Orders").physical_id
    uuid = cloud.resource("shop", "Mapping").physical_id
    for number in range(30):
        cloud.account.put(table, {"id": f"o-{number}"})
        cloud.run_for(1_000)
    cloud.mappings.update(uuid, {"BatchSize": 7})
    asked = (
        ("dynamodb", "GetItem", "answered"),
        ("lambda", "UpdateEventSourceMapping", "answered"),
        ("sqs", "PurgeQueue", "AccessDenied"),
    )
    for number, (service, operation, outcome) in enumerate(asked, start=1):
        now = cloud.clock.now
        box.asked.append(Asked(number, now, 0.0, service, operation, {}, 200, outcome))
    cloud.account.put(table, {"id": "bad" + HOSTILE})
    cloud.run_for(180_000)
    yield box
    cloud.close()


def test_the_parts_say_how_the_account_stands(sandbox: Sandbox) -> None:
    """By logical ids: the pipeline, the alarm with its picture, the lag, the note, log, requests."""
    seen = console.overview(sandbox)
    parts = seen["parts"]
    assert "It stands still." in seen["time"]
    assert seen["said"] == "In ALARM: Failing. Every mapping is enabled."
    for name in ("Orders", "Mapping", "Checker"):
        assert f"<strong>{name}</strong>" in parts["pipeline"]
    assert "table, 31 items" in parts["pipeline"] and "mapping, Enabled" in parts["pipeline"]
    assert re.search(r"Failing</th><td>! ALARM", parts["alarms"]) and "<svg" in parts["alarms"]
    assert "<td>no data</td>" in parts["alarms"] and "<td>ALARM</td>" in parts["alarms"]
    assert "<svg" in parts["lag"] and "Checker" in parts["lag"]
    assert "RetryAttemptsExhausted" in parts["queues"] and "a note arrived" in parts["queues"]
    assert ">People</th><td>topic</td>" in parts["queues"] and ">-0<" not in parts["alarms"]
    assert "1 message</td>" in parts["queues"] and "o-29" in parts["log"]
    assert "sqs:PurgeQueue</td><td>AccessDenied" in parts["requests"]


def test_no_text_of_others_becomes_markup(sandbox: Sandbox) -> None:
    """The function has logged a hostile name, which also stands in a record and in a note."""
    for name, html in console.overview(sandbox)["parts"].items():
        found = {tag for tag, _ in Elements(html).found}
        assert not found & {"script", "img"}, name
        assert "\u202e" not in html and "\x1b" not in html
    assert "&lt;script&gt;" in console.overview(sandbox)["parts"]["log"]


def test_the_replay_is_a_run_with_the_requests_as_moments(sandbox: Sandbox) -> None:
    """Valid; what only looked is no moment; a setting that a request has changed says so."""
    document = replayed.document(sandbox.world, sandbox.asked)
    schema = json.loads(Path(run.SCHEMA_FILE).read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)
    (play,) = document["plays"]
    told = [one["what"] for one in play["moments"]]
    assert told == ["lambda:UpdateEventSourceMapping", "sqs:PurgeQueue, refused: AccessDenied"]
    fates = [fate["how"] for record in play["records"] for fate in record["fates"]]
    assert fates == ["done"] * 30 + ["noted"]
    assert [one[1] for one in play["alarms"][0]["states"]] == ["ALARM"]
    assert play["alarms"][0]["told"][0][2:] == ["email", "on-call@example.com"]
    settings = {one["name"]: one for one in play["mappings"][0]["settings"]}
    assert settings["BatchSize"]["text"] == "BatchSize is 7, set by a request."
    assert settings["MaximumRetryAttempts"]["line"] and settings["FilterCriteria"]["value"] is None


def test_of_a_long_time_the_last_is_shown_and_the_rest_counted(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A valid document still, in which every attempt has the records that it is about."""
    monkeypatch.setattr(replayed, "MOST_ATTEMPTS", 3)
    document = replayed.document(sandbox.world, sandbox.asked)
    (play,) = document["plays"]
    assert re.search(r"\d+ older records and \d+ older attempts are left out", play["story"])
    assert 0 < len(play["records"]) < 31 and len(play["batches"]) == 3
    assert play["records"][-1]["fates"][0]["how"] == "noted"
    assert all(one["start"] >= 0 for one in play["batches"])
    jsonschema.validate(document, json.loads(Path(run.SCHEMA_FILE).read_text(encoding="utf-8")))


def answered(server: Server, path: str, token: str = "") -> tuple[int, Any]:
    """Status and body of a request."""
    try:
        with urlopen(Request(server.url + path, headers={"X-Labs-Token": token})) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refused:
        return refused.code, refused.read().decode()


def test_only_the_token_opens_what_the_page_shows(sandbox: Sandbox) -> None:
    """The page itself holds nothing; its policy lets it ask nobody but the sandbox."""
    with Server(sandbox) as server:
        status, html = answered(server, "/")
        elements = Elements(html)
        policy = next(a["content"] for tag, a in elements.found if tag == "meta" and "content" in a)
        assert status == 200 and "o-29" not in html and server.token not in html
        assert policy is not None and "default-src 'none'" in policy
        assert "connect-src 'self'" in policy and "unsafe" not in policy
        for path in ("/_labs/overview", "/_labs/replay"):
            assert answered(server, path)[0] == answered(server, path, "wrong")[0] == 403
            assert answered(server, path, server.token)[0] == 200
        assert answered(server, "/_labs/nothing", server.token)[0] == 404
        assert server.console == f"{server.url}/#token={server.token}"
