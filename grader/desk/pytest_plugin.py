"""A pytest plugin for teams: the fixture ``pipeline``, their own stack on virtual time.

    # pytest.ini:  pipeline_template = template.yaml
    #              pipeline_parameters = Stage=test

    def test_poison(pipeline):
        pipeline.put("Orders", {"id": "o-1", "amount": "not a number"})
        pipeline.run_for(minutes=1)
        assert pipeline.notes("Mapping")[0].condition == "RetryAttemptsExhausted"

The fixture ``pipeline_afresh`` gives the stack as often as one test wants it, for hypothesis.
With ``--streamlabs-replay DIR`` each test that fails leaves a page in DIR that shows its run step
by step. Installed with the package and found by pytest itself. It imports nothing but pytest until
a test asks for the fixture; a fixture of the same name in a project's own conftest.py takes its
place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from grader.cloud import Pipeline
    from grader.cloud.function import Nursery
    from grader.desk.testing import Afresh, Setup

INI = "pipeline_"
PACKAGES = "pipeline_packages"
# What of a `Setup` can be said as text: by its field the type of pytest's setting, and what it is.
SETTINGS = {
    "template": ("string", "the CloudFormation template that the fixture `pipeline` deploys"),
    "code": ("string", "where the template's local Code lies; its own folder unless given"),
    "parameters": ("linelist", "values for the template's parameters: NAME=VALUE, a line each"),
    "ssm": ("linelist", "what Systems Manager holds: NAME=VALUE, a line each"),
    "secrets": ("linelist", "what Secrets Manager holds: NAME=VALUE, a line each"),
    "functions": ("linelist", "folders whose code runs in the template's place: FUNCTION=FOLDER"),
    "layers": ("linelist", "folders of layers: LAYER=FOLDER; without a folder it is left out"),
    "artifacts": ("string", "the folder where lies what the template looks for in S3"),
    "tables": ("linelist", "tables outside the template: NAME=merchant:S id:S, the hash key first"),
    "load": ("linelist", "items that tables hold at the start: TABLE=FILE, a JSON list of items"),
    "seed": ("int", "another seed, another order of the shards' polls"),
    "ready": ("bool", "run until every mapping is Enabled (true)"),
    "refused": ("bool", "go on although AWS would refuse a mapping"),
}
REPLAY = "--streamlabs-replay"
FAILED = pytest.StashKey[bool]()
MARKER = (
    "pipeline(template, code=None, seed=0, ready=True, refused=False): the stack that the fixture "
    "`pipeline` deploys. Paths are relative to pytest's root folder; code is where the template's "
    "local Code lies, its own folder unless given. ready: run until every mapping is Enabled. "
    "refused: go on although AWS would refuse a mapping. Whatever else Pipeline.deploy takes may "
    "stand there, too: parameters, ssm, secrets, functions, layers, artifacts, tables."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings that describe the stack of a whole project."""
    for name, (kind, what) in SETTINGS.items():
        options: dict[str, Any] = {"type": kind}
        if name == "ready":
            options["default"] = True
        parser.addini(INI + name, what, **options)
    parser.addini(
        PACKAGES,
        "what functions may import beside Lambda's runtime; everything installed unless given",
        type="args",
    )
    parser.addoption(
        REPLAY,
        metavar="DIR",
        help="write a page into DIR for each failed test that deploys a stack: its run",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that a test failed, for its fixture, which ends after it; or write the page at once."""
    report = yield
    if report.when != "call":
        return report
    item.stash[FAILED] = report.failed
    afresh: Afresh | None = getattr(item, "funcargs", {}).get("pipeline_afresh")
    if afresh is not None:
        if report.failed and afresh.failed is not None:
            report.sections += _replay(afresh.failed, item)
        afresh.forget()
    return report


@pytest.fixture(scope="session")
def pipeline_nursery(request: pytest.FixtureRequest) -> Iterator[Nursery]:
    """The process from which every pipeline of this test run gets its function processes."""
    from grader.cloud.function import Nursery

    named = request.config.getini(PACKAGES)
    nursery = Nursery.start(packages=named or None)
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def pipeline_setup(request: pytest.FixtureRequest) -> Setup:
    """The stack of this project as pytest's settings describe it.

    A conftest's own fixture of this name returns another `Setup`; it may ask for this one.
    """
    from grader.desk.testing import Setup

    given = {name: request.config.getini(INI + name) for name in SETTINGS}
    root = request.config.rootpath
    said: dict[str, Any] = {"template": ""}
    said |= {name: _read(name, value, root) for name, value in given.items() if value != ""}
    return Setup(**said)


def _read(name: str, value: Any, root: Path) -> Any:
    """A setting as `Setup` has it; UsageError says what cannot be read."""
    if name == "artifacts":
        return Path(value)
    if SETTINGS[name][0] != "linelist":
        return value
    made: dict[str, Any] = {}
    for line in value:
        key, equals, text = (part.strip() for part in line.partition("="))
        try:
            if not key or not equals:
                raise ValueError("a line is NAME=VALUE")
            made[key] = _VALUES.get(name, _text)(text, root)
        except (OSError, ValueError) as problem:
            raise pytest.UsageError(f"{INI}{name}: {line.strip()!r}: {problem}") from None
    return made


def _text(text: str, root: Path) -> str:
    return text


def _folder(text: str, root: Path) -> Path | None:
    return Path(text) if text else None


def _keys(text: str, root: Path) -> dict[str, str]:
    pairs = [one.partition(":") for one in text.split()]
    if not pairs or any(kind not in ("S", "N", "B") for _, _, kind in pairs):
        raise ValueError("a key is an attribute and its type, like merchant:S")
    return {name: kind for name, _, kind in pairs}


def _items(text: str, root: Path) -> list[dict[str, Any]]:
    import json
    from decimal import Decimal

    found = json.loads((root / text).read_text(encoding="utf-8"), parse_float=Decimal)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("the file holds no list of items")
    return found


_VALUES: dict[str, Callable[[str, Path], Any]] = {
    "functions": _folder,
    "layers": _folder,
    "tables": _keys,
    "load": _items,
}


@pytest.fixture
def pipeline(
    request: pytest.FixtureRequest, pipeline_nursery: Nursery, pipeline_setup: Setup
) -> Iterator[Pipeline]:
    """The stack of this project, deployed afresh for this test: `grader.cloud.pipeline.Pipeline`.

    It comes from ``@pytest.mark.pipeline("template.yaml")`` and from pytest's settings
    ``pipeline_…``, or from the fixture ``pipeline_setup``. The test fails when the template cannot
    be deployed, or when AWS would refuse one of its mappings.
    """
    marker = request.node.get_closest_marker("pipeline")
    changes = dict(marker.kwargs) if marker else {}
    if marker and marker.args:
        changes["template"] = marker.args[0]
    from grader.desk.testing import READY_MINUTES, Setup

    known = {one.name for one in fields(Setup)}
    more = {name: changes.pop(name) for name in set(changes) - known}
    setup = replace(pipeline_setup, **changes)
    if not setup.template:
        raise pytest.UsageError(
            f"the fixture `pipeline` needs a template: set {INI}template in pytest's settings, "
            "define the fixture `pipeline_setup`, or mark the test with "
            '@pytest.mark.pipeline("template.yaml")'
        )
    from grader.cloud.aws import Refused
    from grader.cloud.template import TemplateProblems

    root: Path = request.config.rootpath
    try:
        deployed = setup.deploy(root, pipeline_nursery, **more)
    except (LookupError, OSError, Refused, TemplateProblems) as problem:
        pytest.fail(f"{setup.template} cannot be deployed: {problem}", pytrace=False)
    with deployed:
        if refusal := setup.refusal(deployed):
            pytest.fail(refusal, pytrace=False)
        if setup.ready:
            deployed.run_for(minutes=READY_MINUTES)
        yield deployed
        if request.node.stash.get(FAILED, False):
            for name, text in _replay(deployed, request.node):
                request.node.add_report_section("teardown", name, text)


@pytest.fixture(scope="session")
def pipeline_afresh(
    request: pytest.FixtureRequest, pipeline_nursery: Nursery, pipeline_setup: Setup
) -> Iterator[Afresh]:
    """The stack of this project for a test that deploys it many times, as with hypothesis.

    See `grader.desk.testing.Afresh`. It comes from ``pipeline_setup``; a mark changes nothing.
    """
    from grader.desk.testing import Afresh

    if not pipeline_setup.template:
        raise pytest.UsageError(
            f"the fixture `pipeline_afresh` needs a template: set {INI}template in pytest's "
            "settings, or define the fixture `pipeline_setup`"
        )
    afresh = Afresh(pipeline_setup, request.config.rootpath, pipeline_nursery)
    yield afresh
    afresh.forget()


def _replay(pipeline: Pipeline, test: pytest.Item) -> list[tuple[str, str]]:
    """Write the page of a test that failed, if asked for; the section that says where it lies."""
    named = test.config.getoption(REPLAY)
    if not named:
        return []
    from grader import replay

    folder = test.config.rootpath / named
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w.-]+", "-", test.nodeid).strip("-")
    place = replay.write(pipeline, folder / f"{name}.html", title=test.name)
    return [("streamlabs", f"The run as a page: {place}")]
