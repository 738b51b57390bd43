"""The child's end of the door: the only way out of a function's process.

AWS calls, log lines and the end of each phase leave through one descriptor as frames. boto3 reaches
the door below everything that a learner can configure: botocore's HTTP session is replaced, so
events, retries, signing, parsing and timeouts are botocore's own.
"""

from __future__ import annotations

import _thread
import io
import os
from typing import Any, NoReturn

from . import frames
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
        # Held around a request and its reply, and by the runtime between two invocations: nothing
        # can be called then, and a call in flight when the handler returns is answered first.
        self.turn = _thread.allocate_lock()
        self._write = _thread.RLock()
        self._log_bytes = 0
        self._log_frames = 0
        self._owner = os.getpid()  # frames of a process forked by the learner would mix with ours

    # -- frames ----------------------------------------------------------------------------------

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Hand one frame to the judge, stamped with the virtual time (ns since the epoch)."""
        data = memoryview(frames.pack({**header, "ns": self.clock.peek()}, body))
        with self._write:
            while data:
                data = data[os.write(self._out, data) :]

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

    def call(self, method: str, url: str, headers: dict[str, str], body: bytes) -> frames.Frame:
        """One AWS call and its answer; the reply's latency is added by whoever asked."""
        if os.getpid() != self._owner:
            raise ConnectionError("a forked process cannot use its parent's connection to AWS")
        self.clock.in_flight.add(_thread.get_ident())
        try:
            self.clock.hold_while_frozen()
            self.clock.work_done()
            self.clock.pass_ns(self.call_ns)
            with self.turn:
                self.send({"t": "call", "method": method, "url": url, "headers": headers}, body)
                return self.receive()
        finally:
            self.clock.in_flight.discard(_thread.get_ident())

    def log(self, text: str) -> None:
        """One log event. Writing it takes time; what is past the caps is dropped."""
        self.clock.hold_while_frozen()
        self.clock.pass_ns(self.log_line_ns)
        if os.getpid() != self._owner:
            return
        data = text.encode("utf-8", "replace")
        cut = max(0, len(data) - LOG_EVENT_BYTES)
        self._log_frames += 1
        self._log_bytes += len(data) - cut
        if self._log_frames <= LOG_FRAMES and self._log_bytes <= LOG_BYTES:
            self.send({"t": "log", "cut": cut}, data[:LOG_EVENT_BYTES])

    def start_phase(self) -> None:
        """Forget what the last phase has logged."""
        self._log_bytes = self._log_frames = 0

    def timed_out(self) -> NoReturn:
        """The virtual deadline has passed: say so and wait for the end."""
        self.clock.expire = _for_ever
        self.send({"t": "timeout"})
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


class Connection:
    """The door of this process; the nursery has none yet when it warms botocore up."""

    door: Door | None = None


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
        try:
            header, answer = door.call(str(request.method), str(request.url), headers, bytes(body))
        except (frames.BadFrame, ConnectionError) as problem:
            raise EndpointConnectionError(endpoint_url=request.url, error=problem) from None
        limit = (getattr(request, "context", None) or {}).get("read_timeout", self._read_seconds)
        patience_ns = int((60.0 if limit is None else float(limit)) * 1e9)
        latency_ns = int(header["latency_ns"])
        if latency_ns > patience_ns:
            # The call has taken effect; only its answer comes too late.
            door.clock.pass_parallel(patience_ns)
            raise ReadTimeoutError(endpoint_url=request.url)
        door.clock.pass_parallel(latency_ns)
        response = AWSResponse(request.url, header["status"], header["headers"], _Raw(answer))
        if not request.stream_output:
            response.content  # noqa: B018  (reads the body, as botocore's own session does)
        return response

    session.__init__ = init
    session.send = send
    session.close = lambda self: None
