"""Who is told of trouble: the stack's alarms on the stage, and incidents out of plays.

`watch` is the learner's alarms and whom they reach; `Watch.replay` lets them watch an incident.
`open_shop`, `ordinary` and `incident` turn a play of the learner's own system into one. The rest
says in words what the alarms made of it. Nothing here judges: criteria do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from grader.cloud.aws import Refused
from grader.cloud.clock import START_MS
from grader.cloud.cloudwatch import (
    ACTION_MEMBERS,
    NOT_EMULATED,
    Alarm,
    CompositeAlarm,
    MetricAlarm,
    Subscription,
    evaluate,
    silence,
)
from grader.cloud.metrics import Dimensions, Metrics, dimensions
from grader.course.play.traffic import SYSTEM, Shop
from grader.replay import blame, incidents
from grader.replay.incidents import MINUTE_MS, Incident, Replay

if TYPE_CHECKING:
    from grader.cloud.template import Resource
    from grader.course.play.stage import Stage

FUNCTION, MAPPING = "TotalsFunction", "OrdersToTotals"

# Every lab's promise to the people on call: paged within this time, or not at all.
PAGED_WITHIN_MIN = 15


# -- the system ----------------------------------------------------------------------------------


def open_shop(stage: Stage, play: str, **options: Any) -> Shop:
    """A shop on a freshly deployed stack whose mapping exists; stops when AWS would refuse it."""
    stage.require_interface(SYSTEM)
    pipeline = stage.deploy(**options)
    stage.require_mapping(pipeline, MAPPING)
    return Shop.open(pipeline, play)


def event_counts(stage: Stage, mapping: str = MAPPING) -> bool:
    """Whether the mapping has opted in to the EventCount metrics."""
    config = stage.stack.resources[mapping].properties.get("MetricsConfig", {})
    return "EventCount" in config.get("Metrics", [])


def of_function(stage: Stage) -> Dimensions:
    """The dimensions under which Lambda publishes the function's metrics."""
    return dimensions(FunctionName=stage.stack.resources[FUNCTION].physical_id)


def of_mapping(stage: Stage) -> Dimensions:
    """The dimensions under which Lambda publishes the mapping's metrics."""
    return dimensions(EventSourceMappingUUID=stage.stack.resources[MAPPING].physical_id)


def queues(stage: Stage) -> list[Dimensions]:
    """For each queue of the stack the dimensions of its metrics."""
    found = stage.stack.of_type("AWS::SQS::Queue")
    return [dimensions(QueueName=queue.attributes["QueueName"]) for queue in found]


# -- the alarms ----------------------------------------------------------------------------------

_KINDS: Mapping[str, Callable[..., Alarm]] = {
    "AWS::CloudWatch::Alarm": MetricAlarm.parse,
    "AWS::CloudWatch::CompositeAlarm": CompositeAlarm.parse,
}


@dataclass
class Watch:
    """The stack's alarms and whom they reach, with every replay kept.

    ``logical_ids`` gives an alarm's logical id by its name; ``deaf`` are reasons for which some
    topic or subscription brings no alarm to a person. ``unplayed`` says by logical id why an alarm
    that AWS takes is none of them: the labs cannot play it.
    """

    alarms: list[Alarm]
    logical_ids: dict[str, str]
    subscriptions: list[Subscription]
    deaf: list[str]
    unplayed: dict[str, str] = field(default_factory=dict)
    _seen: dict[str, Replay] = field(default_factory=dict)

    def label(self, name: str) -> str:
        """An alarm's logical id; its name may be a generated one."""
        return self.logical_ids[name]

    def replay(self, incident: Incident) -> Replay:
        """What the alarms make of an incident; worked out once for each name of an incident."""
        if incident.name not in self._seen:
            self._seen[incident.name] = incidents.replay(incident, self.alarms, self.subscriptions)
        return self._seen[incident.name]


