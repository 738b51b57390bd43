"""Lab 3's scenarios: incidents that the alarms watch, and what `labs run 3` tells of them.

Some incidents are data files (`incidents/*.json`), some come out of the learner's own system: its
handler and its mapping are played, so that their settings shape what the alarms see. Scenarios
judge nothing; they only stop when there is nothing to play.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from grader.cloud.aws import Refused
from grader.cloud.clock import START_MS, Clock
from grader.cloud.cloudwatch import drawing
from grader.cloud.cloudwatch.dashboards import Signal
from grader.cloud.metrics import Metrics
from grader.course.labs.lab03.batches import UNITS, measured_batches
from grader.course.labs.lab03.board import existing_metrics, rows
from grader.course.play.paging import (
    FUNCTION,
    MAPPING,
    NAMESPACE,
    PAGED_WITHIN_MIN,
    SERVICE,
    in_minutes,
    incident,
    open_shop,
    ordinary,
    recorded,
    told,
    watch,
)
from grader.course.play.recording import of_incident
from grader.course.play.stops import ResourceRefused
from grader.course.play.traffic import ORDERS, SYSTEM, TOTALS, Blip, Shop
from grader.replay import incidents
from grader.replay.incidents import MINUTE_MS, Incident

if TYPE_CHECKING:
    from grader.course.stage import Stage

PAGE = "modules/03-monitoring"

# The README's promise to the merchants.
PROMISED_MS = 5 * MINUTE_MS


# -- recorded incidents ---------------------------------------------------------------------------


def _own_metrics(stage: Stage) -> set[tuple[str, str]]:
    """The README's metrics, with their units, that the handler was seen to publish rightly."""
    seen = stage.play(measured_batches)
    return {
        (key.name, key.unit)
        for name in UNITS
        for key in seen.series(name)
        if key.dimensions == SERVICE
    }


def _recorded(stage: Stage, name: str) -> Incident:
    stage.require_interface(SYSTEM)
    return recorded(stage, name, _own_metrics(stage))


def one_slow_shard(stage: Stage) -> Incident:
    """Recorded: one shard of four falls behind."""
    return _recorded(stage, "one-slow-shard")


def throttled_function(stage: Stage) -> Incident:
    """Recorded: the function is not let run."""
    return _recorded(stage, "throttled-function")


def burst(stage: Stage) -> Incident:
    """Recorded: a burst that drains inside the objective."""
    return _recorded(stage, "burst")


def quiet_day(stage: Stage) -> Incident:
    """Recorded: an idle night, then a day with gaps."""
    return _recorded(stage, "quiet-day")


def idle_night(stage: Stage) -> Incident:
    """The night of the quiet day."""
    whole = stage.play(quiet_day)
    minute = whole.start_ms + 650 * MINUTE_MS
    return replace(
        whole,
        name="idle-night",
        title="An idle night",
        story="Nobody orders anything from nine in the evening to seven in the morning.",
        to_ms=minute,
    )


def healthy_day(stage: Stage) -> Incident:
    """The day after it."""
    whole = stage.play(quiet_day)
    return replace(
        whole,
        name="healthy-day",
        title="A quiet day",
        story="An order comes every now and then, with up to three quarters of an hour in between. "
        "At eleven an import of 900 orders makes one invocation take 52 seconds.",
        from_ms=whole.start_ms + 690 * MINUTE_MS,
    )


# -- generated incidents --------------------------------------------------------------------------


# Healthy minutes before an incident: played with the handler, and with a scripted function.
PLAYED_LEAD_IN_MIN, LEAD_IN_MIN = 24, 40


def _open(stage: Stage, play: str, *, idle_hours: int = 0) -> Shop:
    """A system that has been running for a while, after hours in which nobody did anything."""
    shop = open_shop(stage, play)
    shop.pipeline.run_for(minutes=5, hours=idle_hours)
    ordinary(shop, PLAYED_LEAD_IN_MIN)
    stage.require_start(shop.pipeline.invocations(FUNCTION))
    return shop


def blip_and_silence(stage: Stage) -> tuple[Incident, Incident]:
    """A deployment kills two invocations; two hours later the mapping stops to poll.

    The queue of failed records is empty and nobody has looked into it for hours: it is silent.
    """
    shop = _open(stage, "blip and silence", idle_hours=7)
    pipeline = shop.pipeline
    changed = pipeline.clock.now
    pipeline.functions[FUNCTION].faults = Blip("before")
    for order in (1, 2):
        shop.put("globex", f"blip-{order}")
        pipeline.run_for(seconds=25)
    pipeline.run_for(seconds=10)
    pipeline.functions[FUNCTION].faults = None
    ordinary(shop, 40)
    pipeline.flush()
    blip = incident(
        shop,
        "deploy-blip",
        "A deployment",
        "New code is deployed. Two invocations die within a minute, their retries succeed.",
        changed_ms=changed,
        wrong=False,
    )
    changed = pipeline.clock.now
    pipeline.mapping(MAPPING).disable()
    ordinary(shop, 35)
    pipeline.flush()
    silence = incident(
        shop,
        "silent-mapping",
        "The mapping goes silent",
        "Somebody disables the mapping during maintenance and forgets it. Orders are written, "
        "nothing is read, and nothing fails.",
        changed_ms=changed,
        # A mapping polls until it is Disabled, a minute after it was told.
        began_ms=changed + MINUTE_MS,
    )
    return blip, silence


