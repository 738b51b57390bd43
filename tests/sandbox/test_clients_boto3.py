"""boto3 operates a sandbox as it does an account: clients, waiters, paginators."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from grader.cloud.mapping.journal import ShardStarted
from grader.cloud.metrics import dimensions
from grader.sandbox import Sandbox, Server, replayed
from grader.sandbox.oncall.duty import Duty

Client = Callable[[str], Any]
LATER = "def handler(event, context):\n    return {'batchItemFailures': [], 'said': 'new'}\n"


def order(number: int, **more: Any) -> dict[str, Any]:
    """An order as DynamoDB JSON."""
    item = {"merchant": {"S": "acme"}, "id": {"S": f"order#{number}"}, "kind": {"S": "order"}}
    return {**item, "amount": {"N": "1250"}, **more}


def test_an_order_is_written_and_counted(
    client: Client, names: dict[str, str], server: Server
) -> None:
    """From PutItem over the stream and the mapping to the function's table."""
    client("dynamodb").put_item(TableName=names["Orders"], Item=order(1))
    server.sandbox.pace.move(5_000)
    (total,) = client("dynamodb").scan(TableName=names["MerchantTotals"])["Items"]
    assert (total["total"], total["orders"]) == ({"N": "1250"}, {"N": "1"})
    told = client("lambda").get_function_configuration(FunctionName=names["TotalsFunction"])
    lines = client("logs").filter_log_events(
        logGroupName=told["LoggingConfig"]["LogGroup"],
        filterPattern='"REPORT RequestId" -ERROR',
    )["events"]
    assert lines and all(one["message"].startswith("REPORT") for one in lines)


def test_waiters_and_paginators_end(client: Client, names: dict[str, str]) -> None:
    """Of tables, stacks and functions; pages of items, mappings, alarms, logs and streams."""
    dynamodb, functions = client("dynamodb"), client("lambda")
    dynamodb.create_table(
        TableName="Extra",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    dynamodb.get_waiter("table_exists").wait(TableName="Extra")
    client("cloudformation").get_waiter("stack_exists").wait(StackName="shop")
    client("cloudformation").get_waiter("stack_create_complete").wait(StackName="shop")
    functions.get_waiter("function_active_v2").wait(FunctionName=names["TotalsFunction"])
    functions.get_waiter("function_updated_v2").wait(FunctionName=names["TotalsFunction"])
    for number in range(25):
        dynamodb.put_item(TableName="Extra", Item={"id": {"S": str(number)}})
    scan = dynamodb.get_paginator("scan").paginate(
        TableName="Extra", PaginationConfig={"PageSize": 4}
    )
    assert len({one["id"]["S"] for page in scan for one in page["Items"]}) == 25
    tables = dynamodb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 1})
    assert len([name for page in tables for name in page["TableNames"]]) == 4
    streams = client("dynamodbstreams").list_streams(TableName="Extra")["Streams"]
    assert [one["TableName"] for one in streams] == ["Extra"]
    mappings = functions.get_paginator("list_event_source_mappings").paginate()
    assert [one["State"] for page in mappings for one in page["EventSourceMappings"]] == ["Enabled"]
    metrics = client("cloudwatch").get_paginator("list_metrics").paginate(Namespace="AWS/Lambda")
    assert any(one["MetricName"] == "IteratorAge" for page in metrics for one in page["Metrics"])
    dynamodb.delete_table(TableName="Extra")
    dynamodb.get_waiter("table_not_exists").wait(TableName="Extra")


def test_a_streams_control_plane(client: Client) -> None:
    """Off, on again with another label, and what AWS refuses of it."""
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="Turned",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    on = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    first = dynamodb.update_table(TableName="Turned", StreamSpecification=on)["TableDescription"]
    with pytest.raises(ClientError, match="already has an enabled stream"):
        dynamodb.update_table(TableName="Turned", StreamSpecification=on)
    dynamodb.update_table(TableName="Turned", StreamSpecification={"StreamEnabled": False})
    again = dynamodb.update_table(TableName="Turned", StreamSpecification=on)["TableDescription"]
    assert again["LatestStreamArn"] != first["LatestStreamArn"]
    both = client("dynamodbstreams").list_streams(TableName="Turned")["Streams"]
    assert {one["StreamArn"] for one in both} == {
        first["LatestStreamArn"],
        again["LatestStreamArn"],
    }
    dynamodb.update_time_to_live(
        TableName="Turned", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"}
    )
    told = dynamodb.describe_time_to_live(TableName="Turned")["TimeToLiveDescription"]
    assert told == {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}
    dynamodb.delete_table(TableName="Turned")


