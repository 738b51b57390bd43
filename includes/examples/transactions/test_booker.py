from pathlib import Path

import pytest

from grader.desk.testing import Setup, eventually, lag


@pytest.fixture(scope="session")
def pipeline_setup():
    return Setup(Path(__file__).with_name("template.yaml"))


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_the_second_booking_books_each_once(pipeline, when):
    pipeline.kill_at("Booker", 2, when)
    for number in range(3):
        pipeline.put("Payments", {"id": f"p-{number}", "account": "a-1", "amount": 10})
    crash = eventually(pipeline, lambda: pipeline.invocations("Booker")[0].result)
    assert crash.kind == "error"
    pipeline.kill_at("Booker", None)
    eventually(pipeline, lambda: pipeline.item("Balances", {"id": "a-1"})["amount"] == 30)

    again = pipeline.stream("Payments").shards[0].records
    pipeline.deliver("Booker", again)
    assert pipeline.item("Balances", {"id": "a-1"})["amount"] == 30
    assert lag(pipeline, "BookerStream") == 0
