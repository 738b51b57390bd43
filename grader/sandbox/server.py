"""HTTP on loopback: AWS's protocols for clients, and the owner's own routes behind a token.

Nothing listens beyond 127.0.0.1. A request must name this address as its host, and none that a
page of another site could send is answered: a browser says where such a request comes from. Nothing
is ever forwarded.

The owner's routes, which need the token of `Server.token` in the header ``X-Labs-Token``::

    GET  /_labs/state    how the account stands, as JSON
    GET  /_labs/overview, /_labs/replay    what the console shows
    GET  /_labs/time     where virtual time stands
    POST /_labs/time     ?move=MILLISECONDS, ?pause=1, ?resume=1, ?speed=60
"""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from grader.cloud.aws import Reply
from grader.sandbox import console
from grader.sandbox.sandbox import Sandbox

LOOPBACK = "127.0.0.1"
OWN = "/_labs/"
MOST_BODY = 64 * 1024 * 1024
# How long a connection may be silent (seconds).
SILENCE_S = 120.0
# A page that answers for itself: path to (content type, body).
Pages = Callable[[str], tuple[str, bytes] | None]


class Server:
    """Serves ``sandbox`` at ``url`` until it is closed; use it in a `with`, or close it.

    ``port`` 0 picks a free one. ``pages`` answers what a browser asks for, None what it does not
    know. OSError when the port is taken.
    """

    def __init__(self, sandbox: Sandbox, *, port: int = 0, pages: Pages = console.page) -> None:
        self.sandbox = sandbox
        self.token = secrets.token_urlsafe(32)
        self.pages = pages
        # What was not let in, as sentences; without anything that the request held.
        self.turned_away: list[str] = []
        handler = type("Handler", (_Handler,), {"server_of": self})
        self._http = _Http((LOOPBACK, port), handler)
        self.port = int(self._http.server_address[1])
        self.url = sandbox.url = f"http://{LOOPBACK}:{self.port}"
        # What a browser opens: the token stands where no request carries it.
        self.console = f"{self.url}/#token={self.token}"
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._http.serve_forever, daemon=True),
            threading.Thread(target=self._tick, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving. The account stays as it is."""
        if not self._closing.is_set():
            self._closing.set()
            self._http.shutdown()
            self._http.server_close()
            for thread in self._threads:
                thread.join()

    def _tick(self) -> None:
        while not self._closing.wait(max(0.05, self.sandbox.tick())):
            pass

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The answer to one HTTP request, whoever sent it."""
        problem = self._stranger(headers)
        if problem is not None:
            self.turned_away.append(problem)
            del self.turned_away[:-100]
            return _plain(403, problem)
        if path.startswith(OWN):
            return self._own(method, path, headers)
        if method == "GET" and "authorization" not in headers and "X-Amz-" not in path:
            return self._page(path)
        return self.sandbox.answer(method, path, headers, body)

    def _stranger(self, headers: Mapping[str, str]) -> str | None:
        """Why a request is not let in; None when it may be.

        A name that leads to this machine may belong to anybody (DNS rebinding), and a browser
        sends what any page tells it to send: both show in the head of the request.
        https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
        """
        hosts = {f"{name}:{self.port}" for name in (LOOPBACK, "localhost")}
        if headers.get("host", "").lower() not in hosts:
            return "The request was sent to a host of another name."
        own = {f"http://{host}" for host in hosts}
        if headers.get("origin", "").lower() not in {"", *own}:
            return "The request comes from a page of another origin."
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return "The request comes from a page of another site."
        if "access-control-request-method" in headers:
            return "Requests across origins are not answered."
        return None

    def _own(self, method: str, path: str, headers: Mapping[str, str]) -> Reply:
        url = urlsplit(path)
        given = headers.get("x-labs-token", "")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return _plain(403, "This needs the sandbox's token in the header X-Labs-Token.")
        what = url.path.removeprefix(OWN)
        if method == "GET" and what == "state":
            return Reply(200, _JSON, self.sandbox.document())
        if method == "GET" and (found := console.answer(what, self.sandbox)) is not None:
            return Reply(200, _JSON, found)
        try:
            if method == "GET" and what == "time":
                return Reply(200, _JSON, json.dumps(self.sandbox.time()).encode())
            if method == "POST":
                done = self.sandbox.control(what, dict(parse_qsl(url.query)))
                return Reply(200, _JSON, json.dumps(done).encode())
        except ValueError as problem:
            return _plain(400, f"This cannot be done: {problem}.")
        return _plain(404, "There is no such route.")

    def _page(self, path: str) -> Reply:
        found = self.pages(path)
        if found is None:
            return _plain(404, "Nothing is served here; clients of AWS sign their requests.")
        kind, body = found
        return Reply(200, {"Content-Type": kind, **_PAGE}, body)


_JSON = {"Content-Type": "application/json", "Cache-Control": "no-store"}
_PAGE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


def _plain(status: int, sentence: str) -> Reply:
    return Reply(status, {"Content-Type": "text/plain; charset=utf-8"}, sentence.encode())


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    # A port that somebody listens on is taken, on every platform.
    allow_reuse_address = not hasattr(socket, "SO_EXCLUSIVEADDRUSE")
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away says nothing worth printing."""


class _Handler(BaseHTTPRequestHandler):
    """HTTP in, `Server.handle`, HTTP out; a head and its body leave in one piece."""

    server_of: Server
    protocol_version = "HTTP/1.1"
    timeout = SILENCE_S
    disable_nagle_algorithm = True
    wbufsize = -1

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BODY or "transfer-encoding" in headers:
            self.close_connection = True
            self._send(_plain(413, "The request's body is too long, or of unknown length."))
            return
        if headers.get("expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
        body = self.rfile.read(int(length))
        try:
            reply = self.server_of.handle(self.command, self.path, headers, body)
        except Exception as error:  # a fault of ours must not end the sandbox
            place = f"{self.command} {headers.get('x-amz-target', '')}: {error!r}"
            self.server_of.sandbox.breakdowns.append(place)
            reply = _plain(500, f"The sandbox broke down on this request: {error!r}")
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers.items():
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        if reply.status not in (204, 304):
            length = reply.headers.get("Content-Length", reply.headers.get("content-length"))
            known = length if self.command == "HEAD" and length else str(len(reply.body))
            self.send_header("Content-Length", known)
        with contextlib.suppress(OSError):
            self.end_headers()
            if self.command != "HEAD" and reply.status not in (204, 304):
                self.wfile.write(reply.body)
            self.wfile.flush()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_OPTIONS = _serve

    def handle_expect_100(self) -> bool:
        """`_serve` says so itself."""
        return True

    def log_message(self, *_: Any) -> None:
        """Say nothing: what is asked stands in the sandbox's own record."""
