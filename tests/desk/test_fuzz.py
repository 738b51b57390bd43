"""Whatever is typed, set in the environment or found in the progress file: never a fault of ours."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

from standin import Run

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz.py"


def test_four_hundred_hostile_commands_end_with_0_1_or_2(labs: Run, space: Path) -> None:
    """A short campaign of ``benchmarks/fuzz.py``, whose judge answers at once."""
    spec = importlib.util.spec_from_file_location("fuzz", PROGRAM)
    assert spec is not None and spec.loader is not None
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    labs("grade", "7")

    tried, found = fuzz.campaign(random.Random(7), space / ".labs", lambda tried: tried < 400)

    assert (tried, found) == (400, [])
