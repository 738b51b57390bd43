"""A drill as somebody types it: begun, looked at and mended with the AWS CLI, done, and read."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grader.desk.cli import main

pytestmark = pytest.mark.played
HERE = str(Path(sys.executable).parent)


@pytest.mark.skipif(sys.platform == "win32", reason="what is typed is typed into a POSIX shell")
def test_a_drill_is_solved_by_what_somebody_types(
    space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With the CLI and the names of the prepared terminal alone, from the page to the debrief."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", f"{HERE}{os.pathsep}{os.environ['PATH']}")
    begin = [sys.executable, "-m", "grader", "oncall", "6", "--port", "0", "--no-shell"]
    drill = subprocess.Popen(
        [*begin, "--speed", "5"], cwd=space, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while not (space / "oncall" / "silence" / "RUNBOOK.md").exists():
            assert drill.poll() is None and time.monotonic() < until
            time.sleep(0.05)

        def typed(line: str) -> str:
            capfd.readouterr()
            assert main(["oncall", "shell", "sh", "-c", line]) == 0, capfd.readouterr().err
            return capfd.readouterr().out

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
    finally:
        drill.kill()
        drill.communicate()