def test_code_and_configuration_are_updated_in_place(
    client: Client, names: dict[str, str], server: Server
) -> None:
    """The next invocation runs the new code with the new settings, and the mapping goes on."""
    functions, name = client("lambda"), names["TotalsFunction"]
    before = functions.get_function_configuration(FunctionName=name)
    module = before["Handler"].partition(".")[0]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(f"{module}.py", LATER)
    assert before["LastModified"].startswith("2026-")
    answered = functions.update_function_code(
        FunctionName=name, ZipFile=archive.getvalue(), RevisionId=before["RevisionId"]
    )
    assert answered["CodeSize"] == len(archive.getvalue())
    assert answered["CodeSha256"] != before["CodeSha256"]
    with pytest.raises(functions.exceptions.PreconditionFailedException):
        functions.update_function_configuration(
            FunctionName=name, Timeout=5, RevisionId=before["RevisionId"]
        )
    functions.update_function_configuration(
        FunctionName=name,
        MemorySize=512,
        Environment={"Variables": {"A": "b"}},
        Handler=f"{module}.handler",
    )
    functions.get_waiter("function_updated").wait(FunctionName=name)
    after = functions.get_function_configuration(FunctionName=name)
    assert (after["MemorySize"], after["Environment"]) == (512, {"Variables": {"A": "b"}})
    # A deployment shows by its moment, its digest and its revision.
    assert after["LastModified"] > before["LastModified"]
    assert after["CodeSha256"] == answered["CodeSha256"]
    assert after["RevisionId"] not in (before["RevisionId"], answered["RevisionId"])
    told = ("AWS/Lambda", "Invocations", dimensions(FunctionName=name))
    counted = server.sandbox.cloud.metrics.total(*told)
    answer = functions.invoke(FunctionName=name, Payload=b"{}", LogType="Tail")
    # Lambda counts a client's invocation as it counts a mapping's.
    assert server.sandbox.cloud.metrics.total(*told) == counted + 1
    assert json.loads(answer["Payload"].read()) == {"batchItemFailures": [], "said": "new"}
    assert answer["ExecutedVersion"] == "$LATEST"
    known = len(server.sandbox.cloud.functions[name].invocations)
    client("dynamodb").put_item(TableName=names["Orders"], Item=order(2))
    server.sandbox.pace.move(5_000)
    assert len(server.sandbox.cloud.functions[name].invocations) == known + 1
    # Another order's invocation is under way: a cold start takes longer than 300 ms.
    client("dynamodb").put_item(TableName=names["Orders"], Item=order(3))
    server.sandbox.cloud.functions[name].recycle()
    server.sandbox.pace.move(300)
    assert server.sandbox.cloud.functions[name].invocations[-1].end_ms is None
    functions.update_function_configuration(FunctionName=name, Timeout=20)
    server.sandbox.pace.move(5_000)
    assert server.sandbox.cloud.functions[name].invocations[-1].end_ms is not None
    with pytest.raises(ClientError, match="between 1 and 900"):
        functions.update_function_configuration(FunctionName=name, Timeout=901)


def test_a_mapping_is_changed_and_refused_as_by_aws(client: Client, server: Server) -> None:
    functions = client("lambda")
    (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]
    changed = functions.update_event_source_mapping(
        UUID=mapping["UUID"], ParallelizationFactor=4, MaximumRetryAttempts=0
    )
    assert changed["State"] == "Updating"
    with pytest.raises(functions.exceptions.ResourceInUseException):
        functions.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=10)
    server.sandbox.pace.move(10_000)
    now = functions.get_event_source_mapping(UUID=mapping["UUID"])
    assert (now["State"], now["ParallelizationFactor"]) == ("Enabled", 4)
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_event_source_mapping(UUID="00000000-0000-0000-0000-000000000000")


