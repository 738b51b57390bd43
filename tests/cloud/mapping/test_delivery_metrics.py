"""What CloudWatch receives from a mapping: names, units, dimensions, values.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
"""

import pytest
from mapping_world import World, failed, ids_of

from grader.cloud.mapping import Result
from grader.cloud.mapping.filters import parse_filter_criteria

INSERTS = parse_filter_criteria({"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]})


def keys(world, name):
    world.mapping.flush()
    return {(key.namespace, key.unit, key.dimensions) for key in world.metrics if key.name == name}


def values(world, name, namespace="AWS/Lambda"):
    world.mapping.flush()
    data = world.metrics.find(namespace, name)
    return sorted(datum.value for datum in data for _ in range(int(datum.count)))


def busy_world(**settings):
    def respond(event):
        if "bad" in ids_of(event):
            raise ValueError

    world = World(respond, duration_ms=40, batch_size=2, max_retries=1, **settings)
    return world.write("a", "b", "c", "bad", "d").run(30)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Invocations", "Count"),
        ("Errors", "Count"),
        ("Throttles", "Count"),
        ("Duration", "Milliseconds"),
        ("IteratorAge", "Milliseconds"),
        ("ConcurrentExecutions", "Count"),
    ],
)
def test_lambda_metrics_have_the_function_as_their_dimension(name, unit):
    """Invocations, Errors, Duration, IteratorAge, ConcurrentExecutions: names, units and the
    dimension FunctionName.
    """
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = busy_world()
    assert keys(world, name) == {("AWS/Lambda", unit, (("FunctionName", "totals"),))}


def test_invocations_errors_and_duration():
    """Invocations, Errors and Duration of each invocation; a healthy one is an error count of 0."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = busy_world()
    assert world.batches == [["a", "b"], ["c", "bad"], ["c", "bad"], ["d"]]
    assert world.metric("Invocations") == 4
    assert world.metric("Errors") == 2
    assert values(world, "Errors") == [0, 0, 1, 1], "a healthy invocation is a zero, not a gap"
    assert values(world, "Duration") == [40, 40, 40, 40]


def test_a_throttle_is_neither_an_invocation_nor_an_error():
    """Throttles: neither invocation nor error."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    answers = [Result("throttled"), None]
    world = World(lambda event: answers.pop(0)).write("a").run(10)
    assert world.metric("Throttles") == 1
    assert world.metric("Invocations") == 1
    assert world.metric("Errors") == 0


def test_a_reported_failure_does_not_raise_errors():
    """Errors: not raised by a report of failed records."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = World(lambda event: failed(""), report_failures=True, max_retries=0)
    world.write("a").run(10)
    assert world.metric("Errors") == 0


def test_iterator_age_is_the_age_of_the_last_record_when_it_is_handed_over():
    """In milliseconds: a threshold of 30 seconds is 30000."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = World(delay_ms=100_000).write("a").run(30)
    world.write("b").run(100)
    assert values(world, "IteratorAge") == [70_000]


def test_iterator_age_grows_while_a_batch_is_retried():
    def fail(event):
        raise ValueError

    world = World(fail).write("a").run(600)
    ages = values(world, "IteratorAge")
    assert ages[-1] > 500_000


def test_concurrent_executions_counts_what_runs_at_once():
    """ConcurrentExecutions is how many invocations run at once."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = World(parallelization=2, duration_ms=1_000, batch_size=1)
    world.write("a", "b", "c", "d", "e", "f").run(60)
    assert values(world, "ConcurrentExecutions")[-1] == 2


def test_a_metric_is_stamped_with_the_start_of_its_invocation():
    """ "The timestamp reflects when the function was invoked", however long it takes."""
    world = World(duration_ms=200_000).write("a").run(300)
    world.mapping.flush()
    (datum,) = world.metrics.find("AWS/Lambda", "Duration")
    assert datum.time_ms == world.start
    assert datum.value == 200_000


def test_failed_invoke_events_are_stamped_with_the_end_of_the_call():
    """FailedInvokeEventCount: also a report of failed records; stamped with the end of the call."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = World(
        lambda event: Result("error", duration_ms=200_000),
        event_count_metrics=True,
        max_retries=0,
    )
    world.write("a").run(300)
    world.mapping.flush()
    (datum,) = world.metrics.find("AWS/Lambda", "FailedInvokeEventCount")
    assert datum.time_ms == world.start + 180_000


def test_finished_minutes_are_published_without_being_asked():
    world = World().write("a").run(60)
    assert world.metrics.total("AWS/Lambda", "Invocations") == 1


EVENT_COUNTS = (
    "PolledEventCount",
    "FilteredOutEventCount",
    "InvokedEventCount",
    "FailedInvokeEventCount",
    "DroppedEventCount",
)


