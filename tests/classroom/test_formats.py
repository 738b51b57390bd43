"""A grade in other platforms' formats: golden files, their published shapes, and their traps.

Golden files stand in tests/golden/outward; ``UPDATE_GOLDEN=1`` writes them anew. A schema of each
format stands in tests/classroom/schemas, written from the platform's documentation.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from sample_grades import BROKEN, CRASH, LONG, PARTIAL, PASSED, STARTER, a_grade, verdict
from standin import Judge, Run

from grader.classroom.outward import formats
from grader.course.grade import Grade

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden" / "outward"
# What Classroom 50's runner sets; the learner's files have no say in any of it.
RUNNER = {
    "CLASSROOM": "streams",
    "ASSIGNMENT": "lab-2",
    "ASSIGNMENT_TYPE": "individual",
    "OWNER": "mia",
    "USERNAME": "mia",
    "SUBMISSION_TAG": "submit/2026-06-01T14-32-05Z-a1b2c3d",
    "COMMIT_URL": "https://github.com/org/streams-lab-2-mia/commit/a1b2c3d",
    "RELEASE_URL": "https://github.com/org/streams-lab-2-mia/releases/tag/submit",
    "REVIEW_URL": "https://github.com/org/streams-lab-2-mia/compare/1...2",
    "GITHUB_ACTOR": "mia",
    "GITHUB_ACTOR_ID": "4711",
}
# Text that a learner's handler may have put into a finding.
NASTY = '<![CDATA[ <b>&"\x00\x0b\x1b[31m\ud800\ufffe ]]>\u202e</failure>'
HOSTILE = replace(CRASH, observed=NASTY, where=NASTY, rule=f"a <rule> of\ntwo {NASTY}")
HOSTILE_GRADE = a_grade(
    verdict("once-crash", "unmet", HOSTILE), notes=[NASTY], advice=[NASTY], files={NASTY: "0"}
)
NOTHING = a_grade()
ALL_BROKEN = a_grade(verdict("start-position", "broken"), verdict("once-crash", "broken", CRASH))
GRADES = {
    "starter": STARTER,
    "passed": PASSED,
    "broken": BROKEN,
    "partial": PARTIAL,
    "hostile": HOSTILE_GRADE,
    "all-broken": ALL_BROKEN,
    "nothing": NOTHING,
}


def document(form: str, grade: Grade) -> Any:
    return json.loads(formats.rendered(form, [grade], environment=RUNNER))


# --- golden files and published shapes --------------------------------------------------------


@pytest.mark.parametrize("form", [*formats.ALONE, "json"])
def test_the_starters_grade_is_the_golden_one(form: str) -> None:
    name = "starter.json" if form == "json" else f"{form}.json"
    golden(name, formats.rendered(form, [STARTER], environment=RUNNER))


def test_junit_of_three_grades_is_the_golden_one() -> None:
    golden("all.xml", formats.rendered("junit", [STARTER, BROKEN, PARTIAL]))


def golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_bytes(text.encode())
    assert text == path.read_bytes().decode()


@pytest.mark.parametrize("name", GRADES)
@pytest.mark.parametrize("form", [*formats.ALONE, "json"])
def test_every_grade_has_the_platforms_published_shape(form: str, name: str) -> None:
    schema = json.loads((HERE / "schemas" / f"{form}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(document(form, GRADES[name]))


@pytest.mark.parametrize("form", formats.NAMES)
def test_the_same_grade_gives_the_same_bytes_in_ascii_or_xml(form: str) -> None:
    once, twice = (formats.rendered(form, [HOSTILE_GRADE], environment=RUNNER) for _ in range(2))
    assert once == twice
    once.encode("utf-8")
    assert form == "junit" or once.isascii()


@pytest.mark.parametrize("form", [*formats.ALONE, "junit"])
def test_no_text_of_a_learner_steers_a_terminal_or_a_page(form: str) -> None:
    """Escapes, nulls and characters that reorder text are written out in every format."""
    if form == "junit":
        root = ElementTree.fromstring(formats.junit([HOSTILE_GRADE]))
        texts = [*(node.text or "" for node in root.iter()), *(root.itertext())]
        texts += [value for node in root.iter() for value in node.attrib.values()]
    else:
        made = document(form, HOSTILE_GRADE)
        made.pop("extra_data", None)
        texts = list(strings(made))
    assert any("\\x1b[31m" in text for text in texts)
    for text in texts:
        assert not set(text) & set("\x00\x0b\x1b\ud800\ufffe\u202e")


def strings(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


# --- Gradescope -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GRADES)
def test_gradescope_shows_every_test_and_their_sum_is_the_total(name: str) -> None:
    made = document("gradescope", GRADES[name])
    assert made["score"] == sum(test.get("score", 0) for test in made["tests"])
    assert {test["visibility"] for test in made["tests"]} <= {"visible"}
    assert made["visibility"] == "visible"
    most = sum(test.get("max_score", 0) for test in made["tests"])
    assert most == GRADES[name].max_score


def test_gradescope_gives_what_is_broken_no_points_to_win_or_lose() -> None:
    kept, broken = document("gradescope", BROKEN)["tests"]
    assert (kept["score"], kept["max_score"]) == (10, 10)
    assert not {"score", "max_score", "status"} & set(broken)
    assert "its fault, not yours" in broken["output"].replace("That is ", "")


# --- Classroom 50 -----------------------------------------------------------------------------


def test_classroom50_takes_who_and_when_from_the_environment_only() -> None:
    made = document("classroom50", STARTER)
    assert (made["owner"], made["classroom"], made["assignment"]) == ("mia", "streams", "lab-2")
    assert made["submitted_by"] == {"username": "mia", "id": 4711}
    assert made["datetime"] == "2026-06-01T14:32:05Z"  # the tag's, whenever it is graded again
    commit = {**RUNNER, "SUBMISSION_DATETIME": "2026-06-01T14:32:01Z"}
    assert formats.classroom50(STARTER, commit)["datetime"] == "2026-06-01T14:32:01Z"


@pytest.mark.parametrize("name", GRADES)
def test_classroom50_has_whole_points_that_add_up(name: str) -> None:
    made = document("classroom50", GRADES[name])
    assert made["score"] == sum(test["score"] for test in made["tests"])
    assert made["max-score"] == sum(test["max-score"] for test in made["tests"])
    assert all(type(test["score"]) is int for test in made["tests"])


def test_classroom50_without_a_runner_says_what_is_not_set(
    labs: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in RUNNER:
        monkeypatch.delenv(name, raising=False)
    code, out, err = labs("grade", "7", "--format", "classroom50")
    assert code == 1 and json.loads(out)["owner"] == ""
    assert "CLASSROOM, ASSIGNMENT, OWNER" in err and "are not set" in err


# --- PrairieLearn -----------------------------------------------------------------------------


def test_prairielearn_has_a_share_of_what_could_be_won() -> None:
    assert document("prairielearn", STARTER)["score"] == pytest.approx(0.2)
    assert document("prairielearn", PASSED)["score"] == 1.0


def test_prairielearn_takes_no_attempt_for_a_fault_of_the_grader() -> None:
    made = document("prairielearn", BROKEN)
    assert made["gradable"] is False and "score" not in made


@pytest.mark.parametrize("name", GRADES)
def test_prairielearn_has_points_on_every_test(name: str) -> None:
    """One test without them would turn the display of points off for all."""
    for test in document("prairielearn", GRADES[name])["tests"]:
        assert {"points", "max_points"} <= set(test)


@pytest.mark.parametrize("letter", ["x", "é", "\x07"])
def test_prairielearn_stays_within_one_megabyte_and_says_what_it_cut(letter: str) -> None:
    """Also where each letter takes six bytes of JSON, or is written out in four."""
    huge = replace(CRASH, observed=letter * 100_000)
    grade = a_grade(*(verdict(f"c{n}", "unmet", huge, huge) for n in range(12)))
    text = formats.rendered("prairielearn", [grade])
    assert 100_000 < len(text.encode()) <= 1_000_000
    assert "characters are left out here" in text
    assert [test["max_points"] for test in json.loads(text)["tests"]] == [10] * 12


# --- Exercism ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status"),
    [("starter", "fail"), ("passed", "pass"), ("broken", "fail"), ("partial", "fail")],
)
def test_exercism_passes_only_when_everything_is_met(name: str, status: str) -> None:
    made = document("exercism", GRADES[name])
    assert made["status"] == status and made["message"] is None
    assert all(test["status"] == "pass" for test in made["tests"]) == (status == "pass")


@pytest.mark.parametrize("name", ["all-broken", "nothing"])
def test_exercism_is_in_error_only_when_nothing_was_decided(name: str) -> None:
    notes = ["n" * 100_000]
    made = document("exercism", replace(GRADES[name], notes=notes))
    assert made["status"] == "error" and made["tests"] == []
    assert 0 < len(made["message"]) <= 65_535


def test_exercism_keeps_the_order_and_the_tasks_of_the_lab() -> None:
    tests = document("exercism", STARTER)["tests"]
    assert [test["task_id"] for test in tests] == [1, 2, 2, 3, 3]
    assert tests[1]["test_code"] == "labs grade 2 --seed 0 --only once-crash"
    assert "output" not in tests[1], "what a function printed is no part of a grade"


# --- JUnit and JSON ---------------------------------------------------------------------------


def test_junit_counts_what_it_holds() -> None:
    root = ElementTree.fromstring(formats.junit(list(GRADES.values())))
    assert root.tag == "testsuites"
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(kind, "")) == sum(case.find(tag) is not None for case in cases)


def test_junit_calls_a_grade_that_never_was_an_error() -> None:
    """A server that reads it must not take our own fault for a pass."""
    suite = ElementTree.fromstring(formats.junit([NOTHING]))[0]
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")


def test_junit_survives_any_text() -> None:
    root = ElementTree.fromstring(formats.junit([HOSTILE_GRADE]))
    failure = root.find(".//failure")
    assert failure is not None
    assert "\n" not in (failure.get("message") or "")
    assert "\\x00\\x0b" in (failure.text or "")


def test_json_is_ascii_and_has_the_fields_of_the_contract() -> None:
    grade = a_grade(
        verdict("a", "unmet", replace(CRASH, observed="Größe")), files={"b": "1", "a": "2"}
    )
    text = formats.rendered("json", [grade])
    assert text.isascii()
    made = json.loads(text)
    assert made["schema"] == "labs/grade/v1"
    assert list(made["files"]) == ["a", "b"]
    (criterion,) = made["criteria"]
    assert criterion["finding"]["observed"] == "Größe"


def test_all_labs_are_one_document() -> None:
    made = json.loads(formats.rendered("json", [STARTER, PASSED], single=False))
    assert made["schema"] == "labs/grades/v1"
    assert [one["score"] for one in made["labs"]] == [20, 20]


# --- the command ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", formats.NAMES)
def test_a_format_is_the_only_thing_on_stdout(
    labs: Run, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in RUNNER.items():
        monkeypatch.setenv(name, value)
    code, out, err = labs("grade", "7", "--format", form)
    assert (code, err) == (1, "")
    if form == "junit":
        assert ElementTree.fromstring(out).tag == "testsuites"
    else:
        json.loads(out)


def test_format_json_is_what_json_is(labs: Run) -> None:
    assert labs("grade", "7", "--format", "json")[1] == labs("grade", "7", "--json")[1]


@pytest.mark.parametrize("form", formats.NAMES)
def test_a_fault_of_ours_is_still_one_document(labs: Run, judge: Judge, form: str) -> None:
    def fail() -> None:
        raise RuntimeError("the moon is full")

    judge.instead = fail
    code, out, _ = labs("grade", "7", "--format", form)
    assert code == 3
    if form == "junit":
        assert ElementTree.fromstring(out)[0].get("errors") == "1"
    else:
        schema = json.loads((HERE / "schemas" / f"{form}.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator(schema).validate(json.loads(out))


def test_a_format_of_one_lab_is_not_for_all_of_them(labs: Run) -> None:
    code, out, err = labs("grade", "all", "--format", "gradescope")
    assert (code, out) == (2, "") and "holds one lab" in err
    assert labs("grade", "all", "--format", "junit")[0] == 1


def test_two_formats_at_once_are_refused(labs: Run) -> None:
    code, out, err = labs("grade", "7", "--json", "--format", "junit")
    assert (code, out) == (2, "") and "both want stdout" in err


def test_long_findings_stand_whole_where_the_platform_sets_no_limit() -> None:
    made = document("gradescope", a_grade(verdict("a", "unmet", LONG)))
    assert "o-30: counted" in made["tests"][0]["output"]
