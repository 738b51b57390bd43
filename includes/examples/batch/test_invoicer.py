from pathlib import Path

import pytest

from grader.desk.testing import Setup, eventually, lag


@pytest.fixture(scope="session")
def pipeline_setup():
    return Setup(Path(__file__).with_name("template.yaml"))


def test_a_poisonous_order_costs_no_other_its_invoice(pipeline):
    for number, amount in enumerate([5, -1, 7, 9]):
        pipeline.put("Orders", {"id": f"o-{number}", "amount": amount})
    [note] = eventually(pipeline, lambda: pipeline.notes("InvoicerStream"))
    assert note.condition == "RetryAttemptsExhausted"
    eventually(pipeline, lambda: lag(pipeline, "InvoicerStream") == 0)
    written = [pipeline.item("Invoices", {"id": f"o-{number}"}) for number in range(4)]
    assert [one and one["amount"] for one in written] == [5, None, 7, 9]


def test_a_throttled_table_only_delays_the_invoice(pipeline):
    # Longer than the SDK tries by itself: the invocation fails, and Lambda tries again.
    pipeline.throttle("Invoices", minutes=0.05)
    pipeline.put("Orders", {"id": "o-1", "amount": 5})
    eventually(pipeline, lambda: pipeline.item("Invoices", {"id": "o-1"}))
    kinds = [one.result.kind for one in pipeline.invocations("Invoicer")]
    assert kinds == ["error", "returned"] and pipeline.notes("InvoicerStream") == []
