"""What a person on call would have in front of them: the evidence of lab 4's five tickets.

Each ticket is a play of one stack; what is shown is read off that play and nothing else: the
mapping as GetEventSourceMapping returns it, metrics as CloudWatch sums them, log lines as Lambda
wrote them, the queue, the alarms' history. Lines have at most 80 columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from grader.cloud.cloudwatch import MetricAlarm
from grader.cloud.metrics import Dimensions, Metrics, dimensions
from grader.course.labs.lab04.scenarios import (
    REVIEW,
    REVIEW_MAPPING,
    an_import,
    bad_order_for_an_hour,
    large_orders,
    outage,
    stuck_incident,
    timed_out,
)
from grader.course.play.paging import FUNCTION, MAPPING, watch
from grader.course.play.recording import of_incident
from grader.replay.incidents import MINUTE_MS

if TYPE_CHECKING:
    from grader.cloud import Pipeline
    from grader.cloud.function import Invocation, LogLine
    from grader.course.stage import Stage

WIDTH = 80

# GetEventSourceMapping's members, in the order in which somebody on call reads them.
MEMBERS = (
    *("State", "StateTransitionReason", "LastProcessingResult", "StartingPosition", "BatchSize"),
    *("MaximumBatchingWindowInSeconds", "ParallelizationFactor", "FunctionResponseTypes"),
    *("BisectBatchOnFunctionError", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds"),
    *("DestinationConfig", "FilterCriteria"),
)
OF_ALARM = (
    *("Namespace", "MetricName", "Unit", "Statistic", "ExtendedStatistic", "Period"),
    *("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator"),
    "TreatMissingData",
)
SETTINGS = ("MemorySize", "Timeout", "ReservedConcurrentExecutions")

# The columns of a table of metrics: heading, name, statistic.
OF_MAPPING = (
    ("polled", "PolledEventCount"),
    ("filtered", "FilteredOutEventCount"),
    ("invoked", "InvokedEventCount"),
    ("failed", "FailedInvokeEventCount"),
    ("dropped", "DroppedEventCount"),
    ("noted", "OnFailureDestinationDeliveredEventCount"),
)
OF_FUNCTION = (
    ("invocations", "Invocations"),
    ("errors", "Errors"),
    ("throttles", "Throttles"),
    ("undelivered", "DestinationDeliveryFailures"),
)


# -- how it is written ----------------------------------------------------------------------------


def opening(stage: Stage) -> Iterator[str]:
    """What all tickets have in common."""
    yield from _text(
        "Your shift begins. Five tickets are open. Below each stands what there is to see of it: "
        "the mapping and the function as they are deployed, metrics, log lines, the queue. "
        '"-" means that CloudWatch has no data points at all, which is not 0. Times are UTC.'
    )
    yield from _text(
        "All of it was played with the stack as it was shipped, whatever your files say now. "
        "labs run 4 mine plays the same with your files."
    )


def _text(text: str, indent: str = "") -> Iterator[str]:
    yield from wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=True,
        break_on_hyphens=False,
    )


def _ticket(name: str, complaint: str) -> Iterator[str]:
    yield f"== Ticket {name} ".ljust(WIDTH, "=")
    yield from _text(complaint)


def _section(title: str) -> Iterator[str]:
    yield ""
    yield f"-- {title}"


def _clock(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%H:%M:%S}"


def _pairs(pairs: Sequence[tuple[str, Any]]) -> Iterator[str]:
    width = max(len(name) for name, _ in pairs) + 2
    for name, value in pairs:
        text = value if isinstance(value, str) else json.dumps(value)
        first, *others = wrap(
            text, WIDTH - width - 2, break_long_words=True, break_on_hyphens=False
        ) or [""]
        yield f"  {name:<{width}}{first}".rstrip()
        yield from (f"  {'':<{width}}{line}" for line in others)


def _deployed(stage: Stage, pipeline: Pipeline, function: str, mapping: str) -> Iterator[str]:
    """Mapping and function as they are deployed; ids by their role in the template."""
    described = pipeline.mapping(mapping).describe()
    yield from _section(f"{mapping}, as deployed (get-event-source-mapping)")
    yield from _pairs(
        [(name, _named(stage, described[name])) for name in MEMBERS if name in described]
    )
    yield from _section(f"{function}, as deployed (get-function-configuration)")
    given = stage.stack.resources[function].properties
    limits = {"MemorySize": 128, "Timeout": 3, **given}
    yield from _pairs([(name, limits[name]) for name in SETTINGS if name in limits])


def _named(stage: Stage, value: Any) -> Any:
    """A value with the ARNs of the stack's resources replaced by their logical ids."""
    if isinstance(value, str) and value.startswith("arn:"):
        resource = stage.stack.by_arn(value)
        return f"(the ARN of {resource.logical_id})" if resource else value
    if isinstance(value, dict):
        return {name: _named(stage, inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_named(stage, inner) for inner in value]
    return value


# -- metrics --------------------------------------------------------------------------------------


def figure(
    metrics: Metrics,
    namespace: str,
    name: str,
    dims: Dimensions,
    from_ms: int,
    to_ms: int,
    *,
    highest: bool = False,
) -> float | None:
    """The sum, or the highest value, of a metric in a span of time; None without data."""
    found = [
        datum
        for key in metrics
        if (key.namespace, key.name, key.dimensions) == (namespace, name, dims)
        for datum in metrics.data(key)
        if from_ms <= datum.time_ms < to_ms
    ]
    if not found:
        return None
    if highest:
        return max(datum.value for datum in found)
    return sum(datum.value * datum.count for datum in found)


def _metrics(
    stage: Stage,
    pipeline: Pipeline,
    function: str,
    mapping: str,
    *,
    from_ms: int,
    to_ms: int,
    every_min: int,
) -> Iterator[str]:
    """Sums over equal spans of minutes, of the mapping's and of the function's metrics."""
    of_mapping = dimensions(EventSourceMappingUUID=stage.stack.resources[mapping].physical_id)
    of_function = dimensions(FunctionName=stage.stack.resources[function].physical_id)
    step = every_min * MINUTE_MS
    first = from_ms - from_ms % step
    spans = list(range(first, to_ms, step))

    def cell(name: str, dims: Dimensions, start: int, *, highest: bool = False) -> str:
        value = figure(
            pipeline.metrics, "AWS/Lambda", name, dims, start, start + step, highest=highest
        )
        return "-" if value is None else f"{value:.0f}"

    yield from _section(f"{mapping}: records in each {_span(every_min)} (sums, EventCount)")
    yield from _table(
        ["from", *(heading for heading, _ in OF_MAPPING)],
        [
            [_clock(start)[:5], *(cell(n, of_mapping, start) for _, n in OF_MAPPING)]
            for start in spans
        ],
    )
    yield from _section(
        f"{function}: each {_span(every_min)} (sums; age and duration: maximum, ms)"
    )
    rows = []
    for start in spans:
        rows.append(
            [
                _clock(start)[:5],
                *(cell(name, of_function, start) for _, name in OF_FUNCTION),
                cell("IteratorAge", of_function, start, highest=True),
                cell("Duration", of_function, start, highest=True),
            ]
        )
    headings = ["from", *(heading for heading, _ in OF_FUNCTION), "IteratorAge", "Duration"]
    yield from _table(headings, rows)


def _span(minutes: int) -> str:
    return "minute" if minutes == 1 else f"{minutes} minutes"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[n]) for row in [headings, *rows]) for n in range(len(headings))]
    for row in [headings, *rows]:
        cells = [f"{text:>{width}}" for text, width in zip(row, widths, strict=True)]
        yield "  " + "  ".join(cells)


