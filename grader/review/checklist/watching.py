"""Items about alarms: is the trouble seen, is the alarm sound, is somebody told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from grader.cloud.aws import Refused
from grader.cloud.cloudwatch import MetricAlarm
from grader.cloud.template import Resource, Stack, known, shown, unknown
from grader.cloud.typed import flag, number
from grader.cloud.words import counted
from grader.review.checklist.answers import Answer, Evidence, aside, at, met, outside, unmet, unsure
from grader.review.checklist.model import item
from grader.review.checklist.scene import Consumer, objects, owner, words
from grader.review.checklist.watches import (
    MAPPING_METRICS,
    Watch,
    alarms_of,
    covers,
    watches,
)

_METRICS = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html"
_ALARM = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"
_GUIDE = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html"
_SQS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html"
_SNS_KEYS = "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"

DAY_MS = 86_400_000  # after a day the stream has deleted the record
# A choice of this project: an alarm at less than a second of lag was meant in seconds.
LEAST_LAG_MS = 1_000

# Alarms on these that take missing data for trouble would ring whenever nothing is written.
_QUIET_WHEN_WELL = (
    *("Errors", "Throttles", "FailedInvokeEventCount", "DroppedEventCount"),
    *("DestinationDeliveryFailures", "OnFailureDestinationDeliveredEventCount"),
    *("ApproximateNumberOfMessagesVisible", "NumberOfMessagesSent"),
)
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
_UNITS = {"IteratorAge": "Milliseconds", "Duration": "Milliseconds"}


def _rising(watch: Watch) -> bool:
    """Whether the alarm rings when the metric goes up; expressions can turn that round."""
    operator = str(watch.alarm.properties.get("ComparisonOperator"))
    return watch.math or not operator.startswith("LessThan") or unknown(operator)


def _answer(
    consumer: Consumer,
    metrics: Iterable[str],
    missing: str,
    found: str,
    fault: Callable[[Watch], str | None] = lambda watch: None,
    wanted: Callable[[Watch], bool] = _rising,
) -> Answer:
    """Look for an alarm on one of ``metrics``; ``fault`` tells what is wrong with one.

    A fault that begins with "?" is a doubt.
    """
    names = tuple(metrics)
    near: list[Watch] = []
    bad: list[tuple[str, Watch]] = []
    others: list[tuple[Watch, bool]] = []
    for watch in watches(consumer.stack):
        if unknown(watch.metric) or watch.metric in names:
            says = covers(watch, consumer)
            if says == "maybe" and (watch.metric in names or unknown(watch.metric)):
                near.append(watch)
            if says != "yes" or not wanted(watch):
                if watch.metric in names:
                    others.append((watch, says == "yes"))
                continue
            problem = _unreported(watch, consumer) or fault(watch)
            if problem is None:
                return met(f"{watch.alarm.logical_id} {found} ({watch.metric}).", watch.place)
            bad.append((problem, watch))
    doubts = [one for one in bad if one[0].startswith("?")]
    if doubts:
        return unsure(doubts[0][0][1:], doubts[0][1].place)
    if bad:
        return unmet(bad[0][0], *(watch.place for _, watch in bad))
    if near:
        return unsure(
            f"{near[0].alarm.logical_id} may watch it: what it watches is not known.", near[0].place
        )
    if others:
        watch, ours = others[0]
        name = watch.alarm.logical_id
        if ours:
            return consumer.absent(
                f"{name} watches {watch.metric}, but rings when it is low.", watch.place
            )
        return consumer.absent(
            f"{name} watches {watch.metric}, but of something else than this consumer.", watch.place
        )
    return consumer.absent(missing, at(consumer.mapping))


def _unreported(watch: Watch, consumer: Consumer) -> str | None:
    """Why a mapping's metric does not exist, if so."""
    if watch.metric not in MAPPING_METRICS:
        return None
    value = consumer.value("MetricsConfig", "Metrics")
    if "EventCount" in words(value):
        return None
    if unknown(value):
        return "?Whether the mapping reports its event counts is not known."
    return (
        f"{watch.alarm.logical_id} watches {watch.metric}, which the mapping does not report: "
        "MetricsConfig is missing."
    )


