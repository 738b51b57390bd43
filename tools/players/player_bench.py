"""A stream, a scripted function and a mapping, for a player: no account, no process."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from grader.cloud.dynamodb import Record
from grader.cloud.mapping import Bench, Polled
from grader.replay.scene import DECIDING, Reader, Scene, Setting

QUEUE = "arn:aws:sqs:us-east-1:123456789012:FailedRecords"
REPORTS = ["ReportBatchItemFailures"]
TABLE, MAPPING, FUNCTION = "Orders", "OrdersToTotals", "TotalsFunction"
Event = dict[str, Any]


def items(event: Event) -> list[str]:
    """The ids of an event's items."""
    return [one["dynamodb"]["Keys"]["id"]["S"] for one in event["Records"]]


def failing(event: Event, bad: Callable[[str], bool], reports: bool) -> Event:
    """The answer of a function that cannot count the items that are ``bad``.

    With ``reports`` it names them, otherwise it raises at the first one.
    """
    failed = []
    for one in event["Records"]:
        if bad(one["dynamodb"]["Keys"]["id"]["S"]):
            if not reports:
                raise ValueError("the amount is no number")
            failed.append({"itemIdentifier": one["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failed}


class Staged:
    """The table Orders, its stream, TotalsFunction, and the mapping between them.

    ``settings`` are those of the mapping; one that is None is left out.
    """

    def __init__(
        self,
        answer: Callable[[Event], Any] | None = None,
        *,
        shards: int = 1,
        duration_ms: int = 100,
        account_limit: int = 1000,
        function: Any = None,
        **settings: Any,
    ) -> None:
        self.bench = Bench(start_delay_ms=0, account_limit=account_limit)
        self.start_ms = self.bench.now
        self.stream = self.bench.stream(TABLE, shards=shards)
        self.written: list[Record] = []
        self.roles: dict[int, str] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.moments: list[tuple[int, str]] = []
        self.stream.listen(lambda record, _shard: self.written.append(record))
        self.bench.destination(QUEUE)
        if function is None:
            self.function: Any = self.bench.function(FUNCTION, answer, duration_ms=duration_ms)
        else:
            self.function = function(self.bench)
            self.bench.add(self.function)
        self.settings = {name: value for name, value in settings.items() if value is not None}
        self.settings.setdefault("StartingPosition", "TRIM_HORIZON")
        self.uuid = self.bench.create(
            FunctionName=FUNCTION, EventSourceArn=self.stream.arn, **self.settings
        )["UUID"]

    def put(self, *names: str, role: str = "", **numbers: int) -> Record:
        """Write items now, or change them; each record is called as its item, or by its role."""
        for name in names:
            item = {"id": {"S": name}, "at": {"N": str(self.bench.now)}}
            item |= {key: {"N": str(value)} for key, value in numbers.items()}
            record = self.stream.write(self.items.get(name), item, self.bench.now)
            assert record is not None
            self.items[name] = item
            self.roles[record.sequence] = role or name
        return self.written[-1]

    def later(self, seconds: float, action: Callable[[], Any]) -> None:
        """Do something so many seconds after the start."""
        self.bench.at(self.start_ms + round(seconds * 1000), action)

    def say(self, what: str) -> None:
        """Note what is done now."""
        self.moments.append((self.bench.now, what))

    def _setting(self, name: str) -> Setting:
        """A setting of the mapping; it has no line of a template, but a value."""
        value = self.settings.get(name)
        return Setting(name, value, None, "" if value is None else f"{name}: {json.dumps(value)}")

    def end_ms(self) -> int:
        """A little after the last thing that happened: the service itself goes on for ever."""
        seen = [
            one.time_ms for one in self.bench.journals[self.uuid] if not isinstance(one, Polled)
        ]
        told = [one.time_ms for one in self.written] + [at for at, _ in self.moments]
        ends = [one.end_ms for one in getattr(self.function, "invocations", ()) if one.end_ms]
        last: int = max(seen + told + ends)
        return last + min(1000, max(100, (last - self.start_ms) // 10 * 2))

    def scene(self, title: str, **more: Any) -> Scene:
        """What has happened so far."""
        self.bench.mappings.flush()
        settings = [self._setting(name) for name in DECIDING]
        options = {
            "kind": "account",
            "start_ms": self.start_ms,
            "end_ms": self.end_ms(),
            "streams": {TABLE: self.stream},
            "readers": [Reader(MAPPING, self.bench.journals[self.uuid], FUNCTION, settings)],
            "metrics": self.bench.metrics,
            "moments": self.moments,
            "roles": {TABLE: self.roles},
            "written": {TABLE: self.written},
            "ids": {self.uuid: MAPPING},
        }
        return Scene(title=title, **{**options, **more})
