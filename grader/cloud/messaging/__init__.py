"""Where notes go: queues, topics and buckets.

    topics    SNS: publishes, and delivers into queues by the callable it is given
    queues    SQS, on moto
    buckets   S3, on moto

What is sent comes out again where somebody looks: `Account.messages`, ``published``, ``objects``.
"""

from grader.cloud.messaging.buckets import Buckets
from grader.cloud.messaging.queues import Message, Queues
from grader.cloud.messaging.topics import Published, Topics

__all__ = ["Buckets", "Message", "Published", "Queues", "Topics"]