def test_alarms_have_a_history_and_reach_a_topic_or_nobody(client: Client, server: Server) -> None:
    """An alarm by hand rings on its metric, and SetAlarmState sets it back."""
    from datetime import UTC, datetime, timedelta

    watch = client("cloudwatch")
    watch.put_metric_alarm(
        AlarmName="Many",
        Namespace="Shop",
        MetricName="Waiting",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=10,
        ComparisonOperator="GreaterThanThreshold",
    )
    server.sandbox.pace.move(120_000)
    now = datetime.fromtimestamp(server.sandbox.cloud.clock.now / 1000, UTC)
    watch.put_metric_data(
        Namespace="Shop", MetricData=[{"MetricName": "Waiting", "Value": 11, "Timestamp": now}]
    )
    server.sandbox.pace.move(180_000)
    (alarm,) = watch.describe_alarms(AlarmNames=["Many"])["MetricAlarms"]
    assert "datapoint" in alarm["StateReason"]
    items = watch.describe_alarm_history(AlarmName="Many", ScanBy="TimestampAscending")[
        "AlarmHistoryItems"
    ]
    assert [one["HistorySummary"] for one in items][:1] == [
        "Alarm updated from INSUFFICIENT_DATA to ALARM"
    ]
    watch.set_alarm_state(AlarmName="Many", StateValue="OK", StateReason="by hand")
    assert watch.describe_alarms(AlarmNames=["Many"])["MetricAlarms"][0]["StateValue"] == "OK"
    span = {"StartTime": now - timedelta(minutes=5), "EndTime": now + timedelta(minutes=5)}
    read = watch.get_metric_data(
        MetricDataQueries=[
            {
                "Id": "m",
                "MetricStat": {
                    "Metric": {"Namespace": "Shop", "MetricName": "Waiting"},
                    "Period": 60,
                    "Stat": "Maximum",
                },
                "ReturnData": False,
            },
            {"Id": "twice", "Expression": "m * 2"},
        ],
        **span,
    )["MetricDataResults"]
    assert [(one["Id"], one["Values"]) for one in read] == [("twice", [22.0])]
    watch.delete_alarms(AlarmNames=["Many"])


def test_queues_lead_no_client_elsewhere(
    client: Client, names: dict[str, str], server: Server
) -> None:
    """A queue's address is the sandbox's wherever a client reads it."""
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="Notes")["QueueUrl"]
    assert url.startswith(server.url)
    sqs.send_message(QueueUrl=url, MessageBody="one")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert names["FailedRecords"].startswith(server.url)
    sqs.delete_queue(QueueUrl=url)


def test_what_is_not_answered_is_refused_by_name_with_what_to_use_instead(client: Client) -> None:
    for call, told in (
        (lambda: client("logs").start_query(
            logGroupName="x", startTime=0, endTime=1, queryString="fields @message"),
         "logs:StartQuery is not answered in this sandbox.*filter-log-events"),
        (lambda: client("lambda").create_function(
            FunctionName="x", Role="arn:aws:iam::123456789012:role/x", Code={"ZipFile": b""}),
         "lambda:CreateFunction is not answered.*template"),
        (lambda: client("kinesis").list_streams(), "There is no kinesis here"),
        (lambda: client("dynamodb").describe_endpoints(), "one endpoint here"),
    ):  # fmt: skip
        with pytest.raises(ClientError, match=told) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "NotImplemented"


def test_an_empty_range_beside_virtual_time_is_explained(client: Client, server: Server) -> None:
    client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Errors",
        StartTime=0,
        EndTime=3600,
        Period=60,
        Statistics=["Sum"],
    )
    assert "ends before the time in this sandbox" in server.sandbox.world.remarks[-1].sentence


