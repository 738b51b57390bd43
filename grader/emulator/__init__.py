"""AWS Lambda's event source mapping for DynamoDB Streams, on virtual time.

The map of this package, from the outside in:

    service       create, get, list, update, delete the mappings of an account
    settings      a mapping's parameters: ranges, defaults, refusals
    mapping       one mapping's life: states, shards, starting position
    poller        one shard: polls, batches, lanes, invocations
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
    inprocess     a handler called in this process, for tests and trials
    ports         what is handed out and what is needed from outside

Pure: no AWS library, no file, no waiting. A handler of your own can be tried in a few lines:

    clock = Clock()
    stream = Stream(table="Orders", keys=["id"], created_ms=clock.now)
    mapping = EventSourceMapping(
        uuid="m-1", settings=Settings(batch_size=10, report_failures=True), stream=stream,
        function=InProcess("totals", handler), clock=clock, metrics=Metrics(),
        destinations=NoDestinations(), journal=Journal(),
    )
    mapping.create()
    stream.write(None, {"id": {"S": "o-1"}}, clock.now)
    clock.run_for(120_000)
"""

from grader.emulator.concurrency import Concurrency
from grader.emulator.decide import Batch, Decision, Verdict, decide, read_response
from grader.emulator.filters import Filter, matches_any
from grader.emulator.inprocess import InProcess, NoDestinations
from grader.emulator.journal import Journal
from grader.emulator.mapping import EventSourceMapping
from grader.emulator.ports import Delivery, Destinations, Function, Record, Refused, Result
from grader.emulator.service import EventSourceMappings
from grader.emulator.settings import Settings
from grader.emulator.stream import Shard, Stream

__all__ = [
    "Batch",
    "Concurrency",
    "Decision",
    "Delivery",
    "Destinations",
    "EventSourceMapping",
    "EventSourceMappings",
    "Filter",
    "Function",
    "InProcess",
    "Journal",
    "NoDestinations",
    "Record",
    "Refused",
    "Result",
    "Settings",
    "Shard",
    "Stream",
    "Verdict",
    "decide",
    "matches_any",
    "read_response",
]