def _lag_fault(watch: Watch) -> str | None:
    alarm = watch.alarm
    name = alarm.logical_id
    if unknown(watch.statistic):
        return f"?The statistic of {name} is not known."
    if watch.statistic not in ("Maximum", "p100") and not _high_percentile(watch.statistic):
        return f"{name} takes the {shown(watch.statistic)}; lag is the Maximum."
    if watch.math:
        return None  # the expression may well turn milliseconds into something else
    value = alarm.properties.get("Threshold")
    if unknown(value):
        return f"?The threshold of {name} is {shown(value)}, which the template does not decide."
    if alarm.properties.get("ThresholdMetricId") is not None:
        return None
    threshold = number(value)
    if threshold is None:
        return f"{name} has no threshold."
    if threshold < LEAST_LAG_MS:
        return f"The threshold of {name} is {threshold:g} ms; IteratorAge counts milliseconds."
    if threshold >= DAY_MS:
        return f"{name} rings at {threshold:,.0f} ms; after 24 h the records are gone."
    return None


def _high_percentile(statistic: Any) -> bool:
    found = re.fullmatch(r"p([0-9]{1,2})(\.[0-9]+)?", str(statistic))
    return found is not None and int(found[1]) >= 90


@item(
    "alarm-lag",
    title="An alarm watches how far the consumer is behind.",
    severity="critical",
    why="Lag is the one sign that every kind of trouble has in common, and at 24 hours the records "
    "are gone.",
    fix="Alarm on AWS/Lambda IteratorAge of the function: Maximum, 60 s, threshold in "
    "milliseconds, "
    "such as 60000 for one minute.",
    sources=(_METRICS, _ALARM),
)
def alarm_lag(consumer: Consumer) -> Answer:
    """IteratorAge, Maximum, a threshold between a second and a day."""
    return _answer(
        consumer, ["IteratorAge"], "No alarm watches IteratorAge.", "watches the lag", _lag_fault
    )


@item(
    "alarm-errors",
    title="An alarm watches the function's errors.",
    severity="important",
    why="Exceptions and timeouts show minutes earlier here than as lag.",
    fix="Alarm on AWS/Lambda Errors of the function, Sum, or on Errors divided by Invocations. "
    "FailedInvokeEventCount of the mapping counts the records of failed calls too.",
    sources=(_METRICS,),
)
def alarm_errors(consumer: Consumer) -> Answer:
    """Errors of the function, or the mapping's failed records, which count those of failed "
    "calls."""
    return _answer(
        consumer,
        ["Errors", "FailedInvokeEventCount"],
        "No alarm watches Errors or FailedInvokeEventCount.",
        "watches errors",
    )


@item(
    "alarm-throttles",
    title="An alarm watches throttled calls.",
    severity="important",
    why="A throttled call is no error and no invocation, so neither of those alarms sees it.",
    fix="Alarm on AWS/Lambda Throttles of the function, Sum above 0.",
    sources=(_METRICS,),
)
def alarm_throttles(consumer: Consumer) -> Answer:
    """Throttles of the function."""
    return _answer(consumer, ["Throttles"], "No alarm watches Throttles.", "watches throttles")


@item(
    "alarm-failed-records",
    title="An alarm watches records that the function reports as failed.",
    severity="important",
    applies="consumers with ReportBatchItemFailures",
    why="A call that returns batchItemFailures is a success for the Errors metric.",
    fix="Alarm on AWS/Lambda FailedInvokeEventCount with the dimension EventSourceMappingUUID (Ref "
    "of the mapping), Sum above 0.",
    sources=(_METRICS,),
)
def alarm_failed_records(consumer: Consumer) -> Answer:
    """FailedInvokeEventCount of the mapping."""
    value = consumer.value("FunctionResponseTypes")
    if "ReportBatchItemFailures" not in words(value) and not unknown(value):
        return aside("The function reports no failed records.")
    return _answer(
        consumer,
        ["FailedInvokeEventCount"],
        "No alarm watches FailedInvokeEventCount.",
        "watches failed records",
    )


