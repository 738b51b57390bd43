"""The drills: what the operations guide calls symptoms, each as a night of its own.

The shop ships an order when it is placed: `templates/shop`. A drill changes its parameters, lets
customers order, and lets somebody or something break it. The order here is the one of `labs list`,
and a drill's place in it is its number: a new one comes last.
"""

from __future__ import annotations

import random
from dataclasses import replace

from grader.sandbox.oncall.drill import Drill, Happening, Orders

# Hours of ordinary business before anything happens: whoever reads the stream from its beginning
# meets them again.
PAST = Orders(every_s=600, from_min=-230, until_min=-70, name="past")
DAY = Orders(every_s=90, from_min=-70)
ONLY_ORDERS = '{"dynamodb": {"NewImage": {"kind": {"S": ["order"]}}}}'
ONLY_WEB = '{"dynamodb": {"NewImage": {"kind": {"S": ["order"]}, "channel": {"S": ["web"]}}}}'

GROWTH = Drill(
    slug="later-and-later",
    key="growth",
    title="Orders wait longer and longer",
    rings=("ShippingLate",),
    page="operations/index#too-slow",
    causes=("growth",),
    parameters={"BatchSize": "1", "Lanes": "1", "CourierSeconds": "150"},
    orders=(PAST, Orders(every_s=90, from_min=-70)),
    happens=(),
    hints=(
        "Nothing fails and nothing is throttled: it works, and not fast enough.",
        "One lane does one batch at a time. Compare how long an invocation takes (Duration) with "
        "how often an order comes, and look at the batch size.",
        "A session with the courier takes as long for ten orders as for one. A larger batch or "
        "more lanes (--parallelization-factor) drain the backlog.",
    ),
    calm=(
        'aws lambda get-event-source-mapping --uuid "$MAPPING" '
        '--query "[BatchSize, ParallelizationFactor]"',
        'aws lambda update-event-source-mapping --uuid "$MAPPING" --batch-size 10',
    ),
)

OWN_RESERVATION = Drill(
    slug="throttled-and-late",
    key="own-reservation",
    title="Throttled, and late",
    rings=("ShippingThrottled", "ShippingLate"),
    page="operations/index#throttling",
    causes=("own-reservation",),
    parameters={"BatchSize": "1", "Lanes": "10", "CourierSeconds": "150"},
    orders=(PAST, DAY),
    happens=(
        Happening(
            -65,
            "lambda:PutFunctionConcurrency",
            {"FunctionName": "$ShippingFunction", "ReservedConcurrentExecutions": 1},
            "A colleague reserves one execution for the function, so that it cannot eat the pool.",
        ),
    ),
    hints=(
        "Throttles are counted and Errors are not: the function is not let run. Who may let it?",
        "Compare what the mapping wants at once (open shards times its factor) with what the "
        "function may have: aws lambda get-function-concurrency.",
        "One execution is reserved for ten lanes. Remove the reservation, or raise it.",
    ),
    calm=(
        'aws lambda get-function-concurrency --function-name "$FUNCTION"',
        'aws lambda delete-function-concurrency --function-name "$FUNCTION"',
    ),
)

NEIGHBOUR = Drill(
    slug="throttled",
    key="neighbour",
    title="Throttled",
    rings=("ShippingThrottled",),
    page="operations/index#throttling",
    causes=("neighbour",),
    parameters={"BatchSize": "1", "Lanes": "10", "CourierSeconds": "60"},
    orders=(PAST, DAY),
    happens=(
        Happening(-235, "account_limit", {"limit": 200}, "The account may run 200 at once."),
        Happening(
            -45,
            "neighbour",
            {"function": "$ReportsFunction", "wanted": 1_000},
            "Another team's reports begin, and want a thousand executions at once.",
        ),
    ),
    hints=(
        "Throttles without a reservation of its own: the function shares, and nothing is left.",
        "aws lambda list-functions shows who else lives here; ConcurrentExecutions by FunctionName "
        "shows who runs. aws lambda get-account-settings shows the limit.",
        "Reserve some executions for the shop's function, or cap the reports with "
        "put-function-concurrency.",
    ),
    calm=(
        "aws lambda get-account-settings --query AccountLimit",
        'aws lambda put-function-concurrency --function-name "$FUNCTION" '
        "--reserved-concurrent-executions 20",
    ),
)

