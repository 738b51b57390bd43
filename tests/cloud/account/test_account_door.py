"""The door: what function code can reach, with whose permission, and how answers look to boto3."""

from __future__ import annotations

import json
from typing import Any

import pytest
from account_stand_in import (
    ACCOUNT,
    REGION,
    allow,
    bucket,
    deny,
    deployed,
    documents,
    function_client,
    queue,
    stack,
    table,
    topic,
)
from botocore.exceptions import ClientError

from grader.cloud import iam
from grader.cloud.account import Account
from grader.cloud.account.deploy import deploy
from grader.cloud.aws import Call
from grader.cloud.clock import Clock
from grader.cloud.metrics import Metrics

TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/Totals"


@pytest.fixture(name="account")
def _account() -> Any:
    with deployed(
        table("Totals", "id"), queue("jobs"), topic("alerts"), bucket("notes"), seed=3
    ) as account:
        yield account


def call(url: str, method: str = "POST", body: bytes = b"", **headers: str) -> Call:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(1, 1, 1, 0, method, url, named, body)


def error(failure: Any) -> tuple[str, str]:
    described = failure.value.response["Error"]
    return described["Code"], described["Message"]


def test_a_permitted_call_is_answered_and_a_denied_one_names_action_and_resource(
    account: Any,
) -> None:
    dynamodb = function_client(account, "dynamodb", allow("dynamodb:GetItem", resource=TABLE))
    assert "Item" not in dynamodb.get_item(TableName="Totals", Key={"id": {"S": "a"}})
    with pytest.raises(ClientError) as failure:
        dynamodb.put_item(TableName="Totals", Item={"id": {"S": "a"}})
    assert error(failure) == (
        "AccessDeniedException",
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/TotalsRole/totals is not authorized to "
        f"perform: dynamodb:PutItem on resource: {TABLE} because no identity-based policy allows "
        "the dynamodb:PutItem action",
    )
    (denied,) = account.denied
    assert (denied.action, denied.resource, denied.who) == ("dynamodb:PutItem", TABLE, "totals")
    assert account.items("Totals") == []


