"""The door: a function's only way to AWS."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from workbench import JSON, reply

from grader.cloud.aws import Call, Reply
from grader.cloud.function import Kill
from grader.cloud.function.child import frames

WRITE = """
    import boto3
    table = boto3.resource("dynamodb").Table("Totals")
    def handler(event, context):
        for n in range(event.get("calls", 1)):
            table.put_item(Item={"id": str(n)})
        return "done"
"""


def test_a_call_arrives_as_the_http_request_that_boto3_made(bench: Any) -> None:
    host = bench.deploy(WRITE)
    bench.invoke(host, {"calls": 2})
    first, second = host.invocations[0].calls
    assert (first.number, second.number, first.environment, first.invocation) == (1, 2, 1, 1)
    assert (first.method, first.url) == ("POST", "https://dynamodb.us-east-1.amazonaws.com/")
    assert first.headers["X-Amz-Target"] == "DynamoDB_20120810.PutItem"
    assert json.loads(first.body) == {"TableName": "Totals", "Item": {"id": {"S": "0"}}}
    # 5 ms of latency and the client's own work lie between them.
    assert 5 < second.time_ms - first.time_ms < 20


def test_the_answers_latency_is_virtual_time(bench: Any) -> None:
    slow = bench.deploy(WRITE, lambda call: reply({}, latency_ms=700))
    fast = bench.deploy(WRITE, lambda call: reply({}, latency_ms=0))
    assert bench.invoke(slow).duration_ms - bench.invoke(fast).duration_ms == 700


def test_an_answer_slower_than_the_read_timeout_is_a_timeout_after_the_effect(bench: Any) -> None:
    """The request has been carried out; botocore then tries again, as on AWS."""
    seen: list[Call] = []

    def answer(call: Call) -> Reply:
        seen.append(call)
        return reply({}, latency_ms=9_000)

    code = """
        import boto3, botocore.exceptions
        from botocore.config import Config
        config = Config(read_timeout=2, retries={"total_max_attempts": 2, "mode": "standard"})
        ddb = boto3.client("dynamodb", config=config)
        def handler(event, context):
            try:
                ddb.put_item(TableName="t", Item={})
            except botocore.exceptions.ReadTimeoutError:
                return "gave up"
    """
    host = bench.deploy(code, answer, timeout_ms=30_000)
    result = bench.invoke(host)
    assert (result.payload, len(seen)) == ("gave up", 2)
    assert 4_000 < result.duration_ms < 5_500


def test_botocores_backoff_sleeps_virtually(bench: Any) -> None:
    throttled = {
        "__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
    }
    code = """
        import boto3
        ddb = boto3.client("dynamodb")
        def handler(event, context):
            ddb.put_item(TableName="t", Item={})
    """
    host = bench.deploy(code, lambda call: reply(throttled, 400), timeout_ms=60_000)
    result = bench.invoke(host)
    assert result.error_type == "ProvisionedThroughputExceededException"
    calls = host.invocations[0].calls
    assert len(calls) > 2 and calls[-1].time_ms - calls[0].time_ms > 100 * len(calls)


def test_binary_bodies_and_other_services_pass_unchanged(bench: Any) -> None:
    data = bytes(range(256)) * 1024

    def answer(call: Call) -> Reply:
        if call.method == "PUT":
            assert data in call.body
            return Reply(200, {"ETag": '"x"'}, b"")
        return Reply(200, {"Content-Length": str(len(data))}, data)

    code = """
        import boto3
        def handler(event, context):
            s3 = boto3.client("s3")
            data = bytes(range(256)) * 1024
            s3.put_object(Bucket="b", Key="k", Body=data)
            return s3.get_object(Bucket="b", Key="k")["Body"].read() == data
    """
    assert bench.run(code, answer=answer, timeout_ms=10_000).payload is True


def test_threads_share_the_door_without_mixing_frames(bench: Any) -> None:
    def answer(call: Call) -> Reply:
        return reply({"Item": json.loads(call.body)["Key"]})

    code = """
        import boto3
        from concurrent.futures import ThreadPoolExecutor
        ddb = boto3.client("dynamodb")
        def get(n):
            return ddb.get_item(TableName="t", Key={"id": {"S": str(n)}})["Item"]["id"]["S"]
        def handler(event, context):
            with ThreadPoolExecutor(8) as pool:
                return list(pool.map(get, range(40)))
    """
    assert bench.run(code, answer=answer).payload == [str(n) for n in range(40)]


def test_calls_during_initialisation_belong_to_the_cold_start(bench: Any) -> None:
    code = """
        import boto3
        FIRST = boto3.client("dynamodb").get_item(TableName="t", Key={})
        def handler(event, context): return len(FIRST)
    """
    host = bench.deploy(code, lambda call: reply({}, latency_ms=100))
    bench.invoke(host)
    assert host.invocations[0].calls[0].time_ms - bench.start_ms < 400
    assert bench.clock.now - bench.start_ms > 450


def test_a_thread_left_behind_calls_nothing_between_invocations(bench: Any) -> None:
    code = """
        import boto3, threading, time
        ddb = boto3.client("dynamodb")
        def work():
            while True:
                time.sleep(0.01)
                ddb.put_item(TableName="t", Item={"id": {"S": "ghost"}})
        def handler(event, context):
            if event["n"] == 1:
                threading.Thread(target=work, daemon=True).start()
            time.sleep(0.1)
    """
    host = bench.deploy(code)
    bench.invoke(host)
    end = bench.clock.now
    bench.clock.run_for(60_000)
    bench.invoke(host, {"n": 2})
    times = [call.time_ms for invocation in host.invocations for call in invocation.calls]
    assert times and all(t <= end or t >= end + 60_000 for t in times)


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("when", "effects"), [("before", 1), ("after", 2)])
def test_the_environment_dies_before_or_after_its_second_call(
    bench: Any, when: Any, effects: int
) -> None:
    done: list[Call] = []

    def answer(call: Call) -> Reply:
        done.append(call)
        return reply({})

    host = bench.deploy(WRITE, answer, faults=lambda call: Kill(when) if call.number == 2 else None)
    result = bench.invoke(host, {"calls": 3})
    assert result.error_type == "Runtime.ExitError"
    assert result.error_message.endswith("Runtime exited with error: signal: killed")
    assert (len(done), host.invocations[0].killed) == (effects, when)
    host.faults = None
    assert bench.invoke(host).kind == "returned" and host.invocations[1].cold


# -- the language ----------------------------------------------------------------------------------


def test_a_frame_survives_any_cut() -> None:
    whole = frames.pack({"t": "call", "n": 1}, b"body") + frames.pack({"t": "end"})
    parser = frames.Parser()
    found = []
    for byte in whole:
        parser.feed(bytes([byte]))
        if (frame := parser.take()) is not None:
            found.append(frame)
    assert found == [({"t": "call", "n": 1}, b"body"), ({"t": "end"}, b"")]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff" * 16,
        frames.LENGTHS.pack(3, 0) + b"[1]",
        frames.LENGTHS.pack(5, 0) + b"\x00\x01\x02\x03\x04",
        frames.LENGTHS.pack(200_000, 0) + b"[" * 200_000,
    ],
)
def test_what_is_not_a_frame_is_refused(garbage: bytes) -> None:
    parser = frames.Parser()
    parser.feed(garbage)
    with pytest.raises(frames.BadFrame):
        parser.take()


def test_reading_a_frame_keeps_it_at_most_twice() -> None:
    """What a function sends costs the judge a fixed multiple of it, and above the cap nothing."""
    body = bytes(4 << 20)
    whole = frames.pack({"t": "end"}, body)
    parser = frames.Parser()
    tracemalloc.start()
    try:
        for start in range(0, len(whole), 1 << 18):
            parser.feed(whole[start : start + (1 << 18)])
            frame = parser.take()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert frame == ({"t": "end"}, body)
    assert most < 3 * len(whole)

    with pytest.raises(frames.BadFrame, match="above the cap"):
        parser.feed(frames.LENGTHS.pack(2, frames.MAX_BODY_BYTES + 1))
        parser.take()


def test_a_frame_in_crumbs_is_refused_and_one_in_ordinary_pieces_is_not() -> None:
    """Each piece wakes the judge: a byte at a time would keep it busy for ever."""
    whole = frames.pack({"t": "end"}, bytes(1 << 20))
    parser = frames.Parser()
    with pytest.raises(frames.BadFrame, match="pieces"):
        for byte in whole:
            parser.feed(bytes([byte]))
    assert len(parser._bytes) < 2 * frames.PIECES

    for piece in (512, 65536):
        parser = frames.Parser()
        for start in range(0, len(whole), piece):
            parser.feed(whole[start : start + piece])
        assert parser.take() is not None


FORGE = """
    import json, os, struct
    def send(header, body=b""):
        head = header if isinstance(header, bytes) else json.dumps(header).encode()
        data = struct.pack(">II", len(head), len(body)) + head + body
        while data:
            data = data[os.write(3, data):]
    def handler(event, context):
        {0}
