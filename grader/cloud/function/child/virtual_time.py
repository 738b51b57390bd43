"""Virtual time inside a function's process.

``install()`` must run before anything but the interpreter's own start-up modules is imported, so
that modules which copy a clock function at import (threading, queue, selectors, asyncio) copy ours.

- ``time.time``, ``datetime.now`` and their relatives are redirected in C by time-machine's
  extension module, which asks ``traveller_stack[-1].time_ns()`` for the time. Only that protocol
  is used, not time-machine's Python half, which would import unittest and pytest.
- ``monotonic``, ``perf_counter``, ``process_time``, ``thread_time``, the other ``clock_gettime``
  clocks and ``sleep`` are replaced as attributes of the ``time`` module.
- Timed waits run on virtual time: ``sleep``, ``Condition.wait`` (so also ``Event.wait``,
  ``Queue.get``, ``Future.result`` and ``Timer``), ``Thread.join``, ``select.select`` and every
  selector (so also ``asyncio.sleep`` and ``subprocess``), ``signal.alarm`` and ``ITIMER_REAL``.
  ``Lock.acquire(timeout=…)``, ``SimpleQueue.get(timeout=…)`` and ``select.poll`` objects are C
  types that cannot be reached: they wait in real time, and the judge's net for blocked processes
  ends them.

A process with one thread passes its waiting time at once. With more threads, time passes when the
others have nothing left to do: the earliest waiter goes first, so that sleeps in parallel threads
overlap as they do in real life.

Each reading of a clock takes a little virtual time, and more and more while nothing else happens,
so that a loop on the clock ends.
"""

# Runs before imports are free: plain os functions, no pathlib.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import _thread
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

Poll = Callable[[float], bool]

READING_NS = 1_000
READINGS_UNTIL_DOUBLED = 1_000
SLOWEST_READING_NS = 100_000_000

# A wait in a process with several threads looks at the others this often (real seconds).
LOOK_SECONDS = 0.004
# So many looks in a row must find them idle. Without /proc a look is a guess from CPU time.
LOOKS = 2
BUSY_SHARE = 0.05

real_sleep = time.sleep
real_monotonic = time.monotonic
real_process_time = time.process_time


