"""The page of a run in a browser, from disk, under its own policy."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from grader.cloud.function import Invocation
from grader.cloud.mapping import Result
from grader.replay import run
from grader.replay.page import page as html_of
from grader.replay.scene import BY_HAND, Handed
from grader.replay.viewing import attempt_rows
from tests.replay.scenes import QUEUE, Staged, numbers
from tests.replay.test_page import GIVES_UP, bad_day, hostile
from tests.site.test_site_browser import violations


def written(folder: Path, document: dict, **more: dict) -> str:
    """The address of a page of this document."""
    place = folder / "run.html"
    place.write_text(html_of(document, **more), encoding="utf-8")
    return place.as_uri()


@pytest.fixture
def opened(page, tmp_path: Path):
    """Opens a document's page; nothing is asked for, and the policy refuses nothing of its own."""
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda line: said.append(line.text))

    def open_(document: dict):
        address = written(tmp_path, document)
        page.goto(address)
        page.locator("#viewer[data-ready]").wait_for()
        assert asked == [address] and said == []
        return page

    yield open_
    assert len(asked) <= 1 and said == []


def states(page) -> str:
    """What the tray says of the records."""
    return page.locator("#viewer svg[role=img]").get_attribute("aria-label")


def test_it_is_stepped_through_by_keyboard(opened) -> None:
    """Arrows walk over events, End and Home lead to both ends; records are where they are then."""
    page = opened(bad_day())
    now = page.locator(".now")
    page.locator(".picture").focus()
    assert states(page) == "Records: none is written yet"
    page.keyboard.press("ArrowRight")
    seen = [now.inner_text()]
    while "3 records written" not in seen[-1]:
        page.keyboard.press("ArrowRight")
        seen.append(now.inner_text())
    assert states(page) == "Records: 3 waiting"
    page.keyboard.press("ArrowRight")
    assert "goes to the function" in now.inner_text() and states(page) == "Records: 3 in work"
    page.keyboard.press("End")
    assert "The play ends." in now.inner_text()
    assert states(page) == "Records: 1 done, 2 given up, with a note"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    assert "The play begins." in now.inner_text() and states(page) == "Records: none is written yet"


def test_a_click_on_an_attempt_says_why(opened) -> None:
    """Its records, the answer, the rule with its source, the course's page, the template's line."""
    document = bad_day()
    page = opened(document)
    page.locator(".attempt").first.click()
    about = page.locator(".about")
    first = next(iter(attempt_rows(document["plays"][0])))
    assert first[0] in about.inner_text() and first[7] in about.inner_text()
    assert about.get_by_role("link").first.get_attribute("href") == first[8]
    assert "labs docs modules/02-lambda-triggers#batch-item-failures" in about.inner_text()
    assert "template.yaml:7" in about.inner_text()
    assert "‹b (INSERT)›" in about.inner_text()


def test_the_script_says_of_every_attempt_what_the_table_says(opened) -> None:
    """Step by step over all of them."""
    document = bad_day()
    page = opened(document)
    rows = list(attempt_rows(document["plays"][0]))
    page.locator(".picture").focus()
    told = {}
    for _ in range(int(page.locator("input[type=range]").get_attribute("max"))):
        page.keyboard.press("ArrowRight")
        about = page.locator(".about").inner_text()
        if about:
            told[about.splitlines()[0]] = about
    for row in rows:
        assert all(cell in told[row[0]] for cell in (row[3], row[5], row[7]) if cell), row


def test_what_is_looked_for_is_what_steps_stop_at(opened) -> None:
    """Other marks fade."""
    page = opened(bad_day())
    page.get_by_label("Find a record or batch").fill("c (INSERT)")
    page.locator(".picture").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        assert (
            "c (INSERT)" in page.locator(".about").inner_text()
            or "written" in page.locator(".now").inner_text()
        )
    page.get_by_label("Find a record or batch").fill("nothing of that name")
    assert page.locator(".attempt.dim").count() == page.locator(".attempt").count()


def test_it_plays_and_pauses(opened) -> None:
    """The button says what it will do."""
    page = opened(bad_day())
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_timeout(1_500)
    assert int(page.locator("input[type=range]").input_value()) > 0
    page.get_by_role("button", name="Pause", exact=True).click()
    at = page.locator("input[type=range]").input_value()
    page.wait_for_timeout(900)
    assert page.locator("input[type=range]").input_value() == at


