"""Measure the page of the longest scenario: what it weighs, how fast it opens and steps.

    python benchmarks/replay.py

Wants Playwright and a Chromium (the extra ``site``). Figures are medians of five openings: seconds
of the page's own thread, so that they hold on a busy machine, and by the clock. Aims: less than a
megabyte, opened in less than a second, a step within a frame (16 ms).
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import sync_playwright

from grader.course import judge
from grader.course.lab import find
from grader.replay import run
from grader.replay.page import page as html_of

OPENINGS, STEPS = 5, 50


def opened(browser: Any, address: str) -> tuple[float, float, float]:
    """Opening by the clock and by its thread (seconds), and a step by its thread (milliseconds)."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    watching = page.context.new_cdp_session(page)
    watching.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = watching.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    began = time.perf_counter()
    page.goto(address)
    page.locator("#viewer[data-ready]").wait_for()
    by_clock, opening = time.perf_counter() - began, spent()
    page.locator(".picture").focus()
    before = spent()
    for _ in range(STEPS):
        page.keyboard.press("ArrowRight")
    stepping = (spent() - before) / STEPS * 1000
    page.close()
    return by_clock, opening, stepping


def main() -> None:
    """Play lab 6's longer day, write its page, open it."""
    lab = find("6")
    document, _ = judge.run(lab, lab.solution, 0, "monday")
    html = html_of(document)
    print(
        f"document {len(run.text(document)) / 1e3:,.0f} KB, page {len(html.encode()) / 1e3:,.0f} KB"
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        place = Path(folder) / "run.html"
        place.write_text(html, encoding="utf-8")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        measured = [opened(browser, place.as_uri()) for _ in range(OPENINGS)]
        browser.close()
    by_clock, opening, stepping = map(statistics.median, zip(*measured, strict=True))
    print(f"opens in {opening:.2f} s, by the clock {by_clock:.2f} s (aim: less than 1)")
    print(f"a step takes {stepping:.1f} ms (aim: 16)")


if __name__ == "__main__":
    main()
