"""The players in a browser: light until they are touched, then switched and stepped through."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.site.test_site_browser import violations

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page.relative_to(ROOT / "docs").with_suffix("").as_posix()
    for page in (ROOT / "docs").rglob("*.md")
    if '--8<-- "includes/players/' in page.read_text(encoding="utf-8")
)
MOST = 600_000


def blocks(name: str) -> list[str]:
    """The players of a page, by their recordings."""
    text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    included = re.findall(r'^--8<-- "(includes/players/.+\.md)"$', text, re.M)
    texts = ((ROOT / one).read_text(encoding="utf-8") for one in included)
    return [name for text in texts for name in re.findall(r'data-player="(\w+)"', text)]


def weight(addresses: list[str]) -> int:
    """The bytes of files on disk; the search index, which the theme loads ahead, is not counted."""
    files = {unquote(urlsplit(one).path) for one in addresses}
    return sum(Path(one).stat().st_size for one in files if "search_index" not in one)


def begun(page, name: str):
    """The player of this name, touched and ready."""
    block = page.locator(f"#player-{name}")
    block.scroll_into_view_if_needed()
    page.mouse.move(100, 100)
    page.mouse.move(120, 140)
    page.locator(f"#player-{name}[data-ready]").wait_for()
    return block


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_light_until_it_is_touched(name: str, site, page) -> None:
    """At most 600 kB before; no recording of it. Afterwards all of its players at most 1 MB more,
    from disk, without an error, and nothing wider than a telephone.
    """
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(site.address(name))
    page.wait_for_load_state("load")
    assert weight(asked) <= MOST
    assert not [one for one in asked if "assets/players/" in one and one.endswith(".js")]
    before = set(asked)
    for one in blocks(name):
        begun(page, one)
    later = set(asked) - before
    assert weight([one for one in later if one.endswith(".js")]) <= 1_000_000
    assert all(one.startswith(site.folder.as_uri()) for one in asked) and errors == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_switches_and_steps_work_by_keyboard(site, page) -> None:
    """A switch changes the figures; arrows step; a letter does not open the site's search."""
    page.goto(site.address("modules/02-lambda-triggers"))
    block = begun(page, "poison")
    figures = block.locator(".figures")
    assert "good records given up or lost: 0" in figures.inner_text()
    block.get_by_role("radio", name="off").focus()
    page.keyboard.press("Space")
    assert "good records given up or lost: 3" in figures.inner_text()
    block.locator(".picture[role=group]").focus()
    page.keyboard.press("Home")
    assert "The play begins." in block.locator(".now").inner_text()
    page.keyboard.press("ArrowRight")
    assert "8 records written" in block.locator(".now").inner_text()
    page.keyboard.press("s")
    assert not page.evaluate("document.querySelector('#__search').checked")


def test_it_follows_the_scheme_of_the_site_and_is_accessible(site, page) -> None:
    """In both schemes axe finds nothing; the viewer changes its colours with the page."""
    page.goto(site.address("modules/03-monitoring"))
    block = begun(page, "alarms")
    paper = "e => getComputedStyle(e.shadowRoot.querySelector('.viewer')).backgroundColor"
    seen = set()
    for scheme in ("default", "slate"):
        page.evaluate("s => { document.body.dataset.mdColorScheme = s; }", scheme)
        page.wait_for_timeout(50)
        seen.add(block.locator(".player-live").evaluate(paper))
        assert violations(page) == []
    assert len(seen) == 2


def test_on_paper_and_without_scripts_the_picture_and_the_table_stand(site, browser, page) -> None:
    page.goto(site.address("modules/02-lambda-triggers"))
    block = begun(page, "crash")
    page.emulate_media(media="print")
    assert block.locator(".player-still").is_visible()
    assert not block.locator(".viewer").is_visible()
    assert block.locator(".player-table").first.is_visible()
    assert not block.locator(".player-each").first.is_visible()
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(site.address("modules/02-lambda-triggers"))
    block = plain.locator("#player-crash")
    assert block.locator(".player-still img").is_visible()
    block.locator("summary").first.click()
    assert "sum, then marker" in block.locator(".player-table").first.inner_text()
    context.close()
