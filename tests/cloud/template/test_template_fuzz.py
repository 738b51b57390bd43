"""Whatever the text, resolving ends in a Stack or in TemplateProblems, and in nothing else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.cloud import template
from grader.cloud.template import Stack, TemplateProblems
from grader.cloud.template.unknown import unknowns

SEED = """\
Parameters: {P: {Type: Number, Default: 3, MinValue: 1}, L: {Type: CommaDelimitedList, Default: "a,b"}}
Mappings: {M: {us-east-1: {x: 1, y: [a, b]}}}
Conditions:
  A: !Equals [!Ref P, "3"]
  B: !And [!Condition A, {Condition: A}]
  C: !Not [!Or [!Condition B, !Equals [a, b]]]
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions:
        - AttributeName: id
          AttributeType: S
      KeySchema:
        - AttributeName: id
          KeyType: HASH
      StreamSpecification:
        StreamViewType: NEW_AND_OLD_IMAGES
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: []}
  Totals:
    Type: AWS::Lambda::Function
    Properties:
      Code: .
      Handler: handler.handler
      Runtime: python3.13
      Role: !GetAtt Role.Arn
      Environment:
        Variables: {TABLE: !Ref Orders}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Orders.StreamArn
      FunctionName: !Ref Totals
      StartingPosition: TRIM_HORIZON
      FilterCriteria:
        Filters:
          - Pattern: '{"eventName": ["INSERT"]}'
      DestinationConfig:
        OnFailure:
          Destination: !GetAtt [Failed, Arn]
  Failed:
    Type: AWS::SQS::Queue
    Condition: B
    Properties:
      QueueName: !If [A, !Join ["-", [!Ref "AWS::StackName", q]], !Ref AWS::NoValue]
      VisibilityTimeout: !FindInMap [M, !Ref AWS::Region, x]
  Topic:
    Type: AWS::SNS::Topic
    Properties:
      DisplayName: !Sub ["${a}-${!b}", {a: !Select [1, !Ref L]}]
      TopicName: !Select [0, !Split ["|", !Sub "${AWS::Region}|${Failed.QueueName}"]]
  Late:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Metrics:
        - Id: age
          MetricStat: {Metric: {Namespace: AWS/Lambda, MetricName: IteratorAge}, Period: 60, Stat: Maximum}
      ComparisonOperator: GreaterThanThreshold
      EvaluationPeriods: 3
      Threshold: 60000
      AlarmActions: [!Ref Topic]
Outputs: {O: {Value: !GetAtt Failed.Arn, Export: {Name: !Sub "${AWS::StackName}-q"}}}
"""

WORDS = (
    *("!Ref ", "!Sub ", "!GetAtt ", "!If ", "!Join ", "!Select ", "!Split ", "!Condition "),
    *("!And ", "!Not ", "!Or ", "!Equals ", "!Base64 ", "!GetAZs ", "!FindInMap ", "!Cidr "),
    *("!Foo ", "Fn::If: ", "Fn::Foo: ", "Ref: ", "AWS::NoValue", "AWS::Region", "Orders", "A, "),
    *("[", "]", "{", "}", ":", ": ", "\n", "  ", "\t", "'", '"', "#", "- ", "| ", "> ", "? "),
    *("*a ", "&a ", "<<: ", "---\n", "%YAML 1.1\n", "!!binary ", "!!str ", "~", "null", "yes"),
    *("0777", "1:30", "1e999", ".inf", "0x", "-1", "9" * 60, "1.5", "true", "${", "${Orders.Arn}"),
    *("\0", "\u2028", "é", "\ud800", '"\\UFFFFFFFF"', "\x07", "\ufeff"),
)

_piece = st.sampled_from(WORDS) | st.text(max_size=4)
_edit = st.tuples(
    st.sampled_from(("insert", "delete", "drop line", "swap lines", "value")),
    st.integers(0, len(SEED)),
    st.integers(0, 200),
    _piece,
)


def mutated(edits: list[tuple[str, int, int, str]]) -> str:
    """The seed after some edits."""
    text = SEED
    for kind, at, size, piece in edits:
        lines = text.split("\n")
        line = at % len(lines)
        if kind == "insert":
            text = text[:at] + piece + text[at:]
        elif kind == "delete":
            text = text[:at] + text[at + size % 12 :]
        elif kind == "drop line":
            text = "\n".join(lines[:line] + lines[line + 1 :])
        elif kind == "swap lines":
            other = size % len(lines)
            lines[line], lines[other] = lines[other], lines[line]
            text = "\n".join(lines)
        else:
            key, colon, _ = lines[line].partition(":")
            lines[line] = f"{key}{colon} {piece}"
            text = "\n".join(lines)
    return text


def check(text: str, strict: bool) -> None:
    try:
        stack = template.resolve(text) if strict else template.read(text)
    except template.NoTemplate as refused:
        assert str(refused).endswith(".")
        return
    except TemplateProblems as caught:
        last = len(text.splitlines()) + 2
        assert caught.problems
        for problem in caught.problems:
            assert problem.sentence.endswith((".", "?"))
            assert problem.line is None or 1 <= problem.line <= last
        return
    assert isinstance(stack, Stack)
    assert set(stack.creation_order) == set(stack.resources)
    for resource in stack.resources.values():
        assert resource.line_of("Anything", 0) == resource.line
        assert resource.source_of().startswith(resource.logical_id)
        if strict and not resource.unplayed:
            assert all(isinstance(one, str) for one in unknowns(resource.properties))


def test_the_seed_itself_resolves() -> None:
    assert len(template.resolve(SEED).resources) == 7


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(_edit, min_size=1, max_size=4), st.booleans())
def test_a_mutated_template_never_raises_anything_else(
    edits: list[tuple[str, int, int, str]], strict: bool
) -> None:
    check(mutated(edits), strict)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.text(max_size=60) | st.lists(_piece, max_size=25).map("".join), st.booleans())
def test_any_text_never_raises_anything_else(text: str, strict: bool) -> None:
    check(text, strict)
