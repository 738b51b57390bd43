"""What the plays of one player left, for whoever shows a run: see `grader.replay.scene`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import notifications
from grader.course.play.paging import told
from grader.replay.scene import Figure, Scene, Watched
from grader.replay.watching import watch

if TYPE_CHECKING:
    from grader.cloud import Pipeline
    from grader.course.play.player import Player
    from grader.replay.incidents import Replay
    from grader.replay.watching import Watch


def scenes(player: Player) -> list[Scene]:
    """Every play so far: stacks in the order of their deployment, then what else there is."""
    return [of_pipeline(one) for one in player.opened] + [make() for make in player.shown]


def of_pipeline(pipeline: Pipeline) -> Scene:
    """A play on a deployed stack, with its alarms where AWS would take them."""
    try:
        return Scene.of(pipeline, watched=watch(pipeline.stack).over(pipeline))
    except Refused:
        return Scene.of(pipeline)


def of_incident(watching: Watch, seen: Replay) -> Scene:
    """An incident that alarms watched."""
    incident = seen.incident
    moments = [
        (incident.began_ms, "something is wrong"),
        (incident.page_by_ms, "a person must have been paged"),
    ]
    return Scene(
        title=incident.title,
        kind="incident",
        start_ms=incident.start_ms,
        end_ms=incident.to_ms,
        story=incident.story,
        metrics=incident.metrics,
        watched=Watched(
            watching.alarms,
            watching.logical_ids,
            seen.transitions,
            notifications(seen.transitions, watching.alarms, watching.subscriptions),
        ),
        moments=[(moment, what) for moment, what in moments if moment is not None],
        figures=[Figure("what the alarms made of it", told(seen, watching.label))],
    )
