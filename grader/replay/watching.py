"""The alarms of a template and whom they reach, on any stack.

`watch` reads them once; `Watch.replay` lets them watch an incident, `Watch.over` what has happened
on a stack. What AWS takes and cannot be played is left out and said (``unplayed``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grader.cloud.aws import Refused
from grader.cloud.clock import START_MS
from grader.cloud.cloudwatch import (
    NOT_EMULATED,
    Alarm,
    CompositeAlarm,
    MetricAlarm,
    Subscription,
    evaluate,
)
from grader.cloud.metrics import Metrics
from grader.replay import incidents
from grader.replay.incidents import Incident, Replay
from grader.replay.scene import Watched

if TYPE_CHECKING:
    from grader.cloud import Pipeline
    from grader.cloud.template import Resource, Stack

_KINDS: Mapping[str, Callable[..., Alarm]] = {
    "AWS::CloudWatch::Alarm": MetricAlarm.parse,
    "AWS::CloudWatch::CompositeAlarm": CompositeAlarm.parse,
}


@dataclass(frozen=True)
class Deaf:
    """Why a topic (an ARN) brings no alarm to a person, and the property to look at for it."""

    topic: str
    logical_id: str
    path: tuple[str, ...]
    reason: str


@dataclass
class Watch:
    """The stack's alarms and whom they reach, with every replay kept.

    ``logical_ids`` gives an alarm's logical id by its name; ``deaf`` says of topics why they bring
    no alarm to a person, or not by one of their subscriptions. ``unplayed`` says by logical id why
    an alarm that AWS takes is none of them: the labs cannot play it.
    """

    alarms: list[Alarm]
    logical_ids: dict[str, str]
    subscriptions: list[Subscription]
    deaf: list[Deaf]
    unplayed: dict[str, str] = field(default_factory=dict)
    _seen: dict[str, Replay] = field(default_factory=dict)

    def label(self, name: str) -> str:
        """An alarm's logical id; its name may be a generated one."""
        return self.logical_ids[name]

    def deaf_to(self, name: str) -> Deaf | None:
        """What keeps an alarm from people at the topics of its actions, if something does."""
        alarm = next(one for one in self.alarms if one.name == name)
        topics = {action for actions in alarm.actions.values() for action in actions}
        return next((one for one in self.deaf if one.topic in topics), None)

    def replay(self, incident: Incident) -> Replay:
        """What the alarms make of an incident; worked out once for each name of an incident."""
        if incident.name not in self._seen:
            self._seen[incident.name] = incidents.replay(incident, self.alarms, self.subscriptions)
        return self._seen[incident.name]

    def over(self, pipeline: Pipeline) -> Watched:
        """What the alarms made of all that has happened on a stack. Refused as `evaluate`."""
        return Watched.over(
            self.alarms,
            self.logical_ids,
            self.subscriptions,
            pipeline.metrics,
            pipeline.start_ms,
            pipeline.clock.now,
        )


def watch(stack: Stack) -> Watch:
    """The alarms as CloudWatch would take them; Refused, with its resource, when it would not."""
    alarms: list[Alarm] = []
    names: dict[str, str] = {}
    unplayed: dict[str, str] = {}
    for resource in stack.resources.values():
        if resource.type not in _KINDS:
            continue
        names[resource.physical_id] = resource.logical_id
        try:
            alarms.append(
                _KINDS[resource.type](
                    resource.properties, name=resource.physical_id, region=stack.region
                )
            )
        except Refused as refusal:
            if refusal.code != NOT_EMULATED:
                raise _of(resource.logical_id, refusal) from refusal
            unplayed[resource.logical_id] = refusal.message
        else:
            names[alarms[-1].name] = resource.logical_id
    alarms = _playable(alarms, names, unplayed)
    try:
        evaluate(alarms, Metrics(), START_MS, START_MS)
    except Refused as refusal:
        raise _of(next(reversed(names.values())), refusal) from refusal
    subscriptions, deaf = _subscriptions(stack, names)
    return Watch(alarms, names, subscriptions, deaf, unplayed)


def _of(logical_id: str, refusal: Refused) -> Refused:
    return Refused(refusal.code, refusal.message, refusal.parameter, logical_id)


