"""Grade one folder: always returns a Grade.

The learner's files are copied, the function process is started, and pytest runs the lab's checks
in this process. Learner code never runs here: this process holds the expected values and moto, the
function process holds the handler and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.cloud.scratch import Scratch
from grader.course import criterion as checks
from grader.course.grade import (
    Criterion,
    Finding,
    Grade,
    Outcome,
    Unmet,
    Unreached,
    Verdict,
)
from grader.course.lab import Lab

if TYPE_CHECKING:
    from grader.cloud.function import Nursery
    from grader.course.evidence import Evidence
    from grader.course.stage import Stage

# What may stay of the caller's environment: enough to find programs and to print. Everything that
# steers AWS clients, moto, pytest or Python itself is dropped before any of them is imported.
DROPPED_PREFIXES = (
    "AWS_",
    "BOTO",
    "MOTO_",
    "PYTEST_",
    "PYTHON",
    "LAMBDA_",
    "_X_AMZN",
    "POWERTOOLS_",
)
FAKE_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    # boto3 1.44 sends stream calls to an account endpoint that moto does not serve.
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}


@contextlib.contextmanager
def clean_environment() -> Iterator[None]:
    """Only fake credentials and no steering variables, for as long as the block runs."""
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(DROPPED_PREFIXES):
            del os.environ[name]
    os.environ.update(FAKE_ENVIRONMENT)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def criteria(lab: Lab) -> list[Criterion]:
    """The criteria of a lab, without grading anything."""
    return checks.criteria(lab.number, lab.slug)


def grade(
    lab: Lab,
    folder: Path,
    *,
    seed: int = 0,
    only: Sequence[str] = (),
    progress: Callable[[str], None] | None = None,
    nursery: Nursery | None = None,
    first_loss: bool = False,
    look: Callable[[Stage, Sequence[Verdict]], None] | None = None,
) -> Grade:
    """Grade the editable files in ``folder`` against the lab's criteria.

    ``only`` names criteria; the others are reported as skipped. ``progress`` receives the goal of
    each criterion before it is decided. ``nursery`` is a running function nursery to use (a warm
    one makes re-grading faster); otherwise one is started and closed. With ``first_loss`` nothing
    more is decided after the first criterion that is not met: the others are skipped. ``look``
    sees the stage and the verdicts before the plays are cleared away.
    """
    with clean_environment(), Scratch() as place, _running(nursery) as running:
        copy = place / "lab"
        files = lab.copy_editable(folder, copy)
        # Imported only now: the nursery warms up beside these slow imports.
        from grader.course.stage import Stage

        with Stage(copy, lab=lab, seed=seed, nursery=running) as stage:
            verdicts = stage.reviewed(_decide(lab, stage, only, progress, first_loss))
            if look is not None:
                look(stage, verdicts)
            return Grade(
                lab=lab.number,
                slug=lab.slug,
                seed=seed,
                verdicts=verdicts,
                files={name: _sha256(copy / name) for name in files},
                notes=stage.notes,
                advice=stage.advice,
            )


def grade_seen(lab: Lab, folder: Path, **options: Any) -> tuple[Grade, Evidence]:
    """As `grade`, with what its findings speak of."""
    from grader.course.evidence import gather

    seen: list[Evidence] = []

    def look(stage: Stage, verdicts: Sequence[Verdict]) -> None:
        seen.append(gather(stage, verdicts))

    return grade(lab, folder, look=look, **options), seen[0]


def scenarios(lab: Lab) -> list[str]:
    """The names of the scenarios that ``timeline`` can tell, the default first."""
    return list(checks.timelines(lab.number, lab.slug))


def timeline(
    lab: Lab,
    folder: Path,
    seed: int = 0,
    scenario: str | None = None,
    *,
    whole: bool = False,
    plain: bool = False,
) -> Iterator[str]:
    """The lines of ``labs run``: what the lab's scenario did, batch by batch.

    Attempts that are like the one before are counted; ``whole`` tells each. ``plain`` lines have no
    block characters.

    Raises KeyError with a sentence when ``scenario`` is none of `scenarios`, and `grade.Unmet`
    when nothing can be played because of the learner's files.
    """
    _, tell = _scenario(lab, scenario)
    with _staged(lab, folder, seed) as stage:
        stage.whole, stage.plain = whole, plain
        yield from _telling(stage, tell)


def run(
    lab: Lab,
    folder: Path,
    seed: int = 0,
    scenario: str | None = None,
    *,
    nursery: Nursery | None = None,
) -> tuple[dict[str, Any], Finding | None]:
    """The document of a scenario's run (`grader.replay.run`), and what stopped it.

    ``nursery`` is as for `grade`. Raises KeyError as `timeline` does.
    """
    from grader.replay import run as replay

    name, tell = _scenario(lab, scenario)
    told: list[str] = []
    stopped = None
    with _staged(lab, folder, seed, nursery) as stage:
        try:
            told.extend(_telling(stage, tell))
        except (Unmet, Unreached) as met:
            stopped = met.finding
        from grader.course.play.recording import scenes

        played = replay.document(
            scenes(stage),
            lab=lab.number,
            slug=lab.slug,
            scenario=name,
            seed=seed,
            told=told,
            stopped=None if stopped is None else asdict(stopped),
        )
    return played, stopped


Tell = Callable[["Stage"], Iterator[str]]


def _scenario(lab: Lab, scenario: str | None) -> tuple[str, Tell]:
    told = checks.timelines(lab.number, lab.slug)
    name = scenario or next(iter(told))
    if name not in told:
        raise KeyError(f"{name}: lab {lab.number} has the scenarios {', '.join(told)}.")
    return name, told[name]


@contextlib.contextmanager
def _staged(lab: Lab, folder: Path, seed: int, nursery: Nursery | None = None) -> Iterator[Stage]:
    """A stage with a copy of the learner's files on it, in an environment without credentials."""
    with clean_environment(), Scratch() as place, _running(nursery) as running:
        copy = place / "lab"
        lab.copy_editable(folder, copy)
        # Imported only now: the nursery warms up beside these slow imports.
        from grader.course.stage import Stage

        with Stage(copy, lab=lab, seed=seed, nursery=running) as stage:
            stage.begin(criteria(lab)[0])
            yield stage