def test_every_part_of_a_transaction_needs_its_own_permission(account: Any) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html"""
    parts: list[Any] = [
        {"Put": {"TableName": "Totals", "Item": {"id": {"S": "a"}}}},
        {
            "ConditionCheck": {
                "TableName": "Totals",
                "Key": {"id": {"S": "b"}},
                "ConditionExpression": "attribute_not_exists(id)",
            }
        },
    ]
    dynamodb = function_client(account, "dynamodb", allow("dynamodb:PutItem", resource=TABLE))
    with pytest.raises(ClientError, match="dynamodb:ConditionCheckItem"):
        dynamodb.transact_write_items(TransactItems=parts)
    assert account.items("Totals") == []
    granted = allow("dynamodb:PutItem", "dynamodb:ConditionCheckItem", resource=TABLE)
    function_client(account, "dynamodb", granted).transact_write_items(TransactItems=parts)
    assert account.items("Totals") == [{"id": "a"}]


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        ("sqs", "send_message", {"QueueUrl": "Q", "MessageBody": "x"}, "AccessDenied"),
        (
            "sns",
            "publish",
            {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts", "Message": "x"},
            "AuthorizationError",
        ),
        ("s3", "put_object", {"Bucket": "notes", "Key": "a", "Body": b"x"}, "AccessDenied"),
        ("s3", "list_objects_v2", {"Bucket": "notes"}, "AccessDenied"),
        (
            "cloudwatch",
            "put_metric_data",
            {"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": 1}]},
            "AccessDenied",
        ),
        ("logs", "create_log_group", {"logGroupName": "g"}, "AccessDeniedException"),
        ("dynamodbstreams", "list_streams", {}, "AccessDeniedException"),
        ("dynamodb", "list_tables", {}, "AccessDeniedException"),
    ],
)
def test_each_service_denies_in_its_own_form(
    account: Any, service: str, operation: str, params: dict[str, Any], code: str
) -> None:
    if "QueueUrl" in params:
        params = {**params, "QueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/jobs"}
    client = function_client(account, service, allow("dynamodb:GetItem"))
    with pytest.raises(ClientError, match="is not authorized to perform") as failure:
        getattr(client, operation)(**params)
    assert error(failure)[0] == code
    assert len(account.denied) == 1


def test_an_explicit_deny_wins_over_everything(account: Any) -> None:
    client = function_client(account, "dynamodb", allow("*"), deny("dynamodb:Put*"))
    with pytest.raises(ClientError, match="explicit deny"):
        client.put_item(TableName="Totals", Item={"id": {"S": "a"}})


def test_control_plane_calls_are_refused_even_with_every_permission(account: Any) -> None:
    dynamodb = function_client(account, "dynamodb")
    with pytest.raises(ClientError, match="function code cannot call dynamodb:DeleteTable"):
        dynamodb.delete_table(TableName="Totals")
    with pytest.raises(ClientError, match="no lambda"):
        function_client(account, "lambda").list_functions()
    with pytest.raises(ClientError, match="no ssm"):
        function_client(account, "ssm").get_parameter(Name="x")
    with pytest.raises(ClientError, match="s3:CreateBucket"):
        function_client(account, "s3").create_bucket(Bucket="mine")
    with pytest.raises(ClientError, match=r"s3:GET \?acl"):
        function_client(account, "s3").get_object_acl(Bucket="notes", Key="a")
    assert "Totals" in account.tables.names()
    assert len(account.denied) == 5


@pytest.mark.parametrize(
    "url",
    [
        "http://motoapi.amazonaws.com/moto-api/reset",
        "http://localhost:5000/moto-api/reset",
        "https://example.com/",
        "http://169.254.169.254/latest/meta-data/",
        "https://dynamodb.us-east-1.amazonaws.com.example.com/",
    ],
)
def test_motos_control_plane_and_other_hosts_lead_nowhere(account: Any, url: str) -> None:
    """In a trial, one such request emptied the whole account."""
    account.put("Totals", {"id": "a"})
    reply = account.answer(call(url), documents(allow("*")))
    assert reply.status == 403
    assert b"can reach AWS only" in reply.body
    assert account.items("Totals") == [{"id": "a"}]


def test_another_region_and_another_account_are_refused(account: Any) -> None:
    with pytest.raises(ClientError, match="is in us-east-1"):
        function_client(account, "dynamodb", region="eu-west-1").get_item(
            TableName="Totals", Key={"id": {"S": "a"}}
        )
    with pytest.raises(ClientError, match="not in the lab's account"):
        function_client(account, "dynamodb").get_item(
            TableName=f"arn:aws:dynamodb:{REGION}:999999999999:table/Totals",
            Key={"id": {"S": "a"}},
        )
    with pytest.raises(ClientError, match="not in the lab's account"):
        function_client(account, "sqs").send_message(
            QueueUrl=f"https://sqs.{REGION}.amazonaws.com/999999999999/jobs", MessageBody="x"
        )


def test_a_header_cannot_choose_another_account(account: Any) -> None:
    """moto would obey ``x-moto-account-id``."""
    reply = account.answer(
        call(
            f"https://s3.{REGION}.amazonaws.com/notes/a",
            "PUT",
            b"x",
            x_moto_account_id="999999999999",
        ),
        documents(allow("*")),
    )
    assert reply.status == 200
    assert account.objects("notes") == {"a": b"x"}


@pytest.mark.parametrize("mode", ["disabled", "preferred"])
def test_both_of_boto3s_address_forms_reach_tables_and_streams(account: Any, mode: str) -> None:
    """With an account id in the credentials boto3 calls ``<account>.ddb.<region>``."""
    import boto3
    from botocore.awsrequest import AWSResponse
    from botocore.config import Config

    from grader.cloud.account.account import _Raw

    hosts = []
    for service in ("dynamodb", "dynamodbstreams"):
        client = boto3.client(
            service,
            region_name=REGION,
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="x",
            aws_account_id=ACCOUNT,
            config=Config(account_id_endpoint_mode=mode),
        )

        def send(request: Any, **_: Any) -> Any:
            hosts.append(request.url)
            sent = Call(
                1, 1, 1, 0, request.method, request.url, dict(request.headers), request.body
            )
            reply = account.answer(sent, documents(allow("*")))
            return AWSResponse(request.url, reply.status, dict(reply.headers), _Raw(reply.body))

        client.meta.events.register("before-send", send)
        if service == "dynamodb":
            assert "Item" not in client.get_item(TableName="Totals", Key={"id": {"S": "a"}})
        else:
            assert client.list_streams()["Streams"] == []
    assert any(ACCOUNT in host for host in hosts) == (mode == "preferred")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff\xfe", b'{"TableName": 3}', b'{"TransactItems": ["x"]}']
)
def test_whatever_a_request_contains_the_answer_is_an_error_and_no_exception(
    account: Any, body: bytes
) -> None:
    for operation in ("PutItem", "TransactWriteItems", "BatchWriteItem", "Query", "UpdateItem"):
        reply = account.answer(
            call(
                f"https://dynamodb.{REGION}.amazonaws.com/",
                body=body,
                X_Amz_Target=f"DynamoDB_20120810.{operation}",
                Content_Type="application/x-amz-json-1.0",
            ),
            documents(allow("*")),
        )
        assert reply.status in (400, 500)
        assert "__type" in json.loads(reply.body)


def test_a_compressed_request_that_unfolds_without_end_is_refused(account: Any) -> None:
    import gzip

    reply = account.answer(
        call(
            f"https://monitoring.{REGION}.amazonaws.com/",
            body=gzip.compress(b"[" * 3_000_000),
            X_Amz_Target="GraniteServiceVersion20100801.PutMetricData",
            Content_Encoding="gzip",
        ),
        documents(allow("*")),
    )
    assert reply.status == 413


def test_who_am_i_needs_no_permission(account: Any) -> None:
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""
    identity = function_client(account, "sts", deny("*")).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/TotalsRole/totals"
    assert identity["Account"] == ACCOUNT


def test_every_operation_the_door_lets_in_is_carried_out_by_somebody(account: Any) -> None:
    """No operation of the table ends in a service that does not know it."""
    for service, operations in iam.allowed_operations().items():
        if service in ("s3", "sts"):
            continue
        for operation in sorted(operations):
            try:
                account.call(service, operation, TableName="absent", QueueUrl="absent")
            except Exception as failure:
                unknown = (AttributeError, NotImplementedError)
                assert not isinstance(failure, unknown), operation
                assert getattr(failure, "code", "") != "UnknownOperationException", operation


def test_calls_take_the_modelled_time(account: Any) -> None:
    client = function_client(account, "dynamodb")
    client.get_item(TableName="Totals", Key={"id": {"S": "a"}})
    client.scan(TableName="Totals")
    assert [reply.latency_ms for reply in account.replies] == [5, 15]


def test_the_judge_may_do_everything_and_is_never_denied(account: Any) -> None:
    account.client("dynamodb").put_item(TableName="Totals", Item={"id": {"S": "a"}})
    assert account.client("sqs").get_queue_url(QueueName="jobs")["QueueUrl"].endswith("/jobs")
    assert account.denied == []


def test_two_accounts_live_side_by_side() -> None:
    with (
        deployed(table("Totals", "id"), queue("jobs"), bucket("notes"), seed=1) as one,
        deployed(table("Totals", "id"), queue("jobs"), bucket("notes"), seed=1) as two,
    ):
        ids = []
        for account in (one, two, one, two):
            account.put("Totals", {"id": "a", "of": id(account)})
            ids.append(account.queues.send("jobs", "x"))
            account.buckets.put("notes", "k", str(id(account)).encode())
        assert ids[0] == ids[1]
        assert ids[2] == ids[3]
        assert ids[0] != ids[2]
        for account in (one, two):
            assert account.items("Totals") == [{"id": "a", "of": id(account)}]
            assert len(account.messages("jobs")) == 2
            assert account.objects("notes") == {"k": str(id(account)).encode()}


def test_a_new_account_starts_empty_after_an_old_one_was_closed() -> None:
    with deployed(table("Totals", "id"), queue("jobs"), bucket("notes")) as account:
        account.put("Totals", {"id": "a"})
        account.queues.send("jobs", "x")
        account.buckets.put("notes", "k", b"v")
    with deployed(table("Totals", "id"), queue("jobs"), bucket("notes")) as account:
        assert account.items("Totals") == []
        assert account.messages("jobs") == []
        assert account.objects("notes") == {}


def test_generated_ids_depend_on_the_seed_alone() -> None:
    def ids(seed: int) -> list[str]:
        account = Account(Clock(), Metrics(), seed=seed)
        deploy(account, stack(queue("jobs"), topic("alerts")))
        sqs = function_client(account, "sqs")
        url = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
        sent = sqs.send_message(QueueUrl=url, MessageBody="x")
        handle = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
        published = account.client("sns").publish(
            TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts", Message="x"
        )
        account.close()
        return [
            sent["MessageId"],
            handle,
            published["MessageId"],
            sent["ResponseMetadata"]["RequestId"],
        ]

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)
