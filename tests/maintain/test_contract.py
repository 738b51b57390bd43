"""What maintainers are told: every refusal of `labs dev check`, the scaffold, the copies in step."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from grader.course.files import PACKAGE, UsageError
from grader.course.grade import Criterion, Grade, Outcome, Verdict
from grader.course.lab import Lab, find, labs
from grader.desk.cli import cli
from grader.maintain import contract, pages, scaffold

ROOT = PACKAGE.parent
# The claims take seconds; tests/review/tuning/test_claims.py compares that page. The others are written
# once: every clone holds all of them, and every check reads them again.
PAGES = {
    name: cache(text)
    for name, text in pages.generated(cli).items()
    if not name.endswith("claims.md")
}

HINTS = "# Hints\n" + "".join(
    f"\n## Task {task}: x\n"
    + "".join(f"\n### Hint {k}\n\nTask {task}, thought {k}.\n" for k in (1, 2, 3))
    for task in (1, 2)
)
README = """\
# Lab 7: Fan out

## Task 1: Send it twice

## Task 2: Send it once

| Task | Criterion | Points |
|---|---|---|
| 1 | `c1` | 40 |
| 2 | `c2` | 60 |
"""
STARTER = "def handler(event, context):\n    # TODO task 1: send it\n    # TODO task 2: once\n    return None\n"
SOLVED = 'def handler(event, context):\n    return publish(event["Records"])\n'


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with one lab that is in order."""
    for place in ("labs", "grader/course/starters"):
        write(tmp_path, f"{place}/07-fan-out/README.md", README)
        write(tmp_path, f"{place}/07-fan-out/hints.md", HINTS)
        write(tmp_path, f"{place}/07-fan-out/handler.py", STARTER)
    write(tmp_path, "solutions/07-fan-out/handler.py", SOLVED)
    write(tmp_path, "solutions/07-fan-out/NOTES.md", "Why.\n")
    write(tmp_path, "grader/course/labs/lab07/criteria.py", "")
    write(tmp_path, "docs/modules/07-fan-out.md", "# Fan out\n")
    for name, text in PAGES.items():
        write(tmp_path, name, text())
    return tmp_path


def criteria(*points: int, tasks: tuple[int, ...] = (1, 2)) -> Callable[[Lab], list[Criterion]]:
    made = [
        Criterion(f"c{number}", task, "Goal.", worth)
        for number, (worth, task) in enumerate(zip(points, tasks, strict=True), 1)
    ]
    return lambda lab: made


def told(lab: Lab) -> list[str]:
    return ["orders"]


def grader(
    starter: int = 40, bad_seeds: tuple[int, ...] = (), broken: bool = False
) -> contract.Grader:
    """Grades the solution with 100 but for ``bad_seeds``, everything else with ``starter``."""

    def grade(lab: Lab, folder: Path, seed: int) -> Grade:
        if not (folder / "handler.py").is_file():
            raise UsageError(f"There is no {folder.name}/handler.py.")
        solved = "publish" in (folder / "handler.py").read_text()
        score = starter if not solved else 60 if seed in bad_seeds else 100
        outcomes: list[tuple[int, Outcome]] = [(score, "met"), (100 - score, "unmet")]
        if broken:
            outcomes.append((0, "broken"))
        verdicts = [
            Verdict(Criterion(f"c{number}", 1, "Goal.", worth), outcome)
            for number, (worth, outcome) in enumerate(outcomes, 1)
            if worth or outcome == "broken"
        ]
        return Grade(lab.number, lab.slug, seed, verdicts)

    return grade


def problems(
    clone: Path,
    *,
    seeds: int = 3,
    goals: Callable[[Lab], list[Criterion]] | None = None,
    play: contract.Grader | None = None,
) -> list[str]:
    found = contract.refusals(
        clone,
        PAGES,
        seeds=seeds,
        grader=play or grader(),
        criteria=goals or criteria(40, 60),
        timelines=told,
    )
    return [str(problem) for problem in found]


def edit(root: Path, name: str, change: Callable[[str], str]) -> None:
    """Edit a file of the lab, in labs/ and in its mirror."""
    for place in ("labs", "grader/course/starters"):
        path = root / place / "07-fan-out" / name
        write(
            root,
            path.relative_to(root).as_posix(),
            change(path.read_text()) if path.exists() else change(""),
        )


def test_a_lab_in_order_is_not_refused(clone: Path) -> None:
    assert problems(clone) == []


