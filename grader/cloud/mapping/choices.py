"""What AWS does not document, and what the emulator does instead: every such choice, in one place.

A lab must never be decided by one of these. They exist because an emulator has to do *something*;
each says what, and why that and not another thing. Times are milliseconds, sizes bytes.
"""

from __future__ import annotations

from typing import Any

from grader.cloud.mapping.grid import POLL_MS

# How long a mapping takes from one state to the next (Creating to Enabled, Disabling to Disabled).
# AWS says that polling "may take several minutes" to begin, stop or restart
# (https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html). One minute is long enough to make
# LATEST miss what a careless deployment writes in the meantime, and short enough for a scenario.
STATE_CHANGE_MS = 60_000

# Pause before retry n: 250 ms (one poll), doubled each time, at most one minute.
# The schedule is undocumented. A recording of AWS shows an always-failing function with a maximum
# record age of 60 seconds invoked 8 times; this schedule invokes it at 0, 0.25, 0.75, 1.75, 3.75,
# 7.75, 15.75 and 31.75 seconds: 8 times. Three retries are over within two seconds.
FIRST_RETRY_MS = 250
LONGEST_RETRY_MS = 60_000

# The pause before what is left of a batch that made progress, or before the parts of a split
# batch: none. The next attempt is at something new, so there is nothing to back off from yet.
PROGRESS_PAUSE_MS = 0

# The shards of a mapping poll out of step: each at a point of its own within the quarter of a
# second. AWS documents the base rate and says nothing of the moment; shards that all came in one
# millisecond would throttle each other as no real ones do. The first shard polls when the mapping
# does; each further one lies a stride behind the one before it, around the circle of a quarter of
# a second. The strides are near the golden section of 250 and share no factor with it: few shards
# lie far apart, and no two of the first 250 coincide. The seed chooses the stride.
#
# A throttled attempt comes out of step, too: its pause is up to half as long as the schedule above
# says, by shard, lane and number of the attempt. Every pause of the schedule is a whole number of
# polls: without this a lane that found another one running would meet the same one again, for
# hours, however idle the function is in between. Failed attempts keep to the schedule.
PHASE_STRIDES_MS = (153, 97, 157, 93)

# A shard that opens (a split, a roll-over) is found so much later; it is polled once it is found
# and its parent has been read to its end. AWS says that shards split
# automatically (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html) and
# nothing about when a mapping looks for new ones. So a roll-over costs a quiet table a lag of
# half a second, and nothing where the parent is still being read.
SHARD_DISCOVERY_MS = 500

# How long the poller waits after it was refused to read the stream. Permissions rarely come back
# between two polls.
UNREADABLE_PAUSE_MS = 60_000

# With an empty stream, the poller sleeps until the next write: it looks again on its own grid of
# one poll every 250 ms. When a page ended because it was full, the next page is read at once.
# AWS documents only the base rate of 4 polls a second.

# A batching window in which nothing came is followed by the next one, back to back. AWS documents
# that a window starts when the previous invocation finishes, not what follows an empty window.

# With ParallelizationFactor above 1: the lane comes from a CRC-32 of the item's full key; the
# checkpoint of the shard stands before its oldest unfinished record; finished records above it
# are remembered and not delivered again after a pause of the mapping. AWS publishes neither hash
# nor checkpoint.

# Disabling, updating or changing the function lets running invocations finish; batches that wait
# for a retry go back to the shard and start again with a fresh retry budget. Undocumented.

# LastProcessingResult after a throttled attempt is that of a failed call; a stream that the role
# may not read, or that is gone 24 hours after it was disabled, shows as "PROBLEM: " and the
# reason. The mapping stays Enabled.

# Any number of mappings may read a shard: AWS says that more than two "may" be throttled.

# A record that leaves the stream at 24 hours while its batch is retried is lost without a note
# and is not counted as dropped: "excludes records trimmed by the stream" is all that AWS says
# (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html).

# Tumbling windows. The final call of a window carries no records. A state above 1 MB ends its
# window with the next call; later records of the same span open a second window with the same
# borders and an empty state. A final call has no record whose age could count: its own age counts,
# from the moment at which it could first be made. When it has used up its retries, is older than
# MaximumRecordAgeInSeconds, or than the 24 hours of a record, the state is given up without a note,
# because there is no record to name in one. When an update changes TumblingWindowInSeconds in the
# middle of a window, also to 0, the open window ends without a final call and its state is dropped:
# AWS does not say, and a function that has been told of no end finds an empty state next.

# FailedInvokeEventCount after a partial response counts the records that will come again, not
# only the ones listed. A throttled attempt counts in InvokedEventCount and FailedInvokeEventCount.

# Errors and Throttles get a zero for every invocation that had none, so that a healthy minute is
# a zero and a silent minute is a gap. Metrics of one minute are published together, as one data
# point a distinct value, with the minute's start as their time: "1-minute data" is what AWS sends.

# The S3 note's ``payload`` is a JSON text, as the documentation says
# (https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html).

# What one GetRecords call by the poller takes, for SuccessfulRequestLatency only.
GET_RECORDS_LATENCY_MS = 8


def poll_phase_ms(shard: int, seed: int = 0) -> int:
    """How far behind the mapping's grid of polls the shard with this number (from 0) polls."""
    return shard * PHASE_STRIDES_MS[seed % len(PHASE_STRIDES_MS)] % POLL_MS


def throttle_pause_ms(delay_ms: int, phase_ms: int, lane: int, throttles: int) -> int:
    """The pause after ``throttles`` throttled attempts in a row of a lane (from 0), for whose
    failures the schedule says ``delay_ms``; ``phase_ms`` is the shard's.
    """
    along, onward = PHASE_STRIDES_MS[:2]
    share = (phase_ms + along * lane + onward * (throttles - 1)) % POLL_MS
    return delay_ms - delay_ms * share // (2 * POLL_MS)


def retry_delay_ms(failures: int) -> int:
    """The pause after ``failures`` (1 or more) attempts in a row without progress."""
    # Beyond 2**20 times the first pause the limit holds anyway; do not shift by thousands.
    return min(FIRST_RETRY_MS << min(failures - 1, 20), LONGEST_RETRY_MS)


def split_at(records: int) -> int:
    """How many of ``records`` (2 or more) go into the first half of a bisected batch.

    The smaller half first when the number is odd: undocumented, and the sooner a poison record
    stands alone at the front, the less is repeated.
    """
    return records // 2


def is_empty_answer(payload: Any) -> bool:
    """Whether an answer without an object counts as "nothing failed".

    ``null``, ``[]`` (recorded on DynamoDB) and ``""`` (recorded on Kinesis) do. Any other text,
    number, boolean or list cannot be read as a response and is a complete failure here.
    """
    return payload is None or payload == "" or payload == []
