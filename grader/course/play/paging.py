"""Who is told of trouble: the stack's alarms in a play, and incidents out of plays.

`watch` is the learner's alarms and whom they reach; `Watch.replay` lets them watch an incident.
`open_shop`, `ordinary` and `incident` turn a play of the learner's own system into one. The rest
says in words what the alarms made of it. Nothing here judges: criteria do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import ACTION_MEMBERS, MetricAlarm, silence
from grader.cloud.metrics import Dimensions, dimensions
from grader.course.play.stops import ResourceRefused
from grader.course.play.traffic import ORDERS, SYSTEM, Shop
from grader.replay import incidents
from grader.replay.incidents import MINUTE_MS, Incident, Replay
from grader.replay.watching import Watch
from grader.replay.watching import lets_in as policy_lets_in
from grader.replay.watching import watch as watch_stack

if TYPE_CHECKING:
    from grader.cloud.template import Resource
    from grader.course.play.player import Player

FUNCTION, MAPPING = "TotalsFunction", "OrdersToTotals"

# Where lab 3's README has the handler publish its own metrics.
NAMESPACE = "Shop/Totals"
SERVICE: Dimensions = dimensions(Service="totals")

# Every lab's promise to the people on call: paged within this time, or not at all.
PAGED_WITHIN_MIN = 15


# -- the system ----------------------------------------------------------------------------------


def open_shop(player: Player, play: str, **options: Any) -> Shop:
    """A shop on a freshly deployed stack whose mapping exists; stops when AWS would refuse it."""
    player.require_interface(SYSTEM)
    pipeline = player.deploy(**options)
    player.require_mapping(pipeline, MAPPING)
    return Shop.open(pipeline, play)


def event_counts(player: Player, mapping: str = MAPPING) -> bool:
    """Whether the mapping has opted in to the EventCount metrics."""
    config = player.stack.resources[mapping].properties.get("MetricsConfig", {})
    return "EventCount" in config.get("Metrics", [])


def of_function(player: Player) -> Dimensions:
    """The dimensions under which Lambda publishes the function's metrics."""
    return dimensions(FunctionName=player.stack.resources[FUNCTION].physical_id)


def of_mapping(player: Player) -> Dimensions:
    """The dimensions under which Lambda publishes the mapping's metrics."""
    return dimensions(EventSourceMappingUUID=player.stack.resources[MAPPING].physical_id)


def queues(player: Player) -> list[Dimensions]:
    """For each queue of the stack the dimensions of its metrics."""
    found = player.stack.of_type("AWS::SQS::Queue")
    return [dimensions(QueueName=queue.attributes["QueueName"]) for queue in found]


# -- the alarms ----------------------------------------------------------------------------------


def watch(player: Player) -> Watch:
    """The alarms as CloudWatch would take them; stops when it would refuse one."""
    player.require_interface(SYSTEM)
    with _stopping():
        found = watch_stack(player.stack)
    advice = [
        f"{logical_id}: AWS takes this alarm. {sentence}"
        for logical_id, sentence in found.unplayed.items()
    ]
    if any(one.protocol.startswith("email") for one in found.subscriptions):
        advice.append(
            "An e-mail subscription waits until somebody clicks the link in its first message. "
            "In the lab it counts as confirmed; in a real account it is silent until then."
        )
    player.advice += [one for one in advice if one not in player.advice]
    return found


def lets_in(
    player: Player, policy: Resource, topic_arn: str, service: str, sources: Sequence[str]
) -> bool:
    """Whether a topic's own policy lets a service publish; stops where AWS refuses the policy."""
    with _stopping():
        return policy_lets_in(player.stack, policy, topic_arn, service, sources)


@contextmanager
def _stopping() -> Iterator[None]:
    """What AWS would refuse of the alarms stops the play."""
    try:
        yield
    except Refused as refusal:
        raise ResourceRefused("alarm", str(refusal.resource), refusal) from refusal


def log_writes(player: Player) -> list[tuple[str, str]]:
    """What Lambda itself does with the role to write the function's log.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
    """
    function = player.stack.resources[FUNCTION]
    logging = function.properties.get("LoggingConfig", {})
    group = logging.get("LogGroup", f"/aws/lambda/{function.physical_id}")
    region, account = player.stack.region, player.stack.account_id
    stream = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:2026/11/02"
    return [("logs:CreateLogStream", stream), ("logs:PutLogEvents", stream)]


# -- incidents out of plays ------------------------------------------------------------------------


def ordinary(shop: Shop, minutes: int, *, every: int = 4, merchant: str = "acme") -> None:
    """Minutes of ordinary business: an order every few minutes."""
    pipeline = shop.pipeline
    for minute in range(minutes):
        # Not at the moment of a poll: a record waits for the next one.
        pipeline.run_for(seconds=7.13)
        if minute % every == 0:
            shop.put(merchant, f"o-{pipeline.clock.now}")
        pipeline.run_for(seconds=60 - 7.13)


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


RECORDINGS = Path(__file__).parent / "incidents"


def recorded(player: Player, name: str, own: Collection[tuple[str, str]] | None = None) -> Incident:
    """An incident of the folder ``incidents``, as this stack's resources would show it.

    ``own`` are the names and units of the handler's own metrics that it is known to publish; None
    means all of them.
    """
    stack = player.stack

    def bind(of: str, metric: str, unit: str) -> Sequence[tuple[str, Dimensions]]:
        match of:
            case "function":
                return [("AWS/Lambda", of_function(player))]
            case "mapping":
                return [("AWS/Lambda", of_mapping(player))] if event_counts(player) else []
            case "reader":
                table = stack.resources[ORDERS].physical_id
                return [("AWS/DynamoDB", dimensions(Operation="GetRecords", TableName=table))]
            case "queue":
                return [("AWS/SQS", dims) for dims in queues(player)]
            case "custom":
                return [(NAMESPACE, SERVICE)] if own is None or (metric, unit) in own else []
        raise KeyError(of)

    return incidents.read(json.loads((RECORDINGS / f"{name}.json").read_text("utf-8")), bind)


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
        more = len(seen.alerts) - 1
        times = f" ({more + 1} alerts in all)" if more else ""
        return f"Nobody had to be paged, but {label(first.alarm)} rang{times}."
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


def why_unheard(watching: Watch, seen: Replay) -> tuple[str, str, tuple[str, ...]]:
    """Why what rang first in an incident reached no person in time.

    The alarm's logical id, the reason as a sentence, and where to look: the logical id of the
    alarm, the topic, its policy or a subscription, and the path of a property of it.
    """
    assert seen.first is not None
    alarm = next(one for one in watching.alarms if one.name == seen.first.alarm)
    logical_id = watching.logical_ids[alarm.name]
    people = [one for one in watching.subscriptions if one.protocol not in ("sqs",)]
    reason = silence(alarm, people, seen.first.state) or f"{logical_id} reaches nobody in time."
    reason = reason.replace(alarm.name, logical_id)
    deaf = watching.deaf_to(alarm.name)
    if deaf is not None and reason.startswith("No subscription"):
        return logical_id, f"{deaf.reason}.", (deaf.logical_id, *deaf.path)
    if not alarm.actions_enabled:
        return logical_id, reason, (logical_id, "ActionsEnabled")
    # Actions that stand under another state are where the mend is.
    states = (seen.first.state, *alarm.actions)
    state = next((one for one in states if alarm.actions.get(one)), seen.first.state)
    return logical_id, reason, (logical_id, ACTION_MEMBERS[state])
