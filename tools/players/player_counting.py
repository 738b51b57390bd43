"""The players of module 2 about counting once: a crash, an overlap, a record that comes late."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

from player_acted import MARKERS, TOTALS, Acted, Ask, Handler, When, account
from player_bench import FUNCTION, QUEUE, Staged
from player_model import Player, Question, Switch

from grader.cloud.aws import ServiceError
from grader.cloud.mapping import Bench
from grader.cloud.mapping.inprocess import function_arn
from grader.replay.scene import BY_HAND, Figure, Handed, Scene

PAGE = "modules/02-lambda-triggers"
Record = dict[str, Any]
Steps = Generator[Ask, Any, None]
MERCHANT = {"merchant": {"S": "acme"}}


def acted(handler: Handler, kill: tuple[int, When] | None = None) -> Callable[[Bench], Acted]:
    """Makes the function on a bench."""

    def made(bench: Bench) -> Acted:
        return Acted(FUNCTION, function_arn(FUNCTION), bench, account(bench), handler, kill=kill)

    return made


def each(count: Callable[[Record], Steps]) -> Handler:
    """A handler that counts one record after the other."""

    def handler(event: dict[str, Any]) -> Generator[Ask, Any, None]:
        for record in event["Records"]:
            yield from count(record)

    return handler


def scene(staged: Staged, truth: int, *, key: str = "acme", **more: Any) -> Scene:
    """What has happened, with the total beside what it should be."""
    function: Acted = staged.function
    item = function.account.item(TOTALS, {"merchant": key}) or {}
    total = int(item.get("total", 0))
    function.account.close()
    calls = sum(len(one.calls) for one in function.invocations)
    figures = [
        Figure("total", f"{total / 100:.2f}", f"right: {truth / 100:.2f}", total == truth),
        Figure("calls of DynamoDB, all attempts", str(calls)),
    ]
    options = {"functions": {FUNCTION: function.invocations}, "words": function.words}
    return staged.scene("counting", figures=figures, **options, **more)


# -- what is asked of DynamoDB --------------------------------------------------------------------


def amount(record: Record, image: str = "NewImage") -> int:
    """The amount in an image of a record, 0 without one."""
    return int(record["dynamodb"].get(image, {}).get("amount", {"N": "0"})["N"])


def added(number: int, key: str = "acme") -> dict[str, Any]:
    """An update that lets DynamoDB add."""
    return {
        "TableName": TOTALS,
        "Key": {"merchant": {"S": key}},
        "UpdateExpression": "ADD #t :n",
        "ExpressionAttributeNames": {"#t": "total"},
        "ExpressionAttributeValues": {":n": {"N": str(number)}},
    }


def marker(record: Record) -> dict[str, Any]:
    """A put of the record's own marker, which fails where it is there already."""
    return {
        "TableName": MARKERS,
        "Item": {"id": {"S": record["eventID"]}},
        "ConditionExpression": "attribute_not_exists(id)",
    }


def known(error: ServiceError) -> bool:
    """Whether a write failed because its marker was there already."""
    return "ConditionalCheckFailed" in f"{error.code} {error.message}"


# -- a crash --------------------------------------------------------------------------------------


def marker_first(record: Record) -> Steps:
    """Remember, then count."""
    try:
        yield "PutItem", marker(record)
    except ServiceError as error:
        if known(error):
            return
        raise
    yield "UpdateItem", added(amount(record))


def sum_first(record: Record) -> Steps:
    """Look, count, then remember."""
    key = {"id": {"S": record["eventID"]}}
    found = yield "GetItem", {"TableName": MARKERS, "Key": key, "ConsistentRead": True}
    if "Item" in found:
        return
    yield "UpdateItem", added(amount(record))
    yield "PutItem", marker(record)


def together(record: Record) -> Steps:
    """Remember and count in one transaction."""
    items = [{"Put": marker(record)}, {"Update": added(amount(record))}]
    try:
        yield "TransactWriteItems", {"TransactItems": items}
    except ServiceError as error:
        if not known(error):
            raise


def crash(count: Callable[[Record], Steps], kill: tuple[int, When] | None) -> Scene:
    """Two orders in one batch; the environment of the first attempt may die."""
    staged = Staged(function=acted(each(count), kill))
    staged.put("o-1", amount=1000)
    staged.put("o-2", amount=500)
    staged.bench.drain()
    return scene(staged, 1500)


