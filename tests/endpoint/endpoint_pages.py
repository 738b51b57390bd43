"""The commands of the course's pages: found, and run block by block against the sandbox.

In a page, a block marked ``sh`` holds commands that a test runs. With commands of `aws` it stands
behind ``<!-- effect: name -->``: the name of a function that says what must be true afterwards. A
block marked ``console`` is only shown, behind ``<!-- not run: reason -->``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from endpoint_cli import Commands

from grader.cloud import Cloud, Nursery
from grader.cloud.aws import Reply
from grader.sandbox import Pace, Sandbox, Server
from grader.sandbox.home import Home

TYPING_MS = 2_000
ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(
    r"(?:^[ ]*<!-- (?P<remark>[^\n]*?) -->\n)?"
    r"^(?P<indent>[ ]*)```(?P<kind>sh|console)[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.M | re.S,
)
# What every block is run with: `sleep` lets virtual time pass, and what a block has set or defined
# is there for the next one.
_BEFORE = """\
set -euo pipefail
LABS_KNOWN=" $(compgen -v | tr '\\n' ' ') LABS_KNOWN PIPESTATUS FUNCNAME name "
[ ! -e "$LABS_STATE" ] || . "$LABS_STATE"
sleep() {
  exec 9<>"/dev/tcp/127.0.0.1/$LABS_PORT"
  printf 'POST /_labs/time?move=%s000 HTTP/1.0\\r\\nHost: 127.0.0.1:%s\\r\\nX-Labs-Token: %s\\r\\n\\r\\n' \
    "$1" "$LABS_PORT" "$LABS_TOKEN" >&9
  cat <&9 >/dev/null
  exec 9>&-
}
"""
_AFTER = """
{ for name in $(compgen -v); do
    [[ "$LABS_KNOWN" == *" $name "* ]] || declare -p "$name"
  done
  declare -px
  declare -f | sed 's/^declare -f .*//'
} > "$LABS_STATE"
"""


@dataclass(frozen=True)
class Block:
    """A block of commands. ``line`` is the page's line on which its first command stands."""

    page: str
    line: int
    kind: str
    text: str
    remark: str | None

    @property
    def effect(self) -> str | None:
        """The name of the effect that a run must have, None when none is named."""
        return self._remark("effect")

    @property
    def excuse(self) -> str | None:
        """Why the block is not run, None when nothing is said."""
        return self._remark("not run")

    def _remark(self, word: str) -> str | None:
        head, _, rest = (self.remark or "").partition(": ")
        return rest if head == word and rest.strip() else None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Every sh and console block of a page, in its order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page.relative_to(ROOT).as_posix(),
            text[: found.start("text")].count("\n") + 1,
            found["kind"],
            textwrap.dedent(found["text"]),
            found["remark"],
        )
        for found in _BLOCK.finditer(text)
    ]


class Dated(Server):
    """A server for commands that read this machine's clock while the account has a time of its own.

    Every request takes two seconds, as if somebody had typed the command; `sleep` lets hours pass.
    So a range of time that a command asks for is moved to where the account is.
    """

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        if headers.get("x-amz-target", "").endswith("GetMetricStatistics"):
            asked = json.loads(body)
            moved = timedelta(milliseconds=self.sandbox.pace.ahead_ms)
            for name in ("StartTime", "EndTime"):
                moment = asked[name]
                if isinstance(moment, str):
                    moment = datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
                asked[name] = moment + moved.total_seconds()
            body = json.dumps(asked).encode()
        return super().handle(method, path, headers, body)


class World:
    """One account, a sandbox in front of it, a shell, and a folder with the labs.

    ``out`` is what the last block printed, error output included.
    """

    def __init__(self, folder: Path, nursery: Nursery, commands: Commands) -> None:
        self.folder = folder
        self.cloud = Cloud(nursery, live=True)
        self.endpoint = Dated(Sandbox(self.cloud, pace=Pace(self.cloud.clock, step_ms=TYPING_MS)))
        self.desk = folder / "desk"
        self.desk.mkdir()
        self.out = ""
        self._environment = {
            "PATH": f"{commands.folder}:{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "LABS_PORT": str(self.endpoint.port),
            "LABS_TOKEN": self.endpoint.token,
            "LABS_STATE": str(folder / "state"),
            **Home(self.endpoint.port).variables(),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_MAX_ATTEMPTS": "1",
        }

    def close(self) -> None:
        """End the endpoint and everything behind it."""
        self.endpoint.close()
        self.cloud.close()

    def run(self, text: str, where: str = "") -> None:
        """Run a block of commands. AssertionError with its output when one fails."""
        done = subprocess.run(
            ["bash", "-c", _BEFORE + text + _AFTER],
            cwd=self.desk,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        self.out = done.stdout
        box = self.endpoint.sandbox
        problems = [*box.unanswered, *box.breakdowns, *self.cloud.account.breakdowns]
        assert done.returncode == 0 and not problems, "\n".join([where, done.stdout, *problems])
