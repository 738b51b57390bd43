"""Incidents: read from data files, generated on virtual time, replayed against alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from grader.cloud.clock import START_MS, Clock
from grader.cloud.cloudwatch import Alarm, CompositeAlarm, MetricAlarm, Subscription
from grader.cloud.mapping import Stream
from grader.cloud.metrics import Dimensions, Metrics, dimensions
from grader.replay import incidents
from grader.replay.incidents import (
    MINUTE_MS,
    Incident,
    Replay,
    Scripted,
    read,
    rehearse,
    replay,
)

FILES = sorted((Path(incidents.__file__).parents[1] / "course/play/incidents").glob("*.json"))
TOPIC = "arn:aws:sns:us-east-1:123456789012:pager"
PERSON = Subscription(TOPIC, "email", "on-call@example.com")
DIMS = dimensions(FunctionName="totals")


def document(**changes: Any) -> dict[str, Any]:
    """An hour in which Errors rise in minute 30."""
    return {
        "name": "trouble",
        "title": "Trouble",
        "story": "Something breaks.",
        "minutes": 60,
        "replay_from": 20,
        "began": 30,
        "page_by": 45,
        "series": [
            {
                "of": "function",
                "name": "Errors",
                "unit": "Count",
                "default": 0,
                "at": {str(minute): [[1, 3], [0, 2]] for minute in range(30, 60)},
            }
        ],
        **changes,
    }


def bind(of: str, name: str, unit: str) -> list[tuple[str, Dimensions]]:
    return [("AWS/Lambda", DIMS)] if of == "function" else []


def alarm(name: str = "Errors", **changes: Any) -> MetricAlarm:
    properties = {
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": "totals"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [TOPIC],
        **changes,
    }
    given = {member: value for member, value in properties.items() if value is not None}
    return MetricAlarm.parse(given, name=name)


def watched(*alarms: Alarm, people: bool = True, **changes: Any) -> Replay:
    return replay(read(document(**changes), bind), alarms, [PERSON] if people else [])


# -- data files ------------------------------------------------------------------------------------


def test_a_document_becomes_observations_at_their_minutes() -> None:
    incident = read(document(), bind)

    data = incident.metrics.find("AWS/Lambda", "Errors", DIMS, "Count")
    assert (data[0].time_ms, data[0].value, data[0].count) == (START_MS, 0.0, 1.0)
    assert incident.metrics.total("AWS/Lambda", "Errors") == 90.0
    assert (
        incident.began_ms,
        incident.page_by_ms,
    ) == (START_MS + 30 * MINUTE_MS, START_MS + 45 * MINUTE_MS)


def test_a_gap_is_no_observation() -> None:
    series = [
        {"of": "function", "name": "Errors", "unit": "Count", "default": None, "at": {"5": 1}}
    ]

    incident = read(document(series=series), bind)

    assert len(incident.metrics.find("AWS/Lambda", "Errors")) == 1


def test_what_a_system_does_not_publish_is_left_out() -> None:
    """A mapping that has not opted in to EventCount has no such metrics, in no incident.

    https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingMetricsConfig.html
    """
    series = [
        {"of": "mapping", "name": "PolledEventCount", "unit": "Count", "default": 0, "at": {}}
    ]

    assert list(read(document(series=series), bind).metrics) == []


def test_a_minute_beyond_the_end_is_a_mistake_in_the_file() -> None:
    series = [{"of": "function", "name": "Errors", "unit": "Count", "default": 0, "at": {"60": 1}}]

    with pytest.raises(ValueError, match="minutes that do not exist"):
        read(document(series=series), bind)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_incident_can_be_read_and_is_in_order(path: Path) -> None:
    """Its name is its file's, its moments are in their order, and something was recorded."""
    incident = read(json.loads(path.read_text(encoding="utf-8")), lambda *_: [("AWS/Lambda", ())])

    assert path.stem == incident.name
    assert list(incident.metrics)
    assert incident.start_ms < incident.from_ms < incident.to_ms
    if incident.began_ms is not None:
        assert incident.page_by_ms is not None
        assert incident.from_ms < incident.began_ms < incident.page_by_ms <= incident.to_ms


