"""Playing knows no finding: what a play meets is told in facts, and judged elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

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
