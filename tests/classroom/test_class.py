"""A small class, graded for real by two workers, one of which is killed, and so is the command.

The long versions, with more of everything, are in ``benchmarks/classroom.py``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from grader.classroom import settings
from grader.classroom.record import Record
from grader.course import answers, judge, lab
from grader.course.files import write_files
from grader.course.lab import Lab

pytestmark = [
    pytest.mark.played,
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
]
ONE, TWO = lab.find("1"), lab.find("2")
ATTACKS = Path(__file__).parents[1] / "course" / "attacks"
BROKEN = b"def handler(:\n"
# Far above what it takes on a machine that has nothing else to do.
WAIT_S = 400.0

Files = Mapping[str, bytes]


def kept(chosen: Lab, kind: str, name: str) -> Files:
    """The files of a kept answer."""
    return next(one for one in answers.kept(chosen) if (one.kind, one.name) == (kind, name)).files


def attack(name: str) -> Files:
    return {**TWO.read(TWO.solution), "handler.py": (ATTACKS / f"{name}.py").read_bytes()}


def hand_ins() -> dict[tuple[str, Lab], Files]:
    """Fourteen, of which three equal others; one hangs and one takes all the memory there is."""
    starters = {one: one.read(one.starter) for one in (ONE, TWO)}
    solutions = {one: one.read(one.solution) for one in (ONE, TWO)}
    return {
        ("ann", ONE): starters[ONE],
        ("ben", ONE): solutions[ONE],
        ("cid", ONE): kept(ONE, "wrong", "drops-the-last-page"),
        ("dan", ONE): {**starters[ONE], "reader.py": BROKEN},
        ("eve", ONE): starters[ONE],
        ("ann", TWO): starters[TWO],
        ("ben", TWO): solutions[TWO],
        ("cid", TWO): kept(TWO, "wrong", "marker-by-batch"),
        ("dan", TWO): {**starters[TWO], "handler.py": BROKEN},
        ("eve", TWO): attack("loops_for_ever"),
        ("fay", TWO): attack("allocates_without_end"),
        ("gus", TWO): {**solutions[TWO], "template.yaml": b"Resources: [\n"},
        ("hal", TWO): starters[TWO],
        ("ida", TWO): solutions[TWO],
    }


def test_a_class_is_graded_right_whatever_is_killed(tmp_path: Path, nursery: Any) -> None:
    """Each mark is that of `labs grade`, byte for byte, once; what is no hand-in is told.

    The command is killed with some grades done, and leaves no process; the next one goes on, and
    loses a worker on the way.
    """
    every = hand_ins()
    for (learner, chosen), files in every.items():
        write_files(tmp_path / "handed-in" / learner / chosen.name, files)
    write_files(tmp_path / "handed-in" / "jon" / TWO.name, {"handler.py": b"x = 1\n"})
    settings.write_new(tmp_path)
    path = tmp_path / "class.sqlite"

    first = _start(tmp_path)
    _until(lambda: _graded(path) >= 2, first)
    below = psutil.Process(first.pid).children(recursive=True)
    assert below
    first.kill()
    first.communicate()
    psutil.wait_procs(below, timeout=60)
    assert [one for one in below if one.is_running()] == []
    done = _graded(path)
    assert 2 <= done < len(every)

    second = _start(tmp_path)
    _until(lambda: _graded(path) > done, second)
    _kill_a_worker(second)
    said, complained = second.communicate(timeout=WAIT_S)
    assert second.returncode == 1, complained
    assert f"{len(every) - done} hand-ins graded. Isolation: " in said
    assert "jon, lab 2: not graded." in said and "needs" in said

    with Record(path) as record:
        rows = record.grades()
        assert len(rows) == len(every) == len(record.published())
        assert {row.status for row in rows} == {"graded"}
        assert [(one.learner, one.lab) for one in record.refusals()] == [("jon", 2)]
    expected: dict[tuple[Lab, str], str] = {}
    for row in rows:
        files = every[row.learner, lab.find(str(row.lab))]
        key = (lab.find(str(row.lab)), row.content)
        if key not in expected:
            place = tmp_path / "again" / row.learner / key[0].name
            write_files(place, files)
            grade = judge.grade(key[0], place, nursery=nursery)
            expected[key] = json.dumps(grade.document(), indent=2) + "\n"
        assert json.dumps(row.document, indent=2) + "\n" == expected[key], row.learner
    told = _told_by_labs_grade(tmp_path / "handed-in" / "dan" / ONE.name)
    assert told in expected.values()
    third = _start(tmp_path)
    assert third.communicate(timeout=WAIT_S)[0].startswith("Nothing to grade.\n")


def _told_by_labs_grade(folder: Path) -> str:
    command = [sys.executable, "-m", "grader", "grade", "1", "--path", str(folder), "--json"]
    return subprocess.run(command, capture_output=True, text=True).stdout


def _start(folder: Path) -> subprocess.Popen[str]:
    """The command, also where a machine that runs tests shuts nothing in."""
    options = ["--workers", "2", "--weak-isolation"]
    return subprocess.Popen(
        [sys.executable, "-m", "grader", "class", "grade", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _graded(path: Path) -> int:
    with Record(path) as record:
        return len(record.keys())


def _until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing is graded"
        time.sleep(0.2)


def _kill_a_worker(process: subprocess.Popen[str]) -> None:
    """End one of Dask's workers, unless everything is done already."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in psutil.Process(process.pid).children():
            if "spawn_main" in " ".join(one.cmdline()):
                os.kill(one.pid, signal.SIGKILL)
                return
