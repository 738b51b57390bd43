"""Time on which long pauses are folded, so that milliseconds and hours fit into one picture."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise

# A pause is what is so many times longer than three of four steps between two events are. Longer
# pauses get more room, by their logarithm; together they get at most this share of the rest.
PAUSE_TIMES = 8.0
SHARE = 0.5
# Steps of an axis (ms) that a reader counts by.
STEPS_MS = (
    *(times * power for power in (1, 10, 100, 1_000) for times in (1, 2, 5)),
    *(1_000 * seconds for seconds in (10, 20, 30, 60, 120, 300, 600, 1_200, 1_800)),
    *(3_600_000 * hours for hours in (1, 2, 3, 6, 12, 24, 48)),
)
# What an axis has to show at least (ms): a play in which next to nothing happens is not stretched.
LEAST_MS = 1_000.0


class Folding:
    """Moments in milliseconds to places on an axis and back; both only grow.

    ``places`` are (moment, place) where the slope changes, first and last included; ``pauses`` are
    (from, to) moments of what was folded.
    """

    def __init__(self, moments: Iterable[float], end: float) -> None:
        known = sorted({0.0, float(end), *(float(one) for one in moments if 0 <= one <= end)})
        steps = [later - one for one, later in pairwise(known)]
        usual = sorted(step for step in steps if step > 0)
        longest = max(LEAST_MS, usual[len(usual) * 3 // 4] * PAUSE_TIMES) if usual else LEAST_MS
        self.places: list[tuple[float, float]] = [(0.0, 0.0)]
        self.pauses = [(one, later) for one, later in pairwise(known) if later - one > longest]
        rest = sum(step for step in steps if step <= longest)
        room = {
            one: longest * (1 + math.log2((later - one) / longest)) for one, later in self.pauses
        }
        share = min(1.0, max(rest, longest) * SHARE / (sum(room.values()) or 1.0))
        place = 0.0
        for one, later in pairwise(known):
            step = later - one
            if step > longest:
                self._add(one, place)
                place += room[one] * share
                self._add(later, place)
            else:
                place += step
        self._add(max(float(end), 1.0), max(place, 1.0))

    def _add(self, moment: float, place: float) -> None:
        if moment > self.places[-1][0]:
            self.places.append((moment, place))

    def place(self, moment: float) -> float:
        """Where a moment lies; what is outside lies at an end."""
        return self._between(moment, 0, 1)

    def moment(self, place: float) -> float:
        """The moment at a place."""
        return self._between(place, 1, 0)

    def steps(self, most: int = 6) -> list[float]:
        """Places of round moments, about so many, with both ends; in a pause there is none."""
        rough = self.places[-1][1] / (most - 1)
        step = next((one for one in STEPS_MS if one >= rough * 0.999), STEPS_MS[-1])
        found = {self.places[0][1], self.places[-1][1]}
        for (one, place), (later, _) in pairwise(self.places):
            if (one, later) not in self.pauses:
                times = range(math.ceil(one / step), math.floor(later / step) + 1)
                found.update([self.place(step * number) for number in times] or [place])
        return sorted(found)

    def _between(self, value: float, given: int, wanted: int) -> float:
        at = bisect_right(self.places, value, key=lambda one: one[given])
        at = min(max(at, 1), len(self.places) - 1)
        one, later = self.places[at - 1], self.places[at]
        share = (value - one[given]) / (later[given] - one[given])
        return one[wanted] + min(1.0, max(0.0, share)) * (later[wanted] - one[wanted])
