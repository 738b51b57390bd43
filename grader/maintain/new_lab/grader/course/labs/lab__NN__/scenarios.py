"""Lab __NUMBER__'s scenarios: what happens to the learner's system, and what to remember of it.

Each scenario deploys the learner's stack into a fresh account and is played once, however many
criteria look at it. Scenarios judge nothing; they only stop when there is nothing to play.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grader.cloud.mapping import timeline
from grader.course.play.traffic import ORDERS, Shop

if TYPE_CHECKING:
    from grader.cloud.dynamodb.records import Record
    from grader.course.stage import Stage

FUNCTION, MAPPING, COPIES = "CopyFunction", "OrdersToCopies", "Copies"
SYSTEM = {
    ORDERS: "AWS::DynamoDB::Table",
    COPIES: "AWS::DynamoDB::Table",
    FUNCTION: "AWS::Lambda::Function",
    MAPPING: "AWS::Lambda::EventSourceMapping",
}


@dataclass
class Played:
    """What was written, and what came of it: the arrived records, and the copies by order."""

    shop: Shop
    written: list[Record]
    arrived: set[int]
    copies: dict[int, dict[str, Any] | None]


def _shop(stage: Stage, play: str, *, mappings: bool) -> Shop:
    stage.require_interface(SYSTEM)
    pipeline = stage.deploy(mappings=mappings)
    stage.require_mapping(pipeline, MAPPING)
    return Shop.open(pipeline, play)


def orders_through_the_mapping(stage: Stage) -> Played:
    """Three orders at once after deployment, and three more when the mapping has long begun."""
    shop = _shop(stage, "through the mapping", mappings=True)
    written = [shop.put(f"early-{n}", f"o-{n}") for n in range(1, 4)]
    shop.pipeline.run_for(minutes=10)
    written += [shop.put(f"late-{n}", f"o-{n}") for n in range(1, 4)]
    shop.pipeline.run_for(minutes=10)
    invocations = shop.pipeline.invocations(FUNCTION)
    stage.require_start(invocations)
    arrived = {sequence for one in invocations for sequence in one.sequences}
    return Played(shop, written, arrived, {})


def a_batch_by_hand(stage: Stage) -> Played:
    """A batch of four orders is handed to the function."""
    shop = _shop(stage, "by hand", mappings=False)
    written = [shop.put("acme", f"o-{n}") for n in range(1, 5)]
    stage.require_start(shop.pipeline.settle(FUNCTION, written))
    copies = {
        record.sequence: shop.pipeline.item(COPIES, {"merchant": "acme", "id": f"order#o-{n}"})
        for n, record in enumerate(written, 1)
    }
    return Played(shop, written, {record.sequence for record in written}, copies)


# -- labs run ------------------------------------------------------------------------------------


def orders_told(stage: Stage) -> Iterator[str]:
    """The orders through the mapping, batch by batch."""
    played = stage.play(orders_through_the_mapping)
    pipeline = played.shop.pipeline
    yield "Three orders are placed right after deployment, three more ten minutes later."
    yield ""
    yield from timeline.lines(
        pipeline.journals[MAPPING], pipeline.start_ms, played.shop.name, whole=stage.whole
    )


TIMELINES = {"orders": orders_told}
