"""The alarms of a running account: of stacks and by hand, their states now and what they were.

Alarms are evaluated from the metrics whenever somebody asks, over the time that has passed since
the last look, so that an account which nobody looks at costs nothing. A change of an alarm keeps
its state, as AWS does:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from grader.cloud import Cloud
from grader.cloud.aws import ACCOUNT_ID, REGION, ServiceError
from grader.cloud.cloudwatch import (
    CompositeAlarm,
    MetricAlarm,
    SetState,
    State,
    Transition,
    evaluate,
)

# "CloudWatch keeps alarm history for 30 days":
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
HISTORY_MS = 30 * 86_400_000


class Alarms:
    """Every alarm of the account; ``history`` is every change of state so far, oldest first."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.history: list[Transition] = []
        self.states: dict[str, State] = {}
        self.changed: dict[str, Transition] = {}
        self._made_ms: dict[str, int] = {}
        self._members: dict[str, tuple[str, dict[str, Any]]] = {}
        self._alarms: dict[str, MetricAlarm | CompositeAlarm] = {}
        self._by_hand: list[SetState] = []
        self._looked_ms = cloud.clock.now
        self.look()

    def members(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Name to kind (``metric`` or ``composite``) and the members the alarm was made with."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for known in self._cloud.stacks.values():
            for kind, type_ in (("metric", "Alarm"), ("composite", "CompositeAlarm")):
                for one in known.stack.of_type(f"AWS::CloudWatch::{type_}"):
                    found[one.physical_id] = (kind, dict(one.properties))
        for name, members in self._cloud.alarms.items():
            found[name] = ("metric", members)
        return found

    @property
    def every(self) -> list[MetricAlarm | CompositeAlarm]:
        """The alarms as they were at the last look."""
        return list(self._alarms.values())

    def look(self) -> None:
        """Bring states and history up to now, and let topics hear of what has changed.

        An alarm that is new begins now: whoever makes one looks afterwards.
        """
        wanted = self.members()
        if wanted != self._members:
            self._evaluate()
            self._take(wanted)
        self._evaluate()

    def go_on(self, states: Mapping[str, State], history: list[Transition]) -> None:
        """Take up where another account's alarms stood."""
        self.look()
        for name, state in states.items():
            if name in self._alarms and state in ("OK", "ALARM", "INSUFFICIENT_DATA"):
                self.states[name] = state
        self.history[:0] = history
        self.changed.update({one.alarm: one for one in history})

    def _take(self, wanted: dict[str, tuple[str, dict[str, Any]]]) -> None:
        alarms: dict[str, MetricAlarm | CompositeAlarm] = {}
        for name, (kind, members) in wanted.items():
            if self._members.get(name) == (kind, members):
                alarms[name] = self._alarms[name]
            elif kind == "metric":
                alarms[name] = MetricAlarm.parse(members, name=name, region=REGION)
            else:
                alarms[name] = CompositeAlarm.parse(members, name=name)
        self._members, self._alarms = wanted, alarms
        self._made_ms = {name: self._made_ms.get(name, self._looked_ms) for name in alarms}
        self.states = {name: self.states.get(name, "INSUFFICIENT_DATA") for name in alarms}

    def _evaluate(self) -> None:
        now = self._cloud.clock.now
        if now > self._looked_ms and self._alarms:
            self._cloud.mappings.flush()
            calls = [one for one in self._by_hand if one.alarm in self._alarms]
            changes = evaluate(
                list(self._alarms.values()),
                self._cloud.metrics,
                self._looked_ms,
                now,
                states=self.states,
                calls=calls,
            )
            for change in changes:
                self.states[change.alarm] = change.new
                self.changed[change.alarm] = change
                self._tell(change)
            self.history += changes
        self._by_hand.clear()
        self._looked_ms = max(self._looked_ms, now)

    def _tell(self, change: Transition) -> None:
        """Let an alarm's actions take place: its topics publish what AWS's messages say.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
        """
        alarm = self._alarms[change.alarm]
        if not alarm.actions_enabled or change.acted_ms is None:
            return
        topics = self._cloud.account.topics
        message = {
            "AlarmName": change.alarm,
            "AWSAccountId": ACCOUNT_ID,
            "NewStateValue": change.new,
            "NewStateReason": change.reason,
            "StateChangeTime": stamp(change.time_ms),
            "OldStateValue": change.old,
            "AlarmArn": alarm_arn(change.alarm),
        }
        for topic in dict.fromkeys(alarm.actions.get(change.new, ())):
            if topic in topics.by_arn:
                subject = f'{change.new}: "{change.alarm}" in {REGION}'[:100]
                topics.publish(topic, json.dumps(message), subject)

    def set_state(self, name: str, state: State, reason: str) -> None:
        """SetAlarmState. ServiceError when there is no such alarm."""
        self.look()
        if name not in self._alarms:
            raise ServiceError("ResourceNotFound", f"There is no alarm {name}.", 404)
        # A call takes effect between two looks: just after the last one.
        self._by_hand.append(SetState(self._looked_ms + 1, name, state, reason))
        self._cloud.clock.run_for(1)
        self._evaluate()

    def described(self, name: str) -> dict[str, Any]:
        """What DescribeAlarms says of an alarm's state."""
        change = self.changed.get(name)
        since = change.time_ms if change else self._made_ms[name]
        return {
            "AlarmName": name,
            "AlarmArn": alarm_arn(name),
            "StateValue": self.states[name],
            "StateReason": change.reason if change else "Unchecked: Initial alarm creation",
            "StateUpdatedTimestamp": since / 1000,
        }

    def history_items(self, names: Collection[str] | None = None) -> list[dict[str, Any]]:
        """DescribeAlarmHistory's items, newest first, of the alarms in ``names`` if given."""
        oldest = self._cloud.clock.now - HISTORY_MS
        return [
            {
                "AlarmName": one.alarm,
                "AlarmType": self._kind(one.alarm),
                "Timestamp": one.time_ms / 1000,
                "HistoryItemType": "StateUpdate",
                "HistorySummary": f"Alarm updated from {one.old} to {one.new}",
                "HistoryData": json.dumps(
                    {
                        "version": "1.0",
                        "oldState": {"stateValue": one.old},
                        "newState": {"stateValue": one.new, "stateReason": one.reason},
                    }
                ),
            }
            for one in reversed(self.history)
            if one.time_ms >= oldest and (names is None or one.alarm in names)
        ]

    def _kind(self, name: str) -> str:
        composite = isinstance(self._alarms.get(name), CompositeAlarm)
        return "CompositeAlarm" if composite else "MetricAlarm"


def alarm_arn(name: str) -> str:
    """An alarm's ARN."""
    return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:{name}"


def stamp(time_ms: int) -> str:
    """A moment as AWS's documents write it."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}+0000"
