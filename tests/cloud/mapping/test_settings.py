"""A mapping's parameters: defaults, ranges, refusals, updates.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
"""

import json

import pytest

from grader.cloud import template
from grader.cloud.aws import Refused
from grader.cloud.mapping.settings import PARAMETERS, Settings, cleared

# "Recorded" below: seen on real AWS, published in
# https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/test_lambda_api.snapshot.json
STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/Orders/stream/2026-11-02T09:00:00.000"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:failed"
PATTERN = '{"eventName": ["INSERT"]}'


def parse(**given):
    return Settings.parse(
        {"EventSourceArn": STREAM, "FunctionName": "f", "StartingPosition": "LATEST", **given}
    )


def refusal(**given):
    with pytest.raises(Refused) as refused:
        parse(**given)
    return refused.value


def test_the_defaults_are_awss():
    """What a request leaves out has AWS's default."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    # https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
    assert parse(StartingPosition="TRIM_HORIZON") == Settings()
    assert Settings().describe() == {
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "DestinationConfig": {"OnFailure": {}},
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": False,
        "MaximumRetryAttempts": -1,
        "TumblingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
    }


def test_every_parameter_is_read_and_shown_again():
    given = {
        "StartingPosition": "LATEST",
        "BatchSize": 500,
        "MaximumBatchingWindowInSeconds": 5,
        "ParallelizationFactor": 4,
        "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
        "MaximumRecordAgeInSeconds": 3600,
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 3,
        "TumblingWindowInSeconds": 60,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": {"Filters": [{"Pattern": PATTERN}]},
        "KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
        "MetricsConfig": {"Metrics": ["EventCount"]},
    }
    settings = parse(**given, Enabled=False, Tags={"a": "b"})
    assert settings.describe() == given
    assert settings.enabled is False
    assert settings.window_ms == 5_000
    assert settings.max_age_ms == 3_600_000
    assert settings.tumbling_window_ms == 60_000
    assert settings.filters[0].matches({"eventName": "INSERT"})


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("BatchSize", 1, 10_000),
        ("MaximumBatchingWindowInSeconds", 0, 300),
        ("ParallelizationFactor", 1, 10),
        ("MaximumRetryAttempts", -1, 10_000),
        ("MaximumRecordAgeInSeconds", -1, 604_800),
        ("TumblingWindowInSeconds", 0, 900),
    ],
)
def test_numbers_have_awss_ranges(name, lowest, highest):
    """The sentence for a number out of range is AWS's usual one, not recorded for these."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    # https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
    for value in (lowest, highest):
        assert parse(**{name: value}).describe()[name] == value
    member = name[0].lower() + name[1:]
    for value, bound in (
        (lowest - 1, f"greater than or equal to {lowest}"),
        (highest + 1, f"less than or equal to {highest}"),
    ):
        refused = refusal(**{name: value})
        assert (refused.code, refused.parameter) == ("ValidationException", name)
        assert refused.message == (
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
            f"constraint: Member must have value {bound}"
        )


@pytest.mark.parametrize("age", [0, 1, 59])
def test_a_record_age_below_60_seconds_is_refused(age):
    """MaximumRecordAgeInSeconds: -1, or 60 to 604,800; 0 to 59 lie inside the numeric range and are
    refused all the same.
    """
    # https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
    refused = refusal(MaximumRecordAgeInSeconds=age)
    assert refused.code == "InvalidParameterValueException"
    assert refused.parameter == "MaximumRecordAgeInSeconds"
    assert parse(MaximumRecordAgeInSeconds=60).max_age_ms == 60_000


def test_a_batch_above_ten_needs_no_window():
    """The API text asks for one; AWS accepts DynamoDB mappings without (recorded)."""
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html
    assert parse(BatchSize=100, MaximumBatchingWindowInSeconds=0).batch_size == 100


