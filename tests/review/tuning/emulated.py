"""The same load, handler and settings, played on the emulator record by record."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grader.cloud.clock import START_MS, Clock
from grader.cloud.dynamodb.items import key_text
from grader.cloud.mapping import (
    Concurrency,
    EventSourceMapping,
    NoDestinations,
    Result,
    Settings,
    Stream,
)
from grader.cloud.mapping.lane import lane_of
from grader.cloud.metrics import Metrics
from grader.review.tuning import Choice, Draws, Handler, Load
from grader.review.tuning.parts import Spread


@dataclass
class Played:
    """What the emulator did. Times in milliseconds from the start of the load."""

    invocations: int
    errors: int
    throttles: int
    billed_ms: int
    handed: int
    max_age_ms: int
    ages: list[int | None]


class Modelled:
    """A function that takes as long as the handler says and fails when the draws say."""

    arn = "arn:aws:lambda:us-east-1:123456789012:function:modelled"
    name = "modelled"

    def __init__(self, clock: Clock, handler: Handler, choice: Choice, draws: Draws) -> None:
        self.clock, self.handler, self.choice, self.draws = clock, handler, choice, draws
        self.invocations = self.errors = self.billed_ms = self.handed = 0
        # Idle environments, by the time since which they are.
        self.idle: list[int] = []

    def invoke(self, event: dict[str, Any], done: Callable[[Result], None]) -> None:
        self.invocations += 1
        self.handed += len(event["Records"])
        duration = self.handler.duration_ms(len(event["Records"]), self.choice.memory_mb)
        rate = self.handler.error_rate
        fails = rate > 0 and self.draws.chance(rate)
        while self.idle and self.clock.now - self.idle[-1] > 600_000:
            self.idle.pop()
        cold = 0
        if self.idle:
            self.idle.pop()
        else:
            cold = self.handler.cold_start_ms
        keep = True
        if duration > self.choice.timeout_s * 1000:
            fails, keep, duration = True, False, self.choice.timeout_s * 1000
        self.errors += fails
        self.billed_ms += cold + duration
        result = Result("error" if fails else "returned", duration_ms=duration)

        def end() -> None:
            if keep:
                self.idle.append(self.clock.now)
            done(result)

        self.clock.after(cold + duration, end)


def play(
    load: Load,
    handler: Handler,
    choice: Choice,
    *,
    duration_s: int | None = None,
    polling_from_s: int = 0,
    account_concurrency: int = 1000,
    seed: int = 0,
    any_keys: int | None = None,
) -> Played:
    """Play the load on the emulator.

    Keys are chosen so that a record comes to the shard and lane that the simulation says; with
    ``any_keys`` only to the shard, each with a key of its own, other keys for each number.
    """
    clock = Clock(START_MS)
    stream = Stream(table="T", keys=["id"], created_ms=START_MS, shards=load.shards)
    metrics = Metrics()
    function = Modelled(clock, handler, choice, Draws(seed, 1))
    concurrency = Concurrency(100_000 if choice.concurrency is not None else account_concurrency)
    if choice.concurrency is not None:
        concurrency.reserve(function.name, choice.concurrency)
    mapping = EventSourceMapping(
        uuid="m",
        settings=Settings(
            starting_position="TRIM_HORIZON",
            batch_size=choice.batch_size,
            window_ms=choice.window_s * 1000,
            parallelization=choice.parallelization,
            max_retries=choice.max_retries,
            max_age_ms=choice.max_age_s * 1000 if choice.max_age_s >= 0 else -1,
        ),
        stream=stream,
        function=function,
        clock=clock,
        metrics=metrics,
        destinations=NoDestinations(),
        start_delay_ms=polling_from_s * 1000,
        seed=seed,
        concurrency=concurrency,
    )
    mapping.create()
    end = START_MS + 1000 * (load.seconds if duration_s is None else duration_s)

    # The emulator's shards by the plan's numbers; children take their places as they open.
    shard_ids = {n: shard.id for n, shard in enumerate(stream.shards)}
    for split in sorted(load.splits, key=lambda one: one.second):

        def cut(split: Any = split) -> None:
            for child in stream.split(shard_ids[split.shard], clock.now):
                shard_ids[len(shard_ids)] = child.id

        clock.at(START_MS + split.second * 1000, cut, order=-2)

    spreads = [Spread.over(plan, choice.parallelization) for plan in load.plan()]
    lanes = choice.parallelization
    pools: dict[tuple[str, int], dict[str, Any]] = {}
    written: dict[int, int] = {}
    names = Draws(any_keys or 0, 77)

    def item_for(number: int) -> dict[str, Any]:
        """An item that comes to the plan's shard; to the simulation's lane or to any."""
        nth = written.get(number, 0)
        written[number] = nth + 1
        shard = stream.shard(shard_ids[number])
        if any_keys is None:
            lane = spreads[number].lane_of(nth)
            if (shard.id, lane) in pools:
                return pools[shard.id, lane]
        while True:
            item = {"id": {"S": f"o-{names.next()}"}}
            text = key_text(item, ["id"])
            if not shard.hashes[0] <= zlib.crc32(text.encode()) < shard.hashes[1]:
                continue
            if any_keys is not None:
                return item
            pools.setdefault((shard.id, lane_of(text, lanes)), item)
            if (shard.id, lane) in pools:
                return pools[shard.id, lane]

    times = load.times()

    def write_next(now: int, number: int) -> None:
        stream.write(None, item_for(number), clock.now)
        following = next(times, None)
        while following is not None and following[0] == now:
            stream.write(None, item_for(following[1]), clock.now)
            following = next(times, None)
        schedule(following)

    def schedule(following: tuple[int, int] | None) -> None:
        if following is not None:
            at, number = following
            clock.at(START_MS + at, lambda: write_next(at, number), order=-1)

    schedule(next(times, None))
    clock.run_until(end)
    mapping.flush()
    ages = _by_minute(metrics, end)
    return Played(
        invocations=function.invocations,
        errors=function.errors,
        throttles=_sum(metrics, "Throttles"),
        billed_ms=function.billed_ms,
        handed=function.handed,
        max_age_ms=max((age for age in ages if age is not None), default=0),
        ages=ages,
    )


def _sum(metrics: Metrics, name: str) -> int:
    return round(metrics.total("AWS/Lambda", name))


def _by_minute(metrics: Metrics, end: int) -> list[int | None]:
    ages: list[int | None] = [None] * max(1, -(-(end - START_MS) // 60_000))
    # The clock starts on a full minute.
    for datum in metrics.find("AWS/Lambda", "IteratorAge"):
        minute = min((datum.time_ms - START_MS) // 60_000, len(ages) - 1)
        before = ages[minute]
        ages[minute] = int(datum.value) if before is None else max(before, int(datum.value))
    return ages
