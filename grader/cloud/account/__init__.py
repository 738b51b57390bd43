"""The emulated AWS account of a deployed stack.

`Account` is the face: deploy a resolved stack, answer function code's requests, hand failure notes
to destinations, and look at tables, queues, buckets and topics. Behind it stand ``dynamodb`` and
``messaging``, which know moto's quirks where they stand on it, and the emulator's own streams.

    deploy           a resolved stack's data is created, changed and removed
    beyond           other services, for which a team's test answers
    callers          who calls, and what was refused to whom
    account          every way in: function code, the judge, the emulator
    shapes           what of a request does not fit the service's model of its API
    observability    PutMetricData and CloudWatch Logs
    contention       transactions that meet
    faults           throttled tables and failing services, as scripted

A function's request comes in at `Account.answer` as an HTTP call and leaves as its answer. A write
to a table leaves a second time: the table's stream calls whoever listens to it, which is how a
mapping hears of it.
"""

from grader.cloud.account.account import Account
from grader.cloud.account.beyond import TAKEN, Beyond, Hook, ServiceCall
from grader.cloud.account.callers import Denied
from grader.cloud.account.deploy import data, delete_log_group, delete_queue, delete_table
from grader.cloud.account.faults import Fault
from grader.cloud.account.shapes import misfit, outside
from grader.cloud.door import LATENCY_MS
from grader.cloud.dynamodb.consumption import ItemWrite
from grader.cloud.dynamodb.values import plain, wire
from grader.cloud.messaging.queues import Message
from grader.cloud.messaging.topics import Published

__all__ = [
    "LATENCY_MS",
    "TAKEN",
    "Account",
    "Beyond",
    "Denied",
    "Fault",
    "Hook",
    "ItemWrite",
    "Message",
    "Published",
    "ServiceCall",
    "data",
    "delete_log_group",
    "delete_queue",
    "delete_table",
    "misfit",
    "outside",
    "plain",
    "wire",
]