CRASH = Player(
    id="crash",
    page=PAGE,
    title="A crash before and after each write",
    about="Orders of 10.00 and 5.00 in one batch; the environment of the first attempt dies. Its "
    "writes are numbered through: marker and sum of the first order are writes 1 and 2. A "
    "transaction is one write, so that of the second order is write 2. A call that is cut off "
    "counts.",
    switches=[
        Switch(
            "Order of writes",
            [
                ("marker, then sum", marker_first),
                ("sum, then marker", sum_first),
                ("one transaction", together),
            ],
        ),
        Switch(
            "It dies",
            [
                ("never", None),
                ("before write 1", (1, "before")),
                ("after write 1", (1, "after")),
                ("before write 2", (2, "before")),
                ("after write 2", (2, "after")),
            ],
        ),
    ],
    first=["sum, then marker", "after write 1"],
    play=crash,
    picture="Both orders are in work until the environment dies, wait for a second, and are done "
    "by the second attempt.",
    question=Question(
        "One transaction for each order, and the environment dies after write 2. How many calls "
        "does the second attempt make, and what comes of them?",
        "Two. Both transactions are refused, TransactionCanceledException, because their markers "
        "are there: the work was done, only the answer was lost.",
        ["one transaction", "after write 2"],
        "TransactWriteItems TransactionCanceledException (both tables); "
        "TransactWriteItems TransactionCanceledException (both tables)",
    ),
)


# -- an overlap -----------------------------------------------------------------------------------


def put_total(number: int, **condition: Any) -> tuple[str, dict[str, Any]]:
    """A put of the whole total."""
    item = {**MERCHANT, "total": {"N": str(number)}}
    return "PutItem", {"TableName": TOTALS, "Item": item, **condition}


READ: Ask = ("GetItem", {"TableName": TOTALS, "Key": MERCHANT, "ConsistentRead": True})


def in_python(record: Record) -> Steps:
    """Read, add, write back."""
    found = yield READ
    yield put_total(int(found["Item"]["total"]["N"]) + amount(record))


def if_unchanged(record: Record) -> Steps:
    """The same on condition that nobody wrote in between, again and again."""
    while True:
        found = yield READ
        old = found["Item"]["total"]
        condition = {
            "ConditionExpression": "#t = :old",
            "ExpressionAttributeNames": {"#t": "total"},
            "ExpressionAttributeValues": {":old": old},
        }
        try:
            yield put_total(int(old["N"]) + amount(record), **condition)
        except ServiceError as error:
            if not known(error):
                raise
        else:
            return


def by_dynamodb(record: Record) -> Steps:
    """Let DynamoDB add."""
    yield "UpdateItem", added(amount(record))


def overlap(count: Callable[[Record], Steps], factor: int) -> Scene:
    """Two orders of one merchant at one moment."""
    staged = Staged(function=acted(each(count)), ParallelizationFactor=factor)
    staged.function.account.put(TOTALS, {"merchant": "acme", "total": 10000})
    staged.put("o-1", amount=1000)
    staged.put("o-2", amount=500)
    staged.bench.drain()
    return scene(staged, 11500)


OVERLAP = Player(
    id="overlap",
    page=PAGE,
    title="Two invocations that overlap",
    about="The total is 100.00; orders of 10.00 and 5.00 of the same merchant come at once.",
    switches=[
        Switch(
            "The function",
            [
                ("reads, adds, writes", in_python),
                ("writes if unchanged", if_unchanged),
                ("lets DynamoDB add", by_dynamodb),
            ],
        ),
        Switch("Lanes", [("1", 1), ("2", 2)]),
    ],
    first=["reads, adds, writes", "2"],
    play=overlap,
    picture="Two orders in two lanes are in work at the same time, and both are done.",
    question=Question(
        "Two lanes, and the function writes if unchanged: how many calls do the two invocations "
        "make together? DynamoDB's own addition needs two.",
        "Six: two reads and two writes, of which one is refused; it reads again and writes again.",
        ["writes if unchanged", "2"],
        "PutItem ConditionalCheckFailedException",
    ),
)


