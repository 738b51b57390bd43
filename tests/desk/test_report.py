"""What a learner reads: whole sentences, a screen at most, nothing hidden, nothing by colour alone.

Golden files stand in tests/golden/report; ``UPDATE_GOLDEN=1`` writes them anew, to be read before
they are committed.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from sample_grades import BROKEN, CRASH, LONG, PARTIAL, PASSED, STARTER, a_grade, verdict

from grader.course.grade import Grade
from grader.desk import report, terminal

GOLDEN = Path(__file__).parents[1] / "golden" / "report"

TASKS = {
    1: "Start without losing a write",
    2: "Count it once",
    3: "Survive a bad record, whatever it holds, and say in a place that somebody reads why it failed",
}


def golden(name: str, text: str) -> None:
    """Compare with a golden file, byte for byte."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    assert text == path.read_bytes().decode()


def text_of(grade: Grade, **options: object) -> str:
    return report.terminal(grade, tasks=TASKS, **options)  # type: ignore[arg-type]


CASES = {
    "starter.txt": lambda: text_of(
        STARTER, change=report.Change(("start-position",), ("once-crash",), 50, 20)
    ),
    "starter-verbose.txt": lambda: text_of(STARTER, verbose=True),
    "passed.txt": lambda: text_of(PASSED, after="Compare with the solution: labs solution 2."),
    "broken.txt": lambda: text_of(BROKEN),
    "partial.txt": lambda: text_of(PARTIAL, again="labs grade 2 --only once-crash"),
    "summary.txt": lambda: report.summary(STARTER) + report.summary(PASSED),
}


@pytest.mark.parametrize("name", CASES)
def test_the_rendered_report_is_the_golden_one(name: str) -> None:
    golden(name, CASES[name]())


# --- terminal text ----------------------------------------------------------------------------


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("grade", [STARTER, PASSED, BROKEN, PARTIAL])
def test_no_line_is_wider_than_80_columns(grade: Grade, verbose: bool) -> None:
    assert max(map(len, text_of(grade, verbose=verbose).splitlines())) <= 80


def test_a_learner_who_fails_everything_still_gets_about_a_screen() -> None:
    """15 criteria in five tasks, none met, each finding longer than a screen."""
    verdicts = [
        verdict(f"criterion-number-{n}", "unmet", LONG, LONG, task=n // 3 + 1) for n in range(15)
    ]
    assert len(text_of(a_grade(*verdicts)).splitlines()) <= 34


def test_the_fields_stand_in_the_order_of_the_contract() -> None:
    labels = [line[2:12].strip() for line in report.finding_lines(CRASH)]
    assert list(filter(None, labels)) == [
        "Rule",
        "Input",
        "Expected",
        "Observed",
        "Why",
        "Where",
        "Next",
    ]


def test_a_cut_never_hides_the_first_difference() -> None:
    """Expected and observed differ in line 21 of 30: both cuts show that line."""
    lines = report.finding_lines(LONG, whole=False)
    assert any("o-21: counted" in line for line in lines)
    assert any("o-21: lost" in line for line in lines)


def test_a_difference_inside_one_long_line_is_shown() -> None:
    finding = replace(
        CRASH, expected="x" * 900 + "1" + "y" * 900, observed="x" * 900 + "2" + "y" * 900
    )
    shown = "\n".join(report.finding_lines(finding, whole=False))
    assert "x1y" in shown and "x2y" in shown


def test_what_is_cut_is_counted() -> None:
    text = text_of(PARTIAL)
    assert "[28 lines after this: -v shows all]" in text
    assert text.count("[19 lines before and 9 lines after this: -v shows all]") == 2
    assert "3 more findings" in text_of(STARTER)


def test_verbose_shows_every_line_of_every_finding() -> None:
    text = text_of(STARTER, verbose=True)
    assert "lines before" not in text and "lines after" not in text
    assert all(text.count(f"o-{number}: counted") >= 2 for number in range(1, 31))


def test_a_fault_of_the_grader_is_not_blamed_on_the_learner() -> None:
    text = text_of(BROKEN)
    assert "grader fault" in text and "10 of 10 points" in text
    assert "costs you no points" in " ".join(text.split())


def test_our_own_fault_is_told_after_what_the_learner_can_mend() -> None:
    text = text_of(a_grade(verdict("a", "broken", CRASH), verdict("b", "unmet", CRASH)))
    assert "b (task 1, 10 points): not met" in text
    assert "a (task 1" not in text


def test_colour_adds_nothing_but_colour() -> None:
    bare = re.sub(r"\x1b\[\d+m", "", text_of(STARTER, paint=terminal.coloured, verbose=True))
    assert bare == text_of(STARTER, verbose=True)
    assert "\x1b" in text_of(STARTER, paint=terminal.coloured)


def test_values_cannot_steer_the_terminal() -> None:
    finding = replace(
        CRASH, observed="\x1b]0;owned\x07 \x9b2J \r gone \u202egnp.exe", where="\ud800"
    )
    text = "\n".join(report.finding_lines(finding))
    assert "\\x1b]0;owned\\x07 \\x9b2J \\x0d gone \\u202egnp.exe" in text
    assert "\\ud800" in text
    assert not set(text) & set("\x1b\x07\x9b\r\u202e\ud800")


def test_indented_code_keeps_its_indent() -> None:
    finding = replace(CRASH, where="handler.py:3\n    if x:\n        y()")
    lines = report.finding_lines(finding)
    assert "  Where     handler.py:3" in lines
    assert "                    y()" in lines


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "cp437", "ascii", None, "no-such-codec"])
def test_every_encoding_gets_a_text_that_it_can_carry(encoding: str | None) -> None:
    text = terminal.encodable("62 → 78 … “Größe” 注文 é", encoding)
    known = encoding if encoding not in (None, "no-such-codec") else "ascii"
    text.encode(known)  # type: ignore[arg-type]
    if encoding == "ascii":
        assert text == '62 -> 78 ... "Gr\\xf6\\xdfe" \\u6ce8\\u6587 \\xe9'
    if encoding == "utf-8":
        assert text == "62 → 78 … “Größe” 注文 é"


# --- what changed -----------------------------------------------------------------------------


def test_a_criterion_that_an_update_brought_is_neither_won_nor_lost() -> None:
    change = report.compare(PASSED, {"an-old-one": "met", "once-crash": "unmet"}, 20)
    assert change.won == ("once-crash",) and change.lost == ()


def test_a_first_run_has_nothing_to_compare_with() -> None:
    assert report.compare(PASSED, {}, None).sentence() == ""


def test_won_and_lost_are_named_with_both_scores() -> None:
    before = {"start-position": "met", "once-crash": "met", "shard-moves-on": "unmet"}
    change = report.compare(STARTER, before, 62)
    assert change.sentence() == (
        "Since the last run: won: shard-moves-on; lost: once-crash; 62 -> 20."
    )


def test_the_same_again_is_said_so() -> None:
    change = report.compare(PASSED, {"start-position": "met", "once-crash": "met"}, 20)
    assert change.sentence() == "Since the last run: nothing changed."


def test_a_grader_fault_counts_as_no_loss() -> None:
    assert report.compare(BROKEN, {"once-crash": "met"}, 40).lost == ()