def test_there_are_recordings_that_page_and_recordings_that_do_not() -> None:
    began = [json.loads(path.read_text(encoding="utf-8"))["began"] for path in FILES]

    assert None in began
    assert any(minute is not None for minute in began)


# -- replay ----------------------------------------------------------------------------------------


def test_an_alarm_that_rings_is_timed_from_the_beginning() -> None:
    seen = watched(alarm())

    assert seen.delay_ms == 3 * MINUTE_MS
    assert (
        seen.in_time,
        seen.heard_in_time,
        seen.missed,
        seen.false_alerts,
    ) == (True, True, False, [])


def test_an_alarm_that_rings_late_is_late_and_not_missed() -> None:
    seen = watched(alarm(EvaluationPeriods=20))

    assert (seen.in_time, seen.missed, seen.delay_ms) == (False, False, 20 * MINUTE_MS)


def test_an_alarm_that_never_rings_has_missed_it() -> None:
    seen = watched(alarm(Threshold=1000))

    assert (seen.missed, seen.in_time, seen.delay_ms) == (True, False, None)


def test_an_alert_before_anything_is_wrong_is_false() -> None:
    seen = watched(alarm(Threshold=-1))

    assert len(seen.false_alerts) == 1


def test_an_alarm_that_has_cried_wolf_tells_nothing_when_it_rings_again() -> None:
    """A flapping alarm rings in every incident, by accident."""
    early = {str(minute): 1 for minute in (22, 23, 24)}
    late = {str(minute): 1 for minute in range(31, 60)}
    series = [
        {"of": "function", "name": "Errors", "unit": "Count", "default": 0, "at": {**early, **late}}
    ]

    flapping = watched(alarm(), series=series)
    beside = watched(alarm(), alarm("Quiet", EvaluationPeriods=10), series=series)

    assert (flapping.in_time, len(flapping.false_alerts)) == (False, 1)
    assert beside.first is not None
    assert (beside.first.alarm, beside.in_time) == ("Quiet", True)


def test_when_nobody_should_be_paged_every_alert_is_false() -> None:
    seen = watched(alarm(), began=None, page_by=None)

    assert (len(seen.false_alerts), seen.in_time, seen.missed) == (1, False, False)


def test_an_alert_without_a_subscription_is_not_heard() -> None:
    seen = watched(alarm(), people=False)

    assert (seen.in_time, seen.heard_in_time) == (True, False)


@pytest.mark.parametrize("protocol", ["email", "sms", "https", "lambda"])
def test_people_hear_by_mail_phone_and_whatever_answers_at_once(protocol: str) -> None:
    incident = read(document(), bind)

    assert replay(incident, [alarm()], [Subscription(TOPIC, protocol, "x")]).heard_in_time


def test_a_queue_wakes_nobody() -> None:
    incident = read(document(), bind)

    assert not replay(incident, [alarm()], [Subscription(TOPIC, "sqs", "x")]).heard_in_time


