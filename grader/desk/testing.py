"""What a team's tests are made of: one definition of the stack, and questions that tests ask.

A project's conftest defines the stack once, or pytest's settings do, and each test gets it
deployed::

    from grader.desk.testing import Setup

    @pytest.fixture(scope="session")
    def pipeline_setup():
        return Setup("template.yaml", parameters={"Stage": "test"})

What a stack is for is said once, too, as `Effects`; `lost` and `twice` then say what is missing
from it and what is too much. `grader.desk.stories` finds histories in which something is.

Importing this costs nothing: the emulator is loaded when a stack is deployed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from grader.cloud import Nursery, Pipeline
    from grader.cloud.dynamodb import Record

Seen = TypeVar("Seen")
_Sums: TypeAlias = "defaultdict[str, Any]"
# An effect: what it is about, and how much of it.
Effect: TypeAlias = "tuple[str, int | Decimal]"
# What says in a look that what is looked for is not there yet.
_NOT_YET = (AssertionError, AttributeError, LookupError, TypeError)
# Longer than any change of a mapping's state takes.
READY_MINUTES = 2
# What is done with the stack once it stands; the rest goes to Pipeline.deploy as it is.
_AFTERWARDS = ("template", "code", "answers", "load", "ready", "refused")


@dataclass(frozen=True)
class Setup:
    """The stack of a project as its tests want it. Paths are relative to pytest's root folder.

    ``code`` to ``seed`` are the options of `grader.cloud.Pipeline.deploy`. ``answers`` are hooks by
    their action, as for `Pipeline.answer`; ``load`` are items that each table holds at the
    beginning, by the table's logical id. ``ready``: run until every mapping is Enabled.
    ``refused``: go on although AWS would refuse a mapping.
    """

    template: Path | str
    code: Path | str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    ssm: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, Callable[..., Any] | Path] = field(default_factory=dict)
    layers: Mapping[str, Path | None] = field(default_factory=dict)
    artifacts: Path | None = None
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    seed: int = 0
    answers: Mapping[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    load: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    ready: bool = True
    refused: bool = False

    def deploy(self, root: Path, nursery: Nursery, **more: Any) -> Pipeline:
        """The stack with its answers and its items; ``more`` are further options of `deploy`.

        Raises as `Pipeline.deploy` does.
        """
        from grader.cloud import Pipeline

        options = {
            one.name: _below(root, getattr(self, one.name))
            for one in fields(self)
            if one.name not in _AFTERWARDS
        }
        pipeline = Pipeline.deploy(
            root / self.template,
            code=None if self.code is None else root / self.code,
            nursery=nursery,
            **{**options, **more},
        )
        return self.furnish(pipeline)

    def furnish(self, pipeline: Pipeline) -> Pipeline:
        """Give a stack that has just been deployed its answers and its items.

        LookupError for items of a table that the stack has not.
        """
        if strangers := sorted(set(self.load) - set(pipeline.stack.resources)):
            raise LookupError(f"the stack has no table {', '.join(strangers)}")
        for action, hook in self.answers.items():
            pipeline.answer(action, hook)
        for table, items in self.load.items():
            for item in items:
                pipeline.put(table, item)
        return pipeline

    def refusal(self, pipeline: Pipeline) -> str:
        """What AWS would say against mappings, a line each; "" when nothing, or if expected."""
        return "\n".join(
            f"AWS would refuse {name}: {refusal.code}: {refusal.message}"
            for name, refusal in pipeline.refusals.items()
            if not self.refused
        )


def _below(root: Path, value: Any) -> Any:
    """An option with its paths, and those in a mapping, read from pytest's root folder."""
    if isinstance(value, Path):
        return root / value
    if isinstance(value, Mapping):
        return {name: _below(root, one) for name, one in value.items()}
    return value


def eventually(
    pipeline: Pipeline, look: Callable[[], Seen], *, minutes: float = 15, every_s: float = 1
) -> Seen:
    """Let virtual time pass until ``look`` returns something true, and return that.

    A look that raises AssertionError, AttributeError, LookupError or TypeError sees nothing yet.
    ``minutes`` and ``every_s`` (seconds between two looks) are virtual. AssertionError says what
    was last seen.
    """
    until = pipeline.clock.now + round(minutes * 60_000)
    while True:
        try:
            seen = look()
        except _NOT_YET as problem:
            last = f"{type(problem).__name__}: {problem}"
        else:
            if seen:
                return seen
            last = repr(seen)
        left_s = (until - pipeline.clock.now) / 1000
        if left_s <= 0 or pipeline.hangs.exhausted:
            raise AssertionError(
                f"it did not come true within {minutes:g} minutes of virtual time; "
                f"last seen: {last}"
            )
        pipeline.run_for(seconds=min(every_s, left_s))


def lag(pipeline: Pipeline, mapping: str) -> float:
    """How many virtual seconds the oldest record that a mapping has still to do has waited; or 0.

    It is 0, too, for a record that was written in this very millisecond.
    The mapping is named by its logical id. Refused when AWS would not have created it.
    """
    waiting = pipeline.mapping(mapping).pending()
    now = pipeline.clock.now
    return max((now - record.time_ms for record in waiting), default=0) / 1000


def alarms(pipeline: Pipeline) -> dict[str, list[float]]:
    """When each alarm went into ALARM so far: virtual minutes since the start, by logical id.

    An alarm that never did is not in it. Refused when AWS would refuse an alarm.
    """
    from grader.replay.watching import watch

    pipeline.flush()
    watched = watch(pipeline.stack).over(pipeline)
    rang: dict[str, list[float]] = {}
    for change in watched.transitions:
        if change.new == "ALARM":
            after = (change.time_ms - pipeline.start_ms) / 60_000
            rang.setdefault(watched.labels[change.alarm], []).append(after)
    return rang


