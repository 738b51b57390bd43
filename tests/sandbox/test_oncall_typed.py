"""A drill as somebody types it: begun, looked at and mended with the AWS CLI, done, and read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader.desk.cli import main

pytestmark = pytest.mark.played
HERE = str(Path(sys.executable).parent)


Typed = Callable[[str], str]


@pytest.fixture
def begun(
    space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str, str], tuple[subprocess.Popen[str], Typed]]]:
    """Begin a drill by its number and name; the process, and what types into its terminal."""
    if sys.platform == "win32":
        pytest.skip("what is typed is typed into a POSIX shell")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", f"{HERE}{os.pathsep}{os.environ['PATH']}")
    drills: list[subprocess.Popen[str]] = []

    def typed(line: str) -> str:
        capfd.readouterr()
        assert main(["oncall", "shell", "sh", "-c", line]) == 0, capfd.readouterr().err
        return capfd.readouterr().out

    def begin(number: str, name: str) -> tuple[subprocess.Popen[str], Typed]:
        command = [sys.executable, "-m", "grader", "oncall", number, "--port", "0", "--no-shell"]
        drill = subprocess.Popen(
            [*command, "--speed", "5"], cwd=space, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        drills.append(drill)
        until = time.monotonic() + 120
        while not (space / "oncall" / name / "RUNBOOK.md").exists():
            assert drill.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        return drill, typed

    yield begin
    for drill in drills:
        drill.kill()
        drill.communicate()


def test_a_drill_is_solved_by_what_somebody_types(
    begun: Callable[[str, str], tuple[subprocess.Popen[str], Typed]],
    space: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With the CLI and the names of the prepared terminal alone, from the page to the debrief."""
    drill, typed = begun("6", "silence")
    look = 'aws lambda get-event-source-mapping --uuid "$MAPPING" --query State --output text'
    told = typed(f"{look}; cat PAGE.txt; aws configure list")
    assert told.startswith('Disabled\nALARM: "ShippingSilent"')
    assert "testing" not in told and "shared-credentials-file" not in told
    mend = 'aws lambda update-event-source-mapping --uuid "$MAPPING" --enabled --output json'
    assert json.loads(typed(mend))["State"] == "Enabling"
    assert main(["oncall", "done", "--cause", "mapping-disabled"]) == 0
    assert "100 of 100" in capfd.readouterr().out
    assert drill.wait(60) == 0
    page = (space / "oncall" / "silence" / "debrief.html").read_text(encoding="utf-8")
    assert re.search(r"you changed.*UpdateEventSourceMapping", page)
    assert main(["list"]) == 0
    assert re.search(r"6 +silence +100 of 100 +1 +0 +passed", capfd.readouterr().out)


def test_replay_says_what_it_has_not_brought_back(
    begun: Callable[[str, str], tuple[subprocess.Popen[str], Typed]],
) -> None:
    """Before the mend each try names the orders that fail; after it their notes go."""
    _, typed = begun("4", "notes-pile-up")
    replay = '"$PYTHON" replay.py --notes'
    first, second = typed(replay), typed(replay)
    failing = re.findall(r"still without a parcel: (.+)", first)
    assert (
        failing and failing == re.findall(r"still without a parcel: (.+)", second)[: len(failing)]
    )
    mended = typed(
        'aws lambda update-function-code --function-name "$FUNCTION" --output text'
        f" --query State --zip-file fileb://previous.zip; sleep 2; {replay}"
    )
    assert "their note is gone" in mended and "still without" not in mended
