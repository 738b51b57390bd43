"""What is shipped: the wheel works without a clone, and a clone installs what was tested."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

import grader
from grader.course.files import LITTER, PACKAGE
from grader.course.lab import labs

ROOT = PACKAGE.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file(), reason="packaging is tested in a clone"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network by the backend that the test extra installs."""
    builder = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    made = builder.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(next(iter(made)))


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked, as an installer would have put it into a folder of packages."""
    folder = tmp_path_factory.mktemp("packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_the_wheel_carries_every_lab_its_solution_and_its_page(names: list[str]) -> None:
    for lab in labs():
        for name in lab.files:
            assert f"grader/course/starters/{lab.name}/{name}" in names
        for name in (*lab.editable, "NOTES.md"):
            assert f"grader/course/_solutions/{lab.name}/{name}" in names
        assert f"grader/desk/_docs/{lab.page}.md" in names


def test_the_wheel_carries_the_scripts_of_bundles(names: list[str]) -> None:
    """They are files as their platforms run them, and no text in a module."""
    folder = ROOT / "grader" / "classroom" / "outward" / "templates"
    scripts = [path.relative_to(ROOT).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert len(scripts) >= 8 and set(scripts) <= set(names)


def test_the_wheel_carries_the_built_site(wheel: Path, names: list[str]) -> None:
    """Whole enough to be opened from disk, and within 4 MB."""
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    for lab in labs():
        assert f"grader/desk/_site/{lab.page}.html" in names
    assert "grader/desk/_site/search/search_index.js" in names
    with zipfile.ZipFile(wheel) as archive:
        sizes = [
            i.file_size for i in archive.infolist() if i.filename.startswith("grader/desk/_site/")
        ]
    assert 0 < sum(sizes) < 4_000_000


def test_the_wheel_carries_what_pages_are_made_of(names: list[str]) -> None:
    """The templates of a class's pages, and the style and script of every drawing."""
    for folder in ("classroom/report/pages", "replay", "sandbox/console"):
        files = [path for path in (PACKAGE / folder).iterdir() if path.suffix != ".py"]
        wanted = [path for path in files if path.is_file()]
        assert wanted and all(f"grader/{folder}/{path.name}" in names for path in wanted)


def test_the_wheel_carries_nothing_else(names: list[str]) -> None:
    version = PROJECT["version"]
    allowed = ("grader/", f"streamlabs-{version}.dist-info/")
    assert [name for name in names if not name.startswith(allowed)] == []
    assert [name for name in names if set(name.split("/")) & {*LITTER, ".labs"}] == []
    assert [name for name in names if name.endswith((".pyc", ".map"))] == []


def test_the_wheel_carries_the_licence_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = f"streamlabs-{PROJECT['version']}.dist-info"
        assert "labs = grader.desk.cli:main" in archive.read(f"{info}/entry_points.txt").decode()
        assert archive.read(f"{info}/licenses/LICENSE").startswith(b"MIT License")


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`labs` from the unpacked wheel, in ``folder``, with no clone anywhere near."""
    program = (
        "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
        "import grader; assert grader.__file__.startswith(sys.path[0]), grader.__file__\n"
        "from grader.desk.cli import main; sys.exit(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", program, str(installed), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_the_wheel_works_without_a_clone(installed: Path, tmp_path: Path) -> None:
    """init, list, hint and docs from the unpacked wheel, in an empty folder."""
    assert run(installed, tmp_path, "init", "course").returncode == 0
    course = tmp_path / "course"
    for lab in labs():
        copied = course / "labs" / lab.name
        assert {path.name for path in copied.iterdir()} == {Path(name).name for name in lab.files}
    listed = run(installed, course, "list")
    assert listed.returncode == 0 and "lambda-triggers" in listed.stdout
    assert run(installed, course, "hint", "2", "1").returncode == 0
    shown_page = "modules/02-lambda-triggers"
    shown = run(installed, course, "docs", shown_page)
    place = shown.stdout.strip()
    assert Path(url2pathname(urlsplit(place).path) if "://" in place else place).is_file()
    assert "at least once" in run(installed, course, "docs", shown_page, "--print").stdout
    solved = run(installed, course, "solution", "2", "--give-up", "--to", "solved")
    assert solved.returncode == 0 and (course / "solved" / "NOTES.md").is_file()
    refused = run(installed, course, "dev", "check")
    assert refused.returncode == 2 and "clone" in refused.stderr


def test_the_version_stands_in_one_place_more_only() -> None:
    assert grader.__version__ == PROJECT["version"]
    assert f"## {grader.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_lock_pins_everything_the_project_asks_for() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = {line.partition("==")[0] for line in lock.splitlines() if "==" in line}
    asked = [*PROJECT["dependencies"]]
    for extra in PROJECT["optional-dependencies"].values():
        asked += extra
    for requirement in asked:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        assert name is not None and name[0].lower() in pinned, requirement


def test_the_lock_names_no_index_and_no_path() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for line in lock.splitlines():
        assert re.fullmatch(r"[a-z0-9._-]+==[A-Za-z0-9.!+]+( ; .+)?", line), line
    assert "://" not in lock


def test_the_lock_agrees_with_the_exact_pins() -> None:
    """moto's and boto3's quirks are worked around on exactly these versions."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    for requirement in PROJECT["dependencies"]:
        if "==" in requirement:
            assert requirement in lock


# --- the README -------------------------------------------------------------------------------


def start_section() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.split("\n## Start\n", 1)[1].split("\n## ", 1)[0]


def test_start_has_exactly_two_sh_blocks() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", start_section(), re.M | re.S)
    assert len(blocks) == 2
    assert blocks[0].rstrip().endswith("labs grade 1")
    assert blocks[1].rstrip().endswith("-m pytest -n auto")
    for block in blocks:
        # Each does all set-up of its own, and never touches the system's Python.
        assert block.startswith("python3 -m venv .venv\n")
        for line in block.splitlines()[1:]:
            assert line.startswith(".venv/bin/"), line


def test_the_readme_says_that_the_first_exit_status_is_1() -> None:
    assert "exit status\nis 1" in start_section()


@pytest.mark.parametrize("name", ["README.md", "pyproject.toml", "mkdocs.yml", ".ci/run"])
def test_no_package_index_is_named(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"pypi\.|pythonhosted|--index-url|--extra-index", text)


def test_the_gate_stops_at_the_first_failure_and_hides_no_warning() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    build = next(line for line in text.splitlines() if "mkdocs build" in line)
    assert "--strict" in build and not re.search(r"(^|\s)(-q|--quiet)\b", build)