POISON = Drill(
    slug="failing-and-late",
    key="poison-record",
    title="It fails, and everything waits",
    rings=("ShippingFailing", "ShippingLate"),
    page="operations/index#stuck-batch",
    causes=("poison-record",),
    parameters={"Bounded": "no", "Retries": "-1"},
    orders=(
        PAST,
        DAY,
        Orders(30, -40.2, -39.8, name="odd", items=({"price": "12,50"},), good=False),
    ),
    happens=(),
    hints=(
        "The same record comes first in every failing invocation. How often may it come?",
        "aws lambda get-event-source-mapping: MaximumRetryAttempts, BisectBatchOnFunctionError and "
        "the destination decide what becomes of an order that nobody can process.",
        "Bound the retries, split failing batches, and send notes to the failure queue, in one "
        "update: then only the odd order is given up, and somebody hears of it.",
    ),
    calm=(
        'aws logs filter-log-events --log-group-name "$LOGS" --filter-pattern ERROR '
        '--query "events[-3:].message"',
        'aws lambda update-event-source-mapping --uuid "$MAPPING" --maximum-retry-attempts 3 '
        "--bisect-batch-on-function-error "
        '--destination-config "OnFailure={Destination=$QUEUE_ARN}"',
    ),
)

DISABLED = Drill(
    slug="silence",
    key="mapping-disabled",
    title="Nothing runs",
    rings=("ShippingSilent",),
    page="operations/index#nothing-is-invoked",
    causes=("mapping-disabled",),
    parameters={"CourierSeconds": "20"},
    orders=(PAST, DAY),
    happens=(
        Happening(
            -40,
            "lambda:UpdateEventSourceMapping",
            {"UUID": "$OrdersToShipping", "Enabled": False},
            "A colleague disables the mapping for a test, and goes home.",
        ),
    ),
    hints=(
        "Nothing fails, nothing is throttled, nothing is invoked. Does the mapping poll at all?",
        'aws lambda get-event-source-mapping --uuid "$MAPPING" --query State',
        "Enable it. It goes on behind the last order that it had dealt with; nothing is lost.",
    ),
    calm=(
        'aws lambda get-event-source-mapping --uuid "$MAPPING" --query State',
        'aws lambda update-event-source-mapping --uuid "$MAPPING" --enabled',
    ),
)

FILTER = Drill(
    slug="half-are-missing",
    key="filter",
    title="Half of the orders never arrive",
    rings=("OrdersLeftOut",),
    page="operations/index#nothing-is-invoked",
    causes=("filter",),
    told="Support: customers who ordered in the app ask where their parcels are.",
    orders=(
        PAST,
        Orders(every_s=90, from_min=-70, items=({"channel": "web"}, {"channel": "app"})),
    ),
    happens=(
        Happening(
            -30,
            "lambda:UpdateEventSourceMapping",
            {
                "UUID": "$OrdersToShipping",
                "FilterCriteria": {"Filters": [{"Pattern": ONLY_WEB}]},
            },
            "A colleague narrows the filter to orders from the web.",
        ),
    ),
    hints=(
        "FilteredOutEventCount counts what the filter drops. Compare its pattern with an order.",
        "A dropped record is done with: no retry, no note. The stream still has it, for a day.",
        "Widen the filter first. Then bring back what was dropped: read it from the stream and "
        "invoke the function with it, or write the orders once more.",
    ),
    calm=(
        'aws lambda get-event-source-mapping --uuid "$MAPPING" --query FilterCriteria',
        'aws lambda update-event-source-mapping --uuid "$MAPPING" --filter-criteria '
        '\'{"Filters": [{"Pattern": "{\\"dynamodb\\": {\\"NewImage\\": '
        '{\\"kind\\": {\\"S\\": [\\"order\\"]}}}}"}]}\'',
        '"$PYTHON" replay.py --since 120',
    ),
)

