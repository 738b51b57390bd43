"""Who hears of an alarm: from a change of state over its actions and topics to subscriptions.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
     https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grader.cloud.cloudwatch.evaluation import Alarm, Transition
from grader.cloud.cloudwatch.metric import State


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription of an SNS topic (by ARN). ``protocol`` is SNS's word: email, sqs, https…

    A subscription that is pending (``confirmed`` false) receives nothing.
    """

    topic: str
    protocol: str
    endpoint: str
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Notification:
    """Somebody or something was told at ``time_ms`` that ``alarm`` entered ``state``.

    ``action`` is the ARN that the alarm called: a topic, or a Lambda function (protocol
    "lambda-action").
    """

    time_ms: int
    alarm: str
    state: State
    action: str
    protocol: str
    endpoint: str


def notifications(
    transitions: Iterable[Transition],
    alarms: Sequence[Alarm],
    subscriptions: Sequence[Subscription],
) -> list[Notification]:
    """Everything that is delivered for these changes of state, in their order.

    Actions run on a change of state only, only those of the new state, and only while the alarm's
    actions are enabled. A suppressor may hold them back: ``time_ms`` is when they run.
    """
    by_name = {alarm.name: alarm for alarm in alarms}
    sent: list[Notification] = []
    for change in transitions:
        alarm = by_name[change.alarm]
        acted_ms = change.acted_ms
        if not alarm.actions_enabled or acted_ms is None:
            continue
        for action in dict.fromkeys(alarm.actions.get(change.new, ())):
            for protocol, endpoint in _receivers(action, subscriptions):
                sent.append(
                    Notification(acted_ms, alarm.name, change.new, action, protocol, endpoint)
                )
    return sent


def _receivers(action: str, subscriptions: Sequence[Subscription]) -> list[tuple[str, str]]:
    if _service(action) == "lambda":
        return [("lambda-action", action)]
    return [
        (one.protocol, one.endpoint)
        for one in subscriptions
        if one.topic == action and one.confirmed
    ]


def _service(arn: str) -> str:
    return arn.split(":")[2]


def silence(
    alarm: Alarm, subscriptions: Sequence[Subscription], state: State = "ALARM"
) -> str | None:
    """Why nobody hears when ``alarm`` enters ``state``, as a sentence; None when somebody does."""
    actions = alarm.actions.get(state, ())
    if not actions:
        return f"{alarm.name} has no action for the state {state}."
    if not alarm.actions_enabled:
        return f"{alarm.name} has its actions disabled (ActionsEnabled: false)."
    if any(_receivers(action, subscriptions) for action in actions):
        return None
    topics = [action for action in actions if _service(action) == "sns"]
    if any(one.topic in topics for one in subscriptions):
        return f"Every subscription of the topics of {alarm.name} is still waiting to be confirmed."
    return f"No subscription exists for the topics of {alarm.name}."
