"""People on duty, scripted: for each drill right ways and wrong ones.

A responder acts by AWS's operations at stated minutes after the page and says what the cause is.
A wrong one is listed with the criterion that it loses.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from grader.sandbox.oncall.shift import FUNCTION, MAPPING, ORDERS, QUEUE, SHIPMENTS, Shift, archive

Responder = Callable[[Shift], None]
RIGHT: dict[str, list[Responder]] = {}
WRONG: dict[str, list[tuple[Responder, str]]] = {}


def right(drill: str) -> Callable[[Responder], Responder]:
    def listed(responder: Responder) -> Responder:
        RIGHT.setdefault(drill, []).append(responder)
        return responder

    return listed


def wrong(drill: str, criterion: str) -> Callable[[Responder], Responder]:
    def listed(responder: Responder) -> Responder:
        WRONG.setdefault(drill, []).append((responder, criterion))
        return responder

    return listed


# -- hands -----------------------------------------------------------------------------------


def update(shift: Shift, **changes: Any) -> None:
    shift.act("lambda:UpdateEventSourceMapping", UUID=shift.physical(MAPPING), **changes)


def recreate(shift: Shift, position: str) -> None:
    """Delete the mapping and make it anew, as somebody does who has never lost anything."""
    uuid = shift.physical(MAPPING)
    before = shift.cloud.mappings.get(uuid)
    shift.act("lambda:DeleteEventSourceMapping", UUID=uuid)
    shift.run_to(shift.now_min + 2)
    kept = ("BatchSize", "ParallelizationFactor", "MaximumRetryAttempts", "FilterCriteria")
    shift.act(
        "lambda:CreateEventSourceMapping",
        EventSourceArn=before["EventSourceArn"],
        FunctionName=shift.physical(FUNCTION),
        StartingPosition=position,
        **{name: before[name] for name in kept},
    )


def fewer(shift: Shift, seconds: int) -> None:
    """Give up whatever is older: the lag is gone at once."""
    update(shift, MaximumRecordAgeInSeconds=seconds)


def reserve(shift: Shift, count: int, function: str = FUNCTION) -> None:
    shift.act(
        "lambda:PutFunctionConcurrency",
        FunctionName=shift.physical(function),
        ReservedConcurrentExecutions=count,
    )


def configure(shift: Shift, **changes: Any) -> None:
    shift.act(
        "lambda:UpdateFunctionConfiguration", FunctionName=shift.physical(FUNCTION), **changes
    )


def invoke(shift: Shift, records: list[Any]) -> None:
    """Hand records to the function by hand, a few at a time, as `aws lambda invoke` does."""
    for first in range(0, len(records), 10):
        payload = json.dumps({"Records": records[first : first + 10]}, default=str).encode()
        shift.act("lambda:Invoke", FunctionName=shift.physical(FUNCTION), Payload=payload)


def read(shift: Shift, **at: Any) -> Iterator[dict[str, Any]]:
    """The records of the orders' stream from there on, page by page."""
    arn = shift.cloud.account.stream_of(shift.physical(ORDERS)).arn
    described = shift.act("dynamodbstreams:DescribeStream", StreamArn=arn)["StreamDescription"]
    for shard in described["Shards"]:
        kind = at if at else {"ShardIteratorType": "TRIM_HORIZON"}
        iterator = shift.act(
            "dynamodbstreams:GetShardIterator", StreamArn=arn, ShardId=shard["ShardId"], **kind
        )["ShardIterator"]
        for _ in range(3):
            page = shift.act("dynamodbstreams:GetRecords", ShardIterator=iterator)
            yield from page["Records"]
            iterator = page.get("NextShardIterator")
            if not iterator or not page["Records"]:
                break


def dropped_since(shift: Shift, minute: float) -> list[dict[str, Any]]:
    """The records of orders without a parcel that were written since a minute."""
    parcels = shift.parcels()
    return [
        record
        for record in read(shift)
        if record["dynamodb"]["Keys"]["id"]["S"] not in parcels
        and record["dynamodb"]["ApproximateCreationDateTime"] * 1000
        >= shift.page_ms + minute * 60_000
    ]


