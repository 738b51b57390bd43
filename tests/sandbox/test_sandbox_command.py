"""`labs sandbox` from start to end: served, pointed at, moved in time, kept and taken up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from grader.desk.cli import cli, main
from grader.sandbox.traffic import read_rates

pytestmark = pytest.mark.played
SOLUTION = Path(__file__).resolve().parents[2] / "solutions" / "02-lambda-triggers"


@contextmanager
def served(state: Path, *words: str) -> Iterator[dict[str, object]]:
    """A sandbox in a process of its own, ended by Ctrl-C; what it has left for other terminals."""
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    command = [sys.executable, "-m", "grader", "sandbox", *words, "--port", "0"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        place = state / "streamlabs" / "sandbox"
        until = time.monotonic() + 120
        while not (found := [*place.glob("*/sandbox.json")]):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        told = json.loads(found[0].read_text(encoding="utf-8"))
        yield told
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
        assert str(told["url"]) in out and "The sandbox has ended." in out
        assert not list(place.glob("*")), "and nothing is left behind"
    finally:
        process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as POSIX does")
def test_a_sandbox_from_start_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    state, file = tmp_path / "state", tmp_path / "kept.zip"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    look = (
        "import boto3; d = boto3.client('dynamodb');"
        "print(len(d.list_tables()['TableNames']), d.meta.endpoint_url)"
    )
    with served(state, str(SOLUTION), "--load", "orders=2/s", "--save", str(file)) as told:
        port = str(told["url"]).rpartition(":")[2]
        assert main(["sandbox", "time", "--port", port, "+90s"]) == 0
        assert main(["sandbox", "time", "--port", port, "pause"]) == 0
        assert main(["sandbox", "shell", "--port", port, "--", sys.executable, "-c", look]) == 0
        assert main(["sandbox", "--env", "sh", "--port", port]) == 0
        out = capfd.readouterr().out
        assert "1m" in out and "it is paused" in out
        assert f"3 http://127.0.0.1:{port}" in out
        assert f"export AWS_ENDPOINT_URL='http://127.0.0.1:{port}'" in out
        assert main(["sandbox", "time", "--port", port, "tomorrow"]) == 2
    with served(state, "--load", str(file)) as told:
        assert told["title"] == str(file)


def test_without_a_sandbox_the_other_commands_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for words in (["time"], ["shell"], ["--env", "sh"]):
        assert main(["sandbox", *words, "--port", "4999"]) == 2
        assert "No sandbox of yours runs on port 4999" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["2", "--load", "orders=20"], "is no rate"),
        (["2", "--load", "orders=9999/s"], "at most 500/s"),
        (["nowhere"], "nowhere"),
        (["2", "--parameter", "x"], "NAME=VALUE"),
        (["--load", "orders=1/s"], "needs a stack"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sandbox", *words, "--port", "0"]) == 2
    assert told in capsys.readouterr().err


def test_help_names_the_commands() -> None:
    text = CliRunner().invoke(cli, ["sandbox", "--help"]).output
    assert all(name in text for name in ("start", "shell", "time"))


def test_rates_are_read_by_unit() -> None:
    assert read_rates("orders=20/s,carts=30/min") == {"orders": 20.0, "carts": 0.5}