def test_a_subscription_that_waits_for_its_confirmation_is_silent() -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html"""
    pending = Subscription(TOPIC, "email", "on-call@example.com", confirmed=False)

    assert not replay(read(document(), bind), [alarm()], [pending]).heard_in_time


def test_disabled_actions_ring_for_nobody() -> None:
    seen = watched(alarm(ActionsEnabled=False))

    assert (seen.in_time, seen.heard_in_time) == (True, False)


@pytest.mark.parametrize("members", [{"OKActions": [TOPIC]}, {"InsufficientDataActions": [TOPIC]}])
def test_one_rule_for_alarms_without_an_action_for_alarm(members: dict[str, Any]) -> None:
    """Entering ALARM rings, whatever the alarm does in other states; nobody hears it."""
    seen = watched(alarm(AlarmActions=None, **members))

    assert (seen.in_time, seen.heard_in_time) == (True, False)


def test_a_suppressor_is_a_part_and_what_it_holds_back_rings_later_or_never() -> None:
    held = {
        "AlarmRule": "ALARM(part)",
        "AlarmActions": [TOPIC],
        "ActionsSuppressorWaitPeriod": 120,
        "ActionsSuppressorExtensionPeriod": 60,
    }
    part = alarm("part", AlarmActions=None)
    quiet = alarm("quiet", AlarmActions=None, Threshold=10**9)
    late = CompositeAlarm.parse({**held, "ActionsSuppressor": "quiet"}, name="late")
    never = CompositeAlarm.parse({**held, "ActionsSuppressor": "part"}, name="never")

    plain = watched(alarm("plain"))
    seen = watched(part, quiet, late, never)

    assert [alert.alarm for alert in seen.alerts] == ["late"]
    assert seen.alerts[0].time_ms == plain.alerts[0].time_ms + 120_000


def test_a_part_of_a_composite_alarm_does_not_ring_itself() -> None:
    part = alarm("part", AlarmActions=None)
    whole = CompositeAlarm.parse(
        {"AlarmRule": "ALARM(part)", "AlarmActions": [TOPIC]}, name="whole"
    )

    assert [alert.alarm for alert in watched(part, whole).alerts] == ["whole"]


def test_an_alarm_without_actions_that_is_no_part_rings_unheard() -> None:
    """So that what is wrong with it is told as: nobody hears it."""
    seen = watched(alarm(AlarmActions=None))

    assert (seen.in_time, seen.heard_in_time) == (True, False)


def test_insufficient_data_rings_for_an_alarm_with_actions_for_it() -> None:
    """A silent metric with missing data as missing: an unusual and right way to page."""
    gone = {str(minute): None for minute in range(30, 60)}
    series = [{"of": "function", "name": "Errors", "unit": "Count", "default": 0, "at": gone}]
    silent = {"TreatMissingData": "missing", "AlarmActions": None}

    without = watched(alarm(**silent), series=series)
    with_actions = watched(alarm(**silent, InsufficientDataActions=[TOPIC]), series=series)

    assert without.missed
    assert with_actions.heard_in_time
    assert with_actions.alerts[0].state == "INSUFFICIENT_DATA"


def test_an_alarm_that_looks_back_further_than_the_recording_sees_healthy_time() -> None:
    """Otherwise missing data as breaching would ring because the recording is short."""
    patient = alarm(Period=3600, EvaluationPeriods=5, TreatMissingData="breaching", Threshold=400)

    seen = watched(patient)

    assert list(seen.alerts) == []


def test_the_incident_itself_is_not_repeated_as_history() -> None:
    """Only what was recorded before the beginning is put before the recording."""
    hours = alarm(Period=3600, EvaluationPeriods=1, Threshold=0)

    seen = watched(hours)

    assert seen.false_alerts == []
    assert seen.delay_ms == MINUTE_MS


# -- generated -------------------------------------------------------------------------------------


def rehearsed(
    takes: Callable[[int, int], int] = lambda _time, _records: 200, **settings: Any
) -> tuple[Metrics, list[tuple[int, int, int]]]:
    """Ten orders, one a minute; the third and the sixth fail at their first attempt."""
    clock, metrics = Clock(START_MS), Metrics()
    told: list[tuple[int, int, int]] = []

    def fails(record: Mapping[str, Any], attempt: int) -> bool:
        return attempt == 1 and record["dynamodb"]["Keys"]["id"]["S"] in ("3", "6")

    properties = {"StartingPosition": "TRIM_HORIZON", "FunctionName": "totals", **settings}
    reports = "FunctionResponseTypes" in settings
    function = Scripted(
        "totals", clock, takes, fails, reports, lambda *end: told.append(end), timeout_ms=3000
    )
    rehearse(
        properties,
        function,
        Stream(table="Orders", keys=["id"], created_ms=START_MS),
        metrics,
        [(START_MS + n * MINUTE_MS + 10, {"id": {"S": str(n)}}) for n in range(1, 11)],
        uuid="m-1",
        until_ms=START_MS + 15 * MINUTE_MS,
    )
    return metrics, told


REPORTING = {
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "MetricsConfig": {"Metrics": ["EventCount"]},
}


def test_reported_failures_are_not_in_errors() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"""
    metrics, told = rehearsed(**REPORTING)

    assert metrics.total("AWS/Lambda", "Errors") == 0
    assert metrics.total("AWS/Lambda", "FailedInvokeEventCount") == 2
    assert 12 == len(told) == metrics.total("AWS/Lambda", "Invocations")
    assert sum(failed for _, _, failed in told) == 2


