"""A grade as a page: every finding with the scene that lost it, opened at the moment.

The scenes are the plays whose criteria are lost, each once however many findings lead to it. A page
holds at most `MOST_BYTES`: scenes come in the order of the findings, and what has no room is named
with the command that shows it. What no script shows is there without one: the moment and the
attempt in words, and each scene as pictures and tables. Where a finding has no scene, the lines of
the graded files are shown that it speaks of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from grader.cloud.words import counted
from grader.course.evidence import here
from grader.course.grade import WORDS
from grader.desk import lines
from grader.replay.drawing import scrolled, table
from grader.replay.page import embedded, framed, pictures, text

if TYPE_CHECKING:
    from grader.course.evidence import Evidence, Sight
    from grader.course.grade import Finding, Grade, Verdict

# A megabyte, and room for what stands around the scenes of the largest grade.
MOST_BYTES = 1_000_000
LABELS = {"page": "In the course"}


def page(
    grade: Grade,
    evidence: Evidence,
    *,
    tasks: Mapping[int, str],
    files: Mapping[str, bytes],
    again: str,
) -> str:
    """The HTML of one lab's grade. ``tasks`` are titles by number, ``files`` what was graded,
    ``again`` the command for it.
    """
    lost = [verdict for verdict in grade.asked if verdict.outcome != "met"]
    title = f"Lab {grade.lab}, {grade.slug}: {grade.score} of {grade.max_score} points"
    summary = (
        f"{counted(len(grade.asked), 'criterion', 'criteria')} asked, "
        f"{len(grade.asked) - len(lost)} met; seed {grade.seed}. Times are virtual, from each "
        "play's start."
    )
    asked = f"<section><h2>What was asked</h2>{_asked(grade, tasks)}</section>"
    without = asked + _findings(grade, evidence, {}, files, again)
    room = MOST_BYTES - len(framed(title, summary, without).encode())
    drawn: dict[int, str] = {}
    data: dict[int, str] = {}
    for number in _in_order(lost, evidence):
        picture = _scene(number, evidence)
        packed = embedded(evidence.documents[number], kind="scene")
        # A scene is not cut: it is shown whole or named.
        size = len((picture + packed).encode())
        if size <= room:
            drawn[number], data[number] = picture, packed
            room -= size
    body = asked + _findings(grade, evidence, drawn, files, again)
    if drawn:
        body += "<h2>The scenes</h2>" + "".join(drawn.values())
    return framed(title, summary, body, "".join(data.values()), looks=lines.LOOKS)


def _asked(grade: Grade, tasks: Mapping[int, str]) -> str:
    rows = [
        [
            one.criterion.id,
            f"{one.criterion.task}: {tasks.get(one.criterion.task, '')}".rstrip(": "),
            one.criterion.goal,
            WORDS[one.outcome],
            f"{one.score} of {one.criterion.points}",
        ]
        for one in grade.asked
    ]
    headings = ("criterion", "task", "what has to be so", "outcome", "points")
    links = ", ".join(
        f'<a href="#{text(one.criterion.id)}">{text(one.criterion.id)}</a>'
        for one in grade.asked
        if one.outcome != "met"
    )
    return scrolled("What was asked", table(headings, rows)) + (
        f"<p>Below: {links}.</p>" if links else ""
    )


def _in_order(lost: list[Verdict], evidence: Evidence) -> Iterator[int]:
    """The documents that findings lead to: what is not met first, each once."""
    ordered = sorted(lost, key=lambda one: one.outcome != "unmet")
    sights = [sight for one in ordered for sight in evidence.sights.get(one.criterion.id, ())]
    yield from dict.fromkeys(sight.document for sight in sights if sight is not None)


def _findings(
    grade: Grade,
    evidence: Evidence,
    drawn: Mapping[int, str],
    files: Mapping[str, bytes],
    again: str,
) -> str:
    parts = []
    places = {number: place for place, number in enumerate(drawn)}
    for one in grade.asked:
        if one.outcome == "met":
            continue
        criterion = one.criterion
        parts.append(
            f'<section class="lost" id="{text(criterion.id)}"><h2>{text(criterion.id)}: '
            f"{WORDS[one.outcome]}</h2><p>{text(criterion.goal)} (task {criterion.task}, "
            f"{counted(criterion.points, 'point')})</p>"
        )
        findings = [*([one.finding] if one.finding else []), *one.further]
        sights = evidence.sights.get(criterion.id) or [None] * len(findings)
        for number, (finding, sight) in enumerate(zip(findings, sights, strict=True), start=1):
            if number > 1:
                parts.append(f"<h3>Finding {number}</h3>")
            parts.append(_finding(finding))
            if sight is None:
                parts.append(lines.around(finding.where, files, f"{criterion.id} {number}"))
            else:
                shown = places.get(sight.document)
                command = f"{again} --only {criterion.id} --open"
                parts.append(_sight(sight, evidence, shown, command))
        parts.append("</section>")
    notes = [f"<p>{text(note)}</p>" for note in grade.notes]
    notes += [f"<p>Advice (costs no points): {text(one)}</p>" for one in grade.advice]
    if notes:
        parts.append(f"<section><h2>Notes</h2>{''.join(notes)}</section>")
    return "".join(parts) or "<p>Every criterion is met.</p>"


def _finding(finding: Finding) -> str:
    rows = []
    for one in fields(finding):
        value = str(getattr(finding, one.name))
        if one.name == "page":
            value = f"labs docs {value}" if value else ""
        if value:
            name = LABELS.get(one.name, one.name.capitalize())
            rows.append(f"<dt>{name}</dt><dd>{text(value)}</dd>")
    return f"<dl>{''.join(rows)}</dl>"


def _sight(sight: Sight, evidence: Evidence, shown: int | None, command: str) -> str:
    """Where to look, in words and as what opens the scene there."""
    document = evidence.documents[sight.document]
    play = document["plays"][sight.play]
    name = text(play["title"] or document["scenario"])
    words = "".join(f"<p>{text(line)}</p>" for line in here(play, sight))
    if shown is None:
        left = f"<p>This page has no room for the scene: <code>{text(command)}</code></p>"
        return f'<div class="sight"><h3>The scene: {name}</h3>{words}{left}</div>'
    batch = "" if sight.batch is None else f' data-batch="{sight.batch}"'
    opening = (
        f'<details class="scene" hidden data-run="{shown}" data-play="{sight.play}" '
        f'data-at="{sight.at}"{batch}><summary>Step through it from there</summary></details>'
    )
    link = f'<p><a href="#scene-{sight.document}">As pictures and tables</a></p>'
    return f'<div class="sight"><h3>The scene: {name}</h3>{words}{opening}{link}</div>'


def _scene(number: int, evidence: Evidence) -> str:
    return f'<div id="scene-{number}">{pictures(evidence.documents[number])}</div>'
