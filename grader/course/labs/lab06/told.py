"""What `labs run 6` tells: both days as an incident review, and the bill line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from grader.course.labs.lab06 import bill as lab06_bill
from grader.course.labs.lab06.scenarios import Day, all_at_once, one_by_one, paged
from grader.course.play.paging import watch
from grader.course.play.traffic import says
from grader.replay.incidents import MINUTE_MS

if TYPE_CHECKING:
    from grader.course.stage import Stage


def _told(stage: Stage, scenario: Callable[[Stage], Day], story: str) -> Iterator[str]:
    """A day as an incident review: trouble, pages, and what was left in the evening."""
    seen = paged(stage, scenario)
    watching = stage.play(watch)
    day = seen.day
    yield story
    yield ""
    lines: list[tuple[int, str]] = []
    for trouble in day.troubles:
        needs = "" if trouble.pages else " (nobody has to be paged)"
        lines.append((trouble.began_ms, f"TROUBLE  {trouble.title}{needs}"))
        if trouble.over_ms > trouble.began_ms:
            lines.append((trouble.over_ms, f"over     {trouble.kind}"))
        if trouble.pages and seen.told(trouble) is None:
            wolf = seen.cried(trouble)
            why = "" if wolf is None else f" ({watching.label(wolf.alarm)} rings for nothing, too)"
            lines.append((trouble.page_by_ms, f"MISSED   nobody was told of: {trouble.kind}{why}"))
    heard = set(seen.heard)
    for alert in seen.alerts:
        whom = "a person is told" if alert in heard else "it reaches nobody"
        lines.append((alert.time_ms, f"page     {watching.label(alert.alarm)} rings; {whom}"))
    for moment, line in sorted(lines, key=lambda one: one[0]):
        elapsed = (moment - day.from_ms) // MINUTE_MS
        yield f"+{elapsed // 60}:{elapsed % 60:02}  {line}"
    yield ""
    yield f"In the evening {len(day.redriven)} records were replayed that the notes name."
    wrong = [one for one in day.left if one.expected != one.observed]
    for one in wrong:
        fate = "lost" if one.lost else "counted too much"
        yield f"{one.merchant}: {fate}. Expected {says(one.expected)}; it says {says(one.observed)}"
    if not wrong:
        yield "Every total is right."


def monday_told(stage: Stage) -> Iterator[str]:
    """The day on which one trouble comes after the other."""
    yield from _told(stage, one_by_one, "Monday: one trouble after the other. Hours and minutes.")


def friday_told(stage: Stage) -> Iterator[str]:
    """The afternoon on which they overlap."""
    yield from _told(
        stage, all_at_once, "Friday: the next trouble begins before the last one is over."
    )


TIMELINES = {"friday": friday_told, "monday": monday_told, "bill": lab06_bill.told}
