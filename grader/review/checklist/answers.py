"""What an item's question comes to: a verdict, a sentence, and the places it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from grader.cloud.template import shown
from grader.cloud.template.model import Resource

Verdict = Literal["met", "not met", "cannot tell", "not applicable"]

# The worst first.
VERDICTS: tuple[Verdict, ...] = ("not met", "cannot tell", "met", "not applicable")


@dataclass(frozen=True)
class Evidence:
    """One place of the template that a verdict rests on.

    ``line`` counts from 1. ``property`` is a dotted path below the resource's Properties, empty for
    the resource itself. ``quote`` is the template's line as it stands, without outer blanks.
    """

    line: int
    logical_id: str
    property: str
    quote: str


@dataclass(frozen=True)
class Answer:
    """What an item's question comes to for one consumer."""

    verdict: Verdict
    detail: str
    evidence: tuple[Evidence, ...] = ()


def at(resource: Resource, *path: str | int) -> Evidence:
    """The place of a property, or of the nearest thing around it that is there."""
    line = resource.line_of(*path)
    quote = resource.source[line - 1].strip() if 0 < line <= len(resource.source) else ""
    return Evidence(line, resource.logical_id, ".".join(map(str, path)), quote)


def met(detail: str, *evidence: Evidence) -> Answer:
    """The item is met."""
    return Answer("met", detail, evidence)


def unmet(detail: str, *evidence: Evidence) -> Answer:
    """The item is not met."""
    return Answer("not met", detail, evidence)


def unsure(detail: str, *evidence: Evidence) -> Answer:
    """The template alone cannot tell."""
    return Answer("cannot tell", detail, evidence)


def aside(detail: str, *evidence: Evidence) -> Answer:
    """The item does not apply to this consumer."""
    return Answer("not applicable", detail, evidence)


def outside(what: str, value: Any, *evidence: Evidence) -> Answer:
    """The answer when what is asked about stands outside the template."""
    name = f" ({shown(value)})" if value is not None else ""
    return unsure(f"The {what} stands outside this template{name}.", *evidence)
