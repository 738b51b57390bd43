"""Whatever the template, `read` and `review` answer: there is never a traceback."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from grader.cloud.template import NoTemplate, read, root_of
from grader.cloud.template.sam import NotTranslated, expand
from grader.review.checklist import output, review

TEMPLATES = Path(__file__).parent / "templates"
TEXTS = {one.name: one.read_text(encoding="utf-8") for one in sorted(TEMPLATES.iterdir())}
# What a value may be replaced by.
ODD = (
    *("null", "[]", "{}", "-1", "1e400", "0x10", "'${A.B.C}'", "!Ref Nobody", "!Ref AWS::NoValue"),
    *("!GetAtt Mapping.Arn", "!GetAtt [Table, StreamArn]", "!Sub '${Table.Arn}${Function}'", "*"),
    *("!If [No, 1, 2]", "!Select [9, [a]]", "!FindInMap [A, B, C]", "!Split [',', !Ref X]", "yes"),
    *("{'Fn::If': [IsOpen, {a: 1}]}", "!Join ['', [!Ref A, [b]]]", "[[[]]]", "{Ref: [1]}", "''"),
    *("!ImportValue {a: b}", "{'Fn::Transform': {Name: X}}", "!Base64 a", "!And [1]", "~", "\ue000"),
)  # fmt: skip


def ask(text: str) -> None:
    try:
        stack = read(text)
    except NoTemplate as error:
        assert str(error).endswith(".")
        return
    report = review(stack)
    output.json_text(report, remarks=stack.problems)
    for result in report.results:
        assert result.detail and "\ue000" not in result.detail


def spoilt(text: str, seed: int) -> str:
    """The text with a few lines dropped, doubled, or with another value."""
    chance = random.Random(seed)
    lines = text.splitlines()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        head, colon, _ = lines[at].partition(": ")
        kind = chance.randrange(4)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, lines[at])
        elif colon:
            comma = "," if lines[at].rstrip().endswith(",") else ""
            lines[at] = f"{head}: {chance.choice(ODD)}{comma}"
        if not lines:
            return ""
    return "\n".join(lines)


@pytest.mark.parametrize("name", TEXTS)
def test_a_spoilt_template_is_still_answered(name: str) -> None:
    for seed in range(12):
        ask(spoilt(TEXTS[name], seed))


@pytest.mark.parametrize("seed", range(6))
def test_a_spoilt_sam_template_is_translated_or_refused_with_a_sentence(seed: int) -> None:
    text = spoilt(TEXTS["sam.yaml"], seed + 100)
    try:
        root, _ = root_of(text, "template.yaml")
        expand(root, "template.yaml")
    except (NoTemplate, NotTranslated) as error:
        assert str(error)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["arn:aws:dynamodb:us-east-1:1:table/t/stream/x", "TRIM_HORIZON", "*"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["Ref", "Fn::GetAtt", "Fn::Sub", "Fn::If", "Fn::Join", "Statement", "Effect", "Action",
             "Resource", "Name", "Value", "Metric", "MetricStat", "Pattern", "Filters", "a"]
        ),
        inner,
        max_size=3,
    ),
    max_leaves=6,
)  # fmt: skip
PROPERTIES = {
    "AWS::Lambda::EventSourceMapping": (
        *("StartingPosition", "FilterCriteria", "DestinationConfig", "MetricsConfig", "BatchSize"),
        *("MaximumRetryAttempts", "FunctionResponseTypes", "FunctionName", "ParallelizationFactor"),
    ),
    "AWS::Lambda::Function": ("Role", "Timeout", "Runtime", "LoggingConfig", "Tags", "FunctionName"),
    "AWS::IAM::Role": ("Policies", "ManagedPolicyArns", "RoleName", "PermissionsBoundary"),
    "AWS::CloudWatch::Alarm": ("Metrics", "Dimensions", "MetricName", "Threshold", "AlarmActions"),
    "AWS::DynamoDB::Table": ("StreamSpecification", "TableName", "PointInTimeRecoverySpecification"),
    "AWS::DynamoDB::GlobalTable": ("Replicas", "StreamSpecification", "TableName"),
}  # fmt: skip


@given(st.data())
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_odd_properties_are_answered(data: st.DataObject) -> None:
    """Properties of any shape, around a mapping that does read a table's stream."""

    resources = {}
    for number, (type, names) in enumerate(PROPERTIES.items()):
        chosen = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=4))
        properties = {name: data.draw(VALUES) for name in chosen}
        resources[f"R{number}"] = {"Type": type, "Properties": properties}
    mapping = resources["R0"]["Properties"]
    mapping["EventSourceArn"] = {
        "Fn::GetAtt": [data.draw(st.sampled_from(["R4", "R5"])), "StreamArn"]
    }
    mapping.setdefault("FunctionName", {"Ref": "R1"})
    resources["R1"]["Properties"].setdefault("Role", {"Fn::GetAtt": ["R2", "Arn"]})
    ask(json.dumps({"Resources": resources}).replace("NaN", "1").replace("Infinity", "1"))


def test_names_built_from_names_do_not_fill_the_memory() -> None:
    rows = ["Resources:", "  T0: {Type: AWS::DynamoDB::Table, Properties: {TableName: aaaaaaaaaa}}"]
    for number in range(1, 200):
        name = f"${{T{number - 1}}}${{T{number - 1}}}"
        rows.append(
            f"  T{number}: {{Type: AWS::DynamoDB::Table, Properties: {{TableName: !Sub '{name}'}}}}"
        )
    ask("\n".join(rows))


def test_a_circle_of_references_is_no_obstacle() -> None:
    text = TEXTS["bad.yaml"].replace("AssumeRolePolicyDocument: {}", "RoleName: !Ref Function")
    ask(text.replace("Handler: index.handler", "FunctionName: !Ref Role"))
