"""The child's end of the door: the only way out of a function's process.

AWS calls, log lines and the end of each phase leave through one descriptor as frames. boto3 reaches
the door below everything that a learner can configure: botocore's HTTP session is replaced, so
events, retries, signing, parsing and timeouts are botocore's own.

How long a call takes is the judge's word: it answers when the time has come, and a thread that
asks waits for that (see ``turns``). What is said about a call before its answer is only ``wait``:
nothing here can go on, and until when.
"""

from __future__ import annotations

import io
import os
from typing import Any, NoReturn

from . import frames
from .turns import Task
from .virtual_time import VirtualClock, real_sleep

# What one environment may hand over as log in one invocation; the judge keeps less.
LOG_BYTES = 4 * 1024 * 1024
LOG_FRAMES = 12_000
# One log event takes at most this much; CloudWatch Logs takes 1 MB.
LOG_EVENT_BYTES = 256 * 1024


class Door:
    """Frames over two descriptors (the same one twice for a socket)."""

    def __init__(self, incoming: int, outgoing: int, clock: VirtualClock) -> None:
        self.clock = clock
        self.log_line_ns = 0  # what a log line and a call cost the function's own CPU
        self.call_ns = 0
        self._in = incoming
        self._out = outgoing
        # A call's frame leaves with the next one, which says that everything waits for its answer.
        self._held = bytearray()
        self._calls = 0
        self._waiting: dict[int, Task] = {}
        self._answers: dict[int, frames.Frame] = {}
        clock.turns.exchange = self._exchange
        clock.turns.stuck = self._stuck
        self._log_bytes = 0
        self._log_frames = 0
        self._owner = os.getpid()  # frames of a process forked by the learner would mix with ours

    # -- frames ----------------------------------------------------------------------------------

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Hand one frame to the judge, stamped with the virtual time (ns since the epoch)."""
        self._hold(header, body)
        data = memoryview(self._held)
        self._held = bytearray()
        while data:
            data = data[os.write(self._out, data) :]

    def _hold(self, header: dict[str, Any], body: bytes) -> None:
        self._held += frames.pack({**header, "ns": self.clock.peek()}, body)

    def receive(self) -> frames.Frame:
        """The next frame of the judge's; the process ends when there will be none."""
        head, body = frames.lengths(self._exactly(frames.LENGTHS.size))
        return frames.unpack(self._exactly(head), self._exactly(body))

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            part = os.read(self._in, min(count, 1 << 20))
            if not part:
                os._exit(0)
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    # -- the frames there are --------------------------------------------------------------------

    def call(
        self, method: str, url: str, headers: dict[str, str], body: bytes, patience_ns: int
    ) -> frames.Frame | None:
        """One AWS call and its answer; None when that does not come within ``patience_ns``."""
        if os.getpid() != self._owner:
            raise ConnectionError("a forked process cannot use its parent's connection to AWS")
        clock, turns = self.clock, self.clock.turns
        with turns.turn() as me:
            clock.work_done()
            clock.pass_ns(self.call_ns)
            self._calls += 1
            number = self._calls
            header = {"t": "call", "id": number, "method": method, "url": url, "headers": headers}
            self._hold(header, body)
            self._waiting[number] = me
            turns.in_flight += 1
            try:
                turns.block(clock.peek() + patience_ns)
            finally:
                self._waiting.pop(number, None)
            return self._answers.pop(number, None)

    def _exchange(self, until_ns: int | None) -> None:
        """Nothing goes on: say so, and take what comes first."""
        self.send({"t": "wait", "until": until_ns})
        self._take()

    def next_event(self, header: dict[str, Any], body: bytes) -> frames.Frame:
        """Hand over how a phase ended and wait, frozen, for the next event.

        Nothing runs in between. There is no deadline between phases.
        """
        with self.clock.turns.turn():
            self.clock.deadline_ns = None
            self.send(header, body)
            while (event := self._take()) is None:
                pass
            return event

    def _take(self) -> frames.Frame | None:
        """Take one frame: an answer, or the word that a time has come; an event is returned."""
        header, body = self.receive()
        if "request_id" in header:
            return header, body
        self.clock.catch_up(header["now_ns"])
        number = header.get("id")
        if number is not None:
            self.clock.turns.in_flight -= 1
            task = self._waiting.pop(number, None)
            if task is not None:
                self._answers[number] = header, body
                self.clock.turns.wake(task)
        return None

    def log(self, text: str) -> None:
        """One log event. Writing it takes time; what is past the caps is dropped."""
        if os.getpid() != self._owner:
            return
        with self.clock.turns.turn():
            self.clock.pass_ns(self.log_line_ns)
            if self._log_frames >= LOG_FRAMES or self._log_bytes > LOG_BYTES:
                return
            data = text.encode("utf-8", "replace")
            cut = max(0, len(data) - LOG_EVENT_BYTES)
            self._log_frames += 1
            self._log_bytes += len(data) - cut
            if self._log_bytes <= LOG_BYTES:
                self.send({"t": "log", "cut": cut}, data[:LOG_EVENT_BYTES])

    def start_phase(self) -> None:
        """Forget what the last phase has logged."""
        self._log_bytes = self._log_frames = 0

    def timed_out(self) -> NoReturn:
        """The virtual deadline has passed: say so and wait for the end."""
        self.clock.expire = _for_ever
        self.send({"t": "timeout"})
        _for_ever()

    def _stuck(self) -> NoReturn:
        """No thread can ever go on: say so and wait for the end."""
        self.send({"t": "stuck"})
        _for_ever()


