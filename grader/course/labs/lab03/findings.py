"""Lab 3's findings: what is said about a criterion that is not met, and where to look."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from grader.cloud.cloudwatch import MetricAlarm
from grader.cloud.cloudwatch.dashboards import Flaw, Signal
from grader.course.labs.lab03.batches import WAITED_MS, WORKED_MS, measured_batches
from grader.course.labs.lab03.board import OF_MAPPINGS, boards
from grader.course.labs.lab03.scenarios import PAGE
from grader.course.play.paging import (
    FUNCTION,
    MAPPING,
    NAMESPACE,
    PAGED_WITHIN_MIN,
    allowed_min,
    event_counts,
    meant,
    rang,
    why_unheard,
)
from grader.course.play.traffic import listed
from grader.course.unheard import alarm_line, dimensions_told, setting_line, unseen
from grader.replay import blame
from grader.replay.incidents import MINUTE_MS

if TYPE_CHECKING:
    from grader.cloud.metrics import Dimensions, SeriesKey
    from grader.cloud.template import Resource
    from grader.course.grade import Finding
    from grader.course.labs.lab03.batches import Batch, Measured
    from grader.course.labs.lab03.board import Answer, Metric, Row
    from grader.course.stage import Stage
    from grader.replay.incidents import Replay
    from grader.replay.watching import Watch

# -- task 1 ----------------------------------------------------------------------------------------

PUBLISHES = r"_aws|put_metric_data|add_metric|print\("


def named(key: SeriesKey) -> str:
    """A metric in words."""
    dims = ", ".join(f"{name}={value}" for name, value in key.dimensions) or "no dimensions"
    unit = "without a unit" if key.unit == "None" else f"in {key.unit}"
    return f"{key.name} {unit} with {dims}"


def defined(stage: Stage, name: str) -> str:
    """The line in which a metric gets its unit, or is named at all."""
    return _first_line(stage, rf"{name}.*Unit|Unit.*{name}", rf"{name}.*add_metric", name)


def counted(stage: Stage, name: str) -> str:
    """The line in which a metric gets its value, or is named at all."""
    return _first_line(stage, rf"[\"']{name}[\"']\]?\s*[:=]", rf"{name}.*Value|Value.*{name}", name)


def aged(stage: Stage, lag: float) -> str:
    """The line that makes a wrong lag: its value's, or where a record's time is taken."""
    if lag < WAITED_MS / 100:
        return counted(stage, "Lag")
    if abs(lag - WAITED_MS) < WORKED_MS / 2:
        return _first_line(stage, r"= *(time\.time|time\.time_ns|datetime\S*\.\w*now)\(")
    return _first_line(stage, r"ApproximateCreationDateTime", r"approximate_creation", "Lag")


def _first_line(stage: Stage, *patterns: str) -> str:
    found = [stage.handler_line(pattern) for pattern in patterns]
    return next((line for line in found if "no single line" not in line), found[-1])


def unpublished(stage: Stage, seen: Measured, batch: Batch, name: str) -> Finding:
    """A metric of which nothing arrived."""
    observed = f"no {name} arrived in {NAMESPACE}"
    others = sorted({named(key) for key in batch.published})
    if others:
        observed += f"; what arrived: {listed(others)}"
    elif batch.invocation.result is not None and batch.invocation.result.kind == "error":
        from grader.course.play.stops import error_text

        observed += f"; the invocation ended with {error_text(batch.invocation)}"
    if seen.refused:
        observed += f". CloudWatch refuses PutMetricData: {seen.refused[0]}"
    if seen.unextracted:
        observed += f". CloudWatch Logs says: {seen.unextracted[0]}"
    finding = stage.finding(
        rule="Every batch leaves RecordsProcessed, RecordsFailed and Lag in CloudWatch.",
        input=batch.story,
        expected=f"{name} in the namespace {NAMESPACE}, once the batch is done",
        observed=observed,
        why="A metric that is not extracted raises no error anywhere: the graph is empty, and an "
        "alarm on it never rings.",
        where=_unpublished_line(stage, seen, batch, name),
        page=f"{PAGE}#embedded-metric-format",
    )
    return stage.at(batch.invocation, finding)


# Where a document leaves the handler.
SENDS = r"json\.dumps|put_metric_data|flush_metrics|add_metric"


def _unpublished_line(stage: Stage, seen: Measured, batch: Batch, name: str) -> str:
    """Where a metric is lost: in the call, in the document, or where it is sent."""
    if seen.refused:
        return _first_line(stage, r"put_metric_data", PUBLISHES)
    if batch.bad and not batch.published and seen.names:
        # Other batches speak: this one never comes to the line that sends.
        return _first_line(stage, r"^\s+(\w+\.)?(publish|emit|report|tell)\w*\(", SENDS)
    reason = seen.unextracted[0] if seen.unextracted else ""
    if "Timestamp" in reason:
        return _first_line(stage, r"Timestamp", PUBLISHES)
    if any(key.namespace == NAMESPACE for key in batch.published):
        return counted(stage, name)
    if batch.published:
        return _first_line(stage, r"[Nn]amespace", PUBLISHES)
    found = _first_line(stage, SENDS, PUBLISHES)
    return stage.handler_line(PUBLISHES, batch.invocation) if "no single line" in found else found


def wrong_count(stage: Stage, batch: Batch) -> Finding:
    """Counts that do not say what happened to a batch."""
    processed, failed = batch.total("RecordsProcessed"), batch.total("RecordsFailed")
    wanted = f"RecordsProcessed {batch.records}, RecordsFailed 0"
    if batch.bad:
        wanted = f"RecordsFailed {batch.bad} or more, and with RecordsProcessed {batch.records}"
    if batch.bad:
        name = "RecordsFailed" if failed < batch.bad else "RecordsProcessed"
    else:
        name = "RecordsProcessed" if processed != batch.records else "RecordsFailed"
    finding = stage.finding(
        rule="RecordsProcessed and RecordsFailed sum up to the records that were and were not "
        "processed.",
        input=batch.story,
        expected=wanted,
        observed=f"RecordsProcessed {processed:g}, RecordsFailed {failed:g}",
        why="A count that is wrong by little looks healthy until somebody compares it with the "
        "table.",
        where=counted(stage, name),
        page=f"{PAGE}#own-metrics",
    )
    return stage.at(batch.invocation, finding)


# -- task 2 ----------------------------------------------------------------------------------------


def no_board(stage: Stage) -> Finding:
    """A template without a dashboard."""
    return stage.finding(
        rule="The template has a dashboard.",
        input="template.yaml as it stands",
        expected="a resource of type AWS::CloudWatch::Dashboard",
        observed="none",
        why="In an incident nobody has time to look for metrics one by one.",
        where="template.yaml (there is no AWS::CloudWatch::Dashboard)",
        page=f"{PAGE}#dashboards",
    )


def problem_line(stage: Stage, board: Resource, problem: Flaw) -> str:
    """The line of a dashboard's body that a problem is about: of its JSON, or of a widget."""
    first = board.line_of("DashboardBody")
    if found := re.search(r"line (\d+), column", problem.sentence):
        return stage.line("template.yaml", first + int(found[1]))
    if found := re.match(r"widgets\[(\d+)\]", problem.path):
        body = enumerate(board.source[first - 1 :], start=first)
        widgets = [number for number, text in body if '"type"' in text]
        if int(found[1]) < len(widgets):
            return stage.line("template.yaml", widgets[int(found[1])])
    return stage.property_line(board.logical_id, "DashboardBody")


