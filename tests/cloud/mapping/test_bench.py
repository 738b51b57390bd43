"""The bench: what a caller can build, script, step through and read.

The guide to it, whose examples are run too: docs/reference/test-your-own-stack.md
"""

from __future__ import annotations

import pytest

from grader.cloud.aws import Refused
from grader.cloud.mapping import Bench, InProcess, Result

QUEUE = "arn:aws:sqs:us-east-1:123456789012:failed"


def item(name, **more):
    return {"id": {"S": name}, **more}


@pytest.fixture(name="bench")
def _bench():
    return Bench(start_delay_ms=0)


def create(bench, stream, function="totals", **more):
    request = {"EventSourceArn": stream.arn, "FunctionName": function, **more}
    return bench.create(**{"StartingPosition": "TRIM_HORIZON", **request})["UUID"]


def ids(invocation):
    return [record.event["dynamodb"]["Keys"]["id"]["S"] for record in invocation.records]


# -- streams by hand ---------------------------------------------------------------------------------


def test_shards_records_numbers_and_times_are_what_the_caller_says(bench):
    stream = bench.stream(shards=0)
    shard = stream.add_shard("shardId-a", starting_sequence=5)
    record = stream.write(None, item("x"), bench.now - 9_500, shard="shardId-a", sequence="0007")
    assert (shard.id, shard.parent_id, shard.starting_sequence) == ("shardId-a", None, 5)
    assert (record.sequence, record.sequence_number) == (7, "0007")
    assert record.time_ms == bench.now - 9_500
    assert record.event["dynamodb"]["SequenceNumber"] == "0007"
    assert record.event["dynamodb"]["ApproximateCreationDateTime"] == (bench.now - 9_500) // 1000


def test_a_shard_without_a_starting_number_starts_at_its_first_record(bench):
    stream = bench.stream(shards=0)
    shard = stream.add_shard("shardId-a")
    stream.write(None, item("x"), bench.now, sequence=40)
    assert shard.starting_sequence == 40


@pytest.mark.parametrize("sequence", [0, 7, 6, "x", "-1", "1" * 41])
def test_a_number_that_is_not_above_the_last_one_is_the_callers_mistake(bench, sequence):
    stream = bench.stream(shards=0)
    stream.add_shard("shardId-a")
    stream.write(None, item("x"), bench.now, sequence=7)
    with pytest.raises(ValueError, match=r"digits|above"):
        stream.write(None, item("y"), bench.now, sequence=sequence)


def test_with_several_shards_by_hand_a_write_names_its_shard(bench):
    stream = bench.stream(shards=0)
    with pytest.raises(ValueError, match="name the shard"):
        stream.write(None, item("x"), bench.now)
    stream.add_shard("shardId-a")
    stream.add_shard("shardId-b")
    with pytest.raises(ValueError, match="name the shard"):
        stream.write(None, item("x"), bench.now)
    with pytest.raises(Refused) as refused:
        stream.write(None, item("x"), bench.now, shard="shardId-c")
    assert refused.value.code == "ResourceNotFoundException"
    stream.end_shard("shardId-a", bench.now)
    with pytest.raises(ValueError, match="closed"):
        stream.write(None, item("x"), bench.now, shard="shardId-a")
    with pytest.raises(ValueError, match="cannot be added"):
        stream.add_shard("shardId-b")


