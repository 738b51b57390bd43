from pathlib import Path

import pytest
from hypothesis import given, settings

from grader.desk.stories import Plot, stories
from grader.desk.testing import Effects, Setup, eventually, lag, lost, rows, twice

PLOT = Plot(
    "Payments",
    "Booker",
    "BookerStream",
    item=lambda key, number, turn: {"id": f"p-{turn}", "account": key, "amount": number},
    deletes=False,
)
BALANCES = Effects(
    "Payments",
    "BookerStream",
    of=lambda change: [(change.new["account"], change.new["amount"])],
    seen=rows("Balances", "id", "amount"),
)


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


@settings(max_examples=15, deadline=None, derandomize=True)
@given(story=stories(PLOT))
def test_every_payment_is_booked_once_whatever_happens(pipeline_afresh, story):
    with pipeline_afresh() as pipeline:
        story.play(pipeline)
        assert not lost(pipeline, BALANCES)
        assert not twice(pipeline, BALANCES)
