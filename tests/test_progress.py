"""Progress is never lost: not by a kill, not by a damaged file, not by two runs at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grader.grade import Criterion, Grade, Outcome, Verdict
from grader.lab import Lab, UsageError
from grader.progress import Damaged, Entry, Progress, Store, parse, render

LAB = Lab(7, "fan-out", Path("nowhere"))
FILES = {"handler.py": b"one\n", "boards/main.json": b"{}\n"}


def graded(*outcomes: Outcome) -> Grade:
    """A grade with criteria c1, c2, … of 50 points each."""
    verdicts = [
        Verdict(Criterion(f"c{number}", 1, "Goal.", 50), outcome)
        for number, outcome in enumerate(outcomes, 1)
    ]
    return Grade(7, "fan-out", 0, verdicts)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / ".labs")


def test_nothing_recorded_is_an_empty_progress(store: Store) -> None:
    assert store.load() == Progress()
    assert not store.folder.exists()


def test_a_run_is_recorded_and_read_back(store: Store) -> None:
    before, after = store.record(LAB, graded("met", "unmet"), FILES)
    assert (before.best, before.last, before.outcomes) == (None, None, {})
    assert (after.best, after.last, after.runs, after.passed) == (50, 50, 1, False)
    assert store.load().of(LAB) == after
    assert after.outcomes == {"c1": "met", "c2": "unmet"}


def test_the_best_files_are_kept_when_a_later_run_is_worse(store: Store) -> None:
    store.record(LAB, graded("met", "met"), FILES)
    before, after = store.record(LAB, graded("unmet", "unmet"), {"handler.py": b"worse\n"})
    assert (before.last, after.last, after.best, after.passed) == (100, 0, 100, True)
    assert store.best_files(after) == FILES


def test_the_newest_of_equally_good_files_is_kept_and_the_older_removed(store: Store) -> None:
    store.record(LAB, graded("met", "unmet"), FILES)
    _, after = store.record(LAB, graded("met", "unmet"), {"handler.py": b"two\n"})
    assert store.best_files(after) == {"handler.py": b"two\n"}
    assert [path.name for path in (store.folder / "best").iterdir()] == [after.best_files]


def test_a_fault_of_the_grader_is_not_recorded(store: Store) -> None:
    store.record(LAB, graded("met", "met"), FILES)
    _, after = store.record(LAB, graded("broken", "unmet"), FILES)
    assert (after.runs, after.last) == (1, 100)


def test_the_file_is_readable_and_versioned(store: Store) -> None:
    store.record(LAB, graded("met", "unmet"), FILES)
    document = json.loads(store.file.read_text())
    assert document["schema"] == "labs/progress/v1"
    assert document["labs"]["fan-out"]["best"] == 50


def test_an_edit_that_fails_changes_nothing(store: Store) -> None:
    store.record(LAB, graded("met", "unmet"), FILES)
    text = store.file.read_text()
    with pytest.raises(ZeroDivisionError), store.edit() as progress:
        progress.of(LAB).best = 100
        raise ZeroDivisionError
    assert store.file.read_text() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"schema": "something/else", "labs": {}}',
        '{"schema": "labs/progress/v1"}',
        '{"schema": "labs/progress/v1", "labs": {"fan-out": {"best": 1}}}',
    ],
)
def test_a_damaged_file_is_refused_when_read_and_kept_when_written(store: Store, text: str) -> None:
    store.folder.mkdir()
    store.file.write_text(text)
    with pytest.raises(Damaged):
        store.load()
    store.record(LAB, graded("met", "unmet"), FILES)
    assert store.load().of(LAB).best == 50
    assert (store.folder / "progress.damaged-1.json").read_text() == text
    assert "progress.damaged-1.json" in store.warnings[0]


def test_a_second_damaged_file_does_not_replace_the_first(store: Store) -> None:
    store.folder.mkdir()
    for text in ("first", "second"):
        store.file.write_text(text)
        with store.edit():
            pass
    assert (store.folder / "progress.damaged-1.json").read_text() == "first"
    assert (store.folder / "progress.damaged-2.json").read_text() == "second"


def test_progress_of_a_newer_version_is_left_alone(store: Store) -> None:
    store.folder.mkdir()
    text = '{"schema": "labs/progress/v9", "labs": {}}'
    store.file.write_text(text)
    with pytest.raises(UsageError, match=r"another version of labs \(labs/progress/v9\)"):
        store.record(LAB, graded("met"), FILES)
    assert store.file.read_text() == text


def test_a_name_that_leads_out_of_the_folder_is_refused(store: Store) -> None:
    text = render(Progress({"fan-out": Entry(best_files="../../secrets")}))
    with pytest.raises(Damaged):
        parse(text, store.file)


def test_writing_and_reading_give_the_same_progress(store: Store) -> None:
    progress = Progress(
        {"b": Entry(runs=3, best=7, last=5, hints={"2": 1}), "a": Entry(solution="given up")}
    )
    assert parse(render(progress), store.file) == progress
    assert render(parse(render(progress), store.file)) == render(progress)


def test_two_processes_at_once_lose_no_update(store: Store) -> None:
    """Each of two processes adds ten hints; the lock lets every one of them count."""
    program = (
        "import sys; from pathlib import Path; from grader.progress import Store\n"
        "from grader.lab import Lab\n"
        "for _ in range(10):\n"
        "    with Store(Path(sys.argv[1])).edit() as progress:\n"
        "        progress.of(Lab(7, 'fan-out', Path())).runs += 1\n"
    )
    command = [sys.executable, "-c", program, str(store.folder)]
    running = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert store.load().of(LAB).runs == 20