# -- logs -----------------------------------------------------------------------------------------

# Of one invocation so many lines are shown, the others are counted.
LINES = 8


def _log(
    function: str, invocations: Sequence[Invocation], shown: Sequence[Invocation]
) -> Iterator[str]:
    yield from _section(f"The log of {function}")
    if not invocations:
        yield "  (no log stream: the function has never run)"
    last = 0
    for one in shown:
        _skipped = one.number - last - 1
        if _skipped > 0:
            yield f"  … {_skipped} invocations not shown …"
        last = one.number
        yield from _lines(one.logs)
    rest = len(invocations) - last
    if invocations and rest > 0:
        yield f"  … {rest} invocations not shown …"


def _lines(lines: Sequence[LogLine]) -> Iterator[str]:
    kept = list(lines) if len(lines) <= LINES else [*lines[: LINES - 4], None, *lines[-4:]]
    for line in kept:
        if line is None:
            yield f"  … {len(lines) - LINES} lines not shown …"
            continue
        text = line.text.replace("\t", "  ").rstrip("\n")
        first, *others = [
            piece
            for part in text.split("\n")
            for piece in (wrap(part, WIDTH - 11, break_on_hyphens=False) or [""])
        ]
        yield f"  {_clock(line.time_ms)} {first}"
        yield from (f"           {other}" for other in others)


