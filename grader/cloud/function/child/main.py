"""Where a function's processes start; run by path, never imported.

- ``main.py nursery FD`` waits on a Unix socket and forks an environment for every request.
- ``main.py spawn`` is one environment, its door on standard input and output.

An environment of the nursery is two processes: a small *init*, which the judge commands over a
socket (freeze, go on, and end when the socket closes) and which reports how its child ended, and
the function's process, whose only ways out are the door and its output pipe.
"""

# Runs before imports are free: plain os functions, no pathlib.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import importlib.util
import sys

PACKAGE = "_environment"


def _load() -> None:
    folder = __file__.rpartition("main.py")[0]
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder + "__init__.py", submodule_search_locations=[folder.rstrip("/\\")]
    )
    assert spec is not None and spec.loader is not None
    sys.modules[PACKAGE] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)


_load()
# First of all, so that everything imported from here on lives on virtual time.
virtual_time = importlib.import_module(f"{PACKAGE}.virtual_time")
CLOCK = virtual_time.VirtualClock()

import os  # noqa: E402
from typing import Any, NoReturn  # noqa: E402


def read_config(fd: int) -> dict[str, Any]:
    """The judge's first frame: where to find packages, and what to enforce."""
    frames = importlib.import_module(f"{PACKAGE}.frames")

    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = os.read(fd, count - len(data))
            if not part:
                os._exit(0)
            data += part
        return data

    head, body = frames.lengths(exactly(frames.LENGTHS.size))
    header: dict[str, Any] = frames.unpack(exactly(head), exactly(body))[0]
    sys.path.extend(header["clock"])
    virtual_time.install(CLOCK)
    sys.path[:] = [path for path in sys.path if path not in header["clock"]]
    sys.path.extend(header["packages"])
    os.environ.update(header["environment"])
    return header


def spawn() -> NoReturn:
    """One environment without a nursery."""
    incoming, outgoing = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    config = read_config(incoming)
    door = importlib.import_module(f"{PACKAGE}.door")
    runtime = importlib.import_module(f"{PACKAGE}.runtime")
    sandbox = importlib.import_module(f"{PACKAGE}.sandbox")
    connection = door.Connection()
    runtime.warm_up(connection, ())
    if hasattr(os, "setsid"):
        os.setsid()
    sandbox.limit_resources(config["limits"], sandbox.tasks_of_user())
    connection.door = door.Door(incoming, outgoing, CLOCK)
    connection.door.send({"t": "warm"})
    run(runtime, connection.door)


def run(runtime: Any, door: Any) -> NoReturn:
    """Hand the process over to the function; how it ends is the function's affair."""
    hide_ourselves()
    environment = runtime.Runtime(door)
    code = 1
    try:
        environment.run()
    except SystemExit as wish:
        code = environment.exit_code(wish)
    except BaseException:
        environment.print_exception()
    # At once, whatever threads and exit functions the code has left behind.
    os._exit(code & 0xFF)


def hide_ourselves() -> None:
    """Our modules are not part of Lambda: take them out of ``sys.modules``."""
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


