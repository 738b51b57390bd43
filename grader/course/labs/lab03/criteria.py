"""Lab 3, `monitoring`: would somebody have been told?

Task 1 looks at what CloudWatch received from three batches, task 2 at the dashboard's body. Tasks 3
and 4 replay incidents against the alarms: an alarm is judged by when it rings, never by how it is
built. Whether an alarm reaches a person is task 5's question only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from grader.cloud.cloudwatch import MetricAlarm
from grader.course.criterion import Expect, criterion
from grader.course.grade import Unreached
from grader.course.labs.lab03 import findings
from grader.course.labs.lab03.batches import LAG_MS, UNITS, Measured, measured_batches
from grader.course.labs.lab03.board import boards, existing_metrics, questions, rows
from grader.course.labs.lab03.scenarios import (
    PAGE,
    PAGING,
    bad_order,
    burst,
    deploy_blip,
    healthy_day,
    idle_night,
    one_slow_shard,
    partial_failures,
    silent_mapping,
    slow_downstream,
    throttled_function,
    throttled_table,
)
from grader.course.play.paging import (
    FUNCTION,
    MAPPING,
    PAGED_WITHIN_MIN,
    SERVICE,
    watch,
)
from grader.course.play.traffic import listed
from grader.replay.incidents import Incident

if TYPE_CHECKING:
    from grader.cloud.metrics import Dimensions
    from grader.course.stage import Stage

# -- task 1: say what the function does ----------------------------------------------------------

# How far the reported lag may be from what the oldest record waited and the batch took: creation
# times are in whole seconds, and the function itself takes a moment, a cold start included.
LAG_TOLERANCE_MS = 5_000
# A service, a function, a version: a handful. An id of an order or a merchant: thousands.
MOST_SERIES = 5


def _needs_data(stage: Stage, seen: Measured) -> None:
    """Units and dimensions of nothing cannot be judged."""
    if not seen.names:
        raise Unreached(findings.unpublished(stage, seen, seen.late, "RecordsProcessed"))


@criterion(
    "metrics-published",
    task=1,
    points=9,
    goal="CloudWatch receives how many records were processed and failed, and the lag.",
)
def test_metrics_published(stage: Stage, expect: Expect) -> None:
    """What arrived, under any dimensions and in any unit."""
    seen = stage.play(measured_batches)
    for batch in seen.batches:
        for name in UNITS if not batch.bad else ("RecordsFailed",):
            unpublished = partial(findings.unpublished, stage, seen, batch, name)
            if not expect(bool(batch.data(name)), unpublished):
                return
        processed, failed = batch.total("RecordsProcessed"), batch.total("RecordsFailed")
        # How a handler goes on behind a bad record is its own affair; what it says has to add up.
        counted = failed >= batch.bad and processed + failed == batch.records
        if not batch.bad:
            counted = (processed, failed) == (batch.records, 0)
        if not expect(counted, partial(findings.wrong_count, stage, batch)):
            return


@criterion(
    "metrics-units",
    task=1,
    points=6,
    goal="Each metric has the README's unit, and its values are in that unit.",
)
def test_metrics_units(stage: Stage, expect: Expect) -> None:
    """The unit as published, and the size of a lag that is known."""
    seen = stage.play(measured_batches)
    _needs_data(stage, seen)
    for name in seen.names:
        for key in sorted(seen.series(name), key=str):
            expect(
                key.unit == UNITS[name],
                partial(
                    stage.finding,
                    rule="Counts are published in Count, the lag in Milliseconds.",
                    input=seen.late.story,
                    expected=f"{key.name} in {UNITS[key.name]}",
                    observed=findings.named(key),
                    why="CloudWatch converts nothing: an alarm or a graph that asks for another "
                    "unit finds no data at all.",
                    where=findings.defined(stage, key.name),
                    page=f"{PAGE}#units",
                ),
            )
    lag = max((datum.value for datum in seen.late.data("Lag")), default=None)
    if lag is not None:
        expect(
            abs(lag - LAG_MS) <= LAG_TOLERANCE_MS,
            lambda: stage.finding(
                rule="Lag is the age of the batch's oldest record in milliseconds.",
                input=seen.late.story,
                expected=f"Lag: about {LAG_MS}",
                observed=f"Lag: {lag:g}",
                why="Seconds recorded as milliseconds, the newest record instead of the oldest, "
                "the begin of a batch instead of its end: each looks faster than the system is.",
                where=findings.aged(stage, lag),
                page=f"{PAGE}#units",
            ),
        )


@criterion(
    "metrics-dimensions",
    task=1,
    points=6,
    goal="Each metric stands under Service=totals and is not one metric per order.",
)
def test_metrics_dimensions(stage: Stage, expect: Expect) -> None:
    """The one set that dashboards ask for, and how many metrics come of it."""
    seen = stage.play(measured_batches)
    _needs_data(stage, seen)
    for name in seen.names:
        found: set[Dimensions] = {key.dimensions for key in seen.series(name)}
        shown = listed(sorted(findings.named(key) for key in seen.series(name)))
        expect(
            SERVICE in found,
            partial(
                stage.finding,
                rule="The metrics are published with the one dimension Service=totals.",
                input=f"{len(seen.batches)} batches",
                expected=f"{name} with Service=totals",
                observed=shown,
                why="Dimensions are part of a metric's name: a dashboard that asks for other ones "
                "finds another metric, or none.",
                where=stage.handler_line(r"Dimensions|dimension"),
                page=f"{PAGE}#dimensions",
            ),
        )
        expect(
            len(found) <= MOST_SERIES,
            partial(
                stage.finding,
                rule="No dimension has a value for each order, merchant or record.",
                input=f"{len(seen.batches)} batches",
                expected=f"{name}: at most {MOST_SERIES} combinations of dimensions",
                observed=f"{name}: {len(found)} combinations, such as {shown}",
                why="Each combination is a metric of its own on the bill, and none of them shows "
                "the whole.",
                where=stage.handler_line(r"Dimensions|dimension"),
                page=f"{PAGE}#dimensions",
            ),
        )


@criterion(
    "metrics-cheap",
    task=1,
    points=5,
    goal="Publishing costs at most one API call for a batch.",
)
def test_metrics_cheap(stage: Stage, expect: Expect) -> None:
    """Calls of one invocation; a line in the log is none."""
    seen = stage.play(measured_batches)
    if not any(batch.calls for batch in seen.batches):
        _needs_data(stage, seen)
    batch = max(seen.batches, key=lambda one: one.calls)
    expect(
        batch.calls <= 1,
        lambda: stage.finding(
            rule="A batch's metrics go out together: in a log line, or in one PutMetricData call.",
            input=batch.story,
            expected="at most 1 call of PutMetricData",
            observed=f"{batch.calls} calls of PutMetricData",
            why="PutMetricData is synchronous and billed by the request: one for each record makes "
            "the batch slower with every record and can cost more than everything else.",
            where=stage.handler_line(r"put_metric_data"),
            page=f"{PAGE}#own-metrics",
        ),
    )


# -- task 2: a dashboard that answers ------------------------------------------------------------


@criterion(
    "dashboard-valid",
    task=2,
    points=5,
    goal="CloudWatch takes the dashboard and shows every widget of it.",
)
def test_dashboard_valid(stage: Stage, expect: Expect) -> None:
    """The body by CloudWatch's rules; widgets that overlap are moved and cost nothing."""
    found = boards(stage)
    expect(bool(found), lambda: findings.no_board(stage))
    for resource, board in found:
        for problem in board.problems:
            if problem.sentence.startswith("Lies over"):
                stage.advice.append(f"{resource.logical_id}: {problem}")
                continue
            expect(
                False,
                partial(
                    stage.finding,
                    rule="Every widget of the dashboard is one that CloudWatch accepts and can "
                    "draw.",
                    input=f"the body of {resource.logical_id}",
                    expected="a body that PutDashboard takes, on a grid of 24 columns",
                    observed=str(problem),
                    why="A body that is refused rolls the stack back; a widget that cannot be "
                    "drawn is missing on the day on which it is needed.",
                    where=findings.problem_line(stage, resource, problem),
                    page=f"{PAGE}#dashboards",
                ),
            )