# -- queues and buckets ---------------------------------------------------------------------------


def _queues(stage: Stage, pipeline: Pipeline) -> Iterator[str]:
    for queue in stage.stack.of_type("AWS::SQS::Queue"):
        messages = pipeline.account.messages(queue.attributes["Arn"])
        yield from _section(f"{queue.logical_id}: {len(messages)} messages")
        for message in messages[:2]:
            yield from _text(message.body, "  ")
        if len(messages) > 2:
            yield f"  … {len(messages) - 2} more …"
    for bucket in stage.stack.of_type("AWS::S3::Bucket"):
        objects = pipeline.account.objects(bucket.physical_id)
        yield from _section(f"{bucket.logical_id}: {len(objects)} objects")
        for key in sorted(objects)[:2]:
            yield from _text(key, "  ")
        if len(objects) > 2:
            yield f"  … {len(objects) - 2} more …"


# -- the tickets ----------------------------------------------------------------------------------


def _large_orders(stage: Stage) -> Iterator[str]:
    seen = stage.play(large_orders)
    pipeline = seen.shop.pipeline
    yield from _ticket(
        "large-orders",
        f"From accounting: {len(seen.expected)} orders of 500.00 and more came in within ten "
        f"minutes. {len([k for k in seen.noted if k in seen.expected])} of them are in the table "
        "LargeOrders.",
    )
    yield from _deployed(stage, pipeline, REVIEW, REVIEW_MAPPING)
    yield from _metrics(
        stage,
        pipeline,
        REVIEW,
        REVIEW_MAPPING,
        from_ms=pipeline.start_ms,
        to_ms=pipeline.clock.now,
        every_min=5,
    )
    invocations = pipeline.invocations(REVIEW)
    yield from _log(REVIEW, invocations, invocations[:2])
    yield from _queues(stage, pipeline)


def _import(stage: Stage) -> Iterator[str]:
    seen = stage.play(an_import)
    pipeline = seen.shop.pipeline
    yield from _ticket(
        "import",
        f"From a partner: at {_clock(seen.began_ms)} we imported 120 orders of 8 merchants. "
        f"{(pipeline.clock.now - seen.began_ms) // MINUTE_MS} minutes later the totals of "
        f"{len(seen.uncounted)} merchants are not what they should be.",
    )
    yield from _deployed(stage, pipeline, FUNCTION, MAPPING)
    yield from _metrics(
        stage,
        pipeline,
        FUNCTION,
        MAPPING,
        from_ms=pipeline.start_ms + 5 * MINUTE_MS,
        to_ms=pipeline.clock.now,
        every_min=1,
    )
    invocations = pipeline.invocations(FUNCTION)
    before = [one for one in invocations if one.start_ms < seen.began_ms]
    since = [one for one in invocations if one.start_ms >= seen.began_ms]
    yield from _log(FUNCTION, invocations, [*before[-2:], *since[:2]])
    yield from _handed_over(since)
    yield from _queues(stage, pipeline)


def _stuck(stage: Stage) -> Iterator[str]:
    seen = stage.play(bad_order_for_an_hour)
    pipeline = seen.shop.pipeline
    merchants = sorted({merchant for merchant, _ in seen.shop.orders})
    wrong = [name for name in merchants if seen.shop.stored(name) != seen.shop.truth(name)]
    since_when, until = _clock(seen.bad_ms)[:5], _clock(pipeline.clock.now)[:5]
    yield from _ticket(
        "stuck",
        f"From support: since about {since_when} merchants complain. At {until} the totals of "
        f"{len(wrong)} of {len(merchants)} merchants are behind their orders."
        if wrong
        else f"From support: nothing. At {until} the totals of all {len(merchants)} merchants "
        "are what their orders say.",
    )
    yield from _deployed(stage, pipeline, FUNCTION, MAPPING)
    yield from _metrics(
        stage,
        pipeline,
        FUNCTION,
        MAPPING,
        from_ms=seen.bad_ms - 15 * MINUTE_MS,
        to_ms=pipeline.clock.now,
        every_min=10,
    )
    invocations = pipeline.invocations(FUNCTION)
    since = [one for one in invocations if one.start_ms >= seen.bad_ms]
    yield from _log(FUNCTION, invocations, [*since[:2], *since[2:][-1:]])
    yield from _handed_over(since)
    yield from _queues(stage, pipeline)


