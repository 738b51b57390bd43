"""Every example of the pages below is run: files are written, Python is executed in order.

A block with a title is a file. A Python block without one is run, in one namespace a page, in a
folder that holds the files. Files named test_*.py are run by pytest with the package's plugin.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/reference/test-your-own-stack.md",)
BLOCK = re.compile(r"^```(\w*)(?: title=\"([^\"]+)\")?[^\n]*\n(.*?)^```$", re.M | re.S)


class Example(NamedTuple):
    language: str
    title: str | None
    text: str
    line: int


def examples(page: str) -> list[Example]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Example(found[1], found[2], found[3], text[: found.start()].count("\n") + 2)
        for found in BLOCK.finditer(text)
    ]


def write_files(page: str, folder: Path) -> None:
    for example in examples(page):
        if example.title:
            (folder / example.title).write_text(example.text, encoding="utf-8")


@pytest.mark.played
@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_the_page_runs_from_top_to_bottom(page: str, tmp_path: Path) -> None:
    write_files(page, tmp_path)
    namespace: dict[str, object] = {"__name__": "example"}
    ran = 0
    with contextlib.chdir(tmp_path):
        for example in examples(page):
            if example.language == "python" and not example.title:
                # The line numbers of a traceback are those of the page.
                source = "\n" * (example.line - 1) + example.text
                exec(compile(source, page, "exec"), namespace)
                ran += 1
    assert ran


@pytest.mark.played
@pytest.mark.parametrize("page", PAGES)
def test_the_tests_of_the_page_pass(page: str, tmp_path: Path) -> None:
    write_files(page, tmp_path)
    assert list(tmp_path.glob("test_*.py"))
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "grader.desk.pytest_plugin",
            "-p",
            "no:cacheprovider",
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
