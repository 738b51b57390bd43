"""IAM's decision: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "account"))

from account_stand_in import ACCOUNT, REGION, Resource, allow, deny, documents, role, stack

from grader.cloud import iam
from grader.cloud.iam import Need, PolicyRefused

TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Totals"


def allowed(
    *statements: dict[str, Any],
    action: str = "dynamodb:PutItem",
    resource: str = TABLE,
    context: Any = None,
) -> bool:
    return iam.evaluate(documents(*statements), action, resource, context).allowed


# -- evaluation ------------------------------------------------------------------------------


def test_without_an_allow_the_answer_is_no() -> None:
    verdict = iam.evaluate([], "dynamodb:PutItem", TABLE)
    assert not verdict.allowed
    assert verdict.statement is None
    assert verdict.reason == f"no policy allows dynamodb:PutItem on {TABLE}"


def test_a_deny_wins_wherever_it_stands() -> None:
    assert not allowed(allow("*"), deny("dynamodb:PutItem"))
    assert not allowed(deny("dynamodb:PutItem"), allow("*"))
    assert allowed(allow("*"), deny("dynamodb:PutItem", resource=f"{TABLE}2"))


def test_the_verdict_names_the_statement_that_decided() -> None:
    verdict = iam.evaluate(
        documents(allow("*", Sid="All"), deny("dynamodb:*", Sid="NoTables")),
        "dynamodb:PutItem",
        TABLE,
    )
    assert verdict.statement is not None
    assert verdict.statement.sid == "NoTables"
    assert "'NoTables' denies dynamodb:PutItem" in verdict.reason


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("dynamodb:PutItem", True),
        ("DynamoDB:putitem", True),
        ("dynamodb:Put*", True),
        ("dynamodb:*Item", True),
        ("dynamodb:PutIte?", True),
        ("dynamodb:PutItem?", False),
        ("*", True),
        ("d*:*", None),
        ("sqs:*", False),
        ("dynamodb:Get*", False),
    ],
)
def test_actions_match_without_regard_to_case(pattern: str, matches: bool | None) -> None:
    if matches is None:
        with pytest.raises(PolicyRefused, match="is no action"):
            allowed(allow(pattern))
    else:
        assert allowed(allow(pattern)) is matches


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (TABLE, True),
        ("*", True),
        (TABLE[:-1] + "?", True),
        (TABLE + "/index/*", False),
        (f"arn:aws:dynamodb:*:{ACCOUNT}:table/*", True),
        (f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/totals", False),
        (f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Total", False),
    ],
)
def test_resources_match_with_wildcards_and_with_regard_to_case(
    pattern: str, matches: bool
) -> None:
    assert allowed(allow("dynamodb:PutItem", resource=pattern)) is matches


def test_an_action_on_everything_is_allowed_only_by_everything() -> None:
    """ListStreams has no resource to name, so a statement on one table does not cover it."""
    narrow = allow("dynamodb:ListStreams", resource=f"{TABLE}/stream/*")
    assert not allowed(narrow, action="dynamodb:ListStreams", resource="*")
    assert allowed(allow("dynamodb:*"), action="dynamodb:ListStreams", resource="*")


def test_not_action_and_not_resource_turn_their_lists_around() -> None:
    but = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    assert allowed(but)
    assert not allowed(but, action="iam:PassRole")
    elsewhere = {"Effect": "Deny", "Action": "*", "NotResource": TABLE}
    assert allowed(allow("*"), elsewhere)
    assert not allowed(allow("*"), elsewhere, resource=f"{TABLE}2")


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"s3:ResourceAccount": ACCOUNT}}, {}, True),
        ({"StringEquals": {"s3:resourceaccount": ["1", ACCOUNT]}}, {}, True),
        ({"StringEquals": {"s3:ResourceAccount": "1"}}, {}, False),
        ({"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}, {}, True),
        ({"StringLike": {"aws:RequestedRegion": "us-*"}}, {}, True),
        ({"StringEqualsIgnoreCase": {"aws:RequestedRegion": "US-EAST-1"}}, {}, True),
        ({"Bool": {"aws:SecureTransport": True}}, {}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, {}, False),
        (
            {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:t*"}},
            {"aws:SourceArn": "arn:aws:sns:r:1:topic"},
            True,
        ),
        (
            {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:*:topic"}},
            {"aws:SourceArn": "arn:aws:sns:r:1:topic"},
            False,
        ),
        (
            {"ArnNotLike": {"aws:SourceArn": "arn:aws:sns:*:*:t*"}},
            {"aws:SourceArn": "arn:aws:sns:r:1:topic"},
            False,
        ),
        ({"StringEquals": {"aws:SourceAccount": ACCOUNT}}, {}, False),
        ({"StringNotEquals": {"aws:SourceAccount": ACCOUNT}}, {}, True),
        ({"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}}, {}, True),
        ({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}, {"aws:SourceAccount": "2"}, False),
        ({"Null": {"aws:SourceAccount": "true"}}, {}, True),
        ({"Null": {"aws:SourceAccount": "false"}}, {}, False),
        (
            {
                "StringEquals": {"s3:ResourceAccount": ACCOUNT},
                "Bool": {"aws:SecureTransport": "false"},
            },
            {},
            False,
        ),
        ({}, {}, True),
    ],
)
def test_conditions(condition: Any, context: Any, holds: bool) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"""
    assert allowed(allow("*", Condition=condition), context=context) is holds


