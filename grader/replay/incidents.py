"""Incidents: what the metrics of a system looked like, and whether a person had to be woken.

An `Incident` is recorded (`read` takes the JSON document of a data file) or generated (`rehearse`
plays a mapping with a scripted function on virtual time; a caller may also hand over the metrics of
a play of its own). `replay` lets alarms watch it and says which of them rang, who heard it, how
long that took, and whether it was in time. Pure: data in, data out.

::

    incident = read(document, bind)
    seen = replay(incident, alarms, subscriptions)
    seen.in_time, seen.delay_ms, seen.false_alerts, seen.missed

What rings: an alarm that enters ALARM, or INSUFFICIENT_DATA when it has actions for that, whether
or not anybody hears it. An alarm without an action for ALARM that a composite alarm is made of, or
is held back by, is a part of that alarm and does not ring itself; what a suppressor holds back
rings when it is let go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grader.cloud.aws import ACCOUNT_ID, REGION
from grader.cloud.clock import START_MS, Clock
from grader.cloud.cloudwatch import (
    Alarm,
    CompositeAlarm,
    MetricAlarm,
    State,
    Subscription,
    Transition,
    datapoints,
    evaluate,
    notifications,
)
from grader.cloud.mapping import Delivery, EventSourceMappings, Result, Stream
from grader.cloud.metrics import Dimensions, Metrics

MINUTE_MS = 60_000

# Who reads what arrives there within minutes. A queue keeps a message until somebody looks.
PEOPLE = ("email", "email-json", "sms", "http", "https", "lambda", "lambda-action")

# Entering these states may ring; OK is the end of it.
RINGING: tuple[State, ...] = ("ALARM", "INSUFFICIENT_DATA")

# An alarm whose periods reach back further than the recording sees the healthy minutes before the
# incident again and again, so that nothing looks missing that was not missing.
EXTRA_PERIODS = 3


@dataclass(frozen=True)
class Incident:
    """Recorded metrics and the truth about them; times are virtual milliseconds.

    The data begins at ``start_ms``; alarms are watched from ``from_ms`` to ``to_ms``. Something is
    wrong since ``began_ms``, and a person must be paged by ``page_by_ms``; both are None when
    nobody should be paged.
    """

    name: str
    title: str
    story: str
    metrics: Metrics
    start_ms: int
    from_ms: int
    to_ms: int
    began_ms: int | None = None
    page_by_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alarm rang: it entered ``state`` at ``time_ms``."""

    time_ms: int
    alarm: str
    state: State
    reason: str


@dataclass(frozen=True)
class Replay:
    """What alarms made of an incident. ``heard`` are those alerts that reached a person."""

    incident: Incident
    transitions: Sequence[Transition]
    alerts: Sequence[Alert]
    heard: Sequence[Alert]

    @property
    def first(self) -> Alert | None:
        """The first alert since the incident began, in time or late."""
        return self._first(self.alerts)

    @property
    def delay_ms(self) -> int | None:
        """How long after the beginning the first alert came; None when none did."""
        if self.incident.began_ms is None or self.first is None:
            return None
        return self.first.time_ms - self.incident.began_ms

    @property
    def in_time(self) -> bool:
        """Whether an alarm rang by the time at which a person had to be paged."""
        return self._in_time(self.alerts)

    @property
    def heard_in_time(self) -> bool:
        """Whether a person was told by then."""
        return self._in_time(self.heard)

    @property
    def missed(self) -> bool:
        """Whether a person had to be paged and no alarm ever rang."""
        return self.incident.page_by_ms is not None and self.first is None

    @property
    def false_alerts(self) -> list[Alert]:
        """Alerts while nothing was wrong."""
        began = self.incident.began_ms
        return [alert for alert in self.alerts if began is None or alert.time_ms < began]

    def _first(self, alerts: Sequence[Alert]) -> Alert | None:
        """Alarms that rang before anything was wrong tell nothing when they ring again."""
        began = self.incident.began_ms
        if began is None:
            return None
        wolves = {alert.alarm for alert in self.false_alerts}
        return next((a for a in alerts if a.time_ms >= began and a.alarm not in wolves), None)

    def _in_time(self, alerts: Sequence[Alert]) -> bool:
        first = self._first(alerts)
        return first is not None and first.time_ms <= (self.incident.page_by_ms or 0)


