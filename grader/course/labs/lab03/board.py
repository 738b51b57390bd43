"""Lab 3, task 2: what a dashboard has to show, and which metrics there are to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grader.cloud.cloudwatch import dashboards, parse_statistic
from grader.cloud.metrics import Dimensions, dimensions
from grader.course.labs.lab03.batches import measured_batches
from grader.course.play.paging import (
    MAPPING,
    NAMESPACE,
    SERVICE,
    event_counts,
    of_function,
    of_mapping,
    queues,
)
from grader.course.play.traffic import ORDERS

if TYPE_CHECKING:
    from grader.cloud.cloudwatch.selection import Selection
    from grader.cloud.template import Resource
    from grader.course.stage import Stage

# Metrics that AWS publishes of resources like the stack's, whether or not a play made them speak.
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
# https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
_OF_FUNCTIONS = (
    *("Invocations", "Errors", "Throttles", "Duration", "IteratorAge", "ConcurrentExecutions"),
    *("DestinationDeliveryFailures", "RecursiveInvocationsDropped"),
)
OF_MAPPINGS = (
    *("PolledEventCount", "FilteredOutEventCount", "InvokedEventCount", "FailedInvokeEventCount"),
    *("DroppedEventCount", "OnFailureDestinationDeliveredEventCount"),
)
_OF_ACCOUNTS = (
    "ConcurrentExecutions",
    "UnreservedConcurrentExecutions",
    "ClaimedAccountConcurrency",
)
_OF_TABLES = (
    *("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents"),
    *("WriteThrottleEvents", "TimeToLiveDeletedItemCount", "ThrottledRequests"),
)
_OF_OPERATIONS = ("SuccessfulRequestLatency", "ThrottledRequests", "SystemErrors")
_OPERATIONS = (
    *("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan", "BatchGetItem"),
    *("BatchWriteItem", "TransactWriteItems", "TransactGetItems", "GetRecords"),
)
_OF_SHARDS = ("ReturnedRecordsCount", "ReturnedBytes")
_OF_QUEUES = (
    *("ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"),
    *("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesDelayed"),
    *("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted"),
    *("NumberOfEmptyReceives", "SentMessageSize"),
)
_OF_TOPICS = (
    *("NumberOfMessagesPublished", "NumberOfNotificationsDelivered"),
    *("NumberOfNotificationsFailed", "PublishSize"),
)

Metric = tuple[str, str, Dimensions]


def existing_metrics(stage: Stage) -> set[Metric]:
    """Every (namespace, name, dimensions) that this stack publishes."""
    found = {
        (key.namespace, key.name, key.dimensions)
        for batch in stage.play(measured_batches).batches
        for key in batch.published
    }

    def add(namespace: str, names: Sequence[str], dims: Dimensions) -> None:
        found.update((namespace, name, dims) for name in names)

    add("AWS/Lambda", _OF_ACCOUNTS, ())
    for resource in stage.stack.resources.values():
        name = resource.physical_id
        match resource.type:
            case "AWS::Lambda::Function":
                add("AWS/Lambda", _OF_FUNCTIONS, dimensions(FunctionName=name))
                add("AWS/Lambda", _OF_FUNCTIONS, dimensions(FunctionName=name, Resource=name))
            case "AWS::Lambda::EventSourceMapping":
                if event_counts(stage, resource.logical_id):
                    add("AWS/Lambda", OF_MAPPINGS, dimensions(EventSourceMappingUUID=name))
            case "AWS::DynamoDB::Table":
                add("AWS/DynamoDB", _OF_TABLES, dimensions(TableName=name))
                for operation in _OPERATIONS:
                    dims = dimensions(TableName=name, Operation=operation)
                    add("AWS/DynamoDB", _OF_OPERATIONS, dims)
                label = resource.attributes.get("StreamArn", "").rpartition("/stream/")[2]
                if label:
                    add(
                        "AWS/DynamoDB",
                        _OF_SHARDS,
                        dimensions(TableName=name, Operation="GetRecords", StreamLabel=label),
                    )
            case "AWS::SQS::Queue":
                add("AWS/SQS", _OF_QUEUES, dimensions(QueueName=resource.attributes["QueueName"]))
            case "AWS::SNS::Topic":
                topic = resource.attributes["TopicName"]
                add("AWS/SNS", _OF_TOPICS, dimensions(TopicName=topic))
    return found


@dataclass(frozen=True)
class Answer:
    """A metric that answers a question; ``high`` when only a high statistic of it does."""

    metric: Metric
    high: bool = False

    def is_given_by(self, stat: str) -> bool:
        """Whether this statistic of the metric answers the question."""
        if not self.high or stat == "Maximum":
            return True
        found = parse_statistic(stat)
        return found is not None and found.is_percentile and (found.high or 0) >= 0.9


def questions(stage: Stage) -> Mapping[str, Sequence[Answer]]:
    """What a dashboard has to show: for each question the metrics that answer it."""
    function, mapping = of_function(stage), of_mapping(stage)
    orders = stage.stack.resources[ORDERS].physical_id
    reads = dimensions(TableName=orders, Operation="GetRecords")
    return {
        "how far behind the totals are": [
            Answer(("AWS/Lambda", "IteratorAge", function), high=True),
            Answer((NAMESPACE, "Lag", SERVICE), high=True),
        ],
        "which records fail": [
            Answer(("AWS/Lambda", "FailedInvokeEventCount", mapping)),
            Answer((NAMESPACE, "RecordsFailed", SERVICE)),
        ],
        "whether the function is throttled": [Answer(("AWS/Lambda", "Throttles", function))],
        "whether the mapping polls": [
            Answer(("AWS/Lambda", "PolledEventCount", mapping)),
            Answer(("AWS/DynamoDB", "SuccessfulRequestLatency", reads)),
        ],
        "what was given up": [
            Answer(("AWS/Lambda", "OnFailureDestinationDeliveredEventCount", mapping)),
            *(
                Answer(("AWS/SQS", name, dims))
                for dims in queues(stage)
                for name in ("ApproximateNumberOfMessagesVisible", "NumberOfMessagesSent")
            ),
            *(
                Answer(("AWS/SNS", name, dims))
                for dims in _notified(stage)
                for name in ("NumberOfMessagesPublished", "PublishSize")
            ),
        ],
    }


def _notified(stage: Stage) -> list[Dimensions]:
    """The dimensions of the topic that gets the mapping's notes, when a topic does."""
    properties = stage.stack.resources[MAPPING].properties
    failed = properties.get("DestinationConfig", {}).get("OnFailure", {})
    topic = stage.stack.by_arn(str(failed.get("Destination")))
    if topic is None or topic.type != "AWS::SNS::Topic":
        return []
    return [dimensions(TopicName=topic.attributes["TopicName"])]


# -- the stack's dashboards ------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row that a reader sees: one metric, or a query for metrics."""

    board: Resource
    widget: int
    row: int
    stat: str
    region: str
    source: dashboards.Signal | Selection

    def shows(self, metric: Metric) -> bool:
        """Whether this metric is in the row."""
        if isinstance(self.source, dashboards.Signal):
            return metric == (self.source.namespace, self.source.name, self.source.dimensions)
        return self.source.finds(*metric)


def boards(stage: Stage) -> list[tuple[Resource, dashboards.Dashboard]]:
    """The stack's dashboards, read."""
    found = stage.stack.of_type("AWS::CloudWatch::Dashboard")
    return [(one, dashboards.parse(one.properties["DashboardBody"])) for one in found]


def rows(stage: Stage) -> list[Row]:
    """Every row of every dashboard that a reader sees."""
    found: list[Row] = []
    for board, read in boards(stage):
        found += [Row(board, one.widget, one.row, one.stat, one.region, one) for one in read.shown]
        found += [
            Row(board, maths.widget, maths.row, query.stat, maths.region, query)
            for maths, query in read.searches
        ]
    return found
