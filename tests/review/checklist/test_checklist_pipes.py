"""Pipes of EventBridge are consumers of a stream, and count among its readers."""

from __future__ import annotations

import pytest

from grader.cloud.template import read
from grader.desk.check import reviewed, text
from grader.review.checklist import Report, review

PIPE = """
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}
  Notes: {Type: AWS::SQS::Queue, Properties: {MessageRetentionPeriod: 1209600}}
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: shop}}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: pipes.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
        - PolicyName: all
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: [dynamodb:DescribeStream, dynamodb:GetRecords, dynamodb:GetShardIterator]
                Resource: !GetAtt Orders.StreamArn
              - {Effect: Allow, Action: dynamodb:ListStreams, Resource: "*"}
              - {Effect: Allow, Action: sqs:SendMessage, Resource: !GetAtt Notes.Arn}
  Pipe:
    Type: AWS::Pipes::Pipe
    Properties:
      RoleArn: !GetAtt Role.Arn
      Source: !GetAtt Orders.StreamArn
      Target: !GetAtt Bus.Arn
      SourceParameters:
        FilterCriteria:
          Filters: [{Pattern: '{"eventName": ["INSERT"]}'}]
        DynamoDBStreamParameters:
          StartingPosition: TRIM_HORIZON
          MaximumRetryAttempts: 3
          MaximumRecordAgeInSeconds: 3600
          DeadLetterConfig: {Arn: !GetAtt Notes.Arn}
"""


def _asked(text: str) -> Report:
    stack = read(text)
    return review(stack, hidden=stack.hidden)


def _verdict(text: str, item: str) -> str:
    (found,) = _asked(text).of(item)
    return found.verdict


def test_a_pipe_is_a_consumer_with_the_settings_of_its_source() -> None:
    report = _asked(PIPE)
    assert [consumer.name for consumer in report.consumers] == ["Pipe"]
    for item in (
        *("starting-position", "mapping-enabled", "bounded-retries", "bounded-age"),
        *("failure-destination", "destination-permission", "stream-permission", "filter-valid"),
    ):
        assert [one.verdict for one in report.of(item)] == ["met"], item


@pytest.mark.parametrize(
    ("there", "instead", "item"),
    [
        ("TRIM_HORIZON", "LATEST", "starting-position"),
        ("          MaximumRecordAgeInSeconds: 3600\n", "", "bounded-age"),
        ("          DeadLetterConfig: {Arn: !GetAtt Notes.Arn}\n", "", "failure-destination"),
        ('["INSERT"]', '["DELETE"]', "filter-valid"),
        ("Action: sqs:SendMessage", "Action: sqs:GetQueueUrl", "destination-permission"),
        ("[dynamodb:DescribeStream, ", "[", "stream-permission"),
        ("      Target:", "      DesiredState: STOPPED\n      Target:", "mapping-enabled"),
    ],
)
def test_a_mistake_in_a_pipe_loses_its_item(there: str, instead: str, item: str) -> None:
    assert there in PIPE
    assert _verdict(PIPE.replace(there, instead), item) == "not met"


def test_what_only_a_mapping_has_is_not_asked_of_a_pipe() -> None:
    for item in ("partial-batch", "event-counts", "timeout", "alarm-lag"):
        assert _verdict(PIPE, item) == "not applicable"


def test_a_pipe_counts_among_the_readers_of_a_stream() -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"""
    pipe = PIPE[PIPE.index("  Pipe:") :]
    text = PIPE + pipe.replace("  Pipe:", "  Second:") + pipe.replace("  Pipe:", "  Third:")
    assert {one.verdict for one in _asked(text).of("readers-per-stream")} == {"not met"}


def test_a_pipe_on_something_else_is_no_consumer_of_a_stream() -> None:
    text = PIPE.replace("Source: !GetAtt Orders.StreamArn", "Source: !GetAtt Notes.Arn")
    assert _asked(text).consumers == ()


def test_a_queue_under_a_customers_key_needs_rights_on_the_key() -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html"""
    text = PIPE.replace(
        "MessageRetentionPeriod: 1209600",
        "MessageRetentionPeriod: 1209600, KmsMasterKeyId: !GetAtt Key.Arn",
    ).replace(
        "  Bus:",
        "  Key: {Type: AWS::KMS::Key, Properties: {KeyPolicy: {Statement: []}}}\n  Bus:",
        1,
    )
    right = """              - Effect: Allow
                Action: [kms:GenerateDataKey, kms:Decrypt]
                Resource: !GetAtt Key.Arn
  Pipe:"""
    assert _verdict(text, "destination-permission") == "not met"
    assert _verdict(text.replace("  Pipe:", right, 1), "destination-permission") == "met"


def test_a_queue_under_the_services_own_key_needs_none() -> None:
    text = PIPE.replace(
        "MessageRetentionPeriod: 1209600",
        "MessageRetentionPeriod: 1209600, KmsMasterKeyId: alias/aws/sqs",
    )
    assert _verdict(text, "destination-permission") == "met"


@pytest.mark.parametrize("item", ["view-type", "table-recovery", "table-kept", "tags"])
def test_the_table_of_a_pipe_stands_in_the_template(item: str) -> None:
    """What is asked of table and tags is answered from the table and the pipe themselves."""
    (found,) = _asked(PIPE).of(item)
    assert found.verdict == ("met" if item == "view-type" else "not met"), found.detail
    kept = PIPE.replace("BillingMode", "DeletionProtectionEnabled: true\n      BillingMode")
    assert _verdict(kept, "table-kept") == "met"
    tagged = PIPE.replace("      Target:", "      Tags: {owner: shop}\n      Target:").replace(
        "BillingMode", "Tags: [{Key: owner, Value: shop}]\n      BillingMode"
    )
    assert _verdict(tagged, "tags") == "met"


def test_a_pipe_to_a_function_reads_its_own_table() -> None:
    """The target is no function outside; the pipe's role is asked for what the pipe does."""
    text = PIPE.replace(
        "  Pipe:",
        "  Work: {Type: AWS::Lambda::Function, Properties: {Runtime: python3.13, Handler: a.b,"
        " Code: {ZipFile: x}, Role: !GetAtt Role.Arn}}\n  Pipe:",
    ).replace("!GetAtt Bus.Arn", "!GetAtt Work.Arn")
    (consumer,) = _asked(text).consumers
    assert consumer.function is not None and consumer.function.logical_id == "Work"
    assert consumer.table is not None and consumer.table.logical_id == "Orders"


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("!GetAtt Bus.Arn", "A pipe reads the stream of Orders."),
        ("!GetAtt Reader.Arn", "A pipe to Reader reads the stream of Orders."),
    ],
)
def test_the_report_calls_a_pipe_a_pipe(target: str, sentence: str) -> None:
    """Who reads is the pipe, whatever it hands the records to; its fix names its own property."""
    written = PIPE.replace("Target: !GetAtt Bus.Arn", f"Target: {target}") + (
        "  Reader: {Type: AWS::Lambda::Function, Properties: {Handler: a.b, Runtime: python3.13,"
        " Role: !GetAtt Role.Arn, Code: {ZipFile: x}}}\n"
    )
    told = text(reviewed(written.replace("DeadLetterConfig: {Arn: !GetAtt Notes.Arn}", ""), "t"))
    assert sentence in told
    assert "DynamoDBStreamParameters.DeadLetterConfig.Arn" in " ".join(told.split())
    assert "The pipe is enabled." in text(reviewed(written, "t"), verbose=True)
