"""What a grade's findings speak of: the plays that lost a criterion, and where to look in them.

`gather` reads what the stage's plays left (``course.play.recording``) once a grade is decided. Each
play is one `labs/run/v1` document however many findings lead to it. Where a finding names an
invocation or a moment, that is where to look; otherwise what it names by role decides (a record, a
merchant, an alarm). A criterion's first finding gets a place of its play in any case: the first
attempt that did not end well, or its end. Nothing is judged here, and a finding without a play has
no place to look at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from grader.course.play.paging import watch
from grader.course.play.recording import of_incident, of_pipeline
from grader.replay import run as replay
from grader.replay import viewing
from grader.replay.incidents import Incident
from grader.replay.naming import clock
from grader.replay.watching import Watch

if TYPE_CHECKING:
    from grader.cloud.function import Invocation
    from grader.course.grade import Finding, Verdict
    from grader.course.stage import Stage
    from grader.replay.scene import Scene


@dataclass(frozen=True)
class Sight:
    """Where to look for a finding: places in `Evidence.documents` and in that one's plays.

    ``at`` is in milliseconds since the play's start, ``batch`` an attempt's id in the document,
    ``why`` what is there.
    """

    document: int
    play: int
    at: int
    why: str
    batch: int | None = None


@dataclass(frozen=True)
class Evidence:
    """Documents of plays, and by a criterion's id where to look for each of its findings."""

    documents: Sequence[dict[str, Any]]
    sights: Mapping[str, Sequence[Sight | None]]


@dataclass(frozen=True)
class _Seen:
    """One scene, its play in a document, and where both stand."""

    document: int
    number: int
    scene: Scene
    play: dict[str, Any]


def gather(stage: Stage, verdicts: Sequence[Verdict]) -> Evidence:
    """The plays of every criterion that is not met, each once; the stage is still open."""
    documents: list[dict[str, Any]] = []
    known: dict[Hashable, list[_Seen]] = {}
    sights = {}
    for verdict in verdicts:
        if verdict.finding is None or verdict.outcome == "broken":
            continue
        seen: list[_Seen] = []
        for name in _plays(stage, verdict.criterion):
            if name not in known:
                known[name] = _played(stage, name, documents)
            seen += known[name]
        sights[verdict.criterion.id] = [
            _sight(stage, verdict.criterion.id, finding, seen, guess=number == 0)
            for number, finding in enumerate((verdict.finding, *verdict.further))
        ]
    return Evidence(documents, sights)


def _played(stage: Stage, name: Hashable, documents: list[dict[str, Any]]) -> list[_Seen]:
    """The scenes of a play, whose document is added; none where nothing happened."""
    scenes = _scenes(stage, name)
    document = replay.document(
        scenes,
        lab=stage.lab.number,
        slug=stage.lab.slug,
        scenario=str(getattr(name, "id", name)).replace("_", " "),
        seed=stage.seed,
    )
    if not any(one["records"] or one["invocations"] or one["metrics"] for one in document["plays"]):
        return []
    documents.append(document)
    pairs = zip(scenes, document["plays"], strict=True)
    return [_Seen(len(documents) - 1, number, *pair) for number, pair in enumerate(pairs)]


def _plays(stage: Stage, asked: Hashable) -> list[Hashable]:
    """Whoever asked for plays, those plays and what they asked for themselves, each once."""
    found: dict[Hashable, None] = {}
    waiting = [asked]
    while waiting:
        name = waiting.pop(0)
        if name not in found and name in stage.left:
            found[name] = None
            waiting += stage.left[name].within
    return list(found)


def _scenes(stage: Stage, name: Hashable) -> list[Scene]:
    left = stage.left[name]
    found = [of_pipeline(one) for one in left.opened] + [make() for make in left.shown]
    incident, watching = stage.outcome(name), stage.outcome(watch.__name__)
    if not (isinstance(incident, Incident) and isinstance(watching, Watch)):
        return found
    scene = of_incident(watching, watching.replay(incident))
    for number, pipeline in enumerate(left.opened):
        # An incident that was played here is shown with all that was played.
        if pipeline.metrics is incident.metrics:
            moments = [*found[number].moments, *scene.moments]
            found[number] = replace(
                found[number],
                title=scene.title,
                story=scene.story,
                moments=moments,
                figures=scene.figures,
            )
            return found
    return [*found, scene]


Place = tuple[int, str, int | None]


# -- where to look ---------------------------------------------------------------------------------