def replay(shift: Shift, since: float) -> None:
    """Read from the stream what was not shipped since then, and invoke the function with it."""
    invoke(shift, dropped_since(shift, since))


def touch(shift: Shift, since: float) -> None:
    """Write the orders that were not shipped since then once more."""
    for record in dropped_since(shift, since):
        item = {**record["dynamodb"]["NewImage"], "touched": {"S": "yes"}}
        shift.act("dynamodb:PutItem", TableName=shift.physical(ORDERS), Item=item)


def redrive(shift: Shift) -> None:
    """Fetch what each note is about from the stream, hand it over, and take the note away."""
    url = shift.physical(QUEUE)
    ask = {"QueueUrl": url, "MaxNumberOfMessages": 10}
    while messages := shift.act("sqs:ReceiveMessage", **ask).get("Messages"):
        for message in messages:
            batch = json.loads(message["Body"])["DDBStreamBatchInfo"]
            first, last = int(batch["startSequenceNumber"]), int(batch["endSequenceNumber"])
            at = {
                "ShardIteratorType": "AT_SEQUENCE_NUMBER",
                "SequenceNumber": batch["startSequenceNumber"],
            }
            records = [
                one
                for one in read(shift, **at)
                if first <= int(one["dynamodb"]["SequenceNumber"]) <= last
            ]
            invoke(shift, records)
            receipt = message["ReceiptHandle"]
            shift.act("sqs:DeleteMessage", QueueUrl=url, ReceiptHandle=receipt)


def note_to(shift: Shift, queue: str = QUEUE) -> dict[str, Any]:
    return {"OnFailure": {"Destination": shift.arn(queue)}}


def filtered(pattern: str) -> dict[str, Any]:
    return {"Filters": [{"Pattern": pattern}]}


ORDERS_ONLY = '{"dynamodb": {"NewImage": {"kind": {"S": ["order"]}}}}'

# -- growth ----------------------------------------------------------------------------------


@right("later-and-later")
def more_lanes(shift: Shift) -> None:
    shift.run_to(7)
    update(shift, ParallelizationFactor=10)
    shift.done("growth")


@right("later-and-later")
def larger_batches(shift: Shift) -> None:
    shift.run_to(12)
    update(shift, BatchSize=10)
    shift.run_to(30)
    shift.done("growth")


@wrong("later-and-later", "in-time")
def more_memory_for_what_waits(shift: Shift) -> None:
    shift.run_to(7)
    configure(shift, MemorySize=3008)
    shift.done("growth")


@wrong("later-and-later", "cost-bounded")
def more_of_everything(shift: Shift) -> None:
    shift.run_to(7)
    configure(shift, MemorySize=10_240)
    update(shift, ParallelizationFactor=10)
    shift.done("growth")


@wrong("later-and-later", "nothing-lost")
def only_what_is_new(shift: Shift) -> None:
    shift.run_to(7)
    recreate(shift, "LATEST")
    shift.run_to(shift.now_min + 2)
    shift.done("growth")


@wrong("later-and-later", "cause-named")
def growth_is_called_throttling(shift: Shift) -> None:
    shift.run_to(7)
    update(shift, ParallelizationFactor=10)
    shift.done("own-reservation")


# -- a neighbour -----------------------------------------------------------------------------

NEIGHBOUR = "throttled"


@right(NEIGHBOUR)
def reserve_some_for_the_shop(shift: Shift) -> None:
    shift.run_to(6)
    reserve(shift, 20)
    shift.done("neighbour")


@right(NEIGHBOUR)
def cap_the_neighbour(shift: Shift) -> None:
    shift.run_to(9)
    reserve(shift, 50, "ReportsFunction")
    shift.done("neighbour")


@wrong(NEIGHBOUR, "in-time")
def more_lanes_in_an_empty_pool(shift: Shift) -> None:
    shift.run_to(6)
    update(shift, ParallelizationFactor=10, BatchSize=100)
    shift.done("neighbour")


