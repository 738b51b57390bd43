"""The items of the production checklist: each is met by a good template and lost by its own mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.cloud import template
from grader.cloud.template import read
from grader.desk.check import reviewed
from grader.review.checklist import ITEMS, Report, review

TEMPLATES = Path(__file__).parent / "templates"
GOOD = (TEMPLATES / "good.yaml").read_text(encoding="utf-8")


def ask(text: str) -> Report:
    return review(read(text))


def verdicts(text: str) -> dict[str, str]:
    return {result.item.id: result.verdict for result in ask(text).results}


def test_a_consumer_that_follows_every_advice_meets_every_item() -> None:
    assert {one for one in verdicts(GOOD).items() if one[1] != "met"} == set()
    assert ask(GOOD).decides()


def test_a_strictly_resolved_stack_gets_the_same_verdicts_as_the_same_text() -> None:
    strict = review(template.resolve(GOOD, stack_name="stack"))
    assert [(r.item.id, r.verdict) for r in strict.results] == list(verdicts(GOOD).items())


# (text of the good template, what stands there instead, the items lost, their verdict)
MISTAKES: list[tuple[str, str, dict[str, str]]] = [
    ("StartingPosition: TRIM_HORIZON", "StartingPosition: LATEST", {"starting-position": "not met"}),
    ("StartingPosition: TRIM_HORIZON", "StartingPosition: !Ref X", {"starting-position": "cannot tell"}),
    ("      BatchSize: 100\n", "      Enabled: false\n", {"mapping-enabled": "not met"}),
    ("      BatchSize: 100\n", "      Enabled: !ImportValue on\n", {"mapping-enabled": "cannot tell"}),
    ("MaximumRetryAttempts: 3", "MaximumRetryAttempts: -1", {"bounded-retries": "not met"}),
    ("MaximumRetryAttempts: 3", "MaximumRetryAttempts: lots", {"bounded-retries": "not met"}),
    ("MaximumRetryAttempts: 3", "MaximumRetryAttempts: '0'", {}),
    ("MaximumRecordAgeInSeconds: 21600", "MaximumRecordAgeInSeconds: 86400", {"bounded-age": "not met"}),
    ("      MaximumRecordAgeInSeconds: 21600\n", "", {"bounded-age": "not met"}),
    (
        "      MaximumRetryAttempts: 3\n      MaximumRecordAgeInSeconds: 21600\n",
        "      MaximumRecordAgeInSeconds: 600\n",
        {},
    ),
    (
        "  Notes:\n    Type: AWS::SQS::Queue\n    Properties:\n",
        "  Notes:\n    Type: AWS::SQS::Queue\n    Properties:\n      FifoQueue: true\n",
        {"failure-destination": "not met"},
    ),
    (
        "Destination: !GetAtt Notes.Arn",
        "Destination: !Ref Notes",
        {"failure-destination": "not met", "destination-permission": "cannot tell"},
    ),
    ("Action: sqs:SendMessage", "Action: sqs:ReceiveMessage", {"destination-permission": "not met"}),
    ("dynamodb:GetRecords, ", "", {"stream-permission": "not met"}),
    (
        "StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}",
        "StreamSpecification: {StreamViewType: KEYS_ONLY}",
        {"view-type": "not met", "filter-valid": "not met"},
    ),
    ('["paid"]', '"paid"', {"filter-valid": "not met"}),
    ('{"S": ["paid"]}', '["paid"]', {"filter-valid": "not met"}),
    ('{"S": ["paid"]}', '{"N": [{"numeric": [">", 1]}]}', {"filter-valid": "not met"}),
    ('"dynamodb": {', '"dynamoDb": {', {"filter-valid": "not met"}),
    (
        "FunctionResponseTypes: [ReportBatchItemFailures]",
        "FunctionResponseTypes: []",
        {"partial-batch": "not met", "alarm-failed-records": "not applicable"},
    ),
    ("BisectBatchOnFunctionError: true", "BisectBatchOnFunctionError: 'false'", {"bisect": "not met"}),
    (
        "MetricsConfig: {Metrics: [EventCount]}",
        "Tags: []",
        {
            "event-counts": "not met",
            "alarm-failed-records": "not met",
            "alarm-dropped": "not met",
            "alarm-silence": "not met",
        },
    ),
    (
        "Action: dynamodb:UpdateItem\n                Resource: !GetAtt Totals.Arn",
        "Action: dynamodb:UpdateItem\n                Resource: !GetAtt Orders.Arn",
        {},  # a filter decides what comes back
    ),
    ("Runtime: python3.14", "Runtime: python3.9", {"runtime": "not met"}),
    ("Runtime: python3.14", "Runtime: cobol85", {"runtime": "cannot tell"}),
    ("      Timeout: 60\n", "", {"timeout": "not met"}),
    ("      MemorySize: 512\n", "", {"memory": "not met"}),
    ("ReservedConcurrentExecutions: 10", "ReservedConcurrentExecutions: 1", {"reserved-concurrency": "not met"}),
    ("ReservedConcurrentExecutions: 10", "ReservedConcurrentExecutions: 0", {"reserved-concurrency": "not met"}),
    ("      ReservedConcurrentExecutions: 10\n", "", {"reserved-concurrency": "not applicable"}),
    ("Action: dynamodb:UpdateItem", "Action: dynamodb:*", {"least-privilege": "not met"}),
    ("Resource: !GetAtt Notes.Arn", 'Resource: "*"', {"least-privilege": "not met"}),
    (
        "      Policies:\n        - PolicyName: consumer",
        "      ManagedPolicyArns: [arn:aws:iam::aws:policy/AmazonSQSFullAccess]\n"
        "      Policies:\n        - PolicyName: consumer",
        {"least-privilege": "not met"},
    ),
    (
        "      Policies:\n        - PolicyName: consumer",
        "      ManagedPolicyArns: [arn:aws:iam::aws:policy/service-role/AWSLambdaDynamoDBExecutionRole]\n"
        "      Policies:\n        - PolicyName: consumer",
        {},
    ),
    ("TracingConfig: {Mode: Active}", "TracingConfig: {Mode: PassThrough}", {"tracing": "not met"}),
    ("Threshold: 60000", "Threshold: 60", {"alarm-lag": "not met"}),
    ("Threshold: 60000", "Threshold: 90000000", {"alarm-lag": "not met"}),
    ("MetricName: IteratorAge", "MetricName: OffsetLag", {"alarm-lag": "not met"}),
    ("MetricName: Throttles", "MetricName: Duration", {"alarm-throttles": "not met"}),
    (
        "MetricName: FailedInvokeEventCount",
        "MetricName: FilteredOutEventCount",
        {"alarm-failed-records": "not met"},
    ),
    ("MetricName: Errors", "MetricName: Duration", {}),  # failed records count failed calls too
    (
        "QueueName, Value: !GetAtt Notes.QueueName",
        "QueueName, Value: other",
        {"alarm-discards": "not met"},
    ),
    ("MetricName: DroppedEventCount", "MetricName: FilteredOutEventCount", {"alarm-dropped": "not met"}),
    ("      TreatMissingData: breaching\n", "", {"alarm-silence": "not met"}),
    (
        "      MetricName: Errors\n",
        "      MetricName: Errors\n      TreatMissingData: breaching\n",
        {"alarms-sound": "not met"},
    ),
    ("      MetricName: IteratorAge\n", "      MetricName: IteratorAge\n      Unit: Seconds\n", {"alarms-sound": "not met"}),
    ("      DatapointsToAlarm: 2\n", "      DatapointsToAlarm: 7\n", {"alarms-sound": "not met"}),
    (
        "      TreatMissingData: notBreaching\n      AlarmActions: [!Ref Topic]\n",
        "      TreatMissingData: notBreaching\n",
        {"alarm-actions": "not met"},
    ),
    (
        "      TreatMissingData: notBreaching\n",
        "      TreatMissingData: notBreaching\n      ActionsEnabled: false\n",
        {"alarm-actions": "not met"},
    ),
    ("Properties: {TopicArn: !Ref Topic,", "Properties: {TopicArn: other,", {"alarm-heard": "not met"}),
    (
        "    Type: AWS::SNS::Topic\n",
        "    Type: AWS::SNS::Topic\n    Properties: {KmsMasterKeyId: alias/aws/sns}\n",
        {"alarm-heard": "not met"},
    ),
    ("        PointInTimeRecoveryEnabled: true", "        PointInTimeRecoveryEnabled: false", {"table-recovery": "not met"}),
    ("{PointInTimeRecoveryEnabled: true}", "{PointInTimeRecoveryEnabled: false}", {"table-recovery": "not met"}),
    ("      DeletionProtectionEnabled: true\n", "", {"table-kept": "not met"}),
    ("MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 3600", {"note-retention": "not met"}),
    ("MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 1209600\n      SqsManagedSseEnabled: false", {"queue-encryption": "not met"}),
    ("      RetentionInDays: 30\n", "      LogGroupClass: STANDARD\n", {"log-retention": "not met"}),
    ("      LoggingConfig: {LogGroup: !Ref Logs}\n", "", {"log-retention": "not met"}),
    (
        "      TracingConfig: {Mode: Active}\n      Tags: [{Key: owner, Value: shop}]\n",
        "      TracingConfig: {Mode: Active}\n",
        {"tags": "not met"},
    ),
]  # fmt: skip


@pytest.mark.parametrize("there, instead, lost", MISTAKES)
def test_a_mistake_loses_its_own_item_and_no_other(
    there: str, instead: str, lost: dict[str, str]
) -> None:
    assert there in GOOD
    found = verdicts(GOOD.replace(there, instead, 1))
    assert {name: verdict for name, verdict in found.items() if verdict != "met"} == lost


def test_every_item_can_be_lost() -> None:
    """Two need more than one change; the others are lost in the table above."""
    lost = {
        name for _, _, items in MISTAKES for name, verdict in items.items() if verdict == "not met"
    }
    elsewhere = {"readers-per-stream", "own-table-loop", "alarm-errors"}
    assert {item.id for item in ITEMS} == lost | elsewhere


def test_a_consumer_that_may_write_its_own_table_unfiltered_feeds_itself() -> None:
    text = GOOD.replace("Resource: !GetAtt Totals.Arn", "Resource: !GetAtt Orders.Arn")
    start = text.index("      FilterCriteria:")
    text = text[:start] + text[text.index("  LagAlarm:") :]
    assert verdicts(text)["own-table-loop"] == "not met"


def test_errors_are_unseen_without_either_alarm() -> None:
    text = GOOD.replace("MetricName: Errors", "MetricName: Duration")
    text = text.replace("MetricName: FailedInvokeEventCount", "MetricName: FilteredOutEventCount")
    assert verdicts(text)["alarm-errors"] == "not met"


def test_evidence_names_the_line_that_decides() -> None:
    (result,) = ask(GOOD.replace("TRIM_HORIZON", "LATEST")).of("starting-position")
    (evidence,) = result.evidence
    assert evidence.quote == "StartingPosition: LATEST"
    assert GOOD.splitlines()[evidence.line - 1].strip() == "StartingPosition: TRIM_HORIZON"
    assert (evidence.logical_id, evidence.property) == ("Mapping", "StartingPosition")


def test_advice_never_decides() -> None:
    assert ask(GOOD.replace("TracingConfig: {Mode: Active}", "Layers: []")).decides()


def test_what_cannot_be_told_decides_unless_it_may_pass() -> None:
    report = ask(GOOD.replace("StartingPosition: TRIM_HORIZON", "StartingPosition: !Ref X"))
    assert not report.decides()
    assert report.decides(unknown_is_fine=True)


def test_items_are_whole() -> None:
    assert len({item.id for item in ITEMS}) == len(ITEMS) >= 30
    for item in ITEMS:
        assert item.title.endswith(".") and item.why.endswith(".") and item.fix.endswith(".")
        assert item.sources and all(
            one.startswith("https://docs.aws.amazon.com/") for one in item.sources
        )


def _detail(text: str, item: str) -> str:
    (found,) = ask(text).of(item)
    return found.detail


def test_an_alarm_that_rings_when_lag_is_low_is_told_as_that() -> None:
    lag = GOOD[GOOD.index("MetricName: IteratorAge") :]
    turned = lag.replace("ComparisonOperator: Greater", "ComparisonOperator: Less", 1)
    assert turned != lag
    assert "rings when it is low" in _detail(GOOD.replace(lag, turned), "alarm-lag")


def test_an_alarm_on_another_function_is_told_as_that() -> None:
    lag = GOOD[GOOD.index("MetricName: IteratorAge") :]
    turned = lag.replace("Value: !Ref Function", "Value: another", 1)
    assert turned != lag
    assert "something else than this consumer" in _detail(GOOD.replace(lag, turned), "alarm-lag")


TOLD = "  Told: {Type: AWS::SNS::Topic}\n"


def behind_a_topic(queue: str, told: str = TOLD) -> str:
    """The good template with a destination before its queue, which has these properties."""
    text = GOOD.replace("Destination: !GetAtt Notes.Arn", "Destination: !Ref Told").replace(
        "    Properties:\n      MessageRetentionPeriod: 1209600\n",
        f"    Properties: {{{queue}}}\n{told}"
        "  Listen:\n    Type: AWS::SNS::Subscription\n"
        "    Properties: {TopicArn: !Ref Told, Protocol: sqs, Endpoint: !GetAtt Notes.Arn}\n",
    )
    assert text.count("Told") >= 3
    return text


@pytest.mark.parametrize(
    ("queue", "retention", "encryption"),
    [
        ("MessageRetentionPeriod: 1209600", "met", "met"),
        ("VisibilityTimeout: 30", "not met", "met"),
        ("MessageRetentionPeriod: 1209600, SqsManagedSseEnabled: false", "met", "not met"),
    ],
)
def test_a_queue_behind_a_topic_is_asked_as_the_destination_itself_is(
    queue: str, retention: str, encryption: str
) -> None:
    found = verdicts(behind_a_topic(queue))
    assert (found["note-retention"], found["queue-encryption"]) == (retention, encryption)


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ("{Status: Enabled, ExpirationInDays: 3}", "not met"),
        ("{Status: Enabled, ExpirationInDays: 14}", "met"),
        ("{Status: Disabled, ExpirationInDays: 3}", "met"),
        ("{Status: Enabled, ExpirationInDays: 3, Prefix: reports/}", "met"),
        ("{Status: Enabled, ExpirationInDays: 3, Prefix: aws/}", "not met"),
        ("{Status: Enabled, ExpirationInDays: 3, TagFilters: [{Key: a, Value: b}]}", "met"),
        ("{Status: Enabled, ExpirationDate: 2031-01-01}", "not met"),
        ("{Status: Enabled, ExpirationInDays: !Ref Days}", "cannot tell"),
    ],
)
def test_the_rules_of_a_bucket_leave_the_notes_for_fourteen_days(rule: str, verdict: str) -> None:
    told = (
        "  Told:\n    Type: AWS::S3::Bucket\n    Properties:\n"
        f"      LifecycleConfiguration: {{Rules: [{rule}]}}\n"
    )
    text = behind_a_topic("VisibilityTimeout: 30", told)
    text = text.replace("Destination: !Ref Told", "Destination: !GetAtt Told.Arn")
    assert verdicts(text)["note-retention"] == verdict


def test_a_condition_that_cannot_be_judged_leaves_other_actions_decided() -> None:
    """It is a doubt about what its statement allows, and about nothing else of the role."""
    there = "              - Effect: Allow\n                Action: sqs:SendMessage"
    assert GOOD.count(there) == 1
    statement = (
        "              - Effect: Allow\n                Action: {action}\n"
        "                Resource: {arn}\n"
        "                Condition: {{StringEquals: {{events:source: shop}}}}\n"
    )
    events = statement.format(action="events:PutEvents", arn="arn:aws:events:*:*:event-bus/shop")
    found = verdicts(GOOD.replace(there, events + there))
    assert {one for one in found.items() if one[1] != "met"} == set()
    sends = statement.format(action="sqs:SendMessage", arn="!GetAtt Notes.Arn")
    (answer,) = ask(GOOD.replace(there, sends + there.replace("SendMessage", "ReceiveMessage"))).of(
        "destination-permission"
    )
    assert answer.verdict == "cannot tell" and "condition" in answer.detail


def test_what_sam_adds_is_shown_at_the_function_and_not_at_its_first_property() -> None:
    """SAM's own tags stand at the function, a statement of its policies at Policies."""
    template_text = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Reader:
    Type: AWS::Serverless::Function
    Properties:
      Handler: reader.handler
      Runtime: python3.13
      InlineCode: x
      Policies:
        - Statement: [{Effect: Allow, Action: events:PutEvents, Resource: "*"}]
      Events:
        Stream:
          Type: DynamoDB
          Properties: {Stream: !GetAtt Orders.StreamArn, StartingPosition: TRIM_HORIZON}
"""
    report = reviewed(template_text, "t").report
    quoted = {
        item: [place.quote for one in report.of(item) for place in one.evidence]
        for item in ("tags", "least-privilege")
    }
    assert quoted == {"tags": ["Reader:"], "least-privilege": ["Policies:"]}
