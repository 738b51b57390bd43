"""Lab __NUMBER__, `__SLUG__`: what the learner's system must do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grader.course.labs.lab__NN__.scenarios import (
    FUNCTION,
    MAPPING,
    a_batch_by_hand,
    orders_through_the_mapping,
)

from grader.course.criterion import Expect, criterion

if TYPE_CHECKING:
    from grader.course.stage import Stage

PAGE = "modules/__NAME__"


# -- task 1: copy what comes in ------------------------------------------------------------------


@criterion(
    "record-arrives",
    task=1,
    points=40,
    goal="The mapping brings every order to the function, the earliest included.",
)
def test_record_arrives(stage: Stage, expect: Expect) -> None:
    """Plays the learner's own mapping. Reads which records its invocations held."""
    played = stage.play(orders_through_the_mapping)
    missing = [record for record in played.written if record.sequence not in played.arrived]
    expect(
        not missing,
        lambda: stage.finding(
            rule="Every order that is written reaches the function.",
            input="three orders right after deployment, three more ten minutes later",
            expected=f"{len(played.written)} records in the invocations of {FUNCTION}",
            observed=f"{len(played.written) - len(missing)} records; missing: "
            f"{played.shop.names_of(missing)}",
            why="What the mapping does not deliver, no handler can copy.",
            where=stage.property_line(MAPPING, "StartingPosition"),
            page=f"{PAGE}#idea",
        ),
    )


@criterion(
    "record-copied",
    task=1,
    points=60,
    goal="Every order of a batch stands in Copies as it was written.",
)
def test_record_copied(stage: Stage, expect: Expect) -> None:
    """Hands a batch to the function, so that a wrong mapping does not cost it. Reads `Copies`."""
    played = stage.play(a_batch_by_hand)
    amounts = {key[1]: amount for key, amount in played.shop.orders.items()}
    for number, record in enumerate(played.written, 1):
        copy, amount = played.copies[record.sequence], amounts[f"o-{number}"]
        if not expect(
            copy is not None and copy.get("amount") == amount,
            lambda amount=amount, copy=copy, record=record: stage.finding(
                rule="Every order of a batch stands in Copies as it was written.",
                input=f"a batch of {len(played.written)} orders",
                expected=f"{played.shop.name(record)}: a copy with amount {amount}",
                observed="no copy" if copy is None else f"a copy with {_said(copy)}",
                why="Whoever reads the copies takes them for the orders.",
                where=stage.handler_line(r"TODO|_item\("),
                page=f"{PAGE}#idea",
            ),
        ):
            break


def _said(copy: dict[str, object]) -> str:
    return f"amount {copy['amount']!r}" if "amount" in copy else "no amount"
