"""One deployed function: its environments, its invocations, on virtual time.

The judge is a discrete-event scheduler. A function's process runs in real time until everything in
it waits or its handler ends; its frames carry the virtual time that has passed inside. A call takes
effect at its time on the clock, and its answer is handed over when its latency has passed as well.
Invocations that overlap in virtual time therefore interleave at their AWS calls, in the order of
virtual time and then of environment numbers, and a race has the same outcome in every run.

Time is the judge's. What it knows of, cold start, work for each record, calls and their answers,
log lines, passes whatever the process says; the process may only add to it.
"""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from grader.cloud.aws import Call
from grader.cloud.clock import Clock, Event
from grader.cloud.function.environment import Broken, Environment, Exited, Met, Printed, Said
from grader.cloud.function.limits import HangBudget
from grader.cloud.function.model import INIT_LIMIT_MS, MAX_ERROR_BYTES, MAX_RESPONSE_BYTES, Model
from grader.cloud.function.nursery import Nursery
from grader.cloud.function.platform_log import PlatformLog, exited, stamp
from grader.cloud.function.spec import (
    Answer,
    FaultPlan,
    FunctionSpec,
    Invocation,
    Invocations,
    Kill,
    LogLine,
    ended,
)
from grader.cloud.function.variables import log_level, variables
from grader.cloud.mapping.ports import Result

_NS, _SIGXCPU = 1_000_000, 24
# How much of a call's body its record keeps: more than any request that carries no file.
KEPT_BYTES = 1 << 20
Log = Callable[[LogLine], None]
Done = Callable[[Result], None]


@dataclass(slots=True, eq=False)
class _Run:
    """An invocation while it runs.

    ``now_ns`` is the virtual time inside; ``alarm`` what the process waits for, ``until_ns`` the
    time at which it goes on without an answer.
    """

    invocation: Invocation
    environment: Environment
    done: Done
    now_ns: int
    deadline_ns: int
    initialising: bool
    retried: bool = False
    start_ns: int = 0
    init_ns: int | None = None
    log_bytes: int = 0
    log_full: bool = False
    rest: bytes = b""
    waits: bool = False
    until_ns: int | None = None
    alarm: Event | None = None