@item(
    "alarm-discards",
    title="Somebody learns of every record that was given up.",
    severity="critical",
    applies="consumers with an on-failure destination",
    why="A failure note holds no data: the records must be fetched from the stream before its 24 "
    "hours are over.",
    fix="Alarm on ApproximateNumberOfMessagesVisible of the queue, Maximum above 0, or on the "
    "mapping's OnFailureDestinationDeliveredEventCount.",
    sources=(_METRICS, _SQS),
)
def alarm_discards(consumer: Consumer) -> Answer:
    """The queue's depth or the mapping's count of notes; or a topic that tells people itself."""
    if consumer.destination is None:
        return aside("There is no destination.")
    found = consumer.destination_resource
    if found is not None and found.type == "AWS::SNS::Topic":
        heard = _subscribed(consumer.stack, found)
        if heard is not None:
            return met(f"The topic {found.logical_id} tells its subscribers.", heard)
    return _answer(
        consumer,
        [
            "ApproximateNumberOfMessagesVisible",
            "ApproximateAgeOfOldestMessage",
            "NumberOfMessagesSent",
            "NumberOfMessagesPublished",
            "OnFailureDestinationDeliveredEventCount",
        ],
        "No alarm watches the failure destination.",
        "watches the failure notes",
    )


@item(
    "alarm-dropped",
    title="An alarm watches records that were given up without a note.",
    severity="important",
    why="When the destination takes no note, the records are dropped, and only these two metrics "
    "say so.",
    fix="Alarm on AWS/Lambda DestinationDeliveryFailures of the function or DroppedEventCount of "
    "the mapping, Sum above 0.",
    sources=(_METRICS,),
)
def alarm_dropped(consumer: Consumer) -> Answer:
    """DestinationDeliveryFailures of the function, or DroppedEventCount of the mapping."""
    return _answer(
        consumer,
        ["DroppedEventCount", "DestinationDeliveryFailures"],
        "No alarm watches DroppedEventCount or DestinationDeliveryFailures.",
        "watches dropped records",
    )


def _silent(watch: Watch) -> bool:
    operator = watch.alarm.properties.get("ComparisonOperator")
    falls = str(operator).startswith("LessThan") or unknown(operator) or _fills(watch)
    missing = watch.alarm.properties.get("TreatMissingData")
    return falls or missing == "breaching" or unknown(missing)


def _fills(watch: Watch) -> bool:
    """Whether an expression puts a number in the place of missing data."""
    queries = objects(watch.alarm.properties.get("Metrics"))
    return any("FILL(" in str(query.get("Expression")) for _, query in queries)


def _silence_fault(watch: Watch) -> str | None:
    missing = watch.alarm.properties.get("TreatMissingData")
    if missing == "breaching" or _fills(watch):
        return None
    if unknown(missing):
        return f"?TreatMissingData of {watch.alarm.logical_id} is not known."
    return (
        f"{watch.alarm.logical_id} does not treat missing data as breaching, and a mapping that "
        "has stopped reports nothing."
    )


@item(
    "alarm-silence",
    title="An alarm rings when the consumer falls silent.",
    severity="important",
    why="A mapping that is disabled or has lost its rights reports neither lag nor errors: all "
    "other alarms stay green.",
    fix="Alarm on AWS/Lambda PolledEventCount of the mapping with TreatMissingData: breaching.",
    sources=(_METRICS, _GUIDE),
)
def alarm_silence(consumer: Consumer) -> Answer:
    """A metric that is there whenever the mapping works, with missing data as breaching."""
    return _answer(
        consumer,
        ["PolledEventCount", "InvokedEventCount", "Invocations"],
        "No alarm rings when the mapping stops.",
        "rings when nothing is read",
        _silence_fault,
        _silent,
    )


