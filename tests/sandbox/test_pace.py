"""How virtual time passes: with the wall, faster, paused, moved, by requests."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from grader.cloud.clock import Clock
from grader.sandbox import Pace
from grader.sandbox.pace import PATIENCE_S


@dataclass
class Wall:
    """A wall clock that a test moves."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def test_it_runs_with_the_wall_and_faster() -> None:
    wall, clock = Wall(), Clock(1_000_000)
    pace = Pace(clock, wall=wall)
    wall.seconds += 3
    pace.asked()
    assert clock.now == 1_003_000 and pace.ahead_ms == 0
    pace.speed = 60
    wall.seconds += 2
    pace.asked()
    assert clock.now == 1_003_000 + 120_000
    assert pace.ahead_ms == 118_000


def test_what_is_due_happens_in_order_before_a_request_is_answered() -> None:
    wall, clock = Wall(), Clock(0)
    pace = Pace(clock, wall=wall)
    seen: list[int] = []
    for at in (900, 100, 500, 1_500):
        clock.at(at, lambda: seen.append(clock.now))
    wall.seconds += 1
    pace.asked()
    assert seen == [100, 500, 900]
    pace.move(600)
    assert seen[-1] == 1_500 and clock.now == 1_600


def test_a_pause_is_counted_and_moves_nothing() -> None:
    wall, clock = Wall(), Clock(0)
    pace = Pace(clock, wall=wall)
    pace.pause()
    wall.seconds += 50
    pace.asked()
    assert clock.now == 0
    pace.move(2_000)
    pace.resume()
    wall.seconds += 1
    pace.asked()
    assert clock.now == 3_000 and pace.paused_s == 50


def test_time_that_was_taken_at_once_is_not_waited_for() -> None:
    """A deployment of 15 virtual seconds: afterwards time goes on, that much ahead."""
    wall, clock = Wall(), Clock(1_000_000)
    pace = Pace(clock, wall=wall)
    clock.run_for(15_000)
    wall.seconds += 1
    pace.asked()
    wall.seconds += 1
    pace.asked()
    assert clock.now == 1_016_000


def test_a_machine_that_cannot_keep_up_slows_time_and_skips_nothing() -> None:
    wall, clock = Wall(), Clock(0)
    pace = Pace(clock, wall=wall, speed=3_600)
    seen: list[int] = []

    def slow() -> None:
        seen.append(clock.now)
        wall.seconds += PATIENCE_S / 4
        clock.after(1_000, slow)

    clock.after(1_000, slow)
    wall.seconds += 100
    for _ in range(3):
        pace.asked()
    assert seen == list(range(1_000, 1_000 * len(seen) + 1, 1_000))
    assert clock.now < 100_000 and pace.slipped_ms > 0


def test_by_requests_the_wall_takes_no_time() -> None:
    wall, clock = Wall(), Clock(0)
    pace = Pace(clock, wall=wall, step_ms=2_000)
    wall.seconds += 99
    pace.asked()
    pace.advance()
    assert clock.now == 2_000 and pace.waits_s(1.0) == 1.0


@pytest.mark.parametrize("speed", [0, -1, 3_601])
def test_a_speed_is_bounded(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        Pace(Clock(0), wall=Wall()).speed = speed