# -- a record that comes late ---------------------------------------------------------------------

FAILS_FROM, FAILS_TO, NEWEST, REDRIVEN = 9, 20, 30, 60


def differences(record: Record) -> dict[str, Any]:
    """What the record changes."""
    return {"Update": added(amount(record) - amount(record, "OldImage"), "order o-1")}


def contribution(record: Record) -> dict[str, Any]:
    """What the order is worth now."""
    item = {"merchant": {"S": "order o-1"}, "total": {"N": str(amount(record))}}
    return {"Put": {"TableName": TOTALS, "Item": item}}


def counted_set(record: Record) -> list[dict[str, Any]]:
    """A marker for each record."""
    return [{"Put": marker(record)}]


def mark(record: Record) -> list[dict[str, Any]]:
    """The highest sequence number of the order."""
    return [
        {
            "Update": {
                "TableName": MARKERS,
                "Key": {"id": {"S": "order o-1"}},
                "UpdateExpression": "SET mark = :n",
                "ConditionExpression": "attribute_not_exists(mark) OR mark < :n",
                "ExpressionAttributeValues": {":n": {"N": record["dynamodb"]["SequenceNumber"]}},
            }
        }
    ]


def nothing(record: Record) -> list[dict[str, Any]]:
    """No memory."""
    return []


Stored = Callable[[Record], dict[str, Any]]
Memory = Callable[[Record], list[dict[str, Any]]]


def overtaken(stored: Stored, memory: Memory, times: int) -> Scene:
    """An order at 10, 15 and 20; the middle record is given up, and redriven when all is over."""
    staged: Staged

    def count(record: Record) -> Steps:
        elapsed = (staged.bench.now - staged.start_ms) / 1000
        if FAILS_FROM < elapsed < FAILS_TO:
            raise ServiceError("ServiceUnavailable", "there are no exchange rates")
        try:
            yield "TransactWriteItems", {"TransactItems": [*memory(record), stored(record)]}
        except ServiceError as error:
            if not known(error):
                raise

    staged = Staged(
        function=acted(each(count)),
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    staged.put("o-1", amount=1000, role="o-1 placed at 10.00")
    late = []
    staged.later(10, lambda: late.append(staged.put("o-1", amount=1500, role="o-1 now 15.00")))
    staged.later(NEWEST, lambda: staged.put("o-1", amount=2000, role="o-1 now 20.00"))
    by_hand: list[Handed] = []

    def redrive(attempt: int) -> None:
        again = " once more" if attempt > 1 else ""
        staged.say(f"the record that the note names is redriven by hand{again}")
        function: Acted = staged.function
        function.invoke({"Records": [late[0].event]}, lambda _result: None)
        made = function.invocations[-1]
        by_hand.append(Handed(BY_HAND, "the redrive", attempt, made, FUNCTION, late, late))

    for attempt in range(1, times + 1):
        staged.later(REDRIVEN + 10 * (attempt - 1), partial(redrive, attempt))
    staged.bench.drain()
    return scene(staged, 2000, key="order o-1", handed=by_hand)


OVERTAKEN = Player(
    id="overtaken",
    page=PAGE,
    title="An older record after newer ones",
    about="An order is placed at 10.00, changed to 15.00 and to 20.00. The record in the middle is "
    "given up, and redriven after the third one has been counted.",
    switches=[
        Switch(
            "What is stored",
            [("sum of differences", differences), ("what the order is worth", contribution)],
        ),
        Switch(
            "What is remembered",
            [
                ("every record", counted_set),
                ("the highest sequence number", mark),
                ("nothing", nothing),
            ],
        ),
        Switch("Redriven", [("once", 1), ("twice", 2)]),
    ],
    first=["what the order is worth", "every record", "once"],
    play=overtaken,
    picture="Three records of one order. The first and the third are done when they come; the "
    "second is given up with a note, and redriven by hand half a minute after the third.",
    question=Question(
        "Differences, and nothing is remembered: one redrive gives the right total. What does it "
        "give when an impatient person starts it twice?",
        "25.00: the difference of 5.00 is added once more each time.",
        ["sum of differences", "nothing", "twice"],
        "25.00",
    ),
)
