"""What happens to a batch after an invocation: the rules of AWS's error handling, as one function.

``decide`` looks at a batch, at how its invocation ended and at the mapping's settings, and says
what comes next: advance, retry, split, go on from where the function failed, or give up. It does
nothing itself. ``read_response`` and ``over_age_prefix`` are the two questions it needs answered.

Every decision names its rule in one sentence and where the rule stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from grader.cloud.dynamodb.records import Record
from grader.cloud.dynamodb.shard import RETENTION_MS
from grader.cloud.mapping.choices import (
    PROGRESS_PAUSE_MS,
    is_empty_answer,
    retry_delay_ms,
    split_at,
)
from grader.cloud.mapping.ports import Result

if TYPE_CHECKING:
    from grader.cloud.mapping.settings import Settings

RESPONSES = "https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html"
ERRORS = "https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html"
WINDOWS = "https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html"
# Responses of real AWS, recorded by the tests of another emulator.
RECORDED = (
    "https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/"
    "aws/services/lambda_/event_source_mapping/"
    "test_lambda_integration_dynamodbstreams.snapshot.json"
)
CHOICE = "grader/cloud/mapping/choices.py"

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
AGE_EXCEEDED = "RecordAgeExceeded"


class Batch:
    """Records that are handed over together, and what has been tried with them. Not to be changed.

    - ``attempts``: invocations of exactly these records that failed; MaximumRetryAttempts + 1 of
      them are allowed;
    - ``invocations``: how often the function ran for them (``approximateInvokeCount``);
    - ``throttles``: attempts in a row that never reached the function; they use no retry;
    - ``number``: counts a mapping's batches from 1; ``parts`` says which part of that batch this
      is after a split or a partial success ("first half", "rest");
    - ``ends_window``: the closing call of a tumbling window; such a batch has no records, and
      ``formed_ms`` is when it could be handed over first.
    """

    # Most batches succeed at once: a new one sets its records and its number, nothing else.
    attempts: int = 0
    invocations: int = 0
    throttles: int = 0
    parts: tuple[str, ...] = ()
    ends_window: bool = False
    formed_ms: int = 0

    def __init__(self, records: Sequence[Record], number: int = 0, **more: Any) -> None:
        self.records = records
        self.number = number
        if more:
            self.__dict__.update(more)

    def __repr__(self) -> str:
        return f"Batch({self.name}, {len(self.records)} records, {self.attempts} failed attempts)"

    def but(self, **changes: Any) -> Batch:
        """The same batch with some of its fields changed."""
        return Batch(**{**self.__dict__, **changes})

    @property
    def name(self) -> str:
        """The batch by its role: "batch 2, first half"."""
        return ", ".join((f"batch {self.number}", *self.parts))

    def part(self, records: Sequence[Record], name: str) -> Batch:
        """Some of the records as a batch of their own, with everything still to be tried."""
        return Batch(records, self.number, parts=(*self.parts, name))


@dataclass(frozen=True, slots=True)
class Reading:
    """What a response says: everything worked, everything before ``index`` did, or nothing did.

    ``index`` is the position in the batch of the first record that failed: 0 for a complete
    failure. ``reported`` is True when the function named that record itself.
    """

    kind: Literal["success", "partial", "failure"]
    index: int = 0
    reason: str = ""
    source: str = RESPONSES
    reported: bool = False


SUCCESS = Reading("success")


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do next, the ``rule`` behind it in one sentence, and the ``source`` of the rule."""

    rule: str
    source: str


@dataclass(frozen=True, slots=True)
class Advance(Decision):
    """The batch is done: move the checkpoint past it."""


@dataclass(frozen=True, slots=True)
class Retry(Decision):
    """Hand ``batch`` over again after ``delay_ms``."""

    batch: Batch
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Split(Decision):
    """Hand over ``first``, and when that is settled ``second``."""

    first: Batch
    second: Batch
    delay_ms: int = PROGRESS_PAUSE_MS


@dataclass(frozen=True, slots=True)
class Partial(Decision):
    """Records up to the sequence number ``checkpoint`` are done; hand over ``rest`` next."""

    checkpoint: int
    rest: Batch
    delay_ms: int = PROGRESS_PAUSE_MS


@dataclass(frozen=True, slots=True)
class Discard(Decision):
    """Give up ``batch``: send a note about it and move the checkpoint past it.

    ``function_error`` is what the note says of the function: "Unhandled", or None when the
    function answered and reported the failure itself.
    """

    batch: Batch
    condition: str
    function_error: str | None = field(default=None)


ADVANCE = Advance(
    "An invocation that returns without a function error is a success, whatever it returns.",
    RESPONSES,
)
ADVANCE_REPORTED = Advance(
    "A response that reports no failed record is a complete success.", RESPONSES
)


