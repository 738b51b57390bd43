"""A course of one small lab with a judge that answers at once, for tests of the command line.

``conftest.py`` makes the fixtures known: ``judge``, ``space``, ``handler`` and ``labs``.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from grader import course
from grader.course import files, lab, workspace
from grader.course.grade import Criterion, Finding, Grade, Outcome, Verdict
from grader.course.lab import Lab
from grader.desk import cli

if TYPE_CHECKING:
    from grader.course.evidence import Evidence

Run = Callable[..., tuple[int, str, str]]

CRITERIA = [
    Criterion("sends-twice", 1, "Both readers get every message.", 40),
    Criterion("sends-once", 2, "No reader gets a message twice.", 60),
]
README = "# Lab 7: Fan out\n\n## Task 1: Send it twice\n\n## Task 2: Send it once\n"
HINTS = "".join(
    f"## Task {task}: x\n" + "".join(f"### Hint {k}\nTask {task}, step {k}.\n" for k in (1, 2, 3))
    for task in (1, 2)
)
NEXT = "next"
STARTER, BETTER, RIGHT = "answer = 0\n", "answer = 1\n", "answer = 2\n"


class Judge(types.ModuleType):
    """Stands in for grader.course.judge: ``answer = 1`` wins task 1, ``answer = 2`` wins both."""

    def __init__(self) -> None:
        super().__init__("grader.course.judge")
        self.calls: list[dict[str, object]] = []
        self.instead: Callable[[], None] = lambda: None

    def criteria(self, lab: Lab) -> list[Criterion]:
        return CRITERIA

    def grade(
        self,
        lab: Lab,
        folder: Path,
        *,
        seed: int = 0,
        only: Sequence[str] = (),
        progress: Callable[[str], None] | None = None,
        nursery: object = None,
        first_loss: bool = False,
    ) -> Grade:
        self.calls.append({"lab": lab.number, "folder": folder, "seed": seed, "only": tuple(only)})
        self.instead()
        text = (folder / "handler.py").read_text()
        verdicts = []
        for number, criterion in enumerate(CRITERIA, 1):
            if progress:
                progress(criterion.goal)
            met = any(text == f"answer = {answer}\n" for answer in range(number, 3))
            outcome: Outcome = "met" if met else "unmet"
            if only and criterion.id not in only:
                outcome = "skipped"
            if "broken" in text:
                outcome = "broken"
            finding = Finding("A rule.", "in", "1", "2", "why", "here", NEXT, "index")
            verdicts.append(Verdict(criterion, outcome, finding if outcome == "unmet" else None))
        return Grade(lab.number, lab.slug, seed, verdicts)

    def grade_seen(self, lab: Lab, folder: Path, **options: Any) -> tuple[Grade, Evidence]:
        """The same grade, and a page's worth of nothing that was played."""
        from grader.course.evidence import Evidence

        return self.grade(lab, folder, **options), Evidence([], {})

    def timeline(
        self,
        lab: Lab,
        folder: Path,
        seed: int = 0,
        scenario: str | None = None,
        *,
        whole: bool = False,
        plain: bool = False,
    ) -> Iterator[str]:
        if scenario not in (None, "poison"):
            raise KeyError(f"{scenario}: this lab has the scenarios poison")
        yield f"09:00:00 {scenario or 'first'} {(folder / 'handler.py').read_text().strip()}"

    def run(
        self, lab: Lab, folder: Path, seed: int = 0, scenario: str | None = None
    ) -> tuple[dict[str, Any], Finding | None]:
        from grader.replay import run

        told = list(self.timeline(lab, folder, seed, scenario))
        name = scenario or "first"
        document = run.document(
            [], lab=lab.number, slug=lab.slug, scenario=name, seed=seed, told=told
        )
        return document, None


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    stand_in = Judge()
    monkeypatch.setitem(sys.modules, "grader.course.judge", stand_in)
    monkeypatch.setattr(course, "judge", stand_in, raising=False)
    return stand_in


@pytest.fixture
def space(judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with lab 7, made by `labs init`; the current folder is its root."""
    package = tmp_path / "package" / "grader"
    pristine = package / "course" / "starters" / "07-fan-out"
    pristine.mkdir(parents=True)
    (pristine / "README.md").write_text(README)
    (pristine / "hints.md").write_text(HINTS)
    (pristine / "handler.py").write_text(STARTER)
    solved = package / "course" / "_solutions" / "07-fan-out"
    solved.mkdir(parents=True)
    (solved / "handler.py").write_text(RIGHT)
    (solved / "NOTES.md").write_text("Why this is right.\n")
    (package / "desk" / "_docs" / "modules").mkdir(parents=True)
    (package / "desk" / "_docs" / "index.md").write_text("# Start\n")
    (package / "desk" / "_docs" / "modules" / "07-fan-out.md").write_text("# Fan out\n")
    for module in (files, lab, workspace):
        monkeypatch.setattr(module, "PACKAGE", package)
    monkeypatch.setattr(lab, "STARTERS", package / "course" / "starters")
    monkeypatch.delenv("NO_COLOR", raising=False)
    root = tmp_path / "mine"
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "mine"]) == 0
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def handler(space: Path) -> Path:
    return space / "labs" / "07-fan-out" / "handler.py"


@pytest.fixture
def labs(space: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command; gives exit code, stdout, stderr."""
    capsys.readouterr()

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
