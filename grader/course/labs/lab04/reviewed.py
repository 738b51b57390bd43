"""What lab 4's review of large orders has to bear: deletions, an environment's end, a bad order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from grader.course.criterion import Expect
from grader.course.labs.lab04.scenarios import (
    PAGE,
    REVIEW_MAPPING,
    beside_a_bad_order,
    deletions,
    review_repeated,
)
from grader.course.play.stops import error_text
from grader.course.play.traffic import listed

if TYPE_CHECKING:
    from grader.course.stage import Stage

ANCHOR = f"{PAGE}#nothing-is-invoked"


def keys_told(keys: Sequence[tuple[str, str]]) -> str:
    """Orders by their keys, in words."""
    return listed([f"{item} of {merchant}" for merchant, item in keys], 9)


def expect_robust(stage: Stage, expect: Expect) -> None:
    """What happens beside large orders takes none of their notes, and fails no call for nothing."""
    _expect_deletions_unnoticed(stage, expect)
    lacking = stage.play(review_repeated)
    expect(
        not lacking,
        partial(
            stage.finding,
            rule="LargeOrders holds every large order, also one whose review failed once.",
            input="a large order; ReviewFunction's environment ends right before its write",
            expected="the order is noted when Lambda comes again",
            observed=f"missing: {keys_told(lacking)}",
            why="Environments end. A mapping that tries nothing again gives the record up.",
            where=stage.property_line(REVIEW_MAPPING, "MaximumRetryAttempts"),
            page=ANCHOR,
        ),
    )
    if lacking:
        return
    seen = stage.play(beside_a_bad_order)
    ended = f"; the first failed call: {error_text(seen.failed[0])}" if seen.failed else ""
    expect(
        not seen.gone,
        lambda: stage.finding(
            rule="LargeOrders holds every large order, whatever stands beside it in a batch.",
            input="an order with the amount '12,50' and a large order behind it, in one batch",
            expected="the large order is noted",
            observed=f"missing: {keys_told(seen.gone)}{ended}",
            why="A call that fails at one record fails for all of them. The function passes over "
            "what it cannot read, or the mapping cuts the batch until that record is alone.",
            where=stage.handler_line(r"def review", seen.failed[0] if seen.failed else None),
            page=ANCHOR,
        ),
    )


def _expect_deletions_unnoticed(stage: Stage, expect: Expect) -> None:
    """The mapping may hand deletions over; the function then has nothing to do."""
    seen = stage.play(deletions)
    failed = seen.failed
    calls = [f"{len(failed)} failed calls, the first: {error_text(failed[0])}"] if failed else []
    gone = [f"no longer noted: {keys_told(seen.gone)}"] if seen.gone else []
    expect(
        not failed and not seen.gone,
        lambda: stage.finding(
            rule="A deletion is none of the review's business: it makes no call fail and takes no "
            "note away.",
            input="a small order is deleted, and a large one",
            expected="no failed call of ReviewFunction; both orders' notes as before",
            observed="; ".join(calls + gone),
            why="The record of a deletion has no NewImage. A call that stumbles over it is tried "
            "again, then a note is written, and somebody is paged for nothing.",
            where=stage.handler_line(r"def review", failed[0] if failed else None),
            page=ANCHOR,
        ),
    )
