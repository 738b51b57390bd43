"""The evaluation of alarms on virtual time: M out of N, missing data, state changes.

``judge`` is CloudWatch's decision over one evaluation range and reads like AWS's page.
``evaluate`` plays alarms over a stretch of time and returns every change of state.

AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
     https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import choices, mathexpr
from grader.cloud.cloudwatch.composite import CompositeAlarm
from grader.cloud.cloudwatch.metric import OPERATORS, MetricAlarm, State
from grader.cloud.cloudwatch.queries import invalid
from grader.cloud.cloudwatch.series import Samplings, Series
from grader.cloud.metrics import Metrics
from grader.cloud.words import counted as _plural

Alarm = MetricAlarm | CompositeAlarm

MINUTE_MS = 60_000
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Transition:
    """An alarm changed its state at ``time_ms`` (virtual milliseconds); ``reason`` says why.

    ``held_ms`` is how long a suppressor held back the actions of the new state; None: for good.
    """

    time_ms: int
    alarm: str
    old: State
    new: State
    reason: str
    held_ms: int | None = 0

    @property
    def acted_ms(self) -> int | None:
        """When the actions of the new state run; None when they never do."""
        return None if self.held_ms is None else self.time_ms + self.held_ms


@dataclass(frozen=True, slots=True)
class SetState:
    """A call of SetAlarmState: ``alarm`` is told to be in ``state`` at ``time_ms``.

    AWS: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html
    """

    time_ms: int
    alarm: str
    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class DataPoint:
    """What an alarm saw of the period that began at ``start_ms`` (None: nothing reported)."""

    start_ms: int
    value: float | None


def judge(
    points: Sequence[bool | None],
    *,
    evaluation_periods: int,
    datapoints_to_alarm: int,
    treat_missing_data: str,
    state: State,
) -> State:
    """The state that one evaluation sets.

    ``points`` is the whole evaluation range, oldest first: True for a breaching data point, False
    for one within the threshold, None for a missing one. It is longer than ``evaluation_periods``.
    ``state`` is the state so far, which `ignore` may retain.
    """
    real = [point for point in points if point is not None]
    # Enough real points in the range: the most recent ones count and the missing-data rule is not
    # needed, however far back they lie.
    if len(real) >= evaluation_periods:
        breaching = sum(real[-evaluation_periods:])
        return "ALARM" if breaching >= datapoints_to_alarm else "OK"
    # Too few: every real point in the range counts, and the rest is filled in.
    breaching = sum(real)
    filled = evaluation_periods - len(real)
    if treat_missing_data == "breaching":
        return "ALARM" if breaching + filled >= datapoints_to_alarm else "OK"
    if treat_missing_data == "notBreaching" or breaching >= datapoints_to_alarm:
        return "ALARM" if breaching >= datapoints_to_alarm else "OK"
    if False in real:
        return "OK"
    if treat_missing_data == "ignore":
        return state
    if not real:
        return "INSUFFICIENT_DATA"
    # Premature alarm: nothing but breaching points, and the oldest of them has had its M periods
    # in which a better one could have arrived.
    age = len(points) - points.index(True)
    return "ALARM" if age >= datapoints_to_alarm else choices.TOO_YOUNG_TO_ALARM  # type: ignore[return-value]


def evaluate(
    alarms: Sequence[Alarm],
    metrics: Metrics,
    from_ms: int,
    to_ms: int,
    *,
    states: Mapping[str, State] | None = None,
    calls: Sequence[SetState] = (),
) -> list[Transition]:
    """Every change of state after ``from_ms`` and up to ``to_ms``, in the order of time.

    The alarms are taken as created at ``from_ms`` in INSUFFICIENT_DATA; ``states`` (by name) gives
    the state of those that existed before. Data recorded before ``from_ms`` is seen, as AWS does.
    ``calls`` set states by hand: a metric alarm keeps one until its next evaluation, a composite
    alarm until a child of it changes. Refused when two alarms have one name, a composite alarm or a
    call names an alarm that is not there, or composite alarms form a cycle.
    """
    before = {alarm.name: (states or {}).get(alarm.name, "INSUFFICIENT_DATA") for alarm in alarms}
    ordered = _children_first(alarms)
    for call in calls:
        if call.alarm not in before:
            raise Refused("ResourceNotFound", f"There is no alarm {call.alarm}", "AlarmName")
    samplings = Samplings(metrics)
    changes: dict[str, list[Transition]] = {}
    for alarm in ordered:
        by_hand = sorted(
            (one for one in calls if one.alarm == alarm.name), key=lambda one: one.time_ms
        )
        if isinstance(alarm, MetricAlarm):
            watch = _Watch(alarm, samplings)
            changes[alarm.name] = list(watch.changes(from_ms, to_ms, before[alarm.name], by_hand))
        else:
            changes[alarm.name] = _composite_changes(
                alarm, changes, before, from_ms, to_ms, by_hand
            )
    for alarm in ordered:
        if isinstance(alarm, CompositeAlarm) and alarm.suppressor:
            name = alarm.suppressor.alarm
            changes[alarm.name] = _held_back(
                alarm, changes[alarm.name], changes[name], before[name], to_ms
            )
    rank = {alarm.name: number for number, alarm in enumerate(ordered)}
    return sorted(
        (change for one in changes.values() for change in one),
        key=lambda change: (change.time_ms, rank[change.alarm]),
    )


def datapoints(alarm: MetricAlarm, metrics: Metrics, from_ms: int, to_ms: int) -> list[DataPoint]:
    """The data points that the alarm sees at its evaluations after ``from_ms`` up to ``to_ms``.

    One for each evaluation: the most recent period at that moment. For pictures.
    """
    watch = _Watch(alarm, Samplings(metrics))
    period_ms = alarm.period_s * 1000
    found = []
    for time_ms, end_ms in _moments(alarm, from_ms, to_ms):
        watch.see(time_ms)
        found.append(DataPoint(end_ms - period_ms, watch.values(end_ms)[-1]))
    return found


# --- metric alarms -------------------------------------------------------------------------------


def _moments(alarm: MetricAlarm, from_ms: int, to_ms: int) -> Iterator[tuple[int, int]]:
    """When the alarm is evaluated, and up to when it looks (both in milliseconds)."""
    if alarm.multi_day:
        step, delay = HOUR_MS, choices.MULTI_DAY_DELAY_MS
    else:
        # "Evaluated every minute"; every ten seconds for periods of 10, 20 and 30 seconds.
        step = MINUTE_MS if alarm.period_s >= 60 else 10_000
        delay = choices.EVALUATION_DELAY_MS
    end_ms = (from_ms - delay) // step * step + step
    while end_ms + delay <= to_ms:
        yield end_ms + delay, end_ms
        end_ms += step


class _Watch:
    """One metric alarm and the series it reads."""

    def __init__(self, alarm: MetricAlarm, samplings: Samplings) -> None:
        self._alarm = alarm
        self._series = {
            query.id: Series(query.metric, samplings)
            for query in alarm.queries
            if query.metric is not None
        }
        self._expressions = {
            query.id: query.expression for query in alarm.queries if query.expression is not None
        }
        self._period_ms = alarm.period_s * 1000
        size = alarm.evaluation_periods + choices.EXTRA_DATA_POINTS
        self._ages = [age * self._period_ms for age in range(size - 1, -1, -1)]
        self._known: dict[int, bool | None] = {}

    def see(self, now_ms: int) -> None:
        """Take in what has arrived up to ``now_ms`` (milliseconds)."""
        for series in self._series.values():
            if series.see(now_ms):
                self._known.clear()

    def changes(
        self, from_ms: int, to_ms: int, state: State, calls: Sequence[SetState]
    ) -> Iterator[Transition]:
        alarm = self._alarm
        judged: dict[tuple[tuple[bool | None, ...], State], State] = {}
        waiting = [call for call in calls if from_ms < call.time_ms <= to_ms]
        for time_ms, end_ms in _moments(alarm, from_ms, to_ms):
            while waiting and waiting[0].time_ms < time_ms:
                state = yield from _told(waiting.pop(0), state)
            self.see(time_ms)
            points = self._breaches(end_ms)
            if alarm.ignores_low_samples and self._too_few_samples(points, end_ms):
                continue
            new = judged.get((points, state))
            if new is None:
                new = judged[points, state] = judge(
                    points,
                    evaluation_periods=alarm.evaluation_periods,
                    datapoints_to_alarm=alarm.datapoints_to_alarm,
                    treat_missing_data=alarm.treat_missing_data,
                    state=state,
                )
            if new != state:
                reason = self._reason(new, self.values(end_ms), end_ms)
                yield Transition(time_ms, alarm.name, state, new, reason)
                state = new
        for call in waiting:
            state = yield from _told(call, state)

    def values(self, end_ms: int) -> list[float | None]:
        """The data points of the evaluation range that ends before ``end_ms``, oldest first."""
        ends = self._ends(end_ms)
        return self._compute(ends) if not self._alarm.pointwise else [self._value(e) for e in ends]

    def _ends(self, end_ms: int) -> list[int]:
        return [end_ms - age for age in self._ages]

    def _breaches(self, end_ms: int) -> tuple[bool | None, ...]:
        """The evaluation range as ``judge`` takes it."""
        breaches = self._alarm.breaches
        if not self._alarm.pointwise:
            values = self._compute(self._ends(end_ms))
            return tuple(None if value is None else breaches(value) for value in values)
        known = self._known
        points = []
        for age in self._ages:
            end = end_ms - age
            if end not in known:
                value = self._value(end)
                known[end] = None if value is None else breaches(value)
            points.append(known[end])
        return tuple(points)

    def _value(self, end_ms: int) -> float | None:
        """One data point of a metric, or of an expression that needs no other period."""
        if self._alarm.metric is not None:
            return self._series[self._alarm.watched].at(end_ms)
        return self._compute([end_ms])[0]

    def _compute(self, ends: list[int]) -> list[float | None]:
        grid = mathexpr.Grid(
            starts_ms=[end - self._period_ms for end in ends],
            period_s=self._alarm.period_s,
            lines={name: [series.at(end) for end in ends] for name, series in self._series.items()},
            expressions=self._expressions,
        )
        value = grid.value(self._alarm.watched)
        assert isinstance(value, list)
        return value

    def _too_few_samples(self, points: Sequence[bool | None], end_ms: int) -> bool:
        """Whether one of the data points that count rests on too few samples."""
        stat = self._alarm.metric
        assert stat is not None
        series = self._series[self._alarm.watched]
        counted = _counted(points, self._alarm.evaluation_periods)
        return not all(
            stat.statistic.enough(series.samples(end_ms - age * self._period_ms)) for age in counted
        )

    def _reason(self, new: State, values: list[float | None], end_ms: int) -> str:
        """Why, in CloudWatch's words. Data points are listed newest first with their start."""
        alarm = self._alarm
        counted = _counted(values, alarm.evaluation_periods)
        missing = alarm.evaluation_periods - len(counted)
        if new == "INSUFFICIENT_DATA":
            were = "datapoint was" if missing == 1 else "datapoints were"
            return f"Insufficient Data: {missing} {were} unknown."
        wanted = new == "ALARM"
        shown: list[str] = []
        for age in counted:
            value = values[-1 - age]
            if value is not None and alarm.breaches(value) == wanted:
                start_ms = end_ms - (age + 1) * self._period_ms
                shown.append(f"{value!r} ({_short(start_ms)})")
        periods = _plural(alarm.evaluation_periods, "period")
        filler = {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(
            alarm.treat_missing_data
        )
        treated = (
            f"{missing} missing {'datapoint was' if missing == 1 else 'datapoints were'} "
            f"treated as [{filler}]"
        )
        if not shown:
            received = _plural(len(counted), "datapoint") if counted else "no datapoints"
            verb = "was" if len(counted) == 1 else "were"
            return f"Threshold Crossed: {received} {verb} received for {periods} and {treated}."
        if alarm.m_of_n:
            text = f"{len(shown)} out of the last {alarm.evaluation_periods} datapoints"
        else:
            text = _plural(len(shown), "datapoint")
        text += f" [{', '.join(shown)}] {'was' if len(shown) == 1 else 'were'} "
        text += f"{'' if wanted else 'not '}{OPERATORS[alarm.comparison]} the threshold "
        text += f"({alarm.threshold!r})"
        if missing and filler:
            text += f" and {treated}"
        if alarm.m_of_n:
            needed = (
                alarm.datapoints_to_alarm
                if wanted
                else alarm.evaluation_periods - alarm.datapoints_to_alarm + 1
            )
            change = "OK -> ALARM" if wanted else "ALARM -> OK"
            text += f" (minimum {_plural(needed, 'datapoint')} for {change} transition)"
        return f"Threshold Crossed: {text}."


def _told(call: SetState, state: State) -> Generator[Transition, None, State]:
    """The change that a call of SetAlarmState makes, and the state after it."""
    if call.state != state:
        yield Transition(call.time_ms, call.alarm, state, call.state, call.reason)
    return call.state


def _counted(points: Sequence[float | None], evaluation_periods: int) -> list[int]:
    """The ages (0 is the newest period) of the real data points that an evaluation counts."""
    ages = [age for age, point in enumerate(reversed(points)) if point is not None]
    return ages[:evaluation_periods]


def _short(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%d/%m/%y %H:%M:%S")


# --- composite alarms ----------------------------------------------------------------------------


def _children_first(alarms: Sequence[Alarm]) -> list[Alarm]:
    """The alarms in an order in which every composite alarm follows those that it watches."""
    by_name: dict[str, Alarm] = {}
    for alarm in alarms:
        if alarm.name in by_name:
            raise invalid(f"{alarm.name} already exists", "AlarmName")
        by_name[alarm.name] = alarm
    ordered = [alarm for alarm in alarms if isinstance(alarm, MetricAlarm)]
    done: dict[str, Alarm] = {alarm.name: alarm for alarm in ordered}
    waiting = [alarm for alarm in alarms if isinstance(alarm, CompositeAlarm)]
    for alarm in waiting:
        if alarm.suppressor and alarm.suppressor.alarm not in by_name:
            raise invalid(
                f"The suppressor alarm {alarm.suppressor.alarm} does not exist",
                "ActionsSuppressor",
            )
        absent = [name for name in alarm.rule.children() if name not in by_name]
        if absent:
            raise invalid(
                f"Could not save the composite alarm as alarms [{', '.join(absent)}] in the alarm "
                "rule do not exist",
                "AlarmRule",
            )
    while waiting:
        ready = [one for one in waiting if all(name in done for name in one.rule.children())]
        if not ready:
            # AWS accepts a cycle and stops evaluating its alarms; nobody can mean that.
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
            names = ", ".join(one.name for one in waiting)
            raise invalid(f"The composite alarms {names} watch each other in a cycle", "AlarmRule")
        done.update((one.name, one) for one in ready)
        waiting = [one for one in waiting if one.name not in done]
    return list(done.values())


def _composite_changes(
    alarm: CompositeAlarm,
    changes: Mapping[str, list[Transition]],
    before: Mapping[str, State],
    from_ms: int,
    to_ms: int,
    calls: Sequence[SetState],
) -> list[Transition]:
    children = alarm.rule.children()
    states = {name: before[name] for name in children}
    events: list[Transition | SetState] = sorted(
        [*(change for name in children for change in changes[name]), *calls],
        key=lambda one: one.time_ms,
    )
    first_ms = from_ms // MINUTE_MS * MINUTE_MS + MINUTE_MS
    moments = {event.time_ms for event in events if from_ms < event.time_ms <= to_ms}
    state = before[alarm.name]
    found: list[Transition] = []
    position = 0
    for time_ms in sorted(moments | ({first_ms} if first_ms <= to_ms else set())):
        trigger: Transition | None = None
        call: SetState | None = None
        while position < len(events) and events[position].time_ms <= time_ms:
            event = events[position]
            if isinstance(event, SetState):
                call = event
            else:
                trigger = event
                states[event.alarm] = event.new
            position += 1
        if call is not None:
            found += _told(call, state)
            state = call.state
        if call is not None and trigger is None:
            continue
        new: State = "ALARM" if alarm.rule.holds(states) else "OK"
        if new == state:
            continue
        if trigger is None:
            reason = f"The rule is {'true' if new == 'ALARM' else 'false'} at its first evaluation."
        else:
            when = datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%A %d %B, %Y %H:%M:%S UTC")
            reason = f"{trigger.alarm} transitioned to {trigger.new} at {when}"
        found.append(Transition(time_ms, alarm.name, state, new, reason))
        state = new
    return found


def _held_back(
    alarm: CompositeAlarm,
    own: Sequence[Transition],
    of_suppressor: Sequence[Transition],
    suppressor_state: State,
    to_ms: int,
) -> list[Transition]:
    """The composite alarm's changes with the time for which their actions are held back.

    A change starts a wait period, which a new change starts again. While the suppressor is in
    ALARM nothing is done; when it leaves ALARM an extension period begins, which a change ends (a
    wait period follows). The actions of the state in force run when a period is over. At one
    moment the suppressor's change counts first (a choice; AWS does not say).
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-suppression.html
    """
    assert alarm.suppressor is not None
    found = [replace(change, held_ms=None) for change in own]
    quiet = suppressor_state == "ALARM"
    pending: int | None = None
    due_ms: int | None = None

    def act_before(time_ms: int) -> None:
        nonlocal pending, due_ms
        if pending is not None and due_ms is not None and due_ms < time_ms:
            found[pending] = replace(found[pending], held_ms=due_ms - found[pending].time_ms)
            pending = due_ms = None

    events = [(change.time_ms, 0, number) for number, change in enumerate(of_suppressor)]
    events += [(change.time_ms, 1, number) for number, change in enumerate(own)]
    for time_ms, kind, number in sorted(events):
        act_before(time_ms)
        if kind == 1:
            pending, due_ms = number, None if quiet else time_ms + alarm.suppressor.wait_ms
            continue
        change = of_suppressor[number]
        if change.new == "ALARM":
            quiet, due_ms = True, None
        elif quiet:
            quiet, due_ms = False, time_ms + alarm.suppressor.extension_ms
    act_before(to_ms + 1)
    return found
