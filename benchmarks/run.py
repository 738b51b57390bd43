"""Measure what the course promises about speed, as ratios within one run.

    python benchmarks/run.py            every measurement
    python benchmarks/run.py cold help  some of them

A ratio is the median of pairs: the thing and its baseline are run in turn, so that a machine whose
speed drifts drifts under both.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
PYTHON = sys.executable
PAIRS = 5


def seconds(command: Sequence[str], expected: tuple[int, ...] = (0,)) -> float:
    """Wall-clock seconds of one command; SystemExit when it ends in an unexpected way."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode not in expected:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return took


def pairs(
    thing: Callable[[], float], baseline: Callable[[], float], count: int = PAIRS
) -> tuple[float, float, float]:
    """Medians of thing, baseline and their ratio over ``count`` pairs, after one warm-up each."""
    thing(), baseline()
    measured = [(thing(), baseline()) for _ in range(count)]
    ratios = [one / other for one, other in measured]
    return (
        statistics.median(one for one, _ in measured),
        statistics.median(other for _, other in measured),
        statistics.median(ratios),
    )


def show(name: str, thing: float, baseline: float, ratio: float, aim: str) -> None:
    print(f"{name:<44}{thing:>8.3f} s {baseline:>8.3f} s {ratio:>7.2f}   {aim}")


def cold() -> None:
    """A cold grade of every lab's solution and starter against the floor."""
    sys.path.insert(0, str(ROOT))
    from grader.course import lab

    for chosen in lab.labs():
        aim = "at most 3 F" if chosen.number <= 3 else "at most 4 F"
        for kind, folder in (("solution", chosen.solution), ("starter", chosen.starter)):
            grade = [PYTHON, "-m", "grader", "grade", str(chosen.number), "--path", str(folder)]
            show(
                f"labs grade {chosen.number} ({kind}) / floor F",
                *pairs(
                    lambda grade=grade: seconds([*grade, "--json"], (0, 1)),
                    lambda: seconds([PYTHON, str(HERE / "floor.py")]),
                ),
                aim,
            )


def watch() -> None:
    """A save under `labs watch`, from the save to the report, against a cold grade less 0.6 F."""
    sys.path.insert(0, str(ROOT))
    from grader.course import lab
    from grader.course.files import written

    for chosen in lab.labs():
        files = chosen.read(chosen.solution)
        with written(files) as folder:
            grade = [PYTHON, "-m", "grader", "grade", str(chosen.number), "--path", str(folder)]

            def cold_less_floor(grade: list[str] = grade) -> float:
                whole = seconds([*grade, "--json"], (0, 1))
                return whole - 0.6 * seconds([PYTHON, str(HERE / "floor.py")])

            for name in files:
                if name not in ("handler.py", "template.yaml"):
                    continue
                with Watched(chosen.number, folder) as watched:
                    path = folder / name
                    show(
                        f"labs watch {chosen.number}, {name} saved / cold - 0.6 F",
                        *pairs(lambda one=watched, path=path: one.save(path), cold_less_floor),
                        "at most 1",
                    )


class Watched:
    """A running `labs watch` over a folder."""

    def __init__(self, number: int, folder: Path) -> None:
        self.process = subprocess.Popen(
            [PYTHON, "-u", "-m", "grader", "watch", str(number), "--path", str(folder)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Watched:
        self._report()
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.communicate()

    def save(self, path: Path) -> float:
        """Seconds from a save that adds a comment to the end of the report."""
        with path.open("a", encoding="utf-8") as file:
            began = time.perf_counter()
            file.write("# saved\n")
        self._report()
        return time.perf_counter() - began

    def _report(self) -> None:
        """Read on until a report has ended: full marks, since the files are the solution."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("Every criterion is met."):
                return
        sys.exit("labs watch ended before its report, or the solution lost points")


def help() -> None:
    """Start-up of the command against the start-up of Python."""
    show(
        "labs --help / python -c pass",
        *pairs(
            lambda: seconds([PYTHON, "-m", "grader", "--help"]),
            lambda: seconds([PYTHON, "-c", "pass"]),
            15,
        ),
        "at most 8",
    )


def script(name: str) -> Callable[[], None]:
    """A measurement that prints for itself."""

    def measure() -> None:
        command = [PYTHON, str(HERE / f"{name}.py")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        print(done.stdout, end="")

    return measure


MEASUREMENTS = {
    "help": help,
    "cold": cold,
    "watch": watch,
    "emulator": script("emulator"),
    "door": script("door"),
    "tuning": script("tuning"),
}


def main() -> None:
    asked = sys.argv[1:] or list(MEASUREMENTS)
    if unknown := [name for name in asked if name not in MEASUREMENTS]:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
    print(f"{'what / baseline':<44}{'what':>10} {'baseline':>10} {'ratio':>7}   aim")
    for name in asked:
        MEASUREMENTS[name]()


if __name__ == "__main__":
    main()
