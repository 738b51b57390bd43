"""Records per second that the emulator delivers, against a plain loop over the same stream.

The plain loop pages through the stream with the engine's own ``get_records`` and calls the same
no-op handler in the same batches. Both read one stream, written before the clock is read.

Beside that: the cost of a record in a stream of a million against one in a stream of a hundred
thousand, and what the emulator keeps of a million deliveries when no journal is kept.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from grader.cloud.clock import Clock
from grader.cloud.mapping import (
    EventSourceMapping,
    InProcess,
    NoDestinations,
    Settings,
    Stream,
)
from grader.cloud.metrics import Metrics

RECORDS = 100_000
MANY = 1_000_000
PAIRS = 5


class Handler:
    """Do nothing but count what came."""

    def __init__(self) -> None:
        self.records = 0

    def __call__(self, event: dict[str, Any], context: object = None) -> None:
        self.records += len(event["Records"])


def written(clock: Clock, records: int) -> Stream:
    """A stream with so many records in one shard."""
    stream = Stream(table="Orders", keys=["id"], created_ms=clock.now)
    for number in range(records):
        stream.write(None, {"id": {"S": f"o-{number}"}, "amount": {"N": "5"}}, clock.now)
    return stream


def by_loop(clock: Clock, stream: Stream, records: int, batch: int) -> float:
    handler = Handler()
    began = time.perf_counter()
    shard = stream.shards[0]
    iterator = stream.shard_iterator(shard.id, "TRIM_HORIZON", now_ms=clock.now)
    while handler.records < records:
        page = stream.get_records(iterator, batch, now_ms=clock.now)
        handler({"Records": page["Records"]}, None)
        iterator = page["NextShardIterator"]
    return time.perf_counter() - began


def by_emulator(clock: Clock, stream: Stream, records: int, batch: int) -> float:
    handler = Handler()
    mapping = EventSourceMapping(
        uuid="m-1",
        settings=Settings(batch_size=batch),
        stream=stream,
        function=InProcess("totals", handler),
        clock=clock,
        metrics=Metrics(),
        destinations=NoDestinations(),
    )
    began = time.perf_counter()
    mapping.create()
    while handler.records < records:
        clock.run_for(60_000)
    return time.perf_counter() - began


def against_the_loop(batch: int) -> None:
    loops, engines = [], []
    for _ in range(PAIRS):
        clock = Clock()
        stream = written(clock, RECORDS)
        gc.collect()
        gc.freeze()
        loops.append(by_loop(clock, stream, RECORDS, batch))
        engines.append(by_emulator(clock, stream, RECORDS, batch))
        gc.unfreeze()
    ratio = statistics.median(loop / engine for loop, engine in zip(loops, engines, strict=True))
    show(
        f"emulator / loop, records a second, by {batch}",
        f"{RECORDS / statistics.median(engines):,.0f}",
        f"{RECORDS / statistics.median(loops):,.0f}",
        ratio,
        "at least 0.7",
    )


def cost_of_a_record(records: int, batch: int = 100) -> float:
    """Seconds a record, writing it into the stream included."""
    gc.collect()
    gc.freeze()
    clock = Clock()
    began = time.perf_counter()
    stream = written(clock, records)
    by_emulator(clock, stream, records, batch)
    took = time.perf_counter() - began
    gc.unfreeze()
    return took / records


def linearity() -> None:
    few = statistics.median(cost_of_a_record(RECORDS) for _ in range(3))
    many = cost_of_a_record(MANY)
    show(
        "µs a record, of a million / of 100,000",
        f"{many * 1e6:.2f}",
        f"{few * 1e6:.2f}",
        many / few,
        "about 1: linear",
    )


def memory() -> None:
    """What delivering leaves behind in memory, beside the stream that was there before."""
    kept = []
    for records in (RECORDS, MANY // 2):
        clock = Clock()
        stream = written(clock, records)
        tracemalloc.start()
        by_emulator(clock, stream, records, 100)
        # What one minute observed is kept until its metrics are published.
        clock.run_for(60_000)
        gc.collect()
        kept.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    show(
        "KB kept after 500,000 / after 100,000",
        f"{kept[1] / 1024:,.1f}",
        f"{kept[0] / 1024:,.1f}",
        kept[1] / kept[0],
        "about 1: flat",
    )


def show(name: str, thing: str, baseline: str, ratio: float, aim: str) -> None:
    print(f"{name:<44}{thing:>10} {baseline:>10} {ratio:>7.2f}   {aim}")


def main() -> None:
    for batch in (10, 100, 1_000):
        against_the_loop(batch)
    linearity()
    memory()


if __name__ == "__main__":
    main()
