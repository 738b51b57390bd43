"""Queues, topics, buckets, logs and on-failure destinations."""

from __future__ import annotations

import io
import json
import weakref
from typing import Any

import pytest
from account_stand_in import (
    ACCOUNT,
    REGION,
    Resource,
    allow,
    bucket,
    deny,
    deployed,
    documents,
    function_client,
    queue,
    table,
    topic,
)
from botocore.exceptions import ClientError

from grader.cloud.aws import Refused
from grader.cloud.dynamodb.staleness import LAG_MS
from grader.cloud.mapping.ports import Delivery
from grader.cloud.metrics import dimensions

QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:failed"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:failures"
URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/failed"
LET_IN = documents(allow("*"))


def queue_policy(condition: Any = None, effect: str = "Allow", **more: Any) -> Resource:
    statement = {
        "Effect": effect,
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        **more,
    }
    if "NotAction" in more:
        del statement["Action"]
    if condition:
        statement["Condition"] = condition
    document = {"Version": "2012-10-17", "Statement": [statement]}
    properties = {"PolicyDocument": document, "Queues": [URL]}
    return Resource(effect, "AWS::SQS::QueuePolicy", properties, effect)


def subscription(**more: Any) -> Resource:
    properties = {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE, **more}
    return Resource("Sub", "AWS::SNS::Subscription", properties, "Sub")


# -- queues ----------------------------------------------------------------------------------


def test_a_message_is_hidden_while_in_flight_and_comes_back_on_virtual_time() -> None:
    with deployed(queue("failed", VisibilityTimeout=60)) as account:
        sqs = function_client(account, "sqs")
        sqs.send_message(QueueUrl=URL, MessageBody="x")
        assert len(sqs.receive_message(QueueUrl=URL)["Messages"]) == 1
        assert "Messages" not in sqs.receive_message(QueueUrl=URL)
        assert [message.in_flight for message in account.messages("failed")] == [True]
        account.clock.run_for(60_001)
        again = sqs.receive_message(QueueUrl=URL, AttributeNames=["All"])["Messages"][0]
        assert again["Attributes"]["ApproximateReceiveCount"] == "2"
        sqs.delete_message(QueueUrl=URL, ReceiptHandle=again["ReceiptHandle"])
        assert account.messages("failed") == []


@pytest.mark.parametrize("by_queue", [True, False])
def test_a_long_poll_of_an_empty_queue_takes_virtual_time_only(by_queue: bool) -> None:
    """In moto it would wait for real, and never end on a clock that stands still."""
    properties = {"ReceiveMessageWaitTimeSeconds": 20} if by_queue else {}
    with deployed(queue("failed", **properties)) as account:
        sqs = function_client(account, "sqs")
        wait = {} if by_queue else {"WaitTimeSeconds": 20}
        assert "Messages" not in sqs.receive_message(QueueUrl=URL, **wait)
        assert account.replies[-1].latency_ms == 20_010
        sqs.send_message(QueueUrl=URL, MessageBody="x")
        sqs.receive_message(QueueUrl=URL, **wait)
        assert account.replies[-1].latency_ms == 10


def test_a_message_received_too_often_goes_to_the_dead_letter_queue() -> None:
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead", "maxReceiveCount": 1}
    work = queue("failed", RedrivePolicy=policy, VisibilityTimeout=1)
    with deployed(work, queue("dead")) as account:
        sqs = function_client(account, "sqs")
        sqs.send_message(QueueUrl=URL, MessageBody="x")
        for _ in range(2):
            sqs.receive_message(QueueUrl=URL)
            account.clock.run_for(2_000)
        assert [message.body for message in account.messages("dead")] == ["x"]
        assert account.messages("failed") == []


def test_a_missing_queue_is_the_exception_that_boto3_knows() -> None:
    with deployed(queue("failed")) as account:
        sqs = function_client(account, "sqs")
        with pytest.raises(sqs.exceptions.QueueDoesNotExist):
            sqs.send_message(QueueUrl=URL.replace("failed", "absent"), MessageBody="x")


