"""The judge's handles on an environment's processes: bytes in, bytes out, freeze, kill.

A ``ForkedProcess`` comes from the nursery and talks over sockets; a ``SpawnedProcess`` is started
by itself and talks over pipes, read by threads because not every platform can wait on a pipe. Both
report the same events, in the order in which they are safe to act on: what the function said
before it died comes before its death.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from grader.cloud.function.watch import look

_PIECE = 1 << 18


class NurseryFailed(Exception):
    """No environment can be started: the grader's fault or the machine's, never the learner's."""


@dataclass(frozen=True, slots=True)
class Happened:
    """``door`` and ``output`` carry bytes; ``exit`` the exit code (negative: a signal; or None)."""

    what: Literal["door", "output", "exit"]
    data: bytes = b""
    code: int | None = None


class Process(Protocol):
    """What an environment needs from its processes."""

    pid: int | None

    @property
    def thawing(self) -> bool:
        """Whether the order to go on has not reached the environment's processes yet."""

    def send(self, data: bytes, seconds: float) -> bool:
        """Write to the door; False when the process takes nothing of it for ``seconds``."""

    def receive(self, seconds: float) -> Happened | None:
        """The next thing that happened, or None when nothing did within ``seconds`` (real)."""

    def freeze(self) -> None:
        """Stop every process of the environment, as Lambda does between invocations."""

    def thaw(self) -> None:
        """Let them go on."""

    def nudge(self) -> None:
        """Tell the function's process that all its threads are asleep (see child/turns)."""

    def kill(self) -> None:
        """End them all, without waiting."""


class ForkedProcess:
    """An environment forked by the nursery.

    ``door`` and ``status`` are our ends of socket pairs, ``output`` our end of the output pipe.
    """

    def __init__(self, door: socket.socket, output: int, status: socket.socket) -> None:
        self.pid: int | None = None
        self._door, self._output, self._status = door, output, status
        self._ended = False
        self._code: int | None = None
        self._thaws = 0
        self.alive = True
        for one in (door, status):
            one.setblocking(False)
        os.set_blocking(output, False)
        # The kernel names the sender of every message, by its number in our process namespace.
        if hasattr(socket, "SO_PASSCRED"):
            status.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._poll = select.poll()
        for fd in (door.fileno(), output, status.fileno()):
            self._poll.register(fd, select.POLLIN)
        self._open = {door.fileno(), output, status.fileno()}

    def send(self, data: bytes, seconds: float) -> bool:
        """See Process."""
        view = memoryview(data)
        deadline = time.monotonic() + seconds
        while view:
            try:
                view = view[self._door.send(view) :]
                deadline = time.monotonic() + seconds
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left > 0 and select.select([], [self._door], [], left)[1]:
                    continue
                seen = look(self.pid) if self.pid is not None else None
                if seen is not None and seen.asleep and not self.thawing:
                    return False
                if time.monotonic() > deadline + 40 * seconds:
                    return False
            except OSError:
                return True  # it is gone: receive() will say so
        return True

    def receive(self, seconds: float) -> Happened | None:
        """See Process."""
        if not self.alive:
            return None
        ready = {fd for fd, _ in self._poll.poll(0 if self._ended else int(seconds * 1000))}
        door = self._door.fileno()
        # What was printed before a frame was sent can be read before it; and nothing that was said
        # is lost because its speaker has died since.
        if (self._output in ready or door in ready) and self._output in self._open:
            data = self._read(self._output)
            if data:
                return Happened("output", data)
        if door in ready and door in self._open:
            data = self._read(door)
            if data:
                return Happened("door", data)
        if self._status.fileno() in ready and self._status.fileno() in self._open:
            self._read_status()
            return self.receive(0)
        if self._ended:
            if self.pid is None:
                raise NurseryFailed("an environment died before the function's code was loaded")
            return Happened("exit", code=self._code)
        return None

    def _read(self, fd: int) -> bytes:
        try:
            data = os.read(fd, _PIECE)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._forget(fd)
        return data

    def _forget(self, fd: int) -> None:
        self._open.discard(fd)
        with contextlib.suppress(KeyError, OSError):
            self._poll.unregister(fd)

    def _read_status(self) -> None:
        try:
            data, ancillary, _, _ = self._status.recvmsg(64, 256)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        if not data:
            self._ended = True
            self._forget(self._status.fileno())
            return
        for line in data.decode().split():
            if line[0] == "P" and self.pid is None:
                self.pid = int(line[1:])
                for _, kind, value in ancillary:
                    if kind == getattr(socket, "SCM_CREDENTIALS", None):
                        self.pid = struct.unpack("=iII", value)[0]
            elif line[0] == "X":
                self._ended, self._code = True, int(line[1:])
            elif line[0] == "C":
                self._thaws -= 1

    def freeze(self) -> None:
        """See Process."""
        self._order(b"S")

    def thaw(self) -> None:
        """See Process."""
        self._thaws += 1
        self._order(b"C")

    @property
    def thawing(self) -> bool:
        """See Process."""
        return self._thaws > 0

    def nudge(self) -> None:
        """See Process."""
        self._order(b"N")

    def _order(self, order: bytes) -> None:
        with contextlib.suppress(OSError):
            self._status.send(order)

    def kill(self) -> None:
        """See Process."""
        if self.alive:
            self.alive = False
            self._door.close()
            self._status.close()
            os.close(self._output)