def test_powertools_keeps_its_idempotency_here(client: Client, server: Server) -> None:
    """The persistence layer of Powertools, over HTTP: the second call is not carried out."""
    from aws_lambda_powertools.utilities.idempotency import (
        DynamoDBPersistenceLayer,
        IdempotencyConfig,
        idempotent_function,
    )

    client("dynamodb").create_table(
        TableName="Once",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    layer = DynamoDBPersistenceLayer(table_name="Once", boto3_client=client("dynamodb"))
    done: list[str] = []

    @idempotent_function(
        data_keyword_argument="order", persistence_store=layer, config=IdempotencyConfig()
    )
    def count(order: str) -> str:
        done.append(order)
        return f"counted {order}"

    assert [count(order="o-1"), count(order="o-1"), count(order="o-2")] == [
        "counted o-1",
        "counted o-1",
        "counted o-2",
    ]
    assert done == ["o-1", "o-2"]
    client("dynamodb").delete_table(TableName="Once")


# Powertools' batch utility as its users write it: what fails is reported, the rest is done with.
BATCH = """
import os
import boto3
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor, EventType, process_partial_response)
processor = BatchProcessor(event_type=EventType.DynamoDBStreams)
table = boto3.resource("dynamodb").Table(os.environ["DONE"])
def one(record):
    image = record.dynamodb.new_image
    table.put_item(Item={"id": image["id"], "amount": int(image["amount"])})
def handler(event, context):
    return process_partial_response(
        event=event, record_handler=one, processor=processor, context=context)
"""


def batching(*, worker: dict[str, Any] | None = None, extra: bool = False) -> str:
    """A template: orders, a function over their stream, what it has done, and its notes.

    ``worker`` are more properties of the function; ``extra`` adds one more table.
    """
    key = {
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    }
    stream = {"StreamSpecification": {"StreamViewType": "NEW_IMAGE"}}
    rights = [
        {"Effect": "Allow", "Action": ["dynamodb:*", "sqs:SendMessage", "logs:*"], "Resource": "*"}
    ]
    assumed = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    resources: dict[str, tuple[str, dict[str, Any]]] = {
        "In": ("AWS::DynamoDB::Table", {**key, **stream}),
        "Done": ("AWS::DynamoDB::Table", key),
        "Notes": ("AWS::SQS::Queue", {}),
        "Role": (
            "AWS::IAM::Role",
            {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{**assumed, "Action": "sts:AssumeRole"}],
                },
                "Policies": [
                    {
                        "PolicyName": "work",
                        "PolicyDocument": {"Version": "2012-10-17", "Statement": rights},
                    }
                ],
            },
        ),
        "Worker": (
            "AWS::Lambda::Function",
            {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Timeout": 30,
                "Role": {"Fn::GetAtt": "Role.Arn"},
                "Code": {"ZipFile": BATCH},
                "Environment": {"Variables": {"DONE": {"Ref": "Done"}}},
                **(worker or {}),
            },
        ),
        "Mapping": (
            "AWS::Lambda::EventSourceMapping",
            {
                "EventSourceArn": {"Fn::GetAtt": "In.StreamArn"},
                "FunctionName": {"Ref": "Worker"},
                "StartingPosition": "TRIM_HORIZON",
                "MaximumBatchingWindowInSeconds": 5,
                "MaximumRetryAttempts": 2,
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": "Notes.Arn"}}},
            },
        ),
    }
    if extra:
        resources["Extra"] = ("AWS::DynamoDB::Table", key)
    body = {name: {"Type": kind, "Properties": given} for name, (kind, given) in resources.items()}
    return json.dumps({"Description": "Work in batches.", "Resources": body})


