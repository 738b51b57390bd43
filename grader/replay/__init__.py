"""A run as data, and what is made of it.

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
    """Write the page of what has happened on a stack so far; alarms are not in it.

    OSError when the file cannot be written.
    """
    from grader.replay import run
    from grader.replay.page import page
    from grader.replay.scene import Scene

    name = title or pipeline.story.title or pipeline.stack.name
    document = run.document([Scene.of(pipeline)], scenario=name, seed=pipeline.seed)
    place = Path(path)
    place.write_text(page(document), encoding="utf-8")
    return place