def watch(stage: Stage) -> Watch:
    """The alarms as CloudWatch would take them; stops when it would refuse one."""
    stage.require_interface(SYSTEM)
    alarms: list[Alarm] = []
    names: dict[str, str] = {}
    unplayed: dict[str, str] = {}
    for resource in stage.stack.resources.values():
        if resource.type not in _KINDS:
            continue
        names[resource.physical_id] = resource.logical_id
        try:
            alarms.append(
                _KINDS[resource.type](
                    resource.properties, name=resource.physical_id, region=stage.stack.region
                )
            )
        except Refused as refusal:
            if refusal.code != NOT_EMULATED:
                refuse(stage, resource.logical_id, refusal)
            unplayed[resource.logical_id] = refusal.message
        else:
            names[alarms[-1].name] = resource.logical_id
    alarms = _playable(alarms, names, unplayed)
    for logical_id, sentence in unplayed.items():
        advice = f"{logical_id}: AWS takes this alarm. {sentence}"
        if advice not in stage.advice:
            stage.advice.append(advice)
    try:
        evaluate(alarms, Metrics(), START_MS, START_MS)
    except Refused as refusal:
        refuse(stage, next(reversed(names.values())), refusal)
    subscriptions, deaf = _subscriptions(stage, names)
    if any(one.protocol.startswith("email") for one in subscriptions):
        advice = (
            "An e-mail subscription waits until somebody clicks the link in its first message. "
            "In the lab it counts as confirmed; in a real account it is silent until then."
        )
        if advice not in stage.advice:
            stage.advice.append(advice)
    return Watch(alarms, names, subscriptions, deaf, unplayed)


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


def refuse(stage: Stage, logical_id: str, refusal: Refused) -> NoReturn:
    """Stop: AWS would not create this alarm, or what an alarm stands on, or it is not played."""
    member = [refusal.parameter] if refusal.parameter else []
    if refusal.code == NOT_EMULATED:
        stage.not_played(refusal.message, stage.stack.resources[logical_id].line_of(*member))
    stage.stop(
        "alarm",
        stage.finding(
            rule="AWS accepts the alarms of the template and what they stand on.",
            input=f"{logical_id} in template.yaml",
            expected="it is created",
            observed=refusal.message,
            why="CloudFormation rolls the whole stack back when one resource is refused.",
            where=stage.property_line(logical_id, *member),
            page=f"{stage.lab.page}#troubleshooting",
        ),
    )


# The key that AWS manages for SNS has a policy that nobody can change, and it lets no alarm in.
# https://repost.aws/knowledge-center/cloudwatch-configure-alarm-sns
SNS_OWN_KEY = "alias/aws/sns"


def _subscriptions(stage: Stage, alarms: Mapping[str, str]) -> tuple[list[Subscription], list[str]]:
    """Who is subscribed to the stack's topics, and why some of them hear nothing of alarms."""
    found: list[Subscription] = []
    deaf: list[str] = []
    topics = stage.stack.of_type("AWS::SNS::Topic")
    locked = set()
    for topic in topics:
        if str(topic.properties.get("KmsMasterKeyId", "")).endswith(SNS_OWN_KEY):
            locked.add(topic.physical_id)
            deaf.append(
                f"{topic.logical_id} is encrypted with {SNS_OWN_KEY}, whose policy lets no alarm "
                "publish"
            )
    for policy in stage.stack.of_type("AWS::SNS::TopicPolicy"):
        for arn in policy.properties["Topics"]:
            sources = [stage.stack.resources[one].attributes["Arn"] for one in alarms.values()]
            if not lets_in(stage, policy, arn, "cloudwatch.amazonaws.com", sources):
                locked.add(arn)
                deaf.append(f"{policy.logical_id} does not let cloudwatch.amazonaws.com publish")
    every: list[tuple[str, str, dict[str, Any]]] = [
        (topic.logical_id, topic.physical_id, given)
        for topic in topics
        for given in topic.properties.get("Subscription", [])
    ]
    every += [
        (one.logical_id, str(one.properties["TopicArn"]), one.properties)
        for one in stage.stack.of_type("AWS::SNS::Subscription")
    ]
    for owner, topic_arn, given in every:
        protocol, endpoint = str(given["Protocol"]), str(given.get("Endpoint", ""))
        if given.get("FilterPolicy"):
            # A notification of CloudWatch has no message attributes, and of its body nothing is
            # promised that a filter could build on.
            deaf.append(f"{owner} has a FilterPolicy, which lets no alarm through")
            continue
        if topic_arn in locked:
            continue
        if protocol not in incidents.PEOPLE:
            deaf.append(f"{owner} is a subscription by {protocol}, which wakes nobody")
        found.append(Subscription(topic_arn, protocol, endpoint))
    return found, deaf


