"""Trouble that a play can bring upon a running stack: late answers, and no concurrency left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.cloud.pipeline import Pipeline

STACK = Path(__file__).resolve().parents[2] / "solutions/06-production-checklist"
FUNCTION, MAPPING = "TotalsFunction", "OrdersToTotals"
ORDER = {"merchant": "acme", "id": "order#1", "kind": "order", "amount": 1250, "status": "placed"}


@pytest.fixture(name="pipeline")
def _pipeline(nursery: Any) -> Iterator[Pipeline]:
    with Pipeline.deploy(STACK / "template.yaml", nursery=nursery) as pipeline:
        pipeline.run_for(minutes=5)
        yield pipeline


def test_a_stalled_call_takes_effect_and_the_function_times_out(pipeline: Pipeline) -> None:
    pipeline.stall(minutes=1)
    pipeline.put("Orders", ORDER)
    pipeline.run_for(seconds=50)
    assert pipeline.item("MerchantTotals", {"merchant": "acme"}) is not None
    pipeline.run_for(minutes=5)

    first, *others = pipeline.invocations(FUNCTION)
    assert first.result is not None and first.result.kind == "error"
    assert others[-1].result is not None and others[-1].result.kind == "returned"
    assert pipeline.item("MerchantTotals", {"merchant": "acme"})["total"] == 1250  # type: ignore[index]


def test_a_crowded_account_throttles_without_invoking_and_recovers(pipeline: Pipeline) -> None:
    pipeline.crowd(minutes=10)
    pipeline.put("Orders", ORDER)
    pipeline.run_for(minutes=9)
    assert pipeline.invocations(FUNCTION) == []
    assert pipeline.metrics.total("AWS/Lambda", "Throttles") > 0

    pipeline.run_for(minutes=10)
    assert len(pipeline.invocations(FUNCTION)) == 1


def test_a_reservation_still_runs_in_a_crowded_account(pipeline: Pipeline) -> None:
    pipeline.concurrency.reserve(pipeline.functions[FUNCTION].name, 1)
    pipeline.crowd(minutes=10)
    pipeline.put("Orders", ORDER)
    pipeline.run_for(minutes=2)

    assert len(pipeline.invocations(FUNCTION)) == 1


def test_queues_are_measured_each_minute_whoever_looks(pipeline: Pipeline) -> None:
    """One figure a minute, as SQS tells CloudWatch, and none more when metrics are flushed."""
    pipeline.run_for(minutes=10, seconds=30)
    pipeline.flush()
    data = pipeline.metrics.find("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    minutes = [(datum.time_ms - pipeline.start_ms) / 60_000 for datum in data]
    assert minutes == list(range(1, 16))
