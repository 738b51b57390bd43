"""A bench to run handlers on: what the tests of the function process share."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from grader.cloud.aws import Call, Reply
from grader.cloud.clock import Clock
from grader.cloud.function import (
    Answer,
    FunctionHost,
    FunctionSpec,
    HangBudget,
    Limits,
    LogLine,
    Nursery,
)
from grader.cloud.mapping.ports import Result

ARN = "arn:aws:lambda:us-east-1:123456789012:function:totals"
JSON = {"Content-Type": "application/x-amz-json-1.0"}
# Tighter than the defaults: these tests hang on purpose, and honest code is nowhere near.
LIMITS = Limits(cpu_seconds=0.7, blocked_seconds=0.3, wall_seconds=3.0)


def reply(document: object, status: int = 200, latency_ms: int = 5) -> Reply:
    """A DynamoDB answer."""
    return Reply(status, JSON, json.dumps(document).encode(), latency_ms)


def empty(call: Call) -> Reply:
    """Answers every call with an empty document."""
    return reply({})


class Bench:
    """A virtual day with functions on it."""

    def __init__(self, nursery: Nursery, folder: Path) -> None:
        self.nursery = nursery
        self.clock = Clock()
        self.start_ms = self.clock.now
        self.hosts: list[FunctionHost] = []
        self.lines: list[LogLine] = []
        self._folder = folder

    def deploy(
        self,
        code: str | dict[str, str],
        answer: Answer = empty,
        *,
        faults: Any = None,
        seed: int = 0,
        hangs: HangBudget | None = None,
        **settings: Any,
    ) -> FunctionHost:
        """A function from source text (``handler.py``) or from several files."""
        files = {"handler.py": code} if isinstance(code, str) else code
        folder = self._folder / f"code{len(self.hosts)}"
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        folder.mkdir(parents=True, exist_ok=True)
        settings = {"handler": "handler.handler", **settings}
        spec = FunctionSpec(
            "totals", ARN, "arn:aws:iam::123456789012:role/r", code=folder, **settings
        )
        host = FunctionHost(
            spec,
            self.clock,
            self.nursery,
            answer,
            seed=seed,
            faults=faults,
            hangs=hangs or HangBudget(1000),
            log=self.lines.append,
        )
        self.hosts.append(host)
        return host

    def play(self) -> None:
        """Let everything happen that is going to."""
        while self.clock.step():
            pass

    def invoke(self, host: FunctionHost, event: Any = None) -> Result:
        """One invocation, start to end."""
        results: list[Result] = []
        host.invoke({"n": 1} if event is None else event, results.append)
        self.play()
        assert len(results) == 1
        return results[0]

    def run(self, code: str | dict[str, str], event: Any = None, **settings: Any) -> Result:
        """Deploy and invoke once."""
        return self.invoke(self.deploy(code, **settings), event)

    def texts(self, host: FunctionHost | None = None) -> list[str]:
        """The function's own log lines of its last invocation, without the platform's."""
        logs = (host or self.hosts[-1]).invocations[-1].logs
        own = ("INIT_", "START ", "END ", "REPORT ")
        return [line.text for line in logs if not line.text.startswith(own)]

    def close(self) -> None:
        for host in self.hosts:
            host.close()
