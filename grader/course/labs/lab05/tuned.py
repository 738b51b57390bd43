"""Lab 5's four workloads at the learner's points: the plays, and what they come to in words."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from grader.cloud.metrics import MINUTE_MS, Metrics
from grader.cloud.words import counted
from grader.course.grade import Finding
from grader.course.labs.lab05 import tuning_file
from grader.course.labs.lab05.workloads import WORKLOADS, Judged, judged
from grader.replay import incidents
from grader.replay.scene import Figure, Scene
from grader.review.pricing import dollars, lambda_compute

if TYPE_CHECKING:
    from grader.course.stage import Stage

PAGE = "modules/05-cost"
_RESERVED = "ReservedConcurrentExecutions"


def _at(stage: Stage, name: str) -> Judged:
    point = judged(WORKLOADS[name], tuning_file.choice(stage, name))
    stage.show(partial(shown, point))
    return point


def low(stage: Stage) -> Judged:
    """The workload low with the learner's settings."""
    return _at(stage, "low")


def medium(stage: Stage) -> Judged:
    """The workload medium with the learner's settings."""
    return _at(stage, "medium")


def high(stage: Stage) -> Judged:
    """The workload high with the learner's settings."""
    return _at(stage, "high")


def real_time(stage: Stage) -> Judged:
    """The workload real-time with the learner's settings."""
    return _at(stage, "real-time")


PLAYS = {"low": low, "medium": medium, "high": high, "real-time": real_time}


