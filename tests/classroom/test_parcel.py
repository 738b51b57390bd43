"""What comes in is a parcel or nothing, and an answer is believed only as far as it fits."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from stub_inside import document

from grader.classroom.parcel import MOST_ANSWER_BYTES, Answer, Parcel, Unreadable

PARCEL = Parcel(2, 7, "v1", {"handler.py": b"\xff\x00 = 1\n", "a/b.py": b"", "odd\udcff": b"x"})


def test_a_parcel_comes_back_whole_and_equal_parcels_are_equal_bytes() -> None:
    assert Parcel.unpack(PARCEL.pack()) == PARCEL
    other = Parcel(2, 7, "v1", dict(reversed(PARCEL.files.items())))
    assert other.pack() == PARCEL.pack()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../b", "", "a//b", "."])
def test_no_file_of_a_parcel_lies_outside(name: str) -> None:
    with pytest.raises(Unreadable, match="holds a file named"):
        Parcel.unpack(Parcel(1, 0, "v1", {name: b"x"}).pack())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        zlib.compress(b"[1]"),
        zlib.compress(b'{"lab": 1, "seed": 0, "course": "v"}'),
        zlib.compress(b'{"lab": 1, "seed": 0, "course": "v", "files": {"a": "!"}}'),
        PARCEL.pack()[:-5],
        PARCEL.pack() + b"more",
    ],
)
def test_what_is_no_parcel_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        Parcel.unpack(data)


def test_a_bomb_is_not_unpacked_beyond_its_bound() -> None:
    with pytest.raises(Unreadable):
        Parcel.unpack(zlib.compress(bytes(50_000_000)))


def graded(change: Callable[[dict[str, Any]], object] = lambda document: None) -> bytes:
    said = document(PARCEL)
    change(said)
    return Answer("graded", said, tier="landlock", seconds=1.0, worker="w").pack()


def test_an_answer_that_fits_is_taken() -> None:
    answer = Answer.unpack(graded(), PARCEL)
    assert answer.document == document(PARCEL)
    assert Answer.unpack(Answer("failed", sentence="Oh.").pack(), PARCEL).sentence == "Oh."


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(seed=8),
        lambda d: d.update(lab=1),
        lambda d: d.update(score=99),
        lambda d: d.update(score=True),
        lambda d: d.update(passed=False),
        lambda d: d.update(status="broken"),
        lambda d: d.update(files={}),
        lambda d: d.update(extra=1),
        lambda d: d.pop("notes"),
        lambda d: d.update(notes=[1]),
        lambda d: d["criteria"].pop(),
        lambda d: d["criteria"].append(d["criteria"][0]),
        lambda d: d["criteria"][0].update(points=1000, score=1000),
        lambda d: d["criteria"][0].update(outcome="won"),
        lambda d: d["criteria"][0].update(outcome="unmet"),
        lambda d: d["criteria"][0].update(finding={"rule": "only"}),
        lambda d: d["criteria"][0].update(further=[{"rule": 1}]),
        lambda d: d["criteria"][0].update(id="=cmd()"),
        lambda d: d["criteria"].__setitem__(0, None),
    ],
)
def test_a_document_that_does_not_fit_the_parcel_is_no_grade(
    change: Callable[[dict[str, Any]], object],
) -> None:
    """Another seed or lab, a sum that is none, criteria that are not ours, a field too many."""
    with pytest.raises(Unreadable, match="does not fit"):
        Answer.unpack(graded(change), PARCEL)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"[]",
        b"null",
        b'{"kind": "won"}',
        json.dumps({"kind": "graded"}).encode(),
        b"[" * 100_000,
        base64.b64encode(bytes(MOST_ANSWER_BYTES)),
    ],
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        Answer.unpack(data, PARCEL)