@wrong(NEIGHBOUR, "nothing-lost")
def give_up_what_waits(shift: Shift) -> None:
    shift.run_to(6)
    fewer(shift, 120)
    shift.run_to(10)
    reserve(shift, 20)
    shift.done("neighbour")


@wrong(NEIGHBOUR, "nothing-twice")
def a_new_mapping_for_a_full_pool(shift: Shift) -> None:
    shift.run_to(6)
    reserve(shift, 20)
    recreate(shift, "TRIM_HORIZON")
    shift.done("neighbour")


# -- a poison record -------------------------------------------------------------------------

POISON = "failing-and-late"


@right(POISON)
def bound_split_and_note(shift: Shift) -> None:
    shift.run_to(6)
    update(
        shift,
        MaximumRetryAttempts=3,
        BisectBatchOnFunctionError=True,
        DestinationConfig=note_to(shift),
    )
    shift.done("poison-record")


@right(POISON)
def one_at_a_time_with_a_note(shift: Shift) -> None:
    shift.run_to(8)
    update(shift, MaximumRetryAttempts=2, BatchSize=1, DestinationConfig=note_to(shift))
    shift.done("poison-record")


@wrong(POISON, "nothing-lost")
def bound_without_a_split(shift: Shift) -> None:
    shift.run_to(6)
    update(shift, MaximumRetryAttempts=0)
    shift.done("poison-record")


@wrong(POISON, "nothing-lost")
def split_without_a_note(shift: Shift) -> None:
    shift.run_to(6)
    update(shift, MaximumRetryAttempts=3, BisectBatchOnFunctionError=True)
    shift.done("poison-record")


@wrong(POISON, "in-time")
def take_the_order_out_of_the_table(shift: Shift) -> None:
    shift.run_to(6)
    shift.act("dynamodb:DeleteItem", TableName=shift.physical(ORDERS), Key={"id": {"S": "odd-001"}})
    shift.done("poison-record")


@wrong(POISON, "no-harm")
def jump_over_everything(shift: Shift) -> None:
    shift.run_to(6)
    recreate(shift, "LATEST")
    shift.done("poison-record")


# -- a disabled mapping ------------------------------------------------------------------------

DISABLED = "silence"


@right(DISABLED)
def enable(shift: Shift) -> None:
    shift.run_to(4)
    update(shift, Enabled=True)
    shift.done("mapping-disabled")


@right(DISABLED)
def enable_with_more_lanes(shift: Shift) -> None:
    shift.run_to(10)
    update(shift, Enabled=True, ParallelizationFactor=5)
    shift.done("mapping-disabled")


@wrong(DISABLED, "no-harm")
def a_new_mapping_from_now_on(shift: Shift) -> None:
    shift.run_to(4)
    recreate(shift, "LATEST")
    shift.done("mapping-disabled")


@wrong(DISABLED, "nothing-twice")
def a_new_mapping_from_the_beginning(shift: Shift) -> None:
    shift.run_to(4)
    recreate(shift, "TRIM_HORIZON")
    shift.done("mapping-disabled")


@wrong(DISABLED, "in-time")
def more_lanes_for_what_is_off(shift: Shift) -> None:
    shift.run_to(4)
    update(shift, ParallelizationFactor=10)
    shift.done("mapping-disabled")


# -- a filter --------------------------------------------------------------------------------


@right("half-are-missing")
def widen_and_replay(shift: Shift) -> None:
    shift.run_to(8)
    update(shift, FilterCriteria=filtered(ORDERS_ONLY))
    shift.run_to(12)
    replay(shift, -70)
    shift.done("filter")


@right("half-are-missing")
def widen_and_write_again(shift: Shift) -> None:
    shift.run_to(8)
    update(shift, FilterCriteria={"Filters": []})
    shift.run_to(12)
    touch(shift, -70)
    shift.done("filter")


@wrong("half-are-missing", "nothing-lost")
def widen_and_go_to_bed(shift: Shift) -> None:
    shift.run_to(8)
    update(shift, FilterCriteria=filtered(ORDERS_ONLY))
    shift.done("filter")