@criterion(
    "dashboard-signals",
    task=2,
    points=9,
    goal="The dashboard answers the five questions, from metrics that exist.",
)
def test_dashboard_signals(stage: Stage, expect: Expect) -> None:
    """Namespace, name, dimensions and Region of every row; the statistic where it matters."""
    if not boards(stage):
        raise Unreached(findings.no_board(stage))
    seen = rows(stage)
    for question, answers in questions(stage).items():
        expect(
            any(
                row.shows(one.metric) and one.is_given_by(row.stat)
                for one in answers
                for row in seen
            ),
            partial(findings.unanswered, stage, question, answers),
        )
    known = existing_metrics(stage)
    for row in seen:
        exists = any(row.shows(metric) for metric in known)
        expect(
            exists and row.region == stage.stack.region,
            partial(findings.no_such_metric, stage, row, known),
        )


# -- task 3: page in time ------------------------------------------------------------------------


def _expect_page(
    stage: Stage,
    expect: Expect,
    scenarios: Sequence[Callable[[Stage], Incident]],
    *,
    rule: str,
    why: str,
    anchor: str,
    metrics: Sequence[str],
) -> None:
    """An alarm rings in each of these incidents by the latest time for it.

    ``metrics`` are names of metrics that show the incident: where to look in the template.
    """
    watching = stage.play(watch)
    for scenario in scenarios:
        seen = watching.replay(stage.play(scenario))
        if seen.incident.began_ms is None:
            continue
        if not seen.in_time and watching.unplayed:
            raise Unreached(findings.unplayed(stage, watching, seen.incident.title))
        missed = partial(findings.missed, stage, watching, seen, metrics)
        expect(seen.in_time, partial(missed, rule=rule, why=why, anchor=anchor))