def test_a_course_that_is_too_long_to_read_is_refused(clone: Path) -> None:
    """Start page, modules and READMEs together; tables and code are not read as prose."""
    write(clone, "docs/index.md", "word " * 30_000)
    assert [said.partition(" a learner")[0] for said in problems(clone)] == ["docs:"]
    write(clone, "docs/index.md", "| word |\n" * 30_000)
    assert problems(clone) == []


def test_every_seed_of_the_solution_is_graded(clone: Path) -> None:
    seen: list[str] = []
    contract.refusals(
        clone,
        PAGES,
        seeds=20,
        grader=grader(),
        criteria=criteria(40, 60),
        timelines=told,
        progress=seen.append,
    )
    assert len(seen) == 21
    assert seen[-1] == "07-fan-out: grading the solution, seed 19 of 0 to 19"


@pytest.mark.parametrize("score", [0, 60, 100])
def test_a_starter_must_score_between_nothing_and_60(clone: Path, score: int) -> None:
    (found,) = problems(clone, play=grader(score))
    assert f"the starter scores {score}" in found


def test_a_starter_that_breaks_the_grader_is_refused(clone: Path) -> None:
    assert any(
        "the grader failed on the starter" in one
        for one in problems(clone, play=grader(broken=True))
    )


def test_a_solution_that_fails_on_one_seed_is_refused(clone: Path) -> None:
    (found,) = problems(clone, play=grader(bad_seeds=(2,)))
    assert found == "07-fan-out: the solution scores 60 with seed 2: c2 unmet."


@pytest.mark.parametrize(
    ("goals", "part"),
    [
        (criteria(40, 61), "sum to 101, not to 100"),
        (criteria(100, 0), "c2 is worth 0 points"),
        (criteria(40, 60, tasks=(1, 1)), "task 2 of the README is not among the criteria"),
        (
            criteria(40, 30, 30, tasks=(1, 2, 3)),
            "task 3 is among the criteria but not in the README",
        ),
    ],
)
def test_points_and_tasks_of_the_criteria(
    clone: Path, goals: Callable[[Lab], list[Criterion]], part: str
) -> None:
    (found,) = [one for one in problems(clone, goals=goals) if "README.md" not in one]
    assert part in found


def test_the_points_of_the_readme_are_those_of_the_criteria(clone: Path) -> None:
    edit(clone, "README.md", lambda t: t.replace("| 2 | `c2` | 60 |", "| 2 | `c2` | 50 |"))
    assert problems(clone) == [
        "07-fan-out: README.md has no row for c2 of task 2 with 60 points.",
        "07-fan-out: README.md promises 50 points for c2 of task 2; no criterion is so.",
    ]


def test_a_lab_without_a_timeline_is_refused(clone: Path) -> None:
    found = contract.refusals(
        clone, PAGES, seeds=1, grader=grader(), criteria=criteria(40, 60), timelines=lambda lab: []
    )
    assert [str(one) for one in found] == ["07-fan-out: labs run has no timeline to show for it."]


def test_two_criteria_of_one_name_are_refused(clone: Path) -> None:
    twice = [Criterion("same", 1, "Goal.", 40), Criterion("same", 2, "Goal.", 60)]
    found = [one for one in problems(clone, goals=lambda lab: twice) if "README.md" not in one]
    assert found == ["07-fan-out: there are 2 criteria same."]


def test_criteria_that_cannot_be_imported_are_refused(clone: Path) -> None:
    def missing(lab: Lab) -> list[Criterion]:
        raise ModuleNotFoundError(f"No module named {lab.module!r}")

    assert any("its criteria cannot be imported" in one for one in problems(clone, goals=missing))