def test_a_mapping_that_does_not_read_reports_is_told_by_an_error() -> None:
    metrics, _ = rehearsed()

    assert metrics.total("AWS/Lambda", "Errors") == 2


def test_a_batch_that_takes_longer_than_the_timeout_is_an_error() -> None:
    metrics, told = rehearsed(lambda _time, _records: 9000, **REPORTING, MaximumRetryAttempts=1)

    assert told == []
    assert metrics.find("AWS/Lambda", "Duration")[0].value == 3000
    assert metrics.total("AWS/Lambda", "Errors") == metrics.total("AWS/Lambda", "Invocations") > 0


def test_the_minutes_without_orders_are_published_too() -> None:
    """An empty poll is a 0, the proof that the mapping lives."""
    metrics, _ = rehearsed(**REPORTING)

    polled = metrics.find(
        "AWS/Lambda", "PolledEventCount", dimensions(EventSourceMappingUUID="m-1")
    )
    assert len({datum.time_ms for datum in polled}) >= 15
    assert sum(datum.value for datum in polled) == 10


def test_the_same_play_gives_the_same_metrics() -> None:
    first, second = rehearsed(**REPORTING)[0], rehearsed(**REPORTING)[0]

    assert [(k, first.data(k)) for k in first] == [(k, second.data(k)) for k in second]


# -- pictures --------------------------------------------------------------------------------------


def test_a_sparkline_has_a_character_for_each_value_and_a_blank_for_a_gap() -> None:
    assert incidents.sparkline([0, 5, 9, None, 0]) == "▁▅█ ▁"
    assert incidents.sparkline([0, 5, 9, None, 0], plain=True) == "_+@ _"
    assert incidents.sparkline([0, 0]) == "▁▁"
    assert incidents.sparkline([]) == ""


def test_a_picture_shows_data_states_and_the_two_moments() -> None:
    lines = list(
        incidents.picture(watched(alarm()), [alarm()], label=str.lower, width=40, plain=True)
    )

    assert lines[0] == "errors (0 to 3)"
    assert lines[1] == "_" * 10 + "@" * 30
    assert lines[2] == "-" * 12 + "!" * 28
    assert (lines[3].index("^"), lines[3].index("|")) == (10, 25)


def test_a_picture_is_never_wider_than_asked_and_plain_when_asked() -> None:
    whole = CompositeAlarm.parse({"AlarmRule": "ALARM(Errors)"}, name="whole")

    lines = list(incidents.picture(watched(alarm(), whole), [alarm(), whole], width=17, plain=True))

    assert all(line.isascii() for line in lines)
    assert all(len(line) <= 17 for line in lines if set(line) <= set("_.-=+*#@!?^| "))
    assert "whole (made of Errors)" in lines


def test_a_short_alarm_is_visible_in_a_narrow_picture() -> None:
    series = [{"of": "function", "name": "Errors", "unit": "Count", "default": 0, "at": {"41": 9}}]
    short = alarm(EvaluationPeriods=1)
    seen = watched(short, series=series)

    states = list(incidents.picture(seen, [short], width=8))[2]

    assert states.count("!") == 1


def test_an_alarm_without_any_data_says_so() -> None:
    blind = alarm(MetricName="Nothing")
    seen: Replay = watched(blind)
    incident: Incident = seen.incident

    assert next(incidents.picture(seen, [blind])) == "Errors (no data)"
    assert incident.name == "trouble"