@contextlib.contextmanager
def _running(nursery: Nursery | None) -> Iterator[Nursery]:
    """The nursery that was handed over, or one of this play's own."""
    from grader.cloud.function import Nursery

    running = nursery or Nursery.start()
    try:
        yield running
    finally:
        if nursery is None:
            running.close()


def _telling(stage: Stage, tell: Tell) -> Iterator[str]:
    """The scenario's lines; what stopped its play is raised as a finding."""
    from grader.course.play.stops import Stopped

    try:
        yield from tell(stage)
    except Stopped as stopped:
        stage.judge(stopped)


def _decide(
    lab: Lab,
    stage: Stage,
    only: Sequence[str],
    progress: Callable[[str], None] | None,
    first_loss: bool,
) -> list[Verdict]:
    """Run the lab's checks under pytest and read one verdict per criterion."""
    import pytest

    referee = _Referee(stage, only, progress, first_loss)
    path = Path(__file__).parent / "labs" / f"lab{lab.number:02}" / "criteria.py"
    arguments = [
        str(path),
        f"--rootdir={path.parent}",
        f"--confcutdir={path.parent}",
        "--noconftest",
        "--import-mode=importlib",
        # An empty configuration: nothing above the checks or beside the learner's files applies.
        f"-c{os.devnull}",
        "-pno:cacheprovider",
        "-pno:terminal",
        "-pno:logging",
        "-pno:faulthandler",
        "-pno:warnings",
        "-pno:unraisableexception",
        "-pno:threadexception",
        "-ppytest_check.plugin",
        "--assert=plain",
        "--capture=no",
    ]
    pytest.main(arguments, plugins=[referee])
    verdicts = []
    for item in criteria(lab):
        left = (only and item.id not in only) or (first_loss and referee.lost)
        unasked = Verdict(item, "skipped") if left else None
        missing = unasked or Verdict(item, "broken", _fault(item, ""))
        verdicts.append(referee.verdicts.get(item.id) or missing)
    return verdicts