def test_time_is_dragged(opened) -> None:
    """A press in the picture leads to what had happened by then."""
    page = opened(bad_day())
    box = page.locator(".picture svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 8)
    page.mouse.down()
    late = page.locator("input[type=range]").input_value()
    page.mouse.move(box["x"] + 3, box["y"] + 8)
    page.mouse.up()
    assert int(page.locator("input[type=range]").input_value()) < int(late)


def test_hostile_text_stays_text(opened) -> None:
    """No element and no script comes of it, wherever one steps."""
    page = opened(hostile())
    dialogs = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.locator(".picture").focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    assert page.locator("img").count() == 0 and page.locator("script").count() == 2
    assert dialogs == []
    assert "\u202e" not in page.locator("body").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 375])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(
    browser, tmp_path: Path, scheme: str, width: int
) -> None:
    """With an attempt and every table opened."""
    context = browser.new_context(
        bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    page.goto(written(tmp_path, bad_day()))
    page.locator("#viewer[data-ready]").wait_for()
    page.locator(".attempt").first.click()
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    found = violations(page)
    context.close()
    assert found == [] and over <= 0


def test_two_runs_show_the_same_moment(page, tmp_path: Path) -> None:
    """Whichever is stepped: the other has had what came until then."""
    staged = Staged(lambda event: None)
    staged.put("a", "b", "c")
    staged.bench.run_for(minutes=5)
    page.goto(written(tmp_path, bad_day(), beside=run.document([staged.scene()])))
    page.locator("#viewer-2[data-ready]").wait_for()
    mine, other = page.locator("#viewer"), page.locator("#viewer-2")
    assert "This run" in mine.inner_text() and "The other run" in other.inner_text()
    mine.locator(".picture").focus()
    page.keyboard.press("End")
    labels = [one.locator("svg[role=img]").get_attribute("aria-label") for one in (mine, other)]
    assert labels == ["Records: 1 done, 2 given up, with a note", "Records: 3 done"]
    other.locator(".picture").focus()
    page.keyboard.press("Home")
    assert "none is written yet" in mine.locator("svg[role=img]").get_attribute("aria-label")


def test_without_a_script_and_on_paper_pictures_and_tables_remain(browser, tmp_path: Path) -> None:
    """The player is not there; what it would say is."""
    address = written(tmp_path, bad_day())
    for script in (True, False):
        context = browser.new_context(java_script_enabled=script)
        page = context.new_page()
        page.goto(address)
        if script:
            page.locator("#viewer[data-ready]").wait_for()
            assert page.locator(".still").first.is_hidden()
            page.emulate_media(media="print")
        assert page.locator(".still svg.drawing").first.is_visible()
        assert page.get_by_text("Step by step").count() == 0 or page.locator("#viewer").is_hidden()
        assert page.locator("summary", has_text="Attempts").is_visible()
        context.close()


def test_ten_thousand_records_are_few_elements_and_step_at_once(opened) -> None:
    """Marks that would lie on each other are one, with their number."""
    staged = Staged(lambda event: None, BatchSize=100)
    for second in range(100):
        staged.put(*(f"o-{second}-{number}" for number in range(100)))
        staged.bench.run_for(seconds=1)
    staged.bench.run_for(minutes=5)
    page = opened(json.loads(run.text(run.document([staged.scene()]))))
    assert page.locator("#viewer svg *").count() < 3_000
    assert "Each mark stands for up to" in states(page)
    page.locator(".picture").focus()
    began = time.perf_counter()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.locator(".now").inner_text()
    assert (time.perf_counter() - began) / 10 < 1
    page.keyboard.press("End")
    assert "10000 done" in states(page)


def test_a_state_is_told_before_what_a_mapping_does_in_it(opened) -> None:
    """In the same millisecond, too; both of its states are one step."""
    page = opened(bad_day())
    page.locator(".picture").focus()
    told = []
    while "goes to the function" not in " ".join(told):
        page.keyboard.press("ArrowRight")
        told.append(page.locator(".now").inner_text())
    [state] = [one for one in told if "Mapping:" in one]
    assert state.endswith("Mapping: Creating (User action); Enabled (User action).")


def test_what_a_person_handed_over_again_is_redriven(opened) -> None:
    """Whoever looks at the mapping's records sees it, from the redrive on."""
    staged = Staged(lambda event: numbers(event, "b"), **GIVES_UP)
    staged.bench.destination(QUEUE)
    staged.put("a", "b")
    staged.bench.run_for(minutes=5)
    records = staged.written[1:]
    made = Invocation(1, 1, "redrive-1", False, staged.bench.now, {})
    made.end_ms, made.result = staged.bench.now, Result("returned")
    handed = [Handed(BY_HAND, "the redrive", 1, made, "Totals", records, records)]
    page = opened(run.document([staged.scene(handed=handed, functions={"Totals": [made]})]))
    page.locator(".picture").focus()
    page.keyboard.press("End")
    assert states(page) == "Records: 1 done, 1 redriven"
    while (
        "the redrive" in page.locator(".now").inner_text()
        or "ends" in page.locator(".now").inner_text()
    ):
        page.keyboard.press("ArrowLeft")
    assert states(page) == "Records: 1 done, 1 given up, with a note"
    page.get_by_label("Reader").select_option("by hand")
    page.locator(".picture").focus()
    page.keyboard.press("End")
    assert states(page) == "Records: 1 done"