DESTINATION = Drill(
    slug="undelivered-note",
    key="destination",
    title="A note did not arrive",
    rings=("NotesUndelivered",),
    page="operations/index#silent-failures",
    causes=("destination",),
    told="Swift, a carrier: our pickups have been down for half an hour; we are back in a quarter "
    "of an hour.",
    orders=(
        PAST,
        DAY,
        Orders(every_s=240, from_min=-70, name="swift", items=({"carrier": "swift"},)),
    ),
    happens=(
        Happening(
            -236,
            "lambda:UpdateEventSourceMapping",
            {
                "UUID": "$OrdersToShipping",
                "DestinationConfig": {"OnFailure": {"Destination": "$OldFailedRecords.Arn"}},
            },
            "The mapping still sends its notes to the old queue.",
        ),
        Happening(
            -60,
            "sqs:DeleteQueue",
            {"QueueUrl": "$OldFailedRecords"},
            "A colleague tidies up, and deletes the old queue.",
        ),
        Happening(
            -30,
            "carrier_down",
            {"queue": "$SwiftPickups.QueueName", "minutes": 45},
            "The carrier Swift is down for three quarters of an hour.",
        ),
        Happening(
            0,
            "carrier_down",
            {"queue": "$SwiftPickups.QueueName", "minutes": 10},
            "Swift is down once more, for ten minutes.",
            after=True,
        ),
    ),
    hints=(
        "DestinationDeliveryFailures: orders are given up, and the note about it is lost as well.",
        "Where does the mapping send its notes (DestinationConfig), and is that queue there?",
        "Point the mapping at the queue that exists. Notes that were lost never come again: read "
        "the orders of the last three quarters of an hour from the stream when Swift is back.",
    ),
    calm=(
        'aws lambda get-event-source-mapping --uuid "$MAPPING" --query DestinationConfig',
        'aws lambda update-event-source-mapping --uuid "$MAPPING" '
        '--destination-config "OnFailure={Destination=$QUEUE_ARN}"',
        '"$PYTHON" replay.py --notes',
        '"$PYTHON" replay.py --since 120',
    ),
    excused="swift",
    notes=True,
)

DEPLOYMENT = Drill(
    slug="notes-pile-up",
    key="deployment",
    title="Notes pile up in the queue",
    rings=("OrdersGivenUp",),
    page="operations/index#stuck-batch",
    causes=("deployment",),
    told="The web team: gifts have been on sale for half an hour. Nothing to do with shipping.",
    orders=(
        PAST,
        DAY,
        Orders(every_s=240, from_min=-32, name="gift", items=({"price_snapshot": None},)),
    ),
    happens=(
        Happening(
            -45,
            "lambda:UpdateFunctionCode",
            {"FunctionName": "$ShippingFunction", "ZipFile": "@release"},
            "A release of the handler: it reads the price that the customer saw.",
        ),
    ),
    hints=(
        "Some orders are given up and others are shipped. What do the failing ones have in common?",
        "The log names what is missing: aws logs filter-log-events --filter-pattern ERROR. When "
        "did it begin, and what was deployed before that?",
        "Bring back the code of before the release (the folder previous/), and then redrive the "
        "notes: fetch their orders from the stream, invoke the function with them, delete it.",
    ),
    calm=(
        'aws logs filter-log-events --log-group-name "$LOGS" --filter-pattern ERROR '
        '--query "events[-3:].message"',
        'aws lambda update-function-code --function-name "$FUNCTION" '
        "--zip-file fileb://previous.zip",
        '"$PYTHON" replay.py --notes',
    ),
    notes=True,
)

