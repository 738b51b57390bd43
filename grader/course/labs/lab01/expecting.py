"""What lab 1's criteria expect of the learner's reader: records handled once, changes described."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from grader.course.criterion import Expect
from grader.course.grade import Finding
from grader.course.labs.lab01 import changes
from grader.course.labs.lab01.endless import READER

if TYPE_CHECKING:
    from grader.course.labs.lab01.library import Said
    from grader.course.labs.lab01.scenarios import Play
    from grader.course.stage import Stage

PAGE = "modules/01-stream-setup"

# -- what was handled ------------------------------------------------------------------------------

# Which line of the reader to look at for what went wrong: the first pattern that is in it, and how
# many lines below.
LINES = {
    "describe": ((r"for .*\brange\(", 0), (r"LastEvaluatedShardId", 0), (r"describe_stream", 0)),
    "order": (
        (r"\.sort\(|\bsorted\(\w*(shards|parents)\b(?! -)", 0),
        (r"for \w+ in (list\()?(shards|parents)\b(?!\.)", 0),
        (r"for \w+ in .*(shards|parents|ordered)", 0),
    ),
    "missing": ((r"LATEST", 0), (r"get_shard_iterator", 0)),
    "again": ((r"^    return .*\blost\b", 0), (r"get_shard_iterator", 0)),
    "behind": ((r"""["']AT_SEQUENCE""", 0), (r"get_shard_iterator", 0)),
    "next": ((r"NextShardIterator", 0),),
    "empty": (
        (r"^[A-Z_]+ *= *[1-4]$", 0),
        (r"(?i)\bempty *\+=|\bempty = .*(else|\+)", 0),
        (r"(?i)empty", 0),
        (r"NextShardIterator", 0),
    ),
    "expired": ((r"except .*ExpiredIterator", 1), (r"get_records", 0)),
    "trimmed": ((r"TrimmedData", 0), (r"get_shard_iterator", 0)),
    "lost": ((r"\blost *(\+?=|:)|\blost\.(add|append)", 0), (r"TrimmedData", 0)),
    # Whose parents are asked for, and where a shard's beginning is taken for a place to read from.
    "children": ((r"\b(new|fresh|children)\w* *= .*(shard|parent)", 0), (r"ParentShardId", 0)),
    "begin": ((r"= .*(\bbegin\w*\(|StartingSequence)", 0), (r"""["']AT_SEQUENCE""", 0)),
    # Where a shard is begun of which nothing was read, and where one is taken for read before.
    "start": ((r"""["']TRIM_HORIZON""", 0), (r"get_shard_iterator", 0)),
    "fresh": ((r"= .*\bcheckpoint is None|= .*\bnot checkpoint\b", 0), (r"TRIM_HORIZON", 0)),
    # Where a description says the part that is wrong, and where it makes values of an image.
    "what": ((r"[Pp]rincipalId", 0), (r"userIdentity|REMOVE|eventName", 0)),
    "key": ((r"""["']Keys["']""", 0),),
    "before": ((r"""["']before["']""", 0), (r"OldImage", 0)),
    "after": ((r"""["']after["']""", 0), (r"NewImage", 0)),
    "changed": ((r"\bif\b.*!=|!=.*\bnew", 0), (r"""["']changed["']|\bchanged *=""", 0)),
    "gone": ((r"\bfor \w+ in (?!.*items)", 0), (r"""["']changed["']|\bchanged *=""", 0)),
    "exact": ((r"\bfloat\(|\bround\(|Context\(", 0), (r"deserialize\(|Decimal\(", 0)),
}
READ, DESCRIBE = r"def read\b", r"def describe\b"
OF_DESCRIBE = ("what", "key", "before", "after", "changed", "gone")


def line(stage: Stage, about: str) -> str:
    """The first line of the reader that has to do with something."""
    lines = (stage.folder / READER).read_text(encoding="utf-8", errors="replace").splitlines()
    begins = [number for number, text in enumerate(lines, start=1) if re.search(DESCRIBE, text)]
    since = begins[0] if begins and about in OF_DESCRIBE else 1
    last = DESCRIBE if about in OF_DESCRIBE else READ
    for pattern, below in (*LINES[about], (last, 0)):
        for number, text in enumerate(lines, start=1):
            if number >= since and re.search(pattern, text):
                return stage.line(READER, min(number + below, len(lines)))
    return stage.line_like(READER, None)


