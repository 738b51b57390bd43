"""What AWS takes and no criterion needs costs no point; what cannot be played ends only what needs it."""

from __future__ import annotations

import shutil
import sys
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


STATEMENT = '[{"Statement": "SELECT * FROM rates"}]'
IN_A_RECORD, IN_A_BATCH = "            count(record)\n", "    failures = []\n"
# Nothing that a failing batch could decide, whatever its filter and its role are like.
STANDS = {"start-position", "shard-moves-on", "filter-quiet", "filter-complete", "role-tight"}


@pytest.mark.parametrize(
    ("call", "place", "operation"),
    [
        ('execute_statement(Statement="SELECT * FROM rates")', IN_A_RECORD, "ExecuteStatement"),
        (f"batch_execute_statement(Statements={STATEMENT})", IN_A_BATCH, "BatchExecuteStatement"),
        (f"execute_transaction(TransactStatements={STATEMENT})", IN_A_BATCH, "ExecuteTransaction"),
    ],
)
def test_a_call_that_is_not_played_leaves_what_is_behind_it_undecided(
    tmp_path: Path, nursery: Nursery, call: str, place: str, operation: str
) -> None:
    """Also what would be met because every record fails, such as bad ones that leave a note."""
    call = f"dynamodb.{call}"
    indent = place[: len(place) - len(place.lstrip())]
    graded = with_handler(tmp_path / "lab", nursery, place, f"{indent}{call}\n{place}")
    found = outcomes(graded)
    assert set(found.values()) == {"unreached"}
    assert {one.criterion.id for one in graded.verdicts} - set(found) == STANDS
    told = next(one.finding for one in graded.verdicts if one.finding is not None)
    assert f"cannot call dynamodb:{operation}" in told.observed
    assert "AWS takes this call; the labs cannot play it" in told.why
    assert call in told.where


def test_who_goes_on_without_the_answer_is_judged(tmp_path: Path, nursery: Nursery) -> None:
    """Only that the role suffices for the call cannot be said."""
    aside = """\
            try:
                dynamodb.execute_statement(Statement="SELECT * FROM rates")
            except Exception:
                log.warning("no rates")
"""
    graded = with_handler(tmp_path / "lab", nursery, IN_A_RECORD, aside + IN_A_RECORD)
    assert outcomes(graded) == {"role-sufficient": "unreached"}


def with_handler(place: Path, nursery: Nursery, there: str, instead: str) -> Grade:
    """Grade lab 2's solution with a part of its handler replaced."""
    chosen = lab.find("2")
    shutil.copytree(chosen.solution, place, ignore=shutil.ignore_patterns("NOTES.md"))
    code = (place / "handler.py").read_text(encoding="utf-8")
    assert there in code
    (place / "handler.py").write_text(code.replace(there, instead), encoding="utf-8")
    return judge.grade(chosen, place, nursery=nursery)


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


# What the next version of Python has added to its grammar.
ADDED = {(3, 12): "type Cents = int", (3, 13): "class Box[T = int]: pass", (3, 14): 'PAGE = t"{1}"'}
NEXT = (3, sys.version_info[1] + 1)
on_the_newest = pytest.mark.skipif(NEXT not in ADDED, reason="there is no newer syntax than here")


def with_newer_syntax(place: Path, nursery: Nursery, number: int, file: str, runtime: str) -> Grade:
    """Grade a lab's solution with a line in a file that this Python cannot read."""
    chosen = lab.find(str(number))
    shutil.copytree(chosen.solution, place, ignore=shutil.ignore_patterns("NOTES.md"))
    for name, edit in (
        (file, lambda text: f"{ADDED[NEXT]}\n{text}"),
        ("template.yaml", lambda text: text.replace("python3.13", runtime)),
    ):
        text = (place / name).read_text(encoding="utf-8")
        (place / name).write_text(edit(text), encoding="utf-8")
    return judge.grade(chosen, place, nursery=nursery)


@on_the_newest
@pytest.mark.parametrize(
    ("number", "file"), [(1, "reader.py"), (2, "handler.py"), (4, "redrive.py")]
)
def test_a_module_that_only_a_newer_python_reads_is_nobodys_mistake(
    tmp_path: Path, nursery: Nursery, number: int, file: str
) -> None:
    runtime = f"python3.{NEXT[1]}"
    graded = with_newer_syntax(tmp_path / "lab", nursery, number, file, runtime)
    found = outcomes(graded)
    assert found and set(found.values()) == {"unreached"}
    assert any(one.outcome == "met" for one in graded.verdicts)
    told = [one.finding for one in graded.verdicts if one.finding is not None]
    assert all("AWS takes this; the labs cannot play it" in one.why for one in told)
    here = f"on Python 3.{NEXT[1] - 1}, which cannot read it"
    assert all(here in one.observed and ADDED[NEXT] in one.where for one in told), told


@on_the_newest
def test_syntax_that_the_runtime_does_not_read_either_is_a_mistake(
    tmp_path: Path, nursery: Nursery
) -> None:
    runtime = f"python3.{NEXT[1] - 1}"
    found = outcomes(with_newer_syntax(tmp_path / "lab", nursery, 2, "handler.py", runtime))
    assert "unmet" in found.values()
