"""Partial failures, from the mapping's side: what is redelivered and where the checkpoint stands.

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

from mapping_world import QUEUE, World, failed, sequences_of

from grader.cloud.mapping.journal import Checkpointed


def reporting(*bad, until=10**9):
    """A handler that reports these items as failed, in its first ``until`` calls."""
    calls = []

    def respond(event):
        calls.append(event)
        if len(calls) > until:
            return failed()
        return failed(*[seq for one, seq in sequences_of(event).items() if one in bad])

    return respond


def test_the_lowest_reported_record_and_everything_after_it_come_again():
    """A sequence number of the batch: partial: the checkpoint is before the lowest one, and it and
    everything after it come again.
    """
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    world = World(reporting("c", until=1), report_failures=True).write(*"abcde").run(10)
    assert world.batches == [list("abcde"), list("cde")]
    assert world.mapping.pending() == []


def test_of_several_reported_records_the_lowest_counts():
    world = World(reporting("d", "b", until=1), report_failures=True).write(*"abcd").run(10)
    assert world.batches == [list("abcd"), list("bcd")]


def test_the_checkpoint_moves_to_the_record_before_the_lowest_reported_one():
    """A sequence number of the batch: partial: the checkpoint is before the lowest one, and it and
    everything after it come again.
    """
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    world = World(reporting("c"), report_failures=True).write(*"abc").run(10)
    assert world.checkpoint == world.sequence(1)
    assert [record.key for record in world.mapping.pending()] == ['{"id":{"S":"c"}}']


def test_progress_in_steps_keeps_the_budget_fresh():
    """Each call fails one record further on: with no retries at all, nothing is ever discarded."""
    order = list("abcdefgh")

    def one_step(event):
        ids = list(sequences_of(event).items())
        return failed(*[seq for _, seq in ids[1:]])

    world = World(one_step, report_failures=True, max_retries=0, destination=QUEUE)
    world.write(*order).run(60)
    assert [batch[0] for batch in world.batches] == order
    assert world.queue.documents == []


def test_the_report_is_ignored_when_it_is_not_asked_for():
    """Without ReportBatchItemFailures a batchItemFailures answer is ignored."""
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    world = World(reporting("b")).write(*"abc").run(10)
    assert world.batches == [list("abc")]
    assert world.checkpoint == world.sequence(-1)


def test_a_partial_success_is_not_a_function_error_but_a_failed_invoke_event():
    """FailedInvokeEventCount: also a report of failed records; stamped with the end of the call."""
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    world = World(reporting("c", until=1), report_failures=True, event_count_metrics=True)
    world.write(*"abcd").run(10)
    assert world.metric("Errors") == 0
    assert world.metric("FailedInvokeEventCount") == 2
    assert world.metric("InvokedEventCount") == 6


def test_the_rest_is_not_topped_up_with_new_records():
    """The suffix becomes a batch of its own; the recorded discard note had batchSize 1."""
    world = World(reporting("c"), batch_size=3, report_failures=True, max_retries=1)
    world.write(*"abcdef").run(60)
    assert world.batches == [list("abc"), ["c"], ["c"], list("def")]


def test_a_complete_failure_leaves_the_checkpoint_alone():
    world = World(lambda event: failed("")).write("a").run(1)
    assert world.checkpoint == world.sequence(0), "without the setting the answer does not count"
    world = World(lambda event: failed(""), report_failures=True).write("a").run(1)
    assert world.checkpoint is None


def test_sequence_numbers_are_compared_across_a_power_of_ten():
    world = World(reporting("b", "c", until=1), report_failures=True, create=False)
    world.write("a")
    world.stream._next_sequence = 10**22 - 1
    world.write("b")
    world.stream._next_sequence = 10**22
    world.write("c", "d")
    world.mapping.create()
    world.run(10)
    assert world.batches == [list("abcd"), list("bcd")]


def test_the_checkpoint_never_goes_back():
    world = World(reporting("c", "f", until=5), batch_size=4, report_failures=True)
    world.write(*"abcdefgh").run(60)
    moves = [entry.checkpoint for entry in world.journal.of(Checkpointed)]
    assert moves == sorted(moves)
