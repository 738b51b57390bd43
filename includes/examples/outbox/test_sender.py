import json
from pathlib import Path

import pytest

from grader.desk.testing import Setup, eventually, lag


@pytest.fixture(scope="session")
def pipeline_setup():
    return Setup(Path(__file__).with_name("template.yaml"))


def place(pipeline, *numbers):
    """What the shop writes in one transaction: an order and the message about it."""
    for number in numbers:
        order, message = f"order#{number}", f"message#{number}"
        pipeline.put("Shop", {"id": order, "amount": 5})
        pipeline.put("Shop", {"id": message, "order": order, "type": "OrderPlaced"})


def test_a_busy_bus_gets_every_message_in_order(pipeline):
    taken, answers = [], iter([0, 1, 1])

    def bus(params):
        failed = next(answers, 0)
        if not failed:
            taken.extend(json.loads(one["Detail"])["order"] for one in params["Entries"])
        return {"FailedEntryCount": failed, "Entries": [{}]}

    pipeline.answer("events:PutEvents", bus)
    place(pipeline, 1, 2, 3)
    eventually(pipeline, lambda: len(taken) == 3)
    assert taken == ["order#1", "order#2", "order#3"]


def test_a_crash_repeats_a_message_under_its_id(pipeline):
    pipeline.kill_at("Sender", 2, "after")
    place(pipeline, 1, 2)
    crash = eventually(pipeline, lambda: pipeline.invocations("Sender")[0].result)
    assert crash.kind == "error"
    pipeline.kill_at("Sender", None)
    eventually(pipeline, lambda: lag(pipeline, "SenderStream") == 0)
    calls = pipeline.calls("events:PutEvents")
    ids = [json.loads(one.params["Entries"][0]["Detail"])["id"] for one in calls]
    assert ids == ["message#1", "message#2", "message#1", "message#2"]
