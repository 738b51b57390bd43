"""How virtual time passes in a sandbox: with the wall, faster, not at all, or by a request.

The clock itself never waits. Whoever is asked something first brings it to where it should be, and
everything that is due happens on the way, in order. Where this machine cannot keep up, virtual time
runs slower than asked; nothing is left out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from grader.cloud.clock import Clock

# How long (seconds of the wall) one request may wait for what is due before time slips instead.
PATIENCE_S = 2.0
SLOWEST, FASTEST = 0.0, 3_600.0


class Pace:
    """Virtual time of ``clock``; ``wall`` gives seconds and is the machine's time.

    ``speed`` is seconds of virtual time for each second of the wall; with ``step_ms`` each request
    takes so much and the wall takes none.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        speed: float = 1.0,
        step_ms: int | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.clock = clock
        # Whoever lets time pass, or acts on the account beside its clients, holds this meanwhile.
        self.lock = threading.RLock()
        self.step_ms = step_ms
        self.paused = False
        self.paused_s = 0.0
        # Virtual milliseconds that this machine could not keep up with.
        self.slipped_ms = 0
        self._wall = wall
        self._speed = speed
        self._stopped_s: float | None = None
        self._rebase()

    @property
    def speed(self) -> float:
        """Seconds of virtual time for each second of the wall."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not SLOWEST < speed <= FASTEST:
            raise ValueError(f"a speed is above 0 and at most {FASTEST:g}")
        self.advance()
        self._speed = speed
        self._rebase()

    @property
    def ahead_ms(self) -> int:
        """How far virtual time is ahead of the machine's clock; negative when it is behind."""
        return self.clock.now - round(self._wall() * 1000)

    def pause(self) -> None:
        """Let virtual time stand still until `resume`; how long is counted in ``paused_s``."""
        if not self.paused:
            self.advance()
            self.paused = True
            self._stopped_s = self._wall()

    def resume(self) -> None:
        """Let virtual time go on."""
        if self.paused:
            assert self._stopped_s is not None
            self.paused_s += max(0.0, self._wall() - self._stopped_s)
            self.paused, self._stopped_s = False, None
            self._rebase()

    def move(self, milliseconds: int) -> None:
        """Let so much virtual time pass at once."""
        with self.lock:
            self.advance()
            self.clock.run_for(milliseconds)
            self._rebase()

    def asked(self) -> None:
        """A request has come: what is due by now happens first."""
        with self.lock:
            if self.step_ms is not None:
                self.clock.run_for(self.step_ms)
            else:
                self.advance()

    def advance(self) -> None:
        """Bring virtual time to where the wall says it is."""
        with self.lock:
            if not self.paused and self.step_ms is None:
                self._catch_up()

    def _catch_up(self) -> None:
        if self.clock.now > self._due():
            # An invocation or a deployment took its virtual time at once.
            self._rebase()
            return
        until, begun = self._due(), self._wall()
        while (due := self.clock.next_time()) is not None and due <= until:
            self.clock.step()
            if self._wall() - begun > PATIENCE_S:
                self.slipped_ms += max(0, until - self.clock.now)
                self._rebase()
                return
        self.clock.run_until(until)

    def waits_s(self, most_s: float) -> float:
        """Seconds of the wall until the next thing is due, at most ``most_s``."""
        due = self.clock.next_time()
        if self.paused or self.step_ms is not None or due is None:
            return most_s
        left_ms = due - self._due()
        return min(most_s, max(0.0, left_ms / 1000 / self._speed))

    def _due(self) -> int:
        passed_s = max(0.0, self._wall() - self._base_s)
        return self._base_ms + int(passed_s * 1000 * self._speed)

    def _rebase(self) -> None:
        self._base_ms, self._base_s = self.clock.now, self._wall()
