"""Temporary folders do not outlive who made them, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

MAKE = """
import sys, time
from grader.cloud.scratch import Scratch
kept = Scratch()
(kept.path / "file").write_text("x")
print(kept.path, flush=True)
if sys.argv[1:]:
    time.sleep(600)
kept.close()
"""


def _start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAKE, *arguments],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="a POSIX signal")
def test_what_a_killed_process_leaves_goes_at_the_next_start(tmp_path: Path) -> None:
    """And what a living one holds, and what others have put there, stays."""
    killed, living = _start(tmp_path, "stay"), _start(tmp_path, "stay")
    try:
        assert killed.stdout is not None and living.stdout is not None
        left, held = (Path(one.stdout.readline().strip()) for one in (killed, living))  # type: ignore[union-attr]
        (tmp_path / "labs-notes").mkdir()
        killed.kill()
        killed.wait()
        assert (left / "file").exists()

        next_one = _start(tmp_path)
        said, _ = next_one.communicate()

        assert not left.exists() and not Path(said.strip()).exists()
        assert (held / "file").exists() and (tmp_path / "labs-notes").exists()
    finally:
        for one in (killed, living):
            one.kill()
            one.communicate()
