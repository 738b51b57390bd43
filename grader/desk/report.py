"""A grade as something to read in a terminal.

Text is at most 80 columns wide and, for one lab, about a screen long: one line for each task, the
first finding whole, the others counted. Nothing is said by colour alone. Everything here is a pure
function of the grade, so that the same grade gives the same bytes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import groupby

from grader.cloud.words import clean, counted
from grader.course.grade import WORDS, Finding, Grade, Verdict
from grader.desk.terminal import WIDTH, Paint, plain, wrapped

# A long value of the short report keeps this many lines, and one that counts the others.
FIELD_LINES = 2
LABEL = 10


@dataclass(frozen=True)
class Change:
    """What a run changed against the one before: criteria by id, and the two scores."""

    won: tuple[str, ...]
    lost: tuple[str, ...]
    before: int | None
    after: int

    def sentence(self) -> str:
        """``won: a, b; lost: c; 62 -> 78``, or that nothing changed; "" for a first run."""
        if self.before is None:
            return ""
        if not self.won and not self.lost and self.before == self.after:
            return "Since the last run: nothing changed."
        parts = [f"won: {', '.join(self.won)}"] if self.won else []
        parts += [f"lost: {', '.join(self.lost)}"] if self.lost else []
        return f"Since the last run: {'; '.join([*parts, f'{self.before} -> {self.after}'])}."


def compare(grade: Grade, outcomes: Mapping[str, str], score: int | None) -> Change:
    """Compare a complete run with the outcomes and the score of the one before.

    A criterion that the run before did not know (the course was updated) is neither won nor lost.
    """
    won, lost = [], []
    for verdict in grade.asked:
        name = verdict.criterion.id
        was_met, is_met = outcomes.get(name) == "met", verdict.outcome == "met"
        if is_met and not was_met and name in outcomes:
            won.append(name)
        # A fault of the grader's takes nothing away from the learner.
        elif was_met and not is_met and verdict.outcome != "broken":
            lost.append(name)
    return Change(tuple(won), tuple(lost), score, grade.score)


# --- terminal text ----------------------------------------------------------------------------


def terminal(
    grade: Grade,
    *,
    tasks: Mapping[int, str],
    change: Change | None = None,
    verbose: bool = False,
    paint: Paint = plain,
    width: int = WIDTH,
    again: str = "",
    whole: str = "",
    after: str = "",
) -> str:
    """The report of one lab. ``tasks`` maps a task's number to its title.

    ``again`` is the command that grades the same files once more, ``whole`` says what shows that
    which is left out here; ``after`` is what to do once everything is met. All may be empty.
    """
    whole = whole or f"{again or f'labs grade {grade.lab}'} -v shows everything."
    lines = [_headline(grade, paint, width), ""]
    for number, group in groupby(grade.asked, key=lambda verdict: verdict.criterion.task):
        lines += _task(number, list(group), tasks.get(number, ""), verbose, paint, width)
    open_ = [verdict for verdict in grade.asked if verdict.outcome != "met"]
    # What our own fault hid from the learner is told last: it is not theirs to mend.
    open_.sort(key=lambda verdict: ("unmet", "unreached", "broken").index(verdict.outcome))
    for verdict in open_ if verbose else open_[:1]:
        lines += ["", *_verdict(verdict, verbose, paint, width)]
    if not verbose and (left := _left_out(open_)):
        lines += ["", *wrapped(f"{left}: {whole}", width)]
    closing = _closing(grade, change, verbose)
    if grade.passed:
        closing.append(f"Every criterion is met. {after}".strip())
    lines += [""] if closing else []
    for sentence in closing:
        lines += wrapped(sentence, width)
    return "\n".join(lines) + "\n"


def summary(grade: Grade, *, paint: Paint = plain, width: int = WIDTH) -> str:
    """One lab in two or three lines: the score, and the criteria that are open."""
    lines = [_headline(grade, paint, width), *_hanging("  ", _open_names(grade.asked), width)]
    return "\n".join(lines) + "\n"


def _open_names(verdicts: Sequence[Verdict]) -> str:
    """``not met: a, b; not reached: c``; "" when everything is met."""
    parts = []
    for outcome in ("unmet", "unreached", "broken"):
        names = [verdict.criterion.id for verdict in verdicts if verdict.outcome == outcome]
        parts += [f"{WORDS[outcome]}: {', '.join(names)}"] if names else []
    return "; ".join(parts)


def _headline(grade: Grade, paint: Paint, width: int) -> str:
    # What is no lab, as a drill, has no number.
    left = f"Lab {grade.lab} {grade.slug}" if grade.lab else f"Drill {grade.slug}"
    right = f"{grade.score} of {grade.max_score} points"
    skipped = len(grade.verdicts) - len(grade.asked)
    if skipped:
        right += f" ({counted(skipped, 'criterion', 'criteria')} not asked)"
    if grade.broken:
        right += ", grader fault"
    gap = " " * max(2, width - len(left) - len(right))
    style = "good" if grade.passed else "strong"
    return f"{paint(left, 'strong')}{gap}{paint(right, style)}"


def _task(
    number: int, verdicts: Sequence[Verdict], title: str, verbose: bool, paint: Paint, width: int
) -> list[str]:
    won = sum(verdict.score for verdict in verdicts)
    worth = sum(v.criterion.points for v in verdicts if v.outcome != "broken")
    met = all(verdict.outcome == "met" for verdict in verdicts)
    points = f"{won}/{worth}"
    name = clean(title)
    room = width - 10 - len(points) - 2
    if len(name) > room:
        name = name[: room - 3].rstrip() + "..."
    dots = " " * (width - 10 - len(name) - len(points))
    lines = [f"  Task {number:<2} {name}{dots}{paint(points, 'good' if met else 'bad')}"]
    if verbose:
        for verdict in verdicts:
            lines += _criterion_line(verdict, paint, width)
        return lines
    lines += _hanging(" " * 10, _open_names(verdicts), width)
    return lines


def _criterion_line(verdict: Verdict, paint: Paint, width: int) -> list[str]:
    word = WORDS[verdict.outcome]
    points = f"{verdict.score}/{verdict.criterion.points}"
    style = {"met": "good", "unmet": "bad"}.get(verdict.outcome, "dim")
    name = verdict.criterion.id
    gap = " " * max(2, width - 10 - 14 - len(name) - len(points))
    return [f"{'':10}{paint(f'{word:<14}', style)}{name}{gap}{points}"]


def _verdict(verdict: Verdict, verbose: bool, paint: Paint, width: int) -> list[str]:
    criterion = verdict.criterion
    head = f"{criterion.id} (task {criterion.task}, {criterion.points} points)"
    lines = [f"{paint(head, 'strong')}: {paint(WORDS[verdict.outcome], 'bad')}"]
    found = [verdict.finding] if verdict.finding else []
    if not found:
        lines += wrapped(criterion.goal, width, indent=2)
    for number, finding in enumerate([*found, *verdict.further] if verbose else found):
        if number:
            lines += ["", f"  {criterion.id}, finding {number + 1}"]
        lines += finding_lines(finding, width=width, whole=verbose)
    return lines


def finding_lines(finding: Finding, *, width: int = WIDTH, whole: bool = True) -> list[str]:
    """The fields of a finding in the order of the contract, labelled, indented and wrapped.

    Unless ``whole``, long values are cut, and the cut says how much it left out. Expected and
    observed are cut around their first difference, which therefore always shows.
    """
    room = width - 2 - LABEL
    values = {
        name.name: _value_lines(getattr(finding, name.name), room) for name in fields(finding)
    }
    if finding.page:
        # The command stays in one piece, so that it can be copied.
        last, command = values["why"][-1], f"(labs docs {finding.page})"
        fits = len(last) + 1 + len(command) <= room
        values["why"][-1:] = [f"{last} {command}"] if fits else [last, command]
    if not whole:
        first = _first_difference(values["expected"], values["observed"])
        for name in ("expected", "observed"):
            values[name] = _cut(values[name], first)
        for name in ("input", "where"):
            values[name] = _cut(values[name], 0)
    lines = []
    for name in ("rule", "input", "expected", "observed", "why", "where", "next"):
        for number, line in enumerate(values[name]):
            label = name.capitalize() if number == 0 else ""
            lines.append(f"  {label:<{LABEL}}{line}".rstrip())
    return lines


def _value_lines(text: str, room: int) -> list[str]:
    """A value in lines of at most ``room`` characters; its own line breaks and indents stay."""
    lines: list[str] = []
    for line in clean(text).split("\n"):
        indent = " " * min(len(line) - len(line.lstrip()), room // 2)
        lines += textwrap.wrap(
            line, room, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True
        ) or [""]
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    return lines


def _first_difference(one: Sequence[str], other: Sequence[str]) -> int:
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return number
    return min(len(one), len(other))


def _cut(lines: list[str], around: int) -> list[str]:
    """At most FIELD_LINES lines, with line ``around`` among them, and what the cut left out."""
    if len(lines) <= FIELD_LINES + 1:
        return lines
    start = max(0, min(around - 1, len(lines) - FIELD_LINES))
    stop = start + FIELD_LINES
    left = [f"{counted(start, 'line')} before"] if start else []
    left += [f"{counted(len(lines) - stop, 'line')} after"] if stop < len(lines) else []
    return [*lines[start:stop], f"[{' and '.join(left)} this: -v shows all]"]


def _left_out(open_: Sequence[Verdict]) -> str:
    """What the short report does not show, counted; "" when it shows everything."""
    if not open_:
        return ""
    findings = sum((verdict.finding is not None) + len(verdict.further) for verdict in open_)
    findings -= open_[0].finding is not None
    silent = sum(1 for verdict in open_[1:] if verdict.finding is None)
    parts = [counted(findings, "more finding")] if findings else []
    parts += [f"{counted(silent, 'criterion', 'criteria')} without a finding"] if silent else []
    return " and ".join(parts)


def _closing(grade: Grade, change: Change | None, verbose: bool) -> list[str]:
    sentences = [clean(f"Note: {note}") for note in grade.notes]
    advice = [clean(f"Advice (costs no points): {text}") for text in grade.advice]
    if len(advice) > 1 and not verbose:
        advice = [f"{advice[0]} [{counted(len(advice) - 1, 'more piece')} of advice: -v]"]
    sentences += advice
    if grade.broken:
        sentences.append(
            "The grader failed on what is marked as grader fault. That is our fault, not yours, and"
            " costs you no points: please report it with the output of -v and of labs doctor."
        )
    if change and (sentence := change.sentence()):
        sentences.append(sentence)
    return sentences


def _hanging(head: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
        break_long_words=False,
    )
