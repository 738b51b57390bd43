"""Stories for hypothesis: what happens to a table, and what goes wrong while Lambda tells of it.

A `Plot` says what the stories of a stack are about; `stories` draws them, and a test plays each one
on a stack of its own and asks what came of it (`grader.desk.testing`)::

    PLOT = Plot("Orders", "Totals", "Mapping", lambda key, number, turn: {"id": key, "n": number})

    @given(story=stories(PLOT))
    @settings(deadline=None)
    def test_nothing_is_lost(pipeline_afresh, story):
        with pipeline_afresh() as pipeline:
            story.play(pipeline)
            assert not lost(pipeline, EFFECTS)
            assert not twice(pipeline, EFFECTS)

The mapping of the stack delivers as ever. The trouble is what AWS leaves open: environments die,
calls are refused or answered late, and records come more than once, also in other batches, in two
environments at a time, or long after newer ones. What is never delivered before its turn is a
record that the mapping has not come to yet.
https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html ("duplicate processing")

What comes again is read as the mapping reads it: a report of failed records counts only with
ReportBatchItemFailures, and in a tumbling window an event has the window and the state with which
its first record came. AWS does not say what becomes of the state that a duplicate returns; here it
is dropped, because the mapping has gone on with that of the first delivery.
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html

A story that fails is shrunk to the fewest and simplest steps; its repr tells it in sentences. Only
this module of the package needs hypothesis: the extra ``testing``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from hypothesis import strategies as st

if TYPE_CHECKING:
    from grader.cloud import Pipeline
    from grader.cloud.dynamodb import Record
    from grader.cloud.mapping import EventSourceMapping

# Where texts and numbers are ordered differently, and where a number gets one more digit.
NUMBERS = (1, 2, 9, 10, 11, 99, 100, 101, 999, 1000, 1001)
# Calls that are refused: AWS's code and status. The SDK tries the first kind again by itself.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
REFUSALS = (("AccessDeniedException", 400), ("InternalServerError", 500))
# Virtual time. Refusals and stalls are over long before a story ends.
WAITS_S = (5, 60, 600)
REFUSED_S, STALLED_S = 20, 20
# At the end the mapping gets so often so many minutes for what it has still to do.
END_MINUTES, END_TIMES = 5, 24


@dataclass(frozen=True)
class Plot:
    """What the stories of one stack are about. Names are logical ids.

    ``item`` makes what is written of a key, a number, and how many writes there have been with this
    one: ``lambda key, number, turn: {"id": key, "amount": number, "version": turn}``. Where the
    primary key comes from ``turn``, every write is an item of its own. ``services`` are those whose
    calls may be refused, as IAM calls them (``ses``): also those that hooks answer, for which the
    beginning of an address stands, too (``https://api.example.com/``).
    """

    table: str
    function: str
    mapping: str
    item: Callable[[str, int, int], Mapping[str, Any]]
    keys: Sequence[str] = ("a", "b")
    numbers: Sequence[int] = NUMBERS
    deletes: bool = True
    services: Sequence[str] = ("dynamodb",)


@dataclass
class _Scene:
    """A stack on which a story is being played: what has been written there so far."""

    plot: Plot
    pipeline: Pipeline
    written: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    turn: int = 0

    def key(self, name: str) -> dict[str, Any]:
        """The primary key of the item that was last written under this name."""
        schema = self.pipeline.stack.resources[self.plot.table].properties["KeySchema"]
        item = self.written.get(name) or self.plot.item(name, self.plot.numbers[0], 0)
        return {one["AttributeName"]: item[one["AttributeName"]] for one in schema}

    @property
    def mapping(self) -> EventSourceMapping:
        """The mapping that the stories are about."""
        return self.pipeline.mapping(self.plot.mapping)

    def given(self) -> list[tuple[list[Record], dict[str, Any]]]:
        """What the function was given so far: the records of each event, and what it held beside.

        The last event of a tumbling window holds no records.
        """
        shards = self.pipeline.stream(self.plot.table).shards
        known = {record.sequence: record for shard in shards for record in shard.records}
        found = []
        for one in self.pipeline.invocations(self.plot.function):
            beside = {name: value for name, value in one.event.items() if name != "Records"}
            found.append(([known[number] for number in one.sequences if number in known], beside))
        return [(records, beside) for records, beside in found if records or beside]

    def deliver(
        self, batches: list[list[Record]], around: Mapping[str, Any], apart_ms: int = 0
    ) -> None:
        """Hand batches to the function as often as the mapping would until they are accepted."""
        self.pipeline.settle_together(
            self.plot.function,
            batches,
            apart_ms=apart_ms,
            around=around,
            reports=self.mapping.settings.report_failures,
        )

    def around(self, first: Record) -> Mapping[str, Any]:
        """What an event that begins with this record holds beside its records: window and state.

        The state is that with which the record came; of one that waits it is the newest.
        """
        from grader.cloud.mapping import Ended, Invoked, window_at

        length_ms = self.mapping.settings.tumbling_window_ms
        if not length_ms:
            return {}
        stream = self.pipeline.stream(self.plot.table)
        shard = next(one.id for one in stream.shards if first in one.records)
        window = window_at(first.time_ms, length_ms)
        made = window.event([], final=False, shard_id=shard, stream_arn=stream.arn)
        place, under_way = (made["window"], shard), None
        for entry in self.pipeline.journals[self.plot.mapping]:
            if isinstance(entry, Invoked):
                if (entry.event["window"], entry.event["shardId"]) == place:
                    made["state"], under_way = entry.event["state"], entry.batch
                    if first in entry.batch.records:
                        break
            elif isinstance(entry, Ended) and entry.batch is under_way:
                answer = entry.result.payload if entry.result.kind == "returned" else None
                answer = answer if isinstance(answer, dict) else {}
                made["state"] = answer.get("state", made["state"])
        return made

    def cut(self, back: int, count: int) -> list[Record]:
        """At most ``count`` records of one shard that the mapping passes on, in their order.

        They begin ``back`` records before the first that has still to be done. None where ``back``
        asks for records that are done, and none is.
        """
        from grader.cloud.mapping import matches_any

        settings = self.mapping.settings
        filters, waiting = settings.filters, {one.sequence for one in self.mapping.pending()}
        length_ms = settings.tumbling_window_ms or sys.maxsize
        cuts = []
        for shard in self.pipeline.stream(self.plot.table).shards:
            passed = [one for one in shard.records if matches_any(filters, one.event)]
            undone = (at for at, one in enumerate(passed) if one.sequence in waiting)
            done = next(undone, len(passed))
            first = max(0, done - back)
            if done or not back:
                some = passed[first : first + count]
                # A batch stays inside one tumbling window.
                spans = [one.time_ms // length_ms for one in some]
                cuts.append(some[: spans.count(min(spans, default=0))])
        return max(cuts, key=len, default=[])


class Step(Protocol):
    """One thing that happens in a story."""

    @property
    def words(self) -> str:
        """What happens, as a sentence."""

    def play(self, scene: _Scene) -> None:
        """Let it happen."""


@dataclass(frozen=True)
class Write:
    """An item is written, new or over an older one."""

    key: str
    number: int

    @property
    def words(self) -> str:
        """What happens, as a sentence."""
        return f"{self.key} is written with {self.number}."

    def play(self, scene: _Scene) -> None:
        """Let it happen."""
        scene.turn += 1
        scene.written[self.key] = scene.plot.item(self.key, self.number, scene.turn)
        scene.pipeline.put(scene.plot.table, scene.written[self.key])


@dataclass(frozen=True)
class Delete:
    """The item that was last written under a key is deleted; without one nothing happens."""

    key: str

    @property
    def words(self) -> str:
        """What happens, as a sentence."""
        return f"{self.key} is deleted."

    def play(self, scene: _Scene) -> None:
        """Let it happen."""
        scene.pipeline.delete(scene.plot.table, scene.key(self.key))


@dataclass(frozen=True)
class Longer:
    """Sequence numbers get one digit more."""

    words = "From here on sequence numbers have one digit more."

    def play(self, scene: _Scene) -> None:
        """Let it happen."""
        scene.pipeline.cross(scene.plot.table)


@dataclass(frozen=True)
class Wait:
    """Time passes, and Lambda delivers what waits."""

    seconds: int

    @property
    def words(self) -> str:
        """What happens, as a sentence."""
        return f"{self.seconds} seconds pass, and Lambda delivers what waits."

    def play(self, scene: _Scene) -> None:
        """Let it happen."""
        scene.pipeline.run_for(seconds=self.seconds)


@dataclass(frozen=True)
class Redeliver:
    """A batch that was delivered before comes once more, just as it was."""

    back: int

    @property
    def words(self) -> str:
        """What happens, as a sentence."""
        which = f"the last batch but {self.back}" if self.back else "the last batch"
        return f"Lambda delivers {which} once more."

    def play(self, scene: _Scene) -> None:
        """Let it happen."""
        given = scene.given()
        if len(given) > self.back:
            records, around = given[-1 - self.back]
            scene.deliver([records], around)


@dataclass(frozen=True)
class Again:
    """Records are delivered beside what the mapping does: once more, or while they wait."""

    back: int
    count: int
    how: Literal["batch", "single", "overlap"] = "batch"
    apart_ms: int = 0

    @property
    def words(self) -> str:
        """What happens, as a sentence."""
        way = {
            "batch": "as one batch",
            "single": "one by one",
            "overlap": f"as one batch to two environments {self.apart_ms} ms apart",
        }[self.how]
        first = f"at most {self.back} before the end of what is done" if self.back else "what waits"
        most = "1 record" if self.count == 1 else f"up to {self.count} records"
        return f"Lambda delivers {most}, from {first} on, {way}, besides."

    def play(self, scene: _Scene) -> None:
        """Let it happen."""
        records = scene.cut(self.back, self.count)
        if self.how == "single":
            for record in records:
                scene.deliver([[record]], scene.around(record))
        elif records:
            batches = [records] * (1 + (self.how == "overlap"))
            scene.deliver(batches, scene.around(records[0]), self.apart_ms)


@dataclass(frozen=True)
class Crash:
    """One environment dies around one of its calls."""

    call: int
    when: Literal["before", "after"]

    @property
    def words(self) -> str:
        """What happens, as a sentence."""
        return f"The next environment at AWS call {self.call} of a batch dies right {self.when} it."

    def play(self, scene: _Scene) -> None:
        """Let it happen."""
        scene.pipeline.kill_at(scene.plot.function, self.call, self.when, times=1)


@dataclass(frozen=True)
class Refuse:
    """Every call of a service fails for a while."""

    service: str
    code: str
    status: int

    @property
    def words(self) -> str:
        """What happens, as a sentence."""
        return f"For {REFUSED_S} seconds {self.service} answers every call with {self.code}."

    def play(self, scene: _Scene) -> None:
        """Let it happen."""
        now = scene.pipeline.clock.now
        scene.pipeline.account.fail(
            self.service, now, now + REFUSED_S * 1000, code=self.code, status=self.status
        )


@dataclass(frozen=True)
class Stall:
    """Every call takes effect, and is answered after the function has timed out."""

    words = f"For {STALLED_S} seconds calls take effect, but answers come 15 minutes late."

    def play(self, scene: _Scene) -> None:
        """Let it happen."""
        scene.pipeline.stall(minutes=STALLED_S / 60, seconds=900)


@dataclass(frozen=True)
class Recycle:
    """Lambda gives up its environments."""

    words = "Lambda gives up every idle environment."

    def play(self, scene: _Scene) -> None:
        """Let it happen."""
        scene.pipeline.recycle(scene.plot.function)


@dataclass(frozen=True, repr=False)
class Story:
    """Steps, one after the other; then the trouble is over, and Lambda delivers what is left."""

    plot: Plot
    steps: tuple[Step, ...]

    def __repr__(self) -> str:
        told = (f"\n  {number}. {one.words}" for number, one in enumerate(self.steps, 1))
        return "".join(("a story:", *told))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis prints of an example: the sentences, and not the fields."""
        printer.text(repr(self))

    def play(self, pipeline: Pipeline) -> None:
        """Let all of it happen on a stack that has just been deployed.

        Each step stands in the story of the pipeline, and so on the page of its run.
        """
        scene = _Scene(self.plot, pipeline)
        for step in self.steps:
            pipeline.story.moments.append((pipeline.clock.now, step.words))
            step.play(scene)
        pipeline.kill_at(self.plot.function, None)
        for _ in range(END_TIMES):
            pipeline.run_for(minutes=END_MINUTES)
            if not scene.mapping.pending():
                break
        # A tumbling window ends after its last record.
        pipeline.run_for(seconds=scene.mapping.settings.tumbling_window_ms / 1000)


@st.composite
def stories(draw: st.DrawFn, plot: Plot, *, scenes: int = 10) -> Story:
    """Stories of at most so many scenes, which are one to three steps each.

    Most begin with writes that are delivered one by one: who has no past repeats nothing.
    """
    kinds = (_write, _delivered, _quiet, _ahead, _ahead, _besides, _besides)
    scene = st.sampled_from(kinds).flatmap(lambda kind: kind(plot))
    past = draw(st.lists(_delivered(plot), max_size=4))
    drawn = draw(st.lists(scene, min_size=1, max_size=scenes))
    return Story(plot, tuple(step for one in (*past, *drawn) for step in one))


Scenes: TypeAlias = "st.SearchStrategy[tuple[Step, ...]]"


def _write(plot: Plot) -> Scenes:
    """One item is written, more often than not the first: only the same one tells of order."""
    key = st.one_of(st.just(plot.keys[0]), st.sampled_from(plot.keys))
    return st.tuples(st.builds(Write, key, st.sampled_from(plot.numbers)))


def _delivered(plot: Plot) -> Scenes:
    """One item is written, and Lambda gets to it at once."""
    return _write(plot).map(lambda steps: (*steps, Wait(WAITS_S[0])))


def _quiet(plot: Plot) -> Scenes:
    """Time passes, or an item goes."""
    wait = st.builds(Wait, st.sampled_from(WAITS_S))
    gone = st.builds(Delete, st.sampled_from(plot.keys))
    return st.tuples(st.one_of(wait, gone) if plot.deletes else wait)


def _ahead(plot: Plot) -> Scenes:
    """Something goes wrong for what comes next, which often is a write."""
    some: list[st.SearchStrategy[Step]] = [
        st.builds(Crash, st.integers(1, 4), st.sampled_from(("before", "after"))),
        st.just(Recycle()),
        st.just(Longer()),
        st.just(Stall()),
    ]
    if plot.services:
        service, refusal = st.sampled_from(plot.services), st.sampled_from(REFUSALS)
        some.append(st.builds(lambda name, how: Refuse(name, *how), service, refusal))
    after = st.one_of(st.just(()), _delivered(plot), _delivered(plot))
    return st.builds(lambda step, more: (step, *more), st.one_of(some), after)


def _besides(plot: Plot) -> Scenes:
    """Records come more than once."""
    count, apart = st.integers(1, 4), st.sampled_from((0, 1, 5, 20))
    again = st.builds(Again, st.integers(1, 4), count, st.sampled_from(("batch", "single")))
    overlap = st.builds(Again, st.integers(0, 2), count, st.just("overlap"), apart)
    redeliver = st.builds(Redeliver, st.sampled_from((0, 1, 1, 2, 3)))
    return st.tuples(st.one_of(redeliver, again, overlap))
