"""Virtual time reaches everything inside a function, and no loop on the clock outlives it."""

from __future__ import annotations

from typing import Any

import pytest

from grader.cloud.clock import START_MS

CLOCKS = """
    import datetime, time, uuid, calendar
    def handler(event, context):
        m, p, n = time.monotonic(), time.perf_counter(), time.monotonic_ns()
        now = time.time()
        time.sleep(90)
        return {
            "time": time.time() - now,
            "time_ns": time.time_ns() / 1e9 - now,
            "monotonic": time.monotonic() - m,
            "monotonic_ns": (time.monotonic_ns() - n) / 1e9,
            "perf_counter": time.perf_counter() - p,
            "now": datetime.datetime.now().timestamp() - now,
            "utcnow": calendar.timegm(datetime.datetime.utcnow().timetuple()) - int(now),
            "gmtime": calendar.timegm(time.gmtime()) - int(now),
            "clock_gettime": time.clock_gettime(time.CLOCK_MONOTONIC) - m,
            "uuid1": (uuid.uuid1().time - 0x01b21dd213814000) / 1e7 - now,
        }
"""


def test_every_clock_moves_with_a_sleep(bench: Any) -> None:
    result = bench.run(CLOCKS, timeout_ms=120_000)
    for clock, moved in result.payload.items():
        assert moved == pytest.approx(90, abs=1.1), clock
    assert 90_000 < result.duration_ms < 90_100


def test_the_function_sees_the_judges_date_after_its_cold_start(bench: Any) -> None:
    code = "import time\nimport time as t\nSTART = t.time()\ndef handler(e, c): return [START, time.time()]"
    at_import, at_call = bench.run(code).payload
    assert at_import * 1000 - START_MS == pytest.approx(350, abs=1)
    assert at_call > at_import


def test_remaining_time_counts_down_virtually(bench: Any) -> None:
    code = """
        import time
        def handler(event, context):
            first = context.get_remaining_time_in_millis()
            time.sleep(1)
            return first - context.get_remaining_time_in_millis()
    """
    assert bench.run(code).payload in (1000, 1001)


def test_a_sleep_past_the_timeout_ends_at_the_timeout(bench: Any) -> None:
    host = bench.deploy("import time\ndef handler(e, c):\n    time.sleep(4)\n    print('never')")
    result = bench.invoke(host)
    request_id = host.invocations[0].request_id
    assert (result.error_type, result.duration_ms) == ("Sandbox.Timedout", 3000)
    assert (
        result.error_message == f"RequestId: {request_id} Error: Task timed out after 3.00 seconds"
    )
    assert bench.texts() == [
        f"2026-11-02T09:00:03.350Z {request_id} Task timed out after 3.00 seconds"
    ]
    assert bench.clock.now == START_MS + 3350
    assert host.invocations[0].real_limit is None
    assert bench.invoke(host).kind == "error" and host.invocations[1].cold


@pytest.mark.parametrize(
    "loop",
    [
        "while time.time() < 9e9: pass",
        "while time.monotonic() < 9e9: time.sleep(0)",
        "while datetime.datetime.now().year < 2100: pass",
        "while time.perf_counter_ns() < 9e18: pass",
    ],
)
def test_a_loop_on_any_clock_ends_at_the_timeout_in_virtual_time(bench: Any, loop: str) -> None:
    host = bench.deploy(
        f"import time, datetime\ndef handler(e, c):\n    {loop}", timeout_ms=900_000
    )
    assert bench.invoke(host).duration_ms == 900_000
    assert host.invocations[0].real_limit is None


WAITS = {
    "Event.wait": "threading.Event().wait(2)",
    "Condition.wait": "c = threading.Condition()\n    c.acquire()\n    c.wait(2)",
    "Queue.get": "try: queue.Queue().get(timeout=2)\n    except queue.Empty: pass",
    "asyncio.sleep": "asyncio.run(asyncio.sleep(2))",
    "select": "select.select([], [], [], 2)",
    "Future": "try: concurrent.futures.Future().result(2)\n    except TimeoutError: pass",
    "join": "t = threading.Thread(target=time.sleep, args=(9,), daemon=True)\n    t.start()\n    t.join(2)",
    "Timer": "t = threading.Timer(2, print)\n    t.start()\n    t.join()",
    "alarm": "signal.signal(signal.SIGALRM, stop)\n    signal.alarm(2)\n    try: time.sleep(9)\n    except TimeoutError: pass",
}  # fmt: skip