class Afresh:
    """The stack of a project as often as one test wants it: each call deploys it afresh.

        with pipeline_afresh() as pipeline:
            story.play(pipeline)

    The template is read once. ``failed`` is the last stack on which something was raised, so that
    its run can be looked at: with hypothesis the one of the simplest example.
    """

    def __init__(self, setup: Setup, root: Path, nursery: Nursery) -> None:
        self.failed: Pipeline | None = None
        self._setup, self._root, self._nursery = setup, root, nursery
        self._deploy: Callable[[], Pipeline] | None = None

    @contextmanager
    def __call__(self) -> Iterator[Pipeline]:
        """The stack, with every mapping enabled, until the end of the block.

        Raises as `Pipeline.deploy` does, and AssertionError when AWS would refuse a mapping.
        """
        if self._deploy is None:
            pipeline = self._setup.deploy(self._root, self._nursery)
            self._deploy = pipeline.afresh
        else:
            pipeline = self._setup.furnish(self._deploy())
        try:
            assert not (refusal := self._setup.refusal(pipeline)), refusal
            if self._setup.ready:
                pipeline.run_for(minutes=READY_MINUTES)
            yield pipeline
        except BaseException:
            self.forget()
            self.failed = pipeline
            raise
        pipeline.close()

    def forget(self) -> None:
        """Close the stack that failed."""
        if self.failed is not None:
            self.failed.close()
        self.failed = None


@dataclass(frozen=True)
class Change:
    """One change of an item, as its stream tells it: plain values, None for no image."""

    event_id: str
    kind: str
    keys: Mapping[str, Any]
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None


@dataclass(frozen=True)
class Effects:
    """What the changes of a table are to bring about, each exactly once.

    ``of`` says what one `Change` is to bring about, as pairs of a name and an amount, and ``seen``
    what there is of it all in a stack, as such pairs: see `rows` and `called`. Amounts of one name
    are summed. ``table`` and ``mapping`` are logical ids. A table of totals, for example::

        Effects("Orders", "Mapping",
                of=lambda change: [(change.new["merchant"], change.new["amount"])],
                seen=rows("Totals", "merchant", "amount"))

    For a copy of a value, ``of`` gives the difference that the change makes to it.
    """

    table: str
    mapping: str
    of: Callable[[Change], Iterable[Effect]]
    seen: Callable[[Pipeline], Iterable[Effect]]


def rows(table: str, name: str, amount: str) -> Callable[[Pipeline], Iterable[Effect]]:
    """What a table with this logical id holds: of each item that has them, these two attributes."""

    def look(pipeline: Pipeline) -> Iterable[Effect]:
        items = pipeline.account.items(pipeline.table(table))
        return [(str(one[name]), one[amount]) for one in items if name in one and amount in one]

    return look


def called(
    action: str, name: Callable[[dict[str, Any]], str]
) -> Callable[[Pipeline], Iterable[Effect]]:
    """Every answered call of an operation, as for `Pipeline.calls`, named by its parameters."""

    def look(pipeline: Pipeline) -> Iterable[Effect]:
        return [(name(one.params), 1) for one in pipeline.calls(action) if one.error is None]

    return look


def lost(pipeline: Pipeline, effects: Effects) -> dict[str, int | Decimal]:
    """How much is missing in silence, by the name of the effect; {} when nothing is.

    What a change was to bring about may be missing as long as its mapping has still to do it, and
    when a failure note tells of it. A note tells the first and the last record that were given up;
    where a shard is read by several lanes at once, more may lie between these.

    ValueError once the stream has forgotten records, after 24 hours.
    """
    least, _, seen = _bounds(pipeline, effects)
    return {one: least[one] - seen[one] for one in sorted(seen) if seen[one] < least[one]}


def twice(pipeline: Pipeline, effects: Effects) -> dict[str, int | Decimal]:
    """How much is there that no change accounts for, by the name of the effect; {} for none.

    ValueError once the stream has forgotten records, after 24 hours.
    """
    _, most, seen = _bounds(pipeline, effects)
    return {one: seen[one] - most[one] for one in sorted(seen) if seen[one] > most[one]}


def _bounds(pipeline: Pipeline, effects: Effects) -> tuple[_Sums, _Sums, _Sums]:
    """Of each effect the least and the most that may be there, and what is there, by every name."""
    waiting = {one.sequence for one in pipeline.mapping(effects.mapping).pending()}
    notes = pipeline.notes(effects.mapping)
    least: _Sums = defaultdict(int)
    most: _Sums = defaultdict(int)
    seen: _Sums = defaultdict(int)
    for shard in pipeline.stream(effects.table).shards:
        if shard.horizon(pipeline.clock.now) > shard.starting_sequence:
            raise ValueError("the stream has forgotten records after 24 hours: ask earlier")
        told = [one for one in notes if one.document["DDBStreamBatchInfo"]["shardId"] == shard.id]
        for record in shard.records:
            number = record.sequence
            excused = number in waiting or any(note.covers(number) for note in told)
            for name, amount in effects.of(_change(record)):
                least[name] += min(amount, 0) if excused else amount
                most[name] += max(amount, 0) if excused else amount
                seen[name] += 0
    for name, amount in effects.seen(pipeline):
        seen[name] += amount
    return least, most, seen


def _change(record: Record) -> Change:
    """A stream record in plain values."""
    from grader.cloud.dynamodb import plain

    told = record.event["dynamodb"]
    old, new = (plain(told[one]) if one in told else None for one in ("OldImage", "NewImage"))
    return Change(record.event["eventID"], record.event["eventName"], plain(told["Keys"]), old, new)
