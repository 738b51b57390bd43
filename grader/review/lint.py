"""cfn-lint beside the grading: a second reading of the template, in a process of its own.

``start`` begins at once and returns; ``report`` waits for what came out. cfn-lint knows the schema
of every resource type, so that its errors are problems of the template; its warnings are advice.
Whatever goes wrong with cfn-lint itself is a note about this run and never the learner's fault.

The process gets an environment of a few variables, no network, and limits on memory and CPU time.
Settings inside the template (``Metadata: cfn-lint:``) and settings files are not read: they could
switch errors off, and load rules, which are code.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from grader.cloud.template import Problem

# Left out, each for its reason: W3002 warns of a local Code, which the labs use on purpose;
# W2531, E2531 and E2533 compare runtimes with today's date, so that the same files would get
# another grade another day (grader.cloud.template knows which runtimes are blocked). E0000 is a
# text that is no YAML, which grader.cloud.template tells in more helpful words.
LEFT_OUT = ("W3002", "W2531", "E2531", "E2533", "E0000")

# cfn-lint's own troubles: a rule crashed, its settings are wrong, the transform failed.
OWN_TROUBLE = ("E0001", "E0002", "E0003")

# Whether templates are read by forks of a server.
SERVES = hasattr(os, "fork")

MAX_FINDINGS = 200
MAX_CPU_S = 30
MAX_MEMORY_BYTES = 2 * 1024**3

_ENVIRONMENT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "LANG", "LC_ALL", "VIRTUAL_ENV")

# One program, two manners. Alone, it reads one template from its standard input and answers on its
# standard output. As a server it has a socket there instead; over it each template comes as an open
# file together with a pipe for the answer, and it forks for each: importing cfn-lint and its rules
# takes longer than reading a template.
_CHILD = """
import json, os, signal, socket, sys, threading, time

left_out, most, cpu_s, memory = json.loads(sys.argv[1])

def limit():
    try:
        import resource
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (ImportError, OSError, ValueError):
        pass

def no_network(*_args, **_options):
    raise OSError("cfn-lint runs without a network")

def follow(parent):
    # Imports take seconds; whoever asked may be killed before the line can be read.
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(0)

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = no_network

def answer(template, out):
    read, matches = decode_str(template.read().decode("utf-8", "replace"))
    if read is not None and not matches:
        matches = list(runner.validate_template(read))
    matches.sort(key=lambda one: (one.linenumber, one.columnnumber, one.rule.id, one.message))
    found = [
        {"rule": one.rule.id, "level": one.rule.severity, "line": one.linenumber,
         "column": one.columnnumber, "message": one.message,
         "path": [str(step) for step in getattr(one, "path", None) or []]}
        for one in matches[:most]
    ]
    out.write(json.dumps(found).encode())
    out.flush()

if len(sys.argv) == 2:
    limit()
else:
    threading.Thread(target=follow, args=(os.getppid(),), daemon=True).start()
from cfnlint import config
from cfnlint.decode.decode import decode_str
from cfnlint.runner import Runner