def test_message_attributes_survive_with_their_checksums() -> None:
    """boto3 checks the MD5 of what it sent."""
    with deployed(queue("failed")) as account:
        sqs = function_client(account, "sqs")
        attributes = {
            "kind": {"DataType": "String", "StringValue": "note"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        }
        sqs.send_message_batch(
            QueueUrl=URL,
            Entries=[{"Id": "1", "MessageBody": "x", "MessageAttributes": attributes}],
        )
        got = sqs.receive_message(QueueUrl=URL, MessageAttributeNames=["All"])["Messages"][0]
        assert got["MessageAttributes"]["blob"]["BinaryValue"] == b"\x00\xff"


def test_queue_metrics_are_recorded() -> None:
    with deployed(queue("failed")) as account:
        account.send(Delivery(QUEUE, "{}"), LET_IN)
        account.clock.run_for(90_000)
        account.observe()
        metrics = account.metrics
        assert metrics.total("AWS/SQS", "NumberOfMessagesSent") == 1
        assert metrics.total("AWS/SQS", "ApproximateNumberOfMessagesVisible") == 1
        assert metrics.total("AWS/SQS", "ApproximateAgeOfOldestMessage") == 90


def test_a_queue_falls_silent_six_hours_after_the_last_call_and_never_with_messages() -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html"""
    visible = ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    hour = 3_600_000
    with deployed(queue("failed")) as account:

        def speaks_after(ms: int) -> bool:
            before = len(account.metrics.find(*visible))
            account.clock.run_for(ms)
            account.observe()
            return len(account.metrics.find(*visible)) > before

        sqs = function_client(account, "sqs")
        assert speaks_after(6 * hour)
        assert not speaks_after(60_000)
        sqs.get_queue_attributes(QueueUrl=URL, AttributeNames=["All"])
        assert speaks_after(6 * hour)
        assert not speaks_after(60_000)
        sqs.send_message(QueueUrl=URL, MessageBody="x")
        assert speaks_after(30 * hour)
        message = sqs.receive_message(QueueUrl=URL)["Messages"][0]
        sqs.delete_message(QueueUrl=URL, ReceiptHandle=message["ReceiptHandle"])
        assert speaks_after(6 * hour)
        assert not speaks_after(60_000)


# -- topics ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("policies", "arrived"), [((queue_policy(),), 1), ((), 0)])
def test_a_topic_tells_what_was_published_delivered_and_not(
    policies: tuple[Resource, ...], arrived: int
) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html"""
    with deployed(queue("failed"), topic("failures"), *policies, subscription()) as account:
        account.send(Delivery(TOPIC, "{}"), LET_IN)
        where = dimensions(TopicName="failures")
        totals = [
            account.metrics.total("AWS/SNS", f"NumberOf{name}", where)
            for name in ("MessagesPublished", "NotificationsDelivered", "NotificationsFailed")
        ]
        assert totals == [1, arrived, 1 - arrived]
        assert account.metrics.total("AWS/SNS", "PublishSize", where) == 2
        assert account.metrics.total("AWS/SQS", "NumberOfMessagesSent") == arrived


def test_a_subscribed_queue_gets_the_envelope_and_a_raw_one_the_text() -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html"""
    for raw in (False, True):
        resources = (queue("failed"), topic("failures"), queue_policy())
        with deployed(*resources, subscription(RawMessageDelivery=raw)) as account:
            sns = function_client(account, "sns")
            sent = sns.publish(TopicArn=TOPIC, Message="hello", Subject="s")
            (message,) = account.messages("failed")
            if raw:
                assert message.body == "hello"
            else:
                envelope = json.loads(message.body)
                assert envelope["Type"] == "Notification"
                assert envelope["Message"] == "hello"
                assert envelope["MessageId"] == sent["MessageId"]
                assert envelope["Timestamp"] == "2026-11-02T09:00:00.000Z"
            assert [one.message for one in account.published("failures")] == ["hello"]


@pytest.mark.parametrize(
    ("policies", "arrives"),
    [
        ((), False),
        ((queue_policy(),), True),
        ((queue_policy({"ArnEquals": {"aws:SourceArn": TOPIC}}),), True),
        ((queue_policy({"ArnEquals": {"aws:SourceArn": TOPIC + "x"}}),), False),
        ((queue_policy(effect="Deny"),), False),
        ((queue_policy(), queue_policy(effect="Deny", Action="SQS:*", Principal="*")), False),
        # Actions are matched as IAM matches them, in any case and with wildcards.
        ((queue_policy(Action="sqs:*"),), True),
        ((queue_policy(Action="*"),), True),
        ((queue_policy(Action=["sqs:Get*", "SQS:sendmessage"]),), True),
        ((queue_policy(Action="sqs:Send*"),), True),
        ((queue_policy(Action="sqs:SendMessag?"),), True),
        ((queue_policy(Action="sqs:SendMessage?"),), False),
        ((queue_policy(Action="sqs:Receive*"),), False),
        ((queue_policy(Action="sns:*"),), False),
        ((queue_policy(NotAction="sqs:DeleteQueue"),), True),
        ((queue_policy(NotAction="SQS:send*"),), False),
        ((queue_policy(Resource=f"{QUEUE[:-2]}*"),), True),
        ((queue_policy(Resource=f"{QUEUE}-too"),), False),
        ((queue_policy(Principal="*"),), True),
        ((queue_policy(Principal={"AWS": ["*"]}),), True),
        ((queue_policy(Principal={"AWS": ACCOUNT, "Service": "sns.amazonaws.com"}),), True),
        ((queue_policy(Principal={"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]}),), True),
        ((queue_policy(Principal={"Service": "events.amazonaws.com"}),), False),
        ((queue_policy(Principal={"AWS": ACCOUNT}),), False),
    ],
)
def test_a_topic_delivers_only_where_the_queues_policy_lets_it(
    policies: tuple[Resource, ...], arrives: bool
) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html"""
    with deployed(queue("failed"), topic("failures"), *policies, subscription()) as account:
        assert account.send(Delivery(TOPIC, "{}"), LET_IN) is None
        assert len(account.messages("failed")) == arrives
        assert len(account.topics.undelivered) == (not arrives)
        assert len(account.published(TOPIC)) == 1


def test_a_batch_of_notifications_and_the_lists_look_right_to_boto3() -> None:
    resources = (queue("failed"), topic("failures"), queue_policy(), subscription())
    with deployed(*resources) as account:
        sns = function_client(account, "sns")
        answer = sns.publish_batch(
            TopicArn=TOPIC,
            PublishBatchRequestEntries=[
                {"Id": "a", "Message": "one <&> two"},
                {"Id": "b", "Message": "x" * 300_000},
            ],
        )
        assert [one["Id"] for one in answer["Successful"]] == ["a"]
        assert [one["Id"] for one in answer["Failed"]] == ["b"]
        assert json.loads(account.messages("failed")[0].body)["Message"] == "one <&> two"
        assert sns.list_topics()["Topics"] == [{"TopicArn": TOPIC}]
        listed = sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
        assert [one["Endpoint"] for one in listed] == [QUEUE]
        attributes = sns.get_topic_attributes(TopicArn=TOPIC)["Attributes"]
        assert attributes["TopicArn"] == TOPIC
        with pytest.raises(sns.exceptions.NotFoundException):
            sns.publish(TopicArn=TOPIC + "x", Message="x")


def test_a_filter_policy_on_bodies_is_refused_by_name() -> None:
    filtered = subscription(FilterPolicy={"kind": ["a"]}, FilterPolicyScope="MessageBody")
    with pytest.raises(Refused, match="FilterPolicy"):
        deployed(queue("failed"), topic("failures"), filtered)


def test_a_filter_policy_takes_only_messages_with_its_attributes() -> None:
    """A message without attributes passes no policy but one that asks for their absence."""
    wanted = {"kind": ["a", "b"], "draft": [{"exists": False}]}
    filtered = subscription(FilterPolicy=wanted, RedrivePolicy={"deadLetterTargetArn": QUEUE})

    def attribute(value: str) -> dict[str, str]:
        return {"DataType": "String", "StringValue": value}

    with deployed(queue("failed"), topic("failures"), queue_policy(), filtered) as account:
        sns = function_client(account, "sns")
        sns.publish(TopicArn=TOPIC, Message="without")
        for word, more in (("b", {}), ("c", {}), ("a", {"draft": attribute("yes")})):
            attributes = {"kind": attribute(word), **more}
            sns.publish(TopicArn=TOPIC, Message=word, MessageAttributes=attributes)

        assert [json.loads(one.body)["Message"] for one in account.messages("failed")] == ["b"]


# -- buckets ---------------------------------------------------------------------------------


def test_a_twelve_megabyte_multipart_upload_arrives_whole() -> None:
    with deployed(bucket("notes")) as account:
        s3 = function_client(account, "s3")
        data = bytes(range(256)) * 49_152
        s3.upload_fileobj(io.BytesIO(data), "notes", "deep/path/a b+c.bin")
        assert account.objects("notes") == {"deep/path/a b+c.bin": data}
        assert s3.get_object(Bucket="notes", Key="deep/path/a b+c.bin")["Body"].read() == data
        assert s3.head_object(Bucket="notes", Key="deep/path/a b+c.bin")["ContentLength"] == len(
            data
        )


def test_objects_are_listed_copied_and_deleted() -> None:
    with deployed(bucket("notes")) as account:
        s3 = function_client(account, "s3")
        for key in ("a/1", "a/2", "b/<&>"):
            s3.put_object(Bucket="notes", Key=key, Body=key.encode())
        listed = s3.list_objects_v2(Bucket="notes", Prefix="a/")["Contents"]
        assert [one["Key"] for one in listed] == ["a/1", "a/2"]
        assert listed[0]["LastModified"].isoformat() == "2026-11-02T09:00:00+00:00"
        s3.copy_object(Bucket="notes", Key="c", CopySource={"Bucket": "notes", "Key": "a/1"})
        s3.delete_objects(Bucket="notes", Delete={"Objects": [{"Key": "a/1"}, {"Key": "b/<&>"}]})
        assert account.objects("notes") == {"a/2": b"a/2", "c": b"a/1"}
        with pytest.raises(s3.exceptions.NoSuchKey):
            s3.get_object(Bucket="notes", Key="a/1")


def test_deleting_many_objects_needs_permission_for_each() -> None:
    with deployed(bucket("notes")) as account:
        granted = allow("s3:DeleteObject", resource="arn:aws:s3:::notes/mine/*")
        s3 = function_client(account, "s3", granted)
        with pytest.raises(ClientError, match="notes/yours/<&>"):
            s3.delete_objects(
                Bucket="notes", Delete={"Objects": [{"Key": "mine/a"}, {"Key": "yours/<&>"}]}
            )


# -- logs ------------------------------------------------------------------------------------


def test_log_events_are_kept_with_their_times() -> None:
    group = Resource("Logs", "AWS::Logs::LogGroup", {"RetentionInDays": 14}, "/aws/lambda/totals")
    with deployed(group) as account:
        logs = function_client(account, "logs")
        with pytest.raises(logs.exceptions.ResourceNotFoundException):
            logs.put_log_events(
                logGroupName="/aws/lambda/totals",
                logStreamName="s",
                logEvents=[{"timestamp": account.clock.now, "message": "x"}],
            )
        logs.create_log_stream(logGroupName="/aws/lambda/totals", logStreamName="s")
        logs.put_log_events(
            logGroupName="/aws/lambda/totals",
            logStreamName="s",
            logEvents=[{"timestamp": account.clock.now, "message": "x"}],
        )
        assert account.logs.events("/aws/lambda/totals") == [(account.clock.now, "x")]
        described = logs.describe_log_groups()["logGroups"][0]
        assert described["retentionInDays"] == 14


def test_what_a_log_forgets_leaves_the_memory() -> None:
    """moto tracks every object it makes; a line that nobody can read any more is nowhere."""
    with deployed() as account:
        account.logs.create("group", None)
        place = {"logGroupName": "group", "logStreamName": "s"}
        account.logs.answer("CreateLogStream", place)
        for number in range(5):
            event = {"timestamp": account.clock.now + number, "message": f"line {number}"}
            account.logs.answer("PutLogEvents", {**place, "logEvents": [event]})
        backend = account._world.backend("logs")
        (stream,) = backend.groups["group"].streams.values()
        lines = [weakref.ref(one) for one in stream.events]
        account.logs.forget(2)
        assert account.logs.events("group")[0][1] == "line 3"
        assert [one() is None for one in lines] == [True, True, True, False, False]


# -- on-failure destinations -----------------------------------------------------------------


@pytest.fixture(name="account")
def _account() -> Any:
    with deployed(
        queue("failed"),
        queue("failed.fifo", FifoQueue=True),
        topic("failures"),
        topic("failures.fifo"),
        bucket("notes"),
    ) as account:
        yield account


@pytest.mark.parametrize(
    ("destination", "granted"),
    [
        (QUEUE, [allow("sqs:SendMessage", resource=QUEUE)]),
        (TOPIC, [allow("sns:Publish", resource=TOPIC)]),
        (
            "arn:aws:s3:::notes",
            [
                allow("s3:PutObject", resource="arn:aws:s3:::notes/*"),
                allow(
                    "s3:ListBucket",
                    resource="arn:aws:s3:::notes",
                    Condition={"StringEquals": {"s3:ResourceAccount": ACCOUNT}},
                ),
            ],
        ),
    ],
)
def test_a_note_arrives_with_just_the_documented_permissions(
    account: Any, destination: str, granted: list[Any]
) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html"""
    delivery = Delivery(destination, '{"a": 1}', "aws/lambda/x/y")
    assert account.send(delivery, documents(*granted)) is None
    arrived = (
        [message.body for message in account.messages("failed")]
        + [one.message for one in account.published("failures")]
        + [body.decode() for body in account.objects("notes").values()]
    )
    assert arrived == ['{"a": 1}']
    for missing in range(len(granted)):
        rest = [one for number, one in enumerate(granted) if number != missing]
        reason = account.send(delivery, documents(*rest, allow("logs:*")))
        assert "no policy allows" in reason
        assert account.denied[-1].who == "mapping"


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        (QUEUE + ".fifo", "FIFO queue"),
        (TOPIC + ".fifo", "FIFO topic"),
        (QUEUE + "x", "there is no"),
        (TOPIC + "x", "there is no"),
        ("arn:aws:s3:::other", "there is no"),
        ("arn:aws:lambda:us-east-1:123456789012:function:x", "no queue, topic or bucket"),
        ("nonsense", "no queue, topic or bucket"),
        (QUEUE.replace("us-east-1", "eu-west-1"), "there is no"),
    ],
)
def test_a_note_that_cannot_arrive_has_a_reason(account: Any, destination: str, words: str) -> None:
    assert words in account.send(Delivery(destination, "{}", "k"), LET_IN)


def test_a_queues_own_policy_can_forbid_the_note(account: Any) -> None:
    """A Deny in the resource's policy wins over the role's Allow."""
    statement = {**deny("sqs:SendMessage", resource=QUEUE), "Principal": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    properties = {"PolicyDocument": document, "Queues": [URL]}
    policy = Resource("P", "AWS::SQS::QueuePolicy", properties, "P")
    with deployed(queue("failed"), policy) as denying:
        assert "denies" in denying.send(Delivery(QUEUE, "{}"), LET_IN)


# -- tables that a stack describes -----------------------------------------------------------


def test_a_deployed_table_describes_itself_as_the_template_does() -> None:
    resource = table(
        "Orders",
        "merchant",
        "id",
        stream="NEW_AND_OLD_IMAGES",
        TimeToLiveSpecification={"AttributeName": "until", "Enabled": True},
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        Tags=[{"Key": "team", "Value": "x"}],
    )
    with deployed(resource) as account:
        dynamodb = function_client(account, "dynamodb")
        described = dynamodb.describe_table(TableName="Orders")["Table"]
        assert described["LatestStreamArn"] == account.stream_of("Orders").arn
        assert described["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        assert described["CreationDateTime"].isoformat().startswith("2026-11-02T09:00:00")
        assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        ttl = dynamodb.describe_time_to_live(TableName="Orders")["TimeToLiveDescription"]
        assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "until"}
        backups = dynamodb.describe_continuous_backups(TableName="Orders")
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_an_index_is_queried_and_needs_its_own_permission() -> None:
    index = {
        "IndexName": "by-status",
        "KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    resource = table("Orders", "id", GlobalSecondaryIndexes=[index])
    resource.properties["AttributeDefinitions"].append(
        {"AttributeName": "status", "AttributeType": "S"}
    )
    arn = resource.attributes["Arn"]
    query: dict[str, Any] = {
        "TableName": "Orders",
        "IndexName": "by-status",
        "KeyConditionExpression": "#s = :s",
        "ExpressionAttributeNames": {"#s": "status"},
        "ExpressionAttributeValues": {":s": {"S": "new"}},
    }
    with deployed(resource) as account:
        account.put("Orders", {"id": "a", "status": "new"})
        account.put("Orders", {"id": "b", "status": "old"})
        narrow = function_client(account, "dynamodb", allow("dynamodb:Query", resource=arn))
        with pytest.raises(ClientError, match="table/Orders/index/by-status"):
            narrow.query(**query)
        wide = function_client(
            account, "dynamodb", allow("dynamodb:Query", resource=f"{arn}/index/*")
        )
        account.clock.run_for(LAG_MS)
        assert [item["id"]["S"] for item in wide.query(**query)["Items"]] == ["a"]


def test_a_table_that_dynamodb_refuses_is_refused_by_name() -> None:
    resource = table("Orders", "id")
    resource.properties["AttributeDefinitions"] = []
    with pytest.raises(Refused, match="Orders"):
        deployed(resource)
