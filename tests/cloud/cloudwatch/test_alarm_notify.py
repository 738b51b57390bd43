"""Who is told of an alarm: actions, topics, subscriptions."""

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html

from __future__ import annotations

import pytest

from grader.cloud.cloudwatch import Subscription, Transition, notifications, silence

PAGES = "arn:aws:sns:us-east-1:123456789012:pages"
QUIET = "arn:aws:sns:us-east-1:123456789012:quiet"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:fix"
ALICE = Subscription(PAGES, "email", "alice@example.com")
RED = Transition(1000, "lag", "OK", "ALARM", "")
GREEN = Transition(2000, "lag", "ALARM", "OK", "")


def test_the_action_of_the_new_state_reaches_the_confirmed_subscriptions(alarm):
    """Entering ALARM calls AlarmActions only; the topic tells each confirmed subscription."""
    lag = alarm(AlarmActions=[PAGES], OKActions=[QUIET])
    (told,) = notifications([RED, GREEN], [lag], [ALICE])
    assert (told.time_ms, told.alarm, told.state, told.protocol, told.endpoint) == (
        1000, "lag", "ALARM", "email", "alice@example.com",
    )  # fmt: skip


def test_a_pending_subscription_receives_nothing(alarm):
    """SNS sends nothing to an e-mail address that has not confirmed."""
    # https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
    lag = alarm(AlarmActions=[PAGES])
    pending = Subscription(PAGES, "email", "alice@example.com", confirmed=False)
    assert notifications([RED], [lag], [pending]) == []
    assert "waiting to be confirmed" in (silence(lag, [pending]) or "")


def test_disabled_actions_tell_nobody(alarm):
    """The state changes, the actions do not run."""
    lag = alarm(AlarmActions=[PAGES], ActionsEnabled=False)
    assert notifications([RED], [lag], [ALICE]) == []
    assert "disabled" in (silence(lag, [ALICE]) or "")


@pytest.mark.parametrize(
    ("changes", "subscriptions", "word"),
    [({}, [ALICE], "no action"), ({"AlarmActions": [QUIET]}, [ALICE], "No subscription")],
)
def test_why_nobody_hears(alarm, changes, subscriptions, word):
    """The reason is a sentence: no action, or a topic without subscriptions."""
    assert word in (silence(alarm(**changes), subscriptions) or "")


def test_somebody_hears(alarm):
    """No reason when one topic of several has a reader."""
    assert silence(alarm(AlarmActions=[QUIET, PAGES]), [ALICE]) is None


def test_a_function_is_called_without_a_topic(alarm):
    """A Lambda action is its own receiver."""
    (told,) = notifications([RED], [alarm(AlarmActions=[FUNCTION])], [])
    assert (told.protocol, told.endpoint) == ("lambda-action", FUNCTION)