@wrong("half-are-missing", "nothing-twice")
def widen_and_read_all_again(shift: Shift) -> None:
    shift.run_to(8)
    update(shift, FilterCriteria=filtered(ORDERS_ONLY))
    shift.run_to(10)
    invoke(shift, list(read(shift)))
    shift.done("filter")


@wrong("half-are-missing", "in-time")
def replay_and_leave_the_filter(shift: Shift) -> None:
    shift.run_to(8)
    replay(shift, -70)
    shift.done("filter")


@wrong("half-are-missing", "no-harm")
def another_narrow_filter(shift: Shift) -> None:
    shift.run_to(8)
    app = '{"dynamodb": {"NewImage": {"channel": {"S": ["app", "web"]}}}}'
    update(shift, FilterCriteria=filtered(app.replace('"web"', '"shop"')))
    shift.run_to(10)
    update(shift, FilterCriteria=filtered(ORDERS_ONLY))
    shift.run_to(12)
    replay(shift, -70)
    shift.done("filter")


# -- a destination -----------------------------------------------------------------------------

DESTINATION = "undelivered-note"


@right(DESTINATION)
def a_queue_that_is_there_then_redrive(shift: Shift) -> None:
    shift.run_to(5)
    update(shift, DestinationConfig=note_to(shift))
    shift.run_to(17)
    redrive(shift)
    replay(shift, -60)
    shift.done("destination")


@right(DESTINATION)
def pause_until_the_carrier_is_back(shift: Shift) -> None:
    shift.run_to(4)
    update(shift, Enabled=False, DestinationConfig=note_to(shift))
    shift.run_to(16)
    update(shift, Enabled=True)
    shift.run_to(18)
    touch(shift, -60)
    shift.done("destination")


@wrong(DESTINATION, "nothing-lost")
def mend_the_destination_only(shift: Shift) -> None:
    shift.run_to(5)
    update(shift, DestinationConfig=note_to(shift))
    shift.run_to(17)
    redrive(shift)
    shift.done("destination")


@wrong(DESTINATION, "notes-redriven")
def replay_and_leave_the_notes(shift: Shift) -> None:
    shift.run_to(5)
    update(shift, DestinationConfig=note_to(shift))
    shift.run_to(17)
    replay(shift, -60)
    shift.done("destination")


@wrong(DESTINATION, "no-harm")
def purge_what_rings(shift: Shift) -> None:
    shift.run_to(5)
    update(shift, DestinationConfig=note_to(shift))
    shift.run_to(12)
    shift.act("sqs:PurgeQueue", QueueUrl=shift.physical(QUEUE))
    shift.run_to(17)
    replay(shift, -60)
    shift.done("destination")


@wrong(DESTINATION, "cause-named")
def it_was_the_carrier(shift: Shift) -> None:
    shift.run_to(5)
    update(shift, DestinationConfig=note_to(shift))
    shift.run_to(17)
    redrive(shift)
    replay(shift, -60)
    shift.done("courier-slow")


# -- an old backlog ----------------------------------------------------------------------------

BACKLOG = "long-silence"


@right(BACKLOG)
def lift_the_age_then_enable(shift: Shift) -> None:
    shift.run_to(8)
    update(shift, MaximumRecordAgeInSeconds=-1)
    shift.run_to(10)
    update(shift, Enabled=True)
    shift.done("old-backlog")


@right(BACKLOG)
def both_at_once_with_more_lanes(shift: Shift) -> None:
    shift.run_to(8)
    update(shift, MaximumRecordAgeInSeconds=-1, Enabled=True, ParallelizationFactor=4)
    shift.done("old-backlog")


@right(BACKLOG)
def enable_and_redrive_at_once(shift: Shift) -> None:
    shift.run_to(8)
    update(shift, Enabled=True)
    shift.run_to(16)
    redrive(shift)
    shift.done("old-backlog")


@wrong(BACKLOG, "nothing-lost")
def enable_first(shift: Shift) -> None:
    shift.run_to(8)
    update(shift, Enabled=True)
    shift.run_to(30)
    update(shift, MaximumRecordAgeInSeconds=-1)
    shift.done("old-backlog")


