"""A grade in the words of other platforms: pure converters from the one model, never from text.

Each gives what its platform documents and nothing that depends on the day or the machine. A
criterion that the grader itself failed on (``broken``) counts nothing anywhere: its points are
neither won nor lost, and the output says so. What was not asked for (``--only``) is left out.

- Gradescope: https://gradescope-autograders.readthedocs.io/en/latest/specs/
- Classroom 50: https://github.com/foundation50/classroom50/wiki/Advanced-Autograding
- PrairieLearn: https://prairielearn.readthedocs.io/en/latest/externalGrading/
- Exercism: https://exercism.org/docs/building/tooling/test-runners/interface
- JUnit XML: of the shape that pytest writes
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from grader.cloud.words import clean, counted
from grader.course.grade import GRADE_SCHEMA, GRADES_SCHEMA, Criterion, Finding, Grade, Verdict

Document = dict[str, Any]

# PrairieLearn takes a result of 1 MB, Classroom 50's collector one of 10 MB.
PRAIRIELEARN_BYTES = 1_000_000
CLASSROOM50_BYTES = 10_000_000
# Exercism's longest message of a run in which no test ran.
EXERCISM_MESSAGE = 65_535
# How much of one text stays when a document is too large, before it is tried with half of it.
LONGEST_TEXT = 1 << 18

# What Classroom 50's runner sets, by the field of the result that it becomes. The runner and the
# collector compare these with the repository: they come from the environment and from nowhere else.
IDENTITY = {
    "classroom": "CLASSROOM",
    "assignment": "ASSIGNMENT",
    "assignment_type": "ASSIGNMENT_TYPE",
    "owner": "OWNER",
    "submission": "SUBMISSION_TAG",
    "commit": "COMMIT_URL",
    "release": "RELEASE_URL",
    "review": "REVIEW_URL",
    "datetime": "SUBMISSION_DATETIME",
}
_TAG_TIME = re.compile(r"submit/(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\dZ)")

_FAULT = (
    "The grader failed here. That is its fault, not yours: this criterion costs no points. Please"
    " report it."
)


# --- words that all of them need --------------------------------------------------------------


def told(finding: Finding) -> str:
    """A finding in the order of the contract, a line for each of its fields."""
    lines = []
    for one in fields(finding):
        value = clean(getattr(finding, one.name))
        if one.name == "page":
            value = value and f"labs docs {value}"
        if "\n" in value:
            value = "\n" + "\n".join(f"  {line}" for line in value.split("\n"))
        lines += [f"{one.name.capitalize()}: {value}".replace(": \n", ":\n")] if value else []
    return "\n".join(lines)


def found(verdict: Verdict) -> str:
    """Everything that was found about one criterion; "" where nothing was."""
    if verdict.outcome == "broken":
        return _FAULT
    parts = [verdict.finding, *verdict.further] if verdict.finding else []
    text = "\n\n".join(told(finding) for finding in parts)
    if verdict.outcome == "unreached":
        return f"Not reached: something earlier stopped it.\n\n{text}".rstrip()
    return text


def about(grade: Grade) -> str:
    """What is said about the whole run: score, seed, notes, advice, and our own fault."""
    lines = [
        f"Lab {grade.lab} {grade.slug}: {grade.score} of {grade.max_score} points.",
        f"Repeat it: labs grade {grade.lab} --seed {grade.seed}",
        *(f"Note: {clean(note)}" for note in grade.notes),
        *(f"Advice (costs no points): {clean(text)}" for text in grade.advice),
    ]
    if broken := sum(verdict.outcome == "broken" for verdict in grade.verdicts):
        lines.append(
            f"The grader failed on {counted(broken, 'criterion', 'criteria')}. That is its fault,"
            " not yours, and costs no points."
        )
    return "\n".join(lines)


def _title(verdict: Verdict) -> str:
    return f"{verdict.criterion.id}: {clean(verdict.criterion.goal)}"


def _cut(text: str, most: int) -> str:
    """At most ``most`` characters of ``text``, and how many a cut left out."""
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[{len(text) - most:,} characters are left out here]"


def dumped(document: Any) -> str:
    """JSON in ASCII, so that any stream can carry it, with a line feed at its end."""
    return json.dumps(document, indent=2) + "\n"


def _within(most: int, build: Callable[[int], Document]) -> Document:
    """What ``build`` makes of texts of at most so many characters, small enough for ``most``."""
    longest = LONGEST_TEXT
    while len(dumped(document := build(longest))) > most and longest:
        longest //= 2
    return document


# --- one grade each ---------------------------------------------------------------------------


def gradescope(grade: Grade) -> Document:
    """``results.json``: a test for each criterion, all visible, and their sum as the score.

    Learners see no total as soon as one test is hidden until later, so none is. What is broken
    has no score of its own; ``score`` stands at the top, because a test may then lack one.
    """
    return {
        "score": grade.score,
        "output": about(grade),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {
            "schema": GRADE_SCHEMA,
            "lab": grade.lab,
            "seed": grade.seed,
            "max_score": grade.max_score,
            "status": "broken" if grade.broken else "graded",
            "files": dict(sorted(grade.files.items())),
        },
        "tests": [
            _gradescope_test(number, verdict) for number, verdict in enumerate(grade.asked, 1)
        ],
    }


def _gradescope_test(number: int, verdict: Verdict) -> Document:
    criterion = verdict.criterion
    test: Document = {
        "name": _title(verdict),
        "number": f"{criterion.task}.{number}",
        "output": found(verdict),
        "tags": [f"task {criterion.task}"],
        "visibility": "visible",
        "extra_data": {"criterion": criterion.id, "outcome": verdict.outcome},
    }
    if verdict.outcome != "broken":
        test |= {
            "score": verdict.score,
            "max_score": criterion.points,
            "status": "passed" if verdict.outcome == "met" else "failed",
        }
    return test


def classroom50(grade: Grade, environment: Mapping[str, str]) -> Document:
    """``result.json`` of ``classroom50/result/v1``: whole points, and who it is by from outside.

    ``environment`` is what the runner sets (see IDENTITY); a field that it lacks is empty, and
    the collector then refuses the result. ``datetime`` is when it was handed in and must not move
    with a second grade: ``SUBMISSION_DATETIME`` where the caller knows the commit's, else the
    time in the tag.
    """
    identity = {field: environment.get(name, "") for field, name in IDENTITY.items()}
    identity["owner"] = identity["owner"] or environment.get("USERNAME", "")
    identity["assignment_type"] = identity["assignment_type"] or "individual"
    identity["review"] = identity["review"] or identity["commit"]
    if not identity["datetime"] and (tag := _TAG_TIME.match(identity["submission"])):
        identity["datetime"] = f"{tag[1]}{tag[2]}:{tag[3]}:{tag[4]}"
    pushed_by = _actor(environment)
    texts = [found(verdict) for verdict in grade.asked]

    def build(longest: int) -> Document:
        return {
            "schema": "classroom50/result/v1",
            **identity,
            "score": grade.score,
            "max-score": grade.max_score,
            "tests": [
                _classroom50_test(verdict, _cut(text, longest))
                for verdict, text in zip(grade.asked, texts, strict=True)
            ],
            **({"submitted_by": pushed_by} if pushed_by else {}),
        }

    return _within(CLASSROOM50_BYTES, build)


def _classroom50_test(verdict: Verdict, output: str) -> Document:
    broken = verdict.outcome == "broken"
    return {
        "test-name": _title(verdict),
        "passed": verdict.outcome == "met",
        "score": verdict.score,
        "max-score": 0 if broken else verdict.criterion.points,
        # Kept as it is by the platform.
        "outcome": verdict.outcome,
        "output": output,
    }


def _actor(environment: Mapping[str, str]) -> Document:
    name, number = environment.get("GITHUB_ACTOR", ""), environment.get("GITHUB_ACTOR_ID", "")
    numeric = number.isascii() and number.isdigit()
    return {"username": name, "id": int(number) if numeric else None} if name else {}


def unnamed(environment: Mapping[str, str]) -> list[str]:
    """The variables without which Classroom 50 takes no result, and which are not set."""
    needed = ["CLASSROOM", "ASSIGNMENT", "OWNER", "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL"]
    if environment.get("USERNAME"):
        needed.remove("OWNER")
    return [name for name in needed if not environment.get(name)]


def prairielearn(grade: Grade) -> Document:
    """``results.json``: a share of the points from 0 to 1, within 1 MB.

    Where the grader is at fault the attempt is ``gradable: false``, which costs the learner none.
    Every test has its points: one without would hide them all.
    """
    whole, texts = about(grade), [found(verdict) for verdict in grade.asked]

    def build(longest: int) -> Document:
        head: Document = {"gradable": not grade.broken}
        if grade.broken:
            head["format_errors"] = [_FAULT]
        else:
            head["score"] = grade.score / grade.max_score if grade.max_score else 0.0
        tests = [
            _prairielearn_test(verdict, _cut(text, longest))
            for verdict, text in zip(grade.asked, texts, strict=True)
        ]
        return {**head, "message": _cut(whole, longest), "tests": tests}

    return _within(PRAIRIELEARN_BYTES, build)


def _prairielearn_test(verdict: Verdict, message: str) -> Document:
    return {
        "name": verdict.criterion.id,
        "description": clean(verdict.criterion.goal),
        "points": verdict.score,
        "max_points": 0 if verdict.outcome == "broken" else verdict.criterion.points,
        "message": message,
    }


def exercism(grade: Grade) -> Document:
    """``results.json``, version 3: tests in the order of the lab, each with its task.

    Only a run in which nothing was decided has a message of its own and status ``error``. What a
    function printed is no part of a grade, so no test has ``output``.
    """
    decided = [verdict for verdict in grade.asked if verdict.outcome != "broken"]
    if not decided:
        message = _cut(f"{_FAULT}\n\n{about(grade)}", EXERCISM_MESSAGE - 100)
        return {"version": 3, "status": "error", "message": message, "tests": []}
    return {
        "version": 3,
        "status": "pass" if grade.passed else "fail",
        "message": None,
        "tests": [_exercism_test(grade, verdict) for verdict in grade.asked],
    }


def _exercism_test(grade: Grade, verdict: Verdict) -> Document:
    criterion = verdict.criterion
    again = f"labs grade {grade.lab} --seed {grade.seed} --only {criterion.id}"
    status = {"met": "pass", "broken": "error"}.get(verdict.outcome, "fail")
    message = None if status == "pass" else found(verdict) or clean(criterion.goal)
    return {
        "name": clean(criterion.goal),
        "status": status,
        "task_id": criterion.task,
        "test_code": again,
        "message": message,
    }


# --- several grades ---------------------------------------------------------------------------


def plain(grades: Sequence[Grade], single: bool) -> Document:
    """The grades as our own document: one alone, or all of them."""
    if single:
        return grades[0].document()
    return {"schema": GRADES_SCHEMA, "labs": [grade.document() for grade in grades]}


def junit(grades: Sequence[Grade]) -> str:
    """Grades as JUnit XML of the shape that pytest writes: a suite a lab, a case a criterion.

    Not met and not reached are failures, the grader's own faults are errors, what was not asked is
    skipped. A grade without any verdict, which our own fault ended, is one error. Times are zero
    and there is no time stamp or host: the same grade gives the same file.
    Characters that XML 1.0 forbids are written out (https://www.w3.org/TR/xml/#charsets).
    """
    suites = "".join(_suite(grade) for grade in grades)
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="labs">\n{suites}</testsuites>\n'
    )


def _suite(grade: Grade) -> str:
    verdicts = grade.verdicts or [Verdict(Criterion("grading", 0, about(grade), 0), "broken")]
    outcomes = [verdict.outcome for verdict in verdicts]
    counts = {
        "errors": outcomes.count("broken"),
        "failures": outcomes.count("unmet") + outcomes.count("unreached"),
        "skipped": outcomes.count("skipped"),
        "tests": len(outcomes),
    }
    numbers = " ".join(f'{name}="{number}"' for name, number in counts.items())
    name = f"lab{grade.lab:02}.{grade.slug}"
    facts = {"score": grade.score, "max_score": grade.max_score, "seed": grade.seed}
    cases = "".join(_case(name, verdict) for verdict in verdicts)
    return (
        f'  <testsuite name={_attribute(name)} {numbers} time="0.000">\n'
        f"{_properties(facts, '    ')}{cases}  </testsuite>\n"
    )


def _case(suite: str, verdict: Verdict) -> str:
    criterion = verdict.criterion
    head = (
        f"    <testcase classname={_attribute(f'{suite}.task{criterion.task}')}"
        f' name={_attribute(criterion.id)} time="0.000">\n'
    )
    facts = {"points": criterion.points, "score": verdict.score}
    body = ""
    if verdict.outcome != "met":
        tag = {"broken": "error", "skipped": "skipped"}.get(verdict.outcome, "failure")
        message = criterion.goal if verdict.finding is None else verdict.finding.rule
        words = {"unreached": "not reached", "skipped": "not asked", "broken": "grader fault"}
        if word := words.get(verdict.outcome):
            message = f"{word}: {message}"
        every = [verdict.finding, *verdict.further] if verdict.finding else []
        text = "\n\n".join(told(finding) for finding in every)
        body = f"      <{tag} message={_attribute(message)}>{escape(text)}</{tag}>\n"
    return f"{head}{_properties(facts, '      ')}{body}    </testcase>\n"


def _properties(facts: Mapping[str, int], indent: str) -> str:
    rows = "".join(
        f'{indent}  <property name="{name}" value="{value}"/>\n' for name, value in facts.items()
    )
    return f"{indent}<properties>\n{rows}{indent}</properties>\n"


def _attribute(text: str) -> str:
    return quoteattr(clean(text).replace("\n", " "))


# --- by name ----------------------------------------------------------------------------------

# The formats that hold one lab; the others hold several.
ALONE = ("gradescope", "classroom50", "prairielearn", "exercism")
NAMES = (*ALONE, "junit", "json")


def rendered(
    name: str,
    grades: Sequence[Grade],
    *,
    single: bool = True,
    environment: Mapping[str, str] | None = None,
) -> str:
    """The grades in the format ``name`` (one of NAMES); of ALONE, the first one only."""
    if name == "junit":
        return junit(grades)
    if name == "json":
        return dumped(plain(grades, single))
    if name == "classroom50":
        return dumped(classroom50(grades[0], environment or {}))
    convert = {"gradescope": gradescope, "prairielearn": prairielearn, "exercism": exercism}
    return dumped(convert[name](grades[0]))