def replay(
    incident: Incident, alarms: Sequence[Alarm], subscriptions: Sequence[Subscription] = ()
) -> Replay:
    """Let the alarms watch the incident. Refused as `grader.cloud.cloudwatch.evaluate` refuses."""
    metrics = _with_history(incident, alarms)
    transitions = evaluate(alarms, metrics, incident.from_ms, incident.to_ms)
    parts = {
        name for alarm in alarms if isinstance(alarm, CompositeAlarm) for name in alarm.parts()
    }
    by_name = {alarm.name: alarm for alarm in alarms}
    alerts = [
        Alert(change.acted_ms, change.alarm, change.new, change.reason)
        for change in transitions
        if change.acted_ms is not None and _rings(by_name[change.alarm], change.new, parts)
    ]
    alerts.sort(key=lambda alert: alert.time_ms)
    told = {
        (one.time_ms, one.alarm)
        for one in notifications(transitions, alarms, subscriptions)
        if one.protocol in PEOPLE
    }
    heard = [alert for alert in alerts if (alert.time_ms, alert.alarm) in told]
    return Replay(incident, transitions, alerts, heard)


def _rings(alarm: Alarm, state: State, parts: set[str]) -> bool:
    if state not in RINGING:
        return False
    return bool(alarm.actions.get(state)) or (state == "ALARM" and alarm.name not in parts)