def lag_line(point: Judged, columns: int, *, plain: bool) -> str:
    """The lag over the hour with the burst as a line of blocks, with its scale.

    One block stands for some minutes and shows the longest lag of them.
    """
    minutes = [None if one is None else one / 1000 for one in _lags(point)]
    values = [
        max(
            (
                one
                for one in minutes[len(minutes) * n // columns : len(minutes) * (n + 1) // columns]
                if one is not None
            ),
            default=None,
        )
        for n in range(columns)
    ]
    top = max((one for one in values if one is not None), default=0)
    # A gap is a time in which nothing was finished.
    blocks = incidents.sparkline(values, plain=plain).replace(" ", "~")
    return f"{blocks} 0 to {seconds(top)}"


def _lags(point: Judged) -> list[Any]:
    """The longest lag of each minute (ms) of the hour that holds the burst, None for a gap."""
    part = point.parts[-1]
    minutes: list[Any] = list(part.delay_ms)
    if part.oldest_ms:
        # What still waits at the end is as late as the latest.
        minutes[-1] = max(minutes[-1] or 0, part.oldest_ms)
    return minutes


def figures(point: Judged) -> list[Figure]:
    """A point's lag, throttles and cost beside their limits."""
    workload = point.workload
    rows = (
        ("lag", seconds(point.lag_ms / 1000), f"{workload.lag_s} s", point.late),
        ("throttles a day", f"{point.throttles:,}", f"{workload.throttles:,}", point.throttled),
        ("dollars a month", dollars(point.bill.total), dollars(workload.budget), point.dear),
    )
    return [Figure(name, value, limit, not broken) for name, value, limit, broken in rows]


def shown(point: Judged) -> Scene:
    """A point as a picture shows it: the lag over the hour that holds the burst."""
    metrics, lags = Metrics(), _lags(point)
    for minute, lag in enumerate(lags):
        if lag is not None:
            metrics.put("labs", "Lag", lag, minute * MINUTE_MS, unit="Milliseconds")
    return Scene(
        title=point.workload.name,
        kind="simulation",
        start_ms=0,
        end_ms=len(lags) * MINUTE_MS,
        story=settings_told(point),
        metrics=metrics,
        figures=figures(point),
    )


def seconds(value: float) -> str:
    """Seconds for people: 0.4 s, 12 s, 754 s."""
    return f"{value:.1f} s" if value < 10 else f"{value:,.0f} s"


def settings_told(point: Judged) -> str:
    """The learner's point in AWS's words."""
    chosen = point.choice
    told = (
        f"BatchSize {chosen.batch_size}, window {chosen.window_s} s, "
        f"ParallelizationFactor {chosen.parallelization}, {chosen.memory_mb} MB"
    )
    if chosen.concurrency is not None:
        told += f", {chosen.concurrency} reserved"
    return told


def wrong_point(stage: Stage, name: str, point: Judged) -> Finding:
    """What a learner reads about a point that misses a limit; the first one decides the line."""
    workload, chosen = point.workload, point.choice
    broken = [
        what
        for what, so in (
            ("lag", point.late),
            ("throttles", point.throttled),
            ("cost", point.dear),
        )
        if so
    ]
    if point.late:
        key, why = _late_because(point)
    elif point.throttled:
        key = "ParallelizationFactor" if chosen.concurrency is None else _RESERVED
        lanes = workload.shards * chosen.parallelization
        why = (
            f"{counted(workload.shards, 'shard')} with ParallelizationFactor "
            f"{chosen.parallelization} can use {lanes} executions at once; the function may have "
            f"{chosen.concurrency or workload.concurrency}. The rest is throttled and waits."
        )
    else:
        key, why = _dear_because(point)
    file = stage.play(tuning_file.read)
    picture = lag_line(point, 22, plain=True)
    return stage.finding(
        rule=f"The workload {name} meets its lag objective, its throttle limit and its budget.",
        input=f"{settings_told(point)}; the lag is drawn over the hour of the burst",
        expected=f"at most {workload.lag_s} s late, {workload.throttles:,} throttles a day, "
        f"{dollars(workload.budget)} a month",
        observed=f"{seconds(point.lag_ms / 1000)} late, {point.throttles:,} throttles a day, "
        f"{dollars(point.bill.total)} a month\n{picture}; too high: {', '.join(broken)}",
        why=why,
        where=stage.line(tuning_file.FILE, file.line_of(name, key)),
        page=f"{PAGE}#tuning",
    )


def _late_because(point: Judged) -> tuple[str, str]:
    """The setting to look at when records are late, and why."""
    workload, chosen = point.workload, point.choice
    longest = workload.handler.duration_ms(chosen.batch_size, chosen.memory_mb) / 1000
    if any(part.timeouts for part in point.parts):
        return "BatchSize", (
            f"A full batch takes {seconds(longest)}, more than the time-out of "
            f"{chosen.timeout_s} s: it fails each time, and nothing behind it is processed."
        )
    if point.throttled:
        return ("ParallelizationFactor" if chosen.concurrency is None else _RESERVED), (
            "Lanes that find no execution wait and try again, less and less often, while the "
            "backlog grows. More parallel than the concurrency allows is slower, not faster."
        )
    if chosen.window_s >= workload.lag_s:
        return "MaximumBatchingWindowInSeconds", (
            "A record may wait for the whole window before anybody works on it: the window is "
            "part of the lag, and the metric IteratorAge shows little of it."
        )
    lanes = workload.shards * chosen.parallelization
    rate = lanes * chosen.batch_size / longest
    if rate > workload.burst:
        return "MaximumBatchingWindowInSeconds", (
            f"A record waits for the window ({chosen.window_s} s) and for its batch: one of "
            f"{chosen.batch_size} records takes {seconds(longest)}. Both are part of the lag."
        )
    return "ParallelizationFactor", (
        f"A full batch of {chosen.batch_size} takes {seconds(longest)}. With "
        f"{lanes} batch{'es' if lanes > 1 else ''} at a time that is about {rate:,.0f} records a "
        f"second, and the burst brings {workload.burst:,}. What is left over waits."
    )


def _dear_because(point: Judged) -> tuple[str, str]:
    """The setting to look at when the month is too dear, and why."""
    dearest = point.bill.charged[0]
    if dearest.item == lambda_compute(point.choice.architecture):
        return "MemorySize", (
            "Memory is paid for while the handler waits, too: above what its own computing needs, "
            "more of it makes the bill larger and the work no quicker."
        )
    return "MaximumBatchingWindowInSeconds", (
        f"{point.invocations:,} invocations a day, each with its request, its fixed time and its "
        "log lines. A window and a larger batch make fewer of them, for some seconds of lag."
    )