class Nursery:
    """The process that environments are forked from."""

    def __init__(self, fd: int) -> None:
        self.config = read_config(fd)
        import select
        import signal
        import socket

        self.select, self.signal, self.socket = select, signal, socket
        self.sock = socket.socket(fileno=fd)
        self.frames = importlib.import_module(f"{PACKAGE}.frames")
        self.door = importlib.import_module(f"{PACKAGE}.door")
        self.runtime = importlib.import_module(f"{PACKAGE}.runtime")
        self.sandbox = importlib.import_module(f"{PACKAGE}.sandbox")
        self.seccomp = importlib.import_module(f"{PACKAGE}.seccomp")
        self.tier = "limits"
        self.refused: dict[str, str] = {}
        self.own_namespace = -1
        self.over: list[bool] = []  # filled by a signal

    def main(self) -> NoReturn:
        """Take the strongest permitted tier, warm up, serve."""
        for tier in self.config["tiers"]:
            try:
                if tier == "namespaces":
                    self._in_namespaces()
                if tier == "landlock" and not self.sandbox.landlock_version():
                    raise OSError("this kernel has no Landlock")
            except OSError as problem:
                self.refused[tier] = str(problem)
                continue
            self.tier = tier
            break
        else:
            os._exit(3)
        self.sandbox.undumpable()
        self._serve()

    def _in_namespaces(self) -> None:
        """Return in a new process, the first of its own world; OSError where that is forbidden."""
        reader, writer = os.pipe()
        child = os.fork()
        if child:
            os.close(writer)
            with os.fdopen(reader) as answer:
                problem = answer.read()
            if problem != "ok":
                os.waitpid(child, 0)
                raise OSError(problem or "the process in its namespaces died")
            self._stand_by(child)
        try:
            self.sandbox.enter_namespaces()
        except OSError as problem:
            os.write(writer, str(problem).encode())
            os._exit(0)
        self.sandbox.die_with_parent()
        child = os.fork()
        if child:
            os.close(writer)
            self._stand_by(child)
        self.sandbox.die_with_parent()
        try:
            config = self.config
            self.sandbox.build_root(
                config["root"], config["work"], config["visible"], config["hidden"]
            )
            sys.path[:] = [
                "/var/lang/packages" if path == f"{config['work']}/packages" else path
                for path in sys.path
            ]
            self.own_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as problem:
            os.write(writer, str(problem).encode())
            os._exit(0)
        os.write(writer, b"ok")
        os.close(writer)

    def _stand_by(self, child: int) -> NoReturn:
        self.sock.close()
        os.waitpid(child, 0)
        os._exit(0)

    def _serve(self) -> NoReturn:
        import gc

        self.connection = self.door.Connection()
        self.runtime.warm_up(self.connection, tuple(self.config["services"]))
        self.sandbox.subreaper()
        self.tasks = 0 if self.tier == "namespaces" else self.sandbox.tasks_of_user()
        self.filtered = self.seccomp.permitted(self.sandbox)
        ready = {
            "tier": self.tier,
            "filtered": self.filtered,
            "refused": self.refused,
            "landlock": self.sandbox.landlock_version() if self.tier == "landlock" else 0,
        }
        self.sock.sendall(self.frames.pack(ready))
        gc.collect()
        gc.freeze()
        wake = self._on_child_exit()
        inits: set[int] = set()
        awaited: list[Any] = [self.sock, wake]
        while True:
            readable = self.select.select(awaited, [], [])[0]
            if wake in readable:
                os.read(wake, 4096)
                self._reap(inits)
            if self.sock in readable:
                data, fds, _, _ = self.socket.recv_fds(self.sock, self.config["request_bytes"], 8)
                if not data:
                    break
                inits.add(self._environment(data, fds))
        # The judge has closed its end. Each init ends what it has started, then itself.
        for init in inits:
            kill_quietly(init, self.signal.SIGTERM)
        while inits and self.tier != "namespaces":
            try:
                inits.discard(os.waitpid(-1, 0)[0])
            except ChildProcessError:
                break
        os._exit(0)

    def _reap(self, inits: set[int]) -> None:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            inits.discard(pid)
        # Whatever else has become ours has lost its init: it has no business any more.
        if self.tier != "namespaces":
            for pid in children_of(os.getpid()):
                if pid not in inits:
                    kill_quietly(pid, self.signal.SIGKILL)

    def _on_child_exit(self) -> int:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        self.signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.signal.signal(self.signal.SIGCHLD, lambda *_: None)
        return reader

    # -- one environment -------------------------------------------------------------------------

    def _environment(self, data: bytes, fds: list[int]) -> int:
        import json

        request = json.loads(data)
        if self.tier == "namespaces":
            self.sandbox.unshare(self.sandbox.CLONE_NEWPID)
        init = os.fork()
        if not init:
            try:
                self._init(request, *fds)
            finally:
                os._exit(70)
        if self.tier == "namespaces":
            libc = self.sandbox.libc()
            self.sandbox.check(libc.setns(self.own_namespace, 0), "setns")
        for fd in fds:
            os.close(fd)
        return init

    def _init(self, request: dict[str, Any], door: int, output: int, status: int) -> NoReturn:
        self.sock.close()
        self.sandbox.die_with_parent()
        if self.tier == "namespaces":
            os.close(self.own_namespace)
            self.sandbox.enter_room(request["code"], request["limits"]["tmp_bytes"])
        else:
            self.sandbox.subreaper()
        wake = self._on_child_exit()
        self.signal.signal(self.signal.SIGTERM, lambda *_: self.over.append(True))
        function = os.fork()
        if not function:
            try:
                self._function(request, door, output, status)
            finally:
                os._exit(70)
        os.close(door)
        os.close(output)
        with self.socket.socket(fileno=status) as commands:
            self._command(commands, wake, function)
        self._end_all(function)
        os._exit(0)

    def _command(self, commands: Any, wake: int, function: int) -> None:
        """Obey the judge until the function's process is gone or the judge has had enough."""
        while not self.over:
            readable = self.select.select([commands, wake], [], [])[0]
            if commands in readable:
                orders = commands.recv(64)
                if not orders:
                    return
                for order in orders:
                    if order == ord("N"):
                        kill_quietly(function, self.signal.SIGURG)
                        continue
                    stop = order == ord("S")
                    self._signal_all(function, self.signal.SIGSTOP if stop else self.signal.SIGCONT)
                    if not stop:
                        commands.sendall(b"C\n")
            if wake in readable:
                os.read(wake, 4096)
                while True:
                    try:
                        pid, ended = os.waitpid(-1, os.WNOHANG)
                    except ChildProcessError:
                        break
                    if not pid:
                        break
                    if pid == function:
                        commands.sendall(f"X{os.waitstatus_to_exitcode(ended)}\n".encode())
                        return

    def _signal_all(self, function: int, number: int) -> None:
        if self.tier == "namespaces":
            kill_quietly(-1, number)
            return
        try:
            os.killpg(function, number)
        except OSError:
            kill_quietly(function, number)

    def _end_all(self, function: int) -> None:
        # In a process namespace the end of its first process ends all others.
        if self.tier == "namespaces":
            return
        self._signal_all(function, self.signal.SIGKILL)
        while True:
            for pid in children_of(os.getpid()):
                kill_quietly(pid, self.signal.SIGKILL)
            try:
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    virtual_time.real_sleep(0.002)
            except ChildProcessError:
                return

    def _function(self, request: dict[str, Any], door: int, output: int, status: int) -> NoReturn:
        os.setsid()
        self.signal.set_wakeup_fd(-1)
        for number in (self.signal.SIGCHLD, self.signal.SIGTERM):
            self.signal.signal(number, self.signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        door, status = os.dup(door), os.dup(status)  # out of the way of the places they go to
        os.dup2(door, 3)
        os.dup2(status, 4)
        os.closerange(5, 65536)
        self.sandbox.dumpable()
        self.sandbox.limit_resources(request["limits"], self.tasks)
        if self.tier == "landlock":
            self.sandbox.enter_landlock(
                [
                    *self.config["visible"],
                    *self.config["packages"],
                    request["task"],
                    "/proc/self",
                ],
                [request["tmp"]],
            )
        self.sandbox.drop_privileges()
        self.sandbox.die_with_parent()
        if self.filtered:
            self.seccomp.close_calls(self.sandbox.libc(), shared=self.tier != "namespaces")
        # Only now: an environment that dies before this word was never the function's.
        with self.socket.socket(fileno=4) as judge:
            judge.sendall(f"P{os.getpid()}\n".encode())
        self.connection.door = self.door.Door(3, 3, CLOCK)
        run(self.runtime, self.connection.door)


def children_of(pid: int) -> list[int]:
    """Processes whose parent is ``pid`` (Linux; empty elsewhere)."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
    except OSError:
        return found
    return found


def kill_quietly(pid: int, number: int) -> None:
    """Signal a process that may have gone already."""
    try:
        os.kill(pid, number)
    except OSError:
        return


if __name__ == "__main__":
    if sys.argv[1] == "nursery":
        Nursery(int(sys.argv[2])).main()
    spawn()