@criterion(
    "pages-bad-order",
    task=3,
    points=7,
    goal="Somebody would be paged when a record is given up.",
)
def test_pages_bad_order(stage: Stage, expect: Expect) -> None:
    """One record, four attempts, one note: over within seconds."""
    _expect_page(
        stage,
        expect,
        (bad_order,),
        rule=f"A record that is given up pages within {PAGED_WITHIN_MIN} minutes.",
        why="A discarded record can be fetched from the stream for 24 hours after it was written, "
        "then it is gone. Its failures are over within seconds: only what was given up stays.",
        anchor="discards",
        metrics=(
            "ApproximateNumberOfMessagesVisible",
            "OnFailureDestinationDeliveredEventCount",
            "ApproximateAgeOfOldestMessage",
        ),
    )


@criterion(
    "pages-lag",
    task=3,
    points=8,
    goal="Somebody would be paged when the totals fall behind.",
)
def test_pages_lag(stage: Stage, expect: Expect) -> None:
    """Nothing fails; all of them get later, or one shard of four."""
    _expect_page(
        stage,
        expect,
        (slow_downstream, one_slow_shard),
        rule=f"Totals more than five minutes late page within {PAGED_WITHIN_MIN} minutes.",
        why="Lag that grows reaches 24 hours in the end, and what is older is lost. The average "
        "over all shards hides the one that stands still, and 30 is 30 milliseconds.",
        anchor="lag",
        metrics=("IteratorAge", "Lag"),
    )


@criterion(
    "pages-throttling",
    task=3,
    points=6,
    goal="Somebody would be paged when the function or its table is throttled for long.",
)
def test_pages_throttling(stage: Stage, expect: Expect) -> None:
    """A throttled function is not invoked; a throttled table lets it fail."""
    _expect_page(
        stage,
        expect,
        (throttled_function, throttled_table),
        rule=f"Throttling that lasts pages within {PAGED_WITHIN_MIN} minutes.",
        why="A throttled function is neither an invocation nor an error, and what is not invoked "
        "reports no age either: most other metrics fall silent.",
        anchor="throttling",
        metrics=("Throttles",),
    )


