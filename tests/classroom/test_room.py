"""A room grades within limits of ours, and whatever happens inside costs that room only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stub_inside import DEAD, STUB, WEAK, document

from grader.classroom.inside import frame, receive
from grader.classroom.parcel import Answer, Parcel
from grader.classroom.room import Bounds, Room
from grader.classroom.version import course_version
from grader.cloud.function import look
from grader.course import lab

pytestmark = pytest.mark.slow
COURSE = course_version()
Open = Callable[..., Room]

linux = pytest.mark.skipif(sys.platform != "linux", reason="seen in /proc")


@pytest.fixture
def room() -> Iterator[Open]:
    """Opens rooms, and closes them at the end."""
    made: list[Room] = []

    def make(program: tuple[str, ...] = STUB, weak: bool = False, **bounds: Any) -> Room:
        made.append(Room(weak=weak, bounds=Bounds(**bounds), program=program))
        return made[-1]

    yield make
    for one in made:
        one.close()


def parcel(wish: str = "", seed: int = 3) -> Parcel:
    return Parcel(1, seed, COURSE, {"reader.py": b"x", "wish": wish.encode()})


def ask(room: Room, wish: str = "") -> Answer:
    return room.grade(parcel(wish).pack(), COURSE)


def test_a_grade_comes_out_with_the_isolation_that_was_proved(room: Open) -> None:
    answer = ask(room())
    assert (answer.kind, answer.tier) == ("graded", "namespaces")
    assert answer.document == document(parcel())


def test_one_process_grades_again_and_again_and_is_replaced_in_time(room: Open) -> None:
    one = room(grades=2)
    pids = []
    for _ in range(4):
        assert ask(one).kind == "graded"
        pids.append(one.pid)
    assert pids[0] == pids[1] != pids[2] == pids[3]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("die", r"ended by signal 9; it said last: a last word\.$"),
        ("hang", r"did not end within 1 s; it was ended\.$"),
        ("spin", r"did not end within 1 s"),
        ("fail", r"^Traceback: something of ours"),
        ("flood", r"the process that grades ended"),
    ],
)
def test_what_goes_wrong_inside_is_told_and_the_next_parcel_gets_a_new_process(
    room: Open, wish: str, said: str
) -> None:
    import re

    one = room(wall_seconds=1)
    answer = ask(one, wish)
    assert answer.kind == "failed" and re.search(said, answer.sentence), answer.sentence
    assert one.pid is None
    assert ask(one).kind == "graded"


@linux
def test_a_grade_that_stands_still_or_takes_too_much_memory_is_ended(room: Open) -> None:
    one = room(still_seconds=1, memory_bytes=400 << 20)
    assert ask(one, "hang").sentence == "the grade stood still for 1 s; it was ended."
    answer = ask(one, "eat")
    assert answer.sentence == (
        "the grade's processes took more than 400 MB of memory; they were ended."
    )
    assert ask(one).kind == "graded"


def test_an_answer_to_something_else_is_for_whoever_asked_to_refuse(room: Open) -> None:
    """The room passes on what it hears; `Answer.unpack` compares it with the parcel."""
    assert ask(room(), "lie").document != document(parcel())


def test_where_learner_code_is_not_shut_in_nothing_is_graded_unless_permitted(room: Open) -> None:
    """The sentence says what is not enforced, and how to go on."""
    answer = ask(room(WEAK))
    assert answer.kind == "refused" and answer.tier == "limits"
    assert "Function code can reach the network." in answer.sentence
    assert "--weak-isolation" in answer.sentence
    permitted = ask(room(WEAK, weak=True))
    assert (permitted.kind, permitted.tier) == ("graded", "limits")


def test_another_version_of_the_course_is_refused_before_anything_runs(room: Open) -> None:
    one = room()
    answer = one.grade(parcel().pack(), "0.0.9+000000000000")
    assert answer.kind == "refused" and one.pid is None
    assert COURSE in answer.sentence and "0.0.9+000000000000" in answer.sentence


def test_where_the_process_does_not_start_nothing_is_graded(room: Open) -> None:
    """That is the machine's fault and no hand-in's: it is told with the last words."""
    answer = ask(room(DEAD))
    assert answer.kind == "refused"
    assert answer.sentence == (
        "its process for grades does not start: the process that grades ended with exit code 1;"
        " it said last: no process can be forked."
    )


def test_a_full_disk_refuses_and_fails_nobody(room: Open) -> None:
    answer = ask(room(), "full")
    assert answer.kind == "refused" and "no space left" in answer.sentence


@linux
def test_inside_there_is_nothing_of_whoever_has_the_room(
    room: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable, no socket and no file of the process that started it, even inheritable ones."""
    monkeypatch.setenv("DASK_SECRET", "x")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    with socket.create_server(("127.0.0.1", 0)) as server:
        os.set_inheritable(server.fileno(), True)
        answer = ask(room(), "environment")
    assert answer.document is not None
    seen = set(answer.document["notes"])
    assert not {"DASK_SECRET", "PYTHONPATH", "HOME", "AWS_ACCESS_KEY_ID"} & seen
    assert not [one for one in seen if one.startswith("socket:")]


@linux
def test_it_ends_when_nobody_waits_any_more(tmp_path: Path) -> None:
    """A worker that is killed in the middle of a grade leaves no process behind."""
    process = subprocess.Popen(
        [sys.executable, *STUB], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    assert b"greeting" in (receive(process.stdout) or b"")
    process.stdin.write(frame(parcel("spin").pack()))
    process.stdin.flush()
    time.sleep(0.5)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()


@linux
@pytest.mark.played
def test_the_real_one_forks_from_a_single_thread_and_nothing_outlives_it(room: Open) -> None:
    """Its grade is the judge's; its nursery and forks end with it, its files are removed."""
    chosen = lab.find("1")
    files = {**chosen.read(chosen.starter), "reader.py": b"def broken(:\n"}
    one = Room(weak=True)  # a machine that runs tests may shut nothing in
    try:
        asked = Parcel(1, 5, COURSE, files)
        answer = one.grade(asked.pack(), COURSE)
        assert Answer.unpack(answer.pack(), asked).document is not None, answer.sentence
        assert one.pid is not None
        assert len(list(Path(f"/proc/{one.pid}/task").iterdir())) == 1
        assert one._scratch is not None
        place, below = one._scratch.path, _below(one.pid)
        assert look(one.pid) is not None and below
    finally:
        one.close()
    deadline = time.monotonic() + 10
    while [pid for pid in below if _lives(pid)] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [pid for pid in below if _lives(pid)] == []
    assert not place.exists()


def _below(pid: int) -> list[int]:
    """The processes below one."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
            children = list(map(int, (task / "children").read_text().split()))
            found += children
            waiting += children
    return found


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
