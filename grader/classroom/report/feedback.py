"""What a learner reads: a page and a Markdown text with their marks and every finding.

Findings have the fields, the order and the words of ``labs grade -v``, uncut. Nothing of another
learner stands there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from grader.classroom.marks import Mark
from grader.classroom.report import pages
from grader.classroom.report.gradebooks import number
from grader.classroom.settings import Settings
from grader.cloud.words import counted
from grader.course.grade import WORDS, Finding, Outcome
from grader.course.lab import Lab
from grader.replay.drawing import State

STATES: Mapping[str, State] = {
    "met": State(WORDS["met"], "✓", "good"),
    "unmet": State(WORDS["unmet"], "✕", "bad"),
    "unreached": State(WORDS["unreached"], "–", "quiet"),
    "skipped": State(WORDS["skipped"], "·", "quiet"),
    "broken": State(WORDS["broken"], "!", "warn"),
}
# In which order findings are told, as `labs grade -v` does: our own faults last.
OPEN: Sequence[Outcome] = ("unmet", "unreached", "broken")
LABELS = ("rule", "input", "expected", "observed", "why", "where", "next")

_NOTHING: Mapping[str, str] = {
    "missing": "Nothing was handed in.",
    "ungraded": "Handed in, and not graded yet.",
    "refused": "What was handed in could not be taken.",
    "fault": (
        "The grader failed. That is its fault, not yours, and costs you no points: your instructor"
        " knows of it."
    ),
}


@dataclass(frozen=True)
class Told:
    """What one learner is told about one lab, ready for a template."""

    number: int
    title: str
    headline: str
    facts: Sequence[tuple[str, str]]
    command: str
    sentences: Sequence[str]
    criteria: Sequence[Mapping[str, Any]]
    open: Sequence[Mapping[str, Any]]
    advice: Sequence[str]


def feedback(
    settings: Settings, who: str, marks: Sequence[Mark], labs: Mapping[int, Lab]
) -> dict[str, str]:
    """``feedback.html`` and ``feedback.md`` of a learner who is called ``who``, by file name."""
    told = [_lab(settings, mark, labs[mark.lab]) for mark in marks]
    return {
        name: pages.page(name, class_name=settings.name, who=who, labs=told)
        for name in ("feedback.html", "feedback.md")
    }


def _lab(settings: Settings, mark: Mark, lab: Lab) -> Told:
    document = mark.document or {}
    criteria = [
        {**one, "state": STATES[one["outcome"]]}
        for one in document.get("criteria", [])
        if one["outcome"] != "skipped"
    ]
    open_ = [one for one in criteria if one["outcome"] in OPEN]
    open_.sort(key=lambda one: OPEN.index(one["outcome"]))
    return Told(
        number=lab.number,
        title=lab.title,
        headline=headline(mark),
        facts=list(_facts(settings.zone, mark)),
        command=f"labs grade {lab.number} --seed {mark.graded.seed}" if mark.graded else "",
        sentences=list(_sentences(settings, mark)),
        criteria=criteria,
        open=[
            {
                **one,
                "heading": f"{one['id']} (task {one['task']}, {one['points']} points):"
                f" {one['state'].name}",
                "findings": [
                    list(told_fields(finding))
                    for finding in [one["finding"], *one["further"]]
                    if finding
                ],
            }
            for one in open_
        ],
        advice=document.get("advice", []),
    )


def headline(mark: Mark) -> str:
    """The points, and what they come from where they are not simply the grade's."""
    if mark.points is None:
        return _NOTHING.get(mark.state, "No points yet.")
    text = f"{number(mark.points)} of {mark.out_of} points"
    if mark.adjusted:
        return f"{text}, set by your instructor{replaced(mark)}"
    if mark.penalty:
        return f"{text}: {mark.score}, less {number(mark.penalty)} for being late"
    return text


def replaced(mark: Mark) -> str:
    """What an adjustment stands in place of, the deduction included; to go on a sentence with."""
    if mark.score is None:
        return ""
    late = f": {mark.score}, less {number(mark.penalty)} for being late" if mark.penalty else ""
    return f", in place of the {number(mark.score - mark.penalty)} of the grade{late}"


def told_fields(finding: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A finding of a grade's document: label and text of each field, the page with the reason."""
    assert {*LABELS, "page"} == {field.name for field in fields(Finding)}
    for name in LABELS:
        text = finding[name]
        if name == "why" and finding["page"]:
            text = f"{text} (labs docs {finding['page']})"
        if text:
            yield name.capitalize(), text


def _facts(zone: ZoneInfo, mark: Mark) -> Iterator[tuple[str, str]]:
    if mark.hand_in:
        at = mark.hand_in.handed_in_at
        when = moment(at, zone) if at else "at a time that nobody knows, so it is not late"
        yield "Handed in", f"{when} (attempt {mark.hand_in.attempt})"
    if mark.late_by:
        yield "Late by", duration(mark.late_by)
    if mark.graded:
        yield "Seed", str(mark.graded.seed)
        yield "Isolation", mark.graded.tier or "not recorded"
        yield "Course version", mark.graded.course
        yield "Files", f"content {mark.graded.content[:16]}"


def _sentences(settings: Settings, mark: Mark) -> Iterator[str]:
    if mark.refusal:
        yield f"Refused: {mark.refusal.sentence}"
    if mark.adjusted:
        at = moment(mark.adjusted.at, settings.zone)
        yield (
            f"Your instructor set {number(mark.adjusted.points)} points on {at}{replaced(mark)}."
            f" The reason: {mark.adjusted.reason.rstrip('.')}."
        )
    if mark.late_by and not mark.penalty and not mark.adjusted:
        yield (
            "Being late costs no points in this class."
            if settings.late.policy == "none"
            else ("There were no points to take off for being late.")
        )
    if mark.hand_in:
        yield from (f"Noticed when it was taken: {odd}" for odd in mark.hand_in.odd)
    yield from (f"Note: {note}" for note in (mark.document or {}).get("notes", []))


def moment(at: str, zone: ZoneInfo) -> str:
    """A time of the record in the class's zone, which it names."""
    time = datetime.fromisoformat(at)
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


def duration(time: timedelta) -> str:
    """``2 days and 3 hours``; less than a minute is a minute."""
    minutes = max(1, round(time.total_seconds() / 60))
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    parts = [counted(days, "day")] if days else []
    parts += [counted(hours, "hour")] if hours else []
    parts += [counted(minutes, "minute")] if minutes and not days else []
    return " and ".join(parts)