class _Referee:
    """The pytest plugin that hands the stage to the checks and turns reports into verdicts."""

    def __init__(
        self,
        stage: Stage,
        only: Sequence[str],
        progress: Callable[[str], None] | None,
        first_loss: bool,
    ) -> None:
        self.first_loss = first_loss
        self.stage = stage
        self.only = set(only)
        self.progress = progress
        self.verdicts: dict[str, Verdict] = {}
        self._expect = checks.Expect()
        self.fixtures = self._fixtures()

    @property
    def lost(self) -> bool:
        """Whether a criterion was decided and not met."""
        return any(one.outcome != "met" for one in self.verdicts.values())

    def _fixtures(self) -> type:
        import pytest

        referee = self

        class Fixtures:
            @pytest.fixture
            def stage(self) -> Stage:
                return referee.stage

            @pytest.fixture
            def expect(self) -> checks.Expect:
                return referee._expect

        return Fixtures

    def pytest_configure(self, config: Any) -> None:
        config.pluginmanager.register(self.fixtures(), "labs-fixtures")

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.only:
            items[:] = [i for i in items if self._criterion(i).id in self.only]

    @staticmethod
    def _criterion(item: Any) -> Criterion:
        found = checks.criterion_of(item.function)
        assert found is not None, f"{item.name} has no @criterion"
        return found

    def pytest_runtest_setup(self, item: Any) -> None:
        if self.first_loss and self.lost:
            item.session.shouldstop = "a criterion is lost"
            return
        self._expect.clear()
        criterion = self._criterion(item)
        if self.progress:
            self.progress(criterion.goal)
        self.stage.begin(criterion)

    def pytest_runtest_makereport(self, item: Any, call: Any) -> None:
        # pytest-check replaces call.excinfo once its own hook has run: this one comes before it.
        criterion = self._criterion(item)
        if call.excinfo is not None and criterion.id not in self.verdicts:
            self.verdicts[criterion.id] = self._from_error(criterion, call.excinfo)
        elif call.when == "call" and criterion.id not in self.verdicts:
            self.verdicts[criterion.id] = self._from_findings(criterion)

    def _from_findings(self, criterion: Criterion) -> Verdict:
        """What was found counts only where AWS would have answered no call that nobody plays."""
        found, expect = self._expect.findings, self._expect
        if not (expect.found_firm if found else expect.all_firm):
            beyond = self.stage.beyond(ended=not found)
            if beyond is not None:
                return Verdict(criterion, "unreached", beyond)
        if not found:
            return Verdict(criterion, "met")
        return Verdict(criterion, "unmet", found[0], tuple(found[1:]))

    def _from_error(self, criterion: Criterion, excinfo: Any) -> Verdict:
        error = self._judged(excinfo.value)
        if isinstance(error, Unmet | Unreached):
            outcome: Outcome = "unmet" if isinstance(error, Unmet) else "unreached"
            findings = [*self._expect.findings, error.finding, *getattr(error, "further", ())]
            if self._expect.findings:
                outcome = "unmet"
            return Verdict(criterion, outcome, findings[0], tuple(findings[1:]))
        return Verdict(criterion, "broken", _fault(criterion, _own_trace(error)))

    def _judged(self, error: BaseException) -> BaseException:
        """What a check raised; what stopped its play as Unmet or Unreached."""
        from grader.course.play.stops import Stopped

        if not isinstance(error, Stopped):
            return error
        try:
            self.stage.judge(error)
        except (Unmet, Unreached) as judged:
            return judged


def _own_trace(error: BaseException) -> str:
    """The traceback without pytest's frames and without the machine's paths."""
    package = Path(__file__).parents[1]
    frames = [
        f"{Path(frame.filename).relative_to(package.parent).as_posix()}:{frame.lineno} {frame.line}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(package)
    ]
    return "\n".join([*frames, f"{type(error).__name__}: {error}"])


def _fault(criterion: Criterion, text: str) -> Finding:
    last = text.strip().splitlines()[-1] if text.strip() else "the check did not run to its end"
    return Finding(
        rule="The grader decides every criterion, whatever the files contain.",
        input=f"criterion {criterion.id}",
        expected="a verdict",
        observed=last,
        why="This is a fault of the grader, not of your files: it costs you no points.",
        where=text.strip() or "nothing was recorded",
        next="labs doctor, then please report it with your files",
        page="reference/cli#exit-codes",
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
