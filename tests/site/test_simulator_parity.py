"""The simulator and the bills of the browser say what the grader's say: 320 settings, every figure.

Node runs the browser's scripts. Where there is no Node, the record of its last run is compared with
Python instead; the record belongs to exactly these scripts, which is also tested.
``python tests/site/simulated.py`` compares 520 settings, and 100 with the emulator.
"""

from __future__ import annotations

import hashlib
import json
import os
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from simulated import (
    FIGURES,
    NODE,
    SCRIPTS,
    against_the_emulator,
    ask_node,
    costs,
    of_browser,
    of_python,
    played,
    settings,
    small,
)

from grader.cloud.dynamodb.units import write_units
from grader.review import pricing

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RECORD = HERE / "simulator_record.json"
PRICES = pricing.load()
COMPARED = 320


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
    said = ask_node(played=settings(COMPARED), costed=costs())
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
    every = settings(COMPARED)
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


@pytest.mark.slow
@pytest.mark.skipif(NODE is None, reason="Node runs the browser's scripts")
def test_the_emulator_says_so_too() -> None:
    """The first of the hundred settings that the script plays record by record."""
    sample = small(4)
    for one, said in zip(sample, ask_node(played=sample)["played"], strict=True):
        assert against_the_emulator(one, said["outcome"]) == ""


@pytest.mark.skipif(NODE is None, reason="Node runs the browser's scripts")
def test_an_address_holds_two_settings_and_comes_back() -> None:
    """Also what is wrong with one: a name that the page does not know is told, not passed over."""
    two = "?rate=200&pf=4&concurrency=4&arch=arm64&against=pf:1,concurrency:none"
    said, same, wrong = ask_node(links=[two, "?against=", "?batch=0&cost-writes=3&against=pf:99"])[
        "links"
    ]
    assert said["faults"] == [] and said["back"] == two
    assert (said["now"]["pf"], said["kept"]["pf"]) == (4, 1)
    assert said["kept"]["concurrency"] == "none" and said["kept"]["rate"] == 200
    assert same["kept"] == same["now"] and same["back"] == "?against="
    assert len(wrong["faults"]) == 3 and "cost-writes" in wrong["faults"][1]