def _for_ever() -> NoReturn:
    while True:
        real_sleep(3600)


class Lines(io.TextIOBase):
    """``sys.stdout`` and ``sys.stderr``: every line becomes a log event, as Lambda cuts them."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, door: Door, fd: int) -> None:
        self._door = door
        self._fd = fd
        self._rest = ""

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The raw descriptor, for code that hands it to another process."""
        return self._fd

    @property
    def buffer(self) -> Any:
        """The stream for bytes."""
        return _Bytes(self)

    def write(self, text: str) -> int:
        """Write; what does not end in a line break waits for the rest of its line."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if "\n" not in text:
            self._rest += text
            if len(self._rest) > LOG_EVENT_BYTES:
                self.end_line()
            return len(text)
        first, *lines = text.split("\n")
        lines.insert(0, self._rest + first)
        self._rest = lines.pop()
        for line in lines:
            self._door.log(line)
        return len(text)

    def end_line(self) -> None:
        """Send what has no line break yet."""
        if self._rest:
            rest, self._rest = self._rest, ""
            self._door.log(rest)


class _Bytes(io.RawIOBase):
    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._lines.write(bytes(data).decode("utf-8", "replace"))
        return len(data)


# -- boto3 ---------------------------------------------------------------------------------------


class _Raw(io.BytesIO):
    """The part of urllib3's response that botocore reads."""

    def stream(self, amt: int = 65536, decode_content: bool | None = None) -> Any:
        """Yield the body in pieces."""
        while piece := self.read(amt):
            yield piece

    def release_conn(self) -> None:
        """There is no connection."""


class Rehearsal:
    """Stands in for a door while botocore is warmed up: answers every call the same, at once."""

    def __init__(self, status: int, body: bytes) -> None:
        self._answer: frames.Frame = {"status": status, "headers": {}}, body

    def call(
        self, method: str, url: str, headers: dict[str, str], body: bytes, patience_ns: int
    ) -> frames.Frame | None:
        """See Door."""
        return self._answer


class Connection:
    """The door of this process; the nursery has none when it warms botocore up."""

    door: Door | Rehearsal | None = None


def connect_botocore(connection: Connection) -> None:
    """Replace botocore's HTTP session by the door, for every client that is made from now on."""
    import botocore.httpsession
    from botocore.awsrequest import AWSResponse
    from botocore.exceptions import EndpointConnectionError, ReadTimeoutError

    session: Any = botocore.httpsession.URLLib3Session

    def init(self: Any, *args: Any, timeout: Any = None, **kwargs: Any) -> None:
        # A (connect, read) pair or one number for both, in seconds; botocore's default is 60.
        self._read_seconds = timeout[-1] if isinstance(timeout, (list, tuple)) else timeout

    def send(self: Any, request: Any) -> Any:
        door = connection.door
        if door is None:
            raise EndpointConnectionError(endpoint_url=request.url)
        body = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        if isinstance(body, str):
            body = body.encode()
        headers = {
            str(name): value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        limit = (getattr(request, "context", None) or {}).get("read_timeout", self._read_seconds)
        patience_ns = int((60.0 if limit is None else float(limit)) * 1e9)
        try:
            came = door.call(
                str(request.method), str(request.url), headers, bytes(body), patience_ns
            )
        except (frames.BadFrame, ConnectionError) as problem:
            raise EndpointConnectionError(endpoint_url=request.url, error=problem) from None
        if came is None:
            # The call has taken effect; only its answer comes too late.
            raise ReadTimeoutError(endpoint_url=request.url)
        header, answer = came
        response = AWSResponse(request.url, header["status"], header["headers"], _Raw(answer))
        if not request.stream_output:
            response.content  # noqa: B018  (reads the body, as botocore's own session does)
        return response

    session.__init__ = init
    session.send = send
    session.close = lambda self: None
