"""Creating, listing, changing and deleting mappings: AWS's answers and refusals.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

# "Recorded" below: seen on real AWS, published in
# https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/test_lambda_api.snapshot.json
# and in test_lambda_integration_dynamodbstreams.snapshot.json beside it.

import json

import pytest
from mapping_world import QUEUE, ids_of

from grader.cloud.aws import Refused
from grader.cloud.clock import Clock
from grader.cloud.mapping import Bench, EventSourceMappings, NoDestinations, Scripted, Stream
from grader.cloud.metrics import Metrics


class Account:
    def __init__(self, seed=0):
        self.clock = Clock()
        self.stream = Stream(table="Orders", keys=["id"], created_ms=self.clock.now)
        self.functions = {name: Scripted(name, self.clock) for name in ("totals", "mail")}
        self.forbidden = None
        self.service = EventSourceMappings(
            clock=self.clock,
            metrics=Metrics(),
            destinations=NoDestinations(),
            find_function=self.functions.get,
            find_stream={self.stream.arn: self.stream}.get,
            can_read=lambda function, arn: self.forbidden,
            seed=seed,
        )

    def create(self, **request):
        return self.service.create(
            {
                "EventSourceArn": self.stream.arn,
                "FunctionName": "totals",
                "StartingPosition": "TRIM_HORIZON",
                **request,
            }
        )

    def refusal(self, **request):
        with pytest.raises(Refused) as refused:
            self.create(**request)
        return refused.value


@pytest.fixture
def account():
    return Account()


def test_create_answers_with_the_recorded_members(account):
    """Recorded."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    answer = account.create()
    assert {name: answer[name] for name in ("State", "StateTransitionReason", "BatchSize")} == {
        "State": "Creating",
        "StateTransitionReason": "User action",
        "BatchSize": 100,
    }
    assert answer["LastProcessingResult"] == "No records processed"
    assert answer["DestinationConfig"] == {"OnFailure": {}}
    assert "FilterCriteria" not in answer


def test_a_created_mapping_delivers(account):
    account.create()
    account.stream.write(None, {"id": {"S": "a"}}, account.clock.now)
    account.clock.run_for(120_000)
    assert [
        ids_of(event) for event in [call.event for call in account.functions["totals"].calls]
    ] == [["a"]]


def test_get_shows_the_mapping_as_it_is_now(account):
    uuid = account.create()["UUID"]
    account.clock.run_for(120_000)
    assert account.service.get(uuid)["State"] == "Enabled"


@pytest.mark.parametrize(
    "name",
    [
        "totals",
        "123456789012:function:totals",
        "arn:aws:lambda:us-east-1:123456789012:function:totals",
        "function:totals",
    ],
)
def test_a_function_may_be_named_in_each_of_awss_ways(account, name):
    answer = account.create(FunctionName=name)
    assert answer["FunctionArn"] == "arn:aws:lambda:us-east-1:123456789012:function:totals"


def test_the_qualifier_of_the_newest_code_stays_in_the_answer(account):
    arn = "arn:aws:lambda:us-east-1:123456789012:function:totals:$LATEST"
    assert account.create(FunctionName="totals:$LATEST")["FunctionArn"] == arn
    found = account.service.list(function_name=arn)["EventSourceMappings"]
    assert [one["FunctionArn"] for one in found] == [arn]


def test_a_version_or_alias_that_was_not_published_does_not_exist(account):
    assert account.refusal(FunctionName="totals:live").message == "Function does not exist"


@pytest.mark.parametrize(
    "name",
    [
        "999999999999:function:totals",
        "arn:aws:lambda:us-east-1:999999999999:function:totals",
        "arn:aws:lambda:eu-west-1:123456789012:function:totals",
    ],
)
def test_a_function_of_another_account_or_region_is_not_the_local_one(account, name):
    assert account.refusal(FunctionName=name).message == "Function does not exist"


