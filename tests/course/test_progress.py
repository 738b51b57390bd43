"""Progress is never lost: not by a kill, not by a damaged file, not by two runs at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grader.course.files import UsageError
from grader.course.grade import Criterion, Grade, Outcome, Verdict
from grader.course.lab import Lab
from grader.course.progress import Damaged, Entry, Progress, Store, parse, render

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


def test_the_newest_of_equally_good_files_is_kept_and_older_ones_go_in_time(store: Store) -> None:
    """The files that the previous progress names stay until it is replaced in its turn."""
    kept = []
    for number in range(4):
        files = {"handler.py": b"%d\n" % number}
        _, after = store.record(LAB, graded("met", "unmet"), files)
        assert store.best_files(after) == files
        kept.append(after.best_files)
    assert {path.name for path in (store.folder / "best").iterdir()} == set(kept[1:])


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
        "import sys; from pathlib import Path; from grader.course.progress import Store\n"
        "from grader.course.lab import Lab\n"
        "for _ in range(10):\n"
        "    with Store(Path(sys.argv[1])).edit() as progress:\n"
        "        progress.of(Lab(7, 'fan-out', Path())).runs += 1\n"
    )
    command = [sys.executable, "-c", program, str(store.folder)]
    running = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert store.load().of(LAB).runs == 20


# --- what is mended ---------------------------------------------------------------------------

OTHER = Lab(8, "fan-in", Path("nowhere"))


@pytest.fixture
def worked(store: Store) -> Store:
    """Two labs graded, the second one twice."""
    store.record(LAB, graded("met", "met"), FILES)
    store.record(OTHER, graded("unmet", "met"), FILES)
    store.record(OTHER, graded("met", "met"), {"handler.py": b"two\n"})
    return store


def test_a_file_that_breaks_off_goes_on_from_what_is_left_of_it(worked: Store) -> None:
    """What is whole in the file counts, and the state before the last change for the rest."""
    text = worked.file.read_text()
    worked.file.write_text(text[: text.index("fan-out") + 30])
    after = worked.record(LAB, graded("unmet", "met"), FILES)[1]
    assert (after.best, after.passed, after.runs) == (100, True, 2)
    assert worked.load().of(OTHER).best == 100
    assert worked.best_files(worked.load().of(OTHER)) == {"handler.py": b"two\n"}


def test_an_unreadable_file_goes_on_from_the_state_before_the_last_change(worked: Store) -> None:
    worked.file.write_bytes(b"\xff\x00")
    (sentence,) = worked.repair()
    assert "kept as progress.damaged-1.json; what could be read of 2 begun labs" in sentence
    assert worked.load().of(OTHER).best == 50
    assert worked.best_files(worked.load().of(OTHER)) == FILES
    assert (worked.folder / "progress.damaged-1.json").read_bytes() == b"\xff\x00"
    assert worked.repair() == []


def test_a_damaged_entry_does_not_cost_the_others(worked: Store) -> None:
    document = json.loads(worked.file.read_text())
    document["labs"]["fan-in"]["best"] = "many"
    worked.file.write_text(json.dumps(document))
    worked.previous.unlink()
    worked.repair()
    assert worked.load() == Progress({"fan-out": worked.load().of(LAB)})
    assert worked.load().of(LAB).passed


def test_a_file_that_is_gone_is_brought_back_by_repair(worked: Store) -> None:
    worked.file.unlink()
    assert "it is back" in worked.repair()[0]
    assert worked.load().of(LAB).passed


def test_best_files_that_are_not_whole_are_told_and_not_restored(worked: Store) -> None:
    entry = worked.load().of(LAB)
    (worked.folder / "best" / entry.best_files / "handler.py").write_text("half")
    assert not worked.is_kept(entry)
    (sentence,) = worked.repair()
    assert "best files of fan-out (100 points) are not whole" in sentence
    assert worked.best_files(worked.load().of(LAB)) == {}
    worked.record(LAB, graded("met", "met"), FILES)
    assert worked.best_files(worked.load().of(LAB)) == FILES


def test_the_rest_of_a_killed_write_is_no_best_file_and_is_removed(worked: Store) -> None:
    folder = worked.folder / "best" / worked.load().of(LAB).best_files
    (folder / ".handler.py.abc.part").write_text("ha")
    assert worked.best_files(worked.load().of(LAB)) == FILES
    assert "is gone" in worked.repair()[0]
    assert worked.parts() == []


def test_repair_does_not_touch_the_progress_of_a_newer_version(worked: Store) -> None:
    text = '{"schema": "labs/progress/v2", "labs": {"fan-out": {"stars": 3}}}'
    worked.file.write_text(text)
    with pytest.raises(UsageError, match="update the package"):
        worked.repair()
    assert worked.file.read_text() == text
    assert [path.name for path in worked.folder.glob("progress.damaged*")] == []


# --- the package is updated -------------------------------------------------------------------


def test_an_update_that_renames_criteria_adds_files_and_drops_labs_loses_nothing(
    store: Store,
) -> None:
    """Points, best files and hints of every lab stay, also of one that the course has no more."""
    store.record(LAB, graded("met", "met"), FILES)
    store.record(OTHER, graded("met", "unmet"), FILES)
    renamed = Grade(
        7, "fan-out", 0, [Verdict(Criterion(f"new{n}", n, "Goal.", 50), "unmet") for n in (1, 2)]
    )
    store.record(LAB, renamed, {**FILES, "added.toml": b"x = 1\n"})
    progress = store.load()
    assert (progress.of(LAB).best, progress.of(LAB).passed) == (100, True)
    assert store.best_files(progress.of(LAB)) == FILES
    assert progress.of(OTHER).best == 50


def test_a_change_that_changes_nothing_is_not_written(worked: Store) -> None:
    before = worked.previous.read_text()
    with worked.edit():
        pass
    assert worked.previous.read_text() == before
