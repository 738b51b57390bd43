"""Virtual time: one heap of things that are going to happen.

Nothing in the grader waits. A day of traffic is a loop over this heap, so the same events in the
same order give the same day, however slow the machine is.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

Action = Callable[[], None]

# 2026-11-02T09:00:00Z, a Monday morning: where virtual time starts unless somebody says otherwise.
START_MS = 1_793_610_000_000


@dataclass(order=True, slots=True)
class Event:
    """Something that happens at ``time_ms``; ``cancel()`` it as long as it has not."""

    time_ms: int
    order: int
    number: int
    action: Action | None = field(compare=False)

    def cancel(self) -> None:
        """Make the event do nothing when its time comes."""
        self.action = None


class Clock:
    """Virtual time in whole milliseconds since the Unix epoch.

    Events of the same millisecond run by ``order`` (lower first), then in the order in which they
    were asked for, so that no run depends on hashing or on the machine's speed.
    """

    def __init__(self, start_ms: int = START_MS) -> None:
        self.now = start_ms
        self._heap: list[Event] = []
        self._number = 0

    def at(self, time_ms: int, action: Action, *, order: int = 0) -> Event:
        """Call ``action`` at ``time_ms``; a time that has passed means now."""
        self._number += 1
        event = Event(max(time_ms, self.now), order, self._number, action)
        heapq.heappush(self._heap, event)
        return event

    def after(self, delay_ms: int, action: Action, *, order: int = 0) -> Event:
        """Call ``action`` ``delay_ms`` milliseconds from now."""
        return self.at(self.now + delay_ms, action, order=order)

    def next_time(self) -> int | None:
        """When the next event is due (ms), or None when nothing is."""
        while self._heap and self._heap[0].action is None:
            heapq.heappop(self._heap)
        return self._heap[0].time_ms if self._heap else None

    def step(self) -> bool:
        """Run the next event. False when there was none."""
        if self.next_time() is None:
            return False
        event = heapq.heappop(self._heap)
        self.now = event.time_ms
        action, event.action = event.action, None
        assert action is not None
        action()
        return True

    def run_until(self, time_ms: int) -> None:
        """Run every event due at or before ``time_ms``, then stand at ``time_ms``."""
        while (due := self.next_time()) is not None and due <= time_ms:
            self.step()
        self.now = max(self.now, time_ms)

    def run_for(self, duration_ms: int) -> None:
        """Run the next ``duration_ms`` milliseconds."""
        self.run_until(self.now + duration_ms)