def deploy_blip(stage: Stage) -> Incident:
    """Generated: two failures within a minute whose retries succeed."""
    return stage.play(blip_and_silence)[0]


def silent_mapping(stage: Stage) -> Incident:
    """Generated: the mapping polls no more."""
    return stage.play(blip_and_silence)[1]


def bad_order(stage: Stage) -> Incident:
    """Generated: one bad order among good ones."""
    shop = _open(stage, "bad order")
    changed = shop.pipeline.clock.now
    shop.put_bad("globex", "bad-1", "12,50")
    ordinary(shop, 17)
    shop.pipeline.flush()
    return incident(
        shop,
        "bad-order",
        "One bad order",
        "An order with the amount '12,50' comes. After its retries Lambda gives it up.",
        changed_ms=changed,
    )


def throttled_table(stage: Stage) -> Incident:
    """Generated: the totals table takes no writes."""
    shop = _open(stage, "throttled table")
    changed = shop.pipeline.clock.now
    shop.pipeline.throttle(TOTALS, minutes=30)
    ordinary(shop, 17, every=2)
    shop.pipeline.flush()
    return incident(
        shop,
        "throttled-table",
        "The totals table is throttled",
        "Something else uses up the throughput of the totals table. Every write is refused for "
        "half an hour, and orders go on coming.",
        changed_ms=changed,
    )


def _rehearsed(
    stage: Stage,
    *,
    until_ms: int,
    order_times: Iterable[int],
    takes: Callable[[int, int], int],
    fails: Callable[[Any, int], bool],
) -> Metrics:
    """What the learner's mapping publishes when it feeds a scripted function.

    Its own metrics are published as the learner's handler was seen to do.
    """
    from grader.cloud.mapping import Settings, Stream

    stage.require_interface(SYSTEM)
    stack = stage.stack
    properties = stack.resources[MAPPING].properties
    given = stack.resources[FUNCTION].properties
    own = _own_metrics(stage)
    metrics = Metrics()
    clock = Clock(START_MS)

    def ended(time_ms: int, records: int, failed: int) -> None:
        told = {"RecordsProcessed": records - failed, "RecordsFailed": failed}
        for name, value in told.items():
            if (name, UNITS[name]) in own:
                metrics.put(NAMESPACE, name, value, time_ms, unit=UNITS[name], dims=SERVICE)

    stream = Stream(
        table=stack.resources[ORDERS].physical_id,
        keys=("merchant", "id"),
        created_ms=START_MS,
        region=stack.region,
        account_id=stack.account_id,
        seed=stage.seed,
    )
    try:
        settings = Settings.parse({**properties, "EventSourceArn": stream.arn})
        function = incidents.Scripted(
            stack.resources[FUNCTION].physical_id,
            clock,
            takes,
            fails,
            settings.report_failures,
            ended,
            timeout_ms=int(given.get("Timeout", 3)) * 1000,
            account_id=stack.account_id,
            region=stack.region,
        )
        writes = ((time_ms, _item(number)) for number, time_ms in enumerate(order_times))
        uuid = stack.resources[MAPPING].physical_id
        incidents.rehearse(
            properties, function, stream, metrics, writes, uuid=uuid, until_ms=until_ms
        )
    except Refused as refusal:
        raise ResourceRefused("mapping", MAPPING, refusal) from refusal
    if ("Lag", UNITS["Lag"]) in own:
        # A record is as old when its batch is done as it was when the batch was handed over, and
        # as long as the batch takes.
        for datum in metrics.find("AWS/Lambda", "IteratorAge"):
            lag = datum.value + takes(datum.time_ms, 1)
            metrics.put(
                *(NAMESPACE, "Lag", lag, datum.time_ms),
                unit=UNITS["Lag"],
                dims=SERVICE,
                arrived_ms=datum.arrived_ms,
            )
    return metrics


def _item(number: int) -> dict[str, Any]:
    return {
        "merchant": {"S": f"merchant-{number % 40}"},
        "id": {"S": f"order#o-{number}"},
        "kind": {"S": "order"},
        "amount": {"N": "1250"},
        "status": {"S": "placed"},
    }


