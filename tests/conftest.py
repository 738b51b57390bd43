"""What all tests share."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from standin import handler, judge, labs, space  # noqa: F401 - fixtures

# Before anything imports boto3: a test run must never see a real account or a real profile.
for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_", "BOTO"))]:
    del os.environ[name]
os.environ.update(
    AWS_ACCESS_KEY_ID="testing",
    AWS_SECRET_ACCESS_KEY="testing",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_ACCOUNT_ID_ENDPOINT_MODE="disabled",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
)

# What starts a function process: whoever asks for one of these plays. Other tests that play, mostly
# through a command of their own, say so with `pytestmark`.
PLAYING = {"nursery", "impatient", "pipeline_nursery", "bench_on"}
QUICK = ("not played", "not played and not slow")


def pytest_configure(config: pytest.Config) -> None:
    """In a run of what is not played, starting a function process is an error everywhere."""
    if config.getoption("markexpr") in QUICK:
        refusing = str(Path(__file__).parent / "unplayed")
        sys.path.insert(0, refusing)
        paths = [refusing, *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        sys.modules.pop("sitecustomize", None)
        import sitecustomize  # noqa: F401 - it acts when it is imported


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what plays, before `-m` looks at the marks."""
    for item in items:
        if PLAYING & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.played)


def pytest_collection_finish() -> None:
    """Leave what was collected alone: it stays to the end, and each full search would go through it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(scope="session", name="nursery")
def _nursery() -> Iterator[object]:
    """One running function nursery for all tests of a session."""
    from grader.cloud.function import Nursery

    nursery = Nursery.start()
    yield nursery
    nursery.close()


@pytest.fixture(scope="session", name="impatient")
def _impatient() -> Iterator[object]:
    """A nursery whose functions are ended after 0.25 s of computing; `labs` gives them 2 s."""
    from grader.cloud.function import Limits, Nursery

    nursery = Nursery.start(limits=Limits(cpu_seconds=0.25))
    yield nursery
    nursery.close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Half as many again as there are cores: tests wait for processes that end, sleep or start."""
    if config.option.numprocesses != "auto" or "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # `-n logical` is a worker for each core; xdist reads the variable
    from grader.course.warm import cores

    return cores() + cores() // 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """A worker that has nothing left takes over tests of another: grades take seconds each.

    Files stay whole where ``--dist loadfile`` asks for it.
    """
    if config.getoption("dist") == "loadfile":
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)
