"""The lines that Lambda itself writes to a function's log, in either format.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html and, for which
line has which level, https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html.
A documented simplification: what only Lambda's own machinery says (runtime version ARNs, X-Ray
ids, extensions) is left out.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

from grader.cloud.function.model import Model
from grader.cloud.function.spec import FunctionSpec

_RANKS = {"DEBUG": 0, "INFO": 1, "WARN": 2}
_NS = 1_000_000
_SIGNALS = {
    2: "interrupt",
    6: "aborted",
    9: "killed",
    11: "segmentation fault",
    15: "terminated",
}


class PlatformLog:
    """Makes the platform's lines for one function; the caller adds times and writes them.

    A line of the JSON format carries no ``time`` of its own: a LogLine has one.
    """

    def __init__(self, spec: FunctionSpec, model: Model) -> None:
        self._spec = spec
        self._model = model
        self._json = spec.log_format == "JSON"
        self._rank = _RANKS.get((spec.system_log_level or "INFO").upper(), 1)

    def init_start(self) -> list[str]:
        """A new environment begins to initialise."""
        version = self._spec.runtime.replace("python", "python:")
        if not self._json:
            return [f"INIT_START Runtime Version: {version}"]
        return self._event(
            "INFO", "platform.initStart",
            {
                "initializationType": "on-demand",
                "phase": "init",
                "functionName": self._spec.name,
                "functionVersion": "$LATEST",
                "runtimeVersion": version,
            },
        )  # fmt: skip

    def init_timeout(self, duration_ms: int) -> list[str]:
        """Initialisation took too long and starts again."""
        if not self._json:
            return [
                f"INIT_REPORT Init Duration: {duration_ms:.2f} ms\tPhase: init\tStatus: timeout"
            ]
        return self._event(
            "WARN", "platform.initReport",
            {
                "initializationType": "on-demand",
                "phase": "init",
                "status": "timeout",
                "metrics": {"durationMs": duration_ms},
            },
        )  # fmt: skip

    def start(self, request_id: str) -> list[str]:
        """An invocation starts."""
        if not self._json:
            return [f"START RequestId: {request_id} Version: $LATEST"]
        return self._event(
            "INFO", "platform.start", {"requestId": request_id, "version": "$LATEST"}
        )

    def end(
        self,
        request_id: str,
        *,
        duration_ns: int,
        init_ns: int | None,
        status: str,
        error_type: str | None,
    ) -> list[str]:
        """An invocation has ended: how long it took, what is billed (initialisation included).

        ``init_ns`` is None for a warm start. An error that the handler raised is reported without
        a status in the text format; a timeout or a crash has one.
        """
        duration = duration_ns / _NS
        init = None if init_ns is None else init_ns / _NS
        # Initialisation is billed since August 2025.
        # https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
        billed = math.ceil(duration + (init or 0.0))
        memory, used = self._spec.memory_mb, min(self._spec.memory_mb, self._model.memory_used_mb)
        crashed = status == "timeout" or (error_type or "").startswith(("Runtime.", "Sandbox."))
        if not self._json:
            report = (
                f"REPORT RequestId: {request_id}\tDuration: {duration:.2f} ms\t"
                f"Billed Duration: {billed} ms\tMemory Size: {memory} MB\t"
                f"Max Memory Used: {used} MB"
            )
            if init is not None:
                report += f"\tInit Duration: {init:.2f} ms"
            if crashed:
                report += f"\tStatus: {status}"
                if status == "error":
                    report += f"\tError Type: {error_type}"
            return [f"END RequestId: {request_id}", report]
        metrics = {
            "durationMs": round(duration, 3),
            "billedDurationMs": billed,
            "memorySizeMB": memory,
            "maxMemoryUsedMB": used,
        }
        if init is not None:
            metrics["initDurationMs"] = round(init, 3)
        record: dict[str, object] = {"requestId": request_id, "status": status}
        if status == "error":
            record["errorType"] = error_type
        quiet, loud = ("DEBUG", "INFO") if status == "success" else ("WARN", "WARN")
        return [
            *self._event(quiet, "platform.runtimeDone", record),
            *self._event(loud, "platform.report", {**record, "metrics": metrics}),
        ]

    def _event(self, level: str, kind: str, record: dict[str, object]) -> list[str]:
        if _RANKS[level] < self._rank:
            return []
        return [json.dumps({"type": kind, "record": record}, separators=(",", ":"))]


def exited(code: int | None) -> str:
    """How a process ended: its exit code, negative for a signal, None for killed."""
    if code is None:
        how = "signal: killed"
    elif code < 0:
        how = f"signal: {_SIGNALS.get(-code, f'signal {-code}')}"
    else:
        how = f"exit status {code}" if code else ""
    return "Runtime exited" + (f" with error: {how}" if how else " without providing a reason")


def stamp(moment_ns: int) -> str:
    """A virtual time as the line of a time-out begins."""
    moment = datetime.fromtimestamp(moment_ns / 1e9, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment_ns // _NS % 1000:03d}Z"
