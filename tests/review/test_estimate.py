"""What `labs cost` computes out of a template, line by line, against arithmetic by hand."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from grader.cloud import template
from grader.desk import cli
from grader.review import estimate, pricing
from grader.review.estimate import Traffic

PRICES = pricing.load()
SOLUTIONS = Path(__file__).parents[2] / "solutions"


def _stack(name: str) -> Any:
    return template.resolve((SOLUTIONS / name / "template.yaml").read_text("utf-8"))


def _of(text: str, traffic: Traffic, **options: Any) -> estimate.Estimate:
    head = 'AWSTemplateFormatVersion: "2010-09-09"\nResources:\n'
    return estimate.estimate(template.resolve(head + text), traffic, PRICES, **options)


TABLE = """
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: {mode}
      AttributeDefinitions: [{{AttributeName: id, AttributeType: S}}]
      KeySchema: [{{AttributeName: id, KeyType: HASH}}]
      StreamSpecification: {{StreamViewType: NEW_IMAGE}}
      {more}
"""


def test_on_demand_writes_are_units_of_started_kilobytes() -> None:
    """10 a second for 2,592,000 s, 1,500 bytes each: 51.84 M units, 32.40 dollars."""
    made = _of(TABLE.format(mode="PAY_PER_REQUEST", more=""), Traffic(10, item_bytes=1500))
    line = made.bill.line("dynamodb_write_requests")
    assert line.amount == 51_840_000
    assert line.cost == Decimal("32.4")


def test_provisioned_capacity_is_billed_by_the_hour_and_25_units_are_free() -> None:
    """30 WCU: 5 x 720 h x 0.00065 = 2.34 dollars, whatever is written."""
    more = "ProvisionedThroughput: {ReadCapacityUnits: 5, WriteCapacityUnits: 30}"
    made = _of(TABLE.format(mode="PROVISIONED", more=more), Traffic(10))
    assert made.bill.line("dynamodb_wcu_hours").cost == Decimal("2.34")
    assert made.bill.line("dynamodb_rcu_hours").cost == 0
    assert "dynamodb_write_requests" not in {line.item for line in made.bill.lines}


def test_a_stack_with_a_trigger_pays_for_calls_writes_and_logs() -> None:
    """Lab 2's solution at 20 a second: four polls a second find something."""
    made = estimate.estimate(_stack("02-lambda-triggers"), Traffic(20), PRICES)
    calls = made.bill.line("lambda_requests").amount
    assert abs(calls - 4 * 2_592_000) < 10_000
    # A unit for each order and four for each of its records.
    assert made.bill.line("dynamodb_write_requests").amount == 5 * 20 * 2_592_000
    assert made.bill.line("stream_reads_by_lambda").cost == 0
    assert abs(made.bill.line("logs_ingested_gb").amount - calls * 600 / 2**30) < Decimal("0.001")


def test_what_the_filter_drops_invokes_and_writes_nothing() -> None:
    whole = estimate.estimate(_stack("02-lambda-triggers"), Traffic(2), PRICES)
    half = estimate.estimate(_stack("02-lambda-triggers"), Traffic(2, passing=0.5), PRICES)
    none = estimate.estimate(_stack("02-lambda-triggers"), Traffic(2, passing=0), PRICES)
    requests = [one.bill.line("lambda_requests").amount for one in (whole, half)]
    assert requests[1] < requests[0]
    assert "lambda_requests" not in {line.item for line in none.bill.lines}
    assert none.bill.line("dynamodb_write_requests").amount == 2 * 2_592_000


def test_alarms_and_dashboards_of_lab_3_lie_within_the_free_quotas() -> None:
    made = estimate.estimate(_stack("03-monitoring"), Traffic(0), PRICES)
    assert made.bill.line("alarms").amount == 5
    assert made.bill.line("alarms").cost == made.bill.line("dashboards").cost == 0
    assert estimate.estimate(_stack("03-monitoring"), Traffic(0), PRICES, free=False).bill.line(
        "alarms"
    ).cost == Decimal("0.5")


def test_a_log_kept_for_ever_and_a_function_that_falls_behind_are_named() -> None:
    starter = Path(__file__).parents[2] / "labs/05-cost/template.yaml"
    stack = template.resolve(starter.read_text("utf-8"))
    made = estimate.estimate(stack, Traffic(500), PRICES)
    assert any("kept for ever" in note for note in made.notes)
    assert any("does not keep up" in note for note in made.notes)


def test_what_has_no_price_is_named_and_not_left_out_silently() -> None:
    made = _of("\n  Heap:\n    Type: AWS::S3::Bucket\n", Traffic())
    assert "Heap (AWS::S3::Bucket) has no price here: it is not in this estimate." in made.notes


def test_a_part_of_a_month_is_spoken_of() -> None:
    """Every estimate is for 30 days, and says what a shorter life of the stack pays."""
    assert any("stands for a part of it" in note for note in _of(_dashboard(1), Traffic()).notes)


def test_a_table_for_infrequent_access_pays_more_to_write_and_less_to_store() -> None:
    """25 % more a write, 60 % less a GB, and none of it is always free."""
    here = "PAY_PER_REQUEST"
    standard = _of(TABLE.format(mode=here, more=""), Traffic(10)).bill
    rare = _of(
        TABLE.format(mode=here, more="TableClass: STANDARD_INFREQUENT_ACCESS"), Traffic(10)
    ).bill
    writes, stored = rare.line("dynamodb_ia_write_requests"), rare.line("dynamodb_ia_storage_gb")
    assert writes.cost == standard.line("dynamodb_write_requests").cost * Decimal("1.25")
    assert stored.full_cost == standard.line("dynamodb_storage_gb").full_cost * Decimal("0.4")
    assert stored.free_amount == 0


