"""Where to look first: for each way to fail, the line of the learner's files that decides it.

A play shows what went wrong, not which line did it. These are the lines that do in most designs:
the note of what was counted, the look at a record's images, the answer to Lambda.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grader.course.grade import EFFECT, HANDLER
from grader.course.labs.lab02.rights import role_of
from grader.course.play.paging import FUNCTION, MAPPING

if TYPE_CHECKING:
    from grader.cloud.function import Invocation
    from grader.course.labs.lab02.scenarios import BadDay
    from grader.course.stage import Stage

# A record can be fetched for a day: so long its note has to be there. A queue keeps a message for
# four days unless it says something else:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
NOTE_KEPT_S = 24 * 60 * 60
_KEPT_S = 4 * NOTE_KEPT_S
_ANSWER = r"^\s+return\b.*[{\[]|batchItemFailures"
_READ = r"\.(get_item|batch_get_item|query|scan)\("


def _first(stage: Stage, *patterns: str) -> str:
    """The handler's first line like the first of the patterns that any line is like."""
    lines = (stage.folder / HANDLER).read_text(encoding="utf-8", errors="replace").splitlines()
    for pattern in patterns:
        for number, text in enumerate(lines, start=1):
            if re.search(pattern, text) and not text.lstrip().startswith("#"):
                return stage.line(HANDLER, number)
    return stage.handler_line()


def new_orders(stage: Stage) -> str:
    """What an order is worth: 0 is an amount, too."""
    return _first(stage, r"^\s+if not \w*amount\w*:", r"INSERT", EFFECT)


def changes(stage: Stage) -> str:
    """What is made of the kind of change, or of the older image."""
    return _first(stage, r"eventName", r"\bif (not )?(old|before)\w*\b", r"OldImage", EFFECT)


def counting(stage: Stage) -> str:
    """What the counting write is made of."""
    return _first(stage, r"TransactItems\s*=", EFFECT)


def remembering(stage: Stage) -> str:
    """For how long and by what name a record is known to be counted."""
    return _first(stage, r"(LIFE|TTL|SECONDS|EXPIR)\w* *=", r"TransactItems\s*=", EFFECT)


def meeting(stage: Stage) -> str:
    """What is made of another one's work: of a failure to say, of a read, of a cancellation."""
    if _swallows(stage):
        return answer(stage)
    depends = r"\[.ConditionExpression.\]\s*="  # a condition that hangs on what was read
    return _first(stage, depends, _READ, r"except .*(Cancel|Conditional|Conflict)", EFFECT)


def ordering(stage: Stage) -> str:
    """How a record is told from an older one."""
    return _first(stage, r"zfill|rjust", r"\b(mark|position|version)\w* = ", r"Transact", EFFECT)


def answer(stage: Stage) -> str:
    """What the handler answers."""
    return _first(stage, _ANSWER, r"^\s+except\b")


def reported(stage: Stage) -> str:
    """How a failed record is named."""
    return _first(stage, r"(?i)[\"']itemIdentifier[\"']", _ANSWER)


def neighbours(stage: Stage) -> str:
    """What gives up good records: batches that are never halved, or what the handler answers."""
    properties = stage.stack.resources[MAPPING].properties
    if not properties.get("BisectBatchOnFunctionError"):
        return stage.property_line(MAPPING, "BisectBatchOnFunctionError")
    return _first(stage, r"batchItemFailures", r"^\s+except\b")


def note_lost(stage: Stage, day: BadDay) -> str:
    """Who lost a note: the role, the destination, the mapping, or the function before them."""
    if failed := day.shop.pipeline.undelivered:
        if re.search(r"(?i)authori|denied|allow", failed[0]):
            return stage.property_line(role_of(stage), "Policies")
        destination = _destination(stage)
        return stage.property_line(destination or MAPPING)
    if _unread(day):
        return stage.property_line(MAPPING, "FunctionResponseTypes")
    if _swallows(stage, day) and _destination(stage):
        if any(day.shop.stored(name) != (0, 0) for name in ("acme", "initech", "globex")):
            return _first(stage, r"float\(|round\(", r"[\[(][\"']amount[\"']", EFFECT)
        return answer(stage)
    return stage.property_line(MAPPING, "DestinationConfig", "OnFailure", "Destination")


def _unread(day: BadDay) -> bool:
    """Whether failures were reported to a mapping that does not read reports."""
    pipeline = day.shop.pipeline
    if pipeline.mapping(MAPPING).settings.report_failures:
        return False
    said = [one.result.payload for one in pipeline.invocations(FUNCTION) if one.result is not None]
    return any(isinstance(one, dict) and one.get("batchItemFailures") for one in said)


def _destination(stage: Stage) -> str | None:
    """The logical id of the mapping's on-failure destination, when the template has it."""
    config = stage.stack.resources[MAPPING].properties.get("DestinationConfig", {})
    arn = config.get("OnFailure", {}).get("Destination", "")
    resource = stage.stack.by_arn(arn) if arn else None
    return resource.logical_id if resource else None


def forgetful(stage: Stage) -> tuple[str, int] | None:
    """The queue in which a note is gone before its record is, and after how many seconds.

    None when a queue keeps it for long enough, or a bucket, whose lifecycle counts in days.
    """
    destination = stage.stack.resources.get(_destination(stage) or "")
    if destination is None:
        return None
    arns = [destination.attributes.get("Arn")]
    if destination.type == "AWS::SNS::Topic":
        topic = destination.physical_id
        listening = [*destination.properties.get("Subscription", ())]
        for one in stage.stack.of_type("AWS::SNS::Subscription"):
            if one.properties.get("TopicArn") == topic:
                listening.append(one.properties)
        arns = [one.get("Endpoint") for one in listening]
    kept = [
        (int(queue.properties.get("MessageRetentionPeriod", _KEPT_S)), queue.logical_id)
        for queue in stage.stack.of_type("AWS::SQS::Queue")
        if queue.attributes["Arn"] in arns
    ]
    if not kept or max(kept)[0] >= NOTE_KEPT_S:
        return None
    seconds, name = max(kept)
    return name, seconds


def _swallows(stage: Stage, day: BadDay | None = None) -> bool:
    """Whether the function has taken a bad record as done: its last answer does not name it."""
    from grader.course.labs.lab02.scenarios import bad_records

    day = day or stage.play(bad_records)
    last = {
        sequence: one
        for one in day.shop.pipeline.invocations(FUNCTION)
        for sequence in one.sequences
    }
    return any(_passes(r.sequence, last[r.sequence]) for r in day.bad if r.sequence in last)


def _passes(sequence: int, invocation: Invocation) -> bool:
    """Whether Lambda goes on behind a record: the answer names neither it nor one before."""
    result = invocation.result
    if result is None or result.kind != "returned" or not isinstance(result.payload, dict):
        return result is not None and result.kind == "returned"
    named = re.findall(r"\d+", str(result.payload.get("batchItemFailures") or ""))
    return all(int(one) > sequence for one in named)
