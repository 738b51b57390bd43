"""Whatever a function does, its invocation ends, in bounded real time, as Lambda would report it."""

from __future__ import annotations

from typing import Any

import pytest
from workbench import LIMITS

from grader.cloud.function import HangBudget, Limits, Nursery
from grader.cloud.function.isolation import TIERS

HANGS = {
    "a loop": ("while True: pass", "cpu"),
    "a loop that catches everything": (
        "while True:\n        try:\n            while True: pass\n        except BaseException: pass", "cpu"),
    "a loop that ignores signals": (
        "import signal\n    for n in range(1, 64):\n        try: signal.signal(n, signal.SIG_IGN)\n"
        "        except (OSError, ValueError): pass\n    while True: pass", "cpu"),
    "a long calculation in C": ("return sum(range(10**12))", "cpu"),
    "threads that compute": (
        "import threading\n    def spin():\n        while True: pass\n    for _ in range(3): threading.Thread(target=spin).start()", "returned"),
    "a lock that nobody opens": ("import threading\n    lock = threading.Lock()\n    lock.acquire(); lock.acquire()", "blocked"),
    "a pipe that nobody writes to": ("import os\n    os.read(os.pipe()[0], 1)", "blocked"),
    "joining a thread that waits": (
        "import threading\n    e = threading.Event()\n    t = threading.Thread(target=e.wait)\n    t.start(); t.join()", "blocked"),
    "stopping itself": ("import os, signal\n    os.kill(os.getpid(), signal.SIGSTOP)", "blocked"),
    "a child that sleeps": ("import subprocess\n    subprocess.run(['sleep', '100'])", "blocked"),
    "a child that computes": (
        "import os\n    pid = os.fork()\n    if not pid:\n        while True: pass\n    os.waitpid(pid, 0)", "cpu"),
}  # fmt: skip


@pytest.mark.parametrize("name", HANGS)
def test_a_hang_is_a_timeout_in_virtual_time(bench: Any, name: str) -> None:
    body, limit = HANGS[name]
    host = bench.deploy(f"def handler(event, context):\n    {body}\n", timeout_ms=7_000)
    result = bench.invoke(host)
    invocation = host.invocations[0]
    if limit == "returned":
        assert (result.kind, invocation.real_limit) == ("returned", None)
        return
    assert (result.error_type, result.duration_ms) == ("Sandbox.Timedout", 7_000)
    assert (invocation.real_limit, host.hangs.hangs) == (limit, 1)


def test_a_hang_while_importing_is_a_timeout_too(bench: Any) -> None:
    host = bench.deploy("while True: pass")
    result = bench.invoke(host)
    assert (result.error_type, host.invocations[0].real_limit) == ("Sandbox.Timedout", "cpu")
    assert bench.clock.now - bench.start_ms == 350 + 10_000 + 3_000


def test_ordinary_waiting_for_aws_is_no_hang(bench: Any) -> None:
    code = "import boto3\nddb = boto3.client('dynamodb')\ndef handler(e, c): ddb.list_tables()"
    host = bench.deploy(code)

    def answer(call: Any) -> Any:
        import time

        time.sleep(2 * LIMITS.blocked_seconds)
        return plain(call)

    plain = host._answer
    host._answer = answer
    assert bench.invoke(host).kind == "returned" and host.hangs.hangs == 0


def test_the_second_hang_of_a_play_stops_it(bench: Any) -> None:
    budget = HangBudget(2)
    host = bench.deploy("def handler(e, c):\n    while e['hang']: pass", hangs=budget)
    assert bench.invoke(host, {"hang": False}).kind == "returned"
    for spent in (1, 2):
        bench.invoke(host, {"hang": True})
        assert (budget.hangs, budget.exhausted) == (spent, spent == 2)
    before = bench.clock.now
    refused = bench.invoke(host, {"hang": False})
    assert (refused.kind, refused.error_type) == ("error", "Sandbox.Timedout")
    assert bench.clock.now == before and host.invocations[-1].real_limit == "hang budget"


