"""A lab and its files: found by name, read safely, restored with a backup."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grader.course import files
from grader.course import lab as lab_module
from grader.course import workspace as workspaces
from grader.course.files import UsageError
from grader.course.lab import Lab, find, labs
from grader.course.workspace import Workspace, restore, workspace

README = """\
# Lab 7: Fan out

## Task 1: Send it twice

```markdown
## Task 9: This one is only quoted
```

## Task 2: Send it once
"""

HINTS = """\
# Hints

## Task 1: Send it twice

### Hint 1

Who else wants to know?

### Hint 2

Read about topics.

```yaml
## Task 5: no heading
```

### Hint 3

One topic, two queues.

## Task 2: Send it once

### Hint 1

What tells two messages apart?

## Further reading

Nothing.
"""


@pytest.fixture
def starters(tmp_path: Path) -> Path:
    """Two labs as the package would hold them, and things that are no labs."""
    root = tmp_path / "starters"
    for name in ("07-fan-out", "02-lambda-triggers", "not-a-lab", "__pycache__"):
        (root / name).mkdir(parents=True)
    (root / "README.md").write_text("no lab either")
    place = root / "07-fan-out"
    (place / "README.md").write_text(README)
    (place / "hints.md").write_text(HINTS)
    (place / "handler.py").write_text("def handler(event, context): ...\n")
    (place / "template.yaml").write_text("Resources: {}\n")
    (place / "boards").mkdir()
    (place / "boards" / "main.json").write_text("{}\n")
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "handler.cpython-311.pyc").write_bytes(b"\0")
    return root


@pytest.fixture
def lab(starters: Path) -> Lab:
    return find("7", starters)


@pytest.fixture
def folder(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A learner's untouched copy; the current folder is the one above it."""
    target = tmp_path / "mine"
    workspaces.copy_missing(lab, target)
    monkeypatch.chdir(tmp_path)
    return target


def sentence(lab: Lab, folder: Path) -> str:
    """What reading ``folder`` complains about."""
    with pytest.raises(UsageError) as caught:
        lab.read(folder)
    text = str(caught.value)
    assert "\n" not in text
    return text


# --- finding a lab ----------------------------------------------------------------------------


def test_labs_are_the_folders_named_number_and_slug(starters: Path) -> None:
    assert [lab.name for lab in labs(starters)] == ["02-lambda-triggers", "07-fan-out"]


@pytest.mark.parametrize("which", ["7", "07", "fan-out", "07-fan-out", "labs/07-fan-out/", "lab 7"])
def test_a_lab_is_found_by_number_slug_or_folder(starters: Path, which: str) -> None:
    assert find(which, starters).name == "07-fan-out"


@pytest.mark.parametrize(
    ("which", "answer"),
    [
        ("fanout", "Did you mean 7 (fan-out)?"),
        ("lamda-triggers", "Did you mean 2 (lambda-triggers)?"),
        ("9", "The labs are: 2 (lambda-triggers), 7 (fan-out)."),
        ("²", "The labs are:"),
        ("", "The labs are:"),
    ],
)
def test_an_unknown_lab_gets_the_nearest_one(starters: Path, which: str, answer: str) -> None:
    with pytest.raises(UsageError) as caught:
        find(which, starters)
    assert answer in str(caught.value)


def test_number_and_slug_are_the_whole_address(lab: Lab) -> None:
    assert lab.module == "grader.course.labs.lab07.criteria"
    assert lab.page == "modules/07-fan-out"
    assert lab.solution.name == "07-fan-out"


def test_title_and_tasks_come_from_the_readme_outside_quoted_code(lab: Lab) -> None:
    assert lab.title == "Fan out"
    assert [(task.number, task.title) for task in lab.tasks] == [
        (1, "Send it twice"),
        (2, "Send it once"),
    ]


def test_hints_are_read_by_task_and_step_outside_quoted_code(lab: Lab) -> None:
    assert {task: len(steps) for task, steps in lab.hints.items()} == {1: 3, 2: 1}
    assert lab.hints[1][2] == "One topic, two queues."
    assert "## Task 5: no heading" in lab.hints[1][1]
    assert lab.hints[2] == ("What tells two messages apart?",)


