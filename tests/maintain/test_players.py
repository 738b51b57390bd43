"""The players of the pages show what the emulator does now, and answer what they are asked."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from grader.replay import run, viewing
from grader.replay.run import SCHEMA_FILE

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "players"
ASSETS = ROOT / "docs" / "assets" / "players"
FORM = Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))
NAMES = sorted(path.stem for path in ASSETS.glob("*.svg"))
# Whose plays need a process for the handler.
PLAYED = {"alarms"}
# Which play a day at every position.
SLOW = {"poison", "redrive"}
MOST_OF_ONE, MOST_OF_A_PAGE = 150_000, 1_000_000


@pytest.fixture(scope="module", name="tool")
def _tool() -> Iterator[ModuleType]:
    """The program behind `python tools/players`."""
    sys.path.insert(0, str(TOOL))
    spec = importlib.util.spec_from_file_location("players_main", TOOL / "__main__.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(TOOL))


def player(tool: ModuleType, name: str) -> Any:
    return next(one for one in tool.PLAYERS if one.id == name)


def kept(tool: ModuleType, name: str) -> dict[str, Any]:
    """The recording that is committed, as the page gets it."""
    return tool.files.unpacked((ASSETS / f"{name}.js").read_text(encoding="utf-8"))


def source(tool: ModuleType, name: str) -> str:
    return (ROOT / "docs" / f"{player(tool, name).page}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            one, marks=[pytest.mark.played] * (one in PLAYED) + [pytest.mark.slow] * (one in SLOW)
        )
        for one in NAMES
    ],
)
def test_every_position_is_what_is_played_now(name: str, tool: ModuleType) -> None:
    """A fresh run of every position equals its recording, is a document of its schema, and its
    table holds the answer to the question. When it differs, `python tools/players` records anew.
    """
    one = player(tool, name)
    document = one.record()
    drifted = [
        path
        for path, text in tool.made(one, document).items()
        if not tool.files.same(ROOT / path, text)
    ]
    assert drifted == []
    assert not [*FORM.iter_errors(document)]
    assert one.question.shows in tool.files.told(one, document, one.question.at)


def test_the_viewer_is_that_of_a_run(tool: ModuleType) -> None:
    assert tool.files.same(ASSETS / "viewer.js", tool.files.viewer())


@pytest.mark.parametrize("name", NAMES)
def test_the_text_around_a_player_does_not_answer_its_question(name: str, tool: ModuleType) -> None:
    """The question is asked and answered in the block; the page has not said so before."""
    question = player(tool, name).question
    block = (ROOT / "includes" / "players" / f"{name}.md").read_text(encoding="utf-8")
    assert question.ask and question.answer and "Ask it: " in block
    assert question.shows not in source(tool, name)


FIGURE = re.compile(
    r"(?<![\w.:,-])(\d[\d,]*\d(?:\.\d+)?|\d+\.\d+)( ?(?:ms|s|h|min))?(?![\w:]|[.,]\d)"
)
# Of fewer digits than this, or further apart, two figures are near each other by chance.
DIGITS, NEAR = 3, 0.02


def figures(text: str) -> dict[tuple[float, str], str]:
    """The figures of a text that have digits enough, by their value and unit."""
    found = {}
    for number, unit in FIGURE.findall(text):
        plain = number.replace(",", "")
        if len(plain.replace(".", "").lstrip("0")) >= DIGITS:
            found[float(plain), unit.strip()] = number + unit
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_of_the_text_is_not_almost_one_of_its_player(name: str, tool: ModuleType) -> None:
    """Who says almost what the player shows has drifted from it: the same figure, or another."""
    prose = re.sub(r"^```.*?^```$", "", source(tool, name), flags=re.M | re.S)
    said = figures(re.sub(r"\]\(.*?\)|<[a-z/!][^>\n]*>", "", prose))
    block = (ROOT / "includes" / "players" / f"{name}.md").read_text(encoding="utf-8")
    shown = figures(re.sub(r"<[^>]*>", " ", unescape(block)))
    drifted = {
        (text, shown[other])
        for (value, unit), text in said.items()
        if (value, unit) not in shown
        for other in shown
        if other[1] == unit and abs(other[0] - value) <= NEAR * other[0]
    }
    assert not drifted


def test_a_day_of_deliveries_is_the_same_in_story_picture_and_player(tool: ModuleType) -> None:
    """What the text of module 2 tells, the lab's README and the picture, as the emulator plays it."""
    block = (ROOT / "includes" / "players" / "poison.md").read_text(encoding="utf-8")
    position = '<th scope="row">raises</th><td>off</td><td>no limit</td><td>no limit</td>'
    shown = block.partition(f"{position}<td>")[2].partition("</td>")[0]
    story = (ROOT / "labs/02-lambda-triggers/README.md").read_text(encoding="utf-8")
    picture = (ROOT / "docs/assets/pictures/poison-day.svg").read_text(encoding="utf-8")
    assert f"delivered the same batch {shown} times" in source(tool, "poison")
    assert f"{shown} deliveries" in story and f"delivered {shown} times" in picture
    counted = 1_220 * int(shown.replace(",", ""))
    assert f"1,220.00 became {counted:,}.00" in source(tool, "poison")
    assert f"1,220.00 stand in the totals as {counted:,}.00" in story


