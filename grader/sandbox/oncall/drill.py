"""A drill as data: what is deployed, who orders what, what happens when, what is told, what counts.

Minutes count from the moment at which the telephone rings; before it they are negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# The shop's promise: an order is shipped within so many minutes.
OBJECTIVE_MIN = 5


@dataclass(frozen=True)
class Orders:
    """Orders that customers place: one every ``every_s`` seconds from minute to minute.

    None as an end: as long as the drill is played. ``items`` are what orders have beside the
    ordinary attributes, one after the other in turns. ``good`` is False for orders that nobody can
    ship.
    """

    every_s: float
    from_min: float
    until_min: float | None = None
    name: str = "o"
    items: tuple[Mapping[str, Any], ...] = ({},)
    good: bool = True


@dataclass(frozen=True)
class Happening:
    """Somebody else's doing at ``minute``: an AWS call of theirs, or something of the world's.

    ``after``: the minute counts from the end of the drill's time, when the shop is by itself again.

    ``call`` is ``service:Operation`` with ``params``, in which ``$Name`` is the physical name of a
    resource of the shop and ``@path`` a file of the drills' folder; or one of the names of
    `grader.sandbox.oncall.world`. ``told`` says it in the debrief.
    """

    minute: float
    call: str
    params: Mapping[str, Any]
    told: str
    after: bool = False


@dataclass(frozen=True)
class Drill:
    """One drill. ``parameters`` are those of the shop's template.

    - ``slug`` and ``title`` are what somebody on call sees: they are shown before the debrief, and
      do not tell the cause. ``key`` is never shown: the dice are seeded with it, and what was kept
      under it, when drills had the names of their causes, is still read;
    - ``rings``: the alarms of the shop's template that have rung when the drill begins; the first
      one's words are the page. ``told`` are words of people beside it;
    - ``page``: where the operations guide treats the symptom;
    - ``causes``: which of `CAUSES` are so;
    - ``minutes``: by when the shop has to keep its promise again;
    - ``hints``: three, each saying more; ``calm`` what a calm colleague would have typed;
    - ``excused``: how orders are called that fail again when the drill's time is over: a note is
      enough for them, which the next shift redrives;
    - ``notes``: whether failure notes are to be redriven; ``extra_dollars``: what the cure may cost
      a day.
    """

    slug: str
    key: str
    title: str
    rings: tuple[str, ...]
    page: str
    causes: tuple[str, ...]
    orders: tuple[Orders, ...]
    happens: tuple[Happening, ...]
    hints: tuple[str, str, str]
    calm: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    told: str = ""
    minutes: int = 40
    before_min: int = 240
    excused: str = ""
    notes: bool = False
    extra_dollars: float = 2.0


# Every cause that can be named, for all drills: what is so in one is plausible in another.
CAUSES: Mapping[str, str] = {
    "growth": "More orders come than the lanes can take; nothing fails.",
    "own-reservation": "The function's own reserved concurrency is too small.",
    "neighbour": "Another function uses up the account's concurrency.",
    "deployment": "A new version of the function fails on some orders.",
    "poison-record": "One order that nobody can process holds all that is behind it.",
    "mapping-disabled": "Somebody disabled the event source mapping.",
    "role-lost-right": "The function's role has lost a right.",
    "table-capacity": "The table that is written to has too little capacity.",
    "memory-cut": "The function has less memory than its work needs.",
    "filter": "The mapping's filter drops orders that are to be shipped.",
    "destination": "The queue that the mapping sends its notes to is gone.",
    "old-backlog": "The mapping has been off for most of a day; the oldest orders expire soon.",
    "stream-replaced": "The stream was switched off and on, and the mapping reads the old one.",
    "courier-slow": "The courier answers more slowly than yesterday.",
    "cold-starts": "Every invocation is a cold start.",
    "alarm-wrong": "The alarm's threshold is in seconds, the metric in milliseconds.",
}

# What would have been seen if it were that: the answer to who names it where it is not so.
REFUTED: Mapping[str, str] = {
    "growth": "then IteratorAge would grow while Errors and Throttles stay at zero, and every "
    "invocation would ship its orders.",
    "own-reservation": "then get-function-concurrency would show a reservation below the mapping's "
    "lanes, and Throttles would be counted.",
    "neighbour": "then another function's ConcurrentExecutions would fill the account's limit, and "
    "this one, without a reservation, would be throttled.",
    "deployment": "then LastModified of the function would lie right before the first error, and "
    "the log would name a line that came with it.",
    "poison-record": "then the same order would come first in every failing batch, and nothing "
    "behind it would move.",
    "mapping-disabled": "then get-event-source-mapping would show State Disabled.",
    "role-lost-right": "then the log would say AccessDeniedException with the role's name.",
    "table-capacity": "then the log would say ProvisionedThroughputExceededException, and the "
    "table WriteThrottleEvents.",
    "memory-cut": "then the log would say Task timed out, with a Memory Size below the template's.",
    "filter": "then FilteredOutEventCount would count orders that are to be shipped.",
    "destination": "then DestinationDeliveryFailures would be counted.",
    "old-backlog": "then the mapping would have been off since yesterday, and the oldest order "
    "that waits would be close to 24 hours old.",
    "stream-replaced": "then LatestStreamArn of the table would be another one than the mapping's.",
    "courier-slow": "then Duration would have grown at the same memory and batch size.",
    "cold-starts": "then every REPORT line of the log would have an Init Duration.",
    "alarm-wrong": "then the alarm would be red while no order waits for longer than promised.",
}