def where(stage: Stage, said: Said, about: str) -> str:
    """The line that a call ended with; otherwise the first one that has to do with ``about``."""
    return line(stage, about) if said.line is None else stage.line(READER, said.line)


def _of_losses(untold: set[str], invented: set[str], first: bool) -> str:
    """What wrong losses have to do with: O is new, P was empty when it was read, Y long gone."""
    if untold == {"P"}:
        return "fresh"
    if untold:
        return "start" if untold <= {"O", "P"} else "lost"
    if first:
        return "begin"
    return "children" if invented == {"Y"} else "lost"


def wrong_losses(
    stage: Stage, said: Said, wanted: Sequence[str], found: Sequence[str], first: bool
) -> Finding:
    """The letters of the shards that a read called lost are not those that are."""
    about = _of_losses({*wanted} - {*found}, {*found} - {*wanted}, first)
    why = (
        "Nobody else will say it: the stream forgets in silence. TRIM_HORIZON begins behind what "
        "is gone, and of a shard that came and went only its child's ParentShardId tells. A shard "
        "that was read to its end is no loss when it goes."
    )
    if about == "children":
        why = (
            "Y is the parent of A, and A is in the checkpoint: Y was gone before the first read. "
            "Only the parent of a shard that is new since the checkpoint came and went unread. A "
            "loss that is told again at every read is soon believed no more."
        )
    return stage.finding(
        rule="read names the shards in which records left the stream before it read them.",
        input=said.story,
        expected=f"lost: {', '.join(wanted) or 'none'}",
        observed=f"lost: {', '.join(found) or 'none'}",
        why=why,
        where=where(stage, said, about),
        page=f"{PAGE}#trimmed",
    )


def _repeats(said: Said, about: str) -> str:
    """What a call that missed nothing has to do with: its place in the shard, or the checkpoint."""
    pairs = zip(said.handled, said.handled[1:], strict=False)
    if about in ("expired", "missing") and any(one == behind for one, behind in pairs):
        return "behind"
    return "again" if about == "missing" else about


def _repeated(handled: Sequence[int]) -> list[int]:
    """What was handled more than once, each time after the first."""
    return [one for at, one in enumerate(handled) if one in handled[:at]]


def expect_once(
    stage: Stage,
    expect: Expect,
    play: Play,
    said: Said,
    wanted: Sequence[int],
    *,
    rule: str,
    why: str,
    about: str,
    anchor: str,
    among: Sequence[int] | None = None,
) -> None:
    """Each of ``wanted`` was handled once, and nothing else of ``among`` (None: nothing else)."""
    library = play.library
    handled = [one for one in said.handled if among is None or one in set(among)]
    missing = [one for one in wanted if one not in set(handled)]
    strange = [one for one in handled if one not in set(wanted)]
    twice = [one for one in _repeated(handled) if one in set(wanted)]
    observed = []
    if missing:
        observed.append(f"not handled: {library.names_of(missing)}")
    if twice:
        observed.append(f"handled again: {library.names_of(twice)}")
    if strange:
        observed.append(f"handled although not due: {library.names_of(strange)}")
    expect(
        not observed,
        lambda: stage.finding(
            rule=rule,
            input=said.story,
            expected=f"{len(wanted)} records handled once each: {library.names_of(wanted)}",
            observed="; ".join(observed) + said.ended,
            why=why,
            where=where(stage, said, about if missing else _repeats(said, about)),
            page=f"{PAGE}#{anchor}",
        ),
    )


def read_again(stage: Stage, play: Play, said: Said) -> Finding:
    """A read from a checkpoint behind which nothing was written, and that handled something."""
    return stage.finding(
        rule="read handles only what was written since the checkpoint.",
        input=said.story,
        expected="no record handled",
        observed=f"handled: {play.library.names_of(said.handled)}{said.ended}",
        why="What is forgotten in a checkpoint is read again from the beginning, and "
        "counted again.",
        where=where(stage, said, "again"),
        page=f"{PAGE}#checkpoints",
    )


