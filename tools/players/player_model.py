"""What a player is: a small story, its switches, and a question that it answers.

A position is one choice of every switch. Each position is played afresh on the emulator, and all of
them are the plays of one ``labs/run/v1`` document: the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from grader.replay import run
from grader.replay.scene import Scene
from grader.replay.viewing import ALWAYS

Play = dict[str, Any]
# Metrics that no picture shows are left out, and all of a shorter play than this: they are told by
# the minute, and would say nothing of it.
LEAST_MS = 120_000
Figures = list[tuple[str, str]]


@dataclass(frozen=True)
class Switch:
    """One switch: its name, and (label, value) of its positions; the label is what is read."""

    name: str
    choices: Sequence[tuple[str, Any]]

    @property
    def labels(self) -> list[str]:
        """What its positions are called."""
        return [label for label, _ in self.choices]


@dataclass(frozen=True)
class Question:
    """What the text around a player does not answer, and the player does.

    ``at`` are the labels of the position at which to look, ``shows`` is the text that its table has
    there; the answer follows from it.
    """

    ask: str
    answer: str
    at: Sequence[str]
    shows: str


@dataclass(frozen=True)
class Player:
    """A recording on one page.

    ``play`` gets the values of one position and gives what the emulator left of it; ``figures``
    are numbers of such a play, by name, before those that it brings along. ``first`` are the
    labels with which it opens and which the still picture shows, ``picture`` says in words what is
    seen there.
    """

    id: str
    page: str
    title: str
    about: str
    switches: Sequence[Switch]
    first: Sequence[str]
    play: Callable[..., Scene]
    picture: str
    question: Question
    figures: Callable[[Play], Figures] = lambda play: []

    def positions(self) -> Iterator[tuple[list[str], list[Any]]]:
        """Labels and values of every position; the last switch changes first."""
        for chosen in product(*(one.choices for one in self.switches)):
            yield [label for label, _ in chosen], [value for _, value in chosen]

    def position(self, labels: Sequence[str]) -> int:
        """The number of a position; ValueError when there is none."""
        return [one for one, _ in self.positions()].index(list(labels))

    def record(self) -> run.Document:
        """Play every position; the document, with one play for each."""
        scenes = [self.play(*values) for _, values in self.positions()]
        document = run.document(scenes, scenario=self.title)
        for (labels, _), play in zip(self.positions(), document["plays"], strict=True):
            play["title"] = ", ".join(labels)
            # That a mapping was made is no part of a story that begins with it.
            play["states"] = [one for one in play["states"] if one["at"] > 0]
            drawn = ALWAYS if play["length"] >= LEAST_MS else ()
            play["metrics"] = [one for one in play["metrics"] if one["name"] in drawn]
            made = self.figures(play)
            play["figures"][:0] = [
                {"name": name, "value": value, "limit": "", "met": None} for name, value in made
            ]
        return document
