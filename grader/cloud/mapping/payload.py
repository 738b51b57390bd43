"""How many records fit into one invocation."""

from __future__ import annotations

import json
from collections.abc import Sequence

from grader.cloud.dynamodb.records import Record
from grader.cloud.mapping.windows import STATE_LIMIT, TumblingWindow

# The synchronous invocation payload: https://docs.aws.amazon.com/lambda/latest/dg/
# invocation-eventsourcemapping.html
PAYLOAD_BYTES = 6 * 1024 * 1024
# No record's JSON is larger than this many times its size plus this many bytes: the costliest
# attribute is a boolean with a name of one letter (2 bytes become 19).
_JSON_TIMES = 10
_JSON_PLUS = 1024


def may_exceed(size: int, records: int, *, with_state: bool) -> bool:
    """Whether so many records of ``size`` bytes may be more JSON than fits one invocation.

    ``with_state``: the state of a tumbling window may travel with them.
    """
    room = PAYLOAD_BYTES - (STATE_LIMIT + _JSON_PLUS) * with_state
    return size * _JSON_TIMES + records * _JSON_PLUS > room


def room(window: TumblingWindow | None, *, shard_id: str, stream_arn: str) -> int:
    """How many bytes of an invocation's payload are left for records and their commas.

    All of the event counts, the state of a tumbling window and its members, too.
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    if window is None:
        return PAYLOAD_BYTES - len('{"Records":[]}')
    return PAYLOAD_BYTES - window.envelope_bytes(shard_id=shard_id, stream_arn=stream_arn)


def fitting(records: Sequence[Record], start: int, count: int, room: int) -> int:
    """How many of ``count`` records from ``start`` on fit into ``room`` bytes; at least 1."""
    chosen = records[start : start + count]
    if size_of(chosen) * _JSON_TIMES + count * _JSON_PLUS <= room:
        return count
    total = -1  # one comma less than records
    for number, record in enumerate(chosen):
        text = json.dumps(record.event, separators=(",", ":"), ensure_ascii=False)
        total += len(text.encode("utf-8", "surrogatepass")) + 1
        if total > room:
            return max(number, 1)
    return count


def size_of(records: Sequence[Record]) -> int:
    """The size of the records in the stream, in bytes."""
    return sum([record.size for record in records])
