"""The table of resource types: names, attributes, ranges and the rules that AWS applies.

The committed tables are compared with the CloudFormation resource schemas that cfn-lint brings
along. https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.cloud import template
from grader.cloud.clock import START_MS
from grader.cloud.template import RESOURCE_TYPES, Problem, Resource, Stack, TemplateProblems
from grader.cloud.template.kinds import KINDS
from grader.cloud.template.kinds.base import Kind
from grader.cloud.template.kinds.schema import ByHand, schema_of, shape_of
from grader.cloud.template.shapes import Field, JsonOf, ListOf, Shape, Struct, Text, Whole, as_field
from grader.maintain import schemas

TABLE = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
}
POLICY = {"Version": "2012-10-17", "Statement": []}
FUNCTION = {
    "Code": ".",
    "Handler": "handler.handler",
    "Runtime": "python3.13",
    "Role": "arn:aws:iam::123456789012:role/r",
}
MAPPING = {
    "FunctionName": {"Ref": "Totals"},
    "EventSourceArn": {"Fn::GetAtt": "Orders.StreamArn"},
    "StartingPosition": "TRIM_HORIZON",
}
ALARM = {
    "Namespace": "AWS/Lambda",
    "MetricName": "IteratorAge",
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "Threshold": 60000,
    "ComparisonOperator": "GreaterThanThreshold",
}
BUDGET = {
    "Budget": {
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": 5, "Unit": "USD"},
    }
}
ONE_OF_EACH: dict[str, tuple[str, dict[str, Any]]] = {
    "Orders": ("AWS::DynamoDB::Table", TABLE),
    "World": (
        "AWS::DynamoDB::GlobalTable",
        {**TABLE, "Replicas": [{"Region": {"Ref": "AWS::Region"}, "TableClass": "STANDARD"}]},
    ),
    "Role": ("AWS::IAM::Role", {"AssumeRolePolicyDocument": POLICY}),
    "Totals": ("AWS::Lambda::Function", FUNCTION | {"Role": {"Fn::GetAtt": "Role.Arn"}}),
    "Mapping": ("AWS::Lambda::EventSourceMapping", MAPPING),
    "Version": ("AWS::Lambda::Version", {"FunctionName": {"Ref": "Totals"}}),
    "Alias": (
        "AWS::Lambda::Alias",
        {
            "FunctionName": {"Fn::GetAtt": "Totals.Arn"},
            "FunctionVersion": {"Fn::GetAtt": "Version.Version"},
            "Name": "live",
        },
    ),
    "Invoke": (
        "AWS::Lambda::EventInvokeConfig",
        {"FunctionName": {"Ref": "Totals"}, "Qualifier": "$LATEST"},
    ),
    "Permission": (
        "AWS::Lambda::Permission",
        {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": "Totals"},
            "Principal": "sns.amazonaws.com",
        },
    ),
    "Inline": (
        "AWS::IAM::Policy",
        {"PolicyName": "p", "PolicyDocument": POLICY, "Roles": [{"Ref": "Role"}]},
    ),
    "RoleInline": (
        "AWS::IAM::RolePolicy",
        {"PolicyName": "p", "PolicyDocument": POLICY, "RoleName": {"Ref": "Role"}},
    ),
    "Managed": ("AWS::IAM::ManagedPolicy", {"PolicyDocument": POLICY}),
    "Failed": ("AWS::SQS::Queue", {}),
    "FailedPolicy": (
        "AWS::SQS::QueuePolicy",
        {"PolicyDocument": POLICY, "Queues": [{"Ref": "Failed"}]},
    ),
    "Topic": ("AWS::SNS::Topic", {}),
    "TopicRules": (
        "AWS::SNS::TopicPolicy",
        {"PolicyDocument": POLICY, "Topics": [{"Ref": "Topic"}]},
    ),
    "FailedInline": (
        "AWS::SQS::QueueInlinePolicy",
        {"PolicyDocument": POLICY, "Queue": {"Ref": "Failed"}},
    ),
    "TopicInline": (
        "AWS::SNS::TopicInlinePolicy",
        {"PolicyDocument": POLICY, "TopicArn": {"Ref": "Topic"}},
    ),
    "Subscription": (
        "AWS::SNS::Subscription",
        {
            "TopicArn": {"Ref": "Topic"},
            "Protocol": "sqs",
            "Endpoint": {"Fn::GetAtt": "Failed.Arn"},
        },
    ),
    "Bucket": ("AWS::S3::Bucket", {}),
    "BucketRules": (
        "AWS::S3::BucketPolicy",
        {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": POLICY},
    ),
    "Logs": ("AWS::Logs::LogGroup", {"RetentionInDays": 14}),
    "Filter": (
        "AWS::Logs::MetricFilter",
        {
            "LogGroupName": {"Ref": "Logs"},
            "FilterPattern": "ERROR",
            "MetricTransformations": [
                {"MetricName": "Errors", "MetricNamespace": "Labs", "MetricValue": 1}
            ],
        },
    ),
    "Late": ("AWS::CloudWatch::Alarm", ALARM | {"AlarmActions": [{"Ref": "Topic"}]}),
    "Both": (
        "AWS::CloudWatch::CompositeAlarm",
        {"AlarmRule": {"Fn::Sub": "ALARM(${Late})"}},
    ),
    "Board": ("AWS::CloudWatch::Dashboard", {"DashboardBody": '{"widgets": []}'}),
    "Budget": ("AWS::Budgets::Budget", BUDGET),
    "Key": ("AWS::KMS::Key", {}),
    "KeyName": (
        "AWS::KMS::Alias",
        {"AliasName": "alias/labs", "TargetKeyId": {"Ref": "Key"}},
    ),
}


def stack_of(resources: dict[str, tuple[str, dict[str, Any]]], **options: Any) -> Stack:
    bodies = {name: {"Type": type, "Properties": p} for name, (type, p) in resources.items()}
    return template.resolve(json.dumps({"Resources": bodies}, indent=1), **options)


def one(type: str, properties: dict[str, Any]) -> Resource:
    return stack_of({"It": (type, properties)}).resources["It"]


def problems(type: str, properties: dict[str, Any]) -> tuple[Problem, ...]:
    """What is told, be it refused by AWS or beyond the labs."""
    try:
        stack = stack_of({"It": (type, properties)})
    except TemplateProblems as caught:
        return caught.problems
    assert stack.unplayed
    return stack.unplayed


@pytest.fixture(scope="module")
def every() -> Stack:
    return stack_of(ONE_OF_EACH)


# -- names -----------------------------------------------------------------------------------


def test_every_type_of_the_table_is_tried_here(every: Stack) -> None:
    assert sorted({type for type, _ in ONE_OF_EACH.values()}) == sorted(RESOURCE_TYPES)
    assert not every.unplayed


def test_a_global_table_in_one_region_is_played_as_a_table(every: Stack) -> None:
    world = every.resources["World"]
    assert world.type == "AWS::DynamoDB::Table"
    assert world.properties == {**TABLE, "TableClass": "STANDARD"}
    assert world.attributes["StreamArn"].startswith(world.attributes["Arn"] + "/stream/")


def test_a_global_table_in_two_regions_is_told_as_what_aws_takes() -> None:
    replicas = [{"Region": "us-east-1"}, {"Region": "eu-west-1"}]
    (told,) = problems("AWS::DynamoDB::GlobalTable", {**TABLE, "Replicas": replicas})
    assert (told.kind, "one Region" in told.sentence) == ("unplayed", True)


@pytest.mark.parametrize(
    ("name", "ref"),
    [
        ("Orders", "labs-Orders-…"),
        ("Role", "labs-Role-…"),
        ("Totals", "labs-Totals-…"),
        ("Version", "arn:aws:lambda:us-east-1:123456789012:function:labs-Totals-…:1"),
        ("Alias", "arn:aws:lambda:us-east-1:123456789012:function:labs-Totals-…:live"),
        ("Managed", "arn:aws:iam::123456789012:policy/labs-Managed-…"),
        ("Failed", "https://sqs.us-east-1.amazonaws.com/123456789012/labs-Failed-…"),
        ("Topic", "arn:aws:sns:us-east-1:123456789012:labs-Topic-…"),
        ("Bucket", "labs-bucket-…"),
        ("BucketRules", "labs-bucket-…"),
        ("Logs", "labs-Logs-…"),
        ("Late", "labs-Late-…"),
        ("Both", "labs-Both-…"),
        ("Board", "labs-Board-…"),
        ("Budget", "labs-Budget-…"),
        ("KeyName", "alias/labs"),
    ],
)
def test_ref_yields_what_aws_documents(every: Stack, name: str, ref: str) -> None:
    before, gap, after = ref.partition("…")
    physical = every.resources[name].physical_id
    assert physical.startswith(before)
    assert physical.endswith(after)
    if gap:
        made_up = physical[len(before) : len(physical) - len(after)]
        assert len(made_up) == 12
        assert made_up.isalnum()


def test_ref_of_a_mapping_and_of_a_key_is_a_uuid(every: Stack) -> None:
    for name in ("Mapping", "Key"):
        assert [len(part) for part in every.resources[name].physical_id.split("-")] == [
            8,
            4,
            4,
            4,
            12,
        ]


@pytest.mark.parametrize(
    ("name", "attribute", "shape"),
    [
        ("Orders", "Arn", "arn:aws:dynamodb:us-east-1:123456789012:table/{Ref}"),
        (
            "Orders",
            "StreamArn",
            "arn:aws:dynamodb:us-east-1:123456789012:table/{Ref}/stream/2026-11-02T09:00:00.000",
        ),
        ("Role", "Arn", "arn:aws:iam::123456789012:role/{Ref}"),
        ("Totals", "Arn", "arn:aws:lambda:us-east-1:123456789012:function:{Ref}"),
        ("Mapping", "Id", "{Ref}"),
        (
            "Mapping",
            "EventSourceMappingArn",
            "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{Ref}",
        ),
        ("Failed", "QueueUrl", "{Ref}"),
        ("Topic", "TopicArn", "{Ref}"),
        ("Bucket", "Arn", "arn:aws:s3:::{Ref}"),
        ("Bucket", "RegionalDomainName", "{Ref}.s3.us-east-1.amazonaws.com"),
        ("Logs", "Arn", "arn:aws:logs:us-east-1:123456789012:log-group:{Ref}:*"),
        ("Late", "Arn", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:{Ref}"),
        ("Both", "Arn", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:{Ref}"),
        ("Key", "Arn", "arn:aws:kms:us-east-1:123456789012:key/{Ref}"),
        ("Managed", "PolicyArn", "{Ref}"),
        ("Version", "Version", "1"),
    ],
)
def test_get_att_yields_what_aws_documents(
    every: Stack, name: str, attribute: str, shape: str
) -> None:
    resource = every.resources[name]
    assert resource.attributes[attribute] == shape.replace("{Ref}", resource.physical_id)


def test_every_attribute_of_the_table_has_a_value(every: Stack) -> None:
    for name, (declared, _) in ONE_OF_EACH.items():
        assert set(every.resources[name].attributes) == set(KINDS[declared].attributes), declared


def test_an_inline_policy_is_played_as_the_policy_of_its_one_resource(every: Stack) -> None:
    topic, queue = every.resources["TopicInline"], every.resources["FailedInline"]
    wanted = every.resources["TopicRules"].properties, every.resources["FailedPolicy"].properties
    assert (topic.type, queue.type) == ("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")
    assert (topic.properties, queue.properties) == wanted


def test_names_depend_on_stack_and_logical_id_alone(every: Stack) -> None:
    again = stack_of(ONE_OF_EACH)
    other = stack_of(ONE_OF_EACH, stack_name="other")
    assert again == every
    assert not {r.physical_id for r in other.resources.values()} & {
        r.physical_id for r in every.resources.values() if r.logical_id != "KeyName"
    }


def test_names_that_are_given_are_used_and_long_ones_are_cut() -> None:
    assert one("AWS::SQS::Queue", {"QueueName": "mine"}).attributes["Arn"].endswith(":mine")
    long = "L" * 200
    for type, limit in (
        ("AWS::SQS::Queue", 80),
        ("AWS::S3::Bucket", 63),
        ("AWS::SNS::Topic", 256),
    ):
        made = stack_of({long: (type, {})}).resources[long].physical_id
        assert len(made.split("/")[-1].split(":")[-1]) <= limit
    fifo = one("AWS::SQS::Queue", {"FifoQueue": True})
    assert fifo.physical_id.endswith(".fifo")


def test_a_stream_is_labelled_with_the_time_of_creation() -> None:
    made = stack_of({"It": ("AWS::DynamoDB::Table", TABLE)}, created_ms=START_MS + 61_007)
    label = made.resources["It"].attributes["StreamArn"].rpartition("/")[2]
    assert label == "2026-11-02T09:01:01.007" == template.stream_label(START_MS + 61_007)


def test_region_and_account_stand_in_every_arn() -> None:
    made = stack_of(ONE_OF_EACH, region="eu-west-1", account_id="000000000042")
    for resource in made.resources.values():
        for value in (resource.physical_id, *resource.attributes.values()):
            assert "us-east-1" not in value
            assert "123456789012" not in value


def test_two_resources_cannot_have_one_name() -> None:
    with pytest.raises(TemplateProblems, match="A has already"):
        stack_of({n: ("AWS::SQS::Queue", {"QueueName": "same"}) for n in "AB"})


def test_a_second_version_of_the_same_code_is_refused() -> None:
    pair = {n: ("AWS::Lambda::Version", {"FunctionName": "f"}) for n in "AB"}
    with pytest.raises(TemplateProblems, match="unchanged code"):
        stack_of(pair)


# -- finding resources -----------------------------------------------------------------------


def test_resources_are_found_by_type_name_and_arn(every: Stack) -> None:
    orders, logs = every.resources["Orders"], every.resources["Logs"]
    assert every.of_type("AWS::DynamoDB::Table") == [orders, every.resources["World"]]
    assert every.get("Nobody") is None
    assert every.by_physical(orders.physical_id) is orders
    assert every.by_physical(orders.physical_id, "AWS::SQS::Queue") is None
    assert every.by_arn(orders.attributes["StreamArn"]) is orders
    assert every.by_arn(orders.attributes["Arn"] + "/index/x") is orders
    assert every.by_arn(logs.attributes["Arn"]) is logs
    assert every.by_arn(logs.attributes["Arn"].removesuffix("*") + "log-stream:s") is logs
    assert every.by_arn(every.resources["Bucket"].attributes["Arn"] + "/key") is not None
    assert every.by_arn(orders.attributes["Arn"] + "x") is None
    subscription = every.resources["Subscription"]
    assert every.by_arn(subscription.physical_id) is subscription
    assert every.by_arn(every.resources["Alias"].physical_id) is every.resources["Alias"]


def test_a_function_is_found_in_every_form_that_lambda_takes(every: Stack) -> None:
    totals = every.resources["Totals"]
    name, arn = totals.physical_id, totals.attributes["Arn"]
    assert every.function(name) == (totals, None)
    assert every.function(arn) == (totals, None)
    assert every.function(arn + ":live") == (totals, "live")
    assert every.function(name + ":$LATEST") == (totals, "$LATEST")
    assert every.function("123456789012:function:" + name) == (totals, None)
    assert every.function("function:" + name) == (totals, None)
    assert every.function("999999999999:function:" + name) is None
    assert every.function("other") is None


# -- what AWS refuses ------------------------------------------------------------------------

Q, T, F = "AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::Lambda::Function"
M, A, S = "AWS::Lambda::EventSourceMapping", "AWS::CloudWatch::Alarm", "AWS::SNS::Subscription"
STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026"
MAP = MAPPING | {"FunctionName": "f", "EventSourceArn": STREAM}
THROUGHPUT = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
INDEX = {
    "IndexName": "idx",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
TOPIC = "arn:aws:sns:us-east-1:123456789012:t"
SUB = {"TopicArn": TOPIC}


def without(properties: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in names}


@pytest.mark.parametrize(
    ("type", "properties", "words"),
    [
        # shapes
        (Q, {"DelaySeconds": "x"}, "whole number"),
        (Q, {"DelaySeconds": 1.5}, "whole number"),
        (Q, {"DelaySeconds": True}, "whole number"),
        (Q, {"DelaySeconds": 901}, "901 seconds; AWS takes 0 to 900"),
        (Q, {"VisibilityTimeout": 43_201}, "43,201"),
        (Q, {"MessageRetentionPeriod": 59}, "60 to 1,209,600"),
        (Q, {"QueueName": ["a"]}, "must be text, not a list"),
        (Q, {"QueueName": "a b"}, "letters, digits"),
        (Q, {"QueueName": "a" * 81}, "81 characters"),
        (Q, {"FifoQueue": "maybe"}, "true or false"),
        (Q, {"Tags": {"a": "b"}}, "must be a list"),
        (Q, {"DelaySecond": 1}, "Did you mean DelaySeconds?"),
        (Q, {"Arn": "x"}, "not a property"),
        # queues
        (Q, {"QueueName": "a.fifo"}, "only a FIFO queue's name"),
        (Q, {"QueueName": "a", "FifoQueue": True}, "ends in .fifo"),
        (Q, {"ContentBasedDeduplication": True}, "FifoQueue: true"),
        (Q, {"RedrivePolicy": {"maxReceiveCount": 3}}, "lacks deadLetterTargetArn"),
        (Q, {"RedrivePolicy": "{"}, "is not JSON"),
        (
            Q,
            {"RedrivePolicy": {"deadLetterTargetArn": "https://sqs/q", "maxReceiveCount": 3}},
            "use GetAtt Queue.Arn",
        ),
        (Q, {"KmsMasterKeyId": "k", "SqsManagedSseEnabled": True}, "exclude each other"),
        # tables
        (T, without(TABLE, "KeySchema"), "lacks KeySchema"),
        (T, without(TABLE, "AttributeDefinitions"), "lacks AttributeDefinitions"),
        (T, without(TABLE, "BillingMode"), "lacks ProvisionedThroughput"),
        (T, TABLE | {"BillingMode": "ON_DEMAND"}, "PAY_PER_REQUEST or PROVISIONED"),
        (T, TABLE | {"ProvisionedThroughput": THROUGHPUT}, "does not go with"),
        (
            T,
            TABLE | {"StreamSpecification": {"StreamViewType": "NEW_IMAGES"}},
            "Did you mean NEW_IMAGE?",
        ),
        (T, TABLE | {"StreamSpecification": {}}, "lacks StreamViewType"),
        (
            T,
            TABLE | {"KeySchema": [{"AttributeName": "id", "KeyType": "RANGE"}]},
            "one HASH first",
        ),
        (
            T,
            TABLE | {"KeySchema": [{"AttributeName": "other", "KeyType": "HASH"}]},
            "AttributeDefinitions does not define",
        ),
        (
            T,
            TABLE
            | {
                "AttributeDefinitions": [
                    *TABLE["AttributeDefinitions"],  # type: ignore[misc]
                    {"AttributeName": "amount", "AttributeType": "N"},
                ]
            },
            "no key of the table or an index",
        ),
        (T, TABLE | {"TimeToLiveSpecification": {"Enabled": True}}, "AttributeName"),
        (T, TABLE | {"GlobalSecondaryIndexes": [without(INDEX, "Projection")]}, "lacks Projection"),
        (T, TABLE | {"LocalSecondaryIndexes": [INDEX]}, "only a table with a RANGE key"),
        (T, TABLE | {"VectorIndexes": []}, "not played in the labs"),
        (T, TABLE | {"TableName": "ab"}, "3 to 255"),
        # functions
        (F, without(FUNCTION, "Handler"), "lacks Handler"),
        (F, without(FUNCTION, "Role"), "lacks Role"),
        (F, FUNCTION | {"Role": "r"}, "use GetAtt Role.Arn"),
        (F, FUNCTION | {"Runtime": "python3.7"}, "since 2024-01-09"),
        (F, FUNCTION | {"Runtime": "Python3.13"}, "Did you mean python3.13?"),
        (F, FUNCTION | {"Runtime": "nodejs24.x"}, "run Python functions"),
        (F, FUNCTION | {"Timeout": 901}, "901 seconds"),
        (F, FUNCTION | {"MemorySize": 127}, "128 to 10,240"),
        (F, FUNCTION | {"EphemeralStorage": {"Size": 256}}, "512 to 10,240"),
        (F, FUNCTION | {"Handler": "handler"}, "a module, a dot and a function"),
        (F, FUNCTION | {"Code": {"S3Bucket": "b"}}, "needs either a path"),
        (F, FUNCTION | {"Code": ""}, "is empty"),
        (F, FUNCTION | {"PackageType": "Image"}, "run Python functions"),
        (F, FUNCTION | {"VpcConfig": {}}, "networks are not emulated"),
        (F, FUNCTION | {"ReservedConcurrentExecutions": 901}, "at least 100"),
        (F, FUNCTION | {"Layers": ["arn:aws:lambda:us-east-1:1:layer:x:1"]}, "Powertools"),
        (F, FUNCTION | {"LoggingConfig": {"SystemLogLevel": "INFO"}}, "LogFormat JSON"),
        (F, FUNCTION | {"Environment": {"Variables": {"AWS_REGION": "x"}}}, "for itself"),
        (F, FUNCTION | {"Environment": {"Variables": {"1A": "x"}}}, "no name for an environment"),
        (F, FUNCTION | {"Environment": {"Variables": {"AA": "x" * 4095}}}, "4,097 bytes"),
        (F, FUNCTION | {"Environment": {"TOTALS_TABLE": "x"}}, "not a property"),
        # mappings
        (M, without(MAP, "StartingPosition"), "lacks StartingPosition"),
        (M, without(MAP, "EventSourceArn"), "lacks EventSourceArn"),
        (M, MAP | {"EventSourceArn": "orders"}, "GetAtt Table.StreamArn"),
        (M, MAP | {"EventSourceArn": STREAM.split("/stream")[0]}, "is the table's ARN"),
        (M, MAP | {"EventSourceArn": "arn:aws:sqs:us-east-1:1:q"}, "DynamoDB streams only"),
        (M, MAP | {"StartingPosition": "AT_TIMESTAMP"}, "use TRIM_HORIZON or LATEST"),
        (M, MAP | {"StartingPosition": "TRIM"}, "TRIM_HORIZON or LATEST"),
        (M, MAP | {"BatchSize": 0}, "1 to 10,000"),
        (M, MAP | {"BatchSize": 10_001}, "1 to 10,000"),
        (M, MAP | {"MaximumBatchingWindowInSeconds": 301}, "0 to 300"),
        (M, MAP | {"ParallelizationFactor": 11}, "1 to 10"),
        (M, MAP | {"MaximumRetryAttempts": -2}, "-1 to 10,000"),
        (M, MAP | {"MaximumRecordAgeInSeconds": 30}, "-1 (no limit) or 60"),
        (M, MAP | {"TumblingWindowInSeconds": 901}, "0 to 900"),
        (M, MAP | {"FunctionResponseTypes": ["ReportBatchItemFailure"]}, "Did you mean"),
        (M, MAP | {"FunctionResponseTypes": "ReportBatchItemFailures"}, "must be a list"),
        (M, MAP | {"FilterCriteria": {"Filters": [{"Pattern": {"a": 1}}]}}, "JSON as text"),
        (M, MAP | {"FilterCriteria": {"Filters": [{"Pattern": "{a: 1}"}]}}, "is not JSON"),
        (M, MAP | {"FilterCriteria": {"Filters": [{"Pattern": "[]"}]}}, "not an object"),
        (M, MAP | {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 6}}, "at most 5"),
        (M, MAP | {"DestinationConfig": {"OnSuccess": {}}}, "OnSuccess"),
        (
            M,
            MAP | {"DestinationConfig": {"OnFailure": {"Destination": "https://sqs/q"}}},
            "Ref of a queue is its URL",
        ),
        (
            M,
            MAP | {"DestinationConfig": {"OnFailure": {"Destination": "kafka://t"}}},
            "queues, topics and buckets",
        ),
        (M, MAP | {"ScalingConfig": {"MaximumConcurrency": 2}}, "for Amazon SQS only"),
        (M, MAP | {"MetricsConfig": {"Metrics": ["KafkaMetrics"]}}, "Kafka only"),
        # roles
        ("AWS::IAM::Role", {}, "lacks AssumeRolePolicyDocument"),
        (
            "AWS::IAM::Policy",
            {"PolicyName": "p", "PolicyDocument": POLICY},
            "lacks Roles",
        ),
        # topics
        (S, SUB | {"Protocol": "sqs"}, "lacks Endpoint"),
        (S, SUB | {"Protocol": "sqs", "Endpoint": "https://sqs/q"}, "use GetAtt Queue.Arn"),
        (S, SUB | {"Protocol": "email", "Endpoint": "me"}, "an e-mail address"),
        (S, SUB | {"Protocol": "mail", "Endpoint": "a@b.c"}, "AWS takes email"),
        ("AWS::SNS::Topic", {"TopicName": "a.fifo"}, "FifoTopic: true"),
        *(
            (kind, {"PolicyDocument": said, member: topics}, "action out of service scope")
            for kind, member, topics in (
                ("AWS::SNS::TopicPolicy", "Topics", [TOPIC]),
                ("AWS::SNS::TopicInlinePolicy", "TopicArn", TOPIC),
            )
            for said in (
                {"Statement": {"Action": "sns:*"}},
                {"Statement": [{"Action": "*"}]},
                {"Statement": [{"Action": "sns:Subscribe"}, {"Action": ["sns:Pub*"]}]},
                {"Statement": [{"Action": ["sns:Publish", "SNS:Publis?"]}]},
                {"Statement": [{"Action": "sns:CreateTopic"}]},
                {"Statement": [{"Action": "kms:Decrypt"}]},
                json.dumps({"Statement": [{"Action": "sns:*"}]}),
            )
        ),
        # the rest
        ("AWS::S3::Bucket", {"BucketName": "Upper"}, "lower-case"),
        ("AWS::S3::Bucket", {"NotificationConfiguration": {}}, "events are not played"),
        ("AWS::Logs::LogGroup", {"RetentionInDays": 10}, "1, 3, 5, 7, 14"),
        (A, ALARM | {"Period": 45}, "multiple of 60"),
        (A, ALARM | {"TreatMissingData": "notbreaching"}, "Did you mean notBreaching?"),
        (A, ALARM | {"DatapointsToAlarm": 4}, "can never be reached"),
        (A, without(ALARM, "Statistic"), "has no Statistic"),
        (A, ALARM | {"ExtendedStatistic": "p99"}, "has both"),
        (A, without(ALARM, "Threshold"), "lacks Threshold"),
        (A, ALARM | {"AlarmActions": ["topic"]}, "Ref of a topic is its ARN"),
        (A, ALARM | {"Metrics": [{"Id": "a", "Expression": "1"}]}, "does not go with Metrics"),
        (
            A,
            {
                "EvaluationPeriods": 1,
                "Threshold": 1,
                "ComparisonOperator": "GreaterThanThreshold",
                "Metrics": [{"Id": x, "Expression": "1"} for x in "ab"],
            },
            "ReturnData: false",
        ),
        ("AWS::CloudWatch::Dashboard", {"DashboardBody": {"widgets": []}}, "JSON as text"),
        ("AWS::Budgets::Budget", {"Budget": {"BudgetType": "COST"}}, "lacks TimeUnit"),
        ("AWS::KMS::Alias", {"AliasName": "labs", "TargetKeyId": "k"}, "begin with alias/"),
    ],
)
def test_what_aws_or_the_labs_refuse_is_told(
    type: str, properties: dict[str, Any], words: str
) -> None:
    found = problems(type, properties)
    assert any(words in str(problem) for problem in found), [str(problem) for problem in found]
    assert all(problem.line is not None for problem in found)


@pytest.mark.parametrize(
    ("type", "words"),
    [
        ("AWS::SQS::Queu", "Did you mean AWS::SQS::Queue?"),
        ("AWS::Serverless::Function", "Serverless Application Model"),
        ("AWS::CloudFormation::WaitConditionHandle", "without nesting, waiting"),
        ("Custom::Thing", "custom resources"),
        ("My::Own::Part::MODULE", "a template of its own"),
        ("AWS::EC2::Instanze", "no resource type"),
    ],
)
def test_other_types_are_refused_by_name(type: str, words: str) -> None:
    (problem,) = problems(type, {})
    assert words in problem.sentence
    assert type in problem.sentence


KEPT = {
    "Rule": ("AWS::Events::Rule", {"ScheduleExpression": "rate(1 day)", "Novelty": 1}),
    "Totals": (
        "AWS::Lambda::Function",
        {**FUNCTION, "Environment": {"Variables": {"RULE": {"Fn::GetAtt": "Rule.Arn"}}}},
    ),
}


def test_types_that_are_published_and_not_played_are_kept() -> None:
    stack = stack_of(KEPT)
    assert not stack.unplayed and not any(one.unplayed for one in stack.resources.values())
    variables = stack.resources["Totals"].properties["Environment"]["Variables"]
    assert variables["RULE"] == stack.resources["Rule"].attributes["Arn"]


def test_only_what_depends_on_the_unplayed_is_blocked() -> None:
    own = ("Custom::Thing", {"ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:f"})
    kinesis = {**MAPPING, "EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}
    beside = {
        **ONE_OF_EACH,
        "Own": own,
        "Other": ("AWS::Lambda::EventSourceMapping", kinesis),
        "Pager": ("AWS::SNS::Topic", {"TopicName": {"Fn::GetAtt": "Own.Text"}}),
        "Second": ("AWS::CloudWatch::Alarm", {**ALARM, "AlarmActions": [{"Ref": "Pager"}]}),
    }
    played = stack_of(beside).playable()
    assert set(ONE_OF_EACH) <= set(played.resources)
    assert not {"Own", "Other", "Pager", "Second"} & set(played.resources)
    function, role = {**FUNCTION}, {"Fn::GetAtt": "Own.Role"}
    blocked = {
        **ONE_OF_EACH,
        "Own": own,
        "Totals": ("AWS::Lambda::Function", {**function, "Role": role}),
    }
    with pytest.raises(TemplateProblems) as caught:
        stack_of(blocked).playable()
    assert {one.kind for one in caught.value.problems} == {"unplayed"}


def test_a_problem_points_at_its_own_line() -> None:
    text = """\
