"""BisectBatchOnFunctionError: finding the poison record by halving.

https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
"""

from mapping_world import QUEUE, World, failed, ids_of, sequences_of

from grader.cloud.mapping.journal import Decided


def poison(*bad):
    def respond(event):
        if set(bad) & set(ids_of(event)):
            raise ValueError("poison")

    return respond


def test_the_batch_is_halved_until_the_poison_record_stands_alone():
    """Halves are split again, down to one record."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    world = World(poison("f"), bisect=True, max_retries=0, destination=QUEUE)
    world.write(*"abcdefgh").run(10)
    assert world.batches == [
        list("abcdefgh"),
        list("abcd"),
        list("efgh"),
        list("ef"),
        ["e"],
        ["f"],
        list("gh"),
    ]
    (note,) = world.queue.documents
    assert note["DDBStreamBatchInfo"]["batchSize"] == 1


def test_splitting_happens_with_no_retries_at_all():
    """A split is not a retry."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    world = World(poison("a"), bisect=True, max_retries=0).write("a", "b").run(10)
    assert world.batches == [["a", "b"], ["a"], ["b"]]


def test_each_half_has_its_own_retries():
    """Not documented; two other emulators agree."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    world = World(poison("b"), bisect=True, max_retries=2).write("a", "b").run(60)
    assert world.batches == [["a", "b"], ["a"], ["b"], ["b"], ["b"]]


def test_records_keep_their_order_while_halves_are_retried():
    """The halves of a batch are tried in order."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
    world = World(poison("c"), bisect=True, max_retries=3).write(*"abcdefg").run(60)
    first_seen = list(dict.fromkeys(one for batch in world.batches for one in batch))
    successes = [batch for batch in world.batches if "c" not in batch]
    assert first_seen == list("abcdefg")
    assert [one for batch in successes for one in batch] == list("abdefg")


def test_the_batch_size_of_later_batches_is_unchanged():
    """The configured batch size: splitting does not change it."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    world = World(poison("a"), bisect=True, max_retries=0, batch_size=4)
    world.write(*"abcdefgh").run(10)
    assert world.batches[-1] == list("efgh")


def test_bisect_works_whatever_report_batch_item_failures_says():
    """Cut in two: a function error cuts the batch in two, whatever ReportBatchItemFailures says."""
    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    world = World(poison("b"), bisect=True, report_failures=True, max_retries=0)
    world.write("a", "b").run(10)
    assert world.batches == [["a", "b"], ["a"], ["b"]]


def test_a_partial_response_cuts_where_the_function_says_and_not_in_the_middle():
    """A partial response: the cut is at the returned number, and only the rest is retried."""

    # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    def report(event):
        return failed(*[seq for one, seq in sequences_of(event).items() if one == "b"])

    world = World(report, bisect=True, report_failures=True, max_retries=0)
    world.write(*"abcdefgh").run(10)
    # Cut at b; there b is first, which halves (a choice), until b stands alone.
    assert world.batches[:2] == [list("abcdefgh"), list("bcdefgh")]
    assert sorted(one for batch in world.batches if "b" not in batch for one in batch) == list(
        "cdefgh"
    )


def test_a_throttled_batch_is_not_split():
    from grader.cloud.mapping import Result

    answers = [Result("throttled"), None]
    world = World(lambda event: answers.pop(0), bisect=True).write("a", "b").run(60)
    assert world.batches == [["a", "b"], ["a", "b"]]


def test_the_journal_names_the_rule_behind_a_split():
    world = World(poison("a"), bisect=True, max_retries=0).write("a", "b").run(10)
    first = world.journal.of(Decided)[0]
    assert "uses no retry" in str(first)
    assert first.decision.source.startswith("https://docs.aws.amazon.com/")
