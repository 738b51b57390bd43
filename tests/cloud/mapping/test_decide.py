"""What follows from an invocation: the rules of ``decide`` and ``read_response``, one by one.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

import pytest

from grader.cloud.mapping import Record, Result, Settings, decide, read_response
from grader.cloud.mapping.choices import retry_delay_ms
from grader.cloud.mapping.decide import (
    Advance,
    Batch,
    Discard,
    Partial,
    Retry,
    Split,
    over_age_prefix,
)

# "Recorded" below: seen on real AWS, published in
# https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json

# Crosses a power of ten: 9…98, 9…99, 1…00, 1…01.
FIRST = 10**22 - 2


def batch(count=4, **more):
    return Batch([Record(FIRST + n, 1_000 * n, f"k{n}", 10, {}) for n in range(count)], **more)


def number(at):
    return str(FIRST + at)


def returned(payload):
    return Result("returned", payload)


def failures(*identifiers):
    return returned({"batchItemFailures": [{"itemIdentifier": one} for one in identifiers]})


ERROR = Result("error", None, "ValueError", "no")
THROTTLED = Result("throttled")
REPORT = Settings(report_failures=True)


@pytest.mark.parametrize(
    "payload",
    [
        {"batchItemFailures": []},  # documented
        {"batchItemFailures": None},  # documented
        {},  # documented
        None,  # documented
        [],  # recorded on DynamoDB
        "",  # recorded on Kinesis
        {"statusCode": 200, "body": "ok"},  # from the null-list rule
    ],
)
def test_these_responses_are_complete_successes(payload):
    """An answer that reports no failed record is a complete success, whatever its shape."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    assert read_response(returned(payload), batch(), True).kind == "success"
    assert isinstance(decide(batch(), returned(payload), REPORT), Advance)


@pytest.mark.parametrize(
    "entry",
    [
        {"itemIdentifier": ""},  # documented
        {"itemIdentifier": None},  # documented
        {"foo": 123},  # documented: a bad key name
        {"foo": None},
        {"itemIdentifier": 123},  # recorded: not in the batch
        {"itemIdentifier": "123"},
        {"itemIdentifier": "0" + str(FIRST)},
        "not an object",
        None,
    ],
)
def test_these_entries_fail_the_whole_batch(entry):
    """An empty, null, misnamed or unknown itemIdentifier fails the whole batch."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    payload = {"batchItemFailures": [entry]}
    verdict = read_response(returned(payload), batch(), True)
    assert (verdict.kind, verdict.index) == ("failure", 0)


def test_one_bad_entry_fails_the_whole_batch_whatever_stands_beside_it():
    assert read_response(failures(number(2), ""), batch(), True).kind == "failure"
    assert read_response(failures(number(2), "77"), batch(), True).kind == "failure"


@pytest.mark.parametrize(
    "payload", [{"batchItemFailures": "x"}, {"batchItemFailures": {}}, "done", 7, [1], True, False]
)
def test_responses_that_cannot_be_read_fail_the_whole_batch(payload):
    """Not documented: a choice."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    assert read_response(returned(payload), batch(), True).kind == "failure"


def test_a_function_error_fails_the_whole_batch():
    """Exception, time-out, out of memory: a complete failure."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    for settings in (Settings(), REPORT):
        decision = decide(batch(), ERROR, settings)
        assert isinstance(decision, Retry)
        assert decision.batch.records == batch().records


def test_without_report_batch_item_failures_the_answer_is_irrelevant():
    """Without ReportBatchItemFailures: returning without a function error is a success; the value
    is irrelevant.
    """
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    for payload in ({"batchItemFailures": [{"itemIdentifier": number(1)}]}, 7, "x", None):
        assert isinstance(decide(batch(), returned(payload), Settings()), Advance)
        assert read_response(returned(payload), batch(), False).kind == "success"


def test_the_checkpoint_is_the_record_before_the_lowest_reported_one():
    decision = decide(batch(), failures(number(3), number(1)), REPORT)
    assert isinstance(decision, Partial)
    assert decision.checkpoint == FIRST
    assert [r.sequence for r in decision.rest.records] == [FIRST + 1, FIRST + 2, FIRST + 3]


def test_the_lowest_sequence_number_is_lowest_as_a_number_not_as_text():
    """Lowest: the lowest number, compared as a number and never as text."""
    # https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
    assert number(2) < number(1), "as texts the order is reversed"
    decision = decide(batch(), failures(number(2), number(1)), REPORT)
    assert isinstance(decision, Partial)
    assert decision.rest.records[0].sequence == FIRST + 1


def test_a_record_reported_twice_counts_once():
    decision = decide(batch(), failures(number(2), number(2)), REPORT)
    assert isinstance(decision, Partial)
    assert len(decision.rest.records) == 2


def test_after_a_partial_success_the_rest_has_a_fresh_retry_budget():
    """Recorded: once in a batch of three, then four times alone, and the note says 4."""
    decision = decide(batch(attempts=3, invocations=3), failures(number(2)), REPORT)
    assert isinstance(decision, Partial)
    assert (decision.rest.attempts, decision.rest.invocations) == (0, 0)


def test_a_reported_first_record_uses_up_a_retry_like_an_exception():
    """Recorded: four deliveries with MaximumRetryAttempts 3."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    settings = Settings(report_failures=True, max_retries=3)
    again = batch()
    for attempt in (1, 2, 3):
        decision = decide(again, failures(number(0)), settings)
        assert isinstance(decision, Retry)
        again = decision.batch
        assert (again.attempts, again.invocations) == (attempt, attempt)
    decision = decide(again, failures(number(0)), settings)
    assert isinstance(decision, Discard)
    assert decision.batch.invocations == 4


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_n_retries_are_n_plus_one_deliveries(retries):
    """Recorded for 1 and 3; 0 is one delivery by the parameter's description."""
    settings = Settings(max_retries=retries)
    again, deliveries = batch(), 0
    while True:
        deliveries += 1
        decision = decide(again, ERROR, settings)
        if isinstance(decision, Discard):
            break
        again = decision.batch
    assert deliveries == retries + 1
    assert decision.condition == "RetryAttemptsExhausted"
    assert decision.batch.invocations == retries + 1