def test_every_player_stands_on_its_page_and_no_other(tool: ModuleType) -> None:
    """Modules 1 to 6 and the operations guide have one each; what is included is recorded."""
    found = {
        (name, page.relative_to(ROOT / "docs").with_suffix("").as_posix())
        for page in (ROOT / "docs").rglob("*.md")
        for name in re.findall(
            r'^--8<-- "includes/players/(.+)\.md"$', page.read_text("utf-8"), re.M
        )
    }
    # The start page has one of them again.
    found.remove(("start", "index"))
    assert found == {(one.id, one.page) for one in tool.PLAYERS}
    assert sorted(name for name, _ in found) == NAMES
    pages = {page for _, page in found}
    assert len([page for page in pages if page.startswith("modules/")]) == 6
    assert "operations/index" in pages
    for name in NAMES:
        assert "scripts: [players" in source(tool, name)


def test_recordings_are_small(tool: ModuleType) -> None:
    """A script at most 150 kB; all of a page, the viewer with it, at most 1 MB."""
    sizes = {path.stem: path.stat().st_size for path in ASSETS.glob("*.js")}
    assert max(sizes.values()) <= MOST_OF_ONE
    for page in {one.page for one in tool.PLAYERS}:
        names = [one.id for one in tool.PLAYERS if one.page == page]
        assert sizes["viewer"] + sum(sizes[name] for name in names) <= MOST_OF_A_PAGE


def test_a_record_keeps_its_shard_when_it_has_left_the_stream(tool: ModuleType) -> None:
    """Otherwise the row of its shard is missing in a play of more than a day."""
    plays = [play for name in NAMES for play in kept(tool, name)["run"]["plays"]]
    columns = [play["records"]["shard"] for play in plays if play["records"]]
    assert columns and not [one for one in columns if None in one]  # whole numbers are steps


def test_every_combination_of_a_bad_record_is_recorded(tool: ModuleType) -> None:
    """Report, bisect, retries and age, each in both positions."""
    data = kept(tool, "poison")
    assert [len(one["labels"]) for one in data["switches"]] == [2, 2, 2, 2]
    assert len({play["title"] for play in data["run"]["plays"]}) == 16


def test_a_table_calls_only_what_was_delivered_an_attempt(tool: ModuleType) -> None:
    """What got too old while it waited stands in notes; the attempts of all lines are the figure."""
    one = player(tool, "poison")
    play = run.document([one.play(True, True, None, 60)])["plays"][0]
    told = [what for _, (what, _) in tool.files.happened(play)]
    tried = 0
    for what in told:
        if span := re.search(r"attempts? (\d+)(?: to (\d+))?", what):
            tried += 1 + int(span[2] or span[1]) - int(span[1])
        elif many := re.search(r"(\d+) attempts? with", what):
            tried += int(many[1])
    assert str(tried) == dict(one.figures(play))["attempts"]
    notes = [what.partition(": ") for what in told if what.startswith("given up")]
    assert {how for how, _, _ in notes} == {"given up before the next attempt"}
    named = {name for _, _, names in notes for name in names.split("; ")}
    assert named == {each["name"] for each in play["records"] if each["fates"][0]["how"] == "noted"}


