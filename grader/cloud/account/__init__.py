"""The emulated AWS account of a deployed stack.

`Account` is the face: deploy a resolved stack, answer function code's requests, hand failure notes
to destinations, and look at tables, queues, buckets and topics. Behind it stand moto (tables,
queues, buckets, logs) and the emulator's own streams; moto's quirks live in this package and
nowhere else, each at the head of the module that deals with it.

    door             HTTP requests read as API calls, answers in each service's protocol
    tables           DynamoDB's data plane
    values           attribute values on their way in and out
    consumption      write units of every write
    streams          the DynamoDB Streams API
    queues, topics   SQS and SNS
    buckets          S3
    observability    PutMetricData and CloudWatch Logs
    faults           throttled tables and failing services, as scripted
    deploy           a resolved stack becomes all of these
    moto_world       moto's state of one account, on virtual time
"""

from grader.cloud.account.account import Account, Denied
from grader.cloud.account.door import LATENCY_MS
from grader.cloud.account.faults import Fault
from grader.cloud.dynamodb.consumption import ItemWrite
from grader.cloud.dynamodb.values import plain, wire
from grader.cloud.messaging.queues import Message
from grader.cloud.messaging.topics import Published

__all__ = [
    "LATENCY_MS",
    "Account",
    "Denied",
    "Fault",
    "ItemWrite",
    "Message",
    "Published",
    "plain",
    "wire",
]
