"""The sandbox: one running account, its time, and the record of everything it was asked.

`Sandbox.answer` is the one way in for clients: it brings virtual time to where it should be, reads
the request, answers it right or refuses it by name, and writes it down. One request at a time. What
is written down has neither headers nor keys.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from grader.cloud import Cloud
from grader.cloud.aws import Refused, Reply, Request, ServiceError
from grader.sandbox import protocol
from grader.sandbox.pace import Pace
from grader.sandbox.services import instead, services
from grader.sandbox.state import state
from grader.sandbox.world import OPERATIONS, Asked, World

MOST_ASKED = 50_000
# How often (seconds of the wall) alarms are looked at by themselves.
LOOKS_S = 10.0
# A request whose parameters are larger than this is written down without them.
KEPT_PARAMETERS = 16_384
# What a queue's address is on AWS; a client that follows it would leave this machine.
_QUEUES_ELSEWHERE = b"https://sqs.us-east-1.amazonaws.com/"
_SPEAK_OF_QUEUES = ("cloudformation", "sqs", "lambda")


class Sandbox:
    """An account in use; ``pace`` is its time (with the wall unless one is given).

    ``world`` is what its services answer from, when that has been brought back from somewhere.

    ``url`` is where clients reach it, once somebody serves it. Whoever plays on ``cloud`` beside
    the clients holds ``lock`` meanwhile. What ``remembers`` forgets nothing of what has happened;
    another one keeps what `World.forget` says.
    """

    remembers = False

    def __init__(
        self, cloud: Cloud, *, pace: Pace | None = None, world: World | None = None
    ) -> None:
        self.cloud = cloud
        self.pace = pace or Pace(cloud.clock)
        self.world = world or World(cloud)
        # From now on alarms see what happens, whoever looks at them when.
        self.world.alarms.look()
        self.asked: deque[Asked] = deque(maxlen=MOST_ASKED)
        self.listeners: list[Callable[[Asked], None]] = []
        # Requests on which the sandbox itself broke down, as sentences: faults of ours.
        self.breakdowns: list[str] = []
        self.lock = self.pace.lock
        self.url = ""
        self.started_s = time.time()
        self._count = 0
        self._look_s = 0.0

    @property
    def unanswered(self) -> list[str]:
        """What was refused because nothing here answers it, as service:Operation."""
        return [one.action for one in self.asked if one.outcome == "NotImplemented"]

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The answer to one HTTP request of a client; header names are lower case."""
        with self.lock:
            self.pace.asked()
            now, wall_s = self.cloud.clock.now, time.time()
            self._count += 1
            number = f"{self._count:08x}-0000-4000-8000-000000000000"
            try:
                request = protocol.understood(method, path, headers, body, now)
            except ServiceError as problem:
                return protocol.refusal(problem, headers)
            outcome, message = "answered", ""
            try:
                reply = self._answered(request, number)
            except ServiceError as problem:
                outcome, message = problem.code, problem.message
                reply = protocol.error(request, problem, number)
            kept = len(body) <= KEPT_PARAMETERS
            asked = Asked(
                self._count,
                now,
                wall_s,
                request.service,
                request.operation,
                request.params if kept else {},
                reply.status,
                outcome,
                message,
            )
            self.asked.append(asked)
            for listener in self.listeners:
                listener(asked)
            return reply

    def _answered(self, request: Request, number: str) -> Reply:
        if request.problem is not None:
            raise request.problem
        known = OPERATIONS.get(f"{request.service}:{request.operation}")
        if known is None:
            if request.service in services() and not protocol.has(request):
                raise ServiceError("UnknownOperationException", "")
            raise ServiceError("NotImplemented", instead(request.service, request.operation), 501)
        try:
            result = known.answer(self.world, request)
        except Refused as refused:
            status = 404 if refused.code == "ResourceNotFoundException" else 400
            raise ServiceError(refused.code, refused.message, status) from None
        except (LookupError, TypeError, ValueError, AttributeError):
            # Either AWS could not have read this, or the sandbox is at fault.
            refusal = protocol.misfit_of(request)
            if refusal is None:
                raise
            raise refusal from None
        if request.service == "cloudformation":
            # An alarm begins when it is made, whenever somebody first asks about it.
            self.world.alarms.look()
        if isinstance(result, Reply):
            return result
        reply = protocol.reply(request, result, number)
        if self.url and request.service in _SPEAK_OF_QUEUES and _QUEUES_ELSEWHERE in reply.body:
            here = f"{self.url}/".encode()
            reply = Reply(reply.status, reply.headers, reply.body.replace(_QUEUES_ELSEWHERE, here))
        return reply

    # -- what happens between requests -----------------------------------------------------------

    def tick(self) -> float:
        """Let what is due happen; seconds of the wall until something may be due again."""
        with self.lock:
            self.pace.advance()
            if time.monotonic() >= self._look_s:
                # So that topics hear of alarms although nobody asks.
                self.world.alarms.look()
                if not self.remembers:
                    self.world.forget()
                self._look_s = time.monotonic() + LOOKS_S
            return self.pace.waits_s(1.0)

    # -- how it stands ---------------------------------------------------------------------------

    def time(self) -> dict[str, Any]:
        """Where virtual time stands, as data: see docs/sandbox.md."""
        with self.lock:
            return {
                "now_ms": self.cloud.clock.now,
                "speed": self.pace.speed,
                "paused": self.pace.paused,
                "ahead_ms": self.pace.ahead_ms,
                "paused_s": round(self.pace.paused_s, 3),
                "slipped_ms": self.pace.slipped_ms,
            }

    def state(self) -> dict[str, Any]:
        """How the account stands, for a console: ``labs/sandbox/v1``, see docs/sandbox.md."""
        with self.lock:
            self.pace.advance()
            self.world.alarms.look()
            found = state(self.world, self.asked)
            return {"schema": "labs/sandbox/v1", "time": self.time(), **found}

    def control(self, what: str, params: Mapping[str, str]) -> dict[str, Any]:
        """A command of the owner's: ``time`` with ``move`` (ms), ``pause``, ``resume``, ``speed``.

        ValueError for what cannot be done.
        """
        with self.lock:
            if what != "time":
                raise ValueError(f"there is no {what}")
            if "speed" in params:
                self.pace.speed = float(params["speed"])
            if "pause" in params:
                self.pace.pause()
            if "resume" in params:
                self.pace.resume()
            if "move" in params:
                self.pace.move(max(0, int(params["move"])))
            self.pace.advance()
            self.world.alarms.look()
            return self.time()

    def document(self) -> bytes:
        """`state` as JSON."""
        return json.dumps(self.state()).encode()
