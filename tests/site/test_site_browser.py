"""The site in a browser, opened from disk: it stays at home, is readable and works by keyboard."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest

from grader.course.lab import labs
from grader.course.progress import Entry, Progress
from grader.desk import site as building
from grader.desk import standing

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
# One page of every type.
TYPES = (
    "index",
    "modules/02-lambda-triggers",
    "reference/limits",
    "simulator",
    "calculator",
    "cards",
)
# From disk the index is built and asked in the page itself: seconds, on a busy machine more.
SEARCH_MS = 30_000
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page) -> list[str]:
    """What axe finds on the page as it is now."""
    page.evaluate("source => { if (!window.axe) (0, eval)(source); }", AXE.read_text("utf-8"))
    # Colours that are on their way are nobody's.
    page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
    found = page.evaluate(
        "async tags => (await axe.run(document, {runOnly: {type: 'tag', values: tags}})).violations"
        ".map(v => `${v.id}: ${v.nodes.map(n => `${n.target} (${(n.any[0] || {}).message})`).slice(0, 3).join(' ; ')}`)",
        RULES,
    )
    return list(found)


def test_every_page_stays_at_home_and_fits_a_telephone(site, browser) -> None:
    """No request outside the site's folder, no error of a script, no scrolling sideways at 320 px."""
    context = browser.new_context(viewport={"width": 320, "height": 640})
    page = context.new_page()
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    wide = {}
    for path in site.pages():
        page.goto(path.as_uri())
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            wide[path.name] = over
    context.close()
    home = site.folder.as_uri()
    assert [url for url in asked if not url.startswith((home, "data:", "blob:"))] == []
    # A file that is missing is for the test of links to tell.
    assert [error for error in errors if "ERR_FILE_NOT_FOUND" not in error] == []
    assert wide == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(site, page, scheme: str) -> None:
    """On every type of page; on the sample with everything opened and used, and on a telephone."""
    page.emulate_media(color_scheme=scheme)
    found = {}
    for name in TYPES:
        page.goto(site.address(name))
        if bad := violations(page):
            found[name] = bad
    page.goto(site.address("sample"))
    page.get_by_role("button", name="Open everything").click()
    page.get_by_role("button", name="Show answer").click()
    page.get_by_label("It does not.").check()
    for check in page.get_by_role("button", name="Check").all():
        check.click()
    if bad := violations(page):
        found["sample"] = bad
    page.set_viewport_size({"width": 320, "height": 640})
    page.locator("label.md-header__button[for=__drawer]").click()
    if bad := violations(page):
        found["drawer"] = bad
    assert found == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_search_finds_from_disk_and_axe_finds_nothing_in_it(site, page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_default_timeout(SEARCH_MS)
    page.goto(site.address("index"))
    page.locator("input.md-search__input").focus()
    page.locator("input.md-search__input").press_sequentially("quokkaberry")
    hit = page.locator(".md-search-result__item").first
    hit.wait_for()
    assert "Sample" in hit.inner_text()
    page.wait_for_timeout(300)
    assert violations(page) == []


def test_search_knows_the_words_that_people_bring_along(site, page) -> None:
    """Abbreviations and other names lead to a page for learners, not to the contributors' one."""
    page.set_default_timeout(SEARCH_MS)
    for word in ("DLQ", "PITR", "backoff", "Elasticsearch"):
        page.goto(site.address("index"))
        page.locator("input.md-search__input").focus()
        page.locator("input.md-search__input").press_sequentially(word)
        hits = page.locator(".md-search-result__item a.md-search-result__link")
        hits.first.wait_for()
        assert "contributing" not in " ".join(hits.evaluate_all("all => all.map(one => one.href)"))


def test_the_page_for_a_missing_page_works_at_any_depth(site, page) -> None:
    """It asks for no file, and its links lead home from wherever a server shows it."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for depth in ("gone.html", "modules/gone.html", "operations/a/b/gone.html"):
        shown = site.folder / depth
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.write_text((site.folder / "404.html").read_text("utf-8"), "utf-8")
        page.goto(shown.as_uri())
        links = page.get_by_role("link").evaluate_all("links => links.map(one => one.href)")
        shown.unlink()
        assert links and links[0] == (site.folder / "index.html").as_uri()
        assert all(Path(link.removeprefix("file://")).is_file() for link in links)
        assert violations(page) == []
    assert len(asked) == 3


def test_the_decision_tree_is_clicked_where_it_stands(site, page) -> None:
    page.goto(site.address("operations/index"))
    page.wait_for_load_state("load")
    tree = next(frame for frame in page.frames if frame.url.endswith("decision-tree.svg"))
    tree.get_by_role("link", name="Resume it").click()
    page.wait_for_url("**/operations/procedures.html#resume")


def test_the_schemes_are_really_different(site, page) -> None:
    """What axe saw in dark was dark."""
    seen = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(site.address("index"))
        seen.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(seen) == 2


def test_a_quiz_is_answered_by_keyboard_and_remembered(site, page) -> None:
    """A wrong option says which misconception it is; the whole answer opens with the right one."""
    page.goto(site.address("sample"))
    quiz = page.locator("#quiz-sample-why")
    said = quiz.get_by_role("status")
    assert quiz.get_by_text("See the place").is_hidden()
    quiz.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    assert "Not yet" in said.inner_text() and "The moon has no retries" in said.inner_text()
    assert quiz.get_by_text("See the place").is_hidden()
    quiz.get_by_role("radio", checked=True).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert said.inner_text().startswith("Right.")
    assert quiz.locator("details a[href='#the-place']").is_visible()
    page.reload()
    assert quiz.get_by_role("radio").nth(1).is_checked()
    assert quiz.get_by_role("group", name="Why does it repeat?").count() == 1


def test_each_kind_of_question_tells_right_from_wrong(site, page) -> None:
    """All that apply, a line of code, a number within its tolerance, an order by its buttons."""
    page.goto(site.address("sample"))

    def answer(name: str) -> str:
        quiz = page.locator(f"#quiz-sample-{name}")
        quiz.get_by_role("button", name="Check").click()
        return str(quiz.get_by_role("status").inner_text())

    assert "Answer first" in answer("all")
    page.get_by_label("Two.").check()
    page.get_by_label("Three.").check()
    told = answer("all")
    assert "leaves a half" in told and "One that applies is missing" in told
    page.get_by_label("Three.").uncheck()
    page.get_by_label("Four.").check()
    assert answer("all").startswith("Right")
    page.get_by_label("water = boil()").check()
    assert "are fine" in answer("line")
    page.get_by_label("tea = None").check()
    assert answer("line").startswith("Right")
    number = page.locator("#quiz-sample-number").get_by_label("Your answer")
    for typed, expected in (
        ("24", "These are its hours"),
        ("1,500", "Not yet"),
        ("1,430", "Right"),
    ):
        number.fill(typed)
        assert expected in answer("number")
    assert "Socks do not go over shoes" in answer("order")
    page.get_by_role("button", name="Move up: Put on the socks.").focus()
    page.keyboard.press("Enter")
    moved = page.locator("#quiz-sample-order").get_by_role("status")
    assert moved.inner_text() == "Put on the socks.: step 1 of 3."
    assert answer("order").startswith("Right")


def test_a_missed_question_comes_back_later_and_a_known_one_does_not(site, page) -> None:
    """After a day on its page and among the cards, with what was right there left alone."""
    page.goto(site.address("sample"))
    quiz = page.locator("#quiz-sample-why")
    for option in ("Because of the moon.", "Because the answer was lost."):
        page.get_by_label(option).check()
        quiz.get_by_role("button", name="Check").click()
    page.reload()
    assert quiz.get_by_role("status").inner_text().startswith("Right.")
    page.evaluate(
        "(() => { const k = 'streamlabs/quiz/quiz-sample-why', v = JSON.parse(localStorage[k]);"
        "v.due -= 90000000; localStorage[k] = JSON.stringify(v);"
        "localStorage['streamlabs/quiz/quiz-01-order'] = JSON.stringify(v); })()"
    )
    page.reload()
    assert "asked again" in quiz.get_by_role("status").inner_text()
    assert quiz.get_by_role("radio", checked=True).count() == 0
    page.get_by_label("Because the answer was lost.").check()
    quiz.get_by_role("button", name="Check").click()
    saved = page.evaluate("JSON.parse(localStorage['streamlabs/quiz/quiz-sample-why'])")
    assert saved["box"] == 2
    page.goto(site.address("cards"))
    assert page.get_by_text("1 of your missed questions is due.").is_visible()
    assert page.locator("#quiz-01-order").is_visible()
    assert page.locator("#quiz-01-key").is_hidden()


def test_flashcards_are_turned_by_keyboard_and_come_back_when_due(site, page) -> None:
    page.goto(site.address("sample"))
    deck = page.locator(".deck")
    assert deck.locator(".deck-question").inner_text() == "What comes first?"
    deck.get_by_role("button", name="Show answer").focus()
    page.keyboard.press("Enter")
    assert deck.get_by_text("The first answer").is_visible()
    page.keyboard.press("1")
    assert deck.locator(".deck-question").inner_text() == "What comes second?"
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    # The forgotten one comes again at once, the known one not before tomorrow.
    assert deck.locator(".deck-question").inner_text() == "What comes first?"
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    assert "Nothing is due" in deck.inner_text()
    page.reload()
    assert "Nothing is due" in page.locator(".deck").inner_text()
    page.evaluate(
        "Object.keys(localStorage).filter(k => k.includes('second')).forEach(k => {"
        "const v = JSON.parse(localStorage[k]); v.due -= 90000000; localStorage[k] = JSON.stringify(v)})"
    )
    page.reload()
    assert "1 of 2 cards to go, this one in box 2" in page.locator(".deck").inner_text()


def test_a_checklist_keeps_its_ticks_and_can_be_saved(site, page) -> None:
    page.goto(site.address("sample"))
    box = page.get_by_role("checkbox", name="Recovery is on.")
    box.focus()
    page.keyboard.press("Space")
    assert page.get_by_text("1 of 2 done").is_visible()
    page.reload()
    assert box.is_checked()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as Markdown").click()
    text = Path(download.value.path()).read_text("utf-8")
    assert text.startswith("- [x] Recovery is on.") and "- [ ] Alarms notify" in text
    page.get_by_role("button", name="Clear all ticks").click()
    assert not box.is_checked()


def test_the_theme_has_done_its_part_when_a_page_stands(site, page) -> None:
    """Its scripts run late: code can still be copied, tables scroll, the menu follows the reader."""
    page.goto(site.address("modules/02-lambda-triggers"))
    first = page.locator("article pre:has(> code)").first
    first.scroll_into_view_if_needed()
    first.get_by_role("button", name="Copy").wait_for()
    assert page.locator("article table:not([class])").count() > 0
    assert page.locator("article table:not([class])").count() == (
        page.locator(".md-typeset__table > table:not([class])").count()
    )
    page.goto(site.address("modules/02-lambda-triggers", "#quiz"))
    page.mouse.wheel(0, 40)
    page.locator(".md-nav--secondary .md-nav__link--active[href='#quiz']").first.wait_for(
        state="attached"
    )
    assert page.locator("header.md-header--shadow").count() == 1
    page.set_viewport_size({"width": 375, "height": 800})
    page.goto(site.address("cheat-sheet"))
    page.locator(".md-typeset__scrollwrap[tabindex]").first.wait_for()
    unreached = """[...document.querySelectorAll(".md-typeset__scrollwrap, article pre > code")]
        .filter(one => one.scrollWidth > one.clientWidth && !one.hasAttribute("tabindex"))"""
    assert page.evaluate(f"{unreached}.map(one => one.textContent)") == []


def test_a_decision_tree_shows_the_way_and_begins_again(site, page) -> None:
    page.goto(site.address("sample"))
    tree = page.locator("#tree-sample")
    tree.get_by_text("Does it run?").focus()
    page.keyboard.press("Enter")
    tree.get_by_text("No: is it enabled?").click()
    way = page.locator(".tree-path")
    # A browser tells later that a part was opened.
    way.get_by_text("Your way: Does it run? → No: is it enabled?").wait_for()
    tree.get_by_text("Yes: does it lag?").click()
    way.get_by_text("Does it run? → Yes: does it lag?").wait_for()
    assert tree.get_by_text("Enable it").is_hidden()
    page.get_by_role("button", name="Begin again").click()
    assert tree.get_by_text("Yes: does it lag?").is_hidden()


def test_progress_goes_to_a_file_and_comes_back(site, page, tmp_path: Path) -> None:
    page.goto(site.address("sample"))
    page.get_by_role("checkbox", name="Recovery is on.").check()
    page.goto(site.address("cards"))
    assert "1 boxes are ticked" in page.locator("#progress").inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save to a file").click()
    saved = tmp_path / "progress.json"
    saved.write_text(Path(download.value.path()).read_text("utf-8"), "utf-8")
    assert json.loads(saved.read_text("utf-8"))["schema"] == "labs/progress/v1"
    page.get_by_role("button", name="Forget everything").click()
    assert "0 boxes are ticked" in page.locator("#progress").inner_text()
    strange = tmp_path / "strange.json"
    strange.write_text("[]", "utf-8")
    page.get_by_label("Read from a file").set_input_files(str(strange))
    page.get_by_text("does not hold progress").wait_for()
    page.get_by_label("Read from a file").set_input_files(str(saved))
    page.get_by_text("Taken in: 1 entries").wait_for()
    page.goto(site.address("sample"))
    assert page.get_by_role("checkbox", name="Recovery is on.").is_checked()


def test_the_simulator_reads_its_address_and_answers_the_keyboard(site, page) -> None:
    page.goto(site.address("sample"))
    page.get_by_role("link", name="open in the simulator").click()
    assert page.get_by_label("Writes a second", exact=True).input_value() == "1000"
    assert page.get_by_label("ParallelizationFactor").input_value() == "2"
    row = page.get_by_role("row", name="Writes 3,600,000")
    row.wait_for()
    batch = page.get_by_label("BatchSize")
    before = page.get_by_role("row", name="Invocations").inner_text()
    batch.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("50")
    page.wait_for_function(
        "b => !document.querySelector('#simulator').innerText.includes(b)", arg=before
    )
    assert "batch=50" in page.get_by_role("link", name="Link to these settings").get_attribute(
        "href"
    )
    batch.fill("0")
    page.get_by_text("BatchSize: from 1 to 10000.").wait_for()
    assert batch.get_attribute("aria-invalid") == "true"


def test_a_bad_address_is_told_and_the_default_taken(site, page) -> None:
    page.goto(site.address("simulator", "?batch=99999&rate=7"))
    page.get_by_text("BatchSize: from 1 to 10000.").wait_for()
    assert page.get_by_label("BatchSize").input_value() == "100"
    assert page.get_by_label("Writes a second", exact=True).input_value() == "7"


def test_a_slider_moves_the_exact_field_and_the_result_beside_it(site, page) -> None:
    """On a wide screen the result stands beside the fields, on a phone it stays in view."""
    page.goto(site.address("simulator"))
    page.locator("#simulator[data-ready]").wait_for()
    result = page.locator(".panel-now")
    form, side = page.locator("#simulator form").bounding_box(), result.bounding_box()
    assert side["x"] >= form["x"] + form["width"]
    before = result.inner_text()
    field = page.get_by_label("Work a record, ms at one vCPU", exact=True)
    page.locator(".panel-field", has=field).locator("input[type=range]").fill("500")
    assert float(field.input_value()) > 10
    page.wait_for_function("b => document.querySelector('.panel-now').innerText !== b", arg=before)
    page.set_viewport_size({"width": 375, "height": 700})
    page.get_by_label("Invocations that fail, percent").scroll_into_view_if_needed()
    assert 0 <= result.bounding_box()["y"] < 200


def test_two_settings_stand_side_by_side_with_the_difference(site, page) -> None:
    """From a question at the top; every minute of both is in the picture and told by keyboard."""
    page.goto(site.address("simulator"))
    page.get_by_role("link", name="The same burst with four lanes").click()
    kept = page.locator(".panel-kept")
    assert kept.inner_text() == "Kept: ParallelizationFactor 1 (now 4)."
    waiting = page.get_by_role("row", name="Records waiting at the end")
    assert waiting.inner_text().split("\t") == [
        "Records waiting at the end", "629,796", "49", "\u2212629,747",
    ]  # fmt: skip
    strips = page.locator("svg.drawing > text")
    for name in ("Iterator age", "Records waiting", "Throttles", "Calls", "Dollars a month"):
        assert strips.filter(has_text=name).count() == 1
    said = page.locator(".said")
    page.locator("svg.drawing .mark").first.focus()
    page.keyboard.press("ArrowRight")
    assert (
        said.inner_text().startswith("Minutes 2 to 3: iterator age")
        and "(kept " in said.inner_text()
    )
    page.get_by_role("button", name="Swap").click()
    assert kept.inner_text() == "Kept: ParallelizationFactor 4 (now 1)."
    page.get_by_role("button", name="Stop comparing").click()
    assert kept.is_hidden() and "against" not in page.url


def test_what_would_take_too_long_is_refused_with_a_sentence(site, page) -> None:
    page.goto(site.address("simulator", "?rate=1000&batch=1&call=20&hours=24&age=3600"))
    page.get_by_text("too many steps to play here").wait_for()


def test_the_calculator_bills_line_by_line(site, page) -> None:
    page.goto(site.address("calculator", "?writes=1000&batch=1"))
    table = page.locator("#calculator table").last
    assert "Lambda requests" in table.inner_text() and "Total" in table.inner_text()
    page.get_by_role("button", name="Keep to compare").click()
    page.get_by_label("Records in an invocation").fill("1000")
    row = page.get_by_role("row", name="Lambda requests $")
    row.filter(has_text="\u2212$").wait_for()
    # What the address says wrong is told.
    page.goto(site.address("calculator", "?cost-writes=5"))
    page.get_by_text("The address names cost-writes").wait_for()


def test_everything_reads_without_scripts(site, browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.address("sample"))
    text = page.locator("article").inner_text()
    for part in (
        "Why does it repeat?",
        "Because the answer was lost.",
        "Recovery is on.",
        "What comes first?",
    ):
        assert part in text
    assert " :: " not in text and "See the place for why." not in text
    page.locator("#quiz-sample-why summary").click()
    assert page.get_by_text("See the place for why.").is_visible()
    page.get_by_text("What comes first?").click()
    assert page.get_by_text("The first answer").is_visible()
    for name, part in (("simulator", "tuning guide"), ("calculator", "labs cost 5")):
        page.goto(site.address(name))
        assert part in page.locator(f"#{name}").inner_text()
    context.close()


def test_print_shows_answers_and_no_buttons(site, page) -> None:
    page.goto(site.address("sample"))
    page.emulate_media(media="print")
    assert page.get_by_text("See the place").is_visible()
    for answer in ("The second answer.", "Tune it.", "Measure."):
        page.get_by_text(answer).wait_for()
    assert page.get_by_role("button", name="Check").first.is_hidden()
    assert page.locator(".deck").is_hidden()


# --- where a learner is -----------------------------------------------------------------------


def test_a_module_that_is_done_is_marked_in_the_menu_and_on_the_start_page(site, page) -> None:
    page.goto(site.address("modules/02-lambda-triggers"))
    page.get_by_label("Done with this module").check()
    entry = page.locator(".md-nav--primary a[href*='02-lambda-triggers']").first
    assert entry.get_by_role("img", name="done").count() == 1
    page.goto(site.address("modules/01-stream-setup"))
    assert not page.get_by_label("Done with this module").is_checked()
    assert page.locator(".md-nav--primary .course-mark").count() == 1
    page.goto(site.address("index"))
    states = page.locator(".course > ol > li .course-state")
    assert states.all_inner_texts() == [" · ✓ done"]
    assert page.locator("#course-next").is_hidden()


def test_served_pages_show_points_hints_and_the_next_step(site, page) -> None:
    """What `labs list --json` says, asked for again when the reader comes back to the page."""
    known = Progress({labs()[0].slug: Entry(runs=2, best=100, passed=True)})
    known.labs[labs()[1].slug] = Entry(runs=3, best=42, hints={"3": 2})
    told = lambda: standing.document(labs(), known)  # noqa: E731
    with building.server(site.folder, told) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = f"http://127.0.0.1:{server.server_address[1]}"
        page.goto(f"{home}/index.html", wait_until="domcontentloaded")
        page.get_by_text("You have 142 of 600 points. Next: labs watch 2").wait_for()
        cards = page.locator(".course > ol > li")
        assert "lab: 100 of 100 points, passed" in cards.nth(0).inner_text()
        assert "lab: 42 of 100 points, 2 hints" in cards.nth(1).inner_text()
        page.goto(f"{home}/modules/02-lambda-triggers.html", wait_until="domcontentloaded")
        page.get_by_text("Lab: 42 of 100 points, 2 hints").wait_for()
        known.labs[labs()[1].slug].best = 60
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.get_by_text("Lab: 60 of 100 points").wait_for()
        server.shutdown()


def test_the_open_tab_and_the_open_page_are_told_to_a_screen_reader(site, page) -> None:
    """And to the eye: the open tab is underlined and bold, and no other is."""
    page.goto(site.address("modules/02-lambda-triggers"))
    tabs = page.locator(".md-tabs__link[aria-current]")
    assert [tab.strip() for tab in tabs.all_inner_texts()] == ["Modules"]
    assert page.locator(".md-nav__link[aria-current=page]").count() >= 1
    weights = page.evaluate(
        "[...document.querySelectorAll('.md-tabs__link')].map(a => getComputedStyle(a).fontWeight)"
    )
    assert weights.count("700") == 1


WATCH_SHIFTS = """window.shifted = 0; new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });"""


def test_a_link_on_the_page_leads_to_its_place_and_the_colours_chosen_hold_for_scroll_bars(
    site, page
) -> None:
    """The first click lays out all that was left for later, before the browser goes there."""
    page.goto(site.address("modules/02-lambda-triggers"))
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.quiz')).contentVisibility")
        == "auto"
    )
    page.locator("a[href='#quiz']").last.evaluate("link => link.click()")
    page.wait_for_timeout(100)
    top, below = page.evaluate(
        "[document.getElementById('quiz').getBoundingClientRect().top,"
        " document.documentElement.scrollHeight - innerHeight - scrollY]"
    )
    assert 0 <= top <= 100 or below < 2, top
    for scheme, kept in (("slate", "dark"), ("default", "light")):
        page.evaluate("scheme => { document.body.dataset.mdColorScheme = scheme; }", scheme)
        assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == kept


# Hides all that comes behind each block of the first screens, and compares where those before stand.
MOVED_BY_LATER_PARTS = """(() => {
  scrollTo({ top: 0, behavior: "instant" });
  const blocks = [...document.querySelectorAll(".md-typeset :is(h1, h2, p, pre, table, ul, ol)")]
    .filter((block) => block.checkVisibility() && block.getBoundingClientRect().top < 1600);
  const tops = () => blocks.map((block) => Math.round(block.getBoundingClientRect().top));
  const whole = tops();
  const moved = new Set();
  for (let shown = 1; shown < blocks.length; shown++) {
    const hidden = blocks.slice(shown);
    for (const block of hidden) block.style.setProperty("display", "none", "important");
    tops().slice(0, shown).forEach((top, at) => {
      if (Math.abs(top - whole[at]) > 1) moved.add(blocks[at].textContent.slice(0, 40));
    });
    for (const block of hidden) block.style.removeProperty("display");
  }
  return [...moved];
})()"""


@pytest.mark.parametrize("width", [1280, 375])
def test_nothing_jumps_and_a_link_into_a_page_lands_on_the_first_visit(
    site, browser, width: int
) -> None:
    """Pictures, the font and what scripts add have their place before they come.

    Nor does what is read later: a slow machine paints a page before it has all of it.
    """
    places = (
        ("index", ""), ("cards", ""), ("cards", "progress-here"),
        ("modules/02-lambda-triggers", "filters"), ("modules/03-monitoring", "m-of-n"),
        ("modules/02-lambda-triggers", "quiz"), ("modules/01-stream-setup", "flashcards"),
        ("simulator", "questions"), ("calculator", "how"), ("architecture", "parts"),
    )  # fmt: skip
    for name, anchor in places:
        context = browser.new_context(viewport={"width": width, "height": 800})
        page = context.new_page()
        page.add_init_script(WATCH_SHIFTS)
        page.goto(site.address(name, f"#{anchor}" if anchor else ""))
        page.wait_for_timeout(400)
        assert page.evaluate("window.shifted") <= 0.05, name
        if anchor:
            top, below = page.evaluate(
                "id => [document.getElementById(id).getBoundingClientRect().top,"
                " document.documentElement.scrollHeight - innerHeight - scrollY]",
                anchor,
            )
            # At the end of a page there is nothing left to scroll.
            assert 0 <= top <= 100 or (below < 2 and top < 800), (name, anchor)
        assert page.evaluate(MOVED_BY_LATER_PARTS) == [], name
        context.close()


# Holds back what waits for a frame, which a page's scripts do, until `release` is called; nobody
# waits for them until then.
HOLD_FRAMES = """window.held = [];
delete window.scriptsRun;
const frame = requestAnimationFrame.bind(window);
window.requestAnimationFrame = (then) => held.push(then);
window.release = () => {
  window.scriptsRun = 0;
  window.requestAnimationFrame = frame;
  held.forEach((then) => frame(then));
};"""
ALL_RAN = "scriptsRun >= document.querySelectorAll('link[as=script]').length"
PLACES_OF_HEADINGS = """[...document.querySelectorAll("article :is(h1, h2)")].map((heading) =>
  [heading.id, heading.getBoundingClientRect().top + scrollY])"""


@pytest.mark.parametrize("width", [1280, 1000, 768, 375])
@pytest.mark.parametrize("name", ["cards", "simulator", "calculator", "index"])
def test_what_scripts_add_to_a_page_has_its_room_before_they_run(
    site, browser, name: str, width: int
) -> None:
    """Whatever comes first, the script or a reader at the page's end, nothing moves."""
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.add_init_script(HOLD_FRAMES)
    page.goto(site.address(name))
    page.evaluate("document.documentElement.removeAttribute('data-far')")
    before = dict(page.evaluate(PLACES_OF_HEADINGS))
    page.evaluate("release()")
    while not page.evaluate(ALL_RAN):  # the page's policy takes no source as text to wait with
        page.wait_for_timeout(10)
    page.wait_for_timeout(400)
    after = dict(page.evaluate(PLACES_OF_HEADINGS))
    context.close()
    # Room is given in steps of the letters' size, one for each width of the layout.
    moved = {one: round(after[one] - top) for one, top in before.items() if one in after}
    assert {one: far for one, far in moved.items() if abs(far) > 40} == {}


@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_cheat_sheet_is_one_page_of_paper(site, page, paper: str) -> None:
    page.goto(site.address("cheat-sheet"))
    printed = page.pdf(format=paper)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 1
    page.goto(site.address("reference/limits"))
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper))) > 1, "other pages go on"
