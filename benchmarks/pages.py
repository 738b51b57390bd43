"""Measure every page of the course site in a browser: weight, what jumps, axe, links into it.

    python benchmarks/pages.py [BUILT SITE]

It builds the site unless one is given, serves it to this machine only, and opens each page at a
desk's width and a telephone's. The aims decide the exit code. Before the reader touches anything a
page takes at most 600 KB, uncompressed and without the index of the search, and shifts by at most
0.05; axe finds nothing in light and in dark; a link into a page lands within 100 pixels at first.
That takes several minutes, and needs MkDocs, Playwright and a Chromium.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lighthouse import CHROMIUMS, ROOT, Compressed

from grader.desk import site

AXE = ROOT / "tests" / "site" / "vendor" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SHIFTS = """window.shifted = 0; new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });"""
MOST_BYTES, MOST_SHIFT, MOST_OFF = 600_000, 0.05, 100


def measure(browser: Any, home: str, name: str, width: int, scheme: str) -> dict[str, Any]:
    """What one page weighs (bytes), how far it shifts, what axe finds on it."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    weights: list[int] = []

    def weigh(response: Any) -> None:
        if response.url.startswith(home) and "/search/" not in response.url:
            weights.append(len(response.body()))

    page.on("response", weigh)
    page.add_init_script(SHIFTS)
    page.goto(home + name, wait_until="networkidle")
    page.wait_for_timeout(300)
    found = {"weight": sum(weights), "shift": round(page.evaluate("window.shifted"), 3)}
    page.evaluate("source => (0, eval)(source)", AXE.read_text("utf-8"))
    found["axe"] = page.evaluate(
        "async tags => (await axe.run(document, {runOnly: {type: 'tag', values: tags}}))"
        ".violations.map(one => `${one.id}: ${one.nodes[0].target}`)",
        RULES,
    )
    context.close()
    return found


def landing(browser: Any, home: str, name: str, anchor: str) -> float:
    """How far from the top (pixels) a link into a page lands on a first visit."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{home}{name}#{anchor}", wait_until="networkidle")
    page.wait_for_timeout(300)
    top, left = page.evaluate(
        "id => [document.getElementById(id).getBoundingClientRect().top,"
        " document.documentElement.scrollHeight - innerHeight - scrollY]",
        anchor,
    )
    context.close()
    # Near the end of a page there is nothing left to scroll.
    return 0.0 if left < 2 else float(top)


def links_into(folder: Path) -> set[tuple[str, str]]:
    """Every place of another page that a page links to."""
    found = set()
    for page in folder.rglob("*.html"):
        for target in re.findall(r'href="([^"#:]+\.html)#([\w-]+)"', page.read_text("utf-8")):
            place = (page.parent / target[0]).resolve()
            if place.is_file():
                found.add((place.relative_to(folder.resolve()).as_posix(), target[1]))
    return found


def main() -> int:
    """Exit code 1 when an aim is missed."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(name) / "site"
        if len(sys.argv) < 2:
            site.build(ROOT, folder)
        handler = partial(Compressed, directory=str(folder))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = f"http://127.0.0.1:{server.server_address[1]}/"
        browser = playwright.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, CHROMIUMS)), None),
            args=["--no-sandbox"],
        )
        missed = 0
        pages = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
        for page in pages:
            desk = measure(browser, home, page, 1280, "light")
            hand = measure(browser, home, page, 375, "dark")
            shift, axe = max(desk["shift"], hand["shift"]), [*desk["axe"], *hand["axe"]]
            bad = desk["weight"] > MOST_BYTES or shift > MOST_SHIFT or bool(axe)
            missed += bad
            print(f"{'MISSED' if bad else 'ok':7}{page:45}{desk['weight']:8} B  {shift:5}", *axe)
            sys.stdout.flush()
        for page, anchor in sorted(links_into(folder)):
            if not -1 <= (top := landing(browser, home, page, anchor)) <= MOST_OFF:
                missed += 1
                print(f"MISSED {page}#{anchor} lands {top:.0f} pixels from the top")
        browser.close()
        server.shutdown()
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
