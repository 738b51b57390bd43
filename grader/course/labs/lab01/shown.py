"""Lab 1's streams and readings, as pictures show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grader.cloud.clock import START_MS
from grader.replay.scene import Handed, Scene

if TYPE_CHECKING:
    from grader.course.labs.lab01.scenarios import Library


def scene_of(library: Library) -> Scene:
    """The stream and every reading of it so far."""
    known = {record.sequence: record for record in library.records.values()}
    invocations = library.host.invocations
    handed = []
    for number, (made, story) in enumerate(zip(invocations, library.stories, strict=True), 1):
        said = library.said[number - 1].handled if number <= len(library.said) else []
        records = [known[one] for one in said if one in known]
        name = f"reading {number}: {story}"
        handed.append(Handed("reader", name, 1, made, "reader", records, records))
    table = library.stream.table
    return Scene(
        title=library.name,
        kind="reader",
        start_ms=START_MS,
        end_ms=library.clock.now,
        streams={table: library.stream},
        handed=handed,
        functions={"reader": invocations},
        shards={one.id: f"shard {letter}" for letter, one in library.shards.items()},
        roles={table: library.names},
        written={table: list(library.records.values())},
        words=library.words,
    )
