"""The built site as files: it builds strictly, every link and anchor holds, nothing is doubled."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from grader.desk import site as building
from grader.desk.cli import cli
from grader.maintain import pages

ROOT = Path(__file__).resolve().parents[2]
# Elements without an end tag.
VOID = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
}  # fmt: skip
# Elements whose end tag may be left out.
LOOSE = {"p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "option", "colgroup"}


class Markup(HTMLParser):
    """The ids and targets of one page or picture, and what is wrong with its nesting."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        for name in ("href", "src", "xlink:href"):
            if given.get(name):
                self.targets.append(str(given[name]))
        if tag == "img":
            self.images.append(given)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        while self.open and self.open[-1] != tag and self.open[-1] in LOOSE:
            self.open.pop()
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at line {self.getpos()[0]}")


@cache
def markup(path: Path) -> Markup:
    found = Markup()
    found.feed(path.read_text(encoding="utf-8"))
    return found


def dead(page: Path, root: Path) -> list[str]:
    """Targets of ``page`` that are not there, or lack the anchor."""
    found = []
    for target in markup(page).targets:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        place = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if parts.path.startswith("/") or not place.is_relative_to(root):
            found.append(f"{target} leaves the site")
        elif not place.is_file():
            found.append(f"{target} is missing")
        elif parts.fragment and place.suffix in (".html", ".svg"):
            anchor = unquote(parts.fragment)
            # The theme's own marks of a picture's colour scheme.
            if anchor not in markup(place).ids and anchor not in ("only-light", "only-dark"):
                found.append(f"{target} has no such anchor")
    return found


def test_the_site_builds_strictly(site) -> None:
    assert site.status == 0, site.said


def test_every_link_and_anchor_holds(site) -> None:
    """In pages and inside pictures."""
    root = site.folder.resolve()
    files = [*site.pages(), *site.folder.rglob("*.svg")]
    broken = {
        str(f.relative_to(site.folder)): bad for f in files if (bad := dead(f.resolve(), root))
    }
    assert broken == {}


def test_the_checker_of_links_finds_what_is_dead(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<p id="a"><a href="#b">x</a><a href="no.html">x</a><a href="../out.html">x</a>'
    )
    said = dead(page, tmp_path)
    assert [one.split(" ", 1)[1] for one in said] == [
        "has no such anchor", "is missing", "leaves the site",
    ]  # fmt: skip


def test_no_id_is_given_twice(site) -> None:
    twice = {}
    for page in site.pages():
        counted = [name for name, n in Counter(markup(page).ids).items() if n > 1]
        if counted:
            twice[page.name] = counted
    assert twice == {}


def test_elements_are_closed_in_order(site) -> None:
    assert {page.name: markup(page).wrong for page in site.pages() if markup(page).wrong} == {}


def test_every_picture_has_a_text_alternative(site) -> None:
    for page in site.pages():
        for image in markup(page).images:
            assert (image.get("alt") or "").strip(), f"{page.name}: {image.get('src')}"


def test_every_picture_says_how_large_it_is(site) -> None:
    """As the file itself does: a browser keeps the place, and links into the page land."""
    for page in site.pages():
        for image in markup(page).images:
            file = page.parent / str(image.get("src"))
            if file.suffix != ".svg" or not file.is_file():
                continue
            drawn = re.search(r'<svg [^>]*?width="(\d+)" height="(\d+)"', file.read_text("utf-8"))
            assert drawn is not None, file.name
            place = f"{page.name}: {file.name}"
            if file.name != "mark.svg":
                assert (image.get("width"), image.get("height")) == drawn.groups(), place


def test_every_page_describes_itself(site) -> None:
    """Front matter `description`, at most 160 characters, each its own: search engines show it."""
    seen: dict[str, str] = {}
    for page in site.pages():
        found = re.search(r'<meta name="description" content="([^"]+)"', page.read_text("utf-8"))
        assert found is not None and len(found[1]) <= 160, page.name
        # Front matter that cannot be read, for a ": " in its sentence, is shown as text.
        assert "<p>description: " not in page.read_text("utf-8"), page.name
        seen.setdefault(found[1], page.name)
        assert f'<meta property="og:description" content="{found[1]}"' in page.read_text("utf-8")


# --- the form of cards ------------------------------------------------------------------------


def modules() -> list[Path]:
    return sorted((ROOT / "docs" / "modules").glob("*.md"))


def test_no_flashcard_stands_twice_in_the_course() -> None:
    counted: Counter[str] = Counter()
    for path in modules():
        for block in re.findall(
            r'^<div class="cards".*?^</div>$', path.read_text("utf-8"), re.M | re.S
        ):
            counted.update(re.findall(r'^\?\?\? question "(.+)"$', block, re.M))
    assert [question for question, n in counted.items() if n > 1] == []


