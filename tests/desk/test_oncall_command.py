"""`labs oncall` on the command line: what is said before anything is played, and `labs list`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from standin import Run

from grader.course.grade import Grade, Verdict
from grader.sandbox.oncall import book, judge
from grader.sandbox.oncall.drills import SLUGS, drill
from grader.sandbox.oncall.duty import SCHEMA, STANDS, Stands


def sentence(result: tuple[int, str, str]) -> str:
    code, out, err = result
    assert (code, out) == (2, "")
    assert err.startswith("labs: ")
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("time-out",), "Did you mean 'time-outs'?"),
        (("xyzzy",), "There are later-and-later, throttled-and-late"),
        (("3", "--relaxed", "0.5"), "a number from 1 to 100, or 'endless'"),
        (("silence", "--relaxed", "much"), "a number from 1 to 100, or 'endless'"),
        (("silence", "--speed", "0"), "--speed"),
        (("resume",), "no drill to go on with"),
    ],
)
def test_what_cannot_be_begun_is_said_in_a_sentence(
    arguments: tuple[str, ...], told: str, labs: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unneeded:
        @classmethod
        def start(cls, **_: object) -> Unneeded:
            return cls()

        def close(self) -> None:
            """Nothing was started."""

    monkeypatch.setattr("grader.cloud.Nursery", Unneeded, raising=False)
    assert told in sentence(labs("oncall", *arguments))


@pytest.mark.parametrize("words", [("done", "--cause", "filter"), ("hint",), ("shell",)])
def test_without_a_running_drill_the_other_words_say_so(
    words: tuple[str, ...], labs: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert "No sandbox of yours runs on port 4799" in sentence(
        labs("oncall", *words, "--port", "4799")
    )


@pytest.mark.parametrize("words", [("done", "--cause", "filter"), ("hint",), ("shell",)])
def test_without_a_port_the_drill_of_this_workspace_is_meant(
    words: tuple[str, ...], labs: Run, space: Path
) -> None:
    """Not whatever listens on the usual port: it may be somebody else's."""
    assert "No drill runs in this workspace" in sentence(labs("oncall", *words))
    (space / ".labs" / "oncall").mkdir(parents=True)
    (space / ".labs" / "oncall" / "port").write_text("4798")
    assert "runs on port 4798" in sentence(labs("oncall", *words))


def test_a_drill_that_waits_is_not_dropped_without_a_word(labs: Run, space: Path) -> None:
    stands = Stands("mixed-night", 7, 0, 1.0, 1.0, 0, left_s=1.0)
    kept = space / ".labs" / "oncall"
    kept.mkdir(parents=True)
    (kept / STANDS).write_text(json.dumps({"schema": SCHEMA, **asdict(stands)}))
    told = sentence(labs("oncall", "3"))
    assert "mixed-night waits for you: labs oncall resume" in told and "3 --drop" in told


def test_labs_list_shows_the_drills_beside_the_labs(labs: Run, space: Path) -> None:
    """Each with what was won; the relaxed ones are marked."""
    half, later = (
        Grade(0, slug, 0, [Verdict(one, "met") for one in judge.criteria_of(drill(slug, 0))])
        for slug in ("half-are-missing", "later-and-later")
    )
    book.record(space / ".labs", half, relaxed=True, hints=2)
    book.record(space / ".labs", later, relaxed=False, hints=0)
    code, out, _ = labs("list")
    assert code == 0
    rows = {line.split()[1]: line for line in out.splitlines() if len(line.split()) > 1}
    assert " ".join(rows["half-are-missing"].split()) == (
        "10 half-are-missing 100 of 100 1 2 passed, relaxed"
    )
    assert rows["later-and-later"].split()[-1] == "passed"
    assert set(SLUGS) <= set(rows)
    assert "2 of 13 drills" in out
    document = json.loads(labs("list", "--json")[1])
    assert [one["drill"] for one in document["drills"]] == list(SLUGS)
    assert {one["drill"]: one["best"] for one in document["drills"]}["half-are-missing"] == 100
    assert not any(one["under_way"] for one in document["drills"])


@pytest.mark.parametrize("content", ["", "[]", '{"schema": 1}', '{"drills": {"filter": {"x": 1}}}'])
def test_a_damaged_book_counts_as_nothing_reached(content: str, tmp_path: Path) -> None:
    (tmp_path / book.FILE).write_text(content, encoding="utf-8")
    assert book.read(tmp_path) == {slug: book.Entry() for slug in SLUGS}
