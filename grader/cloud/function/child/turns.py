"""Whose turn it is: the threads of a function's process run one at a time, in a fixed order.

Which of two threads makes its AWS call first must not depend on the machine's load, so the choice
is not the operating system's. A thread has the turn until it waits: for a lock, for a time, for a
descriptor, for the answer to a call. Then the next that can go on has it, in the order in which
they became able to. Nobody polls: a thread without the turn sleeps in the kernel. Virtual time
passes when none can go on; if a call is in flight the judge says what comes first, its answer or
the earliest time that somebody waits for.

Locks are ours, so that waiting for one is seen; conditions, events, semaphores, queues, futures and
pools are Python code on top of them. A thread that computes for long (CPU time), or that waits in
the kernel for another (``os.read`` on a pipe; the judge sees that everything sleeps), loses its
turn by a signal and runs beside the next one until it waits or speaks: only then is the order the
machine's.
"""

from __future__ import annotations

import _thread
import contextlib
import heapq
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Literal, NoReturn

Poll = Callable[[float], bool]

# CPU time after which a thread that only computes makes room for others that could go on.
SLICE_SECONDS = 0.05
# A thread that never waits but takes locks or reads clocks makes room after so many.
BREATHS = 100
# Where only something outside the process can end a wait, it is looked at this often (real time).
LOOK_SECONDS = 0.02

_real_lock = _thread.allocate_lock
_real_start = _thread.start_new_thread


class Task:
    """A thread: asleep at its ``gate`` unless it has the turn or runs beside it (``loose``)."""

    def __init__(self) -> None:
        self.gate = _real_lock()
        self.gate.acquire()
        self.woken = False
        self.loose: Literal["", "computes", "asleep"] = ""
        self.done = False
        self.waits = 0
        self.joiners: list[Task] = []


