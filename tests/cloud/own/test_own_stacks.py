"""A team's own stack as teams write it: SAM, nested stacks, layers, other runtimes and services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.cloud import Pipeline, Refused
from grader.cloud.own import read
from grader.cloud.template import TemplateProblems

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
    """Transform, Globals, folders, policy templates, a connector, an alias, a layer, a nested stack
    and application, a global table of one Region, and a mapping of another source beside the one
    that is played.
    """
    (invocation,) = own.invocations("Consumer")
    assert invocation.result is not None and invocation.result.kind == "returned", invocation.logs
    assert own.item("Totals", {"id": "o-1"}) == {"id": "o-1"}
    assert own.refusals == {}
    assert [one.action for one in own.denied] == ["bedrock-runtime:InvokeModel"]
    assert own.mapping("ConsumerStream").function.arn.endswith(":live")
    assert own.table("Orders") == "test-orders"
    settings = logged(own, "Consumer")["settings"]
    assert settings == ["test", "importvalue-network-vpc", "orders-bus", "12"]
    assert own.stack.resources["More.Queue"].attributes["QueueName"] == "more-letters"


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
        seen.append((request["method"], request["url"], request["body"]))
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
    own.put("Orders", {"id": "pooled"})
    own.run_for(minutes=1)
    assert logged(own, "Consumer") == [201, {"eur": 1.1}]
    assert seen == [
        ("GET", "https://rates.example.com/eur?x=1", b""),
        ("POST", "https://rates.example.com/usd", b"[1]"),
    ]


def test_what_cdk_synth_leaves_is_played_on_a_table_outside(nursery: Any) -> None:
    """The asset lies beside the template; the stream comes from another stack by a parameter."""
    template = Path(__file__).parent / "synth/Shop.template.json"
    name = "ordersstreamarn"
    with Pipeline.deploy(template, nursery=nursery, tables={name: {"id": "S", "at": "N"}}) as own:
        own.run_for(minutes=2)
        own.put(name, {"id": "o-1", "at": 1})
        own.run_for(minutes=1)
        assert own.item("TotalsB2", {"id": "n"}) == {"id": "n", "n": 1}
        told = "\n".join(map(str, own.unplayed))
        assert "python3.7" in told and "AWS::CDK::Metadata" in told and f"{name}, with" in told


STREAM = """
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Other:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: RUNTIME
      Handler: index.handler
      Role: arn:aws:iam::123456789012:role/made-by-hand
      Code: CODE
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      EventSourceArn: !GetAtt Orders.StreamArn
      FunctionName: !Ref Other
      StartingPosition: TRIM_HORIZON
"""


def written(folder: Path, runtime: str, code: str) -> Path:
    """A template of one consumer."""
    file = folder / "template.yaml"
    file.write_text(STREAM.replace("RUNTIME", runtime).replace("CODE", code), encoding="utf-8")
    return file


def test_a_missing_stand_in_is_asked_for_when_a_record_comes(tmp_path: Path, nursery: Any) -> None:
    """The stack deploys; the sentence comes at the moment something needs the function."""
    file = written(tmp_path, "nodejs22.x", "src")
    with Pipeline.deploy(file, nursery=nursery) as own:
        own.run_for(minutes=2)
        own.put("Orders", {"id": "o-1"})
        with pytest.raises(Refused, match=r'Other.*nodejs22.x.*functions=\{"Other": callable\}'):
            own.run_for(minutes=1)
    with pytest.raises(KeyError, match="Otter"):
        Pipeline.deploy(file, nursery=nursery, functions={"Otter": print})


def test_code_stands_in_the_template_or_in_a_folder_of_artifacts(
    tmp_path: Path, nursery: Any
) -> None:
    """Inline text, and what the template looks for in S3; a role made by hand may do everything."""
    text = "def handler(event, context):\n    return len(event['Records'])\n"
    inline = written(tmp_path, "python3.13", f"{{ZipFile: {json.dumps(text)}}}")
    (tmp_path / "built/shop").mkdir(parents=True)
    (tmp_path / "built/shop/index.py").write_text(text, encoding="utf-8")
    for code in (None, "{S3Bucket: releases, S3Key: v1/shop.zip}"):
        file = inline if code is None else written(tmp_path, "python3.13", code)
        with Pipeline.deploy(file, nursery=nursery, artifacts=tmp_path / "built") as own:
            own.run_for(minutes=2)
            own.put("Orders", {"id": "o-1"})
            own.run_for(minutes=1)
            [invocation] = own.invocations("Other")
            assert invocation.result is not None and invocation.result.payload == 1
            assert any("made-by-hand" in str(one) for one in own.unplayed)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("KeyType: HASH", "KeyType: HUSH", "HUSH"),
        ("StartingPosition: TRIM_HORIZON", "BatchSize: 0", "lacks StartingPosition|BatchSize"),
        ("!Ref Other", "!Ref Otter", "Otter"),
    ],
)
def test_what_aws_would_refuse_of_a_consumer_is_refused(
    tmp_path: Path, nursery: Any, old: str, new: str, sentence: str
) -> None:
    """Lenient is what no consumer needs; a mistake in one is told as AWS would."""
    file = written(tmp_path, "python3.13", "{ZipFile: x}")
    file.write_text(file.read_text().replace(old, new), encoding="utf-8")
    with pytest.raises((TemplateProblems, Refused), match=sentence):
        Pipeline.deploy(file, nursery=nursery)


def test_a_mistake_elsewhere_is_kept_and_told(tmp_path: Path, nursery: Any) -> None:
    """The same mistake in a table that no stream's consumer reads leaves that table out."""
    other = "  Side:\n    Type: AWS::DynamoDB::Table\n    Properties: {KeySchema: [], Nothing: 1}\n"
    file = written(tmp_path, "python3.13", "{ZipFile: x}")
    file.write_text(file.read_text() + other, encoding="utf-8")
    with Pipeline.deploy(file, nursery=nursery) as own:
        assert "Side" not in own.stack.resources
        assert any("Side" in str(one) for one in own.unplayed)


def test_a_pipe_is_named_with_what_is_not_proved(tmp_path: Path) -> None:
    """Whoever tests a stack with a pipe learns that nothing of the pipe is played."""
    file = tmp_path / "template.yaml"
    file.write_text(
        "Resources:\n  Route:\n    Type: AWS::Pipes::Pipe\n    Properties:\n"
        "      {RoleArn: r, Source: s, Target: t}\n"
    )
    (told,) = read(file).stack.unplayed
    assert told.sentence.startswith("Route: ")
    for part in ("reads nothing", "retries, failure notes and target are not proved"):
        assert part in told.sentence