def test_event_counts_are_opt_in():
    """Opt-in: only with MetricsConfig, and with EventSourceMappingUUID as dimension."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = busy_world()
    for name in EVENT_COUNTS:
        assert keys(world, name) == set()


def test_event_counts_have_the_mapping_as_their_dimension():
    """Opt-in: only with MetricsConfig, and with EventSourceMappingUUID as dimension."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = busy_world(event_count_metrics=True, filters=INSERTS).write("a").run(60)
    for name in EVENT_COUNTS:
        assert keys(world, name) == {
            ("AWS/Lambda", "Count", (("EventSourceMappingUUID", world.mapping.uuid),))
        }


def test_event_counts_count_records():
    """Counted: filtered records count in FilteredOutEventCount and not in InvokedEventCount."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = busy_world(event_count_metrics=True, filters=INSERTS).write("a").run(60)
    assert {name: world.metric(name) for name in EVENT_COUNTS} == {
        "PolledEventCount": 6,
        "FilteredOutEventCount": 1,
        "InvokedEventCount": 2 + 2 + 2 + 1,  # retries count again
        "FailedInvokeEventCount": 4,
        "DroppedEventCount": 2,  # no destination
    }


def test_polled_event_count_is_zero_in_a_silent_minute():
    """The proof that the mapping is alive."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = World(event_count_metrics=True).run(600)
    world.mapping.flush()
    data = world.metrics.find("AWS/Lambda", "PolledEventCount")
    assert {datum.value for datum in data} == {0}
    minutes = {(datum.time_ms - world.start) // 60_000 for datum in data}
    assert minutes >= set(range(10))


def test_a_silent_minute_arrives_when_it_is_over_however_late_it_is_counted():
    """PolledEventCount: a silent mapping's polls are data of their minutes, never late ones."""
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
    world = World(event_count_metrics=True).run(600).write("a").run(60)
    world.mapping.flush()
    data = world.metrics.find("AWS/Lambda", "PolledEventCount")
    assert len(data) > 10
    assert {datum.arrived_ms - datum.time_ms for datum in data} == {60_000}


def test_a_disabled_mapping_emits_nothing():
    """A disabled mapping: it emits nothing."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = World(event_count_metrics=True).run(59)
    world.mapping.disable()
    world.run(1)
    world.mapping.flush()
    before = sum(len(world.metrics.data(key)) for key in world.metrics)
    world.write("a").run(3_600)
    world.mapping.flush()
    assert sum(len(world.metrics.data(key)) for key in world.metrics) == before


def test_flushing_twice_counts_nothing_twice():
    world = busy_world(event_count_metrics=True)
    polled, invoked = world.metric("PolledEventCount"), world.metric("Invocations")
    calls = world.metric("SuccessfulRequestLatency", "AWS/DynamoDB")
    world.mapping.flush()
    assert world.metric("PolledEventCount") == polled
    assert world.metric("Invocations") == invoked
    assert world.metric("SuccessfulRequestLatency", "AWS/DynamoDB") == calls


def test_stream_metrics_have_awss_names_units_and_dimensions():
    """ReturnedRecordsCount, ReturnedBytes: of each page, with Operation, StreamLabel and TableName."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    world = busy_world()
    label = world.stream.arn.rsplit("/", 1)[1]
    shards = (("Operation", "GetRecords"), ("StreamLabel", label), ("TableName", "Orders"))
    assert keys(world, "ReturnedRecordsCount") == {("AWS/DynamoDB", "Count", shards)}
    assert keys(world, "ReturnedBytes") == {("AWS/DynamoDB", "Bytes", shards)}
    assert keys(world, "SuccessfulRequestLatency") == {
        ("AWS/DynamoDB", "Milliseconds", (("Operation", "GetRecords"), ("TableName", "Orders")))
    }


def test_returned_records_and_bytes_are_those_of_the_pages():
    """ReturnedRecordsCount, ReturnedBytes: of each page, with Operation, StreamLabel and TableName."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    world = busy_world()
    assert world.metric("ReturnedRecordsCount", "AWS/DynamoDB") == 5
    assert world.metric("ReturnedBytes", "AWS/DynamoDB") == sum(
        record.size for record in world.shard.records
    )


def test_the_sample_count_of_the_latency_is_the_number_of_polls():
    """Lambda's free GetRecords calls are counted: four a second and shard."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
    world = World(shards=2).run(60)
    world.mapping.flush()
    data = world.metrics.find("AWS/DynamoDB", "SuccessfulRequestLatency")
    assert sum(datum.count for datum in data if datum.time_ms < world.start + 60_000) == 2 * 240


def test_a_busy_shard_is_not_polled():
    """The shard waits for the function's answer."""
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    world = World(duration_ms=30_000).write("a").run(60)
    world.mapping.flush()
    data = world.metrics.find("AWS/DynamoDB", "SuccessfulRequestLatency")
    assert sum(datum.count for datum in data if datum.time_ms < world.start + 60_000) == 120