def unanswered(stage: Stage, question: str, answers: Sequence[Answer]) -> Finding:
    """A question that no row answers; what comes near it, hidden rows included, is shown."""
    shown = sorted({f"{one.metric[0]} {one.metric[1]} by {_by(one.metric[2])}" for one in answers})
    names = {one.metric[1] for one in answers}
    near = [
        (resource, widget, signal)
        for resource, board in boards(stage)
        for widget in board.widgets
        for signal in widget.signals
        if signal.name in names
    ]
    searches = [
        (resource, selection)
        for resource, board in boards(stage)
        for _, selection in board.searches
        if any(selection.finds(*one.metric) for one in answers)
    ]
    observed, where = "nothing that says it", _board_line(stage, boards(stage)[0][0], "")
    if searches:
        resource, selection = searches[0]
        observed = f"a query that finds it, by {selection.stat}: {selection.text}"
        where = _board_line(stage, resource, selection.text)
    if near:
        resource, widget, signal = near[0]
        observed = (
            f"{signal.namespace} {signal.name} ({signal.stat}, {signal.region}) with "
            f"{dimensions_told(stage, signal.dimensions)}"
        )
        if not widget.shows(signal):
            observed += "; it is hidden (visible: false), and no visible row is made of it"
        where = _board_line(stage, resource, f'"{signal.name}"')
        metric = (signal.namespace, signal.name, signal.dimensions)
        if widget.shows(signal) and any(one.metric == metric for one in answers):
            where = _statistic_line(stage, resource, signal)
    return stage.finding(
        rule="The dashboard shows how far behind the totals are, which records fail, "
        "whether the function is throttled, whether the mapping polls, and what was given up.",
        input="the bodies of the template's dashboards",
        expected=f"{question}: one of {listed(shown, 9)}, with this stack's values"
        + (" and a high statistic such as Maximum" if any(one.high for one in answers) else ""),
        observed=observed,
        why="The average of an age hides the one shard that stands still, and other "
        "dimensions are another metric: the widget stays empty or looks well.",
        where=where,
        page=f"{PAGE}#dashboards",
    )


