"""Settings of the simulator's form, played by the browser's scripts, the grader and the emulator.

Run as a script, this file compares 520 settings between browser and grader, and 100 between browser
and emulator, and says how long it took. Node runs the browser's scripts, all of them in one process.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from grader.review.tuning import Choice, Handler, Load, Outcome, simulate

HERE = Path(__file__).parent
SCRIPTS = ("prices", "bill", "engine", "fields", "settings", "costs")
NODE = shutil.which("node")

DEFAULTS: dict[str, Any] = {
    "rate": 100, "hours": 1, "burst": 0, "burstat": 10, "burstfor": 5, "shards": 1,
    "batch": 100, "window": 0, "pf": 1, "retries": -1, "age": -1,
    "concurrency": "none", "memory": 512, "timeout": 30, "arch": "x86_64",
    "call": 5, "record": 0.2, "callwait": 0, "recordwait": 0, "cold": 0, "errors": 0,
}  # fmt: skip

# Each of these has bent something once, or nearly does.
CORNERS: list[dict[str, Any]] = [
    {},
    {"rate": 0},
    {"rate": 0.01, "window": 300},
    {"rate": 1 / 3, "hours": 24},
    {"rate": 20_000, "hours": 24, "batch": 10_000, "record": 0.01},
    {"rate": 9_999.7, "hours": 24, "shards": 3, "batch": 1_000, "record": 0.05},
    {"rate": 100, "batch": 1, "call": 20, "hours": 24},
    {"rate": 0.05, "batch": 1, "hours": 48, "errors": 100, "retries": -1},
    {"rate": 100, "concurrency": 0, "hours": 25, "batch": 10_000},
    {"rate": 100, "concurrency": 0},
    {"rate": 50, "concurrency": 1, "shards": 4, "pf": 2},
    {"rate": 50, "timeout": 1, "record": 50, "batch": 100, "retries": 2},
    {"rate": 50, "errors": 100, "retries": 0},
    {"rate": 50, "errors": 100, "hours": 2, "age": 600},
    {"rate": 2, "hours": 2, "burst": 3_000, "burstat": 119, "burstfor": 600, "pf": 10},
    {"rate": 0.001, "hours": 24, "cold": 700},
    {"rate": 300, "batch": 10_000, "window": 1, "record": 0.001},
    {"rate": 10, "burst": 500, "shards": 2, "concurrency": 3, "pf": 2, "errors": 12.5, "retries": 3},
    {"rate": 100, "call": 0.0005, "record": 0.0015, "memory": 128},
]  # fmt: skip


def settings(count: int) -> list[dict[str, Any]]:
    """So many: the corners, and settings drawn from all over the form."""
    draw = random.Random(20_260)
    found = list(CORNERS)
    while len(found) < count:
        one: dict[str, Any] = {
            "rate": draw.choice([0.2, 3, 17.3, 60, 250, 999, 2_000]),
            "batch": draw.choice([1, 7, 25, 100, 333, 1_000, 10_000]),
            "window": draw.choice([0, 0, 0, 1, 5, 60]),
            "pf": draw.choice([1, 1, 1, 2, 4]),
            "shards": draw.choice([1, 1, 1, 2, 3]),
            "concurrency": draw.choice(["none", "none", 1, 2]),
            "memory": draw.choice([128, 512, 1_769, 3_008]),
            "arch": draw.choice(["x86_64", "arm64"]),
            "timeout": draw.choice([1, 3, 30]),
            "call": draw.choice([1, 5, 20.25, 80]),
            "record": draw.choice([0.01, 0.2, 1.5, 8]),
            "callwait": draw.choice([0, 0, 12]),
            "recordwait": draw.choice([0, 0, 0.7]),
            "cold": draw.choice([0, 250, 900]),
            "errors": draw.choice([0, 0, 0, 0.1, 4, 30]),
            "retries": draw.choice([-1, -1, 0, 2, 5]),
            "age": draw.choice([-1, -1, -1, 60, 900]),
        }
        if draw.random() < 0.5:
            one |= {
                "burst": draw.choice([50, 800, 5_000]),
                "burstat": draw.randrange(0, 55),
                "burstfor": draw.choice([1, 4, 11]),
            }
        # What is played event by event, in Python too, takes long.
        lanes, writes = one["pf"] * one["shards"], one["rate"] * 60 + one.get("burst", 0) * 5
        eventful = lanes > 1 or one["errors"] or one["age"] > 0
        if not (eventful and (writes / one["batch"] > 60 or one["rate"] > 60 or lanes > 2)):
            found.append(one)
    return found


def costs() -> list[dict[str, Any]]:
    """Figures for the calculator."""
    draw = random.Random(7)
    return [
        {
            "writes": draw.choice([0, 0.5, 100, 2_500.5]),
            "item": draw.choice([1, 1_024, 1_025, 9_000]),
            "batch": draw.choice([1, 42.5, 1_000]),
            "duration": draw.choice([1, 35, 4_000]),
            "memory": draw.choice([128, 512, 3_008]),
            "arch": draw.choice(["x86_64", "arm64"]),
            "puts": draw.choice([0, 1, 10.5]),
            "putbytes": draw.choice([200, 3_000]),
            "transact": draw.choice(["no", "yes"]),
            "logbytes": draw.choice([0, 600, 100_000]),
            "retention": draw.choice([1, 30, 365]),
            "metrics": draw.choice([0, 12, 10_000]),
            "alarms": draw.choice([0, 10, 11]),
            "dashboards": draw.choice([0, 3, 4]),
        }
        for _ in range(60)
    ]


def small(count: int) -> list[dict[str, Any]]:
    """Settings whose hour the emulator plays record by record in a second."""
    draw = random.Random(15)
    return [
        {
            "rate": draw.choice([0.2, 1, 2.5, 5]),
            "burst": draw.choice([0, 0, 20, 60]),
            "burstat": draw.randrange(0, 55),
            "burstfor": draw.choice([1, 3]),
            "shards": draw.choice([1, 1, 2, 3]),
            "batch": draw.choice([1, 5, 20, 100]),
            "window": draw.choice([0, 0, 1, 10]),
            "pf": draw.choice([1, 1, 1, 2, 4]),
            "concurrency": draw.choice(["none", "none", 1, 2]),
            "memory": draw.choice([128, 512, 1_769]),
            "call": draw.choice([1, 20, 80]),
            "record": draw.choice([0.2, 4]),
            "callwait": draw.choice([0, 30]),
            "recordwait": draw.choice([0, 10]),
            "cold": draw.choice([0, 300]),
            "errors": draw.choice([0, 0, 0, 5]),
            "retries": draw.choice([-1, 2]),
        }
        for _ in range(count)
    ]


def parts(given: dict[str, Any]) -> tuple[Load, Handler, Choice]:
    """Settings as the grader's simulation takes them."""
    one = DEFAULTS | given
    length, start = one["hours"] * 3600, one["burstat"] * 60
    load = Load.steady(one["rate"], length, shards=one["shards"])
    if one["burst"] > 0 and start < length:
        load = load.burst(start, min(one["burstfor"] * 60, length - start), one["burst"])
    handler = Handler(
        call_ms=one["call"],
        record_ms=one["record"],
        call_wait_ms=one["callwait"],
        record_wait_ms=one["recordwait"],
        cold_start_ms=one["cold"],
        error_rate=one["errors"] / 100,
    )
    choice = Choice(
        batch_size=one["batch"],
        window_s=one["window"],
        parallelization=one["pf"],
        concurrency=None if one["concurrency"] == "none" else one["concurrency"],
        memory_mb=one["memory"],
        timeout_s=one["timeout"],
        architecture=one["arch"],
        max_retries=one["retries"],
        max_age_s=one["age"],
    )
    return load, handler, choice