class Turns:
    """The threads of this process and what they wait for.

    ``pass_until`` moves the clock. ``exchange`` tells the judge that everything waits (until a
    time in ns, or None) and comes back when an answer has woken a task or that time has come;
    ``stuck`` reports that nothing can ever go on, and does not return.
    """

    def __init__(self, now: Callable[[], int], pass_until: Callable[[int], None]) -> None:
        self._now = now
        self._pass_until = pass_until
        self.exchange: Callable[[int | None], None] = lambda until: None
        self.stuck: Callable[[], NoReturn]
        self._breaths = 0
        self.reset()

    def reset(self) -> None:
        """This thread is the only one: at the start, and in a process that was forked."""
        self._mutex = _real_lock()
        self._main = Task()
        self._current: Task | None = self._main
        self._tasks = {_thread.get_ident(): self._main}
        self._count = 1
        self.in_flight = 0
        self._ready: deque[Task] = deque()
        self._timers: list[tuple[int, int, int, Task]] = []
        self._polls: list[tuple[Task, Poll]] = []
        self._loose = 0
        self._inside = False
        self._timer_number = 0
        self.many = False

    # -- having the turn -------------------------------------------------------------------------

    @contextlib.contextmanager
    def turn(self) -> Iterator[Task]:
        """Inside, this thread has the turn and does not lose it unless it waits."""
        nested = self._inside and self._current is self._tasks.get(_thread.get_ident())
        me = self._enter()
        try:
            yield me
        finally:
            self._inside = nested

    def _enter(self) -> Task:
        me = self._tasks.get(_thread.get_ident())
        if me is None:  # a thread that C code has started
            me = self._tasks[_thread.get_ident()] = Task()
            self._count += 1
            self.many = True
        with self._mutex:
            if self._current is me:
                self._inside = True
                return me
            self._loose -= me.loose == "computes"
            me.loose = ""
            idle = self._current is None
            if idle:
                self._current = me
            else:
                self._ready.append(me)
        if not idle:
            self._park(me)
        self._inside = True
        return me

    def _park(self, me: Task) -> None:
        try:
            me.gate.acquire()
        except BaseException:
            # A signal's handler has raised: the exception goes on once it is this thread's turn.
            if self._current is not me:
                self._ready.append(me)
                me.gate.acquire()
            raise

    def wake(self, task: Task) -> None:
        """``task`` can go on; call it with the turn."""
        if not task.woken:
            task.woken = True
            task.waits += 1
            self._ready.append(task)

    def block(self, until_ns: int | None = None, poll: Poll | None = None) -> bool:
        """Wait to be woken, for ``poll`` or for a time; False when the time came first.

        ``poll(real_seconds)`` looks, for at most so long; any thread may call it.
        """
        with self.turn() as me:
            me.woken = False
            if until_ns is not None:
                self._timer_number += 1
                heapq.heappush(self._timers, (until_ns, self._timer_number, me.waits, me))
            if poll is not None:
                self._polls.append((me, poll))
            try:
                self._hand_over(me)
            finally:
                me.waits += 1
                if poll is not None:
                    self._polls.remove((me, poll))
            return me.woken

    def breathe(self) -> None:
        """Let others go on now and then, for a thread that waits by asking again and again."""
        self._breaths += 1
        if self.many and self._breaths % BREATHS == 0:
            self.rest()

    def rest(self) -> None:
        """Let the others that can go on do so first."""
        if self.many:
            with self.turn() as me:
                if self._ready:
                    self._ready.append(me)
                    self._hand_over(me)

    def _hand_over(self, me: Task) -> None:
        following = self._next()
        if following is not me:
            self._pass_to(following)
            self._park(me)

    def _pass_to(self, following: Task | None) -> None:
        """Give the turn away; whoever wakes up is inside until it goes on with its own code."""
        self._current = following
        self._inside = True
        if following is not None:
            following.gate.release()

    def _next(self) -> Task | None:
        """Who goes on; None while only threads that run beside the turn can say."""
        while not self._ready:
            if self._loose:
                return None
            if self._polled():
                break
            until = self._earliest()
            if self.in_flight:
                self.exchange(until)
            elif until is not None:
                self._pass_until(until)
            elif self._polls:
                self._polls[0][1](LOOK_SECONDS)
                continue
            else:
                self.stuck()
            self._ring()
        return self._ready.popleft()

    def _polled(self) -> bool:
        for task, poll in self._polls:
            try:
                there = poll(0)
            except Exception:
                there = True  # it asks again itself, and the exception is its own
            if there:
                self.wake(task)
                return True
        return False

    def _earliest(self) -> int | None:
        while self._timers and self._timers[0][2] != self._timers[0][3].waits:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _ring(self) -> None:
        """Those whose time has come go on, not woken."""
        now = self._now()
        while (until := self._earliest()) is not None and until <= now:
            task = heapq.heappop(self._timers)[3]
            task.waits += 1
            self._ready.append(task)

    def make_room(self, *_: object) -> None:
        """A signal's handler, so in the main thread: whoever has the turn computes for long."""
        if not self.many or not self._mutex.acquire(False):
            return
        holder = self._current
        following = None if self._inside or not self._ready else self._ready.popleft()
        if following is None or holder is None:
            self._mutex.release()
            return
        if holder is self._main:
            self._ready.append(holder)
        else:
            holder.loose = "computes"
            self._loose += 1
        self._pass_to(following)
        self._mutex.release()
        if holder is self._main:
            self._park(holder)
            self._inside = False

    def all_asleep(self, *_: object) -> None:
        """A signal's handler: the judge sees no thread run, so whoever has the turn waits, too."""
        if not self.many or not self._mutex.acquire(False):
            return
        holder = self._current
        if self._inside and holder is not None:
            self._mutex.release()
            return
        for task in self._tasks.values():
            if task.loose or task is holder:
                task.loose = "asleep"
        self._loose = 0
        self._current, self._inside = None, True
        self._mutex.release()
        self._pass_to(self._next())

    # -- threads ---------------------------------------------------------------------------------

    def start(self, start: Callable[..., Any], function: Callable[..., object]) -> tuple[Task, Any]:
        """Start a thread by ``start(run)``; it runs ``function`` when its turn has come."""
        task = Task()

        def run() -> None:
            task.gate.acquire()
            if hasattr(signal, "pthread_sigmask"):
                # For the main thread: only there do handlers run, and this one may only compute.
                signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGVTALRM, signal.SIGURG))
            self._tasks[_thread.get_ident()] = task
            self._inside = False
            try:
                function()
            finally:
                self._end(task)

        with self.turn():
            result = start(run)
            self._ready.append(task)
            self._count += 1
            if not self.many:
                self.many = True
                _slices(SLICE_SECONDS)
        return task, result

    def _end(self, task: Task) -> None:
        self._enter()
        task.done = True
        del self._tasks[_thread.get_ident()]
        for joiner in task.joiners:
            self.wake(joiner)
        following = self._next()
        self._count -= 1
        if self._count == 1:
            self.many = False
            _slices(0)
        self._pass_to(following)

    def join(self, task: Task, until_ns: int | None) -> None:
        """Wait for a thread's end, or for a time."""
        with self.turn() as me:
            if not task.done:
                task.joiners.append(me)
                self.block(until_ns)
                if me in task.joiners:
                    task.joiners.remove(me)


