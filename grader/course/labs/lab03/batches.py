"""Lab 3, task 1: batches whose metrics are counted.

Every batch is handed to the function by itself; what CloudWatch received of it is told apart by
batch. Nothing here judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grader.cloud.metrics import Datum, Metrics, SeriesKey
from grader.course.play.paging import FUNCTION, MAPPING, NAMESPACE, SERVICE, open_shop

if TYPE_CHECKING:
    from grader.cloud.aws import Call
    from grader.cloud.function import Invocation, Stall
    from grader.course.stage import Stage

# The README's metrics: one dimension, and a unit for each name.
UNITS = {"RecordsProcessed": "Count", "RecordsFailed": "Count", "Lag": "Milliseconds"}

Series = dict[SeriesKey, list[Datum]]

# How long the first batch waits in the stream, and then for the answer to its first AWS call.
WAITED_MS = 90_000
WORKED_MS = 12_000
LAG_MS = WAITED_MS + WORKED_MS
# A mapping's BatchSize without one in the template, and the largest for a stream that is played.
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
DEFAULT_BATCH, LARGEST_BATCH = 100, 1_000
# One batch each: a handful of metrics can be a cold start, a version or a kind of change.
MERCHANTS = 12


@dataclass(frozen=True)
class Batch:
    """A batch that was handed to the function, and the metrics of the function's own it led to.

    Of its ``records`` at least ``bad`` cannot be processed.
    """

    story: str
    records: int
    bad: int
    invocation: Invocation
    published: Series

    def of(self, name: str) -> Series:
        """The series of one metric in the README's namespace."""
        return {
            key: data
            for key, data in self.published.items()
            if key.namespace == NAMESPACE and key.name == name
        }

    def data(self, name: str) -> list[Datum]:
        """One metric's observations: under the README's dimension when it is there."""
        found = self.of(name)
        wanted = {key: data for key, data in found.items() if key.dimensions == SERVICE} or found
        return [datum for data in wanted.values() for datum in data]

    def total(self, name: str) -> float:
        """The sum of one metric's observations."""
        return sum(datum.value * datum.count for datum in self.data(name))

    @property
    def calls(self) -> int:
        """How many PutMetricData calls the invocation made."""
        return sum(call.operation == "PutMetricData" for call in self.invocation.calls)


@dataclass
class Measured:
    """What the function said about every batch; the first one waited in the stream.

    ``refused`` are answers to PutMetricData, ``unextracted`` sentences about lines of the log.
    """

    batches: Sequence[Batch]
    refused: Sequence[str]
    unextracted: Sequence[str]

    @property
    def late(self) -> Batch:
        """The batch whose lag is known."""
        return self.batches[0]

    def series(self, name: str) -> set[SeriesKey]:
        """Every series of one metric that any batch led to."""
        return {key for batch in self.batches for key in batch.of(name)}

    @property
    def names(self) -> list[str]:
        """The README's metrics of which anything arrived."""
        return [name for name in UNITS if self.series(name)]


def measured_batches(stage: Stage) -> Measured:
    """Batches: late, prompt, repeated, of changes, bad in part, of one merchant each, full."""
    shop = open_shop(stage, "measured batches", mappings=False)
    batches: list[Batch] = []

    def deliver(story: str, records: Sequence[Any], bad: int = 0) -> None:
        before = _custom(shop.pipeline.metrics)
        invocation = shop.pipeline.deliver(FUNCTION, records)
        stage.require_start([invocation])
        after = _custom(shop.pipeline.metrics)
        published = {key: data[len(before.get(key, ())) :] for key, data in after.items()}
        kept = {key: data for key, data in published.items() if data}
        batches.append(Batch(story, len(records), bad, invocation, kept))

    # The last ones came a minute later: the lag is that of the oldest record, not of the newest.
    waiting = [shop.put(f"merchant-{n % 12}", f"o-{n}") for n in range(1, 16)]
    shop.pipeline.run_for(seconds=60)
    waiting += [shop.put(f"merchant-{n % 12}", f"o-{n}") for n in range(16, 21)]
    shop.pipeline.run_for(seconds=WAITED_MS / 1000 - 60)
    host = shop.pipeline.functions[FUNCTION]
    host.faults = _slow_at_first
    deliver(
        "20 new orders of 12 merchants, the oldest of which waited 90 s; the answer to the first "
        "AWS call takes 12 s more",
        waiting,
    )
    host.faults = None
    prompt = [shop.put("acme", f"o-{n}") for n in range(1, 4)]
    deliver("3 new orders", prompt)
    deliver("the same 3 orders once more", prompt)
    changes = [
        shop.put("acme", "o-4", 5_000),
        shop.put("acme", "o-4", 7_000),
        shop.put("acme", "o-4", 7_000, status="paid"),
        shop.delete("acme", "o-4"),
    ]
    deliver("an order that is placed, made dearer, marked as paid and deleted", changes)
    mixed = [
        *(shop.put("globex", f"o-{n}") for n in (1, 2)),
        shop.put_bad("globex", "bad-1", "12,50"),
        shop.put("globex", "o-3"),
        shop.put_bad("globex", "bad-2", "n/a"),
        shop.put("globex", "o-4"),
    ]
    deliver("six orders, the third and the fifth of which are bad", mixed, bad=2)
    # So it comes once the mapping has cut the batch.
    deliver("a bad order alone", [mixed[2]], bad=1)
    for n in range(MERCHANTS):
        deliver(f"a new order of merchant {n}", [shop.put(f"merchant-{n}", f"single-{n}")])
    size = int(stage.stack.resources[MAPPING].properties.get("BatchSize", DEFAULT_BATCH))
    full = [shop.put(f"merchant-{n % 12}", f"f-{n}") for n in range(min(size, LARGEST_BATCH))]
    deliver(f"a full batch, BatchSize {size}", full)
    denied = [
        one.reason for one in shop.pipeline.account.denied if one.action.endswith("PutMetricData")
    ]
    refused = [*shop.pipeline.account.metric_door.refused, *denied]
    return Measured(batches, refused, shop.pipeline.unextracted)


def _slow_at_first(call: Call) -> Stall | None:
    """The lag is that of the batch when it is done, not when it has begun."""
    from grader.cloud.function import Stall

    return Stall(WORKED_MS) if call.number == 1 else None


def _custom(metrics: Metrics) -> Series:
    return {key: list(metrics.data(key)) for key in metrics if not key.namespace.startswith("AWS/")}
