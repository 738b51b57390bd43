"""Nothing connects an environment with another one, or with the machine: in each tier of isolation.

An environment leaves a mark by every means that processes share; another one, of the same function
and alive beside it, looks for it. What a tier does not close, `labs doctor` names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from workbench import LIMITS, Bench

from grader.cloud.function import Nursery

pytestmark = [
    pytest.mark.played,
    pytest.mark.skipif(sys.platform != "linux", reason="the kernel's means of Linux"),
]


@pytest.fixture(scope="module", params=["namespaces", "landlock", "limits"])
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    nursery = Nursery.start(isolation=request.param, limits=LIMITS)
    bench = Bench(nursery, tmp_path_factory.mktemp(request.param))
    yield bench
    bench.close()
    nursery.close()


MEANS = {
    "System V memory": (
        "libc.shmget(4711, 4096, 0o1666)", "libc.shmget(4711, 4096, 0o666) >= 0"),
    "System V queue": ("libc.msgget(4712, 0o1666)", "libc.msgget(4712, 0o666) >= 0"),
    "System V semaphore": ("libc.semget(4713, 1, 0o1666)", "libc.semget(4713, 1, 0o666) >= 0"),
    "user keyring": (
        "libc.syscall(248, b'user', b'mark', b'x', 1, -4)",
        "libc.syscall(250, 10, -4, b'user', b'mark', 0) >= 0"),
    "abstract socket": (
        "kept.append(socket.socket(socket.AF_UNIX)); kept[-1].bind(chr(0) + 'mark')",
        "not binds(socket.AF_UNIX, chr(0) + 'mark')"),
    "loopback port": (
        "kept.append(socket.socket()); kept[-1].bind(('127.0.0.1', 47113))",
        "not binds(socket.AF_INET, ('127.0.0.1', 47113))"),
    "flock on the code": (
        "kept.append(open(__file__)); fcntl.flock(kept[-1], fcntl.LOCK_EX)",
        "locked(open(__file__))"),
    "flock on the interpreter": (
        "kept.append(open(os.__file__)); fcntl.flock(kept[-1], fcntl.LOCK_EX)",
        "locked(open(os.__file__))"),
    "record lock on the interpreter": (
        "kept.append(open(os.__file__)); fcntl.lockf(kept[-1], fcntl.LOCK_SH)",
        "marked(open(os.__file__))"),
    "lease on the code": (
        "kept.append(open(__file__)); fcntl.fcntl(kept[-1], 1024, 0)",
        "fcntl.fcntl(open(__file__), 1025) == 0"),
    "file in the temporary folder": (
        "open(tempfile.gettempdir() + '/mark', 'w')",
        "os.path.exists(tempfile.gettempdir() + '/mark')"),
}  # fmt: skip

CODE = """
import ctypes, fcntl, os, socket, struct, tempfile
libc = ctypes.CDLL(None, use_errno=True)
kept = []
def binds(family, address):
    # True also where no socket can be made: then nobody else could, either.
    try:
        with socket.socket(family) as one: one.bind(address)
    except PermissionError: return True
    except OSError: return False
    return True
def locked(file):
    try: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError: return True
    return False
def marked(file):
    ask = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
    return struct.unpack("hhqqi4x", fcntl.fcntl(file, 5, ask))[0] != fcntl.F_UNLCK
def handler(event, context):
    try:
        return [bool(eval(event["look"])), exec(event["mark"])][0]
    except OSError:
        return False
