"""Virtual time inside a function's process.

``install()`` must run before anything but the interpreter's own start-up modules is imported, so
that modules which copy a clock function at import (threading, queue, selectors, asyncio) copy ours.

- ``time.time``, ``datetime.now`` and their relatives are redirected in C by time-machine's
  extension module, which asks ``traveller_stack[-1].time_ns()`` for the time. Only that protocol
  is used, not time-machine's Python half, which would import unittest and pytest.
- ``monotonic``, ``perf_counter``, ``process_time``, ``thread_time``, the other ``clock_gettime``
  clocks and ``sleep`` are replaced as attributes of the ``time`` module.
- Timed waits run on virtual time: ``sleep``, every lock and what stands on one, ``Thread.join``,
  ``select.select`` and every selector (so also ``asyncio.sleep`` and ``subprocess``),
  ``signal.alarm`` and ``ITIMER_REAL``. ``select.poll`` objects are C types that cannot be reached:
  they wait in real time, and the judge's net for blocked processes ends them.

A process with one thread passes its waiting time at once. With more threads, time passes when none
of them can go on (see ``turns``), so that sleeps in parallel threads overlap as they do in life.

Each reading of a clock takes a little virtual time, and more and more while nothing else happens,
so that a loop on the clock ends.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from . import turns

READING_NS = 1_000
READINGS_UNTIL_DOUBLED = 1_000
SLOWEST_READING_NS = 100_000_000

real_sleep = time.sleep


class VirtualClock:
    """The process's clock: nanoseconds since the epoch, moved by the judge and by waiting.

    ``deadline_ns`` is when the running phase times out (None between phases): reaching it calls
    ``expire``, which does not return. ``turns`` holds the threads and what they wait for.
    """

    def __init__(self) -> None:
        # 2020-01-01, until the judge says what time it is.
        self.boot(1_577_836_800_000_000_000)
        self.deadline_ns: int | None = None
        self.expire: Callable[[], None] = lambda: None
        self.turns = turns.Turns(self.peek, self.catch_up)
        self._readings = 0
        self._alarm_ns: int | None = None
        self._alarm_interval_ns = 0

    def boot(self, now_ns: int) -> None:
        """Start a new environment's clock; a machine has been up for a minute by then."""
        self.now_ns = now_ns
        self.boot_ns = now_ns - 60_000_000_000

    def set(self, now_ns: int, deadline_ns: int | None) -> None:
        """Start a phase at ``now_ns``; a clock never runs backwards."""
        self.now_ns = max(self.now_ns, now_ns)
        self.deadline_ns = deadline_ns
        self._readings = 0

    def read(self) -> int:
        """What a clock shows (ns); reading it takes time."""
        self.turns.breathe()
        self.pass_ns(self._step())
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
        """Let time pass while this thread works."""
        if not self.turns.many:
            self._move(self.now_ns + duration_ns)
            return
        with self.turns.turn():
            self._move(self.now_ns + duration_ns)

    def catch_up(self, now_ns: int) -> None:
        """Let the time come; a clock never runs backwards."""
        self._move(max(self.now_ns, now_ns))

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

    # -- waiting ---------------------------------------------------------------------------------

    def after(self, seconds: float) -> int:
        """When a wait of so many seconds that begins now is over; it takes a little in any case."""
        return self.now_ns + max(int(seconds * 1e9), self._step())

    def sleep(self, seconds: float) -> None:
        """``time.sleep`` on virtual time."""
        if isinstance(seconds, (int, float)) and seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.turns.block(self.after(float(seconds)))

    def set_alarm(self, seconds: float, interval: float = 0.0) -> tuple[float, float]:
        """``signal.setitimer(ITIMER_REAL, …)``: what was set before, in seconds."""
        left = 0.0 if self._alarm_ns is None else (self._alarm_ns - self.now_ns) / 1e9
        before = (left, self._alarm_interval_ns / 1e9)
        self._alarm_ns = self.now_ns + int(seconds * 1e9) if seconds else None
        self._alarm_interval_ns = int(interval * 1e9)
        return before


def _raise_alarm() -> None:
    import signal
    import threading

    if hasattr(signal, "pthread_kill"):
        # Its handler runs in the main thread, which may be asleep.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
    else:
        signal.raise_signal(signal.SIGALRM)


class _Traveller:
    """What time-machine's extension asks for the time."""

    def __init__(self, clock: VirtualClock) -> None:
        self.time_ns = clock.read


def install(clock: VirtualClock) -> None:
    """Put ``clock`` in the place of the machine's, for this process and those forked from it.

    ImportError when time-machine's extension module is not there.
    """
    _replace_attributes(clock)
    turns.install(clock.turns, clock.after)
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

    block, after = clock.turns.block, clock.after

    def virtual_select(
        rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None
    ) -> tuple[list[Any], list[Any], list[Any]]:
        if (timeout is not None and timeout <= 0) or (timeout is None and not clock.turns.many):
            clock.turns.breathe()
            return real_select(rlist, wlist, xlist, timeout)
        found: tuple[list[Any], list[Any], list[Any]] = ([], [], [])

        def poll(real: float) -> bool:
            nonlocal found
            found = real_select(rlist, wlist, xlist, real)
            return any(found)

        if not poll(0) and not block(None if timeout is None else after(timeout), poll):
            poll(0)
        return found

    real_select = select.select
    select.select = virtual_select

    def wrap(kind: Any) -> None:
        original = kind.select

        def selector_select(self: Any, timeout: float | None = None) -> Any:
            if (timeout is not None and timeout <= 0) or (timeout is None and not clock.turns.many):
                clock.turns.breathe()
                return original(self, timeout)
            ready: list[Any] = []

            def poll(real: float) -> bool:
                nonlocal ready
                ready = original(self, real)
                return bool(ready)

            if not poll(0) and not block(None if timeout is None else after(timeout), poll):
                poll(0)
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
