"""The checklist's items and reports: an item registers by its decorator, in reading order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from grader.review.checklist.answers import Answer, Evidence, Verdict, aside
from grader.review.checklist.scene import Consumer

Severity = Literal["critical", "important", "advice"]

SEVERITIES: tuple[Severity, ...] = ("critical", "important", "advice")
SEVERITY_MEANING: dict[Severity, str] = {
    "critical": "records can be lost, or nobody would know",
    "important": "the system works, and is harder or dearer to keep working",
    "advice": "worth a thought; it never decides the exit code",
}

PAGE = "reference/production-checklist-items"


@dataclass(frozen=True)
class Item:
    """One item of the checklist.

    ``title`` is true of every consumer that meets it. ``applies`` says to which consumers it
    applies, ``pipes`` whether pipes are asked, too. ``why`` is one sentence, ``fix`` one or two.
    ``sources`` are AWS's pages.
    """

    id: str
    title: str
    severity: Severity
    applies: str
    why: str
    fix: str
    sources: tuple[str, ...]
    pipes: bool = field(compare=False)
    ask: Callable[[Consumer], Answer] = field(compare=False, repr=False)

    def answer(self, consumer: Consumer) -> Answer:
        """What the question comes to; *not applicable* where only mappings are asked."""
        if consumer.pipe and not self.pipes:
            return aside("The consumer is a pipe; this is asked of Lambda's mappings.")
        return self.ask(consumer)

    @property
    def page(self) -> str:
        """The course's page about it, as ``labs docs`` takes it."""
        return f"{PAGE}#{self.id}"


# Every item, in the order in which the modules below state them.
ITEMS: list[Item] = []


def item(
    id: str,
    *,
    title: str,
    severity: Severity,
    why: str,
    fix: str,
    sources: tuple[str, ...],
    applies: str = "every consumer",
    pipes: bool = False,
) -> Callable[[Callable[[Consumer], Answer]], Item]:
    """Make an item out of the function below, which answers it for one consumer."""

    def made(ask: Callable[[Consumer], Answer]) -> Item:
        ITEMS.append(Item(id, title, severity, applies, why, fix, sources, pipes, ask))
        return ITEMS[-1]

    return made


@dataclass(frozen=True)
class Result:
    """One item's answer for one consumer; ``consumer`` is the mapping's logical id."""

    item: Item
    consumer: str
    verdict: Verdict
    detail: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Report:
    """Every item's answer for every consumer, and what was left out of sight.

    ``hidden`` tells, as sentences with lines, what the review could not look into; ``off`` names
    the conditions that are false, whose resources do not exist.
    """

    path: str
    consumers: tuple[Consumer, ...]
    results: tuple[Result, ...]
    hidden: tuple[tuple[int | None, str], ...] = ()
    off: tuple[str, ...] = ()

    def of(self, item_id: str) -> tuple[Result, ...]:
        """The results of one item, one for each consumer. KeyError for an unknown item."""
        found = tuple(result for result in self.results if result.item.id == item_id)
        if self.consumers and not found:
            raise KeyError(item_id)
        return found

    def about(self, consumer: str) -> tuple[Result, ...]:
        """The results of one consumer, by the mapping's logical id."""
        return tuple(result for result in self.results if result.consumer == consumer)

    def count(self, verdict: Verdict, *, advice: bool = True) -> int:
        """How many results have that verdict; without ``advice``, of the weightier items only."""
        return sum(
            result.verdict == verdict and (advice or result.item.severity != "advice")
            for result in self.results
        )

    def decides(self, *, unknown_is_fine: bool = False) -> bool:
        """Whether everything that counts is met. Advice never counts, *cannot tell* does."""
        open_ = self.count("not met", advice=False)
        if not unknown_is_fine:
            open_ += self.count("cannot tell", advice=False)
        return open_ == 0