def test_everything_but_readme_and_hints_is_edited(lab: Lab) -> None:
    assert lab.editable == ("boards/main.json", "handler.py", "template.yaml")


# --- reading a learner's files ----------------------------------------------------------------


def test_reading_gives_the_bytes_of_the_editable_files_and_of_the_learners_own(
    lab: Lab, folder: Path
) -> None:
    """grading.md 3: the function's code is the folder, so a second module travels with it."""
    (folder / "more.py").write_text("x = 1\n")
    (folder / "notes.md").write_text("prose")
    (folder / ".hidden.py").write_text("x = 1\n")
    (folder / "large.csv").write_bytes(b"x" * 1_000_001)
    (folder / "link.py").symlink_to(folder / "more.py")
    (folder / "venv").mkdir()
    (folder / "venv" / "pyvenv.cfg").write_text("home = x\n")
    (folder / "venv" / "lib.py").write_text("x = 1\n")
    assert lab.read(folder) == {
        "more.py": b"x = 1\n",
        "boards/main.json": b"{}\n",
        "handler.py": b"def handler(event, context): ...\n",
        "template.yaml": b"Resources: {}\n",
    }
    assert lab.beside(folder) == (["more.py"], ["large.csv"])


def test_copying_takes_the_editable_files_and_nothing_else(
    lab: Lab, folder: Path, tmp_path: Path
) -> None:
    (folder / "conftest.py").write_text("raise SystemExit\n")
    assert lab.copy_editable(folder, tmp_path / "copy") == list(lab.editable)
    assert files.files_in(tmp_path / "copy") == list(lab.editable)


def test_a_missing_file_is_named_with_those_expected(lab: Lab, folder: Path) -> None:
    (folder / "handler.py").unlink()
    assert sentence(lab, folder) == (
        "mine holds no handler.py; lab 7 needs boards/main.json, handler.py and template.yaml."
    )


def test_a_stand_in_is_taken_only_for_what_is_missing(lab: Lab, folder: Path) -> None:
    (folder / "handler.py").unlink()
    (folder / "template.yaml").write_text("Resources: {Mine: 1}\n")
    content = lab.read(folder, lab.starter)
    assert content["handler.py"] == b"def handler(event, context): ...\n"
    assert content["template.yaml"] == b"Resources: {Mine: 1}\n"
    assert lab.absent(folder) == ["handler.py"]


def test_a_file_in_the_wrong_case_is_refused_on_every_file_system(lab: Lab, folder: Path) -> None:
    (folder / "handler.py").rename(folder / "Handler.py")
    text = sentence(lab, folder)
    assert "holds Handler.py, and the lab needs handler.py" in text
    with pytest.raises(UsageError):
        lab.read(folder, lab.starter)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "mine/handler.py is empty."),
        (b" \n\t\n", "mine/handler.py is empty."),
        (b"\x7fELF\0\0", "is not a text file: byte 4 is zero."),
        ("x = 1".encode("utf-16"), "is saved as UTF-16; save it as UTF-8."),
        (b"a = 1\nb = '\xe9'\n", "is not UTF-8 text: line 2 holds the byte 0xe9."),
        (b"#" * 1_000_001, "is larger than 1,000,000 bytes."),
    ],
)
def test_what_is_no_text_is_told_in_one_sentence(
    lab: Lab, folder: Path, content: bytes, complaint: str
) -> None:
    (folder / "handler.py").write_bytes(content)
    assert complaint in sentence(lab, folder)


def test_a_byte_order_mark_is_no_mistake(lab: Lab, folder: Path) -> None:
    (folder / "handler.py").write_bytes(b"\xef\xbb\xbfx = 1\n")
    assert lab.read(folder)["handler.py"].endswith(b"x = 1\n")


def test_a_symbolic_link_is_refused(lab: Lab, folder: Path) -> None:
    target = folder / "handler.py"
    target.rename(folder / "real.py")
    try:
        target.symlink_to(folder / "real.py")
    except OSError:
        pytest.skip("this system lets no ordinary user make symbolic links")
    assert "is a symbolic link" in sentence(lab, folder)


