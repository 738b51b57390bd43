"""The five examples for teams, as files that a reader copies: each one's own tests are run here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

# Loaded once here, not once for each project: pytester forgets what its runs have imported.
import grader.cloud.pipeline  # noqa: F401

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "includes/examples"
NAMES = ["archive", "batch", "outbox", "transactions", "view"]


@pytest.mark.played
def test_every_example_passes_and_stands_on_the_page(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them in one run, which shares a nursery; the page includes every file as it is."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    page = (ROOT / "docs/reference/examples.md").read_text(encoding="utf-8")
    files = [one for one in EXAMPLES.rglob("*") if one.suffix in (".py", ".yaml")]
    assert sorted({one.parent.name for one in files}) == NAMES and len(files) == 3 * len(NAMES)
    for file in files:
        assert f'--8<-- "{file.relative_to(ROOT).as_posix()}"' in page
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(EXAMPLES, pytester.path, ignore=ignored, dirs_exist_ok=True)
    result = pytester.runpytest_inprocess("-p", "grader.desk.pytest_plugin")
    result.assert_outcomes(passed=10)