"""


@pytest.mark.parametrize(
    "attack",
    [
        "os.write(3, b'\\xff' * 64)",
        "os.write(3, b'\\x00' * 8)",
        "send(b'not json')",
        "send({'t': 'end'})",
        "send({'t': 'end', 'ns': 'soon'})",
        "send({'t': 'ready', 'ns': 0})",
        "send({'t': 'nothing', 'ns': 0})",
        "send({'t': 'call', 'ns': 0, 'method': 1, 'url': 2, 'headers': 3})",
        "send({'t': 'call', 'ns': 0, 'method': 'GET', 'url': 'x', 'headers': {'a': 1}})",
        "send({'t': 'error', 'ns': 0}, b'[]')",
        "send({'t': 'error', 'ns': 0}, b'\\xff\\xfe')",
        "os.close(3)",
    ],
)
def test_broken_frames_end_as_a_runtime_exit(bench: Any, attack: str) -> None:
    host = bench.deploy(FORGE.format(attack))
    result = bench.invoke(host)
    assert (result.kind, result.error_type) == ("error", "Runtime.ExitError")
    assert "Runtime exited" in result.error_message
    assert bench.invoke(host).kind == "error" and host.invocations[1].cold


def test_a_forged_time_neither_goes_back_nor_past_the_deadline(bench: Any) -> None:
    for moment, kind, expected in ((-(10**30), "returned", 4), (10**30, "error", 3000)):
        host = bench.deploy(FORGE.format(f"send({{'t': 'end', 'ns': {moment}}}, b'1')"))
        result = bench.invoke(host)
        assert (result.kind, result.duration_ms) == (kind, pytest.approx(expected, abs=1))


def test_a_flood_of_calls_is_cut(bench: Any) -> None:
    code = FORGE.format(
        "\n        ".join(
            [
                "while True:",
                "    send({'t': 'call', 'ns': 0, 'method': 'GET', 'url': 'x', 'headers': {}})",
            ]
        )
    )
    host = bench.deploy(code)
    assert bench.invoke(host).kind == "error"
    assert len(host.invocations[0].calls) <= bench.nursery.limits.calls


def test_answers_with_no_body_and_odd_headers_reach_boto3(bench: Any) -> None:
    code = """
        import boto3
        def handler(event, context):
            response = boto3.client("dynamodb").list_tables()["ResponseMetadata"]
            return [response["HTTPStatusCode"], response["HTTPHeaders"]["x-amzn-requestid"]]
    """
    headers = {**JSON, "x-amzn-RequestId": "R1"}
    assert bench.run(code, answer=lambda call: Reply(200, headers, b"{}")).payload == [200, "R1"]