@wrong(BACKLOG, "notes-redriven")
def enable_and_replay_without_the_notes(shift: Shift) -> None:
    shift.run_to(8)
    update(shift, Enabled=True)
    shift.run_to(16)
    replay(shift, -1_330)
    shift.done("old-backlog")


@wrong(BACKLOG, "nothing-twice")
def read_the_whole_day_again(shift: Shift) -> None:
    shift.run_to(4)
    recreate(shift, "TRIM_HORIZON")
    shift.done("old-backlog")


@wrong(BACKLOG, "no-harm")
def begin_with_today(shift: Shift) -> None:
    shift.run_to(4)
    recreate(shift, "LATEST")
    shift.done("old-backlog")


# -- throttled by its own reservation --------------------------------------------------------------

OWN = "throttled-and-late"


@right(OWN)
def remove_the_reservation(shift: Shift) -> None:
    shift.run_to(6)
    shift.act("lambda:DeleteFunctionConcurrency", FunctionName=shift.physical(FUNCTION))
    shift.run_to(20)
    shift.done("own-reservation")


@right(OWN)
def raise_the_reservation_and_the_lanes(shift: Shift) -> None:
    shift.run_to(10)
    shift.act(
        "lambda:PutFunctionConcurrency",
        FunctionName=shift.physical(FUNCTION),
        ReservedConcurrentExecutions=20,
    )
    update(shift, ParallelizationFactor=10)
    shift.done("own-reservation")


@wrong(OWN, "in-time")
def more_lanes_under_the_same_reservation(shift: Shift) -> None:
    shift.run_to(6)
    update(shift, ParallelizationFactor=10)
    shift.done("own-reservation")


@wrong(OWN, "no-harm")
def begin_anew_at_the_end(shift: Shift) -> None:
    shift.run_to(6)
    shift.act("lambda:DeleteFunctionConcurrency", FunctionName=shift.physical(FUNCTION))
    recreate(shift, "LATEST")
    shift.done("own-reservation")


@wrong(OWN, "nothing-lost")
def give_up_what_is_old(shift: Shift) -> None:
    shift.run_to(6)
    fewer(shift, 60)
    shift.act("lambda:DeleteFunctionConcurrency", FunctionName=shift.physical(FUNCTION))
    shift.done("own-reservation")


@wrong(OWN, "nothing-twice")
def begin_anew_at_the_beginning(shift: Shift) -> None:
    shift.run_to(6)
    shift.act("lambda:DeleteFunctionConcurrency", FunctionName=shift.physical(FUNCTION))
    recreate(shift, "TRIM_HORIZON")
    shift.done("own-reservation")


@wrong(OWN, "cause-named")
def the_right_cure_for_a_wrong_reason(shift: Shift) -> None:
    shift.run_to(6)
    shift.act("lambda:DeleteFunctionConcurrency", FunctionName=shift.physical(FUNCTION))
    shift.done("neighbour")


# -- a deployment ------------------------------------------------------------------------------

DEPLOYMENT = "notes-pile-up"


def roll_back(shift: Shift) -> None:
    shift.act("lambda:UpdateFunctionCode", FunctionName=shift.physical(FUNCTION), ZipFile=archive())


@right(DEPLOYMENT)
def roll_back_and_redrive(shift: Shift) -> None:
    shift.run_to(7)
    roll_back(shift)
    shift.run_to(12)
    redrive(shift)
    shift.done("deployment")


@right(DEPLOYMENT)
def pause_roll_back_and_redrive(shift: Shift) -> None:
    shift.run_to(3)
    update(shift, Enabled=False)
    shift.run_to(9)
    roll_back(shift)
    update(shift, Enabled=True)
    shift.run_to(14)
    redrive(shift)
    shift.done("deployment")


@wrong(DEPLOYMENT, "notes-redriven")
def roll_back_and_forget_the_notes(shift: Shift) -> None:
    shift.run_to(7)
    roll_back(shift)
    shift.done("deployment")


