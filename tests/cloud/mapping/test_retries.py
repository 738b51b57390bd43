"""Retries: how often, how long, and what waits behind them.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

import pytest
from mapping_world import QUEUE, World, failed, ids_of, sequences_of

from grader.cloud.mapping import Concurrency, Result
from grader.cloud.mapping.journal import Discarded, Throttled


def always(error):
    def respond(event):
        raise error

    return respond


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_n_retries_deliver_n_plus_one_times_and_the_note_counts_them(retries):
    """Recorded: 1 gives approximateInvokeCount 2; 3 gives 4 deliveries and count 4."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    world = World(always(ValueError("x")), max_retries=retries, destination=QUEUE)
    world.write("a").run(600)
    assert world.batches == [["a"]] * (retries + 1)
    (note,) = world.queue.documents
    assert note["requestContext"]["approximateInvokeCount"] == retries + 1
    assert note["requestContext"]["condition"] == "RetryAttemptsExhausted"


def test_the_recording_of_a_poison_record_behind_two_good_ones():
    """Recorded: 6 records, batch size 3, the last one always reported, 3 retries.

    It was delivered 5 times and every other record once; the note says count 4, batchSize 1.
    """
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json

    def last_fails(event):
        return failed(*[seq for one, seq in sequences_of(event).items() if one == "o-5"])

    world = World(last_fails, batch_size=3, max_retries=3, report_failures=True, destination=QUEUE)
    world.write(*[f"o-{n}" for n in range(6)]).run(600)
    delivered = [one for batch in world.batches for one in batch]
    assert {one: delivered.count(one) for one in delivered} == {
        **{f"o-{n}": 1 for n in range(5)},
        "o-5": 5,
    }
    (note,) = world.queue.documents
    assert note["requestContext"]["approximateInvokeCount"] == 4
    assert note["DDBStreamBatchInfo"]["batchSize"] == 1
    assert note["responseContext"]["functionError"] is None


def test_while_a_batch_is_retried_nothing_behind_it_is_delivered():
    """Nothing behind it: while a batch is retried nothing behind it in the shard is delivered, by
    default for up to a day.
    """

    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    def poison(event):
        if "bad" in ids_of(event):
            raise ValueError

    world = World(poison, batch_size=1).write("bad", "a", "b").run(3_600)
    assert {one for batch in world.batches for one in batch} == {"bad"}


def test_with_default_settings_one_bad_record_blocks_its_shard_for_a_day():
    """Nothing behind it: while a batch is retried nothing behind it in the shard is delivered, by
    default for up to a day.
    """

    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    def poison(event):
        if "bad" in ids_of(event):
            raise ValueError

    world = World(poison, batch_size=1, destination=QUEUE).write("bad").run(43_200)
    world.write("good").run(43_000)
    assert ["good"] not in world.batches
    world.run(600)
    assert world.batches[-1] == ["good"]
    # Whether trimmed records leave a note is not documented; the choice is none.
    assert world.queue.documents == []
    assert world.mapping.pending() == []


def test_records_behind_a_discarded_batch_are_delivered():
    def poison(event):
        if "bad" in ids_of(event):
            raise ValueError

    world = World(poison, batch_size=1, max_retries=1).write("bad", "a").run(60)
    assert world.batches == [["bad"], ["bad"], ["a"]]
    assert world.checkpoint == world.sequence(-1)


def test_a_retried_batch_is_the_same_batch_even_when_more_records_have_come():
    """At least once: every record may be delivered more than once; here, as often as failures make
    it.
    """
    # https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
    # https://github.com/localstack/localstack/blob/8b9a79f05846835cf4dff63ab7eefdde9df83783/tests/aws/services/lambda_/event_source_mapping/test_lambda_integration_dynamodbstreams.snapshot.json
    calls = []

    def fail_once(event):
        calls.append(ids_of(event))
        if len(calls) == 1:
            world.write("b")
            raise ValueError

    world = World(fail_once)
    world.write("a").run(10)
    assert calls == [["a"], ["a"], ["b"]]


def test_throttles_use_no_retry_attempt():
    """Throttles: a throttle, or an error before the function runs, uses no retry."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    answers = [Result("throttled")] * 20 + [Result("error")] * 2
    world = World(lambda event: answers.pop(0), max_retries=1, destination=QUEUE)
    world.write("a").run(7_200)
    assert answers == []
    (note,) = world.queue.documents
    assert note["requestContext"]["approximateInvokeCount"] == 2
    assert len(world.journal.of(Throttled)) == 20


def test_throttles_end_only_when_the_record_is_too_old():
    """Throttles: a throttle, or an error before the function runs, uses no retry."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    world = World(
        lambda event: Result("throttled"), max_retries=0, max_age_ms=3_600_000, destination=QUEUE
    )
    world.write("a").run(3_500)
    assert world.queue.documents == []
    world.run(300)
    assert world.queue.documents[0]["requestContext"]["condition"] == "RecordAgeExceeded"


def test_reserved_concurrency_zero_throttles_everything():
    # https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
    limits = Concurrency()
    limits.reserve("totals", 0)
    world = World(concurrency=limits).write("a").run(60)
    assert world.batches == []
    assert [record.key for record in world.mapping.pending()] == ['{"id":{"S":"a"}}']
    limits.release_reservation("totals")
    world.run(120)
    assert world.batches == [["a"]]


def test_a_slow_retry_does_not_move_the_checkpoint():
    world = World(always(ValueError())).write("a", "b").run(30)
    assert world.checkpoint is None
    assert len(world.mapping.pending()) == 2


def test_a_discard_is_in_the_journal_with_its_condition():
    world = World(always(ValueError()), max_retries=0).write("a").run(1)
    (entry,) = world.journal.of(Discarded)
    assert (entry.condition, entry.noted) == ("RetryAttemptsExhausted", False)
    assert "no destination" in str(entry)