def test_a_missing_starting_position_is_refused():
    """No StartingPosition: refused, with the recorded sentence."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/test_lambda_api.snapshot.json
    # Recorded on AWS (localstack's snapshots), as the next four.
    for given in ({"StartingPosition": None}, {}):
        with pytest.raises(Refused) as refused:
            Settings.parse({"EventSourceArn": STREAM, "FunctionName": "f", **given})
        assert refused.value.code == "InvalidParameterValueException"
        assert refused.value.message == (
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy "
            "constraint: Member must not be null."
        )


def test_an_unknown_starting_position_is_refused():
    """Unknown StartingPosition: refused as a ValidationException that lists the three positions."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/test_lambda_api.snapshot.json
    refused = refusal(StartingPosition="invalid")
    assert refused.code == "ValidationException"
    assert refused.message == (
        "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy "
        "constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
    )


def test_at_timestamp_is_for_other_sources():
    """Starting positions: only TRIM_HORIZON and LATEST work for DynamoDB."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/test_lambda_api.snapshot.json
    refused = refusal(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=1.0)
    assert refused.code == "InvalidParameterValueException"
    assert refused.message == f"Unsupported starting position for arn type: {STREAM}"


@pytest.mark.parametrize(
    "arn", [None, "", "orders", "arn:aws:dynamodb:us-east-1:123456789012:table/Orders"]
)
def test_without_the_arn_of_a_stream_the_source_is_not_recognised(arn):
    """No EventSourceArn: refused: Unrecognized event source."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/test_lambda_api.snapshot.json
    refused = refusal(EventSourceArn=arn)
    assert refused.code == "InvalidParameterValueException"
    assert refused.message == "Unrecognized event source."
    assert refused.parameter == "EventSourceArn"


def test_on_success_is_refused():
    """OnSuccess: refused: unsupported DestinationConfig parameter for this type of source."""
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/test_lambda_api.snapshot.json
    refused = refusal(DestinationConfig={"OnSuccess": {"Destination": QUEUE}})
    assert refused.code == "InvalidParameterValueException"
    assert refused.message == (
        "Unsupported DestinationConfig parameter for given event source mapping type."
    )


@pytest.mark.parametrize(
    "arn",
    [
        QUEUE,
        QUEUE + ".fifo",
        "arn:aws:sns:us-east-1:123456789012:failed",
        "arn:aws:s3:::failed",
        "arn:aws-cn:sqs:cn-north-1:123456789012:failed",
    ],
)
def test_queues_topics_and_buckets_are_destinations(arn):
    """A FIFO queue is accepted here: it is the delivery that fails.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    # https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
    assert parse(DestinationConfig={"OnFailure": {"Destination": arn}}).destination == arn


@pytest.mark.parametrize(
    "arn",
    [
        "failed",
        "https://sqs.us-east-1.amazonaws.com/123456789012/failed",
        "arn:aws:lambda:us-east-1:123456789012:function:f",
        "arn:aws:events:us-east-1:123456789012:event-bus/default",
        "kafka://topic",
        "arn:aws:sqs:us-east-1:123456789012:" + "x" * 320,
        7,
    ],
)
def test_other_destinations_are_refused(arn):
    """A destination is a queue, a topic or a bucket; Kafka topics are refused by name."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
    assert refusal(DestinationConfig={"OnFailure": {"Destination": arn}}).parameter == (
        "DestinationConfig"
    )


@pytest.mark.parametrize("config", [{}, {"OnFailure": {}}, {"OnFailure": {"Destination": ""}}])
def test_an_empty_destination_config_is_none(config):
    assert parse(DestinationConfig=config).destination is None


@pytest.mark.parametrize(
    "config", ["x", {"OnFail": {}}, {"OnFailure": {"Arn": QUEUE}}, {"OnFailure": QUEUE}]
)
def test_a_destination_config_of_another_shape_is_refused(config):
    assert refusal(DestinationConfig=config).parameter == "DestinationConfig"