# -- the alarms themselves --------------------------------------------------------------------


@item(
    "alarms-sound",
    title="The consumer's alarms can work.",
    severity="important",
    applies="consumers that alarms watch",
    why="An alarm with a wrong unit stays in INSUFFICIENT_DATA, and one that takes a quiet hour "
    "for "
    "trouble is soon ignored.",
    fix="Leave Unit out. Leave TreatMissingData at missing or notBreaching for counts that are "
    "zero "
    "when all is well.",
    sources=(_ALARM, _GUIDE),
)
def alarms_sound(consumer: Consumer) -> Answer:
    """Each alarm is one that CloudWatch takes, without a unit that never comes."""
    found = alarms_of(consumer)
    if not found:
        return aside("No alarm watches this consumer.")
    doubt: Answer | None = None
    for watch in found:
        alarm = watch.alarm
        unit = alarm.properties.get("Unit")
        usual = _UNITS.get(str(watch.metric), "Count")
        if isinstance(unit, str) and known(unit) and unit not in (usual, "None"):
            return unmet(
                f"{alarm.logical_id} asks for {watch.metric} in {unit}; it comes in {usual}.",
                at(alarm, "Unit"),
            )
        missing = alarm.properties.get("TreatMissingData")
        quiet = watch.metric in _QUIET_WHEN_WELL and not watch.math and _rising(watch)
        if quiet and missing == "breaching":
            return unmet(
                f"{alarm.logical_id} rings whenever {watch.metric} has no data.",
                at(alarm, "TreatMissingData"),
            )
        if not known(alarm.properties):
            doubt = doubt or unsure(
                f"{alarm.logical_id} holds values that are not known.", at(alarm)
            )
            continue
        try:
            MetricAlarm.parse(alarm.properties, name=alarm.physical_id)
        except Refused as refused:
            if refused.code != "NotEmulated":
                return unmet(f"{alarm.logical_id}: {refused.message}", at(alarm))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return unmet(f"{alarm.logical_id} is not an alarm that CloudWatch takes.", at(alarm))
    if doubt is not None:
        return doubt
    names = dict.fromkeys(watch.alarm.logical_id for watch in found)
    return met(f"{', '.join(names)}: sound.", *(watch.place for watch in found))


def _composites(stack: Stack, alarm: Resource) -> list[Resource]:
    """The composite alarms whose rule names the alarm."""
    arn = alarm.attributes.get("Arn", "")
    return [
        one
        for one in stack.of_type("AWS::CloudWatch::CompositeAlarm")
        if isinstance(rule := one.properties.get("AlarmRule"), str)
        and (
            re.search(rf"\(\s*[\"']?{re.escape(alarm.physical_id)}[\"']?\s*\)", rule)
            or (arn and arn in rule)
        )
    ]


def _tellers(consumer: Consumer) -> Iterator[tuple[Resource, list[Resource]]]:
    """Each alarm of the consumer, and the alarms that act for it: itself and composites over it."""
    seen: dict[str, Resource] = {}
    for watch in alarms_of(consumer):
        seen.setdefault(watch.alarm.logical_id, watch.alarm)
    for alarm in seen.values():
        above = _composites(consumer.stack, alarm)
        yield (
            alarm,
            [alarm, *above, *(two for one in above for two in _composites(consumer.stack, one))],
        )


def telling(stack: Stack) -> list[Resource]:
    """The alarms of a template that act when they ring, composite ones too."""
    kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
    return [one for kind in kinds for one in stack.of_type(kind) if _acts(one) is not None]


def _acts(alarm: Resource) -> Any:
    """The alarm's actions; None when they are switched off or absent."""
    if flag(alarm.properties.get("ActionsEnabled")) is False:
        return None
    return alarm.properties.get("AlarmActions") or None


