"""A mapping's journal as lines to read: which batch went out when, what came back, what followed.

Used by ``labs run``. Times are minutes and seconds since the play began; records are named by the
roles that the scenario gave them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from textwrap import wrap

from grader.cloud.dynamodb.records import Record
from grader.cloud.mapping.journal import (
    Checkpointed,
    Decided,
    Discarded,
    Ended,
    Entry,
    Filtered,
    Formed,
    Invoked,
    Journal,
    Polled,
    Throttled,
)

WIDTH = 80
INDENT = 12
# A batch may hold thousands of records: so many are named, the others are counted.
NAMED = 4

Name = Callable[[Record], str]


def lines(journal: Journal, start_ms: int, name: Name, *, whole: bool = False) -> Iterator[str]:
    """The journal's lines, each at most 80 columns; ``name`` gives a record's role.

    Attempts of a batch that differ from the one before in nothing but their time are counted
    behind it, with the time of the last; with ``whole`` each is told.
    """
    # Polls, batches and checkpoints are implied by what follows them.
    told = [one for one in journal if not isinstance(one, Polled | Checkpointed | Formed)]
    runs = {} if whole else _runs(told, name)
    skipped = {id(entry) for run in runs.values() for attempt in run for entry in attempt}
    sources: list[str] = []
    for entry in told:
        if id(entry) in skipped:
            continue
        yield from _told(_stamp(entry.time_ms - start_ms), _sentence(entry, name, sources))
        if isinstance(entry, Invoked | Filtered):
            records = entry.batch.records if isinstance(entry, Invoked) else entry.records
            yield from _told("", _named(records, name))
        if run := runs.get(id(entry)):
            last = run[-1][0]
            count = "1 more attempt" if len(run) == 1 else f"{len(run)} more attempts"
            until = f"number {last.attempt} at {_stamp(last.time_ms - start_ms)}"
            yield from _told("", f"  {last.batch.name}: {count} like this one, {until}")
    if sources:
        yield ""
        yield from (f"[{number}] {source}" for number, source in enumerate(sources, start=1))


Attempt = tuple[Invoked, *tuple[Entry, ...]]


def _runs(entries: Sequence[Entry], name: Name) -> dict[int, list[Attempt]]:
    """Attempts that repeat the one before, by the ``id`` of the entry behind which they stand.

    That is the last entry of the attempt that they repeat. Lanes take turns in a journal, so each
    is followed by itself.
    """
    lanes: dict[tuple[int, int], list[Attempt]] = {}
    for entry in entries:
        if isinstance(entry, Invoked):
            lanes.setdefault((entry.shard, entry.lane), []).append((entry,))
        elif isinstance(entry, Ended | Throttled | Decided | Discarded):
            attempts = lanes[entry.shard, entry.lane]
            attempts[-1] = (*attempts[-1], entry)
    runs: dict[int, list[Attempt]] = {}
    for attempts in lanes.values():
        first = attempts[0]
        for attempt in attempts[1:]:
            if _essence(attempt, name) == _essence(first, name):
                runs.setdefault(id(first[-1]), []).append(attempt)
            else:
                first = attempt
    return runs


def _essence(attempt: Attempt, name: Name) -> tuple[object, ...]:
    """What of an attempt is neither its time nor its number."""
    batch = attempt[0].batch
    return (
        batch.name,
        tuple(record.sequence for record in batch.records),
        *(
            Throttled if isinstance(entry, Throttled) else _sentence(entry, name, [])
            for entry in attempt[1:]
        ),
    )


def _sentence(entry: Entry, name: Name, sources: list[str]) -> str:
    """What happened. A rule gets the number of its source in ``sources``."""
    if isinstance(entry, Ended):
        result = entry.result
        if result.kind == "returned":
            return f"  returned {_short(result.payload, entry.batch.records, name)}"
        message = (result.error_message or "").splitlines()
        return f"  {result.kind}: {result.error_type}" + (f": {message[0]}" if message else "")
    if isinstance(entry, Decided):
        source = entry.decision.source
        if source not in sources:
            sources.append(source)
        return f"  {entry.decision.rule} [{sources.index(source) + 1}]"
    if isinstance(entry, Discarded):
        return f"{entry} ({_named(entry.batch.records, name)})"
    return str(entry)


def _named(records: Sequence[Record], name: Name) -> str:
    if not records:
        return "no records"
    told = "; ".join(name(record) for record in records[:NAMED])
    more = len(records) - NAMED
    return told + (f"; and {more} more" if more > 0 else "")


def _short(payload: object, records: Sequence[Record], name: Name) -> str:
    """What the function returned, with the records of a partial failure named by role."""
    if isinstance(payload, dict) and isinstance(payload.get("batchItemFailures"), list):
        by_number = {str(record.sequence): record for record in records}
        failures = [
            name(by_number[item["itemIdentifier"]])
            if isinstance(item, dict) and item.get("itemIdentifier") in by_number
            else f"an identifier that is not in the batch ({item!r})"
            for item in payload["batchItemFailures"]
        ]
        return "no failures" if not failures else "failures: " + "; ".join(failures)
    text = json.dumps(payload)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"


def _stamp(elapsed_ms: int) -> str:
    minutes, rest = divmod(max(elapsed_ms, 0), 60_000)
    return f"+{minutes}:{rest // 1000:02}.{rest % 1000:03}"


def _told(stamp: str, text: str) -> Iterator[str]:
    first, *others = wrap(text, WIDTH - INDENT, break_long_words=False, break_on_hyphens=False) or [
        ""
    ]
    yield f"{stamp:<{INDENT}}{first}".rstrip()
    for line in others:
        yield f"{'':<{INDENT}}{line}"