ROLE = Drill(
    slug="every-order-fails",
    key="role-lost-right",
    title="Every order fails",
    rings=("ShippingFailing", "OrdersGivenUp"),
    page="operations/index#stuck-batch",
    causes=("role-lost-right",),
    parameters={"Retries": "6"},
    orders=(PAST, DAY),
    happens=(
        Happening(
            -20,
            "lambda:UpdateFunctionConfiguration",
            {"FunctionName": "$ShippingFunction", "Role": "$LeanShippingRole.Arn"},
            "The security team gives the function a role with fewer rights.",
        ),
    ),
    hints=(
        "Every order fails, and none times out. The log says what is refused, and to whom.",
        "aws lambda get-function-configuration --query Role: is that the role of last week? The "
        "template knows both.",
        "Give the function its role back (update-function-configuration --role), and redrive what "
        "was given up meanwhile.",
    ),
    calm=(
        'aws logs filter-log-events --log-group-name "$LOGS" '
        '--filter-pattern AccessDeniedException --query "events[-1:].message"',
        'aws lambda update-function-configuration --function-name "$FUNCTION" --role "$ROLE"',
        '"$PYTHON" replay.py --notes',
    ),
    notes=True,
)

CAPACITY = Drill(
    slug="fails-now-and-then",
    key="table-capacity",
    title="It fails now and then, and is late",
    rings=("ShippingFailing", "ShippingLate"),
    page="operations/index#stuck-batch",
    causes=("table-capacity",),
    parameters={
        "BatchSize": "1",
        "Retries": "8",
        "CourierSeconds": "45",
        "LabelBytes": "24000",
        "WriteUnits": "5",
    },
    orders=(PAST, DAY),
    happens=(
        Happening(
            -235,
            "capacity_counts",
            {"table": "$Shipments", "others": 0.92},
            "The warehouse writes to the table of shipments, too, all day.",
        ),
        Happening(
            -65,
            "dynamodb:UpdateTable",
            {
                "TableName": "$Shipments",
                "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 1},
            },
            "A colleague saves money: one write unit has been enough on most days.",
        ),
    ),
    hints=(
        "The log says ProvisionedThroughputExceeded. Of which table, and whose capacity is it?",
        "A parcel's label takes 24 write units, and the warehouse writes there, too. More lanes "
        "would ask for more at once, and more orders would be given up: describe-table tells.",
        "Give the table of shipments its five units back, or put it on demand, and leave the lanes "
        "alone.",
    ),
    calm=(
        'aws dynamodb describe-table --table-name "$SHIPMENTS" --query Table.ProvisionedThroughput',
        'aws dynamodb update-table --table-name "$SHIPMENTS" '
        "--provisioned-throughput ReadCapacityUnits=5,WriteCapacityUnits=5",
    ),
    notes=True,
)

MEMORY = Drill(
    slug="time-outs",
    key="memory-cut",
    title="Time-outs",
    rings=("ShippingFailing",),
    page="operations/index#time-outs",
    causes=("memory-cut",),
    parameters={
        "BatchSize": "1",
        "Retries": "2",
        "Memory": "1769",
        "Timeout": "20",
        "LabelSeconds": "2",
    },
    orders=(PAST, DAY),
    happens=(
        Happening(
            -16,
            "lambda:UpdateFunctionConfiguration",
            {"FunctionName": "$ShippingFunction", "MemorySize": 128},
            "A colleague cuts the memory: only 74 MB of it were ever used.",
        ),
    ),
    hints=(
        "The log says Task timed out. Is it more work than before, or less to do it with?",
        "Max Memory Used is fine, and the memory is what decides the share of a CPU: "
        "aws lambda get-function-configuration --query [MemorySize, Timeout].",
        "Give it the memory back (1769 MB are one CPU), or as much time as the work takes now; "
        "then redrive what was given up.",
    ),
    calm=(
        'aws lambda get-function-configuration --function-name "$FUNCTION" '
        '--query "[MemorySize, Timeout]"',
        'aws lambda update-function-configuration --function-name "$FUNCTION" --memory-size 1769',
        '"$PYTHON" replay.py --notes',
    ),
    notes=True,
    extra_dollars=0.2,
)