def _dashboard(count: int, expression: str = "") -> str:
    rows: list[Any] = [["Shop", f"m{number}"] for number in range(count)]
    if expression:
        rows.append([{"expression": expression, "id": "e1"}])
    widget = {
        **{"type": "metric", "x": 0, "y": 0, "width": 6, "height": 6},
        "properties": {"region": "us-east-1", "metrics": rows, "view": "timeSeries"},
    }
    body = json.dumps(json.dumps({"widgets": [widget]}))
    return f"""
  Board:
    Type: AWS::CloudWatch::Dashboard
    Properties:
      DashboardBody: {body}
"""


@pytest.mark.parametrize(("metrics", "dollars"), [(50, 0), (51, 3)])
def test_a_dashboard_of_more_than_fifty_metrics_is_never_free(metrics: int, dollars: int) -> None:
    assert _of(_dashboard(metrics), Traffic()).bill.total == dollars


def test_a_dashboard_that_searches_says_that_its_metrics_are_not_counted() -> None:
    made = _of(_dashboard(1, "SEARCH('{AWS/Lambda,FunctionName}', 'Sum', 60)"), Traffic())
    assert any("searches" in note for note in made.notes)


def test_messages_count_once_for_each_started_64_kb() -> None:
    text = "\n  Notes:\n    Type: AWS::SQS::Queue\n  Told:\n    Type: AWS::SNS::Topic\n"
    made = _of(text, Traffic(messages=100, message_bytes=65_537)).bill
    assert made.line("sqs_requests").amount == 600
    assert made.line("sns_publishes").amount == 200


def test_deliveries_of_a_topic_that_are_charged_apart_are_named() -> None:
    text = """
  Told:
    Type: AWS::SNS::Topic
    Properties:
      Subscription:
        - {Protocol: https, Endpoint: "https://example.com/"}
        - {Protocol: email, Endpoint: you@example.com}
"""
    notes = _of(text, Traffic()).notes
    assert any("deliveries by https are charged apart" in note for note in notes)


def test_logs_above_ten_terabytes_are_priced_at_most_and_say_so() -> None:
    line = pricing.bill({"logs_ingested_gb": 10_241}, PRICES).line("logs_ingested_gb")
    assert "the highest it can be" in line.note


@pytest.mark.parametrize(
    "change",
    [
        {"passing": 1.5},
        {"record_ms": -1},
        {"item_bytes": 0},
        {"writes_per_second": math.inf},
        {"call_ms": math.nan},
    ],
)
def test_traffic_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Traffic(**change)


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["cost", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_prints_a_bill_with_its_total(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(
        capsys, "3", "--path", str(SOLUTIONS / "03-monitoring"), "--writes-per-second", "20"
    )
    assert code == 0
    assert "a month at 20 writes a second" in out
    assert "This would be charged: DynamoDB on-demand writes $162.00" in out
    assert all(len(line) <= 80 for line in out.splitlines())


def test_the_command_prints_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    place = str(SOLUTIONS / "05-cost")
    code, out, _ = _run(capsys, "5", "--path", place, "--json", "--no-free")
    document = json.loads(out)
    assert code == 0
    assert (document["schema"], document["lab"]) == ("labs/cost/v1", 5)
    assert document["total"] == document["without_free_quotas"] > 0
    assert document["traffic"]["writes_per_second"] == 1.0
    assert sum(line["cost"] for line in document["lines"]) == pytest.approx(
        document["total"], abs=1e-4
    )


def test_wrong_use_is_exit_2_and_a_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert (
        _run(capsys, "5", "--fill", "solution", "--path", str(tmp_path), "--passing", "101")[0] == 2
    )
    for name in ("handler.py", "tuning.toml"):
        (tmp_path / name).write_text("# nothing\n")
    (tmp_path / "template.yaml").write_text("Resources: {A: {Type: AWS::No::Such}}\n")
    code, out, err = _run(capsys, "5", "--path", str(tmp_path))
    assert (code, out) == (2, "")
    assert "cannot be deployed" in err and "Traceback" not in err


UNSURE = """
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Units: {Type: Number}
  Stage: {Type: String}
Conditions:
  Live: !Equals [!Ref Stage, live]
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PROVISIONED
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
      ProvisionedThroughput:
        ReadCapacityUnits: 30
        WriteCapacityUnits: !Ref Units
  Board:
    Type: AWS::CloudWatch::Dashboard
    Condition: Live
    Properties: {DashboardBody: "{}"}
  Reader:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Orders.StreamArn
      FunctionName: !ImportValue the-function
      StartingPosition: TRIM_HORIZON
  Else: {Type: AWS::Events::Rule, Properties: {ScheduleExpression: rate(1 hour)}}
"""


def test_what_cannot_be_known_has_its_reason_in_a_note(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A parameter, a condition, an import and an unknown type: the rest is estimated all the same."""
    for name in ("handler.py", "tuning.toml"):
        (tmp_path / name).write_text("# nothing\n")
    (tmp_path / "template.yaml").write_text(UNSURE)
    code, out, _ = _run(capsys, "5", "--path", str(tmp_path), "--json")
    document = json.loads(out)

    assert code == 0
    amounts = {line["item"]: line["amount"] for line in document["lines"]}
    assert amounts["dynamodb_rcu_hours"] > 0 and amounts["dashboards"] == 1
    assert "dynamodb_wcu_hours" not in amounts
    told = "\n".join(document["notes"])
    assert "line 18: WriteCapacityUnits of Orders is not known here" in told
    assert "line 19: whether Board exists depends on Live" in told
    assert "Reader: its function is not in this template" in told
    assert "Else (AWS::Events::Rule) has no price here" in told
