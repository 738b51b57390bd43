"""A baseline of `labs check`, several templates at once, and the hook for pre-commit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from grader.desk.cli import main

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "tests/review/checklist/templates"


def check(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    code = main(["check", *map(str, arguments)])
    told = capsys.readouterr()
    return code, told.out + told.err


def test_what_is_accepted_passes_and_what_is_new_decides(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    template = tmp_path / "stacks/template.yaml"
    template.parent.mkdir()
    template.write_text((TEMPLATES / "sam.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    accepted = tmp_path / "accepted.json"
    assert check(capsys, template)[0] == 1
    assert check(capsys, template, "--write-baseline", accepted)[0] == 0
    document = json.loads(accepted.read_text(encoding="utf-8"))
    assert {one["path"] for one in document["accepted"]} == {"stacks/template.yaml"}
    code, told = check(capsys, template, "--baseline", accepted)
    count = len(document["accepted"])
    assert code == 0 and f"The baseline accepts {count} findings." in told

    weighty = next(
        one
        for one in document["accepted"]
        if f"critical  {one['item']}" in check(capsys, template)[1]
    )
    document["accepted"].remove(weighty)
    accepted.write_text(json.dumps(document), encoding="utf-8")
    code, told = check(capsys, template, "--baseline", accepted)
    assert code == 1 and weighty["item"] in told
    moved = template.rename(tmp_path / "template.yaml")
    assert check(capsys, moved, "--baseline", accepted)[0] == 1


def test_a_file_that_is_no_baseline_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for text in ("{}", "[", json.dumps({"schema": "labs/baseline/v1"})):
        (tmp_path / "odd.json").write_text(text, encoding="utf-8")
        code, told = check(capsys, TEMPLATES / "sam.yaml", "--baseline", tmp_path / "odd.json")
        assert code == 2 and "is no baseline" in told
    code, told = check(capsys, TEMPLATES / "sam.yaml", "--baseline", tmp_path / "none.json")
    assert code == 2 and "cannot be read" in told


def test_of_several_templates_the_worst_counts(capsys: pytest.CaptureFixture[str]) -> None:
    several = (TEMPLATES / "none.yaml", TEMPLATES / "sam.yaml")
    assert check(capsys, *several)[0] == 2
    assert check(capsys, *several, "--allow-none")[0] == 1
    assert check(capsys, several[0], "--allow-none")[0] == 0
    assert check(capsys, *several, "--json")[0] == 2


def test_the_hook_of_pre_commit_runs_the_command_on_templates(
    capsys: pytest.CaptureFixture[str],
) -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    command, *arguments = hook["entry"].split()
    assert command == "labs"
    assert main([*arguments, str(TEMPLATES / "none.yaml")]) == 0
    for name in ("template.yaml", "a/shop.template.json", "b/template.yml"):
        assert re.search(hook["files"], name)
    assert not re.search(hook["files"], "docs/mkdocs.yml")
    capsys.readouterr()