def ended_badly(stage: Stage, said: Said) -> Finding:
    """A read that did not return what it has to."""
    return stage.finding(
        rule="read returns a checkpoint, a value that JSON can express, and the lost shards.",
        input=said.story,
        expected="it returns (checkpoint, lost)",
        observed=f"it ended with {said.error}",
        why="A checkpoint has to outlive the process that made it: in a file or a table.",
        where=where(stage, said, "again"),
        page=f"{PAGE}#checkpoints",
    )


# -- what was described ----------------------------------------------------------------------------


def expect_described(
    stage: Stage,
    expect: Expect,
    about: str,
    parts: Sequence[str],
    *,
    rule: str,
    why: str | Callable[[str], str],
    anchor: str,
) -> None:
    """The parts of the descriptions of one group of changes are right.

    ``why`` may depend on what was observed.
    """
    from grader.course.labs.lab01.scenarios import described

    said = stage.play(described).said[0]
    every = changes.changes()
    answers = said.described
    if len(answers) != len(every):
        answers = [{"error": {"text": said.error, "line": said.line}}] * len(every)
    if about != "exact":
        # How exact a number is, is another criterion's business.
        answers = [changes.rounded(answer) for answer in answers]
    for change, answer in zip(every, answers, strict=True):
        if change.about != about:
            continue
        group, at = "what", None
        if isinstance(answer.get("error"), dict):
            expected, observed = "a description", f"it raised {answer['error'].get('text')}"
            if isinstance(answer["error"].get("line"), int):
                at = answer["error"]["line"]
        else:
            try:
                if about == "names" and not _part_right(change, "after", answer):
                    continue  # a value that is lost is another criterion's business
                wrong = next(
                    (
                        part
                        for part in parts
                        if _due(change, part) and not _part_right(change, part, answer)
                    ),
                    None,
                )
                if wrong is None:
                    continue
                expected, observed = _shown(change, wrong, answer)
                group = "exact" if about == "exact" else wrong
                if group == "changed" and set(change.old or ()) - {
                    *(change.new or ()),
                    *answer[wrong],
                }:
                    group = "gone"  # a name that is only in the older image was not looked at
            except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
                # The answer comes from the learner's process: it may be anything.
                expected, observed = "a description", "something that holds no values"
        place = stage.line(READER, at) if at else line(stage, group)
        expect(
            False,
            lambda change=change, expected=expected, observed=observed, place=place: stage.finding(  # type: ignore[misc]
                rule=rule,
                input=change.name,
                expected=expected,
                observed=observed,
                why=why if isinstance(why, str) else why(observed),
                where=place,
                page=f"{PAGE}#{anchor}",
            ),
        )
        return


def _due(change: changes.Change, part: str) -> bool:
    """Whether a part is judged: where values are exact, only what holds values or compares them."""
    if change.about != "exact":
        return True
    there = {"before": change.old, "after": change.new, "changed": change.old and change.new}
    return there[part] is not None


def _wanted(change: Any, part: str) -> Any:
    image = change.new or change.old
    key = {name: image[name] for name in ("merchant", "id")}
    return {
        "what": change.what,
        "key": changes.tagged(key),
        "before": changes.tagged(change.old),
        "after": changes.tagged(change.new),
        "changed": change.changed,
    }[part]


def _part_right(change: Any, part: str, answer: dict[str, Any]) -> bool:
    wanted = _wanted(change, part)
    if part in ("what", "changed"):
        return bool(answer[part] == wanted)
    return changes.same(wanted, answer[part])


def _shown(change: Any, part: str, answer: dict[str, Any]) -> tuple[str, str]:
    """Expected and observed of one part: the first attribute that differs, or the whole."""
    wanted, got = _wanted(change, part), answer[part]
    if isinstance(wanted, dict) and "M" in wanted and isinstance(got, dict) and "M" in got:
        for name in sorted({**wanted["M"], **got["M"]}):
            left, right = wanted["M"].get(name), got["M"].get(name)
            if left is None or right is None or not changes.same(left, right):
                return (
                    f"{part}: {name} = {changes.in_words(left)}",
                    f"{part}: {name} = {changes.in_words(right)}",
                )
    return f"{part}: {changes.in_words(wanted)}", f"{part}: {changes.in_words(got)}"