@criterion(
    "pages-silence",
    task=3,
    points=7,
    goal="Somebody would be paged when the mapping stops to poll.",
)
def test_pages_silence(stage: Stage, expect: Expect) -> None:
    """No data is the only sign."""
    _expect_page(
        stage,
        expect,
        (silent_mapping,),
        rule=f"A mapping that polls no more pages within {PAGED_WITHIN_MIN} minutes.",
        why="A disabled mapping emits nothing at all: no error, no age, no zero. Only an alarm "
        "that takes missing data for a breach can see it.",
        anchor="silence",
        metrics=("PolledEventCount", "SuccessfulRequestLatency"),
    )


@criterion(
    "pages-partial-failures",
    task=3,
    points=6,
    goal="Somebody would be paged when reported failures go on and on.",
)
def test_pages_partial_failures(stage: Stage, expect: Expect) -> None:
    """The answers say batchItemFailures, and Errors stays 0."""
    _expect_page(
        stage,
        expect,
        (partial_failures,),
        rule=f"Records that keep failing page within {PAGED_WITHIN_MIN} minutes, also when the "
        "answer reports them.",
        why="An invocation that returns batchItemFailures has succeeded: Errors does not count it.",
        anchor="reported-failures",
        metrics=("FailedInvokeEventCount", "RecordsFailed", "Errors"),
    )


# -- task 4: let people sleep --------------------------------------------------------------------


def _expect_sleep(
    stage: Stage,
    expect: Expect,
    scenario: Callable[[Stage], Incident],
    *,
    rule: str,
    why: str,
    anchor: str,
) -> None:
    """No alarm rings; whether it reaches anybody is task 5's question."""
    watching = stage.play(watch)
    if not watching.alarms and not watching.unplayed:
        raise Unreached(findings.no_alarms(stage))
    seen = watching.replay(stage.play(scenario))
    if not seen.alerts and watching.unplayed:
        raise Unreached(findings.unplayed(stage, watching, seen.incident.title))
    told = {"rule": rule, "why": why, "anchor": anchor}
    expect(not seen.alerts, lambda: findings.woken(stage, watching, seen, **told))


@criterion(
    "sleeps-through-burst",
    task=4,
    points=4,
    goal="A burst that drains inside the objective wakes nobody.",
)
def test_sleeps_through_burst(stage: Stage, expect: Expect) -> None:
    """Two minutes behind is not five."""
    _expect_sleep(
        stage,
        expect,
        burst,
        rule="A burst that drains inside the objective pages nobody.",
        why="Whoever is woken by every sale stops to look, also on the night that matters.",
        anchor="lag",
    )


@criterion(
    "sleeps-through-blip",
    task=4,
    points=4,
    goal="Failures within one minute whose retries succeed wake nobody.",
)
def test_sleeps_through_blip(stage: Stage, expect: Expect) -> None:
    """One data point is not a trend."""
    _expect_sleep(
        stage,
        expect,
        deploy_blip,
        rule="Failures of a single minute whose retries succeed page nobody.",
        why="Retries exist for this. An alarm on one data point rings at every deployment.",
        anchor="m-of-n",
    )


@criterion(
    "sleeps-through-night",
    task=4,
    points=4,
    goal="A night without orders wakes nobody.",
)
def test_sleeps_through_night(stage: Stage, expect: Expect) -> None:
    """No invocations, while the mapping polls."""
    _expect_sleep(
        stage,
        expect,
        idle_night,
        rule="A night on which nothing is ordered pages nobody.",
        why=findings.GAP,
        anchor="missing-data",
    )


@criterion(
    "sleeps-through-day",
    task=4,
    points=4,
    goal="A quiet day with gaps and one slow import wakes nobody.",
)
def test_sleeps_through_day(stage: Stage, expect: Expect) -> None:
    """Gaps of up to 45 minutes; one invocation of 52 seconds among few."""
    _expect_sleep(
        stage,
        expect,
        healthy_day,
        rule="A quiet day with gaps between orders and one slow import pages nobody.",
        why="Over a handful of samples every percentile is the slowest one, and a gap is no "
        "failure.",
        anchor="percentiles",
    )


