"""AWS Lambda's event source mapping for DynamoDB Streams, on virtual time.

The map of this package, from the outside in:

    service       create, get, list, update, delete the mappings of an account
    settings      a mapping's parameters: ranges, defaults, refusals
    mapping       one mapping's life: states, shards, starting position
    poller        one shard: polls, batches, invocations
    dealt         how far a shard is dealt with, and records that are given up
    lane          records that wait for their turn, and the batch that is being tried
    host          what the pollers of one mapping share
    payload       how many records fit into one invocation
    filters       which records pass
    decide        what follows from an invocation: advance, retry, split, give up
    windows       tumbling windows
    destinations  the note about records that were given up
    concurrency   how many invocations may run at once
    meter         what CloudWatch receives
    journal       what happened, for people
    stream        the DynamoDB stream: shards, records, trimming
    items         DynamoDB values: sizes, keys, equality
    choices       what AWS leaves undocumented, and what is done instead
    inprocess     functions called in this process: a handler, or scripted answers
    bench         all of it wired together, for tests and trials
    ports         what is handed out and what is needed from outside

Pure: no AWS library, no file, no waiting. A handler of your own can be tried in a few lines:

    bench = Bench()
    stream = bench.stream("Orders", keys=["id"])
    bench.function("totals", lambda event: handler(event, None))
    uuid = bench.create(
        FunctionName="totals", EventSourceArn=stream.arn, StartingPosition="TRIM_HORIZON",
    )["UUID"]
    stream.write(None, {"id": {"S": "o-1"}}, bench.now)
    bench.drain()
    for line in bench.timeline(uuid):
        print(line)

More of it, run by a test: docs/reference/test-your-own-stack.md.
"""

from grader.cloud.dynamodb.records import Record
from grader.cloud.dynamodb.shard import Shard
from grader.cloud.dynamodb.stream import Stream
from grader.cloud.mapping.bench import Bench, Inbox, Invocation
from grader.cloud.mapping.choices import (
    SHARD_DISCOVERY_MS,
    poll_phase_ms,
    retry_delay_ms,
    throttle_pause_ms,
)
from grader.cloud.mapping.concurrency import DEFAULT_ACCOUNT_LIMIT, Concurrency
from grader.cloud.mapping.decide import (
    Advance,
    Batch,
    Decision,
    Discard,
    Partial,
    Reading,
    Retry,
    Split,
    decide,
    read_response,
)
from grader.cloud.mapping.destinations import failure_note
from grader.cloud.mapping.direct import Direct
from grader.cloud.mapping.filters import Filter, matches_any, parse_filter_criteria
from grader.cloud.mapping.grid import POLL_MS, POLL_ORDER, TIMER_ORDER, next_poll_ms
from grader.cloud.mapping.inprocess import InProcess, NoDestinations, Scripted
from grader.cloud.mapping.journal import (
    Decided,
    Discarded,
    Ended,
    Filtered,
    Formed,
    Invoked,
    Journal,
    Polled,
    ShardStarted,
    StateChanged,
    Throttled,
    Trimmed,
    Unreadable,
    WindowChanged,
)
from grader.cloud.mapping.mapping import EventSourceMapping
from grader.cloud.mapping.names import Address
from grader.cloud.mapping.payload import PAYLOAD_BYTES
from grader.cloud.mapping.ports import Delivery, Destinations, Function, Result
from grader.cloud.mapping.service import EventSourceMappings
from grader.cloud.mapping.settings import Settings
from grader.cloud.mapping.windows import window_at

__all__ = [
    "DEFAULT_ACCOUNT_LIMIT",
    "PAYLOAD_BYTES",
    "POLL_MS",
    "POLL_ORDER",
    "SHARD_DISCOVERY_MS",
    "TIMER_ORDER",
    "Address",
    "Advance",
    "Batch",
    "Bench",
    "Concurrency",
    "Decided",
    "Decision",
    "Delivery",
    "Destinations",
    "Direct",
    "Discard",
    "Discarded",
    "Ended",
    "EventSourceMapping",
    "EventSourceMappings",
    "Filter",
    "Filtered",
    "Formed",
    "Function",
    "InProcess",
    "Inbox",
    "Invocation",
    "Invoked",
    "Journal",
    "NoDestinations",
    "Partial",
    "Polled",
    "Reading",
    "Record",
    "Result",
    "Retry",
    "Scripted",
    "Settings",
    "Shard",
    "ShardStarted",
    "Split",
    "StateChanged",
    "Stream",
    "Throttled",
    "Trimmed",
    "Unreadable",
    "WindowChanged",
    "decide",
    "failure_note",
    "matches_any",
    "next_poll_ms",
    "parse_filter_criteria",
    "poll_phase_ms",
    "read_response",
    "retry_delay_ms",
    "throttle_pause_ms",
    "window_at",
]
