"""The built site and one browser, for all tests of the site.

Skipped with a reason where MkDocs, Playwright or a browser is not installed:
``pip install --editable '.[test,docs,site]'``, and a Chromium of the system or
``playwright install chromium``.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grader.desk import site as building

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAMPLE = "sample"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Site:
    """A built site: where it lies, and how its building went."""

    folder: Path
    status: int
    said: str

    def pages(self) -> list[Path]:
        """Every page, the one for missing pages left out: its links only hold on a server."""
        return sorted(p for p in self.folder.rglob("*.html") if p.name != "404.html")

    def address(self, name: str, query: str = "") -> str:
        """The address on disk of the page ``modules/02-lambda-triggers``."""
        return (self.folder / f"{name}.html").as_uri() + query


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The course site and one page more, ``sample``, which has one of everything."""
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", folder / "docs")
    shutil.copy(HERE / "sample.md", folder / "docs" / f"{SAMPLE}.md")
    (folder / "mkdocs.yml").write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\n"
        f"theme: {{custom_dir: {ROOT / 'overrides'}}}\n"
        "watch: []\n"
        f"not_in_nav: /{SAMPLE}.md\n"
    )
    # Not --quiet: it would hide the warnings from --strict. Snippets are found from the root.
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(folder / "mkdocs.yml")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    if not done.returncode:
        building.calm(folder / "site")
        building.guard(folder / "site")
    return Site(folder / "site", done.returncode, done.stdout + done.stderr)


COUNT_SCRIPTS = """window.scriptsRun = 0;
for (const end of ["load", "error"]) document.addEventListener(end, ({ target }) => {
  if (target.localName === "script") window.scriptsRun += 1;
}, true);"""
SCRIPTS_LEFT = """"scriptsRun" in window
  && window.scriptsRun < document.querySelectorAll("link[as=script]").length"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for everything."""
    api = pytest.importorskip("playwright.sync_api", reason="the extra site is not installed")
    installed = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=installed, args=["--no-sandbox", "--disable-gpu"]
            )
        except api.Error as error:
            pytest.skip(f"no browser starts here: {str(error).splitlines()[0]}")
        yield _patient(browser, api.Page)
        browser.close()


def _patient(browser: Any, pages: Any) -> Any:
    """The browser; who goes to a page there finds all of its scripts run.

    A built page is drawn before they run (grader/desk/site.py), which may be behind its load event.
    """
    create = browser.new_context

    def new_context(**options: Any) -> Any:
        context = create(**options)
        if options.get("java_script_enabled", True):
            context.add_init_script(COUNT_SCRIPTS)
        return context

    def patient(visit: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(visit)
        def and_wait(page: Any, *args: Any, **options: Any) -> Any:
            answer = visit(page, *args, **options)
            while page.evaluate(SCRIPTS_LEFT):
                page.wait_for_timeout(10)
            return answer

        return and_wait

    browser.new_context = new_context
    for name in ("goto", "reload", "go_back"):
        setattr(pages, name, patient(getattr(pages, name)))
    return browser


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of a fresh profile; an error of a script fails the test."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.set_default_timeout(5000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []
