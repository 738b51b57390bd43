"""The page of a grade: every finding, the scenes that fit, and no text that becomes markup."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest

from grader.course.evidence import Evidence, Sight
from grader.course.grade import Criterion, Finding, Grade, Verdict
from grader.desk.report_page import MOST_BYTES, page
from grader.replay import run
from tests.replay.scenes import Staged
from tests.replay.test_page import HOSTILE, Elements, bad_day, hostile

FINDING = Finding(
    "The rule.", "in", "1", "2", "why", "template.yaml:3  X", "labs hint 2 1", "index"
)


FILES = {
    "template.yaml": b"Resources:\n  Orders: # kept\n    X: 1\n  Totals:\n    Type: T\n    Y: 2\n",
    "handler.py": b"import json\n\ndef handler(event, context):\n    return json.dumps(1)\n",
}


def graded(findings: int = 1, finding: Finding = FINDING) -> Grade:
    """One criterion that is met, one that is lost for this many findings, one not reached."""
    return Grade(
        2,
        "lambda-triggers",
        0,
        [
            Verdict(Criterion("kept", 1, "It is kept.", 60), "met"),
            Verdict(
                Criterion("lost-one", 2, "Nothing is lost.", 30),
                "unmet",
                finding,
                [replace(finding, observed=f"more {n}") for n in range(1, findings)],
            ),
            Verdict(Criterion("after", 3, "It goes on.", 10), "unreached", FINDING),
        ],
        notes=["A note."],
        advice=["Some advice."],
    )


def told(grade: Grade, evidence: Evidence) -> str:
    return page(grade, evidence, tasks={2: "Lose nothing"}, files=FILES, again="labs grade 2")


def test_every_finding_stands_with_its_scene_in_words_and_opened_there() -> None:
    """What the script does is in the page as words, pictures and tables, too."""
    document = bad_day()
    batch = document["plays"][0]["batches"][1]
    sight = Sight(0, 0, batch["end"], "invocation 2 of Totals", batch["id"])
    html = told(graded(2), Evidence([document], {"lost-one": [sight, None], "after": [sight]}))
    elements = Elements(html)
    scenes = [a for tag, a in elements.found if tag == "details" and a.get("class") == "scene"]
    at = {"data-run": "0", "data-play": "0", "data-at": str(batch["end"])}
    assert [{**one, **at, "data-batch": str(batch["id"])} for one in scenes] == scenes
    assert len(scenes) == 2 and all("hidden" in one for one in scenes)
    assert [a.get("class") for tag, a in elements.found if tag == "script"] == ["scene", None]
    assert html.count("invocation 2 of Totals.") == 2 and 'id="scene-0"' in html
    for words in ("lost-one: not met", "after: not reached", "The rule.", "more 1", "A note."):
        assert words in html
    assert "<td>60 of 60</td>" in html and "2: Lose nothing" in html and "Some advice." in html
    assert html.count("<svg") >= 2 and "labs docs index" in html


def test_a_finding_without_a_play_shows_its_lines() -> None:
    """The line with its neighbours, marked by a sign; or the parts of a file that lacks something."""
    wheres = {
        "template.yaml:3  X: 1": ("▸ 3      X: 1</mark>", "  6      Y: 2"),
        "handler.py:3  def": ("▸ 3  def handler(event, context):</mark>", "  4      return"),
        "template.yaml (there is no Budget)": (
            "(there is no Budget)",
            "  2    Orders: # kept\n  4    T",
        ),
        "handler.py (no single line can be named)": ("parts of the file", "  3  def handler"),
    }
    for where, shown in wheres.items():
        html = told(graded(1, replace(FINDING, where=where)), Evidence([], {}))
        assert html.count("The lines: ") == 2 and all(text in html for text in shown), where
    for where in ("template.yaml:99  X", "other.py:1  X", "nowhere"):
        html = told(graded(1, replace(FINDING, where=where)), Evidence([], {}))
        assert html.count("The lines: ") == 1


def test_the_policy_allows_only_the_page_itself() -> None:
    """Nothing is asked for, whether or not there are scenes."""
    for evidence in (Evidence([], {}), Evidence([bad_day()], {"lost-one": [Sight(0, 0, 0, "")]})):
        elements = Elements(told(graded(), evidence))
        assert not [a for tag, a in elements.found if "src" in a or tag in ("link", "img")]
        policy = next(a["content"] for tag, a in elements.found if tag == "meta" and "content" in a)
        assert policy is not None and policy.startswith("default-src 'none';")


def test_all_met_is_said() -> None:
    grade = replace(graded(), verdicts=graded().verdicts[:1], notes=[], advice=[])
    assert "Every criterion is met." in told(grade, Evidence([], {}))


def test_a_page_stays_within_a_megabyte_and_names_what_it_leaves_out() -> None:
    """Scenes in the order of the findings, each whole; the others by the command for them."""
    staged = Staged(lambda event: None, BatchSize=5)
    for second in range(60):
        staged.put(*(f"o-{second}-{number}" for number in range(15)))
        staged.bench.run_for(seconds=1)
    document = run.document([staged.scene()])
    sights = [Sight(number, 0, 0, "the end") for number in range(8)]
    html = told(graded(8), Evidence([document] * 8, {"lost-one": sights}))
    shown = len(re.findall(r'<div id="scene-\d+">', html))
    assert 1 <= shown < 8 and len(html.encode()) < MOST_BYTES + 20_000
    left = html.count("<code>labs grade 2 --only lost-one --open</code>")
    assert left == 8 - shown == 8 - html.count('class="scene" hidden')


@pytest.fixture(scope="module", name="attacked")
def _attacked() -> str:
    return attacked()


def attacked() -> str:
    """A page in which everything that a learner writes is hostile."""
    finding = Finding(**{one.name: HOSTILE for one in fields(Finding)})
    grade = replace(graded(2, finding), notes=[HOSTILE], advice=[HOSTILE])
    evidence = Evidence([hostile()], {"lost-one": [Sight(0, 0, 1_000, HOSTILE, 1)] * 2})
    files = {"template.yaml": f"  {HOSTILE}:\n".encode()}
    elsewhere = (
        replace(finding, where="template.yaml:1  X"),
        replace(finding, where=f"template.yaml ({HOSTILE})"),
    )
    lost = replace(grade.verdicts[2], finding=elsewhere[0], further=elsewhere[1:])
    grade = replace(grade, verdicts=[*grade.verdicts[:2], lost])
    again = f"labs grade 2 --path {HOSTILE}"
    return page(grade, evidence, tasks={2: HOSTILE}, files=files, again=again)


def test_no_text_of_others_becomes_markup(attacked: str) -> None:
    """Not in findings, notes, commands, scenes or the embedded document."""
    elements = Elements(attacked)
    counts: dict[str, Any] = {}
    for tag, _ in elements.found:
        counts[tag] = counts.get(tag, 0) + 1
    assert counts["script"] == 2 and "img" not in counts
    assert "\u202e" not in attacked and "\x1b" not in attacked
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", elements.inside["script"][0])
