"""PutMetricData at the door, scripted faults, and the Streams API."""

from __future__ import annotations

from typing import Any

import pytest
from account_stand_in import ACCOUNT, REGION, allow, deployed, function_client, queue, table
from botocore.exceptions import ClientError

from grader.cloud.account import Beyond
from grader.cloud.metrics import dimensions

# -- metrics ---------------------------------------------------------------------------------


@pytest.fixture(name="account")
def _account() -> Any:
    with deployed(
        table("Orders", "merchant", "id", stream="NEW_AND_OLD_IMAGES"), table("Totals", "id")
    ) as account:
        yield account


def test_metric_data_keeps_namespace_dimensions_unit_and_time_apart(account: Any) -> None:
    cloudwatch = function_client(account, "cloudwatch")
    now = account.clock.now
    cloudwatch.put_metric_data(
        Namespace="Shop",
        MetricData=[
            {"MetricName": "Lag", "Value": 3, "Unit": "Seconds"},
            {"MetricName": "Lag", "Value": 4, "Unit": "Milliseconds"},
            {
                "MetricName": "Lag",
                "Value": 5,
                "Dimensions": [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}],
                "Timestamp": now / 1000 - 60,
            },
        ],
    )
    keys = list(account.metrics)
    assert [(key.unit, key.dimensions) for key in keys] == [
        ("Seconds", ()),
        ("Milliseconds", ()),
        ("None", dimensions(a="1", b="2")),
    ]
    assert [account.metrics.data(key)[0].time_ms for key in keys] == [now, now, now - 60_000]


def test_values_with_counts_and_statistic_sets_keep_sum_and_count(account: Any) -> None:
    cloudwatch = function_client(account, "cloudwatch")
    cloudwatch.put_metric_data(
        Namespace="Shop",
        MetricData=[
            {"MetricName": "Size", "Values": [1, 10], "Counts": [3, 2]},
            {
                "MetricName": "Set",
                "StatisticValues": {"SampleCount": 4, "Sum": 20, "Minimum": 1, "Maximum": 9},
            },
        ],
    )
    metrics = account.metrics
    assert metrics.total("Shop", "Size") == 23
    assert sum(datum.count for datum in metrics.find("Shop", "Size")) == 5
    found = metrics.find("Shop", "Set")
    assert sum(datum.value * datum.count for datum in found) == 20
    assert sum(datum.count for datum in found) == 4
    assert (min(datum.value for datum in found), max(datum.value for datum in found)) == (1, 9)


def test_a_compressed_request_is_read(account: Any) -> None:
    """boto3 compresses PutMetricData above 10 KB."""
    cloudwatch = function_client(account, "cloudwatch")
    wide = [{"Name": "d", "Value": "v" * 900}]
    data = [{"MetricName": "m", "Value": 1, "Dimensions": wide}] * 30
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=data)
    assert account.metrics.total("Shop", "m") == 30


GOOD: dict[str, Any] = {"MetricName": "m", "Value": 1}