def _with_history(incident: Incident, alarms: Sequence[Alarm]) -> Metrics:
    """The incident's metrics, with healthy time before them for alarms that look back further."""
    reach = max(
        (
            alarm.period_s * 1000 * (alarm.evaluation_periods + EXTRA_PERIODS)
            for alarm in alarms
            if isinstance(alarm, MetricAlarm)
        ),
        default=0,
    )
    length = (incident.began_ms or incident.to_ms) - incident.start_ms
    length = min(length, incident.from_ms - incident.start_ms)
    lacking = reach - (incident.from_ms - incident.start_ms)
    if lacking <= 0 or length <= 0:
        return incident.metrics
    longer = Metrics()
    for key in incident.metrics:
        data = incident.metrics.data(key)
        data = [datum for datum in data if datum.time_ms >= incident.start_ms]
        healthy = [datum for datum in data if datum.time_ms < incident.start_ms + length]
        for turn in range(-(-lacking // length), -1, -1):
            for datum in data if turn == 0 else healthy:
                longer.put(
                    key.namespace,
                    key.name,
                    datum.value,
                    datum.time_ms - turn * length,
                    unit=key.unit,
                    dims=key.dimensions,
                    count=datum.count,
                    arrived_ms=datum.arrived_ms - turn * length,
                )
    return longer


# -- recorded incidents ---------------------------------------------------------------------------

Bind = Callable[[str, str, str], Sequence[tuple[str, Dimensions]]]


def read(document: Mapping[str, Any], bind: Bind, *, start_ms: int = START_MS) -> Incident:
    """The incident of a data file.

    ``document`` begins ``hours_in`` (or no) hours after ``start_ms`` and counts in minutes from
    there: ``minutes`` long, replayed from ``replay_from``, ``began`` and ``page_by`` or null. Each
    of its ``series`` says whose metric it is (``of``: function, mapping, …), its ``name`` and
    ``unit``, and for each minute one observation, a list of [value, how often], or null for a gap:
    ``at`` by minute, otherwise ``default``. ``bind(of, name, unit)`` gives the namespaces and
    dimensions under which this system publishes it, none when it does not. KeyError or ValueError
    when the document is wrong.
    """
    minutes = int(document["minutes"])
    start_ms += int(document.get("hours_in", 0)) * 60 * MINUTE_MS
    metrics = Metrics()
    for series in document["series"]:
        at = {int(minute): value for minute, value in series["at"].items()}
        if at and not 0 <= min(at) <= max(at) < minutes:
            raise ValueError(f"{document['name']}: {series['name']} has minutes that do not exist")
        for namespace, dims in bind(series["of"], series["name"], series["unit"]):
            for minute in range(minutes):
                for value, count in _observations(at.get(minute, series.get("default"))):
                    metrics.put(
                        namespace,
                        series["name"],
                        value,
                        start_ms + minute * MINUTE_MS,
                        unit=series["unit"],
                        dims=dims,
                        count=count,
                    )

    def moment(name: str) -> int | None:
        minute = document.get(name)
        return None if minute is None else start_ms + int(minute) * MINUTE_MS

    return Incident(
        name=document["name"],
        title=document["title"],
        story=document["story"],
        metrics=metrics,
        start_ms=start_ms,
        from_ms=start_ms + int(document["replay_from"]) * MINUTE_MS,
        to_ms=start_ms + minutes * MINUTE_MS,
        began_ms=moment("began"),
        page_by_ms=moment("page_by"),
    )


def _observations(value: Any) -> list[tuple[float, float]]:
    if value is None:
        return []
    if isinstance(value, list):
        return [(float(one), float(count)) for one, count in value]
    return [(float(value), 1.0)]


# -- generated incidents --------------------------------------------------------------------------


@dataclass
class Scripted:
    """A function whose work is scripted.

    ``takes(time in ms, records)`` is how long a batch takes (ms); above ``timeout_ms`` it times
    out. ``fails(event record, attempt)`` is asked for each record; attempts count from 1. With
    ``reports`` the failures are reported in the answer, otherwise the invocation ends in an
    error. ``ended(time in ms, records, failed)`` is called at the end of each invocation.
    """

    name: str
    clock: Clock
    takes: Callable[[int, int], int]
    fails: Callable[[Mapping[str, Any], int], bool]
    reports: bool
    ended: Callable[[int, int, int], None]
    timeout_ms: int = 900_000
    account_id: str = ACCOUNT_ID
    region: str = REGION
    _attempts: Counter[str] = field(default_factory=Counter)

    @property
    def arn(self) -> str:
        """The function's unqualified ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"

    def invoke(self, event: dict[str, Any], done: Callable[[Result], None]) -> None:
        """Start an invocation now; ``done`` is called when it has taken its time."""
        failed: list[str] = []
        for record in event["Records"]:
            number = record["dynamodb"]["SequenceNumber"]
            self._attempts[number] += 1
            if self.fails(record, self._attempts[number]):
                failed.append(number)

        records = len(event["Records"])
        wanted_ms = self.takes(self.clock.now, records)
        duration_ms = min(wanted_ms, self.timeout_ms)

        def end() -> None:
            if wanted_ms > self.timeout_ms:
                done(Result("error", None, "Sandbox.Timedout", "timed out", duration_ms))
                return
            self.ended(self.clock.now, records, len(failed))
            if failed and not self.reports:
                done(Result("error", None, "RuntimeError", "a record failed", duration_ms))
                return
            answer = {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
            done(Result("returned", answer, duration_ms=duration_ms))

        self.clock.after(duration_ms, end)


class _Accepting:
    """A destination that takes every note."""

    def send(self, delivery: Delivery) -> str | None:
        return None


def rehearse(
    properties: Mapping[str, Any],
    function: Scripted,
    stream: Stream,
    metrics: Metrics,
    writes: Iterable[tuple[int, Mapping[str, Any]]],
    *,
    uuid: str,
    until_ms: int,
) -> None:
    """Play a mapping with these properties and the scripted function; ``metrics`` fills up.

    ``writes`` are new items (in DynamoDB's notation) with the virtual times at which they are put,
    oldest first. The mapping's minutes are all published, silent ones included. Refused when AWS
    would not create the mapping.
    """
    clock = function.clock
    service = EventSourceMappings(
        clock=clock,
        metrics=metrics,
        destinations=_Accepting(),
        find_function=lambda _name: function,
        find_stream=lambda _arn: stream,
        start_delay_ms=0,
    )
    service.create({**properties, "EventSourceArn": stream.arn}, uuid=uuid)
    for time_ms, item in writes:
        clock.run_until(time_ms)
        stream.write(None, dict(item), time_ms)
    clock.run_until(until_ms)
    service.flush()


# -- pictures -------------------------------------------------------------------------------------

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-=+*#@"
MARKS: Mapping[State, str] = {"OK": "-", "ALARM": "!", "INSUFFICIENT_DATA": "?"}


def sparkline(values: Sequence[float | None], *, plain: bool = False) -> str:
    """One character for each value, higher for larger ones; a gap is a blank."""
    blocks = PLAIN_BLOCKS if plain else BLOCKS
    known = [value for value in values if value is not None]
    top = max(known, default=0)
    bottom = min(0.0, min(known, default=0))
    span = top - bottom
    return "".join(
        " "
        if value is None
        else blocks[round((value - bottom) / span * (len(blocks) - 1)) if span else 0]
        for value in values
    )


def picture(
    seen: Replay,
    alarms: Sequence[Alarm],
    *,
    label: Callable[[str], str] = str,
    width: int = 60,
    plain: bool = False,
) -> Iterator[str]:
    """Each alarm's data as a sparkline with the alarm's state under it, at most ``width`` wide.

    ``label`` turns an alarm's name into what a reader calls it.
    """
    incident = seen.incident
    columns = min(width, max(1, (incident.to_ms - incident.from_ms) // MINUTE_MS))
    metrics = _with_history(incident, alarms)
    for alarm in alarms:
        if isinstance(alarm, MetricAlarm):
            points = datapoints(alarm, metrics, incident.from_ms, incident.to_ms)
            values = _columns([point.value for point in points], columns)
            known = [value for value in values if value is not None]
            scale = f"{_number(min(known))} to {_number(max(known))}" if known else "no data"
            yield f"{label(alarm.name)} ({scale})"
            if known:
                yield sparkline(values, plain=plain)
        else:
            yield f"{label(alarm.name)} (made of {', '.join(map(label, alarm.rule.children()))})"
        yield _states(seen, alarm.name, columns)
    yield _ruler(incident, columns)


def _number(value: float) -> str:
    """A value with as many digits as say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _columns(values: Sequence[float | None], columns: int) -> list[float | None]:
    """The highest value of each column; a column without any value is a gap."""
    found: list[float | None] = []
    for column in range(columns):
        part = values[len(values) * column // columns : len(values) * (column + 1) // columns]
        known = [value for value in part if value is not None]
        found.append(max(known, default=None))
    return found


def _states(seen: Replay, name: str, columns: int) -> str:
    incident = seen.incident
    span = incident.to_ms - incident.from_ms
    changes = [change for change in seen.transitions if change.alarm == name]
    marks = []
    state: State = "INSUFFICIENT_DATA"
    for column in range(columns):
        end_ms = incident.from_ms + span * (column + 1) // columns
        inside = [state]
        while changes and changes[0].time_ms <= end_ms:
            state = changes.pop(0).new
            inside.append(state)
        # A column that saw an alarm shows it, however short it was.
        marks.append(MARKS["ALARM" if "ALARM" in inside[1:] else state])
    return "".join(marks)


def _ruler(incident: Incident, columns: int) -> str:
    """Where the incident began (^) and by when a person had to be paged (|)."""
    line = [" "] * columns
    span = incident.to_ms - incident.from_ms
    for moment, mark in ((incident.began_ms, "^"), (incident.page_by_ms, "|")):
        if moment is not None:
            column = (moment - incident.from_ms) * columns // span
            line[min(max(column, 0), columns - 1)] = mark
    return "".join(line).rstrip()
