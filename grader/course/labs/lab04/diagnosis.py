"""Lab 4's closed lists: which causes and which pieces of evidence there are, and what is right.

The answers are about the stack as it was shipped. They are data here, so that a grade does not have
to play it; `tests/course/labs/test_lab04_session.py` plays it and proves every line of `SHOWN`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from grader.cloud.words import nearest
from grader.course import toml

# Each cause: what it is, and what the session would show if it were the one.
CAUSES: Mapping[str, tuple[str, str]] = {
    "mapping-disabled": (
        "The mapping is disabled, so nothing polls the stream.",
        "State would be Disabled, and PolledEventCount would have no data points.",
    ),
    "cannot-read-stream": (
        "The function's role may not read the stream.",
        "LastProcessingResult would name the stream and the refusal, and nothing would be polled.",
    ),
    "started-too-late": (
        "The mapping started at LATEST, after the records were written.",
        "StartingPosition would be LATEST, and the records would not be among those polled.",
    ),
    "filter-matches-nothing": (
        "The filter lets no record through.",
        "The records would be polled and filtered out, and the function would not be invoked.",
    ),
    "function-throttled": (
        "Lambda has no concurrency left for the function.",
        "Throttles would be above 0, and LastProcessingResult would be that of a failed call.",
    ),
    "timeout-too-short": (
        "The function may run for less time than a full batch takes.",
        "Large batches would end with Task timed out, and small ones would not.",
    ),
    "out-of-memory": (
        "The function needs more memory than it has.",
        "Max Memory Used would reach Memory Size, with the error type Runtime.OutOfMemory.",
    ),
    "slow-start": (
        "A new environment takes longer to start than it may.",
        "Init Duration would fill the time limit, and warm invocations would be well.",
    ),
    "table-too-slow": (
        "The table that the function writes to is throttled, so the function waits in vain.",
        "Invocations would run out of time, with throttled calls in their log.",
    ),
    "endless-retries": (
        "A record that can never succeed is retried without a limit, and all behind it wait.",
        "One record would fail with the same exception, long before the limit, without a bound.",
    ),
    "too-much-traffic": (
        "More records come in than the function can process, though it processes all of them well.",
        "Full batches would succeed, one after the other, while the age grows.",
    ),
    "answer-not-read": (
        "The function reports its failures to a mapping that does not read them.",
        "FunctionResponseTypes would be empty, and the answers would name failed records.",
    ),
    "wrong-identifiers": (
        "The function reports failures that are not in the batch, so all of it comes again.",
        "The function would answer, and the mapping would count the whole batch as failed.",
    ),
    "given-up-without-note": (
        "Records are given up, and the mapping has no destination for a note.",
        "DroppedEventCount would be above 0, and DestinationConfig would be empty.",
    ),
    "note-undeliverable": (
        "Records are given up, and the note cannot be delivered.",
        "DestinationDeliveryFailures would be above 0.",
    ),
    "trimmed": (
        "The records left the stream after 24 hours.",
        "IteratorAge would have been near 24 hours before they were gone.",
    ),
    "exceptions-swallowed": (
        "The function catches its own failures and answers as if all were well.",
        "The log would tell of failures in invocations that Lambda counts as successes.",
    ),
    "alarm-in-wrong-unit": (
        "The alarm that matters has a threshold in another unit than its metric.",
        "It would be in ALARM always, or never, whatever happens.",
    ),
    "alarm-on-wrong-metric": (
        "The alarm that matters watches other dimensions than those of this stack.",
        "It would have no data, and would not leave its state.",
    ),
    "missing-data-hides": (
        "The alarm that matters takes missing data for health and stays in OK.",
        "No alarm would have entered ALARM.",
    ),
    "actions-off": (
        "The actions of the alarms are switched off.",
        "ActionsEnabled would be false, and the history would have no actions.",
    ),
    "topic-refuses-alarms": (
        "The topic does not let CloudWatch publish.",
        "The history would have an action that failed, after a change to ALARM.",
    ),
    "nobody-confirmed": (
        "Nobody has confirmed the subscription.",
        "The subscription would be pending, and the topic would have published messages.",
    ),
}

# Each piece of evidence, as a statement that a ticket's page shows to be so, or does not.
EVIDENCE: Mapping[str, str] = {
    "all-filtered": "Every record that the mapping polled was filtered out; none was invoked.",
    "no-polls": "PolledEventCount has no data points at all, from the first line to the last.",
    "not-enabled": "State is another one than Enabled.",
    "stream-refused": "LastProcessingResult names the stream.",
    "nothing-processed": 'LastProcessingResult is "No records processed".',
    "last-call-failed": 'LastProcessingResult is "PROBLEM: Function call failed".',
    "last-call-ok": 'LastProcessingResult is "OK".',
    "numeric-on-attribute": "The deployed filter compares an attribute of the item with numeric.",
    "never-run": "The function has no log stream: it has never run.",
    "throttles": "Throttles is above 0.",
    "task-timed-out": "The log says Task timed out after as many seconds as Timeout has.",
    "grows-with-records": "Smaller batches end well, and take longer the more records they have.",
    "memory-full": "Max Memory Used has reached Memory Size.",
    "init-too-long": "Init Duration is longer than Timeout.",
    "same-first-record": "Every invocation since it began was handed the same first record.",
    "same-exception": "Every invocation since it began ended with the same exception.",
    "retries-unlimited": "MaximumRetryAttempts and MaximumRecordAgeInSeconds are both -1.",
    "no-bisect": "BisectBatchOnFunctionError is false.",
    "age-follows-clock": "IteratorAge grows by about a minute in each minute.",
    "full-and-well": "Every invocation since it began has a full batch and ends well.",
    "logged-and-answered": "The log tells that a record failed, and its invocation ends well.",
    "errors-zero": "Errors is 0, not missing, in the minutes whose records were not counted.",
    "own-metric-zero": "RecordsFailed, the function's own metric, says 0 for that time.",
    "table-throttled": "WriteThrottleEvents of MerchantTotals is above 0.",
    "no-report-setting": "FunctionResponseTypes does not have ReportBatchItemFailures.",
    "reports-are-read": "FunctionResponseTypes has ReportBatchItemFailures.",
    "dropped": "DroppedEventCount is above 0.",
    "undelivered": "DestinationDeliveryFailures is above 0.",
    "note-waits": "A failure note lies in FailedRecords.",
    "queue-empty": "FailedRecords is empty.",
    "entered-alarm": "An alarm entered ALARM within ten minutes.",
    "stayed-ok": "No alarm left the state OK.",
    "action-failed": "The history says that an alarm's action failed.",
    "actions-disabled": "ActionsEnabled is false.",
    "threshold-in-seconds": "The threshold of TotalsLate is in seconds.",
    "other-dimension": "TotalsLate watches another function than TotalsFunction.",
    "pending": "The subscription waits to be confirmed.",
    "confirmed": "The subscription is confirmed.",
    "policy-without-cloudwatch": "The topic's policy does not name CloudWatch.",
    "nothing-published": "NumberOfMessagesPublished has no data points.",
}

# More than that is a list of everything, not a proof.
MOST_EVIDENCE = 4

_SETTINGS_OF_TOTALS = {"retries-unlimited", "no-bisect", "queue-empty", "reports-are-read"}

# Which of the statements each ticket's page shows to be so.
SHOWN: Mapping[str, frozenset[str]] = {
    "large-orders": frozenset(
        {
            *("all-filtered", "nothing-processed", "numeric-on-attribute", "never-run"),
            *("no-report-setting", "queue-empty"),
        }
    ),
    "import": frozenset(
        {
            *("last-call-failed", "task-timed-out", "grows-with-records", "same-first-record"),
            *("age-follows-clock", *_SETTINGS_OF_TOTALS),
        }
    ),
    "stuck": frozenset(
        {
            *("last-call-failed", "same-first-record", "same-exception", "age-follows-clock"),
            *_SETTINGS_OF_TOTALS,
        }
    ),
    "lost": frozenset(
        {
            *("last-call-ok", "logged-and-answered", "errors-zero", "own-metric-zero"),
            *("table-throttled", *_SETTINGS_OF_TOTALS),
        }
    ),
    "pager": frozenset(
        {
            *("entered-alarm", "action-failed", "confirmed", "policy-without-cloudwatch"),
            "nothing-published",
        }
    ),
}


@dataclass(frozen=True)
class Answer:
    """The right cause of a ticket, and what proves it: one piece out of each of ``proofs``."""

    cause: str
    proofs: tuple[frozenset[str], ...]


ANSWERS: Mapping[str, Answer] = {
    "large-orders": Answer(
        "filter-matches-nothing",
        (
            frozenset({"all-filtered"}),
            frozenset({"numeric-on-attribute", "nothing-processed", "never-run"}),
        ),
    ),
    "import": Answer(
        "timeout-too-short",
        (frozenset({"task-timed-out"}), frozenset({"grows-with-records"})),
    ),
    "stuck": Answer(
        "endless-retries",
        # The import has the same first record and the same settings, too, and no exception.
        (frozenset({"same-exception"}), frozenset({"same-first-record", "retries-unlimited"})),
    ),
    "lost": Answer(
        "exceptions-swallowed",
        (
            frozenset({"logged-and-answered"}),
            # The log alone may be that of reports that nobody reads.
            frozenset({"errors-zero", "own-metric-zero", "last-call-ok", "reports-are-read"}),
        ),
    ),
    "pager": Answer(
        "topic-refuses-alarms",
        (
            frozenset({"action-failed"}),
            frozenset({"entered-alarm", "policy-without-cloudwatch", "nothing-published"}),
        ),
    ),
}

_RETRIED = frozenset({"last-call-failed", "age-follows-clock", *_SETTINGS_OF_TOTALS})

# What weak evidence fits as well: causes that would show these statements of the ticket's page,
# too, the most likely ones first.
RIVALS: Mapping[str, tuple[tuple[str, frozenset[str]], ...]] = {
    "large-orders": (
        ("started-too-late", SHOWN["large-orders"] - {"all-filtered"}),
        # What was written later would be polled, and filtered out as it should be.
        ("started-too-late", frozenset({"all-filtered", "no-report-setting", "queue-empty"})),
    ),
    "import": (
        ("endless-retries", _RETRIED | {"same-first-record"}),
        ("table-too-slow", _RETRIED | {"same-first-record", "task-timed-out"}),
        ("out-of-memory", _RETRIED | {"same-first-record", "grows-with-records"}),
    ),
    "stuck": (
        ("timeout-too-short", _RETRIED | {"same-first-record"}),
        ("out-of-memory", _RETRIED | {"same-exception"}),
    ),
    "lost": (
        ("trimmed", SHOWN["lost"] - {"logged-and-answered"}),
        (
            "answer-not-read",
            frozenset({"logged-and-answered", "table-throttled", *_SETTINGS_OF_TOTALS}),
        ),
    ),
    "pager": (
        ("actions-off", SHOWN["pager"] - {"action-failed"}),
        # What failed would be another alarm's action.
        ("alarm-in-wrong-unit", frozenset({"action-failed", "confirmed"})),
    ),
}


class Unreadable(Exception):
    """The diagnosis cannot be read; the message says why.

    ``member`` of the ticket's table cannot; None: nothing of the file can.
    """

    def __init__(self, message: str, member: str | None = None) -> None:
        super().__init__(message)
        self.member = member


@dataclass(frozen=True)
class Diagnosis:
    """What a learner says about one ticket."""

    cause: str
    evidence: tuple[str, ...]


def read(text: str, ticket: str) -> Diagnosis:
    """What ``diagnosis.toml`` says of a ticket, whatever it says of others. Raises Unreadable."""
    try:
        document = toml.read(text)
    except toml.NoToml as error:
        raise Unreadable(f"it is not TOML: {error}") from None
    given = document.get(ticket)
    if not isinstance(given, dict):
        raise Unreadable(f"there is no table [{ticket}]", "cause")
    cause, evidence = given.get("cause"), given.get("evidence")
    if not isinstance(cause, str) or not isinstance(evidence, list) or not _texts(evidence):
        raise Unreadable(
            f"[{ticket}] needs a cause, which is a text, and evidence, which is a list of texts",
            "evidence" if isinstance(cause, str) else "cause",
        )
    return Diagnosis(cause, tuple(evidence))


def _texts(values: list[Any]) -> bool:
    return all(isinstance(one, str) for one in values)


def unknown(given: str, known: Mapping[str, Any]) -> str | None:
    """A sentence when ``given`` is none of the ``known`` ids."""
    if given in known:
        return None
    near = nearest(given, known, likeness=0.6)
    hint = f"; did you mean {near!r}?" if near else ""
    return f"{given!r} is none of the README's ids{hint}"


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a diagnosis; ``member`` is "cause" or "evidence"."""

    member: str
    expected: str
    observed: str


