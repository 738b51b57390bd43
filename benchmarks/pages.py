"""Measure every page of the course site in a browser: weight, what jumps, axe, links into it.

    python benchmarks/pages.py [BUILT SITE] [pages] [links]

It builds the site unless one is given, serves it to this machine only, and opens each page at a
desk's width and a telephone's. The aims decide the exit code. Before the reader touches anything a
page takes at most 600 KB, uncompressed and without the index of the search, and shifts by at most
0.05; axe finds nothing in light and in dark, as the page comes and with all of it opened: what is
folded, every question answered, every player begun and moved. Whatever a page, a finding or a
README leads to inside a page lands within 100 pixels on the first visit, and shifts no further than
a plain visit. That takes half an hour, and needs MkDocs, Playwright and a Chromium.
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


OPENED = """async () => {
  const wait = (time) => new Promise((done) => setTimeout(done, time));
  // A hand on the page begins its players as they come near.
  dispatchEvent(new Event("pointermove"));
  const seen = () => [...document.querySelectorAll(".md-typeset .player, .viewer")];
  for (const player of seen()) {
    player.scrollIntoView();
    const waits = () => player.dataset.player && !player.dataset.ready;
    for (let turn = 0; turn < 60 && waits(); turn += 1) await wait(100);
    const live = player.querySelector(".player-live")?.shadowRoot;
    const last = live?.querySelectorAll(".switches fieldset label:last-child input") ?? [];
    for (const radio of last) radio.click();
    live?.querySelector('[aria-label="One event back"]')?.click();
  }
  for (const one of document.querySelectorAll("main details")) one.open = true;
  for (const form of document.querySelectorAll(".quiz-form")) {
    form.querySelector("input[type=radio], input[type=checkbox]")?.click();
    const number = form.querySelector("input:not([type=radio]):not([type=checkbox])");
    if (number) number.value = "1";
    form.querySelector("[type=submit]").click();
  }
  const boxes = document.querySelectorAll("main .task-list-item input:not(:disabled)");
  for (const box of boxes) box.click();
  // Colours that are on their way are nobody's.
  document.head.append(Object.assign(document.createElement("style"),
    { textContent: "* { transition: none !important; animation: none !important; }" }));
  await wait(300);
}"""


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
    # What is far away is laid out when axe asks; places of two moments would be compared.
    page.evaluate("document.documentElement.removeAttribute('data-far')")
    page.evaluate("source => (0, eval)(source)", AXE.read_text("utf-8"))
    found["axe"] = axe(page)
    page.evaluate(OPENED)
    found["axe"] += [f"opened, {one}" for one in axe(page)]
    context.close()
    return found


def axe(page: Any) -> list[str]:
    """What axe finds on a page as it is now."""
    found: list[str] = page.evaluate(
        "async tags => (await axe.run(document, {runOnly: {type: 'tag', values: tags}}))"
        ".violations.map(one => `${one.id}: ${one.nodes.map(node => node.target).slice(0, 3)}`)",
        RULES,
    )
    return found


def landing(browser: Any, home: str, name: str, anchor: str, width: int) -> tuple[float, float]:
    """How far from the top (pixels) a link into a page lands on a first visit, and what shifts."""
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.add_init_script(SHIFTS)
    page.goto(f"{home}{name}#{anchor}", wait_until="load")
    page.wait_for_timeout(400)
    place = page.evaluate(
        "id => { const one = document.getElementById(id); return one &&"
        " [one.getBoundingClientRect().top,"
        " document.documentElement.scrollHeight - innerHeight - scrollY]; }",
        anchor,
    )
    shift = float(page.evaluate("window.shifted"))
    context.close()
    if place is None:
        return float("inf"), shift
    top, left = place
    # Near the end of a page there is nothing left to scroll.
    return 0.0 if left < 2 and top > 0 else float(top), shift


Places = set[tuple[str, str]]


def links_into(folder: Path) -> Places:
    """Every place of a page that a page, a finding or a README links to."""
    found: Places = set()
    for page in folder.rglob("*.html"):
        content = re.split(r'class="?md-content[" ]', page.read_text("utf-8"), maxsplit=1)[-1]
        for name, anchor in re.findall(r'href="([^"#:]*)#([\w.:-]+)"', content):
            place = (page.parent / name).resolve() if name else page.resolve()
            if place.is_file():
                found.add((place.relative_to(folder.resolve()).as_posix(), anchor))
    sources = [*ROOT.glob("grader/**/*.py"), *ROOT.glob("labs/*/README.md"), ROOT / "README.md"]
    for source in sources:
        for name, anchor in re.findall(
            r"([\w/-]+)(?:\.md)?#([a-z][\w-]+)", source.read_text("utf-8")
        ):
            name = f"{name.removeprefix('docs/')}.html"
            if (folder / name).is_file():
                found.add((name, anchor))
    return found


def weigh_all(browser: Any, home: str, folder: Path) -> int:
    """Print what every page weighs, shifts and violates; how many miss an aim."""
    missed = 0
    for page in sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html")):
        seen = [
            measure(browser, home, page, width, scheme)
            for width, scheme in ((1280, "light"), (1280, "dark"), (375, "dark"))
        ]
        shift, weight = max(one["shift"] for one in seen), seen[0]["weight"]
        axe_said = list(dict.fromkeys(said for one in seen for said in one["axe"]))
        bad = weight > MOST_BYTES or shift > MOST_SHIFT or bool(axe_said)
        missed += bad
        print(f"{'MISSED' if bad else 'ok':7}{page:45}{weight:8} B  {shift:5}", *axe_said)
        sys.stdout.flush()
    return missed


def land_all(browser: Any, home: str, folder: Path) -> int:
    """Print which links into a page land elsewhere; how many do."""
    missed, places = 0, sorted(links_into(folder))
    assert {"modules/02-lambda-triggers.html"} < {page for page, _ in places}, "nothing was read"
    for page, anchor in places:
        seen = [landing(browser, home, page, anchor, width) for width in (1280, 375)]
        if any(not -1 <= top <= MOST_OFF or shift > MOST_SHIFT for top, shift in seen):
            missed += 1
            told = ", ".join(f"{top:.0f} pixels and a shift of {shift:.3f}" for top, shift in seen)
            print(f"MISSED {page}#{anchor}, at 1,280 and 375: {told}")
            sys.stdout.flush()
    print(f"{len(places) - missed} of {len(places)} links land where they should, and stand still")
    return missed


def main() -> int:
    """Exit code 1 when an aim is missed."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        parts = {"pages", "links"}
        asked = parts & set(sys.argv[1:]) or parts
        given = [one for one in sys.argv[1:] if one not in parts]
        folder = Path(given[0]) if given else Path(name) / "site"
        if not given:
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
        if "pages" in asked:
            missed += weigh_all(browser, home, folder)
        if "links" in asked:
            missed += land_all(browser, home, folder)
        browser.close()
        server.shutdown()
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