@pytest.mark.parametrize("name", WAITS)
def test_timed_waits_run_on_virtual_time(bench: Any, name: str) -> None:
    code = (
        "import asyncio, concurrent.futures, queue, select, signal, threading, time\n"
        "def stop(*_): raise TimeoutError\n"
        f"def handler(event, context):\n    before = time.monotonic()\n    {WAITS[name]}\n"
        "    return time.monotonic() - before\n"
    )
    host = bench.deploy(code, timeout_ms=20_000)
    assert bench.invoke(host).payload == pytest.approx(2, abs=0.01)
    assert host.invocations[0].real_limit is None


def test_sleeps_in_parallel_threads_overlap(bench: Any) -> None:
    code = """
        import time
        from concurrent.futures import ThreadPoolExecutor
        def handler(event, context):
            before = time.monotonic()
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(time.sleep, [1, 1, 1, 1]))
            return time.monotonic() - before
    """
    assert bench.run(code).payload == pytest.approx(1, abs=0.02)


def test_an_event_set_by_another_thread_ends_a_wait_early(bench: Any) -> None:
    code = """
        import threading, time
        def handler(event, context):
            flag = threading.Event()
            def work():
                sum(range(200_000)); time.sleep(0.5); flag.set()
            threading.Thread(target=work).start()
            return [flag.wait(2), time.monotonic()]
    """
    assert bench.run(code).payload[0] is True


def test_a_slow_initialisation_is_started_again_inside_the_invocation(bench: Any) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html: 10 s for init."""
    code = "import time\ntime.sleep(11)\ndef handler(e, c): return 'done'"
    patient = bench.deploy(code, timeout_ms=30_000)
    result = bench.invoke(patient)
    assert result.payload == "done" and 11_000 < result.duration_ms < 11_100
    assert bench.clock.now == pytest.approx(START_MS + 350 + 10_000 + 11_000, abs=100)
    hasty = bench.deploy(code, timeout_ms=3_000)
    assert bench.invoke(hasty).error_type == "Sandbox.Timedout"
    assert any("Phase: init\tStatus: timeout" in line.text for line in hasty.invocations[0].logs)


def test_more_records_take_longer_and_more_memory_less(bench: Any) -> None:
    def duration(records: int, memory_mb: int) -> int:
        host = bench.deploy("def handler(e, c): pass", memory_mb=memory_mb)
        bench.invoke(host, {"Records": [{}] * records})
        return bench.invoke(host, {"Records": [{}] * records}).duration_ms

    assert duration(10, 128) < duration(1000, 128)
    assert duration(1000, 1769) < duration(1000, 128)
    assert duration(1000, 1769) == duration(1000, 4096)


def test_work_that_takes_longer_than_the_timeout_is_a_timeout(bench: Any) -> None:
    host = bench.deploy("def handler(e, c): return 'done'", timeout_ms=1_000)
    assert bench.invoke(host, {"Records": [{}] * 10}).payload == "done"
    assert bench.invoke(host, {"Records": [{}] * 1000}).error_type == "Sandbox.Timedout"
    assert host.hangs.hangs == 0


def test_randomness_is_seeded_per_environment(bench: Any) -> None:
    code = """
        import os, random, secrets, tempfile, uuid
        def handler(event, context):
            return [random.random(), random.Random().random(), os.urandom(4).hex(),
                    secrets.token_hex(4), str(uuid.uuid4()), str(uuid.uuid1()), hash("order"),
                    next(tempfile._get_candidate_names())]
    """
    first, again, other = bench.deploy(code), bench.deploy(code), bench.deploy(code, seed=1)
    one, same = bench.invoke(first).payload, bench.invoke(again).payload
    # A time-based uuid1 differs with the time of the call; its node does not.
    assert one[:5] == same[:5] and one[6:] == same[6:] and one[5][-12:] == same[5][-12:]
    assert one[0] != bench.invoke(other).payload[0]
    first.recycle()
    assert one[0] != bench.invoke(first).payload[0]
