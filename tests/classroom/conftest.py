"""What tests of taking share: a class in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import exports
import pytest
from class_room import Room


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    with made.record:
        yield made


@pytest.fixture
def packed() -> Callable[..., bytes]:
    return exports.packed
