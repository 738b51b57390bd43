"""What SQS and SNS tell CloudWatch of an account's queues and topics.

Both speak only of what is active. "CloudWatch considers a queue to be active for up to six hours if
it contains any messages or if any action accesses it", and a topic for six hours from the last call
on it; creating one is a call. What AWS leaves open, decided here: six hours, not less; a queue that
becomes active speaks at once (AWS: after up to 15 minutes); a topic speaks in the minutes in which
it gets a message, and of what happened. Metrics of a bucket do not come within minutes: S3 tells
its size once a day, and its requests only after opting in.

AWS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html
     https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
     https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html
     https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudwatch-monitoring.html
"""

from __future__ import annotations

from grader.cloud.clock import Clock
from grader.cloud.messaging.queues import Queues
from grader.cloud.metrics import Metrics, dimensions

ACTIVE_MS = 6 * 3_600_000


class Meter:
    """Metrics of one account's queues and topics, written to ``metrics`` as of the clock's now."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._born_ms = clock.now
        self._accessed_ms: dict[str, int] = {}

    def accessed(self, queue: str) -> None:
        """Somebody made a call on a queue (by name)."""
        self._accessed_ms[queue] = self._clock.now

    def sent(self, queue: str, count: int = 1) -> None:
        """So many messages came into a queue (by name)."""
        self.accessed(queue)
        for _ in range(count):
            self._of_queue(queue, "NumberOfMessagesSent", 1)

    def observe(self, queues: Queues) -> None:
        """What SQS reports of its queues each minute."""
        now = self._clock.now
        for queue in queues.arns:
            counts = queues.counts(queue)
            if counts.oldest_ms is not None:
                self.accessed(queue)
            elif now - self._accessed_ms.setdefault(queue, self._born_ms) > ACTIVE_MS:
                continue
            self._of_queue(queue, "ApproximateNumberOfMessagesVisible", counts.visible)
            self._of_queue(queue, "ApproximateNumberOfMessagesNotVisible", counts.in_flight)
            if counts.oldest_ms is not None:
                oldest_s = (now - counts.oldest_ms) // 1000
                self._of_queue(queue, "ApproximateAgeOfOldestMessage", oldest_s, "Seconds")

    def published(self, topic: str, size: int, delivered: int, failed: int) -> None:
        """A topic (by name) took a message of ``size`` bytes for its subscriptions."""
        figures = {
            "NumberOfMessagesPublished": 1,
            "NumberOfNotificationsDelivered": delivered,
            "NumberOfNotificationsFailed": failed,
        }
        for name, count in figures.items():
            if count:
                self._put("AWS/SNS", name, 1, "Count", count, TopicName=topic)
        self._put("AWS/SNS", "PublishSize", size, "Bytes", TopicName=topic)

    def _of_queue(self, queue: str, name: str, value: float, unit: str = "Count") -> None:
        self._put("AWS/SQS", name, value, unit, QueueName=queue)

    def _put(
        self, namespace: str, name: str, value: float, unit: str, count: int = 1, **dims: str
    ) -> None:
        now = self._clock.now
        self._metrics.put(
            namespace, name, value, now, unit=unit, dims=dimensions(dims), count=count
        )
