"""What a function's process may reach, tier by tier; each tier is forced in turn."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from workbench import LIMITS, Bench, reply

from grader.cloud.function import Isolation, Nursery, NurseryFailed
from grader.cloud.function.isolation import TIERS

linux = pytest.mark.skipif(sys.platform != "linux", reason="kernel features of Linux")


@pytest.fixture(scope="module", params=TIERS)
def tier(request: pytest.FixtureRequest) -> Iterator[Nursery]:
    """A nursery of every tier that this machine permits."""
    nursery = Nursery.start(isolation=request.param, limits=LIMITS)
    try:
        assert nursery.enforced.tier == request.param
    except NurseryFailed as problem:
        nursery.close()
        pytest.skip(f"{request.param}: {problem}")
    yield nursery
    nursery.close()


def on(nursery: Nursery, bench_on: Callable[[Nursery], Bench]) -> tuple[Bench, str]:
    return bench_on(nursery), nursery.enforced.tier


def test_a_function_that_uses_boto3_works_on_every_tier(tier: Nursery, bench_on: Any) -> None:
    code = """
        import boto3, os, tempfile, time
        table = boto3.resource("dynamodb").Table("t")
        def handler(event, context):
            print("hello")
            time.sleep(1)
            with tempfile.NamedTemporaryFile() as file:
                file.write(b"x")
            return [table.get_item(Key={"id": "1"})["Item"], round(time.time())]
    """
    bench, _ = on(tier, bench_on)
    host = bench.deploy(code, lambda call: reply({"Item": {"id": {"S": "1"}}}))
    for _ in range(2):
        result = bench.invoke(host)
        assert result.payload[0] == {"id": "1"} and bench.texts() == ["hello"]
        assert abs(result.payload[1] * 1000 - bench.clock.now) < 1000
    bench.run("def handler(e, c):\n    raise ValueError('x')")
    assert '/var/task/handler.py", line 2' in bench.texts()[0]


def test_a_hang_and_a_crash_end_on_every_tier(tier: Nursery, bench_on: Any) -> None:
    bench, _ = on(tier, bench_on)
    code = "import os\ndef handler(e, c):\n    while e['n'] == 1: pass\n    os._exit(4)"
    host = bench.deploy(code)
    assert bench.invoke(host).error_type == "Sandbox.Timedout"
    assert bench.invoke(host, {"n": 2}).error_message.endswith("exit status 4")


def test_processes_left_behind_are_ended_with_the_environment(tier: Nursery, bench_on: Any) -> None:
    """A daemon goes with its environment, even one that has left its session and its group."""
    bench, name = on(tier, bench_on)
    code = """
        import ctypes, os, select
        def handler(event, context):
            if not os.fork():
                if event["leave"]:
                    os.setsid()
                if os.fork():
                    os._exit(0)
                ctypes.CDLL(None).prctl(15, event["name"].encode(), 0, 0, 0)
                while True:
                    select.poll().poll(1000)
            os.wait()
            return "left"
    """
    called = f"left{os.getpid()}"
    host = bench.deploy(code)
    # Where nothing better is at hand than a process group, leaving it is an escape.
    assert bench.invoke(host, {"name": called, "leave": name != "spawn"}).payload == "left"
    host.recycle()
    assert gone_within(10.0, lambda: running(called))


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for the process in /proc")
def test_an_environment_ends_with_its_host_also_while_its_answer_is_on_the_way(
    bench: Bench,
) -> None:
    """It has answered, and the virtual end of its invocation has not come: a play stops there."""
    called = f"late{os.getpid()}"
    code = """
        import ctypes
        def handler(event, context):
            ctypes.CDLL(None).prctl(15, event["name"].encode(), 0, 0, 0)
    """
    host = bench.deploy(code)
    bench.invoke(host, {"name": called})
    done: list[object] = []
    host.invoke({"name": called}, done.append)
    assert not done and running(called)
    host.close()
    assert gone_within(10.0, lambda: running(called))


def running(name: str) -> bool:
    """Whether a process of this name exists."""
    for entry in Path("/proc").glob("[0-9]*/comm"):
        try:
            if entry.read_text().strip() == name:
                return True
        except OSError:
            continue
    return False


def gone_within(seconds: float, there: Callable[[], bool]) -> bool:
    """Poll until ``there`` is false; a generous bound, not a measurement."""
    waiter = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if not there():
            return True
        waiter.wait(0.05)
    return False


@linux
def test_files_outside_are_neither_written_nor_secrets_read(
    tier: Nursery, bench_on: Any, tmp_path: Path
) -> None:
    bench, name = on(tier, bench_on)
    if name not in ("namespaces", "landlock"):
        assert any("read and write this user's files" in said for said in tier.enforced.weak)
        return
    secret = tmp_path / "credentials"
    secret.write_text("[default]\naws_secret_access_key = real\n")
    project = Path(__file__).resolve().parents[3]
    code = """
        import os
        def attempt(what, path):
            try:
                if what == "read":
                    open(path).read()
                elif what == "list":
                    os.listdir(path)
                elif what == "write":
                    open(path, "a").write("x")
                elif what == "unlink":
                    os.unlink(path)
                elif what == "mkdir":
                    os.mkdir(path + ".d")
                elif what == "link":
                    os.symlink(path, path + ".l")
            except OSError:
                return None
            return f"{what} {path}"
        def handler(event, context):
            return [done for what, path in event["tries"] if (done := attempt(what, path))]
    """
    tries = [
        [what, str(path)]
        for path in (
            secret, Path("/etc/passwd.x"), Path("/usr/x"), Path(os.__file__),
            project / "pyproject.toml", Path.home() / ".x", tier.work / "x", Path("/var/x"),
        )
        for what in ("write", "unlink", "mkdir", "link")
    ]  # fmt: skip
    tries += [["read", str(secret)], ["read", str(project / "pyproject.toml")]]
    tries += [["list", str(tmp_path)], ["list", str(Path(__file__).parent)], ["read", __file__]]
    tries += [
        ["read", str(project / "grader" / "cloud" / "clock.py")],
        ["list", str(project / "grader" / "course")],
    ]
    tries += [["read", f"/proc/{os.getpid()}/environ"], ["read", f"/proc/{os.getpid()}/maps"]]
    tries += [["write", "/var/task/handler.py"], ["write", "/var/task/new.py"]]
    before = (project / "pyproject.toml").read_bytes()

    done = bench.invoke(bench.deploy(code), {"tries": tries}).payload

    # A project below /tmp has its libraries mounted into the function's private /tmp: what is made
    # beside them there is made nowhere else.
    private = [one for one in done if name == "namespaces" and one.split()[1].startswith("/tmp/")]
    assert not any(one.startswith(("read", "list")) for one in private)
    assert [one for one in done if one not in private] == []
    assert (project / "pyproject.toml").read_bytes() == before
    assert not (project / "pyproject.toml.d").exists()
    assert not (project / "pyproject.toml.l").is_symlink()
    assert secret.read_text().startswith("[default]")


@linux
def test_the_machine_cannot_be_seen_from_namespaces(nursery: Nursery, bench: Bench) -> None:
    if nursery.enforced.tier != "namespaces":
        pytest.skip("namespaces are not permitted here")
    code = """
        import os, socket
        def handler(event, context):
            status = open("/proc/self/status").read()
            caps = [line.split()[1] for line in status.splitlines() if line.startswith("Cap")]
            return {
                "processes": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()),
                "network": [name for _, name in socket.if_nameindex() if name != "lo"],
                "user": [os.getuid(), os.geteuid()],
                "capabilities": sorted(set(caps)),
                "open": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:4],
                "writable": [p for p in ("/", "/usr", "/var/task", "/tmp") if os.access(p, os.W_OK)],
                "task": os.listdir("/var/task"),
                "no_new_privs": "NoNewPrivs:\\t1" in status,
            }
    """
    assert bench.run(code).payload == {
        "processes": [1, 2],
        "network": [],
        "user": [993, 993],
        "capabilities": ["0000000000000000"],
        "open": [0, 1, 2, 3],
        "writable": ["/tmp"],
        "task": ["handler.py"],
        "no_new_privs": True,
    }


@linux
def test_no_way_back_out_of_the_namespaces(nursery: Nursery, bench: Bench) -> None:
    if nursery.enforced.tier != "namespaces":
        pytest.skip("namespaces are not permitted here")
    code = """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        def handler(event, context):
            tries = {
                "new user namespace": lambda: libc.unshare(0x10000000),
                "new mount namespace": lambda: libc.unshare(0x00020000),
                "unmount": lambda: libc.umount2(b"/proc", 2),
                "remount": lambda: libc.mount(b"x", b"/usr", b"x", 0x1020, b""),
                "chroot": lambda: libc.chroot(b"/tmp"),
                "trace init": lambda: libc.ptrace(16, 1, 0, 0),
                "setuid": lambda: libc.setuid(0),
            }
            return [name for name, attempt in tries.items() if attempt() == 0]
    """
    assert bench.run(code).payload == []


@linux
def test_the_network_is_closed(tier: Nursery, bench_on: Any) -> None:
    bench, name = on(tier, bench_on)
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = """
            import socket
            def handler(event, context):
                try:
                    socket.create_connection(("127.0.0.1", event["port"]), timeout=1).close()
                except OSError:
                    return "closed"
                return "open"
        """
        found = bench.invoke(bench.deploy(code), {"port": server.getsockname()[1]}).payload
    open_here = any("reach the network" in sentence for sentence in tier.enforced.weak)
    assert found == ("open" if open_here else "closed")
    assert name in ("limits", "spawn") or not open_here


@linux
def test_signals_do_not_reach_the_judge(tier: Nursery, bench_on: Any) -> None:
    bench, _ = on(tier, bench_on)
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        code = """
            import os
            def handler(event, context):
                for pid in event["pids"]:
                    try: os.kill(pid, event["signal"])
                    except OSError: continue
                    return "sent"
                return "refused"
        """
        event = {"pids": [victim.pid, os.getpid()], "signal": 0}
        found = bench.invoke(bench.deploy(code), event).payload
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()
    open_here = any("signal" in sentence for sentence in tier.enforced.weak)
    assert found == ("sent" if open_here else "refused")


def test_environments_cannot_see_each_other(tier: Nursery, bench_on: Any) -> None:
    bench, name = on(tier, bench_on)
    if name == "limits" or name == "spawn":
        assert tier.enforced.weak
        return
    code = """
        import os, tempfile
        def handler(event, context):
            seen = os.listdir(tempfile.gettempdir())
            open(os.path.join(tempfile.gettempdir(), "mine"), "w").write("x")
            return "mine" in seen
    """
    host = bench.deploy(code)
    assert [bench.invoke(host).payload for _ in range(2)] == [False, True]
    host.recycle()
    assert bench.invoke(host).payload is False


# -- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("name", TIERS)
def test_every_tier_says_what_it_does_not_enforce(platform: str, name: Any) -> None:
    isolation = Isolation(name, platform, landlock=7, filtered=platform == "linux")
    for sentence in isolation.sentences():
        assert sentence.endswith(".") and sentence[0].isupper()
    assert set(isolation.weak) <= set(isolation.sentences())
    assert (isolation.weak == []) == (name == "namespaces" and platform == "linux")


@linux
def test_the_grader_is_hidden_where_it_is_installed_among_the_packages(
    bench_on: Any,
) -> None:
    """A13, A14: checks and solutions that lie beside boto3 appear as an empty folder."""
    from grader.cloud.function import nursery as module

    nursery = Nursery.start(limits=LIMITS, packages=["grader"])
    try:
        if nursery.enforced.tier != "namespaces":
            pytest.skip("namespaces are not permitted here")
        code = """
            import os, boto3
            def handler(event, context): return os.listdir(event["grader"])
        """
        folder = str(Path(module.__file__).parents[2])
        bench = bench_on(nursery)
        assert bench.invoke(bench.deploy(code), {"grader": folder}).payload == []
        bench.close()
    finally:
        nursery.close()


def test_an_environment_that_never_came_up_is_the_graders_fault(
    bench_on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nursery = Nursery.start(limits=LIMITS)
    try:
        if nursery.enforced.tier == "spawn":
            pytest.skip("nothing is forked on this machine")
        bench = bench_on(nursery)
        host = bench.deploy("def handler(e, c): return 1")
        monkeypatch.setattr("grader.cloud.function.nursery._child_limits", lambda limits: {})
        with pytest.raises(NurseryFailed):
            bench.invoke(host)
        bench.close()
    finally:
        nursery.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_processes_forked_from_the_judge_share_its_nursery(
    nursery: Nursery, tmp_path: Path
) -> None:
    assert nursery.enforced
    children = []
    for number in range(3):
        child = os.fork()
        if not child:
            code = 1
            try:
                bench = Bench(nursery, tmp_path / str(number))
                result = bench.run(f"def handler(e, c): return {number}")
                code = 0 if result.payload == number else 2
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    bench = Bench(nursery, tmp_path / "parent")
    assert bench.run("def handler(e, c): return 'still here'").payload == "still here"
    bench.close()


def test_an_unknown_isolation_is_refused() -> None:
    with pytest.raises(ValueError, match="isolation is auto or one of"):
        Nursery.start(isolation="docker")


@linux
def test_a_tier_that_is_not_permitted_gives_way_to_the_next_and_says_why(bench_on: Any) -> None:
    """As on a machine whose policy forbids user namespaces."""
    nursery = Nursery(["namespaces", "limits"], LIMITS, root=Path("/nonexistent"))
    try:
        assert nursery.enforced.tier == "limits"
        assert "namespaces" in nursery.enforced.refused
        assert bench_on(nursery).run("def handler(e, c): return 1").payload == 1
    finally:
        nursery.close()


@pytest.mark.played
def test_closing_a_nursery_leaves_no_process_and_no_file() -> None:
    nursery = Nursery.start(limits=LIMITS)
    assert nursery.enforced
    pid = nursery._process.pid if nursery._process else None
    work = nursery.work
    nursery.close()
    nursery.close()
    assert not work.exists()
    if pid is not None:
        with pytest.raises(OSError):
            os.kill(pid, 0)


def test_the_nursery_knows_no_expected_values(nursery: Nursery, bench: Bench) -> None:
    code = """
        import sys
        def handler(event, context):
            known = ("grader", "moto", "pytest", "_environment")
            loaded = [name for name in sys.modules if name.split(".")[0] in known]
            # A grader that is installed beside boto3 is an empty folder here.
            for name in ("grader.course.criterion", "grader.course.judge", "grader.course.grade"):
                try:
                    __import__(name)
                    loaded.append(name)
                except ImportError:
                    pass
            return loaded
    """
    assert json.dumps(bench.run(code).payload) == "[]"
