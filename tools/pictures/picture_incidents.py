"""The picture of lab 3's incidents: iterator age, and what the solved lab's alarms made of it."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

from picture_draw import Picture

from grader.cloud.function import Nursery
from grader.cloud.metrics import dimensions
from grader.course import lab
from grader.course.labs.lab03 import scenarios
from grader.course.play import paging
from grader.course.stage import Stage
from grader.replay.incidents import MINUTE_MS, Incident, Replay

ROOT = Path(__file__).resolve().parents[2]


def incidents() -> str:
    """Every incident in a row of its own."""
    nursery = Nursery.start()
    try:
        folder = ROOT / "solutions" / "03-monitoring"
        with Stage(folder, lab=lab.find("3"), seed=0, nursery=nursery) as stage:
            watching = stage.play(paging.watch)
            function = stage.stack.resources["TotalsFunction"].physical_id
            rows = [
                (incident, watching.replay(incident), _ages(incident, function), page)
                for group, page in ((scenarios.PAGING, True), (scenarios.SLEEPING, False))
                for incident in map(stage.play, group)
            ]
            return _drawn(rows, watching)
    finally:
        nursery.close()


Ages = list[float | None]


def _ages(incident: Incident, function: str) -> Ages:
    """The highest IteratorAge of each minute, milliseconds; None for a minute without any."""
    minutes = (incident.to_ms - incident.from_ms) // MINUTE_MS
    found: Ages = [None] * minutes
    where = dimensions(FunctionName=function)
    for datum in incident.metrics.find("AWS/Lambda", "IteratorAge", where):
        at = (datum.time_ms - incident.from_ms) // MINUTE_MS
        if 0 <= at < minutes:
            found[at] = max(found[at] or 0, datum.value)
    return found


def _drawn(rows: list[tuple[Incident, Replay, Ages, bool]], watching: paging.Watch) -> str:
    paged = [row for row in rows if row[3]]
    others = sum(1 for _, seen, _, _ in paged if _first(seen, watching) != "TotalsLate")
    picture = Picture(
        "Iterator age in the incidents of lab 3, and who was paged",
        f"{len(rows)} incidents. In {len(paged)} of them a person must be paged, and an alarm "
        "rings in time; the others have to pass without a page, and do. In "
        f"{others} of the {len(paged)} it is not the alarm on iterator age that rings first.",
    )
    picture.text(14, 22, "IteratorAge, and what the alarms made of it", "strong")
    picture.text(14, 38, "▼ it began · dashed: minutes without data", "small soft")
    y = 50.0
    for incident, seen, ages, page in rows:
        y = _row(picture, y, incident, seen, ages, page, watching)
    return picture.svg(y + 4)


def _row(
    picture: Picture, y: float, incident: Incident, seen: Replay, ages: Ages, page: bool,
    watching: paging.Watch,
) -> float:  # fmt: skip
    title = wrap(incident.title, 52)
    picture.lines(14, y + 10, title, "small strong", gap=13)
    top = y + 13 * len(title) + 4
    left, right, bottom = 14.0, 346.0, top + 34
    minutes = len(ages)
    highest = max((age for age in ages if age is not None), default=0.0)
    width = (right - left) / minutes
    picture.line((left, bottom), (right, bottom), kind="faint")
    known: list[tuple[float, float]] = []
    gaps: list[tuple[float, float]] = []
    for at, age in enumerate([*ages, None]):
        if age is not None:
            height = 30 * age / highest if highest else 0
            known.append((left + (at + 0.5) * width, bottom - height))
        else:
            if len(known) == 1:
                (x, high), known = known[0], [*known, known[0]]
                picture.line((x, bottom), (x, high), kind="lineaccent")
            elif known:
                picture.line(*known, kind="lineaccent")
            known = []
            if at < minutes:
                gaps.append((left + at * width, left + (at + 1) * width))
    for first, last in _joined(gaps):
        picture.line((first, bottom + 2), (last, bottom + 2), kind="linebad dash")
    if incident.began_ms is not None:
        x = left + (incident.began_ms - incident.from_ms) / MINUTE_MS * width
        picture.shape((x - 4, top - 2), (x + 4, top - 2), (x, top + 5), kind="bad")
    span = _minutes(minutes)
    known_ages = any(age is not None for age in ages)
    peak = f"highest {_duration(highest)}" if known_ages else "no iterator age at all"
    picture.text(346, bottom + 14, f"{span}; {peak}", "small soft", anchor="end")
    verdict, kind = _verdict(seen, page, watching)
    picture.text(14, bottom + 27, verdict, f"small {kind}")
    return bottom + 40


def _joined(gaps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for first, last in gaps:
        if joined and abs(joined[-1][1] - first) < 0.01:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _minutes(minutes: int) -> str:
    return f"{minutes} min" if minutes < 180 else f"{minutes / 60:.1f} h"


def _duration(milliseconds: float) -> str:
    seconds = milliseconds / 1000
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "below 1 s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _verdict(seen: Replay, page: bool, watching: paging.Watch) -> tuple[str, str]:
    if not page:
        assert not seen.alerts, "the solved lab pages nobody for nothing"
        return "✓ nobody is paged, and nobody has to be", "good"
    assert seen.first is not None and seen.delay_ms is not None
    return f"! {_first(seen, watching)} rings after {seen.delay_ms // MINUTE_MS} min", "wait strong"


def _first(seen: Replay, watching: paging.Watch) -> str:
    return "" if seen.first is None else watching.label(seen.first.alarm)