def lets_in(
    stage: Stage, policy: Resource, topic_arn: str, service: str, sources: Sequence[str]
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
                {"aws:SourceAccount": stage.stack.account_id, "aws:SourceArn": source},
            ).allowed
            for source in sources
        )
    except iam.PolicyRefused as refusal:
        refuse(
            stage,
            policy.logical_id,
            Refused(refusal.code, refusal.message, "PolicyDocument"),
        )


# -- incidents out of plays ------------------------------------------------------------------------


def ordinary(shop: Shop, minutes: int, *, every: int = 4, merchant: str = "acme") -> None:
    """Minutes of ordinary business: an order every few minutes; queues are measured each minute."""
    pipeline = shop.pipeline
    for minute in range(minutes):
        # Not at the moment of a poll: a record waits for the next one.
        pipeline.run_for(seconds=7.13)
        if minute % every == 0:
            shop.put(merchant, f"o-{pipeline.clock.now}")
        pipeline.run_for(seconds=60 - 7.13)
        pipeline.account.observe()


def incident(
    shop: Shop,
    name: str,
    title: str,
    story: str,
    *,
    changed_ms: int,
    wrong: bool = True,
    began_ms: int | None = None,
) -> Incident:
    """What happened in a play around ``changed_ms``, up to now.

    Something is ``wrong`` since ``began_ms``, or since ``changed_ms``; 20 minutes of the play
    before it must exist.
    """
    began = (changed_ms if began_ms is None else began_ms) if wrong else None
    return Incident(
        name=name,
        title=title,
        story=story,
        metrics=shop.pipeline.metrics,
        start_ms=changed_ms - 20 * MINUTE_MS,
        from_ms=changed_ms - 10 * MINUTE_MS,
        to_ms=shop.pipeline.clock.now,
        began_ms=began,
        page_by_ms=None if began is None else began + PAGED_WITHIN_MIN * MINUTE_MS,
    )


# -- in words --------------------------------------------------------------------------------------


def in_minutes(duration_ms: int) -> str:
    """A duration (ms) in whole minutes."""
    return f"{duration_ms // MINUTE_MS} min"


def told(seen: Replay, label: Callable[[str], str]) -> str:
    """In a sentence what the alarms made of an incident; ``label`` names an alarm."""
    incident = seen.incident
    if incident.page_by_ms is None:
        if not seen.alerts:
            return "Nobody had to be paged, and nobody was."
        first = seen.alerts[0]
        times = f"{len(seen.alerts)} alerts in all"
        return f"Nobody had to be paged, but {label(first.alarm)} rang ({times})."
    if seen.first is None:
        wolves = ", ".join(sorted({label(alert.alarm) for alert in seen.false_alerts}))
        if wolves:
            return f"A person had to be paged; only {wolves} rang, and had done so before."
        return "A person had to be paged, and no alarm rang."
    assert seen.delay_ms is not None
    heard = "; it reached nobody in time" if seen.in_time and not seen.heard_in_time else ""
    when = "in time" if seen.in_time else "too late"
    return f"{label(seen.first.alarm)} rang after {in_minutes(seen.delay_ms)}, {when}{heard}."


def allowed_min(incident: Incident) -> int:
    """How many minutes the alarms have in this incident."""
    assert incident.began_ms is not None and incident.page_by_ms is not None
    return (incident.page_by_ms - incident.began_ms) // MINUTE_MS


def rang(seen: Replay, watching: Watch) -> str:
    """What rang in an incident in which something had to."""
    if not watching.alarms:
        return "the template has no alarm"
    if seen.in_time or seen.first is not None:
        return told(seen, watching.label)
    if seen.false_alerts:
        early = watching.logical_ids[seen.false_alerts[0].alarm]
        return f"no alarm rang that had been quiet; {early} had rung before anything was wrong"
    return "no alarm rang"