class FunctionHost:
    """A deployed function that can be invoked: ``grader.cloud.mapping.ports.Function``."""

    def __init__(
        self,
        spec: FunctionSpec,
        clock: Clock,
        nursery: Nursery,
        answer: Answer,
        *,
        seed: int = 0,
        faults: FaultPlan | None = None,
        log: Log | None = None,
        hangs: HangBudget | None = None,
        model: Model | None = None,
    ) -> None:
        """``answer`` is called once per AWS call, at its virtual time, and returns the reply.

        ``faults`` is asked before each call; ``log`` gets every log line; ``hangs`` is shared by
        the functions of one play. FileNotFoundError or ValueError when code cannot be copied.
        """
        self.faults = faults
        self.hangs = hangs if hangs is not None else HangBudget()
        self.invocations = Invocations()
        self._clock = clock
        self._nursery = nursery
        self._seed = seed
        self._model = model or Model()
        self._idle: list[Environment] = []
        # Frozen until the end of their invocation takes place, and idle from then on.
        self._ending: list[Environment] = []
        self._running: list[_Run] = []
        self._environments = 0
        self._closed = False
        self.update(spec, answer, log)

    def update(self, spec: FunctionSpec, answer: Answer, log: Log | None = None) -> None:
        """Take on this code and configuration: every later invocation starts with them.

        What runs now ends as it began. ``spec.code`` becomes the nursery's copy, which stays.
        """
        self._code = self._nursery.keep(spec.code)
        self.spec = replace(spec, code=self._nursery.work / self._code)
        self._answer, self._log = answer, log
        self._call_ns = self._model.scaled(self._model.call_cpu_ns, spec.memory_mb)
        self._platform = PlatformLog(spec, self._model)
        self.recycle()
        for environment in (*self._ending, *(run.environment for run in self._running)):
            environment.outdated = True

    @property
    def name(self) -> str:
        """The function's name."""
        return self.spec.name

    @property
    def arn(self) -> str:
        """The function's unqualified ARN."""
        return self.spec.arn

    def invoke(self, event: dict[str, Any], done: Done) -> None:
        """Start an invocation now; ``done`` is called once, at the virtual time of its end.

        The idle environment that was used last takes it; without one there is a cold start.
        """
        number, now_ms, cold = self.invocations.made + 1, self._clock.now, not self._idle
        invocation = Invocation(
            number=number,
            environment=self._environments + 1 if cold else self._idle[-1].number,
            request_id=str(uuid.UUID(bytes=self._bytes(f"request {number}"), version=4)),
            cold=cold,
            start_ms=now_ms,
            event=event,
            limits=self._nursery.limits,
            runtime=self.spec.runtime,
        )
        self.invocations.append(invocation)
        if self.hangs.exhausted:
            self._refuse(invocation, done)
            return
        environment = self._new_environment() if cold else self._idle.pop()
        run = _Run(invocation, environment, done, now_ms * _NS, 0, initialising=cold)
        self._running.append(run)
        if cold:
            run.now_ns += self._model.cold_start_ms * _NS
            run.deadline_ns = run.now_ns + INIT_LIMIT_MS * _NS
            self._write(run, run.now_ns, self._platform.init_start())
            self._initialise(run)
        else:
            self._begin(run)
        self._advance(run)

    def recycle(self) -> None:
        """End every idle environment: the next invocation is a cold start."""
        while self._idle:
            self._idle.pop().kill()

    def close(self) -> None:
        """End every environment. Invocations that still run never end."""
        self._closed = True
        self.recycle()
        for environment in (*self._ending, *(run.environment for run in self._running)):
            environment.kill()
        self._running.clear()

    # -- one invocation --------------------------------------------------------------------------

    def _new_environment(self) -> Environment:
        self._environments += 1
        process, task, tmp = self._nursery.environment(self._code)
        places = self._nursery.places(task, tmp, self.spec.runtime)
        limits, memory_mb = self._nursery.limits, self.spec.memory_mb
        return Environment(self._environments, process, task, tmp, places, limits, memory_mb)

    def _initialise(self, run: _Run) -> None:
        """Send the frame that a fresh process starts with."""
        environment = run.environment
        environment.begin()
        environment.send(
            {
                "now_ns": run.now_ns,
                "deadline_ns": run.deadline_ns,
                "environment": variables(
                    self.spec,
                    environment,
                    self._bytes(f"environment {environment.number}").hex(),
                    self._clock.now,
                ),
                "task_root": environment.task,
                "runtime": self.spec.runtime,
                "elsewhere": self.spec.elsewhere,
                "log_format": self.spec.log_format,
                "log_level": log_level(self.spec),
                "log_line_ns": self._model.log_line_ns,
                "call_ns": self._call_ns,
                "seed": f"{self._seed} {self.spec.name} {environment.number}",
                "cpu_seconds": self._nursery.limits.cpu_seconds,
            }
        )

    def _begin(self, run: _Run) -> None:
        """Hand the event to an initialised environment: the handler starts."""
        run.initialising = False
        if not run.retried:
            run.start_ns = run.now_ns
            run.deadline_ns = run.start_ns + self.spec.timeout_ms * _NS
        run.now_ns += self._model.work_ns(run.invocation.event, self.spec.memory_mb)
        self._write(run, run.start_ns, self._platform.start(run.invocation.request_id))
        if run.now_ns >= run.deadline_ns:
            # The work alone takes longer than the timeout.
            run.now_ns = run.deadline_ns
        environment = run.environment
        environment.begin()
        environment.thaw()
        taken = environment.send(
            {
                "request_id": run.invocation.request_id,
                "arn": self.spec.arn,
                "now_ns": run.now_ns,
                "deadline_ns": run.deadline_ns,
                "deadline_ms": run.deadline_ns // _NS,
                "cpu_seconds": self._nursery.limits.cpu_seconds,
            },
            json.dumps(run.invocation.event, separators=(",", ":")).encode(),
        )
        if not taken:
            self._hang(run, Met("blocked"))

    def _advance(self, run: _Run) -> None:
        """Read what the process does until it waits for an answer or its invocation has ended."""
        while run in self._running and run.environment.alive:
            step = run.environment.next()
            if isinstance(step, Printed):
                self._print(run, step.data)
            elif isinstance(step, Exited):
                self._exited(run, step.code)
            elif isinstance(step, Met):
                self._hang(run, step)
            elif isinstance(step, Broken):
                self._exited(run, 0)
            elif not self._said(run, step):
                return

    def _said(self, run: _Run, said: Said) -> bool:
        """Deal with one frame; whether to go on reading."""
        header, body = said.header, said.body
        moment = header.get("ns")
        if not isinstance(moment, int):
            self._exited(run, 0)
            return False
        # Whatever the process says about time: it does not run backwards, nor past the deadline.
        kind = header.get("t")
        known_ns = {"log": self._model.log_line_ns, "call": self._call_ns}.get(str(kind), 0)
        run.now_ns = min(max(run.now_ns + known_ns, moment), run.deadline_ns)
        if run.now_ns >= run.deadline_ns:
            self._timed_out(run)
        elif kind == "log":
            self._line(run, body, header.get("cut"))
        elif kind == "call":
            self._call(run, header, body)
        elif kind == "wait":
            return self._wait(run, header.get("until"))
        elif kind == "stuck":
            self._hang(run, Met("blocked"))
        elif kind == "ready" and run.initialising:
            run.init_ns = None if run.retried else run.now_ns - run.invocation.start_ms * _NS
            run.now_ns = math.ceil(run.now_ns / _NS) * _NS
            self._begin(run)
        elif kind == "init_error" and run.initialising:
            self._function_error(run, body, keep=False)
        elif kind == "end" and not run.initialising:
            self._returned(run, body)
        elif kind == "error" and not run.initialising:
            self._function_error(run, body, keep=True)
        else:
            self._exited(run, 0)
        return True

    def _call(self, run: _Run, header: dict[str, Any], body: bytes) -> None:
        """Hold the call until its virtual time has come."""
        invocation = run.invocation
        headers = header.get("headers")
        if (
            not isinstance(header.get("id"), int)
            or not isinstance(header.get("method"), str)
            or not isinstance(header.get("url"), str)
            or not isinstance(headers, dict)
            or not all(isinstance(value, str) for value in headers.values())
        ):
            self._exited(run, 0)
            return
        if len(invocation.calls) >= self._nursery.limits.calls:
            invocation.real_limit = "calls"
            self.hangs.spend()
            self._exited(run, 0)
            return
        self.hangs.calls += 1
        call = Call(
            environment=run.environment.number,
            invocation=invocation.number,
            number=len(invocation.calls) + 1,
            time_ms=run.now_ns // _NS,
            method=header["method"],
            url=header["url"],
            headers=headers,
            body=body,
        )
        invocation.calls.append(replace(call, body=body[:KEPT_BYTES]))
        number, environment, asked_ns = header["id"], run.environment, run.now_ns
        environment.in_flight += 1
        self._clock.at(
            call.time_ms,
            lambda: self._reply(run, environment, number, asked_ns, call),
            order=environment.number,
        )

    def _reply(
        self, run: _Run, environment: Environment, number: int, asked_ns: int, call: Call
    ) -> None:
        """The call takes effect now; its answer waits until its latency has passed, too."""
        if not environment.alive:
            return
        running = run in self._running
        fault = self.faults(call) if self.faults is not None and running else None
        if isinstance(fault, Kill) and fault.when == "before":
            self._killed(run, "before")
            return
        reply = self._answer(call)
        run.invocation.ends[call.number] = ended(reply)
        if isinstance(fault, Kill):
            self._killed(run, "after")
            return
        late_ms = fault.late_ms if fault is not None else 0
        due_ns = asked_ns + (reply.latency_ms + late_ms) * _NS
        header = {"id": number, "status": reply.status, "headers": dict(reply.headers)}
        environment.answers.append((due_ns, number, header, reply.body))
        environment.answers.sort(key=lambda answer: answer[:2])
        if running and run.waits:
            self._arm(run)

    def _wait(self, run: _Run, until: object) -> bool:
        """Nothing in the process goes on before an answer or ``until`` (ns); whether to read on."""
        if not isinstance(until, int | None) or (until is None and not run.environment.in_flight):
            self._exited(run, 0)
            return True
        run.waits, run.until_ns = True, until
        self._arm(run)
        return False

    def _arm(self, run: _Run) -> None:
        """Wake the process when the first of what it waits for is due, at the latest at its end."""
        if run.alarm is not None:
            run.alarm.cancel()
        due = [run.deadline_ns, *(answer[0] for answer in run.environment.answers[:1])]
        if run.until_ns is not None:
            due.append(run.until_ns)
        moment_ns = max(run.now_ns, min(due))
        run.alarm = self._clock.at(
            moment_ns // _NS, lambda: self._wake(run, moment_ns), order=run.environment.number
        )

    def _wake(self, run: _Run, moment_ns: int) -> None:
        """What the process waits for has come: an answer before a time, if both have."""
        if run not in self._running:
            return
        environment = run.environment
        run.now_ns, run.waits, run.alarm = moment_ns, False, None
        if moment_ns >= run.deadline_ns:
            self._timed_out(run)
            self._advance(run)
            return
        header: dict[str, Any] = {}
        body = b""
        if environment.answers and environment.answers[0][0] <= moment_ns:
            _, _, header, body = environment.answers.pop(0)
            environment.in_flight -= 1
        if not environment.send({**header, "now_ns": run.now_ns}, body):
            self._hang(run, Met("blocked"))
        self._advance(run)

    # -- how it ends -----------------------------------------------------------------------------

    def _returned(self, run: _Run, body: bytes) -> None:
        if len(body) > MAX_RESPONSE_BYTES:
            message = (
                "Response payload size exceeded maximum allowed payload size "
                f"({MAX_RESPONSE_BYTES} bytes)."
            )
            self._fail(run, "Function.ResponseSizeTooLarge", message, keep=True)
            return
        text = body.decode("utf-8", "replace")
        try:
            payload = json.loads(text)
        except (ValueError, RecursionError):
            payload = text  # bytes that a handler returns are passed on as they are
        self._end(run, Result("returned", payload), keep=True)

    def _function_error(self, run: _Run, body: bytes, *, keep: bool) -> None:
        try:
            if len(body) > MAX_ERROR_BYTES:
                raise ValueError("our runtime cuts what an error says")
            document = json.loads(run.environment.on_lambda(body.decode("utf-8", "replace")))
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            self._exited(run, 0)
            return
        kind, message = document.get("errorType"), document.get("errorMessage")
        self._fail(run, str(kind or ""), str(message or ""), payload=document, keep=keep)

    def _exited(self, run: _Run, code: int | None) -> None:
        if code == -_SIGXCPU:
            self._hang(run, Met("cpu"))
            return
        self._crash(run, "Runtime.ExitError", exited(code))

    def _killed(self, run: _Run, when: str) -> None:
        run.invocation.killed = when
        run.now_ns = max(run.now_ns, self._clock.now * _NS)
        self._crash(run, "Runtime.ExitError", exited(None))

    def _hang(self, run: _Run, met: Met) -> None:
        """A limit of the judge's: memory ends as Lambda would end it, the others as a timeout."""
        run.invocation.real_limit = met.limit
        self.hangs.spend()
        if met.limit == "memory":
            self._crash(run, "Runtime.OutOfMemory", exited(None))
            return
        if run.initialising and not run.retried:
            run.deadline_ns += self.spec.timeout_ms * _NS
        run.now_ns = run.deadline_ns
        self._time_out(run)

    def _timed_out(self, run: _Run) -> None:
        run.now_ns = run.deadline_ns
        if run.initialising and not run.retried:
            # Lambda starts a slow initialisation again, now inside the invocation's own time.
            self._flush(run)
            self.hangs.cpu_seconds += run.environment.spent()
            run.environment.kill()
            for text in self._platform.init_timeout(INIT_LIMIT_MS):
                self._write(run, run.now_ns, [text])
            run.retried = True
            run.environment = self._new_environment()
            run.invocation.environment = run.environment.number
            run.start_ns = run.now_ns
            run.deadline_ns = run.now_ns + self.spec.timeout_ms * _NS
            self._initialise(run)
            return
        self._time_out(run)

    def _time_out(self, run: _Run) -> None:
        seconds = f"{self.spec.timeout_ms / 1000:.2f}"
        request_id = run.invocation.request_id
        text = f"Task timed out after {seconds} seconds"
        self._flush(run)
        self._write(run, run.now_ns, [f"{stamp(run.now_ns)} {request_id} {text}"])
        self._fail(
            run,
            "Sandbox.Timedout",
            f"RequestId: {request_id} Error: {text}",
            keep=False,
            status="timeout",
        )

    def _crash(self, run: _Run, error_type: str, text: str) -> None:
        message = f"RequestId: {run.invocation.request_id} Error: {text}"
        self._flush(run)
        self._write(run, run.now_ns, [message, error_type])
        self._fail(run, error_type, message, keep=False)

    def _fail(
        self,
        run: _Run,
        error_type: str,
        message: str,
        *,
        keep: bool,
        payload: Any = None,
        status: str = "error",
    ) -> None:
        if payload is None:
            payload = {"errorType": error_type, "errorMessage": message}
        result = Result("error", payload, error_type, message)
        self._end(run, result, keep=keep, status=status)

    def _end(self, run: _Run, result: Result, *, keep: bool, status: str = "success") -> None:
        """The invocation's end is known; it takes place when its virtual time has come."""
        self._flush(run)
        self.hangs.cpu_seconds += run.environment.spent()
        if keep:
            run.environment.freeze()
            self._ending.append(run.environment)
        else:
            run.environment.kill()
        self._running.remove(run)
        end_ms = math.ceil(run.now_ns / _NS)
        started = run.start_ns or run.now_ns
        duration_ms = max(0, end_ms - started // _NS)
        result = Result(
            result.kind, result.payload, result.error_type, result.error_message, duration_ms
        )
        if run.initialising and not run.retried:
            self._write(run, run.now_ns, self._platform.start(run.invocation.request_id))
        report = self._platform.end(
            run.invocation.request_id,
            duration_ns=max(0, run.now_ns - started),
            init_ns=run.init_ns,
            status=status,
            error_type=result.error_type,
        )
        self._write(run, run.now_ns, report)
        self._clock.at(
            end_ms, lambda: self._finish(run, result, keep), order=run.environment.number
        )

    def _finish(self, run: _Run, result: Result, keep: bool) -> None:
        if self._closed:
            return
        run.invocation.end_ms = self._clock.now
        run.invocation.result = result
        run.invocation.init_failed = run.initialising
        if keep:
            self._ending.remove(run.environment)
            self._idle.append(run.environment)
            if run.environment.outdated:
                self._idle.pop().kill()
        run.done(result)

    def _refuse(self, invocation: Invocation, done: Done) -> None:
        """Too many hangs: nothing is started any more."""
        invocation.real_limit = "hang budget"
        text = f"Task timed out after {self.spec.timeout_ms / 1000:.2f} seconds"
        message = f"RequestId: {invocation.request_id} Error: {text}"
        payload = {"errorType": "Sandbox.Timedout", "errorMessage": message}
        result = Result("error", payload, "Sandbox.Timedout", message, self.spec.timeout_ms)
        invocation.end_ms = invocation.start_ms
        invocation.result = result
        self._clock.after(0, lambda: done(result))

    # -- log -------------------------------------------------------------------------------------

    def _print(self, run: _Run, data: bytes) -> None:
        if run.log_full:
            return
        *lines, run.rest = (run.rest + data).split(b"\n")
        for line in lines:
            self._line(run, line)
        if len(run.rest) > 1 << 18:
            self._flush(run)

    def _flush(self, run: _Run) -> None:
        if run.rest:
            rest, run.rest = run.rest, b""
            self._line(run, rest)

    def _line(self, run: _Run, data: bytes, cut: object = None) -> None:
        """One log event of the function's, inside the caps."""
        limits, kept = self._nursery.limits, run.invocation.logs
        if run.log_full:
            return
        run.log_bytes += len(data)
        if run.log_bytes > limits.log_bytes or len(kept) >= limits.log_lines:
            run.log_full = True
            self._write(run, run.now_ns, ["(the rest of this invocation's log is not kept)"])
            return
        more = f" (cut: {cut} bytes more)" if isinstance(cut, int) and cut > 0 else ""
        text = run.environment.on_lambda(data.decode("utf-8", "replace"))
        self._write(run, run.now_ns, [text + more])

    def _write(self, run: _Run, moment_ns: int, texts: list[str]) -> None:
        invocation = run.invocation
        for text in texts:
            line = LogLine(moment_ns // _NS, run.environment.number, invocation.request_id, text)
            invocation.logs.append(line)
            if self._log is not None:
                self._log(line)

    def _bytes(self, what: str) -> bytes:
        return hashlib.sha256(f"{self._seed} {self.spec.arn} {what}".encode()).digest()[:16]