def no_such_metric(stage: Stage, row: Row, known: Collection[Metric]) -> Finding:
    """A row that shows what nobody publishes, or looks into another Region."""
    source = row.source
    if isinstance(source, Signal):
        observed = (
            f"{source.namespace} {source.name} ({row.stat}, {row.region}) with "
            f"{dimensions_told(stage, source.dimensions)}" + _nearest(source, known)
        )
        where = _board_line(stage, row.board, f'"{source.name}"')
        if source.namespace == NAMESPACE:
            seen = stage.play(measured_batches)
            where = _unpublished_line(stage, seen, seen.late, source.name)
        elif source.name in OF_MAPPINGS and not event_counts(stage):
            where = stage.property_line(MAPPING, "MetricsConfig")
    else:
        observed = f"a query that finds nothing in {row.region}: {source.text}"
        where = _board_line(stage, row.board, source.text)
    return stage.finding(
        rule="Every metric on the dashboard is one that this stack publishes.",
        input=f"widget {row.widget} of {row.board.logical_id}, metric row {row.row}",
        expected=f"a metric that exists, in {stage.stack.region}",
        observed=observed,
        why="CloudWatch draws an empty graph for a metric that does not exist, and an "
        "empty graph looks like a quiet day.",
        where=where,
        page=f"{PAGE}#metrics-that-exist",
    )


def _by(dims: Dimensions) -> str:
    return ", ".join(name for name, _ in dims) or "no dimension"


def _nearest(signal: Signal, known: Collection[Metric]) -> str:
    """Where a metric of that name does exist."""
    for namespace, name, dims in sorted(known):
        if name == signal.name:
            return f"; {name} is in {namespace} by {_by(dims)}"
    if signal.name in OF_MAPPINGS:
        return "; the mapping has not opted in to its metrics (MetricsConfig)"
    return f"; no metric {signal.name} exists here"


def _board_line(stage: Stage, board: Resource, sought: str) -> str:
    """The line of the dashboard's body with most of the words of a text, or the body's own."""
    first = board.line_of("DashboardBody")
    words = re.findall(r"[A-Za-z]{3,}", sought)
    lines = list(enumerate(board.source[first - 1 :], start=first))
    shared = {number: sum(word in text for word in words) for number, text in lines}
    best = max(shared, key=lambda number: shared[number], default=first)
    if shared.get(best):
        return stage.line("template.yaml", best)
    return stage.property_line(board.logical_id, "DashboardBody")


def _statistic_line(stage: Stage, board: Resource, signal: Signal) -> str:
    """The line from which a row has its statistic: its own, or its widget's above it."""
    first = board.line_of("DashboardBody")
    numbers = [
        number
        for number, text in enumerate(board.source[first - 1 :], start=first)
        if f'"{signal.name}"' in text
    ]
    for number in range(numbers[0] if numbers else first, first, -1):
        if '"stat"' in board.source[number - 1]:
            return stage.line("template.yaml", number)
    return _board_line(stage, board, f'"{signal.name}"')


# -- tasks 3 to 5 ----------------------------------------------------------------------------------


def no_alarms(stage: Stage) -> Finding:
    """A template without any alarm."""
    return stage.finding(
        rule="The template has alarms.",
        input="template.yaml as it stands",
        expected="at least one alarm",
        observed="none",
        why="Whoever has no alarms sleeps well until the merchants call.",
        where="template.yaml (there is no AWS::CloudWatch::Alarm)",
        page=f"{PAGE}#alarms",
    )


def unplayed(stage: Stage, watching: Watch, played: str) -> Finding:
    """An alarm that AWS takes and the labs cannot play may have decided this."""
    logical_id, sentence = next(iter(watching.unplayed.items()))
    return stage.finding(
        rule="What cannot be played is not judged, neither as right nor as wrong.",
        input=played,
        expected="alarms that the labs can play",
        observed=f"AWS takes {logical_id}; what it does here is not known. {sentence}",
        why="An alarm on a metric with a name and dimensions can be played.",
        where=stage.property_line(logical_id),
        page=f"{PAGE}#alarms",
    )


