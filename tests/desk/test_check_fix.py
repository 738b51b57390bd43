"""`labs check --fix` as a command: a patch on stdout, sentences on stderr, files only on request."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from grader.desk.cli import main

TEMPLATES = Path(__file__).resolve().parents[1] / "review/fix/templates"


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["check", *arguments])
    found = capsys.readouterr()
    return code, found.out, found.err


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a template and its handler, in which the command runs."""
    for name in ("two-steps.yaml", "reader.py"):
        (tmp_path / name).write_bytes((TEMPLATES / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "two-steps.yaml"


def test_the_patch_is_what_write_would_do(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written without --write; `patch` makes the same file of it."""
    before = here.read_bytes()
    code, patch, sentences = told(capsys, here.name, "--fix")
    assert code == 1 and patch.startswith("--- a/two-steps.yaml\n+++ b/two-steps.yaml\n@@")
    assert "failure-destination, added: Failure notes go to a new queue" in sentences
    assert here.read_bytes() == before
    subprocess.run(["git", "apply", "-"], input=patch, text=True, check=True)
    patched = here.read_bytes()
    here.write_bytes(before)
    assert told(capsys, here.name, "--fix", "--write")[0] == 1  # the alarms are still missing
    assert here.read_bytes() == patched != before
    assert told(capsys, here.name, "--fix", "--write")[1] == ""
    assert here.read_bytes() == patched


def test_what_does_not_go_together_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, here.name, "--write")[0] == 2
    assert told(capsys, here.name, "--fix", "--json")[0] == 2
    here.write_text("Resources: {}\n")
    code, patch, sentences = told(capsys, here.name, "--fix")
    assert (code, patch) == (2, "") and "there is nothing to add" in sentences
    assert told(capsys, here.name, "--fix", "--allow-none")[0] == 0