def _playable(
    alarms: list[Alarm], names: Mapping[str, str], unplayed: dict[str, str]
) -> list[Alarm]:
    """The alarms without those that are made of an unplayed one, which are added to these."""
    for alarm in alarms:
        parts = alarm.parts() if isinstance(alarm, CompositeAlarm) else []
        absent = [names[part] for part in parts if names.get(part) in unplayed]
        if absent:
            unplayed[names[alarm.name]] = f"It is made of {absent[0]}, which the labs cannot play."
            return _playable([one for one in alarms if one is not alarm], names, unplayed)
    return alarms


# The key that AWS manages for SNS has a policy that nobody can change, and it lets no alarm in.
# https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
SNS_OWN_KEY = "alias/aws/sns"


def _subscriptions(
    stack: Stack, alarms: Mapping[str, str]
) -> tuple[list[Subscription], list[Deaf]]:
    """Who is subscribed to the stack's topics, and why some of them hear nothing of alarms."""
    found: list[Subscription] = []
    topics = stack.of_type("AWS::SNS::Topic")
    deaf = _locked(stack, alarms)
    locked = {one.topic for one in deaf}
    every: list[tuple[str, str, dict[str, Any]]] = [
        (topic.logical_id, topic.physical_id, given)
        for topic in topics
        for given in topic.properties.get("Subscription", [])
    ]
    every += [
        (one.logical_id, str(one.properties["TopicArn"]), one.properties)
        for one in stack.of_type("AWS::SNS::Subscription")
    ]
    for owner, topic_arn, given in every:
        protocol, endpoint = str(given["Protocol"]), str(given.get("Endpoint", ""))
        if given.get("FilterPolicy"):
            # A notification of CloudWatch has no message attributes, and of its body nothing is
            # promised that a filter could build on.
            reason = f"{owner} has a FilterPolicy, which lets no alarm through"
            deaf.append(Deaf(topic_arn, owner, ("FilterPolicy",), reason))
            continue
        if topic_arn in locked:
            continue
        if protocol not in incidents.PEOPLE:
            reason = f"{owner} is a subscription by {protocol}, which wakes nobody"
            deaf.append(Deaf(topic_arn, owner, ("Protocol",), reason))
        found.append(Subscription(topic_arn, protocol, endpoint))
    subscribed = {topic_arn for _, topic_arn, _ in every}
    deaf += [
        Deaf(topic.physical_id, topic.logical_id, (), f"{topic.logical_id} has no subscription")
        for topic in topics
        if topic.physical_id not in subscribed
    ]
    return found, deaf


def _locked(stack: Stack, alarms: Mapping[str, str]) -> list[Deaf]:
    """The topics that let no alarm in, by their key or by their policy."""
    found = []
    for topic in stack.of_type("AWS::SNS::Topic"):
        if str(topic.properties.get("KmsMasterKeyId", "")).endswith(SNS_OWN_KEY):
            name = topic.logical_id
            reason = f"{name} is encrypted with {SNS_OWN_KEY}, whose policy lets no alarm publish"
            found.append(Deaf(topic.physical_id, name, ("KmsMasterKeyId",), reason))
    for policy in stack.of_type("AWS::SNS::TopicPolicy"):
        for arn in policy.properties["Topics"]:
            sources = [stack.resources[one].attributes["Arn"] for one in alarms.values()]
            if not lets_in(stack, policy, arn, "cloudwatch.amazonaws.com", sources):
                reason = f"{policy.logical_id} does not let cloudwatch.amazonaws.com publish"
                found.append(Deaf(arn, policy.logical_id, ("PolicyDocument",), reason))
    return found


def lets_in(
    stack: Stack, policy: Resource, topic_arn: str, service: str, sources: Sequence[str]
) -> bool:
    """Whether a topic's own policy lets a service publish; it replaces the default one.

    ``sources`` are the ARNs on whose behalf the service comes; one of them is enough.
    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    """
    from grader.cloud import iam

    try:
        document = iam.policy(
            policy.logical_id, policy.properties["PolicyDocument"], resource_policy=True
        )
        return any(
            iam.evaluate_request(
                [],
                [document],
                service,
                "sns:Publish",
                topic_arn,
                {"aws:SourceAccount": stack.account_id, "aws:SourceArn": source},
            ).allowed
            for source in sources
        )
    except iam.PolicyRefused as refusal:
        raise Refused(
            refusal.code, refusal.message, "PolicyDocument", policy.logical_id
        ) from refusal