def played(given: dict[str, Any]) -> Outcome:
    """The same settings, played by the grader."""
    return simulate(*parts(given))


FIGURES = (
    "duration_ms", "invocations", "errors", "timeouts", "retries", "throttles", "cold_starts",
    "full_batches", "handed", "processed", "discarded", "lost", "backlog", "oldest_ms", "billed_ms",
    "peak_concurrency", "max_iterator_age_ms", "max_delay_ms",
)  # fmt: skip
LISTS = (
    "iterator_age_ms", "delay_ms", "invocations_by_minute", "throttles_by_minute",
    "errors_by_minute", "billed_ms_by_minute", "backlog_by_minute",
)  # fmt: skip


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)


def _digest(lists: list[Any]) -> str:
    """A short name for lists of whole numbers."""
    text = json.dumps(lists, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of_python(outcome: Outcome) -> list[Any]:
    figures = [getattr(outcome, name) for name in FIGURES]
    return [*figures, _digest([list(getattr(outcome, name)) for name in LISTS])]


def of_browser(outcome: dict[str, Any]) -> list[Any]:
    figures = [outcome[_camel(name)] for name in FIGURES]
    return [*figures, _digest([outcome[_camel(name)] for name in LISTS])]


def ask_node(**given: Any) -> Any:
    """What the browser's scripts say to settings ``played``, figures ``costed``, ``links``."""
    assert NODE is not None
    done = subprocess.run(
        [NODE, str(HERE / "run_simulator.js")],
        input=json.dumps({"played": [], "costed": [], "links": [], **given}),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def against_the_emulator(given: dict[str, Any], outcome: dict[str, Any]) -> str:
    """What differs by more than it may; "" when nothing does.

    Records come to the shards and lanes that the simulation assumes. Then every figure is the same,
    and so is the age of every minute. Two things the simulation does for each shard apart where
    executions do not run short: it draws failures, and counts warm environments. With those,
    invocations may differ by 2 %, and the highest age by a second where nothing fails; by a batching
    window more where executions run short, for a throttle at another moment moves the next window.
    """
    sys.path.insert(0, str(HERE.parent / "review" / "tuning"))
    from emulated import play

    load, handler, choice = parts(given)
    real = play(load, handler, choice)
    figures = ("invocations", "errors", "throttles", "billed_ms", "handed")
    mine = [outcome[_camel(name)] for name in figures] + [outcome["iteratorAgeMs"]]
    theirs = [getattr(real, name) for name in figures] + [real.ages]
    if load.shards == 1 or not (handler.error_rate or handler.cold_start_ms):
        return "" if mine == theirs else f"{given}: {mine[:-1]} and {theirs[:-1]}"
    if abs(mine[0] - theirs[0]) > 0.02 * theirs[0]:
        return f"{given}: {mine[0]} and {theirs[0]} invocations"
    apart = abs(outcome["maxIteratorAgeMs"] - real.max_age_ms)
    most = 1_000 * (1 + (choice.window_s if outcome["throttles"] else 0))
    return f"{given}: ages {apart} ms apart" if apart > most and not handler.error_rate else ""


def main() -> int:
    """Compare everything; exit code 1 when something differs."""
    began = time.process_time()
    form = settings(520)
    differing = [
        str(one)
        for one, said in zip(form, ask_node(played=form)["played"], strict=True)
        if of_python(played(one)) != of_browser(said["outcome"])
    ]
    print(f"browser and grader: {len(differing)} of {len(form)} settings differ")
    ours = small(100)
    for one, said in zip(ours, ask_node(played=ours)["played"], strict=True):
        if problem := against_the_emulator(one, said["outcome"]):
            differing.append(problem)
    print(f"and emulator: {len(ours)} settings, {time.process_time() - began:.0f} s of CPU in all")
    print(*differing, sep="\n")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
