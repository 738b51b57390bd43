"""`labs list`: points, the next step, the way back to the best files, and the finish."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grader.course.lab import Lab, labs
from grader.course.progress import Entry, Progress
from grader.desk import standing
from grader.sandbox.oncall.book import Entry as Drilled

LABS = [Lab(number, f"lab-{name}", Path()) for number, name in enumerate("abc", 1)]


def text(progress: Progress) -> str:
    return "\n".join(standing.lines(LABS, progress))


def test_points_are_summed_and_the_first_unfinished_lab_is_next() -> None:
    progress = Progress(
        {
            "lab-a": Entry(runs=3, best=100, last=100, passed=True, hints={"1": 2}),
            "lab-b": Entry(runs=1, best=42, last=42),
        }
    )
    assert "142 of 300 points, 1 of 3 labs passed." in text(progress)
    assert "Next: labs watch 2 (or labs grade 2)" in text(progress)
    assert "1    labs/01-lab-a  100 of 100  2      passed" in text(progress)


def test_the_way_back_to_better_files_is_named() -> None:
    progress = Progress({"lab-b": Entry(runs=2, best=42, last=17, best_files="02-lab-b-1")})
    expected = "Lab 2: the last run won 17, your best 42. Its files: labs reset 2 --best"
    assert expected in text(progress)


def test_a_lab_that_is_new_in_the_course_takes_nothing_from_the_others() -> None:
    passed = Progress({"lab-a": Entry(runs=1, best=100, passed=True), "old": Entry(best=7)})
    assert "100 of 300 points" in text(passed) and "Next: labs watch 2" in text(passed)


def test_after_the_last_lab_one_screen_says_what_was_proved() -> None:
    """For the course as it is: at most four lines a lab (24 for six) of 80 columns, and honest about opened solutions."""
    course = labs()
    done = Progress({lab.slug: Entry(runs=9, best=100, passed=True) for lab in course})
    done.of(course[0]).solution = "given up"
    done.of(course[1]).solution = "earned"
    lines = standing.lines(course, done)
    assert len(lines) <= 4 * len(course) and max(map(len, lines)) <= 80
    screen = "\n".join(lines)
    assert f"{100 * len(course)} of {100 * len(course)} points" in lines[0]
    assert screen.count("solution opened before") == 1
    assert (
        f"{len(course) - 1} of {len(course)} were passed without opening the solution first."
        in screen
    )
    for lab in course:
        for task in lab.tasks:
            assert task.title in " ".join(screen.split())


@pytest.mark.parametrize("passed", [True, False])
def test_the_same_is_there_for_programs(passed: bool) -> None:
    progress = Progress({lab.slug: Entry(runs=1, best=100, passed=passed) for lab in LABS})
    document = json.loads(standing.document(LABS, progress))
    assert (document["score"], document["max_score"]) == (300, 300)
    assert document["complete"] is passed
    assert [row["lab"] for row in document["labs"]] == [1, 2, 3]


def test_a_program_reads_which_drill_is_under_way() -> None:
    told = standing.document(LABS, Progress(), {"one": Drilled(), "two": Drilled()}, "two")
    rows = json.loads(told)["drills"]
    assert [(row["drill"], row["under_way"]) for row in rows] == [("one", False), ("two", True)]
