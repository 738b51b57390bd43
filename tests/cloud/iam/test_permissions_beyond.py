"""Calls of services beyond the account ask for their action on what they touch."""

from __future__ import annotations

from typing import Any

import pytest

from grader.cloud.iam import PolicyDocument, denied, policy

HERE = "us-east-1:123456789012"


def role(*statements: dict[str, Any]) -> list[PolicyDocument]:
    return [policy("Role", {"Version": "2012-10-17", "Statement": list(statements)})]


def allow(action: str, resource: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def asked(statements: list[PolicyDocument], action: str, params: dict[str, Any]) -> str | None:
    return denied(statements, action, params, "123456789012", "us-east-1")


BUS = {"Entries": [{"EventBusName": "shop"}]}
MACHINE = f"arn:aws:states:{HERE}:stateMachine:Path"

# action, the resource that a policy names, the call, whether AWS lets it through
CALLS: list[tuple[str, str, dict[str, Any], bool]] = [
    ("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/shop", BUS, True),
    ("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/other", BUS, False),
    ("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/default", {"Entries": [{}]}, True),
    ("events:PutEvents", f"arn:aws:events:{HERE}:event-bus/shop", {"Entries": [{}]}, False),
    ("kinesis:PutRecord", f"arn:aws:kinesis:{HERE}:stream/a*", {"StreamName": "ab"}, True),
    ("kinesis:PutRecords", f"arn:aws:kinesis:{HERE}:stream/a", {"StreamName": "ab"}, False),
    (
        "kinesis:PutRecord",
        f"arn:aws:kinesis:{HERE}:stream/a",
        {"StreamARN": f"arn:aws:kinesis:{HERE}:stream/a"},
        True,
    ),
    (
        "firehose:PutRecord",
        f"arn:aws:firehose:{HERE}:deliverystream/a",
        {"DeliveryStreamName": "b"},
        False,
    ),
    ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f", {"FunctionName": "f"}, True),
    ("lambda:InvokeFunction", f"arn:aws:lambda:{HERE}:function:f", {"FunctionName": "f:1"}, False),
    (
        "lambda:InvokeFunction",
        f"arn:aws:lambda:{HERE}:function:f:*",
        {"FunctionName": f"arn:aws:lambda:{HERE}:function:f", "Qualifier": "live"},
        True,
    ),
    (
        "secretsmanager:GetSecretValue",
        f"arn:aws:secretsmanager:{HERE}:secret:key-??????",
        {"SecretId": "key"},
        True,
    ),
    (
        "secretsmanager:GetSecretValue",
        f"arn:aws:secretsmanager:{HERE}:secret:db-secret-??????",
        {"SecretId": "db-secret"},
        True,
    ),
    (
        "secretsmanager:GetSecretValue",
        f"arn:aws:secretsmanager:{HERE}:secret:key-a1B2c3",
        {"SecretId": "key"},
        True,
    ),
    (
        "secretsmanager:GetSecretValue",
        f"arn:aws:secretsmanager:{HERE}:secret:key",
        {"SecretId": "key"},
        False,
    ),
    ("ssm:GetParameter", f"arn:aws:ssm:{HERE}:parameter/a/b", {"Name": "/a/b"}, True),
    ("ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/a", {"Names": ["a", "b"]}, False),
    ("ssm:GetParametersByPath", f"arn:aws:ssm:{HERE}:parameter/a/*", {"Path": "/a"}, True),
    ("ssm:GetParametersByPath", f"arn:aws:ssm:{HERE}:parameter/b/*", {"Path": "/a"}, False),
    ("ses:SendEmail", f"arn:aws:ses:{HERE}:identity/b.org", {"Source": "A <a@b.org>"}, True),
    ("ses:SendEmail", f"arn:aws:ses:{HERE}:identity/c.org", {"Source": "a@b.org"}, False),
    ("states:StartExecution", MACHINE, {"stateMachineArn": MACHINE}, True),
    ("states:StartExecution", MACHINE, {"stateMachineArn": f"{MACHINE}2"}, False),
    ("xray:PutTraceSegments", "*", {}, True),
]


@pytest.mark.parametrize(("action", "resource", "params", "allowed"), CALLS)
def test_a_call_asks_for_its_resource(
    action: str, resource: str, params: dict[str, Any], allowed: bool
) -> None:
    """By the kind of resource that the service authorization reference names for the action."""
    told = asked(role(allow(action, resource)), action, params)
    assert (told is None) == allowed, told
    if told is not None:
        assert told.startswith(f"{action} on arn:aws:")


def test_what_is_not_judged_does_not_deny() -> None:
    """Conditions, and a resource that is no ARN of the kind, as names from elsewhere come out."""
    condition = {"StringEquals": {"cloudwatch:namespace": "a"}}
    bus = f"arn:aws:events:{HERE}:event-bus/shop"
    assert asked(role(allow("events:*", bus, Condition=condition)), "events:PutEvents", BUS) is None
    taken = allow("events:PutEvents", "arn:aws:lambda:us-east-1:123456789012:eventbusarn")
    assert asked(role(taken), "events:PutEvents", BUS) is None


def test_a_denial_wins_and_an_action_that_nothing_allows_is_named_alone() -> None:
    bus = f"arn:aws:events:{HERE}:event-bus/shop"
    deny = {"Effect": "Deny", "Action": "events:PutEvents", "Resource": bus}
    told = asked(role(allow("events:*", "*"), deny), "events:PutEvents", BUS)
    assert told == f"events:PutEvents on {bus}"
    assert asked(role(allow("s3:*", "*")), "events:PutEvents", BUS) == "events:PutEvents"
