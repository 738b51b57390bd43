"""After labs class forget nothing of a learner is left, and everybody else's is as it was."""

from __future__ import annotations

from pathlib import Path

import exports
import made_class
import pytest
from class_room import Room
from exports import answer, below, unpacked

from grader.classroom import forgetting, roster
from grader.classroom.record import Record
from grader.course.files import UsageError

MINE = answer("2", "solution", "mine")


def full(room: Room) -> None:
    """Ada and Grace with hand-ins, attempts, refusals, grades, adjustments and reports."""
    room.enrol(exports.roster())
    room.take("class", {**below("ada", MINE), **below("grace", MINE), "eve/rar.rar": b"x"})
    room.take("more", {**below("ada", MINE | {"x.py": b"x = 1\n"}), "Adas Lovelace/x": b""})
    for key in ("ada", "grace"):
        graded = made_class.graded(key, made_class.grade())
        room.record.add_grade(graded, publish=True)
        room.record.adjust(key, 2, 50, f"an appeal of {key}")
    unpacked(room.settings.reports, {
        "overview.html": "<td>Ada Lovelace</td><td>Grace Hopper</td>",
        "gradebook.csv": "ada,Ada Lovelace,ada@example.edu,55\n",
        "feedback/ada/index.html": "<h1>You</h1>",
        "feedback/grace/grace.html": "<h1>Grace</h1>",
        "feedback/adamant.md": "no one",
        "alike/pair-1.html": "<p>ada and grace</p>",
    })  # fmt: skip


def everything(room: Room) -> bytes:
    """All bytes that lie in the class's folder but the roster, the settings and the downloads."""
    own = {room.settings.roster, room.root / "class.toml"}
    return b"".join(
        str(place.relative_to(room.root)).encode() + place.read_bytes()
        for place in sorted(room.root.rglob("*"))
        if place.is_file() and place not in own and "downloads" not in place.parts
    )


def test_forgotten_is_forgotten(room: Room) -> None:
    """No byte of the folder says her name any more: not a page, not a log of the database."""
    full(room)
    assert b"ada" in everything(room)
    learner = roster.read(room.settings.roster)["ada"]
    told = forgetting.forget(room.settings, room.record, learner)
    left = everything(room).replace(b"adamant", b"")
    for trace in (b"ada", b"Ada", b"Lovelace"):
        assert trace not in left
    assert [one.learner for one in room.record.hand_ins()] == ["grace"]
    assert {one.learner for one in room.record.refusals()} == {"eve"}
    assert room.files("grace") == MINE
    assert sorted(p.name for p in room.settings.reports.rglob("*") if p.is_file()) == [
        "adamant.md",
        "grace.html",
    ]
    assert not (room.settings.reports / "feedback/ada").exists()
    assert any("4 reports that named them" in one for one in told.removed)
    assert any("roster.csv still names them, in line 2" in one for one in told.elsewhere)


def test_what_is_written_in_other_ways_is_found(room: Room) -> None:
    """As HTML, as JSON and as an address; and not as a part of another word."""
    made = roster.Learner("o'neil", "Séan <O'Neil>", "sean@x.edu")
    unpacked(room.settings.reports, {
        "html.html": "S&eacute;an".replace("&eacute;", "é") + " &lt;O&#x27;Neil&gt;",
        "json.json": '"S\\u00e9an <O\'Neil>"',
        "url.md": "[you](feedback/o%27neil.html)",
        "other.md": "sean@x.education",
    })  # fmt: skip
    forgetting.forget(room.settings, room.record, made)
    assert [one.name for one in room.settings.reports.iterdir()] == ["other.md"]


def test_nobody_else_can_be_meant(room: Room) -> None:
    full(room)
    people = roster.read(room.settings.roster)
    for wrong in ("adda", "Ada", "../ada", "", ".", ".attempts"):
        with pytest.raises(UsageError, match="There is nobody called"):
            forgetting.find(room.settings, people, room.record, wrong)
    with pytest.raises(UsageError, match=r"Did you mean ada\?"):
        forgetting.find(room.settings, people, room.record, "adda")


def test_who_is_in_no_roster_any_more_can_be_forgotten(room: Room) -> None:
    full(room)
    found = forgetting.find(room.settings, {}, room.record, "ada")
    forgetting.forget(room.settings, room.record, found)
    assert not room.record.hand_ins("ada")


def test_whom_a_later_report_named_again_can_be_forgotten_again(room: Room) -> None:
    """The roster had not been edited yet when the report was written."""
    (room.settings.reports / "feedback" / "ada").mkdir(parents=True)
    found = forgetting.find(room.settings, {}, room.record, "ada")
    forgetting.forget(room.settings, room.record, found)
    assert not (room.settings.reports / "feedback" / "ada").exists()


def test_a_link_in_place_of_a_folder_is_removed_and_not_followed(room: Room) -> None:
    kept = unpacked(room.root / "elsewhere", {"x": b"kept"})
    room.settings.handed_in.mkdir()
    (room.settings.handed_in / "ada").symlink_to(kept, target_is_directory=True)
    forgetting.forget(room.settings, room.record, roster.Learner("ada"))
    assert (kept / "x").read_bytes() == b"kept"
    assert not (room.settings.handed_in / "ada").is_symlink()


def test_an_open_record_elsewhere_is_said(room: Room, tmp_path: Path) -> None:
    """Another program that reads keeps the log alive; nothing is promised then."""
    full(room)
    # It would wait half a minute for the other one to end.
    room.record._sql.execute("PRAGMA busy_timeout = 100")
    with Record(room.settings.record) as other:
        other._sql.execute("BEGIN")
        other._sql.execute("SELECT count(*) FROM hand_ins").fetchone()
        with pytest.raises(UsageError):
            forgetting.forget(room.settings, room.record, roster.Learner("ada"))