@wrong(DEPLOYMENT, "in-time")
def retry_for_longer(shift: Shift) -> None:
    shift.run_to(7)
    update(shift, MaximumRetryAttempts=10_000)
    shift.done("deployment")


@wrong(DEPLOYMENT, "no-harm")
def filter_the_gifts_out(shift: Shift) -> None:
    shift.run_to(7)
    update(
        shift,
        FilterCriteria=filtered(
            '{"dynamodb": {"NewImage": {"price_snapshot": {"N": [{"exists": true}]}}}}'
        ),
    )
    shift.run_to(12)
    roll_back(shift)
    redrive(shift)
    shift.done("deployment")


@wrong(DEPLOYMENT, "nothing-lost")
def tidy_the_queue_up(shift: Shift) -> None:
    shift.run_to(7)
    roll_back(shift)
    shift.act("sqs:PurgeQueue", QueueUrl=shift.physical(QUEUE))
    shift.done("deployment")


# -- a role --------------------------------------------------------------------------------------

ROLE = "every-order-fails"


def old_role(shift: Shift) -> None:
    configure(shift, Role=shift.arn("ShippingRole"))


@right(ROLE)
def give_the_role_back(shift: Shift) -> None:
    shift.run_to(7)
    old_role(shift)
    shift.run_to(12)
    redrive(shift)
    shift.done("role-lost-right")


@right(ROLE)
def pause_then_give_it_back(shift: Shift) -> None:
    shift.run_to(3)
    update(shift, Enabled=False)
    shift.run_to(8)
    old_role(shift)
    update(shift, Enabled=True)
    shift.run_to(15)
    redrive(shift)
    shift.done("role-lost-right")


@wrong(ROLE, "in-time")
def more_retries_without_a_right(shift: Shift) -> None:
    shift.run_to(7)
    update(shift, MaximumRetryAttempts=1_000)
    shift.done("role-lost-right")


@wrong(ROLE, "notes-redriven")
def the_right_without_the_notes(shift: Shift) -> None:
    shift.run_to(7)
    old_role(shift)
    shift.done("role-lost-right")


@wrong(ROLE, "no-harm")
def begin_anew_with_the_right(shift: Shift) -> None:
    shift.run_to(7)
    old_role(shift)
    recreate(shift, "LATEST")
    redrive(shift)
    shift.done("role-lost-right")


@wrong(ROLE, "cause-named")
def it_looked_like_a_release(shift: Shift) -> None:
    shift.run_to(7)
    old_role(shift)
    shift.run_to(12)
    redrive(shift)
    shift.done("deployment")


# -- a table's capacity ----------------------------------------------------------------------------

CAPACITY = "fails-now-and-then"


def units(shift: Shift, count: int) -> None:
    shift.act(
        "dynamodb:UpdateTable",
        TableName=shift.physical(SHIPMENTS),
        ProvisionedThroughput={"ReadCapacityUnits": 5, "WriteCapacityUnits": count},
    )


@right(CAPACITY)
def give_the_units_back(shift: Shift) -> None:
    shift.run_to(6)
    units(shift, 5)
    shift.done("table-capacity")


@right(CAPACITY)
def put_it_on_demand(shift: Shift) -> None:
    shift.run_to(10)
    shift.act(
        "dynamodb:UpdateTable",
        TableName=shift.physical(SHIPMENTS),
        BillingMode="PAY_PER_REQUEST",
    )
    shift.done("table-capacity")


@wrong(CAPACITY, "in-time")
def more_lanes_for_a_full_table(shift: Shift) -> None:
    shift.run_to(6)
    update(shift, ParallelizationFactor=10)
    shift.done("table-capacity")


@wrong(CAPACITY, "nothing-lost")
def more_lanes_and_then_the_units(shift: Shift) -> None:
    shift.run_to(6)
    update(shift, ParallelizationFactor=10)
    shift.run_to(18)
    units(shift, 5)
    shift.done("table-capacity")


@wrong(CAPACITY, "cost-bounded")
def units_for_years(shift: Shift) -> None:
    shift.run_to(6)
    units(shift, 5_000)
    shift.done("table-capacity")