@pytest.mark.parametrize(
    "name",
    [
        "AmazonManagedKafkaEventSourceConfig",
        "DocumentDBEventSourceConfig",
        "LoggingConfig",
        "ProvisionedPollerConfig",
        "Queues",
        "ScalingConfig",
        "SelfManagedEventSource",
        "SelfManagedKafkaEventSourceConfig",
        "SourceAccessConfigurations",
        "StartingPositionTimestamp",
        "Topics",
    ],
)
def test_members_of_other_event_sources_are_refused_by_name(name):
    """ProvisionedPollerConfig, ScalingConfig, LoggingConfig: parameters of other event sources are
    refused by name.
    """
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    refused = refusal(**{name: {}})
    assert refused.parameter == name
    assert name in refused.message and "DynamoDB stream mapping" in refused.message


def test_an_unknown_member_is_refused_by_name():
    refused = refusal(BatchSiz=10)
    assert refused.parameter == "BatchSiz"
    assert "BatchSiz" in refused.message


@pytest.mark.parametrize(
    "given", ["ReportBatchItemFailures", ["Report"], ["ReportBatchItemFailures"] * 2, {}]
)
def test_the_only_response_type_is_report_batch_item_failures(given):
    """FunctionResponseTypes holds at most one item: ReportBatchItemFailures."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    assert refusal(FunctionResponseTypes=given).parameter == "FunctionResponseTypes"


def test_no_response_types_is_the_default():
    assert parse(FunctionResponseTypes=[]).report_failures is False


@pytest.mark.parametrize(
    "given",
    [
        {"Metrics": ["ErrorCount"]},
        {"Metrics": ["KafkaMetrics"]},
        {"Metrics": ["Invocations"]},
        {"Metric": ["EventCount"]},
        ["EventCount"],
    ],
)
def test_a_dynamodb_mapping_has_event_count_metrics_only(given):
    """MetricsConfig: EventCount only; ErrorCount and KafkaMetrics are Kafka's."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingMetricsConfig.html
    assert refusal(MetricsConfig=given).parameter == "MetricsConfig"


def test_bad_filters_are_refused_with_awss_message():
    """A bad filter pattern fails when the mapping is created."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
    refused = refusal(FilterCriteria={"Filters": [{"Pattern": "single-string"}]})
    assert refused.message == "Invalid filter pattern definition."
    assert refused.parameter == "FilterCriteria"


def test_an_empty_filter_list_shows_no_filter_criteria():
    """A mapping created with an empty filter list shows no FilterCriteria."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    # Recorded on AWS (localstack's snapshots).
    assert "FilterCriteria" not in parse(FilterCriteria={"Filters": []}).describe()


def test_texts_of_a_template_become_numbers_and_booleans_as_cloudformation_makes_them():
    settings = parse(
        BatchSize="10",
        MaximumRetryAttempts="-1",
        BisectBatchOnFunctionError="true",
        Enabled="False",
    )
    assert settings.batch_size == 10
    assert settings.max_retries == -1
    assert settings.bisect is True
    assert settings.enabled is False


@pytest.mark.parametrize("value", ["ten", "1.5", 1.5, True, [1], ""])
def test_a_number_of_another_type_is_refused(value):
    assert refusal(BatchSize=value).parameter == "BatchSize"


@pytest.mark.parametrize("value", ["yes", 1, "", []])
def test_a_boolean_of_another_type_is_refused(value):
    """BisectBatchOnFunctionError and Enabled are booleans."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
    assert refusal(Enabled=value).parameter == "Enabled"


def test_the_key_has_one_name_in_the_api_and_another_in_cloudformation():
    """The key of the filter criteria: KMSKeyArn in the API, KmsKeyArn in CloudFormation."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    key = "arn:aws:kms:us-east-1:123456789012:key/k"
    assert parse(KMSKeyArn=key) == parse(KmsKeyArn=key)
    assert parse(KMSKeyArn="").kms_key_arn is None
    assert refusal(KMSKeyArn="my-key").parameter == "KMSKeyArn"


# -- https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html


