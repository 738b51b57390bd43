"""Stands in for workers: answers at once, as it is told to."""

from __future__ import annotations

from collections.abc import Callable

from stub_inside import document

from grader.classroom.parcel import Answer, Parcel
from grader.classroom.work import Done


class Fake:
    """Workers that answer as ``say`` does, with what was asked so far in ``asked``."""

    place = "here"
    size = 2

    def __init__(self, say: Callable[[Parcel, str], Answer | str] | None = None) -> None:
        self.say = say or (lambda parcel, worker: won(parcel, worker))
        self.asked: list[tuple[Parcel, str]] = []
        self.under: list[tuple[int, Parcel, str]] = []

    @property
    def room_for(self) -> int:
        return 2 - len(self.under)

    def submit(self, number: int, parcel: bytes, course: str, avoid: str = "") -> None:
        worker = "b" if avoid == "a" else "a"
        self.under.append((number, Parcel.unpack(parcel), worker))
        self.asked.append(self.under[-1][1:])

    def wait(self, seconds: float) -> Done | None:
        number, parcel, worker = self.under.pop(0)
        said = self.say(parcel, worker)
        if isinstance(said, str):
            return Done(number, problem=said, worker=worker)
        return Done(number, answer=said.pack())

    def close(self) -> None:
        """Nothing is under way."""


def won(parcel: Parcel, worker: str) -> Answer:
    return Answer("graded", document(parcel), "", "namespaces", 0.5, worker)


def failed(sentence: str) -> Callable[[Parcel, str], Answer]:
    return lambda parcel, worker: Answer("failed", None, sentence, "namespaces", 0.5, worker)


def lost(parcel: Parcel, worker: str) -> Answer:
    """Full marks but for the first criterion."""
    said = document(parcel)
    row = said["criteria"][0]
    finding = dict.fromkeys(
        ("rule", "input", "expected", "observed", "why", "where", "next", "page"), "x"
    )
    row.update(outcome="unmet", score=0, finding=finding)
    said.update(score=100 - row["points"], passed=False)
    return Answer("graded", said, "", "namespaces", 0.5, worker)
