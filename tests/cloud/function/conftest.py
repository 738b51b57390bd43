"""Fixtures of the function process: one nursery for all tests, and benches on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workbench import LIMITS, Bench

from grader.cloud.function import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery.start(limits=LIMITS)
    yield nursery
    nursery.close()


@pytest.fixture
def bench(nursery: Nursery, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(nursery, tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def bench_on(tmp_path: Path) -> Iterator[Callable[[Nursery], Bench]]:
    """A bench on a nursery of the test's own."""
    benches: list[Bench] = []

    def make(nursery: Nursery) -> Bench:
        benches.append(Bench(nursery, tmp_path / str(len(benches))))
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()