def test_every_position_stands_in_one_row(tool: ModuleType) -> None:
    """Rows that say the same are one; each position finds its own."""
    one = player(tool, "crash")
    made = one.record()
    rows = tool.files.block(one, made).partition("</table>")[0].partition("<tbody>")[2]
    shown = {}
    for row in rows.split("</tr>")[:-1]:
        cells = [unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        labels, rest = cells[: len(one.switches)], cells[len(one.switches) :]
        chosen = [
            switch.labels if label == "any" else label.split(" or ")
            for switch, label in zip(one.switches, labels, strict=True)
        ]
        for position in product(*chosen):
            assert position not in shown
            shown[position] = " | ".join([*position, *rest])
    assert len(shown) == len(made["plays"]) > rows.count("<tr>")
    for position, told in shown.items():
        assert told in tool.files.told(one, made, position).splitlines()


def test_a_table_says_when_records_were_written_and_how_old_they_got() -> None:
    """Once for all positions where they are alike; evenly spaced writes are one line."""
    blocks = {name: (ROOT / f"includes/players/{name}.md").read_text("utf-8") for name in NAMES}
    assert (
        "Written in each: 0:00:00 o-1 placed at 10.00 · 0:00:10 o-1 now 15.00 · "
        "0:00:30 o-1 now 20.00." in blocks["overtaken"]
    )
    assert "written: o-1 to o-60, one every 500 ms, until 0:00:30.500<" in blocks["window"]
    assert "o-2</td><td>done, 5 h after the write<" in blocks["redrive"]


def test_a_table_says_which_position_is_drawn(tool: ModuleType) -> None:
    for one in tool.PLAYERS:
        block = (ROOT / f"includes/players/{one.id}.md").read_text("utf-8")
        named = [
            f"{switch.name}: {label}" for switch, label in zip(one.switches, one.first, strict=True)
        ]
        assert f"<p>The picture shows: {'; '.join(named)}." in unescape(block)


def test_a_setting_without_a_template_is_told_with_its_value(tool: ModuleType) -> None:
    """A player's mapping has no line of a template; what is set is not called left out."""
    play = player(tool, "split").record()["plays"][-1]
    batch = next(one for one in play["batches"] if one["setting"] == "MaximumRetryAttempts")
    assert viewing.setting_of(play, batch) == "MaximumRetryAttempts: 4"
    batch = next(one for one in play["batches"] if one["setting"] == "FunctionResponseTypes")
    assert viewing.setting_of(play, batch) == 'FunctionResponseTypes: ["ReportBatchItemFailures"]'


def test_a_wrong_recording_is_found(tool: ModuleType, tmp_path: Path) -> None:
    """One number of one position is enough; other bytes of the same are not."""
    path = tmp_path / "overlap.js"
    one, data = player(tool, "overlap"), kept(tool, "overlap")
    text = (ASSETS / "overlap.js").read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    document = one.record()
    fresh = tool.files.script(one, document)
    assert tool.files.same(path, fresh)
    document["plays"][0]["batches"][0]["end"] += 1
    assert not tool.files.same(path, tool.files.script(one, document))
    assert data["run"]["plays"][0]["title"] == "reads, adds, writes, 1"


def test_nothing_in_a_player_becomes_markup_or_ends_a_script(tool: ModuleType) -> None:
    """Titles, switches and what the emulator tells are escaped; a recording is letters and digits."""
    hostile = '</script><img src=x onerror="alert(1)">'
    one = replace(player(tool, "overlap"), title=hostile, about=hostile, picture=hostile)
    document = one.record()
    document["plays"][0]["title"] = hostile
    block = tool.files.block(one, document)
    assert "<img src=x" not in block and "</script" not in block
    assert "\n\n" not in block.rstrip("\n")
    script = tool.files.script(one, document)
    assert re.fullmatch(r'// .*\n.*\("overlap", "[A-Za-z0-9+/=]+"\);\n', script)


def test_a_picture_says_in_words_what_it_shows() -> None:
    for name in NAMES:
        text = (ASSETS / f"{name}.svg").read_text(encoding="utf-8")
        assert '<title id="t">' in text and '<desc id="d">' in text
        assert "prefers-color-scheme:dark" in text and "url(" not in text