# -- what IAM refuses, and what is not known here --------------------------------------------


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"Version": "2012-10-18", "Statement": [allow("*")]}, "2012-10-17"),
        ({"Version": "2012-10-17"}, "no Statement"),
        ({"Statement": [{**allow("*"), "Effect": "allow"}]}, "spelled so"),
        ({"Statement": [{"Effect": "Allow", "Resource": "*"}]}, "Action or NotAction"),
        ({"Statement": [{"Effect": "Allow", "Action": "*"}]}, "Resource or NotResource"),
        ({"Statement": [allow("PutItem")]}, "service:Action"),
        ({"Statement": [allow("dynamodb.PutItem")]}, "service:Action"),
        ({"Statement": [allow("*", resource="Totals")]}, "write an ARN"),
        ({"Statement": [allow("*", resource="arn:aws:dynamodb")]}, "write an ARN"),
        ({"Statement": [allow()]}, "Action is empty"),
        ({"Statement": [allow("*", Conditions={})]}, "Conditions"),
        ({"Statements": [allow("*")]}, "Statements"),
        ({"Statement": [allow("*", Principal="*")]}, "takes no Principal"),
        ("text", "mapping"),
    ],
)
def test_a_document_that_iam_refuses_is_refused_with_a_sentence(document: Any, words: str) -> None:
    with pytest.raises(PolicyRefused, match=words) as refusal:
        iam.policy("R policy 'p'", document)
    assert refusal.value.code == "MalformedPolicyDocument"
    assert str(refusal.value).startswith("R policy 'p': ")


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        (allow("*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}), "IpAddress"),
        (
            allow("*", Condition={"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["a"]}}),
            "ForAllValues:StringEquals",
        ),
        (
            allow("*", Condition={"StringEquals": {"dynamodb:LeadingKeys": "a"}}),
            "dynamodb:LeadingKeys",
        ),
        (allow("*", resource="arn:aws:s3:::notes/${aws:username}/*"), "aws:username"),
        (
            allow(
                "*", Condition={"StringEquals": {"s3:ResourceAccount": "${aws:PrincipalAccount}"}}
            ),
            "aws:PrincipalAccount",
        ),
    ],
)
def test_what_is_not_known_here_is_refused_by_name(statement: Any, name: str) -> None:
    with pytest.raises(PolicyRefused) as refusal:
        documents(statement)
    assert refusal.value.code == "NotEmulated"
    assert name in refusal.value.message


# -- what a role may do ----------------------------------------------------------------------


def test_a_roles_policies_come_from_everywhere_a_template_can_put_them() -> None:
    def document(action: str) -> dict[str, Any]:
        return {"Version": "2012-10-17", "Statement": allow(action)}

    own = f"arn:aws:iam::{ACCOUNT}:policy/own"
    other = role("OtherRole", allow("s3:*"))
    totals = role(
        "TotalsRole",
        allow("dynamodb:PutItem"),
        ManagedPolicyArns=[
            "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
            own,
        ],
    )
    resources = [
        totals,
        other,
        Resource("Own", "AWS::IAM::ManagedPolicy", {"PolicyDocument": document("sqs:*")}, own),
        Resource(
            "Attached",
            "AWS::IAM::ManagedPolicy",
            {"PolicyDocument": document("sns:*"), "Roles": ["TotalsRole"]},
            f"{own}2",
        ),
        Resource(
            "Beside",
            "AWS::IAM::Policy",
            {"PolicyDocument": document("kms:*"), "Roles": ["TotalsRole"]},
            "b",
        ),
        Resource(
            "Single",
            "AWS::IAM::RolePolicy",
            {"PolicyDocument": document("ssm:*"), "RoleName": "TotalsRole"},
            "s",
        ),
    ]
    found = iam.documents(stack(*resources), totals)
    for action, expected in (
        ("dynamodb:PutItem", True),
        ("logs:PutLogEvents", True),
        ("sqs:SendMessage", True),
        ("sns:Publish", True),
        ("kms:Decrypt", True),
        ("ssm:GetParameter", True),
        ("s3:GetObject", False),
    ):
        assert iam.evaluate(found, action, "*").allowed is expected, action


def test_a_policy_error_says_where_it_stands() -> None:
    broken = role("TotalsRole", allow("dynamodb:PutItem"), allow("PutItem"))
    with pytest.raises(PolicyRefused) as refusal:
        iam.documents(stack(broken), broken)
    assert refusal.value.parameter == "Policies.0.PolicyDocument"
    assert refusal.value.logical_id == "TotalsRole"


def test_an_unknown_managed_policy_and_a_boundary_are_refused_by_name() -> None:
    arn = "arn:aws:iam::aws:policy/AmazonRedshiftFullAccess"
    with pytest.raises(PolicyRefused, match="AmazonRedshiftFullAccess"):
        one = role("R", ManagedPolicyArns=[arn])
        iam.documents(stack(one), one)
    with pytest.raises(PolicyRefused, match="PermissionsBoundary"):
        one = role("R", PermissionsBoundary=arn)
        iam.documents(stack(one), one)


def test_awss_execution_role_for_streams_reads_streams_and_writes_logs_only() -> None:
    found = [iam.managed("arn:aws:iam::aws:policy/service-role/AWSLambdaDynamoDBExecutionRole")]
    for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"):
        assert iam.evaluate(found, f"dynamodb:{action}", "*").allowed
    assert iam.evaluate(found, "logs:PutLogEvents", "*").allowed
    assert not iam.evaluate(found, "dynamodb:PutItem", TABLE).allowed
    assert not iam.evaluate(found, "sqs:SendMessage", "*").allowed


def test_the_managed_policies_agree_with_the_documents_that_moto_ships() -> None:
    """Every action of ours is in AWS's document; what ours leave out is about other services."""
    import json

    from moto.iam.aws_managed_policies import aws_managed_policies_data

    shipped = json.loads(aws_managed_policies_data)
    emulated = {"dynamodb", "sqs", "sns", "s3", "cloudwatch", "logs", "sts"}

    def granted(statements: Any, key: str) -> set[str]:
        found = set()
        for statement in statements:
            if "Condition" not in statement:
                values = statement.get(key, [])
                found |= {values} if isinstance(values, str) else set(values)
        return found

    for path, statements in iam.MANAGED_POLICIES.items():
        theirs = shipped[path.rpartition("/")[2]]["Document"]["Statement"]
        for key in ("Action", "NotAction"):
            ours, all_of_theirs = granted(statements, key), granted(theirs, key)
            assert ours <= all_of_theirs, path
            left_out = {action.partition(":")[0] for action in all_of_theirs - ours}
            kept = {"cloudwatch:GetInsightRuleReport"} & (all_of_theirs - ours)
            assert not (left_out & emulated) or kept, path


# -- wildcards ---------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None)
@given(
    st.text("ab:/*?", max_size=12),
    st.text("ab:/", max_size=14),
)
def test_wildcards_match_as_a_regular_expression_would(pattern: str, text: str) -> None:
    """``*`` is any run of characters, also an empty one and across colons; ``?`` is one."""
    parts = {"*": ".*", "?": "."}
    same = re.compile("".join(parts.get(one, re.escape(one)) for one in pattern), re.DOTALL)
    assert allowed(
        allow("*", resource=f"arn:aws:s3:::{pattern}"), resource=f"arn:aws:s3:::{text}"
    ) == (same.fullmatch(text) is not None)


@pytest.mark.parametrize(
    "statement",
    [
        allow("dynamodb:PutItem", resource="arn:aws:dynamodb:*:*:table/" + "*?" * 12 + "x"),
        allow("dynamodb:PutItem", resource="arn:aws:s3:::" + "?*a" * 400 + "!"),
        allow(*(f"dynamodb:{number}*?" for number in range(3_000))),
    ],
    ids=["twelve wildcards", "four hundred wildcards", "3,000 wildcard actions"],
)
def test_no_pattern_holds_anybody_up(statement: dict[str, Any]) -> None:
    """A hundred decisions about a long name take less than a second of CPU time."""
    began = time.process_time()
    for number in range(100):
        assert not allowed(statement, resource=f"{TABLE}{'a' * 900}{number}")
    assert time.process_time() - began < 1


# -- reading a stream --------------------------------------------------------------------------

STREAM = f"{TABLE}/stream/2026-11-02T08:00:00.000"
READ = ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream")


@pytest.mark.parametrize(
    ("resource", "reads"),
    [
        (STREAM, True),
        (f"{TABLE}/stream/*", True),
        ("*", True),
        (TABLE, False),
        (f"{TABLE}2/stream/*", False),
    ],
)
def test_a_mapping_takes_list_streams_on_the_stream_too(resource: str, reads: bool) -> None:
    """IAM lists no resource type for it, and AWS's own example names the stream's ARN."""
    granted = documents(
        allow(*READ, resource=STREAM), allow("dynamodb:ListStreams", resource=resource)
    )
    assert (iam.stream_denial(granted, STREAM) is None) == reads


def test_a_call_of_list_streams_by_code_needs_every_resource() -> None:
    (need,) = iam.needs("dynamodbstreams", "ListStreams", {})
    assert not allowed(
        allow("dynamodb:ListStreams", resource=f"{TABLE}/stream/*"),
        action=need.action,
        resource=need.resource_arn,
    )
    assert allowed(allow("dynamodb:ListStreams"), action=need.action, resource=need.resource_arn)


@pytest.mark.parametrize("name", ["AWSXrayWriteOnlyAccess", "AWSXRayDaemonWriteAccess"])
def test_the_policies_that_tracing_attaches_are_known(name: str) -> None:
    document = iam.managed(f"arn:aws:iam::aws:policy/{name}")
    assert iam.evaluate([document], "xray:PutTraceSegments", "*").allowed


def test_the_policy_that_sns_gives_every_topic_lets_its_owner_publish() -> None:
    """It asks for ``AWS:SourceOwner``."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "SNS:Publish",
        "Resource": topic,
        "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
    }
    own = iam.policy("topic", {"Statement": [statement]}, resource_policy=True)
    me = f"arn:aws:iam::{ACCOUNT}:role/R"
    assert iam.evaluate_request([], [own], me, "sns:Publish", topic).allowed


# -- trust -----------------------------------------------------------------------------------


def test_lambda_must_be_able_to_assume_the_role() -> None:
    assert iam.trust_problem(role("R", allow("*"))) is None
    wrong = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    problem = iam.trust_problem(role("R", AssumeRolePolicyDocument=wrong))
    assert problem == (
        "R AssumeRolePolicyDocument does not let lambda.amazonaws.com perform sts:AssumeRole."
    )
    missing = role("R")
    del missing.properties["AssumeRolePolicyDocument"]
    assert "missing" in str(iam.trust_problem(missing))


# -- resource policies -----------------------------------------------------------------------

ROLE = f"arn:aws:iam::{ACCOUNT}:role/TotalsRole"


def on_resource(effect: str, principal: Any) -> list[Any]:
    statement = {"Effect": effect, "Principal": principal, "Action": "sqs:*", "Resource": "*"}
    return [iam.policy("P", {"Statement": statement}, resource_policy=True)]


@pytest.mark.parametrize(
    ("identity", "policies", "caller", "expected"),
    [
        ((), on_resource("Allow", {"AWS": ROLE}), ROLE, True),
        ((), on_resource("Allow", "*"), ROLE, True),
        ((), on_resource("Allow", {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), ROLE, False),
        ((), on_resource("Allow", {"AWS": ROLE + "2"}), ROLE, False),
        ((allow("*"),), on_resource("Deny", "*"), ROLE, False),
        ((allow("*"),), on_resource("Deny", {"AWS": ACCOUNT}), ROLE, False),
        ((allow("*"),), on_resource("Deny", {"AWS": ROLE + "2"}), ROLE, True),
        ((), on_resource("Allow", {"Service": "sns.amazonaws.com"}), "sns.amazonaws.com", True),
        ((), on_resource("Allow", {"Service": "s3.amazonaws.com"}), "sns.amazonaws.com", False),
    ],
)
def test_a_resources_own_policy_counts_too(
    identity: Any, policies: Any, caller: str, expected: bool
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html"""
    own = documents(*identity) if identity else []
    verdict = iam.evaluate_request(own, policies, caller, "sqs:SendMessage", "*")
    assert verdict.allowed is expected


# -- what a call needs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "operation", "params", "expected"),
    [
        ("dynamodb", "PutItem", {"TableName": "Totals"}, [("dynamodb:PutItem", TABLE)]),
        ("dynamodb", "PutItem", {"TableName": TABLE}, [("dynamodb:PutItem", TABLE)]),
        (
            "dynamodb",
            "Query",
            {"TableName": "Totals", "IndexName": "by-day"},
            [("dynamodb:Query", f"{TABLE}/index/by-day")],
        ),
        (
            "dynamodb",
            "BatchWriteItem",
            {"RequestItems": {"Totals": [], "Other": []}},
            [
                ("dynamodb:BatchWriteItem", TABLE),
                ("dynamodb:BatchWriteItem", TABLE.replace("Totals", "Other")),
            ],
        ),
        (
            "dynamodb",
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Update": {"TableName": "Totals"}},
                    {"Put": {"TableName": "Totals"}},
                    {"Update": {"TableName": "Totals"}},
                    {"Delete": {"TableName": "Totals"}},
                    {"ConditionCheck": {"TableName": "Totals"}},
                ]
            },
            [
                ("dynamodb:UpdateItem", TABLE),
                ("dynamodb:PutItem", TABLE),
                ("dynamodb:DeleteItem", TABLE),
                ("dynamodb:ConditionCheckItem", TABLE),
            ],
        ),
        (
            "dynamodbstreams",
            "GetRecords",
            {"ShardIterator": f"{TABLE}/stream/x|1|abc"},
            [("dynamodb:GetRecords", f"{TABLE}/stream/x")],
        ),
        ("dynamodbstreams", "ListStreams", {}, [("dynamodb:ListStreams", "*")]),
        (
            "sqs",
            "SendMessageBatch",
            {"QueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/jobs"},
            [("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs")],
        ),
        (
            "sns",
            "Publish",
            {"TopicArn": "arn:aws:sns:us-east-1:1:t"},
            [("sns:Publish", "arn:aws:sns:us-east-1:1:t")],
        ),
        (
            "s3",
            "UploadPart",
            {"Bucket": "b", "Key": "k/1"},
            [("s3:PutObject", "arn:aws:s3:::b/k/1")],
        ),
        ("s3", "ListObjectsV2", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
        (
            "s3",
            "CopyObject",
            {"Bucket": "b", "Key": "k", "CopySource": "/a/x?versionId=1"},
            [("s3:GetObject", "arn:aws:s3:::a/x"), ("s3:PutObject", "arn:aws:s3:::b/k")],
        ),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "/g", "logStreamName": "s"},
            [("logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/g:log-stream:s")],
        ),
        ("cloudwatch", "PutMetricData", {"Namespace": "N"}, [("cloudwatch:PutMetricData", "*")]),
        ("sts", "GetCallerIdentity", {}, []),
    ],
)
def test_what_a_call_needs(
    service: str, operation: str, params: Any, expected: list[tuple[str, str]]
) -> None:
    needed = iam.needs(service, operation, params)
    assert needed == [Need(*one) for one in expected]