BACKLOG = Drill(
    slug="long-silence",
    key="old-backlog",
    title="Silence since yesterday",
    rings=("ShippingSilent",),
    page="operations/index#first-minutes",
    causes=("old-backlog",),
    told="The team of the migration: we are done. You can have shipping back; it has been ours "
    "since yesterday.",
    parameters={"MaximumAge": "21600", "CourierSeconds": "20"},
    orders=(
        Orders(every_s=1_800, from_min=-1_480, until_min=-70, name="yesterday"),
        Orders(every_s=180, from_min=-70),
    ),
    happens=(
        Happening(
            -1_320,
            "lambda:UpdateEventSourceMapping",
            {"UUID": "$OrdersToShipping", "Enabled": False},
            "The team of a migration disables the mapping.",
        ),
    ),
    hints=(
        "A record is in the stream for 24 hours. How old is the oldest one that waits?",
        "What will the mapping do with a record of this age when it is switched on? See "
        "MaximumRecordAgeInSeconds.",
        "First lift the maximum age (--maximum-record-age-in-seconds -1), then enable: the other "
        "way round it gives up everything that is older than six hours.",
    ),
    calm=(
        'aws lambda get-event-source-mapping --uuid "$MAPPING" '
        '--query "[State, MaximumRecordAgeInSeconds]"',
        'aws lambda update-event-source-mapping --uuid "$MAPPING" --enabled '
        "--maximum-record-age-in-seconds -1",
    ),
    minutes=60,
    before_min=1_500,
    notes=True,
)

# Beside a reservation all waits; so that an order is given up before the page, gifts begin earlier.
_EARLIER = replace(
    DEPLOYMENT,
    parameters={"Retries": "1"},
    told="The web team: gifts have been on sale for three quarters of an hour. Nothing to do with "
    "shipping.",
    orders=(PAST, DAY, replace(DEPLOYMENT.orders[-1], from_min=-44)),
)
# Two at once: neither hides the other, and each is cured by itself.
_PAIRS = (
    (FILTER, DESTINATION),
    (OWN_RESERVATION, _EARLIER),
    (FILTER, NEIGHBOUR),
)
MIXED = "mixed-night"


def mixed_night(seed: int) -> Drill:
    """Two drills in one night; the seed chooses which."""
    one, two = random.Random(f"{MIXED}/{seed}").choice(_PAIRS)
    return replace(
        one,
        slug=MIXED,
        key=MIXED,
        title="A mixed night",
        rings=(*one.rings, *two.rings),
        page="operations/index#decision-tree",
        causes=(*one.causes, *two.causes),
        orders=tuple({orders.name: orders for orders in (*two.orders, *one.orders)}.values()),
        happens=(*one.happens, *two.happens),
        hints=(
            "There are two causes. Which of the alarms does neither explain alone?",
            f"One of them is about this: {one.hints[0]}",
            f"The other one: {two.hints[0]}",
        ),
        # Orders are brought back when both causes are mended.
        calm=tuple(sorted((*one.calm, *two.calm), key=lambda line: "replay.py" in line)),
        parameters={**one.parameters, **two.parameters},
        told=" ".join(filter(None, (one.told, two.told))),
        minutes=60,
        excused=one.excused or two.excused,
        notes=one.notes or two.notes,
        extra_dollars=max(one.extra_dollars, two.extra_dollars),
    )


_EVERY = (
    *(GROWTH, OWN_RESERVATION, NEIGHBOUR, DEPLOYMENT, POISON, DISABLED),
    *(ROLE, CAPACITY, MEMORY, FILTER, DESTINATION, BACKLOG),
)
DRILLS: dict[str, Drill] = {one.slug: one for one in _EVERY}
SLUGS = (*DRILLS, MIXED)
_CALLED = {
    **{one.key: one.slug for one in _EVERY},
    **{str(number): slug for number, slug in enumerate(SLUGS, 1)},
    **{slug: slug for slug in SLUGS},
}


def called(name: object) -> str | None:
    """The drill that somebody means by a name, a number, or a name of before; None for none."""
    return _CALLED.get(str(name))


def drill(slug: str, seed: int) -> Drill:
    """The drill of that name. KeyError when there is none."""
    return mixed_night(seed) if slug == MIXED else DRILLS[slug]
