"""The engine and the reference model agree on random histories.

``LABS_TEST_EXAMPLES`` sets how many are tried.
"""

import os

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from mapping_world import QUEUE, World, failed
from reference_model import Written, play

from grader.cloud.mapping import Result
from grader.cloud.mapping.filters import parse_filter_criteria

EXAMPLES = int(os.environ.get("LABS_TEST_EXAMPLES", "300"))
UNTIL = 150_000

ONLY_GOOD = parse_filter_criteria(
    {"Filters": [{"Pattern": '{"dynamodb": {"NewImage": {"pass": {"S": ["yes"]}}}}'}]}
)


class Moody:
    """Throws, reports or is throttled as its plan says; the plan counts deliveries of a record.

    ``errors[n]``, ``reports[n]``: how many deliveries of record ``n`` throw, or report it.
    ``throttles``: the numbers of the calls that do not start.
    """

    def __init__(self, errors, reports, throttles):
        self.errors, self.reports, self.throttles = errors, reports, throttles
        self.calls = 0
        self.seen = {}

    def __call__(self, numbers):
        self.calls += 1
        if self.calls in self.throttles:
            return "throttled"
        for number in numbers:
            self.seen[number] = self.seen.get(number, 0) + 1
        if any(self.seen[number] <= self.errors.get(number, 0) for number in numbers):
            return "error"
        return [n for n in numbers if self.seen[n] <= self.reports.get(n, 0)] or "ok"


@st.composite
def histories(draw):
    gap = st.sampled_from([0, 0, 0, 1, 40, 250, 333, 2_000, 9_750])
    time, written = 0, []
    for number, waited in enumerate(draw(st.lists(gap, min_size=2, max_size=12))):
        time += waited
        written.append(Written(time, number, draw(st.integers(0, 4)) > 0))
    record = st.integers(0, len(written) - 1)
    moods = st.dictionaries(record, st.sampled_from([1, 1, 2, 5, 1_000]), max_size=5)
    plan = (
        draw(st.one_of(st.just({}), moods)),
        draw(moods),
        draw(st.sets(st.integers(1, 30), max_size=3)),
    )
    options = {
        "start": draw(st.sampled_from([0, 5_000, 64_000])),
        "batch_size": draw(st.integers(1, 8)),
        "window": draw(st.sampled_from([0, 0, 1_000, 7_000])),
        "max_retries": draw(st.sampled_from([-1, 0, 1, 3])),
        "max_age": draw(st.sampled_from([-1, 60_000])),
        "bisect": draw(st.booleans()),
        "report": draw(st.integers(0, 3)) > 0,
    }
    return written, plan, options


def play_engine(written, plan, options):
    """The same history through the real mapping; the answer has the model's shape."""
    function = Moody(*plan)
    by_sequence = {}

    def respond(event):
        found = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
        answer = function([by_sequence[one] for one in found])
        if answer == "error":
            raise ValueError
        if answer == "throttled":
            return Result("throttled")
        if answer == "ok":
            return None
        # Out of order on purpose: the lowest counts.
        bad = [one for one in found if by_sequence[one] in answer]
        return failed(*(bad if function.calls % 2 else reversed(bad)))

    world = World(
        respond,
        delay_ms=options["start"],
        batch_size=options["batch_size"],
        window_ms=options["window"],
        max_retries=options["max_retries"],
        max_age_ms=options["max_age"],
        bisect=options["bisect"],
        report_failures=options["report"],
        filters=ONLY_GOOD,
        destination=QUEUE,
    )
    # One power of ten is crossed in every history.
    world.stream._next_sequence = 10**22 - 2

    def write(record):
        item = {"id": {"S": f"o-{record.number}"}, "pass": {"S": "yes" if record.passes else "no"}}
        made = world.stream.write(None, item, world.clock.now)
        by_sequence[str(made.sequence)] = record.number

    for record in written:
        world.clock.at(world.start + record.time, lambda record=record: write(record))
    world.clock.run_until(world.start + UNTIL)

    def numbers(records):
        return [by_sequence[record["dynamodb"]["SequenceNumber"]] for record in records]

    deliveries = [
        (time - world.start, numbers(event["Records"]))
        for time, event in [(call.start_ms, call.event) for call in world.function.calls]
    ]
    notes = []
    for note in world.queue.documents:
        info = note["DDBStreamBatchInfo"]
        first, last = info["startSequenceNumber"], info["endSequenceNumber"]
        between = [
            number
            for sequence, number in by_sequence.items()
            if int(first) <= int(sequence) <= int(last) and written[number].passes
        ]
        assert len(between) == info["batchSize"]
        request = note["requestContext"]
        notes.append((request["condition"], between, request["approximateInvokeCount"]))
    pending = numbers([record.event for record in world.mapping.pending()])
    return deliveries, notes, pending


@pytest.mark.slow
@given(histories())
@examples(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
def test_the_engine_does_what_the_model_does(history):
    written, plan, options = history
    deliveries, notes, pending = play_engine(written, plan, options)
    expected, expected_notes, expected_pending = play(written, Moody(*plan), UNTIL, **options)
    assert deliveries == expected
    assert notes == [(condition, which, count) for _, condition, which, count in expected_notes]
    assert pending == expected_pending