@pytest.mark.parametrize(
    ("name", "change", "part"),
    [
        ("README.md", lambda t: t.replace("Lab 7", "Lab 8"), 'must begin with a heading "# Lab 7: …"'),
        ("README.md", lambda t: t.replace("Task 2", "Task 3"), "must count 1, 2, 3, …; they are [1, 3]"),
        ("README.md", lambda t: t + "\n## Task 3: More\n", "task 3 of the README is not among the TODOs"),
        ("hints.md", lambda t: t.replace("Task 2:", "Task 3:"), "task 3 is among the headings of hints.md"),
        ("hints.md", lambda t: t.partition("## Task 2")[0], "task 2 of the README is not among the headings"),
        ("hints.md", lambda t: t.replace("Task 2, thought 2.", ""), "hint 2 of task 2 is empty"),
        ("hints.md", lambda t: t.replace("Task 2, thought 1.", "task 1,  Thought 3."), "repeats hint 3 of task 1"),
        ("hints.md", lambda t: t.replace("### Hint 3\n\nTask 2, thought 3.", ""), "task 2 has 2 hints, not 3"),
        (
            "hints.md",
            lambda t: t.replace("Task 1, thought 2.", '```python\n  return publish(event["Records"])\n```'),
            "hint 2 of task 1 contains a line of the solution (handler.py:2)",
        ),
        (
            "hints.md",
            lambda t: t.replace("Task 1, thought 2.", 'Try `return publish(event["Records"])`.'),
            "contains a line of the solution",
        ),
        ("handler.py", lambda t: t.replace("TODO task 2:", "TODO:"), 'handler.py:3: a TODO reads "TODO task N: …"'),
        ("handler.py", lambda t: t.replace("task 2:", "task 4:"), "task 4 is among the TODOs of the starter"),
        ("extra.py", lambda t: "x = 1\n", "extra.py is a stray file"),
    ],
)  # fmt: skip
def test_what_is_written_is_refused_with_its_place(
    clone: Path, name: str, change: Callable[[str], str], part: str
) -> None:
    edit(clone, name, change)
    found = problems(clone)
    assert any(part in one for one in found), found


def test_a_hint_may_quote_what_the_starter_shows_anyway(clone: Path) -> None:
    edit(
        clone,
        "hints.md",
        lambda t: t.replace("Task 1, thought 1.", "`def handler(event, context):`"),
    )
    assert problems(clone) == []


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("labs/07-fan-out/__pycache__/x.pyc", "labs/07-fan-out/__pycache__ is litter"),
        ("labs/07-fan-out/more.txt", "more.txt is in labs/ only"),
        (
            "grader/course/starters/07-fan-out/more.txt",
            "more.txt is in the mirror grader/course/starters only",
        ),
        ("solutions/07-fan-out/more.txt", "the solution's more.txt is a stray file"),
        ("labs/08-nothing/README.md", "labs/08-nothing: it belongs to no lab"),
        ("solutions/08-nothing/handler.py", "solutions/08-nothing: it belongs to no lab"),
        ("labs/notes.txt", "labs/notes.txt: it belongs to no lab"),
        ("grader/course/labs/lab09/criteria.py", "grader/course/labs/lab09: it belongs to no lab"),
        ("grader/course/starters/07-again/README.md", "has the same number"),
    ],
)
def test_stray_files_are_refused(clone: Path, path: str, part: str) -> None:
    write(clone, path, "x")
    found = problems(clone)
    assert any(part in one for one in found), found


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("docs/modules/07-fan-out.md", "docs/modules/07-fan-out.md is missing"),
        ("solutions/07-fan-out/NOTES.md", "the solution has no NOTES.md"),
        ("solutions/07-fan-out/handler.py", "or the solution lacks it"),
        ("grader/course/starters/07-fan-out/hints.md", "hints.md is missing"),
        ("docs/reference/cli.md", "labs dev sync writes it"),
    ],
)
def test_missing_files_are_refused(clone: Path, path: str, part: str) -> None:
    (clone / path).unlink()
    found = problems(
        clone, play=lambda lab, folder, seed: grader()(lab, clone / "labs" / lab.name, seed)
    )
    assert any(part in one for one in found), found


def test_a_mirror_that_differs_is_refused_and_sync_mends_it(clone: Path) -> None:
    write(clone, "labs/07-fan-out/handler.py", STARTER + "# new\n")
    write(clone, "labs/07-fan-out/board.json", "{}\n")
    write(clone, "solutions/07-fan-out/board.json", "{}\n")
    write(clone, "grader/course/starters/07-fan-out/old.py", "x\n")
    assert sum("mirror" in one for one in problems(clone)) == 3
    assert sorted(pages.sync(clone, PAGES)) == [
        "07-fan-out/board.json copied to grader/course/starters",
        "07-fan-out/handler.py copied to grader/course/starters",
        "07-fan-out/old.py removed from grader/course/starters",
    ]
    assert problems(clone) == []
    assert pages.sync(clone, PAGES) == []


def test_one_lab_can_be_checked_alone(clone: Path) -> None:
    write(clone, "grader/course/starters/08-other/README.md", "")
    lab = find("7", clone / "grader" / "course" / "starters")
    assert (
        contract.refusals(
            clone, PAGES, [lab], 1, grader=grader(), criteria=criteria(40, 60), timelines=told
        )
        == []
    )


def answers(clone: Path, part: str) -> tuple[list[str], list[str]]:
    """What is refused of the kept answers whose names hold ``part``, and what was graded."""
    graded: list[str] = []
    play = grader()

    def counted(lab: Lab, folder: Path, seed: int) -> Grade:
        graded.append((folder / "handler.py").read_text())
        return play(lab, folder, seed)

    found = contract.refusals(
        clone, PAGES, grader=counted, criteria=criteria(40, 60), timelines=told, answers=part
    )
    return [str(one) for one in found], graded