# -- task 5: reach somebody ----------------------------------------------------------------------


@criterion(
    "somebody-hears",
    task=5,
    points=5,
    goal="What rings reaches a person.",
)
def test_somebody_hears(stage: Stage, expect: Expect) -> None:
    """For every incident in which an alarm rings in time, a person is told in time."""
    watching = stage.play(watch)
    rung = [seen for scenario in PAGING if (seen := watching.replay(stage.play(scenario))).in_time]
    if not rung:
        raise Unreached(
            stage.finding(
                rule="An alarm that rings in an incident reaches a person.",
                input=f"{len(PAGING)} incidents",
                expected="at least one alarm rings in time",
                observed="none does, so nobody can be told",
                why="Who hears it can be judged once something rings.",
                where="template.yaml (no single line can be named)",
                page=f"{PAGE}#alarms",
            )
        )
    unheard = [seen for seen in rung if not seen.heard_in_time]
    expect(not unheard, lambda: findings.unheard(stage, watching, unheard, len(rung)))


@criterion(
    "log-retention",
    task=5,
    points=3,
    goal="The function's log is kept for a limited time, and long enough.",
)
def test_log_retention(stage: Stage, expect: Expect) -> None:
    """The group that the function writes to is in the template, with a number of days."""
    function = stage.stack.resources.get(FUNCTION)
    if function is None:
        raise Unreached(findings.no_group(stage, "no function"))
    logging = function.properties.get("LoggingConfig", {})
    name = logging.get("LogGroup", f"/aws/lambda/{function.physical_id}")
    group = stage.stack.by_physical(name, "AWS::Logs::LogGroup")
    if not expect(group is not None, lambda: findings.no_group(stage, f"no log group {name}")):
        return
    assert group is not None
    days = group.properties.get("RetentionInDays")
    expect(
        days is not None and 3 <= days <= 400,
        lambda: stage.finding(
            rule="The function's log group has a retention of 3 to 400 days.",
            input=f"{group.logical_id} in template.yaml",
            expected="RetentionInDays: 3 to 400",
            observed="no RetentionInDays: the log is kept for ever"
            if days is None
            else f"RetentionInDays: {days}",
            why="Every metric in a log line is also a line that is stored and billed until it "
            "expires; with less than a weekend nothing is left to look at on Monday.",
            where=stage.property_line(group.logical_id, "RetentionInDays"),
            page=f"{PAGE}#log-retention",
        ),
    )


@criterion(
    "free-tier-alarms",
    task=5,
    points=2,
    goal="The alarms fit into the Free Tier's ten.",
)
def test_free_tier_alarms(stage: Stage, expect: Expect) -> None:
    """Each metric that an alarm reads is one; periods below a minute are never free."""
    watching = stage.play(watch)
    if not watching.alarms and not watching.unplayed:
        raise Unreached(findings.no_alarms(stage))
    plain = [alarm for alarm in watching.alarms if isinstance(alarm, MetricAlarm)]
    count = sum(len(alarm.metrics) for alarm in plain)
    quick = [watching.logical_ids[one.name] for one in plain if one.period_s < 60]
    if count <= 10 and not quick and watching.unplayed:
        raise Unreached(findings.unplayed(stage, watching, f"{len(watching.alarms)} alarms"))
    expect(
        count <= 10 and not quick,
        lambda: stage.finding(
            rule="The alarms read at most ten metrics, each with a period of a minute or more.",
            input=f"{len(watching.alarms)} alarms",
            expected="at most 10 metrics in alarms, none of them high-resolution",
            observed=f"{count} metrics in alarms"
            + (f"; high-resolution: {listed(quick)}" if quick else ""),
            why="Ten alarm metrics are free each month; an expression over three metrics counts as "
            "three.",
            where=stage.line("template.yaml", stage.stack.resources[MAPPING].line)
            if not plain
            else stage.property_line(watching.logical_ids[plain[-1].name], "Period"),
            page=f"{PAGE}#what-it-costs",
        ),
    )