def _handed_over(invocations: Sequence[Invocation]) -> Iterator[str]:
    """With what the first few and the last few of these invocations began, and how they ended."""
    yield from _section(f"What these {len(invocations)} invocations were handed")
    chosen = [*invocations[:4], *invocations[4:][-2:]]
    rows = [
        [
            _clock(one.start_ms),
            str(len(one.sequences)),
            str(one.sequences[0]),
            _ending(one),
        ]
        for one in chosen
    ]
    yield from _table(["at", "records", "first sequence number", "ended with"], rows)


def _ending(invocation: Invocation) -> str:
    result = invocation.result
    if result is None:
        return "(still running)"
    if result.kind == "returned":
        return "an answer"
    return "the time limit" if timed_out(invocation) else str(result.error_type)


def _lost(stage: Stage) -> Iterator[str]:
    seen = stage.play(outage)
    pipeline = seen.shop.pipeline
    yield from _ticket(
        "lost",
        f"From a merchant: {len(seen.placed)} orders were placed between "
        f"{_clock(seen.began_ms)} and {_clock(seen.over_ms)}. A quarter of an hour later "
        f"{len(seen.vanished)} of them are in no total and nowhere else.",
    )
    yield from _deployed(stage, pipeline, FUNCTION, MAPPING)
    yield from _metrics(
        stage,
        pipeline,
        FUNCTION,
        MAPPING,
        from_ms=seen.began_ms - 2 * MINUTE_MS,
        to_ms=seen.over_ms + 2 * MINUTE_MS,
        every_min=1,
    )
    first, last = (
        figure(
            pipeline.metrics,
            "Shop/Totals",
            name,
            dimensions(Service="totals"),
            seen.began_ms,
            seen.over_ms,
        )
        for name in ("RecordsProcessed", "RecordsFailed")
    )
    throttled = figure(
        pipeline.metrics,
        "AWS/DynamoDB",
        "WriteThrottleEvents",
        dimensions(TableName=pipeline.table("MerchantTotals")),
        seen.began_ms,
        seen.over_ms,
    )
    yield from _section(f"Other sums from {_clock(seen.began_ms)} to {_clock(seen.over_ms)}")
    yield from _pairs(
        [
            ("Shop/Totals RecordsProcessed", _shown(first)),
            ("Shop/Totals RecordsFailed", _shown(last)),
            ("MerchantTotals WriteThrottleEvents", _shown(throttled)),
        ]
    )
    invocations = pipeline.invocations(FUNCTION)
    during = [one for one in invocations if seen.began_ms <= one.start_ms < seen.over_ms]
    yield from _log(FUNCTION, invocations, during[:2])
    yield from _queues(stage, pipeline)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _pager(stage: Stage) -> Iterator[str]:
    watching = stage.play(watch)
    incident = stage.play(stuck_incident)
    seen = watching.replay(incident)
    stage.show(partial(of_incident, watching, seen))
    yield from _ticket(
        "pager",
        "From your boss: in the hour of ticket stuck "
        + ("nobody was paged. Why not?" if not seen.heard else "somebody was paged. Good."),
    )
    by_name = {alarm.name: alarm for alarm in watching.alarms}
    began = incident.began_ms or incident.from_ms
    changes = [change for change in seen.transitions if change.time_ms >= began]
    for name in dict.fromkeys(change.alarm for change in changes if change.new == "ALARM"):
        alarm = by_name[name]
        yield from _section(f"{watching.label(name)}, as deployed (describe-alarms)")
        pairs: list[tuple[str, Any]] = []
        if isinstance(alarm, MetricAlarm):
            given = stage.stack.resources[watching.label(name)].properties
            pairs += [(member, given[member]) for member in OF_ALARM if member in given]
            pairs.append(("Dimensions", _dimensions(stage, given.get("Dimensions", []))))
        pairs.append(("ActionsEnabled", alarm.actions_enabled))
        pairs.append(
            ("AlarmActions", [str(_named(stage, arn)) for arn in alarm.actions.get("ALARM", ())])
        )
        yield from _pairs(pairs)
    yield from _section(f"History since {_clock(began)} (describe-alarm-history)")
    if not changes:
        yield "  (no alarm changed its state)"
    for change in changes:
        label = watching.label(change.alarm)
        yield f"  {_clock(change.time_ms)} {label}: {change.old} to {change.new}"
        yield from _text(change.reason, "           ")
        yield from _actions(stage, watching, by_name[change.alarm], change)
    yield from _topics(stage, watching, seen)


