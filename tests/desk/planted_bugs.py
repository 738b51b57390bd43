"""Consumers with one bug each, and what their changes are to bring about.

``tests/desk/test_stories.py`` looks for each bug from one seed, ``benchmarks/stories.py`` from many.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from grader.cloud import Nursery
from grader.desk.stories import Plot, Story, stories
from grader.desk.testing import Afresh, Change, Effects, Setup, called, lost, rows, twice

HERE = Path(__file__).parent / "planted"
EXAMPLES = 300
PLOT = Plot(
    "Orders", "Consumer", "ConsumerStream", lambda key, number, turn: {"id": key, "amount": number}
)


def _difference(change: Change) -> list[tuple[str, int]]:
    """What a change makes of the total of its order."""
    amounts = (0 if one is None else one["amount"] for one in (change.new, change.old))
    return [(change.keys["id"], next(amounts) - next(amounts))]


TOTALS = Effects("Orders", "ConsumerStream", of=_difference, seen=rows("Totals", "id", "amount"))
MAILS = Effects(
    "Orders",
    "ConsumerStream",
    of=lambda change: [(change.keys["id"], 1)],
    seen=called("ses:SendEmail", lambda params: params["Message"]["Subject"]["Data"]),
)
RIGHT = ("right_totals", "right_view")
BUGS = {
    "marker_first": TOTALS,
    "in_memory": TOTALS,
    "text_sequence": TOTALS,
    "unversioned": TOTALS,
    "swallowed": TOTALS,
    "mails": MAILS,
}


def stack(module: str, nursery: Nursery, template: Path = HERE / "template.yaml") -> Afresh:
    """The stack whose consumer is this module."""
    answers = {"ses:SendEmail": lambda params: {"MessageId": "1"}}
    setup = Setup(template, code=HERE, parameters={"Module": module}, answers=answers)
    return Afresh(setup, HERE, nursery)


@dataclass
class Search:
    """What came of looking for a bug: the simplest story that shows it, None when none did."""

    examples: int = 0
    found_after: int = 0
    seconds: float = 0
    story: Story | None = None
    problem: str = ""


def search(
    module: str, number: int, nursery: Nursery, *, most: int = EXAMPLES, shrink: bool = False
) -> Search:
    """Play stories from one seed until one shows a bug of the module's, at most so many."""
    search, effects, afresh = Search(), BUGS.get(module, TOTALS), stack(module, nursery)
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

    @seed(number)
    @settings(
        max_examples=most,
        phases=phases,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(stories(PLOT))
    def play(story: Story) -> None:
        search.examples += 1
        with afresh() as pipeline:
            story.play(pipeline)
            wrong = lost(pipeline, effects), twice(pipeline, effects)
            if any(wrong):
                search.found_after = search.found_after or search.examples
                search.story, search.problem = story, f"lost {wrong[0]}, twice {wrong[1]}"
            assert not any(wrong), wrong

    started = time.perf_counter()
    try:
        play()
    except AssertionError:
        assert search.story is not None
    search.seconds = time.perf_counter() - started
    afresh.forget()
    return search
