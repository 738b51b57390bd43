"""Lab 5's workloads: how large the regions of right points are, and that the README says the same.

The grid is small, so that it takes little time; each limit is broken alone by some plausible point.
"""

from __future__ import annotations

import re
import tomllib
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from grader.course.labs.lab05.workloads import TIMEOUT_S, WORKLOADS, Judged, judged, prices
from grader.review.tuning import Choice, Handler, Load, memory_table, simulate

ROOT = Path(__file__).parents[3]

# Batch sizes, windows (seconds), parallelizations, memories (MB) of each workload's grid, and how
# many of its points are right.
GRIDS = {
    "low": (((100,), (0, 30, 60, 300), (1, 2), (256, 3008)), 2),
    "medium": (((100, 1000), (10, 60), (1, 2), (512,)), 3),
    "high": (((100, 1000), (5,), (1, 2), (512, 1769)), 2),
    "real-time": (((100,), (0, 2), (1, 2, 3), (256, 512)), 3),
}
# One point for each limit that it breaks alone: batch size, window, parallelization, memory,
# reserved concurrency.
BREAKS = {
    "low": {
        "late": (100, 300, 4, 512, None),
        "throttled": (100, 30, 10, 1024, None),
        "dear": (100, 0, 4, 1024, None),
    },
    "medium": {"late": (500, 10, 1, 512, None), "dear": (10, 0, 4, 1769, None)},
    "high": {"late": (100, 10, 4, 128, None), "dear": (1000, 10, 4, 1769, None)},
    "real-time": {"late": (100, 3, 2, 512, None), "dear": (100, 0, 4, 3008, None)},
}


def _judged(name: str, point: tuple[int, int, int, int, int | None]) -> Judged:
    size, window, lanes, memory, reserved = point
    choice = Choice(
        size, window, lanes, concurrency=reserved, memory_mb=memory, timeout_s=TIMEOUT_S
    )
    return judged(WORKLOADS[name], choice)


@pytest.mark.slow
@pytest.mark.parametrize("name", GRIDS)
def test_a_region_is_neither_empty_nor_everything(name: str) -> None:
    axes, expected = GRIDS[name]
    points = [(*point, None) for point in product(*axes)]
    right = sum(_judged(name, point).right for point in points)
    assert right == expected
    assert 1 < right < len(points) / 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "limit"), [(name, limit) for name, of in BREAKS.items() for limit in of]
)
def test_each_limit_is_broken_alone_by_a_plausible_point(name: str, limit: str) -> None:
    point = _judged(name, BREAKS[name][limit])
    broken = [what for what in ("late", "throttled", "dear") if getattr(point, what)]
    assert broken == [limit]


def test_reserved_concurrency_below_the_lanes_throttles() -> None:
    """Two shards with two lanes each and one execution."""
    assert _judged("medium", (500, 10, 2, 512, 1)).throttled


def test_the_readmes_table_says_what_is_simulated() -> None:
    text = (ROOT / "labs/05-cost/README.md").read_text("utf-8")
    rows = {
        cells[0]: cells[1:]
        for line in text.splitlines()
        if line.startswith("| ")
        and len(cells := [c.strip() for c in line.strip("|").split("|")]) == 5
    }

    def row(begins: str) -> list[str]:
        return next(cells for name, cells in rows.items() if name.startswith(begins))

    for column, one in enumerate(WORKLOADS.values()):
        assert row("Writes a second, quiet")[column] == f"{one.quiet} ({one.quiet_hours} h)"
        assert row("Writes a second, busy")[column] == f"{one.busy:,}"
        burst = f"{one.burst:,} ({one.burst_minutes} min)"
        assert row("Writes a second in the burst")[column] == burst
        assert row("Shards")[column] == str(one.shards)
        call, record = row("Handler, each call")[column], row("Handler, each record")[column]
        handler = one.handler
        assert call == f"{handler.call_ms:g} + {handler.call_wait_ms:g} ms"
        assert record == f"{handler.record_ms:g} + {handler.record_wait_ms:g} ms"
        assert row("Executions")[column] == str(one.concurrency)
        assert row("**Lag**")[column] == f"{one.lag_s} s"
        assert row("**Throttles**")[column] == str(one.throttles)
        assert row("**Cost**")[column] == f"${one.budget:.2f}"
        assert row("Free quotas")[column] == ("all left" if one.free else "used up")
    assert re.search(rf"time-out is {TIMEOUT_S} seconds", text)
    assert "300 bytes" in text


@pytest.mark.slow
def test_the_solutions_points_have_room_on_every_side() -> None:
    """The solution is inside each region, not on its edge."""
    chosen = tomllib.loads((ROOT / "solutions/05-cost/tuning.toml").read_text("utf-8"))
    for name, workload in WORKLOADS.items():
        given = chosen[name]
        point = (
            given["BatchSize"],
            given["MaximumBatchingWindowInSeconds"],
            given["ParallelizationFactor"],
            given["MemorySize"],
            None,
        )
        seen = _judged(name, point)
        assert seen.right
        assert seen.lag_ms < workload.lag_s * 1000 * Decimal("0.9")
        assert seen.bill.total <= workload.budget * Decimal("0.9")


# -- the module page ------------------------------------------------------------------------------

PAGE = (ROOT / "docs/modules/05-cost.md").read_text("utf-8")


def test_the_pages_table_of_batch_sizes_is_what_is_computed() -> None:
    """One shard, 100 writes a second, 512 MB; an hour stands for the day."""
    handler = Handler(call_ms=6, record_ms=2, call_wait_ms=10, record_wait_ms=2)
    rows = re.findall(
        r"^\| (\d+) \| (\d+) s \| (\d+) \| ([\d,]+) \| ([\d,]+) \| (it grows|[\d.]+ s) "
        r"\| \$([\d.]+) \| \$([\d.]+) \|$",
        PAGE,
        re.MULTILINE,
    )
    assert len(rows) == 6
    for size, window, lanes, calls, records, lag, requests, compute in rows:
        choice = Choice(int(size), int(window), int(lanes), memory_mb=512, timeout_s=TIMEOUT_S)
        seen = simulate(Load.steady(100, 3600), handler, choice)
        bill = seen.bill(prices(), free=False)
        assert calls == f"{seen.invocations * 24:,}"
        assert records == f"{seen.mean_batch:,.0f}"
        assert lag == ("it grows" if seen.backlog_grows else f"{seen.max_delay_ms / 1000:.1f} s")
        assert [requests, compute] == [f"{line.cost:.2f}" for line in bill.lines]


def test_the_pages_table_of_memory_is_what_is_computed() -> None:
    """A batch of 100 with a handler that computes, that does both, and that waits."""
    handlers = (
        Handler(call_ms=6, record_ms=2),
        Handler(call_ms=6, record_ms=2, call_wait_ms=10, record_wait_ms=2),
        Handler(call_ms=4, record_ms=0, call_wait_ms=10, record_wait_ms=40),
    )
    rows = re.findall(r"^\| (\d+) MB \|(.+)\|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for memory, cells in rows:
        for cell, handler in zip(cells.split("|"), handlers, strict=True):
            (row,) = memory_table(prices(), handler, 100, (int(memory),))
            assert cell.strip() == f"{row.duration_ms:,} ms, ${row.per_million:.2f}"