def _dimensions(stage: Stage, given: Sequence[dict[str, Any]]) -> str:
    """An alarm's dimensions; a value that is a name of the stack's by its logical id."""
    names = {one.physical_id: one.logical_id for one in stage.stack.resources.values()}
    names |= {
        str(one.attributes["QueueName"]): one.logical_id
        for one in stage.stack.of_type("AWS::SQS::Queue")
    }

    def shown(value: str) -> str:
        return f"(the name of {names[value]})" if value in names else value

    return ", ".join(f"{one['Name']} = {shown(str(one['Value']))}" for one in given)


def _actions(stage: Stage, watching: Any, alarm: Any, change: Any) -> Iterator[str]:
    """What the history says about the actions of one change of state."""
    if not alarm.actions_enabled:
        return
    open_topics = {one.topic for one in watching.subscriptions}
    for arn in alarm.actions.get(change.new, ()):
        name = str(_named(stage, arn))
        topic = stage.stack.by_arn(arn)
        label = topic.logical_id if topic else arn
        if arn in open_topics or not _refuses(watching, stage, label):
            yield from _text(f"Successfully executed action {name}", "           ")
            continue
        # The sentence is AWS's: https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger
        yield from _text(
            f'Failed to execute action {name}. Received error: "Resource: (the ARN of '
            f"{watching.label(alarm.name)}) is not authorized to perform: SNS:Publish on "
            f'resource: {name}"',
            "           ",
        )


def _refuses(watching: Any, stage: Stage, topic: str) -> bool:
    """Whether a topic's policy, or its key, keeps alarms out."""
    arn = stage.stack.resources[topic].physical_id
    shut = ("PolicyDocument",), ("KmsMasterKeyId",)
    return any(one.topic == arn and one.path in shut for one in watching.deaf)


def _topics(stage: Stage, watching: Any, seen: Any) -> Iterator[str]:
    """The topics, their policies, who is subscribed, and what has been published."""
    for topic in stage.stack.of_type("AWS::SNS::Topic"):
        label = topic.logical_id
        yield from _section(f"{label} (get-topic-attributes, list-subscriptions-by-topic)")
        for policy in stage.stack.of_type("AWS::SNS::TopicPolicy"):
            if topic.physical_id in policy.properties["Topics"]:
                document = json.dumps(_named(stage, policy.properties["PolicyDocument"]))
                yield from _pairs([("Policy", document)])
        inside = topic.properties.get("Subscription", [])
        beside = [
            one.properties
            for one in stage.stack.of_type("AWS::SNS::Subscription")
            if one.properties["TopicArn"] == topic.physical_id
        ]
        for one in [*inside, *beside]:
            end = f"{one['Protocol']} {one.get('Endpoint', '')}"
            yield from _pairs([("Subscription", f"{end}, Confirmed")])
        published = len(seen.heard) if not _refuses(watching, stage, label) else 0
        yield from _pairs([("NumberOfMessagesPublished", str(published) if published else "-")])


TICKETS: dict[str, Callable[[Stage], Iterator[str]]] = {
    "large-orders": _large_orders,
    "import": _import,
    "stuck": _stuck,
    "lost": _lost,
    "pager": _pager,
}


# -- timelines for `labs run 4` -------------------------------------------------------------------


def _shift(tickets: Iterable[str]) -> Callable[[Stage], Iterator[str]]:
    """Tells these tickets with the evidence of the stack as shipped, whatever the files say."""

    def told(stage: Stage) -> Iterator[str]:
        with stage.as_shipped() as shipped:
            yield from opening(shipped)
            yield from _tickets(shipped, tickets)

    return told


def _tickets(stage: Stage, tickets: Iterable[str]) -> Iterator[str]:
    for ticket in tickets:
        yield ""
        yield from TICKETS[ticket](stage)


def mine(stage: Stage) -> Iterator[str]:
    """The same plays with the learner's own files."""
    yield "The same traffic and troubles, played with your files."
    yield from _tickets(stage, TICKETS)


TIMELINES = {"shift": _shift(TICKETS), **{name: _shift([name]) for name in TICKETS}, "mine": mine}