def test_children_wait_for_a_parent_by_hand_and_not_for_an_unknown_one(bench):
    """A parent is processed before its children; a parent that is trimmed holds nobody up."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
    stream = bench.stream(shards=0)
    for shard, parent in (("child", "parent"), ("parent", "long-gone"), ("other", None)):
        stream.add_shard(f"shardId-{shard}", parent=parent and f"shardId-{parent}")
        stream.write(None, item(shard), bench.now, shard=f"shardId-{shard}")
    bench.function("totals")
    uuid = create(bench, stream)
    bench.run_for(minutes=1)
    assert sorted(ids(one) for one in bench.invocations(uuid)) == [["other"], ["parent"]]
    stream.end_shard("shardId-parent", bench.now)
    bench.run_for(minutes=1)
    assert ids(bench.invocations(uuid)[-1]) == ["child"]


def test_only_the_over_age_prefix_is_dropped_also_when_a_later_record_is_older(bench):
    """Records are dropped from the front, until one is young enough."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    stream = bench.stream()
    for name, age in (("old", 100), ("young", 1), ("older", 200)):
        stream.write(None, item(name), bench.now - age * 1000)
    inbox = bench.destination(QUEUE)
    bench.function("totals")
    uuid = create(
        bench,
        stream,
        MaximumRecordAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    bench.drain()
    assert [ids(one) for one in bench.invocations(uuid)] == [["young", "older"]]
    assert [one["DDBStreamBatchInfo"]["batchSize"] for one in inbox.documents] == [1]


def test_records_are_trimmed_from_the_front_also_when_times_go_back(bench):
    stream = bench.stream()
    day = 24 * 3_600_000
    for name, age in (("gone", day + 1), ("kept", 5), ("older", day + 2)):
        stream.write(None, item(name), bench.now - age)
    bench.function("totals")
    uuid = create(bench, stream)
    bench.drain()
    assert ids(bench.invocations(uuid)[0])[0] == "kept"


# -- scripted functions ------------------------------------------------------------------------------


def test_an_answer_may_be_a_value_an_exception_or_a_result(bench):
    answers = [ValueError("no"), Result("error", error_type="Runtime.ExitError"), {"ok": True}]

    def answer(event):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    function = bench.function("totals", answer)
    stream = bench.stream()
    uuid = create(bench, stream)
    stream.write(None, item("x"), bench.now)
    bench.drain()
    kinds = [(one.result.kind, one.result.error_type) for one in bench.invocations(uuid)]
    assert kinds == [("error", "ValueError"), ("error", "Runtime.ExitError"), ("returned", None)]
    assert function.calls[-1].result.payload == {"ok": True}


def test_an_answer_that_is_not_json_is_a_function_error(bench):
    """As on Lambda: Runtime.MarshalError."""
    # https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
    for function in (
        bench.function("scripted", lambda event: {1, 2}),
        InProcess("plain", lambda event, context: {1, 2}),
    ):
        results = []
        function.invoke({"Records": []}, results.append)
        assert (results[0].kind, results[0].error_type) == ("error", "Runtime.MarshalError")


def test_a_slow_answer_takes_its_virtual_time_and_a_slower_one_times_out(bench):
    """A timeout is a function error."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    function = bench.function("totals", duration_ms=900, timeout_ms=1_000)
    stream = bench.stream()
    uuid = create(bench, stream)
    stream.write(None, item("x"), bench.now)
    bench.drain()
    function.duration_ms = 5_000
    stream.write(None, item("y"), bench.now)
    bench.run_for(seconds=2)
    first, second = bench.invocations(uuid)[:2]
    assert (first.end_ms - first.start_ms, first.outcome) == (900, "success")
    assert (second.end_ms - second.start_ms, second.outcome) == (1_000, "failure")
    assert second.result.error_message == "Task timed out after 1.00 seconds"
    assert bench.metric("Errors") == 1


def test_what_a_function_does_to_its_event_stays_with_it(bench):
    def spoil(event):
        event["Records"].clear()
        raise ValueError

    bench.function("totals", spoil)
    stream = bench.stream()
    uuid = create(bench, stream, MaximumRetryAttempts=1)
    stream.write(None, item("x"), bench.now)
    bench.drain()
    assert [ids(one) for one in bench.invocations(uuid)] == [["x"], ["x"]]


def test_the_state_of_a_failed_call_in_a_window_is_not_kept(bench):
    """A function may write into the state that it got; only what it returns counts."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    states = []

    def answer(event, context):
        state = event["state"]
        state["n"] = state.get("n", 0) + len(event["Records"])
        states.append(dict(state))
        if len(states) == 1:
            raise ValueError
        return {"state": state}

    bench.add(InProcess("totals", answer))
    stream = bench.stream()
    create(bench, stream, TumblingWindowInSeconds=30)
    stream.write(None, item("x"), bench.now)
    bench.drain()
    assert states == [{"n": 1}, {"n": 1}, {"n": 1}]


# -- time, attempts, destinations --------------------------------------------------------------------


def test_attempts_outcomes_and_decisions_can_be_read(bench):
    answers = [Result("throttled"), {"batchItemFailures": [{"itemIdentifier": "2"}]}, None]
    bench.function("totals", lambda event: answers.pop(0), duration_ms=50)
    stream = bench.stream(shards=0)
    stream.add_shard("shardId-a")
    for number in (1, 2, 3):
        stream.write(None, item(str(number)), bench.now, sequence=number)
    uuid = create(bench, stream, FunctionResponseTypes=["ReportBatchItemFailures"])
    bench.step()
    bench.drain()
    seen = bench.invocations(uuid)
    assert [(one.sequences, one.attempt, one.outcome) for one in seen] == [
        (["1", "2", "3"], 1, "throttled"),
        (["1", "2", "3"], 1, "partial"),
        (["2", "3"], 1, "success"),
    ]
    assert {one.shard_id for one in seen} == {"shardId-a"}
    assert all(one.decision.rule and one.decision.source for one in seen)
    assert seen[2].event["Records"] == [record.event for record in seen[2].records]
    assert bench.checkpoint(uuid, "shardId-a") == 3
    assert len(bench.timeline(uuid)) == len(bench.journals[uuid])


def test_an_invocation_that_runs_is_running(bench):
    bench.function("totals", duration_ms=60_000)
    stream = bench.stream()
    uuid = create(bench, stream)
    stream.write(None, item("x"), bench.now)
    bench.run_for(seconds=1)
    [one] = bench.invocations(uuid)
    assert (one.outcome, one.end_ms, one.result) == ("running", None, None)


def test_what_the_accounts_concurrency_stops_is_throttled(bench):
    bench.concurrency.reserve("totals", 0)
    function = bench.function("totals")
    stream = bench.stream()
    uuid = create(bench, stream)
    stream.write(None, item("x"), bench.now)
    bench.run_for(seconds=1)
    assert {one.outcome for one in bench.invocations(uuid)} == {"throttled"}
    assert function.calls == []


def test_claimed_account_concurrency_is_reservations_and_what_runs_without_one(bench):
    """The account's figures have no dimension; how many run in all is one of them."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
    bench.concurrency.reserve("other", 40)
    bench.function("totals", duration_ms=1_000)
    stream = bench.stream(shards=3)
    uuid = create(bench, stream)
    for number in range(30):
        stream.write(None, item(str(number)), bench.now)
    bench.run_for(minutes=1)
    bench.mapping(uuid).flush()
    claimed = bench.metrics.find("AWS/Lambda", "ClaimedAccountConcurrency", (), "Count")
    assert max(datum.value for datum in claimed) == 43
    unreserved = bench.metrics.find("AWS/Lambda", "UnreservedConcurrentExecutions", (), "Count")
    assert max(datum.value for datum in unreserved) == 3
    every = bench.metrics.find("AWS/Lambda", "ConcurrentExecutions", (), "Count")
    assert max(datum.value for datum in every) == 3


def test_notes_arrive_in_destinations_that_exist_and_do_not_refuse(bench):
    stream = bench.stream()
    inbox = bench.destination(QUEUE)
    bench.function("totals", lambda event: 1 / 0)
    uuid = create(
        bench,
        stream,
        MaximumRetryAttempts=0,
        MetricsConfig={"Metrics": ["EventCount"]},
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    stream.write(None, item("x"), bench.now)
    bench.drain()
    inbox.refuses = "AccessDenied"
    stream.write(None, item("y"), bench.now)
    bench.drain()
    bench.update(uuid, DestinationConfig={"OnFailure": {"Destination": f"{QUEUE}-none"}})
    bench.drain()
    stream.write(None, item("z"), bench.now)
    bench.drain()
    assert len(inbox.documents) == 1
    assert bench.metric("OnFailureDestinationDeliveredEventCount") == 1
    assert bench.metric("DestinationDeliveryFailures") == 2
    assert bench.metric("DroppedEventCount") == 2


def test_a_bucket_keeps_objects_under_awss_keys(bench):
    """aws/lambda/<mapping>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<UUID>."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    stream = bench.stream()
    inbox = bench.destination("arn:aws:s3:::failed")
    bench.function("totals", lambda event: 1 / 0)
    uuid = create(
        bench,
        stream,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": inbox.arn}},
    )
    stream.write(None, item("x"), bench.now)
    bench.drain()
    [key] = inbox.keys
    assert key.startswith(f"aws/lambda/{uuid}/{stream.shards[0].id}/2026/11/02/2026-11-02T09.00.00")


def test_without_a_journal_everything_else_works():
    bench = Bench(journal=False, start_delay_ms=0)
    stream = bench.stream()
    function = bench.function("totals")
    uuid = create(bench, stream)
    stream.write(None, item("x"), bench.now)
    bench.drain()
    assert len(function.calls) == 1
    assert bench.invocations() == []
    assert bench.get(uuid)["LastProcessingResult"] == "OK"


def test_the_same_bench_plays_the_same_day_twice():
    def day(seed):
        bench = Bench(seed=seed)
        stream = bench.stream(shards=2)
        bench.function("totals", lambda event: {"batchItemFailures": []})
        uuid = create(bench, stream, ParallelizationFactor=3, BatchSize=2)
        for number in range(50):
            stream.write(None, item(str(number)), bench.now)
        bench.drain()
        return [(one.start_ms, one.shard_id, one.sequences) for one in bench.invocations(uuid)]

    assert day(0) == day(0) != day(1)


def test_a_mistake_in_a_script_is_the_tests_and_not_the_functions() -> None:
    """A name that is not there ends the test; an exception on purpose is a function error."""
    for answer, mistake in (
        (lambda event: event.no_such_thing, AttributeError),
        (lambda event: undefined, NameError),  # noqa: F821
    ):
        bench = Bench()
        stream = bench.stream()
        bench.function("totals", answer)
        bench.create(
            FunctionName="totals", EventSourceArn=stream.arn, StartingPosition="TRIM_HORIZON"
        )
        stream.write(None, {"id": {"S": "a"}}, bench.now)
        with pytest.raises(mistake):
            bench.run_for(minutes=5)


def test_two_streams_of_a_table_in_one_millisecond_are_two() -> None:
    bench = Bench()
    one, two = bench.stream(), bench.stream()
    assert one.arn != two.arn
    assert set(bench.streams.values()) == {one, two}


def test_draining_moves_the_clock_no_further_than_what_is_due() -> None:
    bench = Bench()
    bench.at(bench.now + 1_500, lambda: None)
    start = bench.now
    bench.drain()
    assert bench.now == start + 1_500
