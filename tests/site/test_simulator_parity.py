"""The simulator and the bills of the browser say what the grader's say: 320 settings, every figure.

Node runs the browser's scripts. Where there is no Node, the record of its last run is compared with
Python instead; the record belongs to exactly these scripts, which is also tested.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from grader.cloud.dynamodb.units import write_units
from grader.review import pricing
from grader.review.tuning import Choice, Handler, Load, Outcome, simulate

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPTS = ("prices", "bill", "engine", "settings", "costs")
RECORD = HERE / "simulator_record.json"
NODE = shutil.which("node")
PRICES = pricing.load()

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


def settings() -> list[dict[str, Any]]:
    """The corners, and settings drawn from all over the form."""
    draw = random.Random(20_260)
    found = list(CORNERS)
    while len(found) < 320:
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


def played(given: dict[str, Any]) -> Outcome:
    """The same settings, played by the grader."""
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
    return simulate(load, handler, choice)


FIGURES = (
    "duration_ms", "invocations", "errors", "timeouts", "retries", "throttles", "cold_starts",
    "full_batches", "handed", "processed", "discarded", "lost", "backlog", "oldest_ms", "billed_ms",
    "peak_concurrency", "max_iterator_age_ms", "max_delay_ms",
)  # fmt: skip
LISTS = (
    "iterator_age_ms", "delay_ms", "invocations_by_minute", "throttles_by_minute",
    "errors_by_minute",
)  # fmt: skip


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda letter: letter[1].upper(), name)


def digest(lists: list[Any]) -> str:
    """A short name for lists of whole numbers."""
    text = json.dumps(lists, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def of_python(outcome: Outcome) -> list[Any]:
    figures = [getattr(outcome, name) for name in FIGURES]
    return [*figures, digest([list(getattr(outcome, name)) for name in LISTS])]


def of_browser(outcome: dict[str, Any]) -> list[Any]:
    figures = [outcome[camel(name)] for name in FIGURES]
    return [*figures, digest([outcome[camel(name)] for name in LISTS])]


def money(bill: dict[str, Any]) -> list[float]:
    return [bill["total"], bill["fullTotal"], bill["freeShare"]]


def scripts_digest() -> str:
    folder = ROOT / "docs" / "assets" / "js"
    return hashlib.sha256(b"".join((folder / f"{n}.js").read_bytes() for n in SCRIPTS)).hexdigest()


@cache
def browser() -> dict[str, Any]:
    """What the browser's scripts say: now where there is Node, else on record."""
    if NODE is None:
        return json.loads(RECORD.read_text("utf-8"))
    given = json.dumps({"played": settings(), "costed": costs()})
    done = subprocess.run(
        [NODE, str(HERE / "run_simulator.js")],
        input=given,
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    found = {
        "scripts": scripts_digest(),
        "played": [of_browser(one["outcome"]) for one in said["played"]],
        "bills": [money(one["bill"]) for one in said["played"]],
        "costed": [[money(one), [line["cost"] for line in one["lines"]]] for one in said["costed"]],
    }
    if os.environ.get("UPDATE_GOLDEN"):
        lines = (f'"{key}": {json.dumps(value)}' for key, value in found.items())
        RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    return found


def test_the_record_is_of_these_scripts() -> None:
    """UPDATE_GOLDEN=1 with Node writes it anew."""
    browser()
    assert json.loads(RECORD.read_text("utf-8"))["scripts"] == scripts_digest()


@pytest.mark.parametrize("part", range(10))
def test_every_figure_is_the_same(part: int) -> None:
    """Counts, ages, lists by the minute: equal to the last digit. The bill: to a billionth."""
    every = settings()
    for number in range(part, len(every), 10):
        outcome = played(every[number])
        assert of_python(outcome) == browser()["played"][number], every[number]
        bill = outcome.bill(PRICES)
        expected = [float(bill.total), float(bill.full_total), float(bill.free_share)]
        found = browser()["bills"][number]
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12), every[number]


def test_the_settings_cover_what_can_happen() -> None:
    """The comparison is worth something: every kind of figure is above zero in many settings."""
    rows = browser()["played"]
    assert len(rows) >= 300
    for column, name in enumerate(FIGURES):
        above = sum(row[column] > 0 for row in rows)
        assert above >= (2 if name == "lost" else 20), name


def test_the_calculator_bills_as_the_grader_does() -> None:
    for given, (totals, lines) in zip(costs(), browser()["costed"], strict=True):
        writes = Decimal(str(given["writes"])) * 86_400 * 30
        calls = writes / Decimal(str(given["batch"]))
        capacity = writes * write_units(given["item"])
        capacity += (
            calls
            * Decimal(str(given["puts"]))
            * write_units(given["putbytes"], transactional=given["transact"] == "yes")
        )
        logs = calls * given["logbytes"] / 2**30
        bill = pricing.bill(
            {
                "lambda_requests": calls,
                pricing.lambda_compute(given["arch"]): pricing.gb_seconds(
                    calls * given["duration"], given["memory"]
                ),
                "dynamodb_write_requests": capacity,
                "logs_ingested_gb": logs,
                "logs_stored_gb": logs * given["retention"] / 30,
                "custom_metrics": given["metrics"],
                "alarms": given["alarms"],
                "dashboards": given["dashboards"],
            },
            PRICES,
        )
        expected = [float(bill.total), float(bill.full_total), float(bill.free_share)]
        assert totals == pytest.approx(expected, rel=1e-9, abs=1e-9), given
        assert lines == pytest.approx([float(line.cost) for line in bill.lines], rel=1e-9, abs=1e-9)


def test_links_beside_a_table_show_what_its_rows_print() -> None:
    """Module 5's batch sizes: each link, simulated, has its row's records a call and longest lag."""
    text = (HERE.parents[1] / "docs/modules/05-cost.md").read_text("utf-8")
    head = "| Batch size | Window | Factor | Calls a day | Records a call | Longest lag |"
    below = text[text.index(head) :]
    rows = [line.split(" | ") for line in below.split("\n\n")[0].splitlines()[2:]]
    links = re.findall(r"simulator\.md\?([^)]+)\)", below)[: len(rows)]
    assert len(rows) == len(links) == 6
    for row, link in zip(rows, links, strict=True):
        pairs = [pair.split("=") for pair in link.split("&")]
        outcome = played({name: int(value) for name, value in pairs})
        assert row[0].strip("| ") == str(outcome.choice.batch_size)
        assert row[4] == f"{outcome.mean_batch:,.0f}", link
        lag = "it grows" if outcome.backlog_grows else f"{outcome.max_delay_ms / 1000:.1f} s"
        assert row[5] == lag, link