class VirtualClock:
    """The process's clock: nanoseconds since the epoch, moved by the judge and by waiting.

    ``deadline_ns`` is when the running phase times out (None between phases): reaching it calls
    ``expire``, which does not return. ``in_flight`` holds the threads whose AWS call is under way.
    """

    def __init__(self) -> None:
        # 2020-01-01, until the judge says what time it is.
        self.boot(1_577_836_800_000_000_000)
        self.deadline_ns: int | None = None
        self.expire: Callable[[], None] = lambda: None
        self.in_flight: set[int] = set()
        self.frozen = False
        self._lock = _thread.RLock()
        self._readings = 0
        self._waiting: list[int] = []
        self._alarm_ns: int | None = None
        self._alarm_interval_ns = 0

    def boot(self, now_ns: int) -> None:
        """Start a new environment's clock; a machine has been up for a minute by then."""
        self.now_ns = now_ns
        self.boot_ns = now_ns - 60_000_000_000

    def set(self, now_ns: int, deadline_ns: int | None) -> None:
        """Start a phase at ``now_ns``; a clock never runs backwards."""
        with self._lock:
            self.now_ns = max(self.now_ns, now_ns)
            self.deadline_ns = deadline_ns
            self._readings = 0

    def read(self) -> int:
        """What a clock shows (ns); reading it takes time."""
        self.hold_while_frozen()
        with self._lock:
            self._move(self.now_ns + self._step())
            return self.now_ns

    def _step(self) -> int:
        self._readings += 1
        step = READING_NS << min(self._readings // READINGS_UNTIL_DOUBLED, 17)
        return min(step, SLOWEST_READING_NS)

    def work_done(self) -> None:
        """Something has happened that is no loop on the clock: readings are quick again."""
        self._readings = 0

    def peek(self) -> int:
        """What the clock stands at, for our own frames: looking takes no time."""
        return self.now_ns

    def monotonic_ns(self) -> int:
        """Nanoseconds since this environment's virtual boot."""
        return self.read() - self.boot_ns

    def pass_ns(self, duration_ns: int) -> None:
        """Let time pass."""
        with self._lock:
            self._move(self.now_ns + duration_ns)

    def pass_parallel(self, duration_ns: int) -> None:
        """Let time pass for this thread; what other threads wait for passes at the same time."""
        if _alone():
            self.pass_ns(duration_ns)
        else:
            self.wait(duration_ns / 1e9, _nothing)

    def _move(self, to_ns: int) -> None:
        while self._alarm_ns is not None and self._alarm_ns <= to_ns:
            alarm_ns, interval = self._alarm_ns, self._alarm_interval_ns
            self._alarm_ns = alarm_ns + interval if interval else None
            if self.deadline_ns is not None and alarm_ns >= self.deadline_ns:
                break
            self.now_ns = max(self.now_ns, alarm_ns)
            _raise_alarm()
        self.now_ns = max(self.now_ns, to_ns)
        if self.deadline_ns is not None and self.now_ns >= self.deadline_ns:
            self.now_ns = self.deadline_ns
            self.expire()

    def hold_while_frozen(self) -> None:
        """Between invocations Lambda freezes the environment: a thread left behind waits here."""
        while self.frozen and not _is_main():
            real_sleep(LOOK_SECONDS)

    # -- waiting ---------------------------------------------------------------------------------

    def wait(self, seconds: float, poll: Poll) -> bool:
        """Wait up to ``seconds`` of virtual time for ``poll`` to become true; whether it did.

        ``poll(real_seconds)`` looks, for at most so long. The other threads get as much real time
        as they have work; virtual time passes only when all of them are idle.
        """
        self.hold_while_frozen()
        if poll(0):
            return True
        deadline = self.now_ns + max(int(seconds * 1e9), self._step())
        if _alone():
            self.pass_ns(deadline - self.now_ns)
            return poll(0)
        self._waiting.append(deadline)
        idle = 0
        try:
            while self.now_ns < deadline:
                if poll(LOOK_SECONDS):
                    return True
                busy = self.in_flight or self.frozen or not _others_idle()
                idle = 0 if busy else idle + 1
                if idle >= LOOKS and deadline <= min(self._waiting):
                    self.pass_ns(deadline - self.now_ns)
            return poll(0)
        finally:
            self._waiting.remove(deadline)

    def sleep(self, seconds: float) -> None:
        """``time.sleep`` on virtual time."""
        if isinstance(seconds, (int, float)) and seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.wait(float(seconds), _nothing)

    def set_alarm(self, seconds: float, interval: float = 0.0) -> tuple[float, float]:
        """``signal.setitimer(ITIMER_REAL, …)``: what was set before, in seconds."""
        with self._lock:
            left = 0.0 if self._alarm_ns is None else (self._alarm_ns - self.now_ns) / 1e9
            before = (left, self._alarm_interval_ns / 1e9)
            self._alarm_ns = self.now_ns + int(seconds * 1e9) if seconds else None
            self._alarm_interval_ns = int(interval * 1e9)
            return before


def _nothing(real_seconds: float) -> bool:
    if real_seconds:
        real_sleep(real_seconds)
    return False


def _is_main() -> bool:
    threading = sys.modules.get("threading")
    return threading is None or threading.main_thread().ident == _thread.get_ident()


def _alone() -> bool:
    return len(sys._current_frames()) == 1


def _raise_alarm() -> None:
    import signal

    signal.raise_signal(signal.SIGALRM)


_cpu_before = 0.0
_cpu_at = 0.0


def _others_idle() -> bool:
    """Whether every other thread of this process is blocked."""
    global _cpu_before, _cpu_at
    try:
        import os

        me = str(_thread.get_native_id())
        for task in os.listdir("/proc/self/task"):
            if task == me:
                continue
            with open(f"/proc/self/task/{task}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] in (b"R", b"D"):
                    return False
        return True
    except OSError:
        cpu, now = real_process_time(), real_monotonic()
        idle = (cpu - _cpu_before) < BUSY_SHARE * max(now - _cpu_at, LOOK_SECONDS / 2)
        _cpu_before, _cpu_at = cpu, now
        return idle


class _Traveller:
    """What time-machine's extension asks for the time."""

    def __init__(self, clock: VirtualClock) -> None:
        self.time_ns = clock.read


def install(clock: VirtualClock) -> None:
    """Put ``clock`` in the place of the machine's, for this process and those forked from it.

    ImportError when time-machine's extension module is not there.
    """
    _replace_attributes(clock)
    import _time_machine  # type: ignore[import-not-found]

    stand_in = ModuleType("time_machine")
    stand_in.__dict__.update(
        _time_machine=_time_machine, traveller_stack=[_Traveller(clock)], Traveller=_Traveller
    )
    sys.modules["time_machine"] = stand_in
    _time_machine.patch()
    _replace_clock_gettime(clock)
    _replace_waits(clock)


def _replace_attributes(clock: VirtualClock) -> None:
    def seconds() -> float:
        return clock.monotonic_ns() / 1e9

    originals: dict[int, Any] = {}
    for name in ("monotonic", "perf_counter", "process_time", "thread_time"):
        for suffix, function in (("", seconds), ("_ns", clock.monotonic_ns)):
            original = getattr(time, name + suffix, None)
            if original is not None:
                originals[id(original)] = function
                setattr(time, name + suffix, function)
    originals[id(time.sleep)] = clock.sleep
    time.sleep = clock.sleep  # type: ignore[assignment]

    # Modules loaded before us may hold the originals under names of their own.
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if module is not sys.modules[__name__] and id(value) in originals:
                setattr(module, name, originals[id(value)])


def _replace_clock_gettime(clock: VirtualClock) -> None:
    # After time-machine's extension, which takes the built-in functions by their C type.
    if not hasattr(time, "clock_gettime"):
        return
    wall, of_wall, of_wall_ns = time.CLOCK_REALTIME, time.clock_gettime, time.clock_gettime_ns

    def nanoseconds(clk_id: int) -> int:
        return of_wall_ns(clk_id) if clk_id == wall else clock.monotonic_ns()

    def seconds(clk_id: int) -> float:
        return of_wall(clk_id) if clk_id == wall else clock.monotonic_ns() / 1e9

    time.clock_gettime, time.clock_gettime_ns = seconds, nanoseconds


def _replace_waits(clock: VirtualClock) -> None:
    import select
    import selectors
    import signal
    import threading

    def condition_wait(self: threading.Condition, timeout: float | None = None) -> bool:
        if timeout is None:
            return untimed(self)
        inner: Any = self
        if not inner._is_owned():
            raise RuntimeError("cannot wait on un-acquired lock")
        waiter = _thread.allocate_lock()
        waiter.acquire()
        inner._waiters.append(waiter)
        state = inner._release_save()
        got = False
        try:
            got = clock.wait(
                max(timeout, 0.0),
                lambda real: waiter.acquire(True, real) if real else waiter.acquire(False),
            )
        finally:
            inner._acquire_restore(state)
            if not got and waiter in inner._waiters:
                inner._waiters.remove(waiter)
        return got

    untimed = threading.Condition.wait
    threading.Condition.wait = condition_wait  # type: ignore[method-assign]

    def thread_join(self: threading.Thread, timeout: float | None = None) -> None:
        if timeout is None or timeout <= 0:
            return join(self, timeout)

        def poll(real: float) -> bool:
            join(self, real)
            return not self.is_alive()

        clock.wait(timeout, poll)
        return None

    join = threading.Thread.join
    threading.Thread.join = thread_join  # type: ignore[method-assign]

    def virtual_select(
        rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None
    ) -> tuple[list[Any], list[Any], list[Any]]:
        if timeout is None or timeout <= 0:
            return real_select(rlist, wlist, xlist, timeout)
        found: tuple[list[Any], list[Any], list[Any]] = ([], [], [])

        def poll(real: float) -> bool:
            nonlocal found
            found = real_select(rlist, wlist, xlist, real)
            return any(found)

        clock.wait(timeout, poll)
        return found

    real_select = select.select
    select.select = virtual_select

    def wrap(kind: Any) -> None:
        original = kind.select

        def selector_select(self: Any, timeout: float | None = None) -> Any:
            if timeout is None or timeout <= 0:
                return original(self, timeout)
            ready: list[Any] = []

            def poll(real: float) -> bool:
                nonlocal ready
                ready = original(self, real)
                return bool(ready)

            clock.wait(timeout, poll)
            return ready

        kind.select = selector_select

    for name in ("SelectSelector", "PollSelector", "EpollSelector", "KqueueSelector"):
        if hasattr(selectors, name):
            wrap(getattr(selectors, name))

    if hasattr(signal, "setitimer"):
        of_other = signal.setitimer

        def setitimer(which: int, seconds: float, interval: float = 0.0) -> Any:
            if which == signal.ITIMER_REAL:
                return clock.set_alarm(seconds, interval)
            return of_other(which, seconds, interval)

        def alarm(seconds: int) -> int:
            return round(clock.set_alarm(float(seconds))[0])

        signal.setitimer = setitimer
        signal.alarm = alarm