class SpawnedProcess:
    """An environment in a process started for it alone, its door on pipes."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=folder,
            bufsize=0,
        )
        self.pid: int | None = self._process.pid
        self._happened: queue.SimpleQueue[Happened] = queue.SimpleQueue()
        self._to_send: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(64)
        self._alive = True
        self._readers = [
            self._thread(self._read, "door", self._process.stdout),
            self._thread(self._read, "output", self._process.stderr),
        ]
        self._thread(self._wait)
        self._thread(self._write)

    def _thread(self, work: object, *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        thread.start()
        return thread

    def _read(self, what: Literal["door", "output"], pipe: object) -> None:
        fd = pipe.fileno()  # type: ignore[attr-defined]
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(fd, 65536):
                # Not more than this unread: a flood waits in its pipe, not in our memory.
                self._room.acquire()
                self._happened.put(Happened(what, data))

    def _wait(self) -> None:
        code = self._process.wait()
        for reader in self._readers:
            reader.join(1.0)
        self._happened.put(Happened("exit", code=code))

    def _write(self) -> None:
        assert self._process.stdin is not None
        while (data := self._to_send.get()) is not None:
            with contextlib.suppress(OSError, ValueError):
                self._process.stdin.write(data)

    def send(self, data: bytes, seconds: float) -> bool:
        """See Process."""
        self._to_send.put(data)
        return True

    def receive(self, seconds: float) -> Happened | None:
        """See Process."""
        if not self._alive:
            return None
        try:
            happened = (
                self._happened.get(timeout=seconds) if seconds else self._happened.get_nowait()
            )
        except queue.Empty:
            return None
        if happened.what != "exit":
            self._room.release()
        return happened

    def freeze(self) -> None:
        """See Process."""
        self._signal("SIGSTOP")

    def thaw(self) -> None:
        """See Process."""
        self._signal("SIGCONT")

    thawing = False

    def nudge(self) -> None:
        """See Process."""
        self._signal("SIGURG")

    def _signal(self, name: str) -> None:
        number = getattr(signal, name, None)
        if number is not None and self._process.poll() is None:
            with contextlib.suppress(OSError):
                os.kill(self._process.pid, number)

    def kill(self) -> None:
        """See Process."""
        if not self._alive:
            return
        self._alive = False
        self._to_send.put(None)
        if sys.platform != "win32":
            # The process leads a session of its own, so this reaches what it has started.
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._process.kill()
        for _ in range(256):
            self._room.release()

    def wait(self, seconds: float) -> None:
        """After ``kill``: wait for the end and close the pipes."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        for reader in self._readers:
            reader.join(seconds)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
