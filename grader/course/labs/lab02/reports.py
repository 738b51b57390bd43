"""How the function reports failures, as Lambda reads it: findings on what it ignores or mistakes.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from grader.course.labs.lab02 import places
from grader.course.play.paging import FUNCTION, MAPPING

if TYPE_CHECKING:
    from grader.cloud.function import Invocation
    from grader.course.grade import Finding
    from grader.course.labs.lab02.scenarios import BadDay
    from grader.course.stage import Stage


def _why_unheard(payload: Any) -> str:
    """What becomes of an answer that names a failed record in a place where Lambda does not look.

    AWS says so of an object without the key; what it makes of a text or a number it does not say.
    """
    if isinstance(payload, dict):
        return (
            "Lambda takes an object without this key for a success: the checkpoint moves past the "
            "failed record, and it is gone."
        )
    return (
        "Lambda reads an object, no text and no list with one in it. AWS does not say what becomes "
        "of any other value; the labs play it as a failure of the whole batch, which comes again "
        "until it is given up, good records included."
    )


def misread(stage: Stage, day: BadDay) -> Iterator[Finding]:
    """Findings on responses that Lambda ignores or takes for something else."""
    for invocation in day.shop.pipeline.invocations(FUNCTION):
        if (finding := _misread(stage, day, invocation)) is not None:
            yield stage.at(invocation, finding)


def _misread(stage: Stage, day: BadDay, invocation: Invocation) -> Finding | None:
    """What Lambda misreads of one invocation's answer."""
    enabled = day.shop.pipeline.mapping(MAPPING).settings.report_failures
    result = invocation.result
    if result is None:
        return None
    batch = f"invocation {invocation.number}, a batch of {len(invocation.sequences)} records"
    common = {
        "page": "modules/02-lambda-triggers#batch-item-failures",
        "input": batch,
    }
    if result.kind == "error" and result.error_type == "Runtime.MarshalError":
        return stage.finding(
            rule="The handler returns something that JSON can express.",
            expected='a JSON value such as {"batchItemFailures": []}',
            observed=f"{result.error_type}: {result.error_message}",
            why="Lambda turns it into a function error: the whole batch is retried, although "
            "all of it was processed.",
            where=stage.handler_line(r"\breturn\b"),
            **common,
        )
    if result.kind != "returned":
        return None
    answer = result.payload if isinstance(result.payload, dict) else {}
    failures = answer.get("batchItemFailures")
    if "batchItemFailures" not in answer and (told := day.told_in(invocation)):
        return stage.finding(
            rule="Failed records are reported under batchItemFailures, the key that Lambda reads.",
            expected='{"batchItemFailures": [{"itemIdentifier": "…"}]}, or an exception',
            observed=f"a value without this key that names {day.shop.name(told)}: "
            + _json(result.payload)[:200],
            why=_why_unheard(result.payload),
            where=places.answer(stage),
            **common,
        )
    if not failures:
        return None
    if not enabled:
        return stage.finding(
            rule="A mapping reads batchItemFailures only with ReportBatchItemFailures.",
            expected="FunctionResponseTypes: [ReportBatchItemFailures], or an exception",
            observed=f"{len(failures)} failures returned to a mapping that does not read them",
            why="Without it any returned value is a success: the checkpoint moves past the "
            "failed record, and it is gone.",
            where=stage.property_line(MAPPING, "FunctionResponseTypes"),
            **common,
        )
    known = {str(sequence) for sequence in invocation.sequences}
    items = failures if isinstance(failures, list) else [failures]
    strange = [
        item
        for item in items
        if not isinstance(item, dict) or item.get("itemIdentifier") not in known
    ]
    if not strange:
        return None
    return stage.finding(
        rule="Every itemIdentifier is the SequenceNumber of a record of the batch.",
        expected='{"itemIdentifier": "<the SequenceNumber of the failed record>"}',
        observed=_json(strange[0]),
        why="An identifier that is not in the batch makes the whole batch a failure: all "
        "of it comes again, and all of it is given up in the end.",
        where=places.reported(stage),
        **common,
    )


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
