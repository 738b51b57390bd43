"""What a team's tests are made of: one definition of the stack, and questions that tests ask.

A project's conftest defines the stack once, and each test gets it deployed::

    from grader.desk.testing import Setup

    @pytest.fixture(scope="session")
    def pipeline_setup():
        return Setup("template.yaml", parameters={"Stage": "test"})

Importing this costs nothing: the emulator is loaded when a stack is deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from grader.cloud import Nursery, Pipeline

Seen = TypeVar("Seen")
# What says in a look that what is looked for is not there yet.
_NOT_YET = (AssertionError, AttributeError, LookupError, TypeError)
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
        for action, hook in self.answers.items():
            pipeline.answer(action, hook)
        for table, items in self.load.items():
            for item in items:
                pipeline.put(table, item)
        return pipeline


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
