"""What a learner reads: whole sentences, a screen at most, nothing hidden, nothing by colour alone.

Golden files stand in tests/golden/report; ``UPDATE_GOLDEN=1`` writes them anew, to be read before
they are committed.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from grader.course.grade import Criterion, Finding, Grade, Outcome, Verdict
from grader.desk import report, terminal

GOLDEN = Path(__file__).parents[1] / "golden" / "report"

TASKS = {
    1: "Start without losing a write",
    2: "Count it once",
    3: "Survive a bad record, whatever it holds, and say in a place that somebody reads why it failed",
}

CRASH = Finding(
    rule="An order is counted once, wherever in the handler the environment dies.",
    input="batch 1 (order o-17 of merchant m-3, placed at 4,200); the environment dies after call 2"
    " of the handler; the same batch comes again",
    expected="MerchantTotals[m-3]: total 4200, orders 1",
    observed="MerchantTotals[m-3]: total 8400, orders 2",
    why="Lambda sends a batch again whenever its environment dies, so a merchant is paid twice.",
    where='handler.py:27   table.update_item(Key={"merchant": merchant}, UpdateExpression=ADD)',
    next="labs grade 2 --only once-crash, or labs hint 2 2",
    page="modules/02-lambda-triggers#twice",
)


def verdict(
    name: str, outcome: Outcome, *findings: Finding, task: int = 1, points: int = 10
) -> Verdict:
    criterion = Criterion(name, task, f"The goal of {name}.", points)
    return Verdict(criterion, outcome, findings[0] if findings else None, findings[1:])


def a_grade(*verdicts: Verdict, **more: object) -> Grade:
    return replace(Grade(2, "lambda-triggers", 0, verdicts), **more)  # type: ignore[arg-type]


LONG = replace(
    CRASH,
    rule="Every record is either counted or noted.",
    input="\n".join(f"record {number}: order o-{number}" for number in range(1, 31)),
    expected="\n".join(f"o-{number}: counted" for number in range(1, 31)),
    observed="\n".join(
        f"o-{number}: {'lost' if number == 21 else 'counted'}" for number in range(1, 31)
    ),
    where="handler.py: the line cannot be told",
)

STARTER = a_grade(
    verdict("start-position", "met"),
    verdict("once-crash", "unmet", CRASH, LONG, task=2, points=30),
    verdict("once-overlap", "unreached", replace(CRASH, rule="No update is lost."), task=2),
    verdict("bad-record-kept", "unmet", LONG, task=3, points=40),
    verdict("shard-moves-on", "met", task=3),
    notes=["A real-time limit was met: the handler printed more than 1 MB."],
    advice=["Tag the table.", "Keep logs for a month."],
)
PASSED = a_grade(verdict("start-position", "met"), verdict("once-crash", "met", task=2))
BROKEN = a_grade(
    verdict("start-position", "met"), verdict("once-crash", "broken", CRASH, task=2, points=30)
)
PARTIAL = a_grade(
    verdict("start-position", "skipped"), verdict("once-crash", "unmet", LONG, task=2, points=30)
)


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
    "grades.xml": lambda: report.junit([STARTER, BROKEN, PARTIAL]),
    "grade.json": lambda: report.json_text(STARTER),
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


# --- documents --------------------------------------------------------------------------------


def test_json_is_ascii_and_has_the_fields_of_the_contract() -> None:
    grade = a_grade(
        verdict("a", "unmet", replace(CRASH, observed="Größe")), files={"b": "1", "a": "2"}
    )
    text = report.json_text(grade)
    assert text.isascii()
    document = json.loads(text)
    assert document["schema"] == "labs/grade/v1"
    assert list(document["files"]) == ["a", "b"]
    (criterion,) = document["criteria"]
    assert criterion["finding"]["observed"] == "Größe"
    assert {"id", "task", "goal", "points", "score", "outcome", "finding"} <= set(criterion)


def test_all_labs_are_one_document() -> None:
    document = json.loads(report.json_all([STARTER, PASSED]))
    assert document["schema"] == "labs/grades/v1"
    assert [one["score"] for one in document["labs"]] == [20, 20]


def test_junit_counts_what_it_holds() -> None:
    root = ElementTree.fromstring(report.junit([STARTER, BROKEN, PARTIAL]))
    assert root.tag == "testsuites"
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(kind, "")) == sum(case.find(tag) is not None for case in cases)


def test_junit_survives_any_text() -> None:
    nasty = replace(
        CRASH, observed='<![CDATA[ & "\x00\x0b\ufffe ]]>', rule='a "quoted" <rule>\nof two'
    )
    root = ElementTree.fromstring(report.junit([a_grade(verdict("a", "unmet", nasty))]))
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message") == 'a "quoted" <rule> of two'
    assert "\\x00\\x0b" in (failure.text or "")
