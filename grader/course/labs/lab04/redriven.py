"""What lab 4's criteria expect of the redrive tool: that totals and what it says are right."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from grader.course.criterion import Expect
from grader.course.grade import Finding, Unreached
from grader.course.labs.lab04.scenarios import PAGE
from grader.course.places import source
from grader.course.play.stops import error_text
from grader.course.play.traffic import says
from grader.replay.source import Source

if TYPE_CHECKING:
    from grader.course.labs.lab04.redrive import Redriven
    from grader.course.stage import Stage

REDRIVE = "redrive.py"
# Which line of the tool decides a criterion, read from its code.
Place = Callable[[Source], int | None]


def expect_redriven(
    stage: Stage,
    expect: Expect,
    about: str,
    *,
    rule: str,
    why: str,
    anchor: str,
    pattern: str,
    place: Place | None = None,
    why_numbers: str | None = None,
) -> None:
    """Every note about this leaves the right totals and the right numbers."""
    from grader.course.labs.lab04.redrive import notes_of_the_day, notes_of_yesterday

    older = about in ("trimmed", "payload")
    told = stage.play(notes_of_yesterday if older else notes_of_the_day)
    seen = told[about]
    if about == "trimmed" and all(one.right for one in stage.play(notes_of_the_day)["range"]):
        # Who takes carts for orders loses `redrive-range`, and not this, too.
        seen = seen + told.get("carts", [])
    if seen and seen[0].invocation.init_failed:
        stage.require_readable(error_text(seen[0].invocation))
        stage.stop("tool", _not_started(stage, seen[0]))
    if not seen:
        raise Unreached(_endless(stage, [one for more in told.values() for one in more][-1]))
    for one in seen:
        if one.endless:
            expect(False, partial(_endless, stage, one))
            continue
        expect(
            one.right,
            partial(
                _wrongly_redriven,
                stage,
                one,
                rule,
                why if why_numbers is None or one.said == one.expected else why_numbers,
                anchor,
                pattern,
                place,
            ),
        )


def _wrongly_redriven(
    stage: Stage,
    one: Redriven,
    rule: str,
    why: str,
    anchor: str,
    pattern: str,
    place: Place | None,
) -> Finding:
    expected, observed = _numbers(one.expected), _numbers(one.said)
    result = one.invocation.result
    if result is None or result.kind != "returned":
        observed = error_text(one.invocation)
    elif one.raised:
        observed += f"; replay raised {one.raised}"
    elif one.strange:
        expected += "; the record as Lambda hands it over"
        observed += f"; {one.strange}"
        why = (
            "Lambda hands over plain JSON with the creation time in seconds, the stream's ARN and "
            "the eventID by which the function knows a record. boto3 has a datetime, and no ARN."
        )
    for merchant, (truth, stored) in one.wrong_sums.items():
        expected += f"; {merchant}: {says(truth)}"
        observed += f"; {merchant}: {says(stored)}"
    about = [re.escape(one.strange.split()[0])] if one.strange else []
    if not one.strange and not one.raised and _do_not_add_up(one):
        about = [r"""trimmed["']?\s*[:=]"""]
    tool = source(stage, REDRIVE)
    number = place(tool) if place and not about else None
    if one.raised and "JSON" in one.raised:
        number = tool.naming("dynamodb")
    where = _redrive_line(stage, one, *about, pattern, number=number)
    if one.strange == "" and one.handed and one.said == one.expected:
        why = (
            "The tool has handed over the record as Lambda does, and the function has counted it "
            "twice or not at all: the marker and the total have to be one transaction."
        )
        where = stage.handler_line(r"transact_write_items|update_item|put_item")
    return stage.finding(
        rule=rule,
        input=one.story,
        expected=expected,
        observed=observed,
        why=why,
        where=where,
        page=f"{PAGE}#{anchor}",
    )


def _do_not_add_up(one: Redriven) -> bool:
    """Whether only the last of the three numbers is wrong: the other two are as they should be."""
    if not isinstance(one.said, dict):
        return False
    return [name for name, n in one.expected.items() if one.said.get(name) != n] == ["trimmed"]


def _numbers(said: Any) -> str:
    if not isinstance(said, dict):
        return f"redrive returned {said!r}"
    return ", ".join(f"{name} {said[name]!r}" for name in said) or "redrive returned {}"


def _redrive_line(stage: Stage, one: Redriven, *patterns: str, number: int | None = None) -> str:
    """The line of an error, or this one; otherwise the tool's first that has to do with it."""
    result = one.invocation.result
    if result is not None and result.kind != "returned" and isinstance(result.payload, dict):
        frames = [str(frame) for frame in result.payload.get("stackTrace", [])]
        # A syntax error names its place in its message only.
        for text in [*reversed(frames), str(result.error_message)]:
            found = re.search(rf'{re.escape(REDRIVE)}"?, line (\d+)', text)
            if found:
                return stage.line(REDRIVE, int(found[1]))
    if number is not None:
        return stage.line(REDRIVE, number)
    text = (stage.folder / REDRIVE).read_text(encoding="utf-8")
    for wanted in (*patterns, r"def redrive"):
        for number, line in enumerate(text.splitlines(), start=1):
            if re.search(wanted, line):
                return stage.line(REDRIVE, number)
    return f"{REDRIVE} (no single line can be named)"


def _not_started(stage: Stage, one: Redriven) -> Finding:
    """No note can be redriven by a tool that cannot be imported."""
    return stage.finding(
        rule="The tool can be imported and has a function redrive.",
        input="a note about one order",
        expected=f"{REDRIVE} loads and defines redrive(note, replay)",
        observed=error_text(one.invocation),
        why="A tool that has never been run before the night on which it is needed does not run "
        "in that night either.",
        where=_redrive_line(stage, one, r"def redrive"),
        page=f"{PAGE}#troubleshooting",
    )


def _endless(stage: Stage, last: Redriven) -> Finding:
    """Nothing more is tried with a tool that did not come to an end."""
    return stage.finding(
        rule="The tool comes to an end.",
        input=last.story,
        expected="redrive returns within ten seconds",
        observed="it did not; no further note was tried",
        why="An open shard always has a next iterator, also when there is nothing more to read.",
        where=_redrive_line(
            stage,
            last,
            r"while.*iterator|NextShardIterator",
            number=source(stage, REDRIVE).looping("get_records", endless=True),
        ),
        page=f"{PAGE}#redrive-range",
    )