config.TemplateArgs.set_template_args = lambda self, _: setattr(self, "_template_args", {})
config.ConfigFileArgs._find_config = lambda self: ("", "")
# The rules are loaded once, before any fork: that takes as long as reading a template.
runner = Runner(config.ConfigMixIn(
    regions=["us-east-1"], ignore_checks=left_out, mandatory_checks=["E"],
))
if len(sys.argv) == 2:
    answer(sys.stdin.buffer, sys.stdout.buffer)
    sys.exit()

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
asked = socket.socket(fileno=0)
while True:
    word, descriptors, _, _ = socket.recv_fds(asked, 1, 2)
    if not word:
        break
    if os.fork() == 0:
        try:
            limit()
            with open(descriptors[0], "rb") as template, open(descriptors[1], "wb") as out:
                try:
                    answer(template, out)
                except Exception as error:
                    out.write(f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    for descriptor in descriptors:
        os.close(descriptor)
"""


# What this process has read already: grading again after an edit of the handler costs no second
# reading of the template.
_KNOWN: dict[bytes, Report] = {}


def known() -> dict[bytes, Report]:
    """What this process has read already: each template's text and its report."""
    return dict(_KNOWN)


def remember(reports: dict[bytes, Report]) -> None:
    """Take over what another process has read."""
    _KNOWN.update(reports)


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


class _Alone:
    """One template read by a process of its own."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as template:
            self._process = _python(stdin=template, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def answer(self, timeout_s: float) -> bytes:
        """What it wrote. ValueError says why there is no answer, TimeoutError that none came."""
        try:
            out, error = self._process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        if self._process.returncode != 0:
            lines = error.decode("utf-8", "replace").strip().splitlines()
            raise ValueError(f"it ended with {lines[-1] if lines else self._process.returncode}")
        return out

    def end(self) -> None:
        """End the process if it is still there."""
        _end(self._process)
        self._process.communicate()


class _Served:
    """One template read by a fork of the server."""

    def __init__(self, path: Path) -> None:
        self._answer, theirs = os.pipe()
        try:
            with path.open("rb") as template:
                socket.send_fds(_server(), [b"?"], [template.fileno(), theirs])
        except OSError:
            os.close(self._answer)
            raise
        finally:
            os.close(theirs)

    def answer(self, timeout_s: float) -> bytes:
        """As `_Alone.answer`."""
        until = time.monotonic() + timeout_s
        out = b""
        while True:
            ready, _, _ = select.select([self._answer], [], [], max(0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            part = os.read(self._answer, 1 << 16)
            if not part:
                break
            out += part
        if not out.startswith(b"["):
            raise ValueError(f"it ended with {out.decode('utf-8', 'replace') or 'no answer'}")
        return out

    def end(self) -> None:
        """Stop listening. A fork that still reads ends at the closed pipe or its limit."""
        os.close(self._answer)


class _Server(NamedTuple):
    owner: int
    process: subprocess.Popen[bytes]
    line: socket.socket


_serving: _Server | None = None


def warm_up() -> None:
    """Start the server ahead, where there is one: processes forked from this one use it, too."""
    if SERVES:
        _server()


def _server() -> socket.socket:
    """The line to the server, which is started if there is none.

    A request is one message, so processes forked from the server's owner may use the line as well.
    They cannot see that it has ended: then they get an OSError from the line.
    """
    global _serving
    owned = _serving is not None and _serving.owner == os.getpid()
    if _serving is None or (owned and _serving.process.poll() is not None):
        ours, theirs = socket.socketpair()
        with theirs:
            process = _python(
                "serve", stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        _serving = _Server(os.getpid(), process, ours)
    return _serving.line


@atexit.register
def _stop_serving() -> None:
    """End the server with the process that started it; when that one is killed it sees the end."""
    global _serving
    if _serving is not None and _serving.owner == os.getpid():
        _serving.line.close()
        _end(_serving.process)
        _serving.process.wait()
        _serving = None


def _python(*manner: str, **streams: Any) -> subprocess.Popen[bytes]:
    """Start the program above. OSError when it cannot be started."""
    limits = json.dumps([list(LEFT_OUT), MAX_FINDINGS, MAX_CPU_S, MAX_MEMORY_BYTES])
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    # boto3, which cfn-lint imports, is kept from looking for credentials and settings.
    environment |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": os.devnull}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _CHILD, limits, *manner],
        env=environment,
        cwd=tempfile.gettempdir(),
        start_new_session=True,
        **streams,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()


class Lint:
    """A run of cfn-lint. Call ``report`` any number of times and ``close`` once."""

    def __init__(
        self, reading: _Alone | _Served | None, name: str, text: bytes | None = None
    ) -> None:
        self._reading = reading
        self._name = name
        self._text = text
        self._report: Report | None = None if reading else Report()

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
        """Forget the reading if it still goes on."""
        if self._reading is None:
            return
        if self._report is None:
            self._report = _left_out("it was stopped")
        self._reading.end()
        self._reading = None

    def _wait(self, timeout_s: float) -> Report:
        assert self._reading is not None
        try:
            found = [
                _problem(one, self._name) for one in json.loads(self._reading.answer(timeout_s))
            ]
        except TimeoutError:
            return _left_out(f"it had not answered after {timeout_s:g} seconds")
        except json.JSONDecodeError:
            return _left_out("its answer could not be read")
        except ValueError as error:
            return _left_out(str(error))
        except (KeyError, TypeError):
            return _left_out("its answer could not be read")
        troubles = [one for one in found if one.rule in OWN_TROUBLE]
        found = [one for one in found if one.rule not in (*LEFT_OUT, *OWN_TROUBLE)]
        return Report(
            errors=tuple(one for one in found if one.level == "error"),
            warnings=tuple(one for one in found if one.level == "warning"),
            note=_left_out(troubles[0].sentence).note if troubles else None,
        )


def start(path: Path) -> Lint:
    """Start cfn-lint on the template at ``path`` and return at once.

    A file that cannot be opened yields an empty report: that is for the reader of the template to
    tell. A process that cannot be started yields a report with a note.
    """
    try:
        text = path.read_bytes()
    except OSError:
        return Lint(None, path.name)
    if text in _KNOWN:
        return _finished(path, _KNOWN[text])
    if SERVES:
        with contextlib.suppress(OSError):
            return Lint(_Served(path), path.name, text)
    try:
        return Lint(_Alone(path), path.name, text)
    except OSError as error:
        return _finished(path, _left_out(str(error.strerror or "it could not be started")))


def _finished(path: Path, report: Report) -> Lint:
    lint = Lint(None, path.name)
    lint._report = report
    return lint


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
