"""Where in the handler to look when a total is wrong: what a play shows, and the line behind it.

The invocations that had a merchant's records, and what they called, say how the total went wrong;
`Source` says which line of the code does such a thing. Where nothing is shown it is the write.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from grader.course.grade import HANDLER
from grader.course.play.books import READS
from grader.course.play.paging import FUNCTION, MAPPING
from grader.replay.source import Source

if TYPE_CHECKING:
    from grader.cloud.aws import Call
    from grader.cloud.function import Invocation
    from grader.course.play.traffic import Shop, Stored
    from grader.course.stage import Stage

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
MOST_IN_A_TRANSACTION = 100
# An attribute of so many bytes is what makes an item large.
LARGE = 400
# Why failures that an answer names are nobody's: what `unread` finds.
UNREAD = (
    "The answer names failed records, but Lambda reads it only for ReportBatchItemFailures. To the "
    "mapping a function that returns has succeeded: the checkpoint moves on, no note is written."
)


def source(stage: Stage, name: str = HANDLER) -> Source:
    """One of the learner's files, to be asked for places."""
    return Source((stage.folder / name).read_text(encoding="utf-8", errors="replace"))


def quoted(stage: Stage, *numbers: int | None, name: str = HANDLER) -> str | None:
    """The first of these lines that there is, quoted."""
    return next((stage.line(name, number) for number in numbers if number is not None), None)


def comparison_line(stage: Stage, pattern: str) -> str:
    """The handler's line of this pattern, else of its first comparison of amounts or numbers."""
    place = stage.handler_line(pattern)
    return place if ":" in place else quoted(stage, source(stage).comparing()) or place


def total_line(stage: Stage, shop: Shop, merchant: str, expected: Stored, observed: Stored) -> str:
    """The line that made a merchant's total what it is, as far as the play shows it."""
    mine = [one for one in shop.pipeline.invocations(FUNCTION) if sequences_of(one, merchant)]
    number = _number(stage, source(stage), mine, merchant, expected, observed)
    return quoted(stage, number) or stage.effect_line(mine[-1] if mine else None)


def _number(
    stage: Stage,
    code: Source,
    mine: list[Invocation],
    merchant: str,
    expected: Stored,
    observed: Stored,
) -> int | None:
    writes = [_writes(one) for one in mine]
    if any(len(_items(call)) > MOST_IN_A_TRANSACTION for calls in writes for call in calls):
        return code.bounding()
    if any(len({call.operation for call in calls}) > 1 for calls in writes):
        return None  # the count and the note of it are written apart: the first write
    if _left_out(mine, merchant):
        return code.skipping()
    deliveries = [sequence for one in mine for sequence in sequences_of(one, merchant)]
    if len(deliveries) == len(set(deliveries)):
        if _overlap(mine):
            return code.racing() or code.overwriting()
        hidden = code.swallowing()
        return hidden if hidden and observed == (0, 0) else code.overwriting() or hidden
    more = counted_more(expected, observed)
    if more is None:
        return None
    if not more:
        late = _named_too_late(mine, merchant)
        return (code.reporting() if late else None) or code.cancelled()
    if (attribute := _expired(stage, mine)) is not None:
        return code.lasting(attribute)
    return code.racing() or code.remembering()


def counted_more(expected: Stored, observed: Stored) -> bool | None:
    """Whether an item says more than it should, orders first; None when it holds no numbers."""
    try:
        return bool((observed[1], observed[0]) > (expected[1], expected[0]))
    except TypeError:
        return None


def large_attribute(calls: list[Call]) -> str | None:
    """The largest attribute of all items that were written, when it is a large one."""
    sizes = {
        name: len(json.dumps(value))
        for call in calls
        for item in _named(_body(call), "Item")
        for name, value in (item.items() if isinstance(item, dict) else ())
    }
    largest = max(sizes, key=lambda name: sizes[name], default=None)
    return largest if largest is not None and sizes[largest] > LARGE else None


def _left_out(mine: list[Invocation], merchant: str) -> bool:
    """Whether records were taken for done when they first came, without a write for their sake."""
    seen: set[int] = set()
    for one in mine:
        sequences = sequences_of(one, merchant)
        fresh = not seen & set(sequences)
        seen.update(sequences)
        wrote = any(json.dumps(merchant).encode() in call.body for call in _writes(one))
        if fresh and not wrote and all(accepted(one, sequence) for sequence in sequences):
            return True
    return False


def accepted(invocation: Invocation, sequence: int) -> bool:
    """Whether Lambda takes a record for done: the answer names neither it nor one before it."""
    result = invocation.result
    if result is None or result.kind != "returned":
        return False
    if not isinstance(result.payload, dict):
        return True
    named = [
        str(one.get("itemIdentifier", "")) if isinstance(one, dict) else ""
        for one in result.payload.get("batchItemFailures") or ()
    ]
    return all(one.isdecimal() and int(one) > sequence for one in named)


def _named_too_late(mine: list[Invocation], merchant: str) -> bool:
    """Whether an answer names a record and not an older one of the merchant: that is done then."""
    for one in mine:
        taken = [accepted(one, sequence) for sequence in sequences_of(one, merchant)]
        if any(taken) and not all(taken):
            return True
    return False


def unread(stage: Stage, shop: Shop) -> str | None:
    """The mapping's setting for partial failures, where answers name some and it reads none.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    setting = "FunctionResponseTypes"
    if stage.stack.resources[MAPPING].properties.get(setting):
        return None
    named = any(
        one.result is not None
        and isinstance(one.result.payload, dict)
        and one.result.payload.get("batchItemFailures")
        for one in shop.pipeline.invocations(FUNCTION)
    )
    return stage.property_line(MAPPING, setting) if named else None


def _overlap(mine: list[Invocation]) -> bool:
    return any(
        one.end_ms is not None and other.start_ms < one.end_ms for one, other in pairwise(mine)
    )


def _expired(stage: Stage, mine: list[Invocation]) -> str | None:
    """The attribute of a Time to Live by which what was remembered was forgotten too soon."""
    for table in stage.stack.of_type("AWS::DynamoDB::Table"):
        name = str(table.properties.get("TimeToLiveSpecification", {}).get("AttributeName", ""))
        for one in mine[:-1]:
            for call in _writes(one):
                for value in _named(_body(call), name):
                    said = str(value.get("N", "")) if isinstance(value, dict) else ""
                    if said.isdecimal() and int(said) * 1000 < mine[-1].start_ms:
                        return name
    return None


def sequences_of(invocation: Invocation, merchant: str) -> list[int]:
    """The merchant's records in an invocation."""
    records: Any = invocation.event.get("Records", [])
    return [
        int(record["dynamodb"]["SequenceNumber"])
        for record in records
        if record["dynamodb"]["Keys"]["merchant"] == {"S": merchant}
    ]


def _writes(invocation: Invocation) -> list[Call]:
    return [call for call in invocation.calls if not call.operation.startswith(READS)]


def _items(call: Call) -> list[Any]:
    items = _body(call).get("TransactItems", [])
    return items if isinstance(items, list) else []


def _body(call: Call) -> dict[str, Any]:
    try:
        body = json.loads(call.body)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _named(value: Any, name: str) -> Iterator[Any]:
    """Every value with this name below a JSON value."""
    if isinstance(value, dict):
        if name in value:
            yield value[name]
        for one in value.values():
            yield from _named(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from _named(one, name)
