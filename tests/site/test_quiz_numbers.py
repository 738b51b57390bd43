"""The figures in the quizzes' answers are computed here, by the emulator, the tuning and the prices.

A question with figures has a function in ``COMPUTED`` that knows nothing of the answer on the page.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from quiz_source import Question, numbers, questions

from grader.cloud.account import Account
from grader.cloud.aws import ServiceError
from grader.cloud.clock import Clock
from grader.cloud.cloudwatch import MetricAlarm, evaluate
from grader.cloud.cloudwatch.evaluation import judge
from grader.cloud.dynamodb import RETENTION_MS
from grader.cloud.dynamodb.units import write_units
from grader.cloud.mapping.bench import Bench
from grader.cloud.metrics import Metrics
from grader.review import pricing
from grader.review.tuning import Choice, Handler, Load, simulate

ASKED = {one.id: one for one in questions()}
PRICES = pricing.load()
COMPUTED: dict[str, Callable[[], Any]] = {}
QUEUE = "arn:aws:sqs:us-east-1:123456789012:failures"
# A partition's limit. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/
# throttling-key-range-limit-exceeded-mitigation.html
PARTITION_UNITS = 1_000
MINUTE_MS = 60_000


def computes(id: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def keep(compute: Callable[[], Any]) -> Callable[[], Any]:
        COMPUTED[id] = compute
        return compute

    return keep


def play(
    answer: Callable[[dict[str, Any]], Any], hours: float = 1, **settings: Any
) -> Iterator[Any]:
    """Eight records, 1 to 8, lie in a shard before the mapping polls; each attempt's outcome."""
    bench = Bench()
    stream = bench.stream("Orders", keys=["id"])
    bench.function("totals", answer)
    bench.destination(QUEUE)
    for number in range(1, 9):
        stream.write(None, {"id": {"S": str(number)}}, bench.now)
    uuid = bench.create(
        FunctionName="totals", EventSourceArn=stream.arn, StartingPosition="TRIM_HORIZON",
        BatchSize=8, DestinationConfig={"OnFailure": {"Destination": QUEUE}}, **settings,
    )["UUID"]  # fmt: skip
    bench.run_for(hours=hours)
    for one in bench.invocations(uuid):
        yield one.outcome, [r["dynamodb"]["Keys"]["id"]["S"] for r in one.event["Records"]]


def raises(event: dict[str, Any]) -> None:
    if any(record["dynamodb"]["Keys"]["id"]["S"] == "5" for record in event["Records"]):
        raise ValueError("5")


def reports(event: dict[str, Any]) -> dict[str, Any]:
    bad = [r["dynamodb"] for r in event["Records"] if r["dynamodb"]["Keys"]["id"]["S"] == "5"]
    return {"batchItemFailures": [{"itemIdentifier": one["SequenceNumber"]} for one in bad]}


