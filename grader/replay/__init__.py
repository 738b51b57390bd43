"""A run as data, and what is made of it.

What enters is what a play left: streams, the mappings' journals, invocations, metrics; what leaves
is the ``labs/run/v1`` document, and pages and traces made of it. A small map, from the bottom up::

    incidents  what metrics looked like, and whether a person had to be woken
    blame      which setting of an alarm to look at; source: which line of a handler
    drawing    charts as SVG, each with its table
    naming     roles for what a run names by generated ids
    attempts   a journal as rows
    scene      what one account left of a play
    run        the document, with its schema
    folding    time without its long pauses
    viewing    what a page shows, worked out once
    page       the page of a run; trace: the same for Perfetto and Chrome

``write`` shows what has happened on a pipeline of one's own as a page::

    from grader import replay

    pipeline.run_for(minutes=5)
    replay.write(pipeline, "out.html")
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.cloud import Pipeline


def write(pipeline: Pipeline, path: Path | str, *, title: str = "") -> Path:
    """Write the page of what has happened on a stack so far, its alarms and whom they told.

    OSError when the file cannot be written. Where AWS would refuse an alarm or what it stands on,
    the page is without alarms and says so.
    """
    from grader.cloud.aws import Refused
    from grader.replay import run
    from grader.replay.page import page
    from grader.replay.scene import Scene
    from grader.replay.watching import watch

    name = title or pipeline.story.title or pipeline.stack.name
    told, watched = [], None
    try:
        found = watch(pipeline.stack)
        watched = found.over(pipeline)
        told = [f"{one} is not shown: {why}" for one, why in found.unplayed.items()]
    except Refused as refusal:
        told = [f"No alarm is shown: AWS would refuse {refusal.resource}: {refusal.message}"]
    scene = Scene.of(pipeline, watched=watched)
    document = run.document([scene], scenario=name, seed=pipeline.seed, told=told)
    place = Path(path)
    place.write_text(page(document), encoding="utf-8")
    return place