@pytest.mark.parametrize(
    ("namespace", "data"),
    [
        ("AWS/Lambda", [GOOD]),
        ("Shop", [GOOD] * 1001),
        ("Shop", [{**GOOD, "Dimensions": [{"Name": f"d{n}", "Value": "v"} for n in range(31)]}]),
        ("Shop", [{"MetricName": "m"}]),
        ("Shop", [{**GOOD, "Values": [1.0]}]),
        ("Shop", [{"MetricName": "m", "Values": [1.0] * 151}]),
        ("Shop", [{"MetricName": "m", "Values": [1.0], "Counts": [1.0, 2.0]}]),
        ("Shop", [{**GOOD, "Timestamp": 1_700_000_000}]),
        ("Shop", [{**GOOD, "StorageResolution": 30}]),
        ("Shop", [{"MetricName": "m", "Value": 1e120}]),
        ("Shop", [GOOD, {**GOOD, "Dimensions": [{"Name": "d", "Value": " "}]}]),
    ],
    ids=[
        "AWS namespace",
        "1001 data",
        "31 dimensions",
        "no value",
        "two forms",
        "151 values",
        "counts differ",
        "too old",
        "resolution",
        "too large",
        "empty dimension",
    ],
)
def test_data_that_cloudwatch_refuses_is_refused_whole(
    account: Any, namespace: str, data: list[Any]
) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html"""
    cloudwatch = function_client(account, "cloudwatch", parameter_validation=False)
    with pytest.raises(ClientError) as failure:
        cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)
    assert failure.value.response["Error"]["Code"] in (
        "InvalidParameterValue",
        "InvalidParameterCombination",
        "MissingParameter",
    )
    assert list(account.metrics) == []


def test_a_namespace_condition_is_honoured(account: Any) -> None:
    granted = allow(
        "cloudwatch:PutMetricData", Condition={"StringEquals": {"cloudwatch:namespace": "Shop"}}
    )
    cloudwatch = function_client(account, "cloudwatch", granted)
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[GOOD])
    with pytest.raises(ClientError):
        cloudwatch.put_metric_data(Namespace="Other", MetricData=[GOOD])


def test_what_is_consumed_is_told_by_table_and_by_index() -> None:
    """Sums by the minute, of an index beside its table's, and nothing where nothing is consumed."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    keys = [{"AttributeName": "day", "KeyType": "HASH"}]
    index = {"IndexName": "byDay", "KeySchema": keys, "Projection": {"ProjectionType": "ALL"}}
    made = table("Totals", "id")
    made.properties["AttributeDefinitions"].append({"AttributeName": "day", "AttributeType": "S"})
    made.properties["GlobalSecondaryIndexes"] = [index]
    with deployed(made) as account:
        dynamodb = function_client(account, "dynamodb")
        of = dimensions(TableName="Totals")
        of_index = dimensions(TableName="Totals", GlobalSecondaryIndexName="byDay")

        def total(name: str, dims: Any) -> float:
            return float(account.metrics.total("AWS/DynamoDB", name, dims))

        for number in range(3):
            account.put("Totals", {"id": str(number), "day": "x" * 1_500})
        account.put("Totals", {"id": "bare"})
        assert total("ConsumedWriteCapacityUnits", of) == 3 * 2 + 1
        assert total("ConsumedWriteCapacityUnits", of_index) == 3 * 2
        assert len(account.metrics.find("AWS/DynamoDB", "ConsumedWriteCapacityUnits", of)) == 2
        assert not account.metrics.find("AWS/DynamoDB", "ConsumedReadCapacityUnits")
        account.clock.run_for(60_000)  # so that no read sees what was before
        dynamodb.get_item(TableName="Totals", Key={"id": {"S": "1"}})
        dynamodb.get_item(TableName="Totals", Key={"id": {"S": "1"}}, ConsistentRead=True)
        dynamodb.scan(TableName="Totals", IndexName="byDay")
        assert total("ConsumedReadCapacityUnits", of) == 1.5
        assert total("ConsumedReadCapacityUnits", of_index) == 1
        new = {"Item": {"id": {"S": "1"}}, "ConditionExpression": "attribute_not_exists(id)"}
        with pytest.raises(ClientError, match="ConditionalCheckFailed"):
            dynamodb.put_item(TableName="Totals", **new)
        assert total("ConditionalCheckFailedRequests", of) == 1


# -- faults ----------------------------------------------------------------------------------


def test_a_throttled_table_throttles_for_as_long_as_scripted(account: Any) -> None:
    now = account.clock.now
    account.throttle("Totals", now + 1000, now + 2000)
    dynamodb = function_client(account, "dynamodb")

    def put() -> None:
        dynamodb.put_item(TableName="Totals", Item={"id": {"S": "a"}})

    put()
    account.clock.run_for(1000)
    with pytest.raises(ClientError) as failure:
        put()
    assert failure.value.response["Error"]["Code"] == "ThrottlingException"
    account.put("Totals", {"id": "judge"})
    dynamodb.put_item(TableName="Orders", Item={"merchant": {"S": "a"}, "id": {"S": "b"}})
    account.clock.run_for(1000)
    put()
    metrics = account.metrics
    assert metrics.total("AWS/DynamoDB", "WriteThrottleEvents", dimensions(TableName="Totals")) == 1
    assert metrics.total("AWS/DynamoDB", "ThrottledRequests") == 1


