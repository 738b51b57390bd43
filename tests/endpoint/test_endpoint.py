"""Changes of stacks that are refused: by name, and leaving nothing half made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.cloud import Cloud, Nursery, Refused


@pytest.fixture(name="cloud")
def _cloud(nursery: Nursery) -> Iterator[Cloud]:
    cloud = Cloud(nursery, live=True)
    yield cloud
    cloud.close()


TABLE = """
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: KEY, AttributeType: S}]
      KeySchema: [{AttributeName: KEY, KeyType: HASH}]
"""


def test_an_update_that_is_not_acted_out_is_refused_by_name(cloud: Cloud) -> None:
    """Another key would be another table."""
    for key in ("id", "day"):
        body = TABLE.replace("KEY", key)
        stack = cloud.resolve("shop", body, {})
        if key == "id":
            cloud.create(stack, body)
        else:
            with pytest.raises(Refused, match="Orders: a change of AttributeDefinitions, KeyS"):
                cloud.create(stack, body)


UNREADABLE = """
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Notes: {Type: AWS::SQS::Queue}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
  Count:
    Type: AWS::Lambda::Function
    Properties: {Runtime: python3.13, Handler: handler.handler, Role: !GetAtt Role.Arn, Code: .}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Orders.StreamArn
      FunctionName: !Ref Count
      StartingPosition: LATEST
"""


def test_a_creation_that_is_refused_leaves_nothing(cloud: Cloud, tmp_path: Path) -> None:
    """The role may not read the stream: what was made goes again, and what was there stays."""
    (tmp_path / "handler.py").write_text("def handler(event, context): pass\n", encoding="utf-8")
    cloud.account.queues.create("mine", {})
    for _ in range(2):
        with pytest.raises(Refused, match="Cannot access stream"):
            cloud.create(cloud.resolve("shop", UNREADABLE, {}), UNREADABLE, code=tmp_path)
        assert not (cloud.stacks or cloud.functions or cloud.account.tables.names())
        assert list(cloud.account.queues.arns) == ["mine"]