def test_an_update_changes_what_it_names_and_keeps_the_rest():
    before = parse(BatchSize=10, MaximumRetryAttempts=2)
    after = before.update({"UUID": "u", "FunctionName": "g", "BatchSize": 20, "Enabled": None})
    assert (after.batch_size, after.max_retries, after.starting_position) == (20, 2, "LATEST")
    assert before.batch_size == 10


def test_an_update_checks_ranges_too():
    with pytest.raises(Refused):
        parse().update({"BatchSize": 10_001})


@pytest.mark.parametrize("name", ["StartingPosition", "EventSourceArn", "Tags"])
def test_an_update_has_no_starting_position_stream_or_tags(name):
    with pytest.raises(Refused) as refused:
        parse().update({name: "TRIM_HORIZON"})
    assert refused.value.parameter == name


def test_an_update_removes_the_destination_by_an_empty_text():
    """An update with an empty destination removes it."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_OnFailure.html
    before = parse(DestinationConfig={"OnFailure": {"Destination": QUEUE}})
    assert before.update({"DestinationConfig": {"OnFailure": {}}}).destination is None
    assert before.update({"DestinationConfig": {}}).destination == QUEUE
    gone = before.update({"DestinationConfig": {"OnFailure": {"Destination": ""}}})
    assert gone.destination is None


def test_an_update_removes_the_filters_by_an_empty_object():
    """An update with empty FilterCriteria removes the filters."""
    # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
    before = parse(FilterCriteria={"Filters": [{"Pattern": PATTERN}]})
    assert before.update({"FilterCriteria": {}}).filters == ()
    assert before.update({"BatchSize": 1}).filters == before.filters


@pytest.mark.parametrize(
    ("arn", "source"),
    [
        ("arn:aws:sqs:us-east-1:123456789012:orders", "SQS"),
        ("arn:aws:kinesis:us-east-1:123456789012:stream/orders", "Kinesis"),
        ("arn:aws:kafka:us-east-1:123456789012:cluster/orders/abc-1", "MSK"),
        ("arn:aws:mq:us-east-1:123456789012:broker:orders:b-1", "MQ"),
    ],
)
def test_a_source_that_aws_takes_and_the_emulator_does_not_is_told_as_that(arn, source):
    """Also without a StartingPosition, which some of them do not want."""
    with pytest.raises(Refused) as refused:
        Settings.parse({"EventSourceArn": arn})
    assert refused.value.code == "NotEmulated"
    assert source in refused.value.message
    assert refused.value.parameter == "EventSourceArn"


# Every member, set to something else than its default.
OTHER = {
    "BatchSize": 500,
    "BisectBatchOnFunctionError": True,
    "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
    "Enabled": False,
    "FilterCriteria": {"Filters": [{"Pattern": PATTERN}]},
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
    "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
    "MaximumBatchingWindowInSeconds": 5,
    "MaximumRecordAgeInSeconds": 3600,
    "MaximumRetryAttempts": 3,
    "MetricsConfig": {"Metrics": ["EventCount"]},
    "ParallelizationFactor": 4,
    "TumblingWindowInSeconds": 60,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_that_a_template_no_longer_has_goes_back_to_its_default(name):
    """A stack update without the property is an update that says the default, Enabled included."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
    given = parse(**{name: OTHER[name]})
    assert given != parse()
    assert given.update(cleared([name, "Tags"])) == parse()


@pytest.mark.parametrize("name", [one for one in PARAMETERS if one != "KMSKeyArn"])
def test_a_parameter_of_the_registry_is_one_that_a_template_may_set(name):
    """`KMSKeyArn` is the API's name; a template says `KmsKeyArn`."""
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": STREAM,
            "FunctionName": "f",
            "StartingPosition": "LATEST",
            name: OTHER[name],
        },
    }
    stack = template.resolve(json.dumps({"Resources": {"Mapping": mapping}}), stack_name="s")
    assert name in stack.resources["Mapping"].properties or name == "KmsKeyArn"
