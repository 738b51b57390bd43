"""A table's stream, a scripted function, a queue and one mapping between them, on virtual time."""

from __future__ import annotations

from grader.cloud.clock import Clock
from grader.cloud.mapping import EventSourceMapping, Inbox, Journal, Scripted, Settings, Stream
from grader.cloud.metrics import Metrics

QUEUE = "arn:aws:sqs:us-east-1:123456789012:failed"
ERRORS = "https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html"


def ids_of(event):
    return [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]


def sequences_of(event):
    return {
        record["dynamodb"]["Keys"]["id"]["S"]: record["dynamodb"]["SequenceNumber"]
        for record in event["Records"]
    }


def failed(*identifiers):
    return {"batchItemFailures": [{"itemIdentifier": one} for one in identifiers]}


class World:
    """``World(respond, batch_size=3).write("a", "b").run(60)``; polling starts at time 0."""

    def __init__(
        self,
        respond=lambda event: None,
        *,
        duration_ms=0,
        delay_ms=0,
        shards=1,
        readable=None,
        concurrency=None,
        create=True,
        seed=0,
        **settings,
    ):
        self.clock = Clock()
        self.start = self.clock.now
        self.metrics = Metrics()
        self.journal = Journal()
        self.queue = Inbox(QUEUE)
        self.stream = Stream(table="Orders", keys=["id"], created_ms=self.clock.now, shards=shards)
        self.function = Scripted("totals", self.clock, respond, duration_ms=duration_ms)
        self.mapping = EventSourceMapping(
            uuid="00000000-0000-4000-8000-000000000001",
            settings=Settings(**settings),
            stream=self.stream,
            function=self.function,
            clock=self.clock,
            metrics=self.metrics,
            destinations=self.queue,
            journal=self.journal,
            start_delay_ms=delay_ms,
            readable=readable,
            concurrency=concurrency,
            seed=seed,
        )
        self.items = {}
        if create:
            self.mapping.create()

    def write(self, *ids, size=0):
        """Write one version of each item, now."""
        for one in ids:
            version = self.items.get(one, 0) + 1
            old = self._item(one, version - 1, size) if version > 1 else None
            self.stream.write(old, self._item(one, version, size), self.clock.now)
            self.items[one] = version
        return self

    def _item(self, one, version, size):
        return {"id": {"S": one}, "version": {"N": str(version)}, "pad": {"S": "x" * size}}

    def run(self, seconds):
        """Let that many seconds pass."""
        self.clock.run_for(round(seconds * 1000))
        return self

    @property
    def events(self):
        """The event of every invocation, in order."""
        return [call.event for call in self.function.calls]

    @property
    def batches(self):
        """The ids of every invocation, in order."""
        return [ids_of(event) for event in self.events]

    @property
    def times(self):
        """When each invocation began: seconds since the start."""
        return [(call.start_ms - self.start) / 1000 for call in self.function.calls]

    @property
    def shard(self):
        return self.stream.shards[0]

    @property
    def checkpoint(self):
        return self.mapping.checkpoint(self.shard.id)

    def sequence(self, number):
        """The sequence number of the shard's record number ``number`` (from 0; -1 is the last)."""
        return self.shard.records[number].sequence

    def metric(self, name, namespace="AWS/Lambda"):
        """The sum over a metric's data points, None when there are none."""
        self.mapping.flush()
        data = self.metrics.find(namespace, name)
        return sum(datum.value * datum.count for datum in data) if data else None