def decide(batch: Batch, result: Result, settings: Settings) -> Decision:
    """What follows from ``result``, the end of an invocation with ``batch``."""
    # A throttle, or any error before the function runs, is retried until the records are too old;
    # it does not use up MaximumRetryAttempts. https://docs.aws.amazon.com/lambda/latest/dg/
    # services-dynamodb-errors.html
    if result.kind == "throttled":
        waiting = batch.but(throttles=batch.throttles + 1)
        return Retry(
            "The function did not start: the batch is retried and no retry attempt is used.",
            ERRORS,
            waiting,
            retry_delay_ms(waiting.attempts + waiting.throttles),
        )

    windowed = bool(settings.tumbling_window_ms)
    verdict = read_response(result, batch, settings.report_failures, windowed=windowed)
    if verdict.kind == "success":
        return ADVANCE_REPORTED if settings.report_failures else ADVANCE

    # The checkpoint moves to the lowest reported record; it and everything after it come again.
    # The retry budget starts afresh after such progress (recorded). With BisectBatchOnFunctionError
    # the cut is at the same place and only the remaining part is retried.
    if verdict.kind == "partial":
        at = verdict.index
        return Partial(
            (
                "The batch is cut at the lowest reported sequence number, and only the rest is "
                "retried."
                if settings.bisect
                else "Records before the lowest reported one are done; that record and all after "
                "it are retried with a fresh retry budget."
            ),
            RESPONSES,
            batch.records[at - 1].sequence,
            batch.part(batch.records[at:], "rest"),
        )

    # From here on nothing of the batch is done.
    # A split is not a retry: it happens whatever MaximumRetryAttempts says, and it also answers a
    # reported failure of the first record. Fresh budgets for the halves and that last case are
    # undocumented; two other emulators agree on them.
    if settings.bisect and len(batch.records) > 1:
        middle = split_at(len(batch.records))
        return Split(
            f"Bisect is on and {verdict.reason}: the batch is split in two, which uses no retry.",
            ERRORS,
            batch.part(batch.records[:middle], "first half"),
            batch.part(batch.records[middle:], "second half"),
        )

    tried = batch.but(attempts=batch.attempts + 1, invocations=batch.invocations + 1, throttles=0)
    # MaximumRetryAttempts N allows N + 1 deliveries (recorded: N = 3, delivered 4 times).
    if 0 <= settings.max_retries < tried.attempts:
        return Discard(
            f"MaximumRetryAttempts {settings.max_retries} allows {settings.max_retries + 1} "
            f"deliveries, and {verdict.reason}: the batch is discarded.",
            ERRORS,
            tried,
            RETRIES_EXHAUSTED,
            "Unhandled" if result.kind == "error" else None,
        )
    return Retry(
        f"The whole batch is retried, because {verdict.reason}.",
        verdict.source,
        tried,
        retry_delay_ms(tried.attempts),
    )


def read_response(
    result: Result, batch: Batch, report_failures: bool, *, windowed: bool = False
) -> Reading:
    """What a finished invocation says about its batch.

    ``report_failures`` is whether the mapping has ReportBatchItemFailures, ``windowed`` whether it
    has a tumbling window. A throttled invocation says nothing and must not be asked about.
    """
    if result.kind == "error":
        return Reading("failure", reason="the function failed", source=ERRORS)
    if windowed and not _has_state(result.payload):
        # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
        return Reading(
            "failure", reason="in a tumbling window the response must hold state", source=WINDOWS
        )
    if not report_failures:
        # Without ReportBatchItemFailures the returned value is irrelevant. https://docs.aws.
        # amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
        return SUCCESS
    payload = result.payload
    # Complete successes, documented: an empty or null list, an empty or null response. Recorded:
    # [] and "". An object without the key is a null list.
    if is_empty_answer(payload):
        return SUCCESS
    if not isinstance(payload, dict):
        return Reading("failure", reason="the response is not an object", source=CHOICE)
    failures = payload.get("batchItemFailures")
    if failures is None or failures == []:
        return SUCCESS
    if not isinstance(failures, list):
        return Reading("failure", reason="batchItemFailures is not a list", source=CHOICE)

    # Complete failures, documented: an empty identifier, a null one, a bad key name. Recorded: an
    # identifier that is not in the batch. One bad entry is enough, whatever else is in the list.
    position = {record.sequence_number: at for at, record in enumerate(batch.records)}
    lowest = len(batch.records)
    for failure in failures:
        if not isinstance(failure, dict) or "itemIdentifier" not in failure:
            return Reading("failure", reason="an entry of batchItemFailures has no itemIdentifier")
        identifier = failure["itemIdentifier"]
        if identifier is None or identifier == "":
            return Reading("failure", reason="an itemIdentifier is empty")
        if not isinstance(identifier, str) or identifier not in position:
            return Reading(
                "failure", reason="an itemIdentifier is not in the batch", source=RECORDED
            )
        # The lowest *number*: a batch is in the order of its sequence numbers, so the lowest
        # position is the lowest number. As texts, "10" would come before "9".
        lowest = min(lowest, position[identifier])
    if lowest == 0:
        # Recorded: this uses up retries as an exception does.
        return Reading("failure", reason="its first record was reported as failed", reported=True)
    return Reading("partial", lowest, "a later record was reported as failed", reported=True)


def over_age_prefix(batch: Batch, settings: Settings, now_ms: int) -> int:
    """How many records at the front are older than MaximumRecordAgeInSeconds.

    They are dropped before the invocation, the first one included; a younger record ends the
    prefix. Recorded for Kinesis, which runs on the same machinery:
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    """
    if settings.max_age_ms < 0:
        return 0
    oldest_kept = now_ms - settings.max_age_ms
    count = 0
    for record in batch.records:
        if record.time_ms >= oldest_kept:
            break
        count += 1
    return count


def is_over_age(batch: Batch, settings: Settings, now_ms: int) -> bool:
    """Whether the closing call of a window is given up for its age.

    Both retry policies hold for windows, and no failure blocks a shard for more than the records'
    24 hours: https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    """
    limit_ms = RETENTION_MS if settings.max_age_ms < 0 else min(settings.max_age_ms, RETENTION_MS)
    return batch.ends_window and now_ms - batch.formed_ms > limit_ms


def _has_state(payload: Any) -> bool:
    return isinstance(payload, dict) and isinstance(payload.get("state"), dict)