@item(
    "alarm-actions",
    title="Every alarm of the consumer does something when it rings.",
    severity="critical",
    applies="consumers that alarms watch",
    why="An alarm without an action changes colour on a page that nobody looks at.",
    fix="Set AlarmActions to a topic, directly or on a composite alarm above it, and leave "
    "ActionsEnabled on.",
    sources=(_ALARM,),
)
def alarm_actions(consumer: Consumer) -> Answer:
    """AlarmActions is filled, on the alarm or on a composite alarm that names it."""
    places = []
    for alarm, tellers in _tellers(consumer):
        acting = [one for one in tellers if _acts(one) is not None]
        if not acting:
            off = "ActionsEnabled" if alarm.properties.get("AlarmActions") else "AlarmActions"
            return unmet(f"{alarm.logical_id} has no action.", at(alarm, off))
        places.append(at(acting[0], "AlarmActions"))
    if not places:
        return aside("No alarm watches this consumer.")
    return met(f"{counted(len(places), 'alarm')} with actions.", *places)


def _subscribed(stack: Stack, topic: Resource) -> Evidence | None:
    """A subscription to the topic, inline or of its own."""
    if list(objects(topic.properties.get("Subscription"))):
        return at(topic, "Subscription")
    for one in stack.of_type("AWS::SNS::Subscription"):
        arn = one.properties.get("TopicArn")
        if arn is not None and arn in (topic.physical_id, topic.attributes.get("TopicArn")):
            return at(one)
    return None


@item(
    "alarm-heard",
    title="Somebody is told when an alarm rings.",
    severity="critical",
    applies="consumers whose alarms act",
    why="A topic without subscribers, or one that CloudWatch may not publish to, swallows the "
    "alarm.",
    fix="Subscribe an address or a queue to the topic, and confirm it. Encrypt the topic with your "
    "own key or not at all: with alias/aws/sns CloudWatch cannot publish.",
    sources=(_GUIDE, _SNS_KEYS),
)
def alarm_heard(consumer: Consumer) -> Answer:
    """Every acting alarm has an action that reaches somebody."""
    heard: list[Evidence] = []
    doubt: Answer | None = None
    acting = False
    for alarm, tellers in _tellers(consumer):
        answers = [
            _reaches(consumer, one, action) for one in tellers for action in words(_acts(one))
        ]
        if not answers:
            continue
        acting = True
        good = [answer for answer in answers if answer.verdict == "met"]
        open_ = [answer for answer in answers if answer.verdict == "cannot tell"]
        if good:
            heard.extend(good[0].evidence)
        elif open_:
            doubt = doubt or open_[0]
        else:
            return unmet(f"{alarm.logical_id}: {answers[0].detail}", *answers[0].evidence)
    if doubt is not None:
        return doubt
    if not acting:
        return aside("No alarm of this consumer acts.")
    return met("The alarms' topics have subscribers.", *dict.fromkeys(heard))


def _reaches(consumer: Consumer, alarm: Resource, action: str) -> Answer:
    here = at(alarm, "AlarmActions")
    topic = owner(consumer.stack, action)
    if topic is None:
        return outside("alarm's action", action, here)
    if topic.type in ("AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Version"):
        return met(f"The function {topic.logical_id} is called.", here)
    if topic.type != "AWS::SNS::Topic":
        return outside("alarm's receiver", topic.logical_id, here)
    key = topic.properties.get("KmsMasterKeyId")
    if isinstance(key, str) and key.endswith("alias/aws/sns"):
        # CloudWatch needs a key policy that lets it in, and that of AWS's own key is fixed.
        return unmet(
            f"{topic.logical_id} is encrypted with alias/aws/sns, with which CloudWatch cannot "
            "publish.",
            at(topic, "KmsMasterKeyId"),
        )
    found = _subscribed(consumer.stack, topic)
    if found is None:
        return consumer.absent(f"{topic.logical_id} has no subscription.", at(topic))
    return met(f"{topic.logical_id} has a subscription.", found)
