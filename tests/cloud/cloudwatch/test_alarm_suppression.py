"""Composite alarms whose actions a suppressor holds back, and states that are set by hand.

One unit of AWS's worked examples is a minute here; a wait period lasts two, an extension three.
"""

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-suppression.html

from __future__ import annotations

import pytest

from grader.cloud.aws import Refused
from grader.cloud.clock import START_MS
from grader.cloud.cloudwatch import (
    CompositeAlarm,
    SetState,
    Subscription,
    evaluate,
    notifications,
)
from grader.cloud.metrics import Metrics

MINUTE = 60_000
TOPIC = "arn:aws:sns:us-east-1:123456789012:pager"


def composite(**changes):
    properties = {
        "AlarmRule": "ALARM(child)",
        "AlarmActions": [TOPIC],
        "OKActions": [TOPIC],
        "ActionsSuppressor": "suppressor",
        "ActionsSuppressorWaitPeriod": 120,
        "ActionsSuppressorExtensionPeriod": 180,
        **changes,
    }
    return CompositeAlarm.parse(properties, name="composite")


def told(alarm, child, suppressor, *, minutes=20, suppressor_state="OK"):
    """(minute, state) of what the composite alarm's actions say, for changes at these minutes.

    The alarms below it ignore missing data: a state that is set by hand stays.
    """
    parts = [
        alarm("child", TreatMissingData="ignore"),
        alarm("suppressor", TreatMissingData="ignore"),
    ]
    alarms = [*parts, composite()]
    calls = [
        SetState(START_MS + minute * MINUTE, name, state, "by hand")
        for name, changes in (("child", child), ("suppressor", suppressor))
        for minute, state in changes.items()
    ]
    states = {"child": "OK", "suppressor": suppressor_state, "composite": "OK"}
    changes = evaluate(
        alarms, Metrics(), START_MS, START_MS + minutes * MINUTE, states=states, calls=calls
    )
    sent = notifications(changes, alarms, [Subscription(TOPIC, "email", "a@example.com")])
    return [((one.time_ms - START_MS) / MINUTE, one.state) for one in sent]


@pytest.mark.parametrize(
    ("child", "suppressor", "expected"),
    [
        ({2: "ALARM"}, {}, [(4, "ALARM")]),
        ({2: "ALARM"}, {3: "ALARM"}, []),
        ({2: "ALARM", 3: "OK"}, {}, [(5, "OK")]),
        ({2: "ALARM"}, {1: "ALARM"}, []),
        ({2: "ALARM"}, {3: "ALARM", 6: "OK"}, [(9, "ALARM")]),
        ({2: "ALARM", 7: "OK"}, {3: "ALARM", 6: "OK"}, [(9, "OK")]),
    ],
    ids=[f"example-{number}" for number in range(1, 7)],
)
def test_the_six_examples_of_the_guide(alarm, child, suppressor, expected):
    assert told(alarm, child, suppressor) == expected


def test_a_suppressor_that_was_red_before_is_red(alarm):
    """Its state counts, not only its changes."""
    assert told(alarm, {2: "ALARM"}, {}, suppressor_state="ALARM") == []


def test_the_state_itself_is_not_held_back(alarm):
    """Suppression is about actions: the composite alarm is in ALARM at once."""
    parts = [
        alarm("child", TreatMissingData="ignore"),
        alarm("suppressor", TreatMissingData="ignore"),
    ]
    calls = [SetState(START_MS + 2 * MINUTE, "child", "ALARM", "by hand")]
    states = {"child": "OK", "suppressor": "ALARM", "composite": "OK"}
    end = START_MS + 9 * MINUTE
    changes = evaluate([*parts, composite()], Metrics(), START_MS, end, states=states, calls=calls)
    change = next(one for one in changes if one.alarm == "composite")
    assert (change.new, change.time_ms) == ("ALARM", START_MS + 2 * MINUTE)
    assert change.acted_ms is None


def test_a_suppressor_may_be_named_by_its_arn_and_has_to_exist(alarm):
    arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:quiet"
    watching = composite(ActionsSuppressor=arn)
    assert watching.suppressor is not None
    assert watching.suppressor.alarm == "quiet"
    with pytest.raises(Refused, match="quiet does not exist"):
        evaluate([alarm("child"), watching], Metrics(), START_MS, START_MS)


# -- SetAlarmState: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html


def test_a_metric_alarm_returns_to_its_own_state_at_its_next_evaluation(alarm, series):
    call = SetState(START_MS + 90_000, "lag", "ALARM", "a test of the pager")
    changes = evaluate([alarm()], series([10.0] * 4), START_MS, START_MS + 4 * MINUTE, calls=[call])
    assert [(c.new, c.time_ms - START_MS) for c in changes] == [
        ("OK", MINUTE),
        ("ALARM", 90_000),
        ("OK", 2 * MINUTE),
    ]
    assert changes[1].reason == "a test of the pager"


def test_a_composite_alarm_stays_until_a_child_changes(alarm, series):
    """It is not evaluated on its own."""
    parts = [alarm("child"), alarm("suppressor")]
    call = SetState(START_MS + 90_000, "composite", "ALARM", "a test")
    changes = evaluate(
        [*parts, composite()],
        series([10.0] * 5 + [40_000.0, 10.0]),
        START_MS,
        START_MS + 8 * MINUTE,
        calls=[call],
    )
    own = [(c.new, c.time_ms - START_MS) for c in changes if c.alarm == "composite"]
    assert own == [("OK", MINUTE), ("ALARM", 90_000), ("OK", 7 * MINUTE)]


def test_a_state_that_is_the_same_changes_nothing_and_an_absent_alarm_is_refused(alarm, series):
    same = SetState(START_MS + 90_000, "lag", "OK", "again")
    end = START_MS + 3 * MINUTE
    changes = evaluate([alarm()], series([10.0] * 3), START_MS, end, calls=[same])
    assert [change.new for change in changes] == ["OK"]
    with pytest.raises(Refused, match="no alarm else"):
        absent = SetState(START_MS, "else", "OK", "")
        evaluate([alarm()], Metrics(), START_MS, end, calls=[absent])