def test_a_timeout_that_the_function_slept_through_is_no_hang(bench: Any) -> None:
    host = bench.deploy("import time\ndef handler(e, c): time.sleep(60)")
    bench.invoke(host)
    assert host.hangs.hangs == 0


# -- memory ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "kept = []\n    while True: kept.append(bytearray(8 << 20))",
        "kept = []\n    while True:\n        try: kept.append(bytearray(8 << 20))\n        except BaseException: pass",
    ],
)  # fmt: skip
def test_allocating_without_end_is_out_of_memory(bench: Any, body: str) -> None:
    host = bench.deploy(f"def handler(event, context):\n    {body}\n")
    result = bench.invoke(host)
    assert (result.error_type, host.invocations[0].real_limit) == ("Runtime.OutOfMemory", "memory")
    # It costs the judge as much as a hang does, so it is counted as one.
    assert host.hangs.hangs == 1


def test_honest_memory_use_is_left_alone(bench: Any) -> None:
    code = "def handler(e, c):\n    return len([bytearray(1 << 20) for _ in range(512)])"
    assert bench.run(code).payload == 512


# -- output ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "for _ in range(30_000): print('x' * 200)",
        "print('x' * 50_000_000)",
        "import logging\n    for _ in range(8_000): logging.warning('y' * 500)",
    ],
)
def test_a_flood_of_log_is_cut_with_a_note(bench: Any, body: str) -> None:
    host = bench.deploy(
        f"def handler(event, context):\n    {body}\n    return 'done'\n", timeout_ms=60_000
    )
    bench.invoke(host)
    texts = bench.texts()
    assert sum(map(len, texts)) < 2 * LIMITS.log_bytes
    notes = [t for t in texts if t.startswith("(the rest of") or t.endswith(" bytes more)")]
    assert len(notes) == 1


@pytest.mark.parametrize(
    "body",
    [
        "while True: os.write(1, b'x' * 65536)",
        "subprocess.run(['sh', '-c', 'yes'])",
    ],
)
def test_a_flood_past_the_runtime_ends_as_a_timeout(bench: Any, body: str) -> None:
    host = bench.deploy(f"import os, subprocess\ndef handler(event, context):\n    {body}\n")
    assert bench.invoke(host).error_type == "Sandbox.Timedout"
    assert host.invocations[0].real_limit in ("output", "cpu")


# -- processes and files ---------------------------------------------------------------------------


def test_a_fork_bomb_ends(bench: Any) -> None:
    host = bench.deploy("import os\ndef handler(e, c):\n    while True: os.fork()")
    assert bench.invoke(host).kind == "error"
    assert bench.run("def handler(e, c): return 1").payload == 1


def test_a_disk_bomb_meets_the_end_of_tmp(bench: Any) -> None:
    code = """
        def handler(event, context):
            try:
                for n in range(100):
                    with open(f"/tmp/{n}", "wb") as file:
                        file.write(bytes(32 << 20))
            except OSError as problem:
                return problem.errno
    """
    assert bench.run(code).payload == 28


def test_open_files_are_limited(bench: Any) -> None:
    code = "def handler(e, c):\n    kept = []\n    while True: kept.append(open('/dev/null'))"
    result = bench.run(code)
    assert result.error_type == "OSError" and "Too many open files" in result.error_message


# -- the net where nothing can be watched ----------------------------------------------------------


@pytest.mark.parametrize("isolation", [tier for tier in TIERS if tier in ("limits", "spawn")])
def test_the_wall_clock_is_the_last_net(
    bench_on: Any, monkeypatch: pytest.MonkeyPatch, isolation: str
) -> None:
    monkeypatch.setattr("grader.cloud.function.environment.look", lambda pid: None)
    nursery = Nursery.start(isolation=isolation, limits=Limits(wall_seconds=0.4))
    try:
        bench = bench_on(nursery)
        host = bench.deploy("def handler(e, c):\n    while True: pass")
        assert bench.invoke(host).error_type == "Sandbox.Timedout"
        assert host.invocations[0].real_limit == "wall clock"
    finally:
        bench.close()
        nursery.close()
