"""The pictures of the course are drawn from what the code does, and can be read by everybody."""

from __future__ import annotations

import importlib
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "pictures"
FOLDER = ROOT / "docs" / "assets" / "pictures"
NAMES = sorted(path.stem for path in FOLDER.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module", name="tool")
def _tool() -> ModuleType:
    """The program behind `python tools/pictures`."""
    sys.path.insert(0, str(TOOL))
    spec = importlib.util.spec_from_file_location("pictures_main", TOOL / "__main__.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(TOOL))
    return module


def test_every_picture_has_its_drawing(tool: ModuleType) -> None:
    assert sorted(tool.PICTURES) == NAMES


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(one, marks=pytest.mark.played) if one in ("incidents", "replay") else one
        for one in NAMES
    ],
)
def test_a_picture_is_what_the_code_draws(name: str, tool: ModuleType) -> None:
    """When this fails, `python tools/pictures` draws it anew; look at the difference first."""
    assert (FOLDER / f"{name}.svg").read_text(encoding="utf-8") == tool.PICTURES[name]()


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_says_in_words_what_it_shows(name: str) -> None:
    """A title and a description, named by the role; words are text, and large enough at 320 px."""
    root = ET.parse(FOLDER / f"{name}.svg").getroot()
    # What has links is no single image to a screen reader.
    assert root.get("role") == ("group" if list(root.iter(f"{SVG}a")) else "img")
    for part, identity in (("title", "t"), ("desc", "d")):
        found = root.find(f"{SVG}{part}")
        assert found is not None and found.get("id") == identity and found.text
    assert root.get("aria-labelledby") == "t d"
    width = float(str(root.get("viewBox")).split()[2])
    sizes = [float(size) for size in re.findall(r"font-size:([\d.]+)px", _style(root))]
    assert min(sizes) * (320 - 32) / width >= 8, "a word is smaller than 8 pixels on a phone"
    assert list(root.iter(f"{SVG}text"))
    assert "url(" not in _style(root) and "prefers-color-scheme:dark" in _style(root)


@pytest.mark.parametrize("name", NAMES)
def test_the_words_of_a_picture_stay_inside(name: str) -> None:
    """By a generous guess of a letter's width; a picture that fails is too full."""
    root = ET.parse(FOLDER / f"{name}.svg").getroot()
    _, _, width, height = (float(part) for part in str(root.get("viewBox")).split())
    for one in root.iter(f"{SVG}text"):
        kind = str(one.get("class"))
        letter = (10.5 if "small" in kind else 12) * (0.57 if "strong" in kind else 0.52)
        length = letter * len("".join(one.itertext()))
        x = float(str(one.get("x")))
        left = {"middle": x - length / 2, "end": x - length}.get(str(one.get("text-anchor")), x)
        assert left >= 0 and left + length <= width + 4, one.text
        assert 0 < float(str(one.get("y"))) < height, one.text


def test_links_in_pictures_lead_to_headings() -> None:
    """Beside a built page, whose name ends in .html where the source's ends in .md."""
    links = [
        str(one.get("href"))
        for name in NAMES
        for one in ET.parse(FOLDER / f"{name}.svg").getroot().iter(f"{SVG}a")
    ]
    assert len(links) >= 5
    for link in links:
        page, _, anchor = link.partition("#")
        source = (FOLDER / page).resolve().with_suffix(".md")
        assert f"{{ #{anchor} }}" in source.read_text(encoding="utf-8"), link


def _style(root: ET.Element) -> str:
    return str(root.findtext(f"{SVG}style"))


def _contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_paper_and_boxes(scheme: str) -> None:
    """Contrast of at least 4.5 to 1, in both colour schemes."""
    style = _style(ET.parse(FOLDER / "pipeline.svg").getroot())
    light, _, dark = style.partition("@media (prefers-color-scheme:dark){")
    fills = dict(re.findall(r"\.?([\w]+)\{[^}]*?fill:(#\w{6})", light))
    if scheme == "dark":
        fills |= dict(re.findall(r"\.?([\w]+)\{[^}]*?fill:(#\w{6})", dark))
    papers = [fills[name] for name in ("paper", "box", "boxgood", "boxbad", "boxwait")]
    for name in ("text", "soft"):
        for paper in papers:
            assert _contrast(fills[name], paper) >= 4.5, (name, paper)
    for name in ("accent", "good", "bad", "wait"):
        assert _contrast(fills[name], fills["paper"]) >= 4.5, name
    assert _contrast(fills["bad"], fills["boxbad"]) >= 4.5
