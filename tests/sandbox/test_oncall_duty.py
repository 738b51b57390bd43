"""A drill over HTTP's requests: kept on disk, gone on with after a break, judged, looked at again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from grader.cloud.function import Nursery
from grader.course.files import UsageError
from grader.course.grade import Grade
from grader.desk import standing
from grader.sandbox.oncall import book, debrief, handout
from grader.sandbox.oncall.duty import ASKED, STANDS, Duty
from grader.sandbox.oncall.shift import MAPPING

KEY = "AKIAIOSFODNN7EXAMPLE"
HEAD = {
    "host": "127.0.0.1:4566",
    "content-type": "application/json",
    "authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20261129/us-east-1/lambda/aws4_request, "
    "SignedHeaders=host, Signature=00ff",
}


class Wall:
    """The machine's clock of a test, in seconds."""

    def __init__(self) -> None:
        self.now = 1_793_610_000.0

    def __call__(self) -> float:
        return self.now


def call(duty: Duty, method: str, body: dict[str, object] | None = None) -> dict[str, object]:
    path = f"/2015-03-31/event-source-mappings/{duty.shift.physical(MAPPING)}"
    reply = duty.answer(method, path, HEAD, json.dumps(body).encode() if body else b"")
    assert reply.status in (200, 202), reply.body
    return dict(json.loads(reply.body))


def test_a_drill_is_kept_gone_on_with_and_judged(nursery: Nursery, tmp_path: Path) -> None:
    """One drill from the page to the debrief, with a break in it."""
    wall = Wall()
    duty = Duty.begin("silence", nursery, tmp_path / "kept", speed=2, wall=wall)
    wall.now += 90
    assert call(duty, "GET")["State"] == "Disabled"
    hint = duty.control("oncall", {"hint": "1"})
    assert (hint["number"], hint["of"]) == (1, 3)
    wall.now += 60
    call(duty, "PUT", {"Enabled": True})
    wall.now += 60
    with pytest.raises(ValueError, match="no cause"):
        duty.control("oncall", {"done": "the-weather"})
    duty.leave()
    stands, acts = duty.cloud.clock.now, [(one.time_ms, one.operation) for one in duty.shift.acts]
    duty.shift.close()
    # Nothing of the key, nor of what was made with it, is kept.
    kept = (tmp_path / "kept" / ASKED).read_text(encoding="utf-8")
    assert KEY not in kept
    assert "Signature" not in kept

    wall.now += 3_600
    again = Duty.resume(nursery, tmp_path / "kept", wall=wall)
    assert again.stands.breaks_s == [3_600.0]
    assert again.stands.hints == 1
    assert again.cloud.clock.now == stands
    assert [(one.time_ms, one.operation) for one in again.shift.acts] == acts
    assert call(again, "GET")["State"] == "Enabled"
    written: list[str] = []
    again.finished = lambda one: written.append(debrief.page(one))
    told = again.control("oncall", {"done": "mapping-disabled"})
    grade = Grade.read(told["grade"])
    assert grade == Grade.read(again.grade.document()) if again.grade else False
    assert grade.passed, [one.finding for one in grade.verdicts if one.finding]
    (page,) = written
    for part in (
        "Where the minutes went",
        "What was known when",
        "A colleague disables the mapping",
        "UpdateEventSourceMapping",
        "--enabled",
        'id="viewer"',
        "Time stood still 1 time, 60 minutes",
        "Hints seen: 1 of 3",
    ):
        assert part in page, part
    # What is said afterwards changes nothing any more, and there is nothing to go on with.
    assert again.control("oncall", {"done": "growth"})["grade"]["score"] == 100
    again.shift.close()
    with pytest.raises(UsageError, match="is over"):
        Duty.resume(nursery, tmp_path / "kept")

    entry = book.record(tmp_path, grade, relaxed=False, hints=again.stands.hints)
    assert (entry.best, entry.passed, entry.hints) == (100, True, 1)
    assert book.read(tmp_path)["silence"] == entry
    assert book.read(tmp_path)["half-are-missing"].runs == 0
    # What was kept when drills had the names of their causes is still read.
    text = (tmp_path / book.FILE).read_text(encoding="utf-8")
    (tmp_path / book.FILE).write_text(text.replace('"silence"', '"mapping-disabled"'), "utf-8")
    assert book.read(tmp_path)["silence"] == entry
    # The list tells a drill that waits from one that was never begun.
    (tmp_path / "oncall").mkdir()
    (tmp_path / book.SHIFT).write_text('{"drill": "filter", "over": false}', encoding="utf-8")
    listed = standing.drills(book.read(tmp_path), book.under_way(tmp_path))
    assert [line.split()[-2:] for line in listed if "half-are-missing" in line] == [
        ["under", "way"]
    ]
    assert book.under_way(None) is None


def test_the_handout_holds_the_page_the_runbook_and_the_names(
    nursery: Nursery, tmp_path: Path
) -> None:
    """With the code as it was deployed, and the code of before the release beside it."""
    duty = Duty.begin("notes-pile-up", nursery, tmp_path / "kept", relaxed=2, wall=Wall())
    handout.write(duty.shift, tmp_path / "files", "http://127.0.0.1:4566")
    names = handout.names(duty.shift, "http://127.0.0.1:4566")
    duty.shift.close()
    page = (tmp_path / "files" / "PAGE.txt").read_text(encoding="utf-8")
    assert 'ALARM: "OrdersGivenUp"' in page
    assert re.search(r"Since \d{4}-\d\d-\d\d \d\d:\d\d UTC, \d+ minutes ago", page)
    assert "80 minutes from now" in " ".join(page.split())
    assert "price_snapshot" in (tmp_path / "files" / "code" / "handler.py").read_text("utf-8")
    assert (tmp_path / "files" / "previous.zip").stat().st_size > 500
    runbook = (tmp_path / "files" / "RUNBOOK.md").read_text(encoding="utf-8")
    assert all(f"`${name}`" in runbook for name in names)
    assert names["QUEUE"].startswith("http://127.0.0.1:4566/123456789012/")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"schema": "labs/oncall/v9"}', '{"drill": 1}'])
def test_what_was_kept_and_cannot_be_read_is_said_in_a_sentence(
    content: str, tmp_path: Path
) -> None:
    (tmp_path / STANDS).write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read"):
        Duty.resume(None, tmp_path)  # type: ignore[arg-type]


def test_without_a_drill_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no drill to go on with"):
        Duty.resume(None, tmp_path)  # type: ignore[arg-type]