def test_minus_one_retries_for_ever():
    assert isinstance(decide(batch(attempts=10_000), ERROR, Settings(max_retries=-1)), Retry)


def test_the_note_names_a_function_error_only_when_there_was_one():
    """Recorded: "Unhandled" after an exception, null after a reported failure."""
    settings = Settings(report_failures=True, max_retries=0)
    assert decide(batch(), ERROR, settings).function_error == "Unhandled"
    assert decide(batch(), failures(number(0)), settings).function_error is None


def test_a_throttle_uses_no_retry_attempt():
    again = batch(attempts=1, invocations=1)
    for _ in range(50):
        decision = decide(again, THROTTLED, Settings(max_retries=1))
        assert isinstance(decision, Retry)
        again = decision.batch
    assert (again.attempts, again.invocations, again.throttles) == (1, 1, 50)


def test_a_throttle_never_splits():
    assert isinstance(decide(batch(), THROTTLED, Settings(bisect=True, max_retries=0)), Retry)


def test_bisect_uses_no_retry_and_gives_the_halves_fresh_budgets():
    """The first is documented; fresh budgets are a choice that two other emulators share."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    decision = decide(batch(), ERROR, Settings(bisect=True, max_retries=0))
    assert isinstance(decision, Split)
    for half in (decision.first, decision.second):
        assert (half.attempts, half.invocations, len(half.records)) == (0, 0, 2)
    assert decision.first.records + decision.second.records == batch().records


def test_an_odd_batch_has_its_smaller_half_first():
    """Not documented: a choice."""
    decision = decide(batch(5), ERROR, Settings(bisect=True))
    assert (len(decision.first.records), len(decision.second.records)) == (2, 3)


def test_a_single_record_is_not_split():
    decision = decide(batch(1), ERROR, Settings(bisect=True, max_retries=0))
    assert isinstance(decision, Discard)


def test_with_both_on_a_partial_response_cuts_at_the_returned_sequence_number():
    settings = Settings(bisect=True, report_failures=True)
    decision = decide(batch(), failures(number(3)), settings)
    assert isinstance(decision, Partial)
    assert [r.sequence for r in decision.rest.records] == [FIRST + 3]


def test_with_both_on_a_reported_first_record_halves_the_batch():
    """Not documented: a choice."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    settings = Settings(bisect=True, report_failures=True)
    assert isinstance(decide(batch(), failures(number(0)), settings), Split)


def test_with_both_on_an_exception_halves_the_batch():
    assert isinstance(decide(batch(), ERROR, Settings(bisect=True, report_failures=True)), Split)


def test_in_a_tumbling_window_a_response_without_state_is_a_failure():
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html
    settings = Settings(tumbling_window_ms=60_000)
    for payload in (None, {}, {"state": None}, {"batchItemFailures": []}):
        assert isinstance(decide(batch(), returned(payload), settings), Retry)
    assert isinstance(decide(batch(), returned({"state": {}}), settings), Advance)


def test_only_the_prefix_above_the_maximum_age_is_over_age():
    """Recorded for Kinesis: one of six discarded, five delivered."""
    settings = Settings(max_age_ms=60_000)
    records = batch(4)  # written at 0, 1, 2 and 3 seconds
    assert over_age_prefix(records, settings, 60_000) == 0
    assert over_age_prefix(records, settings, 60_001) == 1
    assert over_age_prefix(records, settings, 999_999) == 4
    assert over_age_prefix(records, Settings(), 10**9) == 0


def test_every_decision_names_its_rule_and_source():
    settings = Settings(bisect=True, report_failures=True, max_retries=0)
    for count, result in ((4, ERROR), (1, ERROR), (4, THROTTLED), (4, failures(number(2)))):
        decision = decide(batch(count), result, settings)
        assert decision.rule.endswith(".")
        assert decision.source.startswith("https://")


def test_the_pause_before_a_retry_grows_to_a_minute_and_three_retries_take_seconds():
    """Not documented: a choice."""
    pauses = [retry_delay_ms(n) for n in range(1, 12)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == retry_delay_ms(10**9) == 60_000
    assert 1_000 <= sum(pauses[:3]) <= 300_000


def test_parts_of_a_batch_are_named_by_their_role():
    split = decide(batch(number=2), ERROR, Settings(bisect=True))
    assert split.second.name == "batch 2, second half"
    assert split.second.part(split.second.records[1:], "rest").name == (
        "batch 2, second half, rest"
    )
