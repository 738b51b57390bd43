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


def test_a_link_to_a_player_is_a_touch_of_it_alone(site, page) -> None:
    """It begins where it is seen; no other recording is loaded."""
    asked = []
    page.on("request", lambda request: asked.append(Path(request.url).name))
    page.goto(site.address("modules/02-lambda-triggers", "#player-crash"))
    page.locator("#player-crash[data-ready]").wait_for()
    ours = {Path(one).stem for one in blocks("modules/02-lambda-triggers")}
    assert "viewer.js" in asked
    assert {one for one in ours if f"{one}.js" in asked} == {"crash"}
    page.evaluate("location.hash = '#player-overtaken'")
    page.locator("#player-overtaken[data-ready]").wait_for()


# What lies on what in a player's picture: texts on texts, marks in the band of a folded pause.
CROWDED = """host => {
  const svg = host.shadowRoot.querySelector(".picture svg"), found = [];
  const box = one => one.getBoundingClientRect();
  const wide = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const high = (a, b) => Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  const texts = [...svg.querySelectorAll("text")].filter(one => one.textContent);
  texts.forEach((one, at) => {
    for (const other of texts.slice(0, at))
      if (wide(box(one), box(other)) > 1 && high(box(one), box(other)) > 3)
        found.push(`${other.textContent} on ${one.textContent}`);
  });
  for (const mark of svg.querySelectorAll(".record rect, .attempt rect, .moment"))
    for (const band of svg.querySelectorAll(".pause")) {
      const [one, other] = [box(mark), box(band)], across = one.left <= other.left && one.right >= other.right;
      if (!across && wide(one, other) > 2) found.push(`${mark.parentNode.textContent} in a pause`);
    }
  return found;
}"""
# The signs that a player shows and its legend does not explain.
UNTOLD = """host => {
  const all = selector => [...host.shadowRoot.querySelectorAll(selector)].map(one => one.textContent);
  const known = new Set(all(".legend .key"));
  return all("svg text.sign").map(one => one.split(" ")[0])
    .filter(one => one && !known.has(one) && !(/^\\d+$/.test(one) && known.has("12")));
}"""


@pytest.mark.parametrize("width", [1100, 375])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_lies_on_anything_and_every_sign_is_explained(
    name: str, width: int, site, page
) -> None:
    """In every player, whichever way each of its switches is turned."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(site.address(name))
    found = {}
    for one in blocks(name):
        live = begun(page, one).locator(".player-live")
        for radio in live.locator("input[type=radio]").all():
            radio.check()
            faults = [*live.evaluate(CROWDED), *live.evaluate(UNTOLD)]
            if faults:
                found[one, radio.evaluate("one => one.parentNode.textContent")] = faults[:4]
    assert found == {}


@pytest.mark.parametrize("width", [1100, 375])
def test_a_step_moves_nothing_that_stands_below(width: int, site, page) -> None:
    """The player is as high at each event as at the first."""
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(site.address("modules/02-lambda-triggers"))
    for name in ("poison", "crash", "overlap"):
        live = begun(page, name).locator(".player-live")
        live.locator(".picture[role=group]").focus()
        page.keyboard.press("Home")
        seen = set()
        for _ in range(int(live.locator("input[type=range]").get_attribute("max")) + 1):
            seen.add(live.evaluate("one => one.offsetHeight"))
            page.keyboard.press("ArrowRight")
        assert len(seen) == 1, name


@pytest.mark.parametrize("name", PAGES)
def test_a_dark_page_is_printed_light_and_whole(name: str, site, page) -> None:
    """Every table of a player has rows and is as wide as its sheet; every word can be read."""
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 560, "height": 800})
    page.goto(site.address(name))
    assert page.evaluate("document.body.dataset.mdColorScheme") == "slate"
    for one in blocks(name):
        begun(page, one)
    page.emulate_media(media="print", color_scheme="dark")
    assert [one for one in violations(page) if one.startswith("color-contrast")] == []
    for table in page.locator(".player-table").all():
        if table.is_visible():
            assert table.evaluate("one => one.scrollWidth - one.clientWidth") <= 0
            assert table.locator("tbody tr:visible").count() > 0


def test_a_table_that_is_wider_than_a_telephone_says_so(site, page) -> None:
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(site.address("modules/02-lambda-triggers"))
    page.locator("#player-poison summary").first.click()
    page.locator("#player-poison .player-table[data-wide]").first.wait_for()
    said = "one => getComputedStyle(one, '::before').content"
    assert "scrolls" in page.locator("#player-poison .player-table").first.evaluate(said)
