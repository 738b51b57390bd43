"""A mapping of a deployed alias: what it runs, and what an update of the stack changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grader.cloud import template
from grader.cloud.pipeline import Pipeline

SOURCE = Path(__file__).resolve().parents[2] / "solutions/06-production-checklist"
PUBLISHED = """
  TotalsVersion:
    Type: AWS::Lambda::Version
    Properties: {FunctionName: !Ref TotalsFunction}
  TotalsLive:
    Type: AWS::Lambda::Alias
    Properties:
      FunctionName: !Ref TotalsFunction
      FunctionVersion: !GetAtt TotalsVersion.Version
      Name: live
"""
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
ORDER = {"merchant": "acme", "id": "order#1", "kind": "order", "amount": 1250, "status": "placed"}


def test_a_mapping_of_an_alias_from_a_template_is_played(tmp_path: Path, nursery: Any) -> None:
    """The alias's function gets the record, and the mapping is shown with the alias's ARN."""
    text = (SOURCE / "template.yaml").read_text(encoding="utf-8")
    text = text.replace("\nResources:\n", f"\nResources:\n{PUBLISHED}", 1)
    mapped = "FunctionName: !Ref TotalsFunction\n      StartingPosition"
    assert text.count(mapped) == 1
    text = text.replace(mapped, "FunctionName: !Ref TotalsLive\n      StartingPosition")
    file = tmp_path / "template.yaml"
    file.write_text(text, encoding="utf-8")

    with Pipeline.deploy(file, code=SOURCE, nursery=nursery) as pipeline:
        pipeline.run_for(minutes=5)
        pipeline.put("Orders", ORDER)
        pipeline.run_for(minutes=1)
        (invocation,) = pipeline.invocations("TotalsFunction")
        assert invocation.result is not None and invocation.result.kind == "returned"
        assert pipeline.item("MerchantTotals", {"merchant": "acme"})["total"] == 1250  # type: ignore[index]
        shown = pipeline.update_mapping("OrdersToTotals", BatchSize=50)
        assert shown["FunctionArn"].endswith(":live")


def test_a_mapping_of_a_queue_is_told_of_its_source_and_not_of_a_stream() -> None:
    """A queue has no starting position: https://docs.aws.amazon.com/lambda/latest/api/
    API_CreateEventSourceMapping.html.
    """
    text = (SOURCE / "template.yaml").read_text(encoding="utf-8")
    text = text.replace("EventSourceArn: !GetAtt Orders.StreamArn", "EventSourceArn: " + QUEUE)
    text = text.replace("      StartingPosition: TRIM_HORIZON\n", "", 1)
    stack = template.resolve(text)
    told = [str(one) for one in stack.resources["OrdersToTotals"].unplayed]
    assert any("belongs to sqs" in one for one in told)
    assert not any("StartingPosition" in one for one in told)