def _slices(seconds: float) -> None:
    if hasattr(signal, "ITIMER_VIRTUAL"):
        _real_setitimer(signal.ITIMER_VIRTUAL, seconds, seconds)


_real_setitimer = getattr(signal, "setitimer", None) or (lambda *_: None)


def install(turns: Turns, after: Callable[[float], int]) -> None:
    """Put our locks and our way to start threads in the place of the interpreter's.

    ``after(seconds)`` is the virtual time (ns) when a wait of so long that begins now is over.
    """

    class Lock:
        """``threading.Lock``: who waits longest has it next."""

        __slots__ = ("__weakref__", "_held", "_waiters")

        def __init__(self) -> None:
            self._held = False
            self._waiters: deque[Task] = deque()

        def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
            """As the interpreter's lock; a timeout is virtual."""
            if not blocking and timeout != -1:
                raise ValueError("can't specify a timeout for a non-blocking call")
            if timeout < 0 and timeout != -1:
                raise ValueError("timeout value must be a non-negative number")
            if not turns.many and not self._held:
                self._held = True
                return True
            turns.breathe()
            with turns.turn() as me:
                if not self._held:
                    self._held = True
                    return True
                if not blocking or timeout == 0:
                    return False
                self._waiters.append(me)
                got = False
                try:
                    got = turns.block(None if timeout == -1 else after(timeout))
                finally:
                    if not got and me in self._waiters:
                        self._waiters.remove(me)
                return got

        def release(self) -> None:
            """Hand it to who waits longest."""
            if not turns.many and self._held and not self._waiters:
                self._held = False
                return
            with turns.turn():
                if not self._held:
                    raise RuntimeError("release unlocked lock")
                if self._waiters:
                    turns.wake(self._waiters.popleft())
                else:
                    self._held = False

        def locked(self) -> bool:
            """Whether somebody has it."""
            turns.breathe()
            return self._held

        def __enter__(self) -> bool:
            return self.acquire()

        def __exit__(self, *_: object) -> None:
            self.release()

        def _at_fork_reinit(self) -> None:
            self._held = False
            self._waiters.clear()

        acquire_lock, release_lock, locked_lock = acquire, release, locked

    def start_new_thread(function: Any, args: Any = (), kwargs: Any = None, /) -> int:
        task, ident = turns.start(
            lambda run: _real_start(run, ()), lambda: function(*args, **(kwargs or {}))
        )
        _keep(function, task)
        return int(ident)

    low: Any = _thread
    low.allocate_lock = low.allocate = low.LockType = Lock
    low.start_new_thread = low.start_new = start_new_thread
    joinable = getattr(_thread, "start_joinable_thread", None)
    if joinable is not None:

        def start_joinable_thread(function: Any, handle: Any = None, daemon: bool = True) -> Any:
            task, handle = turns.start(
                lambda run: joinable(run, handle=handle, daemon=daemon), function
            )
            _keep(function, task)
            return handle

        low.start_joinable_thread = start_joinable_thread

    import queue
    import threading

    high: Any = threading
    high._allocate_lock = high.Lock = Lock
    high._CRLock = None
    low.RLock = high._RLock
    high._start_new_thread = start_new_thread
    if joinable is not None:
        high._start_joinable_thread = low.start_joinable_thread
    queue.SimpleQueue = queue._PySimpleQueue  # type: ignore[attr-defined,misc]
    _replace_join(turns, after, high.Thread)
    for name, handler in (("SIGVTALRM", turns.make_room), ("SIGURG", turns.all_asleep)):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=turns.reset)


def _keep(function: Any, task: Task) -> None:
    """Remember a ``threading.Thread``'s task with it."""
    with contextlib.suppress(AttributeError):
        function.__self__._turn = task


def _replace_join(turns: Turns, after: Callable[[float], int], kind: Any) -> None:
    join, is_alive = kind.join, kind.is_alive

    def thread_join(self: Any, timeout: float | None = None) -> None:
        task = self.__dict__.get("_turn")
        if task is None or self.ident == _thread.get_ident():
            join(self, timeout)
            return
        turns.join(task, None if timeout is None else after(max(timeout, 0)))
        if task.done:
            join(self)

    def thread_is_alive(self: Any) -> bool:
        turns.breathe()
        task = self.__dict__.get("_turn")
        if task is not None and task.done:
            join(self)  # its last steps in the interpreter take no turn
        return bool(is_alive(self))

    kind.join, kind.is_alive = thread_join, thread_is_alive
