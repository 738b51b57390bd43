"""The player of module 3: one alarm on lag over the incidents of lab 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from player_model import Player, Question, Switch

from grader.cloud import Nursery
from grader.cloud.cloudwatch import MetricAlarm, notifications
from grader.cloud.metrics import Metrics, dimensions
from grader.course import lab
from grader.course.labs.lab03 import scenarios
from grader.course.play import paging
from grader.course.stage import Stage
from grader.replay import incidents
from grader.replay.incidents import MINUTE_MS, Incident, Replay
from grader.replay.scene import Figure, Scene, Watched

SOLUTION = Path(__file__).resolve().parents[2] / "solutions" / "03-monitoring"
ALARM, METRIC = "TotalsLate", "IteratorAge"
NAMES = {
    "a bad order": "bad-order",
    "a slow service": "slow-downstream",
    "one slow shard": "one-slow-shard",
    "throttled function": "throttled-function",
    "throttled table": "throttled-table",
    "silent mapping": "silent-mapping",
    "reported failures": "partial-failures",
    "a burst": "burst",
    "a deployment": "deploy-blip",
    "an idle night": "idle-night",
    "a quiet day": "healthy-day",
}


@dataclass(frozen=True)
class _Played:
    """Every incident by its name, the alarm's properties, and whose metric it looks at."""

    incidents: Mapping[str, Incident]
    properties: Mapping[str, Any]
    watch: paging.Watch
    function: str


@cache
def _played() -> _Played:
    """Lab 3's solution in its incidents, played once."""
    nursery = Nursery.start()
    try:
        with Stage(SOLUTION, lab=lab.find("3"), seed=0, nursery=nursery) as stage:
            found = [stage.play(scenario) for scenario in (*scenarios.PAGING, *scenarios.SLEEPING)]
            resources = stage.stack.resources
            return _Played(
                {one.name: one for one in found},
                resources[ALARM].properties,
                stage.play(paging.watch),
                resources[paging.FUNCTION].physical_id,
            )
    finally:
        nursery.close()


def alarm(name: str, threshold_s: int, points: tuple[int, int], missing: str) -> Scene:
    """One incident, watched by one alarm with these settings."""
    played = _played()
    incident = played.incidents[name]
    properties = {
        **played.properties,
        "Threshold": threshold_s * 1000,
        "DatapointsToAlarm": points[0],
        "EvaluationPeriods": points[1],
        "TreatMissingData": missing,
    }
    made = MetricAlarm.parse(properties, name=ALARM)
    seen = incidents.replay(incident, [made], played.watch.subscriptions)
    moments = [
        (incident.began_ms, "the trouble begins"),
        (incident.page_by_ms, "by now a person must have been told"),
    ]
    return Scene(
        title=incident.title,
        kind="incident",
        start_ms=incident.from_ms,
        end_ms=incident.to_ms,
        story=incident.story,
        metrics=_ages(incident, played.function),
        watched=Watched(
            [made],
            {ALARM: ALARM},
            seen.transitions,
            notifications(seen.transitions, [made], played.watch.subscriptions),
        ),
        moments=[(at, what) for at, what in moments if at is not None],
        ids={played.function: paging.FUNCTION},
        figures=[*_judged(incident, seen)],
    )


def _ages(incident: Incident, function: str) -> Metrics:
    """What the alarm looks at, from the moment on at which the incident is shown."""
    found = Metrics()
    of = dimensions(FunctionName=function)
    for one in incident.metrics.find("AWS/Lambda", METRIC, of):
        if incident.from_ms <= one.time_ms <= incident.to_ms:
            found.put("AWS/Lambda", METRIC, one.value, one.time_ms, unit="Milliseconds", dims=of)
    return found


def _judged(incident: Incident, seen: Replay) -> list[Figure]:
    """What the alarm did, and what it should have done."""
    rang = [one for one in seen.alerts if one.state == "ALARM"]
    asked = "nobody" if incident.page_by_ms is None else "a person, by mark 2"
    if not rang:
        told = "stays quiet"
    else:
        since = incident.from_ms if incident.began_ms is None else incident.began_ms
        minutes = (rang[0].time_ms - since) / MINUTE_MS
        after = "the play begins" if incident.began_ms is None else "the trouble begins"
        told = f"rings {minutes:.0f} min after {after}"
        if minutes < 0:
            told = f"rings {-minutes:.0f} min before the trouble begins"
        if len(rang) > 1:
            told += f", {len(rang)} times in all"
    right = seen.in_time if incident.page_by_ms is not None else not rang
    return [
        Figure("the alarm", told, "", right and not seen.false_alerts),
        Figure("has to be told", asked),
    ]


ALARMS = Player(
    id="alarms",
    page="modules/03-monitoring",
    title="One alarm on lag, eleven incidents",
    about="TotalsLate on IteratorAge, Maximum of a minute, with settings of yours. In the first "
    "seven incidents there is trouble: it begins at mark 1, and by mark 2 a person must have been "
    "told. In the last four there is none, and nobody may be told: a burst of orders that is "
    "worked off in time; a deployment at which two invocations die, and their retries succeed; a "
    "night in which nobody orders; a day with up to three quarters of an hour between orders, and "
    "an import at eleven. ✓ stands for what was right.",
    switches=[
        Switch("Incident", list(NAMES.items())),
        Switch("Threshold", [("1 min", 60), ("3 min", 180)]),
        Switch("Minutes above it", [("1 of 1", (1, 1)), ("3 of 5", (3, 5))]),
        Switch(
            "Missing data",
            [(one, one) for one in ("notBreaching", "breaching", "ignore", "missing")],
        ),
    ],
    first=["a slow service", "3 min", "3 of 5", "notBreaching"],
    play=alarm,
    picture="Iterator age climbs in a straight line after the service became slow; the alarm goes "
    "from OK to ALARM when three of five minutes are above three minutes.",
    question=Question(
        "Missing data is breaching. Of the four incidents without trouble: in which does the alarm "
        "ring whatever the threshold and the minutes above it?",
        "In the idle night, on the quiet day, and between the orders of the deployment: without "
        "work there is no iterator age. In the night, with 3 of 5, it rings two minutes after the "
        "play begins.",
        ["an idle night", "3 min", "3 of 5", "breaching"],
        "rings 2 min after the play begins, 2 times in all",
    ),
)
