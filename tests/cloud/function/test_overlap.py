"""Invocations that overlap in virtual time interleave at their AWS calls, the same in every run."""

from __future__ import annotations

import json
from typing import Any

from workbench import reply

from grader.cloud.aws import Call, Reply
from grader.cloud.mapping.ports import Result

READ_MODIFY_WRITE = """
    import boto3, time
    ddb = boto3.client("dynamodb")
    def handler(event, context):
        time.sleep(event["wait"])
        now = int(ddb.get_item(TableName="t", Key={"id": {"S": "m"}})["Item"]["total"]["N"])
        ddb.put_item(TableName="t", Item={"total": {"N": str(now + event["amount"])}})
        return now
"""


class Table:
    """One number behind the door, and who asked for it in which order."""

    def __init__(self) -> None:
        self.total = 0
        self.order: list[tuple[int, str, int]] = []

    def __call__(self, call: Call) -> Reply:
        action = call.headers["X-Amz-Target"].rpartition(".")[2]
        self.order.append((call.environment, action, call.time_ms))
        if action == "PutItem":
            self.total = int(json.loads(call.body)["Item"]["total"]["N"])
        return reply({"Item": {"total": {"N": str(self.total)}}})


def play(bench: Any, *waits: float) -> tuple[Table, list[Result], list[int]]:
    table = Table()
    host = bench.deploy(READ_MODIFY_WRITE, table)
    ends: list[Result] = []
    for wait in waits:
        host.invoke({"wait": wait, "amount": 10}, ends.append)
    bench.play()
    return table, ends, [invocation.environment for invocation in host.invocations]


def test_a_read_modify_write_race_loses_the_same_update_every_time(bench: Any) -> None:
    first = play(bench, 0, 0)
    assert first[0].total == 10
    second = play(bench, 0, 0)
    assert [o[:2] for o in first[0].order] == [o[:2] for o in second[0].order]


def test_ties_go_by_environment_number(bench: Any) -> None:
    table, _, environments = play(bench, 0, 0, 0)
    assert environments == [1, 2, 3]
    assert [o[:2] for o in table.order] == [
        (1, "GetItem"), (2, "GetItem"), (3, "GetItem"),
        (1, "PutItem"), (2, "PutItem"), (3, "PutItem"),
    ]  # fmt: skip


def test_calls_are_answered_in_virtual_not_in_real_order(bench: Any) -> None:
    table, ends, _ = play(bench, 0.5, 0)
    assert [o[:2] for o in table.order] == [
        (2, "GetItem"), (2, "PutItem"), (1, "GetItem"), (1, "PutItem"),
    ]  # fmt: skip
    times = [time for _, _, time in table.order]
    assert times == sorted(times)
    assert table.total == 20 and [end.payload for end in ends] == [0, 10]


def test_the_most_recently_used_idle_environment_is_taken(bench: Any) -> None:
    code = "import time\ndef handler(event, context): time.sleep(event['wait'])"
    host = bench.deploy(code)
    for wait in (0.3, 0.1):
        host.invoke({"wait": wait}, lambda result: None)
    bench.play()
    bench.invoke(host, {"wait": 0})
    assert [(i.environment, i.cold) for i in host.invocations] == [(1, True), (2, True), (1, False)]


def test_an_environment_is_busy_until_its_virtual_end(bench: Any) -> None:
    host = bench.deploy("import time\ndef handler(event, context): time.sleep(1)")
    host.invoke({}, lambda result: None)
    bench.clock.run_for(500)
    assert host.invocations[0].end_ms is None
    host.invoke({}, lambda result: None)
    bench.play()
    assert [i.environment for i in host.invocations] == [1, 2]


def test_done_may_invoke_again(bench: Any) -> None:
    host = bench.deploy("def handler(event, context): return event")
    seen: list[Any] = []

    def again(result: Result) -> None:
        seen.append(result.payload["n"])
        if len(seen) < 3:
            host.invoke({"n": len(seen)}, again)

    host.invoke({"n": 0}, again)
    bench.play()
    assert seen == [0, 1, 2] and [i.cold for i in host.invocations] == [True, False, False]


def test_recycle_makes_the_next_invocation_a_cold_start(bench: Any) -> None:
    code = "count = 0\ndef handler(e, c):\n    global count\n    count += 1\n    return count"
    host = bench.deploy(code)
    assert [bench.invoke(host).payload for _ in range(2)] == [1, 2]
    host.recycle()
    assert bench.invoke(host).payload == 1


def test_two_runs_have_the_same_record_byte_for_byte(bench: Any) -> None:
    code = """
        import boto3, random, time, uuid
        ddb = boto3.client("dynamodb")
        def handler(event, context):
            print(uuid.uuid4(), time.time())
            time.sleep(random.random())
            ddb.put_item(TableName="t", Item={"id": {"S": str(uuid.uuid4())}})
            return random.random()
    """

    def record() -> str:
        host = bench.deploy(code)
        start = bench.clock.now
        for _ in range(3):
            host.invoke({}, lambda result: None)
        bench.play()
        return repr(
            [
                (i.request_id, i.end_ms - start, i.result, [c.body for c in i.calls])
                for i in host.invocations
            ]
        )

    assert record() == record()