Resources:
  Map:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: f
      EventSourceArn: arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026
      StartingPosition: TRIM_HORIZON
      DestinationConfig:
        OnFailure:
          Destination: !Sub "not-an-arn"
"""
    with pytest.raises(TemplateProblems) as caught:
        template.resolve(text)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (10, 11)
    assert problem.sentence.startswith("Map.DestinationConfig.OnFailure.Destination is ")


# -- what is right ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {"Action": "SNS:Publish"},
        {"Action": ["sns:publish", "sns:Subscribe", "SNS:Receive"]},
        {"NotAction": "sns:DeleteTopic"},
    ],
)
def test_a_topics_policy_names_its_actions_in_any_case(said: dict[str, Any]) -> None:
    for statement in (said, [said], [said, said]):
        document = {"Statement": statement}
        one("AWS::SNS::TopicPolicy", {"PolicyDocument": document, "Topics": [TOPIC]})


def test_values_become_the_types_that_aws_declares() -> None:
    queue = one(Q, {"DelaySeconds": "5", "FifoQueue": "true", "QueueName": "1.fifo"})
    assert queue.properties == {"DelaySeconds": 5, "FifoQueue": True, "QueueName": "1.fifo"}
    variables = {"AA": 1, "BB": 1.5, "CC": True}
    function = one(F, FUNCTION | {"Environment": {"Variables": variables}})
    assert function.properties["Environment"]["Variables"] == {"AA": "1", "BB": "1.5", "CC": "true"}


def test_policies_may_be_json_text() -> None:
    role = one("AWS::IAM::Role", {"AssumeRolePolicyDocument": json.dumps(POLICY)})
    assert role.properties["AssumeRolePolicyDocument"] == POLICY


@pytest.mark.parametrize(
    "code", [".", "src/", {"ZipFile": "def handler(e, c): ..."}, {"S3Bucket": "b", "S3Key": "k"}]
)
def test_code_is_kept_as_it_is_written(code: Any) -> None:
    assert one(F, FUNCTION | {"Code": code}).properties["Code"] == code


@pytest.mark.parametrize("runtime", ["python3.14", "python3.11", "python3.10", "python3.8"])
def test_a_runtime_is_accepted_as_long_as_aws_lets_functions_be_created(runtime: str) -> None:
    one(F, FUNCTION | {"Runtime": runtime})


def test_the_powertools_layer_is_accepted() -> None:
    layer = (
        "arn:aws:lambda:us-east-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-x86_64:7"
    )
    one(F, FUNCTION | {"Layers": [layer]})


def test_batch_size_above_ten_needs_no_window_for_a_stream() -> None:
    """AWS accepts BatchSize 100 with window 0 for DynamoDB; the rule is for queues.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html
    """
    one(M, MAP | {"BatchSize": 100, "MaximumBatchingWindowInSeconds": 0})


def test_every_destination_of_a_mapping_is_accepted() -> None:
    for destination in (
        "arn:aws:sqs:us-east-1:123456789012:q",
        "arn:aws:sns:us-east-1:123456789012:t",
        "arn:aws:s3:::bucket",
        "",
    ):
        one(M, MAP | {"DestinationConfig": {"OnFailure": {"Destination": destination}}})


def test_indexes_and_provisioned_throughput() -> None:
    table = one(
        T,
        without(TABLE, "BillingMode")
        | {
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": "S"} for name in ("id", "at")
            ],
            "KeySchema": [
                {"AttributeName": "id", "KeyType": "HASH"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            "ProvisionedThroughput": THROUGHPUT,
            "GlobalSecondaryIndexes": [INDEX | {"ProvisionedThroughput": THROUGHPUT}],
        },
    )
    assert table.properties["ProvisionedThroughput"] == THROUGHPUT


def test_every_property_says_what_the_labs_make_of_it() -> None:
    table = list(template.support())
    assert {entry.type for entry in table} == set(RESOURCE_TYPES)
    assert {entry.use for entry in table} == {"emulated", "harmless", "refused"}
    assert all(entry.note for entry in table if entry.use == "refused")


# -- against the published schemas -----------------------------------------------------------


def test_the_committed_tables_are_those_of_the_published_schemas() -> None:
    root = Path(__file__).parents[3]
    for name, text in (
        (schemas.SCHEMAS, schemas.schemas_table()),
        (schemas.TYPES, schemas.types_table()),
    ):
        assert (root / name).read_text(encoding="utf-8") == text, f"run labs dev sync: {name}"


@pytest.mark.parametrize(
    ("type", "properties"),
    [
        ("AWS::DynamoDB::Table", TABLE | {"OnDemandThroughput": {"MaxWriteRequestUnits": 500}}),
        ("AWS::DynamoDB::Table", TABLE | {"WarmThroughput": {"WriteUnitsPerSecond": 4000}}),
        (
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": POLICY,
                "PermissionsBoundary": "arn:aws:iam::123456789012:policy/everybody",
            },
        ),
    ],
)
def test_what_no_criterion_needs_is_kept(type: str, properties: dict[str, Any]) -> None:
    resource = one(type, properties)
    assert not resource.unplayed
    assert resource.properties == properties


def _paths(shape: Shape | Field, path: str) -> Iterator[str]:
    shape = as_field(shape).shape
    shape = shape.shape if isinstance(shape, JsonOf) else shape
    if isinstance(shape, ListOf):
        yield from _paths(shape.item, path)
    elif isinstance(shape, Struct):
        for name, inner in shape.fields.items():
            here = f"{path}.{name}".lstrip(".")
            yield here
            yield from _paths(inner, here)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.type)
def test_what_is_said_by_hand_is_said_of_something_that_is_published(kind: Kind) -> None:
    hand = kind.hand
    bare = ByHand(played=" ".join(schema_of(kind.type)["properties"]))
    there = {"", *_paths(shape_of(kind.type, bare), "")}
    said = [*hand.played.split(), *hand.kept, *hand.refused, *hand.shapes, *hand.rules]
    assert not set(said) - there
    assert not set(hand.kept) & {*hand.refused, *hand.played.split()}
    assert not {one for one in kind.attributes if one not in schema_of(kind.type)["attributes"]} - {
        # Documented attributes that the schemas do not list as read-only.
        *("TopicName", "TopicArn", "QueueName", "QueueUrl"),
    }


def test_ranges_and_choices_come_from_the_schema() -> None:
    mapping = KINDS["AWS::Lambda::EventSourceMapping"].fields
    assert as_field(mapping["ParallelizationFactor"]).shape == Whole(1, 10)
    assert as_field(mapping["MaximumRetryAttempts"]).shape == Whole(-1, 10_000)
    billing = as_field(KINDS["AWS::DynamoDB::Table"].fields["BillingMode"]).shape
    assert isinstance(billing, Text) and set(billing.choices) == {"PAY_PER_REQUEST", "PROVISIONED"}
