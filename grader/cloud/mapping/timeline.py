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
)

WIDTH = 80
INDENT = 12
# A batch may hold thousands of records: so many are named, the others are counted.
NAMED = 4

Name = Callable[[Record], str]


def lines(journal: Journal, start_ms: int, name: Name) -> Iterator[str]:
    """The journal's lines, each at most 80 columns; ``name`` gives a record's role."""
    sources: list[str] = []
    for entry in journal:
        # Polls, batches and checkpoints are implied by what follows them.
        if isinstance(entry, Polled | Checkpointed | Formed):
            continue
        yield from _told(_stamp(entry.time_ms - start_ms), _sentence(entry, name, sources))
        if isinstance(entry, Invoked | Filtered):
            records = entry.batch.records if isinstance(entry, Invoked) else entry.records
            yield from _told("", _named(records, name))
    if sources:
        yield ""
        yield from (f"[{number}] {source}" for number, source in enumerate(sources, start=1))


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
