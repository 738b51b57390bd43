"""Alarms that did not ring: what is said of them, and the line whose change would make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grader.cloud.cloudwatch import CompositeAlarm
from grader.course.play.paging import meant
from grader.replay import blame, incidents

if TYPE_CHECKING:
    from grader.cloud.cloudwatch import MetricAlarm
    from grader.cloud.metrics import Dimensions
    from grader.course.stage import Stage
    from grader.replay.incidents import Incident
    from grader.replay.watching import Watch


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
        blind = incident is not None and blame.blind(alarm, incident)
        member = "MetricName" if blind else "Threshold"
        return setting_line(stage, watching.logical_ids[alarm.name], member)
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
        if resource is None:
            return f'"{value}"'
        # Ref of a queue is its URL, that of a topic its ARN; metrics go by their names.
        kind = "the URL" if "://" in value else "the ARN" if value.startswith("arn:") else "that"
        return f"{kind} of {resource.logical_id}"

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