@pytest.mark.parametrize("suffix", [":*", ":log-stream:*", "*"])
def test_the_usual_ways_to_name_a_log_group_cover_its_streams(suffix: str) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html"""
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/totals"
    granted = documents(allow("logs:CreateLogStream", "logs:PutLogEvents", resource=group + suffix))
    for operation in ("CreateLogStream", "PutLogEvents"):
        params = {"logGroupName": "/aws/lambda/totals", "logStreamName": "2026/11/02/[$LATEST]a"}
        for need in iam.needs("logs", operation, params):
            assert iam.evaluate(granted, need.action, need.resource_arn).allowed
    bare = documents(allow("logs:PutLogEvents", resource=group))
    (need,) = iam.needs("logs", "PutLogEvents", params)
    assert not iam.evaluate(bare, need.action, need.resource_arn).allowed


def test_no_way_to_the_control_plane_is_on_the_list() -> None:
    listed = iam.allowed_operations()
    assert set(listed) == {
        "dynamodb",
        "dynamodbstreams",
        "sqs",
        "sns",
        "s3",
        "cloudwatch",
        "logs",
        "sts",
    }
    for operations in listed.values():
        for operation in operations - {
            "CreateLogGroup",
            "CreateLogStream",
            "CreateMultipartUpload",
        }:
            assert not operation.startswith(
                ("Create", "Update", "Set", "Add", "Remove", "Tag")
            ) or (operation in ("UpdateItem",))
            assert operation not in ("DeleteTable", "DeleteQueue", "DeleteTopic", "DeleteBucket")


def test_a_table_of_another_account_or_region_has_another_arn() -> None:
    (need,) = iam.needs(
        "dynamodb", "GetItem", {"TableName": "T"}, account_id="1", region="eu-west-1"
    )
    assert need.resource_arn == "arn:aws:dynamodb:eu-west-1:1:table/T"