def _sight(
    stage: Stage, criterion: str, finding: Finding, every: Sequence[_Seen], *, guess: bool
) -> Sight | None:
    """Where to look; only with ``guess`` also where nothing that the finding names says it."""
    pointed = stage.pointed.get((criterion, finding.rule, finding.input))
    text = f"{finding.observed}\n{finding.expected}\n{finding.input}"
    named = [one for one in every if one.play["title"] and _says(text, one.play["title"])]
    ordered = named + [one for one in every if one not in named]
    named_by: list[Callable[[_Seen], Place | None]] = [
        lambda one: _invocation(one, pointed),
        lambda one: _moment(one, pointed),
        lambda one: _record(one, text),
        lambda one: _merchant(one, finding.observed.partition(":")[0]),
        lambda one: _alarm(one, text),
    ]
    guesses = [_incident, _failed, _end] if guess else []
    for way in [*named_by, *guesses]:
        for one in ordered:
            if (place := way(one)) is not None:
                at, why, batch = place
                return Sight(one.document, one.number, at, why, batch)
    return None


def _says(text: str, words: str) -> bool:
    """Whether a text holds these words as they stand, in whatever case."""
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, re.IGNORECASE) is not None


def _invocation(one: _Seen, pointed: Invocation | int | None) -> Place | None:
    if pointed is None or isinstance(pointed, int):
        return None
    for function, invocations in one.scene.functions.items():
        if any(pointed is known for known in invocations):
            row = next(
                row
                for row in one.play["invocations"]
                if (row["function"], row["number"]) == (function, pointed.number)
            )
            at = row["start"] if row["end"] is None else row["end"]
            return at, f"invocation {pointed.number} of {function}", row["batch"]
    return None


def _moment(one: _Seen, pointed: Invocation | int | None) -> Place | None:
    if not isinstance(pointed, int) or not one.scene.start_ms <= pointed <= one.scene.end_ms:
        return None
    return pointed - one.scene.start_ms, "the moment that the finding speaks of", None


def _record(one: _Seen, text: str) -> Place | None:
    """What became of the first record that a text names by its role."""
    places = {
        text.find(record["name"]): record
        for record in reversed(one.play["records"])
        if record["name"] in text
    }
    return _end_of(one, places[min(places)]) if places else None


def _merchant(one: _Seen, key: str) -> Place | None:
    """What became of the last record whose item's key has this part."""
    mine = [record for record in one.play["records"] if key in record["item"].split(" / ")]
    return _end_of(one, mine[-1]) if mine else None


def _end_of(one: _Seen, record: dict[str, Any]) -> Place:
    why = f"what became of {record['name']}"
    ended = [fate for fate in record["fates"] if fate["at"] is not None]
    if ended:
        return ended[-1]["at"], why, ended[-1]["batch"]
    tries = [
        batch
        for batch in one.play["batches"]
        if any(first <= record["id"] <= last for first, last in batch["records"])
    ]
    if not tries:
        return one.play["length"], why, None
    last = tries[-1]
    return one.play["length"] if last["end"] is None else last["end"], why, last["id"]


def _alarm(one: _Seen, text: str) -> Place | None:
    """Where the first alarm that a text names rings first."""
    for alarm in one.play["alarms"]:
        rings = [change[0] for change in alarm["states"] if change[1] == "ALARM"]
        if rings and _says(text, alarm["name"]):
            return rings[0], f"{alarm['name']} goes into ALARM", None
    return None


def _incident(one: _Seen) -> Place | None:
    """The last moment of an incident: by then a person must have been paged."""
    # A stack's own play has figures only where it is an incident, too.
    if not (one.play["figures"] and one.play["moments"]):
        return None
    last = one.play["moments"][-1]
    return last["at"], last["what"], None


def _failed(one: _Seen) -> Place | None:
    for batch in one.play["batches"]:
        if viewing.key_of(batch) not in ("done", "running"):
            at = batch["start"] if batch["end"] is None else batch["end"]
            return at, "the first attempt that did not end well", batch["id"]
    return None


def _end(one: _Seen) -> Place:
    return one.play["length"], "the end of the play", None


def here(play: dict[str, Any], sight: Sight) -> Iterator[str]:
    """What a sight shows, in words: the moment, and the attempt as the journal tells it."""
    yield f"At {clock(sight.at)}: {sight.why}."
    if sight.batch is not None:
        batch = play["batches"][sight.batch - 1]
        told = viewing.ATTEMPTS[viewing.key_of(batch)].name
        yield f"{viewing.called(batch)}: {told}."
