"""Lab 1's `labs run`: a stream, and the reader's requests page by page."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from grader.cloud.clock import START_MS
from grader.course.labs.lab01.changes import changes, in_words
from grader.course.labs.lab01.library import MINUTE_MS, Asked, Said, told_error
from grader.course.labs.lab01.scenarios import (
    Play,
    after_a_day,
    described,
    quiet_hours,
    read_on,
    slow_handling,
    whole_stream,
)

if TYPE_CHECKING:
    from grader.course.stage import Stage

# What a reader prints is shown up to here: a line for each record of the longest scenario, twice.
MOST_PRINTED = 40


def _told(play: Play) -> Iterator[str]:
    """The shards and their records, then each read page by page."""
    library = play.library
    yield "The stream, as it is in the end:"
    for letter, shard in sorted(library.shards.items()):
        parent = f", child of {library.letter(shard.parent_id)}" if shard.parent_id else ""
        state = "open" if shard.ending_sequence is None else "closed"
        names = [name for name in library.records if name[0] == letter]
        yield f"  shard {letter} ({state}{parent}): {', '.join(names) or 'no records'}"
    for said in play.said:
        yield ""
        yield from textwrap.wrap(f"read: {said.story}", 79, subsequent_indent="  ")
        for one, times in _runs(said.asked):
            minutes, milliseconds = divmod(one.time_ms - START_MS, MINUTE_MS)
            when = f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds / 1000:06.3f}"
            again = f" ({times} times in a row)" if times > 1 else ""
            yield f"  {when}  {one.operation:16} {one.shard:2} {one.said}{again}"
        yield from _printed(said)
        handled = f"handled: {library.names_of(said.handled, 40)}"
        yield from textwrap.wrap(handled, 79, initial_indent="  ", subsequent_indent="    ")
        if said.lost:
            yield f"  lost: {', '.join(library.letter(one) for one in said.lost)}"
        yield f"  {'it ended with ' + said.error if said.error else 'it returned a checkpoint'}"


def _printed(said: Said) -> Iterator[str]:
    """What the reader printed during one call."""
    for line in said.printed[:MOST_PRINTED]:
        yield f"  printed: {line.rstrip()}"
    if len(said.printed) > MOST_PRINTED:
        yield f"  and {len(said.printed) - MOST_PRINTED} lines more"


def describe_told(stage: Stage) -> Iterator[str]:
    """Each change, and what the learner's ``describe`` makes of its record."""
    said = stage.play(described).said[0]
    every = changes()
    for at, change in enumerate(every):
        yield change.name
        answer = said.described[at] if len(said.described) == len(every) else {"error": None}
        if "error" in answer:
            failure, line = told_error(answer["error"])
            place = f" in line {line}" if line else ""
            yield f"  it ended with {failure or said.error}{place}"
            continue
        for part, value in answer.items():
            yield from textwrap.wrap(
                f"{part}: {in_words(value)}", 79, initial_indent="  ", subsequent_indent="    "
            )
    yield from _printed(said)


def _runs(asked: Sequence[Asked]) -> Iterator[tuple[Asked, int]]:
    """The requests in their order; those in a row that say the same stand once, with a count."""

    def same_words(one: Asked) -> tuple[str, str, str]:
        return one.operation, one.shard, one.said

    for _, run in groupby(asked, key=same_words):
        alike = list(run)
        yield alike[0], len(alike)


def _tell(scenario: Any) -> Any:
    def tell(stage: Stage) -> Iterator[str]:
        yield from _told(stage.play(scenario))

    return tell


TIMELINES = {
    "whole-stream": _tell(whole_stream),
    "quiet-hours": _tell(quiet_hours),
    "slow-handling": _tell(slow_handling),
    "read-on": _tell(read_on),
    "after-a-day": _tell(after_a_day),
    "describe": describe_told,
}