def meant(watching: Watch, metrics: Sequence[str]) -> list[MetricAlarm]:
    """The alarms that read one of these metrics, in the order of the metrics."""
    return [
        alarm
        for wanted in metrics
        for alarm in watching.alarms
        if isinstance(alarm, MetricAlarm) and any(stat.name == wanted for stat in alarm.metrics)
    ]


def alarm_line(
    stage: Stage, watching: Watch, metrics: Sequence[str], incident: Incident | None = None
) -> str:
    """The setting that kept the alarm silent that was meant for this; or where alarms stand."""
    candidates = meant(watching, metrics)
    for alarm in candidates:
        logical_id = watching.logical_ids[alarm.name]
        if incident is None:
            return setting_line(stage, logical_id, "Threshold")
        if incidents.replay(incident, [alarm]).in_time:
            return _held_line(stage, watching, alarm)
        if member := blame.sooner(alarm, incident):
            return setting_line(stage, logical_id, member)
    for alarm in candidates:
        return setting_line(stage, watching.logical_ids[alarm.name], "Threshold")
    return f"template.yaml (no alarm watches {' or '.join(metrics)})"


def _held_line(stage: Stage, watching: Watch, alarm: MetricAlarm) -> str:
    """Where an alarm stands that would ring alone: at the composite alarm that keeps silent."""
    for whole in watching.alarms:
        if isinstance(whole, CompositeAlarm) and alarm.name in whole.parts():
            member = "ActionsSuppressor" if whole.suppressor else "AlarmRule"
            return stage.property_line(watching.logical_ids[whole.name], member)
    return setting_line(stage, watching.logical_ids[alarm.name], "Threshold")


# What stands in a template in the place of a setting that does not.
_INSTEAD = {"EvaluationPeriods": "DatapointsToAlarm", "Statistic": "ExtendedStatistic"}


def setting_line(stage: Stage, logical_id: str, member: str) -> str:
    """The line of an alarm's setting; of a metric's setting, where the metric stands."""
    properties = stage.stack.resources[logical_id].properties
    instead = _INSTEAD.get(member, "Metrics")
    if member == "EvaluationPeriods" and instead in properties:
        return stage.property_line(logical_id, instead)
    return stage.property_line(logical_id, member if member in properties else instead)


def dimensions_told(stage: Stage, dims: Dimensions) -> str:
    """Dimensions in words; the name of a resource of the stack is told by its logical id."""

    def said(value: str) -> str:
        resource = stage.stack.by_physical(value)
        return f"that of {resource.logical_id}" if resource else f'"{value}"'

    return ", ".join(f"{name} {said(value)}" for name, value in dims) or "no dimensions"


def unseen(stage: Stage, watching: Watch, metrics: Sequence[str], incident: Incident) -> str:
    """A sentence about the alarm that was meant for this and finds no data at all, or nothing."""
    for alarm in meant(watching, metrics):
        if member := blame.without_data(alarm, incident):
            (stat,) = alarm.metrics
            return (
                f"; {watching.label(alarm.name)} finds no data: nothing is published as "
                f"{stat.namespace} {stat.name}"
                + {
                    "Unit": f" in {stat.unit}",
                    "Dimensions": f" with {dimensions_told(stage, stat.dimensions)}",
                }.get(member, "")
            )
    return ""


def why_unheard(watching: Watch, seen: Replay) -> tuple[str, str, str]:
    """Why what rang first in an incident reached no person in time.

    The alarm's logical id, the reason as a sentence, and the alarm's property to look at.
    """
    assert seen.first is not None
    alarm = next(one for one in watching.alarms if one.name == seen.first.alarm)
    logical_id = watching.logical_ids[alarm.name]
    people = [one for one in watching.subscriptions if one.protocol not in ("sqs",)]
    reason = silence(alarm, people, seen.first.state) or f"{logical_id} reaches nobody in time."
    reason = reason.replace(alarm.name, logical_id)
    if watching.deaf and reason.startswith("No subscription"):
        reason = f"{watching.deaf[0]}."
    if not alarm.actions_enabled:
        return logical_id, reason, "ActionsEnabled"
    # Actions that stand under another state are where the mend is.
    states = (seen.first.state, *alarm.actions)
    state = next((one for one in states if alarm.actions.get(one)), seen.first.state)
    return logical_id, reason, ACTION_MEMBERS[state]
