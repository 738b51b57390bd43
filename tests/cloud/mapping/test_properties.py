"""What holds for every mapping and every history: nothing lost, order kept, no step back.

``LABS_TEST_EXAMPLES`` sets how many histories are tried.
"""

import os
from dataclasses import replace

from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from mapping_world import QUEUE, World, failed

from grader.cloud.mapping import Concurrency, Result
from grader.cloud.mapping.filters import parse_filter_criteria
from grader.cloud.mapping.journal import Checkpointed, Invoked

EXAMPLES = int(os.environ.get("LABS_TEST_EXAMPLES", "100"))
NOT_REMOVED = parse_filter_criteria(
    {"Filters": [{"Pattern": '{"eventName": ["INSERT", "MODIFY"]}'}]}
)

SETTINGS = st.fixed_dictionaries(
    {
        "batch_size": st.integers(1, 7),
        "window_ms": st.sampled_from([0, 0, 2_000]),
        "parallelization": st.integers(1, 4),
        "max_retries": st.sampled_from([-1, 0, 2]),
        "max_age_ms": st.sampled_from([-1, 60_000]),
        "bisect": st.booleans(),
        "report_failures": st.booleans(),
        "filters": st.sampled_from([(), NOT_REMOVED]),
    }
)
# (seconds to wait before, what to do)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0.1, 1, 20]),
        st.one_of(
            st.tuples(st.just("write"), st.integers(0, 5)),
            st.tuples(st.just("write"), st.integers(0, 5)),
            st.tuples(st.just("remove"), st.integers(0, 5)),
            st.tuples(st.sampled_from(["split", "pause", "resume", "lanes"]), st.integers(1, 4)),
        ),
    ),
    min_size=6,
    max_size=30,
)
ANSWERS = st.lists(
    st.sampled_from(["ok", "error", "error", "report", "throttled"]), min_size=5, max_size=25
)


class Play:
    """One history, played; what the function was given and what it made of it."""

    def __init__(self, settings, steps, answers, duration_ms):
        self.answers = list(answers)
        self.processed = []
        self.world = World(
            self.respond,
            duration_ms=duration_ms,
            destination=QUEUE,
            concurrency=Concurrency(110),
            **settings,
        )
        self.written = []
        self.world.stream.listen(lambda record, shard: self.written.append(record))
        self.images = {}
        for wait, (what, number) in steps:
            self.world.run(wait)
            getattr(self, what)(number)
        self.world.run(40)

    def respond(self, event):
        """Answer by the script; note what a correct function would have processed for good."""
        answer = self.answers.pop(0) if self.answers else "ok"
        found = [int(record["dynamodb"]["SequenceNumber"]) for record in event["Records"]]
        if answer == "error":
            raise ValueError
        if answer == "throttled":
            return Result("throttled")
        if answer == "report" and self.world.mapping._host.settings.report_failures:
            middle = len(found) // 2
            self.processed += found[:middle]
            return failed(*[str(one) for one in found[middle:]])
        self.processed += found
        return None

    def write(self, number):
        key = f"k-{number}"
        old = self.images.get(key)
        version = str(len(self.written))
        self.images[key] = {"id": {"S": key}, "v": {"N": version}}
        self.world.stream.write(old, self.images[key], self.world.clock.now)

    def remove(self, number):
        old = self.images.pop(f"k-{number}", None)
        if old is not None:
            self.world.stream.write(old, None, self.world.clock.now)

    def split(self, number):
        shards = self.world.stream.open_shards
        self.world.stream.split(shards[number % len(shards)].id, self.world.clock.now)

    def pause(self, number):
        if not self.world.mapping.is_changing:
            self.world.mapping.disable()

    def resume(self, number):
        if not self.world.mapping.is_changing:
            self.world.mapping.enable()

    def lanes(self, number):
        mapping = self.world.mapping
        if not mapping.is_changing:
            mapping.update(replace(mapping.settings, parallelization=number))


plays = st.builds(Play, SETTINGS, STEPS, ANSWERS, st.sampled_from([0, 0, 30, 1_700]))
many = examples(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)


@given(plays)
@many
def test_every_record_is_processed_or_in_a_note_or_pending_or_filtered(play):
    noted = set()
    for note in play.world.queue.documents:
        info = note["DDBStreamBatchInfo"]
        first, last = int(info["startSequenceNumber"]), int(info["endSequenceNumber"])
        lane_mates = [r.sequence for r in play.written if first <= r.sequence <= last]
        noted.update(lane_mates)
    pending = {record.sequence for record in play.world.mapping.pending()}
    filtered = {
        record.sequence
        for record in play.written
        if play.world.mapping.settings.filters and record.event["eventName"] == "REMOVE"
    }
    processed = set(play.processed)
    for record in play.written:
        assert record.sequence in processed | noted | pending | filtered
    assert not processed & filtered
    # Still with the function when the history ends: pending, and maybe processed already.
    if not play.world.function.duration_ms:
        assert not processed & pending
        assert len(play.processed) == len(processed), "a success is not delivered again"


@given(plays)
@many
def test_records_of_one_item_are_first_delivered_in_the_order_of_their_changes(play):
    order, seen = {}, set()
    for call in play.world.function.calls:
        for record in call.event["Records"]:
            change = record["dynamodb"]
            number = int(change["SequenceNumber"])
            if number not in seen:
                seen.add(number)
                order.setdefault(change["Keys"]["id"]["S"], []).append(number)
    for numbers in order.values():
        assert numbers == sorted(numbers)


@given(plays)
@many
def test_the_checkpoint_of_a_shard_never_goes_back(play):
    by_shard = {}
    for entry in play.world.journal.of(Checkpointed):
        assert entry.checkpoint >= by_shard.get(entry.shard, 0)
        by_shard[entry.shard] = entry.checkpoint


@given(plays)
@many
def test_no_batch_is_larger_than_batch_size_and_its_records_are_in_order(play):
    size = play.world.mapping.settings.batch_size
    for entry in play.world.journal.of(Invoked):
        sequences = [record.sequence for record in entry.batch.records]
        assert 1 <= len(sequences) <= size
        assert sequences == sorted(set(sequences))


@given(plays)
@many
def test_after_the_trouble_is_over_everything_is_delivered_and_the_mapping_comes_to_rest(play):
    play.answers.clear()
    play.world.run(1)
    if not play.world.mapping.settings.enabled:
        play.world.mapping.enable()
    play.world.run(600)
    assert play.world.mapping.pending() == []
    assert play.world.mapping._host.in_flight == 0
    assert all(
        play.world.mapping.checkpoint(shard.id) == shard.records[-1].sequence
        for shard in play.world.stream.shards
        if shard.records
    )


@given(SETTINGS, STEPS, ANSWERS)
@many
def test_the_same_history_is_played_the_same_way_twice(settings, steps, answers):
    first, second = Play(settings, steps, answers, 30), Play(settings, steps, answers, 30)
    assert [str(entry) for entry in first.world.journal] == [
        str(entry) for entry in second.world.journal
    ]
    assert first.world.queue.deliveries == second.world.queue.deliveries
