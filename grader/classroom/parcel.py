"""What travels between the command, a worker and its room: a parcel out, an answer back.

A parcel is bytes: the files of one hand-in with the lab, the seed and the version of the course.
An answer is bytes, too: bounded JSON, which is believed only as far as it fits the parcel. No
learner, no path and no time is in either.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from grader.course.files import digests
from grader.course.grade import GRADE_SCHEMA, Finding
from grader.course.lab import MOST_BYTES_BESIDE, find

# Far above what a lab's files and those beside them may hold, in base64.
MOST_PARCEL_BYTES = 8 * MOST_BYTES_BESIDE
# A grade of the labs that meets hardly anything has 13,000.
MOST_ANSWER_BYTES = 4_000_000

# A whole grade skips nothing.
OUTCOMES = ("met", "unmet", "unreached", "broken")


class Unreadable(Exception):
    """What came is no parcel or no answer to it; the message says in a sentence why."""


@dataclass(frozen=True)
class Parcel:
    """Files of one lab to be graded with ``seed`` under the version ``course``."""

    lab: int
    seed: int
    course: str
    files: Mapping[str, bytes]

    def pack(self) -> bytes:
        """The parcel as bytes: compressed JSON, equal for equal parcels."""
        files = {name: base64.b64encode(self.files[name]).decode() for name in sorted(self.files)}
        document = {"lab": self.lab, "seed": self.seed, "course": self.course, "files": files}
        return zlib.compress(json.dumps(document).encode())

    @classmethod
    def unpack(cls, data: bytes) -> Parcel:
        """The parcel in ``data``. Unreadable for anything else, a file outside the lab included."""
        opened = zlib.decompressobj()
        try:
            text = opened.decompress(data, MOST_PARCEL_BYTES)
            document = json.loads(text)
            files = {
                name: base64.b64decode(content, validate=True)
                for name, content in document["files"].items()
            }
            parcel = cls(document["lab"], document["seed"], document["course"], files)
        except (ValueError, TypeError, KeyError, AttributeError, zlib.error) as error:
            raise Unreadable(f"The parcel cannot be read: {error!r}.") from None
        if opened.unconsumed_tail or not opened.eof or opened.unused_data:
            raise Unreadable("The parcel is too large or not whole.")
        for name in files:
            if not name or name.startswith("/") or {"", ".", ".."} & set(name.split("/")):
                raise Unreadable(f"The parcel holds a file named {name!r}.")
        return parcel


@dataclass(frozen=True)
class Answer:
    """What a worker says to a parcel.

    ``graded`` brings the document of the grade. ``failed`` says what happened to the process that
    graded, or inside it: another worker may do better. ``refused`` says why this worker grades
    nothing at all. ``seconds`` are real ones; ``worker`` is who says it.
    """

    kind: Literal["graded", "failed", "refused"]
    document: dict[str, Any] | None = None
    sentence: str = ""
    tier: str = ""
    seconds: float = 0.0
    worker: str = ""

    def pack(self) -> bytes:
        """The answer as JSON."""
        return json.dumps(vars(self)).encode()

    @classmethod
    def unpack(cls, data: bytes, parcel: Parcel) -> Answer:
        """The answer in ``data`` to ``parcel``. Unreadable where it does not fit."""
        try:
            if len(data) > MOST_ANSWER_BYTES:
                raise Unreadable(f"The answer is larger than {MOST_ANSWER_BYTES:,} bytes.")
            said = json.loads(data)
            _fits(said, {"kind": str, "sentence": str, "tier": str, "seconds": float,
                         "worker": str,
                         "document": dict if said["kind"] == "graded" else type(None)})  # fmt: skip
            _one_of(said["kind"], ("graded", "failed", "refused"))
            if said["kind"] == "graded":
                check_document(said["document"], parcel)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise Unreadable(f"The answer does not fit what was asked: {error}.") from None
        return cls(**said)


def check_document(document: Mapping[str, Any], parcel: Parcel) -> None:
    """ValueError, TypeError or KeyError unless this is a whole grade of just this parcel.

    The shape is that of ``labs/grade/v1``; lab, seed, the digest of each file, the criteria with
    their points, and the sums are what they must be.
    """
    from grader.course.judge import criteria

    lab = find(str(parcel.lab))
    _fits(document, {
        "schema": str, "lab": int, "slug": str, "seed": int, "score": int, "max_score": int,
        "passed": bool, "status": str, "files": dict, "notes": list, "advice": list,
        "criteria": list,
    })  # fmt: skip
    rows = document["criteria"]
    for row in rows:
        _fits(row, {
            "id": str, "task": int, "goal": str, "points": int, "score": int, "outcome": str,
            "finding": dict if row["finding"] is not None else type(None), "further": list,
        })  # fmt: skip
        _one_of(row["outcome"], OUTCOMES)
        for finding in [*filter(None, [row["finding"]]), *row["further"]]:
            _fits(finding, {field.name: str for field in fields(Finding)})
        _same("points won", row["score"], row["points"] if row["outcome"] == "met" else 0)
    for sentence in [*document["notes"], *document["advice"]]:
        _same("kind of a note", type(sentence), str)
    asked = [
        {"id": one.id, "task": one.task, "goal": one.goal, "points": one.points}
        for one in criteria(lab)
    ]
    _same("criteria", [{name: row[name] for name in asked[0]} for row in rows], asked)
    broken = any(row["outcome"] == "broken" for row in rows)
    for name, value in {
        "schema": GRADE_SCHEMA,
        "lab": lab.number,
        "slug": lab.slug,
        "seed": parcel.seed,
        "files": digests(parcel.files),
        "score": sum(row["score"] for row in rows),
        "max_score": sum(row["points"] for row in rows if row["outcome"] != "broken"),
        "passed": all(row["outcome"] == "met" for row in rows),
        "status": "broken" if broken else "graded",
    }.items():
        _same(name, document[name], value)


def _fits(value: Any, shape: Mapping[str, type]) -> None:
    """Just these members, of just these types."""
    _same("members", sorted(value), sorted(shape))
    for name, kind in shape.items():
        if type(value[name]) is not kind:
            raise TypeError(f"{name} is of type {type(value[name]).__name__}")


def _one_of(value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{value!r} is none of {', '.join(choices)}")


def _same(name: str, value: Any, wanted: Any) -> None:
    if value != wanted:
        raise ValueError(f"{name}: {str(value)[:200]} instead of {str(wanted)[:200]}")
