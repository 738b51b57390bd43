"""What AWS takes and no criterion needs costs no point; what cannot be played ends only what needs it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grader.cloud.function import Nursery
from grader.course import judge, lab
from grader.course.grade import Grade

RULE = """\
  Nightly:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 day)
      Targets: [{Id: one, Arn: !GetAtt TotalsFunction.Arn, Input: !GetAtt Setting.Value}]
  Setting:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Value: "{}"}
"""
OTHER_SOURCE = """\
  Clicks:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref TotalsFunction
      EventSourceArn: !Sub "arn:aws:kinesis:${AWS::Region}:${AWS::AccountId}:stream/clicks"
      StartingPosition: LATEST
      MaximumRetryAttempts: 3
"""
BOUNDARY = '      PermissionsBoundary: !Sub "arn:aws:iam::${AWS::AccountId}:policy/everybody"\n'
INSIGHTS = """\
  Insights:
    Type: AWS::CloudWatch::Alarm
    Properties:
      ComparisonOperator: GreaterThanThreshold
      EvaluationPeriods: 1
      Threshold: 1
      Metrics:
        - Id: q1
          Period: 60
          Expression: SELECT SUM(Errors) FROM "AWS/Lambda"
"""


def grade(
    place: Path, nursery: Nursery, number: int, edits: list[tuple[str, str]], more: str = ""
) -> Grade:
    """Grade a lab's solution with parts of its template replaced, and ``more`` resources."""
    chosen = lab.find(str(number))
    shutil.copytree(chosen.solution, place, ignore=shutil.ignore_patterns("NOTES.md"))
    text = (place / "template.yaml").read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    text = text.replace("Resources:\n", "Resources:\n" + more, 1)
    (place / "template.yaml").write_text(text, encoding="utf-8")
    return judge.grade(chosen, place, nursery=nursery)


def outcomes(graded: Grade) -> dict[str, str]:
    """Every criterion that is not met, with its outcome."""
    return {one.criterion.id: one.outcome for one in graded.verdicts if one.outcome != "met"}


@pytest.mark.parametrize(
    ("edits", "more"),
    [
        ([], RULE),
        ([], OTHER_SOURCE),
        ([("    Type: AWS::IAM::Role\n    Properties:\n",) * 2], ""),
    ],
    ids=["a rule and a setting", "a mapping of Kinesis", "a boundary and throughput"],
)
def test_what_no_criterion_needs_costs_nothing(
    tmp_path: Path, nursery: Nursery, edits: list[tuple[str, str]], more: str
) -> None:
    if edits:
        role = edits[0][0]
        table = "    Type: AWS::DynamoDB::Table\n    Properties:\n"
        warm = (
            "      WarmThroughput: {WriteUnitsPerSecond: 4000}\n"
            "      OnDemandThroughput: {MaxWriteRequestUnits: 9000}\n"
        )
        edits = [(role, role + BOUNDARY), (table, table + warm)]
    assert outcomes(grade(tmp_path / "lab", nursery, 2, edits, more)) == {}


def test_a_role_from_elsewhere_leaves_every_play_undecided_and_blames_nobody(
    tmp_path: Path, nursery: Nursery
) -> None:
    own = "  Own:\n    Type: Custom::Role\n    Properties: {ServiceToken: x}\n"
    edits = [("      Role: !GetAtt TotalsRole.Arn\n", "      Role: !GetAtt Own.Arn\n")]
    graded = grade(tmp_path / "lab", nursery, 2, edits, own)
    assert set(outcomes(graded).values()) == {"unreached"}
    told = next(one.finding for one in graded.verdicts if one.finding is not None)
    assert "AWS takes this; the labs cannot play it" in told.why
    assert "rolls" not in told.why


def test_a_call_that_is_not_played_leaves_what_is_behind_it_undecided(
    tmp_path: Path, nursery: Nursery
) -> None:
    place, chosen = tmp_path / "lab", lab.find("2")
    shutil.copytree(chosen.solution, place, ignore=shutil.ignore_patterns("NOTES.md"))
    code = (place / "handler.py").read_text(encoding="utf-8")
    call = 'dynamodb.execute_statement(Statement="SELECT * FROM rates")'
    code = code.replace(
        "            count(record)\n", f"            {call}\n            count(record)\n"
    )
    (place / "handler.py").write_text(code, encoding="utf-8")
    graded = judge.grade(chosen, place, nursery=nursery)
    found = outcomes(graded)
    assert found and set(found.values()) == {"unreached"}
    assert not {"start-position", "filter-quiet", "filter-complete", "role-tight"} & set(found)
    told = next(one.finding for one in graded.verdicts if one.finding is not None)
    assert "cannot call dynamodb:ExecuteStatement" in told.observed
    assert call in told.where


def test_a_budget_that_is_not_played_leaves_only_the_budget_undecided(
    tmp_path: Path, nursery: Nursery
) -> None:
    edits = [
        (
            "        CostTypes:\n          IncludeCredit: false\n",
            "        Metrics: [UnblendedCost]\n        FilterExpression:\n"
            "          Tags: {Key: team, Values: [shop]}\n",
        )
    ]
    found = outcomes(grade(tmp_path / "lab", nursery, 5, edits))
    assert found and set(found.values()) == {"unreached"}
    assert all("budget" in name or "bill" in name or "spend" in name for name in found), found


def test_an_alarm_that_is_not_played_leaves_what_does_not_ring_it(
    tmp_path: Path, nursery: Nursery
) -> None:
    graded = grade(tmp_path / "lab", nursery, 3, [], INSIGHTS)
    found = outcomes(graded)
    assert set(found.values()) <= {"unreached"}
    assert any(one.outcome == "met" for one in graded.verdicts)