"""


@pytest.mark.parametrize("means", MEANS)
def test_an_environment_finds_no_mark_of_another(room: Bench, means: str) -> None:
    """robustness.md, The room leaks, 2: each environment is the first and only one."""
    mark, look = MEANS[means]
    host = room.deploy(CODE)
    found: list[Any] = []
    for _ in range(3):  # at once, so in three environments, all of them alive
        host.invoke({"mark": mark, "look": look}, lambda result: found.append(result.payload))
    room.play()
    assert [invocation.cold for invocation in host.invocations] == [True] * 3
    assert found == [False] * 3
    host.recycle()


@pytest.mark.parametrize(
    "path", ["/proc/sys/vm/swappiness", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger",
             "/proc/sys/kernel/hostname", "/proc/self/oom_score_adj"],
)  # fmt: skip
def test_the_host_cannot_be_changed_through_proc(room: Bench, path: str) -> None:
    """The room leaks, 1: as root, too, a handler opens nothing of /proc for writing."""
    if room.nursery.enforced.tier == "limits":
        assert any("write this user's files" in said for said in room.nursery.enforced.weak)
        return
    code = "def handler(e, c):\n    try: open(e['path'], 'r+').close()\n    except OSError: return 'closed'"
    assert room.invoke(room.deploy(code), {"path": path}).payload == "closed"


def test_the_limits_in_proc_are_kept_and_what_containers_hide_is_hidden(nursery: Nursery) -> None:
    """The room leaks, 1: limits that are written before /proc is closed are read back inside."""
    if nursery.enforced.tier != "namespaces":
        pytest.skip("namespaces are not permitted here")
    code = """
        import os
        def handler(event, context):
            def read(path):
                try: return open("/proc/" + path).read().strip()
                except OSError: return ""
            return [
                read("sys/user/max_user_namespaces"), read("sys/kernel/pid_max"),
                [n for n in ("keys", "timer_list", "kcore", "locks", "interrupts") if read(n)[:1]],
            ]
    """
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as place:
        bench = Bench(nursery, Path(place))
        namespaces, processes, shown = bench.run(code).payload
        bench.close()
    major, minor = (int(part) for part in os.uname().release.split(".")[:2])
    assert namespaces == "0" and shown == []
    assert (processes == "400") == ((major, minor) >= (6, 14))


def test_a_unix_socket_by_path_is_out_of_reach(room: Bench, tmp_path: Path) -> None:
    """The room leaks, 4: a container engine's socket, say."""
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "engine"))
        server.listen()
        code = """
            import socket
            def handler(event, context):
                try: socket.socket(socket.AF_UNIX).connect(event["path"])
                except OSError: return "closed"
                return "reached"
        """
        event = {"path": str(tmp_path / "engine")}
        assert room.invoke(room.deploy(code), event).payload == "closed"


@pytest.mark.parametrize("name", ["requests", "yaml", "pydantic", "pytest", "moto", "click"])
def test_what_lambda_does_not_bring_cannot_be_imported(room: Bench, name: str) -> None:
    """The room leaks, 5: only the runtime's packages and Powertools, in the labs."""
    code = f"import {name}\ndef handler(e, c): pass"
    assert room.run(code).error_type == "Runtime.ImportModuleError"


def test_what_lambda_brings_and_powertools_can_be_imported(room: Bench) -> None:
    code = """
        import boto3, botocore, dateutil, jmespath, s3transfer, six, urllib3
        from aws_lambda_powertools import Logger, Metrics
        def handler(event, context): return "there"
    """
    assert room.run(code).payload == "there"


def test_a_team_names_what_its_functions_may_import(tmp_path: Path) -> None:
    """None is the whole environment; a list adds to Lambda's own."""
    seen = {}
    for name, packages in (("all", None), ("yaml", ["yaml"])):
        nursery = Nursery.start(limits=LIMITS, packages=packages)
        bench = Bench(nursery, tmp_path / name)
        for module in ("yaml", "click"):
            result = bench.run(f"import {module}\ndef handler(e, c): return 1")
            seen[name, module] = result.kind == "returned"
        bench.close()
        nursery.close()
    assert seen == {
        ("all", "yaml"): True, ("all", "click"): True,
        ("yaml", "yaml"): True, ("yaml", "click"): False,
    }  # fmt: skip


