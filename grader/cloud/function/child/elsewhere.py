"""Requests to other places than AWS, for a team's own stack: they go through the door, too.

Connections of ``http.client``, and with it of urllib, urllib3 and requests, get the judge's answer
in the place of a network. Where the judge has none the connection fails with its sentence. Nothing
is encrypted and nothing leaves the machine.
"""

from __future__ import annotations

import http.client
import io
import sys
from typing import Any

from .door import Door

# Set by the judge where nobody answers: the body is the reason.
CLOSED = "x-nobody-answers"


def connect_http(door: Door) -> None:
    """Replace the connections that are made from now on."""
    # boto3 has imported it; whatever uses urllib3 makes its connections there.
    pooled: Any = sys.modules["urllib3.connection"]

    def connect(scheme: str) -> Any:
        def made(self: Any) -> None:
            self.sock = _Line(door, scheme, self.host, self.port, self.timeout)
            # What urllib3 asks of a connection before it trusts it.
            self.is_verified = True

        return made

    for kind, scheme in (
        (http.client.HTTPConnection, "http"),
        (http.client.HTTPSConnection, "https"),
        (pooled.HTTPConnection, "http"),
        (pooled.HTTPSConnection, "https"),
    ):
        setattr(kind, "connect", connect(scheme))  # noqa: B010 - mypy knows the method


class _Line:
    """What http.client needs of a socket: a request is written, and its answer read."""

    def __init__(self, door: Door, scheme: str, host: str, port: int, timeout: Any) -> None:
        plain = port == {"http": 80, "https": 443}[scheme]
        self._door = door
        self._origin = f"{scheme}://{host}" if plain else f"{scheme}://{host}:{port}"
        self._patience_ns = int((timeout if isinstance(timeout, int | float) else 60) * 1e9)
        self._sent = bytearray()

    def sendall(self, data: Any) -> None:
        """Take a piece of the request."""
        self._sent += data

    def makefile(self, *args: Any, **options: Any) -> io.BytesIO:
        """Hand the request over and wait for its answer."""
        head, _between, body = bytes(self._sent).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, *_version = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip(): text.strip() for name, _colon, text in pairs}
        if headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = _unchunked(body)
        url = path if "://" in path else f"{self._origin}{path}"
        came = self._door.call(method, url, headers, body, self._patience_ns)
        if came is None:
            raise TimeoutError("timed out")
        header, answer = came
        if CLOSED in header["headers"]:
            raise ConnectionRefusedError(answer.decode("utf-8", "replace"))
        named = {**header["headers"], "Content-Length": str(len(answer)), "Connection": "close"}
        text = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        status = header["status"]
        reason = http.client.responses.get(status, "")
        return io.BytesIO(f"HTTP/1.1 {status} {reason}\r\n{text}\r\n".encode("latin-1") + answer)

    def settimeout(self, seconds: float | None) -> None:
        """How long the answer may take, in seconds."""
        if seconds is not None:
            self._patience_ns = int(seconds * 1e9)

    def setsockopt(self, *args: Any) -> None:
        """There is no socket to set anything on."""

    def shutdown(self, *args: Any) -> None:
        """There is nothing to end."""

    def close(self) -> None:
        """There is nothing to close."""


def _unchunked(body: bytes) -> bytes:
    parts, rest = [], body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        parts.append(rest[:length])
        rest = rest[length + 2 :] if length else b""
    return b"".join(parts)
