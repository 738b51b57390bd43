"""The debrief: one page on a drill that is over, made from what was asked and what survived.

It says where the minutes went, what could be known when, what a calm colleague would have typed,
and shows the replay with the learner's calls on its axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from grader.cloud.words import counted
from grader.course.grade import WORDS, Grade
from grader.replay import run
from grader.replay.drawing import scrolled, table
from grader.replay.page import embedded, framed, pictures, text
from grader.sandbox import replayed
from grader.sandbox.oncall import handout, judge
from grader.sandbox.oncall.drill import CAUSES, OBJECTIVE_MIN
from grader.sandbox.oncall.shift import MINUTE_MS, SHIPMENTS, Act, Shift

if TYPE_CHECKING:
    from grader.sandbox.oncall.duty import Duty

# In its first minutes an account is only set up for its drill.
SET_UP_MIN = 40
# What is the same call again and again, such as pages of a stream, is told once in a row.
Known = tuple[float, str, str]


def page(duty: Duty) -> str:
    """The HTML of a drill that has been judged."""
    shift, grade = duty.shift, duty.grade
    assert grade is not None, "a drill is judged before it is looked at again"
    drill = shift.drill
    scene = replace(replayed.scene(shift.world, title=drill.title), moments=_moments(shift))
    document = run.document([scene], scenario=drill.title, seed=shift.seed)
    title = f"On call: {drill.title}, {grade.score} of {grade.max_score} points"
    causes = " ".join(CAUSES[one] for one in drill.causes)
    summary = f"{causes} Seed {shift.seed}. Minutes count from the page."
    body = "".join(
        (
            _section("What counted", _counted(grade)),
            _section("Where the minutes went", _minutes(duty)),
            _section("What was known when", _known(shift)),
            _section("What a calm colleague would have typed", _calm(shift)),
            _findings(grade),
            '<h2>The replay</h2><div id="viewer"></div>',
            pictures(document),
        )
    )
    return framed(title, summary, body, embedded(document))


def _section(title: str, content: str) -> str:
    return f"<section><h2>{text(title)}</h2>{content}</section>"


def _table(name: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return scrolled(name, table(headings, list(rows)))


def _counted(grade: Grade) -> str:
    rows = [
        (
            one.criterion.id,
            one.criterion.goal,
            WORDS[one.outcome],
            f"{one.score} of {one.criterion.points}",
        )
        for one in grade.verdicts
    ]
    notes = "".join(f"<p>{text(one)}</p>" for one in grade.notes)
    return _table("What counted", ("criterion", "what has to be so", "outcome", "points"), rows) + (
        notes
    )


def _findings(grade: Grade) -> str:
    parts = []
    for one in grade.verdicts:
        if one.finding is None:
            continue
        for finding in (one.finding, *one.further):
            values = {field.name: str(getattr(finding, field.name)) for field in fields(finding)}
            values["page"] = f"labs docs {finding.page}"
            rows = "".join(
                f"<dt>{text(name.capitalize())}</dt><dd>{text(value)}</dd>"
                for name, value in values.items()
            )
            heading = f"{one.criterion.id}: {WORDS[one.outcome]}"
            parts.append(f"<section><h2>{text(heading)}</h2><dl>{rows}</dl></section>")
    return "".join(parts)


# -- minutes ---------------------------------------------------------------------------------------


def back_min(shift: Shift) -> float | None:
    """The minute after which no order waited for longer than promised; None: not in time.

    Judged to the end of the drill's time.
    """
    items = shift.cloud.account.items(shift.physical(SHIPMENTS))
    shipped = {str(one["id"]): int(one["shipped_at"]) * 1000 for one in items}
    last = 0.0
    for one in shift.placed.values():
        promised = one.time_ms + OBJECTIVE_MIN * MINUTE_MS
        if not one.good or promised > shift.until_ms:
            continue
        ended = shipped.get(one.id, shift.until_ms + 1)
        if ended > promised:
            last = max(last, (ended - shift.page_ms) / MINUTE_MS)
    return None if last * MINUTE_MS > shift.until_ms - shift.page_ms else last


def _minutes(duty: Duty) -> str:
    shift = duty.shift
    # What happens before the shop opens is no trouble: it is how this shop is.
    opens = SET_UP_MIN - shift.drill.before_min
    begun = [one.minute for one in shift.drill.happens if not one.after and one.minute > opens]
    looks = [_minute(shift, one) for one in shift.acts if one.looks]
    changes = [_minute(shift, one) for one in shift.acts if not one.looks and not one.refused]
    back = back_min(shift)
    named = None
    if shift.named_ms is not None:
        named = (shift.named_ms - shift.page_ms) / MINUTE_MS
    marks: list[tuple[str, float | None]] = [
        ("it began", max(begun, default=None)),
        ("the page", 0.0),
        ("the first look", min(looks, default=None)),
        ("the first change", min(changes, default=None)),
        ("the last change", max(changes, default=None)),
        ("the shop keeps its promise", back),
        ("done, and the cause named", named),
    ]
    if marks[0][1] is None:
        del marks[0]  # nobody did anything: the business grew, or an order was odd
    # In the order in which it came, what never came last.
    marks.sort(key=lambda mark: (mark[1] is None, mark[1] or 0.0))
    before: float | None = None
    rows = []
    for name, minute in marks:
        if minute is None:
            rows.append((name, "never", ""))
            continue
        took = "" if before is None else _took(minute - before)
        rows.append((name, _at(minute), took))
        before = minute
    told = _table("Where the minutes went", ("what", "minute", "after the row above"), rows)
    breaks = duty.stands.breaks_s
    if breaks:
        whole = sum(breaks) / 60
        times, minutes = counted(len(breaks), "time"), counted(round(whole), "minute")
        told += f"<p>Time stood still {times}, {minutes} in all.</p>"
    if duty.stands.hints:
        told += f"<p>Hints seen: {duty.stands.hints} of {len(shift.drill.hints)}.</p>"
    return told


def _at(minute: float) -> str:
    """A minute after the page; before it, how long before."""
    return (
        str(round(minute)) if round(minute) >= 0 else f"{handout.spell(-minute * MINUTE_MS)} before"
    )


def _took(minutes: float) -> str:
    return handout.spell(minutes * MINUTE_MS) if minutes >= 0.5 else "at once"


def _minute(shift: Shift, act: Act) -> float:
    return (act.time_ms - shift.page_ms) / MINUTE_MS


# -- what was known --------------------------------------------------------------------------------


def _known(shift: Shift) -> str:
    rows = sorted(_events(shift), key=lambda one: one[0])
    told = [(_at(minute), who, what) for minute, who, what in rows]
    return _table("What was known when", ("minute", "who", "what"), told)


def _events(shift: Shift) -> Iterator[Known]:
    for happening in shift.drill.happens:
        if not happening.after:
            yield happening.minute, "nobody knew", happening.told
    since = shift.page_ms - 60 * MINUTE_MS
    # What rang when the telephone did, however long it had been red; then each change.
    known = [change for _, change in shift.page() if change.time_ms < since]
    known += [change for change in shift.world.alarms.history if change.time_ms >= since]
    for change in known:
        if change.alarm in shift.alarms and change.new != "INSUFFICIENT_DATA":
            minute = (change.time_ms - shift.page_ms) / MINUTE_MS
            yield minute, "the alarms", f"{shift.alarms[change.alarm]} is {change.new}"
    yield from _own(shift)
    if shift.named_ms is not None:
        minute = (shift.named_ms - shift.page_ms) / MINUTE_MS
        yield minute, "you", f"done, because of {', '.join(shift.named)}"


def _own(shift: Shift) -> Iterator[Known]:
    before = ""
    for act in shift.acts:
        called = f"{act.service} {act.operation}"
        if act.looks and called == before:
            continue
        before = called if act.looks else ""
        told = judge.told(shift, act).partition(": ")[2]
        what = "looked" if act.looks else "tried" if act.refused else "changed"
        yield _minute(shift, act), f"you {what}", told


def _moments(shift: Shift) -> list[tuple[int, str]]:
    """What happened and what the learner changed, for the replay's axis."""
    found = [
        (shift.page_ms + round(one.minute * MINUTE_MS), one.told)
        for one in shift.drill.happens
        if not one.after
    ]
    found.append((shift.page_ms, "The telephone rings."))
    for act in shift.acts:
        if not act.looks and not act.refused:
            found.append((act.time_ms, judge.told(shift, act).partition(": ")[2]))
    if shift.named_ms is not None:
        found.append((shift.named_ms, f"Done, because of {', '.join(shift.named)}."))
    found.append((shift.until_ms, "The drill's time is over."))
    return found


def _calm(shift: Shift) -> str:
    typed = "\n".join(shift.drill.calm)
    read = f"<p>Read on: <code>labs docs {text(shift.drill.page)}</code></p>"
    return f"<pre>{text(typed)}</pre>{read}"
