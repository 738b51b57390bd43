"""Slides of a module: the page's own words, one idea on each, readable from the last row."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from test_site_browser import violations

from grader.course.files import UsageError
from grader.desk import site as building
from grader.desk import slides

# Words of the slides themselves.
OWN = {"Question", "Show live"}


class Words(HTMLParser):
    """The words of a page, scripts and styles left out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self._within.append(tag)
        if tag == "meta":
            self.found.append(dict(attrs).get("content") or "")

    def handle_endtag(self, tag: str) -> None:
        if self._within and tag == self._within[-1]:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.found.append(data)


def letters(text: str) -> str:
    """A text without spaces and signs, which markup may have parted."""
    return re.sub(r"\W", "", text)


@pytest.fixture(scope="module", name="projected")
def _projected(site, tmp_path_factory) -> Path:
    """A copy of the site as it is installed, with slides."""
    folder = tmp_path_factory.mktemp("slides") / "site"
    shutil.copytree(site.folder, folder)
    building.trim(folder)
    for module in list(folder.glob("modules/[0-9][0-9]-*.html")):
        slides.write(module)
    return folder


def test_every_module_has_slides_and_the_command_finds_them(projected: Path) -> None:
    names = {
        path.relative_to(projected).as_posix().removesuffix(".html"): path
        for path in projected.rglob("*.html")
    }
    for module in range(1, 7):
        name = building.slides_of(names, module)
        assert re.fullmatch(rf"modules/0{module}-[a-z-]+\.slides", name)
        text = (projected / f"{name}.html").read_text("utf-8")
        assert '<template id="speaker"><h2' in text, "what the instructor's page says of the module"
    with pytest.raises(UsageError, match="no slides of module 7"):
        building.slides_of(names, 7)


def test_slides_say_what_the_page_says_one_thing_at_a_time(projected: Path, page) -> None:
    """Every word is the page's or the instructor's; a slide fits a projector, its picture is large."""
    said = Words()
    (file,) = projected.glob("modules/02-*.slides.html")
    said.feed(file.read_text("utf-8"))
    known = letters("".join(said.found))
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(file.as_uri())
    count = int(page.locator(".slides-count").inner_text().split(" of ")[1])
    assert count > 30
    squeezed, small, asked = [], [], 0
    for number in range(1, count + 1):
        slide = page.locator(f"#slide-{number}")
        assert slide.is_visible() and page.locator(".slide:visible").count() == 1
        if slide.locator(".player").count():
            slide.locator(".player.is-live").wait_for()
            page.wait_for_timeout(200)
        title, body, high, pictures = slide.evaluate(
            "s => [s.querySelector('h1,h2').textContent,"
            " [...s.querySelector('.slide-body').children].filter(one => !one.matches('.player, .quiz')"
            " && !one.querySelector('.player, .quiz')).map(one => one.innerText).join('\\n'),"
            " s.getBoundingClientRect().bottom,"
            " [...s.querySelectorAll('img')].map(i => i.getBoundingClientRect().height)]"
        )
        assert title in OWN or letters(title) in known
        for line in body.split("\n"):
            parts = re.split(r"(?<=[.:?]) ", line)
            assert all(letters(part) in known for part in parts), line
        squeezed += [number] if high > 720 else []
        small += [number] if any(0 < one < 240 for one in pictures) else []
        asked += title == "Question"
        page.keyboard.press("ArrowRight")
    assert len(squeezed) <= count / 20 and small == [] and asked >= 3
    page.keyboard.press("Home")
    page.keyboard.press("PageDown")
    assert page.locator(".slides-count").inner_text() == f"2 of {count}"
    assert page.locator(".notes:visible").count() == 0
    page.keyboard.press("n")
    assert "point at" in page.locator(".notes:visible").inner_text()
    assert violations(page) == []
    page.get_by_role("link", name="The page").click()
    assert page.url.endswith("modules/02-lambda-triggers.html")