def partial_failures(stage: Stage) -> Incident:
    """Generated: the learner's mapping with a function that reports some records as failed."""
    began = START_MS + LEAD_IN_MIN * MINUTE_MS
    until = began + 30 * MINUTE_MS
    unsteady_from = began // 20_000 * 20_000

    def fails(record: Any, attempt: int) -> bool:
        """Every third order fails once: its number is in its key."""
        number = int(record["dynamodb"]["Keys"]["id"]["S"].rpartition("-")[2])
        written = START_MS + number * 20_000
        return attempt == 1 and number % 3 == 0 and written >= unsteady_from

    metrics = _rehearsed(
        stage,
        until_ms=until,
        order_times=range(START_MS + 7_130, until, 20_000),
        takes=lambda _time, _records: 300,
        fails=fails,
    )
    return Incident(
        name="partial-failures",
        title="Failures that Errors does not show",
        story="A dependency is unsteady: every third order is reported as failed at its first "
        "attempt and succeeds at the second. Errors stays 0, nothing is given up.",
        metrics=metrics,
        start_ms=START_MS,
        from_ms=began - 10 * MINUTE_MS,
        to_ms=until,
        began_ms=began,
        page_by_ms=began + PAGED_WITHIN_MIN * MINUTE_MS,
    )


def slow_downstream(stage: Stage) -> Incident:
    """Generated: every batch takes 50 seconds, and orders come faster than that.

    Whether the totals fall behind depends on the learner's mapping: with large batches or several
    lanes they may not, and then nobody has to be paged.
    """
    began = START_MS + LEAD_IN_MIN * MINUTE_MS
    rush_over = began + 15 * MINUTE_MS
    until = began + 30 * MINUTE_MS
    metrics = _rehearsed(
        stage,
        until_ms=until,
        order_times=[*range(START_MS + 7_130, began, 20_000), *range(began + 130, rush_over, 250)],
        takes=lambda time_ms, _records: 50_000 if time_ms >= began else 300,
        fails=lambda _record, _attempt: False,
    )
    ages = metrics.find("AWS/Lambda", "IteratorAge")
    late = next((datum.time_ms for datum in ages if datum.value > PROMISED_MS), None)
    page_by = None if late is None else late + PAGED_WITHIN_MIN * MINUTE_MS
    return Incident(
        name="slow-downstream",
        title="A service downstream becomes slow",
        story="Every batch takes 50 seconds, however small it is, and for a quarter of an hour "
        "four orders come a second. Nothing fails.",
        metrics=metrics,
        start_ms=START_MS,
        from_ms=began - 10 * MINUTE_MS,
        to_ms=until,
        began_ms=None if late is None else began,
        page_by_ms=page_by,
    )


# What must page, in the order in which `labs run 3` tells it, and what must not.
PAGING: tuple[Callable[[Stage], Incident], ...] = (
    bad_order,
    slow_downstream,
    one_slow_shard,
    throttled_function,
    throttled_table,
    silent_mapping,
    partial_failures,
)
SLEEPING: tuple[Callable[[Stage], Incident], ...] = (burst, deploy_blip, idle_night, healthy_day)


# -- timelines for `labs run 3` -------------------------------------------------------------------


def incidents_told(stage: Stage) -> Iterator[str]:
    """Every incident with the alarms' data and states."""
    watching = stage.play(watch)
    yield "Each line of blocks is what one alarm sees; under it the alarm's state:"
    yield "- OK, ! ALARM, ? INSUFFICIENT_DATA. ^ is the beginning of the incident,"
    yield "| the latest moment at which a person had to be paged."
    for scenario in (*PAGING, *SLEEPING):
        incident = stage.play(scenario)
        seen = watching.replay(incident)
        stage.show(partial(of_incident, watching, seen))
        yield ""
        length = in_minutes(incident.to_ms - incident.from_ms)
        yield f"== {incident.title} ({incident.name}, {length})"
        yield from _wrapped(incident.story)
        label = watching.label
        for line in incidents.picture(seen, watching.alarms, label=label, plain=stage.plain):
            yield f"  {line}".rstrip()
        yield told(seen, label)


def _wrapped(text: str) -> list[str]:
    from textwrap import wrap

    return wrap(text, 78)


def dashboard_told(stage: Stage) -> Iterator[str]:
    """The stack's dashboards, drawn."""
    boards = stage.stack.of_type("AWS::CloudWatch::Dashboard")
    if not boards:
        yield "The template has no dashboard."
    for board in boards:
        yield f"== {board.logical_id}"
        yield from drawing.draw(str(board.properties["DashboardBody"]), 78)
    known = existing_metrics(stage)
    for row in rows(stage):
        if isinstance(row.source, Signal) and not any(row.shows(metric) for metric in known):
            yield f"An empty graph: nobody publishes this {row.source.namespace} {row.source.name}."


TIMELINES = {"incidents": incidents_told, "dashboard": dashboard_told}