def test_powertools_batches_report_the_bad_record_alone(client: Client, server: Server) -> None:
    """Deployed as a stack: the good ones are done once, the bad one is tried and noted."""
    client("cloudformation").create_stack(
        StackName="batches", TemplateBody=batching(), Capabilities=["CAPABILITY_IAM"]
    )
    resources = client("cloudformation").describe_stack_resources(StackName="batches")
    names = {
        one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources["StackResources"]
    }
    dynamodb = client("dynamodb")
    for number in range(5):
        amount = {"S": "much"} if number == 2 else {"N": str(number)}
        dynamodb.put_item(
            TableName=names["In"], Item={"id": {"S": f"o-{number}"}, "amount": amount}
        )
    server.sandbox.pace.move(60_000)
    done = dynamodb.scan(TableName=names["Done"])["Items"]
    assert sorted(one["id"]["S"] for one in done) == ["o-0", "o-1", "o-3", "o-4"]
    (message,) = client("sqs").receive_message(QueueUrl=names["Notes"])["Messages"]
    note = json.loads(message["Body"])
    assert note["requestContext"]["condition"] == "RetryAttemptsExhausted"
    (stream,) = client("dynamodbstreams").list_streams(TableName=names["In"])["Streams"]
    iterator = client("dynamodbstreams").get_shard_iterator(
        StreamArn=stream["StreamArn"],
        ShardId=note["DDBStreamBatchInfo"]["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=note["DDBStreamBatchInfo"]["startSequenceNumber"],
    )["ShardIterator"]
    first = client("dynamodbstreams").get_records(ShardIterator=iterator)["Records"][0]
    assert first["dynamodb"]["Keys"]["id"]["S"] == "o-2"
    client("cloudformation").delete_stack(StackName="batches")


def test_an_update_that_fails_is_rolled_back(client: Client, names: dict[str, str]) -> None:
    """As CloudFormation does: the old state, a status that says so, and the reason in the events.

    A stack tells when it was updated only once it was, and when it was deleted.
    """
    stacks, functions = client("cloudformation"), client("lambda")
    given = {"StackName": "undone", "Capabilities": ["CAPABILITY_IAM"]}
    stacks.create_stack(**given, TemplateBody=batching(worker={"Description": "As it was"}))

    def status() -> dict[str, Any]:
        return dict(stacks.describe_stacks(StackName="undone")["Stacks"][0])

    assert status()["StackStatus"] == "CREATE_COMPLETE" and "LastUpdatedTime" not in status()
    (row,) = [
        one for one in stacks.list_stacks(StackStatusFilter=["CREATE_COMPLETE"])["StackSummaries"]
        if one["StackName"] == "undone"
    ]  # fmt: skip
    assert row["TemplateDescription"] == "Work in batches." and "LastUpdatedTime" not in row
    worker = stacks.describe_stack_resource(StackName="undone", LogicalResourceId="Worker")
    name = worker["StackResourceDetail"]["PhysicalResourceId"]

    def stands() -> list[Any]:
        told = functions.get_function(FunctionName=name)
        parts = ("Description", "MemorySize", "CodeSha256", "Environment", "Role")
        return [told.get("Concurrency"), *(told["Configuration"][one] for one in parts)]

    before = stands()
    assert before[:3] == [None, "As it was", 128]
    tables = client("dynamodb").list_tables()["TableNames"]
    # Lambda leaves at least 100 executions to the account's other functions.
    functions.put_function_concurrency(
        FunctionName=names["TotalsFunction"], ReservedConcurrentExecutions=500
    )
    more = {"MemorySize": 512, "ReservedConcurrentExecutions": 500}
    stacks.update_stack(**given, TemplateBody=batching(worker=more, extra=True))
    with pytest.raises(WaiterError, match="UPDATE_ROLLBACK_COMPLETE"):
        stacks.get_waiter("stack_update_complete").wait(StackName="undone")
    assert status()["LastUpdatedTime"] > status()["CreationTime"]
    events = stacks.describe_stack_events(StackName="undone")["StackEvents"]
    (failed,) = [one for one in events if one["ResourceStatus"] == "UPDATE_FAILED"]
    assert failed["LogicalResourceId"] == "Worker"
    assert "UnreservedConcurrentExecution" in failed["ResourceStatusReason"]
    assert stands() == before
    assert client("dynamodb").list_tables()["TableNames"] == tables
    functions.delete_function_concurrency(FunctionName=names["TotalsFunction"])
    # And the next update is made.
    stacks.update_stack(**given, TemplateBody=batching(worker={"MemorySize": 512}, extra=True))
    assert status()["StackStatus"] == "UPDATE_COMPLETE"
    told = functions.update_function_configuration(FunctionName=name, Description="Mine")
    assert (told["MemorySize"], told["Description"]) == (512, "Mine")
    stacks.delete_stack(StackName="undone")
    (gone,) = [
        one for one in stacks.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
        if one["StackName"] == "undone"
    ]  # fmt: skip
    assert gone["DeletionTime"] > gone["CreationTime"]


def test_what_is_over_is_forgotten_and_all_goes_on(
    client: Client, names: dict[str, str], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of invocations, steps, writes and log lines the last stay; counts and requests go on."""
    box = server.sandbox
    journal = box.cloud.journals[names["OrdersToTotals"]]
    made = box.cloud.functions[names["TotalsFunction"]].invocations
    before, started = made.made, len(journal.of(ShardStarted))
    assert before > 2 and len(journal) > 20
    monkeypatch.setattr("grader.sandbox.world.MOST_REMEMBERED", 4)
    monkeypatch.setattr("grader.sandbox.world.MOST_LINES", 8)
    told = client("lambda").get_function_configuration(FunctionName=names["TotalsFunction"])
    group = {"logGroupName": told["LoggingConfig"]["LogGroup"]}
    known = [one["eventId"] for one in client("logs").filter_log_events(**group)["events"]]
    box.world.forget()
    # A line keeps its id, by which `aws logs tail --follow` knows what it has printed.
    kept = [one["eventId"] for one in client("logs").filter_log_events(**group)["events"]]
    assert kept == known[-len(kept) :] and 8 <= len(kept) < len(known)
    assert made.made == before and len(made) <= 4
    assert len(journal.of(ShardStarted)) == started and len(journal) <= 4 + started
    assert len(box.cloud.account.tables.writes) == 4
    client("dynamodb").put_item(TableName=names["Orders"], Item=order(77))
    box.pace.move(5_000)
    assert made.made == before + 1 and box.state()["functions"][0]["invocations"] >= before
    lines = client("logs").filter_log_events(**group)
    assert "REPORT" in lines["events"][-1]["message"] and len(lines["events"]) < 30
    assert replayed.scene(box.world).functions
    assert not Sandbox.remembers and Duty.remembers  # a drill is judged by everything


def test_nothing_broke_down(server: Server) -> None:
    """After everything above: no fault of the sandbox's, and every request is written down."""
    box = server.sandbox
    assert not box.breakdowns and not box.cloud.account.breakdowns
    numbers = [one.number for one in box.asked]
    assert numbers == sorted(numbers) and len(box.asked) > 80
    times = [one.virtual_ms for one in box.asked]
    assert times == sorted(times)
