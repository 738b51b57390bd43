"""A team's own stack as teams write it: SAM, nested stacks, layers, other runtimes and services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.cloud import Pipeline, Refused

TEMPLATE = Path(__file__).parent / "stack/app/template.yaml"


def logged(pipeline: Pipeline, function: str, number: int = -1) -> Any:
    """The JSON that an invocation has printed."""
    [line] = [
        one.text
        for one in pipeline.invocations(function)[number].logs
        if one.text.startswith(("{", "["))
    ]
    return json.loads(line)


@pytest.fixture(scope="module")
def own(nursery: Any) -> Iterator[Pipeline]:
    """The stack with a record that its Python consumer has read, and a stand-in beside it."""
    with Pipeline.deploy(
        str(TEMPLATE),
        nursery=nursery,
        parameters={"Stage": "test"},
        ssm={"/shop/bus": "orders-bus", "/shop/limit": "12"},
        secrets={"Token": "s3cret"},
        functions={"Other": lambda event, context: {"seen": len(event["Records"])}},
    ) as pipeline:
        pipeline.answer("scheduler:CreateSchedule", lambda params: {"ScheduleArn": params["Name"]})

        def refuse(params: dict[str, Any]) -> None:
            raise Refused("DisabledException", f"{len(params['CiphertextBlob'])} bytes")

        pipeline.answer("kms:*", refuse)
        pipeline.run_for(minutes=2)
        pipeline.put("Orders", {"id": "o-1"})
        pipeline.run_for(minutes=1)
        yield pipeline


def test_sam_is_deployed_as_it_is_written_and_its_consumer_reads(own: Pipeline) -> None:
    """Transform, Globals, folders, policy templates, an alias, a layer, a nested stack, a global
    table of one Region, and a mapping of another source beside the one that is played.
    """
    (invocation,) = own.invocations("Consumer")
    assert invocation.result is not None and invocation.result.kind == "returned", invocation.logs
    assert own.item("Totals", {"id": "o-1"}) == {"id": "o-1"}
    assert own.refusals == {}
    assert [one.action for one in own.denied] == ["bedrock-runtime:InvokeModel"]
    assert own.mapping("ConsumerStream").function.arn.endswith(":live")
    assert own.table("Orders") == "test-orders"
    assert logged(own, "Consumer")["settings"] == ["test", "importvalue-network-vpc", "orders-bus"]


def test_what_is_kept_is_named_once(own: Pipeline) -> None:
    """Each thing that is not played stands in `unplayed`, with the place where it is written."""
    told = [str(one) for one in own.unplayed]
    assert len(told) == len(set(told))
    for part in ("Path: ", "VpcConfig", "Fn::ImportValue", "events:source", "belongs to kinesis"):
        assert any(part in one for one in told), (part, told)


def test_other_services_are_answered_and_kept(own: Pipeline) -> None:
    """Parameters and secrets come from the test, what is sent is kept, hooks answer the rest."""
    told = logged(own, "Consumer")
    assert told["limit"]["Parameter"]["Value"] == "12"
    assert told["lost"][0] == "ParameterNotFound"
    assert told["token"]["SecretString"] == "s3cret"
    assert told["hooked"] == {"ScheduleArn": "s"}
    assert told["failing"] == ["DisabledException", "1 bytes"]
    assert told["denied"][0] == "AccessDeniedException"
    [event] = own.calls("events:PutEvents")
    assert event.params["Entries"][0]["EventBusName"] == "orders-bus"
    assert (
        event.answer["FailedEntryCount"] == 0 and event.function == own.functions["Consumer"].name
    )
    assert [one.params["Data"] for one in own.calls("kinesis:PutRecord")] == [b"\x00\xff"]
    [execution] = own.calls("states:StartExecution")
    assert told["path"]["executionArn"].startswith("arn:aws:states:us-east-1:123456789012:")
    assert execution.params["input"] == "{}"
    assert own.calls("lambda:Invoke")[0].params["Payload"] == b"{}"
    assert told["other"]["StatusCode"] == 202
    assert len(own.calls("ses:SendEmail")) == 2
    assert own.calls("kms:Decrypt")[0].error == "DisabledException"


def test_an_unanswered_service_names_the_hook(own: Pipeline) -> None:
    """The refusal that code sees says how a test answers the call."""
    code, message = logged(own, "Consumer")["refused"]
    assert code == "AccessDeniedException"
    assert 'pipeline.answer("bedrock-runtime:InvokeModel", callable)' in message


def test_a_stand_in_is_called_for_another_runtime(own: Pipeline) -> None:
    """A function of Node.js is played by the test's callable, with its own mapping."""
    [invocation] = own.invocations("Other")
    assert invocation.result is not None and invocation.result.payload == {"seen": 1}


def test_a_failing_record_lands_in_the_nested_stacks_queue(own: Pipeline) -> None:
    """The destination stands in another template, and the note arrives there."""
    own.put("Orders", {"id": "bad"})
    own.run_for(minutes=2)
    [note] = own.notes("ConsumerStream")
    assert note.condition == "RetryAttemptsExhausted"
    queue = own.stack.resources["Letters.Queue"]
    assert queue.attributes["QueueName"] == "test-letters"
    assert len(own.account.messages(queue.attributes["Arn"])) == 1


def test_the_network_elsewhere_is_closed_until_a_hook_answers(own: Pipeline) -> None:
    """Without a hook the connection fails with its name; with one the test is the other side."""
    seen = []

    def rates(request: dict[str, Any]) -> tuple[int, Any]:
        seen.append((request["method"], request["url"]))
        return 201, {"eur": 1.1}

    own.put("Orders", {"id": "elsewhere"})
    own.run_for(seconds=2)
    closed = own.invocations("Consumer")[-1].result
    assert closed is not None and closed.kind == "error"
    assert 'pipeline.answer("https://rates.example.com/eur?x=1", callable)' in str(closed.payload)
    own.answer("https://rates.example.com/", rates)
    own.run_for(minutes=1)
    own.put("Orders", {"id": "elsewhere", "again": True})
    own.run_for(minutes=1)
    assert logged(own, "Consumer") == [201, {"eur": 1.1}]
    assert seen == [("GET", "https://rates.example.com/eur?x=1")]
