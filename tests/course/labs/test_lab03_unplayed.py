"""Lab 3: an alarm that AWS takes and the labs cannot play is told as that, and decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grader.course import judge, lab
from grader.course.files import write_files

INSIGHTS = """      Metrics:
        - Id: late
          Period: 60
          Expression: SELECT MAX(IteratorAge) FROM SCHEMA("AWS/Lambda", FunctionName)
"""
STATIC = """      Namespace: AWS/Lambda
      MetricName: IteratorAge
      Dimensions:
        - Name: FunctionName
          Value: !Ref TotalsFunction
      Statistic: Maximum
      Period: 60
"""


def test_an_alarm_on_a_metrics_insights_query_is_taken_and_not_played(
    tmp_path: Path, nursery: Any
) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-alarms.html"""
    chosen = lab.find("3")
    files = {name: (chosen.solution / name).read_bytes() for name in chosen.editable}
    text = files["template.yaml"].decode()
    assert STATIC in text
    files["template.yaml"] = text.replace(STATIC, INSIGHTS).encode()
    write_files(tmp_path / "lab", files)

    grade = judge.grade(chosen, tmp_path / "lab", nursery=nursery)

    outcomes = {v.criterion.id: v.outcome for v in grade.verdicts}
    unreached = {name for name, outcome in outcomes.items() if outcome == "unreached"}
    sleeping = {f"sleeps-through-{which}" for which in ("burst", "blip", "night", "day")}
    assert unreached == {"pages-lag", "free-tier-alarms"} | sleeping
    assert set(outcomes.values()) == {"met", "unreached"}
    told = next(v.finding for v in grade.verdicts if v.criterion.id == "pages-lag")
    assert told is not None
    assert "AWS takes TotalsLate" in told.observed