def judge(ticket: str, said: Diagnosis) -> Wrong | None:
    """What is wrong with the diagnosis of a ticket, None when it is right.

    It does not give the answer away: a wrong cause is told by what it would show.
    """
    answer = ANSWERS[ticket]
    if not said.cause:
        return Wrong("cause", "a cause", "no cause")
    strange = unknown(said.cause, CAUSES)
    if strange:
        return Wrong("cause", "a cause out of the README's list", strange)
    if said.cause != answer.cause:
        return Wrong(
            "cause",
            f"the cause that the page of labs run 4 {ticket} shows",
            f"{said.cause}. {_but_then(said.cause)}",
        )
    for one in said.evidence:
        strange = unknown(one, EVIDENCE)
        if strange:
            return Wrong("evidence", "evidence out of the README's list", strange)
        if one not in SHOWN[ticket]:
            return Wrong(
                "evidence",
                f"evidence that is so on the page of labs run 4 {ticket}",
                f"{one}, which is not so there: {EVIDENCE[one]}",
            )
    if len(set(said.evidence)) > MOST_EVIDENCE:
        return Wrong(
            "evidence",
            f"at most {MOST_EVIDENCE} pieces of evidence, those that prove the cause",
            f"{len(set(said.evidence))} pieces",
        )
    if any(not proof & set(said.evidence) for proof in answer.proofs):
        weak = _weak(ticket, said.evidence)
        return Wrong("evidence", "evidence that leaves no other cause", weak)
    return None


def _weak(ticket: str, evidence: tuple[str, ...]) -> str:
    """Which other cause this evidence of the right one leaves."""
    if not evidence:
        return "the cause is right, and nothing is named that proves it"
    other = next(cause for cause, shown in RIVALS[ticket] if set(evidence) <= shown)
    named = ", ".join(evidence)
    return f"the cause is right, but {named} would be so with {other}, too. {_but_then(other)}"


def _but_then(cause: str) -> str:
    """What the page would show if this were the cause."""
    _, sign = CAUSES[cause]
    word = sign.split()[0]
    return f"But then {word.lower() if word.istitle() else word}{sign.removeprefix(word)}"