def missed(
    stage: Stage,
    watching: Watch,
    seen: Replay,
    metrics: Sequence[str],
    *,
    rule: str,
    why: str,
    anchor: str,
) -> Finding:
    """An incident in which nothing rang in time; ``metrics`` are those that show it."""
    allowed = allowed_min(seen.incident)
    expected = f"an alarm rings within {allowed} minutes"
    if allowed > PAGED_WITHIN_MIN:
        within = f"within {PAGED_WITHIN_MIN} minutes of that"
        expected = f"an alarm rings {within}: within {allowed} of its cause"
    finding = stage.finding(
        rule=rule,
        input=f"{seen.incident.title}: {seen.incident.story}",
        expected=expected,
        observed=rang(seen, watching) + unseen(stage, watching, metrics, seen.incident),
        why=why,
        where=_silent_line(stage, watching, metrics, seen),
        page=f"{PAGE}#{anchor}",
    )
    assert seen.incident.page_by_ms is not None
    return stage.at(seen.incident.page_by_ms, finding)


def _silent_line(stage: Stage, watching: Watch, metrics: Sequence[str], seen: Replay) -> str:
    """Why nothing rang: metrics that the mapping does not publish, or an alarm's setting."""
    names = {stat.name for alarm in meant(watching, metrics)[:1] for stat in alarm.metrics}
    if names & set(OF_MAPPINGS) and not event_counts(stage):
        return stage.property_line(MAPPING, "MetricsConfig")
    return alarm_line(stage, watching, metrics, seen.incident)


# Why an alarm takes a gap for trouble in vain.
GAP = (
    "A function without work publishes nothing, nor does a queue. Missing data says that something "
    "stopped only for a metric that is published without work, too."
)


def woken(
    stage: Stage, watching: Watch, seen: Replay, *, rule: str, why: str, anchor: str
) -> Finding:
    """What rang in an incident in which nothing had to; the alarm's own fault goes before ``why``.

    The line is the setting with which the alarm that rang first would have kept silent.
    """
    first = seen.alerts[0]
    alarm = next(one for one in watching.alarms if one.name == first.alarm)
    logical_id = watching.logical_ids[first.alarm]
    minute = (first.time_ms - seen.incident.from_ms) // MINUTE_MS
    more = f", the first of {len(seen.alerts)} alerts" if len(seen.alerts) > 1 else ""
    observed = (
        f"{watching.label(first.alarm)} rings in minute {minute}{more}. "
        f"CloudWatch's reason: {first.reason}"
    )
    where = stage.property_line(logical_id, "AlarmRule")
    if isinstance(alarm, MetricAlarm):
        member = blame.calmer(alarm, seen.incident) or "Threshold"
        where = setting_line(stage, logical_id, member)
        names = {stat.name for stat in alarm.metrics}
        if names & set(OF_MAPPINGS) and not event_counts(stage):
            observed += " The mapping has not opted in to its metrics (MetricsConfig)."
            why, anchor = "What nobody publishes is missing in each minute.", "metrics-that-exist"
            where = stage.property_line(MAPPING, "MetricsConfig")
        elif member == "TreatMissingData":
            why, anchor = GAP, "missing-data"
        elif member == "Statistic" and alarm.comparison.startswith("Less"):
            why, anchor = (
                "A poll that finds nothing is a data point of 0. Count the points.",
                "silence",
            )
        elif names == {"Throttles"}:
            anchor = "throttling"
    return stage.finding(
        rule=rule,
        input=f"{seen.incident.title}: {seen.incident.story}",
        expected="no alarm rings",
        observed=observed,
        why=why,
        where=where,
        page=f"{PAGE}#{anchor}",
    )


def unheard(stage: Stage, watching: Watch, missed: Sequence[Replay], rung: int) -> Finding:
    """Incidents in which something rings in time and nobody is told in time."""
    logical_id, reason, place = why_unheard(watching, missed[0])
    return stage.finding(
        rule="An alarm that rings in an incident reaches a person.",
        input=f"{missed[0].incident.title}: {logical_id} rings in time",
        expected="a person is told in time, in each of the incidents in which an alarm rings",
        observed=f"{reason} {len(missed)} of {rung} such incidents reach nobody.",
        why="An alarm that changes its colour in a console at three in the morning is a diary.",
        where=stage.property_line(*place),
        page=f"{PAGE}#who-is-told",
    )


def no_group(stage: Stage, observed: str) -> Finding:
    """A log group that is not in the template."""
    return stage.finding(
        rule="The function's log group is part of the template.",
        input=f"{FUNCTION} in template.yaml",
        expected="an AWS::Logs::LogGroup that the function writes to",
        observed=observed,
        why="A group that Lambda creates by itself keeps its lines for ever.",
        where=stage.property_line(FUNCTION, "LoggingConfig"),
        page=f"{PAGE}#log-retention",
    )
