"""Every scripted responder of every on-call drill, on many seeds.

    python benchmarks/oncall.py [SEEDS [DRILL ...]]

Right ones have to win every point, wrong ones to lose their own criterion, and who does nothing
wins none, on each seed (10). Says how many plays there were, what was otherwise, and the CPU
seconds of one play, its function processes included.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "sandbox"))

import responders

from grader.cloud import Nursery, Refused
from grader.cloud.aws import ServiceError
from grader.sandbox.oncall import judge
from grader.sandbox.oncall.drills import SLUGS, drill
from grader.sandbox.oncall.shift import Shift


def nothing(shift: Shift) -> None:
    """Look at the page, and go back to sleep."""


def otherwise(slug: str, seed: int, one: object, nursery: Nursery) -> str:
    """What is not as it has to be in one play; "" when all is."""
    responder, criterion = one if isinstance(one, tuple) else (one, "")
    shift = Shift(drill(slug, seed), nursery, seed=seed, live=False)
    try:
        red = {name for name, _ in shift.page()}
        if not set(shift.drill.rings) <= red:
            return f"only {sorted(red)} ring"
        responder(shift)
        grade = judge.grade(shift)
    except (Refused, ServiceError) as error:
        return f"{type(error).__name__} {error.code}: {error}"
    finally:
        shift.close()
    unmet = [one.criterion.id for one in grade.verdicts if one.outcome == "unmet"]
    if responder is nothing:
        return "" if not grade.score else f"{grade.score} points"
    if not criterion:
        return "" if grade.passed else f"lost {unmet}"
    return "" if criterion in unmet else f"lost {unmet}, not {criterion}"


def main() -> int:
    """Play everything; 1 when something was otherwise."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    slugs = sys.argv[2:] or SLUGS
    nursery = Nursery.start(packages=None)
    played = wrong = 0
    before = sum(os.times()[:4])
    for slug in slugs:
        here = 0
        for seed in range(seeds):
            for one in (nothing, *responders.RIGHT[slug], *responders.WRONG[slug]):
                name = (one[0] if isinstance(one, tuple) else one).__name__
                played += 1
                if told := otherwise(slug, seed, one, nursery):
                    here += 1
                    print(f"{slug}, seed {seed}, {name}: {told}", flush=True)
        wrong += here
        print(f"{slug}: {here} otherwise", flush=True)
    nursery.close()
    seconds = sum(os.times()[:4]) - before
    print(f"{played} plays, {wrong} otherwise, {seconds / played:.2f} CPU seconds a play")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