def test_a_mapping_of_an_alias_runs_its_version_and_not_the_newest_code():
    bench = Bench()
    stream = bench.stream()
    ran = []
    bench.function("totals", lambda event: ran.append("first") or {"batchItemFailures": []})
    version = bench.publish("totals")
    bench.alias("totals", "live", version)
    bench.function("totals", lambda event: ran.append("newest"))
    inbox = bench.destination(QUEUE)
    answer = bench.create(
        FunctionName="totals:live", EventSourceArn=stream.arn, StartingPosition="TRIM_HORIZON"
    )
    assert answer["FunctionArn"].endswith(":function:totals:live")
    stream.write(None, {"id": {"S": "a"}}, bench.now)
    bench.drain()
    assert ran == ["first"]
    assert not inbox.deliveries


def test_a_failure_note_names_the_alias_and_the_version():
    bench = Bench()
    stream = bench.stream()
    bench.function("totals", lambda event: 1 / 0)
    bench.alias("totals", "live", bench.publish("totals"))
    inbox = bench.destination(QUEUE)
    bench.create(
        FunctionName="totals:live",
        EventSourceArn=stream.arn,
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": QUEUE}},
    )
    stream.write(None, {"id": {"S": "a"}}, bench.now)
    bench.drain()
    note = json.loads(inbox.deliveries[0].body)
    assert note["requestContext"]["functionArn"].endswith(":function:totals:live")
    assert note["responseContext"]["executedVersion"] == "1"


@pytest.mark.parametrize("uuid", ["short", "x" * 37])
def test_a_uuid_of_another_length_is_refused_by_the_api_model(account, uuid):
    for call in (account.service.get, account.service.delete):
        with pytest.raises(Refused) as refused:
            call(uuid)
        assert refused.value.code == "ValidationException"
        assert "uUID" in refused.value.message


def test_an_unknown_function_is_refused(account):
    """Recorded."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/test_lambda_api.snapshot.json
    refused = account.refusal(FunctionName="nobody")
    assert (refused.code, refused.message) == (
        "InvalidParameterValueException",
        "Function does not exist",
    )


def test_an_unknown_stream_is_refused(account):
    """Recorded."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2026-01-01T00:00:00.000"
    refused = account.refusal(EventSourceArn=arn)
    assert (refused.code, refused.message) == (
        "InvalidParameterValueException",
        f"Stream not found: {arn}",
    )


def test_a_second_mapping_of_the_same_pair_is_refused_and_names_the_first(account):
    """Recorded."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    uuid = account.create()["UUID"]
    refused = account.refusal(StartingPosition="LATEST")
    assert refused.code == "ResourceConflictException"
    assert refused.message == (
        f'The event source arn (" {account.stream.arn} ") and function (" totals ") provided '
        f"mapping already exists. Please update or delete the existing mapping with UUID {uuid}"
    )


def test_another_function_may_read_the_same_stream(account):
    assert account.create()["UUID"] != account.create(FunctionName="mail")["UUID"]


def test_a_role_that_cannot_read_the_stream_is_refused(account):
    """Role cannot read the stream: refused: Cannot access stream, with the four actions that are
    needed.
    """
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    account.forbidden = "no dynamodb:GetRecords"
    assert account.refusal().message == (
        f"Cannot access stream {account.stream.arn}. Please ensure the role can perform the "
        "GetRecords, GetShardIterator, DescribeStream, and ListStreams Actions on your stream in "
        "IAM."
    )


def test_a_permission_lost_later_shows_in_the_last_processing_result(account):
    uuid = account.create()["UUID"]
    account.clock.run_for(120_000)
    account.forbidden = "no dynamodb:GetRecords"
    account.stream.write(None, {"id": {"S": "a"}}, account.clock.now)
    account.clock.run_for(10_000)
    answer = account.service.get(uuid)
    assert answer["LastProcessingResult"] == "PROBLEM: no dynamodb:GetRecords"
    assert answer["State"] == "Enabled"


def test_bad_parameters_are_refused_and_leave_nothing_behind(account):
    assert account.refusal(BatchSize=10_001).parameter == "BatchSize"
    assert account.service.list() == {"EventSourceMappings": []}


@pytest.mark.parametrize("operation", ["get", "delete", "mapping"])
def test_an_unknown_uuid_is_refused(account, operation):
    """Recorded."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/test_lambda_api.snapshot.json
    with pytest.raises(Refused) as refused:
        getattr(account.service, operation)("00000000-0000-4000-8000-000000000000")
    assert (refused.value.code, refused.value.message) == (
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )


def test_list_filters_by_stream_and_function(account):
    first = account.create()["UUID"]
    second = account.create(FunctionName="mail")["UUID"]

    def listed(**by):
        return [one["UUID"] for one in account.service.list(**by)["EventSourceMappings"]]

    assert listed() == [first, second]
    assert listed(function_name="mail") == [second]
    assert listed(event_source_arn=account.stream.arn) == [first, second]
    assert listed(event_source_arn="arn:aws:other") == []


def test_list_hides_encrypted_filters(account):
    """KMSKeyArn: a key for the filter criteria; then a list shows them as null."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    criteria = {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]}
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    uuid = account.create(FilterCriteria=criteria, KMSKeyArn=key)["UUID"]
    assert account.service.list()["EventSourceMappings"][0]["FilterCriteria"] is None
    assert account.service.get(uuid)["FilterCriteria"] == criteria


def test_update_changes_only_what_it_names(account):
    uuid = account.create(BatchSize=7)["UUID"]
    account.clock.run_for(120_000)
    answer = account.service.update(uuid, {"MaximumRetryAttempts": 3})
    assert (answer["State"], answer["BatchSize"], answer["MaximumRetryAttempts"]) == (
        "Updating",
        7,
        3,
    )


@pytest.mark.parametrize(("enabled", "state"), [(False, "Disabling"), (True, "Enabling")])
def test_update_pauses_and_resumes(account, enabled, state):
    uuid = account.create(Enabled=not enabled)["UUID"]
    account.clock.run_for(120_000)
    assert account.service.update(uuid, {"Enabled": enabled})["State"] == state
    account.clock.run_for(120_000)
    assert account.service.get(uuid)["State"] == ("Enabled" if enabled else "Disabled")


def test_update_moves_the_mapping_to_another_function(account):
    uuid = account.create()["UUID"]
    account.clock.run_for(120_000)
    answer = account.service.update(uuid, {"FunctionName": "mail"})
    assert answer["FunctionArn"].endswith(":mail")
    account.clock.run_for(120_000)
    account.stream.write(None, {"id": {"S": "a"}}, account.clock.now)
    account.clock.run_for(1_000)
    assert len(account.functions["mail"].calls) == 1


def test_starting_position_and_stream_cannot_be_changed(account):
    """No change of position or stream: an update has neither StartingPosition nor EventSourceArn."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
    uuid = account.create()["UUID"]
    account.clock.run_for(120_000)
    for change in ({"StartingPosition": "LATEST"}, {"EventSourceArn": account.stream.arn}):
        with pytest.raises(Refused):
            account.service.update(uuid, change)


def test_an_update_during_creation_is_refused(account):
    uuid = account.create()["UUID"]
    with pytest.raises(Refused) as refused:
        account.service.update(uuid, {"BatchSize": 5})
    assert refused.value.code == "ResourceInUseException"
    assert account.service.get(uuid)["BatchSize"] == 100


def test_a_deleted_mapping_is_deleting_and_then_gone_and_may_be_made_again(account):
    uuid = account.create()["UUID"]
    account.clock.run_for(120_000)
    assert account.service.delete(uuid)["State"] == "Deleting"
    assert account.service.get(uuid)["State"] == "Deleting"
    account.clock.run_for(120_000)
    assert account.service.list() == {"EventSourceMappings": []}
    assert account.create()["UUID"] != uuid


def test_uuids_come_from_the_seed():
    assert Account().create()["UUID"] == Account().create()["UUID"]
    assert Account().create()["UUID"] != Account(seed=1).create()["UUID"]