ATTACKS = {
    "stops the clock": "type(time.sleep.__self__)._move = lambda self, to: None",
    "stops the clock of the frames": "type(time.sleep.__self__).peek = lambda self: 0",
    "turns it back": "time.sleep.__self__.now_ns -= 10**12; time.sleep.__self__._move = lambda to: None",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_function_can_add_to_its_time_and_take_nothing_away(room: Bench, name: str) -> None:
    """The room leaks, 3: what the judge answered passes whatever the process says."""
    code = """
        import boto3, time
        ddb = boto3.client("dynamodb")
        def handler(event, context):
            if event["attack"]: {}
            for _ in range(3): ddb.list_tables()
    """
    durations, times = {}, {}
    for attack in (False, True):
        host = room.deploy(code.format(ATTACKS[name]), memory_mb=1769)
        durations[attack] = room.invoke(host, {"attack": attack}).duration_ms
        calls = host.invocations[0].calls
        times[attack] = [call.time_ms - calls[0].time_ms for call in calls]
    assert durations[True] >= durations[False] - 1
    assert all(
        forged >= honest - 1 for forged, honest in zip(times[True], times[False], strict=False)
    )


def test_tracing_its_neighbour_or_its_parent_is_refused(room: Bench) -> None:
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        code = """
            import ctypes, os
            libc = ctypes.CDLL(None, use_errno=True)
            def handler(event, context):
                done = []
                for pid in (event['pid'], os.getppid(), 1):
                    if libc.ptrace(16, pid, 0, 0) == 0: done.append(("ptrace", pid))
                    try: open(f"/proc/{pid}/mem", "r+b"); done.append(("mem", pid))
                    except OSError: pass
                return done
        """
        done = room.invoke(room.deploy(code), {"pid": victim.pid}).payload
    finally:
        victim.kill()
        victim.wait()
    if room.nursery.enforced.tier == "limits":
        assert not [one for one in done if one[0] == "ptrace"]
    else:
        assert done == []


# -- other ways out --------------------------------------------------------------------------------


@pytest.mark.parametrize("through", ["a program", "a link", "a forked child"])
def test_what_is_closed_is_closed_by_every_way(room: Bench, through: str, tmp_path: Path) -> None:
    """A file of the machine's, read by a program, through a link out of /tmp, and by a child."""
    secret = tmp_path / "secret"
    secret.write_text("real")
    code = """
        import os, subprocess, tempfile
        def program(path):
            return subprocess.run(["/bin/cat", path], capture_output=True, text=True).stdout
        def link(path):
            place = tempfile.gettempdir() + "/link"
            os.symlink(path, place)
            return open(place).read()
        def child(path):
            ours, theirs = os.pipe()
            if not os.fork():
                try: os.write(theirs, open(path, "rb").read())
                finally: os._exit(0)
            os.close(theirs)
            os.wait()
            return os.read(ours, 100).decode()
        def handler(event, context):
            way = {"a program": program, "a link": link, "a forked child": child}[event["through"]]
            try: return way(event["path"])
            except OSError: return ""
    """
    found = room.invoke(room.deploy(code), {"through": through, "path": str(secret)}).payload
    open_here = any("read and write this user's files" in one for one in room.nursery.enforced.weak)
    assert found == ("real" if open_here else "")
    assert secret.read_text() == "real"


@pytest.mark.parametrize("tier", ["namespaces", "landlock", "limits"])
def test_cleaning_up_follows_no_link_out_of_a_functions_folder(tier: str, tmp_path: Path) -> None:
    """What a function links to is not what is removed when its nursery closes."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("x")
    nursery = Nursery.start(isolation=tier, limits=LIMITS)
    bench = Bench(nursery, tmp_path / "bench")
    try:
        code = """
            import os, tempfile
            def handler(event, context):
                place = tempfile.gettempdir()
                os.symlink(event["victim"], place + "/link")
                os.mkdir(place + "/closed")
                os.chmod(place + "/closed", 0)
                return "made"
        """
        made = bench.invoke(bench.deploy(code), {"victim": str(victim)}).payload
    finally:
        bench.close()
        nursery.close()
    assert made == "made" and (victim / "file").read_text() == "x"
    assert not nursery.work.exists()


NUISANCES = {
    # Its own door, handed to a child over a socket; the child speaks while the parent does.
    "passes its door on": (
        "ours, theirs = socket.socketpair()\n"
        "    if not os.fork():\n"
        "        fd = socket.recv_fds(theirs, 1, 1)[1][0]\n"
        "        while True: os.write(fd, bytes([255]) * 64)\n"
        "    socket.send_fds(ours, [b'x'], [3])\n"
        "    time.sleep(1)"),
    "hands a program a huge environment": (
        "os.environ['HUGE'] = 'x' * (48 << 20)\n    subprocess.run(['/bin/true'])"),
    "fills its environment with names": (
        "os.environ.update({f'N{n}': 'x' * 1000 for n in range(20_000)})\n"
        "    subprocess.run(['/bin/true'])"),
    "starts a program that writes without end": (
        "subprocess.run(['/bin/sh', '-c', 'while :; do echo x; done'])"),
    "replaces itself": "os.execv('/bin/sh', ['sh', '-c', 'while :; do :; done'])",
}  # fmt: skip


@pytest.mark.parametrize("name", NUISANCES)
def test_a_nuisance_ends_and_the_next_environment_is_as_ever(room: Bench, name: str) -> None:
    code = (
        "import os, socket, subprocess, time\n"
        f"def handler(event, context):\n    {NUISANCES[name]}\n    return 'wrong'\n"
    )
    result = room.run(code)
    assert result.kind == "error" or result.payload == "wrong"
    assert room.run("import os\ndef handler(e, c): return 'HUGE' in os.environ").payload is False
