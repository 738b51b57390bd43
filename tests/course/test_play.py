"""Playing knows no finding: what a play meets is told in facts, and judged elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from grader.cloud.function import Invocation
from grader.cloud.mapping.ports import Result
from grader.course.play.stops import error_text

COURSE = Path(__file__).parents[2] / "grader" / "course"


def _imports(path: Path) -> set[str]:
    """Every module that a file imports anywhere, for types only, too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted((COURSE / "play").glob("*.py")), ids=lambda p: p.stem)
def test_playing_knows_no_lab_no_grade_and_no_stage(path: Path) -> None:
    """Of the course it imports play only, so that drills and replays can use it."""
    of_course = {name for name in _imports(path) if name.startswith("grader.course.")}

    assert all(name.startswith("grader.course.play") for name in of_course), of_course


@pytest.mark.parametrize(
    ("runtime", "kind", "message", "told"),
    [
        ("python3.99", "AttributeError", "module 'itertools' has no attribute 'batch'", True),
        ("python3.99", "Runtime.ImportModuleError", "cannot import name 'x' from 'json' (y)", True),
        ("python3.99", "Runtime.UserCodeSyntaxError", "invalid syntax", True),
        ("python3.1", "AttributeError", "module 'itertools' has no attribute 'batch'", False),
        ("python3.99", "AttributeError", "module 'ledger' has no attribute 'batch'", False),
        ("python3.99", "KeyError", "'amount'", False),
    ],
)
def test_an_error_that_a_newer_python_would_not_raise_says_which_one_ran(
    runtime: str, kind: str, message: str, told: bool
) -> None:
    """The template's runtime may have what the Python of the labs lacks."""
    invocation = Invocation(1, 1, "id", True, 0, {}, runtime=runtime)
    invocation.result = Result("error", None, kind, message)

    assert ("the labs run on Python" in error_text(invocation)) is told