def test_lines_of_included_files_are_not_marked_by_number() -> None:
    """`hl_lines` counts inside the snippet and drifts without a word."""
    for path in (ROOT / "docs").rglob("*.md"):
        assert "hl_lines" not in path.read_text(encoding="utf-8"), path


# --- what is written by program, what others wrote --------------------------------------------


@pytest.mark.parametrize(
    "name", ["docs/assets/js/prices.js", "docs/assets/js/drawing.js", "docs/cards.md"]
)
def test_what_a_program_writes_is_in_step(name: str) -> None:
    """`labs dev sync` writes it."""
    assert pages.generated(cli)[name]() == (ROOT / name).read_text(encoding="utf-8")


def test_links_of_cards_hold_from_where_the_cards_are_collected() -> None:
    moved = pages._links_from_above(
        "[a](#x) [b](../simulator.md?rate=1) [c](03-monitoring.md#y) [d](https://aws.amazon.com/)",
        "02.md",
    )
    assert moved == (
        "[a](modules/02.md#x) [b](simulator.md?rate=1) [c](modules/03-monitoring.md#y) "
        "[d](https://aws.amazon.com/)"
    )


def test_a_trimmed_site_is_small_and_complete(site, tmp_path: Path) -> None:
    """What the wheel carries: no maps, no other languages' stemmers, within 4 MB."""
    target = tmp_path / "site"
    shutil.copytree(site.folder, target)
    building.trim(target)
    files = [path for path in target.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix == ".map" or "lunr" in path.parts]
    assert sum(path.stat().st_size for path in files) < 4_000_000
    assert (target / "search" / "search_index.js").is_file()


def test_what_is_said_otherwise_in_the_themes_files_is_there_to_be_said(site) -> None:
    """A new version of the theme that writes it differently would be slow without a word."""
    material = pytest.importorskip("material", reason="the extra docs is not installed")
    theme = Path(material.__file__).parent / "templates" / "assets"
    for files, pattern, instead in building.CALMER:
        (path,) = theme.glob(files)
        (built,) = (site.folder / "assets").glob(files)
        assert re.search(pattern, path.read_text(encoding="utf-8")), pattern
        assert not re.search(pattern, built.read_text(encoding="utf-8")), (pattern, instead)


def test_every_column_of_a_table_has_a_heading(site) -> None:
    """A screen reader names the column of each cell."""
    for page in site.folder.rglob("*.html"):
        assert not re.search(r"<th\b[^>]*>\s*</th>", page.read_text("utf-8")), page.name


def test_only_plugins_that_zensical_has_are_used() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    block = re.search(r"^plugins:\n((?:  .*\n)+)", text, re.M)
    assert block is not None
    assert re.findall(r"^  - (\w+)", block[1], re.M) == ["search", "tags", "meta", "offline"]
    assert "hooks:" not in text and "use_directory_urls: false" in text


def test_what_others_wrote_has_its_licence_beside_it() -> None:
    vendored = ("docs/assets/vendor/iframe-worker", "docs/assets/vendor/source-serif-4")
    for folder in (ROOT / name for name in (*vendored, "tests/site/vendor/axe-core")):
        text = (folder / "LICENSE.txt").read_text(encoding="utf-8")
        assert "Permission is hereby granted" in text or "Mozilla Public License" in text


def test_words_are_spelled_right() -> None:
    pytest.importorskip("codespell_lib", reason="the extra site is not installed")
    places = ["docs", "labs", "solutions", "overrides", "includes", "README.md", "CONTRIBUTING.md"]
    done = subprocess.run(
        [sys.executable, "-m", "codespell_lib", "-S", "*/vendor/*,*.svg,*/players/*.js", *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_every_page_allows_only_the_scripts_that_it_has(site) -> None:
    """Its policy stands before its first script, names each of its own by a hash, and nothing else
    of it may come from anywhere but the site. The search's frame works from disk by one of them.
    """
    for page in [*site.pages(), site.folder / "404.html"]:
        html = page.read_text(encoding="utf-8")
        [policy] = re.findall(
            r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', html
        )
        assert html.index(policy) < html.index("<script"), page
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert rules["default-src"] == "'none'" and "unsafe" not in rules["script-src"]
        assert not re.search(r"https?:|\*|unsafe-eval", policy)
        inline = re.findall(r"<script(?: id=\"\w+\")?>(.*?)</script>", html, re.S)
        for one in inline:
            digest = b64encode(sha256(one.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in rules["script-src"], page
        assert rules["script-src"].count("sha256-") == len(set(inline)) + 1
