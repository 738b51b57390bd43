"""Books of truths: what each merchant's total had to be and was, and the sweep of kills.

Every story of a play has a merchant of its own, so that each total tells of one story only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from grader.course.play.paging import FUNCTION

if TYPE_CHECKING:
    from grader.cloud.account import Denied
    from grader.cloud.aws import Call
    from grader.cloud.dynamodb import Record
    from grader.cloud.function import Invocation, Stall
    from grader.course.play.player import Player
    from grader.course.play.traffic import Shop, Stored

WHEN: tuple[Literal["before", "after"], ...] = ("before", "after")

# So many times a batch is killed.
MOST_KILLS = 24

# At so many of a batch's calls an environment is held up.
MOST_STALLS = 8

# So long an environment is held up: another one does all of its work meanwhile.
STALL_MS = 1_000

# So long after it has called, the other environment begins: the call has taken effect by then.
APART_MS = 12

# What begins the name of a call that changes nothing.
READS = ("Get", "BatchGet", "TransactGet", "Query", "Scan", "Describe", "List", "Head")


def settle(player: Player, shop: Shop, records: list[Record]) -> list[Invocation]:
    """Deliver a batch as often as a mapping would until the function has accepted all of it."""
    invocations = shop.pipeline.settle(FUNCTION, records)
    player.require_start(invocations)
    return invocations


@dataclass(frozen=True)
class Seen:
    """What a merchant's item said at the end of a story, and what it should have said.

    ``basis`` says what the expectation rests on: the truth about the orders, or what the same
    records left behind without any trouble.
    """

    story: str
    merchant: str
    expected: Stored
    observed: Stored
    basis: str
    last: Invocation
    denied: Sequence[Denied]

    @property
    def right(self) -> bool:
        """Whether the item says what it should."""
        return self.expected == self.observed


class Book:
    """Notes for each story of a scenario what was expected and what was stored."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.seen: list[Seen] = []

    @property
    def right(self) -> bool:
        """Whether every story ended as it should."""
        return all(seen.right for seen in self.seen)

    def truth(self, story: str, merchant: str, last: Invocation) -> bool:
        """The merchant's item must be the sum and number of its orders; returns whether it is."""
        return self.like(story, merchant, self.shop.truth(merchant), "its orders", last)

    def like(
        self, story: str, merchant: str, expected: Stored, basis: str, last: Invocation
    ) -> bool:
        """The merchant's item must say ``expected``; returns whether it does."""
        observed = self.shop.stored(merchant)
        denied = self.shop.pipeline.denied
        self.seen.append(Seen(story, merchant, expected, observed, basis, last, denied))
        return self.seen[-1].right


@dataclass(frozen=True)
class Death:
    """The environment dies right before or after one of its calls; ``number`` counts deaths."""

    number: int
    call: int
    when: Literal["before", "after"]
    calls: Sequence[str]

    def __str__(self) -> str:
        return (
            f"the environment dies right {self.when} AWS call {self.call} of {len(self.calls)} "
            f"({self.calls[self.call - 1]})"
        )

    def strike(self, shop: Shop, records: list[Record]) -> None:
        """Deliver ``records`` to an environment that dies; what comes again is the caller's."""
        shop.pipeline.kill_at(FUNCTION, call=self.call, when=self.when)
        shop.pipeline.deliver(FUNCTION, records)
        shop.pipeline.kill_at(FUNCTION, None)
        shop.pipeline.run_for(seconds=2)


def deaths(player: Player, rehearsal: Invocation, most: int = MOST_KILLS) -> Iterator[Death]:
    """A death around every call of an undisturbed invocation of the batch, in order.

    When they are more than ``most``, it is a death around each write, and around as many of the
    reads, evenly spread, as there is room for. Ends early when the function hangs again and again.
    """
    calls = [call.operation for call in rehearsal.calls]
    writes = [k for k, name in enumerate(calls, start=1) if not name.startswith(READS)]
    reads = [k for k, name in enumerate(calls, start=1) if name.startswith(READS)]
    at = sorted([*writes, *_spread(reads, most // len(WHEN) - len(writes))])
    points = [(k, when) for k in at for when in WHEN]
    for number, (k, when) in enumerate(points, start=1):
        if player.hangs.exhausted:
            return
        yield Death(number, k, when, calls)


def _spread(calls: list[int], room: int) -> list[int]:
    """As many of these calls as there is room for, evenly spread."""
    if room >= len(calls):
        return calls
    return [calls[n * len(calls) // room] for n in range(max(room, 0))]


@dataclass(frozen=True)
class HeldUp:
    """The first of two environments waits long for the answer to one of its calls.

    The other one begins ``apart_ms`` after the first, when that one is held up.
    """

    call: int
    apart_ms: int
    calls: Sequence[str]

    def __str__(self) -> str:
        return (
            f"the first is held up at AWS call {self.call} of {len(self.calls)} "
            f"({self.calls[self.call - 1]}), the second does all of its work meanwhile"
        )

    def together(self, shop: Shop, batches: list[list[Record]]) -> Invocation:
        """Deliver two batches so, as often as it takes; the last invocation."""
        host = shop.pipeline.functions[FUNCTION]
        first = len(host.invocations) + 1

        def late(call: Call) -> Stall | None:
            from grader.cloud.function import Stall

            at = call.invocation == first and call.number == self.call
            return Stall(STALL_MS) if at else None

        host.faults = late
        last = shop.pipeline.settle_together(FUNCTION, batches, apart_ms=self.apart_ms)[-1]
        host.faults = None
        return last


def held_up(player: Player, rehearsal: Invocation) -> Iterator[HeldUp]:
    """One of two environments held up at every call of an undisturbed invocation, in order.

    When the calls are more than `MOST_STALLS`, evenly spread ones. Ends early as `deaths` does.
    """
    calls = [call.operation for call in rehearsal.calls]
    for k in _spread(list(range(1, len(calls) + 1)), MOST_STALLS):
        if player.hangs.exhausted:
            return
        yield HeldUp(k, rehearsal.calls[k - 1].time_ms - rehearsal.start_ms + APART_MS, calls)
