"""A day of 1,000 writes a second through ``grader.review.tuning``, against two plain ways.

The aim is at most 2 F for the day, F being ``benchmarks/floor.py`` in the same run. Beside it two
straightforward simulations of the same mapping stand: one that moves every record, one that moves
batches from poll to poll. Both play a shorter stretch, and their time is scaled to the day; they
know one lane, no window and no failures, and must count the same invocations.

CPU seconds throughout, the floor's as its process used them, so that other work on the machine
counts less.
"""

from __future__ import annotations

import heapq
import resource
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from grader.review.tuning import Choice, Handler, Load, Outcome, Stretch, simulate  # noqa: E402

RATE = 1_000
DAY_S = 86_400
HANDLER = Handler(call_ms=5, record_ms=0.2)
PAIRS = 3
RECORDS_S, BATCHES_S = 600, 7_200

Case = tuple[str, Load, Handler, Choice]
DAY = Load((Stretch(DAY_S, RATE * DAY_S),))
PLAIN = Choice(memory_mb=1769)
CASES: tuple[Case, ...] = (
    ("even, batches of 100", DAY, HANDLER, PLAIN),
    ("even, batches of 1, lagging", DAY, HANDLER, Choice(batch_size=1)),
    ("even, factor 10", DAY, HANDLER, Choice(parallelization=10)),
    ("even, window of 5 s", DAY, HANDLER, replace(PLAIN, batch_size=10_000, window_s=5)),
    ("10 shards, 5 executions", replace(DAY, shards=10), HANDLER, Choice(concurrency=5)),
    (
        "every hour another rate",
        Load.rates([(3600, 400 + 50 * n) for n in range(24)]),
        HANDLER,
        PLAIN,
    ),
    ("1 % of calls fail", DAY, replace(HANDLER, error_rate=0.01), PLAIN),
    ("random arrivals", replace(DAY, random=True), HANDLER, PLAIN),
)


def by_record(seconds: int) -> int:
    """Invocations, with every write an event of its own and every record in a queue."""
    events = [(n * 1000 // RATE, 0, n) for n in range(RATE * seconds)]
    events += [(n * 250, 1, n) for n in range(seconds * 4 + 1)]
    heapq.heapify(events)
    stream: deque[int] = deque()
    queue: deque[int] = deque()
    invocations, free_ms, oldest = 0, 0, 0
    while events:
        now, kind, number = heapq.heappop(events)
        if kind == 0:
            stream.append(now)
            continue
        if kind == 1 and (now < free_ms or queue):
            continue
        if kind == 1:
            for _ in range(min(len(stream), 1_000)):
                queue.append(stream.popleft())
        if not queue or now > seconds * 1000:
            continue
        batch = [queue.popleft() for _ in range(min(len(queue), PLAIN.batch_size))]
        oldest = max(oldest, now - batch[-1])
        invocations += 1
        free_ms = now + HANDLER.duration_ms(len(batch), PLAIN.memory_mb)
        heapq.heappush(events, (free_ms, 2, number))
    return invocations


def by_batch(seconds: int) -> int:
    """Invocations, with records as numbers: poll, hand over batch after batch, poll again."""
    invocations, read, now, oldest = 0, 0, 0, 0
    while now <= seconds * 1000:
        waiting = min(min(now + 1, RATE * seconds) - read, 1_000)
        while waiting and now <= seconds * 1000:
            batch = min(waiting, PLAIN.batch_size)
            read += batch
            waiting -= batch
            oldest = max(oldest, now - (read - 1) * 1000 // RATE)
            invocations += 1
            now += HANDLER.duration_ms(batch, PLAIN.memory_mb)
        now += -now % 250 or (250 if read > now else 0)
    return invocations


def cpu(run: Callable[[], object]) -> float:
    """CPU seconds of one run in this process."""
    began = time.process_time()
    run()
    return time.process_time() - began


def floor() -> float:
    """CPU seconds of the floor in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, str(HERE / "floor.py")], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    def day(case: Case) -> Outcome:
        _, load, handler, choice = case
        return simulate(load, handler, choice)

    floor()
    print(f"{'24 h of 1,000 writes/s':<34}{'tuning':>9}{'floor F':>9}{'ratio':>8}   at most 2 F")
    for case in CASES:
        measured = [(cpu(lambda case=case: day(case)), floor()) for _ in range(PAIRS)]
        mine = statistics.median(one for one, _ in measured)
        other = statistics.median(one for _, one in measured)
        ratio = statistics.median(one / two for one, two in measured)
        print(f"{case[0]:<34}{mine:>7.2f} s{other:>7.2f} s{ratio:>8.2f}")

    mine = statistics.median(cpu(lambda: day(CASES[0])) for _ in range(PAIRS))
    print(f"\n{'the first case the plain way':<34}{'played':>9}{'scaled':>9}{'times tuning':>14}")
    for name, plain, seconds in (
        ("every record", by_record, RECORDS_S),
        ("every batch", by_batch, BATCHES_S),
    ):
        expected = simulate(Load((Stretch(seconds, RATE * seconds),)), HANDLER, PLAIN).invocations
        if (counted := plain(seconds)) != expected:
            sys.exit(f"\n{name}: {counted} invocations, not {expected}")
        took = statistics.median(cpu(lambda p=plain, s=seconds: p(s)) for _ in range(PAIRS))
        scaled = took * DAY_S / seconds
        print(f"{name:<34}{seconds:>7} s{scaled:>7.1f} s{scaled / mine:>14.0f}")


if __name__ == "__main__":
    main()