def test_kept_answers_are_graded_all_or_by_a_part_of_their_name(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lab, "solution", property(lambda lab: clone / "solutions" / lab.name))
    for name in ("swallows-errors", "counts-twice"):
        place = f"tests/submissions/lab07/right/{name}"
        write(clone, f"{place}/expect.toml", 'why = "Another design."\n')
        write(clone, f"{place}/handler.py", f"{name}\n")
    assert answers(clone, "")[1] == ["counts-twice\n", "swallows-errors\n"]
    assert answers(clone, "swallows")[1] == ["swallows-errors\n"]
    assert answers(clone, "swalows") == (
        ["07-fan-out: none of its kept answers has a name with 'swalows' in it."],
        [],
    )


# --- a new lab --------------------------------------------------------------------------------


def test_a_new_lab_has_every_part_and_is_refused_nothing(clone: Path) -> None:
    """What can be told without playing it; ``test_scaffold.py`` plays one."""
    write(clone, "mkdocs.yml", "nav:\n  - Modules:\n      - modules/07-fan-out.md\n  - x.md\n")
    said = scaffold.new(clone, "08-fan-in")
    lab = find("8", clone / "grader" / "course" / "starters")
    for path in (
        "labs/08-fan-in/README.md",
        "grader/course/starters/08-fan-in/handler.py",
        "solutions/08-fan-in/NOTES.md",
        "grader/course/labs/lab08/criteria.py",
        "docs/modules/08-fan-in.md",
    ):
        assert (clone / path).is_file(), path
        assert f"made {path}" in said
    menu = (clone / "mkdocs.yml").read_text().splitlines()
    assert menu[3:] == ["      - modules/08-fan-in.md", "  - x.md"]
    goals = [
        Criterion("record-arrives", 1, "Goal.", 40),
        Criterion("record-copied", 1, "Goal.", 60),
    ]
    found = contract.refusals(
        clone,
        PAGES,
        [lab],
        1,
        grader=lambda lab, folder, seed: _in_order(lab, folder, seed),
        criteria=lambda lab: goals,
        timelines=told,
    )
    assert [str(one) for one in found] == []


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("fan-in", "is no name for a lab"),
        ("8-fan-in", "is no name for a lab"),
        ("08-Fan", "is no name for a lab"),
        ("08-../../etc", "is no name for a lab"),
        ("07-other", "There is already a lab 7: 07-fan-out."),
    ],
)
def test_a_bad_name_makes_nothing(clone: Path, name: str, part: str) -> None:
    before = sorted(clone.rglob("*"))
    with pytest.raises(UsageError, match=part):
        scaffold.new(clone, name)
    assert sorted(clone.rglob("*")) == before


def test_nothing_is_overwritten(clone: Path) -> None:
    write(clone, "docs/modules/08-fan-in.md", "mine\n")
    with pytest.raises(UsageError, match="already there; nothing was made"):
        scaffold.new(clone, "08-fan-in")
    assert not (clone / "labs" / "08-fan-in").exists()


# --- the real course, as far as it can be told without grading ---------------------------------


@pytest.mark.parametrize("lab", labs(), ids=lambda lab: lab.name)
def test_the_shipped_lab_is_in_order(lab: Lab) -> None:
    """Everything but the copy in labs/, which a learner may have edited by now."""
    from grader.course import judge

    found = contract.refusals(
        ROOT, PAGES, [lab], 1, grader=_in_order, criteria=lambda lab: judge.criteria(lab)
    )
    assert [str(one) for one in found if "labs dev sync" not in one.sentence] == []


def _in_order(lab: Lab, folder: Path, seed: int) -> Grade:
    """Stands in for the judge: what is asked here is what is written, not what is played."""
    won = 100 if "solutions" in folder.parts else 40
    verdicts = [Verdict(Criterion("a", 1, "Goal.", won), "met")]
    return Grade(lab.number, lab.slug, seed, verdicts)


def test_the_command_reference_is_what_the_commands_say() -> None:
    """`labs dev sync` writes docs/reference/cli.md anew."""
    for name, text in PAGES.items():
        assert text() == (ROOT / name).read_text(encoding="utf-8"), name


def test_the_reference_does_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pages.cli_reference(cli)
    monkeypatch.setenv("COLUMNS", "40")
    assert pages.cli_reference(cli) == before
