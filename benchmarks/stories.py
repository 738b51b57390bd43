"""Every planted bug, looked for with stories from many seeds.

    python benchmarks/stories.py [FIRST-LAST [BUG ...]]

Each bug of ``tests/desk/planted_bugs.py`` has to be found within 300 examples from each of the
seeds FIRST to LAST (1-10), and what is right has to withstand 300 on each. Says after how many
examples each one was found, and the seconds that took. Exits with 1 when anything was otherwise.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "desk"))

import planted_bugs

from grader.cloud import Nursery


def main(seeds: str = "1-10", *modules: str) -> int:
    """Search, and print a line for each module."""
    first, last = map(int, seeds.split("-"))
    wrong = 0
    nursery = Nursery.start(packages=None)
    for module in modules or (*planted_bugs.BUGS, *planted_bugs.RIGHT):
        made = [planted_bugs.search(module, one, nursery) for one in range(first, last + 1)]
        after = [one.found_after or None for one in made]
        misses = sum((one is None) == (module in planted_bugs.BUGS) for one in after)
        seconds = [one.seconds for one in made]
        found = " ".join("-" if one is None else str(one) for one in after)
        print(
            f"{module:14} found after {found}; {sum(seconds):.0f} s, "
            f"at most {max(seconds):.0f} s a seed{'; WRONG: ' + str(misses) if misses else ''}",
            flush=True,
        )
        wrong += misses
    nursery.close()
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