def test_a_folder_in_the_place_of_a_file_is_refused(lab: Lab, folder: Path) -> None:
    (folder / "handler.py").unlink()
    (folder / "handler.py").mkdir()
    assert "mine/handler.py is a folder" in sentence(lab, folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_the_place_of_a_file_does_not_hang(lab: Lab, folder: Path) -> None:
    (folder / "handler.py").unlink()
    os.mkfifo(folder / "handler.py")
    assert "is not an ordinary file" in sentence(lab, folder)


def test_a_file_for_a_folder_and_a_folder_that_is_not_there(lab: Lab, folder: Path) -> None:
    assert sentence(lab, folder / "handler.py") == (
        "mine/handler.py is a file; give the folder that holds it."
    )
    assert sentence(lab, folder / "nowhere") == "There is no folder mine/nowhere."


def test_a_folder_that_may_not_be_read_is_told(
    lab: Lab, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refuse)
    assert sentence(lab, folder) == "The folder mine cannot be read: permission denied."


def test_a_file_that_may_not_be_read_is_told(
    lab: Lab, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "template.yaml":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert sentence(lab, folder) == "mine/template.yaml cannot be read: permission denied."


# --- writing ----------------------------------------------------------------------------------


def test_copying_never_overwrites(lab: Lab, folder: Path) -> None:
    (folder / "handler.py").write_text("mine\n")
    (folder / "template.yaml").unlink()
    copied, kept = workspaces.copy_missing(lab, folder)
    assert copied == ["template.yaml"]
    assert "handler.py" in kept
    assert (folder / "handler.py").read_text() == "mine\n"


def test_restoring_keeps_what_it_overwrites(lab: Lab, folder: Path, tmp_path: Path) -> None:
    (folder / "handler.py").write_text("mine\n")
    (folder / "notes.txt").write_text("also mine\n")
    content = workspaces.pristine(lab)
    changed, backup = restore(lab, folder, content, tmp_path / "backups")
    assert changed == ["handler.py"]
    assert backup is not None
    assert (backup / "handler.py").read_text() == "mine\n"
    assert (folder / "notes.txt").read_text() == "also mine\n"
    assert (folder / "handler.py").read_bytes() == content["handler.py"]
    (folder / "handler.py").write_text("mine again\n")
    _, second = restore(lab, folder, content, tmp_path / "backups")
    assert second is not None and second != backup
    assert restore(lab, folder, content, tmp_path / "backups") == ([], None)


def test_a_write_that_fails_leaves_the_old_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = sorted(folder.iterdir())
    with pytest.raises(OSError, match="No space"):
        files.write_whole(folder / "handler.py", b"half")
    assert (folder / "handler.py").read_text() == "def handler(event, context): ...\n"
    assert sorted(folder.iterdir()) == before


def test_temporary_copies_are_gone_afterwards(lab: Lab, folder: Path) -> None:
    with files.written(lab.read(folder)) as copy:
        assert files.files_in(copy) == list(lab.editable)
    assert not copy.exists()


# --- workspaces -------------------------------------------------------------------------------


def test_the_nearest_workspace_upwards_is_used(tmp_path: Path) -> None:
    (tmp_path / "outer" / ".labs").mkdir(parents=True)
    inner = tmp_path / "outer" / "inner"
    (inner / ".labs").mkdir(parents=True)
    (inner / "labs" / "07-fan-out").mkdir(parents=True)
    assert workspace(inner / "labs" / "07-fan-out") == Workspace(inner.resolve())
    assert workspace(tmp_path / "outer") == Workspace((tmp_path / "outer").resolve())


def test_a_clone_is_a_workspace_without_a_marker(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "labs" / "07-fan-out").mkdir(parents=True)
    (tmp_path / "grader" / "course" / "starters").mkdir(parents=True)
    assert workspace(tmp_path / "labs" / "07-fan-out") == Workspace(tmp_path.resolve())


def test_outside_of_everything_an_installed_package_has_no_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (lab_module, workspaces):
        monkeypatch.setattr(module, "PACKAGE", tmp_path / "site-packages" / "grader")
    assert workspace(tmp_path) is None
    assert lab_module.solutions() == tmp_path / "site-packages" / "grader" / "course" / "_solutions"
