"""Scenes made in this process: a bench with a stream, a scripted function and one mapping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grader.cloud.clock import START_MS
from grader.cloud.dynamodb import Record
from grader.cloud.mapping import Bench, Stream
from grader.replay import run
from grader.replay.scene import DECIDING, Reader, Scene, Setting

QUEUE = "arn:aws:sqs:us-east-1:123456789012:failed"
Answer = Callable[[dict[str, Any]], Any]


def keys(event: dict[str, Any]) -> list[str]:
    """The ids of an event's items."""
    return [one["dynamodb"]["Keys"]["id"]["S"] for one in event["Records"]]


def numbers(event: dict[str, Any], *bad: str) -> dict[str, Any]:
    """The answer that reports the records of these items as failed."""
    failed = [
        {"itemIdentifier": one["dynamodb"]["SequenceNumber"]}
        for one in event["Records"]
        if one["dynamodb"]["Keys"]["id"]["S"] in bad
    ]
    return {"batchItemFailures": failed}


class Staged:
    """A bench on which a mapping reads ``Orders``."""

    def __init__(self, answer: Answer, *, shards: int = 1, **properties: Any) -> None:
        self.bench = Bench(start_delay_ms=0)
        self.stream: Stream = self.bench.stream(shards=shards)
        self.written: list[Record] = []
        self.stream.listen(lambda record, _shard: self.written.append(record))
        self.bench.function("totals", answer)
        self.properties = {"StartingPosition": "TRIM_HORIZON", **properties}
        self.uuid = self.bench.create(
            FunctionName="totals", EventSourceArn=self.stream.arn, **self.properties
        )["UUID"]

    def put(self, *names: str) -> None:
        """Write new items now."""
        for name in names:
            self.stream.write(None, {"id": {"S": name}}, self.bench.now)

    def scene(self, **more: Any) -> Scene:
        """What has happened so far."""
        settings = [
            Setting(name, self.properties.get(name), 7 if name in self.properties else None)
            for name in DECIDING
        ]
        return Scene(
            title="on the bench",
            kind="account",
            start_ms=START_MS,
            end_ms=self.bench.now,
            streams={"Orders": self.stream},
            readers=[Reader("Mapping", self.bench.journals[self.uuid], "Totals", settings)],
            metrics=self.bench.metrics,
            **more,
        )

    def play(self, **more: Any) -> dict[str, Any]:
        """The play of the document."""
        play: dict[str, Any] = run.document([self.scene(**more)])["plays"][0]
        return play
