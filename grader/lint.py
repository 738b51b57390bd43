"""cfn-lint beside the grading: a second reading of the template, in a process of its own.

``start`` begins at once and returns; ``report`` waits for what came out. cfn-lint knows the schema
of every resource type, so that its errors are problems of the template; its warnings are advice.
Whatever goes wrong with cfn-lint itself is a note about this run and never the learner's fault.

The process gets an environment of a few variables, no network, and limits on memory and CPU time.
Settings inside the template (``Metadata: cfn-lint:``) and settings files are not read: they could
switch errors off, and load rules, which are code.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.template import Problem

# Left out, each for its reason: W3002 warns of a local Code, which the labs use on purpose;
# W2531, E2531 and E2533 compare runtimes with today's date, so that the same files would get
# another grade another day (grader.template knows which runtimes are blocked). E0000 is a text that
# is no YAML, which grader.template tells in more helpful words.
LEFT_OUT = ("W3002", "W2531", "E2531", "E2533", "E0000")

# cfn-lint's own troubles: a rule crashed, its settings are wrong, the transform failed.
OWN_TROUBLE = ("E0001", "E0002", "E0003")

MAX_FINDINGS = 200
MAX_CPU_S = 30
MAX_MEMORY_BYTES = 2 * 1024**3

_ENVIRONMENT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV")

_CHILD = """
import json, socket, sys

left_out, most, cpu_s, memory = json.loads(sys.argv[1])
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
except (ImportError, OSError, ValueError):
    pass

def no_network(*_args, **_options):
    raise OSError("cfn-lint runs without a network")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = no_network

from cfnlint import config
from cfnlint.api import lint

config.TemplateArgs.set_template_args = lambda self, _: setattr(self, "_template_args", {})
config.ConfigFileArgs._find_config = lambda self: ("", "")
text = sys.stdin.buffer.read().decode("utf-8", "replace")
matches = lint(text, config={
    "regions": ["us-east-1"], "ignore_checks": left_out, "mandatory_checks": ["E"],
})
matches.sort(key=lambda one: (one.linenumber, one.columnnumber, one.rule.id, one.message))
found = [
    {"rule": one.rule.id, "level": one.rule.severity, "line": one.linenumber,
     "column": one.columnnumber, "message": one.message,
     "path": [str(step) for step in getattr(one, "path", None) or []]}
    for one in matches[:most]
]
sys.stdout.buffer.write(json.dumps(found).encode())
"""


# What this process has read already: grading again after an edit of the handler costs no second
# reading of the template.
_KNOWN: dict[bytes, Report] = {}


@dataclass(frozen=True)
class LintProblem(Problem):
    """A finding of cfn-lint: a problem with the ``rule`` it comes from and its ``level``."""

    rule: str = ""
    level: str = ""


@dataclass(frozen=True)
class Report:
    """What cfn-lint said. ``note`` says why it said nothing, None when it ran through."""

    errors: tuple[LintProblem, ...] = ()
    warnings: tuple[LintProblem, ...] = ()
    note: str | None = None


class Lint:
    """A run of cfn-lint. Call ``report`` any number of times and ``close`` once."""

    def __init__(
        self, process: subprocess.Popen[bytes] | None, name: str, text: bytes | None = None
    ) -> None:
        self._process = process
        self._name = name
        self._text = text
        self._report: Report | None = None if process else Report()

    def report(self, timeout_s: float) -> Report:
        """Wait at most ``timeout_s`` real seconds for the findings and return them."""
        if self._report is None:
            self._report = self._wait(timeout_s)
            if self._report.note is None and self._text is not None:
                _KNOWN[self._text] = self._report
        return self._report

    def findings(self, timeout_s: float) -> list[LintProblem]:
        """Return errors and warnings together, in line order; see ``report`` for the note."""
        report = self.report(timeout_s)
        return sorted(report.errors + report.warnings, key=lambda one: (one.line or 0, one.rule))

    def close(self) -> None:
        """End the process if it is still there."""
        if self._process is None:
            return
        if self._report is None:
            self._report = _left_out("it was stopped")
        self._end(self._process)
        self._process = None

    def _wait(self, timeout_s: float) -> Report:
        process = self._process
        assert process is not None
        try:
            out, error = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self._end(process)
            return _left_out(f"it had not answered after {timeout_s:g} seconds")
        if process.returncode != 0:
            lines = error.decode("utf-8", "replace").strip().splitlines()
            return _left_out(f"it ended with {lines[-1] if lines else process.returncode}")
        try:
            found = [_problem(one, self._name) for one in json.loads(out)]
        except (ValueError, KeyError, TypeError):
            return _left_out("its answer could not be read")
        troubles = [one for one in found if one.rule in OWN_TROUBLE]
        found = [one for one in found if one.rule not in (*LEFT_OUT, *OWN_TROUBLE)]
        return Report(
            errors=tuple(one for one in found if one.level == "error"),
            warnings=tuple(one for one in found if one.level == "warning"),
            note=_left_out(troubles[0].sentence).note if troubles else None,
        )

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
        process.communicate()


def start(path: Path) -> Lint:
    """Start cfn-lint on the template at ``path`` and return at once.

    A file that cannot be opened yields an empty report: that is for the reader of the template to
    tell. A process that cannot be started yields a report with a note.
    """
    limits = json.dumps([list(LEFT_OUT), MAX_FINDINGS, MAX_CPU_S, MAX_MEMORY_BYTES])
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    # boto3, which cfn-lint imports, is kept from looking for credentials and settings.
    environment |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": os.devnull}
    try:
        text = path.read_bytes()
    except OSError:
        return Lint(None, path.name)
    if text in _KNOWN:
        lint = Lint(None, path.name)
        lint._report = _KNOWN[text]
        return lint
    with path.open("rb") as template:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _CHILD, limits],
                stdin=template,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=tempfile.gettempdir(),
                start_new_session=True,
            )
        except OSError as error:
            lint = Lint(None, path.name)
            lint._report = _left_out(str(error.strerror or "it could not be started"))
            return lint
    return Lint(process, path.name, text)


def _problem(one: dict[str, Any], name: str) -> LintProblem:
    """Return a finding as a sentence that begins with the place, such as ``Orders.BillingMode``."""
    steps = [step for step in one["path"] if step not in ("Resources", "Properties")]
    place = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in steps).lstrip(".")
    message = str(one["message"]).strip().rstrip(".")
    return LintProblem(
        line=int(one["line"]),
        column=int(one["column"]),
        sentence=f"{f'{place}: ' if place else ''}{message} (cfn-lint {one['rule']}).",
        path=name,
        rule=str(one["rule"]),
        level=str(one["level"]),
    )


def _left_out(reason: str) -> Report:
    return Report(
        note=f"cfn-lint's reading of the template is left out of this grade: {reason.rstrip('.')}."
    )
