"""What the alarms of a template look at, and whether that is this consumer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from grader.cloud.template import Resource, Stack, known, unknown
from grader.review.checklist.answers import Evidence, at
from grader.review.checklist.scene import Consumer, objects

FUNCTION_METRICS = ("IteratorAge", "Errors", "Throttles", "Invocations", "Duration")
MAPPING_METRICS = (
    "PolledEventCount",
    "FilteredOutEventCount",
    "InvokedEventCount",
    "FailedInvokeEventCount",
    "DroppedEventCount",
    "OnFailureDestinationDeliveredEventCount",
)

Says = Literal["yes", "maybe", "no"]


@dataclass(frozen=True)
class Watch:
    """One metric that an alarm looks at. ``math``: it is part of an expression."""

    alarm: Resource
    namespace: Any
    metric: Any
    dimensions: Mapping[str, Any]
    statistic: Any
    math: bool
    path: tuple[str | int, ...]

    @property
    def place(self) -> Evidence:
        """Where the alarm stands."""
        return at(self.alarm, *self.path)


def watches(stack: Stack) -> Iterator[Watch]:
    """Every metric that an alarm of the template looks at."""
    for alarm in stack.of_type("AWS::CloudWatch::Alarm"):
        given = alarm.properties
        if "MetricName" in given:
            statistic = given.get("Statistic", given.get("ExtendedStatistic"))
            yield Watch(
                alarm,
                given.get("Namespace"),
                given.get("MetricName"),
                _dimensions(given.get("Dimensions")),
                statistic,
                False,
                ("MetricName",),
            )
        queries = list(objects(given.get("Metrics")))
        math = any("Expression" in query for _, query in queries)
        for position, query in queries:
            stat = query.get("MetricStat")
            metric = stat.get("Metric") if isinstance(stat, Mapping) else None
            if isinstance(stat, Mapping) and isinstance(metric, Mapping):
                yield Watch(
                    alarm,
                    metric.get("Namespace"),
                    metric.get("MetricName"),
                    _dimensions(metric.get("Dimensions")),
                    stat.get("Stat"),
                    math,
                    ("Metrics", position),
                )


def _dimensions(value: Any) -> dict[str, Any]:
    return {str(one.get("Name")): one.get("Value") for _, one in objects(value)}


def _same(value: Any, expected: str, given: bool) -> Says:
    """Whether a dimension's value is the name ``expected``; ``given``: the template chose the name.

    A name that CloudFormation makes up cannot be known beforehand, so that only a reference to the
    resource yields it. Two texts with the same marks in the same order differ when their rest does.
    """
    if value == expected:
        return "yes"
    if not isinstance(value, str) or (known(value) and known(expected)):
        return "no"
    if not given and known(expected):
        return "no"
    marks = [re.findall("\ue000[^\ue001]*\ue001", text) for text in (value, expected)]
    return "no" if marks[0] == marks[1] else "maybe"


def covers(watch: Watch, consumer: Consumer) -> Says:
    """Whether what an alarm looks at is this consumer."""
    if unknown(watch.namespace) or unknown(watch.metric):
        return "maybe"
    dimensions = watch.dimensions
    if watch.namespace == "AWS/Lambda":
        if watch.metric in MAPPING_METRICS:
            mapping = consumer.mapping
            name = mapping.attributes.get("Id", mapping.physical_id)
            return _same(dimensions.get("EventSourceMappingUUID"), name, given=False)
        if not dimensions:
            return "yes"  # the metric of all functions together
        return _same(dimensions.get("FunctionName"), *_function_name(consumer))
    if watch.namespace in ("AWS/SQS", "AWS/SNS") and consumer.destination is not None:
        dimension = "QueueName" if watch.namespace == "AWS/SQS" else "TopicName"
        return _same(dimensions.get(dimension), *_destination_name(consumer, dimension))
    return "no"


def _function_name(consumer: Consumer) -> tuple[str, bool]:
    if consumer.function is not None:
        return consumer.function.physical_id, "FunctionName" in consumer.function.properties
    value = consumer.value("FunctionName")
    text = value if isinstance(value, str) else ""
    return text.split(":function:")[-1] if text.startswith("arn:") else text, True


def _destination_name(consumer: Consumer, attribute: str) -> tuple[str, bool]:
    found = consumer.destination_resource
    if found is not None:
        return found.attributes.get(attribute, ""), attribute in found.properties
    value = consumer.destination
    return (value.rpartition(":")[2] if isinstance(value, str) else ""), True


def alarms_of(consumer: Consumer) -> list[Watch]:
    """What alarms look at in this consumer, one entry a metric."""
    return [watch for watch in watches(consumer.stack) if covers(watch, consumer) == "yes"]