@computes("quiz-01-refused")
def _refused() -> list[float]:
    return [540 - PARTITION_UNITS // write_units(1_400)]


@computes("quiz-01-silent")
def _silent() -> list[str]:
    with Account(Clock(), Metrics()) as account:
        account.call(
            "dynamodb", "CreateTable", TableName="Orders", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )  # fmt: skip
        table: dict[str, Any] = {"TableName": "Orders"}
        item = {"id": {"S": "1"}, "note": {"S": "x"}}
        account.call("dynamodb", "PutItem", Item=item, **table)
        stream = account.enable_stream("Orders", "NEW_AND_OLD_IMAGES")
        writes: list[Callable[[], object]] = [
            lambda: account.call("dynamodb", "PutItem", Item=item, **table),
            lambda: stream.write(item, None, account.clock.now, ttl_delete=True),
            lambda: account.call(
                "dynamodb", "UpdateItem", Key={"id": {"S": "1"}}, UpdateExpression="REMOVE note",
                **table,
            ),
            lambda: account.call("dynamodb", "DeleteItem", Key={"id": {"S": "2"}}, **table),
            lambda: account.call(
                "dynamodb", "PutItem", Item=item, ConditionExpression="attribute_not_exists(id)",
                **table,
            ),
        ]  # fmt: skip
        silent = []
        for name, write in zip("ABCDE", writes, strict=True):
            before = sum(len(shard.records) for shard in stream.shards)
            with contextlib.suppress(ServiceError):
                write()
            if sum(len(shard.records) for shard in stream.shards) == before:
                silent.append(name)
        return silent


@computes("quiz-02-whole")
def _whole() -> list[str]:
    def fails(_event: dict[str, Any]) -> None:
        raise ValueError("behind the first record")

    answers: list[Callable[[dict[str, Any]], Any]] = [
        lambda _event: {"batchItemFailures": [{"itemIdentifier": "99"}]},
        lambda _event: json.loads(ASKED["quiz-02-whole"].options[1].strip("`")),
        fails,
        lambda _event: {"batchItemFailures": [{"itemIdentifier": ""}]},
        lambda _event: json.loads(ASKED["quiz-02-whole"].options[4].strip("`")),
    ]
    kinds = ["ReportBatchItemFailures"]
    again = [
        [*play(answer, FunctionResponseTypes=kinds, MaximumRetryAttempts=1)] for answer in answers
    ]
    whole = ("failure", [str(n) for n in range(1, 9)])
    return [chr(65 + n) for n, calls in enumerate(again) if calls[:2] == [whole, whole]]


@computes("quiz-02-batches")
def _batches() -> list[float]:
    calls = play(
        reports, MaximumRetryAttempts=1, BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )  # fmt: skip
    return [len(records) for _outcome, records in calls]


@computes("quiz-02-deliveries")
def _deliveries() -> list[float]:
    calls = play(raises, MaximumRetryAttempts=2, BisectBatchOnFunctionError=True)
    return [sum("5" in records for _outcome, records in calls)]


@computes("quiz-03-rings")
def _rings() -> list[float]:
    _names, ages = ASKED["quiz-03-rings"].about.splitlines()[1:]
    above: list[bool | None] = [age > 60_000 for age in numbers(ages)]
    for minute in range(1, len(above) + 1):
        state = judge(
            above[:minute], evaluation_periods=5, datapoints_to_alarm=3,
            treat_missing_data="notBreaching", state="OK",
        )  # fmt: skip
        if state == "ALARM":
            return [minute]
    return []


@computes("quiz-03-bill")
def _calls() -> list[float]:
    return [float(PRICES.rate("put_metric_data") * 5_000 * 60 * 24)]


ALARM = re.compile(
    r"`(?P<metric>\w+)`(?: of `(?P<call>\w+)`)?, `(?P<statistic>\w+)`, (?P<way>above|below) "
    r"(?P<threshold>\d+), missing data (?P<missing>[a-z ]+)\."
)
WAYS = {"above": "GreaterThanThreshold", "below": "LessThanThreshold"}
MISSING = {"breaching": "breaching", "not breaching": "notBreaching", "ignored": "ignore"}


@computes("quiz-03-dead")
def _dead() -> list[str]:
    bench = Bench()
    stream = bench.stream("Orders", keys=["id"])
    bench.function("totals")
    uuid = bench.create(
        FunctionName="totals", EventSourceArn=stream.arn, StartingPosition="TRIM_HORIZON",
        MetricsConfig={"Metrics": ["EventCount"]},
    )["UUID"]  # fmt: skip
    begun = bench.now
    for minute in range(60):
        stream.write(None, {"id": {"S": str(minute)}}, bench.now)
        bench.run_for(minutes=1)
        if minute == 30:
            bench.update(uuid, Enabled=False)
    bench.mappings.flush()
    by = {
        "GetRecords": ("AWS/DynamoDB", {"TableName": "Orders", "Operation": "GetRecords"}),
        "PolledEventCount": ("AWS/Lambda", {"EventSourceMappingUUID": uuid}),
    }
    alarms = []
    for name, option in zip("ABCDE", ASKED["quiz-03-dead"].options, strict=True):
        said = ALARM.fullmatch(option)
        assert said is not None, option
        function = ("AWS/Lambda", {"FunctionName": "totals"})
        namespace, where = by.get(said["call"] or said["metric"], function)
        members = {
            "Namespace": namespace, "MetricName": said["metric"], "Statistic": said["statistic"],
            "Dimensions": [{"Name": key, "Value": value} for key, value in where.items()],
            "Period": 60, "EvaluationPeriods": 5, "Threshold": float(said["threshold"]),
            "ComparisonOperator": WAYS[said["way"]], "TreatMissingData": MISSING[said["missing"]],
        }  # fmt: skip
        alarms.append(MetricAlarm.parse(members, name=name))
    changes = evaluate(alarms, bench.metrics, begun, bench.now)
    last = {change.alarm: change.new for change in changes}
    return [name for name in "ABCDE" if last.get(name) == "ALARM"]


@computes("quiz-04-left")
def _left() -> list[float]:
    written, read = 9 * 60 + 29, 24 * 60 + 8 * 60
    return [written + RETENTION_MS / MINUTE_MS - read]


@computes("quiz-04-age")
def _age() -> list[float]:
    bench = Bench()
    stream = bench.stream("Orders", keys=["id"])
    bench.function("totals", lambda _event: 1 / 0)
    bench.create(
        FunctionName="totals",
        EventSourceArn=stream.arn,
        StartingPosition="TRIM_HORIZON",
        BatchSize=1,
    )
    bench.run_for(minutes=5)
    stream.write(None, {"id": {"S": "poison"}}, bench.now)
    bench.run_for(minutes=21.5)
    bench.mappings.flush()
    key = next(key for key in bench.metrics if key.name == "IteratorAge")
    # It is as old as its last attempt; attempts are up to a minute apart by then.
    last = bench.metrics.data(key)[-1]
    return [last.value + bench.now - last.time_ms]


@computes("quiz-05-units")
def _units() -> list[float]:
    return [(60 + 3) * write_units(1_000, transactional=True)]


@computes("quiz-05-batches")
def _gathered() -> list[float]:
    sizes = [
        Choice(batch_size=size, window_s=2, memory_mb=512, timeout_s=30) for size in (1000, 40)
    ]
    return [simulate(Load.steady(30), Handler(), choice).mean_batch for choice in sizes]


@computes("quiz-05-bill")
def _function_bill() -> list[float]:
    calls = 20_000_000
    amounts = {
        "lambda_requests": calls,
        "lambda_gb_seconds_x86": pricing.gb_seconds(200 * calls, 512),
    }
    return [float(pricing.bill(amounts, PRICES, free=False).total)]


@computes("quiz-05-behind")
def _keeps_up() -> list[str]:
    handler = Handler(call_ms=6, call_wait_ms=10, record_ms=2, record_wait_ms=2)
    start: dict[str, Any] = {"batch_size": 10, "memory_mb": 512, "timeout_s": 30}
    changes: list[dict[str, Any]] = [
        {"batch_size": 100}, {"window_s": 10}, {"parallelization": 4}, {"provisioned": 10},
        {"memory_mb": 1769},
    ]  # fmt: skip
    load = Load.steady(100, 3600)
    assert simulate(load, handler, Choice(**start)).backlog_grows
    tried = [simulate(load, handler, Choice(**{**start, **change})) for change in changes]
    return [chr(65 + n) for n, outcome in enumerate(tried) if not outcome.backlog_grows]


@computes("quiz-06-bill")
def _alarms() -> list[float]:
    amounts = {"alarms": 8, "alarms_high_resolution": 2, "alarms_composite": 1}
    return [float(pricing.bill(amounts, PRICES, free=False).total)]


@computes("quiz-06-paused")
def _paused() -> list[float]:
    bench = Bench()
    stream = bench.stream("Orders", keys=["id"])
    bench.function("totals")
    inbox = bench.destination(QUEUE)
    uuid = bench.create(
        FunctionName="totals", EventSourceArn=stream.arn, StartingPosition="TRIM_HORIZON",
        MaximumRecordAgeInSeconds=21_600, DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )["UUID"]  # fmt: skip
    bench.run_for(minutes=5)
    bench.update(uuid, Enabled=False)
    bench.run_for(minutes=5)
    for order in range(80):
        stream.write(None, {"id": {"S": str(order)}}, bench.now)
        bench.run_for(minutes=6)
    bench.update(uuid, Enabled=True)
    bench.run_for(minutes=5)
    return [sum(note["DDBStreamBatchInfo"]["batchSize"] for note in inbox.documents)]


def within(one: Question, given: list[float]) -> bool:
    """Whether the page's answer takes these figures, as the page itself compares."""
    share, percent = one.within.rstrip("%"), one.within.endswith("%")
    wanted = [float(n) for n in one.answer]
    return len(given) == len(wanted) and all(
        abs(value - right) <= float(share) * (abs(right) / 100 if percent else 1) + 1e-9
        for value, right in zip(given, wanted, strict=True)
    )


@pytest.mark.parametrize("name", sorted(COMPUTED))
def test_an_answer_is_what_comes_out(name: str) -> None:
    one = ASKED[name]
    found = COMPUTED[name]()
    if one.kind == "all":
        assert found == list(one.answer)
    else:
        assert within(one, found), f"{name}: {found}"


def test_every_figure_that_is_asked_for_is_computed() -> None:
    """And what the emulator can decide among options that all may apply."""
    asked = {one.id for one in ASKED.values() if one.kind in ("number", "all")}
    # A record's log and the life of what keeps repetitions out are not played.
    assert asked - {"quiz-04-poison", "quiz-06-evening"} == set(COMPUTED)


def test_no_misconception_is_taken_for_right() -> None:
    for one in ASKED.values():
        if one.kind == "number":
            assert not [key for key, _ in one.misses if within(one, numbers(key))], one.id