@wrong(CAPACITY, "no-harm")
def a_maximum_age_against_the_lag(shift: Shift) -> None:
    shift.run_to(6)
    fewer(shift, 300)
    units(shift, 5)
    shift.done("table-capacity")


# -- memory --------------------------------------------------------------------------------------

MEMORY = "time-outs"


@right(MEMORY)
def give_the_memory_back(shift: Shift) -> None:
    shift.run_to(5)
    configure(shift, MemorySize=1769)
    shift.run_to(12)
    redrive(shift)
    shift.done("memory-cut")


@right(MEMORY)
def give_it_time_instead(shift: Shift) -> None:
    shift.run_to(5)
    configure(shift, Timeout=120)
    shift.run_to(16)
    redrive(shift)
    shift.done("memory-cut")


@wrong(MEMORY, "cost-bounded")
def all_the_memory_there_is(shift: Shift) -> None:
    shift.run_to(5)
    configure(shift, MemorySize=10_240)
    shift.run_to(12)
    redrive(shift)
    shift.done("memory-cut")


@wrong(MEMORY, "in-time")
def retry_what_has_no_time(shift: Shift) -> None:
    shift.run_to(5)
    update(shift, MaximumRetryAttempts=100)
    shift.done("memory-cut")


@wrong(MEMORY, "notes-redriven")
def memory_and_no_notes(shift: Shift) -> None:
    shift.run_to(5)
    configure(shift, MemorySize=1769)
    shift.done("memory-cut")


@wrong(MEMORY, "no-harm")
def purge_and_begin_anew(shift: Shift) -> None:
    shift.run_to(5)
    configure(shift, MemorySize=1769)
    shift.act("sqs:PurgeQueue", QueueUrl=shift.physical(QUEUE))
    shift.done("memory-cut")


# -- a mixed night -----------------------------------------------------------------------------

MIXED = "mixed-night"


def cures(cause: str) -> list[tuple[float, Responder]]:
    """What mends a cause, and when."""
    return {
        "filter": [
            (6, lambda shift: update(shift, FilterCriteria=filtered(ORDERS_ONLY))),
            (34, lambda shift: replay(shift, -70)),
        ],
        "destination": [
            (9, lambda shift: update(shift, DestinationConfig=note_to(shift))),
            (30, redrive),
            (34.5, lambda shift: replay(shift, -70)),
        ],
        "own-reservation": [(8, lambda shift: reserve(shift, 20))],
        "deployment": [(5, roll_back), (30, redrive)],
        "neighbour": [(8, lambda shift: reserve(shift, 20))],
    }[cause]


def mend(shift: Shift, *causes: str) -> None:
    """Carry out the cures of these causes, one after the other."""
    for minute, act in sorted(
        (one for cause in causes for one in cures(cause)), key=lambda one: one[0]
    ):
        shift.run_to(minute)
        act(shift)


@right(MIXED)
def mend_both(shift: Shift) -> None:
    mend(shift, *shift.drill.causes)
    shift.done(*shift.drill.causes)


@right(MIXED)
def pause_first_and_mend_both(shift: Shift) -> None:
    shift.run_to(2)
    update(shift, Enabled=False)
    shift.run_to(4)
    update(shift, Enabled=True)
    mend(shift, *shift.drill.causes)
    shift.done(*reversed(shift.drill.causes))


@wrong(MIXED, "nothing-lost")
def mend_one(shift: Shift) -> None:
    easy = {"destination", "own-reservation", "neighbour"}
    mend(shift, *easy & set(shift.drill.causes))
    shift.done(*shift.drill.causes)


@wrong(MIXED, "cause-named")
def mend_both_and_name_one(shift: Shift) -> None:
    mend(shift, *shift.drill.causes)
    shift.done(shift.drill.causes[0])


@wrong(MIXED, "no-harm")
def mend_both_with_a_new_mapping(shift: Shift) -> None:
    mend(shift, *shift.drill.causes)
    recreate(shift, "LATEST")
    shift.done(*shift.drill.causes)
