"""The page of a grade in a browser, from disk, under its own policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from grader.course.evidence import Evidence, Sight
from grader.replay import run
from grader.replay.scene import Reader
from tests.desk.test_report_page import attacked, graded, told
from tests.replay.scenes import Staged, numbers
from tests.replay.test_page import bad_day
from tests.site.test_site_browser import violations


def two_findings() -> str:
    """Both in one play: at its second attempt and at its end."""
    document = bad_day()
    play = document["plays"][0]
    batch = play["batches"][1]
    sights = [
        Sight(0, 0, batch["end"], "invocation 2 of Totals", batch["id"]),
        Sight(0, 0, play["length"], "the end of the play"),
    ]
    return told(graded(2), Evidence([document], {"lost-one": sights}))


def written(folder: Path, html: str) -> str:
    place = folder / "grade.html"
    place.write_text(html, encoding="utf-8")
    return place.as_uri()


def test_the_first_scene_is_open_at_its_moment_and_others_open_by_keyboard(
    page, tmp_path: Path
) -> None:
    """The attempt of the finding is chosen; the second one begins elsewhere in the same play."""
    said = []
    page.on("console", lambda line: said.append(line.text))
    page.goto(written(tmp_path, two_findings()))
    first, second = page.locator("details.scene").all()
    first.locator(".viewer[data-ready]").wait_for()
    assert "attempt" in first.locator(".about h3").first.inner_text()
    assert first.locator(".attempt.chosen").count() == 1
    moment = first.locator(".now").inner_text()
    assert second.locator(".viewer").count() == 0
    second.locator("summary").focus()
    page.keyboard.press("Enter")
    second.locator(".viewer[data-ready]").wait_for()
    assert "The play ends." in second.locator(".now").inner_text()
    second.locator(".picture").focus()
    page.keyboard.press("Home")
    assert "The play begins." in second.locator(".now").inner_text()
    assert first.locator(".now").inner_text() == moment and said == []


def test_a_scene_shows_the_records_as_its_own_reader_has_them(page, tmp_path: Path) -> None:
    """Where two mappings read a stream, the one whose attempt the finding speaks of is chosen."""
    staged = Staged(lambda event: None)
    staged.bench.function("other", lambda event: numbers(event, "a"))
    made = staged.bench.create(
        FunctionName="other", EventSourceArn=staged.stream.arn, StartingPosition="TRIM_HORIZON"
    )
    staged.put("a")
    staged.bench.run_for(minutes=1)
    scene = staged.scene()
    first = scene.readers[0]
    other = Reader("Second", staged.bench.journals[made["UUID"]], "Other", first.settings)
    document = run.document([replace(scene, readers=[first, other])])
    batch = next(one for one in document["plays"][0]["batches"] if one["by"] == "Second")
    sight = Sight(0, 0, batch["end"], "invocation 1 of Other", batch["id"])
    page.goto(written(tmp_path, told(graded(), Evidence([document], {"lost-one": [sight]}))))
    page.locator(".viewer[data-ready]").wait_for()
    assert page.get_by_label("Reader").input_value() == "Second"
    assert "Second" in page.locator(".about").inner_text()


def test_hostile_text_stays_text(page, tmp_path: Path) -> None:
    """No element and no script comes of it, wherever one steps."""
    dialogs, said = [], []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.on("console", lambda line: said.append(line.text))
    page.goto(written(tmp_path, attacked()))
    scene = page.locator("details.scene").first
    scene.locator(".viewer[data-ready]").wait_for()
    scene.locator(".picture").focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    assert page.locator("img").count() == 0 and page.locator("script").count() == 2
    assert dialogs == [] and said == [] and "\u202e" not in page.locator("body").inner_text()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 375)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_page(
    browser, tmp_path: Path, scheme: str, width: int
) -> None:
    """With every scene and table opened."""
    context = browser.new_context(
        bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    page.goto(written(tmp_path, two_findings()))
    page.locator(".viewer[data-ready]").first.wait_for()
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    page.locator(".viewer[data-ready]").nth(1).wait_for()
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    found = violations(page)
    context.close()
    assert found == [] and over <= 0


def test_on_paper_and_without_a_script_words_pictures_and_tables_remain(
    browser, tmp_path: Path
) -> None:
    """What can only be stepped through is not there; what is folded is printed."""
    address = written(tmp_path, two_findings())
    for script in (True, False):
        context = browser.new_context(java_script_enabled=script)
        page = context.new_page()
        page.goto(address)
        if script:
            page.locator(".viewer[data-ready]").first.wait_for()
            page.evaluate("dispatchEvent(new Event('beforeprint'))")
            page.emulate_media(media="print")
            assert page.locator("details:not([open]):not(.scene)").count() == 0
        assert page.locator("details.scene").first.is_hidden()
        assert page.get_by_text("invocation 2 of Totals.").first.is_visible()
        assert page.locator(".still svg.drawing").first.is_visible()
        if script:
            page.evaluate("dispatchEvent(new Event('afterprint'))")
            assert page.locator("details[open]:not(.scene)").count() == 0
        context.close()
