"""Pages of a class in a browser, opened from disk: by keyboard, on a telephone, in the dark, on paper."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from made_class import IN_TIME, finding, grade, hand_in, settings
from test_site_browser import violations

from grader.classroom import alike
from grader.classroom.record import Record
from grader.classroom.report import write, write_anonymous
from grader.classroom.roster import Learner
from grader.course.lab import find

HOSTILE = (
    "</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
)
PAGES = (
    "overview.html",
    "overview-anonymous.html",
    "feedback/mia/feedback.html",
    "alike/index.html",
    "alike/lab02-1.html",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of a small class, compared with an earlier one, with hostile text in it."""
    root = tmp_path_factory.mktemp("class")
    names = [
        "Mia Brück",
        "王小明",
        HOSTILE,
        "Kim",
        "A name that is longer than any place for it is",
    ]
    roster = {key: Learner(key, name) for key, name in zip(["mia", *"bcde"], names, strict=True)}
    told = finding(rule=HOSTILE, where="x" * 300)
    course = settings(root, name=f"Streams {HOSTILE}")
    with Record(root / "class.sqlite") as record:
        for number, key in enumerate(roster):
            seen = grade({"once-crash": "unmet", "role-tight": "unreached"} if number else {})
            hand_in(record, key, seen, at=IN_TIME)
        write(course, roster, record)
        hand_in(record, "mia", grade({"filter-quiet": "unmet"}, told=told), content="c2", attempt=2)
        hand_in(record, "e", None)
        write(course, roster, record)
        write_anonymous(course, roster, record)
    chance = random.Random(0)
    sums = (
        " ".join(chance.choices(("a +", "len(a) -", "a.b *", "a[0] /"), k=8)) for _ in range(40)
    )
    lines = [f"    x = {one} '</pre><script>'  # {HOSTILE}\n" for one in sums]
    code = "def handler(a, b):\n" + "".join(lines)
    works = [alike.work(key, {"handler.py": code.encode()}) for key in ("mia", "c")]
    alike.write(course, roster, [alike.compare(find("2"), works)])
    return course.reports


@pytest.fixture
def unbound(browser):  # type: ignore[no-untyped-def]
    """A page whose policy does not hold, so that axe can be brought in."""
    context = browser.new_context(bypass_csp=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 320])
def test_axe_finds_nothing(folder: Path, unbound, name: str, scheme: str, width: int) -> None:
    unbound.emulate_media(color_scheme=scheme)
    unbound.set_viewport_size({"width": width, "height": 700})
    unbound.goto((folder / name).as_uri())
    unbound.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert violations(unbound) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs_nothing_but_its_own_and_asks_for_nothing(
    folder: Path, page, name: str
) -> None:
    """Its policy holds against what learners wrote, and stops none of ours; no sideways scrolling."""
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda line: said.append(line.text))
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto((folder / name).as_uri())
    assert page.title() != "run" and said == [] and asked == [(folder / name).as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("getComputedStyle(document.body).maxWidth") != "none", "the style holds"


def test_arrow_keys_walk_over_a_picture_and_it_is_told_what_is_there(folder: Path, page) -> None:
    page.goto((folder / "overview.html").as_uri())
    figure = page.locator("figure", has_text="who has met what")
    figure.locator(".mark[tabindex='0']").focus()
    first = figure.locator(".said").inner_text()
    page.keyboard.press("ArrowRight")
    right = figure.locator(".said").inner_text()
    page.keyboard.press("ArrowDown")
    below = figure.locator(".said").inner_text()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    assert figure.locator(".said").inner_text() == first
    assert first.rpartition(", ")[0] == right.rpartition(", ")[0] != below.rpartition(", ")[0]
    assert (
        right.partition(": ")[0].rpartition(", ")[2] == below.partition(": ")[0].rpartition(", ")[2]
    )
    assert figure.locator(".mark[tabindex='0']").count() == 1


def test_paper_is_light_whatever_the_screen_is(folder: Path, page) -> None:
    page.goto((folder / "overview.html").as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.emulate_media(media="screen", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