def test_a_provisioned_table_throttles_with_its_own_error() -> None:
    resource = table(
        "Totals",
        "id",
        BillingMode="PROVISIONED",
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    with deployed(resource) as account:
        account.throttle("Totals", 0, account.clock.now + 1, operations=["UpdateItem"])
        dynamodb = function_client(account, "dynamodb")
        dynamodb.get_item(TableName="Totals", Key={"id": {"S": "a"}})
        with pytest.raises(dynamodb.exceptions.ProvisionedThroughputExceededException):
            dynamodb.update_item(TableName="Totals", Key={"id": {"S": "a"}})


def test_a_throttled_transaction_is_cancelled_with_the_reason(account: Any) -> None:
    account.throttle("Totals", 0, account.clock.now + 1)
    dynamodb = function_client(account, "dynamodb")
    key = {"merchant": {"S": "a"}, "id": {"S": "b"}}
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as failure:
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "Orders", "Item": key}},
                {"Put": {"TableName": "Totals", "Item": {"id": {"S": "a"}}}},
            ]
        )
    reasons = [reason["Code"] for reason in failure.value.response["CancellationReasons"]]
    assert reasons == ["None", "ThrottlingError"]
    assert account.items("Orders") == []


def test_a_batch_hands_back_what_was_throttled(account: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html"""
    account.throttle("Totals", 0, account.clock.now + 1)
    dynamodb = function_client(account, "dynamodb")
    totals = [{"PutRequest": {"Item": {"id": {"S": "a"}}}}]
    orders = [{"PutRequest": {"Item": {"merchant": {"S": "a"}, "id": {"S": "b"}}}}]
    answer = dynamodb.batch_write_item(RequestItems={"Totals": totals, "Orders": orders})
    assert answer["UnprocessedItems"] == {"Totals": totals}
    assert len(account.items("Orders")) == 1
    with pytest.raises(ClientError):
        dynamodb.batch_write_item(RequestItems={"Totals": totals})


def test_any_service_can_be_made_to_fail(account: Any) -> None:
    now = account.clock.now
    account.fail("dynamodb", now, now + 1, operations=["PutItem"], resource="Totals")
    dynamodb = function_client(account, "dynamodb")
    with pytest.raises(dynamodb.exceptions.InternalServerError) as failure:
        dynamodb.put_item(TableName="Totals", Item={"id": {"S": "a"}})
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    account.fail("cloudwatch", now, now + 1, code="Throttling", status=400, message="Rate exceeded")
    with pytest.raises(ClientError, match="Rate exceeded"):
        function_client(account, "cloudwatch").put_metric_data(Namespace="N", MetricData=[GOOD])


KEY = {"id": {"S": "a"}}
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:checkout"
# Calls that a hook answers: service of boto3, call, members, then what each is about and not about.
HOOKED: list[tuple[str, str, dict[str, Any], str, str, str, str]] = [
    (
        *("events", "put_events", {"Entries": [{"EventBusName": "shop"}, {}]}, "events"),
        *("shop", f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default", "shop-2"),
    ),
    (
        *("kinesis", "put_record", {"StreamName": "s", "Data": b"", "PartitionKey": "1"}),
        *("kinesis", "s", f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/s", "stream"),
    ),
    (
        *("lambda", "invoke", {"FunctionName": "mail", "Qualifier": "live"}, "lambda"),
        *("mail", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:mail", "live"),
    ),
    (
        *("secretsmanager", "get_secret_value", {"SecretId": "db-secret"}, "secretsmanager"),
        *("db-secret", f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:db-secret-AbCdEf", "db"),
    ),
    (
        *("ssm", "get_parameter", {"Name": "/shop/limit"}, "ssm", "/shop/limit"),
        *(f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/shop/limit", "/shop"),
    ),
    (
        *("stepfunctions", "start_execution", {"stateMachineArn": MACHINE}, "states"),
        *("checkout", MACHINE, "stateMachine"),
    ),
    (
        *("dynamodb", "put_item", {"TableName": "Totals", "Item": KEY}, "dynamodb"),
        *("Totals", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Totals", "Orders"),
    ),
    (
        *("dynamodb", "transact_write_items", {}, "dynamodb", "Totals"),
        *(f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Totals", "Orders"),
    ),
]
HOOKED[-1][2]["TransactItems"] = [{"Delete": {"TableName": "Totals", "Key": KEY}}]


def hooked(account: Any) -> None:
    """Let a test answer every call there is."""
    hooks = {"*": lambda params: {}}
    account.beyond = Beyond(account.clock, ACCOUNT, REGION, account.faults.meet, hooks=hooks)


@pytest.mark.parametrize(
    ("client", "call", "params", "service", "name", "arn", "other"),
    HOOKED,
    ids=[f"{one[0]} {one[1]}" for one in HOOKED],
)
def test_a_failure_of_one_resource_meets_the_hooked_calls_about_it(
    account: Any,
    client: str,
    call: str,
    params: dict[str, Any],
    service: str,
    name: str,
    arn: str,
    other: str,
) -> None:
    """By name or ARN, and no other call of the service; before the hook is asked."""
    hooked(account)
    function = function_client(account, client, parameter_validation=False)
    now = account.clock.now
    account.fail(service, now, now + 1, resource=other, code="OtherException")
    getattr(function, call)(**params)
    for resource in (name, arn):
        account.clock.run_for(10)
        now = account.clock.now
        account.fail(service, now, now + 1, resource=resource, code="BusyException", status=503)
        with pytest.raises(ClientError, match="BusyException"):
            getattr(function, call)(**params)
    assert [one.error for one in account.beyond.calls] == [None, "BusyException", "BusyException"]


@pytest.mark.parametrize(
    ("service", "operations", "resource", "words"),
    [
        ("dynamodb", None, "Total", "no Total in this account"),
        ("dynamodb", None, f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Total", "in this account"),
        ("sqs", ["SendMessage"], "failed", "no failed in this account"),
        ("sns", None, "failures", "in this account"),
        ("s3", None, "notes", "in this account"),
        ("dynamodb", ["PutItem", "ExecuteStatement"], "Totals", "dynamodb:ExecuteStatement is"),
        ("events", ["PutEvents", "PutRule"], "shop", "events:PutRule is about is not known"),
        ("kms", None, "key", "a call of kms is about is not known"),
        ("cloudwatch", None, "Shop", "a call of cloudwatch is about"),
        ("logs", ["PutLogEvents"], "/aws/lambda/x", "is about is not known"),
        ("https://api.example.com/", None, "rates", "name more of the address"),
    ],
)
def test_a_failure_that_nothing_would_meet_is_refused_with_a_sentence(
    account: Any, service: str, operations: Any, resource: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        account.fail(service, 0, 1, operations=operations, resource=resource)


def test_a_call_that_does_not_tell_what_it_is_about_says_so_while_a_resource_fails(
    account: Any,
) -> None:
    """It may be one of those that fail: neither a failure nor an answer would be true."""
    hooked(account)
    now = account.clock.now
    account.fail("dynamodb", now, now + 1, resource="Totals")
    dynamodb = function_client(account, "dynamodb")
    with pytest.raises(ClientError, match="Whether dynamodb:ExecuteStatement is about Totals"):
        dynamodb.execute_statement(Statement="SELECT * FROM Totals")
    dynamodb.put_item(TableName="Orders", Item={"merchant": {"S": "a"}, "id": {"S": "b"}})
    account.clock.run_for(10)
    dynamodb.execute_statement(Statement="SELECT * FROM Totals")


def test_a_queue_is_named_by_its_address_too() -> None:
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/failed"
    with deployed(queue("failed"), queue("other")) as account:
        now = account.clock.now
        account.fail("sqs", now, now + 1, resource=url, code="ServiceUnavailable", status=503)
        sqs = function_client(account, "sqs")
        sqs.send_message(QueueUrl=url.replace("failed", "other"), MessageBody="x")
        with pytest.raises(ClientError, match="ServiceUnavailable"):
            sqs.send_message(QueueUrl=url, MessageBody="x")


# -- the Streams API -------------------------------------------------------------------------


def test_a_reader_gets_the_emulators_stream_through_boto3(account: Any) -> None:
    streams = function_client(account, "dynamodbstreams")
    for number in range(3):
        account.put("Orders", {"merchant": "acme", "id": f"o-{number}", "amount": number})
    (listed,) = streams.list_streams(TableName="Orders")["Streams"]
    described = streams.describe_stream(StreamArn=listed["StreamArn"])["StreamDescription"]
    assert described["StreamStatus"] == "ENABLED"
    assert described["CreationRequestDateTime"].timestamp() * 1000 == account.clock.now
    iterator = streams.get_shard_iterator(
        StreamArn=listed["StreamArn"],
        ShardId=described["Shards"][0]["ShardId"],
        ShardIteratorType="TRIM_HORIZON",
    )["ShardIterator"]
    page = streams.get_records(ShardIterator=iterator, Limit=2)
    assert [one["dynamodb"]["NewImage"]["id"]["S"] for one in page["Records"]] == ["o-0", "o-1"]
    page = streams.get_records(ShardIterator=page["NextShardIterator"])
    assert [one["dynamodb"]["NewImage"]["id"]["S"] for one in page["Records"]] == ["o-2"]
    account.clock.run_for(15 * 60_000 + 1)
    with pytest.raises(streams.exceptions.ExpiredIteratorException):
        streams.get_records(ShardIterator=iterator)
    account.clock.run_for(24 * 3_600_000)
    with pytest.raises(streams.exceptions.TrimmedDataAccessException):
        streams.get_shard_iterator(
            StreamArn=listed["StreamArn"],
            ShardId=described["Shards"][0]["ShardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=page["Records"][0]["dynamodb"]["SequenceNumber"],
        )


def test_reading_records_needs_permission_on_that_stream(account: Any) -> None:
    arn = account.stream_of("Orders").arn
    shard = account.stream_of("Orders").shards[0].id
    granted = allow("dynamodb:GetShardIterator", resource=f"{arn[:-4]}*")
    streams = function_client(account, "dynamodbstreams", granted)
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="LATEST")[
        "ShardIterator"
    ]
    with pytest.raises(ClientError, match="dynamodb:GetRecords") as failure:
        streams.get_records(ShardIterator=iterator)
    assert arn in failure.value.response["Error"]["Message"]


def test_a_stream_that_is_not_there_is_not_found(account: Any) -> None:
    streams = function_client(account, "dynamodbstreams")
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Totals/stream/2026-01-01T00:00:00.000"
    with pytest.raises(streams.exceptions.ResourceNotFoundException):
        streams.describe_stream(StreamArn=arn)
    assert streams.list_streams(TableName="Totals")["Streams"] == []
    with pytest.raises(ClientError):
        streams.get_records(ShardIterator="nonsense")


def test_a_disabled_stream_is_listed_for_24_hours(account: Any) -> None:
    streams = function_client(account, "dynamodbstreams")
    account.disable_stream("Orders")
    account.clock.run_for(23 * 3_600_000)
    assert len(streams.list_streams()["Streams"]) == 1
    account.clock.run_for(2 * 3_600_000)
    assert streams.list_streams()["Streams"] == []


def test_sequence_numbers_start_where_the_account_was_told() -> None:
    orders = table("Orders", "id", stream="KEYS_ONLY")
    with deployed(orders, first_sequence=10**21 - 2) as account:
        for number in range(3):
            account.put("Orders", {"id": str(number)})
        records = account.stream_of("Orders").shards[0].records
        assert {len(str(record.sequence)) for record in records} == {21, 22}
